use crate::testing::{MOST, World, broken, world};
use store::{Store, StoreConfig};

async fn create(w: &World, name: &str) -> crate::testing::Answered {
    w.send("PUT", name, "&resource=file", &[], "").await
}

const GAP: (u16, &str) = (400, "InvalidFlushPosition");

#[tokio::test]
async fn create_append_flush() {
    let w = world().await;
    let created = create(&w, "/u.csv").await;
    assert_eq!(created.status, 201);
    assert_eq!(w.append("/u.csv", 3, "def").await.status, 202);
    assert_eq!(w.flush("/u.csv", 6).await.refusal(), GAP);
    assert_eq!(w.append("/u.csv", 0, "abc").await.status, 202);
    assert_eq!(w.text("/u.csv").await, "", "not before the flush");
    let etag = created.header("etag");
    assert_eq!(w.send("HEAD", "/u.csv", "", &[], "").await.header("etag"), etag, "appends do not change it");
    let flushed = w.send("PATCH", "/u.csv", "&action=flush&position=6&close=true", &[("if-match", etag)], "").await;
    assert_eq!(flushed.status, 200);
    assert_eq!(w.text("/u.csv").await, "abcdef");
    assert_ne!(flushed.header("etag"), etag);
    assert_eq!(w.on_disk("staging"), [""; 0]);
    // As Postman does it: what is in front of the parameters makes no difference, nor does x-ms-blob-type.
    let postman = [crate::testing::BLOB, ("x-ms-blob-content-type", "application/vnd.ms-excel")];
    assert_eq!(w.send("PUT", "/u.csv", "&resource=file", &postman, "").await.status, 201);
    assert_eq!(w.text("/u.csv").await, "", "made anew");
}

#[tokio::test]
async fn a_flush_is_as_long_as_what_was_appended() {
    let w = world().await;
    create(&w, "/u.csv").await;
    w.append("/u.csv", 0, "abcdef").await;
    for position in [0, 1, 5, 7, 999, 5_000] {
        assert_eq!(w.flush("/u.csv", position).await.refusal(), GAP, "{position}");
    }
    assert_eq!(w.text("/u.csv").await, "", "refused flushes change nothing");
    assert_eq!(w.flush("/u.csv", 6).await.status, 200);
    // Once more, as a client does whose answer got lost; and at other places.
    assert_eq!(w.flush("/u.csv", 6).await.status, 200);
    for position in [0, 5, 7] {
        assert_eq!(w.flush("/u.csv", position).await.refusal(), GAP, "{position}");
    }
    assert_eq!(w.text("/u.csv").await, "abcdef");
}

#[tokio::test]
async fn appends_that_overlap_are_not_guessed_at() {
    let w = world().await;
    create(&w, "/u.csv").await;
    w.append("/u.csv", 0, "abcdef").await;
    w.append("/u.csv", 3, "XYZ").await;
    for position in [3, 6] {
        assert_eq!(w.flush("/u.csv", position).await.refusal(), GAP, "{position}");
    }
    create(&w, "/u.csv").await;
    w.append("/u.csv", 0, "anew").await;
    assert_eq!(w.flush("/u.csv", 4).await.status, 200);
    assert_eq!(w.text("/u.csv").await, "anew");
}

#[tokio::test]
async fn an_append_at_the_same_position_takes_the_place_of_the_first() {
    let w = world().await;
    create(&w, "/u.csv").await;
    w.append("/u.csv", 0, "first try, longer").await;
    w.append("/u.csv", 0, "second").await;
    // A third one that breaks off spoils nothing.
    let lost = w.request("PATCH", "/u.csv", "&action=append&position=0", &[("content-length", "9")], b"");
    assert_eq!(w.handle(crate::UploadRequest { body: broken(b"xxxxxx"), ..lost }).await.status, 400);
    assert_eq!(w.flush("/u.csv", 6).await.status, 200);
    assert_eq!(w.text("/u.csv").await, "second");
}

#[tokio::test]
async fn a_file_can_be_flushed_in_steps() {
    let w = world().await;
    create(&w, "/u.csv").await;
    w.append("/u.csv", 0, "abc").await;
    assert_eq!(w.flush("/u.csv", 3).await.status, 200);
    w.append("/u.csv", 3, "def").await;
    w.append("/u.csv", 6, "ghi").await;
    assert_eq!(w.flush("/u.csv", 9).await.status, 200);
    assert_eq!(w.text("/u.csv").await, "abcdefghi");
    w.append("/u.csv", 8, "overlaps what is committed").await;
    assert_eq!(w.flush("/u.csv", 34).await.refusal(), GAP);
    let flushing = w.send("PATCH", "/v.csv", "&action=append&position=0&flush=true", &[], "abc").await;
    assert_eq!((flushing.status, flushing.header("etag").is_empty()), (202, false));
    assert_eq!(w.text("/v.csv").await, "abc");
}

