//! The conformance suite of the store: the same tests on both engines. SQLite is always there;
//! PostgreSQL is tested when `HOMEROOM_TEST_POSTGRES_URL` names a database in which schemas may be
//! made, such as `postgres://postgres@127.0.0.1:5432/postgres`. Most of the time goes into waiting
//! for that server, so that one with `fsync=off` is welcome.

// clippy.toml allows these in test functions; here everything around them is test as well.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[macro_use]
mod bench;
mod postgres;

mod access;
mod crash;
mod documents;
mod jobs;
mod opening;
mod records;
mod statements;
mod units;
