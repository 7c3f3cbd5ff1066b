//! Every endpoint with no token, with every permission but the right ones, and with each right one
//! (the permission table of the API reference).

use crate::harness::{Server, id};
use reqwest::Method;
use serde_json::{Value, json};

/// A request and the permissions of which one is enough, written down from the reference's table.
struct Case {
    method: Method,
    path: String,
    body: Option<Value>,
    enough: &'static [&'static str],
}

fn case(method: &str, path: &str, enough: &'static [&'static str]) -> Case {
    let body = match method {
        "POST" if !path.ends_with("/validate") && !path.ends_with("/start") && !path.ends_with("/reset") => Some(json!({})),
        "PATCH" => Some(json!({})),
        _ => None,
    };
    Case { method: method.parse().unwrap(), path: format!("/beta/{path}"), body, enough }
}

const SOURCES_READ: &[&str] = &["IndustryData-SourceSystem.Read.All", "IndustryData-SourceSystem.ReadWrite.All"];
const SOURCES_WRITE: &[&str] = &["IndustryData-SourceSystem.ReadWrite.All"];
const CONNECTORS_READ: &[&str] = &["IndustryData-DataConnector.Read.All", "IndustryData-DataConnector.ReadWrite.All"];
const CONNECTORS_WRITE: &[&str] = &["IndustryData-DataConnector.ReadWrite.All"];
const UPLOAD: &[&str] = &["IndustryData-DataConnector.Upload", "IndustryData-DataConnector.ReadWrite.All"];
const YEARS_READ: &[&str] = &["IndustryData-TimePeriod.Read.All", "IndustryData-TimePeriod.ReadWrite.All"];
const YEARS_WRITE: &[&str] = &["IndustryData-TimePeriod.ReadWrite.All"];
const INBOUND_READ: &[&str] = &["IndustryData-InboundFlow.Read.All", "IndustryData-InboundFlow.ReadWrite.All"];
const INBOUND_WRITE: &[&str] = &["IndustryData-InboundFlow.ReadWrite.All"];
const OUTBOUND_READ: &[&str] = &["IndustryData-OutboundFlow.Read.All", "IndustryData-OutboundFlow.ReadWrite.All"];
const OUTBOUND_WRITE: &[&str] = &["IndustryData-OutboundFlow.ReadWrite.All"];
const RUNS_READ: &[&str] = &["IndustryData-Run.Read.All", "IndustryData-Run.Start"];
const RUNS_START: &[&str] = &["IndustryData-Run.Start"];

