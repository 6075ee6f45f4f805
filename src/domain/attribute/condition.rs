//! Attribute predicates as SQL conditions on the column of attribute documents.
//!
//! Each condition is true or false, never null, so that `not` is plain negation. None raises an error for a value of
//! another type, because another memberbase may store any type under the same key.
//!
//! On PostgreSQL a partial GIN index on the documents serves `eq`, short `in` lists and `contains` only; any other
//! operator reads the documents. SQLite has no such index: a filter by attributes reads the whole memberbase.

use sea_orm::{
    DbBackend,
    sea_query::{ArrayType, BinOper, Expr, ExprTrait, SimpleExpr},
};
use serde_json::json;

use super::{
    AttributeType, Value,
    predicate::{Comparison, Operator, Predicate},
    stored_form,
};
use crate::domain::filter::{constant, starts_with};

/// Maximum number of values that are looked up in the index on documents, with one condition each. Longer lists are
/// compared as an array.
const MAX_INDEXED_VALUES: usize = 16;

/// SQL that makes stored dates sort by time: a date-time with six digits of the second, a full-date as its midnight.
const INSTANT: &str =
    "(CASE length(?) WHEN 10 THEN ? || 'T00:00:00.000000Z' WHEN 24 THEN substr(?, 1, 23) || '000Z' ELSE ? END)";

impl Predicate {
    /// Returns this predicate as a condition on a column of documents.
    pub(crate) fn condition(&self, backend: DbBackend, column: SimpleExpr) -> SimpleExpr {
        let field = Field { backend, column, key: &self.key, kind: self.kind };
        match &self.operator {
            Operator::Eq(value) => field.one_of(std::slice::from_ref(value)),
            Operator::In(values) => field.one_of(values),
            Operator::NotIn(values) => field.one_of(values).not(),
            Operator::Compare(comparison, value) => field.compare(*comparison, value),
            Operator::StartsWith(prefix) => {
                field.is_present_and(starts_with(field.text(), prefix.as_text().unwrap_or_default()))
            }
            Operator::Contains(item) => field.contains(item),
            Operator::Exists(true) => field.value().is_not_null(),
            Operator::Exists(false) => field.value().is_null(),
        }
    }
}

/// One attribute in a column of documents.
struct Field<'a> {
    backend: DbBackend,
    column: SimpleExpr,
    key: &'a str,
    kind: AttributeType,
}

