//! Every endpoint with every kind of caller: without a token, with one that is not to be taken, with
//! each permission of the product, and with a good token of another tenant.
//!
//! The table of permissions is written down here a second time, from the reference and not from the
//! code; an endpoint of `describe::endpoints` that it lacks fails [`the_table_has_every_endpoint`].

use crate::harness::Server;
use crate::issuers::{KEYS, Provider};
use crate::world::{Ids, fill, world};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::StatusCode;
use serde_json::{Value, json};
use server::config::Config;
use server::describe::endpoints::{Endpoint, Served, What, endpoints};
use std::collections::BTreeMap;

/// Permissions of which one is enough.
type AnyOf = &'static [&'static str];

const SOURCES_READ: AnyOf = &["IndustryData-SourceSystem.Read.All", "IndustryData-SourceSystem.ReadWrite.All"];
const SOURCES_WRITE: AnyOf = &["IndustryData-SourceSystem.ReadWrite.All"];
const CONNECTORS_READ: AnyOf = &["IndustryData-DataConnector.Read.All", "IndustryData-DataConnector.ReadWrite.All"];
const CONNECTORS_WRITE: AnyOf = &["IndustryData-DataConnector.ReadWrite.All"];
const UPLOAD: AnyOf = &["IndustryData-DataConnector.Upload", "IndustryData-DataConnector.ReadWrite.All"];
const YEARS_READ: AnyOf = &["IndustryData-TimePeriod.Read.All", "IndustryData-TimePeriod.ReadWrite.All"];
const YEARS_WRITE: AnyOf = &["IndustryData-TimePeriod.ReadWrite.All"];
const INBOUND_READ: AnyOf = &["IndustryData-InboundFlow.Read.All", "IndustryData-InboundFlow.ReadWrite.All"];
const INBOUND_WRITE: AnyOf = &["IndustryData-InboundFlow.ReadWrite.All"];
const OUTBOUND_READ: AnyOf = &["IndustryData-OutboundFlow.Read.All", "IndustryData-OutboundFlow.ReadWrite.All"];
const OUTBOUND_WRITE: AnyOf = &["IndustryData-OutboundFlow.ReadWrite.All"];
const RUNS_READ: AnyOf = &["IndustryData-Run.Read.All", "IndustryData-Run.Start"];
const RUNS_START: AnyOf = &["IndustryData-Run.Start"];
const BASIC: AnyOf = &["IndustryData.ReadBasic.All"];
const ROWS_LIST: AnyOf = &["IndustryData.ReadBasic.All", "IndustryData-ReferenceDefinition.ReadWrite.All"];
const ROWS_READ: AnyOf = &["IndustryData-ReferenceDefinition.Read.All", "IndustryData-ReferenceDefinition.ReadWrite.All"];
const ROWS_WRITE: AnyOf = &["IndustryData-ReferenceDefinition.ReadWrite.All"];
const USERS_READ: AnyOf = &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];
const USERS_WRITE: AnyOf = &["User.ReadWrite.All", "Directory.ReadWrite.All"];
const GROUPS_READ: AnyOf = &[
    "GroupMember.Read.All",
    "GroupMember.ReadWrite.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
];
const GROUPS_WRITE: AnyOf = &["Group.ReadWrite.All", "Directory.ReadWrite.All"];
const MEMBERS_WRITE: AnyOf = &["GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All"];

