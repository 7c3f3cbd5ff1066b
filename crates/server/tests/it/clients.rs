//! What Microsoft's clients need of the server and no other test looks at; `docs/compatibility.md` lists all of it.

use crate::harness::{Server, expect, id, year};
use crate::world::{fill, world};
use reqwest::{Method, redirect};
use serde_json::{Value, json};
use server::describe::endpoints::endpoints;
use std::path::PathBuf;

const ROOT: &str = "/beta/external/industryData";

/// Without a media type the Python SDK gives back None without a word, with a byte order mark it raises; an error
/// that is no JSON has no code; a redirect loses the token or the body.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_json_by_its_media_type_and_no_redirect() {
    let server = Server::start().await;
    let ids = world(&server).await;
    let http = reqwest::Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
    for endpoint in endpoints() {
        let path = format!("/beta/{}", fill(&endpoint, &ids));
        for (method, path) in [(endpoint.method, path.clone()), ("GET", format!("{path}/")), ("GET", format!("{path}/nothing"))] {
            let mut request = http.request(method.parse().unwrap(), format!("{}{path}", server.base)).bearer_auth(server.token());
            if method == "DELETE" {
                request = request.header("if-match", "\"0\"");
            }
            let answer = request.send().await.unwrap();
            let (status, headers) = (answer.status(), answer.headers().clone());
            let body = answer.bytes().await.unwrap();
            assert!(!status.is_redirection() && status.as_u16() < 500, "{method} {path}: {status}");
            assert!(headers.contains_key("request-id") && headers.contains_key("client-request-id"), "{method} {path}");
            assert_eq!(headers["odata-version"], "4.0", "{method} {path}");
            let media = headers.get("content-type").map(|value| value.to_str().unwrap());
            match media {
                None => assert!(body.is_empty(), "{method} {path}: a body without a media type"),
                // A value is text as it is.
                Some("text/plain") if path.contains("/$value") => {}
                Some("text/plain") => {
                    assert!(path.contains("$count") && body.iter().all(u8::is_ascii_digit), "{method} {path}: {body:?}");
                }
                Some(media) => {
                    assert!(media.starts_with("application/json"), "{method} {path}: {media}");
                    assert!(body.starts_with(b"{") && serde_json::from_slice::<Value>(&body).is_ok(), "{method} {path}: {body:?}");
                }
            }
        }
    }
    server.stop().await;
}

/// Makes one of everything that has subtypes. Gives the URL of each with the value that must say its type.
async fn typed(server: &Server) -> Vec<(String, &'static str, &'static str)> {
    let options = json!({ "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": false });
    let (connector, set, flow) = server.configure(&options).await;
    let source = server.get(&format!("{ROOT}/dataConnectors/{connector}/sourceSystem")).await;
    let roster = json!({
        "@odata.type": "#microsoft.graph.industryData.oneRosterApiDataConnector", "displayName": "API", "apiFormat": "oneRoster",
        "baseUrl": "https://sis.example", "apiVersion": "1.1", "isDemographicsEnabled": false, "isFlagsEnabled": false, "isContactsEnabled": false,
        "sourceSystem@odata.bind": format!("sourceSystems/{}", id(&source)),
        "credential": { "@odata.type": "microsoft.graph.industryData.oAuth2ClientCredential", "displayName": "c", "clientId": "i", "clientSecret": "s",
                        "tokenUrl": "https://sis.example/token", "scope": null },
    });
    let roster = server.create("dataConnectors", &roster).await;
    let filtered = json!({ "displayName": "F", "filter": { "@odata.type": "#microsoft.graph.industryData.basicFilter", "attribute": "orgExternalId", "in": ["1"] } });
    let filtered = server.create("outboundProvisioningFlowSets", &filtered).await;
    let user = json!({ "@odata.type": "#microsoft.graph.industryData.userProvisioningFlow", "createUnmatchedUsers": false,
        "managementOptions": { "additionalOptions": {} },
        "creationOptions": { "configurations": [{ "roleGroup@odata.bind": "roleGroups/students", "defaultPasswordSettings": {
            "@odata.type": "#microsoft.graph.industryData.simplePasswordSettings", "password": "ThisIsAPassword123!" } }] } });
    let user = server.create(&format!("outboundProvisioningFlowSets/{set}/provisioningFlows"), &user).await;
    let inbound = server.get(&format!("{ROOT}/inboundFlows")).await;
    let operation = server.upload(&connector, &[]).await;
    let run = server.run().await;
    let activity = server.get(&format!("{ROOT}/runs/{}/activities", id(&run))).await;
    let flows = format!("outboundProvisioningFlowSets/{set}/provisioningFlows");
    vec![
        (format!("dataConnectors/{connector}"), "", "azureDataLakeConnector"),
        (format!("dataConnectors/{}", id(&roster)), "", "oneRosterApiDataConnector"),
        (format!("dataConnectors/{}", id(&roster)), "/credential", "oAuth2ClientCredential"),
        (format!("inboundFlows/{}", id(&inbound["value"][0])), "", "inboundFileFlow"),
        (format!("outboundProvisioningFlowSets/{}", id(&filtered)), "/filter", "basicFilter"),
        (format!("{flows}/{flow}"), "", "securityGroupProvisioningFlow"),
        (format!("{flows}/{}", id(&user)), "", "userProvisioningFlow"),
        (format!("{flows}/{}", id(&user)), "/creationOptions/configurations/0/defaultPasswordSettings", "simplePasswordSettings"),
        (format!("operations/{}", id(&operation)), "", "fileValidateOperation"),
        (format!("runs/{}/activities/{}", id(&run), id(&activity["value"][0])), "", "inboundFlowActivity"),
    ]
}

