//! Stamp collections, any number of them in one call.

use sea_orm::DbErr;
use uuid::Uuid;

use crate::{
    app::App,
    db::{ArrayColumn, ColumnSpec, ColumnarRows},
    domain::{
        Error, RowError,
        access::Scope,
        bulk::{Merge, Options, Undefinable, Upsertable, Upserted},
        field,
        member::MemberIdentifier,
        member_child::{self, WithMember},
    },
    types::{RowKind, StampCollectionId},
};

/// A row of the input: exactly one of `member_id` and `member_ref` names the member. Counts are numbers as JSON writes
/// them; left out they start at 0 and then stay, null is 0.
#[derive(Clone, Debug)]
pub struct NewStampCollection {
    /// The member's id.
    pub member_id: Option<String>,
    /// The member's ref.
    pub member_ref: Option<String>,
    /// The loyalty program.
    pub loyalty_program_id: String,
    /// How many stamps are collected.
    pub stamps: Undefinable<String>,
    /// How many rewards were earned.
    pub rewards_earned: Undefinable<String>,
}

/// Stores stamp collections. The same call again changes nothing and answers the same ids.
pub async fn bulk_upsert(
    app: &App,
    scope: Scope,
    rows: &[NewStampCollection],
    options: Options,
) -> Result<Upserted<StampCollectionId>, Error> {
    member_child::bulk_upsert(app, scope, StampCollections, rows, options, read).await
}

#[derive(Clone, Copy)]
struct Row<'a> {
    loyalty_program_id: &'a str,
    stamps: Option<i64>,
    rewards_earned: Option<i64>,
}

fn read(row: &NewStampCollection) -> Result<(MemberIdentifier<'_>, Row<'_>), RowError> {
    let count = |field: &str, number: &str| field::parse_integer(field, number, 0, i64::from(i32::MAX));
    let member = MemberIdentifier::read(row.member_id.as_deref(), row.member_ref.as_deref())?;
    let new = Row {
        loyalty_program_id: field::key("loyaltyProgramId", &row.loyalty_program_id)?,
        stamps: field::parse_optional("stamps", &row.stamps, count)?.map(Option::unwrap_or_default),
        rewards_earned: field::parse_optional("rewardsEarned", &row.rewards_earned, count)?
            .map(Option::unwrap_or_default),
    };
    Ok((member, new))
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

    fn merge(&self, WithMember { row, .. }: &Self::Row, stored: Option<&State>) -> Result<Merge<State>, Error> {
        let state = State {
            stamps: row.stamps.unwrap_or_else(|| stored.map_or(0, |stored| stored.stamps)),
            rewards_earned: row.rewards_earned.unwrap_or_else(|| stored.map_or(0, |stored| stored.rewards_earned)),
        };
        Ok(Merge::with(state, stored))
    }

    fn member(key: &Self::Key, _: &State) -> Option<Uuid> {
        Some(key.0)
    }
}
