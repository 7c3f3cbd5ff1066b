//! Rows that cannot be read: what refers to them follows from them, as far as their keys can be told.

use super::*;

const ROLES: &str = "userSourcedId,orgSourcedId,role\n1,A,teacher\n2,A,student\n3,B,student\n";

/// Code, place, key and root of what is found when users.csv has these bytes behind its header and roles.csv refers to 1, 2 and 3.
fn found(users: &[u8]) -> Vec<String> {
    findings(&[b"sourcedId,username,givenName\n", users].concat(), ROLES).iter().map(told).collect()
}

fn told(finding: &Finding) -> String {
    let [key, root] = [&finding.key, &finding.root].map(|text| text.as_deref().unwrap_or("-"));
    format!("{} {}:{} {key} {root}", finding.code, finding.file, finding.line)
}

fn findings(users: &[u8], roles: &str) -> Vec<Finding> {
    let dir = tempfile::tempdir().unwrap();
    let orgs = "sourcedId,name,type\nA,North,school\nB,South,school\n";
    let files = [("orgs.csv", orgs.as_bytes()), ("users.csv", users), ("roles.csv", roles.as_bytes())].map(|(name, bytes)| {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        Source { name: name.to_owned(), path: dir.path().join(name) }
    });
    let (codes, mut progress, mut found) = (codes(), |_: &str, _| true, Vec::new());
    validate(&files, &mut IngestOptions::new(&codes, &mut progress), &mut |finding| {
        found.push(finding.clone());
        Ok(())
    })
    .unwrap();
    found
}

#[test]
fn what_refers_to_a_row_that_cannot_be_read_follows_from_it() {
    for (row, code) in [
        (&b"2,bob"[..], "FieldCount"),
        (b"2,bob,B,surplus", "FieldCount"),
        (b"2,b\xfcb,B", "InvalidEncoding"),
        (b"2,b\xfcb,B,surplus", "InvalidEncoding"),
        (b"2,b\x07b,B", "InvalidCharacter"),
        (b"2,\"b\nb\",B", "LineBreakInQuotes"),
        (b"\"2\",\"b\xfcb\",B", "InvalidEncoding"),
    ] {
        let found = found(&[b"1,ann,A\n", row, b"\n3,cy,C\n"].concat());
        let own = format!("{code} users.csv:3 2 -");
        assert_eq!(found, [own.as_str(), "ReferencedRecordDropped roles.csv:3 2/A/student '2' in users.csv"], "{}", row.escape_ascii());
    }
}

/// The key is in the damage, or may be.
#[test]
fn a_key_that_cannot_be_told_is_hinted_at() {
    for row in [&b"2\xfc,bob,B"[..], b"2\x07,bob,B", b"2", b"2bob,B", b"\"2,bob,B", b",bob"] {
        let found = findings(&[b"sourcedId,username,givenName\n1,ann,A\n", row, b"\n3,cy,C\n"].concat(), ROLES);
        let [own, missing] = found.as_slice() else { panic!("{found:#?}") };
        assert_eq!((own.file.as_str(), own.line), ("users.csv", 3), "{}", row.escape_ascii());
        assert_eq!((missing.code, missing.root.as_deref()), ("ReferenceNotFound", None));
        assert_eq!(missing.hint.as_deref(), Some("1 row of users.csv could not be read and may be the missing one: mend it first."));
    }
}

/// Two rows without a line end between them, and a line that is too long.
#[test]
fn a_row_may_hide_another_one() {
    let long = "x".repeat(crate::limits::LINE_BYTES_MAX);
    let users = format!("sourcedId,username,givenName\n1,ann,A2,bob,B\n3,{long},C\n4,dee,D\n");
    let found = findings(users.as_bytes(), &format!("{ROLES}4,A,student\n"));
    assert_eq!(
        found.iter().map(told).collect::<Vec<_>>(),
        [
            "FieldCount users.csv:2 1 -",
            "LineTooLong users.csv:3 - -",
            "ReferencedRecordDropped roles.csv:2 1/A/teacher '1' in users.csv",
            "ReferenceNotFound roles.csv:3 2/A/student -",
            "ReferenceNotFound roles.csv:4 3/B/student -",
        ]
    );
    let hint = "2 rows of users.csv could not be read and may have the missing one among them: mend those first.";
    assert!(found[3..].iter().all(|finding| finding.hint.as_deref() == Some(hint)));
}

