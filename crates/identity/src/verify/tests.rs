use super::*;
use crate::delete_client;
use crate::testing::{CLIENT, now, world};
use base64::Engine as _;

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
    assert_eq!(
        verify(&w.store, &w.keys, &TrustedIssuers::default(), None, Uuid::from_u128(2), now()).await.unwrap().unwrap_err(),
        Denied::Missing
    );
}

#[tokio::test]
async fn a_token_cannot_choose_its_algorithm() {
    let w = world().await;
    let good = w.good().await;
    let payload = good.split('.').nth(1).unwrap();
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
async fn times_have_a_minute_of_leeway() {
    let w = world().await;
    let at = |seconds: i64| now() + jiff::SignedDuration::from_secs(seconds);
    let good = w.good().await;
    assert!(w.check(&good, at(crate::TOKEN_SECONDS + 59)).await.is_ok());
    assert!(w.check(&good, at(crate::TOKEN_SECONDS + 60)).await.is_err());
    assert!(w.check(&good, at(-60)).await.is_ok());
    assert!(w.check(&good, at(-61)).await.unwrap_err().message().contains("not valid yet"));
}

#[tokio::test]
async fn times_that_are_no_times_are_refused_and_break_nothing() {
    let w = world().await;
    // Times near the end of the numbers must not overflow.
    assert!(w.check(&w.forged(|c| c["exp"] = i64::MAX.into()).await, now()).await.is_ok());
    assert!(w.check(&w.forged(|c| c["nbf"] = i64::MAX.into()).await, now()).await.is_err());
    for strange in [serde_json::json!(u64::MAX), "soon".into(), serde_json::json!(4e12), serde_json::json!([]), serde_json::Value::Null] {
        let exp = strange.clone();
        assert!(w.check(&w.forged(|c| c["exp"] = exp).await, now()).await.is_err(), "exp {strange}");
        if !strange.is_null() {
            // A start that cannot be read must not count as none.
            let nbf = strange.clone();
            assert!(w.check(&w.forged(|c| c["nbf"] = nbf).await, now()).await.is_err(), "nbf {strange}");
        }
    }
    let endless = w.forged(|c| {
        c.as_object_mut().unwrap().remove("exp");
    });
    assert!(w.check(&endless.await, now()).await.is_err());
}

#[tokio::test]
async fn headers_that_are_not_a_token() {
    let w = world().await;
    let good = w.good().await;
    let check = |header: String| {
        let (store, keys) = (w.store.clone(), w.keys.clone());
        async move { verify(&store, &keys, &TrustedIssuers::default(), Some(&header), Uuid::from_u128(2), now()).await.unwrap() }
    };
    for missing in ["", "Bearer", "Bearer ", "Basic YTpi", &format!("Bearer{good}")] {
        assert_eq!(check(missing.to_owned()).await.unwrap_err(), Denied::Missing, "{missing}");
    }
    let huge = "A".repeat(1 << 20);
    for bad in [
        &format!("Bearer {good} x"),
        "Bearer ü.ü.ü",
        "Bearer ..",
        "Bearer a.b",
        &format!("Bearer {huge}.{huge}.{huge}"),
        &format!("Bearer {good}.x"),
    ] {
        assert!(matches!(check(bad.to_owned()).await.unwrap_err(), Denied::Invalid(_)), "{}", &bad[..bad.len().min(40)]);
    }
    for fine in [format!("bearer {good}"), format!("  BEARER   {good}  ")] {
        assert!(check(fine).await.is_ok());
    }
}

#[tokio::test]
async fn a_key_of_another_installation_is_not_known() {
    let (w, other) = (world().await, world().await);
    assert!(w.check(&other.good().await, now()).await.unwrap_err().message().contains("key"));
    // Nor does it help to name the right key.
    let mut header = jsonwebtoken::Header::new(Algorithm::RS256);
    header.kid = Some(w.keys.kid().to_owned());
    let stolen = jsonwebtoken::encode(&header, &crate::testing::claims(&w.good().await), other.keys.signing()).unwrap();
    assert!(w.check(&stolen, now()).await.unwrap_err().message().contains("Signature"));
    let mut header = jsonwebtoken::Header::new(Algorithm::RS256);
    header.kid = None;
    let nameless = jsonwebtoken::encode(&header, &crate::testing::claims(&w.good().await), w.keys.signing()).unwrap();
    assert!(w.check(&nameless, now()).await.unwrap_err().message().contains("key"));
}

#[tokio::test]
async fn a_token_without_an_application_is_nobodys() {
    let w = world().await;
    let nobody = w.forged(|c| {
        c.as_object_mut().unwrap().remove("appid");
    });
    assert!(w.check(&nobody.await, now()).await.is_err());
    assert!(w.check(&w.forged(|c| c["appid"] = "".into()).await, now()).await.is_err());
    assert!(w.check(&w.forged(|c| c["appid"] = "a\0b".into()).await, now()).await.is_err());
    assert!(w.check(&w.forged(|c| c["tid"] = "..".into()).await, now()).await.is_err());
}
