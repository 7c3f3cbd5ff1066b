//! The examples of the published reference, replayed: each request is sent as it is printed, its
//! ids replaced, and the answer compared with the printed one.
//!
//! The examples are no part of this repository. The test looks for `shared/spec/api/examples` in
//! the folders above it, and says that it is skipped when there are none.
//!
//! Equal means: the same status, the same value for every property that the example prints, and no
//! property beside those that is not null. Ids may differ, as long as one id of the example is
//! always the same id of ours; so may the times that the server sets. All else that differs stands
//! in [`DIFFERENCES`] with its reason; what stands there and does not differ fails the test too.

use crate::harness::{Server, id};
use crate::roster_files::{self, DAY_1, ORGS, account};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use store::{Access, OpContext};

/// Example, JSON pointer (`status` and `header …` beside the body), reason. `*` is any one segment.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    ("dataconnector-create-azuredatalake", "/fileFormat", SHORTENED),
    ("dataconnector-get", "/fileFormat", SHORTENED),
    ("dataconnector-list", "/value/*/fileFormat", SHORTENED),
    ("dataconnector-getuploadsession", "/sessionUrl", "the page prints a placeholder (operations.md §5)"),
    ("dataconnector-validate", "header location", "the page leaves out what every client needs (operations.md §4)"),
    ("inboundflow-create-file", "/displayName", "the page misspells its own name"),
    ("inboundflow-create-file", "/readinessStatus", READINESS),
    ("inboundflow-create-api", "/readinessStatus", READINESS),
    ("inboundflow-get", "/readinessStatus", EXPIRED),
    ("inboundflow-list", "/value/*/readinessStatus", EXPIRED),
    ("provisioningflow-update-securitygroup", "status", "decision 1: 200 with the object"),
    ("provisioningflow-update-securitygroup-short-url", "/creationOptions/@odata.type", DRAFT),
    ("provisioningflow-update-securitygroup-short-url", "/creationOptions/createBasedOnRoleGroup", DRAFT),
    ("provisioningflow-update-securitygroup-short-url", "/creationOptions/createBasedOnOrgPlusRoleGroup", DRAFT),
    ("referencedefinition-create", "/@odata.type", EXACT_TYPE),
    ("referencedefinition-get", "/displayName", NO_NAMES),
    ("referencedefinition-list", "/value/*/displayName", NO_NAMES),
    ("referencedefinition-list", "/value/*/source", "edited: the draft of the page has the sources (types.md §7.2)"),
    ("referencedefinition-list-draft", "/value/*/displayName", NO_NAMES),
    ("rolegroup-list", "/value/0/roles", "shortened on the page; provisioningflow-list has all roles"),
    ("run-get", "/@odata.type", EXACT_TYPE),
    ("run-list", "/value/*/@odata.type", EXACT_TYPE),
    ("run-getstatistics", "/@odata.type", EXACT_TYPE),
    ("run-getstatistics", "/activityStatistics", "the page prints role counts there (operations.md §8.4)"),
    ("run-getstatistics", "/inboundTotals/*", "the numbers are those of another district"),
    ("year-list", "/value/0/@odata.context", "copied onto the page from another one (operations.md §8.5)"),
    ("operation-get-filevalidate", "/resourceLocation", OTHER_ROUTE),
    ("operation-list", "/value/0/resourceLocation", OTHER_ROUTE),
    ("operation-get-filevalidate", "/validatedFiles", VALIDATED),
    ("operation-list", "/value/0/validatedFiles", VALIDATED),
];

const SHORTENED: &str = "the page shortened the answer; clients need fileFormat.code (types.md §3.3)";
const READINESS: &str = "decision 4: notReady until the worker has looked, well under a second later";
const EXPIRED: &str = "decision 4: the example's window is over";
const DRAFT: &str = "the draft of the page prints no values (operations.md §8.1)";
const EXACT_TYPE: &str = "a value of exactly the declared type needs no mark (conventions.md §5)";
const NO_NAMES: &str = "the page is older than the property";
const OTHER_ROUTE: &str = "the service left out /external (operations.md §8.6)";

const VALIDATED: &str = "ours names the files that were there and good; the page misses three files and lists none of the others";

