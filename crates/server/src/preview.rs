//! A dry run over a folder: what would become of the directory, without a job and without a write.

use crate::admin::AdminError;
use crate::app::App;
use crate::error::chain;
use crate::graph::Data;
use crate::runs;
use crate::worker::apply_changes;
use directory::embedded::EmbeddedDirectory;
use directory::{Directory, OpRecord, Operation};
use jiff::Timestamp;
use roster::archive::{ArchiveLimits, Opened, open_archives};
use roster::delta;
use roster::{Codes, Finding, IngestError, Source};
use serde::ser::{Error as _, SerializeSeq as _};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use store::TenantId;
use sync::{Blocked, InboundSpec, PlanSummary, RunError, RunPorts, RunSpec, SourceFile, Step};
use tempfile::TempDir;

/// Users asked of the directory at a time.
const PAGE: usize = 10_000;

/// What a run over the files would do.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// What would stop it.
    pub blocked: Option<Blocked>,
    /// Its effects by kind.
    pub summary: Option<PlanSummary>,
    /// Its effects by group, by name.
    pub groups: Vec<GroupChange>,
    /// What the files hold, as `industryDataRunStatistics`.
    pub statistics: Map<String, Value>,
    /// What is wrong with the files.
    pub findings: PlanFindings,
}

/// The findings of a plan: in logs, for there may be more of them than memory holds. Written as JSON they are one list.
#[derive(Debug)]
pub struct PlanFindings {
    /// The logs, one JSON object a line.
    pub logs: Vec<PathBuf>,
    /// The folder that they are in, which goes with them.
    _work: TempDir,
}

impl Serialize for PlanFindings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for log in &self.logs {
            for line in BufReader::new(File::open(log).map_err(S::Error::custom)?).lines() {
                let finding: Value = serde_json::from_str(&line.map_err(S::Error::custom)?).map_err(S::Error::custom)?;
                list.serialize_element(&finding)?;
            }
        }
        list.end()
    }
}

/// What would become of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupChange {
    /// `displayName`, the new one when it changes.
    pub display_name: String,
    /// Whether it would be made.
    pub created: bool,
    /// `userPrincipalName`s of the people who would come in.
    pub added: Vec<String>,
    /// … and of those who would go.
    pub removed: Vec<String>,
}

