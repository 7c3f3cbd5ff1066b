//! The OpenAPI document: sound in itself, true of the server, true of every transcript.

use crate::harness::Server;
use crate::schema::mismatch;
use crate::transcript::{self, Step};
use crate::world::{fill_each, world};
use serde_json::{Value, json};
use server::describe::endpoints::{Endpoint, Served, What, endpoints};
use std::collections::BTreeSet;

/// The document as a client reads it.
pub fn document() -> Value {
    serde_json::from_str(&server::describe::openapi("https://homeroom.example")).unwrap()
}

fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let items = document["paths"].as_object().unwrap();
    items.iter().flat_map(|(path, item)| item.as_object().unwrap().iter().map(|(m, op)| (path.as_str(), m.as_str(), op))).collect()
}

fn visit<'a>(value: &'a Value, found: &mut impl FnMut(&'a str)) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value.as_str() {
                    Some(target) if name == "$ref" => found(target),
                    _ => visit(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = document();
    let mut used = BTreeSet::new();
    visit(&document, &mut |target| {
        assert!(document.pointer(target.strip_prefix('#').unwrap()).is_some(), "{target}");
        used.insert(target);
    });
    for kind in ["schemas", "parameters", "responses", "headers"] {
        for name in document["components"][kind].as_object().unwrap().keys().filter(|name| !is_spare(name)) {
            assert!(used.contains(format!("#/components/{kind}/{name}").as_str()), "{kind} {name} is not used");
        }
    }
    for (_, schema) in document["components"]["schemas"].as_object().unwrap() {
        for target in schema["discriminator"]["mapping"].as_object().into_iter().flatten().map(|(_, target)| target) {
            assert!(document.pointer(target.as_str().unwrap().strip_prefix('#').unwrap()).is_some(), "{target}");
        }
    }
}

/// Errors that no endpoint of the list answers: another method, and a part of a batch.
fn is_spare(name: &str) -> bool {
    matches!(name, "MethodNotAllowed" | "FailedDependency")
}

#[test]
fn every_operation_has_an_id_of_its_own_and_declares_its_parameters() {
    let document = document();
    let tags: BTreeSet<_> = document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{} stands twice", operation["operationId"]);
        let in_path: Vec<_> = path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}')).collect();
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        let declared: Vec<_> = parameters.iter().filter(|p| p["in"] == "path").map(|p| p["name"].as_str().unwrap()).collect();
        assert_eq!(in_path, declared, "{method} {path}");
        assert_eq!(in_path.iter().collect::<BTreeSet<_>>().len(), in_path.len(), "{path} has a parameter twice");
        for tag in operation["tags"].as_array().unwrap() {
            assert!(tags.contains(tag.as_str().unwrap()), "{tag}");
        }
        assert!(operation["responses"].as_object().is_some_and(|r| r.keys().any(|status| status.starts_with('2'))), "{method} {path}");
    }
    assert_eq!(document["servers"][0]["url"], "https://homeroom.example");
}

/// Whether a path of a request is that of a template; a name in braces stands for one segment.
pub fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let fits = |(template, given): (&&str, &&str)| {
        let key = template.starts_with('{');
        // Case folds in URLs, but what the list shows is the canonical spelling.
        if key { !given.starts_with('$') && !given.contains('.') || given.contains('@') } else { template == given }
    };
    template.len() == path.len() && template.iter().zip(&path).all(fits)
}

/// The endpoint that a step of a transcript asks, when it does so by a URL of the list.
pub fn endpoint_of<'a>(all: &'a [Endpoint], step: &Step) -> Option<&'a Endpoint> {
    let path = step.url.split('?').next().unwrap_or_default();
    let (version, path) = path.strip_prefix('/')?.split_once('/')?;
    let served = |endpoint: &&Endpoint| version == "beta" || (version == "v1.0" && endpoint.served == Served::Both);
    // `runs/start` is no run of the key `start`, whatever the method.
    let is_operation = all.iter().any(|e| matches!(e.what, What::Call(_)) && e.path == path);
    let literal = |endpoint: &&Endpoint| endpoint.path.split('/').filter(|segment| !segment.starts_with('{')).count();
    all.iter()
        .filter(served)
        .filter(|endpoint| endpoint.method == step.method && matches(&endpoint.path, path))
        .filter(|e| !is_operation || matches!(e.what, What::Call(_)))
        .max_by_key(literal)
}

