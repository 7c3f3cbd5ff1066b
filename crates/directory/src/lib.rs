//! Directories: the port that provisioning writes through, and the embedded driver.

pub mod embedded;
mod port;

pub use port::{Applied, Directory, LedgerGroup, LedgerMember, ObservedGroup, ObservedUser, OpRecord, Operation, Refusal};

/// What a directory can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// No such object.
    #[error("{0}")]
    NotFound(String),
    /// A name that has to be unique is in use.
    #[error("{0}")]
    Conflict(String),
    /// A value that the directory does not take.
    #[error("{message}")]
    Invalid {
        /// What and what would be right.
        message: String,
        /// Property.
        target: Option<String>,
    },
    /// The store below.
    #[error("the store failed")]
    Store(#[from] store::StoreError),
}
