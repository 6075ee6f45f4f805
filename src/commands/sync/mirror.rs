//! The sync of the API that a run with `--delete-missing` opens, commits and abandons.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use crate::commands::{
    Error,
    api::{Client, Failure, Memberbase},
};

const START: &str = "mutation ($input: StartSyncInput!) { startSync(input: $input) { sync { id } } }";
const COMMIT: &str =
    "mutation ($input: CommitSyncInput!) { commitSync(input: $input) { sync { deleted { members } } } }";
const ABANDON: &str = "mutation ($input: AbandonSyncInput!) { abandonSync(input: $input) { sync { state } } }";
const LOOK: &str = "query ($sync: ID!, $memberbase: ID!) { \
    sync(id: $sync) { missing } members(memberbaseId: $memberbase, first: 0) { totalCount } }";

/// How long a run that ends tries to abandon its sync. One that is left open deletes nobody.
const FAREWELL: Duration = Duration::from_secs(10);

/// An open sync.
pub(super) struct Mirror {
    pub(crate) id: String,
}

/// What a commit would do now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prospect {
    /// Members that would go.
    pub(crate) missing: u64,
    /// All that there are.
    pub(crate) members: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    start_sync: Payload<SyncId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Committed {
    commit_sync: Payload<Ended>,
}

#[derive(Deserialize)]
struct Payload<T> {
    sync: T,
}

#[derive(Deserialize)]
struct SyncId {
    id: String,
}

#[derive(Deserialize)]
struct Ended {
    deleted: Option<Deleted>,
}

#[derive(Deserialize)]
struct Deleted {
    members: u64,
}

#[derive(Deserialize)]
struct Seen {
    sync: Option<Missing>,
    members: Total,
}

#[derive(Deserialize)]
struct Missing {
    missing: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Total {
    total_count: u64,
}

impl Mirror {
    /// Opens one.
    pub(super) async fn start(client: &Client, memberbase: &Memberbase, abandon_open: bool) -> Result<Self, Error> {
        let input = json!({"memberbaseId": memberbase.id, "abandonOpen": abandon_open});
        match client.call::<Started>(START, json!({"input": input})).await {
            Ok(started) => Ok(Self { id: started.start_sync.sync.id }),
            Err(Failure::Refused(refusal)) if refusal.code == "CONFLICT" => {
                let message = format!("{}: if no other run uses it, abandon it with --abandon-open", refusal.message);
                Err(Error::Refused(message))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Deletes the members that are missing, and answers how many they were.
    pub(super) async fn commit(&self, client: &Client, max_deleted_percent: f64) -> Result<u64, Error> {
        let input = json!({"syncId": self.id, "onMissing": "DELETE", "maxDeletedPercent": max_deleted_percent});
        match client.call::<Committed>(COMMIT, json!({"input": input})).await {
            Ok(committed) => Ok(committed.commit_sync.sync.deleted.map_or(0, |deleted| deleted.members)),
            Err(Failure::Refused(refusal)) if refusal.code == "LIMIT_EXCEEDED" => {
                Err(Error::Refused(format!("{}: to allow it, increase --max-deleted-percent", refusal.message)))
            }
            Err(Failure::Retryable(message, _)) => {
                let message = format!("{message}; members may have been deleted or not: run the command again");
                Err(Error::Refused(message))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// What a commit would do now.
    pub(super) async fn look(&self, client: &Client, memberbase: &Memberbase) -> Result<Prospect, Error> {
        let seen: Seen = client.call(LOOK, json!({"sync": self.id, "memberbase": memberbase.id})).await?;
        let missing =
            seen.sync.ok_or_else(|| Error::Refused(format!("sync {} does not exist any more", self.id)))?.missing;
        Ok(Prospect { missing, members: seen.members.total_count })
    }

    /// Ends it without deleting anybody. The error says that it is still open.
    pub(super) async fn abandon(&self, client: &Client) -> Result<(), String> {
        let abandoned = client.call::<serde::de::IgnoredAny>(ABANDON, json!({"input": {"syncId": self.id}}));
        let failure = match timeout(FAREWELL, abandoned).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(failure)) => Error::from(failure).to_string(),
            Err(_) => "there was no response".to_owned(),
        };
        Err(format!(
            "the sync {} could not be abandoned: {failure}; it deletes no members, and --abandon-open abandons it",
            self.id
        ))
    }
}

impl Prospect {
    /// Why a commit would be refused, if it would be. `created` members would be there by then, too.
    pub(super) fn refusal(self, created: u64, max_deleted_percent: f64) -> Option<String> {
        let Self { missing, members } = self;
        let members = members + created;
        #[expect(clippy::cast_precision_loss, reason = "it is exact up to 2^53")]
        let share = if members == 0 { 0.0 } else { 100.0 * missing as f64 / members as f64 };
        (share > max_deleted_percent).then(|| {
            format!(
                "{missing} of {members} members would be deleted, which is {share:.1} %: more than \
                --max-deleted-percent {max_deleted_percent} allows"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_refused_is_told() {
        let prospect = Prospect { missing: 11, members: 100 };
        let refusal = prospect.refusal(0, 10.0).expect("too many");
        assert!(refusal.starts_with("11 of 100 members would be deleted, which is 11.0 %"), "{refusal}");
        assert!(prospect.refusal(10, 10.0).is_none());
        assert!(Prospect { missing: 0, members: 0 }.refusal(0, 0.0).is_none());
    }
}
