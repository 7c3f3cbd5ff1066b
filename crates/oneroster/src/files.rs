//! A package of OneRoster CSV files: written as records come, complete with its manifest.

use crate::Version;
use crate::collection::{Collection, File, manifest_files};
use crate::connection::Switches;
use crate::page::Record;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Buffer of a file: rows are some 200 bytes, and a write for each would be slow.
const BUFFER_BYTES: usize = 1 << 16;

/// A package that is being written.
#[derive(Debug)]
pub(crate) struct Package {
    folder: PathBuf,
    version: Version,
    switches: Switches,
    /// Rows by file.
    rows: BTreeMap<File, u64>,
    open: BTreeMap<File, csv::Writer<std::fs::File>>,
}

impl Package {
    /// In an empty folder.
    pub(crate) fn new(folder: &Path, version: Version, switches: Switches) -> Self {
        Self { folder: folder.to_owned(), version, switches, rows: BTreeMap::new(), open: BTreeMap::new() }
    }

    /// Begins the files of a collection; what an earlier attempt has written is gone.
    pub(crate) fn begin(&mut self, collection: Collection) -> io::Result<()> {
        for &file in File::of(collection, self.version) {
            let out = std::fs::File::create(self.path(file))?;
            let mut writer = csv::WriterBuilder::new().buffer_capacity(BUFFER_BYTES).terminator(csv::Terminator::CRLF).from_writer(out);
            writer.write_record(file.header(self.version, self.switches)).map_err(io::Error::from)?;
            self.open.insert(file, writer);
            self.rows.insert(file, 0);
        }
        Ok(())
    }

    /// Writes the rows of a record.
    pub(crate) fn write(&mut self, record: &Record) -> io::Result<()> {
        for (file, row) in &record.rows {
            let writer = self.open.get_mut(file).ok_or_else(|| io::Error::other(format!("{}.csv is not open", file.name())))?;
            writer.write_record(row).map_err(io::Error::from)?;
            *self.rows.entry(*file).or_default() += 1;
        }
        Ok(())
    }

    /// Ends the files of a collection, durable. Of changes there is no file when there are none; whether users
    /// without roles have changed, their file says.
    pub(crate) fn end(&mut self, collection: Collection, keep_empty: bool) -> io::Result<()> {
        let keep_empty = keep_empty || self.rows.get(&File::Of(collection)).is_some_and(|rows| *rows > 0);
        for file in File::of(collection, self.version) {
            let Some(writer) = self.open.remove(file) else { continue };
            writer.into_inner().map_err(csv::IntoInnerError::into_error)?.sync_all()?;
            if !keep_empty && self.rows.get(file) == Some(&0) {
                std::fs::remove_file(self.path(*file))?;
                self.rows.remove(file);
            }
        }
        Ok(())
    }

    /// Files and their rows, so far.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (String, u64)> + '_ {
        self.rows.iter().map(|(file, rows)| (format!("{}.csv", file.name()), *rows))
    }

    /// Writes the manifest, which says of every file of the standard whether it is there.
    pub(crate) fn finish(&self, mode: &str, source: &str) -> io::Result<()> {
        let out = std::fs::File::create(self.folder.join("manifest.csv"))?;
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        let mut line = |name: &str, value: &str| writer.write_record([name, value]).map_err(io::Error::from);
        line("propertyName", "value")?;
        line("manifest.version", "1.0")?;
        line("oneroster.version", self.version.as_str())?;
        for name in manifest_files(self.version) {
            let there = self.rows.keys().any(|file| file.name() == *name);
            line(&format!("file.{name}"), if there { mode } else { "absent" })?;
        }
        line("source.systemName", source)?;
        line("source.systemCode", "oneroster-rest")?;
        writer.into_inner().map_err(csv::IntoInnerError::into_error)?.sync_all()
    }

    fn path(&self, file: File) -> PathBuf {
        self.folder.join(format!("{}.csv", file.name()))
    }
}
