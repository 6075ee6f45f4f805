//! Rows as columns: a page comes as one row that has an array a column, which costs a fraction of as many rows.
//!
//! PostgreSQL sends arrays, SQLite JSON texts.

use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryResult, RuntimeErr,
    sea_query::{Expr, Func, Query, SelectStatement},
};
use serde::Deserialize;
use sqlx::Row;
use uuid::Uuid;

use super::Session;

/// The rows of an answer, column by column.
#[derive(Debug)]
pub struct Columns(QueryResult);

/// A column of a statement, by its name.
#[derive(Clone, Copy, Debug)]
pub enum Name {
    /// Of ids, which are binary on SQLite.
    Id(&'static str),
    /// Of anything else.
    Plain(&'static str),
}

/// What a column can hold.
pub trait Cell: Sized {
    /// The values of the column at this place, in the order of the rows.
    fn column(columns: &Columns, place: usize) -> Result<Vec<Self>, DbErr>;
}

impl Session {
    /// Sends a statement that has these columns, and gathers its rows in their order.
    pub async fn columns(&self, rows: SelectStatement, names: &[Name]) -> Result<Columns, DbErr> {
        let gathered = self.query_one(&gather(self.get_database_backend(), rows, names)).await?;
        gathered.map(Columns).ok_or_else(|| DbErr::RecordNotFound("an aggregate without a row".to_owned()))
    }
}

/// Aggregates over an ordered subquery alone take its rows in its order
/// (<https://www.postgresql.org/docs/current/functions-aggregate.html>).
fn gather(backend: DbBackend, rows: SelectStatement, names: &[Name]) -> SelectStatement {
    let mut gathered = Query::select();
    for name in names {
        gathered.expr(match (backend, *name) {
            (DbBackend::Sqlite, Name::Id(name)) => {
                Func::cust("json_group_array").arg(Func::cust("hex").arg(Expr::col(name)))
            }
            (DbBackend::Sqlite, Name::Plain(name)) => Func::cust("json_group_array").arg(Expr::col(name)),
            (_, Name::Id(name) | Name::Plain(name)) => Func::cust("array_agg").arg(Expr::col(name)),
        });
    }
    gathered.from_subquery(rows, "gathered").take()
}

impl Columns {
    /// The values of the column at this place, in the order of the rows.
    pub fn column<T: Cell>(&self, place: usize) -> Result<Vec<T>, DbErr> {
        T::column(self, place)
    }

    fn postgres<T>(&self, place: usize) -> Option<Result<Vec<T>, DbErr>>
    where
        for<'r> Option<Vec<T>>: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let row = self.0.try_as_pg_row()?;
        // Of no rows the array is null.
        Some(row.try_get::<Option<Vec<T>>, _>(place).map(Option::unwrap_or_default).map_err(undecodable))
    }

    fn sqlite<'r, T: Deserialize<'r>>(&'r self, place: usize) -> Result<Vec<T>, DbErr> {
        let row = self.0.try_as_sqlite_row().ok_or_else(|| undecodable("a row of neither database"))?;
        serde_json::from_str(row.try_get(place).map_err(undecodable)?).map_err(undecodable)
    }
}

fn undecodable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(sqlx::Error::Decode(error.into()).into()))
}

impl Cell for Uuid {
    fn column(columns: &Columns, place: usize) -> Result<Vec<Self>, DbErr> {
        columns.postgres(place).unwrap_or_else(|| {
            let texts: Vec<&str> = columns.sqlite(place)?;
            texts.into_iter().map(|text| Self::try_parse(text).map_err(undecodable)).collect()
        })
    }
}

macro_rules! cells {
    ($($cell:ty),+) => {
        $(impl Cell for $cell {
            fn column(columns: &Columns, place: usize) -> Result<Vec<Self>, DbErr> {
                columns.postgres(place).unwrap_or_else(|| columns.sqlite(place))
            }
        })+
    };
}

cells!(String, Option<String>, i64, Option<i64>);
