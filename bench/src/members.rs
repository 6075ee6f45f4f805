//! The members of all workloads, and the upserts of them.

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

/// Returns the ref of a member; all refs have the same length.
pub fn ref_of(number: usize) -> String {
    format!("member-{number:012}")
}

/// Returns a bulk upsert of these members.
pub fn upsert(api: &Api, memberbase: &str, numbers: impl Iterator<Item = usize>) -> Vec<u8> {
    let mut variables = format!("{{\"input\":{{\"memberbaseId\":\"{memberbase}\",\"members\":[");
    for (index, number) in numbers.enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(variables, "{comma}{{\"ref\":\"member-{number:012}\"}}");
    }
    variables.push_str("]}}");
    api.request(UPSERT, &variables)
}

/// Checks that the response to an upsert has an id for each member and counts all of them as created, or none. All ids
/// have the same length, so a null would make the response shorter.
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
        "expected {members} ids and {tail}: {} ... {}, {} bytes, expected {length}",
        shown(&body[..body.len().min(100)]),
        shown(&body[body.len().saturating_sub(100)..]),
        body.len()
    );
    Ok(())
}

/// Returns the ids in the response to an upsert.
pub fn upserted_ids(body: &[u8]) -> Result<Vec<Uuid>> {
    let response: Value = serde_json::from_slice(body)?;
    let list = response["data"]["bulkUpsertMembers"]["memberIds"].as_array().context("no memberIds")?;
    list.iter().map(|id| ids::parse("m_", id.as_str().context("a null id")?)).collect()
}

/// A stored member.
pub struct Stored {
    pub id: Uuid,
    pub reference: String,
    pub updated_at: i64,
}

impl Stored {
    /// Checks that a node `{id ref createdAt updatedAt}` equals this member.
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

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "m_01h455vb4pex5vsknk084sn02q";

    fn response(ids: &[&str], created: usize, unchanged: usize) -> String {
        let summary = format!("{{\"created\":{created},\"unchanged\":{unchanged}}}");
        format!("{{\"data\":{{\"bulkUpsertMembers\":{{\"memberIds\":[{}],\"summary\":{summary}}}}}}}", ids.join(","))
    }

    #[test]
    fn an_upsert_with_an_id_for_each_row_is_right() {
        let id = format!("\"{ID}\"");
        let body = response(&[&id, &id], 2, 0);
        check_upserted(body.as_bytes(), 2, true).unwrap();
        assert_eq!(upserted_ids(body.as_bytes()).unwrap()[0].to_string(), "01890a5d-ac96-774b-bcce-b302099a8057");
    }

    #[test]
    fn an_upsert_with_a_null_a_missing_id_or_another_outcome_is_wrong() {
        let id = format!("\"{ID}\"");
        for body in [response(&[&id, "null"], 2, 0), response(&[&id], 2, 0), response(&[&id, &id], 1, 1)] {
            assert!(check_upserted(body.as_bytes(), 2, true).is_err(), "{body}");
        }
    }

    #[test]
    fn a_node_is_held_against_what_is_stored() {
        let id: Uuid = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let stored = Stored { id, reference: "a".to_owned(), updated_at: 1_688_000_000_123_456 };
        let node = |reference: &str, updated_at: &str| serde_json::json!({"id": ID, "ref": reference, "createdAt": "2023-06-29T13:08:45.718Z", "updatedAt": updated_at});
        let created = Timestamp::new(1_688_000_000, 123_456_000).unwrap().to_string();
        let millis = i64::try_from(id.as_u128() >> 80).unwrap();
        let mut right = node("a", &created);
        right["createdAt"] = Timestamp::from_millisecond(millis).unwrap().to_string().into();
        stored.check(&right).unwrap();
        for wrong in [node("b", &created), node("a", "2023-06-29T00:00:00Z")] {
            assert!(stored.check(&wrong).is_err(), "{wrong}");
        }
    }
}
