//! A folder of an SFTP server, whose key is pinned.

use crate::limits::{CONNECT_MAX, ENTRIES_MAX, SILENCE_MAX};
use crate::{IntakeError, Listed};
use russh::ChannelStream;
use russh::client::{self, AuthResult, Handle, Msg};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::client::{RawSftpSession, SftpSession};
use russh_sftp::protocol::StatusCode;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 256 * 1024;
/// Bytes of a file name: no file system has longer ones.
const NAME_BYTES_MAX: usize = 255;

/// What proves who we are.
#[derive(Clone)]
pub enum Credential {
    /// A private key.
    Key {
        /// In OpenSSH's or PKCS#8 form.
        pem: String,
        /// Its passphrase.
        passphrase: Option<String>,
    },
    /// A password.
    Password(String),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key { .. } => f.write_str("Key(<hidden>)"),
            Self::Password(_) => f.write_str("Password(<hidden>)"),
        }
    }
}

/// A folder of an SFTP server.
#[derive(Debug, Clone)]
pub struct Sftp {
    /// Name or address.
    pub host: String,
    /// Port, 22 as a rule.
    pub port: u16,
    /// User.
    pub user: String,
    /// What proves it.
    pub credential: Credential,
    /// Fingerprint of the server's key as `ssh-keygen -l` shows it: `SHA256:…`.
    pub host_key: String,
    /// Folder on the server.
    pub path: String,
    /// The addresses at which it may be connected to; those of its name when there are none.
    pub addresses: Vec<SocketAddr>,
}

/// Sees the server's key before anything is sent to it.
struct Pinned {
    host_key: String,
    /// The fingerprint of a key that is not the pinned one.
    other: Arc<Mutex<Option<String>>>,
}

impl client::Handler for Pinned {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let found = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.fingerprint(HashAlg::Sha256),
            // Who signed it does not matter: the key is pinned.
            PublicKeyOrCertificate::Certificate(certificate) => certificate.public_key().fingerprint(HashAlg::Sha256),
        };
        let found = found.to_string();
        let same = found == self.host_key;
        if !same && let Ok(mut other) = self.other.lock() {
            *other = Some(found);
        }
        Ok(same)
    }
}

impl Sftp {
    /// `user@host:path`, with the port when it is not 22.
    pub(crate) fn address(&self) -> String {
        let port = if self.port == 22 { String::new() } else { format!("{}:", self.port) };
        format!("{}@{}:{port}{}", self.user, self.host, self.path)
    }

    fn protocol(&self, what: &str, why: impl std::fmt::Display) -> IntakeError {
        IntakeError::Protocol { what: format!("cannot {what} {}", self.address()), why: why.to_string() }
    }

