//! `homeroom validate`: the whole check of an export, without a server.

mod advice;
mod changes;
mod show;

use super::report::Report;
use super::{Ended, Failure, scratch};
use crate::cli;
use crate::output;
use changes::{Package, traced};
use roster::archive::{ArchiveLimits, Opened, is_archive, open_archives};
use roster::delta::Applied;
use roster::report::Findings;
use roster::{Deleted, Detected, Finding, IngestError, IngestOptions, IngestReport, MissingFile, Severity, Source};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Places of a kind of finding that a terminal shows.
const PLACES_SHOWN: usize = 3;

/// Checks an export and says what is wrong with it.
pub(super) fn run(arguments: &cli::Validate) -> Result<Ended, Failure> {
    let folder = scratch::folder()?;
    let (opened, in_part) = sources(arguments, folder.path())?;
    let files = &opened.files;
    let input = files.iter().map(|file| file.path.as_path()).chain(arguments.base.as_deref()).chain([arguments.path.as_path()]);
    if let Some(same) = arguments.report.iter().find(|report| input.clone().any(|input| is_same(input, report))) {
        return Err(Failure::new(format!("the report would take the place of {}, which is checked", same.display())).usage());
    }
    let reports: Vec<Report> = arguments.report.iter().map(|path| Report::create(path)).collect::<Result<_, _>>()?;
    let format = roster::Format::of_name(&arguments.format);
    let package = if opened.errors.is_empty() { Package::of(arguments, files, format, in_part, folder.path())? } else { None };
    let log_path = folder.path().join("findings.jsonl");
    let log = if reports.is_empty() { None } else { Some(File::create(&log_path).map_err(Failure::io("write a temporary file"))?) };
    let mut tally = Tally { most: arguments.max_findings, log: log.map(BufWriter::new), ..Tally::default() };
    let started = Instant::now();
    let (mut checked, applied) = read(arguments, &opened, in_part, package.as_ref(), &folder.path().join("whole"), &mut tally)?;
    if in_part && checked.files.is_empty() && checked.catastrophic.is_none() {
        return Err(not_of_the_format(files, &checked));
    }
    let seconds = started.elapsed().as_secs_f64();
    // Of a file they count rows; to who reads the tables what stops a run is an error of its file as well.
    for file in &mut checked.files {
        file.errors += tally.stopping.iter().filter(|name| **name == file.name).count() as u64;
    }
    tally.log.as_mut().map_or(Ok(()), BufWriter::flush).map_err(Failure::io("write a temporary file"))?;
    let changes = package.zip(applied);
    let set = whole_set(files, changes.as_ref(), in_part);
    let format_read = checked.detected.format.as_ref().ok().filter(|_| !set.is_empty());
    let missing = format_read.map_or_else(Vec::new, |format| roster::missing_files(*format, set));
    let advice = advice::of_format(files, format).into_iter().chain(advice::of_export(set, &missing)).collect();
    let outcome = Outcome { arguments, checked, changes, files, in_part, missing, advice, tally, seconds };
    let findings = Findings { logs: vec![log_path], ..outcome.findings() };
    reports.into_iter().try_for_each(|report| report.write(&findings))?;
    if arguments.output.json {
        output::json(&outcome.as_json());
    } else {
        outcome.show();
    }
    let bad = outcome.tally.of(Severity::Error) + outcome.tally.of(Severity::Catastrophic) > 0;
    Ok(if bad { Ended::FoundErrors } else { Ended::Good })
}

/// The files of the whole export; none when these are not one.
fn whole_set<'a>(files: &'a [Source], changes: Option<&'a (Package, Applied)>, in_part: bool) -> &'a [Source] {
    match changes {
        Some((Package { base: Some(_) }, applied)) => &applied.files,
        Some(_) => &[],
        None if in_part => &[],
        None => files,
    }
}

/// Checks the files; changes are applied first, and the set that they make is checked.
fn read(
    arguments: &cli::Validate,
    Opened { files, errors, warnings }: &Opened,
    in_part: bool,
    package: Option<&Package>,
    whole: &Path,
    tally: &mut Tally,
) -> Result<(IngestReport, Option<Applied>), Failure> {
    for finding in errors.iter().chain(warnings) {
        tally.take(finding).map_err(Failure::io("write the report"))?;
    }
    // With an archive that cannot be opened nobody knows what the export is.
    if let Some(finding) = errors.first() {
        let unknown = Detected { format: Err("nothing".to_owned()), why: "an archive of it cannot be used".to_owned() };
        return Ok((stopped(finding.clone(), unknown), None));
    }
    let Some(package) = package else {
        return Ok((check(arguments, files, in_part, None, &mut |finding| tally.take(finding))?, None));
    };
    let applied = package.apply(arguments, files, whole, &mut |finding| tally.take(finding))?;
    let deleted = package.base.is_none().then_some(&applied.deleted);
    let checked = if let Some(finding) = &applied.catastrophic {
        stopped(finding.clone(), applied.detected.clone())
    } else {
        check(arguments, &applied.files, false, deleted, &mut |finding| tally.take(&traced(finding, &applied)))?
    };
    Ok((checked, Some(applied)))
}

