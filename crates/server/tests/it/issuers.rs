//! Tokens of another issuer, with a small OpenID Connect provider that can rotate its keys, go down,
//! hang and misbehave; and the grants of Homeroom's own issuer over HTTP.

use crate::harness::{Server, id};
use crate::runs::Database;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::signature::KeyPair as _;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::StreamExt as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::StatusCode;
use serde_json::{Value, json};
use server::config::{Config, Issuer};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

const SOURCES: &str = "/beta/external/industryData/sourceSystems";
const READ: &str = "IndustryData-SourceSystem.Read.All";

/// A signing key of the provider.
#[derive(Clone)]
pub struct Key {
    pub private: EncodingKey,
    jwk: Value,
    public_pem: String,
}

/// Making keys takes its time: two serve all tests.
pub static KEYS: LazyLock<[Key; 2]> = LazyLock::new(|| [Key::make(), Key::make()]);

impl Key {
    fn make() -> Self {
        let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let pem = |tag: &str, der: &[u8]| format!("-----BEGIN {tag}-----\n{}\n-----END {tag}-----\n", STANDARD.encode(der));
        let public_pem = pem("PUBLIC KEY", public.as_ref());
        let private = EncodingKey::from_rsa_pem(pem("PRIVATE KEY", private.as_ref()).as_bytes()).unwrap();
        let jwk = serde_json::to_value(jsonwebtoken::jwk::Jwk::from_encoding_key(&private, Algorithm::RS256).unwrap()).unwrap();
        Self { private, jwk, public_pem }
    }

    pub fn published(&self, kid: &str) -> Value {
        let mut jwk = self.jwk.clone();
        jwk["kid"] = kid.into();
        jwk["use"] = "sig".into();
        jwk
    }

    pub fn sign(&self, kid: &str, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(kid.to_owned());
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }
}

/// What the provider does.
#[derive(Clone)]
enum Mode {
    Serves,
    Fails,
    Hangs,
    /// A document without end.
    Giant,
    /// To another server, which would have the keys.
    Redirects(String),
}

struct Inner {
    base: String,
    mode: Mutex<Mode>,
    keys: Mutex<Vec<Value>>,
    asked: AtomicUsize,
}

/// An OpenID Connect provider on a port of its own.
#[derive(Clone)]
pub struct Provider(Arc<Inner>);

impl Provider {
    pub async fn start(keys: Vec<Value>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let inner = Inner { base, mode: Mutex::new(Mode::Serves), keys: Mutex::new(keys), asked: AtomicUsize::new(0) };
        let provider = Self(Arc::new(inner));
        let routes = axum::Router::new().fallback(answer).with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        provider
    }

    fn does(&self, mode: Mode) {
        *self.0.mode.lock().unwrap() = mode;
    }

    fn publishes(&self, keys: Vec<Value>) {
        *self.0.keys.lock().unwrap() = keys;
    }

    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    pub fn settings(&self) -> Issuer {
        Issuer {
            issuer: self.0.base.clone(),
            audiences: vec!["api://homeroom".to_owned()],
            keys_retry_seconds: 1,
            fetch_timeout_seconds: 1,
            ..Issuer::default()
        }
    }

    pub fn claims(&self, server: &Server) -> Value {
        let now = server.app.now().as_second();
        json!({ "iss": self.0.base, "aud": "api://homeroom", "tid": server.tenant.id.to_string(), "azp": "nightly",
                "sub": "ada", "iat": now, "nbf": now, "exp": now + 600, "roles": [READ] })
    }
}

