//! The API of a provider: authorized GETs, tried again when that may help.

use crate::connection::{Connection, Credential, Surroundings, web_url};
use crate::fault::{Fault, FaultCode, Retry};
use crate::http::{Answer, Host, date};
use crate::limits::Limits;
use crate::oauth1;
use crate::oauth2::{Bearer, Tokens};
use backon::{ExponentialBuilder, Retryable as _};
use jiff::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, DATE, HeaderValue};
use std::sync::OnceLock;
use std::time::Duration;
use url::Url;

/// An open connection, in the sense that it can be used; HTTP comes and goes below.
pub(crate) struct Api {
    host: Host,
    base: Url,
    auth: Auth,
    surroundings: Surroundings,
    /// `Date` of the first answer.
    first_date: OnceLock<Option<Timestamp>>,
}

enum Auth {
    OAuth1 { client_id: String, client_secret: crate::Secret, choice: oauth1::Choice },
    OAuth2(Box<Tokens>),
}

/// What a request was authorized with.
enum Proof {
    Signature(HeaderValue),
    Bearer(Bearer),
}

impl Api {
    /// Prepares; nothing is sent yet but questions to the resolver.
    pub(crate) async fn open(connection: &Connection, surroundings: &Surroundings) -> Result<Self, Fault> {
        let base = web_url("baseUrl", &connection.base_url)?;
        let limits = &surroundings.limits;
        let host = Host::open(&surroundings.egress, "baseUrl", &base, limits).await?;
        let auth = match &connection.credential {
            Credential::OAuth1 { client_id, client_secret } => {
                Auth::OAuth1 { client_id: client_id.clone(), client_secret: client_secret.clone(), choice: oauth1::Choice::default() }
            }
            Credential::OAuth2 { client_id, client_secret, token_url, scope } => {
                let url = web_url("credential.tokenUrl", token_url)?;
                let host = Host::open(&surroundings.egress, "credential.tokenUrl", &url, limits).await?;
                Auth::OAuth2(Box::new(Tokens::new(host, url, client_id.clone(), client_secret.clone(), scope.clone())))
            }
        };
        Ok(Self { host, base, auth, surroundings: surroundings.clone(), first_date: OnceLock::new() })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.surroundings.limits
    }

    /// The URL of a collection.
    pub(crate) fn collection_url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(path);
        }
        url.set_query(None);
        url.set_fragment(None);
        url
    }

    /// GET of a URL below the base, and what `read` makes of the answer. `place` names it in errors.
    pub(crate) async fn get<T>(&self, place: &str, url: &Url, read: impl Fn(Answer) -> Result<T, Fault>) -> Result<T, Fault> {
        let limits = self.limits();
        let pauses = ExponentialBuilder::new()
            .with_min_delay(limits.pause_first)
            .with_max_delay(limits.pause_most)
            .with_max_times(limits.tries.saturating_sub(1))
            .with_jitter();
        (|| async { self.attempt(place, url).await.and_then(&read) })
            .retry(pauses)
            .when(|fault| fault.retry != Retry::Never)
            .adjust(|fault, pause| longer(pause, fault.retry, limits.retry_after_most))
            .notify(|fault, pause| tracing::debug!(place, code = fault.code.as_str(), ?pause, "a provider is asked again"))
            .await
    }

    async fn attempt(&self, place: &str, url: &Url) -> Result<Answer, Fault> {
        let proof = self.authorize(url).await?;
        let answer = self.send(place, url, &proof).await?;
        // A server whose tokens end early says 401, or, some, 403.
        let refused = matches!(answer.status.as_u16(), 401 | 403);
        let answer = if refused && self.another(&proof).await {
            let proof = self.authorize(url).await?;
            self.send(place, url, &proof).await?
        } else {
            answer
        };
        if let Auth::OAuth1 { choice, .. } = &self.auth
            && answer.status.is_success()
        {
            choice.settle();
        }
        answer.good(place, (self.surroundings.now)())
    }

    async fn send(&self, place: &str, url: &Url, proof: &Proof) -> Result<Answer, Fault> {
        let header = match proof {
            Proof::Signature(header) => header,
            Proof::Bearer(bearer) => &bearer.header,
        };
        let request = self.host.client().get(url.clone()).header(ACCEPT, "application/json").header(AUTHORIZATION, header.clone());
        let answer = self.host.send(place, request).await?;
        self.first_date.get_or_init(|| date(answer.headers.get(DATE)?.to_str().ok()?));
        Ok(answer)
    }

    /// The provider's own clock when it began to answer; `None` when it does not say.
    pub(crate) fn provider_time(&self) -> Option<Timestamp> {
        self.first_date.get().copied().flatten()
    }

    async fn authorize(&self, url: &Url) -> Result<Proof, Fault> {
        let now = (self.surroundings.now)();
        match &self.auth {
            Auth::OAuth2(tokens) => tokens.bearer(now).await.map(Proof::Bearer),
            Auth::OAuth1 { client_id, client_secret, choice } => {
                let nonce = (self.surroundings.nonce)();
                let text = oauth1::authorization("GET", url, client_id, client_secret, choice.method(), now.as_second(), &nonce);
                let mut header = HeaderValue::try_from(text)
                    .map_err(|_| Fault::new(FaultCode::CredentialRefused, "credential", "it cannot be put into a header"))?;
                header.set_sensitive(true);
                Ok(Proof::Signature(header))
            }
        }
    }

    /// Whether something else than the refused proof is worth a try.
    async fn another(&self, refused: &Proof) -> bool {
        match (&self.auth, refused) {
            (Auth::OAuth2(tokens), Proof::Bearer(bearer)) => tokens.refused(bearer).await,
            (Auth::OAuth1 { choice, .. }, _) => choice.refused(),
            _ => false,
        }
    }
}

/// The pause before the next try: what the server asks for, when that is longer. `None` gives up:
/// there are no tries left, or it asks for more than is waited.
fn longer(pause: Option<Duration>, asked: Retry, most: Duration) -> Option<Duration> {
    match asked {
        Retry::After(asked) if asked > most => None,
        Retry::After(asked) => pause.map(|pause| pause.max(asked)),
        _ => pause,
    }
}
