//! Query options over HTTP: paging under change, links, what navigation leads to.

use crate::harness::{self, Server, source_system};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

pub fn id(object: &Value) -> String {
    harness::id(object).to_owned()
}

pub fn ids(page: &Value) -> Vec<String> {
    page["value"].as_array().unwrap().iter().map(id).collect()
}

pub async fn user(server: &Server, number: usize, extra: &Value) -> Value {
    let mut body = json!({
        "accountEnabled": true,
        "displayName": format!("User {number:03}"),
        "mailNickname": format!("user{number}"),
        "userPrincipalName": format!("user{number}@contoso.example"),
        "passwordProfile": { "password": "xWwvJ]6NMw+bWH-d" },
    });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let answer = server.send(Method::POST, "/v1.0/users", Some(&body)).await;
    assert_eq!(answer.status(), 201);
    answer.json().await.unwrap()
}

pub async fn group(server: &Server, name: &str, members: &[String]) -> String {
    let body = json!({ "displayName": name, "mailNickname": name, "mailEnabled": false, "securityEnabled": true });
    let answer = server.send(Method::POST, "/v1.0/groups", Some(&body)).await;
    assert_eq!(answer.status(), 201);
    let group = id(&answer.json().await.unwrap());
    for member in members {
        let body = json!({ "@odata.id": format!("{}/v1.0/users/{member}", server.base) });
        let answer = server.send(Method::POST, &format!("/v1.0/groups/{group}/members/$ref"), Some(&body)).await;
        assert_eq!(answer.status(), 204);
    }
    group
}