/// Without it Python silently builds the base class. JavaScript compares it exactly, with its `#`.
#[tokio::test(flavor = "multi_thread")]
async fn subtypes_say_which_they_are_under_select_expand_and_in_lists() {
    let server = Server::start().await;
    for (path, pointer, ty) in typed(&server).await {
        let expected = json!(format!("#microsoft.graph.industryData.{ty}"));
        let is_typed = |value: &Value, how: &str| {
            let found = value.pointer(&format!("{pointer}/@odata.type"));
            assert_eq!(found, Some(&expected), "{path} {pointer}, {how}: {value}");
        };
        is_typed(&server.get(&format!("{ROOT}/{path}")).await, "whole");
        // A property of a subtype is selected by way of its type.
        let property = match pointer.split('/').nth(1) {
            Some("credential") => "microsoft.graph.industryData.oneRosterApiDataConnector/credential",
            Some("creationOptions") => "microsoft.graph.industryData.userProvisioningFlow/creationOptions",
            other => other.unwrap_or("id"),
        };
        is_typed(&server.get(&format!("{ROOT}/{path}?$select={property}")).await, "$select");
        let (collection, key) = path.rsplit_once('/').unwrap();
        let list = server.get(&format!("{ROOT}/{collection}?$select=id,{property}&$top=999")).await;
        is_typed(list["value"].as_array().unwrap().iter().find(|item| item["id"] == key).unwrap(), "in the list");
    }
    let sets = server.get(&format!("{ROOT}/outboundProvisioningFlowSets?$expand=provisioningFlows($select=id)")).await;
    let flows = sets["value"].as_array().unwrap().iter().flat_map(|set| set["provisioningFlows"].as_array().unwrap());
    assert!(flows.map(|flow| assert!(flow["@odata.type"].is_string(), "{flow}")).count() > 1);
    let flows = server.get(&format!("{ROOT}/inboundFlows?$expand=dataConnector($select=displayName)")).await;
    assert_eq!(flows["value"][0]["dataConnector"]["@odata.type"], "#microsoft.graph.industryData.azureDataLakeConnector");
    server.stop().await;
}

