//! The collections of a roster: where they are, and which column of which file a member of their
//! JSON becomes (OneRoster 1.1 and 1.2, REST and CSV binding).

use crate::Version;
use crate::connection::Switches;

/// A collection of the API; in order of dependency, as they are pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Collection {
    /// `/academicSessions`
    AcademicSessions,
    /// `/orgs`
    Orgs,
    /// `/users`
    Users,
    /// `/courses`
    Courses,
    /// `/classes`
    Classes,
    /// `/enrollments`
    Enrollments,
    /// `/demographics`
    Demographics,
}

/// How a member's JSON becomes the text of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A text; a number counts as its digits.
    Text,
    /// `true` or `false`: as text, as JSON's own, or 1 and 0.
    Flag,
    /// A list of texts; a single text is a list of one.
    List,
    /// `{ "sourcedId": … }`
    Reference,
    /// A list of those.
    References,
    /// A list of `{ "type": …, "identifier": … }`, each written as `{type:identifier}`.
    UserIds,
    /// Never taken over: passwords have no business in files.
    Blank,
}

/// A column after `sourcedId`, `status`, `dateLastModified`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Name in the header.
    pub(crate) name: &'static str,
    /// The member that it comes from; a later one is another spelling of it.
    pub(crate) members: &'static [&'static str],
    pub(crate) shape: Shape,
}

const fn column(name: &'static str, members: &'static [&'static str], shape: Shape) -> Column {
    Column { name, members, shape }
}

macro_rules! columns {
    ($($name:literal $(= $member:literal $(/ $other:literal)*)? : $shape:ident),* $(,)?) => {
        &[$(column($name, columns!(@members $name $(, $member $(, $other)*)?), Shape::$shape)),*]
    };
    (@members $name:literal) => { &[$name] };
    (@members $name:literal, $($member:literal),+) => { &[$($member),+] };
}

const ACADEMIC_SESSIONS: &[Column] = columns! {
    "title": Text, "type": Text, "startDate": Text, "endDate": Text, "parentSourcedId" = "parent": Reference, "schoolYear": Text,
};

const ORGS: &[Column] = columns! { "name": Text, "type": Text, "identifier": Text, "parentSourcedId" = "parent": Reference };

const COURSES: &[Column] = columns! {
    "schoolYearSourcedId" = "schoolYear": Reference, "title": Text, "courseCode": Text, "grades": List, "orgSourcedId" = "org": Reference,
    "subjects": List, "subjectCodes": List,
};

const CLASSES: &[Column] = columns! {
    "title": Text, "grades": List, "courseSourcedId" = "course": Reference, "classCode": Text, "classType": Text, "location": Text,
    "schoolSourcedId" = "school": Reference, "termSourcedIds" = "terms": References, "subjects": List, "subjectCodes": List,
    "periods": List,
};

const USERS_1_1: &[Column] = columns! {
    "enabledUser": Flag, "orgSourcedIds" = "orgs": References, "role": Text, "username": Text, "userIds": UserIds, "givenName": Text,
    "familyName": Text, "middleName": Text, "identifier": Text, "email": Text, "sms": Text, "phone": Text,
    "agentSourcedIds" = "agents": References, "grades": List, "password": Blank,
};

const USERS_1_2: &[Column] = columns! {
    "enabledUser": Flag, "username": Text, "userIds": UserIds, "givenName": Text, "familyName": Text, "middleName": Text,
    "identifier": Text, "email": Text, "sms": Text, "phone": Text, "agentSourcedIds" = "agents": References, "grades": List,
    "password": Blank, "userMasterIdentifier": Text, "preferredGivenName" = "preferredFirstName" / "preferredGivenName": Text,
    "preferredMiddleName": Text, "preferredFamilyName" = "preferredLastName" / "preferredFamilyName": Text,
    "primaryOrgSourcedId" = "primaryOrg": Reference, "pronouns": Text,
};

const ENROLLMENTS: &[Column] = columns! {
    "classSourcedId" = "class": Reference, "schoolSourcedId" = "school": Reference, "userSourcedId" = "user": Reference, "role": Text,
    "primary": Flag, "beginDate": Text, "endDate": Text,
};

const DEMOGRAPHICS: &[Column] = columns! {
    "birthDate" = "birthDate" / "birthdate": Text, "sex": Text, "americanIndianOrAlaskaNative": Flag, "asian": Flag,
    "blackOrAfricanAmerican": Flag, "nativeHawaiianOrOtherPacificIslander": Flag, "white": Flag, "demographicRaceTwoOrMoreRaces": Flag,
    "hispanicOrLatinoEthnicity": Flag, "countryOfBirthCode": Text, "stateOfBirthAbbreviation": Text, "cityOfBirth": Text,
    "publicSchoolResidenceStatus": Text,
};

/// An element of a user's `roles` (1.2); its user comes first.
pub(crate) const ROLES: &[Column] = columns! {
    "roleType": Text, "role": Text, "beginDate": Text, "endDate": Text, "orgSourcedId" = "org": Reference, "userProfileSourcedId" = "userProfile": Text,
};

/// An element of a user's `userProfiles` (1.2); its user comes first.
pub(crate) const USER_PROFILES: &[Column] = columns! {
    "profileType": Text, "vendorId": Text, "applicationId": Text, "description": Text,
};

/// What of the credential of a profile is taken over; its `type` is the column `credentialType`.
pub(crate) const PROFILE_CREDENTIAL: &[Column] = columns! { "credentialType" = "type": Text, "username": Text, "password": Blank };

/// Extension column of users for School Data Sync's flags.
pub(crate) const USER_FLAGS: &str = "metadata.microsoft.userFlags";

/// Roles of people who are nobody's student or teacher.
pub(crate) const CONTACT_ROLES: [&str; 3] = ["guardian", "parent", "relative"];

impl Collection {
    /// All, in the order in which they are pulled.
    pub const ALL: [Self; 7] =
        [Self::AcademicSessions, Self::Orgs, Self::Users, Self::Courses, Self::Classes, Self::Enrollments, Self::Demographics];

    /// Name: of the path, of the member around its records, and of the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AcademicSessions => "academicSessions",
            Self::Orgs => "orgs",
            Self::Users => "users",
            Self::Courses => "courses",
            Self::Classes => "classes",
            Self::Enrollments => "enrollments",
            Self::Demographics => "demographics",
        }
    }

    /// Whether a provider has to have it.
    pub const fn is_required(self) -> bool {
        !matches!(self, Self::Courses | Self::Demographics)
    }

    /// Whether it is asked for.
    pub(crate) const fn is_wanted(self, switches: Switches) -> bool {
        !matches!(self, Self::Demographics) || switches.demographics
    }

    pub(crate) const fn columns(self, version: Version) -> &'static [Column] {
        match (self, version) {
            (Self::AcademicSessions, _) => ACADEMIC_SESSIONS,
            (Self::Orgs, _) => ORGS,
            (Self::Users, Version::V1p1) => USERS_1_1,
            (Self::Users, Version::V1p2) => USERS_1_2,
            (Self::Courses, _) => COURSES,
            (Self::Classes, _) => CLASSES,
            (Self::Enrollments, _) => ENROLLMENTS,
            (Self::Demographics, _) => DEMOGRAPHICS,
        }
    }
}

