//! One call of the API and its answer, in terms of headers and bytes and free of any connection.
//!
//! A request over HTTP and a part of a batch are the same here: one way in ([`perform`]) and one
//! way out ([`answer`]), so that a part is answered as the request would be on its own.

use crate::app::App;
use crate::error::{AppError, GraphFailure};
use crate::graph::request::{GraphBody, GraphRequest, GraphResponse, Metadata, Method, Preferences, Version};
use crate::{describe, graph, limits};
use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use store::OpContext;
use uuid::Uuid;

/// A call as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Method.
    pub method: http::Method,
    /// API version.
    pub version: Version,
    /// Path after the version, percent-encoded, without slashes around it.
    pub path: String,
    /// Query string without `?`, percent-encoded.
    pub query: String,
    /// Headers; the token is not looked for in them any more.
    pub headers: HeaderMap,
    /// Base of absolute links, without a trailing slash.
    pub base_url: String,
    /// Ours, a new one each call.
    pub request_id: Uuid,
}

impl Call {
    /// Refuses a URL that no resource could have: what can be said before the token is looked at.
    pub(crate) fn check_url(&self) -> Result<(), AppError> {
        if self.path.len() + self.query.len() > limits::URL_BYTES_MAX {
            return Err(AppError::invalid(format!("The URL is longer than {} bytes.", limits::URL_BYTES_MAX)));
        }
        // RFC 9112 §3.2: two of them are a trick on somebody in between.
        if self.headers.get_all(http::header::HOST).iter().nth(1).is_some() {
            return Err(AppError::invalid("The request has more than one Host header."));
        }
        // No value of the API has one, and PostgreSQL takes none.
        if self.path.contains("%00") || self.query.contains("%00") {
            return Err(AppError::invalid("The URL has a NUL character."));
        }
        Ok(())
    }
}

/// What a call led to, with the amount of metadata that the client asked for.
pub(crate) type Outcome = Result<(GraphResponse, Metadata), AppError>;

/// Carries out an authenticated call, unless its caller has made too many.
pub(crate) async fn perform(app: &App, ctx: OpContext, call: Call, body: Bytes) -> Outcome {
    app.throttle(&ctx)?;
    // Over HTTP this has been answered before the token was looked at; a part of a batch comes here.
    if let Some(described) = describe::answer(&call) {
        return described;
    }
    let method = match call.method {
        http::Method::GET | http::Method::HEAD => Method::Get,
        http::Method::POST => Method::Post,
        http::Method::PATCH => Method::Patch,
        http::Method::DELETE => Method::Delete,
        _ => Method::Other,
    };
    let metadata = match odata::query::requested_metadata(&call.query) {
        Some(asked) => asked,
        None => negotiate(header(&call.headers, "accept").as_deref())?,
    };
    if !body.is_empty() && matches!(method, Method::Post | Method::Patch) {
        require_json(&call.headers)?;
    }
    let request = GraphRequest {
        method,
        version: call.version,
        if_match: header(&call.headers, "if-match").map(Cow::into_owned),
        if_none_match: header(&call.headers, "if-none-match").map(Cow::into_owned),
        prefer: Preferences::parse(header(&call.headers, "prefer").as_deref()),
        path: call.path,
        query: call.query,
        metadata,
        body,
        base_url: call.base_url,
        request_id: call.request_id,
    };
    graph::handle(app, ctx, request).await.map(|response| (response, metadata))
}

/// What would be wrong with any other method is what OPTIONS asks for (RFC 9110 §9.3.7).
pub(crate) fn answer_options(outcome: Outcome) -> Outcome {
    match outcome {
        Err(AppError::MethodNotAllowed { allow }) => {
            Ok((GraphResponse::no_content().with("allow", with_head_and_options(&allow)), Metadata::Minimal))
        }
        outcome => outcome,
    }
}

/// `Allow` with the methods that every resource answers by themselves.
pub(crate) fn with_head_and_options(allow: &str) -> String {
    format!("{}, OPTIONS", allow.replacen("GET", "GET, HEAD", 1))
}

/// `application/json`, whatever its parameters, and not compressed; a missing type is taken as JSON.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), AppError> {
    if let Some(coding) = header(headers, "content-encoding").filter(|coding| !coding.trim().eq_ignore_ascii_case("identity")) {
        return Err(AppError::UnsupportedMediaType(format!("The body is encoded with '{coding}'; this API takes it as it is.")));
    }
    let Some(given) = header(headers, "content-type") else { return Ok(()) };
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(AppError::UnsupportedMediaType(format!("The body is '{essence}'; this API takes application/json.")))
}

/// The amount of metadata from the best range of `Accept` (RFC 9110 §12.5.1); JSON is all there is, and
/// text for values and counts, so anything that excludes both is 406.
pub(crate) fn negotiate(accept: Option<&str>) -> Result<Metadata, AppError> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else { return Ok(Metadata::Minimal) };
    let mut best: Option<(bool, f32, Option<String>)> = None;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(|part| part.trim().to_ascii_lowercase());
        let is_json = match parts.next().as_deref() {
            Some("application/json" | "application/*" | "*/*" | "") => true,
            Some("text/plain" | "text/*") => false,
            _ => continue,
        };
        let parameters: Vec<String> = parts.collect();
        let quality = parameters.iter().find_map(|p| p.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
        let level = parameters.iter().find_map(|p| p.strip_prefix("odata.metadata=").or_else(|| p.strip_prefix("odata=")));
        if quality > 0.0 && best.as_ref().is_none_or(|(json, before, _)| (is_json, quality) > (*json, *before)) {
            best = Some((is_json, quality, level.map(str::to_owned)));
        }
    }
    let Some((_, _, level)) = best else { return Err(AppError::NotAcceptable("This API answers application/json.".to_owned())) };
    match level.as_deref().map(|level| level.trim_end_matches("metadata")) {
        None | Some("minimal") => Ok(Metadata::Minimal),
        Some("none" | "no") => Ok(Metadata::None),
        Some("full") => Ok(Metadata::Full),
        Some(other) => Err(AppError::NotAcceptable(format!("odata.metadata can be none, minimal or full, not '{other}'."))),
    }
}

