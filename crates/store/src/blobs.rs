//! Files: uploads, snapshots, plans, findings. Immutable once they are in place.

use crate::{StoreError, TenantId, folders};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Longest blob key.
const KEY_BYTES_MAX: usize = 512;
/// Longest part of a key: file systems take 255 bytes, and an unfinished file has a longer name.
const PART_BYTES_MAX: usize = 200;

/// A folder of files, by tenant and key.
#[derive(Debug, Clone)]
pub struct BlobStore {
    root: PathBuf,
}

impl BlobStore {
    pub(crate) fn open(root: &Path) -> Result<Self, StoreError> {
        folders::make_private(root).map_err(|source| StoreError::Io { what: format!("make {}", root.display()), source })?;
        Ok(Self { root: root.to_owned() })
    }

    /// The path of a key such as `runs/0190…/plan.jsonl`.
    ///
    /// # Errors
    /// [`StoreError::BadKey`] for a key with empty parts, dots alone, or characters beyond `A-Za-z0-9._-`.
    pub fn path(&self, tenant: TenantId, key: &str) -> Result<PathBuf, StoreError> {
        let mut path = self.root.join(tenant.to_string());
        for part in key.split('/') {
            let only_dots = part.bytes().all(|b| b == b'.');
            let good = !only_dots
                && part.len() <= PART_BYTES_MAX
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
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
        folders::make_private(&path).map_err(|source| StoreError::Io { what: format!("make {}", path.display()), source })?;
        Ok(path)
    }

    /// Gives a folder another name, durably. A folder that has moved already, because the process was
    /// killed after it, is fine.
    pub fn move_folder(&self, tenant: TenantId, from: &str, to: &str) -> Result<(), StoreError> {
        let (from, to) = (self.path(tenant, from)?, self.path(tenant, to)?);
        if to.is_dir() {
            return Ok(());
        }
        let moved = to.parent().map_or(Ok(()), folders::make_private).and_then(|()| std::fs::rename(&from, &to));
        let durable = moved.and_then(|()| folders::sync_parent(&to)).and_then(|()| folders::sync_parent(&from));
        durable.map_err(|source| StoreError::Io { what: format!("move {} to {}", from.display(), to.display()), source })
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

/// Writes a file that appears whole or not at all. Until [`BlobWriter::finish`] it lies beside its
/// place under a name that ends in `.part`; a writer that was killed leaves such a file behind.
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
        // A name of its own: a worker that was declared dead may still write the same file.
        name.push(format!(".{}.part", uuid::Uuid::new_v4().simple()));
        let temporary = path.with_file_name(name);
        let file = File::create_new(&temporary)?;
        Ok(Self { file: Some(BufWriter::with_capacity(1 << 16, file)), temporary, path: path.to_owned() })
    }

    /// Puts the file in its place, durable; replaces one that is there.
    pub fn finish(mut self) -> std::io::Result<()> {
        if let Some(file) = self.file.take() {
            let placed = file
                .into_inner()
                .map_err(std::io::IntoInnerError::into_error)
                .and_then(|file| file.sync_all())
                .and_then(|()| std::fs::rename(&self.temporary, &self.path));
            if placed.is_err() {
                let _ = std::fs::remove_file(&self.temporary);
            }
            placed?;
        }
        folders::sync_parent(&self.path)
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
            // Unfinished: best effort.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests;
