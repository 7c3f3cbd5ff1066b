//! PATCH: what is kept, what is fixed, what may be said.

use super::*;

#[test]
fn what_a_flow_hangs_from_is_fixed() {
    let mut stored = school().create("inboundFlows", "inboundFlow", None, inbound("inboundFileFlow", "csv")).unwrap();
    stored.insert("id".to_owned(), json!("f"));
    let patch = |body: Value| school().with("years", None, json!({ "id": "z" })).patch("inboundFlows", "inboundFlow", &stored, body);
    assert!(
        patch(json!({ "year@odata.bind": "https://elsewhere.example/beta/external/industryData/years('y')", "displayName": "New" }))
            .is_ok()
    );
    assert_eq!(target(patch(json!({ "year@odata.bind": "external/industryData/years/z" }))), "year@odata.bind");
}

#[test]
fn fixed_codes_may_come_back_in_any_spelling() {
    let stored = school().get("dataConnectors", "csv").unwrap();
    let patch = |body: Value| school().patch("dataConnectors", "industryDataConnector", &stored, body);
    let kept = patch(json!({ "fileFormat": { "code": "schoolDataSyncV2.1" }, "displayName": "New" })).unwrap();
    assert_eq!(kept["fileFormat"], json!({ "code": "schoolDataSyncV2Rev1" }));
    assert_eq!(target(patch(json!({ "fileFormat": { "code": "schoolDataSyncV1" } }))), "fileFormat");
}

#[test]
fn settings_sent_back_without_role_groups_keep_them() {
    let stored = object(source());
    let patch =
        |settings: Value| school().patch("sourceSystems", "sourceSystemDefinition", &stored, json!({ "userMatchingSettings": settings }));
    let same_number = patch(json!([
        { "priorityOrder": 5, "sourceIdentifier": { "code": "email" } },
        { "priorityOrder": 1, "sourceIdentifier": { "code": "email" }, "domainName": "valid.example" },
    ]));
    let kept = same_number.unwrap();
    assert_eq!(kept["userMatchingSettings"][0]["roleGroup@odata.bind"], "roleGroups/staff");
    assert_eq!(kept["userMatchingSettings"][1]["domainName"], "valid.example");
    let fewer = patch(json!([{ "priorityOrder": 1, "sourceIdentifier": { "code": "Email" } }])).unwrap();
    assert_eq!(fewer["userMatchingSettings"][0]["roleGroup@odata.bind"], "roleGroups/students");
    let unknown = patch(json!([{ "priorityOrder": 1, "sourceIdentifier": { "code": "fed" } }]));
    assert_eq!(target(unknown), "userMatchingSettings[0].roleGroup@odata.bind");
}

#[test]
fn passwords_are_masked_and_the_mask_keeps_the_stored_one() {
    let create = |configurations: Value| school().create("provisioningFlows", "provisioningFlow", Some("set"), user_flow(configurations));
    let mut stored = create(json!([configuration(Some("staff"), "********"), configuration(Some("students"), "secret")])).unwrap();
    assert_eq!(stored["managementOptions"]["additionalOptions"], json!({}));
    for_each_secret(&mut stored, &mut |secret| -> Result<(), ()> {
        *secret = json!({ "$sealed": secret.clone() });
        Ok(())
    })
    .unwrap();
    let shown = present("provisioningFlows", &stored);
    assert_eq!(shown["creationOptions"]["configurations"][1]["defaultPasswordSettings"]["password"], MASK);

    let patch = |configurations: Value| {
        school().patch("provisioningFlows", "provisioningFlow", &stored, json!({ "creationOptions": { "configurations": configurations } }))
    };
    let sealed =
        |flow: &Document, index: usize| flow["creationOptions"]["configurations"][index]["defaultPasswordSettings"]["password"].clone();
    let round_trip = patch(json!([configuration(None, MASK), configuration(None, MASK)])).unwrap();
    assert_eq!(round_trip["creationOptions"], stored["creationOptions"]);
    let swapped = patch(json!([configuration(Some("students"), MASK), configuration(Some("staff"), "new")])).unwrap();
    assert_eq!(sealed(&swapped, 0), json!({ "$sealed": "secret" }));
    assert_eq!(sealed(&swapped, 1), json!("new"));
    assert_eq!(target(patch(json!([configuration(None, "new")]))), "creationOptions.configurations[0].roleGroup@odata.bind");
    assert_eq!(
        target(create(json!([configuration(Some("staff"), MASK)]))),
        "creationOptions.configurations[0].defaultPasswordSettings.password"
    );
    let twice = create(json!([configuration(Some("staff"), "a"), configuration(Some("Staff"), "b")]));
    assert_eq!(target(twice), "creationOptions.configurations[1].roleGroup@odata.bind");
}

