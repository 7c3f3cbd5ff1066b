//! `private_key_jwt`: a client proves itself by a JWT that it has signed (RFC 7523 §2.2 and §3,
//! OpenID Connect Core §9), as Microsoft Entra takes it from clients with a certificate.

use super::{Failure, TokenRequest, refuse, short, unknown_client};
use crate::verify::numeric_date;
use crate::{Client, PublicKey, Tenant, clients};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Validation};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use store::{OpContext, Store, StoreError};

/// The one type of assertion (RFC 7523 §2.2).
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Difference of clocks that is forgiven, seconds.
const LEEWAY_SECONDS: i64 = 60;
/// Longest life that is taken, seconds: for so long its id has to be remembered. Microsoft's
/// libraries give ten minutes.
const LIFE_SECONDS_MAX: i64 = 3_600;
/// No assertion of a real client is longer, even with its certificate in the header.
const ASSERTION_BYTES_MAX: usize = 16 * 1024;
/// A GUID, as a rule.
const JTI_BYTES_MAX: usize = 256;

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    #[serde(deserialize_with = "time")]
    exp: i64,
    #[serde(default, deserialize_with = "optional_time")]
    nbf: Option<i64>,
    #[serde(default, deserialize_with = "optional_time")]
    iat: Option<i64>,
    jti: String,
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    optional_time(from)?.ok_or_else(|| D::Error::custom("a time is missing"))
}

