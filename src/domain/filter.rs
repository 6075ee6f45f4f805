//! Filters: predicates on single fields, combined by and, or and not, and their conversion to SQL conditions that mean
//! the same on both databases.

mod regex;

use sea_orm::{
    DbBackend, Value,
    sea_query::{Expr, ExprTrait, Func, SimpleExpr},
};
use uuid::Uuid;

pub use regex::Pattern;

use super::Error;
use crate::{
    app::App,
    budget,
    db::{ArrayColumn, list},
    types::{FilterLimits, Id, RegexBudget, Time},
};

/// Maximum number of predicates in a filter. A chain of ANDs nests by one level each, and SQLite rejects expressions
/// that nest more than 1,000 deep (<https://sqlite.org/limits.html#max_expr_depth>).
const MAX_PREDICATES: usize = 400;

/// Maximum number of regexes in a filter. A session of PostgreSQL keeps as many compiled ([`MAX_CACHED_RES`][cache]);
/// with more it would compile each of them again for every row.
///
/// [cache]: https://doxygen.postgresql.org/regexp_8c.html
const MAX_REGEXES: usize = 32;

/// A combination of predicates of type `P`.
#[derive(Clone, Debug)]
pub enum Filter<P> {
    /// True if all of these are; if empty, always true.
    All(Vec<Self>),
    /// True if at least one of these is; if empty, always false.
    Any(Vec<Self>),
    /// Plain negation.
    Not(Box<Self>),
    Predicate(P),
}

impl<P> Default for Filter<P> {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

#[derive(Clone, Debug)]
pub enum IdPredicate<T> {
    In(Vec<T>),
    NotIn(Vec<T>),
}

/// A predicate on a text, compared byte for byte.
#[derive(Clone, Debug)]
pub enum TextPredicate {
    In(Vec<String>),
    NotIn(Vec<String>),
    /// Begins with this literal prefix.
    StartsWith(String),
    /// Contains a match of the pattern.
    Matches(Pattern),
}

#[derive(Clone, Debug)]
pub enum TimePredicate {
    In(Vec<Time>),
    NotIn(Vec<Time>),
    After(Time),
    /// Equal or later.
    From(Time),
    Before(Time),
    /// Equal or earlier.
    Until(Time),
}

/// Copies of a filter's values while its statement is made: in the condition and in the parameters.
const STATEMENT_COPIES: usize = 2;

/// The size of a whole filter.
#[derive(Default)]
struct FilterSize {
    predicates: usize,
    bytes: usize,
}

/// The parts of a predicate that limits bound.
pub trait PredicateSize {
    fn values(&self) -> usize;

    /// Returns the size of the values as parameters of a statement.
    fn bytes(&self) -> usize;

    fn pattern(&self) -> Option<&Pattern> {
        None
    }
}

impl<P> Filter<P> {
    /// Returns whether a predicate that matches `test` has to be true for the filter to be true.
    pub(crate) fn requires(&self, test: &impl Fn(&P) -> bool) -> bool {
        match self {
            Self::All(filters) => filters.iter().any(|filter| filter.requires(test)),
            Self::Predicate(predicate) => test(predicate),
            Self::Any(_) | Self::Not(_) => false,
        }
    }

    /// Returns whether any predicate matches `test`.
    pub(crate) fn contains(&self, test: &impl Fn(&P) -> bool) -> bool {
        match self {
            Self::All(filters) | Self::Any(filters) => filters.iter().any(|filter| filter.contains(test)),
            Self::Not(filter) => filter.contains(test),
            Self::Predicate(predicate) => test(predicate),
        }
    }

