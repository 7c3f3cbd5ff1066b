//! A file as chunks of whole lines, in UTF-8, whatever its encoding and its line ends.
//!
//! A record is one physical line. That is what the formats ask for, and it makes reading robust: a
//! quote that is never closed spoils its own record and not the rest of the file. It also lets a
//! file be cut at any line end, so that chunks can be checked side by side.

use crate::fields::{is_rest_of_value, leaves_value_open};
use crate::limits::LINE_BYTES_MAX;
use encoding_rs::{Decoder, DecoderResult, Encoding};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

/// What is read at a time to find the header or the end of a line that is too long.
const HEADER_BYTES: usize = 64 * 1024;
/// What is read at a time to see whether a file is UTF-8.
const LOOK_BYTES: usize = 256 * 1024;
/// What is kept of the beginning of a file: a byte order mark and the signatures of what is no text are not longer.
const START_BYTES: usize = 4;

/// What stands where bytes of a file mean nothing in its encoding: it is in no UTF-8 text.
pub(crate) const DAMAGE: u8 = 0xff;

/// Whole lines of a file.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// UTF-8, as far as the file is good.
    pub(crate) bytes: Vec<u8>,
    /// Number of the first line, counted from 1.
    pub(crate) line: u64,
    /// Byte offset of the first line in the (decoded) file.
    pub(crate) offset: u64,
    /// Whether a value is still open from the line before.
    pub(crate) open: bool,
    /// Whether the file had to be decoded: then [`DAMAGE`] marks what could not be.
    pub(crate) decoded: bool,
}

/// Reads a file in chunks.
pub(crate) struct Chunks {
    input: Input,
    /// Read and not given yet.
    rest: Vec<u8>,
    line: u64,
    offset: u64,
    open: bool,
    chunk_bytes: usize,
    /// Whether the file is UTF-16.
    pub(crate) utf16: bool,
    /// The first bytes of the file, as they are.
    pub(crate) start: Vec<u8>,
}

impl Chunks {
    /// Opens a file. What it shows outweighs the encoding that is named for a whole export: a byte order mark, and text
    /// that is UTF-8 from its beginning to its end, which text beyond ASCII in another encoding is next to never.
    pub(crate) fn open(path: &Path, encoding: Option<&'static Encoding>, chunk_bytes: usize) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut start = Vec::new();
        file.by_ref().take(START_BYTES as u64).read_to_end(&mut start)?;
        let first = start.clone();
        let (found, mark) = Encoding::for_bom(&start).map_or((None, 0), |(encoding, bytes)| (Some(encoding), bytes));
        let utf16 = found.is_some_and(|encoding| encoding != encoding_rs::UTF_8);
        start.drain(..mark);
        let encoding = match found {
            None if encoding.is_some_and(Encoding::is_ascii_compatible) && is_utf8(&mut file, start.len() as u64)? => None,
            None => encoding,
            found => found,
        };
        let decoder = encoding.filter(|encoding| *encoding != encoding_rs::UTF_8).map(Encoding::new_decoder_without_bom_handling);
        let (raw, rest) = if decoder.is_some() { (start, Vec::new()) } else { (Vec::new(), start) };
        let input = Input { file, decoder, raw, ended: false };
        Ok(Self { input, rest, line: 1, offset: 0, open: false, chunk_bytes, utf16, start: first })
    }

