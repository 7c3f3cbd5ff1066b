//! The files of a source that is asked for them, as the first step of a run.
//!
//! They end in the connector's accepted folder, with the format named, as those of an upload do; from
//! there on a run does not know where its files came from.

use super::changes::{self, Made};
use super::ports::{failpoint, interrupted};
use super::{ACCEPTED, BASELINES, ORGANIZATIONS, StorePorts};
use crate::jobs::object;
use crate::{organizations, providers};
use jiff::Timestamp;
use oneroster::{Collection, Connection, Fault, FaultCode, Mode, Note, Progress, PullError, Report};
use roster::{Finding, Format, Source};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use store::{Access, BlobWriter, StoreError};
use sync::{Blocked, InboundSpec, Pull, RunError, RunPorts as _, SourceFile};
use tokio::runtime::Handle;

/// How often the run looks whether it may go on while it waits for a provider.
const TICK: Duration = Duration::from_millis(250);
/// Places where a test can kill the process: while the provider's records come in, once the new set is whole, once that is
/// noted, and once it is the accepted one.
pub const PULL_FAILPOINTS: [&str; 4] = ["pull-half", "pull-brought", "pull-noted", "pull-accepted"];
/// How often it says where it is.
const SAID: Duration = Duration::from_secs(1);

/// What a finished pull leaves beside its files, for a run that is taken up.
#[derive(Debug, Serialize, Deserialize)]
struct Finished {
    /// Name of the accepted set.
    set: String,
    files: Vec<String>,
    /// `None` when they are the same as before.
    organizations: Option<Vec<String>>,
    remarks: u64,
    /// What was asked for, for people.
    how: String,
    /// `None` when the next pull has to be in full.
    made: Option<Made>,
}

/// What the pull says while it is going.
enum Event {
    At(Progress),
    Ended(Result<Report, PullError>),
}

/// What a pull starts from.
struct Start {
    connection: Connection,
    /// The accepted set: its name and files.
    base: Option<(String, Vec<Source>)>,
    made: Option<Made>,
    good_run: Option<String>,
}

/// Why there is no set that has the changes in it.
enum Without {
    /// One that is pulled in full may do better.
    Refused(String),
    /// So would that.
    Fault(Fault),
}

impl StorePorts {
    /// Pulls by way of a connector, or takes up a pull of this run that is finished: an earlier
    /// attempt's, or that of another flow of the same connector.
    pub(super) fn pull_from(&self, connector: &str, inbound: &InboundSpec) -> Result<Pull, RunError> {
        let work = self.app.store().blobs().path(self.ctx.tenant, &format!("runs/{}", self.run)).map_err(|e| interrupted(&e))?;
        let mark = work.join(format!("pulled-{connector}.json"));
        // One that an older version has left is as good as none.
        let left = if mark.is_file() { serde_json::from_slice(&std::fs::read(&mark)?).ok() } else { None };
        let finished: Finished = if let Some(finished) = left {
            finished
        } else {
            let finished = match self.bring(connector, inbound, &work)? {
                Ok(finished) => finished,
                Err(fault) => return Ok(Pull::Failed(Blocked { code: fault.code.as_str().to_owned(), message: fault.to_string() })),
            };
            failpoint("pull-brought");
            let mut out = BlobWriter::create(&mark)?;
            out.write_all(&serde_json::to_vec(&finished).map_err(io::Error::other)?)?;
            out.finish()?;
            failpoint("pull-noted");
            finished
        };
        let folder = self.accepted(&finished.set)?;
        let files = finished.files.iter().map(|name| SourceFile { name: name.clone(), path: folder.join(name) }).collect();
        let (remarks, how) = (finished.remarks, finished.how.clone());
        self.accept(connector, inbound, finished)?;
        failpoint("pull-accepted");
        Ok(Pull::Files { files, remarks, how })
    }

