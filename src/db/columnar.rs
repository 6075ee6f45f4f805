//! Columnar results: the database aggregates a result into one row with one packed value per column. The driver's cost
//! per row is larger than that of the row's data, on both databases, so this takes a fraction of the time.
//!
//! PostgreSQL packs ids and integers as 16 and 8 bytes per row, and texts as one concatenation with their lengths;
//! arrays take it more than twice as long. SQLite packs ids as bytes too, integers separated by commas, and texts
//! separated by NUL, which no stored text contains.

use std::{ops::Range, sync::Arc, vec};

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryResult, RuntimeErr,
    sea_query::{Expr, Query, SelectStatement},
};
use sqlx::Row;
use uuid::Uuid;

use super::{ArrayTable, ScalarBind, Session};
use crate::{budget, types::SharedText};

/// The rows of a result, stored by column.
#[derive(Debug)]
pub struct ColumnarRows {
    row: QueryResult,
    /// Each column with the index of its first aggregate in the row.
    specs: Vec<(ColumnSpec, usize)>,
}

/// A column of a statement: its type and name.
#[derive(Clone, Copy, Debug)]
pub enum ColumnSpec {
    Id(&'static str),
    Text(&'static str),
    MaybeText(&'static str),
    Int(&'static str),
    /// Integers, or nulls; `i64::MIN` is reserved.
    MaybeInt(&'static str),
    /// JSON documents, or nulls; the statement has to select them as text.
    Document(&'static str),
}

/// A type that a column can be decoded to.
pub trait FromColumn: Sized {
    /// Decodes the values of a column, in the order of the rows.
    fn column(columns: &ColumnarRows, index: usize) -> Result<Vec<Self>, DbErr>;
}

/// The texts of a column, in one allocation for each statement that read them.
#[derive(Debug, Default)]
pub(crate) struct TextColumn {
    /// The concatenated texts of each statement.
    parts: Vec<Arc<str>>,
    /// The place of each row's text; `None` for null.
    places: Vec<Option<Place>>,
}

/// The place of a text: a part, and the range of its bytes in it.
#[derive(Clone, Copy, Debug)]
struct Place {
    part: usize,
    start: usize,
    end: usize,
}

#[derive(Debug)]
pub struct ColumnValues<T>(vec::IntoIter<T>);

impl ColumnSpec {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Id(name) | Self::Text(name) | Self::MaybeText(name) => name,
            Self::Int(name) | Self::MaybeInt(name) | Self::Document(name) => name,
        }
    }

    /// Returns the one or two aggregate expressions that pack the column.
    fn aggregates(self, backend: DbBackend) -> impl Iterator<Item = String> {
        let name = self.name();
        let (values, lengths) = match (backend, self) {
            // The bytes of a BLOB are used as text without conversion
            // (<https://www.sqlite.org/lang_expr.html#castexpr>).
            (DbBackend::Sqlite, Self::Id(_)) => (format!("group_concat({name}, '')"), None),
            (DbBackend::Sqlite, Self::Int(_)) => (format!("group_concat({name})"), None),
            (DbBackend::Sqlite, Self::MaybeInt(_)) => (format!("group_concat(coalesce({name}, ''))"), None),
            (DbBackend::Sqlite, Self::Text(_)) => (format!("group_concat({name}, char(0))"), None),
            (DbBackend::Sqlite, Self::MaybeText(_) | Self::Document(_)) => {
                (format!("group_concat(coalesce('=' || {name}, ''), char(0))"), None)
            }
            (_, Self::Id(_)) => (format!("string_agg(uuid_send({name}), '')"), None),
            (_, Self::Int(_)) => (format!("string_agg(int8send({name}), '')"), None),
            (_, Self::MaybeInt(_)) => (format!("string_agg(int8send(coalesce({name}, '{NULL}'::bigint)), '')"), None),
            (_, Self::Text(_)) => {
                let lengths = format!("string_agg(int4send(octet_length({name})), '')");
                (format!("string_agg({name}, '')"), Some(lengths))
            }
            (_, Self::MaybeText(_) | Self::Document(_)) => {
                let lengths = format!("string_agg(int4send(coalesce(octet_length({name}), -1)), '')");
                (format!("string_agg({name}, '')"), Some(lengths))
            }
        };
        [Some(values), lengths].into_iter().flatten()
    }
}

/// Represents null among packed integers.
const NULL: i64 = i64::MIN;

impl Session {
    /// Runs a statement with these columns, and returns its rows in order.
    ///
    /// Aggregates read the rows of an ordered subquery in its order, if it is the only source
    /// (<https://www.postgresql.org/docs/current/functions-aggregate.html>).
    pub(crate) async fn columns(&self, rows: SelectStatement, specs: &[ColumnSpec]) -> Result<ColumnarRows, DbErr> {
        let mut packed = Query::select();
        let specs = add_aggregates(self.get_database_backend(), specs, |aggregate| {
            packed.expr(Expr::cust(aggregate));
        });
        let row = self.query_one(&packed.from_subquery(rows, "gathered").take()).await?;
        ColumnarRows::new(row, specs)
    }

    /// Runs a bulk statement with these columns (see [`Session::bulk`]), and returns its rows in order.
    pub async fn bulk_columns(
        &self,
        sql: &str,
        specs: &[ColumnSpec],
        scalars: &[ScalarBind],
        rows: &ArrayTable<'_>,
    ) -> Result<ColumnarRows, DbErr> {
        let mut aggregates = Vec::with_capacity(2 * specs.len());
        let specs = add_aggregates(self.get_database_backend(), specs, |aggregate| aggregates.push(aggregate));
        let sql = format!("SELECT {} FROM ({sql}) AS gathered", aggregates.join(", "));
        let mut row = None;
        let take = |only| {
            row = Some(only);
            Ok(())
        };
        self.bulk_each(&sql, scalars, rows, take).await?;
        ColumnarRows::new(row, specs)
    }
}

/// Passes the aggregates of all columns to `add`, and returns each column with the index of its first aggregate.
fn add_aggregates(backend: DbBackend, specs: &[ColumnSpec], mut add: impl FnMut(String)) -> Vec<(ColumnSpec, usize)> {
    let mut count = 0;
    let mut indexed = Vec::with_capacity(specs.len());
    for spec in specs {
        indexed.push((*spec, count));
        for aggregate in spec.aggregates(backend) {
            add(aggregate);
            count += 1;
        }
    }
    indexed
}

impl ColumnarRows {
    fn new(row: Option<QueryResult>, specs: Vec<(ColumnSpec, usize)>) -> Result<Self, DbErr> {
        let row = row.ok_or_else(|| undecodable("an aggregate without a row"))?;
        Ok(Self { row, specs })
    }

    /// Returns the values of a column, in the order of the rows.
    pub fn column<T: FromColumn>(&self, index: usize) -> Result<Vec<T>, DbErr> {
        T::column(self, index)
    }

    /// Returns an iterator over the values of a column.
    pub fn cells<T: FromColumn>(&self, index: usize) -> Result<ColumnValues<T>, DbErr> {
        Ok(ColumnValues(self.column(index)?.into_iter()))
    }

    pub(crate) fn texts(&self, index: usize) -> Result<TextColumn, DbErr> {
        let fits = |all: &str| budget::expect(all.len()).map_err(undecodable);
        let Some(all) = self.postgres::<&str>(index, 0) else {
            let all = self.sqlite::<&str>(index)?;
            fits(all.unwrap_or_default())?;
            let marked = !matches!(self.specs[index].0, ColumnSpec::Text(_));
            return Ok(all.map(|all| TextColumn::separated(all, marked)).unwrap_or_default());
        };
        let (all, lengths) = (all?, self.postgres::<&[u8]>(index, 1).transpose()?.unwrap_or_default());
        fits(all)?;
        TextColumn::measured(all, packed(lengths)?)
    }

    /// Returns the aggregate number `offset` of a column on PostgreSQL, by default empty; `None` on SQLite.
    fn postgres<'r, T>(&'r self, index: usize, offset: usize) -> Option<Result<T, DbErr>>
    where
        T: Default + sqlx::Type<sqlx::Postgres>,
        Option<T>: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let row = self.row.try_as_pg_row()?;
        let index = self.specs[index].1 + offset;
        Some(row.try_get::<Option<T>, _>(index).map(Option::unwrap_or_default).map_err(undecodable))
    }

    /// Returns the aggregate of a column on SQLite; `None` if there are no rows.
    fn sqlite<'r, T>(&'r self, index: usize) -> Result<Option<T>, DbErr>
    where
        T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        let row = self.row.try_as_sqlite_row().ok_or_else(|| undecodable("a row of neither database"))?;
        row.try_get(self.specs[index].1).map_err(undecodable)
    }

