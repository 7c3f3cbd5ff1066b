//! School Data Sync CSV, version 2.1: columns as in the official sample, with those that are described but
//! not in it at the end.

use super::details::details;
use super::draw::Draw;
use super::format::{Form, Table, may, need};
use super::output::Outputs;
use super::population::GRADES;
use super::walk::{
    Class, Course, Enrollment, FIRST_DAY, Guardian, Member, Org, Person, Session, Sink, Staff, Student, TERM_IDS, YEAR, YEAR_ID,
};
use std::io;

const ORGS: usize = 0;
const SESSIONS: usize = 1;
const COURSES: usize = 2;
const USERS: usize = 3;
const ROLES: usize = 4;
const CLASSES: usize = 5;
const ENROLLMENTS: usize = 6;
const DEMOGRAPHICS: usize = 7;
const USER_FLAGS: usize = 8;
const RELATIONSHIPS: usize = 9;

use Form::{Boolean, Code, Codes, Date, Email, Id, Phone, Plain, Ref, Refs, Text, Year};

const ORG_FILE: &str = "orgs.csv";
const SESSION_FILE: &str = "academicSessions.csv";
const USER_FILE: &str = "users.csv";
const CLASS_FILE: &str = "classes.csv";

pub(super) const TABLES: &[Table] = &[
    Table {
        alter: Some(1),
        parent: Some(3),
        ..Table::new(
            ORG_FILE,
            &[need("sourcedId", Id), need("name", Text), need("type", Code), may("parentSourcedId", Ref(ORG_FILE))],
            &[0],
        )
    },
    Table {
        alter: Some(1),
        span: Some((4, 5)),
        ..Table::new(
            SESSION_FILE,
            &[
                need("sourcedId", Id),
                need("title", Text),
                need("type", Code),
                need("schoolYear", Year),
                need("startDate", Date),
                need("endDate", Date),
            ],
            &[0],
        )
    },
    Table {
        alter: Some(2),
        extra_column: true,
        ..Table::new(
            "courses.csv",
            &[
                need("sourcedId", Id),
                need("orgSourcedId", Ref(ORG_FILE)),
                need("title", Text),
                may("code", Text),
                may("schoolYearSourcedId", Ref(SESSION_FILE)),
                may("subject", Code),
                may("grade", Codes),
            ],
            &[0],
        )
    },
    Table {
        alter: Some(3),
        unique: Some(1),
        misshapen: true,
        ..Table::new(
            USER_FILE,
            &[
                need("sourcedId", Id),
                need("username", Text),
                may("givenName", Text),
                may("familyName", Text),
                may("password", Plain),
                may("activeDirectoryMatchId", Plain),
                may("email", Email),
                may("phone", Phone),
                may("sms", Phone),
                may("userNumber", Plain),
            ],
            &[0],
        )
    },
    Table {
        alter: Some(7),
        span: Some((6, 7)),
        ..Table::new(
            "roles.csv",
            &[
                need("userSourcedId", Ref(USER_FILE)),
                need("orgSourcedId", Ref(ORG_FILE)),
                need("role", Code),
                may("sessionSourcedId", Ref(SESSION_FILE)),
                may("grade", Code),
                may("isPrimary", Boolean),
                may("roleStartDate", Date),
                may("roleEndDate", Date),
            ],
            &[0, 1, 2, 3],
        )
    },
    Table {
        alter: Some(2),
        ..Table::new(
            CLASS_FILE,
            &[
                need("sourcedId", Id),
                need("orgSourcedId", Ref(ORG_FILE)),
                need("title", Text),
                may("sessionSourcedIds", Refs(SESSION_FILE)),
                may("courseSourcedId", Ref("courses.csv")),
                may("code", Text),
            ],
            &[0],
        )
    },
    Table {
        misshapen: true,
        ..Table::new(
            "enrollments.csv",
            &[need("classSourcedId", Ref(CLASS_FILE)), need("userSourcedId", Ref(USER_FILE)), need("role", Code)],
            &[0, 1, 2],
        )
    },
    Table {
        alter: Some(3),
        ..Table::new(
            "demographics.csv",
            &[
                need("userSourcedId", Ref(USER_FILE)),
                may("sex", Code),
                may("birthDate", Date),
                may("birthCity", Text),
                may("birthState", Text),
                may("birthCountry", Text),
                may("ethnicityCodes", Codes),
                may("raceCodes", Codes),
            ],
            &[0],
        )
    },
    Table { utf16: true, ..Table::new("userFlags.csv", &[need("userSourcedId", Ref(USER_FILE)), need("flag", Code)], &[0, 1]) },
    Table {
        alter: Some(2),
        contact: Some(1),
        ..Table::new(
            "relationships.csv",
            &[need("userSourcedId", Ref(USER_FILE)), need("relationshipUserSourcedId", Ref(USER_FILE)), need("relationshipRole", Code)],
            &[0, 1],
        )
    },
];

