//! How much a session takes.

use crate::limits;
use crate::testing::{MOST, SESSION_MOST, World, broken, now, stuck, world};
use jiff::SignedDuration;
use std::time::Duration;

const FULL: (u16, &str) = (409, "ContainerQuotaExceeded");

#[tokio::test]
async fn a_session_has_a_greatest_size() {
    let w = world().await;
    let most = "x".repeat(MOST as usize);
    // Files, blocks and appends count alike.
    let files = 58;
    for number in 0..files {
        assert_eq!(w.put(&format!("/{number}.csv"), &most).await.status, 201);
    }
    let mut taken = files * MOST;
    let mut last = 201;
    for number in 0..6 {
        let name = format!("/staged-{number}.csv");
        for extra in ["&comp=block&blockid=MQ%3D%3D", "&comp=block&blockid=Mg%3D%3D"] {
            last = w.send("PUT", &name, extra, &[], &most).await.status;
            taken += if last == 201 { MOST } else { 0 };
        }
    }
    assert_eq!((last, taken), (201, SESSION_MOST));
    assert_eq!(w.append("/1.csv", 0, "x").await.refusal(), FULL);
    assert_eq!(w.put("/2.csv", "x").await.refusal(), FULL);
    let list = w.send("PUT", "/staged-1.csv", "&comp=blocklist", &[], "<BlockList><Latest>MQ==</Latest></BlockList>").await;
    assert_eq!(list.refusal(), FULL, "the file of the blocks needs room, too");
    assert_eq!(w.put("/3.csv", "").await.status, 201, "nothing needs no room, and what it replaces gives some");
    assert_eq!(w.append("/1.csv", 0, "x").await.status, 202);
    assert_eq!(w.send("DELETE", "/2.csv", "", &[], "").await.status, 202);
    assert_eq!(w.put("/2.csv", &"x".repeat(MOST as usize - 1)).await.status, 201);
}

