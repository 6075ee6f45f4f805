//! Stamp collections: how far members are in loyalty programs.

pub mod bulk_upsert;

use super::member_child::MemberChild;
use crate::{
    entity::stamp_collection,
    types::{Id, MemberId, MemberbaseId, RowKind, StampCollectionId, Time},
};

/// A member's progress in a loyalty program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StampCollection {
    /// Its id.
    pub id: StampCollectionId,
    /// The memberbase.
    pub memberbase: MemberbaseId,
    /// The member whose it is.
    pub member: MemberId,
    /// The loyalty program; a member has at most one stamp collection in it.
    pub loyalty_program_id: String,
    /// How many stamps are collected.
    pub stamps: i32,
    /// How many rewards were earned.
    pub rewards_earned: i32,
    /// When it was created or last changed.
    pub updated_at: Time,
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
