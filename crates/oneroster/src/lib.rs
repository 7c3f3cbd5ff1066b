//! A client of OneRoster 1.1 and 1.2 over REST: tests a connection, and pulls a whole roster.
//!
//! It knows HTTP and OneRoster's JSON, and nothing of what happens to a roster afterwards. A pull
//! ends as a package of OneRoster **CSV** files of the same version, so that everything that comes
//! next (validation, findings by file and line, matching) is the one path that uploaded files take.
//!
//! The rule above all others: **a partial answer is never taken for the whole set.** A page that is
//! short, repeated, shifted, cut off or no JSON makes the pull fail, and then there are no files.
//!
//! - [`Connection`]: where, with which credential, what to ask for. From people's configuration.
//! - [`Surroundings`]: the guard of outgoing connections, clock, randomness, limits. From the program.
//! - [`probe()`]: is the connection good? [`pull()`]: all or, since an instant, the changes.

mod api;
mod collection;
mod connection;
mod fault;
mod files;
mod http;
mod limits;
mod link;
mod oauth1;
mod oauth2;
pub mod page;
mod paging;
mod probe;
mod pull;

pub use collection::Collection;
pub use connection::{Connection, Credential, Secret, Surroundings, Switches, Version};
pub use fault::{Fault, FaultCode};
pub use limits::Limits;
pub use page::Note;
pub use probe::{Probe, probe};
pub use pull::{Mode, Progress, PullError, PulledFile, Report, pull};
