//! Pages of what belongs to members: those of all members of a page by one statement.

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

/// A member, with its memberbase.
pub type MemberKey = (MemberbaseId, MemberId);

/// The same page of each of these members; those of whom there is nothing, or who are out of reach, are left out. Of
/// more than `most_rows` rows together no more than is needed to tell that they are more.
pub async fn of_members<T: MemberChild>(
    app: &App,
    reach: Visibility,
    members: &[MemberKey],
    page: &Page<Position>,
    most_rows: u64,
) -> Result<HashMap<MemberId, Slice<T>>, Error> {
    let members = within(reach, members);
    if members.is_empty() {
        return Ok(HashMap::new());
    }
    let session = app.db.read().await?;
    let statements = PageStatements::new::<T>(app.db.backend(), page, members.len() as u64, most_rows);
    let rows = table(&members);
    let mut behind = Vec::new();
    if let Some(statement) = &statements.behind {
        let take = |row: QueryResult| {
            if row.try_get_by_index::<Option<i32>>(1)?.is_some() {
                behind.push(place(&row)?);
            }
            Ok(())
        };
        session.bulk_each(statement, &statements.key, &rows, take).await?;
    }
    let mut found: HashMap<MemberId, Vec<T>> = behind.into_iter().map(|place| (members[place].1, Vec::new())).collect();
    let with_behind: HashSet<_> = found.keys().copied().collect();
    let take = |row: QueryResult| {
        let thing: T = decode(&row)?;
        found.entry(thing.member()).or_default().push(thing);
        Ok(())
    };
    session.bulk_each(&statements.page, &statements.scalars, &rows, take).await?;
    let slice = |(member, mut rows): (MemberId, Vec<T>)| {
        let key = |thing: &T| (thing.time(), thing.id());
        if statements.ascending {
            rows.sort_unstable_by_key(key);
        } else {
            rows.sort_unstable_by_key(|thing| Reverse(key(thing)));
        }
        (member, page.slice(rows, with_behind.contains(&member)))
    };
    Ok(found.into_iter().map(slice).collect())
}

/// How many each of these members has; those who are out of reach are left out.
pub async fn count_of_members<T: MemberChild>(
    app: &App,
    reach: Visibility,
    members: &[MemberKey],
) -> Result<HashMap<MemberId, u64>, Error> {
    let members = within(reach, members);
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
        counts.insert(members[place(&row)?].1, row.try_get_by_index::<i64>(1)?.cast_unsigned());
        Ok(())
    };
    app.db.read().await?.bulk_each(&sql, &[], &table(&members), take).await?;
    Ok(counts)
}

fn within(reach: Visibility, members: &[MemberKey]) -> Vec<MemberKey> {
    let seen = |(memberbase, _): &&MemberKey| reach.memberbase().is_none_or(|bound| bound == *memberbase);
    members.iter().filter(seen).copied().collect()
}

fn table(members: &[MemberKey]) -> ArrayTable<'static> {
    let (memberbases, members) = members.iter().map(|(memberbase, member)| (memberbase.uuid(), member.uuid())).unzip();
    ArrayTable::new([("memberbase_id", ArrayColumn::Uuids(memberbases)), ("member_id", ArrayColumn::Uuids(members))])
}

fn place(row: &QueryResult) -> Result<usize, DbErr> {
    Ok(usize::try_from(row.try_get_by_index::<i64>(0)?).expect("rows count from 0"))
}

/// What reads a page of each of many members, the rows `memberbase_id` and `member_id`.
#[derive(Debug)]
pub struct PageStatements {
    /// Their rows, and for each member one more than the page's size.
    pub page: String,
    /// The place of each member, and a 1 where something is behind the start; where that is asked for.
    pub behind: Option<String>,
    /// What `page` binds.
    pub scalars: Vec<ScalarBind>,
    /// What `behind` binds.
    pub key: Vec<ScalarBind>,
    ascending: bool,
}

