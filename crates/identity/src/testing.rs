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
