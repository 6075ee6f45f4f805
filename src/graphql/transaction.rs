//! Stub.

mod bulk_upsert;

use async_graphql::{Context, ID, Object};

pub use bulk_upsert::{BulkUpsertTransactionsMutation, TransactionInput};

use super::Error;
use crate::{
    domain::{access::Scope, transaction},
    types::TransactionId,
};

/// Stub.
#[derive(Clone, Debug)]
pub struct Transaction(pub(super) transaction::Transaction);

/// Stub.
#[Object]
impl Transaction {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }
}

impl Transaction {
    async fn load(_: &Context<'_>, _: Scope, ids: &[Option<TransactionId>]) -> Result<Vec<Option<Self>>, Error> {
        Ok(ids.iter().map(|_| None).collect())
    }
}

/// The network of a card.
#[derive(async_graphql::Enum, Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[graphql(remote = "transaction::CardNetwork")]
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
