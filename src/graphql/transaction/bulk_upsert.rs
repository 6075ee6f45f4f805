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
        bulk::{Ids, OnRowError, Unparsed, UpsertResults, UpsertSummary, given, options},
        context::ContextExt,
        execute::BulkRows,
        scalar::{DateTime, MinorUnits},
    },
    types::TransactionId,
};

/// Rows to store, any number of them, in one transaction.
#[derive(InputObject, Debug)]
pub struct BulkUpsertTransactionsInput {
    /// The memberbase.
    memberbase_id: ID,
    /// The rows. Rows of the same externalId are taken in their order.
    transactions: BulkRows<TransactionInput>,
    /// What bad rows do to the good ones.
    #[graphql(default_with = "OnRowError::RejectBatch")]
    on_error: OnRowError,
    /// Does everything but keep it: the answer is the real call's, but transactions that would be created have no id yet.
    #[graphql(default = false)]
    dry_run: bool,
}

/// A row: a transaction. A transaction never changes its member (MEMBER_MISMATCH). Exactly one of memberId and memberRef names the member; an optional field left out stays, null clears it.
#[derive(InputObject, Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TransactionInput {
    /// The member, by its id.
    member_id: Option<Unparsed<ID>>,
    /// The member, by its ref.
    member_ref: Option<String>,
    /// The owner's own key, unique in the memberbase: 1 to 1,024 bytes.
    external_id: String,
    /// The code of its authorisation.
    auth_code: String,
    /// The network of the card.
    network: CardNetwork,
    /// The first 6 to 8 digits of the card's number.
    bin: String,
    /// The merchant.
    merchant_id: String,
    /// What stands on the member's statement.
    #[serde(default)]
    statement_descriptor: MaybeUndefined<String>,
    /// The amount in minor units (cents).
    #[serde(default)]
    amount: MaybeUndefined<Unparsed<MinorUnits>>,
    /// Three capital letters, as ISO 4217 has them, e.g. GBP.
    #[serde(default)]
    currency: MaybeUndefined<String>,
    /// When it was authorised.
    authed_at: Unparsed<DateTime>,
    /// When it was cleared.
    #[serde(default)]
    cleared_at: MaybeUndefined<Unparsed<DateTime>>,
    /// When it was reverted.
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
            statement_descriptor: given(input.statement_descriptor, |text| text),
            amount: given(input.amount, Unparsed::text),
            currency: given(input.currency, |text| text),
            authed_at: input.authed_at.text(),
            cleared_at: given(input.cleared_at, Unparsed::text),
            reverted_at: given(input.reverted_at, Unparsed::text),
        }
    }
}

/// What became of the rows.
#[derive(Debug)]
pub struct BulkUpsertTransactionsPayload {
    scope: Scope,
    upserted: Upserted<TransactionId>,
}

/// What became of the rows.
#[Object]
impl BulkUpsertTransactionsPayload {
    /// One for each input row, in input order; null for a row that FAILED or that a dry run would create.
    async fn transaction_ids(&self) -> Ids {
        Ids::new(&self.upserted.ids)
    }

    /// The same rows in full. Loaded only when asked for.
    async fn transactions(&self, ctx: &Context<'_>) -> Result<Vec<Option<Transaction>>, Error> {
        Ok(Transaction::from_batch(member_child::load(ctx.app(), self.scope, &self.upserted.ids).await?))
    }

    /// What became of each row, in input order.
    async fn results(&self) -> UpsertResults<'_, TransactionId> {
        UpsertResults::new(&self.upserted)
    }

    /// Counts rows.
    async fn summary(&self) -> UpsertSummary {
        UpsertSummary::of(&self.upserted)
    }
}

#[derive(Clone, Default)]
pub struct BulkUpsertTransactionsMutation;

#[Object]
impl BulkUpsertTransactionsMutation {
    /// Creates the transactions that are not there and updates those that are different, in one transaction of the database. Idempotent: the same call again changes nothing and answers the same ids. Needs a WRITE token.
    async fn bulk_upsert_transactions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rows, and how to store them.")] input: BulkUpsertTransactionsInput,
    ) -> Result<Option<BulkUpsertTransactionsPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Write)?;
        let rows: Vec<_> = input.transactions.take(ctx)?.into_iter().map(NewTransaction::from).collect();
        let upserted = bulk_upsert(ctx.app(), scope, &rows, options(input.on_error, input.dry_run)).await?;
        Ok(Some(BulkUpsertTransactionsPayload { scope, upserted }))
    }
}
