//! Pages of members, stored by column.

use std::ops::BitOr;

use sea_orm::{DbBackend, DbErr, QuerySelect, QueryTrait, Select, sea_query::ExprTrait};
use uuid::Uuid;

use super::{Member, MemberView, column};
use crate::{
    budget::{self, Exceeded, Held},
    db::{ColumnSpec, Session, TextColumn},
    domain::attribute::Document,
    entity::member,
    types::{Id, MemberId, MemberbaseId, RowLimits, Slice, Time},
};

/// Maximum number of bytes that a statement of a page reads if all its rows have their maximum size.
const MAX_STATEMENT_BYTES: usize = 72 << 20;

/// Number of bytes that a statement of a page may read. The result is in memory several times for a moment: on SQLite where the
/// request's budget does not see it, and where a further statement costs little.
fn statement_bytes(backend: DbBackend) -> usize {
    match backend {
        DbBackend::Sqlite => 16 << 20,
        _ => MAX_STATEMENT_BYTES,
    }
}

/// The part of [`statement_bytes`] that a statement after the first one reads, beside the rows of those before, if its rows
/// are as large as the largest of them.
const FURTHER_STATEMENT_PART: usize = 4;

/// Maximum size of a row without its attributes: the ref, the id and the times.
const MAX_SMALL_COLUMNS_BYTES: usize = 2 << 10;

/// Size of a result from which its memory is held while it is read.
const MIN_HELD_BYTES: usize = 8 << 20;

/// Copies of a result while it is read: that of the database or the connection's buffer, and the row.
const COPIES: usize = 2;

/// A set of a member's columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemberColumns(u8);

impl MemberColumns {
    pub(crate) const REF: Self = Self(1);
    pub(crate) const ATTRIBUTES: Self = Self(2);
    pub(crate) const UPDATED_AT: Self = Self(4);
    pub(crate) const SOURCE_UPDATED_AT: Self = Self(8);
    pub(crate) const ALL: Self = Self(15);

    fn contains(self, column: Self) -> bool {
        self.0 & column.0 != 0
    }

    /// Returns the number of rows that the first statement of a page may read, at least 2.
    pub(super) fn rows_of_first_statement(self, backend: DbBackend, limits: &RowLimits) -> u64 {
        (statement_bytes(backend) / self.max_row_bytes(limits)).max(2) as u64
    }

    /// Returns the number of rows that any other statement of a page may read, at least 2.
    pub(super) fn max_rows_of_statement(self, limits: &RowLimits) -> u64 {
        (MAX_STATEMENT_BYTES / self.max_row_bytes(limits)).max(2) as u64
    }

    fn max_row_bytes(self, limits: &RowLimits) -> usize {
        let attributes = if self.contains(Self::ATTRIBUTES) { limits.attributes } else { 0 };
        MAX_SMALL_COLUMNS_BYTES.saturating_add(attributes)
    }

    /// Holds memory of the process while a statement reads this number of rows, if they can be large: the result arrives
    /// as a whole, before the request's budget shows it.
    pub(super) async fn hold(self, rows: u64, limits: &RowLimits) -> Result<Option<Held>, Exceeded> {
        let bytes = self.max_row_bytes(limits).saturating_mul(usize::try_from(rows).unwrap_or(usize::MAX));
        if bytes < MIN_HELD_BYTES { Ok(None) } else { budget::hold(bytes.saturating_mul(COPIES)).await }
    }
}

impl BitOr for MemberColumns {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A page of members. A column that was not read is empty.
#[derive(Debug)]
pub(crate) struct MemberPage {
    memberbase: MemberbaseId,
    rows: MemberRows,
    /// The page. Its rows are indexes into the columns.
    pub(crate) slice: Slice<usize>,
}

/// Rows of members in the order in which they were read. A column that was not read is empty.
#[derive(Debug)]
pub(super) struct MemberRows {
    ids: Vec<Uuid>,
    references: TextColumn,
    documents: TextColumn,
    updated_at: Vec<i64>,
    source_updated_at: Vec<Option<i64>>,
}

impl MemberPage {
    pub(super) fn new(
        memberbase: MemberbaseId,
        rows: MemberRows,
        slice: impl FnOnce(Vec<usize>) -> Slice<usize>,
    ) -> Self {
        Self { memberbase, slice: slice((0..rows.ids.len()).collect()), rows }
    }

    /// Returns the member at an index of the columns. Values that were not read have defaults.
    pub(crate) fn member(&self, index: usize) -> MemberView<'_> {
        self.rows.view(self.memberbase, index)
    }

    /// Returns the members of the page in its order, whose attributes share its memory.
    pub(crate) fn to_members(&self) -> Vec<Member> {
        let member = |&index: &usize| {
            let view = self.member(index);
            Member {
                id: view.id,
                memberbase: view.memberbase,
                reference: view.reference.to_owned(),
                attributes: Document::new(self.rows.documents.share(index)),
                updated_at: view.updated_at,
                source_updated_at: view.source_updated_at,
            }
        };
        self.slice.rows.iter().map(member).collect()
    }

    /// Returns the members of the page in its order.
    pub(crate) fn members(&self) -> impl ExactSizeIterator<Item = MemberView<'_>> {
        self.slice.rows.iter().map(|&index| self.member(index))
    }
}

