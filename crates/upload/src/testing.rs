//! A session and a client that speaks to it, for the tests.

use crate::{
    Rights, Session, SessionTerms, UploadBody, UploadLimits, UploadRequest, UploadService, UploadedFile, close_session, handle,
    open_session,
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use std::io;
use std::path::{Path, PathBuf};
use store::{OpContext, Store, StoreConfig, StoreError, TenantId};
use uuid::Uuid;

/// Largest file of the tests, bytes.
pub(crate) const MOST: u64 = 1_000;
/// Largest session of the tests, bytes.
pub(crate) const SESSION_MOST: u64 = 70_000;
pub(crate) const CONNECTOR: &str = "conn";
pub(crate) const BLOB: (&str, &str) = ("x-ms-blob-type", "BlockBlob");

pub(crate) fn now() -> Timestamp {
    "2026-11-24T10:00:00Z".parse().unwrap()
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) service: UploadService,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) ctx: OpContext,
    pub(crate) dir: std::sync::Arc<tempfile::TempDir>,
}

/// A world with an open session of an hour, whose container is `box`.
pub(crate) async fn world() -> World {
    world_on(None).await
}

pub(crate) async fn world_on(database_url: Option<String>) -> World {
    let dir = tempfile::tempdir().unwrap();
    let config = StoreConfig { data_dir: dir.path().to_owned(), database_url };
    // The PostgreSQL driver has a runtime of its own, and none may be inside another.
    let store = tokio::task::spawn_blocking(move || Store::open(&config).unwrap()).await.unwrap();
    let service = service(store);
    let ctx = OpContext::system(TenantId(Uuid::from_u128(7)), Uuid::nil(), now());
    let mut world = World { service, path: String::new(), query: String::new(), ctx, dir: dir.into() };
    world.go_to(&world.open("box", false, now()).await);
    world
}

/// The service of a store, with limits of the tests.
pub(crate) fn service(store: Store) -> UploadService {
    service_with(store, UploadLimits { file_bytes: MOST, session_bytes: SESSION_MOST })
}

pub(crate) fn service_with(store: Store, limits: UploadLimits) -> UploadService {
    let key = store.secrets().mac_key("upload").unwrap();
    UploadService::new(store, key, limits)
}

/// A session of an hour with all rights.
pub(crate) fn terms() -> SessionTerms {
    SessionTerms { hours: 1, rights: Rights::all() }
}

/// An answer with its body at hand.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
}

/// A body that arrives in small pieces.
pub(crate) fn stream(body: &[u8]) -> crate::BodyStream {
    let chunks: Vec<io::Result<Bytes>> = body.chunks(3).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    Box::pin(futures_util::stream::iter(chunks))
}

/// A body whose connection breaks.
pub(crate) fn broken(body: &[u8]) -> crate::BodyStream {
    let end = futures_util::stream::iter([Err(io::ErrorKind::ConnectionReset.into())]);
    Box::pin(stream(body).chain(end))
}

/// A body that never ends, and never goes on.
pub(crate) fn stuck(body: &[u8]) -> crate::BodyStream {
    Box::pin(stream(body).chain(futures_util::stream::pending()))
}

impl World {
    pub(crate) fn at(&self, seconds: i64) -> OpContext {
        OpContext { now: now() + SignedDuration::from_secs(seconds), ..self.ctx.clone() }
    }

    pub(crate) async fn open(&self, id: &'static str, reset: bool, at: Timestamp) -> Session {
        let (service, ctx) = (self.service.clone(), OpContext { now: at, ..self.ctx.clone() });
        let open = move |tx: &mut store::Tx<'_>| open_session(&service, tx, CONNECTOR, "http://h", &terms(), reset, id);
        self.service.store.write::<_, StoreError>(&ctx, open).await.unwrap()
    }

    pub(crate) fn go_to(&mut self, session: &Session) {
        let (path, query) = session.url.strip_prefix("http://h").unwrap().split_once('?').unwrap();
        (self.path, self.query) = (path.to_owned(), query.to_owned());
    }

