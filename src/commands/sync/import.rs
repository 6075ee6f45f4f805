//! Sends the file, and watches the import beside it.

use std::{
    io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::Method;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    events::{Event, Lines, Totals},
    file::Source,
    progress::Progress,
    rejects::Rejects,
};
use crate::commands::{
    api::{self, Attribute, Client, Refusal, StreamedResponse},
    input::with_options,
};

/// Time for which a run that ends tries to cancel its import.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// Delay before the import is asked for again.
const WATCH_DELAY: Duration = Duration::from_secs(1);

/// An import of the file, in any number of attempts.
pub(super) struct Import<'a> {
    client: &'a Client,
    source: &'a Source,
    parameters: Vec<(&'static str, String)>,
    rejects: &'a Rejects,
    progress: &'a Progress,
    id: Uuid,
    /// True if the server may wait for another attempt.
    is_open: AtomicBool,
    /// The last numbers of rows.
    totals: Mutex<Totals>,
    /// The attributes that the attempts have declared.
    declared: Mutex<Vec<Attribute>>,
    /// The number of rows at the beginning of the file that the server has stored, as far as it is known.
    offset: AtomicU64,
}

/// The result of an import that has stored the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Stored {
    pub(super) totals: Totals,
    pub(super) deleted: u64,
    pub(super) sync_id: Option<String>,
    pub(super) memberbase_id: Option<String>,
    /// Attributes that were declared; in a dry run, those that would be.
    pub(super) declared: Vec<Attribute>,
}

/// The reason why the file is not stored.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request failed.
    Request(api::Failure),
    /// The file, or the options for it, are invalid.
    File {
        message: String,
        /// True if the header of the file was understood.
        is_begun: bool,
    },
    /// The rejected rows can't be written.
    Output(io::Error),
}

