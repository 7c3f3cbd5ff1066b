//! A whole roster, or what has changed in it: from the API to a package of files.

use crate::api::Api;
use crate::collection::{CONTACT_ROLES, Collection};
use crate::connection::{Connection, Surroundings, Version, web_url};
use crate::fault::{Fault, FaultCode};
use crate::files::Package;
use crate::page::{Note, Page, Reading};
use crate::paging::{Query, Seen, WalkError, Walked, walk};
use jiff::Timestamp;
use std::io;
use std::path::Path;

/// Notes that are kept word for word; the others are counted.
const NOTES_MAX: usize = 1_000;

/// What to pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything that is active.
    Full,
    /// What was changed or deleted after an instant, on the provider's clock. A provider that does not look
    /// at filters sends everything, which does no harm. In 1.2, roles and profiles of a user who is among the
    /// changes are all that the user has; those who are not named have none any more.
    Since(Timestamp),
}

/// Where a pull is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being read.
    pub collection: Collection,
    /// Records that have come.
    pub records: u64,
    /// Of how many, when the provider says.
    pub total: Option<u64>,
}

/// A file of the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulledFile {
    /// Name.
    pub name: String,
    /// Rows, without the header.
    pub rows: u64,
}

/// What a pull has brought.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Files, the manifest not among them.
    pub files: Vec<PulledFile>,
    /// Records that were sent and are no part of what is asked for: deleted ones, and contacts where
    /// those are switched off.
    pub left_out: u64,
    /// Values that could not be taken over as they are; the first thousand.
    pub notes: Vec<Note>,
    /// How many there are in all.
    pub notes_total: u64,
    /// Collections that the provider does not have.
    pub missing: Vec<Collection>,
    /// Ids of the organizations.
    pub organizations: Vec<String>,
    /// The provider's own clock before its first page: what is changed later may not be in these files.
    /// `None` when it does not say.
    pub provider_time: Option<Timestamp>,
}

/// Why there are no files.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The provider, or how it is configured.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// This machine's disk.
    #[error("the files of a pull cannot be written")]
    Io(#[from] io::Error),
}

impl From<WalkError> for PullError {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Fault(fault) => Self::Fault(fault),
            WalkError::Io(error) => Self::Io(error),
        }
    }
}