/// Faults of the SDKs that are answered with what is wrong, not taken for something else.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_sdks_get_wrong_is_refused_by_name() {
    let server = Server::start().await;
    let set = server.create("outboundProvisioningFlowSets", &json!({ "displayName": "All" })).await;
    let set = format!("{ROOT}/outboundProvisioningFlowSets/{}", id(&set));
    let flows = format!("{set}/provisioningFlows");
    let sources = format!("{ROOT}/sourceSystems");
    for (method, path, body, target) in [
        // Python writes a property that was set back to None under its Python name.
        (Method::PATCH, &set, json!({ "display_name": null }), "display_name"),
        (Method::PATCH, &set, json!({ "displayName": null }), "displayName"),
        // JavaScript's preview serializers drop the fields of a nested subtype.
        (Method::PATCH, &set, json!({ "filter": { "@odata.type": "#microsoft.graph.industryData.basicFilter" } }), "filter.attribute"),
        // A naive user sets the navigation object.
        (
            Method::POST,
            &format!("{ROOT}/inboundFlows"),
            json!({ "@odata.type": "#microsoft.graph.industryData.inboundFileFlow", "year": { "id": "x" } }),
            "year",
        ),
        (Method::POST, &flows, json!({ "creationOptions": {} }), "@odata.type"),
        (
            Method::POST,
            &sources,
            json!({ "displayName": "S", "userMatchingSettings": [{ "priorityOrder": "0" }] }),
            "userMatchingSettings[0].priorityOrder",
        ),
    ] {
        let answer = server.send(method, path, Some(&body)).await;
        let error = expect(answer, 400, path).await;
        assert_eq!(error["error"]["target"], target, "{body}: {error}");
    }
    server.stop().await;
}

/// Codes and complex values as the SDKs and the reference write them.
#[tokio::test(flavor = "multi_thread")]
async fn complex_values_may_say_their_type_with_and_without_a_hash() {
    let server = Server::start().await;
    for ty in ["#microsoft.graph.industryData.yearReferenceValue", "microsoft.graph.industryData.yearReferenceValue"] {
        let mut body = year();
        body["year"]["@odata.type"] = json!(ty);
        body["@odata.context"] = json!("https://graph.microsoft.com/beta/$metadata#external/industryData/years/$entity");
        body["id"] = json!("of a model that was fetched");
        let made = server.create("years", &body).await;
        assert_eq!(made["year"]["code"], "2027");
        assert!(made["startDate"] == "2026-08-01", "a date without a time, or Python raises");
    }
    server.stop().await;
}

/// The headers that users give to support, and those that the classic client sends.
#[tokio::test(flavor = "multi_thread")]
async fn requests_are_named_in_headers_and_errors() {
    let server = Server::start().await;
    let url = format!("{}{ROOT}/years/never", server.base);
    for given in [Some("5b6d8ef0-0000-4000-8000-00000000000a"), None] {
        let mut request = server.http.get(&url).bearer_auth(server.token());
        if let Some(given) = given {
            request = request.header("client-request-id", given);
        }
        let answer = request.send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let (ours, theirs) = (header("request-id"), header("client-request-id"));
        let error: Value = answer.json().await.unwrap();
        let inner = &error["error"]["innerError"];
        assert_eq!((&inner["request-id"], &inner["client-request-id"]), (&json!(ours), &json!(theirs)));
        assert_eq!(theirs, given.unwrap_or(&ours));
        let date = inner["date"].as_str().unwrap();
        assert!(date.len() == 19 && !date.ends_with('Z'), "{date} has no zone");
    }
    server.stop().await;
}

/// Clients follow the link as it is and add nothing; JavaScript reads it as a URI template.
#[tokio::test(flavor = "multi_thread")]
async fn links_to_the_next_page_are_absolute_complete_and_no_template() {
    let server = Server::start().await;
    for _ in 0..3 {
        let mut body = year();
        body["displayName"] = json!("a {b} +&#é'");
        server.create("years", &body).await;
    }
    let filter = "displayName%20eq%20%27a%20%7Bb%7D%20%2B%26%23%C3%A9%27%27%27";
    let first =
        server.get(&format!("{ROOT}/years?$filter={filter}&$orderby=startDate%20desc&$select=id,displayName&$count=true&$top=1")).await;
    assert_eq!(first["@odata.count"], 3);
    // `$top` is a number of entities, so a page of one has no next one; the size of pages is a preference.
    let mut next =
        Some(format!("{}{ROOT}/years?$filter={filter}&$orderby=startDate%20desc&$select=id,displayName&$count=true", server.base));
    let mut seen = Vec::new();
    while let Some(link) = next {
        let page = server.http.get(&link).bearer_auth(server.token()).header("prefer", "odata.maxpagesize=1").send().await.unwrap();
        let page = expect(page, 200, &link).await;
        assert_eq!(page["@odata.count"], 3);
        seen.extend(page["value"].as_array().unwrap().clone());
        next = page["@odata.nextLink"].as_str().map(str::to_owned);
        if let Some(link) = &next {
            assert!(link.starts_with(&format!("{}{ROOT}/years?", server.base)), "{link}");
            assert!(!link.contains(['{', '}', ' ', '"']), "{link}");
        }
    }
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|item| item.as_object().unwrap().len() == 2), "$select goes along: {seen:?}");
    server.stop().await;
}

