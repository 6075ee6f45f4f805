//! Filters: tests of single fields, combined. Written as conditions that mean the same on both databases.

mod regex;

use sea_orm::{
    DbBackend, Value,
    sea_query::{Expr, ExprTrait, Func, SimpleExpr},
};
use uuid::Uuid;

pub use regex::Pattern;

use super::Error;
use crate::{
    db::{ArrayColumn, list},
    types::{FilterLimits, Id, Time},
};

/// How many tests a filter may hold in all: SQLite refuses expressions that nest a thousand deep, as a chain of ANDs
/// does.
const MAX_PREDICATES: usize = 400;

/// Tests of type `Test`, combined.
#[derive(Clone, Debug)]
pub enum Filter<Test> {
    /// All of these hold; with none it holds for everything.
    All(Vec<Self>),
    /// One of these holds; with none it holds for nothing.
    Any(Vec<Self>),
    /// Plain negation.
    Not(Box<Self>),
    /// One test.
    Predicate(Test),
}

impl<Test> Default for Filter<Test> {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

/// A test of an id.
#[derive(Clone, Debug)]
pub enum IdPredicate<T> {
    /// One of these.
    In(Vec<T>),
    /// None of these.
    NotIn(Vec<T>),
}

/// A test of a text, byte for byte.
#[derive(Clone, Debug)]
pub enum TextPredicate {
    /// One of these.
    In(Vec<String>),
    /// None of these.
    NotIn(Vec<String>),
    /// Begins with this, taken literally.
    StartsWith(String),
    /// Holds a match.
    Matches(Pattern),
}

/// A test of a time.
#[derive(Clone, Debug)]
pub enum TimePredicate {
    /// One of these.
    In(Vec<Time>),
    /// None of these.
    NotIn(Vec<Time>),
    /// After.
    After(Time),
    /// At or after.
    From(Time),
    /// Before.
    Before(Time),
    /// At or before.
    Until(Time),
}

/// How many values a test holds.
pub trait ValueCount {
    /// How many.
    fn values(&self) -> usize;
}

impl<Test> Filter<Test> {
    /// Whether a test that has to hold is one of these.
    pub fn requires(&self, test: &impl Fn(&Test) -> bool) -> bool {
        match self {
            Self::All(filters) => filters.iter().any(|filter| filter.requires(test)),
            Self::Predicate(leaf) => test(leaf),
            Self::Any(_) | Self::Not(_) => false,
        }
    }

    /// Whether any test is one of these.
    pub fn contains(&self, test: &impl Fn(&Test) -> bool) -> bool {
        match self {
            Self::All(filters) | Self::Any(filters) => filters.iter().any(|filter| filter.contains(test)),
            Self::Not(filter) => filter.contains(test),
            Self::Predicate(leaf) => test(leaf),
        }
    }

    /// The same of other tests, each made by `map`.
    pub fn try_map<Other, E>(self, map: &impl Fn(Test) -> Result<Other, E>) -> Result<Filter<Other>, E> {
        let list =
            |filters: Vec<Self>| filters.into_iter().map(|filter| filter.try_map(map)).collect::<Result<Vec<_>, E>>();
        Ok(match self {
            Self::All(filters) => Filter::All(list(filters)?),
            Self::Any(filters) => Filter::Any(list(filters)?),
            Self::Not(filter) => Filter::Not(Box::new(filter.try_map(map)?)),
            Self::Predicate(leaf) => Filter::Predicate(map(leaf)?),
        })
    }
}

impl<Test: ValueCount> Filter<Test> {
    /// Refuses a filter that is over a limit.
    pub fn check(&self, limits: &FilterLimits) -> Result<(), Error> {
        let mut tests = 0;
        self.check_below(limits, 0, &mut tests)?;
        if tests > MAX_PREDICATES {
            return Err(Error::LimitExceeded(format!(
                "the filter has {tests} tests, at most {MAX_PREDICATES} are allowed"
            )));
        }
        Ok(())
    }

