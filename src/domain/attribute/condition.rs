//! Tests of attributes as conditions of the column of documents. Each is true or false, never null, so that `not` is
//! plain negation; and none raises, whatever another memberbase keeps under the same key.

use sea_orm::{
    DbBackend,
    sea_query::{ArrayType, BinOper, Expr, ExprTrait, SimpleExpr},
};
use serde_json::json;

use super::{
    Kind, Value,
    predicate::{Comparison, Operator, Predicate},
};
use crate::domain::filter::{constant, starts_with};

/// How many values the index on documents is asked for one by one.
const MAX_LOOKED_UP: usize = 16;

/// A date-time in the order of time: to the microsecond, a day as its midnight.
const INSTANT: &str =
    "(CASE length(?) WHEN 10 THEN ? || 'T00:00:00.000000Z' WHEN 24 THEN substr(?, 1, 23) || '000Z' ELSE ? END)";

impl Predicate {
    /// As a condition of a column of documents.
    pub fn condition(&self, backend: DbBackend, column: SimpleExpr) -> SimpleExpr {
        let field = Field { backend, column, key: &self.key, kind: self.kind };
        match &self.operator {
            Operator::Eq(value) => field.one_of(std::slice::from_ref(value)),
            Operator::In(values) => field.one_of(values),
            Operator::NotIn(values) => field.one_of(values).not(),
            Operator::Compare(comparison, value) => field.compare(*comparison, value),
            Operator::StartsWith(prefix) => {
                field.there(starts_with(field.text(), prefix.as_text().unwrap_or_default()))
            }
            Operator::Contains(item) => field.contains(item),
            Operator::Exists(true) => field.value().is_not_null(),
            Operator::Exists(false) => field.value().is_null(),
        }
    }
}

/// An attribute in the column of documents.
struct Field<'a> {
    backend: DbBackend,
    column: SimpleExpr,
    key: &'a str,
    kind: Kind,
}

