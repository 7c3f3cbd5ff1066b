use crate::testing::{CLIENT, Signer, World, claims, now, world};
use crate::{Credentials, IdentityError, PublicKey, TokenAnswer, delete_client, register_client};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

const BY_KEY: &str = "22222222-2222-4333-8444-555555555555";

/// A client that has the certificates of these.
async fn client(w: &World, signers: &[&Signer], secret: bool) -> Option<String> {
    let keys = signers.iter().map(|signer| PublicKey::from_pem(signer.public_pem.as_bytes()).unwrap()).collect();
    let made = register_client(&w.store, &w.ctx, BY_KEY.to_owned(), "nightly", vec![], Credentials { secret, keys }).await.unwrap();
    made.secret.map(|made| made.client_secret)
}

fn assertion(w: &World, jti: &str) -> Value {
    let at = now().as_second();
    json!({ "iss": BY_KEY, "sub": BY_KEY, "aud": format!("http://127.0.0.1:8080/{}/oauth2/v2.0/token", w.ctx.tenant),
            "nbf": at, "iat": at, "exp": at + 600, "jti": jti })
}

async fn send(w: &World, jwt: &str) -> TokenAnswer {
    w.token(|r| {
        r.form.retain(|(name, _)| name == "grant_type" || name == "scope");
        r.form.push(("client_id".to_owned(), BY_KEY.to_owned()));
        r.form.push(("client_assertion_type".to_owned(), super::TYPE.to_owned()));
        r.form.push(("client_assertion".to_owned(), jwt.to_owned()));
    })
    .await
}

