//! Brings the readiness of all flows of a tenant up to date.

use super::JobError;
use crate::app::App;
use crate::graph::Data;
use crate::jobs::READINESS;
use crate::runs::{ORGANIZATIONS, SECURITY_GROUP_FLOW};
use industry_data::readiness::{self, Readiness};
use industry_data::rules::Lookup as _;
use serde_json::{Map, Value, json};
use store::{Access, Job, NewJob, OpContext, StoreError, Tx};
use sync::Outcome;

pub(super) fn carry_out(app: &App, ctx: &OpContext, job: &Job) -> Result<(), JobError> {
    let (context, job) = (ctx.clone(), job.clone());
    let write = move |tx: &mut Tx<'_>| {
        // One look answers all that wait.
        tx.forget_due(READINESS)?;
        update(tx, &context, None)?;
        look_again(tx, &context)?;
        tx.finish_job(&job)
    };
    Ok(app.store().write_blocking(ctx, write)?)
}

/// Looks at every flow; `ended` is the run that has just come to its end.
pub(crate) fn update(tx: &mut Tx<'_>, ctx: &OpContext, ended: Option<&Outcome>) -> Result<(), StoreError> {
    let known: Vec<Value> =
        tx.docs(&ORGANIZATIONS)?.list(None, None, usize::from(u16::MAX))?.into_iter().filter_map(|d| d.body.get("ids").cloned()).collect();
    let knows = |id: &str| known.iter().any(|ids| ids.as_array().is_some_and(|ids| ids.iter().any(|i| i == id)));
    let mut changes: Vec<(&'static str, String, Readiness)> = Vec::new();
    {
        let data = Data::new(tx, ctx);
        // What the last activity of a flow says, and nothing about the others.
        let failed = |flow: &Map<String, Value>| match ended.and_then(|outcome| outcome.inbound.get(id(flow))) {
            Some(status) if status != "skipped" => status == "failed",
            _ => Readiness::of(flow) == Readiness::Failed,
        };
        for flow in data.list("inboundFlows", None) {
            let current = Readiness::of(&flow);
            let conditions = readiness::inbound_conditions(&flow, ctx.now, failed(&flow), &data);
            note(&mut changes, "inboundFlows", &flow, current, readiness::inbound_flow(current, &conditions));
        }
        for set in data.list("outboundProvisioningFlowSets", None) {
            for flow in data.list("provisioningFlows", Some(id(&set))) {
                let current = Readiness::of(&flow);
                // Effects that the directory refuses are tried again; they do not make a flow fail.
                let failed = ended.is_none_or(|outcome| outcome.blocked.is_some()) && current == Readiness::Failed;
                // The other kinds are kept and read; to call them ready would promise what no run does yet.
                let served = flow.get("@odata.type").and_then(Value::as_str) == Some(SECURITY_GROUP_FLOW);
                let conditions = readiness::provisioning_conditions(&flow, &set, ctx.now, &knows, served, failed, &data);
                note(&mut changes, "provisioningFlows", &flow, current, readiness::provisioning_flow(current, &conditions));
            }
        }
    }
    let mut inbound_changed = false;
    for (collection, id, status) in changes {
        inbound_changed |= collection == "inboundFlows";
        let access = Access::unchecked(collection);
        if let Some(mut doc) = tx.docs(&access)?.get(&id)? {
            doc.body.insert("readinessStatus".to_owned(), json!(status.as_str()));
            tx.docs(&access)?.update(&id, &doc.body, Some(doc.version))?;
        }
    }
    // Provisioning flows depend on inbound flows: what has just changed counts for them at once.
    if inbound_changed { update(tx, ctx, ended) } else { Ok(()) }
}

fn id(document: &Map<String, Value>) -> &str {
    document.get("id").and_then(Value::as_str).unwrap_or_default()
}

fn note(
    changes: &mut Vec<(&'static str, String, Readiness)>,
    collection: &'static str,
    flow: &Map<String, Value>,
    current: Readiness,
    next: Readiness,
) {
    if current != next {
        changes.push((collection, id(flow).to_owned(), next));
    }
}

/// A flow comes into its time and goes out of it without anybody changing anything.
fn look_again(tx: &mut Tx<'_>, ctx: &OpContext) -> Result<(), StoreError> {
    let flows = tx.docs(&Access::unchecked("inboundFlows"))?.list(None, None, usize::from(u16::MAX))?;
    let times = flows.iter().flat_map(|flow| ["effectiveDateTime", "expirationDateTime"].map(|name| flow.body.get(name)));
    let times = times.filter_map(|time| time?.as_str()?.parse::<jiff::Timestamp>().ok());
    let Some(next) = times.filter(|time| *time > ctx.now).min() else { return Ok(()) };
    tx.enqueue_once(&format!("readiness-{}", next.as_second()), &NewJob { kind: READINESS, payload: json!({}), run_at: next })
}
