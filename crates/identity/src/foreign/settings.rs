//! `[[issuers]]` of the settings.

use super::TENANT_PLACE;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use url::{Host, Url};

/// An issuer that is believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IssuerSettings {
    /// `iss` of its tokens, to the letter. `{tenantid}` in it stands for the tenant of the token.
    pub issuer: String,
    /// Values of `aud` of which a token has one.
    pub audiences: Vec<String>,
    /// Where its keys are; without it they are found by OpenID Connect Discovery.
    pub jwks_uri: Option<String>,
    /// The claim with the tenant, by id or domain.
    pub tenant_claim: String,
    /// The tenant of all of its tokens, by id or domain, in place of a claim.
    pub tenant: Option<String>,
    /// The claim with the permissions of an application.
    pub permissions_claim: String,
    /// The claim with the permissions that a person has delegated.
    pub delegated_claim: String,
    /// Keys are fetched again after this time, seconds.
    pub keys_refresh_seconds: u32,
    /// Keys are fetched no more often than this, seconds, whatever tokens arrive.
    pub keys_retry_seconds: u32,
    /// Keys that cannot be fetched again go on for this time, seconds.
    pub keys_kept_seconds: u32,
    /// A fetch that takes longer has failed, seconds.
    pub fetch_timeout_seconds: u32,
}

impl Default for IssuerSettings {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audiences: Vec::new(),
            jwks_uri: None,
            tenant_claim: "tid".to_owned(),
            tenant: None,
            permissions_claim: "roles".to_owned(),
            delegated_claim: "scp".to_owned(),
            keys_refresh_seconds: 3_600,
            keys_retry_seconds: 60,
            keys_kept_seconds: 86_400,
            fetch_timeout_seconds: 5,
        }
    }
}

/// Where keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// The key set itself.
    Keys(Url),
    /// The discovery document that says where the key set is.
    Discovery(Url),
}

impl IssuerSettings {
    /// Whether a token with this `iss` is to be checked by these settings.
    pub(super) fn could_be(&self, iss: &str) -> bool {
        match self.issuer.split_once(TENANT_PLACE) {
            Some((before, after)) => iss.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)).is_some(),
            None => self.issuer == iss,
        }
    }

    pub(super) fn check(&self) -> Result<Source, String> {
        if self.issuer.is_empty() {
            return Err("`issuer` is missing".to_owned());
        }
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err("`audiences` is missing: the name of this Homeroom at the issuer, which its tokens carry as `aud`".to_owned());
        }
        let names = [&self.tenant_claim, &self.permissions_claim, &self.delegated_claim];
        if names.into_iter().any(String::is_empty) || self.tenant.as_deref() == Some("") {
            return Err("the name of a claim or of a tenant is empty".to_owned());
        }
        if self.keys_retry_seconds == 0 || self.fetch_timeout_seconds == 0 || self.keys_kept_seconds < self.keys_refresh_seconds {
            return Err("`keys_retry_seconds` and `fetch_timeout_seconds` are at least 1, `keys_kept_seconds` at least \
                        `keys_refresh_seconds`"
                .to_owned());
        }
        let any_tenant = self.issuer.contains(TENANT_PLACE);
        if any_tenant && self.tenant.is_some() {
            return Err(format!("`issuer` with {TENANT_PLACE} and a fixed `tenant` would let every tenant of the issuer into yours"));
        }
        match &self.jwks_uri {
            Some(uri) => Ok(Source::Keys(safe_url(uri).map_err(|why| format!("`jwks_uri` {why}"))?)),
            None if any_tenant => Err(format!("`issuer` has {TENANT_PLACE}, so `jwks_uri` has to say where the keys are")),
            None => {
                // OpenID Connect Discovery 1.0 §4.1.
                let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
                Ok(Source::Discovery(safe_url(&url).map_err(|why| format!("`issuer` {why}; `jwks_uri` can say where the keys are"))?))
            }
        }
    }
}

/// A URL from which keys are taken: whoever can change them on the way issues tokens as they please,
/// so plain HTTP only goes within the machine.
pub(super) fn safe_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("must not have a user or a fragment".to_owned());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err("must be https:// (http:// only on this machine)".to_owned()),
    }
}

/// Whether a URL names this very machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}
