//! How much of an export there is, when it is not all.

use std::collections::{BTreeMap, HashSet};

/// Files of which there are only changes, with the keys that these delete.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Deleted(BTreeMap<&'static str, HashSet<u64>>);

impl Deleted {
    /// Records of a file are deleted.
    pub(super) fn add(&mut self, file: &'static str, keys: impl IntoIterator<Item = u64>) {
        self.0.entry(file).or_default().extend(keys);
    }

    /// What is deleted of a file; none when the file is whole.
    pub(super) fn of(&self, file: &str) -> Option<&HashSet<u64>> {
        self.0.get(file)
    }
}
