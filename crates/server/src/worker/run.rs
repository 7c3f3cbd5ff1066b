//! A run, from wherever it stands to its end.

use super::{JobError, Lost, update_readiness};
use crate::app::App;
use crate::error::chain;
use crate::runs::{self, STATE, StorePorts};
use serde_json::Value;
use std::collections::BTreeMap;
use store::{Job, OpContext, StoreError, Tx};
use sync::{Blocked, Outcome, RunError, RunSpec};

/// Code of a run that Homeroom itself could not carry out.
const RUN_FAILED: &str = "RunFailed";

pub(super) fn carry_out(app: &App, ctx: &OpContext, job: &Job, lost: &Lost) -> Result<(), JobError> {
    let id = run_id(job).ok_or_else(|| JobError::Never("the job names no run".to_owned()))?.to_owned();
    let key = id.clone();
    let state = app.store().read_blocking::<_, StoreError>(ctx, move |tx| tx.docs(&STATE)?.get(&key))?;
    let state = state.ok_or_else(|| JobError::Never(format!("the run {id} has no state")))?.body;
    let spec = specification(&state).ok_or_else(|| JobError::Never("the run's specification cannot be read".to_owned()))?;
    let approved = state.get("approved").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let approved = approved.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    tracing::info!(run.id = %id, attempt = job.attempt, "a run starts or is taken up again");
    let own_rows = app.store().read_blocking(ctx, runs::own_reference_rows)?;
    let ports = StorePorts::new(app, ctx, job, &id, runs::codes(&own_rows), approved, lost.clone());
    let outcome = sync::advance(&spec, &ports).map_err(|error| match error {
        RunError::Broken(_) => JobError::Never(chain(&error)),
        _ => JobError::Again(chain(&error)),
    })?;
    // Its own time: the run may have taken a while.
    let end = app.system(job.tenant);
    let (context, job, operation, result) = (end.clone(), job.clone(), operation(&state), outcome.clone());
    let write = move |tx: &mut Tx<'_>| {
        let obsolete = runs::finish(tx, &job, &spec, &operation, &result)?;
        update_readiness(tx, &context, Some(&result))?;
        tx.finish_job(&job)?;
        Ok::<_, StoreError>(obsolete)
    };
    let obsolete = app.store().write_blocking(&end, write)?;
    if let Some(blocked) = &outcome.blocked {
        tracing::warn!(run.id = %id, code = %blocked.code, reason = ?blocked.message, "a run was stopped");
    } else {
        tracing::info!(run.id = %id, run.status = %outcome.status, "a run has ended");
    }
    for folder in obsolete {
        if let Err(error) = std::fs::remove_dir_all(&folder)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "an old snapshot could not be removed");
        }
    }
    Ok(())
}

/// The run ends as failed; what it has applied stays applied, and the next run compares anew.
pub(super) fn abandon(tx: &mut Tx<'_>, job: &Job, error: &str) -> Result<(), StoreError> {
    let Some(id) = run_id(job) else { return Ok(()) };
    let Some(state) = tx.docs(&STATE)?.get(id)? else { return Ok(()) };
    let message = format!("Homeroom could not finish this run: {error}. Start a new one.");
    let outcome = Outcome {
        status: "failed".to_owned(),
        blocked: Some(Blocked { code: RUN_FAILED.to_owned(), message }),
        approvable: false,
        statistics: sync::failed_statistics(id),
        inbound: BTreeMap::new(),
        files: BTreeMap::new(),
        people: BTreeMap::new(),
        refused: BTreeMap::new(),
    };
    match specification(&state.body) {
        Some(spec) => runs::finish(tx, job, &spec, &operation(&state.body), &outcome).map(|_| ()),
        None => runs::record(tx, id, &operation(&state.body), &outcome),
    }
}

fn run_id(job: &Job) -> Option<&str> {
    job.payload["run"].as_str()
}

fn specification(state: &serde_json::Map<String, Value>) -> Option<RunSpec> {
    serde_json::from_value(state.get("spec")?.clone()).ok()
}

fn operation(state: &serde_json::Map<String, Value>) -> String {
    state.get("operation").and_then(Value::as_str).unwrap_or_default().to_owned()
}
