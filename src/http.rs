//! The HTTP layer: the router, and what all responses have in common.

mod admission;

mod assets;
mod body;
mod coding;
mod compress;
mod compute;
mod connections;
mod description;
mod evicting_pool;
mod expand;
mod export;
mod failure;
mod graphql;
mod health;
mod import;
mod live;
mod local;
mod metrics;
mod negotiate;
mod operation;
mod pages;
mod permits;
mod pipeline;
mod query_string;
mod rejection;
mod request_metrics;
mod response;
mod rpc;
#[cfg(test)]
mod tests;
mod trace;
mod trace_id;

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, StatusCode, header::ACCESS_CONTROL_ALLOW_ORIGIN},
    middleware::{self, Next},
    response::Response,
    routing::{any, get},
};
use hyper::body::Body as _;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

pub use connections::{ConnectionOptions, Timeouts, serve};
pub use local::{LocalServer, stream_body};

use self::{
    coding::AcceptedCodings, connections::RefusedRequest, evicting_pool::EvictingPool, health::Readiness,
    live::websocket, negotiate::MediaType, permits::Permits, rejection::Rejection, trace_id::TraceId,
};
use crate::{
    app::App,
    auth::Tokens,
    graphql::{Code, execute::Executor},
    metrics::Metrics,
    rpc::{self as rpc_api, Endpoint},
};

/// Time for which a browser caches the response to a preflight.
const CORS_MAX_AGE: Duration = Duration::from_secs(3600);

/// The state of the HTTP layer.
pub struct Service {
    app: App,
    executor: Arc<Executor>,
    endpoints: Vec<Arc<Endpoint>>,
    /// Runs mutations, which outlive their connections. Wait for it before the database is closed.
    pub tasks: TaskTracker,
    /// Cancelled when the server stops, which ends subscriptions.
    pub stopping: CancellationToken,
    tokens: Tokens,
    requests: Permits,
    imports: Permits,
    /// Permits of requests that watch an import.
    watches: Permits,
    exports: Permits,
    /// Permits of connections with subscriptions.
    connections: Permits,
    /// WebSockets that are not authenticated yet.
    unauthenticated_sockets: Arc<EvictingPool>,
    readiness: Readiness,
    metrics: Arc<Metrics>,
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
    /// True if responses are compressed.
    pub compression: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { graphiql: true, console: true, cors_origins: Vec::new(), compression: true }
    }
}

impl Service {
    /// Creates the service of a GraphQL schema and the RPC API.
    pub fn new(app: App, executor: impl Into<Arc<Executor>>, options: Options) -> Self {
        let executor = executor.into();
        let endpoints: Vec<_> = rpc_api::endpoints().into_iter().map(Arc::new).collect();
        let rpc = endpoints.iter().map(|endpoint| endpoint.path);
        let own = [import::OPERATION, import::WATCH, import::CANCEL, export::OPERATION];
        let operations = executor.operations().chain(rpc).chain(own);
        Self {
            metrics: Arc::new(Metrics::new(&app, operations)),
            executor,
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            tokens: Tokens::default(),
            requests: Permits::for_requests(&app.limits.traffic),
            imports: Permits::for_imports(&app.limits.import),
            watches: Permits::for_watches(&app.limits.import),
            exports: Permits::for_exports(&app.limits.export),
            connections: Permits::for_connections(&app.limits.live),
            unauthenticated_sockets: EvictingPool::new(websocket::max_unauthenticated(&app.limits.live)),
            readiness: Readiness::default(),
            endpoints,
            app,
            options,
        }
    }
}

/// Returns the OpenAPI document of the RPC API, imports and exports, as JSON.
pub fn openapi() -> String {
    let mut api = rpc_api::openapi();
    import::describe(&mut api);
    export::describe(&mut api);
    api.to_pretty_json().expect("a description is JSON")
}

/// Returns the router of all paths.
pub fn router(service: Service) -> Router {
    let service = Arc::new(service);
    let mut router = Router::new()
        .route("/graphql", any(graphql::serve))
        .route("/graphql/", any(graphql::serve))
        .route("/import", any(import::serve))
        .route("/import/{id}", any(import::serve_by_id))
        .route("/export", any(export::serve))
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
        router = router.layer(cors(&service.options.cors_origins)).layer(middleware::map_response(hide_cors));
    }
    router.layer(middleware::from_fn_with_state(Arc::clone(&service), trace::layer)).with_state(service)
}

/// Responds to a request by the handler of its path, unless the connection has refused it.
///
/// These steps are not layers of their own, because each layer costs as much as the parsing of a small query.
async fn answer(service: &Service, trace: &TraceId, request: Request, next: Next) -> Response {
    if let Some(refused) = request.extensions().get::<RefusedRequest>() {
        return refused.reject(trace);
    }
    let accepted = service.options.compression.then(|| AcceptedCodings::of(request.headers()));
    let response = next.run(request).await;
    match accepted {
        Some(accepted) => compress::compress(response, &accepted, &service.app.memory).await,
        None => response,
    }
}

/// Lets pages of these origins call the API. Credentials are not allowed: tokens are not sent by browsers on their own.
/// Client libraries add headers of their own (tracing, client names), so every requested header is allowed.
fn cors(origins: &[HeaderValue]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(["x-trace-id", "retry-after", "content-disposition"].map(HeaderName::from_static))
        .max_age(CORS_MAX_AGE)
}

/// Removes all CORS headers from the response to an origin that is not allowed. `CorsLayer` omits only the decisive one.
async fn hide_cors(mut response: Response) -> Response {
    let headers = response.headers_mut();
    if !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        for name in ["allow-headers", "allow-methods", "expose-headers", "max-age"] {
            headers.remove(format!("access-control-{name}"));
        }
    }
    response
}

async fn not_found(Extension(trace): Extension<TraceId>, request: Request) -> Response {
    Rejection::with_status(StatusCode::NOT_FOUND, Code::NotFound, "not found; the GraphQL API is at /graphql")
        .close_after(!request.body().is_end_stream())
        .respond(MediaType::Json, &trace)
}

/// Only paths that can only be read leave the method to the router.
async fn method_not_allowed(Extension(trace): Extension<TraceId>, request: Request) -> Response {
    Rejection::method("GET, HEAD", "the method must be GET or HEAD")
        .close_after(!request.body().is_end_stream())
        .respond(MediaType::Json, &trace)
}
