use super::*;
use crate::testing::{CLIENT, World, claims, now, world};
use crate::{IdentityError, create_client, create_tenant, delete_client};
use store::TenantId;
use uuid::Uuid;

type Change = Box<dyn FnOnce(&mut TokenRequest)>;

fn set(name: &'static str, value: &str) -> Change {
    let value = value.to_owned();
    Box::new(move |r| r.form.iter_mut().filter(|(k, _)| k == name).for_each(|(_, v)| v.clone_from(&value)))
}

fn add(name: &'static str, value: &str) -> Change {
    let value = value.to_owned();
    Box::new(move |r| r.form.push((name.to_owned(), value)))
}

fn without(names: &'static [&'static str]) -> Change {
    Box::new(move |r| r.form.retain(|(key, _)| !names.contains(&key.as_str())))
}

fn tenant(name: &str) -> Change {
    let name = name.to_owned();
    Box::new(move |r| r.tenant = name)
}

/// Credentials in HTTP Basic in place of the form.
fn basic(scheme: &str, pair: &str) -> Change {
    let header = format!("{scheme} {}", STANDARD.encode(pair));
    Box::new(move |r| {
        r.form.retain(|(key, _)| key != "client_id" && key != "client_secret");
        r.authorization = Some(header);
    })
}

#[tokio::test]
async fn refusals_are_in_entras_words() {
    let w = world().await;
    let cases: Vec<(Change, u16, &str, u32)> = vec![
        (set("client_secret", "wrong"), 401, "invalid_client", 7_000_215),
        (set("client_secret", ""), 401, "invalid_client", 7_000_218),
        (without(&["client_secret"]), 401, "invalid_client", 7_000_218),
        (without(&["client_id"]), 400, "invalid_request", 900_144),
        (without(&["client_id", "client_secret"]), 400, "invalid_request", 900_144),
        (set("client_id", "nobody"), 400, "unauthorized_client", 700_016),
        (set("client_id", "no\0body"), 400, "unauthorized_client", 700_016),
        (set("client_id", &"n".repeat(9_999)), 400, "unauthorized_client", 700_016),
        (set("grant_type", "password"), 400, "unsupported_grant_type", 70_003),
        (set("grant_type", "CLIENT_CREDENTIALS"), 400, "unsupported_grant_type", 70_003),
        (set("grant_type", ""), 400, "invalid_request", 900_144),
        (without(&["grant_type"]), 400, "invalid_request", 900_144),
        (add("client_id", "another"), 400, "invalid_request", 90_100),
        (add("scope", "another"), 400, "invalid_request", 90_100),
        (add("resource", "https://graph.microsoft.com"), 400, "invalid_request", 901_002),
        (tenant("nowhere"), 400, "invalid_request", 90_002),
        (tenant("a\0b"), 400, "invalid_request", 90_002),
        (tenant("common"), 400, "invalid_request", 90_002),
    ];
    for (number, (change, status, error, code)) in cases.into_iter().enumerate() {
        let answer = w.token(change).await;
        assert_eq!((answer.status, answer.body["error"].as_str().unwrap()), (status, error), "case {number}: {}", answer.body);
        assert_eq!(answer.body["error_codes"], json!([code]), "case {number}");
        assert!(answer.body["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{code}: ")), "case {number}");
        assert_eq!(answer.body["timestamp"], "2026-11-24 10:00:00Z");
        for id in ["trace_id", "correlation_id"] {
            assert_eq!(answer.body[id], w.ctx.request_id.to_string());
        }
    }
}

#[tokio::test]
async fn nothing_of_a_secret_comes_back() {
    let w = world().await;
    let almost = format!("{}x", w.secret);
    let refused = w.token(set("client_secret", &almost)).await;
    assert!(!refused.body.to_string().contains(&w.secret));
    let given = w.token(|_| {}).await;
    assert!(!format!("{given:?}").contains("ey"), "a token in the debug form");
}

#[tokio::test]
async fn scopes_that_name_graph() {
    let w = world().await;
    for scope in [
        "https://graph.microsoft.com/.default",
        "https://graph.microsoft.com//.default",
        "00000003-0000-0000-c000-000000000000/.default",
        "http://127.0.0.1/.default",
        "https://localhost/.default",
        "http://127.0.0.1:8080/.default",
        "https://HOMEROOM.school.example:8443/.default",
        "http://[::1]:8080/.default",
        "",
    ] {
        let change: Change = Box::new(|r| {
            "https://homeroom.school.example".clone_into(&mut r.base_url);
            r.form.iter_mut().filter(|(k, _)| k == "scope").for_each(|(_, v)| scope.clone_into(v));
        });
        assert_eq!(w.token(change).await.status, 200, "{scope}");
    }
    assert_eq!(w.token(without(&["scope"])).await.status, 200);
}

