//! CRC-64, and bodies in segments that carry it.

use crate::testing::{BLOB, World, world};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// CRC-64/NVME of "123456789", as the catalogue of CRCs and Azure's SDKs have it.
const CRC: u64 = 0xae8b_1486_0a79_9888;
const KIND: &str = "XSM/1.0; properties=crc64";

fn crc(number: u64) -> String {
    STANDARD.encode(number.to_le_bytes())
}

#[tokio::test]
async fn a_crc_that_was_announced_is_checked() {
    let w = world().await;
    for (name, method, extra, status) in [
        ("/a.csv", "PUT", "", 201),
        ("/b.csv", "PUT", "&comp=block&blockid=MQ%3D%3D", 201),
        ("/c.csv", "PATCH", "&action=append&position=0", 202),
    ] {
        let send = async |value: &str, body: &str| w.send(method, name, extra, &[BLOB, ("x-ms-content-crc64", value)], body).await;
        let good = send(&crc(CRC), "123456789").await;
        assert_eq!((good.status, good.header("x-ms-content-crc64")), (status, crc(CRC).as_str()), "{extra}");
        assert_eq!(send(&crc(CRC), "123456780").await.refusal(), (400, "Crc64Mismatch"), "{extra}");
        for bad in ["", "AAAA", "not base64!"] {
            assert_eq!(send(bad, "123456789").await.refusal(), (400, "InvalidCrc64"), "{extra} {bad}");
        }
    }
    let list = w.send("PUT", "/b.csv", "&comp=blocklist", &[("x-ms-content-crc64", &crc(CRC))], "<BlockList/>").await;
    assert_eq!(list.refusal(), (400, "Crc64Mismatch"));
    assert_eq!(w.text("/a.csv").await, "123456789");
}

/// One segment with the digits.
fn message() -> Vec<u8> {
    let mut message = vec![1, 48, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0];
    message.extend(b"123456789");
    message.extend(CRC.to_le_bytes());
    message.extend(CRC.to_le_bytes());
    message
}

async fn structured(w: &World, name: &str, extra: &str, length: &str, body: &[u8]) -> crate::testing::Answered {
    let headers = [BLOB, ("x-ms-structured-body", KIND), ("x-ms-structured-content-length", length)];
    w.handle(w.request(if extra.contains("action") { "PATCH" } else { "PUT" }, name, extra, &headers, body)).await
}

#[tokio::test]
async fn a_body_in_segments_is_taken_apart() {
    let w = world().await;
    for (name, extra, status) in
        [("/a.csv", "", 201), ("/b.csv", "&comp=block&blockid=MQ%3D%3D", 201), ("/c.csv", "&action=append&position=0&flush=true", 202)]
    {
        let sent = structured(&w, name, extra, "9", &message()).await;
        assert_eq!((sent.status, sent.header("x-ms-structured-body")), (status, KIND), "{extra}");
    }
    let list = w.send("PUT", "/b.csv", "&comp=blocklist", &[], "<BlockList><Latest>MQ==</Latest></BlockList>").await;
    assert_eq!(list.status, 201);
    for name in ["/a.csv", "/b.csv", "/c.csv"] {
        assert_eq!(w.text(name).await, "123456789", "{name}");
    }
    let mut damaged = message();
    damaged[25] ^= 1;
    assert_eq!(structured(&w, "/a.csv", "", "9", &damaged).await.refusal(), (400, "Crc64Mismatch"));
    for (length, code) in [("8", "InvalidInput"), ("10", "InvalidInput"), ("x", "InvalidHeaderValue"), ("1001", "RequestBodyTooLarge")] {
        assert_eq!(structured(&w, "/a.csv", "", length, &message()).await.code(), code, "{length}");
    }
    assert_eq!(structured(&w, "/a.csv", "", "9", &message()[..40]).await.code(), "InvalidInput");
    let without = [BLOB, ("x-ms-structured-body", KIND)];
    assert_eq!(w.handle(w.request("PUT", "/a.csv", "", &without, &message())).await.refusal(), (400, "MissingRequiredHeader"));
    assert_eq!(w.text("/a.csv").await, "123456789");
    assert_eq!(w.on_disk("staging"), [""; 0]);
}

#[tokio::test]
async fn a_body_in_segments_is_sent_on_request() {
    let w = world().await;
    w.put("/a.csv", "0123456789").await;
    let got = w.send("GET", "/a.csv", "", &[("x-ms-structured-body", KIND), ("x-ms-range", "bytes=1-9")], "").await;
    assert_eq!((got.status, got.header("x-ms-structured-body"), got.header("x-ms-structured-content-length")), (206, KIND, "9"));
    assert_eq!(got.header("content-range"), "bytes 1-9/10");
    assert_eq!(got.body.unwrap(), message());
    w.put("/empty.csv", "").await;
    let empty = w.send("GET", "/empty.csv", "", &[("x-ms-structured-body", KIND)], "").await;
    assert_eq!((empty.status, empty.body.unwrap().len()), (200, 13 + 18 + 8));
    assert_eq!(w.send("GET", "/a.csv", "", &[("x-ms-structured-body", "XSM/2.0")], "").await.refusal(), (400, "InvalidHeaderValue"));
}

#[tokio::test]
async fn the_hash_of_a_range_is_given_on_request() {
    let w = world().await;
    w.put("/a.csv", "0123456789").await;
    let whole = w.send("GET", "/a.csv", "", &[], "").await;
    let get = async |range: &str| {
        let headers = [("x-ms-range", range), ("x-ms-range-get-content-md5", "true"), ("x-ms-range-get-content-crc64", "true")];
        w.send("GET", "/a.csv", "", &headers, "").await
    };
    let part = get("bytes=1-9").await;
    assert_eq!((part.status, part.body.as_deref()), (206, Some("123456789".as_bytes())));
    assert_eq!((part.header("content-md5"), part.header("x-ms-content-crc64")), ("JfnnlDI7RTiF9RgfG2JNCw==", crc(CRC).as_str()));
    assert_eq!(part.header("x-ms-blob-content-md5"), whole.header("content-md5"));
    let without_range = w.send("GET", "/a.csv", "", &[("x-ms-range-get-content-md5", "true")], "").await;
    assert_eq!(without_range.refusal(), (400, "InvalidHeaderValue"));
}
