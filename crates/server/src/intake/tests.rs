use super::*;
use crate::config::{Config, Intake};
use serde_json::json;
use std::path::Path;

/// A session of the connector, as a delivery opens it.
async fn open(app: &App, ctx: &OpContext) -> String {
    let (id, terms) = (app.new_id().to_string(), jobs::session_terms(app).unwrap());
    let opening = id.clone();
    let opened = app.store().write(ctx, move |tx| upload::open_fetch(tx, "connector", "nightly", &terms, &opening));
    opened.await.unwrap_or_else(|error: StoreError| panic!("{error}"));
    id
}

/// A tenant with a connector for files.
async fn school(app: &App) -> OpContext {
    let tenant = app.create_tenant("Contoso", None, Some("contoso.example")).await.unwrap();
    let ctx = app.system(tenant.id);
    let connector = object(json!({ "displayName": "CSV", "@odata.type": "#x.azureDataLakeConnector" }));
    let insert = move |tx: &mut Tx<'_>| tx.docs(&Access::unchecked("dataConnectors"))?.insert("connector", None, &connector);
    app.store().write(&ctx, insert).await.unwrap_or_else(|error: StoreError| panic!("{error}"));
    ctx
}

fn nightly(folder: &Path) -> Source {
    serde_json::from_value(json!({ "name": "nightly", "tenant": "contoso.example", "connector": "CSV", "folder": folder })).unwrap()
}

#[tokio::test]
async fn a_stored_source_that_is_removed_takes_nothing_from_the_one_in_the_settings() {
    let dir = tempfile::tempdir().unwrap();
    let config = |sources| Config { sources, intake: Intake { folders: vec![dir.path().to_owned()] }, ..Config::default() };
    let app = App::open(&dir.path().join("data"), None, config(vec![])).unwrap();
    let ctx = school(&app).await;
    app.put_source(nightly(dir.path())).await.unwrap();
    let both = App::open(&dir.path().join("data"), None, config(vec![nightly(dir.path())])).unwrap();
    let delivered = Known { delivered_at: Some(ctx.now), ..Known::default() };
    let keep = move |tx: &mut Tx<'_>| put(tx, "nightly", &delivered);
    both.store().write(&ctx, keep).await.unwrap_or_else(|error: StoreError| panic!("{error}"));
    assert!(both.remove_source("contoso.example", "nightly").await.unwrap(), "the other one goes on");
    let [left] = &both.list_sources().await.unwrap()[..] else { panic!("one is left") };
    assert_eq!((left.set_up_by, left.delivered_at), ("homeroom.toml", Some(ctx.now)), "it has delivered its export");
    // Without the other one, what is known goes with the source.
    app.put_source(nightly(dir.path())).await.unwrap();
    assert!(!app.remove_source("contoso.example", "nightly").await.unwrap());
    assert_eq!(both.list_sources().await.unwrap()[0].delivered_at, None);
}

/// The look that will see how a validation has ended may be hours away.
#[tokio::test]
async fn a_check_says_how_the_validation_of_what_lies_there_stands() {
    let dir = tempfile::tempdir().unwrap();
    let app = App::open(&dir.path().join("data"), None, Config::default()).unwrap();
    let ctx = school(&app).await;
    let folder = dir.path().join("export");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("users.csv"), "a\n").unwrap();
    let watched = in_settings(nightly(&folder), &ctx);
    let check = || sources::check_now(&app, &watched);
    let found = |validating| Ok(ExportFound { files: 1, validating });
    assert_eq!(check().await, found(false));
    let place = watched.place(&app).await.unwrap();
    let files = place.list().await.unwrap();
    let handed_over = Known { delivered: Some(print(&watched.source, &files)), ..Known::default() };
    let Ok(known) = deliver(&app, &watched, &ctx, &place, &files, handed_over, &mut None).await else { panic!("delivered") };
    assert_eq!(check().await, found(true));
    let ends = async |status: &'static str, errors: Value| {
        let operation = known.operation.clone().unwrap();
        let write = move |tx: &mut Tx<'_>| {
            jobs::update_operation(tx, &operation, |body| {
                body.insert("status".to_owned(), json!(status));
                body.insert("errors".to_owned(), errors);
            })
        };
        app.store().write(&ctx, write).await.unwrap_or_else(|error: StoreError| panic!("{error}"));
    };
    ends("succeeded", json!([{ "message": "orgs.csv is missing" }])).await;
    assert_eq!(check().await, Err("the export was refused: orgs.csv is missing".to_owned()));
    ends("succeeded", json!([])).await;
    assert_eq!(check().await, found(false));
    // Another export than the one that is validated.
    ends("running", json!([])).await;
    std::fs::write(folder.join("orgs.csv"), "a\n").unwrap();
    assert_eq!(check().await, Ok(ExportFound { files: 2, validating: false }));
}

