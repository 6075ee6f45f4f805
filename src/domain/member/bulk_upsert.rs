//! Bulk upsert of members: any number of rows in one transaction, with an outcome for each row.
//!
//! If a sync is open, the call marks all members that its rows name as its last statement, whatever the outcome of the
//! rows. The rows are stored below a savepoint: if `REJECT_BATCH` rejects them, or in a dry run that names the sync,
//! they are rolled back and the marks alone are committed.

use std::sync::Arc;

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use super::{Member, member};
use crate::{
    app::App,
    db::{ArrayColumn, ColumnSpec, ColumnarRows, Session, list},
    domain::{
        Error, RowError,
        access::Scope,
        attribute::{AttributesDraft, Definition, Patch, Schema},
        bulk::{Change, Failures, Merge, Options, Stored, Undefinable, Upsertable, Upserted, store},
        change, field,
        import::{self, Record},
        memberbase::Memberbase,
        sync, text,
    },
    types::{Id, MemberId, RowKind, SyncId, Time},
};

#[derive(Clone, Debug)]
pub struct Row {
    pub(crate) reference: String,
    /// `None` for a row with only a ref (the common case in large uploads), which then needs less memory.
    optional: Option<Box<OptionalFields>>,
}

#[derive(Clone, Debug)]
struct OptionalFields {
    attributes: Undefinable<Box<str>>,
    source_updated_at: Undefinable<String>,
}

impl Row {
    /// Creates a row. `attributes` is a JSON object from key to value: an omitted key is kept, a null value removes it,
    /// and null instead of the object removes all. `source_updated_at` is an RFC 3339 date-time.
    pub fn new(reference: String, attributes: Undefinable<Box<str>>, source_updated_at: Undefinable<String>) -> Self {
        let any = attributes.is_some() || source_updated_at.is_some();
        let optional = any.then(|| Box::new(OptionalFields { attributes, source_updated_at }));
        Self { reference, optional }
    }
}

/// Returns the record of a batch with these results.
pub(crate) type RecordOf<'a> = &'a (dyn Fn(&Upserted<MemberId>) -> Record + Send + Sync);

/// Additions of an import to the upsert of one of its batches.
#[derive(Clone, Copy, Default)]
pub(crate) struct ImportBatch<'a> {
    /// Returns the record that is added to the import in the same transaction; not in a dry run.
    pub(crate) record_of: Option<RecordOf<'a>>,
    /// Attributes that a dry run takes as declared.
    pub(crate) assumed: &'a [Definition],
}

/// Returns the errors of a row that show without the stored member, of which an upsert reports the first.
pub(crate) fn row_errors(schema: &Schema, row: &Row) -> impl Iterator<Item = RowError> {
    let fields = row.optional.as_deref();
    let attributes = fields.and_then(|fields| fields.attributes.as_ref()?.as_deref());
    let time = fields
        .and_then(|fields| field::parse_optional("sourceUpdatedAt", &fields.source_updated_at, field::time).err());
    attributes.into_iter().flat_map(|json| schema.patch_errors(json)).chain(time)
}

/// Stores members. Repeating the call changes nothing and returns the same ids.
///
/// `sync_id` names a sync that has to be open. An open sync gets its marks from every call, except from a dry run that
/// does not name it.
pub async fn bulk_upsert(
    app: &App,
    scope: Scope,
    rows: &[Row],
    options: Options,
    sync_id: Option<SyncId>,
) -> Result<Upserted<MemberId>, Error> {
    bulk_upsert_batch(app, scope, rows, options, sync_id, ImportBatch::default()).await
}

/// Stores the members of a batch of an import as [`bulk_upsert`] does.
pub(crate) async fn bulk_upsert_batch(
    app: &App,
    scope: Scope,
    rows: &[Row],
    options: Options,
    sync_id: Option<SyncId>,
    batch: ImportBatch<'_>,
) -> Result<Upserted<MemberId>, Error> {
    let app = &app.dry_run_if(options.dry_run);
    let has_optional_fields = rows.iter().any(|row| row.optional.is_some());
    let mut steps = app.db.steps();
    let mut invalid_refs = Failures::new();
    let mut valid_rows = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        if steps.is_due() {
            steps.look().await?;
        }
        valid_rows.push(match text::ref_fault(&row.reference) {
            Some(error) => {
                invalid_refs.insert(index, error);
                None
            }
            None => Some(row),
        });
    }
    let upsert = async |session: Session, memberbase: Memberbase, open: Option<SyncId>| {
        sync::require_open_sync(&session, scope, sync_id, open).await?;
        let failures = invalid_refs.clone();
        let schema = memberbase.attribute_schema.with(if options.dry_run { batch.assumed } else { &[] })?;
        let members = Members::new(app, schema, has_optional_fields);
        let record = async |upserted: &Upserted<MemberId>| match batch.record_of.filter(|_| !options.dry_run) {
            Some(record_of) => import::record(&session, &record_of(upserted)).await,
            None => Ok(()),
        };
        let Some(sync) = open.filter(|_| !options.dry_run || sync_id.is_some()) else {
            if options.dry_run {
                session.set_rollback_only();
            }
            let upserted = store(&session, scope, &members, &valid_rows, failures, options).await.outcome?;
            record(&upserted).await?;
            return Ok(Ok(upserted));
        };
        session.execute_unprepared("SAVEPOINT rows").await?;
        let Stored { outcome, touched_ids } = store(&session, scope, &members, &valid_rows, failures, options).await;
        match &outcome {
            Ok(_) if !options.dry_run => {}
            // Only the marks are kept: the commit of the sync must not delete members because of an invalid row.
            Ok(_) | Err(Error::BadRows { .. }) => {
                session.execute_unprepared("ROLLBACK TO SAVEPOINT rows").await?;
            }
            Err(_) => return outcome.map(Ok),
        }
        sync::mark(&session, sync, touched_ids.into_iter().flatten().collect()).await?;
        if let Ok(upserted) = &outcome {
            record(upserted).await?;
        }
        Ok(outcome)
    };
    let upserted = sync::with_open_sync(app, scope, upsert).await??;
    if !options.dry_run {
        upserted.count(app, RowKind::Member);
        change::upserted(app, scope, &upserted);
    }
    Ok(upserted)
}

