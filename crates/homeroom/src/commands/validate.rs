//! `homeroom validate`: the whole check of an export, without a server.

mod changes;

use super::report::Report;
use super::{Ended, Failure};
use crate::cli;
use crate::output::{self, Colour};
use changes::{Package, traced};
use roster::archive::{ArchiveLimits, Opened, is_archive, open_archives};
use roster::report::Findings;
use roster::{CATALOGUE, Deleted, Detected, FileReport, Finding, IngestError, IngestOptions, IngestReport, Severity, Source, listing_rank};
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
    let folder = tempfile::tempdir().map_err(Failure::io("make a temporary directory"))?;
    let (Opened { files, errors, warnings }, in_part) = sources(arguments, folder.path())?;
    let input = files.iter().map(|file| file.path.as_path()).chain(arguments.base.as_deref()).chain([arguments.path.as_path()]);
    if let Some(same) = arguments.report.iter().find(|report| input.clone().any(|input| is_same(input, report))) {
        return Err(Failure::new(format!("the report would take the place of {}, which is checked", same.display())).usage());
    }
    let reports: Vec<Report> = arguments.report.iter().map(|path| Report::create(path)).collect::<Result<_, _>>()?;
    let format = roster::Format::of_name(&arguments.format);
    let package = if errors.is_empty() { Package::of(arguments, &files, format, in_part, folder.path())? } else { None };
    let log_path = folder.path().join("findings.jsonl");
    let log = if reports.is_empty() { None } else { Some(File::create(&log_path).map_err(Failure::io("write a temporary file"))?) };
    let mut tally = Tally { most: arguments.max_findings, log: log.map(BufWriter::new), ..Tally::default() };
    let started = Instant::now();
    for finding in errors.iter().chain(&warnings) {
        tally.take(finding).map_err(Failure::io("write the report"))?;
    }
    // With an archive that cannot be opened nobody knows what the export is.
    let (checked, applied) = match (errors.first(), &package) {
        (Some(finding), _) => {
            let unknown = Detected { format: Err("nothing".to_owned()), why: "an archive of it cannot be used".to_owned() };
            (stopped(finding.clone(), unknown), None)
        }
        (None, None) => (check(arguments, &files, in_part, None, started, &mut |finding| tally.take(finding))?, None),
        (None, Some(package)) => {
            let applied = package.apply(arguments, &files, format, &folder.path().join("whole"), &mut |finding| tally.take(finding))?;
            let deleted = package.base.is_none().then_some(&applied.deleted);
            let checked = if let Some(finding) = &applied.catastrophic {
                stopped(finding.clone(), applied.detected.clone())
            } else {
                check(arguments, &applied.files, false, deleted, started, &mut |finding| tally.take(&traced(finding, &applied)))?
            };
            (checked, Some(applied))
        }
    };
    if in_part && checked.files.is_empty() && checked.catastrophic.is_none() {
        return Err(not_of_the_format(&files, &checked));
    }
    let seconds = started.elapsed().as_secs_f64();
    let totals = Totals { counts: std::mem::take(&mut tally.counts), roots: tally.roots, rows: checked.rows() };
    tally.log.as_mut().map_or(Ok(()), BufWriter::flush).map_err(Failure::io("write a temporary file"))?;
    let findings = Findings {
        subject: arguments.path.display().to_string(),
        logs: vec![log_path],
        files: checked.files.clone(),
        stopped: checked.catastrophic.as_ref().map(|finding| finding.message.clone()),
    };
    reports.into_iter().try_for_each(|report| report.write(&findings))?;
    let changes = package.as_ref().zip(applied.as_ref());
    if arguments.output.json {
        let changes = changes.map_or(Value::Null, |(package, applied)| package.as_json(applied));
        output::json(&as_json(&checked, &tally, &totals, changes));
    } else {
        output::line(&format!("read as {}: {}", output::coloured(title(&checked), Colour::Bold), checked.detected.why));
        if let Some((package, applied)) = changes {
            package.show(applied);
        }
        show(&checked, &tally, &totals, seconds);
        if in_part {
            output::line("one file by itself: its references to other files are not checked");
        }
        if let Some((package, _)) = changes {
            package.show_limits(&arguments.path, tally.of_base);
        }
    }
    let bad = totals.of(Severity::Error) + totals.of(Severity::Catastrophic) > 0;
    Ok(if bad { Ended::FoundErrors } else { Ended::Good })
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
}

/// Reads all rows, with a line on the terminal that says how far it is.
fn check(
    arguments: &cli::Validate,
    files: &[Source],
    in_part: bool,
    changes: Option<&Deleted>,
    started: Instant,
    take: &mut dyn FnMut(&Finding) -> io::Result<()>,
) -> Result<IngestReport, Failure> {
    let bar = indicatif::ProgressBar::new_spinner();
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
        ),
        other => Failure::new(format!("the export cannot be read: {}", server::error::chain(other))),
    }
}

