//! The envelope of JSON batching, read and checked as a whole (OData JSON 4.01 §19 as Graph has it:
//! concepts/json-batching.md). What its parts do belongs to who carries them out.

use crate::error::{Error, printable};
use crate::limits::Limits;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value};

/// Methods of parts; a batch has no use for HEAD and OPTIONS.
const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE];

/// One request of a batch, as it was written.
#[derive(Debug)]
pub struct Part {
    /// Unique among the parts, without regard to case.
    pub id: String,
    /// Method.
    pub method: Method,
    /// As written; [`target`] says where it leads.
    pub url: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, empty when there is none.
    pub body: Vec<u8>,
    /// The parts that must have gone well before: their positions in the batch.
    pub depends_on: Vec<usize>,
}

/// Reads the envelope.
///
/// # Errors
/// Names the place of what is wrong, such as `requests[3].dependsOn`.
pub fn parse(body: &[u8], limits: &Limits) -> Result<Vec<Part>, Error> {
    let mut envelope = crate::json::parse_object(body)?;
    let requests = match envelope.swap_remove("requests") {
        Some(Value::Array(requests)) => requests,
        Some(_) => return Err(Error::at("requests", "'requests' must be an array.")),
        None => return Err(Error::at("requests", "A batch is { \"requests\": [ … ] }; 'requests' is missing.")),
    };
    if let Some(name) = envelope.keys().find(|name| !name.contains('@')) {
        return Err(Error::at(name, format!("'{}' is not a property of a batch.", printable(name))));
    }
    if requests.is_empty() {
        return Err(Error::at("requests", "A batch has at least one request."));
    }
    if requests.len() > limits.batch_parts {
        let message = format!("A batch may have {} requests at most, not {}.", limits.batch_parts, requests.len());
        return Err(Error::at("requests", message));
    }
    let mut parts: Vec<Part> = Vec::new();
    let mut wanted = Vec::new();
    for (i, request) in requests.into_iter().enumerate() {
        let at = format!("requests[{i}]");
        let (part, depends_on) = parse_part(&at, request)?;
        if parts.iter().any(|other| same_id(&other.id, &part.id)) {
            let message = format!("The id '{}' stands twice in this batch; ids are compared without regard to case.", part.id);
            return Err(Error::at(format!("{at}.id"), message));
        }
        parts.push(part);
        wanted.push(depends_on);
    }
    for (i, ids) in wanted.into_iter().enumerate() {
        for id in ids {
            let Some(on) = parts.iter().position(|part| same_id(&part.id, &id)) else {
                let message = format!("'{}' is not the id of a request of this batch.", printable(&id));
                return Err(Error::at(format!("requests[{i}].dependsOn"), message));
            };
            parts[i].depends_on.push(on);
        }
    }
    Ok(parts)
}

/// Ids are "not case-sensitive" (concepts/json-batching.md).
fn same_id(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// One request, and the ids that it depends on.
///
/// `depends_on` is how Microsoft's Python classes misspell `dependsOn`.
fn parse_part(at: &str, request: Value) -> Result<(Part, Vec<String>), Error> {
    let Value::Object(request) = request else { return Err(Error::at(at, "A request of a batch is an object.")) };
    let (mut id, mut method, mut url) = (None, None, None);
    let (mut headers, mut body, mut depends_on) = (HeaderMap::new(), None, Vec::new());
    let mut seen: Vec<String> = Vec::new();
    for (name, value) in request {
        let here = format!("{at}.{name}");
        if seen.contains(&name.to_ascii_lowercase()) {
            return Err(Error::at(here, format!("'{}' is given twice, in different spellings.", printable(&name))));
        }
        seen.push(name.to_ascii_lowercase());
        match (name.to_ascii_lowercase().as_str(), value) {
            (_, Value::Null) => {}
            ("id", value) => id = Some(text(&here, value)?),
            ("method", value) => method = Some(text(&here, value)?),
            ("url", value) => url = Some(text(&here, value)?),
            ("headers", Value::Object(given)) => headers = parse_headers(&here, given)?,
            ("headers", _) => return Err(Error::at(here, "'headers' is an object of names and values.")),
            ("body", value) => body = Some(value),
            ("dependson" | "depends_on", Value::Array(ids)) => {
                for id in ids {
                    depends_on.push(text(&here, id)?);
                }
            }
            ("dependson" | "depends_on", _) => return Err(Error::at(here, "'dependsOn' is an array of ids.")),
            (name, _) if name.contains('@') => {}
            _ => {
                let message = format!("'{}' is not a property of a request of a batch.", printable(&name));
                return Err(Error::at(here, message));
            }
        }
    }
    let missing = |name: &str| Error::at(format!("{at}.{name}"), format!("A request of a batch must have '{name}'."));
    let id = id.ok_or_else(|| missing("id"))?;
    let method = method.ok_or_else(|| missing("method"))?;
    let url = url.ok_or_else(|| missing("url"))?;
    let upper = method.to_ascii_uppercase();
    let Some(method) = METHODS.into_iter().find(|known| known.as_str() == upper) else {
        let message = format!("'{}' is not a method that a batch takes: GET, POST, PATCH, PUT, DELETE.", printable(&method));
        return Err(Error::at(format!("{at}.method"), message));
    };
    if body.is_some() && !headers.contains_key(http::header::CONTENT_TYPE) {
        let message = "A request of a batch that has a body must have a Content-Type in its headers.";
        return Err(Error::at(format!("{at}.headers"), message));
    }
    let body = body.map(body_bytes).unwrap_or_default();
    Ok((Part { id, method, url, headers, body, depends_on: Vec::new() }, depends_on))
}

fn text(at: &str, value: Value) -> Result<String, Error> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(text),
        _ => Err(Error::at(at, "This must be a string, and not an empty one.")),
    }
}

