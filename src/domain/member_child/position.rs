//! Keyset positions in a member's list, and the cursors that encode them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::MemberChild;
use crate::types::{Id, MemberId, MemberbaseId, Time};

/// The sort key of a child in its member's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The time, if the list is ordered by one.
    pub time: Option<Time>,
    /// The id, which makes the key unique.
    pub id: Uuid,
}

impl Position {
    pub(crate) fn of<T: MemberChild>(child: &T) -> Self {
        Self { time: child.time(), id: child.id().uuid() }
    }

    /// Encodes a cursor, which is opaque to clients and valid for this kind and member only.
    pub(crate) fn cursor<T: MemberChild>(self, memberbase: MemberbaseId, member: MemberId) -> String {
        let mut bytes = vec![T::TAG];
        bytes.extend_from_slice(memberbase.uuid().as_bytes());
        bytes.extend_from_slice(member.uuid().as_bytes());
        if let Some(time) = self.time {
            bytes.extend_from_slice(&time.micros().to_be_bytes());
        }
        bytes.extend_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Decodes a cursor. The error message says why it is not valid for this kind and member.
    pub(crate) fn parse<T: MemberChild>(
        cursor: &str,
        memberbase: MemberbaseId,
        member: MemberId,
    ) -> Result<Self, &'static str> {
        const MALFORMED: &str = "the cursor is malformed";
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| MALFORMED)?;
        let (&tag, rest) = bytes.split_first().ok_or(MALFORMED)?;
        if tag != T::TAG {
            return Err("the cursor was made for another list");
        }
        let (cursor_memberbase, rest) = rest.split_first_chunk::<16>().ok_or(MALFORMED)?;
        let (cursor_member, key) = rest.split_first_chunk::<16>().ok_or(MALFORMED)?;
        if Uuid::from_bytes(*cursor_memberbase) != memberbase.uuid() {
            return Err("the cursor was made for another memberbase");
        }
        if Uuid::from_bytes(*cursor_member) != member.uuid() {
            return Err("the cursor was made for another member");
        }
        let (time, id) = match T::NEWEST_BY {
            None => (None, key),
            Some(_) => {
                let (micros, id) = key.split_first_chunk::<8>().ok_or(MALFORMED)?;
                (Some(Time::from_micros(i64::from_be_bytes(*micros))), id)
            }
        };
        Ok(Self { time, id: Uuid::from_slice(id).map_err(|_| MALFORMED)? })
    }
}
