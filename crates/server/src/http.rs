//! HTTP in and out. Every route of the product is in [`router`].

use crate::app::App;
use crate::error::{AppError, GraphFailure};
use crate::graph::{
    self,
    request::{GraphBody, GraphRequest, GraphResponse, Metadata, Method, Preferences, Version},
};
use crate::{limits, links, upload_http};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::Response;
use axum::routing::{any, get, post};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tracing::Instrument as _;
use uuid::Uuid;

/// All routes. Everything that is OData goes to one handler, because its URLs are grammar.
pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/health", get(|| async { "ok" }))
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery))
        .route("/{tenant}/.well-known/openid-configuration", get(discovery))
        .route("/{tenant}/discovery/v2.0/keys", get(keys))
        .route("/common/discovery/instance", get(instance))
        .route("/beta/{*path}", any(graph_beta))
        .route("/v1.0/{*path}", any(graph_v1))
        .fallback(other)
        .with_state(app)
}

async fn graph_beta(state: State<App>, peer: ConnectInfo<SocketAddr>, request: Request) -> Response {
    graph_call(state.0, peer.0, request, Version::Beta).await
}

async fn graph_v1(state: State<App>, peer: ConnectInfo<SocketAddr>, request: Request) -> Response {
    graph_call(state.0, peer.0, request, Version::V1).await
}

async fn graph_call(app: App, peer: SocketAddr, request: Request, version: Version) -> Response {
    let request_id = app.new_id();
    let client_request_id = client_request_id(request.headers());
    let started = std::time::Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    // Whatever is logged on the way carries the id that the client is told.
    let span = tracing::info_span!("request", request_id = %request_id);
    let answered = async {
        let outcome = graph_outcome(&app, peer, request, version, request_id).await;
        let response = respond(&app, outcome, request_id, client_request_id.as_deref());
        tracing::info!(
            http.method = %method, http.path = %without_keys(&path), http.status = response.status().as_u16(),
            duration_ms = started.elapsed().as_millis() as u64, "answered a Graph request"
        );
        response
    };
    answered.instrument(span).await
}

/// A path for the log: keys may be names of people.
fn without_keys(path: &str) -> String {
    let is_key = |part: &str| part.contains(['@', '\'']) || part.contains("%40") || part.contains("%27");
    path.split('/').map(|part| if is_key(part) { "{key}" } else { part }).collect::<Vec<_>>().join("/")
}

async fn graph_outcome(
    app: &App,
    peer: SocketAddr,
    request: Request,
    version: Version,
    request_id: Uuid,
) -> Result<(GraphResponse, Metadata), AppError> {
    let method = match *request.method() {
        http::Method::GET | http::Method::HEAD => Method::Get,
        http::Method::POST => Method::Post,
        http::Method::PATCH => Method::Patch,
        http::Method::DELETE => Method::Delete,
        _ => Method::Other,
    };
    let headers = request.headers().clone();
    let prefix = format!("/{}/", version.segment());
    let path = request.uri().path().strip_prefix(&prefix).unwrap_or_default().trim_end_matches('/').to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    if path.len() + query.len() > limits::URL_BYTES_MAX {
        return Err(AppError::invalid(format!("The URL is longer than {} bytes.", limits::URL_BYTES_MAX)));
    }
    // No value of the API has one, and PostgreSQL takes none.
    if path.contains("%00") || query.contains("%00") {
        return Err(AppError::invalid("The URL has a NUL character."));
    }
    let base_url = app.base_url(Some(peer.ip()), &headers);
    let ctx = app.authenticate(header(&headers, "authorization"), request_id).await?;
    let metadata = negotiate(header(&headers, "accept"))?;
    let body = read_body(request.into_body()).await?;
    let content_type = header(&headers, "content-type").map(str::to_owned);
    if !body.is_empty() && matches!(method, Method::Post | Method::Patch) {
        require_json(content_type.as_deref())?;
    }
    let request = GraphRequest {
        method,
        version,
        path,
        query,
        content_type,
        if_match: header(&headers, "if-match").map(str::to_owned),
        prefer: Preferences::parse(header(&headers, "prefer")),
        metadata,
        body,
        base_url,
        request_id,
    };
    graph::handle(app, ctx, request).await.map(|response| (response, metadata))
}

async fn read_body(body: Body) -> Result<Bytes, AppError> {
    match Limited::new(body, limits::JSON_BODY_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(AppError::TooLarge(format!("A body may have {} bytes at most.", limits::JSON_BODY_BYTES_MAX)))
        }
        Err(error) => Err(AppError::invalid(format!("The body could not be read to its end: {error}."))),
    }
}

/// `application/json`, whatever its parameters; a missing type is taken as JSON.
fn require_json(content_type: Option<&str>) -> Result<(), AppError> {
    let Some(given) = content_type else { return Ok(()) };
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(AppError::UnsupportedMediaType(format!("The body is '{essence}'; this API takes application/json.")))
}

