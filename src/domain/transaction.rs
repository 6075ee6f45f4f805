//! Transactions: the card payments of members.

pub mod bulk_upsert;
pub mod ingest;

use super::member_child::MemberChild;
use crate::{
    entity::transaction,
    types::{Id, MemberId, MemberbaseId, RowKind, Time, TransactionId},
};

/// A card payment of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its id.
    pub id: TransactionId,
    /// The memberbase.
    pub memberbase: MemberbaseId,
    /// The member whose it is, which never changes.
    pub member: MemberId,
    /// The owner's own key, unique in the memberbase.
    pub external_id: String,
    /// The code of its authorisation.
    pub auth_code: String,
    /// The network of the card.
    pub network: CardNetwork,
    /// The first 6 to 8 digits of the card's number.
    pub bin: String,
    /// The merchant.
    pub merchant_id: String,
    /// What stands on the member's statement.
    pub statement_descriptor: Option<String>,
    /// In minor units, within plus or minus 2^53-1.
    pub amount: Option<i64>,
    /// Three capital letters, as ISO 4217 has them.
    pub currency: Option<String>,
    /// When it was authorised.
    pub authed_at: Time,
    /// When it was cleared.
    pub cleared_at: Option<Time>,
    /// When it was reverted.
    pub reverted_at: Option<Time>,
    /// When it was created here or last changed.
    pub updated_at: Time,
}

/// The network of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardNetwork {
    /// Visa.
    Visa,
    /// Mastercard.
    Mastercard,
    /// American Express.
    Amex,
    /// Any other.
    Other,
}

impl CardNetwork {
    const ALL: [Self; 4] = [Self::Visa, Self::Mastercard, Self::Amex, Self::Other];

    /// As it is stored.
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
