//! The program as its users run it: as a process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]
#![allow(unreachable_pub, reason = "the items of a test are for the test")]

mod accepted_set;
mod cli;
mod district;
mod docs;
mod issuers;
mod kill_anywhere;
mod process;
mod sources;
mod tls;
mod uploads;
mod validate;