/// Writes SDS v2.1.
pub(super) struct Writer<'a> {
    pub(super) out: &'a mut Outputs,
}

impl Writer<'_> {
    fn person(&mut self, person: &Person<'_>, phone: &str) -> io::Result<()> {
        let username = format!("{}@{}", person.login, person.domain);
        let is_guardian = !phone.is_empty();
        let email = if person.has_email { username.as_str() } else { "" };
        let account = if is_guardian { "" } else { username.as_str() };
        let number = if is_guardian { "" } else { &person.id[1..] };
        self.out.row(USERS, &[person.id, &username, person.given, person.family, "", account, email, phone, "", number])
    }

    fn role(&mut self, [user, org, role, grade, primary]: [&str; 5]) -> io::Result<()> {
        self.out.row(ROLES, &[user, org, role, YEAR_ID, grade, primary, FIRST_DAY, ""])
    }

    fn demographics(&mut self, student: &Student<'_>, draw: &mut Draw) -> io::Result<()> {
        let details = details(student, draw);
        let (year, month, day) = details.born;
        let born = format!("{year}-{month:02}-{day:02}");
        let ethnicity = if details.hispanic { "hispanicOrLatinoEthnicity" } else { "" };
        let fields = [student.person.id, details.sex, &born, details.city, details.state, "USA", ethnicity, details.races];
        self.out.row(DEMOGRAPHICS, &fields)?;
        for flag in details.flags {
            self.out.row(USER_FLAGS, &[student.person.id, flag])?;
        }
        Ok(())
    }
}

impl Sink for Writer<'_> {
    fn session(&mut self, session: &Session) -> io::Result<()> {
        self.out.row(SESSIONS, &[session.id, session.title, session.kind, YEAR, session.start, session.end])
    }

    fn org(&mut self, org: &Org<'_>) -> io::Result<()> {
        self.out.row(ORGS, &[org.id, org.name, org.kind, org.parent])
    }

    fn course(&mut self, course: &Course<'_>) -> io::Result<()> {
        let Course { id, org, title, code, subject_code, grade, .. } = course;
        self.out.row(COURSES, &[id, org, title, code, YEAR_ID, subject_code, grade])
    }

    fn class(&mut self, class: &Class<'_>) -> io::Result<()> {
        self.out.row(CLASSES, &[class.id, class.org, class.title, TERM_IDS, class.course.id, class.code])
    }

    fn staff(&mut self, staff: &Staff<'_>) -> io::Result<()> {
        self.person(&staff.person, "")?;
        for (index, (org, role)) in staff.roles.iter().enumerate() {
            self.role([staff.person.id, org, role, "", if index == 0 { "TRUE" } else { "FALSE" }])?;
        }
        Ok(())
    }

    fn student(&mut self, student: &Student<'_>) -> io::Result<()> {
        let mut draw = student.draw.clone();
        self.person(&student.person, "")?;
        // As exports write it: without the zero that a spreadsheet has eaten, in small letters.
        let grade = GRADES[student.grade];
        let small = grade.to_lowercase();
        let grade = match draw.below(20) {
            0 => grade.trim_start_matches('0'),
            1 => &small,
            _ => grade,
        };
        self.role([student.person.id, student.org, "student", grade, if draw.one_in(9) { "true" } else { "TRUE" }])?;
        if draw.one_in(20) { Ok(()) } else { self.demographics(student, &mut draw) }
    }

    fn guardian(&mut self, guardian: &Guardian<'_>) -> io::Result<()> {
        self.person(&guardian.person, guardian.phone)?;
        for child in guardian.children {
            self.out.row(RELATIONSHIPS, &[child, guardian.person.id, guardian.relation])?;
        }
        Ok(())
    }

    fn enrollment(&mut self, enrollment: &Enrollment<'_>) -> io::Result<()> {
        let role = match enrollment.role {
            Member::Student => "student",
            Member::Teacher => "teacher",
            Member::Assistant => "teacherAssistant",
        };
        self.out.row(ENROLLMENTS, &[enrollment.class, enrollment.user, role])
    }
}
