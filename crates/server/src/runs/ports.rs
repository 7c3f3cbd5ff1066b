//! The ports of a run over the store.

use crate::app::App;
use crate::error::chain;
use crate::runs::STATE;
use crate::worker::Lost;
use directory::Directory;
use directory::embedded::EmbeddedDirectory;
use roster::{CodeList, Codes};
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::{Job, OpContext, StoreError};
use sync::{InboundSpec, Pull, RunError, RunPorts, Step};

/// Where a process kills itself in tests of crash safety; only debug builds look.
const ABORT_AT: &str = "HOMEROOM_TEST_ABORT_AT";
/// Where the first one that comes there waits, `PLACE=FILE`: as long as the file is there, which it makes.
const HOLD_AT: &str = "HOMEROOM_TEST_HOLD_AT";

/// Store, directory and lists of values for one run.
pub(crate) struct StorePorts {
    pub(super) app: App,
    pub(super) ctx: OpContext,
    pub(super) job: Job,
    pub(super) run: String,
    directory: EmbeddedDirectory,
    codes: Codes,
    /// Codes of what an administrator lets pass.
    approved: Vec<String>,
    lost: Lost,
}

impl StorePorts {
    /// For a claimed job.
    pub(crate) fn new(app: &App, ctx: &OpContext, job: &Job, run: &str, codes: Codes, approved: Vec<String>, lost: Lost) -> Self {
        Self {
            app: app.clone(),
            ctx: ctx.clone(),
            job: job.clone(),
            run: run.to_owned(),
            directory: EmbeddedDirectory::new(app.store().clone(), ctx.clone(), Some(job.clone())),
            codes,
            approved,
            lost,
        }
    }

    /// An error when the server is stopping, or when the run has gone to another worker.
    pub(super) fn may_go_on(&self) -> Result<(), RunError> {
        if self.app.is_stopping() {
            return Err(RunError::Interrupted("the server is stopping".to_owned()));
        }
        if self.lost.is_set() {
            return Err(interrupted(&StoreError::StaleLease));
        }
        Ok(())
    }
}

/// The lists that a tenant may add rows to, by the name of their reference type.
const EXTENSIBLE: [(&str, CodeList); 6] = [
    ("RefOrgType", CodeList::OrgType),
    ("RefGradeLevel", CodeList::Grade),
    ("RefRace", CodeList::Race),
    ("RefEthnicity", CodeList::Ethnicity),
    ("RefPersonFlagType", CodeList::Flag),
    ("RefAcademicSubject", CodeList::Subject),
];

/// The lists of values for the reader: the built-in ones with the tenant's own rows that are not disabled.
pub(crate) fn codes(own: &[Map<String, Value>]) -> Codes {
    let text = |row: &Map<String, Value>, name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut codes = built_in_codes();
    for (reference_type, list) in EXTENSIBLE {
        let rows = own.iter().filter(|row| text(row, "referenceType") == reference_type && row.get("isDisabled") != Some(&json!(true)));
        codes = codes.with(list, rows.map(|row| text(row, "code")));
    }
    codes
}

/// The lists of values that every tenant has, for the reader of rosters.
pub fn built_in_codes() -> Codes {
    use industry_data::reference as r;
    // People who are no part of an organization's staff or students are contacts, not roles.
    let roles = r::ROLE_GROUPS.iter().flat_map(|g| g.roles.iter().copied()).chain(["other"]);
    Codes::default()
        .with(CodeList::OrgType, r::codes("RefOrgType"))
        .with(CodeList::Role, roles)
        .with(CodeList::SectionRole, r::enrollment_roles())
        .with(CodeList::Grade, r::codes("RefGradeLevel"))
        .with(CodeList::SessionType, r::codes("RefSessionType"))
        .with(CodeList::Relationship, r::codes("RefPersonRelationship"))
        .with(CodeList::Sex, r::codes("RefSex").chain(["other", "notSelected"]))
        .with(CodeList::Race, r::codes("RefRace"))
        .with(CodeList::Ethnicity, r::codes("RefEthnicity"))
        .with(CodeList::Flag, r::codes("RefPersonFlagType"))
        .with(CodeList::Subject, r::codes("RefAcademicSubject"))
}

pub(super) fn interrupted(error: &StoreError) -> RunError {
    RunError::Interrupted(chain(error))
}

impl RunPorts for StorePorts {
    fn directory(&self) -> &dyn Directory {
        &self.directory
    }

    fn codes(&self) -> &Codes {
        &self.codes
    }

    fn step_result(&self, step: Step) -> Result<Option<Value>, RunError> {
        let run = self.run.clone();
        let state = self.app.store().read_blocking(&self.ctx, move |tx| tx.docs(&STATE)?.get(&run)).map_err(|e| interrupted(&e))?;
        Ok(state.and_then(|doc| doc.body.get("steps")?.get(step.name()).cloned()))
    }

    fn record_step(&self, step: Step, result: &Value) -> Result<(), RunError> {
        let (run, job, result) = (self.run.clone(), self.job.clone(), result.clone());
        let write = move |tx: &mut store::Tx<'_>| {
            tx.check_lease(&job)?;
            let mut state = tx.docs(&STATE)?.get(&run)?.ok_or(StoreError::StaleLease)?;
            if let Some(Value::Object(steps)) = state.body.get_mut("steps") {
                steps.insert(step.name().to_owned(), result);
            }
            tx.docs(&STATE)?.update(&run, &state.body, None)
        };
        self.app.store().write_blocking(&self.ctx, write).map(|_| ()).map_err(|e| interrupted(&e))
    }

    fn progress(&self, what: &str) -> Result<(), RunError> {
        self.may_go_on()?;
        let (run, job, what) = (self.run.clone(), self.job.clone(), what.to_owned());
        tracing::debug!(run.id = %run, step = %what, "a run goes on");
        let write = move |tx: &mut store::Tx<'_>| {
            tx.check_lease(&job)?;
            let operation =
                tx.docs(&STATE)?.get(&run)?.and_then(|doc| doc.body.get("operation").and_then(Value::as_str).map(str::to_owned));
            let Some(operation) = operation else { return Ok(()) };
            crate::jobs::update_operation(tx, &operation, |body| {
                body.insert("status".to_owned(), json!("running"));
                body.insert("statusDetail".to_owned(), json!(what));
            })
        };
        self.app.store().write_blocking(&self.ctx, write).map_err(|e: StoreError| interrupted(&e))
    }

    fn pull(&self, inbound: &InboundSpec) -> Result<Option<Pull>, RunError> {
        inbound.pull.as_deref().map(|connector| self.pull_from(connector, inbound)).transpose()
    }

    fn approved(&self, code: &str) -> bool {
        self.approved.iter().any(|approved| approved == code)
    }

    fn failpoint(&self, name: &str) -> Result<(), RunError> {
        failpoint(name);
        Ok(())
    }
}

/// A place at which tests kill the process, or hold what it does.
pub(crate) fn failpoint(name: &str) {
    static HELD: AtomicBool = AtomicBool::new(false);
    if !cfg!(debug_assertions) {
        return;
    }
    if std::env::var(ABORT_AT).is_ok_and(|at| at == name) {
        std::process::abort();
    }
    let hold = std::env::var(HOLD_AT).unwrap_or_default();
    if let Some((_, file)) = hold.split_once('=').filter(|(at, _)| *at == name)
        && !HELD.swap(true, Ordering::SeqCst)
        && std::fs::write(file, "").is_ok()
    {
        while Path::new(file).exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
