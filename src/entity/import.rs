//! Table `import`: one row per import whose client has chosen an id, kept for some days after its last attempt.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "import")]
pub struct Model {
    /// The UUID that the client has chosen.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub memberbase_id: Uuid,
    /// SHA-256 of the parameters.
    pub parameters_hash: Vec<u8>,
    /// Number of requests that have sent the file. Only the last one may write.
    pub attempt: i32,
    /// 0 running, 1 failed, 2 complete.
    pub state: i32,
    /// Time of the last progress in microseconds since 1970.
    pub updated_at: i64,
    /// The sync of a mirror.
    pub sync_id: Option<Uuid>,
    /// Number of rows at the beginning of the file that are stored without a gap.
    pub stored_rows: i64,
    /// The line of the first row after those.
    pub next_line: i64,
    /// SHA-256 of those rows.
    pub prefix_hash: Vec<u8>,
    /// Numbers of rows by outcome, of all attempts.
    pub created: i64,
    pub updated: i64,
    pub unchanged: i64,
    pub stale: i64,
    pub skipped: i64,
    pub rejected: i64,
    /// Number of the rejected rows that can't be attributed to a member.
    pub unattributed: i64,
    /// Number of bytes that were received of the body of the last attempt.
    pub body_bytes: i64,
    /// Size of the rejected rows in `import_rejection`.
    pub kept_bytes: i64,
    /// True if not all rejected rows are in `import_rejection`.
    pub is_truncated: bool,
    /// The last event of the last attempt, as JSON; null while it is running.
    pub last_event: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
