//! From configuration documents to the specification of a run.

use crate::app::App;
use crate::error::AppError;
use crate::graph::Data;
use crate::providers;
use crate::runs::{ACCEPTED, BASELINES, FOUND_IN_CHANGES, REFUSED, SECURITY_GROUP_FLOW};
use industry_data::readiness::{Readiness, filter_organizations, inbound_is_active};
use industry_data::reference;
use industry_data::rules::{Lookup, format_time};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::PathBuf;
use store::TenantId;
use sync::{
    ChangesCounts, ChangesReport, Guard, InboundSpec, MatchRule, MatchTarget, Naming, PreviousRun, RoleGroup, RunSpec, SecurityFlow,
    SourceFile, SourceIdentifier,
};

fn text<'d>(document: &'d Map<String, Value>, name: &str) -> &'d str {
    document.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn bound_id<'d>(document: &'d Map<String, Value>, nav: &str) -> &'d str {
    text(document, &format!("{nav}@odata.bind")).split_once('/').map_or("", |(_, id)| id)
}

/// Everything that a run started now works on.
pub(crate) fn spec(app: &App, data: &Data<'_, '_>, run_id: &str) -> Result<RunSpec, AppError> {
    let ctx = data.ctx();
    let config = app.config();
    let (mut inbound, mut waiting, mut fed) = (Vec::new(), Vec::new(), BTreeSet::new());
    for flow in data.list("inboundFlows", None) {
        let source = source_system(data, &flow).0;
        if inbound_is_active(&flow, ctx.now) {
            inbound.push(inbound_spec(app, data, &flow)?);
            fed.insert(source);
        } else {
            waiting.push((text(&flow, "id").to_owned(), source));
        }
    }
    // What an expired or waiting flow has brought stays (nothing is removed by expiry), until a later
    // flow of the same source takes its place, as in a new academic year.
    let mut resting = Vec::new();
    for (flow, _) in waiting.iter().filter(|(_, source)| !fed.contains(source)) {
        if let Some(baseline) = data.with_tx(|tx| tx.docs(&BASELINES)?.get(flow))? {
            resting.push(baseline_folder(app, ctx.tenant, &baseline.body)?.join(format!("snapshot-{flow}")));
        }
    }
    Ok(RunSpec {
        run_id: run_id.to_owned(),
        now: format_time(ctx.now),
        work_dir: app.store().blobs().path(ctx.tenant, &format!("runs/{run_id}"))?,
        inbound,
        resting,
        role_groups: role_groups(data),
        role_order: reference::rows("RefRole").iter().map(|row| (row.code.to_owned(), row.sort_index)).collect(),
        flows: security_flows(data),
        naming: Naming { role_group: config.naming.role_group.clone(), org_role_group: config.naming.org_role_group.clone() },
        guard: Guard {
            max_drop_percent: config.guards.max_drop_percent,
            max_drop_count: config.guards.max_drop_count,
            max_error_percent: config.guards.max_error_percent,
        },
    })
}

fn inbound_spec(app: &App, data: &Data<'_, '_>, flow: &Map<String, Value>) -> Result<InboundSpec, AppError> {
    let id = text(flow, "id");
    let connector_id = bound_id(flow, "dataConnector");
    let accepted = data.with_tx(|tx| tx.docs(&ACCEPTED)?.get(connector_id))?;
    let files = match &accepted {
        Some(accepted) => {
            let folder = app.store().blobs().path(data.ctx().tenant, text(&accepted.body, "folder"))?;
            let names = accepted.body.get("files").and_then(Value::as_array).cloned().unwrap_or_default();
            names.iter().filter_map(Value::as_str).map(|name| SourceFile { name: name.to_owned(), path: folder.join(name) }).collect()
        }
        None => Vec::new(),
    };
    let connector = Lookup::get(data, "dataConnectors", connector_id).unwrap_or_default();
    let (_, source) = source_system(data, flow);
    let rules = source.get("userMatchingSettings").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let baseline = data.with_tx(|tx| tx.docs(&BASELINES)?.get(id))?;
    Ok(InboundSpec {
        flow_id: id.to_owned(),
        display_name: text(flow, "displayName").to_owned(),
        files,
        pull: providers::is_pulled(&connector).then(|| connector_id.to_owned()),
        format: providers::format(&connector).or_else(|| accepted.as_ref()?.body.get("format")?.as_str().map(str::to_owned)),
        remarks: 0,
        changes: accepted.as_ref().map(|accepted| changes_report(app, data.ctx().tenant, &accepted.body)).transpose()?.flatten(),
        origin: origin(&connector, accepted.as_ref().map(|accepted| &accepted.body)),
        refused: data.with_tx(|tx| tx.docs(&REFUSED)?.get(connector_id))?.map(|doc| text(&doc.body, "why").to_owned()),
        not_pulled: None,
        rules: rules.iter().filter_map(Value::as_object).filter_map(rule).collect(),
        previous: baseline.map(|doc| previous(app, data.ctx().tenant, &doc.body)).transpose()?,
    })
}