/// Times that the server sets.
const SERVER_TIMES: [&str; 5] =
    ["createdDateTime", "lastModifiedDateTime", "lastActionDateTime", "sessionExpirationDateTime", "containerExpirationDateTime"];

const GRAPH: &str = "https://graph.microsoft.com";

struct Replay {
    folder: PathBuf,
    played: BTreeSet<String>,
    wrong: Vec<String>,
    used: BTreeSet<usize>,
}

/// A server of its own, with the examples' ids for what is on it.
struct Scene<'r> {
    replay: &'r mut Replay,
    server: Server,
    /// Id in the examples, id here.
    ids: Vec<(String, String)>,
}

fn folder() -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    above.map(|folder| folder.join("shared/spec/api/examples")).find(|folder| folder.is_dir())
}

impl Replay {
    async fn scene(&mut self) -> Scene<'_> {
        Scene { replay: self, server: Server::start().await, ids: Vec::new() }
    }

    /// Notes a difference that the table does not have.
    fn differs(&mut self, example: &str, pointer: &str, what: &str) {
        let known = DIFFERENCES.iter().position(|(name, pattern, _)| *name == example && matches(pattern, pointer));
        match known {
            Some(known) => {
                self.used.insert(known);
            }
            None => self.wrong.push(format!("{example} {pointer}: {what}")),
        }
    }
}

fn matches(pattern: &str, pointer: &str) -> bool {
    let (pattern, pointer): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), pointer.split('/').collect());
    pattern.len() <= pointer.len() && pattern.iter().zip(&pointer).all(|(p, s)| *p == "*" || p == s)
}

