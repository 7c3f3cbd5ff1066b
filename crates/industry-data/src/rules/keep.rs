//! What a change keeps although the client could not send it back: role groups, which answers do
//! not show, and secrets, which they hide (decisions 12 and 14).

use super::Document;
use super::secrets::{SECRET_PROPERTIES, is_mask};
use serde_json::Value;

const ROLE_GROUP: &str = "roleGroup@odata.bind";

/// Puts back what the stored document has and the merged one lost or shows as a mask.
pub(super) fn restore(stored: &Document, merged: &mut Document) {
    restore_list(stored, merged, "userMatchingSettings", source_identifier);
    if let (Some(Value::Object(before)), Some(Value::Object(after))) = (stored.get("creationOptions"), merged.get_mut("creationOptions")) {
        restore_list(before, after, "configurations", |_| None);
        restore_passwords(before, after);
    }
    if let (Some(Value::Object(before)), Some(Value::Object(after))) = (stored.get("credential"), merged.get_mut("credential")) {
        restore_masked(before, after);
    }
}

/// What tells one matching setting from another when their number has changed.
fn source_identifier(setting: &Document) -> Option<String> {
    let code = setting.get("sourceIdentifier")?.get("code")?.as_str()?;
    Some(code.to_ascii_lowercase())
}

/// Role groups of a list's elements: by position, and by what identifies an element when the
/// number of elements differs.
fn restore_list(stored: &Document, merged: &mut Document, name: &str, identify: impl Fn(&Document) -> Option<String>) {
    let before: Vec<&Document> = stored.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object).collect();
    let Some(Value::Array(after)) = merged.get_mut(name) else {
        return;
    };
    let same_number = before.len() == after.len();
    let mut used = vec![false; before.len()];
    for (index, element) in after.iter_mut().enumerate() {
        let Some(element) = element.as_object_mut().filter(|e| !e.contains_key(ROLE_GROUP)) else {
            continue;
        };
        let wanted = identify(element);
        let found = if same_number {
            Some(index)
        } else {
            // Nothing tells them apart: better to ask for the binding than to guess whose it is.
            wanted.as_ref().and_then(|wanted| (0..before.len()).find(|i| !used[*i] && identify(before[*i]).as_ref() == Some(wanted)))
        };
        if let Some((found, bind)) = found.and_then(|i| Some((i, before[i].get(ROLE_GROUP)?))) {
            used[found] = true;
            element.insert(ROLE_GROUP.to_owned(), bind.clone());
        }
    }
}

/// Passwords of user configurations: an element's forerunner is the one with its role group.
fn restore_passwords(stored: &Document, merged: &mut Document) {
    let before: Vec<&Document> = super::objects(stored, "configurations").collect();
    let Some(Value::Array(after)) = merged.get_mut("configurations") else {
        return;
    };
    for element in after.iter_mut().filter_map(Value::as_object_mut) {
        let Some(forerunner) = before.iter().find(|b| b.get(ROLE_GROUP) == element.get(ROLE_GROUP)) else {
            continue;
        };
        let Some(settings) = forerunner.get("defaultPasswordSettings") else {
            continue;
        };
        match element.get_mut("defaultPasswordSettings") {
            None => {
                element.insert("defaultPasswordSettings".to_owned(), settings.clone());
            }
            Some(Value::Object(after)) => {
                if let Some(before) = settings.as_object().filter(|b| same_type(b, after)) {
                    restore_masked(before, after);
                }
            }
            Some(_) => {}
        }
    }
}

/// A secret that is left out or comes back as its mask stays as it is stored.
fn restore_masked(stored: &Document, merged: &mut Document) {
    if !same_type(stored, merged) {
        return;
    }
    for name in SECRET_PROPERTIES {
        let lost = merged.get(name).is_none_or(is_mask);
        if let Some(before) = stored.get(name).filter(|_| lost) {
            merged.insert(name.to_owned(), before.clone());
        }
    }
}

/// What the test of a connection depends on has changed: it counts as one that was not tested yet, as it
/// did when it was created.
pub(super) fn forget_test(stored: &Document, merged: &mut Document) {
    const RESULT: [&str; 3] = ["displayName", "isValid", "lastValidDateTime"];
    let tested = |connector: &Document| {
        let mut credential = connector.get("credential").and_then(Value::as_object).cloned().unwrap_or_default();
        credential.retain(|name, _| !RESULT.contains(&name.as_str()));
        let of = |name: &str| connector.get(name).cloned().unwrap_or_default();
        (of("baseUrl"), of("apiVersion"), of("isDemographicsEnabled"), credential)
    };
    let same = tested(stored) == tested(merged);
    if let Some(Value::Object(credential)) = merged.get_mut("credential").filter(|_| !same) {
        credential.insert("isValid".to_owned(), Value::Bool(true));
        credential.insert("lastValidDateTime".to_owned(), Value::Null);
    }
}

/// A secret belongs to one kind of credential; another kind needs its own.
fn same_type(before: &Document, after: &Document) -> bool {
    match (before.get("@odata.type"), after.get("@odata.type")) {
        (Some(before), Some(after)) => before == after,
        _ => true,
    }
}
