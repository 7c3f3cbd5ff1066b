use super::*;
use crate::testing::codes;
use crate::{Finding, IngestOptions, IngestReport, Severity, Source};
use std::collections::{BTreeMap, BTreeSet};

const DOMAIN: &str = "rivermark.example";

fn load(day: u32) -> (DemoDistrict, IngestReport, Vec<Finding>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let district = write_demo_district(dir.path(), DOMAIN, day).unwrap();
    let sources: Vec<Source> =
        district.files.iter().map(|(name, _)| Source { name: (*name).to_owned(), path: dir.path().join(name) }).collect();
    let (codes, mut found) = (codes(), Vec::new());
    let mut progress = |_: &str, _| true;
    let mut options = IngestOptions::new(&codes, &mut progress);
    let report = crate::ingest(&sources, &mut options, dir.path(), &mut |finding| {
        found.push(finding.clone());
        Ok(())
    })
    .unwrap();
    (district, report, found, dir)
}

#[test]
fn the_findings_are_the_ones_put_there() {
    let (district, report, found, _dir) = load(0);
    assert_eq!(report.catastrophic, None);
    assert_eq!(district.files.len(), 10);
    assert_eq!(report.rows(), district.files.iter().map(|(_, rows)| rows).sum::<u64>());
    let codes: BTreeMap<_, _> = report.codes.clone();
    let expected: BTreeMap<&str, u64> = [
        ("ConflictingDuplicate", 1),
        ("DuplicateRecord", 1),
        ("InvalidOptionalCode", 1),
        ("InvalidOptionalValue", 1),
        ("InvalidReferenceCode", 1),
        ("ReferenceNotFound", 1),
        ("RequiredValueMissing", 1),
    ]
    .into();
    let mut without_cascade = codes.clone();
    let cascade = without_cascade.remove("ReferencedRecordDropped").unwrap_or_default();
    assert_eq!(without_cascade, expected);
    assert!(cascade > 2, "the broken student's role, classes and demographics");
    assert!(found.iter().filter(|f| f.code == "ReferencedRecordDropped").all(|f| f.root.is_some()));
    // Under any sensible guard: errors are few.
    assert!(report.count(Severity::Error) * 50 < report.rows(), "{codes:?}");
}

#[test]
fn some_people_have_no_account_and_one_is_disabled() {
    let (district, _, _, dir) = load(0);
    let accounts: BTreeSet<&str> = district.directory_users.iter().map(|a| a.upn.as_str()).collect();
    assert_eq!(accounts.len(), district.directory_users.len(), "names of accounts are unique");
    assert_eq!(district.directory_users.iter().filter(|a| !a.enabled).count(), 1);
    assert!(accounts.contains("admin@rivermark.example"));
    let users = std::fs::read_to_string(dir.path().join("users.csv")).unwrap();
    let names: BTreeSet<&str> = users.lines().skip(1).filter_map(|l| l.split(',').nth(1)).filter(|u| u.ends_with(DOMAIN)).collect();
    let unmatched = names.difference(&accounts).count();
    assert!((5..10).contains(&unmatched), "{unmatched}");
    assert!(names.intersection(&accounts).count() > 130);
}

#[test]
fn the_same_day_is_the_same_and_another_is_not() {
    let read = |day: u32| {
        let dir = tempfile::tempdir().unwrap();
        let district = write_demo_district(dir.path(), DOMAIN, day).unwrap();
        let text = district.files.iter().map(|(name, _)| std::fs::read_to_string(dir.path().join(name)).unwrap()).collect::<Vec<_>>();
        (district.directory_users, text)
    };
    let ((accounts, today), (later_accounts, tomorrow)) = (read(0), read(1));
    assert_eq!((&accounts, &today), (&read(0).0, &read(0).1));
    assert_eq!(accounts, later_accounts, "the directory does not know what day it is");
    let users = |text: &[String]| text[3].lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (before, after) = (users(&today), users(&tomorrow));
    assert_eq!(before.difference(&after).count(), 1, "one leaves");
    assert_eq!(after.difference(&before).count(), 1, "one joins");
    for day in [2, 9, 30] {
        let (_, report, ..) = load(day);
        assert_eq!(report.catastrophic, None);
        assert_eq!(report.codes.get("ConflictingDuplicate"), Some(&1));
    }
}
