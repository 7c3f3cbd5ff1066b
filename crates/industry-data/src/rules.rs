//! What may be created, changed and deleted, beyond what the EDM table says of single properties.

use crate::edm::MODEL;
use crate::{readiness, reference};
use odata::edm::{Primitive, StructuredType, TypeRef};
use odata::error::nearest;
use serde_json::{Map, Value, json};

/// A canonical document.
pub type Document = Map<String, Value>;

/// How a rule sees the rest of the tenant's configuration.
pub trait Lookup {
    /// The entity with that id.
    fn get(&self, collection: &str, id: &str) -> Option<Document>;
    /// All entities of a collection, of one parent or of all.
    fn list(&self, collection: &str, parent: Option<&str>) -> Vec<Document>;
    /// The time of the request, canonical UTC.
    fn now(&self) -> String;
}

/// Why a change is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It breaks a rule.
    Invalid {
        /// What and what would be right.
        message: String,
        /// JSON path.
        target: Option<String>,
    },
    /// It contradicts what is stored; details are code, message and target.
    Conflict {
        /// What stands in the way.
        message: String,
        /// The things that stand in the way.
        details: Vec<(String, String, String)>,
    },
    /// Something it hangs from is gone.
    NotFound {
        /// What.
        message: String,
    },
}

fn invalid(target: impl Into<String>, message: impl Into<String>) -> Refusal {
    Refusal::Invalid { message: message.into(), target: Some(target.into()) }
}

/// What a password is answered as, and what a client sends back to keep the stored one.
pub const PASSWORD_MASK: &str = "***************";
/// Names of the properties that are encrypted at rest.
pub const SECRET_PROPERTIES: [&str; 2] = ["clientSecret", "password"];

/// UTC with at most seven fraction digits, as Graph answers.
pub fn format_time(time: jiff::Timestamp) -> String {
    odata::time::format(time)
}

/// The document as a client may see it: passwords masked (decision 12).
pub fn present(collection: &str, document: &Document) -> Document {
    let mut shown = document.clone();
    if collection == "provisioningFlows" {
        mask(&mut shown);
    }
    shown
}

fn mask(document: &mut Document) {
    for (name, value) in document.iter_mut() {
        if name == "password" {
            *value = json!(PASSWORD_MASK);
            continue;
        }
        match value {
            Value::Object(inner) => mask(inner),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(mask),
            _ => {}
        }
    }
}

/// Checks and completes a new document.
pub fn on_create(collection: &str, parent: Option<&str>, document: &mut Document, lookup: &dyn Lookup) -> Result<(), Refusal> {
    let ty = document_type(collection, document);
    if let Some(ty) = ty {
        complete(ty, document, "", lookup)?;
    }
    match collection {
        "inboundFlows" | "provisioningFlows" => {
            document.insert("readinessStatus".to_owned(), json!("notReady"));
        }
        _ => {}
    }
    if let ("provisioningFlows", Some(set)) = (collection, parent) {
        if lookup.get("outboundProvisioningFlowSets", set).is_none() {
            return Err(Refusal::NotFound { message: format!("Resource '{set}' does not exist in 'outboundProvisioningFlowSets'.") });
        }
        only_one_of_a_kind(set, document, lookup)?;
    }
    check(collection, document, lookup)
}

/// Checks a change and completes the merged document.
pub fn on_patch(collection: &str, stored: &Document, patch: &Document, merged: &mut Document, lookup: &dyn Lookup) -> Result<(), Refusal> {
    if collection == "sourceSystems" {
        keep_role_groups(stored, merged);
    }
    keep_masked_secrets(stored, merged);
    if let Some(ty) = document_type(collection, merged) {
        complete(ty, merged, "", lookup)?;
    }
    if collection == "provisioningFlows" && patch.contains_key("readinessStatus") {
        patched_readiness(stored, patch, merged, lookup)?;
    }
    unmoved_bindings(collection, stored, merged)?;
    check(collection, merged, lookup)
}

