//! Which addresses are no public ones: the special-purpose registries of IANA (RFC 6890 and what
//! has been added since), and what is reachable through an address that holds another one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Azure's virtual host, which answers any machine inside Azure: public by number only.
const AZURE_HOST: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// The address that a packet ends at: an IPv4 address wrapped into IPv6 is that IPv4 address.
pub(crate) fn effective(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => embedded(v6).map_or(address, IpAddr::V4),
    }
}

/// IPv4-mapped (RFC 4291 §2.5.5.2) and NAT64 (RFC 6052 §2.1): the wrappings that systems undo.
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d] = [v6.octets()[12], v6.octets()[13], v6.octets()[14], v6.octets()[15]];
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(Ipv4Addr::new(a, b, c, d)),
        _ => None,
    }
}

/// What kind of address it is, when it is not a public one.
pub(crate) fn closed(address: IpAddr) -> Option<&'static str> {
    match effective(address) {
        IpAddr::V4(v4) => closed_v4(v4),
        IpAddr::V6(v6) => closed_v6(v6),
    }
}

fn closed_v4(v4: Ipv4Addr) -> Option<&'static str> {
    let what = match v4.octets() {
        [0, ..] => "an address of this machine",
        [127, ..] => "a loopback address",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "a private address",
        [100, 64..=127, ..] => "an address of a provider's own network",
        // Metadata services of clouds among them.
        [169, 254, ..] => "a link-local address",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "an address for documentation",
        [224..=239, ..] => "a multicast address",
        [192, 0, 0, _] | [192, 88, 99, _] | [198, 18..=19, ..] | [240..=255, ..] => "a reserved address",
        _ if v4 == AZURE_HOST => "the virtual host of a cloud",
        _ => return None,
    };
    Some(what)
}

fn closed_v6(v6: Ipv6Addr) -> Option<&'static str> {
    let what = match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "an address of this machine",
        [0, 0, 0, 0, 0, 0, 0, 1] => "a loopback address",
        [0xfc00..=0xfdff, ..] => "a private address",
        [0xfe80..=0xfebf, ..] => "a link-local address",
        [0xff00..=0xffff, ..] => "a multicast address",
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => "an address for documentation",
        // Teredo, benchmarks and other protocols' own; 6to4, which wraps any IPv4 address.
        [0x2001, 0..=0x01ff, ..] | [0x2002, ..] => "a reserved address",
        // What is global unicast today (RFC 4291 §2.4, IANA).
        [0x2000..=0x3fff, ..] => return None,
        _ => "a reserved address",
    };
    Some(what)
}
