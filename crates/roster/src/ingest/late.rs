//! The end of a file: duplicates by key and by unique value, and references to the file itself.
//!
//! All of it is decided on hashes. Only the lines that something has to be said about are read again,
//! in one pass, to name keys and values.

use super::batch::{line_and_column, place, row_again};
use super::row::{Checker, FIXED, Told, shown};
use super::snapshot::Snapshot;
use super::view::Records;
use super::{FileReport, IngestError, Tuning};
use crate::basic::header;
use crate::catalogue::severity_of;
use crate::chunks::{Chunk, Chunks, first_line};
use crate::finding::{Finding, Severity, shorten};
use crate::format::Unique;
use crate::keys::{Dropped, KeySet, Keys, MARK, Target};
use crate::limits::SORT_BUFFER_BYTES;
use crate::sort::Sorter;
use crate::spill::{PARTITION_BITS, Spill, Triple};
use crate::stop;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

/// What is gathered about the good rows of a file until its end; see [`super::batch::Batch`].
pub(super) struct Gathered {
    pub(super) seen: Spill,
    pub(super) unique: Spill,
    pub(super) within: Spill,
    pub(super) derived: Spill,
    pub(super) dropped: Dropped,
    /// See [`Keys::elsewhere`].
    pub(super) elsewhere: Option<HashSet<u64>>,
}

impl Gathered {
    pub(super) fn new(dir: &Path, tuning: &Tuning) -> Self {
        let spill = || Spill::new(dir, tuning.spill_rows);
        Self { seen: spill(), unique: spill(), within: spill(), derived: spill(), dropped: Dropped::default(), elsewhere: None }
    }
}

/// What the whole file says about a row.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Verdict {
    /// The same row stands before it.
    Repeated = b'r',
    /// Its key stands before it, with other values.
    Conflicting = b'c',
    /// Another key has what it claims.
    Taken = b't',
    /// It refers to nothing in its file.
    Lost = b'l',
    /// It is its own ancestor.
    Circular = b'o',
    /// A row before it says something else about a record that both describe.
    Differing = b'd',
}

/// What is decided about a value or, in column 0, a row; with the earlier line that decided it, if that was one.
type Decided = (Verdict, usize, u64);

/// What is known at the end of a file.
pub(super) struct Settled {
    /// What later files are checked against.
    pub(super) keys: Keys,
    /// Lines of rows that were good by themselves and are dropped now.
    pub(super) late: HashSet<u64>,
    /// Rows that are kept.
    pub(super) accepted: u64,
    /// Line and column to verdict.
    verdicts: Option<Sorter>,
}

/// Decides about the rows that were gathered. `referred`: whether any reference leads to the file.
pub(super) fn settle(checker: &Checker<'_>, gathered: Gathered, referred: bool, dir: &Path) -> io::Result<Settled> {
    let good = gathered.seen.count();
    let accepted = KeySet::for_keys(if referred { good } else { 0 });
    let keys = Keys { accepted, late: HashSet::new(), dropped: gathered.dropped, elsewhere: gathered.elsewhere };
    let mut settled = Settled { keys, late: HashSet::new(), accepted: 0, verdicts: None };
    let fixed = if checker.spec.varies.is_empty() { !0 } else { FIXED };
    settled.duplicates(gathered.seen, referred, fixed, dir)?;
    if let Some(unique) = checker.spec.unique {
        settled.taken(gathered.unique, unique, dir)?;
    }
    settled.accepted = good - settled.late.len() as u64;
    settled.within(checker, gathered.within, dir)?;
    settled.differing(gathered.derived, dir)?;
    Ok(settled)
}

impl Settled {
    /// `earlier`: the line that decided it; 0 when that was none.
    fn say(&mut self, verdict: Verdict, place: u64, earlier: u64, dir: &Path) -> io::Result<()> {
        let verdicts = self.verdicts.get_or_insert_with(|| Sorter::new(dir, SORT_BUFFER_BYTES));
        let mut payload = [verdict as u8; 9];
        payload[1..].copy_from_slice(&earlier.to_be_bytes());
        verdicts.push(&place.to_be_bytes(), place, &payload)
    }

