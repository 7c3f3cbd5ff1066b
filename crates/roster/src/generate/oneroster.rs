//! OneRoster CSV, versions 1.1 and 1.2: columns in the order of the specification, lists in one quoted field,
//! status and time of change blank, as a bulk file has them.

use super::Options;
use super::details::details;
use super::format::{Form, Table, may, need};
use super::output::{CsvFile, Outputs};
use super::population::GRADES;
use super::walk::{
    Class, Course, Enrollment, FIRST_DAY, Guardian, LAST_DAY, Member, Org, Person, Session, Sink, Staff, Student, TERM_IDS, YEAR, YEAR_ID,
};
use crate::format::Format;
use std::io;
use std::path::Path;

const SESSIONS: usize = 0;
const ORGS: usize = 1;
const COURSES: usize = 2;
const CLASSES: usize = 3;
const USERS: usize = 4;
const ENROLLMENTS: usize = 5;
const DEMOGRAPHICS: usize = 6;
/// In 1.2 only.
const ROLES: usize = 7;

use Form::{Boolean, Code, Date, Email, Id, Phone, Plain, Ref, Refs, Text, Year};

const SESSION_FILE: &str = "academicSessions.csv";
const ORG_FILE: &str = "orgs.csv";
const COURSE_FILE: &str = "courses.csv";
const CLASS_FILE: &str = "classes.csv";
const USER_FILE: &str = "users.csv";

const SESSION_TABLE: Table = Table {
    status: Some(1),
    alter: Some(3),
    span: Some((5, 6)),
    ..Table::new(
        SESSION_FILE,
        &[
            need("sourcedId", Id),
            may("status", Plain),
            may("dateLastModified", Plain),
            need("title", Text),
            need("type", Code),
            need("startDate", Date),
            need("endDate", Date),
            may("parentSourcedId", Ref(SESSION_FILE)),
            need("schoolYear", Year),
        ],
        &[0],
    )
};

const ORG_TABLE: Table = Table {
    status: Some(1),
    alter: Some(3),
    parent: Some(6),
    ..Table::new(
        ORG_FILE,
        &[
            need("sourcedId", Id),
            may("status", Plain),
            may("dateLastModified", Plain),
            need("name", Text),
            need("type", Code),
            may("identifier", Plain),
            may("parentSourcedId", Ref(ORG_FILE)),
        ],
        &[0],
    )
};

const COURSE_TABLE: Table = Table {
    status: Some(1),
    alter: Some(4),
    subject_codes: Some(9),
    ..Table::new(
        COURSE_FILE,
        &[
            need("sourcedId", Id),
            may("status", Plain),
            may("dateLastModified", Plain),
            may("schoolYearSourcedId", Ref(SESSION_FILE)),
            need("title", Text),
            may("courseCode", Plain),
            may("grades", Plain),
            need("orgSourcedId", Ref(ORG_FILE)),
            may("subjects", Plain),
            may("subjectCodes", Plain),
        ],
        &[0],
    )
};

const CLASS_TABLE: Table = Table {
    status: Some(1),
    alter: Some(3),
    subject_codes: Some(12),
    ..Table::new(
        CLASS_FILE,
        &[
            need("sourcedId", Id),
            may("status", Plain),
            may("dateLastModified", Plain),
            need("title", Text),
            may("grades", Plain),
            need("courseSourcedId", Ref(COURSE_FILE)),
            may("classCode", Plain),
            need("classType", Code),
            may("location", Plain),
            need("schoolSourcedId", Ref(ORG_FILE)),
            need("termSourcedIds", Refs(SESSION_FILE)),
            may("subjects", Plain),
            may("subjectCodes", Plain),
            may("periods", Plain),
        ],
        &[0],
    )
};

const ENROLLMENT_TABLE: Table = Table {
    status: Some(1),
    primary: Some((7, "true")),
    in_session: Some(8),
    alter: Some(9),
    span: Some((8, 9)),
    misshapen: true,
    ..Table::new(
        "enrollments.csv",
        &[
            need("sourcedId", Id),
            may("status", Plain),
            may("dateLastModified", Plain),
            need("classSourcedId", Ref(CLASS_FILE)),
            need("schoolSourcedId", Ref(ORG_FILE)),
            need("userSourcedId", Ref(USER_FILE)),
            need("role", Code),
            may("primary", Boolean),
            may("beginDate", Date),
            may("endDate", Date),
        ],
        &[0],
    )
};

