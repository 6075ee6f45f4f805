//! Bulk upsert: any number of rows in one call, all of them in one transaction, an outcome for every row.

use sea_orm::{ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryResult};
use uuid::Uuid;

use super::{Member, member};
use crate::{
    app::App,
    db::{Column, Lock, Rows, Scalar, Session, list},
    domain::{
        Error,
        access::Scope,
        bulk::{self, Failures, Folded, Mode, OnError, Outcome},
        memberbase, text,
    },
    types::{Id, MemberId, Time},
};

/// How often what others inserted and deleted under our hands is looked for again.
const ROUNDS: usize = 20;

/// A row of the input.
#[derive(Clone, Debug)]
pub struct Row {
    /// The owner's key of the member.
    pub reference: String,
}

/// How rows are to be stored.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What bad rows do to the good ones.
    pub on_error: OnError,
    /// Which rows.
    pub mode: Mode,
    /// Do it all, and keep nothing.
    pub dry_run: bool,
}

/// What became of the rows, each list in the order of the input.
#[derive(Debug)]
pub struct Upserted {
    /// The rows' refs.
    pub rows: Vec<Row>,
    /// The members' ids; none for a row that failed, that was not there to be updated, or that a dry run would create.
    pub ids: Vec<Option<MemberId>>,
    /// What became of each.
    pub outcomes: Vec<Outcome>,
    /// Why the bad ones failed.
    pub failures: Failures,
}

/// A ref of the call, as it is in the database then.
#[derive(Clone, Copy)]
struct Stored {
    id: Uuid,
    created: bool,
}

