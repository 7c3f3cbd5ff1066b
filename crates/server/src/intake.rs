//! Exports that Homeroom fetches itself: the loop that looks at the place of each source, and hands what has come to
//! rest there over as an upload, to the same validation as every other.
//!
//! All that a look needs to know of the looks before it is one document, so that a server that was killed goes on where
//! it was, and of several servers on one database only one fetches.

use crate::app::App;
use crate::config::Source;
use crate::error::{AppError, chain};
use crate::graph::Data;
use crate::jobs::{self, object};
use crate::limits::LOOKS_MAX;
use crate::runs::{self, failpoint};
use crate::sources::{self, Watched};
use crate::worker;
use ::intake::{IntakeError, Listed, Place, fingerprint};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use store::{Access, OpContext, StoreError, TenantId, Tx};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use upload::Container;

/// What is known of each source, by its name.
const INTAKE: Access = Access::unchecked("_intake");
/// How often the sources are read anew: other servers, and commands beside this one, change them.
const RENEW: Duration = Duration::from_secs(10);
/// How often it is asked whether the server is to stop.
const TICK: Duration = Duration::from_millis(250);

/// What one look leaves for the next one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Known {
    /// Fingerprint of what lay there last, and since when it has been the same.
    seen: Option<String>,
    seen_since: Option<Timestamp>,
    /// Fingerprint of what was handed over last.
    delivered: Option<String>,
    delivered_at: Option<Timestamp>,
    /// The validation that has not ended yet.
    operation: Option<String>,
    /// Why what was handed over last was refused: as long as that lies there, it does not come to anything.
    refused: Option<String>,
    /// A run is to start as soon as one can.
    run_wanted: bool,
    /// When it was looked last, and what was wrong then.
    looked_at: Option<Timestamp>,
    problem: Option<String>,
    /// The look that has it now, and until when others leave it alone unless that gives a sign of life.
    claim: Option<String>,
    lease_until: Option<Timestamp>,
}

impl Known {
    /// Why an export was refused, if it is the one that was handed over last.
    fn refusal_of(&self, export: Option<&str>) -> Option<String> {
        self.refused.clone().filter(|_| export.is_some() && export == self.delivered.as_deref())
    }
}

/// How a source stands, for `homeroom sources`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// Its tenant, as it is named there: those of the store name it by its id.
    pub tenant: String,
    /// The domain of its tenant, or its name when it has none; `None` when there is no such tenant.
    pub tenant_name: Option<String>,
    /// Where it looks.
    pub place: String,
    /// Its connector.
    pub connector: String,
    /// Where it is defined: `homeroom.toml`, or `api` when it is kept in the store.
    pub set_up_by: &'static str,
    /// When it was looked last.
    pub looked_at: Option<Timestamp>,
    /// When an export was handed over last.
    pub delivered_at: Option<Timestamp>,
    /// What was wrong at the last look, or with the export that still lies there.
    pub problem: Option<String>,
}

/// What lies at the place of a source at which nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportFound {
    /// Number of its files.
    pub files: usize,
    /// Whether it has been fetched and is being validated: it may still be refused.
    pub validating: bool,
}

/// A source that is looked at.
struct Slot {
    watched: Watched,
    next: Instant,
    looking: bool,
}

/// Tenant, as the definition says, and name.
type Key = (String, String);

/// Looks at all sources until the server stops.
pub(crate) async fn watch(app: App) {
    let mut slots = HashMap::new();
    let mut looks = JoinSet::new();
    let turns = Arc::new(Semaphore::new(LOOKS_MAX));
    let mut renew_at = Instant::now();
    while !app.is_stopping() {
        let now = Instant::now();
        if app.take_sources_changed() || now >= renew_at {
            match sources::all(&app, None).await {
                Ok(all) => renew(&mut slots, all, now),
                Err(problem) => tracing::warn!(%problem, "the sources cannot be read; those that are known are looked at"),
            }
            renew_at = now + RENEW;
        }
        for (key, slot) in slots.iter_mut().filter(|(_, slot)| !slot.looking && now >= slot.next) {
            slot.looking = true;
            let (app, watched, key, turns) = (app.clone(), slot.watched.clone(), key.clone(), turns.clone());
            looks.spawn(async move {
                let _turn = turns.acquire().await;
                look(&app, &watched).await;
                key
            });
        }
        while let Some(ended) = looks.try_join_next() {
            match ended {
                Ok(key) => rest(&mut slots, &key),
                Err(error) => tracing::error!(error = %error, "a source is not looked at any more until the next start"),
            }
        }
        tokio::time::sleep(TICK).await;
    }
}

