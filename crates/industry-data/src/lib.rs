//! The API's own model: its entity data model as a static table, its reference data, its
//! permissions, the rules of creating, changing and deleting, and the life of readiness. No I/O.

pub mod edm;
pub mod limits;
pub mod permissions;
pub mod readiness;
pub mod reference;
pub mod rules;

pub use edm::MODEL;
