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
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value, json};
use store::OpContext;
use tracing::Instrument as _;

/// Methods of parts; a batch has no use for HEAD and OPTIONS.
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE];

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
    let parts = parse(&body)?;
    let order = order(&parts)?;
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
async fn answer_part(app: &App, ctx: &OpContext, batch: &Call, part: &Part, failed: Option<&str>) -> Answer {
    let request_id = app.new_id();
    let started = std::time::Instant::now();
    let (version, path, query) = target(&part.url, batch.version);
    let logged = links::without_keys(&path);
    let call = Call {
        method: part.method.clone(),
        version,
        path,
        query,
        headers: part.headers.clone(),
        base_url: batch.base_url.clone(),
        request_id,
    };
    let answered = async {
        let outcome = match failed {
            Some(id) => Err(AppError::FailedDependency(format!("Request '{}' was not carried out, because '{id}' failed.", part.id))),
            None => perform_part(app, ctx, call, part.body.clone()).await,
        };
        let answer = exchange::answer(app, outcome, request_id, exchange::client_request_id(&part.headers).as_deref());
        tracing::info!(
            http.method = %part.method, http.path = %links::printable(&logged), http.status = answer.status,
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

/// One request of a batch, as it was written.
#[derive(Debug)]
struct Part {
    id: String,
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
    /// Positions in the batch.
    depends_on: Vec<usize>,
}

/// Reads the envelope.
fn parse(body: &[u8]) -> Result<Vec<Part>, AppError> {
    let mut envelope = odata::json::parse_object(body)?;
    let requests = match envelope.swap_remove("requests") {
        Some(Value::Array(requests)) => requests,
        Some(_) => return Err(AppError::invalid_at("requests", "'requests' must be an array.")),
        None => return Err(AppError::invalid_at("requests", "A batch is { \"requests\": [ … ] }; 'requests' is missing.")),
    };
    if let Some(name) = envelope.keys().find(|name| !name.contains('@')) {
        return Err(AppError::invalid_at(name, format!("'{}' is not a property of a batch.", links::printable(name))));
    }
    if requests.is_empty() {
        return Err(AppError::invalid_at("requests", "A batch has at least one request."));
    }
    if requests.len() > limits::BATCH_PARTS_MAX {
        let message = format!("A batch may have {} requests at most, not {}.", limits::BATCH_PARTS_MAX, requests.len());
        return Err(AppError::invalid_at("requests", message));
    }
    let mut parts: Vec<Part> = Vec::new();
    let mut wanted = Vec::new();
    for (i, request) in requests.into_iter().enumerate() {
        let at = format!("requests[{i}]");
        let (part, depends_on) = parse_part(&at, request)?;
        if parts.iter().any(|other| same_id(&other.id, &part.id)) {
            let message = format!("The id '{}' stands twice in this batch; ids are compared without regard to case.", part.id);
            return Err(AppError::invalid_at(format!("{at}.id"), message));
        }
        parts.push(part);
        wanted.push(depends_on);
    }
    for (i, ids) in wanted.into_iter().enumerate() {
        for id in ids {
            let Some(on) = parts.iter().position(|part| same_id(&part.id, &id)) else {
                let message = format!("'{}' is not the id of a request of this batch.", links::printable(&id));
                return Err(AppError::invalid_at(format!("requests[{i}].dependsOn"), message));
            };
            parts[i].depends_on.push(on);
        }
    }
    Ok(parts)
}

/// Ids are "not case-sensitive" (concepts/json-batching.md).
fn same_id(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// One request, and the ids that it depends on.
///
/// `depends_on` is how Microsoft's Python classes misspell `dependsOn`.
fn parse_part(at: &str, request: Value) -> Result<(Part, Vec<String>), AppError> {
    let Value::Object(request) = request else { return Err(AppError::invalid_at(at, "A request of a batch is an object.")) };
    let (mut id, mut method, mut url) = (None, None, None);
    let (mut headers, mut body, mut depends_on) = (HeaderMap::new(), None, Vec::new());
    let mut seen: Vec<String> = Vec::new();
    for (name, value) in request {
        let here = format!("{at}.{name}");
        if seen.contains(&name.to_ascii_lowercase()) {
            return Err(AppError::invalid_at(here, format!("'{}' is given twice, in different spellings.", links::printable(&name))));
        }
        seen.push(name.to_ascii_lowercase());
        match (name.to_ascii_lowercase().as_str(), value) {
            (_, Value::Null) => {}
            ("id", value) => id = Some(text(&here, value)?),
            ("method", value) => method = Some(text(&here, value)?),
            ("url", value) => url = Some(text(&here, value)?),
            ("headers", Value::Object(given)) => headers = parse_headers(&here, given)?,
            ("headers", _) => return Err(AppError::invalid_at(here, "'headers' is an object of names and values.")),
            ("body", value) => body = Some(value),
            ("dependson" | "depends_on", Value::Array(ids)) => {
                for id in ids {
                    depends_on.push(text(&here, id)?);
                }
            }
            ("dependson" | "depends_on", _) => return Err(AppError::invalid_at(here, "'dependsOn' is an array of ids.")),
            (name, _) if name.contains('@') => {}
            _ => {
                let message = format!("'{}' is not a property of a request of a batch.", links::printable(&name));
                return Err(AppError::invalid_at(here, message));
            }
        }
    }
    let missing = |name: &str| AppError::invalid_at(format!("{at}.{name}"), format!("A request of a batch must have '{name}'."));
    let id = id.ok_or_else(|| missing("id"))?;
    let method = method.ok_or_else(|| missing("method"))?;
    let url = url.ok_or_else(|| missing("url"))?;
    let upper = method.to_ascii_uppercase();
    let Some(method) = METHODS.into_iter().find(|known| known.as_str() == upper) else {
        let message = format!("'{}' is not a method that a batch takes: GET, POST, PATCH, PUT, DELETE.", links::printable(&method));
        return Err(AppError::invalid_at(format!("{at}.method"), message));
    };
    if body.is_some() && !headers.contains_key(http::header::CONTENT_TYPE) {
        let message = "A request of a batch that has a body must have a Content-Type in its headers.";
        return Err(AppError::invalid_at(format!("{at}.headers"), message));
    }
    let body = body.map(body_bytes).unwrap_or_default();
    Ok((Part { id, method, url, headers, body, depends_on: Vec::new() }, depends_on))
}

fn text(at: &str, value: Value) -> Result<String, AppError> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(text),
        _ => Err(AppError::invalid_at(at, "This must be a string, and not an empty one.")),
    }
}

fn parse_headers(at: &str, given: Map<String, Value>) -> Result<HeaderMap, AppError> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let here = format!("{at}.{name}");
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok().zip(value.as_str().and_then(|v| HeaderValue::from_str(v).ok()));
        match parsed {
            // Two spellings of one name are two lines of one header.
            Some((name, value)) => headers.append(name, value),
            None => return Err(AppError::invalid_at(here, "This is not a header: a name and a string.")),
        };
    }
    Ok(headers)
}