/// What is announced counts while it is on its way, and not any more when it does not come.
#[tokio::test]
async fn announced_bytes_keep_their_room_while_they_arrive() {
    let w = world().await;
    let announce = |number: u64| {
        let request = w.request("PUT", &format!("/{number}.csv"), "", &[crate::testing::BLOB, ("content-length", "1000")], b"");
        crate::UploadRequest { body: stuck(b"x"), ..request }
    };
    let arriving: Vec<_> = (0..SESSION_MOST / MOST)
        .map(|number| {
            // Beyond the number of names, the same names again.
            let (request, w) = (announce(number % 60), w.clone());
            tokio::spawn(async move { w.handle(request).await })
        })
        .collect();
    // Each has its room when it has its file; until then, what comes between could take one's room.
    for _ in 0..6_000 {
        if w.on_disk("staging").len() == arriving.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refused = w.put("/more.csv", "x").await.status;
    assert_eq!(refused, 409);
    for request in &arriving {
        request.abort();
    }
    for request in arriving {
        assert!(request.await.unwrap_err().is_cancelled());
    }
    assert_eq!(w.put("/more.csv", "x").await.status, 201);
    assert_eq!(w.on_disk("staging"), [""; 0]);
}

/// Blocks that are sent again do not fill the session, and a broken one keeps no room.
#[tokio::test]
async fn blocks_that_are_sent_again_count_once() {
    let w = world().await;
    let most = "x".repeat(MOST as usize);
    for _ in 0..100 {
        assert_eq!(w.send("PUT", "/a.csv", "&comp=block&blockid=MQ%3D%3D", &[], &most).await.status, 201);
        let lost = w.request("PUT", "/a.csv", "&comp=block&blockid=Mg%3D%3D", &[("content-length", "1000")], b"");
        assert_eq!(w.handle(crate::UploadRequest { body: broken(b"xx"), ..lost }).await.code(), "IncompleteBody");
    }
}

/// What another process adds and takes away is found by counting again.
#[tokio::test]
async fn several_processes_share_the_limit() {
    let w = world().await;
    let other = World { service: crate::testing::service(w.service.store.clone()), ..w.clone() };
    let most = "x".repeat(MOST as usize);
    assert_eq!(w.put("/a.csv", "").await.status, 201);
    assert_eq!(w.append("/a.csv", 0, "").await.status, 202);
    for number in 0..60 {
        assert_eq!(other.put(&format!("/{number}.csv"), &most).await.status, 201);
    }
    for number in 0..10 {
        let name = format!("/{number}.csv");
        assert_eq!(other.send("PUT", &name, "&comp=block&blockid=MQ%3D%3D", &[], &most).await.status, 201);
    }
    let append = async |seconds: i64| {
        let request = w.request("PATCH", "/a.csv", "&action=append&position=0", &[], b"x");
        let answer = w.handle_at(request, now() + SignedDuration::from_secs(seconds)).await;
        (answer.status, answer.code().to_owned())
    };
    let full = (FULL.0, FULL.1.to_owned());
    assert_eq!(append(61).await, full);
    other.send("DELETE", "/0.csv", "", &[], "").await;
    assert_eq!(append(62).await, full, "counted a moment ago");
    assert_eq!(append(64).await, (202, String::new()));
}

/// However stale the count of one of them is: what is committed never exceeds the limit.
#[tokio::test]
async fn several_processes_do_not_commit_more_than_the_limit() {
    let limits = crate::UploadLimits { file_bytes: MOST, session_bytes: 2 * MOST };
    let first = world().await;
    let process = || World { service: crate::testing::service_with(first.service.store.clone(), limits), ..first.clone() };
    let (put, blocks, appends, other) = (process(), process(), process(), process());
    for counted in [&put, &blocks, &appends] {
        assert_eq!(counted.append("/a.csv", 0, "").await.status, 202);
    }
    let most = "x".repeat(MOST as usize);
    for name in ["/d.csv", "/e.csv"] {
        assert_eq!(other.put(name, &most).await.status, 201);
    }
    // None of the three knows of that yet, and so takes what comes.
    assert_eq!(put.put("/a.csv", &most).await.refusal(), FULL);
    assert_eq!(blocks.send("PUT", "/b.csv", "&comp=block&blockid=MQ%3D%3D", &[], "x").await.status, 201);
    let list = "<BlockList><Latest>MQ==</Latest></BlockList>";
    assert_eq!(blocks.send("PUT", "/b.csv", "&comp=blocklist", &[], list).await.refusal(), FULL);
    assert_eq!(appends.append("/c.csv", 0, "x").await.status, 202);
    assert_eq!(appends.flush("/c.csv", 1).await.refusal(), FULL);
    assert_eq!(other.on_disk("files"), ["d.csv", "e.csv"]);
    for started in ["/b.csv", "/c.csv"] {
        other.send("DELETE", started, "", &[], "").await;
    }
    assert_eq!(put.put("/d.csv", "").await.status, 201);
    assert_eq!(put.put("/a.csv", &most).await.status, 201);
}

#[tokio::test]
async fn a_name_in_other_capitals_is_the_same_name() {
    let w = world().await;
    w.put("/Users.csv", "x").await;
    let taken = w.put("/users.csv", "y").await;
    assert_eq!(taken.refusal(), (409, "BlobAlreadyExists"));
    assert!(String::from_utf8(taken.body.unwrap()).unwrap().contains("Users.csv"));
    for (method, extra) in [
        ("PUT", "&comp=block&blockid=MQ%3D%3D"),
        ("PATCH", "&action=append&position=0"),
        ("PUT", "&resource=file"),
        ("PUT", "&comp=blocklist"),
    ] {
        let body = if extra.contains("resource") { "" } else { "y" };
        assert_eq!(w.send(method, "/USERS.csv", extra, &[], body).await.refusal(), (409, "BlobAlreadyExists"), "{extra}");
    }
    let source = format!("{}/Users.csv", w.path);
    assert_eq!(w.send("PUT", "/users.csv", "&mode=legacy", &[("x-ms-rename-source", &source)], "").await.status, 201);
    assert_eq!((w.text("/users.csv").await.as_str(), w.text("/Users.csv").await.as_str()), ("x", "BlobNotFound"));
}

mod thorough {
    use super::*;

    /// 50,000 blocks are taken, and in a time that grows with their number and not with its square.
    #[tokio::test]
    async fn as_many_blocks_as_azure_takes() {
        let w = world().await;
        w.send("PUT", "/a.csv", "&comp=block&blockid=AAAA", &[], "").await;
        // Laid down as blocks that have arrived: fifty thousand times two syncs would only test the disk.
        let folder = w.folder("box").join("staging/blocks/a.csv");
        for number in 1..limits::BLOCKS_MAX {
            std::fs::write(folder.join(format!("{number:06x}")), "").unwrap();
        }
        let id = |number: usize| {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(&(number as u32).to_be_bytes()[1..])
        };
        let later = now() + SignedDuration::from_secs(61);
        let one_more = w.request("PUT", "/a.csv", &format!("&comp=block&blockid={}", id(limits::BLOCKS_MAX)), &[], b"");
        assert_eq!(w.handle_at(one_more, later).await.refusal(), (409, "BlockCountExceedsLimit"));
        let list = |count: usize| -> String { (0..count).map(|number| format!("<Latest>{}</Latest>", id(number))).collect() };
        let too_many =
            w.send("PUT", "/a.csv", "&comp=blocklist", &[], &format!("<BlockList>{}</BlockList>", list(limits::BLOCKS_MAX + 1))).await;
        assert_eq!(too_many.refusal(), (400, "BlockListTooLong"));
        let all = w.send("PUT", "/a.csv", "&comp=blocklist", &[], &format!("<BlockList>{}</BlockList>", list(limits::BLOCKS_MAX))).await;
        assert_eq!(all.status, 201);
        let listed = w.send("GET", "/a.csv", "&comp=blocklist", &[], "").await;
        assert_eq!(String::from_utf8(listed.body.unwrap()).unwrap().matches("<Block>").count(), limits::BLOCKS_MAX);
    }
}
