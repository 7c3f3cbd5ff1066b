//! One chunk checked: all that has to be known about its rows, in order.

use super::broken::Remains;
use super::row::{Checker, Memory, Row, TOLD_ONCE, Told, ids, shown};
use super::view::Records;
use crate::chunks::{Chunk, DAMAGE, first_line};
use crate::fields::{Fields, control_character, is_rest_of_value};
use crate::finding::{Finding, shorten};
use crate::keys::{MARK, hash};
use crate::limits::LINE_BYTES_MAX;
use crate::spill::Triple;
use std::borrow::Cow;

/// Findings of a batch after which it is handed on: what they take must not grow with what is wrong in a chunk.
pub(crate) const FINDINGS_MAX: usize = 4096;

/// What became of the rows of a chunk, or of some of them when there is much to say.
#[derive(Default)]
pub(crate) struct Batch {
    /// Whether another batch of the same chunk follows.
    pub(crate) goes_on: bool,
    pub(crate) findings: Vec<Finding>,
    /// Of each good row: hash of the key, hash of the row with the mark in its lowest bit, line.
    pub(crate) seen: Vec<Triple>,
    /// Of each good row that claims something for itself: hash of that, hash of the key, line.
    pub(crate) unique: Vec<Triple>,
    /// Of each reference of a good row to its own file: hash of the key, hash of the reference, line and
    /// column as [`place`] packs them.
    pub(crate) within: Vec<Triple>,
    /// Of each value that a good row has of a derived record: hash of its id, hash of the value, [`place`].
    pub(crate) derived: Vec<Triple>,
    /// Keys of rows that were dropped, and what caused it when that was another record.
    pub(crate) dropped: Vec<(u64, Option<String>)>,
    pub(crate) records: Records,
    /// Rows read.
    pub(crate) rows: u64,
    /// Rows dropped.
    pub(crate) errors: u64,
    /// Those of them of which nobody can tell for sure whose they are.
    pub(crate) unread: u64,
    /// The buffer of the chunk, to be used again.
    pub(crate) buffer: Vec<u8>,
}

/// Line and column in one number.
pub(crate) fn place(line: u64, column: usize) -> u64 {
    line << 8 | column as u64
}

/// The line and the column of a [`place`].
pub(crate) fn line_and_column(place: u64) -> (u64, usize) {
    (place >> 8, (place & 0xff) as usize)
}

/// What is known about a chunk before its lines are looked at.
struct Traits<'c> {
    /// The chunk as text, when all of it is.
    text: Option<&'c str>,
    quotes: bool,
    controls: bool,
}

impl<'c> Traits<'c> {
    fn of(bytes: &'c [u8]) -> Self {
        // Any but tab, LF and CR. Without a way out in the middle the compiler makes it look at many bytes at
        // a time.
        let is_control = |byte: u8| byte < b' ' && byte != b'\t' && byte != b'\n' && byte != b'\r';
        let controls = bytes.iter().fold(false, |found, byte| found | is_control(*byte));
        Self { text: simdutf8::basic::from_utf8(bytes).ok(), quotes: memchr::memchr(b'"', bytes).is_some(), controls }
    }
}

/// Checks the rows of a chunk, into a batch whose memory is used again. Records are made when they are
/// wanted, with orders from this one on. Gives the last batch of the chunk; those before it, when there is much to say,
/// go to `hand_on`.
pub(crate) fn check(checker: &Checker<'_>, chunk: Chunk, mut batch: Batch, records: Option<u64>, hand_on: &mut dyn FnMut(Batch)) -> Batch {
    batch.clear();
    let traits = Traits::of(&chunk.bytes);
    let mut rows = Rows {
        checker,
        row: Row::new(chunk.line, checker.columns.len()),
        memory: checker.memory(),
        fields: Fields::default(),
        joined: Vec::new(),
        plain: false,
        records,
        batch: &mut batch,
    };
    let mut open = chunk.open;
    let mut start = 0;
    while let Some((stop, next)) = first_line(&chunk.bytes[start..], true) {
        let line = &chunk.bytes[start..start + stop];
        if !line.is_empty() {
            let whole = traits.text.map(|text| &text[start..start + stop]);
            let shape = rows.shape(line, whole, &traits, chunk.offset + start as u64, chunk.decoded);
            open = rows.line(line, shape, open);
            if rows.batch.findings.len() >= FINDINGS_MAX {
                hand_on(Batch { goes_on: true, ..std::mem::take(rows.batch) });
            }
        }
        rows.row.line += 1;
        start += next;
    }
    drop(rows);
    batch.buffer = chunk.bytes;
    batch
}

/// Why a line is no row: code, message, hint.
type Misshapen = (&'static str, String, Option<&'static str>);

