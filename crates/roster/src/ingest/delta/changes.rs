//! What a file of changes says, record by record.

use super::lines::row;
use super::{MODIFIED, moment, position};
use crate::Source;
use crate::basic::{header, unreadable};
use crate::chunks::Chunks;
use crate::codes::Codes;
use crate::fields::Fields;
use crate::finding::{Finding, shorten};
use crate::format::oneroster::{STATUS, TO_BE_DELETED};
use crate::format::{Column, Context, FileSpec, Kind};
use crate::ingest::batch::{self, Batch};
use crate::ingest::row::{Checker, Leads};
use crate::ingest::{IngestError, pump};
use crate::keys::{MARK, hash};
use crate::limits::CHUNK_BYTES;
use crate::model::Entity;
use encoding_rs::Encoding;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;

/// What the first columns of every file of changes must hold.
static CHANGE: FileSpec = FileSpec {
    mark: Some(|row| row.value(1) == TO_BE_DELETED),
    rules: &[|row, report| {
        if moment(row.value(2)).is_none() {
            let message = format!("'{}' in {MODIFIED} is not a moment before the year 2100.", shorten(row.value(2)));
            report.finding("InvalidDate", 2, message);
        }
    }],
    ..FileSpec::new(
        "changes",
        &[
            Column::need("sourcedId", Kind::Id).or(&["userSourcedId"]),
            Column::need("status", Kind::Word(&STATUS)),
            Column::need(MODIFIED, Kind::Date),
        ],
        &[0],
        &[Entity::Org],
        |_, _| (),
    )
};

/// What is known about a record from changes that were applied before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing.
    Nothing,
    /// It was changed before this change.
    Earlier,
    /// It was changed at the same moment: most likely by this very change.
    Same,
    /// It has been changed after this change.
    Later,
}

/// The change of a record that counts.
pub(super) struct Change {
    moment: i64,
    pub(super) line: u64,
    /// Some bits of the hash of the row.
    row: u32,
    /// Whether the record is to be deleted.
    pub(super) gone: bool,
    /// Whether the file has other changes of the record.
    pub(super) several: bool,
    pub(super) known: Known,
    /// Whether the set has the record.
    pub(super) there: bool,
}

impl Change {
    /// The set has the record; gives whether that gives way. `own` is what the row of the set says of itself, which
    /// is heard when nothing else is known.
    pub(super) fn meets(&mut self, own: impl FnOnce() -> Option<i64>) -> bool {
        if !std::mem::replace(&mut self.there, true) && self.known == Known::Nothing && own().is_some_and(|own| own > self.moment) {
            self.known = Known::Later;
        }
        self.known != Known::Later
    }

    /// What is to be said about another change of the record, which does not count.
    pub(super) fn about_another(&self, other: &Said<'_>, about: &impl Fn(&'static str, String) -> Finding) -> Finding {
        let (id, line) = (shorten(other.id), self.line);
        match (self.moment == other.moment, self.row == other.row) {
            (false, _) => about("ChangeSuperseded", format!("'{id}' is changed later too, on line {line}; that change counts.")),
            (true, true) => about("DuplicateRecord", format!("The same change of '{id}' stands on line {line} already.")),
            (true, false) => {
                let message = format!("'{id}' is changed in another way on line {line}, at the same moment; that change counts.");
                about("ConflictingDuplicate", message)
            }
        }
    }
}

/// What a row says beside the values of its record.
pub(super) struct Said<'l> {
    pub(super) id: &'l str,
    pub(super) date: &'l str,
    pub(super) key: u64,
    pub(super) moment: i64,
    row: u32,
}

impl Said<'_> {
    pub(super) fn finding(&self, code: &'static str, file: &str, line: u64, message: String) -> Finding {
        let (key, value) = (Some(shorten(self.id)), Some(shorten(self.date)));
        Finding { line, column: Some(MODIFIED), key, value, ..Finding::of_file(code, file, message) }
    }
}

/// The changes of a file.
pub(super) struct Changes {
    /// Rows of the file.
    pub(super) rows: u64,
    latest: HashMap<u64, Change>,
    /// Lines that are changes, in order; the lowest bit says whether it deletes its record.
    good: Vec<u64>,
}

