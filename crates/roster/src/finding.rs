//! Findings: what is wrong with a file, where, and what to do about it.

use crate::catalogue::severity_of;
use crate::limits::VALUE_CHARACTERS_MAX;

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
    /// Stable code, a row of [`crate::CATALOGUE`].
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
    /// Key and file of the record whose own finding has caused this one, for example `'17' in users.csv`: no line,
    /// and not to be taken for one. Just a file when that is missing.
    pub root: Option<String>,
    /// The earlier line of the file that the message names last, as `on line N`.
    pub earlier: Option<u64>,
}

impl Finding {
    /// A finding about a whole file.
    pub fn of_file(code: &'static str, file: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            file: file.to_owned(),
            line: 0,
            column: None,
            key: None,
            value: None,
            message: message.into(),
            hint: None,
            root: None,
            earlier: None,
        }
    }

    /// Adds the hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Has the message name the earlier line by its number in the file that it comes from; `place`: words for that file, if
    /// they are needed.
    pub(crate) fn move_earlier(&mut self, line: u64, place: &str) {
        if let Some(before) = self.earlier.replace(line)
            && let Some((head, tail)) = self.message.rsplit_once(&format!(" on line {before}"))
        {
            self.message = format!("{head} on line {line}{place}{tail}");
        }
    }

    /// How bad it is, by its code.
    pub fn severity(&self) -> Severity {
        severity_of(self.code)
    }

    /// The form on the wire: `validate --json` and the findings log.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "code": self.code, "severity": self.severity().word(), "file": self.file, "line": self.line, "column": self.column,
            "key": self.key, "value": self.value, "message": self.message, "hint": self.hint, "rootCause": self.root,
        })
    }
}

/// A value as a finding repeats it: not longer than anybody would read.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(VALUE_CHARACTERS_MAX).collect()
}
