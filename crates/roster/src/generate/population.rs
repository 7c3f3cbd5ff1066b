//! Who and what there is on day 0. Nobody is stored: everything about a student is computed from the
//! student's number, so that ten million of them take no memory.

use super::draw::{Draw, Seed};
use crate::names::{Culture, FREQUENT, Name, RARE};

/// First letter of the ids of guardians.
pub(super) const GUARDIAN_PREFIX: char = 'G';

/// Grade levels from kindergarten, as OneRoster and SDS v2.1 write them.
pub(super) const GRADES: [&str; 13] = ["KG", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12"];

/// A subject: title, start of the course code, academic subject of SDS.
pub(super) type Subject = (&'static str, &'static str, &'static str);

/// A kind of school.
pub(super) struct Level {
    pub(super) title: &'static str,
    /// Its grades, as places in [`GRADES`].
    pub(super) grades: std::ops::Range<usize>,
    pub(super) subjects: &'static [Subject],
    /// Students of a school, on average.
    size: u32,
    /// Subjects that every student has; of the rest some have some.
    pub(super) common: usize,
    pub(super) has_department: bool,
}

pub(super) const LEVELS: [Level; 3] = [
    Level {
        title: "Elementary School",
        grades: 0..6,
        subjects: &[
            ("Homeroom", "HR", "23"),
            ("English Language Arts", "ELA", "01"),
            ("Mathematics", "MAT", "02"),
            ("Science & Discovery", "SCI", "03"),
            ("Art, Music and Drama", "ART", "05"),
        ],
        size: 420,
        common: 5,
        has_department: false,
    },
    Level {
        title: "Middle School",
        grades: 6..9,
        subjects: &[
            ("Advisory", "ADV", "23"),
            ("English Language Arts", "ELA", "01"),
            ("Mathematics", "MAT", "02"),
            ("Life/Earth Science", "SCI", "03"),
            ("Español", "SPA", "24"),
            ("Physical Education", "PE", "08"),
        ],
        size: 600,
        common: 6,
        has_department: false,
    },
    Level {
        title: "High School",
        grades: 9..13,
        subjects: &[
            ("Advisory", "ADV", "23"),
            ("Literature", "LIT", "01"),
            ("Algebra, Geometry", "MAT", "02"),
            ("Biology \"Life Itself\"", "BIO", "03"),
            ("World History", "HIS", "04"),
            ("Français", "FRA", "24"),
            ("Computer Science", "CS", "10"),
            ("Physical Education", "PE", "08"),
        ],
        size: 1000,
        common: 6,
        has_department: true,
    },
];

/// Students of a district, about.
const DISTRICT_STUDENTS: u32 = 8_000;
/// Students of a class, at most.
const CLASS_STUDENTS: u32 = 25;
/// Classes that a teacher has, about.
const TEACHER_CLASSES: u32 = 5;
/// Eight children in a row belong to these of five families.
const FAMILY_OF_CHILD: [u64; 8] = [0, 1, 1, 2, 3, 3, 3, 4];
const CHILDREN: u64 = 8;
const FAMILIES: u64 = 5;

/// One grade of a school.
pub(super) struct Grade {
    /// Place in [`GRADES`].
    pub(super) index: usize,
    pub(super) students: u32,
    /// Parallel classes of each subject.
    pub(super) sections: u32,
    /// Number of its first class in the school.
    pub(super) first_class: u32,
}

/// One school.
pub(super) struct School {
    pub(super) number: u32,
    pub(super) level: &'static Level,
    pub(super) district: u32,
    /// Number of its first student.
    pub(super) first: u32,
    pub(super) grades: Vec<Grade>,
    pub(super) classes: u32,
    pub(super) teachers: u32,
}

/// Where a student is: school, grade as its place in the school's, and the place in the grade that decides
/// about the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) school: usize,
    pub(super) grade: usize,
    pub(super) position: u32,
}

/// The roster of day 0.
pub(super) struct Population {
    pub(super) seed: Seed,
    /// Students of day 0; who joins later has a higher number.
    pub(super) students: u32,
    pub(super) districts: u32,
    pub(super) schools: Vec<School>,
    /// Students times this make the order in which families have their children, and back.
    shuffle: (u64, u64),
}

impl Population {
    pub(super) fn new(students: u32, seed: &str) -> Self {
        let seed = Seed::new(seed);
        let districts = (students / DISTRICT_STUDENTS).max(1);
        let mut schools: Vec<School> = Vec::new();
        let mut first = 0;
        let all_grades = GRADES.len() as u64;
        for level in &LEVELS {
            // Every grade has as many students, but for what is left by the division.
            let end = (u64::from(students) * level.grades.end as u64 / all_grades) as u32;
            let of_level = end - first;
            let count = (of_level / level.size).max(1);
            let weights: Vec<u64> = (0..count).map(|n| 60 + seed.of(level.title, u64::from(n)).below(80)).collect();
            let total: u64 = weights.iter().sum();
            let (start, mut upto) = (first, 0);
            for (n, weight) in weights.iter().enumerate() {
                upto += weight;
                let school_end = start + (u64::from(of_level) * upto / total) as u32;
                schools.push(School::new(schools.len() as u32, level, n as u32 % districts, first, school_end - first));
                first = school_end;
            }
        }
        Self { seed, students, districts, schools, shuffle: shuffle(u64::from(students)) }
    }

    /// Where a student of day 0 is.
    pub(super) fn place(&self, student: u32) -> Place {
        let school = self.schools.partition_point(|school| school.first <= student).saturating_sub(1);
        let mut position = student - self.schools[school].first;
        for (grade, of) in self.schools[school].grades.iter().enumerate() {
            if position < of.students {
                return Place { school, grade, position };
            }
            position -= of.students;
        }
        // Not for students that there are.
        Place { school, grade: 0, position: 0 }
    }

    /// The family of a student. Who joins later is the only child of a new one.
    pub(super) fn family(&self, student: u32) -> u64 {
        let Some(later) = student.checked_sub(self.students) else {
            let turn = u64::from(student) * self.shuffle.0 % u64::from(self.students);
            return turn / CHILDREN * FAMILIES + FAMILY_OF_CHILD[(turn % CHILDREN) as usize];
        };
        self.families() + u64::from(later)
    }

    /// Families of day 0.
    pub(super) fn families(&self) -> u64 {
        u64::from(self.students).div_ceil(CHILDREN) * FAMILIES
    }

    /// The children of a family, whether they are at school today or not.
    pub(super) fn children(&self, family: u64) -> impl Iterator<Item = u32> {
        let later = family.checked_sub(self.families()).map(|later| self.students + later as u32);
        let turns = (0..CHILDREN).filter(move |child| FAMILY_OF_CHILD[*child as usize] == family % FAMILIES);
        let students = u64::from(self.students);
        let turns = turns.map(move |child| family / FAMILIES * CHILDREN + child).filter(move |turn| later.is_none() && *turn < students);
        turns.map(move |turn| (turn * self.shuffle.1 % students) as u32).chain(later)
    }

    /// Given and family name of a student, who had that many other family names before.
    pub(super) fn student_name(&self, student: u32, renamed: u32) -> (Name, Name) {
        let mut family = self.seed.of("family", self.family(student));
        let culture = culture(&mut family);
        let surname = family.index(culture.family.len()) + renamed as usize;
        (self.seed.of("student", u64::from(student)).pick(culture.given), culture.family[surname % culture.family.len()])
    }

    /// Names of somebody who is not known by a family.
    pub(super) fn name(&self, kind: &str, index: u64) -> (Name, Name) {
        let mut draw = self.seed.of(kind, index);
        let culture = culture(&mut draw);
        (draw.pick(culture.given), draw.pick(culture.family))
    }

    /// Names of the guardians of a family, who are nobody in one of twelve families.
    pub(super) fn guardians(&self, family: u64) -> impl Iterator<Item = (usize, Name, Name)> {
        let mut draw = self.seed.of("family", family);
        let culture = culture(&mut draw);
        let surname = culture.family[draw.index(culture.family.len())];
        let count = [0, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2][draw.index(12)];
        (0..count).map(move |n| (n, draw.pick(culture.given), surname))
    }
}

impl School {
    fn new(number: u32, level: &'static Level, district: u32, first: u32, students: u32) -> Self {
        let count = level.grades.len() as u32;
        let mut first_class = 0;
        let grades = level.grades.clone().zip(0..).map(|(index, n)| {
            let students = students / count + u32::from(n < students % count);
            let sections = students.div_ceil(CLASS_STUDENTS).max(1);
            let of = Grade { index, students, sections, first_class };
            first_class += sections * level.subjects.len() as u32;
            of
        });
        let grades: Vec<Grade> = grades.collect();
        Self { number, level, district, first, grades, classes: first_class, teachers: first_class.div_ceil(TEACHER_CLASSES).max(2) }
    }

    /// Number of a class in the school.
    pub(super) fn class(&self, grade: usize, subject: usize, section: u32) -> u32 {
        self.grades[grade].first_class + subject as u32 * self.grades[grade].sections + section
    }

    /// The section that a place in a grade has in a subject. Young pupils stay together, older ones mix.
    pub(super) fn section(&self, grade: usize, subject: usize, position: u32) -> u32 {
        let sections = self.grades[grade].sections;
        let mixing = if self.level.grades.start == 0 { 0 } else { subject as u32 * (position / sections) };
        (position + mixing) % sections
    }

    /// The teacher of a class on day 0, as a number in the school.
    pub(super) fn teacher(&self, class: u32) -> u32 {
        (class / TEACHER_CLASSES) % self.teachers
    }
}

fn culture(draw: &mut Draw) -> &'static Culture {
    let all = || FREQUENT.iter().chain(RARE);
    let mut place = draw.index(all().map(|culture| culture.weight).sum());
    for culture in all() {
        if place < culture.weight {
            return culture;
        }
        place -= culture.weight;
    }
    &FREQUENT[0]
}

/// A factor without a common divisor with `n`, and its inverse modulo `n`: neighbours go far apart.
fn shuffle(n: u64) -> (u64, u64) {
    let divisor = |mut a: u64, mut b: u64| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let golden = (n * 618_034 / 1_000_000).max(1);
    let factor = (golden..=n).find(|factor| divisor(*factor, n) == 1).unwrap_or(1);
    (factor, inverse(factor, n))
}

/// The inverse of a number modulo `n` (extended Euclid).
fn inverse(of: u64, n: u64) -> u64 {
    let (mut a, mut b) = ((i128::from(n), 0_i128), (i128::from(of), 1_i128));
    while b.0 != 0 {
        let quotient = a.0 / b.0;
        (a, b) = (b, (a.0 - quotient * b.0, a.1 - quotient * b.1));
    }
    a.1.rem_euclid(i128::from(n.max(1))) as u64
}
