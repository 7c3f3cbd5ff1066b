//! Upload sessions in the store: which container is open for which connector.

use crate::{Container, UploadService, UploadedFile, sas};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use store::{Access, StoreError, Tx};

/// Sessions are Homeroom's own bookkeeping.
pub(crate) const SESSIONS: Access = Access::unchecked("_uploadSessions");
/// A container outlives its session, as in Microsoft's own example.
const CONTAINER_OUTLIVES_HOURS: i64 = 34;

/// How long sessions last.
#[derive(Debug, Clone, Copy)]
pub struct SessionLimits {
    /// Hours that a session takes files.
    pub hours: u32,
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

fn time(body: &Map<String, Value>, name: &str) -> Option<Timestamp> {
    body.get(name).and_then(Value::as_str).and_then(|text| text.parse().ok())
}

/// The open session of a connector, or a new one with the given id; `reset` always makes a new one.
pub fn open_session(
    service: &UploadService,
    tx: &mut Tx<'_>,
    connector: &str,
    base_url: &str,
    limits: SessionLimits,
    reset: bool,
    new_id: &str,
) -> Result<Session, StoreError> {
    let now = tx.ctx().now;
    let current = current(tx, connector)?.filter(|(_, body)| time(body, "sessionExpires").is_some_and(|t| now < t));
    let (id, body) = match current {
        Some(open) if !reset => open,
        open => {
            if let Some((id, body)) = open {
                set_closed(tx, &id, body)?;
            }
            let session = now + SignedDuration::from_hours(i64::from(limits.hours));
            let container = session + SignedDuration::from_hours(CONTAINER_OUTLIVES_HOURS);
            let body = object(json!({ "state": "open", "sessionExpires": session.to_string(), "containerExpires": container.to_string() }));
            tx.docs(&SESSIONS)?.insert(new_id, Some(connector), &body)?;
            (new_id.to_owned(), body)
        }
    };
    let corrupt = || StoreError::Corrupt("upload session".to_owned());
    let expires = time(&body, "sessionExpires").ok_or_else(corrupt)?;
    let path = format!("{}/{connector}/{id}", tx.tenant());
    let url = format!("{base_url}/{path}?{}", sas::sign(&service.key, &path, expires));
    Ok(Session { container_id: id, url, session_expires: expires, container_expires: time(&body, "containerExpires").ok_or_else(corrupt)? })
}

/// Closes the open session of a connector, so that its files no longer change, and lists them.
pub fn close_session(service: &UploadService, tx: &mut Tx<'_>, connector: &str) -> Result<Option<(String, Vec<UploadedFile>)>, StoreError> {
    let Some((id, body)) = current(tx, connector)? else { return Ok(None) };
    set_closed(tx, &id, body)?;
    let files = Container::new(&service.store, tx.tenant(), &id)?.list()?;
    Ok(Some((id, files)))
}

/// Whether a container takes files.
pub(crate) fn is_open(tx: &mut Tx<'_>, connector: &str, container: &str) -> Result<bool, StoreError> {
    let found = tx.docs(&SESSIONS)?.get(container)?;
    Ok(found.is_some_and(|doc| doc.parent.as_deref() == Some(connector) && doc.body.get("state") == Some(&json!("open"))))
}

fn current(tx: &mut Tx<'_>, connector: &str) -> Result<Option<(String, Map<String, Value>)>, StoreError> {
    let docs = tx.docs(&SESSIONS)?.list(Some(connector), None, usize::from(u16::MAX))?;
    Ok(docs.into_iter().rev().find(|doc| doc.body.get("state") == Some(&json!("open"))).map(|doc| (doc.id, doc.body)))
}

fn set_closed(tx: &mut Tx<'_>, id: &str, mut body: Map<String, Value>) -> Result<(), StoreError> {
    body.insert("state".to_owned(), json!("closed"));
    tx.docs(&SESSIONS)?.update(id, &body, None).map(|_| ())
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
