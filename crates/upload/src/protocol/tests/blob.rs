use crate::limits;
use crate::testing::{BLOB, MOST, World, broken, stuck, world};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::time::Duration;

async fn block(w: &World, name: &str, id: &str, body: &str) -> crate::testing::Answered {
    let id = id.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F");
    w.send("PUT", name, &format!("&comp=block&blockid={id}"), &[], body).await
}

async fn list(w: &World, name: &str, ids: &[&str]) -> crate::testing::Answered {
    let ids: String = ids.iter().map(|id| format!("<Latest>{id}</Latest>")).collect();
    w.send("PUT", name, "&comp=blocklist", &[], &format!("<?xml version=\"1.0\"?><BlockList>{ids}</BlockList>")).await
}

#[tokio::test]
async fn put_read_overwrite_delete() {
    let w = world().await;
    assert_eq!(w.put("/users.csv", "a,b\n1,2\n").await.status, 201);
    assert_eq!(w.text("/users.csv").await, "a,b\n1,2\n");
    assert_eq!(w.put("/users.csv", "c").await.status, 201);
    assert_eq!(w.text("/users.csv").await, "c");
    let head = w.send("HEAD", "/users.csv", "", &[], "").await;
    assert_eq!((head.status, head.header("content-length"), &head.body), (200, "1", &None));
    assert_eq!(w.send("DELETE", "/users.csv", "", &[], "").await.status, 202);
    let gone = w.send("HEAD", "/users.csv", "", &[], "").await;
    assert_eq!((gone.refusal(), &gone.body), ((404, "BlobNotFound"), &None));
    assert_eq!(w.send("DELETE", "/users.csv", "", &[], "").await.refusal(), (404, "BlobNotFound"));
    assert_eq!(w.put("/empty.csv", "").await.status, 201);
    assert_eq!(w.text("/empty.csv").await, "");
    assert_eq!(w.send("GET", "/empty.csv", "", &[("x-ms-range", "bytes=0-33554431")], "").await.refusal(), (416, "InvalidRange"));
}

#[tokio::test]
async fn the_type_of_a_blob_has_to_be_said() {
    let w = world().await;
    assert_eq!(w.send("PUT", "/a.csv", "", &[], "x").await.refusal(), (400, "MissingRequiredHeader"));
    for kind in ["PageBlob", "AppendBlob", "", "x"] {
        assert_eq!(w.send("PUT", "/a.csv", "", &[("x-ms-blob-type", kind)], "x").await.refusal(), (400, "InvalidHeaderValue"));
    }
    assert_eq!(w.send("PUT", "/a.csv", "", &[("x-ms-blob-type", "blockblob")], "x").await.status, 201);
}

#[tokio::test]
async fn what_is_not_understood_changes_nothing() {
    let w = world().await;
    w.put("/a.csv", "old").await;
    for extra in ["tags", "lease", "snapshot", "tier", "page", "appendblock", "copy", "undelete", "expiry"] {
        let refused = w.send("PUT", "/a.csv", &format!("&comp={extra}"), &[BLOB], "").await;
        assert_eq!(refused.refusal(), (400, "InvalidQueryParameterValue"), "{extra}");
    }
    for header in ["x-ms-copy-source", "x-ms-encryption-key", "x-ms-lease-id", "x-ms-if-tags", "x-ms-tags", "x-ms-lease-action"] {
        for extra in ["", "&comp=block&blockid=MQ%3D%3D", "&resource=file", "&comp=metadata"] {
            let refused = w.send("PUT", "/a.csv", extra, &[BLOB, (header, "x")], "").await;
            assert_eq!(refused.refusal(), (400, "UnsupportedHeader"), "{header} {extra}");
        }
    }
    for (header, code) in [("x-ms-rename-source", "InvalidSourceUri"), ("x-ms-structured-body", "InvalidHeaderValue")] {
        let refused = w.send("PUT", "/a.csv", "", &[BLOB, (header, "x")], "").await;
        assert_eq!(refused.refusal(), (400, code), "{header}");
    }
    for (method, extra) in
        [("PUT", "&resource=directory"), ("PUT", "&resource=symlink"), ("PUT", "&action=append&position=0"), ("DELETE", "&comp=x")]
    {
        assert_eq!(w.send(method, "/a.csv", extra, &[BLOB], "").await.status, 400, "{method} {extra}");
    }
    for (method, extra) in [("GET", "&comp=pagelist"), ("GET", "&comp=tags"), ("HEAD", "&action=getAccessControl")] {
        assert_eq!(w.send(method, "/a.csv", extra, &[], "").await.status, 400, "{method} {extra}");
    }
    for method in ["POST", "OPTIONS", "TRACE", "MOVE"] {
        assert_eq!(w.send(method, "/a.csv", "", &[BLOB], "new").await.refusal(), (405, "UnsupportedHttpVerb"), "{method}");
    }
    assert_eq!(w.text("/a.csv").await, "old");
}

