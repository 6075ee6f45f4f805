//! Clips: deals that members have saved.

pub(crate) mod bulk_upsert;

use super::member_child::MemberChild;
use crate::{
    entity::clip,
    types::{ClipId, Id, MemberId, MemberbaseId, RowKind, Time},
};

/// A deal that a member saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    pub(crate) id: ClipId,
    pub(crate) memberbase: MemberbaseId,
    pub(crate) member: MemberId,
    /// The deal. A member has at most one clip per deal.
    pub(crate) deal_id: String,
    pub(crate) creative_id: String,
    pub(crate) variant_id: Option<String>,
    pub(crate) redeemed_at: Option<Time>,
    pub(crate) updated_at: Time,
}

impl MemberChild for Clip {
    type Id = ClipId;
    type Entity = clip::Entity;

    const ROWS: RowKind = RowKind::Clip;
    const TABLE: &'static str = "clip";
    const KEY: &'static str = "member_id, deal_id";
    const NEWEST_BY: Option<&'static str> = None;
    const TAG: u8 = 32;

    fn id(&self) -> ClipId {
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

impl From<clip::Model> for Clip {
    fn from(row: clip::Model) -> Self {
        Self {
            id: ClipId::from_uuid(row.id),
            memberbase: MemberbaseId::from_uuid(row.memberbase_id),
            member: MemberId::from_uuid(row.member_id),
            deal_id: row.deal_id,
            creative_id: row.creative_id,
            variant_id: row.variant_id,
            redeemed_at: row.redeemed_at.map(Time::from_micros),
            updated_at: Time::from_micros(row.updated_at),
        }
    }
}