/// The members' implementation of [`Upsertable`].
pub(super) struct Members {
    schema: Schema,
    /// True if any row has more than a ref. If not, no state is read or written.
    has_state: bool,
    /// Maximum size of an attribute document.
    max_bytes: usize,
}

/// A member's mutable state; `None` for a member with only a ref (the common case in large uploads).
#[derive(Clone, Default)]
pub(super) struct State(Option<Box<MutableFields>>);

#[derive(Clone, Default)]
struct MutableFields {
    document: Option<String>,
    source_updated_at: Option<i64>,
}

/// The changes that the merged rows of a member make.
#[derive(Default)]
pub(super) struct Draft {
    /// The member's attributes, parsed at the first row that has attributes.
    attributes: Option<AttributesDraft>,
    source_updated_at: Undefinable<i64>,
}

impl State {
    fn new(document: Option<String>, source_updated_at: Option<i64>) -> Self {
        let any = document.is_some() || source_updated_at.is_some();
        Self(any.then(|| Box::new(MutableFields { document, source_updated_at })))
    }

    fn document(&self) -> Option<&str> {
        self.0.as_ref()?.document.as_deref()
    }

    fn source_updated_at(&self) -> Option<i64> {
        self.0.as_ref()?.source_updated_at
    }
}

impl Members {
    /// Set `has_state` if any row has more than a ref.
    pub(super) fn new(app: &App, schema: Schema, has_state: bool) -> Self {
        Self { schema, has_state, max_bytes: app.limits.row.attributes }
    }

    fn parse(&self, row: &Row) -> Result<(Undefinable<Patch>, Undefinable<Time>), RowError> {
        let Some(fields) = row.optional.as_deref() else { return Ok((None, None)) };
        let patch = match &fields.attributes {
            Some(Some(json)) => Some(Some(self.schema.read_patch(json)?)),
            Some(None) => Some(None),
            None => None,
        };
        let source_updated_at = field::parse_optional("sourceUpdatedAt", &fields.source_updated_at, field::time)?;
        Ok((patch, source_updated_at))
    }

    /// Merges a patch, or removes all attributes.
    fn merge_attributes(&self, attributes: &mut AttributesDraft, patch: Option<Patch>) -> Result<(), RowError> {
        match patch {
            Some(patch) => attributes.apply(patch, self.max_bytes).map_err(|bytes| self.too_large_error(bytes)),
            None => {
                attributes.clear();
                Ok(())
            }
        }
    }

    fn too_large_error(&self, bytes: usize) -> RowError {
        let max = self.max_bytes;
        let message =
            format!("attributes have {bytes} bytes in total, at most {max} are allowed (MEMBERBASE_MAX_ATTRIBUTES)");
        RowError::invalid("attributes", message)
    }
}

impl<'a> Upsertable<'a> for Members {
    type Id = MemberId;
    type Row = &'a Row;
    type Key = &'a str;
    type State = State;
    type Draft = Draft;

