//! Basic validation: the right files with the right headers, without reading rows.

use crate::chunks::Chunks;
use crate::fields::Fields;
use crate::file_names::{hint_for_missing, hint_for_unknown, missing};
use crate::finding::{Finding, Severity};
use crate::format::{Column, Detected, FileSpec, Format, MANIFEST, detect, looks_like, manifest};
use crate::nearest::{alike, nearest};
use crate::{Source, limits};
use encoding_rs::Encoding;

/// What basic validation found.
#[derive(Debug, Default)]
pub struct BasicReport {
    /// The format that the files were checked by, and what tells it.
    pub detected: Detected,
    /// What keeps the files from being accepted.
    pub errors: Vec<Finding>,
    /// What does not.
    pub warnings: Vec<Finding>,
    /// Names of the files whose header is good.
    pub validated: Vec<String>,
}

/// Checks which files there are and their headers, by a format or by the one that the files are in.
pub fn basic_validate(files: &[Source], format: Option<Format>) -> BasicReport {
    let detected = format.map_or_else(|| detect(files), Detected::named);
    let mut report = BasicReport { detected, ..BasicReport::default() };
    let format = match &report.detected.format {
        Ok(format) => *format,
        Err(title) => {
            report.errors.push(unread(title, &report.detected.why));
            return report;
        }
    };
    for finding in manifest::check(format, files) {
        let list = if finding.severity() == Severity::Catastrophic { &mut report.errors } else { &mut report.warnings };
        list.push(finding);
    }
    // A package is read with its manifest, which is a file of the set like the others.
    let has_manifest = format.manifest_version().is_some() && files.iter().any(|file| file.name == MANIFEST);
    report.validated.extend(has_manifest.then(|| MANIFEST.to_owned()));
    for spec in format.files() {
        report.errors.extend(twice(spec, files));
        let Some(source) = files.iter().find(|file| spec.is_named(&file.name)) else {
            not_found(spec, files, format, &mut report);
            continue;
        };
        let mut findings = Vec::new();
        header_alone(spec, source, None, &mut findings);
        let refused = findings.iter().any(|f| f.severity() == Severity::Catastrophic);
        for finding in findings {
            if finding.severity() == Severity::Catastrophic { report.errors.push(finding) } else { report.warnings.push(finding) }
        }
        if !refused {
            report.validated.push(source.name.clone());
        }
    }
    report.warnings.extend(unsupported(format, format.files(), files));
    if !report.errors.is_empty()
        && let Some(other) = looks_like(files, format)
    {
        let title = other.format.map_or_else(|title| title, |format| format.title().to_owned());
        let hint = format!("The files look like {title} ({}): see whether that is the format to name.", other.why);
        report.errors.iter_mut().filter(|finding| finding.hint.is_none()).for_each(|finding| finding.hint = Some(hint.clone()));
    }
    report
}

/// The files that the format has no use for. Hidden ones, which no export has, are not worth a word.
pub(crate) fn unsupported(format: Format, table: &[FileSpec], files: &[Source]) -> impl Iterator<Item = Finding> {
    let is_known = move |name: &str| name.starts_with('.') || format.passes_over(name) || table.iter().any(|spec| spec.is_named(name));
    files.iter().filter(move |file| !is_known(&file.name)).map(move |file| {
        let message = format!("{} is not a file of {} and is not read.", file.name, format.title());
        let hint = hint_for_unknown(file, format, files, table);
        Finding { hint, ..Finding::of_file("UnsupportedFile", &file.name, message) }
    })
}

/// An export in a format that is known and not read.
pub(crate) fn unread(title: &str, why: &str) -> Finding {
    let message = format!("The files are in {title}, which is not read: {why}.");
    Finding::of_file("UnsupportedFormat", "", message).hint("Export the roster as SDS v2.1 or OneRoster CSV.")
}

/// The same file loose and from an archive, or from two archives: which one counts nobody knows.
pub(crate) fn twice(spec: &FileSpec, files: &[Source]) -> Option<Finding> {
    let name = spec.name;
    let many = files.iter().filter(|file| spec.is_named(&file.name)).count() > 1;
    many.then(|| Finding::of_file("DuplicateFile", name, format!("{name} is in the export more than once.")).hint("Keep one of them."))
}

pub(crate) fn unreadable(file: &str, error: &std::io::Error) -> Finding {
    Finding::of_file("FileUnreadable", file, format!("{file} cannot be read: {error}."))
}

