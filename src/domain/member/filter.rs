//! Filters of members.

use sea_orm::{
    DbBackend, Value,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};

use super::column;
use crate::{
    app::App,
    db::{Column, json},
    domain::{
        Error,
        access::Scope,
        attribute,
        filter::{Filter, IdTest, TextTest, TimeTest, Values},
        memberbase,
    },
    entity::member,
    types::{Id, MemberId},
};

/// A test of one field of a member.
#[derive(Clone, Debug)]
pub enum Test<Attribute = attribute::Test> {
    /// Of its id.
    Id(IdTest<MemberId>),
    /// Of its ref.
    Ref(TextTest),
    /// Of the time in its id.
    CreatedAt(TimeTest),
    /// Of its last change.
    UpdatedAt(TimeTest),
    /// Of one attribute.
    Attribute(Attribute),
}

/// A test as it is asked for, before the schema of the memberbase has a say.
pub type Asked = Test<attribute::AskedTest>;

/// What is asked for, by the schema of the memberbase, which is read where a test is of an attribute.
pub async fn by_schema(app: &App, scope: Scope, filter: Filter<Asked>) -> Result<Filter<Test>, Error> {
    filter.check(&app.limits.filter)?;
    let schema = if filter.has(&|test| matches!(test, Test::Attribute(_))) {
        memberbase::get(&app.db.read().await?, scope).await?.attribute_schema
    } else {
        attribute::Schema::default()
    };
    filter.try_map(&|test| {
        Ok(match test {
            Test::Id(test) => Test::Id(test),
            Test::Ref(test) => Test::Ref(test),
            Test::CreatedAt(test) => Test::CreatedAt(test),
            Test::UpdatedAt(test) => Test::UpdatedAt(test),
            Test::Attribute(test) => Test::Attribute(test.by(&schema)?),
        })
    })
}

/// Where the filter holds.
pub(super) fn condition(backend: DbBackend, scope: Scope, filter: &Filter<Test>) -> SimpleExpr {
    filter.condition(&|test| match test {
        Test::Id(test) => test.condition(backend, column(member::Column::Id)),
        Test::Ref(test) => ref_condition(backend, scope, test),
        Test::CreatedAt(test) => test.condition_of_id(backend, column(member::Column::Id)),
        Test::UpdatedAt(test) => test.condition(backend, column(member::Column::UpdatedAt)),
        Test::Attribute(test) => test.condition(backend, column(member::Column::Attributes)),
    })
}

/// SQLite would rather walk a whole memberbase in the order asked for than look a list of refs up: the list becomes one
/// of ids, found by the index on refs because the join is told its order.
pub(super) fn ref_condition(backend: DbBackend, scope: Scope, test: &TextTest) -> SimpleExpr {
    const FOUND: &str = "member.id IN (SELECT found.id FROM json_each(?) AS asked CROSS JOIN member AS found \
        WHERE found.memberbase_id = ? AND found.ref = asked.value)";
    let found = |refs: &[String]| {
        let refs: Vec<_> = refs.iter().map(String::as_str).collect();
        Expr::cust_with_values(FOUND, [Value::from(json(Column::Texts(refs))), scope.memberbase().uuid().into()])
    };
    match (backend, test) {
        (DbBackend::Sqlite, TextTest::In(refs)) if refs.len() > 1 => found(refs),
        (DbBackend::Sqlite, TextTest::NotIn(refs)) if refs.len() > 1 => found(refs).not(),
        _ => test.condition(backend, column(member::Column::Reference)),
    }
}

impl<Attribute: Values> Values for Test<Attribute> {
    fn values(&self) -> usize {
        match self {
            Self::Id(test) => test.values(),
            Self::Ref(test) => test.values(),
            Self::CreatedAt(test) | Self::UpdatedAt(test) => test.values(),
            Self::Attribute(test) => test.values(),
        }
    }
}
