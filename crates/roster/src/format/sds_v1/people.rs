//! Who is who: SDS v1 has a file for each kind of people, each with ids of its own.
//!
//! A SIS ID that stands in Student.csv and in Teacher.csv is one person when the names are the same; when
//! they differ, it is two, and each gets an id with the kind in front. A contact is known by its address.
//! Which ids that concerns only both files together say, so they are looked through before they are read.

use super::{STUDENT, TEACHER, USER, student, teacher, user};
use crate::Source;
use crate::format::glance;
use crate::keys::hash;
use encoding_rs::Encoding;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io;

/// What is known of people before their files are read. Only what is out of the ordinary takes memory,
/// and contacts with a SIS ID.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// SIS ids that a student and a teacher have who are two people.
    apart: HashSet<u64>,
    /// Usernames that a student and a teacher have who are two people, in lower case.
    usernames: HashSet<u64>,
    /// SIS ids of contacts that somebody else has among students and teachers.
    strangers: HashSet<u64>,
    /// SIS ids of contacts, by their address.
    contacts: HashMap<u64, Box<str>>,
}

/// What two files say about one SIS ID.
#[derive(Clone, Copy)]
struct Person {
    /// First and last name without regard to case; none when the file has neither.
    names: Option<u64>,
    username: u64,
}

impl Person {
    fn of(first: &str, last: &str, username: &str) -> Self {
        let names = format!("{}\u{1f}{}", first.trim(), last.trim()).to_lowercase();
        Self { names: (names.len() > 1).then(|| hash(names.as_bytes())), username: folded(username) }
    }

    /// Whether two files mean one person. Where a file has no names, the username is the only name there is.
    fn is(&self, other: &Self) -> bool {
        match (self.names, other.names) {
            (Some(own), Some(other)) => own == other,
            _ => self.username == other.username,
        }
    }
}

fn folded(text: &str) -> u64 {
    hash(text.trim().to_lowercase().as_bytes())
}

impl People {
    /// Looks through the files of people. `records`: whether ids are wanted at all, or only what there is to say.
    pub(crate) fn of(files: &[Source], encoding: Option<&'static Encoding>, records: bool) -> io::Result<Self> {
        let mut people = Self::default();
        let mut contacts: HashMap<u64, Person> = HashMap::new();
        if records {
            glance::rows(
                &USER,
                files,
                encoding,
                [user::SIS_ID, user::EMAIL, user::FIRST_NAME, user::LAST_NAME],
                |[id, email, first, last]| {
                    if !id.trim().is_empty() {
                        people.contacts.entry(folded(email)).or_insert_with(|| id.into());
                        contacts.entry(hash(id.as_bytes())).or_insert_with(|| Person::of(first, last, email));
                    }
                },
            )?;
        }
        let mut teachers: HashMap<u64, Person> = HashMap::new();
        let columns = [teacher::SIS_ID, teacher::FIRST_NAME, teacher::LAST_NAME, teacher::USERNAME];
        glance::rows(&TEACHER, files, encoding, columns, |[id, first, last, username]| {
            teachers.entry(hash(id.as_bytes())).or_insert_with(|| Person::of(first, last, username));
        })?;
        let stranger =
            |contacts: &HashMap<u64, Person>, id: u64, person: &Person| contacts.get(&id).is_some_and(|contact| !contact.is(person));
        people.strangers.extend(teachers.iter().filter(|(id, teacher)| stranger(&contacts, **id, teacher)).map(|(id, _)| *id));
        let owners: HashMap<u64, u64> = teachers.iter().map(|(id, teacher)| (teacher.username, *id)).collect();
        let mut both = HashSet::new();
        let columns = [student::SIS_ID, student::FIRST_NAME, student::LAST_NAME, student::USERNAME];
        glance::rows(&STUDENT, files, encoding, columns, |[id, first, last, username]| {
            let (id, student) = (hash(id.as_bytes()), Person::of(first, last, username));
            // Of several rows the first one counts, as it will when they are read.
            if teachers.get(&id).is_some_and(|teacher| both.insert(id) && !teacher.is(&student)) {
                people.apart.insert(id);
            }
            if stranger(&contacts, id, &student) {
                people.strangers.insert(id);
            }
            if owners.get(&student.username).is_some_and(|owner| *owner != id || people.apart.contains(&id)) {
                people.usernames.insert(student.username);
            }
        })?;
        Ok(people)
    }

    /// The id of a student in the canonical roster.
    pub(super) fn student<'i>(&self, id: &'i str) -> Cow<'i, str> {
        self.id("student", id)
    }

    /// The id of a teacher in the canonical roster.
    pub(super) fn teacher<'i>(&self, id: &'i str) -> Cow<'i, str> {
        self.id("teacher", id)
    }

    fn id<'i>(&self, kind: &str, id: &'i str) -> Cow<'i, str> {
        if self.apart.contains(&hash(id.as_bytes())) { Cow::Owned(format!("{kind}:{id}")) } else { Cow::Borrowed(id) }
    }

    /// The id of the contact with this address: its SIS ID when it has one.
    pub(super) fn contact(&self, email: &str) -> Cow<'_, str> {
        match self.contacts.get(&folded(email)) {
            Some(id) if !self.strangers.contains(&hash(id.as_bytes())) => Cow::Borrowed(id),
            Some(id) => Cow::Owned(format!("contact:{id}")),
            None => Cow::Owned(format!("contact:{email}")),
        }
    }

    /// Whether a student and a teacher who are two people have this username.
    pub(super) fn share_username(&self, username: &str) -> bool {
        !self.usernames.is_empty() && self.usernames.contains(&folded(username))
    }
}
