//! Some columns of a file, read before its rows are.

use super::FileSpec;
use crate::Source;
use crate::basic::header;
use crate::chunks::{Chunks, first_line};
use crate::fields::Fields;
use crate::ingest::says;
use crate::limits::CHUNK_BYTES;
use crate::stop;
use encoding_rs::Encoding;
use std::io;

/// Gives some columns of every line that has the shape of a row, unless it says that its record is gone; a
/// column that the file lacks is empty.
/// What is wrong with the file or with a line is left to the reading proper to say; here the answer is only whether
/// that was all of them.
pub(super) fn rows<const N: usize>(
    spec: &'static FileSpec,
    files: &[Source],
    encoding: Option<&'static Encoding>,
    columns: [usize; N],
    mut take: impl FnMut([&str; N]),
) -> io::Result<bool> {
    let Some(source) = files.iter().find(|file| spec.is_named(&file.name)) else { return Ok(false) };
    let Ok(mut chunks) = Chunks::open(&source.path, encoding, CHUNK_BYTES) else { return Ok(false) };
    let Some(header) = header(spec, &source.name, &mut chunks, &mut Vec::new()) else { return Ok(false) };
    let mut all = true;
    let position = |column: usize| header.columns[column].map(|(position, _)| position);
    let (places, gone) = (columns.map(position), spec.gone.and_then(|(column, word)| Some((position(column)?, word))));
    let (mut fields, mut buffer) = (Fields::default(), Vec::new());
    while let Some(chunk) = chunks.next(std::mem::take(&mut buffer))? {
        // Most chunks are text through and through, and many have no quotes.
        let text = simdutf8::basic::from_utf8(&chunk.bytes).ok();
        let quotes = memchr::memchr(b'"', &chunk.bytes).is_some();
        let mut start = 0;
        while let Some((stop, next)) = first_line(&chunk.bytes[start..], true) {
            let bytes = &chunk.bytes[start..start + stop];
            let line = text.map_or_else(|| std::str::from_utf8(bytes).ok(), |text| Some(&text[start..start + stop]));
            start += next;
            if let Some(line) = line
                && split(&mut fields, line, quotes)
                && fields.len() == header.width
            {
                if gone.is_none_or(|(status, word)| !says(fields.text(line, status), word)) {
                    take(places.map(|place| place.map_or("", |position| fields.text(line, position))));
                }
            } else {
                all &= stop == 0;
            }
        }
        buffer = chunk.bytes;
        stop::check()?;
    }
    Ok(all)
}

/// Splits a line, which may have quotes; `false` when one of them is left open.
fn split(fields: &mut Fields, line: &str, quotes: bool) -> bool {
    if quotes {
        return fields.split(line.as_bytes()).is_ok();
    }
    fields.split_plain(line.as_bytes());
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;

    /// Id and name of each organization in a file, and whether that was all of them.
    fn orgs(rows: &[u8]) -> (Vec<(String, String)>, bool) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orgs.csv");
        std::fs::write(&path, [b"sourcedId,status,dateLastModified,name,type\n", rows].concat()).unwrap();
        let files = [Source { name: "orgs.csv".to_owned(), path }];
        let mut found = Vec::new();
        let take = |[id, name]: [&str; 2]| found.push((id.to_owned(), name.to_owned()));
        let all = super::rows(&Format::OneRoster11.files()[0], &files, None, [0, 3], take).unwrap();
        (found, all)
    }

    #[test]
    fn rows_are_given_as_they_are_meant_and_lost_ones_are_noticed() {
        let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned())).collect::<Vec<_>>();
        let plain = b"A,,,North,school\n\nB,ToBeDeleted ,,South,school\nC,,,\xc3\x89cole,school";
        assert_eq!(orgs(plain), (pairs(&[("A", "North"), ("C", "École")]), true));
        let quoted = b"A,,,\"North, \"\"Old\"\"\",school\n\"B\",,,South,school\n";
        assert_eq!(orgs(quoted), (pairs(&[("A", "North, \"Old\""), ("B", "South")]), true));
        for lost in [&b"B,,,South\n"[..], b"B,,,S\xfcd,school\n", b"B,,,\"South,school\n"] {
            let rows = [b"A,,,North,school\n", lost, b"C,,,\"West\",school\n"].concat();
            assert_eq!(orgs(&rows), (pairs(&[("A", "North"), ("C", "West")]), false), "{}", lost.escape_ascii());
        }
    }
}