impl PageStatements {
    /// Each member costs a range of an index, and with a time as order no more of it than the page.
    pub fn new<T: MemberChild>(backend: DbBackend, page: &Page<Position>, members: u64, most_rows: u64) -> Self {
        let ascending = T::NEWEST_BY.is_some() != (page.direction == Direction::Forward);
        let int = |int: u64| ScalarBind::Int(i64::try_from(int).unwrap_or(i64::MAX));
        let key = match page.anchor {
            Anchor::Start | Anchor::Offset(_) => Vec::new(),
            Anchor::Cursor(Position { time, id }) => {
                time.map(|time| ScalarBind::Int(time.micros())).into_iter().chain([ScalarBind::Uuid(id)]).collect()
            }
        };
        let scalars = key.iter().copied().chain([
            int(page.size.saturating_add(1)),
            // Beyond what is allowed by one, and for each member one beyond its page.
            int(most_rows.saturating_add(members).saturating_add(1)),
        ]);
        let own = own::<T>(backend);
        let order = order::<T>(backend, ascending);
        let each = key.len() + 1;
        let beyond = |sign| if key.is_empty() { String::new() } else { beside::<T>(backend, sign) };
        let ahead = beyond(if ascending { ">" } else { "<" });
        let all = each + 1;
        let skipped = if let Anchor::Offset(rows) = page.anchor { format!(" OFFSET {rows}") } else { String::new() };
        let table = T::TABLE;
        let statement = match backend {
            // It has no LATERAL: the ids of each member's page are looked up, then their rows.
            DbBackend::Sqlite => format!(
                "SELECT found.* FROM {{rows}} AS input CROSS JOIN {table} AS found \
                WHERE found.memberbase_id = input.memberbase_id \
                AND found.id IN (SELECT own.id {own}{ahead} ORDER BY {order} LIMIT ${each}{skipped}) LIMIT ${all}"
            ),
            _ => format!(
                "SELECT found.* FROM {{rows}} AS input \
                CROSS JOIN LATERAL (SELECT own.* {own}{ahead} ORDER BY {order} LIMIT ${each}{skipped}) AS found LIMIT ${all}"
            ),
        };
        let behind = (page.check_opposite && !key.is_empty()).then(|| {
            let behind = beyond(if ascending { "<=" } else { ">=" });
            format!("SELECT input.n, (SELECT 1 {own}{behind} LIMIT 1) FROM {{rows}} AS input")
        });
        Self { page: statement, behind, scalars: scalars.collect(), key, ascending }
    }
}

/// All of the member `input`. Where no index has the order, PostgreSQL is kept from walking the memberbase in that order
/// in search of the member's rows by the OFFSET, over which it moves no condition and no order.
fn own<T: MemberChild>(backend: DbBackend) -> String {
    let (table, of) = (T::TABLE, "memberbase_id = input.memberbase_id AND own.member_id = input.member_id");
    match (backend, T::NEWEST_BY) {
        (DbBackend::Postgres, None) => {
            format!("FROM (SELECT * FROM {table} AS own WHERE own.{of} OFFSET 0) AS own WHERE true")
        }
        _ => format!("FROM {table} AS own WHERE own.{of}"),
    }
}

/// The same on SQLite does the plus.
fn id<T: MemberChild>(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Sqlite && T::NEWEST_BY.is_none() { "+own.id" } else { "own.id" }
}

fn order<T: MemberChild>(backend: DbBackend, ascending: bool) -> String {
    let direction = if ascending { "ASC" } else { "DESC" };
    let time = T::NEWEST_BY.map(|time| format!("own.{time} {direction}, ")).unwrap_or_default();
    format!("{time}{} {direction}", id::<T>(backend))
}

/// What stands on one side of the key, which is bound first.
fn beside<T: MemberChild>(backend: DbBackend, sign: &str) -> String {
    match T::NEWEST_BY {
        Some(time) => format!(" AND (own.{time}, own.id) {sign} ($1, $2)"),
        None => format!(" AND {} {sign} $1", id::<T>(backend)),
    }
}
