//! Metadata, properties, and names that change.

use crate::testing::{BLOB, CONNECTOR, World, world};

/// Names and values of the metadata of a file.
async fn metadata(w: &World, name: &str) -> Vec<(String, String)> {
    let head = w.send("HEAD", name, "", &[], "").await;
    assert_eq!(head.status, 200, "{name}");
    let pairs = head.headers.into_iter().filter_map(|(name, value)| name.strip_prefix("x-ms-meta-").map(|name| (name.to_owned(), value)));
    pairs.collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn what_is_said_of_a_file_is_said_again() {
    let w = world().await;
    let said = [
        BLOB,
        ("x-ms-blob-content-type", "text/csv; charset=utf-8"),
        ("x-ms-blob-content-encoding", "identity"),
        ("x-ms-blob-content-language", "en"),
        ("x-ms-blob-content-disposition", "attachment"),
        ("x-ms-blob-cache-control", "no-store"),
        ("x-ms-meta-uploadvia", "PortalUpload"),
        ("content-type", "application/octet-stream"),
    ];
    let put = w.send("PUT", "/a.csv", "", &said, "a,b").await;
    assert_eq!(put.status, 201);
    for method in ["HEAD", "GET"] {
        let got = w.send(method, "/a.csv", "", &[], "").await;
        for (name, value) in [
            ("content-type", "text/csv; charset=utf-8"),
            ("content-encoding", "identity"),
            ("content-language", "en"),
            ("content-disposition", "attachment"),
            ("cache-control", "no-store"),
            ("content-md5", put.header("content-md5")),
            ("x-ms-meta-uploadvia", "PortalUpload"),
            ("x-ms-blob-type", "BlockBlob"),
            ("x-ms-creation-time", "Tue, 24 Nov 2026 10:00:00 GMT"),
            ("content-length", "3"),
            // What somebody uploaded does not run on this origin.
            ("content-security-policy", "sandbox; default-src 'none'"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(got.header(name), value, "{method} {name}");
        }
    }
    w.send("PUT", "/a.csv", "", &[BLOB, ("content-type", "text/csv")], "new").await;
    let new = w.send("HEAD", "/a.csv", "", &[], "").await;
    assert_eq!((new.header("content-type"), new.header("content-language"), new.header("x-ms-meta-uploadvia")), ("text/csv", "", ""));
}

#[tokio::test]
async fn properties_are_set_apart_from_the_content() {
    let w = world().await;
    w.send("PUT", "/a.csv", "&comp=block&blockid=MQ%3D%3D", &[], "one").await;
    let kept = [("x-ms-meta-one", "1"), ("x-ms-blob-content-type", "text/csv"), ("x-ms-blob-content-language", "en")];
    let list = w.send("PUT", "/a.csv", "&comp=blocklist", &kept, "<BlockList><Latest>MQ==</Latest></BlockList>").await;
    let set = w.send("PUT", "/a.csv", "&comp=metadata", &[("x-ms-meta-two", "2"), ("if-match", list.header("etag"))], "").await;
    assert_eq!(set.status, 200);
    assert_ne!(set.header("etag"), list.header("etag"));
    assert_eq!(metadata(&w, "/a.csv").await, pairs(&[("two", "2")]));
    let got = w.send("GET", "/a.csv", "&comp=metadata", &[], "").await;
    assert_eq!((got.status, got.header("x-ms-meta-two"), got.header("etag")), (200, "2", set.header("etag")));
    let head = w.send("HEAD", "/a.csv", "", &[], "").await;
    assert_eq!((head.header("content-type"), head.header("etag")), ("text/csv", set.header("etag")));
    let late = w.send("PUT", "/a.csv", "&comp=properties", &[("if-match", list.header("etag"))], "").await;
    assert_eq!(late.refusal(), (412, "ConditionNotMet"));
    let typed = w.send("PUT", "/a.csv", "&comp=properties", &[("x-ms-blob-content-type", "text/plain")], "").await;
    assert_eq!(typed.status, 200);
    let head = w.send("HEAD", "/a.csv", "", &[], "").await;
    assert_eq!((head.header("content-type"), head.header("content-language"), head.header("x-ms-meta-two")), ("text/plain", "", "2"));
    // The blocks are still those of the file.
    let listed = String::from_utf8(w.send("GET", "/a.csv", "&comp=blocklist", &[], "").await.body.unwrap()).unwrap();
    assert!(listed.contains("<Name>MQ==</Name>"), "{listed}");
    assert_eq!(w.text("/a.csv").await, "one");
    for extra in ["&comp=metadata", "&comp=properties"] {
        assert_eq!(w.send("PUT", "/none.csv", extra, &[], "").await.refusal(), (404, "BlobNotFound"));
    }
    assert_eq!(std::fs::read_dir(w.folder("box").join("properties/a.csv")).unwrap().count(), 1, "old properties go");
}

#[tokio::test]
async fn metadata_has_names_and_a_limit() {
    let w = world().await;
    for bad in ["x-ms-meta-", "x-ms-meta-1a", "x-ms-meta-a-b", "x-ms-meta-a.b"] {
        assert_eq!(w.send("PUT", "/a.csv", "", &[BLOB, (bad, "x")], "x").await.refusal(), (400, "InvalidMetadata"), "{bad}");
    }
    let long = "v".repeat(8_192);
    assert_eq!(w.send("PUT", "/a.csv", "", &[BLOB, ("x-ms-meta-a", &long)], "x").await.refusal(), (400, "MetadataTooLarge"));
    assert_eq!(w.send("PUT", "/a.csv", "", &[BLOB, ("x-ms-meta-a", &long[1..])], "x").await.status, 201);
    let listed = w.send("GET", "", "&restype=container&comp=list&include=metadata", &[], "").await;
    let listed = String::from_utf8(listed.body.unwrap()).unwrap();
    assert!(listed.contains(&format!("<Metadata><a>{}</a></Metadata>", &long[1..])));
}

#[tokio::test]
async fn properties_of_the_data_lake() {
    let w = world().await;
    let headers = [("x-ms-properties", "via=cG9ydGFs,Empty="), ("x-ms-content-type", "text/csv")];
    assert_eq!(w.send("PUT", "/u.csv", "&resource=file", &headers, "").await.status, 201);
    assert_eq!(metadata(&w, "/u.csv").await, pairs(&[("empty", ""), ("via", "portal")]));
    w.append("/u.csv", 0, "abc").await;
    let flush = [("x-ms-content-language", "en")];
    assert_eq!(w.send("PATCH", "/u.csv", "&action=flush&position=3", &flush, "").await.status, 200);
    let head = w.send("HEAD", "/u.csv", "&action=getStatus", &[], "").await;
    assert_eq!((head.header("content-type"), head.header("content-language")), ("text/csv", "en"), "of the create, and of the flush");
    assert_eq!((head.header("x-ms-properties"), head.header("x-ms-resource-type")), ("empty=,via=cG9ydGFs", "file"));
    assert_eq!(w.send("PATCH", "/u.csv", "&action=setProperties", &[("x-ms-properties", "a=Yg==")], "").await.status, 200);
    assert_eq!(metadata(&w, "/u.csv").await, pairs(&[("a", "b")]));
    assert_eq!(w.send("HEAD", "/u.csv", "", &[], "").await.header("content-type"), "text/csv");
    for bad in ["a", "a=*", "=eA==", "a=AA==", "a=/w=="] {
        let refused = w.send("PATCH", "/u.csv", "&action=setProperties", &[("x-ms-properties", bad)], "").await;
        assert_eq!(refused.status, 400, "{bad}");
    }
    assert_eq!(metadata(&w, "/u.csv").await, pairs(&[("a", "b")]));
}

fn source(w: &World, name: &str) -> String {
    format!("{}/{name}?{}", w.path, w.query)
}

#[tokio::test]
async fn a_file_is_renamed() {
    let w = world().await;
    let put = w.send("PUT", "/old.csv", "", &[BLOB, ("x-ms-meta-a", "b")], "content").await;
    w.put("/there.csv", "something else").await;
    w.append("/there.csv", 0, "on its way").await;
    let rename = async |from: &str, to: &str, more: &[(&'static str, &str)]| {
        let headers: Vec<_> = [("x-ms-rename-source", from)].iter().chain(more).copied().collect();
        w.send("PUT", to, "&mode=legacy", &headers, "").await
    };
    let fresh = rename(&source(&w, "old.csv"), "/there.csv", &[("if-none-match", "*")]).await;
    assert_eq!(fresh.refusal(), (409, "PathAlreadyExists"));
    let changed = rename(&source(&w, "old.csv"), "/there.csv", &[("x-ms-source-if-match", "\"0x1\"")]).await;
    assert_eq!(changed.refusal(), (412, "ConditionNotMet"));
    let as_python_sends_it = [("x-ms-source-if-match", put.header("etag")), ("x-ms-source-lease-id", "")];
    let renamed = rename(&source(&w, "old.csv"), "/there.csv", &as_python_sends_it).await;
    assert_eq!(renamed.status, 201);
    assert_eq!((w.text("/there.csv").await.as_str(), w.text("/old.csv").await.as_str()), ("content", "BlobNotFound"));
    assert_eq!(metadata(&w, "/there.csv").await, pairs(&[("a", "b")]));
    assert_eq!(w.flush("/there.csv", 10).await.refusal(), (400, "InvalidFlushPosition"));
    assert_eq!(w.on_disk(""), ["there.csv"]);
    // Encoded, without a signature of its own, to itself.
    assert_eq!(rename(&source(&w, "%74here.csv"), "/%75sers.csv", &[]).await.status, 201);
    assert_eq!(rename(&format!("{}/users.csv", w.path), "/there.csv", &[]).await.status, 201);
    assert_eq!(rename(&source(&w, "there.csv"), "/there.csv", &[]).await.status, 201);
    assert_eq!(w.text("/there.csv").await, "content");
    assert_eq!(rename(&source(&w, "none.csv"), "/a.csv", &[]).await.refusal(), (404, "SourcePathNotFound"));
}

#[tokio::test]
async fn what_is_renamed_is_a_file_of_the_container() {
    let w = world().await;
    w.put("/a.csv", "x").await;
    let tenant = w.path.split('/').nth(1).unwrap();
    let elsewhere = [
        "",
        "a.csv",
        "/a.csv",
        &w.path,
        &format!("/{tenant}/{CONNECTOR}/bax/a.csv"),
        &format!("/{tenant}/other/box/a.csv"),
        &format!("{}/../box/a.csv", w.path),
        &format!("{}/x/a.csv", w.path),
        &format!("{}/..%2Fa.csv", w.path),
    ];
    for from in elsewhere {
        let refused = w.send("PUT", "/b.csv", "", &[("x-ms-rename-source", from)], "").await;
        assert_eq!(refused.refusal(), (400, "InvalidSourceUri"), "{from}");
    }
    let escaping = w.send("PUT", "/b.csv", "", &[("x-ms-rename-source", &format!("{}/..%5Ca.csv", w.path))], "").await;
    assert_eq!(escaping.refusal(), (400, "InvalidResourceName"));
    let forged = w.send("PUT", "/b.csv", "", &[("x-ms-rename-source", &format!("{}/a.csv?sig=AAAA", w.path))], "").await;
    assert_eq!(forged.refusal(), (403, "AuthorizationPermissionMismatch"));
    assert_eq!(w.send("PUT", "/b.csv", "&comp=block&blockid=MQ%3D%3D", &[("x-ms-rename-source", "x")], "").await.status, 400);
    assert_eq!(w.on_disk(""), ["a.csv"]);
}

#[tokio::test]
async fn lists_can_be_asked_for_further_up() {
    let w = world().await;
    for name in ["/users.csv", "/orgs.csv"] {
        w.put(name, "x").await;
    }
    let tenant = w.path.split('/').nth(1).unwrap().to_owned();
    let list = async |path: String, extra: &str| {
        let world = World { path, ..w.clone() };
        let listed = world.send("GET", "", &format!("&restype=container&comp=list{extra}"), &[], "").await;
        let xml = String::from_utf8(listed.body.unwrap()).unwrap();
        let names: Vec<_> = xml.split("<Name>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect();
        (listed.status, names.join(" "))
    };
    // As AzCopy does it by a name of the host, and by an address: then it takes the first part for the account.
    for (path, below) in [(format!("/{tenant}"), "conn/box/"), (format!("/{tenant}/conn"), "box/"), (format!("/{tenant}/conn/box"), "")] {
        let all = (200, format!("{below}orgs.csv {below}users.csv"));
        assert_eq!(list(path.clone(), &format!("&prefix={below}")).await, all);
        assert_eq!(list(path.clone(), &format!("&prefix={below}&delimiter=%2F")).await, all, "{path}");
        assert_eq!(list(path.clone(), &format!("&prefix={below}us")).await, (200, format!("{below}users.csv")));
        assert_eq!(list(path.clone(), &format!("&prefix={below}&marker={below}s")).await, (200, format!("{below}users.csv")));
        assert_eq!(list(path.clone(), &format!("&prefix={below}users.csv%2F")).await, (200, String::new()));
    }
    assert_eq!(list(format!("/{tenant}"), "&prefix=conn%2Fbox&delimiter=%2F").await, (200, "conn/box/".to_owned()));
    for (path, prefix) in [("", ""), ("", "conn"), ("", "conn/"), ("", "conn/bo"), ("/conn", "bo"), ("/conn", ""), ("/other", "box/")] {
        assert_eq!(list(format!("/{tenant}{path}"), &format!("&prefix={prefix}")).await.0, 403, "{path} {prefix}");
    }
}

#[tokio::test]
async fn an_empty_hash_of_a_flush_is_none() {
    let w = world().await;
    w.send("PUT", "/a.csv", "&resource=file", &[], "").await;
    w.send("PATCH", "/a.csv", "&action=append&position=0", &[], "x").await;
    // The SDK for Go sends the header in any case.
    let flushed = w.send("PATCH", "/a.csv", "&action=flush&position=1", &[("x-ms-content-md5", "")], "").await;
    assert_eq!(flushed.status, 200);
    assert_eq!(w.send("HEAD", "/a.csv", "", &[], "").await.header("content-md5"), "");
}

#[tokio::test]
async fn lists_group_by_a_delimiter() {
    let w = world().await;
    for name in ["/a.csv", "/a.zip", "/b.csv", "/c"] {
        w.put(name, "x").await;
    }
    w.send("PUT", "/d.csv", "&comp=block&blockid=MQ%3D%3D", &[], "x").await;
    let list = async |extra: &str| {
        let listed = w.send("GET", "", &format!("&restype=container&comp=list{extra}"), &[], "").await;
        let xml = String::from_utf8(listed.body.unwrap()).unwrap();
        let names: Vec<_> = xml.split("<Name>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect();
        let marker = xml.split_once("<NextMarker>").map_or("", |(_, rest)| rest.split('<').next().unwrap()).to_owned();
        (names.join(" "), marker, xml)
    };
    assert_eq!(list("").await.0, "a.csv a.zip b.csv c");
    assert_eq!(list("&delimiter=%2F").await.0, "a.csv a.zip b.csv c");
    let (names, marker, xml) = list("&delimiter=.").await;
    assert_eq!((names.as_str(), marker.as_str()), ("a. b. c", ""));
    assert!(xml.contains("<BlobPrefix><Name>a.</Name></BlobPrefix>") && xml.contains("<Delimiter>.</Delimiter>"), "{xml}");
    let (names, marker, _) = list("&delimiter=.&maxresults=1").await;
    assert_eq!((names.as_str(), marker.as_str()), ("a.", "b."));
    assert_eq!(list("&delimiter=.&maxresults=1&marker=b.").await.0, "b.");
    assert_eq!(list("&delimiter=.&prefix=a.").await.0, "a.csv a.zip");
    assert_eq!(list("&include=uncommittedblobs,metadata").await.0, "a.csv a.zip b.csv c d.csv");
    assert_eq!(list("&prefix=%F0%9F%98%80&delimiter=%C3%A4").await.0, "");
}
