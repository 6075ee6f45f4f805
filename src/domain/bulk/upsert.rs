//! The way of all bulk upserts through the database: read what is there, insert what is missing, write what differs. Where
//! everything seems to be new, it is inserted first, and read only where some of it was there.
//!
//! An unchanged row is neither written nor locked. All calls write in the order of their keys, so that none waits for
//! one that waits for it; what still goes wrong between them is done again, with the whole transaction.

use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use uuid::Uuid;

use super::{Failures, Mode, Options, Outcome, Upserted, group::GroupedByKey, statement};
use crate::{
    db::{ArrayColumn, ArrayTable, ColumnSpec, ColumnarRows, ScalarBind, Session, Steps},
    domain::{Error, RowError, access::Scope, member},
    types::{Id, RowKind, Time},
};

/// How many keys a statement looks up that reads ids alone: so many ids are nothing to hold.
const MAX_LOOKUP_IDS: usize = 100_000;

/// And how many one that reads states, which may have large documents, and are held twice for a moment.
const MAX_LOOKUP_STATES: usize = 2_000;

/// How many rows a statement writes: more of them gain no speed, and are held in several forms at a time.
pub(in crate::domain) const MAX_WRITE_ROWS: usize = 50_000;

/// How many keys are looked up to tell whether all of them are new.
const PROBE_KEYS: usize = 16;

/// Below so many keys a look at some of them saves nothing.
const MIN_KEYS_TO_PROBE: usize = 256;

/// A kind of thing that is stored in bulk.
pub(in crate::domain) trait Upsertable<'a>: Sync {
    /// Its ids.
    type Id: Id;
    /// A row of the input.
    type Row: Send + Sync;
    /// What tells things of this kind apart within a memberbase.
    type Key: Ord + Copy + Send + Sync + 'a;
    /// All of a thing but its key, its id and the time of its last change.
    type State: PartialEq + Send + Sync + 'a;

    /// What its rows are counted as.
    const ROWS: RowKind;
    /// The table.
    const TABLE: &'static str;
    /// The columns of the key.
    const KEY: &'static [&'static str];

    /// The columns of the state.
    fn columns(&self) -> &'static [ColumnSpec];

    /// The key of a row.
    fn key(row: &Self::Row) -> Self::Key;

    /// The values of the key's columns.
    fn key_values<'k>(keys: impl Iterator<Item = &'k Self::Key>) -> Vec<ArrayColumn<'k>>
    where
        'a: 'k;

    /// The values of the state's columns.
    fn state_values<'s>(&self, states: impl Iterator<Item = &'s Self::State> + Clone) -> Vec<ArrayColumn<'s>>
    where
        'a: 's;

    /// Reads the states of so many rows, whose columns begin at `from`.
    fn states(&self, columns: &ColumnarRows, from: usize, rows: usize) -> Result<Vec<Self::State>, DbErr>;

    /// What is wrong with a row, whatever is there; asked of rows that are not merged.
    fn fault(&self, _: &Self::Row) -> Option<RowError> {
        None
    }

    /// What a row makes of what is there; where nothing is, it makes something or fails.
    fn merge(&self, row: &Self::Row, stored: Option<&Self::State>) -> Result<Merge<Self::State>, Error>;

    /// Whether one who asks sees a difference. What else differs is stored all the same.
    fn differ(before: &Self::State, after: &Self::State) -> bool {
        before != after
    }

    /// The member that has to be there as long as the thing is; none for members themselves.
    fn member(_: &Self::Key, _: &Self::State) -> Option<Uuid> {
        None
    }
}

/// What a row makes of what is there.
pub(in crate::domain) enum Merge<State> {
    /// The same.
    Same,
    /// Something else, or the first of it.
    Into(State),
    /// Nothing: the row is older.
    Stale,
    /// Nothing: the row is bad.
    Failed(RowError),
}

impl<State: PartialEq> Merge<State> {
    /// What the row wants, where something else is stored.
    pub fn with(state: State, stored: Option<&State>) -> Self {
        if stored == Some(&state) { Self::Same } else { Self::Into(state) }
    }
}

/// What a call did.
pub(in crate::domain) struct Stored<Id> {
    /// What became of its rows, or why it did nothing.
    pub outcome: Result<Upserted<Id>, Error>,
    /// The things that its rows name, each once, also those of rows that failed or changed nothing; none where there is no
    /// such thing, or only for a dry run. Where the call is refused late, some may be of things that it made.
    pub named: Vec<Option<Uuid>>,
}

