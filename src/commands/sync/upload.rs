//! Sends the batches of a lane, one at a time, and collects outcomes and invalid rows.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::mpsc::Receiver;

use super::{
    lanes::{Batch, Place},
    progress::Progress,
    rejects::Rejects,
    report::Outcomes,
};
use crate::{
    commands::{
        Error,
        api::{BadRow, Client, Failure, Refusal},
    },
    members_file::RowFault,
};

const UPSERT: &str = "mutation ($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { \
    results { index error { code message path } } summary { created updated unchanged stale } } }";

/// How rows are sent, and what became of them.
pub(super) struct Upload<'a> {
    pub(crate) client: &'a Client,
    pub(crate) memberbase_id: &'a str,
    pub(crate) sync_id: Option<&'a str>,
    pub(crate) dry_run: bool,
    /// Whether a bad row is left out, and does not end the run.
    pub(crate) skip: bool,
    pub(crate) rejects: Arc<Rejects>,
    pub(crate) progress: &'a Progress,
    pub(crate) outcomes: &'a Mutex<Outcomes>,
}

#[derive(Serialize)]
struct Variables<'a> {
    input: Input<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Input<'a> {
    memberbase_id: &'a str,
    members: &'a RawValue,
    on_error: &'static str,
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_id: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    bulk_upsert_members: Payload,
}

#[derive(Deserialize)]
struct Payload {
    results: Vec<RowResult>,
    summary: Outcomes,
}

#[derive(Deserialize)]
struct RowResult {
    index: usize,
    error: Option<RowFault>,
}

impl Upload<'_> {
    /// Sends what comes, until nothing does.
    pub(super) async fn lane(&self, mut batches: Receiver<Batch>) -> Result<(), Error> {
        while let Some(batch) = batches.recv().await {
            self.send(batch).await?;
        }
        Ok(())
    }

    async fn send(&self, batch: Batch) -> Result<(), Error> {
        let Batch { json, places } = batch;
        let members = RawValue::from_string(format!("[{json}]"))
            .map_err(|error| Error::Refused(format!("the rows are not JSON: {error}")))?;
        drop(json);
        let on_error = if self.skip { "SKIP_FAILED" } else { "REJECT_BATCH" };
        let (memberbase_id, dry_run, sync_id) = (self.memberbase_id, self.dry_run, self.sync_id);
        let input = Input { memberbase_id, members: &members, on_error, dry_run, sync_id };
        let Payload { results, summary } = match self.client.call::<Answer>(UPSERT, Variables { input }).await {
            Ok(answer) => answer.bulk_upsert_members,
            Err(Failure::Refused(refusal)) if refusal.count > 0 => return Err(self.rejected(&refusal, &places)),
            Err(Failure::Refused(refusal)) if refusal.code == "PAYLOAD_TOO_LARGE" => {
                let message = format!("{}: reduce --batch-size", refusal.message);
                return Err(Error::Refused(message));
            }
            Err(failure) => return Err(failure.into()),
        };
        let failed = results.into_iter().filter_map(|RowResult { index, error }| Some((index, error?)));
        for (index, fault) in failed {
            self.reject(index, &fault, &places)?;
        }
        *self.outcomes.lock().unwrap_or_else(PoisonError::into_inner) += summary;
        self.progress.add(places.len());
        Ok(())
    }

    /// What the run ends with, for rows that the API refused together with their batch.
    fn rejected(&self, refusal: &Refusal, places: &[Place]) -> Error {
        for BadRow { index, fault } in &refusal.rows {
            if let Err(error) = self.reject(*index, fault, places) {
                return error;
            }
        }
        let first = self.rejects.told().into_iter().next().unwrap_or_default();
        let rows = if refusal.count == 1 {
            "1 row is invalid".to_owned()
        } else {
            format!("{} rows are invalid", refusal.count)
        };
        Error::Refused(format!("{rows}, {first}; --on-error skip stores the others"))
    }

    fn reject(&self, index: usize, fault: &RowFault, places: &[Place]) -> Result<(), Error> {
        let place =
            places.get(index).ok_or_else(|| Error::Refused("the response names a row that was not sent".to_owned()))?;
        // What shows without the API says more than what the API finds in its place.
        let fault = place.fault.as_ref().unwrap_or(fault);
        self.rejects.add(place.line, Some(&place.reference), fault).map_err(Error::Output)
    }
}
