//! Values that every layer shares: ids, times, pages and limits. Nothing here knows a database or a protocol.

mod id;
mod limits;
mod page;
mod time;

pub use id::{AnyId, ApiTokenId, ClipId, Id, MalformedId, MemberId, MemberbaseId, StampCollectionId, TransactionId};
pub use limits::{BodyLimits, DocumentLimits, FilterLimits, Limits, PageLimits, RowLimits, TimeLimits};
pub use page::{Direction, Page, Slice, Start};
pub use time::{MalformedTime, Time};
