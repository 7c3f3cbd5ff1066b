//! A batch of effects in one transaction: directory, ledger, audit log and cursor move together,
//! so that a crash loses nothing and doubles nothing.

use crate::{Applied, OpRecord, Operation, Refusal};
use serde_json::json;
use std::collections::HashMap;
use store::{StoreError, Tx, Value};

/// Position up to which a run's plan is applied.
pub(super) fn cursor(tx: &mut Tx<'_>, run_id: &str) -> Result<u64, StoreError> {
    let params = [tx.tenant_value(), run_id.into()];
    let row = tx.query_one("SELECT next_seq FROM run_cursor WHERE tenant_id = $1 AND run_id = $2", &params)?;
    row.map_or(Ok(0), |row| Ok(row.int(0)?.unsigned_abs()))
}

/// Action of an audit row that says what was refused.
const REFUSED: &str = "refused";

/// Audit rows of a run sort by position.
fn audit_id(run_id: &str, seq: u64) -> String {
    format!("{run_id}/{seq:010}")
}

/// What was refused of a run's plan.
pub(super) fn refusals(tx: &mut Tx<'_>, run_id: &str) -> Result<Vec<Refusal>, StoreError> {
    // '0' is the character after '/': the range is all rows of this run, by the primary key.
    let params = [tx.tenant_value(), format!("{run_id}/").into(), format!("{run_id}0").into(), REFUSED.into()];
    let rows = tx.query(
        "SELECT id, object, detail FROM audit_log WHERE tenant_id = $1 AND id >= $2 AND id < $3 AND action = $4 ORDER BY id",
        &params,
    )?;
    rows.iter()
        .map(|row| {
            let seq = row.text(0)?.rsplit('/').next().and_then(|n| n.parse().ok()).unwrap_or(0);
            Ok(Refusal { seq, code: row.text(1)?.to_owned(), message: row.text(2)?.to_owned() })
        })
        .collect()
}

/// Applies what is not applied yet.
pub(super) fn batch(tx: &mut Tx<'_>, run_id: &str, records: &[OpRecord]) -> Result<Applied, StoreError> {
    let start = cursor(tx, run_id)?;
    let mut work = Work { tx, run_id, groups: HashMap::new(), applied: Applied::default() };
    let mut next = start;
    for record in records.iter().filter(|record| record.seq >= start) {
        work.record(record)?;
        next = record.seq + 1;
    }
    let Work { tx, applied, .. } = work;
    let params = [tx.tenant_value(), run_id.into(), (next as i64).into()];
    tx.execute(
        "INSERT INTO run_cursor (tenant_id, run_id, next_seq) VALUES ($1, $2, $3)
         ON CONFLICT (tenant_id, run_id) DO UPDATE SET next_seq = excluded.next_seq",
        &params,
    )?;
    Ok(applied)
}

/// Flow of what Homeroom has added and no flow holds any more.
const NOBODY: &str = "";

/// Forgets what a flow has applied, because it is reset or deleted (decision 10). Nothing is taken out of
/// the directory, and whose a membership is stays known: a flow that wants it again, or holds it as
/// well, can still remove it.
pub fn forget_flow(tx: &mut Tx<'_>, flow_id: &str) -> Result<(), StoreError> {
    let params = [tx.tenant_value(), flow_id.into(), NOBODY.into()];
    tx.execute(
        "UPDATE ledger_member SET added = 1 WHERE tenant_id = $1 AND flow_id <> $2 AND flow_id <> $3 AND added = 0 AND EXISTS
         (SELECT 1 FROM ledger_member mine WHERE mine.tenant_id = ledger_member.tenant_id AND mine.flow_id = $2
          AND mine.anchor = ledger_member.anchor AND mine.user_id = ledger_member.user_id AND mine.added = 1)",
        &params,
    )?;
    tx.execute(
        "INSERT INTO ledger_member (tenant_id, flow_id, anchor, user_id, added)
         SELECT tenant_id, $3, anchor, user_id, 1 FROM ledger_member mine WHERE tenant_id = $1 AND flow_id = $2 AND added = 1 AND NOT EXISTS
         (SELECT 1 FROM ledger_member other WHERE other.tenant_id = mine.tenant_id AND other.flow_id <> $2
          AND other.anchor = mine.anchor AND other.user_id = mine.user_id)",
        &params,
    )?;
    tx.execute(
        "INSERT INTO ledger_group (tenant_id, flow_id, anchor, group_id, display_name)
         SELECT tenant_id, $3, anchor, group_id, display_name FROM ledger_group WHERE tenant_id = $1 AND flow_id = $2
         ON CONFLICT (tenant_id, flow_id, anchor) DO UPDATE SET group_id = excluded.group_id, display_name = excluded.display_name",
        &params,
    )?;
    tx.execute("DELETE FROM ledger_member WHERE tenant_id = $1 AND flow_id = $2", &params[..2])?;
    tx.execute("DELETE FROM ledger_group WHERE tenant_id = $1 AND flow_id = $2", &params[..2])?;
    Ok(())
}

