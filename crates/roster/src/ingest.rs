//! Ingest: every row of every file checked, and the good ones written as a sorted snapshot.
//!
//! Files are read in order of dependency, so that a reference can be checked when its row is read. A
//! file is cut into chunks ([`crate::chunks`]), threads check them ([`batch`]), and what they make of
//! them is absorbed in order, so that the outcome does not depend on the number of threads. What only
//! the whole file can say is decided at its end ([`late`]).

mod batch;
mod broken;
pub mod delta;
mod extent;
mod facts;
mod late;
mod pump;
mod row;
mod snapshot;
mod view;

use crate::Source;
use crate::basic::{encoding, header, header_alone, required, twice, unread, unreadable, unsupported};
use crate::catalogue::severity_of;
use crate::chunks::Chunks;
use crate::codes::Codes;
use crate::finding::{Finding, Severity};
use crate::format::{Context, Detected, FileSpec, Format, detect, manifest};
use crate::keys::Keys;
use crate::limits::{CHUNK_BYTES, SORT_BUFFER_BYTES, SPILL_ROWS, THREADS_MAX};
pub(crate) use batch::says;
pub use extent::Deleted;
use late::{Again, Gathered};
pub(crate) use row::ids;
use row::{Checker, Leads};
use snapshot::Snapshot;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
pub use view::{Records, Report, RowView};

/// How to read an export. [`IngestOptions::new`] gives what most callers want.
pub struct IngestOptions<'a> {
    /// Lists of values.
    pub codes: &'a Codes,
    /// The format, when it is not to be told from the files.
    pub format: Option<Format>,
    /// Label of the encoding of files that are neither UTF-8 nor UTF-16, for example `windows-1252`.
    pub encoding: Option<&'a str>,
    /// Whether the files are part of an export only: no other file is missed, and what they refer to in others
    /// is taken for good.
    pub in_part: bool,
    /// What is deleted, when the files are what [`delta::check`] makes of changes without the set that they are for:
    /// a record that is not here is taken to be in that set, unless it was deleted.
    pub changes: Option<&'a Deleted>,
    /// Called with the file and the rows read so far; `false` stops.
    pub progress: &'a mut dyn FnMut(&str, u64) -> bool,
    /// Threads that check rows; none is as many as there are processors, four at most.
    pub threads: Option<usize>,
    /// Sizes, none of which changes what comes out.
    pub tuning: Tuning,
}

impl<'a> IngestOptions<'a> {
    /// UTF-8 in the format that the files show, by as many threads as are of use.
    pub fn new(codes: &'a Codes, progress: &'a mut dyn FnMut(&str, u64) -> bool) -> Self {
        Self { codes, format: None, encoding: None, in_part: false, changes: None, progress, threads: None, tuning: Tuning::default() }
    }
}

/// Sizes of buffers: what memory it takes, never what comes out.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// Bytes of a file that one thread checks at a time.
    pub chunk_bytes: usize,
    /// Rows of a file whose keys are kept in memory until its end, for each of 256 parts.
    pub spill_rows: usize,
    /// Bytes of the buffers of the external sorts, all together.
    pub sort_bytes: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { chunk_bytes: CHUNK_BYTES, spill_rows: SPILL_ROWS, sort_bytes: SORT_BUFFER_BYTES }
    }
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
    /// Files of the export that it was made from, joined by commas.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestReport {
    /// The format that it was read as, and what tells it.
    pub detected: Detected,
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
        self.codes.iter().filter(|(code, _)| severity_of(code) == severity).map(|(_, n)| n).sum()
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

/// Checks an export: findings and counts, no snapshot. Nothing is written but nameless temporary files.
///
/// Findings are given in the order in which they are found: by file, in the file by line, with
/// duplicates and what else only the whole file can show at its end, by line again.
pub fn validate(
    files: &[Source],
    options: &mut IngestOptions<'_>,
    findings: &mut dyn FnMut(&Finding) -> io::Result<()>,
) -> Result<IngestReport, IngestError> {
    read(files, options, None, findings)
}

/// Checks an export as [`validate`] does and writes one segment an entity into `out`, which must be there.
pub fn ingest(
    files: &[Source],
    options: &mut IngestOptions<'_>,
    out: &Path,
    findings: &mut dyn FnMut(&Finding) -> io::Result<()>,
) -> Result<IngestReport, IngestError> {
    read(files, options, Some(out), findings)
}

fn read(
    files: &[Source],
    options: &mut IngestOptions<'_>,
    out: Option<&Path>,
    findings: &mut dyn FnMut(&Finding) -> io::Result<()>,
) -> Result<IngestReport, IngestError> {
    let detected = options.format.map_or_else(|| detect(files), Detected::named);
    let table = detected.format.as_ref().map_or(&[][..], |format| format.files());
    read_table(files, detected, table, options, out, findings)
}

