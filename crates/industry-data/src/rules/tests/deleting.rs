//! DELETE, and what comes with the service.

use super::*;

#[test]
fn what_is_in_use_stays_and_a_set_takes_its_flows_along() {
    let tenant = school().with("provisioningFlows", Some("set"), json!({ "id": "f" })).with(
        "provisioningFlows",
        Some("other"),
        json!({ "id": "g" }),
    );
    let Err(Refusal::Conflict { details, .. }) = on_delete("sourceSystems", "sis", &tenant) else {
        panic!("a source system in use was deleted")
    };
    let targets: Vec<_> = details.iter().map(|d| d.2.as_str()).collect();
    assert_eq!(targets, ["/external/industryData/dataConnectors/csv", "/external/industryData/dataConnectors/api"]);
    assert_eq!(on_delete("years", "y", &tenant).unwrap(), vec![]);
    assert_eq!(on_delete("outboundProvisioningFlowSets", "set", &tenant).unwrap(), vec![("provisioningFlows", "f".to_owned())]);
}

#[test]
fn built_in_role_groups_and_rows_stay_as_they_are() {
    for (collection, id) in [("roleGroups", "staff"), ("referenceDefinitions", "RefRole-teacher")] {
        assert!(matches!(on_delete(collection, id, &school()), Err(Refusal::Conflict { .. })));
    }
    let stored = reference::role_group_documents().remove(1);
    let patch = |body: Value| school().patch("roleGroups", "roleGroup", &stored, body);
    assert!(patch(json!({ "displayName": "Students", "roles": [{ "code": "STUDENT" }] })).is_ok());
    assert_eq!(target(patch(json!({ "roles": [] }))), "roles");
    let row = reference::definition("RefGradeLevel-01").unwrap().document();
    assert_eq!(target(school().patch("referenceDefinitions", "referenceDefinition", &row, json!({ "isDisabled": true }))), "isDisabled");
}

#[test]
fn a_role_group_in_use_cannot_go() {
    let custom = json!({ "id": "s2", "displayName": "SIS 2", "userMatchingSettings": [{ "roleGroup@odata.bind": "roleGroups/guests" }] });
    let flow = json!({ "id": "f", "creationOptions": { "configurations": [{ "roleGroup@odata.bind": "roleGroups/guests" }] } });
    let tenant = school().with("sourceSystems", None, custom).with("provisioningFlows", Some("set"), flow);
    let Err(Refusal::Conflict { details, .. }) = on_delete("roleGroups", "guests", &tenant) else { panic!("it went") };
    assert_eq!(details.len(), 2);
    assert!(on_delete("roleGroups", "others", &tenant).unwrap().is_empty());
}
