//! What the terminal shows of a validation: a table of files, each kind of finding, and what it comes to.

use super::{Outcome, PLACES_SHOWN, Tally, whole_set};
use crate::output::{self, Colour};
use roster::{CATALOGUE, CONSEQUENCE, FileReport, Finding, Severity, listing_rank};

impl Outcome<'_> {
    pub(super) fn show(&self) {
        let detected = &self.checked.detected;
        output::line(&format!("read as {}: {}", output::coloured(self.title(), Colour::Bold), detected.why));
        if let Some((package, applied)) = &self.changes {
            package.show(applied);
        }
        self.show_files();
        show_kinds(&self.tally);
        let rows = counted(self.checked.rows(), "row");
        output::line(&format!("{rows} in {:.1} s: {}", self.seconds, verdict(&self.tally)));
        if let Some(stop) = &self.checked.catastrophic {
            output::line(&format!("{} {}", output::coloured("a run would stop:", Colour::Red), output::printable(&stop.message)));
        }
        for advice in &self.advice {
            output::line(&output::coloured(&output::printable(advice), Colour::Yellow));
        }
        if self.in_part {
            output::line("one file by itself: its references to other files are not checked");
        }
        if let Some((package, _)) = &self.changes {
            package.show_limits(&self.arguments.path, self.tally.of_base);
        }
        for path in &self.arguments.report {
            output::line(&format!("report: {} ({})", output::printable(&path.display().to_string()), counted(self.tally.all(), "finding")));
        }
        if self.arguments.report.is_empty() && self.tally.codes.values().any(|count| *count > PLACES_SHOWN as u64) {
            output::line("all of them: --report FILE.html, .csv or .jsonl");
        }
    }

    /// The files of the format with what became of each; those that are not there as well.
    fn show_files(&self) {
        let number = |n: u64| n.to_string();
        let read = |f: &FileReport| vec![f.name.clone(), number(f.rows), number(f.accepted), number(f.errors), number(f.warnings)];
        let without_rows = |name: &str, state: String| {
            let blank = std::iter::repeat_n("-".to_owned(), 4);
            std::iter::once(name.to_owned()).chain(blank).chain([state]).collect::<Vec<_>>()
        };
        let specs = self.checked.detected.format.as_ref().map_or(&[][..], |format| format.files());
        let set = whole_set(self.files, self.changes.as_ref(), self.in_part);
        let rows = specs.iter().filter_map(|spec| {
            if let Some(file) = self.checked.files.iter().find(|file| spec.is_named(&file.name)) {
                return Some(read(file));
            }
            if let Some(file) = self.missing.iter().find(|file| file.name == spec.name) {
                let needed = if file.required { "missing, required" } else { "missing, optional" };
                let instead = file.stand_in.as_ref().map(|given| format!("; {} is there", output::printable(given)));
                return Some(without_rows(spec.name, needed.to_owned() + &instead.unwrap_or_default()));
            }
            set.iter().any(|file| spec.is_named(&file.name)).then(|| without_rows(spec.name, "not read".to_owned()))
        });
        output::table(&["file", "rows", "accepted", "errors", "warnings", ""], &rows.collect::<Vec<_>>());
        output::line("");
    }
}

/// Each kind of finding with its count and the first places, causes before what follows from them.
fn show_kinds(tally: &Tally) {
    let of = |code: &str| CATALOGUE.iter().find(|entry| entry.code == code);
    let mut codes: Vec<_> = tally.codes.iter().collect();
    codes.sort_by_key(|(code, count)| (listing_rank(code), std::cmp::Reverse(**count)));
    for (code, count) in codes {
        if *code == CONSEQUENCE {
            output::line("what follows from the errors above, and goes away with them:");
        }
        let severity = of(code).map_or(Severity::Error, |entry| entry.severity);
        let colour = if severity <= Severity::Warning { Colour::Yellow } else { Colour::Red };
        output::line(&format!("{} {}  {count} ×", output::coloured(severity.word(), colour), output::coloured(code, Colour::Bold)));
        let findings = tally.firsts.get(code).map_or(&[][..], Vec::as_slice);
        let hint = |finding: &Finding| finding.hint.clone().unwrap_or_else(|| roster::remedy(code).to_owned());
        // Of the findings of a kind most have the same hint.
        let same = findings.windows(2).all(|two| hint(&two[0]) == hint(&two[1]));
        for (index, finding) in findings.iter().enumerate() {
            let place = if finding.line > 0 { format!("{}:{}", finding.file, finding.line) } else { finding.file.clone() };
            output::line(&format!("  {}  {}", output::printable(&place), output::printable(&finding.message)));
            if !same || index + 1 == findings.len() {
                output::line(&format!("  {}", output::coloured(&output::printable(&hint(finding)), Colour::Cyan)));
            }
        }
        // Behind the hints, which are about the places above them.
        if *count > PLACES_SHOWN as u64 {
            output::line(&format!("  … and {} more", count - PLACES_SHOWN as u64));
        }
    }
}

fn verdict(tally: &Tally) -> String {
    if tally.all() == 0 {
        return output::coloured("no findings", Colour::Green);
    }
    let errors = counted(tally.of(Severity::Error) + tally.of(Severity::Catastrophic), "error");
    let warnings = counted(tally.of(Severity::Warning), "warning");
    match tally.all() - tally.roots {
        0 => format!("{errors}, {warnings}"),
        1 => format!("{errors}, {warnings}; 1 of these follows from another"),
        n => format!("{errors}, {warnings}; {n} of these follow from others"),
    }
}

fn counted(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
