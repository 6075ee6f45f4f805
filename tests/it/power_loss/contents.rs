//! The contents of a memberbase: those that calls are expected to leave, and those that a database file has.

use std::collections::{BTreeMap, BTreeSet};

use memberbase::types::{Id, MemberId};
use serde_json::Value;

use crate::support::Server;

#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// False if there is no such memberbase.
    pub exists: bool,
    /// Number of attributes in the schema.
    pub attributes: usize,
    pub members: BTreeMap<String, Member>,
    /// The members that the open sync has seen, if there is one.
    pub seen: Option<BTreeSet<String>>,
    pub ended_syncs: usize,
}

#[derive(Clone, Debug, Default)]
pub struct Member {
    /// The id in hexadecimal digits; `None` if no response to its creation arrived.
    pub id: Option<String>,
    /// The number of the call that wrote the attributes.
    pub call: usize,
    /// The clips by deal, and the transactions by external id, with the number of the call that wrote each.
    pub clips: BTreeMap<String, usize>,
    pub transactions: BTreeMap<String, usize>,
}

impl Member {
    /// Sets the id as it is in a response.
    pub fn set_id(&mut self, id: &str) {
        self.id = Some(MemberId::parse(id).unwrap().uuid().simple().to_string().to_uppercase());
    }
}

/// The start of the refs of members that are as large as the server allows.
pub const LARGE: &str = "large-";

/// Returns the text of the attribute that fills pages: different for each call and member. A call with 2,000 members
/// writes about 300 pages.
pub fn filler(reference: &str, call: usize) -> String {
    let length = if reference.starts_with(LARGE) { 15_000 } else { 250 };
    let text = format!("{reference}/{call};");
    text.repeat(length / text.len())
}

impl Contents {
    /// Returns the first difference, if any.
    pub fn difference(&self, found: &Self) -> Option<String> {
        for (reference, member) in &self.members {
            let Some(found) = found.members.get(reference) else { return Some(format!("{reference} is missing")) };
            let same_id = member.id.is_none() || member.id == found.id;
            if !same_id
                || (member.call, &member.clips, &member.transactions) != (found.call, &found.clips, &found.transactions)
            {
                return Some(format!("{reference} is {found:?} instead of {member:?}"));
            }
        }
        if let Some(reference) = found.members.keys().find(|&reference| !self.members.contains_key(reference)) {
            return Some(format!("{reference} is there"));
        }
        let rest = |all: &Self| (all.exists, all.attributes, all.seen.is_some(), all.ended_syncs);
        if rest(self) != rest(found) {
            return Some(format!("{:?} instead of {:?}", rest(found), rest(self)));
        }
        let seen = |all: &Self| all.seen.clone().unwrap_or_default();
        let different: Vec<_> = seen(self).symmetric_difference(&seen(found)).cloned().collect();
        (!different.is_empty()).then(|| format!("the open sync differs in {} marks: {}", different.len(), different[0]))
    }

    /// Reads all memberbases of a database, by name.
    pub async fn read(server: &Server) -> BTreeMap<String, Self> {
        let mut all = BTreeMap::new();
        for row in rows(server, "SELECT json_array(name, json_array_length(attribute_schema)) FROM memberbase").await {
            let attributes = number(&row[1]);
            assert!(
                all.insert(text(&row[0]), Self { exists: true, attributes, ..Self::default() }).is_none(),
                "{row} twice"
            );
        }
        for row in rows(server, MEMBERS).await {
            let (reference, attributes) = (text(&row[1]), &row[3]);
            let call = number(&attributes["call"]);
            assert_eq!(attributes["text"], filler(&reference, call), "the text of {reference}");
            let member = Member { id: Some(text(&row[2])), call, ..Member::default() };
            memberbase(&mut all, &row).members.insert(reference, member);
        }
        for row in rows(server, CLIPS).await {
            let member = memberbase(&mut all, &row).members.get_mut(&text(&row[1])).unwrap();
            member.clips.insert(text(&row[2]), text(&row[3]).parse().unwrap());
        }
        for row in rows(server, TRANSACTIONS).await {
            let member = memberbase(&mut all, &row).members.get_mut(&text(&row[1])).unwrap();
            member.transactions.insert(text(&row[2]), number(&row[3]));
        }
        for row in rows(server, SYNCS).await {
            let contents = memberbase(&mut all, &row);
            match &row[1] {
                Value::Null => contents.ended_syncs += 1,
                seen => contents.seen = Some(seen.as_array().unwrap().iter().map(text).collect()),
            }
        }
        all
    }
}

// Children of a member or memberbase that is missing have no name or ref, which fails.
const MEMBERS: &str = "SELECT json_array(name, ref, hex(member.id), json(attributes)) \
    FROM member LEFT JOIN memberbase ON memberbase.id = member.memberbase_id";

const CLIPS: &str = "SELECT json_array(name, ref, deal_id, creative_id) FROM clip \
    LEFT JOIN member ON member.id = clip.member_id LEFT JOIN memberbase ON memberbase.id = clip.memberbase_id";

const TRANSACTIONS: &str = "SELECT json_array(name, ref, external_id, amount) FROM \"transaction\" AS t \
    LEFT JOIN member ON member.id = t.member_id LEFT JOIN memberbase ON memberbase.id = t.memberbase_id";

const SYNCS: &str = "SELECT json_array(name, iif(state = 0, (SELECT json_group_array(ref) FROM sync_seen \
    JOIN member ON member.id = member_id WHERE sync_id = sync.id), NULL)) \
    FROM sync LEFT JOIN memberbase ON memberbase.id = sync.memberbase_id";

async fn rows(server: &Server, sql: &str) -> Vec<Value> {
    server.column::<String>(sql).await.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
}

fn memberbase<'a>(all: &'a mut BTreeMap<String, Contents>, row: &Value) -> &'a mut Contents {
    all.get_mut(&text(&row[0])).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))).unwrap()
}
