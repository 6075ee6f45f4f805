//! Permits: limits what runs at once, in total and per token, and how often a token starts something. Whatever exceeds a
//! limit is rejected at once and not queued.
//!
//! The rate is limited by hand, because the crate `governor` would add a second map of tokens with its own eviction to save
//! ten lines.

use std::{
    collections::HashMap,
    num::NonZero,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    domain::access::Caller,
    graphql::{Code, Error},
    types::{ApiTokenId, ExportLimits, ImportLimits, LiveLimits, TrafficLimits},
};

/// Number of tokens in memory from which idle ones are removed.
const MAX_TRACKED_TOKENS: usize = 1024;

/// The requests that a token can send at once after a pause: those of this time at its permitted rate.
const MAX_BURST: Duration = Duration::from_secs(1);

/// Issues permits within limits.
#[derive(Debug)]
pub(super) struct Permits {
    /// What the permits are for, as errors name it.
    what: &'static str,
    /// The setting of `max`; with `_PER_TOKEN` that of `max_per_token`.
    setting: &'static str,
    max: usize,
    max_per_token: usize,
    max_per_second: Option<NonZero<u32>>,
    all: Arc<Semaphore>,
    tokens: Tokens,
}

type Tokens = Arc<Mutex<HashMap<ApiTokenId, TokenUse>>>;

#[derive(Debug)]
struct TokenUse {
    running: usize,
    /// The theoretical arrival time of the generic cell rate algorithm
    /// (<https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm>).
    gcra_tat: Instant,
}

/// A permit, which is returned on drop.
#[derive(Debug)]
pub(super) struct Permit {
    _global: OwnedSemaphorePermit,
    _token: Option<TokenPermit>,
}

/// The part of a permit that is limited per token.
#[derive(Debug)]
struct TokenPermit {
    token: ApiTokenId,
    tokens: Tokens,
}

impl Permits {
    pub(super) fn for_requests(limits: &TrafficLimits) -> Self {
        let (what, setting) = ("running requests", "MEMBERBASE_MAX_REQUESTS");
        let max_per_second = limits.requests_per_second;
        Self { max_per_second, ..Self::new(what, setting, limits.requests, limits.requests_per_token) }
    }

    pub(super) fn for_connections(limits: &LiveLimits) -> Self {
        let (what, setting) = ("connections with subscriptions", "MEMBERBASE_MAX_LIVE_CONNECTIONS");
        Self::new(what, setting, limits.connections, limits.connections_per_token)
    }

    pub(super) fn for_imports(limits: &ImportLimits) -> Self {
        Self::new("running imports", "MEMBERBASE_MAX_IMPORTS", limits.imports, limits.imports_per_token)
    }

    pub(super) fn for_watches(limits: &ImportLimits) -> Self {
        Self::new("requests that watch an import", "MEMBERBASE_MAX_IMPORTS", limits.imports, limits.imports_per_token)
    }

    pub(super) fn for_exports(limits: &ExportLimits) -> Self {
        Self::new("running exports", "MEMBERBASE_MAX_EXPORTS", limits.exports, limits.exports_per_token)
    }

    fn new(what: &'static str, setting: &'static str, max: usize, max_per_token: usize) -> Self {
        let all = Arc::new(Semaphore::new(max));
        Self { what, setting, max, max_per_token, max_per_second: None, all, tokens: Arc::default() }
    }

    /// Issues a permit to a caller: within the maximum, and if it has a token, within the maximum and the rate of the token.
    pub(super) fn acquire(&self, caller: &Caller) -> Result<Permit, Error> {
        self.identify(self.acquire_anonymous()?, caller)
    }

    /// Issues a permit to a caller that is not known yet. [`Self::identify`] has to follow.
    pub(super) fn acquire_anonymous(&self) -> Result<Permit, Error> {
        let permit = Arc::clone(&self.all).try_acquire_owned().map_err(|_| {
            let Self { what, setting, max, .. } = self;
            Error::new(Code::ServiceUnavailable, format!("the server has its maximum of {max} {what} ({setting})"))
        })?;
        Ok(Permit { _global: permit, _token: None })
    }

    /// Applies the limits of the caller's token to a permit.
    pub(super) fn identify(&self, permit: Permit, caller: &Caller) -> Result<Permit, Error> {
        let token = caller.token().map(|token| self.acquire_for_token(token)).transpose()?;
        Ok(Permit { _token: token, ..permit })
    }