/// What goes with an entity that is deleted; refused while it is in use (decision 7).
pub fn on_delete(collection: &str, id: &str, lookup: &dyn Lookup) -> Result<Vec<(&'static str, String)>, Refusal> {
    let users: &[(&str, &str)] = match collection {
        "sourceSystems" => &[("dataConnectors", "sourceSystem")],
        "dataConnectors" => &[("inboundFlows", "dataConnector")],
        "years" => &[("inboundFlows", "year")],
        _ => &[],
    };
    let mut details = Vec::new();
    for (user_collection, nav) in users {
        for user in lookup.list(user_collection, None) {
            if user.get(&format!("{nav}@odata.bind")).and_then(Value::as_str) == Some(&format!("{collection}/{id}")) {
                let user_id = user.get("id").and_then(Value::as_str).unwrap_or_default();
                let name = user.get("displayName").and_then(Value::as_str).unwrap_or_default();
                details.push(("InUse".to_owned(), format!("'{name}' uses it."), format!("/external/industryData/{user_collection}/{user_id}")));
            }
        }
    }
    if !details.is_empty() {
        return Err(Refusal::Conflict { message: format!("'{id}' is in use by {} other resources; delete those first.", details.len()), details });
    }
    if collection != "outboundProvisioningFlowSets" {
        return Ok(Vec::new());
    }
    let flows = lookup.list("provisioningFlows", Some(id));
    Ok(flows.iter().filter_map(|flow| flow.get("id").and_then(Value::as_str)).map(|id| ("provisioningFlows", id.to_owned())).collect())
}

/// The type a document has: its own word, else the collection's.
fn document_type(collection: &str, document: &Document) -> Option<&'static StructuredType> {
    let declared = match collection {
        "sourceSystems" => "sourceSystemDefinition",
        "years" => "yearTimePeriodDefinition",
        "outboundProvisioningFlowSets" => "outboundProvisioningFlowSet",
        "roleGroups" => "roleGroup",
        "referenceDefinitions" => "referenceDefinition",
        _ => "",
    };
    let named = document.get("@odata.type").and_then(Value::as_str).and_then(|name| MODEL.find_type(name));
    named.or_else(|| MODEL.find_type(&format!("microsoft.graph.industryData.{declared}")))
}

/// The reference type that a kind of reference value takes its codes from.
fn reference_type(ty: &StructuredType) -> Option<&'static str> {
    Some(match ty.name {
        "fileFormatReferenceValue" => "RefFileFormat",
        "identifierTypeReferenceValue" => "RefIdentifierType",
        "roleReferenceValue" => "RefRole",
        "sectionRoleReferenceValue" => "RefSectionRole",
        "userMatchTargetReferenceValue" => "RefUserMatchTarget",
        "yearReferenceValue" => "RefAcademicYear",
        _ => return None,
    })
}