/// The whole answer of a call.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Status.
    pub status: u16,
    /// Every header but the ones that the connection needs, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: GraphBody,
}

/// Puts an outcome into its final form: status, headers, body or error body.
pub(crate) fn answer(app: &App, outcome: Outcome, request_id: Uuid, client_request_id: Option<&str>) -> Answer {
    let request_id = request_id.to_string();
    let client_request_id = client_request_id.unwrap_or(&request_id).to_owned();
    let (status, extra, content_type, body) = match outcome {
        Ok((response, metadata)) => {
            let content_type = match response.body {
                GraphBody::Empty => None,
                GraphBody::Json(_) => Some(json_content_type(metadata)),
                GraphBody::Text(_) => Some("text/plain".to_owned()),
            };
            (response.status, response.headers, content_type, response.body)
        }
        Err(error) => {
            let failure = error.graph();
            let body = GraphBody::Json(failure_body(app, &failure, &request_id, &client_request_id));
            (failure.status, failure.headers, Some(json_content_type(Metadata::Minimal)), body)
        }
    };
    let fixed = [
        ("request-id", request_id),
        ("client-request-id", client_request_id),
        ("odata-version", "4.0".to_owned()),
        ("cache-control", "no-cache".to_owned()),
    ];
    let typed = content_type.map(|value| ("content-type", value));
    Answer { status, headers: fixed.into_iter().chain(typed).chain(extra).collect(), body }
}

fn failure_body(app: &App, failure: &GraphFailure, request_id: &str, client_request_id: &str) -> Map<String, Value> {
    let details: Vec<Value> = failure.details.iter().map(|d| json!({ "code": d.code, "message": d.message, "target": d.target })).collect();
    odata::error::error_body(
        failure.code,
        &failure.message,
        failure.target.as_deref(),
        &details,
        request_id,
        client_request_id,
        &app.now().strftime("%Y-%m-%dT%H:%M:%S").to_string(),
    )
}

/// Graph's own, as its batch samples print it.
fn json_content_type(metadata: Metadata) -> String {
    let level = match metadata {
        Metadata::None => "none",
        Metadata::Minimal => "minimal",
        Metadata::Full => "full",
    };
    format!("application/json;odata.metadata={level};odata.streaming=true;IEEE754Compatible=false;charset=utf-8")
}

/// A header, its lines joined as RFC 9110 §5.3 says. Bytes that are no text become U+FFFD: a condition
/// that cannot be read must not count as none.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<Cow<'a, str>> {
    let mut lines = headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let first = lines.next()?;
    Some(lines.fold(first, |joined, line| Cow::Owned(format!("{joined}, {line}"))))
}

/// The caller's own id of the request, when it is short and printable.
pub(crate) fn client_request_id(headers: &HeaderMap) -> Option<String> {
    let given = header(headers, "client-request-id")?;
    let given = given.trim();
    (!given.is_empty() && given.len() <= 64 && given.bytes().all(|b| b.is_ascii_graphic())).then(|| given.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_decides_the_metadata() {
        assert_eq!(negotiate(None), Ok(Metadata::Minimal));
        assert_eq!(negotiate(Some("*/*")), Ok(Metadata::Minimal));
        assert_eq!(negotiate(Some("application/json;odata.metadata=full")), Ok(Metadata::Full));
        assert_eq!(negotiate(Some("application/json; odata.metadata=none, text/plain")), Ok(Metadata::None));
        assert!(matches!(negotiate(Some("application/xml")), Err(AppError::NotAcceptable(_))));
        assert!(matches!(negotiate(Some("application/json;q=0, text/html")), Err(AppError::NotAcceptable(_))));
        assert_eq!(negotiate(Some("text/plain;q=0.9")), Ok(Metadata::Minimal));
        let ranked = "text/plain, application/json;odata.metadata=none;q=0.2, application/json;odata.metadata=full;q=0.3";
        assert_eq!(negotiate(Some(ranked)), Ok(Metadata::Full));
    }

    #[test]
    fn only_json_is_taken() {
        let given = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, http::HeaderValue::from_static(value));
            }
            require_json(&headers)
        };
        assert_eq!(given(&[("content-type", "application/json; charset=utf-8")]), Ok(()));
        assert_eq!(given(&[("content-encoding", "identity")]), Ok(()));
        for refused in [
            &[("content-type", "text/xml")][..],
            &[("content-type", "application/json"), ("content-type", "text/xml")],
            &[("content-type", "application/json"), ("content-encoding", "gzip")],
        ] {
            assert!(matches!(given(refused), Err(AppError::UnsupportedMediaType(_))), "{refused:?}");
        }
    }
}