/// Stores the rows. The same call again changes nothing and answers the same ids.
pub async fn bulk_upsert(app: &App, scope: Scope, rows: Vec<Row>, options: Options) -> Result<Upserted, Error> {
    let failures: Failures = rows
        .iter()
        .enumerate()
        .filter_map(|(index, row)| text::ref_fault(&row.reference).map(|error| (index, error)))
        .collect();
    bulk::judge(&failures, options.on_error)?;
    let folded = Folded::new(rows.iter().map(|row| row.reference.as_str()), &failures);
    let lock = Lock::Shared(scope.memberbase().uuid());
    let stored = app.db.write(lock, async |session| store(&session, scope, &folded, options).await).await?;
    let (ids, outcomes) = report(&folded, &stored, options);
    Ok(Upserted { rows, ids, outcomes, failures })
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

/// The transaction: reads what is there, inserts what is missing, in the order of refs.
async fn store(
    session: &Session,
    scope: Scope,
    folded: &Folded<'_>,
    options: Options,
) -> Result<Vec<Option<Stored>>, Error> {
    memberbase::ensure_exists(session, scope).await?;
    if options.dry_run {
        session.discard();
    }
    let mut stored = vec![None; folded.keys.len()];
    let mut missing: Vec<usize> = (0..folded.keys.len()).collect();
    let mut rounds = 0..ROUNDS;
    loop {
        look_up(session, scope, folded, &missing, &mut stored).await?;
        missing.retain(|&place| stored[place].is_none());
        if missing.is_empty() || options.mode == Mode::UpdateOnly {
            return Ok(stored);
        }
        if rounds.next().is_none() {
            session.contend();
            return Err(Error::Conflict("other calls delete and insert the same refs without end, try again".into()));
        }
        let ids = new_ids(folded, &missing);
        if insert(session, scope, folded, &missing, &ids).await? == missing.len() as u64 {
            for (&place, &id) in missing.iter().zip(&ids) {
                stored[place] = Some(Stored { id, created: true });
            }
            return Ok(stored);
        }
        // Others were faster with some of them: what is ours, and what is theirs, shows a new statement's snapshot.
        look_up(session, scope, folded, &missing, &mut stored).await?;
        for (&place, id) in missing.iter().zip(&ids) {
            if let Some(stored) = &mut stored[place] {
                stored.created = stored.id == *id;
            }
        }
        missing.retain(|&place| stored[place].is_none());
    }
}

/// Finds which of the refs at these places are there.
async fn look_up(
    session: &Session,
    scope: Scope,
    folded: &Folded<'_>,
    places: &[usize],
    stored: &mut [Option<Stored>],
) -> Result<(), Error> {
    if places.is_empty() {
        return Ok(());
    }
    let refs: Vec<_> = places.iter().map(|&place| folded.keys[place]).collect();
    let sql = "SELECT input.n, member.id FROM {rows} AS input \
        CROSS JOIN member WHERE member.memberbase_id = $1 AND member.ref = input.ref";
    let found = |row: QueryResult| {
        let n: i64 = row.try_get_by_index(0)?;
        let place = places[usize::try_from(n).expect("rows count from 0")];
        stored[place] = Some(Stored { id: row.try_get_by_index(1)?, created: false });
        Ok(())
    };
    let rows = Rows::new([("ref", Column::Texts(refs))]);
    Ok(session.bulk_each(sql, &[Scalar::Uuid(scope.memberbase().uuid())], &rows, found).await?)
}

/// Ids for the refs at these places, made in the order of the input.
fn new_ids(folded: &Folded<'_>, places: &[usize]) -> Vec<Uuid> {
    let mut in_input_order: Vec<usize> = (0..places.len()).collect();
    in_input_order.sort_unstable_by_key(|&at| folded.first[places[at]]);
    let mut ids = vec![Uuid::nil(); places.len()];
    for at in in_input_order {
        ids[at] = Uuid::now_v7();
    }
    ids
}

/// Inserts members with these ids, but for those whose ref is taken by now. Answers how many.
async fn insert(
    session: &Session,
    scope: Scope,
    folded: &Folded<'_>,
    places: &[usize],
    ids: &[Uuid],
) -> Result<u64, Error> {
    let mut inserted: Vec<_> = ids.iter().copied().zip(places.iter().map(|&place| folded.keys[place])).collect();
    // On PostgreSQL in the order of refs: whoever inserts the same ones does so in the same order, and so nobody waits
    // for one that waits for them. SQLite has one writer, and its pages fill up best in the order of ids, which is that
    // of the table that the rows are read from.
    let order = match session.get_database_backend() {
        DbBackend::Sqlite => {
            inserted.sort_unstable();
            ""
        }
        _ => "ORDER BY input.n",
    };
    let sql = format!(
        "INSERT INTO member (memberbase_id, id, ref, updated_at) \
        SELECT $1, input.id, input.ref, $2 FROM {{rows}} AS input WHERE true {order} \
        ON CONFLICT (memberbase_id, ref) DO NOTHING"
    );
    let scalars = [Scalar::Uuid(scope.memberbase().uuid()), Scalar::Int(Time::now().micros())];
    let (ids, refs): (Vec<_>, Vec<_>) = inserted.into_iter().unzip();
    let rows = Rows::new([("id", Column::Uuids(ids)), ("ref", Column::Texts(refs))]);
    Ok(session.bulk(&sql, &scalars, &rows).await?)
}

/// What became of each row, in the order of the input.
fn report(folded: &Folded<'_>, stored: &[Option<Stored>], options: Options) -> (Vec<Option<MemberId>>, Vec<Outcome>) {
    let told = folded.place.iter().enumerate().map(|(row, place)| {
        let Some(place) = *place else { return (None, Outcome::Failed) };
        let Some(Stored { id, created }) = stored[place] else { return (None, Outcome::Skipped) };
        let outcome = match options.mode {
            Mode::InsertOnly if !created => Outcome::Skipped,
            _ if created && folded.first[place] == row => Outcome::Created,
            _ => Outcome::Unchanged,
        };
        let kept = !(created && options.dry_run);
        (kept.then_some(MemberId::from_uuid(id)), outcome)
    });
    told.unzip()
}
