//! The keys of a file as hashes: what references are checked against.
//!
//! 63 bits a key: among ten million keys the chance that any two look alike is one in 180,000.
//! Memory is 10.7 bytes a key, in a table that is made when the number of keys is known and that
//! never grows.

use crate::finding::shorten;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// The hash of a key. Its lowest bit is free for a mark.
pub(crate) fn hash(key: &[u8]) -> u64 {
    (xxhash_rust::xxh3::xxh3_64(key) & !MARK).max(2)
}

/// The hash of two ids.
pub(crate) fn hash_of_pair(one: &str, other: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(one.as_bytes(), hash(other.as_bytes()))
}

/// A map by [`hash`]: what is spread already needs no hashing.
pub(crate) type ByHash<V> = HashMap<u64, V, BuildHasherDefault<Spread>>;

/// A set of [`hash`]es.
pub(crate) type Hashes = HashSet<u64, BuildHasherDefault<Spread>>;

/// Takes a hash for what it is.
#[derive(Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        // The lowest bit, which says nothing, must not choose the bucket.
        self.0 = hash.rotate_right(MARK.trailing_ones());
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The bit of a hash that says that the record is marked.
pub(crate) const MARK: u64 = 1;

/// Where a hash belongs in a table of so many slots: the place that its high bits name.
fn home(hash: u64, slots: usize) -> usize {
    ((u128::from(hash) * slots as u128) >> 64) as usize
}

/// A set of hashes with room for so many: linear probing from the place that the high bits name, so
/// that hashes that come in about their order touch memory in order.
#[derive(Debug)]
pub(crate) struct KeySet {
    slots: Vec<u64>,
}

impl KeySet {
    pub(crate) fn for_keys(keys: u64) -> Self {
        // Three of four slots are taken at the end; a few more let the smallest sets have a free one.
        Self { slots: vec![0; (keys + keys / 3) as usize + 2] }
    }

    /// Makes it empty, with room for so many.
    pub(crate) fn reset(&mut self, keys: usize) {
        self.slots.clear();
        self.slots.resize(keys + keys / 3 + 2, 0);
    }

    fn home(&self, hash: u64) -> usize {
        home(hash, self.slots.len())
    }

    /// Adds a hash, with or without its mark; `false` when it is there.
    pub(crate) fn insert(&mut self, marked: u64) -> bool {
        let mut slot = self.home(marked);
        loop {
            match self.slots[slot] {
                0 => {
                    self.slots[slot] = marked;
                    return true;
                }
                taken if (taken ^ marked) & !MARK == 0 => return false,
                _ => slot = if slot + 1 == self.slots.len() { 0 } else { slot + 1 },
            }
        }
    }

    /// The hash with its mark.
    pub(crate) fn get(&self, hash: u64) -> Option<u64> {
        let mut slot = self.home(hash);
        loop {
            match self.slots[slot] {
                0 => return None,
                taken if (taken ^ hash) & !MARK == 0 => return Some(taken),
                _ => slot = if slot + 1 == self.slots.len() { 0 } else { slot + 1 },
            }
        }
    }
}

/// A set of hashes of which half is kept beside their place, in half of the memory. What it has it always finds; of
/// four hundred million hashes that it has not it takes one for one that it has.
#[derive(Debug)]
pub(crate) struct HalfSet {
    slots: Vec<u32>,
}

impl HalfSet {
    /// Of these hashes.
    pub(crate) fn of(hashes: &[u64]) -> Self {
        let mut set = Self { slots: vec![0; hashes.len() + hashes.len() / 3 + 2] };
        for hash in hashes {
            if let Err(free) = set.find(*hash) {
                set.slots[free] = Self::kept(*hash);
            }
        }
        set
    }

    /// Zero is a free slot.
    fn kept(hash: u64) -> u32 {
        (hash as u32).max(1)
    }

    /// Where a hash is, or the free slot where it would be.
    fn find(&self, hash: u64) -> Result<usize, usize> {
        let (kept, mut slot) = (Self::kept(hash), home(hash, self.slots.len()));
        loop {
            match self.slots[slot] {
                0 => return Err(slot),
                taken if taken == kept => return Ok(slot),
                _ => slot = if slot + 1 == self.slots.len() { 0 } else { slot + 1 },
            }
        }
    }

    pub(crate) fn has(&self, hash: u64) -> bool {
        self.find(hash).is_ok()
    }
}

/// The keys of one file: accepted ones, and dropped ones apart, so that a consequence can be told
/// from a cause.
pub(crate) struct Keys {
    pub(crate) accepted: KeySet,
    /// Accepted at first, and dropped when the whole file was known.
    pub(crate) late: HashSet<u64>,
    /// Keys of rows that were dropped.
    pub(crate) dropped: Dropped,
    /// When only changes of the file are here: what they delete. Any other key may be that of a record elsewhere.
    pub(crate) elsewhere: Option<HashSet<u64>>,
}

