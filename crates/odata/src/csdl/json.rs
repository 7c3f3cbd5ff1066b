//! CSDL JSON (OData Common Schema Definition Language JSON Representation 4.01).
//!
//! Its defaults differ from XML's: a type left out is `Edm.String`, a property is not nullable
//! unless it says so.

use super::{BINDING, CORE, CORE_URL, Document, Schema, key};
use crate::edm::{EnumType, Navigation, Operation, Property, StructuredType};
use serde_json::{Map, Value, json};

/// Sets a member that is left out when it is false.
fn flag(object: &mut Map<String, Value>, name: &str, value: bool) {
    if value {
        object.insert(name.to_owned(), json!(true));
    }
}

fn set(object: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    object.insert(name.to_owned(), value.into());
}

/// The whole document.
pub(super) fn write(document: &Document) -> Value {
    let naming = document.naming;
    let mut out = Map::new();
    set(&mut out, "$Version", "4.01");
    set(&mut out, "$EntityContainer", format!("{}.{}", naming.aliased, naming.container));
    if document.schemas.iter().flat_map(|schema| &schema.operations).any(|op| op.parameters.iter().any(|(_, _, optional)| *optional)) {
        let mut references = Map::new();
        set(&mut references, &format!("{CORE_URL}.json"), json!({ "$Include": [{ "$Namespace": CORE }] }));
        set(&mut out, "$Reference", references);
    }
    for found in &document.schemas {
        set(&mut out, found.namespace, schema(document, found));
    }
    Value::Object(out)
}

fn schema(document: &Document, schema: &Schema) -> Map<String, Value> {
    let mut out = Map::new();
    let aliased = schema.namespace == document.naming.aliased;
    if aliased {
        set(&mut out, "$Alias", document.naming.alias);
    }
    for ty in &schema.enums {
        set(&mut out, ty.name, enumeration(ty));
    }
    for entity in [false, true] {
        for ty in schema.types.iter().filter(|ty| ty.entity == entity) {
            set(&mut out, ty.name, structured(document, ty));
        }
    }
    for op in &schema.operations {
        // Overloads stand in one list under their name.
        if let Some(overloads) = out.entry(op.name).or_insert_with(|| json!([])).as_array_mut() {
            overloads.push(Value::Object(operation(document, op)));
        }
    }
    if aliased {
        set(&mut out, document.naming.container, container(document));
    }
    out
}

fn enumeration(ty: &EnumType) -> Map<String, Value> {
    let mut out = Map::new();
    set(&mut out, "$Kind", "EnumType");
    for (word, value) in ty.members {
        set(&mut out, word, *value);
    }
    out
}

fn structured(document: &Document, ty: &StructuredType) -> Map<String, Value> {
    let mut out = Map::new();
    set(&mut out, "$Kind", if ty.entity { "EntityType" } else { "ComplexType" });
    if let Some(base) = ty.base {
        set(&mut out, "$BaseType", document.name(base));
    }
    flag(&mut out, "$Abstract", ty.abstract_);
    flag(&mut out, "$OpenType", ty.open);
    if let Some(key) = key(ty) {
        set(&mut out, "$Key", json!([key]));
    }
    for found in ty.properties.iter().filter(|property| !property.undocumented) {
        set(&mut out, found.name, property(document, found));
    }
    for found in ty.navigations {
        set(&mut out, found.name, navigation(document, found));
    }
    out
}

/// `$Type` unless it is the default, `$Collection` and `$Nullable` when they are true.
///
/// `$Nullable` of a collection is about its items, and an item is never null.
fn value(document: &Document, ty: &str, collection: bool, nullable: bool) -> Map<String, Value> {
    let mut out = Map::new();
    flag(&mut out, "$Collection", collection);
    if ty != "Edm.String" {
        set(&mut out, "$Type", document.name(ty));
    }
    flag(&mut out, "$Nullable", nullable && !collection);
    out
}

fn property(document: &Document, property: &Property) -> Map<String, Value> {
    value(document, property.ty.name(), property.collection, property.nullable)
}

fn navigation(document: &Document, navigation: &Navigation) -> Map<String, Value> {
    let mut out = Map::new();
    set(&mut out, "$Kind", "NavigationProperty");
    out.append(&mut value(document, navigation.target, navigation.collection, navigation.nullable));
    flag(&mut out, "$ContainsTarget", navigation.contained);
    out
}

fn operation(document: &Document, op: &Operation) -> Map<String, Value> {
    let mut out = Map::new();
    set(&mut out, "$Kind", if op.action { "Action" } else { "Function" });
    set(&mut out, "$IsBound", true);
    flag(&mut out, "$IsComposable", op.composable);
    let named = |name: &str, mut value: Map<String, Value>| {
        let mut parameter = Map::new();
        set(&mut parameter, "$Name", name);
        parameter.append(&mut value);
        parameter
    };
    let mut parameters = vec![named(BINDING, value(document, op.binding, op.binding_collection, op.binding_nullable))];
    for (name, ty, optional) in op.parameters {
        let mut parameter = named(name, value(document, ty.name(), false, true));
        if *optional {
            set(&mut parameter, &format!("@{CORE}.OptionalParameter"), json!({}));
        }
        parameters.push(parameter);
    }
    set(&mut out, "$Parameter", parameters.into_iter().map(Value::Object).collect::<Vec<_>>());
    if let Some(returns) = op.returns {
        set(&mut out, "$ReturnType", value(document, returns, false, op.returns_nullable));
    }
    out
}

fn container(document: &Document) -> Map<String, Value> {
    let mut out = Map::new();
    set(&mut out, "$Kind", "EntityContainer");
    for found in &document.sets {
        let mut entity_set = Map::new();
        set(&mut entity_set, "$Collection", true);
        set(&mut entity_set, "$Type", found.element);
        if !found.bindings.is_empty() {
            let mut bindings = Map::new();
            for (path, target) in &found.bindings {
                set(&mut bindings, path, *target);
            }
            set(&mut entity_set, "$NavigationPropertyBinding", bindings);
        }
        set(&mut out, found.name, entity_set);
    }
    for (name, ty) in &document.singletons {
        set(&mut out, name, json!({ "$Type": ty }));
    }
    out
}
