//! Memberbases: lists of members that are independent of each other.

mod attribute_schema;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, JoinType, PaginatorTrait,
    QueryFilter, QuerySelect, QueryTrait, Select,
    sea_query::{Expr, ExprTrait, IntoCondition, Order, SimpleExpr},
};
use uuid::Uuid;

pub(crate) use attribute_schema::{declare_attributes, set_attribute_schema};

use super::{
    Error,
    access::{Access, Caller, Scope, Visibility},
    attribute::Schema,
    change,
    filter::{Filter, IdPredicate, Pattern, PredicateSize, TextPredicate},
    id_pagination::{self, CursorKind},
    import,
    member::{DeletedCounts, delete_all},
    sync::{self as syncs, OpenSync},
    updated_at,
};
use crate::{
    app::App,
    db::{Lock, Session},
    entity::{api_token, member, memberbase, sync},
    types::{Id, MAX_REPORTED_IDS, MemberbaseId, Page, Slice, SyncId, Time, excerpt},
};

const MAX_NAME_CHARACTERS: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Memberbase {
    /// Id, which holds the time of creation.
    pub(crate) id: MemberbaseId,
    /// Name, which need not be unique.
    pub(crate) name: String,
    /// Time of the creation or the last change.
    pub(crate) updated_at: Time,
    pub(crate) attribute_schema: Schema,
}

#[derive(Clone, Debug)]
pub(crate) enum Predicate {
    Id(IdPredicate<MemberbaseId>),
    Name(TextPredicate),
}

/// Creates a memberbase with an empty attribute schema.
pub(crate) async fn create(app: &App, caller: &Caller, name: String) -> Result<Memberbase, Error> {
    caller.authorize_global(Access::Admin)?;
    check_name(&name)?;
    let id = MemberbaseId::from_uuid(Uuid::now_v7());
    let created = Memberbase { id, name, updated_at: id.created_at(), attribute_schema: Schema::default() };
    let row = memberbase::ActiveModel {
        id: Set(id.uuid()),
        name: Set(created.name.clone()),
        updated_at: Set(created.updated_at.micros()),
        ..Default::default()
    };
    app.db
        .write(Lock::None, async |session| {
            memberbase::Entity::insert(row.clone()).exec_without_returning(&session).await?;
            Ok::<_, Error>(())
        })
        .await?;
    Ok(created)
}

/// Renames a memberbase. The present name changes nothing, not even `updated_at`.
pub(crate) async fn rename(app: &App, scope: Scope, name: String) -> Result<Memberbase, Error> {
    check_name(&name)?;
    let id = scope.memberbase();
    let updated_at = updated_at::next_sql(&Time::now().micros().to_string(), "updated_at");
    app.db
        .write(Lock::Shared(id.uuid()), async |session| {
            memberbase::Entity::update_many()
                .col_expr(memberbase::Column::Name, Expr::value(name.clone()))
                .col_expr(memberbase::Column::UpdatedAt, Expr::cust(updated_at.clone()))
                .filter(memberbase::Column::Id.eq(id.uuid()))
                .filter(memberbase::Column::Name.ne(name.clone()))
                .exec(&session)
                .await?;
            get(&session, scope).await
        })
        .await
}

