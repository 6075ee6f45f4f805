//! Bulk upsert: any number of rows in one call, all of them in one transaction, an outcome for every row.

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use super::{Member, member};
use crate::{
    app::App,
    db::{ArrayColumn, ColumnSpec, ColumnarRows, Session, list},
    domain::{
        Error, RowError, RowErrorCode,
        access::Scope,
        attribute::{Attributes, Patch, Schema},
        bulk::{Failures, Merge, Options, Stored, Undefinable, Upsertable, Upserted, store},
        change, field,
        memberbase::Memberbase,
        sync, text,
    },
    types::{Id, MemberId, RowKind, SyncId, Time},
};

/// A row of the input.
#[derive(Clone, Debug)]
pub struct Row {
    /// The owner's key of the member.
    pub reference: String,
    /// What else it says; nothing where it is of a ref alone, as a million of them may be.
    rest: Option<Box<Rest>>,
}

#[derive(Clone, Debug)]
struct Rest {
    attributes: Undefinable<Box<str>>,
    source_updated_at: Undefinable<String>,
}

impl Row {
    /// A row. Attributes are a JSON object from key to value: a key left out stays, null removes it; null for all of it
    /// removes all. The time when the owner last changed the member is as RFC 3339 has it.
    pub fn new(reference: String, attributes: Undefinable<Box<str>>, source_updated_at: Undefinable<String>) -> Self {
        let any = attributes.is_some() || source_updated_at.is_some();
        Self { reference, rest: any.then(|| Box::new(Rest { attributes, source_updated_at })) }
    }
}

/// Stores the rows, as a part of a sync where one is named, which then has to be open. The same call again changes nothing and
/// answers the same ids.
///
/// Where a sync is open in the memberbase, it has seen all members that the rows name, whatever becomes of the rows; named
/// or not, but for a dry run, which has to name it.
pub async fn bulk_upsert(
    app: &App,
    scope: Scope,
    rows: &[Row],
    options: Options,
    part_of: Option<SyncId>,
) -> Result<Upserted<MemberId>, Error> {
    let app = &app.dry_run_if(options.dry_run);
    let full = rows.iter().any(|row| row.rest.is_some());
    let mut steps = app.db.steps();
    let mut bad_refs = Failures::new();
    let mut good = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        steps.step().await?;
        good.push(match text::ref_fault(&row.reference) {
            Some(error) => {
                bad_refs.insert(index, error);
                None
            }
            None => Some(row),
        });
    }
    let upsert = async |session: Session, memberbase: Memberbase, open: Option<SyncId>| {
        sync::require_open_sync(&session, scope, part_of, open).await?;
        let failures = bad_refs.clone();
        let members = Members::new(app, memberbase.attribute_schema, full);
        let Some(sync) = open.filter(|_| !options.dry_run || part_of.is_some()) else {
            if options.dry_run {
                session.set_rollback_only();
            }
            return store(&session, scope, &members, &good, failures, options).await.outcome.map(Ok);
        };
        session.execute_unprepared("SAVEPOINT rows").await?;
        let Stored { outcome, named } = store(&session, scope, &members, &good, failures, options).await;
        match &outcome {
            Ok(_) if !options.dry_run => {}
            // The marks are kept, and they alone: a bad row gets no member deleted.
            Ok(_) | Err(Error::BadRows { .. }) => {
                session.execute_unprepared("ROLLBACK TO SAVEPOINT rows").await?;
            }
            Err(_) => return outcome.map(Ok),
        }
        sync::mark(&session, sync, named.into_iter().flatten().collect()).await?;
        Ok(outcome)
    };
    let upserted = sync::with_open_sync(app, scope, upsert).await??;
    if !options.dry_run {
        upserted.count(app, RowKind::Member);
        change::upserted(app, scope, &upserted);
    }
    Ok(upserted)
}

/// How members are stored.
pub(super) struct Members {
    schema: Schema,
    /// Whether any row says more than a ref; else nothing more is read.
    full: bool,
    /// The most bytes of a document.
    max_bytes: usize,
}

/// What of a member can change; nothing where it has none of it, as most have in large calls of refs alone.
#[derive(Clone, Default, PartialEq)]
pub(super) struct State(Option<Box<Full>>);

#[derive(Clone, Default)]
struct Full {
    document: Option<String>,
    source_updated_at: Option<i64>,
}

impl PartialEq for Full {
    fn eq(&self, other: &Self) -> bool {
        self.source_updated_at == other.source_updated_at && same(self.document.as_deref(), other.document.as_deref())
    }
}

/// Whether two documents hold the same values: PostgreSQL writes them in another form than they were given to it.
fn same(left: Option<&str>, right: Option<&str>) -> bool {
    left == right || matches!((Attributes::read(left), Attributes::read(right)), (Ok(left), Ok(right)) if left == right)
}

impl State {
    fn new(document: Option<String>, source_updated_at: Option<i64>) -> Self {
        let any = document.is_some() || source_updated_at.is_some();
        Self(any.then(|| Box::new(Full { document, source_updated_at })))
    }

    fn document(&self) -> Option<&str> {
        self.0.as_ref()?.document.as_deref()
    }

    fn source_updated_at(&self) -> Option<i64> {
        self.0.as_ref()?.source_updated_at
    }
}

