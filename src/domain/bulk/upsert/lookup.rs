//! Looks up and evaluates stored rows, a part at a time: the states of all of them can be large together.

use sea_orm::{ConnectionTrait, DbBackend};
use uuid::Uuid;

use super::{MAX_ROWS_PER_STEP, PendingWrite, UpsertRun, Upsertable, statement, with_names};
use crate::{
    budget,
    db::{ArrayTable, ColumnSpec, ScalarBind},
    domain::Error,
    types::Id,
};

/// Maximum number of keys per look-up that reads ids only, which need little memory.
const MAX_LOOKUP_IDS: usize = 100_000;

/// Maximum number of keys per look-up that also reads states.
const MAX_LOOKUP_STATES: usize = 2_000;

/// Number of keys of a call's first look-up that reads states, whose sizes are not known yet.
const FIRST_LOOKUP_STATES: usize = 250;

/// The memory of the states of one look-up. They are briefly held in several forms.
const LOOKUP_BYTES: usize = 16 << 20;

/// Maximum memory of new states that are kept until all are evaluated.
const MAX_KEPT_BYTES: usize = 32 << 20;

/// The keys whose stored rows differ from their input.
pub(super) struct Differing<State> {
    keys: Vec<usize>,
    /// The new states; empty if they are too large to be kept.
    writes: Vec<PendingWrite<State>>,
    bytes: usize,
}

impl<State> Default for Differing<State> {
    fn default() -> Self {
        Self { keys: Vec::new(), writes: Vec::new(), bytes: 0 }
    }
}

impl<State> Differing<State> {
    pub(super) fn extend(&mut self, more: Self) {
        self.keys.extend(more.keys);
        self.writes.extend(more.writes);
        self.bytes += more.bytes;
        if self.bytes > MAX_KEPT_BYTES {
            self.writes = Vec::new();
        }
    }

    /// Returns the new states, or the keys if those are not kept.
    pub(super) fn into_writes(self) -> Result<Vec<PendingWrite<State>>, Vec<usize>> {
        if self.bytes > MAX_KEPT_BYTES { Err(self.keys) } else { Ok(self.writes) }
    }
}

/// A statement that looks keys up, and the number of keys for its next execution.
struct Lookup {
    sql: String,
    columns: Vec<ColumnSpec>,
    reads_states: bool,
    keys: usize,
}

impl Lookup {
    fn new<'a, K: Upsertable<'a>>(kind: &K, lock: &str) -> Self {
        let state_columns = kind.columns();
        let reads_states = !state_columns.is_empty();
        Self {
            sql: statement::lookup(K::TABLE, K::KEY, state_columns, lock),
            columns: [&[ColumnSpec::Int("n"), ColumnSpec::Id("id")], state_columns].concat(),
            reads_states,
            keys: if reads_states { FIRST_LOOKUP_STATES } else { MAX_LOOKUP_IDS },
        }
    }

    /// Adapts the number of keys to the memory that the states of some keys took.
    fn adapt(&mut self, states: usize, bytes: usize) {
        if self.reads_states && states > 0 {
            let per_state = (bytes / states).max(1);
            self.keys = (LOOKUP_BYTES / per_state).clamp(FIRST_LOOKUP_STATES / 4, MAX_LOOKUP_STATES);
        }
    }
}

impl<'a, K: Upsertable<'a>> UpsertRun<'_, 'a, K> {
    /// Looks up keys, sets their ids, and evaluates the stored ones. Skips the evaluation of a row with the id that
    /// `inserted` has at the key's position in `keys`: this call inserted it.
    pub(super) async fn lookup(&mut self, keys: &[usize], inserted: &[Uuid]) -> Result<Differing<K::State>, Error> {
        let mut differing = Differing::default();
        let mut lookup = Lookup::new(self.kind, "");
        let mut done = 0;
        while done < keys.len() {
            let part = &keys[done..keys.len().min(done + lookup.keys)];
            let found = self.lookup_part(&mut lookup, part, inserted.get(done..).unwrap_or_default()).await?;
            differing.extend(found);
            done += part.len();
        }
        Ok(differing)
    }

    /// Locks the stored rows of keys on PostgreSQL, evaluates them by their locked state, and writes those that differ.
    pub(super) async fn lock_and_update(&mut self, mut keys: Vec<usize>) -> Result<(), Error> {
        keys.sort_unstable();
        let is_sqlite = self.session.get_database_backend() == DbBackend::Sqlite;
        let lock = if is_sqlite { "" } else { "ORDER BY input.i FOR NO KEY UPDATE OF stored" };
        let mut lookup = Lookup::new(self.kind, lock);
        let mut done = 0;
        while done < keys.len() {
            let part = &keys[done..keys.len().min(done + lookup.keys)];
            let found = self.lookup_part(&mut lookup, part, &[]).await?;
            self.require_all_found(part)?;
            self.options.on_error.check(&self.failures)?;
            self.update(found.writes).await?;
            done += part.len();
        }
        Ok(())
    }

    async fn lookup_part(
        &mut self,
        lookup: &mut Lookup,
        keys: &[usize],
        inserted: &[Uuid],
    ) -> Result<Differing<K::State>, Error> {
        let key_values = K::key_values(keys.iter().map(|&key| &self.groups.keys[key]));
        let rows = ArrayTable::new(with_names(K::KEY.iter().copied(), key_values));
        let scalars = [ScalarBind::Uuid(self.scope.memberbase().uuid())];
        let found = self.session.bulk_columns(&lookup.sql, &lookup.columns, &scalars, &rows).await?;
        for &key in keys {
            self.ids[key] = None;
        }
        let positions = found.column::<usize>(0)?;
        let ids = found.column::<Uuid>(1)?;
        let (states, bytes) = budget::allocated_by(|| self.kind.states(&found, 2, ids.len()));
        let (states, bytes) = (states?, usize::try_from(bytes).unwrap_or(0));
        drop(found);
        lookup.adapt(states.len(), bytes);
        let bytes_per_state = bytes / states.len().max(1);
        let mut differing = Differing::default();
        for ((position, id), state) in positions.into_iter().zip(ids).zip(states) {
            let key = keys[position];
            self.ids[key] = Some(id);
            if inserted.get(position) != Some(&id) {
                let mut merged = self.begin_key(Some(&state));
                for rows in self.groups.rows(key).chunks(MAX_ROWS_PER_STEP) {
                    if rows.len() == MAX_ROWS_PER_STEP || self.steps.is_due() {
                        self.steps.look().await?;
                    }
                    self.merge_rows(rows, &mut merged)?;
                }
                if let Some(write) = self.finish_key(key, merged) {
                    differing.keys.push(key);
                    differing.writes.push(write);
                    differing.bytes += bytes_per_state;
                }
            }
        }
        Ok(differing)
    }
}
