//! The check of a bearer token.

use crate::{AUDIENCES, IdentityError, Keys, clients, find_tenant};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use store::{Actor, Grants, OpContext, Store};
use uuid::Uuid;

/// Difference of clocks that is forgiven, seconds.
const LEEWAY_SECONDS: i64 = 60;
/// No real token is longer.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// What is read of a token.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    tid: String,
    appid: String,
    #[serde(default)]
    roles: Vec<String>,
    exp: i64,
    nbf: Option<i64>,
}

/// Why a token is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// There is none.
    Missing,
    /// Something about it is wrong, in words for the client.
    Invalid(&'static str),
}

impl Denied {
    /// Words for the client.
    pub const fn message(&self) -> &'static str {
        match self {
            Self::Missing => "Access token is empty.",
            Self::Invalid(message) => message,
        }
    }
}

/// Checks an `Authorization` header; gives the context of the token's tenant with the token's permissions.
///
/// A client that was deleted is refused at once: each check looks it up. Which host the issuer names
/// is not compared, because the keys are this installation's own and one installation is reached
/// under several names; its tenant is.
///
/// # Errors
/// `Store`. A token that is not taken is a [`Denied`], not an error.
pub async fn verify(
    store: &Store,
    keys: &Keys,
    header: Option<&str>,
    request_id: Uuid,
    now: jiff::Timestamp,
) -> Result<Result<OpContext, Denied>, IdentityError> {
    let Some(token) = header.and_then(bearer) else { return Ok(Err(Denied::Missing)) };
    let claims = match decode(keys, token, now) {
        Ok(claims) => claims,
        Err(denied) => return Ok(Err(denied)),
    };
    let Ok(tenant) = claims.tid.parse() else { return Ok(Err(Denied::Invalid("The token's tenant is not a GUID."))) };
    let ctx = OpContext::system(tenant, request_id, now);
    let lookup = claims.appid.clone();
    let (known, client) = store
        .read::<_, store::StoreError>(&ctx, move |tx| {
            Ok((find_tenant(tx, &tenant.to_string())?.is_some(), clients::find(tx, &lookup)?.is_some()))
        })
        .await?;
    if !known {
        return Ok(Err(Denied::Invalid("The token's tenant is not known here.")));
    }
    if !client {
        return Ok(Err(Denied::Invalid("The token's application is not known in its tenant.")));
    }
    Ok(Ok(OpContext { actor: Actor::Client(claims.appid), grants: Grants::permissions(claims.roles), ..ctx }))
}

/// The scheme is matched without regard to case (RFC 9110 §11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

fn decode(keys: &Keys, token: &str, now: jiff::Timestamp) -> Result<Claims, Denied> {
    const MALFORMED: Denied = Denied::Invalid("Access token is malformed.");
    if token.len() > TOKEN_BYTES_MAX {
        return Err(MALFORMED);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| MALFORMED)?;
    let key = header.kid.as_deref().and_then(|kid| keys.verifying(kid));
    let key = key.ok_or(Denied::Invalid("The token is signed by a key that is not known here."))?;
    // The algorithm is ours to choose, not the token's.
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&AUDIENCES);
    validation.set_required_spec_claims(&["exp", "aud", "iss"]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    let decoded = jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(|error| match error.kind() {
        ErrorKind::InvalidAudience => Denied::Invalid("Access token validation failure. Invalid audience."),
        ErrorKind::InvalidSignature => Denied::Invalid("Access token validation failure. Signature is wrong."),
        _ => MALFORMED,
    })?;
    let claims = decoded.claims;
    // Times are compared with the caller's clock, which tests can set.
    if now.as_second() >= claims.exp.saturating_add(LEEWAY_SECONDS) {
        return Err(Denied::Invalid("Lifetime validation failed, the token is expired."));
    }
    if claims.nbf.is_some_and(|nbf| now.as_second().saturating_add(LEEWAY_SECONDS) < nbf) {
        return Err(Denied::Invalid("The token is not valid yet."));
    }
    if !claims.iss.ends_with(&format!("/{}/v2.0", claims.tid)) {
        return Err(Denied::Invalid("The token's issuer is not that of its tenant."));
    }
    Ok(claims)
}

#[cfg(test)]
mod tests;
