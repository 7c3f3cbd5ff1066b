//! What comes out depends on the files alone: not on threads, sizes of buffers, or whether a snapshot is
//! written.

use super::*;
use proptest::prelude::*;

/// Everything that an ingest gives.
#[derive(Debug, PartialEq)]
struct Outcome {
    report: IngestReport,
    found: Vec<Finding>,
    segments: Vec<(String, Vec<u8>)>,
}

fn outcome(files: &[Source], threads: usize, tuning: Tuning, encoding: Option<&str>) -> Outcome {
    let (codes, out, mut found) = (codes(), tempfile::tempdir().unwrap(), Vec::new());
    let mut progress = |_: &str, _| true;
    let mut options = IngestOptions { threads: Some(threads), tuning, encoding, ..IngestOptions::new(&codes, &mut progress) };
    let report = ingest(files, &mut options, out.path(), &mut |finding| {
        found.push(finding.clone());
        Ok(())
    })
    .unwrap();
    let mut segments: Vec<(String, Vec<u8>)> = std::fs::read_dir(out.path())
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap()))
        .collect();
    segments.sort();
    Outcome { report, found, segments }
}

fn validated(files: &[Source], encoding: Option<&str>) -> (IngestReport, Vec<Finding>) {
    let (codes, mut found) = (codes(), Vec::new());
    let mut progress = |_: &str, _| true;
    let mut options = IngestOptions { encoding, ..IngestOptions::new(&codes, &mut progress) };
    let report = validate(files, &mut options, &mut |finding| {
        found.push(finding.clone());
        Ok(())
    })
    .unwrap();
    (report, found)
}

fn written(dir: &Path, files: &[(&str, Vec<u8>)]) -> Vec<Source> {
    let write = |(name, bytes): &(&str, Vec<u8>)| {
        std::fs::write(dir.join(name), bytes).unwrap();
        Source { name: (*name).to_owned(), path: dir.join(name) }
    };
    files.iter().map(write).collect()
}

fn tiny(chunk_bytes: usize) -> Tuning {
    Tuning { chunk_bytes, spill_rows: 1, sort_bytes: 200 }
}

