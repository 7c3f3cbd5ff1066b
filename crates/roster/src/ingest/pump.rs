//! Chunks through several threads, and what they make of them back in order.

use super::IngestError;
use super::batch::Batch;
use crate::chunks::{Chunk, Chunks};
use std::collections::VecDeque;
use std::io;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Chunks that are read ahead for each thread.
const AHEAD: usize = 2;

/// Gives every batch to `absorb`, in order of the chunks. It is called on this thread, which also
/// reads; with one thread it does all of the work.
pub(super) fn pump(
    chunks: &mut Chunks,
    threads: usize,
    check: impl Fn(Chunk) -> Batch + Sync,
    mut absorb: impl FnMut(&mut Batch) -> Result<(), IngestError>,
) -> Result<(), IngestError> {
    let mut spare = Vec::new();
    if threads < 2 {
        while let Some(chunk) = chunks.next(std::mem::take(&mut spare))? {
            let mut batch = check(chunk);
            absorb(&mut batch)?;
            spare = batch.buffer;
        }
        return Ok(());
    }
    let (give, take) = sync_channel::<(Chunk, SyncSender<Batch>)>(threads);
    let take = Mutex::new(take);
    std::thread::scope(|scope| {
        // Moved in, so that the threads see the end whichever way this is left.
        let give = give;
        for _ in 0..threads {
            scope.spawn(|| work(&take, &check));
        }
        let mut waiting: VecDeque<Receiver<Batch>> = VecDeque::new();
        loop {
            let chunk = chunks.next(std::mem::take(&mut spare))?;
            let ended = chunk.is_none();
            if let Some(chunk) = chunk {
                // Each chunk has a channel of its own, so that a thread that dies is noticed.
                let (answer, batch) = sync_channel(1);
                give.send((chunk, answer)).map_err(|_| died())?;
                waiting.push_back(batch);
            }
            while waiting.len() >= threads * AHEAD || ended && !waiting.is_empty() {
                let Some(batch) = waiting.pop_front() else { break };
                let mut batch = batch.recv().map_err(|_| died())?;
                absorb(&mut batch)?;
                spare = batch.buffer;
            }
            if ended {
                return Ok(());
            }
        }
    })
}

fn work(queue: &Mutex<Receiver<(Chunk, SyncSender<Batch>)>>, check: &(impl Fn(Chunk) -> Batch + Sync)) {
    loop {
        let next = match queue.lock() {
            Ok(queue) => queue.recv(),
            Err(_) => return,
        };
        let Ok((chunk, answer)) = next else { return };
        // Nobody waits for the answer any more when reading was given up.
        let _ = answer.send(check(chunk));
    }
}

fn died() -> io::Error {
    io::Error::other("a thread that checks rows has died")
}
