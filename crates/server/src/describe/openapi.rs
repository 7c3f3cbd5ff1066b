//! The OpenAPI 3.1 document, from the list of endpoints.

use super::ERRORS;
use super::endpoints::{Endpoint, SHORT, Served, What, endpoints, key_name};
use super::schemas::{Schemas, Shape, reference};
use super::{admin, words};
use industry_data::MODEL;
use odata::edm::{Property, StructuredType, TypeRef};
use serde_json::{Map, Value, json};

/// Stands for the address of the server until a request says what it is.
pub(super) const SERVER: &str = "https://homeroom.invalid";

/// Query options of a collection, of an entity, of a list of references, of a count.
const OF_COLLECTION: &[&str] = &["select", "expand", "filter", "orderby", "top", "skip", "count", "search", "skiptoken"];
const OF_ENTITY: &[&str] = &["select", "expand"];
const OF_LINKS: &[&str] = &["select", "top", "count", "skiptoken"];
const OF_COUNT: &[&str] = &["filter", "search"];

/// The whole document, for [`SERVER`].
pub(super) fn document() -> Value {
    let mut writer = Writer { schemas: Schemas::default(), paths: Map::new() };
    let all = endpoints();
    for endpoint in &all {
        writer.endpoint(endpoint);
    }
    writer.fixed();
    let mut tags: Vec<Value> = Vec::new();
    for endpoint in &all {
        if !tags.iter().any(|tag| tag["name"] == endpoint.collection) {
            let about = words::collection(endpoint.collection);
            let rules: String = about.rules.iter().map(|rule| format!("\n- {rule}")).collect();
            let rules = if rules.is_empty() { rules } else { format!("\n{rules}") };
            tags.push(json!({ "name": endpoint.collection, "description": format!("{}{rules}", about.text) }));
        }
    }
    tags.push(json!({ "name": "service", "description": "What says what there is, batches, and the token endpoint." }));
    tags.push(json!({ "name": "admin", "description": "What Graph has not: places that exports are fetched from, and reports on the findings of runs. A token is that of Graph." }));
    let Writer { mut schemas, paths } = writer;
    schemas.out.extend(admin::schemas());
    schemas.out.insert("ODataError".to_owned(), error_schema());
    schemas.out.sort_keys();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Homeroom",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "School Data Sync: the industryData API of Microsoft Graph, self-hosted.",
            "description": "Made from the same tables that the server decodes and encodes by. OData allows more URLs than a list can hold: keys in parentheses, parts of complex values behind the properties, operations by their qualified names. `$metadata` says what there is. Files are uploaded to the `sessionUrl` of a fileUploadSession by the protocols of Azure Storage (Blob and Data Lake Gen2), with Azure's own clients: Microsoft documents them, and they are no part of this document.",
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" }
        },
        "servers": [{ "url": SERVER }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas.out,
            "parameters": parameters(),
            "responses": responses(),
            "headers": {
                "ETag": { "description": "Version of the entity, for `If-Match`.", "schema": { "type": "string" } },
                "Location": { "description": "URL of what was made or started.", "schema": { "type": "string", "format": "uri" } }
            },
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A token of `/{tenant}/oauth2/v2.0/token`. The names in a security requirement are permissions; one of them is enough."
                }
            }
        }
    })
}

struct Writer {
    schemas: Schemas,
    paths: Map<String, Value>,
}

impl Writer {
    fn endpoint(&mut self, endpoint: &Endpoint) {
        let operation = self.operation(endpoint);
        self.put(&format!("/beta/{}", endpoint.path), endpoint.method, &endpoint.id, &operation);
        if endpoint.served == Served::Both {
            self.put(&format!("/v1.0/{}", endpoint.path), endpoint.method, &format!("{}_v1", endpoint.id), &operation);
        }
    }

    fn put(&mut self, path: &str, method: &str, id: &str, operation: &Map<String, Value>) {
        let mut whole = Map::new();
        whole.insert("operationId".to_owned(), json!(id));
        whole.extend(operation.clone());
        if let Some(item) = self.paths.entry(path).or_insert_with(|| json!({})).as_object_mut() {
            item.insert(method.to_ascii_lowercase(), Value::Object(whole));
        }
    }