    fn acquire_for_token(&self, token: ApiTokenId) -> Result<TokenPermit, Error> {
        let Self { what, setting, max_per_token, .. } = self;
        let now = Instant::now();
        let mut tokens = lock(&self.tokens);
        if tokens.len() >= MAX_TRACKED_TOKENS {
            tokens.retain(|_, token| token.running > 0 || token.gcra_tat > now);
        }
        let usage = tokens.entry(token).or_insert(TokenUse { running: 0, gcra_tat: now });
        if usage.running >= *max_per_token {
            let message = format!("this token has its maximum of {max_per_token} {what} ({setting}_PER_TOKEN)");
            return Err(Error::new(Code::ServiceUnavailable, message));
        }
        if let Some(rate) = self.max_per_second {
            let gcra_tat = usage.gcra_tat.max(now) + Duration::from_secs(1) / rate.get();
            if gcra_tat > now + MAX_BURST {
                let message =
                    format!("this token exceeds {rate} requests per second (MEMBERBASE_MAX_REQUESTS_PER_SECOND)");
                return Err(Error::new(Code::RateLimited, message));
            }
            usage.gcra_tat = gcra_tat;
        }
        usage.running += 1;
        Ok(TokenPermit { token, tokens: Arc::clone(&self.tokens) })
    }
}

impl Drop for TokenPermit {
    fn drop(&mut self) {
        if let Some(usage) = lock(&self.tokens).get_mut(&self.token) {
            usage.running -= 1;
        }
    }
}

fn lock(tokens: &Tokens) -> MutexGuard<'_, HashMap<ApiTokenId, TokenUse>> {
    tokens.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::types::Id;

    fn token() -> ApiTokenId {
        ApiTokenId::from_uuid(Uuid::now_v7())
    }

    fn permits(requests: usize, requests_per_token: usize, requests_per_second: u32) -> Permits {
        let requests_per_second = NonZero::new(requests_per_second);
        let limits = TrafficLimits { requests, requests_per_token, requests_per_second, batch: None };
        Permits::for_requests(&limits)
    }

    #[test]
    fn permit_is_returned_on_drop() {
        let permits = permits(2, 9, 0);
        let [first, _second] = [(); 2].map(|()| permits.acquire_anonymous().expect("a permit"));
        let error = permits.acquire_anonymous().expect_err("the third");
        assert_eq!(error.code(), Code::ServiceUnavailable);
        assert!(error.message().contains("2 running requests (MEMBERBASE_MAX_REQUESTS)"), "{}", error.message());
        drop(first);
        permits.acquire_anonymous().expect("the returned permit");
    }

    #[test]
    fn token_does_not_use_the_permits_of_another() {
        let permits = permits(9, 1, 0);
        let (one, other) = (token(), token());
        let permit = permits.acquire_for_token(one).expect("a permit");
        let error = permits.acquire_for_token(one).expect_err("the second");
        assert_eq!(error.code(), Code::ServiceUnavailable);
        assert!(error.message().contains("(MEMBERBASE_MAX_REQUESTS_PER_TOKEN)"), "{}", error.message());
        let _permit = permits.acquire_for_token(other).expect("a permit of another token");
        drop(permit);
        permits.acquire_for_token(one).expect("the returned permit");
    }

    #[test]
    fn rate_of_a_token_is_limited() {
        let permits = permits(99, 99, 20);
        let (one, other) = (token(), token());
        let acquired = |token| (0..50).filter(|_| permits.acquire_for_token(token).is_ok()).count();
        let first = acquired(one);
        // On a slow machine some time passes in between.
        assert!((20..40).contains(&first), "{first}");
        assert_eq!(permits.acquire_for_token(one).expect_err("too many").code(), Code::RateLimited);
        assert!(acquired(other) >= 20);
        std::thread::sleep(Duration::from_millis(150));
        assert!((2..10).contains(&acquired(one)));
    }

    #[test]
    fn idle_tokens_are_removed() {
        let permits = permits(99, 9, 0);
        let _running = permits.acquire_for_token(token()).expect("a permit");
        for _ in 0..3 * MAX_TRACKED_TOKENS {
            permits.acquire_for_token(token()).expect("a permit");
        }
        assert!(lock(&permits.tokens).len() <= MAX_TRACKED_TOKENS);
    }
}
