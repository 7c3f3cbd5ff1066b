//! `serve` over TLS, as far as the command line goes; Microsoft's SDKs go on in `tests/sdk/tls.py`.

use crate::process::homeroom;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Output, Stdio};

fn serve(data_dir: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut command = homeroom();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir).args(arguments).envs(settings.iter().copied());
    command.output().unwrap()
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn self_signed_says_where_the_authority_is_and_how_to_trust_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = homeroom();
    command.args(["serve", "--tls-self-signed", "--public-url", "https://graph.microsoft.com", "--listen", "127.0.0.1:0", "--data-dir"]);
    let mut child = Killed(command.arg(dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on https://").unwrap_or_else(|| panic!("{line}")).to_owned();
    let mut plain = std::net::TcpStream::connect(address).unwrap();
    plain.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let mut stderr = child.0.stderr.take().unwrap();
    drop(child);
    let mut told = String::new();
    stderr.read_to_string(&mut told).unwrap();
    let authority = dir.path().join("tls").join("ca.pem");
    assert!(authority.is_file());
    for words in ["REQUESTS_CA_BUNDLE=", "SSL_CERT_FILE=", "NODE_EXTRA_CA_CERTS=", "update-ca-certificates", authority.to_str().unwrap()] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(!told.contains("PRIVATE KEY"), "{told}");
}

#[test]
fn a_certificate_needs_its_key_and_excludes_the_local_authority() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [&["--tls-cert", "a.pem"][..], &["--tls-key", "a.pem"], &["--tls-cert", "a", "--tls-key", "b", "--tls-self-signed"]] {
        assert_eq!(serve(dir.path(), arguments, &[]).status.code(), Some(2), "{arguments:?}");
    }
    for (arguments, settings, words) in [
        (&["--tls-cert", "nowhere.pem", "--tls-key", "nowhere.key"][..], &[][..], "nowhere.pem"),
        (&["--tls-self-signed", "--public-url", "http://localhost"], &[], "https://"),
        (&["--public-url", "https://localhost/graph"], &[], "without a path"),
        (&[], &[("HOMEROOM_SERVER__TLS_CERT", "a.pem")], "tls_key"),
        (&[], &[("HOMEROOM_SERVER__CORS_ORIGINS", "[\"console.example\"]")], "cors_origins"),
    ] {
        let output = serve(dir.path(), arguments, settings);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{told}");
        assert!(told.contains(words), "{words}: {told}");
    }
}
