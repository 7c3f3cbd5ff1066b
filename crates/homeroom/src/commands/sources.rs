//! `homeroom sources …`

use super::{Ended, Failure, open};
use crate::{cli, output};
use serde_json::{Value, json};
use server::{AdminError, ExportFound, SourceStatus};
use std::path::Path;

/// Runs one of the commands.
pub(super) async fn run(arguments: cli::Sources) -> Result<Ended, Failure> {
    match arguments.command.unwrap_or(cli::SourceCommand::List(arguments.list)) {
        cli::SourceCommand::List(cli::ListSources { data, output }) => list(&data, output).await,
        cli::SourceCommand::Add { data, file } => add(&data, &file).await,
        cli::SourceCommand::Remove { data, tenant, name } => {
            let goes_on = open(&data)?.remove_source(&tenant, &name).await?;
            let now = if goes_on { "was removed; the one of homeroom.toml goes on" } else { "is not looked at any more" };
            output::note(&format!("'{}' {now}", output::printable(&name)));
            Ok(Ended::Good)
        }
        cli::SourceCommand::Check { data, output, name } => check(&data, output, name.as_deref()).await,
    }
}

async fn list(data: &cli::Data, output: cli::Output) -> Result<Ended, Failure> {
    let sources = open(data)?.list_sources().await?;
    if output.json {
        output::json(&serde_json::to_value(sources).unwrap_or(Value::Null));
        return Ok(Ended::Good);
    }
    if sources.is_empty() {
        output::note("no places are set up; [[sources]] in homeroom.toml names them, or `homeroom sources add`, see docs/sources.md");
    }
    note_without_settings(data);
    let time = |at: Option<jiff::Timestamp>| at.map_or_else(|| "never".to_owned(), output::time);
    let row = |source: &SourceStatus| {
        let problem = source.problem.as_deref().map(output::printable).unwrap_or_default();
        let [name, tenant, place] = [&source.name, tenant(source), &source.place].map(|text| output::printable(text));
        let set_up = if source.set_up_by == "api" { "`sources add` or API" } else { source.set_up_by };
        vec![name, tenant, place, set_up.to_owned(), time(source.looked_at), time(source.delivered_at), problem]
    };
    let rows: Vec<_> = sources.iter().map(row).collect();
    output::table(&["name", "tenant", "place", "set up by", "looked at", "fetched", "problem"], &rows);
    Ok(Ended::Good)
}

/// What people call the tenant of a source; where there is no such tenant, what the source calls it.
fn tenant(source: &SourceStatus) -> &String {
    source.tenant_name.as_ref().unwrap_or(&source.tenant)
}

/// A command without settings sees neither the sources nor the open folders that the server may know.
const WITHOUT_SETTINGS: &str = "no --config was given (nor HOMEROOM_CONFIG), so no homeroom.toml was read";

fn note_without_settings(data: &cli::Data) {
    if data.config.is_none() {
        output::note(&format!("{WITHOUT_SETTINGS}: its [[sources]] are not among these"));
    }
}

/// The error of something that the settings say, when they may not have been read.
fn without_settings(data: &cli::Data, error: AdminError) -> Failure {
    let Failure { message, hint, usage } = error.into();
    let remarks = hint.into_iter().chain(data.config.is_none().then(|| WITHOUT_SETTINGS.to_owned()));
    Failure { message, hint: Some(remarks.collect::<Vec<_>>().join("; ")).filter(|hint| !hint.is_empty()), usage }
}

/// One after the other: what was said to be kept is kept when a later one is refused.
async fn add(data: &cli::Data, file: &Path) -> Result<Ended, Failure> {
    let sources = server::config::read_sources(file).map_err(|why| Failure::new(why).usage())?;
    let app = open(data)?;
    for source in sources {
        let name = output::printable(&source.name);
        let new = app.put_source(source).await.map_err(|error| match error.hint() {
            Some(hint) if hint.contains("[intake] folders") => without_settings(data, error),
            _ => error.into(),
        })?;
        output::note(&format!("'{name}' {}", if new { "is looked at from now on" } else { "was changed" }));
    }
    Ok(Ended::Good)
}

async fn check(data: &cli::Data, output: cli::Output, name: Option<&str>) -> Result<Ended, Failure> {
    let checked = open(data)?.check_sources(name).await.map_err(|error| without_settings(data, error))?;
    let all_good = checked.iter().all(|(_, outcome)| outcome.is_ok());
    if output.json {
        let one = |(status, outcome): &(SourceStatus, Result<ExportFound, String>)| {
            let found = outcome.as_ref().ok();
            json!({ "name": status.name, "tenant": status.tenant, "place": status.place, "files": found.map(|found| found.files),
                    "validating": found.is_some_and(|found| found.validating), "problem": outcome.as_ref().err() })
        };
        output::json(&checked.iter().map(one).collect());
    } else {
        let row = |(status, outcome): &(SourceStatus, Result<ExportFound, String>)| {
            let found = match outcome {
                Ok(ExportFound { files, validating }) => {
                    let files = if *files == 1 { "1 file".to_owned() } else { format!("{files} files") };
                    if *validating { format!("{files}, being validated") } else { format!("good, {files}") }
                }
                Err(problem) => output::printable(problem),
            };
            vec![output::printable(&status.name), output::printable(tenant(status)), output::printable(&status.place), found]
        };
        note_without_settings(data);
        output::table(&["name", "tenant", "place", "found"], &checked.iter().map(row).collect::<Vec<_>>());
    }
    Ok(if all_good { Ended::Good } else { Ended::FoundErrors })
}