fn parse_headers(at: &str, given: Map<String, Value>) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let here = format!("{at}.{name}");
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok().zip(value.as_str().and_then(|v| HeaderValue::from_str(v).ok()));
        match parsed {
            // Two spellings of one name are two lines of one header.
            Some((name, value)) => headers.append(name, value),
            None => return Err(Error::at(here, "This is not a header: a name and a string.")),
        };
    }
    Ok(headers)
}

/// The bytes of a body: JSON stands as it is, anything else in base64 or base64url.
///
/// A string that is neither is taken as it is, so that its part says what is wrong with it.
fn body_bytes(body: Value) -> Vec<u8> {
    let Value::String(text) = body else { return body.to_string().into_bytes() };
    let bare = text.trim_end_matches('=');
    let decoded = URL_SAFE_NO_PAD.decode(bare).or_else(|_| STANDARD_NO_PAD.decode(bare));
    decoded.unwrap_or_else(|_| text.into_bytes())
}

/// Path and query of a part's URL, encoded where it has what a URL cannot have.
///
/// It is relative to the root of the service, with or without a leading slash. Microsoft's Python
/// classes write absolute URLs: they are taken by their path, whatever the host, as references in
/// bodies are.
pub fn target(url: &str) -> (String, String) {
    let url = url.split_once('#').map_or(url, |(url, _)| url);
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let path = match path.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => path,
    };
    let encoded = |text| utf8_percent_encode(text, NOT_IN_URLS).to_string();
    (encoded(path.trim_matches('/')), encoded(query))
}

