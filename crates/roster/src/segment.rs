//! Snapshot segments: immutable files of records sorted by key.
//!
//! ```text
//! "HRS2"  { klen:u32 plen:u32 key payload }*  end    integers little-endian
//! payload = { len:u32 bytes }*                        one a canonical column, empty = no value
//! end     = ffffffff ffffffff rows:u64 hash:u128      XXH3-128 of all records with their lengths
//! ```
//!
//! The end tells a whole file from one that was cut between two records, and names its content: two
//! segments with the same hash hold the same records.

use crate::stop;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

const MAGIC: &[u8; 4] = b"HRS2";
/// Both lengths of what looks like a record and is the end.
const END: [u8; 8] = [0xff; 8];
const BUFFER_BYTES: usize = 256 * 1024;
/// No record can be longer; a length beyond it means that the file is damaged.
const RECORD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Between the parts of a composite key: sorts before every character that can be part of an id.
pub const KEY_SEPARATOR: u8 = 0x1f;

/// Appends fields to a payload.
pub fn push_field(payload: &mut Vec<u8>, field: &[u8]) {
    payload.extend_from_slice(&(field.len() as u32).to_le_bytes());
    payload.extend_from_slice(field);
}

/// One record, borrowed from the reader.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Key, parts joined by [`KEY_SEPARATOR`].
    pub key: &'a [u8],
    /// Encoded fields.
    pub payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// The key as text.
    pub fn key_text(&self) -> &'a str {
        std::str::from_utf8(self.key).unwrap_or_default()
    }

    /// The field of a column; empty when it has no value.
    pub fn field(&self, index: usize) -> &'a str {
        self.fields().nth(index).unwrap_or_default()
    }

    /// All fields in order.
    pub fn fields(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut rest = self.payload;
        std::iter::from_fn(move || {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let (field, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = after;
            Some(std::str::from_utf8(field).unwrap_or_default())
        })
    }
}

/// Writes a segment that appears whole or not at all. Keys must come in order.
pub struct SegmentWriter {
    out: BufWriter<File>,
    temporary: Temporary,
    path: PathBuf,
    last: Vec<u8>,
    record: Vec<u8>,
    hash: Box<Xxh3>,
    rows: u64,
}

/// A file that is removed unless it has been put in its place.
struct Temporary(Option<PathBuf>);

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // What cannot be removed is written over by the next attempt.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// What a finished segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Number of records.
    pub rows: u64,
    /// XXH3-128 of the records.
    pub hash: u128,
}

impl SegmentWriter {
    /// Starts a segment at a path.
    pub fn create(path: &Path) -> io::Result<Self> {
        let temporary = path.with_extension("part");
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, File::create(&temporary)?);
        out.write_all(MAGIC)?;
        let temporary = Temporary(Some(temporary));
        Ok(Self { out, temporary, path: path.to_owned(), last: Vec::new(), record: Vec::new(), hash: Box::default(), rows: 0 })
    }

    /// Appends a record.
    pub fn push(&mut self, key: &[u8], payload: &[u8]) -> io::Result<()> {
        debug_assert!(self.rows == 0 || self.last.as_slice() < key, "segment keys must be unique and in order");
        self.last.clear();
        self.last.extend_from_slice(key);
        self.rows += 1;
        if self.rows.is_multiple_of(stop::RECORDS) {
            stop::check()?;
        }
        self.record.clear();
        write_record(&mut self.record, key, payload)?;
        self.hash.update(&self.record);
        self.out.write_all(&self.record)
    }

    /// Puts the segment in its place, durable. Gives the number of records.
    pub fn finish(self) -> io::Result<u64> {
        Ok(self.seal()?.rows)
    }

    /// As [`SegmentWriter::finish`], with the hash of the content.
    pub fn seal(mut self) -> io::Result<Sealed> {
        let sealed = Sealed { rows: self.rows, hash: self.hash.digest128() };
        self.out.write_all(&END)?;
        self.out.write_all(&sealed.rows.to_le_bytes())?;
        self.out.write_all(&sealed.hash.to_le_bytes())?;
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        if let Some(temporary) = &self.temporary.0 {
            std::fs::rename(temporary, &self.path)?;
        }
        self.temporary.0 = None;
        Ok(sealed)
    }
}

pub(crate) fn write_record(out: &mut impl Write, key: &[u8], payload: &[u8]) -> io::Result<()> {
    out.write_all(&(key.len() as u32).to_le_bytes())?;
    out.write_all(&(payload.len() as u32).to_le_bytes())?;
    out.write_all(key)?;
    out.write_all(payload)
}

