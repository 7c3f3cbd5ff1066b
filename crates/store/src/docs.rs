//! Documents: the generic storage of entities, by collection and id.

use crate::{Grants, Row, StoreError, Tx, Value};
use serde_json::Map;

/// A collection and the permissions that open it.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    pub(crate) collection: &'static str,
    any_of: Option<&'static [&'static str]>,
}

impl Access {
    /// Needs one of the permissions.
    pub const fn new(collection: &'static str, any_of: &'static [&'static str]) -> Self {
        Self { collection, any_of: Some(any_of) }
    }

    /// For Homeroom's own bookkeeping and for rules that look beyond what the caller may read.
    /// Nothing read this way may reach an answer.
    pub const fn unchecked(collection: &'static str) -> Self {
        Self { collection, any_of: None }
    }

    pub(crate) fn check(&self, grants: &Grants) -> Result<(), StoreError> {
        self.any_of.map_or(Ok(()), |any_of| grants.require(any_of))
    }
}

/// A stored document.
#[derive(Debug, Clone)]
pub struct Doc {
    /// Key in the collection.
    pub id: String,
    /// The entity that contains it.
    pub parent: Option<String>,
    /// Content.
    pub body: Map<String, serde_json::Value>,
    /// 1 for a new document, one more with each change.
    pub version: i64,
}

/// The documents of one collection of one tenant.
pub struct Docs<'x, 'a> {
    tx: &'x mut Tx<'a>,
    collection: &'static str,
}

/// Longest id and parent: PostgreSQL takes 2,700 bytes in an index entry, which may hold both of them.
const KEY_BYTES_MAX: usize = 1_000;
/// How deep arrays and objects may be nested: the JSON reader stops at 128, and what is stored must be read again.
const DEPTH_MAX: usize = 120;

const COLUMNS: &str = "id, parent, body, version";

impl<'x, 'a> Docs<'x, 'a> {
    pub(crate) fn new(tx: &'x mut Tx<'a>, collection: &'static str) -> Self {
        Self { tx, collection }
    }

    fn key(&self, id: &str) -> Vec<Value> {
        vec![self.tx.tenant_value(), self.collection.into(), id.into()]
    }

    /// The document with that id.
    pub fn get(&mut self, id: &str) -> Result<Option<Doc>, StoreError> {
        if !can_be_stored(id) {
            return Ok(None);
        }
        let key = self.key(id);
        let row =
            self.tx.query_one(&format!("SELECT {COLUMNS} FROM document WHERE tenant_id = $1 AND collection = $2 AND id = $3"), &key)?;
        row.as_ref().map(doc).transpose()
    }

    /// A new document.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when the id is in use, [`StoreError::Unstorable`] for an id, a parent or a
    /// body beyond the limits.
    pub fn insert(&mut self, id: &str, parent: Option<&str>, body: &Map<String, serde_json::Value>) -> Result<(), StoreError> {
        check_key(id)?;
        parent.map_or(Ok(()), check_key)?;
        let now = self.tx.ctx().now.as_microsecond();
        let mut params = self.key(id);
        params.extend([parent.into(), text(body)?.into(), now.into()]);
        self.tx.execute(
            "INSERT INTO document (tenant_id, collection, id, parent, body, version, created, modified) VALUES ($1, $2, $3, $4, $5, 1, $6, $6)",
            &params,
        )?;
        Ok(())
    }

    /// Replaces a document; gives the new version.
    ///
    /// # Errors
    /// [`StoreError::VersionConflict`] when it is gone or not of the expected version.
    pub fn update(&mut self, id: &str, body: &Map<String, serde_json::Value>, expected: Option<i64>) -> Result<i64, StoreError> {
        if !can_be_stored(id) {
            return Err(StoreError::VersionConflict);
        }
        let mut params = self.key(id);
        params.extend([text(body)?.into(), self.tx.ctx().now.as_microsecond().into(), expected.into()]);
        let row = self.tx.query_one(
            "UPDATE document SET body = $4, version = version + 1, modified = $5
             WHERE tenant_id = $1 AND collection = $2 AND id = $3 AND (CAST($6 AS BIGINT) IS NULL OR version = $6) RETURNING version",
            &params,
        )?;
        row.ok_or(StoreError::VersionConflict)?.int(0)
    }