    const ROWS: RowKind = RowKind::Member;
    const TABLE: &'static str = "member";
    const KEY: &'static [&'static str] = &["ref"];

    fn columns(&self) -> &'static [ColumnSpec] {
        if self.has_state {
            &[ColumnSpec::Document("attributes"), ColumnSpec::MaybeInt("source_updated_at")]
        } else {
            &[]
        }
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
        if !self.has_state {
            return Vec::new();
        }
        vec![
            ArrayColumn::Documents(states.clone().map(State::document).collect()),
            ArrayColumn::MaybeInts(states.map(State::source_updated_at).collect()),
        ]
    }

    fn states(&self, columns: &ColumnarRows, first_column: usize, count: usize) -> Result<Vec<State>, DbErr> {
        if !self.has_state {
            return Ok(vec![State::default(); count]);
        }
        let mut documents = columns.cells(first_column)?;
        let mut times = columns.cells(first_column + 1)?;
        (0..count).map(|_| Ok(State::new(documents.take()?, times.take()?))).collect()
    }

    fn validation_error(&self, row: &Self::Row) -> Option<RowError> {
        self.parse(row).err()
    }

    fn merge(&self, row: &Self::Row, stored: Option<&State>, draft: &mut Draft) -> Result<Merge, Error> {
        let (patch, source_updated_at) = match self.parse(row) {
            Ok(parsed) => parsed,
            Err(error) => return Ok(Merge::Failed(error)),
        };
        let new_time = source_updated_at.map(|time| time.map(Time::micros));
        if let (Some(Some(new_time)), Some(current_time)) = (new_time, draft.source_updated_at(stored))
            && new_time < current_time
        {
            return Ok(Merge::Stale);
        }
        if let Some(patch) = patch {
            let attributes = match &mut draft.attributes {
                Some(attributes) => attributes,
                none => none.insert(AttributesDraft::read(stored.and_then(State::document))?),
            };
            if let Err(error) = self.merge_attributes(attributes, patch) {
                return Ok(Merge::Failed(error));
            }
        }
        draft.source_updated_at = new_time.or(draft.source_updated_at);
        Ok(Merge::Merged)
    }

    /// A different `sourceUpdatedAt` alone does not change `updatedAt`.
    fn finish(draft: Draft, stored: Option<&State>) -> Option<Change<State>> {
        let source_updated_at = draft.source_updated_at(stored);
        let changed = draft.attributes.filter(AttributesDraft::is_changed);
        let visible = stored.is_none() || changed.is_some();
        if !visible && source_updated_at == stored.and_then(State::source_updated_at) {
            return None;
        }
        let document = match changed {
            Some(attributes) => attributes.document(),
            None => stored.and_then(State::document).map(str::to_owned),
        };
        Some(Change { state: State::new(document, source_updated_at), visible })
    }
}

impl Draft {
    fn source_updated_at(&self, stored: Option<&State>) -> Option<i64> {
        self.source_updated_at.unwrap_or_else(|| stored.and_then(State::source_updated_at))
    }
}

/// Loads members in the order of `ids`; `None` for one that does not exist any more. An id that occurs twice is read once.
pub(crate) async fn load(app: &App, scope: Scope, ids: &[Option<MemberId>]) -> Result<Vec<Option<Arc<Member>>>, Error> {
    let mut uuids: Vec<_> = ids.iter().flatten().map(|id| id.uuid()).collect();
    uuids.sort_unstable();
    uuids.dedup();
    let has_id = list(app.db.backend(), super::column(member::Column::Id), ArrayColumn::Uuids(uuids));
    let mut rows = member::Entity::find()
        .filter(member::Column::MemberbaseId.eq(scope.memberbase().uuid()))
        .filter(has_id)
        .all(&app.db.read().await?)
        .await?;
    rows.sort_unstable_by_key(|row| row.id);
    let members: Vec<_> = rows.into_iter().map(|row| Arc::new(Member::from(row))).collect();
    let find = |id: &MemberId| {
        let index = members.binary_search_by_key(id, |member| member.id).ok()?;
        Some(members[index].clone())
    };
    Ok(ids.iter().map(|id| id.as_ref().and_then(find)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::attribute::{AttributeType, Definition, PARSED_DOCUMENTS};

    #[test]
    fn a_stored_document_is_parsed_once_for_all_rows_of_its_member() {
        let keys = ["plan", "note"].map(|key| Definition { key: key.to_owned(), kind: AttributeType::String });
        let members = Members { schema: Schema::new(keys.to_vec()).expect("a schema"), has_state: true, max_bytes: 60 };
        let note = "n".repeat(20);
        let stored = State::new(Some(format!(r#"{{"note":"{note}","plan":"a"}}"#)), None);
        let before = PARSED_DOCUMENTS.get();
        let mut draft = Draft::default();
        for plan in 0..1_000 {
            let row = Row::new("u1".to_owned(), Some(Some(format!(r#"{{"plan":"{plan}"}}"#).into())), None);
            assert!(matches!(members.merge(&&row, Some(&stored), &mut draft), Ok(Merge::Merged)));
            let too_large = format!(r#"{{"plan":"{}"}}"#, "p".repeat(50));
            let row = Row::new("u1".to_owned(), Some(Some(too_large.into())), None);
            assert!(matches!(members.merge(&&row, Some(&stored), &mut draft), Ok(Merge::Failed(_))));
        }
        let change = Members::finish(draft, Some(&stored)).expect("a change");
        assert_eq!(change.state.document(), Some(format!(r#"{{"note": "{note}", "plan": "999"}}"#).as_str()));
        assert_eq!(PARSED_DOCUMENTS.get() - before, 1);
    }
}
