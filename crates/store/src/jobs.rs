//! Jobs: work that must finish whatever happens to the process that started it.
//!
//! A job is enqueued in the transaction of the change that wants it. A worker claims it with a
//! lease and a fencing number; when the worker dies, the lease runs out and another one claims the
//! job. A worker that lost its lease is refused at its next write.

use crate::engine::LOCK_CLAIM;
use crate::{Grants, OpContext, Store, StoreError, TenantId, Tx, Value};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// A job to be.
#[derive(Debug, Clone)]
pub struct NewJob<'a> {
    /// What to do.
    pub kind: &'a str,
    /// With what.
    pub payload: serde_json::Value,
    /// Not before.
    pub run_at: Timestamp,
}

/// A claimed job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Id.
    pub id: String,
    /// For which tenant.
    pub tenant: TenantId,
    /// What to do.
    pub kind: String,
    /// With what.
    pub payload: serde_json::Value,
    /// 1 the first time.
    pub attempt: i64,
    /// Fencing number.
    pub fence: i64,
}

impl Tx<'_> {
    /// Enqueues a job; it exists when this transaction commits.
    pub fn enqueue(&mut self, id: &str, job: &NewJob<'_>) -> Result<(), StoreError> {
        let params = [self.tenant_value(), id.into(), job.kind.into(), job.payload.to_string().into(), job.run_at.as_microsecond().into()];
        self.execute(
            "INSERT INTO job (tenant_id, id, kind, payload, state, run_at, attempt, fence, lease_until) VALUES ($1, $2, $3, $4, 'waiting', $5, 0, 0, 0)",
            &params,
        )?;
        Ok(())
    }

    /// Enqueues a job unless there is one with that id.
    pub fn enqueue_once(&mut self, id: &str, job: &NewJob<'_>) -> Result<(), StoreError> {
        let there = self.query_one("SELECT id FROM job WHERE tenant_id = $1 AND id = $2", &[self.tenant_value(), id.into()])?;
        if there.is_none() { self.enqueue(id, job) } else { Ok(()) }
    }

    /// Forgets the jobs of a kind that are due and wait: for a job that does their work as well. To be
    /// called before anything is read, so that what those jobs were enqueued for is seen.
    pub fn forget_due(&mut self, kind: &str) -> Result<(), StoreError> {
        let params = [self.tenant_value(), kind.into(), self.ctx().now.as_microsecond().into()];
        self.execute("DELETE FROM job WHERE tenant_id = $1 AND kind = $2 AND state = 'waiting' AND run_at <= $3", &params)?;
        Ok(())
    }

    /// Whether a job of that kind waits or runs for the tenant.
    pub fn has_open_job(&mut self, kind: &str) -> Result<bool, StoreError> {
        let params = [self.tenant_value(), kind.into()];
        let row =
            self.query_one("SELECT id FROM job WHERE tenant_id = $1 AND kind = $2 AND state IN ('waiting', 'running') LIMIT 1", &params)?;
        Ok(row.is_some())
    }

    /// Refuses unless the job is still this worker's: called in each transaction that a job writes in,
    /// before it writes. The job cannot be claimed by another worker until that transaction ends.
    ///
    /// # Errors
    /// [`StoreError::StaleLease`], also for a job of another tenant.
    pub fn check_lease(&mut self, job: &Job) -> Result<(), StoreError> {
        if job.tenant != self.tenant() {
            return Err(StoreError::StaleLease);
        }
        let params = [job.tenant.to_string().into(), job.id.as_str().into(), job.fence.into()];
        // SQLite has one writer at a time anyway.
        let lock = if self.is_postgres() { "FOR UPDATE" } else { "" };
        let sql = format!("SELECT id FROM job WHERE tenant_id = $1 AND id = $2 AND fence = $3 AND state = 'running' {lock}");
        self.query_one(&sql, &params)?.map(|_| ()).ok_or(StoreError::StaleLease)
    }

    /// Ends a job in the same transaction as its last write.
    pub fn finish_job(&mut self, job: &Job) -> Result<(), StoreError> {
        self.check_lease(job)?;
        let params = [job.tenant.to_string().into(), job.id.as_str().into()];
        self.execute("DELETE FROM job WHERE tenant_id = $1 AND id = $2", &params)?;
        Ok(())
    }
}

