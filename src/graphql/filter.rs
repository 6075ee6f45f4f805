//! Filter inputs and their conversion to filters of the domain. All conditions of an object must match; null is the same as
//! an omitted condition; a condition without an operator is rejected.

mod attribute;

use async_graphql::{ID, InputObject};

pub(crate) use attribute::AttributeFilter;

use super::{
    Error,
    context::{id, ids},
    execute::{BulkRows, HasDeferredRows},
    scalar::DateTime,
};
use crate::{
    domain::{
        self,
        filter::{Filter, IdPredicate, Pattern, TextPredicate, TimePredicate},
    },
    types::Id,
};

/// Filters by an id. All given operators must match; at least one is required. Null is the same as an omitted operator.
#[derive(InputObject, Debug)]
#[graphql(name = "IDFilter")]
pub(crate) struct IdFilter {
    /// Is this id.
    eq: Option<ID>,
    /// Is one of these ids, at most 100,000 (MEMBERBASE_MAX_FILTER_VALUES). An empty list matches nothing.
    #[graphql(name = "in")]
    one_of: Option<BulkRows<ID>>,
    /// Is none of these ids, at most 100,000 (MEMBERBASE_MAX_FILTER_VALUES).
    nin: Option<BulkRows<ID>>,
}

/// Filters by a string, compared byte for byte. All given operators must match; at least one is required. Null is the same as an omitted operator.
#[derive(InputObject, Debug)]
pub(crate) struct StringFilter {
    /// Equals this string.
    eq: Option<String>,
    /// Equals one of these strings, at most 100,000 (MEMBERBASE_MAX_FILTER_VALUES). An empty list matches nothing.
    #[graphql(name = "in")]
    one_of: Option<BulkRows<String>>,
    /// Equals none of these strings, at most 100,000 (MEMBERBASE_MAX_FILTER_VALUES).
    nin: Option<BulkRows<String>>,
    /// Begins with this string, which is taken literally.
    starts_with: Option<String>,
    /// Contains a match of this regular expression.
    regex: Option<RegexFilter>,
}

/// A regular expression, not anchored. Supports literals, `.` (any character), classes, groups, `|`, `* + ? {m,n}`, `^ $` and ASCII `\d \w \s`.
#[derive(InputObject, Debug)]
pub(crate) struct RegexFilter {
    /// The pattern, at most 1,024 bytes.
    pattern: String,
    /// If true, upper- and lower-case ASCII letters are equal. Default false.
    #[graphql(default = false)]
    case_insensitive: bool,
}

/// Filters by a time. All given operators must match; at least one is required. Null is the same as an omitted operator.
#[derive(InputObject, Debug)]
pub(crate) struct DateTimeFilter {
    /// Is this time.
    eq: Option<DateTime>,
    /// Is one of these times, at most 100,000 (MEMBERBASE_MAX_FILTER_VALUES). An empty list matches nothing.
    #[graphql(name = "in")]
    one_of: Option<Vec<DateTime>>,
    /// Is none of these times, at most 100,000 (MEMBERBASE_MAX_FILTER_VALUES).
    nin: Option<Vec<DateTime>>,
    /// Is after this time.
    gt: Option<DateTime>,
    /// Is this time or after it.
    gte: Option<DateTime>,
    /// Is before this time.
    lt: Option<DateTime>,
    /// Is this time or before it.
    lte: Option<DateTime>,
}

impl IdFilter {
    pub(super) fn parse<T: Id, P>(
        self,
        ctx: &impl HasDeferredRows,
        predicate: impl Fn(IdPredicate<T>) -> P,
    ) -> Result<Filter<P>, Error> {
        let eq = self.eq.map(|text| id("eq", &text)).transpose()?;
        let one_of = self.one_of.map(|list| ids("in", &list.shared(ctx)?)).transpose()?;
        let none_of = self.nin.map(|list| ids("nin", &list.shared(ctx)?)).transpose()?;
        let operators =
            [eq.map(|id| IdPredicate::In(vec![id])), one_of.map(IdPredicate::In), none_of.map(IdPredicate::NotIn)];
        all(operators, predicate)
    }
}

impl StringFilter {
    pub(super) fn parse<P>(
        self,
        ctx: &impl HasDeferredRows,
        predicate: impl Fn(TextPredicate) -> P,
    ) -> Result<Filter<P>, Error> {
        let regex = self.regex.map(|regex| Pattern::parse(&regex.pattern, regex.case_insensitive)).transpose();
        let operators = [
            self.eq.map(|text| TextPredicate::In(vec![text])),
            self.one_of.map(|list| list.take(ctx)).transpose()?.map(TextPredicate::In),
            self.nin.map(|list| list.take(ctx)).transpose()?.map(TextPredicate::NotIn),
            self.starts_with.map(TextPredicate::StartsWith),
            regex.map_err(|error| error.within("regex"))?.map(TextPredicate::Matches),
        ];
        all(operators, predicate)
    }
}

impl DateTimeFilter {
    pub(super) fn parse<P>(self, predicate: impl Fn(TimePredicate) -> P) -> Result<Filter<P>, Error> {
        let times = |list: Vec<DateTime>| list.into_iter().map(|time| time.0).collect();
        let operators = [
            self.eq.map(|time| TimePredicate::In(vec![time.0])),
            self.one_of.map(|list| TimePredicate::In(times(list))),
            self.nin.map(|list| TimePredicate::NotIn(times(list))),
            self.gt.map(|time| TimePredicate::After(time.0)),
            self.gte.map(|time| TimePredicate::From(time.0)),
            self.lt.map(|time| TimePredicate::Before(time.0)),
            self.lte.map(|time| TimePredicate::Until(time.0)),
        ];
        all(operators, predicate)
    }
}

/// Combines the given operators of a condition, of which at least one is required.
fn all<O, P>(operators: impl IntoIterator<Item = Option<O>>, predicate: impl Fn(O) -> P) -> Result<Filter<P>, Error> {
    let operators: Vec<_> =
        operators.into_iter().flatten().map(|operator| Filter::Predicate(predicate(operator))).collect();
    if operators.is_empty() {
        let message = "a condition needs at least one operator; omit the field to filter by other fields only";
        return Err(domain::Error::BadInput { message: message.to_owned(), path: Vec::new() }.into());
    }
    Ok(Filter::All(operators))
}

/// The logical operators that every filter has.
pub(super) struct Combination<F> {
    pub(super) and: Option<Vec<F>>,
    pub(super) or: Option<Vec<F>>,
    pub(super) not: Option<Box<F>>,
}

impl<F> Combination<F> {
    /// Combines the logical operators with the conditions on fields.
    pub(super) fn with<P>(
        self,
        fields: impl IntoIterator<Item = Result<Option<Filter<P>>, Error>>,
        parse: impl Fn(F) -> Result<Filter<P>, Error>,
    ) -> Result<Filter<P>, Error> {
        let mut all: Vec<_> = fields.into_iter().filter_map(Result::transpose).collect::<Result<_, _>>()?;
        let list = |filters: Vec<F>| filters.into_iter().map(&parse).collect::<Result<Vec<_>, _>>();
        all.extend(self.and.map(list).transpose()?.map(Filter::All));
        all.extend(self.or.map(list).transpose()?.map(Filter::Any));
        all.extend(self.not.map(|filter| parse(*filter)).transpose()?.map(|filter| Filter::Not(Box::new(filter))));
        Ok(match <[_; 1]>::try_from(all) {
            Ok([only]) => only,
            Err(all) => Filter::All(all),
        })
    }
}
