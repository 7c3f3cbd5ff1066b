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

use super::{Claim, Column, FileSpec, Kind as K, Unique, Words};
use crate::codes::CodeList as L;
use crate::finding::shorten;
use crate::ingest::{Records, Report, RowView};
use crate::model::Entity;
pub(crate) use links::Links;

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

/// What a record is said to be; see [`crate::delta`].
pub(crate) static STATUS: Words = as_they_are(&[("active", "active"), (TO_BE_DELETED, TO_BE_DELETED)]);
/// The status of a record that is gone.
pub(crate) const TO_BE_DELETED: &str = "tobedeleted";

const fn as_they_are(meanings: &'static [(&'static str, &'static str)]) -> Words {
    Words { meanings, extension: None }
}

const ORG_TYPES: &[(&str, &str)] = &[
    ("department", "department"),
    ("school", SCHOOL),
    ("district", "district"),
    ("local", "local"),
    ("state", "state"),
    ("national", "national"),
];
const SCHOOL: &str = "school";
static ORG_TYPE_1_1: Words = as_they_are(ORG_TYPES);
// A class may belong to an organization of an added type as to a school.
static ORG_TYPE_1_2: Words = Words { meanings: ORG_TYPES, extension: Some(SCHOOL) };

const SESSION_TYPES: &[(&str, &str)] =
    &[("gradingPeriod", "gradingPeriod"), ("semester", "semester"), ("schoolYear", SCHOOL_YEAR), ("term", "term")];
const SCHOOL_YEAR: &str = "schoolYear";
static SESSION_TYPE_1_1: Words = as_they_are(SESSION_TYPES);
static SESSION_TYPE_1_2: Words = Words { meanings: SESSION_TYPES, extension: Some("term") };

const CLASS_TYPES: &[(&str, &str)] = &[("homeroom", "homeroom"), ("scheduled", "scheduled")];
static CLASS_TYPE_1_1: Words = as_they_are(CLASS_TYPES);
static CLASS_TYPE_1_2: Words = Words { meanings: CLASS_TYPES, extension: Some("scheduled") };

static SEX_1_1: Words = as_they_are(&[("male", "male"), ("female", "female")]);
static SEX_1_2: Words = Words {
    meanings: &[("male", "male"), ("female", "female"), ("unspecified", "notSelected"), ("other", "other")],
    extension: Some("other"),
};

/// Roles of people who are there for a student: no roles in an organization.
const CONTACTS: [&str; 3] = ["guardian", "parent", "relative"];
const STUDENT: &str = "student";

