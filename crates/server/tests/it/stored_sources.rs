//! Sources that a tenant sets up by the admin API: the same as those of the settings, within what the operator allows.

use crate::harness::Server;
use crate::roster_files::{self, DAY_1, ORGS, account};
use crate::runs::Database;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use server::config::{Config, Intake, Source};
use std::path::Path;
use std::time::Duration;

const PINNED: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

async fn server(database_url: Option<String>, root: &Path) -> Server {
    let config = Config { intake: Intake { folders: vec![root.join("{tenant}")] }, ..Config::default() };
    let server = Server::on(database_url, config).await;
    server.configure(&json!({ "createBasedOnRoleGroup": true })).await;
    server
}

async fn send(server: &Server, method: Method, name: &str, body: Option<Value>) -> (u16, Value) {
    let answer = server.send(method, &format!("/admin/sources{name}"), body.as_ref()).await;
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

fn message(answer: &(u16, Value)) -> &str {
    answer.1["error"]["message"].as_str().unwrap_or_default()
}

fn in_folder(folder: &Path) -> Value {
    json!({ "connector": "CSV", "folder": folder, "every_seconds": 5, "settled_seconds": 1 })
}

fn by_sftp(host: &str) -> Value {
    json!({ "connector": "CSV", "sftp": { "host": host, "user": "homeroom", "password": "open sesame", "host_key": PINNED, "path": "/out" } })
}

async fn until(server: &Server, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..600 {
        let (_, shown) = send(server, Method::GET, name, None).await;
        if holds(&shown) {
            return shown;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what}: {:?}", send(server, Method::GET, name, None).await);
}

async fn an_export_is_fetched(database_url: Option<String>) {
    let root = tempfile::tempdir().unwrap();
    let server = server(database_url, root.path()).await;
    server.app.import_accounts(server.tenant.id, DAY_1.iter().map(|p| account(p.0)).collect()).await.unwrap();
    let folder = root.path().join(server.tenant.id.to_string());
    std::fs::create_dir(&folder).unwrap();
    for (name, content) in roster_files::files(&ORGS, &DAY_1) {
        std::fs::write(folder.join(name), content).unwrap();
    }
    let (status, made) = send(&server, Method::PUT, "/Nightly%20export", Some(in_folder(&folder))).await;
    assert_eq!((status, &made["name"], &made["setUpBy"]), (201, &json!("Nightly export"), &json!("api")), "{made}");
    assert_eq!((&made["every_seconds"], &made["start_run"]), (&json!(5), &json!(true)), "with what it was not told");
    // The server is not started anew, and what it shows can be sent back as it is.
    let seen = until(&server, "/Nightly%20export", "looked at", |shown| !shown["status"]["lookedAt"].is_null()).await;
    assert_eq!(send(&server, Method::PUT, "/Nightly%20export", Some(seen)).await.0, 200);
    until(&server, "/Nightly%20export", "fetched", |shown| !shown["status"]["deliveredAt"].is_null()).await;
    for _ in 0..600 {
        if server.app.list_runs(server.tenant.id).await.unwrap().first().is_some_and(|run| run["status"] == "completed") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(server.groups().await["All Students"].len(), 8);
    // The same files are news for another connector.
    let system = server.create("sourceSystems", &crate::harness::source_system()).await;
    let other = json!({ "@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector", "displayName": "Other",
                        "sourceSystem@odata.bind": format!("sourceSystems/{}", crate::harness::id(&system)) });
    server.create("dataConnectors", &other).await;
    let (_, mut changed) = send(&server, Method::GET, "/Nightly%20export", None).await;
    let delivered = changed["status"]["deliveredAt"].clone();
    changed["connector"] = json!("Other");
    assert_eq!(send(&server, Method::PUT, "/Nightly%20export", Some(changed)).await.0, 200);
    until(&server, "/Nightly%20export", "fetched again", |shown| shown["status"]["deliveredAt"] != delivered).await;
    // Another server of the installation finds it, too, and a source that is gone is not looked at any more.
    let twin = server.twin().await;
    let (_, listed) = send(&twin, Method::GET, "", None).await;
    assert_eq!(listed["value"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(send(&twin, Method::DELETE, "/Nightly%20export", None).await.0, 204);
    assert_eq!(send(&server, Method::DELETE, "/Nightly%20export", None).await.0, 404);
    assert_eq!(send(&server, Method::GET, "/Nightly%20export", None).await.0, 404);
    twin.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_fetched_from_where_a_tenant_says() {
    an_export_is_fetched(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_on_postgresql() {
    let Some(database) = Database::create() else {
        eprintln!("skipped: HOMEROOM_TEST_POSTGRES_URL is not set");
        return;
    };
    an_export_is_fetched(Some(database.url.clone())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_reaches_only_what_the_operator_opens() {
    let root = tempfile::tempdir().unwrap();
    let server = server(None, root.path()).await;
    let (ours, theirs) = (root.path().join(server.tenant.id.to_string()), root.path().join("00000000-0000-0000-0000-000000000001"));
    for folder in [&ours, &theirs] {
        std::fs::create_dir_all(folder.join("in")).unwrap();
    }
    assert_eq!(send(&server, Method::PUT, "/a", Some(in_folder(&ours.join("in")))).await.0, 201);
    #[cfg(unix)]
    std::os::unix::fs::symlink(&theirs, ours.join("link")).unwrap();
    let escaping = ours.join("..").join(theirs.file_name().unwrap());
    for closed in [Path::new("/etc"), root.path(), &theirs, &escaping, &ours.join("link"), Path::new("in"), Path::new("/nowhere/at/all")] {
        let refused = send(&server, Method::PUT, "/b", Some(in_folder(closed))).await;
        assert!(refused.0 == 400 && message(&refused).contains("[intake] folders"), "{}: {refused:?}", closed.display());
        assert_eq!(refused.1["error"]["target"], "folder");
    }
    // Nor is it said of what there is behind a link.
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(root.path().join("nothing"), ours.join("dangling")).unwrap();
        for hidden in ["link/in", "link/nothing", "link/in/nothing", "dangling", "dangling/nothing"] {
            let refused = send(&server, Method::PUT, "/b", Some(in_folder(&ours.join(hidden)))).await;
            assert!(refused.0 == 400 && message(&refused).contains("[intake] folders"), "{hidden}: {refused:?}");
        }
    }
    let missing = send(&server, Method::PUT, "/b", Some(in_folder(&ours.join("nothing")))).await;
    assert!(missing.0 == 400 && message(&missing).contains("No such file"), "what is our own is told: {missing:?}");
    // What was good and has been made a link since is closed at the next look.
    #[cfg(unix)]
    {
        std::fs::remove_dir(ours.join("in")).unwrap();
        std::os::unix::fs::symlink(&theirs, ours.join("in")).unwrap();
        until(&server, "/a", "closed", |shown| shown["status"]["problem"].as_str().is_some_and(|why| why.contains("[intake]"))).await;
    }
    for closed in ["127.0.0.1", "localhost", "169.254.169.254", "10.0.0.1", "[::1]"] {
        let refused = send(&server, Method::PUT, "/b", Some(by_sftp(closed))).await;
        assert!(refused.0 == 400 && message(&refused).contains("[outbound] allow"), "{closed}: {refused:?}");
    }
    for secret in [json!(123_456), json!(true), json!(["123456"]), json!({ "text": "123456" })] {
        let mut body = by_sftp("1.1.1.1");
        body["sftp"]["password"] = secret;
        let refused = send(&server, Method::PUT, "/b", Some(body)).await;
        assert!(refused.0 == 400 && message(&refused).contains("password is a text"), "{refused:?}");
        assert!(!refused.1.to_string().contains("123456"), "a secret is not repeated: {refused:?}");
    }
    for file in ["key_file", "password_file", "passphrase_file"] {
        let mut body = by_sftp("1.1.1.1");
        body["sftp"][file] = json!("/etc/passwd");
        let refused = send(&server, Method::PUT, "/b", Some(body)).await;
        assert!(refused.0 == 400 && message(&refused).contains("Files of the server"), "{refused:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_never_come_back_and_go_nowhere_else() {
    // Nobody listens there, so that a look fails.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let outbound = server::config::Outbound { allow: vec![format!("127.0.0.1:{port}")] };
    let server = Server::with(Config { outbound, ..Config::default() }).await;
    server.configure(&json!({ "createBasedOnRoleGroup": true })).await;
    let mut source = by_sftp("127.0.0.1");
    source["sftp"]["port"] = json!(port);
    let (status, made) = send(&server, Method::PUT, "/a", Some(source)).await;
    assert_eq!((status, &made["sftp"]["password"]), (201, &json!("***************")), "{made}");
    let (_, shown) = send(&server, Method::GET, "/a", None).await;
    let (_, listed) = send(&server, Method::GET, "", None).await;
    assert!(!format!("{shown}{listed}").contains("sesame"));
    for database in ["homeroom.db", "homeroom.db-wal"] {
        let bytes = std::fs::read(server.data_dir().join(database)).unwrap_or_default();
        assert!(!bytes.windows(6).any(|at| at == b"sesame"), "encrypted at rest: {database}");
    }
    // The asterisks keep it for the same server and user, and for nobody else.
    let mut changed = shown.clone();
    changed["sftp"]["path"] = json!("/other");
    assert_eq!(send(&server, Method::PUT, "/a", Some(changed.clone())).await.0, 200);
    for (field, other) in [("host", json!("8.8.8.8")), ("port", json!(2222)), ("user", json!("eve")), ("host_key", json!("SHA256:BBBB"))] {
        let mut elsewhere = changed.clone();
        elsewhere["sftp"][field] = other;
        let refused = send(&server, Method::PUT, "/a", Some(elsewhere)).await;
        assert!(refused.0 == 400 && refused.1["error"]["target"] == "sftp.password", "{field}: {refused:?}");
    }
    assert_eq!(send(&server, Method::PUT, "/b", Some(changed)).await.0, 400, "nor for another source");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_source_is_refused_by_name() {
    let root = tempfile::tempdir().unwrap();
    let elsewhere = Source {
        name: "of the operator".to_owned(),
        tenant: "contoso.example".to_owned(),
        connector: "CSV".to_owned(),
        folder: Some(root.path().join("operator")),
        sftp: None,
        every_seconds: 300,
        settled_seconds: 60,
        marker: None,
        start_run: true,
    };
    let intake = Intake { folders: vec![root.path().to_owned()] };
    let server = Server::with(Config { intake, sources: vec![elsewhere], ..Config::default() }).await;
    server.configure(&json!({ "createBasedOnRoleGroup": true })).await;
    let good = in_folder(root.path());
    let put = async |name: &str, change: Value| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        send(&server, Method::PUT, name, Some(body)).await
    };
    let remote = |field: &str, value: Value| {
        let mut body = by_sftp("1.1.1.1");
        body["folder"] = Value::Null;
        body["sftp"][field] = value;
        body
    };
    let (none, long) = (json!({}), format!("/{}", "n".repeat(101)));
    for (name, change, words) in [
        ("/a", json!({ "conector": "CSV" }), "conector"),
        ("/a", json!({ "connector": "Other" }), "no connector 'Other'"),
        ("/a", json!({ "every_seconds": 1 }), "every_seconds is from 5 to 604800; this is 1"),
        ("/a", json!({ "settled_seconds": 4_000_000_000_u32 }), "settled_seconds is from 0 to 86400"),
        ("/a", json!({ "marker": "" }), "marker is the name of a file"),
        ("/a", json!({ "marker": "in/export.done" }), "marker is the name of a file"),
        ("/a", json!({ "marker": "\u{1b}]0;pwned\u{7}\n2026 ERROR forged" }), "marker has a control character"),
        ("/a", json!({ "marker": "m".repeat(256) }), "marker has 255 characters at most"),
        ("/a", json!({ "connector": "\u{202e}VSC" }), "connector has a control character"),
        ("/a", json!({ "folder": root.path().join("a\nb") }), "folder has a control character"),
        ("/a", json!({ "folder": root.path().join("f".repeat(1025)) }), "folder has 1024 characters at most"),
        ("/a", by_sftp("1.1.1.1\n"), "sftp.host has a control character"),
        ("/a", remote("user", json!("home\u{2066}room")), "sftp.user has a control character"),
        ("/a", remote("path", json!("/out\r")), "sftp.path has a control character"),
        ("/a", remote("port", json!(0)), "port is from 1"),
        ("/a", remote("host_key", json!("SHA256:")), "give it whole"),
        ("/a", remote("host_key", json!(&PINNED[..PINNED.len() - 1])), "give it whole"),
        ("/a", remote("host_key", json!(PINNED.replace("AAA", "A-A"))), "give it whole"),
        ("/a%0Ab", none.clone(), "name has a control character"),
        ("/a", json!({ "every_seconds": "often" }), "invalid type"),
        ("/a", json!({ "sftp": by_sftp("1.1.1.1")["sftp"] }), "either folder or sftp"),
        ("/a", json!({ "name": "b" }), "name is 'a'"),
        ("/a", json!({ "tenant": "fabrikam.example" }), "tenant is"),
        ("/a%2Fb", none.clone(), "no slash"),
        (&long, none.clone(), "100 characters"),
    ] {
        let refused = put(name, change).await;
        assert!(refused.0 == 400 && message(&refused).contains(words), "{words}: {refused:?}");
    }
    let taken = put("/of%20the%20operator", none.clone()).await;
    assert!(taken.0 == 409 && message(&taken).contains("homeroom.toml"), "{taken:?}");
    let (_, shown) = send(&server, Method::GET, "/of%20the%20operator", None).await;
    assert_eq!((&shown["setUpBy"], &shown["folder"]), (&json!("homeroom.toml"), &Value::Null), "not where it is: {shown}");
    let looked = until(&server, "/of%20the%20operator", "looked at", |shown| !shown["status"]["lookedAt"].is_null()).await;
    let problem = looked["status"]["problem"].as_str().unwrap();
    assert!(problem.contains("homeroom sources") && !looked.to_string().contains(root.path().to_str().unwrap()), "{looked}");
    assert_eq!(send(&server, Method::DELETE, "/of%20the%20operator", None).await.0, 404);
    let (_, still) = send(&server, Method::GET, "/of%20the%20operator", None).await;
    assert_eq!(still, looked, "nothing of it was forgotten");
    for number in 0..32 {
        assert_eq!(put(&format!("/{number}"), none.clone()).await.0, 201);
    }
    let many = put("/one-more", none.clone()).await;
    assert!(many.0 == 409 && message(&many).contains("32 sources"), "{many:?}");
    assert_eq!(put("/7", none.clone()).await.0, 200);
    for (method, name, status) in
        [(Method::POST, "", 405), (Method::POST, "/7", 405), (Method::HEAD, "/7", 200), (Method::OPTIONS, "/7", 204)]
    {
        let answer = server.send(method.clone(), &format!("/admin/sources{name}"), None).await;
        assert_eq!(answer.status().as_u16(), status, "{method} {name}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_are_a_tenants_own_and_need_the_permissions_of_connectors() {
    let root = tempfile::tempdir().unwrap();
    let server = server(None, root.path()).await;
    let folder = root.path().join(server.tenant.id.to_string());
    std::fs::create_dir(&folder).unwrap();
    let url = format!("{}/admin/sources/a", server.base);
    let as_one = async |method: Method, permissions: &[&str]| {
        let token = server.token_with(permissions.iter().map(|name| (*name).to_owned()).collect()).await;
        server.http.request(method, &url).bearer_auth(token).json(&in_folder(&folder)).send().await.unwrap().status()
    };
    let (read, write) = ("IndustryData-DataConnector.Read.All", "IndustryData-DataConnector.ReadWrite.All");
    assert_eq!(as_one(Method::PUT, &[read]).await, StatusCode::FORBIDDEN);
    assert_eq!(as_one(Method::PUT, &[write]).await, StatusCode::CREATED);
    assert_eq!(as_one(Method::GET, &[read]).await, StatusCode::OK);
    assert_eq!(as_one(Method::GET, &["IndustryData-Run.Read.All"]).await, StatusCode::FORBIDDEN);
    assert_eq!(as_one(Method::DELETE, &[read]).await, StatusCode::FORBIDDEN);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        assert_eq!(server.http.request(method, &url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
    let stranger = server.app.create_tenant("Fabrikam", None, None).await.unwrap();
    let client = server.app.create_client(stranger.id, "theirs", server::all_permissions()).await.unwrap();
    let token = server.app.issue_token(&stranger.id.to_string(), &client.client_id, &client.client_secret).await.unwrap();
    for method in [Method::GET, Method::DELETE] {
        let answer = server.http.request(method, &url).bearer_auth(token["access_token"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
    assert_eq!(as_one(Method::GET, &[read]).await, StatusCode::OK);
    server.stop().await;
}
