//! What is in the container, in the form of either protocol.

use super::{Answer, Call, Refused, UploadResponse, answer, blocking, escape, http_date, refuse};
use crate::{UploadedFile, limits};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// One page of the files that `wanted` names: those from `marker` on, and the marker of the next page.
async fn page(
    call: &Call,
    marker: &str,
    entries: Option<&str>,
    wanted: impl Fn(&str) -> bool,
) -> Result<(Vec<UploadedFile>, Option<String>), Refused> {
    let most = match entries.map(str::parse::<usize>) {
        None => limits::LIST_ENTRIES_MAX,
        Some(Ok(most)) if most > 0 => most.min(limits::LIST_ENTRIES_MAX),
        Some(_) => return refuse(400, "OutOfRangeQueryParameterValue", "The number of results is 1 at least."),
    };
    let container = call.container.clone();
    let mut files = blocking(move || Ok(container.committed()?)).await?;
    files.retain(|file| file.name.as_str() >= marker && wanted(&file.name));
    let next = files.get(most).map(|file| file.name.clone());
    files.truncate(most);
    Ok((files, next))
}

/// List Blobs. There are no folders, so a delimiter changes nothing.
pub(super) async fn blobs(call: &Call) -> Answer {
    let prefix = call.field("prefix").unwrap_or_default();
    let marker = call.field("marker").unwrap_or_default();
    let (files, next) = page(call, marker, call.field("maxresults"), |name| name.starts_with(prefix)).await?;
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>");
    for file in files {
        let (name, modified, etag) = (escape(&file.name), http_date(file.modified), escape(&file.etag));
        // Writing to a String cannot fail.
        let _ = write!(
            xml,
            "<Blob><Name>{name}</Name><Properties><Last-Modified>{modified}</Last-Modified><Etag>{etag}</Etag>\
             <Content-Length>{}</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>",
            file.size
        );
    }
    xml.push_str("</Blobs>");
    xml.push_str(&next.map_or_else(|| "<NextMarker/>".to_owned(), |next| format!("<NextMarker>{}</NextMarker>", escape(&next))));
    xml.push_str("</EnumerationResults>");
    Ok(answer(200).with("content-type", "application/xml").body(xml))
}

/// Path - List.
pub(super) async fn paths(call: &Call) -> Answer {
    let marker = call.field("continuation").unwrap_or_default();
    let (files, next) = page(call, marker, call.field("maxResults"), |_| true).await?;
    let entry = |file: &UploadedFile| {
        json!({
            "name": format!("{}/{}/{}", call.connector, call.container_id, file.name),
            "contentLength": file.size.to_string(), "etag": file.etag, "lastModified": http_date(file.modified),
        })
    };
    let paths: Vec<Value> = files.iter().map(entry).collect();
    let listed = answer(200).with("content-type", "application/json; charset=utf-8").body(json!({ "paths": paths }).to_string());
    Ok(match next {
        Some(next) => UploadResponse::with(listed, "x-ms-continuation", next),
        None => listed,
    })
}
