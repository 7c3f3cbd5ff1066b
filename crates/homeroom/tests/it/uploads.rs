//! Uploads to a server that dies, or whose disk is full.

use crate::district::QUICK;
use crate::kill_anywhere::copy;
use crate::process::{Api, ROOT, Serving, homeroom};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// The token of a client with all permissions, in a fresh data directory.
async fn token(data_dir: &Path) -> String {
    let app = server::App::open(data_dir, None, server::config::Config::default()).unwrap();
    let tenant = app.create_tenant("Contoso", None, None).await.unwrap();
    let client = app.create_client(tenant.id, "test", server::all_permissions()).await.unwrap();
    let answer = app.issue_token(&tenant.id.to_string(), &client.client_id, &client.client_secret).await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

/// A client, and the session of a new connector: path and signature.
struct Uploader {
    http: Client,
    base: String,
    path: String,
    signature: String,
}

impl Uploader {
    async fn open(base: &str, token: &str) -> Self {
        let api = Api::new(base, token);
        let source = api.create("sourceSystems", &json!({ "displayName": "SIS" })).await;
        let connector = json!({ "@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector", "displayName": "CSV",
                                "sourceSystem@odata.bind": format!("sourceSystems/{source}") });
        let connector = api.create("dataConnectors", &connector).await;
        let at = format!("/beta/external/industryData/dataConnectors/{connector}/microsoft.graph.industryData.azureDataLakeConnector");
        let session = api.get(&format!("{at}/getUploadSession")).await;
        let url = session["sessionUrl"].as_str().unwrap().strip_prefix(base).unwrap();
        let (path, signature) = url.split_once('?').unwrap();
        let http = Client::builder().no_proxy().build().unwrap();
        Self { http, base: base.to_owned(), path: path.to_owned(), signature: signature.to_owned() }
    }

    /// Status, code and body.
    async fn send(&self, method: Method, name: &str, query: &str, body: impl Into<reqwest::Body>) -> (u16, String, Vec<u8>) {
        let url = format!("{}{}/{name}?{}{query}", self.base, self.path, self.signature);
        let answer = self.http.request(method, url).header("x-ms-blob-type", "BlockBlob").body(body).send().await.unwrap();
        let code = answer.headers().get("x-ms-error-code").map(|code| code.to_str().unwrap().to_owned()).unwrap_or_default();
        (answer.status().as_u16(), code, answer.bytes().await.unwrap().to_vec())
    }

    async fn put(&self, name: &str, query: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
        let (status, code, _) = self.send(Method::PUT, name, query, body).await;
        (status, code)
    }
}

fn good(status: u16) -> (u16, String) {
    (status, String::new())
}

/// Blocks and appends that were acknowledged are there after a SIGKILL, and can be committed then.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_after_the_server_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let token = token(dir.path()).await;
    let mut serving = Serving::start(dir.path(), &[]);
    let mut uploader = Uploader::open(&serving.base, &token).await;
    let content = |number: usize| vec![b'a' + number as u8; 100_000 + number];
    for (round, id) in ["MQ%3D%3D", "Mg%3D%3D", "Mw%3D%3D"].into_iter().enumerate() {
        assert_eq!(uploader.put("users.csv", &format!("&comp=block&blockid={id}"), content(round)).await, good(201));
        let position: usize = (0..round).map(|before| content(before).len()).sum();
        let append = format!("&action=append&position={position}");
        assert_eq!(uploader.send(Method::PATCH, "orgs.csv", &append, content(round)).await.0, 202);
        serving.kill();
        serving = Serving::start(dir.path(), &[]);
        uploader.base.clone_from(&serving.base);
    }
    let list = "<BlockList><Latest>MQ==</Latest><Latest>Mg==</Latest><Latest>Mw==</Latest></BlockList>";
    assert_eq!(uploader.put("users.csv", "&comp=blocklist", list).await, good(201));
    let whole: Vec<u8> = (0..3).flat_map(content).collect();
    let flush = format!("&action=flush&position={}", whole.len());
    assert_eq!(uploader.send(Method::PATCH, "orgs.csv", &flush, "").await.0, 200);
    serving.kill();
    let serving = Serving::start(dir.path(), &[]);
    uploader.base.clone_from(&serving.base);
    for name in ["users.csv", "orgs.csv"] {
        let (status, _, body) = uploader.send(Method::GET, name, "", "").await;
        assert!(status == 200 && body == whole, "{name}: {status}, {} bytes", body.len());
    }
}

