//! Bodies: received whole, as long as announced, with the hashes that were announced.

use super::answer::{Refused, UploadResponse, refuse};
use super::call::Call;
use super::{BodyStream, headers, structured};
use crate::files::Temporary;
use crate::usage::Reservation;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crc::{Crc, Digest, Table};
use futures_util::StreamExt as _;
use md5::{Digest as _, Md5};
use tokio::io::AsyncWriteExt as _;

/// Azure Storage's CRC-64: that of NVMe, <https://reveng.sourceforge.io/crc-catalogue/all.htm#crc.cat.crc-64-nvme>.
pub(super) static CRC64: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&crc::CRC_64_NVME);
/// What is gathered before it is written: large enough that a thread is woken seldom, small beside a file.
const WRITE_BYTES: usize = 256 * 1024;

/// What was announced about a body, and what has come so far.
struct Check {
    announced: u64,
    received: u64,
    /// Bytes of the content: announced, and so far. Those of the body, unless it is structured.
    content: u64,
    taken: u64,
    md5: Option<Md5>,
    /// Announced hashes of the content.
    md5s: Vec<[u8; 16]>,
    crc: Option<(Digest<'static, u64, Table<16>>, u64)>,
    structured: Option<structured::Decoder>,
}

/// What has arrived.
pub(super) struct Arrived {
    pub(super) file: Temporary,
    pub(super) bytes: u64,
    /// MD5, when it was asked for or announced.
    pub(super) md5: Option<String>,
    /// Room for it, until it is in its place.
    pub(super) room: Reservation,
}

/// How a body is to be received.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'w> {
    /// Largest content, bytes.
    pub(super) most: u64,
    /// Headers that may announce its MD5.
    pub(super) md5s: &'static [&'static str],
    /// Calculate the MD5 also when none was announced.
    pub(super) with_md5: bool,
    /// The file that it is a piece of.
    pub(super) piece_of: Option<(crate::files::Pieces, &'w str)>,
}

