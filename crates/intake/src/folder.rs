//! A folder of this machine.
//!
//! Whoever writes to it may put a link in the place of anything at any moment, and the link may lead to whatever Homeroom
//! can read. So no link is followed, neither to a file nor on the way to the folder, and a file is what was opened, not
//! what its name has come to mean since.

use crate::limits::ENTRIES_MAX;
use crate::{IntakeError, Listed};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

/// How a folder is opened that is only passed through: that needs no right to list it.
const THROUGH: OFlags = if cfg!(target_os = "linux") { OFlags::PATH } else { OFlags::RDONLY };

fn failed<E: Into<io::Error>>(what: &str, path: &Path) -> impl FnOnce(E) -> IntakeError + use<E> {
    let what = format!("cannot {what} {}", path.display());
    move |error| IntakeError::Io { what, source: error.into() }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, IntakeError> + Send + 'static) -> Result<T, IntakeError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|error| Err(IntakeError::Io { what: "cannot read the folder".to_owned(), source: error.into() }))
}

pub(crate) async fn list(folder: &Path) -> Result<Vec<Listed>, IntakeError> {
    let folder = folder.to_owned();
    blocking(move || listed(&folder)).await
}

pub(crate) async fn fetch(folder: &Path, files: &[Listed], into: &Path) -> Result<(), IntakeError> {
    let path = folder.to_owned();
    let opened = Arc::new(blocking(move || open(&path)).await?);
    for file in files {
        let (opened, file, from, to) = (opened.clone(), file.clone(), folder.join(&file.name), into.join(&file.name));
        blocking(move || fetch_one(&opened, &file, &from, &to)).await?;
    }
    Ok(())
}

/// Opens a folder step by step: a link anywhere on the way is no folder.
fn open(folder: &Path) -> Result<OwnedFd, IntakeError> {
    let step =
        |at: &OwnedFd, name: &Path, how| openat(at, name, how | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    let start = openat(CWD, ".", THROUGH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let end = start.and_then(|start| folder.components().try_fold(start, |at, part| step(&at, part.as_ref(), THROUGH)));
    end.and_then(|at| step(&at, Path::new("."), OFlags::RDONLY)).map_err(failed("read", folder))
}

fn listed(folder: &Path) -> Result<Vec<Listed>, IntakeError> {
    let opened = open(folder)?;
    let mut files = Vec::new();
    for (at, entry) in Dir::read_from(&opened).map_err(failed("read", folder))?.enumerate() {
        // The folder itself and the one above it are entries, too.
        if at >= ENTRIES_MAX + 2 {
            return Err(IntakeError::TooMuch(format!(
                "{} has more than {ENTRIES_MAX} entries; give the export a folder of its own",
                folder.display()
            )));
        }
        let entry = entry.map_err(failed("read", folder))?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        // What has gone meanwhile does not count.
        let Ok(about) = statat(&opened, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        files.extend(file(name, &about));
    }
    Ok(files)
}

/// A file as it is listed; `None` for everything else that may have a name.
fn file(name: &str, about: &Stat) -> Option<Listed> {
    let modified = i128::from(about.st_mtime) * 1_000_000_000 + i128::from(about.st_mtime_nsec);
    let listed = Listed { name: name.to_owned(), size: about.st_size as u64, modified };
    FileType::from_raw_mode(about.st_mode).is_file().then_some(listed)
}

fn fetch_one(folder: &OwnedFd, wanted: &Listed, from: &Path, to: &Path) -> Result<(), IntakeError> {
    let changed = || IntakeError::Changed { name: wanted.name.clone() };
    // A pipe without a writer would not let itself be opened otherwise.
    let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = match openat(folder, &wanted.name, how, Mode::empty()) {
        Err(Errno::LOOP) => return Err(changed()),
        opened => opened.map_err(failed("open", from))?,
    };
    let about = fstat(&opened).map_err(failed("read", from))?;
    if file(&wanted.name, &about).as_ref() != Some(wanted) {
        return Err(changed());
    }
    let mut copy = File::create(to).map_err(failed("write", to))?;
    // One that grows would fill the disk.
    let copied = io::copy(&mut File::from(opened).take(wanted.size), &mut copy).map_err(failed("copy", from))?;
    if copied != wanted.size {
        return Err(changed());
    }
    // Once it counts as delivered it is not fetched again: it must not be lost with the power.
    copy.sync_all().map_err(failed("store", to))
}
