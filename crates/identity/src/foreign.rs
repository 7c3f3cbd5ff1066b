//! Tokens of other issuers: Microsoft Entra ID, Keycloak, any OpenID Connect provider.
//!
//! Which issuers are believed is the operator's decision, in the settings. A token says who issued
//! it (`iss`); that picks the settings, and everything else, the signature first, is checked by
//! them. RFC 7519 (JWT), RFC 7517 (keys), RFC 8725 (what to beware of), RFC 9068 (access tokens).

mod cache;
mod jwks;
mod settings;

use crate::verify::{Denied, check_times, numeric_date, short};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cache::{KeyCache, NoKey};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use serde::Deserialize;
use serde_json::Value;
pub use settings::IssuerSettings;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use store::Actor;
use url::Url;

/// What a [`Fetch`] gives.
pub type Fetched = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;

/// Gets a document: how to speak HTTP is the server's business. It must follow no redirect to
/// another host and must end a document that is too long; how long it may take is limited here.
pub type Fetch = Arc<dyn Fn(Url) -> Fetched + Send + Sync>;

/// In place of a tenant's id in [`IssuerSettings::issuer`], as Microsoft Entra writes it.
const TENANT_PLACE: &str = "{tenantid}";

/// Claims that name the client, in the order in which they are looked for: `azp` of OpenID Connect
/// Core §2 and Entra's v2 tokens, `appid` of its v1 tokens, `client_id` of RFC 9068 §2.2.
const CLIENT_CLAIMS: [&str; 3] = ["azp", "appid", "client_id"];
/// Claims that name the person: Entra's `oid` is the same for all applications, `sub` is always there.
const USER_CLAIMS: [&str; 2] = ["oid", "sub"];
/// Longest name of a client or a person.
const NAME_BYTES_MAX: usize = 255;

/// All issuers that are believed; clones share their keys.
#[derive(Clone, Default)]
pub struct TrustedIssuers {
    all: Arc<[Issuer]>,
}

impl std::fmt::Debug for TrustedIssuers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.all.iter().map(|issuer| &issuer.settings.issuer)).finish()
    }
}

struct Issuer {
    settings: IssuerSettings,
    keys: Arc<KeyCache>,
}

/// A token that is good, but for its tenant, which has to be looked up.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// Who issued it.
    pub(crate) issuer: String,
    /// Id or domain of a tenant.
    pub(crate) tenant: String,
    /// Who acts.
    pub(crate) actor: Actor,
    /// Permissions.
    pub(crate) permissions: Vec<String>,
}

/// What decides about the check, read before anything is proven.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Unproven {
    iss: Option<String>,
}

fn part<T: serde::de::DeserializeOwned>(token: &str, number: usize) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(number)?).ok()?).ok()
}

/// The algorithms that are taken. Never a symmetric one: the key of an issuer is public, and a token
/// "signed" with it as a secret would be anybody's (RFC 8725 §2.1).
fn allowed(name: &str) -> Option<Algorithm> {
    match name {
        "RS256" => Some(Algorithm::RS256),
        "RS384" => Some(Algorithm::RS384),
        "RS512" => Some(Algorithm::RS512),
        "PS256" => Some(Algorithm::PS256),
        "ES256" => Some(Algorithm::ES256),
        _ => None,
    }
}

impl TrustedIssuers {
    /// The issuers of the settings.
    ///
    /// # Errors
    /// In words for the operator, naming the issuer.
    pub fn new(settings: &[IssuerSettings], fetch: &Fetch) -> Result<Self, String> {
        let mut all: Vec<Issuer> = Vec::new();
        for one in settings {
            let source = one.check().map_err(|why| format!("[[issuers]] `{}`: {why}", one.issuer))?;
            if all.iter().any(|other| other.settings.issuer == one.issuer) {
                return Err(format!("[[issuers]] `{}` is there twice; one entry can list several audiences", one.issuer));
            }
            all.push(Issuer { keys: Arc::new(KeyCache::new(one, source, Arc::clone(fetch))), settings: one.clone() });
        }
        Ok(Self { all: all.into() })
    }

    /// Checks a token when its issuer is one of these; `None` leaves it to Homeroom's own keys.
    pub(crate) async fn check(&self, token: &str, now: i64) -> Option<Result<Accepted, Denied>> {
        if self.all.is_empty() {
            return None;
        }
        let iss = part::<Unproven>(token, 1)?.iss?;
        let issuer = self.all.iter().find(|issuer| issuer.settings.could_be(&iss))?;
        let outcome = issuer.check(token, now).await;
        if let Err(denied) = &outcome {
            tracing::info!(issuer = %short(&iss), reason = denied.message(), "a token of another issuer was refused");
        }
        Some(outcome)
    }
}

