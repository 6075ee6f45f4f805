//! The calls of one client, each sent after the response to the previous one, and what each leaves in the client's
//! memberbase.

use serde_json::{Value, json};

use super::contents::{Contents, filler};
use crate::support::{ApiResponse, Random};

/// Members that a client uses: a call creates those that do not exist.
const MEMBERS: usize = 3_000;

#[derive(Clone, Debug)]
pub enum Call {
    CreateMemberbase,
    SetAttributeSchema,
    Upsert(Vec<String>),
    DryRun(Vec<String>),
    /// An upsert whose last row is bad. The open sync still marks the members that exist.
    RejectedUpsert(Vec<String>),
    /// The deletion of more members than the call allows.
    RejectedDelete(Vec<String>),
    Clips(Vec<String>),
    Transactions(Vec<String>),
    Delete(Vec<String>),
    StartSync,
    /// Deletes the members that the sync has not seen.
    CommitSync,
}

/// The ids that a client needs for its calls, from earlier responses.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    pub memberbase: String,
    /// The open sync.
    pub sync: Option<String>,
}

impl Call {
    /// Returns a call that may come next.
    pub fn random(contents: &Contents, ids: &Ids, client: usize, random: &mut Random) -> Self {
        let existing: Vec<_> = contents.members.keys().cloned().collect();
        let some = |random: &mut Random, most: usize| texts(random.pick(&existing, most));
        let all: Vec<_> = (0..MEMBERS).map(|n| format!("{client}-{n}")).collect();
        let count = [1, 3, 40, 300, 2_000][random.below(5)];
        match random.below(20) {
            0 => Self::DryRun(texts(random.pick(&all, count))),
            1 => Self::RejectedUpsert(texts(random.pick(&all, count))),
            2 if existing.len() > 1 => Self::RejectedDelete(some(random, count + 1)),
            3..=5 if !existing.is_empty() => Self::Clips(some(random, count.min(300))),
            6..=8 if !existing.is_empty() => Self::Transactions(some(random, count.min(300))),
            9..=10 if !existing.is_empty() => Self::Delete(some(random, count.min(300))),
            11..=12 => Self::StartSync,
            13..=14 if ids.sync.is_some() && contents.seen.as_ref().is_some_and(|seen| !seen.is_empty()) => {
                Self::CommitSync
            }
            _ => Self::Upsert(texts(random.pick(&all, count))),
        }
    }

    /// Returns the document and the variables of the request.
    pub fn request(&self, client: usize, number: usize, ids: &Ids) -> (&'static str, Value) {
        let base = &ids.memberbase;
        let upsert = |refs: &[String], dry_run: bool| {
            let rows: Vec<_> = refs.iter().map(|reference| member(reference, number)).collect();
            (UPSERT, json!({"memberbaseId": base, "members": rows, "dryRun": dry_run}))
        };
        let (document, input) = match self {
            Self::CreateMemberbase => (CREATE, json!({"name": name(client)})),
            Self::SetAttributeSchema => {
                let attributes = json!([{"key": "call", "type": "NUMBER"}, {"key": "text", "type": "STRING"}]);
                (SET_SCHEMA, json!({"memberbaseId": base, "attributes": attributes}))
            }
            Self::Upsert(refs) => upsert(refs, false),
            Self::DryRun(refs) => upsert(refs, true),
            Self::RejectedUpsert(refs) => upsert(&[refs.as_slice(), &[String::new()]].concat(), false),
            Self::RejectedDelete(refs) => {
                (DELETE, json!({"memberbaseId": base, "refs": refs, "atMost": refs.len() - 1}))
            }
            Self::Delete(refs) => (DELETE, json!({"memberbaseId": base, "refs": refs})),
            Self::Clips(refs) => {
                let clip = |reference| json!({"memberRef": reference, "dealId": "d", "creativeId": number.to_string()});
                (CLIPS, json!({"memberbaseId": base, "clips": refs.iter().map(clip).collect::<Vec<_>>()}))
            }
            Self::Transactions(refs) => {
                let rows: Vec<_> = refs.iter().map(|reference| transaction(reference, number)).collect();
                (TRANSACTIONS, json!({"memberbaseId": base, "transactions": rows}))
            }
            Self::StartSync => (START_SYNC, json!({"memberbaseId": base, "abandonOpen": true})),
            Self::CommitSync => {
                (COMMIT_SYNC, json!({"syncId": ids.sync, "onMissing": "DELETE", "maxDeletedPercent": 100}))
            }
        };
        (document, json!({"input": input}))
    }

