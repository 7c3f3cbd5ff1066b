//! The canonical roster: ten entities and their fields.
//!
//! Names of files and fields are those of SDS v2.1, which has a place for everything that the other
//! formats carry; the tables in [`crate::format`] map onto it, and nothing behind them knows a format.

/// One of the ten entities of the canonical roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entity {
    /// Organizations.
    Org,
    /// Academic sessions.
    Session,
    /// Courses.
    Course,
    /// People.
    User,
    /// A person's role in an organization.
    Role,
    /// Classes.
    Class,
    /// A person in a class.
    Enrollment,
    /// Demographics of a person.
    Demographic,
    /// Flags of a person.
    UserFlag,
    /// A contact of a student.
    Relationship,
}

impl Entity {
    /// All, in an order in which what is referred to comes first.
    pub const ALL: [Self; 10] = [
        Self::Org,
        Self::Session,
        Self::Course,
        Self::User,
        Self::Role,
        Self::Class,
        Self::Enrollment,
        Self::Demographic,
        Self::UserFlag,
        Self::Relationship,
    ];

    /// File name in SDS v2.1.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Org => "orgs.csv",
            Self::Session => "academicSessions.csv",
            Self::Course => "courses.csv",
            Self::User => "users.csv",
            Self::Role => "roles.csv",
            Self::Class => "classes.csv",
            Self::Enrollment => "enrollments.csv",
            Self::Demographic => "demographics.csv",
            Self::UserFlag => "userFlags.csv",
            Self::Relationship => "relationships.csv",
        }
    }

    /// Name of its snapshot segment.
    pub fn segment(self) -> String {
        self.file().replace(".csv", ".seg")
    }

    /// Fields of a record, in order.
    pub const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Org => &["sourcedId", "name", "type", "parentSourcedId"],
            Self::Session => &["sourcedId", "title", "type", "schoolYear", "startDate", "endDate"],
            Self::Course => &["sourcedId", "orgSourcedId", "title", "code", "schoolYearSourcedId", "subject", "grade"],
            Self::User => &[
                "sourcedId",
                "username",
                "givenName",
                "familyName",
                "password",
                "activeDirectoryMatchId",
                "email",
                "phone",
                "sms",
                "userNumber",
            ],
            Self::Role => {
                &["userSourcedId", "orgSourcedId", "role", "sessionSourcedId", "grade", "isPrimary", "roleStartDate", "roleEndDate"]
            }
            Self::Class => &["sourcedId", "orgSourcedId", "title", "sessionSourcedIds", "courseSourcedId", "code"],
            Self::Enrollment => &["classSourcedId", "userSourcedId", "role"],
            Self::Demographic => {
                &["userSourcedId", "sex", "birthDate", "birthCity", "birthState", "birthCountry", "ethnicityCodes", "raceCodes"]
            }
            Self::UserFlag => &["userSourcedId", "flag"],
            Self::Relationship => &["userSourcedId", "relationshipUserSourcedId", "relationshipRole"],
        }
    }

    /// Fields that make the key, in order.
    pub const fn key_fields(self) -> &'static [usize] {
        match self {
            Self::Org | Self::Session | Self::Course | Self::User | Self::Class | Self::Demographic => &[0],
            Self::Role => &[0, 1, 2, 3],
            Self::Enrollment => &[0, 1, 2],
            Self::UserFlag | Self::Relationship => &[0, 1],
        }
    }

    /// Index of a field.
    pub fn field(self, name: &str) -> Option<usize> {
        self.fields().iter().position(|field| *field == name)
    }
}
