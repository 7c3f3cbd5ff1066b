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
        // The warnings are about the two matching rules: there are no accounts here.
        assert_eq!((&totals["errors"], &totals["warnings"]), (&json!(0), &json!(2)), "{format:?} {totals}");
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

/// A package of 1.1 with the modes of its files, all others absent.
fn package(files: &[(&str, &str, &str)]) -> Vec<(String, Vec<u8>)> {
    let mut manifest = "propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\n".to_owned();
    for stem in ["academicSessions", "classes", "courses", "demographics", "enrollments", "orgs", "users"] {
        let mode = files.iter().find(|(name, ..)| *name == stem).map_or("absent", |(_, mode, _)| mode);
        manifest += &format!("file.{stem},{mode}\n");
    }
    let texts = files.iter().map(|(name, _, text)| (format!("{name}.csv"), text.as_bytes().to_vec()));
    texts.chain([("manifest.csv".to_owned(), manifest.into_bytes())]).collect()
}

const SCHOOLS: &str = "sourcedId,name,type\nA,North,school\nB,South,school\n";
const TERMS: &str = "sourcedId,title,type,startDate,endDate,schoolYear\nT,Year,schoolYear,2026-08-24,2027-06-11,2027\n";
const PEOPLE: &str = "sourcedId,enabledUser,orgSourcedIds,role,username,givenName,familyName\n\
    t1,true,A,teacher,tess,Tess,Hill\ns1,true,A,student,ann,Ann,Hill\ns2,true,B,student,bob,Bob,Hill\n";
const CLASSES: &str = "sourcedId,title,courseSourcedId,classType,schoolSourcedId,termSourcedIds\n\
    K1,Maths,c,scheduled,A,T\nK2,Art,c,scheduled,A,T\n";
const ENROLLED: &str = "sourcedId,classSourcedId,schoolSourcedId,userSourcedId,role\n\
    e1,K1,A,t1,teacher\ne2,K1,A,s1,student\ne3,K2,A,s1,student\n";

/// Files with changes, whole files and files that are not in the package, all in one; a class that goes while pupils are
/// enrolled in it; what is to be deleted and was never there.
#[tokio::test(flavor = "multi_thread")]
async fn a_package_of_changes_may_have_whole_files_too() {
    let (server, connector) = school(None).await;
    let before = read(&server, &connector, &whole()).await;
    assert_eq!((&before["people"], &before["groups"], &before["errors"]), (&json!(3), &json!(2), &json!(0)), "{before}");
    let people = "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,givenName,familyName\n\
        s3,active,2026-09-02T02:00:00Z,true,B,student,cy,Cy,Hill\n\
        s2,tobedeleted,2026-09-02T02:00:00Z,true,B,student,bob,Bob,Hill\n\
        s9,tobedeleted,2026-09-02T02:00:00Z,true,B,student,zoe,Zoe,Hill\n";
    let classes = "sourcedId,status,dateLastModified,title,courseSourcedId,classType,schoolSourcedId,termSourcedIds\n\
        K2,tobedeleted,2026-09-02T02:00:00Z,Art,c,scheduled,A,T\n";
    let schools = "sourcedId,name,type\nA,North,school\nB,South,school\nC,East,school\n";
    let changes = package(&[("orgs", "bulk", schools), ("users", "delta", people), ("classes", "delta", classes)]);
    let operation = server.upload(&connector, &changes).await;
    assert_eq!(operation["errors"], json!([]), "{operation}");
    let told = |operation: &Value, code: &str| operation["warnings"].as_array().unwrap().iter().filter(|one| one["code"] == code).count();
    assert_eq!(told(&operation, "DeletedRecordNotFound"), 1, "{operation}");
    let run = server.run().await;
    let after = server.get(&format!("{ROOT}/runs/{}/getStatistics", id(&run))).await["inboundTotals"].clone();
    // s2 has gone and s3 has come; of the enrolments those stand as before that still have their class.
    assert_eq!((&after["organizations"], &after["people"], &after["groups"]), (&json!(3), &json!(3), &json!(1)), "{after}");
    assert_eq!((&after["errors"], &before["memberships"], &after["memberships"]), (&json!(1), &json!(3), &json!(2)), "{after}");
    // A package that was made before it, and comes after it, takes nothing back.
    let late = "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,givenName,familyName\n\
        s2,active,2026-09-01T02:00:00Z,true,B,student,bob,Bob,Hill\ns3,tobedeleted,2026-09-01T02:00:00Z,true,B,student,cy,Cy,Hill\n";
    let operation = server.upload(&connector, &package(&[("users", "delta", late)])).await;
    assert_eq!((operation["errors"].clone(), told(&operation, "StaleChange")), (json!([]), 2), "{operation}");
    let run = server.run().await;
    let still = server.get(&format!("{ROOT}/runs/{}/getStatistics", id(&run))).await["inboundTotals"].clone();
    assert_eq!(still["people"], after["people"], "{still}");
    server.stop().await;
}

