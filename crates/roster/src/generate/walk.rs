//! The roster of a day, told from front to back to whoever writes it.

use super::churn::{self, State};
use super::draw::Draw;
use super::population::{GRADES, GUARDIAN_PREFIX, LEVELS, Place, Population, School};
use crate::names::Name;
use std::fmt::Write as _;
use std::io;

/// The school year, which ends in the year that it is named by.
pub(super) const YEAR: &str = "2027";
pub(super) const FIRST_DAY: &str = "2026-08-24";
pub(super) const LAST_DAY: &str = "2027-06-11";
/// Its id, and those of its terms.
pub(super) const YEAR_ID: &str = "Y27";
pub(super) const TERM_IDS: &str = "Y27-1,Y27-2";

pub(super) struct Session {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) kind: &'static str,
    pub(super) start: &'static str,
    pub(super) end: &'static str,
    pub(super) parent: &'static str,
}

const SESSIONS: [Session; 5] = [
    Session { id: YEAR_ID, title: "School year 2026–2027", kind: "schoolYear", start: FIRST_DAY, end: LAST_DAY, parent: "" },
    Session { id: "Y27-1", title: "First semester, 2026", kind: "semester", start: FIRST_DAY, end: "2027-01-15", parent: YEAR_ID },
    Session { id: "Y27-2", title: "Second semester, 2027", kind: "semester", start: "2027-01-18", end: LAST_DAY, parent: YEAR_ID },
    Session { id: "Y27-1a", title: "Quarter 1", kind: "gradingPeriod", start: FIRST_DAY, end: "2026-10-30", parent: "Y27-1" },
    Session { id: "Y27-1b", title: "Quarter 2", kind: "gradingPeriod", start: "2026-11-02", end: "2027-01-15", parent: "Y27-1" },
];

pub(super) struct Org<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) kind: &'static str,
    pub(super) parent: &'a str,
    /// First and last grade of a school.
    pub(super) grades: Option<(&'static str, &'static str)>,
}

pub(super) struct Course<'a> {
    pub(super) id: &'a str,
    pub(super) org: &'a str,
    pub(super) title: &'a str,
    pub(super) code: &'a str,
    pub(super) subject: &'static str,
    pub(super) subject_code: &'static str,
    pub(super) grade: &'static str,
}

pub(super) struct Class<'a> {
    pub(super) id: &'a str,
    pub(super) org: &'a str,
    pub(super) title: &'a str,
    pub(super) code: &'a str,
    pub(super) course: Course<'a>,
    pub(super) is_homeroom: bool,
}

/// Names and addresses of a person.
pub(super) struct Person<'a> {
    pub(super) id: &'a str,
    pub(super) given: &'static str,
    pub(super) family: &'static str,
    /// Username without a domain; nobody else's.
    pub(super) login: &'a str,
    pub(super) domain: &'a str,
    pub(super) has_email: bool,
}

pub(super) struct Staff<'a> {
    pub(super) person: Person<'a>,
    /// Organization and role, by the words of SDS v2.1; the first one is the primary one.
    pub(super) roles: &'a [(&'a str, &'static str)],
}

pub(super) struct Student<'a> {
    pub(super) person: Person<'a>,
    pub(super) org: &'a str,
    /// Place in [`GRADES`].
    pub(super) grade: usize,
    pub(super) guardians: &'a [String],
    /// For what else a format says of a student.
    pub(super) draw: Draw,
}

pub(super) struct Guardian<'a> {
    pub(super) person: Person<'a>,
    pub(super) phone: &'a str,
    pub(super) children: &'a [String],
    pub(super) relation: &'static str,
    /// School of the first child.
    pub(super) org: &'a str,
}

pub(super) struct Enrollment<'a> {
    pub(super) class: &'a str,
    pub(super) org: &'a str,
    pub(super) user: &'a str,
    pub(super) role: Member,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    Student,
    Teacher,
    /// A second teacher.
    Assistant,
}

