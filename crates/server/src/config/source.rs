//! `[[sources]]`: places that exports are fetched from.

use ::intake::{Credential, Place, Sftp};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// `[[sources]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name, for people; what is known of the source is kept by it.
    pub name: String,
    /// Tenant, by id or domain.
    pub tenant: String,
    /// The file connector that the exports are for, by id or display name.
    pub connector: String,
    /// A folder of this machine …
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// … or of an SFTP server.
    #[serde(default)]
    pub sftp: Option<SftpSource>,
    /// Seconds between two looks.
    #[serde(default = "every_seconds")]
    pub every_seconds: u32,
    /// Seconds for which nothing may have changed before an export is taken for complete.
    #[serde(default = "settled_seconds")]
    pub settled_seconds: u32,
    /// A file without which an export is not complete, such as the last one that is written.
    #[serde(default)]
    pub marker: Option<String>,
    /// Whether a run starts when an export has been accepted.
    #[serde(default = "start_run")]
    pub start_run: bool,
}

/// `[sources.sftp]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SftpSource {
    /// Name or address.
    pub host: String,
    /// Port.
    #[serde(default = "ssh_port")]
    pub port: u16,
    /// User.
    pub user: String,
    /// File with the private key …
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// … and file with its passphrase,
    #[serde(default)]
    pub passphrase_file: Option<PathBuf>,
    /// or file with the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Fingerprint of the server's key, `SHA256:…`.
    pub host_key: String,
    /// Folder on the server.
    pub path: String,
}

fn every_seconds() -> u32 {
    300
}

fn settled_seconds() -> u32 {
    60
}

fn start_run() -> bool {
    true
}

fn ssh_port() -> u16 {
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
            (None, Some(sftp)) => Ok(Place::Sftp(sftp.place()?)),
            _ => Err("name either folder or sftp".to_owned()),
        }
    }
}

impl SftpSource {
    fn place(&self) -> Result<Sftp, String> {
        if !self.host_key.starts_with("SHA256:") {
            return Err(
                "host_key is the fingerprint of the server's key, such as `ssh-keygen -l` and `ssh-keyscan` show it: SHA256:…".to_owned()
            );
        }
        let credential = match (&self.key_file, &self.password_file) {
            (Some(file), None) => {
                Credential::Key { file: file.clone(), passphrase: self.passphrase_file.as_deref().map(secret).transpose()? }
            }
            (None, Some(file)) => Credential::Password(secret(file)?),
            _ => return Err("name either key_file or password_file".to_owned()),
        };
        let (host, user) = (self.host.clone(), self.user.clone());
        Ok(Sftp { host, port: self.port, user, credential, host_key: self.host_key.clone(), path: self.path.clone() })
    }
}

/// The first line of a file.
fn secret(file: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
