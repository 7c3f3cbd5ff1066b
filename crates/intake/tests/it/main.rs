//! Against OpenSSH's own server, when there is one: `./test` installs it.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on fails, and says when it did nothing")]

use intake::{Credential, IntakeError, Listed, Place, Sftp};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SSHD: &str = "/usr/sbin/sshd";
/// The password of `PASSWORD_USER`, and its SHA-512 crypt, `openssl passwd -6`.
const PASSWORD: &str = "open sesame";
const PASSWORD_HASH: &str = "$6$abc$gDRynJ6bv/lKH0en4n.v8b9a0m6LmPOfa/D9Zlr338Pbs1KPSGcD0vvBeubjZOchtoFf6ZB7FJLWP45mvkXCh.";
const PASSWORD_USER: &str = "homeroom-sis";

struct Server {
    process: Child,
    dir: tempfile::TempDir,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn keygen(file: &Path, passphrase: &str) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", passphrase, "-f"]).arg(file).status().unwrap();
    assert!(made.success());
}

impl Server {
    /// `None`, said aloud, where OpenSSH is not installed.
    fn start() -> Option<Self> {
        Self::serve("PasswordAuthentication no", |_| Command::new(SSHD))
    }

    /// One that lets [`PASSWORD_USER`] in with a password and nobody otherwise. The user is in the lists of users that
    /// this server alone sees, in a mount namespace of its own: that takes root.
    fn with_password() -> Option<Self> {
        let can = Command::new("unshare").args(["--mount", "true"]).stderr(Stdio::null()).status().is_ok_and(|ended| ended.success());
        if !can {
            println!("skipped: no mount namespace can be made here, which takes root and unshare");
            return None;
        }
        Self::serve("PasswordAuthentication yes\nPubkeyAuthentication no", |dir| {
            for (file, user) in
                [("passwd", format!("x:0:0::{}:/bin/sh", dir.display())), ("shadow", format!("{PASSWORD_HASH}:19000:0:99999:7:::"))]
            {
                let others = std::fs::read_to_string(Path::new("/etc").join(file)).unwrap();
                std::fs::write(dir.join(file), format!("{others}{PASSWORD_USER}:{user}\n")).unwrap();
            }
            let script = "mount --bind \"$0/passwd\" /etc/passwd && mount --bind \"$0/shadow\" /etc/shadow && exec \"$@\"";
            let mut command = Command::new("unshare");
            command.args(["--mount", "sh", "-c", script]).arg(dir).arg(SSHD);
            command
        })
    }

