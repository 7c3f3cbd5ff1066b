//! HTTP in and out. Every route of the product is in [`router`].

use crate::app::App;
use crate::error::AppError;
use crate::exchange::{self, Call, Outcome, client_request_id, header};
use crate::graph::request::{GraphBody, Version};
use crate::{batch, cors, describe, limits, links, reports, sources, upload_http};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::response::Response;
use axum::routing::{any, get, post};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate as _, SizeAbove};
use tracing::Instrument as _;
use uuid::Uuid;

/// Of gzip and brotli alike: most of the saving at a fraction of the work of their own defaults.
const COMPRESSION_LEVEL: i32 = 4;

/// All routes. Everything that is OData goes to one handler, because its URLs are grammar.
pub(crate) fn router(app: App) -> Router {
    // Only what the compression is for stands before its layer: uploads are read by ranges, and a token
    // next to text of a caller's choice is better not compressed (BREACH).
    let compression = CompressionLayer::new()
        .quality(CompressionLevel::Precise(COMPRESSION_LEVEL))
        .compress_when(SizeAbove::new(limits::COMPRESSED_BYTES_MIN).and(NotForContentType::IMAGES));
    let routes = Router::new()
        .route("/beta", any(graph_beta))
        .route("/beta/", any(graph_beta))
        .route("/beta/{*path}", any(graph_beta))
        .route("/v1.0", any(graph_v1))
        .route("/v1.0/", any(graph_v1))
        .route("/v1.0/{*path}", any(graph_v1))
        .route("/openapi.json", get(openapi))
        .route("/admin/runs/{id}/{report}", get(run_report))
        .route("/admin/sources", any(all_sources))
        .route("/admin/sources/{name}", any(one_source))
        .layer(compression)
        .route("/health", get(|| async { "ok" }))
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/{tenant}/oauth2/v2.0/devicecode", post(device_code))
        .route("/{tenant}/oauth2/v2.0/deviceauth", get(|| async { DEVICE_HELP }))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(discovery))
        .route("/{tenant}/.well-known/openid-configuration", get(discovery))
        .route("/{tenant}/discovery/v2.0/keys", get(keys))
        .route("/common/discovery/instance", get(instance))
        .fallback(other);
    match cors::Origins::new(&app.config().server.cors_origins) {
        Some(origins) => routes.layer(axum::middleware::from_fn_with_state(origins, cors::cors)),
        None => routes,
    }
    .with_state(app)
}

/// What a client gets when a handler panicked.
pub(crate) fn panicked(app: &App) -> Response {
    respond(app, Err(AppError::Internal("a handler panicked".to_owned())), app.new_id(), None)
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
        let outcome = if method == Method::OPTIONS { exchange::answer_options(outcome) } else { outcome };
        let response = respond(&app, outcome, request_id, client_request_id.as_deref());
        tracing::info!(
            http.method = %method, http.path = %links::without_keys(&path), http.status = response.status().as_u16(),
            duration_ms = started.elapsed().as_millis() as u64, "answered a Graph request"
        );
        response
    };
    answered.instrument(span).await
}

async fn graph_outcome(app: &App, peer: SocketAddr, request: Request, version: Version, request_id: Uuid) -> Outcome {
    let (parts, body) = request.into_parts();
    let prefix = format!("/{}/", version.segment());
    let call = Call {
        path: parts.uri.path().strip_prefix(&prefix).unwrap_or_default().trim_end_matches('/').to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        base_url: app.base_url(Some(peer.ip()), &parts.headers),
        method: parts.method,
        headers: parts.headers,
        version,
        request_id,
    };
    call.check_url()?;
    if let Some(described) = describe::answer(&call) {
        return described;
    }
    let ctx = app.authenticate(header(&call.headers, "authorization").as_deref(), request_id).await?;
    if batch::is_batch(&call.path) {
        let body = read_body(body, limits::BATCH_BODY_BYTES_MAX).await?;
        return batch::perform(app, ctx, call, body).await;
    }
    let body = read_body(body, limits::JSON_BODY_BYTES_MAX).await?;
    exchange::perform(app, ctx, call, body).await
}