/// Pulls into a folder, which appears whole when everything is there, durable, and not at all
/// otherwise. `into` must not exist; beside it, folders of its name that end in `.part` are used, and
/// cleared of what interrupted pulls have left.
///
/// Dropping the future stops the pull.
///
/// # Errors
/// [`PullError::Fault`] says what is wrong at the provider; nothing of the pull is left then.
pub async fn pull(
    connection: &Connection,
    surroundings: &Surroundings,
    mode: Mode,
    into: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, PullError> {
    clear_beside(into)?;
    let api = Api::open(connection, surroundings).await?;
    // A name of its own: another process that was declared dead may still write the same pull.
    let part = into.with_file_name(format!("{}.{}.part", name(into), (surroundings.nonce)()));
    std::fs::create_dir_all(&part)?;
    let mut pull = Pull {
        api,
        connection,
        mode,
        package: Package::new(&part, connection.version, connection.switches),
        report: Report::default(),
        progress,
    };
    let outcome = pull.everything().await.and_then(|report| {
        place(&part, into)?;
        Ok(report)
    });
    if outcome.is_err() {
        remove(&part)?;
    }
    outcome
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn clear_beside(into: &Path) -> io::Result<()> {
    let (parent, begin) = (into.parent().filter(|parent| parent.is_dir()), format!("{}.", name(into)));
    for entry in parent.map(std::fs::read_dir).transpose()?.into_iter().flatten() {
        let path = entry?.path();
        if name(&path).starts_with(&begin) && path.extension().is_some_and(|extension| extension == "part") {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives the finished folder its name. The names in both folders have to be durable, too.
fn place(part: &Path, into: &Path) -> io::Result<()> {
    let sync = |folder: &Path| if cfg!(unix) { std::fs::File::open(folder)?.sync_all() } else { Ok(()) };
    sync(part)?;
    std::fs::rename(part, into)?;
    into.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), sync)
}

struct Pull<'p> {
    api: Api,
    connection: &'p Connection,
    mode: Mode,
    package: Package,
    report: Report,
    progress: &'p mut dyn FnMut(Progress),
}

impl Pull<'_> {
    async fn everything(&mut self) -> Result<Report, PullError> {
        for collection in Collection::ALL.into_iter().filter(|collection| collection.is_wanted(self.connection.switches)) {
            match self.collection(collection).await {
                // Data may have changed between two pages; from the start, once.
                Err(PullError::Fault(fault)) if matches!(fault.code, FaultCode::PagesInconsistent | FaultCode::AnswerIncomplete) => {
                    tracing::info!(collection = collection.name(), why = %fault.what, "a collection is read once more from the start");
                    self.collection(collection).await?;
                }
                outcome => outcome?,
            }
        }
        let source = web_url("baseUrl", &self.connection.base_url)?.host_str().unwrap_or_default().to_owned();
        self.package.finish(if self.mode == Mode::Full { "bulk" } else { "delta" }, &source)?;
        self.report.files = self.package.rows().map(|(name, rows)| PulledFile { name, rows }).collect();
        self.report.provider_time = self.api.provider_time();
        Ok(std::mem::take(&mut self.report))
    }

    async fn collection(&mut self, collection: Collection) -> Result<(), PullError> {
        let before = self.report.clone();
        let outcome = self.attempt(collection).await;
        if outcome.is_err() {
            // What it has counted does not count.
            self.report = before;
        }
        outcome
    }

    async fn attempt(&mut self, collection: Collection) -> Result<(), PullError> {
        let full = self.mode == Mode::Full;
        let Connection { version, switches, .. } = *self.connection;
        let reading = Reading { collection, version, switches, delta: !full };
        let filter = match self.mode {
            Mode::Full => "status='active'".to_owned(),
            Mode::Since(instant) => format!("dateLastModified>'{}'", milliseconds(instant)),
        };
        self.package.begin(collection)?;
        let mut seen = Seen::default();
        let (walked, kept) = self.walk(&Query { reading, filter }, &mut seen, None).await?;
        if walked == Walked::Missing {
            self.report.missing.push(collection);
            return Ok(self.package.end(collection, false)?);
        }
        if full && kept == 0 && matches!(collection, Collection::Orgs | Collection::Users) {
            let fault = Fault::new(FaultCode::CollectionEmpty, collection.name(), "there is not one active record in it");
            return Err(fault.into());
        }
        if collection == Collection::Users && switches.contacts && version == Version::V1p1 {
            self.contacts(reading, seen).await?;
        }
        Ok(self.package.end(collection, full)?)
    }

    /// Contacts are users, and most providers give them with all the others; some only when they are
    /// asked for by role, as School Data Sync does. In 1.2 a role is no member that can be filtered by.
    async fn contacts(&mut self, reading: Reading, mut known: Seen) -> Result<(), PullError> {
        for role in CONTACT_ROLES {
            let filter = match self.mode {
                Mode::Full => format!("role='{role}'"),
                Mode::Since(instant) => format!("role='{role}' AND dateLastModified>'{}'", milliseconds(instant)),
            };
            let mut seen = Seen::default();
            self.walk(&Query { reading, filter }, &mut seen, Some(&known)).await?;
            known.merge(seen);
        }
        Ok(())
    }

    /// Walks over a collection, writes its records but those that are known already, and counts them.
    async fn walk(&mut self, query: &Query, seen: &mut Seen, known: Option<&Seen>) -> Result<(Walked, u64), PullError> {
        let Self { api, package, report, progress, .. } = self;
        let collection = query.reading.collection;
        let (mut kept, mut records, mut strangers) = (0, 0, 0_u64);
        let mut on_page = |page: Page, total: Option<u64>| {
            for record in &page.records {
                records += 1;
                strangers += u64::from(record.other_version);
                if record.left_out {
                    report.left_out += 1;
                } else if !known.is_some_and(|known| known.has(&record.sourced_id)) {
                    package.write(record)?;
                    kept += 1;
                    if collection == Collection::Orgs {
                        report.organizations.push(record.sourced_id.clone());
                    }
                }
            }
            report.notes_total += page.notes.len() as u64;
            let room = NOTES_MAX.saturating_sub(report.notes.len());
            report.notes.extend(page.notes.into_iter().take(room));
            progress(Progress { collection, records, total });
            Ok(())
        };
        let walked = walk(api, query, seen, &mut on_page).await?;
        if strangers > 0 && strangers == records {
            return Err(other_version(query.reading.version).into());
        }
        Ok((walked, kept))
    }
}

/// Users say which version it is: by `role` (1.1) or `roles` (1.2).
pub(crate) fn other_version(configured: Version) -> Fault {
    let (has, other) = match configured {
        Version::V1p1 => ("roles", "1.2"),
        Version::V1p2 => ("role", "1.1"),
    };
    let what = format!("its records have '{has}', as in OneRoster {other}, and the connector is for {}", configured.as_str());
    Fault::new(FaultCode::VersionMismatch, "users", what)
}

/// `YYYY-MM-DDTHH:MM:SS.sssZ`, as OneRoster has it.
fn milliseconds(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