/// What came of it all.
struct Outcome<'a> {
    arguments: &'a cli::Validate,
    checked: IngestReport,
    changes: Option<(Package, Applied)>,
    files: &'a [Source],
    in_part: bool,
    /// Files of the format that it does not have.
    missing: Vec<MissingFile>,
    advice: Vec<String>,
    tally: Tally,
    seconds: f64,
}

impl Outcome<'_> {
    /// The format that the export was read as.
    fn title(&self) -> &str {
        title(&self.checked)
    }

    /// What a report is made from but the log.
    fn findings(&self) -> Findings {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC");
        let read_as = format!("Read as {}: {}.", self.title(), self.checked.detected.why);
        let checked_at = format!("Checked on {now} by Homeroom {}.", env!("CARGO_PKG_VERSION"));
        let missing: Vec<&str> = self.missing.iter().map(|file| file.name).collect();
        let missing = (!missing.is_empty()).then(|| format!("Not in the export: {}.", missing.join(", ")));
        Findings {
            subject: self.arguments.path.display().to_string(),
            about: [read_as, checked_at].into_iter().chain(missing).collect(),
            logs: Vec::new(),
            files: self.checked.files.clone(),
            stopped: self.checked.catastrophic.as_ref().map(|finding| finding.message.clone()),
        }
    }

    fn as_json(&self) -> Value {
        let hinted = |finding: &Finding| match &finding.hint {
            Some(_) => finding.to_json(),
            None => finding.clone().hint(roster::remedy(finding.code)).to_json(),
        };
        let findings: Vec<Value> = self.tally.kept.iter().map(hinted).collect();
        let tally = &self.tally;
        let mut totals = json!({ "rows": self.checked.rows(), "findings": tally.all(), "rootCauses": tally.roots, "codes": tally.codes });
        for severity in [Severity::Catastrophic, Severity::Error, Severity::Warning] {
            totals[severity.word()] = json!(tally.of(severity));
        }
        let detected = &self.checked.detected;
        let format = detected.format.as_ref().map_or_else(String::as_str, |format| format.name());
        let changes = self.changes.as_ref().map_or(Value::Null, |(package, applied)| package.as_json(applied));
        json!({
            "format": format, "formatToldBy": detected.why, "advice": self.advice, "changes": changes, "files": self.checked.files,
            "findings": findings, "totals": totals,
        })
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(one, other)| one == other)
}

/// What becomes of findings.
#[derive(Default)]
struct Tally {
    /// Findings that are kept, and how many that may be.
    kept: Vec<Finding>,
    most: usize,
    /// The first ones of each kind.
    firsts: BTreeMap<&'static str, Vec<Finding>>,
    counts: BTreeMap<Severity, u64>,
    codes: BTreeMap<&'static str, u64>,
    /// Findings that do not follow from another one.
    roots: u64,
    /// Files that stop a run, one for each finding that says so.
    stopping: Vec<String>,
    /// Whether any is about a file of the base.
    of_base: bool,
    /// All of them, for the reports.
    log: Option<BufWriter<File>>,
}

impl Tally {
    fn take(&mut self, finding: &Finding) -> io::Result<()> {
        *self.counts.entry(finding.severity()).or_default() += 1;
        *self.codes.entry(finding.code).or_default() += 1;
        self.roots += u64::from(finding.root.is_none());
        if finding.severity() == Severity::Catastrophic {
            self.stopping.push(finding.file.clone());
        }
        self.of_base |= finding.file.starts_with(changes::BASE);
        if self.kept.len() < self.most {
            self.kept.push(finding.clone());
        }
        let first = self.firsts.entry(finding.code).or_default();
        if first.len() < PLACES_SHOWN {
            first.push(finding.clone());
        }
        self.log.as_mut().map_or(Ok(()), |log| writeln!(log, "{}", finding.to_json()))
    }

    fn of(&self, severity: Severity) -> u64 {
        self.counts.get(&severity).copied().unwrap_or_default()
    }

