//! `/publisher.v1/...`: the RPC API over HTTP. The cheapest checks come first, and no body is read before the caller is
//! authenticated.

use std::{
    sync::{Arc, LazyLock},
    time::Instant,
};

use axum::{
    Extension,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::Response,
};
use hyper::body::Body as _;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::{
    Service,
    admission::RequestPermit,
    answer::{self, Rejection},
    body::{self, Limit},
    graphql::{GRACE, LARGE},
    negotiate,
    request_metrics::{ErrorCode, RequestMetrics},
    text,
    trace::TraceId,
};
use crate::{
    auth::Bearer,
    metrics::{Api, Type},
    rpc::{Call, Code, Error, openapi},
};

/// Serves an endpoint, whatever the method.
pub(super) async fn serve(
    State(service): State<Arc<Service>>,
    Extension(trace): Extension<TraceId>,
    Extension(metrics): Extension<RequestMetrics>,
    Path(path): Path<String>,
    request: Request,
) -> Response {
    let unread = !request.body().is_end_stream();
    metrics.set_api(Api::Rpc);
    respond(service.call(&path, request, &metrics).await, "POST", &trace, unread)
}

fn respond(outcome: Result<Vec<u8>, Error>, allowed: &'static str, trace: &TraceId, unread: bool) -> Response {
    let failed = outcome.as_ref().err().map(|error| error.code().as_str());
    let (status, body) = match outcome {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => (error.code().status(), error.envelope(trace.as_str())),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    if let Some(code) = failed {
        response.extensions_mut().insert(ErrorCode(code));
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer::tell(status, headers);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
    }
    if unread && failed.is_some() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What there is to call, for everybody to read.
pub(super) async fn description() -> Response {
    static OPENAPI: LazyLock<String> = LazyLock::new(openapi);
    text("application/json", &OPENAPI)
}

/// The description, by another method.
pub(super) async fn description_only(Extension(trace): Extension<TraceId>, request: Request) -> Response {
    let error = Error::new(Code::MethodNotAllowed, "the method must be GET or HEAD");
    respond(Err(error), "GET, HEAD", &trace, !request.body().is_end_stream())
}

impl Service {
    async fn call(self: &Arc<Self>, path: &str, request: Request, metrics: &RequestMetrics) -> Result<Vec<u8>, Error> {
        let started = Instant::now();
        let place = self.endpoints.iter().position(|endpoint| endpoint.path == path);
        let place = place.ok_or_else(|| Error::new(Code::NotFound, "the endpoint does not exist"))?;
        let changes = self.endpoints[place].changes;
        metrics.set_operation(if changes { Type::Mutation } else { Type::Query }, path);
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            return Err(Error::new(Code::MethodNotAllowed, "the method must be POST"));
        }
        if !negotiate::is_json(&head.headers) {
            let message = "the content type must be application/json in UTF-8, without a content encoding";
            return Err(Error::new(Code::UnsupportedMediaType, message));
        }
        let limits = &self.app.limits;
        let (caller, permit) = self.admit(Bearer::of(&head.headers)?, started).await?;
        Span::current().record("operation", path);
        let time = if changes { limits.time.mutation } else { limits.time.query };
        let read = body::read(body, Limit::of(&caller, &limits.body));
        let body = timeout_at((started + time).into(), read).await.map_err(|_| body::body_timeout())??;
        let client = CancellationToken::new();
        let app = self.app.per_request(started + time, client.clone());
        // Dropped with this future, which ends with its answer or because the client has gone.
        let _client = client.drop_guard();
        metrics.set_row_counters(&app.rows);
        let call = Call { app, caller };
        self.run(place, call, body, started + time, permit).await
    }

    /// A change is never dropped in its middle, whoever hangs up: the database ends it when its time is over.
    async fn run(
        self: &Arc<Self>,
        place: usize,
        call: Call,
        body: Vec<u8>,
        deadline: Instant,
        permit: RequestPermit,
    ) -> Result<Vec<u8>, Error> {
        let endpoint = &self.endpoints[place];
        let running = if body.len() < LARGE {
            endpoint.call(call, &body)?
        } else {
            // A large body is parsed where it keeps nobody waiting.
            let service = Arc::clone(self);
            let task = tokio::task::spawn_blocking(move || service.endpoints[place].call(call, &body));
            task.await.unwrap_or_else(|_| Err(panicked()))?
        };
        let late = || Error::new(Code::ServiceUnavailable, "the request exceeded its time limit");
        if !endpoint.changes {
            return timeout_at(deadline.into(), running).await.map_err(|_| late())?;
        }
        let running = async move {
            let _permit = permit;
            running.await
        };
        let task = self.tasks.spawn(running.in_current_span());
        match timeout_at((deadline + GRACE).into(), task).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(panicked()),
            Err(_) => Err(late()),
        }
    }
}

fn panicked() -> Error {
    tracing::error!("request handler panicked");
    Error::new(Code::InternalError, "internal error")
}

/// Converts a rejection by a check that both APIs share.
impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        let (code, message) = rejection.first_error();
        let code = match code {
            crate::graphql::Code::Unauthenticated => Code::AuthenticationError,
            crate::graphql::Code::PayloadTooLarge => Code::PayloadTooLarge,
            crate::graphql::Code::RateLimited => Code::RateLimited,
            crate::graphql::Code::Timeout | crate::graphql::Code::ServiceUnavailable => Code::ServiceUnavailable,
            crate::graphql::Code::InternalServerError => Code::InternalError,
            _ => Code::BadRequest,
        };
        Self::new(code, message)
    }
}
