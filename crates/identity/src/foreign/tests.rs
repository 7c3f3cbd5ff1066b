use super::*;
use crate::testing::{Signer, now, world};
use crate::verify;
use serde_json::json;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use uuid::Uuid;

const ISSUER: &str = "https://id.example/realms/school";
const TENANT: &str = "00000000-0000-0000-0000-000000000007";

/// What the provider does when it is asked.
#[derive(Clone)]
enum Mode {
    Answers(Vec<u8>),
    IsDown,
    Hangs,
}

/// An issuer without a network.
struct Provider {
    mode: Mutex<Mode>,
    asked: AtomicUsize,
}

impl Provider {
    fn with(keys: &[Value]) -> Arc<Self> {
        Arc::new(Self { mode: Mutex::new(Self::set(keys)), asked: AtomicUsize::new(0) })
    }

    fn set(keys: &[Value]) -> Mode {
        Mode::Answers(json!({ "keys": keys }).to_string().into_bytes())
    }

    fn now_it(&self, mode: Mode) {
        *self.mode.lock().unwrap() = mode;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn fetch(self: &Arc<Self>) -> Fetch {
        let this = Arc::clone(self);
        Arc::new(move |_| {
            this.asked.fetch_add(1, Ordering::SeqCst);
            let mode = this.mode.lock().unwrap().clone();
            Box::pin(async move {
                match mode {
                    Mode::Answers(document) => Ok(document),
                    Mode::IsDown => Err("connection refused".to_owned()),
                    Mode::Hangs => std::future::pending().await,
                }
            })
        })
    }
}

fn settings() -> IssuerSettings {
    IssuerSettings {
        issuer: ISSUER.to_owned(),
        audiences: vec!["api://homeroom".to_owned(), "homeroom".to_owned()],
        jwks_uri: Some("https://id.example/keys".to_owned()),
        fetch_timeout_seconds: 1,
        ..IssuerSettings::default()
    }
}

fn issuers(settings: IssuerSettings, provider: &Arc<Provider>) -> TrustedIssuers {
    TrustedIssuers::new(&[settings], &provider.fetch()).unwrap()
}

fn at_second() -> i64 {
    now().as_second()
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": "api://homeroom", "tid": TENANT, "azp": "app", "sub": "subject", "oid": "person",
            "exp": at_second() + 600, "nbf": at_second() - 10, "roles": ["User.Read.All"] })
}

fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut claims = claims();
    change(&mut claims);
    claims
}

async fn check(issuers: &TrustedIssuers, token: &str) -> Result<Accepted, Denied> {
    issuers.check(token, at_second()).await.expect("a token of this issuer")
}

#[tokio::test]
async fn application_and_delegated_tokens() {
    let signer = Signer::any();
    let provider = Provider::with(&[signer.jwk("k")]);
    let issuers = issuers(settings(), &provider);
    let accepted = |claims: Value| {
        let token = signer.sign(Algorithm::RS256, Some("k"), &claims);
        let issuers = issuers.clone();
        async move { check(&issuers, &token).await.unwrap() }
    };
    let user = |user: &str| Actor::User { client: "app".to_owned(), user: user.to_owned() };
    let app = accepted(claims()).await;
    assert_eq!((app.actor, app.tenant.as_str()), (Actor::Client("app".to_owned()), TENANT));
    assert_eq!(app.permissions, ["User.Read.All"]);
    // What a person may does not come from the roles of the person, but from what was delegated.
    let delegated = accepted(changed(|c| c["scp"] = "User.Read.All Group.Read.All".into())).await;
    assert_eq!((delegated.actor, delegated.permissions.len()), (user("person"), 2));
    let list = accepted(changed(|c| c["scp"] = json!(["Group.Read.All"]))).await;
    assert_eq!((list.actor, list.permissions), (user("person"), vec!["Group.Read.All".to_owned()]));
    let by_sub = changed(|c| {
        c["scp"] = "Group.Read.All".into();
        c.as_object_mut().unwrap().remove("oid");
    });
    assert_eq!(accepted(by_sub).await.actor, user("subject"));
    // Nothing granted is nothing allowed.
    let bare = accepted(changed(|c| {
        c.as_object_mut().unwrap().remove("roles");
    }));
    assert_eq!(bare.await.permissions, Vec::<String>::new());
    // An audience among others, an application by the name of Entra's v1 tokens or of RFC 9068.
    accepted(changed(|c| c["aud"] = json!(["account", "homeroom"]))).await;
    for name in ["appid", "client_id"] {
        let renamed = changed(|c| {
            c.as_object_mut().unwrap().remove("azp");
            c[name] = "other".into();
        });
        assert_eq!(accepted(renamed).await.actor, Actor::Client("other".to_owned()));
    }
    accepted(changed(|c| (c["exp"], c["nbf"]) = (json!(at_second() as f64 + 1.5), json!(at_second() as f64 - 0.5)))).await;
    assert_eq!(provider.asked(), 1, "the keys are fetched once");
}

