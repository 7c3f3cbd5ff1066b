//! Long work of one tenant: it ends soon when the server is told to stop, and keeps no other tenant waiting.

use crate::accepted_set::{accepted, all_ended, connector, first_accepted, generated, next_uploads};
use crate::district::QUICK;
use crate::process::{Api, ROOT, Serving, homeroom, until};
use crate::uploads::token_of_new;
use reqwest::Method;
use serde_json::Value;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

/// A server in which the validation of a package of changes is held in the middle, until the file is removed.
async fn held(data_dir: &Path, file: &Path, token: &str, connector: &str, changes: &Path, names: &[String]) -> Serving {
    let hold = format!("changes-half-applied={}", file.display());
    let settings = [QUICK[0], QUICK[1], ("HOMEROOM_TEST_HOLD_AT", &hold), ("HOMEROOM_WORKER__JOBS_AT_ONCE", "2")];
    let serving = Serving::start(data_dir, &settings);
    let api = Api::new(&serving.base, token);
    api.put(connector, changes, names.iter().map(String::as_str)).await;
    assert_eq!(api.send(Method::POST, &format!("{connector}/validate"), None).await.unwrap().status(), 202);
    until(|| file.exists()).await;
    serving
}

/// A validation that is under way when the server is told to stop does not keep it: it breaks off and is done by the next
/// start.
#[tokio::test(flavor = "multi_thread")]
async fn a_validation_is_broken_off_when_the_server_stops_and_done_by_the_next_start() {
    let (dir, uploads) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (token, connector) = first_accepted(dir.path(), &uploads.path().join("first")).await;
    let old = accepted(dir.path()).await;
    let [(changes, names), _] = next_uploads(uploads.path());
    let file = uploads.path().join("held");
    let serving = held(dir.path(), &file, &token, &connector, &changes, &names).await;
    let told = Command::new("kill").args(["-TERM", &serving.child.id().to_string()]).status().unwrap();
    assert!(told.success());
    let address = serving.base.strip_prefix("http://").unwrap().to_owned();
    until(|| TcpStream::connect(&address).is_err()).await;
    // From here on the validation could go on to its end.
    std::fs::remove_file(&file).unwrap();
    assert!(serving.died().await.success());
    assert!(accepted(dir.path()).await == old, "it was not done");
    // Not even the lease of the stopped worker has to be waited for.
    let serving = Serving::start(dir.path(), &[QUICK[1], ("HOMEROOM_WORKER__LEASE_SECONDS", "3600")]);
    let api = Api::new(&serving.base, &token);
    all_ended(&api).await;
    let operations = api.get(&format!("{ROOT}/operations")).await;
    assert!(operations["value"].as_array().unwrap().iter().all(|operation| operation["errors"] == Value::Array(Vec::new())));
    serving.kill();
    assert!(accepted(dir.path()).await != old);
}

/// A command that is interrupted ends at once and leaves nothing of what it has read.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_command_leaves_no_temporary_files() {
    for signal in ["-INT", "-TERM"] {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = homeroom();
        command.args(["validate", "-", "--name", "users.csv"]).env("TMPDIR", temporary.path());
        // The pipe stays open: the command would wait for its end.
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"sourcedId\n").unwrap();
        let folders = || std::fs::read_dir(temporary.path()).unwrap().count();
        until(|| folders() == 1).await;
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let mut ended = None;
        until(|| {
            ended = child.try_wait().unwrap();
            ended.is_some()
        })
        .await;
        assert_eq!((ended.unwrap().code(), folders()), (Some(130), 0), "{signal}");
    }
}

/// While a validation of one tenant is going, that of another one is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_validation_keeps_no_other_tenant_waiting() {
    let (dir, uploads) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (token, first) = first_accepted(dir.path(), &uploads.path().join("first")).await;
    let other = token_of_new(dir.path(), "Fabrikam").await;
    let [(changes, names), _] = next_uploads(uploads.path());
    let file = uploads.path().join("held");
    let serving = held(dir.path(), &file, &token, &first, &changes, &names).await;
    let api = Api::new(&serving.base, &other);
    let set = uploads.path().join("other");
    let names = generated(&set);
    api.upload(&connector(&api).await, &set, names.iter().map(String::as_str)).await;
    let held = Api::new(&serving.base, &token);
    let operations = held.get(&format!("{ROOT}/operations")).await;
    assert!(operations["value"].as_array().unwrap().iter().any(|operation| operation["status"] == "notStarted"), "{operations}");
    std::fs::remove_file(&file).unwrap();
    all_ended(&held).await;
    serving.kill();
}
