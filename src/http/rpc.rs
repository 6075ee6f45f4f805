//! `/publisher.v1/...`: the RPC API over HTTP.

use std::{
    mem,
    sync::{Arc, LazyLock},
};

use axum::{
    Extension,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header::CONNECTION},
    response::Response,
};
use hyper::body::Body as _;
use tracing::Span;

use super::{
    Service, negotiate, pipeline, rejection::Rejection, request_metrics::RequestMetrics, response, trace_id::TraceId,
};
use crate::{
    app::App,
    graphql,
    metrics::{Api, Type},
    rpc::{Call, Code, Error},
};

/// Every call runs as a large operation: its cost is not estimated.
const IS_LARGE: bool = true;

/// A failed call, with a header to add to its response.
struct Failure {
    error: Error,
    header: Option<(HeaderName, &'static str)>,
}

pub(super) async fn serve(
    State(service): State<Arc<Service>>,
    Extension(trace): Extension<TraceId>,
    Extension(metrics): Extension<RequestMetrics>,
    Path(path): Path<String>,
    request: Request,
) -> Response {
    let has_body = !request.body().is_end_stream();
    metrics.set_api(Api::Rpc);
    match service.call(&path, request, &metrics).await {
        Ok(body) => response::build(StatusCode::OK, HeaderValue::from_static("application/json"), body, None),
        Err(failure) => failure.respond(&trace, has_body),
    }
}

/// Serves the OpenAPI document, which needs no token.
pub(super) async fn description() -> Response {
    static OPENAPI: LazyLock<String> = LazyLock::new(super::openapi);
    response::constant("application/json", &OPENAPI)
}

/// Rejects another method for the OpenAPI document.
pub(super) async fn description_only(Extension(trace): Extension<TraceId>, request: Request) -> Response {
    let rejection = Rejection::method("GET, HEAD", "the method must be GET or HEAD");
    Failure::from(rejection).respond(&trace, !request.body().is_end_stream())
}

impl Service {
    async fn call(&self, path: &str, request: Request, metrics: &RequestMetrics) -> Result<Body, Failure> {
        let endpoint = self.endpoints.iter().find(|endpoint| endpoint.path == path).map(Arc::clone);
        let endpoint = endpoint.ok_or_else(|| Error::new(Code::NotFound, "the endpoint does not exist"))?;
        let changes = endpoint.changes;
        metrics.set_operation(if changes { Type::Mutation } else { Type::Query }, path);
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            return Err(Rejection::method("POST", "the method must be POST").into());
        }
        negotiate::check_json(&head.headers)?;
        let mut request = self.receive(&head, body, |_| !changes).await?;
        Span::current().record("operation", path);
        let body = mem::take(&mut request.body);
        let parsed = pipeline::parse(body, &request.budget, move |body| endpoint.prepare(body).map_err(Failure::from));
        let parsed = parsed.await;
        let call = request.budget.exceeded().map_or(parsed, |exceeded| Err(Rejection::from(exceeded).into()))?;
        let caller = request.caller.clone();
        let run = |app: App| call(Call { app: app.for_tenant(caller.tenant()), caller });
        let output = if changes {
            self.run_mutation(&request, IS_LARGE, metrics, run).await?
        } else {
            self.run_query(request.started, &request.budget, IS_LARGE, run).await?
        };
        Ok(request.in_flight().body(output?))
    }
}

impl Failure {
    fn respond(self, trace: &TraceId, has_body: bool) -> Response {
        let Self { error, header } = self;
        let (code, body) = (error.code(), error.envelope(trace.as_str()));
        let json = HeaderValue::from_static("application/json");
        let mut response = response::build(code.status(), json, body, Some(code.as_str()));
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        if has_body {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, header: None }
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        let (code, message) = rejection.first_error();
        let code = match (rejection.status, code) {
            (Some(StatusCode::METHOD_NOT_ALLOWED), _) => Code::MethodNotAllowed,
            (Some(StatusCode::UNSUPPORTED_MEDIA_TYPE), _) => Code::UnsupportedMediaType,
            (_, graphql::Code::Unauthenticated) => Code::AuthenticationError,
            (_, graphql::Code::PayloadTooLarge) => Code::PayloadTooLarge,
            (_, graphql::Code::RateLimited) => Code::RateLimited,
            (_, graphql::Code::Timeout | graphql::Code::ServiceUnavailable) => Code::ServiceUnavailable,
            (_, graphql::Code::InternalServerError) => Code::InternalError,
            _ => Code::BadRequest,
        };
        Self { error: Error::new(code, message), header: rejection.header }
    }
}
