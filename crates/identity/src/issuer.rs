//! Homeroom's own token issuer, in the shape of Microsoft Entra's v2 endpoints.

use crate::{AUDIENCES, IdentityError, Keys, TOKEN_SECONDS, clients, find_tenant};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, Header};
use serde_json::{Value, json};
use store::{OpContext, Store, StoreError};

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

/// What the token endpoint answers.
#[derive(Debug, Clone)]
pub struct TokenAnswer {
    /// HTTP status.
    pub status: u16,
    /// JSON body.
    pub body: Value,
}

/// A refusal in Entra's words.
struct Refused(u16, &'static str, u32, String);

impl TokenRequest {
    fn field(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Client id and secret, from the form or from HTTP Basic (RFC 6749 §2.3.1).
    fn credentials(&self) -> Option<(String, String)> {
        if let (Some(id), Some(secret)) = (self.field("client_id"), self.field("client_secret")) {
            return Some((id.to_owned(), secret.to_owned()));
        }
        let encoded = self.authorization.as_deref()?.strip_prefix("Basic ")?;
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        decoded.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned()))
    }
}

/// Answers a token request. `uti` is the id of the new token.
pub async fn token(store: &Store, keys: &Keys, ctx: &OpContext, request: TokenRequest, uti: String) -> Result<TokenAnswer, IdentityError> {
    let (trace, now) = (ctx.request_id, ctx.now);
    let outcome = answer(store, keys, ctx, request, uti).await;
    Ok(match outcome {
        Ok(body) => TokenAnswer { status: 200, body },
        Err(Failure::Refused(Refused(status, error, code, description))) => TokenAnswer {
            status,
            body: json!({
                "error": error,
                "error_description": format!("AADSTS{code}: {description}"),
                "error_codes": [code],
                "timestamp": now.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                "trace_id": trace.to_string(),
                "correlation_id": trace.to_string(),
            }),
        },
        Err(Failure::Identity(error)) => return Err(error),
    })
}

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

async fn answer(store: &Store, keys: &Keys, ctx: &OpContext, request: TokenRequest, uti: String) -> Result<Value, Failure> {
    match request.field("grant_type") {
        Some("client_credentials") => {}
        Some(other) => {
            return refuse(
                400,
                "unsupported_grant_type",
                70003,
                format!("The grant type '{}' is not supported; use client_credentials.", short(other)),
            );
        }
        None => return refuse(400, "invalid_request", 900_144, "The request body must contain the following parameter: 'grant_type'."),
    }
    check_scope(&request)?;
    let key = request.tenant.clone();
    let Some(tenant) = store.read::<_, StoreError>(ctx, move |tx| find_tenant(tx, &key)).await? else {
        return refuse(400, "invalid_request", 90002, format!("Tenant '{}' not found.", short(&request.tenant)));
    };
    let Some((client_id, secret)) = request.credentials() else {
        return refuse(401, "invalid_client", 7_000_218, "The request must contain the parameters 'client_id' and 'client_secret'.");
    };
    // From here on in the tenant's own context.
    let ctx = OpContext { tenant: tenant.id, ..ctx.clone() };
    let lookup = client_id.clone();
    let read = move |tx: &mut store::Tx<'_>| Ok((clients::find(tx, &lookup)?, clients::secret_matches(tx, &lookup, &secret)?));
    let (client, proven) = store.read::<_, StoreError>(&ctx, read).await?;
    let Some(client) = client else {
        return refuse(
            401,
            "invalid_client",
            700_016,
            format!("Application with identifier '{}' was not found in the tenant.", short(&client_id)),
        );
    };
    if !proven {
        return refuse(401, "invalid_client", 7_000_215, format!("Invalid client secret provided for app '{}'.", short(&client_id)));
    }
    let now = ctx.now.as_second();
    let id = tenant.id.to_string();
    let claims = json!({
        "aud": AUDIENCES[0], "iss": format!("{}/{id}/v2.0", request.base_url), "iat": now, "nbf": now, "exp": now + TOKEN_SECONDS,
        "app_displayname": client.name, "appid": client.client_id, "azp": client.client_id, "appidacr": "1", "azpacr": "1", "idtyp": "app",
        "oid": client.client_id, "sub": client.client_id, "roles": client.permissions, "tid": id, "uti": uti, "ver": "2.0",
    });
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(keys.kid().to_owned());
    let token = jsonwebtoken::encode(&header, &claims, keys.signing()).map_err(|e| IdentityError::Keys(e.to_string()))?;
    Ok(json!({ "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "ext_expires_in": TOKEN_SECONDS, "access_token": token }))
}

/// `.default` of Graph, of a loopback name, or of this server; kiota derives the scope from the host it calls.
fn check_scope(request: &TokenRequest) -> Result<(), Failure> {
    let scope = request.field("scope").unwrap_or("https://graph.microsoft.com/.default").trim();
    let host = |url: &str| url.split("://").nth(1).unwrap_or(url).split(['/', ':']).next().unwrap_or_default().to_ascii_lowercase();
    let resource = scope.strip_suffix("/.default").map(host);
    let own = host(&request.base_url);
    match resource {
        Some(resource)
            if ["graph.microsoft.com", "localhost", "127.0.0.1", "[", "00000003-0000-0000-c000-000000000000", &own]
                .contains(&resource.as_str()) =>
        {
            Ok(())
        }
        _ => refuse(
            400,
            "invalid_scope",
            70011,
            format!("The scope '{}' is not valid; client credentials take https://graph.microsoft.com/.default.", short(scope)),
        ),
    }
}

/// A piece of a request in a message.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// The OpenID configuration of a tenant.
pub fn discovery_document(base_url: &str, tenant: &str) -> Value {
    let at = format!("{base_url}/{tenant}");
    json!({
        "issuer": format!("{at}/v2.0"),
        "authorization_endpoint": format!("{at}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{at}/oauth2/v2.0/token"),
        "jwks_uri": format!("{at}/discovery/v2.0/keys"),
        "response_types_supported": ["code", "token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "grant_types_supported": ["client_credentials"],
        "scopes_supported": ["https://graph.microsoft.com/.default"],
        "claims_supported": ["aud", "iss", "iat", "nbf", "exp", "appid", "oid", "roles", "sub", "tid", "ver"],
    })
}

/// What MSAL asks for before it trusts an authority that it does not know.
pub fn instance_document(base_url: &str) -> Value {
    json!({
        "tenant_discovery_endpoint": format!("{base_url}/common/v2.0/.well-known/openid-configuration"),
        "api-version": "1.1",
        "metadata": [],
    })
}