    /// Inserts or replaces, the parent too.
    pub fn put(&mut self, id: &str, parent: Option<&str>, body: &Map<String, serde_json::Value>) -> Result<(), StoreError> {
        check_key(id)?;
        parent.map_or(Ok(()), check_key)?;
        let now = self.tx.ctx().now.as_microsecond();
        let mut params = self.key(id);
        params.extend([parent.into(), text(body)?.into(), now.into()]);
        self.tx.execute(
            "INSERT INTO document (tenant_id, collection, id, parent, body, version, created, modified) VALUES ($1, $2, $3, $4, $5, 1, $6, $6)
             ON CONFLICT (tenant_id, collection, id) DO UPDATE
             SET parent = excluded.parent, body = excluded.body, version = document.version + 1, modified = excluded.modified",
            &params,
        )?;
        Ok(())
    }

    /// Removes a document; `false` when there was none.
    pub fn delete(&mut self, id: &str) -> Result<bool, StoreError> {
        if !can_be_stored(id) {
            return Ok(false);
        }
        let key = self.key(id);
        Ok(self.tx.execute("DELETE FROM document WHERE tenant_id = $1 AND collection = $2 AND id = $3", &key)? > 0)
    }

    /// Up to `limit` documents after an id, in order of the bytes of the id, of one parent or of all.
    pub fn list(&mut self, parent: Option<&str>, after: Option<&str>, limit: usize) -> Result<Vec<Doc>, StoreError> {
        if parent.is_some_and(|parent| !can_be_stored(parent)) {
            return Ok(Vec::new());
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut params = vec![self.tx.tenant_value(), self.collection.into(), limit.into()];
        let mut narrow = |condition: &str, value: &str| {
            params.push(value.into());
            format!("AND {condition} ${}", params.len())
        };
        // No id has a NUL in it, so those after this one are those after what precedes the NUL.
        let later = after.map(|after| narrow("id >", after.split('\0').next().unwrap_or_default())).unwrap_or_default();
        let below = parent.map(|parent| narrow("parent =", parent)).unwrap_or_default();
        let sql = format!("SELECT {COLUMNS} FROM document WHERE tenant_id = $1 AND collection = $2 {later} {below} ORDER BY id LIMIT $3");
        self.tx.query(&sql, &params)?.iter().map(doc).collect()
    }

    /// How many there are, of one parent or of all.
    pub fn count(&mut self, parent: Option<&str>) -> Result<u64, StoreError> {
        if parent.is_some_and(|parent| !can_be_stored(parent)) {
            return Ok(0);
        }
        let mut params = vec![self.tx.tenant_value(), self.collection.into()];
        let narrowed = if let Some(parent) = parent {
            params.push(parent.into());
            "AND parent = $3"
        } else {
            ""
        };
        let row =
            self.tx.query_one(&format!("SELECT count(*) FROM document WHERE tenant_id = $1 AND collection = $2 {narrowed}"), &params)?;
        row.map_or(Ok(0), |row| Ok(row.int(0)?.unsigned_abs()))
    }

    /// The greatest id: the newest document, where ids are made in order of time.
    pub fn last_id(&mut self) -> Result<Option<String>, StoreError> {
        let params = [self.tx.tenant_value(), self.collection.into()];
        let row = self.tx.query_one("SELECT max(id) FROM document WHERE tenant_id = $1 AND collection = $2", &params)?;
        row.map_or(Ok(None), |row| Ok(row.opt_text(0)?.map(str::to_owned)))
    }
}

fn check_key(id: &str) -> Result<(), StoreError> {
    if id.len() > KEY_BYTES_MAX { Err(StoreError::Unstorable("an id of more than 1000 bytes")) } else { Ok(()) }
}

/// Ids come from URLs, where everything can stand: one that cannot be stored is one that is not there.
fn can_be_stored(id: &str) -> bool {
    !id.contains('\0')
}

fn doc(row: &Row) -> Result<Doc, StoreError> {
    let body = serde_json::from_str(row.text(2)?).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    Ok(Doc { id: row.text(0)?.to_owned(), parent: row.opt_text(1)?.map(str::to_owned), body, version: row.int(3)? })
}

fn text(body: &Map<String, serde_json::Value>) -> Result<String, StoreError> {
    if body.values().any(|value| is_deeper_than(value, DEPTH_MAX)) {
        return Err(StoreError::Unstorable("JSON that is nested deeper than 120 levels"));
    }
    serde_json::to_string(body).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn is_deeper_than(value: &serde_json::Value, levels: usize) -> bool {
    match value {
        serde_json::Value::Array(items) => levels == 0 || items.iter().any(|item| is_deeper_than(item, levels - 1)),
        serde_json::Value::Object(map) => levels == 0 || map.values().any(|item| is_deeper_than(item, levels - 1)),
        _ => false,
    }
}