fn read_table(
    files: &[Source],
    detected: Detected,
    table: &'static [FileSpec],
    options: &mut IngestOptions<'_>,
    out: Option<&Path>,
    findings: &mut dyn FnMut(&Finding) -> io::Result<()>,
) -> Result<IngestReport, IngestError> {
    let chosen = match options.encoding {
        Some(label) => Some(encoding(label).ok_or_else(|| IngestError::UnknownEncoding(label.to_owned()))?),
        None => None,
    };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let context = match &detected.format {
        Ok(format) => format.prepare(&whole(files, options.changes), chosen, out.is_some())?,
        Err(_) => Context::default(),
    };
    let report = IngestReport { detected, files: Vec::new(), codes: BTreeMap::new(), segments: Vec::new(), catastrophic: None };
    let mut engine = Engine {
        encoding: chosen,
        codes: options.codes,
        in_part: options.in_part || options.changes.is_some(),
        changes: options.changes,
        context: &context,
        threads: options.threads.unwrap_or_else(cores),
        tuning: options.tuning,
        progress: options.progress,
        scratch: out.map_or_else(std::env::temp_dir, Path::to_owned),
        snapshot: out.map(|out| Snapshot::new(out, table, options.tuning.sort_bytes)),
        report,
        findings,
    };
    if engine.all(files, table)?
        && let Some(snapshot) = engine.snapshot.take()
    {
        engine.report.segments = snapshot.seal()?;
    }
    Ok(engine.report)
}

/// The files that are all there: what is looked up in them beforehand cannot be elsewhere.
fn whole(files: &[Source], changes: Option<&Deleted>) -> Vec<Source> {
    files.iter().filter(|file| changes.is_none_or(|changes| changes.of(&file.name).is_none())).cloned().collect()
}

struct Engine<'a> {
    encoding: Option<&'static encoding_rs::Encoding>,
    codes: &'a Codes,
    in_part: bool,
    changes: Option<&'a Deleted>,
    context: &'a Context,
    threads: usize,
    tuning: Tuning,
    progress: &'a mut dyn FnMut(&str, u64) -> bool,
    /// Where temporary files go.
    scratch: PathBuf,
    snapshot: Option<Snapshot>,
    report: IngestReport,
    findings: &'a mut dyn FnMut(&Finding) -> io::Result<()>,
}

/// Keys of the files that have been read and that others refer to.
type Known = HashMap<&'static str, Keys>;