fn optional_time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    match Option::<serde_json::Value>::deserialize(from)? {
        None => Ok(None),
        Some(value) => numeric_date(&value).map(Some).ok_or_else(|| D::Error::custom("a time is no number")),
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Subject {
    sub: String,
}

/// The assertion of a request.
pub(super) fn of(request: &TokenRequest) -> Result<Option<&str>, Failure> {
    let Some(jwt) = request.field("client_assertion") else {
        return match request.field("client_assertion_type") {
            Some(_) => super::missing("client_assertion"),
            None => Ok(None),
        };
    };
    match request.field("client_assertion_type") {
        Some(TYPE) => {}
        Some(_) => {
            return refuse(400, "invalid_request", 90_100, format!("The value of 'client_assertion_type' has to be '{TYPE}'."));
        }
        None => return super::missing("client_assertion_type"),
    }
    // One way of proof, not two (RFC 6749 §2.3).
    if request.field("client_secret").is_some() || request.basic().is_some() {
        return refuse(400, "invalid_request", 90_100, "The request has a secret and an assertion; give one of them.");
    }
    Ok(Some(jwt))
}

fn part<T: serde::de::DeserializeOwned>(jwt: &str, number: usize) -> Option<T> {
    if jwt.len() > ASSERTION_BYTES_MAX {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(jwt.split('.').nth(number)?).ok()?).ok()
}

/// Whom an assertion is about; nothing is proven yet.
pub(super) fn subject(jwt: &str) -> Option<String> {
    part::<Subject>(jwt, 1).map(|claims| claims.sub)
}

fn wrong<T>(code: u32, why: impl Into<String>) -> Result<T, Failure> {
    refuse(401, "invalid_client", code, why)
}

/// Checks an assertion; gives the client whose it is. It cannot be used again.
pub(super) async fn prove(
    store: &Store,
    ctx: &OpContext,
    tenant: &Tenant,
    request: &TokenRequest,
    client_id: &str,
    jwt: &str,
) -> Result<Client, Failure> {
    let lookup = client_id.to_owned();
    let found = store.read::<_, StoreError>(ctx, move |tx| Ok((clients::find(tx, &lookup)?, clients::keys(tx, &lookup)?))).await?;
    let (Some(client), keys) = found else { return unknown_client(client_id, tenant) };
    let claims = check(&keys, &audiences(request, tenant), ctx.now, jwt)?;
    let is_client = |name: &str| name.eq_ignore_ascii_case(&client.client_id);
    if !is_client(&claims.iss) || !is_client(&claims.sub) {
        return wrong(700_021, "Client assertion application identifier doesn't match 'client_id' parameter.");
    }
    let (id, jti, until) = (client.client_id.clone(), claims.jti, claims.exp.saturating_add(LEEWAY_SECONDS));
    if !store.write::<_, StoreError>(ctx, move |tx| clients::use_assertion(tx, &id, &jti, until)).await? {
        return wrong(50_012, "Client assertion was used before; each request needs one with a 'jti' of its own.");
    }
    Ok(client)
}

/// To whom an assertion may be addressed: this token endpoint or the issuer, by any name of the tenant.
fn audiences(request: &TokenRequest, tenant: &Tenant) -> Vec<String> {
    let id = tenant.id.to_string();
    let mut names = vec![id.as_str()];
    names.extend(tenant.domain.as_deref());
    // As it stands in the URL: without regard to case it is one of the two.
    names.push(&request.tenant);
    let base = &request.base_url;
    let both = |name: &&str| [format!("{base}/{name}/oauth2/v2.0/token"), format!("{base}/{name}/v2.0")];
    names.iter().flat_map(both).collect()
}

fn check(keys: &[PublicKey], audiences: &[String], now: jiff::Timestamp, jwt: &str) -> Result<Claims, Failure> {
    const SIGNATURE: u32 = 700_027;
    const TIMES: u32 = 700_024;
    let Some(header) = part::<Header>(jwt, 0).filter(|header| header.crit.is_none()) else {
        return wrong(50_027, "Client assertion is not a well-formed JWT.");
    };
    // The key decides what it can have signed; nothing symmetric is on the list (RFC 8725 §3.1).
    let algorithm = match header.alg.as_str() {
        "RS256" => Algorithm::RS256,
        "PS256" => Algorithm::PS256,
        "ES256" => Algorithm::ES256,
        _ => return wrong(SIGNATURE, "Client assertion is signed with an algorithm that is not RS256, PS256 or ES256."),
    };
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.set_audience(audiences);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    let mut ended = false;
    let mut signed = None;
    for key in keys {
        let Some(decoding) = key.decoding(algorithm) else { continue };
        match jsonwebtoken::decode::<Claims>(jwt, &decoding, &validation) {
            Ok(_) if key.expires.is_some_and(|end| end <= now) => ended = true,
            Ok(decoded) => signed = Some(decoded.claims),
            Err(error) => match error.kind() {
                jsonwebtoken::errors::ErrorKind::InvalidSignature => {}
                jsonwebtoken::errors::ErrorKind::InvalidAudience => {
                    let wanted = audiences.first().map_or("", String::as_str);
                    return wrong(700_023, format!("Client assertion audience claim does not match; it has to be '{}'.", short(wanted)));
                }
                _ => return wrong(50_027, "Client assertion is not a JWT with the claims 'iss', 'sub', 'aud', 'exp' and 'jti'."),
            },
        }
    }
    let Some(claims) = signed else {
        let why = if ended { "The certificate has expired." } else { "The key was not found among those of the application." };
        return wrong(SIGNATURE, format!("Client assertion failed signature validation. {why}"));
    };
    let now = now.as_second();
    let begins = claims.nbf.into_iter().chain(claims.iat).max().unwrap_or(now);
    if now >= claims.exp.saturating_add(LEEWAY_SECONDS) || now.saturating_add(LEEWAY_SECONDS) < begins {
        return wrong(TIMES, "Client assertion is not within its valid time range. Check the clock of the client.");
    }
    if claims.exp > now.saturating_add(LIFE_SECONDS_MAX + LEEWAY_SECONDS) {
        return wrong(TIMES, format!("Client assertion is valid for too long; {LIFE_SECONDS_MAX} seconds are the most."));
    }
    if claims.jti.is_empty() || claims.jti.len() > JTI_BYTES_MAX {
        return wrong(50_027, format!("Client assertion needs a 'jti' of 1 to {JTI_BYTES_MAX} bytes."));
    }
    Ok(claims)
}

#[cfg(test)]
mod tests;
