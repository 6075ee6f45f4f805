//! The results of a bulk upsert in two forms: as objects, and as JSON written directly, because there can be a million of
//! them. A property test compares the two forms.

use std::io::Write;

use async_graphql::{ID, SimpleObject, Value, parser::types::SelectionSet};

use super::{RowError, RowErrorCode, UpsertOutcome};
use crate::{
    budget::Exceeded,
    domain::{self, bulk::Upserted, member::bulk_upsert::Row},
    graphql::{
        json_template::{JsonTemplate, enum_value, nullable, quoted, text},
        paced_list::PacedList,
        raw_list::{RawList, RawListField},
    },
    types::{Id, MemberId, excerpt},
};

// The ids are those of other objects. A field `id` would be the result's own: clients that normalize objects by `id`
// (Relay by `id` alone, Apollo Client by type and `id`) would store a result under its member's id.

/// Outcome of one input row.
#[derive(SimpleObject, Debug)]
pub(crate) struct UpsertResult {
    /// The row's index in the input, from 0.
    index: i32,
    /// Id of the stored clip, stamp collection or transaction; null for a row that FAILED or that a dry run would create.
    node_id: Option<ID>,
    /// The row's outcome.
    outcome: UpsertOutcome,
    /// Reason of the failure; null unless the row FAILED.
    error: Option<RowError>,
}

/// Outcome of one input row.
#[derive(SimpleObject, Debug)]
pub(crate) struct MemberUpsertResult {
    /// The row's ref. Of a ref that is longer than 1,024 bytes, its first 100 characters.
    #[graphql(name = "ref")]
    reference: String,
    /// The row's index in the input, from 0.
    index: i32,
    /// Id of the stored member; null for a row that FAILED, that UPDATE_ONLY SKIPPED, or that a dry run would create.
    member_id: Option<ID>,
    /// The row's outcome.
    outcome: UpsertOutcome,
    /// Reason of the failure; null unless the row FAILED.
    error: Option<RowError>,
}

/// The results of a call, in input order.
pub(crate) type UpsertResults<'a, I> = RawListField<Results<'a, I>>;

/// The results of `bulkUpsertMembers`, in input order, with the refs of the rows.
pub(crate) type MemberUpsertResults<'a> = RawListField<MemberResults<'a>>;

/// The source of [`UpsertResults`].
pub(crate) struct Results<'a, I>(&'a Upserted<I>);

/// The source of [`MemberUpsertResults`].
pub(crate) struct MemberResults<'a>(&'a Upserted<MemberId>, &'a [Row]);

impl<'a, I> UpsertResults<'a, I> {
    pub(in crate::graphql) fn new(upserted: &'a Upserted<I>) -> Self {
        Self(Results(upserted))
    }
}

impl<'a> MemberUpsertResults<'a> {
    pub(in crate::graphql) fn new(upserted: &'a Upserted<MemberId>, rows: &'a [Row]) -> Self {
        Self(MemberResults(upserted, rows))
    }
}

impl<I: Id + Send + Sync> RawList for Results<'_, I> {
    type Plain = PacedList<UpsertResult>;

    fn json(&self, selection: &SelectionSet) -> Option<Result<Value, Exceeded>> {
        json(selection, "UpsertResult", self.0, None)
    }

    fn plain(&self) -> Self::Plain {
        let Self(upserted) = self;
        let object = |index: usize| UpsertResult {
            index: i32::try_from(index).unwrap_or(i32::MAX),
            node_id: upserted.ids[index].map(|id| id.to_string().into()),
            outcome: upserted.outcomes[index].into(),
            error: upserted.failures.get(&index).map(RowError::from),
        };
        (0..upserted.ids.len()).map(object).collect()
    }
}

