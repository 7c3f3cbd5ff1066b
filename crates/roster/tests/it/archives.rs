//! Archives that others made.

use super::shared;
use roster::archive::{ArchiveLimits, open_archives};
use roster::{Finding, Source};
use std::path::Path;

fn open(archive: &Path) -> (Vec<String>, Vec<Finding>) {
    let out = tempfile::tempdir().unwrap();
    let opened = open_archives(Source::list(archive).unwrap(), &out.path().join("out"), &ArchiveLimits::DEFAULT).unwrap();
    (opened.files.into_iter().map(|f| f.name).collect(), opened.errors)
}

#[test]
fn good_packages_open_and_foreign_files_are_named() {
    let Some(samples) = shared(&["samples"]) else {
        println!("skipped: no samples here");
        return;
    };
    for (package, files) in [
        ("oneroster-1.1/moodle-full/Test_full_data_set.zip", 6),
        ("oneroster-1.2/moodle-test-data/oneroster_test_data.zip", 10),
        ("oneroster-1.2/longsight-valid/full-bulk-package.zip", 22),
        ("oneroster-1.2/longsight-valid/manifest-only-package.zip", 1),
    ] {
        let (names, errors) = open(&samples.join(package));
        assert_eq!((names.len(), errors.len()), (files, 0), "{package}: {errors:?}");
    }
    let (names, errors) = open(&samples.join("broken/oneroster-1.2-longsight/unknown-zip-entry.zip"));
    assert!(names.is_empty());
    assert_eq!(errors.iter().map(|f| (f.code, f.value.as_deref())).collect::<Vec<_>>(), [("InvalidFileFormat", Some("extra.csv"))]);
    let (_, errors) = open(&samples.join("broken/oneroster-1.2-longsight/missing-manifest.zip"));
    assert_eq!(errors.iter().map(|f| f.code).collect::<Vec<_>>(), ["InvalidFileFormat"], "an archive without any file");
}