/// What is said twice could be read in one way here and in another by a proxy.
#[tokio::test]
async fn what_is_said_twice_is_refused() {
    let w = world().await;
    w.put("/a.csv", "old").await;
    for (name, values) in [
        ("if-none-match", ["\"x\"", "*"]),
        ("if-match", ["*", "\"x\""]),
        ("x-ms-blob-type", ["BlockBlob", "PageBlob"]),
        ("x-ms-meta-a", ["1", "2"]),
        ("content-md5", ["1B2M2Y8AsgTpgAmY7PhCfg==", "x"]),
        ("content-length", ["3", "300"]),
    ] {
        let mut request = w.request("PUT", "/a.csv", "", &[BLOB], b"new");
        request.headers.remove(name);
        for value in values {
            request.headers.append(name, value.parse().unwrap());
        }
        assert_eq!(w.handle(request).await.refusal(), (400, "InvalidHeaderValue"), "{name}");
    }
    for extra in ["&comp=block&comp=blocklist&blockid=MQ%3D%3D", "&comp=block&COMP=block&blockid=MQ%3D%3D", "&x&x"] {
        assert_eq!(w.send("PUT", "/a.csv", extra, &[BLOB], "new").await.refusal(), (400, "InvalidQueryParameterValue"), "{extra}");
    }
    assert_eq!(w.text("/a.csv").await, "old");
    assert_eq!(w.on_disk(""), ["a.csv"]);
}

#[tokio::test]
async fn a_body_is_as_long_as_announced() {
    let w = world().await;
    w.put("/a.csv", "old").await;
    for (length, body) in [("4", "abc"), ("2", "abc"), ("0", "abc"), ("1", "")] {
        let refused = w.send("PUT", "/a.csv", "", &[BLOB, ("content-length", length)], body).await;
        assert_eq!(refused.refusal(), (400, "IncompleteBody"), "{length} {body}");
    }
    for length in ["-1", "x", "", "99999999999999999999"] {
        let refused = w.send("PUT", "/a.csv", "", &[BLOB, ("content-length", length)], "abc").await;
        assert_eq!(refused.refusal(), (400, "InvalidHeaderValue"), "{length}");
    }
    for extra in ["", "&comp=block&blockid=MQ%3D%3D", "&comp=blocklist"] {
        let mut request = w.request("PUT", "/a.csv", extra, &[BLOB], b"abc");
        request.headers.remove("content-length");
        assert_eq!(w.handle(request).await.refusal(), (411, "MissingContentLengthHeader"), "{extra}");
        let request = w.request("PUT", "/a.csv", extra, &[BLOB, ("content-length", "9")], b"");
        let lost = w.handle(crate::UploadRequest { body: broken(b"abc"), ..request }).await;
        assert_eq!(lost.refusal(), (400, "IncompleteBody"), "{extra}");
    }
    assert_eq!(w.text("/a.csv").await, "old");
    assert_eq!(w.on_disk("staging"), [""; 0]);
}

#[tokio::test]
async fn a_file_has_a_greatest_size() {
    let w = world().await;
    let most = "x".repeat(MOST as usize);
    assert_eq!(w.put("/most.csv", &most).await.status, 201);
    assert_eq!(w.put("/big.csv", &format!("{most}x")).await.refusal(), (413, "RequestBodyTooLarge"));
    assert_eq!(block(&w, "/big.csv", "MQ==", &format!("{most}x")).await.refusal(), (413, "RequestBodyTooLarge"));
    // Blocks that fit, but not together.
    assert_eq!(block(&w, "/big.csv", "MQ==", &most).await.status, 201);
    assert_eq!(block(&w, "/big.csv", "Mg==", "x").await.status, 201);
    assert_eq!(list(&w, "/big.csv", &["MQ==", "Mg=="]).await.refusal(), (413, "RequestBodyTooLarge"));
    assert_eq!(list(&w, "/big.csv", &["Mg=="]).await.status, 201);
    assert_eq!(w.text("/big.csv").await, "x");
    assert_eq!(w.text("/most.csv").await.len(), most.len());
}

