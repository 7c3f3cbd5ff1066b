//! What came out of a run, read back over the API.

use super::ROOT;
use super::client::{Client, Credentials};
use crate::commands::findings;
use crate::output::{self, Colour};
use reqwest::Method;
use serde_json::Value;

/// People matched and not, counts, findings.
pub(super) async fn statistics(api: &Client, run: &str) -> Result<(), String> {
    let answer = api.call(Method::GET, &format!("{ROOT}/runs/{run}/getStatistics"), None, 200, "statistics").await?;
    let totals = &answer.body["inboundTotals"];
    let number = |name: &str| totals[name].as_i64().unwrap_or(0);
    output::line(&format!(
        "  {} organizations, {} people, {} classes, {} enrollments; {} errors, {} warnings in the data",
        number("organizations"),
        number("people"),
        number("groups"),
        number("memberships"),
        number("errors"),
        number("warnings"),
    ));
    let count = |list: &str, role: &str| {
        let entries = totals[list].as_array().map_or(&[][..], Vec::as_slice);
        entries.iter().find(|e| e["role"] == role).and_then(|e| e["count"].as_i64()).unwrap_or(0)
    };
    let mut roles: Vec<&str> = ["matchedPeopleByRole", "unmatchedPeopleByRole"]
        .iter()
        .filter_map(|list| totals[*list].as_array())
        .flatten()
        .filter_map(|e| e["role"].as_str())
        .collect();
    roles.sort_unstable();
    roles.dedup();
    let rows: Vec<Vec<String>> = roles
        .iter()
        .map(|role| {
            vec![(*role).to_owned(), count("matchedPeopleByRole", role).to_string(), count("unmatchedPeopleByRole", role).to_string()]
        })
        .collect();
    output::table(&["role", "matched", "unmatched"], &rows);
    Ok(())
}

/// The findings that stand for themselves. They are not in Graph's API: this is what `homeroom runs log` reads.
pub(super) async fn findings(app: &server::App, credentials: &Credentials, run: &str) -> Result<(), String> {
    let tenant = credentials.tenant.parse().map_err(|_| "the demo's tenant is no GUID")?;
    let mut rows = Vec::new();
    let mut consequences = 0;
    let logs = app.findings(tenant, run).await.map_err(|error| error.to_string())?.logs;
    let read = findings::each(&logs, |found| {
        if found.root_cause.is_some() {
            consequences += 1;
        } else {
            rows.push(vec![found.severity.clone(), found.place(), output::shortened(&output::printable(&found.message), 90)]);
        }
        Ok(())
    });
    read.map_err(|error| error.to_string())?;
    output::table(&["finding", "place", ""], &rows);
    output::line(&format!("  and {consequences} that follow from these; `homeroom runs log {run} --report FILE.html` gives them all"));
    Ok(())
}

/// All security groups with their member counts; those that are not in `before` are marked as new.
pub(super) async fn groups(api: &Client, before: &[String]) -> Result<(), String> {
    let answer = api.call(Method::GET, "/beta/groups?$select=id,displayName&$orderby=displayName", None, 200, "security groups").await?;
    let mut rows = Vec::new();
    for group in answer.body["value"].as_array().map_or(&[][..], Vec::as_slice) {
        let id = group["id"].as_str().unwrap_or_default();
        let members = api.send(Method::GET, &format!("/beta/groups/{id}/members?$count=true&$top=1&$select=id"), None).await?;
        let new = !before.is_empty() && !before.iter().any(|known| known == id);
        rows.push(vec![
            group["displayName"].as_str().unwrap_or_default().to_owned(),
            members.body["@odata.count"].to_string(),
            if new { output::coloured("new", Colour::Yellow) } else { String::new() },
        ]);
    }
    output::table(&["group", "members", ""], &rows);
    Ok(())
}

/// Ids of the groups that exist now.
pub(super) async fn group_ids(api: &Client) -> Result<Vec<String>, String> {
    let answer = api.send(Method::GET, "/beta/groups?$select=id", None).await?;
    let ids = answer.body["value"].as_array().map_or(&[][..], Vec::as_slice);
    Ok(ids.iter().filter_map(|g| g["id"].as_str().map(str::to_owned)).collect())
}

/// Pretty JSON, two spaces in.
pub(super) fn indented(value: &Value) {
    for line in format!("{value:#}").lines() {
        output::line(&format!("  {line}"));
    }
}
