//! Transactions: card payments of members.

mod bulk_upsert;

use async_graphql::{Context, Enum, ID, InputObject, MergedObject, Object, SimpleObject};
use serde::Deserialize;

pub(crate) use bulk_upsert::TransactionInput;

use super::{
    Error,
    child::Child,
    context::{ContextExt, ids},
    execute::BulkRows,
    member::Member,
    raw_list::ScalarList,
    scalar::{DateTime, MinorUnits},
};
use crate::{
    domain::{access::Access, member_child, transaction},
    types::{Id, TransactionId},
};

pub(crate) type Transaction = Child<transaction::Transaction>;

/// A card payment of a member.
#[Object(name = "Transaction")]
impl Child<transaction::Transaction> {
    /// The transaction's id (txn_...).
    pub(crate) async fn id(&self) -> ID {
        self.row.id.to_string().into()
    }

    /// The member that paid. It never changes.
    async fn member(&self, ctx: &Context<'_>) -> Result<Member, Error> {
        self.parent(ctx).await
    }

    /// The owner's key for the transaction, unique in the memberbase.
    async fn external_id(&self) -> &str {
        &self.row.external_id
    }

    /// Authorization code.
    async fn auth_code(&self) -> &str {
        &self.row.auth_code
    }

    /// The card's network.
    async fn network(&self) -> CardNetwork {
        self.row.network.into()
    }

    /// The first 6 to 8 digits of the card number.
    async fn bin(&self) -> &str {
        &self.row.bin
    }

    /// The merchant's id, as the owner of the memberbase knows it.
    async fn merchant_id(&self) -> &str {
        &self.row.merchant_id
    }

    /// Text of the payment on the member's statement; null if none is stored.
    async fn statement_descriptor(&self) -> Option<&str> {
        self.row.statement_descriptor.as_deref()
    }

    /// Amount in minor units of `currency` (such as cents); null if none is stored.
    async fn amount(&self) -> Option<MinorUnits> {
        self.row.amount.map(MinorUnits)
    }

    /// ISO 4217 code of the currency, such as GBP; null if none is stored.
    async fn currency(&self) -> Option<&str> {
        self.row.currency.as_deref()
    }

    /// Time of the authorisation.
    async fn authed_at(&self) -> DateTime {
        DateTime(self.row.authed_at)
    }

    /// Time of the clearing; null if the payment is not cleared.
    async fn cleared_at(&self) -> Option<DateTime> {
        self.row.cleared_at.map(DateTime)
    }

    /// Time of the reversal; null if the payment is not reversed.
    async fn reverted_at(&self) -> Option<DateTime> {
        self.row.reverted_at.map(DateTime)
    }

    /// Creation time in whole milliseconds; the id contains this time.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.id.created_at())
    }

    /// Time of creation or of the last change. An upsert that changes nothing does not set it.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }
}

/// A card network.
#[derive(Enum, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[graphql(remote = "transaction::CardNetwork")]
pub(crate) enum CardNetwork {
    /// Visa.
    Visa,
    /// Mastercard.
    Mastercard,
    /// American Express.
    Amex,
    /// Any other network.
    Other,
}

/// Input of deleteTransactions.
#[derive(InputObject, Debug)]
pub(crate) struct DeleteTransactionsInput {
    /// The memberbase's id (mb_...).
    memberbase_id: ID,
    /// Ids of the transactions to delete (txn_...). Ids of transactions that do not exist in this memberbase are reported as not found and are not an error, so that a repeated call succeeds.
    transaction_ids: BulkRows<ID>,
}

/// Result of deleteTransactions.
#[derive(SimpleObject, Debug)]
pub(crate) struct DeleteTransactionsPayload {
    /// Ids of the deleted transactions, each once, in input order.
    deleted_transaction_ids: ScalarList<ID>,
    /// Requested ids of transactions that do not exist in this memberbase.
    not_found_transaction_ids: ScalarList<ID>,
}

#[derive(Clone, Default)]
pub(crate) struct DeleteTransactionsMutation;

#[Object]
impl DeleteTransactionsMutation {
    /// Deletes transactions by id, in one database transaction. Requires a WRITE token.
    async fn delete_transactions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The transactions to delete.")] input: DeleteTransactionsInput,
    ) -> Result<Option<DeleteTransactionsPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let requested: Vec<TransactionId> = ids("transactionIds", &input.transaction_ids.take(ctx)?)?;
        let outcome = member_child::delete::<transaction::Transaction>(ctx.app(), scope, requested).await?;
        Ok(Some(DeleteTransactionsPayload {
            deleted_transaction_ids: ScalarList::of_ids(&outcome.ids)?,
            not_found_transaction_ids: ScalarList::of_ids(&outcome.unknown_ids)?,
        }))
    }
}

#[derive(MergedObject, Clone, Default)]
pub(crate) struct TransactionMutation(bulk_upsert::BulkUpsertTransactionsMutation, DeleteTransactionsMutation);
