//! A school with a directory, and what is needed around a run. The directory is in SQLite, or in the
//! PostgreSQL database that `HOMEROOM_TEST_POSTGRES` names.

use crate::roster::Roster;
use ::roster::{CodeList, Codes};
use directory::embedded::{EmbeddedDirectory, graph};
use directory::{Applied, Directory, DirectoryError, LedgerGroup, LedgerMember, ObservedGroup, ObservedUser, OpRecord, Operation, Refusal};
use serde_json::{Map, Value, json};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use store::{OpContext, Store, StoreConfig, TenantId, Tx};
use sync::{
    Guard, InboundSpec, MatchRule, MatchTarget, Naming, Outcome, PreviousRun, Pull, RoleGroup, RunError, RunPorts, RunSpec, SecurityFlow,
    SourceFile, SourceIdentifier, Step, advance,
};
use uuid::Uuid;

/// The inbound flow of tests with one source.
pub(crate) const SIS: &str = "sis";
/// Domain of usernames.
pub(crate) const DOMAIN: &str = "school.example";

/// Roles in their order, as far as tests use them.
pub(crate) const ROLES: [&str; 6] = ["principal", "teacher", "coach", "aide", "student", "other"];
pub(crate) const STAFF: [&str; 4] = ["principal", "teacher", "coach", "aide"];

/// What a directory has: groups by anchor (those of others by id) with name and members.
pub(crate) type Groups = BTreeMap<String, (String, BTreeSet<String>)>;

pub(crate) struct World {
    folder: tempfile::TempDir,
    store: RefCell<Option<Store>>,
    ctx: OpContext,
    runs: Cell<u32>,
    previous: RefCell<BTreeMap<String, PreviousRun>>,
    pub(crate) flows: RefCell<Vec<SecurityFlow>>,
    pub(crate) rules: RefCell<Vec<MatchRule>>,
    pub(crate) naming: RefCell<Naming>,
    pub(crate) guard: Cell<Guard>,
}

/// A run that has come to an end.
pub(crate) struct Ran {
    pub(crate) spec: RunSpec,
    pub(crate) outcome: Outcome,
    /// The effects that it planned.
    pub(crate) plan: Vec<OpRecord>,
    /// Those that changed the directory.
    pub(crate) written: u64,
}

impl Ran {
    pub(crate) fn blocked(&self) -> &str {
        self.outcome.blocked.as_ref().map_or("", |blocked| blocked.code.as_str())
    }

    /// The plan's effects in short, sorted: `+ anchor user`, `- anchor user`, `new anchor`, `name anchor name`.
    pub(crate) fn effects(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .plan
            .iter()
            .map(|record| match &record.operation {
                Operation::CreateGroup { anchor, .. } => format!("new {anchor}"),
                Operation::RenameGroup { anchor, to, .. } => format!("name {anchor} {to}"),
                Operation::AddMember { anchor, user_id } => format!("+ {anchor} {user_id}"),
                Operation::RemoveMember { anchor, user_id } => format!("- {anchor} {user_id}"),
            })
            .collect();
        all.sort();
        all
    }

    /// Findings of validation and matching: code and key.
    pub(crate) fn findings(&self) -> Vec<(String, String)> {
        let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        self.finding_lines().iter().map(|finding| (text(finding, "code"), text(finding, "key"))).collect()
    }

