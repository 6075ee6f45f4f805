//! Limits the number of connections with subscriptions, in total and per token.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    graphql::{Code, Error},
    http::request_metrics::RequestMetrics,
    metrics::Transport,
    types::{ApiTokenId, LiveLimits},
};

/// Lets connections in that go on.
#[derive(Debug)]
pub(in crate::http) struct LiveConnections {
    limits: LiveLimits,
    all: Arc<Semaphore>,
    tokens: Arc<Mutex<HashMap<ApiTokenId, usize>>>,
}

/// A place among all of them. Dropped, it is free for another.
pub(in crate::http) struct GlobalPermit {
    metrics: RequestMetrics,
    transport: Transport,
    _permit: OwnedSemaphorePermit,
}

/// A place among those of a token. Dropped, it is free for another.
#[derive(Debug)]
pub(in crate::http) struct TokenPermit {
    token: ApiTokenId,
    tokens: Arc<Mutex<HashMap<ApiTokenId, usize>>>,
}

impl LiveConnections {
    pub(in crate::http) fn new(limits: LiveLimits) -> Self {
        Self { limits, all: Arc::new(Semaphore::new(limits.connections)), tokens: Arc::default() }
    }

    /// Lets a connection in, whoever has it.
    pub(in crate::http) fn acquire(
        &self,
        transport: Transport,
        metrics: &RequestMetrics,
    ) -> Result<GlobalPermit, Error> {
        let permit = Arc::clone(&self.all).try_acquire_owned().map_err(|_| {
            let most = self.limits.connections;
            let message = format!(
                "the server has its maximum of {most} connections with subscriptions (MEMBERBASE_MAX_LIVE_CONNECTIONS)"
            );
            Error::new(Code::ServiceUnavailable, message)
        })?;
        metrics.of_server().connected(transport);
        Ok(GlobalPermit { metrics: metrics.clone(), transport, _permit: permit })
    }

    /// Lets a connection of a token in.
    pub(in crate::http) fn acquire_for_token(&self, token: ApiTokenId) -> Result<TokenPermit, Error> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = tokens.get(&token).copied().unwrap_or_default();
        let most = self.limits.connections_per_token;
        if taken >= most {
            let message = format!(
                "this token has its maximum of {most} connections with subscriptions (MEMBERBASE_MAX_LIVE_CONNECTIONS_PER_TOKEN)"
            );
            return Err(Error::new(Code::ServiceUnavailable, message));
        }
        tokens.insert(token, taken + 1);
        Ok(TokenPermit { token, tokens: Arc::clone(&self.tokens) })
    }
}

impl Drop for GlobalPermit {
    fn drop(&mut self) {
        self.metrics.of_server().disconnected(self.transport);
    }
}

impl Drop for TokenPermit {
    fn drop(&mut self) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = tokens.get_mut(&self.token) {
            *taken -= 1;
            if *taken == 0 {
                tokens.remove(&self.token);
            }
        }
    }
}
