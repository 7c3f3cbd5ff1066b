//! Basic validation of an upload; good files become the connector's accepted set.

use super::JobError;
use crate::app::App;
use crate::error::chain;
use crate::jobs::{self, READINESS};
use crate::runs::{self, ACCEPTED, ORGANIZATIONS, REFUSED};
use roster::archive::{ArchiveLimits, Opened, is_archive, open_archives};
use roster::segment::SegmentReader;
use roster::{BasicReport, Codes, Entity, Finding, IngestOptions, Source};
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use store::{Access, Job, NewJob, OpContext, StoreError, Tx};

/// Codes of `RefFileFormat` that are read.
const READ: [&str; 1] = ["schoolDataSyncV2Rev1"];

/// Folder of an upload that its archives are unpacked into. No uploaded file has a name with a dot in front.
const UNPACKED: &str = ".unpacked";
/// Folder of an upload that has all of its files, where some came in archives.
const WHOLE: &str = ".whole";

pub(super) fn carry_out(app: &App, ctx: &OpContext, job: &Job) -> Result<(), JobError> {
    let text = |name: &str| job.payload[name].as_str().map(str::to_owned);
    let (Some(operation), Some(connector)) = (text("operation"), text("connector")) else {
        return Err(JobError::Never("the job names no operation or no connector".to_owned()));
    };
    let origin = text("origin");
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
    let files = if folder.is_dir() { Source::list(&folder).map_err(|e| JobError::Again(chain(&e)))? } else { Vec::new() };
    let whole = if files.iter().any(|file| is_archive(&file.name)) { format!("{key}/{WHOLE}") } else { key.clone() };
    let opened = open(files, &folder).map_err(|e| JobError::Again(chain(&e)))?;
    let files = opened.files;
    // An archive that is refused may be the one with the file that seems to be missing.
    let mut report = if opened.errors.is_empty() { roster::basic_validate(&files) } else { BasicReport::default() };
    report.errors.extend(opened.errors);
    report.warnings.extend(opened.warnings);
    report.errors.extend(unsupported_format(app, ctx, &connector)?);
    if report.errors.is_empty() && whole != key {
        let accepted = files.iter().filter(|file| report.validated.contains(&file.name));
        assemble(accepted, &folder.join(WHOLE)).map_err(|e| JobError::Again(chain(&e)))?;
    }
    let own_rows = app.store().read_blocking(ctx, runs::own_reference_rows)?;
    let organizations = if report.errors.is_empty() { organizations(&files, &runs::codes(&own_rows)) } else { Ok(Vec::new()) };
    let organizations = organizations.map_err(|e| JobError::Again(chain(&e)))?;
    let (job, good, readiness) = (job.clone(), report.errors.is_empty(), app.new_id().to_string());
    let accepted_key = whole.clone();
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
            let body = jobs::object(json!({ "folder": accepted_key, "files": report.validated, "operation": operation, "origin": origin }));
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
    if good && whole != key {
        discard_received(&folder);
    }
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

/// Files of an upload with its archives unpacked. What an attempt before this one has left is done anew.
fn open(files: Vec<Source>, folder: &Path) -> io::Result<Opened> {
    for made in [UNPACKED, WHOLE] {
        match std::fs::remove_dir_all(folder.join(made)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    open_archives(files, &folder.join(UNPACKED), &ArchiveLimits::DEFAULT)
}

/// Loose files and those out of archives in one folder, durable: the upload itself goes after this.
fn assemble<'f>(files: impl Iterator<Item = &'f Source>, whole: &Path) -> io::Result<()> {
    std::fs::create_dir(whole)?;
    for file in files {
        std::fs::File::open(&file.path)?.sync_all()?;
        std::fs::hard_link(&file.path, whole.join(&file.name))
            .or_else(|_| std::fs::copy(&file.path, whole.join(&file.name)).map(|_| ()))?;
    }
    if cfg!(unix) { std::fs::File::open(whole)?.sync_all() } else { Ok(()) }
}

/// Removes what was sent, once the assembled files are the accepted ones. What stays costs disk only.
fn discard_received(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name() != WHOLE) {
        let removed = if entry.path().is_dir() { std::fs::remove_dir_all(entry.path()) } else { std::fs::remove_file(entry.path()) };
        if let Err(error) = removed {
            tracing::warn!(error = chain(&error), "a file that was unpacked could not be removed");
        }
    }
}

/// Keys of the organizations: a flow set's filter may name them from now on.
fn organizations(files: &[Source], codes: &Codes) -> std::io::Result<Vec<String>> {
    let orgs: Vec<Source> = files.iter().filter(|file| file.name.eq_ignore_ascii_case(Entity::Org.file())).cloned().collect();
    let folder = tempfile::tempdir()?;
    let mut options = IngestOptions { codes, encoding: None, progress: &mut |_, _| true };
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
