//! Packages of changes (OneRoster `delta`), applied to the set that was accepted before them.
//!
//! The outcome is a whole set again, so that everything behind it knows only whole sets. A file of
//! changes replaces the records that it names: what is `active` takes the place of the record with
//! the same sourcedId or is new, what is `tobedeleted` goes. Records that are not named stay as they
//! stand, byte for byte and in order, with whatever is wrong with them; new ones come behind them.
//!
//! The binding leaves open what counts when changes contradict each other. Here:
//!
//! - Of several changes of one record the one with the latest `dateLastModified` counts, wherever it stands. At
//!   the same moment the first line counts; a later one that says the same is a warning, else an error (as with
//!   duplicates in a whole file).
//! - A change that is older than what the set holds of its record is not applied, whether it changes or deletes:
//!   packages have come in another order than they were made. What the set holds is as new as the last change that
//!   was applied to it (`dates`), or else as the row itself says. When neither says anything, as after a
//!   whole file with blank dates, the change is applied. A date that is still to come counts as the moment at which it
//!   was applied, and in a row of the set as none, or a wrong clock would keep the record as it is until then.
//! - What is to be deleted and is not there is a warning: the package may be meant for another set.
//! - A change is the whole record. A column that the file of changes does not have is empty in it.
//!
//! Memory is some 60 bytes for each change of a file; the set itself is only streamed.

mod changes;
mod dates;
mod lines;
mod origins;
mod whole;

use super::{IngestError, extent::Deleted};
use crate::Source;
use crate::basic::{encoding, twice, unread};
use crate::fields::Fields;
use crate::finding::{Finding, Severity, shorten};
use crate::format::manifest::{self, Manifest, Mode};
use crate::format::oneroster::USER_PROFILES;
use crate::format::{Detected, FileSpec, Format, MANIFEST, detect};
use crate::keys::hash;
use crate::stop;
use changes::{Changes, Known};
use dates::{Dates, moment};
use encoding_rs::Encoding;
use jiff::Timestamp;
use lines::{Lines, row, write_row};
use origins::FileOrigins;
pub use origins::{Origin, Origins};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use whole::{MODIFIED, Whole, is_of_a_change, known_columns, position};

/// What roles and profiles are in a package of changes of OneRoster 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// Records with ids of their own, as in the CSV binding.
    Records,
    /// Parts of users, as in the REST binding: those of a user who has changed are all there. Such a package is what a
    /// provider says now: nothing in it comes late, and what is said to be deleted may have been deleted before.
    OfUsers,
}

/// What came of a package of changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// What the package was taken for.
    pub detected: Detected,
    /// The whole set, when nothing catastrophic was found.
    pub files: Vec<Source>,
    /// Records put in, new or in the place of others.
    pub written: u64,
    /// Records of the set before that are no longer there as they were.
    pub replaced: u64,
    /// What became of each file, in the order in which they are read.
    pub tables: Vec<FileChanges>,
    /// Where the rows of the set come from; empty unless [`check`] was asked.
    pub origins: Origins,
    /// What the package deletes, when it was looked at without a set.
    pub deleted: Deleted,
    /// What kept the package from being applied.
    pub catastrophic: Option<Finding>,
}

/// What a package does to one file of the set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileChanges {
    /// File name.
    pub name: String,
    /// How the package has the file: `delta`, `bulk` or `absent`. Only for the first all the numbers are known.
    pub mode: &'static str,
    /// Rows of the file of changes, without its header.
    pub rows: u64,
    /// Records that the set did not have.
    pub added: u64,
    /// Records that the set had, with other values or the same.
    pub changed: u64,
    /// Records that are no longer in the set.
    pub removed: u64,
    /// Rows of the set that no change is about, or none that counts.
    pub unchanged: u64,
}

impl FileChanges {
    /// Rows of the file of changes that brought nothing about: faulty, outdated, said before, or about nothing.
    pub fn not_applied(&self) -> u64 {
        self.rows.saturating_sub(self.added + self.changed + self.removed)
    }
}

/// What the manifest of a package says of the files in it that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SentAs {
    /// There is no manifest.
    NotSaid,
    /// No file of it holds only changes.
    Whole,
    /// Some file of it holds only what has changed.
    Changes,
    /// A word that means nothing, at a line of the manifest: property and value.
    Unclear(u64, String, String),
}

