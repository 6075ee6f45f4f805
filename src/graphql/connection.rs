//! Connections of the Relay specification (<https://relay.dev/graphql/connections.htm>): page info, and the conversion of the
//! four arguments to a page.

use async_graphql::{Context, SimpleObject};

use super::Error;
use crate::{
    domain,
    types::{Anchor, Direction, Page, PageLimits, Slice},
};

/// Direction of an order.
#[derive(async_graphql::Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OrderDirection {
    /// Ascending.
    #[default]
    Asc,
    /// Descending.
    Desc,
}

/// Information about a page, exact in both directions.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct PageInfo {
    /// True if an entry follows the last entry of this page.
    has_next_page: bool,
    /// True if an entry precedes the first entry of this page.
    has_previous_page: bool,
    /// Cursor of the first entry of this page; null if the page is empty.
    start_cursor: Option<String>,
    /// Cursor of the last entry of this page; null if the page is empty.
    end_cursor: Option<String>,
}

impl PageInfo {
    /// Returns the page info of a slice. `cursor` returns the cursor of a row.
    pub(super) fn new<Row>(slice: &Slice<Row>, cursor: impl Fn(&Row) -> String) -> Self {
        Self {
            has_next_page: slice.has_next,
            has_previous_page: slice.has_previous,
            start_cursor: slice.rows.first().map(&cursor),
            end_cursor: slice.rows.last().map(&cursor),
        }
    }
}

/// The four paging arguments of a connection.
#[derive(Debug)]
pub(super) struct Paging {
    /// Number of entries from the start, or after `after`. Default 100, at most 5,000 (MEMBERBASE_MAX_PAGE_SIZE); excludes `last`.
    pub(crate) first: Option<i32>,
    /// Only entries after this cursor; goes with `first`, not `before`.
    pub(crate) after: Option<String>,
    /// Number of entries from the end, or before `before`. At most 5,000 (MEMBERBASE_MAX_PAGE_SIZE); excludes `first`.
    pub(crate) last: Option<i32>,
    /// Only entries before this cursor; goes with `last`, not `after`.
    pub(crate) before: Option<String>,
}

impl Paging {
    /// Returns the requested page. `parse` parses a cursor.
    pub(super) fn page<Key>(
        self,
        ctx: &Context<'_>,
        limits: PageLimits,
        parse: impl Fn(&str) -> Result<Key, &'static str>,
    ) -> Result<Page<Key>, Error> {
        let refuse = |argument: &str, message: String| Err(domain::Error::bad_input(argument, message).into());
        let (argument, size, direction) = match (self.first, self.last) {
            (Some(_), Some(_)) => return refuse("last", "first and last exclude each other".to_owned()),
            (None, Some(size)) => ("last", Some(size), Direction::Backward),
            // With `before` alone, the page is the one that ends at the cursor.
            (None, None) if self.before.is_some() => ("last", None, Direction::Backward),
            (size, None) => ("first", size, Direction::Forward),
        };
        let size = match size.map(u64::try_from) {
            None => limits.default,
            Some(Err(_)) => return refuse(argument, format!("{argument} is negative")),
            Some(Ok(size)) if size > limits.max => {
                let most = limits.max;
                return refuse(
                    argument,
                    format!("{argument} is {size}, at most {most} are allowed (MEMBERBASE_MAX_PAGE_SIZE)"),
                );
            }
            Some(Ok(size)) => size,
        };
        let (argument, cursor, opposite) = match (self.after, self.before, direction) {
            (Some(_), Some(_), _) => return refuse("before", "after and before exclude each other".to_owned()),
            (Some(cursor), None, Direction::Forward) => ("after", Some(cursor), "hasPreviousPage"),
            (None, Some(cursor), Direction::Backward) => ("before", Some(cursor), "hasNextPage"),
            (Some(_), None, Direction::Backward) => {
                return refuse("after", "after goes with first, before with last".to_owned());
            }
            (None, Some(_), Direction::Forward) => {
                return refuse("before", "after goes with first, before with last".to_owned());
            }
            (None, None, _) => ("", None, ""),
        };
        let anchor = match cursor.as_deref().map(parse) {
            None => Anchor::Start,
            Some(Ok(key)) => Anchor::Cursor(key),
            Some(Err(message)) => return refuse(argument, message.to_owned()),
        };
        let opposite = !opposite.is_empty() && ctx.look_ahead().field("pageInfo").field(opposite).exists();
        Ok(Page { size, direction, anchor, check_opposite: opposite })
    }
}
