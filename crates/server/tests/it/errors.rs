//! Every error that the API answers, provoked over HTTP, and `docs/errors.md`, which is written from what
//! came back. `HOMEROOM_BLESS=1` writes the page anew.
//!
//! That the table has every variant of the application's error is tested beside it, in `src/error.rs`.

use crate::harness::{Server, id, year};
use reqwest::Method;
use serde_json::{Value, json};
use server::config::{Config, Runs};
use server::describe::ERRORS;
use std::fmt::Write as _;
use std::path::PathBuf;

const ROOT: &str = "/beta/external/industryData";

/// A request that leads to an error.
#[derive(Default)]
struct Request {
    method: Method,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
    /// `None`: every permission.
    token: Option<String>,
}

impl Request {
    fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), ..Self::default() }
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn json(mut self, body: &Value) -> Self {
        self.body = body.to_string();
        self.with("Content-Type", "application/json")
    }

    fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }
}

/// The request that shows each row of the table, in its order; what has to be there for it is made here.
async fn requests(server: &Server) -> Vec<(u16, Request)> {
    let (connector, flow) = server.configure_inbound().await;
    let flow = server.get(&format!("{ROOT}/inboundFlows/{flow}?$expand=year")).await;
    let year_path = format!("{ROOT}/years/{}", id(&flow["year"]));
    let reader = server.token_with(vec!["IndustryData-TimePeriod.Read.All".to_owned()]).await;
    server.run().await;
    let part = |id: &str, depends_on: &[&str]| json!({ "id": id, "method": "GET", "url": "/external/industryData/years/never", "dependsOn": depends_on });
    let mut backwards = year();
    backwards["endDate"] = json!("2026-07-31");
    let rename = json!({ "displayName": "2026/27" });
    vec![
        (400, Request::new(Method::POST, format!("{ROOT}/years")).json(&backwards)),
        (401, Request::new(Method::GET, format!("{ROOT}/years")).token("expired-or-not-a-token")),
        (403, Request::new(Method::PATCH, &year_path).json(&rename).token(&reader)),
        (404, Request::new(Method::GET, format!("{ROOT}/years/never"))),
        (405, Request::new(Method::PUT, &year_path).json(&rename)),
        (406, Request::new(Method::GET, &year_path).with("Accept", "application/xml")),
        (409, Request::new(Method::DELETE, &year_path)),
        (412, Request::new(Method::PATCH, &year_path).with("If-Match", "W/\"0\"").json(&rename)),
        (413, Request::new(Method::POST, format!("{ROOT}/years")).json(&json!({ "displayName": "x".repeat(1024 * 1024) }))),
        (
            415,
            Request { body: "<year/>".to_owned(), ..Request::new(Method::POST, format!("{ROOT}/years")).with("Content-Type", "text/xml") },
        ),
        (424, Request::new(Method::POST, "/beta/$batch").json(&json!({ "requests": [part("1", &[]), part("2", &["1"])] }))),
        (429, Request::new(Method::POST, format!("{ROOT}/runs/start"))),
        (500, Request::new(Method::GET, format!("{ROOT}/dataConnectors/{connector}"))),
    ]
}

/// What differs from run to run, in one form.
struct Plain {
    base: String,
    ids: Vec<String>,
}

impl Plain {
    /// GUIDs in the order in which they appear, all different.
    fn text(&mut self, text: &str) -> String {
        let mut out = text.replace(&self.base, "https://homeroom.example");
        let guids: Vec<String> = text
            .split(|c: char| !c.is_ascii_hexdigit() && c != '-')
            .filter(|p| uuid::Uuid::parse_str(p).is_ok())
            .map(str::to_owned)
            .collect();
        for guid in guids {
            if !self.ids.contains(&guid) {
                self.ids.push(guid.clone());
            }
            let number = self.ids.iter().position(|known| *known == guid).unwrap() + 1;
            out = out.replace(&guid, &format!("{number:08x}-0000-4000-8000-000000000000"));
        }
        out
    }