/// Stores the good rows (a bad one is none, and has its failure) within a transaction.
pub(in crate::domain) async fn store<'a, K: Upsertable<'a>>(
    session: &Session,
    scope: Scope,
    kind: &K,
    rows: &[Option<K::Row>],
    failures: Failures,
    options: Options,
) -> Stored<K::Id> {
    let mut steps = session.steps();
    let folded = match GroupedByKey::new(rows.iter().map(|row| row.as_ref().map(K::key)), &mut steps).await {
        Ok(folded) => folded,
        Err(error) => return Stored { outcome: Err(error.into()), named: Vec::new() },
    };
    let ids = vec![None; folded.keys.len()];
    let outcomes = vec![Outcome::Failed; rows.len()];
    let mut call = UpsertRun { session, steps, scope, kind, rows, groups: &folded, options, ids, outcomes, failures };
    let done = call.run().await;
    let outcome = done.map(|()| call.report());
    Stored { outcome, named: call.ids }
}

/// A call on its way.
struct UpsertRun<'c, 'a, K: Upsertable<'a>> {
    session: &'c Session,
    steps: Steps<'c>,
    scope: Scope,
    kind: &'c K,
    rows: &'c [Option<K::Row>],
    groups: &'c GroupedByKey<K::Key>,
    options: Options,
    /// Of each key the id; none where it is not there, or only for a dry run.
    ids: Vec<Option<Uuid>>,
    /// Of each row.
    outcomes: Vec<Outcome>,
    failures: Failures,
}

/// What is to be written of a key.
struct Change<State> {
    place: usize,
    state: State,
    /// Whether one who asks sees it.
    seen: bool,
}

impl<'a, K: Upsertable<'a>> UpsertRun<'_, 'a, K> {
    /// The whole way.
    async fn run(&mut self) -> Result<(), Error> {
        let on_error = self.options.on_error;
        let everything: Vec<usize> = (0..self.groups.keys.len()).collect();
        let (mut changes, mut missing) = (Vec::new(), Vec::new());
        let (seem_new, bad) = (self.probe_all_new().await?, self.failures.len());
        if seem_new {
            missing = self.missing(&everything).await?;
        }
        // A row that could not be the first of anything may well change what is there; and a call that is refused names who is
        // there all the same.
        if !seem_new || self.failures.len() > bad || on_error.check(&self.failures).is_err() {
            changes = self.look_up(&everything, &[], "").await?;
            missing = self.missing(&everything).await?;
        }
        on_error.check(&self.failures)?;
        if !missing.is_empty() {
            changes.extend(self.insert(missing).await?);
        }
        if !changes.is_empty() && self.session.get_database_backend() != DbBackend::Sqlite {
            changes.sort_unstable_by_key(|change| change.place);
            let places: Vec<_> = changes.iter().map(|change| change.place).collect();
            changes = self.look_up(&places, &[], "ORDER BY input.i FOR NO KEY UPDATE OF stored").await?;
            self.require_all_found(&places)?;
        }
        on_error.check(&self.failures)?;
        self.update(changes).await
    }

    /// Whether none of a few keys is there. A wrong guess costs time and nothing else: an insert leaves alone what is there.
    async fn probe_all_new(&mut self) -> Result<bool, Error> {
        let keys = self.groups.keys.len();
        if keys < MIN_KEYS_TO_PROBE || self.options.mode == Mode::UpdateOnly {
            return Ok(false);
        }
        let probed: Vec<_> = (0..PROBE_KEYS).map(|at| at * keys / PROBE_KEYS).collect();
        self.look_up(&probed, &[], "").await?;
        Ok(probed.iter().all(|&place| self.ids[place].is_none()))
    }

    /// Finds which of the keys at these places are there, and answers what their rows change of it; but not of those
    /// that have `ours` for an id, each at its place.
    async fn look_up(&mut self, places: &[usize], ours: &[Uuid], lock: &str) -> Result<Vec<Change<K::State>>, Error> {
        let mut changes = Vec::new();
        let state = self.kind.columns();
        let sql = statement::look_up(K::TABLE, K::KEY, state, lock);
        let names = [&[ColumnSpec::Int("n"), ColumnSpec::Id("id")], state].concat();
        let scalars = [ScalarBind::Uuid(self.scope.memberbase().uuid())];
        let most = if state.is_empty() { MAX_LOOKUP_IDS } else { MAX_LOOKUP_STATES };
        for (chunk, places) in places.chunks(most).enumerate() {
            let keys = K::key_values(places.iter().map(|&place| &self.groups.keys[place]));
            let rows = ArrayTable::new(with_names(K::KEY.iter().copied(), keys));
            let found = self.session.bulk_columns(&sql, &names, &scalars, &rows).await?;
            for &place in places {
                self.ids[place] = None;
            }
            let (numbers, ids) = (found.column::<usize>(0)?, found.column::<Uuid>(1)?);
            let states = self.kind.states(&found, 2, ids.len())?;
            for ((n, id), state) in numbers.into_iter().zip(ids).zip(states) {
                let place = places[n];
                self.ids[place] = Some(id);
                if ours.get(chunk * most + n) != Some(&id) {
                    changes.extend(self.evaluate(place, Some(&state)).await?);
                }
            }
        }
        Ok(changes)
    }

