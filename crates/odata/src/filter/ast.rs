//! What a filter says.

use super::functions::Function;
use crate::edm::{EnumType, Navigation, Primitive, StructuredType, TypeRef};
use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Timestamp};

/// A filter or a part of one.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// Either.
    Or(Box<Expr>, Box<Expr>),
    /// Both.
    And(Box<Expr>, Box<Expr>),
    /// Not.
    Not(Box<Expr>),
    /// Two values compared.
    Compare {
        /// How.
        op: Comparison,
        /// Left.
        left: Box<Expr>,
        /// Right.
        right: Box<Expr>,
    },
    /// A value among others.
    In(Box<Expr>, Vec<Expr>),
    /// An enumeration value that has all of these words.
    Has(Box<Expr>, Vec<&'static str>),
    /// Two values calculated.
    Arithmetic {
        /// How.
        op: Arithmetic,
        /// Left.
        left: Box<Expr>,
        /// Right.
        right: Box<Expr>,
    },
    /// A number or duration with the other sign.
    Negate(Box<Expr>),
    /// A function.
    Call(Function, Vec<Expr>),
    /// Whether a value is of a type.
    IsOf(Box<Expr>, TypeName),
    /// A value as another type; null where it cannot be.
    Cast(Box<Expr>, TypeName),
    /// A constant.
    Literal(Literal),
    /// A property.
    Path(PropertyPath),
    /// The number of elements of a collection.
    Count(PropertyPath),
    /// `any` and `all` over a collection.
    Lambda {
        /// The collection.
        path: PropertyPath,
        /// `all`, else `any`.
        all: bool,
        /// Condition; `any()` has none.
        body: Option<Box<Expr>>,
    },
}

impl Expr {
    /// The navigation properties that the expression looks through. Whoever evaluates it puts what
    /// they lead to into the document, as `$expand` does.
    pub fn navigations(&self) -> Vec<&'static Navigation> {
        let mut found: Vec<&'static Navigation> = Vec::new();
        self.visit(&mut |expr| {
            if let Self::Path(path) | Self::Count(path) | Self::Lambda { path, .. } = expr
                && let Some(nav) = path.navigation
                && !found.iter().any(|known| std::ptr::eq(*known, nav))
            {
                found.push(nav);
            }
        });
        found
    }

    fn visit<'e>(&'e self, see: &mut impl FnMut(&'e Self)) {
        see(self);
        match self {
            Self::Or(a, b) | Self::And(a, b) | Self::Compare { left: a, right: b, .. } | Self::Arithmetic { left: a, right: b, .. } => {
                a.visit(see);
                b.visit(see);
            }
            Self::Not(inner) | Self::Negate(inner) | Self::IsOf(inner, _) | Self::Cast(inner, _) | Self::Has(inner, _) => inner.visit(see),
            Self::In(inner, items) => {
                inner.visit(see);
                for item in items {
                    item.visit(see);
                }
            }
            Self::Call(_, arguments) => {
                for argument in arguments {
                    argument.visit(see);
                }
            }
            Self::Lambda { body: Some(body), .. } => body.visit(see),
            Self::Literal(_) | Self::Path(_) | Self::Count(_) | Self::Lambda { body: None, .. } => {}
        }
    }

    /// Fixes `now()`: the model of time belongs to the caller, and one request sees one time.
    pub fn bind_now(&mut self, now: Timestamp) {
        match self {
            Self::Call(Function::Now, _) => *self = Self::Literal(Literal::Time(now)),
            Self::Or(a, b) | Self::And(a, b) | Self::Compare { left: a, right: b, .. } | Self::Arithmetic { left: a, right: b, .. } => {
                a.bind_now(now);
                b.bind_now(now);
            }
            Self::Not(inner) | Self::Negate(inner) | Self::IsOf(inner, _) | Self::Cast(inner, _) | Self::Has(inner, _) => {
                inner.bind_now(now);
            }
            Self::In(inner, items) => {
                inner.bind_now(now);
                for item in items {
                    item.bind_now(now);
                }
            }
            Self::Call(_, arguments) => {
                for argument in arguments {
                    argument.bind_now(now);
                }
            }
            Self::Lambda { body: Some(body), .. } => body.bind_now(now),
            Self::Literal(_) | Self::Path(_) | Self::Count(_) | Self::Lambda { body: None, .. } => {}
        }
    }
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `eq`
    Eq,
    /// `ne`
    Ne,
    /// `gt`
    Gt,
    /// `ge`
    Ge,
    /// `lt`
    Lt,
    /// `le`
    Le,
}

/// How two values are calculated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// `add`
    Add,
    /// `sub`
    Sub,
    /// `mul`
    Mul,
    /// `div`: integers divide as integers.
    Div,
    /// `divby`: always with a fraction.
    DivBy,
    /// `mod`
    Mod,
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number with a fraction or exponent, `INF`, `NaN`.
    Float(f64),
    /// `'text'` or a GUID.
    String(String),
    /// A word of an enumeration.
    Enum(&'static str, i32),
    /// A date.
    Date(Date),
    /// A point in time.
    Time(Timestamp),
    /// A time of day.
    Clock(Time),
    /// `duration'PT12H'`
    Duration(SignedDuration),
}

