//! Upload sessions against clients that no SDK would be: bytes on a socket.

use crate::harness::Server;
use server::config::Config;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A server with an open session: its path and its signature.
struct Target {
    server: Server,
    path: String,
    signature: String,
}

impl Target {
    async fn with(config: Config) -> Self {
        let server = Server::with(config).await;
        let (connector, _) = server.configure_inbound().await;
        let session = server.upload_session(&connector).await;
        let url = session["sessionUrl"].as_str().unwrap().strip_prefix(&server.base).unwrap();
        let (path, signature) = url.split_once('?').unwrap();
        Self { path: path.to_owned(), signature: signature.to_owned(), server }
    }

    /// Sends bytes as they are and reads to the end of the connection.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.server.base.strip_prefix("http://").unwrap()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is an end, too.
        let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.expect("the connection stays open");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A PUT of `target`, with more header lines, on a connection of its own; gives the status.
    async fn put(&self, target: &str, lines: &str, body: &str) -> u16 {
        let head = format!("PUT {target} HTTP/1.1\r\nhost: h\r\nconnection: close\r\nx-ms-blob-type: BlockBlob\r\n{lines}\r\n");
        status(&self.raw(format!("{head}{body}").as_bytes()).await)
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{name}?{}", self.path, self.signature)
    }