/// Deletes a memberbase with its members, everything that belongs to them, its syncs and the tokens bound to it. Fails
/// without deleting anything if it has more members than `at_most`. A dry run returns the same counts and deletes
/// nothing.
pub(crate) async fn delete(
    app: &App,
    scope: Scope,
    at_most: Option<u64>,
    dry_run: bool,
) -> Result<DeletedCounts, Error> {
    let app = &app.dry_run_if(dry_run);
    let id = scope.memberbase();
    let delete = async |session: Session| {
        ensure_exists(&session, scope).await?;
        let members = member::Entity::find().filter(member::Column::MemberbaseId.eq(id.uuid())).count(&session).await?;
        if let Some(most) = at_most.filter(|most| members > *most) {
            let message = format!("memberbase {id} has {members} members, more than atMostMembers ({most})");
            return Err(Error::LimitExceeded(message));
        }
        if dry_run {
            session.set_rollback_only();
        }
        let ids = if members <= MAX_REPORTED_IDS && !dry_run {
            let ids = member::Entity::find().filter(member::Column::MemberbaseId.eq(id.uuid()));
            ids.select_only().column(member::Column::Id).into_tuple().all(&session).await?
        } else {
            Vec::new()
        };
        let deleted = delete_all(&session, scope).await?;
        import::delete_all(&session, scope).await?;
        syncs::delete_all(&session, scope).await?;
        api_token::Entity::delete_many().filter(api_token::Column::MemberbaseId.eq(id.uuid())).exec(&session).await?;
        memberbase::Entity::delete_by_id(id.uuid()).exec(&session).await?;
        Ok::<_, Error>((deleted, ids))
    };
    let deleted = app.db.write(Lock::Exclusive(id.uuid()), delete).await;
    app.tokens_changed();
    let (deleted, ids) = deleted?;
    if !dry_run {
        deleted.count(&app.rows);
        change::memberbase_deleted(app, scope, deleted.members, ids);
    }
    Ok(deleted)
}

/// Returns the memberbase with this id; `None` if it does not exist or is not visible.
pub(crate) async fn find(app: &App, visibility: Visibility, id: MemberbaseId) -> Result<Option<Memberbase>, Error> {
    Ok(find_many(app, visibility, &[id]).await?.pop())
}

/// Returns those of these memberbases that exist and are visible, in any order.
pub(crate) async fn find_many(
    app: &App,
    visibility: Visibility,
    ids: &[MemberbaseId],
) -> Result<Vec<Memberbase>, Error> {
    let requested = IdPredicate::In(ids.to_vec()).condition(app.db.backend(), column(memberbase::Column::Id));
    let rows = within(visibility).filter(requested).all(&app.db.read().await?).await?;
    rows.into_iter().map(Memberbase::try_from).collect()
}

/// Returns the visible memberbases with this name, at most two: names need not be unique.
pub(crate) async fn find_by_name(app: &App, visibility: Visibility, name: &str) -> Result<Vec<Memberbase>, Error> {
    let named = within(visibility).filter(memberbase::Column::Name.eq(name)).limit(2);
    named.all(&app.db.read().await?).await?.into_iter().map(Memberbase::try_from).collect()
}

/// Returns the visible memberbase with this id, or the only one with this name.
pub(crate) async fn get_by_id_or_name(
    app: &App,
    visibility: Visibility,
    id_or_name: &str,
) -> Result<Memberbase, Error> {
    if let Ok(id) = MemberbaseId::parse(id_or_name) {
        return find(app, visibility, id).await?.ok_or_else(|| Error::memberbase_not_found(id));
    }
    let name = excerpt(id_or_name);
    let mut found = find_by_name(app, visibility, id_or_name).await?;
    if found.len() > 1 {
        return Err(Error::bad_input("memberbase", format!("several memberbases are called {name:?}: use the id")));
    }
    let not_found = || Error::NotFound(format!("there is no memberbase {name:?} that this token can see"));
    found.pop().ok_or_else(not_found)
}

/// Returns a page of the visible memberbases, oldest first.
pub(crate) async fn list(
    app: &App,
    visibility: Visibility,
    filter: &Filter<Predicate>,
    page: &Page<MemberbaseId>,
) -> Result<Slice<Memberbase>, Error> {
    filter.check_in_request(app)?;
    let session = app.db.read().await?;
    let found = within(visibility).filter(condition(app.db.backend(), filter));
    id_pagination::page(&session, found, memberbase::Column::Id, Order::Asc, page).await
}

pub(crate) async fn count(app: &App, visibility: Visibility, filter: &Filter<Predicate>) -> Result<u64, Error> {
    filter.check(&app.limits.filter)?;
    let found = within(visibility).filter(condition(app.db.backend(), filter));
    Ok(found.count(&app.db.read().await?).await?)
}

pub(crate) fn cursor(id: MemberbaseId) -> String {
    id_pagination::encode(CursorKind::Memberbases, id)
}

/// Parses a cursor of the list of memberbases. The error is a message for the client.
pub(crate) fn parse_cursor(cursor: &str) -> Result<MemberbaseId, &'static str> {
    id_pagination::decode(CursorKind::Memberbases, cursor)
}

