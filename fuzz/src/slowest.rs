//! How long executions take, beside what libFuzzer reports: it knows seconds only.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// An execution may take so long (the project's own limit).
const LIMIT: Duration = Duration::from_millis(100);

static SLOWEST: Mutex<Duration> = Mutex::new(Duration::ZERO);

/// Runs a target on an input; says so when it is the slowest so far, and panics when it is over the
/// limit. On a machine with others on it a single time says little: the best of a few counts.
pub fn watched<I: AsRef<[u8]> + ?Sized>(target: impl Fn(&I), input: &I) {
    let once = || {
        let start = Instant::now();
        target(input);
        start.elapsed()
    };
    let mut took = once();
    let known = SLOWEST.lock().map_or(Duration::ZERO, |known| *known);
    if took <= known {
        return;
    }
    for _ in 0..5 {
        took = took.min(once());
    }
    if took <= known {
        return;
    }
    if let Ok(mut slowest) = SLOWEST.lock() {
        *slowest = took;
    }
    let input = input.as_ref();
    let shown = String::from_utf8_lossy(&input[..input.len().min(120)]).into_owned();
    eprintln!("slowest: {took:?} for {} bytes: {shown:?}", input.len());
    assert!(took < LIMIT, "{took:?} for one input");
}
