//! Upload sessions: the part of Azure Blob Storage and of Data Lake Storage Gen2 that clients use
//! behind a `sessionUrl`.
//!
//! A session is a container with a signed URL, `/{tenantId}/{connectorId}/{containerId}?{sas}`.
//! Bodies are streamed to disk; a file is there when it was acknowledged, and only then.
//!
//! On disk a container is `uploads/{containerId}` of its tenant: `files` holds what was committed,
//! `staging` what is on its way there. Whatever changes `files` does so in a transaction that holds
//! the session open, so that no file changes once [`close_session`] has been committed.

mod block_list;
mod files;
mod properties;
mod protocol;
mod sas;
mod sessions;
#[cfg(test)]
mod testing;
mod usage;

pub use block_list::{BlockListError, BlockSource, read_block_list};
pub use files::{Container, UploadedFile};
pub use protocol::{BodyStream, UploadBody, UploadRequest, UploadResponse, handle};
pub use sas::Rights;
pub use sessions::{Session, SessionTerms, close_session, discard_session, open_session, sweep};

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
    /// Bytes of a block id before base64: Azure's own limit.
    pub const BLOCK_ID_BYTES_MAX: usize = 64;
    /// What may be staged for one file, in files of the greatest size: the pieces of an upload that
    /// was broken off lie there beside those of the next try.
    pub const STAGED_FILES_MAX: u64 = 2;
    /// Bytes of a range whose hash is asked for, because it is answered in front of them: Azure's own limit.
    pub const HASHED_RANGE_BYTES_MAX: u64 = 4 * 1024 * 1024;
    /// Bytes of all metadata of a file: Azure's own limit.
    pub const METADATA_BYTES_MAX: usize = 8 * 1024;
    /// Entries of one page of a list: Azure's own limit.
    pub const LIST_ENTRIES_MAX: usize = 5_000;
}

/// Limits that the operator sets.
#[derive(Debug, Clone, Copy)]
pub struct UploadLimits {
    /// Largest file, bytes.
    pub file_bytes: u64,
    /// All that a session holds, bytes: files, and the pieces of those that are on their way.
    pub session_bytes: u64,
}

/// What the protocol needs; clones share it.
#[derive(Clone)]
pub struct UploadService {
    store: Store,
    key: hmac::Key,
    limits: UploadLimits,
    usage: usage::Usage,
}

impl UploadService {
    /// Files and sessions are in `store`; `key` signs session URLs.
    #[must_use]
    pub fn new(store: Store, key: hmac::Key, limits: UploadLimits) -> Self {
        Self { store, key, limits, usage: usage::Usage::default() }
    }
}

impl std::fmt::Debug for UploadService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UploadService").field("limits", &self.limits).finish_non_exhaustive()
    }
}
