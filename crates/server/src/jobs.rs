//! What requests hand over to the worker, in the same transaction as the change that wants it.

use crate::app::App;
use crate::error::AppError;
use crate::graph::Data;
use crate::graph::place::EntityPlace;
use crate::graph::request::GraphRequest;
use crate::providers;
use crate::runs;
use crate::worker::update_readiness;
use industry_data::permissions::{Action, Resource, allowed};
use industry_data::rules::format_time;
use jiff::SignedDuration;
use serde_json::{Map, Value, json};
use store::{Access, Actor, NewJob, StoreError, Tx};
use upload::SessionTerms;

/// Kinds of jobs.
pub(crate) const VALIDATE: &str = "validate";
/// A run.
pub(crate) const RUN: &str = "run";
/// Test the connection of a connector.
pub(crate) const TEST: &str = "test";
/// Bring readiness up to date.
pub(crate) const READINESS: &str = "readiness";

/// Operations are written by Homeroom alone.
pub(crate) const OPERATIONS: Access = Access::unchecked("operations");

/// Collections whose changes can change what is ready.
const MATTERS: [&str; 5] = ["sourceSystems", "dataConnectors", "inboundFlows", "outboundProvisioningFlowSets", "provisioningFlows"];
/// The window of decision 9.
const QUOTA_WINDOW: SignedDuration = SignedDuration::from_hours(12);
const QUOTA: &str = "runs/start";

/// After a change of configuration, readiness is looked at anew in the background.
pub(crate) fn after_change(app: &App, data: &Data<'_, '_>, collection: &str) -> Result<(), AppError> {
    if MATTERS.contains(&collection) {
        let run_at = data.ctx().now;
        data.with_tx(|tx| tx.enqueue(&app.new_id().to_string(), &NewJob { kind: READINESS, payload: json!({}), run_at }))?;
    }
    Ok(())
}

/// What the operator has set for upload sessions.
pub(crate) fn session_terms(app: &App) -> Result<SessionTerms, String> {
    let uploads = &app.config().uploads;
    Ok(SessionTerms { hours: uploads.session_hours, rights: uploads.session_rights.parse()? })
}

/// The upload session of a connector as `fileUploadSession`.
pub(crate) fn open_upload_session(
    app: &App,
    tx: &mut Tx<'_>,
    connector: &str,
    base_url: &str,
    reset: bool,
) -> Result<Map<String, Value>, AppError> {
    let terms = session_terms(app).map_err(AppError::Internal)?;
    let session = upload::open_session(app.uploads(), tx, connector, base_url, &terms, reset, &app.new_id().to_string())?;
    Ok(object(json!({
        "containerExpirationDateTime": format_time(session.container_expires),
        "containerId": session.container_id,
        "sessionExpirationDateTime": format_time(session.session_expires),
        "sessionUrl": session.url,
    })))
}

/// `validate`: closes the session and has its files looked at, or has the connection tested. Gives the
/// operation's id.
pub(crate) fn start_validation(app: &App, data: &Data<'_, '_>, request: &GraphRequest, at: &EntityPlace) -> Result<String, AppError> {
    data.ctx().grants.require(allowed(Resource::Upload, Action::Write))?;
    let connector = data.stored_unchecked(at)?.ok_or_else(|| AppError::no_such(at.within.collection.name, &at.id))?;
    let resource = request.link(&at.within.collection.entity_path(None, &at.id));
    if providers::is_pulled(&connector.body) {
        return Ok(data.with_tx(|tx| enqueue_test(app, tx, &at.id, resource))?);
    }
    let origin = match &data.ctx().actor {
        Actor::System => None,
        Actor::Client(client) | Actor::User { client, .. } => Some(format!("upload by client {client}")),
    };
    Ok(data.with_tx(|tx| {
        let closed = upload::close_session(app.uploads(), tx, &at.id)?;
        enqueue_validation(app, tx, &at.id, resource, closed.map(|(container, _)| container), origin)
    })?)
}

/// Has the connection of a connector tested. Gives the operation's id.
fn enqueue_test(app: &App, tx: &mut Tx<'_>, connector: &str, resource: String) -> Result<String, StoreError> {
    let id = validate_operation(app, tx, resource)?;
    let (payload, run_at) = (json!({ "operation": id, "connector": connector }), tx.ctx().now);
    tx.enqueue(&app.new_id().to_string(), &NewJob { kind: TEST, payload, run_at })?;
    Ok(id)
}

