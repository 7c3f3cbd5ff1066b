use super::Secrets;
use crate::StoreError;
use aws_lc_rs::hmac;
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::Barrier;

fn key_file() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("master.key");
    (dir, path)
}

fn sign(secrets: &Secrets, purpose: &str) -> Vec<u8> {
    hmac::sign(&secrets.mac_key(purpose).unwrap(), b"message").as_ref().to_vec()
}

fn refused(secrets: &Secrets, about: &str, sealed: &[u8]) -> bool {
    matches!(secrets.open_sealed(about, sealed), Err(StoreError::Secrets(_)))
}

#[test]
fn a_secret_opens_again_for_what_it_was_sealed_for() {
    let (_dir, path) = key_file();
    let secrets = Secrets::open(&path).unwrap();
    let sealed = secrets.seal("tenant/table/1", b"hunter2").unwrap();
    assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
    assert_eq!(secrets.open_sealed("tenant/table/1", &sealed).unwrap(), b"hunter2");
    assert_eq!(Secrets::open(&path).unwrap().open_sealed("tenant/table/1", &sealed).unwrap(), b"hunter2", "another process can");
    assert_ne!(secrets.seal("tenant/table/1", b"hunter2").unwrap(), sealed, "never twice the same bytes");
    for about in ["", "tenant/table/2", "tenant/table/1 ", "other/table/1"] {
        assert!(refused(&secrets, about, &sealed), "{about:?}");
    }
}

#[test]
fn a_changed_secret_is_refused() {
    let (_dir, path) = key_file();
    let secrets = Secrets::open(&path).unwrap();
    let sealed = secrets.seal("a", b"hunter2").unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(refused(&secrets, "a", &changed), "bit {bit}");
    }
    for length in 0..sealed.len() {
        assert!(refused(&secrets, "a", &sealed[..length]), "cut to {length}");
    }
    let (_other_dir, other) = key_file();
    assert!(refused(&Secrets::open(&other).unwrap(), "a", &sealed), "another master key");
}

proptest! {
    #[test]
    fn any_secret_comes_back(about in ".{0,40}", secret in prop::collection::vec(any::<u8>(), 0..300), junk in prop::collection::vec(any::<u8>(), 0..60)) {
        let (_dir, path) = key_file();
        let secrets = Secrets::open(&path).unwrap();
        let sealed = secrets.seal(&about, &secret).unwrap();
        prop_assert_eq!(secrets.open_sealed(&about, &sealed).unwrap(), secret);
        prop_assert!(refused(&secrets, &about, &junk));
    }
}

#[test]
fn a_key_for_a_purpose_is_the_same_after_each_start_and_no_other() {
    let (_dir, path) = key_file();
    let first = Secrets::open(&path).unwrap();
    let again = Secrets::open(&path).unwrap();
    assert_eq!(sign(&first, "upload session"), sign(&again, "upload session"));
    assert_ne!(sign(&first, "upload session"), sign(&first, "console session"));
    let (_other_dir, other) = key_file();
    assert_ne!(sign(&first, "upload session"), sign(&Secrets::open(&other).unwrap(), "upload session"));
}

#[test]
fn all_who_open_at_once_have_the_same_key() {
    for _ in 0..20 {
        let (dir, path) = key_file();
        let start = Barrier::new(8);
        let signed: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let openers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        sign(&Secrets::open(&path).unwrap(), "x")
                    })
                })
                .collect();
            openers.into_iter().map(|opener| opener.join().unwrap()).collect()
        });
        assert!(signed.iter().all(|s| *s == signed[0]));
        assert_eq!(signed[0], sign(&Secrets::open(&path).unwrap(), "x"), "and it is the one that stays");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_key() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_dir, path) = key_file();
    Secrets::open(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_file_that_is_no_key_is_refused_and_kept() {
    let (dir, path) = key_file();
    for content in [&b""[..], b"short", &[7; 33]] {
        std::fs::write(&path, content).unwrap();
        assert!(matches!(Secrets::open(&path), Err(StoreError::Secrets(_))));
        assert_eq!(std::fs::read(&path).unwrap(), content);
    }
    assert!(matches!(Secrets::open(&dir.path().join("no such folder/master.key")), Err(StoreError::Io { .. })));
}
