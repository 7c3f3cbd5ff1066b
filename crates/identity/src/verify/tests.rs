use super::*;
use crate::{TokenRequest, create_client, create_tenant, delete_client, token};
use store::StoreConfig;

struct World {
    store: Store,
    keys: Keys,
    ctx: OpContext,
    secret: String,
    _dir: tempfile::TempDir,
}

const CLIENT: &str = "11111111-2222-4333-8444-555555555555";

fn now() -> jiff::Timestamp {
    "2026-11-24T10:00:00Z".parse().unwrap()
}

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&StoreConfig { data_dir: dir.path().to_owned(), database_url: None }).unwrap();
    let ctx = OpContext::system(store::TenantId(Uuid::from_u128(7)), Uuid::from_u128(1), now());
    let (s, c) = (store.clone(), ctx.clone());
    let keys = tokio::task::spawn_blocking(move || Keys::load(&s, &c).unwrap()).await.unwrap();
    create_tenant(&store, &ctx, "Contoso", Some("contoso.example")).await.unwrap();
    let made = create_client(&store, &ctx, CLIENT.to_owned(), "app", vec!["User.Read.All".to_owned()]).await.unwrap();
    World { store, keys, ctx, secret: made.client_secret, _dir: dir }
}

impl World {
    async fn token(&self, change: impl FnOnce(&mut TokenRequest)) -> crate::TokenAnswer {
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

    async fn good(&self) -> String {
        self.token(|_| {}).await.body["access_token"].as_str().unwrap().to_owned()
    }

    async fn check(&self, token: &str, now: jiff::Timestamp) -> Result<OpContext, Denied> {
        verify(&self.store, &self.keys, Some(&format!("Bearer {token}")), Uuid::from_u128(2), now).await.unwrap()
    }

    /// The good token's claims, changed, signed with the real key.
    async fn forged(&self, change: impl FnOnce(&mut serde_json::Value)) -> String {
        let token = self.good().await;
        let mut claims: serde_json::Value = {
            use base64::Engine as _;
            let part = token.split('.').nth(1).unwrap();
            serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        change(&mut claims);
        let mut header = jsonwebtoken::Header::new(Algorithm::RS256);
        header.kid = Some(self.keys.kid().to_owned());
        jsonwebtoken::encode(&header, &claims, self.keys.signing()).unwrap()
    }
}

#[tokio::test]
async fn a_token_gives_its_tenant_and_its_permissions() {
    let w = world().await;
    let ctx = w.check(&w.good().await, now()).await.unwrap();
    assert_eq!(ctx.tenant, w.ctx.tenant);
    assert!(ctx.grants.require(&["User.Read.All"]).is_ok());
    assert!(ctx.grants.require(&["User.ReadWrite.All"]).is_err());
}

#[tokio::test]
async fn tokens_that_are_not_taken() {
    let w = world().await;
    let good = w.good().await;
    let later = now() + jiff::SignedDuration::from_secs(4_000);
    assert!(w.check(&good, later).await.unwrap_err().message().contains("expired"));
    let mut tampered: Vec<String> = good.split('.').map(str::to_owned).collect();
    tampered[1].push('A');
    assert!(w.check(&tampered.join("."), now()).await.is_err());
    assert!(w.check("not.a.token", now()).await.is_err());
    let wrong_audience = w.forged(|c| c["aud"] = "https://management.azure.com".into()).await;
    assert!(w.check(&wrong_audience, now()).await.unwrap_err().message().contains("audience"));
    let other_tenant = w.forged(|c| c["tid"] = Uuid::from_u128(9).to_string().into()).await;
    assert!(w.check(&other_tenant, now()).await.unwrap_err().message().contains("issuer"));
    let unknown_tenant = w.forged(|c| {
        c["tid"] = Uuid::from_u128(9).to_string().into();
        c["iss"] = format!("http://x/{}/v2.0", Uuid::from_u128(9)).into();
    });
    assert!(w.check(&unknown_tenant.await, now()).await.unwrap_err().message().contains("not known"));
    let guid_audience = w.forged(|c| c["aud"] = crate::AUDIENCES[1].into()).await;
    assert!(w.check(&guid_audience, now()).await.is_ok());
    assert_eq!(verify(&w.store, &w.keys, None, Uuid::from_u128(2), now()).await.unwrap().unwrap_err(), Denied::Missing);
}

#[tokio::test]
async fn a_token_cannot_choose_its_algorithm() {
    let w = world().await;
    let good = w.good().await;
    let payload = good.split('.').nth(1).unwrap();
    use base64::Engine as _;
    let b64 = |text: String| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let none = format!("{}.{payload}.", b64(format!("{{\"alg\":\"none\",\"kid\":\"{}\"}}", w.keys.kid())));
    assert!(w.check(&none, now()).await.is_err());
    let mut header = jsonwebtoken::Header::new(Algorithm::HS256);
    header.kid = Some(w.keys.kid().to_owned());
    let modulus = w.keys.jwks()["keys"][0]["n"].as_str().unwrap().as_bytes();
    let symmetric =
        jsonwebtoken::encode(&header, &serde_json::json!({"aud": crate::AUDIENCES[0]}), &jsonwebtoken::EncodingKey::from_secret(modulus))
            .unwrap();
    assert!(w.check(&symmetric, now()).await.is_err());
}

#[tokio::test]
async fn a_deleted_clients_tokens_stop_working() {
    let w = world().await;
    let good = w.good().await;
    delete_client(&w.store, &w.ctx, CLIENT).await.unwrap();
    assert!(w.check(&good, now()).await.unwrap_err().message().contains("application"));
}

#[tokio::test]
async fn refusals_are_in_entras_words() {
    let w = world().await;
    let set = |name: &'static str, value: &'static str| {
        move |r: &mut TokenRequest| r.form.iter_mut().filter(|(k, _)| k == name).for_each(|(_, v)| value.clone_into(v))
    };
    for (answer, status, error) in [
        (w.token(set("client_secret", "wrong")).await, 401, "invalid_client"),
        (w.token(set("client_id", "nobody")).await, 401, "invalid_client"),
        (w.token(set("grant_type", "password")).await, 400, "unsupported_grant_type"),
        (w.token(set("scope", "https://evil.example/.default")).await, 400, "invalid_scope"),
        (w.token(|r| "nowhere".clone_into(&mut r.tenant)).await, 400, "invalid_request"),
    ] {
        assert_eq!((answer.status, answer.body["error"].as_str().unwrap()), (status, error));
        assert!(answer.body["error_description"].as_str().unwrap().starts_with("AADSTS"));
    }
    assert_eq!(w.token(set("scope", "http://127.0.0.1/.default")).await.status, 200);
}
