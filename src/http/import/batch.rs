//! Stores a batch of rows, as a call of `bulkUpsertMembers` stores them.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use super::{
    attempt::{BatchOutcome, RunningAttempt},
    batches::{Batch, Queue},
    event::Failure,
    parameters::OnError,
    reading::MIN_LONG_ROW_BYTES,
    rejected::{FailedRow, MAX_ROW_ERRORS},
    run::Import,
};
use crate::{
    app::App,
    budget,
    domain::{
        self, RowError,
        bulk::{self, Options, Upserted},
        import::{self, Counts, Rejection},
        member::bulk_upsert::{ImportBatch, RecordOf, Row, bulk_upsert_batch, row_errors},
    },
    graphql::{Code, MemberInput},
    types::{MemberId, RowOutcome, SyncId},
};

/// Maximum number of rows that are listed of a batch that is rejected.
const MAX_LISTED_ROWS: usize = 20;

/// The result of a batch.
enum Outcome {
    /// The rows are stored, except those that failed.
    Stored(BatchOutcome),
    /// Nothing was stored because of failed rows: their number, the line of the first, and the events of some.
    Rejected(usize, u64, Vec<Rejection>),
}

/// The part of a row that is always valid.
#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "ref")]
    reference: String,
}

impl Import {
    /// Stores batches one after another, until there are no more or the import fails.
    pub(super) async fn store_batches(self: &Arc<Self>, queue: Queue, sync: Option<SyncId>) {
        while let Some(batch) = queue.next().await {
            if self.ending.ended().is_cancelled() {
                return queue.fail();
            }
            let batch = Arc::new(batch);
            if let Err(failure) = self.store_batch(&batch, sync).await {
                self.ending.fail(failure);
                return queue.fail();
            }
            self.checkpoints.stored(batch.first_row());
            queue.stored(batch);
        }
    }

    async fn store_batch(self: &Arc<Self>, batch: &Arc<Batch>, sync: Option<SyncId>) -> Result<(), Failure> {
        let store = |app: App| {
            let (import, batch) = (Arc::clone(self), Arc::clone(batch));
            async move { import.upsert(&app, &batch, sync).await }
        };
        match self.mutate(batch.bytes(), store).await? {
            Outcome::Stored(BatchOutcome { counts, rejections }) => {
                self.counts.add(&counts);
                rejections.iter().for_each(|rejection| self.report(rejection));
                Ok(())
            }
            Outcome::Rejected(count, first_line, rejections) => {
                self.counts.add_failed(count as u64);
                self.report_fatal(rejections);
                Err(rejected(count, first_line))
            }
        }
    }

    async fn upsert(&self, app: &App, batch: &Batch, sync: Option<SyncId>) -> Result<Outcome, domain::Error> {
        let mut rows = Vec::with_capacity(batch.len());
        for json in batch.rows() {
            if json.len() > MIN_LONG_ROW_BYTES { budget::check() } else { budget::tick() }?;
            rows.push(parse(json)?);
        }
        let (scope, options) = (self.scope(), self.options());
        let failed_row = |(index, error)| self.failed_row(&rows, index, error);
        let outcome = |upserted: &Upserted<MemberId>| {
            let failed: Vec<_> = upserted.failures.clone().into_iter().map(failed_row).collect();
            self.outcome_of(batch, upserted, &failed)
        };
        // Made within the transaction, and again if that is retried.
        let made = Mutex::new(None);
        let make = |attempt: &RunningAttempt, upserted: &Upserted<MemberId>| {
            let outcome = outcome(upserted);
            let stored = self.checkpoints.after(batch.first_row()).filter(|_| !options.dry_run);
            let record = self.record(attempt, &outcome, stored);
            *made.lock().unwrap_or_else(PoisonError::into_inner) = Some((outcome, record.clone()));
            record
        };
        let make = self.attempt().map(|attempt| move |upserted: &Upserted<MemberId>| make(attempt, upserted));
        let record_of = make.as_ref().map(|make| make as RecordOf<'_>);
        let extra = ImportBatch { record_of, assumed: self.declared() };
        match bulk_upsert_batch(app, scope, &rows, options, sync, extra).await {
            Ok(upserted) => {
                if let Some(record_of) = record_of.filter(|_| options.dry_run) {
                    import::record_apart(app, &record_of(&upserted)).await?;
                }
                let Some((outcome, record)) = made.into_inner().unwrap_or_else(PoisonError::into_inner) else {
                    return Ok(Outcome::Stored(outcome(&upserted)));
                };
                self.recorded(&record);
                Ok(Outcome::Stored(outcome))
            }
            Err(domain::Error::BadRows { failures, count }) => {
                let first_line = failures.iter().map(|(index, _)| batch.line(*index)).min().unwrap_or_default();
                let failed: Vec<_> = failures.into_iter().take(MAX_LISTED_ROWS).map(failed_row).collect();
                Ok(Outcome::Rejected(count, first_line, self.rejections(batch, &failed)))
            }
            Err(error) => Err(error),
        }
    }

    fn options(&self) -> Options {
        let parameters = self.parameters();
        let skips = parameters.dry_run || parameters.on_error == OnError::Skip;
        let on_error = if skips { bulk::OnError::SkipFailed } else { bulk::OnError::RejectBatch };
        Options { on_error, mode: parameters.mode, dry_run: parameters.dry_run }
    }

    fn outcome_of(&self, batch: &Batch, upserted: &Upserted<MemberId>, failed: &[FailedRow]) -> BatchOutcome {
        let mut outcomes = upserted.counts();
        let without_outcome = batch.unattributed().len() as u64;
        outcomes[RowOutcome::Failed as usize] += without_outcome;
        let with_outcome = failed.iter().filter(|row| row.is_unattributed()).count() as u64;
        let counts = Counts { outcomes, unattributed: without_outcome + with_outcome };
        BatchOutcome { counts, rejections: self.rejections(batch, failed) }
    }

    /// Returns a row that failed, with all its errors.
    fn failed_row(&self, rows: &[Row], index: usize, error: RowError) -> FailedRow {
        let row = &rows[index];
        let mut errors = vec![error];
        let others = row_errors(self.schema(), row).filter(|other| *other != errors[0]).take(MAX_ROW_ERRORS - 1);
        let others: Vec<_> = others.collect();
        errors.extend(others);
        FailedRow { index, reference: row.reference.clone(), errors }
    }
}

/// Parses a row. Only its time may not be a valid text: such a row gets a time that is invalid as well, so that it is rejected
/// and its member counts as seen.
fn parse(json: &[u8]) -> Result<Row, domain::Error> {
    if let Ok(input) = serde_json::from_slice::<MemberInput>(json) {
        return Ok(input.into());
    }
    let Reference { reference } =
        serde_json::from_slice(json).map_err(|error| domain::Error::Internal(error.into()))?;
    Ok(Row::new(reference, None, Some(Some(String::new()))))
}

fn rejected(count: usize, line: u64) -> Failure {
    let rows = if count == 1 { "1 row is".to_owned() } else { format!("{count} rows are") };
    let message = format!("{rows} invalid, for example in line {line}; onError=skip stores the other rows");
    Failure::new(Code::BadUserInput, message)
}