    /// Of the rows with one key the first one stays, and those that differ from it only in the values that
    /// may vary. `fixed`: the bits of a row's hash that are about the other values.
    fn duplicates(&mut self, seen: Spill, referred: bool, fixed: u64, dir: &Path) -> io::Result<()> {
        let mut apart = KeySet::for_keys(0);
        seen.partitions(|part| {
            if !referred {
                apart.reset(part.len());
            }
            let mut again = HashSet::new();
            for [key, row, _] in part {
                // Within a partition the high bits are all the same.
                let new = if referred { self.keys.accepted.insert(key | row & MARK) } else { apart.insert((key << PARTITION_BITS).max(2)) };
                if !new {
                    again.insert(*key);
                }
            }
            if again.is_empty() {
                return Ok(());
            }
            let mut kept: HashMap<u64, Vec<(u64, u64)>> = HashMap::with_capacity(again.len());
            for [key, row, line] in part.iter().filter(|[key, ..]| again.contains(key)) {
                let kept = kept.entry(*key).or_default();
                let (verdict, earlier) = match (kept.first(), kept.iter().find(|(other, _)| other == row)) {
                    (Some((first, at)), _) if (first ^ row) & fixed != 0 => (Verdict::Conflicting, *at),
                    (_, Some((_, at))) => (Verdict::Repeated, *at),
                    _ => {
                        kept.push((*row, *line));
                        continue;
                    }
                };
                self.late.insert(*line);
                self.say(verdict, place(*line, 0), earlier, dir)?;
            }
            Ok(())
        })
    }

    /// Of the keys that claim one thing the first one keeps it. A row that is a duplicate by its key
    /// takes nothing from anybody.
    fn taken(&mut self, claims: Spill, unique: Unique, dir: &Path) -> io::Result<()> {
        let drops = severity_of(unique.code) >= Severity::Error;
        let mut apart = KeySet::for_keys(0);
        claims.partitions(|part| {
            apart.reset(part.len());
            let again: HashSet<u64> =
                part.iter().map(|[value, ..]| *value).filter(|value| !apart.insert((value << PARTITION_BITS).max(2))).collect();
            let mut owners: HashMap<u64, (u64, u64)> = HashMap::with_capacity(again.len());
            let clashing: Vec<Triple> =
                part.iter().filter(|[value, _, line]| again.contains(value) && !self.late.contains(line)).copied().collect();
            for [value, key, line] in clashing {
                let (owner, earlier) = *owners.entry(value).or_insert((key, line));
                if owner != key {
                    if drops {
                        self.late.insert(line);
                        self.keys.late.insert(key);
                    }
                    self.say(Verdict::Taken, place(line, unique.column), earlier, dir)?;
                }
            }
            Ok(())
        })
    }

    fn within(&mut self, checker: &Checker<'_>, within: Spill, dir: &Path) -> io::Result<()> {
        let mut parents: HashMap<u64, u64> = HashMap::new();
        let mut places: HashMap<u64, u64> = HashMap::new();
        within.partitions(|part| {
            for [key, reference, at] in part {
                let (line, column) = line_and_column(*at);
                if self.late.contains(&line) {
                    continue;
                }
                if self.keys.target(*reference) != Target::Accepted {
                    self.say(Verdict::Lost, *at, 0, dir)?;
                } else if checker.columns[column].column.acyclic {
                    parents.insert(*key, *reference);
                    places.insert(*key, *at);
                }
            }
            io::Result::Ok(())
        })?;
        for key in circular(&parents) {
            self.say(Verdict::Circular, places[&key], 0, dir)?;
        }
        Ok(())
    }

    /// Who says something else about a derived record than a row before; once for each record.
    fn differing(&mut self, derived: Spill, dir: &Path) -> io::Result<()> {
        derived.partitions(|part| {
            let (mut said, mut told) = (HashMap::new(), HashSet::new());
            for [id, value, at] in part {
                let (line, column) = line_and_column(*at);
                if self.late.contains(&line) {
                    continue;
                }
                let (first, earlier) = *said.entry((*id, column)).or_insert((value, line));
                if first != value && told.insert(*id) {
                    self.say(Verdict::Differing, *at, earlier, dir)?;
                }
            }
            Ok(())
        })
    }