    /// The same as they stand in the logs.
    pub(crate) fn finding_lines(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for inbound in &self.spec.inbound {
            for name in [format!("findings-{}.jsonl", inbound.flow_id), format!("findings-match-{}.jsonl", inbound.flow_id)] {
                let log = std::fs::read_to_string(self.spec.work_dir.join(name)).unwrap_or_default();
                all.extend(log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
            }
        }
        all
    }

    pub(crate) fn total(&self, name: &str) -> &Value {
        &self.outcome.statistics["inboundTotals"][name]
    }
}

pub(crate) fn flow(id: &str, by_role_group: bool, by_org_and_role_group: bool) -> SecurityFlow {
    SecurityFlow { flow_id: id.to_owned(), by_role_group, by_org_and_role_group, orgs: None }
}

pub(crate) fn rule(role_group: &str, source: SourceIdentifier, target: MatchTarget) -> MatchRule {
    MatchRule { role_group: role_group.to_owned(), source, target, priority: 0, domain: None }
}

/// Groups as a test writes them down.
pub(crate) fn sets(groups: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
    groups.iter().map(|(anchor, members)| ((*anchor).to_owned(), members.iter().map(|m| (*m).to_owned()).collect())).collect()
}

impl World {
    /// One source, one flow `f` that wants both kinds of groups, no guard, usernames equal userPrincipalNames.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = "2026-09-01T02:00:00Z".parse().unwrap();
        let store = open(&folder);
        Self {
            folder,
            store: RefCell::new(Some(store)),
            ctx: OpContext::system(TenantId(Uuid::new_v4()), Uuid::from_u128(2), now),
            runs: Cell::new(0),
            previous: RefCell::default(),
            flows: RefCell::new(vec![flow("f", true, true)]),
            rules: RefCell::new(
                ["staff", "students"].map(|g| rule(g, SourceIdentifier::Username, MatchTarget::UserPrincipalName)).to_vec(),
            ),
            naming: RefCell::new(Naming { role_group: "All {roleGroup}".to_owned(), org_role_group: "{roleGroup} - {org}".to_owned() }),
            guard: Cell::new(Guard { max_drop_percent: 100.0, max_drop_count: 0, max_error_percent: 100.0 }),
        }
    }

    pub(crate) fn store(&self) -> Store {
        self.store.borrow().clone().unwrap()
    }

    /// Everything in memory is gone, as after a kill; what is on disk is there.
    pub(crate) fn restart(&self) {
        self.store.replace(None);
        self.store.replace(Some(open(&self.folder)));
    }

    pub(crate) fn directory(&self) -> EmbeddedDirectory {
        EmbeddedDirectory::new(self.store(), self.ctx.clone(), None)
    }