impl RawList for MemberResults<'_> {
    type Plain = PacedList<MemberUpsertResult>;

    fn json(&self, selection: &SelectionSet) -> Option<Result<Value, Exceeded>> {
        json(selection, "MemberUpsertResult", self.0, Some(self.1))
    }

    fn plain(&self) -> Self::Plain {
        let Self(upserted, rows) = self;
        let object = |(index, row): (usize, &Row)| MemberUpsertResult {
            reference: echoed_ref(row).to_owned(),
            index: i32::try_from(index).unwrap_or(i32::MAX),
            member_id: upserted.ids[index].map(|id| id.to_string().into()),
            outcome: upserted.outcomes[index].into(),
            error: upserted.failures.get(&index).map(RowError::from),
        };
        rows.iter().enumerate().map(object).collect()
    }
}

/// Returns a row's ref; of an invalid one that is too long, its start.
fn echoed_ref(row: &Row) -> &str {
    if row.reference.len() > domain::text::MAX_BYTES { excerpt(&row.reference) } else { &row.reference }
}

/// The parts of a result that differ from row to row.
enum Slot<'a> {
    Index,
    Ref(&'a [Row]),
    Id,
    Outcome,
    Error(JsonTemplate<ErrorSlot>),
}

/// The parts of a row error that differ from row to row.
enum ErrorSlot {
    Code,
    Message,
    Path,
}

fn json<I: Id>(
    selection: &SelectionSet,
    type_name: &str,
    upserted: &Upserted<I>,
    rows: Option<&[Row]>,
) -> Option<Result<Value, Exceeded>> {
    let template = JsonTemplate::of(selection, |template, name, selection| match name {
        "__typename" => template.type_name(type_name),
        "index" => template.slot(Slot::Index),
        "ref" => template.slot(Slot::Ref(rows?)),
        // Each type has one of the two; validation has rejected the other.
        "memberId" | "nodeId" => template.slot(Slot::Id),
        "outcome" => template.slot(Slot::Outcome),
        "error" => template.slot(Slot::Error(error(selection)?)),
        _ => None,
    })?;
    Some(template.list(0..upserted.ids.len(), |index, slot, json| match slot {
        Slot::Index => write!(json, "{index}").expect("writing to memory does not fail"),
        Slot::Ref(rows) => text(json, echoed_ref(&rows[*index])),
        Slot::Id => nullable(json, upserted.ids[*index].map(I::ascii), quoted),
        Slot::Outcome => enum_value(json, UpsertOutcome::from(upserted.outcomes[*index])),
        Slot::Error(template) => nullable(json, upserted.failures.get(index), |json, error| {
            template.item(json, |slot, json| write_error(error, slot, json));
        }),
    }))
}

fn error(selection: &SelectionSet) -> Option<JsonTemplate<ErrorSlot>> {
    JsonTemplate::of(selection, |template, name, _| match name {
        "__typename" => template.type_name("RowError"),
        "code" => template.slot(ErrorSlot::Code),
        "message" => template.slot(ErrorSlot::Message),
        "path" => template.slot(ErrorSlot::Path),
        _ => None,
    })
}

