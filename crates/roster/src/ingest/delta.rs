//! Packages of changes (OneRoster `delta`), applied to the set that was accepted before them.
//!
//! The outcome is a whole set again, so that everything behind it knows only whole sets. A file of
//! changes replaces the records that it names: what is `active` takes the place of the record with
//! the same sourcedId or is new, what is `tobedeleted` goes. Records that are not named stay as they
//! stand, byte for byte and in order, with whatever is wrong with them; new ones come behind them.
//!
//! Memory is 24 bytes or so for each change; the set itself is only streamed.

use super::batch::{self, Batch};
use super::row::{Checker, Leads};
use super::{IngestError, pump};
use crate::Source;
use crate::basic::{encoding, header, twice, unread, unreadable};
use crate::chunks::{Chunk, Chunks, first_line};
use crate::codes::Codes;
use crate::fields::Fields;
use crate::finding::{Finding, Severity};
use crate::format::manifest::{self, Manifest, Mode};
use crate::format::oneroster::{STATUS, TO_BE_DELETED};
use crate::format::{Column, Context, FileSpec, Format, Kind, MANIFEST, detect};
use crate::keys::{MARK, hash};
use crate::limits::CHUNK_BYTES;
use crate::model::Entity;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// What roles and profiles are in a package of changes of OneRoster 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// Records with ids of their own, as in the CSV binding.
    Records,
    /// Parts of users, as in the REST binding: those of a user who has changed are all there.
    OfUsers,
}

/// What came of a package of changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The whole set, when nothing catastrophic was found.
    pub files: Vec<Source>,
    /// Records put in, new or in the place of others.
    pub written: u64,
    /// Records of the set before that are no longer there as they were.
    pub replaced: u64,
    /// What kept the package from being applied.
    pub catastrophic: Option<Finding>,
}

/// What the first columns of every file of changes must hold.
static CHANGE: FileSpec = FileSpec {
    mark: Some(|row| row.value(1) == TO_BE_DELETED),
    ..FileSpec::new(
        "changes",
        &[
            Column::need("sourcedId", Kind::Id).or(&["userSourcedId"]),
            Column::need("status", Kind::Word(&STATUS)),
            Column::need("dateLastModified", Kind::Date),
        ],
        &[0],
        &[Entity::Org],
        |_, _| (),
    )
};

/// A file of users' parts that no format reads; it goes with its users all the same.
static USER_PROFILES: FileSpec =
    FileSpec::new("userProfiles.csv", &[Column::need("sourcedId", Kind::Id)], &[0], &[Entity::User], |_, _| ());

/// Whether a package holds, in any file that is read, only what has changed.
pub fn is_delta(files: &[Source]) -> io::Result<bool> {
    let Some(manifest) = Manifest::read(files)? else { return Ok(false) };
    let is_change = |file: &FileSpec| manifest.mode(file.name) == Some(Mode::Delta);
    Ok(Format::ALL.into_iter().filter(|format| format.manifest_version().is_some()).flat_map(Format::files).any(is_change))
}

/// Applies a package of changes to the files of the set before, and writes the whole set, durable, into
/// `out`, which must be there and be empty. `label` is the encoding of both when it is not UTF-8.
pub fn apply(
    base: &[Source],
    changes: &[Source],
    parts: Parts,
    label: Option<&str>,
    out: &Path,
    findings: &mut dyn FnMut(&Finding) -> io::Result<()>,
) -> Result<Applied, IngestError> {
    let encoding = match label {
        Some(label) => Some(encoding(label).ok_or_else(|| IngestError::UnknownEncoding(label.to_owned()))?),
        None => None,
    };
    let mut merge = Merge { encoding, out, findings, parts, users: HashSet::new(), applied: Applied::default() };
    let format = match detect(changes) {
        crate::Detected { format: Ok(format), .. } => format,
        crate::Detected { format: Err(title), why } => {
            merge.emit(unread(&title, &why))?;
            return Ok(merge.applied);
        }
    };
    merge.all(format, base, changes)?;
    if merge.applied.catastrophic.is_some() {
        merge.applied.files.clear();
    }
    merge.applied.files.iter().try_for_each(|file| File::open(&file.path)?.sync_all())?;
    if cfg!(unix) {
        File::open(out)?.sync_all()?;
    }
    Ok(merge.applied)
}

struct Merge<'m> {
    encoding: Option<&'static encoding_rs::Encoding>,
    out: &'m Path,
    findings: &'m mut dyn FnMut(&Finding) -> io::Result<()>,
    parts: Parts,
    /// Users who are among the changes, as hashes, where their parts come with them.
    users: HashSet<u64>,
    applied: Applied,
}

