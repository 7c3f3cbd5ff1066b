//! Findings of a run or a plan, for a terminal: one line each, or counted by code.

use super::Failure;
use crate::output::{self, Colour, printable};
use serde::Deserialize;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::PathBuf;

/// Characters of a message in the table of codes.
const MESSAGE_SHOWN: usize = 110;

/// One line of a findings log.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Found {
    /// Stable code.
    pub code: String,
    /// How bad it is, in a word.
    pub severity: String,
    /// File; empty when it is about no file.
    pub file: String,
    /// Line; 0 when it is about no line.
    pub line: u64,
    /// Key of the record.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// The record whose own finding has caused this one, as `'17' in users.csv`.
    pub root_cause: Option<String>,
    /// What to do about this one; what helps against all of its code is in the catalogue.
    pub hint: Option<String>,
}

impl Found {
    /// File and line, or file and key where there is no line.
    pub(crate) fn place(&self) -> String {
        printable(&match (&self.key, self.line) {
            (_, line) if line > 0 => format!("{}:{line}", self.file),
            (Some(key), _) => format!("{} (key {key})", self.file),
            (None, _) => self.file.clone(),
        })
    }

    /// Place, severity, code, message and cause on one line, as compilers say it.
    pub(crate) fn line(&self) -> String {
        let place = self.place();
        let place = if place.is_empty() { place } else { format!("{place}: ") };
        let cause = self.root_cause.as_ref().map_or_else(String::new, |root| format!(" (follows from {root})"));
        let severity = output::coloured(&self.severity, colour(&self.severity));
        format!("{place}{severity} {}: {}{}", self.code, printable(&self.message), printable(&cause))
    }
}

fn colour(severity: &str) -> Colour {
    match severity {
        "info" => Colour::Dim,
        "warning" => Colour::Yellow,
        _ => Colour::Red,
    }
}

/// Gives every finding of the logs.
pub(crate) fn each(logs: &[PathBuf], mut give: impl FnMut(Found) -> io::Result<()>) -> io::Result<()> {
    for log in logs {
        for line in BufReader::new(File::open(log)?).lines() {
            give(serde_json::from_str(&line?)?)?;
        }
    }
    Ok(())
}

/// Findings counted by code, with the first one of each.
#[derive(Debug, Default)]
pub(crate) struct ByCode(BTreeMap<String, (u64, Found)>);

impl ByCode {
    /// Counts those of the logs.
    pub(crate) fn of(logs: &[PathBuf]) -> Result<Self, Failure> {
        let mut all = Self::default();
        let counted = each(logs, |found| {
            all.take(found);
            Ok(())
        });
        counted.map_err(Failure::io("read the findings"))?;
        Ok(all)
    }

    /// Whether any is an error or worse.
    pub(crate) fn has_errors(&self) -> bool {
        self.0.values().any(|(_, found)| matches!(found.severity.as_str(), "error" | "catastrophic"))
    }

    /// Counts one more.
    fn take(&mut self, found: Found) {
        self.0.entry(found.code.clone()).and_modify(|(count, _)| *count += 1).or_insert((1, found));
    }

