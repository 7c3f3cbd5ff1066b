//! OAuth 1.0a signatures (RFC 5849), without a token, as OneRoster 1.1 uses them.

use crate::Secret;
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::atomic::{AtomicU8, Ordering};
use url::Url;

/// RFC 5849 §3.6: everything but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// `oauth_signature_method`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    HmacSha256,
    HmacSha1,
}

impl Method {
    const fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "HMAC-SHA256",
            Self::HmacSha1 => "HMAC-SHA1",
        }
    }

    const fn algorithm(self) -> hmac::Algorithm {
        match self {
            Self::HmacSha256 => hmac::HMAC_SHA256,
            Self::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        }
    }
}

/// Which of the two methods a provider takes: the newer one until it is refused, then the other one;
/// what has worked stays.
#[derive(Debug, Default)]
pub(crate) struct Choice(AtomicU8);

const SHA256: u8 = 0;
const SHA1: u8 = 1;
const SETTLED: u8 = 2;

impl Choice {
    pub(crate) fn method(&self) -> Method {
        if self.0.load(Ordering::SeqCst) & SHA1 == 0 { Method::HmacSha256 } else { Method::HmacSha1 }
    }

    /// A signature was taken.
    pub(crate) fn settle(&self) {
        self.0.fetch_or(SETTLED, Ordering::SeqCst);
    }

    /// A signature was refused: whether the other method is worth a try.
    pub(crate) fn refused(&self) -> bool {
        self.0.compare_exchange(SHA256, SHA1, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// The value of `Authorization` for a request without a body.
///
/// `timestamp` is in seconds since 1970.
pub(crate) fn authorization(
    http_method: &str,
    url: &Url,
    client_id: &str,
    client_secret: &Secret,
    method: Method,
    timestamp: i64,
    nonce: &str,
) -> String {
    let timestamp = timestamp.to_string();
    let protocol = [
        ("oauth_consumer_key", client_id),
        ("oauth_nonce", nonce),
        ("oauth_signature_method", method.name()),
        ("oauth_timestamp", &timestamp),
        ("oauth_version", "1.0"),
    ];
    let base = base_string(http_method, url, &protocol);
    // Two-legged: the token's secret is empty, its ampersand stays (§3.4.2).
    let key = format!("{}&", encode(client_secret.expose()));
    let signature = STANDARD.encode(hmac::sign(&hmac::Key::new(method.algorithm(), key.as_bytes()), base.as_bytes()));
    let signed = protocol.into_iter().chain([("oauth_signature", signature.as_str())]);
    let fields: Vec<String> = signed.map(|(name, value)| format!("{name}=\"{}\"", encode(value))).collect();
    format!("OAuth {}", fields.join(", "))
}

/// The signature base string (§3.4.1) of a request whose parameters are all in URL and header.
fn base_string(http_method: &str, url: &Url, protocol: &[(&str, &str)]) -> String {
    let mut parameters: Vec<(String, String)> = url.query_pairs().map(|(name, value)| (encode(&name), encode(&value))).collect();
    parameters.extend(protocol.iter().map(|(name, value)| (encode(name), encode(value))));
    parameters.sort();
    let parameters: Vec<String> = parameters.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    // `Url` has scheme and host in lower case and leaves the default port out, as §3.4.1.2 wants.
    let mut base = url.clone();
    base.set_query(None);
    base.set_fragment(None);
    format!("{}&{}&{}", http_method.to_ascii_uppercase(), encode(base.as_str()), encode(&parameters.join("&")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    /// RFC 5849 §3.4.1.1, its form body moved to the query, where it counts the same.
    #[test]
    fn the_base_string_of_the_rfc() {
        let protocol = [
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
        ];
        let given = base_string("post", &url("http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b&c2&a3=2+q"), &protocol);
        let wanted = "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7";
        assert_eq!(given, wanted);
    }

    /// RFC 5849 §1.2's photographs, and the key of §3.4.2: the HMAC of a known base string.
    #[test]
    fn the_signature_of_the_rfc() {
        let base = "GET&http%3A%2F%2Fphotos.example.net%2Fphotos&file%3Dvacation.jpg%26oauth_consumer_key%3Ddpf43f3p2l4k3l03%26oauth_nonce%3DchapoH%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131202%26oauth_token%3Dnnch734d00sl2jdk%26size%3Doriginal";
        let protocol = [
            ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
            ("oauth_token", "nnch734d00sl2jdk"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131202"),
            ("oauth_nonce", "chapoH"),
        ];
        assert_eq!(base_string("GET", &url("http://photos.example.net/photos?file=vacation.jpg&size=original"), &protocol), base);
        let key = hmac::Key::new(Method::HmacSha1.algorithm(), b"kd94hf93k423kf44&pfkkdhi9sl3r4s00");
        assert_eq!(
            STANDARD.encode(hmac::sign(&key, base.as_bytes())),
            "MdpQcU8iPSUjWoN%2FUDMsK2sui9I%3D".replace("%2F", "/").replace("%3D", "=")
        );
    }

    /// Both methods over a OneRoster request, computed with Python's hmac beside.
    #[test]
    fn a_request_of_oneroster_is_signed_with_both_methods() {
        let url = url("https://sis.example/ims/oneroster/v1p1/users?limit=100&offset=0&filter=status%3D%27active%27");
        let sign = |method| authorization("GET", &url, "key", &Secret::new("s&cret/ü"), method, 1_790_000_000, "n0nce");
        let (newer, older) = (sign(Method::HmacSha256), sign(Method::HmacSha1));
        assert!(
            newer.starts_with("OAuth oauth_consumer_key=\"key\", oauth_nonce=\"n0nce\", oauth_signature_method=\"HMAC-SHA256\""),
            "{newer}"
        );
        assert!(newer.ends_with("oauth_signature=\"xEeqsqnTUaJjNotMeXcaMBBgj60t1%2BPwHLREbR1UVes%3D\""), "{newer}");
        assert!(older.ends_with("oauth_signature=\"DdtD5j6IRt%2BavwiRIM3UIdeUtak%3D\""), "{older}");
    }

    #[test]
    fn the_older_method_is_tried_once_and_what_works_stays() {
        let choice = Choice::default();
        assert_eq!(choice.method(), Method::HmacSha256);
        assert!(choice.refused());
        assert_eq!(choice.method(), Method::HmacSha1);
        assert!(!choice.refused());
        let choice = Choice::default();
        choice.settle();
        assert!(!choice.refused());
        assert_eq!(choice.method(), Method::HmacSha256);
    }
}
