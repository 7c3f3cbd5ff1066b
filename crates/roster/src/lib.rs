//! Rosters: reading an export, checking every row, and keeping the result as sorted snapshots.
//!
//! Everything streams. A file is read line by line, each row is checked on its own and against the
//! keys of the files before it, and goes into an external sort that finds duplicates and writes the
//! snapshot. Memory is a sort buffer and one hash a key, whatever the size of the files.

pub mod archive;
mod basic;
mod check;
mod codes;
pub mod demo;
mod finding;
pub mod generate;
mod ingest;
mod keys;
mod lines;
mod model;
mod names;
pub mod report;
pub mod segment;
mod sort;
#[cfg(test)]
mod testing;

pub use basic::{BasicReport, basic_validate};
pub use codes::{CodeList, Codes};
pub use finding::{CATALOGUE, CatalogueEntry, Finding, Severity};
pub use ingest::{FileReport, IngestError, IngestOptions, IngestReport, MANIFEST, SegmentReport, ingest};
pub use model::{Column, Entity, Kind};

use std::io;
use std::path::{Path, PathBuf};

/// One file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name, for example `users.csv`.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
}

impl Source {
    /// The files of a folder by name, or the one file that the path names. Folders inside are passed over.
    ///
    /// # Errors
    /// When the path cannot be read.
    pub fn list(path: &Path) -> io::Result<Vec<Self>> {
        if path.is_file() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Ok(vec![Self { name, path: path.to_owned() }]);
        }
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            if entry.path().is_file() {
                files.push(Self { name: entry.file_name().to_string_lossy().into_owned(), path: entry.path() });
            }
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }
}

/// Limits on what a file may hold, each with its reason.
pub mod limits {
    /// A line. The longest real one, a class with hundreds of sessions, has some 10 KiB.
    pub const LINE_BYTES_MAX: usize = 1024 * 1024;
    /// Columns of a header.
    pub const COLUMNS_MAX: usize = 256;
    /// Bytes of one run of the external sort: what memory an ingest takes beside its keys.
    pub const SORT_BUFFER_BYTES: usize = 48 * 1024 * 1024;
    /// Characters of a value repeated in a finding.
    pub const VALUE_CHARACTERS_MAX: usize = 120;
}