impl Issuer {
    async fn check(&self, token: &str, now: i64) -> Result<Accepted, Denied> {
        const MALFORMED: Denied = Denied::Invalid("Access token is malformed.");
        const UNKNOWN_KEY: Denied = Denied::Invalid("The token is signed by a key that its issuer does not publish.");
        let header: Header = part(token, 0).ok_or(MALFORMED)?;
        let algorithm = allowed(&header.alg).ok_or(Denied::Invalid("The token is signed with an algorithm that is not allowed."))?;
        // Extensions that must be understood: none is (RFC 7515 §4.1.11).
        if header.crit.is_some() {
            return Err(Denied::Invalid("The token's header has extensions that are not understood."));
        }
        let keys = self.keys.find(header.kid.as_deref(), now).await.map_err(|missing| match missing {
            NoKey::Unknown => UNKNOWN_KEY,
            NoKey::Unavailable => Denied::Invalid("The keys of the token's issuer are not available at the moment."),
        })?;
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&self.settings.audiences);
        validation.set_required_spec_claims(&["exp", "aud", "iss"]);
        // Times are compared with the caller's clock, which tests can set.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let mut outcome = Err(UNKNOWN_KEY);
        for key in keys.iter().filter(|key| key.algorithms.contains(&algorithm)) {
            outcome = match jsonwebtoken::decode::<Value>(token, &key.key, &validation) {
                Ok(decoded) => Ok((decoded.claims, key)),
                Err(error) => Err(match error.kind() {
                    ErrorKind::InvalidAudience => Denied::Invalid("Access token validation failure. Invalid audience."),
                    ErrorKind::InvalidSignature => Denied::Invalid("Access token validation failure. Signature is wrong."),
                    _ => MALFORMED,
                }),
            };
            if outcome.is_ok() {
                break;
            }
        }
        let (claims, key) = outcome?;
        let exp = numeric_date(&claims["exp"]).ok_or(MALFORMED)?;
        let nbf = match &claims["nbf"] {
            Value::Null => None,
            other => Some(numeric_date(other).ok_or(MALFORMED)?),
        };
        check_times(exp, nbf, now)?;
        self.accept(&claims, key.issuer.as_deref())
    }

    /// Reads claims whose signature, audience and times are good.
    fn accept(&self, claims: &Value, key_issuer: Option<&str>) -> Result<Accepted, Denied> {
        const WRONG_ISSUER: Denied = Denied::Invalid("The token's issuer is not that of its tenant.");
        let settings = &self.settings;
        let iss = claims["iss"].as_str().unwrap_or_default();
        let tenant = match &settings.tenant {
            Some(fixed) => fixed.clone(),
            None => at(claims, &settings.tenant_claim)
                .and_then(Value::as_str)
                .ok_or(Denied::Invalid("The token does not say its tenant."))?
                .to_owned(),
        };
        let expected = |template: &str| template.replace(TENANT_PLACE, &tenant) == iss;
        // Entra says beside some keys for whose tokens they are.
        if !expected(&settings.issuer) || !key_issuer.is_none_or(expected) {
            return Err(WRONG_ISSUER);
        }
        // Keycloak's refresh and ID tokens are signed with the same keys and may name the same audience.
        if claims["typ"].as_str().is_some_and(|typ| !typ.eq_ignore_ascii_case("Bearer") && !typ.eq_ignore_ascii_case("at+jwt")) {
            return Err(Denied::Invalid("The token is not an access token."));
        }
        let name = |names: &[&str]| {
            let found = names.iter().find_map(|name| claims[*name].as_str()).filter(|text| !text.is_empty());
            found.filter(|text| text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control)).map(str::to_owned)
        };
        // An ID token of Entra names no client, an access token always does.
        let client = name(&CLIENT_CLAIMS).ok_or(Denied::Invalid("The token does not say for which application it is."))?;
        // A delegated token may hold `roles` as well: those of the person, not of the application.
        let delegated = at(claims, &settings.delegated_claim).map(words).filter(|scopes| !scopes.is_empty());
        let (actor, permissions) = if let Some(scopes) = delegated {
            let user = name(&USER_CLAIMS).ok_or(Denied::Invalid("The token does not say for whom it is."))?;
            (Actor::User { client, user }, scopes)
        } else {
            (Actor::Client(client), at(claims, &settings.permissions_claim).map(words).unwrap_or_default())
        };
        Ok(Accepted { issuer: settings.issuer.clone(), tenant, actor, permissions })
    }
}

/// A claim by its name, or by a path with dots to where Keycloak has it (`realm_access.roles`). The
/// name comes first, because names may have dots themselves (`https://contoso.example/tenant`).
fn at<'c>(claims: &'c Value, path: &str) -> Option<&'c Value> {
    claims.get(path).or_else(|| path.split('.').try_fold(claims, |value, name| value.get(name))).filter(|value| !value.is_null())
}

/// Texts of an array, or words of a text (RFC 6749 §3.3): issuers do it either way.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text.split_ascii_whitespace().map(str::to_owned).collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