/// The words are Microsoft's own.
fn not_found(spec: &FileSpec, files: &[Source], format: Format, report: &mut BasicReport) {
    let name = spec.name;
    let (what, code, list) = if spec.required {
        ("required file", "RequiredFileNotFound", &mut report.errors)
    } else {
        ("file", "OptionalFileNotFound", &mut report.warnings)
    };
    let message = format!("When trying to validate {what} {name} encountered {code} error.");
    list.push(Finding { hint: hint_for_missing(spec, files, format.files()), ..Finding::of_file(code, name, message) });
}

/// The required files that an export does not have.
pub(crate) fn required(files: &[Source], table: &[FileSpec]) -> impl Iterator<Item = Finding> {
    missing(files, table).filter(|spec| spec.required).map(move |spec| {
        let finding = Finding::of_file("RequiredFileNotFound", spec.name, format!("{} is not in the export.", spec.name));
        Finding { hint: hint_for_missing(spec, files, table), ..finding }
    })
}

/// Where each column of a file's table stands in a file.
pub(crate) struct Header {
    /// By column: position, and the header as the file spells it.
    pub(crate) columns: Vec<Option<(usize, &'static str)>>,
    /// Number of fields that each row must have.
    pub(crate) width: usize,
}

/// Says what is wrong with the header of a file whose rows are not read.
pub(crate) fn header_alone(spec: &'static FileSpec, source: &Source, encoding: Option<&'static Encoding>, findings: &mut Vec<Finding>) {
    match Chunks::open(&source.path, encoding, limits::CHUNK_BYTES) {
        Ok(mut chunks) => {
            header(spec, &source.name, &mut chunks, findings);
        }
        Err(error) => findings.push(unreadable(&source.name, &error)),
    }
}

/// Reads the header line; `None` after a catastrophic finding.
pub(crate) fn header(spec: &'static FileSpec, file: &str, chunks: &mut Chunks, findings: &mut Vec<Finding>) -> Option<Header> {
    let line = match chunks.header() {
        Ok(line) => line,
        Err(error) => {
            findings.push(unreadable(file, &error));
            return None;
        }
    };
    if let Some(hint) = no_text(&chunks.start) {
        findings.push(Finding { line: 1, ..Finding::of_file("HeaderNotFound", file, format!("{file} is no CSV file.")).hint(hint) });
        return None;
    }
    if line.as_deref().is_some_and(|line| line.trim_ascii().is_empty()) {
        let finding = Finding::of_file("HeaderNotFound", file, format!("The first line of {file} is blank."));
        findings.push(Finding { line: 1, ..finding.hint("Remove the blank lines: the first line must be the header.") });
        return None;
    }
    let line = line.unwrap_or_default();
    let line = String::from_utf8_lossy(&line);
    let mut fields = Fields::default();
    if line.is_empty() || fields.split(line.as_bytes()).is_err() {
        findings.push(Finding::of_file("EmptyFile", file, format!("{file} has no header line.")));
        return None;
    }
    if chunks.utf16 {
        findings.push(Finding::of_file("Utf16Encoding", file, format!("{file} is UTF-16.")).hint("Export it as UTF-8."));
    }
    let names: Vec<&str> = (0..fields.len().min(limits::COLUMNS_MAX)).map(|index| fields.text(&line, index)).collect();
    if let Some(finding) = not_a_header(spec, file, &names) {
        findings.push(finding);
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
    let columns: Vec<Option<(usize, &'static str)>> = spec
        .columns
        .iter()
        .map(|column| column.headers().find_map(|header| Some((names.iter().position(|name| *name == header)?, header))))
        .collect();
    for (column, _) in spec.columns.iter().zip(&columns).filter(|(column, place)| column.header_required && place.is_none()) {
        let message = format!("{} not found in {file}; correct the extract, upload, rerun.", column.name);
        let finding = Finding { line: 1, column: Some(column.name), ..Finding::of_file("HeaderNotFound", file, message) };
        findings.push(Finding { hint: near_header(spec, column, &names), ..finding });
    }
    let refused = findings.len() > before;
    let shown = |name: &&str| {
        let cut: String = name.chars().take(limits::VALUE_CHARACTERS_MAX).collect();
        match name.trim() {
            "" => "(no name)".to_owned(),
            // Blanks around it are what is wrong with it, and cannot be seen.
            bare if bare != *name => format!("'{cut}'"),
            _ => cut,
        }
    };
    let unknown: Vec<&str> = names.iter().copied().filter(|name| !is_known(spec, name)).collect();
    if !unknown.is_empty() {
        let message = format!("{file} has columns that are not read: {}.", unknown.iter().map(shown).collect::<Vec<_>>().join(", "));
        let absent = || spec.columns.iter().zip(&columns).filter(|(column, place)| place.is_none() && !column.header_required);
        let near = unknown.iter().find_map(|name| Some((name, nearest(name, absent().map(|(column, _)| column.name))?)));
        let hint = near.map(|(name, header)| match name.trim() {
            bare if bare == header => format!("Remove the blanks around '{header}'."),
            bare => format!("Is '{bare}' meant to be '{header}'?"),
        });
        findings.push(Finding { line: 1, hint, ..Finding::of_file("UnknownColumn", file, message) });
    }
    findings.extend(spec.ordered.then(|| out_of_order(spec, file, &names)).flatten());
    if refused { None } else { Some(Header { columns, width: fields.len() }) }
}

/// The first column that stands before one that belongs before it.
fn out_of_order(spec: &'static FileSpec, file: &str, names: &[&str]) -> Option<Finding> {
    // Columns that were added come last, whatever they are called.
    let own = |column: &Column| spec.extension.is_none_or(|prefix| !column.name.starts_with(prefix));
    let rank = |name: &&str| spec.columns.iter().position(|column| own(column) && column.name == *name).unwrap_or(usize::MAX);
    let (early, late) = names.iter().zip(&names[1..]).find(|(one, next)| rank(one) > rank(next))?;
    let message =
        format!("The columns of {file} are not in the order of the format: {late} belongs before {early}. They are read by name.");
    Some(Finding { line: 1, ..Finding::of_file("HeaderOrder", file, message) })
}

/// Whether the format knows a header, whatever it makes of the column.
fn is_known(spec: &FileSpec, name: &str) -> bool {
    spec.ignored.contains(&name)
        || spec.extension.is_some_and(|prefix| name.len() > prefix.len() && name.starts_with(prefix))
        || spec.columns.iter().any(|column| column.headers().any(|header| header == name))
}

/// A hint at the header that is there in place of a missing one: it may only be spelled in another way.
fn near_header(spec: &FileSpec, column: &Column, names: &[&str]) -> Option<String> {
    let same = names.iter().find(|name| column.headers().any(|header| name.trim().eq_ignore_ascii_case(header)));
    if let Some(near) = same {
        return Some(format!("There is a column '{near}': headers are case-sensitive and take no blanks."));
    }
    let unknown = || names.iter().copied().filter(|name| !is_known(spec, name));
    let near = column.headers().find_map(|header| nearest(header, unknown()))?;
    Some(format!("There is a column '{near}': is it meant to be '{}'?", column.name))
}

/// What is wrong with a first line that is no header of this file at all.
fn not_a_header(spec: &FileSpec, file: &str, names: &[&str]) -> Option<Finding> {
    if let [only] = names
        && only.contains([';', '\t'])
    {
        let separator = if only.contains(';') { "semicolons" } else { "tabs" };
        let finding = Finding::of_file("HeaderNotFound", file, format!("The columns of {file} are separated by {separator}."));
        return Some(finding.hint("Export it with commas; spreadsheets offer that as \"CSV UTF-8\"."));
    }
    let is_header = |name: &str| spec.columns.iter().any(|column| column.headers().any(|header| alike(name, header)));
    if names.iter().any(|name| is_header(name)) {
        return None;
    }
    // A first line of data must not be repeated in a finding: it may hold a password.
    let finding =
        Finding { line: 1, ..Finding::of_file("HeaderNotFound", file, format!("The first line of {file} names none of its columns.")) };
    Some(finding.hint(if names.first().is_some_and(|name| name.trim_start().starts_with('<')) {
        "It is a web page or XML, perhaps what a login or an error page said: look at how the file was fetched."
    } else if names.iter().any(|name| name.contains('\0')) {
        "It looks like UTF-16 without a byte order mark: export the file as UTF-8."
    } else {
        "The first line must be the header, with commas between the columns."
    }))
}

/// What to do about a file that is not text, by its first bytes.
fn no_text(start: &[u8]) -> Option<&'static str> {
    match start {
        [b'P', b'K', 3, 4, ..] => Some("It is an Excel workbook or a zip archive by another name: save the sheet as \"CSV UTF-8\"."),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => Some("It is an old Excel workbook (.xls) by another name: save the sheet as \"CSV UTF-8\"."),
        [0x1f, 0x8b, ..] => Some("It is compressed with gzip: unpack it, or pack the files of the export as a zip archive."),
        [b'%', b'P', b'D', b'F', ..] => Some("It is a PDF: export the data as CSV."),
        _ => None,
    }
}

/// An encoding by its label, such as `windows-1252`.
pub(crate) fn encoding(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label(label.as_bytes())
}
