//! OData 4 as a protocol: the EDM as a static table, URL paths, query options, JSON in and out,
//! the envelope of batches, error bodies. No I/O and no term of the school world.
//!
//! The table is written once (by the crate that knows the model) and drives everything here:
//! decoding with JSON paths in the errors, encoding, checking of `$select` and `$filter`.

pub mod batch;
pub mod csdl;
pub mod decode;
pub mod edm;
pub mod encode;
pub mod error;
pub mod filter;
pub mod json;
pub mod limits;
pub mod path;
pub mod query;
pub mod search;
pub mod time;

#[cfg(test)]
mod testing;

pub use error::{Error, Kind};
