//! `homeroom runs …`

use super::findings::{self, ByCode};
use super::report::Report;
use super::{Failure, open};
use crate::{cli, output};
use roster::report::Form;
use serde_json::Value;
use server::PlanSummary;
use std::io::Write;
use std::path::PathBuf;

/// Runs one of them.
pub(super) async fn run(command: cli::Runs) -> Result<(), Failure> {
    match command {
        cli::Runs::List(of) => list(of).await,
        cli::Runs::Show(one) => show(one).await,
        cli::Runs::Approve(one) => {
            let (app, tenant) = open_tenant(&one.of).await?;
            app.approve_run(tenant, &one.id).await?;
            output::note("approved; a running server goes on with it at once, else the next one that is started");
            Ok(())
        }
        cli::Runs::Log(cli::Log { one, report }) => {
            let reports = report.iter().map(|path| Report::create(path)).collect::<Result<Vec<_>, _>>()?;
            let (app, tenant, id) = open_run(&one).await?;
            let findings = app.findings(tenant, &id).await?;
            if reports.is_empty() && one.of.output.json {
                return output::write(|out| findings.write(Form::JsonLines, out)).map_err(Failure::io("read the findings"));
            }
            if reports.is_empty() {
                return print(&findings.logs);
            }
            reports.into_iter().try_for_each(|report| report.write(&findings))
        }
    }
}

/// The run that is to be looked at. What is approved is named by its id: nobody approves what they have not seen.
async fn open_run(one: &cli::OneRun) -> Result<(server::App, store::TenantId, String), Failure> {
    let (app, tenant) = open_tenant(&one.of).await?;
    if one.id != "latest" {
        return Ok((app, tenant, one.id.clone()));
    }
    let newest = app.list_runs(tenant).await?.first().and_then(|run| run["id"].as_str().map(str::to_owned));
    let id = newest.ok_or_else(|| Failure::new("there has been no run yet"))?;
    Ok((app, tenant, id))
}

/// One line a finding.
fn print(logs: &[PathBuf]) -> Result<(), Failure> {
    let mut is_empty = true;
    let lines = |out: &mut dyn Write| {
        findings::each(logs, |found| {
            is_empty = false;
            writeln!(out, "{}", found.line())
        })
    };
    output::write(lines).map_err(Failure::io("read the findings"))?;
    if is_empty {
        output::note("nothing was found");
    }
    Ok(())
}

async fn list(of: cli::RunsOf) -> Result<(), Failure> {
    let (app, tenant) = open_tenant(&of).await?;
    let runs = app.list_runs(tenant).await?;
    if of.output.json {
        output::json(&Value::Array(runs.into_iter().map(Value::Object).collect()));
        return Ok(());
    }
    let text = |run: &serde_json::Map<String, Value>, name: &str| run.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let why =
        |run: &serde_json::Map<String, Value>| run.get("blockingError").and_then(|e| e["code"].as_str()).unwrap_or_default().to_owned();
    let started = |run| text(run, "startDateTime").parse().map_or_else(|_| text(run, "startDateTime"), output::time);
    let row = |run| vec![text(run, "id"), started(run), text(run, "status"), why(run)];
    output::table(&["id", "started", "status", "stopped by"], &runs.iter().map(row).collect::<Vec<_>>());
    Ok(())
}

