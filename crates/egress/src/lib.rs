//! Where Homeroom may connect to when somebody else than the operator has said where.
//!
//! Tenants configure addresses: of a OneRoster API, of its token endpoint, of an SFTP server. Without
//! a guard, such an address could lead into the operator's own network ("server-side request
//! forgery"): to the metadata service of a cloud, to a database, to Homeroom itself. So a name is
//! resolved here, every address that it has is judged, and the caller connects **to the addresses
//! that it gets and to no others**: a name that resolves differently a moment later changes nothing.
//!
//! Public addresses are open. Everything else, and everything without encryption, is open only where
//! the operator's list names it.

mod address;
mod allow;

use allow::Allowed;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

/// What a [`Lookup`] gives.
pub type Found = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Finds the addresses of a name.
pub type Lookup = Arc<dyn Fn(String) -> Found + Send + Sync>;

/// Whether others on the way could read what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// TLS or SSH.
    Encrypted,
    /// Neither: only to what the operator's list names.
    Plain,
}

/// Why there is no way out. The text is for whoever has configured the address, and therefore does
/// not say what a name resolves to: that is nobody's business who cannot look it up himself.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The name has no address.
    #[error("the name '{host}' is not known")]
    Unknown {
        /// The name.
        host: String,
        /// What the resolver said.
        #[source]
        source: Option<io::Error>,
    },
    /// All of its addresses are closed.
    #[error(
        "'{host}' is {why}, and Homeroom connects to public addresses only; the operator can open this one with [outbound] allow in homeroom.toml"
    )]
    Closed {
        /// Name or address as it was configured.
        host: String,
        /// One of its addresses, for the log.
        address: IpAddr,
        /// What kind of address it is: "a private address".
        why: &'static str,
    },
    /// It is open, but not without encryption.
    #[error(
        "'{host}' may be reached with encryption only (https); the operator can open it without by naming it in [outbound] allow in homeroom.toml"
    )]
    Unencrypted {
        /// Name or address as it was configured.
        host: String,
    },
}

/// The guard; clones share its list.
#[derive(Clone)]
pub struct Egress {
    allowed: Arc<[Allowed]>,
    lookup: Lookup,
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

impl Egress {
    /// A guard with the operator's list, on the resolver of the system.
    ///
    /// An entry is a network (`10.1.2.0/24`, `fd00:1::/64`), an address (`10.1.2.3`, `::1`) or a name
    /// (`sis.contoso.example`), the latter two with a port or without: `127.0.0.1:9999`, `[::1]:22`.
    /// A name is open at whatever address it has.
    ///
    /// # Errors
    /// The text names the entry that is none of these.
    pub fn new<S: AsRef<str>>(allow: &[S]) -> Result<Self, String> {
        let allowed: Result<Vec<Allowed>, String> = allow.iter().map(|entry| Allowed::parse(entry.as_ref())).collect();
        Ok(Self { allowed: allowed?.into(), lookup: Arc::new(|host| Box::pin(system_lookup(host))) })
    }

    /// The same guard on another resolver.
    #[must_use]
    pub fn with_lookup(self, lookup: Lookup) -> Self {
        Self { lookup, ..self }
    }

    /// The addresses to which a connection to `host` (a name or an address, IPv6 with brackets or
    /// without) and `port` may be made now. Never empty.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn addresses(&self, host: &str, port: u16, channel: Channel) -> Result<Vec<SocketAddr>, Refused> {
        let name = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        let found = match name.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => {
                (self.lookup)(name.to_owned()).await.map_err(|source| Refused::Unknown { host: host.to_owned(), source: Some(source) })?
            }
        };
        let mut refused = Refused::Unknown { host: host.to_owned(), source: None };
        let mut open = Vec::new();
        for address in found {
            match self.judge(name, address, port, channel) {
                Ok(()) => open.push(SocketAddr::new(address, port)),
                Err(why) => refused = why,
            }
        }
        if open.is_empty() { Err(refused) } else { Ok(open) }
    }

    fn judge(&self, host: &str, address: IpAddr, port: u16, channel: Channel) -> Result<(), Refused> {
        if self.allowed.iter().any(|entry| entry.covers(host, address::effective(address), port)) {
            return Ok(());
        }
        match address::closed(address) {
            Some(why) => Err(Refused::Closed { host: host.to_owned(), address, why }),
            None if channel == Channel::Plain => Err(Refused::Unencrypted { host: host.to_owned() }),
            None => Ok(()),
        }
    }
}

async fn system_lookup(host: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
}

#[cfg(test)]
mod tests;
