//! Entries of the operator's list.

use crate::address;
use ipnet::IpNet;
use std::net::IpAddr;

/// What one entry opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// Every port of a network.
    Net(IpNet),
    /// An address, at one port or all.
    Address(IpAddr, Option<u16>),
    /// A name, lower case, at one port or all, whatever addresses it has.
    Name(String, Option<u16>),
}

impl Allowed {
    /// Reads an entry; the error names it.
    pub(crate) fn parse(entry: &str) -> Result<Self, String> {
        if let Ok(net) = entry.parse::<IpNet>() {
            return Ok(Self::Net(net.trunc()));
        }
        if let Ok(address) = entry.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok(Self::Address(address::effective(address), None));
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse::<u16>().map_err(|_| bad(entry))?)),
            None => (entry, None),
        };
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok(Self::Address(address::effective(address), port));
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_name = !host.is_empty()
            && host.split('.').all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'))
            // 10.1.2 or 300.1.1.1 is a slip of the pen and no name: top-level names are not numbers.
            && !host.rsplit('.').next().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
        if is_name { Ok(Self::Name(host, port)) } else { Err(bad(entry)) }
    }

    /// Whether it opens an address that a configured host has; the address is an effective one.
    pub(crate) fn covers(&self, host: &str, address: IpAddr, port: u16) -> bool {
        let at = |allowed: Option<u16>| allowed.is_none_or(|allowed| allowed == port);
        match self {
            Self::Net(net) => net.contains(&address),
            Self::Address(allowed, only) => *allowed == address && at(*only),
            Self::Name(name, only) => name.eq_ignore_ascii_case(host) && at(*only),
        }
    }
}

fn bad(entry: &str) -> String {
    format!("`{entry}` is not a network (10.1.2.0/24), an address or a name, the latter two perhaps with a port (sis.contoso.example:8443)")
}
