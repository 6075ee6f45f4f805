//! Transactions: members' card payments.

pub(crate) mod bulk_upsert;
pub(crate) mod ingest;

use super::member_child::MemberChild;
use crate::{
    entity::transaction,
    types::{Id, MemberId, MemberbaseId, RowKind, Time, TransactionId},
};

/// A member's card payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    pub(crate) id: TransactionId,
    pub(crate) memberbase: MemberbaseId,
    /// The paying member, which never changes.
    pub(crate) member: MemberId,
    /// The owner's key for the transaction, unique in the memberbase.
    pub(crate) external_id: String,
    pub(crate) auth_code: String,
    pub(crate) network: CardNetwork,
    /// The first 6 to 8 digits of the card number.
    pub(crate) bin: String,
    pub(crate) merchant_id: String,
    /// The text on the member's account statement.
    pub(crate) statement_descriptor: Option<String>,
    /// The amount in minor units, within plus or minus 2^53-1.
    pub(crate) amount: Option<i64>,
    /// The ISO 4217 currency code, three capital letters.
    pub(crate) currency: Option<String>,
    pub(crate) authed_at: Time,
    pub(crate) cleared_at: Option<Time>,
    pub(crate) reverted_at: Option<Time>,
    pub(crate) updated_at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CardNetwork {
    Visa,
    Mastercard,
    Amex,
    Other,
}

impl CardNetwork {
    const ALL: [Self; 4] = [Self::Visa, Self::Mastercard, Self::Amex, Self::Other];

    /// Returns the number that is stored. Variants must keep their order.
    fn code(self) -> i32 {
        self as i32
    }

    fn from_code(code: i32) -> Self {
        Self::ALL.into_iter().find(|network| network.code() == code).unwrap_or(Self::Other)
    }
}

impl MemberChild for Transaction {
    type Id = TransactionId;
    type Entity = transaction::Entity;

    const ROWS: RowKind = RowKind::Transaction;
    const TABLE: &'static str = r#""transaction""#;
    const KEY: &'static str = "external_id";
    const NEWEST_BY: Option<&'static str> = Some("authed_at");
    const TAG: u8 = 34;

    fn id(&self) -> TransactionId {
        self.id
    }

    fn memberbase(&self) -> MemberbaseId {
        self.memberbase
    }

    fn member(&self) -> MemberId {
        self.member
    }

    fn time(&self) -> Option<Time> {
        Some(self.authed_at)
    }
}

impl From<transaction::Model> for Transaction {
    fn from(row: transaction::Model) -> Self {
        Self {
            id: TransactionId::from_uuid(row.id),
            memberbase: MemberbaseId::from_uuid(row.memberbase_id),
            member: MemberId::from_uuid(row.member_id),
            external_id: row.external_id,
            auth_code: row.auth_code,
            network: CardNetwork::from_code(row.network),
            bin: row.bin,
            merchant_id: row.merchant_id,
            statement_descriptor: row.statement_descriptor,
            amount: row.amount,
            currency: row.currency,
            authed_at: Time::from_micros(row.authed_at),
            cleared_at: row.cleared_at.map(Time::from_micros),
            reverted_at: row.reverted_at.map(Time::from_micros),
            updated_at: Time::from_micros(row.updated_at),
        }
    }
}
