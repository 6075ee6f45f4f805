//! Limits the number of connections with subscriptions, in total and per token.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    graphql::{Code, Error},
    http::watch::Watch,
    metrics::Transport,
    types::{ApiTokenId, LiveLimits},
};

/// Lets connections in that go on.
#[derive(Debug)]
pub(in crate::http) struct Places {
    limits: LiveLimits,
    all: Arc<Semaphore>,
    tokens: Arc<Mutex<HashMap<ApiTokenId, usize>>>,
}

/// A place among all of them. Dropped, it is free for another.
pub(in crate::http) struct Place {
    watch: Watch,
    transport: Transport,
    _permit: OwnedSemaphorePermit,
}

/// A place among those of a token. Dropped, it is free for another.
#[derive(Debug)]
pub(in crate::http) struct Turn {
    token: ApiTokenId,
    tokens: Arc<Mutex<HashMap<ApiTokenId, usize>>>,
}

impl Places {
    pub(in crate::http) fn new(limits: LiveLimits) -> Self {
        Self { limits, all: Arc::new(Semaphore::new(limits.connections)), tokens: Arc::default() }
    }

    /// Lets a connection in, whoever has it.
    pub(in crate::http) fn enter(&self, transport: Transport, watch: &Watch) -> Result<Place, Error> {
        let permit = Arc::clone(&self.all).try_acquire_owned().map_err(|_| {
            let most = self.limits.connections;
            let message = format!(
                "the server has its maximum of {most} connections with subscriptions (MEMBERBASE_MAX_LIVE_CONNECTIONS)"
            );
            Error::new(Code::ServiceUnavailable, message)
        })?;
        watch.metrics().connected(transport);
        Ok(Place { watch: watch.clone(), transport, _permit: permit })
    }

    /// Lets a connection of a token in.
    pub(in crate::http) fn take_turn(&self, token: ApiTokenId) -> Result<Turn, Error> {
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
        Ok(Turn { token, tokens: Arc::clone(&self.tokens) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.watch.metrics().disconnected(self.transport);
    }
}

impl Drop for Turn {
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