#[tokio::test]
async fn without_create() {
    let w = world().await;
    assert_eq!(w.flush("/u.csv", 0).await.refusal(), (404, "PathNotFound"));
    assert_eq!(w.append("/u.csv", 0, "abc").await.status, 202);
    let fresh = [("if-none-match", "*")];
    assert_eq!(w.send("PATCH", "/u.csv", "&action=flush&position=3", &fresh, "").await.status, 200);
    w.append("/u.csv", 0, "xyz").await;
    let taken = w.send("PATCH", "/u.csv", "&action=flush&position=3", &fresh, "").await;
    assert_eq!(taken.refusal(), (409, "PathAlreadyExists"));
    let taken = w.send("PUT", "/u.csv", "&resource=file", &fresh, "").await;
    assert_eq!(taken.refusal(), (409, "PathAlreadyExists"));
    assert_eq!(w.text("/u.csv").await, "abc");
}

#[tokio::test]
async fn positions_are_numbers_in_reach() {
    let w = world().await;
    for position in ["-1", "x", "", "1.5", "18446744073709551616"] {
        for action in ["append", "flush"] {
            let refused = w.send("PATCH", "/u.csv", &format!("&action={action}&position={position}"), &[], "").await;
            assert_eq!(refused.refusal(), (400, "InvalidQueryParameterValue"), "{action} {position}");
        }
    }
    assert_eq!(w.send("PATCH", "/u.csv", "&action=append", &[], "x").await.status, 400);
    for position in ["1001", "9223372036854775807", "18446744073709551615"] {
        let refused = w.send("PATCH", "/u.csv", &format!("&action=append&position={position}"), &[], "x").await;
        assert_eq!(refused.refusal(), (413, "RequestBodyTooLarge"), "{position}");
        let refused = w.send("PATCH", "/u.csv", &format!("&action=flush&position={position}"), &[], "").await;
        assert_eq!(refused.status, 404, "{position}");
    }
    assert_eq!(w.append("/u.csv", 999, "xx").await.refusal(), (413, "RequestBodyTooLarge"));
    let all = "x".repeat(MOST as usize);
    assert_eq!(w.append("/u.csv", 0, &all).await.status, 202);
    assert_eq!(w.flush("/u.csv", all.len()).await.status, 200);
}

#[tokio::test]
async fn a_client_cannot_append_without_end() {
    let w = world().await;
    let mut refused = None;
    for position in 0..20 {
        let answer = w.append("/u.csv", position, &"x".repeat(500)).await;
        if answer.status != 202 {
            refused = Some((position, answer));
            break;
        }
    }
    let (position, refused) = refused.unwrap();
    assert_eq!((position, refused.refusal()), (4, (413, "RequestBodyTooLarge")));
}

#[tokio::test]
async fn what_would_be_lost_is_refused() {
    let w = world().await;
    let created = w.send("PUT", "/u.csv", "&resource=file", &[], "bytes that belong into an append").await;
    assert_eq!(created.refusal(), (400, "ContentLengthMustBeZero"));
    let mut request = w.request("PUT", "/u.csv", "&resource=file", &[], b"unannounced");
    request.headers.remove("content-length");
    assert_eq!(w.handle(request).await.refusal(), (400, "ContentLengthMustBeZero"));
    assert_eq!(w.text("/u.csv").await, "BlobNotFound");
    w.append("/u.csv", 0, "abc").await;
    let flushed = w.send("PATCH", "/u.csv", "&action=flush&position=3", &[], "bytes").await;
    assert_eq!(flushed.refusal(), (400, "ContentLengthMustBeZero"));
    for extra in ["retainUncommittedData=true", "close=maybe"] {
        assert_eq!(w.send("PATCH", "/u.csv", &format!("&action=flush&position=3&{extra}"), &[], "").await.status, 400, "{extra}");
    }
    for action in ["setAccessControl", "setAccessControlRecursive", "", "APPEND"] {
        let refused = w.send("PATCH", "/u.csv", &format!("&action={action}&position=0"), &[], "").await;
        assert_eq!(refused.refusal(), (400, "InvalidQueryParameterValue"), "{action}");
    }
}

