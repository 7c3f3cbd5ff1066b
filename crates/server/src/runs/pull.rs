//! The files of a source that is asked for them, as the first step of a run.
//!
//! They end in the connector's accepted folder, with the format named, as those of an upload do; from
//! there on a run does not know where its files came from.

use super::ports::interrupted;
use super::{ACCEPTED, ORGANIZATIONS, StorePorts};
use crate::jobs::object;
use crate::providers;
use oneroster::{Mode, Note, Progress, PullError, Report};
use roster::Finding;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use store::{Access, BlobWriter, StoreError};
use sync::{Blocked, InboundSpec, Pull, RunError, RunPorts as _, SourceFile};
use tokio::runtime::Handle;

/// How often the run looks whether it may go on while it waits for a provider.
const TICK: Duration = Duration::from_millis(250);
/// How often it says where it is.
const SAID: Duration = Duration::from_secs(1);

/// What a finished pull leaves beside its files, for a run that is taken up.
#[derive(Debug, Serialize, Deserialize)]
struct Finished {
    files: Vec<String>,
    organizations: Vec<String>,
    remarks: u64,
}

/// What the pull says while it is going.
enum Event {
    At(Progress),
    Ended(Result<Report, PullError>),
}

impl StorePorts {
    /// Pulls by way of a connector, or takes up a pull of this run that is finished: an earlier
    /// attempt's, or that of another flow of the same connector.
    pub(super) fn pull_from(&self, connector: &str, inbound: &InboundSpec) -> Result<Pull, RunError> {
        let blobs = self.app.store().blobs();
        let accepted = format!("{}.{connector}", self.run);
        let folder = blobs.path(self.ctx.tenant, &format!("accepted/{accepted}")).map_err(|e| interrupted(&e))?;
        let work = blobs.path(self.ctx.tenant, &format!("runs/{}", self.run)).map_err(|e| interrupted(&e))?;
        let mark = work.join(format!("pulled-{connector}.json"));
        let finished: Finished = if mark.is_file() {
            serde_json::from_slice(&std::fs::read(&mark)?).map_err(std::io::Error::other)?
        } else {
            // Without the mark it is not known what the findings were.
            blobs.remove_folder(self.ctx.tenant, &format!("accepted/{accepted}")).map_err(|e| interrupted(&e))?;
            let report = match self.new_pull(connector, &folder)? {
                Ok(report) => report,
                Err(blocked) => return Ok(Pull::Failed(blocked)),
            };
            write_findings(&work.join(format!("findings-pull-{}.jsonl", inbound.flow_id)), &report)?;
            let finished = Finished {
                files: report.files.into_iter().map(|file| file.name).chain(["manifest.csv".to_owned()]).collect(),
                organizations: report.organizations,
                remarks: report.notes_total,
            };
            let mut out = BlobWriter::create(&mark)?;
            out.write_all(&serde_json::to_vec(&finished).map_err(std::io::Error::other)?)?;
            out.finish()?;
            finished
        };
        let files = finished.files.iter().map(|name| SourceFile { name: name.clone(), path: folder.join(name) }).collect();
        let remarks = finished.remarks;
        self.accept(connector, &accepted, inbound, finished)?;
        Ok(Pull::Files { files, remarks })
    }

