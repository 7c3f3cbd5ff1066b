//! Lines and fields of a CSV file: RFC 4180 without line breaks inside values.
//!
//! A record is one physical line. That is what the format asks for, and it makes reading robust: a
//! quote that is never closed spoils its own record and not the rest of the file.

use crate::limits::LINE_BYTES_MAX;
use encoding_rs::{Decoder, Encoding};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const CHUNK_BYTES: usize = 256 * 1024;

/// Reads a file line by line.
pub(crate) struct Lines {
    file: Decoding,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Lines given so far.
    number: u64,
    /// Byte offset of the next line in the (decoded) file.
    next_offset: u64,
    finished: bool,
    /// Whether the file is UTF-16.
    pub(crate) utf16: bool,
}

/// What a decoder puts in the place of bytes that mean nothing.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// A file that gives UTF-8, whatever its byte order mark says it is.
struct Decoding {
    file: File,
    decoder: Option<Decoder>,
    raw: Vec<u8>,
    decoded: String,
    given: usize,
    /// Whether the decoder has met bytes that mean nothing in its encoding.
    malformed: bool,
    /// Whether the decoder has been told of the end, after which it must not be asked again.
    ended: bool,
}

impl Decoding {
    fn open(path: &Path, encoding: Option<&'static Encoding>) -> io::Result<(Self, Vec<u8>, bool)> {
        let mut file = File::open(path)?;
        let mut mark = vec![0; 3];
        let mut have = 0;
        while have < 3 {
            match file.read(&mut mark[have..])? {
                0 => break,
                n => have += n,
            }
        }
        mark.truncate(have);
        let (found, skip) = Encoding::for_bom(&mark).map_or((None, 0), |(e, n)| (Some(e), n));
        let utf16 = found.is_some_and(|e| e != encoding_rs::UTF_8);
        let rest = mark.split_off(skip);
        let chosen = found.or(encoding).filter(|e| *e != encoding_rs::UTF_8);
        let mut this = Self {
            file,
            decoder: chosen.map(Encoding::new_decoder_without_bom_handling),
            raw: Vec::new(),
            decoded: String::new(),
            malformed: false,
            ended: false,
            given: 0,
        };
        if this.decoder.is_some() {
            this.raw = rest;
            return Ok((this, Vec::new(), utf16));
        }
        Ok((this, rest, utf16))
    }

    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Some(decoder) = &mut self.decoder else { return self.file.read(out) };
        while self.given == self.decoded.len() {
            if self.ended {
                return Ok(0);
            }
            self.decoded.clear();
            self.given = 0;
            let kept = self.raw.len();
            self.raw.resize(kept + CHUNK_BYTES, 0);
            let n = self.file.read(&mut self.raw[kept..])?;
            self.raw.truncate(kept + n);
            let last = n == 0;
            self.decoded.reserve(self.raw.len() * 3 + 16);
            let (result, used, malformed) = decoder.decode_to_string(&self.raw, &mut self.decoded, last);
            self.malformed |= malformed;
            self.ended = last && result == encoding_rs::CoderResult::InputEmpty;
            self.raw.drain(..used);
        }
        let n = out.len().min(self.decoded.len() - self.given);
        out[..n].copy_from_slice(&self.decoded.as_bytes()[self.given..self.given + n]);
        self.given += n;
        Ok(n)
    }
}

/// A line, or what kept it from being one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    Text(&'a [u8]),
    TooLong,
    /// Bytes that mean nothing in the encoding of the file stand here, counted from the line's start
    /// in the decoded text.
    Damaged(usize),
}

impl Lines {
    pub(crate) fn open(path: &Path, encoding: Option<&'static Encoding>) -> io::Result<Self> {
        let (file, buffer, utf16) = Decoding::open(path, encoding)?;
        let end = buffer.len();
        Ok(Self { file, buffer, start: 0, end, number: 0, next_offset: 0, finished: false, utf16 })
    }

    /// Number and byte offset of the line that [`Lines::next`] will give.
    pub(crate) fn upcoming(&self) -> (u64, u64) {
        (self.number + 1, self.next_offset)
    }

    /// The next line without its end (LF, CRLF or CR); `None` at the end of the file.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let mut searched = 0;
        let mut too_long = false;
        loop {
            if let Some(at) = memchr::memchr2(b'\n', b'\r', &self.buffer[self.start + searched..self.end]) {
                let stop = self.start + searched + at;
                // A CR at the very end of what has been read may be half of a CRLF.
                if self.buffer[stop] == b'\r' && stop + 1 == self.end && !self.finished {
                    searched = stop - self.start;
                    self.fill()?;
                    continue;
                }
                let crlf = self.buffer[stop] == b'\r' && stop + 1 < self.end && self.buffer[stop + 1] == b'\n';
                return Ok(Some(self.give(stop, stop + 1 + usize::from(crlf), too_long)));
            }
            searched = self.end - self.start;
            if searched > LINE_BYTES_MAX {
                // Forget what cannot be used, keep reading to the end of the line.
                too_long = true;
                self.next_offset += searched as u64;
                self.start = self.end;
                searched = 0;
            }
            if self.finished {
                if self.start == self.end && !too_long {
                    return Ok(None);
                }
                let end = self.end;
                return Ok(Some(self.give(end, end, too_long)));
            }
            self.fill()?;
        }
    }

    fn give(&mut self, stop: usize, next: usize, too_long: bool) -> Line<'_> {
        let start = self.start;
        self.number += 1;
        self.next_offset += (next - start) as u64;
        self.start = next;
        if too_long {
            return Line::TooLong;
        }
        let text = &self.buffer[start..stop];
        let damage = if self.file.malformed { memchr::memmem::find(text, REPLACEMENT) } else { None };
        damage.map_or(Line::Text(text), Line::Damaged)
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < self.end + CHUNK_BYTES {
            self.buffer.resize(self.end + CHUNK_BYTES, 0);
        }
        let n = self.file.read(&mut self.buffer[self.end..])?;
        self.end += n;
        self.finished = n == 0;
        Ok(())
    }
}

