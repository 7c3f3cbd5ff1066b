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
        None => negotiate(header(&call.headers, "accept"))?,
    };
    let content_type = header(&call.headers, "content-type").map(str::to_owned);
    if !body.is_empty() && matches!(method, Method::Post | Method::Patch) {
        require_json(content_type.as_deref())?;
    }
    let request = GraphRequest {
        method,
        version: call.version,
        content_type,
        if_match: header(&call.headers, "if-match").map(str::to_owned),
        prefer: Preferences::parse(header(&call.headers, "prefer")),
        path: call.path,
        query: call.query,
        metadata,
        body,
        base_url: call.base_url,
        request_id: call.request_id,
    };
    graph::handle(app, ctx, request).await.map(|response| (response, metadata))
}

/// `application/json`, whatever its parameters; a missing type is taken as JSON.
pub(crate) fn require_json(content_type: Option<&str>) -> Result<(), AppError> {
    let Some(given) = content_type else { return Ok(()) };
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(AppError::UnsupportedMediaType(format!("The body is '{essence}'; this API takes application/json.")))
}

/// The amount of metadata from `Accept`; JSON is all there is, so anything that excludes it is 406.
pub(crate) fn negotiate(accept: Option<&str>) -> Result<Metadata, AppError> {
    let Some(accept) = accept else { return Ok(Metadata::Minimal) };
    let mut acceptable = accept.trim().is_empty();
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        if !matches!(essence.as_str(), "application/json" | "application/*" | "*/*" | "text/plain" | "text/*" | "") {
            continue;
        }
        acceptable = true;
        for parameter in parts {
            let parameter = parameter.to_ascii_lowercase();
            let Some(level) = parameter.strip_prefix("odata.metadata=").or_else(|| parameter.strip_prefix("odata=")) else { continue };
            return match level.trim_end_matches("metadata") {
                "none" | "no" => Ok(Metadata::None),
                "minimal" => Ok(Metadata::Minimal),
                "full" => Ok(Metadata::Full),
                other => Err(AppError::NotAcceptable(format!("odata.metadata can be none, minimal or full, not '{other}'."))),
            };
        }
    }
    if acceptable { Ok(Metadata::Minimal) } else { Err(AppError::NotAcceptable("This API answers application/json.".to_owned())) }
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

/// A header that is text.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The caller's own id of the request, when it is short and printable.
pub(crate) fn client_request_id(headers: &HeaderMap) -> Option<String> {
    let given = header(headers, "client-request-id")?.trim();
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
    }

    #[test]
    fn only_json_is_taken() {
        assert_eq!(require_json(Some("application/json; charset=utf-8")), Ok(()));
        assert_eq!(require_json(None), Ok(()));
        assert!(matches!(require_json(Some("text/xml")), Err(AppError::UnsupportedMediaType(_))));
    }
}