impl Scene<'_> {
    fn fill(&self, text: &str) -> String {
        self.ids.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(theirs, ours))
    }

    /// Makes what an example takes for granted, under the id that it has there.
    async fn given(&mut self, theirs: &str, path: &str, body: Value) -> String {
        let body = serde_json::from_str(&self.fill(&body.to_string())).unwrap();
        let made = self.server.create(&self.fill(path), &body).await;
        self.ids.push((theirs.to_owned(), id(&made).to_owned()));
        id(&made).to_owned()
    }

    async fn source_system(&mut self, theirs: &str, name: &str) {
        let rule = |group: &str, order: u32| {
            json!({
                "matchTarget": { "code": "userPrincipalName" }, "sourceIdentifier": { "code": "username" },
                "priorityOrder": order, "roleGroup@odata.bind": format!("roleGroups/{group}")
            })
        };
        self.given(
            theirs,
            "sourceSystems",
            json!({ "displayName": name, "userMatchingSettings": [rule("staff", 0), rule("students", 1)] }),
        )
        .await;
    }

    /// A connector, with a source system when there is none yet.
    async fn connector(&mut self, theirs: &str, name: &str, kind: &str) -> String {
        if !self.ids.iter().any(|(theirs, _)| theirs == "a source system") {
            self.source_system("a source system", "Any").await;
        }
        let mut body = json!({
            "@odata.type": format!("#microsoft.graph.industryData.{kind}"), "displayName": name,
            "sourceSystem@odata.bind": "sourceSystems/a source system",
        });
        if kind == "oneRosterApiDataConnector" {
            let more = json!({
                "apiFormat": "oneRoster", "baseUrl": "https://sis.example/", "apiVersion": "1.1",
                "isDemographicsEnabled": false, "isFlagsEnabled": false, "isContactsEnabled": false,
                "credential": {
                    "@odata.type": "#microsoft.graph.industryData.oAuth1ClientCredential",
                    "displayName": "key", "clientId": "a", "clientSecret": "b"
                }
            });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        }
        self.given(theirs, "dataConnectors", body).await
    }

    async fn year(&mut self, theirs: &str) {
        let body =
            json!({ "displayName": "Fiscal Year 2022", "startDate": "2022-09-01", "endDate": "2023-06-15", "year": { "code": "2022" } });
        self.given(theirs, "years", body).await;
    }

    /// An inbound flow of a kind over a year of the examples.
    async fn inbound_flow(&mut self, theirs: &str, name: &str, kind: &str, connector: &str, year: i32) {
        let body = json!({
            "@odata.type": format!("#microsoft.graph.industryData.{kind}"), "displayName": name, "dataDomain": "educationRostering",
            "effectiveDateTime": format!("{year}-03-12T11:10:46.924769Z"), "expirationDateTime": format!("{year}-03-13T11:10:46.924769Z"),
            "dataConnector@odata.bind": format!("dataConnectors/{connector}"),
            "year@odata.bind": "years/ebf18762-ab92-487e-21d1-08daddab28bb",
        });
        self.given(theirs, "inboundFlows", body).await;
    }

    /// A provisioning flow as another example creates it, switched off as the GET examples show it.
    async fn provisioning_flow(&mut self, set: &str, theirs: &str, example: &str, change: impl Fn(&mut Value)) {
        let mut body = self.example(example)["request"]["body"].clone();
        change(&mut body);
        let path = format!("outboundProvisioningFlowSets/{set}/provisioningFlows");
        let flow = self.given(theirs, &path, body).await;
        let path = self.fill(&format!("/beta/external/industryData/{path}/{flow}"));
        let patched = self.server.send(Method::PATCH, &path, Some(&json!({ "readinessStatus": "disabled" }))).await;
        assert!(patched.status().is_success(), "{}", patched.text().await.unwrap());
    }

    /// Stores what no client can make.
    async fn stored(&mut self, theirs: &str, collection: &'static str, body: Value) {
        let ours = self.server.app.new_id().to_string();
        let ctx: OpContext = self.server.app.system(self.server.tenant.id);
        let mut body: Map<String, Value> = body.as_object().unwrap().clone();
        body.insert("id".to_owned(), json!(ours));
        let key = ours.clone();
        let written =
            self.server.app.store().write(&ctx, move |tx| tx.docs(&Access::unchecked(collection))?.insert(&key, None, &body)).await;
        let written: Result<(), store::StoreError> = written;
        written.unwrap();
        self.ids.push((theirs.to_owned(), ours));
    }

    fn example(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.replay.folder.join(format!("{name}.json"))).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    async fn play(&mut self, name: &str) -> Value {
        self.play_changed(name, |_| {}).await
    }

    /// Sends an example's request, after a change to the example, and compares the answer.
    async fn play_changed(&mut self, name: &str, change: impl Fn(&mut Value)) -> Value {
        let mut example = self.example(name);
        change(&mut example);
        self.replay.played.insert(name.to_owned());
        let request = &example["request"];
        let method = Method::from_bytes(request["method"].as_str().unwrap().as_bytes()).unwrap();
        let path = self.fill(request["url"].as_str().unwrap().strip_prefix(GRAPH).unwrap());
        let mut sent = self.server.http.request(method, format!("{}{path}", self.server.base)).bearer_auth(self.server.token());
        for (header, value) in request["headers"].as_object().unwrap() {
            // The printed lengths are wrong (operations.md §7).
            if !header.eq_ignore_ascii_case("content-length") {
                sent = sent.header(header, value.as_str().unwrap());
            }
        }
        if let Some(body) = request.get("body") {
            sent = sent.body(self.fill(&body.to_string()));
        }
        let response = sent.send().await.unwrap();
        let status = response.status().as_u16();
        let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        let actual: Value = serde_json::from_str(&text).unwrap_or(Value::Null);

        let expected = &example["response"];
        if json!(status) != expected["status"] {
            self.replay.differs(name, "status", &format!("{status} {text}"));
        }
        let expected_location = expected["headers"].get("Location").and_then(Value::as_str);
        if status == 202 && location.as_deref().map(without_id) != expected_location.map(|l| self.here(without_id(l))).as_deref() {
            self.replay.differs(name, "header location", &format!("{location:?}"));
        }
        match expected.get("body") {
            Some(body) => self.compare(name, "", body, &actual),
            // Requests of Microsoft's own collection: it looks for an id.
            None if status == 201 => assert!(actual["id"].is_string(), "{name}: {actual}"),
            None => assert!(text.is_empty() || status == 200, "{name}: {text}"),
        }
        actual
    }

    /// A URL of the example as it would be here.
    fn here(&self, text: &str) -> String {
        self.fill(text).replace(GRAPH, &self.server.base)
    }

    fn compare(&mut self, name: &str, pointer: &str, expected: &Value, actual: &Value) {
        match (expected, actual) {
            (Value::Object(expected), Value::Object(actual)) => {
                for (key, value) in expected {
                    let here = format!("{pointer}/{key}");
                    match actual.get(key) {
                        Some(actual) => self.compare(name, &here, value, actual),
                        None => self.replay.differs(name, &here, "is missing"),
                    }
                }
                for (key, value) in actual.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                    // Most examples left out the context and what is null (operations.md §1, conventions.md §5).
                    if !value.is_null() && key != "@odata.context" {
                        self.replay.differs(name, &format!("{pointer}/{key}"), &format!("{value} is not in the example"));
                    }
                }
            }
            (Value::Array(expected), Value::Array(actual)) => {
                if expected.len() != actual.len() {
                    self.replay.differs(name, pointer, &format!("{} items, not {}", actual.len(), expected.len()));
                    return;
                }
                for (i, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                    self.compare(name, &format!("{pointer}/{i}"), expected, actual);
                }
            }
            (Value::String(expected), Value::String(actual)) => self.compare_text(name, pointer, expected, actual),
            _ if expected == actual => {}
            _ => self.replay.differs(name, pointer, &format!("{actual}, not {expected}")),
        }
    }

    fn compare_text(&mut self, name: &str, pointer: &str, expected: &str, actual: &str) {
        let key = pointer.rsplit('/').next().unwrap_or_default();
        let same = match key {
            _ if SERVER_TIMES.contains(&key) => actual.parse::<jiff::Timestamp>().is_ok(),
            "id" | "containerId" | "runId" => match self.ids.iter().find(|(theirs, _)| theirs == expected) {
                Some((_, ours)) => ours == actual,
                None if is_guid(expected) && is_guid(actual) => {
                    self.ids.push((expected.to_owned(), actual.to_owned()));
                    true
                }
                None => expected == actual,
            },
            // Opaque: only that it is the same request with another page (conventions.md §7).
            "@odata.nextLink" => actual.split("$skiptoken=").next() == self.here(expected).split("$skiptoken=").next(),
            _ if expected.starts_with(GRAPH) => actual == self.here(expected),
            _ => actual == expected,
        };
        if !same {
            self.replay.differs(name, pointer, &format!("'{actual}', not '{expected}'"));
        }
    }

    async fn end(self) {
        self.server.stop().await;
    }
}

