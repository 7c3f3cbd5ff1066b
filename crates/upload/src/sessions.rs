//! Upload sessions in the store: which container is open for which connector.
//!
//! A session is `open` until it is `closed` (its files have been taken for validation) or
//! `discarded` (another session took its place, or its time is over). What Homeroom fetches itself arrives in
//! sessions of their own, beside the one that clients are given: nobody has their URL. Every change of state, and
//! every change of a file, rewrites the session's document under its version: on PostgreSQL, too,
//! one waits for the other, and the later one sees what the earlier one did.

use crate::sas::{self, Rights};
use crate::{Container, UploadService, UploadedFile};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use store::{Access, Doc, OpContext, StoreError, Tx};

/// Sessions are Homeroom's own bookkeeping.
const SESSIONS: Access = Access::unchecked("_uploadSessions");
/// Written first by whoever opens or closes a session, so that a connector never has two open ones for clients.
const LOCKS: Access = Access::unchecked("_locks");
/// A container outlives its session, as in Microsoft's own example.
const CONTAINER_OUTLIVES: SignedDuration = SignedDuration::from_hours(34);
/// How long the container of a closed session is left to its validation, which removes it itself; by
/// then a validation has either been done or is not coming any more.
const CLOSED_KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Longest session: a year, so that no setting reaches the end of time.
const HOURS_MAX: u32 = 366 * 24;
/// A body that nothing has come of for so long is not coming any more: the server gives one up that stands still for
/// much less, and only when it was killed is anything left of it.
const ABANDONED_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// Sessions looked at in one step of a sweep.
const SWEEP_PAGE: usize = 200;

/// How long sessions last, and what their URLs let their holders do.
#[derive(Debug, Clone)]
pub struct SessionTerms {
    /// Hours that a session takes files; a year at most.
    pub hours: u32,
    /// Rights in the URL.
    pub rights: Rights,
}

/// An open session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Container.
    pub container_id: String,
    /// Signed URL.
    pub url: String,
    /// When it stops taking files.
    pub session_expires: Timestamp,
    /// When its container goes.
    pub container_expires: Timestamp,
}

fn time(doc: &Doc, name: &str) -> Option<Timestamp> {
    doc.body.get(name).and_then(Value::as_str).and_then(|text| text.parse().ok())
}

fn has_state(doc: &Doc, state: &str) -> bool {
    doc.body.get("state").and_then(Value::as_str) == Some(state)
}

/// Who fetches into it; nobody for a session that clients are given.
fn fetcher(doc: &Doc) -> Option<&str> {
    doc.body.get("fetcher").and_then(Value::as_str)
}

/// Whether it takes files.
fn takes_files(doc: &Doc, now: Timestamp) -> bool {
    has_state(doc, "open") && time(doc, "sessionExpires").is_some_and(|expires| now < expires)
}

/// The open session of a connector that its clients share, or a new one with the given id; `reset` always makes a new one.
/// The new one's URL starts with `base_url`. What was sent to a session before it is discarded.
///
/// # Errors
/// Those of the store.
pub fn open_session(
    service: &UploadService,
    tx: &mut Tx<'_>,
    connector: &str,
    base_url: &str,
    terms: &SessionTerms,
    reset: bool,
    new_id: &str,
) -> Result<Session, StoreError> {
    lock(tx, connector)?;
    let now = tx.ctx().now;
    let mut current = None;
    for doc in of_connector(tx, connector)?.into_iter().rev().filter(|doc| has_state(doc, "open") && fetcher(doc).is_none()) {
        if !reset && current.is_none() && takes_files(&doc, now) {
            current = Some((doc.id.clone(), doc));
        } else {
            change(tx, &doc.id, |doc| has_state(doc, "open"), Some("discarded"))?;
        }
    }
    let (id, expires, container_expires) = if let Some((id, doc)) = current {
        let corrupt = || StoreError::Corrupt("upload session".to_owned());
        (id, time(&doc, "sessionExpires").ok_or_else(corrupt)?, time(&doc, "containerExpires").ok_or_else(corrupt)?)
    } else {
        let (session, container) = insert(tx, connector, terms, new_id, None)?;
        (new_id.to_owned(), session, container)
    };
    let path = format!("{}/{connector}/{id}", tx.tenant());
    let url = format!("{base_url}/{path}?{}", sas::sign(&service.key, &path, expires, &terms.rights));
    Ok(Session { container_id: id, url, session_expires: expires, container_expires })
}

