//! `/admin` in the OpenAPI document: what is no part of Graph's model.

use super::ERRORS;
use super::openapi::{content, parameter, permission_text, security};
use super::schemas::reference;
use crate::config::source::{every_seconds, settled_seconds, ssh_port};
use crate::sources::{EVERY_SECONDS, NAME_MAX, PATH_MAX, SETTLED_SECONDS, TEXT_MAX};
use industry_data::permissions::{Action, Resource, allowed};
use roster::report::Form;
use serde_json::{Map, Value, json};

/// Names of schemas.
const SOURCE: &str = "admin-source";
const SOURCE_SHOWN: &str = "admin-source-shown";
const FINDING: &str = "admin-finding";
/// Every answer of an API with tokens may be one of these.
const ALWAYS: [u16; 4] = [401, 403, 429, 500];

/// Path, method, id and operation of each route.
pub(super) fn operations() -> Vec<(String, &'static str, String, Value)> {
    let (list, one) = ("/admin/sources".to_owned(), "/admin/sources/{name}".to_owned());
    let mut all = vec![
        (list, "get", "sources_list".to_owned(), list_sources()),
        (one.clone(), "get", "sources_get".to_owned(), get_source()),
        (one.clone(), "put", "sources_put".to_owned(), put_source()),
        (one, "delete", "sources_delete".to_owned(), delete_source()),
    ];
    for (extension, what) in
        [("csv", "CSV with a header"), ("json", "JSON lines, one finding a line"), ("html", "one page that works offline")]
    {
        let path = format!("/admin/runs/{{id}}/findings.{extension}");
        all.push((path, "get", format!("findings_{extension}"), findings(extension, what)));
    }
    all
}

fn operation(resource: Resource, action: Action, summary: &str, parameters: Vec<Value>, statuses: &[u16], good: Value) -> Value {
    let permissions = [allowed(resource, action)];
    let mut responses = good;
    for error in ERRORS.iter().filter(|error| ALWAYS.contains(&error.status) || statuses.contains(&error.status)) {
        responses[error.status.to_string()] = json!({ "$ref": format!("#/components/responses/{}", error.code) });
    }
    let parameters: Vec<Value> = parameters.into_iter().chain([parameter("clientRequestId")]).collect();
    json!({
        "tags": ["admin"],
        "summary": summary,
        "description": permission_text(&permissions),
        "parameters": parameters,
        "responses": responses,
        "security": security(&permissions)
    })
}

fn name() -> Value {
    json!({ "name": "name", "in": "path", "required": true, "description": "Name of the source.", "schema": { "type": "string", "maxLength": NAME_MAX } })
}

fn answered(status: u16, description: &str) -> Value {
    json!({ status.to_string(): { "description": description, "content": content(&reference(SOURCE_SHOWN)) } })
}

fn list_sources() -> Value {
    let page = json!({
        "type": "object",
        "required": ["value"],
        "properties": { "value": { "type": "array", "items": reference(SOURCE_SHOWN) } }
    });
    let good = json!({ "200": { "description": "All of the tenant.", "content": content(&page) } });
    operation(Resource::DataConnectors, Action::List, "Sources: places that exports are fetched from", Vec::new(), &[], good)
}

fn get_source() -> Value {
    let good = answered(200, "The source.");
    operation(Resource::DataConnectors, Action::Read, "A source", vec![name()], &[404], good)
}

fn put_source() -> Value {
    let mut good = answered(200, "It took the place of one of its name.");
    good["201"] = answered(201, "A new one.")["201"].take();
    let errors = [400, 404, 409, 413, 415];
    let mut put = operation(Resource::DataConnectors, Action::Write, "Make or replace a source", vec![name()], &errors, good);
    put["requestBody"] = json!({ "required": true, "content": content(&reference(SOURCE)) });
    put
}

fn delete_source() -> Value {
    let good = json!({ "204": { "description": "Gone." } });
    operation(Resource::DataConnectors, Action::Write, "Remove a source", vec![name()], &[404], good)
}

fn findings(extension: &str, what: &str) -> Value {
    let id = json!({ "name": "id", "in": "path", "required": true, "description": "Key of the run.", "schema": { "type": "string" } });
    let media = Form::of_extension(extension).map_or("", Form::media_type).split(';').next().unwrap_or_default();
    let schema = if extension == "json" {
        // A media type of lines has no schema of its own; this is that of a line.
        json!({ "type": "string", "description": "Lines.", "contentMediaType": "application/json", "contentSchema": reference(FINDING) })
    } else {
        json!({ "type": "string" })
    };
    let good = json!({ "200": { "description": "The report.", "content": { media: { "schema": schema } } } });
    operation(Resource::Runs, Action::Read, &format!("Findings of a run: {what}"), vec![id], &[404], good)
}

