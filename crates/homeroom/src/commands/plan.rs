//! `homeroom plan`

use super::findings::ByCode;
use super::runs::{effects, open_tenant, show_unmatched};
use super::{Ended, Failure, scratch};
use crate::cli;
use crate::output::{self, Colour};
use serde_json::Value;
use server::GroupChange;

/// Plans a run over a folder and says what it would do.
pub(super) async fn run(arguments: cli::Plan) -> Result<Ended, Failure> {
    let (app, tenant) = open_tenant(&arguments.of).await?;
    let work = scratch::folder()?;
    let plan = app.plan(tenant, &arguments.path, arguments.flow.as_deref(), work).await?;
    let by_code = ByCode::of(&plan.findings.logs)?;
    if arguments.of.output.json {
        output::write_json(&plan).map_err(Failure::io("write the plan"))?;
    } else {
        show(&plan, &by_code);
    }
    Ok(if plan.blocked.is_some() || by_code.has_errors() { Ended::FoundErrors } else { Ended::Good })
}

fn show(plan: &server::Plan, by_code: &ByCode) {
    // A run may be stopped by what is no finding about the files.
    if by_code.is_empty() && plan.blocked.is_none() {
        output::line("findings: none");
    }
    if !by_code.is_empty() {
        by_code.show();
        output::line("  --json lists each of them");
    }
    if let Some(summary) = &plan.summary {
        show_groups(&plan.groups);
        output::line(&effects(summary));
    }
    show_unmatched(plan.statistics.get("inboundTotals").map_or(&Value::Null, |totals| &totals["unmatchedPeopleByRole"]));
    if let Some(blocked) = &plan.blocked {
        let message = output::printable(&blocked.message);
        output::line(&format!("{} {}: {message}", output::coloured("a run would stop:", Colour::Red), blocked.code));
        let remedy = roster::remedy(&blocked.code);
        if !by_code.has(&blocked.code) && !remedy.is_empty() {
            output::line(&format!("  {remedy}"));
        }
    }
}

fn show_groups(groups: &[GroupChange]) {
    if groups.is_empty() {
        output::line("a run would change nothing");
        return;
    }
    let row = |group: &GroupChange| {
        let made = if group.created { output::coloured("new", Colour::Yellow) } else { String::new() };
        let count = |people: &[String]| output::grouped(people.len() as u64);
        vec![output::printable(&group.display_name), count(&group.added), count(&group.removed), made]
    };
    output::table(&["group", "added", "removed", ""], &groups.iter().map(row).collect::<Vec<_>>());
    output::line(&output::coloured("  --json names everybody who would come in or go", Colour::Dim));
}
