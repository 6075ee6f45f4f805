//! Bulk upsert of transactions.

use std::borrow::Cow;

use sea_orm::DbErr;
use uuid::Uuid;

use super::CardNetwork;
use crate::{
    app::App,
    db::{ArrayColumn, ColumnSpec, ColumnarRows},
    domain::{
        Error, RowError, RowErrorCode,
        access::Scope,
        bulk::{Change, Merge, Options, SmallStateDraft, Undefinable, Upsertable, Upserted},
        field,
        member::MemberIdentifier,
        member_child::{self, WithMember},
    },
    types::{MAX_SAFE_INTEGER, RowKind, Time, TransactionId, excerpt},
};

/// A row of the input: exactly one of `member_id` and `member_ref` names the member. Times are RFC 3339 date-times.
#[derive(Clone, Debug)]
pub(crate) struct NewTransaction {
    /// The member's id, as text that is not validated yet.
    pub(crate) member_id: Option<String>,
    pub(crate) member_ref: Option<String>,
    /// The owner's key for the transaction, unique in the memberbase.
    pub(crate) external_id: String,
    pub(crate) auth_code: String,
    pub(crate) network: CardNetwork,
    /// The first 6 to 8 digits of the card number.
    pub(crate) bin: String,
    pub(crate) merchant_id: String,
    /// The text on the member's account statement.
    pub(crate) statement_descriptor: Undefinable<String>,
    /// The amount in minor units, a JSON number within plus or minus 2^53-1.
    pub(crate) amount: Undefinable<String>,
    /// The ISO 4217 currency code, three capital letters.
    pub(crate) currency: Undefinable<String>,
    pub(crate) authed_at: String,
    pub(crate) cleared_at: Undefinable<String>,
    pub(crate) reverted_at: Undefinable<String>,
}

/// Stores transactions. Repeating the call changes nothing and returns the same ids.
pub(crate) async fn bulk_upsert(
    app: &App,
    scope: Scope,
    rows: &[NewTransaction],
    options: Options,
) -> Result<Upserted<TransactionId>, Error> {
    member_child::bulk_upsert(app, scope, Transactions, rows, options, parse).await
}

#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    external_id: &'a str,
    auth_code: &'a str,
    network: CardNetwork,
    bin: &'a str,
    merchant_id: &'a str,
    statement_descriptor: Undefinable<&'a str>,
    amount: Undefinable<i64>,
    currency: Undefinable<&'a str>,
    authed_at: Time,
    cleared_at: Undefinable<Time>,
    reverted_at: Undefinable<Time>,
}

pub(super) fn parse(row: &NewTransaction) -> Result<(MemberIdentifier<'_>, Row<'_>), RowError> {
    let member = MemberIdentifier::parse(row.member_id.as_deref(), row.member_ref.as_deref())?;
    let amount = |field, number: &str| field::parse_integer(field, number, -MAX_SAFE_INTEGER, MAX_SAFE_INTEGER);
    let parsed = Row {
        external_id: field::key("externalId", &row.external_id)?,
        auth_code: field::text("authCode", &row.auth_code)?,
        network: row.network,
        bin: parse_bin(&row.bin)?,
        merchant_id: field::text("merchantId", &row.merchant_id)?,
        statement_descriptor: field::parse_optional("statementDescriptor", &row.statement_descriptor, field::text)?,
        amount: field::parse_optional("amount", &row.amount, amount)?,
        currency: field::parse_optional("currency", &row.currency, parse_currency)?,
        authed_at: field::time("authedAt", &row.authed_at)?,
        cleared_at: field::parse_optional("clearedAt", &row.cleared_at, field::time)?,
        reverted_at: field::parse_optional("revertedAt", &row.reverted_at, field::time)?,
    };
    Ok((member, parsed))
}

fn parse_bin(bin: &str) -> Result<&str, RowError> {
    if (6..=8).contains(&bin.len()) && bin.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(bin);
    }
    Err(RowError::invalid("bin", "bin: expected the first 6 to 8 digits of the card number"))
}

fn parse_currency<'a>(field: &'static str, currency: &'a str) -> Result<&'a str, RowError> {
    if currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(currency);
    }
    Err(RowError::invalid(field, format!("{field}: expected three capital letters such as GBP")))
}

pub(super) struct Transactions;

#[derive(PartialEq)]
pub(super) struct State<'a> {
    member: Uuid,
    auth_code: Cow<'a, str>,
    network: i64,
    bin: Cow<'a, str>,
    merchant_id: Cow<'a, str>,
    statement_descriptor: Option<Cow<'a, str>>,
    amount: Option<i64>,
    currency: Option<Cow<'a, str>>,
    authed_at: i64,
    cleared_at: Option<i64>,
    reverted_at: Option<i64>,
}

impl<'a> State<'a> {
    fn of(WithMember { member, row }: &WithMember<Row<'a>>, stored: Option<&Self>) -> Self {
        let text = |value: Undefinable<&'a str>| value.map(|text| text.map(Cow::from));
        let time = |value: Undefinable<Time>| value.map(|time| time.map(Time::micros));
        Self {
            member: *member,
            auth_code: row.auth_code.into(),
            network: row.network.code().into(),
            bin: row.bin.into(),
            merchant_id: row.merchant_id.into(),
            statement_descriptor: field::merge_optional(text(row.statement_descriptor), stored, |stored| {
                &stored.statement_descriptor
            }),
            amount: field::merge_optional(row.amount, stored, |stored| &stored.amount),
            currency: field::merge_optional(text(row.currency), stored, |stored| &stored.currency),
            authed_at: row.authed_at.micros(),
            cleared_at: field::merge_optional(time(row.cleared_at), stored, |stored| &stored.cleared_at),
            reverted_at: field::merge_optional(time(row.reverted_at), stored, |stored| &stored.reverted_at),
        }
    }
}

