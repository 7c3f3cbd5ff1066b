//! Basic validation of an upload; good files become the connector's accepted set.

use super::{JobError, changes};
use crate::app::App;
use crate::error::{AppError, chain};
use crate::jobs::{self, READINESS};
use crate::organizations;
use crate::providers;
use crate::runs::{self, ACCEPTED, ORGANIZATIONS, REFUSED, failpoint};
use roster::archive::{ArchiveLimits, Opened, is_archive, open_archives};
use roster::delta;
use roster::{BasicReport, Finding, Format, Source};
use serde_json::{Map, Value, json};
use std::io;
use std::path::{Path, PathBuf};
use store::{Access, Job, NewJob, OpContext, StoreError, Tx};
use sync::{ChangesCounts, ChangesReport};

/// Errors, and warnings, that an operation shows.
const ERRORS_SHOWN: usize = 500;
/// Places where a test can kill the process: once no client can write any more, while changes are applied and something
/// is found, once the set is put together, and once it is the accepted one.
pub const VALIDATION_FAILPOINTS: [&str; 4] = ["upload-closed", "changes-half-applied", "set-put-together", "set-accepted"];
/// Folder of an upload that its archives are unpacked into. No uploaded file has a name with a dot in front.
const UNPACKED: &str = ".unpacked";
/// Folder of an upload that has all of its files, where some came in archives.
const WHOLE: &str = ".whole";

pub(super) fn carry_out(app: &App, ctx: &OpContext, job: &Job) -> Result<(), JobError> {
    let upload = Upload::of(app, ctx, job)?;
    let received = upload.receive()?;
    let set = upload.put_together(received)?;
    failpoint("set-put-together");
    let folder = set.folder.clone();
    let is_accepted = upload.accept(set)?;
    failpoint("set-accepted");
    app.wake_worker();
    upload.discard(is_accepted, &folder);
    Ok(())
}

/// An upload that is validated.
struct Upload<'v> {
    app: &'v App,
    ctx: &'v OpContext,
    job: &'v Job,
    operation: String,
    connector: String,
    /// Folder of the session that it came by; none for files that were fetched.
    container: Option<String>,
    /// Where no client can write any more.
    key: String,
}

/// What was sent.
struct Received {
    opened: Opened,
    /// Whether some of it came in archives.
    archived: bool,
}

/// What an upload comes to.
struct Set {
    /// Where its files lie.
    folder: String,
    report: BasicReport,
    /// What was found in the package of changes, when it is one, and the set that it was applied to.
    changes: Option<(ChangesCounts, Option<String>)>,
    organizations: Vec<String>,
}

impl<'v> Upload<'v> {
    fn of(app: &'v App, ctx: &'v OpContext, job: &'v Job) -> Result<Self, JobError> {
        let text = |name: &str| job.payload[name].as_str().map(str::to_owned);
        let (Some(operation), Some(connector)) = (text("operation"), text("connector")) else {
            return Err(JobError::Never("the job names no operation or no connector".to_owned()));
        };
        let container = text("container").map(|container| format!("uploads/{container}"));
        let key = format!("accepted/{operation}");
        Ok(Self { app, ctx, job, operation, connector, container, key })
    }

    fn path(&self, key: &str) -> Result<PathBuf, StoreError> {
        self.app.store().blobs().path(self.ctx.tenant, key)
    }

    /// Takes the files to where no client can write any more, and opens archives. After a crash they may be there
    /// already; what that attempt has made of them is done anew.
    fn receive(&self) -> Result<Received, JobError> {
        let blobs = self.app.store().blobs();
        if let Some(container) = &self.container
            && self.path(&format!("{container}/files"))?.is_dir()
        {
            blobs.move_folder(self.ctx.tenant, &format!("{container}/files"), &self.key)?;
        }
        failpoint("upload-closed");
        for made in [UNPACKED, WHOLE] {
            blobs.remove_folder(self.ctx.tenant, &format!("{}/{made}", self.key))?;
        }
        let folder = self.path(&self.key)?;
        let sent = if folder.is_dir() { Source::list(&folder).map_err(again)? } else { Vec::new() };
        let archived = sent.iter().any(|file| is_archive(&file.name));
        let opened = open_archives(sent, &folder.join(UNPACKED), &ArchiveLimits::DEFAULT).map_err(again)?;
        Ok(Received { opened, archived })
    }