const DEMOGRAPHIC_TABLE: Table = Table {
    status: Some(1),
    alter: Some(14),
    utf16: true,
    extra_column: true,
    ..Table::new(
        "demographics.csv",
        &[
            need("sourcedId", Ref(USER_FILE)),
            may("status", Plain),
            may("dateLastModified", Plain),
            may("birthDate", Date),
            may("sex", Code),
            may("americanIndianOrAlaskaNative", Boolean),
            may("asian", Boolean),
            may("blackOrAfricanAmerican", Boolean),
            may("nativeHawaiianOrOtherPacificIslander", Boolean),
            may("white", Boolean),
            may("demographicRaceTwoOrMoreRaces", Boolean),
            may("hispanicOrLatinoEthnicity", Boolean),
            may("countryOfBirthCode", Plain),
            may("stateOfBirthAbbreviation", Plain),
            may("cityOfBirth", Text),
            may("publicSchoolResidenceStatus", Plain),
        ],
        &[0],
    )
};

const USER_TABLE_11: Table = Table {
    status: Some(1),
    enabled: Some(3),
    alter: Some(9),
    unique: Some(6),
    misshapen: true,
    ..Table::new(
        USER_FILE,
        &[
            need("sourcedId", Id),
            may("status", Plain),
            may("dateLastModified", Plain),
            need("enabledUser", Boolean),
            need("orgSourcedIds", Refs(ORG_FILE)),
            need("role", Code),
            need("username", Text),
            may("userIds", Plain),
            need("givenName", Text),
            need("familyName", Text),
            may("middleName", Plain),
            may("identifier", Plain),
            may("email", Email),
            may("sms", Phone),
            may("phone", Phone),
            may("agentSourcedIds", Refs(USER_FILE)),
            may("grades", Plain),
            may("password", Plain),
        ],
        &[0],
    )
};

const USER_TABLE_12: Table = Table {
    status: Some(1),
    enabled: Some(3),
    primary_org: Some(20),
    alter: Some(7),
    unique: Some(4),
    misshapen: true,
    ..Table::new(
        USER_FILE,
        &[
            need("sourcedId", Id),
            may("status", Plain),
            may("dateLastModified", Plain),
            need("enabledUser", Boolean),
            need("username", Text),
            may("userIds", Plain),
            need("givenName", Text),
            need("familyName", Text),
            may("middleName", Plain),
            may("identifier", Plain),
            may("email", Email),
            may("sms", Phone),
            may("phone", Phone),
            may("agentSourcedIds", Refs(USER_FILE)),
            may("grades", Plain),
            may("password", Plain),
            may("userMasterIdentifier", Plain),
            may("preferredGivenName", Plain),
            may("preferredMiddleName", Plain),
            may("preferredFamilyName", Plain),
            may("primaryOrgSourcedId", Ref(ORG_FILE)),
            may("pronouns", Plain),
        ],
        &[0],
    )
};

const ROLE_TABLE: Table = Table {
    status: Some(1),
    primary: Some((4, "primary")),
    alter: Some(7),
    span: Some((6, 7)),
    ..Table::new(
        "roles.csv",
        &[
            need("sourcedId", Id),
            may("status", Plain),
            may("dateLastModified", Plain),
            need("userSourcedId", Ref(USER_FILE)),
            need("roleType", Code),
            need("role", Code),
            may("beginDate", Date),
            may("endDate", Date),
            need("orgSourcedId", Ref(ORG_FILE)),
            may("userProfileSourcedId", Plain),
        ],
        &[0],
    )
};

pub(super) const TABLES_11: &[Table] =
    &[SESSION_TABLE, ORG_TABLE, COURSE_TABLE, CLASS_TABLE, USER_TABLE_11, ENROLLMENT_TABLE, DEMOGRAPHIC_TABLE];
pub(super) const TABLES_12: &[Table] = &[
    strict(&SESSION_TABLE),
    Table { swapped: Some((5, 6)), ..strict(&ORG_TABLE) },
    Table { other_type: Some((3, "Y27-1")), ..strict(&COURSE_TABLE) },
    strict(&CLASS_TABLE),
    strict(&USER_TABLE_12),
    strict(&ENROLLMENT_TABLE),
    strict(&DEMOGRAPHIC_TABLE),
    strict(&ROLE_TABLE),
];

