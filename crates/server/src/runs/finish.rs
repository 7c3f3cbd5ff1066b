//! The end of a run: everything that its outcome changes.

use crate::jobs::{self, object};
use crate::runs::{ACTIVITIES, BASELINES, OPEN, RUNS, STATE, STATISTICS};
use industry_data::rules::format_time;
use serde_json::{Value, json};
use std::path::PathBuf;
use store::{Job, StoreError, Tx};
use sync::{Outcome, RunSpec};

/// Records how a run ended. Gives the folders that nobody needs any more.
pub(crate) fn finish(tx: &mut Tx<'_>, job: &Job, spec: &RunSpec, operation: &str, outcome: &Outcome) -> Result<Vec<PathBuf>, StoreError> {
    tx.check_lease(job)?;
    activities(tx, spec, outcome)?;
    record(tx, &spec.run_id, operation, outcome)?;
    if outcome.blocked.is_some() { Ok(Vec::new()) } else { baselines(tx, spec, outcome) }
}

/// Records how a run ended of which no more is known than its id.
pub(crate) fn record(tx: &mut Tx<'_>, id: &str, operation: &str, outcome: &Outcome) -> Result<(), StoreError> {
    let now = format_time(tx.ctx().now);
    if let Some(mut run) = tx.docs(&RUNS)?.get(id)? {
        run.body.extend(object(json!({ "status": outcome.status, "endDateTime": now, "blockingError": blocking_error(outcome) })));
        tx.docs(&RUNS)?.update(id, &run.body, None)?;
    }
    tx.docs(&STATISTICS)?.put(id, None, &outcome.statistics)?;
    if let Some(mut state) = tx.docs(&STATE)?.get(id)? {
        state.body.insert("approvable".to_owned(), json!(outcome.approvable));
        tx.docs(&STATE)?.update(id, &state.body, None)?;
    }
    if outcome.approvable {
        tx.docs(&OPEN)?.put(id, None, &object(json!({ "operation": operation, "waits": true })))?;
    } else {
        tx.docs(&OPEN)?.delete(id)?;
    }
    jobs::update_operation(tx, operation, |body| {
        body.insert("status".to_owned(), json!(if outcome.blocked.is_some() { "failed" } else { "succeeded" }));
        body.insert("statusDetail".to_owned(), outcome.blocked.as_ref().map_or(Value::Null, |b| json!(b.message)));
    })
}

/// `publicError` of what stopped a run.
fn blocking_error(outcome: &Outcome) -> Value {
    outcome
        .blocked
        .as_ref()
        .map_or(Value::Null, |b| json!({ "code": b.code, "message": b.message, "target": null, "details": [], "innerError": null }))
}

fn activities(tx: &mut Tx<'_>, spec: &RunSpec, outcome: &Outcome) -> Result<(), StoreError> {
    let blocking = blocking_error(outcome);
    for mut activity in tx.docs(&ACTIVITIES)?.list(Some(&spec.run_id), None, usize::from(u16::MAX))? {
        let flow = activity.body.get("_flow").and_then(Value::as_str).unwrap_or_default().to_owned();
        let refused = outcome.refused.get(&flow).copied().unwrap_or(0);
        let (status, error) = match outcome.inbound.get(&flow) {
            Some(status) => (status.as_str(), if status == "failed" { blocking.clone() } else { Value::Null }),
            None if outcome.blocked.is_some() => ("skipped", blocking.clone()),
            None if refused > 0 => ("completedWithErrors", Value::Null),
            None => ("completed", Value::Null),
        };
        activity.body.insert("status".to_owned(), json!(status));
        activity.body.insert("blockingError".to_owned(), error);
        tx.docs(&ACTIVITIES)?.update(&activity.id, &activity.body, None)?;
    }
    Ok(())
}

/// What the next run is compared with.
fn baselines(tx: &mut Tx<'_>, spec: &RunSpec, outcome: &Outcome) -> Result<Vec<PathBuf>, StoreError> {
    let mut obsolete = Vec::new();
    for inbound in &spec.inbound {
        let flow = inbound.flow_id.as_str();
        // What the run worked on, which is not always what it was specified with: it may have pulled more.
        let Some(names) = outcome.files.get(flow) else { continue };
        let people = outcome.people.get(flow).copied().unwrap_or(0);
        tx.docs(&BASELINES)?.put(flow, None, &object(json!({ "files": names, "people": people, "run": spec.run_id })))?;
        if let Some(previous) = inbound.previous.as_ref().filter(|p| p.work_dir != spec.work_dir) {
            obsolete.push(previous.work_dir.join(format!("snapshot-{flow}")));
            obsolete.push(previous.work_dir.join(format!("history-{flow}")));
        }
    }
    Ok(obsolete)
}
