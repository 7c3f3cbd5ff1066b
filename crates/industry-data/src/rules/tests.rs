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
        self.0
            .entry(collection.to_owned())
            .or_default()
            .push((parent.map(str::to_owned), object(value)));
        self
    }

    /// What the server does on POST.
    fn create(
        &self,
        collection: &str,
        declared: &str,
        parent: Option<&str>,
        body: Value,
    ) -> Result<Document, Refusal> {
        let declared = ty(declared);
        let mut document = decode(
            &MODEL,
            declared,
            body.to_string().as_bytes(),
            Mode::Create,
            &Limits::DEFAULT,
        )
        .unwrap();
        let concrete = type_of(collection, &document).unwrap_or(declared);
        check_required(&MODEL, concrete, &document).unwrap();
        on_create(collection, parent, &mut document, self).map(|()| document)
    }

    /// What the server does on PATCH.
    fn patch(
        &self,
        collection: &str,
        declared: &str,
        stored: &Document,
        body: Value,
    ) -> Result<Document, Refusal> {
        let declared = ty(declared);
        let patch = decode(
            &MODEL,
            declared,
            body.to_string().as_bytes(),
            Mode::Patch { stored },
            &Limits::DEFAULT,
        )
        .unwrap();
        let mut merged = merge_patch(
            &MODEL,
            type_of(collection, stored).unwrap_or(declared),
            stored,
            &patch,
        );
        on_patch(collection, None, stored, &patch, &mut merged, self).map(|()| merged)
    }
}

impl Lookup for Tenant {
    fn get(&self, collection: &str, id: &str) -> Option<Document> {
        let own = self
            .0
            .get(collection)
            .into_iter()
            .flatten()
            .map(|(_, d)| d.clone());
        let built_in = if collection == "roleGroups" {
            reference::role_group_documents()
        } else {
            Vec::new()
        };
        own.chain(built_in)
            .find(|d| text(d, "id").eq_ignore_ascii_case(id))
    }

    fn list(&self, collection: &str, parent: Option<&str>) -> Vec<Document> {
        let all = self.0.get(collection).into_iter().flatten();
        all.filter(|(p, _)| parent.is_none() || p.as_deref() == parent)
            .map(|(_, d)| d.clone())
            .collect()
    }
}

fn object(value: Value) -> Document {
    value.as_object().unwrap().clone()
}

fn ty(name: &str) -> &'static StructuredType {
    MODEL
        .find_type(&format!("microsoft.graph.industryData.{name}"))
        .unwrap()
}

fn target(result: Result<Document, Refusal>) -> String {
    match result {
        Err(Refusal::Invalid {
            target: Some(target),
            ..
        }) => target,
        other => panic!("expected a refusal with a target, not {other:?}"),
    }
}

