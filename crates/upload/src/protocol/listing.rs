//! What is in the container, in the form of either protocol.

use super::answer::{Answer, Refused, UploadResponse, answer, escape, http_date, refuse};
use super::call::{Call, blocking};
use crate::files::{Opened, Pieces};
use crate::properties::Properties;
use crate::sas::Right;
use crate::{Container, UploadedFile, limits};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What a list shows under one name.
enum Entry {
    File(Box<(UploadedFile, Properties)>),
    /// Only blocks of it have come so far.
    Uncommitted,
    /// Several names that go on alike up to a delimiter.
    Prefix,
}

/// Which entries a list is to have.
#[derive(Default)]
struct Wanted<'c> {
    prefix: &'c str,
    delimiter: &'c str,
    marker: &'c str,
    entries: Option<&'c str>,
    uncommitted: bool,
}

/// One page: entries by name, and the marker of the next page.
type Page = (BTreeMap<String, Entry>, Option<String>);

async fn page(call: &Call, wanted: &Wanted<'_>) -> Result<Page, Refused> {
    call.needs(&[Right::List])?;
    // No name has one, and XML, which repeats them, cannot hold it.
    let unwritable = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    for (parameter, value) in [("prefix", wanted.prefix), ("delimiter", wanted.delimiter), ("marker", wanted.marker)] {
        if value.contains(unwritable) {
            return refuse(400, "InvalidQueryParameterValue", format!("The parameter {parameter} of the query has a control character."));
        }
    }
    let most = match wanted.entries.map(str::parse::<usize>) {
        None => limits::LIST_ENTRIES_MAX,
        Some(Ok(most)) if most > 0 => most.min(limits::LIST_ENTRIES_MAX),
        Some(_) => return refuse(400, "OutOfRangeQueryParameterValue", "The number of results is 1 at least."),
    };
    let (container, uncommitted) = (call.container.clone(), wanted.uncommitted);
    let mut all = BTreeMap::new();
    for (name, entry) in blocking(move || Ok(entries(&container, uncommitted)?)).await? {
        let name = format!("{}{name}", call.below);
        let Some(rest) = name.strip_prefix(wanted.prefix) else { continue };
        match rest.find(wanted.delimiter).filter(|_| !wanted.delimiter.is_empty()) {
            Some(place) => all.insert(name[..wanted.prefix.len() + place + wanted.delimiter.len()].to_owned(), Entry::Prefix),
            None => all.insert(name, entry),
        };
    }
    let mut page = all.split_off(wanted.marker);
    let next = page.keys().nth(most).cloned();
    if let Some(next) = &next {
        page.split_off(next);
    }
    Ok((page, next))
}

fn entries(container: &Container, uncommitted: bool) -> std::io::Result<BTreeMap<String, Entry>> {
    let mut all = BTreeMap::new();
    if uncommitted {
        all.extend(container.names_with_pieces(Pieces::Blocks)?.into_iter().map(|name| (name, Entry::Uncommitted)));
    }
    for name in container.names()? {
        if let Some(Opened { file, properties, .. }) = container.open(&name)? {
            all.insert(name, Entry::File(Box::new((file, properties))));
        }
    }
    Ok(all)
}

/// List Blobs.
pub(super) async fn blobs(call: &Call) -> Answer {
    let field = |name: &str| call.field(name).unwrap_or_default();
    let include: Vec<_> = field("include").split(',').map(str::to_ascii_lowercase).collect();
    let includes = |what: &str| include.iter().any(|included| included == what);
    let wanted = Wanted {
        prefix: field("prefix"),
        delimiter: field("delimiter"),
        marker: field("marker"),
        entries: call.field("maxresults"),
        uncommitted: includes("uncommittedblobs"),
    };
    let (page, next) = page(call, &wanted).await?;
    let mut xml =
        format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ContainerName=\"{}\">", escape(&call.container_id));
    let most = wanted.entries.map_or_else(|| limits::LIST_ENTRIES_MAX.to_string(), str::to_owned);
    for (name, value) in [("Prefix", wanted.prefix), ("Marker", wanted.marker), ("MaxResults", &most)] {
        element(&mut xml, name, value);
    }
    if !wanted.delimiter.is_empty() {
        element(&mut xml, "Delimiter", wanted.delimiter);
    }
    xml.push_str("<Blobs>");
    for (name, entry) in &page {
        blob(&mut xml, name, entry, includes("metadata"));
    }
    xml.push_str("</Blobs>");
    element(&mut xml, "NextMarker", next.as_deref().unwrap_or_default());
    xml.push_str("</EnumerationResults>");
    Ok(answer(200).with("content-type", "application/xml").text(xml))
}

