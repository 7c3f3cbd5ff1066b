//! `POST /$batch`: several calls in one request, as Graph's JSON batching does it
//! (concepts/json-batching.md; OData JSON 4.01 §19).
//!
//! The envelope is checked as a whole: what is wrong with it is 400 and nothing is done. After that
//! each part is a call of its own, with its own status, whatever the others answer. Parts share the
//! token of the batch and are throttled one by one; they are carried out one after the other, those
//! that depend on others after them.

use crate::app::App;
use crate::error::AppError;
use crate::exchange::{self, Answer, Call, Outcome};
use crate::graph::request::{GraphBody, GraphResponse, Metadata, Version};
use crate::{limits, links};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use http::Method;
use odata::batch::{self, Part};
use odata::limits::Limits;
use serde_json::{Map, Value, json};
use store::OpContext;
use tracing::Instrument as _;

/// Whether a path after the version is the batch endpoint's.
pub(crate) fn is_batch(path: &str) -> bool {
    path.eq_ignore_ascii_case("$batch") || path.eq_ignore_ascii_case("%24batch")
}

/// Carries out a batch for an authenticated caller.
pub(crate) async fn perform(app: &App, ctx: OpContext, call: Call, body: Bytes) -> Outcome {
    if call.method != Method::POST {
        return Err(AppError::MethodNotAllowed { allow: "POST".to_owned() });
    }
    exchange::negotiate(exchange::header(&call.headers, "accept").as_deref())?;
    exchange::require_json(&call.headers)?;
    let parts = batch::parse(&body, &Limits::DEFAULT)?;
    let order = batch::order(&parts)?;
    let mut statuses = vec![0; parts.len()];
    let mut responses = vec![Value::Null; parts.len()];
    for i in order {
        let part = &parts[i];
        let failed = part.depends_on.iter().find(|on| statuses[**on] >= 400).map(|on| parts[*on].id.as_str());
        let answer = answer_part(app, &ctx, &call, part, failed).await;
        statuses[i] = answer.status;
        responses[i] = response(&part.id, answer);
    }
    let mut envelope = Map::new();
    envelope.insert("responses".to_owned(), Value::Array(responses));
    Ok((GraphResponse::json(200, envelope), Metadata::Minimal))
}

/// One part, carried out unless something that it depends on has failed.
async fn answer_part(app: &App, ctx: &OpContext, outer: &Call, part: &Part, failed: Option<&str>) -> Answer {
    let request_id = app.new_id();
    let started = std::time::Instant::now();
    let (version, path, query) = target(&part.url, outer.version);
    let logged = links::without_keys(&path);
    let call = Call {
        method: part.method.clone(),
        version,
        path,
        query,
        headers: part.headers.clone(),
        base_url: outer.base_url.clone(),
        request_id,
    };
    let answered = async {
        let outcome = match failed {
            Some(id) => Err(AppError::FailedDependency(format!("Request '{}' was not carried out, because '{id}' failed.", part.id))),
            None => perform_part(app, ctx, call, Bytes::from(part.body.clone())).await,
        };
        let answer = exchange::answer(app, outcome, request_id, exchange::client_request_id(&part.headers).as_deref());
        tracing::info!(
            http.method = %part.method, http.path = %odata::error::printable(&logged), http.status = answer.status,
            duration_ms = started.elapsed().as_millis() as u64, "answered a part of a batch"
        );
        answer
    };
    answered.instrument(tracing::info_span!("part", request_id = %request_id)).await
}

async fn perform_part(app: &App, ctx: &OpContext, call: Call, body: Bytes) -> Outcome {
    call.check_url()?;
    let ctx = OpContext { request_id: call.request_id, now: app.now(), ..ctx.clone() };
    if is_batch(&call.path) {
        return Err(AppError::invalid("A batch cannot be a part of a batch."));
    }
    if body.len() > limits::JSON_BODY_BYTES_MAX {
        return Err(AppError::TooLarge(format!("A body may have {} bytes at most.", limits::JSON_BODY_BYTES_MAX)));
    }
    exchange::perform(app, ctx, call, body).await
}

/// A part's answer: JSON as an object, text in base64url (concepts/json-batching.md).
fn response(id: &str, answer: Answer) -> Value {
    let mut headers = Map::new();
    for (name, value) in answer.headers {
        headers.insert(header_name(name), Value::String(value));
    }
    let mut response = json!({ "id": id, "status": answer.status, "headers": headers });
    match answer.body {
        GraphBody::Empty => {}
        GraphBody::Json(body) => response["body"] = Value::Object(body),
        GraphBody::Text(text) => response["body"] = Value::String(URL_SAFE.encode(text)),
    }
    response
}

/// A header's name as Graph's samples write it; inside JSON its case is seen.
fn header_name(name: &str) -> String {
    match name {
        "etag" => "ETag".to_owned(),
        "odata-version" => "OData-Version".to_owned(),
        "odata-entityid" => "OData-EntityId".to_owned(),
        "www-authenticate" => "WWW-Authenticate".to_owned(),
        "request-id" | "client-request-id" => name.to_owned(),
        _ => name.split('-').map(capitalized).collect::<Vec<_>>().join("-"),
    }
}

fn capitalized(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    format!("{}{rest}", first.to_ascii_uppercase())
}

/// Version, path and query of a part's URL. One that names no version means that of the batch.
fn target(url: &str, outer: Version) -> (Version, String, String) {
    let (path, query) = batch::target(url);
    let (first, rest) = path.split_once('/').unwrap_or((&path, ""));
    match [Version::Beta, Version::V1].into_iter().find(|version| version.segment().eq_ignore_ascii_case(first)) {
        Some(version) => (version, rest.to_owned(), query),
        None => (outer, path, query),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_names_a_version_means_that_one() {
        let beta = (Version::Beta, "users".to_owned(), "$top=1".to_owned());
        assert_eq!(target("/users?$top=1", Version::Beta), beta);
        assert_eq!(target("BETA/users/?$top=1", Version::V1), beta);
        assert_eq!(target("https://graph.microsoft.com/beta/users?$top=1", Version::V1), beta);
        assert_eq!(target("/v1.0/users", Version::Beta), (Version::V1, "users".to_owned(), String::new()));
        assert_eq!(target("http://127.0.0.1:1", Version::Beta), (Version::Beta, String::new(), String::new()));
    }

    #[test]
    fn text_is_answered_in_base64url() {
        let text = Answer { status: 200, headers: vec![("content-type", "text/plain".to_owned())], body: GraphBody::Text("12".to_owned()) };
        assert_eq!(response("1", text), json!({ "id": "1", "status": 200, "headers": { "Content-Type": "text/plain" }, "body": "MTI=" }));
    }

    #[test]
    fn header_names_are_written_as_graph_writes_them() {
        let names = ["content-type", "etag", "odata-version", "retry-after", "request-id", "www-authenticate"].map(header_name);
        assert_eq!(names, ["Content-Type", "ETag", "OData-Version", "Retry-After", "request-id", "WWW-Authenticate"]);
    }
}
