//! Admission control: authenticates the caller, and limits the number and rate of requests.

use std::time::Instant;

use axum::http::Extensions;
use tracing::{Span, field::display};

use super::{Service, connections, permits::Permit, rejection::Rejection};
use crate::{auth::Bearer, domain::access::Caller, graphql::Error};

/// The permit that a request holds until it is done.
#[derive(Debug)]
pub(super) struct RequestPermit(#[expect(dead_code, reason = "it is held")] Permit);

impl Service {
    /// Admits a request with these extensions: authenticates its caller and issues its permit. Looking up a token costs a
    /// statement, so the global limit comes first.
    pub(super) async fn admit(
        &self,
        extensions: &Extensions,
        bearer: Bearer,
        started: Instant,
    ) -> Result<(Caller, RequestPermit), Rejection> {
        let permit = self.requests.acquire_anonymous()?;
        let app = self.app.until(started + self.app.limits.time.query);
        let caller = self.tokens.caller(&app, &self.tasks, bearer).await?;
        connections::authenticate(extensions)?;
        if let Some(token) = caller.token() {
            Span::current().record("token", display(token));
        }
        let permit = self.requests.identify(permit, &caller)?;
        Ok((caller, RequestPermit(permit)))
    }

    /// Admits an operation of an authenticated connection.
    pub(super) fn admit_operation(&self, caller: &Caller) -> Result<RequestPermit, Error> {
        self.requests.acquire(caller).map(RequestPermit)
    }
}
