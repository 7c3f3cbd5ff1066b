//! JSON text in, strictly: one object, no name twice (RFC 8259 §4 calls the outcome unpredictable,
//! OData JSON 4.01 §4.5 forbids it).

use crate::error::{Error, Kind};
use crate::limits::Limits;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::fmt;

/// Reads a body that must be one JSON object. A byte order mark before it, which Windows' tools write,
/// is passed over (RFC 8259 §8.1 leaves that to the reader).
///
/// # Errors
/// Says what is wrong, with line and column where the text is not JSON, or has more values than allowed.
pub fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    if matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        return Err(Error::bad("The body is not JSON: it is UTF-16, and JSON is UTF-8."));
    }
    let bytes = without_mark(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::bad("A JSON body is needed, and there is none."));
    }
    let left = Cell::new(Limits::DEFAULT.json_values);
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let read = Strict { left: &left }.deserialize(&mut text).and_then(|value| text.end().map(|()| value));
    match read {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => Err(Error::bad(format!("The body must be a JSON object, not {}.", shape(&other)))),
        Err(_) if left.get() == 0 => {
            let most = Limits::DEFAULT.json_values;
            Err(Error { kind: Kind::PayloadTooLarge, ..Error::bad(format!("The body has more than {most} values.")) })
        }
        Err(error) => Err(Error::bad(format!("The body is not JSON: {error}."))),
    }
}

/// The text after a UTF-8 byte order mark.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
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

/// Reads one value; all of a body share what is left of the number allowed.
#[derive(Clone, Copy)]
struct Strict<'a> {
    left: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.left.get() {
            0 => return Err(serde::de::Error::custom("too many values")),
            left => self.left.set(left - 1),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
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
        while let Some(item) = seq.next_element_seed(self)? {
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
            let value = entries.next_value_seed(self)?;
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
    fn a_byte_order_mark_is_passed_over_and_other_encodings_are_named() {
        assert_eq!(Value::Object(parse_object(b"\xef\xbb\xbf{\"a\":1}").unwrap()), json!({ "a": 1 }));
        assert_eq!(parse_object(b"\xef\xbb\xbf \n").unwrap_err().message, "A JSON body is needed, and there is none.");
        for utf16 in [b"\xff\xfe{\0}\0", b"\xfe\xff\0{\0}"] {
            assert_eq!(parse_object(utf16).unwrap_err().message, "The body is not JSON: it is UTF-16, and JSON is UTF-8.");
        }
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
    fn a_body_of_very_many_values_is_refused() {
        let many = |n: usize| format!("{{\"a\":[{}]}}", vec!["{}"; n].join(","));
        assert!(parse_object(many(9_998).as_bytes()).is_ok());
        let error = parse_object(many(9_999).as_bytes()).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (Kind::PayloadTooLarge, "The body has more than 10000 values."));
    }

    #[test]
    fn nothing_may_follow_the_object() {
        assert!(parse_object(b"{} {}").is_err());
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        assert!(parse_object(deep.as_bytes()).is_err());
    }
}
