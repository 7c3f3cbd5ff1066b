//! OneRoster connectors: their test, the readiness that hangs from it, and runs that pull.

use crate::harness::{Server, expect, id, source_system, year};
use crate::provider::{Auth, CLIENT_ID, CLIENT_SECRET, Paging, Planned, Provider, Setup, Trouble, school};
use crate::roster_files::{account, upn};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use server::config::Config;
use std::io::Write;
use std::sync::{Arc, Mutex};

const ROOT: &str = "/beta/external/industryData";

/// A server that may reach a provider on this machine.
async fn server_for(provider: &Provider) -> Server {
    server_that(provider, |_| {}).await
}

async fn server_that(provider: &Provider, is: impl FnOnce(&mut Config)) -> Server {
    let mut config = Config::default();
    config.outbound.allow = vec![provider.address.clone()];
    config.runs.on_demand_per_12h = 0;
    is(&mut config);
    Server::with(config).await
}

fn connector(source: &str, provider: &Provider, version: &str) -> Value {
    let path = if version == "1.1" { "ims/oneroster/v1p1" } else { "ims/oneroster/rostering/v1p2" };
    json!({
        "@odata.type": "#microsoft.graph.industryData.oneRosterApiDataConnector",
        "displayName": "API", "sourceSystem@odata.bind": format!("sourceSystems/{source}"),
        "apiFormat": "oneRoster", "apiVersion": version, "baseUrl": format!("{}/{path}", provider.base),
        "isContactsEnabled": true, "isDemographicsEnabled": false, "isFlagsEnabled": true,
        "credential": {
            "@odata.type": "#microsoft.graph.industryData.oAuth2ClientCredential", "displayName": "c",
            "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET, "tokenUrl": format!("{}/token", provider.base), "scope": "roster",
        },
    })
}

/// A connector and its flow.
async fn configure(server: &Server, provider: &Provider, version: &str) -> (String, String) {
    let source = server.create("sourceSystems", &source_system()).await;
    let made = server.create("dataConnectors", &connector(id(&source), provider, version)).await;
    let year = server.create("years", &year()).await;
    let flow = json!({
        "@odata.type": "#microsoft.graph.industryData.inboundApiFlow", "displayName": "From the API", "dataDomain": "educationRostering",
        "effectiveDateTime": "2026-08-01T00:00:00Z",
        "dataConnector@odata.bind": format!("dataConnectors/{}", id(&made)), "year@odata.bind": format!("years/{}", id(&year)),
    });
    let flow = server.create("inboundFlows", &flow).await;
    (id(&made).to_owned(), id(&flow).to_owned())
}

/// Tests a connection by `validate`; gives the operation in its end.
async fn validate(server: &Server, path: &str) -> Value {
    let accepted = server.send(Method::POST, &format!("{ROOT}/{path}/validate"), None).await;
    assert_eq!(accepted.status(), 202);
    let operation = accepted.headers()["location"].to_str().unwrap().to_owned();
    server.wait_for(&operation, "/status", &["succeeded", "failed"]).await
}