    fn operation(&mut self, endpoint: &Endpoint) -> Map<String, Value> {
        let mut parameters = path_parameters(endpoint);
        let options = match endpoint.what {
            What::List => OF_COLLECTION,
            What::Links => OF_LINKS,
            What::Count => OF_COUNT,
            What::Read | What::Follow | What::Root | What::ShortRead => OF_ENTITY,
            // Of complex values; the others take none.
            What::Property => &["select"],
            _ => &[],
        };
        parameters.extend(options.iter().map(|name| parameter(name)));
        if let What::Call(op) = endpoint.what {
            for (name, ty, optional) in op.parameters {
                let schema = if *ty == TypeRef::BOOLEAN { json!({ "type": "boolean" }) } else { json!({ "type": "string" }) };
                parameters.push(json!({ "name": name, "in": "query", "required": !optional, "schema": schema }));
            }
        }
        let writes = matches!(endpoint.what, What::Create | What::Update | What::ShortUpdate);
        if matches!(endpoint.what, What::List | What::Links) || writes {
            parameters.push(parameter("prefer"));
        }
        if matches!(endpoint.what, What::Update | What::ShortUpdate | What::Delete) {
            parameters.push(parameter("ifMatch"));
        }
        parameters.push(parameter("clientRequestId"));

        let mut out = Map::new();
        out.insert("tags".to_owned(), json!([endpoint.collection]));
        out.insert("summary".to_owned(), json!(endpoint.summary));
        out.insert("description".to_owned(), json!(permission_text(&endpoint.permissions)));
        out.insert("parameters".to_owned(), json!(parameters));
        if let Some(body) = self.body(endpoint) {
            out.insert("requestBody".to_owned(), body);
        }
        out.insert("responses".to_owned(), Value::Object(self.answers(endpoint)));
        out.insert("security".to_owned(), security(&endpoint.permissions));
        out
    }

    fn body(&mut self, endpoint: &Endpoint) -> Option<Value> {
        let schema = match (endpoint.what, endpoint.element) {
            (What::Create, Some(ty)) => self.schemas.value(ty, Shape::Create),
            (What::Update, Some(ty)) => self.schemas.value(ty, Shape::Update),
            (What::ShortUpdate, Some(ty)) => {
                // Unevaluated rather than additional properties: `id` may say which flow is meant.
                let schema = self.schemas.exact(ty, Shape::Update);
                let name = format!("{SHORT}-short");
                let mut short = self.schemas.out.get(&format!("{}-update", ty.qualified())).cloned().unwrap_or(schema);
                short["properties"]["id"] = json!({ "type": "string", "description": "Which flow is meant, when there are several." });
                short["required"] = json!(["creationOptions"]);
                self.schemas.out.insert(name.clone(), short);
                reference(&name)
            }
            (What::AddLink, _) => json!({
                "type": "object",
                "required": ["@odata.id"],
                "properties": { "@odata.id": { "type": "string", "description": "URL of the user." } }
            }),
            (What::Call(op), _) if op.action => {
                return Some(json!({
                    "required": false,
                    "description": "None, or an empty object.",
                    "content": { "application/json": { "schema": { "type": "object", "maxProperties": 0 } } }
                }));
            }
            _ => return None,
        };
        Some(json!({ "required": true, "content": { "application/json": { "schema": schema } } }))
    }

