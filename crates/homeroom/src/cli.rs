//! The command line as types: only shapes, no behaviour.
#![allow(rustdoc::bare_urls, reason = "the doc comments here are help texts")]

use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Self-hosted School Data Sync that speaks Microsoft Graph's industryData API
#[derive(Debug, Parser)]
#[command(name = "homeroom", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole product at work on an invented school district
    Demo(Demo),
    /// Serve the API
    Serve(Serve),
    /// Make and list tenants (one tenant is one school or district)
    #[command(subcommand)]
    Tenant(Tenant),
    /// Make, list and delete API clients
    #[command(subcommand)]
    App(App),
    /// Print a bearer token for an API client
    Token(Token),
    /// Check the files of an export: every row, every reference; needs no server and no configuration
    Validate(Validate),
    /// Say what a run over a folder of files would do, and write nothing
    Plan(Plan),
    /// Make a roster of invented people: any size, any format, with daily changes and with defects
    #[command(long_about = GENERATE)]
    Generate(Generate),
    /// The places that exports are fetched from: show how they stand, add, remove and check them
    Sources(Sources),
    /// Look at runs, approve a run that a guard has stopped
    #[command(subcommand)]
    Runs(Runs),
}

const GENERATE: &str = "Make a roster of invented people: any size, any format, with daily changes and with defects

The same arguments make the same bytes. DIR holds the files of the set and nothing else; what was made and \
what must come of it stands in DIR.meta: dataset.json, with --day expected-changes.json (who came, left and \
moved, and which rows that adds, changes and removes), with --dirty expected-defects.json (every defect with the \
finding that must be reported: file, line, column, key and code).

A district for a test:               homeroom generate export --students 2000
The same, ten days later:            homeroom generate export --students 2000 --day 10
What a validator must find:          homeroom generate bad --students 2000 --dirty 0.001
A night's changes, as OneRoster:     homeroom generate delta --students 2000 --format oneroster-1.2 --day 10 --delta
A million enrollments and more:      homeroom generate large --students 150000 --zip large.zip";

impl Command {
    /// Log level when `HOMEROOM_LOG` does not say: a server tells what it does, other commands only what is wrong.
    pub(crate) fn log_default(&self) -> &'static str {
        match self {
            Self::Serve(_) => "info",
            _ => "warn",
        }
    }
}

