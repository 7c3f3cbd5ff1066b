//! Tenants. The only operations that look across tenants are here, and only the command line uses them.

use crate::IdentityError;
use store::{OpContext, Store, StoreError, TenantId, Tx};

/// Longest domain name (RFC 1035 §2.3.4), and so the longest name of a tenant in a URL.
const KEY_BYTES_MAX: usize = 253;

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
///
/// # Errors
/// `Invalid` for an empty or overlong name, something that is no domain name, an id or domain that
/// is in use, and for the nil GUID, under which Homeroom keeps what belongs to no tenant.
pub async fn create_tenant(store: &Store, ctx: &OpContext, name: &str, domain: Option<&str>) -> Result<Tenant, IdentityError> {
    if ctx.tenant.0.is_nil() {
        return Err(IdentityError::Invalid("the nil GUID cannot be a tenant's id".to_owned()));
    }
    let name = name.trim().to_owned();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(IdentityError::Invalid("a tenant's name has 1 to 100 characters".to_owned()));
    }
    let domain = domain.map(|domain| domain.trim().to_ascii_lowercase());
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

/// Labels of RFC 1123 §2.1, at least two. The last one is not a number (RFC 3696 §2), so that no
/// tenant is ever called like the first segment of `/v1.0/…` or like an IP address.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_number = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    text.len() <= KEY_BYTES_MAX && text.contains('.') && text.split('.').all(label) && !last_is_number
}

/// All tenants, by name.
pub async fn list_tenants(store: &Store, ctx: &OpContext) -> Result<Vec<Tenant>, IdentityError> {
    Ok(store
        .read::<_, StoreError>(ctx, |tx| {
            tx.query("SELECT id, name, domain FROM tenant ORDER BY name, id", &[])?.iter().map(tenant).collect()
        })
        .await?)
}

/// The tenant with that id or domain; case does not matter. What can be neither is not looked up:
/// keys come from URLs, and PostgreSQL answers text with NUL with an error of its own.
pub fn find_tenant(tx: &mut Tx<'_>, key: &str) -> Result<Option<Tenant>, StoreError> {
    if key.len() > KEY_BYTES_MAX || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b)) {
        return Ok(None);
    }
    let row = tx.query_one("SELECT id, name, domain FROM tenant WHERE id = $1 OR domain = $1", &[key.to_ascii_lowercase().into()])?;
    row.as_ref().map(tenant).transpose()
}

fn tenant(row: &store::Row) -> Result<Tenant, StoreError> {
    let id = row.text(0)?.parse().map_err(|_| StoreError::Corrupt("tenant id".to_owned()))?;
    Ok(Tenant { id, name: row.text(1)?.to_owned(), domain: row.opt_text(2)?.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::is_domain;

    #[test]
    fn domains_are_names_and_nothing_else() {
        for good in ["contoso.example", "a.b.c", "xn--schle-kva.de", "3com.com"] {
            assert!(is_domain(good), "{good}");
        }
        let long = format!("{}.example", "a".repeat(64));
        for bad in ["contoso", "", ".", "a..b", "-a.example", "a-.example", "v1.0", "127.0.0.1", "a_b.example", "a.b\0", "ä.example", &long]
        {
            assert!(!is_domain(bad), "{bad}");
        }
    }
}