fn in_settings(source: Source, ctx: &OpContext) -> Watched {
    Watched { source, tenant: Some(ctx.tenant), tenant_name: None, stored: false }
}

#[tokio::test]
async fn a_source_that_is_removed_while_it_is_looked_at_delivers_nothing_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let intake = Intake { folders: vec![dir.path().to_owned()] };
    let app = App::open(&dir.path().join("data"), None, Config { intake, ..Config::default() }).unwrap();
    let ctx = school(&app).await;
    let folder = dir.path().join("export");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("users.csv"), "a\n").unwrap();
    app.put_source(nightly(&folder)).await.unwrap();
    let watched = sources::all(&app, None).await.unwrap().remove(0);
    let place = watched.place(&app).await.unwrap();
    let files = place.list().await.unwrap();
    app.remove_source("contoso.example", "nightly").await.unwrap();
    assert!(matches!(deliver(&app, &watched, &ctx, &place, &files, Known::default(), &mut None).await, Err(Undelivered::Problem(_))));
    look(&app, &watched).await;
    let left = app.store().read(&ctx, |tx| tx.docs(&INTAKE)?.get("nightly")).await;
    assert!(left.unwrap_or_else(|error: StoreError| panic!("{error}")).is_none(), "the next one of its name starts anew");
}

#[tokio::test]
async fn what_others_write_stays_on_its_line_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let app = App::open(&dir.path().join("data"), None, Config::default()).unwrap();
    let ctx = school(&app).await;
    let mut source = nightly(&dir.path().join("\u{1b}]0;pwned\u{7}\n2026 ERROR forged"));
    source.name = "nightly\n2026 ERROR forged".to_owned();
    let log = dir.path().join("log");
    let file = std::fs::File::create(&log).unwrap();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(Arc::new(file)).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    look(&app, &in_settings(source, &ctx)).await;
    drop(guard);
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("could not be looked at") && log.lines().count() == 1, "{log}");
    assert!(!log.trim_end().contains(char::is_control), "{log:?}");
}

#[test]
fn what_an_older_version_knew_is_read_and_a_refusal_is_that_of_its_export() {
    let known: Known = serde_json::from_value(json!({ "seen": "a", "delivered": "a", "problem": "x" })).unwrap();
    assert_eq!(known.refusal_of(Some("a")), None);
    let refused = Known { refused: Some("no".to_owned()), ..known };
    assert_eq!((refused.refusal_of(Some("a")), refused.refusal_of(Some("b"))), (Some("no".to_owned()), None));
    assert_eq!(Known { delivered: None, ..refused }.refusal_of(None), None);
}

