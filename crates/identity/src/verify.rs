//! The check of a bearer token.

use crate::foreign::Accepted;
use crate::{AUDIENCES, IdentityError, Keys, TrustedIssuers, clients, find_tenant};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use store::{Actor, Grants, OpContext, Store, StoreError, TenantId};
use uuid::Uuid;

/// Difference of clocks that is forgiven, seconds.
const LEEWAY_SECONDS: i64 = 60;
/// No real token is longer.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
const MALFORMED: Denied = Denied::Invalid("Access token is malformed.");

/// What is read of a token.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    tid: String,
    appid: String,
    /// Of an application token.
    #[serde(default)]
    roles: Vec<String>,
    /// Of a delegated token, separated by spaces (RFC 8693 §4.2 calls it `scope`, Entra `scp`).
    scp: Option<String>,
    sub: Option<String>,
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
/// under several names; its tenant is. Tokens of other issuers are checked by [`TrustedIssuers`].
///
/// # Errors
/// `Store`. A token that is not taken is a [`Denied`], not an error.
pub async fn verify(
    store: &Store,
    keys: &Keys,
    others: &TrustedIssuers,
    header: Option<&str>,
    request_id: Uuid,
    now: jiff::Timestamp,
) -> Result<Result<OpContext, Denied>, IdentityError> {
    let Some(token) = header.and_then(bearer) else { return Ok(Err(Denied::Missing)) };
    if token.len() > TOKEN_BYTES_MAX {
        return Ok(Err(MALFORMED));
    }
    if let Some(outcome) = others.check(token, now.as_second()).await {
        return match outcome {
            Ok(accepted) => in_tenant(store, accepted, request_id, now).await,
            Err(denied) => Ok(Err(denied)),
        };
    }
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
    let (actor, grants) = match claims.scp {
        Some(scopes) => {
            let user = claims.sub.unwrap_or_default();
            (Actor::User { client: claims.appid, user }, Grants::permissions(scopes.split_ascii_whitespace()))
        }
        None => (Actor::Client(claims.appid), Grants::permissions(claims.roles)),
    };
    Ok(Ok(OpContext { actor, grants, ..ctx }))
}

/// The context of a token of another issuer. Which tenants there are is nobody's business who is in
/// none of them, so only the log says that it was the tenant.
async fn in_tenant(
    store: &Store,
    accepted: Accepted,
    request_id: Uuid,
    now: jiff::Timestamp,
) -> Result<Result<OpContext, Denied>, IdentityError> {
    let nowhere = OpContext::system(TenantId(Uuid::nil()), request_id, now);
    let key = accepted.tenant.clone();
    let Some(tenant) = store.read::<_, StoreError>(&nowhere, move |tx| find_tenant(tx, &key)).await? else {
        tracing::info!(issuer = %accepted.issuer, tenant = %short(&accepted.tenant), "a token names a tenant that there is not");
        return Ok(Err(Denied::Invalid("Access token validation failure.")));
    };
    let grants = Grants::permissions(accepted.permissions);
    Ok(Ok(OpContext { actor: accepted.actor, grants, ..OpContext::system(tenant.id, request_id, now) }))
}

/// A piece of a token in a log.
pub(crate) fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

/// The scheme is matched without regard to case (RFC 9110 §11.1).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

fn decode(keys: &Keys, token: &str, now: jiff::Timestamp) -> Result<Claims, Denied> {
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
    check_times(claims.exp, claims.nbf, now.as_second())?;
    if !claims.iss.ends_with(&format!("/{}/v2.0", claims.tid)) {
        return Err(Denied::Invalid("The token's issuer is not that of its tenant."));
    }
    Ok(claims)
}

/// Seconds of the Unix epoch as others write them: a fraction is allowed (RFC 7519 §2, NumericDate),
/// and MSAL for Python sends one. It is cut off.
pub(crate) fn numeric_date(value: &serde_json::Value) -> Option<i64> {
    /// Beyond it `f64` leaves seconds out.
    const EXACT: f64 = 9e15;
    value.as_i64().or_else(|| value.as_f64().filter(|seconds| seconds.abs() < EXACT).map(|seconds| seconds.floor() as i64))
}

/// Whether a token is valid now. Times are compared with the caller's clock, which tests can set.
pub(crate) fn check_times(exp: i64, nbf: Option<i64>, now: i64) -> Result<(), Denied> {
    if now >= exp.saturating_add(LEEWAY_SECONDS) {
        return Err(Denied::Invalid("Lifetime validation failed, the token is expired."));
    }
    if nbf.is_some_and(|nbf| now.saturating_add(LEEWAY_SECONDS) < nbf) {
        return Err(Denied::Invalid("The token is not valid yet."));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
