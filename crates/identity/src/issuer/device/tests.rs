use super::*;
use crate::testing::{CLIENT, World, claims, now, world};
use crate::{create_client, delete_client};
use store::Actor;

async fn begin_at(w: &World, at: jiff::Timestamp, form: &[(&str, &str)]) -> TokenAnswer {
    let request = TokenRequest {
        tenant: "contoso.example".to_owned(),
        form: form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        authorization: None,
        base_url: "http://127.0.0.1:8080".to_owned(),
    };
    device_code(&w.store, &OpContext { now: at, ..w.ctx.clone() }, request).await.unwrap()
}

async fn begin(w: &World, form: &[(&str, &str)]) -> (String, String) {
    let answer = begin_at(w, now(), form).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
    (text("device_code"), text("user_code"))
}

fn after(seconds: i64) -> jiff::Timestamp {
    now() + jiff::SignedDuration::from_secs(seconds)
}

async fn ask_at(w: &World, code: &str, seconds: i64) -> TokenAnswer {
    w.token_at(after(seconds), &[("grant_type", GRANT), ("client_id", CLIENT), ("device_code", code)]).await
}

fn error(answer: &TokenAnswer) -> &str {
    answer.body["error"].as_str().unwrap_or("none")
}

async fn approve(w: &World, user_code: &str, approver: Option<&str>) -> Result<(), IdentityError> {
    let nobody = OpContext { tenant: TenantId(uuid::Uuid::nil()), request_id: uuid::Uuid::new_v4(), ..w.ctx.clone() };
    let device = find_device(&w.store, &nobody, user_code).await?;
    decide_device(&w.store, &OpContext { tenant: device.tenant, ..nobody }, &device, approver).await
}

#[tokio::test]
async fn a_code_that_was_approved_gives_one_delegated_token() {
    let w = world().await;
    let answer = begin_at(&w, now(), &[("client_id", CLIENT)]).await;
    assert_eq!((&answer.body["expires_in"], &answer.body["interval"]), (&json!(900), &json!(5)));
    assert_eq!(answer.body["verification_uri"], format!("http://127.0.0.1:8080/{}/oauth2/v2.0/deviceauth", w.ctx.tenant));
    let (code, user_code) = (answer.body["device_code"].as_str().unwrap(), answer.body["user_code"].as_str().unwrap());
    assert!(answer.body["message"].as_str().unwrap().contains(user_code));
    assert_eq!(error(&ask_at(&w, code, 1).await), "authorization_pending");
    // As people type it.
    approve(&w, &format!(" {} ", user_code.to_lowercase().replace('-', " ")), Some("Ada of IT")).await.unwrap();
    let given = ask_at(&w, code, 6).await;
    assert_eq!((given.status, &given.body["scope"]), (200, &json!("User.Read.All")));
    let token = given.body["access_token"].as_str().unwrap();
    let access = claims(token);
    assert_eq!((&access["scp"], &access["idtyp"], &access["azpacr"]), (&json!("User.Read.All"), &json!("user"), &json!("0")));
    assert!(access.get("roles").is_none());
    let ctx = w.check(token, after(7)).await.unwrap();
    assert_eq!(ctx.actor, Actor::User { client: CLIENT.to_owned(), user: "Ada of IT".to_owned() });
    assert!(ctx.grants.require(&["User.Read.All"]).is_ok() && ctx.grants.require(&["Group.Read.All"]).is_err());
    let id_token = given.body["id_token"].as_str().unwrap();
    let identity = claims(id_token);
    assert_eq!((&identity["aud"], &identity["preferred_username"]), (&json!(CLIENT), &json!("Ada of IT")));
    assert!(w.check(id_token, after(7)).await.is_err(), "an ID token opens nothing");
    assert_eq!(error(&ask_at(&w, code, 12).await), "bad_verification_code", "a second token");
    assert!(approve(&w, user_code, Some("again")).await.is_err());
    let audited = w.store.read::<_, StoreError>(&w.ctx, |tx| tx.query("SELECT action, detail FROM audit_log", &[])).await.unwrap();
    assert_eq!(audited.len(), 1);
    assert_eq!(audited[0].text(0).unwrap(), "device code approved");
    delete_client(&w.store, &w.ctx, CLIENT).await.unwrap();
    assert!(w.check(token, after(13)).await.is_err(), "the token of a client that was deleted");
}

#[tokio::test]
async fn who_asks_too_often_is_told_to_slow_down() {
    let w = world().await;
    let (code, user_code) = begin(&w, &[("client_id", CLIENT)]).await;
    for (second, expected) in [
        (0, "authorization_pending"),
        (5, "authorization_pending"),
        (6, "slow_down"),
        (12, "slow_down"),
        // Now 15 seconds apart.
        (27, "authorization_pending"),
        (36, "slow_down"),
    ] {
        assert_eq!(error(&ask_at(&w, &code, second).await), expected, "second {second}");
    }
    // Whoever is approved meanwhile is not kept waiting.
    approve(&w, &user_code, Some("x")).await.unwrap();
    assert_eq!(ask_at(&w, &code, 37).await.status, 200);
}