    /// Makes the whole set of what was sent and looks whether it can be used.
    fn put_together(&self, Received { opened, archived }: Received) -> Result<Set, JobError> {
        let Opened { mut files, errors, warnings } = opened;
        let mut report = BasicReport { errors, warnings, ..BasicReport::default() };
        let mut folder = self.key.clone();
        let mut changes = None;
        if delta::is_delta(&files).map_err(again)? {
            folder = format!("{}/{WHOLE}", self.key);
            let (base, untold) = self.accepted_before()?;
            let mut counts = ChangesCounts::default();
            if report.errors.is_empty() {
                let before = match &base {
                    Some(base) => Source::list(&self.path(base)?).map_err(again)?,
                    None => Vec::new(),
                };
                let applied = changes::apply(&before, &files, self.app.now(), &self.path(&folder)?, untold.as_ref());
                let applied = applied.map_err(|error| JobError::Again(chain(&error)))?;
                report.errors.extend(applied.errors);
                report.warnings.extend(applied.warnings);
                (files, counts) = (applied.files, applied.report.counts);
            }
            changes = Some((counts, base));
        }
        // An archive that is refused may be the one with the file that seems to be missing.
        if report.errors.is_empty() {
            let body = connector_body(self.app, self.ctx, &self.connector)?;
            let checked = roster::basic_validate(&files, providers::file_format(&body));
            report.warnings.extend(checked.warnings);
            report = BasicReport { warnings: report.warnings, ..checked };
        }
        if report.errors.is_empty() && changes.is_none() && archived {
            folder = format!("{}/{WHOLE}", self.key);
            let accepted = files.iter().filter(|file| report.validated.contains(&file.name));
            assemble(accepted, &self.path(&folder)?).map_err(again)?;
        }
        let mut organizations = Vec::new();
        if report.errors.is_empty() {
            let own_rows = self.app.store().read_blocking(self.ctx, runs::own_reference_rows)?;
            let format = report.detected.format.clone().ok();
            organizations = organizations::keys(&files, format, &runs::codes(&own_rows)).map_err(|e| JobError::Again(chain(&e)))?;
        }
        Ok(Set { folder, report, changes, organizations })
    }

    /// The operation says what was found, and a good set becomes the connector's accepted one; gives whether it has.
    fn accept(&self, set: Set) -> Result<bool, JobError> {
        let (job, operation, connector) = (self.job.clone(), self.operation.clone(), self.connector.clone());
        let (origin, readiness) = (job.payload["origin"].clone(), self.app.new_id().to_string());
        let write = move |tx: &mut Tx<'_>| -> Result<Option<bool>, StoreError> {
            tx.check_lease(&job)?;
            let Set { folder, mut report, changes, organizations } = set;
            let before = tx.docs(&ACCEPTED)?.get(&connector)?;
            // Ids of operations sort by time: a validation that was tried again must not undo a later one.
            let newer =
                |doc: &store::Doc| doc.body.get("operation").and_then(Value::as_str).is_some_and(|there| there > operation.as_str());
            let overtaken = before.as_ref().is_some_and(newer);
            if overtaken && changes.is_some() {
                report.errors.push(overtaken_by_another());
            }
            let good = report.errors.is_empty();
            let is_other = |(_, base): &(_, Option<String>)| before.as_ref().and_then(folder_of) != *base;
            if good && changes.as_ref().is_some_and(is_other) {
                return Ok(None);
            }
            jobs::update_operation(tx, &operation, |body| {
                body.insert("status".to_owned(), json!("succeeded"));
                body.insert("errors".to_owned(), public_errors(&report.errors));
                body.insert("warnings".to_owned(), public_errors(&report.warnings));
                body.insert("validatedFiles".to_owned(), json!(report.validated));
            })?;
            // What came before the accepted set says nothing about what came after it.
            if let Some(error) = report.errors.first().filter(|_| !overtaken) {
                tx.docs(&REFUSED)?.put(&connector, None, &jobs::object(json!({ "why": error.message })))?;
            }
            if good && !overtaken {
                let format = report.detected.format.ok().map(Format::name);
                let body = jobs::object(json!({
                    "folder": folder, "files": report.validated, "operation": operation, "origin": origin, "format": format,
                    "changes": changes.map(|(counts, _)| counts),
                }));
                tx.docs(&ACCEPTED)?.put(&connector, None, &body)?;
                tx.docs(&REFUSED)?.delete(&connector)?;
                tx.docs(&ORGANIZATIONS)?.put(&connector, None, &jobs::object(json!({ "ids": organizations })))?;
                let run_at = tx.ctx().now;
                tx.enqueue(&readiness, &NewJob { kind: READINESS, payload: json!({}), run_at })?;
            }
            tx.finish_job(&job)?;
            Ok(Some(good && !overtaken))
        };
        let written = self.app.store().write_blocking(self.ctx, write)?;
        written.ok_or_else(|| JobError::Again("the set that the changes are for has become another one".to_owned()))
    }

    /// What nobody needs any more goes: the container, which belongs to one session; what the accepted set was put together from;
    /// files that are no good, or too late. What stays costs disk only.
    fn discard(&self, is_accepted: bool, folder: &str) {
        let received = if is_accepted && folder != self.key { self.path(&self.key).map(|key| discard_received(&key)) } else { Ok(()) };
        let folders = self.container.as_ref().into_iter().chain((!is_accepted).then_some(&self.key));
        let removed = folders.map(|key| self.app.store().blobs().remove_folder(self.ctx.tenant, key));
        for error in removed.chain([received]).filter_map(Result::err) {
            tracing::warn!(error = chain(&error), "an old folder could not be removed");
        }
    }

    /// Where the set lies that was accepted last, and what was found in its changes that no run has told.
    fn accepted_before(&self) -> Result<(Option<String>, Option<ChangesReport>), JobError> {
        let (app, tenant, id) = (self.app.clone(), self.ctx.tenant, self.connector.clone());
        let read = move |tx: &mut Tx<'_>| -> Result<_, AppError> {
            let Some(accepted) = tx.docs(&ACCEPTED)?.get(&id)? else { return Ok((None, None)) };
            let untold = match runs::changes_report(&app, tenant, &accepted.body)? {
                Some(found) if !runs::has_been_read(tx, &accepted.body)? => Some(found),
                _ => None,
            };
            Ok((folder_of(&accepted), untold))
        };
        self.app.store().read_blocking(self.ctx, read).map_err(|error: AppError| JobError::Again(error.graph().message))
    }
}

