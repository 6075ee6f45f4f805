//! Liveness and readiness probes, for process supervisors and load balancers.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Extension, extract::State, response::Response};
use tokio::sync::Mutex;

use super::{Service, negotiate::MediaType, rejection::Rejection, response, trace_id::TraceId};
use crate::{
    app::App,
    graphql::{Code, Error},
};

/// Time limit of the readiness check, which probes have to allow.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Time for which the result of a readiness check is used. The check needs no token, so its cost must not depend on the
/// number of clients.
const RESULT_LIFETIME: Duration = Duration::from_secs(1);

/// Checks the database for all clients together. Those that arrive during a check wait for its result.
#[derive(Debug, Default)]
pub(super) struct Readiness(Mutex<Option<CheckResult>>);

#[derive(Clone, Copy, Debug)]
struct CheckResult {
    completed: Instant,
    problem: Option<&'static str>,
}

/// Returns 200 while the process runs, whatever the state of the database: a restart does not repair that.
pub(super) async fn live() -> Response {
    response::constant("text/plain; charset=utf-8", "ok")
}

/// Returns 200 if the database can be reached, has all tables of this version and takes writes.
pub(super) async fn ready(State(service): State<Arc<Service>>, Extension(trace): Extension<TraceId>) -> Response {
    match service.readiness.problem(&service.app).await {
        None => response::constant("text/plain; charset=utf-8", "ok"),
        Some(problem) => {
            Rejection::from(Error::new(Code::ServiceUnavailable, problem)).respond(MediaType::Json, &trace)
        }
    }
}

impl Readiness {
    /// Returns why the server is not ready; `None` if it is.
    async fn problem(&self, app: &App) -> Option<&'static str> {
        let mut last = self.0.lock().await;
        if let Some(CheckResult { completed, problem }) = *last
            && completed.elapsed() < RESULT_LIFETIME
        {
            return problem;
        }
        let problem = check(app).await;
        *last = Some(CheckResult { completed: Instant::now(), problem });
        problem
    }
}

async fn check(app: &App) -> Option<&'static str> {
    let deadline = Instant::now() + PROBE_TIMEOUT;
    let db = app.db.with_deadline(deadline);
    match tokio::time::timeout_at(deadline.into(), db.not_ready_reason()).await {
        Ok(Ok(problem)) => problem,
        Ok(Err(cause)) => {
            tracing::warn!(%cause, "the database is unavailable");
            Some("the database is unavailable")
        }
        Err(_) => Some("the database does not respond"),
    }
}