#[tokio::test]
async fn a_hash_that_was_announced_is_checked() {
    let w = world().await;
    let md5 = |text: &str| {
        use md5::Digest as _;
        STANDARD.encode(md5::Md5::digest(text))
    };
    assert_eq!(md5(""), "1B2M2Y8AsgTpgAmY7PhCfg==");
    for header in ["content-md5", "x-ms-blob-content-md5"] {
        assert_eq!(w.send("PUT", "/a.csv", "", &[BLOB, (header, &md5("abcd"))], "abcd").await.status, 201);
        assert_eq!(w.send("PUT", "/a.csv", "", &[BLOB, (header, &md5("abc"))], "damaged").await.refusal(), (400, "Md5Mismatch"));
        for bad in ["", "AAAA", "not base64!"] {
            assert_eq!(w.send("PUT", "/a.csv", "", &[BLOB, (header, bad)], "abc").await.refusal(), (400, "InvalidMd5"), "{bad}");
        }
    }
    for extra in ["&comp=block&blockid=MQ%3D%3D", "&comp=blocklist"] {
        assert_eq!(w.send("PUT", "/a.csv", extra, &[("content-md5", &md5("x"))], "y").await.refusal(), (400, "Md5Mismatch"), "{extra}");
    }
    assert_eq!(w.append("/a.csv", 0, "").await.status, 202);
    let damaged = w.send("PATCH", "/a.csv", "&action=append&position=0", &[("content-md5", &md5("x"))], "y").await;
    assert_eq!(damaged.refusal(), (400, "Md5Mismatch"));
    assert_eq!(w.text("/a.csv").await, "abcd");
    assert_eq!(w.on_disk("staging"), [""; 0]);
    // The clients take what is sent back for the hash of the request: of a list it must not be the file's.
    assert_eq!(w.put("/a.csv", "x").await.header("content-md5"), md5("x"));
    assert_eq!(block(&w, "/b.csv", "MQ==", "x").await.header("content-md5"), "");
    let xml = "<BlockList><Latest>MQ==</Latest></BlockList>";
    let listed = w.send("PUT", "/b.csv", "&comp=blocklist", &[], xml).await;
    assert_eq!((listed.status, listed.header("content-md5")), (201, md5(xml).as_str()));
    assert_eq!(w.send("HEAD", "/b.csv", "", &[], "").await.header("content-md5"), "");
}

#[tokio::test]
async fn conditions_of_writes() {
    let w = world().await;
    let put = async |header: &'static str, value: &str, body: &str| w.send("PUT", "/a.csv", "", &[BLOB, (header, value)], body).await;
    assert_eq!(put("if-match", "*", "1").await.refusal(), (412, "ConditionNotMet"), "there is none yet");
    assert_eq!(put("if-match", "\"0x1\"", "1").await.refusal(), (412, "ConditionNotMet"));
    let first = put("if-none-match", "*", "1").await;
    let etag = first.header("etag");
    assert_eq!(first.status, 201);
    assert_eq!(put("if-none-match", "*", "2").await.refusal(), (409, "BlobAlreadyExists"));
    assert_eq!(put("if-none-match", etag, "2").await.refusal(), (412, "ConditionNotMet"));
    assert_eq!(put("if-none-match", &format!("\"x\", {etag}"), "2").await.refusal(), (412, "ConditionNotMet"));
    assert_eq!(put("if-match", &format!("\"x\", {etag}"), "2").await.status, 201);
    assert_eq!(put("if-match", etag, "3").await.refusal(), (412, "ConditionNotMet"), "an ETag of before");
    let second = w.send("HEAD", "/a.csv", "", &[], "").await;
    assert_eq!(put("if-match", second.header("etag").trim_matches('"'), "4").await.status, 201, "without its quotes");
    assert_eq!(put("if-match", "*", "5").await.status, 201);
    assert_eq!(put("if-modified-since", "Tue, 24 Nov 2026 10:00:00 GMT", "6").await.refusal(), (412, "ConditionNotMet"));
    assert_eq!(put("if-modified-since", "Tue, 24 Nov 2026 09:59:59 GMT", "7").await.status, 201);
    assert_eq!(put("if-unmodified-since", "Tue, 24 Nov 2026 09:59:59 GMT", "8").await.refusal(), (412, "ConditionNotMet"));
    assert_eq!(put("if-unmodified-since", "Tue, 24 Nov 2026 10:00:00 GMT", "9").await.status, 201);
    assert_eq!(put("if-unmodified-since", "yesterday", "10").await.refusal(), (400, "InvalidHeaderValue"));
    // A condition that cannot be read is not met.
    let mut request = w.request("PUT", "/a.csv", "", &[BLOB], b"11");
    request.headers.insert("if-match", http::HeaderValue::from_bytes(b"\"\xff\"").unwrap());
    assert_eq!(w.handle(request).await.refusal(), (400, "InvalidHeaderValue"));
    assert_eq!(w.text("/a.csv").await, "9");
    assert_eq!(w.send("DELETE", "/a.csv", "", &[("if-match", etag)], "").await.refusal(), (412, "ConditionNotMet"));
    assert_eq!(w.send("DELETE", "/a.csv", "", &[("if-match", "*")], "").await.status, 202);
}