    /// The first line without its end; `None` when there is none, it is longer than a line can be, or it
    /// could not be decoded.
    pub(crate) fn header(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some((stop, next)) = first_line(&self.rest, self.input.ended) {
                let mut line: Vec<u8> = self.rest.drain(..next).collect();
                line.truncate(stop);
                self.line += 1;
                self.offset += next as u64;
                let damaged = self.input.decoder.is_some() && line.contains(&DAMAGE);
                return Ok((!damaged).then_some(line));
            }
            if self.input.ended || self.rest.len() > LINE_BYTES_MAX {
                return Ok(None);
            }
            self.input.read(&mut self.rest, HEADER_BYTES.min(self.chunk_bytes))?;
        }
    }

    /// The next chunk, in a buffer that is used again; `None` at the end of the file.
    pub(crate) fn next(&mut self, mut bytes: Vec<u8>) -> io::Result<Option<Chunk>> {
        bytes.clear();
        bytes.append(&mut self.rest);
        let mut wanted = self.chunk_bytes;
        let (length, given) = loop {
            if bytes.len() < wanted && !self.input.ended {
                let more = wanted - bytes.len();
                self.input.read(&mut bytes, more)?;
            }
            if let Some(end) = last_line_end(&bytes, self.input.ended) {
                self.rest.extend_from_slice(&bytes[end..]);
                bytes.truncate(end);
                break (end, lines_in(&bytes));
            }
            if self.input.ended {
                if bytes.is_empty() {
                    return Ok(None);
                }
                break (bytes.len(), lines_in(&bytes) + u64::from(!ends_line(&bytes)));
            }
            if bytes.len() > LINE_BYTES_MAX {
                break (self.skip_line(&mut bytes)?, 1);
            }
            wanted = bytes.len() * 2 + self.chunk_bytes;
        };
        let chunk = Chunk { line: self.line, offset: self.offset, open: self.open, decoded: self.input.decoder.is_some(), bytes };
        self.open = open_after(&chunk.bytes, self.open);
        self.line += given;
        self.offset += length as u64;
        Ok(Some(chunk))
    }

    /// Forgets a line that is longer than any can be, and keeps what shows that it is. Gives its
    /// true length with its end.
    fn skip_line(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        let mut length = 0;
        loop {
            if let Some((_, next)) = first_line(bytes, self.input.ended) {
                length += next;
                self.rest.extend_from_slice(&bytes[next..]);
                break;
            }
            // A CR at the very end may be half of a CRLF.
            let kept = usize::from(bytes.last() == Some(&b'\r'));
            length += bytes.len() - kept;
            bytes.drain(..bytes.len() - kept);
            if self.input.ended {
                break;
            }
            self.input.read(bytes, self.chunk_bytes.max(HEADER_BYTES))?;
        }
        bytes.clear();
        bytes.resize(LINE_BYTES_MAX + 1, b' ');
        bytes.push(b'\n');
        Ok(length)
    }
}

/// A file that gives UTF-8.
struct Input {
    file: File,
    decoder: Option<Decoder>,
    raw: Vec<u8>,
    ended: bool,
}

impl Input {
    /// Appends about so many bytes, and at least one unless the file has ended.
    fn read(&mut self, out: &mut Vec<u8>, wanted: usize) -> io::Result<()> {
        let wanted = wanted.max(1);
        let Some(decoder) = &mut self.decoder else {
            self.ended = self.file.by_ref().take(wanted as u64).read_to_end(out)? < wanted;
            return Ok(());
        };
        let before = out.len();
        while out.len() == before && !self.ended {
            self.ended = self.file.by_ref().take(wanted as u64).read_to_end(&mut self.raw)? < wanted;
            decode(decoder, &self.raw, self.ended, out);
            self.raw.clear();
        }
        Ok(())
    }
}

/// Whether all of a file is UTF-8; it is read on from `next` afterwards. Most that is not shows it soon.
fn is_utf8(file: &mut File, next: u64) -> io::Result<bool> {
    file.rewind()?;
    let mut bytes = Vec::with_capacity(LOOK_BYTES);
    let answer = loop {
        let ended = file.by_ref().take((LOOK_BYTES - bytes.len()) as u64).read_to_end(&mut bytes)? == 0;
        match simdutf8::compat::from_utf8(&bytes) {
            Ok(_) if ended => break true,
            Ok(_) => bytes.clear(),
            // The last character may go on in what is read next.
            Err(error) if error.error_len().is_none() && !ended => drop(bytes.drain(..error.valid_up_to())),
            Err(_) => break false,
        }
    };
    file.seek(io::SeekFrom::Start(next))?;
    Ok(answer)
}

/// Decodes all of the bytes; a sequence that is cut at their end is kept in the decoder.
fn decode(decoder: &mut Decoder, mut raw: &[u8], last: bool, out: &mut Vec<u8>) {
    loop {
        let start = out.len();
        // Enough for any encoding; and when it is not, the decoder says so and goes on.
        out.resize(start + raw.len() * 3 + 16, 0);
        let (result, read, written) = decoder.decode_to_utf8_without_replacement(raw, &mut out[start..], last);
        out.truncate(start + written);
        raw = &raw[read..];
        match result {
            DecoderResult::InputEmpty => return,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => out.push(DAMAGE),
        }
    }
}