    pub(crate) fn write<T: Send + 'static>(&self, f: impl FnOnce(&mut Tx<'_>) -> Result<T, DirectoryError> + Send + 'static) -> T {
        self.store().write_blocking(&self.ctx, f).unwrap()
    }

    /// An account whose id is the name, at [`DOMAIN`], without a mail address.
    pub(crate) fn account(&self, id: &str) {
        self.account_of(id, &format!("{id}@{DOMAIN}"), None);
    }

    pub(crate) fn accounts<S: AsRef<str>>(&self, ids: impl IntoIterator<Item = S>) {
        let all = ids.into_iter().map(|id| (id.as_ref().to_owned(), body(&format!("{}@{DOMAIN}", id.as_ref()), None))).collect();
        self.write(move |tx| graph::user_import(tx, all));
    }

    pub(crate) fn account_of(&self, id: &str, upn: &str, mail: Option<&str>) {
        let all = vec![(id.to_owned(), body(upn, mail))];
        self.write(move |tx| graph::user_import(tx, all));
    }

    /// Accounts for everybody in a roster.
    pub(crate) fn accounts_for(&self, roster: &Roster) {
        self.accounts(roster.people.keys());
    }

    pub(crate) fn group_id(&self, anchor: &str) -> String {
        let found = self.directory().groups_by_anchor(&[anchor.to_owned()]).unwrap().pop();
        found.map_or_else(|| anchor.to_owned(), |group| group.id)
    }

    pub(crate) fn put_by_hand(&self, group: &str, user: &str) {
        let (group, user) = (self.group_id(group), user.to_owned());
        self.write(move |tx| graph::member_add(tx, &group, &user));
    }

    pub(crate) fn take_out_by_hand(&self, group: &str, user: &str) {
        let (group, user) = (self.group_id(group), user.to_owned());
        self.write(move |tx| graph::member_remove(tx, &group, &user));
    }

    pub(crate) fn make_by_hand(&self, id: &str, name: &str) {
        let Value::Object(body) = json!({ "displayName": name, "mailNickname": id, "mailEnabled": false, "securityEnabled": true }) else {
            return;
        };
        let (id, now) = (id.to_owned(), self.ctx.now);
        self.write(move |tx| graph::group_create(tx, &id, body, now));
    }

    pub(crate) fn rename_by_hand(&self, group: &str, name: &str) {
        let (group, patch) = (self.group_id(group), Map::from_iter([("displayName".to_owned(), json!(name))]));
        self.write(move |tx| graph::group_update(tx, &group, &patch));
    }

    pub(crate) fn delete_by_hand(&self, group: &str) {
        let group = self.group_id(group);
        self.write(move |tx| graph::group_delete(tx, &group));
    }

    /// What a reset of a flow does, and its deletion.
    pub(crate) fn forget(&self, flow: &str) {
        let flow = flow.to_owned();
        self.write(move |tx| Ok(directory::embedded::forget_flow(tx, &flow)?));
    }

    fn rows<const N: usize>(&self, sql: &'static str) -> Vec<[String; N]> {
        let rows = self.store().read_blocking(&self.ctx, move |tx| {
            let params = [tx.tenant_value()];
            tx.query(sql, &params)
        });
        let rows: Vec<store::Row> = rows.unwrap_or_else(|error: store::StoreError| panic!("{error}"));
        rows.iter().map(|row| std::array::from_fn(|at| row.opt_text(at).unwrap().unwrap_or_default().to_owned())).collect()
    }

    pub(crate) fn groups(&self) -> Groups {
        let mut groups = Groups::new();
        let sql = "SELECT coalesce(anchor, id), display_name, id FROM directory_group WHERE tenant_id = $1";
        for [anchor, name, id] in self.rows(sql) {
            let members = self.directory().members(&id, None, 100_000).unwrap().into_iter().collect();
            groups.insert(anchor, (name, members));
        }
        groups
    }

    /// Members by anchor, without names.
    pub(crate) fn members(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.groups().into_iter().map(|(anchor, (_, members))| (anchor, members)).collect()
    }

    pub(crate) fn name(&self, anchor: &str) -> String {
        self.groups()[anchor].0.clone()
    }

    /// The ledger as rows: flow, anchor, user or name, who added.
    pub(crate) fn ledger(&self) -> Vec<[String; 4]> {
        let mut rows = self.rows(
            "SELECT flow_id, anchor, user_id, CAST(added AS TEXT) FROM ledger_member WHERE tenant_id = $1 ORDER BY flow_id, anchor, user_id",
        );
        rows.extend(
            self.rows("SELECT flow_id, anchor, display_name, 'group' FROM ledger_group WHERE tenant_id = $1 ORDER BY flow_id, anchor"),
        );
        rows
    }

    /// Effects in the audit log, without those that were refused.
    pub(crate) fn effects(&self) -> Vec<[String; 3]> {
        self.rows("SELECT id, action, detail FROM audit_log WHERE tenant_id = $1 AND action <> 'refused' ORDER BY id")
    }

    fn inbound(&self, id: &str, roster: Option<&Roster>, folder: &std::path::Path) -> InboundSpec {
        let dir = folder.join(format!("upload-{id}"));
        let names = roster.map(|roster| roster.write(&dir)).unwrap_or_default();
        InboundSpec {
            flow_id: id.to_owned(),
            display_name: format!("Source {id}"),
            files: names.into_iter().map(|name| SourceFile { path: dir.join(&name), name }).collect(),
            origin: None,
            refused: None,
            not_pulled: None,
            pull: None,
            format: None,
            remarks: 0,
            changes: None,
            rules: self.rules.borrow().clone(),
            previous: self.previous.borrow().get(id).cloned(),
        }
    }

    /// The specification of the next run, with the exports of its sources on disk.
    pub(crate) fn spec(&self, sources: &[(&str, Option<&Roster>)]) -> RunSpec {
        self.runs.set(self.runs.get() + 1);
        let number = self.runs.get();
        let folder = self.folder.path().join(format!("run-{number}"));
        let group = |id: &str, name: &str, roles: &[&str]| RoleGroup {
            id: id.to_owned(),
            display_name: name.to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        };
        RunSpec {
            run_id: format!("run-{number:04}"),
            now: format!("2026-09-{number:02}T02:00:00Z"),
            work_dir: folder.clone(),
            resting: Vec::new(),
            inbound: sources.iter().map(|(id, roster)| self.inbound(id, *roster, &folder)).collect(),
            role_groups: vec![group("staff", "Staff", &STAFF), group("students", "Students", &["student"])],
            role_order: ROLES.iter().zip(0..).map(|(role, order)| ((*role).to_owned(), order)).collect(),
            flows: self.flows.borrow().clone(),
            naming: self.naming.borrow().clone(),
            guard: self.guard.get(),
        }
    }

    /// A run over the export of one source, to its end.
    pub(crate) fn run(&self, roster: &Roster) -> Ran {
        let spec = self.spec(&[(SIS, Some(roster))]);
        self.finish(spec, &Ports::new(self))
    }

    /// A run that has to go through.
    pub(crate) fn good(&self, roster: &Roster) -> Ran {
        let ran = self.run(roster);
        assert_eq!(ran.outcome.blocked, None);
        ran
    }

    pub(crate) fn finish(&self, spec: RunSpec, ports: &Ports) -> Ran {
        let outcome = advance(&spec, ports).unwrap();
        self.ended(spec, outcome, ports)
    }

    /// What whoever called the run does at its end: a good run is what the next one is compared with.
    pub(crate) fn ended(&self, spec: RunSpec, outcome: Outcome, ports: &Ports) -> Ran {
        if outcome.blocked.is_none() {
            for (flow, files) in &outcome.files {
                let users = spec.work_dir.join(format!("snapshot-{flow}")).join("users.seg");
                let previous = PreviousRun { work_dir: spec.work_dir.clone(), files: files.clone(), people: keys(&users).len() as u64 };
                self.previous.borrow_mut().insert(flow.clone(), previous);
            }
        }
        let plan = std::fs::read_to_string(spec.work_dir.join("plan.jsonl")).unwrap_or_default();
        let plan = plan.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Ran { spec, outcome, plan, written: ports.written() }
    }
}