/// A new session with the given id, into which `fetcher` fetches: no client is given it, and it leaves theirs alone. What an
/// earlier fetch of the same one has left is discarded.
///
/// # Errors
/// Those of the store.
pub fn open_fetch(tx: &mut Tx<'_>, connector: &str, fetcher: &str, terms: &SessionTerms, new_id: &str) -> Result<(), StoreError> {
    lock(tx, connector)?;
    let is_left = |doc: &Doc| has_state(doc, "open") && self::fetcher(doc) == Some(fetcher);
    for doc in of_connector(tx, connector)?.into_iter().filter(is_left) {
        change(tx, &doc.id, is_left, Some("discarded"))?;
    }
    insert(tx, connector, terms, new_id, Some(fetcher)).map(|_| ())
}

/// Closes the session of a fetch, so that its files no longer change; `false` when it is not open any more.
///
/// # Errors
/// Those of the store.
pub fn close_fetch(service: &UploadService, tx: &mut Tx<'_>, connector: &str, container: &str) -> Result<bool, StoreError> {
    lock(tx, connector)?;
    let is_there = |doc: &Doc| doc.parent.as_deref() == Some(connector) && fetcher(doc).is_some() && has_state(doc, "open");
    service.usage.forget(&Container::new(&service.store, tx.tenant(), container)?);
    change(tx, container, is_there, Some("closed"))
}

/// A new open session; gives when it and its container expire.
fn insert(
    tx: &mut Tx<'_>,
    connector: &str,
    terms: &SessionTerms,
    id: &str,
    fetcher: Option<&str>,
) -> Result<(Timestamp, Timestamp), StoreError> {
    let session = later(tx.ctx().now, SignedDuration::from_hours(i64::from(terms.hours.min(HOURS_MAX))));
    let container = later(session, CONTAINER_OUTLIVES);
    let mut body = json!({ "state": "open", "sessionExpires": session.to_string(), "containerExpires": container.to_string() });
    if let Some(fetcher) = fetcher {
        body["fetcher"] = json!(fetcher);
    }
    tx.docs(&SESSIONS)?.insert(id, Some(connector), &object(body))?;
    Ok((session, container))
}

/// Closes the open session of a connector that its clients share, so that its files no longer change, and lists them. Gives
/// the container's id; `None` when no session is open or its container's time is over.
///
/// # Errors
/// Those of the store.
pub fn close_session(service: &UploadService, tx: &mut Tx<'_>, connector: &str) -> Result<Option<(String, Vec<UploadedFile>)>, StoreError> {
    lock(tx, connector)?;
    let now = tx.ctx().now;
    let is_there = move |doc: &Doc| {
        has_state(doc, "open") && fetcher(doc).is_none() && time(doc, "containerExpires").is_some_and(|expires| now < expires)
    };
    for doc in of_connector(tx, connector)?.into_iter().rev().filter(is_there) {
        if change(tx, &doc.id, is_there, Some("closed"))? {
            let container = Container::new(&service.store, tx.tenant(), &doc.id)?;
            service.usage.forget(&container);
            return Ok(Some((doc.id, container.list()?)));
        }
    }
    Ok(None)
}

/// Removes the files of sessions whose time is over or that were discarded, of the context's tenant,
/// and forgets the sessions; gives the ids of their containers. Of open ones goes what was arriving when a
/// server was killed. A file that is being sent keeps no
/// session from going: it would be refused. To be called now and then; harmless at any time, also in
/// several processes at once.
///
/// # Errors
/// Those of the store; what was not swept is so the next time.
pub async fn sweep(service: &UploadService, ctx: &OpContext) -> Result<Vec<String>, StoreError> {
    let mut swept = Vec::new();
    let mut after = None;
    loop {
        let from = after.take();
        let Page { over, open, last } = service.store.write::<_, StoreError>(ctx, move |tx| take_over(tx, from.as_deref())).await?;
        let open = open.iter().map(|id| Container::new(&service.store, ctx.tenant, id)).collect::<Result<Vec<_>, _>>()?;
        let before = later(ctx.now, -ABANDONED_AFTER);
        let removed = tokio::task::spawn_blocking(move || open.iter().try_for_each(|container| container.forget_abandoned(before))).await;
        let failed = |source| StoreError::Io { what: "remove what was left of a body".to_owned(), source };
        removed.map_err(|_| StoreError::Closed)?.map_err(failed)?;
        for id in over {
            remove(service, ctx, &id).await?;
            swept.push(id);
        }
        after = last;
        if after.is_none() {
            return Ok(swept);
        }
    }
}

