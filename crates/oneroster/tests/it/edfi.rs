//! The recorded answers of edfi-oneroster, a OneRoster 1.2 API over an Ed-Fi ODS (`tests/recorded/edfi`). It
//! neither counts its records nor links its pages, sorts by id, gives ten records unless it is asked for
//! more, calls the array of `/academicSessions` `academicsessions`, and never says what was deleted.

use crate::recorded::recorded;
use crate::{ALL, codes, surroundings, try_pull};
use axum::body::Body;
use axum::http::{Request, Response};
use oneroster::{Connection, Credential, Limits, Mode, Secret, Surroundings, Version};
use serde_json::Value;
use std::path::PathBuf;

/// Of each page that was recorded.
const PAGE: usize = 50;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/edfi")
}

fn answer(request: &Request<Body>) -> Response<Body> {
    if request.uri().path() == "/token" {
        let body = r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#;
        return Response::builder().header("content-type", "application/json").body(Body::from(body)).unwrap();
    }
    if !request.headers().contains_key("authorization") {
        return recorded(&folder().join("no-token.http"));
    }
    let query = request.uri().query().unwrap_or_default();
    let collection = request.uri().path().rsplit('/').next().unwrap();
    let offset = query.split('&').find_map(|pair| pair.strip_prefix("offset=")).unwrap();
    let changes = if query.contains("dateLastModified") { "changes-" } else { "" };
    // The page of a probe is shorter than those that were recorded.
    assert!(query.contains(&format!("limit={PAGE}")) || query.contains("limit=10"), "{query}");
    recorded(&folder().join(format!("{collection}-{changes}{offset}.http")))
}

async fn replay() -> (Connection, Surroundings) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let app = axum::Router::new().fallback(|request: Request<Body>| async move { answer(&request) });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let connection = Connection {
        base_url: format!("http://{address}/ims/oneroster/rostering/v1p2"),
        version: Version::V1p2,
        credential: Credential::OAuth2 {
            client_id: "a".to_owned(),
            client_secret: Secret::new("b"),
            token_url: format!("http://{address}/token"),
            scope: Some("https://purl.imsglobal.org/spec/or/v1p2/scope/roster.readonly".to_owned()),
        },
        switches: ALL,
    };
    let around = surroundings(&[&address]);
    (connection, Surroundings { limits: Limits { page_records: PAGE, ..around.limits }, ..around })
}

/// The records of the recordings of a collection.
fn records(collection: &str, member: &str, kind: &str) -> Vec<Value> {
    let pages =
        (0..).map(|n| n * PAGE).map(|offset| folder().join(format!("{collection}{kind}-{offset}.http"))).take_while(|file| file.is_file());
    let page = |file: PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        let body: Value = serde_json::from_str(&text[text.find('{').unwrap()..]).unwrap();
        body[member].as_array().unwrap().clone()
    };
    pages.flat_map(page).collect()
}

fn ids(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["sourcedId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn its_answers_are_pulled_in_full() {
    let (connection, around) = replay().await;
    let pulled = try_pull(&connection, &around, Mode::Full).await.unwrap();
    for (collection, member, count) in [
        ("academicSessions", "academicsessions", 5),
        ("orgs", "orgs", 6),
        ("users", "users", 70),
        ("courses", "courses", 26),
        ("classes", "classes", 26),
        ("enrollments", "enrollments", 80),
        ("demographics", "demographics", 20),
    ] {
        let recorded = records(collection, member, "");
        assert_eq!(recorded.len(), count, "{collection}");
        assert_eq!(pulled.column(&format!("{collection}.csv"), "sourcedId"), ids(&recorded), "{collection}");
    }
    assert_eq!(pulled.rows("roles.csv").len(), 74, "four have two");
    let users = records("users", "users", "");
    let teacher = pulled.row("users.csv", users[0]["sourcedId"].as_str().unwrap());
    assert_eq!([&teacher["givenName"], &teacher["enabledUser"], &teacher["grades"]], ["கார்த்திக்", "true", ""]);
    let class = &pulled.rows("classes.csv")[0];
    assert_eq!((class["termSourcedIds"].split(',').count(), class["periods"].is_empty()), (2, false), "{class:?}");
    assert_eq!((pulled.report.notes_total, pulled.report.left_out, pulled.report.missing.len()), (0, 0, 0), "{:?}", pulled.report.notes);
}

#[tokio::test]
async fn what_has_changed_the_day_after_takes_the_place_of_what_was() {
    let (connection, around) = replay().await;
    let dir = tempfile::tempdir().unwrap();
    let [set, changes, whole] = ["set", "changes", "whole"].map(|name| dir.path().join(name));
    oneroster::pull(&connection, &around, Mode::Full, &set, &mut |_| {}).await.unwrap();
    let since = Mode::Since("2026-10-01T00:00:00Z".parse().unwrap());
    oneroster::pull(&connection, &around, since, &changes, &mut |_| {}).await.unwrap();
    std::fs::create_dir(&whole).unwrap();
    let [base, package] = [&set, &changes].map(|folder| roster::Source::list(folder).unwrap());
    let mut found = Vec::new();
    let applied =
        roster::delta::apply(&base, &package, jiff::Timestamp::now(), roster::delta::Parts::OfUsers, None, &whole, &mut |finding| {
            found.push(finding.message.clone());
            Ok(())
        });
    assert_eq!((applied.unwrap().catastrophic, found), (None, Vec::new()));
    let (before, after) = (crate::read_package(&set), crate::read_package(&whole));
    let line = |files: &std::collections::BTreeMap<String, Vec<std::collections::BTreeMap<String, String>>>,
                file: &str,
                name: &str,
                value: &str| { files[file].iter().filter(|row| row[name] == value).cloned().collect::<Vec<_>>() };
    let changed = records("users", "users", "-changes");
    let (teacher, student) = (changed[0]["sourcedId"].as_str().unwrap(), changed[1]["sourcedId"].as_str().unwrap());
    assert_eq!(line(&after, "users.csv", "sourcedId", student)[0]["familyName"], "Changed");
    // The teacher has gone to another organization: one role before, one after, not the same.
    let [was, is] = [&before, &after].map(|files| line(files, "roles.csv", "userSourcedId", teacher));
    assert_eq!((was.len(), is.len()), (1, 1));
    assert_eq!(is[0]["orgSourcedId"], changed[0]["roles"][0]["org"]["sourcedId"].as_str().unwrap());
    assert_ne!(was[0]["orgSourcedId"], is[0]["orgSourcedId"]);
    assert_eq!(line(&after, "classes.csv", "title", "Renamed").len(), 1);
    for file in ["users.csv", "roles.csv", "classes.csv", "enrollments.csv", "orgs.csv"] {
        assert_eq!(before[file].len(), after[file].len(), "{file}");
    }
}

#[tokio::test]
async fn it_passes_the_test_of_a_connection() {
    let (connection, around) = replay().await;
    let found = oneroster::probe(&connection, &around).await;
    assert_eq!((codes(&found.errors), codes(&found.warnings)), (vec![], vec!["TotalCountMissing"]), "{:?}", found.errors);
    assert_eq!(found.organizations.len(), 6);
}