#[tokio::test]
async fn scopes_that_name_something_else() {
    let w = world().await;
    for (scope, error) in [
        ("https://evil.example/.default", "invalid_resource"),
        ("https://graph.microsoft.com.evil.example/.default", "invalid_resource"),
        ("https://localhost@evil.example/.default", "invalid_resource"),
        ("https://localhost/evil/.default", "invalid_resource"),
        ("https://[evil/.default", "invalid_resource"),
        ("[/.default", "invalid_resource"),
        ("https://localhost:port/.default", "invalid_resource"),
        ("localhost/.default", "invalid_resource"),
        ("ftp://localhost/.default", "invalid_resource"),
        ("/.default", "invalid_resource"),
        ("https://graph.microsoft.com/User.Read.All", "invalid_scope"),
        ("https://graph.microsoft.com/.default openid", "invalid_scope"),
        ("openid https://graph.microsoft.com/.default", "invalid_scope"),
        (".default", "invalid_scope"),
    ] {
        let answer = w.token(set("scope", scope)).await;
        assert_eq!((answer.status, answer.body["error"].as_str().unwrap_or("none")), (400, error), "{scope}");
    }
}

#[tokio::test]
async fn http_basic_is_as_good_as_the_form() {
    let w = world().await;
    let pair = format!("{CLIENT}:{}", w.secret);
    for scheme in ["Basic", "basic", "BASIC "] {
        assert_eq!(w.token(basic(scheme, &pair)).await.status, 200, "{scheme}");
    }
    // Both halves are form-encoded before they are joined.
    let encoded = format!("{}:{}", CLIENT.replace('-', "%2D"), w.secret.replace('_', "%5F").replace('-', "%2d"));
    assert_eq!(w.token(basic("Basic", &encoded)).await.status, 200);
    for (header, code) in [
        (format!("Basic {}", STANDARD.encode(format!("{CLIENT}:wrong"))), 7_000_215),
        (format!("Basic {}", STANDARD.encode("no colon")), 900_144),
        (format!("Basic {}", STANDARD.encode([0xff, b':', 0xfe])), 900_144),
        ("Basic not base64!".to_owned(), 900_144),
        ("Basic".to_owned(), 900_144),
        (format!("Bearer {}", STANDARD.encode(&pair)), 900_144),
    ] {
        let change: Change = Box::new(|r| {
            r.form.retain(|(key, _)| key != "client_id" && key != "client_secret");
            r.authorization = Some(header);
        });
        assert_eq!(w.token(change).await.body["error_codes"], json!([code]));
    }
    let contradiction: Change = Box::new(|r| {
        r.form.retain(|(key, _)| key != "client_secret");
        r.authorization = Some(format!("Basic {}", STANDARD.encode(format!("{}:x", Uuid::nil()))));
    });
    assert_eq!(w.token(contradiction).await.body["error_codes"], json!([90_100]));
}

#[tokio::test]
async fn a_token_has_the_claims_of_an_application_token() {
    let w = world().await;
    let answer = w.token(tenant(&w.ctx.tenant.to_string().to_uppercase())).await;
    assert_eq!((answer.status, answer.body["token_type"].as_str().unwrap()), (200, "Bearer"));
    assert_eq!((&answer.body["expires_in"], &answer.body["ext_expires_in"]), (&json!(3_599), &json!(3_599)));
    let token = answer.body["access_token"].as_str().unwrap();
    let (at, tid) = (now().as_second(), w.ctx.tenant.to_string());
    assert_eq!(
        claims(token),
        json!({
            "aud": "https://graph.microsoft.com", "iss": format!("http://127.0.0.1:8080/{tid}/v2.0"), "iat": at, "nbf": at, "exp": at + 3_599,
            "app_displayname": "app", "appid": CLIENT, "azp": CLIENT, "appidacr": "1", "azpacr": "1", "idtyp": "app", "oid": CLIENT,
            "sub": CLIENT, "roles": ["User.Read.All"], "tid": tid, "uti": "uti", "ver": "2.0",
        })
    );
    let header = jsonwebtoken::decode_header(token).unwrap();
    assert_eq!((header.alg, header.typ.as_deref(), header.kid.as_deref()), (Algorithm::RS256, Some("JWT"), Some(w.keys.kid())));
    assert_eq!(w.keys.jwks()["keys"][0]["kid"], w.keys.kid());
}

