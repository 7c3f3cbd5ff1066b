//! What each command does: arguments in, calls to the `server` crate, printing.

mod apps;
pub(crate) mod findings;
mod generate;
mod plan;
mod report;
mod runs;
mod scratch;
mod serve;
mod sources;
mod tenants;
mod validate;

use crate::cli::{Cli, Command, Data};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What went wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The command was used wrongly: exit code 2 in place of 3.
    pub usage: bool,
}

impl Failure {
    /// A failure without a hint.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, usage: false }
    }

    /// A failure with the remedy.
    pub(crate) fn hinting(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()), usage: false }
    }

    /// The same for a command that was used wrongly.
    pub(crate) fn usage(self) -> Self {
        Self { usage: true, ..self }
    }

    /// For `map_err` on I/O: "cannot …: reason".
    pub(crate) fn io(what: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |error| Self::new(format!("cannot {what}: {error}"))
    }
}

impl From<server::AdminError> for Failure {
    fn from(error: server::AdminError) -> Self {
        Self { message: error.to_string(), hint: error.hint(), usage: error.is_usage() }
    }
}

/// Runs one command.
pub(crate) async fn run(arguments: Cli) -> Result<Ended, Failure> {
    match arguments.command {
        Command::Generate(generate) => generate::run(&generate),
        Command::Validate(validate) => return validate::run(&validate),
        Command::Plan(plan) => return plan::run(plan).await,
        Command::Demo(demo) => crate::demo::run(demo).await,
        Command::Serve(serve) => serve::run(serve).await,
        Command::Tenant(tenant) => tenants::run(tenant).await,
        Command::App(app) => apps::run(app).await,
        Command::Token(token) => apps::token(token).await,
        Command::Sources(sources) => return sources::run(sources).await,
        Command::Runs(command) => runs::run(command).await,
    }
    .map(|()| Ended::Good)
}

/// How a command ended that could do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All is well: exit code 0.
    Good,
    /// The work was done and found errors: exit code 1.
    FoundErrors,
}

/// The settings that a command names.
pub(crate) fn config(data: &Data) -> Result<server::config::Config, Failure> {
    server::config::Config::load(data.config.as_deref()).map_err(unusable)
}

/// Settings that are refused.
fn unusable(error: String) -> Failure {
    Failure::hinting(format!("the settings cannot be used: {error}"), "every setting is described in docs/configuration.md")
}

/// Opens the data directory that a command names, making what is not there yet.
pub(crate) fn open_or_make(data: &Data) -> Result<server::App, Failure> {
    Ok(server::App::open(&data_dir(data)?, data.database_url.clone(), config(data)?)?)
}

/// Opens the data directory that a command names. One that is not there was most likely mistyped.
pub(crate) fn open(data: &Data) -> Result<server::App, Failure> {
    let dir = data_dir(data)?;
    if data.database_url.is_none() && !dir.join("homeroom.db").is_file() {
        return Err(Failure::hinting(
            format!("there are no data of Homeroom in {}", dir.display()),
            "name the directory with --data-dir or HOMEROOM_DATA_DIR; `homeroom tenant create` makes a new one",
        ));
    }
    open_or_make(data)
}

/// `--data-dir`, `HOMEROOM_DATA_DIR` or the platform's place.
pub(crate) fn data_dir(data: &Data) -> Result<PathBuf, Failure> {
    data.data_dir
        .clone()
        .or_else(|| dirs::data_dir().map(|dir| dir.join("homeroom")))
        .ok_or_else(|| Failure::hinting("no data directory is known on this machine", "name one with --data-dir or HOMEROOM_DATA_DIR"))
}

/// An address that cannot be listened on.
pub(crate) fn listen_failure(address: SocketAddr, error: &std::io::Error) -> Failure {
    let message = format!("cannot listen on {address}: {error}");
    if error.kind() == std::io::ErrorKind::AddrInUse {
        return Failure::hinting(message, "name another address, for example --listen 127.0.0.1:0 for any free port");
    }
    Failure::new(message)
}
