//! The two database engines behind one connection type, and the threads that own connections.
//!
//! Connections are opened, used and dropped on these threads only: the PostgreSQL client drives an
//! async runtime of its own and panics when that happens inside another one.

use crate::{StoreError, Value, value::Row};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Work waiting for a connection; more than this many callers wait in line outside.
const QUEUE_MAX: usize = 256;
/// How long a writer waits for another process's writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// A database server that does not answer is an error after this long, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Set once for every session on PostgreSQL. The second timeout frees the locks of a machine that
/// has gone away in the middle of a transaction; without it only TCP would notice, after hours.
const SESSION: &str = "SET synchronous_commit = on; SET statement_timeout = '15min'; SET idle_in_transaction_session_timeout = '5min'";

/// Locks that are not a tenant's. Any fixed numbers do; they only have to be the same in every process.
pub(crate) const LOCK_MIGRATE: i64 = 4_820_137;
pub(crate) const LOCK_CLAIM: i64 = 4_820_138;

/// What a connection is for; the engine refuses writes by readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Reader,
    Writer,
}

#[derive(Clone)]
pub(crate) enum Target {
    Sqlite(PathBuf),
    Postgres(Box<postgres::Config>),
}

impl Target {
    pub(crate) fn postgres(url: &str) -> Result<Self, StoreError> {
        let mut config: postgres::Config = url.parse().map_err(StoreError::Postgres)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("homeroom");
        }
        Ok(Self::Postgres(Box::new(config)))
    }
}

pub(crate) enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(Box<Postgres>),
}

/// A PostgreSQL connection that knows how to come back.
pub(crate) struct Postgres {
    pub(crate) client: postgres::Client,
    config: postgres::Config,
}

impl Connection {
    pub(crate) fn open(target: &Target, role: Role) -> Result<Self, StoreError> {
        match target {
            Target::Sqlite(path) => Ok(Self::Sqlite(open_sqlite(path, role)?)),
            Target::Postgres(config) => {
                Ok(Self::Postgres(Box::new(Postgres { client: connect_postgres(config)?, config: config.as_ref().clone() })))
            }
        }
    }

    /// Opens a transaction. On PostgreSQL, a lock makes it wait until no other holder of that lock is
    /// open, as SQLite does with every writer.
    pub(crate) fn begin(&mut self, role: Role, lock: i64) -> Result<Handle<'_>, StoreError> {
        let raw = match self {
            Self::Sqlite(sqlite) => {
                if !sqlite.is_autocommit() {
                    sqlite.execute_batch("ROLLBACK")?;
                }
                // IMMEDIATE: a writer that reads first would otherwise fail at once when another process writes.
                sqlite.execute_batch(if role == Role::Writer { "BEGIN IMMEDIATE" } else { "BEGIN" })?;
                Raw::Sqlite(sqlite)
            }
            Self::Postgres(postgres) => {
                postgres.begin(role, lock)?;
                Raw::Postgres(&mut postgres.client)
            }
        };
        Ok(Handle { raw, open: true, doomed: false })
    }
}

impl Postgres {
    fn begin(&mut self, role: Role, lock: i64) -> Result<(), StoreError> {
        let sql = match role {
            Role::Reader => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned(),
            // READ COMMITTED with the lock taken first: each statement sees all that earlier holders have committed.
            Role::Writer => format!("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_advisory_xact_lock({lock})"),
        };
        let Err(error) = self.client.batch_execute(&sql) else { return Ok(()) };
        if error.code() == Some(&postgres::error::SqlState::QUERY_CANCELED) {
            self.client.batch_execute("ROLLBACK")?;
            return Err(error.into());
        }
        // The server was restarted, or something between has cut an idle connection. Nothing of this
        // unit of work has happened yet, so it can be begun anew without anybody noticing.
        tracing::warn!(error = %crate::with_causes(&error), "a database connection was lost and is opened anew");
        self.client = connect_postgres(&self.config)?;
        Ok(self.client.batch_execute(&sql)?)
    }
}

fn connect_postgres(config: &postgres::Config) -> Result<postgres::Client, StoreError> {
    let mut client = config.connect(postgres::NoTls)?;
    client.batch_execute(SESSION)?;
    Ok(client)
}

