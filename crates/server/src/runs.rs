//! Runs in the store: how one is set up from the configuration, recorded, and finished.

mod changes;
mod configuration;
mod finish;
mod ports;
mod pull;

pub(crate) use configuration::{changes_report, spec};
pub(crate) use finish::{finish, record};
pub use ports::built_in_codes;
pub(crate) use ports::{StorePorts, codes, failpoint};
pub use pull::PULL_FAILPOINTS;

use crate::app::App;
use crate::error::AppError;
use crate::jobs::{self, object};
use industry_data::rules::format_time;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use store::{Access, NewJob, StoreError, Tx};
use sync::RunSpec;

/// The kind of provisioning flow that runs carry out.
pub(crate) const SECURITY_GROUP_FLOW: &str = "#microsoft.graph.industryData.securityGroupProvisioningFlow";
/// Runs, written by Homeroom alone.
pub(crate) const RUNS: Access = Access::unchecked("runs");
/// Activities of runs.
pub(crate) const ACTIVITIES: Access = Access::unchecked("activities");
/// Specification, steps and bookkeeping of runs.
pub(crate) const STATE: Access = Access::unchecked("_runState");
/// The run that is going, and those that wait for an approval.
pub(crate) const OPEN: Access = Access::unchecked("_openRuns");
/// Statistics of runs.
pub(crate) const STATISTICS: Access = Access::unchecked("_statistics");
/// What the last good run of each inbound flow left.
pub(crate) const BASELINES: Access = Access::unchecked("_baselines");
/// Organizations that have been seen, by inbound flow.
pub(crate) const ORGANIZATIONS: Access = Access::unchecked("_organizations");
/// Why the newest upload of a connector was refused; gone when one is accepted.
pub(crate) const REFUSED: Access = Access::unchecked("_refused");
/// Findings about the package of changes that an accepted set was put together with, beside the files of the set.
/// No uploaded file has a name with a dot in front.
pub(crate) const FOUND_IN_CHANGES: &str = ".findings-changes.jsonl";
/// The last accepted upload of each connector.
pub(crate) const ACCEPTED: Access = Access::unchecked("_accepted");

/// The reference rows that the tenant has added.
pub(crate) fn own_reference_rows(tx: &mut Tx<'_>) -> Result<Vec<Map<String, Value>>, StoreError> {
    let rows = tx.docs(&Access::unchecked("referenceDefinitions"))?.list(None, None, usize::from(u16::MAX))?;
    Ok(rows.into_iter().map(|doc| doc.body).collect())
}

/// The operation of the run that is going, if one is.
pub(crate) fn going(tx: &mut Tx<'_>) -> Result<Option<String>, StoreError> {
    let open = tx.docs(&OPEN)?.list(None, None, usize::from(u16::MAX))?;
    let running = open.into_iter().find(|doc| doc.body.get("waits") == Some(&json!(false)));
    Ok(running.and_then(|doc| doc.body.get("operation").and_then(Value::as_str).map(str::to_owned)))
}

/// A new run makes those that wait for an approval obsolete: they would apply older data.
fn withdraw(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    for doc in tx.docs(&OPEN)?.list(None, None, usize::from(u16::MAX))? {
        if let Some(mut state) = tx.docs(&STATE)?.get(&doc.id)? {
            state.body.insert("approvable".to_owned(), json!(false));
            tx.docs(&STATE)?.update(&doc.id, &state.body, None)?;
        }
        tx.docs(&OPEN)?.delete(&doc.id)?;
    }
    Ok(())
}

