//! Who was seen, and who was not.

use sea_orm::{ConnectionTrait, QueryResult, Statement};
use uuid::Uuid;

use super::{Sync, find};
use crate::{
    app::App,
    db::Session,
    domain::{Error, access::Reach},
    types::Id,
};

/// How many members a sync has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Members with a mark.
    pub seen: u64,
    /// Members without one.
    pub missing: u64,
}

impl Figures {
    /// All members.
    pub fn members(self) -> u64 {
        self.seen + self.missing
    }
}

/// How many members the sync has seen until now, or had until its end.
pub async fn figures(app: &App, reach: Reach, sync: &Sync) -> Result<Figures, Error> {
    if let Some(figures) = sync.figures {
        return Ok(figures);
    }
    let counted: Figures = app.db.read_by_values(async |session| count(&session, sync).await).await?;
    if counted.members() > 0 {
        return Ok(counted);
    }
    // Nobody is there, or the sync has ended since it was read.
    let now = find(app, reach, sync.id).await?;
    Ok(now.and_then(|sync| sync.figures).unwrap_or(counted))
}

/// Counts the members of the sync's memberbase, with and without its mark; none at all where it has ended by now, and its
/// marks are gone.
pub(super) async fn count(session: &Session, sync: &Sync) -> Result<Figures, Error> {
    // A mark may be of a member who is gone: members are counted, not marks.
    let sql = "SELECT count(seen.member_id), count(*) - count(seen.member_id) FROM member \
        LEFT JOIN sync_seen AS seen ON seen.sync_id = $1 AND seen.member_id = member.id \
        WHERE member.memberbase_id = $2 AND EXISTS (SELECT 1 FROM sync WHERE id = $1 AND ended_at IS NULL)";
    let counts = session.query_one_raw(statement(session, sql, sync)).await?;
    let counts = counts.map_or(Ok((0, 0)), |row| read(&row))?;
    Ok(Figures { seen: counts.0.cast_unsigned(), missing: counts.1.cast_unsigned() })
}

/// The members of the sync's memberbase without its mark.
pub(super) async fn missing(session: &Session, sync: &Sync) -> Result<Vec<Uuid>, Error> {
    let sql = "SELECT member.id FROM member WHERE member.memberbase_id = $2 AND NOT EXISTS \
        (SELECT 1 FROM sync_seen AS seen WHERE seen.sync_id = $1 AND seen.member_id = member.id) ORDER BY member.id";
    let rows = session.query_all_raw(statement(session, sql, sync)).await?;
    Ok(rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<_, _>>()?)
}

fn statement(session: &Session, sql: &str, sync: &Sync) -> Statement {
    let values = [sync.id.uuid().into(), sync.memberbase.uuid().into()];
    Statement::from_sql_and_values(session.get_database_backend(), sql, values)
}

fn read(row: &QueryResult) -> Result<(i64, i64), sea_orm::DbErr> {
    Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))
}