#[tokio::test]
async fn conditions_of_reads() {
    let w = world().await;
    let first = w.put("/a.csv", "same length").await;
    let second = w.put("/a.csv", "also eleven").await;
    let (old, new) = (first.header("etag"), second.header("etag"));
    assert_ne!(old, new, "two commits at the same moment");
    let get = async |header: &'static str, value: &str| w.send("GET", "/a.csv", "", &[(header, value)], "").await;
    assert_eq!(get("if-match", old).await.refusal(), (412, "ConditionNotMet"));
    assert_eq!(get("if-match", new).await.status, 200);
    let same = get("if-none-match", new).await;
    assert_eq!((same.refusal(), same.body.as_deref(), same.header("etag")), ((304, "ConditionNotMet"), None, new));
    assert_eq!(get("if-none-match", old).await.status, 200);
    assert_eq!(get("if-modified-since", "Tue, 24 Nov 2026 10:00:00 GMT").await.status, 304);
    assert_eq!(get("if-modified-since", "Tue, 24 Nov 2026 09:00:00 GMT").await.status, 200);
    assert_eq!(get("if-unmodified-since", "Tue, 24 Nov 2026 09:00:00 GMT").await.status, 412);
    assert_eq!(w.send("HEAD", "/a.csv", "", &[("if-none-match", new)], "").await.status, 304);
}

#[tokio::test]
async fn ranges() {
    let w = world().await;
    w.put("/a.csv", "0123456789").await;
    let get = async |header: &'static str, value: &str| w.send("GET", "/a.csv", "", &[(header, value)], "").await;
    for (range, text, shown) in
        [("bytes=2-3", "23", "bytes 2-3/10"), ("bytes=8-99", "89", "bytes 8-9/10"), ("bytes=-3", "789", "bytes 7-9/10")]
    {
        for header in ["x-ms-range", "range"] {
            let part = get(header, range).await;
            assert_eq!((part.status, part.header("content-range")), (206, shown));
            assert_eq!(part.body.unwrap(), text.as_bytes());
        }
    }
    assert_eq!(get("x-ms-range", "bytes=9-3").await.refusal(), (400, "InvalidHeaderValue"));
    let beyond = get("x-ms-range", "bytes=10-").await;
    assert_eq!((beyond.refusal(), beyond.header("content-range")), ((416, "InvalidRange"), "bytes */10"));
    let both = w.send("GET", "/a.csv", "", &[("x-ms-range", "bytes=1-1"), ("range", "bytes=2-2")], "").await;
    assert_eq!(both.body.unwrap(), b"1");
}

#[tokio::test]
async fn blocks_in_any_order() {
    let w = world().await;
    for (id, text) in [("Mg==", "two"), ("MQ==", "one"), ("+w==", "three"), ("/w==", "four"), ("Mw==", "never used")] {
        assert_eq!(block(&w, "/a.csv", id, text).await.status, 201);
    }
    assert_eq!(w.text("/a.csv").await, "BlobNotFound", "not before the list");
    assert_eq!(block(&w, "/a.csv", "MQ==", "ONE").await.status, 201, "a block sent again");
    assert_eq!(list(&w, "/a.csv", &["MQ==", "Mg==", "+w==", "/w==", "MQ=="]).await.status, 201);
    assert_eq!(w.text("/a.csv").await, "ONEtwothreefourONE");
    assert_eq!(list(&w, "/a.csv", &["Mw=="]).await.refusal(), (400, "InvalidBlockList"), "the rest is discarded");
    assert_eq!(w.text("/a.csv").await, "ONEtwothreefourONE");
    assert_eq!(list(&w, "/empty.csv", &[]).await.status, 201);
    assert_eq!(w.text("/empty.csv").await, "");
}

