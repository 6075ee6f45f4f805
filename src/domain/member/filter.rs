//! Filters of members: typed predicates, and the SQL conditions made from them.

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
        filter::{Filter, IdPredicate, Pattern, PredicateSize, TextPredicate, TimePredicate},
        memberbase,
    },
    entity::member,
    types::{Id, MemberId},
};

#[derive(Clone, Debug)]
pub enum Predicate<Attribute = attribute::Predicate> {
    Id(IdPredicate<MemberId>),
    Ref(TextPredicate),
    /// On the time in the id.
    CreatedAt(TimePredicate),
    UpdatedAt(TimePredicate),
    Attribute(Attribute),
}

/// A predicate as the request has it, before the attribute schema resolves the types of its values.
pub(crate) type UntypedPredicate = Predicate<attribute::UntypedPredicate>;

/// Checks the limits of a filter, once for each list of a request, and resolves the types of attribute predicates. Reads
/// the memberbase's attribute schema only if there are any.
pub(crate) async fn resolve_types(
    app: &App,
    scope: Scope,
    filter: Filter<UntypedPredicate>,
) -> Result<Filter<Predicate>, Error> {
    filter.check_in_request(app)?;
    let schema = if filter.contains(&|predicate| matches!(predicate, Predicate::Attribute(_))) {
        memberbase::get(&app.db.read().await?, scope).await?.attribute_schema
    } else {
        attribute::Schema::default()
    };
    filter.try_map(&|predicate| {
        Ok(match predicate {
            Predicate::Id(predicate) => Predicate::Id(predicate),
            Predicate::Ref(predicate) => Predicate::Ref(predicate),
            Predicate::CreatedAt(predicate) => Predicate::CreatedAt(predicate),
            Predicate::UpdatedAt(predicate) => Predicate::UpdatedAt(predicate),
            Predicate::Attribute(predicate) => Predicate::Attribute(predicate.resolve_type(&schema)?),
        })
    })
}

pub(super) fn condition(backend: DbBackend, scope: Scope, filter: &Filter<Predicate>) -> SimpleExpr {
    filter.condition(&|predicate| match predicate {
        Predicate::Id(predicate) => predicate.condition(backend, column(member::Column::Id)),
        Predicate::Ref(predicate) => ref_condition(backend, scope, predicate),
        Predicate::CreatedAt(predicate) => predicate.condition_of_id(backend, column(member::Column::Id)),
        Predicate::UpdatedAt(predicate) => predicate.condition(backend, column(member::Column::UpdatedAt)),
        Predicate::Attribute(predicate) => predicate.condition(backend, column(member::Column::Attributes)),
    })
}

/// Returns the SQL condition of a predicate on refs.
///
/// For a list of refs SQLite would scan the memberbase in the order of the page instead of looking the refs up. A
/// subquery turns the list into ids; its [`CROSS JOIN`](https://www.sqlite.org/optoverview.html#crossjoin) fixes the
/// join order, so that it uses the index on refs.
pub(super) fn ref_condition(backend: DbBackend, scope: Scope, predicate: &TextPredicate) -> SimpleExpr {
    const ID_HAS_REF: &str = "member.id IN (SELECT found.id FROM json_each(?) AS input CROSS JOIN member AS found \
        WHERE found.memberbase_id = ? AND found.ref = input.value)";
    let has_ref = |refs: &[String]| {
        let refs: Vec<_> = refs.iter().map(String::as_str).collect();
        Expr::cust_with_values(
            ID_HAS_REF,
            [Value::from(json(ArrayColumn::Texts(refs))), scope.memberbase().uuid().into()],
        )
    };
    match (backend, predicate) {
        (DbBackend::Sqlite, TextPredicate::In(refs)) if refs.len() > 1 => has_ref(refs),
        (DbBackend::Sqlite, TextPredicate::NotIn(refs)) if refs.len() > 1 => has_ref(refs).not(),
        _ => predicate.condition(backend, column(member::Column::Reference)),
    }
}

impl<Attribute: PredicateSize> PredicateSize for Predicate<Attribute> {
    fn values(&self) -> usize {
        match self {
            Self::Id(predicate) => predicate.values(),
            Self::Ref(predicate) => predicate.values(),
            Self::CreatedAt(predicate) | Self::UpdatedAt(predicate) => predicate.values(),
            Self::Attribute(predicate) => predicate.values(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Id(predicate) => predicate.bytes(),
            Self::Ref(predicate) => predicate.bytes(),
            Self::CreatedAt(predicate) | Self::UpdatedAt(predicate) => predicate.bytes(),
            Self::Attribute(predicate) => predicate.bytes(),
        }
    }

    fn pattern(&self) -> Option<&Pattern> {
        match self {
            Self::Ref(predicate) => predicate.pattern(),
            Self::Id(_) | Self::CreatedAt(_) | Self::UpdatedAt(_) | Self::Attribute(_) => None,
        }
    }
}
