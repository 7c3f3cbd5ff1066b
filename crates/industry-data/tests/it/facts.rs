//! The whole model in short, one type at a time. A change of the table shows up as a change of
//! `facts.txt`, to be read before it is committed. `UPDATE_FACTS=1` writes the file anew.

use industry_data::MODEL;
use odata::edm::{EnumType, Navigation, OnCreate, OnUpdate, Operation, Property, StructuredType};
use std::fmt::Write;
use std::path::Path;

fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn wrapped(name: &str, collection: bool) -> String {
    if collection { format!("[{}]", short(name)) } else { short(name).to_owned() }
}

/// `displayName: String! required immutable max=100`
fn property(property: &Property) -> String {
    let mut fact = format!("{}: {}", property.name, wrapped(property.ty.name(), property.collection));
    if !property.nullable {
        fact.push('!');
    }
    match property.create {
        OnCreate::Required => fact.push_str(" required"),
        OnCreate::Optional => {}
        OnCreate::Computed => fact.push_str(" set-by-server"),
    }
    match (property.create, property.update) {
        (OnCreate::Computed, OnUpdate::Mutable) => fact.push_str(" patchable"),
        (_, OnUpdate::Immutable) => fact.push_str(" immutable"),
        _ => {}
    }
    if let Some(most) = property.max_length {
        write!(fact, " max={most}").unwrap();
    }
    if property.write_only {
        fact.push_str(" secret");
    }
    if property.undocumented {
        fact.push_str(" undocumented");
    }
    fact
}

/// `sourceSystem -> sourceSystemDefinition! required`
fn navigation(navigation: &Navigation) -> String {
    let mut fact = format!("{} -> {}", navigation.name, wrapped(navigation.target, navigation.collection));
    if !navigation.nullable {
        fact.push('!');
    }
    if navigation.contained {
        fact.push_str(" contained");
    }
    if navigation.required_on_create {
        fact.push_str(" required");
    }
    fact
}

fn structured(ty: &StructuredType) -> String {
    let abstract_ = if ty.abstract_ { "abstract " } else { "" };
    let open = if ty.open { "open " } else { "" };
    let kind = if ty.entity { "entity" } else { "complex" };
    let base = ty.base.map_or_else(String::new, |base| format!(" : {}", short(base)));
    let mut fact = format!("{abstract_}{open}{kind} {}{base} {{", ty.name);
    for line in ty.properties.iter().map(property).chain(ty.navigations.iter().map(navigation)) {
        write!(fact, "\n  {line}").unwrap();
    }
    fact.push_str(if fact.ends_with('{') { " }" } else { "\n}" });
    fact
}

fn enumeration(ty: &EnumType) -> String {
    let members: Vec<String> = ty.members.iter().map(|(word, value)| format!("{word}={value}")).collect();
    format!("enum {} {{ {} }}", ty.name, members.join(" "))
}

fn not_null(nullable: bool) -> &'static str {
    if nullable { "" } else { "!" }
}

fn operation(operation: &Operation) -> String {
    let kind = if operation.action { "action" } else { "function" };
    let composable = if operation.composable { "composable " } else { "" };
    let parameters: Vec<String> = operation
        .parameters
        .iter()
        .map(|(name, ty, optional)| format!("{name}{}: {}", if *optional { "?" } else { "" }, short(ty.name())))
        .collect();
    let returns = operation.returns.map_or_else(String::new, |ty| format!(" -> {}{}", short(ty), not_null(operation.returns_nullable)));
    let binding = format!("{}{}", wrapped(operation.binding, operation.binding_collection), not_null(operation.binding_nullable));
    format!("{composable}{kind} {} on {binding} ({}){returns}", operation.name, parameters.join(", "))
}

fn all() -> String {
    let mut text = String::from("The entity data model in short: ! is not null, [x] is a collection, -> is a navigation.\n");
    let mut namespace = "";
    for ty in MODEL.enums.iter().flat_map(|list| list.iter()) {
        heading(&mut text, &mut namespace, ty.namespace);
        writeln!(text, "{}", enumeration(ty)).unwrap();
    }
    for ty in MODEL.all_types() {
        heading(&mut text, &mut namespace, ty.namespace);
        writeln!(text, "{}", structured(ty)).unwrap();
    }
    text.push_str("\n# operations\n");
    for found in MODEL.operations {
        writeln!(text, "{}", operation(found)).unwrap();
    }
    text.push_str("\n# where URLs begin\n");
    for (name, ty) in MODEL.entity_sets {
        writeln!(text, "set {name}: {ty}").unwrap();
    }
    for (name, ty) in MODEL.singletons {
        writeln!(text, "singleton {name}: {ty}").unwrap();
    }
    text
}

fn heading(text: &mut String, current: &mut &'static str, namespace: &'static str) {
    if *current != namespace {
        *current = namespace;
        writeln!(text, "\n# {namespace}").unwrap();
    }
}

#[test]
fn the_model_is_what_was_agreed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("it").join("facts.txt");
    let now = all();
    if std::env::var_os("UPDATE_FACTS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let agreed = std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    let first = agreed.lines().zip(now.lines()).find(|(a, b)| a != b);
    assert!(agreed == now, "the model differs from tests/it/facts.txt, first at (agreed, now): {first:?}");
}

#[test]
fn the_numbers_are_those_of_the_published_namespace() {
    let own =
        |entity: bool| MODEL.all_types().filter(|ty| ty.namespace == industry_data::edm::INDUSTRY_DATA && ty.entity == entity).count();
    assert_eq!(own(true), 26);
    assert_eq!(own(false), 32);
    assert_eq!(MODEL.enums[0].len(), 9);
    assert_eq!(MODEL.operations.len(), 6);
}

#[test]
fn every_name_in_the_table_leads_somewhere() {
    for ty in MODEL.all_types() {
        if let Some(base) = ty.base {
            let base = MODEL.find_type(base).unwrap_or_else(|| panic!("{}: no base {base}", ty.name));
            assert_eq!(base.entity, ty.entity, "{}", ty.name);
        }
        for property in ty.properties {
            match property.ty {
                odata::edm::TypeRef::Primitive(_) => {}
                odata::edm::TypeRef::Enum(name) => assert!(MODEL.find_enum(name).is_some(), "{}.{}", ty.name, property.name),
                odata::edm::TypeRef::Complex(name) => {
                    let found = MODEL.find_type(name).unwrap_or_else(|| panic!("{}.{}", ty.name, property.name));
                    assert!(!found.entity, "{}.{}", ty.name, property.name);
                }
            }
        }
        for navigation in ty.navigations {
            assert!(MODEL.find_type(navigation.target).is_some_and(|found| found.entity), "{}.{}", ty.name, navigation.name);
        }
    }
    for operation in MODEL.operations {
        assert!(MODEL.find_type(operation.binding).is_some(), "{}", operation.name);
        assert!(operation.returns.is_none_or(|ty| MODEL.find_type(ty).is_some()), "{}", operation.name);
    }
    for (name, ty) in MODEL.entity_sets.iter().chain(MODEL.singletons) {
        assert!(MODEL.find_type(ty).is_some(), "{name}");
    }
}
