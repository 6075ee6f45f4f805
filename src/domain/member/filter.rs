//! Filters of members.

use sea_orm::{
    DbBackend, Value,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};

use super::column;
use crate::{
    app::App,
    db::{ArrayColumn, json},
    domain::{
        Error,
        access::Scope,
        attribute,
        filter::{Filter, IdPredicate, TextPredicate, TimePredicate, ValueCount},
        memberbase,
    },
    entity::member,
    types::{Id, MemberId},
};

/// A test of one field of a member.
#[derive(Clone, Debug)]
pub enum Predicate<Attribute = attribute::Predicate> {
    /// Of its id.
    Id(IdPredicate<MemberId>),
    /// Of its ref.
    Ref(TextPredicate),
    /// Of the time in its id.
    CreatedAt(TimePredicate),
    /// Of its last change.
    UpdatedAt(TimePredicate),
    /// Of one attribute.
    Attribute(Attribute),
}

/// A test as it is asked for, before the schema of the memberbase has a say.
pub type UntypedPredicate = Predicate<attribute::UntypedPredicate>;

/// What is asked for, by the schema of the memberbase, which is read where a test is of an attribute.
pub async fn resolve_types(
    app: &App,
    scope: Scope,
    filter: Filter<UntypedPredicate>,
) -> Result<Filter<Predicate>, Error> {
    filter.check(&app.limits.filter)?;
    let schema = if filter.contains(&|test| matches!(test, Predicate::Attribute(_))) {
        memberbase::get(&app.db.read().await?, scope).await?.attribute_schema
    } else {
        attribute::Schema::default()
    };
    filter.try_map(&|test| {
        Ok(match test {
            Predicate::Id(test) => Predicate::Id(test),
            Predicate::Ref(test) => Predicate::Ref(test),
            Predicate::CreatedAt(test) => Predicate::CreatedAt(test),
            Predicate::UpdatedAt(test) => Predicate::UpdatedAt(test),
            Predicate::Attribute(test) => Predicate::Attribute(test.resolve_type(&schema)?),
        })
    })
}

/// Where the filter holds.
pub(super) fn condition(backend: DbBackend, scope: Scope, filter: &Filter<Predicate>) -> SimpleExpr {
    filter.condition(&|test| match test {
        Predicate::Id(test) => test.condition(backend, column(member::Column::Id)),
        Predicate::Ref(test) => ref_condition(backend, scope, test),
        Predicate::CreatedAt(test) => test.condition_of_id(backend, column(member::Column::Id)),
        Predicate::UpdatedAt(test) => test.condition(backend, column(member::Column::UpdatedAt)),
        Predicate::Attribute(test) => test.condition(backend, column(member::Column::Attributes)),
    })
}

/// SQLite would rather walk a whole memberbase in the order asked for than look a list of refs up: the list becomes one
/// of ids, found by the index on refs because the join is told its order.
pub(super) fn ref_condition(backend: DbBackend, scope: Scope, test: &TextPredicate) -> SimpleExpr {
    const FOUND: &str = "member.id IN (SELECT found.id FROM json_each(?) AS asked CROSS JOIN member AS found \
        WHERE found.memberbase_id = ? AND found.ref = asked.value)";
    let found = |refs: &[String]| {
        let refs: Vec<_> = refs.iter().map(String::as_str).collect();
        Expr::cust_with_values(FOUND, [Value::from(json(ArrayColumn::Texts(refs))), scope.memberbase().uuid().into()])
    };
    match (backend, test) {
        (DbBackend::Sqlite, TextPredicate::In(refs)) if refs.len() > 1 => found(refs),
        (DbBackend::Sqlite, TextPredicate::NotIn(refs)) if refs.len() > 1 => found(refs).not(),
        _ => test.condition(backend, column(member::Column::Reference)),
    }
}

impl<Attribute: ValueCount> ValueCount for Predicate<Attribute> {
    fn values(&self) -> usize {
        match self {
            Self::Id(test) => test.values(),
            Self::Ref(test) => test.values(),
            Self::CreatedAt(test) | Self::UpdatedAt(test) => test.values(),
            Self::Attribute(test) => test.values(),
        }
    }
}
