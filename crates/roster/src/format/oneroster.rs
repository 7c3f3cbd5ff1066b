//! OneRoster CSV 1.1 and 1.2: rostering files, mapped onto the canonical entities.
//!
//! Sources of the rules: the CSV bindings of 1EdTech (1.1 final, 1.2.1), and where Microsoft maps a
//! OneRoster export onto SDS v2.1 (its ADF template), that mapping. What the binding leaves open is
//! decided here:
//!
//! - A row whose `status` is `tobedeleted` is left out, also in a bulk file, where the status should
//!   be blank. Any other status counts as active.
//! - A person whose `enabledUser` is `false` keeps the record, without roles and enrolments: known to
//!   the school, and not active.
//! - Guardians, parents and relatives are contacts. They have no role in an organization; together
//!   with `agentSourcedIds`, whichever side names the other, they make a relationship, once.
//! - A student's first grade level is that of the role; passwords are never kept.
//! - Gradebook and resource files are passed over; of `userProfiles.csv` it is only looked at whose profile is whose.

mod links;
mod records;
mod words;

use super::{Column, FileSpec, Kind as K, used_username};
use crate::codes::CodeList as L;
use crate::ingest::{Records, RowView};
use crate::model::Entity;
pub(crate) use links::Links;
use records::{
    ENROLLED, ORG_TYPE, PRIMARY_ROLE, PRIMARY_TEACHER, SESSION_TYPE, USER_1_1, USER_1_2, USER_FLAGS, class, class_of_a_school,
    class_subjects, course, course_of_a_school_year, course_subjects, demographic, enrolled_while_class_is, enrollment, is_disabled, org,
    primary_org_has_a_role, profile_of_the_user, role_1_2, say_disabled, session, unique_username, user_1_1, user_1_2,
};
use words::{
    CLASS_TYPE_1_1, CLASS_TYPE_1_2, ORG_TYPE_1_1, ORG_TYPE_1_2, ROLE_1_1, ROLE_1_2, ROLE_TYPE, SCHOOL, SCHOOL_YEAR, SECTION_ROLE_1_1,
    SECTION_ROLE_1_2, SESSION_TYPE_1_1, SESSION_TYPE_1_2, SEX_1_1, SEX_1_2,
};
pub(crate) use words::{STATUS, TO_BE_DELETED};

const ORGS: &str = "orgs.csv";
const SESSIONS: &str = "academicSessions.csv";
const COURSES: &str = "courses.csv";
const USERS: &str = "users.csv";
const CLASSES: &str = "classes.csv";

/// Files that a 1.1 package may have.
pub(super) const PACKAGE_1_1: &[&str] = &[
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
];

/// Files that a 1.2 package may have.
pub(super) const PACKAGE_1_2: &[&str] = &[
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
];

const fn need(name: &'static str, kind: K) -> Column {
    Column::need(name, kind)
}
const fn may(name: &'static str, kind: K) -> Column {
    Column::may(name, kind)
}
const fn status() -> Column {
    may("status", K::Word(&STATUS))
}
const fn modified() -> Column {
    may("dateLastModified", K::Date)
}

