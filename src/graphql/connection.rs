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

/// Information about a page. A page with `last`, or with `before` as the only paging argument, is read backward; all others are read forward. `hasNextPage` and `hasPreviousPage` are determined for both.
#[derive(SimpleObject, Clone, Debug)]
pub(crate) struct PageInfo {
    /// Page read forward: true if more entries follow it, up to `before` if that is given. Page read backward: true if the list has an entry at or after `before`; false without `before`.
    has_next_page: bool,
    /// Page read backward: true if more entries precede it, down to `after` if that is given. Page read forward: true if the list has an entry at or before `after`; false without `after`.
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

/// The four paging arguments of a connection. The result is that of the specification's [algorithm][] with three
/// differences: a cursor is a position, so it bounds the page after its entry has been deleted as well, and no entry lies
/// between cursors in the wrong order; `first` and `last` exclude each other, because no paging client has a use for both
/// (the specification strongly discourages it); the number of entries has a default and a limit.
///
/// [algorithm]: https://relay.dev/graphql/connections.htm#sec-Pagination-algorithm
#[derive(Debug)]
pub(super) struct Paging {
    /// Maximum number of entries, counted from the start of the list or from `after`. Default 100, also with `after` and `before` but without a size; at most 5,000 (MEMBERBASE_MAX_PAGE_SIZE). Can't be combined with `last`.
    pub(crate) first: Option<i32>,
    /// Only entries after this cursor.
    pub(crate) after: Option<String>,
    /// Maximum number of entries, counted back from the end of the list or from `before`. Default 100 if `before` is the only paging argument; at most 5,000 (MEMBERBASE_MAX_PAGE_SIZE). Can't be combined with `first`.
    pub(crate) last: Option<i32>,
    /// Only entries before this cursor.
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
            (None, None) if self.before.is_some() && self.after.is_none() => ("last", None, Direction::Backward),
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
        let parse = |argument: &str, cursor: Option<String>| {
            let key = cursor.map(|cursor| parse(&cursor)).transpose();
            key.map_err(|message| Error::from(domain::Error::bad_input(argument, message)))
        };
        let (after, before) = (parse("after", self.after)?, parse("before", self.before)?);
        let (start, until, opposite) = match direction {
            Direction::Forward => (after, before, "hasPreviousPage"),
            Direction::Backward => (before, after, "hasNextPage"),
        };
        let anchor = start.map_or(Anchor::Start, Anchor::Cursor);
        let check_opposite =
            matches!(anchor, Anchor::Cursor(_)) && ctx.look_ahead().field("pageInfo").field(opposite).exists();
        Ok(Page { size, direction, anchor, until, check_opposite })
    }
}
