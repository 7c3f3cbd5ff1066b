//! A JSON Web Key Set (RFC 7517) as far as signatures are checked with it.

use super::allowed;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// No issuer has more keys at a time.
const KEYS_MAX: usize = 200;
/// An RSA key of fewer bits can be broken (NIST SP 800-131A), one of more only makes work.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// A key and what it may check.
pub(super) struct TrustedKey {
    kid: Option<String>,
    pub(super) key: DecodingKey,
    /// The key decides, never the token alone (RFC 8725 §3.1).
    pub(super) algorithms: Vec<Algorithm>,
    /// Entra's own member: the issuer whose tokens it signs.
    pub(super) issuer: Option<String>,
}

/// The keys of an issuer.
pub(super) struct KeySet(Vec<Arc<TrustedKey>>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a document; keys that are of no use here are left out.
    pub(super) fn parse(document: &[u8]) -> Result<Self, String> {
        let document: Document = serde_json::from_slice(document).map_err(|error| format!("it is not a JSON Web Key Set: {error}"))?;
        if document.keys.len() > KEYS_MAX {
            return Err(format!("it has more than {KEYS_MAX} keys"));
        }
        let keys: Vec<_> = document.keys.iter().filter_map(TrustedKey::read).map(Arc::new).collect();
        if keys.is_empty() {
            return Err("it has no key that can be used: RSA of 2048 bits or more, or EC on P-256, for signatures".to_owned());
        }
        Ok(Self(keys))
    }

    /// The keys of that id; without an id the only key there is (OpenID Connect Core §10.1).
    pub(super) fn find(&self, kid: Option<&str>) -> Vec<Arc<TrustedKey>> {
        match (kid, self.0.as_slice()) {
            (Some(kid), keys) => keys.iter().filter(|key| key.kid.as_deref() == Some(kid)).cloned().collect(),
            (None, [only]) => vec![Arc::clone(only)],
            (None, _) => Vec::new(),
        }
    }
}

impl TrustedKey {
    fn read(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        if jwk.get("key_ops").and_then(Value::as_array).is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
            return None;
        }
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let (key, possible) = match text("kty")? {
            "RSA" => {
                let modulus = bytes("n")?;
                let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
                if !RSA_BYTES.contains(&significant) {
                    return None;
                }
                let algorithms = vec![Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256];
                (DecodingKey::from_rsa_raw_components(&modulus, &bytes("e")?), algorithms)
            }
            "EC" if text("crv") == Some("P-256") => {
                if bytes("x")?.len() != 32 || bytes("y")?.len() != 32 {
                    return None;
                }
                (DecodingKey::from_ec_components(text("x")?, text("y")?).ok()?, vec![Algorithm::ES256])
            }
            _ => return None,
        };
        let algorithms = match text("alg") {
            Some(named) => possible.into_iter().filter(|algorithm| allowed(named) == Some(*algorithm)).collect(),
            None => possible,
        };
        let owned = |name: &str| text(name).map(str::to_owned);
        (!algorithms.is_empty()).then(|| Self { kid: owned("kid"), key, algorithms, issuer: owned("issuer") })
    }
}
