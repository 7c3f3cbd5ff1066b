//! Cross-origin requests of browsers (the Fetch standard, <https://fetch.spec.whatwg.org/#http-cors-protocol>),
//! off unless `[server] cors_origins` names origins.
//!
//! No credentials are allowed: a client sends its token in `Authorization`, never in a cookie. So an
//! origin that is let in can do nothing that it could not do with the token from anywhere.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use std::sync::Arc;

/// Every method that a route of the product answers.
const METHODS: &str = "GET, HEAD, POST, PATCH, PUT, DELETE";
/// What a script may read of an answer beyond the few headers that the standard lets through: all of it. The names of a
/// file's metadata cannot be listed; and the wildcard is one, because no answer allows credentials (§3.2.5).
const EXPOSED: &str = "*";
/// How long a browser may keep a preflight's answer, seconds; Chromium caps it at two hours.
const MAX_AGE: &str = "3600";

/// The origins that are let in.
#[derive(Debug, Clone)]
pub(crate) struct Origins(Arc<[String]>);

impl Origins {
    /// `None` when there are none: then nothing about cross-origin requests is said at all.
    pub(crate) fn new(origins: &[String]) -> Option<Self> {
        (!origins.is_empty()).then(|| Self(origins.into()))
    }

    /// Value of `Access-Control-Allow-Origin`.
    fn allowed(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(ORIGIN)?;
        if self.0.iter().any(|one| one == "*") {
            return Some(HeaderValue::from_static("*"));
        }
        self.0.iter().any(|one| one.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }
}

/// Answers preflights and marks answers.
pub(crate) async fn cors(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let allowed = origins.allowed(request.headers());
    let preflight = request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if preflight && request.headers().contains_key(ORIGIN) {
        // The browser's question, not the API's business: it carries no token.
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        if allowed.is_some() {
            let out = answer.headers_mut();
            out.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
            out.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
            // `*` would not cover Authorization, so the names that were asked for are given back.
            if let Some(asked) = request.headers().get(ACCESS_CONTROL_REQUEST_HEADERS) {
                out.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
            }
            out.append(VARY, HeaderValue::from_static("access-control-request-headers"));
        }
        answer
    } else {
        let mut answer = next.run(request).await;
        if allowed.is_some() {
            answer.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
        answer
    };
    // Caches must not give one origin's answer to another, whether or not this one was let in.
    response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
    if let Some(value) = allowed {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
    }
    response
}
