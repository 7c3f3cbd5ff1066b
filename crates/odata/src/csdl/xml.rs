//! CSDL XML (OData Common Schema Definition Language XML Representation 4.0).

use super::{BINDING, CORE, CORE_URL, Document, EntitySet, Schema, key};
use crate::edm::{EnumType, Navigation, Operation, Property, StructuredType};
use std::fmt::Write as _;

/// Attributes of an element, in the order of writing.
type Attributes<'a> = &'a [(&'a str, Option<&'a str>)];

/// Elements with their indentation. Attribute values are escaped; there is no text content in CSDL.
struct Writer {
    out: String,
    depth: usize,
}

impl Writer {
    fn tag(&mut self, name: &str, attributes: Attributes<'_>, end: &str) {
        let _ = write!(self.out, "{:1$}<{name}", "", self.depth * 2);
        for (attribute, value) in attributes.iter().filter_map(|(attribute, value)| Some((attribute, (*value)?))) {
            let _ = write!(self.out, " {attribute}=\"{}\"", escape(value));
        }
        let _ = writeln!(self.out, "{end}");
    }

    fn empty(&mut self, name: &str, attributes: Attributes<'_>) {
        self.tag(name, attributes, " />");
    }

    fn nested(&mut self, name: &str, attributes: Attributes<'_>, content: impl FnOnce(&mut Self)) {
        self.tag(name, attributes, ">");
        self.depth += 1;
        let before = self.out.len();
        content(self);
        self.depth -= 1;
        if self.out.len() == before {
            // Nothing inside: the form that the published metadata has.
            self.out.truncate(before - ">\n".len());
            self.out.push_str(" />\n");
        } else {
            let _ = writeln!(self.out, "{:1$}</{name}>", "", self.depth * 2);
        }
    }
}

pub(super) fn escape(value: &str) -> String {
    value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `true` as an attribute; false is the default and left out.
fn flag(value: bool) -> Option<&'static str> {
    value.then_some("true")
}

/// `Nullable="false"`; true is the default and left out.
fn nullable(value: bool) -> Option<&'static str> {
    (!value).then_some("false")
}

/// The whole document.
pub(super) fn write(document: &Document) -> String {
    let mut writer = Writer { out: "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n".to_owned(), depth: 0 };
    let edmx = [("Version", Some("4.0")), ("xmlns:edmx", Some("http://docs.oasis-open.org/odata/ns/edmx"))];
    writer.nested("edmx:Edmx", &edmx, |w| {
        if document.schemas.iter().flat_map(|schema| &schema.operations).any(|op| op.parameters.iter().any(|(_, _, optional)| *optional)) {
            w.nested("edmx:Reference", &[("Uri", Some(&format!("{CORE_URL}.xml")))], |w| {
                w.empty("edmx:Include", &[("Namespace", Some(CORE))]);
            });
        }
        w.nested("edmx:DataServices", &[], |w| document.schemas.iter().for_each(|found| schema(w, document, found)));
    });
    writer.out
}

fn schema(w: &mut Writer, document: &Document, schema: &Schema) {
    let aliased = schema.namespace == document.naming.aliased;
    let attributes = [
        ("Namespace", Some(schema.namespace)),
        ("Alias", aliased.then_some(document.naming.alias)),
        ("xmlns", Some("http://docs.oasis-open.org/odata/ns/edm")),
    ];
    w.nested("Schema", &attributes, |w| {
        schema.enums.iter().for_each(|ty| enumeration(w, ty));
        for entity in [false, true] {
            schema.types.iter().filter(|ty| ty.entity == entity).for_each(|ty| structured(w, document, ty));
        }
        schema.operations.iter().for_each(|op| operation(w, document, op));
        if aliased {
            container(w, document);
        }
    });
}

fn enumeration(w: &mut Writer, ty: &EnumType) {
    w.nested("EnumType", &[("Name", Some(ty.name))], |w| {
        for (word, value) in ty.members {
            w.empty("Member", &[("Name", Some(word)), ("Value", Some(&value.to_string()))]);
        }
    });
}

fn structured(w: &mut Writer, document: &Document, ty: &StructuredType) {
    let base = ty.base.map(|base| document.name(base));
    let attributes =
        [("Name", Some(ty.name)), ("BaseType", base.as_deref()), ("Abstract", flag(ty.abstract_)), ("OpenType", flag(ty.open))];
    w.nested(if ty.entity { "EntityType" } else { "ComplexType" }, &attributes, |w| {
        if let Some(key) = key(ty) {
            w.nested("Key", &[], |w| w.empty("PropertyRef", &[("Name", Some(key))]));
        }
        ty.properties.iter().filter(|property| !property.undocumented).for_each(|found| property(w, document, found));
        ty.navigations.iter().for_each(|found| navigation(w, document, found));
    });
}

fn property(w: &mut Writer, document: &Document, property: &Property) {
    let ty = document.wrapped(property.ty.name(), property.collection);
    w.empty("Property", &[("Name", Some(property.name)), ("Type", Some(&ty)), ("Nullable", nullable(property.nullable))]);
}

fn navigation(w: &mut Writer, document: &Document, navigation: &Navigation) {
    let ty = document.wrapped(navigation.target, navigation.collection);
    // A collection has no Nullable: it is empty, never null.
    let nullable = nullable(navigation.nullable || navigation.collection);
    let contained = flag(navigation.contained);
    let attributes = [("Name", Some(navigation.name)), ("Type", Some(ty.as_str())), ("Nullable", nullable), ("ContainsTarget", contained)];
    w.empty("NavigationProperty", &attributes);
}

fn operation(w: &mut Writer, document: &Document, op: &Operation) {
    let attributes = [("Name", Some(op.name)), ("IsBound", Some("true")), ("IsComposable", flag(op.composable))];
    w.nested(if op.action { "Action" } else { "Function" }, &attributes, |w| {
        let binding = document.wrapped(op.binding, op.binding_collection);
        let attributes = [("Name", Some(BINDING)), ("Type", Some(binding.as_str())), ("Nullable", nullable(op.binding_nullable))];
        w.empty("Parameter", &attributes);
        for (name, ty, optional) in op.parameters {
            w.nested("Parameter", &[("Name", Some(name)), ("Type", Some(&document.name(ty.name())))], |w| {
                if *optional {
                    w.empty("Annotation", &[("Term", Some(&format!("{CORE}.OptionalParameter")))]);
                }
            });
        }
        if let Some(returns) = op.returns {
            w.empty("ReturnType", &[("Type", Some(&document.name(returns))), ("Nullable", nullable(op.returns_nullable))]);
        }
    });
}

fn container(w: &mut Writer, document: &Document) {
    w.nested("EntityContainer", &[("Name", Some(document.naming.container))], |w| {
        document.sets.iter().for_each(|set| entity_set(w, set));
        for (name, ty) in &document.singletons {
            w.empty("Singleton", &[("Name", Some(name)), ("Type", Some(ty))]);
        }
    });
}

/// The container names types in full, as the published one does for `external`.
fn entity_set(w: &mut Writer, set: &EntitySet) {
    w.nested("EntitySet", &[("Name", Some(set.name)), ("EntityType", Some(set.element))], |w| {
        for (path, target) in &set.bindings {
            w.empty("NavigationPropertyBinding", &[("Path", Some(path)), ("Target", Some(target))]);
        }
    });
}
