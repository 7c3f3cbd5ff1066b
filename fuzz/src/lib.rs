//! The fuzz targets of Homeroom: what they do with an input, and how long it may take.

mod slowest;
mod targets;

pub use slowest::watched;
pub use targets::{batch, filter, json, url};
