//! The signature in a session URL: what it opens, until when, with which rights.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Version of the protocol that the URL names; every client version is accepted.
const VERSION: &str = "2023-11-03";
/// Read, create, write, delete, list: enough to check what was sent.
const RIGHTS: &str = "rcwdl";

fn text_to_sign(path: &str, expires: &str) -> String {
    format!("{path}\n{expires}\n{RIGHTS}\n{VERSION}")
}

/// Query of a session URL for `tenant/connector/container`.
pub(crate) fn sign(key: &hmac::Key, path: &str, expires: Timestamp) -> String {
    let expires = expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let signature = STANDARD.encode(hmac::sign(key, text_to_sign(path, &expires).as_bytes()));
    let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    format!("sv={VERSION}&se={}&sr=d&sp={RIGHTS}&sdd=2&sig={}", escape(&expires), escape(&signature))
}

/// Whether a query opens a path now. The comparison takes the same time for every wrong signature.
pub(crate) fn opens(key: &hmac::Key, path: &str, query: &[(String, String)], now: Timestamp) -> bool {
    let field = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let (Some(expires), Some(signature)) = (field("se"), field("sig")) else { return false };
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    let signed = hmac::verify(key, text_to_sign(path, expires).as_bytes(), &signature).is_ok();
    signed && expires.parse::<Timestamp>().is_ok_and(|expires| now < expires)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_opens_its_path_until_its_time() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"k");
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let later = now + jiff::SignedDuration::from_hours(1);
        let query = crate::protocol::parse_query(&sign(&key, "t/c/x", later));
        assert!(opens(&key, "t/c/x", &query, now));
        assert!(!opens(&key, "t/c/y", &query, now), "another container");
        assert!(!opens(&key, "t/c/x", &query, later), "too late");
        let mut longer = query.clone();
        longer.iter_mut().filter(|(k, _)| k == "se").for_each(|(_, v)| *v = "2099-01-01T00:00:00Z".to_owned());
        assert!(!opens(&key, "t/c/x", &longer, now), "a changed expiry");
        assert!(!opens(&key, "t/c/x", &[], now));
    }
}
