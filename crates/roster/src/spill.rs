//! Triples of numbers in partitions by their first one, on disk beyond a fixed budget.
//!
//! Equal first numbers meet in one partition, so whoever looks for them needs memory for one
//! partition at a time, whatever the number of triples.

use crate::stop;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Partitions, by the high bits of the first number.
const PARTITIONS: usize = 256;
/// Number of high bits that name the partition.
pub(crate) const PARTITION_BITS: u32 = PARTITIONS.trailing_zeros();

/// Three numbers; the first one is spread over all 64 bits.
pub(crate) type Triple = [u64; 3];

pub(crate) struct Spill {
    parts: Vec<Part>,
    /// Triples of a partition that are kept in memory.
    budget: usize,
    file: Option<File>,
    end: u64,
    dir: PathBuf,
    bytes: Vec<u8>,
    count: u64,
}

#[derive(Default)]
struct Part {
    tail: Vec<Triple>,
    /// Offset and number of triples of each piece that went to disk.
    pieces: Vec<(u64, usize)>,
}

impl Spill {
    /// What does not fit into the budget, in triples a partition, goes to a nameless file in a folder.
    pub(crate) fn new(dir: &Path, budget: usize) -> Self {
        let parts = (0..PARTITIONS).map(|_| Part::default()).collect();
        Self { parts, budget: budget.max(1), file: None, end: 0, dir: dir.to_owned(), bytes: Vec::new(), count: 0 }
    }

    /// Number of triples.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn push(&mut self, triple: Triple) -> io::Result<()> {
        let part = &mut self.parts[(triple[0] >> (64 - PARTITION_BITS)) as usize];
        part.tail.push(triple);
        self.count += 1;
        if part.tail.len() < self.budget {
            return Ok(());
        }
        self.bytes.resize(part.tail.len() * size_of::<Triple>(), 0);
        for (bytes, number) in self.bytes.as_chunks_mut().0.iter_mut().zip(part.tail.as_flattened()) {
            *bytes = number.to_le_bytes();
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile_in(&self.dir)?),
        };
        file.write_all(&self.bytes)?;
        part.pieces.push((self.end, part.tail.len()));
        self.end += self.bytes.len() as u64;
        part.tail.clear();
        Ok(())
    }

    /// Gives the triples of each partition, in the order in which they came.
    pub(crate) fn partitions<E: From<io::Error>>(mut self, mut give: impl FnMut(&[Triple]) -> Result<(), E>) -> Result<(), E> {
        let mut all = Vec::new();
        for part in &mut self.parts {
            stop::check()?;
            all.clear();
            for (offset, count) in &part.pieces {
                let Some(file) = &mut self.file else { break };
                self.bytes.resize(count * size_of::<Triple>(), 0);
                file.seek(SeekFrom::Start(*offset))?;
                file.read_exact(&mut self.bytes)?;
                let (numbers, _) = self.bytes.as_chunks::<8>();
                let (triples, _) = numbers.as_chunks::<3>();
                all.extend(triples.iter().map(|triple| triple.map(u64::from_le_bytes)));
            }
            // Its memory is given back with it.
            all.extend(std::mem::take(&mut part.tail));
            give(&all)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_goes_in_comes_out_in_order_by_partition(triples: Vec<Triple>, budget in 1..5_usize) {
            let dir = tempfile::tempdir().unwrap();
            let mut spill = Spill::new(dir.path(), budget);
            for triple in &triples {
                spill.push(*triple).unwrap();
            }
            prop_assert_eq!(spill.count(), triples.len() as u64);
            let mut out = Vec::new();
            spill.partitions::<io::Error>(|part| { out.extend_from_slice(part); Ok(()) }).unwrap();
            let mut expected = triples;
            expected.sort_by_key(|triple| triple[0] >> (64 - PARTITION_BITS));
            prop_assert_eq!(out, expected);
            prop_assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }
}
