//! The local certificate authority of `--tls-self-signed`.
//!
//! Its key and certificate are made once and stay in the data directory, so that clients have to
//! trust it once; the server's own certificate is made anew at each start and lives in memory only.

use crate::admin::AdminError;
use crate::error::chain;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SanType,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Life of the server's certificate. Apple's systems take at most 825 days from an authority that a
/// person has installed (<https://support.apple.com/HT210176>); a short life costs nothing here.
const LEAF_DAYS: i64 = 90;
/// A server that runs on gets a new one in good time.
pub(super) const LEAF_RENEWED_EVERY: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Life of the authority: longer than any machine that trusts it.
const AUTHORITY_DAYS: i64 = 25 * 365;
/// Names that every certificate has; SDKs are told one or the other (see `docs/emulator.md`).
const ALWAYS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The authority and what it issues certificates for.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: PathBuf,
    names: Vec<SanType>,
}

/// Without the key.
impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("certificate", &self.certificate).field("names", &self.names).finish_non_exhaustive()
    }
}

impl Authority {
    /// Reads the authority in a directory or makes it; `names` are put into each certificate.
    pub(super) fn open(dir: &Path, names: &[String]) -> Result<Self, AdminError> {
        let names = names_for(names)?;
        let (key_file, certificate) = (dir.join("ca.key"), dir.join("ca.pem"));
        let trouble = |what: &str, path: &Path, why: String| AdminError::new(format!("cannot {what} {}: {why}", path.display()));
        std::fs::create_dir_all(dir).map_err(|error| trouble("make", dir, error.to_string()))?;
        if !key_file.exists() {
            let fresh = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| trouble("make", &key_file, chain(&error)))?;
            write_once(&key_file, &fresh.serialize_pem(), Readers::Owner)
                .map_err(|error| trouble("write", &key_file, error.to_string()))?;
        }
        // Read back in any case: another process may have been quicker.
        let pem = std::fs::read_to_string(&key_file).map_err(|error| trouble("read", &key_file, error.to_string()))?;
        let key = KeyPair::from_pem(&pem).map_err(|error| trouble("use", &key_file, chain(&error)))?;
        let params = authority_params(&key, jiff::Timestamp::now());
        if !certificate.exists() {
            let made = params.self_signed(&key).map_err(|error| trouble("make", &certificate, chain(&error)))?;
            write_once(&certificate, &made.pem(), Readers::All).map_err(|error| trouble("write", &certificate, error.to_string()))?;
        }
        Ok(Self { issuer: Issuer::new(params, key), certificate, names })
    }

    /// The file that clients have to trust.
    pub(super) fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// A new certificate with a key of its own.
    pub(super) fn issue(&self, now: jiff::Timestamp) -> Result<CertifiedKey, AdminError> {
        let trouble = |why: String| AdminError::new(format!("the local authority cannot issue a certificate: {why}"));
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| trouble(chain(&error)))?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named("Homeroom");
        params.subject_alt_names = self.names.clone();
        set_validity(&mut params, now, LEAF_DAYS);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let made = params.signed_by(&key, &self.issuer).map_err(|error| trouble(chain(&error)))?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        CertifiedKey::from_der(vec![made.der().clone()], key, &super::provider()).map_err(|error| trouble(chain(&error)))
    }
}

/// Everything but the dates follows from the key, so that certificate and issuer agree on each start
/// without the certificate being parsed. The name has a piece of the key: several authorities on one
/// machine must not look alike to a client.
fn authority_params(key: &KeyPair, now: jiff::Timestamp) -> CertificateParams {
    let point = key.der_bytes();
    let mark: String = point[point.len().saturating_sub(4)..].iter().map(|byte| format!("{byte:02x}")).collect();
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("Homeroom local CA {mark}"));
    set_validity(&mut params, now, AUTHORITY_DAYS);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// Valid from yesterday, because clocks differ, for so many days.
fn set_validity(params: &mut CertificateParams, now: jiff::Timestamp, days: i64) {
    let today = now.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let midnight = |days: i64| {
        let date = today.saturating_add(jiff::Span::new().days(days));
        rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = midnight(-1);
    params.not_after = midnight(days);
}

fn names_for(more: &[String]) -> Result<Vec<SanType>, AdminError> {
    let mut names: Vec<SanType> = Vec::new();
    for name in ALWAYS.into_iter().chain(more.iter().map(String::as_str)) {
        let san = match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(
                Ia5String::try_from(name.to_ascii_lowercase())
                    .map_err(|_| AdminError::new(format!("`{name}` cannot stand in a certificate")))?,
            ),
        };
        if !names.contains(&san) {
            names.push(san);
        }
    }
    Ok(names)
}

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readers {
    Owner,
    All,
}

/// Writes a file that is there whole or not at all. One that another process has written meanwhile stays.
fn write_once(path: &Path, text: &str, readers: Readers) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    // A temporary file is made for its owner only (0600).
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(text.as_bytes())?;
    if readers == Readers::All {
        world_readable(file.as_file())?;
    }
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

#[cfg(unix)]
fn world_readable(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn world_readable(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}
