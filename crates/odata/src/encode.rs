//! JSON bodies out: from a canonical document to what a client reads, driven by the EDM.

use crate::edm::{Model, Property, StructuredType, TypeRef};
use crate::query::SelectPath;
use serde_json::{Map, Value};

/// How much `@odata.*` an answer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Metadata {
    /// Only what cannot be left out.
    None,
    /// What a client cannot work out by itself.
    #[default]
    Minimal,
    /// Everything.
    Full,
}

/// How to encode.
#[derive(Debug, Clone, Copy)]
pub struct EncodeOptions<'a> {
    /// Properties wanted; none given means all.
    pub select: &'a [SelectPath],
    /// Amount of metadata.
    pub metadata: Metadata,
}

/// Encodes a document whose declared type is `declared`.
///
/// Order: `@odata.type`, then the model's order with inherited properties first. A nullable
/// property that is not set is null, a collection that is not set is empty; write-only
/// properties and bindings are left out. Expanded navigation values that the caller has put into
/// the document are passed on.
pub fn encode(
    model: &Model,
    declared: &'static StructuredType,
    document: &Map<String, Value>,
    options: &EncodeOptions<'_>,
) -> Map<String, Value> {
    let named = document.get("@odata.type").and_then(Value::as_str).and_then(|name| model.find_type(name));
    let ty = named.unwrap_or(declared);
    let mut out = Map::new();
    // The SDKs choose the class by @odata.type: it stays even under $select and without metadata.
    if model.is_polymorphic(declared) || options.metadata == Metadata::Full {
        out.insert("@odata.type".to_owned(), Value::String(format!("#{}", ty.qualified())));
    }
    let wanted = |name: &str| options.select.is_empty() || options.select.iter().any(|path| path.first() == Some(name));
    for property in model.properties(ty) {
        if property.write_only || !wanted(property.name) {
            continue;
        }
        if let Some(value) = property_value(model, property, document, options.metadata) {
            out.insert(property.name.to_owned(), narrowed(property, value, options.select));
        }
    }
    for nav in model.navigations(ty) {
        if let Some(value) = document.get(nav.name) {
            for annotation in ["odata.context", "odata.count", "odata.nextLink"] {
                let name = format!("{}@{annotation}", nav.name);
                if let Some(value) = document.get(&name) {
                    out.insert(name, value.clone());
                }
            }
            out.insert(nav.name.to_owned(), value.clone());
        }
    }
    if ty.open {
        for (name, value) in document {
            if !name.contains('@') && !out.contains_key(name) {
                out.insert(name.clone(), value.clone());
            }
        }
    }
    out
}

fn property_value(model: &Model, property: &Property, document: &Map<String, Value>, metadata: Metadata) -> Option<Value> {
    match document.get(property.name) {
        None if property.undocumented => None,
        None if property.collection => Some(Value::Array(Vec::new())),
        // A required value that is missing can only come from old data: leaving it out breaks no client.
        None => property.nullable.then_some(Value::Null),
        Some(value) => Some(match property.ty {
            TypeRef::Complex(name) => match model.find_type(name) {
                Some(declared) => complex(model, declared, value, metadata),
                None => value.clone(),
            },
            _ => value.clone(),
        }),
    }
}

fn complex(model: &Model, declared: &'static StructuredType, value: &Value, metadata: Metadata) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(|item| complex(model, declared, item, metadata)).collect()),
        Value::Object(object) => Value::Object(encode(model, declared, object, &EncodeOptions { select: &[], metadata })),
        other => other.clone(),
    }
}

/// `$select=creationOptions/createBasedOnRoleGroup` keeps that part of a complex value.
fn narrowed(property: &Property, value: Value, select: &[SelectPath]) -> Value {
    let rests: Vec<&[&'static str]> = select.iter().filter(|p| p.first() == Some(property.name)).map(SelectPath::rest).collect();
    if rests.is_empty() || rests.iter().any(|rest| rest.is_empty()) {
        return value;
    }
    match value {
        Value::Object(object) => Value::Object(
            object
                .into_iter()
                .filter(|(name, _)| name.starts_with('@') || rests.iter().any(|rest| rest.first() == Some(&name.as_str())))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| narrowed(property, item, select)).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{MODEL, ty};
    use serde_json::json;

    fn run(declared: &str, document: Value, metadata: Metadata) -> Value {
        Value::Object(encode(&MODEL, ty(declared), document.as_object().unwrap(), &EncodeOptions { select: &[], metadata }))
    }

    #[test]
    fn the_type_comes_first_then_the_models_order_with_nulls_and_empty_collections() {
        let document =
            json!({"breed": "collie", "name": "Rex", "id": "1", "@odata.type": "#t.dog", "secret": "x", "owner@odata.bind": "people/1"});
        let out = run("animal", document, Metadata::Minimal);
        assert_eq!(
            out,
            json!({"@odata.type": "#t.dog", "id": "1", "name": "Rex", "mood": null, "home": null, "tags": [], "breed": "collie"})
        );
        assert_eq!(out.as_object().unwrap().keys().next().unwrap(), "@odata.type");
    }

    #[test]
    fn an_exact_type_says_nothing_unless_asked() {
        assert!(run("person", json!({"id": "1"}), Metadata::Minimal).get("@odata.type").is_none());
        assert_eq!(run("person", json!({"id": "1"}), Metadata::Full)["@odata.type"], "#t.person");
    }
}
