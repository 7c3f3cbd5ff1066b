//! Bugs that were there once.

use super::*;

const USERS: &str = "sourcedId,username,givenName,familyName,email\n";

#[test]
fn a_dropped_duplicate_claims_no_username() {
    let users = format!("{USERS}1,ann,Ann,A,\n1,bob,Ann,A,\n2,bob,Bob,B,\n3,cy,,,\n");
    let (_, found, dir) = run(&[("users.csv", &users)]);
    assert_eq!(summary(&found), ["ConflictingDuplicate users.csv:3 -"]);
    assert_eq!(keys(&dir, Entity::User), ["1", "2", "3"]);
}

#[test]
fn a_dropped_duplicate_does_not_make_a_contact_incomplete() {
    let users = format!("{USERS}1,ann,Ann,A,ann@x.example\n1,ann,,,\n2,bob,Bob,B,\n3,cy,C,C,\n");
    let (_, found, _) =
        run(&[("users.csv", &users), ("relationships.csv", "userSourcedId,relationshipUserSourcedId,relationshipRole\n2,1,parent\n")]);
    assert_eq!(summary(&found), ["ConflictingDuplicate users.csv:3 -"]);
}

#[test]
fn rows_after_an_open_quote_are_not_lost_in_silence() {
    // A row of its own with one quote in it; then two broken rows in a row.
    let users = format!("{USERS}1,ann,\"Ann,A,\n2,bob,5\" Bob,B,\n3,\"cy,C,C,\n4,\"dee,D,D,\n5,eve,E,E,\n");
    let (report, found, dir) = run(&[("users.csv", &users), ("roles.csv", "userSourcedId,orgSourcedId,role\n2,A,student\n")]);
    assert_eq!(summary(&found), ["LineBreakInQuotes users.csv:2 -", "LineBreakInQuotes users.csv:4 -", "LineBreakInQuotes users.csv:5 -"]);
    assert_eq!(keys(&dir, Entity::User), ["2", "5"]);
    assert_eq!((report.files[1].rows, report.files[1].errors), (5, 3));
}

#[test]
fn the_rest_of_a_broken_record_never_becomes_a_record() {
    let users = format!("{USERS}1,ann,Ann,A,\n\"2\nx\",bob,Bob,B,\n3,cy,C,C,\n");
    let (_, found, dir) = run(&[("users.csv", &users), ("roles.csv", "userSourcedId,orgSourcedId,role\n1,A,student\n")]);
    assert_eq!(summary(&found), ["LineBreakInQuotes users.csv:3 -", "LineBreakInQuotes users.csv:4 -"]);
    assert_eq!(keys(&dir, Entity::User), ["1", "3"]);
}

#[test]
fn a_line_of_data_in_place_of_the_header_is_not_repeated() {
    let users = "1,ann,Ann,A,ann@x.example,secret-word,secret-word\n2,bob,Bob,B,bob@x.example,hunter2,x\n";
    let (report, found, dir) = run(&[("users.csv", users)]);
    assert_eq!(report.catastrophic.map(|f| f.code), Some("HeaderNotFound"));
    let sources = [Source { name: "users.csv".to_owned(), path: dir.path().join("users.csv") }];
    let basic = crate::basic_validate(&sources, None);
    for finding in found.iter().chain(&basic.errors).chain(&basic.warnings) {
        assert!(!finding.to_json().to_string().contains("secret-word"), "{finding:?}");
    }
}

#[test]
fn control_characters_do_not_get_into_keys_or_the_database() {
    let users = format!("{USERS}1,ann,An\0n,A,\na\u{1f}b,bob,Bob,B,\n\"t\tt\",cy,C,C,\n4,dee,\"D\tD\",D,\n");
    let (_, found, dir) = run(&[("users.csv", &users), ("roles.csv", "userSourcedId,orgSourcedId,role\n4,A,student\n")]);
    assert_eq!(
        summary(&found),
        ["InvalidCharacter users.csv:2 -", "InvalidCharacter users.csv:3 -", "InvalidCharacter users.csv:4 sourcedId"]
    );
    assert_eq!(keys(&dir, Entity::User), ["4"]);
}