/// The amount of metadata from `Accept`; JSON is all there is, so anything that excludes it is 406.
fn negotiate(accept: Option<&str>) -> Result<Metadata, AppError> {
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

/// The HTTP form of an outcome.
fn respond(app: &App, outcome: Result<(GraphResponse, Metadata), AppError>, request_id: Uuid, client_request_id: Option<&str>) -> Response {
    let request_id = request_id.to_string();
    let client_request_id = client_request_id.unwrap_or(&request_id).to_owned();
    let (status, headers, content_type, body) = match outcome {
        Ok((response, metadata)) => {
            let (content_type, body) = match response.body {
                GraphBody::Empty => (None, Vec::new()),
                GraphBody::Json(map) => (Some(json_content_type(metadata)), Value::Object(map).to_string().into_bytes()),
                GraphBody::Text(text) => (Some("text/plain".to_owned()), text.into_bytes()),
            };
            (response.status, response.headers, content_type, body)
        }
        Err(error) => {
            let failure = error.graph();
            let body = failure_body(app, &failure, &request_id, &client_request_id);
            (failure.status, failure.headers, Some(json_content_type(Metadata::Minimal)), body.to_string().into_bytes())
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let out = response.headers_mut();
    let fixed = [
        ("request-id", request_id),
        ("client-request-id", client_request_id),
        ("odata-version", "4.0".to_owned()),
        ("cache-control", "no-cache".to_owned()),
    ];
    let typed = content_type.map(|value| ("content-type", value));
    for (name, value) in fixed.into_iter().chain(typed).chain(headers) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            out.insert(name, value);
        }
    }
    response
}

fn failure_body(app: &App, failure: &GraphFailure, request_id: &str, client_request_id: &str) -> Value {
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

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The caller's own id of the request, when it is short and printable.
fn client_request_id(headers: &HeaderMap) -> Option<String> {
    let given = header(headers, "client-request-id")?.trim();
    (!given.is_empty() && given.len() <= 64 && given.bytes().all(|b| b.is_ascii_graphic())).then(|| given.to_owned())
}

/// `POST /{tenant}/oauth2/v2.0/token`
async fn token(State(app): State<App>, peer: ConnectInfo<SocketAddr>, Path(tenant): Path<String>, request: Request) -> Response {
    let headers = request.headers().clone();
    let base_url = app.base_url(Some(peer.ip()), &headers);
    let body = match read_body(request.into_body()).await {
        Ok(body) => body,
        Err(error) => {
            return plain_json(
                error.graph().status,
                &json!({ "error": "invalid_request", "error_description": "The form could not be read." }),
            );
        }
    };
    let answer = app.token_request(&tenant, &body, header(&headers, "authorization"), &base_url).await;
    plain_json(answer.status, &answer.body)
}

async fn discovery(State(app): State<App>, peer: ConnectInfo<SocketAddr>, Path(tenant): Path<String>, headers: HeaderMap) -> Response {
    let base_url = app.base_url(Some(peer.ip()), &headers);
    let answer = app.discovery(&tenant, &base_url).await;
    plain_json(answer.status, &answer.body)
}

async fn instance(State(app): State<App>, peer: ConnectInfo<SocketAddr>, request: Request) -> Response {
    let base_url = app.base_url(Some(peer.ip()), request.headers());
    plain_json(200, &identity::instance_document(&base_url, request.uri().query().unwrap_or_default()))
}

async fn keys(State(app): State<App>) -> Response {
    plain_json(200, &app.jwks())
}

/// Upload sessions live at `/{tenantId}/{connectorId}/{containerId}` without a prefix, because
/// Microsoft's own Postman collection builds that path itself; all else is unknown.
async fn other(State(app): State<App>, request: Request) -> Response {
    if upload_http::is_upload_path(request.uri().path()) {
        return upload_http::handle(app, request).await;
    }
    let error = AppError::NotFound(format!("There is nothing at '{}'. The API is below /beta.", links::printable(request.uri().path())));
    respond(&app, Err(error), app.new_id(), client_request_id(request.headers()).as_deref())
}

fn plain_json(status: u16, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json; charset=utf-8"));
    response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    response
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
    fn the_log_has_no_names() {
        assert_eq!(without_keys("/beta/users/ada@contoso.example/memberOf"), "/beta/users/{key}/memberOf");
        assert_eq!(without_keys("/beta/users('ada')"), "/beta/{key}");
        assert_eq!(without_keys("/beta/groups/0190-1"), "/beta/groups/0190-1");
    }

    #[test]
    fn only_json_is_taken() {
        assert_eq!(require_json(Some("application/json; charset=utf-8")), Ok(()));
        assert_eq!(require_json(None), Ok(()));
        assert!(matches!(require_json(Some("text/xml")), Err(AppError::UnsupportedMediaType(_))));
    }
}
