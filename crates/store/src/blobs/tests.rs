use super::{BlobStore, BlobWriter};
use crate::{StoreError, TenantId};
use proptest::prelude::*;
use std::io::Write as _;
use std::path::{Component, Path};
use uuid::Uuid;

const A: TenantId = TenantId(Uuid::from_u128(0xA));
const B: TenantId = TenantId(Uuid::from_u128(0xB));

fn blobs() -> (tempfile::TempDir, BlobStore) {
    let dir = tempfile::tempdir().unwrap();
    let blobs = BlobStore::open(&dir.path().join("blobs")).unwrap();
    (dir, blobs)
}

#[test]
fn a_key_leads_below_its_tenant() {
    let (dir, blobs) = blobs();
    let path = blobs.path(A, "runs/0190-a/plan_1.jsonl").unwrap();
    let wanted = dir.path().join("blobs").join(A.to_string()).join("runs").join("0190-a").join("plan_1.jsonl");
    assert_eq!(path, wanted);
    assert_ne!(blobs.path(A, "x").unwrap(), blobs.path(B, "x").unwrap());
    assert!(blobs.path(A, "..a/.b/c..").is_ok(), "dots beside other characters lead nowhere");
}

#[test]
fn a_key_that_could_lead_elsewhere_is_refused() {
    let (_dir, blobs) = blobs();
    let long_part = "x".repeat(201);
    let long_key = ["x"; 300].join("/");
    let bad = [
        "",
        "/",
        "/etc/passwd",
        "..",
        ".",
        "...",
        "../x",
        "a/../b",
        "a/..",
        "a/./b",
        "a//b",
        "a/",
        "/a",
        "a\\..\\b",
        "C:",
        "C:/x",
        "a b",
        "a\0",
        "a\n",
        "ü",
        "%2e%2e",
        "a:b",
        "~",
        &long_part,
        &long_key,
    ];
    for key in bad {
        assert!(matches!(blobs.path(A, key), Err(StoreError::BadKey(_))), "{key:?}");
        assert!(matches!(blobs.folder(A, key), Err(StoreError::BadKey(_))), "{key:?}");
        assert!(matches!(blobs.remove_folder(A, key), Err(StoreError::BadKey(_))), "{key:?}");
    }
}

proptest! {
    /// Whatever is accepted stays below the tenant's folder, without a step back.
    #[test]
    fn no_key_leaves_the_tenant(key in "[a.b/_\\\\ -]{0,24}") {
        let blobs = BlobStore { root: "root".into() };
        if let Ok(path) = blobs.path(A, &key) {
            let below = path.strip_prefix(Path::new("root").join(A.to_string())).unwrap();
            prop_assert!(below.components().count() > 0);
            prop_assert!(below.components().all(|part| matches!(part, Component::Normal(_))));
            prop_assert_eq!(below.to_str().unwrap(), key);
        }
    }
}

#[test]
fn folders_come_and_go() {
    let (_dir, blobs) = blobs();
    let folder = blobs.folder(A, "runs/1/parts").unwrap();
    assert!(folder.is_dir());
    assert_eq!(blobs.folder(A, "runs/1/parts").unwrap(), folder, "twice is fine");
    std::fs::write(folder.join("x"), "x").unwrap();
    blobs.folder(B, "runs/1").unwrap();
    blobs.remove_folder(A, "runs/1").unwrap();
    blobs.remove_folder(A, "runs/1").unwrap();
    assert!(!folder.exists());
    assert!(blobs.path(A, "runs").unwrap().is_dir());
    assert!(blobs.path(B, "runs/1").unwrap().is_dir(), "another tenant's stays");
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_appears_when_it_is_finished() {
    let (_dir, blobs) = blobs();
    let folder = blobs.folder(A, "f").unwrap();
    let path = folder.join("data");
    let mut writer = BlobWriter::create(&path).unwrap();
    writer.write_all(b"one").unwrap();
    writer.flush().unwrap();
    assert!(!path.exists());
    assert!(names(&folder).iter().all(|name| Path::new(name).extension() == Some("part".as_ref())));
    writer.finish().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"one");
    let mut writer = BlobWriter::create(&path).unwrap();
    writer.write_all(b"two").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"one", "the old one until the new one is whole");
    writer.finish().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"two");
    assert_eq!(names(&folder), ["data"]);
}

#[test]
fn a_file_that_is_given_up_leaves_nothing() {
    let (_dir, blobs) = blobs();
    let folder = blobs.folder(A, "f").unwrap();
    let mut writer = BlobWriter::create(&folder.join("data")).unwrap();
    writer.write_all(b"half of it").unwrap();
    drop(writer);
    assert_eq!(names(&folder), Vec::<String>::new());
    // In the place of a file there is a folder: it cannot be finished.
    std::fs::create_dir(folder.join("taken")).unwrap();
    let writer = BlobWriter::create(&folder.join("taken")).unwrap();
    assert!(writer.finish().is_err());
    assert_eq!(names(&folder), ["taken"]);
    assert!(BlobWriter::create(&folder.join("no such folder/data")).is_err());
}

#[test]
fn two_writers_of_one_file_do_not_mix() {
    let (_dir, blobs) = blobs();
    let path = blobs.folder(A, "f").unwrap().join("data");
    let mut slow = BlobWriter::create(&path).unwrap();
    slow.write_all(&b"a".repeat(100_000)).unwrap();
    let mut quick = BlobWriter::create(&path).unwrap();
    quick.write_all(&b"b".repeat(70_000)).unwrap();
    quick.finish().unwrap();
    assert!(std::fs::read(&path).unwrap() == b"b".repeat(70_000));
    slow.write_all(&b"a".repeat(100_000)).unwrap();
    slow.finish().unwrap();
    assert!(std::fs::read(&path).unwrap() == b"a".repeat(200_000));
}
