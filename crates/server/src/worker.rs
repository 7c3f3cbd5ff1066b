//! The worker: claims jobs and carries them out on a thread of its own, one at a time.

use crate::app::App;
use crate::error::chain;
use crate::graph::Data;
use crate::jobs::{self, READINESS, RUN, VALIDATE};
use crate::runs::{self, ACCEPTED, ORGANIZATIONS, STATE, StorePorts};
use industry_data::readiness::{self, Readiness};
use industry_data::rules::Lookup as _;
use jiff::SignedDuration;
use roster::{Finding, Source};
use serde_json::{Map, Value, json};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use store::{Access, Job, OpContext, StoreError, TenantId};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Signs of life in the length of a lease: one may get lost.
const HEARTBEATS: u32 = 3;
/// How often the worker looks without being woken: for jobs that other processes enqueue.
const POLL: Duration = Duration::from_millis(1_000);
/// Pauses before a failed job is tried again, doubled each time up to the second.
const RETRY_FIRST: Duration = Duration::from_secs(2);
const RETRY_MOST: Duration = Duration::from_secs(300);

/// How long a job stays claimed without a sign of life: after a crash the next worker waits that long.
fn lease(app: &App) -> Duration {
    Duration::from_secs(app.config().worker.lease_seconds.max(1).into())
}

/// What is short, and what may take its time: a flow becomes ready also while a run is going.
pub(crate) const LANES: [&[&str]; 2] = [&[READINESS], &[VALIDATE, RUN]];

/// Starts the worker; it ends when the app is stopping.
pub(crate) fn start(app: App) -> JoinHandle<()> {
    tokio::spawn(async move {
        tokio::join!(lane(&app, 0), lane(&app, 1));
    })
}

/// Carries out jobs of some kinds, one at a time.
async fn lane(app: &App, lane: usize) {
    while !app.is_stopping() {
        let ctx = app.system(TenantId(Uuid::nil()));
        match app.store().claim_job(&ctx, LANES[lane], lease(app)).await {
            Ok(Some(job)) => carry_out(app, job).await,
            Ok(None) => {
                // Either something wakes the worker, or it is time to look again.
                let _ = tokio::time::timeout(POLL, app.work(lane)).await;
            }
            Err(error) => {
                tracing::error!(%error, "jobs cannot be claimed");
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

async fn carry_out(app: &App, job: Job) {
    let (worker_app, worker_job) = (app.clone(), job.clone());
    let done = tokio::task::spawn_blocking(move || with_heartbeat(&worker_app, &worker_job)).await;
    let error = match done {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error,
        Err(panic) => format!("panic: {panic}"),
    };
    let pause = if app.is_stopping() {
        // Nothing is wrong with it: the next start takes it up at once.
        Duration::ZERO
    } else {
        tracing::warn!(job.kind = %job.kind, job.id = %job.id, attempt = job.attempt, %error, "a job failed and is tried again");
        RETRY_FIRST.saturating_mul(1 << job.attempt.clamp(1, 16).unsigned_abs().saturating_sub(1)).min(RETRY_MOST)
    };
    let ctx = app.system(job.tenant);
    let run_at = SignedDuration::try_from(pause).ok().and_then(|pause| ctx.now.checked_add(pause).ok()).unwrap_or(ctx.now);
    if let Err(error) = app.store().retry_job(&ctx, job, run_at, error).await {
        tracing::warn!(%error, "a job was taken over by another worker");
    }
}

/// Prolongs the lease from a second thread while the job runs.
fn with_heartbeat(app: &App, job: &Job) -> Result<(), String> {
    let (stop, stopped) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while stopped.recv_timeout(lease(app) / HEARTBEATS) == Err(RecvTimeoutError::Timeout) {
                if let Err(error) = app.store().heartbeat_blocking(&app.system(job.tenant), job, lease(app)) {
                    tracing::warn!(%error, "a lease could not be prolonged");
                }
            }
        });
        let outcome = perform(app, job);
        drop(stop);
        outcome
    })
}

fn perform(app: &App, job: &Job) -> Result<(), String> {
    let ctx = app.system(job.tenant);
    match job.kind.as_str() {
        READINESS => ready(app, &ctx, job),
        VALIDATE => validate(app, &ctx, job),
        RUN => run(app, &ctx, job),
        other => Err(format!("unknown kind of job {other}")),
    }
}