impl Merge<'_> {
    fn emit(&mut self, finding: Finding) -> io::Result<()> {
        (self.findings)(&finding)?;
        if finding.severity() == Severity::Catastrophic {
            self.applied.catastrophic.get_or_insert(finding);
        }
        Ok(())
    }

    fn all(&mut self, format: Format, base: &[Source], changes: &[Source]) -> Result<(), IngestError> {
        for finding in manifest::check(format, changes).into_iter().filter(|finding| finding.code != "DeltaWithoutBase") {
            self.emit(finding)?;
        }
        if base.is_empty() {
            let finding = Finding::of_file("DeltaWithoutBase", MANIFEST, "The package holds changes, and no set was accepted before it.");
            self.emit(finding.hint("Send one package with all records (bulk) first."))?;
        } else if let before = detect(base).format
            && before != Ok(format)
        {
            let before = before.map_or_else(|title| title, |format| format.title().to_owned());
            let message = format!("The changes are in {}, and the set that was accepted before is in {before}.", format.title());
            self.emit(Finding::of_file("DeltaBaseVersion", MANIFEST, message).hint("Send one package with all records (bulk) first."))?;
        }
        let Some(manifest) = Manifest::read(changes)? else { return Ok(()) };
        let unread = (self.parts == Parts::OfUsers).then_some(&USER_PROFILES);
        for spec in format.files().iter().chain(unread) {
            if let Some(finding) = twice(spec, changes) {
                self.emit(finding)?;
            }
            let find = |files: &[Source]| files.iter().find(|source| source.name == spec.name).cloned();
            match (manifest.mode(spec.name), find(base), find(changes)) {
                (Some(Mode::Delta), before, Some(change)) => self.file(spec, before.as_ref(), &change)?,
                (Some(Mode::Bulk), _, Some(whole)) => self.take(&whole)?,
                // What the manifest does not speak of could be either, and is left alone.
                (_, Some(before), _) => self.take(&before)?,
                (_, None, _) => {}
            }
        }
        self.manifest(format)
    }

    /// Takes a file over as it is.
    fn take(&mut self, source: &Source) -> io::Result<()> {
        let path = self.out.join(&source.name);
        std::fs::copy(&source.path, &path)?;
        self.applied.files.push(Source { name: source.name.clone(), path });
        Ok(())
    }

    /// One file of changes applied to the file of the set before, if that has it.
    fn file(&mut self, spec: &FileSpec, before: Option<&Source>, change: &Source) -> Result<(), IngestError> {
        let Some(changes) = self.read(change)? else { return Ok(()) };
        if self.applied.catastrophic.is_some() {
            return Ok(());
        }
        if self.parts == Parts::OfUsers && spec.name == "users.csv" {
            self.users = changes.keys().copied().collect();
        }
        let path = self.out.join(spec.name);
        let mut out = BufWriter::new(File::create(&path)?);
        // With its mark it is UTF-8, whatever encoding is named for the set.
        out.write_all("\u{feff}".as_bytes())?;
        let columns = if let Some(before) = before {
            self.keep(spec, before, change, &changes, &mut out)?
        } else {
            let columns = Lines::open(change, self.encoding)?.header;
            write_row(&mut out, columns.iter().map(String::as_str))?;
            columns
        };
        let mut lines = Lines::open(change, self.encoding)?;
        let latest: HashSet<u64> = changes.values().filter(|latest| !latest.gone).map(|latest| latest.line).collect();
        let positions: Vec<Option<usize>> = columns.iter().map(|column| lines.position(column)).collect();
        let mut fields = Fields::default();
        while let Some((number, line)) = lines.next()? {
            if !latest.contains(&number) || fields.split(line).is_err() {
                continue;
            }
            let text = String::from_utf8_lossy(line);
            // The set is whole: nothing in it is a change any more.
            let is_of_a_change = |column: &str| matches!(column, "status" | "dateLastModified");
            let value = |(column, at): (&String, &Option<usize>)| match at {
                Some(at) if !is_of_a_change(column) && *at < fields.len() => fields.text(&text, *at).to_owned(),
                _ => String::new(),
            };
            let row: Vec<String> = columns.iter().zip(&positions).map(value).collect();
            write_row(&mut out, row.iter().map(String::as_str))?;
            self.applied.written += 1;
        }
        out.into_inner().map_err(io::IntoInnerError::into_error)?;
        self.applied.files.push(Source { name: spec.name.to_owned(), path });
        Ok(())
    }

    /// Writes the records that no change names, nor any of the user whom they belong to; gives the columns.
    fn keep(
        &mut self,
        spec: &FileSpec,
        before: &Source,
        change: &Source,
        changes: &HashMap<u64, Latest>,
        out: &mut impl Write,
    ) -> io::Result<Vec<String>> {
        let mut lines = Lines::open(before, self.encoding)?;
        let mut columns = lines.header.clone();
        let width = columns.len();
        let known = |column: &String| columns.contains(column);
        let more: Vec<String> = Lines::open(change, self.encoding)?.header.into_iter().filter(|column| !known(column)).collect();
        columns.extend(more);
        let padding = ",".repeat(columns.len() - width);
        write_row(out, columns.iter().map(String::as_str))?;
        let key = spec.columns[0].headers().find_map(|name| lines.position(name));
        let owner = lines.position("userSourcedId").filter(|_| ["roles.csv", USER_PROFILES.name].contains(&spec.name));
        let mut fields = Fields::default();
        while let Some((_, line)) = lines.next()? {
            let is_row = std::str::from_utf8(line).is_ok() && fields.split(line).is_ok() && fields.len() == width;
            if let Some(key) = key.filter(|_| is_row) {
                let text = String::from_utf8_lossy(line);
                let hashed = |at: usize| hash(fields.text(&text, at).as_bytes());
                if changes.contains_key(&hashed(key)) || owner.is_some_and(|owner| self.users.contains(&hashed(owner))) {
                    self.applied.replaced += 1;
                    continue;
                }
            }
            out.write_all(line)?;
            out.write_all(padding.as_bytes())?;
            out.write_all(b"\n")?;
        }
        Ok(columns)
    }

    /// The last change of each record that a file of changes names; `None` after a catastrophic finding.
    fn read(&mut self, change: &Source) -> Result<Option<HashMap<u64, Latest>>, IngestError> {
        let mut chunks = match Chunks::open(&change.path, self.encoding, CHUNK_BYTES) {
            Ok(chunks) => chunks,
            Err(error) => {
                self.emit(unreadable(&change.name, &error))?;
                return Ok(None);
            }
        };
        let mut found = Vec::new();
        let header = header(&CHANGE, &change.name, &mut chunks, &mut found);
        // All other columns are looked at with the whole set.
        for finding in found.into_iter().filter(|finding| finding.code != "UnknownColumn") {
            self.emit(finding)?;
        }
        let Some(header) = header else { return Ok(None) };
        let (codes, context) = (Codes::default(), Context::default());
        let checker = Checker::new(&CHANGE, &change.name, &header, &codes, &context, |_| Leads::Nowhere);
        let mut changes = HashMap::new();
        pump::pump(
            &mut chunks,
            1,
            |chunk, batch| batch::check(&checker, chunk, batch, None),
            |Batch { findings, seen, .. }| {
                findings.drain(..).try_for_each(|finding| self.emit(finding))?;
                changes.extend(seen.iter().map(|[key, row, line]| (*key, Latest { line: *line, gone: row & MARK != 0 })));
                Ok(())
            },
        )?;
        Ok(Some(changes))
    }

    /// Says that the set is whole.
    fn manifest(&mut self, format: Format) -> Result<(), IngestError> {
        let mut text =
            format!("propertyName,value\nmanifest.version,1.0\noneroster.version,{}\n", format.manifest_version().unwrap_or_default());
        for stem in format.package() {
            let is_there = self.applied.files.iter().any(|file| file.name.strip_suffix(".csv") == Some(stem));
            text += &format!("file.{stem},{}\n", if is_there { "bulk" } else { "absent" });
        }
        let path = self.out.join(MANIFEST);
        std::fs::write(&path, text)?;
        self.applied.files.push(Source { name: MANIFEST.to_owned(), path });
        Ok(())
    }
}