    /// Whether any is of this code.
    pub(crate) fn has(&self, code: &str) -> bool {
        self.0.contains_key(code)
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As every list by kind: the worst first, what follows from others last, then the most.
    fn sorted(&self) -> Vec<&(u64, Found)> {
        let mut all: Vec<_> = self.0.values().collect();
        all.sort_by_key(|(count, found)| (roster::listing_rank(&found.code), Reverse(*count)));
        all
    }

    /// For `--json`.
    pub(crate) fn as_json(&self) -> Value {
        let one = |(count, found): &&(u64, Found)| {
            let first = json!({ "file": found.file, "line": found.line, "key": found.key, "message": found.message });
            json!({ "code": found.code, "severity": found.severity, "count": count, "first": first })
        };
        self.sorted().iter().map(one).collect()
    }

    /// A table; nothing when there are none.
    pub(crate) fn show(&self) {
        if self.is_empty() {
            return;
        }
        let row = |(count, found): &(u64, Found)| {
            let message = output::shortened(&printable(&found.message), MESSAGE_SHOWN);
            vec![found.severity.clone(), found.code.clone(), output::grouped(*count), found.place(), message]
        };
        let rows: Vec<_> = self.sorted().into_iter().map(row).collect();
        output::table(&["severity", "finding", "count", "first at", ""], &rows);
        for remedy in self.remedies() {
            output::line(&format!("  {remedy}"));
        }
    }

    /// What to do about the findings of each code; the hint of one of many is about its place.
    fn remedies(&self) -> Vec<String> {
        let line = |(count, found): &(u64, Found)| match &found.hint {
            Some(hint) if *count > 1 => Some(format!("{} at {}: {}", found.code, found.place(), printable(hint))),
            Some(hint) => Some(format!("{}: {}", found.code, printable(hint))),
            None => Some(roster::remedy(&found.code)).filter(|remedy| !remedy.is_empty()).map(|remedy| format!("{}: {remedy}", found.code)),
        };
        self.sorted().into_iter().filter_map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: &str, severity: &str, line: u64, key: Option<&str>) -> Found {
        serde_json::from_value(json!({
            "code": code, "severity": severity, "file": "users.csv", "line": line, "key": key, "message": "x\u{1b}[31m", "rootCause": null,
        }))
        .unwrap()
    }

    #[test]
    fn a_place_is_what_is_known_of_it() {
        assert_eq!(found("a", "error", 7, Some("s1")).place(), "users.csv:7");
        assert_eq!(found("a", "error", 0, Some("s1")).place(), "users.csv (key s1)");
        assert_eq!(found("a", "error", 0, None).place(), "users.csv");
        let nowhere = Found { file: String::new(), ..found("LastPullFailed", "warning", 0, None) };
        assert_eq!(nowhere.line(), "warning LastPullFailed: x\\u{1b}[31m", "without what moves a cursor");
        let caused = Found { root_cause: Some("'3' in orgs.csv".to_owned()), ..found("a", "error", 7, None) };
        assert!(caused.line().starts_with("users.csv:7: error a: x") && caused.line().ends_with("(follows from '3' in orgs.csv)"));
    }

    #[test]
    fn what_helps_is_told_once_a_code() {
        let mut by_code = ByCode::default();
        let own = Found { hint: Some("Did you mean 'teacher'?".to_owned()), ..found("InvalidReferenceCode", "error", 3, None) };
        for one in
            [own, found("InvalidReferenceCode", "error", 4, None), found("FieldCount", "error", 5, None), found("x", "error", 6, None)]
        {
            by_code.take(one);
        }
        let field_count = format!("FieldCount: {}", roster::remedy("FieldCount"));
        assert_eq!(by_code.remedies(), ["InvalidReferenceCode at users.csv:3: Did you mean 'teacher'?".to_owned(), field_count]);
        assert!(by_code.has("x") && !by_code.has("y"));
    }

    #[test]
    fn the_worst_come_first_and_consequences_last() {
        let mut by_code = ByCode::default();
        for (code, severity) in [
            ("ReferencedRecordDropped", "error"),
            ("FieldCount", "error"),
            ("RecordGone", "info"),
            ("ReferenceNotFound", "error"),
            ("ReferenceNotFound", "error"),
            ("UnknownColumn", "warning"),
        ] {
            by_code.take(found(code, severity, 3, None));
        }
        let all = by_code.as_json();
        let codes: Vec<_> =
            all.as_array().unwrap().iter().map(|one| (one["code"].as_str().unwrap(), one["count"].as_u64().unwrap())).collect();
        let listed = [("FieldCount", 1), ("ReferenceNotFound", 2), ("UnknownColumn", 1), ("RecordGone", 1), ("ReferencedRecordDropped", 1)];
        assert_eq!(codes, listed);
    }
}
