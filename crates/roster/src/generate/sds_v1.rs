//! School Data Sync CSV, version 1: columns as in the official sample, dates as people of the United States
//! write them, usernames without a domain. Districts and staff who do not teach have no place in it.

use super::details::details;
use super::format::{Form, Table, may, need};
use super::output::Outputs;
use super::population::GRADES;
use super::walk::{Class, Course, Enrollment, Guardian, Member, Org, Session, Sink, Staff, Student, YEAR_ID};
use std::io;

const SCHOOL: usize = 0;
const SECTION: usize = 1;
const STUDENT: usize = 2;
const TEACHER: usize = 3;
const STUDENT_ENROLLMENT: usize = 4;
const TEACHER_ROSTER: usize = 5;
const USER: usize = 6;
const GUARDIAN: usize = 7;

use Form::{Code, Email, Id, Phone, Plain, Ref, Text, UsDate};

const SCHOOL_FILE: &str = "School.csv";
const SECTION_FILE: &str = "Section.csv";
const STUDENT_FILE: &str = "Student.csv";
const TEACHER_FILE: &str = "Teacher.csv";
const USER_FILE: &str = "User.csv";

pub(super) const TABLES: &[Table] = &[
    Table {
        alter: Some(1),
        ..Table::new(
            SCHOOL_FILE,
            &[
                need("SIS ID", Id),
                need("Name", Text),
                may("School Number", Plain),
                may("School NCES_ID", Plain),
                may("State ID", Plain),
                may("Grade Low", Plain),
                may("Grade High", Plain),
                may("Principal SIS ID", Plain),
                may("Principal Name", Plain),
                may("Principal Secondary Email", Plain),
                may("Address", Plain),
                may("City", Plain),
                may("State", Plain),
                may("Country", Plain),
                may("Zip", Plain),
                may("Phone", Plain),
                may("Zone", Plain),
            ],
            &[0],
        )
    },
    Table {
        alter: Some(2),
        derived: Some(5),
        span: Some((6, 7)),
        ..Table::new(
            SECTION_FILE,
            &[
                need("SIS ID", Id),
                need("School SIS ID", Ref(SCHOOL_FILE)),
                need("Section Name", Text),
                may("Section Number", Plain),
                may("Term SIS ID", Plain),
                may("Term Name", Plain),
                may("Term StartDate", UsDate),
                may("Term EndDate", UsDate),
                may("Course SIS ID", Plain),
                may("Course Name", Plain),
                may("Course Number", Plain),
                may("Course Description", Plain),
                may("Course Subject", Code),
                may("Periods", Plain),
                may("Status", Plain),
            ],
            &[0],
        )
    },
    Table {
        alter: Some(3),
        unique: Some(4),
        misshapen: true,
        ..Table::new(
            STUDENT_FILE,
            &[
                need("SIS ID", Id),
                need("School SIS ID", Ref(SCHOOL_FILE)),
                may("First Name", Text),
                may("Last Name", Text),
                need("Username", Text),
                may("Password", Plain),
                may("State ID", Plain),
                may("Secondary Email", Email),
                may("Student Number", Plain),
                may("Middle Name", Plain),
                may("Grade", Code),
                may("Status", Plain),
                may("Birthdate", UsDate),
                may("Graduation Year", Plain),
            ],
            &[0],
        )
    },
    Table {
        alter: Some(3),
        // A row for each school: one person.
        shown_key: &[0],
        ..Table::new(
            TEACHER_FILE,
            &[
                need("SIS ID", Id),
                need("School SIS ID", Ref(SCHOOL_FILE)),
                may("First Name", Text),
                may("Last Name", Text),
                need("Username", Text),
                may("Password", Plain),
                may("State ID", Plain),
                may("Teacher Number", Plain),
                may("Status", Plain),
                may("Middle Name", Plain),
                may("Secondary Email", Email),
                may("Title", Plain),
                may("Qualification", Plain),
            ],
            &[0, 1],
        )
    },
    Table {
        misshapen: true,
        ..Table::new("StudentEnrollment.csv", &[need("Section SIS ID", Ref(SECTION_FILE)), need("SIS ID", Ref(STUDENT_FILE))], &[0, 1])
    },
    Table::new("TeacherRoster.csv", &[need("Section SIS ID", Ref(SECTION_FILE)), need("SIS ID", Ref(TEACHER_FILE))], &[0, 1]),
    Table {
        alter: Some(2),
        utf16: true,
        ..Table::new(
            USER_FILE,
            &[need("Email", Email), need("First Name", Text), need("Last Name", Text), may("Phone", Phone), may("SIS ID", Plain)],
            &[0],
        )
    },
    Table {
        alter: Some(2),
        extra_column: true,
        ..Table::new(
            "GuardianRelationship.csv",
            &[need("SIS ID", Ref(STUDENT_FILE)), need("Email", Ref(USER_FILE)), may("Role", Code)],
            &[0, 1],
        )
    },
];