    fn all(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// Reads all rows, with a line on the terminal that says how far it is.
fn check(
    arguments: &cli::Validate,
    files: &[Source],
    in_part: bool,
    changes: Option<&Deleted>,
    take: &mut dyn FnMut(&Finding) -> io::Result<()>,
) -> Result<IngestReport, Failure> {
    let (bar, started) = (indicatif::ProgressBar::new_spinner(), Instant::now());
    let (mut before, mut current) = (0, (String::new(), 0));
    let mut progress = |file: &str, rows: u64| {
        if current.0 != file {
            before += current.1;
            current.0 = file.to_owned();
        }
        current.1 = rows;
        let per_second = (before + rows) as f64 / started.elapsed().as_secs_f64().max(0.001);
        bar.set_message(format!("{file}: {} rows, {per_second:.0} rows/s", before + rows));
        bar.tick();
        true
    };
    let (codes, format) = (server::built_in_codes(), roster::Format::of_name(&arguments.format));
    let encoding = arguments.encoding.as_deref();
    let mut options = IngestOptions { encoding, format, in_part, changes, ..IngestOptions::new(&codes, &mut progress) };
    let checked = roster::validate(files, &mut options, take);
    bar.finish_and_clear();
    checked.map_err(|error| unread(&error))
}

/// The export cannot be read at all.
fn unread(error: &IngestError) -> Failure {
    match error {
        IngestError::UnknownEncoding(label) => Failure::hinting(
            format!("there is no encoding `{label}`"),
            "use a label of the Encoding Standard, for example windows-1252 or iso-8859-15",
        )
        .usage(),
        other => Failure::new(format!("the export cannot be read: {}", server::error::chain(other))),
    }
}

/// The report about an export that was not read because of a finding.
fn stopped(finding: Finding, detected: Detected) -> IngestReport {
    IngestReport { catastrophic: Some(finding), detected, files: Vec::new(), codes: BTreeMap::new(), segments: Vec::new() }
}

/// The files that the arguments name, archives unpacked below `work`, and whether it is one file by itself.
fn sources(arguments: &cli::Validate, work: &Path) -> Result<(Opened, bool), Failure> {
    let path = &arguments.path;
    let piped = path.as_os_str() == "-";
    let mut files = if piped { vec![from_pipe(arguments.name.as_deref(), work)?] } else { listed(path)? };
    let one = piped || path.is_file();
    if let Some(name) = &arguments.name {
        match files.as_mut_slice() {
            [file] if one => file.name.clone_from(name),
            _ => return Err(Failure::new("--name is for one file, not for a folder").usage()),
        }
    }
    let in_part = one && files.iter().all(|file| !is_archive(&file.name));
    let opened = open_archives(files, &work.join("unpacked"), &ArchiveLimits::DEFAULT).map_err(Failure::io("unpack the archive"))?;
    Ok((opened, in_part))
}

/// The files of a folder, or the one that the path names.
fn listed(path: &Path) -> Result<Vec<Source>, Failure> {
    let files = Source::list(path).map_err(|error| {
        Failure::hinting(
            format!("cannot read {}: {error}", path.display()),
            "name the folder that holds the export's files, their zip archive, or one of the files",
        )
    })?;
    if files.is_empty() {
        let hint = folder_of_files(path).map_or_else(
            || "an export has files such as users.csv or Student.csv, or is a zip archive of them".to_owned(),
            |folder| format!("there are some in {}: name that folder", folder.display()),
        );
        return Err(Failure::hinting(format!("there are no files in {}", path.display()), hint));
    }
    Ok(files)
}

/// A folder below one without files that has some.
fn folder_of_files(path: &Path) -> Option<PathBuf> {
    let folders = std::fs::read_dir(path).ok()?.flatten().map(|entry| entry.path()).filter(|path| path.is_dir());
    let is_export = |file: &Source| is_archive(&file.name) || file.path.extension().is_some_and(|extension| extension == "csv");
    folders.into_iter().find(|folder| Source::list(folder).is_ok_and(|files| files.iter().any(is_export)))
}

/// A file by itself that was not looked at.
fn not_of_the_format(files: &[Source], checked: &IngestReport) -> Failure {
    let name = files.first().map_or("", |file| &file.name);
    let message = format!("{name} is not a file of {} that is read", title(checked));
    let missing = checked.detected.format.as_ref().map_or_else(|_| Vec::new(), |format| roster::missing_files(*format, files));
    let meant = missing.into_iter().find(|file| file.stand_in.is_some()).map_or("users.csv", |file| file.name);
    let hint = match roster::kind_of_file(name) {
        Some(_) if name.to_ascii_lowercase().ends_with(".csv.gz") => {
            format!("unpack it on the way: zcat {name} | homeroom validate - --name {meant}")
        }
        Some(kind) => kind.to_owned(),
        None => format!("say with --name which file it is, for example --name {meant}, and with --format of which format"),
    };
    Failure::hinting(message, hint).usage()
}

/// What comes through the pipe, as a file: it is read more than once.
fn from_pipe(name: Option<&str>, work: &Path) -> Result<Source, Failure> {
    let Some(name) = name else {
        let hint = "for example: zcat users.csv.gz | homeroom validate - --name users.csv";
        return Err(Failure::hinting("say with --name which file comes from the pipe", hint).usage());
    };
    let path = work.join("piped");
    File::create(&path).and_then(|mut file| io::copy(&mut io::stdin().lock(), &mut file)).map_err(Failure::io("read from the pipe"))?;
    Ok(Source { name: name.to_owned(), path })
}

/// The format that an export was read as.
fn title(checked: &IngestReport) -> &str {
    checked.detected.format.as_ref().map_or_else(String::as_str, |format| format.title())
}
