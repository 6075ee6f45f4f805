//! The algorithm of all bulk upserts, within one transaction:
//!
//! 1. Group the rows by key and sort the keys. All calls write in the order of keys, so they don't deadlock each other.
//! 2. Look up the stored rows and evaluate each key: its input rows are merged, in input order, into the stored state.
//!    This gives the outcome of each row, and the state to write, if any. A large call first probes 16 keys spread over
//!    all of them; if none of those is stored, all keys are evaluated as new, and are looked up only if some turn out
//!    to be stored.
//! 3. Insert the missing keys with `ON CONFLICT DO NOTHING`. Only if fewer rows were inserted than sent, look the keys
//!    up once more: a [new statement has a new snapshot][read-committed], which shows what concurrent calls have
//!    committed. Rows that belong to members lock those first (`FOR KEY SHARE`), so that the members stay until the
//!    rows are stored.
//! 4. Lock the stored rows that differ, evaluate them again by their locked state, and write them, a part at a time in the
//!    order of keys. SQLite has one writer, so it needs a second evaluation only if the states of all of them are too
//!    large to be kept.
//! 5. Report in input order. Ids are matched by key, because no database promises the order of `RETURNING`.
//!
//! An unchanged row is neither written nor locked. With [`OnError::RejectBatch`](super::OnError::RejectBatch) an
//! invalid row ends the call as soon as all invalid rows are known. If other calls delete rows that this one builds on,
//! the whole transaction is retried.
//!
//! [read-committed]: https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED

mod evaluate;
mod lookup;
mod small_state;

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use uuid::Uuid;

pub(in crate::domain) use self::small_state::SmallStateDraft;
use self::{evaluate::MAX_ROWS_PER_STEP, lookup::Differing};
use super::{Failures, Mode, Options, Outcome, Upserted, group::GroupedByKey, statement};
use crate::{
    budget,
    db::{ArrayColumn, ArrayTable, ColumnSpec, ColumnarRows, ScalarBind, Session, Steps},
    domain::{Error, RowError, access::Scope, member},
    types::{Id, MemoryLimits, RowKind, Time},
};

/// Maximum number of rows per write: larger statements are not faster, and are held in several forms at a time.
pub(in crate::domain) const MAX_WRITE_ROWS: usize = 50_000;

const PROBE_KEYS: usize = 16;

/// Minimum number of keys for a probe; with fewer keys it saves nothing.
const MIN_KEYS_TO_PROBE: usize = 256;

/// A kind of record that is stored in bulk.
pub(in crate::domain) trait Upsertable<'a>: Sync {
    type Id: Id;
    /// A valid row of the input.
    type Row: Send + Sync;
    /// The unique key within a memberbase.
    type Key: Ord + Copy + Send + Sync + 'a;
    /// All stored values except the key, the id and `updated_at`.
    type State: Send + Sync + 'a;
    /// The merged rows of one key, on top of its stored state.
    type Draft: Default + Send;

    /// The label of its row counters.
    const ROWS: RowKind;
    const TABLE: &'static str;
    /// The columns of the key.
    const KEY: &'static [&'static str];

    /// Returns the columns of the state.
    fn columns(&self) -> &'static [ColumnSpec];

    fn key(row: &Self::Row) -> Self::Key;

    fn key_values<'k>(keys: impl Iterator<Item = &'k Self::Key>) -> Vec<ArrayColumn<'k>>
    where
        'a: 'k;

    fn state_values<'s>(&self, states: impl Iterator<Item = &'s Self::State> + Clone) -> Vec<ArrayColumn<'s>>
    where
        'a: 's;

    /// Reads the states of `count` rows from consecutive columns.
    fn states(&self, columns: &ColumnarRows, first_column: usize, count: usize) -> Result<Vec<Self::State>, DbErr>;

    /// Returns why a row is invalid regardless of the stored state. Used for rows that the mode excludes from merging.
    fn validation_error(&self, _: &Self::Row) -> Option<RowError> {
        None
    }

    /// Merges a row into the draft. The draft stays as it is if the row is stale or fails.
    fn merge(&self, row: &Self::Row, stored: Option<&Self::State>, draft: &mut Self::Draft) -> Result<Merge, Error>;

    /// Returns the new state after at least one row was merged; `None` if it equals the stored one.
    fn finish(draft: Self::Draft, stored: Option<&Self::State>) -> Option<Change<Self::State>>;

    /// Returns the member to which the record belongs, which has to exist; `None` for members themselves.
    fn member(_: &Self::Key, _: &Self::State) -> Option<Uuid> {
        None
    }
}