/// Keys of a segment.
pub(crate) fn keys(segment: &std::path::Path) -> Vec<String> {
    let mut reader = ::roster::segment::SegmentReader::open(segment).unwrap();
    let mut keys = Vec::new();
    while let Some(record) = reader.next().unwrap() {
        keys.push(record.key_text().to_owned());
    }
    keys
}

fn open(folder: &tempfile::TempDir) -> Store {
    Store::open(&StoreConfig { data_dir: folder.path().join("data"), database_url: std::env::var("HOMEROOM_TEST_POSTGRES").ok() }).unwrap()
}

fn body(upn: &str, mail: Option<&str>) -> Map<String, Value> {
    let mut body = Map::from_iter([("userPrincipalName".to_owned(), json!(upn)), ("displayName".to_owned(), json!(upn))]);
    if let Some(mail) = mail {
        body.insert("mail".to_owned(), json!(mail));
    }
    body
}

fn codes() -> Codes {
    Codes::default().with(CodeList::OrgType, ["school"]).with(CodeList::Role, ROLES).with(CodeList::SectionRole, ROLES)
}

/// A directory that counts what is written to it.
pub(crate) struct Counting {
    inner: EmbeddedDirectory,
    written: std::sync::atomic::AtomicU64,
}

/// Ports with the steps in memory, and a place where the run fails.
pub(crate) struct Ports {
    directory: Counting,
    codes: Codes,
    pub(crate) steps: RefCell<BTreeMap<String, Value>>,
    pub(crate) approved: Cell<bool>,
    /// With this set, an approval is for this code only.
    pub(crate) approved_code: Cell<Option<&'static str>>,
    /// Where to fail, and at which occurrence, from 1.
    pub(crate) fail_at: Option<(String, u32)>,
    /// Failpoints met.
    pub(crate) met: RefCell<BTreeMap<String, u32>>,
    /// What is done to the directory when a step is over.
    pub(crate) meanwhile: Option<(Step, Box<dyn Fn()>)>,
    /// What sources bring that are asked for it, by flow.
    pub(crate) brings: BTreeMap<String, Pull>,
    /// Flows that were asked.
    pub(crate) asked: RefCell<Vec<String>>,
}