#[test]
fn a_credential_without_its_secret_keeps_the_stored_one() {
    let create = |body: Value| school().create("dataConnectors", "industryDataConnector", None, body);
    let stored = create(one_roster(&json!("s3cret"))).unwrap();
    assert_eq!(stored["credential"]["isValid"], true);
    assert!(present("dataConnectors", &stored)["credential"].get("clientSecret").is_none());
    let credential = |extra: Value| {
        let mut value = json!({ "@odata.type": "#microsoft.graph.industryData.oAuth2ClientCredential", "displayName": "New", "clientId": "id", "tokenUrl": "https://sis.example/token" });
        value.as_object_mut().unwrap().extend(object(extra));
        school().patch("dataConnectors", "industryDataConnector", &stored, json!({ "credential": value })).unwrap()["credential"].clone()
    };
    assert_eq!(credential(json!({}))["clientSecret"], "s3cret");
    assert_eq!(credential(json!({ "clientSecret": MASK }))["clientSecret"], "s3cret");
    assert_eq!(credential(json!({ "clientSecret": "other" }))["clientSecret"], "other");
    assert_eq!(credential(json!({ "clientSecret": null }))["clientSecret"], Value::Null);
    let first = json!({ "credential": { "@odata.type": "#microsoft.graph.industryData.oAuth1ClientCredential", "displayName": "One", "clientId": "id" } });
    let other_kind = school().patch("dataConnectors", "industryDataConnector", &stored, first).unwrap();
    assert!(other_kind["credential"].get("clientSecret").is_none(), "a secret belongs to one kind of credential");
    assert_eq!(target(create(one_roster(&json!(MASK)))), "credential.clientSecret");
    let mut nowhere = one_roster(&Value::Null);
    nowhere["baseUrl"] = json!("sis.example/ims");
    assert_eq!(target(create(nowhere)), "baseUrl");
    let mut open = one_roster(&Value::Null);
    open["baseUrl"] = json!("https://me:secret@sis.example/ims");
    assert_eq!(target(create(open)), "baseUrl");
}

#[test]
fn a_connection_that_is_changed_counts_as_not_tested() {
    let mut stored = school().create("dataConnectors", "industryDataConnector", None, one_roster(&json!("s3cret"))).unwrap();
    let tested = json!("2026-11-24T10:00:00Z");
    (stored["credential"]["lastValidDateTime"], stored["credential"]["isValid"]) = (tested.clone(), json!(true));
    let after = |change: Value| {
        let changed = school().patch("dataConnectors", "industryDataConnector", &stored, change).unwrap();
        changed["credential"]["lastValidDateTime"].clone()
    };
    let credential = |change: Value| {
        let mut value = object(json!({ "@odata.type": "#microsoft.graph.industryData.oAuth2ClientCredential" }));
        value.extend(object(change));
        after(json!({ "credential": value }))
    };
    for kept in
        [after(json!({ "displayName": "New" })), after(json!({ "isFlagsEnabled": true })), credential(json!({ "displayName": "New" }))]
    {
        assert_eq!(kept, tested);
    }
    // What a client read and sends back: the mask is no new secret, and its word about the test does not count.
    assert_eq!(credential(json!({ "clientSecret": MASK, "isValid": false, "lastValidDateTime": null })), tested);
    for forgotten in [
        after(json!({ "baseUrl": "https://other.example/ims/oneroster/v1p1" })),
        after(json!({ "apiVersion": "1.2" })),
        after(json!({ "isDemographicsEnabled": true })),
        credential(json!({ "clientSecret": "other" })),
        credential(json!({ "clientId": "other" })),
        credential(json!({ "scope": "other" })),
    ] {
        assert_eq!(forgotten, Value::Null);
    }
}

#[test]
fn a_client_can_say_disabled_and_ready_and_what_it_has_read() {
    let stored = object(json!({ "@odata.type": SECURITY, "id": "f", "readinessStatus": "notReady",
        "creationOptions": { "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": false } }));
    let say = |word: Value| school().patch("provisioningFlows", "provisioningFlow", &stored, json!({ "readinessStatus": word }));
    for word in ["disabled", "ready", "NotReady"] {
        let said = say(json!(word)).unwrap();
        assert!(text(&said, "readinessStatus").eq_ignore_ascii_case(word));
    }
    for word in [json!("failed"), json!("expired"), Value::Null] {
        assert_eq!(target(say(word)), "readinessStatus");
    }
}
