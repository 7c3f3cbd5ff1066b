//! The catalogue: every code has an example that provokes it, and nothing is left to say about it.

use super::examples::{ONLY_IN_RUNS, provoke};
use super::{load, testing};
use roster::{CATALOGUE, Format, Severity};

#[test]
fn every_code_has_an_example_that_provokes_it() {
    for entry in CATALOGUE.iter().filter(|entry| !ONLY_IN_RUNS.iter().any(|(code, _)| *code == entry.code)) {
        let finding = provoke(entry.code, &testing::codes());
        assert_eq!(finding.severity(), entry.severity);
        assert!(finding.message.ends_with(['.', ':']), "{}", finding.message);
        // What is about a value names its place.
        assert!(finding.column.is_none() || finding.line > 0, "{finding:?}");
    }
    assert!(ONLY_IN_RUNS.iter().all(|(code, _)| CATALOGUE.iter().any(|entry| entry.code == *code)));
}

#[test]
fn an_entry_says_when_where_and_what_to_do() {
    for entry in CATALOGUE {
        assert!(!entry.formats.is_empty() && entry.formats.iter().all(|format| Format::ALL.contains(format)), "{}", entry.code);
        assert!([entry.when, entry.remedy].iter().all(|text| text.ends_with('.') && text.len() > 15), "{}", entry.code);
        assert!(entry.code.chars().all(|c| c.is_ascii_alphanumeric()) && entry.code.starts_with(|c: char| c.is_ascii_uppercase()));
    }
    assert!(CATALOGUE.is_sorted_by_key(|entry| std::cmp::Reverse(entry.severity)), "the worst ones come first");
    assert!(CATALOGUE.iter().any(|entry| entry.severity == Severity::Info));
}

#[test]
fn encodings_are_guessed() {
    let header = "sourcedId,name,type\n";
    let utf16: Vec<u8> = header.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, code, hint) in [
        (utf16, "HeaderNotFound", "It looks like UTF-16 without a byte order mark: export the file as UTF-8."),
        ([header.as_bytes(), b"A,Sch\xfcle,school\n"].concat(), "InvalidEncoding", "It looks like Windows-1252"),
        // A Russian name in Windows-1251, and a Japanese one in Shift_JIS.
        ([header.as_bytes(), b"A,\xcc\xee\xf1\xea\xe2\xe0,school\n"].concat(), "InvalidEncoding", "It is in some other encoding"),
        ([header.as_bytes(), b"A,\x93\x8c\x8b\x9e,school\n"].concat(), "InvalidEncoding", "It is in some other encoding"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("orgs.csv"), bytes).unwrap();
        let loaded = load(dir.path(), None);
        assert_eq!(loaded.found[0].code, code);
        assert!(loaded.found[0].hint.as_deref().unwrap_or_default().starts_with(hint), "{}", loaded.first_findings());
    }
}

/// Hints at what was most likely meant: codes, headers, names of files, encodings.
#[test]
fn hints_name_what_was_meant() {
    for (code, hint) in [
        ("InvalidReferenceCode", "Did you mean 'teacher'?"),
        ("HeaderNotFound", "There is a column 'SIS_ID': is it meant to be 'SIS ID'?"),
        ("UnknownColumn", "Is 'family_name' meant to be 'familyName'?"),
        ("RequiredFileNotFound", "Studnet.csv is there: is it meant to be Student.csv? Then rename it."),
        ("UnsupportedFile", "Is it meant to be classes.csv? Then rename it."),
        (
            "InvalidEncoding",
            "It looks like Windows-1252: export the file as UTF-8, or name its encoding if all of it is in that one (--encoding \
             windows-1252 on the command line); else mend this row.",
        ),
        ("EncodedTwice", "It should read 'Cañon School': export the file as UTF-8 from the source, once."),
    ] {
        assert_eq!(provoke(code, &testing::codes()).hint.as_deref(), Some(hint), "{code}");
    }
}

