//! API clients and their secrets.
//!
//! A secret is 32 random bytes, so a plain SHA-256 of it is as good at rest as a slow password
//! hash: there is nothing to guess. It is shown once.

use crate::IdentityError;
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

fn hash(secret: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, secret.as_bytes()).as_ref().to_vec()
}

/// Makes a client with the given id for the context's tenant.
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
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARACTERS_MAX {
        return Err(IdentityError::Invalid(format!("an application's name has 1 to {NAME_CHARACTERS_MAX} characters")));
    }
    let client_id = stored_id(&client_id).ok_or_else(|| IdentityError::Invalid("a client id is a GUID".to_owned()))?;
    let mut bytes = [0; SECRET_BYTES];
    rand::fill(&mut bytes).map_err(|_| IdentityError::Keys("no randomness".to_owned()))?;
    let made = NewClient { client_id, client_secret: URL_SAFE_NO_PAD.encode(bytes) };
    let (row, name) = (made.clone(), name.to_owned());
    let permissions = serde_json::to_string(&permissions).map_err(|e| IdentityError::Invalid(e.to_string()))?;
    let tenant = ctx.tenant;
    let written = store
        .write(ctx, move |tx| {
            if crate::find_tenant(tx, &tenant.to_string())?.is_none() {
                return Err(IdentityError::NotFound(format!("there is no tenant {tenant}")));
            }
            let params = [
                tx.tenant_value(),
                row.client_id.into(),
                name.into(),
                hash(&row.client_secret).into(),
                permissions.into(),
                tx.ctx().now.as_microsecond().into(),
            ];
            tx.execute(
                "INSERT INTO client (tenant_id, client_id, name, secret_hash, permissions, created) VALUES ($1, $2, $3, $4, $5, $6)",
                &params,
            )?;
            Ok(())
        })
        .await;
    match written {
        Err(IdentityError::Store(StoreError::Duplicate)) => Err(IdentityError::Invalid("a client with this id exists already".to_owned())),
        other => other.map(|()| made),
    }
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