#[tokio::test]
async fn claims_have_the_names_of_the_settings() {
    let signer = Signer::any();
    let provider = Provider::with(&[signer.jwk("k")]);
    let keycloak = IssuerSettings {
        tenant_claim: "https://contoso.example/school".to_owned(),
        permissions_claim: "resource_access.homeroom.roles".to_owned(),
        delegated_claim: "scope".to_owned(),
        ..settings()
    };
    let token = |claims: Value| signer.sign(Algorithm::RS256, Some("k"), &claims);
    let claims = changed(|c| {
        c["https://contoso.example/school"] = "contoso.example".into();
        c["resource_access"] = json!({ "homeroom": { "roles": ["Group.Read.All"] } });
        c["typ"] = "Bearer".into();
    });
    let accepted = check(&issuers(keycloak.clone(), &provider), &token(claims.clone())).await.unwrap();
    assert_eq!((accepted.tenant.as_str(), accepted.permissions), ("contoso.example", vec!["Group.Read.All".to_owned()]));
    let fixed = IssuerSettings { tenant: Some("fabrikam.example".to_owned()), ..settings() };
    let fixed = check(&issuers(fixed, &provider), &token(self::claims())).await.unwrap();
    assert_eq!(fixed.tenant, "fabrikam.example", "a fixed tenant wins over any claim");
    for typ in ["ID", "Refresh", "Logout"] {
        let mut other = claims.clone();
        other["typ"] = typ.into();
        assert!(check(&issuers(keycloak.clone(), &provider), &token(other)).await.is_err(), "{typ}");
    }
}

#[tokio::test]
async fn each_algorithm_that_is_allowed() {
    let (rsa, ec) = (Signer::any(), Signer::ec());
    let provider = Provider::with(&[rsa.jwk("rsa"), ec.jwk("ec")]);
    let issuers = issuers(settings(), &provider);
    for algorithm in [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        check(&issuers, &rsa.sign(algorithm, Some("rsa"), &claims())).await.unwrap();
    }
    check(&issuers, &ec.sign(Algorithm::ES256, Some("ec"), &claims())).await.unwrap();
    assert!(check(&issuers, &rsa.sign(Algorithm::PS512, Some("rsa"), &claims())).await.is_err());
    assert!(check(&issuers, &rsa.sign(Algorithm::RS256, Some("ec"), &claims())).await.is_err());
    // A key that says its algorithm is for no other.
    let mut pinned = rsa.jwk("rsa");
    pinned["alg"] = "RS512".into();
    provider.now_it(Provider::set(&[pinned]));
    let issuers = self::issuers(settings(), &provider);
    check(&issuers, &rsa.sign(Algorithm::RS512, Some("rsa"), &claims())).await.unwrap();
    assert!(check(&issuers, &rsa.sign(Algorithm::RS256, Some("rsa"), &claims())).await.is_err());
    // With one key there is no doubt which.
    check(&issuers, &rsa.sign(Algorithm::RS512, None, &claims())).await.unwrap();
}