/// What is needed, one permission of each list, and for which endpoints: those of industryData by the
/// path below it, `{}` for keys.
const TABLE: &[(&[AnyOf], &[&str])] = &[
    (&[], &["GET "]),
    (&[SOURCES_READ], &["GET sourceSystems", "GET sourceSystems/$count", "GET sourceSystems/{}"]),
    (&[SOURCES_WRITE], &["POST sourceSystems", "PATCH sourceSystems/{}", "DELETE sourceSystems/{}"]),
    (&[CONNECTORS_READ], &["GET dataConnectors", "GET dataConnectors/$count", "GET dataConnectors/{}"]),
    (&[CONNECTORS_WRITE], &["POST dataConnectors", "PATCH dataConnectors/{}", "DELETE dataConnectors/{}"]),
    (&[CONNECTORS_READ, SOURCES_READ], &["GET dataConnectors/{}/sourceSystem", "GET dataConnectors/{}/sourceSystem/$ref"]),
    (
        &[UPLOAD],
        &["POST dataConnectors/{}/validate", "GET dataConnectors/{}/microsoft.graph.industryData.azureDataLakeConnector/getUploadSession"],
    ),
    (&[YEARS_READ], &["GET years", "GET years/$count", "GET years/{}"]),
    (&[YEARS_WRITE], &["POST years", "PATCH years/{}", "DELETE years/{}"]),
    (&[INBOUND_READ], &["GET inboundFlows", "GET inboundFlows/$count", "GET inboundFlows/{}"]),
    (&[INBOUND_WRITE], &["POST inboundFlows", "PATCH inboundFlows/{}", "DELETE inboundFlows/{}"]),
    (&[INBOUND_READ, CONNECTORS_READ], &["GET inboundFlows/{}/dataConnector", "GET inboundFlows/{}/dataConnector/$ref"]),
    (&[INBOUND_READ, UPLOAD], &["POST inboundFlows/{}/dataConnector/validate"]),
    (&[INBOUND_READ, YEARS_READ], &["GET inboundFlows/{}/year", "GET inboundFlows/{}/year/$ref"]),
    (
        &[OUTBOUND_READ],
        &[
            "GET outboundProvisioningFlowSets",
            "GET outboundProvisioningFlowSets/$count",
            "GET outboundProvisioningFlowSets/{}",
            "GET outboundProvisioningFlowSets/{}/provisioningFlows",
            "GET outboundProvisioningFlowSets/{}/provisioningFlows/$count",
            "GET outboundProvisioningFlowSets/{}/provisioningFlows/{}",
            "GET /securityGroupProvisioningFlow",
            "GET /securityGroupProvisioningFlow/{}",
        ],
    ),
    (
        &[OUTBOUND_WRITE],
        &[
            "POST outboundProvisioningFlowSets",
            "PATCH outboundProvisioningFlowSets/{}",
            "DELETE outboundProvisioningFlowSets/{}",
            "POST outboundProvisioningFlowSets/{}/provisioningFlows",
            "PATCH outboundProvisioningFlowSets/{}/provisioningFlows/{}",
            "DELETE outboundProvisioningFlowSets/{}/provisioningFlows/{}",
            "POST outboundProvisioningFlowSets/{}/provisioningFlows/{}/reset",
            "PATCH /securityGroupProvisioningFlow",
            "PATCH /securityGroupProvisioningFlow/{}",
        ],
    ),
    (&[ROWS_LIST], &["GET referenceDefinitions", "GET referenceDefinitions/$count"]),
    (&[BASIC], &["GET roleGroups", "GET roleGroups/$count", "GET operations", "GET operations/$count", "GET operations/{}"]),
    (&[ROWS_READ], &["GET referenceDefinitions/{}", "GET roleGroups/{}"]),
    (
        &[ROWS_WRITE],
        &[
            "POST referenceDefinitions",
            "PATCH referenceDefinitions/{}",
            "DELETE referenceDefinitions/{}",
            "POST roleGroups",
            "PATCH roleGroups/{}",
            "DELETE roleGroups/{}",
        ],
    ),
    (
        &[RUNS_READ],
        &[
            "GET runs",
            "GET runs/$count",
            "GET runs/{}",
            "GET runs/getStatistics",
            "GET runs/{}/getStatistics",
            "GET runs/{}/activities",
            "GET runs/{}/activities/$count",
            "GET runs/{}/activities/{}",
        ],
    ),
    (&[RUNS_READ, INBOUND_READ], &["GET runs/{}/activities/{}/activity", "GET runs/{}/activities/{}/activity/$ref"]),
    (&[RUNS_START], &["POST runs/start"]),
    (&[USERS_READ], &["GET /users", "GET /users/$count", "GET /users/{}"]),
    (&[USERS_WRITE], &["POST /users", "PATCH /users/{}", "DELETE /users/{}"]),
    (
        &[GROUPS_READ],
        &[
            "GET /users/{}/memberOf",
            "GET /users/{}/memberOf/$count",
            "GET /users/{}/memberOf/{}",
            "GET /groups",
            "GET /groups/$count",
            "GET /groups/{}",
            "GET /groups/{}/members",
            "GET /groups/{}/members/$count",
            "GET /groups/{}/members/{}",
            "GET /groups/{}/memberOf",
            "GET /groups/{}/memberOf/$count",
            "GET /groups/{}/memberOf/{}",
        ],
    ),
    (&[GROUPS_WRITE], &["POST /groups", "PATCH /groups/{}", "DELETE /groups/{}"]),
    (&[MEMBERS_WRITE], &["POST /groups/{}/members/$ref", "DELETE /groups/{}/members/{}/$ref"]),
];

