//! What belongs to a member, whichever kind it is: clips, stamp collections and transactions.

mod bulk_upsert;
mod delete;
mod find;
mod list;
mod position;

use std::{fmt::Debug, hash::Hash};

use sea_orm::EntityTrait;

pub(super) use bulk_upsert::{Read, WithMember, bulk_upsert, read_all, touched_members, upsert_in};
pub use delete::{DeleteOutcome, delete};
pub(super) use delete::{delete_all, delete_of_members};
pub use find::{find, find_many, load};
pub use list::{MemberKey, PageStatements, count_of_members, of_members};
pub use position::Position;

use crate::types::{Id, MemberId, MemberbaseId, RowKind, Time};

/// A thing that belongs to a member.
pub trait MemberChild: Clone + Debug + Send + Sync + From<<Self::Entity as EntityTrait>::Model> + 'static {
    /// What names it.
    type Id: Id + Hash + Send + Sync + 'static;
    /// Its rows.
    type Entity: EntityTrait;

    /// What its rows are counted as.
    const ROWS: RowKind;
    /// The name of its table, quoted where it has to be.
    const TABLE: &'static str;
    /// The columns that make it unique in a memberbase: in their order rows are locked.
    const KEY: &'static str;
    /// The time that a member's are ordered by, the newest first; where there is none, in the order of their ids.
    const NEWEST_BY: Option<&'static str>;
    /// The first byte of its cursors; those of members and memberbases are lower.
    const TAG: u8;

    /// Its id.
    fn id(&self) -> Self::Id;

    /// The memberbase.
    fn memberbase(&self) -> MemberbaseId;

    /// The member whose it is.
    fn member(&self) -> MemberId;

    /// The time that it is ordered by.
    fn time(&self) -> Option<Time>;
}