/// azure-identity and MSAL, sync and aio, and @azure/identity: the calls that they make, with all that they add.
#[tokio::test(flavor = "multi_thread")]
async fn token_requests_of_every_library() {
    let server = Server::start().await;
    let client = server.app.create_client(server.tenant.id, "sdk", vec!["IndustryData.ReadBasic.All".to_owned()]).await.unwrap();
    // The tenant by its domain, too.
    for tenant in [server.tenant.id.to_string(), "contoso.example".to_owned()] {
        for path in ["v2.0/.well-known/openid-configuration", ".well-known/openid-configuration"] {
            let found: Value = server.http.get(format!("{}/{tenant}/{path}", server.base)).send().await.unwrap().json().await.unwrap();
            for field in ["authorization_endpoint", "token_endpoint", "issuer", "jwks_uri"] {
                assert!(found[field].as_str().unwrap().starts_with(&format!("{}/{}/", server.base, server.tenant.id)), "{field}: {found}");
            }
            let keys: Value = server.http.get(found["jwks_uri"].as_str().unwrap()).send().await.unwrap().json().await.unwrap();
            assert!(!keys["keys"].as_array().unwrap().is_empty());
        }
    }
    let asks = percent_encoded(&format!("{}/contoso.example/oauth2/v2.0/authorize", server.base));
    let instance = server.http.get(format!("{}/common/discovery/instance?api-version=1.1&authorization_endpoint={asks}", server.base));
    let instance: Value = instance.send().await.unwrap().json().await.unwrap();
    let discovered: Value =
        server.http.get(instance["tenant_discovery_endpoint"].as_str().unwrap()).send().await.unwrap().json().await.unwrap();
    let endpoint = discovered["token_endpoint"].as_str().unwrap();

    let form = [
        ("client_id", client.client_id.as_str()),
        ("client_secret", client.client_secret.as_str()),
        ("grant_type", "client_credentials"),
        ("client_info", "1"),
        ("claims", r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#),
        ("x-client-SKU", "msal.js.node"),
        ("x-client-VER", "3.8.1"),
        ("x-client-OS", "linux"),
        ("x-client-current-telemetry", "5|771,2,,,|,"),
        ("x-client-last-telemetry", "5|0|||0,0"),
        ("x-ms-lib-capability", "retry-after, h429"),
    ];
    for scope in [
        "https://graph.microsoft.com/.default",
        "http://127.0.0.1/.default",
        "https://localhost/.default",
        "https://localhost:8443/.default",
    ] {
        let fields = form.into_iter().chain([("scope", scope)]);
        let body = fields.map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect::<Vec<_>>().join("&");
        let request = server.http.post(format!("{endpoint}?client-request-id=5b6d8ef0-0000-4000-8000-00000000000a"));
        let request =
            request.header("content-type", "application/x-www-form-urlencoded;charset=utf-8").header("x-client-sku", "MSAL.Python");
        let answer: Value = request.body(body).send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["token_type"], "Bearer", "{scope}: {answer}");
        // With less than 300 s of life MSAL does not use it a second time.
        assert!(answer["expires_in"].as_u64().unwrap() > 300 && answer["access_token"].is_string(), "{scope}");
    }
    let refused = server.http.post(endpoint).body("grant_type=client_credentials&client_id=x&client_secret=y").send().await.unwrap();
    assert!([400, 401].contains(&refused.status().as_u16()), "with 500 the user learns \"HTTP Error: 500\"");
    let refused: Value = refused.json().await.unwrap();
    for field in ["error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id"] {
        assert!(!refused[field].is_null(), "{field}: {refused}");
    }
    server.stop().await;
}

