//! TLS of the server: the operator's own certificate, read again when its files change, or a local
//! certificate authority for development and emulator use (decision 15).
//!
//! rustls with aws-lc-rs, TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN (RFC 7301). Connections keep
//! the certificate that they began with, so that a new one disturbs nobody.

mod authority;

use crate::admin::AdminError;
use crate::app::App;
use crate::error::chain;
use authority::Authority;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// How often files of a certificate are looked at. Polling works on every file system, and through
/// the symbolic links by which Kubernetes replaces secrets; both files are a few KiB.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// TLS for a listener; clones share the certificate.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    source: Source,
}

/// Without keys.
impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("authority", &self.authority()).finish_non_exhaustive()
    }
}

/// Where certificates come from.
#[derive(Clone)]
enum Source {
    /// With what was read at the start.
    Files(Files, Arc<Pair>),
    Authority(Arc<Authority>),
}

#[derive(Debug, Clone)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
}

/// The bytes of certificate and key.
type Pair = (Vec<u8>, Vec<u8>);

/// The certificate that new connections get.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl Current {
    fn set(&self, certified: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    /// With a certificate chain and its key in PEM files (PKCS#8, PKCS#1 or SEC1).
    ///
    /// # Errors
    /// The text names the file and what is wrong with it.
    pub fn from_files(cert: &Path, key: &Path) -> Result<Self, AdminError> {
        let files = Files { cert: cert.to_owned(), key: key.to_owned() };
        let pair = files.read()?;
        let certified = files.certified(&pair)?;
        Self::new(certified, Source::Files(files, Arc::new(pair)))
    }

    /// With a certificate of the local authority in `data_dir/tls`, which is made the first time.
    ///
    /// The certificate is for `localhost`, `127.0.0.1`, `::1` and for `names`: host names and IP addresses.
    ///
    /// # Errors
    /// The authority can neither be read nor be made, or a name cannot stand in a certificate.
    pub fn self_signed(data_dir: &Path, names: &[String]) -> Result<Self, AdminError> {
        let authority = Authority::open(&data_dir.join("tls"), names)?;
        let certified = authority.issue(jiff::Timestamp::now())?;
        Self::new(certified, Source::Authority(Arc::new(authority)))
    }

    fn new(certified: CertifiedKey, source: Source) -> Result<Self, AdminError> {
        let current = Arc::new(Current(RwLock::new(Arc::new(certified))));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| AdminError::new(format!("TLS cannot be set up: {error}")))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), current, source })
    }

    /// The certificate of the local authority, which clients have to trust; `None` with an own certificate.
    pub fn authority(&self) -> Option<&Path> {
        match &self.source {
            Source::Files(..) => None,
            Source::Authority(authority) => Some(authority.certificate()),
        }
    }

    pub(crate) fn acceptor(&self) -> tokio_rustls::TlsAcceptor {
        Arc::clone(&self.config).into()
    }

    /// Keeps the certificate current, for as long as it is polled: files that have changed are read
    /// again, and a certificate of the local authority is replaced long before it expires.
    pub(crate) async fn keep_current(self, app: App) {
        match &self.source {
            Source::Files(files, first) => self.follow(files, first).await,
            Source::Authority(authority) => loop {
                tokio::time::sleep(authority::LEAF_RENEWED_EVERY).await;
                match authority.issue(app.now()) {
                    Ok(certified) => self.current.set(certified),
                    Err(error) => tracing::error!(%error, "the local authority could not renew the server's certificate"),
                }
            },
        }
    }

    async fn follow(&self, files: &Files, first: &Pair) {
        let mut seen = first.clone();
        let mut unreadable = false;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let looked = files.clone();
            // The program is ending when a thread cannot be joined.
            let Ok(read) = tokio::task::spawn_blocking(move || looked.read()).await else { return };
            let pair = match read {
                Ok(pair) => pair,
                Err(error) => {
                    // Told once: it may last for days.
                    if !std::mem::replace(&mut unreadable, true) {
                        tracing::error!(%error, "the TLS certificate in use stays");
                    }
                    continue;
                }
            };
            unreadable = false;
            if pair == seen {
                continue;
            }
            // Certificate and key are two files: between the two writes they do not fit each other.
            match files.certified(&pair) {
                Ok(certified) => {
                    self.current.set(certified);
                    tracing::info!(file = %files.cert.display(), "the TLS certificate was replaced");
                }
                Err(error) => tracing::error!(%error, "the new TLS certificate cannot be used; the one in use stays"),
            }
            seen = pair;
        }
    }
}

/// The one crypto provider of the program.
///
/// Naming it, and not relying on `install_default`, makes nothing depend on who came first.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

impl Files {
    fn read(&self) -> Result<Pair, AdminError> {
        let read = |path: &Path, what: &str| {
            std::fs::read(path).map_err(|error| AdminError::new(format!("the TLS {what} {} cannot be read: {error}", path.display())))
        };
        Ok((read(&self.cert, "certificate")?, read(&self.key, "key")?))
    }

    fn certified(&self, (cert, key): &Pair) -> Result<CertifiedKey, AdminError> {
        let bad_cert = |why: String| AdminError::new(format!("the TLS certificate {} cannot be used: {why}", self.cert.display()));
        let bad_key = |why: String| AdminError::new(format!("the TLS key {} cannot be used: {why}", self.key.display()));
        let certificates =
            CertificateDer::pem_slice_iter(cert).collect::<Result<Vec<_>, _>>().map_err(|error| bad_cert(error.to_string()))?;
        if certificates.is_empty() {
            return Err(bad_cert("it has no PEM block CERTIFICATE".to_owned()));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            PemError::NoItemsFound => bad_key(
                "it has no PEM block PRIVATE KEY, RSA PRIVATE KEY or EC PRIVATE KEY; an encrypted key has to be decrypted".to_owned(),
            ),
            error => bad_key(error.to_string()),
        })?;
        CertifiedKey::from_der(certificates, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => bad_key(format!("it is not the key of the certificate {}", self.cert.display())),
            error => bad_cert(chain(&error)),
        })
    }
}