#[tokio::test]
async fn a_block_list_whose_answer_got_lost_can_be_sent_again() {
    let w = world().await;
    block(&w, "/a.csv", "MQ==", "one").await;
    block(&w, "/b.csv", "MQ==", "other").await;
    assert_eq!(list(&w, "/a.csv", &["MQ=="]).await.status, 201);
    assert_eq!(list(&w, "/a.csv", &["MQ=="]).await.status, 201);
    assert_eq!(w.text("/a.csv").await, "one");
    w.put("/a.csv", "changed since").await;
    assert_eq!(list(&w, "/a.csv", &["MQ=="]).await.refusal(), (400, "InvalidBlockList"));
    w.send("DELETE", "/a.csv", "", &[], "").await;
    assert_eq!(list(&w, "/a.csv", &["MQ=="]).await.refusal(), (400, "InvalidBlockList"));
    assert_eq!(list(&w, "/b.csv", &["MQ=="]).await.status, 201);
}

#[tokio::test]
async fn committed_blocks_can_be_used_again() {
    let w = world().await;
    for (id, text) in [("MQ==", "one,"), ("Mg==", ""), ("Mw==", "three,")] {
        block(&w, "/a.csv", id, text).await;
    }
    list(&w, "/a.csv", &["Mw==", "Mg==", "MQ=="]).await;
    assert_eq!(w.text("/a.csv").await, "three,one,");
    block(&w, "/a.csv", "MQ==", "ONE,").await;
    block(&w, "/a.csv", "NA==", "four,").await;
    let commit = async |xml: &str| w.send("PUT", "/a.csv", "&comp=blocklist", &[], &format!("<BlockList>{xml}</BlockList>")).await;
    for unknown in ["<Uncommitted>Mw==</Uncommitted>", "<Committed>NA==</Committed>", "<Latest>NQ==</Latest>"] {
        assert_eq!(commit(unknown).await.refusal(), (400, "InvalidBlockList"), "{unknown}");
    }
    assert_eq!(w.text("/a.csv").await, "three,one,", "refused lists change nothing");
    let both = "<Committed>MQ==</Committed><Uncommitted>MQ==</Uncommitted><Latest>MQ==</Latest><Latest>Mw==</Latest><Latest>NA==</Latest>";
    assert_eq!(commit(both).await.status, 201);
    assert_eq!(w.text("/a.csv").await, "one,ONE,ONE,three,four,");
    assert_eq!(w.on_disk("staging"), [""; 0]);
}

#[tokio::test]
async fn the_list_of_blocks() {
    let w = world().await;
    let get = async |kind: &str| {
        let found = w.send("GET", "/a.csv", &format!("&comp=blocklist{kind}"), &[], "").await;
        let body = found.body.clone().map(|body| String::from_utf8(body).unwrap()).unwrap_or_default();
        (found.status, body.replace("<?xml version=\"1.0\" encoding=\"utf-8\"?>", ""), found)
    };
    assert_eq!(get("").await.2.refusal(), (404, "BlobNotFound"));
    block(&w, "/a.csv", "+w==", "one").await;
    block(&w, "/a.csv", "MQ==", "two").await;
    let both = "<Block><Name>MQ==</Name><Size>3</Size></Block><Block><Name>+w==</Name><Size>3</Size></Block>";
    let empty = "<BlockList><CommittedBlocks></CommittedBlocks></BlockList>";
    assert_eq!(get("").await.1, empty);
    assert_eq!(get("&blocklisttype=uncommitted").await.1, format!("<BlockList><UncommittedBlocks>{both}</UncommittedBlocks></BlockList>"));
    list(&w, "/a.csv", &["MQ==", "+w=="]).await;
    let (status, xml, found) = get("&blocklisttype=all").await;
    assert_eq!((status, found.header("x-ms-blob-content-length")), (200, "6"));
    assert_eq!(xml, format!("<BlockList><CommittedBlocks>{both}</CommittedBlocks><UncommittedBlocks></UncommittedBlocks></BlockList>"));
    w.put("/a.csv", "in one piece").await;
    assert_eq!(get("&blocklisttype=Committed").await.1, empty);
    assert_eq!(get("&blocklisttype=some").await.0, 400);
}

