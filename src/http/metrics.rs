//! `GET /metrics`, in the text format of Prometheus.

use std::{sync::Arc, time::Instant};

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::Response,
};
use hyper::body::Body as _;

use super::{Service, negotiate::MediaType, rejection::Rejection, request_metrics::RequestMetrics, trace_id::TraceId};
use crate::{
    auth::Bearer,
    domain::access::{Access, GlobalScope},
    graphql::Error,
    metrics,
};

pub(super) async fn serve(
    State(service): State<Arc<Service>>,
    Extension(trace): Extension<TraceId>,
    Extension(metrics): Extension<RequestMetrics>,
    request: Request,
) -> Response {
    if let Err(rejection) = service.authorize_metrics(request.headers()).await {
        return rejection.close_after(!request.body().is_end_stream()).respond(MediaType::Json, &trace);
    }
    let mut response = Response::new(Body::from(metrics.server().text()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Service {
    /// Rejects a token that is bound to a memberbase, because the metrics cover all of them.
    async fn authorize_metrics(&self, headers: &HeaderMap) -> Result<GlobalScope, Rejection> {
        let (caller, _permit) = self.admit(Bearer::of(headers)?, Instant::now()).await?;
        caller.authorize_global(Access::Read).map_err(|error| {
            let error = Error::from(error);
            Rejection::with_status(StatusCode::FORBIDDEN, error.code(), error.message())
        })
    }
}
