//! The embedded directory: users, groups and memberships in Homeroom's own store.

mod apply;
pub mod graph;

pub use apply::forget_flow;

use crate::{Applied, Directory, DirectoryError, LedgerGroup, LedgerMember, ObservedGroup, ObservedUser, OpRecord, Refusal};
use store::{Job, OpContext, Store, Value};

/// Anchors asked for in one statement.
const ANCHORS_PER_QUERY: usize = 200;

/// The driver, for one tenant. With a job, every write is refused once the job's lease is lost.
#[derive(Clone)]
pub struct EmbeddedDirectory {
    store: Store,
    ctx: OpContext,
    job: Option<Job>,
}

impl EmbeddedDirectory {
    /// The directory of the context's tenant.
    pub fn new(store: Store, ctx: OpContext, job: Option<Job>) -> Self {
        Self { store, ctx, job }
    }

    fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&mut store::Tx<'_>) -> Result<T, store::StoreError> + Send + 'static,
    ) -> Result<T, DirectoryError> {
        Ok(self.store.read_blocking(&self.ctx, f)?)
    }
}

impl Directory for EmbeddedDirectory {
    fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<ObservedUser>, DirectoryError> {
        let after = after.unwrap_or_default().to_owned();
        self.read(move |tx| {
            let params = [tx.tenant_value(), after.into(), (limit as i64).into()];
            let rows = tx.query(
                "SELECT id, upn_key, mail_key, enabled FROM directory_user WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3",
                &params,
            )?;
            rows.iter()
                .map(|row| {
                    Ok(ObservedUser {
                        id: row.text(0)?.to_owned(),
                        upn: row.text(1)?.to_owned(),
                        mail: row.opt_text(2)?.map(str::to_owned),
                        enabled: row.int(3)? != 0,
                    })
                })
                .collect()
        })
    }

    fn groups_by_anchor(&self, anchors: &[String]) -> Result<Vec<ObservedGroup>, DirectoryError> {
        let mut found = Vec::new();
        for chunk in anchors.chunks(ANCHORS_PER_QUERY) {
            let chunk = chunk.to_vec();
            let rows = self.read(move |tx| {
                let places: Vec<String> = (0..chunk.len()).map(|i| format!("${}", i + 2)).collect();
                let mut params = vec![tx.tenant_value()];
                params.extend(chunk.into_iter().map(Value::Text));
                tx.query(
                    &format!(
                        "SELECT id, anchor, display_name FROM directory_group WHERE tenant_id = $1 AND anchor IN ({})",
                        places.join(", ")
                    ),
                    &params,
                )
            })?;
            for row in rows {
                found.push(ObservedGroup {
                    id: row.text(0)?.to_owned(),
                    anchor: row.text(1)?.to_owned(),
                    display_name: row.text(2)?.to_owned(),
                });
            }
        }
        Ok(found)
    }

    fn members(&self, group_id: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, DirectoryError> {
        let (group, after) = (group_id.to_owned(), after.unwrap_or_default().to_owned());
        self.read(move |tx| {
            let params = [tx.tenant_value(), group.into(), after.into(), (limit as i64).into()];
            let sql =
                "SELECT user_id FROM directory_member WHERE tenant_id = $1 AND group_id = $2 AND user_id > $3 ORDER BY user_id LIMIT $4";
            tx.query(sql, &params)?.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
        })
    }

    fn ledger_groups(&self) -> Result<Vec<LedgerGroup>, DirectoryError> {
        self.read(|tx| {
            let params = [tx.tenant_value()];
            let rows = tx.query(
                "SELECT flow_id, anchor, group_id, display_name FROM ledger_group WHERE tenant_id = $1 ORDER BY flow_id, anchor",
                &params,
            )?;
            rows.iter()
                .map(|row| {
                    Ok(LedgerGroup {
                        flow_id: row.text(0)?.to_owned(),
                        anchor: row.text(1)?.to_owned(),
                        group_id: row.text(2)?.to_owned(),
                        display_name: row.text(3)?.to_owned(),
                    })
                })
                .collect()
        })
    }

    fn ledger_members(&self, after: Option<&LedgerMember>, limit: usize) -> Result<Vec<LedgerMember>, DirectoryError> {
        let after = after.cloned().unwrap_or(LedgerMember { flow_id: String::new(), anchor: String::new(), user_id: String::new() });
        self.read(move |tx| {
            let params = [tx.tenant_value(), after.flow_id.into(), after.anchor.into(), after.user_id.into(), (limit as i64).into()];
            let sql = "SELECT flow_id, anchor, user_id FROM ledger_member
                       WHERE tenant_id = $1 AND (flow_id, anchor, user_id) > ($2, $3, $4) AND flow_id <> '' ORDER BY flow_id, anchor, user_id LIMIT $5";
            let rows = tx.query(sql, &params)?;
            rows.iter()
                .map(|row| {
                    Ok(LedgerMember { flow_id: row.text(0)?.to_owned(), anchor: row.text(1)?.to_owned(), user_id: row.text(2)?.to_owned() })
                })
                .collect()
        })
    }

    fn cursor(&self, run_id: &str) -> Result<u64, DirectoryError> {
        let run_id = run_id.to_owned();
        self.read(move |tx| apply::cursor(tx, &run_id))
    }

    fn refusals(&self, run_id: &str) -> Result<Vec<Refusal>, DirectoryError> {
        let run_id = run_id.to_owned();
        self.read(move |tx| apply::refusals(tx, &run_id))
    }

    fn apply(&self, run_id: &str, batch: Vec<OpRecord>) -> Result<Applied, DirectoryError> {
        let (run_id, job) = (run_id.to_owned(), self.job.clone());
        Ok(self.store.write_blocking(&self.ctx, move |tx| {
            if let Some(job) = &job {
                tx.check_lease(job)?;
            }
            apply::batch(tx, &run_id, &batch)
        })?)
    }
}