impl App {
    /// Plans a run over the files of a folder, or of one zip archive, in place of the last upload of an inbound flow. A
    /// package of changes is planned as the set that it and that upload make. `work` is an empty folder, which goes with the plan.
    ///
    /// # Errors
    /// When the path cannot be read, or no inbound flow or several could be meant.
    pub async fn plan(&self, tenant: TenantId, path: &Path, flow: Option<&str>, work: TempDir) -> Result<Plan, AdminError> {
        let unreadable = |error: std::io::Error| {
            let message = format!("cannot read {}: {error}", path.display());
            AdminError::hinting(message, "name the folder that holds the export's files, or their zip archive")
        };
        let files = Source::list(path).map_err(unreadable)?;
        let opened = open_archives(files, &work.path().join("unpacked"), &ArchiveLimits::DEFAULT);
        let opened = opened.map_err(|error| AdminError::new(format!("cannot unpack {}: {error}", path.display())))?;
        let ctx = self.system(tenant);
        let (app, context) = (self.clone(), ctx.clone());
        let spec = self.store().read(&ctx, move |tx| runs::spec(&app, &Data::new(tx, &context), "preview")).await;
        let mut spec: RunSpec = spec.map_err(|error: crate::error::AppError| AdminError::new(error.graph().message))?;
        spec.work_dir = work.path().join("run");
        let (flow, whole, now) = (flow.map(str::to_owned), work.path().join("whole"), self.now());
        let put = tokio::task::spawn_blocking(move || -> Result<_, AdminError> {
            let put = put_files(meant(&mut spec, flow.as_deref())?, opened, now, &whole)
                .map_err(|error| AdminError::new(format!("cannot read the files: {}", chain(&error))))?;
            Ok(put.map(|()| spec))
        });
        let put = put.await.map_err(|error| AdminError::new(error.to_string()))??;
        let spec = match put {
            Ok(spec) => spec,
            Err(errors) => {
                let blocked = errors.first().map(|f| Blocked { code: f.code.to_owned(), message: f.message.clone() });
                let findings = refused(work, &errors).map_err(|error| AdminError::new(chain(&error)))?;
                return Ok(Plan { blocked, summary: None, groups: Vec::new(), statistics: Map::new(), findings });
            }
        };
        let own_rows = self.store().read(&ctx, runs::own_reference_rows).await?;
        let directory = EmbeddedDirectory::new(self.store().clone(), ctx, None);
        let planned = tokio::task::spawn_blocking(move || -> Result<Plan, String> {
            let ports = DryPorts { directory, codes: runs::codes(&own_rows) };
            let (blocked, summary, groups, statistics) = match sync::preview(&spec, &ports).map_err(|error| chain(&error))? {
                Ok(preview) => (preview.blocked, Some(preview.summary), changes(&preview.plan, &ports.directory)?, preview.statistics),
                Err(stopped) => (stopped.blocked, None, Vec::new(), stopped.statistics),
            };
            let logs = runs::findings_files(&spec.work_dir).map_err(|error| chain(&error))?;
            Ok(Plan { blocked, summary, groups, statistics, findings: PlanFindings { logs, _work: work } })
        });
        planned.await.map_err(|error| AdminError::new(error.to_string()))?.map_err(AdminError::new)
    }
}

/// Why files were refused, as the findings of their plan.
fn refused(work: TempDir, errors: &[Finding]) -> io::Result<PlanFindings> {
    let path = work.path().join("findings.jsonl");
    let mut log = BufWriter::new(File::create(&path)?);
    errors.iter().try_for_each(|finding| writeln!(log, "{}", finding.to_json()))?;
    log.flush()?;
    Ok(PlanFindings { logs: vec![path], _work: work })
}

/// The inbound flow that is meant.
fn meant<'s>(spec: &'s mut RunSpec, flow: Option<&str>) -> Result<&'s mut InboundSpec, AdminError> {
    let active = spec.inbound.iter().map(|i| format!("{} ({})", i.flow_id, i.display_name)).collect::<Vec<_>>().join(", ");
    let mut meant = spec.inbound.iter_mut().filter(|inbound| flow.is_none_or(|id| inbound.flow_id == id));
    match (meant.next(), meant.next(), flow) {
        (Some(one), None, _) => Ok(one),
        (_, _, Some(id)) => Err(AdminError::hinting(format!("there is no active inbound flow {id}"), &format!("there are: {active}"))),
        (None, _, None) => {
            Err(AdminError::hinting("the tenant has no active inbound flow", "make source system, connector, year and inbound flow first"))
        }
        (Some(_), Some(_), None) => Err(AdminError::hinting(
            "the tenant has several inbound flows",
            &format!("name the one that the files are for with --flow: {active}"),
        )),
    }
}

/// Puts the files in the place of the last upload of a flow; a package of changes is applied to that one first, into the
/// folder `whole`, as it would be when it is uploaded. The inner error is what an upload of them would be refused for.
fn put_files(inbound: &mut InboundSpec, opened: Opened, now: Timestamp, whole: &Path) -> Result<Result<(), Vec<Finding>>, IngestError> {
    let mut files = opened.files;
    if !opened.errors.is_empty() {
        return Ok(Err(opened.errors));
    }
    let mut changes = None;
    if delta::is_delta(&files)? {
        let base: Vec<Source> = inbound.files.iter().map(|f| Source { name: f.name.clone(), path: f.path.clone() }).collect();
        let applied = apply_changes(&base, &files, now, whole, None)?;
        if !applied.errors.is_empty() {
            return Ok(Err(applied.errors));
        }
        (files, changes) = (applied.files, Some(applied.report));
    }
    let errors = roster::basic_validate(&files, None).errors;
    if !errors.is_empty() {
        return Ok(Err(errors));
    }
    inbound.files = files.into_iter().map(|f| SourceFile { name: f.name, path: f.path }).collect();
    (inbound.format, inbound.changes) = (None, changes);
    Ok(Ok(()))
}

