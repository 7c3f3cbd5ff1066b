use crate::testing::{BLOB, world};

#[tokio::test]
async fn errors_are_xml_for_one_protocol_and_json_for_the_other() {
    let w = world().await;
    let blob = w.send("GET", "/none.csv", "", &[], "").await;
    assert_eq!((blob.refusal(), blob.header("content-type")), ((404, "BlobNotFound"), "application/xml"));
    let xml = String::from_utf8(blob.body.unwrap()).unwrap();
    assert!(xml.starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>BlobNotFound</Code><Message>"), "{xml}");
    for (method, extra) in [("PATCH", "&action=flush&position=0"), ("PUT", "&resource=nothing"), ("PATCH", "")] {
        let lake = w.send(method, "/none.csv", extra, &[], "").await;
        assert_eq!(lake.header("content-type"), "application/json; charset=utf-8");
        let body: serde_json::Value = serde_json::from_slice(&lake.body.clone().unwrap()).unwrap();
        assert_eq!(body["error"]["code"], lake.code());
        assert!(body["error"]["message"].is_string());
    }
    // Text like the Data Lake's parameter, but somewhere else.
    let blob = w.send("GET", "/none.csv", "&prefix=resource%3Dfile", &[], "").await;
    assert_eq!(blob.header("content-type"), "application/xml");
}

#[tokio::test]
async fn every_answer_names_the_request_and_the_version() {
    let w = world().await;
    let headers = [BLOB, ("x-ms-version", "2026-10-06"), ("x-ms-client-request-id", "my-id")];
    for (name, status) in [("/a.csv", 201), ("/..", 400)] {
        let answer = w.send("PUT", name, "", &headers, "x").await;
        assert_eq!(
            (answer.status, answer.header("x-ms-version"), answer.header("x-ms-client-request-id")),
            (status, "2026-10-06", "my-id")
        );
        assert_eq!(answer.header("date"), "Tue, 24 Nov 2026 10:00:00 GMT");
        assert!(uuid::Uuid::try_parse(answer.header("x-ms-request-id")).is_ok());
    }
    // Data Factory's is from 2019; a version says nothing that matters here.
    for version in ["2009-09-19", "2011-08-18", "2019-12-12", "2025-07-05", "2099-12-31"] {
        for (method, extra) in [("PUT", "&comp=metadata"), ("GET", ""), ("HEAD", ""), ("GET", "&comp=metadata")] {
            let answer = w.send(method, "/a.csv", extra, &[("x-ms-version", version)], "").await;
            assert_eq!((answer.status, answer.header("x-ms-version")), (200, version), "{method} {extra}");
        }
    }
    let stranger = w.handle(crate::UploadRequest { query: String::new(), ..w.request("GET", "/a.csv", "", &headers, b"") }).await;
    assert_eq!((stranger.refusal(), stranger.header("x-ms-client-request-id")), ((403, "AuthenticationFailed"), "my-id"));
    let long = "x".repeat(1_025);
    let answer = w.send("GET", "/a.csv", "", &[("x-ms-client-request-id", &long)], "").await;
    assert_eq!((answer.header("x-ms-client-request-id"), answer.header("x-ms-version")), ("", "2023-11-03"));
    let put = w.put("/a.csv", "x").await;
    assert_eq!(put.header("last-modified"), "Tue, 24 Nov 2026 10:00:00 GMT");
    assert!(put.header("etag").starts_with("\"0x") && put.header("etag").ends_with('"'));
}
