//! Rows of what belongs to members: each names the member whose it is.

use uuid::Uuid;

use crate::{
    app::App,
    db::{Lock, Session},
    domain::{
        Error, RowError,
        access::Scope,
        bulk::{Failures, Options, Outcome, Upsertable, Upserted, store},
        change,
        member::{self, MemberIdentifier},
        memberbase,
    },
    types::Id,
};

/// A row whose member is known.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct WithMember<Row> {
    /// The member.
    pub member: Uuid,
    /// The rest of the row.
    pub row: Row,
}

/// Stores rows of what belongs to members, as `read` reads them, in one transaction. The same call again changes nothing
/// and answers the same ids.
pub(in crate::domain) async fn bulk_upsert<'a, Given, Row, K>(
    app: &App,
    scope: Scope,
    kind: K,
    given: &'a [Given],
    options: Options,
    read: impl Fn(&'a Given) -> Read<'a, Row>,
) -> Result<Upserted<K::Id>, Error>
where
    Row: Copy + Send + Sync,
    K: Upsertable<'a, Row = WithMember<Row>>,
{
    let app = &app.dry_run_if(options.dry_run);
    let read = read_all(app, given, read).await?;
    let lock = Lock::Shared(scope.memberbase().uuid());
    let upsert = async |session: Session| upsert_in(&session, scope, &kind, &read, options).await;
    let (upserted, members) = app.db.write(lock, upsert).await?;
    if !options.dry_run {
        upserted.count(app, K::ROWS);
        change::updated(app, scope, touched_members(&upserted, &members));
    }
    Ok(upserted)
}

/// Reads all rows.
pub(in crate::domain) async fn read_all<'a, Given, Row>(
    app: &App,
    given: &'a [Given],
    read: impl Fn(&'a Given) -> Read<'a, Row>,
) -> Result<Vec<Read<'a, Row>>, Error> {
    let mut steps = app.db.steps();
    let mut rows = Vec::with_capacity(given.len());
    for given in given {
        steps.step().await?;
        rows.push(read(given));
    }
    Ok(rows)
}

/// A row that was read, with the name of its member.
pub(in crate::domain) type Read<'a, Row> = Result<(MemberIdentifier<'a>, Row), RowError>;

/// The members of rows that changed something, given the member of each row.
pub(in crate::domain) fn touched_members<Id>(
    upserted: &Upserted<Id>,
    members: &[Option<Uuid>],
) -> impl Iterator<Item = Uuid> {
    let rows = upserted.outcomes.iter().zip(members);
    rows.filter(|(outcome, _)| matches!(outcome, Outcome::Created | Outcome::Updated)).filter_map(|(_, member)| *member)
}

/// Stores rows within a transaction that holds the lock of the memberbase. Answers also the member of each row.
pub(in crate::domain) async fn upsert_in<'a, Row, K>(
    session: &Session,
    scope: Scope,
    kind: &K,
    read: &[Read<'a, Row>],
    options: Options,
) -> Result<(Upserted<K::Id>, Vec<Option<Uuid>>), Error>
where
    Row: Copy + Send + Sync,
    K: Upsertable<'a, Row = WithMember<Row>>,
{
    memberbase::ensure_exists(session, scope).await?;
    if options.dry_run {
        session.set_rollback_only();
    }
    let names: Vec<_> = read.iter().map(|read| read.as_ref().ok().map(|(member, _)| *member)).collect();
    let members = member::resolve(session, scope, &names).await?;
    let mut failures = Failures::new();
    let mut rows = Vec::with_capacity(read.len());
    let mut steps = session.steps();
    for (index, (read, member)) in read.iter().zip(&members).enumerate() {
        steps.step().await?;
        let row = match (read, *member) {
            (Ok((_, row)), Some(member)) => Ok(WithMember { member, row: *row }),
            (Ok((name, _)), None) => Err(name.not_found_error()),
            (Err(error), _) => Err(error.clone()),
        };
        rows.push(row.map_err(|error| failures.insert(index, error)).ok());
    }
    let upserted = store(session, scope, kind, &rows, failures, options).await.outcome?;
    Ok((upserted, members))
}