impl Field<'_> {
    /// Its value, or null: `jsonb` on PostgreSQL, what the JSON stands for on SQLite.
    fn value(&self) -> SimpleExpr {
        let inner = match self.backend {
            // Of other keys SQLite would make a path.
            DbBackend::Sqlite if !is_plain(self.key) => "(SELECT value FROM json_each(?) WHERE key = ?)",
            DbBackend::Sqlite => "(? ->> ?)",
            _ => "(? -> ?)",
        };
        self.sql(inner, [self.column.clone(), Expr::val(self.key)])
    }

    /// Its value as text in the order of bytes, or of time.
    fn text(&self) -> SimpleExpr {
        let text = match self.backend {
            DbBackend::Sqlite => self.value(),
            _ => self.sql("(? ->> ?)", [self.column.clone(), Expr::val(self.key)]),
        };
        let text = if self.kind == Kind::Date { self.sql(INSTANT, vec![text; 4]) } else { text };
        match self.backend {
            DbBackend::Sqlite => text,
            _ => self.sql("(? COLLATE \"C\")", [text]),
        }
    }

    /// Where there is a value, for which `condition` holds.
    fn there(&self, condition: SimpleExpr) -> SimpleExpr {
        self.value().is_not_null().and(condition)
    }

    fn one_of(&self, values: &[Value]) -> SimpleExpr {
        match self.backend {
            DbBackend::Sqlite => {
                let list: Vec<_> = values.iter().map(|value| self.comparable(value)).collect();
                let value = if self.kind == Kind::Date { self.text() } else { self.value() };
                let list = Expr::val(serde_json::Value::from(list).to_string());
                self.there(self.sql("(? IN (SELECT value FROM json_each(?)))", [value, list]))
            }
            _ if values.len() > MAX_LOOKED_UP => self.in_array(values),
            _ => {
                let found = values.iter().map(|value| self.found(value)).reduce(ExprTrait::or);
                self.column.clone().is_not_null().and(found.unwrap_or_else(|| constant(false)))
            }
        }
    }

    /// PostgreSQL's test that the index on documents serves.
    fn found(&self, value: &Value) -> SimpleExpr {
        let held = |value: serde_json::Value| self.holds(&value);
        match (self.kind, value) {
            (Kind::Date, Value::Text(date)) => {
                let forms = forms(date).into_iter().map(|form| held(form.into()));
                forms.reduce(ExprTrait::or).unwrap_or_else(|| constant(false))
            }
            // A list holds every list of some of its items.
            (Kind::StringList, list) => {
                let same = self.sql("(? = CAST(? AS jsonb))", [self.value(), Expr::val(json!(list).to_string())]);
                held(json!(list)).and(self.there(same))
            }
            (_, value) => held(json!(value)),
        }
    }

    fn holds(&self, value: &serde_json::Value) -> SimpleExpr {
        let document = json!({self.key: value}).to_string();
        self.sql("(? @> CAST(? AS jsonb))", [self.column.clone(), Expr::val(document)])
    }

    fn in_array(&self, values: &[Value]) -> SimpleExpr {
        let texts = values.iter().map(|value| match (self.kind, self.comparable(value)) {
            (Kind::Date, serde_json::Value::String(instant)) => instant,
            (_, value) => value.to_string(),
        });
        let array = sea_orm::Value::Array(ArrayType::String, Some(Box::new(texts.map(Into::into).collect())));
        let array = Expr::val(array);
        self.there(match self.kind {
            Kind::Date => self.sql("(? = ANY(?))", [self.text(), array]),
            _ => self.sql("(? = ANY(CAST(? AS jsonb[])))", [self.value(), array]),
        })
    }

    fn compare(&self, comparison: Comparison, value: &Value) -> SimpleExpr {
        let (left, right) = match self.comparable(value) {
            serde_json::Value::String(text) => (self.text(), Expr::val(text)),
            // Read by the database as it reads the documents, to the last bit of a fraction.
            json => {
                let read = if self.backend == DbBackend::Sqlite { "json_extract(?, '$')" } else { "CAST(? AS jsonb)" };
                (self.value(), self.sql(read, [Expr::val(json.to_string())]))
            }
        };
        self.there(left.binary(BinOper::from(comparison), right))
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
            _ => self.column.clone().is_not_null().and(self.holds(&json!([item]))),
        }
    }

    /// A value as those of the column compare to it.
    fn comparable(&self, value: &Value) -> serde_json::Value {
        match (self.kind, value) {
            (Kind::Date, Value::Text(date)) => instant(date).into(),
            (_, value) => json!(value),
        }
    }

    /// SQL whose question marks stand for these.
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

/// Whether SQLite takes a key for a label, not for a path or a place.
fn is_plain(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-. ".contains(&byte);
    key.bytes().all(plain) && key.bytes().any(|byte| !byte.is_ascii_digit())
}

/// What the column's dates are brought to by [`INSTANT`].
fn instant(date: &str) -> String {
    match date.len() {
        10 => format!("{date}T00:00:00.000000Z"),
        24 => format!("{}000Z", date.trim_end_matches('Z')),
        _ => date.to_owned(),
    }
}

/// The ways in which an instant is kept.
fn forms(date: &str) -> Vec<String> {
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
    fn an_instant_is_looked_for_in_every_form() {
        for (date, expected) in [
            ("2026-01-31", &["2026-01-31", "2026-01-31T00:00:00.000Z"][..]),
            ("2026-01-31T00:00:00.000Z", &["2026-01-31", "2026-01-31T00:00:00.000Z"]),
            ("2026-01-31T00:00:00.001Z", &["2026-01-31T00:00:00.001Z"]),
            ("2026-01-31T12:00:00.000001Z", &["2026-01-31T12:00:00.000001Z"]),
        ] {
            assert_eq!(forms(date), expected, "{date}");
        }
    }
}
