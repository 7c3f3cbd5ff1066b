//! `homeroom sources` beside a running server.

use crate::district::QUICK;
use crate::process::{Api, ROOT, Serving, homeroom, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;
use std::time::Duration;

fn sources(data_dir: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = homeroom();
    command.arg("sources").args(arguments).env("HOMEROOM_DATA_DIR", data_dir).envs(settings.iter().copied());
    command.output().unwrap()
}

fn listed(data_dir: &Path, settings: &[(&str, &str)]) -> Value {
    let output = sources(data_dir, settings, &["--json"]);
    assert_eq!(output.status.code(), Some(0));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_of_a_file_are_taken_up_by_a_running_server() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let app = server::App::open(&data_dir, None, server::config::Config::default()).unwrap();
    let tenant = app.create_tenant("Contoso", None, Some("contoso.example")).await.unwrap();
    let client = app.create_client(tenant.id, "test", server::all_permissions()).await.unwrap();
    let token = app.issue_token(&tenant.id.to_string(), &client.client_id, &client.client_secret).await.unwrap();
    drop(app);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (folders, open) = (format!("[{:?}]", dir.path().join("exports")), format!("[\"127.0.0.1:{nobody}\"]"));
    let settings = [("HOMEROOM_INTAKE__FOLDERS", folders.as_str()), ("HOMEROOM_OUTBOUND__ALLOW", &open)];
    let serving = Serving::start(&data_dir, &settings);
    let api = Api::new(&serving.base, token["access_token"].as_str().unwrap());
    api.configure(None).await;

    let exports = dir.path().join("exports");
    std::fs::create_dir_all(exports.join("contoso")).unwrap();
    std::fs::write(dir.path().join("password"), "open sesame\n").unwrap();
    let file = dir.path().join("sources.toml");
    let text = format!(
        "[[sources]]\nname = \"Nightly\"\ntenant = \"contoso.example\"\nconnector = \"CSV\"\nfolder = {:?}\nevery_seconds = 5\n\n\
         [[sources]]\nname = \"Remote\"\ntenant = \"contoso.example\"\nconnector = \"CSV\"\n[sources.sftp]\nhost = \"127.0.0.1\"\nport = {nobody}\n\
         user = \"homeroom\"\npassword_file = {:?}\nhost_key = \"SHA256:{}\"\npath = \"/out\"\n",
        exports.join("contoso"),
        dir.path().join("password"),
        "A".repeat(43)
    );
    std::fs::write(&file, &text).unwrap();
    // Without the settings that the server has, no folder is open, and the command says so.
    let closed = sources(&data_dir, &[], &["add", file.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&closed.stderr);
    assert_eq!(closed.status.code(), Some(3), "{told}");
    assert!(told.contains("[intake] folders") && told.contains("lists none") && told.contains("no --config was given"), "{told}");
    let added = sources(&data_dir, &settings, &["add", file.to_str().unwrap()]);
    let told = String::from_utf8_lossy(&added.stderr);
    assert_eq!(added.status.code(), Some(0), "{told}");
    assert!(told.contains("'Nightly' is looked at") && told.contains("'Remote' is looked at"), "{told}");
    // The server is told by nobody: it looks for itself.
    for _ in 0..600 {
        let all = listed(&data_dir, &settings);
        if all.as_array().unwrap().iter().all(|source| !source["problem"].is_null()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let all = listed(&data_dir, &settings);
    assert_eq!((&all[0]["setUpBy"], &all[0]["name"], all.as_array().unwrap().len()), (&json!("api"), &json!("Nightly"), 2), "{all}");
    assert!(all[0]["problem"].as_str().unwrap().contains("no .csv"), "{all}");
    assert!(all[1]["problem"].as_str().unwrap().contains("cannot connect to homeroom@127.0.0.1"), "{all}");

    // What the file named is kept, and the file not needed any more.
    std::fs::remove_file(dir.path().join("password")).unwrap();
    let empty = sources(&data_dir, &settings, &["check", "Nightly"]);
    assert_eq!(empty.status.code(), Some(1), "{}", String::from_utf8_lossy(&empty.stdout));
    std::fs::write(exports.join("contoso/users.csv"), "sourcedId\n").unwrap();
    let checked = sources(&data_dir, &settings, &["check", "--json"]);
    assert_eq!(checked.status.code(), Some(1), "one of them is not good");
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!((&checked[0]["files"], &checked[0]["problem"]), (&json!(1), &Value::Null));
    assert!(checked[1]["problem"].as_str().unwrap().contains("cannot connect"), "{checked}");
    assert_eq!(sources(&data_dir, &settings, &["check", "Nightly"]).status.code(), Some(0));
    assert_eq!(sources(&data_dir, &settings, &["check", "Nobody's"]).status.code(), Some(3));

    let remove = ["remove", "--tenant", "contoso.example", "Remote"];
    assert_eq!(sources(&data_dir, &settings, &remove).status.code(), Some(0));
    let again = sources(&data_dir, &settings, &remove);
    assert_eq!(again.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&again.stderr).contains("no source 'Remote'"));
    let shown = sources(&data_dir, &settings, &["list"]);
    let table = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(table.contains("Nightly") && !table.contains("Remote"), "{table}");
    assert!(table.contains("contoso.example") && !table.contains(&tenant.id.to_string()), "{table}");
    assert!(table.contains("`sources add` or API"), "{table}");
    assert!(String::from_utf8_lossy(&shown.stderr).contains("no --config was given"));

    let settled = format!("[{{name=\"Nightly\",tenant=\"contoso.example\",connector=\"CSV\",folder={:?}}}]", exports.join("contoso"));
    let both = [settings[0], settings[1], ("HOMEROOM_SOURCES", settled.as_str())];
    let removed = sources(&data_dir, &both, &["remove", "--tenant", "contoso.example", "Nightly"]);
    let told = String::from_utf8_lossy(&removed.stderr);
    assert!(removed.status.code() == Some(0) && told.contains("the one of homeroom.toml goes on"), "{told}");
    assert!(api.get(&format!("{ROOT}/dataConnectors")).await["value"].is_array());
}

/// The settings and the commands of the page about sources work as they stand there, in another folder.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_about_sources_does_what_it_says() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sources.md")).unwrap();
    let block = |start: &str| page.split(start).nth(1).unwrap().split_once("```").unwrap().0.to_owned();
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let app = server::App::open(&data_dir, None, server::config::Config::default()).unwrap();
    let tenant = app.create_tenant("Contoso", None, Some("contoso.example")).await.unwrap();
    let client = app.create_client(tenant.id, "test", server::all_permissions()).await.unwrap();
    let token = app.issue_token("contoso.example", &client.client_id, &client.client_secret).await.unwrap();
    let serving = Serving::start(&data_dir, &[]);
    Api::new(&serving.base, token["access_token"].as_str().unwrap()).configure(None).await;
    let exports = dir.path().join("exports");
    std::fs::create_dir_all(exports.join(tenant.id.to_string())).unwrap();
    let here = |text: &str| text.replace("/srv/exports", exports.to_str().unwrap());

    let settings = here(&format!("[[sources]]{}", block("```toml\n[[sources]]")));
    std::fs::write(dir.path().join("all.toml"), &settings).unwrap();
    let read = server::config::read_sources(&dir.path().join("all.toml")).unwrap();
    assert_eq!(read.iter().map(|source| source.sftp.is_some()).collect::<Vec<_>>(), [false, true]);
    // Of the two, one needs a server elsewhere; the folder of the other is one that a stored source may name.
    let first = settings.split("\n[[sources]]").next().unwrap().replace("exports/contoso", &format!("exports/{}", tenant.id));
    std::fs::write(dir.path().join("schools.toml"), first).unwrap();
    std::fs::write(dir.path().join("homeroom.toml"), here(&format!("[intake]{}", block("```toml\n[intake]")))).unwrap();
    let commands = block("and says\n\n```sh\n");
    for (command, told) in commands.lines().zip(["'Nightly export' is looked at from now on", "'Nightly export' is not looked at any more"])
    {
        let program = env!("CARGO_BIN_EXE_homeroom");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &command.replacen("homeroom", program, 1)]).current_dir(dir.path()).env("HOMEROOM_DATA_DIR", &data_dir);
        let output = shell.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains(told), "{command}: {said}");
    }
    assert_eq!(commands.lines().count(), 2);
}

