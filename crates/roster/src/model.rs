//! The canonical roster: ten entities and their columns.
//!
//! The column names are those of SDS v2.1, which has a place for everything the other formats
//! carry; their readers map onto it. Required, conditional and list values follow the format page.

use crate::codes::CodeList;

/// One of the ten files of the canonical roster, in order of dependency.
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

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An id, case-sensitive, as received.
    Id,
    /// Ids, separated by commas in one field.
    Ids,
    /// Any text.
    Text,
    /// A code of a list.
    Code(CodeList),
    /// Codes of a list, separated by commas in one field.
    Codes(CodeList),
    /// An address, kept in lower case.
    Email,
    /// E.164.
    Phone,
    /// ISO 8601.
    Date,
    /// `true` or `false`.
    Boolean,
    /// Four digits.
    Year,
    /// Read and thrown away: never stored, never shown.
    Password,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Header.
    pub name: &'static str,
    /// Whether every row needs a value.
    pub required: bool,
    /// Form of the values.
    pub kind: Kind,
    /// Where an id must be found.
    pub refers_to: Option<Entity>,
}

const fn need(name: &'static str, kind: Kind) -> Column {
    Column { name, required: true, kind, refers_to: None }
}
const fn may(name: &'static str, kind: Kind) -> Column {
    Column { name, required: false, kind, refers_to: None }
}
const fn need_ref(name: &'static str, entity: Entity) -> Column {
    Column { name, required: true, kind: Kind::Id, refers_to: Some(entity) }
}
const fn may_ref(name: &'static str, entity: Entity) -> Column {
    Column { name, required: false, kind: Kind::Id, refers_to: Some(entity) }
}

use CodeList as L;
use Kind as K;

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

    /// The entity of a file name, which is case-sensitive.
    pub fn of_file(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entity| entity.file() == name)
    }

    /// Whether an export cannot be without it.
    pub const fn is_required(self) -> bool {
        matches!(self, Self::Org | Self::User | Self::Role)
    }

    /// Name of its snapshot segment.
    pub fn segment(self) -> String {
        self.file().replace(".csv", ".seg")
    }

    /// Columns in canonical order.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Org => {
                const { &[need("sourcedId", K::Id), need("name", K::Text), need("type", K::Code(L::OrgType)), may("parentSourcedId", K::Id)] }
            }
            Self::Session => {
                const {
                    &[
                        need("sourcedId", K::Id),
                        need("title", K::Text),
                        need("type", K::Code(L::SessionType)),
                        need("schoolYear", K::Year),
                        need("startDate", K::Date),
                        need("endDate", K::Date),
                    ]
                }
            }
            Self::Course => {
                const {
                    &[
                        need("sourcedId", K::Id),
                        need_ref("orgSourcedId", Self::Org),
                        need("title", K::Text),
                        may("code", K::Text),
                        may_ref("schoolYearSourcedId", Self::Session),
                        may("subject", K::Code(L::Subject)),
                        may("grade", K::Codes(L::Grade)),
                    ]
                }
            }
            Self::User => {
                const {
                    &[
                        need("sourcedId", K::Id),
                        need("username", K::Text),
                        may("givenName", K::Text),
                        may("familyName", K::Text),
                        may("password", K::Password),
                        may("activeDirectoryMatchId", K::Text),
                        may("email", K::Email),
                        may("phone", K::Phone),
                        may("sms", K::Phone),
                        may("userNumber", K::Text),
                    ]
                }
            }
            Self::Role => {
                const {
                    &[
                        need_ref("userSourcedId", Self::User),
                        need_ref("orgSourcedId", Self::Org),
                        need("role", K::Code(L::Role)),
                        may_ref("sessionSourcedId", Self::Session),
                        may("grade", K::Code(L::Grade)),
                        may("isPrimary", K::Boolean),
                        may("roleStartDate", K::Date),
                        may("roleEndDate", K::Date),
                    ]
                }
            }
            Self::Class => {
                const {
                    &[
                        need("sourcedId", K::Id),
                        need_ref("orgSourcedId", Self::Org),
                        need("title", K::Text),
                        Column { name: "sessionSourcedIds", required: false, kind: K::Ids, refers_to: Some(Self::Session) },
                        may_ref("courseSourcedId", Self::Course),
                        may("code", K::Text),
                    ]
                }
            }
            Self::Enrollment => {
                const { &[need_ref("classSourcedId", Self::Class), need_ref("userSourcedId", Self::User), need("role", K::Code(L::SectionRole))] }
            }
            Self::Demographic => {
                const {
                    &[
                        need_ref("userSourcedId", Self::User),
                        may("sex", K::Code(L::Sex)),
                        may("birthDate", K::Date),
                        may("birthCity", K::Text),
                        may("birthState", K::Text),
                        may("birthCountry", K::Text),
                        may("ethnicityCodes", K::Codes(L::Ethnicity)),
                        may("raceCodes", K::Codes(L::Race)),
                    ]
                }
            }
            Self::UserFlag => const { &[need_ref("userSourcedId", Self::User), need("flag", K::Code(L::Flag))] },
            Self::Relationship => {
                const {
                    &[
                        need_ref("userSourcedId", Self::User),
                        need_ref("relationshipUserSourcedId", Self::User),
                        need("relationshipRole", K::Code(L::Relationship)),
                    ]
                }
            }
        }
    }

    /// Columns that make the key, in order (decision 17).
    pub const fn key_columns(self) -> &'static [usize] {
        match self {
            Self::Org | Self::Session | Self::Course | Self::User | Self::Class | Self::Demographic => &[0],
            Self::Role => &[0, 1, 2, 3],
            Self::Enrollment => &[0, 1, 2],
            Self::UserFlag | Self::Relationship => &[0, 1],
        }
    }

    /// Whether other files refer to it.
    pub const fn is_referred_to(self) -> bool {
        matches!(self, Self::Org | Self::Session | Self::Course | Self::User | Self::Class)
    }

    /// Start and end column of a span of time.
    pub const fn span(self) -> Option<(usize, usize)> {
        match self {
            Self::Session => Some((4, 5)),
            Self::Role => Some((6, 7)),
            _ => None,
        }
    }

    /// Index of a column.
    pub fn column(self, name: &str) -> Option<usize> {
        self.columns().iter().position(|column| column.name == name)
    }
}
