//! Pages of members' children by keyset. One statement reads the same page for many members.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use sea_orm::{DbBackend, DbErr, QueryResult};

use super::{MemberChild, Position, find::decode};
use crate::{
    app::App,
    db::{ArrayColumn, ArrayTable, ScalarBind},
    domain::{Error, access::Visibility},
    types::{Anchor, Direction, Id, MemberId, MemberbaseId, Page, Slice},
};

pub(crate) type MemberKey = (MemberbaseId, MemberId);

/// Reads the same page for each of the members. Members without rows and members that are not visible are left out. If
/// there are more than `max_rows` rows in total, it reads only as many as show that.
pub(crate) async fn of_members<T: MemberChild>(
    app: &App,
    visibility: Visibility,
    members: &[MemberKey],
    page: &Page<Position>,
    max_rows: u64,
) -> Result<HashMap<MemberId, Slice<T>>, Error> {
    let members = visible(visibility, members);
    if members.is_empty() {
        return Ok(HashMap::new());
    }
    let session = app.db.read().await?;
    let statements = PageStatements::new::<T>(app.db.backend(), page, members.len() as u64, max_rows);
    let rows = table(&members);
    let mut with_opposite = HashSet::new();
    if let Some(statement) = &statements.opposite {
        let take = |row: QueryResult| {
            if row.try_get_by_index::<Option<i32>>(1)?.is_some() {
                with_opposite.insert(members[member_index(&row)?].1);
            }
            Ok(())
        };
        session.bulk_each(statement, &statements.key, &rows, take).await?;
    }
    // A member with rows on the opposite side only has an empty page.
    let mut found: HashMap<MemberId, Vec<T>> = with_opposite.iter().map(|member| (*member, Vec::new())).collect();
    let take = |row: QueryResult| {
        let child: T = decode(&row)?;
        found.entry(child.member()).or_default().push(child);
        Ok(())
    };
    session.bulk_each(&statements.page, &statements.scalars, &rows, take).await?;
    let slice = |(member, mut rows): (MemberId, Vec<T>)| {
        let key = |child: &T| (child.time(), child.id());
        if statements.ascending {
            rows.sort_unstable_by_key(key);
        } else {
            rows.sort_unstable_by_key(|child| Reverse(key(child)));
        }
        (member, page.slice(rows, with_opposite.contains(&member)))
    };
    Ok(found.into_iter().map(slice).collect())
}

/// Counts the rows of each member. Members that are not visible are left out.
pub(crate) async fn count_of_members<T: MemberChild>(
    app: &App,
    visibility: Visibility,
    members: &[MemberKey],
) -> Result<HashMap<MemberId, u64>, Error> {
    let members = visible(visibility, members);
    let mut counts = HashMap::with_capacity(members.len());
    if members.is_empty() {
        return Ok(counts);
    }
    let sql = format!(
        "SELECT input.n, (SELECT count(*) FROM {} AS own \
        WHERE own.memberbase_id = input.memberbase_id AND own.member_id = input.member_id) FROM {{rows}} AS input",
        T::TABLE
    );
    let take = |row: QueryResult| {
        counts.insert(members[member_index(&row)?].1, row.try_get_by_index::<i64>(1)?.cast_unsigned());
        Ok(())
    };
    app.db.read().await?.bulk_each(&sql, &[], &table(&members), take).await?;
    Ok(counts)
}

fn visible(visibility: Visibility, members: &[MemberKey]) -> Vec<MemberKey> {
    let is_visible = |(memberbase, _): &&MemberKey| visibility.memberbase().is_none_or(|bound| bound == *memberbase);
    members.iter().filter(is_visible).copied().collect()
}

fn table(members: &[MemberKey]) -> ArrayTable<'static> {
    let (memberbases, members) = members.iter().map(|(memberbase, member)| (memberbase.uuid(), member.uuid())).unzip();
    ArrayTable::new([("memberbase_id", ArrayColumn::Uuids(memberbases)), ("member_id", ArrayColumn::Uuids(members))])
}

/// Reads the column `n` of the input row.
fn member_index(row: &QueryResult) -> Result<usize, DbErr> {
    Ok(usize::try_from(row.try_get_by_index::<i64>(0)?).expect("rows count from 0"))
}

/// The statements that read the same page for many members, given by the columns `memberbase_id` and `member_id`.
#[derive(Debug)]
pub struct PageStatements {
    /// Selects the rows, for each member one more than the page size.
    pub page: String,
    /// Selects the index of each member, and 1 if it has rows on the opposite side of the cursor, else null. `None` if
    /// the page does not ask for it.
    pub opposite: Option<String>,
    /// The binds of `page`.
    pub scalars: Vec<ScalarBind>,
    /// The binds of `opposite`: the cursor's key.
    pub key: Vec<ScalarBind>,
    ascending: bool,
}