    /// Judges the rows of a key by what is there, and answers what they change of it.
    async fn evaluate(&mut self, place: usize, stored: Option<&K::State>) -> Result<Option<Change<K::State>>, Error> {
        let skipped = match self.options.mode {
            Mode::Upsert => false,
            Mode::InsertOnly => stored.is_some(),
            Mode::UpdateOnly => stored.is_none(),
        };
        let (mut now, mut first) = (None, None);
        for &row in self.groups.rows(place) {
            self.steps.step().await?;
            let Some(given) = &self.rows[row] else { continue };
            let merge = match skipped {
                true => self.kind.fault(given).map(Merge::Failed),
                false => Some(self.kind.merge(given, now.as_ref().or(stored))?),
            };
            self.failures.remove(&row);
            self.outcomes[row] = match merge {
                None => Outcome::Skipped,
                Some(Merge::Stale) => Outcome::Stale,
                Some(Merge::Failed(error)) => {
                    self.failures.insert(row, error);
                    Outcome::Failed
                }
                Some(merge) => {
                    first.get_or_insert(row);
                    if let Merge::Into(state) = merge {
                        now = Some(state);
                    }
                    Outcome::Unchanged
                }
            };
        }
        let (Some(first), Some(state)) = (first, now) else { return Ok(None) };
        let seen = stored.is_none_or(|stored| K::differ(stored, &state));
        if seen {
            self.outcomes[first] = if stored.is_some() { Outcome::Updated } else { Outcome::Created };
        }
        Ok(stored.is_none_or(|stored| *stored != state).then_some(Change { place, state, seen }))
    }

    /// What is to be inserted of the keys that are not there.
    async fn missing(&mut self, places: &[usize]) -> Result<Vec<Change<K::State>>, Error> {
        let mut missing = Vec::new();
        for &place in places {
            if self.ids[place].is_none() {
                missing.extend(self.evaluate(place, None).await?);
            }
        }
        Ok(missing)
    }

    /// Inserts what is missing; where others were faster, answers what is to be changed of theirs.
    async fn insert(&mut self, missing: Vec<Change<K::State>>) -> Result<Vec<Change<K::State>>, Error> {
        if self.session.get_database_backend() != DbBackend::Sqlite {
            self.lock_members(&missing).await?;
        }
        let (new, input_order) = self.new_ids(&missing).await?;
        let places: Vec<_> = missing.iter().map(|change| change.place).collect();
        let mut changes = Vec::new();
        if self.send_insert(&missing, &new, input_order).await? < missing.len() as u64 {
            // What is ours, and what is theirs, shows a new statement's snapshot.
            changes = self.look_up(&places, &new, "").await?;
            self.require_all_found(&places)?;
        } else {
            for (&place, &id) in places.iter().zip(&new) {
                self.ids[place] = Some(id);
            }
        }
        if self.options.dry_run {
            for (&place, &id) in places.iter().zip(&new) {
                self.ids[place] = self.ids[place].filter(|known| *known != id);
            }
        }
        Ok(changes)
    }

    /// Ids for what is missing, made in the order of the input; and that order of what is missing.
    async fn new_ids(&mut self, missing: &[Change<K::State>]) -> Result<(Vec<Uuid>, Vec<usize>), Error> {
        let mut by_first_row = vec![None; self.rows.len()];
        for (at, change) in missing.iter().enumerate() {
            by_first_row[self.groups.rows(change.place)[0]] = Some(at);
        }
        let input_order: Vec<usize> = by_first_row.into_iter().flatten().collect();
        let mut ids = vec![Uuid::nil(); missing.len()];
        for &at in &input_order {
            self.steps.step().await?;
            ids[at] = Uuid::now_v7();
        }
        Ok((ids, input_order))
    }

