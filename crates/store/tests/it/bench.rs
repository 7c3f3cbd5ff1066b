//! What every test starts from: an empty data directory and, for PostgreSQL, an empty database.

use crate::postgres::TestDatabase;
use serde_json::{Map, Value, json};
use store::{Access, Actor, Grants, OpContext, Store, StoreConfig, StoreError, TenantId, Tx};
use tempfile::TempDir;
use uuid::Uuid;

/// An engine with nothing in it yet.
pub(crate) struct Bench {
    pub(crate) dir: TempDir,
    pub(crate) database: Option<TestDatabase>,
}

impl Bench {
    pub(crate) fn sqlite() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary folder"), database: None }
    }

    pub(crate) fn postgres() -> Option<Self> {
        Some(Self { database: Some(TestDatabase::create()?), ..Self::sqlite() })
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.database.is_some()
    }

    pub(crate) fn config(&self) -> StoreConfig {
        StoreConfig { data_dir: self.dir.path().join("data"), database_url: self.database.as_ref().map(|d| d.url.clone()) }
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(&self.config()).expect("the store opens")
    }
}

/// Makes of each function `fn name(bench: &Bench)` a test on SQLite and one on PostgreSQL.
macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name(&$crate::bench::Bench::sqlite()); })+
        }
        mod postgres {
            $(#[test] fn $name() {
                if let Some(bench) = $crate::bench::Bench::postgres() {
                    super::$name(&bench);
                }
            })+
        }
    };
}

pub(crate) const THINGS: Access = Access::unchecked("things");

pub(crate) const A: TenantId = TenantId(Uuid::from_u128(0xA));
pub(crate) const B: TenantId = TenantId(Uuid::from_u128(0xB));

/// Some seconds after the tests' noon.
pub(crate) fn at(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
}

/// Homeroom itself, for a tenant, at a time.
pub(crate) fn system_at(tenant: TenantId, seconds: i64) -> OpContext {
    OpContext::system(tenant, Uuid::new_v4(), at(seconds))
}

pub(crate) fn system(tenant: TenantId) -> OpContext {
    system_at(tenant, 0)
}

pub(crate) fn client(tenant: TenantId, permissions: &[&str]) -> OpContext {
    OpContext { actor: Actor::Client("c".to_owned()), grants: Grants::permissions(permissions.iter().copied()), ..system(tenant) }
}

pub(crate) fn body(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

/// `{"n": n}`
pub(crate) fn n(n: i64) -> Map<String, Value> {
    body(json!({ "n": n }))
}

/// A unit of work with the store's own errors.
pub(crate) fn write<T: Send + 'static>(
    store: &Store,
    ctx: &OpContext,
    f: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    store.write_blocking(ctx, f)
}

pub(crate) fn read<T: Send + 'static>(
    store: &Store,
    ctx: &OpContext,
    f: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
) -> T {
    store.read_blocking(ctx, f).expect("a read")
}

pub(crate) fn insert(store: &Store, ctx: &OpContext, id: &str) {
    let id = id.to_owned();
    write(store, ctx, move |tx| tx.docs(&THINGS)?.insert(&id, None, &n(0))).expect("an insert");
}

pub(crate) fn ids(store: &Store, ctx: &OpContext) -> Vec<String> {
    read(store, ctx, |tx| Ok(tx.docs(&THINGS)?.list(None, None, usize::MAX)?.into_iter().map(|doc| doc.id).collect()))
}