/// Writes SDS v1.
pub(super) struct Writer<'a> {
    pub(super) out: &'a mut Outputs,
}

impl Sink for Writer<'_> {
    fn session(&mut self, _: &Session) -> io::Result<()> {
        Ok(())
    }

    fn org(&mut self, org: &Org<'_>) -> io::Result<()> {
        let Some((low, high)) = org.grades else { return Ok(()) };
        let number = &org.id[1..];
        let fields = [org.id, org.name, number, "", "", low, high, "", "", "", "1 Main Street, East", "Rivermark", "WA", "US", "", "", ""];
        self.out.row(SCHOOL, &fields)
    }

    fn course(&mut self, _: &Course<'_>) -> io::Result<()> {
        Ok(())
    }

    fn class(&mut self, class: &Class<'_>) -> io::Result<()> {
        let course = &class.course;
        let term = [YEAR_ID, "School year 2026–2027", "8/24/2026", "6/11/2027"];
        let [id, name, start, end] = term;
        let fields = [
            class.id,
            class.org,
            class.title,
            class.code,
            id,
            name,
            start,
            end,
            course.id,
            course.title,
            course.code,
            "",
            course.subject_code,
            "",
            "Active",
        ];
        self.out.row(SECTION, &fields)
    }

    fn staff(&mut self, staff: &Staff<'_>) -> io::Result<()> {
        let person = &staff.person;
        let email = format!("{}@{}", person.login, person.domain);
        // A teacher of two schools has a row for each.
        for (school, _) in staff.roles.iter().filter(|(_, role)| *role == "teacher") {
            let number = &person.id[1..];
            let fields =
                [person.id, school, person.given, person.family, person.login, "", "", number, "Active", "", &email, "Teacher", ""];
            self.out.row(TEACHER, &fields)?;
        }
        Ok(())
    }

    fn student(&mut self, student: &Student<'_>) -> io::Result<()> {
        let person = &student.person;
        let (year, month, day) = details(student, &mut student.draw.clone()).born;
        let born = format!("{month}/{day}/{year}");
        let email = if person.has_email { format!("{}@{}", person.login, person.domain) } else { String::new() };
        let (number, grade) = (&person.id[1..], GRADES[student.grade]);
        let graduation = (2039 - student.grade).to_string();
        let fields = [
            person.id,
            student.org,
            person.given,
            person.family,
            person.login,
            "",
            "",
            &email,
            number,
            "",
            grade,
            "Active",
            &born,
            &graduation,
        ];
        self.out.row(STUDENT, &fields)
    }

    fn guardian(&mut self, guardian: &Guardian<'_>) -> io::Result<()> {
        let person = &guardian.person;
        let email = format!("{}@{}", person.login, person.domain);
        self.out.row(USER, &[&email, person.given, person.family, guardian.phone, person.id])?;
        let role = match guardian.relation {
            "parent" => "Parent",
            "guardian" => "Guardian",
            _ => "Relative",
        };
        for child in guardian.children {
            self.out.row(GUARDIAN, &[child, &email, role])?;
        }
        Ok(())
    }

    fn enrollment(&mut self, enrollment: &Enrollment<'_>) -> io::Result<()> {
        let table = if enrollment.role == Member::Student { STUDENT_ENROLLMENT } else { TEACHER_ROSTER };
        self.out.row(table, &[enrollment.class, enrollment.user])
    }
}