/// Status and JSON of an expected answer.
pub fn answer(step: &Step) -> (String, Option<Value>) {
    let (head, body) = step.expected.split_once("\n\n").unwrap_or((&step.expected, ""));
    (head.lines().next().unwrap_or_default().to_owned(), serde_json::from_str(body).ok())
}

/// Steps that show what the server takes beyond the document: other spellings, what it ignores, and
/// parts that it keeps when they are left out.
const LENIENT: [&str; 4] = ["another case", "times in the body", "settings without binds", "sent back as it was read"];

#[test]
fn every_answer_of_the_transcripts_is_in_the_document() {
    let (document, all) = (document(), endpoints());
    let mut wrong = Vec::new();
    let mut checked = 0;
    for step in crate::TRANSCRIPTS.iter().flat_map(|name| transcript::steps(name)) {
        let Some(endpoint) = endpoint_of(&all, &step) else { continue };
        let (status, body) = answer(&step);
        let operation = &document["paths"][format!("/beta/{}", endpoint.path)][endpoint.method.to_lowercase()];
        let mut response = &operation["responses"][&status];
        if let Some(reference) = response["$ref"].as_str() {
            response = document.pointer(&reference[1..]).unwrap();
        }
        if response.is_null() {
            wrong.push(format!("{}: {} {} answered {status}", step.title, step.method, step.url));
            continue;
        }
        let schema = &response["content"]["application/json"]["schema"];
        match body {
            Some(body) if schema.is_object() => {
                checked += 1;
                wrong.extend(mismatch(&document, schema, &body, &step.title));
            }
            Some(body) if response["content"]["text/plain"].is_null() => wrong.push(format!("{}: {body}", step.title)),
            _ => {}
        }
        // What the server took, the document must allow too.
        if status.starts_with('2') && !step.body.is_empty() {
            let given: Value = serde_json::from_str(&step.body).unwrap();
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let lenient = LENIENT.iter().any(|title| step.title.contains(title));
            if schema.is_object() && !lenient {
                wrong.extend(mismatch(&document, schema, &given, &format!("{}: request", step.title)));
            }
        }
    }
    assert!(checked > 80, "{checked}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether the URL casts an entity to a type that it is not of.
async fn is_of_another_type(server: &Server, endpoint: &Endpoint, path: &str) -> bool {
    let Some(cast) = endpoint.cast.map(odata::edm::StructuredType::qualified) else { return false };
    let entity = path.split(&format!("/{cast}")).next().unwrap();
    match server.get(entity).await["@odata.type"].as_str() {
        Some(named) => named != format!("#{cast}"),
        // A collection.
        None => false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_of_the_list_is_served_and_no_other_method() {
    let server = Server::start().await;
    let (document, all, ids) = (document(), endpoints(), world(&server).await);
    let mut wrong = Vec::new();
    // What takes something away comes last, and names a version that there is not.
    let (last, first): (Vec<_>, Vec<_>) = all.iter().partition(|e| matches!(e.what, What::RemoveLink));
    let urls = first.into_iter().chain(last).flat_map(|endpoint| fill_each(endpoint, &ids).into_iter().map(move |url| (endpoint, url)));
    for (endpoint, url) in urls {
        let path = format!("/beta/{url}");
        let mut request =
            server.http.request(endpoint.method.parse().unwrap(), format!("{}{path}", server.base)).bearer_auth(server.token());
        if matches!(endpoint.method, "DELETE") && !matches!(endpoint.what, What::RemoveLink) {
            request = request.header("if-match", "W/\"0\"");
        }
        if matches!(endpoint.what, What::Create | What::Update | What::ShortUpdate | What::AddLink) {
            request = request.json(&json!({ "unknown": 1 }));
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let expected: &[u16] = match endpoint.what {
            What::Create | What::Update | What::ShortUpdate | What::AddLink => &[400],
            What::Delete => &[412, 409],
            What::RemoveLink => &[204],
            What::Call(op) if op.action => &[202],
            // A group is in no group here.
            What::Link if endpoint.path.starts_with("groups") && endpoint.path.contains("memberOf") => &[404],
            What::Property | What::PropertyValue => &[200, 204],
            _ => &[200],
        };
        // A cast to what the entity is not.
        let expected = if is_of_another_type(&server, endpoint, &path).await { &[404] } else { expected };
        if !expected.contains(&status) {
            wrong.push(format!("{} {path}: {status} {text}", endpoint.method));
            continue;
        }
        let operation = &document["paths"][format!("/beta/{}", endpoint.path)][endpoint.method.to_lowercase()];
        if operation["responses"][status.to_string()].is_null() {
            wrong.push(format!("{} {path}: {status} is not in the document", endpoint.method));
        }
        let schema = &operation["responses"][status.to_string()]["content"]["application/json"]["schema"];
        if schema.is_object() && !text.is_empty() {
            let body: Value = serde_json::from_str(&text).unwrap();
            wrong.extend(mismatch(&document, schema, &body, &format!("{} {path}", endpoint.method)));
        }
    }
    let paths: BTreeSet<_> = all.iter().map(|e| &e.path).collect();
    for path in paths {
        let answered: Vec<_> = all.iter().filter(|e| &e.path == path).collect();
        for method in ["GET", "POST", "PATCH", "PUT", "DELETE"].iter().filter(|m| !answered.iter().any(|e| e.method == **m)) {
            let filled = fill_each(answered[0], &ids).remove(0);
            if is_of_another_type(&server, answered[0], &format!("/beta/{filled}")).await {
                continue;
            }
            // The member has been removed by now: there is nothing left to answer for.
            if path.contains("members/{") {
                continue;
            }
            // A reference leads to an entity that answers on its own page; see there.
            if answered.iter().any(|e| matches!(e.what, What::Follow)) {
                continue;
            }
            let answer = server.send(method.parse().unwrap(), &format!("/beta/{filled}"), Some(&json!({}))).await;
            let status = answer.status().as_u16();
            let allow = answer.headers().get("allow").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
            let all_named = answered.iter().all(|e| allow.split(", ").any(|m| m == e.method));
            if status != 405 || !all_named {
                wrong.push(format!("{method} /beta/{filled}: {status}, allow {allow}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    server.stop().await;
}

/// What is beside Graph is described too: every route of it, and its answers as they are.
#[tokio::test(flavor = "multi_thread")]
async fn the_routes_of_the_admin_api_answer_as_the_document_says() {
    let root = tempfile::tempdir().unwrap();
    let intake = server::config::Intake { folders: vec![root.path().to_owned()] };
    let server = Server::with(server::config::Config { intake, ..server::config::Config::default() }).await;
    server.configure_inbound().await;
    let run = server.run().await;
    let folder = json!({ "connector": "CSV", "folder": root.path(), "start_run": false });
    let sftp = json!({ "host": "192.0.2.1", "user": "homeroom", "password": "open sesame", "path": "/out",
                       "host_key": format!("SHA256:{}", "A".repeat(43)) });
    let remote = json!({ "connector": "CSV", "sftp": sftp });
    let findings = |extension: &str| format!("/admin/runs/{}/findings.{extension}", run["id"].as_str().unwrap());
    let (one, document) = ("/admin/sources/{name}", document());
    let calls = [
        ("PUT", one, "/admin/sources/Nightly".to_owned(), Some(folder.clone()), 201),
        ("PUT", one, "/admin/sources/Nightly".to_owned(), Some(folder), 200),
        ("PUT", one, "/admin/sources/Remote".to_owned(), Some(remote), 400),
        ("GET", "/admin/sources", "/admin/sources".to_owned(), None, 200),
        ("GET", one, "/admin/sources/Nightly".to_owned(), None, 200),
        ("GET", one, "/admin/sources/Nobody".to_owned(), None, 404),
        ("DELETE", one, "/admin/sources/Nightly".to_owned(), None, 204),
        ("DELETE", one, "/admin/sources/Nightly".to_owned(), None, 404),
        ("GET", "/admin/runs/{id}/findings.csv", findings("csv"), None, 200),
        ("GET", "/admin/runs/{id}/findings.json", findings("json"), None, 200),
        ("GET", "/admin/runs/{id}/findings.html", findings("html"), None, 200),
        ("GET", "/admin/runs/{id}/findings.html", "/admin/runs/none/findings.html".to_owned(), None, 404),
    ];
    let mut described: BTreeSet<(String, String)> = operations(&document)
        .into_iter()
        .filter(|(path, ..)| path.starts_with("/admin"))
        .map(|(path, method, _)| (method.to_uppercase(), path.to_owned()))
        .collect();
    for (method, template, path, body, status) in calls {
        let answer = server.send(method.parse().unwrap(), &path, body.as_ref()).await;
        let what = format!("{method} {path}");
        let media = answer.headers().get("content-type").map(|media| media.to_str().unwrap().split(';').next().unwrap().to_owned());
        assert_eq!(answer.status().as_u16(), status, "{what}: {}", answer.text().await.unwrap());
        let operation = &document["paths"][template][method.to_lowercase()];
        let mut response = &operation["responses"][status.to_string()];
        if let Some(reference) = response["$ref"].as_str() {
            response = document.pointer(&reference[1..]).unwrap();
        }
        assert!(response.is_object(), "{what}: {status} is not in the document");
        if let Some(media) = media {
            let schema = &response["content"][&media]["schema"];
            assert!(schema.is_object(), "{what}: {media}");
            if media == "application/json" {
                assert_eq!(mismatch(&document, schema, &answer.json().await.unwrap(), &what), None);
            }
        }
        if let Some(body) = body {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            assert_eq!(mismatch(&document, schema, &body, &what), None);
        }
        described.remove(&(method.to_owned(), template.to_owned()));
    }
    assert!(described.is_empty(), "described and not asked: {described:?}");
    // Compressed, as browsers ask for it, a report comes whole, too.
    for extension in ["csv", "json", "html"] {
        let report = server.http.get(format!("{}{}", server.base, findings(extension))).bearer_auth(server.token());
        let report = report.header("accept-encoding", "gzip").send().await.unwrap();
        assert_eq!((report.status().as_u16(), &report.headers()["content-encoding"]), (200, &"gzip".parse().unwrap()), "{extension}");
        assert!(report.bytes().await.unwrap().starts_with(&[0x1f, 0x8b]), "{extension}");
    }
    // A line of a report is what the document says of it.
    let schema = json!({ "$ref": "#/components/schemas/admin-finding" });
    let line = roster::Finding { key: Some("s1".to_owned()), ..roster::Finding::of_file("PersonNotMatched", "users.csv", "x") };
    assert_eq!(mismatch(&document, &schema, &line.to_json(), "a finding"), None);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_needs_no_token_and_names_the_server() {
    let server = Server::start().await;
    let answer = server.http.get(format!("{}/openapi.json", server.base)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let document: Value = answer.json().await.unwrap();
    assert_eq!(document["servers"][0]["url"], server.base);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_of_beta_in_both_forms() {
    let server = Server::start().await;
    let get = |accept: &'static str| server.http.get(format!("{}/beta/$metadata", server.base)).header("accept", accept).send();
    let xml = get("application/xml").await.unwrap();
    assert_eq!(xml.headers()["content-type"], "application/xml;charset=utf-8");
    assert_eq!(xml.headers()["odata-version"], "4.0");
    assert_eq!(xml.text().await.unwrap(), industry_data::edm::metadata().xml());
    let json = get("application/json").await.unwrap();
    assert_eq!(json.headers()["odata-version"], "4.01");
    assert_eq!(json.json::<Value>().await.unwrap(), industry_data::edm::metadata().json());
    server.stop().await;
}
