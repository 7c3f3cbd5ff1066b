//! Where a roster comes from, and what the client needs of the program around it.

use crate::{Fault, FaultCode, Limits};
use egress::Egress;
use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;
use url::Url;

/// Version of the API, which decides paths, shapes and the columns of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// OneRoster 1.1
    V1p1,
    /// OneRoster 1.2
    V1p2,
}

impl Version {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V1p1, Self::V1p2];

    /// `1.1` or `1.2`
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1p1 => "1.1",
            Self::V1p2 => "1.2",
        }
    }

    /// The version of a connector's `apiVersion`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text.trim())
    }

    /// How paths name it.
    pub(crate) const fn path_segment(self) -> &'static str {
        match self {
            Self::V1p1 => "v1p1",
            Self::V1p2 => "v1p2",
        }
    }
}

/// A text that no log and no error shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How Homeroom shows who it is.
#[derive(Debug, Clone)]
pub enum Credential {
    /// Every request signed (RFC 5849, without a token: "two-legged").
    OAuth1 {
        /// Consumer key.
        client_id: String,
        /// Consumer secret.
        client_secret: Secret,
    },
    /// A bearer token by client credentials (RFC 6749 §4.4).
    OAuth2 {
        /// Client.
        client_id: String,
        /// Its secret.
        client_secret: Secret,
        /// Token endpoint.
        token_url: String,
        /// Scopes to ask for, separated by spaces; none leaves it to the provider.
        scope: Option<String>,
    },
}

/// What to ask for beside the core of a roster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Switches {
    /// Guardians, parents and relatives, and whose they are.
    pub contacts: bool,
    /// Demographics.
    pub demographics: bool,
    /// `metadata.microsoft.userFlags` of users.
    pub flags: bool,
}

/// A provider as somebody has configured it.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Scheme, host and path down to the version: `https://sis.example/ims/oneroster/v1p1`.
    pub base_url: String,
    /// Version of the API.
    pub version: Version,
    /// Credential.
    pub credential: Credential,
    /// What to ask for.
    pub switches: Switches,
}

/// What the program gives to the client.
#[derive(Clone)]
pub struct Surroundings {
    /// Where connections may go.
    pub egress: Egress,
    /// The clock.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// A text that never comes twice.
    pub nonce: Arc<dyn Fn() -> String + Send + Sync>,
    /// Limits of time and size.
    pub limits: Limits,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("egress", &self.egress).field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Reads a configured URL; `what` names the setting.
pub(crate) fn web_url(what: &str, text: &str) -> Result<Url, Fault> {
    let bad = |why: &str| Fault::new(FaultCode::AddressInvalid, what, format!("'{text}' {why}"));
    let url = Url::parse(text.trim()).map_err(|error| bad(&format!("is no URL ({error})")))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
        return Err(bad("does not begin with https:// and a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // Not repeated in full: there may be a password in it.
        return Err(Fault::new(
            FaultCode::AddressInvalid,
            what,
            "there is a user name or password in it; the credential has its own place",
        ));
    }
    Ok(url)
}
