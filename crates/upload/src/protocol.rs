//! Requests and answers of the two protocols, on the same addresses.
//!
//! Blob: Put Blob, Put Block, Put Block List, Get, Head, Delete, List. Data Lake: create, append,
//! flush, list. Statuses are those that Microsoft's clients insist on.

use crate::{Container, UploadService, UploadedFile, limits, sas, sessions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::json;
use std::io::{self, SeekFrom};
use std::path::Path;
use std::pin::Pin;
use store::{OpContext, StoreError, TenantId};
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
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

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing_error(&error);
        Self(500, "InternalError", "The server encountered an internal error.".to_owned())
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        tracing_error(&error);
        Self(500, "InternalError", "The server encountered an internal error.".to_owned())
    }
}

fn tracing_error(error: &dyn std::error::Error) {
    tracing::error!(%error, "an upload failed inside Homeroom");
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
}

/// RFC 1123, as HTTP and List Blobs want it.
fn http_date(seconds: i64) -> String {
    Timestamp::from_second(seconds).unwrap_or_default().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

pub(crate) fn parse_query(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    query.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, ""))).map(|(k, v)| (decode(k), decode(v))).collect()
}

/// Everything about a request that has been let in.
struct Call<'c> {
    container: Container,
    name: Option<String>,
    query: Vec<(String, String)>,
    headers: &'c HeaderMap,
    prefix: String,
    max_file_bytes: u64,
}

