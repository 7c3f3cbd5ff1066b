//! The files of a container on disk: committed ones, and what is still being sent.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use store::{Store, StoreError, TenantId};

/// A committed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedFile {
    /// Name.
    pub name: String,
    /// Place.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// Seconds since 1970.
    pub modified: i64,
    /// Changes with each commit.
    pub etag: String,
}

/// A container.
#[derive(Debug, Clone)]
pub struct Container {
    files: PathBuf,
    staging: PathBuf,
}

impl Container {
    /// The container with that id.
    pub fn new(store: &Store, tenant: TenantId, id: &str) -> Result<Self, StoreError> {
        let files = store.blobs().folder(tenant, &format!("uploads/{id}/files"))?;
        let staging = store.blobs().folder(tenant, &format!("uploads/{id}/staging"))?;
        Ok(Self { files, staging })
    }

    /// Committed files by name.
    pub fn list(&self) -> Result<Vec<UploadedFile>, StoreError> {
        let io = |source| StoreError::Io { what: format!("list {}", self.files.display()), source };
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.files).map_err(io)? {
            let name = entry.map_err(io)?.file_name().to_string_lossy().into_owned();
            if let Some(file) = self.find(&name) {
                found.push(file);
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The committed file of that name.
    pub(crate) fn find(&self, name: &str) -> Option<UploadedFile> {
        let path = self.files.join(name);
        let data = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
        let modified = data.modified().unwrap_or(SystemTime::UNIX_EPOCH).duration_since(UNIX_EPOCH).unwrap_or_default();
        let etag = format!("\"0x{:X}{:X}\"", modified.as_nanos(), data.len());
        Some(UploadedFile { name: name.to_owned(), path, size: data.len(), modified: modified.as_secs() as i64, etag })
    }

    /// Place of something that is being sent.
    pub(crate) fn staged(&self, name: &str, kind: &str) -> PathBuf {
        self.staging.join(format!("{name}.{kind}"))
    }

    /// A staged file becomes the committed one, durable.
    pub(crate) fn commit(&self, staged: &Path, name: &str) -> io::Result<()> {
        std::fs::rename(staged, self.files.join(name))?;
        if cfg!(unix) {
            std::fs::File::open(&self.files)?.sync_all()?;
        }
        Ok(())
    }

    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.files.join(name))
    }

    /// Blocks of a file that are there but not committed.
    pub(crate) fn forget_staged(&self, name: &str) -> io::Result<()> {
        let prefix = format!("{name}.");
        for entry in std::fs::read_dir(&self.staging)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}
