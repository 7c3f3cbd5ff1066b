//! Get Blob, Get Blob Properties, Get Block List: so that users can check what they sent.

use super::answer::{Answer, Refused, UploadBody, UploadResponse, answer, escape, not_found, not_modified, refusal, refuse};
use super::body::CRC64;
use super::call::{Call, blocking};
use super::conditions::Conditions;
use super::headers;
use super::structured::{self, Encoder};
use super::{BodyStream, blob};
use crate::files::{Opened, Pieces};
use crate::properties::{Block, Properties};
use crate::sas::Right;
use crate::{UploadedFile, limits};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest as _, Md5};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

/// Read from the disk at once: large enough that a thread is woken seldom.
const READ_BYTES: u64 = 256 * 1024;

/// Properties; a range makes no difference to them.
pub(super) async fn head(call: &Call, name: &str) -> Answer {
    let (file, properties) = match described(call, name).await? {
        Ok(found) => found,
        Err(not_modified) => return Ok(not_modified),
    };
    let head = answer(200)
        .describing(&file, &properties)
        .with("content-length", file.size.to_string())
        .with_some("content-md5", properties.md5.as_ref());
    // The Data Lake's form of the same metadata, for who asks in its way.
    let lake = call.field("action").is_some() && !properties.metadata.is_empty();
    Ok(if lake { head.with("x-ms-properties", headers::as_list(&properties.metadata)) } else { head })
}

/// Get Blob Metadata.
pub(super) async fn metadata(call: &Call, name: &str) -> Answer {
    let (file, properties) = match described(call, name).await? {
        Ok(found) => found,
        Err(not_modified) => return Ok(not_modified),
    };
    let found = answer(200).of_file(&file).with("content-length", "0");
    Ok(properties.metadata.iter().fold(found, |found, (name, value)| found.with(&format!("x-ms-meta-{name}"), value)))
}

/// A file and its properties, or the answer that the reader has it already.
async fn described(call: &Call, name: &str) -> Result<Result<(UploadedFile, Properties), UploadResponse>, Refused> {
    call.needs(&[Right::Read])?;
    let (container, name, conditions) = (call.container.clone(), name.to_owned(), Conditions::of(call)?);
    blocking(move || {
        let Opened { file, properties, .. } = container.open(&name)?.ok_or_else(not_found)?;
        if !conditions.allow_read(&file)? {
            return Ok(Err(not_modified(&file)));
        }
        Ok(Ok((file, properties)))
    })
    .await
}

/// What is asked for beside the content.
struct Asked {
    range: Option<String>,
    md5: bool,
    crc: bool,
    structured: bool,
}

impl Asked {
    fn of(call: &Call) -> Result<Self, Refused> {
        let flag = |name: &str| Ok::<_, Refused>(call.header(name)?.is_some_and(|value| value.eq_ignore_ascii_case("true")));
        // Clients send the first of the two (and some proxies the second along with it).
        let range = match call.header("x-ms-range")? {
            Some(range) => Some(range),
            None => call.header("range")?,
        };
        let structured = match call.header("x-ms-structured-body")? {
            None => false,
            Some(structured::KIND) => true,
            Some(_) => return refuse(400, "InvalidHeaderValue", format!("x-ms-structured-body can be {}.", structured::KIND)),
        };
        let (md5, crc) = (flag("x-ms-range-get-content-md5")?, flag("x-ms-range-get-content-crc64")?);
        if (md5 || crc) && range.is_none() {
            return refuse(400, "InvalidHeaderValue", "The hash of a range is asked for together with a range.");
        }
        Ok(Self { range: range.map(str::to_owned), md5, crc, structured })
    }
}