/// Takes over what has come and gone, and has a look at what has changed.
fn renew(slots: &mut HashMap<Key, Slot>, all: Vec<Watched>, now: Instant) {
    let key = |watched: &Watched| (watched.source.tenant.clone(), watched.source.name.clone());
    let all: HashMap<_, _> = all.into_iter().map(|watched| (key(&watched), watched)).collect();
    slots.retain(|key, _| all.contains_key(key));
    for (key, watched) in all {
        match slots.get_mut(&key) {
            Some(slot) if slot.watched == watched => {}
            Some(slot) => (slot.watched, slot.next) = (watched, now),
            None => {
                slots.insert(key, Slot { watched, next: now, looking: false });
            }
        }
    }
}

/// A look has ended: the next one comes after the pause.
fn rest(slots: &mut HashMap<Key, Slot>, key: &Key) {
    if let Some(slot) = slots.get_mut(key) {
        let every = Duration::from_secs(slot.watched.source.every_seconds.max(1).into());
        (slot.looking, slot.next) = (false, Instant::now() + every);
    }
}

/// How the sources of a tenant stand, or all of them.
pub(crate) async fn statuses(app: &App, of: Option<TenantId>) -> Result<Vec<(Watched, SourceStatus)>, String> {
    let mut all = Vec::new();
    for watched in sources::all(app, of).await? {
        let source = &watched.source;
        let known = if let Some(tenant) = watched.tenant {
            let name = source.name.clone();
            let read = app.store().read(&app.system(tenant), move |tx| known(tx, &name)).await;
            read.map_err(|error: StoreError| chain(&error))?
        } else {
            Known { problem: Some(sources::no_tenant(&source.tenant)), ..Known::default() }
        };
        let status = SourceStatus {
            name: source.name.clone(),
            tenant: source.tenant.clone(),
            tenant_name: watched.tenant_name.clone(),
            place: source.describe(),
            connector: source.connector.clone(),
            set_up_by: if watched.stored { "api" } else { "homeroom.toml" },
            looked_at: known.looked_at,
            delivered_at: known.delivered_at,
            problem: known.problem,
        };
        all.push((watched, status));
    }
    Ok(all)
}

/// One look. What goes wrong is remembered and said once; the next look may go better.
async fn look(app: &App, watched: &Watched) {
    let outcome = match watched.tenant {
        Some(tenant) => look_for(app, watched, &app.system(tenant)).await,
        None => Err(sources::no_tenant(&watched.source.tenant)),
    };
    if let Err(problem) = outcome {
        // Names, paths and what a server answers are not ours: in quotation marks they stay on their line.
        tracing::warn!(source.name = ?watched.source.name, ?problem, "a source could not be looked at");
    }
}

async fn look_for(app: &App, watched: &Watched, ctx: &OpContext) -> Result<(), String> {
    let (claiming, lease, id) = (watched.clone(), lease(app), app.new_id().to_string());
    let claimed = app.store().write(ctx, move |tx| claim(tx, &claiming, id, lease)).await.map_err(|error: StoreError| chain(&error))?;
    let Some(mut known) = claimed else { return Ok(()) };
    let before = known.problem.take();
    known.looked_at = Some(ctx.now);
    let claim = known.claim.clone();
    let mut fetching = None;
    let outcome = tokio::select! {
        outcome = step(app, watched, ctx, &mut known, &mut fetching) => outcome,
        // Another look has it now, or the source is gone.
        () = keep(app, ctx, &watched.source.name, claim) => {
            if let Some(container) = fetching {
                discard(app, ctx, watched, &container).await;
            }
            return Ok(());
        }
    };
    known.problem = outcome.err().or_else(|| known.refusal_of(known.seen.as_deref()));
    // The same problem at every look would fill the log.
    let news = known.problem.clone().filter(|problem| before.as_ref() != Some(problem));
    let name = watched.source.name.clone();
    let noted = app.store().write(ctx, move |tx| release(tx, &name, known)).await;
    noted.map_err(|error: StoreError| chain(&error))?;
    news.map_or(Ok(()), Err)
}

/// `fetching` becomes the upload session that is being filled, so that it can be discarded when the look is broken off.
async fn step(app: &App, watched: &Watched, ctx: &OpContext, known: &mut Known, fetching: &mut Option<String>) -> Result<(), String> {
    let source = &watched.source;
    settle_validation(app, source, ctx, known).await?;
    if known.run_wanted && start_run(app, ctx).await? {
        known.run_wanted = false;
    }
    let place = watched.place(app).await?;
    let files = place.list().await.map_err(|error| chain(&error))?;
    let mut files = export_of(source, files).inspect_err(|_| (known.seen, known.seen_since) = (None, None))?;
    let print = print(source, &files);
    if known.seen.as_ref() != Some(&print) {
        (known.seen, known.seen_since) = (Some(print), Some(ctx.now));
        return Ok(());
    }
    let rested = known.seen_since.map_or(SignedDuration::ZERO, |since| ctx.now.duration_since(since));
    let enough = SignedDuration::from_secs(source.settled_seconds.into());
    if known.delivered.as_ref() == Some(&print) || known.operation.is_some() || rested < enough {
        return Ok(());
    }
    files.retain(Listed::is_export);
    let handed_over = Known { delivered: Some(print), delivered_at: Some(ctx.now), refused: None, ..known.clone() };
    match deliver(app, watched, ctx, &place, &files, handed_over, fetching).await {
        Ok(handed_over) => {
            tracing::info!(source.name = ?source.name, "an export was fetched and is validated");
            *known = handed_over;
            Ok(())
        }
        Err(Undelivered::Changed) => {
            (known.seen, known.seen_since) = (None, None);
            Ok(())
        }
        Err(Undelivered::Problem(problem)) => Err(problem),
    }
}

