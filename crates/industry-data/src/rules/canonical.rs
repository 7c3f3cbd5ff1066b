//! One walk over a document along its type: bindings resolved, codes in their canonical spelling,
//! defaults of complex values filled in.

use super::{Document, Lookup, Refusal};
use crate::edm::MODEL;
use crate::reference;
use odata::edm::{Navigation, OnCreate, Primitive, Property, StructuredType, TypeRef};
use odata::error::nearest;
use serde_json::{Value, json};

/// Where a document comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A client's body as a whole.
    Created,
    /// A stored document with a patch laid over it: its codes may be older than its bindings.
    Merged,
}

struct Walk<'l> {
    origin: Origin,
    lookup: &'l dyn Lookup,
}

/// Brings a document of a type into canonical form; fails on a binding or code that means nothing.
pub(super) fn canonicalise(
    ty: &'static StructuredType,
    document: &mut Document,
    origin: Origin,
    lookup: &dyn Lookup,
) -> Result<(), Refusal> {
    Walk { origin, lookup }.object(ty, document, "")
}

impl Walk<'_> {
    fn object(&self, ty: &'static StructuredType, document: &mut Document, path: &str) -> Result<(), Refusal> {
        if let Some(reference_type) = reference_type(ty) {
            return self.reference_value(reference_type, document, path);
        }
        for nav in MODEL.navigations(ty) {
            self.binding(nav, document, path)?;
        }
        if !ty.entity {
            fill_defaults(ty, document);
        }
        for property in MODEL.properties(ty) {
            let TypeRef::Complex(name) = property.ty else {
                continue;
            };
            if let (Some(declared), Some(value)) = (MODEL.find_type(name), document.get_mut(property.name)) {
                self.value(declared, value, &join(path, property.name))?;
            }
        }
        Ok(())
    }

    fn value(&self, declared: &'static StructuredType, value: &mut Value, path: &str) -> Result<(), Refusal> {
        match value {
            Value::Object(inner) => {
                let named = inner.get("@odata.type").and_then(Value::as_str).and_then(|name| MODEL.find_type(name));
                self.object(named.unwrap_or(declared), inner, path)
            }
            Value::Array(items) => {
                let mut items = items.iter_mut().enumerate();
                items.try_for_each(|(index, item)| self.value(declared, item, &format!("{path}[{index}]")))
            }
            _ => Ok(()),
        }
    }

    /// A binding must lead to an entity of the right collection.
    fn binding(&self, nav: &Navigation, document: &mut Document, path: &str) -> Result<(), Refusal> {
        let name = format!("{}@odata.bind", nav.name);
        let Some(given) = document.get(&name).and_then(Value::as_str) else {
            return Ok(());
        };
        let here = join(path, &name);
        let Some(wanted) = collection_of(nav.target) else {
            return Err(Refusal::invalid(here, format!("'{}' cannot be bound.", nav.name)));
        };
        let (collection, id) = given.split_once('/').unwrap_or(("", given));
        if !collection.eq_ignore_ascii_case(wanted) {
            return Err(Refusal::invalid(here, format!("'{}' leads to an entity of {wanted}, not of '{collection}'.", nav.name)));
        }
        let Some(target) = self.lookup.get(wanted, id) else {
            return Err(Refusal::invalid(here, format!("'{id}' does not exist in {wanted}.")));
        };
        let id = target.get("id").and_then(Value::as_str).unwrap_or(id);
        let canonical = json!(format!("{wanted}/{id}"));
        document.insert(name, canonical);
        Ok(())
    }

    /// A reference value is its canonical code, however it was given.
    fn reference_value(&self, reference_type: &str, value: &mut Document, path: &str) -> Result<(), Refusal> {
        let at_code = join(path, "code");
        let given = match value.get("code") {
            Some(Value::String(given)) => Some(canonical_code(reference_type, given, &at_code)?),
            _ => None,
        };
        let bound = match value.get("value@odata.bind") {
            Some(Value::String(bound)) => Some(bound_code(reference_type, bound, &join(path, "value@odata.bind"))?),
            _ => None,
        };
        let code = match (given, bound) {
            (Some(given), Some(bound)) if given != bound && self.origin == Origin::Created => {
                let message = format!("code is '{given}' and value@odata.bind leads to '{bound}'; give one of them, or the same.");
                return Err(Refusal::invalid(at_code, message));
            }
            (_, Some(bound)) => bound,
            (Some(given), None) => given,
            (None, None) => {
                let message = format!("'{path}' needs a code of {reference_type}, or value@odata.bind.");
                return Err(Refusal::invalid(at_code, message));
            }
        };
        value.clear();
        value.insert("code".to_owned(), json!(code));
        Ok(())
    }
}

/// The code that a binding such as `referenceDefinitions/RefRole-teacher` names.
fn bound_code(reference_type: &str, bound: &str, here: &str) -> Result<&'static str, Refusal> {
    let row = bound.split_once('/').filter(|(collection, _)| collection.eq_ignore_ascii_case("referenceDefinitions"));
    let code = row.and_then(|(_, id)| id.split_once('-')).filter(|(ty, _)| ty.eq_ignore_ascii_case(reference_type)).map(|(_, code)| code);
    match code {
        Some(code) => canonical_code(reference_type, code, here),
        None => Err(Refusal::invalid(
            here,
            format!("'{bound}' is not a row of {reference_type}; 'referenceDefinitions/{reference_type}-{{code}}' is."),
        )),
    }
}

fn canonical_code(reference_type: &str, given: &str, here: &str) -> Result<&'static str, Refusal> {
    let extra = || {
        if reference_type == "RefSectionRole" { reference::canonical_enrollment_role(given) } else { None }
    };
    reference::canonical_code(reference_type, given).or_else(extra).ok_or_else(|| {
        let hint = nearest(given, reference::codes(reference_type)).map_or_else(String::new, |near| format!(" Did you mean '{near}'?"));
        Refusal::invalid(here, format!("'{given}' is not a code of {reference_type}.{hint}"))
    })
}

/// What a complex value that leaves something out means: a switch is off, a part has its defaults,
/// and credentials count as valid until a validation says otherwise (as published responses show).
fn fill_defaults(ty: &'static StructuredType, document: &mut Document) {
    if MODEL.lineage(ty).any(|base| base.name == "credential") {
        document.entry("isValid").or_insert(json!(true));
        document.entry("lastValidDateTime").or_insert(Value::Null);
    }
    for property in MODEL.properties(ty) {
        if let Some(default) = default_of(property).filter(|_| !document.contains_key(property.name)) {
            document.insert(property.name.to_owned(), default);
        }
    }
}

fn default_of(property: &Property) -> Option<Value> {
    if property.nullable || property.collection || property.create != OnCreate::Optional {
        return None;
    }
    match property.ty {
        TypeRef::Primitive(Primitive::Boolean) => Some(json!(false)),
        TypeRef::Complex(name) => MODEL.find_type(name).filter(|ty| !ty.abstract_).map(|_| json!({})),
        _ => None,
    }
}

/// The reference type from which a kind of reference value takes its codes.
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

/// The collection in which entities of a type are found.
fn collection_of(target: &str) -> Option<&'static str> {
    Some(match target.rsplit('.').next()? {
        "sourceSystemDefinition" => "sourceSystems",
        "industryDataConnector" => "dataConnectors",
        "yearTimePeriodDefinition" => "years",
        "roleGroup" => "roleGroups",
        "industryDataActivity" => "inboundFlows",
        _ => return None,
    })
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
