//! Numbers that look random and depend on nothing but a seed and what they are for: whoever asks for
//! student 4711 gets the same one, whatever was asked before.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// What all numbers of a roster come from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed(u64);

impl Seed {
    pub(super) fn new(text: &str) -> Self {
        Self(xxh3_64(text.as_bytes()))
    }

    /// The numbers for one thing of a kind.
    pub(super) fn of(self, kind: &str, index: u64) -> Draw {
        Draw(xxh3_64_with_seed(kind.as_bytes(), self.0 ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }
}

/// A row of numbers (SplitMix64).
#[derive(Debug, Clone)]
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.number()) * u128::from(end)) >> 64) as u64
    }

    /// The same for an index.
    pub(super) fn index(&mut self, end: usize) -> usize {
        self.below(end as u64) as usize
    }

    /// True once in so many times.
    pub(super) fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }
}