    fn check_below(&self, limits: &FilterLimits, depth: usize, tests: &mut usize) -> Result<(), Error> {
        if depth > limits.depth {
            let most = limits.depth;
            let message = format!("the filter nests deeper than {most} (MEMBERBASE_MAX_FILTER_DEPTH)");
            return Err(Error::LimitExceeded(message));
        }
        match self {
            Self::All(filters) | Self::Any(filters) => {
                // What one object of the filter says at once is no nesting of its own.
                *tests += usize::from(filters.is_empty());
                filters.iter().try_for_each(|filter| {
                    let deeper = usize::from(!matches!(filter, Self::Predicate(_)));
                    filter.check_below(limits, depth + deeper, tests)
                })
            }
            Self::Not(filter) => filter.check_below(limits, depth + 1, tests),
            Self::Predicate(test) => {
                *tests += 1;
                check_values("a list of the filter", test.values(), limits)
            }
        }
    }
}

/// Refuses a list that is over the limit.
pub fn check_values(what: &str, values: usize, limits: &FilterLimits) -> Result<(), Error> {
    if values > limits.values {
        let most = limits.values;
        let message = format!("{what} has {values} values, at most {most} are allowed (MEMBERBASE_MAX_FILTER_VALUES)");
        return Err(Error::LimitExceeded(message));
    }
    Ok(())
}

impl<Test> Filter<Test> {
    /// The condition that this is, each test written by `test`.
    pub fn condition(&self, test: &impl Fn(&Test) -> SimpleExpr) -> SimpleExpr {
        match self {
            Self::All(filters) => {
                let all = filters.iter().map(|filter| filter.condition(test));
                all.reduce(ExprTrait::and).unwrap_or_else(|| constant(true))
            }
            Self::Any(filters) => {
                let all = filters.iter().map(|filter| filter.condition(test));
                all.reduce(ExprTrait::or).unwrap_or_else(|| constant(false))
            }
            Self::Not(filter) => filter.condition(test).not(),
            Self::Predicate(leaf) => test(leaf),
        }
    }
}

impl<T> ValueCount for IdPredicate<T> {
    fn values(&self) -> usize {
        match self {
            Self::In(ids) | Self::NotIn(ids) => ids.len(),
        }
    }
}

impl ValueCount for TextPredicate {
    fn values(&self) -> usize {
        match self {
            Self::In(texts) | Self::NotIn(texts) => texts.len(),
            Self::StartsWith(_) | Self::Matches(_) => 1,
        }
    }
}

impl ValueCount for TimePredicate {
    fn values(&self) -> usize {
        match self {
            Self::In(times) | Self::NotIn(times) => times.len(),
            Self::After(_) | Self::From(_) | Self::Before(_) | Self::Until(_) => 1,
        }
    }
}

impl<T: Id> IdPredicate<T> {
    /// As a condition of a column.
    pub fn condition(&self, backend: DbBackend, column: SimpleExpr) -> SimpleExpr {
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
    /// As a condition of a column, whose collation is that of bytes.
    pub fn condition(&self, backend: DbBackend, column: SimpleExpr) -> SimpleExpr {
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
    // No row holds a NUL, and PostgreSQL can't even be asked for one.
    let texts: Vec<_> = texts.iter().map(String::as_str).filter(|text| !text.contains('\0')).collect();
    match texts[..] {
        [] => constant(false),
        [text] => column.eq(text),
        _ => list(backend, column, ArrayColumn::Texts(texts)),
    }
}

/// As a range, which an index serves, whatever `%` or `_` the prefix holds.
pub(super) fn starts_with(column: SimpleExpr, prefix: &str) -> SimpleExpr {
    if prefix.contains('\0') {
        return constant(false);
    }
    if prefix.is_empty() {
        return constant(true);
    }
    let from = column.clone().gte(prefix);
    match after_all_with(prefix) {
        Some(end) => from.and(column.lt(end)),
        None => from,
    }
}

/// The first text behind all that begin with `prefix`: the order of UTF-8's bytes is that of code points.
fn after_all_with(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // The range steps over the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

impl TimePredicate {
    /// As a condition of a column of microseconds.
    pub fn condition(&self, backend: DbBackend, column: SimpleExpr) -> SimpleExpr {
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

    /// As a condition of a column of UUIDv7s, of the milliseconds in them: a range of ids, which an index serves.
    pub fn condition_of_id(&self, backend: DbBackend, column: SimpleExpr) -> SimpleExpr {
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

/// The ids made in this millisecond or later.
fn from_millis(column: SimpleExpr, millis: i64) -> SimpleExpr {
    match u128::try_from(millis) {
        Err(_) => constant(true),
        Ok(millis) if millis >> 48 > 0 => constant(false),
        Ok(millis) => column.gte(Uuid::from_u128(millis << 80)),
    }
}

fn millis_in(backend: DbBackend, column: SimpleExpr, times: &[Time]) -> SimpleExpr {
    // The first six bytes of an id are its milliseconds; a time between two milliseconds is that of no id.
    let heads: Vec<String> = times
        .iter()
        .filter(|time| time.micros() % 1000 == 0 && time.micros() >= 0)
        .map(|time| format!("{:012x}", time.micros() / 1000))
        .collect();
    let heads: Vec<&str> = heads.iter().map(String::as_str).collect();
    let head = match backend {
        DbBackend::Sqlite => Expr::cust_with_expr("lower(hex(substr(?, 1, 6)))", column),
        _ => Expr::cust_with_expr("encode(substring(uuid_send($1) FROM 1 FOR 6), 'hex')", column),
    };
    list(backend, head, ArrayColumn::Texts(heads))
}

/// What holds for every row, or for none.
pub(super) fn constant(holds: bool) -> SimpleExpr {
    Expr::val(Value::Int(Some(1))).eq(i32::from(holds))
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
            assert_eq!(after_all_with(prefix).as_deref(), end, "{prefix:?}");
        }
    }
}
