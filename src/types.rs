//! Values that all layers share: ids, times, pages, limits and counters, and the strict reading of JSON. This module
//! knows no database and no protocol.

mod change;
mod excerpt;
mod id;
mod limits;
mod nearest;
mod page;
mod private_file;
mod regex_budget;
mod row_counters;
mod safe_integer;
mod shared_text;
mod strict_json;
mod time;

pub(crate) use change::{Change, MAX_REPORTED_IDS, Touched};
pub(crate) use excerpt::{bounded_message, excerpt};
pub use id::{AnyId, ApiTokenId, ClipId, Id, MemberId, MemberbaseId, StampCollectionId, SyncId, TransactionId};
pub(crate) use limits::{BodyLimits, FilterLimits, RowLimits};
pub use limits::{
    DocumentLimits, ExportLimits, ImportLimits, Limits, LiveLimits, MemoryLimits, PageLimits, SyncLimits, TimeLimits,
    TrafficLimits,
};
pub(crate) use nearest::nearest;
pub(crate) use page::Slice;
pub use page::{Anchor, Direction, Page};
pub(crate) use private_file::private_file;
pub(crate) use regex_budget::RegexBudget;
pub(crate) use row_counters::{RowCounters, RowKind, RowOutcome};
pub(crate) use safe_integer::{MAX_SAFE_INTEGER, parse_safe_integer};
pub(crate) use shared_text::SharedText;
pub(crate) use strict_json::Strict;
pub(crate) use time::MalformedTime;
pub use time::Time;
