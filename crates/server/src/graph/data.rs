//! What the graph layer reads and writes, with the caller's own permissions.
//!
//! Three kinds of collections look the same from here: documents of the store, built-in rows with
//! a tenant's own beside them (role groups, reference definitions), and the embedded directory.

use super::collections::{COLLECTIONS, Collection, find};
use super::place::{CollectionPlace, EntityPlace};
use super::pushdown::Exact;
use crate::app::App;
use crate::error::AppError;
use crate::jobs;
use directory::embedded::graph as dir;
use industry_data::permissions::{Action, Resource, allowed};
use industry_data::rules::{self, Deletion, Lookup};
use industry_data::{MODEL, reference};
use odata::edm::StructuredType;
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use store::{Access, OpContext, StoreError, Tx};

/// An entity as it is stored.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Key.
    pub id: String,
    /// Canonical document.
    pub body: Map<String, Value>,
    /// Version, the source of the ETag.
    pub version: i64,
}

impl Stored {
    /// Weak, because two encodings of one version differ in bytes.
    pub fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }
}

/// One unit of work.
pub struct Data<'a, 't> {
    tx: RefCell<&'a mut Tx<'t>>,
    ctx: &'a OpContext,
    /// What went wrong while the rules looked things up; they cannot tell "not there" from "not readable".
    failed: RefCell<Option<StoreError>>,
}

impl<'a, 't> Data<'a, 't> {
    /// Wraps a transaction.
    pub fn new(tx: &'a mut Tx<'t>, ctx: &'a OpContext) -> Self {
        Self { tx: RefCell::new(tx), ctx, failed: RefCell::new(None) }
    }

    /// Who asks, when, for which tenant.
    pub fn ctx(&self) -> &OpContext {
        self.ctx
    }