/// The bytes of a body: JSON stands as it is, anything else in base64 or base64url.
///
/// A string that is neither is taken as it is, so that its part says what is wrong with it.
fn body_bytes(body: Value) -> Bytes {
    let Value::String(text) = body else { return Bytes::from(body.to_string()) };
    let bare = text.trim_end_matches('=');
    let decoded = URL_SAFE_NO_PAD.decode(bare).or_else(|_| STANDARD_NO_PAD.decode(bare));
    Bytes::from(decoded.unwrap_or_else(|_| text.into_bytes()))
}

/// Version, path and query of a part's URL.
///
/// It is relative to the version root, with or without a leading slash; one that names a version
/// means that one. Microsoft's Python classes write absolute URLs: they are taken by their path,
/// whatever the host, as references in bodies are.
fn target(url: &str, version: Version) -> (Version, String, String) {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let path = match path.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => path,
    };
    let path = path.trim_matches('/');
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    let named = [Version::Beta, Version::V1].into_iter().find(|version| version.segment().eq_ignore_ascii_case(first));
    let encoded = |text| utf8_percent_encode(text, NOT_IN_URLS).to_string();
    match named {
        Some(version) => (version, encoded(rest), encoded(query)),
        None => (version, encoded(path), encoded(query)),
    }
}

