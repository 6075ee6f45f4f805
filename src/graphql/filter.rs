//! Filters as they are written in a request, and what they mean to the domain. All that one object says must hold;
//! null is the same as left out; an operator object without an operator is refused.

mod attribute;

use async_graphql::{ID, InputObject};

pub use attribute::AttributeFilter;

use super::{
    Error,
    context::{id, ids},
    scalar::DateTime,
};
use crate::{
    domain::{
        self,
        filter::{Filter, IdPredicate, Pattern, TextPredicate, TimePredicate},
    },
    types::Id,
};

/// Tests an id. All that is given must hold.
#[derive(InputObject, Debug)]
#[graphql(name = "IDFilter")]
pub struct IdFilter {
    /// It is this one.
    eq: Option<ID>,
    /// It is one of these; of none, where there are none.
    #[graphql(name = "in")]
    one_of: Option<Vec<ID>>,
    /// It is none of these.
    nin: Option<Vec<ID>>,
}

/// Tests a text, byte for byte. All that is given must hold.
#[derive(InputObject, Debug)]
pub struct StringFilter {
    /// It is this text.
    eq: Option<String>,
    /// It is one of these; of none, where there are none.
    #[graphql(name = "in")]
    one_of: Option<Vec<String>>,
    /// It is none of these.
    nin: Option<Vec<String>>,
    /// It begins with this, taken literally.
    starts_with: Option<String>,
    /// It holds a match of this.
    regex: Option<RegexFilter>,
}

/// Unanchored. Literals, `.` (any character), classes, groups, `|`, `* + ? {m,n}`, `^ $`, and ASCII `\d \w \s`; case folding of ASCII letters alone.
#[derive(InputObject, Debug)]
pub struct RegexFilter {
    /// The pattern.
    pattern: String,
    /// Whether `a` and `A` are the same.
    #[graphql(default = false)]
    case_insensitive: bool,
}

/// Tests a time. All that is given must hold.
#[derive(InputObject, Debug)]
pub struct DateTimeFilter {
    /// It is this time.
    eq: Option<DateTime>,
    /// It is one of these; of none, where there are none.
    #[graphql(name = "in")]
    one_of: Option<Vec<DateTime>>,
    /// It is none of these.
    nin: Option<Vec<DateTime>>,
    /// It is after this time.
    gt: Option<DateTime>,
    /// It is this time or after it.
    gte: Option<DateTime>,
    /// It is before this time.
    lt: Option<DateTime>,
    /// It is this time or before it.
    lte: Option<DateTime>,
}

impl IdFilter {
    pub(super) fn read<T: Id, Test>(self, test: impl Fn(IdPredicate<T>) -> Test) -> Result<Filter<Test>, Error> {
        let eq = self.eq.map(|text| id("eq", &text)).transpose()?;
        let one_of = self.one_of.map(|list| ids("in", &list)).transpose()?;
        let none_of = self.nin.map(|list| ids("nin", &list)).transpose()?;
        let tests =
            [eq.map(|id| IdPredicate::In(vec![id])), one_of.map(IdPredicate::In), none_of.map(IdPredicate::NotIn)];
        all(tests, test)
    }
}

impl StringFilter {
    pub(super) fn read<Test>(self, test: impl Fn(TextPredicate) -> Test) -> Result<Filter<Test>, Error> {
        let regex = self.regex.map(|regex| Pattern::parse(&regex.pattern, regex.case_insensitive)).transpose();
        let tests = [
            self.eq.map(|text| TextPredicate::In(vec![text])),
            self.one_of.map(TextPredicate::In),
            self.nin.map(TextPredicate::NotIn),
            self.starts_with.map(TextPredicate::StartsWith),
            regex.map_err(|error| error.within("regex"))?.map(TextPredicate::Matches),
        ];
        all(tests, test)
    }
}

impl DateTimeFilter {
    pub(super) fn read<Test>(self, test: impl Fn(TimePredicate) -> Test) -> Result<Filter<Test>, Error> {
        let times = |list: Vec<DateTime>| list.into_iter().map(|time| time.0).collect();
        let tests = [
            self.eq.map(|time| TimePredicate::In(vec![time.0])),
            self.one_of.map(|list| TimePredicate::In(times(list))),
            self.nin.map(|list| TimePredicate::NotIn(times(list))),
            self.gt.map(|time| TimePredicate::After(time.0)),
            self.gte.map(|time| TimePredicate::From(time.0)),
            self.lt.map(|time| TimePredicate::Before(time.0)),
            self.lte.map(|time| TimePredicate::Until(time.0)),
        ];
        all(tests, test)
    }
}

/// All the tests that are there, of which there is one at least.
fn all<Given, Test>(
    tests: impl IntoIterator<Item = Option<Given>>,
    test: impl Fn(Given) -> Test,
) -> Result<Filter<Test>, Error> {
    let tests: Vec<_> = tests.into_iter().flatten().map(|given| Filter::Predicate(test(given))).collect();
    if tests.is_empty() {
        let message = "a filter of a field needs an operator; leave the field out to filter by others alone";
        return Err(domain::Error::BadInput { message: message.to_owned(), path: Vec::new() }.into());
    }
    Ok(Filter::All(tests))
}

/// The combinations that every filter has.
pub(super) struct Combination<F> {
    pub(super) and: Option<Vec<F>>,
    pub(super) or: Option<Vec<F>>,
    pub(super) not: Option<Box<F>>,
}

impl<F> Combination<F> {
    /// All of it, with the tests of fields.
    pub(super) fn with<Test>(
        self,
        fields: impl IntoIterator<Item = Result<Option<Filter<Test>>, Error>>,
        read: impl Fn(F) -> Result<Filter<Test>, Error>,
    ) -> Result<Filter<Test>, Error> {
        let mut all: Vec<_> = fields.into_iter().filter_map(Result::transpose).collect::<Result<_, _>>()?;
        let list = |filters: Vec<F>| filters.into_iter().map(&read).collect::<Result<Vec<_>, _>>();
        all.extend(self.and.map(list).transpose()?.map(Filter::All));
        all.extend(self.or.map(list).transpose()?.map(Filter::Any));
        all.extend(self.not.map(|filter| read(*filter)).transpose()?.map(|filter| Filter::Not(Box::new(filter))));
        Ok(match <[_; 1]>::try_from(all) {
            Ok([only]) => only,
            Err(all) => Filter::All(all),
        })
    }
}
