//! What became of the rows of a file from one day to the next.

use super::format::Table;
use serde::Serialize;
use std::collections::HashMap;
use xxhash_rust::xxh3::xxh3_64;

/// The rows of yesterday as hashes, and the keys of the rows that are not as they were. Sixteen bytes a row.
#[derive(Default)]
pub(super) struct Compare {
    before: HashMap<u64, u64>,
    /// Used again and again.
    bytes: Vec<u8>,
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
    joined(table.key, fields)
}

/// The values of some columns, joined by `/`, empty ones left out.
pub(super) fn joined(columns: &[usize], fields: &[&str]) -> String {
    columns.iter().map(|column| fields[*column]).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

impl Compare {
    /// Hashes of the key and of the whole row.
    fn hashes(&mut self, table: &Table, fields: &[&str]) -> (u64, u64) {
        let mut hash = |fields: &mut dyn Iterator<Item = &&str>| {
            self.bytes.clear();
            for field in fields {
                self.bytes.extend_from_slice(field.as_bytes());
                self.bytes.push(0);
            }
            xxh3_64(&self.bytes)
        };
        (hash(&mut table.key.iter().map(|column| &fields[*column])), hash(&mut fields.iter()))
    }

    pub(super) fn remember(&mut self, table: &Table, fields: &[&str]) {
        let (key, row) = self.hashes(table, fields);
        self.before.insert(key, row);
    }

    /// A row of today; what has been remembered and is never seen is gone.
    pub(super) fn see(&mut self, table: &Table, fields: &[&str]) -> Seen {
        let (key_hash, row) = self.hashes(table, fields);
        let list = match self.before.remove(&key_hash) {
            Some(before) if before == row => return Seen::Same,
            Some(_) => &mut self.changes.changed,
            None => &mut self.changes.added,
        };
        list.push(key(table, fields));
        Seen::Different
    }

    /// Whether a row of yesterday is gone today.
    pub(super) fn is_gone(&mut self, table: &Table, fields: &[&str]) -> bool {
        let (key_hash, _) = self.hashes(table, fields);
        let gone = self.before.contains_key(&key_hash);
        if gone {
            self.changes.removed.push(key(table, fields));
        }
        gone
    }
}
