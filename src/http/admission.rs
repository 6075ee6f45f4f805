//! Admission control: authenticates the caller, and limits the number and rate of requests.

use std::time::Instant;

use axum::http::Extensions;
use tracing::{Span, field::display};

use super::{
    Service, connections,
    permits::{GlobalPermit, TokenPermit},
    rejection::Rejection,
};
use crate::{auth::Bearer, domain::access::Caller, graphql::Error};

/// The permits that a request holds until it is done.
#[derive(Debug)]
#[expect(dead_code, reason = "it is held")]
pub(super) struct RequestPermit(GlobalPermit, Option<TokenPermit>);

impl Service {
    /// Admits a request with these extensions: authenticates its caller and issues its permit. Looking up a token costs a statement, so the
    /// global permit comes first.
    pub(super) async fn admit(
        &self,
        extensions: &Extensions,
        bearer: Bearer,
        started: Instant,
    ) -> Result<(Caller, RequestPermit), Rejection> {
        let permit = self.requests.acquire()?;
        let app = self.app.until(started + self.app.limits.time.query);
        let caller = self.tokens.caller(&app, &self.tasks, bearer).await?;
        connections::authenticate(extensions)?;
        let Some(token) = caller.token() else { return Ok((caller, RequestPermit(permit, None))) };
        Span::current().record("token", display(token));
        let token_permit = self.requests.acquire_for_token(token)?;
        Ok((caller, RequestPermit(permit, Some(token_permit))))
    }

    /// Admits an operation of an authenticated connection.
    pub(super) fn admit_operation(&self, caller: &Caller) -> Result<RequestPermit, Error> {
        let token_permit = caller.token().map(|token| self.requests.acquire_for_token(token)).transpose()?;
        Ok(RequestPermit(self.requests.acquire()?, token_permit))
    }
}
