//! `homeroom validate` as somebody meets it whose export is not quite right.

use crate::process::homeroom;
use serde_json::Value;
use std::path::Path;
use std::process::Output;

const ORGS: &str = "sourcedId,name,type\nn,North,school\n";
const USERS: &str = "sourcedId,username\n1,ann\n2,bob\n";
const ROLES: &str = "userSourcedId,orgSourcedId,role\n1,n,teacher\n2,n,student\n";
const SESSIONS: &str = "sourcedId,title,type,schoolYear,startDate,endDate\nT,Fall,term,2027,2026-08-24,2026-12-18\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

fn validate(dir: &Path, arguments: &[&str]) -> (Output, String) {
    let output = homeroom().arg("validate").args(arguments).current_dir(dir).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output, text)
}

fn json(dir: &Path, arguments: &[&str]) -> Value {
    let (output, text) = validate(dir, &[arguments, &["--json"]].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// One line of the table of files, its cells apart.
fn row<'t>(text: &'t str, file: &str) -> Vec<&'t str> {
    let line = text.lines().find(|line| line.trim_start().starts_with(file)).unwrap_or_else(|| panic!("no {file} in {text}"));
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[test]
fn files_that_are_missing_have_a_line_and_names_that_are_nearly_right_a_word() {
    let classes = "classSourcedId,userSourcedId,role\n";
    let dir = folder(&[("orgs.csv", ORGS), ("users.csv", USERS), ("roles.csv", ROLES), ("enrolments_2026-11-27.csv", classes)]);
    let (output, text) = validate(dir.path(), &["."]);
    assert_eq!(output.status.code(), Some(0), "an optional file is no error: {text}");
    assert_eq!(row(&text, "users.csv"), ["users.csv", "2", "2", "0", "0"]);
    assert_eq!(row(&text, "courses.csv"), ["courses.csv", "-", "-", "-", "-", "missing, optional"]);
    assert_eq!(row(&text, "enrollments.csv").last(), Some(&"missing, optional; enrolments_2026-11-27.csv is there"));
    let advice = "enrolments_2026-11-27.csv was not read: is it meant to be enrollments.csv? Then rename it.";
    assert_eq!(text.lines().last(), Some(advice));
    assert_eq!(json(dir.path(), &["."])["advice"], serde_json::json!([advice]));

    std::fs::rename(dir.path().join("users.csv"), dir.path().join("Users (1).csv")).unwrap();
    std::fs::remove_file(dir.path().join("roles.csv")).unwrap();
    let (output, text) = validate(dir.path(), &["."]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(row(&text, "users.csv").last(), Some(&"missing, required; Users (1).csv is there"));
    assert_eq!(row(&text, "roles.csv").last(), Some(&"missing, required"));
    assert!(text.contains("users.csv is not in the export") && text.contains("roles.csv is not in the export"), "{text}");

    // A file that is there, behind one that stops the reading.
    std::fs::write(dir.path().join("classes.csv"), "sourcedId,orgSourcedId,title\n").unwrap();
    assert_eq!(row(&validate(dir.path(), &["."]).1, "classes.csv").last(), Some(&"not read"));

    // One file by itself lacks nothing, and under another name it is told which it may be.
    let (output, text) = validate(dir.path(), &["Users (1).csv"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains("--name users.csv"), "{text}");
    let (_, text) = validate(dir.path(), &["Users (1).csv", "--name", "users.csv"]);
    assert!(!text.contains("missing"), "{text}");
    std::fs::write(dir.path().join("orgs.csv.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
    assert!(validate(dir.path(), &["orgs.csv.gz"]).1.contains("zcat orgs.csv.gz | homeroom validate - --name orgs.csv"));
}

/// What is packed or a workbook is not renamed, whatever its name has in common with one of the format.
#[test]
fn files_that_have_to_be_unpacked_or_saved_otherwise_are_told_so() {
    let dir = folder(&[("orgs.csv", ORGS), ("roles.csv", ROLES), ("users.csv.gz", "\u{1f}"), ("classes.xlsx", "PK")]);
    let (_, text) = validate(dir.path(), &["."]);
    assert!(text.contains("users.csv.gz is there. It is compressed in a way that is not read: unpack it"), "{text}");
    assert!(text.contains("classes.xlsx was not read. It is a workbook: save each of its sheets as \"CSV UTF-8\"."), "{text}");
    assert!(!text.contains("rename"), "{text}");
    for (name, remedy) in [
        ("Roster.xlsx", "It is a workbook: save each of its sheets"),
        ("users.xls", "It is a workbook: save each of its sheets"),
        ("e.tar.gz", "It is compressed in a way that is not read: unpack it"),
        ("users.csv.gz", "zcat users.csv.gz | homeroom validate - --name users.csv"),
    ] {
        std::fs::write(dir.path().join(name), "x").unwrap();
        let (output, text) = validate(dir.path(), &[name]);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(remedy), "{text}");
    }
}

/// An export may have files in several encodings, and the one that is named is for those that need it.
#[test]
fn a_named_encoding_leaves_files_in_utf8_alone() {
    let dir = folder(&[("orgs.csv", "sourcedId,name,type\nn,Caf\u{e9} School,school\n"), ("roles.csv", ROLES)]);
    std::fs::write(dir.path().join("users.csv"), b"sourcedId,username,givenName\n1,ann,Zo\xeb\n2,bob,Bob\n").unwrap();
    let (output, text) = validate(dir.path(), &["."]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("name its encoding if all of it is in that one"), "{text}");
    let (output, text) = validate(dir.path(), &[".", "--encoding", "windows-1252"]);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("no findings"), "{text}");
}

/// A table that says of a file that it has no errors, above a total of one, is not believed again.
#[test]
fn what_stops_a_run_is_an_error_of_its_file() {
    let dir = folder(&[("orgs.csv", ORGS), ("users.csv", "sourcedId,name\n1,ann\n"), ("roles.csv", ROLES)]);
    let (_, text) = validate(dir.path(), &[".", "--format", "sds-v2.1", "--report", "r.html"]);
    assert!(text.contains("HeaderNotFound  1 ×"), "{text}");
    assert_eq!(row(&text, "users.csv"), ["users.csv", "0", "0", "1", "1"], "{text}");
    let page = std::fs::read_to_string(dir.path().join("r.html")).unwrap();
    assert!(page.contains("users.csv<td class=\"n\">0<td class=\"n\">0<td class=\"n\">1<td class=\"n\">1"), "{page}");
    let found = json(dir.path(), &[".", "--format", "sds-v2.1"]);
    let errors: u64 = found["files"].as_array().unwrap().iter().map(|file| file["errors"].as_u64().unwrap()).sum();
    assert_eq!((errors, &found["totals"]["catastrophic"]), (1, &1.into()), "{found}");
}

/// A hint stands with the places that it is about, not behind those that nobody sees.
#[test]
fn hints_stand_before_what_is_not_shown() {
    let rows = ["teachr", "studnt", "x", "y", "z"].map(|role| format!("1,n,{role}\n")).concat();
    let dir = folder(&[("orgs.csv", ORGS), ("users.csv", USERS), ("roles.csv", &(ROLES.to_owned() + &rows))]);
    let (_, text) = validate(dir.path(), &["."]);
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.contains("InvalidReferenceCode")).map(str::trim).collect();
    assert!(
        lines[1].starts_with("roles.csv:4  'teachr' in role is not a code of RefRole, the list of roles in an organization."),
        "{text}"
    );
    assert_eq!((lines[2], lines[4]), ("Did you mean 'teacher'?", "Did you mean 'student'?"), "{text}");
    assert!(lines[6].contains("docs/formats.md") && lines[7] == "… and 2 more", "{text}");
}

#[test]
fn another_format_than_the_one_that_was_named_and_two_in_one_folder_are_told() {
    let oneroster = "sourcedId,status,dateLastModified,name,type\nn,,,North,school\n";
    let dir = folder(&[("orgs.csv", oneroster), ("manifest.csv", "propertyName,value\noneroster.version,1.2\n")]);
    let expected = "the files look like OneRoster 1.2 (oneroster.version in manifest.csv is 1.2): leave --format away, or say --format \
                    oneroster-1.2";
    assert_eq!(json(dir.path(), &[".", "--format", "sds-v2.1"])["advice"], serde_json::json!([expected]));
    assert!(validate(dir.path(), &[".", "--format", "sds-v1"]).1.contains(expected));
    for right in ["auto", "oneroster-1.2"] {
        assert_eq!(json(dir.path(), &[".", "--format", right])["advice"], serde_json::json!([]), "{right}");
    }

    let old = folder(&[("users.csv", "sourcedId,orgSourcedIds,username,role\n1,n,ann,teacher\n")]);
    let advice = json(old.path(), &[".", "--format", "oneroster-1.1"])["advice"].to_string();
    assert!(advice.contains("SDS v2 of before 2.1, which is not read"), "{advice}");

    let dir = folder(&[
        ("orgs.csv", ORGS),
        ("users.csv", USERS),
        ("roles.csv", ROLES),
        ("academicSessions.csv", SESSIONS),
        ("Student.csv", "SIS ID,School SIS ID,Username\n1,n,ann\n"),
    ]);
    let found = json(dir.path(), &["."]);
    let expected = "files of 2 formats are here (SDS v2.1: academicSessions.csv, orgs.csv, roles.csv, users.csv; SDS v1: Student.csv): \
                    put each export into a folder of its own";
    assert_eq!(found["advice"], serde_json::json!([expected]));
    let (_, text) = validate(dir.path(), &[".", "--format", "sds-v2.1"]);
    assert!(text.contains("It is a file of SDS v1: keep exports in two formats apart."), "{text}");
}

#[test]
fn reports_are_named_and_say_what_helps() {
    let many = (0..5).map(|n| format!("x{n},n,teachr\n")).collect::<String>();
    let dir = folder(&[("orgs.csv", ORGS), ("users.csv", USERS), ("roles.csv", &(ROLES.to_owned() + &many + "1\n"))]);
    let (_, text) = validate(dir.path(), &["."]);
    assert_eq!(text.lines().last(), Some("all of them: --report FILE.html, .csv or .jsonl"));
    assert!(text.contains("The row has 1 field and the header 3."), "{text}");
    let all = json(dir.path(), &["."])["totals"]["findings"].as_u64().unwrap();
    let (_, text) = validate(dir.path(), &[".", "--report", "r.html", "--report", "r.jsonl"]);
    for report in ["r.html", "r.jsonl"] {
        assert!(text.lines().any(|line| line == format!("report: {report} ({all} findings)")), "{text}");
    }
    assert!(!text.contains("all of them"), "{text}");
    let lines = std::fs::read_to_string(dir.path().join("r.jsonl")).unwrap();
    assert_eq!(lines.lines().count() as u64, all);
    let page = std::fs::read_to_string(dir.path().join("r.html")).unwrap();
    assert!(page.contains("Read as SDS v2.1: users.csv and roles.csv have its columns. Checked on 20"), "{page}");
    assert!(page.contains("Not in the export: academicSessions.csv, "), "{page}");
    for finding in lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        assert!(finding["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{finding}");
    }
    let found = json(dir.path(), &[".", "--max-findings", "1"]);
    assert_eq!(found["findings"].as_array().unwrap().len(), 1);
    assert!(found["findings"][0]["hint"].is_string(), "{found}");
    let (output, text) = validate(dir.path(), &[".", "--report", "r.pdf"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text.contains(".html, .csv or .jsonl"), "{text}");
}

/// What follows stands below a line of its own, and each place has the hint that is for it.
#[test]
fn the_summary_tells_consequences_apart() {
    let users = USERS.to_owned() + "3,\n";
    let roles = ROLES.to_owned() + "3,n,student\n1,n,teachr\n2,n,studnet\n";
    let dir = folder(&[("orgs.csv", ORGS), ("users.csv", &users), ("roles.csv", &roles)]);
    let (_, text) = validate(dir.path(), &["."]);
    let at = |wanted: &str| text.find(wanted).unwrap_or_else(|| panic!("no {wanted} in {text}"));
    assert!(at("InvalidReferenceCode") < at("what follows from the errors above"), "{text}");
    assert!(at("what follows from the errors above") < at("ReferencedRecordDropped"), "{text}");
    assert!(at("'teachr'") < at("Did you mean 'teacher'?") && at("Did you mean 'teacher'?") < at("'studnet'"), "{text}");
}

/// One error each, and no cascade of findings.
#[test]
fn mistakes_with_a_base_are_told_in_one_sentence() {
    let manifest = |mode: &str| format!("propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\nfile.orgs,{mode}\n");
    let orgs = "sourcedId,status,dateLastModified,name,type\nn,active,2026-09-01T00:00:00Z,North,school\n";
    let dir = folder(&[
        ("base/orgs.csv", orgs),
        ("base/manifest.csv", &manifest("bulk")),
        ("changes/orgs.csv", orgs),
        ("changes/manifest.csv", &manifest("delta")),
        ("bare/orgs.csv", orgs),
        ("slip/orgs.csv", orgs),
        ("slip/manifest.csv", &manifest("changes")),
        ("sds/orgs.csv", ORGS),
    ]);
    for (arguments, code, told) in [
        (["base", "--base", "changes"], 2, "base is a whole set, and changes holds changes: they are the wrong way round"),
        (["base", "--base", "changes"], 2, "homeroom validate changes --base base"),
        (["bare", "--base", "base"], 2, "bare has no manifest.csv"),
        (["slip", "--base", "base"], 3, "slip: manifest.csv:4: file.orgs is 'changes', which means nothing"),
        (["sds", "--base", "base"], 1, "only OneRoster has packages of changes"),
    ] {
        let (output, text) = validate(dir.path(), &arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(told), "{arguments:?}: {text}");
        assert!(code == 1 || output.stdout.is_empty(), "nothing is checked: {text}");
    }
    // Without a base, the slip is told once.
    let found = json(dir.path(), &["slip"]);
    let about: Vec<&Value> = found["findings"].as_array().unwrap().iter().filter(|f| f["file"] == "manifest.csv").collect();
    assert_eq!(about.len(), 1, "{about:?}");
}
