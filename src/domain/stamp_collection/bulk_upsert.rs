//! Bulk upsert of stamp collections.

use sea_orm::DbErr;
use uuid::Uuid;

use crate::{
    app::App,
    db::{ArrayColumn, ColumnSpec, ColumnarRows},
    domain::{
        Error, RowError,
        access::Scope,
        bulk::{Change, Merge, Options, SmallStateDraft, Undefinable, Upsertable, Upserted},
        field,
        member::MemberIdentifier,
        member_child::{self, WithMember},
    },
    types::{RowKind, StampCollectionId},
};

/// A row of the input: exactly one of `member_id` and `member_ref` names the member. Counts are JSON numbers; an
/// omitted count starts at 0 and is then kept, null sets it to 0.
#[derive(Clone, Debug)]
pub(crate) struct NewStampCollection {
    /// The member's id, as text that is not validated yet.
    pub(crate) member_id: Option<String>,
    pub(crate) member_ref: Option<String>,
    pub(crate) loyalty_program_id: String,
    /// Number of collected stamps, from 0 to 2^31-1.
    pub(crate) stamps: Undefinable<String>,
    /// Number of earned rewards, from 0 to 2^31-1.
    pub(crate) rewards_earned: Undefinable<String>,
}

/// Stores stamp collections. Repeating the call changes nothing and returns the same ids.
pub(crate) async fn bulk_upsert(
    app: &App,
    scope: Scope,
    rows: &[NewStampCollection],
    options: Options,
) -> Result<Upserted<StampCollectionId>, Error> {
    member_child::bulk_upsert(app, scope, StampCollections, rows, options, parse).await
}

#[derive(Clone, Copy)]
struct Row<'a> {
    loyalty_program_id: &'a str,
    stamps: Option<i64>,
    rewards_earned: Option<i64>,
}

fn parse(row: &NewStampCollection) -> Result<(MemberIdentifier<'_>, Row<'_>), RowError> {
    let count = |field, number: &str| field::parse_integer(field, number, 0, i64::from(i32::MAX));
    let member = MemberIdentifier::parse(row.member_id.as_deref(), row.member_ref.as_deref())?;
    let parsed = Row {
        loyalty_program_id: field::key("loyaltyProgramId", &row.loyalty_program_id)?,
        stamps: field::parse_optional("stamps", &row.stamps, count)?.map(Option::unwrap_or_default),
        rewards_earned: field::parse_optional("rewardsEarned", &row.rewards_earned, count)?
            .map(Option::unwrap_or_default),
    };
    Ok((member, parsed))
}

struct StampCollections;

#[derive(PartialEq)]
struct State {
    stamps: i64,
    rewards_earned: i64,
}

impl<'a> Upsertable<'a> for StampCollections {
    type Id = StampCollectionId;
    type Row = WithMember<Row<'a>>;
    type Key = (Uuid, &'a str);
    type State = State;
    type Draft = SmallStateDraft<State>;

    const ROWS: RowKind = RowKind::StampCollection;
    const TABLE: &'static str = "stamp_collection";
    const KEY: &'static [&'static str] = &["member_id", "loyalty_program_id"];

    fn columns(&self) -> &'static [ColumnSpec] {
        &[ColumnSpec::Int("stamps"), ColumnSpec::Int("rewards_earned")]
    }

    fn key(row: &Self::Row) -> Self::Key {
        (row.member, row.row.loyalty_program_id)
    }

    fn key_values<'k>(keys: impl Iterator<Item = &'k Self::Key>) -> Vec<ArrayColumn<'k>>
    where
        'a: 'k,
    {
        let (members, programs) = keys.copied().unzip();
        vec![ArrayColumn::Uuids(members), ArrayColumn::Texts(programs)]
    }

    fn state_values<'s>(&self, states: impl Iterator<Item = &'s State> + Clone) -> Vec<ArrayColumn<'s>>
    where
        'a: 's,
    {
        vec![
            ArrayColumn::Ints(states.clone().map(|state| state.stamps).collect()),
            ArrayColumn::Ints(states.map(|state| state.rewards_earned).collect()),
        ]
    }

    fn states(&self, columns: &ColumnarRows, first_column: usize, count: usize) -> Result<Vec<State>, DbErr> {
        let mut stamps = columns.cells(first_column)?;
        let mut rewards = columns.cells(first_column + 1)?;
        (0..count).map(|_| Ok(State { stamps: stamps.take()?, rewards_earned: rewards.take()? })).collect()
    }

    fn merge(
        &self,
        WithMember { row, .. }: &Self::Row,
        stored: Option<&State>,
        draft: &mut Self::Draft,
    ) -> Result<Merge, Error> {
        let stored = draft.current(stored);
        let state = State {
            stamps: row.stamps.unwrap_or_else(|| stored.map_or(0, |stored| stored.stamps)),
            rewards_earned: row.rewards_earned.unwrap_or_else(|| stored.map_or(0, |stored| stored.rewards_earned)),
        };
        Ok(draft.set(state))
    }

    fn finish(draft: Self::Draft, stored: Option<&State>) -> Option<Change<State>> {
        draft.finish(stored)
    }

    fn member(key: &Self::Key, _: &State) -> Option<Uuid> {
        Some(key.0)
    }
}
