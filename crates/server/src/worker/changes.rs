//! A package of changes, applied to the set that was accepted before it, and what is found in it.
//!
//! The whole set that comes out shows nothing of a change that was passed over. So every finding is kept beside it, for
//! the runs that work on it, and the operation of the upload shows the first ones of each kind.

use crate::runs::{FOUND_IN_CHANGES, failpoint};
use jiff::Timestamp;
use roster::delta::{self, Applied, Parts};
use roster::{FileReport, Finding, IngestError, Severity, Source};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write};
use std::path::Path;
use store::BlobWriter;
use sync::{ChangesCounts, ChangesReport};

/// Findings of each code that an operation shows with their places: it is read by people, and all of it at once.
const PLACES_SHOWN: u64 = 20;
/// What stands before the name of a file of the package where files of the whole set are told too: a line of one is
/// not that of the other.
const PACKAGE: &str = "changes/";
/// What stands before that for a package that was accepted before this one and that no run has told of yet.
const EARLIER: &str = "earlier/";

/// What came of a package.
pub(crate) struct ChangesApplied {
    /// The whole set; empty when the package is refused.
    pub(crate) files: Vec<Source>,
    /// Why it is refused.
    pub(crate) errors: Vec<Finding>,
    /// What else was found, as far as an operation shows it.
    pub(super) warnings: Vec<Finding>,
    /// What the runs over the set tell: findings of this package and of those before it that were not told yet.
    pub(crate) report: ChangesReport,
}

/// Applies a package to the set before and writes the whole set into a folder that is not there yet, with all findings.
/// `untold` is what was found in the packages that the set before was put together with, when no run has told it.
pub(crate) fn apply(
    base: &[Source],
    changes: &[Source],
    now: Timestamp,
    whole: &Path,
    untold: Option<&ChangesReport>,
) -> Result<ChangesApplied, IngestError> {
    std::fs::create_dir(whole)?;
    let path = whole.join(FOUND_IN_CHANGES);
    let mut log = BlobWriter::create(&path)?;
    let mut counts = ChangesCounts::default();
    if let Some(untold) = untold {
        carry_over(&untold.log, &mut log)?;
        counts = untold.counts.clone();
        counts.files.iter_mut().for_each(|file| file.name.insert_str(0, EARLIER));
    }
    let (mut found, mut errors) = (Found::default(), Vec::new());
    let applied = delta::apply(base, changes, now, Parts::Records, None, whole, &mut |finding| {
        failpoint("changes-half-applied");
        if finding.severity() == Severity::Catastrophic {
            errors.push(finding.clone());
        } else {
            found.count(finding);
        }
        writeln!(log, "{}", of_the_package(finding).to_json())
    })?;
    log.finish()?;
    let ChangesCounts { files, errors: error_count, warnings } = found.counts(&applied);
    counts.files.extend(files);
    counts.errors += error_count;
    counts.warnings += warnings;
    Ok(ChangesApplied { files: applied.files, errors, warnings: found.told(), report: ChangesReport { log: path, counts } })
}

/// The findings of a package before this one; its files are told from those of this one.
fn carry_over(from: &Path, log: &mut dyn Write) -> io::Result<()> {
    for line in BufReader::new(File::open(from)?).lines() {
        let mut finding: Value = serde_json::from_str(&line?)?;
        if let Some(file) = finding["file"].as_str().filter(|file| !file.is_empty()) {
            finding["file"] = json!(format!("{EARLIER}{file}"));
        }
        writeln!(log, "{finding}")?;
    }
    Ok(())
}

fn of_the_package(finding: &Finding) -> Finding {
    let file = if finding.file.is_empty() { String::new() } else { format!("{PACKAGE}{}", finding.file) };
    Finding { file, ..finding.clone() }
}

/// Findings of a package, counted.
#[derive(Default)]
struct Found {
    shown: Vec<Finding>,
    by_code: BTreeMap<&'static str, u64>,
    errors: u64,
    warnings: u64,
    by_file: BTreeMap<String, FoundInFile>,
}

#[derive(Default)]
struct FoundInFile {
    error_rows: u64,
    /// Line of the last one of them.
    last: u64,
    warnings: u64,
}

impl Found {
    fn count(&mut self, finding: &Finding) {
        let of_code = self.by_code.entry(finding.code).or_default();
        *of_code += 1;
        if *of_code <= PLACES_SHOWN {
            self.shown.push(finding.clone());
        }
        let file = self.by_file.entry(finding.file.clone()).or_default();
        match finding.severity() {
            Severity::Error => {
                self.errors += 1;
                // What is wrong with one row is found in one go.
                file.error_rows += u64::from(std::mem::replace(&mut file.last, finding.line) != finding.line);
            }
            Severity::Warning => {
                self.warnings += 1;
                file.warnings += 1;
            }
            Severity::Info | Severity::Catastrophic => {}
        }
    }

    fn counts(&self, applied: &Applied) -> ChangesCounts {
        let report = |table: &delta::FileChanges| {
            let (errors, warnings) = self.by_file.get(&table.name).map_or((0, 0), |found| (found.error_rows, found.warnings));
            let (name, accepted) = (format!("{PACKAGE}{}", table.name), table.rows - table.not_applied());
            FileReport { name, rows: table.rows, accepted, errors, warnings }
        };
        let files = applied.tables.iter().filter(|table| table.mode == "delta").map(report).collect();
        ChangesCounts { files, errors: self.errors, warnings: self.warnings }
    }

    /// The first findings of each code, and how many more there are.
    fn told(self) -> Vec<Finding> {
        let more = self.by_code.into_iter().filter(|(_, count)| *count > PLACES_SHOWN).map(|(code, count)| {
            let message = format!("And {} more of these; the findings of the next run have them all.", count - PLACES_SHOWN);
            Finding::of_file(code, "", message)
        });
        self.shown.into_iter().chain(more).collect()
    }
}
