//! The demo's side of the wire: an ordinary HTTP client that shows each call as it makes it.

use crate::output::{self, Colour};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::time::{Duration, Instant};

/// An API client with its token.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// What came back.
pub(super) struct Answer {
    /// Status.
    pub status: StatusCode,
    /// `Location` header.
    pub location: Option<String>,
    /// JSON body; `Null` when there is none.
    pub body: Value,
}

/// Credentials of the demo's API client.
pub(super) struct Credentials {
    /// Tenant id.
    pub tenant: String,
    /// Client id.
    pub client_id: String,
    /// Client secret.
    pub client_secret: String,
}

impl Client {
    /// Fetches a token from Homeroom's own issuer, as any OAuth client does.
    pub(super) async fn connect(base: &str, credentials: &Credentials) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(30))
            .no_proxy()
            .build()
            .map_err(|error| format!("cannot make an HTTP client: {error}"))?;
        let path = format!("/{}/oauth2/v2.0/token", credentials.tenant);
        let started = Instant::now();
        let response = http
            .post(format!("{base}{path}"))
            .form(&[
                ("grant_type", "client_credentials"),
                ("client_id", &credentials.client_id),
                ("client_secret", &credentials.client_secret),
                ("scope", "https://graph.microsoft.com/.default"),
            ])
            .send()
            .await
            .map_err(|error| format!("the token endpoint does not answer: {error}"))?;
        let status = response.status();
        show("POST", &path, status, started.elapsed(), "a bearer token, valid for an hour");
        let body: Value = response.json().await.map_err(|error| error.to_string())?;
        let token = body["access_token"].as_str().ok_or_else(|| format!("no token: {body}"))?.to_owned();
        Ok(Self { http, base: base.to_owned(), token })
    }

    /// One call, shown; anything but `expected` is an error.
    pub(super) async fn call(&self, method: Method, path: &str, body: Option<Value>, expected: u16, what: &str) -> Result<Answer, String> {
        let started = Instant::now();
        let answer = self.send(method.clone(), path, body).await?;
        show(method.as_str(), path, answer.status, started.elapsed(), what);
        if answer.status.as_u16() == expected {
            return Ok(answer);
        }
        Err(format!("{method} {path} answered {} in place of {expected}: {}", answer.status, answer.body))
    }

    /// One call, not shown.
    pub(super) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer, String> {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.map_err(|error| format!("{path}: {error}"))?;
        let status = response.status();
        let location = response.headers().get("location").and_then(|v| v.to_str().ok()).map(str::to_owned);
        let text = response.text().await.map_err(|error| error.to_string())?;
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).map_err(|e| format!("{path}: {e}"))? };
        Ok(Answer { status, location, body })
    }

    /// Puts one file into an upload session (Azure's Put Blob), shown.
    pub(super) async fn put_blob(&self, session_url: &str, name: &str, bytes: Vec<u8>) -> Result<(), String> {
        let (path, sas) = session_url.split_once('?').ok_or("the session URL has no signature")?;
        let size = bytes.len();
        let started = Instant::now();
        let response = self
            .http
            .put(format!("{path}/{name}?{sas}"))
            .header("x-ms-blob-type", "BlockBlob")
            .header("x-ms-version", "2023-11-03")
            .body(bytes)
            .send()
            .await
            .map_err(|error| format!("upload of {name}: {error}"))?;
        let status = response.status();
        show("PUT", &format!("{{sessionUrl}}/{name}"), status, started.elapsed(), &format!("{size} bytes"));
        if status == StatusCode::CREATED {
            return Ok(());
        }
        Err(format!("the upload of {name} answered {status}: {}", response.text().await.unwrap_or_default()))
    }
}

/// One line a call.
fn show(method: &str, path: &str, status: StatusCode, took: Duration, what: &str) {
    let path = path.strip_prefix("/beta/external/industryData").map_or_else(|| shorten(path), |rest| format!("…{}", shorten(rest)));
    let colour = if status.is_success() { Colour::Green } else { Colour::Red };
    output::line(&format!(
        "  {} {path}  {}  {}  {}",
        output::coloured(&format!("{method:<5}"), Colour::Cyan),
        output::coloured(status.as_str(), colour),
        output::coloured(&format!("{} ms", took.as_millis()), Colour::Dim),
        output::coloured(what, Colour::Dim),
    ));
}

/// Ids are 36 characters of noise in a line: their first eight tell them apart.
fn shorten(path: &str) -> String {
    path.split('/').map(|part| if is_guid(part) { format!("{}…", &part[..8]) } else { part.to_owned() }).collect::<Vec<_>>().join("/")
}

fn is_guid(text: &str) -> bool {
    text.len() == 36 && text.bytes().enumerate().all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_guids_are_shortened() {
        assert_eq!(shorten("/runs/0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee/getStatistics"), "/runs/0190aaaa…/getStatistics");
        assert_eq!(shorten("/roleGroups/staff"), "/roleGroups/staff");
    }
}
