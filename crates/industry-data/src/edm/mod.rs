//! The entity data model of the service as one static table.
//!
//! Types, properties, nullability and containment are those of the published beta metadata; on top
//! of them each property says what a client must, may or cannot send (see `odata::edm`).

mod complex;
mod entities;
mod enums;
mod operations;
mod shared;

use odata::csdl::{Document, Naming};
use odata::edm::{Model, Navigation, OnCreate, Property, StructuredType, TypeRef};

/// Namespace of the API's own types.
pub const INDUSTRY_DATA: &str = "microsoft.graph.industryData";

/// Namespace of the types it shares with the rest of Microsoft Graph.
pub const GRAPH: &str = "microsoft.graph";

/// The model: every type that the service knows, its operations, and where URLs begin.
pub static MODEL: Model = Model::new(
    &[&enums::ENUMS, &shared::ENUMS],
    &[entities::TYPES, complex::TYPES, shared::TYPES, shared::EXTERNAL_CONNECTORS],
    &operations::OPERATIONS,
    &[("users", "microsoft.graph.user"), ("groups", "microsoft.graph.group"), ("directoryObjects", "microsoft.graph.directoryObject")],
    &[("external", "microsoft.graph.externalConnectors.external")],
);

/// How the published metadata names things.
const NAMING: Naming = Naming { aliased: GRAPH, alias: "graph", container: "GraphService" };

/// `$metadata` of `/beta`: everything.
pub fn metadata() -> Document {
    Document::new(&MODEL, NAMING, |_| true)
}

/// `$metadata` of `/v1.0`: the directory, as the published v1.0 has no `industryData`.
pub fn directory_metadata() -> Document {
    Document::new(&MODEL, NAMING, |name| MODEL.entity_sets.iter().any(|(set, _)| *set == name))
}

/// Qualifies a name of this API at compile time.
macro_rules! own {
    ($name:literal) => {
        concat!("microsoft.graph.industryData.", $name)
    };
}

/// Qualifies a name of Microsoft Graph at compile time.
macro_rules! graph {
    ($name:literal) => {
        concat!("microsoft.graph.", $name)
    };
}

use {graph, own};

type Rows = [StructuredType];
type Properties = &'static [Property];
type Navigations = &'static [Navigation];

const fn structured(
    namespace: &'static str,
    name: &'static str,
    base: Option<&'static str>,
    properties: Properties,
    navigations: Navigations,
) -> StructuredType {
    StructuredType { namespace, name, entity: false, base, abstract_: false, open: false, properties, navigations }
}

const fn text(name: &'static str) -> Property {
    Property::new(name, TypeRef::STRING)
}

const fn flag(name: &'static str) -> Property {
    Property::new(name, TypeRef::BOOLEAN)
}

const fn int(name: &'static str) -> Property {
    Property::new(name, TypeRef::INT32)
}

const fn date(name: &'static str) -> Property {
    Property::new(name, TypeRef::DATE)
}

const fn time(name: &'static str) -> Property {
    Property::new(name, TypeRef::DATE_TIME)
}

/// A property whose value is a word of an enumeration.
const fn word(name: &'static str, enumeration: &'static str) -> Property {
    Property::new(name, TypeRef::Enum(enumeration))
}

/// A property whose value is an object.
const fn part(name: &'static str, complex: &'static str) -> Property {
    Property::new(name, TypeRef::Complex(complex))
}

const fn one(name: &'static str, target: &'static str) -> Navigation {
    Navigation::one(name, target)
}

const fn many(name: &'static str, target: &'static str) -> Navigation {
    Navigation::many(name, target)
}

/// Set by the server at first, changed by clients within the rules later.
const fn computed_on_create(property: Property) -> Property {
    Property { create: OnCreate::Computed, ..property }
}

/// Needed on create although the metadata lets it be null.
const fn needed(property: Property) -> Property {
    Property { create: OnCreate::Required, ..property }
}
