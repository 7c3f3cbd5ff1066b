//! A tenant with one entity of each type, for tests that ask every endpoint.

use crate::harness::{Server, id};
use reqwest::Method;
use serde_json::{Value, json};
use server::describe::endpoints::Endpoint;
use std::collections::BTreeMap;

/// Ids by the names of the parameters of paths.
pub type Ids = BTreeMap<&'static str, String>;

/// Fills a tenant with one entity of each type; gives their ids.
pub async fn world(server: &Server) -> Ids {
    let both = json!({ "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": true });
    let (connector, set, flow) = server.configure(&both).await;
    let user = json!({
        "accountEnabled": true, "displayName": "Adele", "mailNickname": "adele", "userPrincipalName": "adele@contoso.example",
        "passwordProfile": { "password": "Sommer-2026!" }
    });
    let user = server.send(Method::POST, "/beta/users", Some(&user)).await.json::<Value>().await.unwrap();
    let group = json!({ "displayName": "Chess", "mailEnabled": false, "mailNickname": "chess", "securityEnabled": true });
    let group = server.send(Method::POST, "/beta/groups", Some(&group)).await.json::<Value>().await.unwrap();
    let member = json!({ "@odata.id": format!("{}/beta/users/{}", server.base, id(&user)) });
    let added = server.send(Method::POST, &format!("/beta/groups/{}/members/$ref", id(&group)), Some(&member)).await;
    assert_eq!(added.status(), 204);
    let row =
        json!({ "referenceType": "RefGradeLevel", "code": "evening", "displayName": "Evening", "isDisabled": false, "sortIndex": 99_910 });
    let row = server.create("referenceDefinitions", &row).await;
    let role_group = server.create("roleGroups", &json!({ "displayName": "Coaches", "roles": [{ "code": "teacher" }] })).await;
    let started = server.send(Method::POST, "/beta/external/industryData/runs/start", None).await;
    let operation = started.headers()["location"].to_str().unwrap().to_owned();
    let operation = server.wait_for(&operation, "/status", &["succeeded", "failed"]).await;
    let run = server.get(operation["resourceLocation"].as_str().unwrap()).await;
    let first = |path: String| async move { id(&server.get(&path).await["value"][0]).to_owned() };
    let industry = "/beta/external/industryData";
    BTreeMap::from([
        ("sourceSystemDefinition-id", first(format!("{industry}/sourceSystems")).await),
        ("industryDataConnector-id", connector),
        ("yearTimePeriodDefinition-id", first(format!("{industry}/years")).await),
        ("inboundFlow-id", first(format!("{industry}/inboundFlows")).await),
        ("outboundProvisioningFlowSet-id", set),
        ("provisioningFlow-id", flow.clone()),
        ("securityGroupProvisioningFlow-id", flow),
        ("referenceDefinition-id", id(&row).to_owned()),
        ("roleGroup-id", id(&role_group).to_owned()),
        ("industryDataRun-id", id(&run).to_owned()),
        ("industryDataRunActivity-id", first(format!("{industry}/runs/{}/activities", id(&run))).await),
        ("longRunningOperation-id", id(&operation).to_owned()),
        ("user-id", id(&user).to_owned()),
        ("group-id", id(&group).to_owned()),
    ])
}

/// The path of an endpoint with the ids in place of the parameters; of one that serves several properties, the first.
pub fn fill(endpoint: &Endpoint, ids: &Ids) -> String {
    fill_each(endpoint, ids).remove(0)
}

/// The paths of an endpoint: one, or one for each property that it is for.
pub fn fill_each(endpoint: &Endpoint, ids: &Ids) -> Vec<String> {
    match endpoint.properties.as_slice() {
        [] => vec![fill_with(endpoint, "", ids)],
        properties => properties.iter().map(|property| fill_with(endpoint, property.name, ids)).collect(),
    }
}

fn fill_with(endpoint: &Endpoint, property: &str, ids: &Ids) -> String {
    let of_user = endpoint.path.starts_with("users");
    let segments = endpoint.path.split('/').map(|segment| match segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
        Some("property") => property.to_owned(),
        // A member is a user, a group is what a user is in.
        Some("directoryObject-id") => ids[if of_user { "group-id" } else { "user-id" }].clone(),
        Some(name) => ids[name].clone(),
        None => segment.to_owned(),
    });
    segments.collect::<Vec<_>>().join("/")
}