/// What a URL cannot have and clients write into a batch all the same (`?$filter=a eq 'b c'`); over
/// HTTP their library would have encoded it.
const NOT_IN_URLS: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// The order of work, as positions: as written, but everything after what it depends on.
///
/// # Errors
/// Parts that depend on each other in a circle.
pub fn order(parts: &[Part]) -> Result<Vec<usize>, Error> {
    let mut done: Vec<usize> = Vec::new();
    while done.len() < parts.len() {
        let next = (0..parts.len()).find(|i| !done.contains(i) && parts[*i].depends_on.iter().all(|on| done.contains(on)));
        match next {
            Some(next) => done.push(next),
            None => return Err(Error::at("requests", "Requests of this batch depend on each other in a circle.")),
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(batch: &Value) -> Result<Vec<Part>, Error> {
        parse(batch.to_string().as_bytes(), &Limits::DEFAULT)
    }

    fn get(id: &str, depends_on: &[&str]) -> Value {
        json!({ "id": id, "method": "GET", "url": "/users", "dependsOn": depends_on })
    }

    fn refused(batch: &Value) -> String {
        match parsed(batch).and_then(|parts| order(&parts)) {
            Err(error) => error.target.unwrap_or_default(),
            Ok(order) => panic!("{batch} led to {order:?}"),
        }
    }

    #[test]
    fn urls_of_every_form_lead_to_the_same_place() {
        for (url, path, query) in [
            ("/users?$top=1", "users", "$top=1"),
            ("users?$top=1#x", "users", "$top=1"),
            ("/beta/users/", "beta/users", ""),
            ("https://graph.microsoft.com/beta/users?a=b://c", "beta/users", "a=b://c"),
            ("http://127.0.0.1:1", "", ""),
            ("/users?$filter=a eq 'é%20'", "users", "$filter=a%20eq%20'%C3%A9%20'"),
        ] {
            assert_eq!(target(url), (path.to_owned(), query.to_owned()), "{url}");
        }
    }

    #[test]
    fn what_depends_comes_later_and_the_rest_as_written() {
        let parts = parsed(&json!({ "requests": [get("c", &["B"]), get("a", &[]), get("b", &["a"])] })).unwrap();
        assert_eq!(order(&parts).unwrap(), [1, 2, 0]);
    }

    #[test]
    fn an_envelope_that_is_wrong_is_refused_with_the_place() {
        let many = |n: usize| json!({ "requests": (0..n).map(|i| get(&i.to_string(), &[])).collect::<Vec<_>>() });
        assert!(parsed(&many(20)).is_ok());
        assert_eq!(refused(&many(21)), "requests");
        assert_eq!(refused(&many(0)), "requests");
        assert_eq!(refused(&json!({})), "requests");
        assert_eq!(refused(&json!({ "requests": {} })), "requests");
        assert_eq!(refused(&json!({ "requests": [7] })), "requests[0]");
        assert_eq!(refused(&json!({ "requests": [get("a", &[]), get("A", &[])] })), "requests[1].id");
        assert_eq!(refused(&json!({ "requests": [{ "id": 1, "method": "GET", "url": "/users" }] })), "requests[0].id");
        assert_eq!(refused(&json!({ "requests": [{ "method": "GET", "url": "/users" }] })), "requests[0].id");
        assert_eq!(refused(&json!({ "requests": [{ "id": "1", "url": "/users" }] })), "requests[0].method");
        assert_eq!(refused(&json!({ "requests": [{ "id": "1", "method": "HEAD", "url": "/users" }] })), "requests[0].method");
        assert_eq!(refused(&json!({ "requests": [{ "id": "1", "method": "GET" }] })), "requests[0].url");
        assert_eq!(refused(&json!({ "requests": [{ "id": "1", "method": "GET", "url": "" }] })), "requests[0].url");
        assert_eq!(refused(&json!({ "requests": [get("a", &["b"])] })), "requests[0].dependsOn");
        assert_eq!(refused(&json!({ "requests": [get("a", &["a"])] })), "requests");
        assert_eq!(refused(&json!({ "requests": [get("a", &["b"]), get("b", &["a"])] })), "requests");
        let odd = json!({ "requests": [{ "id": "1", "method": "GET", "url": "/users", "atomicityGroup": "g" }] });
        assert_eq!(refused(&odd), "requests[0].atomicityGroup");
        let bare = json!({ "requests": [{ "id": "1", "method": "POST", "url": "/users", "body": {} }] });
        assert_eq!(refused(&bare), "requests[0].headers");
        let twice = json!({ "requests": [{ "id": "1", "ID": "2", "method": "GET", "url": "/users" }] });
        assert_eq!(refused(&twice), "requests[0].ID");
        let header = json!({ "requests": [{ "id": "1", "method": "GET", "url": "/users", "headers": { "a b": "c" } }] });
        assert_eq!(refused(&header), "requests[0].headers.a b");
    }

    #[test]
    fn what_microsofts_python_classes_write_is_read() {
        let parts = parsed(&json!({ "requests": [
            { "id": "A", "method": "GET", "url": "http://127.0.0.1:8080/beta/users", "depends_on": [], "headers": { "accept": "application/json" } },
            { "id": "B", "method": "PATCH", "url": "u", "depends_on": ["A"], "headers": { "content-type": "application/json" }, "body": "e30" },
        ] }))
        .unwrap();
        assert_eq!(parts[1].depends_on, [0]);
        assert_eq!(parts[1].body, b"{}");
    }

    #[test]
    fn bodies_are_json_or_base64() {
        assert_eq!(body_bytes(json!({ "a": [1] })), b"{\"a\":[1]}");
        assert_eq!(body_bytes(json!("eyJhIjoxfQ==")), b"{\"a\":1}");
        assert_eq!(body_bytes(json!("not base64!")), b"not base64!");
    }
}
