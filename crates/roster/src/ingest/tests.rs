use super::row::shown;
use super::*;
use crate::Entity;
use crate::codes::CodeList;

fn codes() -> Codes {
    Codes::default()
        .with(CodeList::OrgType, ["school", "district"])
        .with(CodeList::Role, ["student", "teacher", "principal"])
        .with(CodeList::SectionRole, ["student", "teacher", "aide"])
        .with(CodeList::Grade, ["01", "10"])
        .with(CodeList::SessionType, ["term", "schoolYear"])
        .with(CodeList::Relationship, ["parent"])
        .with(CodeList::Flag, ["iep"])
        .with(CodeList::Race, ["asian", "white"])
}

/// A set of files with these replaced.
fn run(replaced: &[(&str, &str)]) -> (IngestReport, Vec<Finding>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut files = vec![
        ("orgs.csv", "sourcedId,name,type,parentSourcedId\nD,District,district,\nA,North,school,D\nB,South,school,D\n"),
        ("users.csv", "sourcedId,username,givenName,familyName,email\n1,ann,Ann,A,ann@x.example\n2,bob,Bob,B,bob@x.example\n3,cy,Cy,C,\n"),
        ("roles.csv", "userSourcedId,orgSourcedId,role\n1,A,teacher\n2,A,student\n3,B,student\n"),
    ];
    for (name, text) in replaced {
        files.retain(|(known, _)| known != name);
        files.push((name, text));
    }
    let sources: Vec<Source> = files
        .iter()
        .map(|(name, text)| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            Source { name: (*name).to_owned(), path }
        })
        .collect();
    let mut found = Vec::new();
    let codes = codes();
    let mut progress = |_: &str, _| true;
    let mut options = IngestOptions::new(&codes, &mut progress);
    let report = ingest(&sources, &mut options, dir.path(), &mut |finding| {
        found.push(finding.clone());
        Ok(())
    })
    .unwrap();
    (report, found, dir)
}

fn keys(dir: &tempfile::TempDir, entity: Entity) -> Vec<String> {
    let mut reader = crate::segment::SegmentReader::open(&dir.path().join(entity.segment())).unwrap();
    let mut keys = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        keys.push(shown(record.key));
    }
    keys
}

fn summary(found: &[Finding]) -> Vec<String> {
    found.iter().map(|f| format!("{} {}:{} {}", f.code, f.file, f.line, f.column.unwrap_or("-"))).collect()
}

#[test]
fn a_clean_set_has_no_findings_and_sorted_segments() {
    let (report, found, dir) = run(&[]);
    assert_eq!(summary(&found), Vec::<String>::new());
    assert_eq!(report.rows(), 9);
    assert_eq!(keys(&dir, Entity::Role), ["1/A/teacher", "2/A/student", "3/B/student"]);
}

#[test]
fn a_dropped_record_takes_what_hangs_from_it_and_says_so() {
    let (_, found, dir) = run(&[
        ("users.csv", "sourcedId,username\n1,ann\n2,\n"),
        ("roles.csv", "userSourcedId,orgSourcedId,role\n1,A,teahcer\n1,A,teacher\n2,A,student\n9,A,student\n"),
    ]);
    assert_eq!(
        summary(&found),
        [
            "RequiredValueMissing users.csv:3 username",
            "InvalidReferenceCode roles.csv:2 role",
            "ReferencedRecordDropped roles.csv:4 userSourcedId",
            "ReferenceNotFound roles.csv:5 userSourcedId"
        ]
    );
    assert_eq!(found[1].hint.as_deref(), Some("Did you mean 'teacher'?"));
    assert_eq!(found[2].root.as_deref(), Some("'2' in users.csv"));
    assert_eq!(keys(&dir, Entity::Role), ["1/A/teacher"]);
}

#[test]
fn duplicates_identical_and_conflicting() {
    let (report, found, dir) = run(&[("users.csv", "sourcedId,username,givenName\n1,ann,Ann\n1,ann,Ann\n1,ann,Anna\n2,bob,\n3,ANN,\n")]);
    assert_eq!(
        found.iter().map(|f| (f.code, f.line)).take(3).collect::<Vec<_>>(),
        [("DuplicateRecord", 3), ("ConflictingDuplicate", 4), ("DuplicateUsername", 6)]
    );
    let messages: Vec<&str> = found.iter().map(|f| f.message.as_str()).take(3).collect();
    assert_eq!(
        messages,
        [
            "The row of '1' stands on line 2 already; one is kept.",
            "'1' stands on line 2 already, with other values; the first row is kept.",
            "The username 'ANN' is used by another person on line 2."
        ]
    );
    assert_eq!(keys(&dir, Entity::User), ["1", "2"]);
    assert_eq!(report.files[1].accepted, 2);
}

#[test]
fn broken_lines_spoil_only_themselves() {
    let (_, found, dir) = run(&[("users.csv", "sourcedId,username,givenName\r1,ann,\"An\rna\"\r2,bob\r3,cy,C,x\r4,dee,\"D, E\"\r")]);
    assert_eq!(
        summary(&found)[..3],
        ["LineBreakInQuotes users.csv:2 -", "FieldCount users.csv:4 -", "FieldCount users.csv:5 -"].map(str::to_owned)
    );
    assert_eq!(keys(&dir, Entity::User), ["4"]);
}

