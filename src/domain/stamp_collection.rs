//! Stamp collections: members' progress in loyalty programs.

pub(crate) mod bulk_upsert;

use super::member_child::MemberChild;
use crate::{
    entity::stamp_collection,
    types::{Id, MemberId, MemberbaseId, RowKind, StampCollectionId, Time},
};

/// A member's progress in a loyalty program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StampCollection {
    pub(crate) id: StampCollectionId,
    pub(crate) memberbase: MemberbaseId,
    pub(crate) member: MemberId,
    /// The loyalty program. A member has at most one stamp collection per program.
    pub(crate) loyalty_program_id: String,
    pub(crate) stamps: i32,
    pub(crate) rewards_earned: i32,
    pub(crate) updated_at: Time,
}

impl MemberChild for StampCollection {
    type Id = StampCollectionId;
    type Entity = stamp_collection::Entity;

    const ROWS: RowKind = RowKind::StampCollection;
    const TABLE: &'static str = "stamp_collection";
    const KEY: &'static str = "member_id, loyalty_program_id";
    const NEWEST_BY: Option<&'static str> = None;
    const TAG: u8 = 33;

    fn id(&self) -> StampCollectionId {
        self.id
    }

    fn memberbase(&self) -> MemberbaseId {
        self.memberbase
    }

    fn member(&self) -> MemberId {
        self.member
    }

    fn time(&self) -> Option<Time> {
        None
    }
}

impl From<stamp_collection::Model> for StampCollection {
    fn from(row: stamp_collection::Model) -> Self {
        Self {
            id: StampCollectionId::from_uuid(row.id),
            memberbase: MemberbaseId::from_uuid(row.memberbase_id),
            member: MemberId::from_uuid(row.member_id),
            loyalty_program_id: row.loyalty_program_id,
            stamps: row.stamps,
            rewards_earned: row.rewards_earned,
            updated_at: Time::from_micros(row.updated_at),
        }
    }
}
