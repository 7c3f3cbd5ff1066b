//! The store: SQLite or PostgreSQL behind one synchronous unit of work.
//!
//! A unit of work is a plain closure that runs on one of the store's own threads, inside one
//! transaction; nothing is awaited while it is open, so a client that goes away in the middle of a
//! request cannot leave half of a change behind. Every unit of work has an [`OpContext`]; the
//! tenant in it is the first part of every key, and the permissions in it are asked for by
//! [`Tx::docs`].
//!
//! ```ignore
//! let id = store.write(&ctx, |tx| tx.docs(&access)?.insert("1", None, &body)).await?;
//! ```

mod blobs;
mod context;
mod docs;
mod engine;
mod jobs;
mod migrations;
mod secrets;
mod tx;
mod value;

pub use blobs::{BlobStore, BlobWriter};
pub use context::{Actor, Grants, OpContext, TenantId};
pub use docs::{Access, Doc, Docs};
pub use jobs::{Job, NewJob};
pub use migrations::schema_version;
pub use secrets::Secrets;
pub use tx::Tx;
pub use value::{Row, Value};

use engine::{Connection, Handle, Pool, Target};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Threads that only read. Two cores are served by few; more would only wait for each other.
const READERS: usize = 3;
/// Writers on PostgreSQL. SQLite has one writer by nature.
const POSTGRES_WRITERS: usize = 4;

/// What the store can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The actor lacks every permission that would do.
    #[error("this needs one of the permissions {}", needed.join(", "))]
    Forbidden {
        /// Least privileged first.
        needed: Vec<String>,
    },
    /// Somebody else changed the document first.
    #[error("the document has changed meanwhile")]
    VersionConflict,
    /// A key that is in use.
    #[error("the key is in use")]
    Duplicate,
    /// The job was taken over by another worker.
    #[error("the lease on this job has been lost to another worker")]
    StaleLease,
    /// The data are of a newer version of Homeroom.
    #[error("the data have schema version {found}, this program knows up to {known}: use a newer homeroom")]
    NewerSchema {
        /// In the database.
        found: i64,
        /// Known here.
        known: i64,
    },
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
    /// Something stored cannot be read back.
    #[error("stored data cannot be read: {0}")]
    Corrupt(String),
    /// Encryption at rest.
    #[error("secrets: {0}")]
    Secrets(String),
    /// A blob key that could leave the tenant's folder.
    #[error("'{0}' is not a blob key")]
    BadKey(String),
    /// Files.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// SQLite.
    #[error("SQLite")]
    Sqlite(#[source] rusqlite::Error),
    /// PostgreSQL.
    #[error("PostgreSQL")]
    Postgres(#[source] postgres::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) {
            return Self::Duplicate;
        }
        Self::Sqlite(error)
    }
}

impl From<postgres::Error> for StoreError {
    fn from(error: postgres::Error) -> Self {
        if error.code() == Some(&postgres::error::SqlState::UNIQUE_VIOLATION) {
            return Self::Duplicate;
        }
        Self::Postgres(error)
    }
}

/// Where the data are.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// Directory of the SQLite database, the blobs and the master key.
    pub data_dir: PathBuf,
    /// PostgreSQL in place of SQLite.
    pub database_url: Option<String>,
}

