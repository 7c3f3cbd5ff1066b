//! Every format over HTTP: an export as it comes, to a connector that has not been told what it is for.

use crate::harness::{Server, id, year};
use reqwest::Method;
use roster::Format;
use roster::generate::{Options, generate};
use serde_json::{Value, json};
use server::config::Config;

const ROOT: &str = "/beta/external/industryData";

/// A server with an inbound flow whose connector names no format; gives the connector.
async fn school(file_format: Option<&str>) -> (Server, String) {
    let mut config = Config::default();
    config.runs.on_demand_per_12h = 0;
    let server = Server::with(config).await;
    let (template, flow) = server.configure_inbound().await;
    let template = server.get(&format!("{ROOT}/dataConnectors/{template}?$expand=sourceSystem")).await;
    let mut connector = json!({
        "@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector", "displayName": "Any",
        "sourceSystem@odata.bind": format!("sourceSystems/{}", id(&template["sourceSystem"])),
    });
    if let Some(code) = file_format {
        connector["fileFormat"] = json!({ "code": code });
    }
    let connector = server.create("dataConnectors", &connector).await;
    assert_eq!(server.send(Method::DELETE, &format!("{ROOT}/inboundFlows/{flow}"), None).await.status(), 204);
    let year = server.create("years", &year()).await;
    let flow = json!({
        "@odata.type": "#microsoft.graph.industryData.inboundFileFlow", "displayName": "Nightly", "dataDomain": "educationRostering",
        "effectiveDateTime": "2026-08-01T00:00:00Z", "dataConnector@odata.bind": format!("dataConnectors/{}", id(&connector)),
        "year@odata.bind": format!("years/{}", id(&year)),
    });
    server.create("inboundFlows", &flow).await;
    (server, id(&connector).to_owned())
}

/// The files of a generated export.
fn export(format: Format, day: u32, delta: bool) -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    let set = dir.path().join("set");
    generate(&set, &Options { format, day, delta, ..Options::new(60) }).unwrap();
    let files = std::fs::read_dir(&set).unwrap().map(|entry| entry.unwrap());
    files.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

/// Uploads an export, lets a run read it, and gives the totals of the run.
async fn read(server: &Server, connector: &str, files: &[(String, Vec<u8>)]) -> Value {
    let operation = server.upload(connector, files).await;
    assert_eq!(operation["errors"], json!([]), "{operation}");
    let run = server.run().await;
    assert_ne!(run["status"], "failed", "{run}");
    let statistics = server.get(&format!("{ROOT}/runs/{}/getStatistics", id(&run))).await;
    statistics["inboundTotals"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_read_whatever_its_format() {
    let mut people = Vec::new();
    for format in Format::ALL {
        let (server, connector) = school(None).await;
        let totals = read(&server, &connector, &export(format, 0, false)).await;
        assert_eq!((&totals["errors"], &totals["warnings"]), (&json!(0), &json!(0)), "{format:?} {totals}");
        assert!(totals["groups"].as_u64() > Some(0) && totals["memberships"].as_u64() > Some(60), "{format:?} {totals}");
        people.push(totals["people"].as_u64().unwrap());
        server.stop().await;
    }
    assert!(people.iter().all(|count| *count > 60), "{people:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_come_on_top_of_the_accepted_set_and_nowhere_else() {
    for format in [Format::OneRoster11, Format::OneRoster12] {
        let (server, connector) = school(None).await;
        // Changes to nothing are refused, and the next whole set is not.
        let refused = server.upload(&connector, &export(format, 1, true)).await;
        assert_eq!(refused["errors"][0]["code"], "DeltaWithoutBase", "{refused}");
        read(&server, &connector, &export(format, 0, false)).await;
        let changed = read(&server, &connector, &export(format, 1, true)).await;
        server.stop().await;
        let (server, connector) = school(None).await;
        read(&server, &connector, &export(format, 0, false)).await;
        let whole = read(&server, &connector, &export(format, 1, false)).await;
        server.stop().await;
        for count in ["organizations", "people", "groups", "memberships"] {
            assert_eq!(changed[count], whole[count], "{format:?} {count}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_names_a_format_takes_no_other() {
    let (server, connector) = school(Some("schoolDataSyncV1")).await;
    let refused = server.upload(&connector, &export(Format::SdsV21, 0, false)).await;
    assert_eq!(refused["errors"][0]["code"], "RequiredFileNotFound", "{refused}");
    let taken = server.upload(&connector, &export(Format::SdsV1, 0, false)).await;
    assert_eq!(taken["errors"], json!([]), "{taken}");
    server.stop().await;
}