#[test]
fn where_every_key_can_be_told_a_missing_reference_is_one() {
    let users = b"sourcedId,username,givenName\n1,ann,A\n2,b\xfcb,B\n";
    let found = findings(users, ROLES);
    assert_eq!((found[2].code, found[2].line, found[2].hint.as_deref()), ("ReferenceNotFound", 4, None));
}

#[test]
fn a_key_that_is_told_of_damage_is_nobodys_duplicate_and_satisfies_no_reference() {
    // Before and behind the good row of the same key; and a row that only looks like the rest of one before it.
    assert_eq!(found(b"2,bob\n1,ann,A\n2,bob,B\n2,bob,B,B\n3,cy,C\n"), ["FieldCount users.csv:2 2 -", "FieldCount users.csv:5 2 -"]);
    assert_eq!(
        found(b"1,\"ann,A\n2,bob\",B\n3,cy,C\n"),
        [
            "LineBreakInQuotes users.csv:2 1 -",
            "LineBreakInQuotes users.csv:3 2 -",
            "ReferencedRecordDropped roles.csv:2 1/A/teacher '1' in users.csv",
            "ReferencedRecordDropped roles.csv:3 2/A/student '2' in users.csv",
        ]
    );
}

/// With the key elsewhere than in the first column only a row with the right number of fields tells it.
#[test]
fn a_key_behind_other_columns() {
    for (row, code) in [
        (&b"b\xfcb,2,B"[..], "ReferencedRecordDropped"),
        (b"\"bob\",2,\"B", "ReferencedRecordDropped"),
        (b"bob,2", "ReferenceNotFound"),
        (b"b,ob,2,B", "ReferenceNotFound"),
    ] {
        let found = findings(&[b"username,sourcedId,givenName\nann,1,A\ncy,3,C\n", row, b"\n"].concat(), ROLES);
        assert_eq!(found.iter().map(|finding| finding.code).skip(1).collect::<Vec<_>>(), [code], "{}", row.escape_ascii());
    }
}

/// Optional references, to the own file and to others, one by one and in lists.
#[test]
fn an_optional_reference_says_what_it_follows_from() {
    let (_, found, _) = run(&[
        ("orgs.csv", "sourcedId,name,type,parentSourcedId\nA,a,school,X\nB,b,school,Y\nC,c,school,\nX,x,castle,\nX2\n"),
        (
            "academicSessions.csv",
            "sourcedId,title,type,schoolYear,startDate,endDate\nS1,T,term,2027,2026-08-24\nS2,T,term,2027,2026-08-24,2027-06-11\n",
        ),
        ("classes.csv", "sourcedId,orgSourcedId,title,sessionSourcedIds\nK,A,Maths,\"S1,S2,S3\"\n"),
    ]);
    let optional: Vec<&Finding> = found.iter().filter(|finding| finding.code == "OptionalReferenceNotFound").collect();
    let told: Vec<_> = optional.iter().map(|f| (f.file.as_str(), f.line, f.root.as_deref(), f.hint.as_deref())).collect();
    let one = |file: &str| format!("1 row of {file} could not be read and may be the missing one: mend it first.");
    assert_eq!(
        told,
        [
            ("orgs.csv", 2, Some("'X' in orgs.csv"), Some("Mend the row of 'X' in orgs.csv.")),
            ("orgs.csv", 3, None, Some(one("orgs.csv").as_str())),
            ("classes.csv", 2, Some("'S1' in academicSessions.csv"), Some("Mend the row of 'S1' in academicSessions.csv.")),
            ("classes.csv", 2, None, Some(one("academicSessions.csv").as_str())),
        ]
    );
    assert!(optional[2].message.starts_with("'S1' in sessionSourcedIds is in academicSessions.csv"), "{}", optional[2].message);
    assert!(optional[3].message.starts_with("'S3' in sessionSourcedIds is not in academicSessions.csv"), "{}", optional[3].message);
}