pub(in crate::domain) enum Merge {
    Merged,
    /// The row is older than the stored state or than an earlier row.
    Stale,
    Failed(RowError),
}

/// A state to store.
pub(in crate::domain) struct Change<State> {
    pub(crate) state: State,
    /// True if readers see the difference, so that `updated_at` changes.
    pub(crate) visible: bool,
}

pub(in crate::domain) struct Stored<Id> {
    /// The outcomes of the rows, or the reason why the call stores nothing.
    pub(crate) outcome: Result<Upserted<Id>, Error>,
    /// The ids of all records that the valid rows name, each once, whatever the outcome of the rows; `None` for one
    /// that is not stored, or only within a dry run. If the call is rejected late, some may be ids that it inserted
    /// itself.
    pub(crate) touched_ids: Vec<Option<Uuid>>,
}

/// Stores the valid rows within a transaction. An invalid row is `None`, and has an entry in `failures`.
pub(in crate::domain) async fn store<'a, K: Upsertable<'a>>(
    session: &Session,
    scope: Scope,
    kind: &K,
    rows: &[Option<K::Row>],
    failures: Failures,
    options: Options,
) -> Stored<K::Id> {
    budget::allow(rows.len().saturating_mul(MemoryLimits::PER_ROW));
    let mut steps = session.steps();
    let keys = rows.iter().map(|row| row.as_ref().map(K::key));
    let groups = match GroupedByKey::new(keys, &mut steps).await {
        Ok(groups) => groups,
        Err(error) => return Stored { outcome: Err(error.into()), touched_ids: Vec::new() },
    };
    let ids = vec![None; groups.keys.len()];
    let outcomes = vec![Outcome::Failed; rows.len()];
    let updated_at = None;
    let mut run =
        UpsertRun { session, steps, scope, kind, rows, groups: &groups, options, ids, outcomes, failures, updated_at };
    let result = run.execute().await;
    let outcome = result.map(|()| run.report());
    Stored { outcome, touched_ids: run.ids }
}

/// The state of one call. `key` in its methods is an index of `groups.keys`.
struct UpsertRun<'c, 'a, K: Upsertable<'a>> {
    session: &'c Session,
    steps: Steps<'c>,
    scope: Scope,
    kind: &'c K,
    rows: &'c [Option<K::Row>],
    groups: &'c GroupedByKey<K::Key>,
    options: Options,
    /// The id of each key; `None` if it is not stored, or only within a dry run.
    ids: Vec<Option<Uuid>>,
    outcomes: Vec<Outcome>,
    failures: Failures,
    /// The time of all updates, however many statements write them; `None` before the first one.
    updated_at: Option<i64>,
}

/// The new state of a key.
struct PendingWrite<State> {
    /// Index of the key.
    key: usize,
    change: Change<State>,
}

impl<'a, K: Upsertable<'a>> UpsertRun<'_, 'a, K> {
    async fn execute(&mut self) -> Result<(), Error> {
        let on_error = self.options.on_error;
        let all_keys: Vec<usize> = (0..self.groups.keys.len()).collect();
        let mut updates = Differing::default();
        let mut inserts = Vec::new();
        let probably_new = self.probe_all_new().await?;
        let failures_before = self.failures.len();
        if probably_new {
            inserts = self.evaluate_missing(&all_keys).await?;
        }
        // Failures require a look-up even if the probe found nothing: a row that cannot create a record may still be a
        // valid update, and a rejected call reports the ids of the stored records that it names.
        let new_failures = self.failures.len() > failures_before;
        if !probably_new || new_failures || on_error.check(&self.failures).is_err() {
            updates = self.lookup(&all_keys, &[]).await?;
            inserts = self.evaluate_missing(&all_keys).await?;
        }
        on_error.check(&self.failures)?;
        if !inserts.is_empty() {
            updates.extend(self.insert(inserts).await?);
            on_error.check(&self.failures)?;
        }
        match updates.into_writes() {
            Ok(writes) if self.session.get_database_backend() == DbBackend::Sqlite => self.update(writes).await,
            Ok(writes) => self.lock_and_update(writes.iter().map(|write| write.key).collect()).await,
            Err(keys) => self.lock_and_update(keys).await,
        }
    }

