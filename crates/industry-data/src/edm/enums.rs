//! The nine enumerations of `microsoft.graph.industryData`.

use odata::edm::EnumType;

const fn words(name: &'static str, members: &'static [(&'static str, i32)]) -> EnumType {
    EnumType { namespace: super::INDUSTRY_DATA, name, members }
}

/// All of them. Every one ends in the sentinel that makes it evolvable.
pub(super) static ENUMS: [EnumType; 9] = [
    words(
        "additionalClassGroupAttributes",
        &[
            ("courseTitle", 0),
            ("courseCode", 1),
            ("courseSubject", 2),
            ("courseGradeLevel", 3),
            ("courseExternalId", 4),
            ("academicSessionTitle", 5),
            ("academicSessionExternalId", 6),
            ("classCode", 7),
            ("unknownFutureValue", 8),
        ],
    ),
    words("additionalUserAttributes", &[("userGradeLevel", 0), ("userNumber", 1), ("unknownFutureValue", 2)]),
    words("apiFormat", &[("oneRoster", 0), ("unknownFutureValue", 1)]),
    words("filterOptions", &[("orgExternalId", 1), ("unknownFutureValue", 2)]),
    words("inboundDomain", &[("educationRostering", 0), ("unknownFutureValue", 1)]),
    words(
        "industryDataActivityStatus",
        &[
            ("inProgress", 0),
            ("skipped", 1),
            ("failed", 2),
            ("completed", 3),
            ("completedWithErrors", 4),
            ("completedWithWarnings", 5),
            ("unknownFutureValue", 6),
        ],
    ),
    words(
        "industryDataRunStatus",
        &[
            ("running", 0),
            ("failed", 1),
            ("completed", 2),
            ("completedWithErrors", 3),
            ("completedWithWarnings", 4),
            ("unknownFutureValue", 5),
        ],
    ),
    words("readinessStatus", &[("notReady", 0), ("ready", 1), ("failed", 2), ("disabled", 3), ("expired", 4), ("unknownFutureValue", 5)]),
    words("studentAgeGroup", &[("minor", 0), ("notAdult", 1), ("adult", 2), ("unknownFutureValue", 3)]),
];