fn without_id(url: &str) -> &str {
    url.rsplit_once('/').map_or(url, |(collection, _)| collection)
}

fn is_guid(text: &str) -> bool {
    text.len() == 36 && text.bytes().enumerate().all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_reference_are_answered_as_it_prints_them() {
    let Some(folder) = folder() else {
        println!("skipped: there is no shared/spec/api/examples above this crate");
        return;
    };
    let all = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let all: BTreeSet<String> = all.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let mut replay = Replay { folder, played: BTreeSet::new(), wrong: Vec::new(), used: BTreeSet::new() };
    source_systems(&mut replay).await;
    connectors(&mut replay).await;
    years(&mut replay).await;
    inbound_flows(&mut replay).await;
    flow_sets(&mut replay).await;
    provisioning_flows(&mut replay).await;
    reference_data(&mut replay).await;
    runs(&mut replay).await;
    operations(&mut replay).await;
    upload_traces(&mut replay).await;

    assert!(replay.wrong.is_empty(), "\n{}", replay.wrong.join("\n"));
    let left: Vec<_> = all.difference(&replay.played).collect();
    assert!(left.is_empty(), "not replayed: {left:?}");
    let unused: Vec<_> = DIFFERENCES.iter().enumerate().filter(|(i, _)| !replay.used.contains(i)).map(|(_, row)| row).collect();
    assert!(unused.is_empty(), "no differences any more: {unused:#?}");
}

async fn source_systems(replay: &mut Replay) {
    let mut scene = replay.scene().await;
    scene.play("sourcesystem-create").await;
    scene.play("sourcesystem-create-with-domainname").await;
    scene.end().await;

    let mut scene = replay.scene().await;
    scene.source_system("0190210e-8827-4747-6f2b-08dacc885e72", "Rostering Source").await;
    scene.source_system("019845e8-47af-4b91-6ab8-08dad8f43b1a", "Admin Source").await;
    scene.play("sourcesystem-list").await;
    scene.play("sourcesystem-get").await;
    scene.source_system("d1cde272-4585-462c-4725-08dad18eb580", "Any").await;
    scene.play("sourcesystem-update").await;
    scene.source_system("0c629a1a-a85c-4365-bdf0-623a32ca69cb", "Any").await;
    scene.play("sourcesystem-delete").await;
    scene.end().await;
}

async fn connectors(replay: &mut Replay) {
    let mut scene = replay.scene().await;
    scene.source_system("aa050107-5784-4a8e-1876-08daddab21bc", "Rostering source").await;
    scene.play("dataconnector-create-azuredatalake").await;
    scene.play("dataconnector-get").await;
    scene.play("dataconnector-getuploadsession").await;
    scene.play("dataconnector-update-azuredatalake").await;
    let made = scene.ids[0].1.clone();
    scene.ids.push(("{{createdSourceSystemId}}".to_owned(), made));
    scene.play("dataconnector-create-azuredatalake-with-fileformat").await;
    scene.source_system("c93a6e02-aeb7-437f-cc52-08dc3fc158af", "OneRoster").await;
    scene.play("dataconnector-create-oneroster").await;
    scene.connector("8c010e87-c28b-4350-bdc1-65ec29258b93", "Any", "azureDataLakeConnector").await;
    scene.play("dataconnector-delete").await;
    scene.end().await;

    let mut scene = replay.scene().await;
    scene.connector("51dca0a0-85f6-4478-f526-08daddab2271", "Any", "oneRosterApiDataConnector").await;
    scene.play("dataconnector-update-oneroster").await;
    scene.end().await;

    let mut scene = replay.scene().await;
    scene.connector("51dca0a0-85f6-4478-f526-08daddab2271", "Rostering connector", "azureDataLakeConnector").await;
    scene.connector("f02aa680-4cdc-4d57-f4e1-08daddab2271", "CSV connector", "azureDataLakeConnector").await;
    let third = scene.connector("8c010e87-c28b-4350-bdc1-65ec29258b93", "Any", "azureDataLakeConnector").await;
    // The example is the first of several pages.
    scene.play_changed("dataconnector-list", |example| example["request"]["headers"]["Prefer"] = json!("odata.maxpagesize=2")).await;
    let session = "microsoft.graph.industryData.azureDataLakeConnector/getUploadSession";
    scene.server.get(&format!("/beta/external/industryData/dataConnectors/{third}/{session}")).await;
    scene.play("dataconnector-validate").await;
    scene.end().await;
}

async fn years(replay: &mut Replay) {
    let mut scene = replay.scene().await;
    scene.play("year-create").await;
    scene.play("year-get").await;
    scene.play("year-list").await;
    scene.play("year-update").await;
    scene.year("0c629a1a-a85c-4365-bdf0-623a32ca69cb").await;
    scene.play("year-delete").await;
    scene.end().await;
}

async fn inbound_flows(replay: &mut Replay) {
    const CONNECTOR: &str = "51dca0a0-85f6-4478-f526-08daddab2271";
    const YEAR: &str = "ebf18762-ab92-487e-21d1-08daddab28bb";
    const FLOW: &str = "7bd62d17-8c37-4494-f68d-08daddab2911";

    let mut scene = replay.scene().await;
    let connector = scene.connector(CONNECTOR, "CSV", "azureDataLakeConnector").await;
    scene.year(YEAR).await;
    scene.play("inboundflow-create-file").await;
    scene.play("inboundflow-update-file").await;
    let year = scene.ids.iter().find(|(theirs, _)| theirs == YEAR).unwrap().1.clone();
    scene.ids.extend([
        ("{dataConnectorId}".to_owned(), connector),
        ("{yearId}".to_owned(), year),
        ("{utcNow()}".to_owned(), scene.server.app.now().to_string()),
        ("{yyyy-MM-dd}".to_owned(), "2099-07-31".to_owned()),
    ]);
    scene.play("inboundflow-create-file-microsoft-adf-client").await;
    scene.inbound_flow("0c629a1a-a85c-4365-bdf0-623a32ca69cb", "Any", "inboundFileFlow", CONNECTOR, 2023).await;
    scene.play("inboundflow-delete").await;
    scene.end().await;

    let mut scene = replay.scene().await;
    scene.connector(CONNECTOR, "API", "oneRosterApiDataConnector").await;
    scene.year(YEAR).await;
    scene.play("inboundflow-create-api").await;
    scene.play("inboundflow-update-api").await;
    scene.end().await;

    let mut scene = replay.scene().await;
    scene.connector(CONNECTOR, "CSV", "azureDataLakeConnector").await;
    scene.year(YEAR).await;
    scene.inbound_flow(FLOW, "Inbound Flow", "inboundFileFlow", CONNECTOR, 2023).await;
    let path = scene.fill(&format!("/beta/external/industryData/inboundFlows/{FLOW}"));
    scene.server.wait_for(&path, "/readinessStatus", &["expired"]).await;
    scene.play("inboundflow-get").await;
    scene.end().await;

    let mut scene = replay.scene().await;
    scene.connector(CONNECTOR, "CSV", "azureDataLakeConnector").await;
    scene.connector("an API", "API", "oneRosterApiDataConnector").await;
    scene.year(YEAR).await;
    scene.inbound_flow(FLOW, "Rostering Flow", "inboundFileFlow", CONNECTOR, 2023).await;
    scene.inbound_flow("af37f530-9eeb-4a68-862c-fca4baf6410e", "Inbound API Flow", "inboundApiFlow", "an API", 2024).await;
    scene.play("inboundflow-list").await;
    scene.end().await;
}

fn flow_set(name: &str, orgs: [&str; 2]) -> Value {
    let filter = json!({ "@odata.type": "#microsoft.graph.industryData.basicFilter", "attribute": "orgExternalId", "in": orgs });
    json!({ "displayName": name, "filter": filter })
}

async fn flow_sets(replay: &mut Replay) {
    let mut scene = replay.scene().await;
    scene.play("flowset-create").await;
    scene.play("flowset-get").await;
    scene.play("flowset-update").await;
    scene.play("flowset-delete").await;
    scene.end().await;

    let mut scene = replay.scene().await;
    let sets = "outboundProvisioningFlowSets";
    scene.given("6c74bedb-23fa-44c9-d478-08dc3a38e458", sets, flow_set("Outbound Provisioning Flow Test", ["Quarter", "Demo"])).await;
    scene.given("8c33d025-5e64-4550-2aa3-08dc4ac66fca", sets, flow_set("Outbound Provisioning Flow", ["Practice", "Tactics"])).await;
    scene.play("flowset-list").await;
    scene.end().await;
}

async fn provisioning_flows(replay: &mut Replay) {
    const SET: &str = "9ab41255-5364-4c53-e15c-08dc4ab6ee03";
    const SECURITY: &str = "4598f62a-7bd9-40a1-d38a-08dc4ac68cf2";
    let sets = "outboundProvisioningFlowSets";
    let security = "provisioningflow-create-securitygroup";

    let mut scene = replay.scene().await;
    scene.given(SET, sets, flow_set("Any", ["a", "b"])).await;
    for kind in ["adminunit", "classgroup", "securitygroup", "user"] {
        scene.play(&format!("provisioningflow-create-{kind}")).await;
    }
    for kind in ["adminunit", "classgroup", "securitygroup", "user"] {
        scene.play(&format!("provisioningflow-update-{kind}")).await;
    }
    // The draft prints words for values; the status that a client may say stands for its "String".
    scene
        .play_changed("provisioningflow-update-securitygroup-short-url", |example| {
            example["request"]["body"]["readinessStatus"] = json!("disabled");
            example["response"]["body"]["readinessStatus"] = json!("disabled");
            example["response"]["body"]["id"] = json!(SECURITY);
        })
        .await;
    scene.play("provisioningflow-delete-securitygroup").await;
    scene.end().await;

    // What the user flow of the GET example has: the groups and licenses the other way round.
    let swapped = |first: &'static str, second: &'static str| {
        move |body: &mut Value| {
            let configurations = body["creationOptions"]["configurations"].as_array_mut().unwrap();
            configurations.reverse();
            configurations[0]["licenseSkus"] = json!([first]);
            configurations[1]["licenseSkus"] = json!([second]);
        }
    };
    let mut scene = replay.scene().await;
    scene.given(SET, sets, flow_set("Any", ["a", "b"])).await;
    scene.provisioning_flow(SET, SECURITY, security, |_| {}).await;
    scene.provisioning_flow(SET, "417a82c8-7caa-4f82-3ac6-08dc4ac6fb7f", "provisioningflow-create-classgroup", |_| {}).await;
    let user = "provisioningflow-create-user";
    scene.provisioning_flow(SET, "dbd36d16-c574-4ed8-3ac7-08dc4ac6fb7f", user, swapped("Sku1", "Sku2")).await;
    for kind in ["securitygroup", "classgroup", "user"] {
        scene.play(&format!("provisioningflow-get-{kind}")).await;
    }
    scene.end().await;

    let mut scene = replay.scene().await;
    let set = "8c33d025-5e64-4550-2aa3-08dc4ac66fca";
    scene.given(set, sets, flow_set("Any", ["a", "b"])).await;
    scene.provisioning_flow(set, "51f99e09-bdc5-47ff-7a0a-08dc4ac74cf1", security, |_| {}).await;
    scene.provisioning_flow(set, "6207e7d7-5eba-4ddc-e607-08dc4ac77409", "provisioningflow-create-classgroup", |_| {}).await;
    scene.provisioning_flow(set, "7b355e84-0af2-42fd-d392-08dc4ac68cf2", "provisioningflow-create-adminunit", |_| {}).await;
    scene.provisioning_flow(set, "dfeec276-d507-4008-d393-08dc4ac68cf2", user, swapped("world-class", "Strategist")).await;
    scene.play("provisioningflow-list").await;
    scene.play("provisioningflow-reset").await;
    scene.end().await;
}

async fn reference_data(replay: &mut Replay) {
    let mut scene = replay.scene().await;
    scene.play("referencedefinition-get").await;
    for list in ["referencedefinition-list", "referencedefinition-list-draft"] {
        // The pages print six rows of all.
        let url = scene.example(list)["request"]["url"].as_str().unwrap().to_owned();
        let ids = scene.example(list)["response"]["body"]["value"].clone();
        let ids: Vec<String> = ids.as_array().unwrap().iter().map(|row| format!("'{}'", id(row))).collect();
        let url = format!("{url}?$filter=id%20in%20({})", ids.join(","));
        scene.play_changed(list, |example| example["request"]["url"] = json!(url)).await;
    }
    // 300 is taken, by alumni; Microsoft's own collection sends 99910 (types.md §7.2).
    scene
        .play_changed("referencedefinition-create", |example| {
            example["request"]["body"]["sortIndex"] = json!(99910);
            example["response"]["body"]["sortIndex"] = json!(99910);
        })
        .await;
    let row = json!({ "referenceType": "RefAcademicSubject", "code": "TestGrade", "isDisabled": false, "sortIndex": 99910 });
    scene.given("a row", "referenceDefinitions", row).await;
    scene.play("referencedefinition-update").await;
    scene.play("referencedefinition-delete").await;
    scene.play("rolegroup-list").await;
    scene.play("rolegroup-get").await;
    scene.end().await;
}

async fn runs(replay: &mut Replay) {
    const RUN: &str = "918d4a8f-599b-4f6a-b409-e892855db534";
    // Runs of another day, one of them under way: no client can make those.
    let mut scene = replay.scene().await;
    for run in scene.example("run-list")["response"]["body"]["value"].as_array().unwrap().clone() {
        let theirs = id(&run).to_owned();
        scene.stored(&theirs, "runs", run).await;
    }
    scene.play("run-list").await;
    scene.play("run-get").await;
    scene.end().await;

    let mut scene = replay.scene().await;
    let server = &scene.server;
    server.app.import_accounts(server.tenant.id, DAY_1.iter().map(|p| account(p.0)).collect()).await.unwrap();
    let (connector, _, _) = server.configure(&json!({ "createBasedOnRoleGroup": true })).await;
    server.upload(&connector, &roster_files::files(&ORGS, &DAY_1)).await;
    let run = server.run().await;
    scene.ids.push((RUN.to_owned(), id(&run).to_owned()));
    let statistics = scene.play("run-getstatistics").await;
    let names = |totals: &Value| totals.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let example = scene.example("run-getstatistics");
    assert_eq!(names(&statistics["inboundTotals"]), names(&example["response"]["body"]["inboundTotals"]));
    scene.play("run-start").await;
    scene.end().await;
}

async fn operations(replay: &mut Replay) {
    let mut scene = replay.scene().await;
    let server = &scene.server;
    let (connector, _, _) = server.configure(&json!({ "createBasedOnRoleGroup": true })).await;
    // The files that the example finds missing are missing here too.
    let district = tempfile::tempdir().unwrap();
    let written = roster::demo::write_demo_district(district.path(), "contoso.example", 1).unwrap().files;
    let there = written.iter().map(|(name, _)| *name).filter(|name| !["orgs.csv", "classes.csv", "enrollments.csv"].contains(name));
    let files: Vec<_> = there.map(|name| (name.to_owned(), std::fs::read(district.path().join(name)).unwrap())).collect();
    let operation = server.upload(&connector, &files).await;
    scene.ids.push(("581b2ef8-dda2-4a3e-bb62-df13fd4a5808".to_owned(), id(&operation).to_owned()));
    scene.ids.push(("d194fa3e-18c9-47a1-0fb1-08dad8e7a876".to_owned(), id(&operation).to_owned()));
    scene.play("operation-get-filevalidate").await;
    scene.play("operation-list").await;
    scene.end().await;
}

/// What Microsoft's own collection and a third-party client do with an upload session, step by step.
///
/// The statuses are those of Azure Storage, 201, 202 and 200; the collection's tests say 200 for all,
/// which would break the storage SDKs (operations.md §5).
async fn upload_traces(replay: &mut Replay) {
    let name = "upload-protocol-client-traces";
    let mut scene = replay.scene().await;
    let steps = scene.example(name)["steps"].as_array().unwrap().clone();
    scene.replay.played.insert(name.to_owned());
    let connector = scene.connector("a connector", "CSV", "azureDataLakeConnector").await;
    let server = &scene.server;
    let users = "sourcedId,username,givenName,familyName\n";
    let (mut path, mut signature, mut location) = (String::new(), String::new(), String::new());
    for step in &steps {
        let text = step["request"].as_str().unwrap();
        let (method, url) = text.split_once(' ').unwrap();
        // Remarks follow some URLs, and a URL can be shortened to its query.
        let url = if let Some(rest) = url.strip_prefix("{G}") {
            format!("{}/beta/external/industryData{}", server.base, rest.replace("{id}", &connector))
        } else if url.starts_with("{Location}") {
            location.clone()
        } else {
            let (_, query) = url.split_once("{sas}").or_else(|| url.split_once('…')).unwrap();
            let query = query.split(' ').next().unwrap().replace("{length}", &users.len().to_string());
            format!("{path}/users.csv?{signature}{query}")
        };
        let mut request = server.http.request(Method::from_bytes(method.as_bytes()).unwrap(), &url);
        if url.contains("/beta/") {
            request = request.bearer_auth(server.token());
        }
        for (header, value) in step["headers"].as_object().into_iter().flatten() {
            request = request.header(header, value.as_str().unwrap());
        }
        if url.contains("action=append") || url.ends_with(&signature) && !signature.is_empty() {
            request = request.body(users);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let expected = match () {
            () if url.contains("/validate") => 202,
            () if url.contains("resource=file") => 201,
            () if url.contains("action=append") => 202,
            () if url.contains("action=flush") || url.contains("/beta/") => 200,
            () => 201,
        };
        if let Some(at) = response.headers().get("location") {
            location = at.to_str().unwrap().to_owned();
        }
        let body = response.text().await.unwrap();
        assert_eq!(status, expected, "{text}: {body}");
        if let Some(session) = serde_json::from_str::<Value>(&body).ok().as_ref().and_then(|b| b["sessionUrl"].as_str()) {
            let parts = session.split_once('?').unwrap();
            (path, signature) = (parts.0.to_owned(), parts.1.to_owned());
        }
        if url.contains("/validate") {
            server.wait_for(&location, "/status", &["succeeded"]).await;
        }
    }
    scene.end().await;
}
