//! The run as a state machine over ports.
//!
//! `pull → basicValidation → snapshot → match → diff → plan → guard → apply → statistics`. A step reads the
//! results of the steps before it, writes its files by way of a temporary name, and is recorded
//! when it is done. Doing a step again is harmless, so a run that was killed simply goes on at the
//! first step without a record.

use crate::guard::{Blocked, Counts};
use crate::history::{self, Activity, Delta};
use crate::matching::{self, Accounts, Context, MatchCounts};
use crate::plan::{self, PlanError, PlanSummary};
use crate::spec::{ChangesCounts, ChangesReport, InboundSpec, RunSpec, SourceFile};
use crate::statistics::{self, FlowCounts};
use directory::{Directory, DirectoryError, OpRecord};
use roster::{Codes, Entity, Finding, Format, IngestError, IngestOptions, Severity, Source};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

/// Effects applied in one transaction.
const BATCH: usize = 1_000;

/// The steps, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Bring the files of sources that are asked for them.
    Pull,
    /// Are there files, and the right ones?
    BasicValidation,
    /// Read and check every row.
    Snapshot,
    /// Find people's accounts.
    Match,
    /// What has changed since the last good run.
    Diff,
    /// What to do to the directory.
    Plan,
    /// Would too much be lost?
    Guard,
    /// Do it.
    Apply,
    /// Count.
    Statistics,
}

impl Step {
    /// All, in order.
    pub const ALL: [Self; 9] = [
        Self::Pull,
        Self::BasicValidation,
        Self::Snapshot,
        Self::Match,
        Self::Diff,
        Self::Plan,
        Self::Guard,
        Self::Apply,
        Self::Statistics,
    ];

    /// Name in the store and in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::BasicValidation => "basicValidation",
            Self::Snapshot => "snapshot",
            Self::Match => "match",
            Self::Diff => "diff",
            Self::Plan => "plan",
            Self::Guard => "guard",
            Self::Apply => "apply",
            Self::Statistics => "statistics",
        }
    }
}

/// Places where a test can make a run fail: before and after the record of each step, and after
/// each batch of effects.
pub const FAILPOINTS: [&str; 19] = [
    "before-pull",
    "after-pull",
    "before-basicValidation",
    "after-basicValidation",
    "before-snapshot",
    "after-snapshot",
    "before-match",
    "after-match",
    "before-diff",
    "after-diff",
    "before-plan",
    "after-plan",
    "before-guard",
    "after-guard",
    "before-apply",
    "after-apply",
    "before-statistics",
    "after-statistics",
    "between-batches",
];

/// Why a run did not come to an end now. It is taken up again.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Files.
    #[error("cannot read or write the run's files")]
    Io(#[from] io::Error),
    /// The directory.
    #[error("the directory failed")]
    Directory(#[from] DirectoryError),
    /// The server is stopping, or a planned failure.
    #[error("the run was interrupted: {0}")]
    Interrupted(String),
    /// What an earlier step has left cannot be used: trying again would not help.
    #[error("the run cannot go on: {0}")]
    Broken(String),
}

impl From<PlanError> for RunError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Io(error) => Self::Io(error),
            PlanError::Directory(error) => Self::Directory(error),
        }
    }
}

/// What a run needs from around it.
pub trait RunPorts {
    /// The directory to keep.
    fn directory(&self) -> &dyn Directory;
    /// Lists of values.
    fn codes(&self) -> &Codes;
    /// What a step has recorded, when it is done.
    fn step_result(&self, step: Step) -> Result<Option<Value>, RunError>;
    /// Records that a step is done, durably.
    fn record_step(&self, step: Step, result: &Value) -> Result<(), RunError>;
    /// Says where the run is; an error stops it.
    fn progress(&self, what: &str) -> Result<(), RunError>;
    /// Whether an administrator has approved what stopped the run with this code.
    fn approved(&self, code: &str) -> bool;
    /// Brings new files of a source whose specification says where to pull from. `None`: the run
    /// works on the files that the specification has. Doing it again after an interruption gives
    /// the same files, or newer ones.
    fn pull(&self, _inbound: &InboundSpec) -> Result<Option<Pull>, RunError> {
        Ok(None)
    }
    /// A place where a test can make the run fail.
    fn failpoint(&self, _name: &str) -> Result<(), RunError> {
        Ok(())
    }
}

