//! What changes from day to day. A day depends on the seed, its number and the days before it.

use super::draw::Draw;
use super::population::{Place, Population};
use super::walk::{class_id, org_id, student_id, teacher_id};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// One thing that happened on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Event {
    /// A student is new.
    Joined {
        /// Id of the student.
        user: String,
        /// School.
        school: String,
    },
    /// A student is there no more.
    Left {
        /// Id of the student.
        user: String,
        /// School.
        school: String,
    },
    /// A student goes to another school.
    ChangedSchool {
        /// Id of the student.
        user: String,
        /// Old school.
        from: String,
        /// New school.
        to: String,
    },
    /// A student goes to another class of the same subject.
    ChangedClass {
        /// Id of the student.
        user: String,
        /// Old class.
        from: String,
        /// New class.
        to: String,
    },
    /// A student has another family name.
    Renamed {
        /// Id of the student.
        user: String,
        /// Whether there is another username too.
        username: bool,
    },
    /// A class has another teacher.
    ChangedTeacher {
        /// The class.
        class: String,
        /// Old teacher.
        from: String,
        /// New teacher.
        to: String,
    },
}

/// One in so many students joins, and one leaves.
const JOIN: u32 = 1_000;
const CHANGE_SCHOOL: u32 = 2_000;
const RENAME: u32 = 2_000;
const CHANGE_CLASS: u32 = 100;
/// One in so many classes.
const CHANGE_TEACHER: u32 = 200;
/// Attempts to find somebody to whom nothing happened today.
const ATTEMPTS: usize = 100;

/// What is not as it was on day 0.
#[derive(Default)]
pub(super) struct State {
    pub(super) joined: u32,
    gone: HashSet<u32>,
    /// Places of those who joined or changed school.
    places: HashMap<u32, Place>,
    /// The same people by school, in order.
    pub(super) newcomers: BTreeMap<usize, Vec<u32>>,
    sections: HashMap<(u32, usize), u32>,
    renamed: HashMap<u32, u32>,
    teachers: HashMap<(usize, u32), u32>,
}

impl State {
    /// The state of a day, and what happened on that day itself.
    pub(super) fn on(population: &Population, day: u32) -> (Self, Vec<Event>) {
        let mut state = Self::default();
        let mut events = Vec::new();
        for number in 1..=day {
            let draw = population.seed.of("day", u64::from(number));
            events = Day { population, state: &mut state, draw, touched: HashSet::new(), events: Vec::new() }.run();
        }
        for (student, place) in &state.places {
            if !state.gone.contains(student) {
                state.newcomers.entry(place.school).or_default().push(*student);
            }
        }
        state.newcomers.values_mut().for_each(|students| students.sort_unstable());
        (state, events)
    }

    pub(super) fn is_here(&self, student: u32) -> bool {
        !self.gone.contains(&student)
    }

    /// Whether a student of day 0 is where they were.
    pub(super) fn has_stayed(&self, student: u32) -> bool {
        !self.gone.contains(&student) && !self.places.contains_key(&student)
    }

    pub(super) fn place(&self, population: &Population, student: u32) -> Place {
        self.places.get(&student).copied().unwrap_or_else(|| population.place(student))
    }

    /// The section that a student has in a subject.
    pub(super) fn section(&self, population: &Population, student: u32, place: Place, subject: usize) -> u32 {
        let usual = || population.schools[place.school].section(place.grade, subject, place.position);
        self.sections.get(&(student, subject)).copied().unwrap_or_else(usual)
    }

    /// How often a student has changed names.
    pub(super) fn renamed(&self, student: u32) -> u32 {
        self.renamed.get(&student).copied().unwrap_or_default()
    }

    pub(super) fn teacher(&self, population: &Population, school: usize, class: u32) -> u32 {
        self.teachers.get(&(school, class)).copied().unwrap_or_else(|| population.schools[school].teacher(class))
    }
}

/// The number of a student's username: a new one with every other change of name.
pub(super) fn username_version(student: u32, renamed: u32) -> u32 {
    if student.is_multiple_of(2) { renamed } else { 0 }
}

/// The subjects of a student, as places in the level's list.
pub(super) fn subjects(population: &Population, student: u32, place: Place) -> std::ops::Range<usize> {
    let level = population.schools[place.school].level;
    let more = population.seed.of("subjects", u64::from(student)).index(level.subjects.len() - level.common + 1);
    0..level.common + more
}

struct Day<'a> {
    population: &'a Population,
    state: &'a mut State,
    draw: Draw,
    /// Students to whom something happened: no more than one thing a day.
    touched: HashSet<u32>,
    events: Vec<Event>,
}