impl Members {
    /// By this schema; `full` where any row says more than a ref.
    pub(super) fn new(app: &App, schema: Schema, full: bool) -> Self {
        Self { schema, full, max_bytes: app.limits.row.attributes }
    }

    fn read(&self, row: &Row) -> Result<(Undefinable<Patch>, Undefinable<Time>), RowError> {
        let Some(rest) = row.rest.as_deref() else { return Ok((None, None)) };
        let patch = match &rest.attributes {
            Some(Some(json)) => Some(Some(self.schema.read_patch(json)?)),
            given => given.as_ref().map(|_| None),
        };
        Ok((patch, field::parse_optional("sourceUpdatedAt", &rest.source_updated_at, field::time)?))
    }

    /// The document that a patch makes of one; the same text where no value differs.
    fn patched(
        &self,
        stored: Option<&str>,
        patch: Undefinable<Patch>,
    ) -> Result<Result<Option<String>, RowError>, Error> {
        let before = || stored.map(str::to_owned);
        let Some(patch) = patch else { return Ok(Ok(before())) };
        let Some(patch) = patch else { return Ok(Ok(None)) };
        let old = Attributes::read(stored)?;
        let mut new = old.clone();
        patch.apply(&mut new);
        let document = if new == old { before() } else { new.document() };
        match document {
            Some(text) if new != old && text.len() > self.max_bytes => Ok(Err(self.too_large(text.len()))),
            document => Ok(Ok(document)),
        }
    }

    fn too_large(&self, bytes: usize) -> RowError {
        let most = self.max_bytes;
        let message =
            format!("attributes have {bytes} bytes together, at most {most} are allowed (MEMBERBASE_MAX_ATTRIBUTES)");
        RowError { code: RowErrorCode::InvalidValue, message, path: vec!["attributes".to_owned()] }
    }
}

impl<'a> Upsertable<'a> for Members {
    type Id = MemberId;
    type Row = &'a Row;
    type Key = &'a str;
    type State = State;

    const ROWS: RowKind = RowKind::Member;
    const TABLE: &'static str = "member";
    const KEY: &'static [&'static str] = &["ref"];

    fn columns(&self) -> &'static [ColumnSpec] {
        if self.full { &[ColumnSpec::Document("attributes"), ColumnSpec::MaybeInt("source_updated_at")] } else { &[] }
    }

    fn key(row: &Self::Row) -> Self::Key {
        &row.reference
    }

    fn key_values<'k>(keys: impl Iterator<Item = &'k Self::Key>) -> Vec<ArrayColumn<'k>>
    where
        'a: 'k,
    {
        vec![ArrayColumn::Texts(keys.copied().collect())]
    }

    fn state_values<'s>(&self, states: impl Iterator<Item = &'s State> + Clone) -> Vec<ArrayColumn<'s>>
    where
        'a: 's,
    {
        if !self.full {
            return Vec::new();
        }
        vec![
            ArrayColumn::Documents(states.clone().map(State::document).collect()),
            ArrayColumn::MaybeInts(states.map(State::source_updated_at).collect()),
        ]
    }

    fn states(&self, columns: &ColumnarRows, from: usize, rows: usize) -> Result<Vec<State>, DbErr> {
        if !self.full {
            return Ok(vec![State::default(); rows]);
        }
        let mut documents = columns.cells(from)?;
        let mut times = columns.cells(from + 1)?;
        (0..rows).map(|_| Ok(State::new(documents.take()?, times.take()?))).collect()
    }

    fn fault(&self, row: &Self::Row) -> Option<RowError> {
        self.read(row).err()
    }

    fn merge(&self, row: &Self::Row, stored: Option<&State>) -> Result<Merge<State>, Error> {
        let (patch, time) = match self.read(row) {
            Ok(read) => read,
            Err(error) => return Ok(Merge::Failed(error)),
        };
        let known = stored.and_then(State::source_updated_at);
        let time = time.map(|time| time.map(Time::micros));
        if let (Some(Some(time)), Some(known)) = (time, known)
            && time < known
        {
            return Ok(Merge::Stale);
        }
        match self.patched(stored.and_then(State::document), patch)? {
            Ok(document) => Ok(Merge::with(State::new(document, time.unwrap_or(known)), stored)),
            Err(error) => Ok(Merge::Failed(error)),
        }
    }

    /// The owner's clock alone is no change.
    fn differ(before: &State, after: &State) -> bool {
        !same(before.document(), after.document())
    }
}

/// The members with these ids, in this order; none where there is none any more.
pub async fn load(app: &App, scope: Scope, ids: &[Option<MemberId>]) -> Result<Vec<Option<Member>>, Error> {
    let uuids: Vec<_> = ids.iter().flatten().map(|id| id.uuid()).collect();
    let asked = list(app.db.backend(), super::column(member::Column::Id), ArrayColumn::Uuids(uuids));
    let mut rows = member::Entity::find()
        .filter(member::Column::MemberbaseId.eq(scope.memberbase().uuid()))
        .filter(asked)
        .all(&app.db.read().await?)
        .await?;
    rows.sort_unstable_by_key(|row| row.id);
    let find = |id: &MemberId| rows.binary_search_by_key(&id.uuid(), |row| row.id).ok();
    Ok(ids.iter().map(|id| id.as_ref().and_then(find).map(|place| rows[place].clone().into())).collect())
}
