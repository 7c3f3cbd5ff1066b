//! The keys of an issuer, held and renewed.
//!
//! - Keys older than the refresh time are renewed in the background; requests go on with the old ones.
//! - A key id that is not known may be new: the keys are fetched again, but not more often than the
//!   retry time allows, so that made-up ids cannot drive Homeroom to hammer the issuer.
//! - Who needs that fetch waits for it, and no longer than a fetch may take. All wait for the same one.
//! - When the issuer cannot be reached, the keys at hand go on for a bounded time.

use super::Fetch;
use super::jwks::{KeySet, TrustedKey};
use super::settings::{IssuerSettings, Source, safe_url};
use serde::Deserialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// After a fetch that failed the next one comes earlier, seconds: an outage should not last longer
/// here than at the issuer.
const RETRY_AFTER_FAILURE_SECONDS: i64 = 10;

pub(super) struct KeyCache {
    issuer: String,
    source: Source,
    fetch: Fetch,
    refresh: i64,
    retry: i64,
    kept: i64,
    limit: Duration,
    state: Mutex<State>,
    /// Number of the fetch that ended last.
    ended: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    keys: Option<Arc<KeySet>>,
    /// When the keys were fetched, seconds of the Unix epoch.
    fetched: i64,
    /// When the last fetch was begun.
    begun: Option<i64>,
    /// Its number; a fetch is under way as long as its end was not told.
    number: u64,
    failed: bool,
}

/// Why there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer does not have it.
    Unknown,
    /// It is not known what the issuer has.
    Unavailable,
}

#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

impl KeyCache {
    pub(super) fn new(settings: &IssuerSettings, source: Source, fetch: Fetch) -> Self {
        Self {
            issuer: settings.issuer.clone(),
            source,
            fetch,
            refresh: settings.keys_refresh_seconds.into(),
            retry: settings.keys_retry_seconds.into(),
            kept: settings.keys_kept_seconds.into(),
            limit: Duration::from_secs(settings.fetch_timeout_seconds.into()),
            state: Mutex::default(),
            ended: watch::Sender::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys for a key id, never an empty list.
    pub(super) async fn find(self: &Arc<Self>, kid: Option<&str>, now: i64) -> Result<Vec<Arc<TrustedKey>>, NoKey> {
        let wait_for = {
            let mut state = self.state();
            let found = self.look(&state, kid, now);
            if found.is_err() || now.saturating_sub(state.fetched) >= self.refresh {
                self.begin(&mut state, now);
            }
            if found.is_ok() || *self.ended.borrow() >= state.number {
                return found;
            }
            state.number
        };
        let mut ended = self.ended.subscribe();
        // Whether it has ended well, badly or not at all is what the next look says.
        let _ = tokio::time::timeout(self.limit, ended.wait_for(|ended| *ended >= wait_for)).await;
        self.look(&self.state(), kid, now)
    }

    fn look(&self, state: &State, kid: Option<&str>, now: i64) -> Result<Vec<Arc<TrustedKey>>, NoKey> {
        let keys = state.keys.as_ref().filter(|_| now.saturating_sub(state.fetched) < self.kept).ok_or(NoKey::Unavailable)?;
        let found = keys.find(kid);
        if found.is_empty() { Err(NoKey::Unknown) } else { Ok(found) }
    }

    /// Begins a fetch, unless one is under way or was too short a time ago. It goes on by itself:
    /// the request that wanted it may go away.
    fn begin(self: &Arc<Self>, state: &mut State, now: i64) {
        let pause = if state.failed { self.retry.min(RETRY_AFTER_FAILURE_SECONDS) } else { self.retry };
        let under_way = *self.ended.borrow() < state.number;
        let pause = if under_way { pause.max(self.limit.as_secs() as i64 + 1) } else { pause };
        if state.begun.is_some_and(|begun| (0..pause).contains(&now.saturating_sub(begun))) {
            return;
        }
        state.begun = Some(now);
        state.number += 1;
        let (this, number) = (Arc::clone(self), state.number);
        tokio::spawn(async move {
            let outcome = tokio::time::timeout(this.limit, this.load()).await;
            let outcome = outcome.unwrap_or_else(|_| Err(format!("no answer within {} s", this.limit.as_secs())));
            {
                let mut state = this.state();
                state.failed = outcome.is_err();
                match outcome {
                    Ok(keys) => {
                        state.keys = Some(Arc::new(keys));
                        state.fetched = now;
                        tracing::debug!(issuer = %this.issuer, "fetched the keys of an issuer");
                    }
                    Err(error) => {
                        let held = state.keys.is_some();
                        tracing::warn!(issuer = %this.issuer, %error, held, "the keys of an issuer could not be fetched");
                    }
                }
            }
            this.ended.send_modify(|ended| *ended = number.max(*ended));
        });
    }

    async fn load(&self) -> Result<KeySet, String> {
        let url = match &self.source {
            Source::Keys(url) => url.clone(),
            Source::Discovery(url) => {
                let document = (self.fetch)(url.clone()).await.map_err(|error| format!("{url}: {error}"))?;
                let found: Discovered =
                    serde_json::from_slice(&document).map_err(|error| format!("{url} is not a discovery document: {error}"))?;
                // OpenID Connect Discovery 1.0 §4.3.
                if found.issuer != self.issuer {
                    return Err(format!("{url} is that of another issuer; it has to say `{}` to the letter", self.issuer));
                }
                let keys = safe_url(&found.jwks_uri).map_err(|why| format!("the jwks_uri in {url} {why}"))?;
                // Homeroom calls only hosts that its operator has named.
                if keys.host() != url.host() {
                    return Err(format!("the jwks_uri in {url} is on another host; allow it by `jwks_uri` in the settings"));
                }
                keys
            }
        };
        let document = (self.fetch)(url.clone()).await.map_err(|error| format!("{url}: {error}"))?;
        KeySet::parse(&document).map_err(|error| format!("{url}: {error}"))
    }
}