impl Day<'_> {
    fn run(mut self) -> Vec<Event> {
        let students = self.population.students;
        let classes = self.population.schools.iter().map(|school| school.classes).sum::<u32>();
        let times = |of: u32, one_in: u32| (of / one_in).max(1);
        (0..times(students, JOIN)).for_each(|_| self.leave());
        (0..times(students, CHANGE_SCHOOL)).for_each(|_| self.change_school());
        (0..times(students, RENAME)).for_each(|_| self.rename());
        (0..times(students, CHANGE_CLASS)).for_each(|_| self.change_class());
        (0..times(classes, CHANGE_TEACHER)).for_each(|_| self.change_teacher());
        (0..times(students, JOIN)).for_each(|_| self.join());
        self.events
    }

    /// A student who is there and to whom nothing has happened today.
    fn student(&mut self) -> Option<u32> {
        let all = u64::from(self.population.students + self.state.joined);
        let found = (0..ATTEMPTS).map(|_| self.draw.below(all) as u32).find(|s| self.state.is_here(*s) && !self.touched.contains(s))?;
        self.touched.insert(found);
        Some(found)
    }

    fn place(&self, student: u32) -> Place {
        self.state.place(self.population, student)
    }

    fn leave(&mut self) {
        let Some(student) = self.student() else { return };
        let school = org_id(self.place(student).school);
        self.state.gone.insert(student);
        self.events.push(Event::Left { user: student_id(student), school });
    }

    fn join(&mut self) {
        let school = self.draw.index(self.population.schools.len());
        let grade = self.draw.index(self.population.schools[school].grades.len());
        let student = self.population.students + self.state.joined;
        self.state.joined += 1;
        self.touched.insert(student);
        self.settle(student, school, grade);
        self.events.push(Event::Joined { user: student_id(student), school: org_id(school) });
    }

    /// Gives a student a place somewhere in a grade.
    fn settle(&mut self, student: u32, school: usize, grade: usize) {
        let position = self.draw.below(u64::from(self.population.schools[school].grades[grade].students.max(1))) as u32;
        self.state.places.insert(student, Place { school, grade, position });
        let subjects = self.population.schools[school].level.subjects.len();
        (0..subjects).for_each(|subject| _ = self.state.sections.remove(&(student, subject)));
    }

    fn change_school(&mut self) {
        let Some(student) = self.student() else { return };
        let from = self.place(student);
        let level = &self.population.schools[from.school].level.title;
        let schools = &self.population.schools;
        let others: Vec<usize> = (0..schools.len()).filter(|n| schools[*n].level.title == *level && *n != from.school).collect();
        if others.is_empty() {
            return;
        }
        let to = self.draw.pick(&others);
        self.settle(student, to, from.grade);
        self.events.push(Event::ChangedSchool { user: student_id(student), from: org_id(from.school), to: org_id(to) });
    }

    fn rename(&mut self) {
        let Some(student) = self.student() else { return };
        let renamed = self.state.renamed(student) + 1;
        self.state.renamed.insert(student, renamed);
        self.events.push(Event::Renamed { user: student_id(student), username: username_version(student, renamed) > 0 });
    }

    fn change_class(&mut self) {
        let Some(student) = self.student() else { return };
        let place = self.place(student);
        let school = &self.population.schools[place.school];
        let sections = school.grades[place.grade].sections;
        if sections < 2 {
            return;
        }
        let subject = self.draw.index(subjects(self.population, student, place).len());
        let from = self.state.section(self.population, student, place, subject);
        let to = (from + 1 + self.draw.below(u64::from(sections - 1)) as u32) % sections;
        self.state.sections.insert((student, subject), to);
        let class = |section| class_id(place.school, school.class(place.grade, subject, section));
        self.events.push(Event::ChangedClass { user: student_id(student), from: class(from), to: class(to) });
    }

    fn change_teacher(&mut self) {
        let school = self.draw.index(self.population.schools.len());
        let (classes, teachers) = (self.population.schools[school].classes, self.population.schools[school].teachers);
        let number = self.draw.below(u64::from(classes)) as u32;
        let class = class_id(school, number);
        let happened = |event: &Event| matches!(event, Event::ChangedTeacher { class: there, .. } if *there == class);
        if self.events.iter().any(happened) {
            return;
        }
        let from = self.state.teacher(self.population, school, number);
        let to = (from + 1 + self.draw.below(u64::from(teachers - 1)) as u32) % teachers;
        self.state.teachers.insert((school, number), to);
        self.events.push(Event::ChangedTeacher { class, from: teacher_id(school, from), to: teacher_id(school, to) });
    }
}
