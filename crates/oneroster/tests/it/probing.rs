//! The test of a connection says what is wrong, all of it, and what to do.

use crate::provider::{Auth, Paging, Planned, Provider, Setup, Trouble, school};
use crate::{ALL, codes, connection, probe};
use oneroster::{Credential, FaultCode, Switches, Version};

#[tokio::test]
async fn a_good_connection_has_nothing_to_be_said_about() {
    for (version, name) in [(Version::V1p1, "1.1"), (Version::V1p2, "1.2")] {
        let provider = Provider::start(Setup::default(), school(name, 20)).await;
        let found = probe(&connection(&provider, Auth::OAuth2Basic, version, ALL), &[&provider.address]).await;
        assert_eq!((codes(&found.errors), codes(&found.warnings)), (vec![], vec![]));
        let checked: Vec<&str> = found.checked.iter().map(|c| c.name()).collect();
        assert_eq!(checked, ["academicSessions", "orgs", "users", "courses", "classes", "enrollments", "demographics"]);
        assert_eq!(found.organizations, ["D", "S1", "S2"]);
        assert_eq!(provider.log().iter().filter(|line| line.contains("limit=10&")).count(), 7, "{:?}", provider.log());
    }
}

#[tokio::test]
async fn warnings_leave_a_connection_usable() {
    let mut data = school("1.1", 10);
    data.remove("courses");
    let provider = Provider::start(Setup { paging: Paging::Link, ..Setup::default() }, data).await;
    let found = probe(&connection(&provider, Auth::OAuth2Basic, Version::V1p1, Switches::default()), &[&provider.address]).await;
    assert_eq!((codes(&found.errors), codes(&found.warnings)), (vec![], vec!["CollectionMissing", "TotalCountMissing"]));
    assert!(found.warnings[1].to_string().starts_with("academicSessions, orgs, users, classes, enrollments: "), "{}", found.warnings[1]);
}

#[tokio::test]
async fn each_collection_is_tested_although_another_one_fails() {
    let plan = |collection, trouble| Planned { collection, requests: 0..9, trouble };
    let troubles =
        vec![plan("orgs", Trouble::Status(404, None)), plan("classes", Trouble::Html), plan("demographics", Trouble::Status(403, None))];
    let mut data = school("1.1", 10);
    data.insert("users", Vec::new());
    let provider = Provider::start(Setup { troubles, ..Setup::default() }, data).await;
    let found = probe(&connection(&provider, Auth::OAuth2Basic, Version::V1p1, ALL), &[&provider.address]).await;
    assert_eq!(codes(&found.errors), ["NotFound", "CollectionEmpty", "AnswerNotJson", "AccessRefused"]);
    assert_eq!(found.errors.iter().map(|fault| fault.place.as_str()).collect::<Vec<_>>(), ["orgs", "users", "classes", "demographics"]);
}

#[tokio::test]
async fn what_all_would_say_is_said_once() {
    let provider = Provider::start(Setup::default(), school("1.1", 10)).await;
    let good = connection(&provider, Auth::OAuth2Basic, Version::V1p1, Switches::default());
    let gone = Provider::start(Setup::default(), school("1.1", 1)).await;
    let mut bad = good.clone();
    bad.base_url = format!("{}/ims/oneroster/v1p1", gone.base);
    let closed = gone.address.clone();
    drop(gone);
    // The listener goes with its task.
    while tokio::net::TcpStream::connect(&closed).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(codes(&probe(&bad, &[&closed, &provider.address]).await.errors), ["ConnectionFailed"]);
    bad.base_url = "https://no-such-host.invalid/ims/oneroster/v1p1".to_owned();
    assert_eq!(codes(&probe(&bad, &[&provider.address]).await.errors), ["HostNotFound"]);
    bad.base_url = "sis.example".to_owned();
    assert_eq!(codes(&probe(&bad, &[]).await.errors), ["AddressInvalid"]);
    // TLS is spoken, plain text answers.
    bad.base_url = format!("https://{}/ims/oneroster/v1p1", provider.address);
    let found = probe(&bad, &[&provider.address]).await;
    assert_eq!(codes(&found.errors), ["TlsFailed"], "{:?}", found.errors);
    let mut bad = good.clone();
    if let Credential::OAuth2 { token_url, .. } = &mut bad.credential {
        *token_url = format!("{}/ims/oneroster/v1p1/token", provider.base);
    }
    let found = probe(&bad, &[&provider.address]).await;
    assert_eq!((codes(&found.errors), found.errors[0].place.as_str()), (vec!["CredentialRefused"], "token endpoint"));
}

#[tokio::test]
async fn the_wrong_version_is_seen_by_path_and_by_people() {
    let provider = Provider::start(Setup::default(), school("1.2", 10)).await;
    let mut mixed = connection(&provider, Auth::OAuth2Basic, Version::V1p2, Switches::default());
    mixed.version = Version::V1p1;
    let found = probe(&mixed, &[&provider.address]).await;
    assert_eq!((codes(&found.errors), codes(&found.warnings)), (vec!["VersionMismatch"], vec!["VersionMismatch"]));
    assert!(found.warnings[0].to_string().contains("'v1p2'"), "{}", found.warnings[0]);
}

/// The page for users explains every code, and has no others.
#[test]
fn the_documentation_lists_every_code() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/oneroster-api.md");
    let text = std::fs::read_to_string(page).unwrap();
    for code in FaultCode::ALL {
        assert!(text.contains(&format!("| `{}` |", code.as_str())), "docs/oneroster-api.md does not explain {}", code.as_str());
    }
}
