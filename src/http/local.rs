//! A server without a network, for commands: the same router, in the process of the operator.

use axum::{
    BoxError, Router,
    body::{Body, HttpBody},
    http::{Request, Response},
};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{body::Frame, service::Service as _};
use hyper_util::service::TowerToHyperService;
use tokio_util::task::TaskTracker;

use super::{Service, router};
use crate::auth::Operator;

/// Responds to requests of the operator, which has access to everything.
pub struct LocalServer {
    router: Router,
    tasks: TaskTracker,
}

impl LocalServer {
    /// Creates the server of a service.
    pub fn new(service: Service) -> Self {
        let tasks = service.tasks.clone();
        Self { router: router(service), tasks }
    }

    /// Returns the tasks of the server. Wait for them before the database is closed.
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Responds to a request. The response is returned as soon as it begins.
    pub async fn send<B>(&self, request: Request<B>) -> Response<UnsyncBoxBody<Bytes, BoxError>>
    where
        B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Operator);
        let Ok(response) = TowerToHyperService::new(self.router.clone()).call(request).await;
        response.map(|body| body.map_err(BoxError::from).boxed_unsync())
    }
}

/// Returns the body of a request that has these chunks. An error aborts the request.
pub fn stream_body<E>(chunks: impl Stream<Item = Result<Bytes, E>>) -> impl HttpBody<Data = Bytes, Error = E> {
    StreamBody::new(chunks.map_ok(Frame::data))
}