/// An endpoint as the table names it. A cast asks for what its entity or collection asks for, and so does a property.
fn name(endpoint: &Endpoint) -> String {
    let own_row = endpoint.path.ends_with("/getUploadSession");
    let (path, _) = endpoint.path.split_once("/{property}").unwrap_or((&endpoint.path, ""));
    let segments = path.split('/').filter(|segment| own_row || !segment.starts_with("microsoft.graph."));
    let segments = segments.map(|segment| if segment.starts_with('{') { "{}" } else { segment });
    let path = segments.collect::<Vec<_>>().join("/");
    let path = match path.strip_prefix("external/industryData") {
        Some(below) => below.trim_start_matches('/').to_owned(),
        None => format!("/{path}"),
    };
    format!("{} {path}", endpoint.method)
}

/// What the table says of an endpoint.
fn needs(endpoint: &Endpoint) -> &'static [AnyOf] {
    row(&name(endpoint))
}

/// What the table says of reading what an endpoint is about.
fn reading(endpoint: &Endpoint) -> &'static [AnyOf] {
    let name = name(endpoint);
    row(&format!("GET {}", name.split_once(' ').unwrap().1))
}

/// Whether one permission of each list is held.
fn granted(needs: &[AnyOf], held: &[&str]) -> bool {
    needs.iter().all(|any| any.iter().any(|p| held.contains(p)))
}

fn row(name: &str) -> &'static [AnyOf] {
    TABLE.iter().find(|(_, names)| names.contains(&name)).unwrap_or_else(|| panic!("the table lacks '{name}'")).0
}

#[test]
fn the_table_has_every_endpoint() {
    let served: Vec<String> = endpoints().iter().map(name).collect();
    let listed: Vec<&str> = TABLE.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    for one in &served {
        assert_eq!(listed.iter().filter(|name| **name == one).count(), 1, "'{one}' has to stand in the table once");
    }
    for name in listed {
        assert!(served.iter().any(|one| one == name), "'{name}' of the table is not served");
    }
}

/// A request to an endpoint that has to be let in and changes nothing that later ones need.
fn harmless(server: &Server, endpoint: &Endpoint, version: &str, ids: &Ids) -> reqwest::RequestBuilder {
    let url = format!("{}/{version}/{}", server.base, fill(endpoint, ids));
    let request = server.http.request(endpoint.method.parse().unwrap(), url);
    match endpoint.what {
        What::Create | What::Update | What::ShortUpdate | What::AddLink => request.json(&json!({ "unknown": 1 })),
        What::Delete => request.header("if-match", "W/\"0\""),
        _ => request,
    }
}

fn versions(endpoint: &Endpoint) -> &'static [&'static str] {
    match endpoint.served {
        Served::Beta => &["beta"],
        Served::Both => &["beta", "v1.0"],
    }
}