/// Dropped keys that are remembered of a file: an export with more of them is past telling causes from consequences, and
/// memory must not grow with what is wrong. So many fill a table of 2^21 places, which is 18 MiB.
const DROPPED_MAX: usize = (1 << 21) / 8 * 7;

/// Keys of rows that were dropped.
#[derive(Default)]
pub(crate) struct Dropped {
    keys: Hashes,
    /// First causes of keys that were dropped as a consequence; few, since only files that both refer
    /// and are referred to have them.
    roots: HashMap<u64, Box<str>>,
    /// Rows that could not be read, so that they may have had any key.
    pub(crate) unread: u64,
}

impl Dropped {
    /// A row was dropped, by its own fault or, with a root, as a consequence.
    pub(crate) fn add(&mut self, key: u64, root: Option<String>) {
        if self.keys.len() >= DROPPED_MAX && !self.keys.contains(&key) {
            // What refers to it says that it may be among the rows that could not be read.
            self.unread += 1;
            return;
        }
        self.keys.insert(key);
        if let Some(root) = root {
            self.roots.insert(key, root.into_boxed_str());
        }
    }
}

/// What a reference leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Accepted,
    Dropped,
    Missing,
}

impl Keys {
    pub(crate) fn target(&self, key: u64) -> Target {
        if self.accepted.get(key).is_some() {
            if self.late.contains(&key) { Target::Dropped } else { Target::Accepted }
        } else if self.dropped.keys.contains(&key) {
            Target::Dropped
        } else if self.elsewhere.as_ref().is_some_and(|deleted| !deleted.contains(&key)) {
            Target::Accepted
        } else {
            Target::Missing
        }
    }

    /// Whether the record of a key is here and was not marked.
    pub(crate) fn is_unmarked(&self, key: u64) -> bool {
        self.accepted.get(key).is_some_and(|marked| marked & MARK == 0)
    }

    /// Whether the record of a key was marked.
    pub(crate) fn is_marked(&self, key: u64) -> bool {
        self.accepted.get(key).is_some_and(|marked| marked & MARK != 0)
    }

    /// What caused the record of an id to be dropped, as findings name it: the record itself, or the one that it
    /// followed from. None when it was not dropped. `file` is the one that the keys are of.
    pub(crate) fn cause(&self, file: &str, id: &str) -> Option<String> {
        let key = hash(id.as_bytes());
        let own = || format!("'{}' in {file}", shorten(id));
        (self.target(key) == Target::Dropped).then(|| self.dropped.roots.get(&key).map_or_else(own, ToString::to_string))
    }

    /// What to say about a reference that leads to nothing in `file`, when what is missing may be among the rows that
    /// could not be read.
    pub(crate) fn unread_hint(&self, file: &str) -> Option<String> {
        match self.dropped.unread {
            0 => None,
            1 => Some(format!("1 row of {file} could not be read and may be the missing one: mend it first.")),
            rows => Some(format!("{rows} rows of {file} could not be read and may have the missing one among them: mend those first.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// However many rows are wrong, and whatever key a row has that has been remembered before.
    #[test]
    fn so_many_dropped_keys_are_remembered_and_the_others_counted() {
        let mut dropped = Dropped::default();
        let key = |number: u64| hash(&number.to_le_bytes());
        for number in 0..DROPPED_MAX as u64 + 3 {
            dropped.add(key(number), Some("orgs.csv".to_owned()).filter(|_| number + 5 > DROPPED_MAX as u64));
        }
        dropped.add(key(1), None);
        assert_eq!((dropped.keys.len(), dropped.roots.len(), dropped.unread), (DROPPED_MAX, 4, 3));
    }

    /// Wherever their places are, and whatever of them is kept.
    #[test]
    fn half_a_hash_is_found_and_others_are_not() {
        let hashes: Vec<u64> = (0..20_000_u64).map(|id| hash(&id.to_le_bytes())).chain([0, 1 << 63, u64::MAX, u64::MAX << 32]).collect();
        let set = HalfSet::of(&hashes);
        assert!(hashes.iter().all(|hash| set.has(*hash)));
        let others = (20_000..120_000_u64).filter(|id| set.has(hash(&id.to_le_bytes()))).count();
        assert_eq!(others, 0);
        assert!(!HalfSet::of(&[]).has(7));
    }

    proptest! {
        #[test]
        fn a_set_of_keys_is_a_set(keys in proptest::collection::vec(prop_oneof![0..40_u64, any::<u64>(), (u64::MAX - 40)..u64::MAX], 0..60)) {
            let even: Vec<u64> = keys.iter().map(|key| (key & !MARK).max(2)).collect();
            let (mut set, mut oracle) = (KeySet::for_keys(even.len() as u64), HashSet::new());
            for key in &even {
                prop_assert_eq!(set.get(*key).is_some(), oracle.contains(key));
                prop_assert_eq!(set.insert(key | MARK), oracle.insert(*key));
                prop_assert_eq!(set.get(*key), Some(key | MARK));
            }
        }
    }
}
