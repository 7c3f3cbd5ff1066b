//! Runs over HTTP: from an upload to the members of the groups.

use crate::harness::{Server, expect};
use crate::roster_files::{self, DAY_1, ORGS, Person, account, upn};
use reqwest::Method;
use serde_json::{Value, json};
use server::config::Config;
use std::collections::BTreeMap;

const BOTH: fn() -> Value = || json!({ "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": true });

fn config() -> Config {
    let mut config = Config::default();
    config.runs.on_demand_per_12h = 0;
    config
}

/// A server with the accounts of the first day and the configuration of one flow.
async fn school(options: &Value) -> (Server, String, String, String) {
    school_on(None, options).await
}

async fn school_on(database_url: Option<String>, options: &Value) -> (Server, String, String, String) {
    let server = Server::on(database_url, config()).await;
    server.app.import_accounts(server.tenant.id, DAY_1.iter().map(|p| account(p.0)).collect()).await.unwrap();
    let (connector, set, flow) = server.configure(options).await;
    (server, connector, set, flow)
}

async fn day(server: &Server, connector: &str, orgs: &[(&str, &str)], people: &[Person]) {
    let validated = server.upload(connector, &roster_files::files(orgs, people)).await;
    assert_eq!(validated["errors"], json!([]), "{validated}");
}

fn groups(expected: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    expected
        .iter()
        .map(|(name, members)| {
            let mut upns: Vec<String> = members.iter().map(|m| upn(m)).collect();
            upns.sort();
            ((*name).to_owned(), upns)
        })
        .collect()
}

fn first_day() -> BTreeMap<String, Vec<String>> {
    groups(&[
        ("All Staff", &["paula", "tim", "tanja", "tom"]),
        ("All Students", &["ada", "ben", "cem", "dora", "eva", "finn", "gül", "hugo"]),
        ("Staff - North School", &["paula", "tim", "tanja"]),
        ("Staff - South School", &["tanja", "tom"]),
        ("Students - North School", &["ada", "ben", "cem", "dora"]),
        ("Students - South School", &["eva", "finn", "gül", "hugo"]),
    ])
}

