//! Who may do what: tenants, API clients, the token issuer, and the check of bearer tokens.

mod certificates;
mod clients;
mod foreign;
mod issuer;
mod keys;
mod tenants;
#[cfg(test)]
mod testing;
mod verify;

pub use certificates::PublicKey;
pub use clients::{Client, Credentials, NewClient, Registered, create_client, delete_client, list_clients, register_client};
pub use foreign::{Fetch, Fetched, IssuerSettings, TrustedIssuers};
pub use issuer::{
    PendingDevice, TokenAnswer, TokenRequest, decide_device, device_code, discovery_document, find_device, instance_document, token,
};
pub use keys::Keys;
pub use tenants::{Tenant, create_tenant, find_tenant, list_tenants};
pub use verify::{Denied, verify};

/// What identity can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A value that is refused, with the remedy.
    #[error("{0}")]
    Invalid(String),
    /// No such thing.
    #[error("{0}")]
    NotFound(String),
    /// Keys and signatures.
    #[error("signing keys: {0}")]
    Keys(String),
    /// The store below.
    #[error("the store failed")]
    Store(#[from] store::StoreError),
}

/// Names that access tokens for Microsoft Graph are addressed to.
pub const AUDIENCES: [&str; 2] = ["https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"];
/// Life of an access token, seconds: as Microsoft Entra gives them.
pub const TOKEN_SECONDS: i64 = 3_599;