/// What is of an export among the files at the place of its source: with the marker, of any name.
///
/// # Errors
/// What is still missing.
pub(crate) fn export_of(source: &Source, mut files: Vec<Listed>) -> Result<Vec<Listed>, String> {
    let marker = source.marker.as_ref();
    if let Some(marker) = marker.filter(|marker| !files.iter().any(|file| &file.name == *marker)) {
        return Err(format!("waiting for {marker} in {}", source.describe()));
    }
    files.retain(|file| file.is_export() || marker == Some(&file.name));
    if !files.iter().any(Listed::is_export) {
        return Err(format!("there are no .csv or .zip files in {}", source.describe()));
    }
    Ok(files)
}

/// A number for an export: the same files from elsewhere, or for another connector, are another one.
fn print(source: &Source, files: &[Listed]) -> String {
    format!("{} {} {}", fingerprint(files), source.connector, source.describe())
}

/// Whether these files have been handed over and are being validated.
///
/// # Errors
/// Why they were refused, when they were.
pub(crate) async fn is_validated_now(app: &App, tenant: TenantId, source: &Source, files: &[Listed]) -> Result<bool, String> {
    let (name, ctx) = (source.name.clone(), app.system(tenant));
    let known = app.store().read(&ctx, move |tx| known(tx, &name)).await;
    let mut known = known.map_err(|error: StoreError| chain(&error))?;
    let print = print(source, files);
    // The look that writes down how the validation has ended may be some time away.
    settle_validation(app, source, &ctx, &mut known).await?;
    match known.refusal_of(Some(&print)) {
        Some(refused) => Err(refused),
        None => Ok(known.operation.is_some() && known.delivered == Some(print)),
    }
}

enum Undelivered {
    /// Somebody wrote to it in the meantime: it has not come to rest.
    Changed,
    Problem(String),
}

impl From<StoreError> for Undelivered {
    fn from(error: StoreError) -> Self {
        Self::Problem(chain(&error))
    }
}

/// Fetches the files into an upload session of the connector, closes it and has it validated. Gives `handed_over` with
/// the operation, which is what is known from then on.
async fn deliver(
    app: &App,
    watched: &Watched,
    ctx: &OpContext,
    place: &Place,
    files: &[Listed],
    handed_over: Known,
    fetching: &mut Option<String>,
) -> Result<Known, Undelivered> {
    let source = &watched.source;
    let most = app.config().uploads.max_file_bytes;
    if let Some(file) = files.iter().find(|file| file.size > most) {
        let (name, size) = (&file.name, file.size);
        return Err(Undelivered::Problem(format!("{name} has {size} bytes and [uploads] max_file_bytes is {most}")));
    }
    let (sum, most) = (files.iter().map(|file| file.size).sum::<u64>(), app.config().uploads.max_session_bytes);
    if sum > most {
        return Err(Undelivered::Problem(format!("the files have {sum} bytes together and [uploads] max_session_bytes is {most}")));
    }
    if files.len() > upload::limits::FILES_MAX {
        return Err(Undelivered::Problem(format!(
            "there are more than {} files; give the export a folder of its own",
            upload::limits::FILES_MAX
        )));
    }
    let terms = jobs::session_terms(app).map_err(Undelivered::Problem)?;
    let (opening, id) = (watched.clone(), app.new_id().to_string());
    let opened = app.store().write(ctx, move |tx| -> Result<_, StoreError> {
        if !sources::is_there(tx, &opening)? {
            return Ok(Err("the source was removed".to_owned()));
        }
        let connector = match find_connector(tx, &opening.source.connector)? {
            Ok(connector) => connector,
            Err(why) => return Ok(Err(why)),
        };
        upload::open_fetch(tx, &connector, &opening.source.name, &terms, &id)?;
        Ok(Ok((connector, id)))
    });
    let (connector, container) = opened.await?.map_err(Undelivered::Problem)?;
    *fetching = Some(container.clone());
    let delivery = Delivery { source: source.name.clone(), connector, container: container.clone(), origin: source.describe() };
    let outcome = fill(app, ctx.tenant, place, files, delivery, handed_over).await;
    if outcome.is_err() {
        discard(app, ctx, watched, &container).await;
    }
    outcome
}

/// Removes what was fetched in vain.
async fn discard(app: &App, ctx: &OpContext, watched: &Watched, container: &str) {
    if let Err(error) = upload::discard_session(app.uploads(), ctx, container).await {
        tracing::warn!(source.name = ?watched.source.name, error = chain(&error), "what was fetched in vain is removed later");
    }
}

