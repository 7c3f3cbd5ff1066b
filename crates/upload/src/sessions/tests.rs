use super::*;
use crate::testing::{World, now, world};

const HOUR: i64 = 3_600;

fn at(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

async fn states(w: &World) -> Vec<(String, String)> {
    let read = |tx: &mut Tx<'_>| tx.docs(&SESSIONS)?.list(None, None, 99);
    let docs = w.service.store.read::<_, StoreError>(&w.ctx, read).await.unwrap();
    docs.into_iter().map(|doc| (doc.id.clone(), doc.body["state"].as_str().unwrap().to_owned())).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(id, state)| ((*id).to_owned(), (*state).to_owned())).collect()
}

#[tokio::test]
async fn an_open_session_is_given_again_until_it_is_reset() {
    let mut w = world().await;
    let again = w.open("box2", false, at(60)).await;
    assert_eq!(again.container_id, "box");
    assert_eq!(again.session_expires, at(HOUR));
    assert_eq!(again.container_expires, at(35 * HOUR));
    w.put("/users.csv", "x").await;
    let reset = w.open("box3", true, at(60)).await;
    assert_eq!(reset.container_id, "box3");
    assert_eq!(states(&w).await, pairs(&[("box", "discarded"), ("box3", "open")]));
    assert_eq!(w.put("/users.csv", "y").await.refusal(), (404, "ContainerNotFound"));
    w.go_to(&reset);
    assert_eq!(w.text("/users.csv").await, "BlobNotFound");
    assert_eq!(w.put("/users.csv", "z").await.status, 201);
}

#[tokio::test]
async fn a_session_takes_files_for_its_time_and_can_be_closed_for_longer() {
    let w = world().await;
    w.put("/users.csv", "x").await;
    let late = w.handle_at(w.request("GET", "/users.csv", "", &[], b""), at(HOUR)).await;
    assert_eq!(late.refusal(), (403, "AuthenticationFailed"));
    let (id, files) = w.close(&w.at(35 * HOUR - 1)).await.unwrap();
    assert_eq!((id.as_str(), files.len(), files[0].name.as_str()), ("box", 1, "users.csv"));
    assert!(w.close(&w.ctx).await.is_none(), "closed twice");
}

#[tokio::test]
async fn a_container_whose_time_is_over_is_not_closed_any_more() {
    let w = world().await;
    assert!(w.close(&w.at(35 * HOUR)).await.is_none());
}

#[tokio::test]
async fn a_new_session_takes_the_place_of_one_that_has_expired() {
    let w = world().await;
    assert_eq!(w.open("box2", false, at(HOUR)).await.container_id, "box2");
    assert_eq!(states(&w).await, pairs(&[("box", "discarded"), ("box2", "open")]));
    assert_eq!(w.close(&w.at(HOUR)).await.unwrap().0, "box2");
}

#[tokio::test]
async fn no_setting_reaches_the_end_of_time() {
    let w = world().await;
    let (service, terms) = (w.service.clone(), SessionTerms { hours: u32::MAX, rights: Rights::all() });
    let open = move |tx: &mut Tx<'_>| open_session(&service, tx, "other", "http://h", &terms, false, "long");
    let session = w.service.store.write::<_, StoreError>(&w.ctx, open).await.unwrap();
    assert_eq!(session.session_expires, at(i64::from(HOURS_MAX) * HOUR));
}

