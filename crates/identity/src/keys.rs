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
use store::{Access, OpContext, Store, StoreError, TenantId, Tx};
use uuid::Uuid;

/// Whoever makes the first key writes this document first, see [`Keys::load`].
const LOCKS: Access = Access::unchecked("_locks");

/// A key's id, and the key, encrypted.
type StoredKey = (String, Vec<u8>);

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
    /// Loads the keys, making the first one. Of processes that do so at once, one wins and all use its key.
    ///
    /// # Errors
    /// `Keys` for a key that cannot be made or used, `Store` for one that cannot be decrypted.
    pub fn load(store: &Store, ctx: &OpContext) -> Result<Self, IdentityError> {
        let found = store.read_blocking::<_, StoreError>(ctx, rows)?;
        let rows = if found.is_empty() { keep_first(store, ctx, generate(store)?)? } else { found };
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

/// Stores a key as the first one, unless another process has done so meanwhile; gives those that are stored.
fn keep_first(store: &Store, ctx: &OpContext, (kid, sealed): StoredKey) -> Result<Vec<StoredKey>, IdentityError> {
    // Keys belong to no tenant, and the lock has to be the same one for everybody.
    let ctx = OpContext { tenant: TenantId(Uuid::nil()), ..ctx.clone() };
    let made = store.write_blocking::<_, StoreError>(&ctx, move |tx| {
        // On PostgreSQL two transactions would both see an empty table, and each process would
        // refuse the tokens of the other. Writing one and the same row makes the second wait for the first.
        tx.docs(&LOCKS)?.put("signing_key", None, &serde_json::Map::new())?;
        let found = rows(tx)?;
        if !found.is_empty() {
            return Ok(found);
        }
        let params = [kid.into(), sealed.into(), tx.ctx().now.as_microsecond().into()];
        tx.execute("INSERT INTO signing_key (kid, private_pkcs8, created) VALUES ($1, $2, $3)", &params)?;
        rows(tx)
    });
    Ok(made?)
}

fn rows(tx: &mut Tx<'_>) -> Result<Vec<StoredKey>, StoreError> {
    let rows = tx.query("SELECT kid, private_pkcs8 FROM signing_key ORDER BY created, kid", &[])?;
    rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.blob(1)?.to_vec()))).collect()
}

fn generate(store: &Store) -> Result<StoredKey, IdentityError> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(broken)?;
    let pkcs8 = pair.as_der().map_err(broken)?;
    let print = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, pair.public_key().as_ref());
    let kid = URL_SAFE_NO_PAD.encode(&print.as_ref()[..20]);
    let sealed = store.secrets().seal(&about(&kid), pkcs8.as_ref())?;
    Ok((kid, sealed))
}

#[cfg(test)]
mod tests;