    /// Runs something on the transaction itself.
    pub fn with_tx<T>(&self, f: impl FnOnce(&mut Tx<'t>) -> T) -> T {
        f(&mut self.tx.borrow_mut())
    }

    /// Refuses unless the caller may do this with the collection.
    pub fn require(&self, collection: &Collection, action: Action) -> Result<(), AppError> {
        Ok(self.ctx.grants.require(allowed(collection.resource, action))?)
    }

    /// Finds an entity; `None` when there is none.
    pub fn find(&self, at: &EntityPlace) -> Result<Option<Stored>, AppError> {
        self.find_as(at, Action::Read)
    }

    fn find_as(&self, at: &EntityPlace, action: Action) -> Result<Option<Stored>, AppError> {
        let collection = at.within.collection;
        self.require(collection, action)?;
        match collection.name {
            "users" => self.with_tx(|tx| dir::user_get(tx, &at.id)).map(|found| found.map(from_directory)).map_err(directory_error),
            "groups" => self.with_tx(|tx| dir::group_get(tx, &at.id)).map(|found| found.map(from_directory)).map_err(directory_error),
            name => {
                if let Some(built_in) = built_in(name).into_iter().find(|row| row.id == at.id) {
                    return Ok(Some(built_in));
                }
                let found = self.with_tx(|tx| tx.docs(&access(collection, action))?.get(&at.id))?;
                let found = found.filter(|doc| doc.parent == at.within.parent);
                Ok(found.map(|doc| Stored { id: doc.id, body: doc.body, version: doc.version }))
            }
        }
    }

    /// Gets an entity, of the type that a cast in the URL names, or 404.
    pub fn get(&self, at: &EntityPlace) -> Result<Stored, AppError> {
        self.get_as(at, Action::Read)
    }

    /// The same, for a caller who may write but perhaps not read.
    pub fn get_for_write(&self, at: &EntityPlace) -> Result<Stored, AppError> {
        self.get_as(at, Action::Write)
    }

    fn get_as(&self, at: &EntityPlace, action: Action) -> Result<Stored, AppError> {
        let found = self.find_as(at, action)?;
        found
            .filter(|stored| at.within.cast.is_none_or(|ty| self.is_of_type(&at.within, stored, ty)))
            .ok_or_else(|| AppError::no_such(at.within.collection.name, &at.id))
    }

    /// 404 unless the entity is there.
    pub fn require_exists(&self, at: &EntityPlace) -> Result<(), AppError> {
        self.get(at).map(|_| ())
    }

    /// 404 unless the entity is of a type (a cast segment after a key).
    pub fn require_type(&self, at: &EntityPlace, ty: &StructuredType) -> Result<(), AppError> {
        let collection = at.within.collection;
        let found = match self.require(collection, Action::Read) {
            // Who may only upload passes through the cast in the URL of the upload session.
            Err(refused) if collection.name == "dataConnectors" => {
                self.ctx.grants.require(allowed(Resource::Upload, Action::Write)).map_err(|_| refused)?;
                self.stored_unchecked(at)?
            }
            Err(refused) => return Err(refused),
            Ok(()) => self.find(at)?,
        };
        match found {
            Some(stored) if self.is_of_type(&at.within, &stored, ty) => Ok(()),
            Some(_) => Err(AppError::NotFound(format!("Resource '{}' is not a {}.", at.id, ty.name))),
            None => Err(AppError::no_such(at.within.collection.name, &at.id)),
        }
    }

    /// An entity for Homeroom's own purposes: a look at its type, or an operation with a permission of its own.
    pub fn stored_unchecked(&self, at: &EntityPlace) -> Result<Option<Stored>, AppError> {
        let access = Access::unchecked(at.within.collection.name);
        let found = self.with_tx(|tx| tx.docs(&access)?.get(&at.id))?;
        Ok(found.map(|doc| Stored { id: doc.id, body: doc.body, version: doc.version }))
    }

    /// Whether a stored entity is of a type or of one derived from it.
    pub fn is_of_type(&self, at: &CollectionPlace, stored: &Stored, ty: &StructuredType) -> bool {
        let actual = stored.body.get("@odata.type").and_then(Value::as_str).unwrap_or(at.collection.element);
        MODEL.find_type(actual).is_some_and(|actual| MODEL.is_subtype(actual, ty))
    }

    /// Up to `limit` entities after an id, in order of id.
    pub fn batch(&self, at: &CollectionPlace, after: Option<&str>, limit: usize, exact: &[Exact]) -> Result<Vec<Stored>, AppError> {
        self.require(at.collection, Action::List)?;
        let equal = |name: &str| exact.iter().find(|e| e.property == name).map(|e| e.value.as_str());
        match at.collection.name {
            "users" => {
                let query = dir::UserQuery { after, limit, upn: equal("userPrincipalName"), mail: equal("mail"), id: equal("id") };
                let found = self.with_tx(|tx| dir::user_list(tx, &query)).map_err(directory_error)?;
                Ok(found.into_iter().map(from_directory).collect())
            }
            "groups" => {
                let query = dir::GroupQuery { after, limit, display_name: equal("displayName"), id: equal("id") };
                let found = self.with_tx(|tx| dir::group_list(tx, &query)).map_err(directory_error)?;
                Ok(found.into_iter().map(from_directory).collect())
            }
            name => {
                let access = access(at.collection, Action::List);
                let rows = built_in(name);
                if rows.is_empty() {
                    let docs = self.with_tx(|tx| tx.docs(&access)?.list(at.parent.as_deref(), after, limit))?;
                    return Ok(docs.into_iter().map(|d| Stored { id: d.id, body: d.body, version: d.version }).collect());
                }
                let own = self.with_tx(|tx| tx.docs(&access)?.list(None, None, usize::from(u16::MAX)))?;
                let mut all = rows;
                all.extend(own.into_iter().map(|d| Stored { id: d.id, body: d.body, version: d.version }));
                all.sort_by(|a, b| a.id.cmp(&b.id));
                Ok(all.into_iter().filter(|s| after.is_none_or(|after| s.id.as_str() > after)).take(limit).collect())
            }
        }
    }

    /// Number of entities in a collection.
    pub fn count(&self, at: &CollectionPlace) -> Result<u64, AppError> {
        self.require(at.collection, Action::List)?;
        match at.collection.name {
            "users" => self.with_tx(dir::user_count).map_err(directory_error),
            "groups" => self.with_tx(dir::group_count).map_err(directory_error),
            name => {
                let access = access(at.collection, Action::List);
                let own = self.with_tx(|tx| tx.docs(&access)?.count(at.parent.as_deref()))?;
                Ok(own + built_in(name).len() as u64)
            }
        }
    }

    /// Stores a new entity after the rules of its collection have agreed.
    pub fn create(&self, app: &App, at: &CollectionPlace, mut body: Map<String, Value>) -> Result<Stored, AppError> {
        self.require(at.collection, Action::Write)?;
        let id = app.new_id().to_string();
        match at.collection.name {
            "users" => self.with_tx(|tx| dir::user_create(tx, &id, body, self.ctx.now)).map(from_directory).map_err(directory_error),
            "groups" => self.with_tx(|tx| dir::group_create(tx, &id, body, self.ctx.now)).map(from_directory).map_err(directory_error),
            name => {
                rules::on_create(name, at.parent.as_deref(), &mut body, self)?;
                self.looked_up()?;
                let declared = super::declared_type(at)?;
                let concrete = super::write::concrete_type(declared, &body);
                super::write::stamp(&mut body, concrete, self.ctx.now);
                let id = rules::prescribed_id(name, &body).unwrap_or(id);
                body.insert("id".to_owned(), json!(id));
                let sealed = app.seal_secrets(self.ctx.tenant, name, &id, body)?;
                self.with_tx(|tx| tx.docs(&access(at.collection, Action::Write))?.insert(&id, at.parent.as_deref(), &sealed))?;
                Ok(Stored { id, body: sealed, version: 1 })
            }
        }
    }

    /// Stores a changed entity after the rules have agreed.
    pub fn update(
        &self,
        app: &App,
        at: &EntityPlace,
        stored: &Stored,
        patch: &Map<String, Value>,
        mut merged: Map<String, Value>,
    ) -> Result<Stored, AppError> {
        let collection = at.within.collection;
        self.require(collection, Action::Write)?;
        match collection.name {
            "users" => self.with_tx(|tx| dir::user_update(tx, &stored.id, patch)).map(from_directory).map_err(directory_error),
            "groups" => self.with_tx(|tx| dir::group_update(tx, &stored.id, patch)).map(from_directory).map_err(directory_error),
            name => {
                rules::on_patch(name, at.within.parent.as_deref(), &stored.body, patch, &mut merged, self)?;
                self.looked_up()?;
                if built_in(name).iter().any(|row| row.id == stored.id) {
                    // The rules let nothing pass that would change it.
                    return Ok(stored.clone());
                }
                if merged.contains_key("lastModifiedDateTime") {
                    merged.insert("lastModifiedDateTime".to_owned(), json!(rules::format_time(self.ctx.now)));
                }
                let sealed = app.seal_secrets(self.ctx.tenant, name, &at.id, merged)?;
                let version =
                    self.with_tx(|tx| tx.docs(&access(collection, Action::Write))?.update(&at.id, &sealed, Some(stored.version)))?;
                Ok(Stored { id: at.id.clone(), body: sealed, version })
            }
        }
    }

    /// Removes an entity and what hangs from it, unless it is in use.
    pub fn delete(&self, app: &App, at: &EntityPlace) -> Result<(), AppError> {
        let collection = at.within.collection;
        self.require(collection, Action::Write)?;
        match collection.name {
            "users" => self.with_tx(|tx| dir::user_delete(tx, &at.id)).map_err(directory_error),
            "groups" => self.with_tx(|tx| dir::group_delete(tx, &at.id)).map_err(directory_error),
            name => {
                let children = rules::on_delete(name, &at.id, self)?;
                self.looked_up()?;
                // What a deleted flow has made stays, but no flow is left that would hold on to it.
                let forget = |collection: &str, id: &str| match collection {
                    "provisioningFlows" => self.with_tx(|tx| crate::runs::reset_flow(tx, id)),
                    _ => Ok(()),
                };
                forget(name, &at.id)?;
                for (child_collection, child) in children {
                    forget(child_collection, &child)?;
                    let child_collection =
                        find(child_collection).ok_or_else(|| AppError::Internal("unknown child collection".to_owned()))?;
                    self.with_tx(|tx| tx.docs(&access(child_collection, Action::Write))?.delete(&child))?;
                }
                if name == "dataConnectors" {
                    // Its address takes no more files; those that are there are swept.
                    self.with_tx(|tx| upload::close_session(app.uploads(), tx, &at.id))?;
                }
                if rules::deletion(name) == Deletion::Disable {
                    return self.disable(at);
                }
                self.with_tx(|tx| tx.docs(&access(collection, Action::Write))?.delete(&at.id))?;
                Ok(())
            }
        }
    }

    /// DELETE of a reference row: earlier runs may refer to it, so it stays and is marked.
    fn disable(&self, at: &EntityPlace) -> Result<(), AppError> {
        let mut stored = self.get_for_write(at)?;
        stored.body.insert("isDisabled".to_owned(), json!(true));
        stored.body.insert("lastModifiedDateTime".to_owned(), json!(rules::format_time(self.ctx.now)));
        let access = access(at.within.collection, Action::Write);
        self.with_tx(|tx| tx.docs(&access)?.update(&at.id, &stored.body, Some(stored.version)))?;
        Ok(())
    }

    /// A user or group, for who may read memberships.
    pub fn directory_object(&self, at: &EntityPlace) -> Result<Option<Stored>, AppError> {
        let found =
            self.with_tx(|tx| if at.within.collection.name == "users" { dir::user_get(tx, &at.id) } else { dir::group_get(tx, &at.id) });
        found.map(|found| found.map(from_directory)).map_err(directory_error)
    }

    /// Every provisioning flow of a type as (set, flow).
    pub fn all_provisioning_flows(&self, ty: &str, writing: bool) -> Result<Vec<(String, String)>, AppError> {
        let collection = find("provisioningFlows").ok_or_else(|| AppError::Internal("no provisioningFlows".to_owned()))?;
        let action = if writing { Action::Write } else { Action::Read };
        self.require(collection, action)?;
        let docs = self.with_tx(|tx| tx.docs(&access(collection, action))?.list(None, None, usize::from(u16::MAX)))?;
        Ok(docs
            .into_iter()
            .filter(|doc| doc.body.get("@odata.type").and_then(Value::as_str) == Some(ty))
            .filter_map(|doc| Some((doc.parent?, doc.id)))
            .collect())
    }

    /// The newest run's id.
    pub fn latest_run(&self) -> Result<Option<String>, AppError> {
        let collection = find("runs").ok_or_else(|| AppError::Internal("no runs".to_owned()))?;
        self.require(collection, Action::Read)?;
        Ok(self.with_tx(|tx| tx.docs(&access(collection, Action::Read))?.last_id())?)
    }

    /// What a run counted, as `industryDataRunStatistics`.
    pub fn statistics(&self, run: &str) -> Result<Map<String, Value>, AppError> {
        self.ctx.grants.require(allowed(Resource::Runs, Action::Read))?;
        self.with_tx(|tx| crate::runs::statistics(tx, run))
    }

    /// Forgets what a provisioning flow has applied, so that the next run starts from scratch (decision 10).
    pub fn reset_flow(&self, at: &EntityPlace) -> Result<(), AppError> {
        self.get_for_write(at)?;
        self.with_tx(|tx| crate::runs::reset_flow(tx, &at.id))
    }

    /// The upload session of a file connector.
    pub fn open_upload_session(&self, app: &App, at: &EntityPlace, base_url: &str, reset: bool) -> Result<Map<String, Value>, AppError> {
        self.ctx.grants.require(allowed(industry_data::permissions::Resource::Upload, Action::Write))?;
        if self.stored_unchecked(at)?.is_none() {
            return Err(AppError::no_such(at.within.collection.name, &at.id));
        }
        self.with_tx(|tx| jobs::open_upload_session(app, tx, &at.id, base_url, reset))
    }
}

/// The rules see configuration as it is, whatever the caller may read: a rule is not the caller.
impl Lookup for Data<'_, '_> {
    fn get(&self, collection: &str, id: &str) -> Option<Map<String, Value>> {
        if let Some(row) = built_in(collection).into_iter().find(|row| row.id.eq_ignore_ascii_case(id)) {
            return Some(row.body);
        }
        let collection = COLLECTIONS.iter().find(|c| c.name == collection)?;
        let found = self.with_tx(|tx| tx.docs(&Access::unchecked(collection.name))?.get(id));
        self.or_remember(found).flatten().map(|doc| doc.body)
    }

