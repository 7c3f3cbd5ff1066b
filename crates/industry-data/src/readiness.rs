//! `readinessStatus`: pure functions from what is configured to what is ready (decision 4).

use crate::rules::Lookup;
use serde_json::{Map, Value};

fn text<'d>(document: &'d Map<String, Value>, name: &str) -> &'d str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Whether an instant is inside a flow's window. Canonical UTC texts of whole seconds compare as
/// times do, and fractions only add to them, so comparing up to the second is exact enough here.
fn in_window(flow: &Map<String, Value>, now: &str) -> bool {
    let second = |time: &str| time.get(..19).unwrap_or(time).to_owned();
    let ends = text(flow, "expirationDateTime");
    second(text(flow, "effectiveDateTime")) <= second(now) && (ends.is_empty() || second(now) < second(ends))
}

/// The status of an inbound flow: its connector and year are there, and it has not run out.
pub fn inbound_flow(flow: &Map<String, Value>, now: &str, lookup: &dyn Lookup) -> &'static str {
    let ends = text(flow, "expirationDateTime");
    if !ends.is_empty() && ends.get(..19) <= now.get(..19) {
        return "expired";
    }
    let bound = |name: &str| text(flow, name).split_once('/').and_then(|(collection, id)| lookup.get(collection, id)).is_some();
    if bound("dataConnector@odata.bind") && bound("year@odata.bind") { "ready" } else { "notReady" }
}

/// Whether an inbound flow takes part in a run now.
pub fn inbound_flow_is_active(flow: &Map<String, Value>, now: &str) -> bool {
    in_window(flow, now) && !matches!(text(flow, "readinessStatus"), "disabled" | "expired")
}

/// The status of a provisioning flow whose set is `set`.
///
/// Ready when the set's filter is empty or names organizations that are known, an inbound flow is
/// active, and some source system has matching rules. `disabled` is the client's word and stays.
pub fn provisioning_flow(flow: &Map<String, Value>, set: &Map<String, Value>, now: &str, lookup: &dyn Lookup) -> &'static str {
    if text(flow, "readinessStatus") == "disabled" {
        return "disabled";
    }
    let inbound = lookup.list("inboundFlows", None);
    if !inbound.is_empty() && inbound.iter().all(|f| inbound_flow(f, now, lookup) == "expired") {
        return "expired";
    }
    let active = inbound.iter().any(|f| inbound_flow_is_active(f, now) && inbound_flow(f, now, lookup) == "ready");
    let rules = lookup.list("sourceSystems", None).iter().any(|s| s.get("userMatchingSettings").and_then(Value::as_array).is_some_and(|r| !r.is_empty()));
    if active && rules && filter_is_known(set, lookup) { "ready" } else { "notReady" }
}

/// Whether every organization of a set's filter has been seen in some run.
fn filter_is_known(set: &Map<String, Value>, lookup: &dyn Lookup) -> bool {
    let Some(named) = set.get("filter").and_then(|f| f.get("in")).and_then(Value::as_array) else { return true };
    let known: Vec<Map<String, Value>> = lookup.list("_organizations", None);
    named.iter().all(|id| known.iter().any(|list| list.get("ids").and_then(Value::as_array).is_some_and(|ids| ids.contains(id))))
}