struct Rows<'c, 'b> {
    checker: &'c Checker<'c>,
    row: Row<'c>,
    memory: Memory<'c>,
    fields: Fields,
    /// Key and row are put together here.
    joined: Vec<u8>,
    /// Whether the line at hand has no quotes.
    plain: bool,
    records: Option<u64>,
    batch: &'b mut Batch,
}

impl<'c> Rows<'c, '_> {
    /// Whether a line can be a row at all; splits it into its fields.
    fn shape(
        &mut self,
        line: &'c [u8],
        text: Option<&'c str>,
        traits: &Traits<'_>,
        offset: u64,
        decoded: bool,
    ) -> Result<&'c str, Misshapen> {
        if line.len() > LINE_BYTES_MAX {
            return Err(("LineTooLong", "The line is longer than any row can be.".to_owned(), None));
        }
        let text = match text {
            Some(text) => text,
            None => std::str::from_utf8(line).map_err(|error| not_text(line, error.valid_up_to(), offset, decoded))?,
        };
        if traits.controls
            && let Some(at) = control_character(line)
        {
            let message = format!("The row has a control character: byte {} of the file.", offset + at as u64);
            return Err(("InvalidCharacter", message, None));
        }
        self.plain = true;
        if !traits.quotes {
            self.fields.split_plain(line);
        } else if let Ok(plain) = self.fields.split(line) {
            self.plain = plain;
        } else {
            let message = "A quoted value is not closed on its line; line breaks inside values are not allowed.";
            return Err(("LineBreakInQuotes", message.to_owned(), None));
        }
        let (fields, width) = (self.fields.len(), self.checker.width);
        if fields != width {
            let hint = (fields > width).then_some("A value with a comma needs quotes around it.");
            let fields = if fields == 1 { "1 field".to_owned() } else { format!("{fields} fields") };
            return Err(("FieldCount", format!("The row has {fields} and the header {width}."), hint));
        }
        Ok(text)
    }

    /// Takes a line that is not empty; gives whether it leaves a value open.
    fn line(&mut self, line: &[u8], shape: Result<&'c str, Misshapen>, open: bool) -> bool {
        let rest = open && is_rest_of_value(line);
        if rest && shape.is_err() {
            // Told with the record that it belongs to.
            return false;
        }
        self.batch.rows += 1;
        // The rest of a record can by chance look like a record. Nobody is made out of it, but nothing
        // is passed over in silence either, since it could be a record of its own.
        let shape = if rest { Err(rest_of_record(self.row.line)) } else { shape };
        match shape {
            Ok(text) => {
                self.good(text);
                false
            }
            Err(misshapen) => {
                let is_open = misshapen.0 == "LineBreakInQuotes" && !rest;
                self.broken(line, misshapen);
                is_open
            }
        }
    }

    /// A line that is no row.
    fn broken(&mut self, line: &[u8], (code, message, hint): Misshapen) {
        let Self { checker, row, fields, batch, .. } = self;
        let Remains { key, certain } = Remains::of(checker, line, fields);
        batch.errors += 1;
        batch.unread += u64::from(!certain);
        batch.findings.push(Finding {
            line: row.line,
            key: key.as_deref().map(|key| shorten(&shown(key))),
            hint: hint.map(str::to_owned),
            ..Finding::of_file(code, checker.file, message)
        });
        batch.dropped.extend(key.map(|key| (hash(&key), None)));
    }

    /// A line that has the shape of a row.
    fn good(&mut self, text: &'c str) {
        let Self { checker, row, fields, .. } = self;
        fill(checker, row, fields, text);
        if let Some((status, gone)) = checker.spec.gone
            && says(&row.values[status], gone)
        {
            return self.leave_out(status);
        }
        checker.check(row, &mut self.memory, &mut self.batch.findings);
        if self.row.failed { self.drop_row() } else { self.keep(text) }
    }

    /// The row is of a record that is gone. What still refers to it is told apart from what refers to
    /// nothing.
    fn leave_out(&mut self, status: usize) {
        let Self { checker, row, batch, .. } = self;
        let message = format!("The row is left out, since its {} is '{}'.", checker.columns[status].header, row.values[status].trim());
        checker.about(row, status, Told::new("RecordGone", message), &mut batch.findings);
        let key = checker.key(row);
        if !key.is_empty() {
            batch.dropped.push((hash(&key), None));
        }
    }

    fn drop_row(&mut self) {
        self.batch.errors += 1;
        let key = self.checker.key(&self.row);
        if !key.is_empty() {
            self.batch.dropped.push((hash(&key), self.row.root.take()));
        }
    }

    fn keep(&mut self, text: &str) {
        let Self { checker, row, joined, batch, .. } = self;
        let spec = checker.spec;
        let (key, whole) = checker.hashes(row, self.plain.then_some(text), joined);
        let marked = spec.mark.is_some_and(|mark| mark(&checker.view(row)));
        batch.seen.push([key, whole | if marked { MARK } else { 0 }, row.line]);
        if let Some(claim) = spec.unique.and_then(|unique| checker.claim(row, unique, joined)) {
            batch.unique.push([claim, key, row.line]);
        }
        for index in checker.within.iter().copied().filter(|index| !row.values[*index].is_empty()) {
            batch.within.extend(ids(&row.values[index]).map(|id| [key, hash(id.as_bytes()), place(row.line, index)]));
        }
        for (number, derived) in spec.derived.iter().enumerate().filter(|(_, derived)| !row.values[derived.id].is_empty()) {
            joined.clear();
            joined.push(number as u8);
            joined.extend_from_slice(row.values[derived.id].as_bytes());
            let id = hash(joined);
            let said = derived.columns.iter().filter(|column| !row.values[**column].is_empty());
            batch.derived.extend(said.map(|column| [id, hash(row.values[*column].as_bytes()), place(row.line, *column)]));
        }
        if let Some(first) = self.records {
            batch.records.order = first + row.line * 2;
            (spec.map)(&checker.view(row), &mut batch.records);
        }
    }
}

