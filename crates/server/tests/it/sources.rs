//! Exports that Homeroom fetches itself, from a folder: what SFTP adds is tested in `intake`.

use crate::harness::Server;
use crate::roster_files::{self, DAY_1, ORGS, account};
use server::SourceStatus;
use server::config::{Config, SftpSource, Source};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn source(folder: &Path) -> Source {
    Source {
        name: "nightly".to_owned(),
        tenant: "contoso.example".to_owned(),
        connector: "CSV".to_owned(),
        folder: Some(folder.to_owned()),
        sftp: None,
        every_seconds: 1,
        settled_seconds: 1,
        marker: None,
        start_run: true,
    }
}

async fn school(source: Source) -> (Server, String) {
    let config = Config { sources: vec![source], ..Config::default() };
    let server = Server::with(config).await;
    server.app.import_accounts(server.tenant.id, DAY_1.iter().map(|p| account(p.0)).collect()).await.unwrap();
    let (connector, _, _) = server.configure(&serde_json::json!({ "createBasedOnRoleGroup": true })).await;
    (server, connector)
}

fn write(folder: &Path, files: &[(String, Vec<u8>)]) {
    for (name, content) in files {
        std::fs::write(folder.join(name), content).unwrap();
    }
}

/// The source, as soon as it is as it should be.
async fn until(server: &Server, what: &str, is_so: impl Fn(&SourceStatus) -> bool) -> SourceStatus {
    for _ in 0..600 {
        let status = server.app.list_sources().await.unwrap().remove(0);
        if is_so(&status) {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what}: {:?}", server.app.list_sources().await.unwrap());
}

async fn runs(server: &Server, count: usize) -> Vec<serde_json::Map<String, serde_json::Value>> {
    for _ in 0..600 {
        let runs = server.app.list_runs(server.tenant.id).await.unwrap();
        if runs.len() >= count && runs[0]["status"] != "running" {
            return runs;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("there are no {count} runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_in_a_watched_folder_becomes_groups_once() {
    let folder = tempfile::tempdir().unwrap();
    // The operator may name it by a link.
    let links = tempfile::tempdir().unwrap();
    let named = links.path().join("current");
    std::os::unix::fs::symlink(folder.path(), &named).unwrap();
    let (server, _) = school(source(&named)).await;
    let files = roster_files::files(&ORGS, &DAY_1);
    write(folder.path(), &files[..2]);
    write(folder.path(), &files[2..]);
    let all = runs(&server, 1).await;
    assert_eq!(all[0]["status"], "completed", "{all:?}");
    assert_eq!(server.groups().await["All Students"].len(), 8);
    let shown = server.app.show_run(server.tenant.id, all[0]["id"].as_str().unwrap()).await.unwrap();
    assert_eq!(shown["inbound"][0]["origin"], format!("folder {}", named.display()), "a run says where its data came from");
    assert!(folder.path().join("users.csv").exists(), "what was fetched stays where it was");

    // The same export is no news; the next one is.
    let before = until(&server, "looked at", |s| s.delivered_at.is_some() && s.problem.is_none()).await;
    let again = until(&server, "looked at again", |s| s.looked_at > before.looked_at).await;
    assert_eq!((again.delivered_at, server.app.list_runs(server.tenant.id).await.unwrap().len()), (before.delivered_at, 1));
    write(folder.path(), &roster_files::files(&ORGS, &DAY_1[..7]));
    runs(&server, 2).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_an_export_or_its_place_is_told_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("later");
    let (server, _) = school(source(&missing)).await;
    let status = until(&server, "no folder", |s| s.problem.is_some()).await;
    assert!(status.problem.unwrap().contains("later"));
    std::fs::create_dir(&missing).unwrap();
    until(&server, "no files", |s| s.problem.as_ref().is_some_and(|p| p.contains("no .csv"))).await;
    write(&missing, &roster_files::files(&ORGS, &DAY_1)[..2]);
    let refused = |s: &SourceStatus| s.problem.as_ref().is_some_and(|p| p.contains("roles.csv"));
    let mut told = until(&server, "refused", refused).await;
    // It is so at every look for as long as this export lies there, and a check says it, too.
    for _ in 0..3 {
        told = until(&server, "looked at again", |s| s.looked_at > told.looked_at).await;
        assert!(refused(&told), "{told:?}");
    }
    let checked = server.app.check_sources(None).await.unwrap().remove(0).1;
    assert!(checked.as_ref().is_err_and(|why| why.contains("roles.csv")), "{checked:?}");
    assert!(server.app.list_runs(server.tenant.id).await.unwrap().is_empty());
    write(&missing, &roster_files::files(&ORGS, &DAY_1));
    runs(&server, 1).await;
    until(&server, "good", |s| s.problem.is_none()).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_sources_are_looked_at_at_once() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sftp = serde_json::json!({ "host": "127.0.0.1", "port": listener.local_addr().unwrap().port(), "user": "homeroom", "path": "/",
                                   "password": "open sesame", "host_key": format!("SHA256:{}", "A".repeat(43)) });
    let sftp: SftpSource = serde_json::from_value(sftp).unwrap();
    let remote = |number| Source { name: format!("{number}"), folder: None, sftp: Some(sftp.clone()), ..source(Path::new("")) };
    let server = Server::with(Config { sources: (0..24).map(remote).collect(), ..Config::default() }).await;
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for _ in 0..24 {
        let (connection, _) = listener.accept().await.unwrap();
        most.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let open = open.clone();
        // A server that says nothing: the look waits for it.
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(500)).await;
            open.fetch_sub(1, Ordering::SeqCst);
            drop(connection);
        });
    }
    assert!(most.load(Ordering::SeqCst) <= 8, "{most:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_waits_for_its_marker_and_for_a_connector() {
    let folder = tempfile::tempdir().unwrap();
    let mut waiting = source(folder.path());
    waiting.marker = Some("export.done".to_owned());
    waiting.connector = "Other".to_owned();
    let (server, _) = school(waiting).await;
    write(folder.path(), &roster_files::files(&ORGS, &DAY_1));
    until(&server, "marker", |s| s.problem.as_ref().is_some_and(|p| p.contains("waiting for export.done"))).await;
    // A check says what a look says.
    let check = async || server.app.check_sources(Some("nightly")).await.unwrap().remove(0).1;
    assert!(check().await.unwrap_err().contains("waiting for export.done"));
    std::fs::write(folder.path().join("export.done"), "").unwrap();
    assert!(check().await.unwrap_err().contains("no connector 'Other'"));
    until(&server, "connector", |s| s.problem.as_ref().is_some_and(|p| p.contains("no connector 'Other'"))).await;
    assert!(server.app.list_runs(server.tenant.id).await.unwrap().is_empty());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_of_a_tenant_that_is_not_there_yet_does_not_hide_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let early = Source { name: "early".to_owned(), tenant: "fabrikam.example".to_owned(), ..source(folder.path()) };
    let server = Server::with(Config { sources: vec![early, source(folder.path())], ..Config::default() }).await;
    let all = server.app.list_sources().await.unwrap();
    assert!(all[0].problem.as_ref().unwrap().contains("no tenant 'fabrikam.example'") && all.len() == 2, "{all:?}");
    // It is looked at as soon as there is one.
    server.app.create_tenant("Fabrikam", None, Some("fabrikam.example")).await.unwrap();
    until(&server, "looked at", |s| s.looked_at.is_some() && s.name == "early").await;
    server.stop().await;
}
