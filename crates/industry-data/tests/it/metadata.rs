//! The table and the metadata written from it against the published metadata, attribute by
//! attribute: where the published file is at hand, and everywhere against the list of its facts in
//! `published.txt`.

use industry_data::MODEL;
use odata::edm::StructuredType;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

type Attributes = BTreeMap<String, String>;

fn attributes(tag: &BytesStart<'_>) -> Attributes {
    let attribute = |a: quick_xml::events::attributes::Attribute<'_>| (a.key.as_ref().to_owned(), a.value.into_owned());
    tag.attributes().map(|a| attribute(a.unwrap())).collect()
}

/// `Collection(graph.x)` with the namespace spelled out.
fn qualified(ty: &str) -> String {
    match ty.strip_prefix("Collection(").and_then(|rest| rest.strip_suffix(')')) {
        Some(element) => format!("Collection({})", qualified(element)),
        None => ty.strip_prefix("graph.").map_or_else(|| ty.to_owned(), |rest| format!("microsoft.graph.{rest}")),
    }
}

fn is(attributes: &Attributes, name: &str, default: bool) -> bool {
    attributes.get(name).map_or(default, |value| value == "true")
}

/// One line for each fact of the document, and the names of the types in it.
fn published(xml: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut reader = Reader::from_str(xml);
    let (mut facts, mut types) = (BTreeSet::new(), BTreeSet::new());
    let (mut namespace, mut within, mut operation) = (String::new(), String::new(), Vec::new());
    loop {
        let (tag, empty) = match reader.read_event().unwrap() {
            Event::Start(tag) => (tag, false),
            Event::Empty(tag) => (tag, true),
            Event::End(tag) => {
                if matches!(tag.name().as_ref(), "Action" | "Function") {
                    facts.insert(operation.join(" "));
                }
                continue;
            }
            Event::Eof => return (facts, types),
            _ => continue,
        };
        let a = attributes(&tag);
        let name = a.get("Name").cloned().unwrap_or_default();
        let ty = a.get("Type").map(|ty| qualified(ty)).unwrap_or_default();
        match tag.name().as_ref() {
            "Schema" => namespace.clone_from(&a["Namespace"]),
            "EnumType" => within = format!("{namespace}.{name}"),
            "Member" => {
                facts.insert(format!("member {within} {name} {}", a["Value"]));
            }
            kind @ ("EntityType" | "ComplexType") => {
                within = format!("{namespace}.{name}");
                types.insert(within.clone());
                let base = a.get("BaseType").map(|base| qualified(base)).unwrap_or_default();
                facts.insert(type_fact(&within, kind == "EntityType", &base, is(&a, "Abstract", false), is(&a, "OpenType", false)));
            }
            "Property" => {
                facts.insert(format!("property {within} {name} {ty} nullable={}", is(&a, "Nullable", true)));
            }
            "NavigationProperty" => {
                let (nullable, contained) = (is(&a, "Nullable", true), is(&a, "ContainsTarget", false));
                facts.insert(format!("navigation {within} {name} {ty} nullable={nullable} contained={contained}"));
            }
            kind @ ("Action" | "Function") => {
                assert!(!empty);
                operation =
                    vec![format!("operation {namespace}.{name} action={} composable={}", kind == "Action", is(&a, "IsComposable", false))];
            }
            kind @ ("Parameter" | "ReturnType") => {
                let name = if kind == "Parameter" { name } else { "->".to_owned() };
                operation.push(format!("{name}:{ty} nullable={}", is(&a, "Nullable", true)));
            }
            "Annotation" => operation.push(a["Term"].clone()),
            "PropertyRef" => {
                facts.insert(format!("key {within} {name}"));
            }
            "Singleton" => {
                facts.insert(format!("singleton {name} {ty}"));
            }
            _ => {}
        }
    }
}

fn type_fact(name: &str, entity: bool, base: &str, abstract_: bool, open: bool) -> String {
    format!("type {name} entity={entity} base={base} abstract={abstract_} open={open}")
}

fn wrapped(ty: &str, collection: bool) -> String {
    if collection { format!("Collection({ty})") } else { ty.to_owned() }
}

fn facts_of(ty: &StructuredType) -> Vec<String> {
    let name = ty.qualified();
    let mut facts = vec![type_fact(&name, ty.entity, ty.base.unwrap_or_default(), ty.abstract_, ty.open)];
    facts.extend(
        ty.properties
            .iter()
            .filter(|p| !p.undocumented)
            .map(|p| format!("property {name} {} {} nullable={}", p.name, wrapped(p.ty.name(), p.collection), p.nullable)),
    );
    if ty.entity && ty.properties.iter().any(|p| p.name == "id") {
        facts.push(format!("key {name} id"));
    }
    facts.extend(ty.navigations.iter().map(|n| {
        format!("navigation {name} {} {} nullable={} contained={}", n.name, wrapped(n.target, n.collection), n.nullable, n.contained)
    }));
    facts
}