/// Records a new run with its activities and its operation.
pub(crate) fn create(tx: &mut Tx<'_>, app: &App, spec: &RunSpec, operation: &str, location: &str) -> Result<(), StoreError> {
    let now = tx.ctx().now;
    let id = spec.run_id.as_str();
    let run = object(json!({
        "id": id, "displayName": format!("Run {} UTC", now.strftime("%Y-%m-%d %H:%M")), "startDateTime": format_time(now),
        "endDateTime": null, "status": "running", "blockingError": null,
    }));
    tx.docs(&RUNS)?.insert(id, None, &run)?;
    let mut activities = Vec::new();
    for inbound in &spec.inbound {
        activities.push((
            "inboundFlowActivity",
            inbound.display_name.clone(),
            &inbound.flow_id,
            Some(format!("inboundFlows/{}", inbound.flow_id)),
        ));
    }
    for flow in &spec.flows {
        activities.push(("outboundFlowActivity", "Security groups".to_owned(), &flow.flow_id, None));
    }
    for (kind, name, flow, bind) in activities {
        let activity = app.new_id().to_string();
        let mut body = object(json!({
            "@odata.type": format!("#microsoft.graph.industryData.{kind}"), "id": activity, "displayName": name,
            "status": "inProgress", "blockingError": null, "_flow": flow,
        }));
        if let Some(bind) = bind {
            body.insert("activity@odata.bind".to_owned(), json!(bind));
        }
        tx.docs(&ACTIVITIES)?.insert(&activity, Some(id), &body)?;
    }
    let created = object(json!({
        "@odata.type": "#microsoft.graph.longRunningOperation", "id": operation, "createdDateTime": format_time(now),
        "lastActionDateTime": format_time(now), "resourceLocation": location, "status": "notStarted", "statusDetail": null,
    }));
    tx.docs(&jobs::OPERATIONS)?.insert(operation, None, &created)?;
    let spec = serde_json::to_value(spec).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let state = object(json!({ "spec": spec, "operation": operation, "steps": {}, "approved": [], "approvable": false }));
    tx.docs(&STATE)?.insert(id, None, &state)?;
    withdraw(tx)?;
    tx.docs(&OPEN)?.insert(id, None, &object(json!({ "operation": operation, "waits": false })))
}

/// What a run counted; zeros while it is going.
pub(crate) fn statistics(tx: &mut Tx<'_>, run: &str) -> Result<Map<String, Value>, AppError> {
    if let Some(found) = tx.docs(&STATISTICS)?.get(run)? {
        return Ok(found.body);
    }
    let run_doc = tx.docs(&RUNS)?.get(run)?.ok_or_else(|| AppError::no_such("runs", run))?;
    Ok(object(json!({ "runId": run, "status": run_doc.body.get("status"), "inboundTotals": null, "activityStatistics": [] })))
}

/// Forgets what a provisioning flow has applied (decision 10).
pub(crate) fn reset_flow(tx: &mut Tx<'_>, flow: &str) -> Result<(), AppError> {
    Ok(directory::embedded::forget_flow(tx, flow)?)
}

/// Runs read at a time.
const PAGE: usize = 1_000;

