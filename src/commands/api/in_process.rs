//! The in-process transport: runs the same operations and requests on the database, as the operator, without a server.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use reqwest::{Request, Url};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Failure, StreamedResponse, http::reason};
use crate::{
    app::App,
    commands::{Error, app, open_current},
    config::Database,
    domain::access::Caller,
    graphql::{self, Api, context, execute},
    http::{LocalServer, Options, Service},
    types::{ImportLimits, Limits},
};

/// Replaces the trace id of a request.
const TRACE: &str = "command";

/// A command has no time limit for its file.
const NO_PAUSE_LIMIT: Duration = Duration::from_hours(24 * 365);

/// Returns the URL of a path. The host has no meaning.
pub(super) fn url(path: &str) -> Url {
    Url::parse("http://localhost/").and_then(|url| url.join(path)).expect("the path is a relative URL")
}

/// The GraphQL schema and the server's paths on an open database.
pub(super) struct InProcess {
    app: App,
    executor: Arc<Api>,
    server: LocalServer,
    drained: CancellationToken,
    relay: JoinHandle<()>,
}

impl InProcess {
    /// Opens the database. Fails if its tables are not current.
    pub(super) async fn open(database: &Database) -> Result<Self, Error> {
        // The program that writes stdin may take its time.
        let import = ImportLimits { pause: NO_PAUSE_LIMIT, ..ImportLimits::default() };
        let limits = Limits { import, ..Limits::default() };
        let db = open_current(database, &limits).await?;
        let executor = Arc::new(graphql::api(&limits));
        let app = app(db, limits);
        let service = Service::new(app.clone(), Arc::clone(&executor), Options::default());
        let drained = CancellationToken::new();
        let relay = tokio::spawn(app.clone().relay_outbound(drained.clone()));
        Ok(Self { app, executor, server: LocalServer::new(service), drained, relay })
    }

    /// Runs an operation in a task of its own, which completes its transaction even if the caller stops waiting.
    pub(super) async fn send(&self, body: Bytes) -> Result<Bytes, Failure> {
        let app = self.app.clone();
        let executor = Arc::clone(&self.executor);
        let response = self.server.tasks().spawn(async move {
            let operation = match execute::Request::from_json(&body) {
                Ok(request) => executor.prepare(request),
                Err(error) => Err(vec![error]),
            };
            drop(body);
            match operation {
                Ok(operation) => {
                    let deadline = Instant::now() + app.limits.time.mutation;
                    executor.run(operation, context::data(app.until(deadline), Caller::operator()), TRACE).await
                }
                Err(errors) => execute::request_error(&errors, TRACE),
            }
        });
        let response = response.await.map_err(|_| Failure::Broken("the request panicked".to_owned()))?;
        Ok(response.body.into())
    }

    /// Sends a request to the server, and returns its response as soon as it begins. Messages show the URL as `shown`.
    pub(super) async fn send_streamed(&self, request: Request, shown: String) -> Result<StreamedResponse, Failure> {
        let request = request.try_into().map_err(|error| Failure::Broken(reason(&error)))?;
        let (head, body) = self.server.send::<reqwest::Body>(request).await.into_parts();
        Ok(StreamedResponse::new(head.status, None, body, shown))
    }

    /// Waits for running operations and closes the database.
    pub(super) async fn close(self) {
        self.server.tasks().close();
        self.server.tasks().wait().await;
        self.drained.cancel();
        // The relay notifies servers on the same database of the last changes.
        let _ = self.relay.await;
        self.app.db.close().await;
    }
}