#[test]
fn a_consequence_of_a_consequence_names_the_first_cause() {
    let (report, found, _) = run(&[
        ("orgs.csv", "sourcedId,name,type\nA,North,school\nB,South,castle\n"),
        ("roles.csv", "userSourcedId,orgSourcedId,role\n1,A,teacher\n"),
        ("classes.csv", "sourcedId,orgSourcedId,title\nK,B,Maths\n"),
        ("enrollments.csv", "classSourcedId,userSourcedId,role\nK,1,teacher\n"),
    ]);
    assert_eq!(
        summary(&found),
        [
            "InvalidReferenceCode orgs.csv:3 type",
            "ReferencedRecordDropped classes.csv:2 orgSourcedId",
            "ReferencedRecordDropped enrollments.csv:2 classSourcedId"
        ]
    );
    assert_eq!(found[1].root.as_deref(), Some("'B' in orgs.csv"));
    assert_eq!(found[2].root.as_deref(), Some("'B' in orgs.csv"));
    assert_eq!(report.consequences(), 2);
}

#[test]
fn a_long_chain_of_parents_takes_no_quadratic_time() {
    use std::fmt::Write as _;
    let mut orgs = "sourcedId,name,type,parentSourcedId\nA,A,school,\nB,B,school,\n".to_owned();
    for n in 0..30_000 {
        writeln!(orgs, "{n},x,school,{}", n + 1).unwrap();
    }
    writeln!(orgs, "30000,x,school,29999").unwrap();
    let begin = std::time::Instant::now();
    let (_, found, _) = run(&[("orgs.csv", &orgs)]);
    assert_eq!(
        found.iter().map(|f| (f.code, f.key.as_deref())).collect::<Vec<_>>(),
        [("CyclicParent", Some("29999")), ("CyclicParent", Some("30000"))]
    );
    assert!(begin.elapsed().as_secs() < 10);
}

#[test]
fn an_encoding_that_nobody_knows_is_refused_and_broken_utf16_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("orgs.csv");
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend("sourcedId,name,type\nA,a,school\nB,".encode_utf16().flat_map(u16::to_le_bytes));
    bytes.extend(0xd800_u16.to_le_bytes());
    bytes.extend(",school\nC,\u{fffd},school\n".encode_utf16().flat_map(u16::to_le_bytes));
    std::fs::write(&path, bytes).unwrap();
    let sources = [Source { name: "orgs.csv".to_owned(), path }];
    let (codes, mut found) = (codes(), Vec::new());
    let mut keep = |finding: &Finding| {
        found.push(finding.clone());
        Ok(())
    };
    let mut progress = |_: &str, _| true;
    let mut options = IngestOptions::new(&codes, &mut progress);
    ingest(&sources, &mut options, dir.path(), &mut keep).unwrap();
    assert_eq!(summary(&found)[..2], ["Utf16Encoding orgs.csv:0 -", "InvalidEncoding orgs.csv:3 -"].map(str::to_owned));
    let mut options = IngestOptions { encoding: Some("utf-nine"), ..IngestOptions::new(&codes, &mut progress) };
    let refused = ingest(&sources, &mut options, dir.path(), &mut |_| Ok(()));
    assert!(matches!(refused, Err(IngestError::UnknownEncoding(label)) if label == "utf-nine"));
}

#[test]
fn stopping_leaves_no_runs_behind_and_no_half_segment() {
    let dir = tempfile::tempdir().unwrap();
    let (codes, out) = (codes(), dir.path().join("out"));
    std::fs::create_dir(&out).unwrap();
    std::fs::write(dir.path().join("orgs.csv"), "sourcedId,name,type\nA,a,school\n").unwrap();
    let sources = [Source { name: "orgs.csv".to_owned(), path: dir.path().join("orgs.csv") }];
    let mut progress = |_: &str, _| false;
    let mut options = IngestOptions::new(&codes, &mut progress);
    let outcome = ingest(&sources, &mut options, &out, &mut |_| Ok(()));
    assert!(matches!(outcome, Err(IngestError::Stopped)));
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
}

#[test]
fn who_lost_a_username_is_dropped_for_those_who_refer_to_him() {
    let users = format!("{USERS}1,ann,Ann,A,\n2,Ann,Bob,B,\n3,cy,C,C,\n");
    let (report, found, dir) =
        run(&[("users.csv", &users), ("roles.csv", "userSourcedId,orgSourcedId,role\n1,A,student\n2,A,student\n3,B,student\n")]);
    assert_eq!(summary(&found), ["DuplicateUsername users.csv:3 username", "ReferencedRecordDropped roles.csv:3 userSourcedId"]);
    assert_eq!((found[0].key.as_deref(), found[0].value.as_deref()), (Some("2"), Some("Ann")));
    assert_eq!(found[1].root.as_deref(), Some("'2' in users.csv"));
    assert_eq!(keys(&dir, Entity::User), ["1", "3"]);
    assert_eq!((report.files[1].accepted, report.files[1].errors), (2, 1));
}