fn percent_encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// URLs that the SDKs, the reference and Power Automate write for one and the same thing.
#[tokio::test(flavor = "multi_thread")]
async fn every_spelling_of_an_url_leads_to_the_same_place() {
    let server = Server::start().await;
    let (connector, set, flow) = server.configure(&json!({ "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": false })).await;
    server.run().await;
    let cast = format!("dataConnectors/{connector}/microsoft.graph.industryData.azureDataLakeConnector");
    let namespace = "microsoft.graph.industryData.";
    let same: &[&[String]] = &[
        &[
            format!("{cast}/getUploadSession"),
            format!("{cast}/GetUploadSession"),
            format!("{cast}/getUploadSession()"),
            format!("{cast}/{namespace}getUploadSession()"),
            format!("{cast}/{namespace}getUploadSession"),
            format!("DataConnectors('{connector}')/{namespace}AzureDataLakeConnector/GETUPLOADSESSION()"),
            format!("{cast}/getUploadSession?resetSession=false"),
            format!("{cast}/getUploadSession(resetSession=false)"),
        ],
        &[
            "runs/getStatistics".to_owned(),
            "runs/getStatistics()".to_owned(),
            format!("runs/{namespace}getStatistics()"),
            format!("Runs/{namespace}getStatistics"),
        ],
        &[
            format!("outboundProvisioningFlowSets/{set}/provisioningFlows/{flow}"),
            format!("OutboundProvisioningFlowSets('{set}')/ProvisioningFlows('{flow}')"),
            format!("outboundProvisioningFlowSets(%27{set}%27)/provisioningFlows/{flow}"),
        ],
        &["roleGroups/staff".to_owned(), "roleGroups('staff')".to_owned(), "rolegroups/staff".to_owned()],
        &["years?$top=1&$count=true".to_owned(), "years?top=1&count=true".to_owned(), "years?%24top=1&%24count=true".to_owned()],
    ];
    for spellings in same {
        let mut first: Option<Value> = None;
        for spelling in *spellings {
            let mut answer = server.get(&format!("{ROOT}/{spelling}")).await;
            // A link repeats how it was asked for, and a signature is made anew each time.
            for own in ["@odata.context", "@odata.nextLink", "sessionUrl", "expirationDateTime"] {
                answer.as_object_mut().unwrap().remove(own);
            }
            assert_eq!(first.get_or_insert_with(|| answer.clone()), &answer, "{spelling}");
        }
    }
    // Actions: posted without a body and without a media type, with `{}`, and in all four forms.
    for action in ["validate", "validate()", "microsoft.graph.industryData.validate", "microsoft.graph.industryData.validate()"] {
        for body in [None, Some(json!({}))] {
            let path = format!("{ROOT}/dataConnectors/{connector}/{action}");
            let answer = server.send(Method::POST, &path, body.as_ref()).await;
            assert_eq!(answer.status(), 202, "{action} with {body:?}");
            assert!(answer.headers()["location"].to_str().unwrap().starts_with(&format!("{}{ROOT}/operations/", server.base)));
        }
    }
    server.stop().await;
}

/// Every test and check that `docs/compatibility.md` names is there.
#[test]
fn the_page_of_compatibility_names_tests_that_there_are() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/compatibility.md")).unwrap();
    let mut named = 0;
    let rows =
        page.lines().enumerate().filter(|(_, line)| line.starts_with("| ") && !line.starts_with("| ---") && !line.ends_with("shown by |"));
    for (number, line) in rows {
        let (_, tests) = line.trim_end_matches(" |").rsplit_once(" | ").unwrap();
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "line {}: no test is named: {line}", number + 1);
        for name in names {
            named += 1;
            let (file, test) =
                name.split_once(' ').unwrap_or_else(|| panic!("line {}: '{name}' is a file, a blank and a test", number + 1));
            let folder = match file {
                _ if file.contains('/') => "",
                _ if std::path::Path::new(file).extension().is_some_and(|end| end == "http") => "crates/server/tests/it/transcripts",
                _ => "crates/server/tests/it",
            };
            let text = std::fs::read_to_string(root.join(folder).join(file))
                .unwrap_or_else(|error| panic!("line {}: {file}: {error}", number + 1));
            let there = [format!("fn {test}("), format!("### {test}\n"), format!("\"{test}\""), format!("`{test}`")];
            assert!(there.iter().any(|form| text.contains(form)), "line {}: {file} has no '{test}'", number + 1);
        }
    }
    assert!(named > 100, "{named}");
}
