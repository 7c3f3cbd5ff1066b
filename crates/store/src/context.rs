//! Who does something, for which tenant, with which permissions, when.

use crate::StoreError;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use uuid::Uuid;

/// Id of a tenant: the first column of every key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(pub Uuid);

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for TenantId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self)
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// An API client in its own right (an application token), by its client id.
    Client(String),
    /// A person by way of an API client (a delegated token).
    User {
        /// Client id.
        client: String,
        /// The person, as the issuer of the token names them.
        user: String,
    },
    /// Homeroom itself: jobs, the command line on the machine.
    System,
}

/// What the actor may do.
#[derive(Debug, Clone)]
pub enum Grants {
    /// Everything: Homeroom itself.
    System,
    /// These Graph permissions.
    Permissions(Arc<BTreeSet<String>>),
}

impl Grants {
    /// Everything.
    pub fn system() -> Self {
        Self::System
    }

    /// A set of permission names.
    pub fn permissions<I: IntoIterator<Item = S>, S: Into<String>>(names: I) -> Self {
        Self::Permissions(Arc::new(names.into_iter().map(Into::into).collect()))
    }

    /// Refuses unless one of the permissions is held.
    ///
    /// # Errors
    /// [`StoreError::Forbidden`] naming what would do.
    pub fn require(&self, any_of: &[&str]) -> Result<(), StoreError> {
        match self {
            Self::System => Ok(()),
            Self::Permissions(held) if any_of.iter().any(|name| held.contains(*name)) => Ok(()),
            Self::Permissions(_) => Err(StoreError::Forbidden { needed: any_of.iter().map(|n| (*n).to_owned()).collect() }),
        }
    }
}

/// The first argument of every operation.
#[derive(Debug, Clone)]
pub struct OpContext {
    /// For which tenant.
    pub tenant: TenantId,
    /// Who.
    pub actor: Actor,
    /// With which permissions.
    pub grants: Grants,
    /// In which request.
    pub request_id: Uuid,
    /// When.
    pub now: jiff::Timestamp,
}

impl OpContext {
    /// Homeroom itself, for a tenant.
    pub fn system(tenant: TenantId, request_id: Uuid, now: jiff::Timestamp) -> Self {
        Self { tenant, actor: Actor::System, grants: Grants::System, request_id, now }
    }
}
