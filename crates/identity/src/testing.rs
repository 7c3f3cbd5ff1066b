//! A tenant with one client, for the tests.

use crate::{Denied, Keys, TokenAnswer, TokenRequest, TrustedIssuers, create_client, create_tenant, token, verify};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use store::{OpContext, Store, StoreConfig, TenantId};
use uuid::Uuid;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) keys: Keys,
    pub(crate) ctx: OpContext,
    pub(crate) secret: String,
    _dir: tempfile::TempDir,
}

pub(crate) const CLIENT: &str = "11111111-2222-4333-8444-555555555555";

pub(crate) fn now() -> jiff::Timestamp {
    "2026-11-24T10:00:00Z".parse().unwrap()
}

pub(crate) async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig { data_dir: dir.path().to_owned(), database_url: None }).unwrap();
    let ctx = OpContext::system(TenantId(Uuid::from_u128(7)), Uuid::from_u128(1), now());
    let (s, c) = (store.clone(), ctx.clone());
    let keys = tokio::task::spawn_blocking(move || Keys::load(&s, &c).unwrap()).await.unwrap();
    create_tenant(&store, &ctx, "Contoso", Some("contoso.example")).await.unwrap();
    let made = create_client(&store, &ctx, CLIENT.to_owned(), "app", vec!["User.Read.All".to_owned()]).await.unwrap();
    World { store, keys, ctx, secret: made.client_secret, _dir: dir }
}

impl World {
    pub(crate) async fn token(&self, change: impl FnOnce(&mut TokenRequest)) -> TokenAnswer {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let mut request = TokenRequest {
            tenant: "contoso.example".to_owned(),
            form: vec![
                pair("grant_type", "client_credentials"),
                pair("client_id", CLIENT),
                pair("client_secret", &self.secret),
                pair("scope", "https://graph.microsoft.com/.default"),
            ],
            authorization: None,
            base_url: "http://127.0.0.1:8080".to_owned(),
        };
        change(&mut request);
        token(&self.store, &self.keys, &self.ctx, request, "uti".to_owned()).await.unwrap()
    }

    /// Answers the token endpoint at another time.
    pub(crate) async fn token_at(&self, now: jiff::Timestamp, form: &[(&str, &str)]) -> TokenAnswer {
        let request = TokenRequest {
            tenant: "contoso.example".to_owned(),
            form: form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            authorization: None,
            base_url: "http://127.0.0.1:8080".to_owned(),
        };
        let ctx = OpContext { now, ..self.ctx.clone() };
        token(&self.store, &self.keys, &ctx, request, "uti".to_owned()).await.unwrap()
    }

    pub(crate) async fn good(&self) -> String {
        self.token(|_| {}).await.body["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn check(&self, token: &str, now: jiff::Timestamp) -> Result<OpContext, Denied> {
        verify(&self.store, &self.keys, &TrustedIssuers::default(), Some(&format!("Bearer {token}")), Uuid::from_u128(2), now)
            .await
            .unwrap()
    }

    /// The good token's claims, changed, signed with the real key.
    pub(crate) async fn forged(&self, change: impl FnOnce(&mut Value)) -> String {
        let token = self.good().await;
        let mut claims = claims(&token);
        change(&mut claims);
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::RS256);
        header.kid = Some(self.keys.kid().to_owned());
        jsonwebtoken::encode(&header, &claims, self.keys.signing()).unwrap()
    }
}

/// The claims of a token, unchecked.
pub(crate) fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// A key pair of somebody else.
#[derive(Clone)]
pub(crate) struct Signer {
    pub(crate) algorithm: jsonwebtoken::Algorithm,
    pub(crate) encoding: jsonwebtoken::EncodingKey,
    /// The public half in PEM.
    pub(crate) public_pem: String,
}

/// Text in PEM.
pub(crate) fn as_pem(tag: &str, der: &[u8]) -> String {
    pem::encode(&pem::Pem::new(tag, der))
}

impl Signer {
    pub(crate) fn rsa(size: aws_lc_rs::rsa::KeySize) -> Self {
        use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
        use aws_lc_rs::signature::KeyPair as _;
        let pair = aws_lc_rs::rsa::KeyPair::generate(size).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let encoding = jsonwebtoken::EncodingKey::from_rsa_pem(as_pem("PRIVATE KEY", private.as_ref()).as_bytes()).unwrap();
        Self { algorithm: jsonwebtoken::Algorithm::RS256, encoding, public_pem: as_pem("PUBLIC KEY", public.as_ref()) }
    }

    pub(crate) fn ec() -> Self {
        use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
        use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
        let random = aws_lc_rs::rand::SystemRandom::new();
        let private = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private.as_ref()).unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let encoding = jsonwebtoken::EncodingKey::from_ec_der(private.as_ref());
        Self { algorithm: jsonwebtoken::Algorithm::ES256, encoding, public_pem: as_pem("PUBLIC KEY", public.as_ref()) }
    }

    /// One pair for all tests that do not care which: making one takes its time.
    pub(crate) fn any() -> Self {
        static PAIR: std::sync::LazyLock<Signer> = std::sync::LazyLock::new(|| Signer::rsa(aws_lc_rs::rsa::KeySize::Rsa2048));
        PAIR.clone()
    }

    pub(crate) fn sign(&self, algorithm: jsonwebtoken::Algorithm, kid: Option<&str>, claims: &Value) -> String {
        let mut header = jsonwebtoken::Header::new(algorithm);
        header.kid = kid.map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.encoding).unwrap()
    }

    /// The public half as a member of a key set.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let mut jwk = serde_json::to_value(jsonwebtoken::jwk::Jwk::from_encoding_key(&self.encoding, self.algorithm).unwrap()).unwrap();
        jwk.as_object_mut().unwrap().remove("alg");
        jwk["kid"] = kid.into();
        jwk["use"] = "sig".into();
        jwk
    }
}