/// Has the files of a session that was closed looked at; none was open where there is no container. Gives the operation's
/// id. `origin` is where the files came from, for people.
pub(crate) fn enqueue_validation(
    app: &App,
    tx: &mut Tx<'_>,
    connector: &str,
    resource: String,
    container: Option<String>,
    origin: Option<String>,
) -> Result<String, StoreError> {
    let id = validate_operation(app, tx, resource)?;
    let payload = json!({ "operation": id, "connector": connector, "container": container, "origin": origin });
    let run_at = tx.ctx().now;
    tx.enqueue(&app.new_id().to_string(), &NewJob { kind: VALIDATE, payload, run_at })?;
    Ok(id)
}

/// A new operation that a client can follow. Gives its id.
fn validate_operation(app: &App, tx: &mut Tx<'_>, resource: String) -> Result<String, StoreError> {
    let id = app.new_id().to_string();
    let now = format_time(tx.ctx().now);
    let operation = object(json!({
        "@odata.type": "#microsoft.graph.industryData.fileValidateOperation",
        "id": id, "createdDateTime": now, "lastActionDateTime": now, "status": "notStarted", "statusDetail": null,
        "resourceLocation": resource, "errors": [], "warnings": [], "validatedFiles": [],
    }));
    tx.docs(&OPERATIONS)?.insert(&id, None, &operation)?;
    Ok(id)
}

/// `runs/start`: gives the id of the new run's operation, or of the one that is going.
pub(crate) fn start_run(app: &App, data: &Data<'_, '_>, request: &GraphRequest) -> Result<String, AppError> {
    data.ctx().grants.require(allowed(Resource::Runs, Action::Start))?;
    if let Some(operation) = data.with_tx(runs::going)? {
        return Ok(operation);
    }
    let most = u64::from(app.config().runs.on_demand_per_12h);
    if most > 0 {
        quota(data, most)?;
    }
    let operation = begin_run(app, data, &request.link("external/industryData/runs"))?;
    data.with_tx(|tx| tx.window_record(QUOTA))?;
    Ok(operation)
}

/// Starts a run, whoever wants it; none may be going. `runs_url` is the URL of the collection. Gives the operation's id.
pub(crate) fn begin_run(app: &App, data: &Data<'_, '_>, runs_url: &str) -> Result<String, AppError> {
    // Statuses as they are now: a client need not wait for the background to start a run.
    let ctx = data.ctx().clone();
    data.with_tx(|tx| update_readiness(tx, &ctx, None))?;
    let (run, operation, job) = (app.new_id().to_string(), app.new_id().to_string(), app.new_id().to_string());
    let location = format!("{runs_url}/{run}");
    let spec = runs::spec(app, data, &run)?;
    data.with_tx(|tx| {
        runs::create(tx, app, &spec, &operation, &location)?;
        let run_at = tx.ctx().now;
        tx.enqueue(&job, &NewJob { kind: RUN, payload: json!({ "run": run }), run_at })
    })?;
    Ok(operation)
}

fn quota(data: &Data<'_, '_>, most: u64) -> Result<(), AppError> {
    let now = data.ctx().now;
    let since = now.checked_sub(QUOTA_WINDOW).unwrap_or(now);
    let (count, first) = data.with_tx(|tx| tx.window(QUOTA, since))?;
    if count < most {
        return Ok(());
    }
    let free_at = first.and_then(|first| first.checked_add(QUOTA_WINDOW).ok()).unwrap_or(now);
    let wait = free_at.as_second().saturating_sub(now.as_second()).max(1).unsigned_abs();
    Err(AppError::TooManyRequests {
        retry_after_seconds: wait,
        message: format!(
            "{most} runs can be started on demand in 12 hours; the next one in {wait} seconds. The operator sets the number with [runs] on_demand_per_12h."
        ),
    })
}

/// A JSON object literal as a map.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Changes an operation.
pub(crate) fn update_operation(tx: &mut Tx<'_>, id: &str, change: impl FnOnce(&mut Map<String, Value>)) -> Result<(), StoreError> {
    let now = format_time(tx.ctx().now);
    let Some(mut doc) = tx.docs(&OPERATIONS)?.get(id)? else { return Ok(()) };
    doc.body.insert("lastActionDateTime".to_owned(), json!(now));
    change(&mut doc.body);
    tx.docs(&OPERATIONS)?.update(id, &doc.body, None).map(|_| ())
}
