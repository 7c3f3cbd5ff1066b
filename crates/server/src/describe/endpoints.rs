//! Every URL of the Graph API as a list, made from the tables that serve them: the collections, the
//! model with its operations, and the permissions.
//!
//! The OpenAPI document and the reference in `docs/api` are written from this list, and a test asks
//! the server for each entry. OData's URL grammar allows more than any list can hold: parts of
//! complex values, keys in parentheses, qualified names of operations.

use crate::graph::collections::{COLLECTIONS, Collection, Writes};
use industry_data::MODEL;
use industry_data::permissions::{Action, Resource, allowed};
use odata::edm::{Navigation, Operation, Property, StructuredType, TypeRef};

/// Where an endpoint is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// Below `/beta` alone.
    Beta,
    /// Below `/beta` and `/v1.0`.
    Both,
}

/// What an endpoint does.
#[derive(Debug, Clone, Copy)]
pub enum What {
    /// Lists a collection.
    List,
    /// Counts a collection.
    Count,
    /// Creates an entity.
    Create,
    /// Reads an entity.
    Read,
    /// Changes an entity.
    Update,
    /// Removes an entity.
    Delete,
    /// Reads the entity that a reference of another one leads to.
    Follow,
    /// Reads the URL of that entity.
    FollowRef,
    /// Lists references between directory objects.
    Links,
    /// Counts them.
    LinkCount,
    /// Reads one of them.
    Link,
    /// Adds one.
    AddLink,
    /// Removes one.
    RemoveLink,
    /// Reads one of [`Endpoint::properties`].
    Property,
    /// Reads one of them as plain text.
    PropertyValue,
    /// Counts the values of one of them.
    PropertyCount,
    /// Calls a bound operation.
    Call(&'static Operation),
    /// Reads the root of industryData.
    Root,
    /// Reads a securityGroupProvisioningFlow by the short URL.
    ShortRead,
    /// Changes a securityGroupProvisioningFlow by the short URL.
    ShortUpdate,
}

/// One method of one URL.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Unique among all.
    pub id: String,
    /// HTTP method.
    pub method: &'static str,
    /// URL below the version, with names in braces for keys.
    pub path: String,
    /// Where it is served.
    pub served: Served,
    /// The collection that it belongs to.
    pub collection: &'static str,
    /// What it does.
    pub what: What,
    /// What it does, in a few words.
    pub summary: String,
    /// Declared type of the entity or of the elements, where there is one.
    pub element: Option<&'static StructuredType>,
    /// Of each list one permission is needed.
    pub permissions: Vec<&'static [&'static str]>,
    /// What `{property}` in the path stands for.
    pub properties: Vec<&'static Property>,
    /// The derived type that the path casts to; the operation stands without the cast too.
    pub cast: Option<&'static StructuredType>,
}

/// References that are lists between directory objects rather than collections of their own.
const LINKS: [&str; 2] = ["members", "memberOf"];
/// The type that has a short URL.
pub const SHORT: &str = "securityGroupProvisioningFlow";

/// All endpoints, collection by collection.
pub fn endpoints() -> Vec<Endpoint> {
    let mut list = List::default();
    list.root();
    for collection in &COLLECTIONS {
        if let Some(element) = MODEL.find_type(collection.element) {
            list.collection(collection, element);
        }
    }
    list.out
}

/// `inboundFlow-id`, as Microsoft's own document names the parameter of a key.
pub fn key_name(ty: &StructuredType) -> String {
    format!("{}-id", ty.name)
}

/// Path of a collection with `{…-id}` for the key of its parent.
pub fn collection_path(collection: &Collection) -> String {
    let Some((before, after)) = collection.path.split_once("('{}')") else { return collection.path.to_owned() };
    let parent = COLLECTIONS.iter().find(|other| other.path == before).and_then(|other| MODEL.find_type(other.element));
    format!("{before}/{{{}}}{after}", parent.map_or_else(|| "parent-id".to_owned(), key_name))
}

