//! Ingest: every row of every file checked, the good ones written as a sorted snapshot.
//!
//! Files are read in order of dependency, so that a reference can be checked when its row is read.
//! Duplicates show up as neighbours when the sort of a file is merged.

mod merge;
mod row;

use crate::Source;
use crate::basic::{Header, encoding, header, twice};
use crate::codes::Codes;
use crate::finding::{Finding, Severity};
use crate::keys::{HashOnly, Keys, Owners};
use crate::limits::VALUE_CHARACTERS_MAX;
use crate::lines::{Fields, Line, Lines};
use crate::model::{Column, Entity, Kind};
use crate::segment::{KEY_SEPARATOR, push_field};
use crate::sort::Sorter;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;

/// Rows between two signs of life.
const PROGRESS_ROWS: u64 = 16_384;

/// How to ingest.
pub struct IngestOptions<'a> {
    /// Lists of values.
    pub codes: &'a Codes,
    /// Label of the encoding when it is not UTF-8, for example `windows-1252`.
    pub encoding: Option<&'a str>,
    /// Called with the file and the rows read so far; `false` stops.
    pub progress: &'a mut dyn FnMut(&str, u64) -> bool,
}

/// Why an ingest did not come to an end.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// A file could not be read or written.
    #[error("cannot read or write roster data")]
    Io(#[from] io::Error),
    /// The caller wanted it to stop.
    #[error("stopped")]
    Stopped,
    /// The options name an encoding that there is not.
    #[error("there is no encoding '{0}'")]
    UnknownEncoding(String),
}

/// What became of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileReport {
    /// File name.
    pub name: String,
    /// Rows read, without the header.
    pub rows: u64,
    /// Rows kept.
    pub accepted: u64,
    /// Rows dropped.
    pub errors: u64,
    /// Values dropped and other remarks.
    pub warnings: u64,
}

/// One segment of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SegmentReport {
    /// File of the export that it was made from.
    pub source: String,
    /// Name of the segment.
    pub file: String,
    /// Records.
    pub rows: u64,
    /// XXH3-128 of the records, in hexadecimal: equal hashes, equal content.
    pub hash: String,
}

/// Name of the list of segments, written last: a snapshot without it is not whole.
pub const MANIFEST: &str = "manifest.json";

/// What became of an export.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IngestReport {
    /// By file, in order of reading.
    pub files: Vec<FileReport>,
    /// Findings by code.
    pub codes: BTreeMap<&'static str, u64>,
    /// The segments written, which is also what `manifest.json` beside them says.
    pub segments: Vec<SegmentReport>,
    /// What stopped it: nothing of the export may be used.
    pub catastrophic: Option<Finding>,
}

impl IngestReport {
    /// Findings of a severity.
    pub fn count(&self, severity: Severity) -> u64 {
        let of = |code: &str| crate::CATALOGUE.iter().find(|e| e.code == code).map(|e| e.severity);
        self.codes.iter().filter(|(code, _)| of(code) == Some(severity)).map(|(_, n)| n).sum()
    }

    /// Errors that are only the consequence of another record's error (decision 18).
    pub fn consequences(&self) -> u64 {
        self.codes.get("ReferencedRecordDropped").copied().unwrap_or_default()
    }

    /// Rows read of all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|f| f.rows).sum()
    }
}

/// Reads an export and writes one segment an entity into `out`, which must be there.
///
/// Findings are given in the order in which they are found: by file, in the file by line, with
/// duplicates at the end of the file.
pub fn ingest(
    files: &[Source],
    options: &mut IngestOptions<'_>,
    out: &Path,
    findings: &mut dyn FnMut(&Finding) -> io::Result<()>,
) -> Result<IngestReport, IngestError> {
    let chosen = match options.encoding {
        Some(label) => Some(encoding(label).ok_or_else(|| IngestError::UnknownEncoding(label.to_owned()))?),
        None => None,
    };
    let mut state = State {
        encoding: chosen,
        report: IngestReport::default(),
        keys: BTreeMap::new(),
        owners: Owners::default(),
        incomplete: HashSet::default(),
        findings,
    };
    for entity in Entity::ALL {
        if let Some(finding) = twice(entity.file(), files) {
            state.stop(finding)?;
            return Ok(state.report);
        }
        let Some(source) = files.iter().find(|file| file.name == entity.file()) else {
            if entity.is_required() {
                let message = format!("{} is not in the export.", entity.file());
                state.stop(Finding::of_file("RequiredFileNotFound", entity.file(), message))?;
                return Ok(state.report);
            }
            continue;
        };
        if !state.file(entity, source, options, out)? {
            return Ok(state.report);
        }
    }
    let temporary = out.join(MANIFEST).with_extension("part");
    std::fs::write(&temporary, serde_json::to_vec(&state.report.segments).map_err(io::Error::from)?)?;
    std::fs::rename(temporary, out.join(MANIFEST))?;
    Ok(state.report)
}