#[tokio::test]
async fn tokens_that_are_not_taken() {
    let (signer, stranger) = (Signer::any(), Signer::ec());
    let provider = Provider::with(&[signer.jwk("k"), Signer::ec().jwk("second")]);
    let issuers = issuers(settings(), &provider);
    let b64 = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let body = b64(&claims().to_string());
    let sign = |claims: &Value| signer.sign(Algorithm::RS256, Some("k"), claims);
    let modulus = signer.jwk("k")["n"].as_str().unwrap().to_owned();
    let symmetric = |secret: &[u8]| {
        let mut header = jsonwebtoken::Header::new(Algorithm::HS256);
        header.kid = Some("k".to_owned());
        jsonwebtoken::encode(&header, &claims(), &jsonwebtoken::EncodingKey::from_secret(secret)).unwrap()
    };
    let remove = |name: &'static str| {
        changed(|c| {
            c.as_object_mut().unwrap().remove(name);
        })
    };
    let good = sign(&claims());
    let signature = good.rsplit('.').next().unwrap();
    let second = at_second();
    let cases: Vec<(&str, String)> = vec![
        ("alg none", format!("{}.{body}.", b64(r#"{"alg":"none","kid":"k"}"#))),
        ("alg none with a signature", format!("{}.{body}.{signature}", b64(r#"{"alg":"none","kid":"k"}"#))),
        ("HS256 with the public key", symmetric(signer.public_pem.as_bytes())),
        ("HS256 with the modulus", symmetric(modulus.as_bytes())),
        ("HS256 with the bytes of the modulus", symmetric(&URL_SAFE_NO_PAD.decode(&modulus).unwrap())),
        ("unknown extension", format!("{}.{body}.{signature}", b64(r#"{"alg":"RS256","kid":"k","crit":["b64"],"b64":false}"#))),
        ("another algorithm in the header", format!("{}.{body}.{signature}", b64(r#"{"alg":"RS512","kid":"k"}"#))),
        ("another's key", stranger.sign(Algorithm::ES256, Some("second"), &claims())),
        ("unknown key", signer.sign(Algorithm::RS256, Some("nobody"), &claims())),
        ("no key id among two keys", signer.sign(Algorithm::RS256, None, &claims())),
        ("changed claims", format!("{}.{}.{signature}", good.split('.').next().unwrap(), b64(&remove("nbf").to_string()))),
        ("wrong audience", sign(&changed(|c| c["aud"] = "https://graph.microsoft.com".into()))),
        ("part of an audience", sign(&changed(|c| c["aud"] = "api://homeroom/".into()))),
        ("no audience", sign(&remove("aud"))),
        ("expired", sign(&changed(|c| c["exp"] = (second - 60).into()))),
        ("no end", sign(&remove("exp"))),
        ("an end in words", sign(&changed(|c| c["exp"] = "never".into()))),
        ("not yet valid", sign(&changed(|c| c["nbf"] = (second + 61).into()))),
        ("an end beyond all numbers", sign(&changed(|c| c["exp"] = json!(1e300)))),
        ("a start in words", sign(&changed(|c| c["nbf"] = "now".into()))),
        ("no tenant", sign(&remove("tid"))),
        ("a tenant that is no text", sign(&changed(|c| c["tid"] = 7.into()))),
        ("no application", sign(&remove("azp"))),
        ("an endless application", sign(&changed(|c| c["azp"] = "a".repeat(300).into()))),
        ("an application with NUL", sign(&changed(|c| c["azp"] = "a\0".into()))),
        ("a person without a name", {
            sign(&changed(|c| {
                c["scp"] = "User.Read.All".into();
                c["oid"] = "".into();
                c.as_object_mut().unwrap().remove("sub");
            }))
        }),
        ("two parts", format!("{}.{body}", b64(r#"{"alg":"RS256","kid":"k"}"#))),
        ("four parts", format!("{good}.{signature}")),
    ];
    for (what, token) in cases {
        assert!(check(&issuers, &token).await.is_err(), "{what}");
    }
    check(&issuers, &good).await.unwrap();
    // Not of this issuer at all: left to Homeroom's own keys.
    for other in [changed(|c| c["iss"] = "https://id.example/realms/other".into()), remove("iss"), changed(|c| c["iss"] = json!([ISSUER]))]
    {
        assert!(issuers.check(&sign(&other), second).await.is_none(), "{other}");
    }
    assert!(issuers.check("nonsense", second).await.is_none());
}

#[tokio::test]
async fn an_issuer_of_many_tenants_vouches_for_each_by_name() {
    let signer = Signer::any();
    let entra = IssuerSettings { issuer: "https://login.example/{tenantid}/v2.0".to_owned(), ..settings() };
    let mut restricted = signer.jwk("restricted");
    restricted["issuer"] = "https://login.example/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0".into();
    let mut any = signer.jwk("any");
    any["issuer"] = "https://login.example/{tenantid}/v2.0".into();
    let provider = Provider::with(&[restricted, any]);
    let issuers = issuers(entra, &provider);
    let token = |kid: &str, iss: &str| {
        let claims = changed(|c| c["iss"] = iss.into());
        signer.sign(Algorithm::RS256, Some(kid), &claims)
    };
    let own = format!("https://login.example/{TENANT}/v2.0");
    check(&issuers, &token("any", &own)).await.unwrap();
    assert!(check(&issuers, &token("restricted", &own)).await.is_err(), "a key for other tenants");
    assert!(check(&issuers, &token("any", "https://login.example/00000000-0000-0000-0000-000000000008/v2.0")).await.is_err());
    assert!(issuers.check(&token("any", "https://evil.example/v2.0"), at_second()).await.is_none());
}

#[tokio::test]
async fn a_tenant_that_there_is_not_is_refused_without_saying_so() {
    let w = world().await;
    let signer = Signer::any();
    let issuers = issuers(settings(), &Provider::with(&[signer.jwk("k")]));
    let ask = |claims: Value| {
        let header = format!("Bearer {}", signer.sign(Algorithm::RS256, Some("k"), &claims));
        let (store, keys, issuers) = (w.store.clone(), w.keys.clone(), issuers.clone());
        async move { verify(&store, &keys, &issuers, Some(&header), Uuid::from_u128(2), now()).await.unwrap() }
    };
    let ctx = ask(claims()).await.unwrap();
    assert_eq!((ctx.tenant, &ctx.actor), (w.ctx.tenant, &Actor::Client("app".to_owned())));
    assert!(ctx.grants.require(&["User.Read.All"]).is_ok() && ctx.grants.require(&["Group.Read.All"]).is_err());
    assert_eq!(ask(changed(|c| c["tid"] = "CONTOSO.example".into())).await.unwrap().tenant, w.ctx.tenant);
    for unknown in ["00000000-0000-0000-0000-000000000008", "fabrikam.example", "", "a\0b", "..", "' OR 1=1"] {
        let denied = ask(changed(|c| c["tid"] = unknown.into())).await.unwrap_err();
        assert_eq!(denied.message(), "Access token validation failure.", "{unknown:?}");
    }
    // Homeroom's own tokens are none of the issuer's business.
    assert!(verify(&w.store, &w.keys, &issuers, Some(&format!("Bearer {}", w.good().await)), Uuid::nil(), now()).await.unwrap().is_ok());
}

/// A cache and its clock.
struct Clocked {
    provider: Arc<Provider>,
    cache: Arc<KeyCache>,
}

impl Clocked {
    fn new(keys: &[Value]) -> Self {
        let provider = Provider::with(keys);
        let settings = settings();
        let source = settings.check().unwrap();
        Self { cache: Arc::new(KeyCache::new(&settings, source, provider.fetch())), provider }
    }

    async fn find(&self, kid: &str, second: i64) -> Result<usize, NoKey> {
        self.cache.find(Some(kid), second).await.map(|keys| keys.len())
    }

    async fn asked(&self, times: usize) {
        for _ in 0..200 {
            if self.provider.asked() == times {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // And no more often.
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(self.provider.asked(), times);
    }
}

#[tokio::test]
async fn new_keys_are_found_and_made_up_ones_do_no_harm() {
    let signer = Signer::any();
    let c = Clocked::new(&[signer.jwk("old")]);
    assert_eq!(c.find("old", 1_000).await, Ok(1));
    for second in 1_000..1_059 {
        assert_eq!(c.find("made up", second).await, Err(NoKey::Unknown));
    }
    c.asked(1).await;
    c.provider.now_it(Provider::set(&[signer.jwk("old"), signer.jwk("new")]));
    assert_eq!(c.find("new", 1_059).await, Err(NoKey::Unknown), "not more often than each minute");
    assert_eq!(c.find("new", 1_060).await, Ok(1));
    c.asked(2).await;
    // A key that the issuer has withdrawn goes with the next refresh, in the background.
    c.provider.now_it(Provider::set(&[signer.jwk("new")]));
    assert_eq!(c.find("old", 1_060 + 3_599).await, Ok(1));
    assert_eq!(c.find("old", 1_060 + 3_600).await, Ok(1), "the request does not wait for the refresh");
    c.asked(3).await;
    assert_eq!(c.find("old", 1_060 + 3_601).await, Err(NoKey::Unknown));
}

#[tokio::test]
async fn an_outage_of_the_issuer_is_survived_for_a_day() {
    let signer = Signer::any();
    let c = Clocked::new(&[signer.jwk("k")]);
    assert_eq!(c.find("k", 0).await, Ok(1));
    for broken in [
        Mode::IsDown,
        Mode::Hangs,
        Mode::Answers(b"<html>".to_vec()),
        Mode::Answers(b"{\"keys\":[]}".to_vec()),
        Mode::Answers(json!({ "keys": vec![signer.jwk("k"); 201] }).to_string().into_bytes()),
    ] {
        c.provider.now_it(broken);
        for second in [3_600, 40_000, 86_399] {
            assert_eq!(c.find("k", second).await, Ok(1));
        }
    }
    assert_eq!(c.find("k", 86_400).await, Err(NoKey::Unavailable));
    c.provider.now_it(Provider::set(&[signer.jwk("k")]));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(c.find("k", 86_500).await, Ok(1), "it comes back by itself");
}

#[tokio::test]
async fn a_fetch_that_hangs_holds_up_nobody_for_long() {
    let signer = Signer::any();
    let c = Clocked::new(&[signer.jwk("k")]);
    assert_eq!(c.find("k", 0).await, Ok(1));
    c.provider.now_it(Mode::Hangs);
    let started = Instant::now();
    let waiting: Vec<_> = (0..50)
        .map(|n| {
            let cache = Arc::clone(&c.cache);
            tokio::spawn(async move { cache.find(Some(&format!("made up {n}")), 100).await.map(|keys| keys.len()) })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(c.find("k", 100).await, Ok(1));
    assert!(started.elapsed() < Duration::from_millis(800), "who has a key does not wait");
    for task in waiting {
        assert_eq!(task.await.unwrap(), Err(NoKey::Unknown));
    }
    assert!(started.elapsed() < Duration::from_millis(3_000), "{:?}", started.elapsed());
    c.asked(2).await;
}

#[tokio::test]
async fn the_first_fetch_serves_all_who_wait() {
    let signer = Signer::any();
    let c = Clocked::new(&[signer.jwk("k")]);
    let all = (0..20).map(|_| {
        let cache = Arc::clone(&c.cache);
        tokio::spawn(async move { cache.find(Some("k"), 5).await.is_ok() })
    });
    for task in all.collect::<Vec<_>>() {
        assert!(task.await.unwrap());
    }
    c.asked(1).await;
    // A request that goes away does not take the fetch with it.
    let c = Clocked::new(&[signer.jwk("k")]);
    {
        let mut request = Box::pin(c.find("k", 5));
        let began = std::future::poll_fn(|cx| std::task::Poll::Ready(request.as_mut().poll(cx).is_pending())).await;
        assert!(began, "it waits");
    }
    c.asked(1).await;
    assert_eq!(c.find("k", 5).await, Ok(1));
}

#[tokio::test]
async fn a_provider_that_was_down_at_the_start_is_asked_again_soon() {
    let signer = Signer::any();
    let c = Clocked::new(&[signer.jwk("k")]);
    c.provider.now_it(Mode::IsDown);
    assert_eq!(c.find("k", 0).await, Err(NoKey::Unavailable));
    c.provider.now_it(Provider::set(&[signer.jwk("k")]));
    assert_eq!(c.find("k", 9).await, Err(NoKey::Unavailable));
    assert_eq!(c.find("k", 10).await, Ok(1));
}

#[tokio::test]
async fn discovery_stays_on_the_issuers_host() {
    let signer = Signer::any();
    let keys = json!({ "keys": [signer.jwk("k")] }).to_string().into_bytes();
    let found = |document: Value| {
        let keys = keys.clone();
        let fetch: Fetch = Arc::new(move |url: Url| {
            let answer = match url.as_str() {
                "https://id.example/realms/school/.well-known/openid-configuration" => Ok(document.to_string().into_bytes()),
                "https://id.example/keys" => Ok(keys.clone()),
                other => panic!("{other} was asked for"),
            };
            Box::pin(async move { answer })
        });
        let settings = IssuerSettings { jwks_uri: None, ..settings() };
        let cache = Arc::new(KeyCache::new(&settings, settings.check().unwrap(), fetch));
        async move { cache.find(Some("k"), 0).await.is_ok() }
    };
    assert!(found(json!({ "issuer": ISSUER, "jwks_uri": "https://id.example/keys" })).await);
    for (issuer, uri) in [
        ("https://id.example/realms/other", "https://id.example/keys"),
        (ISSUER, "https://evil.example/keys"),
        (ISSUER, "https://169.254.169.254/keys"),
        (ISSUER, "http://id.example/keys"),
        (ISSUER, "http://127.0.0.1/keys"),
        (ISSUER, "https://id.example@evil.example/keys"),
        (ISSUER, "https://user@id.example/keys"),
        (ISSUER, "file:///etc/passwd"),
        (ISSUER, "/keys"),
        (ISSUER, ""),
    ] {
        assert!(!found(json!({ "issuer": issuer, "jwks_uri": uri })).await, "{issuer} {uri}");
    }
    assert!(!found(json!({ "issuer": ISSUER })).await);
}

#[test]
fn settings_that_would_be_a_hole_are_refused() {
    let provider = Provider::with(&[]);
    let outcome = |change: &dyn Fn(&mut IssuerSettings)| {
        let mut settings = settings();
        change(&mut settings);
        TrustedIssuers::new(&[settings], &provider.fetch()).map(|_| ())
    };
    let refused: [&dyn Fn(&mut IssuerSettings); 15] = [
        &|s| s.issuer.clear(),
        &|s| s.audiences.clear(),
        &|s| s.audiences.push(String::new()),
        &|s| s.tenant_claim.clear(),
        &|s| s.tenant = Some(String::new()),
        &|s| s.jwks_uri = Some("http://id.example/keys".to_owned()),
        &|s| s.jwks_uri = Some("http://localhost.evil.example/keys".to_owned()),
        &|s| s.jwks_uri = Some("http://127.0.0.1@evil.example/keys".to_owned()),
        &|s| s.jwks_uri = Some("file:///etc/keys".to_owned()),
        &|s| s.jwks_uri = Some("keys".to_owned()),
        &|s| (s.issuer, s.jwks_uri) = ("no url".to_owned(), None),
        &|s| (s.issuer, s.jwks_uri) = ("https://login.example/{tenantid}/v2.0".to_owned(), None),
        &|s| (s.issuer, s.tenant) = ("https://login.example/{tenantid}/v2.0".to_owned(), Some(TENANT.to_owned())),
        &|s| s.keys_retry_seconds = 0,
        &|s| s.keys_kept_seconds = 10,
    ];
    for (number, change) in refused.into_iter().enumerate() {
        let error = outcome(change).unwrap_err();
        assert!(error.starts_with("[[issuers]] `"), "case {number}: {error}");
    }
    for good in ["http://localhost:8080/keys", "http://127.0.0.1/keys", "http://[::1]:1/keys", "https://id.example/keys?p=b2c"] {
        outcome(&|s| s.jwks_uri = Some(good.to_owned())).unwrap();
    }
    assert!(TrustedIssuers::new(&[settings(), settings()], &provider.fetch()).unwrap_err().contains("twice"));
}

#[test]
fn keys_that_are_of_no_use_are_left_out() {
    let good = Signer::any().jwk("k");
    let with = |name: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[name] = value;
        jwk
    };
    let ec = Signer::ec().jwk("k");
    let curve = {
        let mut jwk = ec.clone();
        jwk["crv"] = "P-384".into();
        jwk
    };
    let short = {
        let mut jwk = ec.clone();
        jwk["x"] = "AAAA".into();
        jwk
    };
    for bad in [
        json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "k" }),
        json!({}),
        json!("text"),
        Value::Null,
        with("use", "enc".into()),
        with("key_ops", json!(["encrypt"])),
        with("alg", "HS256".into()),
        with("alg", "ES256".into()),
        with("alg", "RSA-OAEP".into()),
        with("n", "AQAB".into()),
        with("n", URL_SAFE_NO_PAD.encode([vec![0; 200], vec![1; 128]].concat()).into()),
        with("n", "!".into()),
        with("e", Value::Null),
        curve,
        short,
    ] {
        let document = json!({ "keys": [bad] }).to_string();
        assert!(jwks::KeySet::parse(document.as_bytes()).is_err(), "{document}");
        let beside = json!({ "keys": [bad, good] }).to_string();
        assert_eq!(jwks::KeySet::parse(beside.as_bytes()).map(|set| set.find(Some("k")).len()), Ok(1), "{beside}");
    }
    for fine in [good.clone(), with("alg", "PS256".into()), with("key_ops", json!(["verify"])), ec] {
        assert!(jwks::KeySet::parse(json!({ "keys": [fine] }).to_string().as_bytes()).is_ok());
    }
}