/// Reads a segment from its start.
pub struct SegmentReader {
    input: BufReader<File>,
    bytes: Vec<u8>,
    key_length: usize,
    hash: Box<Xxh3>,
    rows: u64,
    sealed: Option<Sealed>,
}

impl SegmentReader {
    /// Opens a segment.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
        let mut magic = [0; 4];
        input.read_exact(&mut magic)?;
        if &magic != MAGIC {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} is not a roster segment", path.display())));
        }
        Ok(Self { input, bytes: Vec::new(), key_length: 0, hash: Box::default(), rows: 0, sealed: None })
    }

    /// Opens a segment, or nothing when the file is not there.
    pub fn open_if_there(path: &Path) -> io::Result<Option<Self>> {
        match Self::open(path) {
            Ok(reader) => Ok(Some(reader)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The next record; `None` at the end.
    // Lends from the reader, which the trait Iterator cannot.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        Ok(if self.advance()? { Some(self.current()) } else { None })
    }

    /// Reads the next record into place; `false` at the end. A segment whose content is not what was
    /// written is an error there at the latest.
    pub fn advance(&mut self) -> io::Result<bool> {
        if self.sealed.is_some() {
            return Ok(false);
        }
        let mut lengths = [0; END.len()];
        self.input.read_exact(&mut lengths)?;
        if lengths == END {
            self.check_end()?;
            return Ok(false);
        }
        self.key_length = read_body(&mut self.input, lengths, &mut self.bytes)?;
        self.hash.update(&lengths);
        self.hash.update(&self.bytes);
        self.rows += 1;
        if self.rows.is_multiple_of(stop::RECORDS) {
            stop::check()?;
        }
        Ok(true)
    }

    fn check_end(&mut self) -> io::Result<()> {
        let (mut rows, mut hash) = ([0; 8], [0; 16]);
        self.input.read_exact(&mut rows)?;
        self.input.read_exact(&mut hash)?;
        let written = Sealed { rows: u64::from_le_bytes(rows), hash: u128::from_le_bytes(hash) };
        if written != (Sealed { rows: self.rows, hash: self.hash.digest128() }) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the records are not the ones that were written: the file is damaged"));
        }
        self.sealed = Some(written);
        Ok(())
    }

    /// Number of records and hash, once the end has been reached.
    pub fn sealed(&self) -> Option<Sealed> {
        self.sealed
    }

    /// The record read last.
    pub fn current(&self) -> Record<'_> {
        let (key, payload) = self.bytes.split_at(self.key_length);
        Record { key, payload }
    }
}

/// Key and payload into one buffer; gives the key's length.
pub(crate) fn read_record(input: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<Option<usize>> {
    let mut lengths = [0; END.len()];
    let mut have = 0;
    while have < lengths.len() {
        match input.read(&mut lengths[have..])? {
            0 if have == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => have += n,
        }
    }
    read_body(input, lengths, bytes).map(Some)
}

/// What follows the lengths of a record; gives the key's length.
fn read_body(input: &mut impl Read, lengths: [u8; END.len()], bytes: &mut Vec<u8>) -> io::Result<usize> {
    let number = |at: usize| u32::from_le_bytes([lengths[at], lengths[at + 1], lengths[at + 2], lengths[at + 3]]) as usize;
    let (key, payload) = (number(0), number(4));
    if key + payload > RECORD_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a record is longer than any can be: the file is damaged"));
    }
    bytes.resize(key + payload, 0);
    input.read_exact(bytes)?;
    Ok(key)
}