fn codes(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn validate_tests_the_connection_and_makes_the_flow_ready() {
    for (version, auth) in [("1.1", Auth::OAuth2Basic), ("1.2", Auth::OAuth2Form)] {
        let provider = Provider::start(Setup { auth, ..Setup::default() }, school(version, 10)).await;
        let server = server_for(&provider).await;
        let (connector, flow) = configure(&server, &provider, version).await;
        let stored = server.get(&format!("{ROOT}/dataConnectors/{connector}")).await;
        assert_eq!((&stored["credential"]["isValid"], &stored["credential"]["lastValidDateTime"]), (&json!(true), &Value::Null));
        let waiting = server.get(&format!("{ROOT}/inboundFlows/{flow}")).await;
        assert_eq!(waiting["readinessStatus"], "notReady", "nobody has seen it work");

        let operation = validate(&server, &format!("dataConnectors/{connector}")).await;
        assert_eq!(operation["@odata.type"], "#microsoft.graph.industryData.fileValidateOperation");
        assert_eq!((&operation["status"], &operation["errors"], &operation["warnings"]), (&json!("succeeded"), &json!([]), &json!([])));
        assert_eq!(operation["validatedFiles"], json!(["academicSessions", "orgs", "users", "courses", "classes", "enrollments"]));
        assert!(operation["resourceLocation"].as_str().unwrap().ends_with(&connector), "{operation}");
        let stored = server.get(&format!("{ROOT}/dataConnectors/{connector}")).await;
        assert_eq!(stored["credential"]["isValid"], true);
        assert!(stored["credential"]["lastValidDateTime"].is_string(), "{stored}");
        assert_eq!(stored["credential"].get("clientSecret"), None);
        server.wait_for(&format!("{ROOT}/inboundFlows/{flow}"), "/readinessStatus", &["ready"]).await;
        // The secret that was encrypted again by the test still opens.
        let again = validate(&server, &format!("inboundFlows/{flow}/dataConnector")).await;
        assert_eq!(again["errors"], json!([]));
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_may_name_the_organizations_of_a_tested_connection() {
    let provider = Provider::start(Setup::default(), school("1.1", 10)).await;
    let server = server_for(&provider).await;
    let (connector, _) = configure(&server, &provider, "1.1").await;
    let filter = json!({ "@odata.type": "#microsoft.graph.industryData.basicFilter", "attribute": "orgExternalId", "in": ["S1"] });
    let set = server.create("outboundProvisioningFlowSets", &json!({ "displayName": "S1", "filter": filter })).await;
    let flow = json!({ "@odata.type": "#microsoft.graph.industryData.securityGroupProvisioningFlow",
        "creationOptions": { "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": false } });
    let flow = server.create(&format!("outboundProvisioningFlowSets/{}/provisioningFlows", id(&set)), &flow).await;
    validate(&server, &format!("dataConnectors/{connector}")).await;
    let path = format!("{ROOT}/outboundProvisioningFlowSets/{}/provisioningFlows/{}", id(&set), id(&flow));
    server.wait_for(&path, "/readinessStatus", &["ready"]).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_does_not_work_says_why() {
    let plan = |collection, trouble| Planned { collection, requests: 0..99, trouble };
    let troubles = vec![plan("users", Trouble::Html), plan("classes", Trouble::Status(404, None))];
    let provider = Provider::start(Setup { troubles, paging: Paging::Link, ..Setup::default() }, school("1.1", 10)).await;
    let server = server_for(&provider).await;
    let (connector, flow) = configure(&server, &provider, "1.1").await;
    let operation = validate(&server, &format!("dataConnectors/{connector}")).await;
    assert_eq!(operation["status"], "succeeded", "the test was made; what it found is in errors");
    assert_eq!(
        (codes(&operation["errors"]), codes(&operation["warnings"])),
        (vec!["AnswerNotJson", "NotFound"], vec!["TotalCountMissing"])
    );
    assert_eq!((&operation["errors"][0]["target"], &operation["errors"][0]["details"]), (&json!("users"), &json!([])));
    assert!(operation["errors"][0]["message"].as_str().unwrap().contains("a web page is not the API"), "{operation}");
    let stored = server.get(&format!("{ROOT}/dataConnectors/{connector}")).await;
    assert_eq!((&stored["credential"]["isValid"], &stored["credential"]["lastValidDateTime"]), (&json!(false), &Value::Null));
    assert_eq!(server.get(&format!("{ROOT}/inboundFlows/{flow}")).await["readinessStatus"], "notReady");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_is_not_asked() {
    let provider = Provider::start(Setup::default(), school("1.1", 10)).await;
    let server = Server::start().await;
    let (connector, _) = configure(&server, &provider, "1.1").await;
    let operation = validate(&server, &format!("dataConnectors/{connector}")).await;
    assert_eq!(codes(&operation["errors"]), ["AddressNotAllowed"]);
    assert!(operation["errors"][0]["message"].as_str().unwrap().contains("[outbound] allow"), "{operation}");
    assert!(provider.log().is_empty(), "{:?}", provider.log());
    server.stop().await;
}

/// The requests of the page for administrators work as they stand there, and are answered as it says.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_about_oneroster_apis_does_what_it_says() {
    let page = include_str!("../../../../docs/oneroster-api.md");
    let blocks = |kind: &str| -> Vec<String> {
        let start = format!("```{kind}\n");
        let rest = page.split(start.as_str()).skip(1);
        rest.map(|rest| rest.split_once("```").unwrap().0.to_owned()).collect()
    };
    let troubles = vec![Planned { collection: "classes", requests: 0..1, trouble: Trouble::Status(404, None) }];
    let provider = Provider::start(Setup { troubles, ..Setup::default() }, school("1.1", 10)).await;
    let server = server_for(&provider).await;
    let (source, year) = (server.create("sourceSystems", &source_system()).await, server.create("years", &year()).await);
    let filled = |text: &str, connector: &str| {
        text.replace("sourceSystems/{id}", &format!("sourceSystems/{}", id(&source)))
            .replace("dataConnectors/{id}", &format!("dataConnectors/{connector}"))
            .replace("years/{id}", &format!("years/{}", id(&year)))
            .replace("https://sis.contoso.example/oauth/token", &format!("{}/token", provider.base))
            .replace("https://sis.contoso.example", &provider.base)
            .replace("https://homeroom.contoso.example", &server.base)
            .replace("no such collection", "no luck today")
            .replacen('…', CLIENT_ID, 1)
            .replacen('…', CLIENT_SECRET, 1)
    };
    let [connector, flow] = &blocks("http")[..] else { panic!("two requests") };
    let send = async |block: &str, connector: &str| {
        let (line, body) = block.trim_start().split_once('\n').unwrap();
        let path = line.trim().strip_prefix(&format!("POST {ROOT}/")).unwrap();
        server.create(path, &serde_json::from_str(&filled(body, connector)).unwrap()).await
    };
    let connector = id(&send(connector, "").await).to_owned();
    let credential = server.get(&format!("{ROOT}/dataConnectors/{connector}")).await["credential"].take();
    assert_eq!((&credential["isValid"], &credential["lastValidDateTime"]), (&json!(true), &Value::Null));
    let flow = send(flow, &connector).await;
    assert_eq!(flow["readinessStatus"], "notReady");
    let answered = validate(&server, &format!("dataConnectors/{connector}")).await;
    let mut told: Value = serde_json::from_str(&filled(&blocks("json")[0], &connector)).unwrap();
    for own in ["id", "createdDateTime", "lastActionDateTime"] {
        assert!(told[own].is_string());
        told[own] = answered[own].clone();
    }
    told["@odata.context"] = answered["@odata.context"].clone();
    assert_eq!(told, answered);
    let credential = server.get(&format!("{ROOT}/dataConnectors/{connector}")).await["credential"].take();
    assert_eq!((&credential["isValid"], &credential["lastValidDateTime"]), (&json!(false), &Value::Null));
    assert_eq!(validate(&server, &format!("dataConnectors/{connector}")).await["errors"], json!([]));
    server.wait_for(&format!("{ROOT}/inboundFlows/{}", id(&flow)), "/readinessStatus", &["ready"]).await;
    server.stop().await;
}

/// A change of what was tested takes the word back until the next test.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_connection_has_to_be_tested_again() {
    let provider = Provider::start(Setup::default(), school("1.1", 10)).await;
    let server = server_for(&provider).await;
    let (connector, flow) = configure(&server, &provider, "1.1").await;
    validate(&server, &format!("dataConnectors/{connector}")).await;
    let flow = format!("{ROOT}/inboundFlows/{flow}");
    server.wait_for(&flow, "/readinessStatus", &["ready"]).await;
    let path = format!("{ROOT}/dataConnectors/{connector}");
    let ty = "#microsoft.graph.industryData.oneRosterApiDataConnector";
    let patch = |change: Value| {
        let mut body = json!({ "@odata.type": ty });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    let renamed = server.send(Method::PATCH, &path, Some(&patch(json!({ "displayName": "New" })))).await;
    assert_eq!(renamed.status(), 204);
    assert!(server.get(&path).await["credential"]["lastValidDateTime"].is_string());
    let moved = patch(json!({ "apiVersion": "2.0" }));
    assert_eq!(server.send(Method::PATCH, &path, Some(&moved)).await.status(), 204);
    assert_eq!(server.get(&path).await["credential"]["lastValidDateTime"], Value::Null);
    server.wait_for(&flow, "/readinessStatus", &["notReady"]).await;
    let operation = validate(&server, &format!("dataConnectors/{connector}")).await;
    assert_eq!(codes(&operation["errors"]), ["VersionNotSupported"]);
    server.stop().await;
}

/// All findings of a run, by code, file and key.
fn findings(server: &Server, run: &Value) -> Vec<[String; 3]> {
    let folder = server.app.store().blobs().path(server.tenant.id, &format!("runs/{}", id(run))).unwrap();
    let logs = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let logs =
        logs.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("findings") && path.extension().unwrap() == "jsonl");
    let text: String = logs.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let finding = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let mut all: Vec<[String; 3]> =
        text.lines().map(finding).map(|f| ["code", "file", "key"].map(|name| f[name].as_str().unwrap_or_default().to_owned())).collect();
    all.sort();
    all
}

/// Everything from the provider to the security groups; gives the connector, its connection tested.
async fn configure_all(server: &Server, provider: &Provider, version: &str) -> String {
    let (connector, _) = configure(server, provider, version).await;
    server.app.import_accounts(server.tenant.id, ["t0", "s0", "s1", "s2"].map(account).into()).await.unwrap();
    let set = server.create("outboundProvisioningFlowSets", &json!({ "displayName": "All", "filter": null })).await;
    let flow = json!({ "@odata.type": "#microsoft.graph.industryData.securityGroupProvisioningFlow",
        "creationOptions": { "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": false } });
    server.create(&format!("outboundProvisioningFlowSets/{}/provisioningFlows", id(&set)), &flow).await;
    validate(server, &format!("dataConnectors/{connector}")).await;
    connector
}

/// From the provider to the directory, both versions, and the day after.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_pulls_the_roster_and_provisions_it() {
    for (version, files) in [("1.1", 6), ("1.2", 8)] {
        let provider = Provider::start(Setup::default(), school(version, 10)).await;
        let server = server_that(&provider, |config| config.oneroster.full_every_hours = 0).await;
        let connector = configure_all(&server, &provider, version).await;
        let run = server.run().await;
        assert_eq!(
            (&run["blockingError"], &run["status"]),
            (&Value::Null, &json!("completedWithWarnings")),
            "{:?}",
            findings(&server, &run)
        );
        let groups = server.groups().await;
        assert_eq!(groups["All Students"], [upn("s0"), upn("s1"), upn("s2")], "{version}");
        assert_eq!(groups["All Staff"], [upn("t0")]);
        let statistics = server.get(&format!("{ROOT}/runs/{}/getStatistics", id(&run))).await;
        let counted = |name: &str| statistics["inboundTotals"][name].clone();
        assert_eq!(
            [counted("organizations"), counted("people"), counted("groups"), counted("memberships")],
            [3, 21, 1, 11].map(Value::from)
        );
        // What could not be taken over as it is was said; nothing else is wrong with these files.
        let said = findings(&server, &run);
        let said: Vec<&[String; 3]> = said.iter().filter(|[code, ..]| code != "PersonNotMatched").collect();
        assert_eq!(
            said.iter().map(|finding| finding.join(" ")).collect::<Vec<_>>(),
            ["ProviderValueNotTaken classes.csv k0", "ProviderValueNotTaken courses.csv C"]
        );
        let accepted = server.app.store().blobs().path(server.tenant.id, &format!("accepted/{}.{connector}", id(&run))).unwrap();
        assert_eq!(std::fs::read_dir(accepted).unwrap().count(), files + 1, "and a manifest");
        // The day after, one is gone at the provider.
        provider.change(|data| data.get_mut("users").unwrap().retain(|user| user["sourcedId"] != "s1"));
        provider.change(|data| data.get_mut("enrollments").unwrap().retain(|enrollment| enrollment["user"]["sourcedId"] != "s1"));
        let run = server.run().await;
        assert_eq!(run["blockingError"], Value::Null, "{run}");
        assert_eq!(server.groups().await["All Students"], [upn("s0"), upn("s2")]);
        // And then the provider is out of order: nothing is changed.
        provider.trouble(Planned { collection: "users", requests: 0..99, trouble: Trouble::Html });
        let run = server.run().await;
        assert_eq!((&run["status"], &run["blockingError"]["code"]), (&json!("failed"), &json!("AnswerNotJson")));
        assert_eq!(server.groups().await["All Students"], [upn("s0"), upn("s2")]);
        server.stop().await;
    }
}

/// How the roster of a run was pulled, as `runs show` says it.
async fn how(server: &Server, run: &Value) -> String {
    let shown = server.app.show_run(server.tenant.id, id(run)).await.unwrap();
    shown["inbound"][0]["pull"].as_str().unwrap_or_default().to_owned()
}

/// A run that comes to its end; gives how the roster was pulled, and the students then.
async fn good_run(server: &Server) -> (String, Vec<String>) {
    let run = server.run().await;
    assert_eq!(run["blockingError"], Value::Null, "{run}");
    (how(server, &run).await, server.groups().await["All Students"].clone())
}

/// Changes records of a provider now.
fn touch(provider: &Provider, collection: &str, change: impl Fn(&mut Value) -> bool) {
    provider.change(|data| {
        for record in data.get_mut(collection).unwrap() {
            if change(record) {
                record["dateLastModified"] = json!(jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string());
            }
        }
    });
}

fn is(record: &Value, key: &str) -> bool {
    record["sourcedId"] == key
}

/// The run of the night is in full, those of the day ask for what has changed.
#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_day_pull_what_has_changed() {
    for version in ["1.1", "1.2"] {
        let provider = Provider::start(Setup::default(), school(version, 10)).await;
        let server = server_for(&provider).await;
        let connector = configure_all(&server, &provider, version).await;
        assert_eq!(good_run(&server).await, ("pulled in full".to_owned(), vec![upn("s0"), upn("s1"), upn("s2")]));
        // One is deleted, one becomes a teacher, and one is no longer there without a word.
        touch(&provider, "users", |user| {
            if is(user, "s1") {
                user["status"] = json!("tobedeleted");
            }
            if is(user, "s2") && version == "1.1" {
                user["role"] = json!("teacher");
            } else if is(user, "s2") {
                user["roles"][0]["role"] = json!("teacher");
            }
            is(user, "s1") || is(user, "s2")
        });
        provider.change(|data| data.get_mut("users").unwrap().retain(|user| !is(user, "s0")));
        let (said, students) = good_run(&server).await;
        let rows = if version == "1.1" { 2 } else { 4 };
        assert!(said.starts_with("pulled what has changed since 2") && said.ends_with(&format!("Z, rows: {rows}")), "{said}");
        assert_eq!(students, [upn("s0")], "{version}: of whom nothing was said, he stays until the next pull in full");
        assert_eq!(server.groups().await["All Staff"], [upn("s2"), upn("t0")]);
        // Nothing has changed beyond what the overlap brings once more.
        let (said, students) = good_run(&server).await;
        assert!(said.ends_with(&format!("rows: {rows}")) && students == [upn("s0")], "{said}");
        // A change of the connection is a reason to pull in full: now it shows who is gone.
        let ty = "#microsoft.graph.industryData.oneRosterApiDataConnector";
        let path = format!("dataConnectors/{connector}");
        let patch = json!({ "@odata.type": ty, "isFlagsEnabled": false });
        assert_eq!(server.send(Method::PATCH, &format!("{ROOT}/{path}"), Some(&patch)).await.status(), 204);
        validate(&server, &path).await;
        let (said, students) = good_run(&server).await;
        assert_eq!((said.as_str(), students.as_slice()), ("pulled in full", &[][..]), "{version}");
        assert!(good_run(&server).await.0.starts_with("pulled what has changed"));
        server.stop().await;
    }
}

/// Without the overlap, a pull that brings nothing leaves the set as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_pull_without_a_change_takes_the_set_before() {
    let provider = Provider::start(Setup { no_content: true, ..Setup::default() }, school("1.2", 10)).await;
    let server = server_for(&provider).await;
    let connector = configure_all(&server, &provider, "1.2").await;
    let run = server.run().await;
    let folder = server.app.store().blobs().path(server.tenant.id, "accepted").unwrap();
    let sets = || std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>();
    assert_eq!(sets(), [format!("{}.{connector}", id(&run))]);
    for _ in 0..2 {
        let (said, students) = good_run(&server).await;
        assert!(said.ends_with("rows: 0"), "{said}");
        assert_eq!((students, sets()), (vec![upn("s0"), upn("s1"), upn("s2")], vec![format!("{}.{connector}", id(&run))]));
    }
    server.stop().await;
}

