//! Upload sessions: the part of Azure Blob Storage and of Data Lake Storage Gen2 that clients use
//! behind a `sessionUrl`.
//!
//! A session is a container with a signed URL, `/{tenantId}/{connectorId}/{containerId}?{sas}`.
//! Bodies are streamed to disk; a file is there when it was acknowledged, and only then.

mod files;
mod protocol;
mod sas;
mod sessions;

pub use files::{Container, UploadedFile};
pub use protocol::{BodyStream, UploadRequest, UploadResponse, handle};
pub use sessions::{Session, SessionLimits, close_session, open_session};

use aws_lc_rs::hmac;
use store::Store;

/// Limits on an upload session, each with its reason.
pub mod limits {
    /// Files in a container: ten are needed, zip archives and spares come on top.
    pub const FILES_MAX: usize = 64;
    /// Characters of a file name.
    pub const NAME_CHARACTERS_MAX: usize = 128;
    /// Blocks of one file: Azure's own limit.
    pub const BLOCKS_MAX: usize = 50_000;
    /// A block list: 50,000 entries of some 100 bytes.
    pub const BLOCK_LIST_BYTES_MAX: usize = 8 * 1024 * 1024;
}

/// What the protocol needs.
#[derive(Clone)]
pub struct UploadService {
    /// Files and sessions.
    pub store: Store,
    /// Signs session URLs.
    pub key: hmac::Key,
    /// Largest file, bytes.
    pub max_file_bytes: u64,
}

impl std::fmt::Debug for UploadService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UploadService").field("max_file_bytes", &self.max_file_bytes).finish_non_exhaustive()
    }
}