/// The report about an export that was not read because of a finding.
fn stopped(finding: Finding, detected: Detected) -> IngestReport {
    IngestReport { catastrophic: Some(finding), detected, files: Vec::new(), codes: BTreeMap::new(), segments: Vec::new() }
}

struct Totals {
    counts: BTreeMap<Severity, u64>,
    roots: u64,
    rows: u64,
}

impl Totals {
    fn of(&self, severity: Severity) -> u64 {
        self.counts.get(&severity).copied().unwrap_or_default()
    }

    fn all(&self) -> u64 {
        self.counts.values().sum()
    }

    fn by_severity(&self) -> [(&'static str, u64); 3] {
        [Severity::Catastrophic, Severity::Error, Severity::Warning].map(|severity| (severity.word(), self.of(severity)))
    }
}

/// Each kind of finding with its count and the first places, causes before what follows from them.
fn show_codes(tally: &Tally) {
    let of = |code: &str| CATALOGUE.iter().find(|entry| entry.code == code);
    let mut codes: Vec<_> = tally.codes.iter().collect();
    codes.sort_by_key(|(code, count)| (listing_rank(code), std::cmp::Reverse(**count)));
    for (code, count) in codes {
        let severity = of(code).map_or(Severity::Error, |entry| entry.severity);
        let colour = if severity <= Severity::Warning { Colour::Yellow } else { Colour::Red };
        output::line(&format!("{} {}  {count} ×", output::coloured(severity.word(), colour), output::coloured(code, Colour::Bold)));
        let findings = tally.firsts.get(code).map_or(&[][..], Vec::as_slice);
        for finding in findings {
            let place = if finding.line > 0 { format!("{}:{}", finding.file, finding.line) } else { finding.file.clone() };
            output::line(&format!("  {}  {}", output::printable(&place), output::printable(&finding.message)));
        }
        if *count > PLACES_SHOWN as u64 {
            output::line(&format!("  … and {} more", count - PLACES_SHOWN as u64));
        }
        // Of the findings of a kind most have the same hint.
        if let Some(hint) = findings.first().and_then(|finding| finding.hint.as_deref()).or_else(|| of(code).map(|entry| entry.remedy)) {
            output::line(&format!("  {}", output::coloured(&output::printable(hint), Colour::Cyan)));
        }
    }
    if tally.codes.values().any(|count| *count > PLACES_SHOWN as u64) {
        output::line("all of them: --report FILE.html, .csv or .json");
    }
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
    let title = title(checked);
    let hint = "say with --name which file it is, for example --name users.csv, and with --format of which format";
    Failure::hinting(format!("{name} is not a file of {title} that is read"), hint).usage()
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

fn as_json(checked: &IngestReport, tally: &Tally, totals: &Totals, changes: Value) -> Value {
    let findings: Vec<Value> = tally.kept.iter().map(Finding::to_json).collect();
    let mut counted = json!({ "rows": totals.rows, "findings": totals.all(), "rootCauses": totals.roots, "codes": tally.codes });
    for (severity, count) in totals.by_severity() {
        counted[severity] = json!(count);
    }
    let format = checked.detected.format.as_ref().map_or_else(String::as_str, |format| format.name());
    json!({ "format": format, "formatToldBy": checked.detected.why, "changes": changes, "files": checked.files, "findings": findings, "totals": counted })
}

fn counted(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn verdict(totals: &Totals) -> String {
    if totals.all() == 0 {
        return output::coloured("no findings", Colour::Green);
    }
    let errors = counted(totals.of(Severity::Error) + totals.of(Severity::Catastrophic), "error");
    let warnings = counted(totals.of(Severity::Warning), "warning");
    match totals.all() - totals.roots {
        0 => format!("{errors}, {warnings}"),
        1 => format!("{errors}, {warnings}; 1 of these follows from another"),
        n => format!("{errors}, {warnings}; {n} of these follow from others"),
    }
}

fn show(checked: &IngestReport, tally: &Tally, totals: &Totals, seconds: f64) {
    let number = |n: u64| n.to_string();
    let row = |f: &FileReport| vec![f.name.clone(), number(f.rows), number(f.accepted), number(f.errors), number(f.warnings)];
    output::table(&["file", "rows", "accepted", "errors", "warnings"], &checked.files.iter().map(row).collect::<Vec<_>>());
    output::line("");
    show_codes(tally);
    output::line(&format!("{} rows in {seconds:.1} s: {}", totals.rows, verdict(totals)));
    if let Some(stop) = &checked.catastrophic {
        output::line(&format!("{} {}", output::coloured("a run would stop:", Colour::Red), output::printable(&stop.message)));
    }
}
