//! Stores a batch of rows, as a call of `bulkUpsertMembers` stores them.

use std::sync::Arc;

use serde::Deserialize;

use super::{
    event::Failure,
    parameters::OnError,
    partitions::{Batch, Partition},
    reading::MIN_LONG_ROW_BYTES,
    rejected::{FailedRow, MAX_ROW_ERRORS},
    run::Import,
};
use crate::{
    app::App,
    budget,
    domain::{
        self, RowError,
        access::Scope,
        attribute::Schema,
        bulk::{self, Options},
        member::bulk_upsert::{Row, bulk_upsert, row_errors},
    },
    graphql::{Code, MemberInput},
    types::{RowOutcome, SyncId},
};

/// Maximum number of rows that are listed of a batch that is rejected.
const MAX_LISTED_ROWS: usize = 20;

/// The result of a batch.
enum Outcome {
    /// Numbers of rows in the order of [`RowOutcome::ALL`], and the rows that failed.
    Stored([u64; RowOutcome::ALL.len()], Vec<FailedRow>),
    /// Nothing was stored because of failed rows: their number, and the first of them.
    Rejected(usize, Vec<FailedRow>),
}

/// The part of a row that is always valid.
#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "ref")]
    reference: String,
}

impl Import {
    /// Stores the batches of a partition one after another, until there are no more or the import fails.
    pub(super) async fn store_partition(&self, partition: Partition, sync: Option<SyncId>) {
        let Partition { mut batches, stored } = partition;
        while let Some(batch) = batches.recv().await {
            if self.ending.ended().is_cancelled() {
                return;
            }
            let batch = Arc::new(batch);
            if let Err(failure) = self.store_batch(&batch, sync).await {
                return self.ending.fail(failure);
            }
            if let Some(batch) = Arc::into_inner(batch) {
                // The file may be parsed to its end.
                let _ = stored.send(batch);
            }
        }
    }

    async fn store_batch(&self, batch: &Arc<Batch>, sync: Option<SyncId>) -> Result<(), Failure> {
        let parameters = self.parameters();
        let skips = parameters.dry_run || parameters.on_error == OnError::Skip;
        let on_error = if skips { bulk::OnError::SkipFailed } else { bulk::OnError::RejectBatch };
        let options = Options { on_error, mode: parameters.mode, dry_run: parameters.dry_run };
        let scope = self.scope();
        let store = |app: App| {
            let (batch, schema) = (Arc::clone(batch), Arc::clone(self.schema()));
            async move { upsert(&app, scope, &schema, &batch, options, sync).await }
        };
        match self.mutate(batch.bytes(), store).await? {
            Outcome::Stored(counts, failed) => {
                self.counts.add_rows(&counts);
                for row in &failed {
                    self.reject(batch, row);
                }
                Ok(())
            }
            Outcome::Rejected(count, failed) => {
                self.counts.add_failed(count);
                for row in failed.iter().take(MAX_LISTED_ROWS) {
                    self.reject(batch, row);
                }
                let first = failed.iter().map(|row| batch.line(row.index)).min();
                Err(rejected(count, first.unwrap_or_default()))
            }
        }
    }
}

async fn upsert(
    app: &App,
    scope: Scope,
    schema: &Schema,
    batch: &Batch,
    options: Options,
    sync: Option<SyncId>,
) -> Result<Outcome, domain::Error> {
    let mut rows = Vec::with_capacity(batch.len());
    for json in batch.rows() {
        if json.len() > MIN_LONG_ROW_BYTES { budget::check() } else { budget::tick() }?;
        rows.push(parse(json)?);
    }
    let failed =
        |failures: Vec<(usize, RowError)>| failures.into_iter().map(|row| failed_row(schema, &rows, row)).collect();
    match bulk_upsert(app, scope, &rows, options, sync).await {
        Ok(upserted) => Ok(Outcome::Stored(upserted.counts(), failed(upserted.failures.into_iter().collect()))),
        Err(domain::Error::BadRows { failures, count }) => Ok(Outcome::Rejected(count, failed(failures))),
        Err(error) => Err(error),
    }
}

/// Returns a row that failed, with all its errors.
fn failed_row(schema: &Schema, rows: &[Row], (index, error): (usize, RowError)) -> FailedRow {
    let row = &rows[index];
    let mut errors = vec![error];
    let others = row_errors(schema, row).filter(|other| *other != errors[0]).take(MAX_ROW_ERRORS - 1);
    let others: Vec<_> = others.collect();
    errors.extend(others);
    FailedRow { index, reference: row.reference.clone(), errors }
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
