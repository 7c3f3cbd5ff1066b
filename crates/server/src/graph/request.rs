//! A Graph request and its answer, free of HTTP plumbing, so that a part of a batch can take the
//! very same path as a request of its own.

use bytes::Bytes;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::error::AppError;

/// The methods that the API knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Create, or an action.
    Post,
    /// Change.
    Patch,
    /// Remove.
    Delete,
    /// Any other: no resource answers it, but its `Allow` is the resource's.
    Other,
}

/// `/beta` or `/v1.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// The whole API.
    Beta,
    /// The directory only (decision 13).
    V1,
}

impl Version {
    /// First segment of the path.
    pub const fn segment(self) -> &'static str {
        match self {
            Self::Beta => "beta",
            Self::V1 => "v1.0",
        }
    }
}

/// How much `@odata.*` an answer carries.
pub use odata::encode::Metadata;

/// What `Prefer` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Preferences {
    /// `return=…`
    pub returns: Option<Return>,
    /// `odata.maxpagesize`
    pub page_size: Option<u32>,
}

/// `Prefer: return=…`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// Answer 204.
    Minimal,
    /// Answer with the object.
    Representation,
}

impl Preferences {
    /// Reads the header; what is not known is ignored, and of what is said twice the first counts
    /// (RFC 7240 §2).
    pub fn parse(header: Option<&str>) -> Self {
        let mut found = Self::default();
        for preference in header.unwrap_or_default().to_ascii_lowercase().split([',', ';']) {
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let value = value.trim().trim_matches('"');
            let (returns, page_size) = match (name.trim(), value) {
                ("return", "minimal") => (Some(Return::Minimal), None),
                ("return", "representation") => (Some(Return::Representation), None),
                ("odata.maxpagesize" | "maxpagesize", size) => (None, size.parse().ok().filter(|n| *n > 0)),
                _ => (None, None),
            };
            found.returns = found.returns.or(returns);
            found.page_size = found.page_size.or(page_size);
        }
        found
    }
}

/// One request, authenticated later.
#[derive(Debug, Clone)]
pub struct GraphRequest {
    /// Method.
    pub method: Method,
    /// API version.
    pub version: Version,
    /// Path after the version, percent-encoded, without a leading slash.
    pub path: String,
    /// Query string without `?`, percent-encoded.
    pub query: String,
    /// `If-Match`.
    pub if_match: Option<String>,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
    /// `Prefer`.
    pub prefer: Preferences,
    /// Wanted amount of metadata.
    pub metadata: Metadata,
    /// Body.
    pub body: Bytes,
    /// Base of absolute links, without a trailing slash.
    pub base_url: String,
    /// Ours, a new one each request.
    pub request_id: Uuid,
}

impl GraphRequest {
    /// Absolute URL of a path below the version root.
    pub fn link(&self, path: &str) -> String {
        format!("{}/{}/{}", self.base_url, self.version.segment(), path)
    }

    /// `@odata.context` for a fragment.
    pub fn context(&self, fragment: &str) -> String {
        format!("{}/{}/$metadata#{fragment}", self.base_url, self.version.segment())
    }

    /// The body of an action: none, blank, or a JSON object, whose content no action reads.
    ///
    /// # Errors
    /// 400 when there is something else.
    pub fn check_action_body(&self) -> Result<(), AppError> {
        let body = odata::json::without_mark(&self.body);
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(map)) if map.is_empty() => Ok(()),
            Ok(_) => Err(AppError::invalid("This action takes no parameters: send no body, or {}.")),
            Err(error) => {
                Err(AppError::invalid(format!("The body is not JSON: {error}. This action takes no parameters: send no body, or {{}}.")))
            }
        }
    }
}

/// One answer.
#[derive(Debug, Clone)]
pub struct GraphResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers beyond the ones every answer has.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: GraphBody,
}

/// Body of an answer.
#[derive(Debug, Clone)]
pub enum GraphBody {
    /// None.
    Empty,
    /// A JSON object.
    Json(Map<String, Value>),
    /// `text/plain`, for `$count` and `$value`.
    Text(String),
}

impl GraphResponse {
    /// 204.
    pub fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: GraphBody::Empty }
    }

    /// 202 with the place to look for the outcome.
    pub fn accepted(location: Option<String>) -> Self {
        Self { status: 202, headers: location.map(|l| ("location", l)).into_iter().collect(), body: GraphBody::Empty }
    }

    /// A JSON answer.
    pub fn json(status: u16, body: Map<String, Value>) -> Self {
        Self { status, headers: Vec::new(), body: GraphBody::Json(body) }
    }

    /// A plain text answer.
    pub fn text(text: String) -> Self {
        Self { status: 200, headers: Vec::new(), body: GraphBody::Text(text) }
    }

    /// Adds a header.
    pub fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_are_read_in_any_order_and_unknown_ones_ignored() {
        let p = Preferences::parse(Some("respond-async, return=representation; odata.maxpagesize=7"));
        assert_eq!(p, Preferences { returns: Some(Return::Representation), page_size: Some(7) });
        assert_eq!(Preferences::parse(None), Preferences::default());
        assert_eq!(Preferences::parse(Some("return=\"minimal\"")).returns, Some(Return::Minimal));
        assert_eq!(Preferences::parse(Some("Return=Minimal, return=representation")).returns, Some(Return::Minimal));
        assert_eq!(Preferences::parse(Some("maxpagesize=0, odata.maxpagesize=3, maxpagesize=4")).page_size, Some(3));
    }
}
