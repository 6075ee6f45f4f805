//! `bulkUpsertTransactions`.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use serde::Deserialize;

use super::{CardNetwork, Transaction};
use crate::{
    domain::{
        access::{Access, Scope},
        bulk::Upserted,
        member_child,
        transaction::bulk_upsert::{NewTransaction, bulk_upsert},
    },
    graphql::{
        Error,
        bulk::{OnRowError, Unparsed, UpsertResults, UpsertSummary, options, undefinable},
        context::ContextExt,
        execute::BulkRows,
        paced_list::PacedList,
        raw_list::ScalarList,
        scalar::{DateTime, MinorUnits},
    },
    types::TransactionId,
};

/// Input of bulkUpsertTransactions.
#[derive(InputObject, Debug)]
pub(crate) struct BulkUpsertTransactionsInput {
    /// The memberbase's id (mb_...).
    memberbase_id: ID,
    /// The rows to store, in any number up to the size limit of the request. Rows with the same externalId are applied in order.
    transactions: BulkRows<TransactionInput>,
    /// Handling of rows that fail. Default REJECT_BATCH: one failed row rejects the call.
    #[graphql(default_with = "OnRowError::RejectBatch")]
    on_error: OnRowError,
    /// If true, nothing is stored. The result is that of the real call, except that transactions that would be created have no id, and `transactions` has the stored values of the others. Default false.
    #[graphql(default = false)]
    dry_run: bool,
}

/// A row of bulkUpsertTransactions. A transaction is identified by its `externalId`, and its member can't be changed (MEMBER_MISMATCH). Exactly one of `memberId` and `memberRef` is required. An omitted optional field keeps its stored value; null removes it.
#[derive(InputObject, Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct TransactionInput {
    /// The member's id (m_...). Can't be combined with `memberRef`.
    member_id: Option<Unparsed<ID>>,
    /// The member's ref. Can't be combined with `memberId`.
    member_ref: Option<String>,
    /// The owner's key for the transaction, unique in the memberbase: 1 to 1,024 bytes.
    external_id: String,
    /// Authorization code: at most 1,024 bytes.
    auth_code: String,
    /// The card's network.
    network: CardNetwork,
    /// The first 6 to 8 digits of the card number.
    bin: String,
    /// The merchant's id: at most 1,024 bytes.
    merchant_id: String,
    /// Text of the payment on the member's statement: at most 1,024 bytes. Omitted: unchanged; null: removes the stored value.
    #[serde(default)]
    statement_descriptor: MaybeUndefined<String>,
    /// Amount in minor units of `currency` (such as cents). Omitted: unchanged; null: removes the stored value.
    #[serde(default)]
    amount: MaybeUndefined<Unparsed<MinorUnits>>,
    /// ISO 4217 code of the currency: three capital letters, such as GBP. Omitted: unchanged; null: removes the stored value.
    #[serde(default)]
    currency: MaybeUndefined<String>,
    /// Time of the authorisation.
    authed_at: Unparsed<DateTime>,
    /// Time of the clearing. Omitted: unchanged; null: removes the stored time.
    #[serde(default)]
    cleared_at: MaybeUndefined<Unparsed<DateTime>>,
    /// Time of the reversal. Omitted: unchanged; null: removes the stored time.
    #[serde(default)]
    reverted_at: MaybeUndefined<Unparsed<DateTime>>,
}

impl From<TransactionInput> for NewTransaction {
    fn from(input: TransactionInput) -> Self {
        Self {
            member_id: input.member_id.map(Unparsed::text),
            member_ref: input.member_ref,
            external_id: input.external_id,
            auth_code: input.auth_code,
            network: input.network.into(),
            bin: input.bin,
            merchant_id: input.merchant_id,
            statement_descriptor: undefinable(input.statement_descriptor, |text| text),
            amount: undefinable(input.amount, Unparsed::text),
            currency: undefinable(input.currency, |text| text),
            authed_at: input.authed_at.text(),
            cleared_at: undefinable(input.cleared_at, Unparsed::text),
            reverted_at: undefinable(input.reverted_at, Unparsed::text),
        }
    }
}

#[derive(Debug)]
pub(crate) struct BulkUpsertTransactionsPayload {
    scope: Scope,
    upserted: Upserted<TransactionId>,
}

/// Result of bulkUpsertTransactions.
#[Object]
impl BulkUpsertTransactionsPayload {
    /// The transaction's id for each input row, in input order; null for a row that FAILED or that a dry run would create.
    async fn transaction_ids(&self) -> Result<ScalarList<Option<ID>>, Error> {
        Ok(ScalarList::of_nullable_ids(&self.upserted.ids)?)
    }

    /// The transaction for each input row, in input order; null in the entries in which `transactionIds` is null. Loaded only if selected.
    async fn transactions(&self, ctx: &Context<'_>) -> Result<PacedList<Option<Transaction>>, Error> {
        Ok(Transaction::from_batch(member_child::load(ctx.app(), self.scope, &self.upserted.ids).await?).into())
    }

    /// The outcome of each input row, in input order.
    async fn results(&self) -> UpsertResults<'_, TransactionId> {
        UpsertResults::new(&self.upserted)
    }

    /// Number of rows by outcome.
    async fn summary(&self) -> UpsertSummary {
        UpsertSummary::of(&self.upserted)
    }
}

#[derive(Clone, Default)]
pub(crate) struct BulkUpsertTransactionsMutation;

#[Object]
impl BulkUpsertTransactionsMutation {
    /// Creates missing transactions and updates changed ones, in one database transaction. Idempotent: repeating the call changes nothing and returns the same ids. Requires a WRITE token.
    async fn bulk_upsert_transactions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rows and the options of the call.")] input: BulkUpsertTransactionsInput,
    ) -> Result<Option<BulkUpsertTransactionsPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let rows: Vec<_> = input.transactions.take(ctx)?.into_iter().map(NewTransaction::from).collect();
        let upserted = bulk_upsert(ctx.app(), scope, &rows, options(input.on_error, input.dry_run)).await?;
        Ok(Some(BulkUpsertTransactionsPayload { scope, upserted }))
    }
}
