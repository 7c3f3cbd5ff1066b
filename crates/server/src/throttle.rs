//! Requests per second of each API client and tenant: a token bucket, in memory.
//!
//! Buckets are kept as the time at which they will be full again (the generic cell rate algorithm),
//! so that a bucket is one number and a full one needs no entry.

use crate::config::Limits;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::{Actor, OpContext, TenantId};

/// Full buckets are thrown away when there are more entries than this.
const ENTRIES_BEFORE_CLEANING: usize = 4096;

/// Whose bucket.
type Owner = (TenantId, String);

/// The buckets of a server.
#[derive(Debug)]
pub(crate) struct Throttle {
    /// Time for one token to come back; `None` when nothing is throttled.
    per_token: Option<Duration>,
    /// Time for an empty bucket to be full.
    whole: Duration,
    full_again: Mutex<HashMap<Owner, Instant>>,
}

impl Throttle {
    /// As configured; `requests_per_second = 0` throttles nothing.
    pub(crate) fn new(limits: &Limits) -> Self {
        let per_token = (limits.requests_per_second > 0).then(|| Duration::from_secs(1) / limits.requests_per_second);
        let whole = per_token.map_or(Duration::ZERO, |each| each * limits.burst.max(1));
        Self { per_token, whole, full_again: Mutex::new(HashMap::new()) }
    }

    /// Takes one token of the caller's application; when there is none, gives how long it takes until there is.
    ///
    /// Homeroom itself is never throttled.
    pub(crate) fn take(&self, ctx: &OpContext, now: Instant) -> Result<(), Duration> {
        let (Some(each), Actor::Client(client) | Actor::User { client, .. }) = (self.per_token, &ctx.actor) else { return Ok(()) };
        let mut buckets = self.full_again.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() > ENTRIES_BEFORE_CLEANING {
            buckets.retain(|_, full| *full > now);
        }
        let full = buckets.entry((ctx.tenant, client.clone())).or_insert(now);
        let after = (*full).max(now) + each;
        let missing = after.saturating_duration_since(now + self.whole);
        if missing > Duration::ZERO {
            return Err(missing);
        }
        *full = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn caller(tenant: u128, client: &str) -> OpContext {
        let ctx = OpContext::system(TenantId(Uuid::from_u128(tenant)), Uuid::nil(), jiff::Timestamp::UNIX_EPOCH);
        OpContext { actor: Actor::Client(client.to_owned()), ..ctx }
    }

    fn throttle(requests_per_second: u32, burst: u32) -> Throttle {
        Throttle::new(&Limits { requests_per_second, burst, ..Limits::default() })
    }

    #[test]
    fn a_bucket_gives_its_burst_and_fills_again() {
        let (throttle, caller, now) = (throttle(2, 3), caller(1, "a"), Instant::now());
        for _ in 0..3 {
            assert_eq!(throttle.take(&caller, now), Ok(()));
        }
        assert_eq!(throttle.take(&caller, now), Err(Duration::from_millis(500)));
        assert_eq!(throttle.take(&caller, now + Duration::from_millis(499)), Err(Duration::from_millis(1)));
        assert_eq!(throttle.take(&caller, now + Duration::from_millis(500)), Ok(()));
        // Long after, the burst is whole, and not more than whole.
        let later = now + Duration::from_secs(3600);
        for _ in 0..3 {
            assert_eq!(throttle.take(&caller, later), Ok(()));
        }
        assert!(throttle.take(&caller, later).is_err());
    }

    #[test]
    fn each_client_of_each_tenant_has_its_own() {
        let (throttle, now) = (throttle(1, 1), Instant::now());
        for (tenant, client) in [(1, "a"), (1, "b"), (2, "a")] {
            assert_eq!(throttle.take(&caller(tenant, client), now), Ok(()));
            assert!(throttle.take(&caller(tenant, client), now).is_err());
        }
        let user = Actor::User { client: "a".to_owned(), user: "ada".to_owned() };
        assert!(throttle.take(&OpContext { actor: user, ..caller(1, "a") }, now).is_err(), "a person uses the application's");
        let system = OpContext::system(TenantId(Uuid::from_u128(1)), Uuid::nil(), jiff::Timestamp::UNIX_EPOCH);
        assert!((0..10).all(|_| throttle.take(&system, now).is_ok()));
    }

    #[test]
    fn zero_is_off_and_full_buckets_are_forgotten() {
        let (off, now) = (throttle(0, 1), Instant::now());
        assert!((0..1000).all(|_| off.take(&caller(1, "a"), now).is_ok()));
        let some = throttle(1000, 1);
        for n in 0..=ENTRIES_BEFORE_CLEANING {
            assert_eq!(some.take(&caller(1, &n.to_string()), now), Ok(()));
        }
        assert_eq!(some.take(&caller(1, "last"), now + Duration::from_secs(1)), Ok(()));
        assert_eq!(some.full_again.lock().unwrap().len(), 1);
    }
}
