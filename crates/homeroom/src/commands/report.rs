//! `--report FILE`: all findings in a file of their own.

use super::{Failure, scratch};
use roster::report::{Findings, Form};
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

/// A report that is to be written; it appears under its name when it is whole. It is created before the work
/// begins, so that nobody waits for a report that cannot be written.
pub(super) struct Report {
    path: PathBuf,
    file: BufWriter<tempfile::NamedTempFile<File>>,
    form: Form,
}

impl Report {
    /// Starts a report; its form is that of the file name's extension.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let form = path.extension().and_then(|extension| extension.to_str()).and_then(Form::of_extension);
        let form = form.ok_or_else(|| {
            Failure::hinting(format!("what form is {} to have?", path.display()), "end its name in .html, .csv or .jsonl").usage()
        })?;
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = scratch::temporary(|| tempfile::NamedTempFile::new_in(folder)).map_err(|error| cannot_write(path, &error))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file), form })
    }

    /// Writes the report and gives it its name.
    pub(super) fn write(mut self, findings: &Findings) -> Result<(), Failure> {
        let path = &self.path;
        findings.write(self.form, &mut self.file).map_err(|error| cannot_write(path, &error))?;
        let file = self.file.into_inner().map_err(|error| cannot_write(path, &error.into_error()))?;
        file.persist(path).map_err(|error| cannot_write(path, &error.error))?;
        Ok(())
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("cannot write {}: {error}", path.display()))
}
