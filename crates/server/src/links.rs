//! Where absolute links point (decision 15): `--public-url`, else what a trusted proxy forwards,
//! else what the request itself was sent to.

use http::HeaderMap;
use std::net::IpAddr;

/// The base of absolute links, without a trailing slash, for example `http://127.0.0.1:8080`.
///
/// `secure`: the request came over TLS. A proxy that says nothing about the scheme keeps it.
pub(crate) fn base_url(
    public_url: Option<&str>,
    trusted_proxies: &[IpAddr],
    peer: Option<IpAddr>,
    headers: &HeaderMap,
    secure: bool,
) -> String {
    if let Some(url) = public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    let own_scheme = if secure { "https" } else { "http" };
    let from_proxy = peer.is_some_and(|ip| trusted_proxies.contains(&ip));
    // A proxy may forward the one without the other.
    let forwarded = |name: &str| from_proxy.then(|| text(name)).flatten();
    let scheme = match forwarded("x-forwarded-proto") {
        Some(proto) if proto.eq_ignore_ascii_case("https") => "https",
        Some(_) => "http",
        None => own_scheme,
    };
    let host = forwarded("x-forwarded-host").filter(|h| is_authority(h)).or_else(|| text("host").filter(|h| is_authority(h)));
    format!("{scheme}://{}", host.unwrap_or("localhost"))
}

/// Host, optional port: nothing that could smuggle a path or user info into a link.
fn is_authority(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
}

/// A path for the log: keys may be names of people.
pub(crate) fn without_keys(path: &str) -> String {
    let is_key = |part: &str| part.contains(['@', '\'']) || part.contains("%40") || part.contains("%27");
    path.split('/').map(|part| if is_key(part) { "{key}" } else { part }).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(k, v)| (http::HeaderName::from_static(k), v.parse().unwrap())).collect()
    }

    #[test]
    fn the_public_address_wins() {
        let h = headers(&[("host", "a:1")]);
        assert_eq!(base_url(Some("https://graph.microsoft.com/"), &[], None, &h, false), "https://graph.microsoft.com");
    }

    #[test]
    fn forwarded_headers_count_only_from_a_trusted_proxy() {
        let h = headers(&[("host", "a:1"), ("x-forwarded-host", "school.example"), ("x-forwarded-proto", "https")]);
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        assert_eq!(base_url(None, &[proxy], Some(proxy), &h, false), "https://school.example");
        assert_eq!(base_url(None, &[], Some(proxy), &h, false), "http://a:1");
        assert_eq!(base_url(None, &[], Some(proxy), &h, true), "https://a:1", "the request's own scheme");
        let h = headers(&[("host", "school.example"), ("x-forwarded-proto", "HTTPS")]);
        assert_eq!(base_url(None, &[proxy], Some(proxy), &h, false), "https://school.example");
        let silent = headers(&[("host", "a:1"), ("x-forwarded-host", "school.example")]);
        assert_eq!(base_url(None, &[proxy], Some(proxy), &silent, true), "https://school.example");
    }

    #[test]
    fn a_host_with_a_path_is_not_believed() {
        let h = headers(&[("host", "evil/../@x")]);
        assert_eq!(base_url(None, &[], None, &h, false), "http://localhost");
    }

    #[test]
    fn the_log_has_no_names() {
        assert_eq!(without_keys("/beta/users/ada@contoso.example/memberOf"), "/beta/users/{key}/memberOf");
        assert_eq!(without_keys("/beta/users('ada')"), "/beta/{key}");
        assert_eq!(without_keys("/beta/groups/0190-1"), "/beta/groups/0190-1");
    }
}
