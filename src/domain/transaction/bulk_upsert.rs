//! Transactions, any number of them in one call.

use std::borrow::Cow;

use sea_orm::DbErr;
use uuid::Uuid;

use super::CardNetwork;
use crate::{
    app::App,
    db::{Column, Columns, Name},
    domain::{
        Error, RowError, RowErrorCode,
        access::Scope,
        bulk::{Given, Kind, Merge, Options, Upserted},
        field,
        member::MemberName,
        owned::{self, OfMember},
    },
    types::{MAX_WHOLE, RowKind, Time, TransactionId},
};

/// A row of the input: exactly one of `member_id` and `member_ref` names the member. Times are as RFC 3339 has them.
#[derive(Clone, Debug)]
pub struct NewTransaction {
    /// The member's id.
    pub member_id: Option<String>,
    /// The member's ref.
    pub member_ref: Option<String>,
    /// The owner's own key, unique in the memberbase.
    pub external_id: String,
    /// The code of its authorisation.
    pub auth_code: String,
    /// The network of the card.
    pub network: CardNetwork,
    /// 6 to 8 digits.
    pub bin: String,
    /// The merchant.
    pub merchant_id: String,
    /// What stands on the member's statement.
    pub statement_descriptor: Given<String>,
    /// In minor units, a number as JSON writes it, within plus or minus 2^53-1.
    pub amount: Given<String>,
    /// Three capital letters.
    pub currency: Given<String>,
    /// When it was authorised.
    pub authed_at: String,
    /// When it was cleared.
    pub cleared_at: Given<String>,
    /// When it was reverted.
    pub reverted_at: Given<String>,
}

/// Stores transactions. The same call again changes nothing and answers the same ids.
pub async fn bulk_upsert(
    app: &App,
    scope: Scope,
    rows: &[NewTransaction],
    options: Options,
) -> Result<Upserted<TransactionId>, Error> {
    owned::bulk_upsert(app, scope, Transactions, rows, options, read).await
}

#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    external_id: &'a str,
    auth_code: &'a str,
    network: CardNetwork,
    bin: &'a str,
    merchant_id: &'a str,
    statement_descriptor: Given<&'a str>,
    amount: Given<i64>,
    currency: Given<&'a str>,
    authed_at: Time,
    cleared_at: Given<Time>,
    reverted_at: Given<Time>,
}

pub(super) fn read(row: &NewTransaction) -> Result<(MemberName<'_>, Row<'_>), RowError> {
    let member = MemberName::read(row.member_id.as_deref(), row.member_ref.as_deref())?;
    let amount = |field: &str, number: &str| field::whole(field, number, -MAX_WHOLE, MAX_WHOLE);
    let new = Row {
        external_id: field::key("externalId", &row.external_id)?,
        auth_code: field::text("authCode", &row.auth_code)?,
        network: row.network,
        bin: read_bin(&row.bin)?,
        merchant_id: field::text("merchantId", &row.merchant_id)?,
        statement_descriptor: field::given("statementDescriptor", &row.statement_descriptor, field::text)?,
        amount: field::given("amount", &row.amount, amount)?,
        currency: field::given("currency", &row.currency, read_currency)?,
        authed_at: field::time("authedAt", &row.authed_at)?,
        cleared_at: field::given("clearedAt", &row.cleared_at, field::time)?,
        reverted_at: field::given("revertedAt", &row.reverted_at, field::time)?,
    };
    Ok((member, new))
}

fn read_bin(bin: &str) -> Result<&str, RowError> {
    if (6..=8).contains(&bin.len()) && bin.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(bin);
    }
    Err(RowError::invalid("bin", "bin: expected 6 to 8 digits, the first of the card's number"))
}

