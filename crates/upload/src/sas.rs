//! The signature in a session URL: what it opens, until when, with which rights.
//!
//! The parameters are those of a directory SAS of Data Lake Storage Gen2; what is signed is
//! Homeroom's own, because no client looks into it.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// What every session URL says besides its expiry: the version of the protocol (clients may speak any
/// other), a directory two levels down, and the rights to read, create, write, delete and list, enough
/// to check what was sent.
const TERMS: [(&str, &str); 4] = [("sv", "2023-11-03"), ("sr", "d"), ("sp", "rcwdl"), ("sdd", "2")];

fn text_to_sign(path: &str, expires: &str) -> String {
    let terms: String = TERMS.iter().map(|(name, value)| format!("\n{name}={value}")).collect();
    format!("{path}\n{expires}{terms}")
}

/// Query of a session URL for `tenant/connector/container`.
pub(crate) fn sign(key: &hmac::Key, path: &str, expires: Timestamp) -> String {
    let expires = expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let signature = STANDARD.encode(hmac::sign(key, text_to_sign(path, &expires).as_bytes()));
    let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let terms: String = TERMS.iter().map(|(name, value)| format!("{name}={}&", escape(value))).collect();
    format!("{terms}se={}&sig={}", escape(&expires), escape(&signature))
}

/// Whether a query opens a path now. The comparison takes the same time for every wrong signature.
pub(crate) fn opens(key: &hmac::Key, path: &str, query: &[(String, String)], now: Timestamp) -> bool {
    // A parameter that is there twice could be read in one way here and in another elsewhere.
    let field = |name: &str| {
        let mut values = query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    };
    // A URL that claims other rights than it was given is not the one that was signed.
    if TERMS.iter().any(|(name, value)| field(name) != Some(value)) {
        return false;
    }
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
        assert!(!opens(&hmac::Key::new(hmac::HMAC_SHA256, b"other"), "t/c/x", &query, now), "another key");
        assert!(!opens(&key, "t/c/x", &[], now));
        for (name, value) in [
            ("se", "2099-01-01T00:00:00Z"),
            ("sp", "r"),
            ("sp", "rcwdlx"),
            ("sv", "2015-01-01"),
            ("sr", "c"),
            ("sdd", "0"),
            ("sig", ""),
            ("sig", "AAAA"),
            ("sig", "*"),
        ] {
            let mut changed = query.clone();
            changed.iter_mut().filter(|(k, _)| k == name).for_each(|(_, v)| value.clone_into(v));
            assert!(!opens(&key, "t/c/x", &changed, now), "{name}={value}");
            let mut twice = query.clone();
            twice.push((name.to_owned(), value.to_owned()));
            assert!(!opens(&key, "t/c/x", &twice, now), "a second {name}");
            let missing: Vec<_> = query.iter().filter(|(k, _)| k != name).cloned().collect();
            assert!(!opens(&key, "t/c/x", &missing, now), "no {name}");
        }
    }
}
