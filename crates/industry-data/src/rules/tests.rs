//! The rules as a server uses them: decoded, checked, merged.

mod changing;
mod creating;
mod deleting;

use super::*;
use odata::decode::{Mode, check_required, decode, merge_patch};
use odata::limits::Limits;
use std::collections::BTreeMap;

const SECURITY: &str = "#microsoft.graph.industryData.securityGroupProvisioningFlow";
const USERS: &str = "#microsoft.graph.industryData.userProvisioningFlow";

/// A tenant in memory: documents by collection, each with its parent.
#[derive(Default)]
struct Tenant(BTreeMap<String, Vec<(Option<String>, Document)>>);

impl Tenant {
    fn with(mut self, collection: &str, parent: Option<&str>, value: Value) -> Self {
        self.0.entry(collection.to_owned()).or_default().push((parent.map(str::to_owned), object(value)));
        self
    }

    /// What the server does on POST.
    fn create(&self, collection: &str, declared: &str, parent: Option<&str>, body: Value) -> Result<Document, Refusal> {
        let declared = ty(declared);
        let mut document = decode(&MODEL, declared, body.to_string().as_bytes(), Mode::Create, &Limits::DEFAULT).unwrap();
        let concrete = type_of(collection, &document).unwrap_or(declared);
        check_required(&MODEL, concrete, &document).unwrap();
        on_create(collection, parent, &mut document, self).map(|()| document)
    }

    /// What the server does on PATCH.
    fn patch(&self, collection: &str, declared: &str, stored: &Document, body: Value) -> Result<Document, Refusal> {
        let declared = ty(declared);
        let patch = decode(&MODEL, declared, body.to_string().as_bytes(), Mode::Patch { stored }, &Limits::DEFAULT).unwrap();
        let mut merged = merge_patch(&MODEL, type_of(collection, stored).unwrap_or(declared), stored, &patch);
        on_patch(collection, None, stored, &patch, &mut merged, self).map(|()| merged)
    }
}

impl Lookup for Tenant {
    fn get(&self, collection: &str, id: &str) -> Option<Document> {
        let own = self.0.get(collection).into_iter().flatten().map(|(_, d)| d.clone());
        let built_in = if collection == "roleGroups" { reference::role_group_documents() } else { Vec::new() };
        own.chain(built_in).find(|d| text(d, "id").eq_ignore_ascii_case(id))
    }

    fn list(&self, collection: &str, parent: Option<&str>) -> Vec<Document> {
        let all = self.0.get(collection).into_iter().flatten();
        all.filter(|(p, _)| parent.is_none() || p.as_deref() == parent).map(|(_, d)| d.clone()).collect()
    }
}

fn object(value: Value) -> Document {
    value.as_object().unwrap().clone()
}

fn ty(name: &str) -> &'static StructuredType {
    MODEL.find_type(&format!("microsoft.graph.industryData.{name}")).unwrap()
}

fn target(result: Result<Document, Refusal>) -> String {
    match result {
        Err(Refusal::Invalid { target: Some(target), .. }) => target,
        other => panic!("expected a refusal with a target, not {other:?}"),
    }
}

/// One of everything.
fn school() -> Tenant {
    Tenant::default()
        .with("sourceSystems", None, source())
        .with(
            "dataConnectors",
            None,
            json!({ "id": "csv", "displayName": "CSV", "@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector",
            "sourceSystem@odata.bind": "sourceSystems/sis", "fileFormat": { "code": "schoolDataSyncV2Rev1" } }),
        )
        .with(
            "dataConnectors",
            None,
            json!({ "id": "api", "displayName": "API", "@odata.type": "#microsoft.graph.industryData.oneRosterApiDataConnector",
            "sourceSystem@odata.bind": "sourceSystems/sis" }),
        )
        .with(
            "years",
            None,
            json!({ "id": "y", "displayName": "2026", "startDate": "2026-08-01", "endDate": "2027-07-31", "year": { "code": "2026" } }),
        )
        .with("outboundProvisioningFlowSets", None, json!({ "id": "set", "displayName": "All" }))
}

fn source() -> Value {
    json!({ "id": "sis", "displayName": "SIS", "userMatchingSettings": [
        { "priorityOrder": 0, "sourceIdentifier": { "code": "username" }, "roleGroup@odata.bind": "roleGroups/staff" },
        { "priorityOrder": 1, "sourceIdentifier": { "code": "email" }, "roleGroup@odata.bind": "roleGroups/students" },
    ] })
}

fn inbound(kind: &str, connector: &str) -> Value {
    json!({ "@odata.type": format!("#microsoft.graph.industryData.{kind}"), "displayName": "Flow", "dataDomain": "educationRostering",
        "effectiveDateTime": "2026-08-01T00:00:00+02:00", "expirationDateTime": "2027-07-31",
        "dataConnector@odata.bind": format!("https://graph.microsoft.com/beta/external/industryData/DataConnectors('{connector}')"),
        "year@odata.bind": "external/industryData/years/y" })
}

fn configuration(group: Option<&str>, password: &str) -> Value {
    let mut value = json!({ "licenseSkus": ["Sku1"], "defaultPasswordSettings": {
        "@odata.type": "#microsoft.graph.industryData.simplePasswordSettings", "password": password } });
    if let Some(group) = group {
        value["roleGroup@odata.bind"] = json!(format!("external/industryData/roleGroups/{group}"));
    }
    value
}

fn user_flow(configurations: Value) -> Value {
    json!({ "@odata.type": USERS, "managementOptions": {}, "creationOptions": { "configurations": configurations } })
}

fn one_roster(secret: &Value) -> Value {
    json!({ "@odata.type": "#microsoft.graph.industryData.oneRosterApiDataConnector", "displayName": "API", "apiFormat": "ONEROSTER",
        "baseUrl": "https://sis.example/ims/oneroster/v1p1", "apiVersion": "1.1",
        "isContactsEnabled": false, "isDemographicsEnabled": false, "isFlagsEnabled": true, "sourceSystem@odata.bind": "external/industryData/sourceSystems/sis",
        "credential": { "@odata.type": "microsoft.graph.industryData.oAuth2ClientCredential", "displayName": "C", "clientId": "id",
            "clientSecret": secret, "tokenUrl": "https://sis.example/token", "isValid": false } })
}