/// What a URL cannot have and clients write into a batch all the same (`?$filter=a eq 'b c'`); over
/// HTTP their library would have encoded it.
const NOT_IN_URLS: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// The order of work: as written, but everything after what it depends on.
fn order(parts: &[Part]) -> Result<Vec<usize>, AppError> {
    let mut done: Vec<usize> = Vec::new();
    while done.len() < parts.len() {
        let next = (0..parts.len()).find(|i| !done.contains(i) && parts[*i].depends_on.iter().all(|on| done.contains(on)));
        match next {
            Some(next) => done.push(next),
            None => return Err(AppError::invalid_at("requests", "Requests of this batch depend on each other in a circle.")),
        }
    }
    Ok(done)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(batch: &Value) -> Result<Vec<Part>, AppError> {
        parse(batch.to_string().as_bytes())
    }

    fn get(id: &str, depends_on: &[&str]) -> Value {
        json!({ "id": id, "method": "GET", "url": "/users", "dependsOn": depends_on })
    }

    fn refused(batch: &Value) -> String {
        match parsed(batch).and_then(|parts| order(&parts)) {
            Err(AppError::Invalid { target, .. }) => target.unwrap_or_default(),
            other => panic!("{batch} led to {other:?}"),
        }
    }

    #[test]
    fn urls_of_every_form_lead_to_the_same_place() {
        let beta = |path: &str, query: &str| (Version::Beta, path.to_owned(), query.to_owned());
        assert_eq!(target("/users?$top=1", Version::Beta), beta("users", "$top=1"));
        assert_eq!(target("users?$top=1#x", Version::Beta), beta("users", "$top=1"));
        assert_eq!(target("beta/users/", Version::V1), beta("users", ""));
        assert_eq!(target("/beta/users", Version::V1), beta("users", ""));
        assert_eq!(target("https://graph.microsoft.com/beta/users?a=b://c", Version::V1), beta("users", "a=b://c"));
        assert_eq!(target("/v1.0/users", Version::Beta), (Version::V1, "users".to_owned(), String::new()));
        assert_eq!(target("http://127.0.0.1:1", Version::Beta), beta("", ""));
        assert_eq!(target("/users?$filter=a eq 'é%20'", Version::Beta), beta("users", "$filter=a%20eq%20'%C3%A9%20'"));
    }

    #[test]
    fn what_depends_comes_later_and_the_rest_as_written() {
        let parts = parsed(&json!({ "requests": [get("c", &["B"]), get("a", &[]), get("b", &["a"])] })).unwrap();
        assert_eq!(order(&parts).unwrap(), [1, 2, 0]);
    }

    #[test]
    fn an_envelope_that_is_wrong_is_refused_with_the_place() {
        let many = |n: usize| json!({ "requests": (0..n).map(|i| get(&i.to_string(), &[])).collect::<Vec<_>>() });
        assert!(parsed(&many(20)).is_ok());
        assert_eq!(refused(&many(21)), "requests");
        assert_eq!(refused(&many(0)), "requests");
        assert_eq!(refused(&json!({})), "requests");
        assert_eq!(refused(&json!({ "requests": {} })), "requests");
        assert_eq!(refused(&json!({ "requests": [7] })), "requests[0]");
        assert_eq!(refused(&json!({ "requests": [get("a", &[]), get("A", &[])] })), "requests[1].id");
        assert_eq!(refused(&json!({ "requests": [{ "id": 1, "method": "GET", "url": "/users" }] })), "requests[0].id");
        assert_eq!(refused(&json!({ "requests": [{ "method": "GET", "url": "/users" }] })), "requests[0].id");
        assert_eq!(refused(&json!({ "requests": [{ "id": "1", "url": "/users" }] })), "requests[0].method");
        assert_eq!(refused(&json!({ "requests": [{ "id": "1", "method": "HEAD", "url": "/users" }] })), "requests[0].method");
        assert_eq!(refused(&json!({ "requests": [{ "id": "1", "method": "GET" }] })), "requests[0].url");
        assert_eq!(refused(&json!({ "requests": [{ "id": "1", "method": "GET", "url": "" }] })), "requests[0].url");
        assert_eq!(refused(&json!({ "requests": [get("a", &["b"])] })), "requests[0].dependsOn");
        assert_eq!(refused(&json!({ "requests": [get("a", &["a"])] })), "requests");
        assert_eq!(refused(&json!({ "requests": [get("a", &["b"]), get("b", &["a"])] })), "requests");
        let odd = json!({ "requests": [{ "id": "1", "method": "GET", "url": "/users", "atomicityGroup": "g" }] });
        assert_eq!(refused(&odd), "requests[0].atomicityGroup");
        let bare = json!({ "requests": [{ "id": "1", "method": "POST", "url": "/users", "body": {} }] });
        assert_eq!(refused(&bare), "requests[0].headers");
        let twice = json!({ "requests": [{ "id": "1", "ID": "2", "method": "GET", "url": "/users" }] });
        assert_eq!(refused(&twice), "requests[0].ID");
        let header = json!({ "requests": [{ "id": "1", "method": "GET", "url": "/users", "headers": { "a b": "c" } }] });
        assert_eq!(refused(&header), "requests[0].headers.a b");
    }

    #[test]
    fn what_microsofts_python_classes_write_is_read() {
        let parts = parsed(&json!({ "requests": [
            { "id": "A", "method": "GET", "url": "http://127.0.0.1:8080/beta/users", "depends_on": [], "headers": { "accept": "application/json" } },
            { "id": "B", "method": "PATCH", "url": "u", "depends_on": ["A"], "headers": { "content-type": "application/json" }, "body": "e30" },
        ] }))
        .unwrap();
        assert_eq!(parts[1].depends_on, [0]);
        assert_eq!(parts[1].body, "{}");
    }

    #[test]
    fn bodies_are_json_or_base64() {
        assert_eq!(body_bytes(json!({ "a": [1] })), "{\"a\":[1]}");
        assert_eq!(body_bytes(json!("eyJhIjoxfQ==")), "{\"a\":1}");
        assert_eq!(body_bytes(json!("not base64!")), "not base64!");
        let text = Answer { status: 200, headers: vec![("content-type", "text/plain".to_owned())], body: GraphBody::Text("12".to_owned()) };
        assert_eq!(response("1", text), json!({ "id": "1", "status": 200, "headers": { "Content-Type": "text/plain" }, "body": "MTI=" }));
    }

    #[test]
    fn header_names_are_written_as_graph_writes_them() {
        let names = ["content-type", "etag", "odata-version", "retry-after", "request-id", "www-authenticate"].map(header_name);
        assert_eq!(names, ["Content-Type", "ETag", "OData-Version", "Retry-After", "request-id", "WWW-Authenticate"]);
    }
}