/// The type named in `isof` and `cast`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TypeName {
    /// Primitive.
    Primitive(Simple),
    /// Enumeration.
    Enum(EnumRef),
    /// Entity or complex type.
    Structured(&'static StructuredType),
}

/// Primitive types that an expression can name, coarser than the EDM's: what can be told apart in a
/// JSON document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Simple {
    /// `Edm.Boolean`
    Bool,
    /// `Edm.Byte` … `Edm.Int64`
    Int,
    /// `Edm.Decimal`, `Edm.Single`, `Edm.Double`
    Float,
    /// `Edm.String`
    Text,
    /// `Edm.Guid`
    Guid,
    /// `Edm.Date`
    Date,
    /// `Edm.DateTimeOffset`
    Time,
    /// `Edm.TimeOfDay`
    Clock,
    /// `Edm.Duration`
    Duration,
}

/// A row of the table of enumerations; two are the same when they are the same row.
#[derive(Debug, Clone, Copy)]
pub struct EnumRef(pub &'static EnumType);

impl PartialEq for EnumRef {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

/// What an expression gives; the parser refuses what does not fit together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// `null`
    Null,
    Simple(Simple),
    Enum(EnumRef),
    /// A complex value or an entity.
    Object(&'static StructuredType),
    /// A collection.
    List,
}

impl Kind {
    pub(super) const BOOL: Self = Self::Simple(Simple::Bool);
    pub(super) const INT: Self = Self::Simple(Simple::Int);
    pub(super) const FLOAT: Self = Self::Simple(Simple::Float);
    pub(super) const TEXT: Self = Self::Simple(Simple::Text);

    pub(super) fn is_number(self) -> bool {
        self == Self::INT || self == Self::FLOAT
    }

    /// In words, for errors.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Simple(Simple::Bool) => "a boolean",
            Self::Simple(Simple::Int | Simple::Float) => "a number",
            Self::Simple(Simple::Text) => "a text",
            Self::Simple(Simple::Guid) => "a GUID",
            Self::Simple(Simple::Date) => "a date",
            Self::Simple(Simple::Time) => "a time with a date",
            Self::Simple(Simple::Clock) => "a time of day",
            Self::Simple(Simple::Duration) => "a duration",
            Self::Enum(_) => "a word of an enumeration",
            Self::Object(_) => "a structured value",
            Self::List => "a collection",
        }
    }

    pub(super) fn of(ty: TypeRef, model: &crate::edm::Model) -> Option<Self> {
        Some(match ty {
            TypeRef::Primitive(primitive) => Self::Simple(match primitive {
                Primitive::Boolean => Simple::Bool,
                Primitive::Int32 | Primitive::Int64 => Simple::Int,
                Primitive::Double => Simple::Float,
                Primitive::String => Simple::Text,
                Primitive::Guid => Simple::Guid,
                Primitive::Date => Simple::Date,
                Primitive::DateTimeOffset => Simple::Time,
            }),
            TypeRef::Enum(name) => Self::Enum(EnumRef(model.find_enum(name)?)),
            TypeRef::Complex(name) => Self::Object(model.find_type(name)?),
        })
    }
}

/// One step of a path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// A property, as the model spells it.
    Name(&'static str),
    /// To a derived type.
    Cast {
        /// To what.
        to: &'static StructuredType,
        /// From what: the type of a value that does not say its own.
        from: &'static StructuredType,
    },
}

/// Where a path starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// At the entity itself.
    Entity,
    /// At the lambda variable with that number, counted from the outside.
    Variable(usize),
}

/// A path to a property, with the names as the model spells them.
#[derive(Debug, Clone, PartialEq)]
pub struct PropertyPath {
    pub(super) start: Start,
    pub(super) steps: Vec<Step>,
    /// Of the elements when it is a collection.
    pub(super) kind: Kind,
    pub(super) collection: bool,
    /// The navigation property that it goes through.
    pub(super) navigation: Option<&'static Navigation>,
}

impl PropertyPath {
    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The name, when it is one property of the entity itself.
    pub fn single(&self) -> Option<&'static str> {
        match (self.start, self.steps.as_slice(), self.navigation) {
            (Start::Entity, [Step::Name(only)], None) => Some(only),
            _ => None,
        }
    }

    /// The type of what it leads to, when that has properties.
    pub fn structured(&self) -> Option<&'static StructuredType> {
        match self.kind {
            Kind::Object(ty) => Some(ty),
            _ => None,
        }
    }

    pub(super) fn value_kind(&self) -> Kind {
        if self.collection { Kind::List } else { self.kind }
    }
}