impl Call<'_> {
    fn field(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Answers one request. Errors are answers too.
pub async fn handle(service: &UploadService, request: UploadRequest, now: Timestamp) -> UploadResponse {
    let data_lake = is_data_lake(&request);
    let head = request.method == Method::HEAD;
    let version = request.headers.get("x-ms-version").and_then(|v| v.to_str().ok()).unwrap_or("2023-11-03").to_owned();
    let client_request_id = request.headers.get("x-ms-client-request-id").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let response = match route(service, request, now).await {
        Ok(response) => response,
        Err(Refused(status, code, message)) => {
            let body = if data_lake {
                json!({ "error": { "code": code, "message": message } }).to_string()
            } else {
                format!(
                    "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{}</Message></Error>",
                    escape(&message)
                )
            };
            let kind = if data_lake { "application/json; charset=utf-8" } else { "application/xml" };
            let failed = answer(status).with("x-ms-error-code", code).with("content-type", kind);
            if head { failed } else { UploadResponse { body: Some(body.into_bytes()), ..failed } }
        }
    };
    let response =
        response.with("x-ms-request-id", Uuid::now_v7().to_string()).with("x-ms-version", version).with("date", http_date(now.as_second()));
    match client_request_id.filter(|id| id.len() <= 1024) {
        Some(id) => response.with("x-ms-client-request-id", id),
        None => response,
    }
}

fn is_data_lake(request: &UploadRequest) -> bool {
    request.method == Method::PATCH || request.query.contains("resource=")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn denied() -> Refused {
    Refused(
        403,
        "AuthenticationFailed",
        "Server failed to authenticate the request. The session URL is wrong or has expired; ask for a new upload session.".to_owned(),
    )
}

async fn route(service: &UploadService, request: UploadRequest, now: Timestamp) -> Answer {
    let UploadRequest { method, path, query, headers, body } = request;
    let query = parse_query(&query);
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned);
    let mut parts: Vec<String> = path.trim_start_matches('/').split('/').map(decode).collect::<Result<_, _>>().map_err(|_| denied())?;
    // The Data Lake protocol lists a file system (the tenant) with the folder in the query.
    let folder = query.iter().find(|(key, _)| key == "directory").map(|(_, value)| value.clone());
    if parts.len() == 1
        && let Some(folder) = folder
    {
        parts.extend(folder.trim_matches('/').split('/').map(str::to_owned));
    }
    let (tenant, connector, container_id, name) = match parts.as_slice() {
        [tenant, connector, container] => (tenant, connector, container, None),
        [tenant, connector, container, name] => (tenant, connector, container, Some(name.clone()).filter(|name| !name.is_empty())),
        _ => return Err(Refused(400, "InvalidUri", "Files lie directly in the container; there are no folders.".to_owned())),
    };
    let signed = format!("{tenant}/{connector}/{container_id}");
    if !sas::opens(&service.key, &signed, &query, now) {
        return Err(denied());
    }
    let tenant_id: TenantId = tenant.parse().map_err(|_| denied())?;
    let ctx = OpContext::system(tenant_id, Uuid::nil(), now);
    let (session_connector, session_container) = (connector.clone(), container_id.clone());
    let open = service.store.read::<_, StoreError>(&ctx, move |tx| sessions::is_open(tx, &session_connector, &session_container)).await?;
    if !open {
        return Err(Refused(
            404,
            "ContainerNotFound",
            "The container is closed: its files have been taken for validation. Ask for a new upload session.".to_owned(),
        ));
    }
    if let Some(name) = &name {
        check_name(name)?;
    }
    let container = Container::new(&service.store, tenant_id, container_id)?;
    let call = Call {
        container,
        name,
        query,
        headers: &headers,
        prefix: format!("{connector}/{container_id}"),
        max_file_bytes: service.max_file_bytes,
    };
    dispatch(&method, &call, body).await
}

/// Names that are names: no folders, no dots alone, nothing that a file system minds.
fn check_name(name: &str) -> Result<(), Refused> {
    let legal = name.len() <= limits::NAME_CHARACTERS_MAX
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if legal {
        Ok(())
    } else {
        Err(Refused(
            400,
            "InvalidResourceName",
            "A file name has letters, digits, dots, hyphens and underscores, such as users.csv.".to_owned(),
        ))
    }
}

async fn dispatch(method: &Method, call: &Call<'_>, body: BodyStream) -> Answer {
    let comp = call.field("comp").unwrap_or_default();
    let Some(name) = call.name.as_deref() else {
        return match *method {
            Method::GET if comp == "list" => list_blobs(call),
            Method::GET if call.field("resource") == Some("filesystem") => list_paths(call),
            Method::GET | Method::HEAD => Ok(answer(200).with("x-ms-lease-state", "available")),
            _ => Err(Refused(405, "UnsupportedHttpVerb", "Name a file after the container.".to_owned())),
        };
    };
    match (method, call.field("action")) {
        (&Method::PUT, _) if call.field("resource") == Some("file") => create_path(call, name),
        (&Method::PATCH, Some("append")) => append(call, name, body).await,
        (&Method::PATCH, Some("flush")) => flush(call, name),
        (&Method::PUT, _) if comp == "block" => put_block(call, name, body).await,
        (&Method::PUT, _) if comp == "blocklist" => put_block_list(call, name, body).await,
        (&Method::PUT, _) => put_blob(call, name, body).await,
        (&Method::GET, _) => read(call, name, true),
        (&Method::HEAD, _) => read(call, name, false),
        (&Method::DELETE, _) => delete(call, name),
        _ => Err(Refused(405, "UnsupportedHttpVerb", "The resource does not support this method.".to_owned())),
    }
}

/// `If-None-Match: *` and `If-Match`.
fn check_conditions(call: &Call<'_>, name: &str, exists_code: &'static str) -> Result<(), Refused> {
    let found = call.container.find(name);
    if call.header("if-none-match") == Some("*") && found.is_some() {
        return Err(Refused(409, exists_code, "The specified blob already exists.".to_owned()));
    }
    match call.header("if-match") {
        Some(wanted) if wanted != "*" && found.as_ref().is_none_or(|file| file.etag != wanted) => {
            Err(Refused(412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.".to_owned()))
        }
        _ => Ok(()),
    }
}

fn room_for(call: &Call<'_>, name: &str) -> Result<(), Refused> {
    if call.container.find(name).is_none() && call.container.list()?.len() >= limits::FILES_MAX {
        return Err(Refused(409, "ContainerQuotaExceeded", format!("A session takes {} files.", limits::FILES_MAX)));
    }
    Ok(())
}

/// Streams a body into a file, durable; gives the number of bytes.
async fn receive(path: &Path, offset: u64, mut body: BodyStream, most: u64) -> Result<u64, Refused> {
    let mut file = tokio::fs::OpenOptions::new().create(true).write(true).truncate(false).open(path).await?;
    file.seek(SeekFrom::Start(offset)).await?;
    let mut received = 0;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|_| Refused(400, "IncompleteBody", "The body ended before its announced length.".to_owned()))?;
        received += chunk.len() as u64;
        if offset + received > most {
            return Err(Refused(413, "RequestBodyTooLarge", format!("A file may have {most} bytes at most.")));
        }
        file.write_all(&chunk).await?;
    }
    file.flush().await?;
    file.sync_all().await?;
    Ok(received)
}

async fn put_blob(call: &Call<'_>, name: &str, body: BodyStream) -> Answer {
    if call.header("x-ms-blob-type").is_some_and(|kind| !kind.eq_ignore_ascii_case("BlockBlob")) {
        return Err(Refused(400, "InvalidHeaderValue", "x-ms-blob-type can be BlockBlob.".to_owned()));
    }
    check_conditions(call, name, "BlobAlreadyExists")?;
    room_for(call, name)?;
    // A name of its own for each request: two at once must not write into one file.
    let staged = call.container.staged(name, &format!("put-{}", Uuid::now_v7()));
    if let Err(refused) = receive(&staged, 0, body, call.max_file_bytes).await {
        let _ = tokio::fs::remove_file(&staged).await;
        return Err(refused);
    }
    call.container.commit(&staged, name)?;
    committed(call, name, 201)
}

fn committed(call: &Call<'_>, name: &str, status: u16) -> Answer {
    let file = call.container.find(name).ok_or_else(not_found)?;
    Ok(answer(status).of_file(&file).with("x-ms-request-server-encrypted", "true"))
}

fn not_found() -> Refused {
    Refused(404, "BlobNotFound", "The specified blob does not exist.".to_owned())
}

fn block_kind(id: &str) -> Result<String, Refused> {
    let bad = || Refused(400, "InvalidBlockId", "The block id is not valid base64.".to_owned());
    let raw = STANDARD.decode(id).map_err(|_| bad())?;
    if raw.is_empty() || raw.len() > 64 {
        return Err(bad());
    }
    Ok(format!("block-{}", raw.iter().map(|b| format!("{b:02x}")).collect::<String>()))
}

async fn put_block(call: &Call<'_>, name: &str, body: BodyStream) -> Answer {
    let staged = call.container.staged(name, &block_kind(call.field("blockid").unwrap_or_default())?);
    let arriving = call.container.staged(name, &format!("put-{}", Uuid::now_v7()));
    receive(&arriving, 0, body, call.max_file_bytes).await?;
    tokio::fs::rename(&arriving, &staged).await?;
    Ok(answer(201))
}

async fn put_block_list(call: &Call<'_>, name: &str, mut body: BodyStream) -> Answer {
    check_conditions(call, name, "BlobAlreadyExists")?;
    room_for(call, name)?;
    let mut xml = Vec::new();
    while let Some(chunk) = body.next().await {
        xml.extend_from_slice(&chunk?);
        if xml.len() > limits::BLOCK_LIST_BYTES_MAX {
            return Err(Refused(413, "RequestBodyTooLarge", "The block list is too long.".to_owned()));
        }
    }
    let ids = block_ids(&String::from_utf8_lossy(&xml))?;
    let staged = call.container.staged(name, &format!("put-{}", Uuid::now_v7()));
    let mut out = tokio::fs::File::create(&staged).await?;
    let mut size = 0;
    for id in ids {
        let block = call.container.staged(name, &block_kind(&id)?);
        let mut input = tokio::fs::File::open(&block)
            .await
            .map_err(|_| Refused(400, "InvalidBlockList", "The specified block list is invalid: a block was not uploaded.".to_owned()))?;
        size += tokio::io::copy(&mut input, &mut out).await?;
        if size > call.max_file_bytes {
            return Err(Refused(413, "RequestBodyTooLarge", format!("A file may have {} bytes at most.", call.max_file_bytes)));
        }
    }
    out.sync_all().await?;
    call.container.commit(&staged, name)?;
    call.container.forget_staged(name)?;
    committed(call, name, 201)
}

/// `<BlockList><Latest>id</Latest>…`: ids in order. Only text between the three known elements counts.
fn block_ids(xml: &str) -> Result<Vec<String>, Refused> {
    let bad = || Refused(400, "InvalidXmlDocument", "The block list is not valid XML.".to_owned());
    let mut rest = xml.split_once("<BlockList>").ok_or_else(bad)?.1.split_once("</BlockList>").ok_or_else(bad)?.0;
    let mut ids = Vec::new();
    while let Some(start) = rest.find('<') {
        let (tag, after) = rest[start + 1..].split_once('>').ok_or_else(bad)?;
        if !matches!(tag, "Latest" | "Uncommitted" | "Committed") {
            return Err(bad());
        }
        let (id, after) = after.split_once(&format!("</{tag}>")).ok_or_else(bad)?;
        ids.push(id.trim().to_owned());
        rest = after;
        if ids.len() > limits::BLOCKS_MAX {
            return Err(Refused(400, "BlockCountExceedsLimit", "The block list has too many blocks.".to_owned()));
        }
    }
    Ok(ids)
}

/// Data Lake: an empty file, whose ETag stays good until the flush.
fn create_path(call: &Call<'_>, name: &str) -> Answer {
    check_conditions(call, name, "PathAlreadyExists")?;
    room_for(call, name)?;
    call.container.forget_staged(name)?;
    let staged = call.container.staged(name, "create");
    std::fs::File::create(&staged)?.sync_all()?;
    call.container.commit(&staged, name)?;
    committed(call, name, 201)
}

fn position(call: &Call<'_>) -> Result<u64, Refused> {
    call.field("position")
        .and_then(|p| p.parse().ok())
        .ok_or_else(|| Refused(400, "InvalidQueryParameterValue", "position must be a number of bytes.".to_owned()))
}

/// Appends may come in any order and at once: each goes to its own place, and is noted when it is there.
async fn append(call: &Call<'_>, name: &str, body: BodyStream) -> Answer {
    let position = position(call)?;
    let received = receive(&call.container.staged(name, "dfs"), position, body, call.max_file_bytes).await?;
    let mut notes = tokio::fs::OpenOptions::new().create(true).append(true).open(call.container.staged(name, "ranges")).await?;
    notes.write_all(format!("{position} {received}\n").as_bytes()).await?;
    notes.sync_all().await?;
    Ok(answer(202))
}

fn flush(call: &Call<'_>, name: &str) -> Answer {
    let position = position(call)?;
    check_conditions(call, name, "PathAlreadyExists")?;
    let notes = call.container.staged(name, "ranges");
    let text = if notes.exists() { std::fs::read_to_string(&notes)? } else { String::new() };
    let mut ranges: Vec<(u64, u64)> =
        text.lines().filter_map(|line| line.split_once(' ')).filter_map(|(p, n)| Some((p.parse().ok()?, n.parse().ok()?))).collect();
    ranges.sort_unstable();
    let mut reached = 0;
    for (start, length) in ranges {
        if start > reached {
            break;
        }
        reached = reached.max(start + length);
    }
    if position != reached {
        return Err(Refused(400, "InvalidFlushPosition", format!("The uploaded data is contiguous up to {reached}, not {position}.")));
    }
    let staged = call.container.staged(name, "dfs");
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&staged)?;
    file.set_len(position)?;
    file.sync_all()?;
    call.container.commit(&staged, name)?;
    call.container.forget_staged(name)?;
    committed(call, name, 200)
}

