//! `homeroom sources`

use super::{Failure, open};
use crate::{cli, output};
use serde_json::Value;

/// Shows how every place stands that exports are fetched from.
pub(super) async fn run(arguments: cli::Sources) -> Result<(), Failure> {
    let sources = open(&arguments.data)?.list_sources().await?;
    if arguments.output.json {
        output::json(&serde_json::to_value(sources).unwrap_or(Value::Null));
        return Ok(());
    }
    if sources.is_empty() {
        output::note("no places are set up; [[sources]] in homeroom.toml names them, see docs/sources.md");
    }
    let time = |at: Option<jiff::Timestamp>| at.map_or_else(|| "never".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string());
    let rows: Vec<Vec<String>> = sources
        .iter()
        .map(|source| {
            let problem = source.problem.as_deref().map(output::printable).unwrap_or_default();
            vec![source.name.clone(), output::printable(&source.place), time(source.looked_at), time(source.delivered_at), problem]
        })
        .collect();
    output::table(&["name", "place", "looked at", "fetched", "problem"], &rows);
    Ok(())
}
