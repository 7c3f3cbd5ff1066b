//! Canonical records, sorted into one segment an entity.

use super::facts::{self, Grades};
use super::view::Records;
use super::{FileSpec, IngestError, MANIFEST, SegmentReport};
use crate::model::Entity;
use crate::segment::{Record, SegmentWriter, push_field};
use crate::sort::Sorter;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

/// Where the records of an export go.
pub(super) struct Snapshot {
    out: PathBuf,
    open: BTreeMap<Entity, Open>,
    /// Orders of records that are not to be kept after all.
    skipped: HashSet<u64>,
    /// Bytes of one sorter.
    buffer: usize,
    pub(super) segments: Vec<SegmentReport>,
}

/// An entity that records can still come for.
struct Open {
    sorter: Sorter,
    sources: Vec<String>,
    /// Whether some of its records are only facts that records are made from.
    has_facts: bool,
}

impl Snapshot {
    /// `budget`: bytes of all buffers together.
    pub(super) fn new(out: &Path, files: &[FileSpec], budget: usize) -> Self {
        // An entity is open from the first file that gives it to the last one.
        let is_open = |entity: &Entity, at: usize| {
            let gives = |file: &FileSpec| file.gives.contains(entity);
            files[..=at].iter().any(gives) && files[at..].iter().any(gives)
        };
        let at_once = (0..files.len()).map(|at| Entity::ALL.iter().filter(|entity| is_open(entity, at)).count()).max();
        let buffer = budget / at_once.unwrap_or(1).max(1);
        Self { out: out.to_owned(), open: BTreeMap::new(), skipped: HashSet::new(), buffer, segments: Vec::new() }
    }

    /// A file of the export is read next.
    pub(super) fn begin(&mut self, spec: &FileSpec, source: &str) {
        for entity in spec.gives {
            let open = self.open.entry(*entity);
            let open = open.or_insert_with(|| Open { sorter: Sorter::new(&self.out, self.buffer), sources: Vec::new(), has_facts: false });
            open.sources.push(source.to_owned());
        }
    }

    pub(super) fn push(&mut self, records: &Records) -> io::Result<()> {
        for (entity, order, key, payload) in records.iter() {
            if let Some(open) = self.open.get_mut(&entity) {
                open.sorter.push(key, order, payload)?;
                open.has_facts |= records.has_facts;
            }
        }
        Ok(())
    }

    /// Records of this order are not kept.
    pub(super) fn skip(&mut self, order: u64) {
        self.skipped.insert(order);
    }

    /// Writes the segments of the entities that no later file gives.
    pub(super) fn close(&mut self, later: &[FileSpec]) -> Result<(), IngestError> {
        let done: Vec<Entity> = self.open.keys().copied().filter(|entity| !later.iter().any(|file| file.gives.contains(entity))).collect();
        for entity in done {
            let Some(Open { mut sorter, sources, has_facts }) = self.open.remove(&entity) else { continue };
            if has_facts && entity == Entity::Relationship {
                sorter = facts::relationships(sorter, &self.skipped, &self.out, self.buffer)?;
            }
            let mut grades = (has_facts && entity == Entity::Role).then(Grades::default);
            let mut writer = SegmentWriter::create(&self.out.join(entity.segment()))?;
            let mut held = Held::default();
            sorter.finish::<IngestError>(|row| {
                if self.skipped.contains(&row.line) {
                    return Ok(());
                }
                let payload = match &mut grades {
                    None => row.payload,
                    Some(grades) => match grades.see(row.key, row.payload) {
                        None => return Ok(()),
                        Some(payload) => payload,
                    },
                };
                if held.any && held.key == row.key {
                    held.fill(payload);
                    return Ok(());
                }
                held.give(&mut writer)?;
                held.take(row.key, payload);
                Ok(())
            })?;
            held.give(&mut writer)?;
            let sealed = writer.seal()?;
            let hash = format!("{:032x}", sealed.hash);
            self.segments.push(SegmentReport { source: sources.join(", "), file: entity.segment(), rows: sealed.rows, hash });
        }
        Ok(())
    }

    /// Says that the snapshot is whole.
    pub(super) fn seal(self) -> io::Result<Vec<SegmentReport>> {
        let temporary = self.out.join(MANIFEST).with_extension("part");
        std::fs::write(&temporary, serde_json::to_vec(&self.segments)?)?;
        std::fs::rename(temporary, self.out.join(MANIFEST))?;
        Ok(self.segments)
    }
}

/// A record that is held until the next key: the first one of a key wins, and what it leaves empty is taken
/// from the next ones.
#[derive(Default)]
struct Held {
    any: bool,
    key: Vec<u8>,
    payload: Vec<u8>,
}

impl Held {
    fn take(&mut self, key: &[u8], payload: &[u8]) {
        self.any = true;
        for (own, new) in [(&mut self.key, key), (&mut self.payload, payload)] {
            own.clear();
            own.extend_from_slice(new);
        }
    }

    fn fill(&mut self, payload: &[u8]) {
        let mut filled = Vec::with_capacity(self.payload.len());
        let (own, other) = (Record { key: b"", payload: &self.payload }, Record { key: b"", payload });
        own.fields().zip(other.fields()).for_each(|(own, other)| {
            push_field(&mut filled, if own.is_empty() { other } else { own }.as_bytes());
        });
        self.payload = filled;
    }

    fn give(&self, writer: &mut SegmentWriter) -> io::Result<()> {
        if self.any { writer.push(&self.key, &self.payload) } else { Ok(()) }
    }
}
