//! POST: what is completed and what is refused.

use super::*;

#[test]
fn codes_come_out_canonical_and_unknown_ones_are_named() {
    let year = |code: &str| json!({ "displayName": "Y", "startDate": "2026-08-01", "endDate": "2026-08-01", "year": { "code": code } });
    assert_eq!(school().create("years", "yearTimePeriodDefinition", None, year("2026")).unwrap()["year"], json!({ "code": "2026" }));
    assert_eq!(target(school().create("years", "yearTimePeriodDefinition", None, year("20266"))), "year.code");
}

#[test]
fn a_code_may_be_given_by_its_row() {
    let setting = |identifier: Value| {
        json!({ "displayName": "S", "userMatchingSettings": [{ "priorityOrder": 0, "sourceIdentifier": identifier,
        "matchTarget": { "code": "USERPRINCIPALNAME" }, "roleGroup@odata.bind": "external/industryData/roleGroups('Students')" }] })
    };
    let create = |identifier: Value| school().create("sourceSystems", "sourceSystemDefinition", None, setting(identifier));
    let created = create(json!({ "value@odata.bind": "external/industryData/referenceDefinitions/RefIdentifierType-UserName" })).unwrap();
    assert_eq!(created["userMatchingSettings"][0]["sourceIdentifier"], json!({ "code": "username" }));
    assert_eq!(created["userMatchingSettings"][0]["matchTarget"], json!({ "code": "userPrincipalName" }));
    assert_eq!(created["userMatchingSettings"][0]["roleGroup@odata.bind"], "roleGroups/students");
    let elsewhere = json!({ "value@odata.bind": "external/industryData/referenceDefinitions/RefRole-teacher" });
    assert_eq!(target(create(elsewhere)), "userMatchingSettings[0].sourceIdentifier.value@odata.bind");
    let torn = json!({ "code": "email", "value@odata.bind": "external/industryData/referenceDefinitions/RefIdentifierType-username" });
    assert_eq!(target(create(torn)), "userMatchingSettings[0].sourceIdentifier.code");
    assert_eq!(target(create(json!({}))), "userMatchingSettings[0].sourceIdentifier.code");
}

#[test]
fn a_year_ends_on_or_after_its_first_day() {
    let body = json!({ "displayName": "Y", "startDate": "2026-08-02", "endDate": "2026-08-01", "year": { "code": "2026" } });
    assert_eq!(target(school().create("years", "yearTimePeriodDefinition", None, body)), "endDate");
}

#[test]
fn bindings_must_lead_to_something_of_the_right_kind() {
    let connector = |bind: &str| json!({ "@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector", "displayName": "C", "sourceSystem@odata.bind": bind });
    let create = |bind: &str| school().create("dataConnectors", "industryDataConnector", None, connector(bind));
    let good = create("https://graph.microsoft.com/beta/external/industryData/SourceSystems('SIS')").unwrap();
    assert_eq!(good["sourceSystem@odata.bind"], "sourceSystems/sis");
    assert_eq!(good["fileFormat"], json!({ "code": "schoolDataSyncV2Rev1" }));
    assert_eq!(target(create("external/industryData/sourceSystems/nowhere")), "sourceSystem@odata.bind");
    assert_eq!(target(create("external/industryData/years/y")), "sourceSystem@odata.bind");
}

#[test]
fn file_flows_go_with_file_connectors_and_api_flows_with_api_connectors() {
    let create = |kind: &str, connector: &str| school().create("inboundFlows", "inboundFlow", None, inbound(kind, connector));
    let flow = create("inboundFileFlow", "csv").unwrap();
    assert_eq!(flow["readinessStatus"], "notReady");
    assert_eq!(flow["dataConnector@odata.bind"], "dataConnectors/csv");
    assert!(create("inboundApiFlow", "api").is_ok());
    assert_eq!(target(create("inboundFileFlow", "api")), "dataConnector@odata.bind");
    assert_eq!(target(create("inboundApiFlow", "csv")), "dataConnector@odata.bind");
}

#[test]
fn a_flow_may_end_when_it_begins_but_not_before() {
    let mut body = inbound("inboundFileFlow", "csv");
    body["expirationDateTime"] = json!("2026-07-31T22:00:00Z");
    assert!(school().create("inboundFlows", "inboundFlow", None, body.clone()).is_ok());
    body["expirationDateTime"] = json!("2026-07-31T21:59:59.9999999Z");
    assert_eq!(target(school().create("inboundFlows", "inboundFlow", None, body)), "expirationDateTime");
}

#[test]
fn times_and_status_of_a_new_flow_are_the_servers_and_switches_left_out_are_off() {
    let body = json!({ "@odata.type": SECURITY, "readinessStatus": "ready", "createdDateTime": "2020-01-01T00:00:00Z", "creationOptions": { "createBasedOnRoleGroup": true } });
    let flow = school().create("provisioningFlows", "provisioningFlow", Some("set"), body).unwrap();
    assert_eq!(flow["readinessStatus"], "notReady");
    assert!(!flow.contains_key("createdDateTime"));
    assert_eq!(flow["creationOptions"]["createBasedOnOrgPlusRoleGroup"], false);
}

#[test]
fn a_set_takes_one_flow_of_a_kind() {
    let tenant = school().with("provisioningFlows", Some("set"), json!({ "id": "f", "@odata.type": SECURITY }));
    let create = |set: &str, ty: &str| {
        let body = json!({ "@odata.type": ty, "creationOptions": {} });
        tenant.create("provisioningFlows", "provisioningFlow", Some(set), body)
    };
    let Err(Refusal::Conflict { details, .. }) = create("set", SECURITY) else { panic!("a second one was taken") };
    assert_eq!(details[0].2, "/external/industryData/outboundProvisioningFlowSets/set/provisioningFlows/f");
    assert!(create("set", "#microsoft.graph.industryData.administrativeUnitProvisioningFlow").is_ok());
    assert!(matches!(create("nowhere", SECURITY), Err(Refusal::NotFound { .. })));
}

#[test]
fn tenants_add_rows_to_some_types_and_never_the_same_twice() {
    let row = |ty: &str, code: &str, sort: i32| json!({ "referenceType": ty, "code": code, "isDisabled": false, "sortIndex": sort, "source": "me" });
    let own = json!({ "id": "RefGradeLevel-Own", "referenceType": "RefGradeLevel", "code": "Own", "sortIndex": 99910, "source": "Tenant Defined" });
    let tenant = school().with("referenceDefinitions", None, own);
    let create = |body: Value| tenant.create("referenceDefinitions", "referenceDefinition", None, body);
    let created = create(row("refGradeLevel", "TestGrade", 300)).unwrap();
    assert_eq!(created["source"], "Tenant Defined");
    assert_eq!(prescribed_id("referenceDefinitions", &created).as_deref(), Some("RefGradeLevel-TestGrade"));
    assert_eq!(deletion("referenceDefinitions"), Deletion::Disable);
    assert_eq!(target(create(row("RefRole", "wizard", 1))), "referenceType");
    assert_eq!(target(create(row("RefGradeLevel", "a/b", 1))), "code");
    for (code, sort) in [("PS1", 1), ("own", 1), ("New", 99910)] {
        assert!(matches!(create(row("RefGradeLevel", code, sort)), Err(Refusal::Conflict { .. })), "{code}");
    }
}

#[test]
fn a_name_is_not_blank() {
    assert_eq!(target(school().create("sourceSystems", "sourceSystemDefinition", None, json!({ "displayName": " " }))), "displayName");
}
