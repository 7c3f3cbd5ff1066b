//! The end of a run: everything that its outcome changes, in one transaction.

use crate::jobs::{self, object};
use crate::runs::{ACTIVITIES, BASELINES, ORGANIZATIONS, RUNS, STATE, STATISTICS};
use industry_data::rules::format_time;
use roster::Entity;
use roster::segment::SegmentReader;
use serde_json::{Value, json};
use std::path::PathBuf;
use store::{Job, StoreError, Tx};
use sync::{Outcome, RunSpec};

/// Records how a run ended, and ends its job. Gives the folders that nobody needs any more.
pub(crate) fn finish(tx: &mut Tx<'_>, job: &Job, spec: &RunSpec, operation: &str, outcome: &Outcome) -> Result<Vec<PathBuf>, StoreError> {
    tx.check_lease(job)?;
    let now = format_time(tx.ctx().now);
    let id = spec.run_id.as_str();
    let blocking = outcome
        .blocked
        .as_ref()
        .map(|b| json!({ "code": b.code, "message": b.message, "target": null, "details": [], "innerError": null }));
    if let Some(mut run) = tx.docs(&RUNS)?.get(id)? {
        run.body.extend(object(json!({ "status": outcome.status, "endDateTime": now, "blockingError": blocking })));
        tx.docs(&RUNS)?.update(id, &run.body, None)?;
    }
    activities(tx, spec, outcome, blocking.as_ref())?;
    tx.docs(&STATISTICS)?.put(id, None, &outcome.statistics)?;
    if let Some(mut state) = tx.docs(&STATE)?.get(id)? {
        state.body.insert("approvable".to_owned(), json!(outcome.approvable));
        tx.docs(&STATE)?.update(id, &state.body, None)?;
    }
    let failed = outcome.blocked.is_some();
    jobs::update_operation(tx, operation, |body| {
        body.insert("status".to_owned(), json!(if failed { "failed" } else { "succeeded" }));
        body.insert("statusDetail".to_owned(), outcome.blocked.as_ref().map_or(Value::Null, |b| json!(b.message)));
    })?;
    let obsolete = if failed { Vec::new() } else { baselines(tx, spec)? };
    tx.finish_job(job)?;
    Ok(obsolete)
}

fn activities(tx: &mut Tx<'_>, spec: &RunSpec, outcome: &Outcome, blocking: Option<&Value>) -> Result<(), StoreError> {
    for mut activity in tx.docs(&ACTIVITIES)?.list(Some(&spec.run_id), None, usize::from(u16::MAX))? {
        let flow = activity.body.get("_flow").and_then(Value::as_str).unwrap_or_default().to_owned();
        let refused = outcome.refused.get(&flow).copied().unwrap_or(0);
        let (status, error) = match outcome.inbound.get(&flow) {
            Some(status) => (status.as_str(), blocking.filter(|_| status == "failed").cloned()),
            None if outcome.blocked.is_some() => ("skipped", blocking.cloned()),
            None if refused > 0 => ("completedWithErrors", None),
            None => ("completed", None),
        };
        activity.body.insert("status".to_owned(), json!(status));
        activity.body.insert("blockingError".to_owned(), error.unwrap_or(Value::Null));
        tx.docs(&ACTIVITIES)?.update(&activity.id, &activity.body, None)?;
    }
    Ok(())
}

/// What the next run is compared with.
fn baselines(tx: &mut Tx<'_>, spec: &RunSpec) -> Result<Vec<PathBuf>, StoreError> {
    let mut obsolete = Vec::new();
    for inbound in spec.inbound.iter().filter(|i| !i.files.is_empty()) {
        let flow = inbound.flow_id.as_str();
        let snapshot = spec.work_dir.join(format!("snapshot-{flow}"));
        let names: Vec<&str> = inbound.files.iter().map(|f| f.name.as_str()).collect();
        let io = |source| StoreError::Io { what: "read a snapshot".to_owned(), source };
        let orgs = keys(&snapshot.join(Entity::Org.segment())).map_err(io)?;
        let people = keys(&snapshot.join(Entity::User.segment())).map_err(io)?.len();
        let body = object(json!({ "workDir": spec.work_dir, "files": names, "people": people, "run": spec.run_id }));
        tx.docs(&BASELINES)?.put(flow, None, &body)?;
        tx.docs(&ORGANIZATIONS)?.put(flow, None, &object(json!({ "ids": orgs })))?;
        if let Some(previous) = inbound.previous.as_ref().filter(|p| p.work_dir != spec.work_dir) {
            obsolete.push(previous.work_dir.join(format!("snapshot-{flow}")));
            obsolete.push(previous.work_dir.join(format!("history-{flow}")));
        }
    }
    Ok(obsolete)
}

fn keys(segment: &std::path::Path) -> std::io::Result<Vec<String>> {
    let mut reader = SegmentReader::open(segment)?;
    let mut keys = Vec::new();
    while let Some(record) = reader.next()? {
        keys.push(record.key_text().to_owned());
    }
    Ok(keys)
}