fn element(xml: &mut String, name: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = if value.is_empty() { write!(xml, "<{name} />") } else { write!(xml, "<{name}>{}</{name}>", escape(value)) };
}

fn blob(xml: &mut String, name: &str, entry: &Entry, with_metadata: bool) {
    let outer = if matches!(entry, Entry::Prefix) { "BlobPrefix" } else { "Blob" };
    let _ = write!(xml, "<{outer}>");
    element(xml, "Name", name);
    match entry {
        Entry::File(entry) => {
            let (file, properties) = entry.as_ref();
            xml.push_str("<Properties>");
            element(xml, "Creation-Time", &http_date(properties.created));
            element(xml, "Last-Modified", &http_date(file.modified));
            element(xml, "Etag", file.etag.trim_matches('"'));
            element(xml, "Content-Length", &file.size.to_string());
            element(xml, "Content-Type", properties.content_type.as_deref().unwrap_or("application/octet-stream"));
            let given = [
                ("Content-Encoding", &properties.content_encoding),
                ("Content-Language", &properties.content_language),
                ("Content-MD5", &properties.md5),
                ("Content-Disposition", &properties.content_disposition),
                ("Cache-Control", &properties.cache_control),
            ];
            for (name, value) in given {
                if let Some(value) = value {
                    element(xml, name, value);
                }
            }
            xml.push_str(
                "<BlobType>BlockBlob</BlobType><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState></Properties>",
            );
            if with_metadata {
                xml.push_str("<Metadata>");
                properties.metadata.iter().for_each(|(name, value)| element(xml, name, value));
                xml.push_str("</Metadata>");
            }
        }
        Entry::Uncommitted => {
            xml.push_str("<Properties><Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType></Properties>");
        }
        Entry::Prefix => {}
    }
    let _ = write!(xml, "</{outer}>");
}

/// Path - List.
pub(super) async fn paths(call: &Call) -> Answer {
    let folder = call.field("directory").unwrap_or_default().trim_matches('/');
    if !call.below.is_empty() && folder != call.below.trim_end_matches('/') {
        return refuse(404, "PathNotFound", "The specified path does not exist.");
    }
    let wanted = Wanted { marker: call.field("continuation").unwrap_or_default(), entries: call.field("maxResults"), ..Wanted::default() };
    let (page, next) = page(call, &wanted).await?;
    let paths: Vec<Value> = page.iter().filter_map(|(name, entry)| path(name, entry)).collect();
    let listed = answer(200).with("content-type", "application/json; charset=utf-8").text(json!({ "paths": paths }).to_string());
    Ok(match next {
        Some(next) => UploadResponse::with(listed, "x-ms-continuation", next),
        None => listed,
    })
}

fn path(name: &str, entry: &Entry) -> Option<Value> {
    let Entry::File(entry) = entry else { return None };
    let (file, properties) = entry.as_ref();
    Some(json!({
        "name": name,
        "contentLength": file.size.to_string(),
        "etag": file.etag.trim_matches('"'),
        "lastModified": http_date(file.modified),
        "creationTime": file_time(properties.created).to_string(),
    }))
}

/// Tenths of microseconds since 1601, as the Data Lake counts.
fn file_time(seconds: i64) -> i64 {
    const FROM_1601_TO_1970: i64 = 11_644_473_600;
    (seconds + FROM_1601_TO_1970) * 10_000_000
}
