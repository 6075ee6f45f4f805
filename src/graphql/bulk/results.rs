//! The results of a bulk upsert in two forms: as objects, and as JSON made at once, for there may be a million of them.
//! A test holds the two equal.

use std::{borrow::Cow, io::Write};

use async_graphql::{
    ContextSelectionSet, ID, OutputType, Positioned, ServerResult, SimpleObject, Value,
    parser::types::{Field, Selection},
    registry::Registry,
};

use super::{RowError, UpsertOutcome};
use crate::{
    domain::{self, bulk::Upserted, member::bulk_upsert::Row},
    graphql::execute::raw_json,
    types::Id,
};

/// What became of one row.
#[derive(SimpleObject, Debug)]
pub struct UpsertResult {
    /// Its place in the input, from 0.
    index: i32,
    /// The id of what it is about; null for a row that FAILED, that UPDATE_ONLY SKIPPED, or that a dry run would create.
    id: Option<ID>,
    /// What became of it.
    outcome: UpsertOutcome,
    /// Why it FAILED.
    error: Option<RowError>,
}

/// What became of one row.
#[derive(SimpleObject, Debug)]
pub struct MemberUpsertResult {
    /// Its ref, as it was given.
    #[graphql(name = "ref")]
    reference: String,
    /// The rest.
    #[graphql(flatten)]
    result: UpsertResult,
}

/// The results of a call, in the order of its rows.
pub struct UpsertResults<'a, I>(pub &'a Upserted<I>);

/// The results of a call that is about members, with the refs of its rows.
pub struct MemberUpsertResults<'a>(pub &'a Upserted<crate::types::MemberId>, pub &'a [Row]);

fn object<I: Id>(upserted: &Upserted<I>, index: usize) -> UpsertResult {
    UpsertResult {
        index: i32::try_from(index).unwrap_or(i32::MAX),
        id: upserted.ids[index].map(|id| id.to_string().into()),
        outcome: upserted.outcomes[index].into(),
        error: upserted.failures.get(&index).map(RowError::from),
    }
}

impl<I: Id> UpsertResults<'_, I> {
    fn objects(&self) -> Vec<UpsertResult> {
        (0..self.0.ids.len()).map(|index| object(self.0, index)).collect()
    }
}

impl MemberUpsertResults<'_> {
    fn objects(&self) -> Vec<MemberUpsertResult> {
        let object = |(index, row): (usize, &Row)| MemberUpsertResult {
            reference: row.reference.clone(),
            result: object(self.0, index),
        };
        self.1.iter().enumerate().map(object).collect()
    }
}

/// The list as JSON, where the selection is of plain fields alone, as it is once an operation is flat.
fn json<I: Id>(
    field: &Positioned<Field>,
    type_name: &str,
    upserted: &Upserted<I>,
    rows: Option<&[Row]>,
) -> Option<Vec<u8>> {
    let selected = Selected::of(field)?;
    let mut json = Vec::from(b"[");
    let count = upserted.ids.len();
    for index in 0..count {
        if index > 0 {
            json.push(b',');
        }
        selected.object(&mut json, |name, field, json| match (name, upserted.failures.get(&index)) {
            ("__typename", _) => text(json, type_name),
            ("index", _) => write!(json, "{index}").ok(),
            ("ref", _) => text(json, &rows?[index].reference),
            ("id", _) => match upserted.ids[index] {
                Some(id) => write!(json, "\"{id}\"").ok(),
                None => null(json),
            },
            ("outcome", _) => enum_value(json, UpsertOutcome::from(upserted.outcomes[index])),
            ("error", None) => null(json),
            ("error", Some(error)) => write_error(error, &Selected::of(field)?, json),
            _ => None,
        })?;
        if index == 0 {
            // The other rows are about as long.
            json.reserve(json.len() * count);
        }
    }
    json.push(b']');
    Some(json)
}

fn write_error(error: &domain::RowError, selected: &Selected<'_>, json: &mut Vec<u8>) -> Option<()> {
    selected.object(json, |name, _, json| match name {
        "__typename" => text(json, "RowError"),
        "code" => enum_value(json, super::RowErrorCode::from(error.code)),
        "message" => text(json, &error.message),
        "path" => serde_json::to_writer(json, &error.path).ok(),
        _ => None,
    })
}

/// Fields with their keys as JSON.
struct Selected<'a>(Vec<(Vec<u8>, &'a Positioned<Field>)>);

impl<'a> Selected<'a> {
    fn of(field: &'a Positioned<Field>) -> Option<Self> {
        let fields = field.node.selection_set.node.items.iter().map(|selection| match &selection.node {
            Selection::Field(field) if field.node.directives.is_empty() => {
                let key = serde_json::to_vec(field.node.response_key().node.as_str()).ok()?;
                Some((key, field))
            }
            _ => None,
        });
        fields.collect::<Option<_>>().map(Self)
    }

