//! Below the API: TLS, HTTP/2, compression, cross-origin requests, limits of connections, stopping.

use crate::harness::{Server, expect};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertificateParams, KeyPair};
use reqwest::Method;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use server::config::{Config, Http, Limits};
use server::{App, Shutdown, Tls};
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

const YEARS: &str = "/beta/external/industryData/years";
/// Longer than any limit of these tests, shorter than any default.
const SOON: Duration = Duration::from_secs(10);

// TLS

/// A server over TLS on a data directory.
struct Secure {
    app: App,
    address: SocketAddr,
    stop: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Secure {
    async fn start(data_dir: &Path, config: Config, tls: Tls) -> Self {
        let app = App::open(data_dir, None, config).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, shutdown) = Shutdown::manual_or_signal();
        let served = app.clone();
        let task = tokio::spawn(async move { server::serve_tls(served, listener, tls, shutdown).await.unwrap() });
        Self { app, address, stop, task }
    }

    /// Connects as a client that trusts a certificate and calls the server by a name.
    async fn connect(&self, trusted: &Path, name: &str, protocols: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(trusted).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        connector.connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

/// A GET on an HTTP/1.1 connection, which stays open.
async fn get(stream: &mut TlsStream<TcpStream>, host: &str, path: &str) -> String {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let mut text = String::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the connection ended: {text}");
        text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map(|value| value.parse::<usize>().unwrap());
        if length == Some(body.len()) {
            return body.to_owned();
        }
    }
}

/// A GET over HTTP/2.
async fn get_h2(stream: TlsStream<TcpStream>, url: &str, token: Option<&str>) -> (StatusCode, Value) {
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::get(url);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let answer = sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

fn protocol(stream: &TlsStream<TcpStream>) -> Option<&[u8]> {
    stream.get_ref().1.alpn_protocol()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_authority_is_made_once_and_its_certificate_is_for_the_names_of_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let tls = Tls::self_signed(dir.path(), &["graph.microsoft.com".to_owned()]).unwrap();
    let authority = tls.authority().unwrap().to_owned();
    let made = std::fs::read(&authority).unwrap();
    let key = authority.with_file_name("ca.key");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let server = Secure::start(dir.path(), Config::default(), tls).await;
    for name in ["localhost", "127.0.0.1", "::1", "graph.microsoft.com"] {
        let mut stream = server.connect(&authority, name, &["http/1.1"]).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(get(&mut stream, name, "/health").await, "ok");
    }
    assert!(server.connect(&authority, "login.microsoftonline.com", &[]).await.is_err());
    server.stop().await;

    // At the next start it is the same; the server's own certificate is a new one of the same authority.
    let key_made = std::fs::read(&key).unwrap();
    let tls = Tls::self_signed(dir.path(), &[]).unwrap();
    assert_eq!((std::fs::read(&authority).unwrap(), std::fs::read(&key).unwrap()), (made, key_made));
    let server = Secure::start(dir.path(), Config::default(), tls).await;
    assert!(server.connect(&authority, "localhost", &[]).await.is_ok());
    assert!(server.connect(&authority, "graph.microsoft.com", &[]).await.is_err());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_every_link_says_https_on_both_protocols() {
    let dir = tempfile::tempdir().unwrap();
    let tls = Tls::self_signed(dir.path(), &[]).unwrap();
    let authority = tls.authority().unwrap().to_owned();
    let server = Secure::start(dir.path(), Config::default(), tls).await;
    let tenant = server.app.create_tenant("Contoso", None, None).await.unwrap().id;
    let origin = format!("https://localhost:{}", server.address.port());
    let discovery = format!("/{tenant}/v2.0/.well-known/openid-configuration");

    let mut http1 = server.connect(&authority, "localhost", &["http/1.1"]).await.unwrap();
    assert_eq!(protocol(&http1), Some(b"http/1.1".as_slice()));
    let document: Value = serde_json::from_str(&get(&mut http1, origin.strip_prefix("https://").unwrap(), &discovery).await).unwrap();
    assert_eq!(document["token_endpoint"], format!("{origin}/{tenant}/oauth2/v2.0/token"));
    assert_eq!(document["issuer"], format!("{origin}/{tenant}/v2.0"));

    let http2 = server.connect(&authority, "localhost", &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(protocol(&http2), Some(b"h2".as_slice()), "HTTP/2 is preferred");
    let (status, same) = get_h2(http2, &format!("{origin}{discovery}"), None).await;
    assert_eq!((status, same), (StatusCode::OK, document), "HTTP/2 has no Host, but :authority");

    let client = server.app.create_client(tenant, "test", server::all_permissions()).await.unwrap();
    let token = token(&server, &authority, &tenant.to_string(), &client.client_id, &client.client_secret).await;
    let http2 = server.connect(&authority, "localhost", &["h2"]).await.unwrap();
    let (status, page) = get_h2(http2, &format!("{origin}/beta/external/industryData/referenceDefinitions"), Some(&token)).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    for link in ["@odata.context", "@odata.nextLink"] {
        assert!(page[link].as_str().unwrap().starts_with(&format!("{origin}/beta/")), "{page}");
    }
    server.stop().await;
}

async fn token(server: &Secure, authority: &Path, tenant: &str, id: &str, secret: &str) -> String {
    let stream = server.connect(authority, "localhost", &["h2"]).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let request = Request::post(format!("https://localhost:{}/{tenant}/oauth2/v2.0/token", server.address.port()));
    let answer = sender.send_request(request.body(Full::new(Bytes::from(form))).unwrap()).await.unwrap();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let answer: Value = serde_json::from_slice(&body).unwrap();
    answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Writes a self-signed certificate for localhost; the file can be trusted as a root as well.
fn write_certificate(dir: &Path, cert: &str) -> String {
    let key = KeyPair::generate().unwrap();
    let made = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    std::fs::write(dir.join(cert), made.pem()).unwrap();
    key.serialize_pem()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_taken_up_and_a_broken_one_is_not() {
    let data = tempfile::tempdir().unwrap();
    let files = tempfile::tempdir().unwrap();
    let (first, second) = (files.path().join("first.pem"), files.path().join("second.pem"));
    let first_key = write_certificate(files.path(), "first.pem");
    let second_key = write_certificate(files.path(), "second.pem");
    let (cert, key) = (files.path().join("tls.crt"), files.path().join("tls.key"));
    std::fs::copy(&first, &cert).unwrap();
    std::fs::write(&key, &first_key).unwrap();
    let server = Secure::start(data.path(), Config::default(), Tls::from_files(&cert, &key).unwrap()).await;
    let mut old = server.connect(&first, "localhost", &[]).await.unwrap();
    assert_eq!(get(&mut old, "localhost", "/health").await, "ok");

    // Neither nonsense nor a certificate without its key is taken up; the old one goes on.
    for broken in [b"no certificate".to_vec(), std::fs::read(&second).unwrap()] {
        std::fs::write(&cert, broken).unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(server.connect(&first, "localhost", &[]).await.is_ok());
        assert!(server.connect(&second, "localhost", &[]).await.is_err());
    }
    std::fs::write(&key, &second_key).unwrap();
    let began = Instant::now();
    while server.connect(&second, "localhost", &[]).await.is_err() {
        assert!(began.elapsed() < SOON, "the new certificate is not taken up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(get(&mut old, "localhost", "/health").await, "ok", "a connection keeps what it began with");
    server.stop().await;
}

#[test]
fn a_certificate_that_cannot_be_used_at_the_start_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let key_text = write_certificate(dir.path(), "a.pem");
    let (cert, key, nowhere) = (dir.path().join("a.pem"), dir.path().join("a.key"), dir.path().join("nowhere.pem"));
    std::fs::write(&key, key_text).unwrap();
    let other = dir.path().join("other.key");
    std::fs::write(&other, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(Tls::from_files(&cert, &key).is_ok());
    for (cert, key, words) in [
        (&nowhere, &key, "nowhere.pem cannot be read"),
        (&cert, &nowhere, "nowhere.pem cannot be read"),
        (&key, &key, "no PEM block CERTIFICATE"),
        (&cert, &cert, "no PEM block PRIVATE KEY"),
        (&cert, &other, "not the key of the certificate"),
    ] {
        let error = Tls::from_files(cert, key).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_on_a_tls_port_is_told_and_silence_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::default();
    config.limits.header_seconds = 1;
    config.limits.idle_seconds = 1;
    let tls = Tls::self_signed(dir.path(), &[]).unwrap();
    let authority = tls.authority().unwrap().to_owned();
    let server = Secure::start(dir.path(), config, tls).await;
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let answer = rest(&mut plain).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"), "{answer}");
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(rest(&mut silent).await, "", "no handshake");
    for protocol in ["h2", "http/1.1"] {
        let mut silent = server.connect(&authority, "localhost", &[protocol]).await.unwrap();
        let mut bytes = Vec::new();
        let ended = tokio::time::timeout(SOON, silent.read_to_end(&mut bytes)).await;
        assert!(ended.is_ok(), "{protocol} without a request lives on");
    }
    server.stop().await;
}

// Compression

/// Status, headers, body as sent.
async fn raw_get(server: &Server, path: &str, accept_encoding: Option<&str>) -> (StatusCode, HeaderMap, Bytes) {
    let mut request = server.http.get(format!("{}{path}", server.base)).bearer_auth(server.token());
    if let Some(value) = accept_encoding {
        request = request.header("accept-encoding", value);
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.headers().clone(), answer.bytes().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn large_answers_are_compressed_as_the_client_can_read_them() {
    let server = Server::start().await;
    let path = "/beta/external/industryData/referenceDefinitions";
    let (_, headers, plain) = raw_get(&server, path, None).await;
    assert!(plain.len() > 1024 && !headers.contains_key("content-encoding"), "{headers:?}");
    for (accepted, encoding) in [("gzip, deflate", "gzip"), ("gzip, deflate, br", "br"), ("br;q=0, gzip;q=0.5", "gzip")] {
        let (status, headers, body) = raw_get(&server, path, Some(accepted)).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["content-encoding"], encoding, "{accepted}");
        assert_eq!(headers["vary"], "accept-encoding");
        assert!(body.len() < plain.len() / 2, "{} of {}", body.len(), plain.len());
        let mut text = Vec::new();
        match encoding {
            "gzip" => flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut text).unwrap(),
            _ => brotli::Decompressor::new(&body[..], 4096).read_to_end(&mut text).unwrap(),
        };
        assert_eq!(text, plain);
    }
    for accepted in ["identity", "gzip;q=0", "zstd"] {
        assert!(!raw_get(&server, path, Some(accepted)).await.1.contains_key("content-encoding"), "{accepted}");
    }
    let (_, headers, body) = raw_get(&server, &format!("{path}/$count"), Some("gzip")).await;
    assert!(body.len() < 10 && !headers.contains_key("content-encoding"), "too small to be worth it");
    server.stop().await;
}

// Cross-origin requests

async fn cross_origin(server: &Server, method: Method, origin: &str, asks: bool) -> reqwest::Response {
    let mut request = server.http.request(method, format!("{}{YEARS}", server.base)).header("origin", origin);
    if asks {
        request =
            request.header("access-control-request-method", "PATCH").header("access-control-request-headers", "authorization,content-type");
    }
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn other_origins_are_let_in_only_by_configuration() {
    let server = Server::start().await;
    let answer = cross_origin(&server, Method::GET, "https://console.example", false).await;
    assert!(!answer.headers().keys().any(|name| name.as_str().starts_with("access-control")), "{:?}", answer.headers());
    server.stop().await;

    let http = |origin: &str| Config { server: Http { cors_origins: vec![origin.to_owned()], ..Http::default() }, ..Config::default() };
    let server = Server::with(http("https://console.example")).await;
    let preflight = cross_origin(&server, Method::OPTIONS, "https://console.example", true).await;
    assert_eq!(preflight.status(), 204, "without a token");
    let headers = preflight.headers();
    assert_eq!(headers["access-control-allow-origin"], "https://console.example");
    assert_eq!(headers["access-control-allow-headers"], "authorization,content-type");
    assert!(headers["access-control-allow-methods"].to_str().unwrap().contains("PATCH"));
    let answer = cross_origin(&server, Method::GET, "https://console.example", false).await;
    assert_eq!(answer.status(), 401, "the call itself needs its token");
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://console.example", "so that the script can read why");
    assert_eq!(answer.headers()["access-control-expose-headers"], "*", "x-ms-meta-… among them");
    assert!(!answer.headers().contains_key("access-control-allow-credentials"), "with credentials the wildcard would be no wildcard");
    for other in ["https://console.example.evil", "http://console.example", "null"] {
        let preflight = cross_origin(&server, Method::OPTIONS, other, true).await;
        assert!(!preflight.headers().contains_key("access-control-allow-origin"), "{other}");
        assert!(preflight.headers().get_all("vary").iter().any(|v| v == "origin"));
    }
    server.stop().await;

    let server = Server::with(http("*")).await;
    let answer = cross_origin(&server, Method::GET, "https://anyone.example", false).await;
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert!(!answer.headers().contains_key("access-control-allow-credentials"));
    server.stop().await;
}

// Throttling

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_bucket_is_429_with_the_time_until_it_has_something() {
    let limits = Limits { requests_per_second: 1, burst: 3, ..Limits::default() };
    let server = Server::with(Config { limits, ..Config::default() }).await;
    for _ in 0..3 {
        assert_eq!(server.send(Method::GET, YEARS, None).await.status(), 200);
    }
    let answer = server.send(Method::GET, YEARS, None).await;
    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!(wait, 1, "whole seconds, never zero");
    let body = expect(answer, 429, YEARS).await;
    assert_eq!(body["error"]["code"], "TooManyRequests");
    assert!(body["error"]["innerError"]["request-id"].is_string());
    // Everything that takes a token draws from it.
    for path in ["/admin/sources".to_owned(), format!("/admin/runs/{}/findings.csv", uuid::Uuid::nil())] {
        assert_eq!(server.send(Method::GET, &path, None).await.status(), 429, "{path}");
    }
    // Another client of the tenant has a bucket of its own.
    let other = server.token_with(server::all_permissions()).await;
    let theirs = server.http.get(format!("{}{YEARS}", server.base)).bearer_auth(other).send().await.unwrap();
    assert_eq!(theirs.status(), 200);
    tokio::time::sleep(Duration::from_secs(wait)).await;
    assert_eq!(server.send(Method::GET, YEARS, None).await.status(), 200, "after Retry-After");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_of_a_batch_counts_and_is_throttled_by_itself() {
    let limits = Limits { requests_per_second: 1, burst: 2, ..Limits::default() };
    let server = Server::with(Config { limits, ..Config::default() }).await;
    let get = |id: &str| json!({ "id": id, "method": "GET", "url": "/external/industryData/years" });
    let batch = json!({ "requests": [get("1"), get("2"), get("3")] });
    let answer = expect(server.send(Method::POST, "/beta/$batch", Some(&batch)).await, 200, "batch").await;
    let statuses: Vec<u64> = answer["responses"].as_array().unwrap().iter().map(|part| part["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(answer["responses"][2]["headers"]["Retry-After"], "1");
    server.stop().await;
}

// Limits of a connection

/// A connection to the server.
async fn dial(server: &Server) -> TcpStream {
    TcpStream::connect(server.base.strip_prefix("http://").unwrap()).await.unwrap()
}

/// All that comes until the server closes; panics when it does not.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let ended = tokio::time::timeout(SOON, stream.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok(), "the connection lives on: {}", String::from_utf8_lossy(&bytes));
    String::from_utf8(bytes).unwrap()
}

fn impatient() -> Config {
    let limits = Limits { header_seconds: 1, body_seconds: 1, idle_seconds: 1, connections: 2, ..Limits::default() };
    Config { limits, ..Config::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_too_slow_is_hung_up_on() {
    let server = Server::with(impatient()).await;
    // Nothing at all; half a head; a head that drips.
    assert_eq!(rest(&mut dial(&server).await).await, "");
    let mut half = dial(&server).await;
    half.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    assert!(!rest(&mut half).await.contains("200 OK"));
    let mut dripping = dial(&server).await;
    let began = Instant::now();
    while dripping.write_all(b"x").await.is_ok() {
        assert!(began.elapsed() < SOON, "a head that drips keeps a connection");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }

    // A body that stands still, and one that comes byte by byte.
    let head = format!(
        "POST {YEARS} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{{",
        server.token()
    );
    let mut still = dial(&server).await;
    still.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut still).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("too slowly"), "{answer}");
    let mut dripping = dial(&server).await;
    dripping.write_all(head.as_bytes()).await.unwrap();
    let began = Instant::now();
    while dripping.write_all(b" ").await.is_ok() {
        assert!(began.elapsed() < SOON, "a body that drips keeps a connection");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_have_a_size_and_connections_a_number() {
    let server = Server::with(impatient()).await;
    for more in [format!("x: {}\r\n", "y".repeat(100_000)), "x: y\r\n".repeat(200)] {
        let mut stream = dial(&server).await;
        // The server may hang up before it has read everything.
        let _ = stream.write_all(format!("GET /health HTTP/1.1\r\nhost: a\r\n{more}\r\n").as_bytes()).await;
        let mut start = [0; 12];
        match stream.read_exact(&mut start).await {
            Ok(_) => assert_eq!(&start, b"HTTP/1.1 431"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
    server.stop().await;

    let most = 4;
    let limits = Limits { connections: most, ..Limits::default() };
    let server = Server::with(Config { limits, ..Config::default() }).await;
    // The test's own client may hold some of them already.
    let mut held = Vec::new();
    let mut waiting = loop {
        let mut stream = dial(&server).await;
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        match tokio::time::timeout(Duration::from_secs(1), stream.read_u8()).await {
            Ok(byte) => held.push((stream, byte.unwrap())),
            Err(_) => break stream,
        }
        assert!(held.len() <= most as usize, "there is no limit");
    };
    drop(held);
    let served = tokio::time::timeout(SOON, waiting.read_u8()).await;
    assert_eq!(served.expect("one that waits is served when there is room").unwrap(), b'H');
    server.stop().await;
}

/// A client that sends all before it looks at the answer, as most do, gets to see why it was refused.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_refused_body_is_read_away() {
    let server = Server::with(Config::default()).await;
    let nobody = uuid::Uuid::nil();
    // More than the buffers between the two hold.
    let body = vec![b' '; 32 * 1024 * 1024];
    let token = format!("authorization: Bearer {}\r\n", server.token());
    for (target, more, status) in [
        (format!("POST {YEARS}"), "", "401"),
        (format!("POST {YEARS}"), token.as_str(), "413"),
        (format!("PUT /{nobody}/{nobody}/{nobody}/users.csv?sig=x"), "x-ms-blob-type: BlockBlob\r\n", "403"),
        ("PUT /nowhere".to_owned(), "", "404"),
    ] {
        let mut stream = dial(&server).await;
        let head = format!("{target} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{more}content-length: {}\r\n", body.len());
        stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap_or_else(|error| panic!("{target}: {error}"));
        // The connection is good for more.
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let answers = rest(&mut stream).await;
        assert!(answers.starts_with(&format!("HTTP/1.1 {status} ")), "{target}: {answers}");
        assert!(answers.ends_with("\r\n\r\nok"), "{target}: {answers}");

        // Who asks before sending is not told to go on.
        let mut stream = dial(&server).await;
        stream.write_all(format!("{head}expect: 100-continue\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{target}: {answer}");
    }
    server.stop().await;
}

// Stopping

/// A request whose body is not complete yet.
async fn half_a_post(server: &Server, body: &str) -> TcpStream {
    let mut stream = dial(server).await;
    let head = format!(
        "POST {YEARS} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         expect: 100-continue\r\n\r\n",
        server.token(),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // It is sent when the body is asked for: then the server has the request in hand.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&body.as_bytes()[..10]).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_finishes_what_it_has_in_hand() {
    let server = Server::start().await;
    let body = json!({ "displayName": "2026", "startDate": "2026-08-01", "endDate": "2027-07-31", "year": { "code": "2027" } }).to_string();
    let mut stream = half_a_post(&server, &body).await;
    // Connections that wait for nothing, one used and one not, hold nothing up.
    let (_fresh, mut used) = (dial(&server).await, dial(&server).await);
    used.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let began = Instant::now();
    let stopping = tokio::spawn(server.stop());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!stopping.is_finished());
    stream.write_all(&body.as_bytes()[10..]).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    stopping.await.unwrap();
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_does_not_wait_for_ever() {
    let http = Http { shutdown_seconds: 1, ..Http::default() };
    let server = Server::with(Config { server: http, ..Config::default() }).await;
    let mut stream = half_a_post(&server, &"x".repeat(100)).await;
    let began = Instant::now();
    server.stop().await;
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert_eq!(rest(&mut stream).await, "");
}