/// All groups with their versions, their members, and the number of changes ever applied.
async fn directory_state(server: &Server) -> Value {
    let count = |tx: &mut store::Tx<'_>| {
        let rows = tx.query_one("SELECT count(*) FROM audit_log WHERE tenant_id = $1", &[tx.tenant_value()])?;
        rows.map_or(Ok(0), |row| row.int(0))
    };
    let applied = server.app.store().read(&server.app.system(server.tenant.id), count).await;
    let applied: Result<i64, store::StoreError> = applied;
    let applied = applied.unwrap();
    assert!(applied > 0, "nothing was ever applied");
    json!({ "groups": server.get("/beta/groups?$top=999").await["value"], "members": server.groups().await, "applied": applied })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_becomes_security_groups_and_the_call_of_the_mission_adds_those_of_the_schools() {
    let (server, connector, _, _) = school(&json!({ "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": false })).await;
    day(&server, &connector, &ORGS, &DAY_1).await;
    let run = server.run().await;
    assert_eq!(run["status"], "completed", "{run}");
    let mut expected = first_day();
    expected.retain(|name, _| name.starts_with("All"));
    assert_eq!(server.groups().await, expected);

    let patched = server.send(Method::PATCH, "/beta/securityGroupProvisioningFlow", Some(&json!({ "creationOptions": BOTH() }))).await;
    let patched = expect(patched, 200, "patch").await;
    assert_eq!(patched["creationOptions"], BOTH());
    server.run().await;
    assert_eq!(server.groups().await, first_day());

    let flow = server.get("/beta/securityGroupProvisioningFlow").await;
    assert_eq!(flow["readinessStatus"], "ready");
    let path = format!("/beta/external/industryData/runs/{}", run["id"].as_str().unwrap());
    let statistics = server.get(&format!("{path}/getStatistics")).await;
    assert_eq!(statistics["status"], "completed", "{statistics}");
    assert_eq!(
        statistics["inboundTotals"]["matchedPeopleByRole"].as_array().unwrap().iter().map(|r| r["count"].as_i64().unwrap()).sum::<i64>(),
        12,
        "{statistics}"
    );
    let activities = server.get(&format!("{path}/activities?$expand=activity")).await;
    let names: Vec<&str> = activities["value"].as_array().unwrap().iter().map(|a| a["status"].as_str().unwrap()).collect();
    assert_eq!(names, ["completed", "completed"], "{activities}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_comes_out_on_postgresql() {
    let Some(database) = Database::create() else {
        eprintln!("skipped: HOMEROOM_TEST_POSTGRES_URL is not set");
        return;
    };
    let (server, connector, _, _) = school_on(Some(database.url.clone()), &BOTH()).await;
    day(&server, &connector, &ORGS, &DAY_1).await;
    assert_eq!(server.run().await["status"], "completed");
    assert_eq!(server.groups().await, first_day());
    let before = directory_state(&server).await;
    server.run().await;
    assert_eq!(directory_state(&server).await, before, "a second run writes nothing");
    crate::transcript::play(&server, "directory").await;
    server.stop().await;
}

/// A database of its own, dropped at the end.
pub struct Database {
    admin_url: String,
    name: String,
    pub url: String,
}

impl Database {
    /// When the environment names a PostgreSQL.
    pub fn create() -> Option<Self> {
        let admin_url = std::env::var("HOMEROOM_TEST_POSTGRES_URL").ok()?;
        let name = format!("homeroom_server_{}", uuid::Uuid::new_v4().simple());
        let url = format!("{}/{name}", admin_url.rsplit_once('/')?.0);
        execute(&admin_url, &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"));
        Some(Self { admin_url, name, url })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        execute(&self.admin_url, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// On a thread of its own: the client brings a runtime with it.
fn execute(url: &str, sql: &str) {
    let (url, sql) = (url.to_owned(), sql.to_owned());
    let done = std::thread::spawn(move || postgres::Client::connect(&url, postgres::NoTls).unwrap().batch_execute(&sql).unwrap());
    done.join().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_over_the_same_data_writes_nothing() {
    let (server, connector, _, _) = school(&BOTH()).await;
    day(&server, &connector, &ORGS, &DAY_1).await;
    server.run().await;
    let before = directory_state(&server).await;
    assert_eq!(server.run().await["status"], "completed");
    day(&server, &connector, &ORGS, &DAY_1).await;
    server.run().await;
    assert_eq!(directory_state(&server).await, before);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_day_brings_leavers_joiners_and_people_who_moved() {
    let (server, connector, _, _) = school(&BOTH()).await;
    server.app.import_accounts(server.tenant.id, vec![account("ida"), account("jan")]).await.unwrap();
    day(&server, &connector, &ORGS, &DAY_1).await;
    server.run().await;
    // Somebody adds a guest by hand; Homeroom must leave them alone.
    let all = server.get("/beta/groups?$filter=displayName eq 'All Students'").await;
    let group = all["value"][0]["id"].as_str().unwrap();
    let jan = server.get(&format!("/beta/users/{}", upn("jan"))).await;
    let reference = json!({ "@odata.id": format!("{}/beta/users/{}", server.base, jan["id"].as_str().unwrap()) });
    assert_eq!(server.send(Method::POST, &format!("/beta/groups/{group}/members/$ref"), Some(&reference)).await.status(), 204);

    let mut people: Vec<Person> = DAY_1.into_iter().filter(|p| !matches!(p.0, "ada" | "eva" | "tim")).collect();
    people.push(("eva", "student", &["n"])); // moved from South to North
    people.push(("ida", "student", &["s"])); // joined
    people.push(("tim", "student", &["s"])); // a teacher who studies now
    day(&server, &connector, &ORGS, &people).await;
    assert_eq!(server.run().await["status"], "completed");
    assert_eq!(
        server.groups().await,
        groups(&[
            ("All Staff", &["paula", "tanja", "tom"]),
            ("All Students", &["ben", "cem", "dora", "eva", "finn", "gül", "hugo", "ida", "jan", "tim"]),
            ("Staff - North School", &["paula", "tanja"]),
            ("Staff - South School", &["tanja", "tom"]),
            ("Students - North School", &["ben", "cem", "dora", "eva"]),
            ("Students - South School", &["finn", "gül", "hugo", "ida", "tim"]),
        ])
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_school_that_is_gone_stops_the_run_until_somebody_approves() {
    let mut config = config();
    config.guards.max_drop_count = 3;
    let server = Server::with(config).await;
    server.app.import_accounts(server.tenant.id, DAY_1.iter().map(|p| account(p.0)).collect()).await.unwrap();
    let (connector, _, _) = server.configure(&BOTH()).await;
    day(&server, &connector, &ORGS, &DAY_1).await;
    server.run().await;

    let north: Vec<Person> = DAY_1
        .into_iter()
        .filter(|p| p.2.contains(&"n"))
        .map(|p| if p.0 == "tanja" { ("tanja", "teacher", &["n"][..]) } else { p })
        .collect();
    day(&server, &connector, &ORGS[..2], &north).await;
    let run = server.run().await;
    assert_eq!(run["status"], "failed", "{run}");
    assert_eq!(run["blockingError"]["code"], "SafetyThresholdExceeded", "{run}");
    assert_eq!(server.groups().await, first_day(), "nothing may have changed");

    let id = run["id"].as_str().unwrap();
    server.app.approve_run(server.tenant.id, id).await.unwrap();
    let run = server.wait_for(&format!("/beta/external/industryData/runs/{id}"), "/status", &["completed", "completedWithErrors"]).await;
    assert_eq!(run["blockingError"], Value::Null);
    assert_eq!(
        server.groups().await,
        groups(&[
            ("All Staff", &["paula", "tim", "tanja"]),
            ("All Students", &["ada", "ben", "cem", "dora"]),
            ("Staff - North School", &["paula", "tim", "tanja"]),
            ("Staff - South School", &[]),
            ("Students - North School", &["ada", "ben", "cem", "dora"]),
            ("Students - South School", &[]),
        ])
    );
    assert!(server.app.approve_run(server.tenant.id, id).await.is_err(), "it waits no more");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_missing_from_the_set_waits_for_an_approval_too() {
    let (server, connector, _, _) = school(&BOTH()).await;
    let mut files = roster_files::files(&ORGS, &DAY_1);
    let sessions = "sourcedId,title,type,schoolYear,startDate,endDate\nterm,Autumn,semester,2027,2026-08-01,2027-01-31\n";
    files.push(("academicSessions.csv".to_owned(), sessions.into()));
    server.upload(&connector, &files).await;
    assert_eq!(server.run().await["status"], "completed");
    day(&server, &connector, &ORGS, &DAY_1[..11]).await;
    let run = server.run().await;
    assert_eq!(run["blockingError"]["code"], "FileMissingFromSet", "{run}");
    assert_eq!(server.groups().await, first_day(), "nothing may have changed");
    let id = run["id"].as_str().unwrap();
    server.app.approve_run(server.tenant.id, id).await.unwrap();
    server.wait_for(&format!("/beta/external/industryData/runs/{id}"), "/status", &["completed"]).await;
    assert_eq!(server.groups().await["All Students"].len(), 7);
    assert_eq!(server.run().await["status"], "completed", "the new set is the accepted one");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_past_its_time_rests_and_what_it_has_brought_stays() {
    let (server, south, _, _) = school(&BOTH()).await;
    let (north, flow) = server.configure_inbound().await;
    let at = |org: &'static str| {
        DAY_1.into_iter().filter(move |p| p.2.contains(&org)).map(move |p| (p.0, p.1, if org == "n" { &["n"][..] } else { &["s"] }))
    };
    let (in_north, mut in_south): (Vec<Person>, Vec<Person>) = (at("n").collect(), at("s").collect());
    day(&server, &north, &ORGS[..2], &in_north).await;
    day(&server, &south, &[ORGS[0], ORGS[2]], &in_south).await;
    assert_eq!(server.run().await["status"], "completed");
    assert_eq!(server.groups().await, first_day());

    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(1_200);
    let path = format!("/beta/external/industryData/inboundFlows/{flow}");
    assert_eq!(server.send(Method::PATCH, &path, Some(&json!({ "expirationDateTime": soon.to_string() }))).await.status(), 204);
    server.wait_for(&path, "/readinessStatus", &["expired"]).await;
    in_south.retain(|p| p.0 != "hugo");
    day(&server, &south, &[ORGS[0], ORGS[2]], &in_south).await;
    let run = server.run().await;
    assert_eq!(run["status"], "completed", "{run}");
    let mut expected = first_day();
    for group in ["All Students", "Students - South School"] {
        expected.get_mut(group).unwrap().retain(|m| *m != upn("hugo"));
    }
    assert_eq!(server.groups().await, expected);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_cannot_be_approved_after_a_later_one() {
    let (server, connector, _, _) = school(&BOTH()).await;
    day(&server, &connector, &ORGS, &DAY_1).await;
    server.run().await;
    let other: Vec<Person> = vec![("ida", "student", &["s"])];
    day(&server, &connector, &ORGS, &other).await;
    let blocked = server.run().await;
    assert_eq!(blocked["blockingError"]["code"], "SafetyThresholdExceeded", "{blocked}");
    day(&server, &connector, &ORGS, &DAY_1).await;
    assert_eq!(server.run().await["status"], "completed");
    assert!(server.app.approve_run(server.tenant.id, blocked["id"].as_str().unwrap()).await.is_err());
    assert_eq!(server.groups().await, first_day());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_option_switched_off_leaves_its_groups_as_they_are() {
    let (server, connector, _, _) = school(&BOTH()).await;
    day(&server, &connector, &ORGS, &DAY_1).await;
    server.run().await;
    let off = json!({ "creationOptions": { "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": false } });
    expect(server.send(Method::PATCH, "/beta/securityGroupProvisioningFlow", Some(&off)).await, 200, "patch").await;
    let people: Vec<Person> = DAY_1.into_iter().filter(|p| p.0 != "ada").collect();
    day(&server, &connector, &ORGS, &people).await;
    server.run().await;
    let mut expected = first_day();
    expected.get_mut("All Students").unwrap().retain(|m| *m != upn("ada"));
    assert_eq!(server.groups().await, expected, "the groups of the schools keep ada");

    let on = json!({ "creationOptions": BOTH() });
    expect(server.send(Method::PATCH, "/beta/securityGroupProvisioningFlow", Some(&on)).await, 200, "patch").await;
    server.run().await;
    expected.get_mut("Students - North School").unwrap().retain(|m| *m != upn("ada"));
    assert_eq!(server.groups().await, expected, "switched on again it catches up");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_flow_is_skipped_and_nothing_of_it_removed() {
    let (server, connector, _, _) = school(&BOTH()).await;
    day(&server, &connector, &ORGS, &DAY_1).await;
    server.run().await;
    let off = json!({ "readinessStatus": "disabled", "creationOptions": BOTH() });
    expect(server.send(Method::PATCH, "/beta/securityGroupProvisioningFlow", Some(&off)).await, 200, "patch").await;
    let people: Vec<Person> = DAY_1.into_iter().filter(|p| p.0 != "ada").collect();
    day(&server, &connector, &ORGS, &people).await;
    server.run().await;
    assert_eq!(server.groups().await, first_day());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_keeps_the_organizations_that_it_names_and_sets_add_up() {
    let (server, connector, set, _) = school(&json!({ "createBasedOnRoleGroup": false, "createBasedOnOrgPlusRoleGroup": true })).await;
    let filter =
        |org: &str| json!({ "@odata.type": "#microsoft.graph.industryData.basicFilter", "attribute": "orgExternalId", "in": [org] });
    let path = format!("/beta/external/industryData/outboundProvisioningFlowSets/{set}");
    assert_eq!(server.send(Method::PATCH, &path, Some(&json!({ "filter": filter("n") }))).await.status(), 204);
    day(&server, &connector, &ORGS, &DAY_1).await;
    server.run().await;
    let mut expected = first_day();
    expected.retain(|name, _| name.ends_with("North School"));
    assert_eq!(server.groups().await, expected);

    let other = server.create("outboundProvisioningFlowSets", &json!({ "displayName": "South", "filter": filter("s") })).await;
    let flow = json!({ "@odata.type": "#microsoft.graph.industryData.securityGroupProvisioningFlow", "creationOptions": BOTH() });
    server.create(&format!("outboundProvisioningFlowSets/{}/provisioningFlows", other["id"].as_str().unwrap()), &flow).await;
    server.run().await;
    expected = first_day();
    expected.insert("All Staff".to_owned(), vec![upn("tanja"), upn("tom")]);
    expected.insert("All Students".to_owned(), expected["Students - South School"].clone());
    assert_eq!(server.groups().await, expected, "a filter holds for the role groups of its set as well");
    server.stop().await;
}

/// A report on a run's findings, as a client gets it.
async fn report(server: &Server, run: &str, name: &str) -> String {
    let response = server.send(Method::GET, &format!("/admin/runs/{run}/{name}"), None).await;
    assert_eq!(response.status(), 200, "{name}");
    response.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_findings_of_a_run_can_be_had_in_every_form_by_whoever_may_read_runs() {
    let (server, connector, _, _) = school(&BOTH()).await;
    let mut files = roster_files::files(&ORGS, &DAY_1);
    files[2].1 = String::from_utf8(files[2].1.clone()).unwrap().replace("hugo,s,student,true", "hugo,nowhere,student,true").into_bytes();
    server.upload(&connector, &files).await;
    let run = server.run().await;
    let id = run["id"].as_str().unwrap();
    let csv = report(&server, id, "findings.csv").await;
    assert!(csv.starts_with("severity,code,") && csv.contains("error,ReferenceNotFound,roles.csv,"), "{csv}");
    let page = report(&server, id, "findings.html").await;
    assert!(page.contains(run["displayName"].as_str().unwrap()) && page.contains("<dt>Rows read</dt><dd>"), "{page}");
    assert!(!page.contains("<dd>0</dd></div><div><dt>Rows kept"), "the counts of the files are there");
    for unknown in [
        format!("/admin/runs/{id}/findings.pdf"),
        format!("/admin/runs/{}/findings.csv", uuid::Uuid::nil()),
        "/admin/runs/..%2f..%2fx/findings.csv".to_owned(),
    ] {
        expect(server.send(Method::GET, &unknown, None).await, 404, &unknown).await;
    }
    let url = format!("{}/admin/runs/{id}/findings.csv", server.base);
    assert_eq!(server.http.get(&url).send().await.unwrap().status(), 401);
    let other = server.token_with(vec!["IndustryData-TimePeriod.Read.All".to_owned()]).await;
    assert_eq!(server.http.get(&url).bearer_auth(other).send().await.unwrap().status(), 403);
    let tenant = server.app.create_tenant("Fabrikam", None, None).await.unwrap();
    let stranger = server.token_of(tenant.id, server::all_permissions()).await;
    assert_eq!(server.http.get(&url).bearer_auth(stranger).send().await.unwrap().status(), 404);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_data_is_found_and_its_neighbours_are_provisioned_all_the_same() {
    let (server, connector, _, _) = school(&BOTH()).await;
    let mut files = roster_files::files(&ORGS, &DAY_1);
    let roles = String::from_utf8(files[2].1.clone()).unwrap().replace("hugo,s,student,true", "hugo,nowhere,student,true");
    files[2].1 = roles.into_bytes();
    server.upload(&connector, &files).await;
    let run = server.run().await;
    assert_eq!(run["status"], "completedWithErrors", "{run}");
    let id = run["id"].as_str().unwrap();
    let text = report(&server, id, "findings.json").await;
    assert!(text.contains("ReferenceNotFound") && text.contains("nowhere"), "{text}");
    assert_eq!(server.groups().await["All Students"].len(), 7);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_of_files_without_a_required_one_is_refused_and_the_accepted_one_stays() {
    let (server, connector, _, _) = school(&BOTH()).await;
    day(&server, &connector, &ORGS, &DAY_1).await;
    let validated = server.upload(&connector, &roster_files::files(&ORGS, &DAY_1)[..2]).await;
    assert_eq!(validated["errors"][0]["code"], "RequiredFileNotFound", "{validated}");
    let run = server.run().await;
    assert_eq!(run["status"], "completedWithWarnings", "a run on older data says so: {run}");
    let log = report(&server, run["id"].as_str().unwrap(), "findings.json").await;
    assert!(log.contains("LastUploadRefused") && log.contains("roles.csv"), "{log}");
    assert_eq!(server.groups().await, first_day());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sixth_start_in_twelve_hours_waits() {
    let server = Server::start().await;
    let (connector, _, _) = server.configure(&BOTH()).await;
    day(&server, &connector, &ORGS, &DAY_1).await;
    for _ in 0..5 {
        server.run().await;
    }
    let sixth = server.send(Method::POST, "/beta/external/industryData/runs/start", None).await;
    assert!(sixth.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 11 * 3600);
    let body = expect(sixth, 429, "sixth").await;
    assert_eq!(body["error"]["code"], "TooManyRequests");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_an_upload_says_so_and_changes_nothing() {
    let (server, _, _, _) = school(&BOTH()).await;
    let run = server.run().await;
    assert_eq!(run["status"], "failed", "{run}");
    assert_ne!(run["blockingError"], Value::Null);
    assert_eq!(server.groups().await, BTreeMap::new());
    server.stop().await;
}

/// Files packed into one archive.
fn zipped(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in files {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    let files: Vec<_> = files.iter().map(|(name, _)| roster::Source { name: name.clone(), path: dir.path().join(name) }).collect();
    roster::archive::pack(&files, &dir.path().join("export.zip")).unwrap();
    std::fs::read(dir.path().join("export.zip")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_may_come_in_archives() {
    let (server, connector, _, _) = school(&BOTH()).await;
    let files = roster_files::files(&ORGS, &DAY_1);
    // One file loose, two packed.
    let validated = server.upload(&connector, &[files[0].clone(), ("people.zip".to_owned(), zipped(&files[1..]))]).await;
    assert_eq!((&validated["status"], &validated["errors"]), (&json!("succeeded"), &json!([])), "{validated}");
    assert_eq!(validated["validatedFiles"], json!(["orgs.csv", "users.csv", "roles.csv"]));
    assert_eq!(server.run().await["status"], "completed");
    assert_eq!(server.groups().await, first_day());

    // Refused archives say why, and the last good upload stays the accepted one.
    for (name, content, code, told) in [
        ("export.zip", b"no archive".to_vec(), "FileUnreadable", "export.zip"),
        ("export.zip", zipped(&[("readme.txt".to_owned(), b"hello".to_vec())]), "InvalidFileFormat", "readme.txt"),
        ("export.zip", zipped(&files[..1]), "DuplicateFile", "orgs.csv"),
    ] {
        let mut sent = files.clone();
        sent.push((name.to_owned(), content));
        let refused = server.upload(&connector, &sent).await;
        assert_eq!(refused["status"], "succeeded", "the validation was done: {refused}");
        assert_eq!(refused["errors"][0]["code"], code, "{refused}");
        assert!(refused["errors"][0]["message"].as_str().unwrap().contains(told), "{refused}");
        assert_eq!(refused["errors"].as_array().unwrap().len(), 1, "{refused}");
    }
    let run = server.run().await;
    assert_eq!(run["status"], "completedWithWarnings", "the upload was refused, which the run tells: {run}");
    assert_eq!(server.groups().await, first_day());
}
