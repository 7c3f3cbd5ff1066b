//! The organizations of a set of files.

use roster::segment::SegmentReader;
use roster::{Codes, Entity, Format, IngestError, IngestOptions, Source};
use std::io;

/// Keys of the organizations: a flow set's filter may name them from now on.
pub(crate) fn keys(files: &[Source], format: Option<Format>, codes: &Codes) -> io::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let specs = format.unwrap_or(Format::SdsV21).files();
    // They come first in every format; what comes after them need not be read.
    let mut progress = |file: &str, _| specs.iter().any(|spec| spec.gives.contains(&Entity::Org) && spec.is_named(file));
    let mut options = IngestOptions { format, ..IngestOptions::new(codes, &mut progress) };
    // Whatever is wrong with them, the run will tell.
    match roster::ingest(files, &mut options, folder.path(), &mut |_| Ok(())) {
        Ok(_) | Err(IngestError::Stopped) => {}
        Err(error) => return Err(io::Error::other(error)),
    }
    let mut keys = Vec::new();
    if let Some(mut reader) = SegmentReader::open_if_there(&folder.path().join(Entity::Org.segment()))? {
        while let Some(record) = reader.next()? {
            keys.push(record.key_text().to_owned());
        }
    }
    Ok(keys)
}