fn write_error(error: &domain::RowError, slot: &ErrorSlot, json: &mut Vec<u8>) {
    match slot {
        ErrorSlot::Code => enum_value(json, RowErrorCode::from(error.code)),
        ErrorSlot::Message => text(json, error.message()),
        ErrorSlot::Path => {
            serde_json::to_writer(json, &error.path().collect::<Vec<_>>()).expect("writing to memory does not fail");
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};
    use futures_util::FutureExt;
    use proptest::{
        collection::vec,
        prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest},
        sample::{Index, subsequence},
    };

    use super::*;
    use crate::domain::{RowErrorCode, bulk::Outcome};

    struct Query(Upserted<MemberId>, Vec<Row>);

    #[Object]
    impl Query {
        async fn written(&self) -> MemberUpsertResults<'_> {
            MemberUpsertResults::new(&self.0, &self.1)
        }

        async fn objects(&self) -> PacedList<MemberUpsertResult> {
            MemberResults(&self.0, &self.1).plain()
        }

        async fn plain_written(&self) -> UpsertResults<'_, MemberId> {
            UpsertResults::new(&self.0)
        }

        async fn plain_objects(&self) -> PacedList<UpsertResult> {
            Results(&self.0).plain()
        }
    }

    fn query() -> Query {
        let rows = ["a\"\n", "é", "", "\u{1}\\", "</b>\u{2028}", "😀", "z"];
        let rows = rows.map(|reference| Row::new(reference.to_owned(), None, None));
        let id = |number| Some(MemberId::from_uuid(uuid::Uuid::from_u128(number)));
        let failures = [
            (2, domain::RowError::new(RowErrorCode::InvalidRef, "ref", "a \"ref\"")),
            (
                6,
                domain::RowError::of_attribute(RowErrorCode::UnknownAttribute, "a \"b\"\\", |key| {
                    format!("no {key}\n")
                }),
            ),
        ];
        let upserted = Upserted {
            ids: vec![id(7), id(u128::MAX), None, id(0), id(1), None, None],
            outcomes: vec![
                Outcome::Created,
                Outcome::Updated,
                Outcome::Failed,
                Outcome::Unchanged,
                Outcome::Stale,
                Outcome::Skipped,
                Outcome::Failed,
            ],
            failures: failures.into(),
        };
        Query(upserted, rows.to_vec())
    }

    /// Generates fields of a type in any order, some of them repeated with aliases, without fragments: the form of an operation
    /// after field collection.
    fn fields(names: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
        let keyed =
            names.iter().flat_map(|&name| [name.to_owned(), format!("x_{name}: {name}"), format!("y{name}: {name}")]);
        let keyed: Vec<_> = keyed.collect();
        let most = keyed.len();
        subsequence(keyed, 1..=most).prop_shuffle()
    }

    /// Generates a selection of a result.
    fn selection(names: &'static [&'static str]) -> impl Strategy<Value = String> {
        let errors = vec(fields(&["__typename", "code", "message", "path"]), 0..3);
        (fields(names), errors, any::<Index>()).prop_map(|(mut fields, errors, position)| {
            for (number, error) in errors.iter().enumerate() {
                let position = position.index(fields.len() + 1);
                fields.insert(position, format!("e{number}: error {{ {} }}", error.join(" ")));
            }
            fields.join(" ")
        })
    }

    /// Returns both forms of a selection as text, and whether the first was written as JSON directly.
    fn both(written: &str, objects: &str, selection: &str) -> (String, String, bool) {
        let schema = Schema::new(query(), EmptyMutation, EmptySubscription);
        let of = |field: &str| {
            let response =
                schema.execute(format!("{{ {field} {{ {selection} }} }}")).now_or_never().expect("an answer");
            let Value::Object(mut data) = response.data else {
                panic!("no data for {selection}: {:?}", response.errors)
            };
            data.swap_remove(field).expect("the field")
        };
        let text = |value: &Value| serde_json::to_string(value).expect("JSON");
        match of(written) {
            Value::Binary(json) => (String::from_utf8(json.to_vec()).expect("UTF-8"), text(&of(objects)), true),
            value => (text(&value), text(&of(objects)), false),
        }
    }

    proptest! {
        #[test]
        fn both_forms_say_the_same_to_the_letter(
            of_member in selection(&["__typename", "index", "ref", "memberId", "outcome"]),
            of_other in selection(&["__typename", "index", "nodeId", "outcome"]),
        ) {
            for (written, objects, selection) in
                [("written", "objects", of_member), ("plainWritten", "plainObjects", of_other)]
            {
                let (made, objects, as_json) = both(written, objects, &selection);
                prop_assert!(as_json, "{}", selection);
                prop_assert_eq!(made, objects, "{}", selection);
            }
        }
    }

    #[test]
    fn selections_with_fragments_are_not_written_as_json() {
        for selection in ["memberId error { ... on RowError { code } }", "memberId ... on MemberUpsertResult { index }"]
        {
            let (made, objects, as_json) = both("written", "objects", selection);
            assert!(!as_json, "{selection}");
            assert_eq!(made, objects, "{selection}");
        }
    }
}
