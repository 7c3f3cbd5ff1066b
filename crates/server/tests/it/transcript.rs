//! Golden transcripts: files of requests with the answers that the server gave and a person read.
//!
//! A file is a list of steps:
//!
//! ```text
//! ### what this step shows
//! as: nobody | token T | permissions A, B | another tenant     (optional)
//! id: flow                                                     (optional)
//! repeat until: /readinessStatus = ready                       (optional)
//! PATCH /beta/securityGroupProvisioningFlow
//! Prefer: return=minimal
//!
//! { "creationOptions": … }
//! ---
//! 200
//! ETag: W/"2"
//!
//! { … }
//! ```
//!
//! `id: flow` names the id of the object that the step makes, for `{flow}` in later steps; other
//! GUIDs are numbered in the order of their appearance (`{id1}`), times near now are `{time}`, and
//! `{session}/users.csv` is that file at the last `sessionUrl`.
//! `HOMEROOM_BLESS=1` writes the answers anew; what a test run finds different it prints whole.

use crate::harness::Server;
use reqwest::Method;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// Headers worth a line in a transcript.
const SHOWN: [&str; 8] =
    ["allow", "content-type", "etag", "location", "preference-applied", "retry-after", "www-authenticate", "x-ms-error-code"];
/// The content type of nearly every answer, left out.
const USUAL: &str = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

/// A request with the answer that is expected.
#[derive(Debug, Default)]
pub struct Step {
    pub title: String,
    pub caller: Option<String>,
    pub names: Option<String>,
    pub until: Option<(String, String)>,
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub expected: String,
}

fn parse(text: &str) -> (String, Vec<Step>) {
    let mut parts = text.split("\n### ");
    let preamble = parts.next().unwrap_or_default().to_owned();
    let steps = parts
        .map(|part| {
            let (request, expected) = part.split_once("\n---\n").unwrap_or((part, ""));
            let mut lines = request.lines();
            let mut step =
                Step { title: lines.next().unwrap_or_default().to_owned(), expected: expected.trim_end().to_owned(), ..Step::default() };
            for line in lines.by_ref() {
                if let Some(caller) = line.strip_prefix("as: ") {
                    step.caller = Some(caller.to_owned());
                } else if let Some(name) = line.strip_prefix("id: ") {
                    step.names = Some(name.to_owned());
                } else if let Some(until) = line.strip_prefix("repeat until: ") {
                    step.until = until.split_once(" = ").map(|(p, v)| (p.to_owned(), v.to_owned()));
                } else if let Some((method, url)) = line.split_once(' ') {
                    (step.method, step.url) = (method.to_owned(), url.to_owned());
                    break;
                }
            }
            for line in lines.by_ref().take_while(|line| !line.is_empty()) {
                let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("not a header in '{}': {line}", step.title));
                step.headers.push((name.to_owned(), value.to_owned()));
            }
            step.body = lines.collect::<Vec<_>>().join("\n").trim_end().to_owned();
            step
        })
        .collect();
    (preamble, steps)
}

/// The steps of a transcript, for what is made of them.
pub fn steps(name: &str) -> Vec<Step> {
    parse(&std::fs::read_to_string(file(name)).unwrap()).1
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/transcripts").join(format!("{name}.http"))
}

/// What stands for what changes from run to run.
struct Names {
    base: String,
    tenant: String,
    /// Name and GUID.
    ids: Vec<(String, String)>,
    /// The last `sessionUrl`: address and signature.
    session: (String, String),
}

impl Names {
    fn fill(&self, text: &str) -> String {
        let mut text = text.replace("{base}", &self.base).replace("{tenant}", &self.tenant);
        for (name, id) in &self.ids {
            text = text.replace(&format!("{{{name}}}"), id);
        }
        text
    }

    fn strip(&mut self, text: &str) -> String {
        let text = text.replace(&self.base, "{base}").replace(&self.tenant, "{tenant}");
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some(c) = rest.chars().next() {
            if let Some(guid) = rest.get(..36).filter(|g| is_guid(g)) {
                if !self.ids.iter().any(|(_, id)| id == guid) {
                    let numbered = self.ids.iter().filter(|(name, _)| name.starts_with("id")).count();
                    self.ids.push((format!("id{}", numbered + 1), guid.to_owned()));
                }
                let name = self.ids.iter().find(|(_, id)| id == guid).map_or("", |(name, _)| name);
                let _ = write!(out, "{{{name}}}");
                rest = &rest[36..];
            } else if let Some(length) = name_of_run(rest) {
                out.push_str("Run {minute}");
                rest = &rest[length..];
            } else if let Some(length) = time_near_now(rest) {
                out.push_str("{time}");
                rest = &rest[length..];
            } else {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
        out
    }

    fn strip_json(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.strip(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.strip_json(item)),
            Value::Object(map) => {
                for (key, value) in map.iter_mut() {
                    match key.as_str() {
                        "request-id" | "client-request-id" | "date" => *value = Value::String("…".to_owned()),
                        "sessionUrl" => {
                            let bare = value.as_str().and_then(|u| u.split_once('?')).map_or("", |(bare, _)| bare).to_owned();
                            *value = Value::String(format!("{}?{{signature}}", self.strip(&bare)));
                        }
                        "@odata.nextLink" => {
                            let link = self.strip(value.as_str().unwrap_or_default());
                            let kept = link.split_once("$skiptoken=").map_or(link.as_str(), |(kept, _)| kept);
                            *value = Value::String(format!("{kept}$skiptoken={{more}}"));
                        }
                        "sessionExpirationDateTime" | "containerExpirationDateTime" => *value = Value::String("{later}".to_owned()),
                        _ => self.strip_json(value),
                    }
                }
            }
            _ => {}
        }
    }
}

fn is_guid(text: &str) -> bool {
    text.bytes()
        .enumerate()
        .all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() && !b.is_ascii_uppercase() })
}

