//! Get Blob, Get Blob Properties: so that users can check what they sent.

use super::conditions::Conditions;
use super::{Answer, Call, Refused, UploadResponse, answer, blocking, not_found, refuse};
use crate::{UploadedFile, limits};
use std::io::{Read as _, Seek as _, SeekFrom};

fn described(status: u16, file: &UploadedFile) -> UploadResponse {
    answer(status)
        .of_file(file)
        .with("x-ms-blob-type", "BlockBlob")
        .with("accept-ranges", "bytes")
        .with("content-type", "application/octet-stream")
}

/// Properties; a range makes no difference to them.
pub(super) async fn head(call: &Call, name: &str) -> Answer {
    let (container, name, conditions) = (call.container.clone(), name.to_owned(), Conditions::of(call)?);
    let file = blocking(move || container.find(&name)?.ok_or_else(not_found)).await?;
    if !conditions.allow_read(&file)? {
        return Ok(answer(304).of_file(&file));
    }
    Ok(described(200, &file).with("content-length", file.size.to_string()))
}

/// The content or a range of it.
pub(super) async fn get(call: &Call, name: &str) -> Answer {
    let (container, name, conditions) = (call.container.clone(), name.to_owned(), Conditions::of(call)?);
    // Clients send the first of the two (and some proxies the second along with it).
    let range = match call.header("x-ms-range")? {
        Some(range) => Some(range),
        None => call.header("range")?,
    };
    let range = range.map(str::to_owned);
    blocking(move || {
        let (mut input, file) = container.open(&name)?.ok_or_else(not_found)?;
        if !conditions.allow_read(&file)? {
            return Ok(answer(304).of_file(&file));
        }
        let part = range.map(|range| part(&range, file.size)).transpose()?;
        let (start, length) = part.unwrap_or((0, file.size));
        if length > limits::READ_BYTES_MAX {
            return refuse(400, "InvalidRange", format!("Ask for at most {} bytes at a time, with x-ms-range.", limits::READ_BYTES_MAX));
        }
        input.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        input.take(length).read_to_end(&mut bytes)?;
        Ok(match part {
            Some(_) => {
                described(206, &file).with("content-range", format!("bytes {start}-{}/{}", start + length - 1, file.size)).body(bytes)
            }
            None => described(200, &file).body(bytes),
        })
    })
    .await
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
