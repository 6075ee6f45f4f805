//! Values that every layer shares: ids, times, pages, limits and counts; and how strictly what is sent is read. Nothing here knows a database or a protocol.

mod ascii;
mod change;
mod id;
mod limits;
mod nearest;
mod page;
mod private_file;
mod strict;
mod tally;
mod time;
mod whole;

pub use ascii::Ascii;
pub use change::{Change, MOST_IDS, Touched};
pub use id::{
    AnyId, ApiTokenId, ClipId, Id, MalformedId, MemberId, MemberbaseId, StampCollectionId, SyncId, TransactionId,
};
pub use limits::{
    BodyLimits, DocumentLimits, FilterLimits, Limits, LiveLimits, PageLimits, RowLimits, SyncLimits, TimeLimits,
    TrafficLimits,
};
pub use nearest::nearest;
pub use page::{Direction, Page, Slice, Start};
pub use private_file::private_file;
pub use strict::Strict;
pub use tally::{Counts, RowKind, RowOutcome, Tally};
pub use time::{MalformedTime, Time};
pub use whole::{MAX_WHOLE, whole};