#[test]
fn optional_values_are_dropped_with_a_warning() {
    let (report, found, _) = run(&[
        (
            "roles.csv",
            "userSourcedId,orgSourcedId,role,sessionSourcedId,grade,isPrimary,roleStartDate,roleEndDate\n1,A,Teacher,,,TRUE,,\n2,A,student,S1,99,yes,8/24/2026,\n3,B,student,,1,,2026-08-24,2026-01-01\n",
        ),
        ("academicSessions.csv", "sourcedId,title,type,schoolYear,startDate,endDate\nS2,T,term,2027,2026-08-24,2027-06-11\n"),
    ]);
    assert_eq!(
        summary(&found),
        [
            "OptionalReferenceNotFound roles.csv:3 sessionSourcedId",
            "InvalidOptionalCode roles.csv:3 grade",
            "InvalidOptionalValue roles.csv:3 isPrimary",
            "InvalidOptionalValue roles.csv:3 roleStartDate",
            "EndBeforeStart roles.csv:4 roleEndDate"
        ]
    );
    assert_eq!((report.count(Severity::Error), report.count(Severity::Warning)), (1, 4));
}

#[test]
fn parents_that_are_missing_or_go_round_in_circles() {
    let (_, found, dir) =
        run(&[("orgs.csv", "sourcedId,name,type,parentSourcedId\nA,a,school,B\nB,b,school,A\nC,c,school,C\nD,d,school,X\nE,e,school,D\n")]);
    assert_eq!(found.iter().filter(|f| f.code == "CyclicParent").count(), 3);
    assert_eq!(found.iter().filter(|f| f.code == "OptionalReferenceNotFound").count(), 1);
    assert_eq!(keys(&dir, Entity::Org).len(), 5);
}

#[test]
fn what_is_catastrophic_stops_everything() {
    for (file, text, code) in [
        ("users.csv", "", "EmptyFile"),
        ("users.csv", "sourcedId,username\n", "EmptyFile"),
        ("users.csv", "sourcedId,Username\n1,a\n", "HeaderNotFound"),
        ("users.csv", "sourcedId;username\n1;a\n", "HeaderNotFound"),
        ("users.csv", "sourcedId,username,username\n1,a,b\n", "DuplicateHeader"),
    ] {
        let (report, ..) = run(&[(file, text)]);
        assert_eq!(report.catastrophic.map(|f| f.code), Some(code), "{text:?}");
    }
}

/// What is wrong with rows after it, or is only a remark, nobody reads before the export is mended.
#[test]
fn a_file_that_stops_the_run_does_not_hide_the_headers_of_the_others() {
    let (roles, classes) = ("userSourcedId,orgSourcedId,Role\n9,9,9\n", "sourcedId,orgSourcedId,title,shoeSize\nK,nowhere,\n");
    let others = [("roles.csv", roles), ("classes.csv", classes), ("courses.csv", "")];
    for (file, text, code) in [
        ("orgs.csv", "sourcedId;name;type\nA;North;school\n", "HeaderNotFound orgs.csv:0 -"),
        ("orgs.csv", "sourcedId,name,type\n", "EmptyFile orgs.csv:0 -"),
    ] {
        let (report, found, dir) = run(&[&[(file, text)], &others[..]].concat());
        let mut rest = summary(&found);
        assert_eq!(rest.remove(0), code);
        assert_eq!(report.catastrophic.as_ref(), Some(&found[0]), "the first is what it stopped at");
        rest.sort();
        assert_eq!(rest, ["EmptyFile courses.csv:0 -", "HeaderNotFound roles.csv:1 role"]);
        assert!(!dir.path().join(MANIFEST).exists());
    }
    let (_, found, _) = run(&[("users.csv", "sourcedId,username\n")]);
    assert_eq!(summary(&found), ["EmptyFile users.csv:0 -"]);
}

#[test]
fn bytes_that_are_not_utf8_name_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("orgs.csv");
    std::fs::write(&path, b"sourcedId,name,type\n1,Sch\xfcle,school\n2,x,school\n").unwrap();
    let codes = codes();
    let mut found = Vec::new();
    let mut progress = |_: &str, _| true;
    let mut options = IngestOptions::new(&codes, &mut progress);
    let sources = [Source { name: "orgs.csv".to_owned(), path }];
    ingest(&sources, &mut options, dir.path(), &mut |f| {
        found.push(f.clone());
        Ok(())
    })
    .unwrap();
    assert_eq!(found[0].code, "InvalidEncoding");
    assert!(found[0].message.contains("byte 25"), "{}", found[0].message);
    let mut options = IngestOptions { encoding: Some("windows-1252"), ..IngestOptions::new(&codes, &mut progress) };
    found.clear();
    ingest(&sources, &mut options, dir.path(), &mut |f| {
        found.push(f.clone());
        Ok(())
    })
    .unwrap();
    assert_eq!(found[0].code, "RequiredFileNotFound");
}

#[test]
fn contacts_need_a_name_and_an_address_but_no_role() {
    let (_, found, dir) =
        run(&[("relationships.csv", "userSourcedId,relationshipUserSourcedId,relationshipRole\n2,1,parent\n2,3,parent\n")]);
    assert_eq!(summary(&found), ["ContactIncomplete relationships.csv:3 relationshipUserSourcedId"]);
    assert_eq!(keys(&dir, Entity::Relationship), ["2/1"]);
}

mod broken;
mod pointing;
mod regressions;
mod same;
mod tables;