impl<'a> Upsertable<'a> for Transactions {
    type Id = TransactionId;
    type Row = WithMember<Row<'a>>;
    type Key = &'a str;
    type State = State<'a>;
    type Draft = SmallStateDraft<State<'a>>;

    const ROWS: RowKind = RowKind::Transaction;
    const TABLE: &'static str = "transaction";
    const KEY: &'static [&'static str] = &["external_id"];

    fn columns(&self) -> &'static [ColumnSpec] {
        &[
            ColumnSpec::Id("member_id"),
            ColumnSpec::Text("auth_code"),
            ColumnSpec::Int("network"),
            ColumnSpec::Text("bin"),
            ColumnSpec::Text("merchant_id"),
            ColumnSpec::MaybeText("statement_descriptor"),
            ColumnSpec::MaybeInt("amount"),
            ColumnSpec::MaybeText("currency"),
            ColumnSpec::Int("authed_at"),
            ColumnSpec::MaybeInt("cleared_at"),
            ColumnSpec::MaybeInt("reverted_at"),
        ]
    }

    fn key(row: &Self::Row) -> Self::Key {
        row.row.external_id
    }

    fn key_values<'k>(keys: impl Iterator<Item = &'k Self::Key>) -> Vec<ArrayColumn<'k>>
    where
        'a: 'k,
    {
        vec![ArrayColumn::Texts(keys.copied().collect())]
    }

    fn state_values<'s>(&self, states: impl Iterator<Item = &'s State<'a>> + Clone) -> Vec<ArrayColumn<'s>>
    where
        'a: 's,
    {
        let all = || states.clone();
        vec![
            ArrayColumn::Uuids(all().map(|state| state.member).collect()),
            ArrayColumn::Texts(all().map(|state| &*state.auth_code).collect()),
            ArrayColumn::Ints(all().map(|state| state.network).collect()),
            ArrayColumn::Texts(all().map(|state| &*state.bin).collect()),
            ArrayColumn::Texts(all().map(|state| &*state.merchant_id).collect()),
            ArrayColumn::MaybeTexts(all().map(|state| state.statement_descriptor.as_deref()).collect()),
            ArrayColumn::MaybeInts(all().map(|state| state.amount).collect()),
            ArrayColumn::MaybeTexts(all().map(|state| state.currency.as_deref()).collect()),
            ArrayColumn::Ints(all().map(|state| state.authed_at).collect()),
            ArrayColumn::MaybeInts(all().map(|state| state.cleared_at).collect()),
            ArrayColumn::MaybeInts(all().map(|state| state.reverted_at).collect()),
        ]
    }

    fn states(&self, columns: &ColumnarRows, first_column: usize, count: usize) -> Result<Vec<State<'a>>, DbErr> {
        let mut members = columns.cells(first_column)?;
        let mut auth_codes = columns.cells(first_column + 1)?;
        let mut networks = columns.cells(first_column + 2)?;
        let mut bins = columns.cells(first_column + 3)?;
        let mut merchants = columns.cells(first_column + 4)?;
        let mut descriptors = columns.cells::<Option<String>>(first_column + 5)?;
        let mut amounts = columns.cells(first_column + 6)?;
        let mut currencies = columns.cells::<Option<String>>(first_column + 7)?;
        let mut authed = columns.cells(first_column + 8)?;
        let mut cleared = columns.cells(first_column + 9)?;
        let mut reverted = columns.cells(first_column + 10)?;
        let state = |_| {
            Ok(State {
                member: members.take()?,
                auth_code: Cow::Owned(auth_codes.take()?),
                network: networks.take()?,
                bin: Cow::Owned(bins.take()?),
                merchant_id: Cow::Owned(merchants.take()?),
                statement_descriptor: descriptors.take()?.map(Cow::Owned),
                amount: amounts.take()?,
                currency: currencies.take()?.map(Cow::Owned),
                authed_at: authed.take()?,
                cleared_at: cleared.take()?,
                reverted_at: reverted.take()?,
            })
        };
        (0..count).map(state).collect()
    }

    fn merge(&self, row: &Self::Row, stored: Option<&State<'a>>, draft: &mut Self::Draft) -> Result<Merge, Error> {
        let stored = draft.current(stored);
        if stored.is_some_and(|stored| stored.member != row.member) {
            let message = format!("transaction {:?} belongs to another member", excerpt(row.row.external_id));
            return Ok(Merge::Failed(RowError::new(RowErrorCode::MemberMismatch, "externalId", message)));
        }
        let state = State::of(row, stored);
        Ok(draft.set(state))
    }

    fn finish(draft: Self::Draft, stored: Option<&State<'a>>) -> Option<Change<State<'a>>> {
        draft.finish(stored)
    }

    fn member(_: &Self::Key, state: &State<'a>) -> Option<Uuid> {
        Some(state.member)
    }
}
