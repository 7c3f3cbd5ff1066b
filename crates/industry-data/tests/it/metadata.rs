//! The table against the published metadata, attribute by attribute, when it is at hand.

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
            "Parameter" | "ReturnType" => operation.push(format!("{name}:{ty}")),
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
        write!(fact, " bindingParameter:{binding}").unwrap();
        for (name, ty, _) in o.parameters {
            write!(fact, " {name}:{}", ty.name()).unwrap();
        }
        if let Some(returns) = o.returns {
            write!(fact, " :{returns}").unwrap();
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