    pub(super) fn has_nothing_to_say(&self) -> bool {
        self.verdicts.is_none()
    }

    /// Says what was decided, by line, and corrects the records of rows that lost a value.
    pub(super) fn tell(
        &mut self,
        again: &mut Again<'_>,
        report: &mut FileReport,
        mut snapshot: Option<(&mut Snapshot, u64)>,
        emit: &mut dyn FnMut(&Finding) -> io::Result<()>,
    ) -> Result<(), IngestError> {
        let Some(verdicts) = self.verdicts.take() else { return Ok(()) };
        let keys = &self.keys;
        // A row with several verdicts is corrected once, with all of them.
        let mut pending: Option<(u64, Vec<Decided>)> = None;
        let mut flush = |line: u64, all: &[Decided]| -> Result<(), IngestError> {
            let mut findings = Vec::new();
            let corrected = again.verdict(keys, line, all, &mut findings, snapshot.as_ref().map(|(_, first)| *first))?;
            if let (Some(records), Some((snapshot, first))) = (corrected, &mut snapshot) {
                snapshot.skip(*first + line * 2);
                snapshot.push(&records)?;
            }
            for finding in &findings {
                match finding.severity() {
                    Severity::Error => report.errors += 1,
                    _ => report.warnings += 1,
                }
                emit(finding)?;
            }
            Ok(())
        };
        verdicts.finish::<IngestError>(|row| {
            let (line, column) = line_and_column(row.line);
            let (verdict, earlier) = row.payload.split_at_checked(1).unwrap_or_default();
            let verdict = match verdict {
                b"r" => Verdict::Repeated,
                b"c" => Verdict::Conflicting,
                b"t" => Verdict::Taken,
                b"l" => Verdict::Lost,
                b"d" => Verdict::Differing,
                _ => Verdict::Circular,
            };
            let decided = (verdict, column, earlier.try_into().map_or(0, u64::from_be_bytes));
            match &mut pending {
                Some((current, all)) if *current == line => {
                    if !all.contains(&decided) {
                        all.push(decided);
                    }
                }
                other => {
                    if let Some((line, all)) = other.replace((line, vec![decided])) {
                        flush(line, &all)?;
                    }
                }
            }
            Ok(())
        })?;
        pending.map_or(Ok(()), |(line, all)| flush(line, &all))
    }
}

/// A file read again, for some of its lines.
pub(super) struct Again<'e> {
    checker: &'e Checker<'e>,
    chunks: Chunks,
    chunk: Chunk,
    /// Where the next line starts in the chunk, and its number.
    at: usize,
    line: u64,
}

impl<'e> Again<'e> {
    pub(super) fn open(checker: &'e Checker<'e>, mut chunks: Chunks) -> Self {
        header(checker.spec, checker.file, &mut chunks, &mut Vec::new());
        Self { checker, chunks, chunk: Chunk::default(), at: 0, line: 0 }
    }

    /// A later line than those before.
    fn line(&mut self, wanted: u64) -> io::Result<&str> {
        let gone = || io::Error::new(io::ErrorKind::InvalidData, "the file has changed while it was read");
        loop {
            let Some((stop, next)) = first_line(&self.chunk.bytes[self.at..], true) else {
                stop::check()?;
                self.chunk = self.chunks.next(std::mem::take(&mut self.chunk.bytes))?.ok_or_else(gone)?;
                (self.at, self.line) = (0, self.chunk.line);
                continue;
            };
            let start = self.at;
            (self.at, self.line) = (start + next, self.line + 1);
            if self.line > wanted {
                return std::str::from_utf8(&self.chunk.bytes[start..start + stop]).map_err(|_| gone());
            }
        }
    }

