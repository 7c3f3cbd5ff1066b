//! What a file is said to be beside its content: type, metadata, hash, and the blocks it was made of.
//!
//! Kept in a file of its own for each commit, `properties/{name}/{etag}`: whichever commit of a file is
//! the current one, the properties beside it are those of that commit, also after a kill in between.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

/// A block of a committed file: its id in hexadecimal digits, and its bytes.
pub(crate) type Block = (String, u64);

/// Properties of a file. The texts are those of the client, sent back as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Properties {
    /// Seconds since 1970; changes when a file is replaced, not when its properties are set.
    pub(crate) created: i64,
    /// `Content-Type`.
    pub(crate) content_type: Option<String>,
    /// `Content-Encoding`.
    pub(crate) content_encoding: Option<String>,
    /// `Content-Language`.
    pub(crate) content_language: Option<String>,
    /// `Content-Disposition`.
    pub(crate) content_disposition: Option<String>,
    /// `Cache-Control`.
    pub(crate) cache_control: Option<String>,
    /// MD5 of the content in base64: calculated for what came in one piece, else what the client said.
    pub(crate) md5: Option<String>,
    /// `x-ms-meta-…`, names in lower case.
    pub(crate) metadata: BTreeMap<String, String>,
}

/// Writes the file of a commit: the properties in the first line, one line for each block after it.
pub(crate) fn write(mut out: impl Write, properties: &Properties, blocks: &[Block]) -> io::Result<()> {
    serde_json::to_writer(&mut out, properties)?;
    out.write_all(b"\n")?;
    blocks.iter().try_for_each(|(id, bytes)| writeln!(out, "{id} {bytes}"))
}

/// Reads the properties; the blocks after them are left alone.
pub(crate) fn read(mut input: impl BufRead) -> io::Result<Properties> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

/// Reads the blocks.
pub(crate) fn read_blocks(input: impl BufRead) -> io::Result<Vec<Block>> {
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "not a list of blocks");
    let block = |line: io::Result<String>| {
        let line = line?;
        let (id, bytes) = line.split_once(' ').ok_or_else(bad)?;
        Ok((id.to_owned(), bytes.parse().map_err(|_| bad())?))
    };
    input.lines().skip(1).map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let properties = Properties {
            created: 1_795_514_400,
            content_type: Some("text/csv; charset=\"utf-8\"\n".to_owned()),
            metadata: BTreeMap::from([("uploadvia".to_owned(), "PortalUpload".to_owned())]),
            ..Properties::default()
        };
        let blocks = vec![("4d51".to_owned(), 4), ("4d67".to_owned(), 0)];
        let mut file = Vec::new();
        write(&mut file, &properties, &blocks).unwrap();
        assert_eq!(read(file.as_slice()).unwrap(), properties);
        assert_eq!(read_blocks(file.as_slice()).unwrap(), blocks);
        assert!(read_blocks(&b"{}\nbad\n"[..]).is_err());
        assert!(read(&b""[..]).is_err());
    }
}