#[tokio::test]
async fn block_ids_are_base64_of_a_length() {
    let w = world().await;
    let longest = STANDARD.encode([255; 64]);
    let name = format!("/{}", "n".repeat(limits::NAME_CHARACTERS_MAX));
    // The longest id under the longest name.
    assert_eq!(block(&w, &name, &longest, "x").await.status, 201);
    assert_eq!(list(&w, &name, &[&longest]).await.status, 201);
    assert_eq!(block(&w, "/a.csv", "MQ==", "x").await.status, 201);
    assert_eq!(block(&w, "/a.csv", "MTE=", "x").await.refusal(), (400, "InvalidBlobOrBlock"), "another length");
    for bad in [&STANDARD.encode([255; 65]), "", "*", "MQ", "../x"] {
        assert_eq!(block(&w, "/a.csv", bad, "x").await.refusal(), (400, "InvalidQueryParameterValue"), "{bad}");
    }
    assert_eq!(list(&w, "/a.csv", &["../../x"]).await.status, 400);
}

#[tokio::test]
async fn names_that_start_alike_do_not_share_blocks() {
    let w = world().await;
    block(&w, "/a.csv", "MQ==", "long").await;
    block(&w, "/a", "MQ==", "short").await;
    assert_eq!(list(&w, "/a", &["MQ=="]).await.status, 201);
    assert_eq!(w.send("DELETE", "/a", "", &[], "").await.status, 202);
    assert_eq!(list(&w, "/a.csv", &["MQ=="]).await.status, 201);
    assert_eq!(w.text("/a.csv").await, "long");
}

#[tokio::test]
async fn a_client_cannot_stage_without_end() {
    let w = world().await;
    let half = "x".repeat(MOST as usize / 2);
    for id in ["MQ==", "Mg==", "Mw==", "NA=="] {
        assert_eq!(block(&w, "/a.csv", id, &half).await.status, 201);
    }
    assert_eq!(block(&w, "/a.csv", "NQ==", "x").await.refusal(), (413, "RequestBodyTooLarge"));
    assert_eq!(w.send("DELETE", "/a.csv", "", &[], "").await.refusal(), (404, "BlobNotFound"));
    assert_eq!(block(&w, "/a.csv", "NQ==", "x").await.status, 201, "deleted, and started anew");
    for number in 1..limits::FILES_MAX {
        assert_eq!(block(&w, &format!("/{number}.csv"), "MQ==", "x").await.status, 201);
    }
    assert_eq!(block(&w, "/more.csv", "MQ==", "x").await.refusal(), (409, "ContainerQuotaExceeded"));
    assert_eq!(w.put("/more.csv", "x").await.refusal(), (409, "ContainerQuotaExceeded"));
    assert_eq!(w.append("/more.csv", 0, "x").await.refusal(), (409, "ContainerQuotaExceeded"));
    assert_eq!(w.send("PUT", "/more.csv", "&resource=file", &[], "").await.refusal(), (409, "ContainerQuotaExceeded"));
    assert_eq!(w.put("/1.csv", "x").await.status, 201, "a name that is there already");
}

#[tokio::test]
async fn a_client_that_breaks_off_leaves_nothing_behind() {
    let w = world().await;
    w.put("/a.csv", "old").await;
    for (method, extra) in
        [("PUT", ""), ("PUT", "&comp=block&blockid=MQ%3D%3D"), ("PUT", "&comp=blocklist"), ("PATCH", "&action=append&position=0")]
    {
        let lost = w.request(method, "/a.csv", extra, &[BLOB, ("content-length", "9")], b"");
        assert_eq!(w.handle(crate::UploadRequest { body: broken(b"abcdef"), ..lost }).await.status, 400);
        // A connection that goes away: the request's future is dropped where it stands.
        let stopped = w.request(method, "/a.csv", extra, &[BLOB, ("content-length", "9")], b"");
        let stopped = w.handle(crate::UploadRequest { body: stuck(b"abcdef"), ..stopped });
        assert!(tokio::time::timeout(Duration::from_millis(200), stopped).await.is_err());
    }
    assert_eq!(w.text("/a.csv").await, "old");
    assert_eq!(w.on_disk(""), ["a.csv"]);
}
