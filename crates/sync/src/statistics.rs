//! What a run counted, in the shape of `industryDataRunStatistics`.

use crate::history::Activity;
use crate::matching::MatchCounts;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Counts of one inbound flow.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct FlowCounts {
    pub(crate) flow_id: String,
    pub(crate) display_name: String,
    pub(crate) skipped: bool,
    pub(crate) errors: u64,
    pub(crate) warnings: u64,
    pub(crate) rows: u64,
    pub(crate) error_rows: u64,
    pub(crate) organizations: Activity,
    pub(crate) people: Activity,
    /// People who were in the last good run and are not any more.
    pub(crate) people_gone: u64,
    pub(crate) groups: Activity,
    pub(crate) memberships: Activity,
    pub(crate) matched: MatchCounts,
}

impl FlowCounts {
    /// Word of `industryDataActivityStatus`.
    pub(crate) fn status(&self) -> &'static str {
        if self.skipped && self.warnings == 0 {
            "skipped"
        } else if self.errors > 0 {
            "completedWithErrors"
        } else if self.warnings > 0 {
            "completedWithWarnings"
        } else {
            "completed"
        }
    }
}

fn by_role(counts: &BTreeMap<String, u64>) -> Value {
    counts.iter().map(|(role, count)| json!({ "role": role, "count": count })).collect()
}

fn metric(activity: Activity) -> Value {
    json!({ "active": activity.active, "inactive": activity.inactive, "total": activity.active + activity.inactive })
}

/// The document of a run that came to nothing.
pub fn failed(run_id: &str) -> Map<String, Value> {
    document(run_id, "failed", &[])
}

/// The whole document.
pub(crate) fn document(run_id: &str, status: &str, flows: &[FlowCounts]) -> Map<String, Value> {
    let sum = |of: &dyn Fn(&FlowCounts) -> u64| flows.iter().map(of).sum::<u64>();
    let roles = |of: &dyn Fn(&FlowCounts) -> &BTreeMap<String, u64>| {
        let mut all: BTreeMap<String, u64> = BTreeMap::new();
        for flow in flows {
            for (role, count) in of(flow) {
                *all.entry(role.clone()).or_default() += count;
            }
        }
        by_role(&all)
    };
    let activities: Vec<Value> = flows
        .iter()
        .map(|f| {
            json!({
                "@odata.type": "#microsoft.graph.industryData.inboundActivityResults",
                "activityId": f.flow_id, "displayName": f.display_name, "status": f.status(),
                "errors": f.errors, "groups": metric(f.groups), "matchedPeopleByRole": by_role(&f.matched.matched),
                "memberships": metric(f.memberships), "organizations": metric(f.organizations), "people": metric(f.people),
                "unmatchedPeopleByRole": by_role(&f.matched.unmatched), "warnings": f.warnings,
            })
        })
        .collect();
    let value = json!({
        "runId": run_id,
        "status": status,
        "inboundTotals": {
            "errors": sum(&|f| f.errors), "groups": sum(&|f| f.groups.active), "matchedPeopleByRole": roles(&|f| &f.matched.matched),
            "memberships": sum(&|f| f.memberships.active), "organizations": sum(&|f| f.organizations.active), "people": sum(&|f| f.people.active),
            "unmatchedPeopleByRole": roles(&|f| &f.matched.unmatched), "warnings": sum(&|f| f.warnings),
        },
        "activityStatistics": activities,
    });
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
