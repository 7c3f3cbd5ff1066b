//! Data that others made.

use super::{load, shared, sources};
use roster::{Entity, Severity, basic_validate};
use std::path::PathBuf;

pub(crate) fn sample(parts: &[&str]) -> Option<PathBuf> {
    let all: Vec<&str> = ["samples"].iter().chain(parts).copied().collect();
    let found = shared(&all);
    if found.is_none() {
        println!("skipped: no samples here");
    }
    found
}

#[test]
fn the_official_set_has_not_one_finding() {
    let Some(folder) = sample(&["sds-v2.1", "official"]) else { return };
    let basic = basic_validate(&sources(&folder), None);
    assert!(basic.errors.is_empty() && basic.warnings.is_empty(), "{basic:?}");
    assert_eq!(basic.validated.len(), 10);
    let loaded = load(&folder, None);
    assert!(loaded.found.is_empty(), "{}", loaded.first_findings());
    assert_eq!(loaded.report.files.len(), 10);
    assert!(loaded.report.files.iter().all(|file| file.rows == file.accepted && file.rows > 0));
    // Codes come out as the lists spell them, however the file does.
    let grades: Vec<String> =
        loaded.records(Entity::Role).into_iter().map(|(_, fields)| fields[4].clone()).filter(|g| !g.is_empty()).collect();
    assert!(grades.contains(&"PS1".to_owned()), "{grades:?}");
    assert!(loaded.records(Entity::UserFlag).iter().any(|(_, fields)| fields[1] == "IEP"));
    // Nothing of a password reaches a snapshot.
    let password = Entity::User.field("password").unwrap();
    assert!(loaded.records(Entity::User).iter().all(|(_, fields)| fields[password].is_empty()));
}

#[test]
fn spreadsheets_spoil_files_in_known_ways() {
    let Some(folder) = sample(&["broken", "derived-encodings"]) else { return };
    // These sets are three files only, so that the sessions that roles name are missing: one warning.
    let only_sessions_missing = |loaded: &super::Loaded| loaded.codes() == ["ReferencedFileMissing"] && loaded.found.len() == 1;
    let clean = load(&folder.join("utf8-bom-ok"), None);
    assert!(only_sessions_missing(&clean), "{}", clean.first_findings());
    let carriage = load(&folder.join("bare-cr"), None);
    assert!(only_sessions_missing(&carriage), "{}", carriage.first_findings());
    for spoiled in ["excel-semicolon-bom", "excel-unicode-text"] {
        let report = load(&folder.join(spoiled), None).report;
        let finding = report.catastrophic.unwrap_or_else(|| panic!("{spoiled} must stop the run"));
        assert_eq!(finding.code, "HeaderNotFound", "{spoiled}");
        assert!(finding.message.contains("separated by"), "{}", finding.message);
    }
    let latin = load(&folder.join("latin-1"), None);
    assert!(latin.codes().contains(&"InvalidEncoding"), "{:?}", latin.codes());
    let named = load(&folder.join("latin-1"), Some("windows-1252"));
    assert!(only_sessions_missing(&named), "{}", named.first_findings());
}

#[test]
fn foreign_ideas_of_the_format_are_findings_not_panics() {
    let Some(folder) = sample(&["broken"]) else { return };
    let sdslib = load(&folder.join("sds-v2.1-sdslib"), None);
    assert!(sdslib.report.count(Severity::Error) > 0, "{}", sdslib.first_findings());
    assert!(sdslib.codes().contains(&"FieldCount") || sdslib.report.catastrophic.is_some(), "{:?}", sdslib.codes());
    let generated = load(&folder.join("sds-v2.1-sdsvalidator-generated"), None);
    assert!(!generated.found.is_empty());
}

#[test]
fn the_older_format_is_not_taken_for_this_one() {
    let Some(folder) = sample(&["sds-v2-legacy", "official"]) else { return };
    let basic = basic_validate(&sources(&folder), None);
    assert_eq!(basic.errors.iter().map(|f| f.code).collect::<Vec<_>>(), ["UnsupportedFormat"], "{basic:?}");
    assert_eq!(load(&folder, None).report.catastrophic.map(|f| f.code), Some("UnsupportedFormat"));
}

/// Every set of any format goes through without a panic, and no finding shows a password.
#[test]
fn nothing_makes_it_panic() {
    let Some(root) = sample(&[]) else { return };
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            }
        }
        let basic = basic_validate(&sources(&folder), None);
        assert!(basic.validated.len() <= 10);
        let loaded = load(&folder, None);
        assert!(loaded.found.iter().all(|f| f.column != Some("password") || f.value.is_none()));
        assert!(loaded.found.iter().all(|f| roster::CATALOGUE.iter().any(|entry| entry.code == f.code)));
        for file in &loaded.report.files {
            assert!(file.accepted + file.errors <= file.rows, "{folder:?} {file:?}");
        }
    }
}
