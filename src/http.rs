//! The HTTP door: the router and what all of its answers have in common.

mod answer;
mod body;
mod connections;
mod graphiql;
mod graphql;
mod health;
mod metrics;
mod negotiate;
mod parameters;
mod rpc;
#[cfg(test)]
mod tests;
mod trace;
mod watch;

use std::sync::Arc;

use async_graphql::ObjectType;
use axum::{
    Extension, Router,
    body::Body,
    extract::Request,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    middleware,
    response::Response,
    routing::{any, get},
};
use hyper::body::Body as _;
use tokio_util::task::TaskTracker;

pub use connections::serve;

use self::{answer::Refusal, negotiate::MediaType, trace::TraceId};
use crate::{app::App, graphql::Code, graphql::execute::Executor, metrics::Metrics, rpc::Endpoint};

/// What the door opens to.
pub struct Service<Q, M> {
    /// What a request may reach.
    pub app: App,
    /// The schema.
    pub executor: Arc<Executor<Q, M>>,
    /// Mutations run here, beyond the connection that they came by: wait for them before the database is closed.
    pub tasks: TaskTracker,
    /// What can be called of the plain HTTP face.
    pub endpoints: Vec<Endpoint>,
    /// Whether the page is served.
    pub graphiql: bool,
}

/// Everything that is served over HTTP.
pub fn router<Q, M>(service: Service<Q, M>) -> Router
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
{
    let operations = service.executor.operations().chain(service.endpoints.iter().map(|endpoint| endpoint.path));
    let metrics = Arc::new(Metrics::new(&service.app, operations));
    let mut router = Router::new()
        .route("/graphql", any(graphql::serve::<Q, M>))
        .route("/publisher.v1/openapi.json", get(rpc::description).fallback(rpc::description_only))
        .route("/publisher.v1/{*path}", any(rpc::serve::<Q, M>))
        .route("/metrics", get(metrics::figures::<Q, M>))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready::<Q, M>));
    if service.graphiql {
        router = router
            .route("/", get(graphiql::page))
            .route("/graphiql.js", get(graphiql::script))
            .route("/graphiql.css", get(graphiql::style));
    }
    router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(metrics, trace::layer))
        .with_state(Arc::new(service))
}

async fn not_found(Extension(trace): Extension<TraceId>, request: Request) -> Response {
    Refusal::with_status(StatusCode::NOT_FOUND, Code::NotFound, "there is nothing here; the API is at /graphql")
        .unread(!request.body().is_end_stream())
        .respond(MediaType::Json, &trace)
}

/// All paths with methods of their own are to be read only.
async fn method_not_allowed(Extension(trace): Extension<TraceId>, request: Request) -> Response {
    Refusal::method("GET, HEAD", "the method has to be GET or HEAD")
        .unread(!request.body().is_end_stream())
        .respond(MediaType::Json, &trace)
}

fn text(content_type: &'static str, body: &'static str) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
