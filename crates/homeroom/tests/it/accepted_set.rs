//! The set of files that runs work on, while the server dies at each step of its making.

use crate::district::QUICK;
use crate::kill_anywhere::copy;
use crate::process::{Api, ROOT, Serving};
use crate::uploads::token;
use reqwest::Method;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

/// Name and content of the files of the only set that is accepted; nothing when none is. No server may be running there.
/// A copy is looked at: the database is closed some time after whoever opened it has gone.
pub async fn accepted(data_dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let looked_at = tempfile::tempdir().unwrap();
    copy(data_dir, looked_at.path());
    let app = server::App::open(looked_at.path(), None, server::config::Config::default()).unwrap();
    let tenant = store::TenantId(app.list_tenants().await.unwrap()[0].id.0);
    let sets = |tx: &mut store::Tx<'_>| tx.docs(&store::Access::unchecked("_accepted"))?.list(None, None, 10);
    let sets = app.store().read::<_, store::StoreError>(&app.system(tenant), sets).await.unwrap();
    assert!(sets.len() <= 1);
    let Some(set) = sets.first() else { return BTreeMap::new() };
    let folder = app.store().blobs().path(tenant, set.body["folder"].as_str().unwrap()).unwrap();
    roster::Source::list(&folder).unwrap().into_iter().map(|file| (file.name, std::fs::read(file.path).unwrap())).collect()
}

/// Waits until no operation is going.
pub async fn all_ended(api: &Api) {
    for _ in 0..1200 {
        let operations = api.get(&format!("{ROOT}/operations")).await;
        if operations["value"].as_array().unwrap().iter().all(|operation| operation["status"] == "succeeded") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("an operation does not end");
}

/// Has a set accepted in a new data directory: the first one, made in the folder `set`. Gives the token and the path of
/// the connector.
pub async fn first_accepted(data_dir: &Path, set: &Path) -> (String, String) {
    let token = token(data_dir).await;
    let serving = Serving::start(data_dir, &QUICK);
    let api = Api::new(&serving.base, &token);
    let connector = connector(&api).await;
    let names = generated(set);
    api.upload(&connector, set, names.iter().map(String::as_str)).await;
    serving.kill();
    (token, connector)
}

/// A new connector; gives its path.
pub async fn connector(api: &Api) -> String {
    let source = api.create("sourceSystems", &json!({ "displayName": "SIS" })).await;
    let connector = json!({ "@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector", "displayName": "CSV",
                            "sourceSystem@odata.bind": format!("sourceSystems/{source}") });
    format!("{ROOT}/dataConnectors/{}", api.create("dataConnectors", &connector).await)
}

/// A whole set in a new folder; gives the names of its files.
pub fn generated(set: &Path) -> Vec<String> {
    let options = roster::generate::Options { format: roster::Format::OneRoster11, ..roster::generate::Options::new(60) };
    roster::generate::generate(set, &options).unwrap();
    roster::Source::list(set).unwrap().into_iter().map(|file| file.name).collect()
}

/// A package of changes, and a whole set in an archive: both are put together before they are accepted.
pub fn next_uploads(folder: &Path) -> [(std::path::PathBuf, Vec<String>); 2] {
    let of = |delta: bool, name: &str| {
        let set = folder.join(name);
        let format = roster::Format::OneRoster11;
        roster::generate::generate(&set, &roster::generate::Options { format, day: 1, delta, ..roster::generate::Options::new(60) })
            .unwrap();
        set
    };
    let (changes, whole) = (of(true, "changes"), of(false, "whole"));
    // Something to be said, in a file with others before and behind it.
    let columns = std::fs::read_to_string(changes.join("users.csv")).unwrap().lines().next().unwrap().matches(',').count();
    let mut users = std::fs::OpenOptions::new().append(true).open(changes.join("users.csv")).unwrap();
    writeln!(users, "nobody,tobedeleted,2026-09-02T02:00:00Z{}", ",".repeat(columns - 2)).unwrap();
    let packed = folder.join("packed");
    std::fs::create_dir(&packed).unwrap();
    roster::archive::pack(&roster::Source::list(&whole).unwrap(), &packed.join("whole.zip")).unwrap();
    let names = |folder: &Path| roster::Source::list(folder).unwrap().into_iter().map(|file| file.name).collect();
    [(changes.clone(), names(&changes)), (packed.clone(), names(&packed))]
}

/// Wherever the server dies while it makes an upload the accepted set, that set is the old one or the new one, and the next
/// start ends the work.
#[tokio::test(flavor = "multi_thread")]
async fn the_accepted_set_is_the_old_one_or_the_new_one() {
    let original = tempfile::tempdir().unwrap();
    let uploads = tempfile::tempdir().unwrap();
    let (token, connector) = first_accepted(original.path(), &uploads.path().join("first")).await;
    let old = accepted(original.path()).await;
    let mut tries = tokio::task::JoinSet::new();
    for (folder, names) in next_uploads(uploads.path()) {
        let new = {
            let dir = tempfile::tempdir().unwrap();
            copy(original.path(), dir.path());
            let serving = Serving::start(dir.path(), &QUICK);
            Api::new(&serving.base, &token).upload(&connector, &folder, names.iter().map(String::as_str)).await;
            serving.kill();
            accepted(dir.path()).await
        };
        assert!(new != old && new.len() >= old.len());
        let changes = folder.ends_with("changes");
        for failpoint in server::VALIDATION_FAILPOINTS.into_iter().filter(|name| changes || *name != "changes-half-applied") {
            let dir = tempfile::tempdir().unwrap();
            copy(original.path(), dir.path());
            let (token, connector, folder, names, old, new) =
                (token.clone(), connector.clone(), folder.clone(), names.clone(), old.clone(), new.clone());
            tries.spawn(async move {
                let settings = [QUICK[0], QUICK[1], ("HOMEROOM_TEST_ABORT_AT", failpoint)];
                let serving = Serving::start(dir.path(), &settings);
                let api = Api::new(&serving.base, &token);
                api.put(&connector, &folder, names.iter().map(String::as_str)).await;
                // The server may die before it answers.
                let _ = api.send(Method::POST, &format!("{connector}/validate"), None).await;
                assert!(!serving.died().await.success(), "{failpoint}");
                let is_new = failpoint == "set-accepted";
                assert!(accepted(dir.path()).await == if is_new { new.clone() } else { old.clone() }, "{failpoint} {folder:?}");
                // Until it is accepted it is done again, and the process dies a second time.
                if !is_new {
                    assert!(!Serving::start(dir.path(), &settings).died().await.success(), "{failpoint}");
                    assert!(accepted(dir.path()).await == old, "{failpoint} {folder:?}");
                }
                let serving = Serving::start(dir.path(), &QUICK);
                all_ended(&Api::new(&serving.base, &token)).await;
                serving.kill();
                assert!(accepted(dir.path()).await == new, "{failpoint} {folder:?}");
            });
        }
    }
    while let Some(tried) = tries.join_next().await {
        tried.unwrap();
    }
}