impl Field<'_> {
    /// Returns the expression of the value, or null: `jsonb` on PostgreSQL, the SQL value on SQLite.
    fn value(&self) -> SimpleExpr {
        let inner = match self.backend {
            // SQLite would read other keys as a path or as an array index.
            DbBackend::Sqlite if !is_plain(self.key) => "(SELECT value FROM json_each(?) WHERE key = ?)",
            DbBackend::Sqlite => "(? ->> ?)",
            _ => "(? -> ?)",
        };
        self.sql(inner, [self.column.clone(), Expr::val(self.key)])
    }

    /// Returns the expression of the value as text that sorts byte for byte, and of a date by time.
    fn text(&self) -> SimpleExpr {
        let text = match self.backend {
            DbBackend::Sqlite => self.value(),
            _ => self.sql("(? ->> ?)", [self.column.clone(), Expr::val(self.key)]),
        };
        let text = if self.kind == AttributeType::Date { self.sql(INSTANT, vec![text; 4]) } else { text };
        match self.backend {
            DbBackend::Sqlite => text,
            _ => self.sql("(? COLLATE \"C\")", [text]),
        }
    }

    /// Requires a value and `condition`, so that the result is false instead of null if there is no value.
    fn is_present_and(&self, condition: SimpleExpr) -> SimpleExpr {
        self.value().is_not_null().and(condition)
    }

    fn one_of(&self, values: &[Value]) -> SimpleExpr {
        match self.backend {
            DbBackend::Sqlite => {
                let list: Vec<_> = values.iter().map(|value| self.comparable(value)).collect();
                let value = if self.kind == AttributeType::Date { self.text() } else { self.value() };
                let list = Expr::val(stored_form::json(&list));
                self.is_present_and(self.sql("(? IN (SELECT value FROM json_each(?)))", [value, list]))
            }
            _ if values.len() > MAX_INDEXED_VALUES => self.in_array(values),
            _ => {
                let equal = values.iter().map(|value| self.equals_indexed(value)).reduce(ExprTrait::or);
                self.column.clone().is_not_null().and(equal.unwrap_or_else(|| constant(false)))
            }
        }
    }

    /// Returns PostgreSQL's condition for equality that the index on documents serves.
    fn equals_indexed(&self, value: &Value) -> SimpleExpr {
        match (self.kind, value) {
            (AttributeType::Date, Value::Text(date)) => {
                let forms = stored_forms(date).into_iter().map(|form| self.contains_json(&json!(form)));
                forms.reduce(ExprTrait::or).unwrap_or_else(|| constant(false))
            }
            // `@>` is also true for a list that contains all these items and others.
            (AttributeType::StringList, list) => {
                let same = self.sql("(? = CAST(? AS jsonb))", [self.value(), Expr::val(json!(list).to_string())]);
                self.contains_json(&json!(list)).and(self.is_present_and(same))
            }
            (_, value) => self.contains_json(&json!(value)),
        }
    }

    /// Returns PostgreSQL's condition that the document contains this value at the key.
    fn contains_json(&self, value: &serde_json::Value) -> SimpleExpr {
        let document = json!({self.key: value}).to_string();
        self.sql("(? @> CAST(? AS jsonb))", [self.column.clone(), Expr::val(document)])
    }

    fn in_array(&self, values: &[Value]) -> SimpleExpr {
        let texts = values.iter().map(|value| match (self.kind, self.comparable(value)) {
            (AttributeType::Date, serde_json::Value::String(instant)) => instant,
            (_, value) => stored_form::json(&value),
        });
        let array = sea_orm::Value::Array(ArrayType::String, Some(Box::new(texts.map(Into::into).collect())));
        let array = Expr::val(array);
        self.is_present_and(match self.kind {
            AttributeType::Date => self.sql("(? = ANY(?))", [self.text(), array]),
            _ => self.sql("(? = ANY(CAST(? AS jsonb[])))", [self.value(), array]),
        })
    }

    fn compare(&self, comparison: Comparison, value: &Value) -> SimpleExpr {
        let (left, right) = match self.comparable(value) {
            serde_json::Value::String(text) => (self.text(), Expr::val(text)),
            // The database parses the number in the same way as those in the documents, to the last bit of a fraction.
            json => {
                let read = if self.backend == DbBackend::Sqlite { "json_extract(?, '$')" } else { "CAST(? AS jsonb)" };
                (self.value(), self.sql(read, [Expr::val(stored_form::json(&json))]))
            }
        };
        self.is_present_and(left.binary(BinOper::from(comparison), right))
    }

    fn contains(&self, item: &Value) -> SimpleExpr {
        const ITEMS: &str = "EXISTS (SELECT 1 FROM json_each(?) AS field, \
            json_each(CASE field.type WHEN 'array' THEN field.value ELSE '[]' END) AS item \
            WHERE field.key = ? AND item.value = ?)";
        match self.backend {
            DbBackend::Sqlite => {
                let item = Expr::val(item.as_text().unwrap_or_default());
                self.sql(ITEMS, [self.column.clone(), Expr::val(self.key), item])
            }
            _ => self.column.clone().is_not_null().and(self.contains_json(&json!([item]))),
        }
    }

    /// Returns the form of a value that the expressions for the column compare to: a date in the form of [`INSTANT`].
    fn comparable(&self, value: &Value) -> serde_json::Value {
        match (self.kind, value) {
            (AttributeType::Date, Value::Text(date)) => instant(date).into(),
            (_, value) => json!(value),
        }
    }

    /// Returns custom SQL whose question marks are replaced by these expressions, in order.
    fn sql(&self, sql: &str, expressions: impl IntoIterator<Item = SimpleExpr>) -> SimpleExpr {
        match self.backend {
            DbBackend::Sqlite => Expr::cust_with_exprs(sql.to_owned(), expressions),
            _ => Expr::cust_with_exprs(sql.replace('?', "$"), expressions),
        }
    }
}

impl Value {
    fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) | Self::Boolean(_) | Self::Texts(_) => None,
        }
    }
}

impl From<Comparison> for BinOper {
    fn from(comparison: Comparison) -> Self {
        match comparison {
            Comparison::Gt => Self::GreaterThan,
            Comparison::Gte => Self::GreaterThanOrEqual,
            Comparison::Lt => Self::SmallerThan,
            Comparison::Lte => Self::SmallerThanOrEqual,
        }
    }
}

/// Returns whether SQLite's `->>` reads a key as an object label, not as a path or an array index
/// (<https://sqlite.org/json1.html#jptr>).
fn is_plain(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-. ".contains(&byte);
    key.bytes().all(plain) && key.bytes().any(|byte| !byte.is_ascii_digit())
}

/// Converts a date in the same way as [`INSTANT`] does.
fn instant(date: &str) -> String {
    match date.len() {
        10 => format!("{date}T00:00:00.000000Z"),
        24 => format!("{}000Z", date.trim_end_matches('Z')),
        _ => date.to_owned(),
    }
}

/// Returns all forms in which the same instant can be stored.
fn stored_forms(date: &str) -> Vec<String> {
    let instant = instant(date);
    match (instant.strip_suffix("T00:00:00.000000Z"), instant.strip_suffix("000Z")) {
        (Some(day), Some(millis)) => vec![day.to_owned(), format!("{millis}Z")],
        (_, Some(millis)) => vec![format!("{millis}Z")],
        _ => vec![instant],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_found_in_every_stored_form() {
        for (date, expected) in [
            ("2026-01-31", &["2026-01-31", "2026-01-31T00:00:00.000Z"][..]),
            ("2026-01-31T00:00:00.000Z", &["2026-01-31", "2026-01-31T00:00:00.000Z"]),
            ("2026-01-31T00:00:00.001Z", &["2026-01-31T00:00:00.001Z"]),
            ("2026-01-31T12:00:00.000001Z", &["2026-01-31T12:00:00.000001Z"]),
        ] {
            assert_eq!(stored_forms(date), expected, "{date}");
        }
    }
}
