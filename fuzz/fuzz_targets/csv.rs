//! One file of an export: one byte chooses format and file, the rest is what is in it. Whatever it is, no more
//! rows are counted than there are lines, and every finding is at a line that there is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roster::{Codes, Format, IngestOptions, Source};

fuzz_target!(|bytes: &[u8]| {
    let Some((which, content)) = bytes.split_first() else { return };
    let format = Format::ALL[usize::from(which & 3)];
    let name = match format {
        Format::SdsV1 => ["School.csv", "Student.csv", "Section.csv", "StudentEnrollment.csv"],
        Format::OneRoster11 | Format::OneRoster12 => ["manifest.csv", "users.csv", "classes.csv", "enrollments.csv"],
        Format::SdsV21 => ["orgs.csv", "users.csv", "roles.csv", "academicSessions.csv"],
    }[usize::from(which >> 2 & 3)];
    let path = std::env::temp_dir().join(format!("homeroom-fuzz-csv-{}", std::process::id()));
    std::fs::write(&path, content).unwrap();
    // Bytes before each end of line, by any of the three ends; the file may end without one.
    let lines = 1 + content.iter().filter(|byte| matches!(byte, b'\r' | b'\n')).count() as u64;
    let (codes, mut progress) = (Codes::default(), |_: &str, _: u64| true);
    let mut options = IngestOptions { format: Some(format), in_part: true, ..IngestOptions::new(&codes, &mut progress) };
    let report = roster::validate(&[Source { name: name.to_owned(), path }], &mut options, &mut |finding| {
        assert!(finding.line <= lines, "{finding:?}");
        Ok(())
    });
    for file in report.unwrap().files {
        assert!(file.rows <= lines && file.accepted <= file.rows);
    }
});