impl Check {
    /// Reads the announcement. `most`: the largest body.
    fn new(call: &Call, most: u64, md5s: &[&'static str], with_md5: bool) -> Result<Self, Refused> {
        let announced =
            length(call)?.ok_or_else(|| Refused(411, "MissingContentLengthHeader", "Content-Length was not specified.".to_owned()))?;
        let structured = structured_length(call)?;
        let content = structured.unwrap_or(announced);
        if content > most {
            return refuse(413, "RequestBodyTooLarge", format!("{most} bytes are the most that can be taken here."));
        }
        let mut announced_md5s = Vec::new();
        for name in md5s {
            if let Some(text) = call.header(name)? {
                announced_md5s.push(headers::read_md5(text, name)?);
            }
        }
        let crc = call.header("x-ms-content-crc64")?.map(read_crc).transpose()?;
        Ok(Self {
            announced,
            received: 0,
            content,
            taken: 0,
            md5: (with_md5 || !announced_md5s.is_empty()).then(Md5::new),
            md5s: announced_md5s,
            crc: crc.map(|announced| (CRC64.digest(), announced)),
            structured: structured.map(|_| structured::Decoder::new(announced)),
        })
    }

    /// The content in a chunk of the body.
    fn take(&mut self, chunk: std::io::Result<Bytes>) -> Result<Vec<Bytes>, Refused> {
        let chunk = chunk.map_err(|_| incomplete())?;
        self.received += chunk.len() as u64;
        if self.received > self.announced {
            return Err(incomplete());
        }
        let mut content = Vec::new();
        match &mut self.structured {
            Some(decoder) => decoder.feed(chunk, |part| content.push(part))?,
            None => content.push(chunk),
        }
        for part in &content {
            self.taken += part.len() as u64;
            if let Some(md5) = &mut self.md5 {
                md5.update(part);
            }
            if let Some((crc, _)) = &mut self.crc {
                crc.update(part);
            }
        }
        if self.taken > self.content { Err(other_content()) } else { Ok(content) }
    }

    /// The MD5 of all content, after everything was found to be as announced.
    fn finish(self) -> Result<Option<String>, Refused> {
        if self.received != self.announced || self.structured.is_some_and(|decoder| !decoder.is_complete()) {
            return Err(incomplete());
        }
        if self.taken != self.content {
            return Err(other_content());
        }
        if self.crc.is_some_and(|(crc, announced)| crc.finalize() != announced) {
            return Err(crc_mismatch());
        }
        let Some(md5) = self.md5.map(Md5::finalize) else { return Ok(None) };
        if self.md5s.iter().any(|announced| md5[..] != announced[..]) {
            return refuse(
                400,
                "Md5Mismatch",
                "The MD5 value specified in the request did not match with the MD5 value calculated by the server.",
            );
        }
        Ok(Some(STANDARD.encode(md5)))
    }
}

fn read_crc(text: &str) -> Result<u64, Refused> {
    let raw = STANDARD.decode(text).ok().and_then(|raw| raw.try_into().ok());
    let bad = || Refused(400, "InvalidCrc64", "x-ms-content-crc64 is a CRC of 64 bits in base64.".to_owned());
    raw.map(u64::from_le_bytes).ok_or_else(bad)
}

pub(super) fn crc_mismatch() -> Refused {
    let message = "The CRC64 value specified in the request did not match with the CRC64 value calculated by the server.";
    Refused(400, "Crc64Mismatch", message.to_owned())
}

fn other_content() -> Refused {
    Refused(400, "InvalidInput", "x-ms-structured-content-length is not the length of the content.".to_owned())
}

fn incomplete() -> Refused {
    Refused(400, "IncompleteBody", "The body is not as long as Content-Length says.".to_owned())
}

/// The announced length.
fn length(call: &Call) -> Result<Option<u64>, Refused> {
    number(call, "content-length")
}

fn number(call: &Call, name: &str) -> Result<Option<u64>, Refused> {
    let bad = || Refused(400, "InvalidHeaderValue", format!("{name} is a number of bytes."));
    // No sign, which a parser would take.
    let read = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten().ok_or_else(bad);
    call.header(name)?.map(read).transpose()
}

/// The announced length of the content of a structured body; `None` when the body is the content.
fn structured_length(call: &Call) -> Result<Option<u64>, Refused> {
    match call.header("x-ms-structured-body")? {
        None => Ok(None),
        Some(structured::KIND) => {
            let missing = || {
                let message = "x-ms-structured-content-length is required with x-ms-structured-body.";
                Refused(400, "MissingRequiredHeader", message.to_owned())
            };
            number(call, "x-ms-structured-content-length")?.ok_or_else(missing).map(Some)
        }
        Some(_) => refuse(400, "InvalidHeaderValue", format!("x-ms-structured-body can be {}.", structured::KIND)),
    }
}

/// Streams a body into a new file, synced. Room is kept for it before a byte is read.
pub(super) async fn to_file(call: &Call, body: &mut BodyStream, wanted: Wanted<'_>) -> Result<Arrived, Refused> {
    let Wanted { most, md5s, with_md5, piece_of } = wanted;
    let mut check = Check::new(call, most, md5s, with_md5)?;
    let room = call.reserve(check.content, piece_of).await?;
    let (file, temporary) = call.container.temporary()?;
    let mut file = tokio::io::BufWriter::with_capacity(WRITE_BYTES, tokio::fs::File::from_std(file));
    while let Some(chunk) = body.next().await {
        for part in check.take(chunk)? {
            file.write_all(&part).await?;
        }
    }
    let bytes = check.content;
    let md5 = check.finish()?;
    file.flush().await?;
    file.get_ref().sync_all().await?;
    Ok(Arrived { file: temporary, bytes, md5, room })
}

/// Reads a body of at most `most` bytes into memory; gives its MD5, too.
pub(super) async fn to_memory(
    call: &Call,
    body: &mut BodyStream,
    most: u64,
    md5s: &[&'static str],
) -> Result<(Vec<u8>, Option<String>), Refused> {
    let mut check = Check::new(call, most, md5s, true)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        check.take(chunk)?.iter().for_each(|part| bytes.extend_from_slice(part));
    }
    Ok((bytes, check.finish()?))
}

/// Refuses a body where none belongs: a client that sends one believes that it is kept.
pub(super) async fn nothing(call: &Call, body: &mut BodyStream) -> Result<(), Refused> {
    let mut empty = length(call)?.unwrap_or_default() == 0;
    while empty && let Some(chunk) = body.next().await {
        empty = chunk.map_err(|_| incomplete())?.is_empty();
    }
    if empty {
        Ok(())
    } else {
        refuse(400, "ContentLengthMustBeZero", "The Content-Length request header must be zero: append sends the bytes.")
    }
}

/// What the checks of a body add to the answer: the announcements that held, as the SDKs look for them.
pub(super) fn checked(call: &Call, mut answer: UploadResponse) -> Result<UploadResponse, Refused> {
    for name in ["content-md5", "x-ms-content-crc64", "x-ms-structured-body"] {
        if let Some(value) = call.header(name)? {
            answer = answer.with(name, value);
        }
    }
    Ok(answer)
}
