//! Array binds: a bulk statement reads all its rows from a few bind parameters, so no limit of parameters applies.
//!
//! PostgreSQL reads one array per column with `unnest`, SQLite one JSON text with `json_each`
//! (<https://www.sqlite.org/json1.html#jeach>).

use std::fmt::Write;

use sea_orm::{
    DbBackend, Value,
    sea_query::{ArrayType, Expr, ExprTrait, Func, Query, SimpleExpr},
};
use serde::Serialize;
use sqlx::{Arguments, postgres::PgArguments, sqlite::SqliteArguments};
use uuid::Uuid;

/// Columns of equal length that a bulk statement reads as a table.
#[derive(Debug)]
pub struct ArrayTable<'a> {
    columns: Vec<(&'static str, ArrayColumn<'a>)>,
}

#[derive(Debug, Clone)]
pub enum ArrayColumn<'a> {
    Uuids(Vec<Uuid>),
    /// Texts without NUL.
    Texts(Vec<&'a str>),
    /// Texts without NUL, or nulls.
    MaybeTexts(Vec<Option<&'a str>>),
    Ints(Vec<i64>),
    MaybeInts(Vec<Option<i64>>),
    /// JSON documents, or nulls: `jsonb` on PostgreSQL, text on SQLite.
    Documents(Vec<Option<&'a str>>),
}

/// A value of a bulk statement that is the same for all rows, bound as `$1`, `$2` and so on.
#[derive(Debug, Clone, Copy)]
pub enum ScalarBind {
    Uuid(Uuid),
    /// An integer, or a time in microseconds.
    Int(i64),
}

impl<'a> ArrayTable<'a> {
    /// Returns a table of named columns, which must have equal lengths.
    pub fn new(columns: impl Into<Vec<(&'static str, ArrayColumn<'a>)>>) -> Self {
        Self { columns: columns.into() }
    }

    pub(super) fn len(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.len())
    }

    /// Replaces `{rows}` in a statement by a table expression, which needs an alias. It has the named columns and `n`,
    /// the row number from 0. On PostgreSQL it also has `i`, the row number from 1: PostgreSQL knows that `i` is in
    /// order, and does not sort by it.
    pub(super) fn insert_into(&self, sql: &str, backend: DbBackend, scalars: usize) -> String {
        sql.replace("{rows}", &self.table(backend, scalars))
    }

    fn table(&self, backend: DbBackend, scalars: usize) -> String {
        let mut table = String::from("(SELECT ");
        let mut source = String::new();
        for (index, (name, column)) in self.columns.iter().enumerate() {
            let _ = match backend {
                DbBackend::Sqlite => write!(table, "{} AS {name}, ", self.sqlite_column(index, column)),
                _ => {
                    let comma = if index == 0 { "" } else { ", " };
                    let _ = write!(source, "{comma}${}::{}[]", scalars + index + 1, column.postgres_type());
                    match column {
                        ArrayColumn::Documents(_) => write!(table, "{name}::jsonb AS {name}, "),
                        _ => write!(table, "{name}, "),
                    }
                }
            };
        }
        let _ = match backend {
            DbBackend::Sqlite => write!(table, "key AS n FROM json_each(${}))", scalars + 1),
            _ => {
                let names: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
                let names = names.join(", ");
                write!(table, "i, i - 1 AS n FROM unnest({source}) WITH ORDINALITY AS arrays({names}, i))")
            }
        };
        table
    }

    fn sqlite_column(&self, index: usize, column: &ArrayColumn<'_>) -> String {
        let value = if self.columns.len() == 1 { "value".to_owned() } else { format!("value ->> {index}") };
        match column {
            ArrayColumn::Uuids(_) => format!("unhex({value})"),
            _ => value,
        }
    }

    pub(super) fn postgres(&self, scalars: &[ScalarBind]) -> Result<PgArguments, sqlx::Error> {
        let mut arguments = PgArguments::default();
        for scalar in scalars {
            match *scalar {
                ScalarBind::Uuid(uuid) => arguments.add(uuid),
                ScalarBind::Int(int) => arguments.add(int),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        for (_, column) in &self.columns {
            match column {
                ArrayColumn::Uuids(uuids) => arguments.add(uuids),
                ArrayColumn::Texts(texts) => arguments.add(texts),
                ArrayColumn::MaybeTexts(texts) | ArrayColumn::Documents(texts) => arguments.add(texts),
                ArrayColumn::Ints(ints) => arguments.add(ints),
                ArrayColumn::MaybeInts(ints) => arguments.add(ints),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        Ok(arguments)
    }

    pub(super) fn sqlite(&self, scalars: &[ScalarBind]) -> Result<SqliteArguments, sqlx::Error> {
        let mut arguments = SqliteArguments::default();
        for scalar in scalars {
            match *scalar {
                ScalarBind::Uuid(uuid) => arguments.add(uuid),
                ScalarBind::Int(int) => arguments.add(int),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        arguments.add(self.json()).map_err(sqlx::Error::Encode)?;
        Ok(arguments)
    }

    /// Returns `[row, ...]`. A row is `[value, ...]`, or the bare value if there is only one column.
    fn json(&self) -> String {
        // Enough if nothing is escaped. Capacity that is never written does not become resident memory.
        let size = self.columns.iter().map(|(_, column)| column.json_size()).sum::<usize>();
        let mut json = Vec::with_capacity(size + 2 * self.len() + 2);
        json.push(b'[');
        for row in 0..self.len() {
            if row > 0 {
                json.push(b',');
            }
            if let [(_, column)] = &self.columns[..] {
                column.write(row, &mut json);
            } else {
                for (index, (_, column)) in self.columns.iter().enumerate() {
                    json.push(if index == 0 { b'[' } else { b',' });
                    column.write(row, &mut json);
                }
                json.push(b']');
            }
        }
        json.push(b']');
        String::from_utf8(json).expect("JSON of texts is text")
    }
}

impl ArrayColumn<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Uuids(uuids) => uuids.len(),
            Self::Texts(texts) => texts.len(),
            Self::MaybeTexts(texts) | Self::Documents(texts) => texts.len(),
            Self::Ints(ints) => ints.len(),
            Self::MaybeInts(ints) => ints.len(),
        }
    }

    /// Returns the maximum length of the values as JSON, each with a comma, if nothing has to be escaped.
    fn json_size(&self) -> usize {
        let sum = |texts: &[Option<&str>]| texts.iter().map(|text| text.map_or(2, str::len) + 3).sum();
        match self {
            Self::Uuids(uuids) => uuids.len() * 35,
            Self::Texts(texts) => texts.iter().map(|text| text.len() + 3).sum(),
            Self::MaybeTexts(texts) | Self::Documents(texts) => sum(texts),
            Self::Ints(ints) => ints.len() * 21,
            Self::MaybeInts(ints) => ints.len() * 21,
        }
    }

    /// Returns the element type of the bound array.
    fn postgres_type(&self) -> &'static str {
        match self {
            Self::Uuids(_) => "uuid",
            Self::Texts(_) | Self::MaybeTexts(_) | Self::Documents(_) => "text",
            Self::Ints(_) | Self::MaybeInts(_) => "bigint",
        }
    }

    fn write(&self, row: usize, json: &mut Vec<u8>) {
        match self {
            Self::Uuids(uuids) => {
                let mut hex = [0; 32];
                json.push(b'"');
                json.extend_from_slice(uuids[row].simple().encode_lower(&mut hex).as_bytes());
                json.push(b'"');
            }
            Self::Texts(texts) => write(&texts[row], json),
            Self::MaybeTexts(texts) | Self::Documents(texts) => write(&texts[row], json),
            Self::Ints(ints) => write(&ints[row], json),
            Self::MaybeInts(ints) => write(&ints[row], json),
        }
    }
}

fn write(value: &impl Serialize, json: &mut Vec<u8>) {
    value.serialize(&mut serde_json::Serializer::new(json)).expect("texts and numbers are JSON");
}

/// Returns the values as a JSON list, for SQLite's `json_each`.
pub(crate) fn json(values: ArrayColumn<'_>) -> String {
    ArrayTable::new([("value", values)]).json()
}

/// Returns the predicate `left IN (values)` with all values in one bind parameter: a list may have any length, and the
/// statement's text stays the same.
pub(crate) fn list(backend: DbBackend, left: SimpleExpr, values: ArrayColumn<'_>) -> SimpleExpr {
    match backend {
        DbBackend::Sqlite => {
            let uuids = matches!(values, ArrayColumn::Uuids(_));
            let json = json(values);
            let value = if uuids { Expr::cust("unhex(value)") } else { Expr::cust("value") };
            let each = Query::select().expr(value).from_function(Func::cust("json_each").arg(json), "each").take();
            left.in_subquery(each)
        }
        _ => left.eq(Func::cust("ANY").arg(Expr::val(array(values)))),
    }
}

fn array(values: ArrayColumn<'_>) -> Value {
    fn array_of<T: Into<Value>>(ty: ArrayType, values: Vec<T>) -> Value {
        Value::Array(ty, Some(Box::new(values.into_iter().map(Into::into).collect())))
    }
    match values {
        ArrayColumn::Uuids(uuids) => array_of(ArrayType::Uuid, uuids),
        ArrayColumn::Texts(texts) => array_of(ArrayType::String, texts),
        ArrayColumn::Ints(ints) => array_of(ArrayType::BigInt, ints),
        // SeaQuery has no nulls in arrays, and lists contain none.
        ArrayColumn::MaybeTexts(texts) | ArrayColumn::Documents(texts) => {
            array_of(ArrayType::String, texts.into_iter().flatten().collect())
        }
        ArrayColumn::MaybeInts(ints) => array_of(ArrayType::BigInt, ints.into_iter().flatten().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_json_for_sqlite() {
        let ids = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let rows = ArrayTable::new([
            ("id", ArrayColumn::Uuids(ids.to_vec())),
            ("ref", ArrayColumn::Texts(vec!["a\"b", "é\n"])),
        ]);
        assert_eq!(
            rows.json(),
            r#"[["00000000000000000000000000000001","a\"b"],["00000000000000000000000000000002","é\n"]]"#
        );
        assert_eq!(ArrayTable::new([("ref", ArrayColumn::Texts(vec!["a"]))]).json(), r#"["a"]"#);
        assert_eq!(ArrayTable::new([("ref", ArrayColumn::Texts(vec![]))]).json(), "[]");
    }
}