/// Brings the readiness of all flows of a tenant up to date.
fn ready(app: &App, ctx: &OpContext, job: &Job) -> Result<(), String> {
    let (context, job) = (ctx.clone(), job.clone());
    let write = move |tx: &mut store::Tx<'_>| {
        update_readiness(tx, &context, None)?;
        tx.finish_job(&job)
    };
    app.store().write_blocking(ctx, write).map_err(|e: StoreError| chain(&e))
}

/// `failed_run`: whether the run that just ended failed; `None` when none did end.
fn update_readiness(tx: &mut store::Tx<'_>, ctx: &OpContext, failed_run: Option<bool>) -> Result<(), StoreError> {
    let known: Vec<Value> =
        tx.docs(&ORGANIZATIONS)?.list(None, None, usize::from(u16::MAX))?.into_iter().filter_map(|d| d.body.get("ids").cloned()).collect();
    let knows = |id: &str| known.iter().any(|ids| ids.as_array().is_some_and(|ids| ids.iter().any(|i| i == id)));
    let mut changes: Vec<(&'static str, String, Readiness)> = Vec::new();
    {
        let data = Data::new(tx, ctx);
        let failed = |current: Readiness| failed_run.unwrap_or(current == Readiness::Failed);
        for flow in data.list("inboundFlows", None) {
            let current = Readiness::of(&flow);
            let conditions = readiness::inbound_conditions(&flow, ctx.now, failed(current), &data);
            note(&mut changes, "inboundFlows", &flow, current, readiness::inbound_flow(current, &conditions));
        }
        for set in data.list("outboundProvisioningFlowSets", None) {
            let set_id = set.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            for flow in data.list("provisioningFlows", Some(&set_id)) {
                let current = Readiness::of(&flow);
                let conditions = readiness::provisioning_conditions(&flow, &set, ctx.now, &knows, true, failed(current), &data);
                note(&mut changes, "provisioningFlows", &flow, current, readiness::provisioning_flow(current, &conditions));
            }
        }
    }
    let mut became_ready = false;
    for (collection, id, status) in changes {
        became_ready |= collection == "inboundFlows";
        let access = Access::unchecked(collection);
        if let Some(mut doc) = tx.docs(&access)?.get(&id)? {
            doc.body.insert("readinessStatus".to_owned(), json!(status.as_str()));
            tx.docs(&access)?.update(&id, &doc.body, Some(doc.version))?;
        }
    }
    // Provisioning flows depend on inbound flows: what has just changed counts for them at once.
    if became_ready { update_readiness(tx, ctx, failed_run) } else { Ok(()) }
}

fn note(
    changes: &mut Vec<(&'static str, String, Readiness)>,
    collection: &'static str,
    flow: &Map<String, Value>,
    current: Readiness,
    next: Readiness,
) {
    if current != next {
        let id = flow.get("id").and_then(Value::as_str).unwrap_or_default();
        changes.push((collection, id.to_owned(), next));
    }
}

fn public_error(finding: &Finding) -> Value {
    json!({ "code": finding.code, "message": finding.message, "target": finding.file, "details": [], "innerError": null })
}

/// Basic validation of an upload; good files become the connector's accepted set.
fn validate(app: &App, ctx: &OpContext, job: &Job) -> Result<(), String> {
    let text = |name: &str| job.payload[name].as_str().map(str::to_owned);
    let (Some(operation), Some(connector)) = (text("operation"), text("connector")) else { return Err("broken payload".to_owned()) };
    let blobs = app.store().blobs();
    // The folder that the files move to; after a crash they may be there already.
    let accepted_key = format!("accepted/{operation}");
    let accepted = blobs.path(ctx.tenant, &accepted_key).map_err(|e| chain(&e))?;
    let container = text("container");
    let uploaded = match &container {
        Some(container) => blobs.path(ctx.tenant, &format!("uploads/{container}/files")).map_err(|e| chain(&e))?,
        None => accepted.clone(),
    };
    let folder = if accepted.is_dir() { &accepted } else { &uploaded };
    let files = sources(folder).map_err(|e| chain(&e))?;
    let report = roster::basic_validate(&files);
    let good = report.errors.is_empty();
    if good && !accepted.is_dir() {
        std::fs::create_dir_all(accepted.parent().unwrap_or(&accepted))
            .and_then(|()| std::fs::rename(&uploaded, &accepted))
            .map_err(|e| chain(&e))?;
    }
    let (job, op) = (job.clone(), operation.clone());
    let names: Vec<String> = files.iter().map(|f| f.name.clone()).collect();
    let write = move |tx: &mut store::Tx<'_>| {
        jobs::update_operation(tx, &op, |body| {
            body.insert("status".to_owned(), json!("succeeded"));
            body.insert("errors".to_owned(), report.errors.iter().map(public_error).collect());
            body.insert("warnings".to_owned(), report.warnings.iter().map(public_error).collect());
            body.insert("validatedFiles".to_owned(), json!(report.validated));
        })?;
        let mut before = None;
        if good {
            before = tx.docs(&ACCEPTED)?.get(&connector)?.and_then(|doc| doc.body.get("folder").and_then(Value::as_str).map(str::to_owned));
            let body = jobs::object(json!({ "folder": accepted_key, "files": names, "operation": op }));
            tx.docs(&ACCEPTED)?.put(&connector, None, &body)?;
        }
        tx.finish_job(&job)?;
        Ok::<_, StoreError>(before)
    };
    let before = app.store().write_blocking(ctx, write).map_err(|e: StoreError| chain(&e))?;
    // The container belongs to one session and goes after validation; so does the set before.
    let gone = container.map(|c| format!("uploads/{c}")).into_iter().chain(before.filter(|b| *b != format!("accepted/{operation}")));
    for key in gone {
        if let Err(error) = blobs.remove_folder(ctx.tenant, &key) {
            tracing::warn!(%error, "an old folder could not be removed");
        }
    }
    Ok(())
}

/// The files of a folder, by name.
pub(crate) fn sources(folder: &std::path::Path) -> std::io::Result<Vec<Source>> {
    let mut files = Vec::new();
    if folder.is_dir() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            files.push(Source { name: entry.file_name().to_string_lossy().into_owned(), path: entry.path() });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// A run, from wherever it stands to its end.
fn run(app: &App, ctx: &OpContext, job: &Job) -> Result<(), String> {
    let Some(id) = job.payload["run"].as_str().map(str::to_owned) else { return Err("broken payload".to_owned()) };
    let key = id.clone();
    let state = app.store().read_blocking(ctx, move |tx| tx.docs(&STATE)?.get(&key)).map_err(|e: StoreError| chain(&e))?;
    let Some(state) = state else { return Err(format!("the run {id} has no state")) };
    let spec: sync::RunSpec =
        state.body.get("spec").cloned().and_then(|v| serde_json::from_value(v).ok()).ok_or("the run's specification cannot be read")?;
    let operation = state.body.get("operation").and_then(Value::as_str).unwrap_or_default().to_owned();
    let approved = state.body.get("approved").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let approved = approved.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    tracing::info!(run.id = %id, attempt = job.attempt, "a run starts or is taken up again");
    let own_rows = app.store().read_blocking(ctx, runs::own_reference_rows).map_err(|e: StoreError| chain(&e))?;
    let ports = StorePorts::new(app, ctx, job, &id, runs::codes(&own_rows), approved);
    let outcome = sync::advance(&spec, &ports).map_err(|e| chain(&e))?;
    // Its own time: the run may have taken a while.
    let end = app.system(job.tenant);
    let (context, job, result) = (end.clone(), job.clone(), outcome.clone());
    let write = move |tx: &mut store::Tx<'_>| {
        let obsolete = runs::finish(tx, &job, &spec, &operation, &result)?;
        let failed = result.blocked.is_some() && !result.approvable;
        update_readiness(tx, &context, Some(failed))?;
        Ok::<_, StoreError>(obsolete)
    };
    let obsolete = app.store().write_blocking(&end, write).map_err(|e| chain(&e))?;
    tracing::info!(run.id = %id, run.status = %outcome.status, "a run has ended");
    for folder in obsolete {
        if let Err(error) = std::fs::remove_dir_all(&folder)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "an old snapshot could not be removed");
        }
    }
    Ok(())
}
