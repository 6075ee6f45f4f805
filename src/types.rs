//! Values that every layer shares: ids, times, pages and limits; and how strictly what is sent is read. Nothing here knows a database or a protocol.

mod id;
mod limits;
mod page;
mod strict;
mod time;

pub use id::{
    AnyId, ApiTokenId, ClipId, Id, MalformedId, MemberId, MemberbaseId, StampCollectionId, SyncId, TransactionId,
};
pub use limits::{BodyLimits, DocumentLimits, FilterLimits, Limits, PageLimits, RowLimits, SyncLimits, TimeLimits};
pub use page::{Direction, Page, Slice, Start};
pub use strict::Strict;
pub use time::{MalformedTime, Time};
