//! The state of a connection, which its stream, its requests and its WebSocket share.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use axum::http::Extensions;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::client_address::CountedAddress;
use crate::{
    graphql::{Code, Error},
    http::evicting_pool::Place,
};

/// A connection, as an extension of its requests.
#[derive(Clone, Debug)]
pub(in crate::http) struct ConnectionHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    authenticated: AuthenticatedPool,
    /// Cancelled if the connection has to make room for a new one.
    evicted: CancellationToken,
    /// The client's address; `None` for a trusted proxy.
    _address: Option<CountedAddress>,
    /// True while the client uploads a file, and may read nothing before it has sent all.
    uploads: AtomicBool,
    /// True while a response would look complete to some clients although it is not.
    has_incomplete_response: AtomicBool,
    state: Mutex<State>,
}

/// The upload of a file on a connection, until it is dropped. While it lasts, the connection has no time limit for progress: the
/// reader of the body limits its pauses, and what is written may wait for as long as the client sends.
#[derive(Debug)]
pub(in crate::http) struct Upload(ConnectionHandle);

impl Drop for Upload {
    fn drop(&mut self) {
        self.0.0.uploads.store(false, Ordering::Relaxed);
    }
}

/// A streamed response that is incomplete until [`Self::complete`]. If the connection ends before, it is reset: to a client of
/// HTTP/1.0, such as some proxies, the end of a connection is that of a complete response.
#[derive(Debug)]
pub(in crate::http) struct IncompleteResponse(ConnectionHandle);

impl IncompleteResponse {
    pub(in crate::http) fn complete(&self) {
        self.0.0.has_incomplete_response.store(false, Ordering::Relaxed);
    }
}

/// Places for connections that have sent a valid token.
#[derive(Clone, Debug)]
pub(super) struct AuthenticatedPool {
    places: Arc<Semaphore>,
    max: usize,
}

#[derive(Debug)]
struct State {
    membership: Membership,
    phase: Phase,
    /// Number of requests so far.
    requests: u64,
    /// The client behind a trusted proxy, if the proxy has turned its connection over to that client's WebSocket.
    client: Option<CountedAddress>,
}

/// The pool that a connection belongs to.
#[derive(Debug)]
enum Membership {
    Unauthenticated(Place),
    Authenticated(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit),
}

/// The phase of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It waits for the head of a request; the number of requests before it.
    BetweenRequests(u64),
    InRequest,
    /// It is a WebSocket.
    Upgraded {
        authenticated: bool,
    },
}

/// A request in progress, until its response is written or discarded.
#[derive(Debug)]
pub(super) struct RunningRequest {
    connection: ConnectionHandle,
    client: Option<CountedAddress>,
}

impl AuthenticatedPool {
    pub(super) fn new(max: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(max)), max }
    }
}

impl ConnectionHandle {
    pub(super) fn new(place: Place, authenticated: AuthenticatedPool, address: Option<CountedAddress>) -> Self {
        let evicted = place.evicted().clone();
        let membership = Membership::Unauthenticated(place);
        let state = State { membership, phase: Phase::BetweenRequests(0), requests: 0, client: None };
        let (uploads, has_incomplete_response) = (AtomicBool::new(false), AtomicBool::new(false));
        let state = Mutex::new(state);
        Self(Arc::new(Shared { authenticated, evicted, _address: address, uploads, has_incomplete_response, state }))
    }

    /// Records that the body of the present request is a file.
    pub(in crate::http) fn begin_upload(&self) -> Upload {
        self.0.uploads.store(true, Ordering::Relaxed);
        Upload(self.clone())
    }

    pub(super) fn is_uploading(&self) -> bool {
        self.0.uploads.load(Ordering::Relaxed)
    }

    /// Records that the response to the present request is streamed.
    pub(in crate::http) fn begin_stream(&self) -> IncompleteResponse {
        self.0.has_incomplete_response.store(true, Ordering::Relaxed);
        IncompleteResponse(self.clone())
    }

    pub(super) fn has_incomplete_response(&self) -> bool {
        self.0.has_incomplete_response.load(Ordering::Relaxed)
    }

    /// Completes if the connection has to make room for a new one.
    pub(in crate::http) async fn evicted(&self) {
        self.0.evicted.cancelled().await;
    }

    /// Records that the connection has sent a valid token: from now on it is not closed in favour of others.
    pub(in crate::http) fn authenticate(&self) -> Result<(), Error> {
        let mut state = self.lock();
        if matches!(state.membership, Membership::Authenticated(_)) {
            return Ok(());
        }
        let AuthenticatedPool { places, max } = &self.0.authenticated;
        let permit = Arc::clone(places).try_acquire_owned().map_err(|_| {
            let message =
                format!("the server has its maximum of {max} authenticated connections (MEMBERBASE_MAX_CONNECTIONS)");
            Error::new(Code::ServiceUnavailable, message)
        })?;
        state.membership = Membership::Authenticated(permit);
        if let Phase::Upgraded { authenticated } = &mut state.phase {
            *authenticated = true;
        }
        Ok(())
    }

    pub(super) fn phase(&self) -> Phase {
        self.lock().phase
    }

    /// Records the begin of a request.
    pub(super) fn begin_request(&self) -> RunningRequest {
        let mut state = self.lock();
        state.requests += 1;
        state.phase = Phase::InRequest;
        if let Membership::Unauthenticated(place) = &mut state.membership {
            place.set_busy();
        }
        RunningRequest { connection: self.clone(), client: None }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Authenticates the connection of a request; a request without a connection is one of a test.
pub(in crate::http) fn authenticate(extensions: &Extensions) -> Result<(), Error> {
    extensions.get::<ConnectionHandle>().map_or(Ok(()), ConnectionHandle::authenticate)
}

impl RunningRequest {
    /// Counts the request for a client behind a trusted proxy.
    pub(super) fn set_client(&mut self, client: CountedAddress) {
        self.client = Some(client);
    }

    /// Records that the response turns the connection into a WebSocket.
    pub(super) fn upgrade(mut self) {
        let mut state = self.connection.lock();
        let authenticated = matches!(state.membership, Membership::Authenticated(_));
        state.phase = Phase::Upgraded { authenticated };
        state.client = self.client.take();
    }
}

impl Drop for RunningRequest {
    fn drop(&mut self) {
        let mut state = self.connection.lock();
        if state.phase == Phase::InRequest {
            state.phase = Phase::BetweenRequests(state.requests);
        }
        if let Membership::Unauthenticated(place) = &mut state.membership {
            place.set_waiting();
        }
    }
}