/// One of everything.
fn school() -> Tenant {
    Tenant::default()
        .with("sourceSystems", None, source())
        .with("dataConnectors", None, json!({ "id": "csv", "displayName": "CSV", "@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector",
            "sourceSystem@odata.bind": "sourceSystems/sis", "fileFormat": { "code": "schoolDataSyncV2Rev1" } }))
        .with("dataConnectors", None, json!({ "id": "api", "displayName": "API", "@odata.type": "#microsoft.graph.industryData.oneRosterApiDataConnector",
            "sourceSystem@odata.bind": "sourceSystems/sis" }))
        .with("years", None, json!({ "id": "y", "displayName": "2026", "startDate": "2026-08-01", "endDate": "2027-07-31", "year": { "code": "2026" } }))
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

#[test]
fn codes_come_out_canonical_and_unknown_ones_are_named() {
    let year = |code: &str| json!({ "displayName": "Y", "startDate": "2026-08-01", "endDate": "2026-08-01", "year": { "code": code } });
    assert_eq!(
        school()
            .create("years", "yearTimePeriodDefinition", None, year("2026"))
            .unwrap()["year"],
        json!({ "code": "2026" })
    );
    assert_eq!(
        target(school().create("years", "yearTimePeriodDefinition", None, year("20266"))),
        "year.code"
    );
}

#[test]
fn a_code_may_be_given_by_its_row() {
    let setting = |identifier: Value| {
        json!({ "displayName": "S", "userMatchingSettings": [{ "priorityOrder": 0, "sourceIdentifier": identifier,
        "matchTarget": { "code": "USERPRINCIPALNAME" }, "roleGroup@odata.bind": "external/industryData/roleGroups('Students')" }] })
    };
    let create = |identifier: Value| {
        school().create(
            "sourceSystems",
            "sourceSystemDefinition",
            None,
            setting(identifier),
        )
    };
    let created = create(json!({ "value@odata.bind": "external/industryData/referenceDefinitions/RefIdentifierType-UserName" })).unwrap();
    assert_eq!(
        created["userMatchingSettings"][0]["sourceIdentifier"],
        json!({ "code": "username" })
    );
    assert_eq!(
        created["userMatchingSettings"][0]["matchTarget"],
        json!({ "code": "userPrincipalName" })
    );
    assert_eq!(
        created["userMatchingSettings"][0]["roleGroup@odata.bind"],
        "roleGroups/students"
    );
    let elsewhere =
        json!({ "value@odata.bind": "external/industryData/referenceDefinitions/RefRole-teacher" });
    assert_eq!(
        target(create(elsewhere)),
        "userMatchingSettings[0].sourceIdentifier.value@odata.bind"
    );
    let torn = json!({ "code": "email", "value@odata.bind": "external/industryData/referenceDefinitions/RefIdentifierType-username" });
    assert_eq!(
        target(create(torn)),
        "userMatchingSettings[0].sourceIdentifier.code"
    );
    assert_eq!(
        target(create(json!({}))),
        "userMatchingSettings[0].sourceIdentifier.code"
    );
}

#[test]
fn a_year_ends_on_or_after_its_first_day() {
    let body = json!({ "displayName": "Y", "startDate": "2026-08-02", "endDate": "2026-08-01", "year": { "code": "2026" } });
    assert_eq!(
        target(school().create("years", "yearTimePeriodDefinition", None, body)),
        "endDate"
    );
}

#[test]
fn bindings_must_lead_to_something_of_the_right_kind() {
    let connector = |bind: &str| json!({ "@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector", "displayName": "C", "sourceSystem@odata.bind": bind });
    let create = |bind: &str| {
        school().create(
            "dataConnectors",
            "industryDataConnector",
            None,
            connector(bind),
        )
    };
    let good =
        create("https://graph.microsoft.com/beta/external/industryData/SourceSystems('SIS')")
            .unwrap();
    assert_eq!(good["sourceSystem@odata.bind"], "sourceSystems/sis");
    assert_eq!(
        good["fileFormat"],
        json!({ "code": "schoolDataSyncV2Rev1" })
    );
    assert_eq!(
        target(create("external/industryData/sourceSystems/nowhere")),
        "sourceSystem@odata.bind"
    );
    assert_eq!(
        target(create("external/industryData/years/y")),
        "sourceSystem@odata.bind"
    );
}

#[test]
fn file_flows_go_with_file_connectors_and_api_flows_with_api_connectors() {
    let create = |kind: &str, connector: &str| {
        school().create(
            "inboundFlows",
            "inboundFlow",
            None,
            inbound(kind, connector),
        )
    };
    let flow = create("inboundFileFlow", "csv").unwrap();
    assert_eq!(flow["readinessStatus"], "notReady");
    assert_eq!(flow["dataConnector@odata.bind"], "dataConnectors/csv");
    assert!(create("inboundApiFlow", "api").is_ok());
    assert_eq!(
        target(create("inboundFileFlow", "api")),
        "dataConnector@odata.bind"
    );
    assert_eq!(
        target(create("inboundApiFlow", "csv")),
        "dataConnector@odata.bind"
    );
}

#[test]
fn a_flow_may_end_when_it_begins_but_not_before() {
    let mut body = inbound("inboundFileFlow", "csv");
    body["expirationDateTime"] = json!("2026-07-31T22:00:00Z");
    assert!(
        school()
            .create("inboundFlows", "inboundFlow", None, body.clone())
            .is_ok()
    );
    body["expirationDateTime"] = json!("2026-07-31T21:59:59.9999999Z");
    assert_eq!(
        target(school().create("inboundFlows", "inboundFlow", None, body)),
        "expirationDateTime"
    );
}

#[test]
fn what_a_flow_hangs_from_is_fixed() {
    let mut stored = school()
        .create(
            "inboundFlows",
            "inboundFlow",
            None,
            inbound("inboundFileFlow", "csv"),
        )
        .unwrap();
    stored.insert("id".to_owned(), json!("f"));
    let patch = |body: Value| {
        school().with("years", None, json!({ "id": "z" })).patch(
            "inboundFlows",
            "inboundFlow",
            &stored,
            body,
        )
    };
    assert!(patch(json!({ "year@odata.bind": "https://elsewhere.example/beta/external/industryData/years('y')", "displayName": "New" })).is_ok());
    assert_eq!(
        target(patch(
            json!({ "year@odata.bind": "external/industryData/years/z" })
        )),
        "year@odata.bind"
    );
}

#[test]
fn fixed_codes_may_come_back_in_any_spelling() {
    let stored = school().get("dataConnectors", "csv").unwrap();
    let patch =
        |body: Value| school().patch("dataConnectors", "industryDataConnector", &stored, body);
    let kept =
        patch(json!({ "fileFormat": { "code": "schoolDataSyncV2.1" }, "displayName": "New" }))
            .unwrap();
    assert_eq!(
        kept["fileFormat"],
        json!({ "code": "schoolDataSyncV2Rev1" })
    );
    assert_eq!(
        target(patch(
            json!({ "fileFormat": { "code": "schoolDataSyncV1" } })
        )),
        "fileFormat"
    );
}

#[test]
fn settings_sent_back_without_role_groups_keep_them() {
    let stored = object(source());
    let patch = |settings: Value| {
        school().patch(
            "sourceSystems",
            "sourceSystemDefinition",
            &stored,
            json!({ "userMatchingSettings": settings }),
        )
    };
    let same_number = patch(json!([
        { "priorityOrder": 5, "sourceIdentifier": { "code": "email" } },
        { "priorityOrder": 1, "sourceIdentifier": { "code": "email" }, "domainName": "valid.example" },
    ]));
    let kept = same_number.unwrap();
    assert_eq!(
        kept["userMatchingSettings"][0]["roleGroup@odata.bind"],
        "roleGroups/staff"
    );
    assert_eq!(
        kept["userMatchingSettings"][1]["domainName"],
        "valid.example"
    );
    let fewer =
        patch(json!([{ "priorityOrder": 1, "sourceIdentifier": { "code": "Email" } }])).unwrap();
    assert_eq!(
        fewer["userMatchingSettings"][0]["roleGroup@odata.bind"],
        "roleGroups/students"
    );
    let unknown = patch(json!([{ "priorityOrder": 1, "sourceIdentifier": { "code": "fed" } }]));
    assert_eq!(
        target(unknown),
        "userMatchingSettings[0].roleGroup@odata.bind"
    );
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

#[test]
fn passwords_are_masked_and_the_mask_keeps_the_stored_one() {
    let create = |configurations: Value| {
        school().create(
            "provisioningFlows",
            "provisioningFlow",
            Some("set"),
            user_flow(configurations),
        )
    };
    let mut stored = create(json!([
        configuration(Some("staff"), "********"),
        configuration(Some("students"), "secret")
    ]))
    .unwrap();
    assert_eq!(stored["managementOptions"]["additionalOptions"], json!({}));
    for_each_secret(&mut stored, &mut |secret| -> Result<(), ()> {
        *secret = json!({ "$sealed": secret.clone() });
        Ok(())
    })
    .unwrap();
    let shown = present("provisioningFlows", &stored);
    assert_eq!(
        shown["creationOptions"]["configurations"][1]["defaultPasswordSettings"]["password"],
        MASK
    );

    let patch = |configurations: Value| {
        school().patch(
            "provisioningFlows",
            "provisioningFlow",
            &stored,
            json!({ "creationOptions": { "configurations": configurations } }),
        )
    };
    let sealed = |flow: &Document, index: usize| {
        flow["creationOptions"]["configurations"][index]["defaultPasswordSettings"]["password"]
            .clone()
    };
    let round_trip = patch(json!([
        configuration(None, MASK),
        configuration(None, MASK)
    ]))
    .unwrap();
    assert_eq!(round_trip["creationOptions"], stored["creationOptions"]);
    let swapped = patch(json!([
        configuration(Some("students"), MASK),
        configuration(Some("staff"), "new")
    ]))
    .unwrap();
    assert_eq!(sealed(&swapped, 0), json!({ "$sealed": "secret" }));
    assert_eq!(sealed(&swapped, 1), json!("new"));
    assert_eq!(
        target(patch(json!([configuration(None, "new")]))),
        "creationOptions.configurations[0].roleGroup@odata.bind"
    );
    assert_eq!(
        target(create(json!([configuration(Some("staff"), MASK)]))),
        "creationOptions.configurations[0].defaultPasswordSettings.password"
    );
    let twice = create(json!([
        configuration(Some("staff"), "a"),
        configuration(Some("Staff"), "b")
    ]));
    assert_eq!(
        target(twice),
        "creationOptions.configurations[1].roleGroup@odata.bind"
    );
}

fn one_roster(secret: &Value) -> Value {
    json!({ "@odata.type": "#microsoft.graph.industryData.oneRosterApiDataConnector", "displayName": "API", "apiFormat": "ONEROSTER",
        "baseUrl": "https://sis.example/ims/oneroster/v1p1", "apiVersion": "1.1",
        "isContactsEnabled": false, "isDemographicsEnabled": false, "isFlagsEnabled": true, "sourceSystem@odata.bind": "external/industryData/sourceSystems/sis",
        "credential": { "@odata.type": "microsoft.graph.industryData.oAuth2ClientCredential", "displayName": "C", "clientId": "id",
            "clientSecret": secret, "tokenUrl": "https://sis.example/token", "isValid": false } })
}

#[test]
fn a_credential_without_its_secret_keeps_the_stored_one() {
    let create =
        |body: Value| school().create("dataConnectors", "industryDataConnector", None, body);
    let stored = create(one_roster(&json!("s3cret"))).unwrap();
    assert_eq!(stored["credential"]["isValid"], true);
    assert!(
        present("dataConnectors", &stored)["credential"]
            .get("clientSecret")
            .is_none()
    );
    let credential = |extra: Value| {
        let mut value = json!({ "@odata.type": "#microsoft.graph.industryData.oAuth2ClientCredential", "displayName": "New", "clientId": "id", "tokenUrl": "https://sis.example/token" });
        value.as_object_mut().unwrap().extend(object(extra));
        school()
            .patch(
                "dataConnectors",
                "industryDataConnector",
                &stored,
                json!({ "credential": value }),
            )
            .unwrap()["credential"]
            .clone()
    };
    assert_eq!(credential(json!({}))["clientSecret"], "s3cret");
    assert_eq!(
        credential(json!({ "clientSecret": MASK }))["clientSecret"],
        "s3cret"
    );
    assert_eq!(
        credential(json!({ "clientSecret": "other" }))["clientSecret"],
        "other"
    );
    assert_eq!(
        credential(json!({ "clientSecret": null }))["clientSecret"],
        Value::Null
    );
    let first = json!({ "credential": { "@odata.type": "#microsoft.graph.industryData.oAuth1ClientCredential", "displayName": "One", "clientId": "id" } });
    let other_kind = school()
        .patch("dataConnectors", "industryDataConnector", &stored, first)
        .unwrap();
    assert!(
        other_kind["credential"].get("clientSecret").is_none(),
        "a secret belongs to one kind of credential"
    );
    assert_eq!(
        target(create(one_roster(&json!(MASK)))),
        "credential.clientSecret"
    );
    let mut nowhere = one_roster(&Value::Null);
    nowhere["baseUrl"] = json!("sis.example/ims");
    assert_eq!(target(create(nowhere)), "baseUrl");
}

#[test]
fn a_client_can_say_disabled_and_ready_and_what_it_has_read() {
    let stored = object(
        json!({ "@odata.type": SECURITY, "id": "f", "readinessStatus": "notReady",
        "creationOptions": { "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": false } }),
    );
    let say = |word: Value| {
        school().patch(
            "provisioningFlows",
            "provisioningFlow",
            &stored,
            json!({ "readinessStatus": word }),
        )
    };
    for word in ["disabled", "ready", "NotReady"] {
        let said = say(json!(word)).unwrap();
        assert!(text(&said, "readinessStatus").eq_ignore_ascii_case(word));
    }
    for word in [json!("failed"), json!("expired"), Value::Null] {
        assert_eq!(target(say(word)), "readinessStatus");
    }
}

#[test]
fn times_and_status_of_a_new_flow_are_the_servers_and_switches_left_out_are_off() {
    let body = json!({ "@odata.type": SECURITY, "readinessStatus": "ready", "createdDateTime": "2020-01-01T00:00:00Z", "creationOptions": { "createBasedOnRoleGroup": true } });
    let flow = school()
        .create("provisioningFlows", "provisioningFlow", Some("set"), body)
        .unwrap();
    assert_eq!(flow["readinessStatus"], "notReady");
    assert!(!flow.contains_key("createdDateTime"));
    assert_eq!(
        flow["creationOptions"]["createBasedOnOrgPlusRoleGroup"],
        false
    );
}

#[test]
fn a_set_takes_one_flow_of_a_kind() {
    let tenant = school().with(
        "provisioningFlows",
        Some("set"),
        json!({ "id": "f", "@odata.type": SECURITY }),
    );
    let create = |set: &str, ty: &str| {
        let body = json!({ "@odata.type": ty, "creationOptions": {} });
        tenant.create("provisioningFlows", "provisioningFlow", Some(set), body)
    };
    let Err(Refusal::Conflict { details, .. }) = create("set", SECURITY) else {
        panic!("a second one was taken")
    };
    assert_eq!(
        details[0].2,
        "/external/industryData/outboundProvisioningFlowSets/set/provisioningFlows/f"
    );
    assert!(
        create(
            "set",
            "#microsoft.graph.industryData.administrativeUnitProvisioningFlow"
        )
        .is_ok()
    );
    assert!(matches!(
        create("nowhere", SECURITY),
        Err(Refusal::NotFound { .. })
    ));
}

#[test]
fn what_is_in_use_stays_and_a_set_takes_its_flows_along() {
    let tenant = school()
        .with("provisioningFlows", Some("set"), json!({ "id": "f" }))
        .with("provisioningFlows", Some("other"), json!({ "id": "g" }));
    let Err(Refusal::Conflict { details, .. }) = on_delete("sourceSystems", "sis", &tenant) else {
        panic!("a source system in use was deleted")
    };
    let targets: Vec<_> = details.iter().map(|d| d.2.as_str()).collect();
    assert_eq!(
        targets,
        [
            "/external/industryData/dataConnectors/csv",
            "/external/industryData/dataConnectors/api"
        ]
    );
    assert_eq!(on_delete("years", "y", &tenant).unwrap(), vec![]);
    assert_eq!(
        on_delete("outboundProvisioningFlowSets", "set", &tenant).unwrap(),
        vec![("provisioningFlows", "f".to_owned())]
    );
}

#[test]
fn built_in_role_groups_and_rows_stay_as_they_are() {
    for (collection, id) in [
        ("roleGroups", "staff"),
        ("referenceDefinitions", "RefRole-teacher"),
    ] {
        assert!(matches!(
            on_delete(collection, id, &school()),
            Err(Refusal::Conflict { .. })
        ));
    }
    let stored = reference::role_group_documents().remove(1);
    let patch = |body: Value| school().patch("roleGroups", "roleGroup", &stored, body);
    assert!(patch(json!({ "displayName": "Students", "roles": [{ "code": "STUDENT" }] })).is_ok());
    assert_eq!(target(patch(json!({ "roles": [] }))), "roles");
    let row = reference::definition("RefGradeLevel-01")
        .unwrap()
        .document();
    assert_eq!(
        target(school().patch(
            "referenceDefinitions",
            "referenceDefinition",
            &row,
            json!({ "isDisabled": true })
        )),
        "isDisabled"
    );
}

#[test]
fn a_role_group_in_use_cannot_go() {
    let custom = json!({ "id": "s2", "displayName": "SIS 2", "userMatchingSettings": [{ "roleGroup@odata.bind": "roleGroups/guests" }] });
    let flow = json!({ "id": "f", "creationOptions": { "configurations": [{ "roleGroup@odata.bind": "roleGroups/guests" }] } });
    let tenant =
        school()
            .with("sourceSystems", None, custom)
            .with("provisioningFlows", Some("set"), flow);
    let Err(Refusal::Conflict { details, .. }) = on_delete("roleGroups", "guests", &tenant) else {
        panic!("it went")
    };
    assert_eq!(details.len(), 2);
    assert!(
        on_delete("roleGroups", "others", &tenant)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn tenants_add_rows_to_some_types_and_never_the_same_twice() {
    let row = |ty: &str, code: &str, sort: i32| json!({ "referenceType": ty, "code": code, "isDisabled": false, "sortIndex": sort, "source": "me" });
    let own = json!({ "id": "RefGradeLevel-Own", "referenceType": "RefGradeLevel", "code": "Own", "sortIndex": 99910, "source": "Tenant Defined" });
    let tenant = school().with("referenceDefinitions", None, own);
    let create =
        |body: Value| tenant.create("referenceDefinitions", "referenceDefinition", None, body);
    let created = create(row("refGradeLevel", "TestGrade", 300)).unwrap();
    assert_eq!(created["source"], "Tenant Defined");
    assert_eq!(
        prescribed_id("referenceDefinitions", &created).as_deref(),
        Some("RefGradeLevel-TestGrade")
    );
    assert_eq!(deletion("referenceDefinitions"), Deletion::Disable);
    assert_eq!(target(create(row("RefRole", "wizard", 1))), "referenceType");
    assert_eq!(target(create(row("RefGradeLevel", "a/b", 1))), "code");
    for (code, sort) in [("PS1", 1), ("own", 1), ("New", 99910)] {
        assert!(
            matches!(
                create(row("RefGradeLevel", code, sort)),
                Err(Refusal::Conflict { .. })
            ),
            "{code}"
        );
    }
}

#[test]
fn a_name_is_not_blank() {
    assert_eq!(
        target(school().create(
            "sourceSystems",
            "sourceSystemDefinition",
            None,
            json!({ "displayName": " " })
        )),
        "displayName"
    );
}
