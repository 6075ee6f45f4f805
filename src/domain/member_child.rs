//! Operations that clips, stamp collections and transactions share as children of a member.

mod bulk_upsert;
mod delete;
mod find;
mod list;
mod position;

use std::{fmt::Debug, hash::Hash};

use sea_orm::EntityTrait;

pub(super) use bulk_upsert::{ParsedRow, WithMember, bulk_upsert, changed_members, parse_all, upsert_in};
pub(crate) use delete::delete;
pub(super) use delete::{delete_all, delete_of_members};
pub(crate) use find::{find_many, load};
pub use list::PageStatements;
pub(crate) use list::{MemberKey, count_of_members, of_members};
pub use position::Position;

use crate::types::{Id, MemberId, MemberbaseId, RowKind, Time};

/// A clip, a stamp collection or a transaction.
pub trait MemberChild: Clone + Debug + Send + Sync + From<<Self::Entity as EntityTrait>::Model> + 'static {
    type Id: Id + Hash + Send + Sync + 'static;
    type Entity: EntityTrait;

    /// The label of its row counters.
    const ROWS: RowKind;
    /// The name of its table, quoted if necessary.
    const TABLE: &'static str;
    /// The columns of its unique key within a memberbase. Rows are locked in the order of these.
    const KEY: &'static str;
    /// The time column by which a member's list is ordered, newest first; without one it is ordered by id.
    const NEWEST_BY: Option<&'static str>;
    /// The first byte of its cursors. All kinds of lists have different ones.
    const TAG: u8;

    fn id(&self) -> Self::Id;

    fn memberbase(&self) -> MemberbaseId;

    fn member(&self) -> MemberId;

    /// Returns the value of [`NEWEST_BY`](Self::NEWEST_BY).
    fn time(&self) -> Option<Time>;
}
