//! Admission control: the maximum number of concurrent requests in total and per token, and the request rate per token
//! (GCRA). Requests over a limit are rejected at once and not queued.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{Span, field::display};

use super::{Service, answer::Rejection};
use crate::{
    auth::Bearer,
    domain::access::Caller,
    graphql::{Code, Error},
    types::{ApiTokenId, TrafficLimits},
};

/// From so many tokens on, those that have nothing under way are forgotten.
const MAX_TRACKED_TOKENS: usize = 1024;

/// What a token may send at once that has sent nothing for a while: the requests of one second.
const MAX_BURST: Duration = Duration::from_secs(1);

/// Lets requests in.
#[derive(Debug)]
pub(super) struct Admission {
    limits: TrafficLimits,
    all: Arc<Semaphore>,
    tokens: Arc<Mutex<HashMap<ApiTokenId, Traffic>>>,
}

/// What one token has under way.
#[derive(Debug)]
struct Traffic {
    running: usize,
    /// When the requests that were let in would have been, had they come at the pace that is allowed.
    gcra_tat: Instant,
}

/// What a request takes until it is done.
pub(super) type RequestPermit = (GlobalPermit, Option<TokenPermit>);

impl Service {
    /// Lets a request in, unless there are too many, or its token is none or has too many.
    pub(super) async fn admit(&self, bearer: Bearer, started: Instant) -> Result<(Caller, RequestPermit), Rejection> {
        let place = self.admission.acquire()?;
        let app = self.app.until(started + self.app.limits.time.query);
        let caller = self.tokens.caller(&app, &self.tasks, bearer).await?;
        let Some(token) = caller.token() else { return Ok((caller, (place, None))) };
        Span::current().record("token", display(token));
        let turn = self.admission.acquire_for_token(token)?;
        Ok((caller, (place, Some(turn))))
    }
}

impl Service {
    /// Lets in what a caller asks for over a connection that he has.
    pub(super) fn admit_operation(&self, caller: &Caller) -> Result<RequestPermit, Error> {
        let turn = caller.token().map(|token| self.admission.acquire_for_token(token)).transpose()?;
        Ok((self.admission.acquire()?, turn))
    }
}

/// A place among all requests. Dropped, it is free for another.
#[derive(Debug)]
pub(super) struct GlobalPermit(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

/// A place among the requests of a token. Dropped, it is free for another.
#[derive(Debug)]
pub(super) struct TokenPermit {
    token: ApiTokenId,
    tokens: Arc<Mutex<HashMap<ApiTokenId, Traffic>>>,
}

impl Admission {
    pub(super) fn new(limits: TrafficLimits) -> Self {
        Self { limits, all: Arc::new(Semaphore::new(limits.requests)), tokens: Arc::default() }
    }

    /// Lets a request in whose caller is not known yet.
    pub(super) fn acquire(&self) -> Result<GlobalPermit, Error> {
        let place = Arc::clone(&self.all).try_acquire_owned();
        place.map(GlobalPermit).map_err(|_| {
            let message = format!(
                "the server handles its maximum of {} requests (MEMBERBASE_MAX_REQUESTS)",
                self.limits.requests
            );
            Error::new(Code::ServiceUnavailable, message)
        })
    }

    /// Lets a request of a token in.
    pub(super) fn acquire_for_token(&self, token: ApiTokenId) -> Result<TokenPermit, Error> {
        let now = Instant::now();
        let mut tokens = lock(&self.tokens);
        if tokens.len() >= MAX_TRACKED_TOKENS {
            tokens.retain(|_, traffic| traffic.running > 0 || traffic.gcra_tat > now);
        }
        let traffic = tokens.entry(token).or_insert(Traffic { running: 0, gcra_tat: now });
        let most = self.limits.requests_per_token;
        if traffic.running >= most {
            let message =
                format!("this token has its maximum of {most} running requests (MEMBERBASE_MAX_REQUESTS_PER_TOKEN)");
            return Err(Error::new(Code::ServiceUnavailable, message));
        }
        if let Some(most) = self.limits.requests_per_second {
            let gcra_tat = traffic.gcra_tat.max(now) + Duration::from_secs(1) / most.get();
            if gcra_tat > now + MAX_BURST {
                let message =
                    format!("this token exceeds {most} requests per second (MEMBERBASE_MAX_REQUESTS_PER_SECOND)");
                return Err(Error::new(Code::RateLimited, message));
            }
            traffic.gcra_tat = gcra_tat;
        }
        traffic.running += 1;
        Ok(TokenPermit { token, tokens: Arc::clone(&self.tokens) })
    }
}

impl Drop for TokenPermit {
    fn drop(&mut self) {
        if let Some(traffic) = lock(&self.tokens).get_mut(&self.token) {
            traffic.running -= 1;
        }
    }
}

fn lock(tokens: &Mutex<HashMap<ApiTokenId, Traffic>>) -> MutexGuard<'_, HashMap<ApiTokenId, Traffic>> {
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

    fn admission(requests: usize, requests_per_token: usize, requests_per_second: u32) -> Admission {
        let requests_per_second = std::num::NonZero::new(requests_per_second);
        Admission::new(TrafficLimits { requests, requests_per_token, requests_per_second, batch: None })
    }

    #[test]
    fn places_are_given_back() {
        let admission = admission(2, 9, 0);
        let (first, _second) = (admission.acquire().expect("a place"), admission.acquire().expect("a place"));
        let refused = admission.acquire().expect_err("the third");
        assert_eq!(refused.code(), Code::ServiceUnavailable);
        assert!(refused.message().contains("2 requests"), "{}", refused.message());
        drop(first);
        admission.acquire().expect("a place that is free again");
    }

    #[test]
    fn a_token_takes_no_turn_from_another() {
        let admission = admission(9, 1, 0);
        let (one, other) = (token(), token());
        let turn = admission.acquire_for_token(one).expect("a turn");
        assert_eq!(admission.acquire_for_token(one).expect_err("the second").code(), Code::ServiceUnavailable);
        let _turn = admission.acquire_for_token(other).expect("a turn of another");
        drop(turn);
        admission.acquire_for_token(one).expect("a turn that is free again");
    }

    #[test]
    fn a_token_sends_so_many_a_second() {
        let admission = admission(99, 99, 20);
        let (one, other) = (token(), token());
        let admit = |token| (0..50).filter(|_| admission.acquire_for_token(token).is_ok()).count();
        let first = admit(one);
        // A slow machine lets some more in meanwhile.
        assert!((20..40).contains(&first), "{first}");
        assert_eq!(admission.acquire_for_token(one).expect_err("too many").code(), Code::RateLimited);
        assert!(admit(other) >= 20);
        std::thread::sleep(Duration::from_millis(150));
        assert!((2..10).contains(&admit(one)));
    }

    #[test]
    fn those_without_traffic_are_forgotten() {
        let admission = admission(99, 9, 0);
        let _running = admission.acquire_for_token(token()).expect("a turn");
        for _ in 0..3 * MAX_TRACKED_TOKENS {
            admission.acquire_for_token(token()).expect("a turn");
        }
        assert!(lock(&admission.tokens).len() <= MAX_TRACKED_TOKENS);
    }
}
