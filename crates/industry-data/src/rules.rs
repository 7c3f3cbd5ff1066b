//! What may be created, changed and deleted, beyond what the EDM table says of single properties.
//!
//! Everything here works on canonical documents (see `odata::decode`) and is pure: the rest of the
//! tenant's configuration is seen through [`Lookup`]. Numbers in brackets name the product's
//! decisions about behaviour that the public reference leaves open.

mod canonical;
mod checks;
mod keep;
mod secrets;
mod usage;

#[cfg(test)]
mod tests;

use crate::edm::MODEL;
use crate::readiness::Readiness;
use crate::reference;
use canonical::Origin;
use odata::edm::StructuredType;
use serde_json::{Map, Value, json};

pub use secrets::{MASK, SECRET_PROPERTIES, for_each_secret, present};
pub use usage::on_delete;

/// A canonical document.
pub type Document = Map<String, Value>;

/// How the rules see the rest of a tenant's configuration, built-in rows included.
pub trait Lookup {
    /// The entity of a collection with that id, its `id` inside.
    fn get(&self, collection: &str, id: &str) -> Option<Document>;
    /// All entities of a collection: of one parent, or of all when none is given.
    fn list(&self, collection: &str, parent: Option<&str>) -> Vec<Document>;
}

/// Why a change is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It breaks a rule (400).
    #[error("{message}")]
    Invalid {
        /// What is wrong and what would be right.
        message: String,
        /// JSON path of the property at fault.
        target: Option<String>,
    },
    /// It contradicts what is stored (409).
    #[error("{message}")]
    Conflict {
        /// What stands in the way.
        message: String,
        /// The things that stand in the way: code, message, path of their URL.
        details: Vec<(String, String, String)>,
    },
    /// What it hangs from does not exist (404).
    #[error("{message}")]
    NotFound {
        /// What is missing.
        message: String,
    },
}

impl Refusal {
    fn invalid(target: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { message: message.into(), target: Some(target.into()) }
    }
}

/// What DELETE does to an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// It goes.
    Remove,
    /// It stays and is marked as disabled: earlier runs may refer to it.
    Disable,
}

/// What DELETE means in a collection.
pub fn deletion(collection: &str) -> Deletion {
    if collection == "referenceDefinitions" { Deletion::Disable } else { Deletion::Remove }
}

/// The id of a new entity where the API prescribes it: `{referenceType}-{code}` of a reference row.
///
/// `None` means that the server chooses one.
pub fn prescribed_id(collection: &str, document: &Document) -> Option<String> {
    if collection != "referenceDefinitions" {
        return None;
    }
    Some(format!("{}-{}", text(document, "referenceType"), text(document, "code")))
}

/// What entities of a collection are made of once and for all, beyond what the model marks as
/// immutable: there two spellings of one code would be two values.
pub fn fixed_on_create(collection: &str) -> &'static [&'static str] {
    match collection {
        "dataConnectors" => &["sourceSystem@odata.bind", "fileFormat"],
        "inboundFlows" => &["dataConnector@odata.bind", "year@odata.bind"],
        "years" => &["year"],
        _ => &[],
    }
}

/// A time as the API answers it: UTC, `Z`, at most seven fraction digits.
pub fn format_time(time: jiff::Timestamp) -> String {
    odata::time::format(time)
}

/// Checks a new document and completes it: codes and bindings canonical, server-set values and
/// defaults in. `parent` is the id of the entity that contains the collection.
///
/// Fails with what is wrong with it, what it contradicts, or which parent is missing.
pub fn on_create(collection: &str, parent: Option<&str>, document: &mut Document, lookup: &dyn Lookup) -> Result<(), Refusal> {
    if let Some(ty) = type_of(collection, document) {
        canonical::canonicalise(ty, document, Origin::Created, lookup)?;
    }
    set_defaults(collection, document);
    checks::new(collection, parent, document, lookup)?;
    checks::always(collection, document, lookup)
}

