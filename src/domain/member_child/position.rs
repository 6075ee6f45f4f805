//! Where a thing stands in the list of its member: what a cursor holds.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::MemberChild;
use crate::types::{Id, MemberId, MemberbaseId, Time};

/// A place in the list of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The time, where the list is ordered by one.
    pub time: Option<Time>,
    /// The id.
    pub id: Uuid,
}

impl Position {
    /// Where the thing stands.
    pub fn of<T: MemberChild>(thing: &T) -> Self {
        Self { time: thing.time(), id: thing.id().uuid() }
    }

    /// As a cursor: opaque to whoever holds it, and good for this kind and member alone.
    pub fn cursor<T: MemberChild>(self, memberbase: MemberbaseId, member: MemberId) -> String {
        let mut bytes = vec![T::TAG];
        bytes.extend_from_slice(memberbase.uuid().as_bytes());
        bytes.extend_from_slice(member.uuid().as_bytes());
        if let Some(time) = self.time {
            bytes.extend_from_slice(&time.micros().to_be_bytes());
        }
        bytes.extend_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor; the message says why it is none of this kind and member.
    pub fn parse<T: MemberChild>(
        cursor: &str,
        memberbase: MemberbaseId,
        member: MemberId,
    ) -> Result<Self, &'static str> {
        const MALFORMED: &str = "the cursor is malformed";
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| MALFORMED)?;
        let (&tag, rest) = bytes.split_first().ok_or(MALFORMED)?;
        if tag != T::TAG {
            return Err("the cursor is of another list");
        }
        let (of_memberbase, rest) = rest.split_first_chunk::<16>().ok_or(MALFORMED)?;
        let (of_member, key) = rest.split_first_chunk::<16>().ok_or(MALFORMED)?;
        if Uuid::from_bytes(*of_memberbase) != memberbase.uuid() {
            return Err("the cursor is of another memberbase");
        }
        if Uuid::from_bytes(*of_member) != member.uuid() {
            return Err("the cursor is of another member");
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
