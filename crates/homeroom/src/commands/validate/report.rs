//! All findings in a file of their own: CSV, JSON lines, or one HTML page that needs nothing else.

use crate::commands::Failure;
use roster::{FileReport, Finding};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

const COLUMNS: [&str; 9] = ["severity", "code", "file", "line", "column", "key", "value", "message", "hint"];

/// A report that is being written; it appears under its name when it is whole.
pub(super) struct Report {
    path: PathBuf,
    file: BufWriter<tempfile::NamedTempFile<File>>,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    JsonLines,
    Html,
}

impl Report {
    /// Starts a report; its form is that of the file name's extension.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let form = match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => Form::Csv,
            Some("json" | "jsonl") => Form::JsonLines,
            Some("html" | "htm") => Form::Html,
            _ => return Err(Failure::hinting(format!("what form is {} to have?", path.display()), "end its name in .csv, .json or .html")),
        };
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file =
            tempfile::NamedTempFile::new_in(folder).map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
        let mut report = Self { path: path.to_owned(), file: BufWriter::new(file), form };
        report.start().map_err(|error| report.failure(&error))?;
        Ok(report)
    }

    fn failure(&self, error: &io::Error) -> Failure {
        Failure::new(format!("cannot write {}: {error}", self.path.display()))
    }

    fn start(&mut self) -> io::Result<()> {
        match self.form {
            Form::Csv => writeln!(self.file, "{}", COLUMNS.join(",")),
            Form::JsonLines => Ok(()),
            Form::Html => self.file.write_all(HTML_HEAD.as_bytes()),
        }
    }

    /// Adds a finding.
    pub(super) fn write(&mut self, finding: &Finding) -> io::Result<()> {
        if self.form == Form::JsonLines {
            return writeln!(self.file, "{}", finding.to_json());
        }
        let line = if finding.line > 0 { finding.line.to_string() } else { String::new() };
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let cells = [
            finding.severity().word().to_owned(),
            finding.code.to_owned(),
            finding.file.clone(),
            line,
            finding.column.unwrap_or_default().to_owned(),
            text(&finding.key),
            text(&finding.value),
            finding.message.clone(),
            text(&finding.hint),
        ];
        if self.form == Form::Csv {
            return writeln!(self.file, "{}", cells.map(|cell| csv_cell(&cell)).join(","));
        }
        let cells = cells.map(|cell| format!("<td>{}", html(&cell))).concat();
        writeln!(self.file, "<tr class={}>{cells}", finding.severity().word())
    }

    /// Ends the report and gives it its name.
    pub(super) fn finish(mut self, files: &[FileReport], totals: &[(&str, u64)]) -> Result<(), Failure> {
        if self.form == Form::Html {
            self.end_page(files, totals).map_err(|error| self.failure(&error))?;
        }
        let path = self.path.clone();
        let failed = |error: io::Error| Failure::new(format!("cannot write {}: {error}", path.display()));
        let file = self.file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// Totals and files come last, because only now they are known; the page shows them first.
    fn end_page(&mut self, files: &[FileReport], totals: &[(&str, u64)]) -> io::Result<()> {
        let most = files.iter().map(|f| f.errors + f.warnings).max().unwrap_or(0).max(1);
        write!(self.file, "</table><header><h1>Findings</h1><p>")?;
        for (severity, count) in totals {
            write!(self.file, "<b class={severity}>{count}</b> {severity} ")?;
        }
        write!(self.file, "<table><tr><th>file<th>rows<th>accepted<th>errors<th>warnings<th>")?;
        for file in files {
            let width = |n: u64| n * 100 / most;
            write!(
                self.file,
                "<tr><td>{}<td>{}<td>{}<td>{}<td>{}<td class=bar><i class=error style=width:{}%></i><i class=warning style=width:{}%></i>",
                html(&file.name),
                file.rows,
                file.accepted,
                file.errors,
                file.warnings,
                width(file.errors),
                width(file.warnings)
            )?;
        }
        write!(self.file, "</table><input id=q placeholder=\"search the findings\" aria-label=search></header>{HTML_TAIL}")
    }
}

/// RFC 4180. A cell that a spreadsheet would take for a formula is written as text: its content comes from a file
/// that anybody may have written.
fn csv_cell(cell: &str) -> String {
    let guarded = if cell.starts_with(['=', '+', '-', '@', '\t']) { format!("'{cell}") } else { cell.to_owned() };
    if guarded.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const HTML_HEAD: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Findings</title>
<style>body{font:15px/1.4 system-ui,sans-serif;margin:2em;display:flex;flex-direction:column}header{order:-1}
table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .7em;text-align:left;border-bottom:1px solid #ddd;vertical-align:top}
.error td:first-child,.catastrophic td:first-child,b.error,b.catastrophic{color:#b00020}.warning td:first-child,b.warning{color:#8a5a00}
.bar{min-width:12em}.bar i{display:inline-block;height:.8em}i.error{background:#b00020}i.warning{background:#e0a030}
input{font:inherit;padding:.4em;width:24em}</style>
<table id=f><tr><th>severity<th>code<th>file<th>line<th>column<th>key<th>value<th>message<th>hint
";
const HTML_TAIL: &str = "<script>q.oninput=()=>{const s=q.value.toLowerCase();for(const r of f.rows)if(r.rowIndex)r.hidden=!r.textContent.toLowerCase().includes(s)}</script>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_text() {
        assert_eq!(csv_cell("a,b"), "\"a,b\"");
        assert_eq!(csv_cell("say \"x\""), "\"say \"\"x\"\"\"");
        assert_eq!(csv_cell("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(html("<b>&\"'"), "&lt;b&gt;&amp;&quot;'");
    }
}
