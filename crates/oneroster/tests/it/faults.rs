//! Everything that can go wrong: what can be mended is, and everything else leaves nothing behind.
//! That no files are left, and no half of them, is checked by `try_pull` each time.

use crate::provider::{Auth, Paging, Planned, Provider, Setup, Trouble, school};
use crate::{connection, fault, limits, pull, surroundings, try_pull};
use oneroster::{FaultCode, Limits, Mode, PullError, Surroundings, Switches, Version};
use serde_json::json;
use std::ops::Range;
use std::time::Duration;

const ALWAYS: Range<usize> = 0..usize::MAX;

fn on(collection: &'static str, requests: Range<usize>, trouble: Trouble) -> Setup {
    Setup { troubles: vec![Planned { collection, requests, trouble }], ..Setup::default() }
}

/// A school of 20 with a trouble; 31 users that are asked for, on five pages.
async fn with(setup: Setup) -> Provider {
    Provider::start(setup, school("1.1", 20)).await
}

async fn mended(setup: Setup) -> Provider {
    let provider = with(setup).await;
    let pulled = pull(&provider, Auth::OAuth2Basic, Version::V1p1, Switches::default()).await;
    assert_eq!(pulled.rows("users.csv").len(), 22);
    assert_eq!(pulled.rows("enrollments.csv").len(), 22);
    provider
}

async fn fatal(setup: Setup) -> (FaultCode, String) {
    fault(&with(setup).await).await
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    mended(on("users", 1..3, Trouble::Drop)).await;
    mended(on("users", 0..2, Trouble::Status(503, None))).await;
    mended(on("users", 2..3, Trouble::Status(429, Some("0")))).await;
    mended(on("users", 2..4, Trouble::Status(500, None))).await;
    mended(on("enrollments", 0..1, Trouble::CutJson)).await;
    mended(on("orgs", 0..1, Trouble::Slow(Duration::from_millis(50)))).await;
}

#[tokio::test]
async fn what_does_not_pass_ends_the_pull() {
    for (trouble, code, says) in [
        (Trouble::Drop, FaultCode::ConnectionFailed, "users: the connection broke"),
        (Trouble::Status(503, None), FaultCode::ProviderBusy, "users: it answers 503 Service Unavailable: \"no luck today\""),
        (Trouble::Status(429, Some("3600")), FaultCode::ProviderBusy, "asks to wait 3600 s"),
        (Trouble::Status(500, None), FaultCode::ProviderFailed, "users: it answers 500"),
        (Trouble::Status(400, None), FaultCode::ProviderFailed, "users: it answers 400 Bad Request"),
        (Trouble::Status(404, None), FaultCode::NotFound, "/ims/oneroster/v1p1"),
        (Trouble::Status(403, None), FaultCode::AccessRefused, "users: it answers 403"),
        (Trouble::CutJson, FaultCode::AnswerInvalid, "EOF while parsing"),
        (Trouble::Html, FaultCode::AnswerNotJson, "'text/html; charset=utf-8' in place of JSON"),
        (Trouble::Other("{\"user\":[]}"), FaultCode::AnswerInvalid, "no array 'users'"),
        (Trouble::Other("{\"users\":{}}"), FaultCode::AnswerInvalid, "an array of objects"),
        (Trouble::Other("{\"users\":[7]}"), FaultCode::AnswerInvalid, "line 1 column"),
        (Trouble::Other("{\"users\":[]} and more"), FaultCode::AnswerInvalid, "trailing"),
        (Trouble::Other(""), FaultCode::AnswerInvalid, "EOF"),
        (Trouble::Redirect("https://login.example/".to_owned()), FaultCode::Redirected, "leads to 'https://login.example/'"),
    ] {
        let (found, text) = fatal(on("users", ALWAYS, trouble.clone())).await;
        assert_eq!(found, code, "{trouble:?}: {text}");
        assert!(text.contains(says), "{trouble:?}: {text}");
    }
}

/// In the middle, when some pages have come: the same.
#[tokio::test]
async fn a_page_that_fails_in_the_middle_fails_the_pull() {
    for trouble in [Trouble::Drop, Trouble::CutJson, Trouble::Html, Trouble::Status(500, None), Trouble::Other("{}")] {
        for paging in [Paging::Total, Paging::Link, Paging::Neither] {
            fatal(Setup { paging, ..on("users", 3..usize::MAX, trouble.clone()) }).await;
        }
    }
}