/// Fields of a line; the buffers are used again for the next line.
#[derive(Default)]
pub(crate) struct Fields {
    text: Vec<u8>,
    ends: Vec<usize>,
}

/// A quote is not closed on its line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OpenQuote;

impl Fields {
    /// Whether a line looks like the rest of a value that was opened on the line before: it has an
    /// odd number of quotes, and the first single one of them closes a field.
    pub(crate) fn is_rest_of_value(line: &[u8]) -> bool {
        if memchr::memchr_iter(b'"', line).count().is_multiple_of(2) {
            return false;
        }
        let mut at = 0;
        while let Some(found) = memchr::memchr(b'"', &line[at..]) {
            match line.get(at + found + 1) {
                Some(b'"') => at += found + 2,
                after => return matches!(after, None | Some(b',')),
            }
        }
        false
    }

    /// Splits a line at commas outside quotes.
    pub(crate) fn split(&mut self, line: &[u8]) -> Result<(), OpenQuote> {
        self.text.clear();
        self.ends.clear();
        let mut rest = line;
        loop {
            if let Some(quoted) = rest.strip_prefix(b"\"") {
                rest = self.quoted(quoted)?;
            } else {
                let end = memchr::memchr(b',', rest).unwrap_or(rest.len());
                self.text.extend_from_slice(&rest[..end]);
                rest = &rest[end..];
            }
            self.ends.push(self.text.len());
            match rest.split_first() {
                Some((b',', after)) => rest = after,
                _ => return Ok(()),
            }
        }
    }

    /// A quoted field; text between its closing quote and the comma is taken as it stands.
    fn quoted<'l>(&mut self, mut rest: &'l [u8]) -> Result<&'l [u8], OpenQuote> {
        loop {
            let end = memchr::memchr(b'"', rest).ok_or(OpenQuote)?;
            self.text.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            match rest.first() {
                Some(b'"') => {
                    self.text.push(b'"');
                    rest = &rest[1..];
                }
                _ => break,
            }
        }
        let end = memchr::memchr(b',', rest).unwrap_or(rest.len());
        self.text.extend_from_slice(&rest[..end]);
        Ok(&rest[end..])
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(bytes: &[u8]) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut lines = Lines::open(file.path(), None).unwrap();
        let mut out = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            match line {
                Line::Text(text) => out.push(String::from_utf8_lossy(text).into_owned()),
                Line::TooLong => out.push("<too long>".to_owned()),
                Line::Damaged(at) => out.push(format!("<damaged {at}>")),
            }
        }
        out
    }

    #[test]
    fn any_end_of_line_and_a_byte_order_mark() {
        assert_eq!(lines(b"\xef\xbb\xbfa,b\r\nc\rd\n\ne"), ["a,b", "c", "d", "", "e"]);
        assert_eq!(lines(b""), Vec::<String>::new());
        assert_eq!(lines(b"a\n"), ["a"]);
    }

    #[test]
    fn utf16_is_read_by_its_mark() {
        let mut bytes = vec![0xff, 0xfe];
        bytes.extend("ä,b\nc".encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(lines(&bytes), ["ä,b", "c"]);
    }

    #[test]
    fn utf16_that_ends_amid_a_character_is_damaged_there() {
        assert_eq!(lines(&[0xff, 0xfe, b'a', 0, b'\n', 0, b'b', 0, b'c']), ["a", "<damaged 1>"]);
        assert_eq!(lines(&[0xff, 0xfe, b'a']), ["<damaged 0>"]);
    }

    #[test]
    fn a_line_beyond_the_limit_spoils_only_itself() {
        let mut bytes = b"a\n".to_vec();
        bytes.extend(std::iter::repeat_n(b'x', LINE_BYTES_MAX * 2));
        bytes.extend(b"\nb\n");
        assert_eq!(lines(&bytes), ["a", "<too long>", "b"]);
    }

    #[test]
    fn an_open_quote_is_told() {
        assert_eq!(Fields::default().split(b"a,\"b"), Err(OpenQuote));
    }

    proptest! {
        #[test]
        fn what_is_written_as_csv_is_read_back(row in proptest::collection::vec("[^\\r\\n]{0,12}", 1..8)) {
            let line: Vec<String> = row.iter().map(|f| format!("\"{}\"", f.replace('"', "\"\""))).collect();
            let mut fields = Fields::default();
            fields.split(line.join(",").as_bytes()).unwrap();
            let read: Vec<String> = (0..fields.len()).map(|i| String::from_utf8(fields.get(i).to_vec()).unwrap()).collect();
            prop_assert_eq!(read, row);
        }
    }
}
