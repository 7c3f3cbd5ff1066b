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
mod folders;
mod jobs;
mod migrations;
mod secrets;
mod tx;
mod value;

#[cfg(test)]
#[path = "../tests/it/postgres.rs"]
mod test_postgres;

pub use blobs::{BlobStore, BlobWriter};
pub use context::{Actor, Grants, OpContext, TenantId};
pub use docs::{Access, Doc, Docs};
pub use jobs::{Job, NewJob};
pub use migrations::schema_version;
pub use secrets::Secrets;
pub use tx::Tx;
pub use value::{Row, Value};

use engine::{Connection, Pool, Role, Target};
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
    /// The unit of work panicked: a bug. It was rolled back.
    #[error("the work on the database was broken off by a bug and undone; the log has the panic")]
    Panicked,
    /// A unit of work inside of another one.
    #[error("a unit of work was started inside another one")]
    Nested,
    /// An earlier statement of this unit of work has failed, so that it can only be undone.
    #[error("an earlier statement of this unit of work has failed")]
    Doomed,
    /// Something that not every engine can hold, or that could not be read again.
    #[error("{0} cannot be stored")]
    Unstorable(&'static str),
    /// A database that cannot be used.
    #[error("this database cannot be used: {0}")]
    Unsuitable(String),
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

impl StoreError {
    /// The error with all its causes, for a log: "PostgreSQL" alone helps nobody.
    pub fn with_causes(&self) -> String {
        with_causes(self)
    }
}

pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        // Other constraints (foreign keys, NOT NULL, types) are bugs and not something that a user can mend.
        match error.sqlite_error().map(|error| error.extended_code) {
            Some(rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => Self::Duplicate,
            _ => Self::Sqlite(error),
        }
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
#[derive(Clone)]
pub struct StoreConfig {
    /// Directory of the SQLite database, the blobs and the master key.
    pub data_dir: PathBuf,
    /// PostgreSQL in place of SQLite.
    pub database_url: Option<String>,
}

impl std::fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL may have a password in it.
        let database_url = self.database_url.as_ref().map(|_| "…");
        f.debug_struct("StoreConfig").field("data_dir", &self.data_dir).field("database_url", &database_url).finish()
    }
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
    /// May be called anywhere, also inside an async runtime; it blocks until the database answers.
    pub fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        let dir = &config.data_dir;
        folders::take_data_dir(dir)
            .map_err(|source| StoreError::Io { what: format!("use the data directory {}", dir.display()), source })?;
        let key = dir.join("master.key");
        // The key is made before the database: where there is one and no key, the key has been lost.
        if dir.join("homeroom.db").exists() && !key.exists() {
            return Err(StoreError::Secrets(format!(
                "{} is missing, and nothing that was encrypted with it can be read without it: put it back from the backup",
                key.display()
            )));
        }
        let secrets = Secrets::open(&key)?;
        let (target, writers) = match &config.database_url {
            Some(url) => (Target::postgres(url)?, POSTGRES_WRITERS),
            None => (Target::Sqlite(database_file(dir)?), 1),
        };
        engine::on_plain_thread(|| migrations::migrate(&mut Connection::open(&target, Role::Writer)?))?;
        Ok(Self {
            inner: Arc::new(Inner {
                readers: Pool::start(&target, READERS, Role::Reader)?,
                writers: Pool::start(&target, writers, Role::Writer)?,
                blobs: BlobStore::open(&dir.join("blobs"))?,
                secrets,
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
        run(&self.inner.readers, ctx, f).await
    }

    /// Writes in one transaction: committed and durable when this answers `Ok`, undone on `Err`.
    pub async fn write<T, E>(&self, ctx: &OpContext, f: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        run(&self.inner.writers, ctx, f).await
    }

    /// [`Store::read`] for threads outside the runtime.
    pub fn read_blocking<T, E>(&self, ctx: &OpContext, f: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        run_blocking(&self.inner.readers, ctx, f)
    }

    /// [`Store::write`] for threads outside the runtime.
    pub fn write_blocking<T, E>(&self, ctx: &OpContext, f: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        run_blocking(&self.inner.writers, ctx, f)
    }
}

async fn run<T, E>(pool: &Pool, ctx: &OpContext, f: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (reply, answer) = tokio::sync::oneshot::channel();
    let (ctx, role) = (ctx.clone(), pool.role);
    let work = Box::new(move |connection: &mut Connection| {
        // Nobody waits any more: the outcome stands all the same.
        let _ = reply.send(unit(connection, role, &ctx, f));
    });
    if let Some(work) = pool.try_submit(work)? {
        // The line in front of the threads is full: waiting for it must not block the runtime.
        let pool = pool.clone();
        tokio::task::spawn_blocking(move || pool.submit(work)).await.unwrap_or(Err(StoreError::Closed))?;
    }
    answer.await.unwrap_or_else(|_| Err(StoreError::Panicked.into()))
}

fn run_blocking<T, E>(pool: &Pool, ctx: &OpContext, f: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (reply, answer) = std::sync::mpsc::sync_channel(1);
    let (ctx, role) = (ctx.clone(), pool.role);
    pool.submit(Box::new(move |connection: &mut Connection| {
        let _ = reply.send(unit(connection, role, &ctx, f));
    }))?;
    answer.recv().unwrap_or_else(|_| Err(StoreError::Panicked.into()))
}

/// One transaction around a closure: committed on `Ok`, rolled back by the drop on `Err` and on a panic.
fn unit<T, E: From<StoreError>>(
    connection: &mut Connection,
    role: Role,
    ctx: &OpContext,
    f: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let mut tx = Tx::new(connection.begin(role, tenant_lock(ctx.tenant))?, ctx);
    let value = f(&mut tx)?;
    tx.commit()?;
    Ok(value)
}

/// The number of the lock that a tenant's writers take turns by on PostgreSQL: rules such as "no second
/// flow of a kind" look first and write then. Two tenants that share a number only wait for each other.
fn tenant_lock(tenant: TenantId) -> i64 {
    let (high, low) = tenant.0.as_u64_pair();
    (high ^ low).cast_signed()
}

/// The file of the SQLite database, made before SQLite does so that only its owner may look; SQLite
/// gives the files beside it the same mode.
fn database_file(dir: &Path) -> Result<PathBuf, StoreError> {
    let path = dir.join("homeroom.db");
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(&path) {
        Ok(_) => Ok(path),
        Err(source) => Err(StoreError::Io { what: format!("make the database {}", path.display()), source }),
    }
}
