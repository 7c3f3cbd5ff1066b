//! A run that is killed at any step is finished by the next start, with the same result.

use crate::district::{QUICK, prepare};
use crate::process::{Api, ROOT, Serving};
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

pub fn copy(from: &Path, to: &Path) {
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
    let name = |group: &Value| group["displayName"].as_str().unwrap().to_owned();
    let groups = api.get("/beta/groups?$top=999").await;
    let versions = groups["value"].as_array().unwrap().iter().map(|group| (name(group), group["mailNickname"].clone())).collect();
    Outcome {
        status: run["status"].clone(),
        statistics,
        activities: run["activities"].as_array().unwrap().iter().map(|a| a["status"].clone()).collect(),
        members: members(api).await,
        versions,
    }
}

/// The members of each group, by name.
pub async fn members(api: &Api) -> BTreeMap<String, Vec<String>> {
    let mut members = BTreeMap::new();
    for group in api.get("/beta/groups?$top=999").await["value"].as_array().unwrap() {
        let list = api.get(&format!("/beta/groups/{}/members?$top=999&$select=userPrincipalName", group["id"].as_str().unwrap())).await;
        let mut upns: Vec<String> =
            list["value"].as_array().unwrap().iter().map(|u| u["userPrincipalName"].as_str().unwrap().to_owned()).collect();
        upns.sort();
        members.insert(group["displayName"].as_str().unwrap().to_owned(), upns);
    }
    members
}

pub async fn start_run(api: &Api) {
    // The server may die before it answers; the run is accepted or it is not, and then it is asked again.
    let _ = api.send(Method::POST, &format!("{ROOT}/runs/start"), None).await;
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

mod thorough {
    use super::*;

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
}