/// The store; clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    readers: Pool,
    writers: Pool,
    blobs: BlobStore,
    secrets: Secrets,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("blobs", &self.inner.blobs).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store, making the directory, the schema and the master key when they are not there.
    pub fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        let dir = &config.data_dir;
        std::fs::create_dir_all(dir)
            .map_err(|source| StoreError::Io { what: format!("make the data directory {}", dir.display()), source })?;
        restrict(dir)?;
        let (target, writers) = match &config.database_url {
            Some(url) => (Target::Postgres(url.clone()), POSTGRES_WRITERS),
            None => (Target::Sqlite(dir.join("homeroom.db")), 1),
        };
        migrations::migrate(&mut Connection::open(&target)?)?;
        Ok(Self {
            inner: Arc::new(Inner {
                readers: Pool::start(&target, READERS, "read")?,
                writers: Pool::start(&target, writers, "write")?,
                blobs: BlobStore::open(&dir.join("blobs"))?,
                secrets: Secrets::open(&dir.join("master.key"))?,
            }),
        })
    }

    /// Files.
    pub fn blobs(&self) -> &BlobStore {
        &self.inner.blobs
    }

    /// Encryption at rest.
    pub fn secrets(&self) -> &Secrets {
        &self.inner.secrets
    }

    /// Reads in one snapshot.
    pub async fn read<T, E>(&self, ctx: &OpContext, f: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.run(&self.inner.readers, ctx, false, f).await
    }

    /// Writes in one transaction: committed and durable when this answers `Ok`, undone on `Err`.
    pub async fn write<T, E>(&self, ctx: &OpContext, f: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.run(&self.inner.writers, ctx, true, f).await
    }

    async fn run<T, E>(
        &self,
        pool: &Pool,
        ctx: &OpContext,
        writes: bool,
        f: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let ctx = ctx.clone();
        let pool = pool.clone();
        // The line in front of the threads may be full: waiting for it must not block the runtime.
        let work = Box::new(move |connection: &mut Connection| {
            // Nobody waits any more: the outcome stands all the same.
            let _ = reply.send(unit(connection, &ctx, writes, f));
        });
        match tokio::task::spawn_blocking(move || pool.submit(work)).await {
            Ok(submitted) => submitted?,
            Err(_) => return Err(StoreError::Closed.into()),
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::Closed.into()))
    }

    /// [`Store::read`] for threads outside the runtime.
    pub fn read_blocking<T, E>(&self, ctx: &OpContext, f: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        run_blocking(&self.inner.readers, ctx, false, f)
    }

    /// [`Store::write`] for threads outside the runtime.
    pub fn write_blocking<T, E>(&self, ctx: &OpContext, f: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        run_blocking(&self.inner.writers, ctx, true, f)
    }
}

fn run_blocking<T, E>(
    pool: &Pool,
    ctx: &OpContext,
    writes: bool,
    f: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (reply, answer) = std::sync::mpsc::sync_channel(1);
    let ctx = ctx.clone();
    pool.submit(Box::new(move |connection: &mut Connection| {
        let _ = reply.send(unit(connection, &ctx, writes, f));
    }))?;
    answer.recv().unwrap_or_else(|_| Err(StoreError::Closed.into()))
}

/// One transaction around a closure.
fn unit<T, E: From<StoreError>>(
    connection: &mut Connection,
    ctx: &OpContext,
    writes: bool,
    f: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    match connection {
        Connection::Sqlite(sqlite) => {
            // IMMEDIATE: a writer that reads first would otherwise fail at once when another process writes.
            let begin = if writes { "BEGIN IMMEDIATE" } else { "BEGIN" };
            sqlite.execute_batch(begin).map_err(StoreError::from)?;
            let guard = Rollback(sqlite);
            let result = f(&mut Tx::new(Handle::Sqlite(guard.0), ctx));
            if result.is_ok() {
                guard.commit()?;
            }
            result
        }
        Connection::Postgres(client) => {
            let transaction = client.build_transaction().read_only(!writes).isolation_level(postgres::IsolationLevel::RepeatableRead);
            let transaction = if writes { transaction.isolation_level(postgres::IsolationLevel::ReadCommitted) } else { transaction };
            let transaction = transaction.start().map_err(StoreError::from)?;
            let mut tx = Tx::new(Handle::Postgres(transaction), ctx);
            let result = f(&mut tx);
            if result.is_ok() {
                tx.commit_postgres()?;
            }
            result
        }
    }
}

/// Rolls back when dropped without a commit, also when the closure panics.
struct Rollback<'a>(&'a rusqlite::Connection);

impl Rollback<'_> {
    fn commit(&self) -> Result<(), StoreError> {
        Ok(self.0.execute_batch("COMMIT")?)
    }
}

impl Drop for Rollback<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit()
            && let Err(error) = self.0.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }
}

/// The data directory holds secrets: only its owner may look.
#[cfg(unix)]
fn restrict(dir: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))
        .map_err(|source| StoreError::Io { what: format!("restrict access to {}", dir.display()), source })
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> Result<(), StoreError> {
    Ok(())
}