fn open_sqlite(path: &Path, role: Role) -> Result<rusqlite::Connection, StoreError> {
    let began = Instant::now();
    loop {
        match try_open_sqlite(path, role) {
            // The change to WAL needs the file alone and does not wait for that by itself.
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) && began.elapsed() < BUSY_TIMEOUT => {
                std::thread::sleep(Duration::from_millis(5));
            }
            outcome => return Ok(outcome?),
        }
    }
}

fn try_open_sqlite(path: &Path, role: Role) -> rusqlite::Result<rusqlite::Connection> {
    let connection = rusqlite::Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // FULL: an acknowledged write survives a power cut, not only a crash of the process.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;",
    )?;
    if role == Role::Reader {
        connection.execute_batch("PRAGMA query_only = ON")?;
    }
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// A unit of work, run on one of the store's own threads.
pub(crate) type Work = Box<dyn FnOnce(&mut Connection) + Send>;

thread_local! {
    static IS_STORE_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Threads that each own a connection and take work from one queue.
#[derive(Clone)]
pub(crate) struct Pool {
    sender: SyncSender<Work>,
    pub(crate) role: Role,
}

impl Pool {
    pub(crate) fn start(target: &Target, threads: usize, role: Role) -> Result<Self, StoreError> {
        let (sender, receiver) = sync_channel::<Work>(QUEUE_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        let (opened, outcomes) = sync_channel(threads);
        for number in 0..threads {
            let (receiver, target, opened) = (Arc::clone(&receiver), target.clone(), opened.clone());
            let name = if role == Role::Reader { "read" } else { "write" };
            std::thread::Builder::new()
                .name(format!("store-{name}-{number}"))
                .spawn(move || {
                    IS_STORE_THREAD.set(true);
                    let connection = Connection::open(&target, role);
                    let (connection, outcome) = match connection {
                        Ok(connection) => (Some(connection), Ok(())),
                        Err(error) => (None, Err(error)),
                    };
                    let _ = opened.send(outcome);
                    drop(opened);
                    if let Some(connection) = connection {
                        serve(connection, &target, role, &receiver);
                    }
                })
                .map_err(|source| StoreError::Io { what: "start a store thread".to_owned(), source })?;
        }
        drop(opened);
        outcomes.iter().collect::<Result<Vec<()>, _>>()?;
        Ok(Self { sender, role })
    }

    /// Hands over work, waiting while the line is full.
    pub(crate) fn submit(&self, work: Work) -> Result<(), StoreError> {
        // One unit of work inside another waits for a thread that waits for it.
        if IS_STORE_THREAD.get() {
            return Err(StoreError::Nested);
        }
        self.sender.send(work).map_err(|_| StoreError::Closed)
    }

    /// Hands over work without waiting; gives it back when the line is full.
    pub(crate) fn try_submit(&self, work: Work) -> Result<Option<Work>, StoreError> {
        match self.sender.try_send(work) {
            Ok(()) => Ok(None),
            Err(TrySendError::Full(work)) => Ok(Some(work)),
            Err(TrySendError::Disconnected(_)) => Err(StoreError::Closed),
        }
    }
}

/// Runs something on a thread outside any runtime and waits for it.
pub(crate) fn on_plain_thread<T: Send>(f: impl FnOnce() -> Result<T, StoreError> + Send) -> Result<T, StoreError> {
    std::thread::scope(|scope| scope.spawn(f).join()).unwrap_or(Err(StoreError::Panicked))
}

fn serve(mut connection: Connection, target: &Target, role: Role, receiver: &Mutex<Receiver<Work>>) {
    loop {
        let next = match receiver.lock() {
            Ok(receiver) => receiver.recv(),
            Err(_) => return,
        };
        let Ok(work) = next else { return };
        // A closure that panics must not take the thread, and with it the store, down.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&mut connection))).is_err() {
            // Its transaction is rolled back already; a fresh connection is for what else it may have left behind.
            tracing::error!("a unit of work panicked; its store connection is opened anew");
            match Connection::open(target, role) {
                Ok(fresh) => connection = fresh,
                Err(error) => tracing::error!(error = %error.with_causes(), "the database cannot be reached"),
            }
        }
    }
}

/// An open transaction of either engine: rolled back when dropped without a commit, also by a panic.
pub(crate) struct Handle<'a> {
    raw: Raw<'a>,
    open: bool,
    /// A statement has failed. PostgreSQL then ignores the rest and turns the commit into a rollback
    /// without saying so, and SQLite may have rolled back already: on both, nothing more can be done here.
    doomed: bool,
}

