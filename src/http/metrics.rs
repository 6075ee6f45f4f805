//! `GET /metrics`, in the text format of Prometheus.

use std::{sync::Arc, time::Instant};

use axum::{
    Extension,
    extract::{Request, State},
    http::{Extensions, HeaderMap, HeaderValue, StatusCode},
    response::Response,
};
use hyper::body::Body as _;

use super::{Service, negotiate::MediaType, rejection::Rejection, response, trace_id::TraceId};
use crate::{
    auth::Bearer,
    domain::access::{Access, GlobalScope},
    graphql::Error,
    metrics::CONTENT_TYPE,
};

pub(super) async fn serve(
    State(service): State<Arc<Service>>,
    Extension(trace): Extension<TraceId>,
    request: Request,
) -> Response {
    match service.authorize_metrics(request.headers(), request.extensions()).await {
        Ok(_) => {
            let content_type = HeaderValue::from_static(CONTENT_TYPE);
            response::build(StatusCode::OK, content_type, service.metrics.text(), None)
        }
        Err(rejection) => rejection.close_after(!request.body().is_end_stream()).respond(MediaType::Json, &trace),
    }
}

impl Service {
    /// Rejects a token that is bound to a memberbase, because the metrics cover all of them.
    async fn authorize_metrics(&self, headers: &HeaderMap, extensions: &Extensions) -> Result<GlobalScope, Rejection> {
        let bearer = Bearer::of(headers)?;
        let (caller, _permit) = self.admit(extensions, bearer, Instant::now()).await?;
        caller.authorize_global(Access::Read).map_err(|error| {
            let error = Error::from(error);
            Rejection::with_status(StatusCode::FORBIDDEN, error.code(), error.message())
        })
    }
}