async fn get_with(server: &Server, path: &str, prefer: &str) -> (Option<String>, Value) {
    let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", server.base) };
    let answer = server.http.get(url).bearer_auth(server.token()).header("prefer", prefer).send().await.unwrap();
    let applied = answer.headers().get("preference-applied").map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(answer.status(), 200, "{path}");
    (applied, answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_stable_while_others_insert_and_delete() {
    let server = Server::start().await;
    for order in ["", "&$orderby=displayName desc", "&$orderby=length(displayName),vendor,displayName"] {
        let mut stay = BTreeSet::new();
        let mut go = Vec::new();
        for number in 0..21 {
            let mut body = source_system();
            body["displayName"] = json!(format!("{:02}", (number * 8) % 21));
            let made = id(&server.create("sourceSystems", &body).await);
            if number % 3 == 0 {
                go.push(made);
            } else {
                stay.insert(made);
            }
        }
        let mut next = Some(format!("/beta/external/industryData/sourceSystems?$filter=displayName lt '9'&$count=true{order}"));
        let mut seen: Vec<String> = Vec::new();
        let mut pages = 0;
        while let Some(path) = next {
            let (applied, page) = get_with(&server, &path, "odata.maxpagesize=4").await;
            assert_eq!(applied.as_deref(), Some("odata.maxpagesize=4"));
            let found = ids(&page);
            assert!(!found.is_empty(), "an empty page ends the paging of clients");
            seen.extend(found);
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
            assert!(next.as_ref().is_none_or(|link| link.contains("$count=true") && link.contains("filter")), "{next:?}");
            pages += 1;
            // The last entity that was seen goes, and so does one that was not; others come on both sides.
            if let Some(gone) = go.pop() {
                let answer = server.send(Method::DELETE, &format!("/beta/external/industryData/sourceSystems/{gone}"), None).await;
                assert_eq!(answer.status(), 204);
            }
            let mut body = source_system();
            for name in ["00", "205"] {
                body["displayName"] = json!(name);
                server.create("sourceSystems", &body).await;
            }
            assert!(pages < 40, "the inserts of others must not keep the paging going for ever");
        }
        assert!(pages >= 4);
        let once: BTreeSet<&String> = seen.iter().collect();
        assert_eq!(once.len(), seen.len(), "nothing comes twice{order}");
        assert!(stay.iter().all(|made| once.contains(made)), "nothing is left out{order}");
        let all = server.get("/beta/external/industryData/sourceSystems?$top=999").await;
        for made in ids(&all) {
            server.send(Method::DELETE, &format!("/beta/external/industryData/sourceSystems/{made}"), None).await;
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_take_the_options_of_collections() {
    let server = Server::start().await;
    let mut users = Vec::new();
    for number in 0..7 {
        let department = if number % 2 == 0 { "Even" } else { "Odd" };
        users.push(id(&user(&server, number, &json!({ "department": department })).await));
    }
    let everybody = group(&server, "Everybody", &users).await;
    let pair = group(&server, "Pair", &users[..2]).await;
    let members = format!("/v1.0/groups/{everybody}/members");
    let names = |page: &Value| {
        let values = page["value"].as_array().unwrap().iter();
        values.map(|user| user["displayName"].as_str().unwrap().trim_start_matches("User 00").to_owned()).collect::<String>()
    };
    for (query, wanted) in [
        ("$filter=department eq 'Odd'&$orderby=displayName desc", "531"),
        ("$orderby=department desc,displayName&$top=4", "1350"),
        ("$orderby=department desc,displayName&$top=4&$skip=5", "46"),
        ("$orderby=displayName&$skip=5", "56"),
        ("$search=\"displayName:003\" OR 005&$orderby=displayName", "35"),
        ("$top=0", ""),
        ("$filter=startswith(displayName,'X')", ""),
    ] {
        assert_eq!(names(&server.get(&format!("{members}?{query}")).await), wanted, "{query}");
    }
    let count = server.send(Method::GET, &format!("{members}/$count?$filter=department eq 'Even'"), None).await;
    assert_eq!(count.text().await.unwrap(), "4");
    let page =
        server.get(&format!("{members}/microsoft.graph.user?$count=true&$select=displayName&$top=2&$filter=department eq 'Even'")).await;
    assert_eq!((page["@odata.count"].as_u64(), page["value"][0].as_object().unwrap().len()), (Some(4), 2));
    let rest = server.get(page["@odata.nextLink"].as_str().unwrap_or_else(|| panic!("{page}"))).await;
    assert_eq!(ids(&server.get(&format!("{members}?$filter=department eq 'Even'")).await).len(), 4);
    assert_eq!((rest["value"].as_array().unwrap().len(), rest.get("@odata.nextLink")), (2, None));

    let (applied, page) = get_with(&server, &members, "odata.maxpagesize=5").await;
    assert_eq!((applied.as_deref(), ids(&page).len()), (Some("odata.maxpagesize=5"), 5));
    let (_, rest) = get_with(&server, page["@odata.nextLink"].as_str().unwrap(), "odata.maxpagesize=5").await;
    assert_eq!(ids(&rest).len(), 2);

    let one = server.get(&format!("{members}/{}?$select=displayName", users[6])).await;
    assert_eq!((one["displayName"].as_str(), one["@odata.type"].as_str()), (Some("User 006"), Some("#microsoft.graph.user")));
    assert_eq!(server.send(Method::GET, &format!("{members}/{pair}"), None).await.status(), 404);
    assert_eq!(server.send(Method::GET, &format!("{members}/{}?$top=1", users[6]), None).await.status(), 400);

    let parents =
        server.get(&format!("/v1.0/users/{}/memberOf?$filter=displayName eq 'Pair'&$expand=members($count=true)", users[1])).await;
    assert_eq!((ids(&parents), parents["value"][0]["members@odata.count"].as_u64()), (vec![pair.clone()], Some(2)));

    // An expansion that is cut has a link to the rest, which keeps its options.
    let path = format!(
        "/v1.0/groups?$filter=id eq '{everybody}'&$expand=members($orderby=displayName desc;$select=displayName;$filter=department ne 'x;y')"
    );
    let (_, page) = get_with(&server, &path, "odata.maxpagesize=3").await;
    let first = json!({ "value": page["value"][0]["members"] });
    let link = page["value"][0]["members@odata.nextLink"].as_str().unwrap_or_else(|| panic!("{page}"));
    let rest = server.get(link).await;
    assert_eq!(names(&first) + &names(&rest), "6543210");
    assert_eq!(rest["value"][0].as_object().unwrap().len(), 2);
    assert!(rest.get("@odata.nextLink").is_none());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_look_through_navigation_and_casts() {
    let server = Server::start().await;
    let options = json!({ "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": false });
    server.configure(&options).await;
    let base = "/beta/external/industryData";
    for (path, found) in [
        ("inboundFlows?$filter=dataConnector/displayName eq 'CSV'", 1),
        ("inboundFlows?$filter=dataConnector/displayName eq 'API'", 0),
        (
            "inboundFlows?$filter=dataConnector/microsoft.graph.industryData.azureDataLakeConnector/fileFormat/code eq 'schoolDataSyncV2Rev1'",
            1,
        ),
        ("inboundFlows?$filter=microsoft.graph.industryData.inboundFileFlow/dataDomain eq 'educationRostering'", 1),
        ("inboundFlows?$filter=isof(microsoft.graph.industryData.inboundApiFlow)", 0),
        ("inboundFlows?$filter=effectiveDateTime lt now() add duration'P9999D'&$orderby=year/displayName desc", 1),
        ("inboundFlows?$filter=effectiveDateTime eq 2026-08-01T02:00:00+02:00", 1),
        ("inboundFlows?$filter=readinessStatus has microsoft.graph.industryData.readinessStatus'disabled'", 0),
        (
            "outboundProvisioningFlowSets?$filter=provisioningFlows/any(f:isof(f,microsoft.graph.industryData.securityGroupProvisioningFlow))",
            1,
        ),
        (
            "outboundProvisioningFlowSets?$filter=provisioningFlows/all(f:f/microsoft.graph.industryData.securityGroupProvisioningFlow/creationOptions/createBasedOnRoleGroup eq false)",
            0,
        ),
        ("outboundProvisioningFlowSets?$filter=provisioningFlows/$count eq 1 and filter eq null", 1),
        ("outboundProvisioningFlowSets?$search=all NOT some", 1),
    ] {
        let page = server.get(&format!("{base}/{path}")).await;
        assert_eq!(ids(&page).len(), found, "{path}");
    }
    for (path, target) in [
        ("inboundFlows?$filter=dataConnector/sourceSystem/displayName eq 'x'", "$filter"),
        ("inboundFlows?$filter=effectiveDateTime gt '2026-08-01'", "$filter"),
        ("inboundFlows?$orderby=dataConnector", "$orderby"),
        ("inboundFlows?compute=x", "compute"),
        ("inboundFlows?$skiptoken=abc", "$skiptoken"),
        ("inboundFlows?$expand=dataConnector/$ref", "$expand"),
    ] {
        let answer = server.send(Method::GET, &format!("{base}/{path}"), None).await;
        assert_eq!(answer.status(), 400, "{path}");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"]["target"], target, "{path}");
    }
    // Looking through takes the permission that reading takes.
    let token = server.token_with(vec!["IndustryData-InboundFlow.Read.All".to_owned()]).await;
    let url = format!("{}{base}/inboundFlows?$filter=dataConnector/displayName eq 'CSV'", server.base);
    assert_eq!(server.http.get(url).bearer_auth(token).send().await.unwrap().status(), 403);
    let answer = server.send(Method::GET, "/v1.0/groups?$filter=members/$count gt 1", None).await;
    assert_eq!(answer.status(), 400);
    let everything = server.get(&format!("{base}/inboundFlows?$expand=*&$format=application/json;odata.metadata=none")).await;
    assert_eq!(everything["value"][0]["dataConnector"]["displayName"], "CSV");
    assert!(everything.get("@odata.context").is_none());
    server.stop().await;
}
