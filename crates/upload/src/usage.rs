//! How much a session holds: what is on disk is counted once, and kept up from then on.
//!
//! Counting anew with each block would cost the square of their number. So the count is an estimate that
//! is never too low in one process: a block that replaces another one counts twice until the next count.
//! Before anything is refused, and once a minute for what other processes add, all is counted anew. Until then
//! several processes together can let more in, but not commit it: each commit adds up the files again.

use crate::Container;
use crate::files::Pieces;
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const RECOUNT_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// A count this fresh, since which nothing has come in, is the truth: a client that is over a limit does
/// not make the disk work for each request.
const FRESH: SignedDuration = SignedDuration::from_secs(2);

/// The counts of all containers in use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usage(Arc<Mutex<HashMap<PathBuf, Shared>>>);

type Shared = Arc<Mutex<Counted>>;

/// What one container holds.
#[derive(Debug, Default)]
struct Counted {
    /// When all was counted last.
    at: Option<Timestamp>,
    /// Whether something was let in since.
    changed: bool,
    /// Bytes on disk, committed or not.
    settled: u64,
    /// Bytes announced by requests that are under way.
    arriving: u64,
    /// Number and bytes of the pieces of each file.
    pieces: HashMap<(Pieces, String), (usize, u64)>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'w> {
    /// Bytes.
    pub(crate) bytes: u64,
    /// The file that it is to be a piece of.
    pub(crate) piece_of: Option<(Pieces, &'w str)>,
}

/// The most there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    /// Bytes of a session.
    pub(crate) bytes: u64,
    /// Pieces of a file.
    pub(crate) pieces: usize,
    /// Bytes of the pieces of a file.
    pub(crate) piece_bytes: u64,
}

/// What there would be too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    Session,
    Pieces,
    PieceBytes,
}

/// Bytes that are kept free for a request as long as this lives.
#[derive(Debug)]
pub(crate) struct Reservation {
    counted: Shared,
    bytes: u64,
}

impl Reservation {
    /// The bytes are on disk now.
    pub(crate) fn settle(self) {
        let mut counted = lock(&self.counted);
        counted.settled = counted.settled.saturating_add(self.bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut counted = lock(&self.counted);
        counted.arriving = counted.arriving.saturating_sub(self.bytes);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Numbers are whole at every moment: a panic elsewhere has not broken them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Usage {
    /// Keeps room for what is wanted, or says what is full.
    pub(crate) fn reserve(
        &self,
        container: &Container,
        wanted: Wanted<'_>,
        most: Most,
        now: Timestamp,
    ) -> io::Result<Result<Reservation, Full>> {
        let shared = Arc::clone(lock(&self.0).entry(container.key().to_owned()).or_default());
        let mut counted = lock(&shared);
        let age = counted.at.map(|at| now.duration_since(at).abs());
        let outdated = age.is_none_or(|age| age >= RECOUNT_AFTER);
        let doubtful = counted.changed || age.is_some_and(|age| age >= FRESH);
        if outdated || doubtful && counted.full(wanted, most).is_some() {
            counted.count(container, now)?;
        }
        if let Some(full) = counted.full(wanted, most) {
            return Ok(Err(full));
        }
        counted.changed = true;
        counted.arriving += wanted.bytes;
        if let Some((kind, name)) = wanted.piece_of {
            let (number, bytes) = counted.pieces.entry((kind, name.to_owned())).or_default();
            *number += 1;
            *bytes += wanted.bytes;
        }
        drop(counted);
        Ok(Ok(Reservation { counted: shared, bytes: wanted.bytes }))
    }

    /// Something went: the next request counts anew.
    pub(crate) fn outdated(&self, container: &Container) {
        if let Some(counted) = lock(&self.0).get(container.key()) {
            lock(counted).at = None;
        }
    }

    /// The container is closed.
    pub(crate) fn forget(&self, container: &Container) {
        lock(&self.0).remove(container.key());
    }
}

impl Counted {
    fn full(&self, Wanted { bytes, piece_of }: Wanted<'_>, most: Most) -> Option<Full> {
        if self.settled.saturating_add(self.arriving).saturating_add(bytes) > most.bytes {
            return Some(Full::Session);
        }
        let (kind, name) = piece_of?;
        let (number, staged) = self.pieces.get(&(kind, name.to_owned())).copied().unwrap_or_default();
        if number >= most.pieces {
            return Some(Full::Pieces);
        }
        (staged.saturating_add(bytes) > most.piece_bytes).then_some(Full::PieceBytes)
    }

    fn count(&mut self, container: &Container, now: Timestamp) -> io::Result<()> {
        self.settled = container.committed()?.iter().map(|file| file.size).sum();
        self.pieces.clear();
        for kind in [Pieces::Blocks, Pieces::Appends] {
            for name in container.names_with_pieces(kind)? {
                let pieces = container.pieces(kind, &name)?;
                let bytes = pieces.iter().map(|(_, bytes)| bytes).sum();
                self.settled += bytes;
                self.pieces.insert((kind, name), (pieces.len(), bytes));
            }
        }
        (self.at, self.changed) = (Some(now), false);
        Ok(())
    }
}
