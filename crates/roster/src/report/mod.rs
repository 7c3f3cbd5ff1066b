//! Findings logs as reports: CSV, JSON lines, or one HTML page that needs nothing else.
//!
//! A log is a file of [`Finding::to_json`](crate::Finding::to_json) objects, one a line, as a run and `homeroom validate`
//! write it. Reports are made from logs and not while findings are found, so that a run's log can be had in
//! every form later, and so that a page can say its totals first.

mod page;

pub use page::grouped;

use crate::catalogue::remedy;
use crate::ingest::FileReport;
use crate::{legible, legible_json};
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;

/// Form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// RFC 4180 with a header.
    Csv,
    /// One object a line, as in the logs; the hint of a kind of finding stands with each that has none of its own.
    JsonLines,
    /// One page that works offline and without script.
    Html,
}

impl Form {
    /// The form that the extension of a file name asks for.
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "json" | "jsonl" => Some(Self::JsonLines),
            "html" | "htm" => Some(Self::Html),
            _ => None,
        }
    }

    /// Media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::JsonLines => "application/jsonl; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
        }
    }
}

/// What a report is made from.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// What was looked at, for the heading of a page: a run, a folder.
    pub subject: String,
    /// How it was read and when, for the heading of a page: sentences.
    pub about: Vec<String>,
    /// The logs, in the order in which they are told.
    pub logs: Vec<PathBuf>,
    /// What became of each file.
    pub files: Vec<FileReport>,
    /// Why nothing was changed, when a finding or a guard has stopped the run.
    pub stopped: Option<String>,
}

impl Findings {
    /// Writes the report.
    pub fn write(&self, form: Form, out: &mut dyn Write) -> io::Result<()> {
        match form {
            Form::JsonLines => self.each_line(|line| {
                let mut finding: Value = serde_json::from_str(line)?;
                if finding["hint"].is_null() {
                    finding["hint"] = finding["code"].as_str().map_or("", remedy).into();
                }
                writeln!(out, "{}", legible_json(&finding.to_string()))
            }),
            Form::Csv => {
                writeln!(out, "{}", COLUMNS.join(","))?;
                self.each(|entry| writeln!(out, "{}", entry.cells().map(|cell| csv_cell(&cell).into_owned()).join(",")))
            }
            Form::Html => page::write(self, out),
        }
    }

    /// Gives every finding of the logs.
    fn each(&self, mut give: impl FnMut(&Entry<'_>) -> io::Result<()>) -> io::Result<()> {
        self.each_line(|line| give(&serde_json::from_str(line)?))
    }

    fn each_line(&self, mut give: impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
        let mut line = String::new();
        for log in &self.logs {
            let mut reader = BufReader::with_capacity(256 * 1024, File::open(log)?);
            loop {
                line.clear();
                if reader.read_line(&mut line)? == 0 {
                    break;
                }
                give(&line)?;
            }
        }
        Ok(())
    }
}

const COLUMNS: [&str; 10] = ["severity", "code", "file", "line", "column", "key", "value", "message", "hint", "rootCause"];

/// One line of a log.
#[derive(Debug, Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
    #[serde(borrow)]
    severity: Cow<'a, str>,
    #[serde(borrow)]
    file: Cow<'a, str>,
    line: u64,
    #[serde(borrow)]
    column: Option<Cow<'a, str>>,
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    value: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow)]
    hint: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "rootCause")]
    root: Option<Cow<'a, str>>,
}

impl Entry<'_> {
    /// In the order of [`COLUMNS`].
    fn cells(&self) -> [Cow<'_, str>; 10] {
        fn may<'a>(value: Option<&'a Cow<'_, str>>) -> Cow<'a, str> {
            Cow::Borrowed(value.map(AsRef::as_ref).unwrap_or_default())
        }
        let line = if self.line > 0 { Cow::Owned(self.line.to_string()) } else { Cow::Borrowed("") };
        let (severity, code, file, message) = (&*self.severity, &*self.code, &*self.file, &*self.message);
        [
            severity.into(),
            code.into(),
            file.into(),
            line,
            may(self.column.as_ref()),
            may(self.key.as_ref()),
            may(self.value.as_ref()),
            message.into(),
            self.hint.as_deref().unwrap_or_else(|| remedy(&self.code)).into(),
            may(self.root.as_ref()),
        ]
    }

    /// File and line, as far as known.
    fn place(&self) -> String {
        if self.line > 0 { format!("{}:{}", self.file, self.line) } else { self.file.to_string() }
    }
}

