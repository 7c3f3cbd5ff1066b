use crate::limits;
use crate::testing::{BLOB, World, world};

#[tokio::test]
async fn names_that_are_none() {
    let w = world().await;
    let long = format!("/{}", "n".repeat(limits::NAME_CHARACTERS_MAX + 1));
    let endless = format!("/{}", "n".repeat(1_025));
    let names = [
        "/..",
        "/.",
        "/%2e%2e",
        "/%2E%2E%2Fusers.csv",
        "/a%2Fb.csv",
        "/a/b.csv",
        "/a/../b.csv",
        "/../box/a.csv",
        "/.hidden",
        "/a%00b",
        "/a%00.csv",
        "/a%5Cb.csv",
        "/..%5C..%5Ca.csv",
        "/C:a.csv",
        "/a%0Ab",
        "/sch%C3%BCler.csv",
        "/%FF.csv",
        "/a.csv.",
        "/a%20b.csv",
        "/con",
        "/NUL.csv",
        "/com1.txt",
        "/%252e%252e",
        "/a;b",
        "/a*b",
        "/~",
        "/..%5cusers.csv",
        "/users.csv%20",
        "/users.csv%2e",
        "/users.csv::$DATA",
        // One name in the two normal forms of Unicode.
        "/%C3%A9cole.csv",
        "/e%CC%81cole.csv",
        // A full-width dot and solidus, which some file systems fold.
        "/%EF%BC%8E%EF%BC%8E%EF%BC%8Fa.csv",
        &long,
        &endless,
    ];
    for name in names {
        for (method, extra) in [
            ("PUT", ""),
            ("PUT", "&resource=file"),
            ("PUT", "&comp=block&blockid=MQ%3D%3D"),
            ("PATCH", "&action=append&position=0"),
            ("GET", ""),
            ("DELETE", ""),
        ] {
            let refused = w.send(method, name, extra, &[BLOB], if extra == "&resource=file" { "" } else { "x" }).await;
            assert!(matches!(refused.status, 400 | 403), "{method} {name}: {}", refused.status);
        }
    }
    assert_eq!(w.on_disk(""), [""; 0]);
    for good in ["/a", "/users.csv", "/Users-2026_27.v2.csv", "/-", "/console.csv", "/com10.csv", "/%75sers.csv"] {
        assert_eq!(w.put(good, "x").await.status, 201, "{good}");
    }
    assert_eq!(w.text("/users.csv").await, "x");
}

#[tokio::test]
async fn a_signature_opens_its_own_container_only() {
    let w = world().await;
    w.put("/a.csv", "x").await;
    let tenant = w.path.split('/').nth(1).unwrap().to_owned();
    for path in [
        w.path.replace("box", "bax"),
        w.path.replace("conn", "cann"),
        w.path.replace(&tenant, "00000000-0000-0000-0000-000000000008"),
        w.path.replace("box", "box%2F.."),
        w.path.replace("conn", "other/../conn"),
        w.path.to_uppercase(),
        "/".to_owned(),
        String::new(),
        "/a/b/c".to_owned(),
    ] {
        let elsewhere = World { path: path.clone(), ..w.clone() };
        let refused = elsewhere.send("GET", "/a.csv", "", &[], "").await;
        assert!(matches!(refused.status, 400 | 403), "{path}: {}", refused.status);
    }
    for query in [String::new(), w.query.replace("sig=", "sig=A"), w.query.replace("rcwdlm", "rcwdlmx"), w.query.replace("2026", "2036")] {
        let changed = World { query, ..w.clone() };
        assert_eq!(changed.text("/a.csv").await, "AuthenticationFailed", "{}", changed.query);
    }
    // Azure's clients put the signature before or after their own parameters.
    let front = World { query: format!("restype=container&comp=list&{}", w.query), ..w.clone() };
    assert_eq!(front.send("GET", "", "", &[], "").await.status, 200);
}

#[tokio::test]
async fn the_folder_is_removed_when_it_is_empty_and_is_there_again() {
    let w = world().await;
    let remove = async |extra: &str| {
        let answer = w.send("DELETE", "", extra, &[], "").await;
        (answer.status, answer.code().to_owned())
    };
    let done = |status: u16| (status, String::new());
    w.put("/a.csv", "x").await;
    w.send("PUT", "/b.csv", "&comp=block&blockid=MQ%3D%3D", &[], "x").await;
    assert_eq!(remove("&recursive=false").await, (409, "DirectoryNotEmpty".to_owned()));
    // AzCopy removes the folder as a blob, too, together with its files; it takes this for done.
    assert_eq!(remove("").await, (404, "BlobNotFound".to_owned()));
    assert_eq!(w.text("/a.csv").await, "x");
    assert_eq!(remove("&recursive=true").await, done(200));
    assert_eq!(w.on_disk(""), [""; 0], "with the blocks that waited");
    assert_eq!(remove("&recursive=false").await, done(200));
    assert_eq!(w.put("/a.csv", "y").await.status, 201);
    assert_eq!(w.with_rights("rcw").await.send("DELETE", "", "&recursive=true", &[], "").await.code(), "AuthorizationPermissionMismatch");
}

#[tokio::test]
async fn the_container_itself() {
    let w = world().await;
    for at in ["", "/"] {
        assert_eq!(w.send("GET", at, "&restype=container", &[], "").await.status, 200);
        assert_eq!(w.send("HEAD", at, "", &[], "").await.status, 200);
        assert_eq!(w.send("PUT", at, "&restype=container", &[], "").await.refusal(), (409, "ContainerAlreadyExists"));
        assert_eq!(w.send("PUT", at, "&resource=directory", &[], "").await.status, 201);
        assert_eq!(w.send("PUT", at, "", &[BLOB], "x").await.refusal(), (405, "UnsupportedHttpVerb"));
        assert_eq!(w.send("DELETE", at, "&restype=container", &[], "").await.refusal(), (405, "UnsupportedHttpVerb"));
    }
}
