//! Where a member stands in an ordered list: what a cursor holds.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::MemberView;
use crate::{
    domain::access::Scope,
    types::{Id, MemberId, Time},
};

/// What members are ordered by; each order ends in the id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The field.
    pub field: OrderField,
    /// From the last to the first.
    pub descending: bool,
}

/// A field that members can be ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrderField {
    /// The order of ids.
    #[default]
    CreatedAt,
    /// The time of the last change.
    UpdatedAt,
    /// The ref, byte for byte.
    Ref,
}

/// A member's place in an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// By creation.
    CreatedAt(MemberId),
    /// By the last change.
    UpdatedAt(Time, MemberId),
    /// By the ref, of which there is one.
    Ref(String),
}

impl Position {
    /// Where the member stands.
    pub fn of(member: MemberView<'_>, order: Order) -> Self {
        match order.field {
            OrderField::CreatedAt => Self::CreatedAt(member.id),
            OrderField::UpdatedAt => Self::UpdatedAt(member.updated_at, member.id),
            OrderField::Ref => Self::Ref(member.reference.to_owned()),
        }
    }

    /// As a cursor: opaque to whoever holds it, and good for this memberbase and order alone.
    pub fn cursor(&self, scope: Scope, order: Order) -> String {
        let mut bytes = vec![tag(order)];
        bytes.extend_from_slice(scope.memberbase().uuid().as_bytes());
        match self {
            Self::CreatedAt(id) => bytes.extend_from_slice(id.uuid().as_bytes()),
            Self::UpdatedAt(time, id) => {
                bytes.extend_from_slice(&time.micros().to_be_bytes());
                bytes.extend_from_slice(id.uuid().as_bytes());
            }
            Self::Ref(reference) => bytes.extend_from_slice(reference.as_bytes()),
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor; the message says why it is none of this memberbase and order.
    pub fn parse(cursor: &str, scope: Scope, order: Order) -> Result<Self, &'static str> {
        const MALFORMED: &str = "the cursor is malformed";
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| MALFORMED)?;
        let (&found, rest) = bytes.split_first().ok_or(MALFORMED)?;
        let (memberbase, key) = rest.split_first_chunk::<16>().ok_or(MALFORMED)?;
        if !(MEMBERS..MEMBERS + 6).contains(&found) {
            return Err("the cursor is of another list");
        }
        if Uuid::from_bytes(*memberbase) != scope.memberbase().uuid() {
            return Err("the cursor is of another memberbase");
        }
        if found != tag(order) {
            return Err("the cursor is of another order");
        }
        let id = |bytes: &[u8]| Uuid::from_slice(bytes).map(MemberId::from_uuid).map_err(|_| MALFORMED);
        match order.field {
            OrderField::CreatedAt => Ok(Self::CreatedAt(id(key)?)),
            OrderField::UpdatedAt => {
                let (micros, rest) = key.split_first_chunk::<8>().ok_or(MALFORMED)?;
                Ok(Self::UpdatedAt(Time::from_micros(i64::from_be_bytes(*micros)), id(rest)?))
            }
            OrderField::Ref => match std::str::from_utf8(key) {
                Ok(reference) if crate::domain::text::ref_fault(reference).is_none() => {
                    Ok(Self::Ref(reference.to_owned()))
                }
                _ => Err(MALFORMED),
            },
        }
    }
}

/// The first byte of a cursor of members; that of memberbases is lower.
const MEMBERS: u8 = 16;

fn tag(order: Order) -> u8 {
    MEMBERS + 2 * order.field as u8 + u8::from(order.descending)
}