    fn error(&mut self, error: &Value) -> String {
        let mut error = error.clone();
        error["innerError"] = json!({ "date": "2026-09-01T06:00:00", "request-id": "…", "client-request-id": "…" });
        self.text(&serde_json::to_string_pretty(&json!({ "error": error })).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_provoked_and_the_page_shows_it() {
    let server = Server::with(Config { runs: Runs { on_demand_per_12h: 1 }, ..Config::default() }).await;
    let requests = requests(&server).await;
    assert_eq!(requests.iter().map(|(status, _)| *status).collect::<Vec<_>>(), ERRORS.iter().map(|row| row.status).collect::<Vec<_>>());
    let mut plain = Plain { base: server.base.clone(), ids: Vec::new() };
    let (mut table, mut examples) = (String::new(), String::new());
    for ((status, request), row) in requests.iter().zip(ERRORS) {
        if *status == 500 {
            // Nothing that a client can do leads here, so the ground is taken away.
            let ctx = server.app.system(server.tenant.id);
            let broken = server.app.store().write::<_, store::StoreError>(&ctx, |tx| tx.execute("DROP TABLE document", &[])).await;
            broken.unwrap();
        }
        let token = request.token.as_deref().unwrap_or(server.token());
        let mut call = server.http.request(request.method.clone(), format!("{}{}", server.base, request.path)).bearer_auth(token);
        for (name, value) in &request.headers {
            call = call.header(*name, *value);
        }
        let answer = call.body(request.body.clone()).send().await.unwrap();
        let given = answer.status().as_u16();
        let header = row.header.map(|name| (name, answer.headers()[name].to_str().unwrap().to_owned()));
        let mut body: Value = answer.json().await.unwrap();
        if *status == 424 {
            // The batch itself is answered; it is the part that is not.
            assert_eq!((given, &body["responses"][1]["status"]), (200, &json!(424)), "{body}");
            body = body["responses"][1]["body"].clone();
        } else {
            assert_eq!(given, *status, "{body}");
        }
        assert_eq!(body["error"]["code"], row.code);
        let shown = if request.body.len() > 1_000 { format!("… {} bytes …", request.body.len()) } else { request.body.clone() };
        let _ = writeln!(
            table,
            "| {status} | [`{}`](#{}) | {} | {} |",
            row.code,
            row.code.to_lowercase(),
            row.when,
            row.header.map_or_else(String::new, |h| format!("`{h}`"))
        );
        let _ = write!(examples, "\n### {}\n\n```http\n{} {}\n", row.code, request.method, plain.text(&request.path));
        for (name, value) in &request.headers {
            let _ = writeln!(examples, "{name}: {value}");
        }
        if !shown.is_empty() {
            let _ = writeln!(examples, "\n{}", plain.text(&shown));
        }
        let _ = write!(examples, "```\n\n```http\nHTTP/1.1 {status}\n");
        let mut error = plain.error(&body["error"]);
        if let Some((name, value)) = header {
            // How long there is to wait depends on the clock.
            let value = if name == "Retry-After" {
                error = error.replace(&value, "43187");
                "43187".to_owned()
            } else {
                value
            };
            let _ = writeln!(examples, "{name}: {value}");
        }
        let _ = write!(examples, "\n{error}\n```\n");
    }
    is_current(&page(&table, &examples));
    server.stop().await;
}

fn page(table: &str, examples: &str) -> String {
    format!(
        "# Errors\n\n\
         Every error that the API answers. This page is generated: a test provokes each one and writes down what came back.\n\n\
         Go by `status` and `code`; `message` is for people and may change. `target` names the property, query option or segment \
         at fault, `details` what stands in the way. `request-id` is the one to look for in the log; `client-request-id` is the \
         caller's own where one was sent. Both are headers as well.\n\n\
         | status | code | when | header |\n| --- | --- | --- | --- |\n{table}\n\
         What is no request of HTTP is answered with 400, a head that is too large with 431, both without a body. The endpoints for \
         tokens answer errors as RFC 6749 §5.2 says, in Microsoft Entra's words ([authentication](authentication.md)); the addresses \
         for uploads answer those of Azure Storage, with `x-ms-error-code`. Errors in data are no errors of the API: they are \
         [findings](findings.md) of a validation or a run.\n\n\
         ## Examples\n{examples}"
    )
}

fn is_current(text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    if std::env::var_os("HOMEROOM_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert!(there == text, "docs/errors.md is not what the server answers; HOMEROOM_BLESS=1 writes it anew");
}