/// Fetches the files into the open session, and hands it over.
async fn fill(
    app: &App,
    tenant: TenantId,
    place: &Place,
    files: &[Listed],
    delivery: Delivery,
    handed_over: Known,
) -> Result<Known, Undelivered> {
    let folder = Container::new(app.store(), tenant, &delivery.container)?.files_folder();
    let folder = folder.map_err(|error| Undelivered::Problem(format!("cannot make a folder for the files: {error}")))?;
    if cfg!(debug_assertions) {
        let _ = tokio::task::spawn_blocking(|| failpoint("fetch-begun")).await;
    }
    match place.fetch(files, &folder).await {
        Ok(()) => hand_over(app, &app.system(tenant), delivery, handed_over).await,
        Err(IntakeError::Changed { .. }) => Err(Undelivered::Changed),
        Err(error) => Err(Undelivered::Problem(chain(&error))),
    }
}

/// An export that lies in its upload session.
struct Delivery {
    source: String,
    connector: String,
    container: String,
    origin: String,
}

/// Has an export validated and remembers that it was handed over, in one transaction: a server that is killed after it
/// does not fetch the export again.
async fn hand_over(app: &App, ctx: &OpContext, delivery: Delivery, known: Known) -> Result<Known, Undelivered> {
    let (worker, base) = (app.clone(), app.base_url(None, &http::HeaderMap::new()));
    let validating = app.store().write(ctx, move |tx| {
        let Delivery { source, connector, container, origin } = delivery;
        let resource = format!("{base}/beta/external/industryData/dataConnectors/{connector}");
        // The connector may have gone meanwhile, and the session with what a later look has found left behind.
        let is_there = find_connector(tx, &connector)?.is_ok() && upload::close_fetch(worker.uploads(), tx, &connector, &container)?;
        let Some(held) = held(tx, &source, known.claim.as_deref())?.filter(|_| is_there) else {
            return Err(StoreError::VersionConflict);
        };
        let operation = jobs::enqueue_validation(&worker, tx, &connector, resource, Some(container), Some(origin))?;
        let known = Known { operation: Some(operation), lease_until: held.lease_until, ..known };
        put(tx, &source, &known)?;
        Ok(known)
    });
    let handed_over = match validating.await {
        Err(StoreError::VersionConflict) => return Err(Undelivered::Changed),
        other => other?,
    };
    app.wake_worker();
    Ok(handed_over)
}

/// The connector that is named by id or display name; `Err` says why there is none.
pub(crate) fn find_connector(tx: &mut Tx<'_>, named: &str) -> Result<Result<String, String>, StoreError> {
    let all = tx.docs(&Access::unchecked("dataConnectors"))?.list(None, None, usize::from(u16::MAX))?;
    let text = |doc: &store::Doc, name: &str| doc.body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let found: Vec<_> = all.iter().filter(|doc| doc.id.eq_ignore_ascii_case(named) || text(doc, "displayName") == named).collect();
    Ok(match found[..] {
        [one] if text(one, "@odata.type").ends_with("azureDataLakeConnector") => Ok(one.id.clone()),
        [_] => Err(format!("the connector '{named}' is not one for files")),
        [] => Err(format!("there is no connector '{named}' in the tenant")),
        _ => Err(format!("{} connectors are called '{named}'; name the one by its id", found.len())),
    })
}

/// Looks how the validation ended, if it has, and keeps why it refused what was handed over.
async fn settle_validation(app: &App, source: &Source, ctx: &OpContext, known: &mut Known) -> Result<(), String> {
    let Some(id) = known.operation.clone() else { return Ok(()) };
    let read = app.store().read(ctx, move |tx| Ok(tx.docs(&jobs::OPERATIONS)?.get(&id)?.map(|doc| doc.body)));
    let operation = read.await.map_err(|error: StoreError| chain(&error))?.unwrap_or_default();
    let text = |name: &str| operation.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match text("status").as_str() {
        "notStarted" | "running" => return Ok(()),
        _ => known.operation = None,
    }
    let errors = operation.get("errors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if let Some(first) = errors.first() {
        let message = first["message"].as_str().unwrap_or_default();
        known.refused = Some(format!("the export was refused: {message}"));
    } else if text("status") == "failed" {
        known.refused = Some(format!("the export could not be validated: {}", text("statusDetail")));
    } else {
        known.run_wanted = source.start_run;
    }
    Ok(())
}

/// Starts a run on what was accepted; `false` while another one is going, which may have begun before it.
async fn start_run(app: &App, ctx: &OpContext) -> Result<bool, String> {
    let (worker, context) = (app.clone(), ctx.clone());
    let base = app.base_url(None, &http::HeaderMap::new());
    let started = app.store().write(ctx, move |tx| {
        if runs::going(tx)?.is_some() {
            return Ok(false);
        }
        jobs::begin_run(&worker, &Data::new(tx, &context), &format!("{base}/beta/external/industryData/runs"))?;
        Ok(true)
    });
    let started = started.await.map_err(|error: AppError| error.graph().message.clone())?;
    app.wake_worker();
    Ok(started)
}

