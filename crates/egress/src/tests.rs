use super::*;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

fn guard(allow: &[&str]) -> Egress {
    Egress::new(allow).unwrap().with_lookup(Arc::new(|host| Box::pin(async move { panic!("{host} is no name to look up") })))
}

/// A guard whose names have the addresses of `answers`, one set a lookup, the last one for ever.
fn named(allow: &[&str], answers: &'static [&'static [&'static str]]) -> Egress {
    let asked = Arc::new(AtomicUsize::new(0));
    Egress::new(allow).unwrap().with_lookup(Arc::new(move |_| {
        let answer = answers[asked.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)];
        Box::pin(async move { Ok(answer.iter().map(|a| a.parse().unwrap()).collect()) })
    }))
}

async fn ask(guard: &Egress, host: &str) -> Result<Vec<SocketAddr>, Refused> {
    guard.addresses(host, 443, Channel::Encrypted).await
}

#[tokio::test]
async fn addresses_that_are_not_public_are_closed() {
    let guard = guard(&[]);
    for host in [
        "127.0.0.1",
        "127.8.9.1",
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "192.0.0.192",
        "192.0.2.1",
        "198.18.0.1",
        "198.51.100.7",
        "203.0.113.7",
        "192.88.99.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
        "[::1]",
        "::",
        "[::ffff:127.0.0.1]",
        "::ffff:10.1.2.3",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "::127.0.0.1",
        "fe80::1",
        "fd00:ec2::254",
        "fc00::1",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
        "2002:7f00:1::",
        "3fff::1",
        "64:ff9b:1::1",
        "4000::1",
        "fec0::1",
    ] {
        let refused = ask(&guard, host).await.expect_err(host);
        assert!(matches!(refused, Refused::Closed { .. }), "{host}: {refused}");
    }
    for host in
        ["1.1.1.1", "172.32.0.1", "100.128.0.1", "198.20.0.1", "223.255.255.255", "2606:4700::1111", "[2a00:1450::1]", "64:ff9b::101:101"]
    {
        assert_eq!(ask(&guard, host).await.expect(host).len(), 1);
    }
}

#[tokio::test]
async fn a_name_is_what_it_resolves_to() {
    let refused = ask(&named(&[], &[&["192.168.1.5"]]), "sis.contoso.example").await.unwrap_err();
    let text = refused.to_string();
    assert!(text.contains("'sis.contoso.example' is a private address") && text.contains("[outbound] allow"), "{text}");
    assert!(!text.contains("192.168"), "who cannot resolve the name must not learn it here: {text}");
    // Of several addresses only the open ones are used.
    let mixed = ask(&named(&[], &[&["10.0.0.1", "1.1.1.1", "::ffff:127.0.0.1"]]), "mixed.example").await.unwrap();
    assert_eq!(mixed, ["1.1.1.1:443".parse().unwrap()]);
    assert!(matches!(ask(&named(&[], &[&[]]), "nothing.example").await, Err(Refused::Unknown { .. })));
}

/// The judged answer is the one that is connected to; a second lookup is judged anew.
#[tokio::test]
async fn a_name_that_changes_its_address_gains_nothing() {
    let guard = named(&[], &[&["1.1.1.1"], &["127.0.0.1"]]);
    assert_eq!(ask(&guard, "rebind.example").await.unwrap(), ["1.1.1.1:443".parse().unwrap()]);
    assert!(matches!(ask(&guard, "rebind.example").await, Err(Refused::Closed { .. })));
}

/// What the system's resolver makes of decimal, octal and hexadecimal spellings is judged like any other address.
#[tokio::test]
async fn odd_spellings_of_an_address_are_no_way_around() {
    let guard = Egress::new::<&str>(&[]).unwrap();
    for host in ["2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "localhost", "localhost."] {
        let refused = ask(&guard, host).await.expect_err(host);
        assert!(matches!(refused, Refused::Closed { .. } | Refused::Unknown { .. }), "{host}: {refused}");
    }
}

#[tokio::test]
async fn the_list_opens_what_it_names_and_no_more() {
    let open =
        |guard: Egress, host: &'static str, port: u16, channel: Channel| async move { guard.addresses(host, port, channel).await.is_ok() };
    let by_net = guard(&["10.1.2.0/24", "fd00:1::/64"]);
    assert!(open(by_net.clone(), "10.1.2.99", 80, Channel::Plain).await);
    assert!(open(by_net.clone(), "::ffff:10.1.2.99", 22, Channel::Encrypted).await);
    assert!(open(by_net.clone(), "fd00:1::5", 443, Channel::Encrypted).await);
    assert!(!open(by_net.clone(), "10.1.3.1", 443, Channel::Encrypted).await);
    assert!(!open(by_net, "fd00:2::5", 443, Channel::Encrypted).await);
    let by_port = guard(&["127.0.0.1:9999", "[::1]:9999"]);
    assert!(open(by_port.clone(), "127.0.0.1", 9999, Channel::Plain).await);
    assert!(open(by_port.clone(), "[::1]", 9999, Channel::Plain).await);
    assert!(!open(by_port.clone(), "127.0.0.1", 9998, Channel::Plain).await);
    assert!(!open(by_port, "127.0.0.2", 9999, Channel::Plain).await);
    let by_name = || named(&["SIS.contoso.example"], &[&["10.0.0.1"]]);
    assert!(open(by_name(), "sis.contoso.example.", 80, Channel::Plain).await);
    assert!(!open(by_name(), "other.contoso.example", 443, Channel::Encrypted).await);
    assert!(!open(by_name(), "evil-sis.contoso.example", 443, Channel::Encrypted).await);
}

#[tokio::test]
async fn without_encryption_only_what_the_list_names() {
    let refused = guard(&[]).addresses("1.1.1.1", 80, Channel::Plain).await.unwrap_err();
    assert!(matches!(refused, Refused::Unencrypted { .. }) && refused.to_string().contains("https"), "{refused}");
    assert!(guard(&["1.1.1.1"]).addresses("1.1.1.1", 80, Channel::Plain).await.is_ok());
}

#[test]
fn an_entry_that_means_nothing_is_refused_by_name() {
    for entry in [
        "",
        "10.1.2",
        "300.1.1.1",
        "10.1.2.0/33",
        "host:port",
        "host:70000",
        "https://sis.example",
        "a b",
        "*.example",
        "a..b",
        ":22",
        "1.2.3.4:",
    ] {
        let error = Egress::new(&[entry]).map(|_| ()).expect_err(entry);
        assert!(error.contains(&format!("`{entry}`")), "{error}");
    }
    assert!(Egress::new(&["10.1.2.0/24", "::1", "[::1]", "[::1]:22", "localhost", "sis_1.example:8443"]).is_ok());
}

proptest! {
    /// An IPv4 address is judged the same however it is wrapped.
    #[test]
    fn wrapping_changes_nothing(bits: u32) {
        let v4 = std::net::Ipv4Addr::from(bits);
        let [a, b, c, d] = v4.octets().map(u16::from);
        let nat64 = std::net::Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a << 8 | b, c << 8 | d);
        let plain = address::closed(IpAddr::V4(v4));
        prop_assert_eq!(plain, address::closed(IpAddr::V6(v4.to_ipv6_mapped())));
        prop_assert_eq!(plain, address::closed(IpAddr::V6(nat64)));
        // The standard library knows some of them too.
        if v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified() {
            prop_assert!(plain.is_some());
        }
    }
}