/// What a pull has brought.
#[derive(Debug, Clone)]
pub enum Pull {
    /// The whole set.
    Files {
        /// Its files.
        files: Vec<SourceFile>,
        /// Number of remarks, which stand in a findings log of the run.
        remarks: u64,
        /// What was asked for, for people.
        how: String,
    },
    /// Nothing, and why.
    Failed(Blocked),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Word of `industryDataRunStatus`.
    pub status: String,
    /// What stopped it.
    pub blocked: Option<Blocked>,
    /// Whether an approval would let it go on.
    pub approvable: bool,
    /// `industryDataRunStatistics`
    pub statistics: Map<String, Value>,
    /// Inbound flow to status.
    pub inbound: BTreeMap<String, String>,
    /// Inbound flow to the names of the files that it had.
    pub files: BTreeMap<String, Vec<String>>,
    /// Inbound flow to number of people.
    pub people: BTreeMap<String, u64>,
    /// Provisioning flow to number of refused effects.
    pub refused: BTreeMap<String, u64>,
}

/// What the steps hand on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Blocking {
    blocked: Option<Blocked>,
}

/// What a run would do (decision 32).
#[derive(Debug, Clone)]
pub struct Preview {
    /// Numbers of the plan and its hash.
    pub summary: PlanSummary,
    /// The plan: one [`OpRecord`] a line.
    pub plan: PathBuf,
    /// What would stop the run and ask.
    pub blocked: Option<Blocked>,
    /// `industryDataRunStatistics` up to here, with the status `running`.
    pub statistics: Map<String, Value>,
}

/// Makes the plan of a run and stops there; the directory is read and never written. Gives how the
/// run ended when it does not come as far as a plan.
///
/// Going on with [`advance`] over the same steps applies this very plan, or stops when the directory
/// has changed meanwhile.
pub fn preview(spec: &RunSpec, ports: &dyn RunPorts) -> Result<Result<Preview, Outcome>, RunError> {
    let spec = match (Run { spec, ports }).pulled()? {
        Ok(spec) => spec,
        Err(outcome) => return Ok(Err(outcome)),
    };
    let run = Run { spec: &spec, ports };
    Ok(run.prepare()?.map(|Prepared { flows, plan, blocked, .. }| Preview {
        summary: plan.summary,
        plan: run.plan_path(),
        blocked,
        statistics: statistics::document(&spec.run_id, "running", &flows),
    }))
}

/// Walks a run to its end, or to where it is stopped.
pub fn advance(spec: &RunSpec, ports: &dyn RunPorts) -> Result<Outcome, RunError> {
    let spec = match (Run { spec, ports }).pulled()? {
        Ok(spec) => spec,
        Err(outcome) => return Ok(outcome),
    };
    let run = Run { spec: &spec, ports };
    let Prepared { flows, plan, blocked, waited } = match run.prepare()? {
        Ok(prepared) => prepared,
        Err(outcome) => return Ok(outcome),
    };
    if blocked.as_ref().is_some_and(|blocked| !ports.approved(&blocked.code)) {
        return Ok(run.stopped(blocked, flows, true));
    }
    let _: Value = run.step(Step::Guard, || Ok(json!({ "approved": blocked.is_some() })))?;
    if waited && run.has_drifted(&flows, &plan)? {
        let message = "Nothing was changed: the directory is no longer as it was when this run was planned. Start a new run.";
        let blocked = Blocked { code: "DirectoryChanged".to_owned(), message: message.to_owned() };
        return Ok(run.stopped(Some(blocked), flows, false));
    }
    let _: Value = run.step(Step::Apply, || run.apply(&plan))?;
    let refused = run.refused()?;
    let document: Map<String, Value> = run.step(Step::Statistics, || Ok(run.statistics(&flows, &refused)))?;
    let status = document.get("status").and_then(Value::as_str).unwrap_or("completed").to_owned();
    Ok(Outcome {
        status,
        blocked: None,
        approvable: false,
        statistics: document,
        inbound: inbound_statuses(&flows),
        files: run.sources().map(|inbound| (inbound.flow_id.clone(), inbound.files.iter().map(|f| f.name.clone()).collect())).collect(),
        people: people(&flows),
        refused,
    })
}

