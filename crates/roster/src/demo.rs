//! The district of the demo: Rivermark, three schools and an office, as ten SDS v2.1 files.
//!
//! Everything is invented and always the same. Each day after day 0 one student joins, one leaves,
//! one changes school and one teacher hands over a class, so that a second upload has something to do. A handful of rows
//! is wrong on purpose, in the ways real exports are wrong, so that findings can be shown.

mod people;

use people::{Namer, Person};
use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// Students on day 0.
const STUDENTS: usize = 120;
/// Days for which joiners have an account already, so that they match when they come.
const JOINERS: usize = 10;
const TEACHERS_PER_SCHOOL: usize = 7;
/// One student in so many has a contact.
const CONTACT_EVERY: usize = 3;
/// One student in so many has no account; the first of them is number [`UNMATCHED_FIRST`].
const UNMATCHED_EVERY: usize = 25;
const UNMATCHED_FIRST: usize = 7;
/// The student whose account is disabled.
const DISABLED: usize = 3;
/// The teacher who has no account yet.
const UNMATCHED_TEACHER: usize = 5;
/// The student whose own row is broken: what hangs from it is a consequence.
const BROKEN: usize = 42;

const DISTRICT: &str = "RMK";

struct School {
    id: &'static str,
    name: &'static str,
    grades: &'static [&'static str],
    subjects: &'static [(&'static str, &'static str)],
}

const SCHOOLS: [School; 3] = [
    School {
        id: "RMK-E",
        name: "Willow Lane Elementary School",
        grades: &["01", "02", "03", "04", "05"],
        subjects: &[("Homeroom", "23"), ("Mathematics", "02")],
    },
    School {
        id: "RMK-M",
        name: "École Saint-Exupéry Middle School",
        grades: &["06", "07", "08"],
        subjects: &[("English", "01"), ("Mathematics", "02"), ("Science", "03")],
    },
    School {
        id: "RMK-H",
        name: "Harbor Point High School",
        grades: &["09", "10", "11", "12"],
        subjects: &[("Literature", "01"), ("Algebra, Geometry", "02"), ("History & \"Civics\"", "04")],
    },
];

/// An account of the demo's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoAccount {
    /// `userPrincipalName`
    pub upn: String,
    /// `mail`; some accounts have none.
    pub mail: Option<String>,
    /// `displayName`
    pub display_name: String,
    /// `givenName`
    pub given: String,
    /// `surname`
    pub family: String,
    /// `accountEnabled`
    pub enabled: bool,
}

/// What was written.
#[derive(Debug, Clone, Default)]
pub struct DemoDistrict {
    /// Accounts that the directory has before the first run: most people, not all.
    pub directory_users: Vec<DemoAccount>,
    /// Files written, by name, with their rows.
    pub files: Vec<(&'static str, u64)>,
}

/// Writes the export of a day into `dir`, which is made when it is not there.
///
/// `domain` is that of the usernames, without `@`. The same arguments write the same bytes.
pub fn write_demo_district(dir: &Path, domain: &str, day: u32) -> io::Result<DemoDistrict> {
    std::fs::create_dir_all(dir)?;
    let people = People::invent(day as usize);
    let mut district = DemoDistrict { directory_users: people.accounts(domain), files: Vec::new() };
    for (name, table) in [
        ("orgs.csv", orgs()),
        ("academicSessions.csv", sessions()),
        ("courses.csv", courses()),
        ("users.csv", users(&people, domain)),
        ("roles.csv", roles(&people)),
        ("classes.csv", classes()),
        ("enrollments.csv", enrollments(&people)),
        ("demographics.csv", demographics(&people)),
        ("userFlags.csv", flags(&people)),
        ("relationships.csv", relationships(&people)),
    ] {
        std::fs::write(dir.join(name), &table.text)?;
        district.files.push((name, table.rows));
    }
    Ok(district)
}

/// A CSV file in the making.
struct Table {
    text: String,
    rows: u64,
}

impl Table {
    fn new(header: &str) -> Self {
        Self { text: format!("{header}\r\n"), rows: 0 }
    }

