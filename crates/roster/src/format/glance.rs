//! Some columns of a file, read before its rows are.

use super::FileSpec;
use crate::Source;
use crate::basic::header;
use crate::chunks::{Chunks, first_line};
use crate::fields::Fields;
use crate::limits::CHUNK_BYTES;
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
        let mut rest = chunk.bytes.as_slice();
        while let Some((stop, next)) = first_line(rest, true) {
            if let Ok(line) = simdutf8::basic::from_utf8(&rest[..stop])
                && fields.split(line.as_bytes()).is_ok()
                && fields.len() == header.width
            {
                if gone.is_none_or(|(status, word)| !fields.text(line, status).trim().eq_ignore_ascii_case(word)) {
                    take(places.map(|place| place.map_or("", |position| fields.text(line, position))));
                }
            } else {
                all &= stop == 0;
            }
            rest = &rest[next..];
        }
        buffer = chunk.bytes;
    }
    Ok(all)
}
