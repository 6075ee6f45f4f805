//! Paging of the original API.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Unexpected, Visitor},
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ArrayBuilder, ObjectBuilder, Ref, RefOr, Schema},
};

use super::{Code, Error};
use crate::{
    budget,
    types::{Anchor, Direction, MAX_SAFE_INTEGER, Page, PageLimits, Slice},
};

/// Page size if the request has no limit.
const DEFAULT_PAGE_SIZE: u64 = 500;

/// Selects a page of a list. `cursor` and `skip` exclude each other.
#[derive(Deserialize, ToSchema, Debug, Default)]
pub(crate) struct Pagination {
    /// Maximum number of entries on the page. Default 500. Reduced to the server's maximum, 5,000 by default
    /// (MEMBERBASE_MAX_PAGE_SIZE).
    #[schema(value_type = Option<u64>, minimum = 1)]
    limit: Option<WholeNumber>,
    /// `page.cursor` of the preceding page. Default: the first page.
    cursor: Option<String>,
    /// Number of entries to skip from the start of the list. Discouraged: entries that are created or deleted between
    /// two calls shift the others.
    #[schema(value_type = Option<u64>, minimum = 1)]
    skip: Option<WholeNumber>,
}

/// A JSON number that is a whole number. JSON has one type of number: `2.0` is 2.
#[derive(Clone, Copy, Debug)]
struct WholeNumber(u64);

impl<'de> Deserialize<'de> for WholeNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_u64(WholeNumberVisitor)
    }
}

struct WholeNumberVisitor;

impl Visitor<'_> for WholeNumberVisitor {
    type Value = WholeNumber;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a whole number of at least 0")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<WholeNumber, E> {
        Ok(WholeNumber(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<WholeNumber, E> {
        u64::try_from(number).map(WholeNumber).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<WholeNumber, E> {
        #[expect(clippy::cast_precision_loss, reason = "2^53-1 is exact")]
        let is_exact = number.fract() == 0.0 && (0.0..=MAX_SAFE_INTEGER as f64).contains(&number);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an exact number of at least 0")]
        let whole = is_exact.then_some(WholeNumber(number as u64));
        whole.ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
    }
}

#[derive(Serialize, Debug)]
pub(crate) struct ListPage<T> {
    data: Vec<T>,
    page: PageInfo,
}

/// Information about a page.
#[derive(Serialize, ToSchema, Debug)]
struct PageInfo {
    /// Number of entries on a full page.
    page_size: u64,
    /// Cursor of the next page; null if this is the last page.
    cursor: Option<String>,
    /// True if another page follows.
    more: bool,
}

impl Pagination {
    /// Returns the requested page. `parse` parses a cursor. A limit above the server's maximum is reduced to the maximum.
    pub(crate) fn page<Key>(
        self,
        limits: PageLimits,
        parse: impl Fn(&str) -> Result<Key, &'static str>,
    ) -> Result<Page<Key>, Error> {
        let bad = |message: &str| Err(Error::new(Code::BadRequest, message));
        let size = match self.limit.map(|limit| limit.0) {
            Some(0) => return bad("pagination.limit: expected 1 or more"),
            limit => limit.unwrap_or(DEFAULT_PAGE_SIZE).min(limits.max),
        };
        let anchor = match (self.cursor, self.skip.map(|skip| skip.0)) {
            (Some(_), Some(_)) => return bad("pagination: cursor and skip exclude each other"),
            (None, Some(0)) => return bad("pagination.skip: expected 1 or more"),
            (None, Some(rows)) if i64::try_from(rows).is_err() => {
                return bad(&format!("pagination.skip: expected at most {}", i64::MAX));
            }
            (None, Some(rows)) => Anchor::Offset(rows),
            (Some(cursor), None) => match parse(&cursor) {
                Ok(key) => Anchor::Cursor(key),
                Err(message) => return bad(&format!("pagination.cursor: {message}")),
            },
            (None, None) => Anchor::Start,
        };
        Ok(Page { size, direction: Direction::Forward, anchor, until: None, check_opposite: false })
    }
}

impl<T: ToSchema> PartialSchema for ListPage<T> {
    fn schema() -> RefOr<Schema> {
        let data = ArrayBuilder::new().items(Ref::from_schema_name(T::name()));
        let list = ObjectBuilder::new().property("data", data).required("data");
        list.property("page", Ref::from_schema_name(PageInfo::name())).required("page").into()
    }
}

impl<T: ToSchema> ToSchema for ListPage<T> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("{}List", T::name()))
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        T::schemas(schemas);
        PageInfo::schemas(schemas);
        schemas.push((T::name().into_owned(), T::schema()));
        schemas.push((PageInfo::name().into_owned(), PageInfo::schema()));
    }
}

impl<T> ListPage<T> {
    /// Returns a complete list as one page.
    pub(crate) fn complete(data: Vec<T>) -> Self {
        let page = PageInfo { page_size: data.len() as u64, cursor: None, more: false };
        Self { data, page }
    }

    /// Returns a page of a slice. `convert` converts a row to its published form.
    pub(crate) fn new<Key, Row>(
        page: &Page<Key>,
        slice: Slice<Row>,
        cursor: impl Fn(&Row) -> String,
        convert: impl Fn(Row) -> Result<T, Error>,
    ) -> Result<Self, Error> {
        let more = slice.has_next;
        let cursor = slice.rows.last().filter(|_| more).map(cursor);
        let convert = |row| {
            budget::check()?;
            convert(row)
        };
        let data = slice.rows.into_iter().map(convert).collect::<Result<_, _>>()?;
        Ok(Self { data, page: PageInfo { page_size: page.size, cursor, more } })
    }
}
