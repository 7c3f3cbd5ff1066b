//! Killed in the middle: what was acknowledged is there afterwards, and nothing is there by half.
//! The test starts itself again as the process to be killed.

use crate::bench::{A, Bench, THINGS, ids, n, read, system, write};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use store::{BlobWriter, NewJob, Store, StoreConfig, StoreError};

on_both_engines!(acknowledged_documents_survive, acknowledged_blobs_survive);

/// What the child is to do, on which data, and the number of its round.
const TASK: &str = "HOMEROOM_TEST_CRASH_TASK";
const DIR: &str = "HOMEROOM_TEST_CRASH_DIR";
const URL: &str = "HOMEROOM_TEST_CRASH_URL";
const ROUND: &str = "HOMEROOM_TEST_CRASH_ROUND";

/// How often a child is killed in one test.
const ROUNDS: u64 = 6;

/// Not a test: the process that is killed. Writes until then, and says each thing that is done.
#[test]
fn child() {
    let Ok(task) = std::env::var(TASK) else { return };
    let config = StoreConfig { data_dir: std::env::var(DIR).unwrap().into(), database_url: std::env::var(URL).ok() };
    let (store, round) = (Store::open(&config).unwrap(), std::env::var(ROUND).unwrap());
    for number in 0.. {
        let id = format!("{round}-{number:06}");
        match task.as_str() {
            "documents" => write_document(&store, id.clone()).unwrap(),
            _ => write_blob(&store, &id).unwrap(),
        }
        // The first line ends what the test runner has begun to print.
        let mut out = std::io::stdout().lock();
        out.write_all(format!("\ndone {id}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
    }
}

/// Starts a child, kills it at some moment, and gives what it has acknowledged until then.
fn killed(bench: &Bench, task: &str, round: u64) -> BTreeSet<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["crash::child", "--exact", "--nocapture"]);
    command.env(TASK, task).env(DIR, bench.config().data_dir).env(ROUND, round.to_string());
    if let Some(url) = bench.config().database_url {
        command.env(URL, url);
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    let (first, started) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut done = BTreeSet::new();
        let mut lines = BufReader::new(out);
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 {
            // A line that was cut off has not been said.
            if let Some(id) = line.strip_prefix("done ").and_then(|rest| rest.strip_suffix('\n')) {
                done.insert(id.to_owned());
                let _ = first.send(());
            }
            line.clear();
        }
        done
    });
    started.recv_timeout(Duration::from_mins(1)).expect("the child gets to work");
    // Any moment will do; another one in each round.
    std::thread::sleep(Duration::from_micros(uuid::Uuid::new_v4().as_u64_pair().0 % 120_000));
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// A unit of two documents, a job and a line of the audit log: all there or none.
fn write_document(store: &Store, id: String) -> Result<(), StoreError> {
    write(store, &system(A), move |tx| {
        tx.docs(&THINGS)?.insert(&id, Some("first"), &n(1))?;
        tx.enqueue(&id, &NewJob { kind: "run", payload: "x".repeat(2_000).into(), run_at: tx.ctx().now })?;
        tx.audit(&id, None, None, "created", &id, "")?;
        tx.docs(&THINGS)?.insert(&format!("{id}/twin"), Some("second"), &n(2))
    })
}

fn acknowledged_documents_survive(bench: &Bench) {
    let mut done = BTreeSet::new();
    for round in 0..ROUNDS {
        done.append(&mut killed(bench, "documents", round));
        let store = bench.open();
        // Whatever the killed process had open on the server must be over: this waits for its turn.
        write(&store, &system(A), |_| Ok(())).unwrap();
        let found: BTreeSet<String> = ids(&store, &system(A)).into_iter().collect();
        let lost: Vec<_> = done.iter().filter(|id| !found.contains(*id)).collect();
        assert!(lost.is_empty(), "acknowledged, and lost: {lost:?}");
        let firsts: BTreeSet<String> = found.iter().filter(|id| !id.ends_with("/twin")).cloned().collect();
        assert_eq!(found.len(), firsts.len() * 2, "by half");
        for table in ["job", "audit_log"] {
            let rows = read(&store, &system(A), move |tx| tx.query(&format!("SELECT id FROM {table}"), &[]));
            let rows: BTreeSet<String> = rows.iter().map(|row| row.text(0).unwrap().to_owned()).collect();
            assert_eq!(rows, firsts, "{table}");
        }
        if !bench.is_postgres() {
            let check = read(&store, &system(A), |tx| tx.query_one("PRAGMA integrity_check", &[])).unwrap();
            assert_eq!(check.text(0).unwrap(), "ok");
        }
    }
    assert!(done.len() as u64 >= ROUNDS);
}

/// The content of a blob follows from its name, so that anybody can tell a whole one.
fn content(id: &str) -> Vec<u8> {
    let length = id.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 400_000;
    id.bytes().cycle().take(length as usize).collect()
}

/// Each blob is written into a new folder, and once more over itself.
fn write_blob(store: &Store, id: &str) -> std::io::Result<()> {
    let folder = store.blobs().folder(A, &format!("runs/{id}")).map_err(std::io::Error::other)?;
    for _ in 0..2 {
        let mut file = BlobWriter::create(&folder.join("data"))?;
        content(id).chunks(10_000).try_for_each(|chunk| file.write_all(chunk))?;
        file.finish()?;
    }
    Ok(())
}

fn acknowledged_blobs_survive(bench: &Bench) {
    let mut done = BTreeSet::new();
    for round in 0..ROUNDS {
        done.append(&mut killed(bench, "blobs", round));
        let store = bench.open();
        let mut found = BTreeSet::new();
        for folder in std::fs::read_dir(store.blobs().path(A, "runs").unwrap()).unwrap() {
            let folder = folder.unwrap();
            let id = folder.file_name().into_string().unwrap();
            for file in std::fs::read_dir(folder.path()).unwrap() {
                let path = file.unwrap().path();
                if path.extension() != Some(Path::new("part").as_os_str()) {
                    assert_eq!(path.file_name(), Some(Path::new("data").as_os_str()));
                    assert!(std::fs::read(&path).unwrap() == content(&id), "{} is not whole", path.display());
                    found.insert(id.clone());
                }
            }
        }
        let lost: Vec<_> = done.difference(&found).collect();
        assert!(lost.is_empty(), "acknowledged, and lost: {lost:?}");
    }
    assert!(done.len() as u64 >= ROUNDS);
}