/// What happened to a key between two segments.
#[derive(Debug)]
pub enum Change<'a> {
    /// Only in the newer one.
    Created(Record<'a>),
    /// In both, with other values.
    Changed(Record<'a>, Record<'a>),
    /// In both, the same.
    Unchanged(Record<'a>),
    /// Only in the older one.
    Gone(Record<'a>),
}

/// Walks two segments side by side, in order of key.
pub fn diff<E: From<io::Error>>(
    mut older: Option<SegmentReader>,
    mut newer: Option<SegmentReader>,
    mut give: impl FnMut(Change<'_>) -> Result<(), E>,
) -> Result<(), E> {
    fn advance(reader: &mut Option<SegmentReader>) -> io::Result<()> {
        if let Some(open) = reader
            && !open.advance()?
        {
            *reader = None;
        }
        Ok(())
    }
    advance(&mut older)?;
    advance(&mut newer)?;
    loop {
        let ordering = match (&older, &newer) {
            (None, None) => return Ok(()),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(old), Some(new)) => old.current().key.cmp(new.current().key),
        };
        match (ordering, &older, &newer) {
            (std::cmp::Ordering::Less, Some(old), _) => give(Change::Gone(old.current()))?,
            (std::cmp::Ordering::Greater, _, Some(new)) => give(Change::Created(new.current()))?,
            (_, Some(old), Some(new)) if old.current().payload == new.current().payload => give(Change::Unchanged(new.current()))?,
            (_, Some(old), Some(new)) => give(Change::Changed(old.current(), new.current()))?,
            _ => return Ok(()),
        }
        if ordering != std::cmp::Ordering::Greater {
            advance(&mut older)?;
        }
        if ordering != std::cmp::Ordering::Less {
            advance(&mut newer)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn write(path: &Path, records: &BTreeMap<String, String>) {
        let mut writer = SegmentWriter::create(path).unwrap();
        for (key, value) in records {
            let mut payload = Vec::new();
            push_field(&mut payload, value.as_bytes());
            writer.push(key.as_bytes(), &payload).unwrap();
        }
        writer.finish().unwrap();
    }

    /// Few keys and fewer values, so that two sets have many in common.
    fn records() -> impl Strategy<Value = BTreeMap<String, String>> {
        proptest::collection::btree_map("[ab\u{e9}]{0,3}", "[xy]{0,1}", 0..24)
    }

    proptest! {
        #[test]
        fn a_diff_says_what_a_map_would_say(old in records(), new in records()) {
            let dir = tempfile::tempdir().unwrap();
            write(&dir.path().join("a.seg"), &old);
            write(&dir.path().join("b.seg"), &new);
            let (mut created, mut changed, mut gone, mut unchanged) = (0, 0, 0, 0);
            diff::<io::Error>(SegmentReader::open_if_there(&dir.path().join("a.seg"))?, SegmentReader::open_if_there(&dir.path().join("b.seg"))?, |change| {
                match change {
                    Change::Created(r) => { created += 1; assert_eq!(r.field(0), new[r.key_text()]); }
                    Change::Changed(_, r) => { changed += 1; assert_eq!(r.field(0), new[r.key_text()]); }
                    Change::Unchanged(r) => { unchanged += 1; assert_eq!(old[r.key_text()], new[r.key_text()]); }
                    Change::Gone(r) => { gone += 1; assert!(!new.contains_key(r.key_text())); }
                }
                Ok(())
            })?;
            prop_assert_eq!(created + changed + unchanged, new.len());
            prop_assert_eq!(gone + changed + unchanged, old.len());
            prop_assert_eq!(created, new.keys().filter(|k| !old.contains_key(*k)).count());
        }
    }

    fn read_all(path: &Path) -> io::Result<Sealed> {
        let mut reader = SegmentReader::open(path)?;
        while reader.advance()? {}
        assert!(!reader.advance()?, "the end stays the end");
        reader.sealed().ok_or_else(|| io::ErrorKind::Other.into())
    }

    #[test]
    fn the_hash_names_the_content_and_every_cut_or_changed_byte_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let records: BTreeMap<String, String> = (0..5).map(|n| (format!("k{n}"), format!("v{n}"))).collect();
        let (path, again) = (dir.path().join("a.seg"), dir.path().join("b.seg"));
        write(&path, &records);
        write(&again, &records);
        let sealed = read_all(&path).unwrap();
        assert_eq!((sealed.rows, sealed), (5, read_all(&again).unwrap()));
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            std::fs::write(&again, &bytes[..at]).unwrap();
            assert!(read_all(&again).is_err(), "cut at {at}");
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            std::fs::write(&again, &changed).unwrap();
            assert!(read_all(&again).is_err(), "changed at {at}");
        }
    }

    #[test]
    fn a_segment_that_is_not_finished_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = SegmentWriter::create(&dir.path().join("a.seg")).unwrap();
        writer.push(b"k", b"").unwrap();
        drop(writer);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_file_is_an_error_not_a_panic() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.seg");
        for damaged in [&b"HRS2\xff\xff\xff\xff\xfe\xff\xff\xff"[..], b"HRS2\x01\x00", b"HRS2"] {
            std::fs::write(&path, damaged).unwrap();
            assert!(SegmentReader::open(&path).unwrap().next().is_err());
        }
        std::fs::write(&path, b"nope").unwrap();
        assert!(SegmentReader::open(&path).is_err());
    }
}
