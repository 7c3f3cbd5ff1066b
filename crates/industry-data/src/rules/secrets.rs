//! Secrets never come back (decision 12): what is hidden, and how a stored one is kept.

use super::Document;
use serde_json::{Value, json};

/// What a password is answered as, whatever its length, and what a client sends back to keep it.
pub const MASK: &str = "***************";

/// Names of the properties that hold secrets, at any depth; they are encrypted at rest.
pub const SECRET_PROPERTIES: [&str; 2] = ["clientSecret", "password"];

/// The document as a client may see it: passwords masked, client secrets gone.
pub fn present(_collection: &str, document: &Document) -> Document {
    let mut shown = document.clone();
    hide(&mut shown);
    shown
}

fn hide(document: &mut Document) {
    document.shift_remove("clientSecret");
    for (name, value) in document.iter_mut() {
        if name == "password" {
            if !value.is_null() {
                *value = json!(MASK);
            }
            continue;
        }
        match value {
            Value::Object(inner) => hide(inner),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(hide),
            _ => {}
        }
    }
}

/// Visits every secret in a document, so that the caller can encrypt or decrypt it in place.
///
/// Null is no secret and is passed over. Stops at the first error of the visitor and returns it.
pub fn for_each_secret<E>(document: &mut Document, visit: &mut dyn FnMut(&mut Value) -> Result<(), E>) -> Result<(), E> {
    for (name, value) in document.iter_mut() {
        if SECRET_PROPERTIES.contains(&name.as_str()) {
            if !value.is_null() {
                visit(value)?;
            }
            continue;
        }
        match value {
            Value::Object(inner) => for_each_secret(inner, visit)?,
            Value::Array(items) => {
                for inner in items.iter_mut().filter_map(Value::as_object_mut) {
                    for_each_secret(inner, visit)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a value is the mask that answers show in place of a secret.
pub(super) fn is_mask(value: &Value) -> bool {
    value.as_str() == Some(MASK)
}
