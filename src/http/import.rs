//! `/import`: stores the members of a file of any size, and reports what happened as a stream of events.
//!
//! A task receives the body and a thread parses it, so that memory does not grow with the file. The rows are stored in
//! batches, several concurrently, each as a call of `bulkUpsertMembers` would store them; those with the same ref in the order
//! of the file ([`batches`]). Events never make the import wait: a client may read nothing before it has sent
//! everything ([`outbox`]).

mod attempt;
mod batch;
mod batches;
mod body;
mod checkpoints;
mod counts;
mod declaring;
mod description;
mod ending;
mod event;
mod inspect;
mod mirror;
mod outbox;
mod parameters;
mod reading;
mod rejected;
mod resource;
mod run;
mod watch;

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header::CONNECTION, request},
    response::Response,
};
use bytes::Bytes;
use futures_util::stream;
use hyper::body::Body as _;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::DropGuard;
use tracing::{Instrument, Span};

use self::{
    body::Incoming,
    event::Failure,
    inspect::InspectionJob,
    parameters::{InspectionParameters, Parameters, Requested},
    reading::Job,
    run::{Course, Import, Target},
};
use super::{
    Service, coding::Coding, connections::ConnectionHandle, expand::Expander, rejection::Rejection,
    request_metrics::RequestMetrics, response, trace_id::TraceId,
};
use crate::{
    auth::Bearer,
    domain::{self, access::Access, memberbase},
    members_file::columns::Mapping,
    metrics::{Api, Type},
};

pub(in crate::http) use self::{
    description::describe,
    resource::{CANCEL, WATCH, serve as serve_by_id},
};

/// The name of the operation in the log and in the metrics.
pub(super) const OPERATION: &str = "import";

const METHODS: &str = "POST, PUT";

/// The media type of events: a JSON object per line.
const EVENTS: &str = "application/x-ndjson";

/// Memory of an import besides its rows: chunks of the body, and events that wait for the client.
const BUFFER_BYTES: usize = 1 << 20;

/// An import has no deadline of its own.
const NO_DEADLINE: Duration = Duration::from_hours(24 * 365);

pub(super) async fn serve(
    State(service): State<Arc<Service>>,
    Extension(trace): Extension<TraceId>,
    Extension(metrics): Extension<RequestMetrics>,
    request: Request,
) -> Response {
    metrics.set_api(Api::Import);
    metrics.set_operation(Type::Mutation, OPERATION);
    Span::current().record("operation", OPERATION);
    let (head, body) = request.into_parts();
    let has_body = !body.is_end_stream();
    match service.import(head, body, &trace, metrics).await {
        Ok(response) => response,
        Err(rejection) => reject(&rejection, &trace, has_body),
    }
}

/// Returns the response to an import that did not begin: the event `failed`, with a status.
fn reject(rejection: &Rejection, trace: &TraceId, has_body: bool) -> Response {
    let (code, message) = rejection.first_error();
    let failure = Failure { code, message };
    let status = rejection.status.unwrap_or_else(|| failure.status());
    let event = event::line(&event::failed(&failure, trace, None));
    let mut response = response::build(status, HeaderValue::from_static(EVENTS), event, Some(code.as_str()));
    if let Some((name, value)) = &rejection.header {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if has_body {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

impl Service {
    /// Runs an import up to the beginning of its response.
    async fn import(
        self: &Arc<Self>,
        head: request::Parts,
        body: Body,
        trace: &TraceId,
        metrics: RequestMetrics,
    ) -> Result<Response, Rejection> {
        let started = Instant::now();
        if head.method != Method::POST && head.method != Method::PUT {
            return Err(Rejection::method(METHODS, format!("the method must be one of {METHODS}")));
        }
        let bearer = Bearer::of_request(&head)?;
        let (caller, permit) = self.admit(&head.extensions, bearer, started).await?;
        let requested = Requested::of(&head)?;
        let coding = Coding::of_body(&head.headers)?;
        let app = self.app.until(started + self.app.limits.time.query).for_tenant(caller.tenant());
        let (Requested::Import(Parameters { memberbase, .. })
        | Requested::Inspection(InspectionParameters { memberbase, .. })) = &requested;
        let memberbase =
            memberbase::get_by_id_or_name(&app, caller.authorize_visible(Access::Write)?, memberbase).await?;
        let import_permit = self.imports.acquire(&caller)?;
        let upload = head.extensions.get::<ConnectionHandle>().map(ConnectionHandle::begin_upload);
        let incoming = Incoming { body, max_pause: self.app.limits.import.pause, _upload: upload };
        let parameters = match requested {
            Requested::Import(parameters) => parameters,
            Requested::Inspection(parameters) => {
                let has_body = !incoming.body.is_end_stream();
                let schema = memberbase.attribute_schema;
                let job = InspectionJob { parameters, schema, started, permit: import_permit };
                let expander = coding.map(Expander::new).transpose();
                let expander = expander.map_err(|error| domain::Error::Internal(error.into()))?;
                let description = self.inspect(job, incoming, expander).await?;
                return Ok(describe_file(description, has_body));
            }
        };
        let access = if parameters.declare { Access::Admin } else { Access::Write };
        let target = Target {
            scope: caller.authorize(memberbase.id, access)?,
            visibility: caller.authorize_visible(Access::Write)?,
            schema: memberbase.attribute_schema,
            bearer,
            permit: Arc::new(permit),
            import_permit: Mutex::new(Some(import_permit)),
        };
        let budget = self.open_budget(false, started).await?;
        budget.reserve(BUFFER_BYTES).await?;
        budget.adjust(i64::try_from(BUFFER_BYTES).unwrap_or(i64::MAX));
        budget.set_deadline(started + NO_DEADLINE);
        let expander = coding.map(|coding| budget.measure(|| Expander::new(coding))).transpose();
        let expander = expander.map_err(|error| domain::Error::Internal(error.into()))?;
        let mapping = Mapping { schema: target.schema.definitions().to_vec(), ..parameters.mapping.clone() };
        let import = Import::new(Arc::clone(self), target, parameters, trace.clone(), metrics, started);
        let import = Arc::new(import);
        let (receiving, reader) = body::receive(incoming, Arc::clone(&import.ending), expander);
        let client = import.client.clone().drop_guard();
        let receiving = self.tasks.spawn(receiving.in_current_span());
        let (sender, events) = mpsc::channel(1);
        let course = Course { job: Job { reader, mapping, budget }, receiving, events: sender };
        let (begin, begun) = oneshot::channel();
        self.tasks.spawn(import.follow(course, begin).in_current_span());
        let status = begun.await.map_err(|_| Rejection::panicked())?;
        Ok(respond(status, events, client))
    }
}

/// Returns the response of an inspection. The rest of the body is not read.
fn describe_file(description: Vec<u8>, has_body: bool) -> Response {
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    let mut response = response::build(StatusCode::OK, json, description, None);
    if has_body {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Returns the response with the events. `client` is dropped with it.
fn respond(status: StatusCode, events: mpsc::Receiver<Bytes>, client: DropGuard) -> Response {
    let events = stream::unfold((events, client), |(mut events, client)| async {
        let event = events.recv().await?;
        Some((Ok::<_, Infallible>(event), (events, client)))
    });
    let mut response = response::build(status, HeaderValue::from_static(EVENTS), Body::from_stream(events), None);
    // nginx buffers responses by default, which delays events.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
