//! Uploads to a server that dies, or whose disk is full.

use crate::process::{Api, Serving, homeroom};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

/// The token of a client with all permissions, in a fresh data directory.
pub async fn token(data_dir: &Path) -> String {
    token_of_new(data_dir, "Contoso").await
}

/// The token of a client with all permissions, of a new tenant.
pub async fn token_of_new(data_dir: &Path, tenant: &str) -> String {
    let app = server::App::open(data_dir, None, server::config::Config::default()).unwrap();
    let tenant = app.create_tenant(tenant, None, None).await.unwrap();
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

/// A server that is killed in the middle of a body leaves the half of it, until it is plain that nobody is still writing.
#[tokio::test(flavor = "multi_thread")]
async fn half_of_a_body_goes_some_time_after_the_server_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let token = token(dir.path()).await;
    let serving = Serving::start(dir.path(), &[]);
    let mut uploader = Uploader::open(&serving.base, &token).await;
    assert_eq!(uploader.put("orgs.csv", "", "there").await, good(201));
    let arriving = || walk(dir.path()).into_iter().filter(|path| path.contains("/arriving/")).collect::<Vec<_>>();
    let mut sending = TcpStream::connect(uploader.base.strip_prefix("http://").unwrap()).unwrap();
    let head = format!(
        "PUT {}/users.csv?{} HTTP/1.1\r\nhost: a\r\nx-ms-blob-type: BlockBlob\r\ncontent-length: 2000000\r\n\r\n",
        uploader.path, uploader.signature
    );
    sending.write_all(head.as_bytes()).unwrap();
    sending.write_all(&vec![b'x'; 1_000_000]).unwrap();
    let some = || arriving().iter().any(|path| std::fs::metadata(path).is_ok_and(|file| file.len() > 0));
    until("the body arrives", some).await;
    serving.kill();
    let [left] = &arriving()[..] else { panic!("{:?}", arriving()) };
    let left = Path::new(left);

    // It could belong to another server on the same data: nothing happens to it at once.
    let serving = Serving::start(dir.path(), &[]);
    uploader.base.clone_from(&serving.base);
    assert_eq!(uploader.put("roles.csv", "", "new").await, good(201));
    assert!(left.exists());
    serving.kill();
    let hours_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 3_600);
    let since = hours_ago.duration_since(std::time::UNIX_EPOCH).unwrap();
    // The time in its name, a UUID of version 7.
    let begun = format!("{:012x}", since.as_millis());
    let old = left.with_file_name(format!("{}-{}-7000-8000-000000000000", &begun[..8], &begun[8..]));
    std::fs::rename(left, &old).unwrap();
    std::fs::File::options().write(true).open(&old).unwrap().set_modified(hours_ago).unwrap();
    let serving = Serving::start(dir.path(), &[]);
    uploader.base.clone_from(&serving.base);
    until("what was left goes", || !old.exists()).await;
    for (name, content) in [("orgs.csv", "there"), ("roles.csv", "new")] {
        assert_eq!(uploader.send(Method::GET, name, "", "").await.2, content.as_bytes());
    }
    assert_eq!(uploader.put("users.csv", "", "whole").await, good(201));
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{what}: not within half a minute");
}

fn walk(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path.display().to_string()) }
    }
    found
}
