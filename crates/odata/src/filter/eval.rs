//! A filter evaluated on a document, with OData's three-valued logic (part 2, §5.1.1.1): a comparison
//! with null is false, except `eq null` and `ne null`; `not`, `and` and `or` pass on what is unknown.

use super::ast::{Arithmetic, Comparison, Expr, Kind, PropertyPath, Simple, Start, Step, TypeName};
use super::functions::call;
use super::value::{V, order};
use crate::edm::{Model, StructuredType};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;

struct Scope<'a> {
    model: &'a Model,
    document: &'a Map<String, Value>,
    variables: Vec<&'a Value>,
    budget: &'a Budget,
}

/// What the evaluation of filters may cost. Lambdas multiply: a filter of two hundred characters can
/// ask for more than any machine can do, so the work is counted and not only the text.
#[derive(Debug)]
pub struct Budget {
    left: Cell<u64>,
}

impl Budget {
    /// So many conditions looked at.
    pub const fn new(conditions: u64) -> Self {
        Self { left: Cell::new(conditions) }
    }

    /// Whether it is used up: what was evaluated with it then says nothing.
    pub fn is_exhausted(&self) -> bool {
        self.left.get() == 0
    }

    fn take(&self) -> bool {
        self.left.set(self.left.get().saturating_sub(1));
        !self.is_exhausted()
    }
}

/// Whether a document fulfils a filter; `false` when the budget does not suffice to tell.
pub fn evaluate(model: &Model, filter: &Expr, document: &Map<String, Value>, budget: &Budget) -> bool {
    let truth = Scope { model, document, variables: Vec::new(), budget }.truth(filter);
    truth == Some(true) && !budget.is_exhausted()
}

/// What an expression gives for a document.
pub(super) fn value_of<'a>(model: &'a Model, expr: &'a Expr, document: &'a Map<String, Value>, budget: &'a Budget) -> V<'a> {
    Scope { model, document, variables: Vec::new(), budget }.value(expr)
}

