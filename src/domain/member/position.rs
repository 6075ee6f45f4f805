//! Keyset positions in a list of members, and the cursors that encode them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::MemberView;
use crate::{
    domain::access::Scope,
    types::{Id, MemberId, Time},
};

/// The order of a list of members. Ties are broken by the id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    pub field: OrderField,
    pub descending: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrderField {
    /// The time of creation, which is in the id.
    #[default]
    CreatedAt,
    UpdatedAt,
    /// The ref, byte for byte.
    Ref,
}

/// The sort key of a member in an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    CreatedAt(MemberId),
    UpdatedAt(Time, MemberId),
    /// The key of [`OrderField::Ref`]; a ref is unique in its memberbase.
    Ref(String),
}

impl Position {
    pub fn of(member: MemberView<'_>, order: Order) -> Self {
        match order.field {
            OrderField::CreatedAt => Self::CreatedAt(member.id),
            OrderField::UpdatedAt => Self::UpdatedAt(member.updated_at, member.id),
            OrderField::Ref => Self::Ref(member.reference.to_owned()),
        }
    }

    /// Encodes a cursor, which is opaque to clients and valid for this memberbase and order only.
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

    /// Decodes a cursor. The error message says why it is not valid for this memberbase and order.
    pub fn parse(cursor: &str, scope: Scope, order: Order) -> Result<Self, &'static str> {
        const MALFORMED: &str = "the cursor is malformed";
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| MALFORMED)?;
        let (&found_tag, rest) = bytes.split_first().ok_or(MALFORMED)?;
        let (memberbase, key) = rest.split_first_chunk::<16>().ok_or(MALFORMED)?;
        if !(FIRST_TAG..FIRST_TAG + 6).contains(&found_tag) {
            return Err("the cursor was made for another list");
        }
        if Uuid::from_bytes(*memberbase) != scope.memberbase().uuid() {
            return Err("the cursor was made for another memberbase");
        }
        if found_tag != tag(order) {
            return Err("the cursor was made for another order");
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

/// The first of six tags, one per order. The tag is the first byte of a cursor; other lists use other tags.
const FIRST_TAG: u8 = 16;

fn tag(order: Order) -> u8 {
    FIRST_TAG + 2 * order.field as u8 + u8::from(order.descending)
}
