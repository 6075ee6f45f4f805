//! `transaction/ingest`.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;

use super::{Call, Error};
use crate::domain::transaction::{CardNetwork, bulk_upsert::NewTransaction, ingest as transactions};

#[derive(Deserialize)]
pub(super) struct Ingest {
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    member_id: String,
    external_id: String,
    auth_code: String,
    #[serde(deserialize_with = "network")]
    network: CardNetwork,
    bin: String,
    merchant_id: String,
    authed_at: String,
    #[serde(default, deserialize_with = "given")]
    statement_descriptor: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    amount: Option<Option<Number>>,
    #[serde(default, deserialize_with = "given")]
    currency: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    cleared_at: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    reverted_at: Option<Option<String>>,
}

/// A number as it was sent.
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

/// A field that is there, null or not.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
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

/// All is stored.
#[derive(Serialize, Debug)]
pub struct Ingested {
    status: &'static str,
}

pub(super) async fn ingest(call: Call, given: Ingest) -> Result<Ingested, Error> {
    let rows: Vec<_> = given.events.into_iter().map(NewTransaction::from).collect();
    transactions::ingest(&call.app, &call.caller, &rows).await?;
    Ok(Ingested { status: "ok" })
}