async fn show(one: cli::OneRun) -> Result<(), Failure> {
    let (app, tenant, id) = open_run(&one).await?;
    let mut shown = app.show_run(tenant, &id).await?;
    let by_code = ByCode::of(&app.findings(tenant, &id).await?.logs)?;
    if one.of.output.json {
        shown["findings"] = by_code.as_json();
        output::json(&shown);
        return Ok(());
    }
    let text = |value: &Value| value.as_str().unwrap_or("–").to_owned();
    let run = &shown["run"];
    output::line(&format!("{}  {}", text(&run["displayName"]), text(&run["status"])));
    output::line(&format!("from {} to {}", text(&run["startDateTime"]), text(&run["endDateTime"])));
    let error = &run["blockingError"];
    if !error.is_null() {
        output::line(&format!("{}: {}", text(&error["code"]), output::printable(&text(&error["message"]))));
    }
    if shown["waitsForApproval"] == true {
        output::line(&format!("waits for `homeroom runs approve {id}`, until the next run"));
    }
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for flow in list(&shown["inbound"]).iter().filter(|flow| flow["origin"].is_string()) {
        let how = if flow["pull"].is_string() { format!(", {}", text(&flow["pull"])) } else { String::new() };
        output::line(&format!(
            "{} from {}{}",
            output::printable(&text(&flow["flow"])),
            output::printable(&text(&flow["origin"])),
            output::printable(&how)
        ));
    }
    let activities = list(&shown["activities"]);
    let rows: Vec<_> = activities.iter().map(|a| vec![output::printable(&text(&a["displayName"])), text(&a["status"])]).collect();
    output::table(&["activity", "status"], &rows);
    let totals = &shown["statistics"]["inboundTotals"];
    if !totals.is_null() {
        let number = |name: &str| output::grouped(totals[name].as_u64().unwrap_or(0));
        output::line(&format!(
            "read from the export: {} organizations, {} people, {} classes, {} enrollments",
            number("organizations"),
            number("people"),
            number("groups"),
            number("memberships")
        ));
        show_unmatched(&totals["unmatchedPeopleByRole"]);
    }
    let steps = &shown["steps"];
    if !steps["plan"].is_null() {
        let summary = serde_json::from_value::<PlanSummary>(steps["plan"]["summary"].clone())
            .map_err(|error| Failure::new(format!("the plan of the run cannot be read: {error}")))?;
        let done = if steps["apply"].is_null() { "planned for the directory" } else { "written to the directory" };
        let refused = match steps["apply"]["refused"].as_u64() {
            None | Some(0) => String::new(),
            Some(n) => format!("; the directory refused {} of these", output::grouped(n)),
        };
        output::line(&format!("{done}: {}{refused}", effects(&summary)));
    }
    if !totals.is_null() {
        let [errors, warnings] = ["errors", "warnings"].map(|name| output::grouped(totals[name].as_u64().unwrap_or(0)));
        output::line(&format!("found: {errors} errors, {warnings} warnings"));
    }
    by_code.show();
    if !by_code.is_empty() {
        output::line(&format!("each of them: homeroom runs log {id}; --report FILE.html for a page"));
    }
    Ok(())
}

/// What a plan does to the directory.
pub(super) fn effects(summary: &PlanSummary) -> String {
    let [made, renamed, added, removed] =
        [summary.create_groups, summary.rename_groups, summary.add_members, summary.remove_members].map(output::grouped);
    format!("groups: {made} made, {renamed} renamed; memberships: {added} added, {removed} removed")
}

/// People without an account, by role: a list of `roleCount`.
pub(super) fn show_unmatched(roles: &Value) {
    for role in roles.as_array().map_or(&[][..], Vec::as_slice) {
        let count = output::grouped(role["count"].as_u64().unwrap_or(0));
        output::line(&format!("without an account: {count} {}", role["role"].as_str().unwrap_or_default()));
    }
}

/// The data directory and the tenant: the one named, or the only one there is.
pub(super) async fn open_tenant(of: &cli::RunsOf) -> Result<(server::App, store::TenantId), Failure> {
    let app = open(&of.data)?;
    let tenant = match &of.tenant {
        Some(named) => app.tenant(named).await?.id,
        None => match app.list_tenants().await?.as_slice() {
            [only] => only.id,
            [] => return Err(Failure::hinting("there is no tenant here", "make one with `homeroom tenant create --name …`")),
            several => {
                return Err(Failure::hinting(
                    format!("there are {} tenants here", several.len()),
                    "name one with --tenant; `homeroom tenant list` shows them",
                ));
            }
        },
    };
    Ok((app, tenant))
}