/// An optional file whose rows have a status, and which anybody may add columns to.
const fn file(name: &'static str, columns: &'static [Column], gives: &'static [Entity], map: fn(&RowView<'_>, &mut Records)) -> FileSpec {
    FileSpec {
        gone: Some((1, TO_BE_DELETED)),
        blank_in_bulk: &[1, 2],
        extension: Some("metadata."),
        ..FileSpec::new(name, columns, &[0], gives, map)
    }
}
/// The same in 1.2, which asks for the columns in order.
const fn ordered(
    name: &'static str,
    columns: &'static [Column],
    gives: &'static [Entity],
    map: fn(&RowView<'_>, &mut Records),
) -> FileSpec {
    FileSpec { ordered: true, ..file(name, columns, gives, map) }
}

/// Logins of users in 1.2, of which nothing is kept: it is only looked at whose they are. A set that changes are
/// applied to has the whole file.
pub(crate) static USER_PROFILES: FileSpec = file(
    "userProfiles.csv",
    &[
        need("sourcedId", K::SourcedId),
        status(),
        modified(),
        need("userSourcedId", K::Id),
        may("profileType", K::Text),
        may("vendorId", K::Text),
        may("applicationId", K::Text),
        may("description", K::Text),
        may("credentialType", K::Text),
        may("username", K::Text),
        may("password", K::Password),
    ],
    &[],
    |_, _| (),
);

/// Files of 1.1 in order of dependency. Drafts of 1.1, which exports still follow, have other headers.
pub(super) static FILES_1_1: &[FileSpec] = &[
    FileSpec {
        required: true,
        ..file(
            ORGS,
            &[
                need("sourcedId", K::Id),
                status(),
                modified(),
                need("name", K::Text),
                need("type", K::Word(&ORG_TYPE_1_1)),
                may("identifier", K::Text),
                may("parentSourcedId", K::Id).of(ORGS).acyclic(),
            ],
            &[Entity::Org],
            org,
        )
    },
    FileSpec {
        span: Some((5, 6)),
        ..file(
            SESSIONS,
            &[
                need("sourcedId", K::Id),
                status(),
                modified(),
                need("title", K::Text),
                need("type", K::Word(&SESSION_TYPE_1_1)),
                need("startDate", K::Date),
                need("endDate", K::Date),
                may("parentSourcedId", K::Id).of(SESSIONS),
                need("schoolYear", K::SchoolYear),
            ],
            &[Entity::Session],
            session,
        )
    },
    FileSpec {
        rules: &[course_subjects],
        ..file(
            COURSES,
            &[
                need("sourcedId", K::Id),
                status(),
                modified(),
                may("schoolYearSourcedId", K::Id).of(SESSIONS).or(&["schoolYearId"]),
                need("title", K::Text),
                may("courseCode", K::Text),
                may("grades", K::Codes(L::Grade)).or(&["grade"]),
                need("orgSourcedId", K::Id).of(ORGS),
                may("subjects", K::Text),
                may("subjectCodes", K::Text),
            ],
            &[Entity::Course],
            course,
        )
    },
    FileSpec {
        required: true,
        unique: Some(unique_username(USER_1_1.username, |row, line| used_username(row.value(USER_1_1.username), line))),
        mark: Some(is_disabled),
        rules: &[say_disabled],
        ..file(
            USERS,
            &[
                need("sourcedId", K::Id),
                status(),
                modified(),
                need("enabledUser", K::Boolean),
                need("orgSourcedIds", K::Ids).of(ORGS),
                need("role", K::Word(&ROLE_1_1)),
                need("username", K::Text),
                may("userIds", K::Text).or(&["userId"]),
                need("givenName", K::Text),
                need("familyName", K::Text),
                may("middleName", K::Text),
                may("identifier", K::Text),
                may("email", K::Email),
                may("sms", K::Phone),
                may("phone", K::Phone),
                may("agentSourcedIds", K::Ids).of(USERS).or(&["agents"]),
                may("grades", K::Codes(L::Grade)).or(&["grade"]),
                may("password", K::Password),
                may(USER_FLAGS, K::Codes(L::Flag)),
            ],
            &[Entity::User, Entity::Role, Entity::UserFlag, Entity::Relationship],
            user_1_1,
        )
    },
    FileSpec {
        rules: &[class_subjects],
        ..file(
            CLASSES,
            &[
                need("sourcedId", K::Id),
                status(),
                modified(),
                need("title", K::Text),
                may("grades", K::Codes(L::Grade)).or(&["grade"]),
                need("courseSourcedId", K::Id).of(COURSES).without_file(),
                may("classCode", K::Text),
                need("classType", K::Word(&CLASS_TYPE_1_1)),
                may("location", K::Text),
                need("schoolSourcedId", K::Id).of(ORGS),
                need("termSourcedIds", K::Ids).of(SESSIONS),
                may("subjects", K::Text),
                may("subjectCodes", K::Text),
                may("periods", K::Text),
            ],
            &[Entity::Class],
            class,
        )
    },
    FileSpec {
        unique: Some(PRIMARY_TEACHER),
        span: Some(ENROLLED),
        rules: &[enrolled_while_class_is],
        ..file(
            "enrollments.csv",
            &[
                need("sourcedId", K::Id),
                status(),
                modified(),
                need("classSourcedId", K::Id).of(CLASSES),
                need("schoolSourcedId", K::Id).of(ORGS),
                need("userSourcedId", K::Id).of(USERS),
                need("role", K::Word(&SECTION_ROLE_1_1)),
                may("primary", K::Boolean),
                may("beginDate", K::Date),
                may("endDate", K::Date),
            ],
            &[Entity::Enrollment],
            enrollment,
        )
    },
    file(
        "demographics.csv",
        &[
            need("sourcedId", K::Id).of(USERS).or(&["userSourcedId"]),
            status(),
            modified(),
            may("birthDate", K::Date).or(&["birthdate"]),
            may("sex", K::Word(&SEX_1_1)),
            may("americanIndianOrAlaskaNative", K::Boolean),
            may("asian", K::Boolean),
            may("blackOrAfricanAmerican", K::Boolean),
            may("nativeHawaiianOrOtherPacificIslander", K::Boolean),
            may("white", K::Boolean),
            may("demographicRaceTwoOrMoreRaces", K::Boolean),
            may("hispanicOrLatinoEthnicity", K::Boolean),
            may("countryOfBirthCode", K::Text),
            may("stateOfBirthAbbreviation", K::Text),
            may("cityOfBirth", K::Text),
            may("publicSchoolResidenceStatus", K::Text),
        ],
        &[Entity::Demographic],
        demographic,
    ),
];

/// Files of 1.2 in order of dependency.
pub(super) static FILES_1_2: &[FileSpec] = &[
    FileSpec {
        required: true,
        mark: Some(|row| row.value(ORG_TYPE) == SCHOOL),
        ..ordered(
            ORGS,
            &[
                need("sourcedId", K::SourcedId),
                status(),
                modified(),
                need("name", K::Text),
                need("type", K::Word(&ORG_TYPE_1_2)),
                may("identifier", K::Text),
                may("parentSourcedId", K::Id).of(ORGS).acyclic(),
            ],
            &[Entity::Org],
            org,
        )
    },
    FileSpec {
        span: Some((5, 6)),
        mark: Some(|row| row.value(SESSION_TYPE) == SCHOOL_YEAR),
        ..ordered(
            SESSIONS,
            &[
                need("sourcedId", K::SourcedId),
                status(),
                modified(),
                need("title", K::Text),
                need("type", K::Word(&SESSION_TYPE_1_2)),
                need("startDate", K::Date),
                need("endDate", K::Date),
                may("parentSourcedId", K::Id).of(SESSIONS),
                need("schoolYear", K::Year),
            ],
            &[Entity::Session],
            session,
        )
    },
    FileSpec {
        rules: &[course_subjects, course_of_a_school_year],
        ..ordered(
            COURSES,
            &[
                need("sourcedId", K::SourcedId),
                status(),
                modified(),
                may("schoolYearSourcedId", K::Id).of(SESSIONS),
                need("title", K::Text),
                may("courseCode", K::Text),
                may("grades", K::Codes(L::Grade)),
                need("orgSourcedId", K::Id).of(ORGS),
                may("subjects", K::Text),
                may("subjectCodes", K::Text),
            ],
            &[Entity::Course],
            course,
        )
    },
    FileSpec {
        required: true,
        unique: Some(unique_username(USER_1_2.username, |row, line| used_username(row.value(USER_1_2.username), line))),
        mark: Some(is_disabled),
        rules: &[say_disabled, primary_org_has_a_role],
        ..ordered(
            USERS,
            &[
                need("sourcedId", K::SourcedId),
                status(),
                modified(),
                need("enabledUser", K::Boolean),
                need("username", K::Text),
                may("userIds", K::Text),
                need("givenName", K::Text),
                need("familyName", K::Text),
                may("middleName", K::Text),
                may("identifier", K::Text),
                may("email", K::Email),
                may("sms", K::Phone),
                may("phone", K::Phone),
                may("agentSourcedIds", K::Ids).of(USERS),
                may("grades", K::Codes(L::Grade)),
                may("password", K::Password),
                may("userMasterIdentifier", K::Text),
                may("preferredGivenName", K::Text),
                may("preferredMiddleName", K::Text),
                may("preferredFamilyName", K::Text),
                may("primaryOrgSourcedId", K::Id).of(ORGS),
                may("pronouns", K::Text),
                may(USER_FLAGS, K::Codes(L::Flag)),
            ],
            &[Entity::User, Entity::Role, Entity::UserFlag, Entity::Relationship],
            user_1_2,
        )
    },
    FileSpec {
        required: true,
        unique: Some(PRIMARY_ROLE),
        span: Some((6, 7)),
        rules: &[profile_of_the_user],
        ..ordered(
            "roles.csv",
            &[
                need("sourcedId", K::SourcedId),
                status(),
                modified(),
                need("userSourcedId", K::Id).of(USERS),
                need("roleType", K::Word(&ROLE_TYPE)),
                need("role", K::Word(&ROLE_1_2)),
                may("beginDate", K::Date),
                may("endDate", K::Date),
                need("orgSourcedId", K::Id).of(ORGS),
                may("userProfileSourcedId", K::Text),
            ],
            &[Entity::Role, Entity::Relationship],
            role_1_2,
        )
    },
    FileSpec {
        rules: &[class_subjects, class_of_a_school],
        ..ordered(
            CLASSES,
            &[
                need("sourcedId", K::SourcedId),
                status(),
                modified(),
                need("title", K::Text),
                may("grades", K::Codes(L::Grade)),
                need("courseSourcedId", K::Id).of(COURSES).without_file(),
                may("classCode", K::Text),
                need("classType", K::Word(&CLASS_TYPE_1_2)),
                may("location", K::Text),
                need("schoolSourcedId", K::Id).of(ORGS),
                need("termSourcedIds", K::Ids).of(SESSIONS),
                may("subjects", K::Text),
                may("subjectCodes", K::Text),
                may("periods", K::Text),
            ],
            &[Entity::Class],
            class,
        )
    },
    FileSpec {
        unique: Some(PRIMARY_TEACHER),
        span: Some(ENROLLED),
        rules: &[enrolled_while_class_is],
        ..ordered(
            "enrollments.csv",
            &[
                need("sourcedId", K::SourcedId),
                status(),
                modified(),
                need("classSourcedId", K::Id).of(CLASSES),
                need("schoolSourcedId", K::Id).of(ORGS),
                need("userSourcedId", K::Id).of(USERS),
                need("role", K::Word(&SECTION_ROLE_1_2)),
                may("primary", K::Boolean),
                may("beginDate", K::Date),
                may("endDate", K::Date),
            ],
            &[Entity::Enrollment],
            enrollment,
        )
    },
    ordered(
        "demographics.csv",
        &[
            need("sourcedId", K::Id).of(USERS),
            status(),
            modified(),
            may("birthDate", K::Date),
            may("sex", K::Word(&SEX_1_2)),
            may("americanIndianOrAlaskaNative", K::Boolean),
            may("asian", K::Boolean),
            may("blackOrAfricanAmerican", K::Boolean),
            may("nativeHawaiianOrOtherPacificIslander", K::Boolean),
            may("white", K::Boolean),
            may("demographicRaceTwoOrMoreRaces", K::Boolean),
            may("hispanicOrLatinoEthnicity", K::Boolean),
            may("countryOfBirthCode", K::Text),
            may("stateOfBirthAbbreviation", K::Text),
            may("cityOfBirth", K::Text),
            may("publicSchoolResidenceStatus", K::Text),
        ],
        &[Entity::Demographic],
        demographic,
    ),
];