#[tokio::test]
async fn a_client_belongs_to_its_tenant_and_its_id_has_no_case() {
    let w = world().await;
    let lower = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
    let made = create_client(&w.store, &w.ctx, lower.to_uppercase(), " second ", vec![]).await.unwrap();
    assert_eq!(made.client_id, lower);
    let as_second = |r: &mut TokenRequest| {
        r.form.retain(|(key, _)| key == "grant_type");
        r.form.push(("client_id".to_owned(), lower.to_uppercase()));
        r.form.push(("client_secret".to_owned(), made.client_secret.clone()));
    };
    let answer = w.token(as_second).await;
    assert_eq!(claims(answer.body["access_token"].as_str().unwrap())["appid"], lower);
    // The secret of one client does not open the other.
    assert_eq!(w.token(set("client_secret", &made.client_secret)).await.status, 401);
    let elsewhere = OpContext { tenant: TenantId(Uuid::from_u128(8)), ..w.ctx.clone() };
    create_tenant(&w.store, &elsewhere, "Fabrikam", Some("Fabrikam.example ")).await.unwrap();
    assert_eq!(w.token(tenant("FABRIKAM.example")).await.body["error_codes"], json!([700_016]));
    assert!(matches!(delete_client(&w.store, &elsewhere, lower).await, Err(IdentityError::NotFound(_))));
    delete_client(&w.store, &w.ctx, &lower.to_uppercase()).await.unwrap();
    assert_eq!(w.token(as_second).await.body["error_codes"], json!([700_016]));
}

#[tokio::test]
async fn what_cannot_be_made() {
    async fn made(w: &World, id: &str, name: &str) -> Result<(), IdentityError> {
        create_client(&w.store, &w.ctx, id.to_owned(), name, vec![]).await.map(|_| ())
    }
    let w = world().await;
    let long = "n".repeat(121);
    for (id, name) in [(CLIENT, "again"), ("", "x"), ("a b", "x"), ("a\0b", "x"), ("new", " "), ("new", &long)] {
        assert!(matches!(made(&w, id, name).await, Err(IdentityError::Invalid(_))), "{id} {name}");
    }
    let nowhere = OpContext { tenant: TenantId(Uuid::from_u128(9)), ..w.ctx.clone() };
    assert!(matches!(create_client(&w.store, &nowhere, "c".to_owned(), "x", vec![]).await, Err(IdentityError::NotFound(_))));
    let nil = OpContext { tenant: TenantId(Uuid::nil()), ..w.ctx.clone() };
    assert!(matches!(create_tenant(&w.store, &nil, "Nil", None).await, Err(IdentityError::Invalid(_))));
    assert!(matches!(create_tenant(&w.store, &w.ctx, "Contoso", None).await, Err(IdentityError::Invalid(_))));
    assert!(matches!(create_tenant(&w.store, &nowhere, "x", Some("contoso.example")).await, Err(IdentityError::Invalid(_))));
}

#[tokio::test]
async fn discovery_names_the_issuer_of_the_tokens() {
    let w = world().await;
    let base = "http://127.0.0.1:8080";
    let tid = w.ctx.tenant.to_string();
    let issued = claims(&w.good().await)["iss"].clone();
    for name in ["contoso.example", "CONTOSO.example", &tid] {
        let answer = discovery_document(&w.store, &w.ctx, base, name).await.unwrap();
        assert_eq!((answer.status, &answer.body["issuer"]), (200, &issued), "{name}");
        assert_eq!(answer.body["token_endpoint"], format!("{base}/{tid}/oauth2/v2.0/token"));
        assert_eq!(answer.body["authorization_endpoint"], format!("{base}/{tid}/oauth2/v2.0/authorize"));
        assert_eq!(answer.body["jwks_uri"], format!("{base}/{tid}/discovery/v2.0/keys"));
    }
    for name in ["nowhere.example", "a/b", "\0", ""] {
        let answer = discovery_document(&w.store, &w.ctx, base, name).await.unwrap();
        assert_eq!((answer.status, answer.body["error"].as_str().unwrap()), (400, "invalid_tenant"), "{name}");
    }
    let common = discovery_document(&w.store, &w.ctx, base, "common").await.unwrap();
    assert_eq!(common.body["issuer"], format!("{base}/{{tenantid}}/v2.0"));
}

#[test]
fn instance_discovery_leads_to_the_tenant_that_was_asked_for() {
    let leads_to = |query: &str| instance_document("http://h", query)["tenant_discovery_endpoint"].as_str().unwrap().to_owned();
    let at = |tenant: &str| format!("http://h/{tenant}/v2.0/.well-known/openid-configuration");
    let asked = "api-version=1.1&authorization_endpoint=https%3A%2F%2Fh%2Fcontoso.example%2Foauth2%2Fv2.0%2Fauthorize";
    assert_eq!(leads_to(asked), at("contoso.example"));
    assert_eq!(leads_to("authorization_endpoint=https://h/contoso.example/x"), at("contoso.example"));
    for strange in [
        "",
        "authorization_endpoint=",
        "authorization_endpoint=nothing",
        "authorization_endpoint=https://h/%2e%2e%2f/x",
        "authorization_endpoint=https://h/a%40b/x",
    ] {
        assert_eq!(leads_to(strange), at("common"), "{strange}");
    }
}