impl Ports {
    pub(crate) fn new(world: &World) -> Self {
        Self {
            directory: Counting { inner: world.directory(), written: 0.into() },
            codes: codes(),
            steps: RefCell::default(),
            approved: Cell::new(false),
            approved_code: Cell::new(None),
            fail_at: None,
            met: RefCell::default(),
            meanwhile: None,
            brings: BTreeMap::new(),
            asked: RefCell::default(),
        }
    }

    /// Those of the next worker, who finds what has been recorded.
    pub(crate) fn taken_up(world: &World, steps: BTreeMap<String, Value>) -> Self {
        let ports = Self::new(world);
        ports.steps.replace(steps);
        ports
    }

    pub(crate) fn written(&self) -> u64 {
        self.directory.written.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl RunPorts for Ports {
    fn directory(&self) -> &dyn Directory {
        &self.directory
    }

    fn codes(&self) -> &Codes {
        &self.codes
    }

    fn step_result(&self, step: Step) -> Result<Option<Value>, RunError> {
        Ok(self.steps.borrow().get(step.name()).cloned())
    }

    fn record_step(&self, step: Step, result: &Value) -> Result<(), RunError> {
        let before = self.steps.borrow_mut().insert(step.name().to_owned(), result.clone());
        assert_eq!(before, None, "{} is recorded twice", step.name());
        if let Some((at, what)) = &self.meanwhile
            && *at == step
        {
            what();
        }
        Ok(())
    }

    fn progress(&self, _: &str) -> Result<(), RunError> {
        Ok(())
    }

    fn approved(&self, code: &str) -> bool {
        self.approved.get() && self.approved_code.get().is_none_or(|approved| approved == code)
    }

    fn pull(&self, inbound: &InboundSpec) -> Result<Option<Pull>, RunError> {
        self.asked.borrow_mut().push(inbound.flow_id.clone());
        Ok(self.brings.get(&inbound.flow_id).cloned())
    }

    fn failpoint(&self, name: &str) -> Result<(), RunError> {
        let mut met = self.met.borrow_mut();
        let times = met.entry(name.to_owned()).or_default();
        *times += 1;
        if self.fail_at.as_ref().is_some_and(|(at, time)| at == name && time == times) {
            return Err(RunError::Interrupted(format!("planned at {name}")));
        }
        Ok(())
    }
}

impl Directory for Counting {
    fn users(&self, after: Option<&str>, limit: usize) -> Result<Vec<ObservedUser>, DirectoryError> {
        self.inner.users(after, limit)
    }

    fn groups_by_anchor(&self, anchors: &[String]) -> Result<Vec<ObservedGroup>, DirectoryError> {
        self.inner.groups_by_anchor(anchors)
    }

    fn members(&self, group_id: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, DirectoryError> {
        self.inner.members(group_id, after, limit)
    }

    fn ledger_groups(&self) -> Result<Vec<LedgerGroup>, DirectoryError> {
        self.inner.ledger_groups()
    }

    fn ledger_members(&self, after: Option<&LedgerMember>, limit: usize) -> Result<Vec<LedgerMember>, DirectoryError> {
        self.inner.ledger_members(after, limit)
    }

    fn cursor(&self, run_id: &str) -> Result<u64, DirectoryError> {
        self.inner.cursor(run_id)
    }

    fn refusals(&self, run_id: &str) -> Result<Vec<Refusal>, DirectoryError> {
        self.inner.refusals(run_id)
    }

    fn apply(&self, run_id: &str, batch: Vec<OpRecord>) -> Result<Applied, DirectoryError> {
        let applied = self.inner.apply(run_id, batch)?;
        self.written.fetch_add(applied.written, std::sync::atomic::Ordering::Relaxed);
        Ok(applied)
    }
}

/// Path of a run's file.
pub(crate) fn file(ran: &Ran, name: &str) -> PathBuf {
    ran.spec.work_dir.join(name)
}