/// RFC 4180, without line breaks. A cell that a spreadsheet would take for a formula is written as text: its content
/// comes from a file that anybody may have written.
fn csv_cell(cell: &str) -> Cow<'_, str> {
    let cell = legible(cell);
    let formula = cell.starts_with(['=', '+', '-', '@']);
    if !formula && !cell.contains(['"', ',']) {
        return cell;
    }
    Cow::Owned(format!("\"{}{}\"", if formula { "'" } else { "" }, cell.replace('"', "\"\"")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Finding;

    fn report(form: Form, findings: &[Finding]) -> String {
        let mut log = tempfile::NamedTempFile::new().unwrap();
        for finding in findings {
            writeln!(log, "{}", finding.to_json()).unwrap();
        }
        let files = vec![FileReport { name: "users.csv".to_owned(), rows: 10, accepted: 8, errors: 2, warnings: 0 }];
        let subject = "an <export>".to_owned();
        let about = vec!["Read as <SDS>.".to_owned()];
        let findings = Findings { subject, about, logs: vec![log.path().to_owned()], files, stopped: None };
        let mut out = Vec::new();
        findings.write(form, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn hostile() -> Finding {
        let value = Some("=HYPERLINK(\"x\")".to_owned());
        let key = Some("</script><script>alert(1)</script>".to_owned());
        let root = Some("'7' in orgs.csv".to_owned());
        Finding { line: 3, key, value, root, ..Finding::of_file("ReferencedRecordDropped", "users.csv", "a,b \"c\" <i>") }
    }

    /// Wherever it stands, and in every form: nothing that moves a cursor, ends a line or turns the direction of writing.
    #[test]
    fn no_report_shows_something_else_than_it_says() {
        let text = "a\u{202e}b\u{2066}c\u{9b}2J\u{1b}]0;\u{7}\t\nd";
        let hostile = Finding {
            key: Some(text.to_owned()),
            value: Some(text.to_owned()),
            root: Some(text.to_owned()),
            hint: Some(text.to_owned()),
            ..Finding::of_file("FieldCount", text, text)
        };
        let shown = "a\\u{202e}b\\u{2066}c\\u{9b}2J\\u{1b}]0;\\u{7}\\u{9}\\u{a}d";
        let csv = report(Form::Csv, std::slice::from_ref(&hostile));
        assert_eq!(csv.lines().nth(1).unwrap().matches(shown).count(), 6, "{csv}");
        let json = report(Form::JsonLines, std::slice::from_ref(&hostile));
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), hostile.to_json(), "programs get the value as it is");
        let html = report(Form::Html, &[hostile]);
        assert!(html.matches(shown).count() >= 5, "{html}");
        for text in [csv, json, html] {
            let left: Vec<char> = text.chars().filter(|c| *c != '\n' && crate::misleads(*c)).collect();
            assert!(left.is_empty(), "{left:?} in {text}");
        }
    }

    /// What stands above the findings comes from others as well: the folder, the files, and why a run was stopped.
    #[test]
    fn a_page_says_its_subject_legibly() {
        let text = "x\u{202e}y".to_owned();
        let file = FileReport { name: text.clone(), rows: 1, accepted: 1, errors: 0, warnings: 0 };
        let findings = Findings { subject: text.clone(), about: vec![text.clone()], logs: vec![], files: vec![file], stopped: Some(text) };
        let mut page = Vec::new();
        findings.write(Form::Html, &mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert!(!page.contains('\u{202e}') && page.matches("x\\u{202e}y").count() == 5, "{page}");
    }

    #[test]
    fn a_csv_report_can_be_read_and_does_nothing_in_a_spreadsheet() {
        let text = report(Form::Csv, &[hostile()]);
        let (header, row) = text.split_once('\n').unwrap();
        assert_eq!(header, COLUMNS.join(","));
        let expected = "error,ReferencedRecordDropped,users.csv,3,,</script><script>alert(1)</script>,\"'=HYPERLINK(\"\"x\"\")\",\
            \"a,b \"\"c\"\" <i>\",\"Mend the record that it leads to, or add the file; this one needs nothing.\",'7' in orgs.csv\n";
        assert_eq!(row, expected);
    }

    #[test]
    fn json_lines_are_the_log_with_what_helps() {
        let own = hostile().hint("Look at it.");
        assert_eq!(report(Form::JsonLines, std::slice::from_ref(&own)), format!("{}\n", own.to_json()));
        let catalogued = hostile().hint("Mend the record that it leads to, or add the file; this one needs nothing.");
        assert_eq!(report(Form::JsonLines, &[hostile()]), format!("{}\n", catalogued.to_json()));
    }

    #[test]
    fn a_page_shows_text_as_text() {
        let page = report(Form::Html, &[hostile()]);
        assert!(!page.contains("<script>alert") && !page.contains("<i>") && !page.contains("an <export>"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)") && page.contains("an &lt;export&gt;"));
    }

    /// What somebody searches for stands in one piece, and what helps stands beside each kind.
    #[test]
    fn a_page_says_place_remedy_and_how_it_was_read() {
        let page = report(Form::Html, &[Finding { line: 24, ..Finding::of_file("FieldCount", "users.csv", "x") }]);
        assert!(page.contains("<td class=\"w\">users.csv:24<td class=\"w\">"), "{page}");
        assert!(
            page.contains("<em>Put quotes around values with commas; fill up rows that are too short.</em><td class=\"w\">users.csv:24\n")
        );
        assert!(page.contains("<p>Read as &lt;SDS&gt;.</p>"));
    }

    #[test]
    fn a_page_tells_causes_from_consequences_and_all_counts() {
        let cause = Finding { line: 2, ..Finding::of_file("RequiredValueMissing", "users.csv", "username is empty") };
        let page = report(Form::Html, &[cause, hostile()]);
        assert!(page.contains("<dt>Rows read</dt><dd>10</dd>"), "{page}");
        assert!(page.contains("<dt>Errors</dt><dd class=\"error\">2</dd>"), "{page}");
        assert!(page.contains("1 of the errors and warnings follows from another"), "{page}");
    }

    #[test]
    fn a_page_lists_the_cause_before_the_flood_that_may_come_of_it() {
        let mut findings = vec![Finding { line: 2, ..Finding::of_file("FieldCount", "users.csv", "x") }];
        findings.extend((2..9).map(|line| Finding { line, ..Finding::of_file("ReferenceNotFound", "roles.csv", "x") }));
        let page = report(Form::Html, &findings);
        let kinds = &page[page.find("By kind").unwrap()..page.find("All findings").unwrap()];
        assert!(kinds.find("users.csv:2").unwrap() < kinds.find("roles.csv:2").unwrap(), "{kinds}");
    }

    #[test]
    fn a_page_keeps_every_code_and_says_what_it_leaves_out() {
        let mut findings: Vec<Finding> = (0..page::ROWS_OF_CODE_MAX + 5)
            .map(|n| Finding { line: n as u64 + 2, ..Finding::of_file("FieldCount", "users.csv", "x") })
            .collect();
        findings.push(Finding::of_file("UnknownColumn", "users.csv", "the last one"));
        let page = report(Form::Html, &findings);
        assert!(page.contains("the last one"));
        assert!(page.contains("5 more"), "{}", &page[..4000]);
    }

    /// Worst first, whatever was found first; and what goes away by itself after a line that says so.
    #[test]
    fn a_page_lists_all_findings_by_their_weight() {
        let at = |line, code| Finding { line, ..Finding::of_file(code, "users.csv", "x") };
        let found = [at(2, "UnknownColumn"), at(3, "ReferencedRecordDropped"), at(4, "FieldCount"), at(5, "HeaderNotFound")];
        let page = report(Form::Html, &found);
        for (from, to) in [("By kind", "All findings"), ("All findings", "</html>")] {
            let part = &page[page.find(from).unwrap()..page.find(to).unwrap()];
            let places = ["users.csv:5", "users.csv:4", "users.csv:2", "What follows from the errors above", "users.csv:3"];
            let order: Vec<usize> = places.iter().map(|place| part.find(place).unwrap()).collect();
            assert!(order.is_sorted(), "{order:?} {part}");
        }
        assert!(!report(Form::Html, &found[..1]).contains("What follows"));
    }

    #[test]
    fn a_page_says_everything_that_stops_a_run() {
        let mut log = tempfile::NamedTempFile::new().unwrap();
        for file in ["orgs.csv", "users.csv"] {
            let finding = Finding::of_file("RequiredFileNotFound", file, format!("{file} is not <there>."));
            writeln!(log, "{}", finding.to_json()).unwrap();
        }
        let stopped = Some("orgs.csv is not <there>.".to_owned());
        let mut page = Vec::new();
        Findings { logs: vec![log.path().to_owned()], stopped, ..Findings::default() }.write(Form::Html, &mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert!(page.contains("<strong>Stopped.</strong> orgs.csv is not &lt;there&gt;. users.csv is not &lt;there&gt;.</p>"), "{page}");
    }

    #[test]
    fn nothing_to_tell_is_told() {
        assert!(report(Form::Html, &[]).contains("No findings"));
    }
}