/// In 1.2 an id is made of letters, digits and `./@_-`.
const fn strict(table: &Table) -> Table {
    Table { strict_ids: true, ..*table }
}

pub(super) const MANIFEST: &str = "manifest.csv";

/// Files that a manifest of 1.1 speaks of, and those that came with 1.2.
const FILES_11: [&str; 13] = [
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
const FILES_SINCE_12: [&str; 8] = [
    "lineItemLearningObjectiveIds",
    "lineItemScoreScales",
    "resultLearningObjectiveIds",
    "resultScoreScales",
    "roles",
    "scoreScales",
    "userProfiles",
    "userResources",
];

/// Writes the manifest of a package with these files; gives its rows and bytes, and the line that is not as it
/// should be, when there is to be one.
pub(super) fn write_manifest(dir: &Path, options: &Options, files: &[&str]) -> io::Result<(u64, u64, Option<u64>)> {
    let Options { format, delta, .. } = *options;
    let version = if format == Format::OneRoster12 { "1.2" } else { "1.1" };
    let mut manifest = CsvFile::create(&dir.join(MANIFEST), false)?;
    manifest.put(["propertyName", "value"])?;
    manifest.put(["manifest.version", "1.0"])?;
    manifest.put(["oneroster.version", version])?;
    let later: &[&str] = if format == Format::OneRoster12 { &FILES_SINCE_12 } else { &[] };
    for name in FILES_11.iter().chain(later) {
        let mode = match (files.contains(&format!("{name}.csv").as_str()), delta) {
            (false, _) => "absent",
            (true, false) => "bulk",
            (true, true) => "delta",
        };
        manifest.put([&format!("file.{name}"), mode])?;
    }
    // In 1.2 it would stop everything.
    let irregular = options.dirty > 0.0 && format == Format::OneRoster11;
    let line = irregular.then(|| manifest.put(["source.vendor", "homeroom"])).transpose()?;
    manifest.put(["source.systemName", "homeroom generate"])?;
    Ok((manifest.rows(), manifest.finish()?, line))
}

/// Writes OneRoster of either version.
pub(super) struct Writer<'a> {
    pub(super) out: &'a mut Outputs,
    pub(super) format: Format,
}

/// What a user row says beside names and address.
struct User<'a> {
    role: &'a str,
    orgs: &'a [&'a str],
    phone: &'a str,
    agents: &'a str,
    grade: &'a str,
}

impl Writer<'_> {
    fn user(&mut self, person: &Person<'_>, user: &User<'_>) -> io::Result<()> {
        let username = format!("{}@{}", person.login, person.domain);
        let email = if person.has_email { username.as_str() } else { "" };
        let (identifier, orgs) = (&person.id[1..], user.orgs.join(","));
        let Person { id, given, family, .. } = person;
        if self.format == Format::OneRoster11 {
            let fields = [
                id,
                "",
                "",
                "true",
                &orgs,
                user.role,
                &username,
                "",
                given,
                family,
                "",
                identifier,
                email,
                "",
                user.phone,
                user.agents,
                user.grade,
                "",
            ];
            return self.out.row(USERS, &fields);
        }
        let primary = user.orgs.first().copied().unwrap_or_default();
        let fields = [
            id,
            "",
            "",
            "true",
            &username,
            "",
            given,
            family,
            "",
            identifier,
            email,
            "",
            user.phone,
            user.agents,
            user.grade,
            "",
            "",
            "",
            "",
            "",
            primary,
            "",
        ];
        self.out.row(USERS, &fields)
    }

    /// A row of `roles.csv`, which 1.1 does not have.
    fn role(&mut self, user: &str, number: usize, role: &str, org: &str) -> io::Result<()> {
        if self.format == Format::OneRoster11 {
            return Ok(());
        }
        let kind = if number == 0 { "primary" } else { "secondary" };
        self.out.row(ROLES, &[&format!("R-{user}-{number}"), "", "", user, kind, role, FIRST_DAY, "", org, ""])
    }

    /// The role of somebody of the staff in the words of the version.
    fn staff_role(&self, role: &str) -> &'static str {
        match (role, self.format == Format::OneRoster12) {
            ("teacher" | "coach" | "faculty", _) => "teacher",
            ("principal", true) => "principal",
            ("administrator", true) => "districtAdministrator",
            ("itAdmin", true) => "systemAdministrator",
            ("advisor", true) => "counselor",
            ("principal" | "administrator" | "itAdmin", false) => "administrator",
            _ => "aide",
        }
    }
}