/// The first package, with everything in it.
fn whole() -> Vec<(String, Vec<u8>)> {
    package(&[
        ("orgs", "bulk", SCHOOLS),
        ("academicSessions", "bulk", TERMS),
        ("users", "bulk", PEOPLE),
        ("classes", "bulk", CLASSES),
        ("enrollments", "bulk", ENROLLED),
    ])
}

/// A package of pupils, all with the same date.
fn pupils(count: usize, date: &str) -> Vec<(String, Vec<u8>)> {
    let mut users = "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,givenName,familyName\n".to_owned();
    users.extend((0..count).map(|n| format!("n{n},active,{date},true,A,student,new{n},New,Pupil\n")));
    package(&[("users", "delta", &users)])
}

/// What is wrong with the rows of a package of changes is nowhere to be seen in the set that comes of it: the runs that
/// work on that set tell all of it, count it, and stop where it is too much.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_changes_is_told_and_counted_by_the_runs_of_their_set() {
    let (server, connector) = school(None).await;
    let before = read(&server, &connector, &whole()).await;
    // 11 rows of the set are good; of 60 changes none is.
    let operation = server.upload(&connector, &pupils(60, "")).await;
    assert_eq!(operation["errors"], json!([]), "{operation}");
    let told: Vec<&Value> = operation["warnings"].as_array().unwrap().iter().filter(|one| one["code"] == "RequiredValueMissing").collect();
    assert_eq!((told.len(), &told[0]["target"]), (21, &json!("users.csv")), "{operation}");
    assert!(told[20]["message"].as_str().unwrap().starts_with("And 40 more of these"), "{operation}");
    let stopped = server.run().await;
    assert_eq!(stopped["blockingError"]["code"], "SafetyThresholdExceeded", "{stopped}");
    assert!(stopped["blockingError"]["message"].as_str().unwrap().contains("60 of 71 rows are in error"), "{stopped}");
    let report = async |run: &Value, extension: &str| {
        let report = server.send(Method::GET, &format!("/admin/runs/{}/findings.{extension}", id(run)), None).await;
        report.text().await.unwrap()
    };
    let all = report(&stopped, "json").await;
    let of_the_package = |line: &&str| line.contains("RequiredValueMissing") && line.contains("\"file\":\"changes/users.csv\"");
    assert_eq!(all.lines().filter(of_the_package).count(), 60, "{all}");
    assert!(all.contains("\"line\":2,") && all.contains("\"line\":61,"), "{all}");
    let csv = report(&stopped, "csv").await;
    assert_eq!(csv.lines().filter(|line| line.contains("changes/users.csv")).count(), 60, "{csv}");
    let page = report(&stopped, "html").await;
    assert!(page.contains("changes/users.csv<td class=\"n\">60<td class=\"n\">0<td class=\"n\">60"), "{page}");
    // Fewer of them do not stop a run. What the package before had is not told again, and this is as long as the set is there.
    let operation = server.upload(&connector, &pupils(3, "yesterday")).await;
    assert_eq!(operation["errors"], json!([]), "{operation}");
    for _ in 0..2 {
        let run = server.run().await;
        let statistics = server.get(&format!("{ROOT}/runs/{}/getStatistics", id(&run))).await;
        assert_eq!((&run["status"], &statistics["inboundTotals"]["errors"]), (&json!("completedWithErrors"), &json!(3)), "{statistics}");
        assert_eq!(report(&run, "json").await.lines().filter(|line| line.contains("changes/users.csv")).count(), 3);
    }
    let after = read(&server, &connector, &pupils(3, "2026-09-02T02:00:00Z")).await;
    let counts = (&after["errors"], &after["warnings"], &after["people"]);
    assert_eq!(counts, (&json!(0), &before["warnings"], &json!(6)), "{after}");
    server.stop().await;
}