/// Checks a change. `patch` is what the client sent, `merged` the stored document with the patch
/// laid over it; `merged` comes out canonical, with kept secrets and role groups.
///
/// Fails with what is wrong with the change or what it contradicts.
pub fn on_patch(
    collection: &str,
    _parent: Option<&str>,
    stored: &Document,
    patch: &Document,
    merged: &mut Document,
    lookup: &dyn Lookup,
) -> Result<(), Refusal> {
    let ty = type_of(collection, merged);
    if let Some(ty) = ty {
        canonical::canonicalise(ty, merged, Origin::Merged, lookup)?;
    }
    keep::restore(stored, merged);
    if collection == "provisioningFlows" && patch.contains_key("readinessStatus") {
        patched_readiness(stored, patch, merged)?;
    }
    if collection == "dataConnectors" {
        keep::forget_test(stored, merged);
        // Clients send back what they have read: only another format is a choice.
        if stored.get("fileFormat") != merged.get("fileFormat") {
            merged.remove(FILE_FORMAT_ASSUMED);
        }
    }
    checks::fixed(collection, stored, merged)?;
    if let Some(ty) = ty {
        complete(ty, merged)?;
    }
    checks::always(collection, merged, lookup)
}

/// A patched collection has whole new values in it: what they need on create they need here too.
fn complete(ty: &'static StructuredType, merged: &Document) -> Result<(), Refusal> {
    odata::decode::check_required(&MODEL, ty, merged).map_err(|error| Refusal::Invalid { message: error.message, target: error.target })
}

/// Mark of a file connector whose client has not said a format: the files tell it. Never on the wire.
pub const FILE_FORMAT_ASSUMED: &str = "_fileFormatAssumed";

/// Values that the server sets when something is created.
fn set_defaults(collection: &str, document: &mut Document) {
    match collection {
        "inboundFlows" | "provisioningFlows" => {
            document.insert("readinessStatus".to_owned(), json!(Readiness::NotReady.as_str()));
        }
        // Clients that list connectors rely on the code being there, whatever was sent.
        "dataConnectors" if text(document, "@odata.type").ends_with(".azureDataLakeConnector") => {
            let format = document.entry("fileFormat").or_insert(Value::Null);
            if format.is_null() {
                *format = json!({ "code": reference::DEFAULT_FILE_FORMAT });
                document.insert(FILE_FORMAT_ASSUMED.to_owned(), json!(true));
            }
        }
        "referenceDefinitions" => {
            document.insert("source".to_owned(), json!(reference::TENANT_SOURCE));
        }
        _ => {}
    }
}

/// A client may say `disabled` and `ready`, and may send back what it has read [4, 14].
fn patched_readiness(stored: &Document, patch: &Document, merged: &mut Document) -> Result<(), Refusal> {
    let before = stored.get("readinessStatus");
    let given = patch.get("readinessStatus").unwrap_or(&Value::Null);
    let may_be_said = given.as_str().and_then(Readiness::parse).is_some_and(|r| matches!(r, Readiness::Disabled | Readiness::Ready));
    if !may_be_said && before != Some(given) {
        let message = format!("readinessStatus can be set to disabled or ready, not to {given}.");
        return Err(Refusal::invalid("readinessStatus", message));
    }
    merged.insert("readinessStatus".to_owned(), given.clone());
    Ok(())
}

/// The type of a document: what it says itself, else the only one its collection has.
fn type_of(collection: &str, document: &Document) -> Option<&'static StructuredType> {
    let named = document.get("@odata.type").and_then(Value::as_str).and_then(|name| MODEL.find_type(name));
    named.or_else(|| {
        let only = match collection {
            "sourceSystems" => "sourceSystemDefinition",
            "years" => "yearTimePeriodDefinition",
            "outboundProvisioningFlowSets" => "outboundProvisioningFlowSet",
            "roleGroups" => "roleGroup",
            "referenceDefinitions" => "referenceDefinition",
            _ => return None,
        };
        MODEL.find_type(&format!("{}.{only}", crate::edm::INDUSTRY_DATA))
    })
}

/// A text property, empty when it is missing.
fn text<'d>(document: &'d Document, name: &str) -> &'d str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The objects in a collection-valued property.
fn objects<'d>(document: &'d Document, name: &str) -> impl Iterator<Item = &'d Document> {
    document.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}
