//! Authentication: from the `Authorization` header of a request to its caller, with a cache of valid tokens.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, header::AUTHORIZATION, request};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use crate::{
    app::App,
    domain::{
        Error,
        access::Caller,
        api_token::{self, Proof, SecretHash},
    },
    types::Time,
};

/// Maximum length of a secret. Issued ones are much shorter; longer ones are rejected without a look-up.
const MAX_SECRET_BYTES: usize = 256;

/// Time for which a valid token is cached: a token that was revoked through another server may be used this much longer.
const CACHE_LIFETIME: Duration = Duration::from_secs(1);

/// Time limit of the check whether a token is still valid.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Time limit of storing the last use of a token.
const LAST_USED_TIMEOUT: Duration = Duration::from_secs(60);

/// Number of cached tokens from which expired entries are removed.
const MAX_CACHED_TOKENS: usize = 1024;

/// A cache of recently used tokens. It contains only valid tokens, so it is never larger than their number.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<HashMap<SecretHash, CachedToken>>);

/// The proof of a request's caller.
#[derive(Clone, Copy)]
pub(crate) enum Bearer {
    /// A token, hashed.
    Token(SecretHash),
    /// The process of the operator, which sends the request to itself.
    Operator,
}

/// Marks a request of the operator, as an extension: no request that arrives over the network can have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operator;

struct CachedToken {
    caller: Caller,
    /// [`App::token_changes`] before the database was read.
    changes: u64,
    until: Instant,
    /// The last time at which its use was stored, or storing was attempted.
    recorded_use: Option<Time>,
}

impl Tokens {
    /// Returns the caller of a token; `Unauthenticated` if it is not valid. A task in `tasks` stores the token's last
    /// use.
    pub(crate) async fn caller(&self, app: &App, tasks: &TaskTracker, bearer: Bearer) -> Result<Caller, Error> {
        let Bearer::Token(secret) = bearer else { return Ok(Caller::operator()) };
        let changes = app.token_changes();
        if let Some(caller) = self.cached(secret, changes) {
            return Ok(caller);
        }
        let untracked = app.untracked();
        let Proof { caller, expires_at, last_used_at } = match api_token::authenticate(&untracked, secret).await {
            Err(error) => {
                self.cache().remove(&secret);
                return Err(error);
            }
            Ok(proof) => proof,
        };
        let now = Time::now();
        let micros_left = expires_at.map_or(i64::MAX, |time| time.micros() - now.micros());
        let lifetime = CACHE_LIFETIME.min(Duration::from_micros(micros_left.max(0).cast_unsigned()));
        let mut cache = self.cache();
        if cache.len() >= MAX_CACHED_TOKENS {
            cache.retain(|_, cached| cached.until > Instant::now());
        }
        let mut recorded_use = cache.get(&secret).and_then(|cached| cached.recorded_use).max(last_used_at);
        let stale = api_token::needs_last_used_update(recorded_use, now);
        if stale {
            recorded_use = Some(now);
        }
        let until = Instant::now() + lifetime;
        cache.insert(secret, CachedToken { caller: caller.clone(), changes, until, recorded_use });
        drop(cache);
        if stale && let Some(token) = caller.token() {
            // The request does not wait for this: SQLite's writer may be busy for a long time.
            let app = untracked.until(Instant::now() + LAST_USED_TIMEOUT);
            tasks.spawn(async move {
                if let Err(error) = api_token::update_last_used(&app, token).await {
                    tracing::warn!(%token, ?error, "storing the last use of a token failed");
                }
            });
        }
        Ok(caller)
    }

    /// Waits until a valid token is revoked, expired or deleted. While the database does not respond, the token counts
    /// as valid, and nothing is written.
    pub(crate) async fn end(&self, app: &App, tasks: &TaskTracker, bearer: Bearer) {
        let mut changes = app.watch_tokens();
        loop {
            tokio::select! {
                () = sleep(CACHE_LIFETIME) => {}
                Ok(()) = changes.changed() => {}
            }
            let app = app.until(Instant::now() + LOOKUP_TIMEOUT);
            if matches!(self.caller(&app, tasks, bearer).await, Err(Error::Unauthenticated)) {
                return;
            }
        }
    }

    fn cached(&self, secret: SecretHash, changes: u64) -> Option<Caller> {
        let cache = self.cache();
        let cached = cache.get(&secret)?;
        (cached.changes == changes && Instant::now() < cached.until).then(|| cached.caller.clone())
    }

    fn cache(&self) -> MutexGuard<'_, HashMap<SecretHash, CachedToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bearer {
    /// Returns what authenticates a request: its header, unless the operator's process has sent it.
    pub(crate) fn of_request(head: &request::Parts) -> Result<Self, Error> {
        if head.extensions.get::<Operator>().is_some() { Ok(Self::Operator) } else { Self::of(&head.headers) }
    }

    /// Reads the header `Authorization: Bearer <secret>` (RFC 6750, section 2.1); `Unauthenticated` if it is missing,
    /// malformed or repeated.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        };
        value.and_then(Self::read).ok_or(Error::Unauthenticated)
    }

    /// Reads the value of an `Authorization` header.
    pub(crate) fn read(value: &str) -> Option<Self> {
        secret(value).map(SecretHash::of).map(Self::Token)
    }
}

fn secret(value: &str) -> Option<&str> {
    let (scheme, secret) = value.split_once(' ')?;
    let secret = secret.trim_matches(' ');
    let fits = (1..=MAX_SECRET_BYTES).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic());
    (scheme.eq_ignore_ascii_case("bearer") && fits).then_some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, value.parse().expect("a header's value"))).collect()
    }

    #[test]
    fn bearer_tokens_are_accepted() {
        for value in ["Bearer s3cret", "bearer s3cret", "BEARER   s3cret"] {
            assert_eq!(secret(value), Some("s3cret"), "{value}");
            assert!(Bearer::of(&headers(&[value])).is_ok(), "{value}");
        }
    }

    #[test]
    fn anything_else_is_rejected() {
        let long = format!("Bearer {}", "x".repeat(MAX_SECRET_BYTES + 1));
        for values in [
            &[][..],
            &[""],
            &["Bearer"],
            &["Bearer "],
            &["Bearer a b"],
            &["Bearer a\tb"],
            &["Bearers3cret"],
            &["Basic s3cret"],
            &["s3cret"],
            &["Bearer s3cr\u{e9}t"],
            &[&long],
            &["Bearer a", "Bearer a"],
        ] {
            assert!(Bearer::of(&headers(values)).is_err(), "{values:?}");
        }
    }
}