    /// Makes a new set, of changes where that will do. The inner error says why there is none.
    fn bring(&self, connector: &str, inbound: &InboundSpec, work: &Path) -> Result<Result<Finished, Fault>, RunError> {
        let start = match self.start(connector, inbound)? {
            Ok(start) => start,
            Err(fault) => return Ok(Err(fault)),
        };
        let (set, question, now) = (format!("{}.{connector}", self.run), changes::question(&start.connection), self.app.now());
        let log = work.join(format!("findings-pull-{}.jsonl", inbound.flow_id));
        let settings = &self.app.config().oneroster;
        let mut refused = None;
        // A package of changes holds everybody's data: whatever comes of it, it goes, also that of an attempt that was killed.
        let key = format!("runs/{}/changes-{set}", self.run);
        let package = self.empty(&key)?;
        if let Some(since) = changes::since(start.made.as_ref(), &question, start.good_run.as_deref(), settings, now) {
            let brought = self.bring_changes(&set, &start, since, inbound, &package);
            self.empty(&key)?;
            match brought? {
                Ok((report, mut finished)) => {
                    let full = start.made.map_or(now, |made| made.full);
                    finished.remarks = write_findings(&log, &report.notes, report.notes_total, None)?;
                    finished.made = report.provider_time.map(|until| Made { run: self.run.clone(), of: question, full, until });
                    return Ok(Ok(finished));
                }
                Err(Without::Fault(fault)) => return Ok(Err(fault)),
                Err(Without::Refused(why)) => refused = Some(changes_not_taken(since, &why)),
            }
        }
        let folder = self.new_set(&set)?;
        let report = match self.speak(&start.connection, Mode::Full, &folder)? {
            Ok(report) => report,
            Err(fault) => return Ok(Err(fault)),
        };
        Ok(Ok(Finished {
            set,
            remarks: write_findings(&log, &report.notes, report.notes_total, refused.as_ref())?,
            files: report.files.into_iter().map(|file| file.name).chain(["manifest.csv".to_owned()]).collect(),
            organizations: Some(report.organizations),
            how: "pulled in full".to_owned(),
            made: report.provider_time.map(|until| Made { run: self.run.clone(), of: question, full: now, until }),
        }))
    }

    /// The set before with what has changed since, which is brought into the folder `package`.
    fn bring_changes(
        &self,
        set: &str,
        start: &Start,
        since: Timestamp,
        inbound: &InboundSpec,
        package: &Path,
    ) -> Result<Result<(Report, Finished), Without>, RunError> {
        let Some((base_set, base)) = &start.base else { return Ok(Err(Without::Refused("there is no set before it".to_owned()))) };
        let report = match self.speak(&start.connection, Mode::Since(since), package)? {
            Ok(report) => report,
            Err(fault) if fault.code.is_of_the_connection() || fault.code == FaultCode::ProviderBusy => {
                return Ok(Err(Without::Fault(fault)));
            }
            Err(fault) => return Ok(Err(Without::Refused(fault.to_string()))),
        };
        let rows: u64 = report.files.iter().map(|file| file.rows).sum();
        let mut finished = Finished {
            set: base_set.clone(),
            files: base.iter().map(|file| file.name.clone()).collect(),
            organizations: None,
            remarks: 0,
            how: format!("pulled what has changed since {since}, rows: {rows}"),
            made: None,
        };
        if rows > 0 {
            let changed = Source::list(package)?;
            let files = match changes::apply(base, &changed, self.app.now(), &self.new_set(set)?)? {
                Ok(files) => files,
                Err(why) => return Ok(Err(Without::Refused(why))),
            };
            set.clone_into(&mut finished.set);
            finished.files = files.iter().map(|file| file.name.clone()).collect();
            let format = inbound.format.as_deref().and_then(Format::of_name);
            finished.organizations = Some(organizations::keys(&files, format, self.codes())?);
        }
        Ok(Ok((report, finished)))
    }