impl Changes {
    /// Reads a file of changes; none after a catastrophic finding. Only what makes a row a change is looked at: all
    /// else is with the whole set.
    pub(super) fn read(
        spec: &'static FileSpec,
        source: &Source,
        encoding: Option<&'static Encoding>,
        emit: &mut dyn FnMut(Finding) -> io::Result<()>,
    ) -> Result<Option<Self>, IngestError> {
        let open = || Chunks::open(&source.path, encoding, CHUNK_BYTES);
        let (mut whole, mut chunks) = match (open(), open()) {
            (Ok(whole), Ok(chunks)) => (whole, chunks),
            (Err(error), _) | (_, Err(error)) => {
                emit(unreadable(&source.name, &error))?;
                return Ok(None);
            }
        };
        let (mut found, mut again) = (Vec::new(), Vec::new());
        let (of_all, of_changes) =
            (header(spec, &source.name, &mut whole, &mut found), header(&CHANGE, &source.name, &mut chunks, &mut again));
        // Of the columns that only changes need; all else about the header is in what was found at first.
        found.extend(again.into_iter().filter(|finding| finding.column.is_some_and(super::is_of_a_change)));
        found.into_iter().try_for_each(&mut *emit)?;
        let Some(header) = of_all.and(of_changes) else { return Ok(None) };
        let (codes, context) = (Codes::default(), Context::default());
        let checker = Checker::new(&CHANGE, &source.name, &header, &codes, &context, |_| Leads::Nowhere);
        let mut changes = Self { rows: 0, latest: HashMap::new(), good: Vec::new() };
        pump::pump(
            &mut chunks,
            1,
            |chunk, batch, hand_on| batch::check(&checker, chunk, batch, None, hand_on),
            |batch: &mut Batch| -> Result<(), IngestError> {
                batch.findings.drain(..).try_for_each(&mut *emit)?;
                changes.rows += batch.rows;
                changes.good.extend(batch.seen.iter().map(|[_, row, line]| line << 1 | (row & MARK)));
                Ok(())
            },
        )?;
        changes.choose(spec, source, encoding)?;
        Ok(Some(changes))
    }

    /// Which change of each record counts: the latest, and of those at one moment the first.
    fn choose(&mut self, spec: &FileSpec, source: &Source, encoding: Option<&'static Encoding>) -> Result<(), IngestError> {
        let mut lines = super::Lines::open(source, encoding)?;
        // With room for all at once: a table that grows needs twice its size meanwhile.
        let mut latest = HashMap::with_capacity(self.good.len());
        let (mut reader, mut fields) = (self.reader(spec, &lines.header), Fields::default());
        while let Some((line, bytes)) = lines.next()? {
            let Some(text) = reader.row(line, bytes, &mut fields) else { continue };
            let said = reader.said(text, &fields);
            let (moment, row, gone) = (said.moment, said.row, reader.gone);
            let change = Change { moment, line, row, gone, several: false, known: Known::Nothing, there: false };
            match latest.entry(said.key) {
                Entry::Vacant(free) => _ = free.insert(change),
                Entry::Occupied(mut taken) => {
                    if moment > taken.get().moment {
                        taken.insert(change);
                    }
                    taken.get_mut().several = true;
                }
            }
        }
        self.latest = latest;
        Ok(())
    }

    /// The records that have changed.
    pub(super) fn keys(&self) -> impl Iterator<Item = u64> {
        self.latest.keys().copied()
    }

    pub(super) fn get(&self, key: u64) -> Option<&Change> {
        self.latest.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: u64) -> Option<&mut Change> {
        self.latest.get_mut(&key)
    }

    /// A record is known to have been changed at a moment; gives whether there is a change here that is not older.
    pub(super) fn replaces(&mut self, key: u64, moment: i64) -> bool {
        self.get_mut(key).is_some_and(|change| {
            change.known = match moment.cmp(&change.moment) {
                Ordering::Less => Known::Earlier,
                Ordering::Equal => Known::Same,
                Ordering::Greater => Known::Later,
            };
            change.known != Known::Later
        })
    }

    /// What finds the rows of the file that are changes, as it is read again.
    pub(super) fn reader(&self, spec: &FileSpec, header: &[String]) -> Reader<'_> {
        let [id, date] = [spec.columns[0].name, MODIFIED].map(|column| position(spec, header, column).unwrap_or_default());
        Reader { good: self.good.iter(), next: None, gone: false, id, date, width: header.len(), joined: Vec::new() }.ahead()
    }
}

/// Reads a file of changes again.
pub(super) struct Reader<'c> {
    good: std::slice::Iter<'c, u64>,
    next: Option<u64>,
    /// Whether the row at hand deletes its record.
    gone: bool,
    id: usize,
    date: usize,
    width: usize,
    joined: Vec<u8>,
}

impl Reader<'_> {
    fn ahead(mut self) -> Self {
        self.next = self.good.next().copied();
        self
    }

    /// The text of a line that is a change, split into its fields.
    pub(super) fn row<'l>(&mut self, number: u64, line: &'l [u8], fields: &mut Fields) -> Option<&'l str> {
        let next = self.next.filter(|next| next >> 1 == number)?;
        self.gone = next & MARK != 0;
        self.next = self.good.next().copied();
        row(line, self.width, fields)
    }

    /// What the row at hand says.
    pub(super) fn said<'l>(&mut self, text: &'l str, fields: &'l Fields) -> Said<'l> {
        self.joined.clear();
        for column in (0..self.width).filter(|column| *column != self.date) {
            self.joined.extend_from_slice(fields.text(text, column).as_bytes());
            self.joined.push(b'\n');
        }
        let (id, date) = (fields.text(text, self.id), fields.text(text, self.date));
        Said { id, date, key: hash(id.as_bytes()), moment: moment(date).unwrap_or_default(), row: (hash(&self.joined) >> 32) as u32 }
    }
}