struct Work<'w, 't> {
    tx: &'w mut Tx<'t>,
    run_id: &'w str,
    /// Ids of groups by anchor, looked up once a batch.
    groups: HashMap<String, Option<String>>,
    applied: Applied,
}

impl Work<'_, '_> {
    fn record(&mut self, record: &OpRecord) -> Result<(), StoreError> {
        match &record.operation {
            Operation::CreateGroup { anchor, display_name, mail_nickname, description } => {
                self.create(record, anchor, display_name, mail_nickname, description)
            }
            Operation::RenameGroup { anchor, from, to } => self.rename(record, anchor, from, to),
            Operation::AddMember { anchor, user_id } => self.add(record, anchor, user_id),
            Operation::RemoveMember { anchor, user_id } => self.remove(record, anchor, user_id),
        }
    }

    fn group_id(&mut self, anchor: &str) -> Result<Option<String>, StoreError> {
        if let Some(known) = self.groups.get(anchor) {
            return Ok(known.clone());
        }
        let params = [self.tx.tenant_value(), anchor.into()];
        let row = self.tx.query_one("SELECT id FROM directory_group WHERE tenant_id = $1 AND anchor = $2", &params)?;
        let id = row.map(|row| row.text(0).map(str::to_owned)).transpose()?;
        self.groups.insert(anchor.to_owned(), id.clone());
        Ok(id)
    }

    fn written(&mut self, record: &OpRecord, action: &str, object: &str, detail: &serde_json::Value) -> Result<(), StoreError> {
        self.applied.written += 1;
        let id = audit_id(self.run_id, record.seq);
        self.tx.audit(&id, Some(self.run_id), Some(&record.flow_id), action, object, &detail.to_string())
    }

    /// A refusal goes into the audit log with the rest of the batch, so that a crash cannot lose it.
    fn refuse(&mut self, record: &OpRecord, code: &str, message: String) -> Result<(), StoreError> {
        let id = audit_id(self.run_id, record.seq);
        self.tx.audit(&id, Some(self.run_id), Some(&record.flow_id), REFUSED, code, &message)?;
        self.applied.refused.push(Refusal { seq: record.seq, code: code.to_owned(), message });
        Ok(())
    }

    fn create(&mut self, record: &OpRecord, anchor: &str, name: &str, nickname: &str, description: &str) -> Result<(), StoreError> {
        let id = if let Some(id) = self.group_id(anchor)? {
            id
        } else {
            // The id follows from run and position, so that a batch that is tried again makes the same group.
            let id = uuid_from(self.run_id, record.seq);
            let body = json!({
                "id": id, "displayName": name, "description": description, "mailEnabled": false, "mailNickname": nickname,
                "securityEnabled": true, "groupTypes": [], "createdDateTime": self.tx.ctx().now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            });
            let params = [self.tx.tenant_value(), id.as_str().into(), anchor.into(), name.into(), body.to_string().into()];
            self.tx.execute(
                "INSERT INTO directory_group (tenant_id, id, anchor, display_name, body, version) VALUES ($1, $2, $3, $4, $5, 1)",
                &params,
            )?;
            self.groups.insert(anchor.to_owned(), Some(id.clone()));
            self.written(record, "createGroup", &id, &json!({ "before": null, "after": { "anchor": anchor, "displayName": name } }))?;
            id
        };
        self.remember(record, anchor, &id, name)
    }

    fn remember(&mut self, record: &OpRecord, anchor: &str, id: &str, name: &str) -> Result<(), StoreError> {
        let params = [self.tx.tenant_value(), record.flow_id.as_str().into(), anchor.into(), id.into(), name.into()];
        self.tx.execute(
            "INSERT INTO ledger_group (tenant_id, flow_id, anchor, group_id, display_name) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (tenant_id, flow_id, anchor) DO UPDATE SET group_id = excluded.group_id, display_name = excluded.display_name",
            &params,
        )?;
        Ok(())
    }

