//! A OneRoster provider for tests: both versions, both kinds of credentials, every way of paging,
//! and everything that can go wrong, on demand.

use aws_lc_rs::hmac;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

pub(crate) const CLIENT_ID: &str = "homeroom:1";
pub(crate) const CLIENT_SECRET: &str = "s&cret/ü+:";

/// How the provider says that there is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paging {
    Total,
    Link,
    Both,
    Neither,
    /// By a link with an opaque word in it, and a total.
    Cursor,
    /// A link to the next page also where there is none, with a wrong host and a comma too many.
    EndlessLink,
}

/// What the provider wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auth {
    OAuth2Basic,
    OAuth2Form,
    OAuth1(&'static str),
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Trouble {
    /// The connection ends in the middle of the answer.
    Drop,
    Slow(Duration),
    Status(u16, Option<&'static str>),
    /// One record of the page before comes again, and everything moves by one.
    Shifted,
    /// The page before comes again.
    Repeated,
    /// The last record is missing.
    Short,
    /// `X-Total-Count` says so many more …
    Total(i64),
    /// … on all pages but the first.
    TotalLater(i64),
    /// The token ends now.
    Expired,
    Html,
    CutJson,
    /// So many bytes of text in one field.
    Huge(usize),
    Redirect(String),
    /// JSON that is not a page.
    Other(&'static str),
}

/// A trouble on some of the requests for a collection, counted from 0.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub collection: &'static str,
    pub requests: Range<usize>,
    pub trouble: Trouble,
}

#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub auth: Auth,
    pub paging: Paging,
    /// Most records in a page, whatever is asked for.
    pub cap: usize,
    pub gzip: bool,
    /// 204 in place of an empty page.
    pub no_content: bool,
    pub ignores_filter: bool,
    /// 400 for whatever asks for changes.
    pub refuses_changes: bool,
    /// Filters by role let everybody pass.
    pub ignores_roles: bool,
    pub troubles: Vec<Planned>,
    /// Seconds a token is said to live.
    pub token_life: Value,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            auth: Auth::OAuth2Basic,
            paging: Paging::Total,
            cap: usize::MAX,
            gzip: false,
            no_content: false,
            ignores_filter: false,
            refuses_changes: false,
            ignores_roles: false,
            troubles: Vec::new(),
            token_life: json!(3600),
        }
    }
}

/// Records by collection. A collection that is not there is 404.
pub(crate) type Data = BTreeMap<&'static str, Vec<Value>>;

pub(crate) struct Provider {
    pub base: String,
    pub address: String,
    state: Arc<Mutex<State>>,
    task: tokio::task::JoinHandle<()>,
}

struct State {
    setup: Setup,
    data: Data,
    requests: BTreeMap<String, usize>,
    /// `path?query` of every request, and what it was authorized with.
    log: Vec<String>,
    /// The token that is good.
    token: Option<String>,
    tokens: usize,
    nonces: Vec<String>,
}

impl Provider {
    /// Listens on a free port of this machine.
    pub(crate) async fn start(setup: Setup, data: Data) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = State { setup, data, requests: BTreeMap::new(), log: Vec::new(), token: None, tokens: 0, nonces: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let (shared, host) = (Arc::clone(&state), address.clone());
        let app = axum::Router::new().fallback(move |request: Request<Body>| answer(Arc::clone(&shared), host.clone(), request));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { base: format!("http://{address}"), address, state, task }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What was asked for so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    /// How many tokens were given.
    pub(crate) fn tokens(&self) -> usize {
        self.state().tokens
    }

    /// Changes what it has.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Data)) {
        change(&mut self.state().data);
    }

