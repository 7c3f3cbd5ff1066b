use crate::UploadRequest;
use crate::testing::Answered;
use crate::testing::{BLOB, World, world, world_on};
use bytes::Bytes;
use futures_util::StreamExt as _;
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// A request whose body waits in the middle, and what lets it go on.
fn waiting(w: &World, method: &str, name: &str, extra: &str, body: &str) -> (tokio::task::JoinHandle<Answered>, oneshot::Sender<()>) {
    let (go, gone) = oneshot::channel::<()>();
    let length = body.len().to_string();
    let request = w.request(method, name, extra, &[BLOB, ("content-length", &length)], b"");
    let body = Bytes::copy_from_slice(body.as_bytes());
    let wait = futures_util::stream::once(async move {
        let _ = gone.await;
        Ok(body)
    });
    let request = UploadRequest { body: Box::pin(futures_util::stream::iter([Ok(Bytes::new())]).chain(wait)), ..request };
    let world = w.clone();
    (tokio::spawn(async move { world.handle(request).await }), go)
}

const UPLOADS: [(&str, &str); 3] =
    [("PUT", ""), ("PUT", "&comp=block&blockid=MQ%3D%3D"), ("PATCH", "&action=append&position=0&flush=true")];

#[tokio::test]
async fn what_arrives_after_the_session_was_closed_is_refused() {
    for (method, extra) in UPLOADS {
        let w = world().await;
        w.put("/a.csv", "old").await;
        let (late, go) = waiting(&w, method, "/a.csv", extra, "new");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let (_, files) = w.close(&w.ctx).await.unwrap();
        go.send(()).unwrap();
        assert_eq!(late.await.unwrap().refusal(), (404, "ContainerNotFound"), "{method} {extra}");
        assert_eq!(std::fs::read_to_string(&files[0].path).unwrap(), "old");
        assert_eq!(w.on_disk(""), ["a.csv"]);
        assert_eq!(w.put("/b.csv", "x").await.refusal(), (404, "ContainerNotFound"));
        assert_eq!(w.text("/a.csv").await, "ContainerNotFound");
    }
}

#[tokio::test]
async fn a_container_that_is_taken_away_is_no_fault_of_the_server() {
    for (method, extra) in UPLOADS {
        let w = world().await;
        let (late, go) = waiting(&w, method, "/a.csv", extra, "new");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        w.close(&w.ctx).await.unwrap();
        std::fs::remove_dir_all(w.folder("box")).unwrap();
        go.send(()).unwrap();
        assert_eq!(late.await.unwrap().refusal(), (404, "ContainerNotFound"), "{method} {extra}");
        assert_eq!(w.on_disk(""), [""; 0]);
    }
}

/// Uploads at once while the session is closed: what was acknowledged is what was closed.
async fn closing_among_uploads(w: World) {
    let uploads: Vec<_> = (0..40)
        .map(|number| {
            let w = w.clone();
            tokio::spawn(async move {
                let name = format!("{}.csv", number % 20);
                (name.clone(), number, w.put(&format!("/{name}"), &number.to_string()).await)
            })
        })
        .collect();
    let closer = w.clone();
    let closing = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(15)).await;
        let (id, files) = closer.close(&closer.ctx).await.unwrap();
        // The files as they were when the session was closed.
        let files = files
            .into_iter()
            .map(|file| (file.name.clone(), (file.etag, std::fs::read_to_string(&file.path).unwrap())))
            .collect::<BTreeMap<_, _>>();
        (id, files)
    });
    let mut acknowledged: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for upload in uploads {
        let (name, number, answer) = upload.await.unwrap();
        match answer.status {
            201 => acknowledged.entry(name).or_default().push(number.to_string()),
            _ => assert_eq!(answer.refusal(), (404, "ContainerNotFound")),
        }
    }
    let (id, closed) = closing.await.unwrap();
    assert_eq!(closed.keys().collect::<Vec<_>>(), acknowledged.keys().collect::<Vec<_>>());
    let container = crate::Container::new(&w.service.store, w.ctx.tenant, &id).unwrap();
    for file in container.list().unwrap() {
        let (etag, text) = &closed[&file.name];
        assert_eq!((etag, text), (&file.etag, &std::fs::read_to_string(&file.path).unwrap()), "{} changed after the close", file.name);
        assert!(acknowledged[&file.name].contains(text));
    }
}

