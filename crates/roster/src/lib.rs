//! Rosters: reading an export, checking every row, and keeping the result as sorted snapshots.
//!
//! A [`format::Format`] is a table of source files. Files are read in order of dependency and in
//! chunks, side by side; each row is checked on its own and against the keys of the files before it.
//! Duplicates are found by hash when a file has been read. [`validate`] stops there; [`ingest`] also
//! maps good rows onto the canonical [`Entity`]s and writes each as a sorted snapshot.
//!
//! Memory is some chunks, buffers of fixed size, and one hash for each key that others refer to.

pub mod archive;
mod basic;
mod catalogue;
mod check;
mod chunks;
mod codes;
pub mod demo;
mod fields;
mod file_names;
mod finding;
pub mod format;
pub mod generate;
mod ingest;
mod keys;
mod legible;
mod model;
mod names;
mod nearest;
pub mod report;
pub mod segment;
mod sort;
mod spill;
mod stop;
#[cfg(test)]
mod testing;

pub use basic::{BasicReport, basic_validate};
pub use catalogue::{CATALOGUE, CONSEQUENCE, CatalogueEntry, listing_rank, remedy};
pub use codes::{CodeList, Codes};
pub use file_names::{MissingFile, kind_of_file, missing_files};
pub use finding::{Finding, Severity};
pub use format::{Detected, Format};
pub use ingest::delta;
pub use ingest::{Deleted, FileReport, IngestError, IngestOptions, IngestReport, MANIFEST, SegmentReport, Tuning, ingest, validate};
pub use legible::{legible, legible_json, misleads};
pub use model::Entity;
pub use stop::stoppable;

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
    /// Bytes of a file that one thread checks at a time.
    pub const CHUNK_BYTES: usize = 256 * 1024;
    /// Bytes of the buffers of the external sorts, all together.
    pub const SORT_BUFFER_BYTES: usize = 48 * 1024 * 1024;
    /// Rows of a file whose keys are kept in memory until the file has been read, for each of 256 parts.
    pub const SPILL_ROWS: usize = 1024;
    /// Threads that check chunks: more would only wait for the one that reads.
    pub const THREADS_MAX: usize = 4;
    /// Characters of a value repeated in a finding.
    pub const VALUE_CHARACTERS_MAX: usize = 120;
}
