//! JSON text in, strictly: one object, no name twice (RFC 8259 §4 calls the outcome unpredictable,
//! OData JSON 4.01 §4.5 forbids it).

use crate::error::Error;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// Reads a body that must be one JSON object.
///
/// # Errors
/// Says what is wrong, with line and column where the text is not JSON.
pub fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::bad("A JSON body is needed, and there is none."));
    }
    match serde_json::from_slice::<Strict>(bytes) {
        Ok(Strict(Value::Object(map))) => Ok(map),
        Ok(Strict(other)) => Err(Error::bad(format!("The body must be a JSON object, not {}.", shape(&other)))),
        Err(error) => Err(Error::bad(format!("The body is not JSON: {error}."))),
    }
}

/// A JSON value's kind in words, without its content.
pub(crate) fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(serde::de::Error::custom(format_args!("\"{name}\" is given twice")));
            }
            let Strict(value) = entries.next_value()?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_read_as_serde_json_reads_them() {
        let text = br#"{ "a": [1, -2, 1.5, "x", null, true, { "b": {} }], "c": "\u00e9" }"#;
        assert_eq!(Value::Object(parse_object(text).unwrap()), serde_json::from_slice::<Value>(text).unwrap());
    }

    #[test]
    fn a_name_given_twice_is_refused_with_its_place() {
        let error = parse_object(b"{ \"a\": 1,\n  \"a\": 2 }").unwrap_err();
        assert_eq!(error.message, "The body is not JSON: \"a\" is given twice at line 2 column 5.");
        assert!(parse_object(br#"{ "a": { "b": 1, "b": 1 } }"#).is_err());
    }

    #[test]
    fn what_is_no_object_is_named() {
        assert_eq!(parse_object(b"[]").unwrap_err().message, "The body must be a JSON object, not an array.");
        assert_eq!(parse_object(b" \n").unwrap_err().message, "A JSON body is needed, and there is none.");
        assert_eq!(Value::Object(parse_object(b"{}").unwrap()), json!({}));
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        assert!(parse_object(deep.as_bytes()).is_err());
    }
}
