//! Pages of `docs/` that say what the code says. `HOMEROOM_BLESS=1` writes the generated ones anew.

use industry_data::permissions::{ALL_PERMISSIONS, Action, Resource, allowed};
use roster::{CATALOGUE, CatalogueEntry, CodeList, Codes, Finding, Format, Severity};
use std::fmt::Write as _;
use std::path::PathBuf;

#[path = "../../../roster/tests/it/examples.rs"]
mod examples;
mod formats;
#[path = "../../../roster/src/testing.rs"]
mod lists;

fn page(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)
}

fn is_current(name: &str, text: &str) {
    if std::env::var_os("HOMEROOM_BLESS").is_some() {
        std::fs::write(page(name), text).unwrap();
    }
    let there = std::fs::read_to_string(page(name)).unwrap_or_default();
    assert!(there == text, "docs/{name} is not what the code says; HOMEROOM_BLESS=1 writes it anew");
}

#[test]
fn the_page_of_findings_lists_the_catalogue() {
    let mut text = "# Findings\n\n\
        Every finding that the validator can report. This page is generated from the catalogue in the code; \
        [formats.md](formats.md) has the files, columns and values of each format.\n\n\
        **Catastrophic**: the run stops, nothing changes. **Error**: the record is dropped. **Warning**: the value is dropped, \
        or it is a remark. **Info**: nothing is dropped. A finding names file, line, column, key and value of the record; a \
        finding that follows from another one names it as its root. That goes for a row that cannot be read, too, as long as \
        its key can still be told. When it cannot, whatever refers to the row seems to refer to nothing: then the hint of such \
        a finding says how many rows of that file could not be read.\n\nReports and the terminal show a character that turns the \
        direction of writing, moves a cursor or ends a line by its number, as in `\\u{202e}`; JSON has it as `\\u202e`, so that \
        programs get the value as it is.\n\nThe examples are what the validator says about the smallest \
        export that has the fault: file, line, column, message and hint.\n"
        .to_owned();
    for severity in [Severity::Catastrophic, Severity::Error, Severity::Warning, Severity::Info] {
        let _ = writeln!(text, "\n## {}\n", title(severity.word()));
        let _ = writeln!(text, "| code | formats | reported when | example | what to do |\n| --- | --- | --- | --- | --- |");
        for entry in CATALOGUE.iter().filter(|entry| entry.severity == severity) {
            let row = [&format!("`{}`", entry.code), &formats(entry), entry.when, &example(entry), entry.remedy];
            let _ = writeln!(text, "| {} |", row.map(|cell| cell.replace('|', "\\|")).join(" | "));
        }
    }
    text.push_str(
        "\n## What stops a run\n\nA run that is stopped changes nothing. Its `blockingError` has one of these codes, that of a \
        catastrophic finding, or, when a OneRoster API could not be pulled, one of [oneroster-api.md](oneroster-api.md).\n\n| code | when | approval lets it go on |\n| --- | --- | --- |\n",
    );
    for stop in sync::STOPS {
        let _ = writeln!(text, "| `{}` | {} | {} |", stop.code, stop.when, if stop.approvable { "yes" } else { "no" });
    }
    is_current("findings.md", &text);
}

