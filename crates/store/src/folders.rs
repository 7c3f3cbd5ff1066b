//! Folders that only their owner may look into, and that are still there after a power cut.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Result};
use std::path::Path;

/// Makes the data directory, or takes one over. It holds secrets: only its owner may look into it.
/// A directory with anything of somebody else in it keeps its mode (what if it were `/tmp`?); the
/// database, the key and the blobs in it are closed to others in any case.
pub(crate) fn take_data_dir(dir: &Path) -> Result<()> {
    make_private(dir)?;
    let ours = dir.join("homeroom.db").exists() || dir.join("master.key").exists();
    if ours || std::fs::read_dir(dir)?.next().is_none() {
        match close_to_others(dir) {
            // Mounted volumes often belong to another user.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                tracing::warn!(dir = %dir.display(), "the data directory belongs to somebody else, who may look into it");
            }
            outcome => outcome?,
        }
    }
    Ok(())
}

#[cfg(unix)]
fn close_to_others(dir: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let open_to_others = std::fs::metadata(dir)?.permissions().mode() & 0o077 != 0;
    if open_to_others { std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)) } else { Ok(()) }
}

#[cfg(not(unix))]
fn close_to_others(_: &Path) -> Result<()> {
    Ok(())
}

/// Makes a folder with all that lead to it, durable. One that is there is fine.
pub(crate) fn make_private(path: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    make_with(&builder, path)
}

fn make_with(builder: &DirBuilder, path: &Path) -> Result<()> {
    match builder.create(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == ErrorKind::NotFound => match path.parent() {
            // A parent that is there and still not found is a file system that takes nothing, such as /proc.
            Some(parent) if parent != Path::new("") && !parent.is_dir() => {
                make_with(builder, parent)?;
                make_with(builder, path)
            }
            _ => Err(error),
        },
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// A new name in a folder is durable only when the folder is.
pub(crate) fn sync_parent(path: &Path) -> Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match path.parent() {
        Some(folder) if folder == Path::new("") => File::open(".")?.sync_all(),
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
