//! Requests and answers of the two protocols, on the same addresses.
//!
//! Blob: Put Blob, Put Block, Put Block List, Get, Head, Delete, List. Data Lake: create, append,
//! flush, list. Statuses are those that Microsoft's clients insist on, codes those of
//! <https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes> and of the Data
//! Lake's pages beside it. What is not understood is refused: a request that means something else
//! must not change a file.

mod blob;
mod body;
mod conditions;
mod lake;
mod listing;
mod reading;

use crate::files::Temporary;
use crate::{Container, UploadService, UploadedFile, limits, sas, sessions};
use bytes::Bytes;
use conditions::Conditions;
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::json;
use std::io;
use std::pin::Pin;
use store::{OpContext, StoreError, TenantId};
use uuid::Uuid;

/// A body as it arrives.
pub type BodyStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A request to an upload session.
pub struct UploadRequest {
    /// Method.
    pub method: Method,
    /// Path, percent-encoded.
    pub path: String,
    /// Query, percent-encoded.
    pub query: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: BodyStream,
}

/// What is answered.
#[derive(Debug, Clone, Default)]
pub struct UploadResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Option<Vec<u8>>,
}

/// A refusal: status, code, message.
struct Refused(u16, &'static str, String);

type Answer = Result<UploadResponse, Refused>;

fn refuse<T>(status: u16, code: &'static str, message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(status, code, message.into()))
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        internal(&error)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        // Files are looked for where they were a moment ago; only a whole container goes at once.
        if error.kind() == io::ErrorKind::NotFound { closed() } else { internal(&error) }
    }
}

fn internal(error: &dyn std::error::Error) -> Refused {
    tracing::error!(%error, source = error.source(), "an upload failed inside Homeroom");
    Refused(500, "InternalError", "The server encountered an internal error. Please retry the request.".to_owned())
}

fn closed() -> Refused {
    Refused(
        404,
        "ContainerNotFound",
        "The container is closed: its files have been taken for validation. Ask for a new upload session.".to_owned(),
    )
}

fn denied() -> Refused {
    Refused(
        403,
        "AuthenticationFailed",
        "Server failed to authenticate the request. The session URL is wrong or has expired; ask for a new upload session.".to_owned(),
    )
}

fn answer(status: u16) -> UploadResponse {
    UploadResponse { status, ..UploadResponse::default() }
}

impl UploadResponse {
    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn of_file(self, file: &UploadedFile) -> Self {
        self.with("etag", &file.etag).with("last-modified", http_date(file.modified))
    }

    fn body(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self { body: Some(bytes.into()), ..self }
    }
}

/// RFC 1123, as HTTP and List Blobs want it.
fn http_date(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A query's parameters, decoded. A plus sign is one: signatures are base64.
pub(crate) fn parse_query(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    query.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, ""))).map(|(k, v)| (decode(k), decode(v))).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A request that has been let in.
struct Call {
    service: UploadService,
    ctx: OpContext,
    connector: String,
    container_id: String,
    container: Container,
    name: Option<String>,
    method: Method,
    query: Vec<(String, String)>,
    headers: HeaderMap,
}

impl Call {
    fn field(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A header's text; one that is there but no text is refused, for it may be a condition.
    fn header(&self, name: &str) -> Result<Option<&str>, Refused> {
        let bad = |_| Refused(400, "InvalidHeaderValue", format!("The value of the header {name} is not text."));
        self.headers.get(name).map(|value| value.to_str().map(str::trim).map_err(bad)).transpose()
    }

    fn most(&self) -> u64 {
        self.service.max_file_bytes
    }

    /// Refuses when the session has been closed while the body was on its way.
    async fn still_open(&self) -> Result<(), Refused> {
        let (connector, container) = (self.connector.clone(), self.container_id.clone());
        let read = move |tx: &mut store::Tx<'_>| sessions::is_open(tx, &connector, &container);
        if self.service.store.read::<_, StoreError>(&self.ctx, read).await? { Ok(()) } else { Err(closed()) }
    }

    /// Changes committed files: in a transaction that holds the session open, so that neither closing it
    /// nor another request comes in between.
    async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Container) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let (connector, id, container) = (self.connector.clone(), self.container_id.clone(), self.container.clone());
        let work = move |tx: &mut store::Tx<'_>| {
            if sessions::hold_open(tx, &connector, &id)? { change(&container) } else { Err(closed()) }
        };
        self.service.store.write(&self.ctx, work).await
    }

    /// A file that has arrived becomes the committed one, if the conditions hold at that moment.
    /// `after` follows in the same transaction.
    async fn commit(
        &self,
        commit: Commit<'_>,
        after: impl FnOnce(&Container, &UploadedFile) -> Result<(), Refused> + Send + 'static,
    ) -> Result<UploadedFile, Refused> {
        let conditions = Conditions::of(self)?;
        let Commit { name, arrived, exists, base } = commit;
        let (name, now) = (name.to_owned(), self.ctx.now);
        self.change(move |container| {
            let before = container.find(&name)?;
            conditions.allow_change(before.as_ref(), exists)?;
            if base.is_some() && base != before.map(|file| file.etag) {
                return conditions::not_met();
            }
            room_for(container, &name)?;
            let file = container.place(arrived, &name, now)?;
            after(container, &file)?;
            Ok(file)
        })
        .await
    }
}