/// What was brought for one flow.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Brought {
    flow_id: String,
    files: Vec<SourceFile>,
    remarks: u64,
    /// Runs that an older version began do not say.
    #[serde(default)]
    how: String,
}

/// A flow for which nothing could be brought.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct NotPulled {
    flow_id: String,
    why: String,
}

/// What the run has brought before it began to look at anything.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Pulled {
    sources: Vec<Brought>,
    #[serde(default)]
    failed: Vec<NotPulled>,
    blocked: Option<Blocked>,
}

/// What was read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Snapshots {
    flows: Vec<FlowCounts>,
    /// What makes the data unfit to go on with.
    blocked: Option<Blocked>,
}

/// What has changed in a source since its last good run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Differences {
    /// Organizations, people, classes, enrollments.
    activity: [Activity; 4],
    /// People who were there and are not any more.
    people_gone: u64,
}

/// A run that has come as far as its plan.
struct Prepared {
    flows: Vec<FlowCounts>,
    plan: Planned,
    /// The guard's word. It is not recorded while it stops a run: an approval asks it again.
    blocked: Option<Blocked>,
    /// Whether an earlier attempt made the plan: it may have waited, for an approval or for a new worker.
    waited: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Planned {
    summary: PlanSummary,
    before: Counts,
    after: Counts,
}

fn inbound_statuses(flows: &[FlowCounts]) -> BTreeMap<String, String> {
    flows.iter().map(|f| (f.flow_id.clone(), f.status().to_owned())).collect()
}

fn people(flows: &[FlowCounts]) -> BTreeMap<String, u64> {
    flows.iter().map(|f| (f.flow_id.clone(), f.people.active)).collect()
}

struct Run<'r> {
    spec: &'r RunSpec,
    ports: &'r dyn RunPorts,
}

