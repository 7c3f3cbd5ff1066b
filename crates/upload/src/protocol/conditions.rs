//! Conditional headers (RFC 9110 §13, "Specifying conditional headers for Blob service operations").

use super::answer::{Refused, refuse};
use super::call::Call;
use crate::UploadedFile;
use jiff::fmt::rfc2822;

/// What a request makes its effect depend on.
#[derive(Default)]
pub(super) struct Conditions {
    /// ETags without their quotes, which some clients lose, or `*`.
    if_match: Option<Vec<String>>,
    if_none_match: Option<Vec<String>>,
    modified_since: Option<i64>,
    unmodified_since: Option<i64>,
}

fn bare(etag: &str) -> &str {
    etag.trim().trim_matches('"')
}

fn names(etags: &[String], file: Option<&UploadedFile>) -> bool {
    file.is_some_and(|file| etags.iter().any(|etag| etag == "*" || etag == bare(&file.etag)))
}

impl Conditions {
    /// Those of a request; a condition that cannot be read is refused rather than ignored.
    pub(super) fn of(call: &Call) -> Result<Self, Refused> {
        Self::read(call, "")
    }

    /// Those on the file that another one is made of.
    pub(super) fn of_source(call: &Call) -> Result<Self, Refused> {
        Self::read(call, "x-ms-source-")
    }

    fn read(call: &Call, prefix: &str) -> Result<Self, Refused> {
        let etags = |name: &str| {
            let list = call.header(&format!("{prefix}{name}"))?.map(|text| text.split(',').map(|etag| bare(etag).to_owned()).collect());
            Ok::<_, Refused>(list)
        };
        let time = |name: &str| {
            let bad = |_| Refused(400, "InvalidHeaderValue", format!("The value of the header {name} is not a date of RFC 1123."));
            call.header(&format!("{prefix}{name}"))?
                .map(|text| rfc2822::parse(text).map(|time| time.timestamp().as_second()).map_err(bad))
                .transpose()
        };
        Ok(Self {
            if_match: etags("if-match")?,
            if_none_match: etags("if-none-match")?,
            modified_since: time("if-modified-since")?,
            unmodified_since: time("if-unmodified-since")?,
        })
    }

    /// Whether a file may be changed. `exists` is the code when there should be none.
    pub(super) fn allow_change(&self, file: Option<&UploadedFile>, exists: &'static str) -> Result<(), Refused> {
        if self.if_none_match.as_ref().is_some_and(|etags| etags.iter().any(|etag| etag == "*")) && file.is_some() {
            return refuse(409, exists, "The specified file already exists.");
        }
        let unchanged = self.if_none_match.as_ref().is_some_and(|etags| names(etags, file))
            || file.zip(self.modified_since).is_some_and(|(file, since)| file.modified <= since);
        if unchanged { not_met() } else { self.check_match(file) }
    }

    /// Whether a file is to be sent; `false` when the reader has it already.
    pub(super) fn allow_read(&self, file: &UploadedFile) -> Result<bool, Refused> {
        self.check_match(Some(file))?;
        Ok(match (&self.if_none_match, self.modified_since) {
            // The ETag is the better of the two (RFC 9110 §13.2.2).
            (Some(etags), _) => !names(etags, Some(file)),
            (None, Some(since)) => file.modified > since,
            (None, None) => true,
        })
    }

    fn check_match(&self, file: Option<&UploadedFile>) -> Result<(), Refused> {
        let other = self.if_match.as_ref().is_some_and(|etags| !names(etags, file))
            || file.zip(self.unmodified_since).is_some_and(|(file, since)| file.modified > since);
        if other { not_met() } else { Ok(()) }
    }
}

pub(super) fn not_met<T>() -> Result<T, Refused> {
    refuse(412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")
}
