//! Homeroom's own token issuer, in the shape of Microsoft Entra's v2 endpoints.
//!
//! Errors are those of <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>,
//! statuses and bodies those of RFC 6749 §5.2 as Microsoft Entra sends them.

mod assertion;
mod device;

use crate::{AUDIENCES, Client, IdentityError, Keys, TOKEN_SECONDS, Tenant, clients, find_tenant};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, Header};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use store::{OpContext, Store, StoreError};

pub use device::{PendingDevice, decide_device, device_code, find_device};

/// A request to the token endpoint.
#[derive(Clone)]
pub struct TokenRequest {
    /// Tenant in the URL: id or domain.
    pub tenant: String,
    /// Fields of the form.
    pub form: Vec<(String, String)>,
    /// `Authorization` header, for clients that send their secret there.
    pub authorization: Option<String>,
    /// Base of the issuer's own URLs.
    pub base_url: String,
}

/// What the token endpoint and the discovery documents answer.
#[derive(Clone)]
pub struct TokenAnswer {
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: Value,
}

/// Without the body: it may hold a token, and no token belongs in a log.
impl std::fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// A refusal in Entra's words: HTTP status, OAuth error, AADSTS code, description.
struct Refused(u16, &'static str, u32, String);

enum Failure {
    Refused(Refused),
    Identity(IdentityError),
}

impl<T: Into<IdentityError>> From<T> for Failure {
    fn from(error: T) -> Self {
        Self::Identity(error.into())
    }
}

fn refuse<T>(status: u16, error: &'static str, code: u32, description: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::Refused(Refused(status, error, code, description.into())))
}

fn missing<T>(parameter: &str) -> Result<T, Failure> {
    refuse(400, "invalid_request", 900_144, format!("The request body must contain the following parameter: '{parameter}'."))
}

/// Fields that decide; a second one could only be there to confuse (RFC 6749 §3.2).
const SINGLE: [&str; 7] = ["grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "device_code", "scope"];

/// How a client proves itself.
enum Proof {
    /// By its secret.
    Secret(String),
    /// By a JWT that it has signed.
    Assertion(String),
}

/// For whom a token is.
enum Holder<'a> {
    /// For the application itself; `appidacr` says how it has proven itself: 1 secret, 2 certificate.
    Application(&'static str),
    /// For a person, with these permissions.
    Person {
        /// Name of the person.
        name: &'a str,
        /// Permissions.
        scopes: &'a str,
    },
}

impl TokenRequest {
    /// A field that is there and not empty: an empty one counts as absent (RFC 6749 §3.2).
    fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Client id and secret of HTTP Basic, both form-encoded (RFC 6749 §2.3.1). The scheme's case does
    /// not matter (RFC 9110 §11.1).
    fn basic(&self) -> Option<(String, String)> {
        let (scheme, encoded) = self.authorization.as_deref()?.trim().split_once(' ')?;
        let encoded = Some(encoded.trim()).filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let plain = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8().ok().map(std::borrow::Cow::into_owned);
        let (id, secret) = decoded.split_once(':')?;
        Some((plain(id)?, plain(secret)?))
    }

    /// Client id and proof: an assertion or a secret in the form, or HTTP Basic.
    fn credentials(&self) -> Result<(String, Proof), Failure> {
        let id = self.field("client_id").map(str::to_owned);
        if let Some(jwt) = assertion::of(self)? {
            // RFC 7521 §4.2: the assertion says who it is, too.
            let Some(id) = id.or_else(|| assertion::subject(jwt)) else { return missing("client_id") };
            return Ok((id, Proof::Assertion(jwt.to_owned())));
        }
        if let (Some(id), Some(secret)) = (&id, self.field("client_secret")) {
            return Ok((id.clone(), Proof::Secret(secret.to_owned())));
        }
        match (id, self.basic()) {
            (Some(id), Some((basic_id, _))) if !id.eq_ignore_ascii_case(&basic_id) => {
                refuse(400, "invalid_request", 90_100, "'client_id' is not the one of the Authorization header.")
            }
            (_, Some((id, secret))) => Ok((id, Proof::Secret(secret))),
            (None, None) => missing("client_id"),
            (Some(_), None) => refuse(
                401,
                "invalid_client",
                7_000_218,
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
            ),
        }
    }

    /// Refuses a request that says something twice.
    fn check_single(&self) -> Result<(), Failure> {
        match SINGLE.into_iter().find(|name| self.form.iter().filter(|(key, _)| key == name).count() > 1) {
            Some(name) => refuse(400, "invalid_request", 90_100, format!("The parameter '{name}' is given more than once.")),
            None => Ok(()),
        }
    }
}

/// Answers a token request; `uti` is the id of the new token. Refusals are answers, too.
///
/// # Errors
/// `Store` and `Keys`, when the fault is not the client's.
pub async fn token(store: &Store, keys: &Keys, ctx: &OpContext, request: TokenRequest, uti: String) -> Result<TokenAnswer, IdentityError> {
    respond(ctx, answer(store, keys, ctx, request, uti).await)
}

fn respond(ctx: &OpContext, outcome: Result<Value, Failure>) -> Result<TokenAnswer, IdentityError> {
    match outcome {
        Ok(body) => Ok(TokenAnswer { status: 200, body }),
        Err(Failure::Identity(error)) => Err(error),
        Err(Failure::Refused(Refused(status, error, code, description))) => Ok(TokenAnswer {
            status,
            body: json!({
                "error": error,
                "error_description": format!("AADSTS{code}: {description}"),
                "error_codes": [code],
                "timestamp": ctx.now.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                "trace_id": ctx.request_id.to_string(),
                "correlation_id": ctx.request_id.to_string(),
            }),
        }),
    }
}

async fn tenant_called(store: &Store, ctx: &OpContext, key: &str) -> Result<Option<Tenant>, StoreError> {
    let key = key.to_owned();
    store.read::<_, StoreError>(ctx, move |tx| find_tenant(tx, &key)).await
}

fn tenant_not_found(key: &str) -> String {
    format!("Tenant '{}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.", short(key))
}

/// The tenant in the URL, and from then on in its own context.
async fn in_tenant(store: &Store, ctx: &OpContext, request: &TokenRequest) -> Result<(Tenant, OpContext), Failure> {
    match tenant_called(store, ctx, &request.tenant).await? {
        Some(tenant) => {
            let ctx = OpContext { tenant: tenant.id, ..ctx.clone() };
            Ok((tenant, ctx))
        }
        None => refuse(400, "invalid_request", 90_002, tenant_not_found(&request.tenant)),
    }
}

fn unknown_client<T>(client_id: &str, tenant: &Tenant) -> Result<T, Failure> {
    refuse(
        400,
        "unauthorized_client",
        700_016,
        format!("Application with identifier '{}' was not found in the directory '{}'.", short(client_id), short(&tenant.name)),
    )
}

async fn answer(store: &Store, keys: &Keys, ctx: &OpContext, request: TokenRequest, uti: String) -> Result<Value, Failure> {
    request.check_single()?;
    match request.field("grant_type") {
        Some("client_credentials") => {}
        Some(device::GRANT) => return device::redeem(store, keys, ctx, &request, &uti).await,
        Some(other) => {
            return refuse(
                400,
                "unsupported_grant_type",
                70_003,
                format!("The app requested an unsupported grant type '{}'; use client_credentials or {}.", short(other), device::GRANT),
            );
        }
        None => return missing("grant_type"),
    }
    if request.field("resource").is_some() {
        return refuse(400, "invalid_request", 901_002, "The 'resource' request parameter is not supported; name it in 'scope'.");
    }
    let (client_id, proof) = request.credentials()?;
    let (tenant, ctx) = in_tenant(store, ctx, &request).await?;
    check_scope(&request)?;
    let (client, class) = match proof {
        Proof::Secret(secret) => {
            let lookup = client_id.clone();
            match store.read::<_, StoreError>(&ctx, move |tx| clients::prove(tx, &lookup, &secret)).await? {
                None => return unknown_client(&client_id, &tenant),
                Some((_, false)) => {
                    let why = format!("Invalid client secret provided for app '{}'.", short(&client_id));
                    return refuse(401, "invalid_client", 7_000_215, why);
                }
                Some((client, true)) => (client, "1"),
            }
        }
        Proof::Assertion(jwt) => (assertion::prove(store, &ctx, &tenant, &request, &client_id, &jwt).await?, "2"),
    };
    issue(keys, &ctx, &request.base_url, &client, &Holder::Application(class), &uti)
}

/// Signs a token and answers it.
fn issue(keys: &Keys, ctx: &OpContext, base_url: &str, client: &Client, holder: &Holder<'_>, uti: &str) -> Result<Value, Failure> {
    let now = ctx.now.as_second();
    let id = ctx.tenant.to_string();
    let mut claims = json!({
        "aud": AUDIENCES[0], "iss": format!("{base_url}/{id}/v2.0"), "iat": now, "nbf": now, "exp": now + TOKEN_SECONDS,
        "app_displayname": client.name, "appid": client.client_id, "azp": client.client_id, "tid": id, "uti": uti, "ver": "2.0",
    });
    let special = match holder {
        Holder::Application(class) => json!({
            "appidacr": class, "azpacr": class, "idtyp": "app", "oid": client.client_id, "sub": client.client_id,
            "roles": client.permissions,
        }),
        Holder::Person { name, scopes } => {
            json!({ "appidacr": "0", "azpacr": "0", "idtyp": "user", "preferred_username": name, "sub": name, "scp": scopes })
        }
    };
    if let (Value::Object(claims), Value::Object(special)) = (&mut claims, special) {
        claims.extend(special);
    }
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(keys.kid().to_owned());
    let sign = |claims: &Value| jsonwebtoken::encode(&header, claims, keys.signing()).map_err(|e| IdentityError::Keys(e.to_string()));
    let token = sign(&claims)?;
    let mut answer = json!({ "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "ext_expires_in": TOKEN_SECONDS, "access_token": token });
    if let Holder::Person { name, scopes } = holder {
        // OpenID Connect Core §2. azure-identity takes no delegated token without one. It opens nothing:
        // it is addressed to the client.
        answer["id_token"] = json!(sign(&json!({
            "iss": claims["iss"], "aud": client.client_id, "sub": name, "name": name, "preferred_username": name, "tid": id,
            "iat": now, "nbf": now, "exp": now + TOKEN_SECONDS, "ver": "2.0",
        }))?);
        // RFC 6749 §5.1: what was granted, which need not be what was asked for.
        answer["scope"] = json!(scopes);
    }
    Ok(answer)
}

/// `.default` of Graph, of a loopback name, or of this server: kiota derives the scope from the host
/// it calls, with or without the port. No scope at all means Graph, the one resource there is.
fn check_scope(request: &TokenRequest) -> Result<(), Failure> {
    let Some(scope) = request.field("scope").map(str::trim) else { return Ok(()) };
    let Some(resource) = scope.strip_suffix("/.default").filter(|resource| !resource.contains(char::is_whitespace)) else {
        return refuse(
            400,
            "invalid_scope",
            1_002_012,
            format!(
                "The provided value for scope {} is not valid. Client credential flows must have a scope value with /.default suffixed to \
                 the resource identifier (application ID URI): https://graph.microsoft.com/.default.",
                short(scope)
            ),
        );
    };
    let own = host(&request.base_url);
    let known = |host: &str| ["graph.microsoft.com", "localhost", "127.0.0.1", "[::1]"].contains(&host) || own.as_deref() == Some(host);
    if AUDIENCES.iter().any(|name| name.eq_ignore_ascii_case(resource)) || host(resource).is_some_and(|host| known(&host)) {
        return Ok(());
    }
    refuse(400, "invalid_resource", 500_011, format!("The resource principal named {} was not found in the tenant.", short(resource)))
}

/// The host of `http(s)://host[:port][/]`, in lower case; `None` for anything else.
fn host(origin: &str) -> Option<String> {
    let origin = origin.to_ascii_lowercase();
    let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"))?.trim_end_matches('/');
    // An IPv6 address has its colons in brackets (RFC 3986 §3.2.2).
    let end = if rest.starts_with('[') { rest.find(']')? + 1 } else { rest.find(':').unwrap_or(rest.len()) };
    let (host, port) = rest.split_at(end);
    let port_good = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()));
    let host_good = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
    (host_good && port_good).then(|| host.to_owned())
}

/// A piece of a request in a message.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// Names under which Microsoft Entra serves the configuration of no tenant in particular.
const ANY_TENANT: [&str; 2] = ["common", "organizations"];

/// Answers a request for the OpenID configuration of a tenant, named by id or domain.
///
/// The document names the tenant by its id whichever way it was asked for, because `issuer` has to be
/// the `iss` of the tokens (OpenID Connect Discovery 1.0 §4.3). An unknown tenant is 400
/// `invalid_tenant`, as at Microsoft Entra.
///
/// # Errors
/// `Store`.
pub async fn discovery_document(store: &Store, ctx: &OpContext, base_url: &str, tenant: &str) -> Result<TokenAnswer, IdentityError> {
    if let Some(name) = ANY_TENANT.into_iter().find(|name| name.eq_ignore_ascii_case(tenant)) {
        return respond(ctx, Ok(configuration(base_url, name, "{tenantid}")));
    }
    let found = tenant_called(store, ctx, tenant).await?;
    let outcome = match found {
        Some(found) => Ok(configuration(base_url, &found.id.to_string(), &found.id.to_string())),
        None => refuse(400, "invalid_tenant", 90_002, tenant_not_found(tenant)),
    };
    respond(ctx, outcome)
}

fn configuration(base_url: &str, tenant: &str, issuer: &str) -> Value {
    let at = format!("{base_url}/{tenant}");
    json!({
        "issuer": format!("{base_url}/{issuer}/v2.0"),
        "authorization_endpoint": format!("{at}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{at}/oauth2/v2.0/token"),
        "jwks_uri": format!("{at}/discovery/v2.0/keys"),
        "response_types_supported": ["code", "token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "device_authorization_endpoint": format!("{at}/oauth2/v2.0/devicecode"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256", "ES256"],
        "grant_types_supported": ["client_credentials", device::GRANT],
        "scopes_supported": ["https://graph.microsoft.com/.default"],
        "claims_supported": ["aud", "iss", "iat", "nbf", "exp", "appid", "oid", "roles", "scp", "sub", "tid", "ver"],
    })
}

/// What MSAL asks for before it trusts an authority that it does not know. `query` is that of the
/// request, percent-encoded.
///
/// MSAL takes the token endpoint from the document named here, so it is the one of the tenant in the
/// query's `authorization_endpoint`: `common` has no clients.
pub fn instance_document(base_url: &str, query: &str) -> Value {
    let endpoint = query.split('&').find_map(|pair| pair.strip_prefix("authorization_endpoint="));
    let endpoint = endpoint.map(|value| percent_decode_str(value).decode_utf8_lossy().into_owned());
    let tenant = endpoint.as_deref().and_then(|url| url.split_once("://")?.1.split('/').nth(1));
    // Tenants are ids and domain names; nothing else may find its way into a link.
    let tenant = tenant.filter(|t| !t.trim_matches('.').is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b)));
    let tenant = tenant.unwrap_or(ANY_TENANT[0]);
    json!({
        "tenant_discovery_endpoint": format!("{base_url}/{tenant}/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": [],
    })
}

#[cfg(test)]
mod tests;