impl Run<'_> {
    /// The specification with the files that were pulled in it; how the run ended when there are none.
    fn pulled(&self) -> Result<Result<RunSpec, Outcome>, RunError> {
        std::fs::create_dir_all(&self.spec.work_dir)?;
        let pulled: Pulled = self.step(Step::Pull, || self.pull())?;
        if pulled.blocked.is_some() {
            return Ok(Err(self.stopped(pulled.blocked, Vec::new(), false)));
        }
        let mut spec = self.spec.clone();
        for brought in pulled.sources {
            if let Some(inbound) = spec.inbound.iter_mut().find(|inbound| inbound.flow_id == brought.flow_id) {
                (inbound.files, inbound.remarks) = (brought.files, brought.remarks);
            }
        }
        for failed in pulled.failed {
            if let Some(inbound) = spec.inbound.iter_mut().find(|inbound| inbound.flow_id == failed.flow_id) {
                inbound.not_pulled = Some(failed.why);
            }
        }
        Ok(Ok(spec))
    }

    /// New files of every source that is asked for them. One that cannot be reached takes part with what it
    /// brought the last time, as if nothing had changed there: it lets nobody go, and holds no other one back.
    /// Where there is no other one, the run stops.
    fn pull(&self) -> Result<Pulled, RunError> {
        let mut pulled = Pulled::default();
        let mut down: BTreeMap<&str, Blocked> = BTreeMap::new();
        for inbound in &self.spec.inbound {
            let Some(connector) = inbound.pull.as_deref() else { continue };
            let flow_id = inbound.flow_id.clone();
            // Asking again for another flow would only take its time again.
            let brought = match down.get(connector) {
                Some(why) => Some(Pull::Failed(why.clone())),
                None => self.ports.pull(inbound)?,
            };
            match brought {
                None => {}
                Some(Pull::Files { files, remarks, how }) => pulled.sources.push(Brought { flow_id, files, remarks, how }),
                Some(Pull::Failed(why)) => {
                    let message = format!("Nothing was changed: '{}' could not be pulled. {}", inbound.display_name, why.message);
                    pulled.blocked.get_or_insert(Blocked { code: why.code.clone(), message });
                    pulled.failed.push(NotPulled { flow_id, why: why.message.clone() });
                    down.insert(connector, why);
                }
            }
        }
        let is_down = |inbound: &InboundSpec| pulled.failed.iter().any(|failed| failed.flow_id == inbound.flow_id);
        if self.spec.inbound.iter().any(|inbound| !is_down(inbound) && (inbound.pull.is_some() || !inbound.files.is_empty())) {
            pulled.blocked = None;
        }
        Ok(pulled)
    }

    /// All steps that only read the directory; how the run ended when it is stopped on the way.
    fn prepare(&self) -> Result<Result<Prepared, Outcome>, RunError> {
        let basic: Blocking = self.step(Step::BasicValidation, || Ok(self.basic_validation()))?;
        if basic.blocked.as_ref().is_some_and(|blocked| !self.ports.approved(&blocked.code)) {
            return Ok(Err(self.stopped(basic.blocked, Vec::new(), true)));
        }
        if self.sources().next().is_none() {
            let message = "No inbound flow has an accepted upload: upload files and validate them first.".to_owned();
            return Ok(Err(self.stopped(Some(Blocked { code: "NoData".to_owned(), message }), Vec::new(), false)));
        }
        let Snapshots { mut flows, blocked } = self.step(Step::Snapshot, || self.snapshot())?;
        if blocked.is_some() {
            return Ok(Err(self.stopped(blocked, flows, false)));
        }
        let matched: Vec<MatchCounts> = self.step(Step::Match, || self.match_people(&flows))?;
        for (flow, matched) in flows.iter_mut().zip(matched) {
            flow.errors += matched.contested;
            flow.warnings += matched.about_rules;
            flow.matched = matched;
        }
        let activities: Vec<Differences> = self.step(Step::Diff, || self.diff(&flows))?;
        for (flow, differences) in flows.iter_mut().zip(activities) {
            let [organizations, people, groups, memberships] = differences.activity;
            (flow.organizations, flow.people, flow.groups, flow.memberships) = (organizations, people, groups, memberships);
            flow.people_gone = differences.people_gone;
        }
        let waited = self.ports.step_result(Step::Plan)?.is_some();
        let plan: Planned = self.step(Step::Plan, || self.plan(&flows))?;
        let blocked = self.guard(&flows, &plan);
        Ok(Ok(Prepared { flows, plan, blocked, waited }))
    }

    /// The recorded result of a step, or its result now, recorded.
    fn step<T: Serialize + for<'de> Deserialize<'de>>(
        &self,
        step: Step,
        work: impl FnOnce() -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        let broken = |error: serde_json::Error| RunError::Io(io::Error::other(error));
        if let Some(done) = self.ports.step_result(step)? {
            return serde_json::from_value(done).map_err(broken);
        }
        self.ports.progress(step.name())?;
        let result = work()?;
        self.ports.failpoint(&format!("before-{}", step.name()))?;
        self.ports.record_step(step, &serde_json::to_value(&result).map_err(broken)?)?;
        self.ports.failpoint(&format!("after-{}", step.name()))?;
        Ok(result)
    }

    fn snapshot_dir(&self, inbound: &InboundSpec) -> PathBuf {
        self.spec.work_dir.join(format!("snapshot-{}", inbound.flow_id))
    }

    fn findings_path(&self, inbound: &InboundSpec) -> PathBuf {
        self.spec.work_dir.join(format!("findings-{}.jsonl", inbound.flow_id))
    }

    fn history_dir(&self, inbound: &InboundSpec) -> PathBuf {
        self.spec.work_dir.join(format!("history-{}", inbound.flow_id))
    }

    /// Sources that take part.
    fn sources(&self) -> impl Iterator<Item = &InboundSpec> {
        self.spec.inbound.iter().filter(|inbound| !inbound.files.is_empty())
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), RunError> {
        let path = self.spec.work_dir.join(name);
        let temporary = path.with_extension("part");
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(&serde_json::to_vec(value).map_err(io::Error::other)?)?;
        file.sync_all()?;
        std::fs::rename(temporary, path)?;
        Ok(())
    }

    /// The files of the last accepted set must be there again (decision 22), and readable. A source that
    /// has lost all of its files is no exception: without it, everybody in it would be let go.
    fn basic_validation(&self) -> Blocking {
        for inbound in &self.spec.inbound {
            let missing: Vec<&str> = inbound
                .previous
                .iter()
                .flat_map(|previous| &previous.files)
                .map(String::as_str)
                .filter(|name| !inbound.files.iter().any(|file| file.name == *name))
                .collect();
            if !missing.is_empty() {
                let message = format!(
                    "Nothing was changed: the last accepted set of '{}' had {}, this one has not. Send the whole set again, or approve the run if the set has changed for good.",
                    inbound.display_name,
                    missing.join(", ")
                );
                return Blocking { blocked: Some(Blocked { code: "FileMissingFromSet".to_owned(), message }) };
            }
        }
        Blocking::default()
    }

    fn snapshot(&self) -> Result<Snapshots, RunError> {
        let mut counts = Vec::new();
        let mut blocked = None;
        for inbound in &self.spec.inbound {
            let mut flow =
                FlowCounts { flow_id: inbound.flow_id.clone(), display_name: inbound.display_name.clone(), ..FlowCounts::default() };
            if inbound.files.is_empty() {
                flow.skipped = true;
                flow.warnings = u64::from(inbound.not_pulled.is_some());
                if let Some(finding) = not_pulled(inbound) {
                    let mut log = Findings::create(&self.findings_path(inbound))?;
                    log.write(&finding)?;
                    log.finish()?;
                }
                counts.push(flow);
                continue;
            }
            if let Some(finding) = unknown_format(inbound) {
                blocked = Some(Blocked { code: finding.code.to_owned(), message: format!("Nothing was changed: {}", finding.message) });
                flow.errors = 1;
                let mut log = Findings::create(&self.findings_path(inbound))?;
                log.write(&finding)?;
                log.finish()?;
                counts.push(flow);
                continue;
            }
            let report = self.ingest(inbound)?;
            flow.errors = report.count(Severity::Error) + report.count(Severity::Catastrophic);
            flow.warnings = report.count(Severity::Warning) + inbound.remarks;
            flow.warnings += u64::from(inbound.refused.is_some()) + u64::from(inbound.not_pulled.is_some());
            flow.rows = report.rows();
            flow.error_rows = report.files.iter().map(|f| f.errors).sum();
            self.write(&format!("files-{}.json", inbound.flow_id), &report.files)?;
            if let Some(changes) = &inbound.changes {
                self.take_over(inbound, changes, &mut flow)?;
            }
            if let Some(finding) = report.catastrophic {
                blocked = Some(Blocked { code: finding.code.to_owned(), message: format!("Nothing was changed: {}", finding.message) });
            }
            counts.push(flow);
        }
        Ok(Snapshots { flows: counts, blocked })
    }

    /// What was found in the changes that the set was put together with is found by this run too: in its logs, in its
    /// counts, and in the share of rows in error.
    fn take_over(&self, inbound: &InboundSpec, changes: &ChangesReport, flow: &mut FlowCounts) -> Result<(), RunError> {
        let path = self.spec.work_dir.join(format!("findings-changes-{}.jsonl", inbound.flow_id));
        let temporary = path.with_extension("part");
        std::fs::copy(&changes.log, &temporary)?;
        std::fs::rename(temporary, path)?;
        let ChangesCounts { files, errors, warnings } = &changes.counts;
        self.write(&format!("files-changes-{}.json", inbound.flow_id), files)?;
        flow.errors += errors;
        flow.warnings += warnings;
        flow.rows += files.iter().map(|file| file.rows).sum::<u64>();
        flow.error_rows += files.iter().map(|file| file.errors).sum::<u64>();
        Ok(())
    }

    fn ingest(&self, inbound: &InboundSpec) -> Result<roster::IngestReport, RunError> {
        let dir = self.snapshot_dir(inbound);
        // What an interrupted attempt left behind.
        match std::fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => std::fs::create_dir_all(&dir)?,
        }
        let files: Vec<Source> = inbound.files.iter().map(|f| Source { name: f.name.clone(), path: f.path.clone() }).collect();
        let mut log = Findings::create(&self.findings_path(inbound))?;
        if let Some(why) = &inbound.refused {
            let message = format!("The newest upload was refused ({why}); this run works on the one that was accepted before.");
            log.write(&Finding::of_file("LastUploadRefused", "", message).hint("Mend the export and upload it again."))?;
        }
        not_pulled(inbound).iter().try_for_each(|finding| log.write(finding))?;
        let mut interrupted = None;
        let mut progress = |file: &str, rows: u64| match self.ports.progress(&format!("{file}: {rows} rows")) {
            Ok(()) => true,
            Err(error) => {
                interrupted = Some(error);
                false
            }
        };
        let format = inbound.format.as_deref().and_then(Format::of_name);
        let mut options = IngestOptions { format, ..IngestOptions::new(self.ports.codes(), &mut progress) };
        let outcome = roster::ingest(&files, &mut options, &dir, &mut |finding| log.write(finding));
        match outcome {
            Ok(report) => {
                log.finish()?;
                Ok(report)
            }
            Err(IngestError::Io(error)) => Err(error.into()),
            Err(_) => Err(interrupted.unwrap_or_else(|| RunError::Interrupted("stopped".to_owned()))),
        }
    }

    fn match_people(&self, flows: &[FlowCounts]) -> Result<Vec<MatchCounts>, RunError> {
        let accounts = Accounts::read(self.ports.directory())?;
        let context = Context { role_groups: &self.spec.role_groups, role_order: &self.spec.role_order };
        let mut all = Vec::new();
        for (inbound, flow) in self.spec.inbound.iter().zip(flows) {
            if flow.skipped {
                all.push(MatchCounts::default());
                continue;
            }
            let mut log = Findings::create(&self.spec.work_dir.join(format!("findings-match-{}.jsonl", inbound.flow_id)))?;
            let folder = self.snapshot_dir(inbound);
            all.push(matching::run(inbound, &context, &accounts, &folder, &mut |finding| log.write(finding))?);
            log.finish()?;
        }
        Ok(all)
    }

    fn diff(&self, flows: &[FlowCounts]) -> Result<Vec<Differences>, RunError> {
        let mut all = Vec::new();
        for (inbound, flow) in self.spec.inbound.iter().zip(flows) {
            if flow.skipped {
                all.push(Differences::default());
                continue;
            }
            let out = self.history_dir(inbound);
            std::fs::create_dir_all(&out)?;
            let before = |kind: &str| inbound.previous.as_ref().map(|p| p.work_dir.join(format!("{kind}-{}", inbound.flow_id)));
            let (snapshots, histories) = (before("snapshot"), before("history"));
            let mut activity: BTreeMap<Entity, Activity> = BTreeMap::new();
            let mut deltas: BTreeMap<&str, Delta> = BTreeMap::new();
            for entity in history::KEPT {
                let snapshot = self.snapshot_dir(inbound);
                activity.insert(entity, history::update(entity, histories.as_deref(), &snapshot, &out, &self.spec.now)?);
                deltas.insert(entity.file(), history::delta(entity, snapshots.as_deref(), &snapshot)?);
            }
            self.write(&format!("delta-{}.json", inbound.flow_id), &deltas)?;
            all.push(Differences {
                activity: [Entity::Org, Entity::User, Entity::Class, Entity::Enrollment]
                    .map(|entity| activity.get(&entity).copied().unwrap_or_default()),
                people_gone: deltas.get(Entity::User.file()).map_or(0, |delta| delta.gone),
            });
        }
        Ok(all)
    }

    fn plan(&self, flows: &[FlowCounts]) -> Result<Planned, RunError> {
        self.plan_into(flows, &self.plan_path())
    }

    fn plan_into(&self, flows: &[FlowCounts], path: &Path) -> Result<Planned, RunError> {
        let read = self.spec.inbound.iter().zip(flows).filter(|(_, f)| !f.skipped).map(|(i, _)| self.snapshot_dir(i));
        let snapshots: Vec<PathBuf> = read.chain(self.spec.resting.iter().cloned()).collect();
        let summary = plan::make(self.spec, &snapshots, self.ports.directory(), path)?;
        let (before, after) = (summary.before, summary.after);
        Ok(Planned { summary, before, after })
    }

    /// Whether the same roster would now lead to another plan (decision 32). What has been applied in part
    /// goes on: each effect looks for itself whether it still makes sense.
    fn has_drifted(&self, flows: &[FlowCounts], plan: &Planned) -> Result<bool, RunError> {
        if self.ports.step_result(Step::Apply)?.is_some() || self.ports.directory().cursor(&self.spec.run_id)? > 0 {
            return Ok(false);
        }
        let path = self.spec.work_dir.join("plan-now.jsonl");
        let now = self.plan_into(flows, &path)?;
        std::fs::remove_file(path)?;
        Ok(now.summary.hash != plan.summary.hash)
    }

    fn plan_path(&self) -> PathBuf {
        self.spec.work_dir.join("plan.jsonl")
    }

    fn guard(&self, flows: &[FlowCounts], plan: &Planned) -> Option<Blocked> {
        let known: Vec<(&InboundSpec, &FlowCounts)> =
            self.spec.inbound.iter().zip(flows).filter(|(i, f)| i.previous.is_some() && !f.skipped).collect();
        let people_before: u64 = known.iter().filter_map(|(i, _)| i.previous.as_ref()).map(|p| p.people).sum();
        let people_gone: u64 = known.iter().map(|(_, f)| f.people_gone).sum();
        let before = Counts { people: people_before, ..plan.before };
        let after = Counts { people: people_before.saturating_sub(people_gone), ..plan.after };
        self.spec.guard.check(before, after, flows.iter().map(|f| f.rows).sum(), flows.iter().map(|f| f.error_rows).sum())
    }

    /// Applies the plan from where its cursor stands. The file must be the one that was planned.
    fn apply(&self, plan: &Planned) -> Result<Value, RunError> {
        let path = self.plan_path();
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(std::fs::File::open(&path)?)?;
        if hasher.finalize().to_hex().as_str() != plan.summary.hash {
            return Err(RunError::Broken(format!("the plan file {} is not the one that was planned", path.display())));
        }
        let directory = self.ports.directory();
        let start = directory.cursor(&self.spec.run_id)?;
        let mut batch = Vec::with_capacity(BATCH);
        for line in io::BufReader::new(std::fs::File::open(&path)?).lines() {
            let record: OpRecord = serde_json::from_str(&line?).map_err(io::Error::other)?;
            if record.seq < start {
                continue;
            }
            batch.push(record);
            if batch.len() == BATCH {
                self.apply_batch(&mut batch, plan)?;
            }
        }
        self.apply_batch(&mut batch, plan)?;
        // Not what this attempt has written, which is less than the run has when an earlier one was killed.
        let refused = directory.refusals(&self.spec.run_id)?.len();
        Ok(json!({ "operations": plan.summary.operations, "refused": refused }))
    }

    fn apply_batch(&self, batch: &mut Vec<OpRecord>, plan: &Planned) -> Result<(), RunError> {
        let Some(last) = batch.last().map(|record| record.seq + 1) else { return Ok(()) };
        self.ports.directory().apply(&self.spec.run_id, std::mem::take(batch))?;
        self.ports.failpoint("between-batches")?;
        self.ports.progress(&format!("apply: {last} of {}", plan.summary.operations))
    }

    /// Refused effects by flow; read from the plan, because the audit log names positions.
    fn refused(&self) -> Result<BTreeMap<String, u64>, RunError> {
        let refusals = self.ports.directory().refusals(&self.spec.run_id)?;
        let mut by_flow = BTreeMap::new();
        if refusals.is_empty() {
            return Ok(by_flow);
        }
        let positions: std::collections::BTreeSet<u64> = refusals.iter().map(|r| r.seq).collect();
        for line in io::BufReader::new(std::fs::File::open(self.plan_path())?).lines() {
            let record: OpRecord = serde_json::from_str(&line?).map_err(io::Error::other)?;
            if positions.contains(&record.seq) {
                *by_flow.entry(record.flow_id).or_default() += 1;
            }
        }
        Ok(by_flow)
    }

    fn statistics(&self, flows: &[FlowCounts], refused: &BTreeMap<String, u64>) -> Map<String, Value> {
        let statuses: Vec<&str> = flows.iter().map(FlowCounts::status).collect();
        let status = if statuses.contains(&"completedWithErrors") || !refused.is_empty() {
            "completedWithErrors"
        } else if statuses.contains(&"completedWithWarnings") {
            "completedWithWarnings"
        } else {
            "completed"
        };
        statistics::document(&self.spec.run_id, status, flows)
    }

    fn stopped(&self, blocked: Option<Blocked>, flows: Vec<FlowCounts>, approvable: bool) -> Outcome {
        let statistics = statistics::document(&self.spec.run_id, "failed", &flows);
        let failed = || self.spec.inbound.iter().map(|i| (i.flow_id.clone(), "failed".to_owned())).collect();
        let inbound = if approvable { inbound_statuses(&flows) } else { failed() };
        Outcome {
            status: "failed".to_owned(),
            blocked,
            approvable,
            statistics,
            inbound,
            files: BTreeMap::new(),
            people: people(&flows),
            refused: BTreeMap::new(),
        }
    }
}

