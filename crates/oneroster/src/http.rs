//! HTTP to one host, guarded: only to addresses that the guard of outgoing connections has judged,
//! without proxy, without redirects, within limits.

use crate::fault::{Fault, FaultCode, Retry};
use crate::limits::Limits;
use egress::{Channel, Egress, Refused};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, StatusCode, redirect};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Read of an answer that is an error: enough for its explanation.
const ERROR_BYTES_MAX: usize = 16 << 10;

/// A host to speak to.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    client: Client,
    /// The setting that names it, for errors.
    setting: &'static str,
    page_bytes: usize,
}

/// An answer, complete.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Host {
    /// Prepares to speak to the host of a URL; asks the guard first, so that a host that is closed
    /// is an error before anything is sent.
    pub(crate) async fn open(egress: &Egress, setting: &'static str, url: &Url, limits: &Limits) -> Result<Self, Fault> {
        let channel = if url.scheme() == "https" { Channel::Encrypted } else { Channel::Plain };
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or(443);
        let lookup = tokio::time::timeout(limits.connect, egress.addresses(host, port, channel)).await;
        lookup.map_err(|_| timed_out(setting, "looking up the host"))?.map_err(|refused| closed(setting, &refused))?;
        let client = Client::builder()
            .dns_resolver(Arc::new(Guarded { egress: egress.clone(), host: host.to_ascii_lowercase(), port, channel }))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .https_only(channel == Channel::Encrypted)
            .referer(false)
            .connect_timeout(limits.connect)
            .read_timeout(limits.stall)
            .timeout(limits.answer)
            .user_agent(concat!("Homeroom/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Fault::new(FaultCode::TlsFailed, setting, format!("no client can be made: {}", innermost(&error))))?;
        Ok(Self { client, setting, page_bytes: limits.page_bytes })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request that [`Host::client`] has made, and reads the answer.
    pub(crate) async fn send(&self, place: &str, request: RequestBuilder) -> Result<Answer, Fault> {
        let mut response = request.send().await.map_err(|error| self.failed(place, &error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        if status.is_success() && !is_json(&headers) {
            // Not worth reading; what it is called says enough.
            return Ok(Answer { status, headers, body });
        }
        let most = if status.is_success() { self.page_bytes } else { ERROR_BYTES_MAX };
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(place, &error))? {
            if body.len() + chunk.len() > most {
                if status.is_success() {
                    let what = format!("an answer is longer than {} MiB", most >> 20);
                    return Err(Fault::new(FaultCode::AnswerTooLarge, place, what));
                }
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }

    /// What a failure of the transport means.
    fn failed(&self, place: &str, error: &reqwest::Error) -> Fault {
        for cause in causes(error) {
            if let Some(refused) = cause.downcast_ref::<Refused>() {
                return closed(self.setting, refused);
            }
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                return Fault::new(
                    FaultCode::TlsFailed,
                    place,
                    format!("no secure connection: {}", crate::fault::excerpt(&tls.to_string())),
                );
            }
        }
        if error.is_timeout() {
            return timed_out(place, "waiting for an answer");
        }
        let what = if error.is_connect() { "no connection" } else { "the connection broke" };
        Fault::new(FaultCode::ConnectionFailed, place, format!("{what}: {}", innermost(error))).retry(Retry::Soon)
    }
}

fn timed_out(place: &str, doing: &str) -> Fault {
    Fault::new(FaultCode::TimedOut, place, format!("time ran out while {doing}")).retry(Retry::Soon)
}

fn closed(setting: &str, refused: &Refused) -> Fault {
    match refused {
        // A resolver that is out of order for a moment looks the same.
        Refused::Unknown { .. } => Fault::new(FaultCode::HostNotFound, setting, refused.to_string()).retry(Retry::Soon),
        Refused::Closed { address, .. } => {
            tracing::warn!(setting, %address, "a configured address is closed to outgoing connections");
            Fault::new(FaultCode::AddressNotAllowed, setting, refused.to_string())
        }
        Refused::Unencrypted { .. } => Fault::new(FaultCode::AddressNotAllowed, setting, refused.to_string()),
    }
}

/// Resolves the one host of a client by way of the guard.
struct Guarded {
    egress: Egress,
    host: String,
    port: u16,
    channel: Channel,
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (egress, port, channel) = (self.egress.clone(), self.port, self.channel);
        let (name, known) = (name.as_str().to_owned(), name.as_str().eq_ignore_ascii_case(&self.host));
        Box::pin(async move {
            if !known {
                return Err(format!("'{name}' is not the host of this client").into());
            }
            let addresses = egress.addresses(&name, port, channel).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

impl Answer {
    /// The answer to a good request; `Err` says what any other one means.
    pub(crate) fn good(self, place: &str, now: jiff::Timestamp) -> Result<Self, Fault> {
        let status = self.status;
        let fault = |code, what: String| Err(Fault::new(code, place, what));
        match status.as_u16() {
            204 => Ok(self),
            200..=299 if is_json(&self.headers) => Ok(self),
            200..=299 => fault(FaultCode::AnswerNotJson, format!("it answers '{}' in place of JSON", content_type(&self.headers))),
            300..=399 => {
                let to = self.headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("somewhere else");
                fault(FaultCode::Redirected, format!("it answers {status} and leads to '{}'", crate::fault::excerpt(to)))
            }
            401 | 403 => fault(FaultCode::AccessRefused, format!("it answers {status}{}", self.explanation())),
            404 => fault(FaultCode::NotFound, format!("it answers {status}{}", self.explanation())),
            429 | 503 => {
                let wait = retry_after(&self.headers, now);
                let asked = wait.map_or_else(String::new, |wait| format!(" and asks to wait {} s", wait.as_secs()));
                let fault = Fault::new(FaultCode::ProviderBusy, place, format!("it answers {status}{asked}{}", self.explanation()));
                Err(fault.retry(wait.map_or(Retry::Soon, Retry::After)))
            }
            408 | 425 | 500..=599 => {
                let fault = Fault::new(FaultCode::ProviderFailed, place, format!("it answers {status}{}", self.explanation()));
                Err(fault.retry(Retry::Soon))
            }
            _ => fault(FaultCode::ProviderFailed, format!("it answers {status}{}", self.explanation())),
        }
    }

    /// What the provider says about an error, `imsx_StatusInfo` (OneRoster) or `error_description` (OAuth).
    fn explanation(&self) -> String {
        let text = serde_json::from_slice::<serde_json::Value>(&self.body).ok().and_then(|body| {
            // 1.1 wraps it in an array.
            let info = body.get("statusInfoSet").and_then(|set| set.get(0)).cloned().unwrap_or(body);
            let words = ["error", "error_description", "imsx_description", "description", "message"];
            let words: Vec<&str> = words.iter().filter_map(|name| info.get(*name)?.as_str()).collect();
            (!words.is_empty()).then(|| words.join(": "))
        });
        text.map_or_else(String::new, |text| format!(": \"{}\"", crate::fault::excerpt(&text)))
    }
}

/// A media type that JSON comes under. None at all is let pass: then the body has to show it.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(given) = headers.get(CONTENT_TYPE) else { return true };
    let essence = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    matches!(essence.as_str(), "application/json" | "text/json") || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn content_type(headers: &HeaderMap) -> String {
    headers.get(CONTENT_TYPE).map_or_else(String::new, |value| crate::fault::excerpt(&String::from_utf8_lossy(value.as_bytes())))
}

/// `Retry-After`, in seconds or as a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap, now: jiff::Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(Duration::try_from(date(text)?.duration_since(now)).unwrap_or_default())
}

/// A date as HTTP writes it (RFC 9110 §5.6.7).
pub(crate) fn date(text: &str) -> Option<jiff::Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

/// An error and what is behind it, down to the first cause.
fn causes<'e>(error: &'e (dyn std::error::Error + 'static)) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        // `source` of such an error passes over what it wraps.
        Some(inner) => Some(inner as &(dyn std::error::Error + 'static)),
        None => error.source(),
    })
}

/// The first cause; the errors before it say what was being done.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).last().map_or_else(String::new, |cause| crate::fault::excerpt(&cause.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn headers(name: reqwest::header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn json_is_known_by_its_media_type() {
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.ims.oneroster+json", "text/json"] {
            assert!(is_json(&headers(CONTENT_TYPE, good)), "{good}");
        }
        for bad in ["text/html", "text/html; charset=utf-8", "application/xml", "text/plain", "application/jsonp", ""] {
            assert!(!is_json(&headers(CONTENT_TYPE, bad)), "{bad}");
        }
    }

    #[test]
    fn the_wait_that_a_server_asks_for_is_read_in_both_forms() {
        let now = "2026-11-24T10:00:00Z".parse().unwrap();
        let wait = |text| retry_after(&headers(RETRY_AFTER, text), now);
        assert_eq!(wait("17"), Some(Duration::from_secs(17)));
        assert_eq!(wait("Tue, 24 Nov 2026 10:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(wait("Tue, 24 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-1"), None);
    }
}