/// Rows that clash, refer to each other, and are broken in any way.
fn lines(cells: &'static [&'static str], width: usize) -> impl Strategy<Value = String> {
    let cell = proptest::sample::select(cells);
    let line = proptest::collection::vec(cell, width..=width).prop_map(|cells| cells.join(","));
    let odd =
        proptest::sample::select(&["", "a,\"b", "x\",y", "\"1\"\"\",A,b", "\u{fffd},é", "a\u{1},b", ",,"][..]).prop_map(str::to_owned);
    let end = proptest::sample::select(&["\n", "\r\n", "\r"][..]);
    proptest::collection::vec((prop_oneof![8 => line, 1 => odd], end), 0..30)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + end).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn one_thread_and_four_with_the_smallest_buffers(
        orgs in lines(&["A", "B", "C", "\"A\"", "school", "Schools", ""], 4),
        users in lines(&["1", "2", "3", "ann", "ANN", "bob", "a@b.example", "A@b.example", ""], 5),
        roles in lines(&["1", "2", "A", "student", "Student", "wizard", "2026-08-24"], 3),
        flags in lines(&["1", "2", "3", "iep", "IEP", "x"], 2),
        chunk_bytes in 1..200_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let text = |first: &str, rest: String| (first.to_owned() + &rest).into_bytes();
        let files = written(dir.path(), &[
            ("orgs.csv", text("sourcedId,name,type,parentSourcedId\nA,A,school,\nB,B,school,A\n", orgs)),
            ("users.csv", text("sourcedId,username,givenName,familyName,email\n1,u1,A,B,a@b.example\n2,u2,,,\n", users)),
            ("roles.csv", text("userSourcedId,orgSourcedId,role\n1,A,student\n", roles)),
            ("userFlags.csv", text("userSourcedId,flag\n", flags.clone())),
            ("relationships.csv", text("relationshipUserSourcedId,userSourcedId,relationshipRole\n", flags.replace("iep", "1,parent"))),
        ]);
        let serial = outcome(&files, 1, Tuning::default(), None);
        prop_assert_eq!(&outcome(&files, 4, tiny(chunk_bytes), None), &serial);
        let (report, found) = validated(&files, None);
        prop_assert_eq!(found, serial.found);
        prop_assert_eq!(report, IngestReport { segments: Vec::new(), ..serial.report });
    }

    /// The same of OneRoster, whose relationships and grade levels are put together at the end.
    #[test]
    fn facts_come_together_however_they_are_cut(
        users in lines(&["1", "2", "3", "\"1,2\"", "true", "false", "student", "guardian", "tobedeleted", "A", ""], 7),
        enrollments in lines(&["1", "2", "A", "student", "tobedeleted"], 6),
        chunk_bytes in 1..200_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let text = |first: &str, rest: String| (first.to_owned() + &rest).into_bytes();
        let users_header = "sourcedId,status,enabledUser,orgSourcedIds,role,username,agentSourcedIds,givenName,familyName";
        // Names are on every line, so that most of the lines are people.
        let users: String = users.split_inclusive(['\n', '\r']).map(|line| {
            let end = line.len() - line.trim_end_matches(['\n', '\r']).len();
            if end == line.len() { line.to_owned() } else { format!("{},G,F{}", &line[..line.len() - end], &line[line.len() - end..]) }
        }).collect();
        let files = written(dir.path(), &[
            ("orgs.csv", text("sourcedId,status,dateLastModified,name,type\nA,,,A,school\n", String::new())),
            ("users.csv", text(&format!("{users_header}\n1,,true,A,student,u1,\"2,3\",G,F\n2,,true,A,guardian,u2,1,G,F\n"), users)),
            ("enrollments.csv", text("sourcedId,status,classSourcedId,schoolSourcedId,userSourcedId,role\n", enrollments)),
        ]);
        let serial = outcome(&files, 1, Tuning::default(), None);
        prop_assert_eq!(&outcome(&files, 4, tiny(chunk_bytes), None), &serial);
        prop_assert!(serial.segments.iter().any(|(name, _)| name == "relationships.seg"));
    }

    /// No bytes at all make it panic, in no encoding and in no file, and the counts add up.
    #[test]
    fn any_bytes_in_any_file(
        format in proptest::sample::select(&[Format::SdsV21, Format::OneRoster11][..]),
        bytes in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..120), 10),
        header in any::<bool>(),
        encoding in proptest::sample::select(&[None, Some("windows-1252"), Some("utf-16le"), Some("shift_jis"), Some("iso-2022-jp")][..]),
        chunk_bytes in 1..60_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let files: Vec<(&str, Vec<u8>)> = format.files().iter().zip(bytes).map(|(spec, bytes)| {
            let mut content = Vec::new();
            if header {
                let names: Vec<_> = spec.columns.iter().map(|column| column.name).collect();
                content.extend((names.join(",") + "\n").into_bytes());
            }
            content.extend(bytes);
            (spec.name, content)
        }).collect();
        let files = written(dir.path(), &files);
        let serial = outcome(&files, 1, Tuning::default(), encoding);
        prop_assert_eq!(&outcome(&files, 3, tiny(chunk_bytes), encoding), &serial);
        for file in &serial.report.files {
            let left_out = |finding: &&Finding| ["DuplicateRecord", "RecordGone"].contains(&finding.code) && finding.file == file.name;
            let left_out = serial.found.iter().filter(left_out).count();
            prop_assert_eq!(file.rows, file.accepted + file.errors + left_out as u64);
        }
    }
}

#[test]
fn a_file_that_is_not_in_the_export_is_told_once_however_it_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let roles: String = (0..50).map(|n| format!("{n},A,student,S{n}\n")).collect();
    let users: String = (0..50).map(|n| format!("{n},u{n}\n")).collect();
    let files = written(
        dir.path(),
        &[
            ("orgs.csv", b"sourcedId,name,type\nA,A,school\n".to_vec()),
            ("users.csv", format!("sourcedId,username\n{users}").into_bytes()),
            ("roles.csv", format!("userSourcedId,orgSourcedId,role,sessionSourcedId\n{roles}").into_bytes()),
        ],
    );
    let Outcome { found, report, .. } = outcome(&files, 4, tiny(10), None);
    assert_eq!(summary(&found), ["ReferencedFileMissing roles.csv:2 sessionSourcedId"]);
    assert_eq!((report.files[2].warnings, report.files[2].accepted), (1, 50));
}