impl Store {
    /// Claims the job of one of the kinds that has waited longest, of any tenant: the one operation
    /// that looks across tenants. Of the kinds that are claimed together a tenant has one job running
    /// at a time, and its next one waits as if it had become due when this one was claimed.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`] for anybody but Homeroom itself.
    pub async fn claim_job(&self, ctx: &OpContext, kinds: &'static [&'static str], lease: Duration) -> Result<Option<Job>, StoreError> {
        self.write(ctx, move |tx| claim(tx, kinds, lease)).await
    }

    /// Prolongs the lease.
    pub fn heartbeat_blocking(&self, ctx: &OpContext, job: &Job, lease: Duration) -> Result<(), StoreError> {
        let (job, until) = (job.clone(), until(ctx.now, lease));
        self.write_blocking(ctx, move |tx| {
            tx.check_lease(&job)?;
            let params = [job.tenant.to_string().into(), job.id.as_str().into(), until.into()];
            tx.execute("UPDATE job SET lease_until = $3 WHERE tenant_id = $1 AND id = $2", &params)?;
            Ok(())
        })
    }

    /// Gives the job back, to be tried again at a time. `attempt` of the job is the number of tries that count.
    pub async fn retry_job(&self, ctx: &OpContext, job: Job, run_at: Timestamp, error: String) -> Result<(), StoreError> {
        self.write(ctx, move |tx| {
            tx.check_lease(&job)?;
            let job_id = [job.tenant.to_string().into(), job.id.as_str().into()];
            let params: Vec<Value> =
                job_id.into_iter().chain([run_at.as_microsecond().into(), error.as_str().into(), job.attempt.into()]).collect();
            tx.execute(
                "UPDATE job SET state = 'waiting', run_at = $3, last_error = $4, attempt = $5, lease_until = 0
                 WHERE tenant_id = $1 AND id = $2",
                &params,
            )?;
            Ok(())
        })
        .await
    }
}

fn until(now: Timestamp, lease: Duration) -> i64 {
    let lease = SignedDuration::try_from(lease).unwrap_or(SignedDuration::from_secs(60));
    now.checked_add(lease).unwrap_or(now).as_microsecond()
}

/// One running job a tenant, so that its runs and validations never overlap. A job whose lease has run out
/// counts as running until it is claimed again, for its worker may be slow and not dead.
fn claim(tx: &mut Tx<'_>, kinds: &[&str], lease: Duration) -> Result<Option<Job>, StoreError> {
    if !matches!(tx.ctx().grants, Grants::System) {
        return Err(StoreError::Forbidden { needed: vec!["Homeroom itself".to_owned()] });
    }
    let now = tx.ctx().now;
    let skip = if tx.is_postgres() {
        // Claims take turns: two at once could each take a job of the same tenant.
        tx.execute("SELECT pg_advisory_xact_lock($1)", &[LOCK_CLAIM.into()])?;
        "FOR UPDATE OF candidate SKIP LOCKED"
    } else {
        ""
    };
    let list: Vec<String> = (2..2 + kinds.len()).map(|n| format!("${n}")).collect();
    let list = list.join(", ");
    let sql = format!(
        "SELECT tenant_id, id, kind, payload, attempt, fence FROM job AS candidate
         WHERE kind IN ({list}) AND ((state = 'waiting' AND run_at <= $1) OR (state = 'running' AND lease_until < $1))
           AND NOT EXISTS (SELECT 1 FROM job AS other WHERE other.tenant_id = candidate.tenant_id AND other.id <> candidate.id
                           AND other.state = 'running' AND other.kind IN ({list}))
         ORDER BY run_at, id LIMIT 1 {skip}"
    );
    let params: Vec<Value> = std::iter::once(now.as_microsecond().into()).chain(kinds.iter().map(|kind| (*kind).into())).collect();
    let Some(row) = tx.query_one(&sql, &params)? else { return Ok(None) };
    let bad = |what: &str| StoreError::Corrupt(format!("job: {what}"));
    let job = Job {
        tenant: row.text(0)?.parse().map_err(|_| bad("tenant"))?,
        id: row.text(1)?.to_owned(),
        kind: row.text(2)?.to_owned(),
        payload: serde_json::from_str(row.text(3)?).map_err(|_| bad("payload"))?,
        attempt: row.int(4)? + 1,
        fence: row.int(5)? + 1,
    };
    // Whoever had a turn goes behind all others that are due: a tenant that has much to do keeps nobody waiting for all of it.
    // Among themselves they stay in the order of their ids, which sort by time.
    let sql = format!(
        "UPDATE job SET run_at = $1 WHERE (tenant_id, id) IN (
             SELECT tenant_id, id FROM job AS candidate
             WHERE tenant_id = ${} AND state = 'waiting' AND run_at < $1 AND kind IN ({list}) {skip})",
        2 + kinds.len()
    );
    let behind: Vec<Value> = params.into_iter().chain([job.tenant.to_string().into()]).collect();
    tx.execute(&sql, &behind)?;
    let params: [Value; 5] =
        [job.tenant.to_string().into(), job.id.as_str().into(), job.attempt.into(), job.fence.into(), until(now, lease).into()];
    tx.execute("UPDATE job SET state = 'running', attempt = $3, fence = $4, lease_until = $5 WHERE tenant_id = $1 AND id = $2", &params)?;
    Ok(Some(job))
}
