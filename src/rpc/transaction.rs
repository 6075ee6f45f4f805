//! `transaction/ingest`.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{Call, Error, id::MemberIdText};
use crate::domain::transaction::{CardNetwork, bulk_upsert::NewTransaction, ingest as transactions};

#[derive(Deserialize, ToSchema)]
pub(super) struct Ingest {
    /// The transactions to store. Their members can belong to different memberbases.
    events: Vec<Event>,
}

/// A card payment. An omitted optional field keeps its stored value; null clears it.
#[derive(Deserialize, ToSchema)]
#[schema(as = TransactionEvent)]
struct Event {
    #[schema(value_type = MemberIdText)]
    member_id: String,
    /// Your key for the transaction, unique in the memberbase: 1 to 1,024 bytes.
    #[schema(min_length = 1)]
    external_id: String,
    auth_code: String,
    #[serde(deserialize_with = "network")]
    #[schema(inline, value_type = Network)]
    network: CardNetwork,
    /// The first 6 to 8 digits of the card number.
    #[schema(pattern = "^[0-9]{6,8}$")]
    bin: String,
    merchant_id: String,
    #[schema(format = DateTime)]
    authed_at: String,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    statement_descriptor: Option<Option<String>>,
    /// Amount in minor units of `currency` (such as cents), from -(2^53-1) to 2^53-1.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, minimum = -9_007_199_254_740_991i64, maximum = 9_007_199_254_740_991i64)]
    amount: Option<Option<Number>>,
    /// ISO 4217 code of the currency: three capital letters, such as GBP.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, pattern = "^[A-Z]{3}$")]
    currency: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = DateTime)]
    cleared_at: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, format = DateTime)]
    reverted_at: Option<Option<String>>,
}

/// Card network. Accepted in upper or lower case.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only describes what `network` reads")]
enum Network {
    Visa,
    Mastercard,
    Amex,
    Other,
}

/// A number that is kept as its JSON text.
struct Number(String);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        match text.get().bytes().next() {
            Some(b'-' | b'0'..=b'9') => Ok(Self(text.get().to_owned())),
            _ => Err(de::Error::custom("expected a number")),
        }
    }
}

/// Deserializes a field that is present, so that null differs from an omitted field.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn network<'de, D: Deserializer<'de>>(deserializer: D) -> Result<CardNetwork, D::Error> {
    match String::deserialize(deserializer)?.to_ascii_lowercase().as_str() {
        "visa" => Ok(CardNetwork::Visa),
        "mastercard" => Ok(CardNetwork::Mastercard),
        "amex" => Ok(CardNetwork::Amex),
        "other" => Ok(CardNetwork::Other),
        _ => Err(de::Error::custom("expected one of visa, mastercard, amex, other")),
    }
}

impl From<Event> for NewTransaction {
    fn from(event: Event) -> Self {
        Self {
            member_id: Some(event.member_id),
            member_ref: None,
            external_id: event.external_id,
            auth_code: event.auth_code,
            network: event.network,
            bin: event.bin,
            merchant_id: event.merchant_id,
            statement_descriptor: event.statement_descriptor,
            amount: event.amount.map(|amount| amount.map(|number| number.0)),
            currency: event.currency,
            authed_at: event.authed_at,
            cleared_at: event.cleared_at,
            reverted_at: event.reverted_at,
        }
    }
}

/// All transactions are stored.
#[derive(Serialize, ToSchema, Debug)]
pub(crate) struct Ingested {
    status: &'static str,
}

pub(super) async fn ingest(call: Call, request: Ingest) -> Result<Ingested, Error> {
    let rows: Vec<_> = request.events.into_iter().map(NewTransaction::from).collect();
    transactions::ingest(&call.app, &call.caller, &rows).await?;
    Ok(Ingested { status: "ok" })
}