    /// Something more goes wrong from now on; requests are counted from now, too.
    pub(crate) fn trouble(&self, planned: Planned) {
        let mut state = self.state();
        state.requests.clear();
        state.setup.troubles.push(planned);
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(state: Arc<Mutex<State>>, host: String, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    state.lock().unwrap().log.push(format!("{path}?{query}"));
    if path == "/token" {
        return token(&mut state.lock().unwrap(), &parts.headers, &body);
    }
    let Some(collection) = path.strip_prefix("/ims/oneroster/v1p1/").or_else(|| path.strip_prefix("/ims/oneroster/rostering/v1p2/")) else {
        return status(404);
    };
    let planned = {
        let mut state = state.lock().unwrap();
        let number = state.requests.entry(collection.to_owned()).or_default();
        *number += 1;
        let number = *number - 1;
        let planned = state.setup.troubles.iter().find(|p| p.collection == collection && p.requests.contains(&number));
        planned.map(|planned| planned.trouble.clone())
    };
    if planned == Some(Trouble::Expired) {
        state.lock().unwrap().token = None;
    }
    if let Some(Trouble::Slow(time)) = planned {
        tokio::time::sleep(time).await;
    }
    let mut state = state.lock().unwrap();
    if !authorized(&mut state, &parts.headers, &format!("http://{host}{path}"), &query) {
        return json_answer(
            403,
            &json!({ "codeMajor": "failure", "codeMinor": "unauthorized", "description": "Invalid token", "severity": "error" }),
        );
    }
    page(&state, collection, &query, planned)
}

fn token(state: &mut State, headers: &HeaderMap, body: &[u8]) -> Response<Body> {
    let form = pairs(std::str::from_utf8(body).unwrap());
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!(field("grant_type"), Some("client_credentials"));
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8().unwrap().into_owned();
    let good = match state.setup.auth {
        Auth::OAuth2Basic => {
            let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Basic ").map(str::to_owned));
            let text = basic.map(|basic| String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap());
            text.and_then(|text| text.split_once(':').map(|(id, secret)| (decode(id), decode(secret))))
                == Some((CLIENT_ID.to_owned(), CLIENT_SECRET.to_owned()))
        }
        _ => field("client_id") == Some(CLIENT_ID) && field("client_secret") == Some(CLIENT_SECRET),
    };
    if !good {
        return json_answer(401, &json!({ "error": "invalid_client", "error_description": "who are you?" }));
    }
    state.tokens += 1;
    let token = format!("token-{}", state.tokens);
    state.token = Some(token.clone());
    json_answer(200, &json!({ "access_token": token, "token_type": "Bearer", "expires_in": state.setup.token_life }))
}

fn authorized(state: &mut State, headers: &HeaderMap, url: &str, query: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    match state.setup.auth {
        Auth::OAuth1(method) => signed(state, &given, url, query, method),
        _ => state.token.as_ref().is_some_and(|token| given == format!("Bearer {token}")),
    }
}

/// RFC 5849 §3.4, a second time and in other words than the client's.
fn signed(state: &mut State, given: &str, url: &str, query: &str, method: &str) -> bool {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    let encode = |text: &str| utf8_percent_encode(text, KEPT).to_string();
    let Some(fields) = given.strip_prefix("OAuth ") else { return false };
    let mut fields: BTreeMap<String, String> = fields
        .split(',')
        .map(|field| field.trim().split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), percent_decode_str(value.trim_matches('"')).decode_utf8().unwrap().into_owned()))
        .collect();
    let signature = fields.remove("oauth_signature").unwrap_or_default();
    if fields["oauth_signature_method"] != method || fields["oauth_consumer_key"] != CLIENT_ID {
        return false;
    }
    assert!(!state.nonces.contains(&fields["oauth_nonce"]), "a nonce came twice");
    state.nonces.push(fields["oauth_nonce"].clone());
    let mut parameters: Vec<String> =
        pairs(query).into_iter().chain(fields).map(|(n, v)| format!("{}={}", encode(&n), encode(&v))).collect();
    parameters.sort();
    let base = ["GET".to_owned(), encode(url), encode(&parameters.join("&"))].join("&");
    let algorithm = if method == "HMAC-SHA1" { hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY } else { hmac::HMAC_SHA256 };
    let key = hmac::Key::new(algorithm, format!("{}&", encode(CLIENT_SECRET)).as_bytes());
    hmac::verify(&key, base.as_bytes(), &STANDARD.decode(signature).unwrap_or_default()).is_ok()
}

