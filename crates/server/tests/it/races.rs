//! Many clients at once: no update is lost and no rule is broken, on SQLite and on PostgreSQL.

use crate::harness::{Server, id};
use crate::runs::Database;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::config::Config;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Clients at once.
const CLIENTS: u64 = 60;

/// Every client adds one to a number, with `If-Match` and as many tries as it takes.
async fn no_update_is_lost(server: &Arc<Server>) {
    let set = server.create("outboundProvisioningFlowSets", &json!({ "displayName": "0" })).await;
    let path = format!("/beta/external/industryData/outboundProvisioningFlowSets/{}", id(&set));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (server, path) = (server.clone(), path.clone());
        clients.spawn(async move {
            for attempt in 0.. {
                let read = server.send(Method::GET, &path, None).await;
                let etag = read.headers()["etag"].to_str().unwrap().to_owned();
                let seen: Value = read.json().await.unwrap();
                let next = seen["displayName"].as_str().unwrap().parse::<u64>().unwrap() + 1;
                let request = server.http.patch(format!("{}{path}", server.base)).bearer_auth(server.token()).header("if-match", etag);
                match request.json(&json!({ "displayName": next.to_string() })).send().await.unwrap().status() {
                    StatusCode::NO_CONTENT => return,
                    StatusCode::PRECONDITION_FAILED => {}
                    other => panic!("{other}"),
                }
                // They would step on each other's feet all over again.
                tokio::time::sleep(Duration::from_millis((client * 7 + attempt * 13) % 97)).await;
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    assert_eq!(server.get(&path).await["displayName"], CLIENTS.to_string());
}

/// All clients want to make the same thing, of which there can be one.
async fn one_wins(server: &Arc<Server>, path: String, body: Value) {
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (server, path, body) = (server.clone(), format!("/beta/external/industryData/{path}"), body.clone());
        clients.spawn(async move { server.send(Method::POST, &path, Some(&body)).await.status().as_u16() });
    }
    let mut made = 0;
    while let Some(status) = clients.join_next().await {
        match status.unwrap() {
            201 => made += 1,
            409 => {}
            other => panic!("{path} answered {other}"),
        }
    }
    assert_eq!(made, 1, "{path}");
}

async fn all(server: Server) {
    let server = Arc::new(server);
    no_update_is_lost(&server).await;
    let set = server.create("outboundProvisioningFlowSets", &json!({ "displayName": "x" })).await;
    let flow = json!({
        "@odata.type": "#microsoft.graph.industryData.securityGroupProvisioningFlow",
        "creationOptions": { "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": true },
    });
    one_wins(&server, format!("outboundProvisioningFlowSets/{}/provisioningFlows", id(&set)), flow).await;
    let row = json!({ "referenceType": "RefGradeLevel", "code": "evening", "displayName": "E", "isDisabled": false, "sortIndex": 99_910 });
    one_wins(&server, "referenceDefinitions".to_owned(), row).await;
    Arc::into_inner(server).unwrap().stop().await;
}

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
