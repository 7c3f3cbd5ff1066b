//! The model as metadata that client generators load: CSDL XML (OData 4.0) and CSDL JSON (4.01).
//!
//! Both are written from the table that decodes and encodes, so that what is promised is what is
//! done. A document holds what can be reached from where URLs begin; with all beginnings that is
//! the whole model, with the directory's alone it is the directory (`/v1.0`).

mod json;
mod xml;

use crate::edm::{EnumType, Model, Navigation, Operation, StructuredType, TypeRef};

/// The vocabulary of the one annotation that is published: a parameter that may be left out.
const CORE: &str = "Org.OData.Core.V1";
/// Where OASIS keeps that vocabulary.
const CORE_URL: &str = "https://oasis-tcs.github.io/odata-vocabularies/vocabularies/Org.OData.Core.V1";
/// Name of the binding parameter in the metadata of Microsoft Graph.
const BINDING: &str = "bindingParameter";

/// What metadata says beyond the types.
#[derive(Debug, Clone, Copy)]
pub struct Naming {
    /// Namespace with an alias.
    pub aliased: &'static str,
    /// The alias, used in all type names of that namespace.
    pub alias: &'static str,
    /// Name of the entity container, which lives in the same namespace.
    pub container: &'static str,
}

/// Metadata, ready to be written in either form.
#[derive(Debug)]
pub struct Document {
    naming: Naming,
    schemas: Vec<Schema>,
    sets: Vec<EntitySet>,
    singletons: Vec<(&'static str, &'static str)>,
}

/// The reachable part of one namespace, each list in the order of the table.
#[derive(Debug)]
struct Schema {
    namespace: &'static str,
    enums: Vec<&'static EnumType>,
    types: Vec<&'static StructuredType>,
    operations: Vec<&'static Operation>,
}

/// An entity set with the sets that its references lead to.
#[derive(Debug)]
struct EntitySet {
    name: &'static str,
    element: &'static str,
    bindings: Vec<(&'static str, &'static str)>,
}

impl Document {
    /// The part of a model that is reached from the entity sets and singletons of which `begins`
    /// is true.
    pub fn new(model: &'static Model, naming: Naming, begins: impl Fn(&str) -> bool) -> Self {
        let sets: Vec<_> = model.entity_sets.iter().copied().filter(|(name, _)| begins(name)).collect();
        let singletons: Vec<_> = model.singletons.iter().copied().filter(|(name, _)| begins(name)).collect();
        let mut reached = Reached { model, types: Vec::new(), with_derived: Vec::new(), enums: Vec::new(), operations: Vec::new() };
        for (_, name) in sets.iter().chain(&singletons) {
            reached.value(name);
        }
        reached.operations();
        let sets = sets.iter().map(|(name, element)| EntitySet { name, element, bindings: bindings(model, element, &sets) }).collect();
        Self { naming, schemas: reached.schemas(), sets, singletons }
    }

    /// CSDL XML, version 4.0.
    pub fn xml(&self) -> String {
        xml::write(self)
    }

    /// CSDL JSON, version 4.01.
    pub fn json(&self) -> serde_json::Value {
        json::write(self)
    }

    /// A type name as it is written: by the alias where there is one.
    fn name(&self, qualified: &str) -> String {
        match qualified.strip_prefix(self.naming.aliased).and_then(|rest| rest.strip_prefix('.')) {
            // Another namespace may begin with the aliased one.
            Some(name) if !name.contains('.') => format!("{}.{name}", self.naming.alias),
            _ => qualified.to_owned(),
        }
    }

    fn wrapped(&self, qualified: &str, collection: bool) -> String {
        let name = self.name(qualified);
        if collection { format!("Collection({name})") } else { name }
    }
}

/// The references of a set's entities that lead to exactly one set.
fn bindings(model: &'static Model, element: &str, sets: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let Some(ty) = model.find_type(element) else { return Vec::new() };
    let set_of = |nav: &Navigation| match sets.iter().filter(|(_, element)| *element == nav.target).collect::<Vec<_>>().as_slice() {
        [(name, _)] if !nav.contained => Some(*name),
        _ => None,
    };
    model.navigations(ty).into_iter().filter_map(|nav| Some((nav.name, set_of(nav)?))).collect()
}

