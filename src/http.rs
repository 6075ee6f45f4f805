//! The HTTP layer: the router, and what all responses have in common.

mod admission;
mod answer;
mod assets;
mod body;
mod connections;
mod graphql;
mod health;
mod live;
mod metrics;
mod negotiate;
mod pages;
mod query_string;
mod request_metrics;
mod rpc;
#[cfg(test)]
mod tests;
mod trace;

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::Body,
    extract::Request,
    http::{
        HeaderName, HeaderValue, Method, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    middleware,
    response::Response,
    routing::{any, get},
};
use hyper::body::Body as _;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::cors::{AllowOrigin, CorsLayer};

pub use connections::serve;

use self::{admission::Admission, answer::Rejection, live::LiveConnections, negotiate::MediaType, trace::TraceId};
use crate::{
    app::App,
    auth::Tokens,
    graphql::Code,
    graphql::execute::Executor,
    metrics::Metrics,
    rpc::{self as plain, Endpoint},
};

/// How long a browser believes a preflight.
const CORS_MAX_AGE: Duration = Duration::from_secs(3600);

/// What the door opens to.
pub struct Service {
    /// What a request may reach.
    app: App,
    /// The schema.
    executor: Arc<Executor>,
    /// Runs mutations, which outlive their connections. Wait for them before the database is closed.
    pub tasks: TaskTracker,
    /// Cancelled when the server stops, which ends subscriptions.
    pub stopping: CancellationToken,
    tokens: Tokens,
    admission: Admission,
    places: LiveConnections,
    endpoints: Vec<Endpoint>,
    options: Options,
}

/// The settings of the HTTP layer.
#[derive(Clone, Debug)]
pub struct Options {
    /// True if the playground (GraphiQL) is served.
    pub graphiql: bool,
    /// True if the console is served.
    pub console: bool,
    /// The origins whose pages may call the API.
    pub cors_origins: Vec<HeaderValue>,
}

impl Default for Options {
    fn default() -> Self {
        Self { graphiql: true, console: true, cors_origins: Vec::new() }
    }
}

impl Service {
    /// Creates the service of a GraphQL schema and the RPC API.
    pub fn new(app: App, executor: Executor, options: Options) -> Self {
        Self {
            executor: Arc::new(executor),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            tokens: Tokens::default(),
            admission: Admission::new(app.limits.traffic),
            places: LiveConnections::new(app.limits.live),
            endpoints: plain::endpoints(),
            app,
            options,
        }
    }
}

/// Everything that is served over HTTP.
pub fn router(service: Service) -> Router {
    let operations = service.executor.operations().chain(service.endpoints.iter().map(|endpoint| endpoint.path));
    let metrics = Arc::new(Metrics::new(&service.app, operations));
    let mut router = Router::new()
        .route("/graphql", any(graphql::serve))
        .route("/publisher.v1/openapi.json", get(rpc::description).fallback(rpc::description_only))
        .route("/publisher.v1/{*path}", any(rpc::serve))
        .route("/metrics", get(metrics::serve))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready));
    let Options { graphiql, console, .. } = service.options;
    let pages = [(pages::PLAYGROUND, graphiql), (pages::CONSOLE, console)];
    router = router.merge(pages::routes(pages.into_iter().filter_map(|(page, is_served)| is_served.then_some(page))));
    router = router.fallback(not_found).method_not_allowed_fallback(method_not_allowed);
    if !service.options.cors_origins.is_empty() {
        router = router.layer(cors(&service.options.cors_origins));
    }
    router.layer(middleware::from_fn_with_state(metrics, trace::layer)).with_state(Arc::new(service))
}

/// Lets pages of these origins call the API. A token is no cookie: a page has to have one to do anything.
fn cors(origins: &[HeaderValue]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(["authorization", "content-type", "traceparent", "x-graphql-cost"].map(HeaderName::from_static))
        .expose_headers(["x-trace-id", "retry-after"].map(HeaderName::from_static))
        .max_age(CORS_MAX_AGE)
}

async fn not_found(Extension(trace): Extension<TraceId>, request: Request) -> Response {
    Rejection::with_status(StatusCode::NOT_FOUND, Code::NotFound, "not found; the GraphQL API is at /graphql")
        .close_after(!request.body().is_end_stream())
        .respond(MediaType::Json, &trace)
}

/// All paths with methods of their own are to be read only.
async fn method_not_allowed(Extension(trace): Extension<TraceId>, request: Request) -> Response {
    Rejection::method("GET, HEAD", "the method must be GET or HEAD")
        .close_after(!request.body().is_end_stream())
        .respond(MediaType::Json, &trace)
}

fn text(content_type: &'static str, body: &'static str) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