/// The same lines from the table, of the types that the document has and of this API's whole namespace.
fn ours(types: &BTreeSet<String>) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for ty in MODEL.enums.iter().flat_map(|list| list.iter()) {
        facts.extend(ty.members.iter().map(|(word, value)| format!("member {}.{} {word} {value}", ty.namespace, ty.name)));
    }
    for ty in MODEL.all_types().filter(|ty| ty.namespace == industry_data::edm::INDUSTRY_DATA || types.contains(&ty.qualified())) {
        facts.extend(facts_of(ty));
    }
    for o in MODEL.operations {
        let mut fact = format!("operation {}.{} action={} composable={}", o.namespace, o.name, o.action, o.composable);
        let binding = wrapped(o.binding, o.binding_collection);
        write!(fact, " bindingParameter:{binding} nullable={}", o.binding_nullable).unwrap();
        for (name, ty, optional) in o.parameters {
            write!(fact, " {name}:{} nullable=true", ty.name()).unwrap();
            if *optional {
                fact.push_str(" Org.OData.Core.V1.OptionalParameter");
            }
        }
        if let Some(returns) = o.returns {
            write!(fact, " ->:{returns} nullable={}", o.returns_nullable).unwrap();
        }
        facts.insert(fact);
    }
    facts.extend(MODEL.singletons.iter().map(|(name, ty)| format!("singleton {name} {ty}")));
    facts
}

#[test]
fn every_type_property_and_operation_is_as_published() {
    let Some(path) = crate::specification("industryData.csdl.xml") else {
        return;
    };
    let (published, types) = published(&std::fs::read_to_string(path).unwrap());
    let ours = ours(&types);
    assert!(published.len() > 250, "the metadata was not understood: {} facts", published.len());
    let missing: Vec<_> = published.difference(&ours).collect();
    let extra: Vec<_> = ours.difference(&published).collect();
    assert!(missing.is_empty() && extra.is_empty(), "published only: {missing:#?}\nours only: {extra:#?}");
}

/// What the published metadata says, as it was agreed; where the file is at hand it is compared too.
fn agreed() -> BTreeSet<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("it").join("published.txt");
    if let Some(file) = crate::specification("industryData.csdl.xml") {
        let (facts, _) = published(&std::fs::read_to_string(file).unwrap());
        let text: String = facts.iter().map(|fact| format!("{fact}\n")).collect();
        if std::env::var_os("UPDATE_FACTS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert!(std::fs::read_to_string(&path).unwrap() == text, "published.txt is not what the published metadata says");
    }
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn what_is_served_as_metadata_has_every_published_fact() {
    let (served, types) = published(&industry_data::edm::metadata().xml());
    let agreed = agreed();
    let missing: Vec<_> = agreed.difference(&served).collect();
    assert!(missing.is_empty(), "published only: {missing:#?}");
    // Beyond it stands the part of the directory that is served, and nothing else.
    let extra = served.difference(&agreed);
    let directory = ["directoryObject", "user", "group", "passwordProfile"];
    let of_directory = |fact: &str| {
        fact.split(' ').nth(1).and_then(|name| name.strip_prefix("microsoft.graph.")).is_some_and(|name| directory.contains(&name))
    };
    let extra: Vec<_> = extra.filter(|fact| !of_directory(fact)).collect();
    assert!(extra.is_empty(), "ours only: {extra:#?}");
    let all: BTreeSet<String> = MODEL.all_types().map(StructuredType::qualified).collect();
    assert_eq!(types, all, "every type of the model is reached");
}

#[test]
fn v1_has_the_directory_alone() {
    let (_, types) = published(&industry_data::edm::directory_metadata().xml());
    let names = ["directoryObject", "entity", "group", "passwordProfile", "user"];
    assert_eq!(types, names.iter().map(|name| format!("microsoft.graph.{name}")).collect());
}

/// Every type that the JSON form names, by alias or in full.
fn named(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(object) => {
            for (key, value) in object {
                match value.as_str().filter(|_| matches!(key.as_str(), "$Type" | "$BaseType")) {
                    Some(name) => {
                        found.insert(qualified(name));
                    }
                    None => named(value, found),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| named(item, found)),
        _ => {}
    }
}

#[test]
fn the_json_form_has_the_same_types_and_names_no_other() {
    let json = industry_data::edm::metadata().json();
    let mut used = BTreeSet::new();
    named(&json, &mut used);
    for name in used.iter().filter(|name| !name.starts_with("Edm.")) {
        let (namespace, name) = name.rsplit_once('.').unwrap();
        assert!(json[namespace][name]["$Kind"].is_string(), "{namespace}.{name}");
    }
    for ty in MODEL.all_types() {
        let written = &json[ty.namespace][ty.name];
        assert_eq!(written["$Kind"], if ty.entity { "EntityType" } else { "ComplexType" }, "{}", ty.name);
        for property in ty.properties.iter().filter(|p| !p.undocumented) {
            assert_eq!(
                written[property.name]["$Nullable"].as_bool().unwrap_or(false),
                property.nullable && !property.collection,
                "{}.{}",
                ty.name,
                property.name
            );
            assert_eq!(written[property.name]["$Collection"].as_bool().unwrap_or(false), property.collection);
        }
    }
    assert_eq!(json["microsoft.graph.industryData"]["getStatistics"].as_array().unwrap().len(), 2);
}