/// How a package was sent, by its manifest.
///
/// # Errors
/// When the manifest cannot be read.
pub fn sent_as(files: &[Source]) -> io::Result<SentAs> {
    let Some(manifest) = Manifest::read(files)? else { return Ok(SentAs::NotSaid) };
    let is_change = |file: &FileSpec| manifest.mode(file.name) == Some(Mode::Delta);
    if Format::ALL.into_iter().filter(|format| format.manifest_version().is_some()).flat_map(Format::files).any(is_change) {
        return Ok(SentAs::Changes);
    }
    let unclear = manifest.unclear().map(|(line, name, value)| SentAs::Unclear(line, shorten(name), shorten(value)));
    Ok(unclear.unwrap_or(SentAs::Whole))
}

/// Whether a package holds, in any file that is read, only what has changed.
///
/// # Errors
/// When the manifest cannot be read.
pub fn is_delta(files: &[Source]) -> io::Result<bool> {
    Ok(sent_as(files)? == SentAs::Changes)
}

/// Applies a package of changes, at the moment `now`, to the files of the set before, and writes the whole
/// set, durable, into `out`, which must be there and be empty. `label` is the encoding of both when it is not UTF-8.
pub fn apply(
    base: &[Source],
    changes: &[Source],
    now: Timestamp,
    parts: Parts,
    label: Option<&str>,
    out: &Path,
    findings: &mut dyn FnMut(&Finding) -> io::Result<()>,
) -> Result<Applied, IngestError> {
    let applied = Merge::new(Some(base), now, parts, label, out, findings)?.all(None, changes)?;
    applied.files.iter().try_for_each(|file| File::open(&file.path)?.sync_all())?;
    if cfg!(unix) {
        File::open(out)?.sync_all()?;
    }
    Ok(applied)
}

/// Applies a package as [`apply`] does to see what is wrong with it: where its rows come from is kept. Without a set
/// (`base` is none) what comes out is the records that the package puts in, and [`Applied::deleted`] says for which
/// files that is only a part. `format` is that of the package when it is not to be told from its files.
pub fn check(
    base: Option<&[Source]>,
    changes: &[Source],
    now: Timestamp,
    format: Option<Format>,
    label: Option<&str>,
    out: &Path,
    findings: &mut dyn FnMut(&Finding) -> io::Result<()>,
) -> Result<Applied, IngestError> {
    let merge = Merge::new(base, now, Parts::Records, label, out, findings)?;
    Merge { traced: true, ..merge }.all(format, changes)
}

struct Merge<'m> {
    /// The set before; none when changes are looked at by themselves.
    base: Option<&'m [Source]>,
    /// When the changes are applied, in milliseconds since 1970.
    now: i64,
    encoding: Option<&'static Encoding>,
    traced: bool,
    out: &'m Path,
    findings: &'m mut dyn FnMut(&Finding) -> io::Result<()>,
    parts: Parts,
    /// Users who are among the changes, as hashes, where their parts come with them.
    users: HashSet<u64>,
    /// When records were changed, when that counts.
    dates: Option<Dates>,
    applied: Applied,
}

impl<'m> Merge<'m> {
    fn new(
        base: Option<&'m [Source]>,
        now: Timestamp,
        parts: Parts,
        label: Option<&str>,
        out: &'m Path,
        findings: &'m mut dyn FnMut(&Finding) -> io::Result<()>,
    ) -> Result<Self, IngestError> {
        let found = |label: &str| encoding(label).ok_or_else(|| IngestError::UnknownEncoding(label.to_owned()));
        let encoding = label.map(found).transpose()?;
        let dates = (base.is_some() && parts == Parts::Records).then(|| Dates::create(out, now)).transpose()?;
        let now = now.as_millisecond();
        Ok(Self { base, now, encoding, traced: false, out, findings, parts, users: HashSet::new(), dates, applied: Applied::default() })
    }

    fn emit(&mut self, finding: Finding) -> io::Result<()> {
        (self.findings)(&finding)?;
        if finding.severity() == Severity::Catastrophic {
            self.applied.catastrophic.get_or_insert(finding);
        }
        Ok(())
    }

    /// The whole package, in a format or in the one that its files show.
    fn all(mut self, format: Option<Format>, changes: &[Source]) -> Result<Applied, IngestError> {
        self.applied.detected = format.map_or_else(|| detect(changes), Detected::named);
        match self.applied.detected.format.clone() {
            Ok(format) => self.files(format, changes)?,
            Err(title) => self.emit(unread(&title, &self.applied.detected.why))?,
        }
        self.dates.take().map_or(Ok(()), Dates::finish)?;
        if self.applied.catastrophic.is_some() {
            self.applied.files.clear();
        }
        Ok(self.applied)
    }

