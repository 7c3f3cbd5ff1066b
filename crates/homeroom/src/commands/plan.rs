//! `homeroom plan`

use super::runs::open_tenant;
use super::{Ended, Failure};
use crate::cli;
use crate::output::{self, Colour};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Findings shown one by one; `--json` gives all.
const SHOWN: usize = 10;

/// Plans a run over a folder and says what it would do.
pub(super) async fn run(arguments: cli::Plan) -> Result<Ended, Failure> {
    let (app, tenant) = open_tenant(&arguments.of).await?;
    let plan = app.plan(tenant, &arguments.path, arguments.flow.as_deref()).await?;
    if arguments.of.output.json {
        output::json(&json!(plan));
    } else {
        show(&plan);
    }
    let errors = plan.findings.iter().any(|finding| finding["severity"] != "warning");
    Ok(if plan.blocked.is_some() || errors { Ended::FoundErrors } else { Ended::Good })
}

fn show(plan: &server::Plan) {
    let mut by_severity: BTreeMap<&str, u64> = BTreeMap::new();
    for finding in &plan.findings {
        *by_severity.entry(finding["severity"].as_str().unwrap_or_default()).or_default() += 1;
    }
    let counts: Vec<String> = by_severity.iter().map(|(severity, count)| format!("{count} {severity}")).collect();
    output::line(&format!("findings: {}", if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }));
    let mut roots: Vec<&Value> = plan.findings.iter().filter(|finding| finding["rootCause"].is_null()).collect();
    roots.sort_by_key(|finding| roster::listing_rank(finding["code"].as_str().unwrap_or_default()));
    for finding in roots.iter().take(SHOWN) {
        let text = |name: &str| finding[name].as_str().unwrap_or_default();
        output::line(&format!("  {:<12} {}:{}  {}", text("severity"), text("file"), finding["line"], output::printable(text("message"))));
    }
    if roots.len() > SHOWN {
        output::line(&format!("  … and {} more; --json lists them all", roots.len() - SHOWN));
    }
    if let Some(summary) = &plan.summary {
        if plan.groups.is_empty() {
            output::line("a run would change nothing");
        } else {
            let rows: Vec<Vec<String>> = plan
                .groups
                .iter()
                .map(|group| {
                    let made = if group.created { output::coloured("new", Colour::Yellow) } else { String::new() };
                    vec![output::printable(&group.display_name), group.added.len().to_string(), group.removed.len().to_string(), made]
                })
                .collect();
            output::table(&["group", "added", "removed", ""], &rows);
        }
        if !plan.groups.is_empty() {
            output::line(&output::coloured("  --json names everybody who would come in or go", Colour::Dim));
        }
        output::line(&format!(
            "groups: {} made, {} renamed; memberships: {} added, {} removed",
            summary.create_groups, summary.rename_groups, summary.add_members, summary.remove_members
        ));
    }
    let unmatched = &plan.statistics.get("inboundTotals").map_or(&Value::Null, |totals| &totals["unmatchedPeopleByRole"]);
    for role in unmatched.as_array().map_or(&[][..], Vec::as_slice) {
        output::line(&format!("without an account: {} {}", role["count"], role["role"].as_str().unwrap_or_default()));
    }
    if let Some(blocked) = &plan.blocked {
        output::line(&format!("{} {}: {}", output::coloured("a run would stop:", Colour::Red), blocked.code, blocked.message));
    }
}