/// The schemas of all of it.
pub(super) fn schemas() -> Map<String, Value> {
    let mut source = source();
    if let Some(properties) = source["properties"].as_object_mut() {
        properties.extend(answered_properties());
    }
    let mut shown = source.clone();
    shown["required"] = json!(["name", "connector", "setUpBy", "status"]);
    Map::from_iter([(SOURCE.to_owned(), source), (SOURCE_SHOWN.to_owned(), shown), (FINDING.to_owned(), finding())])
}

/// A source as it is sent; docs/sources.md describes each setting.
fn source() -> Value {
    let text = |description: &str, most: usize| json!({ "type": "string", "maxLength": most, "description": description });
    let secret = |description: &str| json!({ "type": "string", "description": description });
    let sftp = json!({
        "type": "object",
        "required": ["host", "user", "host_key", "path"],
        "additionalProperties": false,
        "properties": {
            "host": text("Name or address.", TEXT_MAX),
            "port": { "type": "integer", "minimum": 1, "maximum": 65_535, "default": ssh_port() },
            "user": text("User.", TEXT_MAX),
            "key": secret("The private key, PEM. Answers show asterisks, which keep it when they are sent back."),
            "passphrase": secret("Of the key."),
            "password": secret("In place of a key."),
            "host_key": secret("Fingerprint of the server's key: `SHA256:` and 43 characters."),
            "path": text("Folder on the server.", PATH_MAX)
        }
    });
    json!({
        "type": "object",
        "description": "Either `folder` or `sftp` says where to look.",
        "required": ["connector"],
        "additionalProperties": false,
        "properties": {
            "connector": text("The file connector that the exports are for, by id or display name.", TEXT_MAX),
            "folder": text("A folder of the server, below one that the operator has opened.", PATH_MAX),
            "sftp": sftp,
            "every_seconds": { "type": "integer", "minimum": EVERY_SECONDS.start(), "maximum": EVERY_SECONDS.end(), "default": every_seconds(), "description": "Seconds between two looks." },
            "settled_seconds": { "type": "integer", "minimum": SETTLED_SECONDS.start(), "maximum": SETTLED_SECONDS.end(), "default": settled_seconds(), "description": "Seconds for which nothing may have changed before an export is complete." },
            "marker": text("A file without which an export is not complete.", TEXT_MAX),
            "start_run": { "type": "boolean", "default": true, "description": "Whether a run starts when an export has been accepted." }
        }
    })
}

/// What an answer adds; sent back it is passed over.
fn answered_properties() -> Map<String, Value> {
    let time = || json!({ "type": ["string", "null"], "format": "date-time" });
    let status = json!({
        "type": "object",
        "readOnly": true,
        "required": ["lookedAt", "deliveredAt", "problem"],
        "properties": { "lookedAt": time(), "deliveredAt": time(), "problem": { "type": ["string", "null"] } }
    });
    let set_up_by = "Those of homeroom.toml cannot be changed here, and are not shown in full.";
    Map::from_iter([
        ("name".to_owned(), json!({ "type": "string", "readOnly": true })),
        ("tenant".to_owned(), json!({ "type": "string", "readOnly": true, "description": "Id of the tenant." })),
        ("setUpBy".to_owned(), json!({ "type": "string", "readOnly": true, "enum": ["api", "homeroom.toml"], "description": set_up_by })),
        ("status".to_owned(), status),
    ])
}

/// One line of `findings.json`.
fn finding() -> Value {
    let may = || json!({ "type": ["string", "null"] });
    json!({
        "type": "object",
        "required": ["code", "severity", "file", "line", "message"],
        "properties": {
            "code": { "type": "string", "description": "docs/findings.md lists them." },
            "severity": { "type": "string", "enum": ["info", "warning", "error", "catastrophic"] },
            "file": { "type": "string" },
            "line": { "type": "integer", "minimum": 0, "description": "0 when it is about no line." },
            "column": may(),
            "key": may(),
            "value": may(),
            "message": { "type": "string" },
            "hint": may(),
            "rootCause": may()
        }
    })
}