#[tokio::test]
async fn codes_end_and_can_be_declined() {
    let w = world().await;
    let (code, user_code) = begin(&w, &[("client_id", CLIENT)]).await;
    approve(&w, &user_code, None).await.unwrap();
    assert_eq!(error(&ask_at(&w, &code, 5).await), "authorization_declined");
    let (code, user_code) = begin(&w, &[("client_id", CLIENT)]).await;
    assert_eq!(error(&ask_at(&w, &code, 899).await), "authorization_pending");
    assert_eq!(error(&ask_at(&w, &code, 900).await), "expired_token");
    let late = OpContext { now: after(900), ..w.ctx.clone() };
    assert!(matches!(find_device(&w.store, &late, &user_code).await, Err(IdentityError::NotFound(_))));
    // An approval does not bring it back, nor does it last longer than the code.
    approve(&w, &user_code, Some("x")).await.unwrap();
    assert_eq!(error(&ask_at(&w, &code, 900).await), "expired_token");
}

#[tokio::test]
async fn a_code_belongs_to_its_client_and_tenant() {
    let w = world().await;
    let other = "22222222-2222-4333-8444-555555555555";
    create_client(&w.store, &w.ctx, other.to_owned(), "other", vec![]).await.unwrap();
    let (code, user_code) = begin(&w, &[("client_id", CLIENT)]).await;
    approve(&w, &user_code, Some("x")).await.unwrap();
    let ask = |client: &'static str, code: String| {
        let w = &w;
        async move { w.token_at(after(5), &[("grant_type", GRANT), ("client_id", client), ("device_code", &code)]).await }
    };
    assert_eq!(error(&ask(other, code.clone()).await), "bad_verification_code");
    assert_eq!(error(&ask("nobody", code.clone()).await), "bad_verification_code");
    assert_eq!(error(&ask(CLIENT, format!("{code}x")).await), "bad_verification_code");
    assert_eq!(error(&ask(CLIENT, user_code).await), "bad_verification_code");
    let elsewhere = OpContext { tenant: TenantId(uuid::Uuid::from_u128(8)), ..w.ctx.clone() };
    crate::create_tenant(&w.store, &elsewhere, "Fabrikam", Some("fabrikam.example")).await.unwrap();
    create_client(&w.store, &elsewhere, CLIENT.to_owned(), "same id", vec![]).await.unwrap();
    let there = w
        .token(|r| {
            "fabrikam.example".clone_into(&mut r.tenant);
            r.form = [("grant_type", GRANT), ("client_id", CLIENT), ("device_code", &code)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec();
        })
        .await;
    assert_eq!(error(&there), "bad_verification_code");
    assert_eq!(ask(CLIENT, code).await.status, 200);
}

#[tokio::test]
async fn only_permissions_of_the_client_can_be_asked_for() {
    let w = world().await;
    let two = "22222222-2222-4333-8444-555555555555";
    let permissions = vec!["User.Read.All".to_owned(), "Group.Read.All".to_owned()];
    create_client(&w.store, &w.ctx, two.to_owned(), "two", permissions).await.unwrap();
    for (scope, expected) in [
        ("", "User.Read.All Group.Read.All"),
        ("openid profile offline_access", "User.Read.All Group.Read.All"),
        ("https://graph.microsoft.com/.default offline_access", "User.Read.All Group.Read.All"),
        ("Group.Read.All Group.Read.All", "Group.Read.All"),
        ("https://graph.microsoft.com/Group.Read.All openid", "Group.Read.All"),
    ] {
        let (_, user_code) = begin(&w, &[("client_id", two), ("scope", scope)]).await;
        let found = find_device(&w.store, &w.ctx, &user_code).await.unwrap();
        assert_eq!(found.permissions.join(" "), expected, "{scope}");
        assert_eq!((found.client_id.as_str(), found.client_name.as_str()), (two, "two"));
    }
    for (form, expected) in [
        (vec![("client_id", CLIENT), ("scope", "Group.ReadWrite.All")], "invalid_scope"),
        (vec![("scope", "User.Read.All")], "invalid_request"),
        (vec![("client_id", CLIENT), ("client_id", two)], "invalid_request"),
        (vec![("client_id", "nobody")], "unauthorized_client"),
    ] {
        assert_eq!(error(&begin_at(&w, now(), &form).await), expected, "{form:?}");
    }
    for form in [vec![("grant_type", GRANT), ("client_id", CLIENT)], vec![("grant_type", GRANT), ("device_code", "x")]] {
        assert_eq!(error(&w.token_at(now(), &form).await), "invalid_request");
    }
}

#[tokio::test]
async fn nobody_can_fill_the_database_with_codes() {
    let w = world().await;
    for _ in 0..WAITING_MAX {
        begin(&w, &[("client_id", CLIENT)]).await;
    }
    assert_eq!(error(&begin_at(&w, now(), &[("client_id", CLIENT)]).await), "temporarily_unavailable");
    assert_eq!(begin_at(&w, after(900), &[("client_id", CLIENT)]).await.status, 200, "the old ones are gone");
    let rows = w.store.read::<_, StoreError>(&w.ctx, |tx| tx.query("SELECT user_code FROM device_code", &[])).await.unwrap();
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn codes_that_are_none() {
    let w = world().await;
    begin(&w, &[("client_id", CLIENT)]).await;
    for none in ["", "BCDF-GHJ", "BCDF-GHJKL", "AEIO-UAEI", "BCDF-GHJ\0", "' OR 1=1", "BCDFGHJK", "ßßßß-ßßßß"] {
        assert!(matches!(approve(&w, none, Some("x")).await, Err(IdentityError::NotFound(_))), "{none:?}");
    }
    let (_, user_code) = begin(&w, &[("client_id", CLIENT)]).await;
    for name in ["", " ", "a\nb", &"n".repeat(121)] {
        assert!(matches!(approve(&w, &user_code, Some(name)).await, Err(IdentityError::Invalid(_))), "{name:?}");
    }
}
