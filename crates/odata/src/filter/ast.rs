//! What a filter says.

use crate::edm::{Primitive, StructuredType, TypeRef};
use jiff::{Timestamp, civil::Date};

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
    /// Two numbers calculated.
    Arithmetic {
        /// How.
        op: Arithmetic,
        /// Left.
        left: Box<Expr>,
        /// Right.
        right: Box<Expr>,
    },
    /// A number with the other sign.
    Negate(Box<Expr>),
    /// A function.
    Call(Function, Vec<Expr>),
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
        /// Name of the element in the condition.
        variable: String,
        /// Condition; `any()` has none.
        body: Option<Box<Expr>>,
    },
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

/// How two numbers are calculated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// `add`
    Add,
    /// `sub`
    Sub,
    /// `mul`
    Mul,
    /// `div`
    Div,
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
    /// A number.
    Number(f64),
    /// `'text'`, an enumeration word, a GUID.
    String(String),
    /// A date.
    Date(Date),
    /// A point in time.
    Time(Timestamp),
}

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Text in text.
    Contains,
    /// Text at the start.
    StartsWith,
    /// Text at the end.
    EndsWith,
    /// Lower case.
    ToLower,
    /// Upper case.
    ToUpper,
    /// Without blanks around.
    Trim,
    /// Characters.
    Length,
    /// Position of text in text.
    IndexOf,
    /// Part of a text.
    Substring,
    /// Two texts in one.
    Concat,
    /// Part of a time.
    Year,
    /// Part of a time.
    Month,
    /// Part of a time.
    Day,
    /// Part of a time.
    Hour,
    /// Part of a time.
    Minute,
    /// Part of a time.
    Second,
    /// Date of a time.
    Date,
    /// The nearest integer.
    Round,
    /// The integer below.
    Floor,
    /// The integer above.
    Ceiling,
}

/// What a function gives; the parser refuses what does not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Bool,
    Number,
    Text,
    Date,
    Time,
    Other,
}

impl Function {
    /// Name, fewest and most arguments, kind of the arguments, kind of the result.
    pub(super) const TABLE: &'static [(&'static str, Self, usize, usize, Kind, Kind)] = &[
        ("contains", Self::Contains, 2, 2, Kind::Text, Kind::Bool),
        ("startswith", Self::StartsWith, 2, 2, Kind::Text, Kind::Bool),
        ("endswith", Self::EndsWith, 2, 2, Kind::Text, Kind::Bool),
        ("tolower", Self::ToLower, 1, 1, Kind::Text, Kind::Text),
        ("toupper", Self::ToUpper, 1, 1, Kind::Text, Kind::Text),
        ("trim", Self::Trim, 1, 1, Kind::Text, Kind::Text),
        ("length", Self::Length, 1, 1, Kind::Text, Kind::Number),
        ("indexof", Self::IndexOf, 2, 2, Kind::Text, Kind::Number),
        ("substring", Self::Substring, 2, 3, Kind::Any, Kind::Text),
        ("concat", Self::Concat, 2, 2, Kind::Text, Kind::Text),
        ("year", Self::Year, 1, 1, Kind::Time, Kind::Number),
        ("month", Self::Month, 1, 1, Kind::Time, Kind::Number),
        ("day", Self::Day, 1, 1, Kind::Time, Kind::Number),
        ("hour", Self::Hour, 1, 1, Kind::Time, Kind::Number),
        ("minute", Self::Minute, 1, 1, Kind::Time, Kind::Number),
        ("second", Self::Second, 1, 1, Kind::Time, Kind::Number),
        ("date", Self::Date, 1, 1, Kind::Time, Kind::Date),
        ("round", Self::Round, 1, 1, Kind::Number, Kind::Number),
        ("floor", Self::Floor, 1, 1, Kind::Number, Kind::Number),
        ("ceiling", Self::Ceiling, 1, 1, Kind::Number, Kind::Number),
    ];
}

/// A path to a property, with the names as the model spells them.
#[derive(Debug, Clone, PartialEq)]
pub struct PropertyPath {
    /// The lambda variable it starts from.
    pub(super) variable: Option<String>,
    /// Type cast in front.
    pub(super) cast: Option<&'static StructuredType>,
    pub(super) names: Vec<&'static str>,
    pub(super) ty: Option<TypeRef>,
    pub(super) collection: bool,
}

impl PropertyPath {
    /// The names.
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// The name, when it is one property of the entity itself.
    pub fn single(&self) -> Option<&'static str> {
        match (&self.variable, self.names.as_slice()) {
            (None, [only]) => Some(only),
            _ => None,
        }
    }

    /// Whether it is one value that can be compared.
    pub fn is_primitive(&self) -> bool {
        !self.collection && matches!(self.ty, Some(TypeRef::Primitive(_) | TypeRef::Enum(_)))
    }

    pub(super) fn kind(&self) -> Kind {
        if self.collection {
            return Kind::Other;
        }
        match self.ty {
            Some(TypeRef::Primitive(Primitive::Boolean)) => Kind::Bool,
            Some(TypeRef::Primitive(Primitive::Int32 | Primitive::Int64 | Primitive::Double)) => Kind::Number,
            Some(TypeRef::Primitive(Primitive::String | Primitive::Guid) | TypeRef::Enum(_)) => Kind::Text,
            Some(TypeRef::Primitive(Primitive::Date)) => Kind::Date,
            Some(TypeRef::Primitive(Primitive::DateTimeOffset)) => Kind::Time,
            Some(TypeRef::Complex(_)) | None => Kind::Other,
        }
    }
}