/// Reads a file or a range of it. Files of rosters fit into memory piecewise: a range is at most 32 MiB by the clients' own limit.
fn read(call: &Call<'_>, name: &str, content: bool) -> Answer {
    use std::io::{Read as _, Seek as _};
    const READ_BYTES_MAX: u64 = 64 * 1024 * 1024;
    let file = call.container.find(name).ok_or_else(not_found)?;
    let response = answer(200)
        .of_file(&file)
        .with("x-ms-blob-type", "BlockBlob")
        .with("accept-ranges", "bytes")
        .with("content-type", "application/octet-stream");
    if !content {
        return Ok(response.with("content-length", file.size.to_string()));
    }
    let range = call.header("x-ms-range").or_else(|| call.header("range")).and_then(|text| text.strip_prefix("bytes="));
    let (start, end) = match range.and_then(|r| r.split_once('-')) {
        Some((start, end)) => (start.parse().unwrap_or(0), end.parse().unwrap_or(u64::MAX).min(file.size.saturating_sub(1))),
        None => (0, file.size.saturating_sub(1)),
    };
    if range.is_some() && start >= file.size {
        return Err(Refused(416, "InvalidRange", "The range specified is invalid for the current size of the resource.".to_owned()));
    }
    let length = if file.size == 0 { 0 } else { end + 1 - start };
    if length > READ_BYTES_MAX {
        return Err(Refused(400, "InvalidRange", "Ask for at most 64 MiB at a time, with x-ms-range.".to_owned()));
    }
    let mut input = std::fs::File::open(&file.path)?;
    input.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    input.take(length).read_to_end(&mut bytes)?;
    let response = UploadResponse { body: Some(bytes), ..response };
    Ok(match range {
        Some(_) => UploadResponse { status: 206, ..response.with("content-range", format!("bytes {start}-{end}/{}", file.size)) },
        None => response,
    })
}

