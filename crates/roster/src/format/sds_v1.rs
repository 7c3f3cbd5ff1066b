//! School Data Sync CSV v1: a file for each kind of people, classes with their term and course in one row.
//!
//! Names of columns are those of Microsoft's samples; the other headers are those of the United Kingdom.
//! Columns from which School Data Sync makes nothing are passed over in silence.

mod people;

use super::{Claim, Column, Derived, FileSpec, Kind as K, Slashes, Unique, used_username};
use crate::codes::CodeList as L;
use crate::finding::shorten;
use crate::ingest::{Records, Report, RowView};
use crate::model::Entity;
pub(crate) use people::People;

const fn need(name: &'static str, kind: K) -> Column {
    Column::need(name, kind)
}
const fn may(name: &'static str, kind: K) -> Column {
    Column::may(name, kind)
}

/// An optional file without peculiarities.
const fn file(
    name: &'static str,
    columns: &'static [Column],
    key: &'static [usize],
    gives: &'static [Entity],
    map: fn(&RowView<'_>, &mut Records),
) -> FileSpec {
    FileSpec { any_case: true, day_first: Some(SCHOOL_DFE_NUMBER), ..FileSpec::new(name, columns, key, gives, map) }
}

const SIS_ID: Column = need("SIS ID", K::Id).or(&["ID"]);
/// What School SIS ID is called in the United Kingdom, where a day comes before its month.
const SCHOOL_DFE_NUMBER: &str = "School DfE Number";
const SCHOOL: Column = need("School SIS ID", K::Id).or(&[SCHOOL_DFE_NUMBER]).of("School.csv");
const SECTION: Column = need("Section SIS ID", K::Id).or(&["Section ID"]).of("Section.csv");

/// The files in order of dependency.
pub(super) static FILES: &[FileSpec] =
    &[SCHOOLS, STUDENT, TEACHER, SECTIONS, STUDENT_ENROLLMENT, TEACHER_ROSTER, USER, GUARDIAN_RELATIONSHIP];

const SCHOOLS: FileSpec = FileSpec {
    required: true,
    ignored: &[
        "School Number",
        "School NCES_ID",
        "State ID",
        "Grade Low",
        "Grade High",
        "Principal SIS ID",
        "Principal ID",
        "Principal Name",
        "Principal Secondary Email",
        "Address",
        "City",
        "State",
        "Country",
        "Zip",
        "Postal Code",
        "Phone",
        "Zone",
    ],
    ..file("School.csv", &[need("SIS ID", K::Id).or(&["DfE Number", "ID"]), need("Name", K::Text)], &[0], &[Entity::Org], |row, out| {
        out.push(Entity::Org, &[row.value(0), row.value(1), "school", ""]);
    })
};

/// Columns of Student.csv.
mod student {
    pub(super) const SIS_ID: usize = 0;
    pub(super) const SCHOOL: usize = 1;
    pub(super) const FIRST_NAME: usize = 2;
    pub(super) const LAST_NAME: usize = 3;
    pub(super) const USERNAME: usize = 4;
    pub(super) const STATE_ID: usize = 6;
    pub(super) const SECONDARY_EMAIL: usize = 7;
    pub(super) const NUMBER: usize = 8;
    pub(super) const GRADE: usize = 9;
    pub(super) const BIRTHDATE: usize = 10;
}

/// A person in several schools has a row for each.
const STUDENT: FileSpec = FileSpec {
    required: true,
    varies: &[student::SCHOOL],
    unique: Some(USERNAME),
    ignored: &[
        "Middle Name",
        "Status",
        "Graduation Year",
        // Dropped from the format in December 2018.
        "Mailing Address",
        "Mailing City",
        "Mailing State",
        "Mailing Zip",
        "Mailing Latitude",
        "Mailing Longitude",
        "Mailing Country",
        "Residence Address",
        "Residence City",
        "Residence State",
        "Residence Zip",
        "Residence Latitude",
        "Residence Longitude",
        "Residence Country",
        "Gender",
        "ELL Status",
        "FederalRace",
    ],
    ..file(
        "Student.csv",
        &[
            SIS_ID,
            SCHOOL,
            may("First Name", K::Text),
            may("Last Name", K::Text),
            need("Username", K::Text),
            may("Password", K::Password),
            may("State ID", K::Text),
            may("Secondary Email", K::Email),
            may("Student Number", K::Text),
            may("Grade", K::Code(L::Grade)),
            may("Birthdate", K::SlashDate(Slashes::MonthFirst)),
        ],
        &[student::SIS_ID],
        &[Entity::User, Entity::Role, Entity::Demographic],
        |row, out| {
            use student::{BIRTHDATE, FIRST_NAME, GRADE, LAST_NAME, NUMBER, SCHOOL, SECONDARY_EMAIL, SIS_ID, STATE_ID, USERNAME};
            let id = row.people().student(row.value(SIS_ID));
            person(row, out, &id, [USERNAME, FIRST_NAME, LAST_NAME, SECONDARY_EMAIL], [NUMBER, STATE_ID]);
            out.push(Entity::Role, &[&id, row.value(SCHOOL), "student", "", row.value(GRADE), "", "", ""]);
            if !row.value(BIRTHDATE).is_empty() {
                out.push(Entity::Demographic, &[&id, "", row.value(BIRTHDATE), "", "", "", "", ""]);
            }
        },
    )
};

/// Columns of Teacher.csv.
mod teacher {
    pub(super) const SIS_ID: usize = 0;
    pub(super) const SCHOOL: usize = 1;
    pub(super) const FIRST_NAME: usize = 2;
    pub(super) const LAST_NAME: usize = 3;
    pub(super) const USERNAME: usize = 4;
    pub(super) const STATE_ID: usize = 6;
    pub(super) const NUMBER: usize = 7;
    pub(super) const SECONDARY_EMAIL: usize = 8;
}

const TEACHER: FileSpec = FileSpec {
    required: true,
    varies: &[teacher::SCHOOL],
    unique: Some(USERNAME),
    ignored: &["Status", "Middle Name", "Title", "Qualification"],
    rules: &[username_is_no_students],
    ..file(
        "Teacher.csv",
        &[
            SIS_ID,
            SCHOOL,
            may("First Name", K::Text),
            may("Last Name", K::Text),
            need("Username", K::Text),
            may("Password", K::Password),
            may("State ID", K::Text),
            may("Teacher Number", K::Text),
            may("Secondary Email", K::Email),
        ],
        &[teacher::SIS_ID],
        &[Entity::User, Entity::Role],
        |row, out| {
            use teacher::{FIRST_NAME, LAST_NAME, NUMBER, SCHOOL, SECONDARY_EMAIL, SIS_ID, STATE_ID, USERNAME};
            let id = row.people().teacher(row.value(SIS_ID));
            person(row, out, &id, [USERNAME, FIRST_NAME, LAST_NAME, SECONDARY_EMAIL], [NUMBER, STATE_ID]);
            out.push(Entity::Role, &[&id, row.value(SCHOOL), "teacher", "", "", "", "", ""]);
        },
    )
};

const USERNAME: Unique = Unique {
    column: student::USERNAME,
    claim: Claim::Value,
    code: "DuplicateUsername",
    message: |row, line| used_username(row.value(student::USERNAME), line),
};

/// A username with a domain is that of one person. One without gets the domain of students or that of
/// teachers appended, so that the same name in both files is no mistake by itself; but without domains both
/// would match one account.
fn username_is_no_students(row: &RowView<'_>, report: &mut Report) {
    let username = row.value(teacher::USERNAME);
    if !row.people().share_username(username) {
        return;
    }
    let message = format!("The username '{}' is also that of a student, who is another person.", shorten(username));
    if username.contains('@') {
        report.finding("DuplicateUsername", teacher::USERNAME, message);
    } else {
        report.remark("UsernameInBothFiles", teacher::USERNAME, message);
    }
}

/// A user, by the columns of username, first name, last name and address, and those of numbers, the better one first.
fn person(row: &RowView<'_>, out: &mut Records, id: &str, [username, first, last, email]: [usize; 4], numbers: [usize; 2]) {
    let number = numbers.map(|column| row.value(column)).into_iter().find(|number| !number.is_empty()).unwrap_or_default();
    let [username, first, last, email] = [username, first, last, email].map(|column| row.value(column));
    out.push(Entity::User, &[id, username, first, last, "", "", email, "", "", number]);
}

/// Columns of Section.csv.
mod section {
    pub(super) const SIS_ID: usize = 0;
    pub(super) const SCHOOL: usize = 1;
    pub(super) const NAME: usize = 2;
    pub(super) const NUMBER: usize = 3;
    pub(super) const TERM: usize = 4;
    pub(super) const TERM_NAME: usize = 5;
    pub(super) const TERM_START: usize = 6;
    pub(super) const TERM_END: usize = 7;
    pub(super) const COURSE: usize = 8;
    pub(super) const COURSE_NAME: usize = 9;
    pub(super) const COURSE_NUMBER: usize = 10;
    pub(super) const COURSE_SUBJECT: usize = 11;
}

const SECTIONS: FileSpec = FileSpec {
    ignored: &["Course Description", "Periods", "Status"],
    span: Some((section::TERM_START, section::TERM_END)),
    derived: &[
        Derived { id: section::TERM, columns: &[section::TERM_NAME, section::TERM_START, section::TERM_END] },
        Derived { id: section::COURSE, columns: &[section::COURSE_NAME, section::COURSE_NUMBER, section::COURSE_SUBJECT] },
    ],
    ..file(
        "Section.csv",
        &[
            SIS_ID,
            SCHOOL,
            need("Section Name", K::Text),
            may("Section Number", K::Text),
            may("Term SIS ID", K::Id).or(&["Term ID"]),
            may("Term Name", K::Text),
            may("Term StartDate", K::SlashDate(Slashes::MonthFirst)),
            may("Term EndDate", K::SlashDate(Slashes::MonthFirst)),
            may("Course SIS ID", K::Id).or(&["Course ID"]),
            may("Course Name", K::Text),
            may("Course Number", K::Text),
            may("Course Subject", K::Code(L::Subject)),
        ],
        &[section::SIS_ID],
        &[Entity::Session, Entity::Course, Entity::Class],
        |row, out| {
            use section::{COURSE, NAME, NUMBER, SCHOOL, SIS_ID, TERM};
            term(row, out);
            course(row, out);
            let [id, school, name, number, term, course] = [SIS_ID, SCHOOL, NAME, NUMBER, TERM, COURSE].map(|column| row.value(column));
            out.push(Entity::Class, &[id, school, name, term, course, number]);
        },
    )
};

/// The format has no kinds of terms, and no years: a school year is named by the calendar year that it ends in.
fn term(row: &RowView<'_>, out: &mut Records) {
    use section::{TERM, TERM_END, TERM_NAME, TERM_START};
    let [id, name, start, end] = [TERM, TERM_NAME, TERM_START, TERM_END].map(|column| row.value(column));
    if !id.is_empty() {
        let year = end.get(..4).unwrap_or_default();
        out.push(Entity::Session, &[id, if name.is_empty() { id } else { name }, "term", year, start, end]);
    }
}

fn course(row: &RowView<'_>, out: &mut Records) {
    use section::{COURSE, COURSE_NAME, COURSE_NUMBER, COURSE_SUBJECT, SCHOOL};
    let [id, school, name, number, subject] = [COURSE, SCHOOL, COURSE_NAME, COURSE_NUMBER, COURSE_SUBJECT].map(|column| row.value(column));
    if !id.is_empty() {
        out.push(Entity::Course, &[id, school, if name.is_empty() { id } else { name }, number, "", subject, ""]);
    }
}

const STUDENT_ENROLLMENT: FileSpec =
    file("StudentEnrollment.csv", &[SECTION, SIS_ID.of("Student.csv")], &[0, 1], &[Entity::Enrollment], |row, out| {
        out.push(Entity::Enrollment, &[row.value(0), &row.people().student(row.value(1)), "student"]);
    });

const TEACHER_ROSTER: FileSpec =
    file("TeacherRoster.csv", &[SECTION, SIS_ID.of("Teacher.csv")], &[0, 1], &[Entity::Enrollment], |row, out| {
        out.push(Entity::Enrollment, &[row.value(0), &row.people().teacher(row.value(1)), "teacher"]);
    });

/// Columns of User.csv.
mod user {
    pub(super) const EMAIL: usize = 0;
    pub(super) const FIRST_NAME: usize = 1;
    pub(super) const LAST_NAME: usize = 2;
    pub(super) const PHONE: usize = 3;
    pub(super) const SIS_ID: usize = 4;
}

/// Contacts. Their key is the address, by which GuardianRelationship.csv refers to them.
const USER: FileSpec = FileSpec {
    derived: &[Derived { id: user::SIS_ID, columns: &[user::EMAIL] }],
    ..file(
        "User.csv",
        &[
            need("Email", K::Email),
            need("First Name", K::Text),
            need("Last Name", K::Text),
            Column::may_be_empty("Phone", K::Phone),
            Column::may_be_empty("SIS ID", K::Id).or(&["ID"]),
        ],
        &[user::EMAIL],
        &[Entity::User],
        |row, out| {
            use user::{EMAIL, FIRST_NAME, LAST_NAME, PHONE};
            let [email, first, last, phone] = [EMAIL, FIRST_NAME, LAST_NAME, PHONE].map(|column| row.value(column));
            out.push(Entity::User, &[&row.people().contact(email), email, first, last, "", "", email, phone, "", ""]);
        },
    )
};

const GUARDIAN_RELATIONSHIP: FileSpec = file(
    "GuardianRelationship.csv",
    &[SIS_ID.of("Student.csv"), need("Email", K::EmailKey).of("User.csv"), Column::may_be_empty("Role", K::Code(L::Relationship))],
    &[0, 1],
    &[Entity::Relationship],
    |row, out| {
        let [student, contact, role] = [0, 1, 2].map(|column| row.value(column));
        let (student, contact) = (row.people().student(student), row.people().contact(contact));
        out.push(Entity::Relationship, &[&student, &contact, if role.is_empty() { "other" } else { role }]);
    },
);

impl RowView<'_> {
    fn people(&self) -> &People {
        &self.context.people
    }
}