#[tokio::test]
async fn a_client_proves_itself_by_its_key() {
    let w = world().await;
    let (rsa, ec) = (Signer::any(), Signer::ec());
    assert_eq!(client(&w, &[&rsa, &ec], false).await, None);
    let tenant = w.ctx.tenant;
    for (number, (signer, algorithm)) in
        [(&rsa, Algorithm::RS256), (&rsa, Algorithm::PS256), (&ec, Algorithm::ES256)].into_iter().enumerate()
    {
        let answer = send(&w, &signer.sign(algorithm, None, &assertion(&w, &number.to_string()))).await;
        assert_eq!(answer.status, 200, "{algorithm:?} {}", answer.body);
        let token = claims(answer.body["access_token"].as_str().unwrap());
        assert_eq!((&token["appid"], &token["azpacr"]), (&json!(BY_KEY), &json!("2")));
    }
    for (number, aud) in [
        json!(format!("http://127.0.0.1:8080/{tenant}/v2.0")),
        json!("http://127.0.0.1:8080/contoso.example/oauth2/v2.0/token"),
        json!(["https://elsewhere.example", format!("http://127.0.0.1:8080/{tenant}/oauth2/v2.0/token")]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut claims = assertion(&w, &format!("aud {number}"));
        claims["aud"] = aud.clone();
        assert_eq!(send(&w, &rsa.sign(Algorithm::RS256, None, &claims)).await.status, 200, "{aud}");
    }
    // MSAL for Python sends fractions of seconds.
    let at = now().as_second() as f64;
    let mut claims = assertion(&w, "fractions");
    (claims["nbf"], claims["iat"], claims["exp"]) = ((at - 0.5).into(), (at + 0.25).into(), (at + 599.7).into());
    assert_eq!(send(&w, &rsa.sign(Algorithm::PS256, None, &claims)).await.status, 200);
    // The assertion itself may say whose it is.
    let jwt = rsa.sign(Algorithm::RS256, None, &assertion(&w, "without id"));
    let form = [("grant_type", "client_credentials"), ("client_assertion_type", super::TYPE), ("client_assertion", &jwt)];
    assert_eq!(w.token_at(now(), &form).await.status, 200);
}

#[tokio::test]
async fn an_assertion_is_good_once() {
    let w = world().await;
    let signer = Signer::any();
    client(&w, &[&signer], false).await;
    let jwt = signer.sign(Algorithm::RS256, None, &assertion(&w, "once"));
    assert_eq!(send(&w, &jwt).await.status, 200);
    assert_eq!(send(&w, &jwt).await.body["error_codes"], json!([50_012]));
    // Nor does another one with its id pass, as long as it could still be valid.
    let mut again = assertion(&w, "once");
    again["exp"] = (now().as_second() + 900).into();
    assert_eq!(send(&w, &signer.sign(Algorithm::RS256, None, &again)).await.body["error_codes"], json!([50_012]));
    let sent = |jwt: String, later: i64| {
        let w = &w;
        async move {
            let form = [("grant_type", "client_credentials"), ("client_assertion_type", super::TYPE), ("client_assertion", &jwt)];
            w.token_at(now() + jiff::SignedDuration::from_secs(later), &form).await
        }
    };
    assert_eq!(sent(jwt.clone(), 659).await.body["error_codes"], json!([50_012]), "still within the leeway");
    assert_eq!(sent(jwt, 660).await.body["error_codes"], json!([700_024]), "expired");
    // Ids that cannot come back are forgotten.
    again["exp"] = (now().as_second() + 2_000).into();
    assert_eq!(sent(signer.sign(Algorithm::RS256, None, &again), 1_000).await.status, 200);
}

#[tokio::test]
async fn of_requests_at_once_with_one_assertion_one_wins() {
    let w = world().await;
    let signer = Signer::any();
    client(&w, &[&signer], false).await;
    let jwt = signer.sign(Algorithm::PS256, None, &assertion(&w, "race"));
    let answers: [TokenAnswer; 4] = tokio::join!(send(&w, &jwt), send(&w, &jwt), send(&w, &jwt), send(&w, &jwt)).into();
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(good, 1);
}

#[tokio::test]
async fn assertions_that_are_not_taken() {
    let w = world().await;
    let (signer, stranger) = (Signer::any(), Signer::ec());
    client(&w, &[&signer], true).await;
    let at = now().as_second();
    let signed = |change: &dyn Fn(&mut Value)| {
        let mut claims = assertion(&w, "bad");
        change(&mut claims);
        signer.sign(Algorithm::RS256, None, &claims)
    };
    let without = |name: &'static str| {
        signed(&move |c| {
            c.as_object_mut().unwrap().remove(name);
        })
    };
    let symmetric = |secret: &[u8]| {
        let key = jsonwebtoken::EncodingKey::from_secret(secret);
        jsonwebtoken::encode(&jsonwebtoken::Header::new(Algorithm::HS256), &assertion(&w, "bad"), &key).unwrap()
    };
    let b64 = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text);
    let none = format!("{}.{}.", b64("{\"alg\":\"none\"}"), b64(&assertion(&w, "bad").to_string()));
    let cases: Vec<(&str, String, u32)> = vec![
        ("another's key", stranger.sign(Algorithm::ES256, None, &assertion(&w, "bad")), 700_027),
        ("HS256 with the public key", symmetric(signer.public_pem.as_bytes()), 700_027),
        ("none", none, 700_027),
        ("RS512", signer.sign(Algorithm::RS512, None, &assertion(&w, "bad")), 700_027),
        ("not a JWT", "nonsense".to_owned(), 50_027),
        ("huge", "A".repeat(20_000), 50_027),
        ("another audience", signed(&|c| c["aud"] = "https://login.example/x/oauth2/v2.0/token".into()), 700_023),
        ("another tenant", signed(&|c| c["aud"] = format!("http://127.0.0.1:8080/{}/v2.0", uuid::Uuid::nil()).into()), 700_023),
        ("no audience", without("aud"), 50_027),
        ("of another client", signed(&|c| c["iss"] = CLIENT.into()), 700_021),
        ("about another client", signed(&|c| c["sub"] = CLIENT.into()), 700_021),
        ("no end", without("exp"), 50_027),
        ("expired", signed(&|c| c["exp"] = (at - 60).into()), 700_024),
        ("an end in words", signed(&|c| c["exp"] = "tomorrow".into()), 50_027),
        ("an end beyond all numbers", signed(&|c| c["exp"] = json!(1e300)), 50_027),
        ("a start in words", signed(&|c| c["nbf"] = "now".into()), 50_027),
        ("endless", signed(&|c| c["exp"] = i64::MAX.into()), 700_024),
        ("for two hours", signed(&|c| c["exp"] = (at + 7_200).into()), 700_024),
        ("from the future", signed(&|c| c["nbf"] = (at + 120).into()), 700_024),
        ("made in the future", signed(&|c| c["iat"] = (at + 120).into()), 700_024),
        ("no id", without("jti"), 50_027),
        ("an empty id", signed(&|c| c["jti"] = "".into()), 50_027),
        ("an endless id", signed(&|c| c["jti"] = "j".repeat(300).into()), 50_027),
    ];
    for (what, jwt, code) in cases {
        let answer = send(&w, &jwt).await;
        assert_eq!((answer.status, &answer.body["error_codes"]), (401, &json!([code])), "{what}: {}", answer.body);
        assert_eq!(answer.body["error"], "invalid_client", "{what}");
    }
    // None of them has used up the id.
    assert_eq!(send(&w, &signed(&|_| {})).await.status, 200);
    // A client without a key, and one that there is not.
    let for_secret = w.token(|r| {
        r.form.retain(|(name, _)| name != "client_secret");
        r.form.push(("client_assertion_type".to_owned(), super::TYPE.to_owned()));
        r.form.push(("client_assertion".to_owned(), signed(&|c| (c["iss"], c["sub"]) = (CLIENT.into(), CLIENT.into()))));
    });
    assert_eq!(for_secret.await.body["error_codes"], json!([700_027]));
    delete_client(&w.store, &w.ctx, BY_KEY).await.unwrap();
    assert_eq!(send(&w, &signed(&|c| c["jti"] = "later".into())).await.body["error_codes"], json!([700_016]));
}

