//! What a tenant configures leads to no place that is not open, and takes no secret there.

use crate::provider::{Auth, Planned, Provider, Setup, Trouble, school};
use crate::{connection, probe, surroundings, try_pull};
use egress::Egress;
use oneroster::{Credential, FaultCode, Mode, PullError, Secret, Surroundings, Switches, Version};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn fault(outcome: Result<crate::Pulled, PullError>) -> oneroster::Fault {
    match outcome {
        Err(PullError::Fault(fault)) => fault,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("the pull went well"),
    }
}

#[tokio::test]
async fn a_base_url_leads_to_public_addresses_only() {
    let provider = Provider::start(Setup::default(), school("1.1", 10)).await;
    let port = provider.address.rsplit(':').next().unwrap();
    for host in [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.0.0.1",
        "0177.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "0",
        "169.254.169.254",
        "10.0.0.1",
    ] {
        for scheme in ["http", "https"] {
            let mut connection = connection(&provider, Auth::OAuth2Basic, Version::V1p1, Switches::default());
            connection.base_url = format!("{scheme}://{host}:{port}/ims/oneroster/v1p1");
            let found = fault(try_pull(&connection, &surroundings(&[]), Mode::Full).await);
            assert_eq!((found.code, found.place.as_str()), (FaultCode::AddressNotAllowed, "baseUrl"), "{host}: {found}");
        }
    }
    assert!(provider.log().is_empty(), "{:?}", provider.log());
}

#[tokio::test]
async fn a_token_url_is_guarded_the_same_way() {
    let provider = Provider::start(Setup::default(), school("1.1", 10)).await;
    let inside = Provider::start(Setup::default(), school("1.1", 10)).await;
    let mut connection = connection(&provider, Auth::OAuth2Basic, Version::V1p1, Switches::default());
    connection.credential = Credential::OAuth2 {
        client_id: "a".to_owned(),
        client_secret: Secret::new("b"),
        token_url: format!("{}/token", inside.base),
        scope: None,
    };
    let found = fault(try_pull(&connection, &surroundings(&[&provider.address]), Mode::Full).await);
    assert_eq!((found.code, found.place.as_str()), (FaultCode::AddressNotAllowed, "credential.tokenUrl"), "{found}");
    assert!(inside.log().is_empty() && provider.log().is_empty());
}

/// A resolver whose answers are counted off, the last one for ever; with the operator's list.
fn resolving(allow: &[&str], answers: &'static [&'static str]) -> (Surroundings, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let egress = Egress::new(allow).unwrap().with_lookup(Arc::new(move |_| {
        let answer: IpAddr = answers[count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)].parse().unwrap();
        Box::pin(async move { Ok(vec![answer]) })
    }));
    (Surroundings { egress, ..surroundings(&[]) }, asked)
}

#[tokio::test]
async fn a_name_that_resolves_into_the_network_is_closed() {
    let provider = Provider::start(Setup::default(), school("1.1", 10)).await;
    let mut connection = connection(&provider, Auth::OAuth2Basic, Version::V1p1, Switches::default());
    connection.base_url = "https://sis.example/ims/oneroster/v1p1".to_owned();
    for address in ["10.1.2.3", "::1", "::ffff:192.168.0.1", "169.254.169.254", "fd00:ec2::254"] {
        let (around, _) = resolving(&[], Box::leak(Box::new([address])));
        let found = fault(try_pull(&connection, &around, Mode::Full).await);
        assert_eq!(found.code, FaultCode::AddressNotAllowed, "{address}");
        assert!(!found.to_string().contains(address), "{found}");
    }
}

/// DNS rebinding: public when it is judged, and this machine when the connection is made.
#[tokio::test]
async fn a_name_that_changes_its_address_reaches_nothing() {
    let provider = Provider::start(Setup::default(), school("1.1", 10)).await;
    let port = provider.address.rsplit(':').next().unwrap();
    let mut connection = connection(&provider, Auth::OAuth1(""), Version::V1p1, Switches::default());
    connection.base_url = format!("https://rebind.example:{port}/ims/oneroster/v1p1");
    let (around, asked) = resolving(&[], &["1.1.1.1", "127.0.0.1"]);
    let found = fault(try_pull(&connection, &around, Mode::Full).await);
    assert_eq!(found.code, FaultCode::AddressNotAllowed, "{found}");
    assert!(asked.load(Ordering::SeqCst) >= 2, "the address that is connected to was judged, too");
    assert!(provider.log().is_empty());
}