    fn list(&self, collection: &str, parent: Option<&str>) -> Vec<Map<String, Value>> {
        let Some(collection) = find(collection) else { return Vec::new() };
        let found = self.with_tx(|tx| tx.docs(&Access::unchecked(collection.name))?.list(parent, None, usize::from(u16::MAX)));
        self.or_remember(found).unwrap_or_default().into_iter().map(|doc| doc.body).collect()
    }
}

impl Data<'_, '_> {
    fn or_remember<T>(&self, found: Result<T, StoreError>) -> Option<T> {
        found.map_err(|error| *self.failed.borrow_mut() = Some(error)).ok()
    }

    /// Fails when a look-up of the rules has failed; to be asked before what they said is acted on.
    fn looked_up(&self) -> Result<(), AppError> {
        self.failed.borrow_mut().take().map_or(Ok(()), |error| Err(error.into()))
    }
}

fn access(collection: &'static Collection, action: Action) -> Access {
    Access::new(collection.name, allowed(collection.resource, action))
}

/// Rows that every tenant has.
fn built_in(collection: &str) -> Vec<Stored> {
    let documents = match collection {
        "roleGroups" => reference::role_group_documents(),
        "referenceDefinitions" => reference::definition_documents(),
        _ => return Vec::new(),
    };
    let id = |body: &Map<String, Value>| body.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    documents.into_iter().map(|body| Stored { id: id(&body), body, version: 1 }).collect()
}

fn from_directory(document: dir::Document) -> Stored {
    Stored { id: document.id, body: document.body, version: document.version }
}

/// What the directory refuses, in the words of the API.
pub(super) fn directory_error(error: directory::DirectoryError) -> AppError {
    use directory::DirectoryError;
    match error {
        DirectoryError::NotFound(message) => AppError::NotFound(message),
        DirectoryError::Conflict(message) => AppError::Conflict { message, details: Vec::new() },
        DirectoryError::Invalid { message, target } => AppError::Invalid { message, target },
        DirectoryError::Store(error) => error.into(),
        other => AppError::Internal(other.to_string()),
    }
}
