//! What the table of a format sees of a row, and what it can say.

use super::row::{Leads, Place, ids};
use crate::codes::{CodeList, Codes};
use crate::format::Context;
use crate::keys::hash;
use crate::model::Entity;
use crate::segment::{KEY_SEPARATOR, push_field};
use std::borrow::Cow;

/// A row whose values have been checked and normalised.
pub struct RowView<'r> {
    pub(crate) values: &'r [Cow<'r, str>],
    pub(crate) columns: &'r [Place<'r>],
    pub(crate) codes: &'r Codes,
    pub(crate) context: &'r Context,
}

impl RowView<'_> {
    /// The value of a column; empty when there is none.
    pub fn value(&self, column: usize) -> &str {
        &self.values[column]
    }

    /// The members of a list in a column.
    pub fn list(&self, column: usize) -> impl Iterator<Item = &str> {
        ids(self.value(column))
    }

    /// The code of a list that a word means; empty when it means none.
    pub fn code(&self, list: CodeList, word: &str) -> &str {
        self.codes.canonical(list, word).unwrap_or_default()
    }

    /// Whether the reference in a column leads to a record of a file that was read, and not marked by it. In one
    /// file by itself no reference does, and among changes none to a record that is not changed.
    pub fn is_unmarked(&self, column: usize) -> bool {
        matches!(self.columns[column].leads, Leads::To(_, keys) if keys.is_unmarked(hash(self.value(column).as_bytes())))
    }

    /// Whether the record that the reference in a column leads to was marked by its file.
    pub fn is_marked(&self, column: usize) -> bool {
        matches!(self.columns[column].leads, Leads::To(_, keys) if keys.is_marked(hash(self.value(column).as_bytes())))
    }
}

/// What the rules of a file find in a row.
#[derive(Default)]
pub struct Report {
    pub(crate) found: Vec<(&'static str, usize, String)>,
    pub(crate) remarks: Vec<(&'static str, usize, String)>,
}

impl Report {
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty() && self.remarks.is_empty()
    }

    /// A finding about a column. By its code an error drops the row, and a warning the value.
    pub fn finding(&mut self, code: &'static str, column: usize, message: String) {
        self.found.push((code, column, message));
    }

    /// A warning that leaves the value as it is.
    pub fn remark(&mut self, code: &'static str, column: usize, message: String) {
        self.remarks.push((code, column, message));
    }
}

/// Canonical records made of rows, encoded one behind the other.
#[derive(Default)]
pub struct Records {
    bytes: Vec<u8>,
    /// Whether any of them is only a fact; see [`super::facts`].
    pub(crate) has_facts: bool,
    /// What the records that are pushed are ordered by: their place in the export.
    pub(crate) order: u64,
}

/// Entity, order, length of the key, length of the payload.
const HEAD_BYTES: usize = 1 + 8 + 4 + 4;

impl Records {
    /// Adds a record with all fields of its entity; the key is made of the key fields.
    pub fn push(&mut self, entity: Entity, fields: &[&str]) {
        debug_assert_eq!(fields.len(), entity.fields().len(), "{entity:?}");
        self.record(entity, |index| fields[index]);
    }

    /// A person has a grade level: that of every role as a student which says none itself.
    pub fn grade(&mut self, person: &str, grade: &str) {
        self.fact(Entity::Role, &[person, "", "", "", grade, "", "", ""]);
    }

    /// A person names another one, who may be a contact or a student.
    pub fn agent(&mut self, person: &str, agent: &str) {
        self.fact(Entity::Relationship, &[person, agent, ""]);
    }

    /// A person is a contact, by a code of relationship.
    pub fn contact(&mut self, person: &str, relationship: &str) {
        self.fact(Entity::Relationship, &[person, "", relationship]);
    }

    /// A person is a student.
    pub fn student(&mut self, person: &str) {
        self.fact(Entity::Relationship, &[person, "", ""]);
    }

    fn fact(&mut self, entity: Entity, fields: &[&str]) {
        self.has_facts = true;
        self.push(entity, fields);
    }

    /// Adds a record of a row whose columns are the fields of the entity.
    pub fn copy(&mut self, entity: Entity, row: &RowView<'_>) {
        self.record(entity, |index| row.value(index));
    }

    fn record<'v>(&mut self, entity: Entity, field: impl Fn(usize) -> &'v str) {
        let head = self.bytes.len();
        self.bytes.push(entity as u8);
        self.bytes.extend_from_slice(&self.order.to_le_bytes());
        self.bytes.extend_from_slice(&[0; 8]);
        for (index, key) in entity.key_fields().iter().enumerate() {
            if index > 0 {
                self.bytes.push(KEY_SEPARATOR);
            }
            self.bytes.extend_from_slice(field(*key).as_bytes());
        }
        let middle = self.bytes.len();
        for index in 0..entity.fields().len() {
            push_field(&mut self.bytes, field(index).as_bytes());
        }
        let (key, payload) = ((middle - head - HEAD_BYTES) as u32, (self.bytes.len() - middle) as u32);
        self.bytes[head + 9..head + 13].copy_from_slice(&key.to_le_bytes());
        self.bytes[head + 13..head + 17].copy_from_slice(&payload.to_le_bytes());
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// Entity, order, key and payload of each record.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Entity, u64, &[u8], &[u8])> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (&[entity, ref numbers @ ..], after) = rest.split_first_chunk::<HEAD_BYTES>()?;
            let (order, lengths) = numbers.split_first_chunk::<8>()?;
            let (key, payload) = lengths.split_first_chunk::<4>()?;
            let length = |bytes: &[u8]| bytes.iter().rev().fold(0, |all, byte| all << 8 | usize::from(*byte));
            let (key, after) = after.split_at_checked(length(key))?;
            let (payload, after) = after.split_at_checked(length(payload))?;
            rest = after;
            Some((Entity::ALL[usize::from(entity)], u64::from_le_bytes(*order), key, payload))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in() {
        let mut records = Records { order: 7, ..Records::default() };
        records.push(Entity::UserFlag, &["u1", "IEP"]);
        records.order = u64::MAX;
        records.push(Entity::Enrollment, &["c", "", "student"]);
        let read: Vec<_> = records.iter().map(|(entity, order, key, _)| (entity, order, key.to_vec())).collect();
        assert_eq!(read, [(Entity::UserFlag, 7, b"u1\x1fIEP".to_vec()), (Entity::Enrollment, u64::MAX, b"c\x1f\x1fstudent".to_vec())]);
        let (.., payload) = records.iter().nth(1).unwrap();
        let fields: Vec<_> = crate::segment::Record { key: b"", payload }.fields().map(str::to_owned).collect();
        assert_eq!(fields, ["c", "", "student"]);
    }

    #[test]
    fn an_entity_is_its_place_in_the_list() {
        assert!(Entity::ALL.iter().enumerate().all(|(index, entity)| *entity as usize == index));
    }
}