impl MemberRows {
    pub(super) fn len(&self) -> u64 {
        self.ids.len() as u64
    }

    /// Returns the number of rows that the next statement may read, at least 2 and at most `max`, which is small enough for
    /// rows of any size: those that follow may be far larger than these.
    pub(super) fn rows_of_next_statement(&self, backend: DbBackend, max: u64) -> u64 {
        let largest = self.references.max_bytes() + self.documents.max_bytes() + size_of::<Uuid>();
        let expected = statement_bytes(backend) / (FURTHER_STATEMENT_PART * largest);
        (expected as u64).clamp(2, max)
    }

    pub(super) fn last_index(&self) -> usize {
        self.ids.len().saturating_sub(1)
    }

    #[inline]
    pub(super) fn view(&self, memberbase: MemberbaseId, index: usize) -> MemberView<'_> {
        MemberView {
            id: MemberId::from_uuid(self.ids[index]),
            memberbase,
            reference: self.references.get(index).unwrap_or_default(),
            attributes: self.documents.get(index),
            updated_at: Time::from_micros(self.updated_at.get(index).copied().unwrap_or_default()),
            source_updated_at: self.source_updated_at.get(index).copied().flatten().map(Time::from_micros),
        }
    }

    /// Adds the rows that follow.
    pub(super) fn append(&mut self, more: Self) -> Result<(), Exceeded> {
        self.references.append(more.references);
        self.documents.append(more.documents);
        self.ids.extend(more.ids);
        self.updated_at.extend(more.updated_at);
        self.source_updated_at.extend(more.source_updated_at);
        budget::check()
    }

    fn optional_lengths(&self) -> [usize; 4] {
        [self.references.rows(), self.documents.rows(), self.updated_at.len(), self.source_updated_at.len()]
    }
}

/// Reads the given columns of the rows.
pub(super) async fn read(
    session: &Session,
    rows: Select<member::Entity>,
    columns: MemberColumns,
) -> Result<MemberRows, DbErr> {
    let optional = [
        (MemberColumns::REF, ColumnSpec::Text("ref"), column(member::Column::Reference)),
        (
            MemberColumns::ATTRIBUTES,
            ColumnSpec::Document("attributes"),
            column(member::Column::Attributes).cast_as("text"),
        ),
        (MemberColumns::UPDATED_AT, ColumnSpec::Int("updated_at"), column(member::Column::UpdatedAt)),
        (
            MemberColumns::SOURCE_UPDATED_AT,
            ColumnSpec::MaybeInt("source_updated_at"),
            column(member::Column::SourceUpdatedAt),
        ),
    ];
    let mut rows = rows.select_only().column(member::Column::Id);
    let mut specs = vec![ColumnSpec::Id("id")];
    let mut indexes = [None; 4];
    for (index, (member_column, spec, expression)) in indexes.iter_mut().zip(optional) {
        if columns.contains(member_column) {
            *index = Some(specs.len());
            specs.push(spec);
            rows = rows.expr_as(expression, spec.name());
        }
    }
    let found = session.columns(rows.into_query(), &specs).await?;
    let [references, documents, updated_at, source_updated_at] = indexes;
    let texts = |index: Option<usize>| index.map_or_else(|| Ok(TextColumn::default()), |index| found.texts(index));
    let members = MemberRows {
        ids: found.column(0)?,
        references: texts(references)?,
        documents: texts(documents)?,
        updated_at: updated_at.map_or_else(|| Ok(Vec::new()), |index| found.column(index))?,
        source_updated_at: source_updated_at.map_or_else(|| Ok(Vec::new()), |index| found.column(index))?,
    };
    let lengths = members.optional_lengths();
    let complete =
        lengths.into_iter().zip(indexes).all(|(length, index)| index.is_none() || length == members.ids.len());
    if complete { Ok(members) } else { Err(DbErr::Custom("columns of different lengths".to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize, largest: usize) -> MemberRows {
        let texts: Vec<_> = (0..count).map(|row| "x".repeat(if row == 0 { largest } else { 1 })).collect();
        MemberRows {
            ids: vec![Uuid::nil(); count],
            references: TextColumn::default(),
            documents: TextColumn::of(&texts),
            updated_at: Vec::new(),
            source_updated_at: Vec::new(),
        }
    }

    #[test]
    fn statement_reads_no_more_than_rows_of_maximum_size_would_be() {
        let limits = RowLimits::default();
        for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
            let first = MemberColumns::ALL.rows_of_first_statement(backend, &limits);
            assert!(first * limits.attributes as u64 <= statement_bytes(backend) as u64);
            let max = MemberColumns::ALL.max_rows_of_statement(&limits);
            assert!(max * limits.attributes as u64 <= MAX_STATEMENT_BYTES as u64);
            assert_eq!(rows(1_000, 10).rows_of_next_statement(backend, max), max);
            let next = rows(1_000, limits.attributes).rows_of_next_statement(backend, max);
            let part = (statement_bytes(backend) / FURTHER_STATEMENT_PART) as u64;
            assert!((part / 2..=part).contains(&(next * limits.attributes as u64)), "{next}");
            assert_eq!(rows(1, 64 << 20).rows_of_next_statement(backend, max), 2);
        }
    }
}