/// `If-None-Match: *` by many at once: one of them wins.
async fn the_first_of_many(w: World) {
    for extra in ["", "&comp=blocklist", "&resource=file"] {
        let name = format!("/{}.csv", extra.len());
        if extra == "&comp=blocklist" {
            w.send("PUT", &name, "&comp=block&blockid=MQ%3D%3D", &[], "x").await;
        }
        let body = match extra {
            "" => "x",
            "&comp=blocklist" => "<BlockList><Latest>MQ==</Latest></BlockList>",
            _ => "",
        };
        let puts: Vec<_> = (0..12)
            .map(|_| {
                let (w, name) = (w.clone(), name.clone());
                tokio::spawn(async move { w.send("PUT", &name, extra, &[BLOB, ("if-none-match", "*")], body).await.status })
            })
            .collect();
        let mut made = 0;
        for put in puts {
            match put.await.unwrap() {
                201 => made += 1,
                // A list whose blocks the winner has used up is invalid by then.
                400 if extra == "&comp=blocklist" => {}
                status => assert_eq!(status, 409),
            }
        }
        assert_eq!(made, 1, "{extra}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closing_among_uploads_on_sqlite() {
    closing_among_uploads(world().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_first_of_many_on_sqlite() {
    the_first_of_many(world().await).await;
}

/// With `HOMEROOM_TEST_POSTGRES_URL`, as the test script sets it: the same on a database of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_on_postgresql() {
    let Ok(url) = std::env::var("HOMEROOM_TEST_POSTGRES_URL") else { return };
    let (server, _) = url.rsplit_once('/').unwrap();
    let admin = async |sql: String| {
        let url = url.clone();
        tokio::task::spawn_blocking(move || postgres::Client::connect(&url, postgres::NoTls).unwrap().batch_execute(&sql).unwrap())
            .await
            .unwrap();
    };
    for _ in 0..3 {
        let name = format!("upload_{}", uuid::Uuid::new_v4().simple());
        admin(format!("CREATE DATABASE {name}")).await;
        let database = format!("{server}/{name}");
        let w = world_on(Some(database)).await;
        the_first_of_many(w.clone()).await;
        // Two who ask for a session at once get the same one.
        let opened = futures_util::future::join_all(["s1", "s2", "s3", "s4"].map(|id| {
            let w = w.clone();
            async move {
                let service = w.service.clone();
                let open = move |tx: &mut store::Tx<'_>| {
                    crate::open_session(&service, tx, "fresh", "http://h", &crate::testing::terms(), false, id)
                };
                w.service.store.write::<_, store::StoreError>(&w.ctx, open).await.unwrap().container_id
            }
        }))
        .await;
        assert!(opened.iter().all(|id| *id == opened[0]), "{opened:?}");
        let box2 = w.open("box2", true, crate::testing::now()).await;
        assert_eq!(box2.container_id, "box2");
        closing_among_uploads({
            let mut w = w.clone();
            w.go_to(&box2);
            w
        })
        .await;
        admin(format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn uploads_of_one_file_at_once_never_mix() {
    let w = world().await;
    let body = |letter: char| letter.to_string().repeat(500);
    for _ in 0..5 {
        let uploads: Vec<_> = ('a'..='h')
            .map(|letter| {
                let (w, body) = (w.clone(), body(letter));
                tokio::spawn(async move {
                    let id = format!("&comp=block&blockid={}", ["MQ%3D%3D", "Mg%3D%3D"][letter as usize % 2]);
                    match letter {
                        'a' | 'b' | 'c' => w.put("/a.csv", &body).await.status,
                        'd' | 'e' => w.send("PUT", "/a.csv", &id, &[], &body).await.status,
                        'f' => w.send("PUT", "/a.csv", "&comp=blocklist", &[], "<BlockList><Latest>MQ==</Latest></BlockList>").await.status,
                        _ => w.send("PATCH", "/a.csv", "&action=append&position=0&flush=true", &[], &body).await.status,
                    }
                })
            })
            .collect();
        for upload in uploads {
            assert!(upload.await.unwrap() < 500);
        }
        let text = w.text("/a.csv").await;
        assert_eq!(text, body(text.chars().next().unwrap()), "a mixture");
    }
}

/// An append that is under way when the file is flushed does not reach into the flushed file.
#[tokio::test]
async fn an_append_does_not_change_what_was_flushed() {
    let w = world().await;
    w.append("/a.csv", 0, "abc").await;
    let (late, go) = waiting(&w, "PATCH", "/a.csv", "&action=append&position=0", "XYZ");
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(w.flush("/a.csv", 3).await.status, 200);
    go.send(()).unwrap();
    assert_eq!(late.await.unwrap().status, 202);
    assert_eq!(w.text("/a.csv").await, "abc");
}

/// An append for the next flush is not lost when the one before it is committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_upload_in_many_appends_at_once() {
    let w = world().await;
    let appends: Vec<_> = (0..100)
        .map(|number| {
            let w = w.clone();
            tokio::spawn(async move { w.append("/a.csv", number * 10, &format!("{number:010}")).await.status })
        })
        .collect();
    for append in appends {
        assert_eq!(append.await.unwrap(), 202);
    }
    assert_eq!(w.flush("/a.csv", 1_000).await.status, 200);
    let expected: String = (0..100).map(|number| format!("{number:010}")).collect();
    assert_eq!(w.text("/a.csv").await, expected);
}
