//! The results of a bulk upsert in two forms: as objects, and as JSON made at once, for there may be a million of them.
//! A test holds the two equal.

use std::{borrow::Cow, io::Write};

use async_graphql::{
    ContextSelectionSet, OutputType, Positioned, ServerResult, SimpleObject, Value,
    parser::types::{Field, Selection},
    registry::Registry,
};

use crate::{
    domain::{self, member::bulk_upsert::Upserted},
    graphql::{
        bulk::{RowError, UpsertOutcome},
        execute::raw_json,
    },
};

/// What became of one row.
#[derive(SimpleObject, Debug)]
pub struct MemberUpsertResult {
    /// Its place in the input, from 0.
    index: i32,
    /// Its ref, as it was given.
    #[graphql(name = "ref")]
    reference: String,
    /// The member's id.
    id: Option<async_graphql::ID>,
    /// What became of it.
    outcome: UpsertOutcome,
    /// Why it FAILED.
    error: Option<RowError>,
}

/// The results of a call, in the order of its rows.
pub struct Results<'a>(pub &'a Upserted);

impl Results<'_> {
    fn objects(&self) -> Vec<MemberUpsertResult> {
        let Upserted { rows, ids, outcomes, failures } = self.0;
        let object = |index: usize| MemberUpsertResult {
            index: i32::try_from(index).unwrap_or(i32::MAX),
            reference: rows[index].reference.clone(),
            id: ids[index].map(|id| id.to_string().into()),
            outcome: outcomes[index].into(),
            error: failures.get(&index).map(RowError::from),
        };
        (0..rows.len()).map(object).collect()
    }

    /// The list as JSON, where the selection is of plain fields alone, as it is once an operation is flat.
    fn json(&self, field: &Positioned<Field>) -> Option<Vec<u8>> {
        let selected = Selected::of(field)?;
        let mut json = Vec::from(b"[");
        for index in 0..self.0.rows.len() {
            if index > 0 {
                json.push(b',');
            }
            self.write(index, &selected, &mut json)?;
            if index == 0 {
                // The other rows are about as long.
                json.reserve(json.len() * self.0.rows.len());
            }
        }
        json.push(b']');
        Some(json)
    }

    fn write(&self, index: usize, selected: &Selected<'_>, json: &mut Vec<u8>) -> Option<()> {
        let Upserted { rows, ids, outcomes, failures } = self.0;
        selected.object(json, |name, field, json| match (name, failures.get(&index)) {
            ("__typename", _) => text(json, "MemberUpsertResult"),
            ("index", _) => write!(json, "{index}").ok(),
            ("ref", _) => text(json, &rows[index].reference),
            ("id", _) => match ids[index] {
                Some(id) => write!(json, "\"{id}\"").ok(),
                None => null(json),
            },
            ("outcome", _) => enum_value(json, UpsertOutcome::from(outcomes[index])),
            ("error", None) => null(json),
            ("error", Some(error)) => write_error(error, &Selected::of(field)?, json),
            _ => None,
        })
    }
}

fn write_error(error: &domain::RowError, selected: &Selected<'_>, json: &mut Vec<u8>) -> Option<()> {
    selected.object(json, |name, _, json| match name {
        "__typename" => text(json, "RowError"),
        "code" => enum_value(json, crate::graphql::bulk::RowErrorCode::from(error.code)),
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

type Objects = Vec<MemberUpsertResult>;

impl OutputType for Results<'_> {
    fn type_name() -> Cow<'static, str> {
        <Objects as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Objects as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Objects as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        match self.json(field) {
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
        domain::{
            RowErrorCode,
            bulk::Outcome,
            member::bulk_upsert::{Row, Upserted},
        },
        types::{Id, MemberId},
    };

    struct Query(Upserted);

    #[Object]
    impl Query {
        async fn written(&self) -> Results<'_> {
            Results(&self.0)
        }

        async fn objects(&self) -> Objects {
            Results(&self.0).objects()
        }
    }

    fn upserted() -> Upserted {
        let error = domain::RowError {
            code: RowErrorCode::InvalidRef,
            message: "a \"ref\"".to_owned(),
            path: vec!["ref".to_owned()],
        };
        let rows = ["a\"\n", "é", ""].map(|reference| Row { reference: reference.to_owned() });
        Upserted {
            rows: rows.to_vec(),
            ids: vec![Some(MemberId::from_uuid(uuid::Uuid::from_u128(7))), None, None],
            outcomes: vec![Outcome::Created, Outcome::Skipped, Outcome::Failed],
            failures: [(2, error)].into(),
        }
    }

    #[tokio::test]
    async fn both_forms_say_the_same() {
        let schema = Schema::new(Query(upserted()), EmptyMutation, EmptySubscription);
        for selection in [
            "index ref id outcome error { code message path }",
            "b: outcome a: ref ref __typename error { __typename x: message }",
            "id error { ... on RowError { code } }",
            "error { code @include(if: true) } ... on MemberUpsertResult { index }",
        ] {
            let query = |field: &str| format!("{{ {field} {{ {selection} }} }}");
            let written = schema.execute(query("written")).await.data;
            let objects = schema.execute(query("objects")).await.data.into_json().expect("JSON");
            let Value::Object(mut data) = written else { panic!("no data for {selection}") };
            let written = match data.swap_remove("written").expect("the field") {
                Value::Binary(json) => serde_json::from_slice(&json).expect("JSON"),
                value => value.into_json().expect("JSON"),
            };
            assert_eq!(written, objects["objects"], "{selection}");
        }
    }
}