/// How long a source stays claimed without a sign of life, as jobs do: after a crash the next server waits that long.
fn lease(app: &App) -> SignedDuration {
    SignedDuration::try_from(worker::lease(app)).unwrap_or(SignedDuration::MAX)
}

/// Takes the source for a look; `None` while another one has it, and when it was removed while it waited.
fn claim(tx: &mut Tx<'_>, watched: &Watched, id: String, lease: SignedDuration) -> Result<Option<Known>, StoreError> {
    let (now, name) = (tx.ctx().now, &watched.source.name);
    let mut known = known(tx, name)?;
    if !sources::is_there(tx, watched)? || known.lease_until.is_some_and(|until| now < until) {
        return Ok(None);
    }
    (known.claim, known.lease_until) = (Some(id), now.checked_add(lease).ok());
    put(tx, name, &known)?;
    Ok(Some(known))
}

/// Prolongs the lease of a look for as long as it goes on; ends when another one has the source.
async fn keep(app: &App, ctx: &OpContext, name: &str, claim: Option<String>) {
    loop {
        tokio::time::sleep(worker::lease(app) / worker::HEARTBEATS).await;
        let (source, claim, lease) = (name.to_owned(), claim.clone(), lease(app));
        let prolong = move |tx: &mut Tx<'_>| -> Result<bool, StoreError> {
            let Some(held) = held(tx, &source, claim.as_deref())? else { return Ok(false) };
            let lease_until = tx.ctx().now.checked_add(lease).ok();
            put(tx, &source, &Known { lease_until, ..held })?;
            Ok(true)
        };
        match app.store().write(&app.system(ctx.tenant), prolong).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::warn!(source.name = ?name, error = chain(&error), "a lease could not be prolonged"),
        }
    }
}

/// What is known of a source, when no other look has claimed it since and it was not removed.
fn held(tx: &mut Tx<'_>, name: &str, claim: Option<&str>) -> Result<Option<Known>, StoreError> {
    Ok(Some(known(tx, name)?).filter(|known| known.claim.as_deref() == claim))
}

/// Leaves what a look has found to the next one: unless there was one since.
fn release(tx: &mut Tx<'_>, name: &str, found: Known) -> Result<(), StoreError> {
    if held(tx, name, found.claim.as_deref())?.is_none() {
        return Ok(());
    }
    put(tx, name, &Known { claim: None, lease_until: None, ..found })
}

