//! The test of a connector's connection, `validate` of an API connector.

use super::JobError;
use crate::app::App;
use crate::jobs::{self, READINESS};
use crate::providers;
use crate::runs::ORGANIZATIONS;
use industry_data::rules::format_time;
use oneroster::{Fault, Probe};
use serde_json::{Value, json};
use store::{Access, Job, NewJob, OpContext, StoreError, Tx};
use tokio::runtime::Handle;

const CONNECTORS: Access = Access::unchecked("dataConnectors");

pub(super) fn carry_out(app: &App, ctx: &OpContext, job: &Job) -> Result<(), JobError> {
    let text = |name: &str| job.payload[name].as_str().map(str::to_owned);
    let (Some(operation), Some(id)) = (text("operation"), text("connector")) else {
        return Err(JobError::Never("the job names no operation or no connector".to_owned()));
    };
    let key = id.clone();
    let connector = app.store().read_blocking::<_, StoreError>(ctx, move |tx| tx.docs(&CONNECTORS)?.get(&key))?;
    let connector = connector.ok_or_else(|| JobError::Never("the connector was deleted".to_owned()))?;
    let probe = match providers::connection(app, ctx, &id, connector.body)? {
        Ok(connection) => Handle::current().block_on(async {
            let surroundings = providers::surroundings(app);
            tokio::select! {
                probe = oneroster::probe(&connection, &surroundings) => Ok(probe),
                () = app.stopping() => Err(JobError::Again("the server is stopping".to_owned())),
            }
        })?,
        Err(fault) => Probe { errors: vec![fault], ..Probe::default() },
    };
    // Its own time: a provider may take a while.
    let end = app.system(job.tenant);
    let (job, version, readiness) = (job.clone(), connector.version, app.new_id().to_string());
    app.store().write_blocking(&end, move |tx| {
        tx.check_lease(&job)?;
        // What was tested is not what is there any more.
        let Some(mut current) = tx.docs(&CONNECTORS)?.get(&id)?.filter(|doc| doc.version == version) else {
            return Err(JobError::Again("the connector was changed while it was tested".to_owned()));
        };
        let now = tx.ctx().now;
        if let Some(Value::Object(credential)) = current.body.get_mut("credential") {
            credential.insert("isValid".to_owned(), json!(probe.errors.is_empty()));
            if probe.errors.is_empty() {
                credential.insert("lastValidDateTime".to_owned(), json!(format_time(now)));
            }
        }
        tx.docs(&CONNECTORS)?.update(&id, &current.body, Some(version))?;
        if probe.errors.is_empty() {
            // A flow set's filter may name them from now on.
            tx.docs(&ORGANIZATIONS)?.put(&id, None, &jobs::object(json!({ "ids": probe.organizations })))?;
        }
        jobs::update_operation(tx, &operation, |body| {
            body.insert("status".to_owned(), json!("succeeded"));
            body.insert("errors".to_owned(), probe.errors.iter().map(public_error).collect());
            body.insert("warnings".to_owned(), probe.warnings.iter().map(public_error).collect());
            let checked: Vec<&str> = probe.checked.iter().map(|collection| collection.name()).collect();
            body.insert("validatedFiles".to_owned(), json!(checked));
        })?;
        tx.enqueue(&readiness, &NewJob { kind: READINESS, payload: json!({}), run_at: now })?;
        Ok(tx.finish_job(&job)?)
    })?;
    app.wake_worker();
    Ok(())
}

/// The operation says that the test could not be made.
pub(super) fn abandon(tx: &mut Tx<'_>, job: &Job, error: &str) -> Result<(), StoreError> {
    let Some(operation) = job.payload["operation"].as_str() else { return Ok(()) };
    let message = format!("The connection could not be tested: {error}. Validate the connector again.");
    jobs::update_operation(tx, operation, |body| {
        body.insert("status".to_owned(), json!("failed"));
        body.insert("statusDetail".to_owned(), json!(message));
    })
}

fn public_error(fault: &Fault) -> Value {
    json!({ "code": fault.code.as_str(), "message": fault.to_string(), "target": fault.place, "details": [], "innerError": null })
}
