//! Liveness and readiness probes, for process supervisors and load balancers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Extension, extract::State, response::Response};

use super::{Service, negotiate::MediaType, rejection::Rejection, response, trace_id::TraceId};
use crate::graphql::{Code, Error};

/// Time limit of the readiness check, which probes have to allow.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Returns 200 while the process runs, whatever the state of the database: a restart does not repair that.
pub(super) async fn live() -> Response {
    response::constant("text/plain; charset=utf-8", "ok")
}

/// Returns 200 if the database can be reached, has all tables of this version and takes writes.
pub(super) async fn ready(State(service): State<Arc<Service>>, Extension(trace): Extension<TraceId>) -> Response {
    let deadline = Instant::now() + PROBE_TIMEOUT;
    let db = service.app.db.with_deadline(deadline);
    let problem = match tokio::time::timeout_at(deadline.into(), db.not_ready_reason()).await {
        Ok(Ok(None)) => return response::constant("text/plain; charset=utf-8", "ok"),
        Ok(Ok(Some(problem))) => problem,
        Ok(Err(cause)) => {
            tracing::warn!(%cause, "the database is unavailable");
            "the database is unavailable"
        }
        Err(_) => "the database does not respond",
    };
    Rejection::from(Error::new(Code::ServiceUnavailable, problem)).respond(MediaType::Json, &trace)
}