    pub(crate) async fn close(&self, at: &OpContext) -> Option<(String, Vec<UploadedFile>)> {
        let service = self.service.clone();
        self.service.store.write::<_, StoreError>(at, move |tx| close_session(&service, tx, CONNECTOR)).await.unwrap()
    }

    /// A request with a body of the announced length.
    pub(crate) fn request(&self, method: &str, name: &str, extra: &str, headers: &[(&'static str, &str)], body: &[u8]) -> UploadRequest {
        let mut map: http::HeaderMap = headers.iter().map(|(k, v)| (http::HeaderName::from_static(k), v.parse().unwrap())).collect();
        map.entry("content-length").or_insert_with(|| body.len().into());
        UploadRequest {
            method: method.parse().unwrap(),
            path: format!("{}{name}", self.path),
            query: format!("{}{extra}", self.query),
            headers: map,
            body: stream(body),
        }
    }

    pub(crate) async fn handle(&self, request: UploadRequest) -> Answered {
        self.handle_at(request, now()).await
    }

    pub(crate) async fn handle_at(&self, request: UploadRequest, at: Timestamp) -> Answered {
        let answer = handle(&self.service, request, at).await;
        let body = match answer.body {
            UploadBody::Empty => None,
            UploadBody::Text(text) => Some(text.into_bytes()),
            UploadBody::Stream(mut stream) => {
                let mut body = Vec::new();
                while let Some(chunk) = stream.next().await {
                    body.extend_from_slice(&chunk.unwrap());
                }
                let length = answer.headers.iter().find(|(name, _)| name == "content-length").unwrap();
                assert_eq!(length.1, body.len().to_string());
                Some(body)
            }
        };
        Answered { status: answer.status, headers: answer.headers, body }
    }

    pub(crate) async fn send(&self, method: &str, name: &str, extra: &str, headers: &[(&'static str, &str)], body: &str) -> Answered {
        self.handle(self.request(method, name, extra, headers, body.as_bytes())).await
    }

    /// Put Blob.
    pub(crate) async fn put(&self, name: &str, body: &str) -> Answered {
        self.send("PUT", name, "", &[BLOB], body).await
    }

    pub(crate) async fn append(&self, name: &str, position: usize, body: &str) -> Answered {
        self.send("PATCH", name, &format!("&action=append&position={position}"), &[], body).await
    }

    pub(crate) async fn flush(&self, name: &str, position: usize) -> Answered {
        self.send("PATCH", name, &format!("&action=flush&position={position}"), &[], "").await
    }

    /// The content of a file, or the code of the refusal.
    pub(crate) async fn text(&self, name: &str) -> String {
        let read = self.send("GET", name, "", &[], "").await;
        if read.status == 200 { String::from_utf8(read.body.unwrap()).unwrap() } else { read.code().to_owned() }
    }

    /// The same world for who has other rights.
    pub(crate) async fn with_rights(&self, rights: &str) -> Self {
        let terms = SessionTerms { rights: rights.parse().unwrap(), ..terms() };
        let service = self.service.clone();
        let open = move |tx: &mut store::Tx<'_>| open_session(&service, tx, CONNECTOR, "http://h", &terms, false, "other");
        let session = self.service.store.write::<_, StoreError>(&self.ctx, open).await.unwrap();
        let mut world = self.clone();
        world.go_to(&session);
        world
    }

    pub(crate) fn folder(&self, container: &str) -> PathBuf {
        self.service.store.blobs().path(self.ctx.tenant, &format!("uploads/{container}")).unwrap()
    }

    /// All files of a container below a folder of it, but those of properties.
    pub(crate) fn on_disk(&self, below: &str) -> Vec<String> {
        fn walk(folder: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.ends_with("properties") {
                    continue;
                }
                if path.is_dir() { walk(&path, found) } else { found.push(path.file_name().unwrap().to_string_lossy().into_owned()) }
            }
        }
        let mut found = Vec::new();
        walk(&self.folder("box").join(below), &mut found);
        found.sort();
        found
    }
}

impl Answered {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn code(&self) -> &str {
        self.header("x-ms-error-code")
    }

    /// Status and code.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status, self.code())
    }
}
