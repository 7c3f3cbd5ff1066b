//! A file of the set, as it is written anew with changes in it.

use super::FileChanges;
use super::lines::write_row;
use super::origins::{FileOrigins, Origin};
use crate::fields::Fields;
use crate::format::FileSpec;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// A file of the set while it is written.
pub(super) struct Whole {
    pub(super) spec: &'static FileSpec,
    pub(super) out: BufWriter<File>,
    pub(super) columns: Vec<String>,
    pub(super) table: FileChanges,
    /// Where its rows come from, when that is wanted.
    pub(super) origins: Option<FileOrigins>,
}

impl Whole {
    pub(super) fn create(path: &Path, spec: &'static FileSpec) -> io::Result<Self> {
        let mut out = BufWriter::new(File::create(path)?);
        // With its mark it is UTF-8, whatever encoding is named for the set.
        out.write_all("\u{feff}".as_bytes())?;
        let table = FileChanges { name: spec.name.to_owned(), mode: "delta", ..FileChanges::default() };
        Ok(Self { spec, out, columns: Vec::new(), table, origins: None })
    }

    /// Writes a row of changes. `from`: where each column stands in it.
    pub(super) fn put(&mut self, text: &str, fields: &Fields, from: &[Option<usize>]) -> io::Result<()> {
        // The set is whole: nothing in it is a change any more.
        let value = |(column, at): (&String, &Option<usize>)| match at {
            Some(at) if !is_of_a_change(column) => fields.text(text, *at).to_owned(),
            _ => String::new(),
        };
        let row: Vec<String> = self.columns.iter().zip(from).map(value).collect();
        write_row(&mut self.out, row.iter().map(String::as_str))
    }

    /// The row that was written last is this line.
    pub(super) fn is_of(&mut self, origin: Origin, line: u64) {
        if let Some(origins) = &mut self.origins {
            origins.push(origin, line);
        }
    }
}

/// The column that says when a record was last changed.
pub(super) const MODIFIED: &str = "dateLastModified";

/// Whether a column is about the change and not about the record.
pub(super) fn is_of_a_change(column: &str) -> bool {
    matches!(column, "status" | MODIFIED)
}

/// Where a column stands in a header, under any name that it may have.
pub(super) fn position(spec: &FileSpec, header: &[String], column: &str) -> Option<usize> {
    let at = |name: &str| header.iter().position(|other| other == name);
    let known = || spec.columns.iter().find(|known| known.headers().any(|name| name == column));
    at(column).or_else(|| known()?.headers().find_map(at))
}

/// The columns of a header that are read, as it spells them, in the order of the format.
pub(super) fn known_columns(spec: &FileSpec, header: &[String]) -> Vec<String> {
    let spelled = |name: &&str| header.iter().any(|other| other == name);
    spec.columns.iter().filter_map(|column| column.headers().find(spelled)).map(str::to_owned).collect()
}