/// Walks a document: codes become canonical, bindings are resolved, flags that were left out are off.
fn complete(ty: &'static StructuredType, document: &mut Document, path: &str, lookup: &dyn Lookup) -> Result<(), Refusal> {
    resolve_bindings(ty, document, path, lookup)?;
    if let Some(reference_type) = reference_type(ty) {
        return canonical_reference(reference_type, document, path);
    }
    if !ty.entity && ty.name == "credential" || MODEL.lineage(ty).any(|base| base.name == "credential") {
        document.entry("isValid").or_insert(json!(true));
        document.entry("lastValidDateTime").or_insert(Value::Null);
    }
    for property in MODEL.properties(ty) {
        let here = if path.is_empty() { property.name.to_owned() } else { format!("{path}.{}", property.name) };
        let off = !ty.entity && !property.nullable && property.ty == TypeRef::Primitive(Primitive::Boolean);
        if off && !document.contains_key(property.name) {
            document.insert(property.name.to_owned(), json!(false));
        }
        let TypeRef::Complex(name) = property.ty else { continue };
        let Some(declared) = MODEL.find_type(name) else { continue };
        let concrete = |value: &Document| value.get("@odata.type").and_then(Value::as_str).and_then(|n| MODEL.find_type(n)).unwrap_or(declared);
        match document.get_mut(property.name) {
            Some(Value::Object(inner)) => complete(concrete(inner), inner, &here, lookup)?,
            Some(Value::Array(items)) => {
                for (index, item) in items.iter_mut().enumerate() {
                    if let Value::Object(inner) = item {
                        complete(concrete(inner), inner, &format!("{here}[{index}]"), lookup)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn canonical_reference(reference_type: &str, value: &mut Document, path: &str) -> Result<(), Refusal> {
    let bound = value.get("value@odata.bind").and_then(Value::as_str);
    let from_bind = bound.and_then(|b| b.split_once('/')).and_then(|(_, id)| id.split_once('-')).map(|(_, code)| code.to_owned());
    let given = value.get("code").and_then(Value::as_str).map(str::to_owned).or(from_bind);
    let Some(given) = given else {
        return Err(invalid(format!("{path}.code"), format!("'{path}' needs a code of {reference_type}.")));
    };
    let Some(code) = reference::canonical_code(reference_type, &given) else {
        let hint = nearest(&given, reference::codes(reference_type)).map_or_else(String::new, |near| format!(" Did you mean '{near}'?"));
        return Err(invalid(format!("{path}.code"), format!("'{given}' is not a code of {reference_type}.{hint}")));
    };
    value.remove("@odata.type");
    value.remove("value@odata.bind");
    value.insert("code".to_owned(), json!(code));
    Ok(())
}

/// Where each navigation property leads.
fn bound_collection(navigation: &str) -> Option<&'static str> {
    Some(match navigation {
        "sourceSystem" => "sourceSystems",
        "dataConnector" => "dataConnectors",
        "year" => "years",
        "roleGroup" => "roleGroups",
        "value" => "referenceDefinitions",
        _ => return None,
    })
}

fn resolve_bindings(ty: &'static StructuredType, document: &mut Document, path: &str, lookup: &dyn Lookup) -> Result<(), Refusal> {
    for nav in MODEL.navigations(ty) {
        let name = format!("{}@odata.bind", nav.name);
        let Some(given) = document.get(&name).and_then(Value::as_str).map(str::to_owned) else { continue };
        let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let Some(wanted) = bound_collection(nav.name) else { return Err(invalid(here, format!("'{}' cannot be bound.", nav.name))) };
        let (collection, id) = given.split_once('/').unwrap_or_default();
        if !collection.eq_ignore_ascii_case(wanted) {
            return Err(invalid(here, format!("'{}' leads to {wanted}, not to '{collection}'.", nav.name)));
        }
        let Some(target) = lookup.get(wanted, id) else {
            return Err(invalid(here, format!("'{id}' does not exist in {wanted}.")));
        };
        let id = target.get("id").and_then(Value::as_str).unwrap_or(id);
        document.insert(name, json!(format!("{wanted}/{id}")));
    }
    Ok(())
}

/// Rules across properties and entities.
fn check(collection: &str, document: &Document, lookup: &dyn Lookup) -> Result<(), Refusal> {
    let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
    match collection {
        "years" if text("startDate") > text("endDate") => Err(invalid("endDate", "endDate is before startDate.")),
        "inboundFlows" => inbound_flow(document, lookup),
        "sourceSystems" => {
            let settings = document.get("userMatchingSettings").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            for (index, setting) in settings.iter().enumerate() {
                if setting.get("roleGroup@odata.bind").is_none() {
                    let here = format!("userMatchingSettings[{index}].roleGroup@odata.bind");
                    return Err(invalid(here, "'roleGroup@odata.bind' is required: the role group whose people the rule is for."));
                }
            }
            Ok(())
        }
        "dataConnectors" => {
            let base = document.get("baseUrl").and_then(Value::as_str);
            match base {
                Some(url) if !(url.starts_with("https://") || url.starts_with("http://")) => {
                    Err(invalid("baseUrl", format!("'{url}' is not a URL with scheme and host, such as https://sis.example/ims/oneroster/v1p1.")))
                }
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn inbound_flow(document: &Document, lookup: &dyn Lookup) -> Result<(), Refusal> {
    let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
    let expires = text("expirationDateTime");
    if !expires.is_empty() && expires <= text("effectiveDateTime") {
        return Err(invalid("expirationDateTime", "expirationDateTime is not after effectiveDateTime."));
    }
    let connector = text("dataConnector@odata.bind").split_once('/').and_then(|(c, id)| lookup.get(c, id));
    let connector = connector.as_ref().and_then(|c| c.get("@odata.type")).and_then(Value::as_str).unwrap_or_default();
    let file_flow = text("@odata.type").ends_with("inboundFileFlow");
    let file_connector = connector.ends_with("azureDataLakeConnector");
    if file_flow != file_connector {
        let wanted = if file_flow { "azureDataLakeConnector" } else { "oneRosterApiDataConnector" };
        return Err(invalid("dataConnector@odata.bind", format!("This kind of flow needs a connector of type {wanted}.")));
    }
    Ok(())
}

fn only_one_of_a_kind(set: &str, document: &Document, lookup: &dyn Lookup) -> Result<(), Refusal> {
    let kind = document.get("@odata.type");
    let Some(other) = lookup.list("provisioningFlows", Some(set)).into_iter().find(|flow| flow.get("@odata.type") == kind) else { return Ok(()) };
    let id = other.get("id").and_then(Value::as_str).unwrap_or_default();
    let kind = kind.and_then(Value::as_str).and_then(|k| k.rsplit('.').next()).unwrap_or_default();
    Err(Refusal::Conflict {
        message: format!("This flow set already has a {kind}; a set has one flow of each kind at most."),
        details: vec![("Duplicate".to_owned(), format!("{kind} '{id}'"), format!("/external/industryData/outboundProvisioningFlowSets/{set}/provisioningFlows/{id}"))],
    })
}

/// A binding that is given again must be the stored one: what an entity hangs from is fixed.
fn unmoved_bindings(collection: &str, stored: &Document, merged: &Document) -> Result<(), Refusal> {
    let fixed: &[&str] = match collection {
        "dataConnectors" => &["sourceSystem@odata.bind"],
        "inboundFlows" => &["dataConnector@odata.bind", "year@odata.bind"],
        _ => &[],
    };
    match fixed.iter().find(|name| stored.get(**name) != merged.get(**name)) {
        Some(name) => Err(invalid(*name, format!("'{name}' cannot be changed after creation."))),
        None => Ok(()),
    }
}

/// Matching settings that come back without role groups keep the stored ones: by position, and by
/// source identifier when their number has changed (decision 14).
fn keep_role_groups(stored: &Document, merged: &mut Document) {
    let before: Vec<Value> = stored.get("userMatchingSettings").and_then(Value::as_array).cloned().unwrap_or_default();
    let Some(Value::Array(after)) = merged.get_mut("userMatchingSettings") else { return };
    let same_number = before.len() == after.len();
    let mut used = vec![false; before.len()];
    for (index, setting) in after.iter_mut().enumerate() {
        let Value::Object(setting) = setting else { continue };
        if setting.contains_key("roleGroup@odata.bind") {
            continue;
        }
        let identifier = setting.get("sourceIdentifier").and_then(|s| s.get("code")).cloned();
        let found = if same_number {
            Some(index)
        } else {
            (0..before.len()).find(|i| !used[*i] && before[*i].get("sourceIdentifier").and_then(|s| s.get("code")).cloned() == identifier)
        };
        let Some(found) = found else { continue };
        used[found] = true;
        if let Some(bind) = before[found].get("roleGroup@odata.bind") {
            setting.insert("roleGroup@odata.bind".to_owned(), bind.clone());
        }
    }
}

/// A password that comes back as the mask keeps the stored one, place by place.
fn keep_masked_secrets(stored: &Document, merged: &mut Document) {
    for (name, value) in merged.iter_mut() {
        let before = stored.get(name);
        if name == "password" && *value == json!(PASSWORD_MASK) {
            if let Some(before) = before {
                *value = before.clone();
            }
            continue;
        }
        match (before, value) {
            (Some(Value::Object(before)), Value::Object(after)) => keep_masked_secrets(before, after),
            (Some(Value::Array(before)), Value::Array(after)) => {
                for (before, after) in before.iter().zip(after) {
                    if let (Value::Object(before), Value::Object(after)) = (before, after) {
                        keep_masked_secrets(before, after);
                    }
                }
            }
            _ => {}
        }
    }
}

/// A client may say `disabled` and `ready`, and may send back what it read (decision 4).
fn patched_readiness(stored: &Document, patch: &Document, merged: &mut Document, lookup: &dyn Lookup) -> Result<(), Refusal> {
    let given = patch.get("readinessStatus").cloned().unwrap_or_default();
    let before = stored.get("readinessStatus").cloned().unwrap_or_default();
    let after = match given.as_str() {
        _ if given == before => before,
        Some("disabled") => given,
        Some("ready") => {
            merged.insert("readinessStatus".to_owned(), json!("notReady"));
            // The set is the parent and not part of the document: the background job looks at its
            // filter; what can be seen from here is answered at once.
            json!(readiness::provisioning_flow(merged, &Document::new(), &lookup.now(), lookup))
        }
        _ => return Err(invalid("readinessStatus", format!("readinessStatus can be set to disabled or ready, not to {given}."))),
    };
    merged.insert("readinessStatus".to_owned(), after);
    Ok(())
}

#[cfg(test)]
mod tests;