/// What a path leads to.
enum Found<'a> {
    Nothing,
    /// The entity itself.
    Entity(&'a Map<String, Value>),
    Value(&'a Value),
    Elements(Vec<&'a Value>),
}

impl<'a> Scope<'a> {
    fn truth(&mut self, expr: &'a Expr) -> Option<bool> {
        if !self.budget.take() {
            return None;
        }
        match expr {
            Expr::Or(left, right) => match self.truth(left) {
                Some(true) => Some(true),
                left => match (left, self.truth(right)) {
                    (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                },
            },
            Expr::And(left, right) => match self.truth(left) {
                Some(false) => Some(false),
                left => match (left, self.truth(right)) {
                    (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                },
            },
            Expr::Not(inner) => self.truth(inner).map(|truth| !truth),
            Expr::Compare { op, left, right } => {
                let (left, right) = (self.value(left), self.value(right));
                Some(compare(*op, &left, &right))
            }
            Expr::In(left, items) => {
                let left = self.value(left);
                Some(items.iter().any(|item| compare(Comparison::Eq, &left, &self.value(item))))
            }
            // An enumeration without flags holds one word.
            Expr::Has(left, words) => match self.value(left) {
                V::Enum(word, _) => Some(words.iter().all(|wanted| *wanted == word)),
                _ => None,
            },
            Expr::IsOf(inner, ty) => Some(self.is_of(inner, *ty)),
            Expr::Lambda { path, all, body } => Some(self.lambda(path, *all, body.as_deref())),
            other => match self.value(other) {
                V::Bool(truth) => Some(truth),
                _ => None,
            },
        }
    }

    fn lambda(&mut self, path: &PropertyPath, all: bool, body: Option<&'a Expr>) -> bool {
        let items = self.elements(path);
        let Some(body) = body else { return !items.is_empty() };
        let mut test = |item: &'a Value| {
            if self.budget.is_exhausted() {
                // Ends the walk over the items as well.
                return !all;
            }
            self.variables.push(item);
            let truth = self.truth(body) == Some(true);
            self.variables.pop();
            truth
        };
        if all { items.into_iter().all(&mut test) } else { items.into_iter().any(&mut test) }
    }

    fn elements(&self, path: &PropertyPath) -> Vec<&'a Value> {
        match self.find(path) {
            Found::Elements(items) => items,
            Found::Value(Value::Array(items)) => items.iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Whether an object is of a type, by what it says itself or by what its place declares.
    fn is_type(&self, object: &Map<String, Value>, declared: &'static StructuredType, wanted: &StructuredType) -> bool {
        let named = object.get("@odata.type").and_then(Value::as_str).and_then(|name| self.model.find_type(name));
        self.model.is_subtype(named.unwrap_or(declared), wanted)
    }

    fn find(&self, path: &PropertyPath) -> Found<'a> {
        let mut found = match path.start {
            Start::Entity => Found::Entity(self.document),
            Start::Variable(number) => self.variables.get(number).map_or(Found::Nothing, |value| Found::Value(value)),
        };
        for step in &path.steps {
            found = match (step, found) {
                (Step::Name(name), Found::Entity(object) | Found::Value(Value::Object(object))) => {
                    object.get(*name).map_or(Found::Nothing, Found::Value)
                }
                (Step::Cast { to, from }, Found::Entity(object)) if self.is_type(object, from, to) => Found::Entity(object),
                (Step::Cast { to, from }, Found::Value(value)) => match value {
                    Value::Object(object) if self.is_type(object, from, to) => Found::Value(value),
                    Value::Array(items) => {
                        let fits = |item: &&Value| item.as_object().is_some_and(|object| self.is_type(object, from, to));
                        Found::Elements(items.iter().filter(fits).collect())
                    }
                    _ => Found::Nothing,
                },
                _ => Found::Nothing,
            };
        }
        found
    }

    fn path(&self, path: &PropertyPath) -> V<'a> {
        match self.find(path) {
            Found::Entity(object) => V::Object(object),
            Found::Value(value) => scalar(value, path.kind),
            Found::Nothing | Found::Elements(_) => V::Null,
        }
    }

    fn is_of(&mut self, inner: &'a Expr, ty: TypeName) -> bool {
        let declared = match inner {
            Expr::Path(path) => Some(path.kind),
            _ => None,
        };
        match (self.value(inner), ty) {
            (V::Object(object), TypeName::Structured(wanted)) => match declared {
                Some(Kind::Object(declared)) => self.is_type(object, declared, wanted),
                _ => self.is_type(object, wanted, wanted),
            },
            (V::Enum(..), TypeName::Enum(wanted)) => declared == Some(Kind::Enum(wanted)),
            (value, TypeName::Primitive(simple)) => match value {
                V::Bool(_) => simple == Simple::Bool,
                V::Int(_) => matches!(simple, Simple::Int | Simple::Float),
                V::Float(_) => simple == Simple::Float,
                V::Text(_) => declared.map_or(simple == Simple::Text, |kind| kind == Kind::Simple(simple)),
                V::Date(_) => simple == Simple::Date,
                V::Time(_) => simple == Simple::Time,
                V::Clock(_) => simple == Simple::Clock,
                V::Duration(_) => simple == Simple::Duration,
                V::Null | V::Enum(..) | V::Object(_) => false,
            },
            _ => false,
        }
    }

    fn value(&mut self, expr: &'a Expr) -> V<'a> {
        match expr {
            Expr::Literal(literal) => V::literal(literal),
            Expr::Path(path) => self.path(path),
            Expr::Count(path) => V::Int(self.elements(path).len() as i64),
            Expr::Negate(inner) => match self.value(inner) {
                V::Int(number) => number.checked_neg().map_or(V::Null, V::Int),
                V::Float(number) => V::Float(-number),
                V::Duration(duration) => duration.checked_neg().map_or(V::Null, V::Duration),
                _ => V::Null,
            },
            Expr::Arithmetic { op, left, right } => {
                let (left, right) = (self.value(left), self.value(right));
                calculate(*op, left, right)
            }
            Expr::Call(function, arguments) => {
                let values: Vec<V<'a>> = arguments.iter().map(|argument| self.value(argument)).collect();
                call(*function, &values)
            }
            Expr::Cast(inner, ty) => {
                let value = self.value(inner);
                match ty {
                    TypeName::Structured(_) if !self.is_of(inner, *ty) => V::Null,
                    _ => cast(value, *ty),
                }
            }
            condition => self.truth(condition).map_or(V::Null, V::Bool),
        }
    }
}

/// A JSON value as what the model says it is.
fn scalar(value: &Value, kind: Kind) -> V<'_> {
    match (value, kind) {
        (Value::Bool(truth), _) => V::Bool(*truth),
        (Value::Number(number), Kind::Simple(Simple::Float)) => number.as_f64().map_or(V::Null, V::Float),
        (Value::Number(number), _) => match number.as_i64() {
            Some(int) => V::Int(int),
            None => number.as_f64().map_or(V::Null, V::Float),
        },
        (Value::String(text), Kind::Simple(simple)) => V::read(Cow::Borrowed(text), simple),
        (Value::String(text), Kind::Enum(ty)) => {
            // A word that the model does not know (any more) equals none that it knows.
            ty.0.members.iter().find(|(word, _)| word == text).map_or(V::Null, |(word, number)| V::Enum(word, *number))
        }
        (Value::String(text), _) => V::Text(Cow::Borrowed(text)),
        (Value::Object(object), _) => V::Object(object),
        (Value::Null | Value::Array(_), _) => V::Null,
    }
}

fn compare(op: Comparison, left: &V<'_>, right: &V<'_>) -> bool {
    if matches!(left, V::Null) || matches!(right, V::Null) {
        let equal = matches!((left, right), (V::Null, V::Null));
        return match op {
            Comparison::Eq => equal,
            Comparison::Ne => !equal,
            _ => false,
        };
    }
    let Some(ordering) = order(left, right) else { return op == Comparison::Ne };
    match op {
        Comparison::Eq => ordering == Ordering::Equal,
        Comparison::Ne => ordering != Ordering::Equal,
        Comparison::Gt => ordering == Ordering::Greater,
        Comparison::Ge => ordering != Ordering::Less,
        Comparison::Lt => ordering == Ordering::Less,
        Comparison::Le => ordering != Ordering::Greater,
    }
}

/// What has no value (by zero, out of range) is null.
fn calculate<'v>(op: Arithmetic, left: V<'v>, right: V<'v>) -> V<'v> {
    use Arithmetic as A;
    let midnight = |date: jiff::civil::Date| date.to_zoned_datetime(TimeZone::UTC).ok().map(|z| z.timestamp());
    match (op, left, right) {
        (A::Add, V::Time(time), V::Duration(by)) | (A::Add, V::Duration(by), V::Time(time)) => {
            time.checked_add(by).map_or(V::Null, V::Time)
        }
        (A::Sub, V::Time(time), V::Duration(by)) => time.checked_sub(by).map_or(V::Null, V::Time),
        (A::Add, V::Date(date), V::Duration(by)) | (A::Add, V::Duration(by), V::Date(date)) => {
            date.checked_add(by).map_or(V::Null, V::Date)
        }
        (A::Sub, V::Date(date), V::Duration(by)) => date.checked_sub(by).map_or(V::Null, V::Date),
        (A::Sub, V::Time(a), V::Time(b)) => V::Duration(a.duration_since(b)),
        (A::Sub, V::Date(a), V::Date(b)) => match (midnight(a), midnight(b)) {
            (Some(a), Some(b)) => V::Duration(a.duration_since(b)),
            _ => V::Null,
        },
        (A::Add, V::Duration(a), V::Duration(b)) => a.checked_add(b).map_or(V::Null, V::Duration),
        (A::Sub, V::Duration(a), V::Duration(b)) => a.checked_sub(b).map_or(V::Null, V::Duration),
        (A::Mul, V::Duration(a), b) | (A::Mul, b, V::Duration(a)) => scaled(a, b.float()),
        (A::Div | A::DivBy, V::Duration(a), b) => scaled(a, b.float().map(f64::recip)),
        (op, V::Int(a), V::Int(b)) if op != A::DivBy => {
            let exact = match op {
                A::Add => a.checked_add(b),
                A::Sub => a.checked_sub(b),
                A::Mul => a.checked_mul(b),
                A::Mod => a.checked_rem(b),
                A::Div | A::DivBy => a.checked_div(b),
            };
            exact.map_or(V::Null, V::Int)
        }
        (op, left, right) => match (left.float(), right.float()) {
            (Some(a), Some(b)) => {
                let result = match op {
                    A::Add => a + b,
                    A::Sub => a - b,
                    A::Mul => a * b,
                    A::Div | A::DivBy => a / b,
                    A::Mod => a % b,
                };
                if result.is_finite() { V::Float(result) } else { V::Null }
            }
            _ => V::Null,
        },
    }
}

fn scaled<'v>(duration: jiff::SignedDuration, by: Option<f64>) -> V<'v> {
    let seconds = by.map(|by| duration.as_secs_f64() * by);
    seconds.and_then(|seconds| jiff::SignedDuration::try_from_secs_f64(seconds).ok()).map_or(V::Null, V::Duration)
}

/// `cast`: null where the value has no counterpart in the other type (part 2, §5.1.1.10.1).
fn cast(value: V<'_>, ty: TypeName) -> V<'_> {
    let simple = match ty {
        TypeName::Primitive(simple) => simple,
        TypeName::Structured(_) => return value,
        TypeName::Enum(wanted) => {
            let found = match &value {
                V::Text(text) => wanted.0.members.iter().find(|(word, _)| word == text),
                V::Int(number) => wanted.0.members.iter().find(|(_, known)| i64::from(*known) == *number),
                V::Enum(word, _) => wanted.0.members.iter().find(|(known, _)| known == word),
                _ => None,
            };
            return found.map_or(V::Null, |(word, number)| V::Enum(word, *number));
        }
    };
    match (value, simple) {
        (V::Text(text), simple) => V::read(text, simple),
        (value @ V::Bool(_), Simple::Bool)
        | (value @ V::Int(_), Simple::Int)
        | (value @ V::Float(_), Simple::Float)
        | (value @ V::Date(_), Simple::Date)
        | (value @ V::Time(_), Simple::Time)
        | (value @ V::Clock(_), Simple::Clock)
        | (value @ V::Duration(_), Simple::Duration) => value,
        (V::Int(number), Simple::Float) => V::Float(number as f64),
        (V::Float(number), Simple::Int) if number.abs() < 9.0e18 => V::Int(number.trunc() as i64),
        (V::Enum(_, number), Simple::Int) => V::Int(number.into()),
        (V::Date(date), Simple::Time) => date.to_zoned_datetime(TimeZone::UTC).map_or(V::Null, |z| V::Time(z.timestamp())),
        (V::Time(time), Simple::Date) => V::Date(time.to_zoned_datetime(TimeZone::UTC).date()),
        (V::Time(time), Simple::Clock) => V::Clock(time.to_zoned_datetime(TimeZone::UTC).time()),
        (value, Simple::Text) => text(&value).map_or(V::Null, |text| V::Text(text.into())),
        _ => V::Null,
    }
}

/// A value as the text of its literal.
fn text(value: &V<'_>) -> Option<String> {
    Some(match value {
        V::Null | V::Object(_) => return None,
        V::Bool(truth) => truth.to_string(),
        V::Int(number) => number.to_string(),
        V::Float(number) => number.to_string(),
        V::Text(text) => text.to_string(),
        V::Enum(word, _) => (*word).to_owned(),
        V::Date(date) => date.to_string(),
        V::Time(time) => crate::time::format(*time),
        V::Clock(time) => time.to_string(),
        V::Duration(duration) => duration.to_string(),
    })
}
