//! The keys of a file as hashes: what references are checked against.
//!
//! 64 bits a key: with ten million keys the chance that any wrong reference goes unnoticed is below
//! one in a million, and memory is 16 bytes a key in place of the text.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// The hash of a key.
pub(crate) fn hash(key: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(key)
}

/// A hasher for keys that are hashes already.
#[derive(Default)]
pub(crate) struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(bytes);
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

pub(crate) type HashOnly = BuildHasherDefault<Same>;

/// The keys of one file: accepted ones, and dropped ones apart, so that a consequence can be told
/// from a cause.
#[derive(Default)]
pub(crate) struct Keys {
    accepted: HashSet<u64, HashOnly>,
    dropped: HashSet<u64, HashOnly>,
    /// First causes of keys that were dropped as a consequence; few, since only classes and courses
    /// both refer and are referred to.
    roots: HashMap<u64, Box<str>, HashOnly>,
}

/// What a reference leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Accepted,
    Dropped,
    Missing,
}

impl Keys {
    pub(crate) fn accept(&mut self, key: &[u8]) {
        self.accepted.insert(hash(key));
    }

    /// Whether a row with this key has been accepted: another one is a duplicate.
    pub(crate) fn has(&self, key: &[u8]) -> bool {
        self.accepted.contains(&hash(key))
    }

    /// A row was dropped, by its own fault or, with a root, as a consequence.
    pub(crate) fn drop(&mut self, key: &[u8], root: Option<String>) {
        let key = hash(key);
        self.dropped.insert(key);
        if let Some(root) = root {
            self.roots.insert(key, root.into_boxed_str());
        }
    }

    /// What caused a dropped key to be dropped, when that is another record.
    pub(crate) fn root(&self, key: &[u8]) -> Option<&str> {
        self.roots.get(&hash(key)).map(AsRef::as_ref)
    }

    pub(crate) fn target(&self, key: &[u8]) -> Target {
        let key = hash(key);
        if self.accepted.contains(&key) {
            Target::Accepted
        } else if self.dropped.contains(&key) {
            Target::Dropped
        } else {
            Target::Missing
        }
    }
}

/// Who has a name: hash of the name to hash of the key.
pub(crate) type Owners = HashMap<u64, u64, HashOnly>;