    /// Converts every predicate with `map`, and stops at the first error.
    pub(crate) fn try_map<Other, E>(self, map: &impl Fn(P) -> Result<Other, E>) -> Result<Filter<Other>, E> {
        let list =
            |filters: Vec<Self>| filters.into_iter().map(|filter| filter.try_map(map)).collect::<Result<Vec<_>, E>>();
        Ok(match self {
            Self::All(filters) => Filter::All(list(filters)?),
            Self::Any(filters) => Filter::Any(list(filters)?),
            Self::Not(filter) => Filter::Not(Box::new(filter.try_map(map)?)),
            Self::Predicate(predicate) => Filter::Predicate(map(predicate)?),
        })
    }
}

impl<P: PredicateSize> Filter<P> {
    /// Rejects a filter that exceeds a limit: its depth, its number of predicates, the values of one list, or its
    /// regexes. To be called once for each list of a request, because it counts the regexes of all its filters.
    pub(crate) fn check_in_request(&self, app: &App) -> Result<(), Error> {
        self.check(&app.limits.filter)?;
        let mut sizes = Vec::new();
        self.regex_sizes(&mut sizes);
        if sizes.len() > MAX_REGEXES {
            let message = format!("the filter has {} regexes, at most {MAX_REGEXES} are allowed", sizes.len());
            return Err(Error::LimitExceeded(message));
        }
        if !app.regexes.charge(sizes.iter().sum()) {
            return Err(Error::LimitExceeded(format!(
                "the regexes of the request have more than {} characters with their repetitions expanded and each \
                regex counted with at least {}",
                RegexBudget::MAX,
                Pattern::MIN_COUNTED_SIZE,
            )));
        }
        Ok(())
    }

    fn regex_sizes(&self, sizes: &mut Vec<u64>) {
        match self {
            Self::All(filters) | Self::Any(filters) => filters.iter().for_each(|filter| filter.regex_sizes(sizes)),
            Self::Not(filter) => filter.regex_sizes(sizes),
            Self::Predicate(predicate) => {
                sizes.extend(predicate.pattern().map(Pattern::counted_size));
            }
        }
    }

    /// Rejects a filter that exceeds a limit of a single filter, or the memory of the request when it becomes a statement.
    pub(crate) fn check(&self, limits: &FilterLimits) -> Result<(), Error> {
        let mut size = FilterSize::default();
        self.check_nested(limits, 0, &mut size)?;
        let FilterSize { predicates, bytes } = size;
        if predicates > MAX_PREDICATES {
            return Err(Error::LimitExceeded(format!(
                "the filter has {predicates} predicates, at most {MAX_PREDICATES} are allowed"
            )));
        }
        Ok(budget::expect(bytes.saturating_mul(STATEMENT_COPIES))?)
    }

    fn check_nested(&self, limits: &FilterLimits, depth: usize, size: &mut FilterSize) -> Result<(), Error> {
        if depth > limits.depth {
            let most = limits.depth;
            let message = format!("the filter nests deeper than {most} levels (MEMBERBASE_MAX_FILTER_DEPTH)");
            return Err(Error::LimitExceeded(message));
        }
        match self {
            Self::All(filters) | Self::Any(filters) => {
                size.predicates += usize::from(filters.is_empty());
                filters.iter().try_for_each(|filter| {
                    // The predicates of one filter object are on the level of that object.
                    let deeper = usize::from(!matches!(filter, Self::Predicate(_)));
                    filter.check_nested(limits, depth + deeper, size)
                })
            }
            Self::Not(filter) => filter.check_nested(limits, depth + 1, size),
            Self::Predicate(predicate) => {
                size.predicates += 1;
                size.bytes = size.bytes.saturating_add(predicate.bytes());
                check_values("a list of the filter", predicate.values(), limits)
            }
        }
    }
}

/// Rejects a list with more values than the limit; `what` names the list in the message.
pub(crate) fn check_values(what: &str, values: usize, limits: &FilterLimits) -> Result<(), Error> {
    if values > limits.values {
        let most = limits.values;
        let message = format!("{what} has {values} values, at most {most} are allowed (MEMBERBASE_MAX_FILTER_VALUES)");
        return Err(Error::LimitExceeded(message));
    }
    Ok(())
}

impl<P> Filter<P> {
    /// Returns the filter as an SQL condition; `predicate` converts each predicate.
    pub(crate) fn condition(&self, predicate: &impl Fn(&P) -> SimpleExpr) -> SimpleExpr {
        match self {
            Self::All(filters) => {
                let conditions = filters.iter().map(|filter| filter.condition(predicate));
                conditions.reduce(ExprTrait::and).unwrap_or_else(|| constant(true))
            }
            Self::Any(filters) => {
                let conditions = filters.iter().map(|filter| filter.condition(predicate));
                conditions.reduce(ExprTrait::or).unwrap_or_else(|| constant(false))
            }
            Self::Not(filter) => filter.condition(predicate).not(),
            Self::Predicate(leaf) => predicate(leaf),
        }
    }
}

impl<T> PredicateSize for IdPredicate<T> {
    fn values(&self) -> usize {
        match self {
            Self::In(ids) | Self::NotIn(ids) => ids.len(),
        }
    }

