//! Attributes to declare for columns that have no meaning yet.

use super::{
    Inspection,
    names::{similar_name, simplified_keys},
};
use crate::{
    domain::attribute::{AttributeType, Definition},
    members_file::{
        ATTRIBUTE_PREFIX, Format,
        columns::{Mapping, Target, ignoring, parameter},
        rows::ATTRIBUTES,
    },
};

impl Inspection {
    /// Returns true if a column or field is the ref.
    pub(crate) fn has_ref(&self, mapping: &Mapping) -> bool {
        self.columns.iter().any(|column| mapping.field(&column.name).contains(&Target::Reference))
    }

    /// Returns definitions for the columns that have no meaning in the mapping, with the types of their values; STRING for a
    /// column without values. Fails for a column that is likely to have another meaning. The types are those with the forms
    /// that were recognized, or with those that the mapping gives; a column that needs another one then fails.
    pub(crate) fn undeclared(&self, mapping: &Mapping, is_recognized: bool) -> Result<Vec<Definition>, String> {
        let (keys, mut definitions) = (simplified_keys(mapping), Vec::<Definition>::new());
        for column in &self.columns {
            let name = &column.name;
            let is_mapped = mapping.is_mapped(name);
            let is_in_ignored = mapping.is_ignored(ATTRIBUTES) && name.starts_with(ATTRIBUTE_PREFIX);
            if self.format == Format::Ndjson && !is_mapped && (name == ATTRIBUTES || is_in_ignored) {
                continue;
            }
            for key in mapping.undeclared_keys(name) {
                if definitions.iter().any(|other| other.key == key) {
                    continue;
                }
                if let Some(similar) = similar_name(name, &keys, mapping).filter(|_| !is_mapped) {
                    return Err(format!(
                        "the column {name:?} is not declared, because it is similar to {similar:?}: map it with {}, leave it \
                        out with {}, or declare it before the import",
                        parameter(&similar, name),
                        ignoring(name)
                    ));
                }
                let kind = if is_recognized { column.kind } else { column.kind_as_given };
                if let Some(kind) = column.kind_with_form.filter(|_| !is_recognized) {
                    let way = match kind {
                        AttributeType::Number => "decimal=comma or decimal=point",
                        _ => "dateOrder=dmy or dateOrder=mdy",
                    };
                    let kind = kind.name();
                    return Err(format!(
                        "the column {name:?} seems to be of type {kind}: say how to read it with {way}"
                    ));
                }
                let kind = kind.unwrap_or(AttributeType::String);
                definitions.push(Definition { key, kind });
            }
        }
        Ok(definitions)
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        domain::attribute::{AttributeType, Definition},
        members_file::{
            Format,
            cell::CellRules,
            columns::Mapping,
            forms::Decimal,
            inspect::{Given, inspect},
        },
    };

    /// Returns the definitions of a file's columns for a memberbase with the attribute `plan`.
    fn declared(format: Format, text: &str, mapping: Mapping) -> Result<String, String> {
        let plan = Definition { key: "plan".to_owned(), kind: AttributeType::String };
        let mapping = Mapping { schema: vec![plan], ..mapping };
        let given = Given { format: Some(format), has_header: Some(!mapping.no_header), ..Given::default() };
        let (inspection, _) = inspect(text.as_bytes(), false, &given, &mapping);
        let definitions = inspection.undeclared(&mapping, false)?;
        let shown = definitions.iter().map(|Definition { key, kind }| format!("{key}={}", kind.name()));
        Ok(shown.collect::<Vec<_>>().join(" "))
    }

    fn csv(text: &str, mapping: Mapping) -> Result<String, String> {
        declared(Format::Csv, text, mapping)
    }

    fn map(pairs: &[(&str, &str)]) -> Mapping {
        let map = pairs.iter().map(|(key, column)| ((*key).to_owned(), (*column).to_owned())).collect();
        Mapping { map, ..Mapping::default() }
    }

    #[test]
    fn columns_have_the_types_of_their_values() {
        let text = "ref,plan,age,active,joined,tags,note,zip,attributes.ref\n\
            ann,a,7,yes,2026-01-31,\"{a,b}\",,01234,x\nben,,,no,31.12.2024,,,99999,\n";
        let expected = "age=NUMBER active=BOOLEAN joined=DATE tags=STRING_LIST note=STRING zip=STRING ref=STRING";
        assert_eq!(csv(text, Mapping::default()).as_deref(), Ok(expected));
        assert_eq!(csv("ref,plan\n", Mapping::default()).as_deref(), Ok(""));
        let mapped = map(&[("ref", "id"), ("tier", "Level")]);
        assert_eq!(csv("id,Level,plan\n1,2,x\n", mapped).as_deref(), Ok("tier=NUMBER"));
        let numbered = Mapping { no_header: true, ..map(&[("ref", "1"), ("age", "2")]) };
        assert_eq!(csv("a,7\nb,8\n", numbered).as_deref(), Ok("age=NUMBER"));
        let ignoring = Mapping { ignored: vec!["x".to_owned()], ..Mapping::default() };
        assert_eq!(csv("ref,x,,y\na,1,2,3\n", ignoring).as_deref(), Ok("y=NUMBER"));
    }

    #[test]
    fn values_that_the_api_rejects_have_another_type() {
        let text = "ref,id,list\nann,175928847299117063,\"[1,2]\"\n";
        assert_eq!(csv(text, Mapping::default()).as_deref(), Ok("id=STRING list=STRING"));
    }

    #[test]
    fn strings_of_objects_are_no_numbers() {
        let text = r#"{"ref":"a","zip":"12345","n":1,"at":"31.12.2024","ok":true,"attributes":{"city":"7","day":"31.12.2024","born":"2024-12-31","plan":"x"}}
            {"ref":"b","attributes":null}"#;
        let expected = "zip=STRING n=NUMBER at=DATE ok=BOOLEAN city=STRING day=STRING born=DATE";
        assert_eq!(declared(Format::Ndjson, text, Mapping::default()).as_deref(), Ok(expected));
    }

    #[test]
    fn column_that_may_have_another_meaning_is_not_declared() {
        for (text, part) in [
            ("ref,Plan\na,b\n", "map it with map=plan=Plan, leave it out with ignore=Plan"),
            ("ref,REF\na,b\n", "map=ref=REF"),
            (
                "ref;price\na;1.234,5\n",
                "the column \"price\" seems to be of type NUMBER: say how to read it with decimal=comma",
            ),
            ("ref,day\na,3/14/2024\n", "type DATE: say how to read it with dateOrder=dmy"),
        ] {
            let error = csv(text, Mapping::default()).expect_err(text);
            assert!(error.contains(part), "{error}");
        }
        let cells = CellRules { decimal: Some(Decimal::Comma), ..CellRules::default() };
        let given = Mapping { cells, ..Mapping::default() };
        assert_eq!(csv("ref;price\na;1.234,5\n", given).as_deref(), Ok("price=NUMBER"));
        // Both orders are possible.
        let error = csv("ref,day\na,1/2/2024\n", Mapping::default()).expect_err("no order");
        assert!(error.contains("dateOrder=dmy or dateOrder=mdy"), "{error}");
        // Other columns do not decide.
        let ignoring = Mapping { ignored: vec!["a".to_owned()], ..Mapping::default() };
        assert_eq!(csv("ref;a;b\n1;1,5;2.5\n", ignoring).as_deref(), Ok("b=NUMBER"));
    }
}
