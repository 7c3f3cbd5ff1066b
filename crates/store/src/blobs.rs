//! Files: uploads, snapshots, plans, findings. Immutable once they are in place.

use crate::{StoreError, TenantId};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Longest blob key.
const KEY_BYTES_MAX: usize = 512;

/// A folder of files, by tenant and key.
#[derive(Debug, Clone)]
pub struct BlobStore {
    root: PathBuf,
}

impl BlobStore {
    pub(crate) fn open(root: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(root).map_err(|source| StoreError::Io { what: format!("make {}", root.display()), source })?;
        Ok(Self { root: root.to_owned() })
    }

    /// The path of a key such as `runs/0190…/plan.jsonl`.
    ///
    /// # Errors
    /// [`StoreError::BadKey`] for a key with empty parts, dots alone, or characters beyond `A-Za-z0-9._-`.
    pub fn path(&self, tenant: TenantId, key: &str) -> Result<PathBuf, StoreError> {
        let mut path = self.root.join(tenant.to_string());
        for part in key.split('/') {
            let good = !part.trim_matches('.').is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
            if !good || key.len() > KEY_BYTES_MAX {
                return Err(StoreError::BadKey(key.to_owned()));
            }
            path.push(part);
        }
        Ok(path)
    }

    /// Makes a folder and gives its path.
    pub fn folder(&self, tenant: TenantId, key: &str) -> Result<PathBuf, StoreError> {
        let path = self.path(tenant, key)?;
        std::fs::create_dir_all(&path).map_err(|source| StoreError::Io { what: format!("make {}", path.display()), source })?;
        Ok(path)
    }

    /// Removes a folder and all in it; one that is not there is fine.
    pub fn remove_folder(&self, tenant: TenantId, key: &str) -> Result<(), StoreError> {
        let path = self.path(tenant, key)?;
        match std::fs::remove_dir_all(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::Io { what: format!("remove {}", path.display()), source: error })
            }
            _ => Ok(()),
        }
    }
}

/// Writes a file that appears whole or not at all.
#[derive(Debug)]
pub struct BlobWriter {
    file: Option<BufWriter<File>>,
    temporary: PathBuf,
    path: PathBuf,
}

impl BlobWriter {
    /// Starts a file at a path; the folder must be there.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let temporary = path.with_file_name(name);
        Ok(Self { file: Some(BufWriter::with_capacity(1 << 16, File::create(&temporary)?)), temporary, path: path.to_owned() })
    }

    /// Puts the file in its place, durable.
    pub fn finish(mut self) -> std::io::Result<()> {
        if let Some(file) = self.file.take() {
            file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        }
        std::fs::rename(&self.temporary, &self.path)?;
        sync_folder(&self.path)
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.as_mut().map_or_else(|| Err(std::io::ErrorKind::BrokenPipe.into()), |file| file.write(bytes))
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Unfinished: best effort, the name `.part` is ignored everywhere.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// The rename itself is durable only when the folder is.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}
