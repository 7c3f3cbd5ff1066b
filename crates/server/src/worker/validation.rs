//! Basic validation of an upload; good files become the connector's accepted set.

use super::JobError;
use crate::app::App;
use crate::error::chain;
use crate::jobs::{self, READINESS};
use crate::organizations;
use crate::providers;
use crate::runs::{self, ACCEPTED, ORGANIZATIONS, REFUSED, failpoint};
use roster::archive::{ArchiveLimits, Opened, is_archive, open_archives};
use roster::delta::{self, Parts};
use roster::{BasicReport, Finding, Format, Severity, Source};
use serde_json::{Map, Value, json};
use std::io;
use std::path::Path;
use store::{Access, Job, NewJob, OpContext, StoreError, Tx};

/// Findings of each kind about a package of changes that its operation shows.
const FINDINGS_SHOWN: usize = 100;
/// Places where a test can kill the process: once no client can write any more, while changes are applied and something
/// is found, once the set is put together, and once it is the accepted one.
pub const VALIDATION_FAILPOINTS: [&str; 4] = ["upload-closed", "changes-half-applied", "set-put-together", "set-accepted"];
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
    failpoint("upload-closed");
    let folder = blobs.path(ctx.tenant, &key)?;
    let connector_body = connector_body(app, ctx, &connector)?;
    let again = |error: io::Error| JobError::Again(chain(&error));
    let sent = if folder.is_dir() { Source::list(&folder).map_err(again)? } else { Vec::new() };
    let archived = sent.iter().any(|file| is_archive(&file.name));
    let opened = open(sent, &folder).map_err(again)?;
    let changes = delta::is_delta(&opened.files).map_err(again)?;
    // Where the accepted set lies when it is not what was sent, file by file.
    let whole = if changes || archived { format!("{key}/{WHOLE}") } else { key.clone() };
    let mut report = BasicReport { errors: opened.errors, warnings: opened.warnings, ..BasicReport::default() };
    let mut files = opened.files;
    let base = if changes { accepted_folder(app, ctx, &connector)? } else { None };
    if changes && report.errors.is_empty() {
        files = apply_changes(app, ctx, base.as_deref(), &files, &folder.join(WHOLE), &mut report)?;
    }
    // An archive that is refused may be the one with the file that seems to be missing.
    if report.errors.is_empty() {
        let checked = roster::basic_validate(&files, providers::file_format(&connector_body));
        report.warnings.extend(checked.warnings);
        report = BasicReport { warnings: report.warnings, ..checked };
    }
    if report.errors.is_empty() && !changes && whole != key {
        let accepted = files.iter().filter(|file| report.validated.contains(&file.name));
        assemble(accepted, &folder.join(WHOLE)).map_err(again)?;
    }
    let format = report.detected.format.clone().ok();
    let own_rows = app.store().read_blocking(ctx, runs::own_reference_rows)?;
    let organizations =
        if report.errors.is_empty() { organizations::keys(&files, format, &runs::codes(&own_rows)) } else { Ok(Vec::new()) };
    let organizations = organizations.map_err(|e| JobError::Again(chain(&e)))?;
    failpoint("set-put-together");
    let (job, readiness) = (job.clone(), app.new_id().to_string());
    let accepted_key = whole.clone();
    let write = move |tx: &mut Tx<'_>| -> Result<Option<bool>, StoreError> {
        tx.check_lease(&job)?;
        let before = tx.docs(&ACCEPTED)?.get(&connector)?;
        // Ids of operations sort by time: a validation that was tried again must not undo a later one.
        let newer = |doc: &store::Doc| doc.body.get("operation").and_then(Value::as_str).is_some_and(|there| there > operation.as_str());
        let overtaken = before.as_ref().is_some_and(newer);
        if overtaken && changes {
            report.errors.push(overtaken_by_another());
        }
        let good = report.errors.is_empty();
        if good && changes && before.as_ref().and_then(folder_of) != base {
            return Ok(None);
        }
        jobs::update_operation(tx, &operation, |body| {
            body.insert("status".to_owned(), json!("succeeded"));
            body.insert("errors".to_owned(), report.errors.iter().map(public_error).collect());
            body.insert("warnings".to_owned(), report.warnings.iter().map(public_error).collect());
            body.insert("validatedFiles".to_owned(), json!(report.validated));
        })?;
        if let Some(error) = report.errors.first() {
            tx.docs(&REFUSED)?.put(&connector, None, &jobs::object(json!({ "why": error.message })))?;
        }
        if good && !overtaken {
            let body = jobs::object(json!({
                "folder": accepted_key, "files": report.validated, "operation": operation, "origin": origin, "format": format.map(Format::name),
            }));
            tx.docs(&ACCEPTED)?.put(&connector, None, &body)?;
            tx.docs(&REFUSED)?.delete(&connector)?;
            tx.docs(&ORGANIZATIONS)?.put(&connector, None, &jobs::object(json!({ "ids": organizations })))?;
            let run_at = tx.ctx().now;
            tx.enqueue(&readiness, &NewJob { kind: READINESS, payload: json!({}), run_at })?;
        }
        tx.finish_job(&job)?;
        Ok(Some(good))
    };
    let Some(good) = app.store().write_blocking(ctx, write)? else {
        return Err(JobError::Again("the set that the changes are for has become another one".to_owned()));
    };
    failpoint("set-accepted");
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

fn connector_body(app: &App, ctx: &OpContext, connector: &str) -> Result<Map<String, Value>, StoreError> {
    let id = connector.to_owned();
    let found = app.store().read_blocking(ctx, move |tx| tx.docs(&Access::unchecked("dataConnectors"))?.get(&id))?;
    Ok(found.map(|doc| doc.body).unwrap_or_default())
}

/// Where the set lies that was accepted last.
fn accepted_folder(app: &App, ctx: &OpContext, connector: &str) -> Result<Option<String>, StoreError> {
    let id = connector.to_owned();
    Ok(app.store().read_blocking(ctx, move |tx| tx.docs(&ACCEPTED)?.get(&id))?.as_ref().and_then(folder_of))
}

fn folder_of(accepted: &store::Doc) -> Option<String> {
    accepted.body.get("folder")?.as_str().map(str::to_owned)
}

/// What came after the changes is in the accepted set already, and whether they fit there nobody knows.
fn overtaken_by_another() -> Finding {
    let message = "An upload that came after this package of changes was accepted before it, so that it was not applied.";
    Finding::of_file("ChangesOvertaken", "", message).hint("Send the changes again, or one package with all records (bulk).")
}

/// Applies a package of changes to the set that was accepted before; gives the whole set.
fn apply_changes(
    app: &App,
    ctx: &OpContext,
    base: Option<&str>,
    changes: &[Source],
    whole: &Path,
    report: &mut BasicReport,
) -> Result<Vec<Source>, JobError> {
    let again = |error: io::Error| JobError::Again(chain(&error));
    let base = match base {
        Some(folder) => Source::list(&app.store().blobs().path(ctx.tenant, folder)?).map_err(again)?,
        None => Vec::new(),
    };
    std::fs::create_dir(whole).map_err(again)?;
    let applied = delta::apply(&base, changes, Parts::Records, None, whole, &mut |finding| {
        failpoint("changes-half-applied");
        let list = if finding.severity() == Severity::Catastrophic { &mut report.errors } else { &mut report.warnings };
        // The operation is read by people, and all of it at once.
        if list.len() < FINDINGS_SHOWN {
            list.push(finding.clone());
        }
        Ok(())
    });
    Ok(applied.map_err(|error| JobError::Again(chain(&error)))?.files)
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
    sync_folder(whole)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) }
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