    fn row<S: AsRef<str>>(&mut self, fields: &[S]) {
        for (index, field) in fields.iter().map(AsRef::as_ref).enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            if field.contains([',', '"']) {
                // Writing to a String cannot fail.
                let _ = write!(self.text, "\"{}\"", field.replace('"', "\"\""));
            } else {
                self.text.push_str(field);
            }
        }
        self.text.push_str("\r\n");
        self.rows += 1;
    }
}

/// Everybody, and which students are there today.
struct People {
    /// Head of the district, IT administrator, nurse of two schools.
    office: [Person; 3],
    principals: Vec<Person>,
    /// By school.
    teachers: Vec<Vec<Person>>,
    students: Vec<Person>,
    contacts: Vec<Person>,
    day: usize,
}

impl People {
    fn invent(day: usize) -> Self {
        let mut namer = Namer::default();
        let office = ["D001", "D002", "D003"].map(|id| namer.next(id.to_owned()));
        let principals = (0..SCHOOLS.len()).map(|school| namer.next(format!("P{:03}", school + 1))).collect();
        let teachers = (0..SCHOOLS.len())
            .map(|school| (0..TEACHERS_PER_SCHOOL).map(|n| namer.next(format!("T{:03}", school * TEACHERS_PER_SCHOOL + n + 1))).collect())
            .collect();
        // All who will ever come are invented in order, so that a later day changes no earlier name.
        let contacts = (0..STUDENTS.div_ceil(CONTACT_EVERY)).map(|n| namer.next(format!("C{:03}", n + 1))).collect();
        let students = (0..STUDENTS + day.max(JOINERS)).map(|n| namer.next(format!("S{:04}", 1001 + n))).collect();
        Self { office, principals, teachers, students, contacts, day }
    }

    /// Number and person of the students who are there today.
    fn students(&self) -> impl Iterator<Item = (usize, &Person)> {
        let today = 0..STUDENTS + self.day;
        self.students.iter().enumerate().filter(move |(n, _)| today.contains(n) && !self.has_left(*n))
    }

    /// Day K takes student 10 K + 1 away, as long as there are any.
    fn has_left(&self, student: usize) -> bool {
        student % 10 == 1 && (1..=self.day).contains(&(student / 10)) && student < STUDENTS
    }

    /// School of a student; day K moves student 10 K + 5 to the next school.
    fn school(&self, student: usize) -> usize {
        let moved = student % 10 == 5 && (1..=self.day).contains(&(student / 10));
        (student + usize::from(moved)) % SCHOOLS.len()
    }

    fn grade(&self, student: usize) -> &'static str {
        let grades = SCHOOLS[self.school(student)].grades;
        grades[student / SCHOOLS.len() % grades.len()]
    }

    /// The teacher of a class; day K hands class K of each school to the next teacher.
    fn teacher(&self, school: usize, class: usize) -> &Person {
        let handed = usize::from((1..=self.day).contains(&class));
        &self.teachers[school][(class + handed) % TEACHERS_PER_SCHOOL]
    }

    fn staff(&self) -> impl Iterator<Item = &Person> {
        self.office.iter().chain(&self.principals).chain(self.teachers.iter().flatten())
    }

    /// The directory before the first run. Contacts have no account.
    fn accounts(&self, domain: &str) -> Vec<DemoAccount> {
        let account = |person: &Person, mail: bool, enabled: bool| {
            let upn = format!("{}@{domain}", person.login);
            DemoAccount {
                mail: mail.then(|| upn.clone()),
                upn,
                display_name: format!("{} {}", person.given, person.family),
                given: person.given.to_owned(),
                family: person.family.to_owned(),
                enabled,
            }
        };
        let absent = &self.teachers[0][UNMATCHED_TEACHER].id;
        let mut all: Vec<DemoAccount> = self.staff().filter(|p| p.id != *absent).map(|p| account(p, true, true)).collect();
        let students = self.students.iter().enumerate().filter(|(n, _)| n % UNMATCHED_EVERY != UNMATCHED_FIRST);
        all.extend(students.map(|(n, p)| account(p, n % 4 != 0, n != DISABLED)));
        // Somebody who is in no export must come out of every run untouched.
        all.push(DemoAccount {
            upn: format!("admin@{domain}"),
            mail: None,
            display_name: "Directory Administrator".to_owned(),
            given: "Directory".to_owned(),
            family: "Administrator".to_owned(),
            enabled: true,
        });
        all
    }
}