/// Of a file that every row needs one finding says that it is missing, and every row that it is a consequence.
#[test]
fn a_needed_file_that_is_not_in_the_export_is_the_one_cause() {
    let dir = tempfile::tempdir().unwrap();
    let enrollments: String = (0..50).map(|n| format!("K{n},1,student\n")).collect();
    let files = written(
        dir.path(),
        &[
            ("orgs.csv", b"sourcedId,name,type\nA,A,school\n".to_vec()),
            ("users.csv", b"sourcedId,username\n1,ann\n".to_vec()),
            ("roles.csv", b"userSourcedId,orgSourcedId,role\n1,A,student\n".to_vec()),
            ("enrollments.csv", format!("classSourcedId,userSourcedId,role\n{enrollments}K,9,student\nK,1,\n").into_bytes()),
        ],
    );
    let Outcome { found, report, .. } = outcome(&files, 4, tiny(10), None);
    let (causes, consequences): (Vec<Finding>, Vec<Finding>) = found.into_iter().partition(|finding| finding.root.is_none());
    let wanted = [
        "NeededFileMissing enrollments.csv:2 classSourcedId",
        "ReferenceNotFound enrollments.csv:52 userSourcedId",
        "RequiredValueMissing enrollments.csv:53 role",
    ];
    assert_eq!(summary(&causes), wanted);
    assert!(causes[0].message.contains("classes.csv, which is not in the export"), "{}", causes[0].message);
    assert_eq!(consequences.len(), 52);
    for finding in &consequences {
        assert_eq!((finding.code, finding.root.as_deref()), ("ReferencedRecordDropped", Some("classes.csv")));
        assert_eq!(finding.hint.as_deref(), Some("Add classes.csv to the export."));
    }
    assert_eq!((report.files[3].errors, report.files[3].accepted), (52, 0), "rows, of which each is dropped once");
    assert_eq!(report.consequences(), 52);
}

#[test]
fn a_value_that_is_open_at_a_cut_is_open_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    // Rests that are told, that are passed over, and rows that only look like one; an empty line between.
    let users = "sourcedId,username,givenName\n1,\"a\nb\",x\n2,\"b\n\nc\",d\n3,c,5\" x\n\"4\nx\",d,D\n5,e,\"E\n6,f,F\n";
    let files =
        written(dir.path(), &[("orgs.csv", b"sourcedId,name,type\nA,A,school\n".to_vec()), ("users.csv", users.as_bytes().to_vec())]);
    let serial = outcome(&files, 1, Tuning::default(), None);
    assert_eq!(
        summary(&serial.found)[..5],
        [2, 4, 8, 9, 10].map(|line| format!("LineBreakInQuotes users.csv:{line} -"))[..5],
        "{:?}",
        serial.found
    );
    for chunk_bytes in 1..users.len() {
        assert_eq!(outcome(&files, 2, tiny(chunk_bytes), None), serial, "{chunk_bytes}");
    }
}

#[test]
fn a_thread_that_stops_stops_all() {
    let dir = tempfile::tempdir().unwrap();
    let orgs: String = (0..500).map(|n| format!("{n},x,school\n")).collect();
    let files = written(dir.path(), &[("orgs.csv", format!("sourcedId,name,type\n{orgs}").into_bytes())]);
    let codes = codes();
    let mut calls = 0;
    let mut progress = |file: &str, rows: u64| {
        calls += 1;
        assert_eq!(file, "orgs.csv");
        rows < 100
    };
    let mut options = IngestOptions { threads: Some(4), tuning: tiny(50), ..IngestOptions::new(&codes, &mut progress) };
    assert!(matches!(validate(&files, &mut options, &mut |_| Ok(())), Err(IngestError::Stopped)));
    assert!((2..100).contains(&calls), "{calls}");
}