/// Who writes a roster in a format.
pub(super) trait Sink {
    fn session(&mut self, session: &Session) -> io::Result<()>;
    fn org(&mut self, org: &Org<'_>) -> io::Result<()>;
    fn course(&mut self, course: &Course<'_>) -> io::Result<()>;
    fn class(&mut self, class: &Class<'_>) -> io::Result<()>;
    fn staff(&mut self, staff: &Staff<'_>) -> io::Result<()>;
    fn student(&mut self, student: &Student<'_>) -> io::Result<()>;
    fn guardian(&mut self, guardian: &Guardian<'_>) -> io::Result<()>;
    fn enrollment(&mut self, enrollment: &Enrollment<'_>) -> io::Result<()>;
}

/// An organization in which nobody has a role.
pub(super) const STATE_ORG: &str = "O1";

pub(super) fn district_id(district: u32) -> String {
    format!("O{}", 1_000 + district)
}

pub(super) fn org_id(school: usize) -> String {
    format!("O{}", 10_000 + school)
}

pub(super) fn student_id(student: u32) -> String {
    format!("S{student:07}")
}

pub(super) fn teacher_id(school: usize, teacher: u32) -> String {
    format!("T{school:05}{teacher:03}")
}

pub(super) fn class_id(school: usize, class: u32) -> String {
    format!("C{school:05}{class:04}")
}

/// Whether somebody of a family is the first or the second guardian.
fn guardian_id(family: u64, guardian: usize) -> String {
    format!("{GUARDIAN_PREFIX}{family:08}{}", ["A", "B"][guardian % 2])
}

const SCHOOL_NAMES: [&str; 16] = [
    "Cedar",
    "Willow Lane",
    "Harbor Point",
    "Summit",
    "Cañon",
    "Saint-Léo",
    "Åsgård",
    "Meadow",
    "Kōhala",
    "Redwood",
    "Łąkowa",
    "Fairview",
    "St. Mary's",
    "Nguyễn Trãi",
    "Øresund",
    "Lakeside, North",
];

/// Tells a roster.
pub(super) fn walk(population: &Population, state: &State, sink: &mut dyn Sink) -> io::Result<()> {
    let mut walk = Walk { population, state, sink, text: String::new() };
    for session in &SESSIONS {
        walk.sink.session(session)?;
    }
    walk.orgs()?;
    for district in 0..population.districts {
        walk.courses(district)?;
        walk.district_staff(district)?;
    }
    for number in 0..population.schools.len() {
        walk.school(number)?;
    }
    for family in 0..population.families() + u64::from(state.joined) {
        walk.guardians(family)?;
    }
    Ok(())
}

struct Walk<'a> {
    population: &'a Population,
    state: &'a State,
    sink: &'a mut dyn Sink,
    /// Used again and again.
    text: String,
}

impl Walk<'_> {
    fn orgs(&mut self) -> io::Result<()> {
        let state = Org { id: STATE_ORG, name: "Department of Education, State of Example", kind: "state", parent: "", grades: None };
        self.sink.org(&state)?;
        for district in 0..self.population.districts {
            let name = format!("{} District {}", SCHOOL_NAMES[(district as usize * 5 + 1) % SCHOOL_NAMES.len()], district + 1);
            self.sink.org(&Org { id: &district_id(district), name: &name, kind: "district", parent: STATE_ORG, grades: None })?;
        }
        for (number, school) in self.population.schools.iter().enumerate() {
            let (id, name) = (org_id(number), school_name(school));
            let grades = Some((GRADES[school.level.grades.start], GRADES[school.level.grades.end - 1]));
            self.sink.org(&Org { id: &id, name: &name, kind: "school", parent: &district_id(school.district), grades })?;
            if school.level.has_department {
                let name = format!("\"STEM\" Department, {name}");
                self.sink.org(&Org { id: &format!("{id}-D"), name: &name, kind: "department", parent: &id, grades: None })?;
            }
        }
        Ok(())
    }

    fn courses(&mut self, district: u32) -> io::Result<()> {
        let org = district_id(district);
        for level in &LEVELS {
            for grade in level.grades.clone() {
                for subject in 0..level.subjects.len() {
                    let texts = CourseTexts::new(district, level.subjects[subject], grade);
                    self.sink.course(&texts.course(&org))?;
                }
            }
        }
        Ok(())
    }

    fn district_staff(&mut self, district: u32) -> io::Result<()> {
        let org = district_id(district);
        for (n, role) in ["administrator", "itAdmin"].into_iter().enumerate() {
            self.staff(&format!("A{district:04}{n}"), district, &[(&org, role)])?;
        }
        Ok(())
    }

    fn staff(&mut self, id: &str, district: u32, roles: &[(&str, &'static str)]) -> io::Result<()> {
        let (given, family) = self.population.name(id, 0);
        let (login, domain) = (format!("{}.{}.{}", given.1, family.1, id.to_lowercase()), domain(district));
        let person = Person { id, given: given.0, family: family.0, login: &login, domain: &domain, has_email: true };
        self.sink.staff(&Staff { person, roles })
    }

    fn school(&mut self, number: usize) -> io::Result<()> {
        let population = self.population;
        let school = &population.schools[number];
        let org = org_id(number);
        self.classes(number, &org)?;
        self.school_staff(number, &org)?;
        for class in 0..school.classes {
            let id = class_id(number, class);
            let teacher = self.state.teacher(population, number, class);
            self.enroll(&id, &org, &teacher_id(number, teacher), Member::Teacher)?;
            let second = (school.teacher(class) + 1) % school.teachers;
            if second != teacher && population.seed.of("second teacher", u64::from(school.number) << 32 | u64::from(class)).one_in(20) {
                self.enroll(&id, &org, &teacher_id(number, second), Member::Assistant)?;
            }
        }
        let mut student = school.first;
        for (grade, of) in school.grades.iter().enumerate() {
            for position in 0..of.students {
                if self.state.has_stayed(student) {
                    self.student(student, Place { school: number, grade, position }, &org)?;
                }
                student += 1;
            }
        }
        for student in self.state.newcomers.get(&number).into_iter().flatten() {
            self.student(*student, self.state.place(population, *student), &org)?;
        }
        Ok(())
    }

    fn classes(&mut self, number: usize, org: &str) -> io::Result<()> {
        let school = &self.population.schools[number];
        for (place, grade) in school.grades.iter().enumerate() {
            for (subject, names) in school.level.subjects.iter().enumerate() {
                let texts = CourseTexts::new(school.district, *names, grade.index);
                let district = district_id(school.district);
                for section in 0..grade.sections {
                    let id = class_id(number, school.class(place, subject, section));
                    let title = format!("{}, Section {}", texts.title, section + 1);
                    let code = format!("{}/{}", texts.code, section + 1);
                    let class =
                        Class { id: &id, org, title: &title, code: &code, course: texts.course(&district), is_homeroom: subject == 0 };
                    self.sink.class(&class)?;
                }
            }
        }
        Ok(())
    }

    fn school_staff(&mut self, number: usize, org: &str) -> io::Result<()> {
        let school = &self.population.schools[number];
        let next = org_id((number + 1) % self.population.schools.len());
        let department = format!("{org}-D");
        for (n, role) in ["principal", "officeStaff", "advisor", "nurse"].into_iter().enumerate() {
            // A nurse looks after two schools.
            let roles: &[(&str, &str)] = &[(org, role), (&next, role)];
            let both = role == "nurse" && next != org;
            self.staff(&format!("P{number:05}{n}"), school.district, &roles[..=usize::from(both)])?;
        }
        for teacher in 0..school.teachers {
            let id = teacher_id(number, teacher);
            let mut roles = vec![(org, "teacher")];
            match self.population.seed.of("more roles", u64::from(school.number) << 32 | u64::from(teacher)).below(40) {
                0 | 1 if next != org => roles.push((&next, "teacher")),
                2 => roles.push((org, "coach")),
                3..6 if school.level.has_department => roles.push((&department, "faculty")),
                _ => {}
            }
            self.staff(&id, school.district, &roles)?;
        }
        Ok(())
    }

    fn student(&mut self, student: u32, place: Place, org: &str) -> io::Result<()> {
        let population = self.population;
        let school = &population.schools[place.school];
        let id = student_id(student);
        let renamed = self.state.renamed(student);
        let (given, family) = population.student_name(student, renamed);
        let login = student_login(given, family, population.student_name(student, 0).1, student, renamed);
        let family_number = population.family(student);
        let guardians: Vec<String> = population.guardians(family_number).map(|(n, ..)| guardian_id(family_number, n)).collect();
        let draw = population.seed.of("details", u64::from(student));
        // The youngest have no address yet.
        let grade = school.grades[place.grade].index;
        let has_email = grade > 1 || !student.is_multiple_of(3);
        let domain = domain(school.district);
        let person = Person { id: &id, given: given.0, family: family.0, login: &login, domain: &domain, has_email };
        self.sink.student(&Student { person, org, grade, guardians: &guardians, draw })?;
        for subject in churn::subjects(population, student, place) {
            let section = self.state.section(population, student, place, subject);
            let mut class = std::mem::take(&mut self.text);
            class.clear();
            let _ = write!(class, "C{:05}{:04}", place.school, school.class(place.grade, subject, section));
            self.enroll(&class, org, &id, Member::Student)?;
            self.text = class;
        }
        Ok(())
    }

    fn enroll(&mut self, class: &str, org: &str, user: &str, role: Member) -> io::Result<()> {
        self.sink.enrollment(&Enrollment { class, org, user, role })
    }

    fn guardians(&mut self, family: u64) -> io::Result<()> {
        let mut children = self.population.children(family).filter(|child| self.state.is_here(*child)).peekable();
        let Some(first) = children.peek() else { return Ok(()) };
        let place = self.state.place(self.population, *first);
        let org = org_id(place.school);
        let ids: Vec<String> = children.map(student_id).collect();
        let mut draw = self.population.seed.of("guardian", family);
        for (n, given, surname) in self.population.guardians(family) {
            let id = guardian_id(family, n);
            let login = format!("{}.{}.{}", given.1, surname.1, id.to_lowercase());
            let relation = draw.pick(&["parent", "parent", "parent", "guardian", "relative"]);
            let phone = format!("+1202{:07}", draw.below(10_000_000));
            let person = Person { id: &id, given: given.0, family: surname.0, login: &login, domain: "home.example", has_email: true };
            self.sink.guardian(&Guardian { person, phone: &phone, children: &ids, relation, org: &org })?;
        }
        Ok(())
    }
}

fn domain(district: u32) -> String {
    format!("d{:03}.schools.example", district + 1)
}

/// Usernames follow a change of name for every other student.
fn student_login(given: Name, family: Name, first_family: Name, student: u32, renamed: u32) -> String {
    match churn::username_version(student, renamed) {
        0 => format!("{}.{}{student}", given.1, first_family.1),
        version => format!("{}.{}{student}v{version}", given.1, family.1),
    }
}

fn school_name(school: &School) -> String {
    format!("{} {} #{}", SCHOOL_NAMES[school.number as usize * 7 % SCHOOL_NAMES.len()], school.level.title, school.number + 1)
}

/// What a course is called.
struct CourseTexts {
    id: String,
    title: String,
    code: String,
    subject: &'static str,
    subject_code: &'static str,
    grade: &'static str,
}

impl CourseTexts {
    fn new(district: u32, (title, code, subject_code): super::population::Subject, grade: usize) -> Self {
        let code = format!("{code}-{}", GRADES[grade]);
        let id = format!("K{district:04}-{code}");
        Self { id, title: format!("{title} {}", GRADES[grade]), code, subject: title, subject_code, grade: GRADES[grade] }
    }

    fn course<'a>(&'a self, org: &'a str) -> Course<'a> {
        let Self { id, title, code, subject, subject_code, grade } = self;
        Course { id, org, title, code, subject, subject_code, grade }
    }
}