    fn serve(authentication: &str, sshd: impl FnOnce(&Path) -> Command) -> Option<Self> {
        if !Path::new(SSHD).exists() {
            println!("skipped: there is no {SSHD} here");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        keygen(&path("host"), "");
        keygen(&path("user"), "");
        keygen(&path("locked"), "open sesame");
        keygen(&path("stranger"), "");
        let known: String = ["user", "locked"].iter().map(|key| std::fs::read_to_string(path(&format!("{key}.pub"))).unwrap()).collect();
        std::fs::write(path("authorized"), known).unwrap();
        std::fs::create_dir(path("out")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\n\
             PermitRootLogin yes\n{authentication}\nSubsystem sftp internal-sftp\n",
            path("host").display(),
            path("authorized").display()
        );
        std::fs::write(path("sshd_config"), settings).unwrap();
        // Where OpenSSH separates privileges; only a server that the system starts makes it.
        let _ = std::fs::create_dir_all("/run/sshd");
        let process = sshd(dir.path()).args(["-D", "-e", "-f"]).arg(path("sshd_config")).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { process, dir, port };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("sshd does not listen");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn sftp(&self) -> Sftp {
        let shown = Command::new("ssh-keygen").arg("-lf").arg(self.path("host.pub")).output().unwrap().stdout;
        let host_key = String::from_utf8(shown).unwrap().split_whitespace().nth(1).unwrap().to_owned();
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap().trim().to_owned();
        let path = self.path("out").to_str().unwrap().to_owned();
        let credential = self.key("user", None);
        Sftp { host: "127.0.0.1".to_owned(), port: self.port, user, credential, host_key, path, addresses: Vec::new() }
    }

    fn key(&self, name: &str, passphrase: Option<&str>) -> Credential {
        Credential::Key { pem: std::fs::read_to_string(self.path(name)).unwrap(), passphrase: passphrase.map(str::to_owned) }
    }
}

#[tokio::test]
async fn an_export_is_fetched_from_an_openssh_server() {
    let Some(server) = Server::start() else { return };
    // Larger than one packet, and one that is empty.
    let large: Vec<u8> = (0..3_000_000_u32).flat_map(|n| (n as u8).to_le_bytes()).collect();
    std::fs::write(server.path("out/users.csv"), &large).unwrap();
    std::fs::write(server.path("out/orgs.csv"), "").unwrap();
    std::fs::write(server.path("out/.roles.csv.part"), "x").unwrap();
    std::fs::create_dir(server.path("out/old.csv")).unwrap();
    let place = Place::Sftp(server.sftp());
    let mut files = place.list().await.unwrap();
    files.retain(Listed::is_export);
    assert_eq!(files.iter().map(|file| (file.name.as_str(), file.size)).collect::<Vec<_>>(), [("orgs.csv", 0), ("users.csv", 3_000_000)]);
    let into = tempfile::tempdir().unwrap();
    place.fetch(&files, into.path()).await.unwrap();
    assert!(std::fs::read(into.path().join("users.csv")).unwrap() == large);
    assert_eq!(std::fs::read(into.path().join("orgs.csv")).unwrap(), b"");

    std::fs::write(server.path("out/users.csv"), "shorter").unwrap();
    let changed = place.fetch(&files, tempfile::tempdir().unwrap().path()).await.unwrap_err();
    assert!(matches!(changed, IntakeError::Changed { .. }), "{changed}");
}

#[tokio::test]
async fn a_key_with_a_passphrase_opens_the_server() {
    let Some(server) = Server::start() else { return };
    let credential = server.key("locked", Some("open sesame"));
    assert!(Place::Sftp(Sftp { credential, ..server.sftp() }).list().await.unwrap().is_empty());
    let credential = server.key("locked", Some("wrong"));
    let error = Place::Sftp(Sftp { credential, ..server.sftp() }).list().await.unwrap_err().to_string();
    assert!(error.contains("cannot use the key for") && error.contains(&server.port.to_string()), "{error}");
}

#[tokio::test]
async fn nobody_is_let_in_and_nothing_is_sent_where_the_keys_do_not_fit() {
    let Some(server) = Server::start() else { return };
    let credential = server.key("stranger", None);
    let denied = Place::Sftp(Sftp { credential, ..server.sftp() }).list().await.unwrap_err();
    assert!(matches!(denied, IntakeError::Denied { .. }), "{denied}");
    // A password is not even tried on a server that is not the pinned one.
    let credential = Credential::Password("secret".to_owned());
    let host_key = format!("SHA256:{}", "A".repeat(43));
    let error = Place::Sftp(Sftp { host_key, credential, ..server.sftp() }).list().await.unwrap_err();
    assert!(matches!(&error, IntakeError::HostKey { found, .. } if *found == server.sftp().host_key), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_or_says_nothing_is_an_error_that_names_it() {
    let Some(server) = Server::start() else { return };
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = Place::Sftp(Sftp { port: nobody, ..server.sftp() }).list().await.unwrap_err().to_string();
    assert!(error.contains(&nobody.to_string()), "{error}");
    let error = Place::Sftp(Sftp { path: "/nowhere/at/all".to_owned(), ..server.sftp() }).list().await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all"), "{error}");
}

#[tokio::test]
async fn a_server_is_looked_for_at_the_addresses_that_were_given_only() {
    let Some(server) = Server::start() else { return };
    let at = |port: u16| vec![std::net::SocketAddr::from(([127, 0, 0, 1], port))];
    // The name is not known anywhere: the address alone leads there.
    let host = "sis.invalid".to_owned();
    let sftp = Sftp { host: host.clone(), addresses: at(server.port), ..server.sftp() };
    assert!(Place::Sftp(sftp).list().await.unwrap().is_empty());
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = Place::Sftp(Sftp { addresses: at(nobody), ..server.sftp() }).list().await.unwrap_err();
    assert!(matches!(error, IntakeError::Protocol { .. }), "{error}");
}

#[tokio::test]
async fn a_password_opens_an_openssh_server() {
    let Some(server) = Server::with_password() else { return };
    std::fs::write(server.path("out/users.csv"), "a\n").unwrap();
    let with = |password: &str| {
        let credential = Credential::Password(password.to_owned());
        Place::Sftp(Sftp { user: PASSWORD_USER.to_owned(), credential, ..server.sftp() })
    };
    let files = with(PASSWORD).list().await.unwrap();
    let into = tempfile::tempdir().unwrap();
    with(PASSWORD).fetch(&files, into.path()).await.unwrap();
    assert_eq!(std::fs::read(into.path().join("users.csv")).unwrap(), b"a\n");
    let denied = with("open barley").list().await.unwrap_err();
    assert!(matches!(denied, IntakeError::Denied { with: "this password", .. }), "{denied}");
    let denied = Place::Sftp(Sftp { user: PASSWORD_USER.to_owned(), ..server.sftp() }).list().await.unwrap_err();
    assert!(matches!(denied, IntakeError::Denied { with: "this key", .. }), "{denied}");
}

/// Entries come in many answers; with too many of them nobody waits for the last one.
#[tokio::test]
async fn a_folder_of_a_server_is_listed_to_its_end_or_refused() {
    let Some(server) = Server::start() else { return };
    let place = Place::Sftp(server.sftp());
    let most = intake::limits::ENTRIES_MAX - 2;
    (0..most).for_each(|n| drop(std::fs::File::create(server.path(&format!("out/{n}.csv"))).unwrap()));
    // With the folder itself and the one above it.
    assert_eq!(place.list().await.unwrap().len(), most);
    std::fs::write(server.path("out/one.csv"), "").unwrap();
    let refused = place.list().await.unwrap_err();
    assert!(matches!(refused, IntakeError::TooMuch(_)), "{refused}");
}