fn page(state: &State, collection: &str, query: &str, trouble: Option<Trouble>) -> Response<Body> {
    let Some(records) = state.data.get(collection) else { return status(404) };
    let query = pairs(query);
    let value = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if state.setup.refuses_changes && value("filter").is_some_and(|filter| filter.contains("dateLastModified")) {
        return json_answer(
            400,
            &json!({ "imsx_codeMajor": "failure", "imsx_description": "the field 'dateLastModified' is not allowed for filtering" }),
        );
    }
    let is_shown = |record: &&Value| match value("filter") {
        None => true,
        Some(_) if state.setup.ignores_filter => true,
        Some(filter) => passes(record, filter) || state.setup.ignores_roles && filter.starts_with("role"),
    };
    let wanted: Vec<&Value> = records.iter().filter(is_shown).collect();
    let paging = state.setup.paging;
    let start: usize =
        value(if paging == Paging::Cursor { "cursor" } else { "offset" }).map_or(0, |text| text.trim_start_matches('p').parse().unwrap());
    let limit = value("limit").map_or(100, |text| text.parse().unwrap()).min(state.setup.cap);
    let mut total = wanted.len() as i64;
    let skip = match &trouble {
        Some(Trouble::Shifted) => start.max(1) - 1,
        Some(Trouble::Repeated) => start.saturating_sub(limit),
        _ => start,
    };
    let mut shown: Vec<Value> = wanted.iter().skip(skip).take(limit).map(|record| (*record).clone()).collect();
    match &trouble {
        Some(Trouble::Status(code, retry_after)) => {
            let mut response = json_answer(*code, &json!({ "imsx_codeMajor": "failure", "imsx_description": "no luck today" }));
            if let Some(after) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, after.parse().unwrap());
            }
            return response;
        }
        Some(Trouble::Redirect(to)) => {
            return Response::builder().status(302).header(header::LOCATION, to).body(Body::empty()).unwrap();
        }
        Some(Trouble::Html) => {
            let body = Body::from("<html><title>Sign in</title></html>");
            return Response::builder().header(header::CONTENT_TYPE, "text/html; charset=utf-8").body(body).unwrap();
        }
        Some(Trouble::Short) => drop(shown.pop()),
        Some(Trouble::Total(more)) => total += more,
        Some(Trouble::TotalLater(more)) if start > 0 => total += more,
        Some(Trouble::Huge(bytes)) => shown[0]["title"] = json!("x".repeat(*bytes)),
        _ => {}
    }
    let end = start + limit;
    let mut text = serde_json::to_vec(&json!({ collection: shown })).unwrap();
    match &trouble {
        Some(Trouble::CutJson) => text.truncate(text.len() - 3),
        Some(Trouble::Other(other)) => text = other.as_bytes().to_vec(),
        _ => {}
    }
    let mut response = Response::builder().header(header::CONTENT_TYPE, "application/json;charset=UTF-8");
    if matches!(paging, Paging::Total | Paging::Both | Paging::Cursor) {
        response = response.header("x-total-count", total);
    }
    let more = end < wanted.len();
    let link = match paging {
        Paging::Link | Paging::Both if more => Some(format!(
            "</ims/x/{collection}?offset=0&limit={limit}>; rel=\"first\", </ims/x/{collection}?offset={end}&limit={limit}{}>; rel=\"next\"",
            filter_of(&query)
        )),
        Paging::Cursor if more => Some(format!("<?cursor=p{end}&limit={limit}{}>; rel=next", filter_of(&query))),
        Paging::EndlessLink => {
            Some(format!("<https://localhost:3902/ims/{collection}?offset={end}&limit={limit}{}>; rel=\"next\",", filter_of(&query)))
        }
        _ => None,
    };
    if let Some(link) = link {
        response = response.header(header::LINK, link);
    }
    if state.setup.no_content && wanted.iter().skip(skip).take(limit).next().is_none() {
        return response.status(StatusCode::NO_CONTENT).body(Body::empty()).unwrap();
    }
    if trouble == Some(Trouble::Drop) {
        let half = Bytes::from(text[..text.len() / 2].to_vec());
        let broken = futures_util::stream::iter([Ok(half), Err(std::io::Error::other("broken"))]);
        return response.body(Body::from_stream(broken)).unwrap();
    }
    if state.setup.gzip {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&text).unwrap();
        return response.header(header::CONTENT_ENCODING, "gzip").body(Body::from(encoder.finish().unwrap())).unwrap();
    }
    response.body(Body::from(text)).unwrap()
}

fn filter_of(query: &[(String, String)]) -> String {
    let filter = query.iter().find(|(name, _)| name == "filter");
    filter.map_or_else(String::new, |(_, value)| format!("&filter={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
}

/// `field='value'` and `field>'value'`, and two of them with AND.
fn passes(record: &Value, filter: &str) -> bool {
    filter.split(" AND ").all(|part| {
        let (name, rest) = part.split_at(part.find(['=', '>']).unwrap());
        let (operator, wanted) = rest.split_at(1);
        let (given, wanted) = (record[name].as_str().unwrap_or_default(), wanted.trim_matches('\''));
        if operator == "=" { given == wanted } else { given > wanted }
    })
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let decode = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8().unwrap().into_owned();
    text.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, ""))).map(|(k, v)| (decode(k), decode(v))).collect()
}

