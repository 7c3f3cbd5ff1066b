//! Findings: what is wrong with a file, where, and what to do about it.

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is dropped; somebody may want to know.
    Info,
    /// An optional value is dropped.
    Warning,
    /// The record is dropped.
    Error,
    /// The run stops and nothing changes.
    Catastrophic,
}

impl Severity {
    /// Word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Catastrophic => "catastrophic",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable code, a row of [`CATALOGUE`].
    pub code: &'static str,
    /// File name.
    pub file: String,
    /// Physical line, 1 for the header; 0 when it is about the whole file.
    pub line: u64,
    /// Header of the column.
    pub column: Option<&'static str>,
    /// Key of the record, parts joined by `/`.
    pub key: Option<String>,
    /// The offending value, never a password.
    pub value: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// File and key of the record whose own finding has caused this one, for example `users.csv:17`.
    pub root: Option<String>,
}

impl Finding {
    /// A finding about a whole file.
    pub fn of_file(code: &'static str, file: &str, message: impl Into<String>) -> Self {
        Self { code, file: file.to_owned(), line: 0, column: None, key: None, value: None, message: message.into(), hint: None, root: None }
    }

    /// Adds the hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// How bad it is, by its code.
    pub fn severity(&self) -> Severity {
        CATALOGUE.iter().find(|entry| entry.code == self.code).map_or(Severity::Error, |entry| entry.severity)
    }

    /// The form on the wire: `validate --json` and the findings log.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "code": self.code, "severity": self.severity().word(), "file": self.file, "line": self.line, "column": self.column,
            "key": self.key, "value": self.value, "message": self.message, "hint": self.hint, "rootCause": self.root,
        })
    }
}

/// One row of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct CatalogueEntry {
    /// Stable code.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// When it is reported.
    pub when: &'static str,
}

const fn row(code: &'static str, severity: Severity, when: &'static str) -> CatalogueEntry {
    CatalogueEntry { code, severity, when }
}

use Severity::{Catastrophic, Error, Info, Warning};

/// Every finding that a roster can get. `docs/findings.md` is generated from this.
pub const CATALOGUE: &[CatalogueEntry] = &[
    row("RequiredFileNotFound", Catastrophic, "A file that every export needs is missing."),
    row("OptionalFileNotFound", Warning, "A file that an export may have is missing (basic validation only)."),
    row("FileMissingFromSet", Catastrophic, "A file of the last accepted set is missing now."),
    row("UnsupportedFile", Warning, "A file is not part of the format; it is not read."),
    row("DuplicateFile", Catastrophic, "The same file is in the export twice."),
    row("InvalidFileFormat", Catastrophic, "An archive has a folder, a link, an encrypted file or a file of no format in it."),
    row("ArchiveTooLarge", Catastrophic, "An archive holds more, or unpacks to more, than an export can have."),
    row("FileUnreadable", Catastrophic, "A file cannot be read; an archive is truncated or damaged."),
    row("EmptyFile", Catastrophic, "A required file has no header, or no row of it was accepted."),
    row("HeaderNotFound", Catastrophic, "A required column is missing."),
    row("DuplicateHeader", Catastrophic, "Two columns have the same header."),
    row("UnknownColumn", Warning, "Columns that the format does not know; they are not read. One a file."),
    row("Utf16Encoding", Warning, "The file is UTF-16; it is read, but UTF-8 is what the format asks for."),
    row("InvalidCharacter", Error, "A row has a control character, or an id has a tab."),
    row("InvalidEncoding", Error, "A row is not UTF-8."),
    row("LineBreakInQuotes", Error, "A quoted value runs over the end of its line."),
    row("FieldCount", Error, "A row has more or fewer fields than the header."),
    row("LineTooLong", Error, "A line is longer than any row can be."),
    row("RequiredValueMissing", Error, "A required value is empty."),
    row("InvalidReferenceCode", Error, "A required code is not in its list of values."),
    row("InvalidOptionalCode", Warning, "An optional code is not in its list of values; the value is dropped."),
    row("InvalidDate", Error, "A required date is not ISO 8601."),
    row("InvalidOptionalValue", Warning, "An optional value does not have the form of its type; the value is dropped."),
    row("InvalidYear", Error, "A school year is not four digits."),
    row("EndBeforeStart", Error, "The end date is before the start date."),
    row("DuplicateRecord", Warning, "The same row stands in the file again; one is kept."),
    row("ConflictingDuplicate", Error, "A key is used again with other values; the first row is kept."),
    row("DuplicateUsername", Error, "A username is used by two people; the first one keeps it."),
    row("ReferenceNotFound", Error, "A required reference leads to a record that is not in the export."),
    row("ReferencedRecordDropped", Error, "A required reference leads to a record that was itself dropped."),
    row("OptionalReferenceNotFound", Warning, "An optional reference leads nowhere; the value is dropped."),
    row(
        "ReferencedFileMissing",
        Warning,
        "A column refers to a file that is not in the export; its values are dropped. One a file and column.",
    ),
    row("CyclicParent", Warning, "Organizations are their own ancestors; their parents are dropped."),
    row("ContactIncomplete", Error, "A contact lacks given name, family name or e-mail."),
    row("DuplicateMatch", Error, "Two people of the source match one account of the directory."),
    row("AmbiguousMatch", Error, "A person of the source matches several accounts of the directory."),
    row("UnsupportedFormat", Catastrophic, "The connector is for a format that this version does not read."),
    row("PersonNotMatched", Info, "A person with a role in an organization has no account in the directory by any matching rule."),
    row("ProviderValueNotTaken", Warning, "A value from a OneRoster API could not be taken over as it is."),
    row("LastUploadRefused", Warning, "The newest upload was refused; the run worked on the last one that was accepted."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut codes: Vec<_> = CATALOGUE.iter().map(|entry| entry.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), CATALOGUE.len());
    }
}
