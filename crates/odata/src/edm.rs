//! The entity data model as static tables: written once, used for everything.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

/// A primitive type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Primitive {
    /// `Edm.Boolean`
    Boolean,
    /// `Edm.Int32`
    Int32,
    /// `Edm.Int64`
    Int64,
    /// `Edm.Double`
    Double,
    /// `Edm.String`
    String,
    /// `Edm.Guid`
    Guid,
    /// `Edm.Date`
    Date,
    /// `Edm.DateTimeOffset`
    DateTimeOffset,
}

impl Primitive {
    /// Name in CSDL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "Edm.Boolean",
            Self::Int32 => "Edm.Int32",
            Self::Int64 => "Edm.Int64",
            Self::Double => "Edm.Double",
            Self::String => "Edm.String",
            Self::Guid => "Edm.Guid",
            Self::Date => "Edm.Date",
            Self::DateTimeOffset => "Edm.DateTimeOffset",
        }
    }
}

/// The type of a property; enumerations and complex types by qualified name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeRef {
    /// Primitive.
    Primitive(Primitive),
    /// Enumeration.
    Enum(&'static str),
    /// Complex type.
    Complex(&'static str),
}

impl TypeRef {
    /// `Edm.String`
    pub const STRING: Self = Self::Primitive(Primitive::String);
    /// `Edm.Boolean`
    pub const BOOLEAN: Self = Self::Primitive(Primitive::Boolean);
    /// `Edm.Int32`
    pub const INT32: Self = Self::Primitive(Primitive::Int32);
    /// `Edm.Date`
    pub const DATE: Self = Self::Primitive(Primitive::Date);
    /// `Edm.DateTimeOffset`
    pub const DATE_TIME: Self = Self::Primitive(Primitive::DateTimeOffset);

    /// Qualified name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Primitive(primitive) => primitive.name(),
            Self::Enum(name) | Self::Complex(name) => name,
        }
    }
}

/// What a client may do with a property when it creates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCreate {
    /// Must be sent.
    Required,
    /// May be sent.
    Optional,
    /// The server sets it; what a client sends is ignored.
    Computed,
}

/// What a client may do with a property when it updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUpdate {
    /// May be changed.
    Mutable,
    /// The stored value may be sent back, another one is refused.
    Immutable,
    /// The server sets it; what a client sends is ignored.
    Computed,
}

/// A structural property.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    /// Name.
    pub name: &'static str,
    /// Type, of the elements when it is a collection.
    pub ty: TypeRef,
    /// Whether it is a collection.
    pub collection: bool,
    /// Whether it may be null.
    pub nullable: bool,
    /// Rule on create.
    pub create: OnCreate,
    /// Rule on update.
    pub update: OnUpdate,
    /// Longest text, characters.
    pub max_length: Option<usize>,
    /// Never answered.
    pub write_only: bool,
    /// Accepted and answered, but not in the published metadata.
    pub undocumented: bool,
}

impl Property {
    /// A nullable, optional, mutable property.
    pub const fn new(name: &'static str, ty: TypeRef) -> Self {
        Self {
            name,
            ty,
            collection: false,
            nullable: true,
            create: OnCreate::Optional,
            update: OnUpdate::Mutable,
            max_length: None,
            write_only: false,
            undocumented: false,
        }
    }
    /// Not null and needed on create.
    pub const fn required(mut self) -> Self {
        self.nullable = false;
        self.create = OnCreate::Required;
        self
    }
    /// Not null.
    pub const fn non_null(mut self) -> Self {
        self.nullable = false;
        self
    }
    /// Set by the server.
    pub const fn computed(mut self) -> Self {
        self.create = OnCreate::Computed;
        self.update = OnUpdate::Computed;
        self
    }
    /// Not to be changed.
    pub const fn immutable(mut self) -> Self {
        self.update = OnUpdate::Immutable;
        self
    }
    /// Longest text, characters.
    pub const fn max(mut self, characters: usize) -> Self {
        self.max_length = Some(characters);
        self
    }
    /// A collection.
    pub const fn list(mut self) -> Self {
        self.collection = true;
        self
    }
    /// Never answered.
    pub const fn secret(mut self) -> Self {
        self.write_only = true;
        self
    }
    /// Not in the published metadata.
    pub const fn hidden(mut self) -> Self {
        self.undocumented = true;
        self
    }
}

/// A navigation property.
#[derive(Debug, Clone, Copy)]
pub struct Navigation {
    /// Name.
    pub name: &'static str,
    /// Qualified type it leads to.
    pub target: &'static str,
    /// To many.
    pub collection: bool,
    /// Whether it may be unset.
    pub nullable: bool,
    /// Whether the target lives inside this entity.
    pub contained: bool,
    /// Whether a binding must be sent on create.
    pub required_on_create: bool,
}

