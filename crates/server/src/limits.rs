//! Limits of the HTTP surface, each with its reason.

/// A JSON body. The largest real one, a user flow with all its configurations, is some 10 KiB.
pub(crate) const JSON_BODY_BYTES_MAX: usize = 1024 * 1024;

/// Path and query. Filters are the long part; proxies cut at 8 KiB to 16 KiB anyway.
pub(crate) const URL_BYTES_MAX: usize = 16 * 1024;

/// Smaller answers are not compressed: they fit into one packet either way.
pub(crate) const COMPRESSED_BYTES_MIN: u16 = 1024;

/// A batch. Graph takes 4 MiB in one request; twenty parts of real size stay far below it.
pub(crate) const BATCH_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A document of another issuer: discovery or keys. Microsoft Entra's largest has 20 KiB.
pub(crate) const ISSUER_DOCUMENT_BYTES_MAX: usize = 512 * 1024;

/// Reports being made at the same time: each one holds a thread and reads a log of any length.
pub(crate) const REPORTS_MAX: usize = 4;

/// Sources that a tenant sets up: each is a connection every now and then.
pub(crate) const SOURCES_MAX: usize = 32;

/// Jobs of a kind at the same time. A job holds one thread, and a second one while it pulls, of the 512 that the runtime has
/// for what waits; requests and the claims of jobs need some of them too.
pub(crate) const JOBS_AT_ONCE_MAX: u32 = 64;

/// Looks at sources at the same time: each may be a connection, and a fetch to the disk. The others wait for their turn.
pub(crate) const LOOKS_MAX: usize = 8;

/// A client that takes nothing of its report for this time does not want it.
pub(crate) const REPORT_STALL_SECONDS: u64 = 30;