    fn answers(&mut self, endpoint: &Endpoint) -> Map<String, Value> {
        let mut out = Map::new();
        let etag = json!({ "ETag": { "$ref": "#/components/headers/ETag" } });
        let location = || json!({ "$ref": "#/components/headers/Location" });
        match (endpoint.what, endpoint.element) {
            (What::List | What::Links, Some(ty)) => {
                let name = format!("{}-page", ty.qualified());
                let items = self.schemas.value(ty, Shape::Read);
                let page = json!({
                    "type": "object",
                    "required": ["value"],
                    "properties": {
                        "@odata.context": { "type": "string" },
                        "@odata.count": { "type": "integer", "description": "With `$count=true`." },
                        "@odata.nextLink": { "type": "string", "description": "The next page, when there is one." },
                        "value": { "type": "array", "items": items }
                    }
                });
                self.schemas.out.insert(name.clone(), page);
                out.insert("200".to_owned(), json!({ "description": "A page.", "content": content(&reference(&name)) }));
            }
            (What::Property, _) => {
                let schema = self.property_answer(&endpoint.properties);
                out.insert(
                    "200".to_owned(),
                    json!({ "description": "The value; a complex one as an object of its own.", "content": content(&schema) }),
                );
                if endpoint.properties.iter().any(|property| property.nullable && !property.collection) {
                    out.insert("204".to_owned(), json!({ "description": "It is null." }));
                }
            }
            (What::PropertyValue, _) => {
                let text = json!({ "text/plain": { "schema": { "type": "string" } } });
                out.insert("200".to_owned(), json!({ "description": "The value as text.", "content": text }));
                if endpoint.properties.iter().any(|property| property.nullable) {
                    out.insert("204".to_owned(), json!({ "description": "It is null." }));
                }
            }
            (What::Count | What::LinkCount | What::PropertyCount, _) => {
                let content = json!({ "text/plain": { "schema": { "type": "integer", "minimum": 0 } } });
                out.insert("200".to_owned(), json!({ "description": "The number.", "content": content }));
            }
            (What::Create, Some(ty)) => {
                let schema = self.schemas.value(ty, Shape::Read);
                let headers = json!({ "ETag": etag["ETag"], "Location": location() });
                out.insert("201".to_owned(), json!({ "description": "Made.", "headers": headers, "content": content(&schema) }));
                out.insert(
                    "204".to_owned(),
                    json!({ "description": "Made, with `Prefer: return=minimal`.", "headers": { "Location": location() } }),
                );
            }
            (What::Read | What::Follow | What::Link | What::Root | What::ShortRead, Some(ty)) => {
                let schema = self.schemas.value(ty, Shape::Read);
                out.insert("200".to_owned(), json!({ "description": "The entity.", "headers": etag, "content": content(&schema) }));
            }
            (What::FollowRef, _) => {
                let schema = json!({
                    "type": "object",
                    "required": ["@odata.id"],
                    "properties": { "@odata.context": { "type": "string" }, "@odata.id": { "type": "string" } }
                });
                out.insert("200".to_owned(), json!({ "description": "The URL.", "content": content(&schema) }));
            }
            (What::Update | What::ShortUpdate, Some(ty)) => {
                let schema = self.schemas.value(ty, Shape::Read);
                let text = match endpoint.what {
                    What::ShortUpdate => "Changed: the new state.",
                    _ => "Changed: the new state, with `Prefer: return=representation` and for a securityGroupProvisioningFlow.",
                };
                out.insert("200".to_owned(), json!({ "description": text, "headers": etag, "content": content(&schema) }));
                out.insert("204".to_owned(), json!({ "description": "Changed.", "headers": etag }));
            }
            (What::Delete, _) => {
                out.insert("204".to_owned(), json!({ "description": "Gone." }));
            }
            (What::AddLink | What::RemoveLink, _) => {
                out.insert("204".to_owned(), json!({ "description": "Done." }));
            }
            (What::Call(op), _) => {
                if let Some(ty) = op.returns.and_then(|name| MODEL.find_type(name)) {
                    let schema = self.schemas.value(ty, Shape::Read);
                    out.insert("200".to_owned(), json!({ "description": "The result.", "content": content(&schema) }));
                } else {
                    let headers = if op.name == "reset" { json!({}) } else { json!({ "Location": location() }) };
                    out.insert("202".to_owned(), json!({ "description": "Started.", "headers": headers }));
                }
            }
            _ => {}
        }
        for error in ERRORS.iter().filter(|error| error.concerns(endpoint)) {
            out.insert(error.status.to_string(), json!({ "$ref": format!("#/components/responses/{}", error.code) }));
        }
        out
    }