/// A limit on the size of files stands for a full disk: a write fails in the middle.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_that_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut limited = Command::new("bash");
    // 16 MiB; without the trap the signal would end the process.
    limited.args(["-c", "trap '' XFSZ; ulimit -f 16384; exec \"$0\" \"$@\""]).arg(homeroom().get_program());
    limited.env_remove("HOMEROOM_DATA_DIR");
    let token = token(dir.path()).await;
    let serving = Serving::start_as(limited, dir.path(), &[]);
    let uploader = Uploader::open(&serving.base, &token).await;
    assert_eq!(uploader.put("users.csv", "", "old").await, good(201));
    let large = vec![b'x'; 20 * 1024 * 1024];
    let full = (507, "InsufficientStorage".to_owned());
    assert_eq!(uploader.put("users.csv", "", large.clone()).await, full);
    assert_eq!(uploader.put("users.csv", "&comp=block&blockid=MQ%3D%3D", large.clone()).await, full);
    let (status, code, body) = uploader.send(Method::PATCH, "users.csv", "&action=append&position=0", large).await;
    assert_eq!((status, code), full);
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains("disk is full"), "{body}");
    // Blocks that fit, but not the file of them.
    let half = vec![b'x'; 10 * 1024 * 1024];
    for id in ["MQ%3D%3D", "Mg%3D%3D"] {
        assert_eq!(uploader.put("users.csv", &format!("&comp=block&blockid={id}"), half.clone()).await, good(201));
    }
    let list = "<BlockList><Latest>MQ==</Latest><Latest>Mg==</Latest></BlockList>";
    assert_eq!(uploader.put("users.csv", "&comp=blocklist", list).await, full);
    assert_eq!(uploader.send(Method::GET, "users.csv", "", "").await.2, b"old");
    // What did not get through has left nothing behind, and what fits gets through.
    let list = "<BlockList><Latest>MQ==</Latest></BlockList>";
    assert_eq!(uploader.put("users.csv", "&comp=blocklist", list).await, good(201));
    let arriving = walk(dir.path()).into_iter().filter(|path| path.contains("/arriving/")).collect::<Vec<_>>();
    assert!(arriving.is_empty(), "{arriving:?}");
}

/// Name and content of the files of the only set that is accepted.
async fn accepted(data_dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let app = server::App::open(data_dir, None, server::config::Config::default()).unwrap();
    let tenant = store::TenantId(app.list_tenants().await.unwrap()[0].id.0);
    let sets = |tx: &mut store::Tx<'_>| tx.docs(&store::Access::unchecked("_accepted"))?.list(None, None, 10);
    let sets = app.store().read::<_, store::StoreError>(&app.system(tenant), sets).await.unwrap();
    assert_eq!(sets.len(), 1);
    let folder = app.store().blobs().path(tenant, sets[0].body["folder"].as_str().unwrap()).unwrap();
    roster::Source::list(&folder).unwrap().into_iter().map(|file| (file.name, std::fs::read(file.path).unwrap())).collect()
}

/// Waits until no operation is going.
async fn all_ended(api: &Api) {
    for _ in 0..1200 {
        let operations = api.get(&format!("{ROOT}/operations")).await;
        if operations["value"].as_array().unwrap().iter().all(|operation| operation["status"] == "succeeded") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("an operation does not end");
}

/// A package of changes, and a whole set in an archive: both are put together before they are accepted.
fn next_uploads(folder: &Path) -> [(std::path::PathBuf, Vec<String>); 2] {
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
    let token = token(original.path()).await;
    let uploads = tempfile::tempdir().unwrap();
    let first = uploads.path().join("first");
    let options = roster::generate::Options { format: roster::Format::OneRoster11, ..roster::generate::Options::new(60) };
    roster::generate::generate(&first, &options).unwrap();
    let connector = {
        let serving = Serving::start(original.path(), &QUICK);
        let api = Api::new(&serving.base, &token);
        let source = api.create("sourceSystems", &json!({ "displayName": "SIS" })).await;
        let connector = json!({ "@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector", "displayName": "CSV",
                                "sourceSystem@odata.bind": format!("sourceSystems/{source}") });
        let connector = format!("{ROOT}/dataConnectors/{}", api.create("dataConnectors", &connector).await);
        let names: Vec<String> = roster::Source::list(&first).unwrap().into_iter().map(|file| file.name).collect();
        api.upload(&connector, &first, names.iter().map(String::as_str)).await;
        serving.kill();
        connector
    };
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
                assert!(accepted(dir.path()).await == new, "{failpoint} {folder:?}");
            });
        }
    }
    while let Some(tried) = tries.join_next().await {
        tried.unwrap();
    }
}

fn walk(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path.display().to_string()) }
    }
    found
}
