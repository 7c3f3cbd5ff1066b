use super::*;
use std::collections::BTreeMap;

/// A tenant in memory.
#[derive(Default)]
struct Tenant(BTreeMap<(String, String), (Option<String>, Document)>);

impl Tenant {
    fn with(mut self, collection: &str, parent: Option<&str>, value: Value) -> Self {
        let document = value.as_object().unwrap().clone();
        let id = document["id"].as_str().unwrap().to_owned();
        self.0.insert((collection.to_owned(), id), (parent.map(str::to_owned), document));
        self
    }
}

impl Lookup for Tenant {
    fn get(&self, collection: &str, id: &str) -> Option<Document> {
        if collection == "roleGroups" {
            return reference::role_group_documents().into_iter().find(|g| g["id"] == id);
        }
        self.0.get(&(collection.to_owned(), id.to_owned())).map(|(_, d)| d.clone())
    }
    fn list(&self, collection: &str, parent: Option<&str>) -> Vec<Document> {
        let mine = self.0.iter().filter(|((c, _), (p, _))| c == collection && (parent.is_none() || p.as_deref() == parent));
        mine.map(|(_, (_, d))| d.clone()).collect()
    }
    fn now(&self) -> String {
        "2026-11-24T10:00:00Z".to_owned()
    }
}

fn doc(value: Value) -> Document {
    value.as_object().unwrap().clone()
}

fn source() -> Value {
    json!({"id": "s", "displayName": "SIS", "userMatchingSettings": [
        {"priorityOrder": 0, "sourceIdentifier": {"code": "username"}, "roleGroup@odata.bind": "roleGroups/staff"},
        {"priorityOrder": 1, "sourceIdentifier": {"code": "email"}, "roleGroup@odata.bind": "roleGroups/students"},
    ]})
}

#[test]
fn codes_come_out_canonical_and_unknown_ones_are_named() {
    let mut document = doc(json!({"year": {"@odata.type": "#x", "code": "2025"}, "startDate": "2024-08-01", "endDate": "2025-07-31"}));
    on_create("years", None, &mut document, &Tenant::default()).unwrap();
    assert_eq!(document["year"], json!({"code": "2025"}));
    document["year"] = json!({"code": "20255"});
    let refusal = on_create("years", None, &mut document, &Tenant::default()).unwrap_err();
    assert!(matches!(refusal, Refusal::Invalid { message, target } if message.contains("RefAcademicYear") && target.as_deref() == Some("year.code")));
}

#[test]
fn a_year_that_ends_before_it_starts_is_refused() {
    let mut document = doc(json!({"year": {"code": "2025"}, "startDate": "2025-08-01", "endDate": "2025-07-31"}));
    assert!(on_create("years", None, &mut document, &Tenant::default()).is_err());
}

#[test]
fn bindings_must_lead_to_something_of_the_right_kind() {
    let tenant = Tenant::default().with("sourceSystems", None, source());
    let connector = |bind: &str| doc(json!({"@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector", "sourceSystem@odata.bind": bind}));
    let mut good = connector("SourceSystems/s");
    on_create("dataConnectors", None, &mut good, &tenant).unwrap();
    assert_eq!(good["sourceSystem@odata.bind"], "sourceSystems/s");
    assert!(on_create("dataConnectors", None, &mut connector("sourceSystems/x"), &tenant).is_err());
    assert!(on_create("dataConnectors", None, &mut connector("years/s"), &tenant).is_err());
}

#[test]
fn settings_sent_back_without_role_groups_keep_them() {
    let stored = doc(source());
    let mut merged = stored.clone();
    merged["userMatchingSettings"] = json!([
        {"priorityOrder": 5, "sourceIdentifier": {"code": "username"}},
        {"priorityOrder": 1, "sourceIdentifier": {"code": "email"}},
    ]);
    on_patch("sourceSystems", &stored, &Document::new(), &mut merged, &Tenant::default()).unwrap();
    assert_eq!(merged["userMatchingSettings"][0]["roleGroup@odata.bind"], "roleGroups/staff");
    merged["userMatchingSettings"] = json!([{"priorityOrder": 1, "sourceIdentifier": {"code": "email"}}]);
    on_patch("sourceSystems", &stored, &Document::new(), &mut merged, &Tenant::default()).unwrap();
    assert_eq!(merged["userMatchingSettings"][0]["roleGroup@odata.bind"], "roleGroups/students");
    merged["userMatchingSettings"] = json!([{"priorityOrder": 1, "sourceIdentifier": {"code": "fed"}}]);
    assert!(on_patch("sourceSystems", &stored, &Document::new(), &mut merged, &Tenant::default()).is_err());
}

