//! A run that is killed at any step is finished by the next start, with the same result.

use crate::process::{Api, ROOT, Serving};
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const DOMAIN: &str = "rivermark.example";
/// A dead worker's job is taken up after a second, not after a quarter of a minute.
const QUICK: [(&str, &str); 2] = [("HOMEROOM_WORKER__LEASE_SECONDS", "1"), ("HOMEROOM_RUNS__ON_DEMAND_PER_12H", "0")];

/// A data directory in which everything is ready for the first run; gives the token.
async fn prepare(data_dir: &Path) -> String {
    let roster = tempfile::tempdir().unwrap();
    let district = roster::demo::write_demo_district(roster.path(), DOMAIN, 0).unwrap();
    let token = {
        let app = server::App::open(data_dir, None, server::config::Config::default()).unwrap();
        let tenant = app.create_tenant("Rivermark", None, Some(DOMAIN)).await.unwrap();
        let accounts = district.directory_users.into_iter().map(|a| server::Account {
            upn: a.upn,
            mail: a.mail,
            display_name: a.display_name,
            given_name: a.given,
            surname: a.family,
            enabled: a.enabled,
        });
        app.import_accounts(tenant.id, accounts.collect()).await.unwrap();
        let client = app.create_client(tenant.id, "test", server::all_permissions()).await.unwrap();
        let answer = app.issue_token(&tenant.id.to_string(), &client.client_id, &client.client_secret).await.unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    };
    let serving = Serving::start(data_dir, &QUICK);
    let api = Api::new(&serving.base, &token);
    let connector = api.configure(Some(DOMAIN)).await;
    let files = district.files.iter().map(|(name, _)| *name);
    api.upload(&connector, roster.path(), files).await;
    serving.kill();
    token
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What a run has brought about, without ids and times.
#[derive(Debug, PartialEq)]
struct Outcome {
    status: Value,
    statistics: Value,
    activities: Vec<Value>,
    members: BTreeMap<String, Vec<String>>,
    versions: BTreeMap<String, Value>,
}

/// Waits for the only run to end and looks at everything.
async fn outcome(api: &Api) -> Outcome {
    api.wait_for(&format!("{ROOT}/operations"), "/value/1/status", &["succeeded", "failed"]).await;
    let run = api.get(&format!("{ROOT}/runs?$expand=activities")).await["value"][0].take();
    let mut statistics = api.get(&format!("{ROOT}/runs/{}/getStatistics", run["id"].as_str().unwrap())).await;
    for name in ["@odata.context", "runId", "activityStatistics"] {
        statistics.as_object_mut().unwrap().remove(name);
    }
    let mut members = BTreeMap::new();
    let mut versions = BTreeMap::new();
    for group in api.get("/beta/groups?$top=999").await["value"].as_array().unwrap() {
        let name = group["displayName"].as_str().unwrap().to_owned();
        let list = api.get(&format!("/beta/groups/{}/members?$top=999&$select=userPrincipalName", group["id"].as_str().unwrap())).await;
        let mut upns: Vec<String> =
            list["value"].as_array().unwrap().iter().map(|u| u["userPrincipalName"].as_str().unwrap().to_owned()).collect();
        upns.sort();
        members.insert(name.clone(), upns);
        versions.insert(name, group["mailNickname"].clone());
    }
    Outcome {
        status: run["status"].clone(),
        statistics,
        activities: run["activities"].as_array().unwrap().iter().map(|a| a["status"].clone()).collect(),
        members,
        versions,
    }
}

async fn start_run(api: &Api) {
    // The server may die before it answers; the run is accepted or it is not, and then it is asked again.
    let _ = api.send(Method::POST, &format!("{ROOT}/runs/start"), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_at_any_step_is_finished_by_the_next_start() {
    let original = tempfile::tempdir().unwrap();
    let token = prepare(original.path()).await;
    let undisturbed = {
        let dir = tempfile::tempdir().unwrap();
        copy(original.path(), dir.path());
        let serving = Serving::start(dir.path(), &QUICK);
        let api = Api::new(&serving.base, &token);
        start_run(&api).await;
        outcome(&api).await
    };
    assert_eq!(undisturbed.status, "completedWithErrors");
    assert_eq!(undisturbed.members.len(), 9, "{:?}", undisturbed.members);
    let mut tries = tokio::task::JoinSet::new();
    for failpoint in sync::FAILPOINTS {
        let dir = tempfile::tempdir().unwrap();
        copy(original.path(), dir.path());
        let token = token.clone();
        tries.spawn(async move { (failpoint, killed_at(failpoint, dir.path(), &token).await) });
    }
    while let Some(tried) = tries.join_next().await {
        let (failpoint, seen) = tried.unwrap();
        assert_eq!(seen, undisturbed, "{failpoint}");
    }
}

async fn killed_at(failpoint: &str, dir: &Path, token: &str) -> Outcome {
    let settings = [QUICK[0], QUICK[1], ("HOMEROOM_TEST_ABORT_AT", failpoint)];
    let serving = Serving::start(dir, &settings);
    start_run(&Api::new(&serving.base, token)).await;
    assert!(!serving.died().await.success(), "{failpoint}");
    // Before a step is recorded it is done again, and the process dies a second time.
    if failpoint.starts_with("before-") {
        assert!(!Serving::start(dir, &settings).died().await.success(), "{failpoint}");
    }
    let serving = Serving::start(dir, &QUICK);
    outcome(&Api::new(&serving.base, token)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_at_random_times_is_finished_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let token = prepare(dir.path()).await;
    let serving = Serving::start(dir.path(), &QUICK);
    start_run(&Api::new(&serving.base, &token)).await;
    serving.kill();
    for milliseconds in [5, 20, 40, 60, 80, 100, 130] {
        let serving = Serving::start(dir.path(), &QUICK);
        tokio::time::sleep(std::time::Duration::from_millis(900 + milliseconds)).await;
        serving.kill();
    }
    let serving = Serving::start(dir.path(), &QUICK);
    let seen = outcome(&Api::new(&serving.base, &token)).await;
    assert_eq!(seen.status, "completedWithErrors");
    assert_eq!(seen.members.len(), 9);
}