/// The specification names a format that this version does not know: one that is newer has made it.
fn unknown_format(inbound: &InboundSpec) -> Option<Finding> {
    let name = inbound.format.as_deref().filter(|name| Format::of_name(name).is_none())?;
    let message = format!("'{}' brings files of the format {name}, which this version of Homeroom does not read.", inbound.display_name);
    Some(Finding::of_file("UnsupportedFormat", "", message))
}

/// A source that could not be asked for its files.
fn not_pulled(inbound: &InboundSpec) -> Option<Finding> {
    let why = inbound.not_pulled.as_ref()?;
    let instead = if inbound.files.is_empty() {
        "it has never brought any, and is left out"
    } else {
        "the run works on what it brought the last time"
    };
    let message = format!("'{}' could not be pulled ({why}); {instead}.", inbound.display_name);
    Some(Finding::of_file("LastPullFailed", "", message).hint("Test the connection of its connector, or start another run later."))
}

/// A findings log, one JSON object a line, whole or not there.
struct Findings {
    out: io::BufWriter<std::fs::File>,
    temporary: PathBuf,
    path: PathBuf,
}

impl Findings {
    fn create(path: &Path) -> io::Result<Self> {
        let temporary = path.with_extension("part");
        Ok(Self { out: io::BufWriter::new(std::fs::File::create(&temporary)?), temporary, path: path.to_owned() })
    }

    fn write(&mut self, finding: &Finding) -> io::Result<()> {
        writeln!(self.out, "{}", finding.to_json())
    }

    fn finish(self) -> io::Result<()> {
        self.out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        std::fs::rename(self.temporary, self.path)
    }
}
