//! Limits of a pull, each with its reason.

use std::time::Duration;

/// How long things may take and how large they may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// To connect, TLS included.
    pub connect: Duration,
    /// Without a single byte arriving. Providers are asked to answer a page within some 30 s.
    pub stall: Duration,
    /// For one answer as a whole: a server that drips would hold a worker for ever.
    pub answer: Duration,
    /// Largest page, decompressed. 5,000 records have some 5 MB, 20 MB with long lists.
    pub page_bytes: usize,
    /// Records asked for in a page, as School Data Sync does.
    pub page_records: usize,
    /// Most pages of one collection.
    pub pages: usize,
    /// Pages of a collection fetched at the same time.
    pub parallel: usize,
    /// Tries of one request in all.
    pub tries: usize,
    /// First pause between tries, doubled each time, with jitter …
    pub pause_first: Duration,
    /// … up to this.
    pub pause_most: Duration,
    /// The longest `Retry-After` that is waited for.
    pub retry_after_most: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stall: Duration::from_secs(60),
            answer: Duration::from_secs(300),
            page_bytes: 64 << 20,
            page_records: 5_000,
            pages: 100_000,
            parallel: 4,
            tries: 6,
            pause_first: Duration::from_millis(500),
            pause_most: Duration::from_secs(30),
            retry_after_most: Duration::from_secs(300),
        }
    }
}

impl Limits {
    /// For the test of a connection, which somebody waits for: little of everything, and no second try.
    #[must_use]
    pub fn for_probe(self) -> Self {
        Self {
            stall: self.stall.min(Duration::from_secs(30)),
            answer: self.answer.min(Duration::from_secs(30)),
            page_records: 10,
            tries: 1,
            ..self
        }
    }
}
