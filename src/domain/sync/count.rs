//! Counts of the members with and without a mark of a sync.

use sea_orm::{ConnectionTrait, QueryResult, Statement};
use uuid::Uuid;

use super::{Sync, find};
use crate::{
    app::App,
    db::{ReadMode, Session},
    domain::{Error, access::Visibility},
    types::Id,
};

/// Counts members, not marks: a marked member may have been deleted since, or never created because its call failed.
const COUNT: &str = "SELECT count(seen.member_id), count(*) - count(seen.member_id) FROM member \
    LEFT JOIN sync_seen AS seen ON seen.sync_id = $1 AND seen.member_id = member.id \
    WHERE member.memberbase_id = $2 AND EXISTS (SELECT 1 FROM sync WHERE id = $1 AND ended_at IS NULL)";

const MISSING: &str = "SELECT member.id FROM member WHERE member.memberbase_id = $2 AND NOT EXISTS \
    (SELECT 1 FROM sync_seen AS seen WHERE seen.sync_id = $1 AND seen.member_id = member.id) ORDER BY member.id";

/// Numbers of members in the memberbase of a sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SyncCounts {
    /// Members with a mark.
    pub(crate) seen: u64,
    /// Members without a mark.
    pub(crate) missing: u64,
}

impl SyncCounts {
    pub(crate) fn members(self) -> u64 {
        self.seen + self.missing
    }
}

/// Returns the present counts of an open sync, or the counts at the end of one that has ended.
pub(crate) async fn counts(app: &App, visibility: Visibility, sync: &Sync) -> Result<SyncCounts, Error> {
    if let Some(counts) = sync.counts {
        return Ok(counts);
    }
    let mode = ReadMode { custom_plan: true, ..ReadMode::default() };
    let counted: SyncCounts = app.db.read_in(mode, async |session| count(&session, sync).await).await?;
    if counted.members() > 0 {
        return Ok(counted);
    }
    // The memberbase has no members, or the sync has ended since it was read.
    let now = find(app, visibility, sync.id).await?;
    Ok(now.and_then(|sync| sync.counts).unwrap_or(counted))
}

/// Counts the members of the sync's memberbase with and without its mark. Both counts are 0 if the sync has ended,
/// because its marks are deleted then.
pub(super) async fn count(session: &Session, sync: &Sync) -> Result<SyncCounts, Error> {
    let row = session.query_one_raw(statement(session, COUNT, sync)).await?;
    let (seen, missing) = row.map_or(Ok((0, 0)), |row| read(&row))?;
    Ok(SyncCounts { seen: seen.cast_unsigned(), missing: missing.cast_unsigned() })
}

/// Returns the ids of the members of the sync's memberbase without its mark.
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
    async fn sqlite_looks_up_the_mark_of_each_member() {
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