/// A file of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum File {
    Of(Collection),
    Roles,
    UserProfiles,
}

impl File {
    /// Name without the ending.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Of(collection) => collection.name(),
            Self::Roles => "roles",
            Self::UserProfiles => "userProfiles",
        }
    }

    /// The files that a collection becomes.
    pub(crate) const fn of(collection: Collection, version: Version) -> &'static [Self] {
        match (collection, version) {
            (Collection::AcademicSessions, _) => &[Self::Of(Collection::AcademicSessions)],
            (Collection::Orgs, _) => &[Self::Of(Collection::Orgs)],
            (Collection::Users, Version::V1p1) => &[Self::Of(Collection::Users)],
            (Collection::Users, Version::V1p2) => &[Self::Of(Collection::Users), Self::Roles, Self::UserProfiles],
            (Collection::Courses, _) => &[Self::Of(Collection::Courses)],
            (Collection::Classes, _) => &[Self::Of(Collection::Classes)],
            (Collection::Enrollments, _) => &[Self::Of(Collection::Enrollments)],
            (Collection::Demographics, _) => &[Self::Of(Collection::Demographics)],
        }
    }

    /// The names of its columns.
    pub(crate) fn header(self, version: Version, switches: Switches) -> Vec<&'static str> {
        let mut header = vec!["sourcedId", "status", "dateLastModified"];
        match self {
            Self::Of(collection) => header.extend(collection.columns(version).iter().map(|c| c.name)),
            Self::Roles => {
                header.push("userSourcedId");
                header.extend(ROLES.iter().map(|c| c.name));
            }
            Self::UserProfiles => {
                header.push("userSourcedId");
                header.extend(USER_PROFILES.iter().chain(PROFILE_CREDENTIAL).map(|c| c.name));
            }
        }
        if self == Self::Of(Collection::Users) && switches.flags {
            header.push(USER_FLAGS);
        }
        header
    }
}

/// Every file that a manifest speaks of, in the order of the CSV binding.
pub(crate) const fn manifest_files(version: Version) -> &'static [&'static str] {
    match version {
        Version::V1p1 => &[
            "academicSessions",
            "categories",
            "classes",
            "classResources",
            "courses",
            "courseResources",
            "demographics",
            "enrollments",
            "lineItems",
            "orgs",
            "resources",
            "results",
            "users",
        ],
        Version::V1p2 => &[
            "academicSessions",
            "categories",
            "classes",
            "classResources",
            "courses",
            "courseResources",
            "demographics",
            "enrollments",
            "lineItemLearningObjectiveIds",
            "lineItems",
            "lineItemScoreScales",
            "orgs",
            "resources",
            "resultLearningObjectiveIds",
            "results",
            "resultScoreScales",
            "roles",
            "scoreScales",
            "userProfiles",
            "userResources",
            "users",
        ],
    }
}
