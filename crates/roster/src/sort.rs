//! External sort of rows by (key, line), with bounded memory.
//!
//! Rows are gathered in one arena; when it is full it is sorted and spilled. At the end the runs
//! are merged. A set that fits into memory never touches the disk.

use crate::segment::{read_record, write_record};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek};
use std::path::{Path, PathBuf};

/// Bytes of the line number in front of each payload.
const LINE_BYTES: usize = 8;

pub(crate) struct Sorter {
    arena: Vec<u8>,
    rows: Vec<Row>,
    runs: Vec<File>,
    dir: PathBuf,
    limit: usize,
}

#[derive(Clone, Copy)]
struct Row {
    /// The first bytes of the key as a number: most comparisons need no more, and stay out of the arena.
    prefix: u64,
    start: usize,
    key: u32,
    payload: u32,
}

/// A row that comes out in order.
pub(crate) struct Sorted<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) line: u64,
    pub(crate) payload: &'a [u8],
}

impl Sorter {
    /// Sorts in so many bytes of memory, and in nameless files of a folder beyond them.
    pub(crate) fn new(dir: &Path, limit: usize) -> Self {
        Self { arena: Vec::new(), rows: Vec::new(), runs: Vec::new(), dir: dir.to_owned(), limit }
    }

    pub(crate) fn push(&mut self, key: &[u8], line: u64, payload: &[u8]) -> io::Result<()> {
        if self.arena.len() + self.rows.len() * size_of::<Row>() > self.limit {
            self.spill()?;
        }
        let start = self.arena.len();
        self.arena.extend_from_slice(key);
        self.arena.extend_from_slice(&line.to_be_bytes());
        self.arena.extend_from_slice(payload);
        self.rows.push(Row { prefix: prefix(key), start, key: key.len() as u32, payload: (payload.len() + LINE_BYTES) as u32 });
        Ok(())
    }

    fn parts(&self, row: Row) -> (&[u8], &[u8]) {
        let middle = row.start + row.key as usize;
        (&self.arena[row.start..middle], &self.arena[middle..middle + row.payload as usize])
    }

    /// Rows arrive in order of line, so a stable sort by key alone keeps lines in order.
    fn sort(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        let order = |a: &Row, b: &Row| a.prefix.cmp(&b.prefix).then_with(|| self.parts(*a).0.cmp(self.parts(*b).0));
        if !rows.is_sorted_by(|a, b| order(a, b).is_le()) {
            rows.sort_by(order);
        }
        self.rows = rows;
    }

    fn spill(&mut self) -> io::Result<()> {
        self.sort();
        let mut out = BufWriter::with_capacity(1 << 18, tempfile::tempfile_in(&self.dir)?);
        for row in &self.rows {
            let (key, payload) = self.parts(*row);
            write_record(&mut out, key, payload)?;
        }
        let mut run = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        run.rewind()?;
        self.runs.push(run);
        self.rows.clear();
        self.arena.clear();
        Ok(())
    }

    /// Gives every row in order of key and line.
    pub(crate) fn finish<E: From<io::Error>>(mut self, mut give: impl FnMut(Sorted<'_>) -> Result<(), E>) -> Result<(), E> {
        if self.runs.is_empty() {
            self.sort();
            for row in &self.rows {
                let (key, payload) = self.parts(*row);
                give(sorted(key, payload))?;
            }
            return Ok(());
        }
        self.spill()?;
        self.arena = Vec::new();
        let mut runs = Vec::new();
        for run in self.runs {
            runs.push(Run { input: BufReader::with_capacity(1 << 18, run), bytes: Vec::new() });
        }
        merge(runs, &mut give)
    }
}

/// Sorts as the key does; equal ones say nothing.
fn prefix(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = key.len().min(8);
    bytes[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(bytes)
}

fn sorted<'a>(key: &'a [u8], payload: &'a [u8]) -> Sorted<'a> {
    let (line, payload) = payload.split_first_chunk::<LINE_BYTES>().unwrap_or((&[0; LINE_BYTES], &[]));
    Sorted { key, line: u64::from_be_bytes(*line), payload }
}

struct Run {
    input: BufReader<File>,
    bytes: Vec<u8>,
}

fn merge<E: From<io::Error>>(mut runs: Vec<Run>, give: &mut impl FnMut(Sorted<'_>) -> Result<(), E>) -> Result<(), E> {
    let mut heap = BinaryHeap::new();
    let read = |runs: &mut Vec<Run>, index: usize, heap: &mut BinaryHeap<_>| -> io::Result<()> {
        let run = &mut runs[index];
        if let Some(key) = read_record(&mut run.input, &mut run.bytes)? {
            // Runs were cut in order of line, so the earlier run goes first among equal keys.
            heap.push(Reverse((run.bytes[..key].to_vec(), index, key)));
        }
        Ok(())
    };
    for index in 0..runs.len() {
        read(&mut runs, index, &mut heap)?;
    }
    while let Some(Reverse((_, index, key))) = heap.pop() {
        let (key, payload) = runs[index].bytes.split_at(key);
        give(sorted(key, payload))?;
        read(&mut runs, index, &mut heap)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_external_sort_is_a_stable_sort(keys in proptest::collection::vec("[a-d\\x00]{0,10}", 0..200), limit in 0..2000_usize) {
            let dir = tempfile::tempdir().unwrap();
            let mut sorter = Sorter::new(dir.path(), limit);
            for (line, key) in keys.iter().enumerate() {
                sorter.push(key.as_bytes(), line as u64, format!("p{line}").as_bytes()).unwrap();
            }
            let mut out = Vec::new();
            sorter.finish::<io::Error>(|row| {
                assert_eq!(row.payload, format!("p{}", row.line).as_bytes());
                out.push((String::from_utf8(row.key.to_vec()).unwrap(), row.line));
                Ok(())
            }).unwrap();
            let mut expected: Vec<(String, u64)> = keys.into_iter().zip(0..).collect();
            expected.sort();
            prop_assert_eq!(out, expected);
        }
    }
}
