//! The catalogue: every code has an example that provokes it, and nothing is left to say about it.

use super::examples::{ONLY_IN_RUNS, provoke};
use super::testing;
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

/// Hints at what was most likely meant: codes, headers, names of files, encodings.
#[test]
fn hints_name_what_was_meant() {
    for (code, hint) in [
        ("InvalidReferenceCode", "Did you mean 'teacher'?"),
        ("HeaderNotFound", "There is a column 'SIS_ID': is it meant to be 'SIS ID'?"),
        ("UnknownColumn", "Is 'family_name' meant to be 'familyName'?"),
        ("RequiredFileNotFound", "There is a Studnet.csv: is it meant to be Student.csv?"),
        ("UnsupportedFile", "Is it meant to be classes.csv?"),
        ("InvalidEncoding", "It looks like Windows-1252; export the file as UTF-8, or name its encoding."),
        ("EncodedTwice", "It should read 'Cañon School': export the file as UTF-8 from the source, once."),
    ] {
        assert_eq!(provoke(code, &testing::codes()).hint.as_deref(), Some(hint), "{code}");
    }
}