fn again(error: io::Error) -> JobError {
    JobError::Again(chain(&error))
}

fn connector_body(app: &App, ctx: &OpContext, connector: &str) -> Result<Map<String, Value>, StoreError> {
    let id = connector.to_owned();
    let found = app.store().read_blocking(ctx, move |tx| tx.docs(&Access::unchecked("dataConnectors"))?.get(&id))?;
    Ok(found.map(|doc| doc.body).unwrap_or_default())
}

fn folder_of(accepted: &store::Doc) -> Option<String> {
    accepted.body.get("folder")?.as_str().map(str::to_owned)
}

/// What came after the changes is in the accepted set already, and whether they fit there nobody knows.
fn overtaken_by_another() -> Finding {
    let message = "An upload that came after this package of changes was accepted before it, so that it was not applied.";
    Finding::of_file("ChangesOvertaken", "", message).hint("Send the changes again, or one package with all records (bulk).")
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

/// Findings as an operation has them, which is read with all others of its tenant: not more than people read.
fn public_errors(findings: &[Finding]) -> Value {
    let more = findings.len().saturating_sub(ERRORS_SHOWN);
    let rest = findings.get(ERRORS_SHOWN).filter(|_| more > 0);
    let rest = rest.map(|next| public_error(&Finding::of_file(next.code, "", format!("And {more} more of these and others."))));
    findings.iter().take(ERRORS_SHOWN).map(public_error).chain(rest).collect()
}

fn public_error(finding: &Finding) -> Value {
    json!({ "code": finding.code, "message": finding.message, "target": finding.file, "details": [], "innerError": null })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_shows_what_people_read_and_counts_the_rest() {
        let findings = vec![Finding::of_file("ManifestIrregular", "manifest.csv", "x"); ERRORS_SHOWN + 3];
        let shown = public_errors(&findings);
        assert_eq!(shown.as_array().unwrap().len(), ERRORS_SHOWN + 1);
        assert_eq!(shown[ERRORS_SHOWN]["message"], "And 3 more of these and others.");
        assert_eq!(public_errors(&findings[..ERRORS_SHOWN]).as_array().unwrap().len(), ERRORS_SHOWN);
    }
}
