//! The API described by itself: `$metadata`, the service documents, the OpenAPI document, and the
//! list of endpoints that the reference in `docs/api` is made from. None of it needs a token.

mod admin;
pub mod endpoints;
mod openapi;
mod schemas;
pub mod words;

use crate::error::AppError;
use crate::exchange::{Call, Outcome, header, negotiate};
use crate::graph::collections::{self, Writes};
use crate::graph::request::{GraphResponse, Metadata, Version};
use endpoints::{Endpoint, What};
use industry_data::MODEL;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::sync::LazyLock;

/// An error that the API answers.
#[derive(Debug)]
pub struct ErrorAnswer {
    /// HTTP status.
    pub status: u16,
    /// `error.code`.
    pub code: &'static str,
    /// When it is answered.
    pub when: &'static str,
    /// The header that comes with it.
    pub header: Option<&'static str>,
}

const fn error(status: u16, code: &'static str, when: &'static str) -> ErrorAnswer {
    ErrorAnswer { status, code, when, header: None }
}

/// Every error of the API, by status. `AppError::graph` is what answers them.
pub static ERRORS: &[ErrorAnswer] = &[
    error(400, "BadRequest", "The request breaks a rule; `target` names the property or query option."),
    ErrorAnswer {
        header: Some("WWW-Authenticate"),
        ..error(401, "InvalidAuthenticationToken", "There is no token, or it is not valid (any more).")
    },
    error(403, "Authorization_RequestDenied", "The token lacks the permission; the message names those that would do."),
    error(404, "NotFound", "There is no such resource."),
    ErrorAnswer { header: Some("Allow"), ..error(405, "MethodNotAllowed", "The resource does not answer this method.") },
    error(406, "NotAcceptable", "`Accept` excludes what the API answers."),
    error(409, "Conflict", "The change contradicts what is stored; `details` names what stands in the way."),
    error(412, "PreconditionFailed", "The resource is not in the version that `If-Match` (or `If-None-Match`) asks for."),
    error(413, "RequestEntityTooLarge", "The body, or a text in it, is too long."),
    error(415, "UnsupportedMediaType", "The body is not `application/json`, or it is compressed."),
    error(
        424,
        "FailedDependency",
        "A part of a batch, in an answer that is 200 itself, was not carried out, because a part that it depends on failed.",
    ),
    ErrorAnswer {
        header: Some("Retry-After"),
        ..error(429, "TooManyRequests", "A quota is used up; `Retry-After` says for how many seconds.")
    },
    error(500, "InternalServerError", "Homeroom's own fault; the log has the cause under the `request-id`."),
];

impl ErrorAnswer {
    /// Whether an endpoint can answer it.
    pub fn concerns(&self, endpoint: &Endpoint) -> bool {
        let what = endpoint.what;
        let has_body = matches!(what, What::Create | What::Update | What::ShortUpdate | What::AddLink);
        let action = matches!(what, What::Call(op) if op.action);
        match self.status {
            405 | 424 => false,
            403 => !endpoint.permissions.is_empty(),
            409 => has_body || matches!(what, What::Delete | What::ShortRead),
            412 => matches!(what, What::Update | What::ShortUpdate | What::Delete),
            413 | 415 => has_body || action,
            _ => true,
        }
    }
}

/// Answers what needs no token: the service document and `$metadata`. `None` for any other path.
pub(crate) fn answer(call: &Call) -> Option<Outcome> {
    let path = percent_encoding::percent_decode_str(&call.path).decode_utf8().ok()?;
    let is_metadata = path.eq_ignore_ascii_case("$metadata");
    if !is_metadata && !path.is_empty() {
        return None;
    }
    Some(if matches!(call.method, http::Method::GET | http::Method::HEAD) {
        format(&call.query).and_then(|wanted| {
            let wanted = wanted.map(Cow::Owned).or_else(|| header(&call.headers, "accept"));
            let wanted = wanted.as_deref();
            if is_metadata { metadata(call.version, wanted).map(|found| (found, Metadata::Minimal)) } else { service(call, wanted) }
        })
    } else {
        Err(AppError::MethodNotAllowed { allow: "GET".to_owned() })
    })
}

/// `$format` as a media type. These documents take no other option, and none is ignored silently.
fn format(query: &str) -> Result<Option<String>, AppError> {
    let mut found = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (name, value) = (decode(name), decode(value));
        let bare = name.strip_prefix('$').unwrap_or(&name);
        if !bare.eq_ignore_ascii_case("format") {
            if name.starts_with('$') {
                return Err(AppError::invalid_at(name.clone(), format!("The query option '{name}' does not apply here; $format does.")));
            }
            continue;
        }
        found = Some(match value.to_ascii_lowercase().as_str() {
            "xml" => "application/xml".to_owned(),
            "json" => "application/json".to_owned(),
            _ => value,
        });
    }
    Ok(found)
}

