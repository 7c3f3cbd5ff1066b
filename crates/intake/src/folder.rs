//! A folder of this machine.

use crate::limits::ENTRIES_MAX;
use crate::{IntakeError, Listed};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

fn failed(what: &str, path: &Path) -> impl FnOnce(io::Error) -> IntakeError + use<> {
    let what = format!("cannot {what} {}", path.display());
    move |source| IntakeError::Io { what, source }
}

pub(crate) async fn list(folder: &Path) -> Result<Vec<Listed>, IntakeError> {
    let mut entries = tokio::fs::read_dir(folder).await.map_err(failed("read", folder))?;
    let mut files = Vec::new();
    let mut seen = 0;
    while let Some(entry) = entries.next_entry().await.map_err(failed("read", folder))? {
        seen += 1;
        if seen > ENTRIES_MAX {
            return Err(IntakeError::TooMuch(format!(
                "{} has more than {ENTRIES_MAX} entries; give the export a folder of its own",
                folder.display()
            )));
        }
        // A link could lead to anything that Homeroom may read; `entry.metadata` does not follow it.
        let Ok(about) = entry.metadata().await else { continue };
        let Some(name) = entry.file_name().to_str().map(str::to_owned).filter(|_| about.is_file()) else { continue };
        let modified = about.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_nanos() as i128);
        files.push(Listed { name, size: about.len(), modified });
    }
    Ok(files)
}

pub(crate) async fn fetch(folder: &Path, files: &[Listed], into: &Path) -> Result<(), IntakeError> {
    for file in files {
        let from = folder.join(&file.name);
        let to = into.join(&file.name);
        tokio::fs::copy(&from, &to).await.map_err(failed("copy", &from))?;
        // Once it counts as delivered it is not fetched again: it must not be lost with the power.
        let copied = tokio::fs::File::open(&to).await.map_err(failed("open", &to))?;
        copied.sync_all().await.map_err(failed("store", &to))?;
    }
    Ok(())
}
