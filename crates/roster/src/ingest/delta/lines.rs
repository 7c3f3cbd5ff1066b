//! A file line by line, and records as lines of CSV.

use crate::Source;
use crate::chunks::{Chunk, Chunks, first_line};
use crate::fields::{Fields, control_character};
use crate::limits::{CHUNK_BYTES, LINE_BYTES_MAX};
use crate::stop;
use encoding_rs::Encoding;
use std::io::{self, Write};

/// A file line by line, behind its header.
pub(super) struct Lines {
    /// The columns; none when the first line is no header.
    pub(super) header: Vec<String>,
    chunks: Chunks,
    chunk: Chunk,
    at: usize,
}

impl Lines {
    pub(super) fn open(source: &Source, encoding: Option<&'static Encoding>) -> io::Result<Self> {
        let mut chunks = Chunks::open(&source.path, encoding, CHUNK_BYTES)?;
        let line = chunks.header()?.unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        let mut fields = Fields::default();
        let header = match fields.split(line.as_bytes()) {
            Ok(_) => (0..fields.len()).map(|index| fields.text(&line, index).to_owned()).collect(),
            Err(_) => Vec::new(),
        };
        Ok(Self { header, chunks, chunk: Chunk::default(), at: 0 })
    }

    /// The next line that is not empty, with its number.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        loop {
            let Some((stop, next)) = first_line(&self.chunk.bytes[self.at..], true) else {
                stop::check()?;
                match self.chunks.next(std::mem::take(&mut self.chunk.bytes))? {
                    Some(chunk) => (self.chunk, self.at) = (chunk, 0),
                    None => return Ok(None),
                }
                continue;
            };
            let (start, number) = (self.at, self.chunk.line);
            self.at += next;
            self.chunk.line += 1;
            if stop > 0 {
                return Ok(Some((number, &self.chunk.bytes[start..start + stop])));
            }
        }
    }
}

/// Splits a line that has the shape of a row with so many fields; gives its text.
pub(super) fn row<'l>(line: &'l [u8], width: usize, fields: &mut Fields) -> Option<&'l str> {
    let text = simdutf8::basic::from_utf8(line).ok()?;
    let good = line.len() <= LINE_BYTES_MAX && control_character(line).is_none() && fields.split(line).is_ok() && fields.len() == width;
    good.then_some(text)
}

/// One record as a line of CSV.
pub(super) fn write_row<'v>(out: &mut impl Write, row: impl Iterator<Item = &'v str>) -> io::Result<()> {
    for (index, value) in row.enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        if value.contains(['"', ',']) {
            write!(out, "\"{}\"", value.replace('"', "\"\""))?;
        } else {
            out.write_all(value.as_bytes())?;
        }
    }
    out.write_all(b"\n")
}