/// The content or a range of it, as a stream.
pub(super) async fn get(call: &Call, name: &str) -> Answer {
    call.needs(&[Right::Read])?;
    let (container, name, conditions, asked) = (call.container.clone(), name.to_owned(), Conditions::of(call)?, Asked::of(call)?);
    blocking(move || {
        let Opened { content: mut input, file, properties } = container.open(&name)?.ok_or_else(not_found)?;
        if !conditions.allow_read(&file)? {
            return Ok(not_modified(&file));
        }
        let part = match asked.range.as_deref().map(|range| part(range, file.size)).transpose() {
            Err(beyond @ Refused(416, ..)) => return Ok(refusal(&beyond, false).with("content-range", format!("bytes */{}", file.size))),
            part => part?,
        };
        let (start, length) = part.unwrap_or((0, file.size));
        input.seek(SeekFrom::Start(start))?;
        let mut found = answer(if part.is_some() { 206 } else { 200 }).describing(&file, &properties);
        if part.is_some() {
            found = found.with("content-range", format!("bytes {start}-{}/{}", start + length - 1, file.size));
            found = found.with_some("x-ms-blob-content-md5", properties.md5.as_ref());
            found = hashed(found, &mut input, length, &asked)?;
            input.seek(SeekFrom::Start(start))?;
        } else {
            found = found.with_some("content-md5", properties.md5.as_ref());
        }
        sent(found, input, length, asked.structured)
    })
    .await
}

/// The hashes of a range, calculated before it is sent.
fn hashed(mut found: UploadResponse, input: &mut File, length: u64, asked: &Asked) -> Answer {
    if !asked.md5 && !asked.crc {
        return Ok(found);
    }
    if length > limits::HASHED_RANGE_BYTES_MAX {
        let message = format!("The hash of a range is that of at most {} bytes.", limits::HASHED_RANGE_BYTES_MAX);
        return refuse(400, "OutOfRangeInput", message);
    }
    let mut bytes = Vec::new();
    input.take(length).read_to_end(&mut bytes)?;
    if asked.md5 {
        found = found.with("content-md5", STANDARD.encode(Md5::digest(&bytes)));
    }
    if asked.crc {
        found = found.with("x-ms-content-crc64", STANDARD.encode(CRC64.checksum(&bytes).to_le_bytes()));
    }
    Ok(found)
}

/// The answer with `length` bytes of the file as its body.
fn sent(found: UploadResponse, input: File, length: u64, structured: bool) -> Answer {
    let encoder = structured.then(|| Encoder::new(length));
    if encoder.as_ref().is_some_and(|encoder| !encoder.fits()) {
        return refuse(416, "InvalidRange", "That is too much for one structured body; ask for ranges.");
    }
    let found = match &encoder {
        Some(encoder) => found
            .with("x-ms-structured-body", structured::KIND)
            .with("x-ms-structured-content-length", length.to_string())
            .with("content-length", encoder.message_length().to_string()),
        None => found.with("content-length", length.to_string()),
    };
    Ok(UploadResponse { body: UploadBody::Stream(stream(Reading { input, left: length, encoder, ended: false })), ..found })
}

/// A body on its way from the disk.
struct Reading {
    input: File,
    left: u64,
    encoder: Option<Encoder>,
    ended: bool,
}

impl Reading {
    fn next(&mut self) -> std::io::Result<Bytes> {
        let room = self.encoder.as_ref().map_or(u64::MAX, Encoder::room);
        let mut bytes = vec![0; usize::try_from(self.left.min(READ_BYTES).min(room)).unwrap_or_default()];
        self.input.read_exact(&mut bytes)?;
        self.left -= bytes.len() as u64;
        self.ended = self.left == 0;
        Ok(match &mut self.encoder {
            Some(encoder) => encoder.frame(&bytes),
            None => bytes,
        }
        .into())
    }
}

fn stream(reading: Reading) -> BodyStream {
    Box::pin(futures_util::stream::unfold(Some(reading), |reading| async {
        let mut reading = reading.filter(|reading| !reading.ended)?;
        let read = tokio::task::spawn_blocking(move || (reading.next(), reading)).await;
        match read {
            Ok((Ok(bytes), reading)) => Some((Ok(bytes), Some(reading))),
            Ok((Err(error), _)) => Some((Err(error), None)),
            Err(error) => Some((Err(std::io::Error::other(error)), None)),
        }
    }))
}