    /// Inserts with these ids all but those whose key is taken by now. Answers how many.
    async fn send_insert(
        &self,
        missing: &[Change<K::State>],
        ids: &[Uuid],
        input_order: Vec<usize>,
    ) -> Result<u64, Error> {
        // On PostgreSQL in the order of keys: whoever inserts the same ones does so in the same order, and so nobody waits
        // for one that waits for them. SQLite has one writer, and its pages fill up best in the order of ids, which is that
        // of the table that the rows are read from; ids are made in input order, and grow.
        let backend = self.session.get_database_backend();
        let order = if backend == DbBackend::Sqlite { input_order } else { (0..missing.len()).collect() };
        let state: Vec<_> = self.names().collect();
        let sql = statement::insert(backend, K::TABLE, K::KEY, &state);
        let scalars = [ScalarBind::Uuid(self.scope.memberbase().uuid()), ScalarBind::Int(Time::now().micros())];
        let mut inserted = 0;
        for order in order.chunks(MAX_WRITE_ROWS) {
            let mut columns = vec![("id", ArrayColumn::Uuids(order.iter().map(|&at| ids[at]).collect()))];
            let keys = order.iter().map(|&at| &self.groups.keys[missing[at].place]);
            columns.extend(with_names(K::KEY.iter().copied(), K::key_values(keys)));
            let states = order.iter().map(|&at| &missing[at].state);
            columns.extend(with_names(state.iter().copied(), self.kind.state_values(states)));
            inserted += self.session.bulk(&sql, &scalars, &ArrayTable::new(columns)).await?;
        }
        self.session.record_inserts(K::TABLE, inserted);
        Ok(inserted)
    }

    /// Writes what differs, of rows that nobody else can write meanwhile.
    async fn update(&mut self, changes: Vec<Change<K::State>>) -> Result<(), Error> {
        let columns: Vec<_> = self.names().collect();
        let sql = statement::update(self.session.get_database_backend(), K::TABLE, &columns);
        let now = Time::now().micros();
        let scalars = [ScalarBind::Uuid(self.scope.memberbase().uuid())];
        for changes in changes.chunks(MAX_WRITE_ROWS) {
            let ids = changes.iter().filter_map(|change| self.ids[change.place]).collect();
            let times = changes.iter().map(|change| change.seen.then_some(now)).collect();
            let mut rows = vec![("id", ArrayColumn::Uuids(ids)), ("updated_at", ArrayColumn::MaybeInts(times))];
            let states = changes.iter().map(|change| &change.state);
            rows.extend(with_names(columns.iter().copied(), self.kind.state_values(states)));
            self.session.bulk(&sql, &scalars, &ArrayTable::new(rows)).await?;
        }
        Ok(())
    }

    /// The names of the state's columns.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.kind.columns().iter().map(|column| column.name())
    }

    /// Keeps the members of what is inserted from being deleted before it is there.
    async fn lock_members(&self, missing: &[Change<K::State>]) -> Result<(), Error> {
        let of = |change: &Change<K::State>| K::member(&self.groups.keys[change.place], &change.state);
        let mut members: Vec<Uuid> = missing.iter().filter_map(of).collect();
        members.sort_unstable();
        members.dedup();
        if members.is_empty() || member::lock_key_share(self.session, self.scope, members).await? {
            return Ok(());
        }
        self.retry()
    }

    /// Has it all done again where something that was there is gone.
    fn require_all_found(&self, places: &[usize]) -> Result<(), Error> {
        if places.iter().all(|&place| self.ids[place].is_some()) { Ok(()) } else { self.retry() }
    }

    /// Has it all done again: others deleted what this call builds on.
    fn retry(&self) -> Result<(), Error> {
        self.session.mark_contended();
        Err(Error::Conflict("other calls delete and insert the same rows without end, try again".to_owned()))
    }

    /// What became of each row, in the order of the input.
    fn report(&mut self) -> Upserted<K::Id> {
        let mut ids = vec![None; self.rows.len()];
        for (place, id) in self.ids.iter().enumerate() {
            for &row in self.groups.rows(place) {
                ids[row] = id.filter(|_| self.outcomes[row] != Outcome::Failed).map(K::Id::from_uuid);
            }
        }
        let (outcomes, failures) = (std::mem::take(&mut self.outcomes), std::mem::take(&mut self.failures));
        Upserted { ids, outcomes, failures }
    }
}

fn with_names<'a>(
    names: impl Iterator<Item = &'static str>,
    columns: Vec<ArrayColumn<'a>>,
) -> Vec<(&'static str, ArrayColumn<'a>)> {
    names.zip(columns).collect()
}