async fn read_body(body: Body, bytes_max: usize) -> Result<Bytes, AppError> {
    let too_large = || AppError::TooLarge(format!("A body may have {bytes_max} bytes at most."));
    // Before a client that asks is told to go on.
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    match Limited::new(body, bytes_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(error) => Err(AppError::invalid(format!("The body could not be read to its end: {error}."))),
    }
}

/// The HTTP form of an outcome.
fn respond(app: &App, outcome: Outcome, request_id: Uuid, client_request_id: Option<&str>) -> Response {
    let answer = exchange::answer(app, outcome, request_id, client_request_id);
    let body = match answer.body {
        GraphBody::Empty => Vec::new(),
        GraphBody::Json(map) => Value::Object(map).to_string().into_bytes(),
        GraphBody::Text(text) => text.into_bytes(),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// `GET /admin/runs/{id}/findings.csv`, `.json` (JSON lines) or `.html`
async fn run_report(State(app): State<App>, Path((run, report)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let request_id = app.new_id();
    match reports::answer(&app, header(&headers, "authorization").as_deref(), request_id, &run, &report).await {
        Ok(response) => response,
        Err(error) => respond(&app, Err(error), request_id, client_request_id(&headers).as_deref()),
    }
}

/// `GET /admin/sources`
async fn all_sources(State(app): State<App>, request: Request) -> Response {
    of_sources(app, None, request).await
}

/// `GET`, `PUT`, `DELETE /admin/sources/{name}`
async fn one_source(State(app): State<App>, Path(name): Path<String>, request: Request) -> Response {
    of_sources(app, Some(name), request).await
}

async fn of_sources(app: App, name: Option<String>, request: Request) -> Response {
    let request_id = app.new_id();
    let (parts, body) = request.into_parts();
    let outcome = match read_body(body, limits::JSON_BODY_BYTES_MAX).await {
        Ok(body) => sources::api::answer(&app, &parts.method, &parts.headers, request_id, name.as_deref(), body).await,
        Err(error) => Err(error),
    };
    let outcome = if parts.method == Method::OPTIONS { exchange::answer_options(outcome) } else { outcome };
    let response = respond(&app, outcome, request_id, client_request_id(&parts.headers).as_deref());
    tracing::info!(
        http.method = %parts.method, http.status = response.status().as_u16(), request_id = %request_id, "answered a request about sources"
    );
    response
}

/// `POST /{tenant}/oauth2/v2.0/token`
async fn token(State(app): State<App>, peer: ConnectInfo<SocketAddr>, Path(tenant): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let base_url = app.base_url(Some(peer.ip()), &parts.headers);
    let answer = match read_body(body, limits::JSON_BODY_BYTES_MAX).await {
        Ok(body) => app.token_request(&tenant, &body, header(&parts.headers, "authorization").as_deref(), &base_url).await,
        Err(error) => return unreadable_form(error),
    };
    plain_json(answer.status, &answer.body)
}

/// `POST /{tenant}/oauth2/v2.0/devicecode`
async fn device_code(State(app): State<App>, peer: ConnectInfo<SocketAddr>, Path(tenant): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let base_url = app.base_url(Some(peer.ip()), &parts.headers);
    let answer = match read_body(body, limits::JSON_BODY_BYTES_MAX).await {
        Ok(body) => app.device_code_request(&tenant, &body, &base_url).await,
        Err(error) => return unreadable_form(error),
    };
    plain_json(answer.status, &answer.body)
}

/// What the `verification_uri` of a device code shows.
const DEVICE_HELP: &str = "An administrator approves a device code on the server of this Homeroom: homeroom token approve CODE\n";

fn unreadable_form(error: AppError) -> Response {
    plain_json(error.graph().status, &json!({ "error": "invalid_request", "error_description": "The form could not be read." }))
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

async fn openapi(State(app): State<App>, peer: ConnectInfo<SocketAddr>, headers: HeaderMap) -> Response {
    let mut response = Response::new(Body::from(describe::openapi(&app.base_url(Some(peer.ip()), &headers))));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json; charset=utf-8"));
    response
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
    let error =
        AppError::NotFound(format!("There is nothing at '{}'. The API is below /beta.", odata::error::printable(request.uri().path())));
    respond(&app, Err(error), app.new_id(), client_request_id(request.headers()).as_deref())
}

fn plain_json(status: u16, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json; charset=utf-8"));
    response.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    response
}
