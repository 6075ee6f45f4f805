//! Members: the entries of a memberbase, each identified by its owner's ref.

mod attributes;
pub mod bulk_upsert;
mod delete;
mod filter;
mod identifier;
mod list;
mod lookup;
mod page;
mod position;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter,
    sea_query::{Expr, SimpleExpr},
};

pub(super) use attributes::attribute_keys;
pub(crate) use attributes::{NewValue, Removal, remove_attributes, set_attributes};
pub(crate) use delete::{DeleteOutcome, DeleteRequest, DeletedCounts, delete};
pub(super) use delete::{delete_all, delete_found};
pub use filter::Predicate;
pub(crate) use filter::{UntypedPredicate, resolve_types};
pub(crate) use identifier::MemberIdentifier;
pub(super) use identifier::{lock_key_share, resolve};
pub use list::PageStatements;
pub(crate) use list::{count, list, list_columns};
pub(crate) use lookup::find_by_ref;
pub(crate) use page::{MemberColumns, MemberPage};
pub use position::{Order, OrderField, Position};

use self::filter::{condition, ref_condition};
use super::{
    Error,
    access::{Scope, Visibility},
    attribute::Document,
    filter::{Filter, IdPredicate, TextPredicate, check_values},
};
use crate::{
    app::App,
    entity::member,
    types::{Id, MemberId, MemberbaseId, SharedText, Time},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub(crate) id: MemberId,
    pub(crate) memberbase: MemberbaseId,
    /// The owner's key for the member (`ref` in the API).
    pub(crate) reference: String,
    pub(crate) attributes: Document,
    /// Time of its creation or last change.
    pub(crate) updated_at: Time,
    /// Time of the last change in the owner's system, by the owner's clock.
    pub(crate) source_updated_at: Option<Time>,
}

/// A member that borrows from a [`Member`] or a [`MemberPage`].
#[derive(Clone, Copy, Debug)]
pub struct MemberView<'a> {
    pub(crate) id: MemberId,
    pub(crate) memberbase: MemberbaseId,
    pub(crate) reference: &'a str,
    /// Its attributes as a JSON object; `None` if there are none.
    pub(crate) attributes: Option<&'a str>,
    pub(crate) updated_at: Time,
    pub(crate) source_updated_at: Option<Time>,
}

impl Member {
    pub fn view(&self) -> MemberView<'_> {
        MemberView {
            id: self.id,
            memberbase: self.memberbase,
            reference: &self.reference,
            attributes: self.attributes.stored(),
            updated_at: self.updated_at,
            source_updated_at: self.source_updated_at,
        }
    }
}

pub(crate) async fn find(app: &App, visibility: Visibility, id: MemberId) -> Result<Option<Member>, Error> {
    Ok(find_many(app, visibility, &[id]).await?.pop())
}

/// Finds the visible members with these ids, in any order. Rejects more ids than a filter may have.
pub(crate) async fn find_many(app: &App, visibility: Visibility, ids: &[MemberId]) -> Result<Vec<Member>, Error> {
    check_values("the list of ids", ids.len(), &app.limits.filter)?;
    find_all(app, visibility, ids).await
}

/// Finds the visible members with these ids, in any order and without a limit. For ids that were read from rows of the
/// database or of a bulk call.
pub(crate) async fn find_all(app: &App, visibility: Visibility, ids: &[MemberId]) -> Result<Vec<Member>, Error> {
    let bound = visibility.memberbase().map(|id| member::Column::MemberbaseId.eq(id.uuid()));
    let rows = member::Entity::find()
        .filter(Condition::all().add_option(bound))
        .filter(IdPredicate::In(ids.to_vec()).condition(app.db.backend(), column(member::Column::Id)))
        .all(&app.db.read().await?)
        .await?;
    Ok(rows.into_iter().map(Member::from).collect())
}

/// Finds the members with these refs, in any order; none if the memberbase does not exist.
pub async fn find_by_refs(app: &App, scope: Scope, refs: Vec<String>) -> Result<Vec<Member>, Error> {
    let rows = member::Entity::find()
        .filter(member::Column::MemberbaseId.eq(scope.memberbase().uuid()))
        .filter(ref_condition(app.db.backend(), scope, &TextPredicate::In(refs)))
        .all(&app.db.read().await?)
        .await?;
    Ok(rows.into_iter().map(Member::from).collect())
}

/// Finds members in the order of `refs`; `None` for a ref without a member. A ref that occurs twice is read once. Fails if
/// the memberbase does not exist.
pub(crate) async fn in_order_of_refs(
    app: &App,
    scope: Scope,
    refs: &[String],
) -> Result<Vec<Option<Arc<Member>>>, Error> {
    check_values("the list of refs", refs.len(), &app.limits.filter)?;
    let distinct: HashSet<_> = refs.iter().collect();
    let found = find_by_refs(app, scope, distinct.into_iter().cloned().collect()).await?;
    if found.is_empty() {
        super::memberbase::ensure_exists(&app.db.read().await?, scope).await?;
    }
    let found: Vec<_> = found.into_iter().map(Arc::new).collect();
    let by_ref: HashMap<_, _> = found.iter().map(|member| (member.reference.as_str(), member)).collect();
    Ok(refs.iter().map(|reference| by_ref.get(reference.as_str()).map(|&member| member.clone())).collect())
}

fn column(column: member::Column) -> SimpleExpr {
    Expr::col((member::Entity, column))
}

impl From<member::Model> for Member {
    fn from(row: member::Model) -> Self {
        Self {
            id: MemberId::from_uuid(row.id),
            memberbase: MemberbaseId::from_uuid(row.memberbase_id),
            reference: row.reference,
            attributes: Document::new(row.attributes.map(SharedText::from)),
            updated_at: Time::from_micros(row.updated_at),
            source_updated_at: row.source_updated_at.map(Time::from_micros),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        access::{Access, Caller},
        bulk::{Mode, OnError, Options},
        memberbase,
    };

    #[tokio::test]
    async fn entries_of_one_member_share_it() {
        let (app, _folder) = App::temporary().await;
        let caller = Caller::operator();
        let base = memberbase::create(&app, &caller, "base".to_owned()).await.expect("a memberbase");
        let scope = caller.authorize(base.id, Access::Write).expect("access");
        let rows = ["a", "b", "a"].map(|reference| bulk_upsert::Row::new(reference.to_owned(), None, None));
        let options = Options { on_error: OnError::RejectBatch, mode: Mode::Upsert, dry_run: false };
        let upserted = bulk_upsert::bulk_upsert(&app, scope, &rows, options, None).await.expect("members");
        let refs = ["a", "x", "b", "a"].map(str::to_owned);
        let found = in_order_of_refs(&app, scope, &refs).await.expect("members");
        let refs = |found: &[Option<Arc<Member>>]| {
            found.iter().map(|member| member.as_ref().map(|member| member.reference.clone())).collect::<Vec<_>>()
        };
        let reference = |text: &str| Some(text.to_owned());
        assert_eq!(refs(&found), [reference("a"), None, reference("b"), reference("a")]);
        assert!(Arc::ptr_eq(found[0].as_ref().expect("a"), found[3].as_ref().expect("a")));
        let loaded = bulk_upsert::load(&app, scope, &upserted.ids).await.expect("members");
        assert_eq!(refs(&loaded), [reference("a"), reference("b"), reference("a")]);
        assert!(Arc::ptr_eq(loaded[0].as_ref().expect("a"), loaded[2].as_ref().expect("a")));
    }
}