    fn files(&mut self, format: Format, changes: &[Source]) -> Result<(), IngestError> {
        for finding in manifest::check(format, changes).into_iter().filter(|finding| finding.code != "DeltaWithoutBase") {
            self.emit(finding)?;
        }
        self.fits(format)?;
        let Some(manifest) = Manifest::read(changes)? else { return Ok(()) };
        let profiles = (self.parts == Parts::OfUsers).then_some(&USER_PROFILES);
        for spec in format.files().iter().chain(profiles) {
            stop::check()?;
            if let Some(finding) = twice(spec, changes) {
                self.emit(finding)?;
            }
            let find = |files: &[Source]| files.iter().find(|source| source.name == spec.name).cloned();
            match (manifest.mode(spec.name), self.base.and_then(find), find(changes)) {
                (Some(Mode::Delta), before, Some(change)) => self.file(spec, before.as_ref(), &change)?,
                (Some(Mode::Bulk), _, Some(whole)) => self.take(&whole, Origin::Changes)?,
                // What the manifest does not speak of could be either, and is left alone.
                (_, Some(before), _) => self.take(&before, Origin::Base)?,
                (_, None, _) => {}
            }
        }
        self.manifest(format)
    }

    /// Whether the set before is one that changes in a format can be applied to.
    fn fits(&mut self, format: Format) -> io::Result<()> {
        let Some(base) = self.base else { return Ok(()) };
        if base.is_empty() {
            let finding = Finding::of_file("DeltaWithoutBase", MANIFEST, "The package holds changes, and no set was accepted before it.");
            self.emit(finding.hint("Send one package with all records (bulk) first."))?;
        } else if let before = detect(base).format
            && before != Ok(format)
        {
            let before = before.map_or_else(|title| title, |format| format.title().to_owned());
            let message = format!("The changes are in {}, and the set that they are for is in {before}.", format.title());
            self.emit(Finding::of_file("DeltaBaseVersion", MANIFEST, message).hint("Send one package with all records (bulk) first."))?;
        }
        Ok(())
    }

    /// Takes a file over as it is.
    fn take(&mut self, source: &Source, origin: Origin) -> io::Result<()> {
        let path = self.out.join(&source.name);
        std::fs::copy(&source.path, &path)?;
        if self.traced {
            self.applied.origins.taken(&source.name, origin);
        }
        // What is sent whole is what there is, whenever it was changed.
        if let (Origin::Base, Some(base), Some(dates)) = (origin, self.base, &mut self.dates) {
            dates.carry(base, &source.name, |_, _| false)?;
        }
        let mode = if origin == Origin::Base { "absent" } else { "bulk" };
        self.applied.tables.push(FileChanges { name: source.name.clone(), mode, ..FileChanges::default() });
        self.applied.files.push(Source { name: source.name.clone(), path });
        Ok(())
    }

    /// One file of changes applied to the file of the set before, if that has it.
    fn file(&mut self, spec: &'static FileSpec, before: Option<&Source>, change: &Source) -> Result<(), IngestError> {
        let changes = Changes::read(spec, change, self.encoding, &mut |finding| self.emit(finding))?;
        let Some(mut changes) = changes.filter(|_| self.applied.catastrophic.is_none()) else { return Ok(()) };
        if let (Some(base), Some(dates)) = (self.base, &mut self.dates) {
            dates.carry(base, spec.name, |key, moment| changes.replaces(key, moment))?;
        }
        let header = Lines::open(change, self.encoding)?.header;
        let mut whole = Whole::create(&self.out.join(spec.name), spec)?;
        whole.table.rows = changes.rows;
        if self.traced {
            whole.origins = Some(FileOrigins::put_together(if before.is_some() { Origin::Base } else { Origin::Changes }));
        }
        if let Some(before) = before {
            self.keep(before, &header, &mut changes, &mut whole)?;
        } else {
            whole.columns = known_columns(spec, &header);
            write_row(&mut whole.out, whole.columns.iter().map(String::as_str))?;
        }
        self.put_in(change, &changes, &mut whole)?;
        if self.parts == Parts::OfUsers && spec.name == "users.csv" {
            self.users = changes.keys().collect();
        }
        let Whole { out, table, origins, .. } = whole;
        out.into_inner().map_err(io::IntoInnerError::into_error)?;
        self.applied.written += table.added + table.changed;
        self.applied.tables.push(table);
        if let Some(origins) = origins {
            self.applied.origins.insert(spec.name, origins);
        }
        self.applied.files.push(Source { name: spec.name.to_owned(), path: self.out.join(spec.name) });
        Ok(())
    }