/// The best of the offered media types for an `Accept` header (RFC 9110 §12.5.1); the first of the
/// best when the client does not care. `None` when it takes none of them.
fn best<'a>(accept: Option<&str>, offered: &[&'a str]) -> Option<&'a str> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else { return offered.first().copied() };
    let quality = |media: &str| {
        let ranges = accept.split(',').filter_map(|range| {
            let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
            let name = parts.next()?;
            let exactness = match (name.as_str(), media.split_once('/')) {
                (name, _) if name == media => 3,
                (name, Some((kind, _))) if name == format!("{kind}/*") => 2,
                ("*/*", _) => 1,
                _ => return None,
            };
            let quality = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            Some((exactness, quality))
        });
        // The most exact range decides, whatever its quality.
        ranges.max_by_key(|(exactness, _)| *exactness).map_or(0.0, |(_, quality)| quality)
    };
    let mut best: Option<(&str, f32)> = None;
    for media in offered {
        let quality = quality(media);
        if quality > best.map_or(0.0, |(_, before)| before) {
            best = Some((media, quality));
        }
    }
    best.map(|(media, _)| media)
}

/// Metadata of a version in both forms.
struct Written {
    xml: String,
    json: Map<String, Value>,
}

impl Written {
    fn new(document: odata::csdl::Document) -> Self {
        Self { xml: document.xml(), json: document.json().as_object().cloned().unwrap_or_default() }
    }
}

static BETA: LazyLock<Written> = LazyLock::new(|| Written::new(industry_data::edm::metadata()));
static V1: LazyLock<Written> = LazyLock::new(|| Written::new(industry_data::edm::directory_metadata()));

fn metadata(version: Version, accept: Option<&str>) -> Result<GraphResponse, AppError> {
    let written: &Written = match version {
        Version::Beta => &BETA,
        Version::V1 => &V1,
    };
    match best(accept, &["application/xml", "application/json", "text/xml"]) {
        // CSDL JSON came with 4.01.
        Some("application/json") => Ok(GraphResponse::json(200, written.json.clone())
            .with("content-type", "application/json;charset=utf-8".to_owned())
            .with("odata-version", "4.01".to_owned())),
        Some(media) => Ok(GraphResponse::text(written.xml.clone()).with("content-type", format!("{media};charset=utf-8"))),
        None => Err(AppError::NotAcceptable("Metadata is application/xml or application/json.".to_owned())),
    }
}

/// Where URLs begin (OData JSON Format 4.01 §5).
fn service(call: &Call, accept: Option<&str>) -> Outcome {
    let amount = negotiate(accept)?;
    let mut entries = Vec::new();
    for (name, _) in MODEL.entity_sets.iter().filter(|(name, _)| collections::find(name).is_some()) {
        entries.push(json!({ "name": name, "kind": "EntitySet", "url": name }));
    }
    for (name, _) in MODEL.singletons.iter().filter(|_| call.version == Version::Beta) {
        entries.push(json!({ "name": name, "kind": "Singleton", "url": name }));
    }
    let mut body = Map::new();
    if amount != Metadata::None {
        body.insert("@odata.context".to_owned(), json!(format!("{}/{}/$metadata", call.base_url, call.version.segment())));
    }
    body.insert("value".to_owned(), Value::Array(entries));
    Ok((GraphResponse::json(200, body), amount))
}

/// The OpenAPI document, made once; the address of the server is that of the request.
pub fn openapi(base_url: &str) -> String {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| openapi::document().to_string());
    let quoted = |text: &str| Value::from(text).to_string();
    DOCUMENT.replacen(&quoted(openapi::SERVER), &quoted(base_url), 1)
}

/// Permissions of an endpoint in words.
pub fn permission_text(endpoint: &Endpoint) -> String {
    openapi::permission_text(&endpoint.permissions)
}

/// Whether clients may create, change and delete in a collection.
pub fn is_writable(collection: &str) -> bool {
    collections::find(collection).is_some_and(|found| found.writes == Writes::All)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_chooses_the_form_of_metadata() {
        let offered = ["application/xml", "application/json"];
        for (accept, wanted) in [
            (None, Some("application/xml")),
            (Some(""), Some("application/xml")),
            (Some("*/*"), Some("application/xml")),
            (Some("application/json"), Some("application/json")),
            (Some("application/json;q=0.5, application/xml;q=0.4"), Some("application/json")),
            (Some("text/html, application/xml;q=0.9, */*;q=0.8"), Some("application/xml")),
            (Some("application/xml;q=0, */*"), Some("application/json")),
            (Some("text/csv"), None),
        ] {
            assert_eq!(best(accept, &offered), wanted, "{accept:?}");
        }
    }

    #[test]
    fn only_format_is_an_option() {
        assert_eq!(format("$format=json"), Ok(Some("application/json".to_owned())));
        assert_eq!(format("format=application%2Fxml"), Ok(Some("application/xml".to_owned())));
        assert_eq!(format("x=1&&"), Ok(None));
        assert!(format("%24select=id").is_err());
    }

    #[test]
    fn the_list_of_errors_is_what_is_answered() {
        let text = || String::new();
        let all = [
            AppError::invalid(""),
            AppError::Unauthenticated(text()),
            AppError::Forbidden(text()),
            AppError::NotFound(text()),
            AppError::MethodNotAllowed { allow: text() },
            AppError::NotAcceptable(text()),
            AppError::Conflict { message: text(), details: Vec::new() },
            AppError::PreconditionFailed,
            AppError::TooLarge(text()),
            AppError::UnsupportedMediaType(text()),
            AppError::FailedDependency(text()),
            AppError::TooManyRequests { retry_after_seconds: 1, message: text() },
            AppError::Internal(text()),
        ];
        let answered: Vec<_> = all.into_iter().map(AppError::graph).map(|f| (f.status, f.code)).collect();
        assert_eq!(answered, ERRORS.iter().map(|e| (e.status, e.code)).collect::<Vec<_>>());
    }
}
