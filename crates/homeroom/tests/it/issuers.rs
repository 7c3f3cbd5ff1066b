//! One Homeroom that takes the tokens of another one, over TLS.

use crate::process::{Serving, homeroom};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

fn made(data_dir: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Value {
    let mut command = homeroom();
    let output = command.args(arguments).arg("--json").arg("--data-dir").arg(data_dir).envs(settings.iter().copied()).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_over_tls_from_whom_the_systems_authorities_vouch_for() {
    let (theirs, ours) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tenant = made(theirs.path(), &["tenant", "create", "--name", "Theirs"], &[]);
    let id = tenant["id"].as_str().unwrap();
    made(ours.path(), &["tenant", "create", "--name", "Ours", "--id", id], &[]);
    let app = made(theirs.path(), &["app", "create", "--tenant", id, "--name", "x", "--all-permissions"], &[]);
    let mut command = homeroom();
    command.args(["serve", "--tls-self-signed", "--listen", "127.0.0.1:0", "--data-dir"]).arg(theirs.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let base = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
    assert!(base.starts_with("https://"), "{base}");
    let issuer = Serving { child, base };

    let (client, secret) = (app["clientId"].as_str().unwrap(), app["clientSecret"].as_str().unwrap());
    let public = [("HOMEROOM_SERVER__PUBLIC_URL", issuer.base.as_str())];
    let token = made(theirs.path(), &["token", "--tenant", id, "--client-id", client, "--client-secret", secret], &public);
    let token = token["access_token"].as_str().unwrap();
    let issuers = format!(r#"[{{issuer="{}/{id}/v2.0",audiences=["https://graph.microsoft.com"]}}]"#, issuer.base);
    let authority = theirs.path().join("tls").join("ca.pem");
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let nobody = theirs.path().join("none.pem");
    std::fs::write(&nobody, include_str!("../../../identity/src/certificates/rsa.pem")).unwrap();
    for (file, expected) in [(&nobody, 401), (&authority, 200)] {
        let settings = [("SSL_CERT_FILE", file.to_str().unwrap()), ("HOMEROOM_ISSUERS", issuers.as_str()), ("NO_PROXY", "127.0.0.1")];
        let serving = Serving::start(ours.path(), &settings);
        let years = http.get(format!("{}/beta/external/industryData/years", serving.base)).bearer_auth(token).send().await.unwrap();
        assert_eq!(years.status(), expected, "{}", years.text().await.unwrap());
    }
}