impl Navigation {
    /// To one, nullable.
    pub const fn one(name: &'static str, target: &'static str) -> Self {
        Self { name, target, collection: false, nullable: true, contained: false, required_on_create: false }
    }
    /// To many.
    pub const fn many(name: &'static str, target: &'static str) -> Self {
        Self { collection: true, ..Self::one(name, target) }
    }
    /// Contained.
    pub const fn contained(mut self) -> Self {
        self.contained = true;
        self
    }
    /// Not null.
    pub const fn non_null(mut self) -> Self {
        self.nullable = false;
        self
    }
    /// Not null, and a binding is needed on create.
    pub const fn required(mut self) -> Self {
        self.nullable = false;
        self.required_on_create = true;
        self
    }
}

/// Two navigation properties are the same when they are the same row of the table.
impl PartialEq for Navigation {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// An entity type or a complex type.
#[derive(Debug)]
pub struct StructuredType {
    /// Namespace.
    pub namespace: &'static str,
    /// Name in it.
    pub name: &'static str,
    /// Entity type, else complex type.
    pub entity: bool,
    /// Qualified base type.
    pub base: Option<&'static str>,
    /// Has no values of its own.
    pub abstract_: bool,
    /// Takes properties that are not declared.
    pub open: bool,
    /// Own properties.
    pub properties: &'static [Property],
    /// Own navigation properties.
    pub navigations: &'static [Navigation],
}

impl StructuredType {
    /// Qualified name.
    pub fn qualified(&self) -> String {
        format!("{}.{}", self.namespace, self.name)
    }
}

/// Two types are the same when they are the same row of the table.
impl PartialEq for StructuredType {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// An enumeration.
#[derive(Debug)]
pub struct EnumType {
    /// Namespace.
    pub namespace: &'static str,
    /// Name in it.
    pub name: &'static str,
    /// Members and their values.
    pub members: &'static [(&'static str, i32)],
}

/// A bound action or function.
#[derive(Debug)]
pub struct Operation {
    /// Namespace.
    pub namespace: &'static str,
    /// Name in it.
    pub name: &'static str,
    /// Action, else function.
    pub action: bool,
    /// Qualified type it is bound to.
    pub binding: &'static str,
    /// Whether it is bound to a collection of that type.
    pub binding_collection: bool,
    /// Whether the published metadata lets the binding parameter be null.
    pub binding_nullable: bool,
    /// Parameters beyond the binding one: name, type, whether it may be left out.
    pub parameters: &'static [(&'static str, TypeRef, bool)],
    /// Qualified type that it gives.
    pub returns: Option<&'static str>,
    /// Whether the published metadata lets it give null.
    pub returns_nullable: bool,
    /// Whether further segments may follow.
    pub composable: bool,
}

/// The whole model.
#[derive(Debug)]
pub struct Model {
    /// Enumerations.
    pub enums: &'static [&'static [EnumType]],
    /// Entity and complex types.
    pub types: &'static [&'static [StructuredType]],
    /// Operations.
    pub operations: &'static [Operation],
    /// Entity sets: name and qualified element type.
    pub entity_sets: &'static [(&'static str, &'static str)],
    /// Singletons: name and qualified type.
    pub singletons: &'static [(&'static str, &'static str)],
    index: OnceLock<Index>,
}

/// What is looked up for every value of an answer, made from the tables on first use.
#[derive(Debug)]
struct Index {
    /// By qualified name as the model spells it and in lower case, and both without `microsoft.`.
    types: HashMap<String, &'static StructuredType>,
    /// Addresses of the types that are abstract or have derived types.
    polymorphic: HashSet<usize>,
}

/// Longest chain of base types; a table with a cycle would otherwise hang.
const BASES_MAX: usize = 16;

/// Where a row of the table is: a row is itself and no other.
fn address(ty: &StructuredType) -> usize {
    std::ptr::from_ref(ty).addr()
}