/// Permissions of an operation by its name; of the collection's own table where it has none.
fn of_operation(op: &Operation, collection: &Collection) -> &'static [&'static str] {
    match op.name {
        "getUploadSession" | "validate" => allowed(Resource::Upload, Action::Write),
        "start" => allowed(Resource::Runs, Action::Start),
        _ => allowed(collection.resource, if op.action { Action::Write } else { Action::Read }),
    }
}

#[derive(Default)]
struct List {
    out: Vec<Endpoint>,
}

/// What all endpoints of a collection have in common.
#[derive(Clone, Copy)]
struct Of {
    collection: &'static Collection,
    element: &'static StructuredType,
    served: Served,
    cast: Option<&'static StructuredType>,
}

impl List {
    #[expect(clippy::too_many_arguments, reason = "one row of the list")]
    fn add(
        &mut self,
        of: Of,
        method: &'static str,
        path: String,
        name: &str,
        what: What,
        summary: String,
        permissions: Vec<&'static [&'static str]>,
    ) {
        let (collection, element, served) = (of.collection.name, Some(of.element), of.served);
        self.out.push(Endpoint {
            id: format!("{collection}_{name}"),
            method,
            path,
            served,
            collection,
            what,
            summary,
            element,
            permissions,
            properties: Vec::new(),
            cast: of.cast,
        });
    }

    fn root(&mut self) {
        self.out.push(Endpoint {
            id: "industryData_read".to_owned(),
            method: "GET",
            path: "external/industryData".to_owned(),
            served: Served::Beta,
            collection: "industryData",
            what: What::Root,
            summary: "Get the root of industryData".to_owned(),
            element: MODEL.find_type("microsoft.graph.industryData.industryDataRoot"),
            permissions: Vec::new(),
            properties: Vec::new(),
            cast: None,
        });
    }

    fn collection(&mut self, collection: &'static Collection, element: &'static StructuredType) {
        let served = if collection.path.starts_with("external/") { Served::Beta } else { Served::Both };
        let of = Of { collection, element, served, cast: None };
        let path = collection_path(collection);
        let one = format!("{path}/{{{}}}", key_name(element));
        self.entities(of, &path, &one);
        for derived in MODEL.concrete(element).into_iter().filter(|ty| *ty != element) {
            let cast = derived.qualified();
            let of = Of { element: derived, cast: Some(derived), ..of };
            self.entities(of, &format!("{path}/{cast}"), &format!("{one}/{cast}"));
        }
        for navigation in MODEL.navigations(element) {
            if LINKS.contains(&navigation.name) {
                self.links(of, &one, navigation);
            } else if !navigation.collection && !navigation.contained {
                self.follow(of, &one, navigation);
            }
        }
        self.operations(of, &path, true);
        self.operations(of, &one, false);
        if collection.name == "provisioningFlows" {
            self.short(of);
        }
    }

    /// What is done with a collection and its entities, of all types or of a derived one.
    fn entities(&mut self, of: Of, path: &str, one: &str) {
        let needs = |action| vec![allowed(of.collection.resource, action)];
        let named = |name: &str| of.cast.map_or_else(|| name.to_owned(), |cast| format!("{name}_{}", cast.name));
        let (name, all) = (of.element.name, of.cast.map_or(of.collection.name, |cast| cast.name));
        let writes = of.collection.writes == Writes::All;
        self.add(of, "GET", path.to_owned(), &named("list"), What::List, format!("List {all}"), needs(Action::List));
        if writes {
            self.add(of, "POST", path.to_owned(), &named("create"), What::Create, format!("Create {name}"), needs(Action::Write));
        }
        self.add(of, "GET", format!("{path}/$count"), &named("count"), What::Count, format!("Count {all}"), needs(Action::List));
        self.add(of, "GET", one.to_owned(), &named("get"), What::Read, format!("Get {name}"), needs(Action::Read));
        if writes {
            self.add(of, "PATCH", one.to_owned(), &named("update"), What::Update, format!("Update {name}"), needs(Action::Write));
            self.add(of, "DELETE", one.to_owned(), &named("delete"), What::Delete, format!("Delete {name}"), needs(Action::Write));
        }
        let above = |property: &Property| {
            of.cast
                .and_then(|ty| ty.base)
                .and_then(|base| MODEL.find_type(base))
                .is_some_and(|base| MODEL.property(base, property.name).is_some())
        };
        let own = MODEL.properties(of.element).into_iter().filter(|property| !property.write_only && !above(property));
        self.properties(of, one, &named("property"), &own.collect::<Vec<_>>());
    }

    /// `…/{property}` and what may follow it. Parts of complex values have URLs below those.
    fn properties(&mut self, of: Of, one: &str, name: &str, all: &[&'static Property]) {
        let simple = |p: &&&Property| !p.collection && !matches!(p.ty, TypeRef::Complex(_));
        let name_of = of.element.name;
        for (what, tail, summary, properties) in [
            (What::Property, "", format!("Get a property of a {name_of}"), all.to_vec()),
            (
                What::PropertyValue,
                "/$value",
                format!("Get a property of a {name_of} as text"),
                all.iter().filter(simple).copied().collect(),
            ),
            (
                What::PropertyCount,
                "/$count",
                format!("Count the values of a property of a {name_of}"),
                all.iter().filter(|p| p.collection).copied().collect(),
            ),
        ] {
            if !properties.is_empty() {
                let permissions = vec![allowed(of.collection.resource, Action::Read)];
                let id = format!("{name}{}", tail.replace("/$", "_"));
                self.add(of, "GET", format!("{one}/{{property}}{tail}"), &id, what, summary, permissions);
                if let Some(endpoint) = self.out.last_mut() {
                    endpoint.properties = properties;
                }
            }
        }
    }

    /// The operations bound to a collection or to its entities, those of derived types behind a cast.
    fn operations(&mut self, of: Of, path: &str, on_collection: bool) {
        for op in MODEL.operations.iter().filter(|op| op.binding_collection == on_collection) {
            let Some(bound) = MODEL.find_type(op.binding) else { continue };
            let path = if MODEL.is_subtype(of.element, bound) {
                format!("{path}/{}", op.name)
            } else if MODEL.is_subtype(bound, of.element) {
                format!("{path}/{}/{}", bound.qualified(), op.name)
            } else {
                continue;
            };
            let name = if on_collection { format!("all_{}", op.name) } else { op.name.to_owned() };
            let target = if on_collection { of.collection.name } else { bound.name };
            let method = if op.action { "POST" } else { "GET" };
            self.add(of, method, path, &name, What::Call(op), format!("{target}: {}", op.name), vec![of_operation(op, of.collection)]);
        }
    }

    /// `/inboundFlows/{id}/dataConnector`, and the operations of what it leads to.
    fn follow(&mut self, of: Of, one: &str, navigation: &'static Navigation) {
        let Some(target) = MODEL.find_type(navigation.target) else { return };
        // `activity` leads to a base type that is in no collection by itself, but in one by its derived types.
        let into = COLLECTIONS
            .iter()
            .find(|c| c.element == navigation.target)
            .or_else(|| COLLECTIONS.iter().find(|c| MODEL.find_type(c.element).is_some_and(|element| MODEL.is_subtype(element, target))));
        let Some(into) = into else { return };
        let path = format!("{one}/{}", navigation.name);
        let read = |collection: &Collection| allowed(collection.resource, Action::Read);
        let mut permissions = vec![read(of.collection)];
        if read(into) != read(of.collection) {
            permissions.push(read(into));
        }
        let through = Of { element: target, ..of };
        let summary = format!("Get the {} of a {}", navigation.name, of.element.name);
        self.add(through, "GET", path.clone(), &format!("get_{}", navigation.name), What::Follow, summary, permissions.clone());
        let summary = format!("Get the URL of the {} of a {}", navigation.name, of.element.name);
        let name = format!("get_{}_ref", navigation.name);
        self.add(through, "GET", format!("{path}/$ref"), &name, What::FollowRef, summary, permissions);
        for op in MODEL.operations.iter().filter(|op| !op.binding_collection && op.binding == navigation.target) {
            let method = if op.action { "POST" } else { "GET" };
            let permissions = vec![read(of.collection), of_operation(op, into)];
            let name = format!("{}_{}", navigation.name, op.name);
            let summary = format!("{}: {}, by a {}", target.name, op.name, of.element.name);
            self.add(through, method, format!("{path}/{}", op.name), &name, What::Call(op), summary, permissions);
        }
    }

    fn links(&mut self, of: Of, one: &str, navigation: &'static Navigation) {
        let Some(target) = MODEL.find_type(navigation.target) else { return };
        let needs = |action| vec![allowed(Resource::GroupMembers, action)];
        let (path, name, of_what) = (format!("{one}/{}", navigation.name), navigation.name, of.element.name);
        let of = Of { element: target, ..of };
        self.add(of, "GET", path.clone(), &format!("list_{name}"), What::Links, format!("List {name} of a {of_what}"), needs(Action::List));
        let summary = format!("Count {name} of a {of_what}");
        self.add(of, "GET", format!("{path}/$count"), &format!("count_{name}"), What::LinkCount, summary, needs(Action::List));
        let entry = format!("{path}/{{{}}}", key_name(target));
        self.add(
            of,
            "GET",
            entry.clone(),
            &format!("get_{name}"),
            What::Link,
            format!("Get one of {name} of a {of_what}"),
            needs(Action::Read),
        );
        if name == "members" {
            let summary = format!("Add one to {name} of a {of_what}");
            self.add(of, "POST", format!("{path}/$ref"), &format!("add_{name}"), What::AddLink, summary, needs(Action::Write));
            let summary = format!("Remove one from {name} of a {of_what}");
            self.add(of, "DELETE", format!("{entry}/$ref"), &format!("remove_{name}"), What::RemoveLink, summary, needs(Action::Write));
        }
    }

    /// `/securityGroupProvisioningFlow` with and without a key.
    fn short(&mut self, of: Of) {
        let Some(element) = MODEL.all_types().find(|ty| ty.name == SHORT) else { return };
        let of = Of { element, ..of };
        let needs = |action| vec![allowed(of.collection.resource, action)];
        for (path, name) in [(SHORT.to_owned(), "short"), (format!("{SHORT}/{{{}}}", key_name(element)), "short_key")] {
            let summary = format!("Get {SHORT} by its short URL");
            self.add(of, "GET", path.clone(), &format!("get_{name}"), What::ShortRead, summary, needs(Action::Read));
            let summary = format!("Update {SHORT} by its short URL");
            self.add(of, "PATCH", path, &format!("update_{name}"), What::ShortUpdate, summary, needs(Action::Write));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_endpoint_stands_twice() {
        let all = endpoints();
        assert!(all.len() > 70, "{}", all.len());
        assert_eq!(all.iter().map(|e| &e.id).collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(all.iter().map(|e| (e.method, &e.path)).collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn the_published_operations_are_there() {
        let all = endpoints();
        let has = |method: &str, path: &str| all.iter().any(|e| e.method == method && e.path == path);
        let base = "external/industryData";
        for (method, path) in [
            ("GET", "inboundFlows/{inboundFlow-id}/dataConnector"),
            ("GET", "inboundFlows/{inboundFlow-id}/year"),
            ("POST", "inboundFlows/{inboundFlow-id}/dataConnector/validate"),
            ("GET", "dataConnectors/{industryDataConnector-id}/microsoft.graph.industryData.azureDataLakeConnector/getUploadSession"),
            ("POST", "dataConnectors/{industryDataConnector-id}/validate"),
            ("GET", "dataConnectors/{industryDataConnector-id}/sourceSystem"),
            ("POST", "runs/start"),
            ("GET", "runs/getStatistics"),
            ("GET", "runs/{industryDataRun-id}/getStatistics"),
            ("GET", "runs/{industryDataRun-id}/activities/{industryDataRunActivity-id}/activity"),
            ("POST", "outboundProvisioningFlowSets/{outboundProvisioningFlowSet-id}/provisioningFlows/{provisioningFlow-id}/reset"),
        ] {
            assert!(has(method, &format!("{base}/{path}")), "{method} {path}");
        }
        assert!(has("POST", "groups/{group-id}/members/$ref"));
        assert!(has("PATCH", "securityGroupProvisioningFlow"));
    }
}