/// Where the data and the settings are
#[expect(clippy::struct_field_names, reason = "the fields are the options, --data-dir is the contract")]
#[derive(Debug, Args, Clone)]
pub(crate) struct Data {
    /// Directory of the database and the files [default: the platform's data directory]
    #[arg(long, env = "HOMEROOM_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// PostgreSQL in place of the embedded SQLite
    #[arg(long, env = "HOMEROOM_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Settings, the same for the server and for commands beside it
    #[arg(long, env = "HOMEROOM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// How to print
#[derive(Debug, Args, Clone, Copy)]
pub(crate) struct Output {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `demo`
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Keep the data here [default: a temporary directory, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Stop after the show in place of serving on
    #[arg(long)]
    pub once: bool,
}

/// `serve`
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub data: Data,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Base of all absolute links, for example https://homeroom.contoso.example
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// TLS with this certificate chain (PEM); it is read again when the file changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// TLS with a certificate of a local authority, made once in the data directory
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    pub tls_self_signed: bool,
}

/// `tenant …`
#[derive(Debug, Subcommand)]
pub(crate) enum Tenant {
    /// Make a tenant
    Create {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
        /// Display name
        #[arg(long)]
        name: String,
        /// Id, a GUID [default: a new one]
        #[arg(long, value_name = "GUID")]
        id: Option<String>,
        /// Domain of its accounts, for example contoso.example
        #[arg(long)]
        domain: Option<String>,
    },
    /// List the tenants
    List {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
    },
}

/// `app …`
#[derive(Debug, Subcommand)]
pub(crate) enum App {
    /// Make an API client; its secret, when it has one, is shown this once
    #[command(group(clap::ArgGroup::new("granted").required(true).args(["permission", "all_permissions"])))]
    Create {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
        /// Tenant, by id or domain
        #[arg(long, value_name = "TENANT")]
        tenant: String,
        /// Display name
        #[arg(long)]
        name: String,
        /// An application permission, for example IndustryData-Run.Start; may be repeated
        #[arg(long, value_name = "NAME")]
        permission: Vec<String>,
        /// Every permission that Homeroom knows
        #[arg(long)]
        all_permissions: bool,
        /// PEM file of a certificate or public key to prove itself with, in place of a secret; may be repeated
        #[arg(long, value_name = "FILE")]
        certificate: Vec<PathBuf>,
        /// A secret as well
        #[arg(long, requires = "certificate")]
        with_secret: bool,
    },
    /// List the API clients of a tenant
    List {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
        /// Tenant, by id or domain
        #[arg(long, value_name = "TENANT")]
        tenant: String,
    },
    /// Delete an API client; its tokens stop working
    Delete {
        #[command(flatten)]
        data: Data,
        /// Tenant, by id or domain
        #[arg(long, value_name = "TENANT")]
        tenant: String,
        /// Client id
        #[arg(long, value_name = "GUID")]
        client_id: String,
    },
}

/// `token`
#[derive(Debug, Args)]
#[command(subcommand_negates_reqs = true)]
pub(crate) struct Token {
    #[command(flatten)]
    pub data: Data,
    #[command(flatten)]
    pub output: Output,
    /// Tenant, by id or domain
    #[arg(long, value_name = "TENANT", required = true)]
    pub tenant: Option<String>,
    /// Client id
    #[arg(long, value_name = "ID", required = true)]
    pub client_id: Option<String>,
    /// Client secret
    #[arg(long, env = "HOMEROOM_CLIENT_SECRET", hide_env_values = true, allow_hyphen_values = true, required = true)]
    pub client_secret: Option<String>,
    #[command(subcommand)]
    pub device: Option<Device>,
}

/// `token …`
#[derive(Debug, Subcommand)]
pub(crate) enum Device {
    /// Approve the device code that a program shows: it gets a token with the permissions it asks for
    Approve {
        #[command(flatten)]
        data: Data,
        /// The code, for example BCDF-GHJK
        code: String,
        /// Who approves, for the token and the audit log
        #[arg(long = "as", value_name = "NAME", default_value = "administrator")]
        approver: String,
        /// Decline in place of approving
        #[arg(long, conflicts_with = "approver")]
        decline: bool,
    },
}

/// `validate`
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// Folder of the export's files, zip archives among them; one zip archive; one file; or - for a file from a pipe.
    /// In one file by itself everything is checked but its references to other files
    pub path: PathBuf,
    /// With a package of changes (OneRoster delta): folder or zip archive of the set that they are for. Checked is the
    /// set that both make; without it, what can be told from the changes alone
    #[arg(long, value_name = "PATH")]
    pub base: Option<PathBuf>,
    /// Which file it is that comes from a pipe or has another name, for example users.csv
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Format of the files
    #[arg(long, default_value = "auto", value_name = "FORMAT", value_parser = ["auto", "sds-v2.1", "sds-v1", "oneroster-1.1", "oneroster-1.2"])]
    pub format: String,
    /// Encoding of files that are neither UTF-8 nor UTF-16, for example windows-1252
    #[arg(long, value_name = "LABEL")]
    pub encoding: Option<String>,
    /// Write the findings to a file: all of them to .csv or .jsonl (one object a line), a page with the first 500 of each kind to .html; may be repeated
    #[arg(long, value_name = "FILE")]
    pub report: Vec<PathBuf>,
    /// Findings that --json lists; counts, .csv and .jsonl are always complete
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub max_findings: usize,
    #[command(flatten)]
    pub output: Output,
}

