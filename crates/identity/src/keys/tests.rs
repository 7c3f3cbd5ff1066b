use super::*;
use std::path::Path;
use std::sync::Barrier;
use store::StoreConfig;

fn ctx() -> OpContext {
    OpContext::system(TenantId(Uuid::nil()), Uuid::from_u128(1), "2026-11-24T10:00:00Z".parse().unwrap())
}

/// Several processes on one installation that all start for the first time; gives what each of them found.
fn all_at_once(dir: &Path, database_url: Option<&str>) -> Vec<Vec<StoredKey>> {
    let config = StoreConfig { data_dir: dir.to_owned(), database_url: database_url.map(str::to_owned) };
    let stores: Vec<Store> = (0..4).map(|_| Store::open(&config).unwrap()).collect();
    let barrier = Barrier::new(stores.len());
    std::thread::scope(|scope| {
        let start = |store: &Store| {
            let (store, barrier) = (store.clone(), &barrier);
            scope.spawn(move || {
                // Making a key takes its time, and never the same: they meet after it.
                let made = generate(&store).unwrap();
                barrier.wait();
                let kept = keep_first(&store, &ctx(), made).unwrap();
                assert_eq!(Keys::load(&store, &ctx()).unwrap().kid(), kept[0].0);
                kept
            })
        };
        let threads: Vec<_> = stores.iter().map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn are_the_same(kept: &[Vec<StoredKey>]) {
    assert!(kept.iter().all(|other| other.len() == 1 && *other == kept[0]));
}

#[test]
fn of_processes_that_start_at_once_all_use_one_key() {
    let dir = tempfile::tempdir().unwrap();
    are_the_same(&all_at_once(dir.path(), None));
}

/// With `HOMEROOM_TEST_POSTGRES_URL`, as the test script sets it.
#[test]
fn of_processes_that_start_at_once_on_postgresql_all_use_one_key() {
    let Ok(url) = std::env::var("HOMEROOM_TEST_POSTGRES_URL") else { return };
    let (server, _) = url.rsplit_once('/').unwrap();
    let mut admin = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    for _ in 0..5 {
        let name = format!("identity_{}", Uuid::new_v4().simple());
        admin.batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let keys = all_at_once(dir.path(), Some(&format!("{server}/{name}")));
        admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
        are_the_same(&keys);
    }
}

#[test]
fn keys_are_found_again_and_encrypted_at_rest() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Store::open(&StoreConfig { data_dir: dir.path().to_owned(), database_url: None }).unwrap();
    let first = Keys::load(&open(), &ctx()).unwrap();
    let again = Keys::load(&open(), &ctx()).unwrap();
    assert_eq!(first.kid(), again.kid());
    let stored = open().read_blocking::<_, StoreError>(&ctx(), rows).unwrap();
    assert!(KeyPair::from_pkcs8(&stored[0].1).is_err(), "the stored key is in the clear");
    let shown = serde_json::to_string(first.jwks()).unwrap();
    for part in ["\"d\"", "\"p\"", "\"q\"", "\"k\""] {
        assert!(!shown.contains(part), "the published keys hold {part}");
    }
}