/// What is to be committed.
struct Commit<'c> {
    name: &'c str,
    arrived: Temporary,
    /// The code when there should be no file and there is one.
    exists: &'static str,
    /// ETag of the file that the new one goes on from.
    base: Option<String>,
}

/// Files are the store's business or take their time: neither belongs on a thread of the runtime.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refused> + Send + 'static) -> Result<T, Refused> {
    tokio::task::spawn_blocking(work).await.map_err(|error| internal(&error))?
}

fn room_for(container: &Container, name: &str) -> Result<(), Refused> {
    let names = container.all_names()?;
    if !names.contains(name) && names.len() >= limits::FILES_MAX {
        return refuse(409, "ContainerQuotaExceeded", format!("A session takes {} files.", limits::FILES_MAX));
    }
    Ok(())
}

fn not_found() -> Refused {
    Refused(404, "BlobNotFound", "The specified blob does not exist.".to_owned())
}

fn committed(status: u16, file: &UploadedFile) -> UploadResponse {
    answer(status).of_file(file).with("x-ms-request-server-encrypted", "true")
}

/// Answers one request at the time `now`. Errors are answers too: XML for the blob protocol, JSON for
/// the Data Lake's, none of them 5xx for what the client did.
pub async fn handle(service: &UploadService, request: UploadRequest, now: Timestamp) -> UploadResponse {
    let UploadRequest { method, path, query, headers, mut body } = request;
    let query = parse_query(&query);
    let data_lake = method == Method::PATCH || query.iter().any(|(key, _)| key == "resource" || key == "action");
    let head = method == Method::HEAD;
    let version = headers.get("x-ms-version").and_then(|v| v.to_str().ok()).unwrap_or("2023-11-03").to_owned();
    let client_request_id = headers.get("x-ms-client-request-id").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let outcome = match admit(service, method, &path, query, headers, now).await {
        Ok(call) => {
            let outcome = dispatch(&call, &mut body).await;
            if outcome.as_ref().is_err_and(|refused| refused.0 != 413 && refused.0 < 500) {
                drain(&mut body).await;
            }
            outcome
        }
        Err(refused) => Err(refused),
    };
    let response = outcome.unwrap_or_else(|refused| refusal(&refused, data_lake));
    let response = UploadResponse { body: response.body.filter(|_| !head), ..response };
    let response =
        response.with("x-ms-request-id", Uuid::now_v7().to_string()).with("x-ms-version", version).with("date", http_date(now.as_second()));
    match client_request_id.filter(|id| id.len() <= 1024) {
        Some(id) => response.with("x-ms-client-request-id", id),
        None => response,
    }
}

fn refusal(Refused(status, code, message): &Refused, data_lake: bool) -> UploadResponse {
    let refused = answer(*status).with("x-ms-error-code", *code);
    if data_lake {
        let body = json!({ "error": { "code": code, "message": message } }).to_string();
        return refused.with("content-type", "application/json; charset=utf-8").body(body);
    }
    let message = escape(message);
    let body = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
    refused.with("content-type", "application/xml").body(body)
}

/// Reads what a refused client is still sending. Without that the connection breaks under it: it
/// takes the refusal for a fault of the network and sends everything again.
async fn drain(body: &mut BodyStream) {
    let mut drained = 0;
    while let Some(Ok(chunk)) = body.next().await {
        drained += chunk.len() as u64;
        if drained > limits::DRAIN_BYTES_MAX {
            return;
        }
    }
}

/// Lets a request in: its URL is signed, its session is open, its file has a name.
async fn admit(
    service: &UploadService,
    method: Method,
    path: &str,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    now: Timestamp,
) -> Result<Call, Refused> {
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned);
    let mut parts: Vec<String> = path.trim_start_matches('/').split('/').map(decode).collect::<Result<_, _>>().map_err(|_| denied())?;
    // The Data Lake protocol lists a file system (the tenant) with the folder in the query.
    let folder = query.iter().find(|(key, _)| key == "directory").map(|(_, value)| value);
    if parts.len() == 1
        && let Some(folder) = folder
    {
        parts.extend(folder.trim_matches('/').split('/').map(str::to_owned));
    }
    let (tenant, connector, container_id, name) = match parts.as_slice() {
        [tenant, connector, container] => (tenant, connector, container, None),
        [tenant, connector, container, name] => (tenant, connector, container, Some(name.clone()).filter(|name| !name.is_empty())),
        _ => return refuse(400, "InvalidUri", "Files lie directly in the container; there are no folders."),
    };
    if !sas::opens(&service.key, &format!("{tenant}/{connector}/{container_id}"), &query, now) {
        return Err(denied());
    }
    let tenant: TenantId = tenant.parse().map_err(|_| denied())?;
    let call = Call {
        service: service.clone(),
        ctx: OpContext::system(tenant, Uuid::nil(), now),
        container: Container::new(&service.store, tenant, container_id)?,
        connector: connector.clone(),
        container_id: container_id.clone(),
        name,
        method,
        query,
        headers,
    };
    call.still_open().await?;
    call.name.as_deref().map_or(Ok(()), check_name)?;
    Ok(call)
}

