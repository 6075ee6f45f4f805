//! The members that everything is done with, and the documents that do it.

use std::fmt::Write;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::{http::Api, ids};

/// Rows of a bulk call.
pub const BATCH: usize = 5_000;

const UPSERT: &str = "mutation Upsert($input: BulkUpsertMembersInput!) { \
    bulkUpsertMembers(input: $input) { memberIds summary { created unchanged } } }";

/// The ref of a member; all are of the same length.
pub fn ref_of(number: usize) -> String {
    format!("member-{number:012}")
}

/// A bulk upsert of these members.
pub fn upsert(api: &Api, memberbase: &str, numbers: impl Iterator<Item = usize>) -> Vec<u8> {
    let mut variables = format!("{{\"input\":{{\"memberbaseId\":\"{memberbase}\",\"members\":[");
    for (place, number) in numbers.enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let _ = write!(variables, "{comma}{{\"ref\":\"member-{number:012}\"}}");
    }
    variables.push_str("]}}");
    api.request(UPSERT, &variables)
}

/// Whether an upsert of so many members answers an id for each and says that all of them were created, or none. All ids
/// have one length, and so has the answer: a null would make it shorter.
pub fn check_upserted(body: &[u8], members: usize, created: bool) -> Result<()> {
    const HEAD: &[u8] = b"{\"data\":{\"bulkUpsertMembers\":{\"memberIds\":[\"m_";
    const ID: usize = 2 + 26 + 3;
    let (new, old) = if created { (members, 0) } else { (0, members) };
    let tail = format!("\"],\"summary\":{{\"created\":{new},\"unchanged\":{old}}}}}}}}}");
    let length = HEAD.len() - 3 + members * ID - 1 + tail.len() - 1;
    let right = body.starts_with(HEAD) && body.ends_with(tail.as_bytes()) && body.len() == length;
    let shown = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
    ensure!(
        right,
        "not {members} ids and {tail}: {} ... {}, {} bytes in place of {length}",
        shown(&body[..body.len().min(100)]),
        shown(&body[body.len().saturating_sub(100)..]),
        body.len()
    );
    Ok(())
}

/// The ids that an upsert answers.
pub fn upserted_ids(body: &[u8]) -> Result<Vec<Uuid>> {
    let answer: Value = serde_json::from_slice(body)?;
    let list = answer["data"]["bulkUpsertMembers"]["memberIds"].as_array().context("no memberIds")?;
    list.iter().map(|id| ids::parse("m_", id.as_str().context("a null id")?)).collect()
}

/// A member as it is stored.
pub struct Stored {
    pub id: Uuid,
    pub reference: String,
    pub updated_at: i64,
}

impl Stored {
    /// Whether a node `{id ref createdAt updatedAt}` shows this member.
    pub fn check(&self, node: &Value) -> Result<()> {
        let text = |name: &str| node[name].as_str().with_context(|| format!("no {name} in {node}"));
        let (seconds, nanos) = self.id.get_timestamp().context("an id without a time")?.to_unix();
        let created_at = Timestamp::new(i64::try_from(seconds)?, i32::try_from(nanos)?)?;
        let right = ids::parse("m_", text("id")?)? == self.id
            && text("ref")? == self.reference
            && text("createdAt")?.parse::<Timestamp>()? == created_at
            && text("updatedAt")?.parse::<Timestamp>()? == Timestamp::from_microsecond(self.updated_at)?;
        ensure!(right, "{node} is not member {} with ref {}", self.id, self.reference);
        Ok(())
    }
}
