//! The API's own model: its entity data model as a static table, its reference data, its
//! permissions, and the rules of creating, changing and deleting. No I/O.

pub mod edm;
pub mod limits;
pub mod permissions;
pub mod reference;

pub use edm::MODEL;
