//! Bulk upsert of members' children: each row names its member by id or ref.

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

/// A row with its resolved member.
#[derive(Clone, Copy, Debug)]
pub(in crate::domain) struct WithMember<Row> {
    pub(crate) member: Uuid,
    pub(crate) row: Row,
}

/// Parses and stores rows in one transaction. Repeating the call changes nothing and returns the same ids.
pub(in crate::domain) async fn bulk_upsert<'a, Input, Row, K>(
    app: &App,
    scope: Scope,
    kind: K,
    input: &'a [Input],
    options: Options,
    parse: impl Fn(&'a Input) -> ParsedRow<'a, Row>,
) -> Result<Upserted<K::Id>, Error>
where
    Row: Copy + Send + Sync,
    K: Upsertable<'a, Row = WithMember<Row>>,
{
    let app = &app.dry_run_if(options.dry_run);
    let rows = parse_all(app, input, parse).await?;
    let lock = Lock::Shared(scope.memberbase().uuid());
    let upsert = async |session: Session| upsert_in(&session, scope, &kind, &rows, options).await;
    let (upserted, members) = app.db.write(lock, upsert).await?;
    if !options.dry_run {
        upserted.count(app, K::ROWS);
        change::updated(app, scope, changed_members(&upserted, &members));
    }
    Ok(upserted)
}

/// Parses all rows, and stops at the deadline.
pub(in crate::domain) async fn parse_all<'a, Input, Row>(
    app: &App,
    input: &'a [Input],
    parse: impl Fn(&'a Input) -> ParsedRow<'a, Row>,
) -> Result<Vec<ParsedRow<'a, Row>>, Error> {
    let mut steps = app.db.steps();
    let mut rows = Vec::with_capacity(input.len());
    for row in input {
        steps.step().await?;
        rows.push(parse(row));
    }
    Ok(rows)
}

/// A parsed row with the identifier of its member, or the reason why it is invalid.
pub(in crate::domain) type ParsedRow<'a, Row> = Result<(MemberIdentifier<'a>, Row), RowError>;

/// Returns the members of the rows that were created or updated, given the member of each row.
pub(in crate::domain) fn changed_members<Id>(
    upserted: &Upserted<Id>,
    members: &[Option<Uuid>],
) -> impl Iterator<Item = Uuid> {
    let rows = upserted.outcomes.iter().zip(members);
    rows.filter(|(outcome, _)| matches!(outcome, Outcome::Created | Outcome::Updated)).filter_map(|(_, member)| *member)
}

/// Stores rows within a transaction that holds the memberbase's lock. Also returns the member of each row.
pub(in crate::domain) async fn upsert_in<'a, Row, K>(
    session: &Session,
    scope: Scope,
    kind: &K,
    parsed: &[ParsedRow<'a, Row>],
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
    let identifiers: Vec<_> = parsed.iter().map(|row| row.as_ref().ok().map(|(identifier, _)| *identifier)).collect();
    let members = member::resolve(session, scope, &identifiers).await?;
    let mut failures = Failures::new();
    let mut rows = Vec::with_capacity(parsed.len());
    let mut steps = session.steps();
    for (index, (parsed, member)) in parsed.iter().zip(&members).enumerate() {
        steps.step().await?;
        let row = match (parsed, *member) {
            (Ok((_, row)), Some(member)) => Ok(WithMember { member, row: *row }),
            (Ok((identifier, _)), None) => Err(identifier.not_found_error()),
            (Err(error), _) => Err(error.clone()),
        };
        rows.push(row.map_err(|error| failures.insert(index, error)).ok());
    }
    let upserted = store(session, scope, kind, &rows, failures, options).await.outcome?;
    Ok((upserted, members))
}
