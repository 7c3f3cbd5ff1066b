//! An open unit of work.

use crate::docs::{Access, Docs};
use crate::engine::Handle;
use crate::{OpContext, Row, StoreError, TenantId, Value};

/// An open transaction, for one tenant, with one actor's permissions.
///
/// The writers of a tenant take turns, on both engines: what was read stays true until the commit.
/// After a statement that failed, every further one and the commit fail with [`StoreError::Doomed`].
pub struct Tx<'a> {
    handle: Handle<'a>,
    ctx: &'a OpContext,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(handle: Handle<'a>, ctx: &'a OpContext) -> Self {
        Self { handle, ctx }
    }

    pub(crate) fn commit(mut self) -> Result<(), StoreError> {
        self.handle.commit()
    }

    /// Who, for which tenant, when.
    pub fn ctx(&self) -> &'a OpContext {
        self.ctx
    }

    /// For which tenant.
    pub fn tenant(&self) -> TenantId {
        self.ctx.tenant
    }

    /// The tenant as the first parameter of a statement.
    pub fn tenant_value(&self) -> Value {
        Value::Text(self.ctx.tenant.to_string())
    }

    /// Documents of a collection, when the actor holds a permission for that.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`].
    pub fn docs(&mut self, access: &Access) -> Result<Docs<'_, 'a>, StoreError> {
        access.check(&self.ctx.grants)?;
        Ok(Docs::new(self, access.collection))
    }

    /// All rows of an answer; for answers that are known to be small.
    pub fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        self.handle.each::<StoreError>(sql, params, |row| {
            rows.push(row.clone());
            Ok(())
        })?;
        Ok(rows)
    }

    /// The first row of an answer.
    pub fn query_one(&mut self, sql: &str, params: &[Value]) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, params)?.into_iter().next())
    }

    /// Row by row, without holding the answer.
    pub fn query_each<E: From<StoreError>>(&mut self, sql: &str, params: &[Value], f: impl FnMut(&Row) -> Result<(), E>) -> Result<(), E> {
        self.handle.each(sql, params, f)
    }

    /// A statement without an answer; gives the number of rows changed.
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, StoreError> {
        self.handle.execute(sql, params)
    }

    /// One statement for many rows, prepared once.
    pub fn execute_many<'p>(&mut self, sql: &str, rows: impl IntoIterator<Item = &'p [Value]>) -> Result<u64, StoreError> {
        self.handle.execute_many(sql, rows.into_iter())
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.handle.is_postgres()
    }

    /// How often something has happened since a time, and when first (decision 9).
    pub fn window(&mut self, name: &str, since: jiff::Timestamp) -> Result<(u64, Option<jiff::Timestamp>), StoreError> {
        let params = [self.tenant_value(), name.into(), since.as_microsecond().into()];
        let row = self.query_one("SELECT count(*), min(at) FROM event_window WHERE tenant_id = $1 AND name = $2 AND at > $3", &params)?;
        let row = row.ok_or_else(|| StoreError::Corrupt("no count".to_owned()))?;
        let first = row.opt_int(1)?.and_then(|us| jiff::Timestamp::from_microsecond(us).ok());
        Ok((row.int(0)?.unsigned_abs(), first))
    }

    /// Records that it has happened now. Twice in one request counts twice.
    pub fn window_record(&mut self, name: &str) -> Result<(), StoreError> {
        let params = [self.tenant_value(), name.into(), self.ctx.now.as_microsecond().into(), self.ctx.request_id.to_string().into()];
        self.execute(
            "INSERT INTO event_window (tenant_id, name, at, id)
             SELECT $1, $2, $3, $4 || '/' || CAST(count(*) AS TEXT) FROM event_window WHERE tenant_id = $1 AND name = $2 AND at = $3",
            &params,
        )?;
        Ok(())
    }

    /// Appends to the audit log, which nothing ever changes or removes.
    pub fn audit(
        &mut self,
        id: &str,
        run: Option<&str>,
        flow: Option<&str>,
        action: &str,
        object: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        let params = [
            self.tenant_value(),
            id.into(),
            self.ctx.now.as_microsecond().into(),
            run.into(),
            flow.into(),
            action.into(),
            object.into(),
            detail.into(),
        ];
        self.execute(
            "INSERT INTO audit_log (tenant_id, id, at, run_id, flow_id, action, object, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            &params,
        )?;
        Ok(())
    }
}