enum Raw<'a> {
    Sqlite(&'a rusqlite::Connection),
    Postgres(&'a mut postgres::Client),
}

/// `$1` is the one placeholder style; SQLite calls it `?1`. Quoted text, such as JSON paths, is left alone.
fn sqlite_sql(sql: &str) -> std::borrow::Cow<'_, str> {
    if !sql.contains('$') {
        return std::borrow::Cow::Borrowed(sql);
    }
    let mut out = String::with_capacity(sql.len());
    let mut quoted = false;
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        quoted ^= c == '\'';
        let placeholder = c == '$' && !quoted && chars.peek().is_some_and(char::is_ascii_digit);
        out.push(if placeholder { '?' } else { c });
    }
    std::borrow::Cow::Owned(out)
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Owned::Null),
            Self::Int(n) => ToSqlOutput::Owned(Owned::Integer(*n)),
            Self::Text(t) => ToSqlOutput::Borrowed(ValueRef::Text(t.as_bytes())),
            Self::Blob(b) => ToSqlOutput::Borrowed(ValueRef::Blob(b)),
        })
    }
}

impl postgres::types::ToSql for Value {
    fn to_sql(
        &self,
        ty: &postgres::types::Type,
        out: &mut postgres::types::private::BytesMut,
    ) -> Result<postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        // Each checked against the type of the column: the bytes of a number would else be taken for a text.
        match self {
            Self::Null => Ok(postgres::types::IsNull::Yes),
            Self::Int(n) if *ty == postgres::types::Type::INT4 => i32::try_from(*n)?.to_sql(ty, out),
            Self::Int(n) => n.to_sql_checked(ty, out),
            Self::Text(t) => t.as_str().to_sql_checked(ty, out),
            Self::Blob(b) => b.as_slice().to_sql_checked(ty, out),
        }
    }
    fn accepts(_: &postgres::types::Type) -> bool {
        true
    }
    postgres::types::to_sql_checked!();
}

impl Handle<'_> {
    /// Runs statements and remembers when that fails.
    fn attempt<T>(&mut self, f: impl FnOnce(&mut Raw<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.doomed {
            return Err(StoreError::Doomed);
        }
        let outcome = f(&mut self.raw);
        self.doomed = outcome.is_err();
        outcome
    }

    pub(crate) fn commit(&mut self) -> Result<(), StoreError> {
        self.attempt(|raw| match raw {
            Raw::Sqlite(c) => Ok(c.execute_batch("COMMIT")?),
            Raw::Postgres(c) => Ok(c.batch_execute("COMMIT")?),
        })?;
        self.open = false;
        Ok(())
    }

    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        crate::value::check_storable(params)?;
        self.attempt(|raw| match raw {
            Raw::Sqlite(c) => Ok(c.prepare_cached(&sqlite_sql(sql))?.execute(rusqlite::params_from_iter(params))? as u64),
            Raw::Postgres(c) => {
                let params: Vec<&(dyn postgres::types::ToSql + Sync)> = params.iter().map(|p| p as _).collect();
                Ok(c.execute(sql, &params)?)
            }
        })
    }

    pub(crate) fn execute_many<'p>(&mut self, sql: &str, rows: impl Iterator<Item = &'p [Value]>) -> Result<u64, StoreError> {
        self.attempt(|raw| {
            let mut changed = 0;
            match raw {
                Raw::Sqlite(c) => {
                    let mut statement = c.prepare_cached(&sqlite_sql(sql))?;
                    for row in rows {
                        crate::value::check_storable(row)?;
                        changed += statement.execute(rusqlite::params_from_iter(row))? as u64;
                    }
                }
                Raw::Postgres(c) => {
                    let statement = c.prepare(sql)?;
                    for row in rows {
                        crate::value::check_storable(row)?;
                        let params: Vec<&(dyn postgres::types::ToSql + Sync)> = row.iter().map(|p| p as _).collect();
                        changed += c.execute(&statement, &params)?;
                    }
                }
            }
            Ok(changed)
        })
    }

    pub(crate) fn each<E: From<StoreError>>(
        &mut self,
        sql: &str,
        params: &[Value],
        mut f: impl FnMut(&Row) -> Result<(), E>,
    ) -> Result<(), E> {
        crate::value::check_storable(params)?;
        // What the callback says is not the database's failure and dooms nothing.
        let mut stopped = None;
        self.attempt(|raw| {
            each_row(raw, sql, params, |row| match f(&row) {
                Ok(()) => true,
                Err(error) => {
                    stopped = Some(error);
                    false
                }
            })
        })?;
        stopped.map_or(Ok(()), Err)
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.raw, Raw::Postgres(_))
    }
}

