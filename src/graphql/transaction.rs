//! Transactions: the card payments of members.

mod bulk_upsert;

use async_graphql::{Context, Enum, ID, InputObject, MergedObject, Object, SimpleObject};
use serde::Deserialize;

pub use bulk_upsert::TransactionInput;

use super::{
    Error,
    child::Child,
    context::{ContextExt, ids},
    member::Member,
    scalar::{DateTime, MinorUnits},
};
use crate::{
    domain::{access::Access, member_child, transaction},
    types::{Id, TransactionId},
};

/// A card payment of a member.
pub type Transaction = Child<transaction::Transaction>;

/// A card payment of a member.
#[Object(name = "Transaction")]
impl Child<transaction::Transaction> {
    /// Its id, which begins with txn_.
    pub async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// The member whose it is, which never changes.
    async fn member(&self, ctx: &Context<'_>) -> Result<Member, Error> {
        self.parent(ctx).await
    }

    /// The owner's own key, unique in the memberbase.
    async fn external_id(&self) -> &str {
        &self.row.external_id
    }

    /// The code of its authorisation.
    async fn auth_code(&self) -> &str {
        &self.row.auth_code
    }

    /// The network of the card.
    async fn network(&self) -> CardNetwork {
        self.row.network.into()
    }

    /// First 6 to 8 digits of the card number.
    async fn bin(&self) -> &str {
        &self.row.bin
    }

    /// The merchant.
    async fn merchant_id(&self) -> &str {
        &self.row.merchant_id
    }

    /// What stands on the member's statement.
    async fn statement_descriptor(&self) -> Option<&str> {
        self.row.statement_descriptor.as_deref()
    }

    /// How much was paid.
    async fn amount(&self) -> Option<MinorUnits> {
        self.row.amount.map(MinorUnits)
    }

    /// ISO 4217, e.g. GBP.
    async fn currency(&self) -> Option<&str> {
        self.row.currency.as_deref()
    }

    /// When it was authorised.
    async fn authed_at(&self) -> DateTime {
        DateTime(self.row.authed_at)
    }

    /// When it was cleared; null: not yet.
    async fn cleared_at(&self) -> Option<DateTime> {
        self.row.cleared_at.map(DateTime)
    }

    /// When it was reverted; null: not so.
    async fn reverted_at(&self) -> Option<DateTime> {
        self.row.reverted_at.map(DateTime)
    }

    /// The time in its id.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.id.created_at())
    }

    /// When it was created or last changed. An upsert that changes nothing leaves it.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }
}

/// The network of a card.
#[derive(Enum, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
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

/// Ids that name no transaction of this memberbase are reported, not an error: a retry succeeds.
#[derive(InputObject, Debug)]
pub struct DeleteTransactionsInput {
    /// The memberbase.
    memberbase_id: ID,
    /// The transactions.
    transaction_ids: Vec<ID>,
}

/// What was deleted, and what was not there.
#[derive(SimpleObject, Debug)]
pub struct DeleteTransactionsPayload {
    /// The transactions that went, in the order of the input, each once.
    deleted_transaction_ids: Vec<ID>,
    /// Ids that named no transaction of this memberbase.
    not_found_transaction_ids: Vec<ID>,
}

#[derive(Clone, Default)]
pub struct DeleteTransactionsMutation;

#[Object]
impl DeleteTransactionsMutation {
    /// Deletes transactions by id, in one transaction. Needs a WRITE token.
    async fn delete_transactions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which.")] input: DeleteTransactionsInput,
    ) -> Result<Option<DeleteTransactionsPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let doomed: Vec<TransactionId> = ids("transactionIds", &input.transaction_ids)?;
        let deletion = member_child::delete::<transaction::Transaction>(ctx.app(), scope, doomed).await?;
        let texts = |ids: Vec<TransactionId>| ids.iter().map(|id| id.to_string().into()).collect();
        Ok(Some(DeleteTransactionsPayload {
            deleted_transaction_ids: texts(deletion.ids),
            not_found_transaction_ids: texts(deletion.unknown_ids),
        }))
    }
}

/// Mutations of transactions.
#[derive(MergedObject, Clone, Default)]
pub struct TransactionMutation(bulk_upsert::BulkUpsertTransactionsMutation, DeleteTransactionsMutation);