/// Returns the memberbase. Fails if it does not exist.
pub(super) async fn get(session: &impl ConnectionTrait, scope: Scope) -> Result<Memberbase, Error> {
    let id = scope.memberbase();
    match memberbase::Entity::find_by_id(id.uuid()).one(session).await? {
        Some(row) => row.try_into(),
        None => Err(Error::memberbase_not_found(id)),
    }
}

/// Returns the memberbase with its open sync. Fails if it does not exist. Both are read by one statement, so that an
/// upsert without a sync pays no further round trip.
pub(super) async fn get_with_open_sync(
    session: &impl ConnectionTrait,
    scope: Scope,
) -> Result<(Memberbase, Option<OpenSync>), Error> {
    const ID: &str = "open_sync_id";
    const EXPIRES_AT: &str = "open_sync_expires_at";
    let id = scope.memberbase();
    let relation = memberbase::Entity::belongs_to(sync::Entity)
        .from(memberbase::Column::Id)
        .to(sync::Column::MemberbaseId)
        .on_condition(|_, sync| Expr::col((sync, sync::Column::EndedAt)).is_null().into_condition());
    let statement = memberbase::Entity::find_by_id(id.uuid())
        .column_as(sync::Column::Id, ID)
        .column_as(sync::Column::ExpiresAt, EXPIRES_AT)
        .join(JoinType::LeftJoin, relation.into())
        .build(session.get_database_backend());
    let row = session.query_one_raw(statement).await?.ok_or_else(|| Error::memberbase_not_found(id))?;
    let open = Option::zip(row.try_get::<Option<_>>("", ID)?, row.try_get::<Option<_>>("", EXPIRES_AT)?);
    let open = open.map(|(id, time)| OpenSync { id: SyncId::from_uuid(id), expires_at: Time::from_micros(time) });
    Ok((memberbase::Model::from_query_result(&row, "")?.try_into()?, open))
}

pub(super) async fn ensure_exists(session: &impl ConnectionTrait, scope: Scope) -> Result<(), Error> {
    get(session, scope).await.map(drop)
}

fn within(visibility: Visibility) -> Select<memberbase::Entity> {
    let bound = visibility.memberbase().map(|id| memberbase::Column::Id.eq(id.uuid()));
    memberbase::Entity::find().filter(Condition::all().add_option(bound))
}

fn condition(backend: DbBackend, filter: &Filter<Predicate>) -> SimpleExpr {
    filter.condition(&|predicate| match predicate {
        Predicate::Id(predicate) => predicate.condition(backend, column(memberbase::Column::Id)),
        Predicate::Name(predicate) => predicate.condition(backend, column(memberbase::Column::Name)),
    })
}

fn column(column: memberbase::Column) -> SimpleExpr {
    Expr::col((memberbase::Entity, column))
}

fn check_name(name: &str) -> Result<(), Error> {
    let length = name.chars().count();
    if !(1..=MAX_NAME_CHARACTERS).contains(&length) {
        let message = format!("name has {length} characters, 1 to {MAX_NAME_CHARACTERS} are allowed");
        return Err(Error::bad_input("name", message));
    }
    super::text::check("name", name)
}

impl PredicateSize for Predicate {
    fn values(&self) -> usize {
        match self {
            Self::Id(predicate) => predicate.values(),
            Self::Name(predicate) => predicate.values(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Id(predicate) => predicate.bytes(),
            Self::Name(predicate) => predicate.bytes(),
        }
    }

    fn pattern(&self) -> Option<&Pattern> {
        match self {
            Self::Name(predicate) => predicate.pattern(),
            Self::Id(_) => None,
        }
    }
}

impl TryFrom<memberbase::Model> for Memberbase {
    type Error = Error;

    fn try_from(row: memberbase::Model) -> Result<Self, Error> {
        Ok(Self {
            id: MemberbaseId::from_uuid(row.id),
            name: row.name,
            updated_at: Time::from_micros(row.updated_at),
            attribute_schema: Schema::from_stored(&row.attribute_schema)?,
        })
    }
}
