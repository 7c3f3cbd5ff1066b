//! What became of the rows of a file from one day to the next.

use super::format::Table;
use serde::Serialize;
use std::collections::HashMap;
use xxhash_rust::xxh3::Xxh3;

/// The rows of yesterday as hashes, and the keys of the rows that are not as they were. Sixteen bytes a row.
#[derive(Default)]
pub(super) struct Compare {
    before: HashMap<u64, u64>,
    pub(super) changes: Changes,
}

/// Keys of rows, parts joined by `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Rows that were not there.
    pub added: Vec<String>,
    /// Rows with other values.
    pub changed: Vec<String>,
    /// Rows that are there no more.
    pub removed: Vec<String>,
}

/// What a row of today is to yesterday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    Same,
    Different,
}

/// The key of a row for people, parts joined by `/`, empty ones left out.
pub(super) fn key(table: &Table, fields: &[&str]) -> String {
    table.key.iter().map(|column| fields[*column]).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

fn hash<'f>(fields: impl Iterator<Item = &'f str>) -> u64 {
    let mut hash = Xxh3::new();
    for field in fields {
        hash.update(field.as_bytes());
        hash.update(&[0]);
    }
    hash.digest()
}

fn key_hash(table: &Table, fields: &[&str]) -> u64 {
    hash(table.key.iter().map(|column| fields[*column]))
}

impl Compare {
    pub(super) fn remember(&mut self, table: &Table, fields: &[&str]) {
        self.before.insert(key_hash(table, fields), hash(fields.iter().copied()));
    }

    /// A row of today; what has been remembered and is never seen is gone.
    pub(super) fn see(&mut self, table: &Table, fields: &[&str]) -> Seen {
        let list = match self.before.remove(&key_hash(table, fields)) {
            Some(before) if before == hash(fields.iter().copied()) => return Seen::Same,
            Some(_) => &mut self.changes.changed,
            None => &mut self.changes.added,
        };
        list.push(key(table, fields));
        Seen::Different
    }

    /// Whether a row of yesterday is gone today.
    pub(super) fn is_gone(&mut self, table: &Table, fields: &[&str]) -> bool {
        let gone = self.before.contains_key(&key_hash(table, fields));
        if gone {
            self.changes.removed.push(key(table, fields));
        }
        gone
    }
}
