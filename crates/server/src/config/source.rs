//! `[[sources]]`: places that exports are fetched from. What the admin API stores is the same.

use ::intake::{Credential, Place, Sftp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};
use std::path::{Path, PathBuf};

/// Bytes of a SHA-256 hash.
const SHA256_BYTES: usize = 32;

/// A secret as it stands in the settings; it is not shown where they are.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What is no text would be repeated in the error.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Text(String),
            Other(IgnoredAny),
        }
        match Given::deserialize(deserializer)? {
            Given::Text(text) => Ok(Self(text)),
            Given::Other(_) => Err(D::Error::custom("a key, passphrase or password is a text, in quotation marks")),
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(<hidden>)")
    }
}

/// `[[sources]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name, for people; what is known of the source is kept by it.
    pub name: String,
    /// Tenant, by id or domain.
    pub tenant: String,
    /// The file connector that the exports are for, by id or display name.
    pub connector: String,
    /// A folder of this machine …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// … or of an SFTP server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sftp: Option<SftpSource>,
    /// Seconds between two looks.
    #[serde(default = "every_seconds")]
    pub every_seconds: u32,
    /// Seconds for which nothing may have changed before an export is taken for complete.
    #[serde(default = "settled_seconds")]
    pub settled_seconds: u32,
    /// A file without which an export is not complete, such as the last one that is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
    /// Whether a run starts when an export has been accepted.
    #[serde(default = "start_run")]
    pub start_run: bool,
}

/// `[sources.sftp]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SftpSource {
    /// Name or address.
    pub host: String,
    /// Port.
    #[serde(default = "ssh_port")]
    pub port: u16,
    /// User.
    pub user: String,
    /// The private key, or a file with it …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Secret>,
    /// See `key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// … and its passphrase, or a file with it,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<Secret>,
    /// See `passphrase`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<PathBuf>,
    /// or the password, or a file with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// See `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Fingerprint of the server's key, `SHA256:…`.
    pub host_key: String,
    /// Folder on the server.
    pub path: String,
}

pub(crate) fn every_seconds() -> u32 {
    300
}

pub(crate) fn settled_seconds() -> u32 {
    60
}

fn start_run() -> bool {
    true
}

pub(crate) fn ssh_port() -> u16 {
    22
}

impl Source {
    /// Where it looks, with the secrets that its files hold now.
    ///
    /// # Errors
    /// The text says which settings contradict each other, or which file cannot be read.
    pub fn place(&self) -> Result<Place, String> {
        match (&self.folder, &self.sftp) {
            (Some(folder), None) => Ok(Place::Folder(folder.clone())),
            (None, Some(sftp)) => Ok(Place::Sftp(sftp.with(sftp.checked()?.credential()?))),
            _ => Err("name either folder or sftp".to_owned()),
        }
    }

    /// Looks at the settings alone: a file that cannot be read is the trouble of this source, and found at its looks.
    ///
    /// # Errors
    /// The text says which settings contradict each other.
    pub fn check(&self) -> Result<(), String> {
        match (&self.folder, &self.sftp) {
            (None, Some(sftp)) => sftp.checked().map(|_| ()),
            _ => self.place().map(|_| ()),
        }
    }

    /// Where it looks, for people.
    pub fn describe(&self) -> String {
        let sftp = self.sftp.as_ref().map(|sftp| Place::Sftp(sftp.with(Credential::Password(String::new()))));
        sftp.or_else(|| self.folder.clone().map(Place::Folder)).map(|place| place.describe()).unwrap_or_default()
    }

    /// The same with the secrets themselves in place of the files that hold them now.
    ///
    /// # Errors
    /// The text says which file cannot be read.
    pub fn with_secrets(mut self) -> Result<Self, String> {
        if let Some(sftp) = &mut self.sftp {
            for (secret, file) in [
                (&mut sftp.key, &mut sftp.key_file),
                (&mut sftp.passphrase, &mut sftp.passphrase_file),
                (&mut sftp.password, &mut sftp.password_file),
            ] {
                if let Some(file) = file.take() {
                    *secret = Some(Secret(read(&file)?));
                }
            }
        }
        Ok(self)
    }
}

impl SftpSource {
    /// Says what is there twice, or not at all.
    fn checked(&self) -> Result<&Self, String> {
        let hash = self.host_key.strip_prefix("SHA256:").and_then(|hash| STANDARD_NO_PAD.decode(hash).ok());
        if hash.is_none_or(|hash| hash.len() != SHA256_BYTES) {
            return Err("host_key is the fingerprint of the server's key as `ssh-keyscan` and `ssh-keygen -l` show it: SHA256: and 43 \
                        characters; give it whole"
                .to_owned());
        }
        if self.port == 0 {
            return Err("port is from 1 to 65535, 22 as a rule; nothing can be reached at 0".to_owned());
        }
        let given = |secret: &Option<Secret>, file: &Option<PathBuf>| u8::from(secret.is_some()) + u8::from(file.is_some());
        if given(&self.key, &self.key_file) + given(&self.password, &self.password_file) != 1 {
            return Err("name one of key_file, password_file, key and password".to_owned());
        }
        if given(&self.passphrase, &self.passphrase_file) > 1 {
            return Err("name either passphrase_file or passphrase".to_owned());
        }
        Ok(self)
    }

    fn credential(&self) -> Result<Credential, String> {
        let text = |secret: &Option<Secret>, file: &Option<PathBuf>| match (secret, file) {
            (Some(Secret(text)), _) => Ok(Some(text.clone())),
            (None, Some(file)) => read(file).map(Some),
            (None, None) => Ok(None),
        };
        // A file ends with a line end that is no part of a password.
        let line = |text: String| text.lines().next().unwrap_or_default().to_owned();
        Ok(match text(&self.key, &self.key_file)? {
            Some(pem) => Credential::Key { pem, passphrase: text(&self.passphrase, &self.passphrase_file)?.map(line) },
            None => Credential::Password(text(&self.password, &self.password_file)?.map(line).unwrap_or_default()),
        })
    }

    fn with(&self, credential: Credential) -> Sftp {
        Sftp {
            host: self.host.clone(),
            port: self.port,
            user: self.user.clone(),
            credential,
            host_key: self.host_key.clone(),
            path: self.path.clone(),
            addresses: Vec::new(),
        }
    }
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))
}
