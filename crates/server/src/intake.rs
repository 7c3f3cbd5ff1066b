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
mod tests;