    /// The findings that verdicts about a line come to; also its records when a value of it is dropped
    /// and records are wanted.
    fn verdict(
        &mut self,
        keys: &Keys,
        line: u64,
        verdicts: &[Decided],
        findings: &mut Vec<Finding>,
        records: Option<u64>,
    ) -> io::Result<Option<Records>> {
        let checker = self.checker;
        let mut row = row_again(checker, self.line(line)?, line);
        let mut corrected = None;
        for (verdict, column, earlier) in verdicts {
            match verdict {
                Verdict::Repeated => {
                    let say = |key: &str| format!("The row of '{key}' stands on line {earlier} already; one is kept.");
                    findings.push(about_key(checker, "DuplicateRecord", [line, *earlier], &shown(&checker.key(&row)), say));
                }
                Verdict::Conflicting => {
                    let say = |key: &str| format!("'{key}' stands on line {earlier} already, with other values; the first row is kept.");
                    findings.push(about_key(checker, "ConflictingDuplicate", [line, *earlier], &shown(&checker.key(&row)), say));
                }
                Verdict::Taken => {
                    let Some(unique) = checker.spec.unique else { continue };
                    let told = Told::new(unique.code, (unique.message)(&checker.view(&row), *earlier)).with_earlier(*earlier);
                    checker.about(&mut row, *column, told, findings);
                    if !row.failed {
                        row.set(*column, "");
                        corrected = Some(Records::default());
                    }
                }
                Verdict::Differing => {
                    let Some(derived) = checker.spec.derived.iter().find(|derived| derived.columns.contains(column)) else { continue };
                    let (id, header) = (shorten(&row.values[derived.id]), checker.columns[*column].header);
                    let message = format!("'{id}' has another {header} on line {earlier}, which is kept.");
                    checker.about(&mut row, *column, Told::new("DerivedRecordDiffers", message).with_earlier(*earlier), findings);
                }
                Verdict::Circular => {
                    let message = format!("'{}' is its own ancestor; its parent is dropped.", shorten(&shown(&checker.key(&row))));
                    checker.about(&mut row, *column, Told::new("CyclicParent", message), findings);
                    row.set(*column, "");
                    corrected = Some(Records::default());
                }
                Verdict::Lost => {
                    checker.optional(&mut row, *column, checker.spec.name, keys, findings);
                    corrected = Some(Records::default());
                }
            }
        }
        Ok(records.zip(corrected).map(|(first, mut corrected)| {
            corrected.order = first + line * 2 + 1;
            (checker.spec.map)(&checker.view(&row), &mut corrected);
            corrected
        }))
    }
}

/// A finding about the key of a line that an earlier one has.
fn about_key(checker: &Checker<'_>, code: &'static str, [line, earlier]: [u64; 2], key: &str, say: impl Fn(&str) -> String) -> Finding {
    Finding { line, key: Some(key.to_owned()), earlier: Some(earlier), ..Finding::of_file(code, checker.file, say(key)) }
}

/// The keys that are their own ancestors. Every key is walked over once.
fn circular(parents: &HashMap<u64, u64>) -> HashSet<u64> {
    let mut walk_of: HashMap<u64, usize> = HashMap::new();
    let mut circular = HashSet::new();
    for (walk, start) in parents.keys().enumerate() {
        let mut at = *start;
        // A walk ends at a key without a parent, or where a walk has been.
        while let Some(parent) = parents.get(&at)
            && !walk_of.contains_key(&at)
        {
            walk_of.insert(at, walk);
            at = *parent;
        }
        // Only a walk that meets itself has found a circle; where it met it lies on it.
        while walk_of.get(&at) == Some(&walk) && circular.insert(at) {
            at = parents[&at];
        }
    }
    circular
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn circular_means_being_ones_own_ancestor(parents in proptest::collection::hash_map(0..8_u64, 0..10_u64, 0..9)) {
            let own_ancestor = |id: u64| {
                let mut at = Some(id);
                (0..parents.len()).any(|_| {
                    at = at.and_then(|at| parents.get(&at)).copied();
                    at == Some(id)
                })
            };
            let expected: HashSet<u64> = parents.keys().copied().filter(|id| own_ancestor(*id)).collect();
            prop_assert_eq!(circular(&parents), expected);
        }
    }
}