    /// Splits the aggregate of a column on SQLite.
    fn split(&self, index: usize, separator: char) -> Result<impl Iterator<Item = &str>, DbErr> {
        Ok(self.sqlite::<&str>(index)?.into_iter().flat_map(move |text| text.split(separator)))
    }
}

impl TextColumn {
    /// Splits concatenated texts by their lengths in bytes, of which a negative one represents null.
    fn measured(all: &str, lengths: &[[u8; 4]]) -> Result<Self, DbErr> {
        let mut places = Vec::with_capacity(lengths.len());
        let mut end = 0;
        for length in lengths {
            let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
                places.push(None);
                continue;
            };
            let start = end;
            end += length;
            if !all.is_char_boundary(end) {
                return Err(undecodable("lengths that do not fit the texts"));
            }
            places.push(Some(Place { part: 0, start, end }));
        }
        Ok(Self::new(all, places))
    }

    /// Splits texts at NULs. If they are `marked`, each text has a leading `=`, and an item without it is null.
    fn separated(all: &str, marked: bool) -> Self {
        let mut next = 0;
        let place = |text: &str| {
            let (start, end) = (next, next + text.len());
            next = end + 1;
            match marked {
                false => Some(Place { part: 0, start, end }),
                true => text.starts_with('=').then_some(Place { part: 0, start: start + 1, end }),
            }
        };
        Self::new(all, all.split('\0').map(place).collect())
    }

    /// Returns a column of these texts.
    #[cfg(test)]
    pub(crate) fn of(texts: &[String]) -> Self {
        let lengths: Vec<_> = texts.iter().map(|text| i32::try_from(text.len()).unwrap_or(-1).to_be_bytes()).collect();
        Self::measured(&texts.concat(), &lengths).unwrap_or_default()
    }

    fn new(all: &str, places: Vec<Option<Place>>) -> Self {
        Self { parts: vec![all.into()], places }
    }

    /// Adds the texts of the rows that follow.
    pub(crate) fn append(&mut self, more: Self) {
        let offset = self.parts.len();
        self.parts.extend(more.parts);
        let moved = |place: Place| Place { part: place.part + offset, ..place };
        self.places.extend(more.places.into_iter().map(|place| place.map(moved)));
    }

    pub(crate) fn rows(&self) -> usize {
        self.places.len()
    }

    /// Returns the size of the largest text.
    pub(crate) fn max_bytes(&self) -> usize {
        self.places.iter().flatten().map(|place| place.end - place.start).max().unwrap_or_default()
    }

    /// Returns the text of a row; `None` if it is null or there is no such row.
    pub(crate) fn get(&self, row: usize) -> Option<&str> {
        let (part, range) = self.place(row)?;
        part.get(range)
    }

    /// Returns the text of a row without copying it.
    pub(crate) fn share(&self, row: usize) -> Option<SharedText> {
        let (part, range) = self.place(row)?;
        Some(SharedText::part(Arc::clone(part), range))
    }

    /// Returns the part that contains the text of a row, and the range in it.
    fn place(&self, row: usize) -> Option<(&Arc<str>, Range<usize>)> {
        let Place { part, start, end } = (*self.places.get(row)?)?;
        Some((self.parts.get(part)?, start..end))
    }
}

