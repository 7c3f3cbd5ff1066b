//! Basic validation: the right files with the right headers, without reading rows.

use crate::finding::{Finding, Severity};
use crate::lines::{Fields, Line, Lines};
use crate::{Entity, Source, limits};
use encoding_rs::Encoding;

/// What basic validation found.
#[derive(Debug, Default)]
pub struct BasicReport {
    /// What keeps the files from being accepted.
    pub errors: Vec<Finding>,
    /// What does not.
    pub warnings: Vec<Finding>,
    /// Names of the files whose header is good.
    pub validated: Vec<String>,
}

/// Checks which files there are and their headers.
pub fn basic_validate(files: &[Source]) -> BasicReport {
    let mut report = BasicReport::default();
    for entity in Entity::ALL {
        let name = entity.file();
        report.errors.extend(twice(name, files));
        let Some(source) = files.iter().find(|file| file.name == name) else {
            missing(entity, files, &mut report);
            continue;
        };
        let mut findings = Vec::new();
        match Lines::open(&source.path, None) {
            Ok(mut lines) => {
                header(entity, &mut lines, &mut findings);
            }
            Err(error) => findings.push(Finding::of_file("FileUnreadable", name, format!("{name} cannot be read: {error}."))),
        }
        let refused = findings.iter().any(|f| f.severity() == Severity::Catastrophic);
        for finding in findings {
            if finding.severity() == Severity::Catastrophic { report.errors.push(finding) } else { report.warnings.push(finding) }
        }
        if !refused {
            report.validated.push(name.to_owned());
        }
    }
    for file in files.iter().filter(|file| Entity::of_file(&file.name).is_none()) {
        let near = Entity::ALL.into_iter().find(|e| e.file().eq_ignore_ascii_case(&file.name));
        let finding = Finding::of_file("UnsupportedFile", &file.name, format!("{} is not a file of SDS v2.1 and is not read.", file.name));
        report.warnings.push(match near {
            Some(entity) => finding.hint(format!("File names are case-sensitive: name it {}.", entity.file())),
            None => finding,
        });
    }
    report
}

/// The same file loose and from an archive, or from two archives: which one counts nobody knows.
pub(crate) fn twice(name: &str, files: &[Source]) -> Option<Finding> {
    let many = files.iter().filter(|file| file.name == name).count() > 1;
    many.then(|| Finding::of_file("DuplicateFile", name, format!("{name} is in the export more than once.")).hint("Keep one of them."))
}

/// The words are Microsoft's own.
fn missing(entity: Entity, files: &[Source], report: &mut BasicReport) {
    let name = entity.file();
    let other_case = files.iter().find(|file| file.name.eq_ignore_ascii_case(name));
    let hinted = |finding: Finding| match other_case {
        Some(file) => finding.hint(format!("There is a {}: file names are case-sensitive.", file.name)),
        None => finding,
    };
    if entity.is_required() {
        let message = format!("When trying to validate required file {name} encountered RequiredFileNotFound error.");
        report.errors.push(hinted(Finding::of_file("RequiredFileNotFound", name, message)));
    } else {
        let message = format!("When trying to validate file {name} encountered OptionalFileNotFound error.");
        report.warnings.push(hinted(Finding::of_file("OptionalFileNotFound", name, message)));
    }
}

/// Where each canonical column stands in a file.
pub(crate) struct Header {
    /// Position of each canonical column.
    pub(crate) positions: Vec<Option<usize>>,
    /// Number of fields that each row must have.
    pub(crate) width: usize,
}

/// Reads the header line; `None` after a catastrophic finding.
pub(crate) fn header(entity: Entity, lines: &mut Lines, findings: &mut Vec<Finding>) -> Option<Header> {
    let file = entity.file();
    let mut fields = Fields::default();
    let read = match lines.next() {
        Ok(Some(Line::Text(line))) if !line.is_empty() => fields.split(line).is_ok(),
        Ok(_) => false,
        Err(error) => {
            findings.push(Finding::of_file("FileUnreadable", file, format!("{file} cannot be read: {error}.")));
            return None;
        }
    };
    if !read {
        findings.push(Finding::of_file("EmptyFile", file, format!("{file} has no header line.")));
        return None;
    }
    if lines.utf16 {
        findings.push(Finding::of_file("Utf16Encoding", file, format!("{file} is UTF-16.")).hint("Export it as UTF-8."));
    }
    let names: Vec<String> =
        (0..fields.len().min(limits::COLUMNS_MAX)).map(|i| String::from_utf8_lossy(fields.get(i)).into_owned()).collect();
    if names.len() == 1 && (names[0].contains(';') || names[0].contains('\t')) {
        let separator = if names[0].contains(';') { "semicolons" } else { "tabs" };
        let finding = Finding::of_file("HeaderNotFound", file, format!("The columns of {file} are separated by {separator}."));
        findings.push(finding.hint("Export it with commas; spreadsheets offer that as \"CSV UTF-8\"."));
        return None;
    }
    // A first line of data must not be repeated in a finding: it may hold a password.
    if !names.iter().any(|name| entity.columns().iter().any(|column| name.trim().eq_ignore_ascii_case(column.name))) {
        let finding =
            Finding { line: 1, ..Finding::of_file("HeaderNotFound", file, format!("The first line of {file} names none of its columns.")) };
        findings.push(finding.hint(if names.iter().any(|name| name.contains('\0')) {
            "It looks like UTF-16 without a byte order mark: export the file as UTF-8."
        } else {
            "The first line must be the header, with commas between the columns."
        }));
        return None;
    }
    let before = findings.len();
    for (index, name) in names.iter().enumerate() {
        // Spreadsheets leave empty columns at the end; a blank is no header. A name is told once.
        if !name.trim().is_empty() && names[..index].iter().filter(|other| *other == name).count() == 1 {
            let message = format!("Two or more {name} in {file}; correct the extract, upload, rerun.");
            findings.push(Finding { line: 1, ..Finding::of_file("DuplicateHeader", file, message) });
        }
    }
    let positions: Vec<Option<usize>> = entity.columns().iter().map(|column| names.iter().position(|name| name == column.name)).collect();
    for (column, position) in entity.columns().iter().zip(&positions) {
        if column.required && position.is_none() {
            let finding = Finding {
                line: 1,
                column: Some(column.name),
                ..Finding::of_file(
                    "HeaderNotFound",
                    file,
                    format!("{} not found in {file}; correct the extract, upload, rerun.", column.name),
                )
            };
            findings.push(match names.iter().find(|name| name.trim().eq_ignore_ascii_case(column.name)) {
                Some(near) => finding.hint(format!("There is a column '{near}': headers are case-sensitive and take no blanks.")),
                None => finding,
            });
        }
    }
    let refused = findings.len() > before;
    let shown = |name: &String| match name.trim() {
        "" => "(no name)".to_owned(),
        name => name.chars().take(limits::VALUE_CHARACTERS_MAX).collect(),
    };
    let unknown: Vec<String> = names.iter().filter(|name| entity.column(name).is_none()).map(shown).collect();
    if !unknown.is_empty() {
        findings.push(Finding {
            line: 1,
            ..Finding::of_file("UnknownColumn", file, format!("{file} has columns that are not read: {}.", unknown.join(", ")))
        });
    }
    if refused { None } else { Some(Header { positions, width: fields.len() }) }
}

/// An encoding by its label, such as `windows-1252`.
pub(crate) fn encoding(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label(label.as_bytes())
}
