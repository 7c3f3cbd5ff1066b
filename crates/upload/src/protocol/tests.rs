use super::*;
use crate::{SessionLimits, close_session, open_session};
use store::{Store, StoreConfig};

struct World {
    service: UploadService,
    url: (String, String),
    ctx: OpContext,
    _dir: tempfile::TempDir,
}

fn now() -> Timestamp {
    "2026-11-24T10:00:00Z".parse().unwrap()
}

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig { data_dir: dir.path().to_owned(), database_url: None }).unwrap();
    let service = UploadService { key: store.secrets().mac_key("upload").unwrap(), store, max_file_bytes: 1_000 };
    let ctx = OpContext::system(TenantId(Uuid::from_u128(7)), Uuid::nil(), now());
    let inner = service.clone();
    let session = service
        .store
        .write::<_, StoreError>(&ctx, move |tx| open_session(&inner, tx, "conn", "http://h", SessionLimits { hours: 1 }, false, "box"))
        .await
        .unwrap();
    let (path, query) = session.url.strip_prefix("http://h").unwrap().split_once('?').unwrap();
    World { service, url: (path.to_owned(), query.to_owned()), ctx, _dir: dir }
}

impl World {
    async fn send(&self, method: &str, name: &str, extra: &str, headers: &[(&'static str, &str)], body: &str) -> UploadResponse {
        let body = body.as_bytes().to_vec();
        let request = UploadRequest {
            method: method.parse().unwrap(),
            path: format!("{}{name}", self.url.0),
            query: format!("{}{extra}", self.url.1),
            headers: headers.iter().map(|(k, v)| (http::HeaderName::from_static(k), v.parse().unwrap())).collect(),
            body: Box::pin(futures_util::stream::iter(body.chunks(3).map(|c| Ok(Bytes::copy_from_slice(c))).collect::<Vec<_>>())),
        };
        handle(&self.service, request, now()).await
    }

    async fn text(&self, name: &str) -> String {
        String::from_utf8(self.send("GET", name, "", &[], "").await.body.unwrap()).unwrap()
    }
}

fn code(response: &UploadResponse) -> &str {
    response.headers.iter().find(|(k, _)| k == "x-ms-error-code").map_or("", |(_, v)| v)
}

#[tokio::test]
async fn put_blob_read_list_delete() {
    let w = world().await;
    assert_eq!(w.send("PUT", "/users.csv", "", &[("x-ms-blob-type", "BlockBlob")], "a,b\n1,2\n").await.status, 201);
    assert_eq!(w.text("/users.csv").await, "a,b\n1,2\n");
    let again = w.send("PUT", "/users.csv", "", &[("if-none-match", "*")], "x").await;
    assert_eq!((again.status, code(&again)), (409, "BlobAlreadyExists"));
    let range = w.send("GET", "/users.csv", "", &[("x-ms-range", "bytes=2-3")], "").await;
    assert_eq!((range.status, range.body.unwrap()), (206, b"b\n".to_vec()));
    assert_eq!(w.send("HEAD", "/users.csv", "", &[], "").await.status, 200);
    let list = w.send("GET", "", "&restype=container&comp=list", &[], "").await;
    assert!(String::from_utf8(list.body.unwrap()).unwrap().contains("<Name>users.csv</Name>"));
    assert_eq!(w.send("DELETE", "/users.csv", "", &[], "").await.status, 202);
    let gone = w.send("HEAD", "/users.csv", "", &[], "").await;
    assert_eq!((gone.status, code(&gone)), (404, "BlobNotFound"));
}

#[tokio::test]
async fn blocks_in_any_order() {
    let w = world().await;
    for (id, text) in [("Mg==", "two"), ("MQ==", "one")] {
        assert_eq!(w.send("PUT", "/a.csv", &format!("&comp=block&blockid={}", id.replace('=', "%3D")), &[], text).await.status, 201);
    }
    let list = "<?xml version=\"1.0\"?><BlockList><Latest>MQ==</Latest><Latest>Mg==</Latest></BlockList>";
    assert_eq!(w.send("PUT", "/a.csv", "&comp=blocklist", &[], list).await.status, 201);
    assert_eq!(w.text("/a.csv").await, "onetwo");
    let missing = w.send("PUT", "/a.csv", "&comp=blocklist", &[], list).await;
    assert_eq!(code(&missing), "InvalidBlockList");
}

#[tokio::test]
async fn data_lake_create_append_flush() {
    let w = world().await;
    let created = w.send("PUT", "/u.csv", "&resource=file", &[], "").await;
    let etag = created.headers.iter().find(|(k, _)| k == "etag").unwrap().1.clone();
    assert_eq!(created.status, 201);
    assert_eq!(w.send("PATCH", "/u.csv", "&action=append&position=3", &[], "def").await.status, 202);
    let gap = w.send("PATCH", "/u.csv", "&action=flush&position=6", &[], "").await;
    assert_eq!((gap.status, code(&gap)), (400, "InvalidFlushPosition"));
    assert_eq!(w.send("PATCH", "/u.csv", "&action=append&position=0", &[], "abc").await.status, 202);
    assert_eq!(w.send("PATCH", "/u.csv", "&action=flush&position=6", &[("if-match", &etag)], "").await.status, 200);
    assert_eq!(w.text("/u.csv").await, "abcdef");
}

#[tokio::test]
async fn names_sizes_and_signatures() {
    let w = world().await;
    for name in ["/..", "/%2e%2e", "/a%2Fb.csv", "/a/b.csv", "/.hidden", "/a%00b", "/sch%C3%BCler.csv"] {
        let refused = w.send("PUT", name, "", &[], "x").await;
        assert!(matches!(refused.status, 400 | 403), "{name}: {}", refused.status);
    }
    let big = w.send("PUT", "/big.csv", "", &[], &"x".repeat(1_001)).await;
    assert_eq!((big.status, code(&big)), (413, "RequestBodyTooLarge"));
    assert_eq!(
        w.send("GET", "", "&restype=container&comp=list", &[], "").await.body.unwrap().windows(6).filter(|w| w == b"<Name>").count(),
        0
    );
    let other = World { url: (w.url.0.replace("box", "bax"), w.url.1.clone()), ..world().await };
    assert_eq!(code(&other.send("GET", "/x", "", &[], "").await), "AuthenticationFailed");
}

#[tokio::test]
async fn a_closed_session_takes_nothing_more() {
    let w = world().await;
    w.send("PUT", "/users.csv", "", &[], "x").await;
    let inner = w.service.clone();
    let (id, files) = w.service.store.write::<_, StoreError>(&w.ctx, move |tx| close_session(&inner, tx, "conn")).await.unwrap().unwrap();
    assert_eq!((id.as_str(), files.len()), ("box", 1));
    let refused = w.send("PUT", "/users.csv", "", &[], "y").await;
    assert_eq!(code(&refused), "ContainerNotFound");
}