fn json_answer(code: u16, body: &Value) -> Response<Body> {
    Response::builder().status(code).header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_string())).unwrap()
}

fn status(code: u16) -> Response<Body> {
    Response::builder().status(code).body(Body::empty()).unwrap()
}

/// A small school: three orgs, two sessions, a course, a class for every ten students; a guardian for
/// every student, a teacher for every class, and one user who was deleted.
pub(crate) fn school(version: &str, students: usize) -> Data {
    let changed = "2026-09-01T00:00:00.000Z";
    let head = |id: String, mut rest: Value| {
        rest["sourcedId"] = json!(id);
        rest["status"] = json!("active");
        rest["dateLastModified"] = json!(changed);
        rest
    };
    let to = |ty: &str, id: &str| json!({ "href": format!("{ty}s/{id}"), "sourcedId": id, "type": ty });
    let person = |id: String, role: &str, agents: Vec<Value>| {
        let mut user = head(
            id.clone(),
            json!({
                "enabledUser": 1, "username": id, "givenName": format!("Ana {id}"), "familyName": "O'Neill, Jr.", "identifier": id,
                "email": format!("{id}@d.example"), "agents": agents, "grades": ["05"], "password": "never",
                "userIds": [{ "type": "LDAP", "identifier": id }], "metadata": { "microsoft.userFlags": "freeLunch,504", "x": 1 },
            }),
        );
        if version == "1.1" {
            user["role"] = json!(role);
            user["orgs"] = json!([to("org", "S1")]);
        } else {
            user["roles"] = json!([{ "roleType": "primary", "role": role, "org": to("org", "S1"), "beginDate": "2026-08-01" }]);
            user["primaryOrg"] = to("org", "S1");
            user["preferredFirstName"] = json!("Annie");
        }
        user
    };
    let mut data = Data::new();
    let orgs = [("D", "district", None), ("S1", "school", Some("D")), ("S2", "school", Some("D"))];
    let orgs = orgs.map(|(id, ty, parent)| {
        head(id.to_owned(), json!({ "name": format!("{ty} \"{id}\""), "type": ty, "parent": parent.map(|p| to("org", p)) }))
    });
    data.insert("orgs", orgs.to_vec());
    let session = |id: &str, ty: &str, parent: Option<&str>| {
        let rest = json!({ "title": id, "type": ty, "startDate": "2026-08-01", "endDate": "2027-06-30", "schoolYear": "2027", "parent": parent.map(|p| to("academicSession", p)) });
        head(id.to_owned(), rest)
    };
    data.insert("academicSessions", vec![session("Y", "schoolYear", None), session("T", "term", Some("Y"))]);
    data.insert("courses", vec![head("C".to_owned(), json!({ "title": "Maths", "org": to("org", "S1"), "schoolYear": to("academicSession", "Y"), "subjects": ["Maths", "Art, plain"], "subjectCodes": ["02", "05"] }))]);
    let (mut users, mut classes, mut enrollments, mut demographics) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let enroll = |user: &str, class: &str, role: &str| {
        let rest = json!({ "user": to("user", user), "class": to("class", class), "school": to("org", "S1"), "role": role, "primary": role == "teacher" });
        head(format!("e-{class}-{user}"), rest)
    };
    for n in 0..students {
        let (id, guardian, class) = (format!("s{n}"), format!("g{n}"), format!("k{}", n / 10));
        if n % 10 == 0 {
            let teacher = format!("t{}", n / 10);
            users.push(person(teacher.clone(), "teacher", Vec::new()));
            let rest = json!({ "title": format!("Maths\n{class}"), "classType": "scheduled", "course": to("course", "C"), "school": to("org", "S1"), "terms": [to("academicSession", "T")], "periods": ["1", "2"] });
            classes.push(head(class.clone(), rest));
            enrollments.push(enroll(&teacher, &class, "teacher"));
        }
        users.push(person(id.clone(), "student", vec![to("user", &guardian)]));
        users.push(person(guardian, "guardian", vec![to("user", &id)]));
        enrollments.push(enroll(&id, &class, "student"));
        demographics.push(head(id, json!({ "birthDate": "2015-04-01", "sex": "female", "asian": "true", "white": false })));
    }
    let mut gone = person("gone".to_owned(), "student", Vec::new());
    gone["status"] = json!("tobedeleted");
    gone["dateLastModified"] = json!("2026-10-01T00:00:00.000Z");
    users.push(gone);
    data.extend([("users", users), ("classes", classes), ("enrollments", enrollments), ("demographics", demographics)]);
    data
}