/// End of the first line, and start of the one after it; `None` when the end cannot be seen yet.
pub(crate) fn first_line(bytes: &[u8], all: bool) -> Option<(usize, usize)> {
    match memchr::memchr2(b'\n', b'\r', bytes) {
        // A CR at the very end may be half of a CRLF.
        Some(stop) if bytes[stop] == b'\r' && stop + 1 == bytes.len() && !all => None,
        Some(stop) => Some((stop, stop + 1 + usize::from(bytes[stop..].starts_with(b"\r\n")))),
        None => (all && !bytes.is_empty()).then_some((bytes.len(), bytes.len())),
    }
}

fn ends_line(bytes: &[u8]) -> bool {
    matches!(bytes.last(), Some(b'\n' | b'\r'))
}

/// Where the last whole line ends.
fn last_line_end(bytes: &[u8], all: bool) -> Option<usize> {
    if all {
        // Also a last line without an end is a line; it is whole.
        return (!bytes.is_empty() && ends_line(bytes)).then_some(bytes.len());
    }
    let sure = bytes.len() - usize::from(bytes.last() == Some(&b'\r'));
    memchr::memrchr2(b'\n', b'\r', &bytes[..sure]).map(|at| at + 1)
}

/// Number of line ends: LF, CRLF or CR.
fn lines_in(bytes: &[u8]) -> u64 {
    let feeds = memchr::memchr_iter(b'\n', bytes).count();
    let returns = memchr::memchr_iter(b'\r', bytes).filter(|at| bytes.get(at + 1) != Some(&b'\n')).count();
    (feeds + returns) as u64
}

/// Whether a value is open after these lines, which only those after the last good line can say.
fn open_after(bytes: &[u8], open: bool) -> bool {
    let (mut from, mut state) = (bytes.len(), open);
    while from > 0 {
        let stop = from - usize::from(ends_line(&bytes[..from]));
        let start = memchr::memrchr2(b'\n', b'\r', &bytes[..stop]).map_or(0, |at| at + 1);
        if start < stop && !leaves_value_open(&bytes[start..stop]) {
            state = false;
            break;
        }
        from = start;
    }
    let mut rest = &bytes[from..];
    while let Some((stop, next)) = first_line(rest, true) {
        state = open_after_line(&rest[..stop], state);
        rest = &rest[next..];
    }
    state
}