struct State<'a> {
    encoding: Option<&'static encoding_rs::Encoding>,
    report: IngestReport,
    keys: BTreeMap<Entity, Keys>,
    /// Usernames and whose they are.
    owners: Owners,
    /// People without name or address, who therefore cannot be contacts.
    incomplete: HashSet<u64, HashOnly>,
    findings: &'a mut dyn FnMut(&Finding) -> io::Result<()>,
}

/// One row while it is checked.
struct Row<'a> {
    entity: Entity,
    line: u64,
    values: Vec<Cow<'a, str>>,
    failed: bool,
    /// What caused the failure, as long as it is only the consequence of another record's.
    root: Option<String>,
    warnings: u64,
}

impl Row<'_> {
    fn key(&self) -> Vec<u8> {
        let mut key = Vec::new();
        for (index, column) in self.entity.key_columns().iter().enumerate() {
            if index > 0 {
                key.push(KEY_SEPARATOR);
            }
            key.extend_from_slice(self.values[*column].as_bytes());
        }
        key
    }
}

/// A key for people to read.
fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(key).split(char::from(KEY_SEPARATOR)).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

fn shorten(text: &str) -> String {
    text.chars().take(VALUE_CHARACTERS_MAX).collect()
}

impl State<'_> {
    fn emit(&mut self, finding: &Finding) -> io::Result<()> {
        *self.report.codes.entry(finding.code).or_default() += 1;
        (self.findings)(finding)
    }

    fn stop(&mut self, finding: Finding) -> io::Result<()> {
        self.emit(&finding)?;
        self.report.catastrophic = Some(finding);
        Ok(())
    }

    /// A finding about a value of a row.
    fn about(
        &mut self,
        row: &mut Row<'_>,
        code: &'static str,
        column: &Column,
        message: String,
        hint: Option<String>,
        root: Option<String>,
    ) -> io::Result<()> {
        let index = row.entity.column(column.name).unwrap_or_default();
        let value = row.values[index].as_ref();
        let shown_value = (column.kind != Kind::Password && !value.is_empty()).then(|| shorten(value));
        let key = shown(&row.key());
        let root_of_row = root.clone();
        let finding = Finding {
            code,
            file: row.entity.file().to_owned(),
            line: row.line,
            column: Some(column.name),
            key: (!key.is_empty()).then_some(key),
            value: shown_value,
            message,
            hint,
            root,
        };
        if finding.severity() == Severity::Warning {
            row.warnings += 1;
        } else {
            row.root = if row.failed { row.root.take().and(root_of_row) } else { root_of_row };
            row.failed = true;
        }
        self.emit(&finding)
    }

    /// One file; `false` when something catastrophic was found.
    fn file(&mut self, entity: Entity, source: &Source, options: &mut IngestOptions<'_>, out: &Path) -> Result<bool, IngestError> {
        let mut report = FileReport { name: source.name.clone(), ..FileReport::default() };
        let mut lines = match Lines::open(&source.path, self.encoding) {
            Ok(lines) => lines,
            Err(error) => {
                self.stop(Finding::of_file("FileUnreadable", &source.name, format!("{} cannot be read: {error}.", source.name)))?;
                return Ok(false);
            }
        };
        let mut findings = Vec::new();
        let header = header(entity, &mut lines, &mut findings);
        for finding in findings {
            match finding.severity() {
                Severity::Catastrophic if self.report.catastrophic.is_none() => self.stop(finding)?,
                Severity::Catastrophic => self.emit(&finding)?,
                _ => {
                    report.warnings += 1;
                    self.emit(&finding)?;
                }
            }
        }
        let Some(header) = header else {
            self.report.files.push(report);
            return Ok(false);
        };
        let mut sorter = Sorter::new(out);
        self.keys.entry(entity).or_default();
        self.rows(entity, &header, &mut lines, options, &mut sorter, &mut report)?;
        self.merge(entity, sorter, out, &mut report)?;
        let empty = entity.is_required() && report.accepted == 0;
        self.report.files.push(report);
        if empty {
            let message = format!("No row of {} can be used, so the export is taken for broken.", entity.file());
            self.stop(Finding::of_file("EmptyFile", entity.file(), message))?;
            return Ok(false);
        }
        Ok(true)
    }

    fn rows(
        &mut self,
        entity: Entity,
        header: &Header,
        lines: &mut Lines,
        options: &mut IngestOptions<'_>,
        sorter: &mut Sorter,
        report: &mut FileReport,
    ) -> Result<(), IngestError> {
        let mut fields = Fields::default();
        let mut payload = Vec::new();
        let mut missing_files: Vec<&'static str> = Vec::new();
        let mut in_broken_record = false;
        while let Some((number, offset, line)) = next(lines)? {
            let text = match line {
                Line::Text([]) => continue,
                Line::Text(text) => text,
                Line::TooLong => {
                    report.rows += 1;
                    report.errors += 1;
                    self.broken(entity, number, "LineTooLong", "The line is longer than any row can be.".to_owned(), None)?;
                    continue;
                }
                Line::Damaged(at) => {
                    report.rows += 1;
                    report.errors += 1;
                    let message = format!("Character {} of the row means nothing in the encoding of the file.", at + 1);
                    self.broken(entity, number, "InvalidEncoding", message, Some("Export the file as UTF-8.".to_owned()))?;
                    continue;
                }
            };
            let shape = shape(text, offset, header.width, &mut fields);
            let rest = std::mem::take(&mut in_broken_record) && Fields::is_rest_of_value(text);
            if rest && shape.is_err() {
                // Told with the record that it belongs to.
                continue;
            }
            report.rows += 1;
            if report.rows.is_multiple_of(PROGRESS_ROWS) && !(options.progress)(entity.file(), report.rows) {
                return Err(IngestError::Stopped);
            }
            // The rest of a record can by chance look like a record. Nobody is made out of it, but nothing
            // is passed over in silence either, since it could be a record of its own.
            let shape = if rest { Err(rest_of_record(number)) } else { shape };
            if let Err((code, message, hint)) = shape {
                in_broken_record = code == "LineBreakInQuotes" && !rest;
                report.errors += 1;
                self.broken(entity, number, code, message, hint)?;
                continue;
            }
            let mut row = Row { entity, line: number, values: values(entity, header, &fields), failed: false, root: None, warnings: 0 };
            self.check(&mut row, options.codes, &mut missing_files)?;
            report.warnings += row.warnings;
            let key = row.key();
            if row.failed {
                report.errors += 1;
                if entity.is_referred_to() && !key.is_empty() {
                    self.keys.entry(entity).or_default().drop(&key, row.root);
                }
                continue;
            }
            if entity.is_referred_to() {
                self.keys.entry(entity).or_default().accept(&key);
            }
            payload.clear();
            for value in &row.values {
                push_field(&mut payload, value.as_bytes());
            }
            sorter.push(&key, number, &payload)?;
        }
        if (options.progress)(entity.file(), report.rows) { Ok(()) } else { Err(IngestError::Stopped) }
    }

    fn broken(&mut self, entity: Entity, line: u64, code: &'static str, message: String, hint: Option<String>) -> io::Result<()> {
        self.emit(&Finding { line, hint, ..Finding::of_file(code, entity.file(), message) })
    }
}

