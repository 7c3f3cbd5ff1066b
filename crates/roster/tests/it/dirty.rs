//! The generator of test rosters breaks rows and says which: every one must be found, and nothing else.

use super::{Loaded, load, shared};
use roster::{Entity, Finding, Format, Severity};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Seeds and rates of defects.
const SEEDS: [(&str, &str); 3] = [("a", "0.002"), ("b", "0.01"), ("c", "0.005")];

/// Makes a set in a temporary folder; `None`, said aloud, when it cannot be made here.
pub(crate) fn generate(arguments: &[&str]) -> Option<tempfile::TempDir> {
    let Some(tool) = shared(&["tools", "gen_roster.py"]) else {
        println!("skipped: no generator here");
        return None;
    };
    let dir = tempfile::tempdir().unwrap();
    let run = Command::new("python3").arg(tool).args(arguments).arg("--out").arg(dir.path().join("set")).output();
    match run {
        Ok(output) if output.status.success() => Some(dir),
        Ok(output) => panic!("the generator failed: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            println!("skipped: no python3 here ({error})");
            None
        }
    }
}

pub(super) fn set(dir: &tempfile::TempDir) -> Loaded {
    load(&dir.path().join("set"), None)
}

fn expected(dir: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(dir.join("set.meta").join("expected-defects.json")).unwrap()).unwrap()
}

/// The codes that a kind of defect may be reported as.
fn codes_of(kind: &str) -> &'static [&'static str] {
    match kind.split(':').next().unwrap_or_default() {
        "missing-required" => &["RequiredValueMissing"],
        "duplicate-identical" => &["DuplicateRecord"],
        "duplicate-conflict" => &["ConflictingDuplicate"],
        "duplicate-unique" => &["DuplicateUsername"],
        "dangling-ref" => &["ReferenceNotFound", "OptionalReferenceNotFound"],
        "unknown-enum" => &["InvalidReferenceCode", "InvalidOptionalCode"],
        "invalid-date" => &["InvalidDate", "InvalidOptionalValue"],
        "invalid-boolean" | "invalid-email" | "invalid-phone" => &["InvalidOptionalValue", "InvalidValue"],
        "end-before-start" => &["EndBeforeStart"],
        "parent-cycle" | "self-parent" => &["CyclicParent"],
        "row-too-short" | "row-too-long" => &["FieldCount"],
        "line-break-in-field" => &["LineBreakInQuotes"],
        other => panic!("a kind of defect that this test does not know: {other}"),
    }
}

#[test]
fn a_clean_set_is_clean() {
    for format in Format::ALL {
        let Some(dir) = generate(&["--students", "2000", "--format", format.name()]) else { return };
        let loaded = set(&dir);
        assert_eq!(loaded.report.detected.format, Ok(format));
        assert!(loaded.found.is_empty(), "{}", loaded.first_findings());
    }
}

fn survivors_are_the_clean_set(clean: &Loaded, dirty: &Loaded) {
    assert!(dirty.report.count(Severity::Error) > 100);
    // SDS v1 knows of demographics only a date of birth, so that without it there is no record.
    let has_demographics = clean.report.detected.format != Ok(Format::SdsV1);
    for entity in Entity::ALL.into_iter().filter(|entity| *entity != Entity::Demographic || has_demographics) {
        let keys = |loaded: &Loaded| -> BTreeSet<String> {
            // Organizations of the injected circles stay (decision 19); nothing refers to them.
            let circular = |key: &str| entity == Entity::Org && (key.starts_with("CYC") || key.starts_with("BAD"));
            // A role that lost its session has another key; the rest of it stays.
            let role = |key: String| if entity == Entity::Role { key.rsplit_once('\u{1f}').unwrap().0.to_owned() } else { key };
            loaded.records(entity).into_iter().map(|(key, _)| role(key)).filter(|key| !circular(key)).collect()
        };
        let (clean, dirty) = (keys(clean), keys(dirty));
        assert_eq!(clean.symmetric_difference(&dirty).take(5).collect::<Vec<_>>(), Vec::<&String>::new(), "{entity:?}");
    }
}

/// What is wrong with a whole file: argument of `--break`, and what must stop the run.
#[test]
fn broken_files() {
    for (argument, stops) in [
        ("missing-file:users.csv", Some("RequiredFileNotFound")),
        ("empty-file:users.csv", Some("EmptyFile")),
        ("header-only:users.csv", Some("EmptyFile")),
        ("no-header:users.csv", Some("HeaderNotFound")),
        ("missing-column:users.csv:username", Some("HeaderNotFound")),
        ("missing-column:users.csv:phone", None),
        ("duplicate-column:users.csv:username", Some("DuplicateHeader")),
        ("header-case:users.csv:username", Some("HeaderNotFound")),
        ("reorder-columns:users.csv", None),
        ("encoding:users.csv:utf-8-sig", None),
        ("encoding:users.csv:utf-16", None),
        ("delimiter:users.csv:semicolon", Some("HeaderNotFound")),
        ("delimiter:users.csv:tab", Some("HeaderNotFound")),
        ("delimiter:users.csv:pipe", Some("HeaderNotFound")),
        ("bare-cr:users.csv", None),
        ("blank-lines:users.csv", None),
        ("extra-column:users.csv:shoeSize", None),
    ] {
        let Some(dir) = generate(&["--students", "60", "--break", argument]) else { return };
        let loaded = set(&dir);
        assert_eq!(loaded.report.catastrophic.as_ref().map(|f| f.code), stops, "{argument}: {}", loaded.first_findings());
        if stops.is_none() {
            let files = loaded.report.files.iter().map(|f| f.errors).sum::<u64>();
            assert_eq!(files, 0, "{argument}: {}", loaded.first_findings());
        }
    }
}

