//! Values while they are calculated with, their order, and the keys of `$orderby`.

use super::ast::{Literal, Simple};
use super::eval::{Budget, value_of};
use crate::edm::Model;
use crate::query::OrderBy;
use crate::time;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::cmp::Ordering;

/// A value while it is calculated with.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum V<'v> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'v, str>),
    /// A word and its number, which it is ordered by.
    Enum(&'static str, i32),
    Date(Date),
    Time(Timestamp),
    Clock(Time),
    Duration(SignedDuration),
    /// A complex value or an entity: it can be null or not, and of a type.
    Object(&'v Map<String, Value>),
}

impl<'v> V<'v> {
    pub(super) fn literal(literal: &'v Literal) -> Self {
        match literal {
            Literal::Null => Self::Null,
            Literal::Bool(truth) => Self::Bool(*truth),
            Literal::Int(number) => Self::Int(*number),
            Literal::Float(number) => Self::Float(*number),
            Literal::String(text) => Self::Text(Cow::Borrowed(text)),
            Literal::Enum(word, number) => Self::Enum(word, *number),
            Literal::Date(date) => Self::Date(*date),
            Literal::Time(time) => Self::Time(*time),
            Literal::Clock(time) => Self::Clock(*time),
            Literal::Duration(duration) => Self::Duration(*duration),
        }
    }

    /// A text read as a primitive type; null when it is none.
    pub(super) fn read(text: Cow<'v, str>, simple: Simple) -> Self {
        match simple {
            Simple::Text => Self::Text(text),
            Simple::Guid => Self::Text(text.to_ascii_lowercase().into()),
            Simple::Bool => match text.as_ref() {
                "true" => Self::Bool(true),
                "false" => Self::Bool(false),
                _ => Self::Null,
            },
            // IEEE754Compatible writes 64-bit numbers as texts.
            Simple::Int => text.parse().map_or(Self::Null, Self::Int),
            Simple::Float => text.parse().map_or(Self::Null, Self::Float),
            Simple::Date => time::date(&text).map_or(Self::Null, Self::Date),
            Simple::Time => time::canonical_date_time(&text).and_then(|text| text.parse().ok()).map_or(Self::Null, Self::Time),
            Simple::Clock => time::time_of_day(&text).map_or(Self::Null, Self::Clock),
            Simple::Duration => time::duration(&text).map_or(Self::Null, Self::Duration),
        }
    }

    pub(super) fn float(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// A count of characters: nothing below 0, no fraction.
    pub(super) fn whole(&self) -> Option<usize> {
        self.float().map(|number| number.max(0.0) as usize)
    }
}

/// An integer and a float, without losing digits of the integer where that matters.
fn int_and_float(int: i64, float: f64) -> Option<Ordering> {
    /// Integers up to here are floats without loss.
    const EXACT: u64 = 1 << 53;
    if int.unsigned_abs() <= EXACT {
        return (int as f64).partial_cmp(&float);
    }
    if float.is_nan() {
        return None;
    }
    // Beyond 2^53 floats have no fraction; 2^63 is the first that no i64 reaches.
    if float >= 9_223_372_036_854_775_808.0 {
        return Some(Ordering::Less);
    }
    if float < -9_223_372_036_854_775_808.0 {
        return Some(Ordering::Greater);
    }
    Some(int.cmp(&(float as i64)))
}

/// Order of two values that are not null. Dates and times compare as midnight UTC.
pub(super) fn order(left: &V<'_>, right: &V<'_>) -> Option<Ordering> {
    let midnight = |date: &Date| date.to_zoned_datetime(TimeZone::UTC).ok().map(|z| z.timestamp());
    match (left, right) {
        (V::Bool(a), V::Bool(b)) => Some(a.cmp(b)),
        (V::Int(a), V::Int(b)) => Some(a.cmp(b)),
        (V::Float(a), V::Float(b)) => a.partial_cmp(b),
        (V::Int(a), V::Float(b)) => int_and_float(*a, *b),
        (V::Float(a), V::Int(b)) => int_and_float(*b, *a).map(Ordering::reverse),
        (V::Text(a), V::Text(b)) => Some(a.cmp(b)),
        (V::Enum(_, a), V::Enum(_, b)) => Some(a.cmp(b)),
        (V::Date(a), V::Date(b)) => Some(a.cmp(b)),
        (V::Time(a), V::Time(b)) => Some(a.cmp(b)),
        (V::Clock(a), V::Clock(b)) => Some(a.cmp(b)),
        (V::Duration(a), V::Duration(b)) => Some(a.cmp(b)),
        (V::Date(a), V::Time(b)) => midnight(a).map(|a| a.cmp(b)),
        (V::Time(a), V::Date(b)) => midnight(b).map(|b| a.cmp(&b)),
        _ => None,
    }
}

/// What one key of `$orderby` gave for an entity. It survives a page's link, so that the next page
/// starts where this one ended even when the entity is gone by then.
#[derive(Debug, Clone, PartialEq)]
pub struct SortKey(V<'static>);

impl SortKey {
    /// For the link.
    pub fn to_json(&self) -> Value {
        match &self.0 {
            V::Null | V::Object(_) => Value::Null,
            V::Bool(truth) => json!(truth),
            V::Int(number) => json!(number),
            // INF and NaN have no number in JSON.
            V::Float(number) => json!({ "f": number.to_string() }),
            V::Text(text) => json!(text),
            V::Enum(_, number) => json!({ "e": number }),
            V::Date(date) => json!({ "d": date.to_string() }),
            V::Time(time) => json!({ "t": time.to_string() }),
            V::Clock(time) => json!({ "c": time.to_string() }),
            V::Duration(duration) => json!({ "p": duration.to_string() }),
        }
    }

    /// From the link; `None` when it is none of ours.
    pub fn from_json(value: &Value) -> Option<Self> {
        Some(Self(match value {
            Value::Null => V::Null,
            Value::Bool(truth) => V::Bool(*truth),
            Value::Number(number) => V::Int(number.as_i64()?),
            Value::String(text) => V::Text(text.clone().into()),
            Value::Array(_) => return None,
            Value::Object(object) => {
                let (kind, value) = object.iter().next()?;
                let text = || value.as_str();
                match kind.as_str() {
                    "f" => V::Float(text()?.parse().ok()?),
                    "e" => V::Enum("", i32::try_from(value.as_i64()?).ok()?),
                    "d" => V::Date(text()?.parse().ok()?),
                    "t" => V::Time(text()?.parse().ok()?),
                    "c" => V::Clock(text()?.parse().ok()?),
                    "p" => V::Duration(text()?.parse().ok()?),
                    _ => return None,
                }
            }
        }))
    }
}

/// The keys that a document is ordered by.
pub fn sort_keys(model: &Model, keys: &[OrderBy], document: &Map<String, Value>, budget: &Budget) -> Vec<SortKey> {
    let owned = |value| match value {
        V::Null | V::Object(_) => V::Null,
        V::Text(text) => V::Text(Cow::Owned(text.into_owned())),
        V::Bool(truth) => V::Bool(truth),
        V::Int(number) => V::Int(number),
        V::Float(number) => V::Float(number),
        V::Enum(word, number) => V::Enum(word, number),
        V::Date(date) => V::Date(date),
        V::Time(time) => V::Time(time),
        V::Clock(time) => V::Clock(time),
        V::Duration(duration) => V::Duration(duration),
    };
    keys.iter().map(|key| SortKey(owned(value_of(model, &key.key, document, budget)))).collect()
}

/// Compares the keys of two documents; null comes first in ascending order (OData 4.01 part 1, §11.2.6.2).
pub fn compare_keys(orders: &[OrderBy], left: &[SortKey], right: &[SortKey]) -> Ordering {
    for (by, (left, right)) in orders.iter().zip(left.iter().zip(right)) {
        let ordering = match (&left.0, &right.0) {
            (V::Null, V::Null) => Ordering::Equal,
            (V::Null, _) => Ordering::Less,
            (_, V::Null) => Ordering::Greater,
            // NaN is below every number, so that the order is total.
            (V::Float(a), V::Float(b)) if a.is_nan() || b.is_nan() => b.is_nan().cmp(&a.is_nan()),
            (left, right) => order(left, right).unwrap_or(Ordering::Equal),
        };
        let ordering = if by.descending { ordering.reverse() } else { ordering };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    Ordering::Equal
}
