//! Bulk upsert: any number of rows in one call, all of them in one transaction, an outcome for every row.

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryResult};

use super::{Member, member};
use crate::{
    app::App,
    db::{Column, Lock, Session, list},
    domain::{
        Error,
        access::Scope,
        bulk::{Failures, Kind, Merge, Options, Upserted, store},
        memberbase, text,
    },
    types::{Id, MemberId},
};

/// A row of the input.
#[derive(Clone, Debug)]
pub struct Row {
    /// The owner's key of the member.
    pub reference: String,
}

/// Stores the rows. The same call again changes nothing and answers the same ids.
pub async fn bulk_upsert(app: &App, scope: Scope, rows: &[Row], options: Options) -> Result<Upserted<MemberId>, Error> {
    let lock = Lock::Shared(scope.memberbase().uuid());
    let upsert = async |session: Session| {
        memberbase::ensure_exists(&session, scope).await?;
        if options.dry_run {
            session.discard();
        }
        let mut failures = Failures::new();
        let good = rows.iter().enumerate().map(|(index, row)| match text::ref_fault(&row.reference) {
            Some(error) => {
                failures.insert(index, error);
                None
            }
            None => Some(row),
        });
        let good: Vec<_> = good.collect();
        store(&session, scope, &Members, &good, failures, options).await
    };
    app.db.write(lock, upsert).await
}

struct Members;

impl<'a> Kind<'a> for Members {
    type Id = MemberId;
    type Row = &'a Row;
    type Key = &'a str;
    type State = ();

    const TABLE: &'static str = "member";
    const KEY: &'static [&'static str] = &["ref"];

    fn columns(&self) -> &'static [&'static str] {
        &[]
    }

    fn key(row: &Self::Row) -> Self::Key {
        &row.reference
    }

    fn key_values<'k>(keys: impl Iterator<Item = &'k Self::Key>) -> Vec<Column<'k>>
    where
        'a: 'k,
    {
        vec![Column::Texts(keys.copied().collect())]
    }

    fn state_values<'s>(&self, _: impl Iterator<Item = &'s ()> + Clone) -> Vec<Column<'s>>
    where
        'a: 's,
    {
        Vec::new()
    }

    fn read(&self, _: &QueryResult, _: usize) -> Result<(), DbErr> {
        Ok(())
    }

    fn merge(&self, _: &Self::Row, stored: Option<&()>) -> Result<Merge<()>, Error> {
        Ok(Merge::with((), stored))
    }
}

/// The members with these ids, in this order; none where there is none any more.
pub async fn load(app: &App, scope: Scope, ids: &[Option<MemberId>]) -> Result<Vec<Option<Member>>, Error> {
    let uuids: Vec<_> = ids.iter().flatten().map(|id| id.uuid()).collect();
    let asked = list(app.db.backend(), super::column(member::Column::Id), Column::Uuids(uuids));
    let mut rows = member::Entity::find()
        .filter(member::Column::MemberbaseId.eq(scope.memberbase().uuid()))
        .filter(asked)
        .all(&app.db.read().await?)
        .await?;
    rows.sort_unstable_by_key(|row| row.id);
    let find = |id: &MemberId| rows.binary_search_by_key(&id.uuid(), |row| row.id).ok();
    Ok(ids.iter().map(|id| id.as_ref().and_then(find).map(|place| rows[place].clone().into())).collect())
}
