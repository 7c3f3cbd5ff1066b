//! What a session URL with fewer rights lets its holder do.

use crate::testing::{BLOB, World, world};

const DENIED: (u16, &str) = (403, "AuthorizationPermissionMismatch");

async fn codes(w: &World, requests: &[(&str, &str, &str)]) -> Vec<u16> {
    let mut codes = Vec::new();
    for (method, name, extra) in requests {
        codes.push(w.send(method, name, extra, &[BLOB], "").await.status);
    }
    codes
}

const READS: [(&str, &str, &str); 4] =
    [("GET", "/a.csv", ""), ("HEAD", "/a.csv", ""), ("GET", "/a.csv", "&comp=metadata"), ("GET", "/a.csv", "&comp=blocklist")];
const WRITES: [(&str, &str, &str); 6] = [
    ("PUT", "/a.csv", ""),
    ("PUT", "/b.csv", "&comp=block&blockid=MQ%3D%3D"),
    ("PUT", "/a.csv", "&comp=metadata"),
    ("PUT", "/a.csv", "&resource=file"),
    ("PATCH", "/a.csv", "&action=append&position=0"),
    ("PATCH", "/a.csv", "&action=flush&position=0"),
];

#[tokio::test]
async fn who_may_only_write_sees_nothing() {
    let all = world().await;
    all.put("/a.csv", "of somebody else").await;
    let w = all.with_rights("cw").await;
    assert_eq!(codes(&w, &READS).await, [403; 4]);
    let list = w.send("GET", "", "&restype=container&comp=list", &[], "").await;
    assert_eq!(list.refusal(), DENIED);
    assert_eq!(w.send("GET", "", "&resource=filesystem", &[], "").await.refusal(), DENIED);
    assert_eq!(w.send("DELETE", "/a.csv", "", &[], "").await.refusal(), DENIED);
    let source = format!("{}/a.csv", w.path);
    assert_eq!(w.send("PUT", "/c.csv", "&mode=legacy", &[("x-ms-rename-source", &source)], "").await.refusal(), DENIED);
    assert!(codes(&w, &WRITES).await.iter().all(|status| matches!(status, 200..=202)));
    assert_eq!(all.text("/a.csv").await, "");
}

#[tokio::test]
async fn who_may_only_create_replaces_nothing() {
    let all = world().await;
    let w = all.with_rights("c").await;
    assert_eq!(w.put("/a.csv", "first").await.status, 201);
    let overwrite = (403, "UnauthorizedBlobOverwrite");
    assert_eq!(w.put("/a.csv", "second").await.refusal(), overwrite);
    assert_eq!(w.send("PUT", "/a.csv", "&resource=file", &[], "").await.refusal(), overwrite);
    w.append("/a.csv", 0, "other").await;
    assert_eq!(w.flush("/a.csv", 5).await.refusal(), overwrite);
    w.send("PUT", "/a.csv", "&comp=block&blockid=MQ%3D%3D", &[], "x").await;
    let list = w.send("PUT", "/a.csv", "&comp=blocklist", &[], "<BlockList><Latest>MQ==</Latest></BlockList>").await;
    assert_eq!(list.refusal(), overwrite);
    assert_eq!(w.send("PUT", "/a.csv", "&comp=metadata", &[], "").await.refusal(), DENIED);
    assert_eq!(all.text("/a.csv").await, "first");
    w.append("/b.csv", 0, "new").await;
    assert_eq!(w.flush("/b.csv", 3).await.status, 200);
}

#[tokio::test]
async fn rights_are_signed() {
    let all = world().await;
    all.put("/a.csv", "x").await;
    let w = all.with_rights("cw").await;
    let forged = World { query: w.query.replace("sp=cw", "sp=rcwdlm"), ..w.clone() };
    assert_eq!(forged.text("/a.csv").await, "AuthenticationFailed");
    assert_eq!(all.text("/a.csv").await, "x");
}