#[tokio::test]
async fn pages_that_moved_under_way_are_read_once_more() {
    for paging in [Paging::Total, Paging::Link, Paging::Neither, Paging::Cursor] {
        for trouble in [Trouble::Shifted, Trouble::Repeated] {
            // The fourth request is the fourth page; the second walk begins later and sees good ones.
            let provider = mended(Setup { paging, ..on("users", 3..4, trouble) }).await;
            assert!(provider.log().iter().filter(|line| line.contains("/users?offset=0&")).count() == 2, "{paging:?}");
        }
    }
    mended(on("users", 2..3, Trouble::TotalLater(1))).await;
    mended(on("users", 2..3, Trouble::Short)).await;
}

#[tokio::test]
async fn pages_that_stay_wrong_are_never_taken_for_the_whole() {
    for paging in [Paging::Total, Paging::Link, Paging::Neither, Paging::Cursor] {
        for trouble in [Trouble::Shifted, Trouble::Repeated] {
            let (code, text) = fatal(Setup { paging, ..on("users", ALWAYS, trouble.clone()) }).await;
            assert_eq!(code, FaultCode::PagesInconsistent, "{paging:?} {trouble:?}: {text}");
            assert!(text.contains("comes again"), "{text}");
        }
    }
    let (code, text) = fatal(on("users", ALWAYS, Trouble::Short)).await;
    assert_eq!(code, FaultCode::AnswerIncomplete, "{text}");
    // It announces more than there is.
    let (code, text) = fatal(on("users", ALWAYS, Trouble::Total(5))).await;
    assert_eq!(code, FaultCode::AnswerIncomplete, "{text}");
    // Less than there is: the first page alone is too much, or a later one.
    let (code, text) = fatal(on("users", ALWAYS, Trouble::Total(-38))).await;
    assert_eq!(code, FaultCode::PagesInconsistent, "{text}");
    let (code, text) = fatal(on("orgs", ALWAYS, Trouble::Total(1))).await;
    assert_eq!(code, FaultCode::AnswerIncomplete, "{text}");
    // And a lie in the middle only.
    let (code, text) = fatal(on("users", ALWAYS, Trouble::TotalLater(1))).await;
    assert_eq!(code, FaultCode::PagesInconsistent, "{text}");
    assert!(text.contains("the total was 42 at first and is 43"), "{text}");
}

/// By cursor, the pages are counted, and the total is held against them in the end.
#[tokio::test]
async fn a_last_page_that_is_short_is_noticed_where_there_is_a_total() {
    for paging in [Paging::Total, Paging::Cursor] {
        let (code, text) = fatal(Setup { paging, ..on("users", ALWAYS, Trouble::Short) }).await;
        assert_eq!(code, FaultCode::AnswerIncomplete, "{paging:?}: {text}");
    }
}

#[tokio::test]
async fn a_token_that_ends_in_the_middle_is_renewed() {
    let provider = mended(on("users", 2..3, Trouble::Expired)).await;
    assert_eq!(provider.tokens(), 2);
    // One that ends before it begins is asked for each time, and does not run in circles.
    let provider = Provider::start(Setup { token_life: json!("0"), ..Setup::default() }, school("1.1", 10)).await;
    pull(&provider, Auth::OAuth2Basic, Version::V1p1, Switches::default()).await;
    assert_eq!(provider.tokens(), provider.log().iter().filter(|line| line.starts_with("/ims")).count());
}

#[tokio::test]
async fn a_credential_that_is_refused_is_not_tried_for_ever() {
    // Every request ends the token, also the second try.
    let provider = with(on("academicSessions", ALWAYS, Trouble::Expired)).await;
    assert_eq!(fault(&provider).await.0, FaultCode::AccessRefused);
    assert_eq!(provider.tokens(), 1, "a token that was made for the request is not made again");
    let provider = with(Setup { auth: Auth::OAuth1("RSA-SHA1"), ..Setup::default() }).await;
    let connection = connection(&provider, Auth::OAuth1(""), Version::V1p1, Switches::default());
    let outcome = try_pull(&connection, &surroundings(&[&provider.address]), Mode::Full).await;
    assert!(matches!(outcome, Err(PullError::Fault(fault)) if fault.code == FaultCode::AccessRefused));
    assert_eq!(provider.log().len(), 2, "HMAC-SHA256, HMAC-SHA1, and then no more");
}

