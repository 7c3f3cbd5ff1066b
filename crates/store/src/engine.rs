//! The two database engines behind one connection type, and the threads that own connections.

use crate::{StoreError, Value, value::Row};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

/// Work waiting for a connection; more than this many callers wait in line outside.
const QUEUE_MAX: usize = 256;
/// How long a writer waits for another process's writer, milliseconds.
const BUSY_TIMEOUT_MS: u64 = 10_000;

pub(crate) enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(Box<postgres::Client>),
}

#[derive(Clone)]
pub(crate) enum Target {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Connection {
    pub(crate) fn open(target: &Target) -> Result<Self, StoreError> {
        match target {
            Target::Sqlite(path) => Ok(Self::Sqlite(open_sqlite(path)?)),
            Target::Postgres(url) => {
                let mut client = postgres::Client::connect(url, postgres::NoTls)?;
                client.batch_execute("SET synchronous_commit = on; SET statement_timeout = '15min'")?;
                Ok(Self::Postgres(Box::new(client)))
            }
        }
    }
}

fn open_sqlite(path: &Path) -> Result<rusqlite::Connection, StoreError> {
    let connection = rusqlite::Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS))?;
    // FULL: an acknowledged write survives a power cut, not only a crash of the process.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
         PRAGMA cache_size = -65536; PRAGMA temp_store = MEMORY;",
    )?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// A unit of work, run on one of the store's own threads.
pub(crate) type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// Threads that each own a connection and take work from one queue.
#[derive(Clone)]
pub(crate) struct Pool {
    sender: SyncSender<Work>,
}

impl Pool {
    pub(crate) fn start(target: &Target, threads: usize, name: &str) -> Result<Self, StoreError> {
        let (sender, receiver) = sync_channel::<Work>(QUEUE_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..threads {
            let connection = Connection::open(target)?;
            let receiver = Arc::clone(&receiver);
            let target = target.clone();
            std::thread::Builder::new()
                .name(format!("store-{name}-{number}"))
                .spawn(move || serve(connection, &target, &receiver))
                .map_err(|error| StoreError::Io { what: "start a store thread".to_owned(), source: error })?;
        }
        Ok(Self { sender })
    }

    pub(crate) fn submit(&self, work: Work) -> Result<(), StoreError> {
        self.sender.send(work).map_err(|_| StoreError::Closed)
    }
}

fn serve(mut connection: Connection, target: &Target, receiver: &Mutex<Receiver<Work>>) {
    loop {
        let next = match receiver.lock() {
            Ok(receiver) => receiver.recv(),
            Err(_) => return,
        };
        let Ok(work) = next else { return };
        // A closure that panics must not take the thread, and with it the store, down.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&mut connection)));
        let broken = matches!(&connection, Connection::Postgres(client) if client.is_closed());
        if outcome.is_err() || broken {
            tracing::warn!("a store connection is opened anew");
            match Connection::open(target) {
                Ok(fresh) => connection = fresh,
                Err(error) => {
                    tracing::error!(%error, "the database cannot be reached");
                    std::thread::sleep(std::time::Duration::from_millis(500));
                }
            }
        }
    }
}

/// What statements run on: an open transaction of either engine.
pub(crate) enum Handle<'a> {
    Sqlite(&'a rusqlite::Connection),
    Postgres(postgres::Transaction<'a>),
}

/// `$1` is the one placeholder style; SQLite calls it `?1`.
fn sqlite_sql(sql: &str) -> std::borrow::Cow<'_, str> {
    if sql.contains('$') { std::borrow::Cow::Owned(sql.replace('$', "?")) } else { std::borrow::Cow::Borrowed(sql) }
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
        match self {
            Self::Null => Ok(postgres::types::IsNull::Yes),
            Self::Int(n) if *ty == postgres::types::Type::INT4 => i32::try_from(*n)?.to_sql(ty, out),
            Self::Int(n) => n.to_sql(ty, out),
            Self::Text(t) => t.as_str().to_sql(ty, out),
            Self::Blob(b) => b.as_slice().to_sql(ty, out),
        }
    }
    fn accepts(_: &postgres::types::Type) -> bool {
        true
    }
    postgres::types::to_sql_checked!();
}

impl Handle<'_> {
    pub(crate) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(c) => Ok(c.prepare_cached(&sqlite_sql(sql))?.execute(rusqlite::params_from_iter(params))? as u64),
            Self::Postgres(t) => {
                let params: Vec<&(dyn postgres::types::ToSql + Sync)> = params.iter().map(|p| p as _).collect();
                Ok(t.execute(sql, &params)?)
            }
        }
    }

    pub(crate) fn execute_many<'p>(&mut self, sql: &str, rows: impl Iterator<Item = &'p [Value]>) -> Result<u64, StoreError> {
        let mut changed = 0;
        match self {
            Self::Sqlite(c) => {
                let mut statement = c.prepare_cached(&sqlite_sql(sql))?;
                for row in rows {
                    changed += statement.execute(rusqlite::params_from_iter(row))? as u64;
                }
            }
            Self::Postgres(t) => {
                let statement = t.prepare(sql)?;
                for row in rows {
                    let params: Vec<&(dyn postgres::types::ToSql + Sync)> = row.iter().map(|p| p as _).collect();
                    changed += t.execute(&statement, &params)?;
                }
            }
        }
        Ok(changed)
    }

    pub(crate) fn each<E: From<StoreError>>(
        &mut self,
        sql: &str,
        params: &[Value],
        mut f: impl FnMut(&Row) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Sqlite(c) => {
                let mut statement = c.prepare_cached(&sqlite_sql(sql)).map_err(StoreError::from)?;
                let columns = statement.column_count();
                let mut rows = statement.query(rusqlite::params_from_iter(params)).map_err(StoreError::from)?;
                while let Some(row) = rows.next().map_err(StoreError::from)? {
                    let values = (0..columns).map(|i| sqlite_value(row, i)).collect::<Result<_, _>>()?;
                    f(&Row(values))?;
                }
                Ok(())
            }
            Self::Postgres(t) => {
                use postgres::fallible_iterator::FallibleIterator as _;
                let mut rows = t.query_raw(sql, params.iter()).map_err(StoreError::from)?;
                while let Some(row) = rows.next().map_err(StoreError::from)? {
                    let values = (0..row.len()).map(|i| postgres_value(&row, i)).collect::<Result<_, _>>()?;
                    f(&Row(values))?;
                }
                Ok(())
            }
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

fn sqlite_value(row: &rusqlite::Row<'_>, index: usize) -> Result<Value, StoreError> {
    use rusqlite::types::ValueRef;
    Ok(match row.get_ref(index)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(n) => Value::Int(n),
        ValueRef::Real(_) => return Err(StoreError::Corrupt(format!("column {index} is a fraction"))),
        ValueRef::Text(t) => Value::Text(String::from_utf8_lossy(t).into_owned()),
        ValueRef::Blob(b) => Value::Blob(b.to_vec()),
    })
}

fn postgres_value(row: &postgres::Row, index: usize) -> Result<Value, StoreError> {
    use postgres::types::Type;
    let ty = row.columns()[index].type_();
    Ok(match *ty {
        Type::INT8 => row.try_get::<_, Option<i64>>(index)?.into(),
        Type::INT4 => row.try_get::<_, Option<i32>>(index)?.map(i64::from).into(),
        Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(index)?.into(),
        _ => row.try_get::<_, Option<String>>(index)?.into(),
    })
}
