//! Bulk upsert of clips.

use std::borrow::Cow;

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
    types::{ClipId, RowKind, Time},
};

/// A row of the input: exactly one of `member_id` and `member_ref` names the member.
#[derive(Clone, Debug)]
pub(crate) struct NewClip {
    /// The member's id, as text that is not validated yet.
    pub(crate) member_id: Option<String>,
    pub(crate) member_ref: Option<String>,
    pub(crate) deal_id: String,
    pub(crate) creative_id: String,
    pub(crate) variant_id: Undefinable<String>,
    /// Time when the deal was redeemed, an RFC 3339 date-time.
    pub(crate) redeemed_at: Undefinable<String>,
}

/// Stores clips. Repeating the call changes nothing and returns the same ids.
pub(crate) async fn bulk_upsert(
    app: &App,
    scope: Scope,
    rows: &[NewClip],
    options: Options,
) -> Result<Upserted<ClipId>, Error> {
    member_child::bulk_upsert(app, scope, Clips, rows, options, parse).await
}

#[derive(Clone, Copy)]
struct Row<'a> {
    deal_id: &'a str,
    creative_id: &'a str,
    variant_id: Undefinable<&'a str>,
    redeemed_at: Undefinable<Time>,
}

fn parse(row: &NewClip) -> Result<(MemberIdentifier<'_>, Row<'_>), RowError> {
    let member = MemberIdentifier::parse(row.member_id.as_deref(), row.member_ref.as_deref())?;
    let parsed = Row {
        deal_id: field::key("dealId", &row.deal_id)?,
        creative_id: field::text("creativeId", &row.creative_id)?,
        variant_id: field::parse_optional("variantId", &row.variant_id, field::text)?,
        redeemed_at: field::parse_optional("redeemedAt", &row.redeemed_at, field::time)?,
    };
    Ok((member, parsed))
}

struct Clips;

#[derive(PartialEq)]
struct State<'a> {
    creative_id: Cow<'a, str>,
    variant_id: Option<Cow<'a, str>>,
    redeemed_at: Option<i64>,
}

impl<'a> Upsertable<'a> for Clips {
    type Id = ClipId;
    type Row = WithMember<Row<'a>>;
    type Key = (Uuid, &'a str);
    type State = State<'a>;
    type Draft = SmallStateDraft<State<'a>>;

    const ROWS: RowKind = RowKind::Clip;
    const TABLE: &'static str = "clip";
    const KEY: &'static [&'static str] = &["member_id", "deal_id"];

    fn columns(&self) -> &'static [ColumnSpec] {
        &[ColumnSpec::Text("creative_id"), ColumnSpec::MaybeText("variant_id"), ColumnSpec::MaybeInt("redeemed_at")]
    }

    fn key(row: &Self::Row) -> Self::Key {
        (row.member, row.row.deal_id)
    }

    fn key_values<'k>(keys: impl Iterator<Item = &'k Self::Key>) -> Vec<ArrayColumn<'k>>
    where
        'a: 'k,
    {
        let (members, deals) = keys.copied().unzip();
        vec![ArrayColumn::Uuids(members), ArrayColumn::Texts(deals)]
    }

    fn state_values<'s>(&self, states: impl Iterator<Item = &'s State<'a>> + Clone) -> Vec<ArrayColumn<'s>>
    where
        'a: 's,
    {
        vec![
            ArrayColumn::Texts(states.clone().map(|state| &*state.creative_id).collect()),
            ArrayColumn::MaybeTexts(states.clone().map(|state| state.variant_id.as_deref()).collect()),
            ArrayColumn::MaybeInts(states.map(|state| state.redeemed_at).collect()),
        ]
    }

    fn states(&self, columns: &ColumnarRows, first_column: usize, count: usize) -> Result<Vec<State<'a>>, DbErr> {
        let mut creatives = columns.cells(first_column)?;
        let mut variants = columns.cells::<Option<String>>(first_column + 1)?;
        let mut times = columns.cells(first_column + 2)?;
        let state = |_| {
            Ok(State {
                creative_id: Cow::Owned(creatives.take()?),
                variant_id: variants.take()?.map(Cow::Owned),
                redeemed_at: times.take()?,
            })
        };
        (0..count).map(state).collect()
    }

    fn merge(
        &self,
        WithMember { row, .. }: &Self::Row,
        stored: Option<&State<'a>>,
        draft: &mut Self::Draft,
    ) -> Result<Merge, Error> {
        let stored = draft.current(stored);
        let state = State {
            creative_id: row.creative_id.into(),
            variant_id: field::merge_optional(row.variant_id.map(|text| text.map(Cow::from)), stored, |stored| {
                &stored.variant_id
            }),
            redeemed_at: field::merge_optional(row.redeemed_at.map(|time| time.map(Time::micros)), stored, |stored| {
                &stored.redeemed_at
            }),
        };
        Ok(draft.set(state))
    }

    fn finish(draft: Self::Draft, stored: Option<&State<'a>>) -> Option<Change<State<'a>>> {
        draft.finish(stored)
    }

    fn member(key: &Self::Key, _: &State<'a>) -> Option<Uuid> {
        Some(key.0)
    }
}