impl<T> ColumnValues<T> {
    /// Returns the value of the next row; an error after the last one.
    pub fn take(&mut self) -> Result<T, DbErr> {
        self.0.next().ok_or_else(|| undecodable("columns of different lengths"))
    }
}

fn undecodable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(sqlx::Error::Decode(error.into()).into()))
}

fn null() -> DbErr {
    undecodable("a null where none is allowed")
}

/// Row numbers.
impl FromColumn for usize {
    fn column(columns: &ColumnarRows, index: usize) -> Result<Vec<Self>, DbErr> {
        let numbers = i64::column(columns, index)?.into_iter();
        all_of(numbers.map(|number| Self::try_from(number).map_err(undecodable)))
    }
}

/// Collects values that may be errors, with an exact allocation: collecting into a `Result` has no lower size hint.
fn all_of<T>(values: impl ExactSizeIterator<Item = Result<T, DbErr>>) -> Result<Vec<T>, DbErr> {
    let mut all = Vec::with_capacity(values.len());
    for value in values {
        all.push(value?);
    }
    Ok(all)
}

/// Splits bytes into values of `N` bytes.
fn packed<const N: usize>(bytes: &[u8]) -> Result<&[[u8; N]], DbErr> {
    match bytes.as_chunks() {
        (values, []) => Ok(values),
        _ => Err(undecodable("a packed column that ends within a value")),
    }
}

