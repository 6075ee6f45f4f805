//! Changes of the attribute schema of a memberbase.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryResult,
    sea_query::{Expr, SimpleExpr},
};

use super::{Memberbase, get, memberbase};
use crate::{
    app::App,
    db::{ArrayColumn, ArrayTable, Lock, ScalarBind, Session},
    domain::{
        Error,
        access::Scope,
        attribute::{Definition, Schema},
        member, updated_at,
    },
    types::{Id, Time, excerpt},
};

/// Maximum number of keys that an error names.
const MAX_NAMED_KEYS: usize = 5;

/// Replaces the whole schema. A key for which members have values can neither be removed nor change its type. A schema
/// equal to the stored one changes nothing.
pub(crate) async fn set_attribute_schema(app: &App, scope: Scope, schema: Schema) -> Result<Memberbase, Error> {
    replace(app, scope, |_| Ok(schema.clone())).await
}

/// Adds attributes to the schema. Those that it has already must have the same type.
pub(crate) async fn declare_attributes(
    app: &App,
    scope: Scope,
    definitions: &[Definition],
) -> Result<Memberbase, Error> {
    replace(app, scope, |schema| schema.with(definitions)).await
}

/// Replaces the schema by the one that `change` makes of it.
async fn replace(
    app: &App,
    scope: Scope,
    change: impl Fn(Schema) -> Result<Schema, Error>,
) -> Result<Memberbase, Error> {
    let id = scope.memberbase().uuid();
    // The lock is exclusive, so that no upsert with the old schema is in progress.
    let set = async |session: Session| {
        let mut found = get(&session, scope).await?;
        let schema = change(found.attribute_schema.clone())?;
        if found.attribute_schema == schema {
            return Ok(found);
        }
        reject_keys_in_use(&session, scope, &found.attribute_schema, &schema).await?;
        found.updated_at = updated_at::next(Time::now(), found.updated_at);
        memberbase::Entity::update_many()
            .col_expr(memberbase::Column::AttributeSchema, json(session.get_database_backend(), schema.to_stored()))
            .col_expr(memberbase::Column::UpdatedAt, Expr::value(found.updated_at.micros()))
            .filter(memberbase::Column::Id.eq(id))
            .exec(&session)
            .await?;
        found.attribute_schema = schema;
        Ok(found)
    };
    app.db.write(Lock::Exclusive(id), set).await
}

fn json(backend: DbBackend, text: String) -> SimpleExpr {
    match backend {
        DbBackend::Sqlite => Expr::value(text),
        _ => Expr::cust_with_values("CAST($1 AS jsonb)", [text]),
    }
}

/// Fails if members have values for keys that are removed or change their type.
async fn reject_keys_in_use(session: &Session, scope: Scope, old: &Schema, new: &Schema) -> Result<(), Error> {
    let changed = |key: &&str| new.kind(key) != old.kind(key);
    let keys: Vec<&str> = old.definitions().iter().map(|definition| definition.key.as_str()).filter(changed).collect();
    if keys.is_empty() {
        return Ok(());
    }
    let has = member::attribute_keys(session.get_database_backend());
    let sql = format!(
        "SELECT input.n, count(*) FROM member CROSS JOIN {has} JOIN {{rows}} AS input ON input.key = has.key \
        WHERE member.memberbase_id = $1 GROUP BY input.n ORDER BY input.n"
    );
    let mut in_use = Vec::new();
    let take = |row: QueryResult| {
        let n: i64 = row.try_get_by_index(0)?;
        let members: i64 = row.try_get_by_index(1)?;
        in_use.push((keys[usize::try_from(n).expect("rows count from 0")], members));
        Ok(())
    };
    let rows = ArrayTable::new([("key", ArrayColumn::Texts(keys.clone()))]);
    session.bulk_each(&sql, &[ScalarBind::Uuid(scope.memberbase().uuid())], &rows, take).await?;
    if in_use.is_empty() {
        return Ok(());
    }
    let named = in_use.iter().take(MAX_NAMED_KEYS);
    let named: Vec<_> = named.map(|(key, members)| format!("{:?} ({members} members)", excerpt(key))).collect();
    let others = in_use.len() - named.len();
    let others = if others > 0 { format!(" and {others} more") } else { String::new() };
    let in_use = named.join(", ") + &others;
    let message = format!("members have values for attributes that would be removed or change their type: {in_use}");
    Err(Error::Conflict(message))
}