#[tokio::test]
async fn appends_outlive_the_process() {
    let mut w = world().await;
    w.append("/u.csv", 3, "def").await;
    let store = Store::open(&StoreConfig { data_dir: w.dir.path().to_owned(), database_url: None }).unwrap();
    w.service = crate::testing::service(store);
    w.append("/u.csv", 0, "abc").await;
    assert_eq!(w.flush("/u.csv", 6).await.status, 200);
    assert_eq!(w.text("/u.csv").await, "abcdef");
}

#[tokio::test]
async fn both_protocols_meet_on_one_file() {
    let w = world().await;
    w.append("/u.csv", 0, "of the lake").await;
    w.put("/u.csv", "blob").await;
    assert_eq!(w.flush("/u.csv", 11).await.refusal(), GAP, "the later upload has discarded the pieces");
    assert_eq!(w.text("/u.csv").await, "blob");
    w.append("/u.csv", 4, " and lake").await;
    assert_eq!(w.flush("/u.csv", 13).await.status, 200);
    assert_eq!(w.text("/u.csv").await, "blob and lake");
}

#[tokio::test]
async fn lists() {
    let w = world().await;
    for name in ["/b.csv", "/a.csv", "/c.csv"] {
        w.put(name, "x").await;
    }
    let tenant = w.path.split('/').nth(1).unwrap().to_owned();
    let file_system = World { path: format!("/{tenant}"), ..w.clone() };
    let listed = file_system.send("GET", "", "&resource=filesystem&recursive=true&directory=conn%2Fbox&maxResults=2", &[], "").await;
    assert_eq!((listed.status, listed.header("x-ms-continuation")), (200, "conn/box/c.csv"));
    let body: serde_json::Value = serde_json::from_slice(listed.body.as_ref().unwrap()).unwrap();
    let names: Vec<_> = body["paths"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["conn/box/a.csv", "conn/box/b.csv"]);
    assert_eq!(body["paths"][0]["contentLength"], "1");
    assert_eq!(body["paths"][0]["lastModified"], "Tue, 24 Nov 2026 10:00:00 GMT");
    let rest = file_system.send("GET", "", "&resource=filesystem&directory=conn/box/&continuation=conn/box/c.csv", &[], "").await;
    let body: serde_json::Value = serde_json::from_slice(rest.body.as_ref().unwrap()).unwrap();
    assert_eq!((body["paths"].as_array().unwrap().len(), rest.header("x-ms-continuation")), (1, ""));
    let another = file_system.send("GET", "", "&resource=filesystem&directory=conn%2Fbax", &[], "").await;
    assert_eq!(another.refusal(), (403, "AuthenticationFailed"));
    let deeper = file_system.send("GET", "", "&resource=filesystem&directory=conn%2Fbox%2Fa.csv", &[], "").await;
    assert_eq!(deeper.refusal(), (404, "PathNotFound"));

    let blobs = async |extra: &str| {
        let listed = w.send("GET", "", &format!("&restype=container&comp=list{extra}"), &[], "").await;
        (listed.status, String::from_utf8(listed.body.unwrap()).unwrap())
    };
    let (status, page) = blobs("&maxresults=2").await;
    assert_eq!(status, 200);
    assert!(page.contains("<Name>a.csv</Name>") && page.contains("<NextMarker>c.csv</NextMarker>") && !page.contains("<Name>c.csv"));
    let (_, rest) = blobs("&marker=c.csv").await;
    assert!(rest.contains("<Name>c.csv</Name>") && rest.contains("<NextMarker />") && !rest.contains("<Name>a.csv"));
    assert!(rest.contains("<BlobType>BlockBlob</BlobType>") && rest.contains("<Content-Length>1</Content-Length>"));
    assert!(blobs("&prefix=zz%26%3C").await.1.contains("<Blobs></Blobs>"));
    assert_eq!(blobs("&maxresults=0").await.0, 400);
    assert_eq!(blobs("&maxresults=many").await.0, 400);
    // XML cannot hold them, not even as references.
    for parameter in ["prefix", "marker", "delimiter"] {
        for control in ["%00", "a%1Bb", "%0A", "%C2%85", "%EF%BF%BF"] {
            let refused = w.send("GET", "", &format!("&restype=container&comp=list&{parameter}={control}"), &[], "").await;
            assert_eq!(refused.refusal(), (400, "InvalidQueryParameterValue"), "{parameter}={control}");
        }
    }
}