/// Damage inside a file costs the rows that it hits, never the rest.
#[test]
fn damage_is_local() {
    for argument in
        ["truncate:enrollments.csv", "unbalanced-quote:enrollments.csv", "nul-byte:enrollments.csv", "invalid-utf8:enrollments.csv"]
    {
        let Some(dir) = generate(&["--students", "60", "--break", argument]) else { return };
        let loaded = set(&dir);
        assert_eq!(loaded.report.catastrophic, None, "{argument}");
        let file = loaded.report.files.iter().find(|f| f.name == "enrollments.csv").unwrap();
        assert_eq!((file.errors, file.rows - file.accepted), (1, 1), "{argument}: {}", loaded.first_findings());
    }
}

mod thorough {
    use super::*;

    #[test]
    fn every_defect_is_found_and_nothing_else_is() {
        for (format, (seed, rate)) in Format::ALL.into_iter().flat_map(|format| SEEDS.map(|seed| (format, seed))) {
            let Some(dir) = generate(&["--students", "3000", "--seed", seed, "--dirty", rate, "--format", format.name()]) else { return };
            let loaded = set(&dir);
            assert_eq!((&loaded.report.detected.format, &loaded.report.catastrophic), (&Ok(format), &None));
            let oracle = expected(dir.path());
            let defects = oracle["defects"].as_array().unwrap();
            let place = |defect: &Value| (defect["file"].as_str().unwrap().to_owned(), defect["key"].as_str().map(str::to_owned));
            let altered: BTreeSet<_> = defects.iter().filter(|defect| defect["extra_row"] == false).map(place).collect();
            let mut at: BTreeMap<(&str, u64), Vec<&Finding>> = BTreeMap::new();
            for finding in &loaded.found {
                at.entry((&finding.file, finding.line)).or_default().push(finding);
            }
            let mut missed = Vec::new();
            let mut places = BTreeSet::new();
            for defect in defects {
                let (file, line, kind) =
                    (defect["file"].as_str().unwrap(), defect["line"].as_u64().unwrap(), defect["kind"].as_str().unwrap());
                places.insert((file.to_owned(), line));
                // A copy of a row that was itself changed in place is no longer identical to it, unless the change
                // is dropped and the copy has nothing there.
                let codes = if kind == "duplicate-identical" && altered.contains(&place(defect)) {
                    &["ConflictingDuplicate", "DuplicateRecord"]
                } else {
                    codes_of(kind)
                };
                let found = at.get(&(file, line)).and_then(|found| found.iter().find(|finding| codes.contains(&finding.code)));
                // Decision 19 keeps organizations that go round in circles, without their parents.
                let severity = match found.map(|finding| finding.code) {
                    Some("CyclicParent") => "warning",
                    Some("ConflictingDuplicate") => "error",
                    _ => defect["severity"].as_str().unwrap(),
                };
                match found {
                    Some(finding) if finding.severity().word() == severity => {
                        let structural =
                            ["FieldCount", "LineBreakInQuotes", "DuplicateRecord", "ConflictingDuplicate"].contains(&finding.code);
                        assert!(structural || finding.column == defect["column"].as_str(), "{defect} {}", finding.to_json());
                    }
                    other => missed.push(format!("{defect} -> {:?}", other.map(|finding| finding.to_json()))),
                }
            }
            println!(
                "{}, seed {seed}, rate {rate}: {} defects, {} missed, {} findings",
                format.name(),
                defects.len(),
                missed.len(),
                loaded.found.len()
            );
            assert!(missed.is_empty(), "missed {} of {}:\n{}", missed.len(), defects.len(), missed.join("\n"));
            let invented: Vec<_> =
                loaded.found.iter().filter(|f| !places.contains(&(f.file.clone(), f.line))).map(roster::Finding::to_json).collect();
            assert!(invented.is_empty(), "{} that nobody put there:\n{invented:#?}", invented.len());
        }
    }

    #[test]
    fn what_survives_is_the_clean_set() {
        for format in Format::ALL {
            let arguments = ["--students", "1500", "--seed", "s", "--format", format.name()];
            let Some(clean) = generate(&arguments) else { return };
            let Some(dirty) = generate(&[&arguments[..], &["--dirty", "0.005"]].concat()) else { return };
            survivors_are_the_clean_set(&set(&clean), &set(&dirty));
        }
    }
}
