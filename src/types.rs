//! Values that all layers share: ids, times, pages, limits and counters, and the strict reading of JSON. This module
//! knows no database and no protocol.

mod ascii;
mod change;
mod id;
mod limits;
mod nearest;
mod page;
mod private_file;
mod row_counters;
mod safe_integer;
mod strict_json;
mod time;

pub use ascii::AsciiText;
pub use change::{Change, MAX_REPORTED_IDS, Touched};
pub use id::{
    AnyId, ApiTokenId, ClipId, Id, MalformedId, MemberId, MemberbaseId, StampCollectionId, SyncId, TransactionId,
};
pub use limits::{
    BodyLimits, DocumentLimits, FilterLimits, Limits, LiveLimits, PageLimits, RowLimits, SyncLimits, TimeLimits,
    TrafficLimits,
};
pub use nearest::nearest;
pub use page::{Anchor, Direction, Page, Slice};
pub use private_file::private_file;
pub use row_counters::{Counts, RowCounters, RowKind, RowOutcome};
pub use safe_integer::{MAX_SAFE_INTEGER, parse_safe_integer};
pub use strict_json::Strict;
pub use time::{MalformedTime, Time};
