//! Secrets at rest: AES-256-GCM under a master key that lies beside the data, readable by its owner only.

use crate::StoreError;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hkdf, hmac, rand};
use std::path::Path;

/// First byte of a sealed secret: the format, so that it can change.
const FORMAT: u8 = 1;
const KEY_BYTES: usize = 32;

/// Seals and opens secrets.
pub struct Secrets {
    key: RandomizedNonceKey,
    derived: hkdf::Prk,
}

impl Secrets {
    /// Reads the master key, making it when it is not there.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => create(path)?,
            Err(source) => return Err(StoreError::Io { what: format!("read the master key {}", path.display()), source }),
        };
        if bytes.len() != KEY_BYTES {
            return Err(StoreError::Secrets(format!(
                "the master key {} has {} bytes in place of {KEY_BYTES}",
                path.display(),
                bytes.len()
            )));
        }
        let key =
            RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| StoreError::Secrets("the master key cannot be used".to_owned()))?;
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, b"homeroom").extract(&bytes);
        Ok(Self { key, derived })
    }

    /// Encrypts; `about` (tenant, table, column, row) must be the same when it is opened.
    pub fn seal(&self, about: &str, secret: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut sealed = secret.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(about.as_bytes()), &mut sealed)
            .map_err(|_| StoreError::Secrets("a secret could not be encrypted".to_owned()))?;
        let mut out = vec![FORMAT];
        out.extend_from_slice(nonce.as_ref());
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Decrypts what [`Secrets::seal`] gave for the same thing.
    pub fn open_sealed(&self, about: &str, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let broken = || {
            StoreError::Secrets("a stored secret cannot be decrypted: this master.key is not the one it was encrypted with. Servers on one PostgreSQL share the data directory, or at least master.key and blobs".to_owned())
        };
        let rest = sealed.strip_prefix(&[FORMAT]).ok_or_else(broken)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or_else(broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
        let mut body = body.to_vec();
        let plain = self.key.open_in_place(nonce, Aad::from(about.as_bytes()), &mut body).map_err(|_| broken())?;
        Ok(plain.to_vec())
    }

    /// A MAC key of its own for one purpose.
    pub fn mac_key(&self, purpose: &str) -> Result<hmac::Key, StoreError> {
        let mut bytes = [0; KEY_BYTES];
        let info = [purpose.as_bytes()];
        self.derived
            .expand(&info, hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut bytes))
            .map_err(|_| StoreError::Secrets("a key could not be derived".to_owned()))?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
    }
}

/// Makes the key file so that of several processes or threads at once one wins and all use the same key.
fn create(path: &Path) -> Result<Vec<u8>, StoreError> {
    use std::io::Write as _;
    let io = |what: &str| {
        let what = format!("{what} the master key {}", path.display());
        move |source| StoreError::Io { what, source }
    };
    let mut bytes = vec![0; KEY_BYTES];
    rand::fill(&mut bytes).map_err(|_| StoreError::Secrets("no randomness".to_owned()))?;
    // The number of the process would not do: two containers on one volume have the same, and so have two threads.
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", uuid::Uuid::new_v4().simple()));
    let temporary = path.with_file_name(name);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary).map_err(io("make"))?;
    let written = file.write_all(&bytes).and_then(|()| file.sync_all());
    // A hard link appears whole, and fails when the name is taken: then another one has won.
    let linked = written.and_then(|()| std::fs::hard_link(&temporary, path));
    let tidied = std::fs::remove_file(&temporary);
    match linked {
        Ok(()) => {
            tidied.map_err(io("tidy up after"))?;
            // Before anything is encrypted with it: what it opens must not outlive it.
            crate::folders::sync_parent(path).map_err(io("keep"))?;
            Ok(bytes)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            crate::folders::sync_parent(path).map_err(io("keep"))?;
            std::fs::read(path).map_err(io("read"))
        }
        Err(error) => Err(io("place")(error)),
    }
}

#[cfg(test)]
mod tests;
