//! The server over HTTP, as its clients see it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "the items of a test are for the test")]

mod authorization;
mod clients;
mod edu;
mod errors;
mod examples;
mod filters;
mod formats;
mod harness;
mod hostile;
mod issuers;
mod oneroster;
mod openapi;
mod pages;
#[path = "../../../oneroster/tests/it/provider.rs"]
#[allow(dead_code, reason = "the crate of the client uses all of it")]
mod provider;
mod query;
mod races;
mod roster_files;
mod runs;
mod schema;
mod sources;
mod stored_sources;
mod transcript;
mod transport;
mod uploads;
mod world;

use harness::Server;

/// Every transcript, played by a test of its name and read for the pages of the reference.
macro_rules! transcripts {
    ($($name:ident),*) => {
        const TRANSCRIPTS: &[&str] = &[$(stringify!($name)),*];
        $(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let server = Server::start().await;
            transcript::play(&server, stringify!($name)).await;
            server.stop().await;
        }
    )*};
}

transcripts!(batch, userflow, seed, configuration, conventions, directory, metadata, operations, reference);