#[tokio::test]
async fn requests_that_contradict_themselves() {
    let w = world().await;
    let signer = Signer::any();
    let secret = client(&w, &[&signer], true).await.unwrap();
    let jwt = signer.sign(Algorithm::RS256, None, &assertion(&w, "x"));
    let grant = ("grant_type", "client_credentials");
    let (typ, is) = (("client_assertion_type", super::TYPE), ("client_assertion", jwt.as_str()));
    for (form, code) in [
        (vec![grant, typ], 900_144),
        (vec![grant, is], 900_144),
        (vec![grant, ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), is], 90_100),
        (vec![grant, typ, is, is], 90_100),
        (vec![grant, typ, is, ("client_id", BY_KEY), ("client_secret", &secret)], 90_100),
    ] {
        let answer = w.token_at(now(), &form).await;
        assert_eq!((answer.status, &answer.body["error_codes"]), (400, &json!([code])), "{}", answer.body);
    }
    // Each alone is fine.
    assert_eq!(w.token_at(now(), &[grant, ("client_id", BY_KEY), ("client_secret", &secret)]).await.status, 200);
    assert_eq!(w.token_at(now(), &[grant, ("client_id", BY_KEY), typ, is]).await.status, 200);
}

#[tokio::test]
async fn a_client_without_a_secret_has_none_that_could_be_guessed() {
    let w = world().await;
    client(&w, &[&Signer::any()], false).await;
    for guess in ["", " ", "null", "0", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"] {
        let form = [("grant_type", "client_credentials"), ("client_id", BY_KEY), ("client_secret", guess)];
        assert_eq!(w.token_at(now(), &form).await.status, 401, "{guess}");
    }
}

#[tokio::test]
async fn a_certificate_ends() {
    let w = world().await;
    let signer = Signer::any();
    let mut key = PublicKey::from_pem(signer.public_pem.as_bytes()).unwrap();
    let register = |key: PublicKey| {
        let credentials = Credentials { secret: false, keys: vec![key] };
        register_client(&w.store, &w.ctx, BY_KEY.to_owned(), "nightly", vec![], credentials)
    };
    key.expires = Some(now());
    assert!(matches!(register(key.clone()).await, Err(IdentityError::Invalid(_))));
    key.expires = Some(now() + jiff::SignedDuration::from_secs(100));
    register(key).await.unwrap();
    assert_eq!(send(&w, &signer.sign(Algorithm::RS256, None, &assertion(&w, "1"))).await.status, 200);
    let jwt = signer.sign(Algorithm::RS256, None, &assertion(&w, "2"));
    let form = [("grant_type", "client_credentials"), ("client_assertion_type", super::TYPE), ("client_assertion", &jwt)];
    let later = w.token_at(now() + jiff::SignedDuration::from_secs(100), &form).await;
    assert_eq!(later.body["error_codes"], json!([700_027]));
    assert!(later.body["error_description"].as_str().unwrap().contains("expired"), "{}", later.body);
}

#[tokio::test]
async fn a_client_has_some_credential_and_not_too_many() {
    let w = world().await;
    let key = PublicKey::from_pem(Signer::any().public_pem.as_bytes()).unwrap();
    for (secret, keys) in [(false, 0), (true, 11)] {
        let credentials = Credentials { secret, keys: vec![key.clone(); keys] };
        let made = register_client(&w.store, &w.ctx, BY_KEY.to_owned(), "x", vec![], credentials).await;
        assert!(matches!(made, Err(IdentityError::Invalid(_))), "{secret} {keys}");
    }
}