/// The key of an entity type: `id`, where it is declared.
fn key(ty: &StructuredType) -> Option<&'static str> {
    ty.properties.iter().find(|property| ty.entity && property.name == "id").map(|property| property.name)
}

/// What has been found so far.
struct Reached {
    model: &'static Model,
    types: Vec<&'static StructuredType>,
    /// Types of which a value may occur, so that every type derived from them belongs here too.
    with_derived: Vec<&'static StructuredType>,
    enums: Vec<&'static EnumType>,
    operations: Vec<&'static Operation>,
}

impl Reached {
    /// A type of which values occur.
    fn value(&mut self, name: &str) {
        let Some(ty) = self.model.find_type(name) else { return };
        if self.with_derived.contains(&ty) {
            return;
        }
        self.with_derived.push(ty);
        for derived in self.model.all_types().filter(|other| self.model.is_subtype(other, ty)) {
            self.named(derived);
        }
    }

    /// A type that is named, perhaps only as a base.
    fn named(&mut self, ty: &'static StructuredType) {
        if self.types.contains(&ty) {
            return;
        }
        self.types.push(ty);
        if let Some(base) = ty.base.and_then(|name| self.model.find_type(name)) {
            self.named(base);
        }
        for property in ty.properties.iter().filter(|property| !property.undocumented) {
            self.reference(property.ty);
        }
        for navigation in ty.navigations {
            self.value(navigation.target);
        }
    }

    fn reference(&mut self, ty: TypeRef) {
        match ty {
            TypeRef::Primitive(_) => {}
            TypeRef::Enum(name) => {
                if let Some(found) = self.model.find_enum(name).filter(|found| !self.enums.iter().any(|known| std::ptr::eq(*known, *found)))
                {
                    self.enums.push(found);
                }
            }
            TypeRef::Complex(name) => self.value(name),
        }
    }

    /// The operations of the types that are reached, and what they take and give, to the end.
    fn operations(&mut self) {
        let model = self.model;
        loop {
            let bound = |op: &Operation| model.find_type(op.binding).is_some_and(|ty| self.types.contains(&ty));
            let known = |op: &Operation| self.operations.iter().any(|known| std::ptr::eq(*known, op));
            let Some(next) = model.operations.iter().find(|op| bound(op) && !known(op)) else { return };
            self.operations.push(next);
            for (_, ty, _) in next.parameters {
                self.reference(*ty);
            }
            if let Some(returns) = next.returns {
                self.value(returns);
            }
        }
    }

    /// By namespace, all in the order of the table: two documents of one model differ in nothing.
    fn schemas(&self) -> Vec<Schema> {
        let mut schemas: Vec<Schema> = Vec::new();
        let mut schema = |namespace: &'static str, add: &dyn Fn(&mut Schema)| {
            let index = schemas.iter().position(|schema| schema.namespace == namespace).unwrap_or_else(|| {
                schemas.push(Schema { namespace, enums: Vec::new(), types: Vec::new(), operations: Vec::new() });
                schemas.len() - 1
            });
            if let Some(schema) = schemas.get_mut(index) {
                add(schema);
            }
        };
        for ty in self.model.all_types().filter(|ty| self.types.contains(ty)) {
            schema(ty.namespace, &|schema| schema.types.push(ty));
        }
        for ty in self.model.enums.iter().flat_map(|list| list.iter()).filter(|ty| self.enums.iter().any(|known| std::ptr::eq(*known, *ty)))
        {
            schema(ty.namespace, &|schema| schema.enums.push(ty));
        }
        for op in self.model.operations.iter().filter(|op| self.operations.iter().any(|known| std::ptr::eq(*known, *op))) {
            schema(op.namespace, &|schema| schema.operations.push(op));
        }
        schemas
    }
}

#[cfg(test)]
mod tests;
