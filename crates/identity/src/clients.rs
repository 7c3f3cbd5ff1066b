//! API clients, their secrets and their certificates.
//!
//! A secret is 32 random bytes, so a plain SHA-256 of it is as good at rest as a slow password
//! hash: there is nothing to guess. It is shown once.

use crate::{IdentityError, PublicKey};
use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::{OpContext, Store, StoreError, Tx};
use subtle::ConstantTimeEq as _;

const SECRET_BYTES: usize = 32;
/// Client ids are GUIDs; more is only a way to fill a log.
const CLIENT_ID_BYTES_MAX: usize = 128;
/// Characters of a display name.
const NAME_CHARACTERS_MAX: usize = 120;
/// An old certificate and a new one; some to spare.
const KEYS_MAX: usize = 10;

/// An API client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Client id.
    pub client_id: String,
    /// Display name.
    pub name: String,
    /// Application permissions.
    pub permissions: Vec<String>,
}

/// A client just made.
#[derive(Clone)]
pub struct NewClient {
    /// Client id.
    pub client_id: String,
    /// Secret, shown this once.
    pub client_secret: String,
}

impl std::fmt::Debug for NewClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewClient").field("client_id", &self.client_id).field("client_secret", &"<hidden>").finish()
    }
}

/// The stored form of a client id: GUIDs are compared without regard to case, as Microsoft Entra does.
/// `None` for what cannot be one, such as text with NUL, which PostgreSQL refuses to look up.
fn stored_id(client_id: &str) -> Option<String> {
    let good = (1..=CLIENT_ID_BYTES_MAX).contains(&client_id.len()) && client_id.bytes().all(|b| b.is_ascii_graphic());
    good.then(|| client_id.to_ascii_lowercase())
}

pub(crate) fn hash(secret: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, secret.as_bytes()).as_ref().to_vec()
}

/// How a client proves itself; one of the two at least.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// By a secret, which is made.
    pub secret: bool,
    /// By signatures with one of these keys.
    pub keys: Vec<PublicKey>,
}

/// A client just made.
#[derive(Debug, Clone)]
pub struct Registered {
    /// Client id.
    pub client_id: String,
    /// The secret, when there is one; shown this once.
    pub secret: Option<NewClient>,
}

/// Makes a client with the given id and a secret for the context's tenant.
///
/// # Errors
/// `Invalid` for an empty or overlong name, a bad id, or one that is in use; `NotFound` without such a tenant.
pub async fn create_client(
    store: &Store,
    ctx: &OpContext,
    client_id: String,
    name: &str,
    permissions: Vec<String>,
) -> Result<NewClient, IdentityError> {
    let credentials = Credentials { secret: true, keys: Vec::new() };
    let made = register_client(store, ctx, client_id, name, permissions, credentials).await?;
    made.secret.ok_or_else(|| IdentityError::Keys("no secret was made".to_owned()))
}

/// Makes a client with the given id and credentials for the context's tenant.
///
/// # Errors
/// As [`create_client`], and `Invalid` for no credentials, too many or one that has ended.
pub async fn register_client(
    store: &Store,
    ctx: &OpContext,
    client_id: String,
    name: &str,
    permissions: Vec<String>,
    credentials: Credentials,
) -> Result<Registered, IdentityError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARACTERS_MAX {
        return Err(IdentityError::Invalid(format!("an application's name has 1 to {NAME_CHARACTERS_MAX} characters")));
    }
    let client_id = stored_id(&client_id).ok_or_else(|| IdentityError::Invalid("a client id is a GUID".to_owned()))?;
    if !credentials.secret && credentials.keys.is_empty() || credentials.keys.len() > KEYS_MAX {
        return Err(IdentityError::Invalid(format!("an application has a secret or 1 to {KEYS_MAX} certificates, or both")));
    }
    if let Some(ended) = credentials.keys.iter().find(|key| key.expires.is_some_and(|end| end <= ctx.now)) {
        return Err(IdentityError::Invalid(format!("the certificate {} has ended", ended.thumbprint)));
    }
    let secret = if credentials.secret {
        let mut bytes = [0; SECRET_BYTES];
        rand::fill(&mut bytes).map_err(|_| IdentityError::Keys("no randomness".to_owned()))?;
        Some(NewClient { client_id: client_id.clone(), client_secret: URL_SAFE_NO_PAD.encode(bytes) })
    } else {
        None
    };
    // No secret has the empty hash.
    let secret_hash = secret.as_ref().map(|made| hash(&made.client_secret)).unwrap_or_default();
    let (id, name) = (client_id.clone(), name.to_owned());
    let permissions = serde_json::to_string(&permissions).map_err(|e| IdentityError::Invalid(e.to_string()))?;
    let tenant = ctx.tenant;
    let written = store
        .write(ctx, move |tx| {
            if crate::find_tenant(tx, &tenant.to_string())?.is_none() {
                return Err(IdentityError::NotFound(format!("there is no tenant {tenant}")));
            }
            let now = tx.ctx().now.as_microsecond();
            let params = [tx.tenant_value(), id.clone().into(), name.into(), secret_hash.into(), permissions.into(), now.into()];
            tx.execute(
                "INSERT INTO client (tenant_id, client_id, name, secret_hash, permissions, created) VALUES ($1, $2, $3, $4, $5, $6)",
                &params,
            )?;
            for key in credentials.keys {
                let params = [
                    tx.tenant_value(),
                    id.clone().into(),
                    key.thumbprint.clone().into(),
                    key.algorithm().into(),
                    key.bytes().to_vec().into(),
                    key.expires.map(jiff::Timestamp::as_microsecond).into(),
                    now.into(),
                ];
                tx.execute(
                    "INSERT INTO client_key (tenant_id, client_id, thumbprint, algorithm, public_key, expires, created)
                     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, client_id, thumbprint) DO NOTHING",
                    &params,
                )?;
            }
            Ok(())
        })
        .await;
    match written {
        Err(IdentityError::Store(StoreError::Duplicate)) => Err(IdentityError::Invalid("a client with this id exists already".to_owned())),
        other => other.map(|()| Registered { client_id, secret }),
    }
}