impl Drop for Handle<'_> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let outcome = match &mut self.raw {
            Raw::Sqlite(c) if c.is_autocommit() => Ok(()),
            Raw::Sqlite(c) => c.execute_batch("ROLLBACK").map_err(StoreError::from),
            // A connection that is gone has taken its transaction along.
            Raw::Postgres(c) if c.is_closed() => Ok(()),
            Raw::Postgres(c) => c.batch_execute("ROLLBACK").map_err(StoreError::from),
        };
        if let Err(error) = outcome {
            tracing::warn!(error = %error.with_causes(), "a transaction could not be rolled back");
        }
    }
}

/// Row by row until the callback says `false`.
fn each_row(raw: &mut Raw<'_>, sql: &str, params: &[Value], mut more: impl FnMut(Row) -> bool) -> Result<(), StoreError> {
    match raw {
        Raw::Sqlite(c) => {
            let mut statement = c.prepare_cached(&sqlite_sql(sql))?;
            let columns = statement.column_count();
            let mut rows = statement.query(rusqlite::params_from_iter(params))?;
            while let Some(row) = rows.next()? {
                if !more(Row((0..columns).map(|i| sqlite_value(row, i)).collect::<Result<_, _>>()?)) {
                    break;
                }
            }
        }
        Raw::Postgres(c) => {
            use postgres::fallible_iterator::FallibleIterator as _;
            let mut rows = c.query_raw(sql, params.iter())?;
            while let Some(row) = rows.next()? {
                if !more(Row((0..row.len()).map(|i| postgres_value(&row, i)).collect::<Result<_, _>>()?)) {
                    break;
                }
            }
        }
    }
    Ok(())
}

fn sqlite_value(row: &rusqlite::Row<'_>, index: usize) -> Result<Value, StoreError> {
    use rusqlite::types::ValueRef;
    Ok(match row.get_ref(index)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => Value::Int(n),
        ValueRef::Real(_) => return Err(StoreError::Corrupt(format!("column {index} is a fraction"))),
        ValueRef::Text(t) => {
            Value::Text(std::str::from_utf8(t).map_err(|_| StoreError::Corrupt(format!("column {index} is not UTF-8")))?.to_owned())
        }
        ValueRef::Blob(b) => Value::Blob(b.to_vec()),
    })
}

fn postgres_value(row: &postgres::Row, index: usize) -> Result<Value, StoreError> {
    use postgres::types::Type;
    let ty = row.columns()[index].type_();
    Ok(match *ty {
        Type::INT8 => row.try_get::<_, Option<i64>>(index)?.into(),
        Type::INT4 => row.try_get::<_, Option<i32>>(index)?.map(i64::from).into(),
        // SQLite has no booleans: 0 and 1 on both.
        Type::BOOL => row.try_get::<_, Option<bool>>(index)?.map(i64::from).into(),
        Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(index)?.into(),
        Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => return Err(StoreError::Corrupt(format!("column {index} is a fraction"))),
        _ => row.try_get::<_, Option<String>>(index)?.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::sqlite_sql;

    #[test]
    fn placeholders_are_rewritten_outside_quoted_text_only() {
        assert_eq!(sqlite_sql("SELECT 1"), "SELECT 1");
        assert_eq!(sqlite_sql("a = $1 AND b = $12"), "a = ?1 AND b = ?12");
        assert_eq!(sqlite_sql("body ->> '$.1' = $1 AND x = 'it''s $2' AND y = $3"), "body ->> '$.1' = ?1 AND x = 'it''s $2' AND y = ?3");
    }
}
