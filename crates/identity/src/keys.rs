//! The issuer's signing keys: RSA, encrypted at rest, published as a JWKS. The newest one signs.

use crate::IdentityError;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use store::{OpContext, Store, StoreError, Tx};

/// The keys, ready for use; clones share them.
#[derive(Clone)]
pub struct Keys {
    inner: Arc<Inner>,
}

struct Inner {
    kid: String,
    signing: EncodingKey,
    verifying: HashMap<String, DecodingKey>,
    jwks: Value,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("kid", &self.inner.kid).finish_non_exhaustive()
    }
}

fn broken(what: impl std::fmt::Display) -> IdentityError {
    IdentityError::Keys(what.to_string())
}

/// What a stored key is encrypted for.
fn about(kid: &str) -> String {
    format!("signing_key/private_pkcs8/{kid}")
}

impl Keys {
    /// Loads the keys, making the first one. Of two processes that do so at once, one wins and both use its key.
    pub fn load(store: &Store, ctx: &OpContext) -> Result<Self, IdentityError> {
        let secrets = store.clone();
        let rows = store.read_blocking::<_, StoreError>(ctx, rows)?;
        let rows = if rows.is_empty() {
            let (kid, pkcs8) = generate()?;
            let sealed = secrets.secrets().seal(&about(&kid), &pkcs8)?;
            store.write_blocking::<_, StoreError>(ctx, move |tx| {
                let found = self::rows(tx)?;
                if !found.is_empty() {
                    return Ok(found);
                }
                let params = [kid.into(), sealed.into(), tx.ctx().now.as_microsecond().into()];
                tx.execute("INSERT INTO signing_key (kid, private_pkcs8, created) VALUES ($1, $2, $3)", &params)?;
                self::rows(tx)
            })?
        } else {
            rows
        };
        let mut pairs = Vec::new();
        for (kid, sealed) in rows {
            let pkcs8 = store.secrets().open_sealed(&about(&kid), &sealed)?;
            pairs.push((kid, pkcs8));
        }
        Self::from_pkcs8(&pairs)
    }

    fn from_pkcs8(pairs: &[(String, Vec<u8>)]) -> Result<Self, IdentityError> {
        let mut verifying = HashMap::new();
        let mut published = Vec::new();
        let mut newest = None;
        for (kid, pkcs8) in pairs {
            let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(pkcs8));
            let signing = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(broken)?;
            let jwk = Jwk::from_encoding_key(&signing, Algorithm::RS256).map_err(broken)?;
            verifying.insert(kid.clone(), DecodingKey::from_jwk(&jwk).map_err(broken)?);
            let mut shown = serde_json::to_value(&jwk).map_err(broken)?;
            shown["kid"] = json!(kid);
            shown["x5t"] = json!(kid);
            shown["use"] = json!("sig");
            shown["alg"] = json!("RS256");
            published.push(shown);
            newest = Some((kid.clone(), signing));
        }
        let (kid, signing) = newest.ok_or_else(|| broken("there is none"))?;
        Ok(Self { inner: Arc::new(Inner { kid, signing, verifying, jwks: json!({ "keys": published }) }) })
    }

    /// The JSON Web Key Set.
    pub fn jwks(&self) -> &Value {
        &self.inner.jwks
    }

    pub(crate) fn kid(&self) -> &str {
        &self.inner.kid
    }

    pub(crate) fn signing(&self) -> &EncodingKey {
        &self.inner.signing
    }

    pub(crate) fn verifying(&self, kid: &str) -> Option<&DecodingKey> {
        self.inner.verifying.get(kid)
    }
}

fn rows(tx: &mut Tx<'_>) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let rows = tx.query("SELECT kid, private_pkcs8 FROM signing_key ORDER BY created, kid", &[])?;
    rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.blob(1)?.to_vec()))).collect()
}

fn generate() -> Result<(String, Vec<u8>), IdentityError> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(broken)?;
    let pkcs8 = pair.as_der().map_err(broken)?;
    let print = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, pair.public_key().as_ref());
    Ok((URL_SAFE_NO_PAD.encode(&print.as_ref()[..20]), pkcs8.as_ref().to_vec()))
}