/// Of packages that arrive before a run reads their set, the run tells each, and a later one only what is new.
#[tokio::test(flavor = "multi_thread")]
async fn packages_that_come_before_a_run_are_all_told_by_it() {
    let (server, connector) = school(None).await;
    read(&server, &connector, &whole()).await;
    for (count, date) in [(1, "yesterday"), (2, "tomorrow"), (3, "some day")] {
        let operation = server.upload(&connector, &pupils(count, date)).await;
        assert_eq!(operation["errors"], json!([]), "{operation}");
    }
    let told = async |run: &Value| {
        let path = format!("/admin/runs/{}/findings.json", id(run));
        let report = server.send(Method::GET, &path, None).await.text().await.unwrap();
        let lines = report.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).filter(|line| line["code"] == "InvalidDate");
        lines.map(|line| format!("{}:{}", line["file"].as_str().unwrap(), line["line"])).collect::<Vec<_>>()
    };
    let all = [
        "earlier/changes/users.csv:2",
        "earlier/changes/users.csv:2",
        "earlier/changes/users.csv:3",
        "changes/users.csv:2",
        "changes/users.csv:3",
        "changes/users.csv:4",
    ];
    for _ in 0..2 {
        let run = server.run().await;
        let statistics = server.get(&format!("{ROOT}/runs/{}/getStatistics", id(&run))).await;
        assert_eq!((told(&run).await, &statistics["inboundTotals"]["errors"]), (all.map(str::to_owned).to_vec(), &json!(6)), "{run}");
        let csv = server.send(Method::GET, &format!("/admin/runs/{}/findings.html", id(&run)), None).await.text().await.unwrap();
        assert!(csv.contains("earlier/changes/users.csv"), "{csv}");
    }
    server.upload(&connector, &pupils(1, "yesterday")).await;
    assert_eq!(told(&server.run().await).await, ["changes/users.csv:2"]);
    server.stop().await;
}

/// What was to come before an upload that is accepted already is not slipped in behind it, and not lost in silence. Nor does
/// it say anything about the upload that is accepted.
#[tokio::test(flavor = "multi_thread")]
async fn changes_that_were_overtaken_say_so() {
    let (server, connector) = school(None).await;
    server.upload(&connector, &export(Format::OneRoster11, 0, false)).await;
    let context = server.app.system(server.tenant.id);
    let read = async |collection: &'static str| {
        let (access, key) = (store::Access::unchecked(collection), connector.clone());
        let found = server.app.store().read::<_, store::StoreError>(&context, move |tx| tx.docs(&access)?.get(&key)).await;
        found.unwrap().map(|doc| doc.body)
    };
    let mut later = read("_accepted").await.unwrap();
    // Ids of operations sort by time.
    later.insert("operation".to_owned(), json!("ffffffff-ffff-7fff-bfff-ffffffffffff"));
    let (key, kept) = (connector.clone(), later.clone());
    let write = move |tx: &mut store::Tx<'_>| tx.docs(&store::Access::unchecked("_accepted"))?.put(&key, None, &later);
    server.app.store().write::<_, store::StoreError>(&context, write).await.unwrap();
    let refused = server.upload(&connector, &export(Format::OneRoster11, 1, true)).await;
    assert_eq!(refused["errors"][0]["code"], "ChangesOvertaken", "{refused}");
    assert_eq!((read("_accepted").await.as_ref(), read("_refused").await), (Some(&kept), None));
    let bad = server.upload(&connector, &[("orgs.csv".to_owned(), b"nothing\n".to_vec())]).await;
    assert_ne!(bad["errors"], json!([]), "{bad}");
    assert_eq!((read("_accepted").await.as_ref(), read("_refused").await), (Some(&kept), None));
    // A good one is no more accepted, and its files do not stay.
    let good = server.upload(&connector, &export(Format::OneRoster11, 1, false)).await;
    assert_eq!((&good["errors"], read("_accepted").await.as_ref()), (&json!([]), Some(&kept)), "{good}");
    // They go after the operation has ended.
    let sets = server.app.store().blobs().path(server.tenant.id, "accepted").unwrap();
    for _ in 0..600 {
        if std::fs::read_dir(&sets).unwrap().count() == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(std::fs::read_dir(&sets).unwrap().count(), 1);
    server.stop().await;
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
