//! The client against providers: one that does everything that providers do, right and wrong, and
//! the recorded answers of two real ones.

// Helpers of tests are tests, but clippy only knows those with the attribute.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

use jiff::Timestamp;
use oneroster::{Connection, Credential, FaultCode, Limits, Mode, Probe, PullError, Report, Secret, Surroundings, Switches, Version};
use provider::{Auth, CLIENT_ID, CLIENT_SECRET, Provider};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

mod edfi;
mod faults;
mod good;
mod guarded;
mod probing;
mod property;
#[allow(dead_code, reason = "the tests of the server use it, too, and other parts of it")]
mod provider;
mod recorded;

/// Everything that can be asked for.
const ALL: Switches = Switches { contacts: true, demographics: true, flags: true };

/// Small pauses; small pages, so that there are several.
fn limits() -> Limits {
    let ms = Duration::from_millis;
    Limits {
        page_records: 7,
        pause_first: ms(1),
        pause_most: ms(5),
        tries: 3,
        stall: ms(2_000),
        retry_after_most: ms(1_500),
        ..Limits::default()
    }
}

fn surroundings(allow: &[&str]) -> Surroundings {
    let count = AtomicU64::new(0);
    Surroundings {
        egress: egress::Egress::new(allow).unwrap(),
        now: Arc::new(|| "2026-11-24T10:00:00Z".parse().unwrap()),
        nonce: Arc::new(move || format!("n{}", count.fetch_add(1, Ordering::SeqCst))),
        limits: limits(),
    }
}

fn connection(provider: &Provider, auth: Auth, version: Version, switches: Switches) -> Connection {
    let (client_id, client_secret) = (CLIENT_ID.to_owned(), Secret::new(CLIENT_SECRET));
    let credential = match auth {
        Auth::OAuth1(_) => Credential::OAuth1 { client_id, client_secret },
        _ => {
            Credential::OAuth2 { client_id, client_secret, token_url: format!("{}/token", provider.base), scope: Some("roster".to_owned()) }
        }
    };
    let path = if version == Version::V1p1 { "/ims/oneroster/v1p1" } else { "/ims/oneroster/rostering/v1p2/" };
    Connection { base_url: format!("{}{path}", provider.base), version, credential, switches }
}

/// A folder with what was pulled into it.
struct Pulled {
    report: Report,
    files: BTreeMap<String, Vec<BTreeMap<String, String>>>,
    _dir: tempfile::TempDir,
}

impl Pulled {
    fn rows(&self, file: &str) -> &[BTreeMap<String, String>] {
        self.files.get(file).map_or(&[], Vec::as_slice)
    }

    fn column<'p>(&'p self, file: &str, name: &str) -> Vec<&'p str> {
        self.rows(file).iter().map(|row| row[name].as_str()).collect()
    }

    fn row(&self, file: &str, id: &str) -> &BTreeMap<String, String> {
        self.rows(file).iter().find(|row| row["sourcedId"] == id).unwrap_or_else(|| panic!("{file} has no {id}"))
    }
}

/// All files of a folder, by name: rows by the names of their columns.
fn read_package(folder: &Path) -> BTreeMap<String, Vec<BTreeMap<String, String>>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut reader = csv::Reader::from_path(&path).unwrap();
        let header = reader.headers().unwrap().clone();
        let rows = reader.records().map(|record| header.iter().map(str::to_owned).zip(record.unwrap().iter().map(str::to_owned)).collect());
        files.insert(path.file_name().unwrap().to_string_lossy().into_owned(), rows.collect());
    }
    files
}

async fn try_pull(connection: &Connection, surroundings: &Surroundings, mode: Mode) -> Result<Pulled, PullError> {
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("package");
    let outcome = oneroster::pull(connection, surroundings, mode, &into, &mut |_| {}).await;
    let left: Vec<PathBuf> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    match outcome {
        Ok(report) => {
            assert_eq!(left, std::slice::from_ref(&into));
            Ok(Pulled { report, files: read_package(&into), _dir: dir })
        }
        Err(error) => {
            assert!(left.is_empty(), "a pull that failed left {left:?}");
            Err(error)
        }
    }
}

async fn pull(provider: &Provider, auth: Auth, version: Version, switches: Switches) -> Pulled {
    try_pull(&connection(provider, auth, version, switches), &surroundings(&[&provider.address]), Mode::Full).await.unwrap()
}

/// The code of the fault that a full pull ends with, and its text.
async fn fault(provider: &Provider) -> (FaultCode, String) {
    let connection = connection(provider, Auth::OAuth2Basic, Version::V1p1, Switches::default());
    match try_pull(&connection, &surroundings(&[&provider.address]), Mode::Full).await {
        Err(PullError::Fault(fault)) => (fault.code, fault.to_string()),
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("the pull went well"),
    }
}

async fn probe(connection: &Connection, allow: &[&str]) -> Probe {
    oneroster::probe(connection, &surroundings(allow)).await
}

fn codes(faults: &[oneroster::Fault]) -> Vec<&'static str> {
    faults.iter().map(|fault| fault.code.as_str()).collect()
}

/// A folder of the shared material, found by walking up from this crate.
fn shared(parts: &[&str]) -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|above| parts.iter().fold(above.join("shared"), |path, part| path.join(part))).find(|path| path.exists())
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}
