//! `/import/ID`: an import whose client has chosen an id can be watched and cancelled.

use std::{sync::Arc, time::Instant};

use axum::{
    Extension,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderValue, Method, StatusCode, request},
    response::Response,
};
use hyper::body::Body as _;
use tracing::Span;
use uuid::Uuid;

use super::{
    event::{self, Failure},
    parameters, reject,
};
use crate::{
    app::App,
    auth::Bearer,
    domain::{access::Access, import},
    graphql::Code,
    http::{Service, rejection::Rejection, request_metrics::RequestMetrics, response, trace_id::TraceId},
    metrics::{Api, Type},
};

/// The names of the operations in the log and in the metrics.
pub(in crate::http) const WATCH: &str = "watchImport";
pub(in crate::http) const CANCEL: &str = "cancelImport";

pub(super) const METHODS: &str = "GET, DELETE";

pub(in crate::http) async fn serve(
    State(service): State<Arc<Service>>,
    Extension(trace): Extension<TraceId>,
    Extension(metrics): Extension<RequestMetrics>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    metrics.set_api(Api::Import);
    let (head, body) = request.into_parts();
    match service.import_by_id(&head, &id, &trace, metrics).await {
        Ok(response) => response,
        Err(rejection) => reject(&rejection, &trace, !body.is_end_stream()),
    }
}

impl Service {
    async fn import_by_id(
        self: &Arc<Self>,
        head: &request::Parts,
        id: &str,
        trace: &TraceId,
        metrics: RequestMetrics,
    ) -> Result<Response, Rejection> {
        let set_operation = |kind, operation| {
            metrics.set_operation(kind, operation);
            Span::current().record("operation", operation);
        };
        match head.method {
            Method::GET => {
                set_operation(Type::Subscription, WATCH);
                self.watch_import(head, parameters::uuid("id", id)?, trace, metrics).await
            }
            Method::DELETE => {
                set_operation(Type::Mutation, CANCEL);
                self.cancel_import(head, parameters::uuid("id", id)?, trace, &metrics).await
            }
            _ => Err(Rejection::method(METHODS, format!("the method must be one of {METHODS}"))),
        }
    }

    async fn cancel_import(
        &self,
        head: &request::Parts,
        id: Uuid,
        trace: &TraceId,
        metrics: &RequestMetrics,
    ) -> Result<Response, Rejection> {
        let started = Instant::now();
        let bearer = Bearer::of_request(head)?;
        let (caller, permit) = self.admit(&head.extensions, bearer, started).await?;
        let visibility = caller.authorize_visible(Access::Write)?;
        let tenant = caller.tenant();
        let request = self.receive_part(caller, bearer, Arc::new(permit), 0).await?;
        let failure = Failure::new(Code::Conflict, "the import was cancelled");
        let last_event = event::failed(&failure, trace, None);
        let cancel =
            |app: App| async move { import::cancel(&app.for_tenant(tenant), visibility, id, &last_event).await };
        self.run_mutation(&request, false, metrics, cancel).await??;
        let media = HeaderValue::from_static(super::EVENTS);
        let mut response = response::build(StatusCode::NO_CONTENT, media, Body::empty(), None);
        response.headers_mut().remove(axum::http::header::CONTENT_TYPE);
        Ok(response)
    }
}
