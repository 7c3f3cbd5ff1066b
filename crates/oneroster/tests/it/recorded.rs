//! The recorded answers of a real server, libre-oneroster, with its quirks: pages of 100 although
//! more is asked for, links that lead on for ever to a host of its own with a comma at the end,
//! numbers for booleans, null for lists, 404 for demographics.

use crate::{ALL, codes, shared, surroundings, try_pull};
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response};
use oneroster::{Connection, Credential, FaultCode, Limits, Mode, PullError, Secret, Surroundings, Version};
use std::path::{Path, PathBuf};

/// Of these, the first 20 records were recorded. Replayed as they are, they are a set that is cut
/// off; with the number of records put right, they are a small whole one.
const IN_PART: [&str; 3] = ["courses", "classes", "enrollments"];

/// The recording that answers a request.
fn answer(folder: &Path, request: &Request<Body>, as_whole: bool) -> Response<Body> {
    if request.uri().path() == "/token" {
        let body = r#"{"access_token":"t","token_type":"bearer","expires_in":3600}"#;
        return Response::builder().header("content-type", "application/json").body(Body::from(body)).unwrap();
    }
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let collection = path.rsplit('/').next().unwrap();
    let offset: usize = query.split('&').find_map(|pair| pair.strip_prefix("offset=")?.parse().ok()).unwrap_or(0);
    let name = match collection {
        // No contact role was recorded; like this, the server answers when nothing passes a filter.
        "users" if query.contains("role") => "users-filter-delta.http".to_owned(),
        "users" => format!("users-page{}.http", offset / 100 + 1),
        other => format!("{other}.http"),
    };
    let mut response = recorded(&folder.join(name));
    if as_whole && IN_PART.contains(&collection) {
        response.headers_mut().insert("x-total-count", HeaderValue::from_static("20"));
    }
    response
}

/// An answer as it was recorded: status line, headers, an empty line, body.
pub(crate) fn recorded(file: &Path) -> Response<Body> {
    let text = std::fs::read_to_string(file).unwrap().replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let mut response = Response::builder().status(lines.next().unwrap().split(' ').nth(1).unwrap());
    // Those of the connection are this server's own business.
    let of_connection = |name: &str| matches!(name.to_ascii_lowercase().as_str(), "connection" | "keep-alive" | "content-length" | "date");
    for (name, value) in lines.filter_map(|line| line.split_once(':')).filter(|(name, _)| !of_connection(name)) {
        response = response.header(name, value.trim());
    }
    response.body(Body::from(body.trim_end().to_owned())).unwrap()
}

/// A connection to the replayed server; `None`, and said so, where there are no recordings.
async fn replay(as_whole: bool) -> Option<(Connection, Surroundings, PathBuf)> {
    let Some(folder) = shared(&["samples", "oneroster-rest", "recorded-libre-oneroster"]) else {
        println!("there are no recorded answers here: nothing was replayed");
        return None;
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let recorded = folder.clone();
    let app = axum::Router::new().fallback(move |request: Request<Body>| {
        let answer = answer(&recorded, &request, as_whole);
        async move { answer }
    });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let connection = Connection {
        base_url: format!("http://{address}/ims/oneroster/v1p1"),
        version: Version::V1p1,
        credential: Credential::OAuth2 {
            client_id: "a".to_owned(),
            client_secret: Secret::new("b"),
            token_url: format!("http://{address}/token"),
            scope: None,
        },
        switches: ALL,
    };
    let around = surroundings(&[&address]);
    Some((connection, Surroundings { limits: Limits { page_records: 5_000, ..around.limits }, ..around }, folder))
}

#[tokio::test]
async fn the_recorded_answers_of_a_real_server_are_pulled_in_full() {
    let Some((connection, around, folder)) = replay(true).await else { return };
    let pulled = try_pull(&connection, &around, Mode::Full).await.unwrap();
    // Every record that is in the recordings is in the files.
    for (collection, recordings) in [
        ("users", &["users-page1", "users-page2", "users-page3"][..]),
        ("orgs", &["orgs"]),
        ("academicSessions", &["academicSessions"]),
        ("courses", &["courses"]),
        ("classes", &["classes"]),
        ("enrollments", &["enrollments"]),
    ] {
        let mut recorded = Vec::new();
        for name in recordings {
            let text = std::fs::read_to_string(folder.join(format!("{name}.http"))).unwrap();
            let body: serde_json::Value = serde_json::from_str(&text[text.find('{').unwrap()..]).unwrap();
            recorded.extend(body[collection].as_array().unwrap().iter().map(|record| record["sourcedId"].as_str().unwrap().to_owned()));
        }
        assert_eq!(pulled.column(&format!("{collection}.csv"), "sourcedId"), recorded, "{collection}");
    }
    assert_eq!(pulled.rows("users.csv").len(), 290);
    assert_eq!(pulled.row("users.csv", "A0001")["givenName"], "Олексій");
    assert_eq!(pulled.row("users.csv", "A0001")["enabledUser"], "true");
    assert_eq!(pulled.row("orgs.csv", "O100")["parentSourcedId"], "O1");
    assert_eq!(pulled.row("academicSessions.csv", "SY2027Q1")["parentSourcedId"], "SY2027S1");
    assert_eq!((pulled.report.notes_total, pulled.report.left_out), (0, 0), "{:?}", pulled.report.notes);
    assert_eq!(pulled.report.missing.iter().map(|c| c.name()).collect::<Vec<_>>(), ["demographics"]);
}

#[tokio::test]
async fn a_real_server_whose_pages_stop_is_not_believed() {
    let Some((connection, around, _)) = replay(false).await else { return };
    let outcome = try_pull(&connection, &around, Mode::Full).await;
    let Err(PullError::Fault(fault)) = outcome else { panic!("the pull went well") };
    assert_eq!((fault.code, fault.place.as_str()), (FaultCode::PagesInconsistent, "courses"), "{fault}");
}

#[tokio::test]
async fn a_real_server_passes_the_test_of_a_connection() {
    let Some((connection, around, _)) = replay(true).await else { return };
    let found = oneroster::probe(&connection, &around).await;
    assert_eq!((codes(&found.errors), codes(&found.warnings)), (vec![], vec!["CollectionMissing"]), "{:?}", found.errors);
}
