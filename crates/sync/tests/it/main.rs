//! Runs from outside: exports in a folder, the embedded directory, steps kept in memory.

// Helpers of tests are tests, but clippy only knows those with the attribute.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod counting;
mod days;
mod guards;
mod kill;
mod matching;
mod model;
mod previews;
mod pulls;
mod roster;
mod security_groups;
mod world;

use roster::Roster;
use world::{World, flow, sets};
