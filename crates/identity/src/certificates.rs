//! Public keys by which API clients prove themselves in place of a secret.
//!
//! A file in PEM (RFC 7468) holds a certificate (RFC 5280) or a bare public key. The key is what
//! counts: whoever registers a certificate here vouches for it, so its issuer and its chain are not
//! looked at. Its end is: after it, the key proves nothing.

use crate::IdentityError;
use aws_lc_rs::digest;
use jsonwebtoken::{Algorithm, DecodingKey};
use simple_asn1::ASN1Block;
use store::{Row, StoreError};

/// A file with more is something else.
const FILE_BYTES_MAX: usize = 64 * 1024;
/// RSA moduli of 2,048 to 8,192 bits, see [`crate::TrustedIssuers`].
const RSA_BITS: std::ops::RangeInclusive<u64> = 2_048..=8_192;
/// An uncompressed point on P-256 (SEC 1 §2.3.3).
const POINT_BYTES: usize = 65;

/// A public key of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: Kind,
    /// RSA: `RSAPublicKey` in DER; EC: the point.
    bytes: Vec<u8>,
    /// SHA-256 of the certificate, or of the bare key, in hexadecimal digits.
    pub thumbprint: String,
    /// The certificate's end.
    pub expires: Option<jiff::Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
}

/// The blocks of a sequence.
fn sequence(block: Option<&ASN1Block>) -> Option<&[ASN1Block]> {
    match block {
        Some(ASN1Block::Sequence(_, blocks)) => Some(blocks),
        _ => None,
    }
}

/// Dotted form of an object identifier.
fn is_oid(block: Option<&ASN1Block>, dotted: &[u64]) -> bool {
    matches!(block, Some(ASN1Block::ObjectIdentifier(_, oid))
        if oid.as_vec::<u64>().is_ok_and(|numbers| numbers.iter().copied().eq(dotted.iter().copied())))
}

const RSA_ENCRYPTION: [u64; 7] = [1, 2, 840, 113_549, 1, 1, 1];
const EC_PUBLIC_KEY: [u64; 6] = [1, 2, 840, 10_045, 2, 1];
const PRIME256V1: [u64; 7] = [1, 2, 840, 10_045, 3, 1, 7];

impl PublicKey {
    /// Reads the first certificate or public key of a file. A private key in it is passed over:
    /// the files of Azure's tools have both.
    ///
    /// # Errors
    /// `Invalid`, saying what would do.
    pub fn from_pem(file: &[u8]) -> Result<Self, IdentityError> {
        let invalid = |why: &str| IdentityError::Invalid(format!("{why}; a PEM file with a certificate or a public key is wanted"));
        if file.len() > FILE_BYTES_MAX {
            return Err(invalid("the file is too long"));
        }
        let blocks = pem::parse_many(file).map_err(|error| invalid(&format!("the file is not PEM: {error}")))?;
        let block = blocks.iter().find(|block| matches!(block.tag(), "CERTIFICATE" | "PUBLIC KEY"));
        let block = block.ok_or_else(|| invalid("the file has neither"))?;
        let unreadable = || invalid("what the file has cannot be read");
        let parsed = simple_asn1::from_der(block.contents()).map_err(|_| unreadable())?;
        let outer = sequence(parsed.first()).ok_or_else(unreadable)?;
        let (key, expires) = if block.tag() == "CERTIFICATE" {
            let (key, expires) = certificate(outer).ok_or_else(unreadable)?;
            (key, Some(expires))
        } else {
            (outer, None)
        };
        let (kind, bytes) = public_key(key)
            .ok_or_else(|| IdentityError::Invalid("the key is none of RSA with 2048 to 8192 bits, EC on P-256".to_owned()))?;
        let thumbprint = digest::digest(&digest::SHA256, block.contents()).as_ref().iter().map(|b| format!("{b:02x}")).collect();
        Ok(Self { kind, bytes, thumbprint, expires })
    }

    /// The name of the kind of key in the store.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self.kind {
            Kind::Rsa => "RSA",
            Kind::P256 => "P-256",
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// From `thumbprint, algorithm, public_key, expires`.
    pub(crate) fn from_row(row: &Row) -> Result<Self, StoreError> {
        let kind = match row.text(1)? {
            "RSA" => Kind::Rsa,
            "P-256" => Kind::P256,
            other => return Err(StoreError::Corrupt(format!("a client's key of the kind {other}"))),
        };
        let expires = row.opt_int(3)?.map(jiff::Timestamp::from_microsecond).transpose().map_err(|e| StoreError::Corrupt(e.to_string()))?;
        Ok(Self { kind, bytes: row.blob(2)?.to_vec(), thumbprint: row.text(0)?.to_owned(), expires })
    }

    /// The key for a signature of this algorithm, when it can have made one.
    pub(crate) fn decoding(&self, algorithm: Algorithm) -> Option<DecodingKey> {
        match (self.kind, algorithm) {
            (Kind::Rsa, Algorithm::RS256 | Algorithm::PS256) => Some(DecodingKey::from_rsa_der(&self.bytes)),
            (Kind::P256, Algorithm::ES256) => Some(DecodingKey::from_ec_der(&self.bytes)),
            _ => None,
        }
    }
}

/// `SubjectPublicKeyInfo` and `notAfter` of a certificate (RFC 5280 §4.1).
fn certificate(outer: &[ASN1Block]) -> Option<(&[ASN1Block], jiff::Timestamp)> {
    let mut fields = sequence(outer.first())?.iter().peekable();
    // version [0], then serialNumber, signature, issuer
    fields.next_if(|field| matches!(field, ASN1Block::Explicit(..)));
    let mut fields = fields.skip(3);
    let not_after = match sequence(fields.next())?.get(1)? {
        ASN1Block::UTCTime(_, time) | ASN1Block::GeneralizedTime(_, time) => time.assume_utc().unix_timestamp(),
        _ => return None,
    };
    // validity is read; then subject, subjectPublicKeyInfo
    let key = sequence(fields.nth(1))?;
    Some((key, jiff::Timestamp::from_second(not_after).unwrap_or(jiff::Timestamp::MAX)))
}

/// Kind and bytes of a `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7, RFC 3279 §2.3, RFC 5480 §2).
fn public_key(info: &[ASN1Block]) -> Option<(Kind, Vec<u8>)> {
    let algorithm = sequence(info.first())?;
    let ASN1Block::BitString(_, _, bytes) = info.get(1)? else { return None };
    if is_oid(algorithm.first(), &RSA_ENCRYPTION) {
        let inner = simple_asn1::from_der(bytes).ok()?;
        let ASN1Block::Integer(_, modulus) = sequence(inner.first())?.first()? else { return None };
        return RSA_BITS.contains(&modulus.bits()).then(|| (Kind::Rsa, bytes.clone()));
    }
    let on_curve = is_oid(algorithm.first(), &EC_PUBLIC_KEY) && is_oid(algorithm.get(1), &PRIME256V1);
    (on_curve && bytes.len() == POINT_BYTES && bytes.first() == Some(&4)).then(|| (Kind::P256, bytes.clone()))
}

#[cfg(test)]
mod tests;
