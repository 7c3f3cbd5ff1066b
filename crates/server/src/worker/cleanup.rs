//! What nobody needs any more goes: files of old runs and uploads, traces of deleted configuration.
//!
//! Everything here can be done at any time, twice, and by several processes at once: only what no
//! document refers to is removed, and not while a job of the tenant is going that may be about to.

use crate::app::App;
use crate::error::chain;
use crate::jobs::{RUN, VALIDATE};
use crate::runs::{ACCEPTED, BASELINES, ORGANIZATIONS, STATE};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use store::{Access, OpContext, StoreError, TenantId, Tx};
use uuid::Uuid;

/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(3600);
/// How often the worker asks whether it is to stop.
const TICK: Duration = Duration::from_millis(250);
/// Runs whose findings and plans are kept, as the service keeps them.
const RUNS_KEPT: usize = 14;
/// Documents read at a time.
const PAGE: usize = 1_000;

/// Cleans up at the start and once an hour.
pub(super) async fn now_and_then(app: &App) {
    let mut next = tokio::time::Instant::now();
    while !app.is_stopping() {
        if tokio::time::Instant::now() >= next {
            if let Err(error) = all_tenants(app).await {
                tracing::warn!(error = chain(&error), "not everything could be cleaned up; the next look is in an hour");
            }
            next = tokio::time::Instant::now() + PAUSE;
        }
        tokio::time::sleep(TICK).await;
    }
}

async fn all_tenants(app: &App) -> Result<(), StoreError> {
    let tenants = identity::list_tenants(app.store(), &app.system(TenantId(Uuid::nil()))).await;
    for tenant in tenants.map_err(|error| StoreError::Corrupt(chain(&error)))? {
        let ctx = app.system(tenant.id);
        upload::sweep(app.uploads(), &ctx).await?;
        one_tenant(app, &ctx).await?;
    }
    Ok(())
}

/// What documents say must stay.
struct Kept {
    /// Folders below `accepted/`.
    accepted: BTreeSet<String>,
    /// Runs whose folder stays.
    runs: BTreeSet<String>,
    /// Of these, the ones whose snapshots stay too.
    snapshots: BTreeSet<String>,
}

async fn one_tenant(app: &App, ctx: &OpContext) -> Result<(), StoreError> {
    let kept = app.store().write(ctx, |tx| if is_busy(tx)? { Ok(None) } else { kept(tx).map(Some) }).await?;
    let Some(kept) = kept else { return Ok(()) };
    let blobs = app.store().blobs();
    let (accepted, runs) = (blobs.path(ctx.tenant, "accepted")?, blobs.path(ctx.tenant, "runs")?);
    let removed = tokio::task::spawn_blocking(move || {
        for folder in folders(&accepted)?.into_iter().filter(|f| !kept.accepted.contains(&name(f))) {
            std::fs::remove_dir_all(folder)?;
        }
        for folder in folders(&runs)? {
            let run = name(&folder);
            if !kept.runs.contains(&run) {
                std::fs::remove_dir_all(folder)?;
            } else if !kept.snapshots.contains(&run) {
                let parts = folders(&folder)?;
                let parts = parts.into_iter().filter(|p| name(p).starts_with("snapshot-") || name(p).starts_with("history-"));
                parts.into_iter().try_for_each(std::fs::remove_dir_all)?;
            }
        }
        Ok(())
    });
    let removed: std::io::Result<()> = removed.await.unwrap_or(Ok(()));
    removed.map_err(|source| StoreError::Io { what: "clean up".to_owned(), source })
}

fn is_busy(tx: &mut Tx<'_>) -> Result<bool, StoreError> {
    Ok(tx.has_open_job(RUN)? || tx.has_open_job(VALIDATE)?)
}

/// Forgets what belongs to deleted connectors and flows; gives what is left.
fn kept(tx: &mut Tx<'_>) -> Result<Kept, StoreError> {
    let connectors = ids(tx, "dataConnectors")?;
    let flows = ids(tx, "inboundFlows")?;
    for (access, owners) in [(&ACCEPTED, &connectors), (&ORGANIZATIONS, &connectors), (&BASELINES, &flows)] {
        for doc in tx.docs(access)?.list(None, None, usize::from(u16::MAX))? {
            if !owners.contains(&doc.id) {
                tx.docs(access)?.delete(&doc.id)?;
            }
        }
    }
    let texts = |docs: Vec<store::Doc>, name: &str| -> BTreeSet<String> {
        docs.iter().filter_map(|doc| doc.body.get(name).and_then(Value::as_str).map(str::to_owned)).collect()
    };
    let accepted = texts(tx.docs(&ACCEPTED)?.list(None, None, usize::from(u16::MAX))?, "operation");
    let mut snapshots = texts(tx.docs(&BASELINES)?.list(None, None, usize::from(u16::MAX))?, "run");
    let runs = ids(tx, "runs")?;
    let mut kept_runs: BTreeSet<String> = runs.iter().rev().take(RUNS_KEPT).cloned().collect();
    for run in &kept_runs {
        // A run that waits for an approval goes on with what it has read.
        let waits = tx.docs(&STATE)?.get(run)?.is_some_and(|doc| doc.body.get("approvable") == Some(&Value::Bool(true)));
        if waits {
            snapshots.insert(run.clone());
        }
    }
    kept_runs.extend(snapshots.iter().cloned());
    Ok(Kept { accepted, runs: kept_runs, snapshots })
}

/// All ids of a collection, in order.
fn ids(tx: &mut Tx<'_>, collection: &'static str) -> Result<BTreeSet<String>, StoreError> {
    let access = Access::unchecked(collection);
    let mut ids = BTreeSet::new();
    let mut after: Option<String> = None;
    loop {
        let page = tx.docs(&access)?.list(None, after.as_deref(), PAGE)?;
        let full = page.len() == PAGE;
        after = page.last().map(|doc| doc.id.clone());
        ids.extend(page.into_iter().map(|doc| doc.id));
        if !full {
            return Ok(ids);
        }
    }
}

fn folders(of: &Path) -> std::io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(of) {
        Ok(entries) => entries.map(|entry| entry.map(|e| e.path())).filter(|p| p.as_ref().map_or(true, |p| p.is_dir())).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
