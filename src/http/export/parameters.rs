//! The parameters of an export, in its query string.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::description::PARAMETERS;
use crate::{
    http::{
        query_string::{boolean, choice, decoded, once, pairs, parsed, reject, unknown},
        rejection::Rejection,
    },
    members_file::{
        columns::Delimiter,
        writer::{OutputForm, OutputFormat},
    },
};

/// The parameters of an export.
#[derive(Debug)]
pub(super) struct Parameters {
    /// Id or name.
    pub(super) memberbase: String,
    pub(super) form: OutputForm,
    /// Names of columns, each of which may be a list; none for all columns.
    pub(super) columns: Vec<String>,
    /// A `MemberFilter`.
    pub(super) filter: Option<Box<RawValue>>,
}

impl Parameters {
    /// Reads the parameters of a query string.
    pub(super) fn of(query: &str) -> Result<Self, Rejection> {
        let (mut memberbase, mut format, mut filter, mut columns) = (None, None, None, Vec::new());
        let (mut delimiter, mut bom, mut escapes_formulas) = (None, None, None);
        for (name, value) in pairs(query) {
            let name = &*name?;
            let value = decoded(name, value)?;
            match name {
                "memberbase" => once(&mut memberbase, name, value.into_owned())?,
                "format" => once(&mut format, name, choice::<OutputFormat>(name, &value)?)?,
                "filter" => once(&mut filter, name, json(value)?)?,
                "columns" => columns.push(value.into_owned()),
                "delimiter" => once(&mut delimiter, name, parsed(name, &value, Delimiter::parse(&value))?)?,
                "bom" => once(&mut bom, name, boolean(name, &value)?)?,
                "escapeFormulas" => once(&mut escapes_formulas, name, boolean(name, &value)?)?,
                // A typo in filter must not export all members.
                _ => return Err(unknown(name, PARAMETERS.iter().map(|parameter| parameter.name))),
            }
        }
        let missing = |what: &str| reject(format!("the parameter {what}"));
        let format = format.ok_or_else(|| missing("format is missing: it is csv, excel, ndjson or lines"))?;
        Ok(Self {
            memberbase: memberbase.ok_or_else(|| missing("memberbase is missing"))?,
            form: OutputForm { format, delimiter, bom, escapes_formulas: escapes_formulas.unwrap_or_default() },
            columns,
            filter,
        })
    }
}

fn json(text: Cow<'_, str>) -> Result<Box<RawValue>, Rejection> {
    let json = RawValue::from_string(text.into_owned());
    json.map_err(|error| reject(format!("the parameter filter is not valid JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(query: &str) -> Result<Parameters, String> {
        Parameters::of(query).map_err(|rejection| rejection.first_error().1)
    }

    #[test]
    fn parameters_are_read() {
        let query = "memberbase=My+readers&format=excel&filter=%7B%22a%22:1%7D&columns=ref,plan&columns=age&delimiter=tab\
            &bom=false&escapeFormulas=true";
        let Parameters { memberbase, form, columns, filter } = parameters(query).expect("parameters");
        assert_eq!((&*memberbase, form.format), ("My readers", OutputFormat::Excel));
        assert_eq!(
            (form.delimiter, form.bom, form.escapes_formulas),
            (Delimiter::parse("tab").ok(), Some(false), true)
        );
        assert_eq!(
            (columns, filter.expect("a filter").get()),
            (vec!["ref,plan".to_owned(), "age".to_owned()], r#"{"a":1}"#)
        );
        let plain = parameters("memberbase=a&format=lines").expect("parameters");
        assert!(plain.filter.is_none() && plain.columns.is_empty() && plain.form.delimiter.is_none());
    }

    #[test]
    fn every_described_parameter_is_known() {
        for parameter in PARAMETERS {
            let outcome = parameters(&format!("{}=%22", parameter.name));
            assert!(outcome.is_err_and(|message| !message.contains("unknown")), "{}", parameter.name);
        }
        let message = parameters("fliter={}").expect_err("unknown");
        assert!(message.contains("\"fliter\" is unknown; they are memberbase, format, filter"), "{message}");
    }

    #[test]
    fn invalid_parameters_are_named() {
        for (query, part) in [
            ("", "format is missing"),
            ("format=csv", "memberbase is missing"),
            ("memberbase=a&format=xlsx", "format is \"xlsx\": expected one of csv, excel, ndjson, lines"),
            ("memberbase=a&format=csv&format=csv", "format is given more than once"),
            ("memberbase=a&format=csv&filter=", "filter is not valid JSON"),
            ("memberbase=a&format=csv&filter={", "filter is not valid JSON"),
            ("memberbase=a&format=csv&bom=1", "bom is \"1\": expected true or false"),
            ("memberbase=a&format=csv&delimiter=;;", "delimiter is \";;\""),
            ("memberbase=%ff&format=csv", "not percent-encoded"),
        ] {
            let message = parameters(query).expect_err("invalid");
            assert!(message.contains(part), "{query}: {message}");
        }
    }
}