#[tokio::test]
async fn limits_hold() {
    let with_limits = |provider: &Provider, limits: Limits| Surroundings { limits, ..surroundings(&[&provider.address]) };
    let fault = |provider: &Provider, limits: Limits| {
        let (connection, around) =
            (connection(provider, Auth::OAuth2Basic, Version::V1p1, Switches::default()), with_limits(provider, limits));
        async move {
            match try_pull(&connection, &around, Mode::Full).await {
                Err(PullError::Fault(fault)) => fault,
                _ => panic!("the pull went well"),
            }
        }
    };
    let provider = with(on("academicSessions", ALWAYS, Trouble::Huge(3 << 20))).await;
    let found = fault(&provider, Limits { page_bytes: 2 << 20, ..limits() }).await;
    assert_eq!(found.code, FaultCode::AnswerTooLarge);
    assert!(found.to_string().contains("longer than 2 MiB"), "{found}");
    // Compressed it is small; what counts is what it becomes.
    let provider = with(Setup { gzip: true, ..on("academicSessions", ALWAYS, Trouble::Huge(3 << 20)) }).await;
    assert_eq!(fault(&provider, Limits { page_bytes: 2 << 20, ..limits() }).await.code, FaultCode::AnswerTooLarge);
    for paging in [Paging::Total, Paging::Link, Paging::Neither] {
        let provider = with(Setup { paging, ..Setup::default() }).await;
        assert_eq!(fault(&provider, Limits { pages: 3, ..limits() }).await.code, FaultCode::TooManyPages, "{paging:?}");
    }
    let provider = with(on("orgs", ALWAYS, Trouble::Slow(Duration::from_secs(60)))).await;
    let found = fault(&provider, Limits { stall: Duration::from_millis(100), ..limits() }).await;
    assert_eq!((found.code, found.place.as_str()), (FaultCode::TimedOut, "orgs"));
}

#[tokio::test]
async fn a_provider_without_orgs_or_people_is_no_source() {
    for collection in ["orgs", "users"] {
        let mut data = school("1.1", 10);
        data.insert(collection, Vec::new());
        let (code, text) = fault(&Provider::start(Setup::default(), data).await).await;
        assert_eq!(code, FaultCode::CollectionEmpty);
        assert!(text.starts_with(&format!("{collection}: ")), "{text}");
    }
}

#[tokio::test]
async fn a_connector_of_the_other_version_is_told_so() {
    let provider = Provider::start(Setup::default(), school("1.2", 10)).await;
    let (code, text) = fault(&provider).await;
    assert_eq!(code, FaultCode::VersionMismatch);
    assert!(text.contains("'roles', as in OneRoster 1.2"), "{text}");
}

/// A pull that was killed leaves a folder; the next one clears it.
#[tokio::test]
async fn what_an_interrupted_pull_left_is_cleared() {
    let provider = with(Setup::default()).await;
    let dir = tempfile::tempdir().unwrap();
    let part = dir.path().join("package.old.part");
    std::fs::create_dir_all(&part).unwrap();
    std::fs::write(part.join("rubbish.csv"), "x").unwrap();
    let connection = connection(&provider, Auth::OAuth2Basic, Version::V1p1, Switches::default());
    let mut seen = Vec::new();
    let into = dir.path().join("package");
    let report =
        oneroster::pull(&connection, &surroundings(&[&provider.address]), Mode::Full, &into, &mut |progress| seen.push(progress)).await;
    assert_eq!(report.unwrap().files.len(), 6);
    assert!(!into.join("rubbish.csv").exists() && !part.exists());
    let last = seen.last().unwrap();
    assert_eq!((last.collection.name(), last.records, last.total), ("enrollments", 22, Some(22)));
}

/// A future that is dropped stops, and nothing appears.
#[tokio::test]
async fn a_pull_that_is_dropped_leaves_no_package() {
    let provider = with(on("users", ALWAYS, Trouble::Slow(Duration::from_secs(60)))).await;
    let dir = tempfile::tempdir().unwrap();
    let into = dir.path().join("package");
    let (connection, around) =
        (connection(&provider, Auth::OAuth2Basic, Version::V1p1, Switches::default()), surroundings(&[&provider.address]));
    let (started, orgs_came) = tokio::sync::oneshot::channel();
    let mut started = Some(started);
    let mut progress = |progress: oneroster::Progress| {
        if progress.collection.name() == "orgs"
            && let Some(started) = started.take()
        {
            started.send(()).unwrap();
        }
    };
    tokio::select! {
        _ = oneroster::pull(&connection, &around, Mode::Full, &into, &mut progress) => panic!("it ended"),
        _ = orgs_came => {}
    }
    assert!(!into.exists());
}
