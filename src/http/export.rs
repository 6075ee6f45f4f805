//! `/export`: streams the members of a memberbase as a file that `/import` reads back unchanged.
//!
//! The members are read page by page, each as a query of its own with its deadline and its memory, and nothing of the database
//! is held between pages. The response begins with the first page, so what is wrong until then has a status. A failure after that
//! breaks the response off, so that it never looks complete.

mod description;
mod disposition;
mod pages;
mod parameters;
mod stream;

use std::{convert::Infallible, sync::Arc, time::Instant};

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{
        HeaderValue, Method, StatusCode,
        header::{CONNECTION, CONTENT_DISPOSITION, CONTENT_ENCODING},
        request,
    },
    response::Response,
};
use bytes::Bytes;
use futures_util::stream as streams;
use hyper::body::Body as _;
use tracing::Span;

pub(in crate::http) use self::description::describe;
use self::{
    pages::{Content, Pages},
    parameters::Parameters,
    stream::Export,
};
use super::{
    Service,
    coding::AcceptedCodings,
    compress::{StreamEncoder, add_vary},
    connections::{ConnectionAbort, ConnectionHandle},
    failure,
    query_string::reject,
    rejection::Rejection,
    request_metrics::RequestMetrics,
    response,
    trace_id::TraceId,
};
use crate::{
    app::App,
    auth::Bearer,
    domain::{
        self,
        access::{Access, Scope},
        filter::Filter,
        member::{self, Predicate},
        memberbase,
    },
    graphql,
    members_file::writer::{MemberWriter, OutputFormat, Unfit},
    metrics::{Api, Type},
};

/// The name of the operation in the log and in the metrics.
pub(super) const OPERATION: &str = "export";

const METHODS: &str = "GET, HEAD";

pub(super) async fn serve(
    State(service): State<Arc<Service>>,
    Extension(trace): Extension<TraceId>,
    Extension(metrics): Extension<RequestMetrics>,
    request: Request,
) -> Response {
    metrics.set_api(Api::Export);
    metrics.set_operation(Type::Query, OPERATION);
    Span::current().record("operation", OPERATION);
    let (head, body) = request.into_parts();
    let has_body = !body.is_end_stream();
    let mut response = match service.export(&head, metrics).await {
        Ok(response) => response,
        Err(rejection) => failure::respond(rejection, &trace),
    };
    if has_body {
        // It is not read.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

impl Service {
    /// Runs an export up to the beginning of its response.
    async fn export(self: &Arc<Self>, head: &request::Parts, metrics: RequestMetrics) -> Result<Response, Rejection> {
        let started = Instant::now();
        if head.method != Method::GET && head.method != Method::HEAD {
            return Err(Rejection::method(METHODS, format!("the method must be one of {METHODS}")));
        }
        let bearer = Bearer::of_request(head)?;
        let (caller, permit) = self.admit(&head.extensions, bearer, started).await?;
        let parameters = Parameters::of(head.uri.query().unwrap_or_default())?;
        let app = self.app.until(started + self.app.limits.time.query).for_tenant(caller.tenant());
        let visibility = caller.authorize_visible(Access::Read)?;
        let memberbase = memberbase::get_by_id_or_name(&app, visibility, &parameters.memberbase).await?;
        let scope = caller.authorize(memberbase.id, Access::Read)?;
        let writer = MemberWriter::new(parameters.form, &parameters.columns, &memberbase.attribute_schema);
        let writer = writer.map_err(|unfit| match unfit {
            Unfit::Options(message) => reject(message.to_owned()),
            Unfit::Columns(message) => reject(format!("the parameter columns is invalid: {message}")),
        })?;
        let export_permit = self.exports.acquire(&caller)?;
        let filter = self.parse_filter(started, scope, &parameters).await?;
        let format = parameters.form.format;
        let mut response = response::build(StatusCode::OK, content_type(format), Body::empty(), None);
        let headers = response.headers_mut();
        headers.insert(CONTENT_DISPOSITION, disposition::attachment(&memberbase.name, extension(format)));
        add_vary(headers);
        if head.method == Method::HEAD {
            // Its length is as unknown as that of the file (RFC 9110, section 8.6).
            *response.body_mut() = Body::from_stream(streams::empty::<Result<Bytes, Infallible>>());
            return Ok(response);
        }
        let content = Content { writer, filter };
        let pages = Pages::new(Arc::clone(self), bearer, memberbase.id, content);
        let first = pages.first().await?;
        let encoder = self.encoder(head)?;
        if let Some(encoder) = &encoder {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoder.coding().name()));
        }
        let export = Export {
            pages,
            encoder,
            connection: head.extensions.get::<ConnectionHandle>().map(ConnectionHandle::begin_stream),
            abort: head.extensions.get::<ConnectionAbort>().cloned().unwrap_or_default(),
            _permits: (permit, export_permit),
        };
        *response.body_mut() = export.stream(first, metrics, started);
        Ok(response)
    }

    /// Parses the filter as a query would, within its limits.
    async fn parse_filter(
        &self,
        started: Instant,
        scope: Scope,
        parameters: &Parameters,
    ) -> Result<Filter<Predicate>, Rejection> {
        let Some(json) = parameters.filter.clone() else { return Ok(Filter::default()) };
        let budget = self.open_budget(true, started).await?;
        let executor = Arc::clone(&self.executor);
        let parse = |app: App| async move {
            let filter = graphql::member_filter(&executor, &json)?;
            let filter = member::resolve_types(&app, scope, filter).await;
            filter.map_err(|error| graphql::Error::from(error).with_path_in_message())
        };
        Ok(self.run_query(started, &budget, false, parse).await??)
    }

    /// Returns the encoder of the response, if it is compressed.
    fn encoder(&self, head: &request::Parts) -> Result<Option<StreamEncoder>, Rejection> {
        if !self.options.compression {
            return Ok(None);
        }
        let encoder = StreamEncoder::new(&AcceptedCodings::of(&head.headers), &self.app.memory);
        Ok(encoder.map_err(|error| domain::Error::Internal(error.into()))?)
    }
}

fn content_type(format: OutputFormat) -> HeaderValue {
    HeaderValue::from_static(match format {
        OutputFormat::Csv | OutputFormat::Excel => "text/csv; charset=utf-8; header=present",
        OutputFormat::Ndjson => "application/x-ndjson",
        OutputFormat::Lines => "text/plain; charset=utf-8",
    })
}

fn extension(format: OutputFormat) -> &'static str {
    match format {
        OutputFormat::Csv | OutputFormat::Excel => "csv",
        OutputFormat::Ndjson => "ndjson",
        OutputFormat::Lines => "txt",
    }
}
