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
/// What stands before that for packages that were accepted before this one and that no run has told of yet.
const EARLIER: &str = "earlier/";
/// Findings of such packages that are kept: a connector that no run ever reads may be sent packages for ever.
const EARLIER_MAX: usize = 10_000;

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
        counts = earlier(&untold.counts);
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

/// The findings of packages before this one, as many as are kept; their files are told from those of this one.
fn carry_over(from: &Path, log: &mut dyn Write) -> io::Result<()> {
    let mut left_out = 0_u64;
    for (number, line) in BufReader::new(File::open(from)?).lines().enumerate() {
        let mut finding: Value = serde_json::from_str(&line?)?;
        if finding["code"] == LEFT_OUT {
            left_out += finding["value"].as_str().and_then(|before| before.parse::<u64>().ok()).unwrap_or_default();
            continue;
        }
        if number >= EARLIER_MAX {
            left_out += 1;
            continue;
        }
        if let Some(file) = finding["file"].as_str().filter(|file| !file.is_empty()) {
            finding["file"] = json!(of_earlier(file));
        }
        writeln!(log, "{finding}")?;
    }
    if left_out > 0 {
        let message = format!("{left_out} more findings of packages that no run has read are told by the operations of their uploads.");
        let finding = Finding { value: Some(left_out.to_string()), ..Finding::of_file(LEFT_OUT, "", message) };
        writeln!(log, "{}", finding.to_json())?;
    }
    Ok(())
}

const LEFT_OUT: &str = "EarlierFindingsLeftOut";

fn of_earlier(file: &str) -> String {
    if file.starts_with(EARLIER) { file.to_owned() } else { format!("{EARLIER}{file}") }
}

/// What was counted in packages before this one, by file.
fn earlier(counts: &ChangesCounts) -> ChangesCounts {
    let mut files: BTreeMap<String, FileReport> = BTreeMap::new();
    for file in &counts.files {
        let name = of_earlier(&file.name);
        let sum = files.entry(name.clone()).or_insert_with(|| FileReport { name, ..FileReport::default() });
        sum.rows += file.rows;
        sum.accepted += file.accepted;
        sum.errors += file.errors;
        sum.warnings += file.warnings;
    }
    ChangesCounts { files: files.into_values().collect(), ..counts.clone() }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether or not a run ever reads the set, what is kept stays as large as it is.
    #[test]
    fn of_packages_that_no_run_reads_so_many_findings_are_kept_and_the_others_counted() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["one", "two", "three"].map(|name| dir.path().join(name));
        let finding = |line: u64| of_the_package(&Finding { line, ..Finding::of_file("FieldCount", "users.csv", "x".to_owned()) });
        let lines = |count: usize| (0..count as u64).map(|line| format!("{}\n", finding(line).to_json())).collect::<String>();
        std::fs::write(&paths[0], lines(EARLIER_MAX + 5)).unwrap();
        let counts = |path: &Path| -> Vec<Value> {
            std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        for (from, to, left_out) in [(0, 1, "5"), (1, 2, "8")] {
            let mut log = Vec::new();
            carry_over(&paths[from], &mut log).unwrap();
            // The next package has three more.
            std::fs::write(&paths[to], [&log[..], lines(3).as_bytes()].concat()).unwrap();
            let kept = counts(&paths[to]);
            assert_eq!(kept.len(), EARLIER_MAX + 1 + 3);
            assert_eq!((&kept[EARLIER_MAX]["code"], &kept[EARLIER_MAX]["value"]), (&json!(LEFT_OUT), &json!(left_out)));
            assert!(kept[..EARLIER_MAX].iter().all(|finding| finding["file"] == "earlier/changes/users.csv"));
        }
        let file = |name: &str, rows| FileReport { name: name.to_owned(), rows, ..FileReport::default() };
        let files = vec![file("earlier/changes/users.csv", 2), file("changes/users.csv", 3)];
        let counts = earlier(&ChangesCounts { files, errors: 7, warnings: 1 });
        assert_eq!(counts, ChangesCounts { files: vec![file("earlier/changes/users.csv", 5)], errors: 7, warnings: 1 });
    }
}