/// One subject in one value: a comma would make two of it.
fn one_value(subject: &str) -> String {
    subject.replace(',', "")
}

impl Sink for Writer<'_> {
    fn session(&mut self, session: &Session) -> io::Result<()> {
        let Session { id, title, kind, start, end, parent } = *session;
        self.out.row(SESSIONS, &[id, "", "", title, kind, start, end, parent, YEAR])
    }

    fn org(&mut self, org: &Org<'_>) -> io::Result<()> {
        self.out.row(ORGS, &[org.id, "", "", org.name, org.kind, &org.id[1..], org.parent])
    }

    fn course(&mut self, course: &Course<'_>) -> io::Result<()> {
        let Course { id, org, title, code, subject, subject_code, grade } = course;
        let subject = one_value(subject);
        self.out.row(COURSES, &[id, "", "", YEAR_ID, title, code, grade, org, &subject, subject_code])
    }

    fn class(&mut self, class: &Class<'_>) -> io::Result<()> {
        let (course, kind) = (&class.course, if class.is_homeroom { "homeroom" } else { "scheduled" });
        let subject = one_value(course.subject);
        let fields = [
            class.id,
            "",
            "",
            class.title,
            course.grade,
            course.id,
            class.code,
            kind,
            "Room 12, West",
            class.org,
            TERM_IDS,
            &subject,
            course.subject_code,
            "1,2",
        ];
        self.out.row(CLASSES, &fields)
    }

    fn staff(&mut self, staff: &Staff<'_>) -> io::Result<()> {
        let mut orgs: Vec<&str> = Vec::new();
        for (org, _) in staff.roles {
            if !orgs.contains(org) {
                orgs.push(org);
            }
        }
        let role = self.staff_role(staff.roles.first().map_or("", |(_, role)| *role));
        self.user(&staff.person, &User { role, orgs: &orgs, phone: "", agents: "", grade: "" })?;
        for (number, org) in orgs.iter().enumerate() {
            self.role(staff.person.id, number, role, org)?;
        }
        Ok(())
    }

    fn student(&mut self, student: &Student<'_>) -> io::Result<()> {
        let (person, mut draw) = (&student.person, student.draw.clone());
        let agents = student.guardians.join(",");
        self.user(person, &User { role: "student", orgs: &[student.org], phone: "", agents: &agents, grade: GRADES[student.grade] })?;
        self.role(person.id, 0, "student", student.org)?;
        if draw.one_in(20) {
            return Ok(());
        }
        let details = details(student, &mut draw);
        let (year, month, day) = details.born;
        let born = format!("{year}-{month:02}-{day:02}");
        let sex = if details.sex == "other" && self.format == Format::OneRoster11 { "" } else { details.sex };
        let is = |race: &str| if details.races.split(',').any(|of| of == race) { "true" } else { "false" };
        let several = if details.races.contains(',') { "true" } else { "false" };
        let fields = [
            person.id,
            "",
            "",
            &born,
            sex,
            is("americanIndianOrAlaskaNative"),
            is("asian"),
            is("blackOrAfricanAmerican"),
            is("nativeHawaiianOrOtherPacificIslander"),
            is("white"),
            several,
            if details.hispanic { "true" } else { "false" },
            "US",
            details.state,
            details.city,
            "",
        ];
        self.out.row(DEMOGRAPHICS, &fields)
    }

    fn guardian(&mut self, guardian: &Guardian<'_>) -> io::Result<()> {
        let agents = guardian.children.join(",");
        let user = User { role: guardian.relation, orgs: &[guardian.org], phone: guardian.phone, agents: &agents, grade: "" };
        self.user(&guardian.person, &user)?;
        self.role(guardian.person.id, 0, guardian.relation, guardian.org)
    }

    fn enrollment(&mut self, enrollment: &Enrollment<'_>) -> io::Result<()> {
        let Enrollment { class, org, user, role } = enrollment;
        let (word, primary) = match role {
            Member::Student => ("student", "false"),
            Member::Teacher => ("teacher", "true"),
            Member::Assistant => ("teacher", "false"),
        };
        self.out.row(ENROLLMENTS, &[&format!("{class}-{user}"), "", "", class, org, user, word, primary, FIRST_DAY, LAST_DAY])
    }
}
