//! From a request's head to its caller.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, header::AUTHORIZATION};
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

/// No secret of ours is nearly as long; what is longer is not looked up.
const MAX_SECRET_BYTES: usize = 256;

/// How long a token is believed without a look at the database: so long a token may go on that was ended elsewhere.
const CACHE_LIFETIME: Duration = Duration::from_secs(1);

/// How long a look for the end of a token may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long noting the use of a token may take.
const LAST_USED_TIMEOUT: Duration = Duration::from_secs(60);

/// From so many on, those that are not believed any more are forgotten.
const MAX_CACHED_TOKENS: usize = 1024;

/// The tokens that were seen lately. Only valid ones are remembered, so there are never more than there are tokens.
#[derive(Default)]
pub struct Tokens(Mutex<HashMap<SecretHash, Seen>>);

/// A secret that came with a request.
#[derive(Clone, Copy)]
pub struct Bearer(SecretHash);

struct Seen {
    caller: Caller,
    /// [`App::token_changes`] before the database was asked.
    changes: u64,
    until: Instant,
    /// When its use was last noted, or tried to be.
    noted: Option<Time>,
}

impl Tokens {
    /// The caller who carries the token; `Unauthenticated` where it is not valid. That the token is used is noted by a task
    /// of `tasks`.
    pub async fn caller(&self, app: &App, tasks: &TaskTracker, bearer: Bearer) -> Result<Caller, Error> {
        let Bearer(secret) = bearer;
        let changes = app.token_changes();
        if let Some(caller) = self.believed(secret, changes) {
            return Ok(caller);
        }
        let aside = app.untracked();
        let Proof { caller, expires_at, last_used_at } = match api_token::authenticate(&aside, secret).await {
            Err(error) => {
                self.seen().remove(&secret);
                return Err(error);
            }
            Ok(proof) => proof,
        };
        let now = Time::now();
        let left = expires_at.map_or(i64::MAX, |time| time.micros() - now.micros());
        let believed = CACHE_LIFETIME.min(Duration::from_micros(left.max(0).cast_unsigned()));
        let mut seen = self.seen();
        if seen.len() >= MAX_CACHED_TOKENS {
            seen.retain(|_, seen| seen.until > Instant::now());
        }
        let noted = seen.get(&secret).and_then(|seen| seen.noted).max(last_used_at);
        let stale = api_token::needs_last_used_update(noted, now);
        let until = Instant::now() + believed;
        let noted = if stale { Some(now) } else { noted };
        seen.insert(secret, Seen { caller: caller.clone(), changes, until, noted });
        drop(seen);
        if stale && let Some(token) = caller.token() {
            // Nobody waits for it: SQLite's writer may be busy for long.
            let app = aside.until(Instant::now() + LAST_USED_TIMEOUT);
            tasks.spawn(async move {
                if let Err(error) = api_token::update_last_used(&app, token).await {
                    tracing::warn!(%token, ?error, "the use of a token was not noted");
                }
            });
        }
        Ok(caller)
    }

    /// Waits for the end of a token that was valid: that it is revoked, past its time or deleted. While the database does not
    /// answer it is believed; nothing is written meanwhile.
    pub async fn end(&self, app: &App, tasks: &TaskTracker, bearer: Bearer) {
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

    fn believed(&self, secret: SecretHash, changes: u64) -> Option<Caller> {
        let seen = self.seen();
        let seen = seen.get(&secret)?;
        (seen.changes == changes && Instant::now() < seen.until).then(|| seen.caller.clone())
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<SecretHash, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bearer {
    /// That of the one header `Authorization: Bearer <secret>` (RFC 6750, section 2.1); `Unauthenticated` where there is none.
    pub fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        };
        value.and_then(Self::read).ok_or(Error::Unauthenticated)
    }

    /// That of the value of such a header.
    pub fn read(value: &str) -> Option<Self> {
        secret(value).map(SecretHash::of).map(Self)
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
    fn a_bearer_token_is_read() {
        for value in ["Bearer s3cret", "bearer s3cret", "BEARER   s3cret"] {
            assert_eq!(secret(value), Some("s3cret"), "{value}");
            assert!(Bearer::of(&headers(&[value])).is_ok(), "{value}");
        }
    }

    #[test]
    fn anything_else_is_no_token() {
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
