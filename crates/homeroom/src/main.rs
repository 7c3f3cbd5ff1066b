//! `homeroom`: the command line of a self-hosted School Data Sync.
//!
//! Data goes to stdout, everything else to stderr. Exit codes: 0 good, 1 the work was done and
//! found errors, 2 wrong usage, 3 could not do it, 130 interrupted.

mod cli;
mod commands;
mod demo;
mod output;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::Cli::parse();
    output::start_logging(arguments.command.log_default());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::fail(&format!("cannot start worker threads: {error}"), None, false),
    };
    match runtime.block_on(commands::run(arguments)) {
        Ok(commands::Ended::Good) => ExitCode::SUCCESS,
        Ok(commands::Ended::FoundErrors) => ExitCode::from(1),
        Err(failure) => output::fail(&failure.message, failure.hint.as_deref(), failure.usage),
    }
}
