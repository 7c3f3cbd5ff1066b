//! Deleting: what is in use stays, what is contained goes along (decision 7).

use super::{Document, Lookup, Refusal, objects, text};
use crate::reference;
use serde_json::Value;

/// Checks a deletion and says what goes along: collection and id of each contained entity, which
/// the caller deletes first. In `referenceDefinitions` a row is disabled, see [`super::deletion`].
///
/// Fails with a conflict that lists the users, or for what comes with the service.
pub fn on_delete(collection: &str, id: &str, lookup: &dyn Lookup) -> Result<Vec<(&'static str, String)>, Refusal> {
    let built_in = match collection {
        "roleGroups" => reference::is_built_in_role_group(id),
        "referenceDefinitions" => reference::definition(id).is_some(),
        _ => false,
    };
    if built_in {
        return Err(Refusal::Conflict { message: format!("'{id}' comes with the service and cannot be deleted."), details: Vec::new() });
    }
    let details = users(collection, id, lookup);
    if !details.is_empty() {
        let message = format!("'{id}' is in use by {} other {}; delete the users first.", details.len(), plural(details.len()));
        return Err(Refusal::Conflict { message, details });
    }
    if collection != "outboundProvisioningFlowSets" {
        return Ok(Vec::new());
    }
    let flows = lookup.list("provisioningFlows", Some(id));
    Ok(flows.iter().map(|flow| ("provisioningFlows", text(flow, "id").to_owned())).collect())
}

/// Everything that is bound to an entity, as details of an error.
fn users(collection: &str, id: &str, lookup: &dyn Lookup) -> Vec<(String, String, String)> {
    let bound = format!("{collection}/{id}");
    let by_navigation = |users: &'static str, navigation: &str| {
        let name = format!("{navigation}@odata.bind");
        found(users, lookup, |user| text(user, &name) == bound)
    };
    match collection {
        "sourceSystems" => by_navigation("dataConnectors", "sourceSystem"),
        "dataConnectors" => by_navigation("inboundFlows", "dataConnector"),
        "years" => by_navigation("inboundFlows", "year"),
        "roleGroups" => {
            let mut details = found("sourceSystems", lookup, |system| names_group(system, "userMatchingSettings", &bound));
            for set in lookup.list("outboundProvisioningFlowSets", None) {
                details.extend(flows_of(&set, &bound, lookup));
            }
            details
        }
        _ => Vec::new(),
    }
}

fn found(users: &'static str, lookup: &dyn Lookup, uses: impl Fn(&Document) -> bool) -> Vec<(String, String, String)> {
    let detail = |user: &Document| in_use(text(user, "displayName"), format!("/external/industryData/{users}/{}", text(user, "id")));
    lookup.list(users, None).iter().filter(|user| uses(user)).map(detail).collect()
}

/// User provisioning flows of a set that configure a role group.
fn flows_of(set: &Document, group: &str, lookup: &dyn Lookup) -> Vec<(String, String, String)> {
    let set_id = text(set, "id");
    let uses = |flow: &&Document| {
        flow.get("creationOptions").and_then(Value::as_object).is_some_and(|options| names_group(options, "configurations", group))
    };
    let url =
        |flow: &Document| format!("/external/industryData/outboundProvisioningFlowSets/{set_id}/provisioningFlows/{}", text(flow, "id"));
    let flows = lookup.list("provisioningFlows", Some(set_id));
    flows.iter().filter(uses).map(|flow| in_use(text(set, "displayName"), url(flow))).collect()
}

fn names_group(document: &Document, list: &str, group: &str) -> bool {
    objects(document, list).any(|element| text(element, "roleGroup@odata.bind") == group)
}

fn in_use(name: &str, target: String) -> (String, String, String) {
    ("InUse".to_owned(), format!("'{name}' uses it."), target)
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "resource" } else { "resources" }
}
