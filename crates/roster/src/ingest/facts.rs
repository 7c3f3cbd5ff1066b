//! Records that are made from what several files say about one person.
//!
//! Most rows are records of their own. In OneRoster a relationship is not: one person names another
//! one as agent, and only the roles of both, which may stand in a later file, say who of them is the
//! student and who the contact. Such a row gives facts (see [`Records`](super::view::Records)): records
//! whose last parts of the key are empty, so that in a sorted segment the facts about a person stand
//! before all that they are about.

use crate::model::Entity;
use crate::segment::{KEY_SEPARATOR, Record, push_field};
use crate::sort::Sorter;
use std::collections::HashSet;
use std::io;
use std::path::Path;

/// Gives students' roles the grade level that is known about the person.
#[derive(Default)]
pub(super) struct Grades {
    person: String,
    grade: String,
    payload: Vec<u8>,
}

impl Grades {
    /// What becomes of the next role in order; nothing when it was a fact.
    pub(super) fn see<'p>(&'p mut self, key: &[u8], payload: &'p [u8]) -> Option<&'p [u8]> {
        const ORGANIZATION: usize = 1;
        const ROLE: usize = 2;
        const GRADE: usize = 4;
        let record = Record { key, payload };
        if record.field(ORGANIZATION).is_empty() {
            record.field(0).clone_into(&mut self.person);
            record.field(GRADE).clone_into(&mut self.grade);
            return None;
        }
        if record.field(0) != self.person || record.field(ROLE) != "student" || !record.field(GRADE).is_empty() {
            return Some(payload);
        }
        self.payload.clear();
        for (index, field) in record.fields().enumerate() {
            push_field(&mut self.payload, if index == GRADE { &self.grade } else { field }.as_bytes());
        }
        Some(&self.payload)
    }
}

/// What is known about a person who may be an end of a relationship.
#[derive(Default)]
struct Person {
    id: String,
    is_student: bool,
    /// The first code of relationship, when the person is a contact.
    contact: String,
}

impl Person {
    /// Takes a fact in, after forgetting another person.
    fn take(&mut self, id: &str, relationship: &str) {
        self.meet(id);
        if relationship.is_empty() {
            self.is_student = true;
        } else if self.contact.is_empty() {
            relationship.clone_into(&mut self.contact);
        }
    }

    /// Nothing is known about somebody else.
    fn meet(&mut self, id: &str) {
        if self.id != id {
            *self = Self { id: id.to_owned(), ..Self::default() };
        }
    }
}

/// Relationships of students and contacts, made from who names whom and who is what.
///
/// Facts sorted by the person who names are sorted once more by the person who is named, so that both
/// ends are known without any table of people in memory.
pub(super) fn relationships(facts: Sorter, skipped: &HashSet<u64>, dir: &Path, buffer: usize) -> io::Result<Sorter> {
    let mut by_agent = Sorter::new(dir, buffer);
    let mut person = Person::default();
    let mut payload = Vec::new();
    facts.finish::<io::Error>(|row| {
        if skipped.contains(&row.line) {
            return Ok(());
        }
        let record = Record { key: row.key, payload: row.payload };
        let (id, agent, relationship) = (record.field(0), record.field(1), record.field(2));
        if agent.is_empty() {
            person.take(id, relationship);
            return by_agent.push(row.key, row.line, row.payload);
        }
        person.meet(id);
        payload.clear();
        for field in [agent, id, if person.is_student { "student" } else { "" }, &person.contact] {
            push_field(&mut payload, field.as_bytes());
        }
        by_agent.push(&pair(agent, id), row.line, &payload)
    })?;
    let mut made = Sorter::new(dir, buffer);
    let mut agent = Person::default();
    by_agent.finish::<io::Error>(|row| {
        let record = Record { key: row.key, payload: row.payload };
        let (id, other) = (record.field(0), record.field(1));
        if other.is_empty() {
            agent.take(id, record.field(2));
            return Ok(());
        }
        agent.meet(id);
        let (other_is_student, other_contact) = (!record.field(2).is_empty(), record.field(3));
        let (student, contact, relationship) = if other_is_student && !agent.contact.is_empty() {
            (other, id, agent.contact.as_str())
        } else if agent.is_student && !other_contact.is_empty() {
            (id, other, other_contact)
        } else {
            // Two colleagues, say: somebody to turn to, but nobody's contact.
            return Ok(());
        };
        payload.clear();
        for field in [student, contact, relationship] {
            push_field(&mut payload, field.as_bytes());
        }
        made.push(&pair(student, contact), row.line, &payload)
    })?;
    Ok(made)
}

/// The key of a record about two people.
fn pair(one: &str, other: &str) -> Vec<u8> {
    debug_assert_eq!(Entity::Relationship.key_fields(), [0, 1]);
    [one.as_bytes(), &[KEY_SEPARATOR], other.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::Records;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Relationships of people, each student, contact, both or neither, and who names whom.
    fn made(kinds: &BTreeMap<String, (bool, bool)>, named: &[(String, String)], buffer: usize) -> Vec<(String, String, String)> {
        let dir = tempfile::tempdir().unwrap();
        let mut records = Records::default();
        for (person, agent) in named {
            records.agent(person, agent);
        }
        for (person, (student, contact)) in kinds {
            if *student {
                records.student(person);
            }
            if *contact {
                records.contact(person, "guardian");
            }
        }
        let mut facts = Sorter::new(dir.path(), buffer);
        records.iter().for_each(|(_, order, key, payload)| facts.push(key, order, payload).unwrap());
        let mut out = Vec::new();
        let sorted = relationships(facts, &HashSet::new(), dir.path(), buffer).unwrap();
        sorted
            .finish::<io::Error>(|row| {
                let record = Record { key: row.key, payload: row.payload };
                out.push((record.field(0).to_owned(), record.field(1).to_owned(), record.field(2).to_owned()));
                Ok(())
            })
            .unwrap();
        out.dedup();
        out
    }

    proptest! {
        #[test]
        fn a_relationship_is_a_student_and_a_contact_of_whom_one_names_the_other(
            kinds in proptest::collection::btree_map("[ab]{1,2}", any::<(bool, bool)>(), 0..6),
            named in proptest::collection::vec(("[ab]{1,2}", "[ab]{1,2}"), 0..12),
            buffer in 0..400_usize,
        ) {
            let kind = |id: &str| kinds.get(id).copied().unwrap_or_default();
            let mut expected = BTreeSet::new();
            for (person, agent) in &named {
                if kind(person).0 && kind(agent).1 {
                    expected.insert((person.clone(), agent.clone(), "guardian".to_owned()));
                } else if kind(agent).0 && kind(person).1 {
                    expected.insert((agent.clone(), person.clone(), "guardian".to_owned()));
                }
            }
            let made: BTreeSet<_> = made(&kinds, &named, buffer).into_iter().collect();
            prop_assert_eq!(made, expected);
        }
    }
}