    /// Returns whether none of a few keys is stored. A wrong guess only costs time: an insert skips stored keys.
    async fn probe_all_new(&mut self) -> Result<bool, Error> {
        let count = self.groups.keys.len();
        if count < MIN_KEYS_TO_PROBE || self.options.mode == Mode::UpdateOnly {
            return Ok(false);
        }
        let probed: Vec<_> = (0..PROBE_KEYS).map(|probe| probe * count / PROBE_KEYS).collect();
        self.lookup(&probed, &[]).await?;
        Ok(probed.iter().all(|&key| self.ids[key].is_none()))
    }

    /// Evaluates the keys that have no id as new ones.
    async fn evaluate_missing(&mut self, keys: &[usize]) -> Result<Vec<PendingWrite<K::State>>, Error> {
        let mut inserts = Vec::new();
        for &key in keys {
            if self.ids[key].is_none() {
                let mut merged = self.begin_key(None);
                for rows in self.groups.rows(key).chunks(MAX_ROWS_PER_STEP) {
                    if rows.len() == MAX_ROWS_PER_STEP || self.steps.is_due() {
                        self.steps.look().await?;
                    }
                    self.merge_rows(rows, &mut merged)?;
                }
                inserts.extend(self.finish_key(key, merged));
            }
        }
        Ok(inserts)
    }

    /// Inserts new keys. Returns the updates for keys that concurrent calls inserted first.
    async fn insert(&mut self, inserts: Vec<PendingWrite<K::State>>) -> Result<Differing<K::State>, Error> {
        if self.session.get_database_backend() != DbBackend::Sqlite {
            self.lock_members(&inserts).await?;
        }
        let (new_ids, input_order) = self.new_ids(&inserts).await?;
        let keys: Vec<_> = inserts.iter().map(|insert| insert.key).collect();
        let mut updates = Differing::default();
        if self.send_insert(&inserts, &new_ids, input_order).await? < inserts.len() as u64 {
            // A new statement has a new snapshot, which shows the rows of concurrent calls as well.
            updates = self.lookup(&keys, &new_ids).await?;
            self.require_all_found(&keys)?;
        } else {
            for (&key, &id) in keys.iter().zip(&new_ids) {
                self.ids[key] = Some(id);
            }
        }
        if self.options.dry_run {
            for (&key, &id) in keys.iter().zip(&new_ids) {
                self.ids[key] = self.ids[key].filter(|known| *known != id);
            }
        }
        Ok(updates)
    }

    /// Creates an id for each insert, ascending in input order. Also returns the indexes of `inserts` in input order.
    async fn new_ids(&mut self, inserts: &[PendingWrite<K::State>]) -> Result<(Vec<Uuid>, Vec<usize>), Error> {
        let mut by_first_row = vec![None; self.rows.len()];
        for (index, insert) in inserts.iter().enumerate() {
            by_first_row[self.groups.rows(insert.key)[0]] = Some(index);
        }
        let input_order: Vec<usize> = by_first_row.into_iter().flatten().collect();
        let mut ids = vec![Uuid::nil(); inserts.len()];
        for &index in &input_order {
            if self.steps.is_due() {
                self.steps.look().await?;
            }
            ids[index] = Uuid::now_v7();
        }
        Ok((ids, input_order))
    }

