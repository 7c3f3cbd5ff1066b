//! CSV files being written, and what became of their rows since the day before.

use super::changes::{Compare, Seen};
use super::defects::{Injector, Shared};
use super::format::Table;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

const BUFFER_BYTES: usize = 256 * 1024;

/// A CSV file (RFC 4180, CRLF) that knows where it is.
pub(super) struct CsvFile {
    out: BufWriter<File>,
    utf16: bool,
    /// Two columns that stand in each other's place.
    pub(super) swapped: Option<(usize, usize)>,
    record: Vec<u8>,
    /// Number of the next line.
    line: u64,
    records: u64,
    bytes: u64,
}

impl CsvFile {
    pub(super) fn create(path: &Path, utf16: bool) -> io::Result<Self> {
        let out = BufWriter::with_capacity(BUFFER_BYTES, File::create(path)?);
        let mut file = Self { out, utf16, swapped: None, record: Vec::new(), line: 1, records: 0, bytes: 0 };
        if utf16 {
            file.write(&[0xff, 0xfe])?;
        }
        Ok(file)
    }

    /// Writes a record; gives the line that it starts on.
    pub(super) fn put<F: AsRef<[u8]>>(&mut self, fields: impl IntoIterator<Item = F>) -> io::Result<u64> {
        let mut record = std::mem::take(&mut self.record);
        record.clear();
        let mut fields: Vec<F> = fields.into_iter().collect();
        if let Some((one, other)) = self.swapped.filter(|(one, other)| fields.len() > *one.max(other)) {
            fields.swap(one, other);
        }
        for (index, field) in fields.into_iter().enumerate() {
            if index > 0 {
                record.push(b',');
            }
            push_quoted(&mut record, field.as_ref());
        }
        record.extend_from_slice(b"\r\n");
        let line = self.line;
        self.line += memchr::memchr_iter(b'\n', &record).count() as u64;
        if self.utf16 {
            let units = String::from_utf8_lossy(&record).encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
            self.write(&units)?;
        } else {
            self.write(&record)?;
        }
        self.record = record;
        self.records += 1;
        Ok(line)
    }

    /// Records without the header.
    pub(super) fn rows(&self) -> u64 {
        self.records.saturating_sub(1)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    /// Writes what is left; gives the size.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.out.flush()?;
        Ok(self.bytes)
    }
}

fn push_quoted(record: &mut Vec<u8>, field: &[u8]) {
    if memchr::memchr3(b',', b'"', b'\n', field).is_none() && memchr::memchr(b'\r', field).is_none() {
        record.extend_from_slice(field);
        return;
    }
    record.push(b'"');
    for part in field.split_inclusive(|byte| *byte == b'"') {
        record.extend_from_slice(part);
        if part.ends_with(b"\"") {
            record.push(b'"');
        }
    }
    record.push(b'"');
}

/// Which day's population is being walked over, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// The day before, to remember its rows.
    Before,
    /// The day itself.
    Today,
    /// The day before again, for the rows that are gone.
    Gone,
}

/// One file of the set.
pub(super) struct Output {
    pub(super) table: &'static Table,
    pub(super) file: CsvFile,
    pub(super) compare: Option<Compare>,
    pub(super) injector: Option<Injector>,
}

/// All files of a set.
pub(super) struct Outputs {
    pub(super) all: Vec<Output>,
    pub(super) pass: Pass,
    /// Time of the changes, when only they are written.
    pub(super) delta: Option<String>,
    pub(super) shared: Shared,
}

/// Columns of OneRoster that say what became of a row.
const STATUS: usize = 1;
const LAST_MODIFIED: usize = 2;

impl Outputs {
    /// A row of the population.
    pub(super) fn row(&mut self, table: usize, fields: &[&str]) -> io::Result<()> {
        let output = &mut self.all[table];
        debug_assert_eq!(fields.len(), output.table.columns.len(), "{}", output.table.file);
        let status = match (self.pass, &mut output.compare) {
            (Pass::Before, Some(compare)) => {
                compare.remember(output.table, fields);
                return Ok(());
            }
            (Pass::Gone, Some(compare)) => {
                if !compare.is_gone(output.table, fields) || self.delta.is_none() {
                    return Ok(());
                }
                "tobedeleted"
            }
            (_, Some(compare)) => match compare.see(output.table, fields) {
                Seen::Same if self.delta.is_some() => return Ok(()),
                _ => "active",
            },
            (_, None) => "active",
        };
        let Some(modified) = &self.delta else { return output.write(fields, &mut self.shared) };
        let mut changed = fields.to_vec();
        (changed[STATUS], changed[LAST_MODIFIED]) = (status, modified);
        output.write(&changed, &mut self.shared)
    }
}

impl Output {
    fn write(&mut self, fields: &[&str], shared: &mut Shared) -> io::Result<()> {
        match &mut self.injector {
            Some(injector) => injector.row(self.table, fields, &mut self.file, shared),
            None => self.file.put(fields).map(|_| ()),
        }
    }
}