impl Model {
    /// A model of these tables.
    pub const fn new(
        enums: &'static [&'static [EnumType]],
        types: &'static [&'static [StructuredType]],
        operations: &'static [Operation],
        entity_sets: &'static [(&'static str, &'static str)],
        singletons: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self { enums, types, operations, entity_sets, singletons, index: OnceLock::new() }
    }

    /// All types.
    pub fn all_types(&self) -> impl Iterator<Item = &'static StructuredType> {
        self.types.iter().flat_map(|list| list.iter())
    }

    /// A type by qualified name, with or without `#`, without regard to case; `graph` stands for
    /// `microsoft.graph` in front of it.
    pub fn find_type(&self, name: &str) -> Option<&'static StructuredType> {
        let name = name.strip_prefix('#').unwrap_or(name);
        let types = &self.index().types;
        types.get(name).or_else(|| types.get(&name.to_ascii_lowercase())).copied()
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| {
            let mut types = HashMap::new();
            for ty in self.all_types() {
                let name = ty.qualified();
                for name in [name.strip_prefix("microsoft.").unwrap_or(&name), &name] {
                    types.entry(name.to_owned()).or_insert(ty);
                    types.entry(name.to_ascii_lowercase()).or_insert(ty);
                }
            }
            let base = |ty: &StructuredType| ty.base.and_then(|base| types.get(base).copied());
            let bases = self.all_types().filter_map(base).chain(self.all_types().filter(|ty| ty.abstract_));
            let polymorphic = bases.map(address).collect();
            Index { types, polymorphic }
        })
    }

    /// An enumeration by qualified name.
    pub fn find_enum(&self, name: &str) -> Option<&'static EnumType> {
        self.enums.iter().flat_map(|list| list.iter()).find(|ty| {
            name.strip_prefix(ty.namespace).and_then(|rest| rest.strip_prefix('.')).is_some_and(|rest| rest.eq_ignore_ascii_case(ty.name))
        })
    }

    /// The type and its bases, the type itself first.
    pub fn lineage(&self, ty: &'static StructuredType) -> impl Iterator<Item = &'static StructuredType> {
        std::iter::successors(Some(ty), |ty| ty.base.and_then(|base| self.find_type(base))).take(BASES_MAX)
    }

    /// All properties, inherited ones first.
    pub fn properties(&self, ty: &'static StructuredType) -> Vec<&'static Property> {
        let mut lineage: Vec<_> = self.lineage(ty).collect();
        lineage.reverse();
        lineage.into_iter().flat_map(|ty| ty.properties).collect()
    }

    /// All navigation properties, inherited ones first.
    pub fn navigations(&self, ty: &'static StructuredType) -> Vec<&'static Navigation> {
        let mut lineage: Vec<_> = self.lineage(ty).collect();
        lineage.reverse();
        lineage.into_iter().flat_map(|ty| ty.navigations).collect()
    }

    /// A property by name: exact, else without regard to case.
    pub fn property(&self, ty: &'static StructuredType, name: &str) -> Option<&'static Property> {
        let all = || self.lineage(ty).flat_map(|ty| ty.properties);
        all().find(|p| p.name == name).or_else(|| all().find(|p| p.name.eq_ignore_ascii_case(name)))
    }

    /// The contained collection in which entities of a type live.
    pub fn collection_of(&self, target: &str) -> Option<&'static str> {
        let navigations = self.all_types().flat_map(|ty| ty.navigations);
        navigations.into_iter().find(|nav| nav.contained && nav.collection && nav.target == target).map(|nav| nav.name)
    }

    /// A navigation property by name: exact, else without regard to case.
    pub fn navigation(&self, ty: &'static StructuredType, name: &str) -> Option<&'static Navigation> {
        let all = || self.lineage(ty).flat_map(|ty| ty.navigations);
        all().find(|n| n.name == name).or_else(|| all().find(|n| n.name.eq_ignore_ascii_case(name)))
    }

    /// Whether a type is another one or derives from it.
    pub fn is_subtype(&self, ty: &'static StructuredType, of: &StructuredType) -> bool {
        self.lineage(ty).any(|base| std::ptr::eq(base, of))
    }

    /// The types with values of their own that are a type or derive from it.
    pub fn concrete(&self, of: &'static StructuredType) -> Vec<&'static StructuredType> {
        self.all_types().filter(|ty| !ty.abstract_ && self.is_subtype(ty, of)).collect()
    }

    /// Whether a value of that declared type has to say which type it is.
    pub fn is_polymorphic(&self, ty: &'static StructuredType) -> bool {
        self.index().polymorphic.contains(&address(ty))
    }

    /// The operation of that name, qualified or not, bound to a type or to a collection of it.
    pub fn operation(&self, name: &str, ty: &'static StructuredType, collection: bool) -> Option<&'static Operation> {
        self.operations.iter().find(|op| {
            let named = name.eq_ignore_ascii_case(op.name) || name.eq_ignore_ascii_case(&format!("{}.{}", op.namespace, op.name));
            named && op.binding_collection == collection && self.find_type(op.binding).is_some_and(|bound| self.is_subtype(ty, bound))
        })
    }
}