#[tokio::test]
async fn nothing_of_an_export_that_cannot_be_fetched_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let app = App::open(&dir.path().join("data"), None, Config::default()).unwrap();
    let ctx = school(&app).await;
    let folder = dir.path().join("export");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("orgs.csv"), "a\n").unwrap();
    std::fs::write(folder.join("users.csv"), "a\n").unwrap();
    let place = Place::Folder(folder.clone());
    let files = place.list().await.unwrap();
    let watched = in_settings(nightly(&folder), &ctx);
    std::fs::write(folder.join("users.csv"), "ab\n").unwrap();
    let changed = deliver(&app, &watched, &ctx, &place, &files, Known::default(), &mut None).await;
    assert!(matches!(changed, Err(Undelivered::Changed)));
    std::fs::remove_file(folder.join("users.csv")).unwrap();
    let gone = deliver(&app, &watched, &ctx, &place, &files, Known::default(), &mut None).await;
    assert!(matches!(gone, Err(Undelivered::Problem(_))));
    let uploads = app.store().blobs().path(ctx.tenant, "uploads").unwrap();
    assert!(uploads.is_dir(), "something was fetched");
    assert_eq!(std::fs::read_dir(uploads).unwrap().count(), 0);
    let sessions = app.store().read(&ctx, |tx| tx.docs(&Access::unchecked("_uploadSessions"))?.list(None, None, 9)).await;
    assert!(sessions.unwrap_or_else(|error: StoreError| panic!("{error}")).is_empty(), "and nobody is given the session");
}

async fn claimed(app: &App, ctx: OpContext) -> Option<Known> {
    let id = app.new_id().to_string();
    let claim = move |tx: &mut Tx<'_>| {
        let watched = in_settings(nightly(Path::new("/x")), tx.ctx());
        claim(tx, &watched, id, SignedDuration::from_mins(5))
    };
    app.store().write(&ctx, claim).await.unwrap_or_else(|error: StoreError| panic!("{error}"))
}

#[tokio::test]
async fn a_look_that_took_longer_than_its_lease_undoes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let app = App::open(dir.path(), None, Config::default()).unwrap();
    let ctx = school(&app).await;
    let at = |minutes| OpContext { now: ctx.now + SignedDuration::from_mins(minutes), ..ctx.clone() };
    let released = async |found: Known| {
        let released = app.store().write(&ctx, move |tx| release(tx, "nightly", found)).await;
        released.unwrap_or_else(|error: StoreError| panic!("{error}"));
        stored(&app, &ctx).await
    };
    let slow = claimed(&app, at(0)).await.unwrap();
    assert!(claimed(&app, at(4)).await.is_none(), "it is being looked at");
    let other = claimed(&app, at(6)).await.unwrap();
    let outcome = hand_over(&app, &ctx, delivery(open(&app, &ctx).await), slow.clone()).await;
    assert!(matches!(outcome, Err(Undelivered::Changed)), "the other one hands over");
    assert_eq!(released(slow.clone()).await.claim, other.claim);
    let left = released(Known { delivered: Some("its export".to_owned()), ..other }).await;
    assert_eq!((left.delivered.as_deref(), left.claim, left.lease_until), (Some("its export"), None, None));
    assert_eq!(released(slow.clone()).await.delivered, left.delivered);
    // Nor does it bring back what is known of a source that was removed.
    let removed = app.store().write(&ctx, |tx| forget(tx, "nightly")).await;
    removed.unwrap_or_else(|error: StoreError| panic!("{error}"));
    assert_eq!(released(slow).await.looked_at, None);
    let left = app.store().read(&ctx, |tx| tx.docs(&INTAKE)?.get("nightly")).await;
    assert!(left.unwrap_or_else(|error: StoreError| panic!("{error}")).is_none());
}

async fn stored(app: &App, ctx: &OpContext) -> Known {
    let stored = app.store().read(ctx, |tx| known(tx, "nightly")).await;
    stored.unwrap_or_else(|error: StoreError| panic!("{error}"))
}

/// A server that takes connections and says nothing: a look at it goes on until it is given up.
async fn silent() -> (tokio::net::TcpListener, Source) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let sftp = json!({ "host": "127.0.0.1", "port": port, "user": "homeroom", "password": "x", "path": "/out",
                           "host_key": format!("SHA256:{}", "A".repeat(43)) });
    let source = json!({ "name": "nightly", "tenant": "contoso.example", "connector": "CSV", "sftp": sftp });
    (listener, serde_json::from_value(source).unwrap())
}