fn orgs() -> Table {
    let mut table = Table::new("sourcedId,name,type,parentSourcedId");
    table.row(&[DISTRICT, "Rivermark School District", "district", ""]);
    for school in &SCHOOLS {
        table.row(&[school.id, school.name, "school", DISTRICT]);
    }
    table
}

fn sessions() -> Table {
    let mut table = Table::new("sourcedId,title,type,schoolYear,startDate,endDate");
    table.row(&["Y27", "2026/27", "schoolYear", "2027", "2026-08-24", "2027-06-11"]);
    table.row(&["Y27-1", "First semester 2026/27", "semester", "2027", "2026-08-24", "2027-01-15"]);
    table.row(&["Y27-2", "Second semester 2026/27", "semester", "2027", "2027-01-18", "2027-06-11"]);
    table
}

/// Every course of every school: school, grade, subject with its code, id.
fn each_course(mut give: impl FnMut(usize, usize, &'static str, (&'static str, &'static str), String)) {
    for (number, school) in SCHOOLS.iter().enumerate() {
        let mut class = 0;
        for grade in school.grades {
            for (index, subject) in school.subjects.iter().enumerate() {
                give(number, class, grade, *subject, format!("{}-{grade}-{}", school.id, index + 1));
                class += 1;
            }
        }
    }
}

fn courses() -> Table {
    let mut table = Table::new("sourcedId,orgSourcedId,title,code,schoolYearSourcedId,subject,grade");
    each_course(|school, _, grade, (title, subject), id| {
        table.row(&[&format!("CO-{id}"), SCHOOLS[school].id, &format!("{title} {grade}"), &id, "Y27", subject, grade]);
    });
    table
}

fn classes() -> Table {
    let mut table = Table::new("sourcedId,orgSourcedId,title,sessionSourcedIds,courseSourcedId,code");
    each_course(|school, _, grade, (title, _), id| {
        table.row(&[&id, SCHOOLS[school].id, &format!("{title} {grade}"), "Y27-1,Y27-2", &format!("CO-{id}"), &id]);
    });
    table
}

fn users(people: &People, domain: &str) -> Table {
    let mut table = Table::new("sourcedId,username,givenName,familyName,activeDirectoryMatchId,email,phone,sms,userNumber");
    let mut person = |p: &Person, username: &str, email: &str, phone: &str| {
        table.row(&[p.id.as_str(), username, p.given, p.family, "", email, phone, "", &p.id[1..]]);
    };
    for p in people.staff() {
        let address = format!("{}@{domain}", p.login);
        // The head of the district has a phone number as people write it: a warning, the value is dropped.
        person(p, &address, &address, if p.id == "D001" { "(202) 555-0100" } else { "" });
    }
    for (n, p) in people.students() {
        let address = format!("{}@{domain}", p.login);
        person(p, if n == BROKEN { "" } else { &address }, &address, "");
    }
    for (n, p) in people.contacts.iter().enumerate() {
        let address = format!("{}@home.example", p.login);
        // Usernames of contacts are what they gave the school; one of them is in capitals.
        person(p, &if n == 1 { address.to_uppercase() } else { address.clone() }, &address, &format!("+1202555{:04}", 100 + n));
    }
    // The same id again for somebody else: an error, the first row is kept.
    let first = &people.principals[0];
    person(first, &format!("temp.{}@{domain}", first.login), "", "");
    table
}

fn roles(people: &People) -> Table {
    let mut table = Table::new("userSourcedId,orgSourcedId,role,sessionSourcedId,grade,isPrimary,roleStartDate,roleEndDate");
    let mut role = |user: &str, org: &str, role: &str, grade: &str, primary: &str| {
        table.row(&[user, org, role, "Y27", grade, primary, "2026-08-24", ""]);
    };
    role("D001", DISTRICT, "administrator", "", "TRUE");
    role("D002", DISTRICT, "itAdmin", "", "TRUE");
    role("D003", SCHOOLS[0].id, "nurse", "", "TRUE");
    role("D003", SCHOOLS[1].id, "nurse", "", "FALSE");
    for (school, principal) in people.principals.iter().enumerate() {
        role(&principal.id, SCHOOLS[school].id, "principal", "", "TRUE");
    }
    for (school, teachers) in people.teachers.iter().enumerate() {
        for (n, teacher) in teachers.iter().enumerate() {
            role(&teacher.id, SCHOOLS[school].id, if n == 6 { "teacherAssistant" } else { "teacher" }, "", "TRUE");
            match n {
                1 => role(&teacher.id, SCHOOLS[school].id, "coach", "", "FALSE"),
                2 => role(&teacher.id, SCHOOLS[(school + 1) % SCHOOLS.len()].id, "teacher", "", "FALSE"),
                _ => {}
            }
        }
    }
    for (n, student) in people.students() {
        // A grade no list has: a warning, the value is dropped.
        let grade = if n == 11 { "grade 4" } else { people.grade(n) };
        // Spreadsheets eat the leading zero; it is put back without a word.
        let grade = if n % 9 == 0 { grade.trim_start_matches('0') } else { grade };
        role(&student.id, SCHOOLS[people.school(n)].id, "student", grade, "TRUE");
    }
    // A role that is no role, and a person who is nowhere: errors.
    role("D002", SCHOOLS[2].id, "teachr", "", "FALSE");
    role("S9999", SCHOOLS[2].id, "student", "12", "TRUE");
    table
}

fn enrollments(people: &People) -> Table {
    let mut table = Table::new("classSourcedId,userSourcedId,role");
    each_course(|school, class, grade, _, id| {
        table.row(&[id.as_str(), &people.teacher(school, class).id, "teacher"]);
        if class == 0 {
            // `aid` is a known misspelling of `aide`.
            table.row(&[id.as_str(), &people.teachers[school][6].id, "aid"]);
        }
        for (n, student) in people.students().filter(|(n, _)| people.school(*n) == school && people.grade(*n) == grade) {
            table.row(&[id.as_str(), &student.id, "student"]);
            if n == 0 && class == 0 {
                // The same row twice: a warning.
                table.row(&[id.as_str(), &student.id, "student"]);
            }
        }
    });
    table
}

fn demographics(people: &People) -> Table {
    let mut table = Table::new("userSourcedId,sex,birthDate,birthCity,birthState,birthCountry,ethnicityCodes,raceCodes");
    for (n, student) in people.students() {
        let grade: i32 = people.grade(n).parse().unwrap_or_default();
        let birth = format!("{}-{:02}-{:02}", 2020 - grade, n % 12 + 1, n % 28 + 1);
        let sex = ["female", "male", "notSelected"][usize::from(n % 2 == 1) + usize::from(n % 40 == 39)];
        let races = ["white", "asian", "blackOrAfricanAmerican,white", ""][n % 4];
        let ethnicity = if n % 6 == 0 { "hispanicOrLatinoEthnicity" } else { "" };
        table.row(&[student.id.as_str(), sex, &birth, "Rivermark", "WA", "USA", ethnicity, races]);
    }
    table
}

fn flags(people: &People) -> Table {
    let mut table = Table::new("userSourcedId,flag");
    for (n, student) in people.students() {
        match n % 15 {
            2 => table.row(&[student.id.as_str(), "freeLunch"]),
            6 => table.row(&[student.id.as_str(), "iep"]),
            9 => table.row(&[student.id.as_str(), "giftedOrTalented"]),
            _ => {}
        }
    }
    table
}

fn relationships(people: &People) -> Table {
    let mut table = Table::new("userSourcedId,relationshipUserSourcedId,relationshipRole");
    for (n, student) in people.students().filter(|(n, _)| *n < STUDENTS) {
        let contact = &people.contacts[n / CONTACT_EVERY];
        match n % CONTACT_EVERY {
            0 => table.row(&[student.id.as_str(), &contact.id, "parent"]),
            // Every fifth contact looks after a second child.
            1 if (n / CONTACT_EVERY).is_multiple_of(5) => table.row(&[student.id.as_str(), &contact.id, "guardian"]),
            _ => {}
        }
    }
    table
}

#[cfg(test)]
mod tests;