fn title(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

/// The formats in which a finding can occur.
fn formats(entry: &CatalogueEntry) -> String {
    if entry.formats.len() == Format::ALL.len() {
        return "all".to_owned();
    }
    entry.formats.iter().map(|format| format.title()).collect::<Vec<_>>().join(", ")
}

/// What the validator says about an export that has the fault, or why there is none.
fn example(entry: &CatalogueEntry) -> String {
    if let Some((_, why)) = examples::ONLY_IN_RUNS.iter().find(|(code, _)| *code == entry.code) {
        return format!("None here: {why}.");
    }
    let Finding { file, line, column, message, hint, .. } = examples::provoke(entry.code, &lists::codes());
    let mut place = file;
    if line > 0 {
        let _ = write!(place, ":{line}");
    }
    if let Some(column) = column {
        let _ = write!(place, ", {column}");
    }
    let place = if place.is_empty() { String::new() } else { format!("`{place}`: ") };
    format!("{place}{message}{}", hint.map(|hint| format!(" *{hint}*")).unwrap_or_default())
}

#[test]
fn the_page_of_permissions_lists_who_may_do_what() {
    let resources = [
        ("sourceSystems", Resource::SourceSystems),
        ("dataConnectors", Resource::DataConnectors),
        ("years", Resource::Years),
        ("inboundFlows", Resource::InboundFlows),
        ("outboundProvisioningFlowSets, their provisioningFlows, securityGroupProvisioningFlow", Resource::OutboundFlows),
        ("runs, activities, getStatistics", Resource::Runs),
        ("operations", Resource::Operations),
        ("referenceDefinitions", Resource::ReferenceDefinitions),
        ("roleGroups", Resource::RoleGroups),
        ("users", Resource::Users),
        ("groups", Resource::Groups),
        ("members of groups, memberOf", Resource::GroupMembers),
    ];
    let names = |list: &[&str]| {
        let list: Vec<String> = list.iter().map(|name| format!("`{name}`")).collect();
        if list.is_empty() { "–".to_owned() } else { list.join(", ") }
    };
    let mut text = "# Permissions\n\n\
        What an API client needs, by resource. One of the permissions of a cell is enough; the least privileged stands first. \
        The names are Microsoft Graph's. This page is generated from the code.\n\n\
        | resource | list | read one | create, change, delete |\n| --- | --- | --- | --- |\n"
        .to_owned();
    for (name, resource) in resources {
        let cells = [Action::List, Action::Read, Action::Write].map(|action| names(allowed(resource, action)));
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
    let _ = writeln!(text, "\n| call | one of |\n| --- | --- |");
    let _ =
        writeln!(text, "| `dataConnectors/{{id}}/…/getUploadSession`, `validate` | {} |", names(allowed(Resource::Upload, Action::Write)));
    let _ = writeln!(text, "| `runs/start` | {} |", names(allowed(Resource::Runs, Action::Start)));
    let _ = writeln!(text, "\n## All permissions\n\n| name | id of the application role in Microsoft Graph |\n| --- | --- |");
    for permission in ALL_PERMISSIONS {
        let _ = writeln!(text, "| `{}` | {} |", permission.name, permission.role_id.unwrap_or("not published"));
    }
    is_current("permissions.md", &text);
}

#[test]
fn the_page_of_settings_names_each_with_its_default() {
    let text = std::fs::read_to_string(page("configuration.md")).unwrap();
    let defaults = serde_json::to_value(server::config::Config::default()).unwrap();
    let issuer = serde_json::to_value(server::config::Issuer::default()).unwrap();
    for (section, settings) in defaults.as_object().unwrap() {
        // Tables that may be there several times are documented by what one of them has.
        let (section, settings) = match settings.as_object() {
            Some(settings) => (section.clone(), settings),
            // Sources have a page of their own.
            None if section == "sources" => continue,
            None => (format!("[{section}]"), issuer.as_object().unwrap()),
        };
        for (key, default) in settings {
            let row = format!("| `[{section}]` `{key}` | ");
            let row = text.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("no row of [{section}] {key}"));
            let shown = if default.is_null() || default == "" || default == &serde_json::json!([]) {
                "none".to_owned()
            } else {
                format!("`{default}`")
            };
            assert!(row.contains(&format!("| {shown} |")), "the default of [{section}] {key} is {shown}: {row}");
        }
    }
}

/// The commands of a page, in order.
fn commands(name: &str) -> String {
    let text = std::fs::read_to_string(page(name)).unwrap();
    text.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block).collect()
}

#[test]
fn the_commands_of_the_first_run_work_as_they_stand() {
    let dir = tempfile::tempdir().unwrap();
    // A port of its own, which nobody listens on any more when the script does.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_homeroom"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let script = format!("set -euo pipefail\ntrap 'kill $(jobs -p)' EXIT\n{}", commands("first-run.md").replace("8080", &port));
    let output = std::process::Command::new("bash").args(["-c", &script]).current_dir(dir.path()).env("PATH", path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for wanted in ["All Students", "Students - South School", "Staff - North School", "completed"] {
        assert!(text.contains(wanted), "'{wanted}' is missing in\n{text}");
    }
}
