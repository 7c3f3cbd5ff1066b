//! What a client did wrong, and the error body of Microsoft Graph.

use serde_json::{Map, Value, json};

/// What kind of mistake; the transport turns it into a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request breaks a rule.
    BadRequest,
    /// The URL has a segment that the model does not know.
    UnknownSegment,
    /// Something named does not exist.
    NotFound,
    /// Over a limit of size.
    PayloadTooLarge,
}

/// A mistake, said so that the client can mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind.
    pub kind: Kind,
    /// What is wrong, with the value and the remedy.
    pub message: String,
    /// JSON path, option or segment.
    pub target: Option<String>,
    /// Byte position in the option's text.
    pub position: Option<usize>,
}

impl Error {
    /// A broken rule.
    pub fn bad(message: impl Into<String>) -> Self {
        Self { kind: Kind::BadRequest, message: message.into(), target: None, position: None }
    }

    /// A broken rule at a place.
    pub fn at(target: impl Into<String>, message: impl Into<String>) -> Self {
        Self { target: Some(target.into()), ..Self::bad(message) }
    }

    /// A segment that nothing is known of.
    pub fn segment(segment: &str, message: impl Into<String>) -> Self {
        Self { kind: Kind::UnknownSegment, target: Some(segment.to_owned()), ..Self::bad(message) }
    }

    /// Adds the byte position.
    #[must_use]
    pub fn position(mut self, position: usize) -> Self {
        self.position = Some(position);
        self
    }
}

/// The body of an error answer, in Graph's shape (`date` has no zone suffix, as in all samples).
pub fn error_body(
    code: &str,
    message: &str,
    target: Option<&str>,
    details: &[Value],
    request_id: &str,
    client_request_id: &str,
    date: &str,
) -> Map<String, Value> {
    let mut error = json!({ "code": code, "message": message });
    if let Some(target) = target {
        error["target"] = json!(target);
    }
    if !details.is_empty() {
        error["details"] = json!(details);
    }
    error["innerError"] = json!({ "date": date, "request-id": request_id, "client-request-id": client_request_id });
    Map::from_iter([("error".to_owned(), error)])
}

/// A piece of a request repeated in a message: short, without control characters.
pub fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The known name nearest to a misspelt one, when it is near enough to be meant.
pub fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Names are short; a long text is no misspelling of one, and comparing it would cost time.
    const NAME_BYTES_MAX: usize = 64;
    if given.len() > NAME_BYTES_MAX {
        return None;
    }
    let given = given.to_ascii_lowercase();
    let allowed = |name: &str| 2.max(name.len() / 4);
    known
        // Each character more or less is a change of its own; most names fall here, before the costly part.
        .filter(|name| name.len().abs_diff(given.len()) <= allowed(name))
        .map(|name| (distance(&given, &name.to_ascii_lowercase()), name))
        .filter(|(distance, name)| *distance <= allowed(name))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Changes of a character that lead from one text to the other. What both begin with costs nothing:
/// names of types share their namespace.
fn distance(a: &str, b: &str) -> usize {
    let same: usize = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum();
    strsim::levenshtein(&a[same..], &b[same..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_the_nearest_one() {
        let known = || ["displayName", "id", "description"].into_iter();
        assert_eq!(nearest("DisplyName", known()), Some("displayName"));
        assert_eq!(nearest("displayNamesXX", known()), None);
        assert_eq!(nearest("ix", known()), Some("id"));
        assert_eq!(nearest(&"d".repeat(65), known()), None);
        assert_eq!((distance("naïve", "naive"), distance("", "ab"), distance("ab", "ab")), (1, 2, 0));
    }
}
