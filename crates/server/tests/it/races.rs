//! Many clients at once, on two servers of one installation: no update is lost, no rule is broken and no
//! reader sees anything twice or not at all; on SQLite and on PostgreSQL.

use crate::harness::{Server, expect, id, source_system, year};
use crate::runs::Database;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::config::Config;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// Clients at once.
const CLIENTS: usize = 200;
const ROOT: &str = "/beta/external/industryData";

/// Both servers of the installation.
type Pair = Arc<[Server; 2]>;

/// Runs one client after the other, all at once, each at one of the servers.
async fn clients<F: Future<Output = T> + Send + 'static, T: Send + 'static>(
    servers: &Pair,
    number: usize,
    client: impl Fn(Pair, usize) -> F,
) -> Vec<T> {
    let mut set = JoinSet::new();
    for i in 0..number {
        let work = client(servers.clone(), i);
        set.spawn(work);
    }
    set.join_all().await
}

async fn post(server: &Server, path: &str, body: &Value) -> (u16, Value) {
    let answer = server.send(Method::POST, &format!("{ROOT}/{path}"), Some(body)).await;
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

async fn delete(server: &Server, path: &str) -> u16 {
    server.send(Method::DELETE, &format!("{ROOT}/{path}"), None).await.status().as_u16()
}

/// Time to wait before the next try: twice as much each time, and different for each client, or they would
/// step on each other's feet all over again.
fn pause(client: usize, attempt: u32) -> Duration {
    let most = 20_u64 << attempt.min(8);
    Duration::from_millis((client as u64 * 7_919 + u64::from(attempt) * 104_729) % most)
}

/// Every client adds one to one of a few numbers, with `If-Match` and as many tries as it takes. A single number
/// would take the square of 200 tries on a slow machine.
async fn no_update_is_lost(servers: &Pair) {
    const NUMBERS: usize = 8;
    let mut paths = Vec::new();
    for _ in 0..NUMBERS {
        let set = servers[0].create("outboundProvisioningFlowSets", &json!({ "displayName": "0" })).await;
        paths.push(format!("{ROOT}/outboundProvisioningFlowSets/{}", id(&set)));
    }
    let at = paths.clone();
    clients(servers, CLIENTS, move |servers, client| {
        let path = at[client / 2 % NUMBERS].clone();
        async move {
            let server = &servers[client % 2];
            for attempt in 0.. {
                let read = server.send(Method::GET, &path, None).await;
                let etag = read.headers()["etag"].to_str().unwrap().to_owned();
                let seen: Value = read.json().await.unwrap();
                let next = seen["displayName"].as_str().unwrap().parse::<usize>().unwrap() + 1;
                let request = server.http.patch(format!("{}{path}", server.base)).bearer_auth(server.token()).header("if-match", etag);
                match request.json(&json!({ "displayName": next.to_string() })).send().await.unwrap().status() {
                    StatusCode::NO_CONTENT => return,
                    StatusCode::PRECONDITION_FAILED => tokio::time::sleep(pause(client, attempt)).await,
                    other => panic!("{other}"),
                }
            }
        }
    })
    .await;
    let mut sum = 0;
    for path in paths {
        sum += servers[0].get(&path).await["displayName"].as_str().unwrap().parse::<usize>().unwrap();
    }
    assert_eq!(sum, CLIENTS);
}

fn flow(kind: usize) -> Value {
    let ty = |name: &str| format!("#microsoft.graph.industryData.{name}ProvisioningFlow");
    match kind {
        0 => {
            json!({ "@odata.type": ty("securityGroup"), "creationOptions": { "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": true } })
        }
        1 => {
            json!({ "@odata.type": ty("administrativeUnit"), "creationOptions": { "createBasedOnOrg": true, "createBasedOnOrgPlusRoleGroup": false } })
        }
        2 => {
            json!({ "@odata.type": ty("user"), "createUnmatchedUsers": false, "managementOptions": { "additionalOptions": {} }, "creationOptions": { "configurations": [] } })
        }
        _ => {
            json!({ "@odata.type": ty("classGroup"), "configuration": { "additionalOptions": { "createTeam": false, "writeDisplayNameOnCreateOnly": true },
                "enrollmentMappings": { "memberEnrollmentMappings": [{ "code": "student" }], "ownerEnrollmentMappings": [{ "code": "teacher" }] } } })
        }
    }
}

/// All clients want flows in one set, which holds one of each kind (decision 7).
async fn a_set_has_one_flow_of_a_kind(servers: &Pair) {
    let set = servers[0].create("outboundProvisioningFlowSets", &json!({ "displayName": "x" })).await;
    let path = format!("outboundProvisioningFlowSets/{}/provisioningFlows", id(&set));
    let at = path.clone();
    let statuses = clients(servers, CLIENTS, move |servers, client| {
        let path = at.clone();
        async move { post(&servers[client % 2], &path, &flow(client / 2 % 4)).await.0 }
    })
    .await;
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    let made = servers[0].get(&format!("{ROOT}/{path}")).await;
    let kinds: Vec<&str> = made["value"].as_array().unwrap().iter().map(|flow| flow["@odata.type"].as_str().unwrap()).collect();
    assert_eq!((kinds.len(), kinds.iter().collect::<BTreeSet<_>>().len()), (4, 4), "{kinds:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 4);
}

/// Ten codes and ten places in the list for all clients: each is given once.
async fn codes_and_places_are_unique(servers: &Pair) {
    let statuses = clients(servers, CLIENTS, |servers, client| async move {
        let (code, place) = (client % 10, client / 10 % 10);
        let row = json!({ "referenceType": "RefGradeLevel", "code": format!("own{code}"), "displayName": "E", "isDisabled": false,
                          "sortIndex": 99_000 + place });
        post(&servers[client % 2], "referenceDefinitions", &row).await.0
    })
    .await;
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    let rows = servers[1].get(&format!("{ROOT}/referenceDefinitions?$filter=sortIndex ge 99000&$top=999")).await;
    let of = |name: &str| rows["value"].as_array().unwrap().iter().map(|row| row[name].to_string()).collect::<BTreeSet<_>>();
    let number = statuses.iter().filter(|status| **status == 201).count();
    assert_eq!((of("code").len(), of("sortIndex").len()), (number, number), "{rows}");
    assert!(number > 0);
}

/// One client deletes a year, or the set, at the moment at which another one makes a flow that needs it: one of
/// them is refused, and no flow is left without what it is bound to.
async fn what_is_in_use_stays(servers: &Pair) {
    let (connector, _) = servers[0].configure_inbound().await;
    let mut needed = Vec::new();
    for i in 0..CLIENTS / 2 {
        needed.push(if i % 2 == 0 {
            format!("years/{}", id(&servers[0].create("years", &year()).await))
        } else {
            format!(
                "outboundProvisioningFlowSets/{}",
                id(&servers[0].create("outboundProvisioningFlowSets", &json!({ "displayName": "x" })).await)
            )
        });
    }
    let targets = needed.clone();
    let outcomes = clients(servers, CLIENTS, move |servers, client| {
        let (target, connector) = (targets[client / 2].clone(), connector.clone());
        async move {
            let server = &servers[client / 2 % 2];
            let other = &servers[(client / 2 + 1) % 2];
            let status = match (client % 2, target.starts_with("years/")) {
                (0, _) => delete(server, &target).await,
                (_, true) => {
                    let body = json!({ "@odata.type": "#microsoft.graph.industryData.inboundFileFlow", "displayName": "x",
                        "dataDomain": "educationRostering", "effectiveDateTime": "2026-08-01",
                        "dataConnector@odata.bind": format!("dataConnectors/{connector}"), "year@odata.bind": target });
                    post(other, "inboundFlows", &body).await.0
                }
                (_, false) => post(other, &format!("{target}/provisioningFlows"), &flow(0)).await.0,
            };
            (target, client % 2, status)
        }
    })
    .await;
    let mut by_target: BTreeMap<String, [u16; 2]> = BTreeMap::new();
    for (target, side, status) in outcomes {
        by_target.entry(target).or_default()[side] = status;
    }
    for (target, [deleted, made]) in &by_target {
        let good: &[[u16; 2]] = if target.starts_with("years/") {
            &[[204, 400], [409, 201]]
        } else {
            // A set takes its flows along.
            &[[204, 404], [204, 201]]
        };
        assert!(good.contains(&[*deleted, *made]), "{target}: deleted {deleted}, made {made}");
    }
    let flows = servers[0].get(&format!("{ROOT}/inboundFlows?$expand=year&$top=999")).await;
    for flow in flows["value"].as_array().unwrap() {
        assert!(flow["year"]["id"].is_string(), "a flow without its year: {flow}");
    }
    // The short URL would name flows of sets that are gone.
    let short = servers[0].send(Method::GET, "/beta/securityGroupProvisioningFlow", None).await;
    let short: Value = short.json().await.unwrap();
    for flow in short["error"]["details"].as_array().into_iter().flatten() {
        servers[0].get(flow["target"].as_str().unwrap()).await;
    }
}

/// Readers page through a collection by its links while others insert and delete: of what stays all the time
/// nothing comes twice and nothing is left out.
async fn pages_hold_while_others_write(servers: &Pair) {
    let mut stay = BTreeSet::new();
    for _ in 0..40 {
        stay.insert(id(&servers[0].create("sourceSystems", &source_system()).await).to_owned());
    }
    let written = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for reader in 0..3 {
        let (servers, written, stay) = (servers.clone(), written.clone(), stay.clone());
        readers.spawn(async move {
            let order = ["", "&$orderby=displayName desc", "&$filter=displayName ne 'z'&$orderby=vendor,id"][reader % 3];
            let mut passes = 0;
            while passes < 2 || !written.load(Ordering::SeqCst) {
                let mut next = Some(format!("{}{ROOT}/sourceSystems?$select=id{order}", servers[reader % 2].base));
                let mut seen: Vec<String> = Vec::new();
                while let Some(link) = next {
                    let request = servers[0].http.get(&link).bearer_auth(servers[0].token()).header("prefer", "odata.maxpagesize=11");
                    let page = expect(request.send().await.unwrap(), 200, &link).await;
                    seen.extend(page["value"].as_array().unwrap().iter().map(|item| id(item).to_owned()));
                    next = page["@odata.nextLink"].as_str().map(str::to_owned);
                    // As slow as a client that does something with a page; the writers get on between two.
                    tokio::time::sleep(Duration::from_millis(25)).await;
                    assert!(seen.len() < 2_000, "the inserts of others must not keep the paging going for ever");
                }
                let once: BTreeSet<&String> = seen.iter().collect();
                assert_eq!(once.len(), seen.len(), "nothing comes twice{order}");
                assert!(stay.iter().all(|one| once.contains(one)), "nothing is left out{order}");
                passes += 1;
            }
        });
    }
    clients(servers, CLIENTS, |servers, client| async move {
        let mut body = source_system();
        body["displayName"] = json!(format!("{:03}", client * 37 % CLIENTS));
        let (status, made) = post(&servers[client % 2], "sourceSystems", &body).await;
        assert_eq!(status, 201);
        if client % 3 == 0 {
            assert_eq!(delete(&servers[(client + 1) % 2], &format!("sourceSystems/{}", id(&made))).await, 204);
        }
    })
    .await;
    written.store(true, Ordering::SeqCst);
    readers.join_all().await;
    let count = servers[1].send(Method::GET, &format!("{ROOT}/sourceSystems/$count"), None).await.text().await.unwrap();
    // One is of the inbound flow.
    assert_eq!(count.parse::<usize>().unwrap(), 41 + CLIENTS - CLIENTS.div_ceil(3));
}

async fn all(server: Server) {
    let twin = server.twin().await;
    let servers: Pair = Arc::new([server, twin]);
    no_update_is_lost(&servers).await;
    a_set_has_one_flow_of_a_kind(&servers).await;
    codes_and_places_are_unique(&servers).await;
    what_is_in_use_stays(&servers).await;
    pages_hold_while_others_write(&servers).await;
    let [server, twin] = Arc::into_inner(servers).unwrap();
    twin.stop().await;
    server.stop().await;
}

mod thorough {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn many_clients_lose_no_update_and_break_no_rule() {
        all(Server::start().await).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_same_holds_on_postgresql() {
        let Some(database) = Database::create() else {
            eprintln!("skipped: HOMEROOM_TEST_POSTGRES_URL is not set");
            return;
        };
        all(Server::on(Some(database.url.clone()), Config::default()).await).await;
    }
}
