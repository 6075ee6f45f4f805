//! The API on the database itself, for whoever may open that: the same operations, without a server between.

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

/// Stands for the trace id of a request.
const TRACE: &str = "command";

/// The API on the database.
pub(super) struct InProcess {
    app: App,
    executor: Arc<Api>,
    tasks: TaskTracker,
    drained: CancellationToken,
    told: JoinHandle<()>,
}

impl InProcess {
    /// Opens the database, whose tables have to be current.
    pub(super) async fn open(database: &Database) -> Result<Self, Error> {
        let limits = Limits::default();
        let db = open_current(database, &limits).await?;
        let executor = Arc::new(graphql::api(&limits));
        let (app, drained) = (app(db, limits), CancellationToken::new());
        let told = tokio::spawn(app.clone().relay_outbound(drained.clone()));
        Ok(Self { app, executor, tasks: TaskTracker::new(), drained, told })
    }

    /// Runs an operation, in a task that goes on where nobody waits for it: what was begun in the database is ended.
    pub(super) async fn send(&self, body: Bytes) -> Result<Bytes, Failure> {
        let (app, executor) = (self.app.clone(), Arc::clone(&self.executor));
        let answer = self.tasks.spawn(async move {
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
                Err(errors) => execute::refusal(&errors, TRACE),
            }
        });
        let answer = answer.await.map_err(|_| Failure::Broken("the request panicked".to_owned()))?;
        Ok(answer.body.into())
    }

    /// Waits for what runs, and closes the database.
    pub(super) async fn close(self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.drained.cancel();
        // Servers that run on the database hear of what was done.
        let _ = self.told.await;
        self.app.db.close().await;
    }
}