/// The findings logs in a run's folder, one JSON object a line.
pub(crate) fn findings_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let is_findings = path.file_stem().is_some_and(|stem| stem.to_string_lossy().starts_with("findings"));
        if is_findings && path.extension().is_some_and(|e| e == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// What a report on a run is made from; `None` when there is no such run. The logs of a run that is going on are
/// those of the steps that are done, and old runs have none any more.
pub(crate) fn findings(tx: &mut Tx<'_>, id: &str, folder: &Path) -> Result<Option<roster::report::Findings>, StoreError> {
    let Some(run) = tx.docs(&RUNS)?.get(id)?.map(|doc| doc.body) else { return Ok(None) };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let stopped = run.get("blockingError").and_then(|error| text(error.get("message")));
    let subject = text(run.get("displayName")).unwrap_or_default();
    let time = |name| text(run.get(name));
    let about = match (time("startDateTime"), time("endDateTime")) {
        (Some(start), Some(end)) => vec![format!("From {start} to {end}.")],
        (Some(start), None) => vec![format!("Started {start}; going on.")],
        _ => Vec::new(),
    };
    let logs = findings_files(folder).unwrap_or_default();
    let files = logs.iter().flat_map(|log| file_reports(log)).collect();
    Ok(Some(roster::report::Findings { subject, about, logs, files, stopped }))
}

/// What became of each file that a log is about: the counts lie beside it.
fn file_reports(log: &Path) -> Vec<roster::FileReport> {
    let name = log.file_stem().map(|stem| stem.to_string_lossy().replacen("findings", "files", 1)).unwrap_or_default();
    let read = std::fs::read(log.with_file_name(format!("{name}.json")));
    read.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// All runs, newest first.
pub(crate) fn newest_first(tx: &mut Tx<'_>) -> Result<Vec<Map<String, Value>>, StoreError> {
    let mut runs = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = tx.docs(&RUNS)?.list(None, after.as_deref(), PAGE)?;
        let full = page.len() == PAGE;
        after = page.last().map(|doc| doc.id.clone());
        runs.extend(page.into_iter().map(|doc| doc.body));
        if !full {
            runs.reverse();
            return Ok(runs);
        }
    }
}

/// Whether a run has read an accepted set, and so told what was found in the changes of it, or is about to.
pub(crate) fn has_been_read(tx: &mut Tx<'_>, accepted: &Map<String, Value>) -> Result<bool, StoreError> {
    let text = |name: &str| accepted.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let folder = text("folder");
    // Ids sort by time: no run before the upload has seen it.
    for state in tx.docs(&STATE)?.list(None, Some(&text("operation")), PAGE)? {
        let has_read = state.body.get("steps").is_some_and(|steps| !steps["snapshot"].is_null());
        if !has_read && tx.docs(&OPEN)?.get(&state.id)?.is_none() {
            continue;
        }
        let inbound = state.body.get("spec").and_then(|spec| spec["inbound"].as_array()).map_or(&[][..], Vec::as_slice);
        let mut files = inbound.iter().filter_map(|flow| flow["files"].as_array()).flatten();
        if files.any(|file| is_in(file, &folder)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a file of a specification lies in a folder of the store, which may have moved since.
fn is_in(file: &Value, folder: &str) -> bool {
    let path = file["path"].as_str().and_then(|path| Path::new(path).parent());
    path.is_some_and(|path| path.ends_with(folder))
}

/// Everything known of a run.
pub(crate) fn show(tx: &mut Tx<'_>, id: &str) -> Result<Option<Value>, StoreError> {
    let Some(run) = tx.docs(&RUNS)?.get(id)? else { return Ok(None) };
    let state = tx.docs(&STATE)?.get(id)?.map(|doc| doc.body).unwrap_or_default();
    let statistics = tx.docs(&STATISTICS)?.get(id)?.map(|doc| doc.body);
    let activities: Vec<Value> =
        tx.docs(&ACTIVITIES)?.list(Some(id), None, usize::from(u16::MAX))?.into_iter().map(|doc| Value::Object(doc.body)).collect();
    let inbound = state.get("spec").and_then(|spec| spec["inbound"].as_array()).map_or(&[][..], Vec::as_slice);
    let pulls = state.get("steps").map_or(&Value::Null, |steps| &steps["pull"]);
    let origins: Vec<Value> = inbound
        .iter()
        .map(|flow| json!({ "flow": flow["display_name"], "origin": flow["origin"], "pull": pull_of(pulls, &flow["flow_id"]) }))
        .collect();
    Ok(Some(json!({
        "run": run.body, "inbound": origins, "waitsForApproval": state.get("approvable"), "steps": state.get("steps"), "activities": activities, "statistics": statistics,
    })))
}

/// How the files of a flow were pulled, or why they were not; `null` for flows that are not.
fn pull_of(pulls: &Value, flow: &Value) -> Value {
    let find = |list: &str| pulls[list].as_array().and_then(|list| list.iter().find(|one| one["flow_id"] == *flow));
    let failed = || find("failed").and_then(|one| one["why"].as_str()).map(|why| json!(format!("could not be pulled: {why}")));
    find("sources").map(|one| one["how"].clone()).or_else(failed).unwrap_or_default()
}

/// Lets a run go on that waits for it; `false` when it does not.
pub(crate) fn approve(tx: &mut Tx<'_>, id: &str, job: &str) -> Result<bool, StoreError> {
    let Some(mut state) = tx.docs(&STATE)?.get(id)? else { return Ok(false) };
    if state.body.get("approvable") != Some(&json!(true)) {
        return Ok(false);
    }
    let Some(mut run) = tx.docs(&RUNS)?.get(id)? else { return Ok(false) };
    // What has stopped it, and nothing that may come later.
    let code = run.body.get("blockingError").and_then(|error| error.get("code")).cloned().unwrap_or_default();
    state.body.insert("approvable".to_owned(), json!(false));
    if let Some(Value::Array(approved)) = state.body.get_mut("approved") {
        approved.push(code);
    }
    tx.docs(&STATE)?.update(id, &state.body, None)?;
    run.body.extend(object(json!({ "status": "running", "endDateTime": null, "blockingError": null })));
    tx.docs(&RUNS)?.update(id, &run.body, None)?;
    if let Some(operation) = state.body.get("operation").and_then(Value::as_str) {
        jobs::update_operation(tx, operation, |body| {
            body.insert("status".to_owned(), json!("running"));
            body.insert("statusDetail".to_owned(), json!("approved"));
        })?;
    }
    let open = object(json!({ "operation": state.body.get("operation"), "waits": false }));
    tx.docs(&OPEN)?.put(id, None, &open)?;
    let run_at = tx.ctx().now;
    let actor = format!("{:?}", tx.ctx().actor);
    tx.audit(&format!("{id}/approved-{job}"), Some(id), None, "approveRun", id, &actor)?;
    tx.enqueue(job, &NewJob { kind: jobs::RUN, payload: json!({ "run": id }), run_at })?;
    Ok(true)
}