impl Engine<'_> {
    fn emit(&mut self, finding: &Finding) -> io::Result<()> {
        *self.report.codes.entry(finding.code).or_default() += 1;
        (self.findings)(finding)
    }

    fn stop(&mut self, finding: Finding) -> io::Result<()> {
        self.emit(&finding)?;
        self.report.catastrophic.get_or_insert(finding);
        Ok(())
    }

    /// All files of a format; `false` when something catastrophic was found.
    fn all(&mut self, files: &[Source], table: &'static [FileSpec]) -> Result<bool, IngestError> {
        let said = match &self.report.detected.format {
            Ok(_) if self.in_part => Vec::new(),
            Ok(format) => manifest::check(*format, files).into_iter().chain(unsupported(*format, table, files)).collect(),
            Err(title) => vec![unread(title, &self.report.detected.why)],
        };
        for finding in &said {
            if finding.severity() == Severity::Catastrophic { self.stop(finding.clone())? } else { self.emit(finding)? }
        }
        let unread = if self.report.catastrophic.is_some() { Some(table) } else { self.in_order(files, table)? };
        // All that must be mended is told at once.
        self.headers(files, unread.unwrap_or_default())?;
        // Changes lack files rightly.
        if !self.in_part && !said.iter().any(|finding| finding.code == "DeltaWithoutBase") {
            let missing = required(files, table).filter(|finding| !said.iter().any(|other| other.file == finding.file));
            missing.into_iter().try_for_each(|finding| self.stop(finding))?;
        }
        Ok(unread.is_none())
    }

    /// The files in order of dependency, up to one that is missing or broken; when there is one, the files that come after it.
    fn in_order(&mut self, files: &[Source], table: &'static [FileSpec]) -> Result<Option<&'static [FileSpec]>, IngestError> {
        let mut known = Known::new();
        for (index, spec) in table.iter().enumerate() {
            let after = &table[index + 1..];
            if let Some(finding) = twice(spec, files) {
                self.stop(finding)?;
                return Ok(Some(after));
            }
            if let Some(source) = files.iter().find(|file| spec.is_named(&file.name)) {
                if !self.file(index, table, source, &mut known)? {
                    return Ok(Some(after));
                }
            } else if spec.required && !self.in_part {
                return Ok(Some(after));
            }
            if let Some(snapshot) = &mut self.snapshot {
                snapshot.close(after)?;
            }
        }
        Ok(None)
    }

    /// What would stop a run at the headers of files that are not read any more.
    fn headers(&mut self, files: &[Source], specs: &'static [FileSpec]) -> io::Result<()> {
        for spec in specs {
            let mut findings: Vec<Finding> = twice(spec, files).into_iter().collect();
            if let Some(source) = files.iter().find(|file| spec.is_named(&file.name)) {
                header_alone(spec, source, self.encoding, &mut findings);
            }
            findings.retain(|finding| finding.severity() == Severity::Catastrophic);
            findings.into_iter().try_for_each(|finding| self.stop(finding))?;
        }
        Ok(())
    }

    /// One file; `false` when something catastrophic was found.
    fn file(&mut self, index: usize, table: &'static [FileSpec], source: &Source, known: &mut Known) -> Result<bool, IngestError> {
        let spec = &table[index];
        let mut report = FileReport { name: source.name.clone(), ..FileReport::default() };
        let mut chunks = match Chunks::open(&source.path, self.encoding, self.tuning.chunk_bytes) {
            Ok(chunks) => chunks,
            Err(error) => {
                self.stop(unreadable(&source.name, &error))?;
                return Ok(false);
            }
        };
        let mut findings = Vec::new();
        let header = header(spec, &source.name, &mut chunks, &mut findings);
        for finding in findings {
            if finding.severity() == Severity::Catastrophic {
                self.stop(finding)?;
            } else {
                report.warnings += 1;
                self.emit(&finding)?;
            }
        }
        let Some(header) = header else {
            self.report.files.push(report);
            return Ok(false);
        };
        let absent = |name| if self.in_part { Leads::Nowhere } else { Leads::Absent(name) };
        let leads = |name| known.get(name).map_or_else(|| absent(name), |keys| Leads::To(name, keys));
        let checker = Checker::new(spec, &source.name, &header, self.codes, self.context, leads);
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.begin(spec, &source.name);
        }
        let first = (index as u64) << ORDER_BITS;
        let referred = table[index..].iter().flat_map(|file| file.columns).any(|column| column.refers_to == Some(spec.name));
        let mut gathered = self.rows(&checker, &mut chunks, first, referred, &mut report)?;
        gathered.elsewhere = self.deleted(spec).cloned();
        let mut settled = late::settle(&checker, gathered, referred, &self.scratch)?;
        report.accepted = settled.accepted;
        self.tell(&checker, source, first, &mut settled, &mut report)?;
        if let Some(snapshot) = &mut self.snapshot {
            settled.late.iter().for_each(|line| snapshot.skip(first + line * 2));
        }
        let empty = spec.required && report.accepted == 0 && self.deleted(spec).is_none();
        self.report.files.push(report);
        if referred {
            known.insert(spec.name, settled.keys);
        }
        if empty {
            let message = format!("No row of {} can be used, so the export is taken for broken.", source.name);
            self.stop(Finding::of_file("EmptyFile", &source.name, message))?;
            return Ok(false);
        }
        Ok(true)
    }

    /// What is deleted of a file of which only changes are here.
    fn deleted(&self, spec: &FileSpec) -> Option<&'_ HashSet<u64>> {
        self.changes.and_then(|changes| changes.of(spec.name))
    }

    /// Reads all rows of a file.
    fn rows(
        &mut self,
        checker: &Checker<'_>,
        chunks: &mut Chunks,
        first: u64,
        referred: bool,
        report: &mut FileReport,
    ) -> Result<Gathered, IngestError> {
        let mut gathered = Gathered::new(&self.scratch, &self.tuning);
        let mut told = Vec::new();
        let records = self.snapshot.is_some().then_some(first);
        pump::pump(
            chunks,
            self.threads,
            |chunk, batch, hand_on| batch::check(checker, chunk, batch, records, hand_on),
            |batch| {
                batch.tell_once(&mut told);
                report.rows += batch.rows;
                report.errors += batch.errors;
                for finding in &batch.findings {
                    report.warnings += u64::from(finding.severity() == Severity::Warning);
                    self.emit(finding)?;
                }
                batch.seen.iter().try_for_each(|seen| gathered.seen.push(*seen))?;
                batch.unique.iter().try_for_each(|unique| gathered.unique.push(*unique))?;
                batch.within.iter().try_for_each(|within| gathered.within.push(*within))?;
                batch.derived.iter().try_for_each(|derived| gathered.derived.push(*derived))?;
                if referred {
                    batch.dropped.drain(..).for_each(|(key, root)| gathered.dropped.add(key, root));
                    gathered.dropped.unread += batch.unread;
                }
                if let Some(snapshot) = &mut self.snapshot {
                    snapshot.push(&batch.records)?;
                }
                if (self.progress)(checker.file, report.rows) { Ok(()) } else { Err(IngestError::Stopped) }
            },
        )?;
        Ok(gathered)
    }

    /// Says what the whole file has shown.
    fn tell(
        &mut self,
        checker: &Checker<'_>,
        source: &Source,
        first: u64,
        settled: &mut late::Settled,
        report: &mut FileReport,
    ) -> Result<(), IngestError> {
        if settled.has_nothing_to_say() {
            return Ok(());
        }
        let mut again = Again::open(checker, Chunks::open(&source.path, self.encoding, self.tuning.chunk_bytes)?);
        let snapshot = self.snapshot.as_mut().map(|snapshot| (snapshot, first));
        let (codes, findings) = (&mut self.report.codes, &mut self.findings);
        settled.tell(&mut again, report, snapshot, &mut |finding| {
            *codes.entry(finding.code).or_default() += 1;
            findings(finding)
        })
    }
}

/// Bits of an order that the line of a record takes, with one below for corrections.
const ORDER_BITS: u32 = 56;

#[cfg(test)]
mod tests;