fn delete(call: &Call<'_>, name: &str) -> Answer {
    call.container.find(name).ok_or_else(not_found)?;
    call.container.remove(name)?;
    call.container.forget_staged(name)?;
    Ok(answer(202))
}

fn list_blobs(call: &Call<'_>) -> Answer {
    let prefix = call.field("prefix").unwrap_or_default();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>");
    for file in call.container.list()?.iter().filter(|file| file.name.starts_with(prefix)) {
        xml.push_str(&format!(
            "<Blob><Name>{}</Name><Properties><Last-Modified>{}</Last-Modified><Etag>{}</Etag><Content-Length>{}</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>",
            escape(&file.name),
            http_date(file.modified),
            escape(&file.etag),
            file.size
        ));
    }
    xml.push_str("</Blobs><NextMarker/></EnumerationResults>");
    Ok(UploadResponse { body: Some(xml.into_bytes()), ..answer(200).with("content-type", "application/xml") })
}

fn list_paths(call: &Call<'_>) -> Answer {
    let paths: Vec<serde_json::Value> = call
        .container
        .list()?
        .iter()
        .map(|file| json!({ "name": format!("{}/{}", call.prefix, file.name), "contentLength": file.size.to_string(), "etag": file.etag, "lastModified": http_date(file.modified) }))
        .collect();
    let body = json!({ "paths": paths }).to_string().into_bytes();
    Ok(UploadResponse { body: Some(body), ..answer(200).with("content-type", "application/json; charset=utf-8") })
}

#[cfg(test)]
mod tests;
