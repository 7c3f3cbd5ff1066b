//! `homeroom validate`: the whole check of an export, without a server.

use super::report::Report;
use super::{Ended, Failure};
use crate::cli;
use crate::output::{self, Colour};
use roster::archive::{ArchiveLimits, Opened, open_archives};
use roster::report::Findings;
use roster::{FileReport, Finding, Format, IngestOptions, IngestReport, Severity, Source};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

/// Findings shown in a terminal without being asked for more.
const SHOWN: usize = 25;

/// Checks an export and says what is wrong with it.
pub(super) fn run(arguments: &cli::Validate) -> Result<Ended, Failure> {
    let folder = tempfile::tempdir().map_err(Failure::io("make a temporary directory"))?;
    let Opened { files, errors, warnings } = sources(&arguments.path, folder.path())?;
    let reports: Vec<Report> = arguments.report.iter().map(|path| Report::create(path)).collect::<Result<_, _>>()?;
    let mut kept: Vec<Finding> = Vec::new();
    let mut counts: BTreeMap<Severity, u64> = BTreeMap::new();
    let mut roots = 0_u64;
    let log_path = folder.path().join("findings.jsonl");
    let mut log = BufWriter::new(File::create(&log_path).map_err(Failure::io("write a temporary file"))?);
    let started = Instant::now();
    let bar = indicatif::ProgressBar::new_spinner();
    let mut rows_before = 0;
    let mut take = |finding: &Finding| -> io::Result<()> {
        *counts.entry(finding.severity()).or_default() += 1;
        roots += u64::from(finding.root.is_none());
        if kept.len() < arguments.max_findings {
            kept.push(finding.clone());
        }
        if reports.is_empty() { Ok(()) } else { writeln!(log, "{}", finding.to_json()) }
    };
    let codes = server::built_in_codes();
    let mut progress = |file: &str, rows: u64| {
        rows_before = rows.max(rows_before);
        bar.set_message(format!("{file}: {rows} rows"));
        bar.tick();
        true
    };
    let mut options = IngestOptions {
        format: Format::of_name(&arguments.format),
        encoding: arguments.encoding.as_deref(),
        ..IngestOptions::new(&codes, &mut progress)
    };
    for finding in errors.iter().chain(&warnings) {
        take(finding).map_err(Failure::io("write the report"))?;
    }
    // With an archive that cannot be opened nobody knows what the export is.
    let checked = match errors.first() {
        None => roster::validate(&files, &mut options, &mut take),
        Some(finding) => Ok(IngestReport { catastrophic: Some(finding.clone()), ..IngestReport::default() }),
    };
    bar.finish_and_clear();
    let mut checked = checked.map_err(|error| match error {
        roster::IngestError::UnknownEncoding(label) => Failure::hinting(
            format!("there is no encoding `{label}`"),
            "use a label of the Encoding Standard, for example windows-1252 or iso-8859-15",
        ),
        other => Failure::new(format!("the export cannot be read: {}", server::error::chain(&other))),
    })?;
    for finding in errors.iter().chain(&warnings) {
        *checked.codes.entry(finding.code).or_default() += 1;
    }
    let seconds = started.elapsed().as_secs_f64();
    let totals = Totals { counts, roots, rows: checked.rows() };
    log.flush().map_err(Failure::io("write a temporary file"))?;
    let findings = Findings {
        subject: arguments.path.display().to_string(),
        logs: vec![log_path],
        files: checked.files.clone(),
        stopped: checked.catastrophic.as_ref().map(|finding| finding.message.clone()),
    };
    reports.into_iter().try_for_each(|report| report.write(&findings))?;
    if arguments.output.json {
        output::json(&as_json(&checked, &kept, &totals));
    } else {
        show(&checked, &kept, &totals, seconds);
    }
    let bad = totals.of(Severity::Error) + totals.of(Severity::Catastrophic) > 0;
    Ok(if bad { Ended::FoundErrors } else { Ended::Good })
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

/// The files that a path names, archives unpacked below `work`.
fn sources(path: &Path, work: &Path) -> Result<Opened, Failure> {
    let files = Source::list(path).map_err(|error| {
        Failure::hinting(
            format!("cannot read {}: {error}", path.display()),
            "name the folder that holds the export's files, or their zip archive",
        )
    })?;
    if files.is_empty() {
        return Err(Failure::hinting(
            format!("there are no files in {}", path.display()),
            "an export of SDS v2.1 has orgs.csv, users.csv, roles.csv and more",
        ));
    }
    open_archives(files, &work.join("unpacked"), &ArchiveLimits::DEFAULT).map_err(Failure::io("unpack the archive"))
}

fn as_json(checked: &IngestReport, kept: &[Finding], totals: &Totals) -> Value {
    let findings: Vec<Value> = kept.iter().map(Finding::to_json).collect();
    let mut counted = json!({ "rows": totals.rows, "findings": totals.all(), "rootCauses": totals.roots, "codes": checked.codes });
    for (severity, count) in totals.by_severity() {
        counted[severity] = json!(count);
    }
    let format = checked.detected.format.as_ref().map_or_else(String::as_str, |format| format.name());
    json!({ "format": format, "formatToldBy": checked.detected.why, "files": checked.files, "findings": findings, "totals": counted })
}

fn show(checked: &IngestReport, kept: &[Finding], totals: &Totals, seconds: f64) {
    let number = |n: u64| n.to_string();
    let row = |f: &FileReport| vec![f.name.clone(), number(f.rows), number(f.accepted), number(f.errors), number(f.warnings)];
    output::table(&["file", "rows", "accepted", "errors", "warnings"], &checked.files.iter().map(row).collect::<Vec<_>>());
    output::line("");
    let roots: Vec<&Finding> = kept.iter().filter(|finding| finding.root.is_none()).collect();
    for finding in roots.iter().take(SHOWN) {
        let place = if finding.line > 0 { format!("{}:{}", finding.file, finding.line) } else { finding.file.clone() };
        let colour = if finding.severity() == Severity::Warning { Colour::Yellow } else { Colour::Red };
        output::line(&format!("{}  {place}  {}", output::coloured(finding.severity().word(), colour), output::printable(&finding.message)));
        if let Some(hint) = &finding.hint {
            output::line(&format!("  {}", output::coloured(&output::printable(hint), Colour::Cyan)));
        }
    }
    if totals.roots > SHOWN as u64 {
        output::line(&format!("… and {} more; --report FILE.html or --json gives them all", totals.roots - SHOWN as u64));
    }
    let verdict = match totals.all() {
        0 => output::coloured("no findings", Colour::Green),
        _ => format!(
            "{} errors, {} warnings; {} of these follow from another",
            totals.of(Severity::Error) + totals.of(Severity::Catastrophic),
            totals.of(Severity::Warning),
            totals.all() - totals.roots
        ),
    };
    output::line(&format!("{} rows in {seconds:.1} s: {verdict}", totals.rows));
    if let Some(stop) = &checked.catastrophic {
        output::line(&format!("{} {}", output::coloured("a run would stop:", Colour::Red), output::printable(&stop.message)));
    }
}
