//! The signature in a session URL: what it opens, until when, with which rights.
//!
//! The parameters are those of a directory SAS of Data Lake Storage Gen2; what is signed is
//! Homeroom's own, because no client looks into it.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::str::FromStr;

/// What every session URL says besides its expiry and its rights: the version of the protocol (clients
/// may speak any other) and a directory two levels down.
const TERMS: [(&str, &str); 3] = [("sv", "2023-11-03"), ("sr", "d"), ("sdd", "2")];

/// What a session URL lets its holder do, as the letters of a SAS in Azure's order.
///
/// # Examples
/// `cw` uploads and sees nothing; `rcwdlm` also reads, deletes, lists and renames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights(String);

/// One right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    Read = b'r' as isize,
    /// New files, and nothing in place of those that are there.
    Create = b'c' as isize,
    Write = b'w' as isize,
    Delete = b'd' as isize,
    List = b'l' as isize,
    Move = b'm' as isize,
}

/// The letters of [`Right`], in the order in which they stand in a URL.
const LETTERS: &str = "rcwdlm";

impl Rights {
    /// All of them.
    #[must_use]
    pub fn all() -> Self {
        Self(LETTERS.to_owned())
    }

    pub(crate) fn has(&self, right: Right) -> bool {
        self.0.contains(right as u8 as char)
    }
}

impl std::fmt::Display for Rights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Rights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let canonical: String = LETTERS.chars().filter(|letter| text.contains(*letter)).collect();
        if canonical == text && (text.contains('c') || text.contains('w')) {
            Ok(Self(canonical))
        } else {
            Err(format!("`{text}` are no rights of an upload session; give some of the letters {LETTERS} in this order, c or w among them"))
        }
    }
}

fn text_to_sign(path: &str, expires: &str, rights: &str) -> String {
    let terms: String = TERMS.iter().map(|(name, value)| format!("\n{name}={value}")).collect();
    format!("{path}\n{expires}\n{rights}{terms}")
}

/// Query of a session URL for `tenant/connector/container`.
pub(crate) fn sign(key: &hmac::Key, path: &str, expires: Timestamp, rights: &Rights) -> String {
    let expires = expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let signature = STANDARD.encode(hmac::sign(key, text_to_sign(path, &expires, &rights.0).as_bytes()));
    let escape = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let terms: String = TERMS.iter().map(|(name, value)| format!("{name}={}&", escape(value))).collect();
    format!("{terms}sp={}&se={}&sig={}", rights.0, escape(&expires), escape(&signature))
}

/// The rights with which a query opens a path now; `None` when it does not open it. The comparison takes
/// the same time for every wrong signature.
pub(crate) fn opens(key: &hmac::Key, path: &str, query: &[(String, String)], now: Timestamp) -> Option<Rights> {
    // A parameter that is there twice could be read in one way here and in another elsewhere.
    let field = |name: &str| {
        let mut values = query.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    };
    if TERMS.iter().any(|(name, value)| field(name) != Some(value)) {
        return None;
    }
    let (expires, rights, signature) = (field("se")?, field("sp")?, field("sig")?);
    let signature = STANDARD.decode(signature).ok()?;
    hmac::verify(key, text_to_sign(path, expires, rights).as_bytes(), &signature).ok()?;
    let expires: Timestamp = expires.parse().ok()?;
    rights.parse().ok().filter(|_| now < expires)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_opens_its_path_until_its_time() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"k");
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let later = now + jiff::SignedDuration::from_hours(1);
        let query = crate::protocol::parse_query(&sign(&key, "t/c/x", later, &Rights::all()));
        let opens = |key: &hmac::Key, path, query: &[_], now| super::opens(key, path, query, now).is_some();
        assert_eq!(super::opens(&key, "t/c/x", &query, now), Some(Rights::all()));
        assert!(!opens(&key, "t/c/y", &query, now), "another container");
        assert!(!opens(&key, "t/c/x", &query, later), "too late");
        assert!(!opens(&hmac::Key::new(hmac::HMAC_SHA256, b"other"), "t/c/x", &query, now), "another key");
        assert!(!opens(&key, "t/c/x", &[], now));
        for (name, value) in [
            ("se", "2099-01-01T00:00:00Z"),
            ("sp", "r"),
            ("sp", "rcwdlmx"),
            ("sp", "mldwcr"),
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

    #[test]
    fn rights_are_letters_in_order_that_let_something_in() {
        for good in ["c", "w", "cw", "rcwdlm", "rwl"] {
            let rights: Rights = good.parse().unwrap();
            assert_eq!(rights.0, good);
        }
        for bad in ["", "r", "rl", "wc", "cww", "cwx", "CW", "c w"] {
            assert!(bad.parse::<Rights>().unwrap_err().contains("rcwdlm"), "{bad}");
        }
        let rights: Rights = "cw".parse().unwrap();
        assert!(rights.has(Right::Create) && rights.has(Right::Write) && !rights.has(Right::Read) && !rights.has(Right::Move));
    }
}
