//! Clients that are careless, broken or hostile: whatever they send is answered with a status below 500,
//! in the form of the API, and never understood as something that it did not say.

use crate::harness::{Server, id, year};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::describe::endpoints::endpoints;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const ROOT: &str = "/beta/external/industryData";

/// A header line: a name, and bytes that need not be text.
type Line = (&'static str, &'static [u8]);

/// Status, headers and the JSON of an answer.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }
}

/// Sends bytes with header lines as they are given, several of a name where they are.
async fn send(server: &Server, method: Method, path: &str, lines: &[(&'static str, &[u8])], body: impl Into<Vec<u8>>) -> Answer {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
    }
    if !headers.contains_key("authorization") {
        headers.append("authorization", format!("Bearer {}", server.token()).parse().unwrap());
    }
    let request = server.http.request(method, format!("{}{path}", server.base)).headers(headers).body(body.into());
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Answer { status, headers, body: serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null) }
}

const JSON: (&str, &[u8]) = ("content-type", b"application/json");

async fn post(server: &Server, path: &str, body: impl Into<Vec<u8>>) -> Answer {
    send(server, Method::POST, &format!("{ROOT}/{path}"), &[JSON], body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_not_what_they_should_be() {
    let server = Server::start().await;
    let good = year().to_string();
    let with = |from: &str, to: &str| good.replace(from, to);
    let settings = |number: &str| {
        format!(
            r#"{{"displayName":"S","userMatchingSettings":[{{"matchTarget":{{"code":"mail"}},"sourceIdentifier":{{"code":"email"}},
               "roleGroup@odata.bind":"roleGroups/staff","priorityOrder":{number}}}]}}"#
        )
    };
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: Vec<(&str, &str, Vec<u8>, u16, &str)> = vec![
        ("cut off", "years", b"{\"displayName\":".into(), 400, "line 1 column 15"),
        ("a comma too many", "years", b"{\"displayName\":\"x\",}".into(), 400, "line 1 column 20"),
        ("apostrophes", "years", b"{'displayName':'x'}".into(), 400, "not JSON"),
        ("a comment", "years", b"{/* x */}".into(), 400, "not JSON"),
        ("arrays without end", "years", b"[".repeat(100_000), 400, "recursion limit"),
        ("objects without end", "years", b"{\"a\":".repeat(100_000), 400, "recursion limit"),
        ("very many values", "years", format!("{{\"displayName\":[{}0]}}", "0,".repeat(50_000)).into(), 413, "values"),
        ("a very long text", "years", with("2026-2027", &"x".repeat(70_000)).into(), 413, "displayName"),
        ("two objects", "years", b"{}{}".into(), 400, "not JSON"),
        ("null", "years", b"null".into(), 400, "must be a JSON object"),
        ("nothing", "years", b" \n".into(), 400, "there is none"),
        ("UTF-16", "years", [b"\xff\xfe".as_slice(), &utf16].concat(), 400, "UTF-16"),
        ("bytes that are no UTF-8", "years", b"{\"displayName\":\"\xff\"}".into(), 400, "not JSON"),
        ("half a surrogate pair", "years", with("2026-2027", "\\ud800").into(), 400, "not JSON"),
        ("a NUL", "years", with("2026-2027", "a\\u0000b").into(), 400, "NUL"),
        ("NaN", "sourceSystems", settings("NaN").into(), 400, "not JSON"),
        ("Infinity", "sourceSystems", settings("-Infinity").into(), 400, "not JSON"),
        ("1e999", "sourceSystems", settings("1e999").into(), 400, "out of range"),
        ("more than 32 bits", "sourceSystems", settings("2147483648").into(), 400, "integer of 32 bits"),
        ("more than 64 bits", "sourceSystems", settings("18446744073709551616").into(), 400, "integer of 32 bits"),
        ("a fraction", "sourceSystems", settings("1.5").into(), 400, "integer of 32 bits"),
        ("a name twice", "years", b"{\"displayName\":\"a\",\"displayName\":\"b\"}".into(), 400, "given twice"),
        ("a name twice, in two spellings", "years", with("{", "{\"DisplayName\":\"b\",").into(), 400, "different spellings"),
        ("a name twice, inside", "years", with("\"code\":", "\"code\":\"2026\",\"code\":").into(), 400, "given twice"),
        ("a prototype", "years", with("{\"displayName\"", "{\"__proto__\":{},\"displayName\"").into(), 400, "__proto__"),
        ("a code with SQL", "years", with("\"2027\"", "\"2027'; DROP TABLE doc; --\"").into(), 400, "is not a code of RefAcademicYear"),
        ("a UTF-8 byte order mark", "years", [b"\xef\xbb\xbf", good.as_bytes()].concat(), 201, ""),
    ];
    for (what, path, body, status, says) in cases {
        let answer = post(&server, path, body).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        assert!(answer.message().contains(says), "{what}: {}", answer.message());
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn media_types_and_codings() {
    let server = Server::start().await;
    let good = year().to_string();
    let cases: &[(&[Line], u16)] = &[
        (&[], 201),
        (&[("content-type", b"APPLICATION/JSON; charset=utf-8")], 201),
        (&[("content-type", b"application/json;odata.metadata=minimal;IEEE754Compatible=false")], 201),
        (&[JSON, ("content-encoding", b"identity")], 201),
        (&[("content-type", b"text/json")], 415),
        (&[("content-type", b"application/x-www-form-urlencoded")], 415),
        (&[("content-type", b"multipart/form-data; boundary=x")], 415),
        (&[("content-type", b"application/json-patch+json")], 415),
        (&[("content-type", b"")], 415),
        (&[("content-type", b"application/\xff")], 415),
        (&[JSON, ("content-type", b"text/xml")], 415),
        (&[JSON, ("content-encoding", b"gzip")], 415),
        (&[JSON, ("accept", b"application/xml")], 406),
        (&[JSON, ("accept", b"application/json;q=0")], 406),
    ];
    for (lines, status) in cases {
        let answer = send(&server, Method::POST, &format!("{ROOT}/years"), lines, good.clone()).await;
        assert_eq!(answer.status, *status, "{lines:?}: {}", answer.body);
    }
    let ranked: &[u8] = b"application/json;odata.metadata=full;q=0.2, application/json;odata.metadata=none;q=0.8";
    let answer = send(&server, Method::GET, &format!("{ROOT}/years"), &[("accept", ranked)], "").await;
    assert!(answer.header("content-type").starts_with("application/json;odata.metadata=none"), "{:?}", answer.headers);
    // Two lines are one list.
    let lines: &[(&'static str, &[u8])] = &[("accept", b"application/xml"), ("accept", b"application/json;odata.metadata=full")];
    let answer = send(&server, Method::GET, &format!("{ROOT}/years"), lines, "").await;
    assert!(answer.header("content-type").starts_with("application/json;odata.metadata=full"), "{:?}", answer.headers);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_paths_are_names_and_nothing_more() {
    let server = Server::start().await;
    let made = server.create("years", &year()).await;
    let key = id(&made);
    for (path, status) in [
        (format!("years/{key}"), 200),
        (format!("years('{key}')"), 200),
        (format!("years(%27{key}%27)"), 200),
        (format!("YEARS/{key}/DisplayName"), 200),
        (format!("years/{key}/"), 200),
        (format!("years/{key}/$ref"), 200),
        ("years/never/$ref".to_owned(), 404),
        ("years/$ref".to_owned(), 404),
        (format!("years(\"{key}\")"), 404),
        (format!("years('{key}'"), 404),
        (format!("years/{key}%20"), 404),
        (format!("years/{key};v=1"), 404),
        ("years('')".to_owned(), 404),
        ("years/%27%20or%20%271%27=%271".to_owned(), 404),
        ("years('x''%20or%201=1%20--')".to_owned(), 404),
        ("years/%25".to_owned(), 404),
        ("years/a%2Fb".to_owned(), 404),
        ("years/%2e%2e%2fsourceSystems".to_owned(), 404),
        ("years/%5c..%5c".to_owned(), 404),
        ("years/%C3%A9%F0%9F%98%80".to_owned(), 404),
        ("years/%FF%FE".to_owned(), 404),
        ("years/%C0%AF".to_owned(), 404),
        ("years/%00".to_owned(), 400),
        (format!("years/{}", "x".repeat(8_000)), 404),
        (format!("years/{}", "x/".repeat(4_000)), 404),
        ("//years".to_owned(), 404),
        ("years?$top=1&top=1".to_owned(), 400),
        ("years?$top=-1".to_owned(), 400),
        ("years?$top=99999999999999999999".to_owned(), 400),
        ("years?$filter=".to_owned(), 400),
        (format!("years?$filter={}true{}", "(".repeat(500), ")".repeat(500)), 400),
        ("years?$filter=displayName%20eq%20%27%FF%27".to_owned(), 400),
        ("years?$filter=displayName%20eq%20%27x%27%20or%201=1".to_owned(), 400),
        ("years?$filter=contains(displayName,%27%25%27)".to_owned(), 200),
        ("years?$skiptoken=id-%27x%27".to_owned(), 400),
    ] {
        let answer = send(&server, Method::GET, &format!("{ROOT}/{path}"), &[], "").await;
        assert_eq!(answer.status, status, "{path:.80}: {}", answer.body);
        assert!(status == 200 || answer.body["error"]["code"].is_string(), "{path:.80}: {}", answer.body);
    }
    // `%` and `_` are no wildcards of the store.
    let found = server.get(&format!("{ROOT}/years?$filter=contains(displayName,%27_%27)")).await;
    assert_eq!(found["value"], json!([]));
    for path in ["/beta/external", "/beta/nothing", "/BETA/external", "/", "/v2.0/users", "/beta/users/'or'1'='1"] {
        assert_eq!(send(&server, Method::GET, path, &[], "").await.status, 404, "{path}");
    }
    server.stop().await;
}

/// A reference has to name an entity of the collection that it is for.
#[tokio::test(flavor = "multi_thread")]
async fn references_lead_where_they_may() {
    let server = Server::start().await;
    let (connector, flow) = server.configure_inbound().await;
    let first = |path: &'static str| {
        let server = &server;
        async move { id(&server.get(&format!("{ROOT}/{path}")).await["value"][0]).to_owned() }
    };
    let (source, year) = (first("sourceSystems").await, first("years").await);
    let body = |bind: Value| {
        json!({
            "@odata.type": "#microsoft.graph.industryData.inboundFileFlow", "displayName": "x", "dataDomain": "educationRostering",
            "effectiveDateTime": "2026-08-01", "dataConnector@odata.bind": format!("dataConnectors/{connector}"), "year@odata.bind": bind,
        })
    };
    for bad in [
        json!(format!("sourceSystems/{source}")),
        json!(format!("years/{source}")),
        json!(format!("inboundFlows/{flow}")),
        json!("years/.."),
        json!("years/%27%20or%201=1"),
        json!("years"),
        json!(""),
        json!("javascript:alert(1)"),
        json!(5),
        json!(null),
        json!([format!("years/{year}")]),
        json!({ "id": year }),
    ] {
        let answer = post(&server, "inboundFlows", body(bad.clone()).to_string()).await;
        assert_eq!((answer.status, &answer.body["error"]["target"]), (400, &json!("year@odata.bind")), "{bad}: {}", answer.body);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_are_obeyed_in_every_spelling_and_an_unreadable_one_never_lets_a_change_through() {
    let server = Server::start().await;
    let path = format!("{ROOT}/years/{}", id(&server.create("years", &year()).await));
    let cases: &[(&[Line], bool)] = &[
        (&[("if-match", b"*")], true),
        (&[("if-match", b"{now}")], true),
        (&[("if-match", b"\"0\", {now}")], true),
        (&[("if-match", b"\"0\""), ("if-match", b"{now}")], true),
        (&[("if-none-match", b"\"0\"")], true),
        (&[("if-match", b"W/\"0\"")], false),
        (&[("if-match", b"")], false),
        (&[("if-match", b",")], false),
        (&[("if-match", b"\"*\"")], false),
        (&[("if-match", b"junk")], false),
        (&[("if-match", b"\"\xe9\"")], false),
        (&[("if-none-match", b"*")], false),
        (&[("if-none-match", b"{now}")], false),
        (&[("if-match", b"{now}"), ("if-none-match", b"{now}")], false),
    ];
    for (lines, passes) in cases {
        let before = send(&server, Method::GET, &path, &[], "").await;
        let now = before.header("etag").to_owned();
        let filled: Vec<(&'static str, Vec<u8>)> = lines
            .iter()
            .map(|(name, value)| {
                let text = std::str::from_utf8(value).map(|text| text.replace("{now}", &now).into_bytes());
                (*name, text.unwrap_or_else(|_| value.to_vec()))
            })
            .collect();
        let mut all: Vec<(&'static str, &[u8])> = vec![JSON];
        all.extend(filled.iter().map(|(name, value)| (*name, value.as_slice())));
        let answer = send(&server, Method::PATCH, &path, &all, "{\"displayName\":\"changed\"}").await;
        assert_eq!(answer.status, if *passes { 204 } else { 412 }, "{lines:?} at {now}");
        let after = send(&server, Method::GET, &path, &[], "").await;
        assert_eq!(after.header("etag") != now, *passes, "{lines:?}: 412 changes nothing");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_preferences_the_first_counts_and_unknown_ones_do_not() {
    let server = Server::start().await;
    let path = format!("{ROOT}/years/{}", id(&server.create("years", &year()).await));
    let cases: &[(&[&[u8]], u16, &str)] = &[
        (&[b"return=representation"], 200, "return=representation"),
        (&[b"Return=Minimal"], 204, "return=minimal"),
        (&[b"return=minimal, return=representation"], 204, "return=minimal"),
        (&[b"respond-async", b"return=representation"], 200, "return=representation"),
        (&[b"include-unknown-enum-members"], 204, ""),
        (&[b"return=everything"], 204, ""),
        (&[b"return"], 204, ""),
        (&[b";;,,=\xff"], 204, ""),
    ];
    for (prefer, status, applied) in cases {
        let mut lines: Vec<(&'static str, &[u8])> = vec![JSON];
        lines.extend(prefer.iter().map(|value| ("prefer", *value)));
        let answer = send(&server, Method::PATCH, &path, &lines, "{\"displayName\":\"changed\"}").await;
        assert_eq!((answer.status, answer.header("preference-applied")), (*status, *applied), "{prefer:?}");
    }
    server.stop().await;
}

/// HEAD is GET without its body; OPTIONS says what there is; no other word does anything.
#[tokio::test(flavor = "multi_thread")]
async fn methods_that_no_endpoint_lists() {
    let server = Server::start().await;
    let paths: std::collections::BTreeSet<String> =
        endpoints().iter().filter(|e| !e.path.contains('{')).map(|e| format!("/beta/{}", e.path)).collect();
    for path in paths.iter().map(String::as_str).chain(["/beta", "/beta/$metadata", "/beta/$batch"]) {
        let options = send(&server, Method::OPTIONS, path, &[], "").await;
        let allow: Vec<&str> = options.header("allow").split(", ").collect();
        assert_eq!(options.status, 204, "OPTIONS {path}");
        assert_eq!(allow.contains(&"GET"), allow.contains(&"HEAD"), "{path} {allow:?}");
        assert!(allow.contains(&"OPTIONS"), "{path} {allow:?}");
        if allow.contains(&"GET") {
            let (get, head) = (send(&server, Method::GET, path, &[], "").await, send(&server, Method::HEAD, path, &[], "").await);
            assert_eq!(get.status, head.status, "{path}");
            assert_eq!(get.header("content-type"), head.header("content-type"), "{path}");
            assert_eq!(head.body, Value::Null, "HEAD {path}");
        }
        for word in ["PUT", "TRACE", "PROPFIND", "MERGE", "get"] {
            let answer = send(&server, word.parse().unwrap(), path, &[], "").await;
            assert_eq!((answer.status, answer.header("allow")), (405, options.header("allow")), "{word} {path}");
        }
    }
    let path = format!("{ROOT}/years/{}", id(&server.create("years", &year()).await));
    let tricks: &[(&'static str, &[u8])] = &[JSON, ("x-http-method-override", b"DELETE"), ("x-http-method", b"DELETE")];
    assert_eq!(send(&server, Method::POST, &format!("{path}?_method=DELETE"), tricks, "{}").await.status, 405);
    assert_eq!(send(&server, Method::GET, &path, tricks, "").await.status, 200);
    assert_eq!(server.get(&path).await["displayName"], "2026-2027", "nothing was deleted");
    // Without a token there is nothing to see by any method.
    for method in [Method::OPTIONS, Method::HEAD, Method::TRACE] {
        let answer = server.http.request(method.clone(), format!("{}{path}", server.base)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{method}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_come_in_one_header_and_nowhere_else() {
    let server = Server::start().await;
    let path = format!("{ROOT}/years");
    let good = format!("Bearer {}", server.token());
    for lines in [
        &[("authorization", good.as_bytes()), ("authorization", good.as_bytes())][..],
        &[("authorization", good.as_bytes()), ("authorization", b"Bearer x".as_slice())],
        &[("authorization", b"Bearer x".as_slice()), ("authorization", good.as_bytes())],
        &[("authorization", b"Bearer \xff".as_slice())],
        &[("authorization", b"".as_slice())],
    ] {
        assert_eq!(send(&server, Method::GET, &path, lines, "").await.status, 401, "{lines:?}");
    }
    assert_eq!(send(&server, Method::GET, &path, &[("authorization", good.replace("Bearer", "bEARER").as_bytes())], "").await.status, 200);
    let in_query = server.http.get(format!("{}{path}?access_token={}", server.base, server.token())).send().await.unwrap();
    assert_eq!(in_query.status(), 401);
    server.stop().await;
}

/// What no library sends: requests byte by byte. Gives the first line of the answer.
async fn raw(server: &Server, request: &[u8]) -> String {
    let mut stream = tokio::net::TcpStream::connect(server.base.trim_start_matches("http://")).await.unwrap();
    // A server that has read enough may close before everything is written.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_byte_by_byte() {
    let server = Server::start().await;
    let token = server.token();
    let head = |line: &str, more: &str| format!("{line}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n{more}\r\n");
    let get = |more: &str| head(&format!("GET {ROOT}/years HTTP/1.1"), &format!("Host: localhost\r\n{more}"));
    let post = |more: &str, body: &str| {
        head(&format!("POST {ROOT}/years HTTP/1.1"), &format!("Host: localhost\r\nContent-Type: application/json\r\n{more}")) + body
    };
    for (what, request, expected) in [
        ("a proper one", get(""), "200"),
        ("HTTP/1.0", head(&format!("GET {ROOT}/years HTTP/1.0"), ""), "200"),
        ("an absolute URL", head(&format!("GET http://other.example{ROOT}/years HTTP/1.1"), "Host: localhost\r\n"), "200"),
        ("two hosts", get("Host: other.example\r\n"), "400"),
        ("a header over two lines", get("X-A: a\r\n b\r\n"), "400"),
        ("a space before the colon", get("X-A : a\r\n"), "400"),
        ("a carriage return in a header", get("X-A: a\rX-B: b\r\n"), "400"),
        ("another protocol", head("GET / HTTP/3.0", ""), "400"),
        ("two lengths", post("Content-Length: 2\r\nContent-Length: 3\r\n", "{} "), "400"),
        ("a negative length", post("Content-Length: -2\r\n", "{}"), "400"),
        ("a chunk that has no size", post("Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n"), "400"),
        ("a very large header", get(&format!("X-A: {}\r\n", "a".repeat(200_000))), "431"),
        ("very many headers", get(&"X-A: a\r\n".repeat(2_000)), "431"),
        ("a blank in the path", head(&format!("GET {ROOT}/years /x HTTP/1.1"), "Host: localhost\r\n"), "400"),
    ] {
        let first = raw(&server, request.as_bytes()).await;
        assert_eq!(first.split(' ').nth(1), Some(expected), "{what}: {first:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_lends_its_parts_nothing() {
    let server = Server::start().await;
    let made = server.create("years", &year()).await;
    let path = format!("/external/industryData/years/{}", id(&made));
    let reader = server.token_with(vec!["IndustryData-TimePeriod.Read.All".to_owned()]).await;
    let part = |method: &str, url: &str, headers: Value, body: Value| json!({ "id": "1", "method": method, "url": url, "headers": headers, "body": body });
    let json_type = json!({ "Content-Type": "application/json" });
    let token_inside = json!({ "Content-Type": "application/json", "Authorization": format!("Bearer {}", server.token()) });
    let stale = json!({ "Content-Type": "application/json", "If-Match": "W/\"0\"" });
    let change = json!({ "displayName": "changed" });
    for (what, token, part, status) in [
        ("a batch inside", server.token(), part("POST", "/$batch", json_type.clone(), json!({ "requests": [] })), 400),
        ("a batch inside, encoded", server.token(), part("POST", "https://x/beta/%24BATCH/", json_type.clone(), json!({})), 400),
        ("dots", server.token(), part("GET", "/users/../external/industryData/years", json!({}), Value::Null), 404),
        ("a NUL", server.token(), part("GET", "/users/\0", json!({}), Value::Null), 400),
        ("a fragment", server.token(), part("GET", "/external/industryData/years#/x", json!({}), Value::Null), 200),
        ("a token of its own", reader.as_str(), part("PATCH", &path, token_inside, change.clone()), 403),
        ("a condition", server.token(), part("PATCH", &path, stale, change.clone()), 412),
        ("another media type", server.token(), part("PATCH", &path, json!({ "Content-Type": "text/xml" }), change.clone()), 415),
        (
            "a media type in two spellings",
            server.token(),
            part("PATCH", &path, json!({ "Content-Type": "text/xml", "content-type": "application/json" }), change.clone()),
            415,
        ),
        ("a body that is a list", server.token(), part("PATCH", &path, json_type.clone(), json!([])), 400),
    ] {
        let request = server.http.post(format!("{}/beta/$batch", server.base)).bearer_auth(token).json(&json!({ "requests": [part] }));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{what}");
        let answer: Value = answer.json().await.unwrap();
        assert_eq!(answer["responses"][0]["status"], status, "{what}: {answer}");
    }
    assert_eq!(server.get(&format!("/beta{path}")).await["displayName"], "2026-2027");
    // A name given twice anywhere in the envelope is an error of the envelope, as of any body.
    for envelope in [
        r#"{"requests":[{"id":"1","id":"2","method":"GET","url":"/users"}]}"#,
        r#"{"requests":[{"id":"1","ID":"2","method":"GET","url":"/users"}]}"#,
        r#"{"requests":[{"id":"1","method":"GET","url":"/users","body":{"a":1,"a":2},"headers":{"Content-Type":"application/json"}}]}"#,
        r#"{"requests":[{"id":"1","method":"GET","url":"/users","body":1e999,"headers":{"Content-Type":"application/json"}}]}"#,
    ] {
        assert_eq!(send(&server, Method::POST, "/beta/$batch", &[JSON], envelope).await.status, 400, "{envelope}");
    }
    server.stop().await;
}