#[test]
fn rows_are_equal_by_their_values_and_not_by_their_spelling() {
    let roles = "role,userSourcedId,orgSourcedId,isPrimary\nstudent,1,A,true\nSTUDENT,\"1\",A,TRUE\nSTUDENT,1,A,TRUE\nstudent,1,A,false\n";
    let (_, found, _) = run(&[("roles.csv", roles)]);
    assert_eq!(summary(&found), ["DuplicateRecord roles.csv:3 -", "DuplicateRecord roles.csv:4 -", "ConflictingDuplicate roles.csv:5 -"]);
    let users = format!("{USERS}1,ann,\"A,B\",C,\n1,ann,A,\"B,C\",\n2,bob,,,\n3,cy,,,\n");
    let (_, found, _) = run(&[("users.csv", &users)]);
    assert_eq!(summary(&found), ["ConflictingDuplicate users.csv:3 -"]);
    let orgs = "sourcedId,name,type\nA,\"x,y\",school\nA,\"x,y\",school\nA,\"x\"\"y\",school\nB,a,school\n";
    let (_, found, _) = run(&[("orgs.csv", orgs)]);
    assert_eq!(summary(&found), ["DuplicateRecord orgs.csv:3 -", "ConflictingDuplicate orgs.csv:4 -"]);
}

#[test]
fn a_line_that_is_too_long_is_one_row_in_error() {
    let users = format!("{USERS}1,ann,Ann,A,\n2,{},B,B,\n3,cy,C,C,\n", "x".repeat(crate::limits::LINE_BYTES_MAX));
    let (report, found, dir) = run(&[("users.csv", &users), ("roles.csv", "userSourcedId,orgSourcedId,role\n3,A,student\n")]);
    assert_eq!(summary(&found), ["LineTooLong users.csv:3 -"]);
    assert_eq!(keys(&dir, Entity::User), ["1", "3"]);
    assert_eq!((report.files[1].rows, report.files[1].errors), (3, 1));
}

#[test]
fn a_replacement_character_that_stands_in_the_file_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("orgs.csv");
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend("sourcedId,name,type\nA,\u{fffd},school\nB,x".encode_utf16().flat_map(u16::to_le_bytes));
    bytes.extend(0xd800_u16.to_le_bytes());
    bytes.extend(",school\n".encode_utf16().flat_map(u16::to_le_bytes));
    std::fs::write(&path, bytes).unwrap();
    let (codes, mut found) = (codes(), Vec::new());
    let mut progress = |_: &str, _| true;
    let mut options = IngestOptions::new(&codes, &mut progress);
    validate(&[Source { name: "orgs.csv".to_owned(), path }], &mut options, &mut |finding| {
        found.push(finding.clone());
        Ok(())
    })
    .unwrap();
    assert_eq!(summary(&found)[..2], ["Utf16Encoding orgs.csv:0 -", "InvalidEncoding orgs.csv:3 -"].map(str::to_owned));
    assert!(found[1].message.contains("Character 4 "), "{}", found[1].message);
}

#[test]
fn an_id_is_the_same_however_it_is_quoted() {
    let orgs = "sourcedId,name,type\n\"A\"\"x\",North,school\nB,South,school\n";
    let roles = "userSourcedId,orgSourcedId,role\n1,\"A\"\"x\",student\n\"1\",\"B\",student\n2,\"A\"\"y\",student\n 2,B,student\n";
    let (_, found, dir) = run(&[("orgs.csv", orgs), ("roles.csv", roles)]);
    assert_eq!(summary(&found), ["ReferenceNotFound roles.csv:4 orgSourcedId", "ReferenceNotFound roles.csv:5 userSourcedId"]);
    assert_eq!(keys(&dir, Entity::Role), ["1/A\"x/student", "1/B/student"]);
}

/// A value like that of the row before is not looked at again when it was good there, and only then.
#[test]
fn what_stands_in_row_after_row_is_judged_in_each() {
    let roles =
        "userSourcedId,orgSourcedId,role\n1,A,Student\n2,A,Student\n3,A,wizard\n3,B,wizard\n3,Z,student\n2,Z,student\n1,B,student\n";
    let (report, found, dir) = run(&[("roles.csv", roles)]);
    assert_eq!(
        summary(&found),
        [
            "InvalidReferenceCode roles.csv:4 role",
            "InvalidReferenceCode roles.csv:5 role",
            "ReferenceNotFound roles.csv:6 orgSourcedId",
            "ReferenceNotFound roles.csv:7 orgSourcedId",
        ]
    );
    assert_eq!(report.files.iter().find(|file| file.name == "roles.csv").unwrap().accepted, 3);
    // The code, not what the rows call it.
    assert!(keys(&dir, Entity::Role).iter().all(|key| key.contains("student")), "{:?}", keys(&dir, Entity::Role));
}
