//! Temporary folders of commands.

use super::Failure;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// Exit code of a command that was interrupted, as shells have it.
const INTERRUPTED: i32 = 130;
/// How often a folder is removed that something is written to meanwhile.
const TRIES: usize = 20;

/// A new folder. It goes also when the command is interrupted, which ends at once: what lies there is about people.
pub(super) fn folder() -> Result<TempDir, Failure> {
    // Before there is a folder: from then on no signal may end the command without it.
    let interrupted = server::Shutdown::on_signal();
    let folder = tempfile::tempdir().map_err(Failure::io("make a temporary directory"))?;
    let path = folder.path().to_owned();
    tokio::spawn(async move {
        interrupted.wait().await;
        remove(&path);
        std::process::exit(INTERRUPTED);
    });
    Ok(folder)
}

fn remove(path: &Path) {
    for _ in 0..TRIES {
        if std::fs::remove_dir_all(path).is_ok() || !path.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