impl PageStatements {
    /// Builds the statements. Each member costs a range scan of an index; if the list is ordered by a time, the scan
    /// ends with the page.
    pub fn new<T: MemberChild>(backend: DbBackend, page: &Page<Position>, members: u64, max_rows: u64) -> Self {
        let ascending = T::NEWEST_BY.is_some() != (page.direction == Direction::Forward);
        let int = |int: u64| ScalarBind::Int(i64::try_from(int).unwrap_or(i64::MAX));
        let key = match page.anchor {
            Anchor::Start | Anchor::Offset(_) => Vec::new(),
            Anchor::Cursor(position) => binds(position),
        };
        let end = page.until.map(binds).unwrap_or_default();
        let scalars = key.iter().chain(&end).copied().chain([
            int(page.size.saturating_add(1)),
            // One more than allowed, and one beyond the page of each member.
            int(max_rows.saturating_add(members).saturating_add(1)),
        ]);
        let from_member = from_member::<T>(backend);
        let order = order::<T>(backend, ascending);
        let side = |key: &[ScalarBind], first_bind, operator| match key {
            [] => String::new(),
            _ => side_of_key::<T>(backend, first_bind, operator),
        };
        let (past, short_of, at_or_behind) = if ascending { (">", "<", "<=") } else { ("<", ">", ">=") };
        let range = side(&key, 1, past) + &side(&end, key.len() + 1, short_of);
        let page_limit = key.len() + end.len() + 1;
        let total_limit = page_limit + 1;
        let offset = if let Anchor::Offset(rows) = page.anchor { format!(" OFFSET {rows}") } else { String::new() };
        let table = T::TABLE;
        let statement = match backend {
            // SQLite has no LATERAL: a subquery finds the ids of each member's page, and the join reads their rows.
            DbBackend::Sqlite => format!(
                "SELECT found.* FROM {{rows}} AS input CROSS JOIN {table} AS found \
                WHERE found.memberbase_id = input.memberbase_id \
                AND found.id IN (SELECT own.id {from_member}{range} ORDER BY {order} LIMIT ${page_limit}{offset}) \
                LIMIT ${total_limit}"
            ),
            _ => format!(
                "SELECT found.* FROM {{rows}} AS input \
                CROSS JOIN LATERAL (SELECT own.* {from_member}{range} ORDER BY {order} \
                LIMIT ${page_limit}{offset}) AS found LIMIT ${total_limit}"
            ),
        };
        let opposite = (page.check_opposite && !key.is_empty()).then(|| {
            let opposite = side(&key, 1, at_or_behind);
            format!("SELECT input.n, (SELECT 1 {from_member}{opposite} LIMIT 1) FROM {{rows}} AS input")
        });
        Self { page: statement, opposite, scalars: scalars.collect(), key, ascending }
    }
}

/// Returns the FROM clause with all rows `own` of the member `input`. If no index has the order of the list, PostgreSQL
/// would scan the memberbase in that order in search of the member's rows. `OFFSET 0` prevents that: PostgreSQL moves
/// no condition and no order into a subquery that has it.
fn from_member<T: MemberChild>(backend: DbBackend) -> String {
    let table = T::TABLE;
    let condition = "own.memberbase_id = input.memberbase_id AND own.member_id = input.member_id";
    match (backend, T::NEWEST_BY) {
        (DbBackend::Postgres, None) => {
            format!("FROM (SELECT * FROM {table} AS own WHERE {condition} OFFSET 0) AS own WHERE true")
        }
        _ => format!("FROM {table} AS own WHERE {condition}"),
    }
}

/// Returns the id as a sort key. On SQLite a unary plus prevents the scan that [`from_member`] prevents on PostgreSQL.
fn id<T: MemberChild>(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Sqlite && T::NEWEST_BY.is_none() { "+own.id" } else { "own.id" }
}

fn order<T: MemberChild>(backend: DbBackend, ascending: bool) -> String {
    let direction = if ascending { "ASC" } else { "DESC" };
    let time = T::NEWEST_BY.map(|time| format!("own.{time} {direction}, ")).unwrap_or_default();
    format!("{time}{} {direction}", id::<T>(backend))
}

/// Returns the values of a cursor's key.
fn binds(Position { time, id }: Position) -> Vec<ScalarBind> {
    time.map(|time| ScalarBind::Int(time.micros())).into_iter().chain([ScalarBind::Uuid(id)]).collect()
}

/// Returns the condition for the rows on one side of a cursor's key, whose values are bound from `first_bind` on.
fn side_of_key<T: MemberChild>(backend: DbBackend, first_bind: usize, operator: &str) -> String {
    match T::NEWEST_BY {
        Some(time) => format!(" AND (own.{time}, own.id) {operator} (${first_bind}, ${})", first_bind + 1),
        None => format!(" AND {} {operator} ${first_bind}", id::<T>(backend)),
    }
}
