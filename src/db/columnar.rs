//! Rows as columns: an answer comes as one row that has each column in one piece, which costs a fraction of as many rows.
//!
//! PostgreSQL packs ids and numbers as bytes, 16 and 8 a row, and texts one behind the other beside their lengths: arrays
//! cost it more than twice as much. SQLite packs ids as bytes too, numbers between commas and texts between NULs, which no
//! text has.

use std::{ops::Range, vec};

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryResult, RuntimeErr,
    sea_query::{Expr, Query, SelectStatement},
};
use sqlx::Row;
use uuid::Uuid;

use super::{ArrayTable, ScalarBind, Session};

/// The rows of an answer, column by column.
#[derive(Debug)]
pub struct ColumnarRows {
    row: QueryResult,
    /// Of each column what it is, and where it begins in the row.
    names: Vec<(ColumnSpec, usize)>,
}

/// A column of a statement, by its name.
#[derive(Clone, Copy, Debug)]
pub enum ColumnSpec {
    /// Of ids.
    Id(&'static str),
    /// Of texts.
    Text(&'static str),
    /// Of texts, or nulls.
    MaybeText(&'static str),
    /// Of whole numbers.
    Int(&'static str),
    /// Of whole numbers, or nulls; the least of 64 bits is none of them.
    MaybeInt(&'static str),
    /// Of JSON documents, or nulls; to be selected as text.
    Document(&'static str),
}

/// What a column can hold.
pub trait FromColumn: Sized {
    /// The values of the column at this place, in the order of the rows.
    fn column(columns: &ColumnarRows, place: usize) -> Result<Vec<Self>, DbErr>;
}

/// The texts of a column, in one piece.
#[derive(Debug, Default)]
pub struct TextColumn {
    all: String,
    /// Where the text of each row is.
    places: Vec<Option<Range<usize>>>,
}

/// The values of a column, one after the other.
#[derive(Debug)]
pub struct ColumnValues<T>(vec::IntoIter<T>);

impl ColumnSpec {
    /// As the statement has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id(name) | Self::Text(name) | Self::MaybeText(name) => name,
            Self::Int(name) | Self::MaybeInt(name) | Self::Document(name) => name,
        }
    }

    /// What gathers the column.
    fn aggregates(self, backend: DbBackend) -> impl Iterator<Item = String> {
        let name = self.name();
        let (values, lengths) = match (backend, self) {
            // A BLOB is taken for text as it is (<https://www.sqlite.org/lang_expr.html#castexpr>).
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

/// Stands for null among packed numbers.
const NULL: i64 = i64::MIN;

impl Session {
    /// Sends a statement that has these columns, and gathers its rows in their order.
    ///
    /// Aggregates over an ordered subquery alone take its rows in its order
    /// (<https://www.postgresql.org/docs/current/functions-aggregate.html>).
    pub async fn columns(&self, rows: SelectStatement, names: &[ColumnSpec]) -> Result<ColumnarRows, DbErr> {
        let mut gathered = Query::select();
        let names = each_place(self.get_database_backend(), names, |aggregate| {
            gathered.expr(Expr::cust(aggregate));
        });
        let row = self.query_one(&gathered.from_subquery(rows, "gathered").take()).await?;
        ColumnarRows::new(row, names)
    }

    /// Sends a bulk statement, as [`Session::bulk`] does, that has these columns, and gathers its rows in their order.
    pub async fn bulk_columns(
        &self,
        sql: &str,
        names: &[ColumnSpec],
        scalars: &[ScalarBind],
        rows: &ArrayTable<'_>,
    ) -> Result<ColumnarRows, DbErr> {
        let mut aggregates = Vec::with_capacity(2 * names.len());
        let names = each_place(self.get_database_backend(), names, |aggregate| aggregates.push(aggregate));
        let sql = format!("SELECT {} FROM ({sql}) AS gathered", aggregates.join(", "));
        let mut row = None;
        let take = |only| {
            row = Some(only);
            Ok(())
        };
        self.bulk_each(&sql, scalars, rows, take).await?;
        ColumnarRows::new(row, names)
    }
}

/// Takes what gathers the columns, and answers where each of them begins.
fn each_place(backend: DbBackend, names: &[ColumnSpec], mut take: impl FnMut(String)) -> Vec<(ColumnSpec, usize)> {
    let mut count = 0;
    let place = |name: &ColumnSpec| {
        let place = count;
        for aggregate in name.aggregates(backend) {
            take(aggregate);
            count += 1;
        }
        (*name, place)
    };
    names.iter().map(place).collect()
}

impl ColumnarRows {
    fn new(row: Option<QueryResult>, names: Vec<(ColumnSpec, usize)>) -> Result<Self, DbErr> {
        let row = row.ok_or_else(|| undecodable("an aggregate without a row"))?;
        Ok(Self { row, names })
    }

    /// The values of the column at this place, in the order of the rows.
    pub fn column<T: FromColumn>(&self, place: usize) -> Result<Vec<T>, DbErr> {
        T::column(self, place)
    }

    /// The same, one after the other.
    pub fn cells<T: FromColumn>(&self, place: usize) -> Result<ColumnValues<T>, DbErr> {
        Ok(ColumnValues(self.column(place)?.into_iter()))
    }

    /// The texts of the column at this place.
    pub fn texts(&self, place: usize) -> Result<TextColumn, DbErr> {
        let Some(all) = self.postgres::<&str>(place, 0) else {
            let all = self.sqlite::<&str>(place)?;
            let marked = !matches!(self.names[place].0, ColumnSpec::Text(_));
            return Ok(all.map(|all| TextColumn::separated(all, marked)).unwrap_or_default());
        };
        let lengths = self.postgres::<&[u8]>(place, 1).transpose()?.unwrap_or_default();
        TextColumn::measured(all?, packed(lengths)?)
    }

    /// What PostgreSQL sent at a place, and so many places behind it: nothing of no rows.
    fn postgres<'r, T>(&'r self, place: usize, behind: usize) -> Option<Result<T, DbErr>>
    where
        T: Default + sqlx::Type<sqlx::Postgres>,
        Option<T>: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let row = self.row.try_as_pg_row()?;
        let place = self.names[place].1 + behind;
        Some(row.try_get::<Option<T>, _>(place).map(Option::unwrap_or_default).map_err(undecodable))
    }

    /// What SQLite sent at a place: nothing of no rows.
    fn sqlite<'r, T>(&'r self, place: usize) -> Result<Option<T>, DbErr>
    where
        T: sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
    {
        let row = self.row.try_as_sqlite_row().ok_or_else(|| undecodable("a row of neither database"))?;
        row.try_get(self.names[place].1).map_err(undecodable)
    }

    /// The same, where it stands between separators.
    fn split(&self, place: usize, separator: char) -> Result<impl Iterator<Item = &str>, DbErr> {
        Ok(self.sqlite::<&str>(place)?.into_iter().flat_map(move |text| text.split(separator)))
    }
}

impl TextColumn {
    /// Those that stand one behind the other, by their lengths; a negative one is that of null.
    fn measured(all: &str, lengths: &[[u8; 4]]) -> Result<Self, DbErr> {
        let mut end = 0;
        let place = |length: &[u8; 4]| {
            let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else { return Ok(None) };
            let place = end..end + length;
            end = place.end;
            if all.is_char_boundary(end) { Ok(Some(place)) } else { Err(undecodable("texts of other lengths")) }
        };
        Ok(Self { places: all_of(lengths.iter().map(place))?, all: all.to_owned() })
    }

    /// Those that stand between NULs; where they are `marked`, what begins with a mark, and everything else is null.
    fn separated(all: &str, marked: bool) -> Self {
        let mut next = 0;
        let place = |text: &str| {
            let start = next;
            next += text.len() + 1;
            match marked {
                false => Some(start..start + text.len()),
                true => text.starts_with('=').then(|| start + 1..start + text.len()),
            }
        };
        Self { places: all.split('\0').map(place).collect(), all: all.to_owned() }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.places.len()
    }

    /// The text of this row; none where it is null, or there is none.
    pub fn get(&self, row: usize) -> Option<&str> {
        self.all.get(self.places.get(row)?.clone()?)
    }
}

impl<T> ColumnValues<T> {
    /// The value of the next row.
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

/// The places of rows.
impl FromColumn for usize {
    fn column(columns: &ColumnarRows, place: usize) -> Result<Vec<Self>, DbErr> {
        let places = i64::column(columns, place)?.into_iter();
        all_of(places.map(|place| Self::try_from(place).map_err(undecodable)))
    }
}

/// The values, if all of them are good: in as much memory as they take, which collecting results can't know beforehand.
fn all_of<T>(values: impl ExactSizeIterator<Item = Result<T, DbErr>>) -> Result<Vec<T>, DbErr> {
    let mut all = Vec::with_capacity(values.len());
    for value in values {
        all.push(value?);
    }
    Ok(all)
}

/// Values of so many bytes each.
fn packed<const N: usize>(bytes: &[u8]) -> Result<&[[u8; N]], DbErr> {
    match bytes.as_chunks() {
        (values, []) => Ok(values),
        _ => Err(undecodable("a packed column that ends within a value")),
    }
}

impl FromColumn for Uuid {
    fn column(columns: &ColumnarRows, place: usize) -> Result<Vec<Self>, DbErr> {
        let bytes = match columns.postgres::<&[u8]>(place, 0) {
            Some(bytes) => bytes?,
            None => columns.sqlite(place)?.unwrap_or_default(),
        };
        Ok(packed(bytes)?.iter().copied().map(Self::from_bytes).collect())
    }
}

impl FromColumn for i64 {
    fn column(columns: &ColumnarRows, place: usize) -> Result<Vec<Self>, DbErr> {
        match columns.postgres::<&[u8]>(place, 0) {
            Some(bytes) => all_of(packed(bytes?)?.iter().map(|bytes| match Self::from_be_bytes(*bytes) {
                NULL => Err(null()),
                number => Ok(number),
            })),
            None => columns.split(place, ',')?.map(|text| text.parse().map_err(undecodable)).collect(),
        }
    }
}

impl FromColumn for Option<i64> {
    fn column(columns: &ColumnarRows, place: usize) -> Result<Vec<Self>, DbErr> {
        let Some(bytes) = columns.postgres::<&[u8]>(place, 0) else {
            let number =
                |text: &str| if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(undecodable) };
            return columns.split(place, ',')?.map(number).collect();
        };
        let number = |bytes: &[u8; 8]| Some(i64::from_be_bytes(*bytes)).filter(|number| *number != NULL);
        Ok(packed(bytes?)?.iter().map(number).collect())
    }
}

impl FromColumn for Option<String> {
    fn column(columns: &ColumnarRows, place: usize) -> Result<Vec<Self>, DbErr> {
        let texts = columns.texts(place)?;
        Ok((0..texts.rows()).map(|row| texts.get(row).map(str::to_owned)).collect())
    }
}

impl FromColumn for String {
    fn column(columns: &ColumnarRows, place: usize) -> Result<Vec<Self>, DbErr> {
        let texts = Option::<Self>::column(columns, place)?.into_iter();
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
    fn texts_are_found_by_their_lengths() {
        let lengths = [2_i32, -1, 0, 3].map(i32::to_be_bytes);
        let texts = TextColumn::measured("é€", &lengths).expect("texts");
        assert_eq!(all(&texts), [Some("é"), None, Some(""), Some("€")]);
        assert_eq!(texts.get(4), None);
    }

    #[test]
    fn lengths_that_fit_no_text_are_refused() {
        for lengths in [&[1_i32][..], &[2, 9], &[i32::MAX, i32::MAX]] {
            let lengths: Vec<_> = lengths.iter().map(|length| length.to_be_bytes()).collect();
            TextColumn::measured("é€", &lengths).expect_err("a length within a character, or beyond the end");
        }
    }

    #[test]
    fn texts_are_found_between_separators() {
        assert_eq!(all(&TextColumn::separated("a\0\0=é", false)), [Some("a"), Some(""), Some("=é")]);
        assert_eq!(all(&TextColumn::separated("=a\0\0=", true)), [Some("a"), None, Some("")]);
    }
}