/// What a file is that has the name of one of the export and is none, or nearly the name.
#[test]
fn files_that_are_something_else_are_told() {
    let files: [(&str, &[u8], &str, &str); 16] = [
        ("users.csv", b"PK\x03\x04\x14\0\x08\0", "HeaderNotFound", "It is an Excel workbook"),
        ("users.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\"", "HeaderNotFound", "It is an old Excel workbook (.xls)"),
        ("users.csv", b"\x1f\x8b\x08\0users", "HeaderNotFound", "It is compressed with gzip"),
        ("users.csv", b"%PDF-1.7\n", "HeaderNotFound", "It is a PDF"),
        ("users.csv", b"\nsourcedId,username\nu1,u1\n", "HeaderNotFound", "Remove the blank lines"),
        ("users.csv", b"<!DOCTYPE html>\n<html><body>Log in</body></html>\n", "HeaderNotFound", "It is a web page"),
        ("users.csv", b"s\0o\0u\0r\0c\0e\0", "HeaderNotFound", "It looks like UTF-16"),
        ("users.csv", b" sourcedId, username\nu1,u1\n", "HeaderNotFound", "There is a column ' sourcedId'"),
        ("users.csv", b"sourcedId,username, givenName\nu1,u1,Ann\n", "UnknownColumn", "Remove the blanks around 'givenName'."),
        ("enrolments.csv", b"classSourcedId,userSourcedId,role\n", "UnsupportedFile", "Is it meant to be enrollments.csv?"),
        ("enrolments_2026-11-27.csv", b"classSourcedId,userSourcedId,role\n", "UnsupportedFile", "Is it meant to be enrollments.csv?"),
        ("Users (1).csv", b"sourcedId,username\n", "UnsupportedFile", "users.csv is there already"),
        ("Student.csv", b"SIS ID,School SIS ID,Username\n", "UnsupportedFile", "It is a file of SDS v1"),
        ("users.csv.gz", b"\x1f\x8b\x08", "UnsupportedFile", "users.csv is there already"),
        ("export.7z", b"7z", "UnsupportedFile", "It is compressed in a way that is not read"),
        ("all.xls", b"\xd0\xcf\x11\xe0", "UnsupportedFile", "It is a workbook"),
    ];
    for (name, content, code, hint) in files {
        let folder = tempfile::tempdir().unwrap();
        for (file, rows) in [
            ("orgs.csv", "sourcedId,name,type\no1,School,school\n"),
            ("users.csv", "sourcedId,username\nu1,u1\n"),
            ("roles.csv", "userSourcedId,orgSourcedId,role\nu1,o1,student\n"),
        ] {
            std::fs::write(folder.path().join(file), rows).unwrap();
        }
        std::fs::write(folder.path().join(name), content).unwrap();
        let loaded = crate::load_as(folder.path(), Some(roster::Format::SdsV21));
        let found = loaded.found.iter().find(|finding| finding.code == code && finding.file == name);
        let told = found.and_then(|finding| finding.hint.as_deref()).unwrap_or_default();
        assert!(told.starts_with(hint), "{name} {content:?}: {}", loaded.first_findings());
    }
}

/// What is missing is told at once, with what may be there in its place.
#[test]
fn all_required_files_that_are_missing_are_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("orgs.csv"), "sourcedId,name,type\no1,School,school\no2,,school\n").unwrap();
    std::fs::write(folder.path().join("export_users_20261127.csv"), "sourcedId,username\nu1,u1\n").unwrap();
    let loaded = crate::load_as(folder.path(), Some(roster::Format::SdsV21));
    let found: Vec<_> = loaded.found.iter().map(|finding| (finding.code, finding.file.as_str(), finding.hint.as_deref())).collect();
    assert_eq!(
        found,
        [
            ("UnsupportedFile", "export_users_20261127.csv", Some("Is it meant to be users.csv? Then rename it.")),
            // The rows of what is there are looked at all the same.
            ("RequiredValueMissing", "orgs.csv", None),
            ("RequiredFileNotFound", "users.csv", Some("export_users_20261127.csv is there: is it meant to be users.csv? Then rename it.")),
            ("RequiredFileNotFound", "roles.csv", None),
        ]
    );
    assert_eq!(loaded.report.catastrophic.as_ref().map(|finding| finding.file.as_str()), Some("users.csv"));
    assert!(loaded.report.segments.is_empty(), "nothing of it is used");
}

/// A connector for another format than the one of its uploads.
#[test]
fn basic_validation_tells_which_format_the_files_look_like() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("orgs.csv"), "sourcedId,status,dateLastModified,name,type\no1,,,School,school\n").unwrap();
    let hints = |format| roster::basic_validate(&crate::sources(folder.path()), Some(format)).errors.into_iter().map(|error| error.hint);
    let told = "The files look like OneRoster 1.1 (orgs.csv has the columns status and dateLastModified, and there is no roles.csv or \
                users.csv of 1.2): see whether that is the format to name.";
    assert_eq!(hints(Format::SdsV1).collect::<Vec<_>>(), vec![Some(told.to_owned()); 3], "School.csv, Student.csv and Teacher.csv");
    assert_eq!(hints(Format::OneRoster11).collect::<Vec<_>>(), [None], "only users.csv is missing");
}