    async fn within<T, E: std::fmt::Display>(
        &self,
        time: Duration,
        what: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, IntakeError> {
        match tokio::time::timeout(time, work).await {
            Ok(done) => done.map_err(|error| self.protocol(what, error)),
            Err(_) => Err(self.protocol(what, format!("no answer within {} s", time.as_secs()))),
        }
    }

    /// A channel to the server's SFTP; it lives as long as the handle.
    async fn connect(&self) -> Result<(Handle<Pinned>, ChannelStream<Msg>), IntakeError> {
        let config = client::Config { inactivity_timeout: Some(SILENCE_MAX), ..client::Config::default() };
        let other = Arc::new(Mutex::new(None));
        let handler = Pinned { host_key: self.host_key.clone(), other: other.clone() };
        let config = Arc::new(config);
        let connecting = async {
            match &self.addresses[..] {
                [] => client::connect(config, (self.host.as_str(), self.port), handler).await,
                addresses => client::connect(config, addresses, handler).await,
            }
        };
        let connected = self.within(CONNECT_MAX, "connect to", connecting).await;
        if let Some(found) = other.lock().ok().and_then(|mut found| found.take()) {
            return Err(IntakeError::HostKey { host: self.host.clone(), found, pinned: self.host_key.clone() });
        }
        let mut handle = connected?;
        self.log_in(&mut handle).await?;
        let session = self.within(CONNECT_MAX, "open a channel to", handle.channel_open_session()).await?;
        self.within(CONNECT_MAX, "start SFTP on", session.request_subsystem(true, "sftp")).await?;
        Ok((handle, session.into_stream()))
    }

    async fn log_in(&self, handle: &mut Handle<Pinned>) -> Result<(), IntakeError> {
        let (result, with) = match &self.credential {
            Credential::Password(password) => {
                (self.within(CONNECT_MAX, "log in to", handle.authenticate_password(&self.user, password)).await?, "this password")
            }
            Credential::Key { pem, passphrase } => {
                let key = decode_secret_key(pem, passphrase.as_deref());
                let key = key.map_err(|error| self.protocol("use the key for", error))?;
                let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
                (self.within(CONNECT_MAX, "log in to", handle.authenticate_publickey(&self.user, key)).await?, "this key")
            }
        };
        match result {
            AuthResult::Success => Ok(()),
            AuthResult::Failure { .. } => Err(IntakeError::Denied { host: self.host.clone(), user: self.user.clone(), with }),
        }
    }

    pub(crate) async fn list(&self) -> Result<Vec<Listed>, IntakeError> {
        let (_handle, stream) = self.connect().await?;
        // Answer by answer: a server whose folder has no end must not fill the memory first.
        let sftp = RawSftpSession::new(stream);
        sftp.set_timeout(SILENCE_MAX.as_secs());
        self.within(CONNECT_MAX, "start SFTP on", sftp.init()).await?;
        let folder = self.within(SILENCE_MAX, "list", sftp.opendir(&self.path)).await?.handle;
        let (mut files, mut seen) = (Vec::new(), 0);
        loop {
            let answer = async {
                match sftp.readdir(&folder).await {
                    Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => Ok(None),
                    answer => answer.map(Some),
                }
            };
            let Some(answer) = self.within(SILENCE_MAX, "list", answer).await? else { return Ok(files) };
            // An answer without an entry counts too, or there could be any number of them.
            seen += answer.files.len().max(1);
            if seen > ENTRIES_MAX {
                let address = self.address();
                return Err(IntakeError::TooMuch(format!(
                    "{address} has more than {ENTRIES_MAX} entries; give the export a folder of its own"
                )));
            }
            for entry in answer.files {
                let (name, about) = (entry.filename, entry.attrs);
                // Names come from the server: one with a separator would leave the folder that it is fetched into.
                if about.is_regular() && name.len() <= NAME_BYTES_MAX && !name.contains(['/', '\\', '\0']) {
                    files.push(Listed { name, size: about.size.unwrap_or(0), modified: about.mtime.unwrap_or(0).into() });
                }
            }
        }
    }

    pub(crate) async fn fetch(&self, files: &[Listed], into: &Path) -> Result<(), IntakeError> {
        let (_handle, stream) = self.connect().await?;
        let sftp = self.within(CONNECT_MAX, "start SFTP on", SftpSession::new(stream)).await?;
        sftp.set_timeout(SILENCE_MAX.as_secs());
        for file in files {
            self.fetch_one(&sftp, file, into).await?;
        }
        Ok(())
    }

    async fn fetch_one(&self, sftp: &SftpSession, file: &Listed, into: &Path) -> Result<(), IntakeError> {
        let path = format!("{}/{}", self.path.trim_end_matches('/'), file.name);
        let fetch = format!("fetch {} from", file.name);
        let mut from = self.within(SILENCE_MAX, &fetch, sftp.open(path)).await?;
        let place = into.join(&file.name);
        let failed = |source| IntakeError::Io { what: format!("cannot write {}", place.display()), source };
        let mut to = tokio::fs::File::create(&place).await.map_err(failed)?;
        let (mut chunk, mut fetched) = (vec![0; CHUNK_BYTES], 0);
        loop {
            let n = self.within(SILENCE_MAX, &fetch, from.read(&mut chunk)).await?;
            if n == 0 {
                break;
            }
            fetched += n as u64;
            // A server that sends more than it said would fill the disk.
            if fetched > file.size {
                return Err(IntakeError::Changed { name: file.name.clone() });
            }
            to.write_all(&chunk[..n]).await.map_err(failed)?;
        }
        if fetched != file.size {
            return Err(IntakeError::Changed { name: file.name.clone() });
        }
        to.sync_all().await.map_err(failed)
    }
}
