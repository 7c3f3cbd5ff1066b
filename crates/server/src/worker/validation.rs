//! Basic validation of an upload; good files become the connector's accepted set.

use super::JobError;
use crate::app::App;
use crate::error::chain;
use crate::jobs::{self, READINESS};
use crate::runs::{self, ACCEPTED, ORGANIZATIONS, REFUSED};
use roster::segment::SegmentReader;
use roster::{Codes, Entity, Finding, IngestOptions, Source};
use serde_json::{Value, json};
use std::path::Path;
use store::{Access, Job, NewJob, OpContext, StoreError, Tx};

/// Codes of `RefFileFormat` that are read.
const READ: [&str; 1] = ["schoolDataSyncV2Rev1"];

pub(super) fn carry_out(app: &App, ctx: &OpContext, job: &Job) -> Result<(), JobError> {
    let text = |name: &str| job.payload[name].as_str().map(str::to_owned);
    let (Some(operation), Some(connector)) = (text("operation"), text("connector")) else {
        return Err(JobError::Never("the job names no operation or no connector".to_owned()));
    };
    let container = text("container").map(|container| format!("uploads/{container}"));
    let blobs = app.store().blobs();
    // First the files go where no client can write any more; after a crash they may be there already.
    let key = format!("accepted/{operation}");
    if let Some(container) = &container
        && blobs.path(ctx.tenant, &format!("{container}/files"))?.is_dir()
    {
        blobs.move_folder(ctx.tenant, &format!("{container}/files"), &key)?;
    }
    let folder = blobs.path(ctx.tenant, &key)?;
    let files = sources(&folder).map_err(|e| JobError::Again(chain(&e)))?;
    let mut report = roster::basic_validate(&files, None);
    report.errors.extend(unsupported_format(app, ctx, &connector)?);
    let own_rows = app.store().read_blocking(ctx, runs::own_reference_rows)?;
    let organizations = if report.errors.is_empty() { organizations(&files, &runs::codes(&own_rows)) } else { Ok(Vec::new()) };
    let organizations = organizations.map_err(|e| JobError::Again(chain(&e)))?;
    let (job, good, readiness) = (job.clone(), report.errors.is_empty(), app.new_id().to_string());
    let accepted_key = key.clone();
    let write = move |tx: &mut Tx<'_>| {
        tx.check_lease(&job)?;
        jobs::update_operation(tx, &operation, |body| {
            body.insert("status".to_owned(), json!("succeeded"));
            body.insert("errors".to_owned(), report.errors.iter().map(public_error).collect());
            body.insert("warnings".to_owned(), report.warnings.iter().map(public_error).collect());
            body.insert("validatedFiles".to_owned(), json!(report.validated));
        })?;
        let before = tx.docs(&ACCEPTED)?.get(&connector)?;
        // Ids of operations sort by time: a validation that was tried again must not undo a later one.
        let newer = |doc: &store::Doc| doc.body.get("operation").and_then(Value::as_str).is_some_and(|there| there > operation.as_str());
        if let Some(error) = report.errors.first() {
            tx.docs(&REFUSED)?.put(&connector, None, &jobs::object(json!({ "why": error.message })))?;
        }
        if good && !before.as_ref().is_some_and(newer) {
            let body = jobs::object(json!({ "folder": accepted_key, "files": report.validated, "operation": operation }));
            tx.docs(&ACCEPTED)?.put(&connector, None, &body)?;
            tx.docs(&REFUSED)?.delete(&connector)?;
            tx.docs(&ORGANIZATIONS)?.put(&connector, None, &jobs::object(json!({ "ids": organizations })))?;
            let run_at = tx.ctx().now;
            tx.enqueue(&readiness, &NewJob { kind: READINESS, payload: json!({}), run_at })?;
        }
        tx.finish_job(&job)
    };
    app.store().write_blocking(ctx, write)?;
    app.wake_worker();
    // The container belongs to one session and goes after validation; so do files that are no good.
    for key in container.into_iter().chain((!good).then_some(key)) {
        if let Err(error) = blobs.remove_folder(ctx.tenant, &key) {
            tracing::warn!(error = chain(&error), "an old folder could not be removed");
        }
    }
    Ok(())
}

/// A connector for a format that this version does not read: better said here than misread.
fn unsupported_format(app: &App, ctx: &OpContext, connector: &str) -> Result<Option<Finding>, StoreError> {
    let id = connector.to_owned();
    let found = app.store().read_blocking(ctx, move |tx| tx.docs(&Access::unchecked("dataConnectors"))?.get(&id))?;
    let code = found.as_ref().and_then(|doc| doc.body.get("fileFormat")?.get("code")?.as_str());
    Ok(code.filter(|code| !READ.contains(code)).map(|code| {
        let message = format!("The connector is for files of the format '{code}', which this version of Homeroom does not read.");
        Finding::of_file("UnsupportedFormat", "", message)
            .hint("Send SDS v2.1 files through a connector of the format schoolDataSyncV2Rev1.")
    }))
}

/// The operation says that the files could not be looked at.
pub(super) fn abandon(tx: &mut Tx<'_>, job: &Job, error: &str) -> Result<(), StoreError> {
    let Some(operation) = job.payload["operation"].as_str() else { return Ok(()) };
    let message = format!("The files could not be validated: {error}. Upload them again.");
    jobs::update_operation(tx, operation, |body| {
        body.insert("status".to_owned(), json!("failed"));
        body.insert("statusDetail".to_owned(), json!(message));
    })
}

fn public_error(finding: &Finding) -> Value {
    json!({ "code": finding.code, "message": finding.message, "target": finding.file, "details": [], "innerError": null })
}

/// The files of a folder, by name; none when there is no folder.
pub(crate) fn sources(folder: &Path) -> std::io::Result<Vec<Source>> {
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

/// Keys of the organizations: a flow set's filter may name them from now on.
fn organizations(files: &[Source], codes: &Codes) -> std::io::Result<Vec<String>> {
    let orgs: Vec<Source> = files.iter().filter(|file| file.name.eq_ignore_ascii_case(Entity::Org.file())).cloned().collect();
    let folder = tempfile::tempdir()?;
    let mut progress = |_: &str, _| true;
    let mut options = IngestOptions::new(codes, &mut progress);
    // Whatever is wrong with them, the run will tell.
    roster::ingest(&orgs, &mut options, folder.path(), &mut |_| Ok(())).map_err(std::io::Error::other)?;
    let mut keys = Vec::new();
    if let Some(mut reader) = SegmentReader::open_if_there(&folder.path().join(Entity::Org.segment()))? {
        while let Some(record) = reader.next()? {
            keys.push(record.key_text().to_owned());
        }
    }
    Ok(keys)
}
