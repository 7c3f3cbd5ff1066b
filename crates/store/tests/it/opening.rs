//! Opening: anywhere, by many at once, and only what can be used.

use crate::bench::{A, Bench, ids, insert, n, read, system, write};
use std::path::Path;
use std::sync::Barrier;
use store::{Store, StoreConfig, StoreError, schema_version};

on_both_engines!(opening_again_keeps_the_data_and_changes_nothing, a_newer_schema_is_refused, many_may_open_a_fresh_store_at_once,);

/// As `homeroom serve` does it: everything inside of one runtime, the end too.
async fn use_inside_a_runtime(bench: &Bench) {
    let store = bench.open();
    let ctx = system(A);
    store.write::<_, StoreError>(&ctx, |tx| tx.docs(&crate::bench::THINGS)?.insert("1", None, &n(1))).await.unwrap();
    let count = store.read::<_, StoreError>(&ctx, |tx| tx.docs(&crate::bench::THINGS)?.count(None)).await.unwrap();
    assert_eq!(count, 1);
    // A clone that outlives the first, and the last one dropped inside the runtime.
    let last = store.clone();
    drop(store);
    tokio::spawn(async move { drop(last) }).await.unwrap();
}

#[tokio::test]
async fn inside_a_runtime_sqlite() {
    use_inside_a_runtime(&Bench::sqlite()).await;
}

#[tokio::test]
async fn inside_a_runtime_postgres() {
    if let Some(bench) = Bench::postgres() {
        use_inside_a_runtime(&bench).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inside_a_runtime_of_many_threads_postgres() {
    if let Some(bench) = Bench::postgres() {
        use_inside_a_runtime(&bench).await;
    }
}

/// The key that all processes on one data directory must share, seen through what it signs.
fn fingerprint(store: &Store) -> Vec<u8> {
    let key = store.secrets().mac_key("test").unwrap();
    aws_lc_rs::hmac::sign(&key, b"x").as_ref().to_vec()
}

fn opening_again_keeps_the_data_and_changes_nothing(bench: &Bench) {
    let versions = |store: &Store| {
        let rows = read(store, &system(A), |tx| tx.query("SELECT version, name FROM schema_migration ORDER BY version", &[]));
        rows.iter().map(|row| (row.int(0).unwrap(), row.text(1).unwrap().to_owned())).collect::<Vec<_>>()
    };
    let store = bench.open();
    insert(&store, &system(A), "1");
    let (before, key) = (versions(&store), fingerprint(&store));
    assert_eq!(before.len() as i64, schema_version());
    // Beside the first one, as a command beside a server.
    let beside = bench.open();
    assert_eq!(ids(&beside, &system(A)), ["1"]);
    drop((store, beside));
    let store = bench.open();
    assert_eq!((versions(&store), fingerprint(&store)), (before, key));
    assert_eq!(ids(&store, &system(A)), ["1"]);
}

fn a_newer_schema_is_refused(bench: &Bench) {
    let store = bench.open();
    write(&store, &system(A), |tx| tx.execute("INSERT INTO schema_migration (version, name) VALUES (99, 'from the future')", &[])).unwrap();
    drop(store);
    match Store::open(&bench.config()) {
        Err(StoreError::NewerSchema { found, known }) => assert_eq!((found, known), (99, schema_version())),
        other => panic!("{other:?}"),
    }
}

fn many_may_open_a_fresh_store_at_once(bench: &Bench) {
    let start = Barrier::new(8);
    let keys: Vec<_> = std::thread::scope(|scope| {
        let openers: Vec<_> = (0..8)
            .map(|number| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    let store = bench.open();
                    insert(&store, &system(A), &number.to_string());
                    fingerprint(&store)
                })
            })
            .collect();
        openers.into_iter().map(|opener| opener.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]), "one key for all");
    assert_eq!(ids(&bench.open(), &system(A)).len(), 8);
    let left: Vec<_> = std::fs::read_dir(bench.config().data_dir).unwrap().map(|e| e.unwrap().file_name()).collect();
    let leftovers: Vec<_> = left.iter().filter(|name| name.to_string_lossy().ends_with(".new")).collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
}