fn cases(source: &str, connector: &str, year: &str, inbound: &str, set: &str, flow: &str) -> Vec<Case> {
    let industry = |method: &str, path: &str, enough| case(method, &format!("external/industryData/{path}"), enough);
    let flows = format!("outboundProvisioningFlowSets/{set}/provisioningFlows");
    let session = format!("dataConnectors/{connector}/microsoft.graph.industryData.azureDataLakeConnector/getUploadSession");
    vec![
        industry("GET", "sourceSystems", SOURCES_READ),
        industry("GET", &format!("sourceSystems/{source}"), SOURCES_READ),
        industry("POST", "sourceSystems", SOURCES_WRITE),
        industry("PATCH", &format!("sourceSystems/{source}"), SOURCES_WRITE),
        industry("DELETE", &format!("sourceSystems/{source}"), SOURCES_WRITE),
        industry("GET", "dataConnectors", CONNECTORS_READ),
        industry("GET", &format!("dataConnectors/{connector}"), CONNECTORS_READ),
        industry("POST", "dataConnectors", CONNECTORS_WRITE),
        industry("PATCH", &format!("dataConnectors/{connector}"), CONNECTORS_WRITE),
        industry("DELETE", &format!("dataConnectors/{connector}"), CONNECTORS_WRITE),
        industry("GET", &session, UPLOAD),
        industry("POST", &format!("dataConnectors/{connector}/validate"), UPLOAD),
        industry("GET", "years", YEARS_READ),
        industry("GET", &format!("years/{year}"), YEARS_READ),
        industry("POST", "years", YEARS_WRITE),
        industry("PATCH", &format!("years/{year}"), YEARS_WRITE),
        industry("GET", "inboundFlows", INBOUND_READ),
        industry("GET", &format!("inboundFlows/{inbound}"), INBOUND_READ),
        industry("POST", "inboundFlows", INBOUND_WRITE),
        industry("PATCH", &format!("inboundFlows/{inbound}"), INBOUND_WRITE),
        industry("GET", "outboundProvisioningFlowSets", OUTBOUND_READ),
        industry("GET", &format!("outboundProvisioningFlowSets/{set}"), OUTBOUND_READ),
        industry("POST", "outboundProvisioningFlowSets", OUTBOUND_WRITE),
        industry("PATCH", &format!("outboundProvisioningFlowSets/{set}"), OUTBOUND_WRITE),
        industry("GET", &flows, OUTBOUND_READ),
        industry("GET", &format!("{flows}/{flow}"), OUTBOUND_READ),
        industry("POST", &flows, OUTBOUND_WRITE),
        industry("PATCH", &format!("{flows}/{flow}"), OUTBOUND_WRITE),
        case("GET", "securityGroupProvisioningFlow", OUTBOUND_READ),
        case("PATCH", "securityGroupProvisioningFlow", OUTBOUND_WRITE),
        industry("GET", "runs", RUNS_READ),
        industry("GET", "runs/getStatistics", RUNS_READ),
        industry("POST", "runs/start", RUNS_START),
        industry("GET", "referenceDefinitions", &["IndustryData.ReadBasic.All", "IndustryData-ReferenceDefinition.ReadWrite.All"]),
        industry(
            "GET",
            "referenceDefinitions/RefAcademicSubject-01",
            &["IndustryData-ReferenceDefinition.Read.All", "IndustryData-ReferenceDefinition.ReadWrite.All"],
        ),
        industry("GET", "roleGroups", &["IndustryData.ReadBasic.All"]),
        industry(
            "GET",
            "roleGroups/staff",
            &["IndustryData-ReferenceDefinition.Read.All", "IndustryData-ReferenceDefinition.ReadWrite.All"],
        ),
        industry("GET", "operations", &["IndustryData.ReadBasic.All"]),
        case("GET", "users", &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"]),
        case("POST", "users", &["User.ReadWrite.All", "Directory.ReadWrite.All"]),
        case("POST", "groups", &["Group.ReadWrite.All", "Directory.ReadWrite.All"]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_takes_exactly_the_permissions_of_the_table() {
    let server = Server::start().await;
    let both = json!({ "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": true });
    let (connector, set, flow) = server.configure(&both).await;
    let list = |path: &'static str| {
        let server = &server;
        async move { id(&server.get(&format!("/beta/external/industryData/{path}")).await["value"][0]).to_owned() }
    };
    let (source, year, inbound) = (list("sourceSystems").await, list("years").await, list("inboundFlows").await);
    let cases = cases(&source, &connector, &year, &inbound, &set, &flow);
    let mut wrong = Vec::new();
    for case in &cases {
        let (all_but, enough): (Vec<_>, Vec<_>) = server::all_permissions().into_iter().partition(|p| !case.enough.contains(&p.as_str()));
        assert_eq!(enough.len(), case.enough.len(), "{} names a permission that there is not", case.path);
        let mut callers = vec![(None, 401), (Some(all_but), 403)];
        callers.extend(case.enough.iter().map(|p| (Some(vec![(*p).to_owned()]), 0)));
        for (permissions, expected) in callers {
            let mut request = server.http.request(case.method.clone(), format!("{}{}", server.base, case.path));
            if let Some(permissions) = permissions.clone() {
                request = request.bearer_auth(server.token_with(permissions).await);
            }
            if let Some(body) = &case.body {
                request = request.json(body);
            }
            let status = request.send().await.unwrap().status().as_u16();
            let good = if expected == 0 { !matches!(status, 401 | 403 | 500..) } else { status == expected };
            if !good {
                wrong.push(format!("{} {} with {:?}: {status}", case.method, case.path, permissions.map(|p| p.join(" "))));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    server.stop().await;
}