    /// Writes the records that stay as they are: those that no change names, nor any of the user whom they are a part
    /// of. `header`: that of the file of changes, which may have more columns.
    fn keep(&mut self, before: &Source, header: &[String], changes: &mut Changes, whole: &mut Whole) -> io::Result<()> {
        let spec = whole.spec;
        let mut lines = Lines::open(before, self.encoding)?;
        let width = lines.header.len();
        let is_new = |column: &String| position(spec, &lines.header, column).is_none() && !is_of_a_change(column);
        whole.columns = lines.header.iter().cloned().chain(known_columns(spec, header).into_iter().filter(is_new)).collect();
        let padding = ",".repeat(whole.columns.len() - width);
        write_row(&mut whole.out, whole.columns.iter().map(String::as_str))?;
        let key = position(spec, &lines.header, spec.columns[0].name);
        let date = position(spec, &lines.header, MODIFIED).filter(|_| self.dates.is_some());
        let is_part = ["roles.csv", USER_PROFILES.name].contains(&spec.name);
        let owner = position(spec, &lines.header, "userSourcedId").filter(|_| is_part && !self.users.is_empty());
        let mut fields = Fields::default();
        while let Some((number, line)) = lines.next()? {
            if let Some(key) = key
                && let Some(text) = row(line, width, &mut fields)
            {
                let hashed = |at: usize| hash(fields.text(text, at).as_bytes());
                // What the row says of itself is no news when it is still to come.
                let own = || date.and_then(|date| moment(fields.text(text, date))).filter(|own| *own <= self.now);
                let gives_way = changes.get_mut(hashed(key)).is_some_and(|change| change.meets(own));
                if gives_way || owner.is_some_and(|owner| self.users.contains(&hashed(owner))) {
                    self.applied.replaced += 1;
                    continue;
                }
            }
            whole.out.write_all(line)?;
            whole.out.write_all(padding.as_bytes())?;
            whole.out.write_all(b"\n")?;
            whole.table.unchanged += 1;
            whole.is_of(Origin::Base, number);
        }
        Ok(())
    }

    /// Writes the records that changes put in, and says which changes do nothing.
    fn put_in(&mut self, source: &Source, changes: &Changes, whole: &mut Whole) -> io::Result<()> {
        let spec = whole.spec;
        let mut deleted = Vec::new();
        let mut lines = Lines::open(source, self.encoding)?;
        let from: Vec<Option<usize>> = whole.columns.iter().map(|column| position(spec, &lines.header, column)).collect();
        let (mut reader, mut fields) = (changes.reader(spec, &lines.header), Fields::default());
        while let Some((number, line)) = lines.next()? {
            let Some(text) = reader.row(number, line, &mut fields) else { continue };
            let said = reader.said(text, &fields);
            let Some(change) = changes.get(said.key) else { continue };
            let about = |code, message| said.finding(code, spec.name, number, message);
            if change.line != number {
                self.emit(change.about_another(&said, &about))?;
                continue;
            }
            match (change.known, change.gone, change.there) {
                (Known::Later, ..) => {
                    let message = format!("The change of '{}' is older than what the set has of it; it is not applied.", shorten(said.id));
                    self.emit(about("StaleChange", message).hint("Send packages in the order in which they are made."))?;
                    continue;
                }
                (_, true, _) if change.there || self.base.is_none() => whole.table.removed += 1,
                // It has been deleted already, or comes and goes within the package.
                (Known::Same, true, _) => {}
                (_, true, _) if change.several || self.parts == Parts::OfUsers => {}
                (_, true, _) => {
                    let message = format!("'{}' is to be deleted, and the set does not have it.", shorten(said.id));
                    self.emit(about("DeletedRecordNotFound", message))?;
                }
                (_, false, there) => {
                    *(if there { &mut whole.table.changed } else { &mut whole.table.added }) += 1;
                    whole.put(text, &fields, &from)?;
                    whole.is_of(Origin::Changes, number);
                }
            }
            if change.gone && self.base.is_none() {
                deleted.push(said.key);
            }
            if let Some(dates) = &mut self.dates {
                dates.applied(spec.name, &said)?;
            }
        }
        if self.base.is_none() {
            self.applied.deleted.add(spec.name, deleted);
        }
        Ok(())
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

#[cfg(test)]
mod tests;