#[test]
fn passwords_are_masked_and_the_mask_keeps_the_stored_one() {
    let flow = |password: Value| doc(json!({"@odata.type": "#microsoft.graph.industryData.userProvisioningFlow", "readinessStatus": "ready",
        "creationOptions": {"configurations": [{"defaultPasswordSettings": {"@odata.type": "#microsoft.graph.industryData.simplePasswordSettings", "password": password}}]}}));
    let stored = flow(json!({"$sealed": "abc"}));
    let shown = present("provisioningFlows", &stored);
    assert_eq!(shown["creationOptions"]["configurations"][0]["defaultPasswordSettings"]["password"], PASSWORD_MASK);
    let mut merged = flow(json!(PASSWORD_MASK));
    on_patch("provisioningFlows", &stored, &Document::new(), &mut merged, &Tenant::default()).unwrap();
    assert_eq!(merged["creationOptions"], stored["creationOptions"]);
}

#[test]
fn only_disabled_and_ready_can_be_said() {
    let stored = doc(json!({"@odata.type": "#microsoft.graph.industryData.securityGroupProvisioningFlow", "id": "f", "readinessStatus": "notReady"}));
    let change = |word: Value| {
        let patch = doc(json!({ "readinessStatus": word }));
        let mut merged = stored.clone();
        merged.extend(patch.clone());
        on_patch("provisioningFlows", &stored, &patch, &mut merged, &Tenant::default()).map(|()| merged["readinessStatus"].clone())
    };
    assert_eq!(change(json!("disabled")).unwrap(), "disabled");
    assert_eq!(change(json!("notReady")).unwrap(), "notReady");
    assert_eq!(change(json!("ready")).unwrap(), "notReady", "nothing is configured, so it is not ready yet");
    assert!(change(json!("failed")).is_err());
    assert!(change(Value::Null).is_err());
}

#[test]
fn a_set_takes_one_flow_of_a_kind() {
    let kind = "#microsoft.graph.industryData.securityGroupProvisioningFlow";
    let tenant = Tenant::default()
        .with("outboundProvisioningFlowSets", None, json!({"id": "set"}))
        .with("provisioningFlows", Some("set"), json!({"id": "f", "@odata.type": kind}));
    let mut second = doc(json!({"@odata.type": kind, "creationOptions": {}}));
    assert!(matches!(on_create("provisioningFlows", Some("set"), &mut second, &tenant), Err(Refusal::Conflict { details, .. }) if details[0].2.ends_with("/f")));
    assert!(matches!(on_create("provisioningFlows", Some("nowhere"), &mut second, &tenant), Err(Refusal::NotFound { .. })));
    assert_eq!(second["creationOptions"], json!({"createBasedOnOrgPlusRoleGroup": false, "createBasedOnRoleGroup": false}));
}

#[test]
fn what_is_in_use_stays_and_a_set_takes_its_flows_along() {
    let tenant = Tenant::default()
        .with("dataConnectors", None, json!({"id": "c", "displayName": "CSV", "sourceSystem@odata.bind": "sourceSystems/s"}))
        .with("provisioningFlows", Some("set"), json!({"id": "f"}));
    assert!(matches!(on_delete("sourceSystems", "s", &tenant), Err(Refusal::Conflict { details, .. }) if details[0].2 == "/external/industryData/dataConnectors/c"));
    assert_eq!(on_delete("outboundProvisioningFlowSets", "set", &tenant).unwrap(), vec![("provisioningFlows", "f".to_owned())]);
}
