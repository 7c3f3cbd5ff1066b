//! What a command has written and must not leave behind when it is interrupted: it is about people.

use super::Failure;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

/// Exit code of a command that a signal has ended.
const INTERRUPTED: i32 = 130;
/// How often a folder is removed that something is written to meanwhile.
const TRIES: usize = 20;

/// A new folder. It goes also when the command is interrupted, which ends at once.
pub(super) fn folder() -> Result<TempDir, Failure> {
    temporary(tempfile::tempdir).map_err(Failure::io("make a temporary directory"))
}

/// Makes a temporary file or folder that goes also when the command is interrupted. Must be called within a runtime.
pub(super) fn temporary<T: AsRef<Path>>(make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    // Of the process, as signals are.
    static MADE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    static LISTENING: Once = Once::new();
    // Before there is anything: from then on no signal may end the command without it.
    LISTENING.call_once(|| {
        let interrupted = server::Shutdown::on_signal();
        tokio::spawn(async move {
            interrupted.wait().await;
            // It is held to the end, so that nothing is made any more.
            let made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
            made.iter().for_each(|path| remove(path));
            std::process::exit(INTERRUPTED);
        });
    });
    let mut all = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let made = make()?;
    all.push(made.as_ref().to_owned());
    Ok(made)
}

fn remove(path: &Path) {
    for _ in 0..TRIES {
        let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        if removed.is_ok() || !path.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