/// Whether a value, mostly empty, is a word.
pub(crate) fn says(value: &str, word: &str) -> bool {
    !value.is_empty() && value.trim().eq_ignore_ascii_case(word)
}

/// Puts the fields of a line into a row, by the columns of the table.
fn fill<'c>(checker: &Checker<'_>, row: &mut Row<'c>, fields: &Fields, text: &'c str) {
    (row.failed, row.changed) = (false, false);
    row.root = None;
    for (value, column) in row.values.iter_mut().zip(&checker.columns) {
        // A column that the file lacks stays empty.
        let Some(position) = column.position else { continue };
        *value = match fields.get(text, position) {
            Ok(piece) => Cow::Borrowed(piece),
            Err(mended) => Cow::Owned(mended.to_owned()),
        };
    }
}

/// A row that was kept, once more, with its normalised values.
pub(crate) fn row_again<'c>(checker: &'c Checker<'_>, line: &'c str, number: u64) -> Row<'c> {
    let mut fields = Fields::default();
    let mut row = Row::new(number, checker.columns.len());
    if fields.split(line.as_bytes()).is_ok() && fields.len() == checker.width {
        fill(checker, &mut row, &fields, line);
        // What is to be said about its values has been said.
        checker.check(&mut row, &mut checker.memory(), &mut Vec::new());
    }
    row
}

fn not_text(line: &[u8], at: usize, offset: u64, decoded: bool) -> Misshapen {
    if decoded && line[at] == DAMAGE {
        let before = String::from_utf8_lossy(&line[..at]).chars().count();
        let message = format!("Character {} of the row means nothing in the encoding of the file.", before + 1);
        return ("InvalidEncoding", message, Some("Export the file as UTF-8."));
    }
    let message = format!("The row is not UTF-8: byte {} of the file.", offset + at as u64);
    let hint = if looks_like_windows_1252(line) {
        "It looks like Windows-1252: export the file as UTF-8, or name its encoding if all of it is in that one \
         (--encoding windows-1252 on the command line); else mend this row."
    } else {
        "It is in some other encoding: export the file as UTF-8, or name its encoding if all of it is in that one \
         (--encoding on the command line); else mend this row."
    };
    ("InvalidEncoding", message, Some(hint))
}

/// Whether there are single letters beyond ASCII among others, as western languages have them. In other
/// scripts nearly every letter is one.
fn looks_like_windows_1252(line: &[u8]) -> bool {
    const UNUSED: [u8; 5] = [0x81, 0x8d, 0x8f, 0x90, 0x9d];
    !line.iter().any(|byte| UNUSED.contains(byte)) && !line.windows(3).any(|three| three.iter().all(|byte| !byte.is_ascii()))
}

fn rest_of_record(line: u64) -> Misshapen {
    let message = format!("The row looks like the rest of the value that was not closed on line {}.", line - 1);
    ("LineBreakInQuotes", message, Some("Mend the line before it; this one may be good by itself."))
}

impl Batch {
    /// Empties it and keeps its memory.
    fn clear(&mut self) {
        self.findings.clear();
        [&mut self.seen, &mut self.unique, &mut self.within, &mut self.derived].into_iter().for_each(Vec::clear);
        self.dropped.clear();
        self.records.clear();
        (self.rows, self.errors, self.unread) = (0, 0, 0);
        self.goes_on = false;
    }

    /// Leaves out what an earlier chunk of the file has told already.
    pub(crate) fn tell_once(&mut self, told: &mut Vec<(&'static str, Option<&'static str>)>) {
        self.findings.retain(|finding| {
            let this = (finding.code, finding.column);
            if !TOLD_ONCE.contains(&finding.code) {
                return true;
            }
            let new = !told.contains(&this);
            if new {
                told.push(this);
            }
            new
        });
    }
}