/// Names of devices on Windows, with any ending.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Names that are names on every file system: no folders, no dots at either end, nothing to be escaped.
fn check_name(name: &str) -> Result<(), Refused> {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered =
        stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt")).is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit());
    let legal = name.len() <= limits::NAME_CHARACTERS_MAX
        && !name.starts_with('.')
        && !name.ends_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && !DEVICES.contains(&stem.as_str())
        && !numbered;
    if legal {
        Ok(())
    } else {
        refuse(400, "InvalidResourceName", "A file name has letters, digits, dots, hyphens and underscores, such as users.csv.")
    }
}

/// Headers that give a body another meaning, or name another source of it.
const NOT_UNDERSTOOD: [&str; 4] = ["x-ms-copy-source", "x-ms-rename-source", "x-ms-structured-body", "x-ms-encryption-key"];

async fn dispatch(call: &Call, body: &mut BodyStream) -> Answer {
    if let Some(header) = NOT_UNDERSTOOD.into_iter().find(|header| call.headers.contains_key(*header)) {
        return refuse(400, "UnsupportedHeader", format!("The header {header} is not supported."));
    }
    let comp = call.field("comp").unwrap_or_default();
    let resource = call.field("resource").unwrap_or_default();
    let action = call.field("action").unwrap_or_default();
    let Some(name) = call.name.as_deref() else {
        return match call.method {
            Method::GET if comp == "list" => listing::blobs(call).await,
            Method::GET if resource == "filesystem" => listing::paths(call).await,
            Method::GET | Method::HEAD if comp.is_empty() => Ok(answer(200).with("x-ms-lease-state", "available")),
            // The Data Lake sink of Data Factory makes sure of its folder first: it is there.
            Method::PUT if resource == "directory" => Ok(answer(201)),
            Method::PUT if call.field("restype") == Some("container") => {
                refuse(409, "ContainerAlreadyExists", "The specified container already exists.")
            }
            _ => refuse(405, "UnsupportedHttpVerb", "Name a file after the container."),
        };
    };
    match (&call.method, resource, comp, action) {
        (&Method::PUT, "file", "", "") => lake::create(call, name, body).await,
        (&Method::PUT, "", "", "") => blob::put(call, name, body).await,
        (&Method::PUT, "", "block", "") => blob::put_block(call, name, body).await,
        (&Method::PUT, "", "blocklist", "") => blob::put_block_list(call, name, body).await,
        (&Method::PUT, "directory", ..) => refuse(400, "InvalidUri", "Files lie directly in the container; there are no folders."),
        (&Method::PATCH, "", "", "append") => lake::append(call, name, body).await,
        (&Method::PATCH, "", "", "flush") => lake::flush(call, name, body).await,
        (&Method::GET, "", "", "") => reading::get(call, name).await,
        (&Method::HEAD, "", "", "" | "getStatus") => reading::head(call, name).await,
        (&Method::DELETE, "", "", "") => delete(call, name).await,
        (&Method::PUT | &Method::PATCH | &Method::GET | &Method::HEAD | &Method::DELETE, ..) => refuse(
            400,
            "InvalidQueryParameterValue",
            "This operation is not supported: upload with Put Blob, with blocks and a block list, or with create, append and flush.",
        ),
        _ => refuse(405, "UnsupportedHttpVerb", "The resource doesn't support the specified HTTP verb."),
    }
}

async fn delete(call: &Call, name: &str) -> Answer {
    use crate::files::Pieces;
    let conditions = Conditions::of(call)?;
    let name = name.to_owned();
    call.change(move |container| {
        let file = container.find(&name)?;
        // What was staged goes in any case: this is how a client starts anew.
        for kind in [Pieces::Blocks, Pieces::Appends] {
            container.forget(kind, &name)?;
        }
        let file = file.ok_or_else(not_found)?;
        conditions.allow_change(Some(&file), "BlobAlreadyExists")?;
        container.remove(&name)?;
        Ok(answer(202))
    })
    .await
}

#[cfg(test)]
mod tests;