/// Length of `Run 2026-09-01 06:00 UTC` at the start of a text.
fn name_of_run(text: &str) -> Option<usize> {
    let shape: String = text.chars().take(24).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    (shape == "Run 0000-00-00 00:00 UTC").then_some(shape.len())
}

/// Length of a timestamp at the start of a text when it lies within an hour of now.
fn time_near_now(text: &str) -> Option<usize> {
    let length = text.find(|c: char| !(c.is_ascii_digit() || "-:.TZ".contains(c))).unwrap_or(text.len());
    let time: jiff::Timestamp = text.get(..length).filter(|t| t.len() >= 20)?.parse().ok()?;
    (jiff::Timestamp::now().duration_since(time).abs() < jiff::SignedDuration::from_hours(1)).then_some(length)
}

/// Plays a transcript against a server and compares, or blesses what came.
pub async fn play(server: &Server, name: &str) {
    let path = file(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let (mut played, steps) = parse(&text);
    let mut names = Names { base: server.base.clone(), tenant: server.tenant.id.to_string(), ids: Vec::new(), session: Default::default() };
    let mut wrong = String::new();
    for step in &steps {
        let answer = perform(server, step, &mut names).await;
        if answer != step.expected {
            let _ = write!(wrong, "\n### {}\n{} {}\nexpected\n{}\nbut was\n{answer}\n", step.title, step.method, step.url, step.expected);
        }
        let _ = write!(played, "\n### {}\n", step.title);
        if let Some(caller) = &step.caller {
            let _ = writeln!(played, "as: {caller}");
        }
        if let Some(name) = &step.names {
            let _ = writeln!(played, "id: {name}");
        }
        if let Some((pointer, value)) = &step.until {
            let _ = writeln!(played, "repeat until: {pointer} = {value}");
        }
        let _ = writeln!(played, "{} {}", step.method, step.url);
        for (name, value) in &step.headers {
            let _ = writeln!(played, "{name}: {value}");
        }
        if !step.body.is_empty() {
            let _ = writeln!(played, "\n{}", step.body);
        }
        let _ = writeln!(played, "---\n{answer}");
    }
    assert!(!steps.is_empty(), "{name} has no steps");
    if std::env::var_os("HOMEROOM_BLESS").is_some() {
        std::fs::write(&path, played).unwrap();
    } else {
        assert!(wrong.is_empty(), "{name}: {wrong}");
    }
}

async fn perform(server: &Server, step: &Step, names: &mut Names) -> String {
    let token = match step.caller.as_deref() {
        None => Some(server.token().to_owned()),
        Some("nobody") => None,
        Some("another tenant") => {
            let other = server.app.create_tenant("Fabrikam", None, None).await.unwrap();
            Some(server.token_of(other.id, server::all_permissions()).await)
        }
        Some(caller) => match caller.strip_prefix("permissions ") {
            Some(list) => Some(server.token_with(list.split(", ").map(str::to_owned).collect()).await),
            None => Some(caller.strip_prefix("token ").unwrap_or(caller).to_owned()),
        },
    };
    let url = match step.url.strip_prefix("{session}") {
        Some(file) => format!("{}{file}?{}", names.session.0, names.session.1),
        None => names.fill(&step.url),
    };
    let url = if url.starts_with('/') { format!("{}{url}", server.base) } else { url };
    for attempt in 0.. {
        let mut request = server.http.request(Method::from_bytes(step.method.as_bytes()).unwrap(), &url);
        if let Some(token) = &token {
            request = request.bearer_auth(token);
        }
        let mut typed = false;
        for (name, value) in &step.headers {
            typed |= name.eq_ignore_ascii_case("content-type");
            request = request.header(name, names.fill(value));
        }
        if !step.body.is_empty() {
            if !typed {
                request = request.header("content-type", "application/json");
            }
            request = request.body(names.fill(&step.body));
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let headers = response.headers().clone();
        let body = response.text().await.unwrap();
        let json: Option<Value> = serde_json::from_str(&body).ok();
        if let Some((pointer, wanted)) = &step.until {
            let value = json.as_ref().and_then(|j| j.pointer(pointer)).and_then(Value::as_str);
            // What did not come in 20 seconds is shown as it is, and differs from what is expected.
            if value != Some(wanted) && attempt < 400 {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        }
        if let (Some(name), Some(id)) = (&step.names, json.as_ref().and_then(|j| j["id"].as_str())) {
            names.ids.push((name.clone(), id.to_owned()));
        }
        if let Some((address, signature)) = json.as_ref().and_then(|j| j["sessionUrl"].as_str()?.split_once('?')) {
            names.session = (address.to_owned(), signature.to_owned());
        }
        let mut answer = status.as_u16().to_string();
        for name in SHOWN {
            if let Some(value) = headers.get(name).and_then(|v| v.to_str().ok()).filter(|v| *v != USUAL) {
                // A blob's version is a time.
                let value = if value.starts_with("\"0x") { "\"{version}\"" } else { value };
                let _ = write!(answer, "\n{name}: {}", names.strip(value));
            }
        }
        if let Some(mut json) = json {
            names.strip_json(&mut json);
            let _ = write!(answer, "\n\n{}", serde_json::to_string_pretty(&json).unwrap());
        } else if !body.is_empty() {
            let _ = write!(answer, "\n\n{}", names.strip(body.trim_end()));
        }
        return answer;
    }
    unreachable!()
}