    /// Speaks to the provider. The inner error says why there are no files.
    fn new_pull(&self, connector: &str, folder: &Path) -> Result<Result<Report, Blocked>, RunError> {
        let fault = |fault: &oneroster::Fault| Blocked { code: fault.code.as_str().to_owned(), message: fault.to_string() };
        let id = connector.to_owned();
        let read = move |tx: &mut store::Tx<'_>| tx.docs(&Access::unchecked("dataConnectors"))?.get(&id);
        let found = self.app.store().read_blocking::<_, StoreError>(&self.ctx, read).map_err(|e| interrupted(&e))?;
        let found = found.ok_or_else(|| RunError::Broken(format!("the connector {connector} was deleted")))?;
        let connection = providers::connection(&self.app, &self.ctx, connector, found.body).map_err(|e| interrupted(&e))?;
        let connection = match connection {
            Ok(connection) => connection,
            Err(why) => return Ok(Err(fault(&why))),
        };
        let (surroundings, into) = (providers::surroundings(&self.app), folder.to_owned());
        let (events, happened) = channel();
        let runtime = Handle::current();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        // Reading pages and writing files would keep a thread of the runtime from its other work.
        let on = runtime.clone();
        let task = runtime.spawn_blocking(move || {
            let said = events.clone();
            let mut progress = move |at| drop(said.send(Event::At(at)));
            on.block_on(async {
                tokio::select! {
                    outcome = oneroster::pull(&connection, &surroundings, Mode::Full, &into, &mut progress) => drop(events.send(Event::Ended(outcome))),
                    _ = stopped => {}
                }
            });
        });
        let mut said: Option<Instant> = None;
        let ended = loop {
            let on = match happened.recv_timeout(TICK) {
                Ok(Event::Ended(outcome)) => break Ok(outcome),
                Ok(Event::At(at)) if said.is_none_or(|said| said.elapsed() >= SAID) => {
                    said = Some(Instant::now());
                    self.progress(&describe(&at))
                }
                Ok(Event::At(_)) | Err(RecvTimeoutError::Timeout) => self.may_go_on(),
                Err(RecvTimeoutError::Disconnected) => Err(RunError::Interrupted("the pull ended in a panic".to_owned())),
            };
            if let Err(stop) = on {
                break Err(stop);
            }
        };
        drop(stop);
        // Not before it is over: the next attempt must not meet it.
        let _ = runtime.block_on(task);
        match ended? {
            Ok(report) => Ok(Ok(report)),
            Err(PullError::Fault(why)) => Ok(Err(fault(&why))),
            Err(PullError::Io(error)) => Err(RunError::Io(error)),
        }
    }

    /// The pulled files are the connector's accepted set, and its organizations are known.
    fn accept(&self, connector: &str, accepted: &str, inbound: &InboundSpec, finished: Finished) -> Result<(), RunError> {
        let (job, connector) = (self.job.clone(), connector.to_owned());
        let set: Map<String, Value> = object(json!({
            "folder": format!("accepted/{accepted}"), "files": finished.files, "operation": accepted, "format": inbound.format, "origin": inbound.origin,
        }));
        let organizations = object(json!({ "ids": finished.organizations }));
        let write = move |tx: &mut store::Tx<'_>| {
            tx.check_lease(&job)?;
            tx.docs(&ACCEPTED)?.put(&connector, None, &set)?;
            tx.docs(&ORGANIZATIONS)?.put(&connector, None, &organizations)
        };
        self.app.store().write_blocking(&self.ctx, write).map_err(|e: StoreError| interrupted(&e))
    }
}

fn describe(at: &Progress) -> String {
    let of = at.total.map_or_else(String::new, |total| format!(" of {total}"));
    format!("pull {}: {}{of} records", at.collection.name(), at.records)
}

/// What could not be taken over as it is, as findings of the run.
fn write_findings(path: &Path, report: &Report) -> std::io::Result<()> {
    if report.notes_total == 0 {
        return Ok(());
    }
    let mut out = BlobWriter::create(path)?;
    for note in &report.notes {
        writeln!(out, "{}", finding(note).to_json())?;
    }
    let more = report.notes_total - report.notes.len() as u64;
    if more > 0 {
        let finding = Finding::of_file(
            "ProviderValueNotTaken",
            "",
            format!("There are {more} more values that could not be taken over as they are."),
        );
        writeln!(out, "{}", finding.to_json())?;
    }
    out.finish()
}

fn finding(note: &Note) -> Finding {
    let message = format!("'{}' of the provider's record has {}.", note.member, note.what);
    let mut finding = Finding::of_file("ProviderValueNotTaken", &format!("{}.csv", note.collection.name()), message)
        .hint("Ask the provider to send the type that OneRoster prescribes.");
    finding.key = (!note.sourced_id.is_empty()).then(|| note.sourced_id.clone());
    finding
}