/// Homeroom's own signing key and the claims of a good token, to make tokens that it would never issue.
pub struct OwnIssuer {
    kid: String,
    key: EncodingKey,
    pub claims: Value,
}

impl OwnIssuer {
    pub async fn of(server: &Server) -> Self {
        let ctx = server.app.system(server.tenant.id);
        let read = |tx: &mut store::Tx<'_>| {
            let row = tx.query_one("SELECT kid, private_pkcs8 FROM signing_key", &[])?.unwrap();
            Ok((row.text(0)?.to_owned(), row.blob(1)?.to_vec()))
        };
        let (kid, sealed) = server.app.store().read::<_, store::StoreError>(&ctx, read).await.unwrap();
        let key = server.app.store().secrets().open_sealed(&format!("signing_key/private_pkcs8/{kid}"), &sealed).unwrap();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(key));
        let payload = server.token().split('.').nth(1).unwrap();
        let claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        Self { kid, key: EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(), claims }
    }

    pub fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }

    /// A token of a person who acts through the client, with these permissions.
    fn delegated(&self, permissions: &[&str]) -> String {
        let mut claims = self.claims.clone();
        claims["scp"] = json!(permissions.join(" "));
        claims["sub"] = json!("ada@contoso.example");
        // The `roles` of the application stay in it and must count for nothing.
        self.sign(&claims)
    }
}

/// Values of `Authorization` that must not be taken, made by changing good claims.
fn refused(issuer: &str, good: &Value, now: i64, sign: &dyn Fn(&Value) -> String, kid: &str) -> Vec<(String, String)> {
    let with = |changes: &[(&str, Value)]| {
        let mut claims = good.clone();
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        sign(&claims)
    };
    let token = with(&[]);
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (_, payload) = head.split_once('.').unwrap();
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let tenant = good["tid"].as_str().unwrap();
    let nowhere = "00000000-0000-4000-8000-000000000008";
    let elsewhere = format!("https://elsewhere.example/{nowhere}/v2.0");
    let flipped: String = signature.chars().rev().collect();
    [
        ("expired", with(&[("exp", json!(now - 3_600)), ("nbf", json!(now - 7_200))])),
        ("not yet valid", with(&[("nbf", json!(now + 3_600)), ("exp", json!(now + 7_200))])),
        ("for another audience", with(&[("aud", json!("https://management.azure.com"))])),
        ("for no audience", with(&[("aud", Value::Null)])),
        ("of another issuer", with(&[("iss", json!(elsewhere))])),
        (
            "of a tenant that there is not",
            with(&[("tid", json!(nowhere)), ("iss", json!(good["iss"].as_str().unwrap().replace(tenant, nowhere)))]),
        ),
        ("signed by a stranger", KEYS[1].sign(kid, good)),
        ("with a wrong signature", format!("{head}.{flipped}")),
        ("without a signature", format!("{}.{payload}.", encode(json!({ "alg": "none", "typ": "JWT", "kid": kid })))),
        ("cut off", head.to_owned()),
    ]
    .into_iter()
    .map(|(what, token)| (format!("{issuer} {what}"), format!("Bearer {token}")))
    .collect()
}

/// What a caller got: let in, or refused for want of a permission. Anything else is a mistake.
fn let_in(status: StatusCode) -> Result<bool, StatusCode> {
    match status.as_u16() {
        403 => Ok(false),
        401 | 500.. => Err(status),
        _ => Ok(true),
    }
}

/// One permission of each list, in every way.
fn combinations(needs: &[AnyOf]) -> Vec<Vec<&'static str>> {
    let mut found = vec![Vec::new()];
    for any in needs {
        found = found.iter().flat_map(|before| any.iter().map(|one| [before.as_slice(), &[*one]].concat())).collect();
    }
    found
}

