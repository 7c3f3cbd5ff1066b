//! Properties of files in headers: `x-ms-blob-…` and `x-ms-meta-…` of the blob protocol, `x-ms-content-…`
//! and `x-ms-properties` of the Data Lake's.

use super::answer::{Refused, refuse};
use super::call::Call;
use crate::limits;
use crate::properties::Properties;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;

/// In which protocol a request speaks of properties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Blob,
    Lake,
}

impl Dialect {
    fn prefix(self) -> &'static str {
        match self {
            Self::Blob => "x-ms-blob-",
            Self::Lake => "x-ms-",
        }
    }
}

/// The properties that a request gives to a new file, without a hash that was only calculated.
pub(super) fn of_new(call: &Call, dialect: Dialect) -> Result<Properties, Refused> {
    let mut properties = Properties { created: call.ctx.now.as_second(), ..Properties::default() };
    set_content(call, dialect, &mut properties)?;
    properties.metadata = metadata(call, dialect)?.unwrap_or_default();
    Ok(properties)
}

/// Takes over what a request says of the content; what it leaves out goes.
pub(super) fn set_content(call: &Call, dialect: Dialect, properties: &mut Properties) -> Result<(), Refused> {
    let value = |name: &str| Ok::<_, Refused>(call.header(&format!("{}{name}", dialect.prefix()))?.map(str::to_owned));
    properties.content_type = value("content-type")?;
    properties.content_encoding = value("content-encoding")?;
    properties.content_language = value("content-language")?;
    properties.content_disposition = value("content-disposition")?;
    properties.cache_control = value("cache-control")?;
    // The SDK for Go, and so AzCopy, sends it empty with every flush.
    properties.md5 = value("content-md5")?.filter(|md5| !md5.is_empty());
    if let Some(md5) = &properties.md5 {
        read_md5(md5, &format!("{}content-md5", dialect.prefix()))?;
    }
    Ok(())
}

/// Takes over what was given, and leaves the rest as it is.
pub(super) fn take_given(properties: &mut Properties, given: Properties, metadata: Option<BTreeMap<String, String>>) {
    let take = |kept: &mut Option<String>, given: Option<String>| {
        if given.is_some() {
            *kept = given;
        }
    };
    take(&mut properties.content_type, given.content_type);
    take(&mut properties.content_encoding, given.content_encoding);
    take(&mut properties.content_language, given.content_language);
    take(&mut properties.content_disposition, given.content_disposition);
    take(&mut properties.cache_control, given.cache_control);
    take(&mut properties.md5, given.md5);
    if let Some(metadata) = metadata {
        properties.metadata = metadata;
    }
}

/// An MD5 in base64.
pub(super) fn read_md5(text: &str, name: &str) -> Result<[u8; 16], Refused> {
    let raw = STANDARD.decode(text).ok().and_then(|raw| raw.try_into().ok());
    raw.ok_or_else(|| Refused(400, "InvalidMd5", format!("{name} is an MD5 of 128 bits in base64.")))
}

/// The metadata of a request; `None` when it says nothing of metadata.
pub(super) fn metadata(call: &Call, dialect: Dialect) -> Result<Option<BTreeMap<String, String>>, Refused> {
    let pairs = match dialect {
        Dialect::Blob => of_headers(call)?,
        Dialect::Lake => match call.header("x-ms-properties")? {
            Some(list) => of_list(list)?,
            None => return Ok(None),
        },
    };
    let mut metadata = BTreeMap::new();
    let mut bytes = 0;
    for (name, value) in pairs {
        // A C# identifier, as Azure has it; so it is a name in XML, too.
        let good = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !name.starts_with(|c: char| c.is_ascii_digit());
        if name.is_empty() || !good {
            return refuse(400, "InvalidMetadata", "A name of metadata has letters, digits and underscores, and no digit in front.");
        }
        bytes += name.len() + value.len();
        if bytes > limits::METADATA_BYTES_MAX {
            return refuse(400, "MetadataTooLarge", format!("All metadata of a file has {} bytes at most.", limits::METADATA_BYTES_MAX));
        }
        metadata.insert(name, value);
    }
    Ok(Some(metadata))
}

fn of_headers(call: &Call) -> Result<Vec<(String, String)>, Refused> {
    let names = call.headers.keys().filter_map(|name| name.as_str().strip_prefix("x-ms-meta-").map(|rest| (name.as_str(), rest)));
    names.map(|(header, name)| Ok((name.to_owned(), call.header(header)?.unwrap_or_default().to_owned()))).collect()
}

/// `name=base64,name=base64`.
fn of_list(list: &str) -> Result<Vec<(String, String)>, Refused> {
    let bad = || {
        let message = "x-ms-properties is a list such as name=dmFsdWU=, with values in base64 that are printable ASCII.";
        Refused(400, "InvalidHeaderValue", message.to_owned())
    };
    let pair = |item: &str| {
        let (name, value) = item.trim().split_once('=')?;
        let value = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
        value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()).then(|| (name.to_ascii_lowercase(), value))
    };
    list.split(',').filter(|item| !item.trim().is_empty()).map(|item| pair(item).ok_or_else(bad)).collect()
}

/// Metadata as the value of `x-ms-properties`.
pub(super) fn as_list(metadata: &BTreeMap<String, String>) -> String {
    let pairs: Vec<_> = metadata.iter().map(|(name, value)| format!("{name}={}", STANDARD.encode(value))).collect();
    pairs.join(",")
}
