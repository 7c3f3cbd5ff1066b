//! The `Link` header (RFC 8288), as far as paging needs it.

use reqwest::header::{HeaderMap, LINK};

/// The target of the link with `rel=next`, as it stands there.
///
/// Lenient where servers are: a comma too many at the end, `rel` without quotes or with several
/// words, several headers.
pub(crate) fn next(headers: &HeaderMap) -> Option<String> {
    headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).find_map(next_of)
}

fn next_of(mut rest: &str) -> Option<String> {
    while let Some((_, after)) = rest.split_once('<') {
        let (target, after) = after.split_once('>')?;
        // Parameters reach to the next target; a comma inside quotes does not end them.
        let parameters = after.split('<').next().unwrap_or_default();
        if parameters.split([';', ',']).any(is_next) {
            return Some(target.trim().to_owned());
        }
        rest = &after[parameters.len()..];
    }
    None
}

fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    name.trim().eq_ignore_ascii_case("rel")
        && value.trim().trim_matches('"').split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_is_found_in_every_spelling() {
        for (header, wanted) in [
            (r#"<https://a/users?offset=100&limit=100>; rel="next","#, Some("https://a/users?offset=100&limit=100")),
            (r#"<https://a/x?o=0>; rel="first", <https://a/x?o=1>; rel="next", <https://a/x?o=9>; rel="last""#, Some("https://a/x?o=1")),
            ("</x?o=1>;rel=next", Some("/x?o=1")),
            (r#"<x?o=1>; title="a, b; c"; REL="last NEXT""#, Some("x?o=1")),
            (r#"<https://a/x?o=1>; rel="prev""#, None),
            (r#"<https://a/x?o=1>; rel="nextish""#, None),
            ("", None),
            ("<unclosed", None),
            ("garbage; rel=next", None),
        ] {
            assert_eq!(next_of(header).as_deref(), wanted, "{header}");
        }
    }
}
