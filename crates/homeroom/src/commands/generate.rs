//! `homeroom generate`

use super::Failure;
use crate::cli;
use crate::output;
use roster::generate::{Dataset, Format, GenerateError, Options, generate};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Makes a set and says what is in it.
pub(super) fn run(arguments: &cli::Generate) -> Result<(), Failure> {
    let format = Format::of_name(&arguments.format).ok_or_else(|| Failure::new("there is no such format").usage())?;
    let options = Options {
        format,
        students: arguments.students,
        seed: arguments.seed.clone(),
        day: arguments.day,
        dirty: arguments.dirty,
        delta: arguments.delta,
    };
    let started = Instant::now();
    let made = generate(&arguments.dir, &options).map_err(failure)?;
    let seconds = started.elapsed().as_secs_f64();
    let meta = beside(&arguments.dir)?;
    made.write_expectations(&meta).map_err(Failure::io("write what must come of the set"))?;
    if let Some(zip) = &arguments.zip {
        roster::archive::pack(&made.sources(&arguments.dir), zip).map_err(Failure::io("write the archive"))?;
    }
    if arguments.output.json {
        output::json(&as_json(&made));
    } else {
        show(&made, seconds);
        output::line(&format!("{}: what was made, and what must come of it", meta.display()));
    }
    Ok(())
}

/// The folder with `.meta` behind its name.
fn beside(dir: &Path) -> Result<PathBuf, Failure> {
    // `.` and `..` have no name of their own.
    let absolute = dir.canonicalize().map_err(Failure::io("find the folder"))?;
    let mut name = absolute.file_name().map(ToOwned::to_owned).ok_or_else(|| Failure::new("the root of the files cannot be a set"))?;
    name.push(".meta");
    Ok(match dir.file_name() {
        Some(_) => dir.with_file_name(name),
        None => absolute.with_file_name(name),
    })
}

fn failure(error: GenerateError) -> Failure {
    match error {
        GenerateError::Options(what) => Failure::hinting(what, "`homeroom generate --help` has examples").usage(),
        GenerateError::Occupied(..) => Failure::hinting(error.to_string(), "name an empty folder, or one that is not there yet"),
        GenerateError::Io(_) => Failure::new(server::error::chain(&error)),
    }
}

fn as_json(made: &Dataset) -> serde_json::Value {
    let mut value = serde_json::json!(made);
    value["rows"] = made.rows().into();
    value["events"] = made.events.len().into();
    value["defects"] = made.defects.len().into();
    value
}

fn show(made: &Dataset, seconds: f64) {
    let rows: Vec<Vec<String>> =
        made.files.iter().map(|file| vec![file.name.to_owned(), file.rows.to_string(), file.bytes.to_string()]).collect();
    output::table(&["file", "rows", "bytes"], &rows);
    output::line("");
    let counted = |count: usize, what: &str| if count == 0 { String::new() } else { format!(", {count} {what}") };
    let changes = counted(made.events.len(), "events of the day");
    let defects = counted(made.defects.len(), "defects");
    output::line(&format!("{} rows of {} in {seconds:.1} s{changes}{defects}", made.rows(), made.options.format.name()));
}