#[tokio::test]
async fn a_database_that_cannot_be_had_is_an_error() {
    let bench = Bench::sqlite();
    for url in ["postgres://nobody@127.0.0.1:1/none", "host=/no/such/folder user=nobody", "postgres://%zz", "nonsense"] {
        let outcome = Store::open(&StoreConfig { database_url: Some(url.to_owned()), ..bench.config() });
        let error = outcome.expect_err(url);
        assert!(matches!(error, StoreError::Postgres(_)), "{url}: {error:?}");
        assert!(error.with_causes().len() > error.to_string().len() + 10, "{}", error.with_causes());
    }
    std::fs::write(bench.config().data_dir.join("homeroom.db"), "this is no database, however long it may be".repeat(100)).unwrap();
    let outcome = Store::open(&bench.config());
    assert!(matches!(outcome, Err(StoreError::Sqlite(_))), "{outcome:?}");
    let outcome = Store::open(&StoreConfig { data_dir: bench.config().data_dir.join("homeroom.db/below"), database_url: None });
    assert!(matches!(outcome, Err(StoreError::Io { .. })), "{outcome:?}");
}

#[test]
fn a_damaged_key_is_refused() {
    let bench = Bench::sqlite();
    drop(bench.open());
    std::fs::write(bench.config().data_dir.join("master.key"), "short").unwrap();
    let outcome = Store::open(&bench.config());
    assert!(matches!(outcome, Err(StoreError::Secrets(_))), "{outcome:?}");
}

#[test]
fn the_password_of_the_database_is_not_shown() {
    let config = StoreConfig { data_dir: "data".into(), database_url: Some("postgres://homeroom:hunter2@db/homeroom".to_owned()) };
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_look() {
    let bench = Bench::sqlite();
    let dir = bench.config().data_dir.join("made").join("on the way");
    let config = StoreConfig { data_dir: dir.clone(), ..bench.config() };
    let store = Store::open(&config).unwrap();
    insert(&store, &system(A), "1");
    let folder = store.blobs().folder(A, "runs/1").unwrap();
    for private in [dir.as_path(), dir.parent().unwrap(), &dir.join("blobs"), &folder] {
        assert_eq!(mode(private), 0o700, "{}", private.display());
    }
    for private in ["master.key", "homeroom.db", "homeroom.db-wal"] {
        assert_eq!(mode(&dir.join(private)), 0o600, "{private}");
    }
}

#[cfg(unix)]
#[test]
fn a_folder_of_our_own_is_closed_to_others_and_a_shared_one_is_left_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let open_folder = |name: &str, bench: &Bench| {
        let dir = bench.dir.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
        dir
    };
    let bench = Bench::sqlite();
    let empty = open_folder("empty", &bench);
    drop(Store::open(&StoreConfig { data_dir: empty.clone(), database_url: None }).unwrap());
    assert_eq!(mode(&empty), 0o700);
    std::fs::set_permissions(&empty, std::fs::Permissions::from_mode(0o750)).unwrap();
    drop(Store::open(&StoreConfig { data_dir: empty.clone(), database_url: None }).unwrap());
    assert_eq!(mode(&empty), 0o700, "it is known by what lies in it");
    let shared = open_folder("shared", &bench);
    std::fs::write(shared.join("somebody's file"), "").unwrap();
    drop(Store::open(&StoreConfig { data_dir: shared.clone(), database_url: None }).unwrap());
    assert_eq!(mode(&shared), 0o755);
    assert_eq!((mode(&shared.join("master.key")), mode(&shared.join("homeroom.db"))), (0o600, 0o600));
    assert_eq!(mode(&shared.join("blobs")), 0o700);
}

/// The change of a fresh file to WAL needs the file alone: the narrowest moment of all.
#[test]
fn many_may_open_a_fresh_file_at_once_again_and_again() {
    for round in 0..15 {
        let (bench, start) = (Bench::sqlite(), Barrier::new(12));
        let failures: Vec<StoreError> = std::thread::scope(|scope| {
            let open = || {
                start.wait();
                Store::open(&bench.config()).err()
            };
            let openers: Vec<_> = (0..12).map(|_| scope.spawn(open)).collect();
            openers.into_iter().filter_map(|opener| opener.join().unwrap()).collect()
        });
        assert!(failures.is_empty(), "round {round}: {failures:?}");
    }
}
