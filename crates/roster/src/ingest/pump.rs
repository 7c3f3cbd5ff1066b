//! Chunks through several threads, and what they make of them back in order.

use super::IngestError;
use super::batch::Batch;
use crate::chunks::{Chunk, Chunks};
use crate::stop;
use std::collections::VecDeque;
use std::io;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Chunks that are read ahead for each thread: one that it checks and one in the queue, which has room for them, so that
/// whoever reads never waits for a thread that waits to be heard.
const AHEAD: usize = 2;

/// A chunk, memory for what is made of it, and where that goes: a channel of its own, so that a thread
/// that dies is noticed. It holds one batch: a thread that has more to say waits until it is heard.
type Work = (Chunk, Batch, SyncSender<Batch>);

/// Gives every batch to `absorb`, in order of the chunks. It is called on this thread, which also
/// reads; with one thread it does all of the work. `check` gives the last batch of a chunk, and those before it to the
/// function that it is given.
pub(super) fn pump(
    chunks: &mut Chunks,
    threads: usize,
    check: impl Fn(Chunk, Batch, &mut dyn FnMut(Batch)) -> Batch + Sync,
    mut absorb: impl FnMut(&mut Batch) -> Result<(), IngestError>,
) -> Result<(), IngestError> {
    let mut spare: Vec<Batch> = Vec::new();
    let mut next = |batch: &mut Batch| {
        stop::check()?;
        chunks.next(std::mem::take(&mut batch.buffer))
    };
    if threads < 2 {
        let mut batch = Batch::default();
        while let Some(chunk) = next(&mut batch)? {
            let mut absorbed = Ok(());
            batch = check(chunk, batch, &mut |mut part| {
                if absorbed.is_ok() {
                    absorbed = absorb(&mut part);
                }
            });
            absorbed?;
            absorb(&mut batch)?;
        }
        return Ok(());
    }
    let (give, take) = sync_channel::<Work>(threads);
    let take = Mutex::new(take);
    std::thread::scope(|scope| {
        // Moved in, so that the threads see the end whichever way this is left.
        let give = give;
        for _ in 0..threads {
            scope.spawn(|| work(&take, &check));
        }
        let mut waiting: VecDeque<Receiver<Batch>> = VecDeque::new();
        loop {
            let mut batch = spare.pop().unwrap_or_default();
            let chunk = next(&mut batch)?;
            let ended = chunk.is_none();
            if let Some(chunk) = chunk {
                let (answer, checked) = sync_channel(1);
                give.send((chunk, batch, answer)).map_err(|_| died())?;
                waiting.push_back(checked);
            }
            while waiting.len() >= threads * AHEAD || ended && !waiting.is_empty() {
                let Some(checked) = waiting.pop_front() else { break };
                let last = loop {
                    let mut batch = checked.recv().map_err(|_| died())?;
                    absorb(&mut batch)?;
                    if !batch.goes_on {
                        break batch;
                    }
                };
                spare.push(last);
            }
            if ended {
                return Ok(());
            }
        }
    })
}

fn work(queue: &Mutex<Receiver<Work>>, check: &(impl Fn(Chunk, Batch, &mut dyn FnMut(Batch)) -> Batch + Sync)) {
    loop {
        let next = match queue.lock() {
            Ok(queue) => queue.recv(),
            Err(_) => return,
        };
        let Ok((chunk, batch, answer)) = next else { return };
        // Nobody waits for an answer any more when reading was given up.
        let last = check(chunk, batch, &mut |part| _ = answer.send(part));
        let _ = answer.send(last);
    }
}

fn died() -> io::Error {
    io::Error::other("a thread that checks rows has died")
}