/// The operator's list opens a name, and the connection goes to where the judged answer says.
#[tokio::test]
async fn a_name_on_the_list_is_reached_where_it_resolves_to() {
    let provider = Provider::start(Setup { auth: Auth::OAuth1("HMAC-SHA256"), ..Setup::default() }, school("1.1", 10)).await;
    let port = provider.address.rsplit(':').next().unwrap();
    let mut connection = connection(&provider, Auth::OAuth1(""), Version::V1p1, Switches::default());
    connection.base_url = format!("http://localhost:{port}/ims/oneroster/v1p1");
    let around = surroundings(&[&format!("localhost:{port}")]);
    // The provider checks the signature over the host that it listens at, so it says no; but it was asked.
    let found = fault(try_pull(&connection, &around, Mode::Full).await);
    assert_eq!(found.code, FaultCode::AccessRefused, "{found}");
    assert_eq!(provider.log().len(), 2);
    // Another port of the same name is another matter.
    connection.base_url = "http://localhost:1/ims/oneroster/v1p1".to_owned();
    assert_eq!(fault(try_pull(&connection, &around, Mode::Full).await).code, FaultCode::AddressNotAllowed);
}

#[tokio::test]
async fn redirects_and_links_lead_nowhere() {
    let inside = Provider::start(Setup::default(), school("1.1", 10)).await;
    let trouble = Trouble::Redirect(format!("{}/ims/oneroster/v1p1/users", inside.base));
    let setup = Setup { troubles: vec![Planned { collection: "users", requests: 0..9, trouble }], ..Setup::default() };
    let provider = Provider::start(setup, school("1.1", 10)).await;
    let connection = connection(&provider, Auth::OAuth2Basic, Version::V1p1, Switches::default());
    let found = fault(try_pull(&connection, &surroundings(&[&provider.address]), Mode::Full).await);
    assert_eq!(found.code, FaultCode::Redirected, "{found}");
    assert!(inside.log().is_empty());
}

/// Without encryption, a token is anybody's.
#[tokio::test]
async fn plain_http_needs_the_list() {
    let provider = Provider::start(Setup::default(), school("1.1", 10)).await;
    let mut connection = connection(&provider, Auth::OAuth2Basic, Version::V1p1, Switches::default());
    connection.base_url = "http://1.1.1.1/ims/oneroster/v1p1".to_owned();
    let found = probe(&connection, &[]).await;
    assert_eq!(crate::codes(&found.errors), ["AddressNotAllowed"]);
    assert!(found.errors[0].to_string().contains("with encryption only"), "{}", found.errors[0]);
}

#[tokio::test]
async fn a_secret_is_in_no_error_and_no_debug_text() {
    let provider = Provider::start(Setup { auth: Auth::OAuth2Form, ..Setup::default() }, school("1.1", 10)).await;
    let mut connection = connection(&provider, Auth::OAuth2Basic, Version::V1p1, Switches::default());
    let secret = "hush-hush";
    connection.credential = Credential::OAuth2 {
        client_id: "wrong".to_owned(),
        client_secret: Secret::new(secret),
        token_url: format!("{}/token", provider.base),
        scope: None,
    };
    let found = probe(&connection, &[&provider.address]).await;
    assert_eq!(crate::codes(&found.errors), ["CredentialRefused"]);
    assert!(found.errors[0].to_string().contains("\"invalid_client: who are you?\""), "{}", found.errors[0]);
    assert!(!format!("{connection:?} {found:?} {}", found.errors[0]).contains(secret));
    // A password in a URL is one, too.
    connection.base_url = format!("https://me:{secret}@sis.example/");
    let found = probe(&connection, &[]).await;
    assert_eq!(crate::codes(&found.errors), ["AddressInvalid"]);
    assert!(!found.errors[0].to_string().contains(secret), "{}", found.errors[0]);
}