/// A provider that is asked for changes and refuses, fails, or sends what cannot be used is asked for everything at once.
#[tokio::test(flavor = "multi_thread")]
async fn where_changes_cannot_be_had_the_same_run_pulls_in_full() {
    // A package of changes holds everybody's data, and a run's folder stays for weeks.
    let leaves_no_package = |server: &Server, run: &Value| {
        let folder = server.app.store().blobs().path(server.tenant.id, &format!("runs/{}", id(run))).unwrap();
        std::fs::read_dir(folder).unwrap().all(|entry| !entry.unwrap().file_name().to_string_lossy().starts_with("changes-"))
    };
    let provider = Provider::start(Setup { refuses_changes: true, ..Setup::default() }, school("1.1", 10)).await;
    let server = server_for(&provider).await;
    configure_all(&server, &provider, "1.1").await;
    good_run(&server).await;
    provider.change(|data| data.get_mut("users").unwrap().retain(|user| !is(user, "s0")));
    provider.change(|data| data.get_mut("enrollments").unwrap().retain(|enrollment| enrollment["user"]["sourcedId"] != "s0"));
    let run = server.run().await;
    assert_eq!(
        (how(&server, &run).await.as_str(), server.groups().await["All Students"].as_slice()),
        ("pulled in full", &[upn("s1"), upn("s2")][..])
    );
    let said = findings(&server, &run).into_iter().filter(|[code, ..]| code == "ProviderChangesNotTaken").count();
    assert_eq!((said, &run["status"]), (1, &json!("completedWithWarnings")));
    assert!(leaves_no_package(&server, &run));
    server.stop().await;
    // Changes without the time at which they were made, and changes of a file that was not there before.
    for name in ["undated", "new file"] {
        let mut data = school("1.1", 10);
        let courses = if name == "new file" { data.remove("courses") } else { None };
        let provider = Provider::start(Setup { ignores_filter: true, ..Setup::default() }, data).await;
        let server = server_for(&provider).await;
        configure_all(&server, &provider, "1.1").await;
        good_run(&server).await;
        provider.change(|data| match courses {
            Some(courses) => drop(data.insert("courses", courses)),
            None => data.get_mut("users").unwrap()[1]["dateLastModified"] = json!("yesterday"),
        });
        let run = server.run().await;
        assert_eq!((&run["blockingError"], how(&server, &run).await.as_str()), (&Value::Null, "pulled in full"), "{name}");
        assert!(findings(&server, &run).iter().any(|[code, ..]| code == "ProviderChangesNotTaken"), "{name}");
        assert!(leaves_no_package(&server, &run), "{name}");
        server.stop().await;
    }
}

