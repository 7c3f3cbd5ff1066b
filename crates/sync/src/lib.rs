//! From a roster to what a directory should be: matching, history, plan, guard, statistics, and the
//! run that walks through them as a state machine over ports.
//!
//! Each step reads files and results of the steps before it and writes its own, so that a run can
//! be stopped anywhere and taken up again.

mod guard;
mod history;
mod matching;
mod plan;
mod run;
mod spec;
mod statistics;
mod success;
#[cfg(test)]
mod testing;

pub use guard::{Blocked, Guard, STOPS, Stop};
pub use plan::{PlanSummary, mail_nickname};
pub use run::{FAILPOINTS, Outcome, Preview, Pull, RunError, RunPorts, Step, advance, preview};
pub use spec::{
    ChangesCounts, ChangesReport, InboundSpec, MatchRule, MatchTarget, Naming, PreviousRun, RoleGroup, RunSpec, SecurityFlow, SourceFile,
    SourceIdentifier,
};
pub use statistics::failed as failed_statistics;