    /// `{ "value": … }` with what one of the properties has, or a complex value.
    fn property_answer(&mut self, properties: &[&'static Property]) -> Value {
        let mut options: Vec<Value> = Vec::new();
        for property in properties {
            let value = self.schemas.answered(property);
            let option = match property.ty {
                TypeRef::Complex(_) if !property.collection => {
                    json!({ "allOf": [value, { "type": "object", "properties": { "@odata.context": { "type": "string" } } }] })
                }
                _ => json!({
                    "type": "object",
                    "required": ["value"],
                    "properties": { "@odata.context": { "type": "string" }, "value": value }
                }),
            };
            if !options.contains(&option) {
                options.push(option);
            }
        }
        json!({ "anyOf": options })
    }

    /// What is no part of the model: metadata, service document, this document, identity.
    fn fixed(&mut self) {
        for (version, suffix) in [("beta", ""), ("v1.0", "_v1")] {
            let metadata = json!({
                "tags": ["service"],
                "summary": "Metadata: CSDL as XML, or as JSON by `Accept` or `$format`",
                "parameters": [{ "name": "$format", "in": "query", "schema": { "type": "string", "enum": ["xml", "json", "application/xml", "application/json"] } }],
                "responses": {
                    "200": {
                        "description": "The metadata.",
                        "content": { "application/xml": { "schema": { "type": "string" } }, "application/json": { "schema": { "type": "object" } } }
                    },
                    "400": { "$ref": "#/components/responses/BadRequest" },
                    "406": { "$ref": "#/components/responses/NotAcceptable" }
                },
                "security": []
            });
            self.put_fixed(&format!("/{version}/$metadata"), "get", &format!("metadata{suffix}"), metadata);
            let service = json!({
                "tags": ["service"],
                "summary": "Service document: where URLs begin",
                "responses": {
                    "200": {
                        "description": "The entity sets and singletons.",
                        "content": { "application/json": { "schema": {
                            "type": "object",
                            "required": ["value"],
                            "properties": {
                                "@odata.context": { "type": "string" },
                                "value": { "type": "array", "items": {
                                    "type": "object",
                                    "required": ["name", "kind", "url"],
                                    "properties": {
                                        "name": { "type": "string" },
                                        "kind": { "type": "string", "enum": ["EntitySet", "Singleton"] },
                                        "url": { "type": "string" }
                                    }
                                } }
                            }
                        } } }
                    },
                    "400": { "$ref": "#/components/responses/BadRequest" },
                    "406": { "$ref": "#/components/responses/NotAcceptable" }
                },
                "security": []
            });
            self.put_fixed(&format!("/{version}/"), "get", &format!("service{suffix}"), service);
            self.put_fixed(&format!("/{version}/$batch"), "post", &format!("batch{suffix}"), batch());
        }
        let this = json!({
            "tags": ["service"],
            "summary": "This document",
            "responses": { "200": { "description": "OpenAPI 3.1.", "content": { "application/json": { "schema": { "type": "object" } } } } },
            "security": []
        });
        self.put_fixed("/openapi.json", "get", "openapi", this);
        self.identity();
        for (path, method, id, operation) in admin::operations() {
            self.put_fixed(&path, method, &id, operation);
        }
    }

    /// Where tokens come from.
    fn identity(&mut self) {
        let tenant = json!({ "name": "tenant", "in": "path", "required": true, "description": "Id or domain of the tenant.", "schema": { "type": "string" } });
        let refused = json!({
            "description": "Refused.",
            "content": content(&json!({
                "type": "object",
                "required": ["error"],
                "properties": { "error": { "type": "string" }, "error_description": { "type": "string" } }
            }))
        });
        let text = |description: &str| json!({ "type": "string", "description": description });
        let form = |required: &[&str], properties: Value| {
            json!({ "required": true, "content": { "application/x-www-form-urlencoded": { "schema": {
                "type": "object", "required": required, "properties": properties
            } } } })
        };
        let asked = |summary: &str, body: &Value, answer: &Value| {
            json!({
                "tags": ["service"],
                "summary": summary,
                "parameters": [tenant],
                "requestBody": body,
                "responses": { "200": { "description": "Granted.", "content": content(answer) }, "400": refused, "401": refused },
                "security": []
            })
        };
        let body = form(
            &["grant_type", "client_id"],
            json!({
                "grant_type": { "type": "string", "enum": ["client_credentials", "urn:ietf:params:oauth:grant-type:device_code"] },
                "client_id": { "type": "string" },
                "client_secret": text("Of an application; or `client_assertion`."),
                "client_assertion": text("A JWT signed with the key of a registered certificate (RFC 7523)."),
                "client_assertion_type": text("`urn:ietf:params:oauth:client-assertion-type:jwt-bearer`"),
                "device_code": text("Of the device-code answer, for that grant."),
                "scope": text("For example `https://graph.microsoft.com/.default`.")
            }),
        );
        let answer = json!({
            "type": "object",
            "required": ["access_token", "token_type", "expires_in"],
            "properties": {
                "access_token": { "type": "string" },
                "token_type": { "type": "string" },
                "expires_in": { "type": "integer", "description": "Seconds." }
            }
        });
        let token = asked("Get a token, for an application or for a device code that was approved", &body, &answer);
        self.put_fixed("/{tenant}/oauth2/v2.0/token", "post", "token", token);
        let body = form(&["client_id", "scope"], json!({ "client_id": { "type": "string" }, "scope": text("As of the token.") }));
        let answer = json!({
            "type": "object",
            "required": ["device_code", "user_code", "verification_uri", "expires_in", "interval"],
            "properties": {
                "device_code": text("For the token endpoint."),
                "user_code": text("For the administrator who approves: `homeroom token approve CODE`."),
                "verification_uri": { "type": "string" },
                "message": text("The same for people."),
                "expires_in": { "type": "integer", "description": "Seconds." },
                "interval": { "type": "integer", "description": "Seconds between two tries to get the token." }
            }
        });
        let device = asked("Get a device code (RFC 8628)", &body, &answer);
        self.put_fixed("/{tenant}/oauth2/v2.0/devicecode", "post", "devicecode", device);
        let read = |summary: &str, parameters: &[&Value], answers: Value| json!({ "tags": ["service"], "summary": summary, "parameters": parameters, "responses": answers, "security": [] });
        let plain = json!({ "200": { "description": "How.", "content": { "text/plain": { "schema": { "type": "string" } } } } });
        self.put_fixed("/{tenant}/oauth2/v2.0/deviceauth", "get", "deviceauth", read("How a device code is approved", &[&tenant], plain));
        let object = |description: &str| json!({ "description": description, "content": content(&json!({ "type": "object" })) });
        let found = json!({ "200": object("OpenID Connect Discovery 1.0."), "400": refused });
        self.put_fixed(
            "/{tenant}/v2.0/.well-known/openid-configuration",
            "get",
            "discovery",
            read("OpenID configuration", &[&tenant], found),
        );
        let keys = json!({ "200": object("RFC 7517.") });
        self.put_fixed("/{tenant}/discovery/v2.0/keys", "get", "keys", read("Keys that tokens are signed with", &[&tenant], keys));
    }

    fn put_fixed(&mut self, path: &str, method: &str, id: &str, operation: Value) {
        if let Value::Object(operation) = operation {
            self.put(path, method, id, &operation);
        }
    }
}

/// JSON batching (concepts/json-batching.md of Microsoft Graph).
fn batch() -> Value {
    let part = json!({
        "type": "object",
        "required": ["id", "method", "url"],
        "properties": {
            "id": { "type": "string", "description": "Unique in the batch." },
            "method": { "type": "string", "enum": ["GET", "POST", "PATCH", "PUT", "DELETE"] },
            "url": { "type": "string", "description": "URL from the version on." },
            "headers": { "type": "object", "additionalProperties": { "type": "string" } },
            "body": { "description": "An object, or anything else in base64url." },
            "dependsOn": { "type": "array", "items": { "type": "string" }, "description": "Parts that must have succeeded before." }
        }
    });
    let answer = json!({
        "type": "object",
        "required": ["id", "status"],
        "properties": {
            "id": { "type": "string" },
            "status": { "type": "integer" },
            "headers": { "type": "object", "additionalProperties": { "type": "string" } },
            "body": {}
        }
    });
    let mut responses = json!({
        "200": { "description": "The answers of the parts, whatever they are.", "content": content(&json!({
            "type": "object",
            "required": ["responses"],
            "properties": { "responses": { "type": "array", "items": answer } }
        })) }
    });
    for error in ERRORS.iter().filter(|error| matches!(error.status, 400 | 401 | 406 | 413 | 415 | 429 | 500)) {
        responses[error.status.to_string()] = json!({ "$ref": format!("#/components/responses/{}", error.code) });
    }
    json!({
        "tags": ["service"],
        "summary": "Several calls in one request",
        "description": "Needs a token; each part needs the permissions of its own call.",
        "requestBody": { "required": true, "content": content(&json!({
            "type": "object",
            "required": ["requests"],
            "properties": { "requests": { "type": "array", "minItems": 1, "maxItems": odata::limits::Limits::DEFAULT.batch_parts, "items": part } }
        })) },
        "responses": responses,
        "security": [{ "bearer": [] }]
    })
}

pub(super) fn content(schema: &Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

pub(super) fn parameter(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

/// The names in braces.
fn path_parameters(endpoint: &Endpoint) -> Vec<Value> {
    let names = endpoint.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        let (text, schema) = if name == "property" {
            let names: Vec<_> = endpoint.properties.iter().map(|property| property.name).collect();
            ("Which property.".to_owned(), json!({ "type": "string", "enum": names }))
        } else {
            let of = MODEL.all_types().find(|ty| key_name(ty) == name).map_or("", |ty: &StructuredType| ty.name);
            (format!("Key of the {of}."), json!({ "type": "string" }))
        };
        json!({ "name": name, "in": "path", "required": true, "description": text, "schema": schema })
    };
    names.map(parameter).collect()
}

/// Permissions in words.
pub(super) fn permission_text(permissions: &[&[&str]]) -> String {
    if permissions.is_empty() {
        return "Needs a token, and no permission.".to_owned();
    }
    let lists: Vec<String> = permissions
        .iter()
        .map(|list| {
            if list.is_empty() {
                "a permission that nobody has".to_owned()
            } else {
                list.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ")
            }
        })
        .collect();
    format!("Needs {}.", lists.join(", and "))
}

/// Permissions as alternatives: one of each list, in every combination.
pub(super) fn security(permissions: &[&[&str]]) -> Value {
    let mut combinations: Vec<Vec<&str>> = vec![Vec::new()];
    for list in permissions {
        combinations = combinations
            .iter()
            .flat_map(|before| {
                list.iter().map(move |name| {
                    let mut next = before.clone();
                    if !next.contains(name) {
                        next.push(*name);
                    }
                    next
                })
            })
            .collect();
    }
    Value::Array(combinations.into_iter().map(|names| json!({ "bearer": names })).collect())
}

fn parameters() -> Value {
    let query = |name: &str, text: &str, schema: Value| json!({ "name": name, "in": "query", "description": text, "schema": schema });
    let header = |name: &str, text: &str| json!({ "name": name, "in": "header", "description": text, "schema": { "type": "string" } });
    let text = || json!({ "type": "string" });
    json!({
        "select": query("$select", "Properties to answer, with commas; paths into complex ones with `/`.", text()),
        "expand": query("$expand", "Navigation properties to answer inline, with options in parentheses.", text()),
        "filter": query("$filter", "Condition, for example `displayName eq 'North'`.", text()),
        "orderby": query("$orderby", "Properties to order by, each with `asc` or `desc`.", text()),
        "top": query("$top", "Most entities.", json!({ "type": "integer", "minimum": 0 })),
        "skip": query("$skip", "Entities to leave out in front.", json!({ "type": "integer", "minimum": 0 })),
        "count": query("$count", "Whether to count.", json!({ "type": "boolean" })),
        "search": query("$search", "Words that the display name has.", text()),
        "skiptoken": query("$skiptoken", "Part of `@odata.nextLink`; made by the server.", text()),
        "prefer": header("Prefer", "`return=representation`, `return=minimal`, `odata.maxpagesize=N`."),
        "ifMatch": header("If-Match", "The version that is meant, by its ETag; another one is 412."),
        "clientRequestId": header("client-request-id", "An id of the caller's own; it comes back."),
    })
}

fn responses() -> Value {
    let mut out = Map::new();
    for error in ERRORS {
        let mut response = json!({ "description": error.when, "content": content(&reference("ODataError")) });
        if let Some(header) = error.header {
            response["headers"] = json!({ header: { "schema": { "type": "string" } } });
        }
        out.insert(error.code.to_owned(), response);
    }
    Value::Object(out)
}

/// The error body of Microsoft Graph.
fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {
                    "code": { "type": "string", "description": "For programs." },
                    "message": { "type": "string", "description": "For people." },
                    "target": { "type": "string", "description": "The property, query option or URL at fault." },
                    "details": { "type": "array", "items": {
                        "type": "object",
                        "required": ["code", "message"],
                        "properties": {
                            "code": { "type": "string" },
                            "message": { "type": "string" },
                            "target": { "type": ["string", "null"] }
                        }
                    } },
                    "innerError": {
                        "type": "object",
                        "properties": {
                            "date": { "type": "string" },
                            "request-id": { "type": "string" },
                            "client-request-id": { "type": "string" }
                        }
                    }
                }
            }
        }
    })
}
