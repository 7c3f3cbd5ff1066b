//! Requests and answers of the two protocols, on the same addresses; docs/uploads.md lists them.
//!
//! Statuses are those that Microsoft's clients insist on, codes those of
//! <https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes> and of the Data
//! Lake's pages beside it. What is not understood is refused: a request that means something else
//! must not change a file.

mod answer;
mod blob;
mod body;
mod call;
mod conditions;
mod headers;
mod lake;
mod listing;
mod names;
mod reading;
mod setting;
mod structured;

pub use answer::{UploadBody, UploadResponse};

use crate::{Container, UploadService, sas};
use answer::{Answer, Refused, answer, denied, http_date, refuse};
use bytes::Bytes;
use call::Call;
use futures_util::Stream;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use names::Place;
use std::io;
use std::pin::Pin;
use store::{OpContext, TenantId};
use uuid::Uuid;

/// A body as it arrives, or as it is sent.
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

/// A query's parameters, decoded. A plus sign is one: signatures are base64.
pub(crate) fn parse_query(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    query.split('&').filter(|p| !p.is_empty()).map(|p| p.split_once('=').unwrap_or((p, ""))).map(|(k, v)| (decode(k), decode(v))).collect()
}

/// Answers one request at the time `now`. Errors are answers too: XML for the blob protocol, JSON for
/// the Data Lake's, none of them 5xx for what the client did.
pub async fn handle(service: &UploadService, request: UploadRequest, now: Timestamp) -> UploadResponse {
    let UploadRequest { method, path, query, headers, mut body } = request;
    let query = parse_query(&query);
    let speaks_lake = |(key, _): &(String, String)| matches!(key.as_str(), "resource" | "action");
    let data_lake = method == Method::PATCH || query.iter().any(speaks_lake) || headers.contains_key(RENAME_SOURCE);
    let head = method == Method::HEAD;
    let version = headers.get("x-ms-version").and_then(|v| v.to_str().ok()).unwrap_or("2023-11-03").to_owned();
    let client_request_id = headers.get("x-ms-client-request-id").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let outcome = match admit(service, method, &path, query, headers, now).await {
        Ok(call) => dispatch(&call, &mut body).await,
        Err(refused) => Err(refused),
    };
    let mut response = outcome.unwrap_or_else(|refused| answer::refusal(&refused, data_lake));
    if head {
        response.body = UploadBody::Empty;
    }
    let response =
        response.with("x-ms-request-id", Uuid::now_v7().to_string()).with("x-ms-version", version).with("date", http_date(now.as_second()));
    match client_request_id.filter(|id| id.len() <= 1024) {
        Some(id) => response.with("x-ms-client-request-id", id),
        None => response,
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
    let field = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let folder = match field("comp") {
        Some("list") => field("prefix"),
        _ => field("directory"),
    };
    let place = Place::of(path, folder)?;
    let rights = sas::opens(&service.key, &place.signed(), &query, now).ok_or_else(denied)?;
    let tenant: TenantId = place.tenant.parse().map_err(|_| denied())?;
    let names: std::collections::HashSet<_> = query.iter().map(|(key, _)| key.to_ascii_lowercase()).collect();
    if names.len() < query.len() {
        return refuse(400, "InvalidQueryParameterValue", "A parameter of the query is there more than once.");
    }
    let call = Call {
        service: service.clone(),
        ctx: OpContext::system(tenant, Uuid::nil(), now),
        rights,
        container: Container::new(&service.store, tenant, &place.container)?,
        connector: place.connector,
        container_id: place.container,
        name: place.name,
        below: place.below,
        method,
        query,
        headers,
    };
    call.still_open().await?;
    call.name.as_deref().map_or(Ok(()), names::check)?;
    Ok(call)
}

const RENAME_SOURCE: &str = "x-ms-rename-source";

/// Headers that make a request mean something that is not done here: another source of the body, a
/// condition, a lock, a key, an end.
const NOT_UNDERSTOOD: [&str; 13] = [
    "x-ms-copy-source",
    "x-ms-encryption-key",
    "x-ms-encryption-scope",
    "x-ms-expiry-option",
    "x-ms-if-tags",
    "x-ms-immutability-policy-until-date",
    "x-ms-lease-action",
    "x-ms-lease-duration",
    "x-ms-lease-id",
    "x-ms-legal-hold",
    "x-ms-proposed-lease-id",
    "x-ms-source-lease-id",
    "x-ms-tags",
];

async fn dispatch(call: &Call, body: &mut BodyStream) -> Answer {
    // Empty ones are sent by SDKs that were not asked for them.
    let is_set = |header: &&str| call.headers.get(*header).is_some_and(|value| !value.is_empty());
    if let Some(header) = NOT_UNDERSTOOD.into_iter().find(is_set) {
        return refuse(400, "UnsupportedHeader", format!("The header {header} is not supported."));
    }
    let comp = call.field("comp").unwrap_or_default();
    let resource = call.field("resource").unwrap_or_default();
    let action = call.field("action").unwrap_or_default();
    let Some(name) = call.name.as_deref() else { return of_container(call, comp, resource).await };
    if let Some(source) = call.header(RENAME_SOURCE)? {
        return match (&call.method, resource, comp) {
            (&Method::PUT, "", "") => setting::rename(call, name, source).await,
            _ => refuse(400, "UnsupportedHeader", "The header x-ms-rename-source belongs to a PUT without a resource."),
        };
    }
    match (&call.method, resource, comp, action) {
        (&Method::PUT, "file", "", "") => lake::create(call, name, body).await,
        (&Method::PUT, "", "", "") => blob::put(call, name, body).await,
        (&Method::PUT, "", "block", "") => blob::put_block(call, name, body).await,
        (&Method::PUT, "", "blocklist", "") => blob::put_block_list(call, name, body).await,
        (&Method::PUT, "", "metadata", "") => setting::set_metadata(call, name).await,
        (&Method::PUT, "", "properties", "") => setting::set_content(call, name).await,
        (&Method::PUT, "directory", ..) => names::no_folders(),
        (&Method::PATCH, "", "", "append") => lake::append(call, name, body).await,
        (&Method::PATCH, "", "", "flush") => lake::flush(call, name, body).await,
        (&Method::PATCH, "", "", "setProperties") => setting::set_lake(call, name).await,
        (&Method::GET, "", "", "") => reading::get(call, name).await,
        (&Method::GET, "", "blocklist", "") => reading::blocks(call, name).await,
        (&Method::HEAD, "", "", "" | "getStatus") => reading::head(call, name).await,
        (&Method::GET | &Method::HEAD, "", "metadata", "") => reading::metadata(call, name).await,
        (&Method::DELETE, "", "", "") => setting::delete(call, name).await,
        (&Method::PUT | &Method::PATCH | &Method::GET | &Method::HEAD | &Method::DELETE, ..) => refuse(
            400,
            "InvalidQueryParameterValue",
            "This operation is not supported: upload with Put Blob, with blocks and a block list, or with create, append and flush.",
        ),
        _ => refuse(405, "UnsupportedHttpVerb", "The resource doesn't support the specified HTTP verb."),
    }
}

async fn of_container(call: &Call, comp: &str, resource: &str) -> Answer {
    match call.method {
        Method::GET if comp == "list" => listing::blobs(call).await,
        Method::GET if resource == "filesystem" => listing::paths(call).await,
        Method::GET | Method::HEAD if comp.is_empty() => {
            let found = answer(200)
                .with("x-ms-lease-status", "unlocked")
                .with("x-ms-lease-state", "available")
                .with("x-ms-resource-type", "directory");
            // The Data Lake's clients tell a folder by its metadata, those of the blob protocol ask for a container.
            let folder = call.field("restype").is_none();
            Ok(if folder { found.with("x-ms-meta-hdi_isfolder", "true") } else { found })
        }
        // The Data Lake sink of Data Factory makes sure of its folder first: it is there.
        Method::PUT if resource == "directory" => Ok(answer(201)),
        Method::DELETE if call.field("restype").is_none() && comp.is_empty() => setting::delete_all(call).await,
        Method::PUT if call.field("restype") == Some("container") => {
            refuse(409, "ContainerAlreadyExists", "The specified container already exists.")
        }
        _ => refuse(405, "UnsupportedHttpVerb", "Name a file after the container."),
    }
}

#[cfg(test)]
mod tests;