/// Number, offset and text of the next line.
fn next(lines: &mut Lines) -> io::Result<Option<(u64, u64, Line<'_>)>> {
    // Number and offset are those of the line that `next` gives, known only after it.
    let (number, offset) = lines.upcoming();
    Ok(lines.next()?.map(|line| (number, offset, line)))
}

type Misshapen = (&'static str, String, Option<String>);

fn rest_of_record(number: u64) -> Misshapen {
    let message = format!("The row looks like the rest of the value that was not closed on line {}.", number - 1);
    ("LineBreakInQuotes", message, Some("Mend the line before it; this one may be good by itself.".to_owned()))
}

/// Whether a line can be a row at all.
fn shape(text: &[u8], offset: u64, width: usize, fields: &mut Fields) -> Result<(), Misshapen> {
    if simdutf8::basic::from_utf8(text).is_err() {
        let at = std::str::from_utf8(text).map_or_else(|e| e.valid_up_to(), |_| 0);
        let message = format!("The row is not UTF-8: byte {} of the file.", offset + at as u64);
        let hint = "It looks like Windows-1252; export the file as UTF-8, or name its encoding.";
        return Err(("InvalidEncoding", message, Some(hint.to_owned())));
    }
    if let Some(at) = text.iter().position(|b| *b < b' ' && *b != b'\t') {
        let message = format!("The row has a control character: byte {} of the file.", offset + at as u64);
        return Err(("InvalidCharacter", message, None));
    }
    if fields.split(text).is_err() {
        return Err((
            "LineBreakInQuotes",
            "A quoted value is not closed on its line; line breaks inside values are not allowed.".to_owned(),
            None,
        ));
    }
    if fields.len() != width {
        return Err((
            "FieldCount",
            format!("The row has {} fields and the header {width}.", fields.len()),
            (fields.len() > width).then(|| "A value with a comma needs quotes around it.".to_owned()),
        ));
    }
    Ok(())
}

fn values<'f>(entity: Entity, header: &Header, fields: &'f Fields) -> Vec<Cow<'f, str>> {
    let value = |position: &Option<usize>| position.map_or("", |at| std::str::from_utf8(fields.get(at)).unwrap_or_default());
    debug_assert_eq!(header.positions.len(), entity.columns().len());
    header.positions.iter().map(|position| Cow::Borrowed(value(position))).collect()
}

#[cfg(test)]
mod tests;