/// Discards a session of the context's tenant, now and with its files; not one that was closed, whose files are its
/// validation's.
///
/// # Errors
/// Those of the store; what was marked but not removed goes with the next [`sweep`].
pub async fn discard_session(service: &UploadService, ctx: &OpContext, container: &str) -> Result<(), StoreError> {
    let id = container.to_owned();
    let discard = move |tx: &mut Tx<'_>| change(tx, &id, |doc| !has_state(doc, "closed"), Some("discarded"));
    if service.store.write::<_, StoreError>(ctx, discard).await? {
        remove(service, ctx, container).await?;
    }
    Ok(())
}

/// Removes the files of a session that was discarded, and forgets it.
async fn remove(service: &UploadService, ctx: &OpContext, id: &str) -> Result<(), StoreError> {
    service.usage.forget(&Container::new(&service.store, ctx.tenant, id)?);
    let (store, tenant, key) = (service.store.clone(), ctx.tenant, format!("uploads/{id}"));
    let removed = tokio::task::spawn_blocking(move || store.blobs().remove_folder(tenant, &key)).await;
    removed.map_err(|_| StoreError::Closed)??;
    // Only now: until then the document says what is still to be removed.
    let gone = id.to_owned();
    service.store.write::<_, StoreError>(ctx, move |tx| tx.docs(&SESSIONS)?.delete(&gone)).await.map(|_| ())
}

/// Sessions of one page of a sweep.
struct Page {
    /// Those that are over.
    over: Vec<String>,
    /// Those that take files.
    open: Vec<String>,
    /// The one to go on after.
    last: Option<String>,
}

/// One page of a sweep: marks what is over.
fn take_over(tx: &mut Tx<'_>, after: Option<&str>) -> Result<Page, StoreError> {
    let now = tx.ctx().now;
    let is_over = move |doc: &Doc| {
        let kept = if has_state(doc, "closed") { CLOSED_KEPT } else { SignedDuration::ZERO };
        has_state(doc, "discarded") || time(doc, "containerExpires").is_none_or(|expires| later(expires, kept) <= now)
    };
    let page = tx.docs(&SESSIONS)?.list(None, after, SWEEP_PAGE)?;
    let last = if page.len() == SWEEP_PAGE { page.last().map(|doc| doc.id.clone()) } else { None };
    let (mut over, mut open) = (Vec::new(), Vec::new());
    for doc in page {
        if !is_over(&doc) {
            open.extend(takes_files(&doc, now).then_some(doc.id));
        } else if change(tx, &doc.id, is_over, Some("discarded"))? {
            over.push(doc.id);
        }
    }
    Ok(Page { over, open, last })
}

/// Whether a container takes files now.
pub(crate) fn is_open(tx: &mut Tx<'_>, connector: &str, container: &str) -> Result<bool, StoreError> {
    let now = tx.ctx().now;
    Ok(tx.docs(&SESSIONS)?.get(container)?.is_some_and(|doc| doc.parent.as_deref() == Some(connector) && takes_files(&doc, now)))
}

/// [`is_open`], and it stays so until the end of the transaction.
pub(crate) fn hold_open(tx: &mut Tx<'_>, connector: &str, container: &str) -> Result<bool, StoreError> {
    let now = tx.ctx().now;
    change(tx, container, |doc| doc.parent.as_deref() == Some(connector) && takes_files(doc, now), None)
}

/// Rewrites a session of which `holds` is true, with a new state or as it is; `false` when it is not true.
fn change(tx: &mut Tx<'_>, id: &str, holds: impl Fn(&Doc) -> bool, state: Option<&str>) -> Result<bool, StoreError> {
    loop {
        let Some(mut doc) = tx.docs(&SESSIONS)?.get(id)?.filter(&holds) else { return Ok(false) };
        if let Some(state) = state {
            doc.body.insert("state".to_owned(), json!(state));
        }
        match tx.docs(&SESSIONS)?.update(id, &doc.body, Some(doc.version)) {
            // Another transaction came first and is done: see what it did.
            Err(StoreError::VersionConflict) => {}
            other => return other.map(|_| true),
        }
    }
}

fn of_connector(tx: &mut Tx<'_>, connector: &str) -> Result<Vec<Doc>, StoreError> {
    tx.docs(&SESSIONS)?.list(Some(connector), None, usize::from(u16::MAX))
}

fn lock(tx: &mut Tx<'_>, connector: &str) -> Result<(), StoreError> {
    tx.docs(&LOCKS)?.put(&format!("upload/{connector}"), None, &Map::new())
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;