impl<'a> Import<'a> {
    pub(super) fn new(
        client: &'a Client,
        source: &'a Source,
        mut parameters: Vec<(&'static str, String)>,
        rejects: &'a Rejects,
        progress: &'a Progress,
    ) -> Self {
        let id = Uuid::now_v7();
        parameters.push(("import", id.to_string()));
        Self {
            client,
            source,
            parameters,
            rejects,
            progress,
            id,
            is_open: AtomicBool::new(false),
            totals: Mutex::default(),
            declared: Mutex::default(),
            offset: AtomicU64::new(0),
        }
    }

    /// Imports the file. Transient failures are retried. The time for that begins again whenever further rows are stored.
    pub(super) async fn run(&self) -> Result<Stored, Failure> {
        loop {
            let offset = self.offset.load(Ordering::Relaxed);
            match self.client.retry(|| self.attempt()).await {
                Ok(outcome) => return outcome,
                Err(_) if self.offset.load(Ordering::Relaxed) > offset => {}
                Err(failure) => return Err(Failure::Request(failure)),
            }
        }
    }

    /// Makes one attempt. The outer error is one after which another attempt may succeed.
    async fn attempt(&self) -> Result<Result<Stored, Failure>, api::Failure> {
        self.is_open.store(true, Ordering::Relaxed);
        tokio::select! {
            outcome = self.upload() => outcome,
            failure = self.watch() => Err(failure),
        }
    }

    async fn upload(&self) -> Result<Result<Stored, Failure>, api::Failure> {
        let parameters: Vec<_> = self.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let coding = self.source.is_compressed().then_some("zstd");
        let stopped = CancellationToken::new();
        // In process, the server has the body even if this future is dropped.
        let _stop = stopped.clone().drop_guard();
        let sent = self.client.upload("import", &parameters, self.source.send(stopped), coding).await;
        let read = match sent {
            Ok(mut response) => self.read(&mut response).await,
            Err(failure) => Err(failure),
        };
        match read {
            // Another attempt would fail as well.
            Err(failure) if self.source.failure().is_some() => Ok(Err(Failure::Request(failure))),
            read => read,
        }
    }

    /// Reads the events of the response.
    async fn read(&self, response: &mut StreamedResponse) -> Result<Result<Stored, Failure>, api::Failure> {
        let (mut lines, mut last, mut unwritten) = (Lines::default(), None, None);
        while let Some(piece) = response.next().await? {
            lines.push(&piece, |line| match serde_json::from_str(line) {
                Ok(Event::Rejected(rejected)) => {
                    let added = self.rejects.add(&rejected);
                    unwritten = unwritten.take().or(added.err());
                }
                Ok(event @ (Event::Summary { .. } | Event::Failed { .. })) => last = Some(event),
                Ok(Event::Progress { totals, offset }) => self.set(totals, offset),
                Ok(Event::Other) | Err(_) => {}
            });
            if let Some(error) = unwritten {
                return Ok(Err(Failure::Output(error)));
            }
        }
        if let Some(Event::Summary { declared, .. } | Event::Failed { declared, .. }) = &mut last {
            let mut known = self.lock_declared();
            declared.retain(|attribute| !known.contains(attribute));
            known.append(declared);
        }
        match last {
            Some(Event::Summary { memberbase_id, sync_id, deleted, mut totals, truncated, .. }) => {
                self.is_open.store(false, Ordering::Relaxed);
                if !truncated {
                    // A row of several attempts counts several times.
                    totals.rejected = self.rejects.count();
                }
                Ok(Ok(Stored { totals, deleted, sync_id, memberbase_id, declared: self.lock_declared().clone() }))
            }
            Some(Event::Failed { message, retryable: true, totals, offset, .. }) => {
                totals.into_iter().for_each(|totals| self.set(totals, offset));
                Err(api::Failure::Retryable(message, response.retry_after()))
            }
            Some(Event::Failed { code, message, totals, .. }) => {
                self.is_open.store(false, Ordering::Relaxed);
                totals.into_iter().for_each(|totals| self.set(totals, None));
                Ok(Err(failure(code, &message, totals.is_some())))
            }
            _ => Err(response.without_event()),
        }
    }

    /// Shows the progress of the import, and returns a failure if the server does not respond for too long.
    async fn watch(&self) -> api::Failure {
        let (path, mut heard_at) = (self.path(), Instant::now());
        loop {
            sleep(WATCH_DELAY).await;
            let response = self.client.send(Method::GET, &path, &[], "").await;
            if let Ok(mut response) = response {
                heard_at = Instant::now();
                let mut lines = Lines::default();
                while let Ok(Some(piece)) = response.next().await {
                    heard_at = Instant::now();
                    lines.push(&piece, |line| {
                        let event = line.strip_prefix("data: ").map(serde_json::from_str);
                        if let Some(Ok(Event::Progress { totals, offset })) = event {
                            self.set(totals, offset);
                        }
                    });
                }
            }
            if heard_at.elapsed() > self.client.timeout() {
                return self.client.timed_out();
            }
        }
    }

    /// Returns true if the server may wait for another attempt.
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Ends the import on the server.
    pub(super) async fn cancel(&self) -> Result<(), api::Failure> {
        let path = self.path();
        let cancel = || async {
            let response = self.client.send(Method::DELETE, &path, &[], "").await?;
            response.ensure_success().await.map(drop)
        };
        let late = || api::Failure::Broken("there was no response".to_owned());
        match timeout(CANCEL_TIMEOUT, self.client.retry(cancel)).await.unwrap_or_else(|_| Err(late())) {
            Err(api::Failure::Refused(Refusal { code, .. })) if code == "NOT_FOUND" => Ok(()),
            cancelled => cancelled,
        }
    }

    /// Returns what is known of an import that was not completed.
    pub(super) fn unfinished(&self) -> Stored {
        let totals = *self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        Stored { totals, declared: self.lock_declared().clone(), ..Stored::default() }
    }

    fn lock_declared(&self) -> MutexGuard<'_, Vec<Attribute>> {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, totals: Totals, offset: Option<u64>) {
        self.offset.fetch_max(offset.unwrap_or_default(), Ordering::Relaxed);
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner) = totals;
        self.progress.set(totals.rows);
    }

    fn path(&self) -> String {
        format!("import/{}", self.id)
    }
}

/// Returns the failure of an event.
fn failure(code: String, message: &str, is_begun: bool) -> Failure {
    let message = with_options(message);
    match &*code {
        "BAD_USER_INPUT" | "BAD_REQUEST" => Failure::File { message, is_begun },
        "LIMIT_EXCEEDED" => {
            let message = format!("{message}: to allow it, increase --max-deleted-percent");
            Failure::Request(api::Failure::Refused(Refusal { code, message }))
        }
        _ => Failure::Request(api::Failure::Refused(Refusal { code, message })),
    }
}
