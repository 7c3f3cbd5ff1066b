//! Bearer tokens by client credentials (RFC 6749 §4.4), kept until shortly before they end.

use crate::Secret;
use crate::fault::{Fault, FaultCode, Retry};
use crate::http::{Answer, Host};
use jiff::Timestamp;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;
use url::form_urlencoded::byte_serialize;

const PLACE: &str = "token endpoint";
/// A token is renewed this long before it ends: it has to outlive the request that it goes with.
const MARGIN: Duration = Duration::from_secs(60);
/// Life of a token whose provider does not say; RFC 6749 §5.1 leaves it to documentation.
const LIFE: Duration = Duration::from_secs(3600);

/// How the client shows its secret at the token endpoint (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// In `Authorization`, which every server must take …
    Basic,
    /// … and in the body, which some insist on.
    Form,
}

/// The tokens of one client.
#[derive(Debug)]
pub(crate) struct Tokens {
    host: Host,
    url: Url,
    client_id: String,
    client_secret: Secret,
    scope: Option<String>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    style: Style,
    /// Counts the tokens that there have been.
    generation: u64,
    token: Option<Token>,
}

#[derive(Debug)]
struct Token {
    header: HeaderValue,
    until: Instant,
}

/// A token in use.
#[derive(Debug, Clone)]
pub(crate) struct Bearer {
    pub(crate) header: HeaderValue,
    generation: u64,
    /// Made for this very request: another one would fare no better.
    fresh: bool,
}

#[derive(Deserialize)]
struct Granted {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<Value>,
}

#[derive(Deserialize)]
struct Denied {
    error: Option<String>,
}

impl Tokens {
    pub(crate) fn new(host: Host, url: Url, client_id: String, client_secret: Secret, scope: Option<String>) -> Self {
        let state = Mutex::new(State { style: Style::Basic, generation: 0, token: None });
        Self { host, url, client_id, client_secret, scope, state }
    }

    /// The token that there is, or a new one. Requests that run at the same time wait for one.
    pub(crate) async fn bearer(&self, now: Timestamp) -> Result<Bearer, Fault> {
        let mut state = self.state.lock().await;
        if let Some(token) = state.token.as_ref().filter(|token| token.until > Instant::now()) {
            return Ok(Bearer { header: token.header.clone(), generation: state.generation, fresh: false });
        }
        let token = self.renew(&mut state, now).await?;
        let header = token.header.clone();
        state.token = Some(token);
        state.generation += 1;
        Ok(Bearer { header, generation: state.generation, fresh: true })
    }

    /// The API has refused a token: whether to ask again with another one.
    pub(crate) async fn refused(&self, used: &Bearer) -> bool {
        let mut state = self.state.lock().await;
        if state.generation == used.generation {
            if used.fresh {
                return false;
            }
            state.token = None;
        }
        true
    }

    async fn renew(&self, state: &mut State, now: Timestamp) -> Result<Token, Fault> {
        let answer = self.ask(state.style).await?;
        if state.style == Style::Basic && prefers_another_style(&answer) {
            state.style = Style::Form;
            let answer = self.ask(Style::Form).await?;
            return granted(answer, now);
        }
        granted(answer, now)
    }

    async fn ask(&self, style: Style) -> Result<Answer, Fault> {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(self.scope.as_deref().filter(|scope| !scope.trim().is_empty()).map(|scope| ("scope", scope)));
        let secret = self.client_secret.expose();
        if style == Style::Form {
            form.extend([("client_id", self.client_id.as_str()), ("client_secret", secret)]);
        }
        let mut request = self.host.client().post(self.url.clone()).header("accept", "application/json").form(&form);
        if style == Style::Basic {
            // §2.3.1: form-encoded before they are put together, or a colon in an id would shift the secret.
            let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            request = request.basic_auth(encode(&self.client_id), Some(encode(secret)));
        }
        self.host.send(PLACE, request).await
    }
}

/// A server that does not know the client by its header: by the status, or by the word for it.
fn prefers_another_style(answer: &Answer) -> bool {
    let word = serde_json::from_slice::<Denied>(&answer.body).ok().and_then(|denied| denied.error);
    answer.status.as_u16() == 401 || matches!(word.as_deref(), Some("invalid_client" | "invalid_request" | "unauthorized_client"))
}

fn granted(answer: Answer, now: Timestamp) -> Result<Token, Fault> {
    let refused = matches!(answer.status.as_u16(), 400 | 401 | 403);
    let answer = answer
        .good(PLACE, now)
        .map_err(|fault| if refused { Fault { code: FaultCode::CredentialRefused, retry: Retry::Never, ..fault } } else { fault })?;
    let bad = |what: &str| Fault::new(FaultCode::TokenInvalid, PLACE, what);
    let granted: Granted = serde_json::from_slice(&answer.body).map_err(|_| bad("the answer is no token"))?;
    if granted.token_type.is_some_and(|ty| !ty.eq_ignore_ascii_case("bearer")) {
        return Err(bad("the token is no bearer token"));
    }
    let text = granted.access_token.filter(|token| !token.is_empty()).ok_or_else(|| bad("there is no access_token in the answer"))?;
    let mut header = HeaderValue::try_from(format!("Bearer {text}")).map_err(|_| bad("the token has characters that no token has"))?;
    header.set_sensitive(true);
    // Some send a number as text.
    let life = granted.expires_in.and_then(|life| life.as_u64().or_else(|| life.as_str()?.parse().ok())).map_or(LIFE, Duration::from_secs);
    // A short-lived one is used for half of its life.
    let usable = life.saturating_sub(MARGIN).max(life / 2);
    Ok(Token { header, until: Instant::now() + usable.min(Duration::from_secs(86_400)) })
}