/// What a run has not brought to its end is no ground to build on.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_run_that_was_stopped_the_next_one_pulls_in_full() {
    let provider = Provider::start(Setup::default(), school("1.1", 20)).await;
    let server = server_for(&provider).await;
    configure_all(&server, &provider, "1.1").await;
    good_run(&server).await;
    let before = server.groups().await;
    // The provider loses most of its people for an hour, and has them back as they were.
    let mut all = Vec::new();
    provider.change(|data| all = data["users"].clone());
    touch(&provider, "users", |user| {
        let goes = user["sourcedId"].as_str().is_some_and(|key| key.starts_with('s') || key.starts_with('g'));
        if goes {
            user["status"] = json!("tobedeleted");
        }
        goes
    });
    let run = server.run().await;
    assert_eq!(run["blockingError"]["code"], "SafetyThresholdExceeded", "{run}");
    assert_eq!(server.groups().await, before);
    provider.change(|data| drop(data.insert("users", all)));
    assert_eq!(good_run(&server).await, ("pulled in full".to_owned(), vec![upn("s0"), upn("s1"), upn("s2")]));
    assert!(good_run(&server).await.0.starts_with("pulled what has changed"));
    server.stop().await;
}

/// A server that stops while it pulls leaves the set before with its time; the next one asks from there.
#[tokio::test(flavor = "multi_thread")]
async fn changes_that_were_not_all_there_are_asked_for_again_from_the_same_time() {
    let provider = Provider::start(Setup::default(), school("1.2", 10)).await;
    let server = server_that(&provider, |config| config.worker.lease_seconds = 1).await;
    configure_all(&server, &provider, "1.2").await;
    good_run(&server).await;
    touch(&provider, "users", |user| {
        if is(user, "s1") {
            user["status"] = json!("tobedeleted");
        }
        is(user, "s1")
    });
    provider.trouble(Planned { collection: "classes", requests: 0..1, trouble: Trouble::Slow(std::time::Duration::from_secs(30)) });
    let started = server.send(Method::POST, &format!("{ROOT}/runs/start"), None).await;
    let operation = started.headers()["location"].to_str().unwrap().replace(&server.base, "");
    let asked = |collection: &str| {
        let is_of_changes = |line: &&String| line.contains(&format!("/{collection}?")) && line.contains("dateLastModified");
        provider.log().iter().filter(is_of_changes).cloned().collect::<Vec<_>>()
    };
    while asked("classes").is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let next = server.twin().await;
    server.stop().await;
    next.wait_for(&operation, "/status", &["succeeded"]).await;
    let shown = next.app.list_runs(next.tenant.id).await.unwrap();
    let said = how(&next, &Value::Object(shown[0].clone())).await;
    assert!(said.starts_with("pulled what has changed"), "{said}");
    let users = asked("users");
    assert_eq!((users.len(), &users[0]), (2, &users[1]), "{users:?}");
    assert_eq!(next.groups().await["All Students"], [upn("s0"), upn("s2")]);
    next.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_flows_of_a_connector_are_fed_by_one_pull() {
    let provider = Provider::start(Setup::default(), school("1.1", 10)).await;
    let server = server_for(&provider).await;
    let (connector, flow) = configure(&server, &provider, "1.1").await;
    let mut second = server.get(&format!("{ROOT}/inboundFlows/{flow}")).await;
    let other = json!({ "displayName": "2027-2028", "startDate": "2027-08-01", "endDate": "2028-07-31", "year": { "code": "2028" } });
    let other = server.create("years", &other).await;
    let kept = ["@odata.type", "displayName", "dataDomain", "effectiveDateTime"];
    second.as_object_mut().unwrap().retain(|name, _| kept.contains(&name.as_str()));
    second["dataConnector@odata.bind"] = json!(format!("dataConnectors/{connector}"));
    second["year@odata.bind"] = json!(format!("years/{}", id(&other)));
    server.create("inboundFlows", &second).await;
    validate(&server, &format!("dataConnectors/{connector}")).await;
    let run = server.run().await;
    assert_eq!(run["blockingError"], Value::Null, "{run}");
    let asked = provider.log().iter().filter(|line| line.contains("/enrollments?offset=0&limit=5000&")).count();
    assert_eq!(asked, 1, "{:?}", provider.log());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_fails_stops_the_run_and_says_why() {
    let provider = Provider::start(Setup::default(), school("1.1", 10)).await;
    let server = server_for(&provider).await;
    let (connector, flow) = configure(&server, &provider, "1.1").await;
    validate(&server, &format!("dataConnectors/{connector}")).await;
    server.wait_for(&format!("{ROOT}/inboundFlows/{flow}"), "/readinessStatus", &["ready"]).await;
    provider.trouble(Planned { collection: "enrollments", requests: 0..99, trouble: Trouble::Html });
    let run = server.run().await;
    assert_eq!((&run["status"], &run["blockingError"]["code"]), (&json!("failed"), &json!("AnswerNotJson")));
    let message = run["blockingError"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("Nothing was changed: 'From the API' could not be pulled. enrollments: it answers 'text/html"),
        "{message}"
    );
    let accepted = server.app.store().blobs().path(server.tenant.id, "accepted").unwrap();
    assert_eq!(std::fs::read_dir(accepted).map_or(0, Iterator::count), 0, "nothing of it was kept");
    server.wait_for(&format!("{ROOT}/inboundFlows/{flow}"), "/readinessStatus", &["failed"]).await;
    server.stop().await;
}

/// A writer of logs into memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Neither in logs at their most talkative, nor in any answer, nor in the database in clear.
#[tokio::test(flavor = "multi_thread")]
async fn the_secret_and_the_token_stay_where_they_are() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    // Where all tests are one process, another one's logs come along.
    let _ = tracing::subscriber::set_global_default(subscriber);
    let provider = Provider::start(Setup::default(), school("1.1", 10)).await;
    let server = server_for(&provider).await;
    let (connector, flow) = configure(&server, &provider, "1.1").await;
    let operation = validate(&server, &format!("dataConnectors/{connector}")).await;
    assert_eq!(operation["errors"], json!([]));
    let run = server.run().await;
    let mut answers = vec![operation, run];
    for path in ["dataConnectors", "inboundFlows", "operations", "runs"] {
        answers.push(server.get(&format!("{ROOT}/{path}")).await);
    }
    let expanded = format!("{ROOT}/inboundFlows/{flow}?$expand=dataConnector");
    answers.push(expect(server.send(Method::GET, &expanded, None).await, 200, &expanded).await);
    let answers = json!(answers).to_string();
    server.stop().await;
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("a run has ended"), "the log was written");
    let encoded = "s%26cret%2F%C3%BC%2B%3A";
    let basic = STANDARD.encode(format!("homeroom%3A1:{encoded}"));
    for secret in [CLIENT_SECRET, encoded, &basic, "token-1"] {
        assert!(!answers.contains(secret), "an answer has {secret}");
        let place = log.find(secret);
        assert_eq!(place, None, "{}", place.map_or("", |place| log.get(place.saturating_sub(200)..place + 20).unwrap_or(&log[place..])));
    }
}
