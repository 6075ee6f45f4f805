//! Who was seen, and who was not.

use sea_orm::{ConnectionTrait, QueryResult, Statement};
use uuid::Uuid;

use super::{Sync, find};
use crate::{
    app::App,
    db::Session,
    domain::{Error, access::Visibility},
    types::Id,
};

/// A mark may be of a member who is gone, or who never came to be because the call was refused: members are counted, not
/// marks.
const COUNT: &str = "SELECT count(seen.member_id), count(*) - count(seen.member_id) FROM member \
    LEFT JOIN sync_seen AS seen ON seen.sync_id = $1 AND seen.member_id = member.id \
    WHERE member.memberbase_id = $2 AND EXISTS (SELECT 1 FROM sync WHERE id = $1 AND ended_at IS NULL)";

const MISSING: &str = "SELECT member.id FROM member WHERE member.memberbase_id = $2 AND NOT EXISTS \
    (SELECT 1 FROM sync_seen AS seen WHERE seen.sync_id = $1 AND seen.member_id = member.id) ORDER BY member.id";

/// How many members a sync has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncCounts {
    /// Members with a mark.
    pub seen: u64,
    /// Members without one.
    pub missing: u64,
}

impl SyncCounts {
    /// All members.
    pub fn members(self) -> u64 {
        self.seen + self.missing
    }
}

/// How many members the sync has seen until now, or had until its end.
pub async fn counts(app: &App, reach: Visibility, sync: &Sync) -> Result<SyncCounts, Error> {
    if let Some(figures) = sync.counts {
        return Ok(figures);
    }
    let counted: SyncCounts = app.db.read_with_custom_plan(async |session| count(&session, sync).await).await?;
    if counted.members() > 0 {
        return Ok(counted);
    }
    // Nobody is there, or the sync has ended since it was read.
    let now = find(app, reach, sync.id).await?;
    Ok(now.and_then(|sync| sync.counts).unwrap_or(counted))
}

/// Counts the members of the sync's memberbase, with and without its mark; none at all where it has ended by now, and its
/// marks are gone.
pub(super) async fn count(session: &Session, sync: &Sync) -> Result<SyncCounts, Error> {
    let counts = session.query_one_raw(statement(session, COUNT, sync)).await?;
    let counts = counts.map_or(Ok((0, 0)), |row| read(&row))?;
    Ok(SyncCounts { seen: counts.0.cast_unsigned(), missing: counts.1.cast_unsigned() })
}

/// The members of the sync's memberbase without its mark.
pub(super) async fn missing(session: &Session, sync: &Sync) -> Result<Vec<Uuid>, Error> {
    let mut missing = Vec::new();
    let take = |row: QueryResult| {
        missing.push(row.try_get_by_index(0)?);
        Ok(())
    };
    session.each(statement(session, MISSING, sync), take).await?;
    Ok(missing)
}

fn statement(session: &Session, sql: &str, sync: &Sync) -> Statement {
    let values = [sync.id.uuid().into(), sync.memberbase.uuid().into()];
    Statement::from_sql_and_values(session.get_database_backend(), sql, values)
}

fn read(row: &QueryResult) -> Result<(i64, i64), sea_orm::DbErr> {
    Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Db, Settings};

    #[tokio::test]
    async fn sqlite_looks_the_mark_of_each_member_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings::small(format!("sqlite://{}/test.db", folder.path().display()));
        let db = Db::connect(&settings).await.expect("a database");
        db.migrate_up().await.expect("tables");
        for sql in [COUNT, MISSING] {
            let values = [Uuid::nil().into(), Uuid::nil().into()];
            let explain = Statement::from_sql_and_values(db.backend(), format!("EXPLAIN QUERY PLAN {sql}"), values);
            let session = db.read().await.expect("a session");
            let plan = session.query_all_raw(explain).await.expect("a plan");
            let plan: Vec<String> = plan.iter().map(|row| row.try_get("", "detail").expect("a step")).collect();
            let marks = "SEARCH seen USING PRIMARY KEY (sync_id=? AND member_id=?)";
            assert!(plan.iter().any(|step| step.starts_with(marks)), "{plan:?}");
            let members = |step: &String| step.starts_with("SEARCH member USING") && step.contains("(memberbase_id=?");
            assert!(plan.iter().any(members), "{plan:?}");
        }
    }
}