    /// Files below the blobs of the tenant.
    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(self.server.data_dir(), &mut found);
        found.retain(|path| path.components().any(|part| part.as_os_str() == "uploads"));
        found
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

/// Of the first answer; 0 when there is none.
fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_leads_out_of_the_container() {
    let target = Target::with(Config::default()).await;
    let before = {
        let mut all = Vec::new();
        walk(target.server.data_dir(), &mut all);
        all.len()
    };
    let container = target.path.clone();
    let signature = target.signature.clone();
    for name in [
        "../users.csv",
        "../../../users.csv",
        "./users.csv",
        "%2e%2e/users.csv",
        "%2e%2e%2fusers.csv",
        "..%5cusers.csv",
        "..\\users.csv",
        "a/../../users.csv",
        "%252e%252e%252fusers.csv",
        "%c0%ae%c0%ae/users.csv",
        "users.csv%00.zip",
        "users.csv;x",
        "users.csv%20",
        "users.csv.",
        "//users.csv",
        "%2fetc%2fpasswd",
    ] {
        let status = target.put(&format!("{container}/{name}?{signature}"), "content-length: 1\r\n", "x").await;
        assert!(matches!(status, 400 | 403 | 404), "{name}: {status}");
    }
    // The same in the folder that the Data Lake protocol names, and as an absolute URL.
    let tenant = container.split('/').nth(1).unwrap();
    for url in [
        format!("/{tenant}?resource=filesystem&directory=..%2F..&{signature}"),
        format!("http://elsewhere{container}/../a.csv?{signature}"),
        // An encoded solidus is a solidus, and leads nowhere else for it.
        format!("{container}%2f..%2fa.csv?{signature}"),
        format!("{container}%2f%2e%2e%2f%2e%2e%2fa.csv?{signature}"),
        format!("{container}%2fa%2fb.csv?{signature}"),
        format!("{container}x%2fa.csv?{signature}"),
        format!("{container}\x00/a.csv?{signature}"),
        format!("{container}/a b.csv?{signature}"),
    ] {
        let status = target.put(&url, "content-length: 1\r\n", "x").await;
        assert!(matches!(status, 400 | 403 | 404), "{url}: {status}");
    }
    let mut after = Vec::new();
    walk(target.server.data_dir(), &mut after);
    assert_eq!(target.files(), Vec::<PathBuf>::new());
    assert_eq!(after.len(), before, "{after:?}");
    assert_eq!(target.put(&target.url("users.csv"), "content-length: 1\r\n", "x").await, 201);
    let count = target.files().len();
    let same = format!("{container}%2fusers.csv?{signature}");
    assert_eq!(target.put(&same, "content-length: 1\r\n", "y").await, 201);
    assert_eq!(target.files().len(), count, "the same file");
    target.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_one_meaning() {
    let target = Target::with(Config::default()).await;
    let url = target.url("a.csv");
    let chunked = "5\r\nchunk\r\n0\r\n\r\n";
    for (lines, body) in [
        ("content-length: 1\r\ncontent-length: 5\r\n", "chunk"),
        ("content-length: 1, 5\r\n", "chunk"),
        ("content-length: +5\r\n", "chunk"),
        ("content-length: 0x5\r\n", "chunk"),
        ("content-length: 5\r\ntransfer-encoding: chunked\r\n", chunked),
        ("transfer-encoding: chunked\r\ncontent-length: 5\r\n", chunked),
        ("transfer-encoding: chunked\r\n", chunked),
        ("transfer-encoding: identity\r\ncontent-length: 5\r\n", "chunk"),
        ("transfer-encoding: chunked, identity\r\n", chunked),
        ("transfer-encoding : chunked\r\ncontent-length: 5\r\n", chunked),
        ("content-length: 5\r\nif-none-match: \"x\"\r\nif-none-match: *\r\n", "chunk"),
        ("content-length: 5\r\nx-ms-blob-type: PageBlob\r\n", "chunk"),
        ("content-length: 5\r\nx-ms-meta-a: \x01\r\n", "chunk"),
        ("content-length: 5\r\nx-ms-meta-a: b\r\n folded: yes\r\n", "chunk"),
        ("content-length: 5\r\nx-ms-meta-a: b\rx-ms-meta-c: d\r\n", "chunk"),
    ] {
        let status = target.put(&url, lines, body).await;
        assert!(matches!(status, 400 | 411 | 501), "{lines:?}: {status}");
    }
    assert_eq!(target.files(), Vec::<PathBuf>::new());
    assert_eq!(target.put(&url, "content-length: 5\r\n", "chunk").await, 201);
    target.server.stop().await;
}

/// What is announced and does not come is given up, leaves nothing, and keeps no room.
#[tokio::test(flavor = "multi_thread")]
async fn who_announces_much_and_sends_nothing_is_given_up() {
    let mut config = Config::default();
    config.limits.body_seconds = 1;
    (config.uploads.max_file_bytes, config.uploads.max_session_bytes) = (1 << 30, 1 << 30);
    let target = Target::with(config).await;
    let url = target.url("a.csv");
    assert_eq!(target.put(&url, "content-length: 1073741825\r\n", "").await, 413);
    assert_eq!(target.put(&url, "content-length: 9223372036854775807\r\n", "").await, 413);
    for beyond in ["18446744073709551615", "18446744073709551616"] {
        let status = target.put(&url, &format!("content-length: {beyond}\r\n"), "").await;
        assert!(matches!(status, 400 | 413 | 431), "{beyond}: {status}");
    }
    for _ in 0..2 {
        // Each announces all that there is room for: the second one would be refused if the first still kept it.
        assert_ne!(target.put(&url, "content-length: 1073741824\r\n", "x").await, 201);
        assert_eq!(target.files(), Vec::<PathBuf>::new());
    }
    assert_eq!(target.put(&url, "content-length: 1\r\n", "x").await, 201);
    target.server.stop().await;
}

/// A client that waits to be asked for its body is not asked when it is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_not_asked_for_in_vain() {
    let target = Target::with(Config::default()).await;
    let url = target.url("a.csv");
    let head = |url: &str| {
        format!(
            "PUT {url} HTTP/1.1\r\nhost: h\r\nconnection: close\r\nexpect: 100-continue\r\nx-ms-blob-type: BlockBlob\r\ncontent-length: 3\r\n\r\n"
        )
    };
    let answer = target.raw(format!("{}abc", head(&url)).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201"), "{answer}");
    let forged = url.replace("sig=", "sig=A");
    assert!(target.raw(head(&forged).as_bytes()).await.starts_with("HTTP/1.1 403"));
    target.server.stop().await;
}

/// Two clients replace one file at the same time, in every way: it is one or the other, whole.
#[tokio::test(flavor = "multi_thread")]
async fn two_clients_commit_one_file() {
    let target = Target::with(Config::default()).await;
    let base = &target.server.base;
    let http = &target.server.http;
    let block = |id: &str| format!("{base}{}&comp=block&blockid={id}", target.url("a.csv"));
    let list = format!("{base}{}&comp=blocklist", target.url("a.csv"));
    for (id, letter) in [("MQ%3D%3D", "a"), ("Mg%3D%3D", "b")] {
        assert_eq!(http.put(block(id)).body(letter.repeat(1_000_000)).send().await.unwrap().status(), 201);
    }
    let commit = |id: &str| http.put(&list).body(format!("<BlockList><Latest>{id}</Latest></BlockList>")).send();
    let (one, two) = tokio::join!(commit("MQ=="), commit("Mg=="));
    let mut statuses = [one.unwrap().status().as_u16(), two.unwrap().status().as_u16()];
    statuses.sort_unstable();
    // Both read the blocks before either commits, or the first commit discards the blocks of the second.
    assert!(matches!(statuses, [201, 201 | 400]), "{statuses:?}");
    let text = http.get(format!("{base}{}", target.url("a.csv"))).send().await.unwrap().text().await.unwrap();
    assert!(text == "a".repeat(1_000_000) || text == "b".repeat(1_000_000), "a mixture of {} bytes", text.len());
    target.server.stop().await;
}

/// An operator who gives out URLs that only write: a leaked one shows nobody's data.
#[tokio::test(flavor = "multi_thread")]
async fn the_operator_sets_the_rights_of_session_urls() {
    let mut config = Config::default();
    config.uploads.session_rights = "cw".to_owned();
    let target = Target::with(config).await;
    assert_eq!(target.put(&target.url("users.csv"), "content-length: 1\r\n", "x").await, 201);
    let read = target.server.http.get(format!("{}{}", target.server.base, target.url("users.csv"))).send().await.unwrap();
    assert_eq!(read.status(), 403);
    assert_eq!(read.headers()["x-ms-error-code"], "AuthorizationPermissionMismatch");
    target.server.stop().await;
}
