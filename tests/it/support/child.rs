//! Rows of children of members and calls that upsert them, for all types.

use serde_json::{Value, json};

use super::{ApiResponse, Caller};

/// A type of children of members.
#[derive(Clone, Copy, Debug)]
pub enum ChildType {
    Clips,
    StampCollections,
    Transactions,
}

use ChildType::{Clips, StampCollections, Transactions};

impl ChildType {
    fn plural(self) -> String {
        format!("{self:?}")
    }

    /// Returns the name of the field with the rows.
    pub fn field(self) -> &'static str {
        match self {
            Clips => "clips",
            StampCollections => "stampCollections",
            Transactions => "transactions",
        }
    }

    /// Returns the name of the field with the ids.
    fn ids(self) -> String {
        format!("{}Ids", self.field().trim_end_matches('s'))
    }

    pub fn table(self) -> &'static str {
        match self {
            Clips => "clip",
            StampCollections => "stamp_collection",
            Transactions => "\"transaction\"",
        }
    }

    /// Returns a row for the member with this ref, with this key, and with `value` in a mutable field.
    pub fn row(self, member: &str, key: &str, value: u32) -> Value {
        match self {
            Clips => json!({"memberRef": member, "dealId": key, "creativeId": format!("c{value}")}),
            StampCollections => json!({"memberRef": member, "loyaltyProgramId": key, "stamps": value}),
            Transactions => json!({
                "memberRef": member, "externalId": key, "authCode": "a", "network": "VISA", "bin": "400000",
                "merchantId": "m", "authedAt": "2026-01-31T12:00:00Z", "amount": value,
            }),
        }
    }
}

impl Caller {
    /// Upserts rows; selects ids, results and summary.
    pub async fn upsert_children(&self, kind: ChildType, base: &str, rows: Value, options: Value) -> ApiResponse {
        let mut input = json!({"memberbaseId": base, kind.field(): rows});
        for (key, value) in options.as_object().unwrap() {
            input[key] = value.clone();
        }
        let (plural, ids) = (kind.plural(), kind.ids());
        let query = format!(
            "mutation($input: BulkUpsert{plural}Input!) {{ bulkUpsert{plural}(input: $input) {{ \
            {ids} results {{ index nodeId outcome error {{ code message path }} }} \
            summary {{ created updated unchanged stale skipped failed }} }} }}"
        );
        self.graphql(&query, json!({"input": input})).await
    }

    /// Upserts rows, asserts success and returns the payload.
    pub async fn upserted_children(&self, kind: ChildType, base: &str, rows: Value) -> Value {
        self.upserted_children_with(kind, base, rows, json!({})).await
    }

    /// Upserts rows with options, asserts success and returns the payload.
    pub async fn upserted_children_with(&self, kind: ChildType, base: &str, rows: Value, options: Value) -> Value {
        let mut payload =
            self.upsert_children(kind, base, rows, options).await.data()[format!("bulkUpsert{}", kind.plural())].take();
        payload["ids"] = payload[kind.ids()].take();
        payload
    }
}