#[test]
fn the_key_of_a_damaged_row_is_read_as_that_of_a_good_one() {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        ("School.csv", &b"SIS ID,Name\nA,North\n"[..]),
        ("Student.csv", b"SIS ID,School SIS ID,Username\ns1,A,ann\n"),
        ("Teacher.csv", b"SIS ID,School SIS ID,Username\nt1,A,bob\n"),
        ("Section.csv", b"SIS ID,School SIS ID,Section Name\nk1,A,Maths\n"),
        ("StudentEnrollment.csv", b"Section SIS ID,SIS ID\nk1,s1\n"),
        ("TeacherRoster.csv", b"Section SIS ID,SIS ID\nk1,t1\n"),
        ("User.csv", b"Email,First Name,Last Name,Phone,SIS ID\nCy@Home.Example,C\xfd,Hill,,\n"),
        ("Guardianrelationship.csv", b"SIS ID,Email,Role\ns1,cy@home.EXAMPLE,parent\n"),
    ]
    .map(|(name, bytes)| {
        std::fs::write(dir.path().join(name), bytes).unwrap();
        Source { name: name.to_owned(), path: dir.path().join(name) }
    });
    let (codes, mut progress, mut found) = (codes(), |_: &str, _| true, Vec::new());
    validate(&files, &mut IngestOptions::new(&codes, &mut progress), &mut |finding| {
        found.push(told(finding));
        Ok(())
    })
    .unwrap();
    assert_eq!(
        found,
        [
            "InvalidEncoding User.csv:2 cy@home.example -",
            "ReferencedRecordDropped Guardianrelationship.csv:2 s1/cy@home.example 'cy@home.example' in User.csv"
        ]
    );
}

/// However many rows of a chunk are broken, what is in memory of it is a batch of so many findings for each thread, one
/// that waits, and no more; and they come in order.
#[test]
fn much_to_say_is_said_in_batches() {
    let (dir, spec) = (tempfile::tempdir().unwrap(), Format::SdsV21.files().iter().find(|spec| spec.name == "users.csv").unwrap());
    let (path, rows) = (dir.path().join(spec.name), batch::FINDINGS_MAX as u64 * 3 + 5);
    std::fs::write(&path, "sourcedId,username,givenName,familyName\n".to_owned() + &"x\n".repeat(rows as usize)).unwrap();
    for threads in [1, 3] {
        let mut chunks = Chunks::open(&path, None, CHUNK_BYTES).unwrap();
        let header = header(spec, spec.name, &mut chunks, &mut Vec::new()).unwrap();
        let (codes, context) = (codes(), Context::default());
        let checker = Checker::new(spec, spec.name, &header, &codes, &context, |_| Leads::Nowhere);
        let (mut batches, mut lines, mut dropped) = (Vec::new(), Vec::new(), 0);
        pump::pump(
            &mut chunks,
            threads,
            |chunk, batch, hand_on| batch::check(&checker, chunk, batch, None, hand_on),
            |batch| {
                batches.push((batch.findings.len(), batch.goes_on));
                lines.extend(batch.findings.iter().map(|finding| finding.line));
                dropped += batch.rows;
                Ok(())
            },
        )
        .unwrap();
        let full = (batch::FINDINGS_MAX, true);
        assert_eq!(batches, [full, full, full, (5, false)]);
        assert!(lines.iter().copied().eq(2..rows + 2));
        assert_eq!(dropped, rows);
    }
}

/// A caller who wants no more is heard between two batches of a chunk too.
#[test]
fn stopping_is_possible_in_the_middle_of_a_chunk() {
    let dir = tempfile::tempdir().unwrap();
    let orgs = "sourcedId,name,type\n".to_owned() + &"x\n".repeat(batch::FINDINGS_MAX * 3);
    std::fs::write(dir.path().join("orgs.csv"), orgs).unwrap();
    let source = Source { name: "orgs.csv".to_owned(), path: dir.path().join("orgs.csv") };
    for threads in [1, 3] {
        let (codes, mut calls) = (codes(), 0);
        let mut progress = |_: &str, _| {
            calls += 1;
            false
        };
        let mut options =
            IngestOptions { threads: Some(threads), format: Some(Format::SdsV21), ..IngestOptions::new(&codes, &mut progress) };
        let stopped = validate(std::slice::from_ref(&source), &mut options, &mut |_| Ok(()));
        assert!(matches!(stopped, Err(IngestError::Stopped)));
        assert_eq!(calls, 1);
    }
}
