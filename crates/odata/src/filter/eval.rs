//! A filter evaluated on a document, with OData's three-valued logic: a comparison with null is
//! false, except `eq null` and `ne null`; `not` and `and` pass on what is unknown.

use super::ast::{Arithmetic, Comparison, Expr, Function, Literal, PropertyPath};
use crate::edm::{Model, Primitive, TypeRef};
use crate::query::OrderBy;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// A value while it is calculated with.
#[derive(Debug, Clone, PartialEq)]
enum V {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Date(Date),
    Time(Timestamp),
}

struct Scope<'a> {
    model: &'a Model,
    document: &'a Map<String, Value>,
    variables: Vec<(&'a str, &'a Value)>,
}

/// Whether a document fulfils a filter.
pub fn evaluate(model: &Model, filter: &Expr, document: &Map<String, Value>) -> bool {
    Scope { model, document, variables: Vec::new() }.truth(filter) == Some(true)
}

/// Compares two documents by the keys of `$orderby`; null comes first in ascending order.
pub fn compare_by(model: &Model, keys: &[OrderBy], left: &Map<String, Value>, right: &Map<String, Value>) -> Ordering {
    for key in keys {
        let value = |document| Scope { model, document, variables: Vec::new() }.path(&key.path);
        let ordering = match (value(left), value(right)) {
            (V::Null, V::Null) => Ordering::Equal,
            (V::Null, _) => Ordering::Less,
            (_, V::Null) => Ordering::Greater,
            (left, right) => order(&left, &right).unwrap_or(Ordering::Equal),
        };
        let ordering = if key.descending { ordering.reverse() } else { ordering };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    Ordering::Equal
}

/// Copies the value at a path into another document, so that the two compare alike there.
pub fn copy_path(path: &PropertyPath, from: &Map<String, Value>, to: &mut Map<String, Value>) {
    if path.cast.is_some()
        && let Some(ty) = from.get("@odata.type")
    {
        to.insert("@odata.type".to_owned(), ty.clone());
    }
    let (mut from, mut to) = (from, to);
    let Some((last, parents)) = path.names.split_last() else { return };
    for name in parents {
        let Some(Value::Object(inner)) = from.get(*name) else { return };
        from = inner;
        let slot = to.entry((*name).to_owned()).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(inner) = slot else { return };
        to = inner;
    }
    if let Some(value) = from.get(*last) {
        to.insert((*last).to_owned(), value.clone());
    }
}

/// Dates and times compare with each other as midnight UTC.
fn order(left: &V, right: &V) -> Option<Ordering> {
    let midnight = |date: &Date| date.to_zoned_datetime(TimeZone::UTC).ok().map(|z| z.timestamp());
    match (left, right) {
        (V::Bool(a), V::Bool(b)) => Some(a.cmp(b)),
        (V::Number(a), V::Number(b)) => a.partial_cmp(b),
        (V::Text(a), V::Text(b)) => Some(a.cmp(b)),
        (V::Date(a), V::Date(b)) => Some(a.cmp(b)),
        (V::Time(a), V::Time(b)) => Some(a.cmp(b)),
        (V::Date(a), V::Time(b)) => midnight(a).map(|a| a.cmp(b)),
        (V::Time(a), V::Date(b)) => midnight(b).map(|b| a.cmp(&b)),
        _ => None,
    }
}

impl<'a> Scope<'a> {
    fn truth(&mut self, expr: &'a Expr) -> Option<bool> {
        match expr {
            Expr::Or(left, right) => match (self.truth(left), self.truth(right)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Expr::And(left, right) => match (self.truth(left), self.truth(right)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
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
            Expr::Lambda { path, all, variable, body } => Some(self.lambda(path, *all, variable, body.as_deref())),
            other => match self.value(other) {
                V::Bool(truth) => Some(truth),
                _ => None,
            },
        }
    }

    fn lambda(&mut self, path: &PropertyPath, all: bool, variable: &'a str, body: Option<&'a Expr>) -> bool {
        let items = match self.raw(path) {
            Some(Value::Array(items)) => items.as_slice(),
            _ => &[],
        };
        let Some(body) = body else { return !items.is_empty() };
        let mut test = |item: &'a Value| {
            self.variables.push((variable, item));
            let truth = self.truth(body) == Some(true);
            self.variables.pop();
            truth
        };
        if all { items.iter().all(&mut test) } else { items.iter().any(&mut test) }
    }

    fn raw(&self, path: &PropertyPath) -> Option<&'a Value> {
        let mut value: Option<&'a Value> = None;
        if let Some(variable) = &path.variable {
            value = Some(self.variables.iter().rev().find(|(name, _)| name == variable)?.1);
        } else if let Some(cast) = path.cast {
            let named = self.document.get("@odata.type").and_then(Value::as_str).and_then(|name| self.model.find_type(name))?;
            if !self.model.is_subtype(named, cast) {
                return None;
            }
        }
        for name in &path.names {
            value = match value {
                None => self.document.get(*name),
                Some(inner) => inner.get(*name),
            };
            value?;
        }
        value
    }

    fn path(&self, path: &PropertyPath) -> V {
        match (self.raw(path), path.ty) {
            (Some(Value::Bool(truth)), _) => V::Bool(*truth),
            (Some(Value::Number(number)), _) => number.as_f64().map_or(V::Null, V::Number),
            (Some(Value::String(text)), Some(TypeRef::Primitive(Primitive::DateTimeOffset))) => text.parse().map_or(V::Null, V::Time),
            (Some(Value::String(text)), Some(TypeRef::Primitive(Primitive::Date))) => text.parse().map_or(V::Null, V::Date),
            (Some(Value::String(text)), _) => V::Text(text.clone()),
            _ => V::Null,
        }
    }

    fn value(&mut self, expr: &'a Expr) -> V {
        match expr {
            Expr::Literal(literal) => match literal {
                Literal::Null => V::Null,
                Literal::Bool(truth) => V::Bool(*truth),
                Literal::Number(number) => V::Number(*number),
                Literal::String(text) => V::Text(text.clone()),
                Literal::Date(date) => V::Date(*date),
                Literal::Time(time) => V::Time(*time),
            },
            Expr::Path(path) => self.path(path),
            Expr::Count(path) => V::Number(self.raw(path).and_then(Value::as_array).map_or(0.0, |items| items.len() as f64)),
            Expr::Negate(inner) => match self.value(inner) {
                V::Number(number) => V::Number(-number),
                _ => V::Null,
            },
            Expr::Arithmetic { op, left, right } => match (self.value(left), self.value(right)) {
                (V::Number(a), V::Number(b)) => calculate(*op, a, b),
                _ => V::Null,
            },
            Expr::Call(function, arguments) => {
                let values: Vec<V> = arguments.iter().map(|argument| self.value(argument)).collect();
                call(*function, &values)
            }
            condition => self.truth(condition).map_or(V::Null, V::Bool),
        }
    }
}

fn compare(op: Comparison, left: &V, right: &V) -> bool {
    if *left == V::Null || *right == V::Null {
        let equal = left == right;
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

fn calculate(op: Arithmetic, a: f64, b: f64) -> V {
    let result = match op {
        Arithmetic::Add => a + b,
        Arithmetic::Sub => a - b,
        Arithmetic::Mul => a * b,
        // Integers divide as integers (OData 4.01 part 2, §5.1.1.2.6); by zero there is no value.
        Arithmetic::Div if a.fract() == 0.0 && b.fract() == 0.0 => (a / b).trunc(),
        Arithmetic::Div => a / b,
        Arithmetic::Mod => a % b,
    };
    if result.is_finite() { V::Number(result) } else { V::Null }
}

fn call(function: Function, values: &[V]) -> V {
    use Function as F;
    match (function, values) {
        (F::Contains, [V::Text(a), V::Text(b)]) => V::Bool(a.contains(b.as_str())),
        (F::StartsWith, [V::Text(a), V::Text(b)]) => V::Bool(a.starts_with(b.as_str())),
        (F::EndsWith, [V::Text(a), V::Text(b)]) => V::Bool(a.ends_with(b.as_str())),
        (F::ToLower, [V::Text(a)]) => V::Text(a.to_lowercase()),
        (F::ToUpper, [V::Text(a)]) => V::Text(a.to_uppercase()),
        (F::Trim, [V::Text(a)]) => V::Text(a.trim().to_owned()),
        (F::Length, [V::Text(a)]) => V::Number(a.chars().count() as f64),
        (F::IndexOf, [V::Text(a), V::Text(b)]) => V::Number(a.find(b.as_str()).map_or(-1.0, |byte| a[..byte].chars().count() as f64)),
        (F::Substring, [V::Text(a), V::Number(from)]) => V::Text(a.chars().skip(from.max(0.0) as usize).collect()),
        (F::Substring, [V::Text(a), V::Number(from), V::Number(length)]) => {
            V::Text(a.chars().skip(from.max(0.0) as usize).take(length.max(0.0) as usize).collect())
        }
        (F::Concat, [V::Text(a), V::Text(b)]) => V::Text(format!("{a}{b}")),
        (F::Round, [V::Number(n)]) => V::Number(n.round()),
        (F::Floor, [V::Number(n)]) => V::Number(n.floor()),
        (F::Ceiling, [V::Number(n)]) => V::Number(n.ceil()),
        (F::Date, [V::Date(date)]) => V::Date(*date),
        (F::Date, [V::Time(time)]) => V::Date(time.to_zoned_datetime(TimeZone::UTC).date()),
        (part, [V::Time(time)]) => time_part(part, *time),
        (part, [V::Date(date)]) => date.to_zoned_datetime(TimeZone::UTC).map_or(V::Null, |z| time_part(part, z.timestamp())),
        _ => V::Null,
    }
}

fn time_part(function: Function, time: Timestamp) -> V {
    let time = time.to_zoned_datetime(TimeZone::UTC);
    V::Number(match function {
        Function::Year => f64::from(time.year()),
        Function::Month => f64::from(time.month()),
        Function::Day => f64::from(time.day()),
        Function::Hour => f64::from(time.hour()),
        Function::Minute => f64::from(time.minute()),
        Function::Second => f64::from(time.second()),
        _ => return V::Null,
    })
}