/// What a tenant has, as its owner sees it.
async fn state(server: &Server) -> Vec<Value> {
    let mut state = Vec::new();
    for endpoint in endpoints().iter().filter(|e| matches!(e.what, What::List) && !e.path.contains('{')) {
        // Runs and operations of the tenant itself go on meanwhile.
        if !["runs", "operations"].contains(&endpoint.collection) {
            state.push(server.get(&format!("/beta/{}?$top=999", endpoint.path)).await);
        }
    }
    state
}

/// A body that a caller with the permission could send to this endpoint.
fn proper_body(endpoint: &Endpoint, ids: &Ids) -> Option<Value> {
    let options = json!({ "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": true });
    match endpoint.what {
        What::Create if endpoint.path.contains('{') => {
            Some(json!({ "@odata.type": "#microsoft.graph.industryData.securityGroupProvisioningFlow", "creationOptions": options }))
        }
        What::ShortUpdate => Some(json!({ "creationOptions": options })),
        What::Update if endpoint.collection == "provisioningFlows" => Some(json!({ "creationOptions": options })),
        What::Update => Some(json!({ "displayName": "stolen" })),
        What::AddLink => Some(json!({ "@odata.id": format!("https://graph.microsoft.com/beta/users/{}", ids["user-id"]) })),
        _ => None,
    }
}

