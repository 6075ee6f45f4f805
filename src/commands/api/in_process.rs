//! The in-process transport: runs the same operations on the database, as the operator, without a server.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Failure;
use crate::{
    app::App,
    commands::{Error, app, open_current},
    config::Database,
    domain::access::Caller,
    graphql::{self, Api, context, execute},
    types::Limits,
};

/// Replaces the trace id of a request.
const TRACE: &str = "command";

/// The GraphQL schema on an open database.
pub(super) struct InProcess {
    app: App,
    executor: Arc<Api>,
    tasks: TaskTracker,
    drained: CancellationToken,
    relay: JoinHandle<()>,
}

impl InProcess {
    /// Opens the database. Fails if its tables are not current.
    pub(super) async fn open(database: &Database) -> Result<Self, Error> {
        let limits = Limits::default();
        let db = open_current(database, &limits).await?;
        let executor = Arc::new(graphql::api(&limits));
        let app = app(db, limits);
        let drained = CancellationToken::new();
        let relay = tokio::spawn(app.clone().relay_outbound(drained.clone()));
        Ok(Self { app, executor, tasks: TaskTracker::new(), drained, relay })
    }

    /// Runs an operation in a task of its own, which completes its transaction even if the caller stops waiting.
    pub(super) async fn send(&self, body: Bytes) -> Result<Bytes, Failure> {
        let app = self.app.clone();
        let executor = Arc::clone(&self.executor);
        let response = self.tasks.spawn(async move {
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

    /// Waits for running operations and closes the database.
    pub(super) async fn close(self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.drained.cancel();
        // The relay notifies servers on the same database of the last changes.
        let _ = self.relay.await;
        self.app.db.close().await;
    }
}