#[tokio::test]
async fn a_sweep_removes_what_is_over_and_nothing_else() {
    let w = world().await;
    w.put("/users.csv", "x").await;
    w.append("/orgs.csv", 0, "x").await;
    assert!(sweep(&w.service, &w.at(35 * HOUR - 1)).await.unwrap().is_empty());
    assert!(w.folder("box").is_dir());
    assert_eq!(sweep(&w.service, &w.at(35 * HOUR)).await.unwrap(), ["box"]);
    assert!(!w.folder("box").exists());
    assert!(states(&w).await.is_empty());
    assert!(sweep(&w.service, &w.at(35 * HOUR)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_session_is_discarded_with_its_files_unless_they_were_taken() {
    let mut w = world().await;
    w.put("/users.csv", "x").await;
    let taken = w.close(&w.ctx).await.unwrap().0;
    let replaced = w.open("box2", true, now()).await;
    w.go_to(&replaced);
    w.put("/users.csv", "y").await;
    w.open("box3", true, now()).await;
    for id in [&taken, "box2", "box3", "box3"] {
        discard_session(&w.service, &w.ctx, id).await.unwrap();
    }
    assert_eq!(states(&w).await, pairs(&[("box", "closed")]));
    assert!(w.folder("box").join("files/users.csv").is_file() && !w.folder("box2").exists());
}

#[tokio::test]
async fn a_sweep_leaves_a_closed_container_to_its_validation() {
    let w = world().await;
    w.put("/users.csv", "x").await;
    w.close(&w.ctx).await.unwrap();
    assert!(sweep(&w.service, &w.at(40 * HOUR)).await.unwrap().is_empty());
    assert!(w.folder("box").join("files/users.csv").is_file());
    assert_eq!(sweep(&w.service, &w.at((35 + 30 * 24) * HOUR)).await.unwrap(), ["box"]);
    assert!(!w.folder("box").exists());
}

#[tokio::test]
async fn a_sweep_goes_on_where_a_killed_one_stopped() {
    let w = world().await;
    w.put("/users.csv", "x").await;
    w.open("box2", true, now()).await;
    // As if it had been killed after the files were removed, before the session was forgotten.
    std::fs::remove_dir_all(w.folder("box")).unwrap();
    assert_eq!(sweep(&w.service, &w.ctx).await.unwrap(), ["box"]);
    assert_eq!(states(&w).await, pairs(&[("box2", "open")]));
}

#[tokio::test]
async fn a_sweep_goes_through_all_pages_and_stays_in_its_tenant() {
    let w = world().await;
    let insert = |tx: &mut Tx<'_>| {
        for number in 0..SWEEP_PAGE + 3 {
            let body = json!({ "state": "discarded", "containerExpires": now().to_string() });
            tx.docs(&SESSIONS)?.insert(&format!("old-{number:04}"), Some("c"), &object(body))?;
        }
        Ok(())
    };
    w.service.store.write::<_, StoreError>(&w.ctx, insert).await.unwrap();
    let other = OpContext { tenant: store::TenantId(uuid::Uuid::from_u128(8)), ..w.ctx.clone() };
    assert!(sweep(&w.service, &other).await.unwrap().is_empty());
    assert_eq!(sweep(&w.service, &w.ctx).await.unwrap().len(), SWEEP_PAGE + 3);
    assert_eq!(states(&w).await, pairs(&[("box", "open")]));
}

#[tokio::test]
async fn a_sweep_removes_what_a_killed_process_was_receiving() {
    let w = world().await;
    w.put("/users.csv", "x").await;
    let arriving = w.folder("box").join("staging/arriving");
    let hours_ago = |hours: i64| std::time::SystemTime::now() - std::time::Duration::from_secs(hours as u64 * 3_600);
    let lay = |started: i64, written: i64| {
        let since = hours_ago(started).duration_since(std::time::UNIX_EPOCH).unwrap();
        let id = uuid::Uuid::new_v7(uuid::Timestamp::from_unix_time(since.as_secs(), 0, 0, 0));
        let path = arriving.join(id.to_string());
        std::fs::write(&path, "half").unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(hours_ago(written)).unwrap();
        path
    };
    // One that a slow client is still sending, and a link that was just made to a block of yesterday, are in use.
    let (left, slow, link) = (lay(3, 2), lay(3, 0), lay(0, 30));
    let aside = arriving.join(uuid::Uuid::nil().to_string());
    std::fs::create_dir(&aside).unwrap();
    std::fs::write(aside.join("00"), "a block").unwrap();
    std::fs::File::open(&aside).unwrap().set_modified(hours_ago(2)).unwrap();
    let ctx = OpContext { now: Timestamp::now(), ..w.ctx.clone() };
    // By that clock the session is over, which another session takes for itself.
    let service = w.service.clone();
    let open = move |tx: &mut Tx<'_>| open_session(&service, tx, "later", "http://h", &crate::testing::terms(), false, "box");
    let removed = w.service.store.write::<_, StoreError>(&ctx, |tx| tx.docs(&SESSIONS)?.delete("box")).await;
    removed.unwrap();
    w.service.store.write::<_, StoreError>(&ctx, open).await.unwrap();
    sweep(&w.service, &ctx).await.unwrap();
    assert!(!left.exists() && !aside.exists());
    assert!(slow.exists() && link.exists());
    assert_eq!(w.on_disk("files"), ["users.csv"]);
}

#[tokio::test]
async fn a_fetch_has_a_session_of_its_own_that_no_client_is_given() {
    let w = world().await;
    let fetch = async |ctx: &OpContext, fetcher: &'static str, id: &'static str| {
        let open = move |tx: &mut Tx<'_>| open_fetch(tx, crate::testing::CONNECTOR, fetcher, &crate::testing::terms(), id);
        w.service.store.write::<_, StoreError>(ctx, open).await.unwrap();
    };
    fetch(&w.ctx, "nightly", "fetched").await;
    // Neither takes anything from the other: the session of before is the clients', and a reset is of that one.
    assert_eq!(w.open("box2", false, at(60)).await.container_id, "box");
    assert_eq!(w.open("box3", true, at(60)).await.container_id, "box3");
    assert_eq!(w.close(&w.ctx).await.unwrap().0, "box3");
    assert!(w.close(&w.ctx).await.is_none(), "what is fetched is not handed over by a client");
    assert_eq!(states(&w).await, pairs(&[("box", "discarded"), ("box3", "closed"), ("fetched", "open")]));
    // What a fetch that was killed has left goes with the next one of the same source.
    fetch(&w.ctx, "weekly", "other").await;
    fetch(&w.ctx, "nightly", "fetched-2").await;
    assert_eq!(states(&w).await[2..], pairs(&[("fetched", "discarded"), ("fetched-2", "open"), ("other", "open")]));
    let close = async |id: &'static str| {
        let service = w.service.clone();
        let close = move |tx: &mut Tx<'_>| close_fetch(&service, tx, crate::testing::CONNECTOR, id);
        w.service.store.write::<_, StoreError>(&w.ctx, close).await.unwrap()
    };
    assert_eq!(
        [close("fetched-2").await, close("fetched-2").await, close("fetched").await, close("box3").await],
        [true, false, false, false]
    );
    assert_eq!(w.open("box4", false, at(60)).await.container_id, "box4");
    assert!(!close("box4").await, "a client's session is no fetch");
}