    /// Inserts the rows whose keys are still missing. Returns their number.
    async fn send_insert(
        &self,
        inserts: &[PendingWrite<K::State>],
        ids: &[Uuid],
        input_order: Vec<usize>,
    ) -> Result<u64, Error> {
        // PostgreSQL inserts in the order of keys: concurrent calls with the same keys then wait for each other in one
        // direction only. SQLite has one writer, and fills its pages best in the order of ids, the primary key; ids
        // ascend in input order.
        let backend = self.session.get_database_backend();
        let order = if backend == DbBackend::Sqlite { input_order } else { (0..inserts.len()).collect() };
        let state_columns: Vec<_> = self.state_column_names().collect();
        let sql = statement::insert(backend, K::TABLE, K::KEY, &state_columns);
        let scalars = [ScalarBind::Uuid(self.scope.memberbase().uuid()), ScalarBind::Int(Time::now().micros())];
        let mut inserted = 0;
        for chunk in order.chunks(MAX_WRITE_ROWS) {
            let mut columns = vec![("id", ArrayColumn::Uuids(chunk.iter().map(|&index| ids[index]).collect()))];
            let keys = chunk.iter().map(|&index| &self.groups.keys[inserts[index].key]);
            columns.extend(with_names(K::KEY.iter().copied(), K::key_values(keys)));
            let states = chunk.iter().map(|&index| &inserts[index].change.state);
            columns.extend(with_names(state_columns.iter().copied(), self.kind.state_values(states)));
            inserted += self.session.bulk(&sql, &scalars, &ArrayTable::new(columns)).await?;
        }
        self.session.record_inserts(K::TABLE, inserted);
        Ok(inserted)
    }

    /// Writes the states of stored rows, which are locked on PostgreSQL.
    async fn update(&mut self, updates: Vec<PendingWrite<K::State>>) -> Result<(), Error> {
        let state_columns: Vec<_> = self.state_column_names().collect();
        let sql = statement::update(self.session.get_database_backend(), K::TABLE, &state_columns);
        let now = *self.updated_at.get_or_insert_with(|| Time::now().micros());
        let scalars = [ScalarBind::Uuid(self.scope.memberbase().uuid())];
        for chunk in updates.chunks(MAX_WRITE_ROWS) {
            let ids = chunk.iter().filter_map(|update| self.ids[update.key]).collect();
            let times = chunk.iter().map(|update| update.change.visible.then_some(now)).collect();
            let mut columns = vec![("id", ArrayColumn::Uuids(ids)), ("updated_at", ArrayColumn::MaybeInts(times))];
            let states = chunk.iter().map(|update| &update.change.state);
            columns.extend(with_names(state_columns.iter().copied(), self.kind.state_values(states)));
            self.session.bulk(&sql, &scalars, &ArrayTable::new(columns)).await?;
        }
        Ok(())
    }

    fn state_column_names(&self) -> impl Iterator<Item = &'static str> {
        self.kind.columns().iter().map(|column| column.name())
    }

    /// Locks the members to which new rows belong, so that they are not deleted before the rows are stored.
    async fn lock_members(&self, inserts: &[PendingWrite<K::State>]) -> Result<(), Error> {
        let member_of =
            |insert: &PendingWrite<K::State>| K::member(&self.groups.keys[insert.key], &insert.change.state);
        let mut members: Vec<Uuid> = inserts.iter().filter_map(member_of).collect();
        members.sort_unstable();
        members.dedup();
        if members.is_empty() || member::lock_key_share(self.session, self.scope, members).await? {
            return Ok(());
        }
        self.retry()
    }

    /// Retries the transaction if a row that was stored before is gone.
    fn require_all_found(&self, keys: &[usize]) -> Result<(), Error> {
        if keys.iter().all(|&key| self.ids[key].is_some()) { Ok(()) } else { self.retry() }
    }

    /// Makes [`Db::write`](crate::db::Db::write) retry the transaction, because another call deleted rows that this one
    /// builds on. The error is returned after the last attempt.
    fn retry(&self) -> Result<(), Error> {
        self.session.mark_contended();
        Err(Error::Contention(DbErr::Custom("other calls keep deleting and inserting the same rows".to_owned())))
    }

    /// Returns the results in input order, and takes them out of `self`.
    fn report(&mut self) -> Upserted<K::Id> {
        let mut ids = vec![None; self.rows.len()];
        for (key, id) in self.ids.iter().enumerate() {
            for &row in self.groups.rows(key) {
                ids[row] = id.filter(|_| self.outcomes[row] != Outcome::Failed).map(K::Id::from_uuid);
            }
        }
        let outcomes = std::mem::take(&mut self.outcomes);
        let failures = std::mem::take(&mut self.failures);
        Upserted { ids, outcomes, failures }
    }
}

fn with_names<'a>(
    names: impl Iterator<Item = &'static str>,
    columns: Vec<ArrayColumn<'a>>,
) -> Vec<(&'static str, ArrayColumn<'a>)> {
    names.zip(columns).collect()
}
