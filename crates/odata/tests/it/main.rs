//! The grammar from the outside: OASIS' own cases where they are at hand, a corpus of our own
//! everywhere, and random mutations of both.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that fails panics, and one that is skipped says so")]

mod abnf;
mod corpus;
mod model;
mod round_trip;
mod stress;
