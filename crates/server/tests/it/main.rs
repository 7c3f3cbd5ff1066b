//! The server over HTTP, as its clients see it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "the items of a test are for the test")]

mod examples;
mod harness;
mod issuers;
mod permissions;
mod roster_files;
mod runs;
mod transcript;
mod transport;

use harness::Server;

macro_rules! transcripts {
    ($($name:ident),*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let server = Server::start().await;
            transcript::play(&server, stringify!($name)).await;
            server.stop().await;
        }
    )*};
}

transcripts!(batch, seed, configuration, conventions, directory, reference);