    fn bytes(&self) -> usize {
        self.values() * size_of::<T>()
    }
}

impl PredicateSize for TextPredicate {
    fn values(&self) -> usize {
        match self {
            Self::In(texts) | Self::NotIn(texts) => texts.len(),
            Self::StartsWith(_) | Self::Matches(_) => 1,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::In(texts) | Self::NotIn(texts) => texts.iter().map(String::len).sum(),
            Self::StartsWith(prefix) => prefix.len(),
            Self::Matches(_) => 0,
        }
    }

    fn pattern(&self) -> Option<&Pattern> {
        match self {
            Self::Matches(pattern) => Some(pattern),
            Self::In(_) | Self::NotIn(_) | Self::StartsWith(_) => None,
        }
    }
}

impl PredicateSize for TimePredicate {
    fn values(&self) -> usize {
        match self {
            Self::In(times) | Self::NotIn(times) => times.len(),
            Self::After(_) | Self::From(_) | Self::Before(_) | Self::Until(_) => 1,
        }
    }

    fn bytes(&self) -> usize {
        self.values() * size_of::<Time>()
    }
}

impl<T: Id> IdPredicate<T> {
    /// Returns a condition on a column of UUIDs.
    pub(crate) fn condition(&self, backend: DbBackend, column: SimpleExpr) -> SimpleExpr {
        match self {
            Self::In(ids) => one_of(backend, column, ids),
            Self::NotIn(ids) => one_of(backend, column, ids).not(),
        }
    }
}

fn one_of<T: Id>(backend: DbBackend, column: SimpleExpr, ids: &[T]) -> SimpleExpr {
    match ids {
        [] => constant(false),
        [id] => column.eq(id.uuid()),
        ids => {
            let uuids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
            list(backend, column, ArrayColumn::Uuids(uuids))
        }
    }
}

impl TextPredicate {
    /// Returns a condition on a column with a binary collation.
    pub(crate) fn condition(&self, backend: DbBackend, column: SimpleExpr) -> SimpleExpr {
        match self {
            Self::In(texts) => text_in(backend, column, texts),
            Self::NotIn(texts) => text_in(backend, column, texts).not(),
            Self::StartsWith(prefix) => starts_with(column, prefix),
            Self::Matches(pattern) => match backend {
                DbBackend::Sqlite => {
                    let matches = Func::cust("regexp").arg(pattern.for_sqlite()).arg(column);
                    Expr::expr(matches).eq(1)
                }
                _ => column.binary(sea_orm::sea_query::extension::postgres::PgBinOper::Regex, pattern.for_postgres()),
            },
        }
    }
}

fn text_in(backend: DbBackend, column: SimpleExpr, texts: &[String]) -> SimpleExpr {
    // No row has a text with NUL, and PostgreSQL rejects such a bind value.
    let texts: Vec<_> = texts.iter().map(String::as_str).filter(|text| !text.contains('\0')).collect();
    match texts[..] {
        [] => constant(false),
        [text] => column.eq(text),
        _ => list(backend, column, ArrayColumn::Texts(texts)),
    }
}

/// Returns the condition for a prefix as a range, which an index serves and in which `%` and `_` are literal.
pub(super) fn starts_with(column: SimpleExpr, prefix: &str) -> SimpleExpr {
    if prefix.contains('\0') {
        return constant(false);
    }
    if prefix.is_empty() {
        return constant(true);
    }
    let from = column.clone().gte(prefix);
    match prefix_end(prefix) {
        Some(end) => from.and(column.lt(end)),
        None => from,
    }
}

/// Returns the first text after all texts that begin with `prefix`; `None` if there is none. UTF-8 sorts byte for byte
/// in the order of code points.
fn prefix_end(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // A range of `char` skips the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

impl TimePredicate {
    /// Returns a condition on a column of microseconds.
    pub(crate) fn condition(&self, backend: DbBackend, column: SimpleExpr) -> SimpleExpr {
        let micros = |times: &[Time]| times.iter().map(|time| time.micros()).collect::<Vec<_>>();
        match self {
            Self::In(times) => list(backend, column, ArrayColumn::Ints(micros(times))),
            Self::NotIn(times) => list(backend, column, ArrayColumn::Ints(micros(times))).not(),
            Self::After(time) => column.gt(time.micros()),
            Self::From(time) => column.gte(time.micros()),
            Self::Before(time) => column.lt(time.micros()),
            Self::Until(time) => column.lte(time.micros()),
        }
    }

    /// Returns a condition on the milliseconds in a column of UUIDv7s (RFC 9562, section 5.7). Comparisons are ranges
    /// of ids, which an index serves.
    pub(crate) fn condition_of_id(&self, backend: DbBackend, column: SimpleExpr) -> SimpleExpr {
        let floor = |time: &Time| time.micros().div_euclid(1000);
        let ceiling = |time: &Time| -((-time.micros()).div_euclid(1000));
        match self {
            Self::In(times) => millis_in(backend, column, times),
            Self::NotIn(times) => millis_in(backend, column, times).not(),
            Self::After(time) => from_millis(column, floor(time) + 1),
            Self::From(time) => from_millis(column, ceiling(time)),
            Self::Before(time) => from_millis(column, ceiling(time)).not(),
            Self::Until(time) => from_millis(column, floor(time) + 1).not(),
        }
    }
}

/// Returns the condition for ids created in this millisecond or later.
fn from_millis(column: SimpleExpr, millis: i64) -> SimpleExpr {
    match u128::try_from(millis) {
        Err(_) => constant(true),
        Ok(millis) if millis >> 48 > 0 => constant(false),
        Ok(millis) => column.gte(Uuid::from_u128(millis << 80)),
    }
}

fn millis_in(backend: DbBackend, column: SimpleExpr, times: &[Time]) -> SimpleExpr {
    // The first six bytes of an id are its milliseconds. A time with microseconds equals the time of no id.
    let prefixes: Vec<String> = times
        .iter()
        .filter(|time| time.micros() % 1000 == 0 && time.micros() >= 0)
        .map(|time| format!("{:012x}", time.micros() / 1000))
        .collect();
    let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
    let id_prefix = match backend {
        DbBackend::Sqlite => Expr::cust_with_expr("lower(hex(substr(?, 1, 6)))", column),
        _ => Expr::cust_with_expr("encode(substring(uuid_send($1) FROM 1 FOR 6), 'hex')", column),
    };
    list(backend, id_prefix, ArrayColumn::Texts(prefixes))
}

/// Returns a condition that is true for every row, or for none.
pub(super) fn constant(is_true: bool) -> SimpleExpr {
    Expr::val(Value::Int(Some(1))).eq(i32::from(is_true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_text_without_it() {
        for (prefix, end) in [
            ("a", Some("b")),
            ("user_", Some("user`")),
            ("100%", Some("100&")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
        ] {
            assert_eq!(prefix_end(prefix).as_deref(), end, "{prefix:?}");
        }
    }
}