/// First byte and number of bytes, at least one, of `bytes=5-9`, `bytes=5-` or `bytes=-5` (RFC 9110 §14.1.2).
fn part(range: &str, size: u64) -> Result<(u64, u64), Refused> {
    let bad = || Refused(400, "InvalidHeaderValue", "A range is one such as bytes=0-33554431.".to_owned());
    let number = |text: &str| if text.is_empty() { Ok(None) } else { text.parse::<u64>().map(Some).map_err(|_| bad()) };
    let (first, last) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).ok_or_else(bad)?;
    let (start, end) = match (number(first)?, number(last)?) {
        (Some(start), Some(end)) if start > end => return Err(bad()),
        (Some(start), end) => (start, end.map_or(size, |end| end.saturating_add(1).min(size))),
        (None, Some(last)) => (size.saturating_sub(last), size),
        (None, None) => return Err(bad()),
    };
    if start >= end {
        return refuse(416, "InvalidRange", "The range specified is invalid for the current size of the resource.");
    }
    Ok((start, end - start))
}

/// Get Block List: the blocks that the file was made of, and those that wait for a list.
pub(super) async fn blocks(call: &Call, name: &str) -> Answer {
    call.needs(&[Right::Read])?;
    let kind = call.field("blocklisttype").unwrap_or("committed").to_ascii_lowercase();
    let (with_committed, with_staged) = match kind.as_str() {
        "committed" => (true, false),
        "uncommitted" => (false, true),
        "all" => (true, true),
        _ => return refuse(400, "InvalidQueryParameterValue", "blocklisttype is committed, uncommitted or all."),
    };
    let (container, name) = (call.container.clone(), name.to_owned());
    let (file, committed, staged) = blocking(move || {
        let (file, staged) = (container.find(&name)?, container.pieces(Pieces::Blocks, &name)?);
        if file.is_none() && staged.is_empty() {
            return Err(not_found());
        }
        let committed = file.as_ref().map(|file| container.blocks(file)).transpose()?.unwrap_or_default();
        Ok((file, committed, staged))
    })
    .await?;
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    if with_committed {
        element(&mut xml, "CommittedBlocks", &committed);
    }
    if with_staged {
        element(&mut xml, "UncommittedBlocks", &staged);
    }
    xml.push_str("</BlockList>");
    let found = match file {
        Some(file) => answer(200).of_file(&file).with("x-ms-blob-content-length", file.size.to_string()),
        None => answer(200).with("x-ms-blob-content-length", "0"),
    };
    Ok(found.with("content-type", "application/xml").text(xml))
}

fn element(xml: &mut String, element: &str, blocks: &[Block]) {
    let _ = write!(xml, "<{element}>");
    for (id, bytes) in blocks {
        // Writing to a String cannot fail.
        let _ = write!(xml, "<Block><Name>{}</Name><Size>{bytes}</Size></Block>", escape(&blob::shown(id)));
    }
    let _ = write!(xml, "</{element}>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let part = |range: &str, size| part(range, size).map_err(|refused| refused.0);
        assert_eq!(part("bytes=0-9", 10), Ok((0, 10)));
        assert_eq!(part("bytes=2-3", 10), Ok((2, 2)));
        assert_eq!(part("bytes=2-", 10), Ok((2, 8)));
        assert_eq!(part("bytes=0-33554431", 10), Ok((0, 10)));
        assert_eq!(part("bytes=9-18446744073709551615", 10), Ok((9, 1)));
        assert_eq!(part("bytes=-3", 10), Ok((7, 3)));
        assert_eq!(part("bytes=-30", 10), Ok((0, 10)));
        for beyond in ["bytes=10-", "bytes=10-20", "bytes=-0"] {
            assert_eq!(part(beyond, 10), Err(416), "{beyond}");
        }
        assert_eq!(part("bytes=0-33554431", 0), Err(416));
        for bad in ["", "bytes=", "bytes=-", "bytes=3-2", "bytes=a-b", "0-9", "items=0-9", "bytes=0-1,3-4", "bytes=0-99999999999999999999"]
        {
            assert_eq!(part(bad, 10), Err(400), "{bad}");
        }
    }
}
