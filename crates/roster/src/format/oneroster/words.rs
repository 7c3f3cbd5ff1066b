//! The words of OneRoster: what may stand in a column, and what it means in the canonical roster.

use crate::format::Words;

/// What a record is said to be; see [`crate::delta`].
pub(crate) static STATUS: Words = as_they_are(&[("active", "active"), (TO_BE_DELETED, TO_BE_DELETED)]);
/// The status of a record that is gone.
pub(crate) const TO_BE_DELETED: &str = "tobedeleted";

pub(super) const fn as_they_are(meanings: &'static [(&'static str, &'static str)]) -> Words {
    Words { meanings, extension: None }
}

pub(super) const ORG_TYPES: &[(&str, &str)] = &[
    ("department", "department"),
    ("school", SCHOOL),
    ("district", "district"),
    ("local", "local"),
    ("state", "state"),
    ("national", "national"),
];
pub(super) const SCHOOL: &str = "school";
pub(super) static ORG_TYPE_1_1: Words = as_they_are(ORG_TYPES);
// A class may belong to an organization of an added type as to a school.
pub(super) static ORG_TYPE_1_2: Words = Words { meanings: ORG_TYPES, extension: Some(SCHOOL) };

pub(super) const SESSION_TYPES: &[(&str, &str)] =
    &[("gradingPeriod", "gradingPeriod"), ("semester", "semester"), ("schoolYear", SCHOOL_YEAR), ("term", "term")];
pub(super) const SCHOOL_YEAR: &str = "schoolYear";
pub(super) static SESSION_TYPE_1_1: Words = as_they_are(SESSION_TYPES);
pub(super) static SESSION_TYPE_1_2: Words = Words { meanings: SESSION_TYPES, extension: Some("term") };

pub(super) const CLASS_TYPES: &[(&str, &str)] = &[("homeroom", "homeroom"), ("scheduled", "scheduled")];
pub(super) static CLASS_TYPE_1_1: Words = as_they_are(CLASS_TYPES);
pub(super) static CLASS_TYPE_1_2: Words = Words { meanings: CLASS_TYPES, extension: Some("scheduled") };

pub(super) static SEX_1_1: Words = as_they_are(&[("male", "male"), ("female", "female")]);
pub(super) static SEX_1_2: Words = Words {
    meanings: &[("male", "male"), ("female", "female"), ("unspecified", "notSelected"), ("other", "other")],
    extension: Some("other"),
};

/// Roles of people who are there for a student: no roles in an organization.
pub(super) const CONTACTS: [&str; 3] = ["guardian", "parent", "relative"];
pub(super) const STUDENT: &str = "student";
pub(super) const TEACHER: &str = "teacher";

pub(super) static ROLE_1_1: Words = as_they_are(&[
    ("administrator", "administrator"),
    ("aide", "teacherAssistant"),
    ("guardian", "guardian"),
    ("parent", "parent"),
    ("proctor", "proctor"),
    ("relative", "relative"),
    ("student", STUDENT),
    ("teacher", TEACHER),
]);
pub(super) static ROLE_1_2: Words = Words {
    meanings: &[
        ("aide", "teacherAssistant"),
        ("counselor", "advisor"),
        ("districtAdministrator", "administrator"),
        ("guardian", "guardian"),
        ("parent", "parent"),
        ("principal", "principal"),
        ("proctor", "proctor"),
        ("relative", "relative"),
        ("siteAdministrator", "administrator"),
        ("student", STUDENT),
        ("systemAdministrator", "itAdmin"),
        ("teacher", TEACHER),
    ],
    extension: Some("other"),
};
pub(super) static ROLE_TYPE: Words = as_they_are(&[("primary", "primary"), ("secondary", "secondary")]);

// The final 1.1 knows four. Its drafts and Microsoft's own test know the others too, and exports have them.
pub(super) static SECTION_ROLE_1_1: Words = as_they_are(&[
    ("administrator", "administrator"),
    ("proctor", "proctor"),
    ("student", STUDENT),
    ("teacher", TEACHER),
    ("aide", "teacherAssistant"),
    ("guardian", "other"),
    ("parent", "other"),
    ("relative", "other"),
]);
pub(super) static SECTION_ROLE_1_2: Words = Words {
    meanings: &[("administrator", "administrator"), ("proctor", "proctor"), ("student", STUDENT), ("teacher", TEACHER)],
    extension: Some("other"),
};
