//! Bodies: received whole, as long as announced, with the hash that was announced.

use super::{BodyStream, Call, Refused, refuse};
use crate::files::Temporary;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use md5::{Digest as _, Md5};
use tokio::io::AsyncWriteExt as _;

/// What was announced about a body, and what has come so far.
struct Check {
    announced: u64,
    received: u64,
    md5: Option<(Md5, [u8; 16])>,
}

impl Check {
    /// Reads the announcement. `most`: the largest body; `hashes`: headers that may hold its MD5.
    fn new(call: &Call, most: u64, hashes: &[&str]) -> Result<Self, Refused> {
        let announced =
            length(call)?.ok_or_else(|| Refused(411, "MissingContentLengthHeader", "Content-Length was not specified.".to_owned()))?;
        if announced > most {
            return refuse(413, "RequestBodyTooLarge", format!("{most} bytes are the most that can be taken here."));
        }
        let mut md5 = None;
        for name in hashes {
            if let Some(text) = call.header(name)? {
                let bad = || Refused(400, "InvalidMd5", format!("{name} is an MD5 of 128 bits in base64."));
                md5 = Some((Md5::new(), STANDARD.decode(text).ok().and_then(|raw| raw.try_into().ok()).ok_or_else(bad)?));
                break;
            }
        }
        Ok(Self { announced, received: 0, md5 })
    }

    fn take(&mut self, chunk: std::io::Result<bytes::Bytes>) -> Result<bytes::Bytes, Refused> {
        let chunk = chunk.map_err(|_| incomplete())?;
        self.received += chunk.len() as u64;
        if self.received > self.announced {
            return Err(incomplete());
        }
        if let Some((md5, _)) = &mut self.md5 {
            md5.update(&chunk);
        }
        Ok(chunk)
    }

    fn finish(self) -> Result<u64, Refused> {
        if self.received != self.announced {
            return Err(incomplete());
        }
        if let Some((md5, announced)) = self.md5
            && md5.finalize()[..] != announced
        {
            return refuse(
                400,
                "Md5Mismatch",
                "The MD5 value specified in the request did not match with the MD5 value calculated by the server.",
            );
        }
        Ok(self.received)
    }
}

fn incomplete() -> Refused {
    Refused(400, "IncompleteBody", "The body is not as long as Content-Length says.".to_owned())
}

/// The announced length.
pub(super) fn length(call: &Call) -> Result<Option<u64>, Refused> {
    let bad = |_| Refused(400, "InvalidHeaderValue", "Content-Length is a number of bytes.".to_owned());
    call.header("content-length")?.map(|text| text.parse().map_err(bad)).transpose()
}

/// Streams a body of at most `most` bytes into a new file, synced; gives the number of bytes too.
pub(super) async fn to_file(call: &Call, body: &mut BodyStream, most: u64, hashes: &[&str]) -> Result<(Temporary, u64), Refused> {
    let mut check = Check::new(call, most, hashes)?;
    let (file, temporary) = call.container.temporary()?;
    let mut file = tokio::fs::File::from_std(file);
    while let Some(chunk) = body.next().await {
        file.write_all(&check.take(chunk)?).await?;
    }
    let received = check.finish()?;
    file.flush().await?;
    file.sync_all().await?;
    Ok((temporary, received))
}

/// Reads a body of at most `most` bytes into memory.
pub(super) async fn to_memory(call: &Call, body: &mut BodyStream, most: u64, hashes: &[&str]) -> Result<Vec<u8>, Refused> {
    let mut check = Check::new(call, most, hashes)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&check.take(chunk)?);
    }
    check.finish()?;
    Ok(bytes)
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