/// A tenant or a connector that is not there makes a source useless, whatever lies at its place.
#[tokio::test(flavor = "multi_thread")]
async fn a_check_finds_a_tenant_or_a_connector_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let app = server::App::open(&data_dir, None, server::config::Config::default()).unwrap();
    app.create_tenant("Contoso", None, Some("contoso.example")).await.unwrap();
    drop(app);
    let export = dir.path().join("export");
    std::fs::create_dir(&export).unwrap();
    std::fs::write(export.join("users.csv"), "sourcedId\n").unwrap();
    for (tenant, connector, told) in [
        ("contoso.exmaple", "CSV", "there is no tenant 'contoso.exmaple'"),
        ("contoso.example", "CVS", "there is no connector 'CVS' in the tenant"),
    ] {
        let config = dir.path().join("homeroom.toml");
        let text = format!("[[sources]]\nname = \"Nightly\"\ntenant = {tenant:?}\nconnector = {connector:?}\nfolder = {export:?}\n");
        std::fs::write(&config, text).unwrap();
        let checked = sources(&data_dir, &[("HOMEROOM_CONFIG", config.to_str().unwrap())], &["check"]);
        let table = String::from_utf8_lossy(&checked.stdout);
        assert!(checked.status.code() == Some(1) && table.contains(told) && !table.contains("good"), "{table}");
        assert!(checked.stderr.is_empty(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

/// The other sources are looked at all the same, and the server starts.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_cannot_be_read_is_the_problem_of_its_own_source() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let token = crate::uploads::token(&data_dir).await;
    let export = dir.path().join("export");
    std::fs::create_dir(&export).unwrap();
    std::fs::write(export.join("users.csv"), "sourcedId\n").unwrap();
    let tenant = listed_tenant(&data_dir).await;
    let nowhere = dir.path().join("nowhere");
    let sources_of_server = format!(
        "[{{name=\"Remote\",tenant=\"{tenant}\",connector=\"CSV\",sftp={{host=\"127.0.0.1\",user=\"u\",path=\"/\",\
         key_file={nowhere:?},host_key=\"SHA256:{}\"}}}},{{name=\"Local\",tenant=\"{tenant}\",connector=\"CSV\",folder={export:?}}}]",
        "A".repeat(43)
    );
    let settings = [("HOMEROOM_SOURCES", sources_of_server.as_str())];
    let serving = Serving::start(&data_dir, &settings);
    Api::new(&serving.base, &token).configure(None).await;
    let checked = sources(&data_dir, &settings, &["check", "--json"]);
    assert_eq!(checked.status.code(), Some(1), "{}", String::from_utf8_lossy(&checked.stderr));
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let problem = checked[0]["problem"].as_str().unwrap();
    assert!(problem.contains(nowhere.to_str().unwrap()) && problem.contains("cannot be read"), "{checked}");
    assert_eq!((&checked[1]["files"], &checked[1]["validating"], &checked[1]["problem"]), (&json!(1), &json!(false), &Value::Null));
    assert_eq!(listed(&data_dir, &settings).as_array().unwrap().len(), 2);
}

async fn listed_tenant(data_dir: &Path) -> String {
    let app = server::App::open(data_dir, None, server::config::Config::default()).unwrap();
    app.list_tenants().await.unwrap()[0].id.to_string()
}

/// Folders of what is being fetched for the only tenant.
fn fetched(data_dir: &Path, tenant: &str) -> usize {
    std::fs::read_dir(data_dir.join("blobs").join(tenant).join("uploads")).map_or(0, Iterator::count)
}

/// What is being fetched goes at once, and nothing becomes of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_removed_while_its_export_is_fetched_delivers_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("data");
    let token = crate::uploads::token(&data_dir).await;
    let tenant = listed_tenant(&data_dir).await;
    let (exports, held) = (dir.path().join("exports"), dir.path().join("held"));
    std::fs::create_dir(&exports).unwrap();
    std::fs::write(exports.join("users.csv"), "sourcedId\n").unwrap();
    let (folders, hold) = (format!("[{exports:?}]"), format!("fetch-begun={}", held.display()));
    let settings = [("HOMEROOM_INTAKE__FOLDERS", folders.as_str()), ("HOMEROOM_TEST_HOLD_AT", &hold), QUICK[0]];
    let serving = Serving::start(&data_dir, &settings);
    let api = Api::new(&serving.base, &token);
    api.configure(None).await;
    let nightly = json!({ "connector": "CSV", "folder": exports, "every_seconds": 5, "settled_seconds": 0 });
    let put = api.send(Method::PUT, "/admin/sources/Nightly", Some(&nightly)).await.unwrap();
    assert_eq!(put.status(), 201);
    until(|| held.exists()).await;
    assert_eq!(fetched(&data_dir, &tenant), 1);
    assert_eq!(api.send(Method::DELETE, "/admin/sources/Nightly", None).await.unwrap().status(), 204);
    until(|| fetched(&data_dir, &tenant) == 0).await;
    std::fs::remove_file(&held).unwrap();
    assert_eq!(api.get(&format!("{ROOT}/operations")).await["value"], json!([]), "nothing was handed over");
}

#[test]
fn a_file_that_has_no_sources_is_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("sources.toml");
    for (text, words) in [
        ("[[sources]]\nnam = \"a\"\n", "nam"),
        ("[uploads]\nsession_hours = 1\n", "uploads"),
        ("[[sources]]\nname = \"a\"\ntenant = \"t\"\n", "connector"),
        ("name", "TOML"),
    ] {
        std::fs::write(&file, text).unwrap();
        let output = sources(dir.path(), &[], &["add", file.to_str().unwrap()]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && told.contains(words), "{words}: {told}");
    }
    let output = sources(dir.path(), &[], &["add", "nowhere.toml"]);
    assert!(output.status.code() == Some(2) && String::from_utf8_lossy(&output.stderr).contains("nowhere.toml"));
}