async fn answer(State(provider): State<Provider>, uri: Uri, headers: HeaderMap) -> Response {
    provider.0.asked.fetch_add(1, Ordering::SeqCst);
    assert!(headers.get("authorization").is_none(), "nobody's token goes to the issuer");
    let mode = provider.0.mode.lock().unwrap().clone();
    match mode {
        Mode::Serves => {}
        Mode::Fails => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Mode::Hangs => std::future::pending().await,
        Mode::Giant => {
            let endless = futures_util::stream::repeat(Bytes::from(vec![b' '; 64 * 1024])).map(Ok::<_, std::io::Error>);
            return Body::from_stream(endless).into_response();
        }
        Mode::Redirects(to) => return (StatusCode::FOUND, [("location", format!("{to}{uri}"))]).into_response(),
    }
    let document = match uri.path() {
        "/.well-known/openid-configuration" => json!({ "issuer": provider.0.base, "jwks_uri": format!("{}/keys", provider.0.base) }),
        "/keys" => json!({ "keys": *provider.0.keys.lock().unwrap() }),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    document.to_string().into_response()
}

async fn server(issuers: Vec<Issuer>) -> Server {
    Server::with(Config { issuers, ..Config::default() }).await
}

async fn get(server: &Server, path: &str, token: &str) -> (u16, Value) {
    let response = server.http.get(format!("{}{path}", server.base)).bearer_auth(token).send().await.unwrap();
    let status = response.status().as_u16();
    if status == 401 {
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Bearer ") && !challenge.contains("claims="), "{challenge}");
    }
    (status, response.json().await.unwrap())
}

async fn status(server: &Server, token: &str) -> u16 {
    get(server, SOURCES, token).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_another_issuer_carry_the_permissions_of_the_table() {
    let provider = Provider::start(vec![KEYS[0].published("k")]).await;
    let server = server(vec![provider.settings()]).await;
    let token = |change: &dyn Fn(&mut Value)| {
        let mut claims = provider.claims(&server);
        change(&mut claims);
        KEYS[0].sign("k", &claims)
    };
    assert_eq!(status(&server, &token(&|_| {})).await, 200);
    let (forbidden, body) = get(&server, "/beta/external/industryData/years", &token(&|_| {})).await;
    assert_eq!((forbidden, &body["error"]["code"]), (403, &json!("Authorization_RequestDenied")));
    let delegated = |scopes: &'static str| token(&move |c| (c["scp"], c["roles"]) = (scopes.into(), json!([])));
    assert_eq!(status(&server, &delegated("openid IndustryData-SourceSystem.Read.All")).await, 200);
    assert_eq!(status(&server, &delegated("openid")).await, 403);
    // The roles of a person are not permissions of the application that acts for them.
    assert_eq!(status(&server, &token(&|c| c["scp"] = "openid".into())).await, 403);
    // Homeroom's own tokens are as good as before.
    assert_eq!(status(&server, server.token()).await, 200);
    assert_eq!(provider.asked(), 2, "discovery and keys, once");
    server.stop().await;
}

/// The reference gives the two kinds of token different least privileges for uploads, and accepts
/// both permissions for either.
#[tokio::test(flavor = "multi_thread")]
async fn uploads_take_either_permission_from_either_kind_of_token() {
    let provider = Provider::start(vec![KEYS[0].published("k")]).await;
    let server = server(vec![provider.settings()]).await;
    let (connector, _, _) = server.configure(&json!({ "createBasedOnRoleGroup": true, "createBasedOnOrgPlusRoleGroup": false })).await;
    let root = "/beta/external/industryData/dataConnectors";
    let session = format!("{root}/{connector}/microsoft.graph.industryData.azureDataLakeConnector/getUploadSession");
    for (permission, expected) in [
        ("IndustryData-DataConnector.Upload", 200),
        ("IndustryData-DataConnector.ReadWrite.All", 200),
        ("IndustryData-DataConnector.Read.All", 403),
    ] {
        for claim in ["roles", "scp"] {
            let mut claims = provider.claims(&server);
            claims["roles"] = json!([]);
            claims[claim] = if claim == "roles" { json!([permission]) } else { permission.into() };
            let token = KEYS[0].sign("k", &claims);
            assert_eq!(get(&server, &session, &token).await.0, expected, "{claim} {permission}");
            let list = get(&server, root, &token).await.0;
            assert_eq!(list, if permission.ends_with("Upload") { 403 } else { 200 }, "{claim} {permission}");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_not_taken_are_401() {
    let provider = Provider::start(vec![KEYS[0].published("k")]).await;
    let server = server(vec![provider.settings()]).await;
    let good = provider.claims(&server);
    let now = server.app.now().as_second();
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        KEYS[0].sign("k", &claims)
    };
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let mut symmetric = Header::new(Algorithm::HS256);
    symmetric.kid = Some("k".to_owned());
    let own = server.token();
    let deleted = {
        let client = server.app.create_client(server.tenant.id, "gone", vec![READ.to_owned()]).await.unwrap();
        let tenant = server.tenant.id;
        let token = server.app.issue_token(&tenant.to_string(), &client.client_id, &client.client_secret).await.unwrap();
        let token = token["access_token"].as_str().unwrap().to_owned();
        assert_eq!(status(&server, &token).await, 200);
        server.app.delete_client(tenant, &client.client_id).await.unwrap();
        token
    };
    let stolen = {
        // The claims of an own token, signed by the other issuer, and the other way round.
        let claims = own.split('.').nth(1).unwrap();
        KEYS[0].sign("k", &serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap())
    };
    let mixed = {
        let parts: Vec<&str> = own.split('.').collect();
        format!("{}.{}.{}", parts[0], encode(&good.to_string()), parts[2])
    };
    let cases = [
        ("none", format!("{}.{}.", encode(r#"{"alg":"none","kid":"k"}"#), encode(&good.to_string()))),
        (
            "HS256 with the public key",
            jsonwebtoken::encode(&symmetric, &good, &EncodingKey::from_secret(KEYS[0].public_pem.as_bytes())).unwrap(),
        ),
        ("another key", KEYS[1].sign("k", &good)),
        ("another kid", KEYS[0].sign("other", &good)),
        ("aud", with("aud", "https://graph.microsoft.com".into())),
        ("iss", with("iss", "https://id.example".into())),
        ("iss of Homeroom itself", with("iss", format!("{}/{}/v2.0", server.base, server.tenant.id).into())),
        ("tid", with("tid", "2f6a1e5e-3a44-4c3f-9c4b-0f9d9d3b7a11".into())),
        ("expired", with("exp", (now - 61).into())),
        ("future", with("nbf", (now + 120).into())),
        ("huge", with("padding", "A".repeat(20_000).into())),
        ("a client that was deleted", deleted),
        ("own claims, other signature", stolen),
        ("other claims, own signature", mixed),
        ("nonsense", "a.b.c".to_owned()),
    ];
    for (what, token) in cases {
        let (status, body) = get(&server, SOURCES, &token).await;
        assert_eq!((status, &body["error"]["code"]), (401, &json!("InvalidAuthenticationToken")), "{what}: {body}");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(!message.contains("2f6a1e5e") && !message.contains("id.example"), "{what}: {message}");
    }
    assert_eq!(status(&server, &KEYS[0].sign("k", &good)).await, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated() {
    let provider = Provider::start(vec![KEYS[0].published("first")]).await;
    let settings = Issuer { keys_refresh_seconds: 2, ..provider.settings() };
    let server = server(vec![settings]).await;
    let token = |key: usize, kid: &str| KEYS[key].sign(kid, &provider.claims(&server));
    let (old, new) = (token(0, "first"), token(1, "second"));
    assert_eq!(status(&server, &old).await, 200);
    provider.publishes(vec![KEYS[0].published("first"), KEYS[1].published("second")]);
    wait_for(&server, &new, 200).await;
    assert_eq!(status(&server, &old).await, 200);
    provider.publishes(vec![KEYS[1].published("second")]);
    wait_for(&server, &old, 401).await;
    assert_eq!(status(&server, &new).await, 200);
    server.stop().await;
}

async fn wait_for(server: &Server, token: &str, wanted: u16) {
    let started = Instant::now();
    while status(server, token).await != wanted {
        assert!(started.elapsed() < Duration::from_secs(20), "it did not become {wanted}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_in_trouble_troubles_nobody_else() {
    let provider = Provider::start(vec![KEYS[0].published("k")]).await;
    let elsewhere = Provider::start(vec![KEYS[1].published("theirs")]).await;
    let settings = Issuer { keys_refresh_seconds: 1, ..provider.settings() };
    let server = server(vec![settings]).await;
    let (good, unknown) = (KEYS[0].sign("k", &provider.claims(&server)), KEYS[1].sign("theirs", &provider.claims(&server)));
    assert_eq!(status(&server, &good).await, 200);
    for mode in [Mode::Fails, Mode::Hangs, Mode::Giant, Mode::Redirects(elsewhere.0.base.clone())] {
        provider.does(mode);
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let waits = tokio::time::timeout(Duration::from_secs(10), status(&server, &unknown));
        let quick = async {
            let started = Instant::now();
            for token in [&good, server.token()] {
                assert_eq!(status(&server, token).await, 200);
            }
            started.elapsed()
        };
        let (unknown, took) = tokio::join!(waits, quick);
        assert_eq!(unknown, Ok(401));
        assert!(took < Duration::from_millis(900), "requests with a known key waited: {took:?}");
    }
    assert_eq!(elsewhere.asked(), 0, "no redirect is followed");
    provider.does(Mode::Serves);
    provider.publishes(vec![KEYS[1].published("theirs")]);
    wait_for(&server, &unknown, 200).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_down_from_the_start() {
    let provider = Provider::start(vec![KEYS[0].published("k")]).await;
    provider.does(Mode::Fails);
    // Keys at a place of their own, for one tenant by name.
    let settings =
        Issuer { jwks_uri: Some(format!("{}/keys", provider.0.base)), tenant: Some("contoso.example".to_owned()), ..provider.settings() };
    let server = server(vec![settings]).await;
    let mut claims = provider.claims(&server);
    claims.as_object_mut().unwrap().remove("tid");
    let token = KEYS[0].sign("k", &claims);
    let (refused, body) = get(&server, SOURCES, &token).await;
    assert_eq!(refused, 401);
    assert!(body["error"]["message"].as_str().unwrap().contains("not available"), "{body}");
    provider.does(Mode::Serves);
    wait_for(&server, &token, 200).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_made_up_keys_does_not_reach_the_issuer() {
    let provider = Provider::start(vec![KEYS[0].published("k")]).await;
    let settings = Issuer { keys_retry_seconds: 60, ..provider.settings() };
    let server = server(vec![settings]).await;
    let claims = provider.claims(&server);
    for number in 0..100 {
        assert_eq!(status(&server, &KEYS[1].sign(&format!("made up {number}"), &claims)).await, 401);
    }
    assert_eq!(provider.asked(), 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_of_the_own_issuer() {
    let server = Server::start().await;
    a_client_with_a_key_gets_a_token(&server).await;
    a_device_code_is_approved_on_the_server(&server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_of_the_own_issuer_on_postgresql() {
    let Some(database) = Database::create() else {
        eprintln!("skipped: HOMEROOM_TEST_POSTGRES_URL is not set");
        return;
    };
    let server = Server::on(Some(database.url.clone()), Config::default()).await;
    a_client_with_a_key_gets_a_token(&server).await;
    a_device_code_is_approved_on_the_server(&server).await;
    server.stop().await;
}

/// Azure's and MSAL's way with a certificate, over HTTP, by what the discovery document says.
async fn a_client_with_a_key_gets_a_token(server: &Server) {
    let pem = KEYS[0].public_pem.clone().into_bytes();
    let made = server.app.register_client(server.tenant.id, "nightly", vec![READ.to_owned()], &[pem], false).await.unwrap();
    assert!(made.secret.is_none());
    let url = format!("{}/contoso.example/v2.0/.well-known/openid-configuration", server.base);
    let discovered: Value = server.http.get(url).send().await.unwrap().json().await.unwrap();
    for (list, word) in [
        ("token_endpoint_auth_methods_supported", "private_key_jwt"),
        ("token_endpoint_auth_signing_alg_values_supported", "PS256"),
        ("grant_types_supported", "urn:ietf:params:oauth:grant-type:device_code"),
    ] {
        assert!(discovered[list].as_array().unwrap().contains(&json!(word)), "{discovered}");
    }
    let endpoint = discovered["token_endpoint"].as_str().unwrap();
    let now = server.app.now().as_second();
    let claims = json!({ "iss": made.client_id, "sub": made.client_id, "aud": endpoint, "nbf": now, "exp": now + 600, "jti": "1" });
    let mut header = Header::new(Algorithm::PS256);
    header.x5t = Some("not looked at".to_owned());
    let jwt = jsonwebtoken::encode(&header, &claims, &KEYS[0].private).unwrap();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &made.client_id),
        ("scope", "https://graph.microsoft.com/.default"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &jwt),
    ];
    let answer: Value = server.http.post(endpoint).form(&form).send().await.unwrap().json().await.unwrap();
    assert_eq!(status(server, answer["access_token"].as_str().unwrap()).await, 200);
    let again = server.http.post(endpoint).form(&form).send().await.unwrap();
    assert_eq!(again.status(), 401);
    assert_eq!(again.json::<Value>().await.unwrap()["error"], "invalid_client");
    server.app.delete_client(server.tenant.id, &made.client_id).await.unwrap();
    let gone = server.http.post(endpoint).form(&form).send().await.unwrap();
    assert_eq!(gone.json::<Value>().await.unwrap()["error"], "unauthorized_client");
}

async fn a_device_code_is_approved_on_the_server(server: &Server) {
    let client = server.app.create_client(server.tenant.id, "command line", vec![READ.to_owned()]).await.unwrap();
    let url = |path: &str| format!("{}/contoso.example/oauth2/v2.0/{path}", server.base);
    let form = [("client_id", client.client_id.as_str()), ("scope", "offline_access")];
    let code: Value = server.http.post(url("devicecode")).form(&form).send().await.unwrap().json().await.unwrap();
    let help = server.http.get(code["verification_uri"].as_str().unwrap()).send().await.unwrap();
    assert!(help.text().await.unwrap().contains("homeroom token approve"));
    let ask = async || {
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let form = [("grant_type", grant), ("client_id", &client.client_id), ("device_code", code["device_code"].as_str().unwrap())];
        server.http.post(url("token")).form(&form).send().await.unwrap().json::<Value>().await.unwrap()
    };
    assert_eq!(ask().await["error"], "authorization_pending");
    assert_eq!(ask().await["error"], "slow_down");
    let device = server.app.find_device(code["user_code"].as_str().unwrap()).await.unwrap();
    assert_eq!((device.client_name.as_str(), device.permissions.len()), ("command line", 1));
    server.app.decide_device(&device, Some("Ada")).await.unwrap();
    let answer = ask().await;
    assert_eq!(status(server, answer["access_token"].as_str().unwrap()).await, 200, "{answer}");
    assert_eq!(ask().await["error"], "bad_verification_code");
    let huge = vec![b'a'; 2 << 20];
    assert_eq!(server.http.post(url("devicecode")).body(huge).send().await.unwrap().status(), 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegated_token_writes_what_it_may() {
    let provider = Provider::start(vec![KEYS[0].published("k")]).await;
    let server = server(vec![provider.settings()]).await;
    let mut claims = provider.claims(&server);
    claims["scp"] = "IndustryData-SourceSystem.ReadWrite.All".into();
    let token = KEYS[0].sign("k", &claims);
    let made = server.http.post(format!("{}{SOURCES}", server.base)).bearer_auth(&token).json(&json!({ "displayName": "SIS" }));
    let made = made.send().await.unwrap();
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.unwrap();
    assert_eq!(get(&server, &format!("{SOURCES}/{}", id(&made)), &token).await.0, 200);
    server.stop().await;
}
