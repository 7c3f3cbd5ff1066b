//! Tenants. The only operations that look across tenants are here, and only the command line uses them.

use crate::IdentityError;
use store::{OpContext, Store, StoreError, TenantId, Tx};

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Id.
    pub id: TenantId,
    /// Display name.
    pub name: String,
    /// Domain of its accounts.
    pub domain: Option<String>,
}

/// Makes a tenant; its id is that of the context.
pub async fn create_tenant(store: &Store, ctx: &OpContext, name: &str, domain: Option<&str>) -> Result<Tenant, IdentityError> {
    let name = name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(IdentityError::Invalid("a tenant's name has 1 to 100 characters".to_owned()));
    }
    let domain = domain.map(str::to_ascii_lowercase);
    if let Some(domain) = &domain
        && !is_domain(domain)
    {
        return Err(IdentityError::Invalid(format!("`{domain}` is not a domain name such as contoso.example")));
    }
    let tenant = Tenant { id: ctx.tenant, name, domain };
    let row = tenant.clone();
    let written = store
        .write::<_, StoreError>(ctx, move |tx| {
            let params = [tx.tenant_value(), row.name.into(), row.domain.into(), tx.ctx().now.as_microsecond().into()];
            tx.execute("INSERT INTO tenant (id, name, domain, created) VALUES ($1, $2, $3, $4)", &params)
        })
        .await;
    match written {
        Err(StoreError::Duplicate) => Err(IdentityError::Invalid("a tenant with this id or domain exists already".to_owned())),
        other => Ok(other.map(|_| tenant)?),
    }
}

fn is_domain(text: &str) -> bool {
    text.len() <= 253
        && text.contains('.')
        && text
            .split('.')
            .all(|label| !label.is_empty() && label.len() <= 63 && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
}

/// All tenants, by name.
pub async fn list_tenants(store: &Store, ctx: &OpContext) -> Result<Vec<Tenant>, IdentityError> {
    Ok(store
        .read::<_, StoreError>(ctx, |tx| {
            tx.query("SELECT id, name, domain FROM tenant ORDER BY name, id", &[])?.iter().map(tenant).collect()
        })
        .await?)
}

/// The tenant with that id or domain.
pub fn find_tenant(tx: &mut Tx<'_>, key: &str) -> Result<Option<Tenant>, StoreError> {
    let row = tx.query_one("SELECT id, name, domain FROM tenant WHERE id = $1 OR domain = $1", &[key.to_ascii_lowercase().into()])?;
    row.as_ref().map(tenant).transpose()
}

fn tenant(row: &store::Row) -> Result<Tenant, StoreError> {
    let id = row.text(0)?.parse().map_err(|_| StoreError::Corrupt("tenant id".to_owned()))?;
    Ok(Tenant { id, name: row.text(1)?.to_owned(), domain: row.opt_text(2)?.map(str::to_owned) })
}