/// The last change of a record.
struct Latest {
    line: u64,
    gone: bool,
}

/// A file line by line.
struct Lines {
    header: Vec<String>,
    chunks: Chunks,
    chunk: Chunk,
    at: usize,
}

impl Lines {
    fn open(source: &Source, encoding: Option<&'static encoding_rs::Encoding>) -> io::Result<Self> {
        let mut chunks = Chunks::open(&source.path, encoding, CHUNK_BYTES)?;
        let line = chunks.header()?.unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        let mut fields = Fields::default();
        let header = match fields.split(line.as_bytes()) {
            Ok(()) => (0..fields.len()).map(|index| fields.text(&line, index).to_owned()).collect(),
            Err(_) => Vec::new(),
        };
        Ok(Self { header, chunks, chunk: Chunk::default(), at: 0 })
    }

    fn position(&self, column: &str) -> Option<usize> {
        self.header.iter().position(|name| name == column)
    }

    /// The next line that is not empty, with its number.
    fn next(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        loop {
            let Some((stop, next)) = first_line(&self.chunk.bytes[self.at..], true) else {
                match self.chunks.next(std::mem::take(&mut self.chunk.bytes))? {
                    Some(chunk) => (self.chunk, self.at) = (chunk, 0),
                    None => return Ok(None),
                }
                continue;
            };
            let (start, number) = (self.at, self.chunk.line);
            self.at += next;
            self.chunk.line += 1;
            if stop > 0 {
                return Ok(Some((number, &self.chunk.bytes[start..start + stop])));
            }
        }
    }
}

/// One record as a line of CSV.
fn write_row<'v>(out: &mut impl Write, row: impl Iterator<Item = &'v str>) -> io::Result<()> {
    for (index, value) in row.enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        if value.contains(['"', ',']) {
            write!(out, "\"{}\"", value.replace('"', "\"\""))?;
        } else {
            out.write_all(value.as_bytes())?;
        }
    }
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests;