/// Ports that remember nothing and write nothing.
struct DryPorts {
    directory: EmbeddedDirectory,
    codes: Codes,
}

impl RunPorts for DryPorts {
    fn directory(&self) -> &dyn Directory {
        &self.directory
    }

    fn codes(&self) -> &Codes {
        &self.codes
    }

    fn step_result(&self, _: Step) -> Result<Option<Value>, RunError> {
        Ok(None)
    }

    fn record_step(&self, _: Step, _: &Value) -> Result<(), RunError> {
        Ok(())
    }

    fn progress(&self, _: &str) -> Result<(), RunError> {
        Ok(())
    }

    fn approved(&self, _: &str) -> bool {
        false
    }
}

/// The plan by group, people by name.
fn changes(plan: &Path, directory: &dyn Directory) -> Result<Vec<GroupChange>, String> {
    let mut by_anchor: BTreeMap<String, GroupChange> = BTreeMap::new();
    let mut users: BTreeSet<String> = BTreeSet::new();
    for line in BufReader::new(std::fs::File::open(plan).map_err(|e| chain(&e))?).lines() {
        let record: OpRecord = serde_json::from_str(&line.map_err(|e| chain(&e))?).map_err(|e| chain(&e))?;
        match record.operation {
            Operation::CreateGroup { anchor, display_name, .. } => {
                let group = by_anchor.entry(anchor).or_default();
                (group.display_name, group.created) = (display_name, true);
            }
            Operation::RenameGroup { anchor, to, .. } => by_anchor.entry(anchor).or_default().display_name = to,
            Operation::AddMember { anchor, user_id } => {
                users.insert(user_id.clone());
                by_anchor.entry(anchor).or_default().added.push(user_id);
            }
            Operation::RemoveMember { anchor, user_id } => {
                users.insert(user_id.clone());
                by_anchor.entry(anchor).or_default().removed.push(user_id);
            }
        }
    }
    let anchors: Vec<String> = by_anchor.keys().cloned().collect();
    for observed in directory.groups_by_anchor(&anchors).map_err(|e| chain(&e))? {
        if let Some(group) = by_anchor.get_mut(&observed.anchor) {
            // A group that is there is taken over, not made.
            group.created = false;
            if group.display_name.is_empty() {
                group.display_name = observed.display_name;
            }
        }
    }
    let names = names(&users, directory)?;
    let named = |ids: &mut Vec<String>| {
        for id in ids.iter_mut() {
            if let Some(name) = names.get(id) {
                id.clone_from(name);
            }
        }
        ids.sort();
        // Two flows that hold the same membership are one change for whoever looks at the group.
        ids.dedup();
    };
    let mut groups: Vec<GroupChange> = by_anchor.into_values().collect();
    for group in &mut groups {
        named(&mut group.added);
        named(&mut group.removed);
    }
    groups.sort_by(|a, b| a.display_name.cmp(&b.display_name));
    Ok(groups)
}

fn names(ids: &BTreeSet<String>, directory: &dyn Directory) -> Result<HashMap<String, String>, String> {
    let mut names = HashMap::new();
    let mut after: Option<String> = None;
    while names.len() < ids.len() {
        let page = directory.users(after.as_deref(), PAGE).map_err(|e| chain(&e))?;
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        names.extend(page.into_iter().filter(|user| ids.contains(&user.id)).map(|user| (user.id, user.upn)));
    }
    Ok(names)
}