#[tokio::test]
async fn a_look_keeps_its_lease_for_as_long_as_it_goes_on_and_ends_when_it_has_lost_it() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { worker: crate::config::Worker { lease_seconds: 1, jobs_at_once: None }, ..Config::default() };
    let app = App::open(dir.path(), None, config).unwrap();
    let ctx = school(&app).await;
    let (_listener, source) = silent().await;
    let (looking, watched) = (app.clone(), in_settings(source, &ctx));
    let going = tokio::spawn(async move { look(&looking, &watched).await });
    // However long that takes on a busy machine.
    let until = async |holds: &dyn Fn(&Known) -> bool| loop {
        let known = stored(&app, &ctx).await;
        if holds(&known) {
            return known;
        }
        assert!(!going.is_finished(), "{known:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let first = until(&|known| known.claim.is_some()).await;
    let kept = until(&|known| known.lease_until > first.lease_until).await;
    assert_eq!(kept.claim, first.claim);
    // Another one has it: this one neither goes on nor says how the source stands.
    let other = Known { claim: Some("another".to_owned()), ..kept };
    let taken = other.clone();
    let take = app.store().write(&ctx, move |tx| put(tx, "nightly", &taken)).await;
    take.unwrap_or_else(|error: StoreError| panic!("{error}"));
    going.await.unwrap();
    let left = stored(&app, &ctx).await;
    assert_eq!((left.claim, left.looked_at, left.problem), (other.claim, None, None));
}

fn delivery(container: String) -> Delivery {
    let (source, connector) = ("nightly".to_owned(), "connector".to_owned());
    Delivery { source, connector, container, origin: "folder /x".to_owned() }
}

#[tokio::test]
async fn only_the_session_that_was_filled_is_handed_over() {
    let dir = tempfile::tempdir().unwrap();
    let app = App::open(dir.path(), None, Config::default()).unwrap();
    let ctx = school(&app).await;
    let earlier = open(&app, &ctx).await;
    let later = open(&app, &ctx).await;
    let outcome = hand_over(&app, &ctx, delivery(earlier), Known::default()).await;
    assert!(matches!(outcome, Err(Undelivered::Changed)), "a later fetch has discarded it");
    // Nothing came of it: the other session is still open, and nothing counts as delivered.
    let outcome = hand_over(&app, &ctx, delivery(later), Known { run_wanted: true, ..Known::default() }).await;
    let Ok(handed_over) = outcome else { panic!("the open session can be handed over") };
    let stored = stored(&app, &ctx).await;
    assert!(stored.operation.is_some() && stored.operation == handed_over.operation && stored.run_wanted);
    // Nor is an export handed over to a connector that has gone meanwhile.
    let last = open(&app, &ctx).await;
    let gone = app.store().write(&ctx, |tx| tx.docs(&Access::unchecked("dataConnectors"))?.delete("connector")).await;
    gone.unwrap_or_else(|error: StoreError| panic!("{error}"));
    assert!(matches!(hand_over(&app, &ctx, delivery(last), handed_over).await, Err(Undelivered::Changed)));
}

/// What a client is sending, and what is fetched for the same connector, do not meet.
#[tokio::test]
async fn a_client_is_given_a_session_of_its_own_while_an_export_is_fetched() {
    let dir = tempfile::tempdir().unwrap();
    let app = App::open(dir.path(), None, Config::default()).unwrap();
    let ctx = school(&app).await;
    let session = async |reset: bool| {
        let worker = app.clone();
        let opened = app.store().write(&ctx, move |tx| jobs::open_upload_session(&worker, tx, "connector", "http://h", reset)).await;
        let opened = opened.unwrap_or_else(|error: AppError| panic!("{error:?}"));
        opened["containerId"].as_str().unwrap().to_owned()
    };
    let clients = session(false).await;
    let fetched = open(&app, &ctx).await;
    assert_eq!(session(false).await, clients, "which the fetch has left open");
    let reset = session(true).await;
    assert!(reset != fetched && reset != clients);
    assert!(hand_over(&app, &ctx, delivery(fetched), Known::default()).await.is_ok(), "and the fetch goes on");
    assert_eq!(session(false).await, reset);
}