    fn rename(&mut self, record: &OpRecord, anchor: &str, from: &str, to: &str) -> Result<(), StoreError> {
        let params = [self.tx.tenant_value(), anchor.into(), from.into()];
        let row = self
            .tx
            .query_one("SELECT id, body FROM directory_group WHERE tenant_id = $1 AND anchor = $2 AND display_name = $3", &params)?;
        let Some(row) = row else {
            return self.refuse(
                record,
                "NameChanged",
                format!("The group {anchor} is no longer called what Homeroom called it; its name is left alone."),
            );
        };
        let mut body: serde_json::Value = serde_json::from_str(row.text(1)?).map_err(|e| StoreError::Corrupt(e.to_string()))?;
        body["displayName"] = json!(to);
        let id = row.text(0)?.to_owned();
        let params = [self.tx.tenant_value(), id.as_str().into(), to.into(), body.to_string().into()];
        self.tx.execute(
            "UPDATE directory_group SET display_name = $3, body = $4, version = version + 1 WHERE tenant_id = $1 AND id = $2",
            &params,
        )?;
        self.written(record, "renameGroup", &id, &json!({ "before": from, "after": to }))?;
        self.remember(record, anchor, &id, to)?;
        // Other flows that keep the group must not take the new name for somebody else's.
        let params = [self.tx.tenant_value(), anchor.into(), from.into(), to.into()];
        self.tx.execute("UPDATE ledger_group SET display_name = $4 WHERE tenant_id = $1 AND anchor = $2 AND display_name = $3", &params)?;
        Ok(())
    }

    fn add(&mut self, record: &OpRecord, anchor: &str, user_id: &str) -> Result<(), StoreError> {
        let Some(group) = self.group_id(anchor)? else {
            return self.refuse(record, "ObjectNotFound", format!("The group {anchor} does not exist."));
        };
        let member = [self.tx.tenant_value(), group.as_str().into(), user_id.into()];
        let added = self.tx.execute(
            "INSERT INTO directory_member (tenant_id, group_id, user_id) SELECT tenant_id, $2, id FROM directory_user WHERE tenant_id = $1 AND id = $3
             ON CONFLICT (tenant_id, group_id, user_id) DO NOTHING",
            &member,
        )?;
        if added == 0 {
            let there =
                self.tx.query_one("SELECT 1 FROM directory_member WHERE tenant_id = $1 AND group_id = $2 AND user_id = $3", &member)?;
            if there.is_none() {
                return self.refuse(record, "ObjectNotFound", format!("The user {user_id} does not exist any more."));
            }
        }
        let nobodys = [self.tx.tenant_value(), NOBODY.into(), anchor.into(), user_id.into()];
        let returned = self
            .tx
            .execute("DELETE FROM ledger_member WHERE tenant_id = $1 AND flow_id = $2 AND anchor = $3 AND user_id = $4", &nobodys)?;
        let ours = i64::from(added > 0 || returned > 0);
        let params: [Value; 5] = [self.tx.tenant_value(), record.flow_id.as_str().into(), anchor.into(), user_id.into(), ours.into()];
        self.tx.execute(
            "INSERT INTO ledger_member (tenant_id, flow_id, anchor, user_id, added) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (tenant_id, flow_id, anchor, user_id) DO UPDATE SET added = CASE WHEN excluded.added = 1 THEN 1 ELSE ledger_member.added END",
            &params,
        )?;
        if added > 0 {
            self.written(record, "addMember", &group, &json!({ "before": null, "after": user_id }))?;
        }
        Ok(())
    }

    fn remove(&mut self, record: &OpRecord, anchor: &str, user_id: &str) -> Result<(), StoreError> {
        let held = [self.tx.tenant_value(), record.flow_id.as_str().into(), anchor.into(), user_id.into()];
        let row = self.tx.query_one(
            "DELETE FROM ledger_member WHERE tenant_id = $1 AND flow_id = $2 AND anchor = $3 AND user_id = $4 RETURNING added",
            &held,
        )?;
        let Some(row) = row else { return Ok(()) };
        if row.int(0)? == 0 {
            return Ok(());
        }
        // Another flow that holds the membership becomes the one that answers for it.
        let others = [self.tx.tenant_value(), anchor.into(), user_id.into()];
        if self.tx.execute("UPDATE ledger_member SET added = 1 WHERE tenant_id = $1 AND anchor = $2 AND user_id = $3", &others)? > 0 {
            return Ok(());
        }
        let Some(group) = self.group_id(anchor)? else { return Ok(()) };
        let member = [self.tx.tenant_value(), group.as_str().into(), user_id.into()];
        if self.tx.execute("DELETE FROM directory_member WHERE tenant_id = $1 AND group_id = $2 AND user_id = $3", &member)? > 0 {
            self.written(record, "removeMember", &group, &json!({ "before": user_id, "after": null }))?;
        }
        Ok(())
    }
}

/// A GUID in the shape of version 8 (RFC 9562: custom) from a run and a position.
fn uuid_from(run_id: &str, seq: u64) -> String {
    let hash = blake3::hash(format!("{run_id}/{seq}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_bytes()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}