/// The keys of a client of the transaction's tenant.
pub(crate) fn keys(tx: &mut Tx<'_>, client_id: &str) -> Result<Vec<PublicKey>, StoreError> {
    let Some(id) = stored_id(client_id) else { return Ok(Vec::new()) };
    let params = [tx.tenant_value(), id.into()];
    let sql =
        "SELECT thumbprint, algorithm, public_key, expires FROM client_key WHERE tenant_id = $1 AND client_id = $2 ORDER BY thumbprint";
    tx.query(sql, &params)?.iter().map(PublicKey::from_row).collect()
}

/// Remembers the id of a client's assertion until it has expired (seconds of the Unix epoch);
/// `false` when it was used before (RFC 7523 §3, `jti`).
pub(crate) fn use_assertion(tx: &mut Tx<'_>, client_id: &str, jti: &str, expires: i64) -> Result<bool, StoreError> {
    let Some(id) = stored_id(client_id) else { return Ok(false) };
    let now = tx.ctx().now.as_second();
    let params = [tx.tenant_value(), id.clone().into(), now.into()];
    tx.execute("DELETE FROM used_assertion WHERE tenant_id = $1 AND client_id = $2 AND expires < $3", &params)?;
    let params = [tx.tenant_value(), id.into(), hash(jti).into(), expires.into()];
    let sql = "INSERT INTO used_assertion (tenant_id, client_id, id_hash, expires) VALUES ($1, $2, $3, $4)
               ON CONFLICT (tenant_id, client_id, id_hash) DO NOTHING";
    Ok(tx.execute(sql, &params)? == 1)
}

/// The clients of the context's tenant, by name.
pub async fn list_clients(store: &Store, ctx: &OpContext) -> Result<Vec<Client>, IdentityError> {
    let read = |tx: &mut Tx<'_>| {
        let params = [tx.tenant_value()];
        tx.query("SELECT client_id, name, permissions FROM client WHERE tenant_id = $1 ORDER BY name, client_id", &params)?
            .iter()
            .map(client)
            .collect()
    };
    Ok(store.read::<_, StoreError>(ctx, read).await?)
}

fn client(row: &store::Row) -> Result<Client, StoreError> {
    let permissions = serde_json::from_str(row.text(2)?).map_err(|e| StoreError::Corrupt(e.to_string()))?;
    Ok(Client { client_id: row.text(0)?.to_owned(), name: row.text(1)?.to_owned(), permissions })
}

/// Deletes a client; `NotFound` when there is none.
pub async fn delete_client(store: &Store, ctx: &OpContext, client_id: &str) -> Result<(), IdentityError> {
    let missing = || IdentityError::NotFound(format!("this tenant has no client {client_id}"));
    let id = stored_id(client_id).ok_or_else(missing)?;
    let deleted = store
        .write::<_, StoreError>(ctx, move |tx| {
            let params = [tx.tenant_value(), id.into()];
            for table in ["client_key", "used_assertion", "device_code"] {
                tx.execute(&format!("DELETE FROM {table} WHERE tenant_id = $1 AND client_id = $2"), &params)?;
            }
            tx.execute("DELETE FROM client WHERE tenant_id = $1 AND client_id = $2", &params)
        })
        .await?;
    if deleted == 0 { Err(missing()) } else { Ok(()) }
}

/// The client with that id of the transaction's tenant.
pub(crate) fn find(tx: &mut Tx<'_>, client_id: &str) -> Result<Option<Client>, StoreError> {
    Ok(find_with_hash(tx, client_id)?.map(|(client, _)| client))
}

/// The client with that id, and whether the secret is its own. The comparison takes the same time
/// for every wrong secret.
pub(crate) fn prove(tx: &mut Tx<'_>, client_id: &str, secret: &str) -> Result<Option<(Client, bool)>, StoreError> {
    let found = find_with_hash(tx, client_id)?;
    Ok(found.map(|(client, stored)| (client, stored.ct_eq(&hash(secret)).into())))
}

fn find_with_hash(tx: &mut Tx<'_>, client_id: &str) -> Result<Option<(Client, Vec<u8>)>, StoreError> {
    let Some(id) = stored_id(client_id) else { return Ok(None) };
    let params = [tx.tenant_value(), id.into()];
    let sql = "SELECT client_id, name, permissions, secret_hash FROM client WHERE tenant_id = $1 AND client_id = $2";
    tx.query_one(sql, &params)?.map(|row| Ok((client(&row)?, row.blob(3)?.to_vec()))).transpose()
}
