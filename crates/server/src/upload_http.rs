//! The HTTP side of upload sessions: axum in, `upload::handle`, axum out.

use crate::app::App;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures_util::StreamExt as _;
use http::{HeaderName, HeaderValue, StatusCode};
use upload::UploadBody;

/// `/{tenantId}/…` with a GUID in front: everything else has a name of its own.
pub(crate) fn is_upload_path(path: &str) -> bool {
    path.trim_start_matches('/').split('/').next().is_some_and(|first| uuid::Uuid::try_parse(first).is_ok())
}

/// Hands the request to the protocol and its answer back.
pub(crate) async fn handle(app: App, request: Request) -> Response {
    let started = std::time::Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let (parts, body) = request.into_parts();
    let stream = body.into_data_stream().map(|chunk| chunk.map_err(std::io::Error::other));
    let request = upload::UploadRequest {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: Box::pin(stream),
    };
    let answer = upload::handle(app.uploads(), request, app.now()).await;
    let mut response = Response::new(match answer.body {
        UploadBody::Empty => Body::empty(),
        UploadBody::Text(text) => Body::from(text),
        UploadBody::Stream(stream) => Body::from_stream(stream),
    });
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    // Never the query: it holds the signature.
    tracing::info!(
        http.method = %method, http.path = %odata::error::printable(&path), http.status = response.status().as_u16(),
        duration_ms = started.elapsed().as_millis() as u64, "answered a request to an upload session"
    );
    response
}