    /// Checks the response, and learns the ids in it.
    pub fn accept(&self, response: &ApiResponse, ids: &mut Ids) {
        match self {
            Self::RejectedUpsert(_) => assert_eq!(response.code(), "BAD_USER_INPUT", "{}", response.json()),
            Self::RejectedDelete(_) => assert_eq!(response.code(), "LIMIT_EXCEEDED", "{}", response.json()),
            Self::CreateMemberbase => {
                let id = response.data()["createMemberbase"]["memberbase"]["id"].as_str().unwrap().to_owned();
                ids.memberbase = id;
            }
            Self::StartSync => {
                ids.sync = Some(response.data()["startSync"]["sync"]["id"].as_str().unwrap().to_owned());
            }
            Self::CommitSync => {
                assert_eq!(response.data()["commitSync"]["sync"]["state"], "COMMITTED");
                ids.sync = None;
            }
            _ => drop(response.data()),
        }
    }

    /// Returns whether the call certainly changes what is stored.
    pub fn stores(&self) -> bool {
        !matches!(self, Self::DryRun(_) | Self::RejectedUpsert(_) | Self::RejectedDelete(_))
    }

    /// Changes the contents as the call does. The ids of new members are in the response, if there was one.
    pub fn apply(&self, number: usize, response: Option<&Value>, contents: &mut Contents) {
        match self {
            Self::CreateMemberbase => contents.exists = true,
            Self::DryRun(_) | Self::RejectedDelete(_) => {}
            Self::RejectedUpsert(refs) => {
                if let Some(seen) = &mut contents.seen {
                    seen.extend(refs.iter().filter(|&reference| contents.members.contains_key(reference)).cloned());
                }
            }
            Self::SetAttributeSchema => contents.attributes = 2,
            Self::Upsert(refs) => {
                for (index, reference) in refs.iter().enumerate() {
                    let member = contents.members.entry(reference.clone()).or_default();
                    member.call = number;
                    if let Some(response) = response {
                        member.set_id(response["bulkUpsertMembers"]["memberIds"][index].as_str().unwrap());
                    }
                }
                if let Some(seen) = &mut contents.seen {
                    seen.extend(refs.iter().cloned());
                }
            }
            Self::Clips(refs) => {
                for reference in refs {
                    contents.members.get_mut(reference).unwrap().clips.insert("d".to_owned(), number);
                }
            }
            Self::Transactions(refs) => {
                for reference in refs {
                    let external_id = format!("{reference}/{number}");
                    contents.members.get_mut(reference).unwrap().transactions.insert(external_id, number);
                }
            }
            Self::Delete(refs) => delete(contents, refs),
            Self::StartSync => {
                contents.ended_syncs += usize::from(contents.seen.is_some());
                contents.seen = Some(std::collections::BTreeSet::new());
            }
            Self::CommitSync => {
                let seen = contents.seen.take().unwrap();
                contents.members.retain(|reference, _| seen.contains(reference));
                contents.ended_syncs += 1;
            }
        }
    }
}

fn delete(contents: &mut Contents, refs: &[String]) {
    for reference in refs {
        contents.members.remove(reference);
        if let Some(seen) = &mut contents.seen {
            seen.remove(reference);
        }
    }
}

/// Returns the name of a client's memberbase.
pub fn name(client: usize) -> String {
    format!("of client {client}")
}

fn member(reference: &str, call: usize) -> Value {
    json!({"ref": reference, "attributes": {"call": call, "text": filler(reference, call)}})
}

fn transaction(reference: &str, call: usize) -> Value {
    json!({
        "memberRef": reference, "externalId": format!("{reference}/{call}"), "authCode": "a", "network": "VISA",
        "bin": "411111", "merchantId": "m", "amount": call, "currency": "GBP", "authedAt": "2026-01-01T00:00:00Z",
    })
}

fn texts(refs: Vec<&str>) -> Vec<String> {
    refs.into_iter().map(str::to_owned).collect()
}

const CREATE: &str =
    "mutation($input: CreateMemberbaseInput!) { createMemberbase(input: $input) { memberbase { id } } }";
const SET_SCHEMA: &str =
    "mutation($input: SetAttributeSchemaInput!) { setAttributeSchema(input: $input) { memberbase { id } } }";
const UPSERT: &str = "mutation($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { memberIds } }";
const CLIPS: &str = "mutation($input: BulkUpsertClipsInput!) { bulkUpsertClips(input: $input) { clipIds } }";
const TRANSACTIONS: &str =
    "mutation($input: BulkUpsertTransactionsInput!) { bulkUpsertTransactions(input: $input) { transactionIds } }";
const DELETE: &str = "mutation($input: DeleteMembersInput!) { deleteMembers(input: $input) { deleted { members } } }";
const START_SYNC: &str = "mutation($input: StartSyncInput!) { startSync(input: $input) { sync { id } } }";
const COMMIT_SYNC: &str = "mutation($input: CommitSyncInput!) { commitSync(input: $input) { sync { state } } }";
