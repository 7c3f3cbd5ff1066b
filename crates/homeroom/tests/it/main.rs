//! The program as its users run it: as a process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "the items of a test are for the test")]

mod accepted_set;
mod cli;
mod district;
mod docs;
mod issuers;
mod kill_anywhere;
mod kill_pull;
mod process;
#[path = "../../../oneroster/tests/it/provider.rs"]
#[allow(dead_code, reason = "the crate of the client uses all of it")]
mod provider;
mod sources;
#[cfg(unix)]
mod stopping;
mod tls;
mod uploads;
mod validate;