impl FromColumn for Uuid {
    fn column(columns: &ColumnarRows, index: usize) -> Result<Vec<Self>, DbErr> {
        let bytes = match columns.postgres::<&[u8]>(index, 0) {
            Some(bytes) => bytes?,
            None => columns.sqlite(index)?.unwrap_or_default(),
        };
        Ok(packed(bytes)?.iter().copied().map(Self::from_bytes).collect())
    }
}

impl FromColumn for i64 {
    fn column(columns: &ColumnarRows, index: usize) -> Result<Vec<Self>, DbErr> {
        match columns.postgres::<&[u8]>(index, 0) {
            Some(bytes) => all_of(packed(bytes?)?.iter().map(|bytes| match Self::from_be_bytes(*bytes) {
                NULL => Err(null()),
                number => Ok(number),
            })),
            None => columns.split(index, ',')?.map(|text| text.parse().map_err(undecodable)).collect(),
        }
    }
}

impl FromColumn for Option<i64> {
    fn column(columns: &ColumnarRows, index: usize) -> Result<Vec<Self>, DbErr> {
        let Some(bytes) = columns.postgres::<&[u8]>(index, 0) else {
            let number =
                |text: &str| if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(undecodable) };
            return columns.split(index, ',')?.map(number).collect();
        };
        let number = |bytes: &[u8; 8]| Some(i64::from_be_bytes(*bytes)).filter(|number| *number != NULL);
        Ok(packed(bytes?)?.iter().map(number).collect())
    }
}

impl FromColumn for Option<String> {
    fn column(columns: &ColumnarRows, index: usize) -> Result<Vec<Self>, DbErr> {
        let texts = columns.texts(index)?;
        Ok((0..texts.rows()).map(|row| texts.get(row).map(str::to_owned)).collect())
    }
}

impl FromColumn for String {
    fn column(columns: &ColumnarRows, index: usize) -> Result<Vec<Self>, DbErr> {
        let texts = Option::<Self>::column(columns, index)?.into_iter();
        texts.map(|text| text.ok_or_else(null)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(texts: &TextColumn) -> Vec<Option<&str>> {
        (0..texts.rows()).map(|row| texts.get(row)).collect()
    }

    #[test]
    fn concatenated_texts_are_split_by_length() {
        let lengths = [2_i32, -1, 0, 3].map(i32::to_be_bytes);
        let texts = TextColumn::measured("é€", &lengths).expect("texts");
        assert_eq!(all(&texts), [Some("é"), None, Some(""), Some("€")]);
        assert_eq!(texts.get(4), None);
    }

    #[test]
    fn lengths_that_do_not_fit_the_texts_are_rejected() {
        for lengths in [&[1_i32][..], &[2, 9], &[i32::MAX, i32::MAX]] {
            let lengths: Vec<_> = lengths.iter().map(|length| length.to_be_bytes()).collect();
            TextColumn::measured("é€", &lengths).expect_err("a length within a character, or beyond the end");
        }
    }

    #[test]
    fn separated_texts_are_split() {
        assert_eq!(all(&TextColumn::separated("a\0\0=é", false)), [Some("a"), Some(""), Some("=é")]);
        assert_eq!(all(&TextColumn::separated("=a\0\0=", true)), [Some("a"), None, Some("")]);
    }
}