fn read_currency<'a>(field: &str, currency: &'a str) -> Result<&'a str, RowError> {
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
    fn of(OfMember { member, row }: &OfMember<Row<'a>>, stored: Option<&Self>) -> Self {
        let text = |given: Given<&'a str>| given.map(|text| text.map(Cow::from));
        let time = |given: Given<Time>| given.map(|time| time.map(Time::micros));
        Self {
            member: *member,
            auth_code: row.auth_code.into(),
            network: row.network.code().into(),
            bin: row.bin.into(),
            merchant_id: row.merchant_id.into(),
            statement_descriptor: field::kept(text(row.statement_descriptor), stored, |stored| {
                &stored.statement_descriptor
            }),
            amount: field::kept(row.amount, stored, |stored| &stored.amount),
            currency: field::kept(text(row.currency), stored, |stored| &stored.currency),
            authed_at: row.authed_at.micros(),
            cleared_at: field::kept(time(row.cleared_at), stored, |stored| &stored.cleared_at),
            reverted_at: field::kept(time(row.reverted_at), stored, |stored| &stored.reverted_at),
        }
    }
}

impl<'a> Kind<'a> for Transactions {
    type Id = TransactionId;
    type Row = OfMember<Row<'a>>;
    type Key = &'a str;
    type State = State<'a>;

    const ROWS: RowKind = RowKind::Transaction;
    const TABLE: &'static str = "transaction";
    const KEY: &'static [&'static str] = &["external_id"];

    fn columns(&self) -> &'static [Name] {
        &[
            Name::Id("member_id"),
            Name::Text("auth_code"),
            Name::Int("network"),
            Name::Text("bin"),
            Name::Text("merchant_id"),
            Name::MaybeText("statement_descriptor"),
            Name::MaybeInt("amount"),
            Name::MaybeText("currency"),
            Name::Int("authed_at"),
            Name::MaybeInt("cleared_at"),
            Name::MaybeInt("reverted_at"),
        ]
    }

    fn key(row: &Self::Row) -> Self::Key {
        row.row.external_id
    }

    fn key_values<'k>(keys: impl Iterator<Item = &'k Self::Key>) -> Vec<Column<'k>>
    where
        'a: 'k,
    {
        vec![Column::Texts(keys.copied().collect())]
    }

    fn state_values<'s>(&self, states: impl Iterator<Item = &'s State<'a>> + Clone) -> Vec<Column<'s>>
    where
        'a: 's,
    {
        let all = || states.clone();
        vec![
            Column::Uuids(all().map(|state| state.member).collect()),
            Column::Texts(all().map(|state| &*state.auth_code).collect()),
            Column::Ints(all().map(|state| state.network).collect()),
            Column::Texts(all().map(|state| &*state.bin).collect()),
            Column::Texts(all().map(|state| &*state.merchant_id).collect()),
            Column::MaybeTexts(all().map(|state| state.statement_descriptor.as_deref()).collect()),
            Column::MaybeInts(all().map(|state| state.amount).collect()),
            Column::MaybeTexts(all().map(|state| state.currency.as_deref()).collect()),
            Column::Ints(all().map(|state| state.authed_at).collect()),
            Column::MaybeInts(all().map(|state| state.cleared_at).collect()),
            Column::MaybeInts(all().map(|state| state.reverted_at).collect()),
        ]
    }

    fn states(&self, columns: &Columns, from: usize, rows: usize) -> Result<Vec<State<'a>>, DbErr> {
        let mut members = columns.cells(from)?;
        let mut auth_codes = columns.cells(from + 1)?;
        let mut networks = columns.cells(from + 2)?;
        let mut bins = columns.cells(from + 3)?;
        let mut merchants = columns.cells(from + 4)?;
        let mut descriptors = columns.cells::<Option<String>>(from + 5)?;
        let mut amounts = columns.cells(from + 6)?;
        let mut currencies = columns.cells::<Option<String>>(from + 7)?;
        let mut authed = columns.cells(from + 8)?;
        let mut cleared = columns.cells(from + 9)?;
        let mut reverted = columns.cells(from + 10)?;
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
        (0..rows).map(state).collect()
    }

    fn merge(&self, row: &Self::Row, stored: Option<&State<'a>>) -> Result<Merge<State<'a>>, Error> {
        if stored.is_some_and(|stored| stored.member != row.member) {
            let message = format!("transaction {:?} belongs to another member", row.row.external_id);
            let path = vec!["externalId".to_owned()];
            return Ok(Merge::Failed(RowError { code: RowErrorCode::MemberMismatch, message, path }));
        }
        Ok(Merge::with(State::of(row, stored), stored))
    }

    fn member(_: &Self::Key, state: &State<'a>) -> Option<Uuid> {
        Some(state.member)
    }
}