/// `plan`
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Folder of the export's files, zip archives among them, or one zip archive
    pub path: PathBuf,
    #[command(flatten)]
    pub of: RunsOf,
    /// The inbound flow that the files are for [default: the only one that is active]
    #[arg(long, value_name = "ID")]
    pub flow: Option<String>,
}

/// `generate`
#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Folder of the set; made when it is not there, and refused when it holds other files
    pub dir: PathBuf,
    /// Students on day 0; all else follows from it, some ten rows for each
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(i64::from(roster::generate::STUDENTS_MIN)..=i64::from(roster::generate::STUDENTS_MAX)))]
    pub students: u32,
    /// Format of the files
    #[arg(long, default_value = "sds-v2.1", value_name = "FORMAT", value_parser = ["sds-v2.1", "sds-v1", "oneroster-1.1", "oneroster-1.2"])]
    pub format: String,
    /// Any text; another one makes other people
    #[arg(long, default_value = "1", value_name = "S")]
    pub seed: String,
    /// Days of joiners, leavers, movers, changes of names and of teachers since day 0
    #[arg(long, default_value_t = 0, value_name = "K")]
    pub day: u32,
    /// Share of the rows of each file that get a defect, for each kind of defect; at most 0.05
    #[arg(long, default_value_t = 0.0, value_name = "RATE")]
    pub dirty: f64,
    /// Only what has changed since the day before (OneRoster, from day 1 on)
    #[arg(long)]
    pub delta: bool,
    /// Pack the files into this archive too
    #[arg(long, value_name = "FILE")]
    pub zip: Option<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

/// `sources …`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Sources {
    #[command(flatten)]
    pub list: ListSources,
    #[command(subcommand)]
    pub command: Option<SourceCommand>,
}

/// `sources list`
#[derive(Debug, Args)]
pub(crate) struct ListSources {
    #[command(flatten)]
    pub data: Data,
    #[command(flatten)]
    pub output: Output,
}

/// `sources …`
#[derive(Debug, Subcommand)]
pub(crate) enum SourceCommand {
    /// Show all of them, when they were looked at, when an export was fetched and what is wrong there
    List(ListSources),
    /// Keep the sources of a file in the store, in place of those of the same names; a running server takes them up
    Add {
        #[command(flatten)]
        data: Data,
        /// TOML with `[[sources]]`, as in homeroom.toml; what key_file, passphrase_file and password_file name is kept, too
        file: PathBuf,
    },
    /// Forget a source that is kept in the store
    Remove {
        #[command(flatten)]
        data: Data,
        /// Its tenant, by id or domain
        #[arg(long, value_name = "TENANT")]
        tenant: String,
        /// Its name
        name: String,
    },
    /// Look at the places now, fetch nothing, and say what is wrong; exit code 1 when anything is
    Check {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        output: Output,
        /// Only those of this name
        name: Option<String>,
    },
}

/// `runs …`
#[derive(Debug, Subcommand)]
pub(crate) enum Runs {
    /// List the runs of a tenant, newest first
    List(RunsOf),
    /// Show one run: status, what stopped it, what was read and written, findings by code
    Show(OneRun),
    /// Let a run that a guard has stopped go on
    Approve(OneRun),
    /// Print the findings of a run, one a line; with --json as JSON lines
    Log(Log),
}

/// `runs log`
#[derive(Debug, Args)]
pub(crate) struct Log {
    #[command(flatten)]
    pub one: OneRun,
    /// Write them to a file instead: .csv, .jsonl (one object a line), or .html with the first 500 of each kind; may be repeated
    #[arg(long, value_name = "FILE")]
    pub report: Vec<PathBuf>,
}

/// Runs of a tenant
#[derive(Debug, Args)]
pub(crate) struct RunsOf {
    #[command(flatten)]
    pub data: Data,
    #[command(flatten)]
    pub output: Output,
    /// Tenant, by id or domain [default: the only tenant]
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
}

/// One run
#[derive(Debug, Args)]
pub(crate) struct OneRun {
    #[command(flatten)]
    pub of: RunsOf,
    /// Run id; `latest` is the newest run, to look at
    pub id: String,
}