/// A good token with every permission, but of another tenant, is answered about the things of the first
/// one as about things that never were: the same status, the same words.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_tenant_sees_nothing() {
    let server = Server::start().await;
    let ids = world(&server).await;
    let never: Ids = ids.keys().map(|name| (*name, uuid::Uuid::new_v4().to_string())).collect();
    let other = server.app.create_tenant("Fabrikam School District", None, Some("fabrikam.example")).await.unwrap();
    let token = server.token_of(other.id, server::all_permissions()).await;
    let before = state(&server).await;
    let mut wrong = Vec::new();
    for endpoint in endpoints() {
        for version in versions(&endpoint) {
            let mut answers = Vec::new();
            for ids in [&ids, &never] {
                let mut request =
                    server.http.request(endpoint.method.parse().unwrap(), format!("{}/{version}/{}", server.base, fill(&endpoint, ids)));
                if let Some(body) = proper_body(&endpoint, ids) {
                    request = request.json(&body);
                } else if matches!(endpoint.what, What::Create) {
                    request = request.json(&json!({ "unknown": 1 }));
                }
                let answer = request.bearer_auth(&token).send().await.unwrap();
                let status = answer.status();
                let mut text = answer.text().await.unwrap();
                let error = serde_json::from_str::<Value>(&text).ok().map(|body| body["error"]["message"].clone());
                if let Some(Value::String(message)) = error {
                    text = message;
                }
                for id in ids.values() {
                    text = text.replace(id.as_str(), "{id}");
                }
                answers.push((status.as_u16(), text));
            }
            let by_key = endpoint.path.contains('{') || endpoint.path.contains("securityGroupProvisioningFlow");
            let expected: &[u16] = match endpoint.what {
                _ if by_key => &[404],
                What::Create => &[400],
                What::Call(op) if op.action => &[202],
                // A run of the caller's own tenant, once it has been started.
                What::Call(_) => &[200, 404],
                _ => &[200],
            };
            // By a key nothing tells the one from the other; what needs no key shows nothing of the first tenant.
            let nothing_shown = if by_key { answers[0] == answers[1] } else { !answers[0].1.contains("{id}") };
            if !expected.contains(&answers[0].0) || !nothing_shown {
                wrong.push(format!("{} on {version}: {answers:?}", name(&endpoint)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(state(&server).await, before);
    server.stop().await;
}

mod thorough {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn every_endpoint_takes_exactly_the_permissions_of_the_table() {
        let server = Server::start().await;
        let (ids, own) = (world(&server).await, OwnIssuer::of(&server).await);
        let all: Vec<String> = server::all_permissions();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let mut issued = BTreeMap::new();
        let mut wrong = Vec::new();
        for endpoint in endpoints() {
            let needs = needs(&endpoint);
            let unknown = needs.iter().flat_map(|any| any.iter()).find(|p| !all.contains(p));
            assert_eq!(unknown, None, "{} names a permission that there is not", name(&endpoint));
            // Nothing, all but those of a list, one of each list, and every permission alone.
            let mut sets = vec![Vec::new()];
            sets.extend(needs.iter().map(|any| all.iter().copied().filter(|p| !any.contains(p)).collect()));
            sets.extend(combinations(needs));
            let decisive = sets.len();
            sets.extend(all.iter().map(|one| vec![*one]));
            for (i, permissions) in sets.into_iter().enumerate() {
                let expected = granted(needs, &permissions);
                if !issued.contains_key(&permissions) {
                    let names = permissions.iter().map(|p| (*p).to_owned()).collect();
                    issued.insert(permissions.clone(), [server.token_with(names).await, own.delegated(&permissions)]);
                }
                // The two kinds differ in how they carry permissions, which the decisive sets show.
                let kinds = if i < decisive { 2 } else { 1 };
                for (kind, token) in ["application", "delegated"].iter().zip(&issued[&permissions]).take(kinds) {
                    let answer = harmless(&server, &endpoint, "beta", &ids).bearer_auth(token).send().await.unwrap();
                    // An entity that is not of the type of a cast is not there: for whoever may read it, or may upload and so
                    // may ask for its type. Everybody else is refused.
                    let not_there = endpoint.cast.is_some()
                        && answer.status() == StatusCode::NOT_FOUND
                        && (granted(reading(&endpoint), &permissions) || permissions.contains(&UPLOAD[0]));
                    if let_in(answer.status()) != Ok(expected) && !not_there {
                        let status = answer.status();
                        wrong.push(format!(
                            "{}, {kind}, {}: {status} {}",
                            name(&endpoint),
                            permissions.join(" "),
                            answer.text().await.unwrap()
                        ));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        server.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_endpoint_takes_a_bad_token() {
        let provider = Provider::start(vec![KEYS[0].published("k")]).await;
        let server = Server::with(Config { issuers: vec![provider.settings()], ..Config::default() }).await;
        let (ids, own) = (world(&server).await, OwnIssuer::of(&server).await);
        let now = server.app.now().as_second();
        let mut callers = vec![
            ("nobody".to_owned(), String::new()),
            ("a scheme without a token".to_owned(), "Bearer".to_owned()),
            ("another scheme".to_owned(), format!("Basic {}", server.token())),
        ];
        callers.extend(refused("Homeroom's own,", &own.claims, now, &|claims| own.sign(claims), &own.kid));
        callers.extend(refused("another issuer's,", &provider.claims(&server), now, &|claims| KEYS[0].sign("k", claims), "k"));
        // What the bad ones are made of is good.
        for good in [own.sign(&own.claims), KEYS[0].sign("k", &provider.claims(&server))] {
            let answer =
                server.http.get(format!("{}/beta/external/industryData/sourceSystems", server.base)).bearer_auth(good).send().await;
            assert_eq!(answer.unwrap().status(), 200);
        }
        let mut wrong = Vec::new();
        for endpoint in endpoints() {
            for version in versions(&endpoint) {
                for (caller, authorization) in &callers {
                    let mut request = harmless(&server, &endpoint, version, &ids);
                    if !authorization.is_empty() {
                        request = request.header("authorization", authorization);
                    }
                    let answer = request.send().await.unwrap();
                    let challenged = answer.headers().get("www-authenticate").is_some_and(|v| v.to_str().unwrap().starts_with("Bearer "));
                    let status = answer.status();
                    let body: Value = answer.json().await.unwrap();
                    if status != StatusCode::UNAUTHORIZED || body["error"]["code"] != "InvalidAuthenticationToken" || !challenged {
                        wrong.push(format!("{} on {version}, {caller}: {status} {body}", name(&endpoint)));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        server.stop().await;
    }
}