/// Whether a value is open after a line.
fn open_after_line(line: &[u8], open: bool) -> bool {
    if line.is_empty() { open } else { leaves_value_open(line) && !(open && is_rest_of_value(line)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lines by chunks of some size, each with its number and offset.
    fn lines(bytes: &[u8], chunk_bytes: usize) -> Vec<(u64, u64, String)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut chunks = Chunks::open(file.path(), None, chunk_bytes).unwrap();
        let mut out = Vec::new();
        while let Some(chunk) = chunks.next(Vec::new()).unwrap() {
            let (mut rest, mut line, mut offset) = (chunk.bytes.as_slice(), chunk.line, chunk.offset);
            while let Some((stop, next)) = first_line(rest, true) {
                let text = if stop > LINE_BYTES_MAX { "<too long>".into() } else { String::from_utf8_lossy(&rest[..stop]) };
                out.push((line, offset, text.into_owned()));
                (rest, line, offset) = (&rest[next..], line + 1, offset + next as u64);
            }
        }
        out
    }

    fn texts(bytes: &[u8]) -> Vec<String> {
        lines(bytes, 1 << 20).into_iter().map(|(_, _, text)| text).collect()
    }

    #[test]
    fn any_end_of_line_and_a_byte_order_mark() {
        assert_eq!(texts(b"\xef\xbb\xbfa,b\r\nc\rd\n\ne"), ["a,b", "c", "d", "", "e"]);
        assert_eq!(texts(b""), Vec::<String>::new());
        assert_eq!(texts(b"a\n"), ["a"]);
        assert_eq!(texts(b"a\r"), ["a"]);
    }

    #[test]
    fn utf16_is_read_by_its_mark_and_damage_is_marked() {
        let utf16 = |text: &str| [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect::<Vec<_>>();
        assert_eq!(texts(&utf16("ä,b\nc")), ["ä,b", "c"]);
        assert_eq!(texts(&[utf16("a\nb"), vec![b'c']].concat()), ["a", "b\u{fffd}"], "the file ends amid a character");
        assert_eq!(texts(&[0xff, 0xfe, b'a']), ["\u{fffd}"]);
    }

    /// An export may have files of several encodings; the one that is named is for those that need it.
    #[test]
    fn a_named_encoding_is_for_files_that_are_not_utf8() {
        let read = |bytes: &[u8], encoding: &'static Encoding| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), bytes).unwrap();
            let mut chunks = Chunks::open(file.path(), Some(encoding), 1 << 20).unwrap();
            let chunk = chunks.next(Vec::new()).unwrap().unwrap();
            assert!(chunks.next(chunk.bytes.clone()).unwrap().is_none());
            String::from_utf8(chunk.bytes).unwrap()
        };
        let western = |bytes: &[u8]| read(bytes, encoding_rs::WINDOWS_1252);
        assert_eq!(western(b"Jos\xe9\n"), "José\n");
        assert_eq!(western("José\n".as_bytes()), "José\n");
        assert_eq!(western("José\n".as_bytes().split_last().unwrap().1), "José", "it ends with a whole character");
        assert_eq!(western(b"Jos\xc3"), "JosÃ", "and this one amid a character of UTF-8");
        assert_eq!(western(b"Jos\xc3\xa9\nJos\xe9\n"), "JosÃ©\nJosé\n", "one row in it is enough");
        // Characters on either side of what is read at a time.
        for before in LOOK_BYTES - 3..=LOOK_BYTES + 1 {
            let text = "x".repeat(before) + "€ and é\n";
            assert_eq!(western(text.as_bytes()), text);
            let late = [text.as_bytes(), b"\xe9\n"].concat();
            assert!(western(&late).ends_with("â‚¬ and Ã©\né\n"), "{before}");
        }
        // Every byte of it is ASCII, and still it is not UTF-8.
        let wide: Vec<u8> = "ab\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&wide, encoding_rs::UTF_16LE), "ab\n");
    }

    #[test]
    fn a_header_that_cannot_be_decoded_is_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (bytes, header) in [(&b"\xff\xfe\xff"[..], None), (b"\xff\xfea\0", Some(b"a".to_vec())), (b"a\xff\n", Some(b"a\xff".to_vec()))]
        {
            std::fs::write(file.path(), bytes).unwrap();
            assert_eq!(Chunks::open(file.path(), None, 10).unwrap().header().unwrap(), header, "{bytes:?}");
        }
    }

    #[test]
    fn a_line_beyond_the_limit_spoils_only_itself() {
        for end in ["\n", "\r\n", "\r"] {
            let long = "x".repeat(LINE_BYTES_MAX * 2);
            let text = format!("a{end}{long}{end}b{end}");
            let after = (text.len() - 1 - end.len()) as u64;
            for chunk_bytes in [100, 1000, 1 << 20, 1 << 23] {
                let read = lines(text.as_bytes(), chunk_bytes);
                assert_eq!(read.iter().map(|line| line.2.as_str()).collect::<Vec<_>>(), ["a", "<too long>", "b"]);
                assert_eq!((read[2].0, read[2].1), (3, after));
            }
        }
    }

    proptest! {
        #[test]
        fn chunks_of_any_size_are_the_same_lines(text in "[ab,\"\\r\\n]{0,60}", size in 1..20_usize) {
            prop_assert_eq!(lines(text.as_bytes(), size), lines(text.as_bytes(), 1 << 20));
        }

        #[test]
        fn what_is_open_at_a_cut_is_what_the_lines_say(text in "[a,\"\\n]{0,40}", open: bool) {
            let expected = text.split('\n').fold(open, |open, line| open_after_line(line.as_bytes(), open));
            prop_assert_eq!(open_after(text.as_bytes(), open), expected);
        }
    }
}
