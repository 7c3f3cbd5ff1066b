//! As much of JSON Schema as the OpenAPI document uses, to hold answers against it.

use serde_json::Value;

/// Where a value does not fit a schema; `root` is the document in which references lead somewhere.
pub fn mismatch(root: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    let fits = |schema: &Value| mismatch(root, schema, value, at).is_none();
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{reference} leads nowhere"));
        if let Some(wrong) = mismatch(root, target, value, at) {
            return Some(wrong);
        }
    }
    if !schema["type"].is_null() && !types(&schema["type"]).iter().any(|kind| is(value, kind)) {
        return Some(format!("{at} is {value}, not {}", schema["type"]));
    }
    if !schema["const"].is_null() && &schema["const"] != value {
        return Some(format!("{at} is {value}, not {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return Some(format!("{at} is {value}, not one of {}", schema["enum"]));
    }
    if let Some(options) = schema["oneOf"].as_array() {
        let fitting = options.iter().filter(|option| fits(option)).count();
        if fitting != 1 {
            let why: Vec<_> = options.iter().filter_map(|option| mismatch(root, option, value, at)).collect();
            return Some(format!("{at} fits {fitting} of {} types: {why:?}", options.len()));
        }
    }
    if let Some(options) = schema["anyOf"].as_array()
        && !options.iter().any(fits)
    {
        let why: Vec<_> = options.iter().filter_map(|option| mismatch(root, option, value, at)).collect();
        return Some(format!("{at} fits none of {} types: {why:?}", options.len()));
    }
    match value {
        Value::Object(object) => {
            for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !object.contains_key(name) {
                    return Some(format!("{at} lacks {name}"));
                }
            }
            object.iter().find_map(|(name, value)| {
                let declared = &schema["properties"][name];
                if declared.is_null() {
                    let closed = schema["additionalProperties"] == Value::Bool(false) && !name.starts_with('@');
                    return closed.then(|| format!("{at}.{name} is not declared"));
                }
                mismatch(root, declared, value, &format!("{at}.{name}"))
            })
        }
        Value::Array(items) if schema["items"].is_object() => {
            items.iter().enumerate().find_map(|(index, item)| mismatch(root, &schema["items"], item, &format!("{at}[{index}]")))
        }
        _ => None,
    }
}

fn types(kinds: &Value) -> Vec<&str> {
    match kinds {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("unknown type {other}"),
    }
}