    /// The connector and what is there of it; the inner error says what is wrong with the connector.
    fn start(&self, connector: &str, inbound: &InboundSpec) -> Result<Result<Start, Fault>, RunError> {
        let (id, flow) = (connector.to_owned(), inbound.flow_id.clone());
        let read = move |tx: &mut store::Tx<'_>| {
            Ok((tx.docs(&Access::unchecked("dataConnectors"))?.get(&id)?, tx.docs(&ACCEPTED)?.get(&id)?, tx.docs(&BASELINES)?.get(&flow)?))
        };
        let found = self.app.store().read_blocking::<_, StoreError>(&self.ctx, read).map_err(|e| interrupted(&e))?;
        let (stored, accepted, baseline) = found;
        let stored = stored.ok_or_else(|| RunError::Broken(format!("the connector {connector} was deleted")))?;
        let connection = match providers::connection(&self.app, &self.ctx, connector, stored.body).map_err(|e| interrupted(&e))? {
            Ok(connection) => connection,
            Err(fault) => return Ok(Err(fault)),
        };
        let accepted = accepted.map(|doc| doc.body).unwrap_or_default();
        let good_run = baseline.and_then(|doc| doc.body.get("run")?.as_str().map(str::to_owned));
        // One that cannot be read is of another version of Homeroom.
        let made = accepted.get("made").and_then(|made| serde_json::from_value(made.clone()).ok());
        let base = match accepted.get("operation").and_then(Value::as_str) {
            Some(set) if self.accepted(set)?.is_dir() => Some((set.to_owned(), Source::list(&self.accepted(set)?)?)),
            _ => None,
        };
        Ok(Ok(Start { connection, base, made, good_run }))
    }

    fn accepted(&self, set: &str) -> Result<PathBuf, RunError> {
        self.app.store().blobs().path(self.ctx.tenant, &format!("accepted/{set}")).map_err(|e| interrupted(&e))
    }

    /// The place of a folder that is about to be made, without what an earlier attempt has left there.
    fn empty(&self, key: &str) -> Result<PathBuf, RunError> {
        let blobs = self.app.store().blobs();
        blobs.remove_folder(self.ctx.tenant, key).and_then(|()| blobs.path(self.ctx.tenant, key)).map_err(|e| interrupted(&e))
    }

    fn new_set(&self, set: &str) -> Result<PathBuf, RunError> {
        self.empty(&format!("accepted/{set}"))
    }

    /// Speaks to the provider. The inner error says why there are no files.
    fn speak(&self, connection: &Connection, mode: Mode, into: &Path) -> Result<Result<Report, Fault>, RunError> {
        let (connection, surroundings, into) = (connection.clone(), providers::surroundings(&self.app), into.to_owned());
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
                    outcome = oneroster::pull(&connection, &surroundings, mode, &into, &mut progress) => drop(events.send(Event::Ended(outcome))),
                    _ = stopped => {}
                }
            });
        });
        let mut said: Option<Instant> = None;
        let ended = loop {
            let event = happened.recv_timeout(TICK);
            if matches!(&event, Ok(Event::At(at)) if at.collection == Collection::Users) {
                failpoint("pull-half");
            }
            let on = match event {
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
            Err(PullError::Fault(fault)) => Ok(Err(fault)),
            Err(PullError::Io(error)) => Err(RunError::Io(error)),
        }
    }

    /// The set is the connector's accepted one, and its organizations are known.
    fn accept(&self, connector: &str, inbound: &InboundSpec, finished: Finished) -> Result<(), RunError> {
        let (job, connector) = (self.job.clone(), connector.to_owned());
        let Finished { set, files, organizations, made, .. } = finished;
        let accepted: Map<String, Value> = object(json!({
            "folder": format!("accepted/{set}"), "files": files, "operation": set, "format": inbound.format, "origin": inbound.origin, "made": made,
        }));
        let write = move |tx: &mut store::Tx<'_>| {
            tx.check_lease(&job)?;
            tx.docs(&ACCEPTED)?.put(&connector, None, &accepted)?;
            match organizations {
                Some(ids) => tx.docs(&ORGANIZATIONS)?.put(&connector, None, &object(json!({ "ids": ids }))),
                None => Ok(()),
            }
        };
        self.app.store().write_blocking(&self.ctx, write).map_err(|e: StoreError| interrupted(&e))
    }
}

fn describe(at: &Progress) -> String {
    let of = at.total.map_or_else(String::new, |total| format!(" of {total}"));
    format!("pull {}: {}{of} records", at.collection.name(), at.records)
}

/// What could not be taken over as it is, as findings of the run; gives their number.
fn write_findings(path: &Path, notes: &[Note], notes_total: u64, more: Option<&Finding>) -> io::Result<u64> {
    let total = notes_total + u64::from(more.is_some());
    if total == 0 {
        return Ok(0);
    }
    let left = notes_total - notes.len() as u64;
    let uncounted = (left > 0).then(|| {
        let message = format!("There are {left} more values that could not be taken over as they are.");
        Finding::of_file("ProviderValueNotTaken", "", message)
    });
    let mut out = BlobWriter::create(path)?;
    for finding in more.into_iter().cloned().chain(notes.iter().map(finding)).chain(uncounted) {
        writeln!(out, "{}", finding.to_json())?;
    }
    out.finish()?;
    Ok(total)
}

fn changes_not_taken(since: Timestamp, why: &str) -> Finding {
    let message = format!("What has changed since {since} could not be had ({why}); the whole roster was pulled instead.");
    Finding::of_file("ProviderChangesNotTaken", "", message)
        .hint("Nothing is missing. When it happens every time, set [oneroster] full_every_hours = 0: then nobody asks for changes.")
}

fn finding(note: &Note) -> Finding {
    let message = format!("'{}' of the provider's record has {}.", note.member, note.what);
    let mut finding = Finding::of_file("ProviderValueNotTaken", &format!("{}.csv", note.collection.name()), message)
        .hint("Ask the provider to send the type that OneRoster prescribes.");
    finding.key = (!note.sourced_id.is_empty()).then(|| note.sourced_id.clone());
    finding
}