    fn object(
        &self,
        json: &mut Vec<u8>,
        write: impl Fn(&str, &Positioned<Field>, &mut Vec<u8>) -> Option<()>,
    ) -> Option<()> {
        json.push(b'{');
        for (place, (key, field)) in self.0.iter().enumerate() {
            if place > 0 {
                json.push(b',');
            }
            json.extend_from_slice(key);
            json.push(b':');
            write(field.node.name.node.as_str(), field, json)?;
        }
        json.push(b'}');
        Some(())
    }
}

fn text(json: &mut Vec<u8>, text: &str) -> Option<()> {
    serde_json::to_writer(json, text).ok()
}

fn null(json: &mut Vec<u8>) -> Option<()> {
    json.extend_from_slice(b"null");
    Some(())
}

fn enum_value(json: &mut Vec<u8>, value: impl async_graphql::resolver_utils::EnumType) -> Option<()> {
    match async_graphql::resolver_utils::enum_value(value) {
        Value::Enum(name) => text(json, &name),
        _ => None,
    }
}

impl<I: Id + Send + Sync> OutputType for UpsertResults<'_, I> {
    fn type_name() -> Cow<'static, str> {
        <Vec<UpsertResult> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<UpsertResult> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<UpsertResult> as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        match json(field, "UpsertResult", self.0, None) {
            Some(json) => Ok(raw_json(json)),
            None => self.objects().resolve(ctx, field).await,
        }
    }
}

impl OutputType for MemberUpsertResults<'_> {
    fn type_name() -> Cow<'static, str> {
        <Vec<MemberUpsertResult> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<MemberUpsertResult> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<MemberUpsertResult> as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        match json(field, "MemberUpsertResult", self.0, Some(self.1)) {
            Some(json) => Ok(raw_json(json)),
            None => self.objects().resolve(ctx, field).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{EmptyMutation, EmptySubscription, Object, Schema};

    use super::*;
    use crate::{
        domain::{RowErrorCode, bulk::Outcome},
        types::MemberId,
    };

    struct Query(Upserted<MemberId>, Vec<Row>);

    #[Object]
    impl Query {
        async fn written(&self) -> MemberUpsertResults<'_> {
            MemberUpsertResults(&self.0, &self.1)
        }

        async fn objects(&self) -> Vec<MemberUpsertResult> {
            MemberUpsertResults(&self.0, &self.1).objects()
        }

        async fn plain_written(&self) -> UpsertResults<'_, MemberId> {
            UpsertResults(&self.0)
        }

        async fn plain_objects(&self) -> Vec<UpsertResult> {
            UpsertResults(&self.0).objects()
        }
    }

    fn query() -> Query {
        let error = domain::RowError {
            code: RowErrorCode::InvalidRef,
            message: "a \"ref\"".to_owned(),
            path: vec!["ref".to_owned()],
        };
        let rows = ["a\"\n", "é", ""].map(|reference| Row::new(reference.to_owned(), None, None));
        let upserted = Upserted {
            ids: vec![Some(MemberId::from_uuid(uuid::Uuid::from_u128(7))), None, None],
            outcomes: vec![Outcome::Created, Outcome::Skipped, Outcome::Failed],
            failures: [(2, error)].into(),
        };
        Query(upserted, rows.to_vec())
    }

    /// Both forms of a selection, as JSON.
    async fn both(written: &str, objects: &str, selection: &str) -> [serde_json::Value; 2] {
        let schema = Schema::new(query(), EmptyMutation, EmptySubscription);
        let query = |field: &str| format!("{{ {field} {{ {selection} }} }}");
        let Value::Object(mut data) = schema.execute(query(written)).await.data else {
            panic!("no data for {selection}")
        };
        let made = match data.swap_remove(written).expect("the field") {
            Value::Binary(json) => serde_json::from_slice(&json).expect("JSON"),
            value => value.into_json().expect("JSON"),
        };
        let mut data = schema.execute(query(objects)).await.data.into_json().expect("JSON");
        [made, data[objects].take()]
    }

    #[tokio::test]
    async fn both_forms_say_the_same() {
        for selection in [
            "index ref id outcome error { code message path }",
            "b: outcome a: ref ref __typename error { __typename x: message }",
            "id error { ... on RowError { code } }",
            "error { code @include(if: true) } ... on MemberUpsertResult { index }",
        ] {
            let [made, objects] = both("written", "objects", selection).await;
            assert_eq!(made, objects, "{selection}");
        }
        for selection in ["index id outcome error { code message path }", "__typename a: id b: id"] {
            let [made, objects] = both("plainWritten", "plainObjects", selection).await;
            assert_eq!(made, objects, "{selection}");
        }
    }
}