/// What was found in the changes that an accepted set was put together with; none is there for one that was sent whole.
pub(crate) fn changes_report(app: &App, tenant: TenantId, accepted: &Map<String, Value>) -> Result<Option<ChangesReport>, AppError> {
    let found = accepted.get("changes").cloned().unwrap_or_default();
    let counts: Option<ChangesCounts> = serde_json::from_value(found).map_err(|error| AppError::Internal(error.to_string()))?;
    let folder = app.store().blobs().path(tenant, text(accepted, "folder"))?;
    Ok(counts.map(|counts| ChangesReport { log: folder.join(FOUND_IN_CHANGES), counts }))
}

/// Where the files of a flow come from, for people.
fn origin(connector: &Map<String, Value>, accepted: Option<&Map<String, Value>>) -> Option<String> {
    if providers::is_pulled(connector) {
        return Some(format!("OneRoster API {}", text(connector, "baseUrl")));
    }
    accepted?.get("origin")?.as_str().map(str::to_owned)
}

/// The source system that feeds a flow: its id and document.
fn source_system(data: &Data<'_, '_>, flow: &Map<String, Value>) -> (String, Map<String, Value>) {
    let connector = Lookup::get(data, "dataConnectors", bound_id(flow, "dataConnector")).unwrap_or_default();
    let id = bound_id(&connector, "sourceSystem").to_owned();
    let source = Lookup::get(data, "sourceSystems", &id).unwrap_or_default();
    (id, source)
}

/// The folder of the run that a flow is compared with. The store may have moved since: its key is
/// what is stored, not its path.
fn baseline_folder(app: &App, tenant: TenantId, baseline: &Map<String, Value>) -> Result<PathBuf, AppError> {
    Ok(app.store().blobs().path(tenant, &format!("runs/{}", text(baseline, "run")))?)
}

fn previous(app: &App, tenant: TenantId, baseline: &Map<String, Value>) -> Result<PreviousRun, AppError> {
    let files = baseline.get("files").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    Ok(PreviousRun {
        work_dir: baseline_folder(app, tenant, baseline)?,
        files: files.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        people: baseline.get("people").and_then(Value::as_u64).unwrap_or(0),
    })
}

/// `None` for an identifier that no column of a roster has; the rules of the API let none pass.
fn rule(setting: &Map<String, Value>) -> Option<MatchRule> {
    let code = |name: &str| setting.get(name).and_then(|v| v.get("code")).and_then(Value::as_str).unwrap_or_default();
    let source = match code("sourceIdentifier") {
        "email" => SourceIdentifier::Email,
        "activeDirectoryMatchId" | "activeDirectory" | "activeDirectoryId" | "upn" => SourceIdentifier::ActiveDirectoryMatchId,
        "identifier" | "sourceExternalId" => SourceIdentifier::SourcedId,
        "studentOrTeacherNumberOrId" => SourceIdentifier::UserNumber,
        "username" => SourceIdentifier::Username,
        _ => return None,
    };
    Some(MatchRule {
        role_group: bound_id(setting, "roleGroup").to_owned(),
        source,
        target: if code("matchTarget") == "mail" { MatchTarget::Mail } else { MatchTarget::UserPrincipalName },
        priority: setting.get("priorityOrder").and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok()).unwrap_or(i32::MAX),
        domain: setting.get("domainName").and_then(Value::as_str).filter(|d| !d.is_empty()).map(str::to_owned),
    })
}

fn role_groups(data: &Data<'_, '_>) -> Vec<RoleGroup> {
    let documents = reference::role_group_documents().into_iter().chain(data.list("roleGroups", None));
    documents
        .map(|group| {
            let roles = group.get("roles").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            RoleGroup {
                id: text(&group, "id").to_owned(),
                display_name: text(&group, "displayName").to_owned(),
                roles: roles.iter().filter_map(|r| r.get("code").and_then(Value::as_str)).map(str::to_owned).collect(),
            }
        })
        .collect()
}

/// Security group flows that are ready. One that has failed is tried again.
fn security_flows(data: &Data<'_, '_>) -> Vec<SecurityFlow> {
    let mut flows = Vec::new();
    for set in data.list("outboundProvisioningFlowSets", None) {
        for flow in data.list("provisioningFlows", Some(text(&set, "id"))) {
            let takes_part = matches!(Readiness::of(&flow), Readiness::Ready | Readiness::Failed);
            if takes_part && text(&flow, "@odata.type") == SECURITY_GROUP_FLOW {
                let option = |name: &str| flow.get("creationOptions").and_then(|o| o.get(name)).and_then(Value::as_bool).unwrap_or(false);
                flows.push(SecurityFlow {
                    flow_id: text(&flow, "id").to_owned(),
                    by_role_group: option("createBasedOnRoleGroup"),
                    by_org_and_role_group: option("createBasedOnOrgPlusRoleGroup"),
                    orgs: filter_organizations(&set),
                });
            }
        }
    }
    flows
}