fn known(tx: &mut Tx<'_>, name: &str) -> Result<Known, StoreError> {
    let Some(doc) = tx.docs(&INTAKE)?.get(name)? else { return Ok(Known::default()) };
    serde_json::from_value(Value::Object(doc.body)).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn put(tx: &mut Tx<'_>, name: &str, known: &Known) -> Result<(), StoreError> {
    let body = serde_json::to_value(known).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    tx.docs(&INTAKE)?.put(name, None, &object(body))
}

/// Forgets what is known of a source.
pub(crate) fn forget(tx: &mut Tx<'_>, name: &str) -> Result<(), StoreError> {
    tx.docs(&INTAKE)?.delete(name).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Intake};
    use serde_json::json;
    use std::path::Path;

    /// A session of the connector, as a delivery opens it.
    async fn open(app: &App, ctx: &OpContext) -> String {
        let (id, terms) = (app.new_id().to_string(), jobs::session_terms(app).unwrap());
        let opening = id.clone();
        let opened = app.store().write(ctx, move |tx| upload::open_fetch(tx, "connector", "nightly", &terms, &opening));
        opened.await.unwrap_or_else(|error: StoreError| panic!("{error}"));
        id
    }

    /// A tenant with a connector for files.
    async fn school(app: &App) -> OpContext {
        let tenant = app.create_tenant("Contoso", None, Some("contoso.example")).await.unwrap();
        let ctx = app.system(tenant.id);
        let connector = object(json!({ "displayName": "CSV", "@odata.type": "#x.azureDataLakeConnector" }));
        let insert = move |tx: &mut Tx<'_>| tx.docs(&Access::unchecked("dataConnectors"))?.insert("connector", None, &connector);
        app.store().write(&ctx, insert).await.unwrap_or_else(|error: StoreError| panic!("{error}"));
        ctx
    }

    fn nightly(folder: &Path) -> Source {
        serde_json::from_value(json!({ "name": "nightly", "tenant": "contoso.example", "connector": "CSV", "folder": folder })).unwrap()
    }

    #[tokio::test]
    async fn a_stored_source_that_is_removed_takes_nothing_from_the_one_in_the_settings() {
        let dir = tempfile::tempdir().unwrap();
        let config = |sources| Config { sources, intake: Intake { folders: vec![dir.path().to_owned()] }, ..Config::default() };
        let app = App::open(&dir.path().join("data"), None, config(vec![])).unwrap();
        let ctx = school(&app).await;
        app.put_source(nightly(dir.path())).await.unwrap();
        let both = App::open(&dir.path().join("data"), None, config(vec![nightly(dir.path())])).unwrap();
        let delivered = Known { delivered_at: Some(ctx.now), ..Known::default() };
        let keep = move |tx: &mut Tx<'_>| put(tx, "nightly", &delivered);
        both.store().write(&ctx, keep).await.unwrap_or_else(|error: StoreError| panic!("{error}"));
        assert!(both.remove_source("contoso.example", "nightly").await.unwrap(), "the other one goes on");
        let [left] = &both.list_sources().await.unwrap()[..] else { panic!("one is left") };
        assert_eq!((left.set_up_by, left.delivered_at), ("homeroom.toml", Some(ctx.now)), "it has delivered its export");
        // Without the other one, what is known goes with the source.
        app.put_source(nightly(dir.path())).await.unwrap();
        assert!(!app.remove_source("contoso.example", "nightly").await.unwrap());
        assert_eq!(both.list_sources().await.unwrap()[0].delivered_at, None);
    }

    /// The look that will see how a validation has ended may be hours away.
    #[tokio::test]
    async fn a_check_says_how_the_validation_of_what_lies_there_stands() {
        let dir = tempfile::tempdir().unwrap();
        let app = App::open(&dir.path().join("data"), None, Config::default()).unwrap();
        let ctx = school(&app).await;
        let folder = dir.path().join("export");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("users.csv"), "a\n").unwrap();
        let watched = in_settings(nightly(&folder), &ctx);
        let check = || sources::check_now(&app, &watched);
        let found = |validating| Ok(ExportFound { files: 1, validating });
        assert_eq!(check().await, found(false));
        let place = watched.place(&app).await.unwrap();
        let files = place.list().await.unwrap();
        let handed_over = Known { delivered: Some(print(&watched.source, &files)), ..Known::default() };
        let Ok(known) = deliver(&app, &watched, &ctx, &place, &files, handed_over, &mut None).await else { panic!("delivered") };
        assert_eq!(check().await, found(true));
        let ends = async |status: &'static str, errors: Value| {
            let operation = known.operation.clone().unwrap();
            let write = move |tx: &mut Tx<'_>| {
                jobs::update_operation(tx, &operation, |body| {
                    body.insert("status".to_owned(), json!(status));
                    body.insert("errors".to_owned(), errors);
                })
            };
            app.store().write(&ctx, write).await.unwrap_or_else(|error: StoreError| panic!("{error}"));
        };
        ends("succeeded", json!([{ "message": "orgs.csv is missing" }])).await;
        assert_eq!(check().await, Err("the export was refused: orgs.csv is missing".to_owned()));
        ends("succeeded", json!([])).await;
        assert_eq!(check().await, found(false));
        // Another export than the one that is validated.
        ends("running", json!([])).await;
        std::fs::write(folder.join("orgs.csv"), "a\n").unwrap();
        assert_eq!(check().await, Ok(ExportFound { files: 2, validating: false }));
    }

    fn in_settings(source: Source, ctx: &OpContext) -> Watched {
        Watched { source, tenant: Some(ctx.tenant), tenant_name: None, stored: false }
    }

    #[tokio::test]
    async fn a_source_that_is_removed_while_it_is_looked_at_delivers_nothing_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let intake = Intake { folders: vec![dir.path().to_owned()] };
        let app = App::open(&dir.path().join("data"), None, Config { intake, ..Config::default() }).unwrap();
        let ctx = school(&app).await;
        let folder = dir.path().join("export");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("users.csv"), "a\n").unwrap();
        app.put_source(nightly(&folder)).await.unwrap();
        let watched = sources::all(&app, None).await.unwrap().remove(0);
        let place = watched.place(&app).await.unwrap();
        let files = place.list().await.unwrap();
        app.remove_source("contoso.example", "nightly").await.unwrap();
        assert!(matches!(deliver(&app, &watched, &ctx, &place, &files, Known::default(), &mut None).await, Err(Undelivered::Problem(_))));
        look(&app, &watched).await;
        let left = app.store().read(&ctx, |tx| tx.docs(&INTAKE)?.get("nightly")).await;
        assert!(left.unwrap_or_else(|error: StoreError| panic!("{error}")).is_none(), "the next one of its name starts anew");
    }

    #[tokio::test]
    async fn what_others_write_stays_on_its_line_of_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let app = App::open(&dir.path().join("data"), None, Config::default()).unwrap();
        let ctx = school(&app).await;
        let mut source = nightly(&dir.path().join("\u{1b}]0;pwned\u{7}\n2026 ERROR forged"));
        source.name = "nightly\n2026 ERROR forged".to_owned();
        let log = dir.path().join("log");
        let file = std::fs::File::create(&log).unwrap();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(Arc::new(file)).finish();
        let guard = tracing::subscriber::set_default(subscriber);
        look(&app, &in_settings(source, &ctx)).await;
        drop(guard);
        let log = std::fs::read_to_string(&log).unwrap();
        assert!(log.contains("could not be looked at") && log.lines().count() == 1, "{log}");
        assert!(!log.trim_end().contains(char::is_control), "{log:?}");
    }

    #[test]
    fn what_an_older_version_knew_is_read_and_a_refusal_is_that_of_its_export() {
        let known: Known = serde_json::from_value(json!({ "seen": "a", "delivered": "a", "problem": "x" })).unwrap();
        assert_eq!(known.refusal_of(Some("a")), None);
        let refused = Known { refused: Some("no".to_owned()), ..known };
        assert_eq!((refused.refusal_of(Some("a")), refused.refusal_of(Some("b"))), (Some("no".to_owned()), None));
        assert_eq!(Known { delivered: None, ..refused }.refusal_of(None), None);
    }

    #[tokio::test]
    async fn nothing_of_an_export_that_cannot_be_fetched_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let app = App::open(&dir.path().join("data"), None, Config::default()).unwrap();
        let ctx = school(&app).await;
        let folder = dir.path().join("export");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("orgs.csv"), "a\n").unwrap();
        std::fs::write(folder.join("users.csv"), "a\n").unwrap();
        let place = Place::Folder(folder.clone());
        let files = place.list().await.unwrap();
        let watched = in_settings(nightly(&folder), &ctx);
        std::fs::write(folder.join("users.csv"), "ab\n").unwrap();
        let changed = deliver(&app, &watched, &ctx, &place, &files, Known::default(), &mut None).await;
        assert!(matches!(changed, Err(Undelivered::Changed)));
        std::fs::remove_file(folder.join("users.csv")).unwrap();
        let gone = deliver(&app, &watched, &ctx, &place, &files, Known::default(), &mut None).await;
        assert!(matches!(gone, Err(Undelivered::Problem(_))));
        let uploads = app.store().blobs().path(ctx.tenant, "uploads").unwrap();
        assert!(uploads.is_dir(), "something was fetched");
        assert_eq!(std::fs::read_dir(uploads).unwrap().count(), 0);
        let sessions = app.store().read(&ctx, |tx| tx.docs(&Access::unchecked("_uploadSessions"))?.list(None, None, 9)).await;
        assert!(sessions.unwrap_or_else(|error: StoreError| panic!("{error}")).is_empty(), "and nobody is given the session");
    }

    async fn claimed(app: &App, ctx: OpContext) -> Option<Known> {
        let id = app.new_id().to_string();
        let claim = move |tx: &mut Tx<'_>| {
            let watched = in_settings(nightly(Path::new("/x")), tx.ctx());
            claim(tx, &watched, id, SignedDuration::from_mins(5))
        };
        app.store().write(&ctx, claim).await.unwrap_or_else(|error: StoreError| panic!("{error}"))
    }

    #[tokio::test]
    async fn a_look_that_took_longer_than_its_lease_undoes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let app = App::open(dir.path(), None, Config::default()).unwrap();
        let ctx = school(&app).await;
        let at = |minutes| OpContext { now: ctx.now + SignedDuration::from_mins(minutes), ..ctx.clone() };
        let released = async |found: Known| {
            let released = app.store().write(&ctx, move |tx| release(tx, "nightly", found)).await;
            released.unwrap_or_else(|error: StoreError| panic!("{error}"));
            stored(&app, &ctx).await
        };
        let slow = claimed(&app, at(0)).await.unwrap();
        assert!(claimed(&app, at(4)).await.is_none(), "it is being looked at");
        let other = claimed(&app, at(6)).await.unwrap();
        let outcome = hand_over(&app, &ctx, delivery(open(&app, &ctx).await), slow.clone()).await;
        assert!(matches!(outcome, Err(Undelivered::Changed)), "the other one hands over");
        assert_eq!(released(slow.clone()).await.claim, other.claim);
        let left = released(Known { delivered: Some("its export".to_owned()), ..other }).await;
        assert_eq!((left.delivered.as_deref(), left.claim, left.lease_until), (Some("its export"), None, None));
        assert_eq!(released(slow.clone()).await.delivered, left.delivered);
        // Nor does it bring back what is known of a source that was removed.
        let removed = app.store().write(&ctx, |tx| forget(tx, "nightly")).await;
        removed.unwrap_or_else(|error: StoreError| panic!("{error}"));
        assert_eq!(released(slow).await.looked_at, None);
        let left = app.store().read(&ctx, |tx| tx.docs(&INTAKE)?.get("nightly")).await;
        assert!(left.unwrap_or_else(|error: StoreError| panic!("{error}")).is_none());
    }

    async fn stored(app: &App, ctx: &OpContext) -> Known {
        let stored = app.store().read(ctx, |tx| known(tx, "nightly")).await;
        stored.unwrap_or_else(|error: StoreError| panic!("{error}"))
    }

    /// A server that takes connections and says nothing: a look at it goes on until it is given up.
    async fn silent() -> (tokio::net::TcpListener, Source) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let sftp = json!({ "host": "127.0.0.1", "port": port, "user": "homeroom", "password": "x", "path": "/out",
                           "host_key": format!("SHA256:{}", "A".repeat(43)) });
        let source = json!({ "name": "nightly", "tenant": "contoso.example", "connector": "CSV", "sftp": sftp });
        (listener, serde_json::from_value(source).unwrap())
    }

    #[tokio::test]
    async fn a_look_keeps_its_lease_for_as_long_as_it_goes_on_and_ends_when_it_has_lost_it() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { worker: crate::config::Worker { lease_seconds: 1, jobs_at_once: None }, ..Config::default() };
        let app = App::open(dir.path(), None, config).unwrap();
        let ctx = school(&app).await;
        let (_listener, source) = silent().await;
        let (looking, watched) = (app.clone(), in_settings(source, &ctx));
        let going = tokio::spawn(async move { look(&looking, &watched).await });
        // However long that takes on a busy machine.
        let until = async |holds: &dyn Fn(&Known) -> bool| loop {
            let known = stored(&app, &ctx).await;
            if holds(&known) {
                return known;
            }
            assert!(!going.is_finished(), "{known:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let first = until(&|known| known.claim.is_some()).await;
        let kept = until(&|known| known.lease_until > first.lease_until).await;
        assert_eq!(kept.claim, first.claim);
        // Another one has it: this one neither goes on nor says how the source stands.
        let other = Known { claim: Some("another".to_owned()), ..kept };
        let taken = other.clone();
        let take = app.store().write(&ctx, move |tx| put(tx, "nightly", &taken)).await;
        take.unwrap_or_else(|error: StoreError| panic!("{error}"));
        going.await.unwrap();
        let left = stored(&app, &ctx).await;
        assert_eq!((left.claim, left.looked_at, left.problem), (other.claim, None, None));
    }

    fn delivery(container: String) -> Delivery {
        let (source, connector) = ("nightly".to_owned(), "connector".to_owned());
        Delivery { source, connector, container, origin: "folder /x".to_owned() }
    }

    #[tokio::test]
    async fn only_the_session_that_was_filled_is_handed_over() {
        let dir = tempfile::tempdir().unwrap();
        let app = App::open(dir.path(), None, Config::default()).unwrap();
        let ctx = school(&app).await;
        let earlier = open(&app, &ctx).await;
        let later = open(&app, &ctx).await;
        let outcome = hand_over(&app, &ctx, delivery(earlier), Known::default()).await;
        assert!(matches!(outcome, Err(Undelivered::Changed)), "a later fetch has discarded it");
        // Nothing came of it: the other session is still open, and nothing counts as delivered.
        let outcome = hand_over(&app, &ctx, delivery(later), Known { run_wanted: true, ..Known::default() }).await;
        let Ok(handed_over) = outcome else { panic!("the open session can be handed over") };
        let stored = stored(&app, &ctx).await;
        assert!(stored.operation.is_some() && stored.operation == handed_over.operation && stored.run_wanted);
        // Nor is an export handed over to a connector that has gone meanwhile.
        let last = open(&app, &ctx).await;
        let gone = app.store().write(&ctx, |tx| tx.docs(&Access::unchecked("dataConnectors"))?.delete("connector")).await;
        gone.unwrap_or_else(|error: StoreError| panic!("{error}"));
        assert!(matches!(hand_over(&app, &ctx, delivery(last), handed_over).await, Err(Undelivered::Changed)));
    }

    /// What a client is sending, and what is fetched for the same connector, do not meet.
    #[tokio::test]
    async fn a_client_is_given_a_session_of_its_own_while_an_export_is_fetched() {
        let dir = tempfile::tempdir().unwrap();
        let app = App::open(dir.path(), None, Config::default()).unwrap();
        let ctx = school(&app).await;
        let session = async |reset: bool| {
            let worker = app.clone();
            let opened = app.store().write(&ctx, move |tx| jobs::open_upload_session(&worker, tx, "connector", "http://h", reset)).await;
            let opened = opened.unwrap_or_else(|error: AppError| panic!("{error:?}"));
            opened["containerId"].as_str().unwrap().to_owned()
        };
        let clients = session(false).await;
        let fetched = open(&app, &ctx).await;
        assert_eq!(session(false).await, clients, "which the fetch has left open");
        let reset = session(true).await;
        assert!(reset != fetched && reset != clients);
        assert!(hand_over(&app, &ctx, delivery(fetched), Known::default()).await.is_ok(), "and the fetch goes on");
        assert_eq!(session(false).await, reset);
    }
}