static ROLE_1_1: Words = as_they_are(&[
    ("administrator", "administrator"),
    ("aide", "teacherAssistant"),
    ("guardian", "guardian"),
    ("parent", "parent"),
    ("proctor", "proctor"),
    ("relative", "relative"),
    ("student", STUDENT),
    ("teacher", TEACHER),
]);
static ROLE_1_2: Words = Words {
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
static ROLE_TYPE: Words = as_they_are(&[("primary", "primary"), ("secondary", "secondary")]);

// The final 1.1 knows four. Its drafts and Microsoft's own test know the others too, and exports have them.
static SECTION_ROLE_1_1: Words = as_they_are(&[
    ("administrator", "administrator"),
    ("proctor", "proctor"),
    ("student", STUDENT),
    ("teacher", TEACHER),
    ("aide", "teacherAssistant"),
    ("guardian", "other"),
    ("parent", "other"),
    ("relative", "other"),
]);
static SECTION_ROLE_1_2: Words = Words {
    meanings: &[("administrator", "administrator"), ("proctor", "proctor"), ("student", STUDENT), ("teacher", TEACHER)],
    extension: Some("other"),
};

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

/// A username is that of one person.
const fn unique_username(column: usize, message: fn(&RowView<'_>) -> String) -> Unique {
    Unique { column, claim: Claim::Value, code: "DuplicateUsername", message }
}

fn used_username(username: &str) -> String {
    format!("The username '{}' is used by another person in this file.", shorten(username))
}

/// A class has one primary teacher.
const PRIMARY_TEACHER: Unique = Unique {
    column: ENROLLED_PRIMARY,
    claim: Claim::First {
        among: &[ENROLLED_CLASS],
        says: |row| row.value(ENROLLED_PRIMARY) == "true" && row.value(ENROLLED_ROLE) == TEACHER && !row.is_marked(ENROLLED_USER),
    },
    code: "SecondPrimary",
    message: |row| {
        format!("The class '{}' has a primary teacher on an earlier line; this one is not primary.", shorten(row.value(ENROLLED_CLASS)))
    },
};

/// In an organization a person has one primary role.
const PRIMARY_ROLE: Unique = Unique {
    column: ROLE_TYPE_AT,
    claim: Claim::First { among: &[ROLE_USER, ROLE_ORG], says: |row| row.value(ROLE_TYPE_AT) == "primary" },
    code: "SecondPrimary",
    message: |row| {
        let [user, org] = [ROLE_USER, ROLE_ORG].map(|column| shorten(row.value(column)));
        format!("'{user}' has a primary role in '{org}' on an earlier line; this one is not primary.")
    },
};

/// Flags of a person, as Microsoft has providers of OneRoster send them.
const USER_FLAGS: &str = "metadata.microsoft.userFlags";

const ORG_NAME: usize = 3;
const ORG_TYPE: usize = 4;
const ORG_PARENT: usize = 6;

fn org(row: &RowView<'_>, out: &mut Records) {
    out.push(Entity::Org, &[row.value(0), row.value(ORG_NAME), row.value(ORG_TYPE), row.value(ORG_PARENT)]);
}

const SESSION_TYPE: usize = 4;

fn session(row: &RowView<'_>, out: &mut Records) {
    let [title, kind, start, end, year] = [3, SESSION_TYPE, 5, 6, 8].map(|column| row.value(column));
    out.push(Entity::Session, &[row.value(0), title, kind, year, start, end]);
}

const COURSE_YEAR: usize = 3;
const COURSE_SUBJECTS: (usize, usize) = (8, 9);

fn course(row: &RowView<'_>, out: &mut Records) {
    let [year, title, code, grades, org] = [COURSE_YEAR, 4, 5, 6, 7].map(|column| row.value(column));
    // Subject codes are anybody's; the first that is one of the list of values is the subject.
    let subject = row.list(COURSE_SUBJECTS.1).map(|code| row.code(L::Subject, code)).find(|code| !code.is_empty()).unwrap_or_default();
    out.push(Entity::Course, &[row.value(0), org, title, code, year, subject, grades]);
}

const CLASS_SCHOOL: usize = 9;
const CLASS_SUBJECTS: (usize, usize) = (11, 12);

fn class(row: &RowView<'_>, out: &mut Records) {
    let [title, course, code, school, terms] = [3, 5, 6, CLASS_SCHOOL, 10].map(|column| row.value(column));
    out.push(Entity::Class, &[row.value(0), school, title, terms, course, code]);
}

const ENROLLED_CLASS: usize = 3;
const ENROLLED_USER: usize = 5;
const ENROLLED_ROLE: usize = 6;
const ENROLLED_PRIMARY: usize = 7;
const ENROLLED: (usize, usize) = (8, 9);
const TEACHER: &str = "teacher";

fn enrollment(row: &RowView<'_>, out: &mut Records) {
    if !row.is_marked(ENROLLED_USER) {
        out.push(Entity::Enrollment, &[row.value(ENROLLED_CLASS), row.value(ENROLLED_USER), row.value(ENROLLED_ROLE)]);
    }
}

/// Somebody is in a class while it takes place. An end is exclusive, so that it may be the day after.
fn enrolled_while_class_is(row: &RowView<'_>, report: &mut Report) {
    let (begin, end) = (row.value(ENROLLED.0), row.value(ENROLLED.1));
    let Some(span) = row.context.links.span(row.value(ENROLLED_CLASS)).filter(|_| !(begin.is_empty() && end.is_empty())) else { return };
    let outside = |day: &str, last: &str| !day.is_empty() && (day < span.start.as_str() || day > last);
    let (column, what, day) = if outside(begin, &span.end) {
        (ENROLLED.0, "beginDate", begin)
    } else if outside(end, &span.day_after) {
        (ENROLLED.1, "endDate", end)
    } else {
        return;
    };
    let message = format!("{what} {day} is outside of {}, when the class is: {} to {}.", shorten(&span.sessions), span.start, span.end);
    report.remark("OutsideOfSession", column, message);
}

fn demographic(row: &RowView<'_>, out: &mut Records) {
    const RACES: [(usize, &str); 6] = [
        (5, "americanIndianOrAlaskaNative"),
        (6, "asian"),
        (7, "blackOrAfricanAmerican"),
        (8, "nativeHawaiianOrOtherPacificIslander"),
        (9, "white"),
        (10, "demographicRaceTwoOrMoreRaces"),
    ];
    const HISPANIC: usize = 11;
    let is_true = |column: usize| row.value(column) == "true";
    let races: Vec<&str> = RACES.iter().filter(|(column, _)| is_true(*column)).map(|(_, code)| *code).collect();
    let ethnicity = if is_true(HISPANIC) { "hispanicOrLatinoEthnicity" } else { "" };
    let [birth, sex, country, state, city] = [3, 4, 12, 13, 14].map(|column| row.value(column));
    out.push(Entity::Demographic, &[row.value(0), sex, birth, city, state, country, ethnicity, &races.join(",")]);
}

/// Where the columns of users.csv are that both versions have.
struct User {
    username: usize,
    given: usize,
    family: usize,
    identifier: usize,
    email: usize,
    sms: usize,
    phone: usize,
    agents: usize,
    grades: usize,
    flags: usize,
}

const ENABLED: usize = 3;
const ORGS_1_1: usize = 4;
const ROLE_1_1_AT: usize = 5;
const USER_1_1: User =
    User { username: 6, given: 8, family: 9, identifier: 11, email: 12, sms: 13, phone: 14, agents: 15, grades: 16, flags: 18 };
const USER_1_2: User =
    User { username: 4, given: 6, family: 7, identifier: 9, email: 10, sms: 11, phone: 12, agents: 13, grades: 14, flags: 22 };

fn is_disabled(row: &RowView<'_>) -> bool {
    row.value(ENABLED) == "false"
}

fn say_disabled(row: &RowView<'_>, report: &mut Report) {
    if is_disabled(row) {
        let message = "The person is kept, without roles and enrolments, since enabledUser is false.";
        report.finding("UserNotEnabled", ENABLED, message.to_owned());
    }
}

impl User {
    /// The person, flags, and who is there for whom.
    fn map(&self, row: &RowView<'_>, out: &mut Records) {
        let id = row.value(0);
        let [username, given, family, email] = [self.username, self.given, self.family, self.email].map(|column| row.value(column));
        let [phone, sms, number] = [self.phone, self.sms, self.identifier].map(|column| row.value(column));
        out.push(Entity::User, &[id, username, given, family, "", "", email, phone, sms, number]);
        row.list(self.flags).for_each(|flag| out.push(Entity::UserFlag, &[id, flag]));
        row.list(self.agents).for_each(|agent| out.agent(id, agent));
    }
}

fn user_1_1(row: &RowView<'_>, out: &mut Records) {
    USER_1_1.map(row, out);
    let (id, role) = (row.value(0), row.value(ROLE_1_1_AT));
    if CONTACTS.contains(&role) {
        out.contact(id, role);
        return;
    }
    if role == STUDENT {
        out.student(id);
    }
    if !is_disabled(row) {
        let grade = if role == STUDENT { row.list(USER_1_1.grades).next().unwrap_or_default() } else { "" };
        row.list(ORGS_1_1).for_each(|org| out.push(Entity::Role, &[id, org, role, "", grade, "", "", ""]));
    }
}

fn user_1_2(row: &RowView<'_>, out: &mut Records) {
    USER_1_2.map(row, out);
    if let Some(grade) = row.list(USER_1_2.grades).next() {
        out.grade(row.value(0), grade);
    }
}

const PRIMARY_ORG: usize = 20;

fn primary_org_has_a_role(row: &RowView<'_>, report: &mut Report) {
    let org = row.value(PRIMARY_ORG);
    if !org.is_empty() && row.context.links.lacks_role(row.value(0), org) {
        let message = format!("The person has no role in '{}' in roles.csv; the value is kept.", shorten(org));
        report.remark("PrimaryOrgWithoutRole", PRIMARY_ORG, message);
    }
}

const ROLE_USER: usize = 3;
const ROLE_TYPE_AT: usize = 4;
const ROLE_ORG: usize = 8;
const ROLE_PROFILE: usize = 9;

fn profile_of_the_user(row: &RowView<'_>, report: &mut Report) {
    let (profile, user) = (row.value(ROLE_PROFILE), row.value(ROLE_USER));
    if !profile.is_empty() && row.context.links.is_profile_of_other(profile, user) {
        let message = format!("'{}' is no profile of '{}' in userProfiles.csv; the value is dropped.", shorten(profile), shorten(user));
        report.finding("ProfileOfOther", ROLE_PROFILE, message);
    }
}

fn role_1_2(row: &RowView<'_>, out: &mut Records) {
    let [user, kind, role, begin, end, org] = [ROLE_USER, ROLE_TYPE_AT, 5, 6, 7, ROLE_ORG].map(|column| row.value(column));
    if CONTACTS.contains(&role) {
        out.contact(user, role);
        return;
    }
    if role == STUDENT {
        out.student(user);
    }
    if !row.is_marked(ROLE_USER) {
        let primary = if kind == "primary" { "true" } else { "false" };
        out.push(Entity::Role, &[user, org, role, "", "", primary, begin, end]);
    }
}

/// Subjects and their codes stand in two lists, member by member.
fn subjects(row: &RowView<'_>, (names, codes): (usize, usize), report: &mut Report) {
    let (named, coded) = (row.list(names).count(), row.list(codes).count());
    if named > 0 && coded > 0 && named != coded {
        let message = format!("subjects has {named} members and subjectCodes {coded}; the codes are dropped.");
        report.finding("ListLengthsDiffer", codes, message);
    }
}

fn course_subjects(row: &RowView<'_>, report: &mut Report) {
    subjects(row, COURSE_SUBJECTS, report);
}

fn class_subjects(row: &RowView<'_>, report: &mut Report) {
    subjects(row, CLASS_SUBJECTS, report);
}

fn course_of_a_school_year(row: &RowView<'_>, report: &mut Report) {
    if !row.value(COURSE_YEAR).is_empty() && row.is_unmarked(COURSE_YEAR) {
        let message = format!("'{}' is a session of another type than schoolYear; it is kept.", shorten(row.value(COURSE_YEAR)));
        report.finding("ReferenceOfOtherType", COURSE_YEAR, message);
    }
}

fn class_of_a_school(row: &RowView<'_>, report: &mut Report) {
    if row.is_unmarked(CLASS_SCHOOL) {
        let message = format!("'{}' is an organization of another type than school; it is kept.", shorten(row.value(CLASS_SCHOOL)));
        report.finding("ReferenceOfOtherType", CLASS_SCHOOL, message);
    }
}

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
        unique: Some(unique_username(USER_1_1.username, |row| used_username(row.value(USER_1_1.username)))),
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
        unique: Some(unique_username(USER_1_2.username, |row| used_username(row.value(USER_1_2.username)))),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The maps speak of columns by number.
    #[test]
    fn columns_are_where_the_maps_look_for_them() {
        for (files, user) in [(FILES_1_1, USER_1_1), (FILES_1_2, USER_1_2)] {
            let at = |file: &str, column: &str| files.iter().find(|spec| spec.name == file).unwrap().column(column).unwrap();
            let users = |column: &str| at(USERS, column);
            assert_eq!([user.username, user.given, user.family], ["username", "givenName", "familyName"].map(users));
            assert_eq!([user.identifier, user.email, user.sms, user.phone], ["identifier", "email", "sms", "phone"].map(users));
            assert_eq!(
                [user.agents, user.grades, user.flags, ENABLED],
                ["agentSourcedIds", "grades", USER_FLAGS, "enabledUser"].map(users)
            );
            assert_eq!([ORG_NAME, ORG_TYPE, ORG_PARENT], ["name", "type", "parentSourcedId"].map(|column| at(ORGS, column)));
            assert_eq!(COURSE_SUBJECTS, (at(COURSES, "subjects"), at(COURSES, "subjectCodes")));
            assert_eq!(CLASS_SUBJECTS, (at(CLASSES, "subjects"), at(CLASSES, "subjectCodes")));
            assert_eq!((CLASS_SCHOOL, COURSE_YEAR), (at(CLASSES, "schoolSourcedId"), at(COURSES, "schoolYearSourcedId")));
            assert_eq!(
                [ENROLLED_CLASS, ENROLLED_USER, ENROLLED_ROLE, ENROLLED_PRIMARY, ENROLLED.0, ENROLLED.1],
                ["classSourcedId", "userSourcedId", "role", "primary", "beginDate", "endDate"].map(|column| at("enrollments.csv", column))
            );
            let blank = |spec: &FileSpec| spec.blank_in_bulk.iter().map(|column| spec.columns[*column].name).collect::<Vec<_>>();
            assert!(files.iter().all(|spec| blank(spec) == ["status", "dateLastModified"] && spec.key == [0]));
        }
        let role = |column| FILES_1_2.iter().find(|spec| spec.name == "roles.csv").unwrap().column(column).unwrap();
        assert_eq!(
            [ROLE_USER, ROLE_TYPE_AT, ROLE_ORG, ROLE_PROFILE],
            ["userSourcedId", "roleType", "orgSourcedId", "userProfileSourcedId"].map(role)
        );
        assert_eq!(FILES_1_2[3].columns[PRIMARY_ORG].name, "primaryOrgSourcedId");
        assert_eq!((FILES_1_1[3].columns[ORGS_1_1].name, FILES_1_1[3].columns[ROLE_1_1_AT].name), ("orgSourcedIds", "role"));
    }

    /// Nothing of a package is both read and passed over by mistake of spelling.
    #[test]
    fn every_file_read_is_one_of_the_package() {
        for (files, package) in [(FILES_1_1, PACKAGE_1_1), (FILES_1_2, PACKAGE_1_2)] {
            assert!(files.iter().all(|spec| package.contains(&spec.name.trim_end_matches(".csv"))));
        }
    }
}
