//! Coalesced look-ups of single members by ref, the most frequent query: concurrent ones share a statement.

use std::collections::HashMap;

use sea_orm::{DbErr, FromQueryResult};
use uuid::Uuid;

use super::Member;
use crate::{
    app::App,
    db::{ArrayColumn, ArrayTable, Db},
    domain::{Error, access::Scope, text::ref_fault},
    entity::member::Model,
    types::Id,
};

/// Finds a member by ref. Returns `None` for a text that is not a valid ref, and if the memberbase does not exist.
pub(crate) async fn find_by_ref(app: &App, scope: Scope, reference: String) -> Result<Option<Member>, Error> {
    if ref_fault(&reference).is_some() {
        return Ok(None);
    }
    let key = (scope.memberbase().uuid(), reference);
    Ok(app.members_by_ref.find(&app.db, key, load).await?.map(Member::from))
}

/// Loads the members that exist, by memberbase and ref.
async fn load(db: Db, keys: Vec<(Uuid, String)>) -> Result<HashMap<(Uuid, String), Model>, DbErr> {
    let sql = "SELECT member.memberbase_id, member.id, member.ref, member.updated_at, \
        CAST(member.attributes AS text) AS attributes, member.source_updated_at \
        FROM {rows} AS input CROSS JOIN member \
        WHERE member.memberbase_id = input.memberbase_id AND member.ref = input.ref";
    let (memberbases, refs) = keys.iter().map(|(memberbase, reference)| (*memberbase, reference.as_str())).unzip();
    let rows = ArrayTable::new([("memberbase_id", ArrayColumn::Uuids(memberbases)), ("ref", ArrayColumn::Texts(refs))]);
    let mut found = HashMap::with_capacity(keys.len());
    let take = |row| {
        let row = Model::from_query_result(&row, "")?;
        found.insert((row.memberbase_id, row.reference.clone()), row);
        Ok(())
    };
    db.read().await?.bulk_each(sql, &[], &rows, take).await?;
    Ok(found)
}
