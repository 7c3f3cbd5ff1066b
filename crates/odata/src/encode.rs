//! JSON bodies out: from a canonical document to what a client reads, driven by the EDM.

use crate::edm::{Model, Property, StructuredType, TypeRef};
use crate::filter::Step;
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
    let paths: Vec<&[Step]> = options.select.iter().map(SelectPath::steps).collect();
    object(model, declared, document, if paths.is_empty() { None } else { Some(&paths) }, options.metadata)
}

/// Paths of `$select` from here on; none given means everything.
type Selection<'a> = Option<&'a [&'a [Step]]>;

fn object(
    model: &Model,
    declared: &'static StructuredType,
    document: &Map<String, Value>,
    selection: Selection<'_>,
    metadata: Metadata,
) -> Map<String, Value> {
    let named = document.get("@odata.type").and_then(Value::as_str).and_then(|name| model.find_type(name));
    let ty = named.unwrap_or(declared);
    let here = selection.map(|paths| paths.iter().filter_map(|path| uncast(model, ty, path)).collect::<Vec<_>>());
    // A path that ends at a cast wants everything of that type.
    let here = here.filter(|paths| !paths.iter().any(|path| path.is_empty()));
    let mut out = Map::new();
    // The SDKs choose the class by @odata.type: it stays even under $select and without metadata.
    if model.is_polymorphic(declared) || metadata == Metadata::Full {
        out.insert("@odata.type".to_owned(), Value::String(format!("#{}", ty.qualified())));
    }
    for property in model.properties(ty).into_iter().filter(|property| !property.write_only) {
        let rests = here.as_ref().map(|paths| after(paths, property.name));
        if rests.as_ref().is_some_and(Vec::is_empty) {
            continue;
        }
        let inner = rests.as_deref().filter(|rests| !rests.iter().any(|rest| rest.is_empty()));
        if let Some(value) = property_value(model, property, document, inner, metadata) {
            out.insert(property.name.to_owned(), value);
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
    if ty.open && here.is_none() {
        for (name, value) in document {
            if !name.contains('@') && !out.contains_key(name) {
                out.insert(name.clone(), value.clone());
            }
        }
    }
    out
}

/// A path without the casts in front; `None` when they are to other types.
fn uncast<'p>(model: &Model, ty: &'static StructuredType, path: &'p [Step]) -> Option<&'p [Step]> {
    match path {
        [Step::Cast { to, .. }, rest @ ..] if model.is_subtype(ty, to) => uncast(model, ty, rest),
        [Step::Cast { .. }, ..] => None,
        path => Some(path),
    }
}

/// What follows a name in the paths that start with it.
fn after<'p>(paths: &[&'p [Step]], name: &str) -> Vec<&'p [Step]> {
    let rest = |path: &&'p [Step]| match path {
        [Step::Name(first), rest @ ..] if *first == name => Some(rest),
        _ => None,
    };
    paths.iter().filter_map(rest).collect()
}

fn property_value(
    model: &Model,
    property: &Property,
    document: &Map<String, Value>,
    selection: Selection<'_>,
    metadata: Metadata,
) -> Option<Value> {
    match document.get(property.name) {
        None if property.undocumented => None,
        None if property.collection => Some(Value::Array(Vec::new())),
        // A required value that is missing can only come from old data: leaving it out breaks no client.
        None => property.nullable.then_some(Value::Null),
        Some(value) => Some(match property.ty {
            TypeRef::Complex(name) => match model.find_type(name) {
                Some(declared) => complex(model, declared, value, selection, metadata),
                None => value.clone(),
            },
            _ => value.clone(),
        }),
    }
}

fn complex(model: &Model, declared: &'static StructuredType, value: &Value, selection: Selection<'_>, metadata: Metadata) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(|item| complex(model, declared, item, selection, metadata)).collect()),
        Value::Object(inner) => Value::Object(object(model, declared, inner, selection, metadata)),
        other => other.clone(),
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

    #[test]
    fn select_keeps_parts_of_parts_and_of_subtypes() {
        let shown = |raw: &str, document: Value| {
            let options = crate::query::parse_query(raw, ty("animal"), &MODEL, &crate::limits::Limits::DEFAULT).unwrap();
            let options = EncodeOptions { select: &options.select, metadata: Metadata::Minimal };
            Value::Object(encode(&MODEL, ty("animal"), document.as_object().unwrap(), &options))
        };
        let rex = json!({"@odata.type": "#t.dog", "id": "1", "name": "Rex", "breed": "collie", "home": {"size": 1, "colour": "red", "home": {"size": 2}}});
        assert_eq!(
            shown("$select=home/home/size,home/colour", rex.clone()),
            json!({"@odata.type": "#t.dog", "home": {"colour": "red", "home": {"size": 2}}})
        );
        assert_eq!(shown("$select=t.dog/breed,t.cat/lives", rex.clone()), json!({"@odata.type": "#t.dog", "breed": "collie"}));
        // A navigation property alone does not bring the others back.
        assert_eq!(shown("$select=owner", rex.clone()), json!({"@odata.type": "#t.dog"}));
        assert!(shown("$select=*,name", rex).get("breed").is_some());
    }
}
