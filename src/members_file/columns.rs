//! Assigns the columns of a CSV file and the fields of NDJSON to ref, `sourceUpdatedAt` and attributes, by their names, a
//! mapping and the attribute schema of the memberbase.

use std::{collections::HashMap, fmt};

use super::{
    ATTRIBUTE_PREFIX, REF, SOURCE_UPDATED_AT,
    cell::{self, CellRules},
};
use crate::domain::attribute::{AttributeType, Definition};

/// The columns of a CSV file.
#[derive(Debug)]
pub(super) struct Columns {
    /// The number of cells of a row.
    pub(crate) width: usize,
    /// The column of the ref.
    pub(crate) reference: usize,
    /// The column of `sourceUpdatedAt`.
    pub(crate) source_updated_at: Option<usize>,
    /// The columns of attributes.
    pub(crate) attributes: Vec<Attribute>,
}

/// The column of an attribute.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(crate) column: usize,
    /// Its key as JSON.
    pub(crate) key: Vec<u8>,
    pub(crate) kind: AttributeType,
}

/// The names of columns or fields in a file, by what they mean. Those that are not named have no column.
#[derive(Clone, Debug, Default)]
pub(crate) struct ColumnNames {
    pub(super) reference: Option<String>,
    pub(super) source_updated_at: Option<String>,
    /// Names of the columns of attributes, by key.
    pub(super) attributes: HashMap<String, String>,
}

impl ColumnNames {
    /// Returns the name of the column from which the value at this path of a row was read.
    pub(crate) fn of(&self, path: &[impl AsRef<str>]) -> Option<&str> {
        match path {
            [field] if field.as_ref() == REF => self.reference.as_deref(),
            [field] if field.as_ref() == SOURCE_UPDATED_AT => self.source_updated_at.as_deref(),
            [_, key, ..] => self.attributes.get(key.as_ref()).map(String::as_str),
            _ => None,
        }
    }
}

/// The meaning of a column or of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Reference,
    SourceUpdatedAt,
    /// The attribute at this place of the schema.
    Attribute(usize),
}

/// The meaning of the columns and cells of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mapping {
    /// Key and column.
    pub(crate) map: Vec<(String, String)>,
    /// Names of columns that are left out, whatever they mean.
    pub(crate) ignored: Vec<String>,
    pub(crate) ignore_unknown: bool,
    pub(crate) schema: Vec<Definition>,
    /// True if the first record of a CSV file is a row, and its columns are named 1, 2 and so on.
    pub(crate) no_header: bool,
    /// The delimiter of a CSV file; `None` to recognize it.
    pub(crate) delimiter: Option<Delimiter>,
    pub(crate) cells: CellRules,
}

/// The parameter that leaves out unknown columns.
const IGNORE_UNKNOWN: &str = "ignoreUnknownColumns=true";

/// The parameter that declares unknown columns as attributes.
const DECLARE: &str = "declare=true";

/// Returns the parameter that maps a column.
pub(super) fn parameter(key: &str, column: &str) -> String {
    format!("map={key}={column}")
}

/// Returns the parameter that leaves out a column.
pub(super) fn ignoring(column: &str) -> String {
    format!("ignore={column}")
}

/// Returns advice for columns or fields that are unknown.
pub(super) fn advice(what: &str) -> String {
    format!("map it with {}, or ignore such {what} with {IGNORE_UNKNOWN}", parameter("KEY", "COLUMN"))
}

/// The delimiter of the cells of a CSV file, an ASCII character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delimiter(u8);

impl Delimiter {
    pub(crate) const COMMA: Self = Self(b',');
    pub(crate) const SEMICOLON: Self = Self(b';');

    /// The delimiters that are recognized, in the order of preference.
    pub(super) const RECOGNIZED: [Self; 4] = [Self::COMMA, Self::SEMICOLON, Self(b'\t'), Self(b'|')];

    /// Parses a character, or `tab`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.as_bytes() {
            b"tab" | b"\\t" => Ok(Self(b'\t')),
            [byte] => Self::of(*byte).ok_or_else(|| format!("{text:?} can't be a delimiter")),
            _ => Err("expected a character, or tab".to_owned()),
        }
    }

    /// Returns the delimiter with this character; `None` if it has another meaning in CSV.
    pub(super) fn of(byte: u8) -> Option<Self> {
        let is_other = byte.is_ascii_alphanumeric() || matches!(byte, b'"' | b'\r' | b'\n' | 0);
        (byte.is_ascii() && !is_other).then_some(Self(byte))
    }

    /// Returns the delimiter as [`Self::parse`] reads it.
    pub(crate) fn name(self) -> String {
        if self.0 == b'\t' { "tab".to_owned() } else { char::from(self.0).to_string() }
    }

    pub(super) fn byte(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b'\t' => formatter.write_str("tabs"),
            byte => write!(formatter, "{:?}", char::from(byte)),
        }
    }
}

impl Mapping {
    /// Returns the names that the mapping gives to fields and attributes; other fields have their own names.
    pub(super) fn field_names(&self) -> ColumnNames {
        let own = |key: &str| Some(key.to_owned());
        let attributes = self.schema.iter().map(|attribute| (attribute.key.clone(), attribute.key.clone())).collect();
        let mut names = ColumnNames { reference: own(REF), source_updated_at: own(SOURCE_UPDATED_AT), attributes };
        for (key, column) in &self.map {
            match self.target(key) {
                Some(Target::Reference) => names.reference = own(column),
                Some(Target::SourceUpdatedAt) => names.source_updated_at = own(column),
                Some(Target::Attribute(place)) => {
                    names.attributes.insert(self.schema[place].key.clone(), column.clone());
                }
                None => {}
            }
        }
        names
    }

    /// Returns the meanings of a field of an object; none if it is unknown.
    pub(super) fn field(&self, name: &str) -> Vec<Target> {
        let mapped: Vec<_> = self.map.iter().filter_map(|(key, column)| Some((self.target(key)?, column))).collect();
        if self.is_mapped(name) {
            return mapped.into_iter().filter(|(_, column)| *column == name).map(|(target, _)| target).collect();
        }
        if self.is_ignored(name) {
            return Vec::new();
        }
        self.target(name).into_iter().filter(|own| mapped.iter().all(|(target, _)| target != own)).collect()
    }

    pub(super) fn is_mapped(&self, name: &str) -> bool {
        self.map.iter().any(|(_, mapped)| mapped == name)
    }

    /// Returns true if the column or field is left out.
    pub(super) fn is_ignored(&self, name: &str) -> bool {
        self.ignored.iter().any(|ignored| ignored == name)
    }

    /// Returns the keys, not declared so far, of the attributes that a column or field would be.
    pub(super) fn undeclared_keys(&self, name: &str) -> Vec<String> {
        let key = |name: &str| name.strip_prefix(ATTRIBUTE_PREFIX).unwrap_or(name).to_owned();
        if self.is_mapped(name) {
            let mapped = self.map.iter().filter(|(key, column)| column == name && self.target(key).is_none());
            return mapped.map(|(name, _)| key(name)).collect();
        }
        let is_known = name.is_empty() || self.is_ignored(name) || self.target(name).is_some();
        if is_known { Vec::new() } else { vec![key(name)] }
    }

    /// Checks the mapping of a file without a header.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(name) = self.ignored.iter().find(|name| self.is_mapped(name)) {
            return Err(format!("{}: the column is mapped", ignoring(name)));
        }
        for (at, (key, name)) in self.map.iter().enumerate() {
            let target = self
                .target(key)
                .ok_or_else(|| format!("{}: {key:?} is not an attribute of the memberbase", parameter(key, name)))?;
            if self.map[..at].iter().any(|(other, _)| self.target(other) == Some(target)) {
                return Err(format!("{}: {key:?} is mapped twice", parameter(key, name)));
            }
        }
        Ok(())
    }

    /// Returns the key of an attribute as JSON.
    pub(super) fn key(&self, place: usize) -> Vec<u8> {
        let mut json = Vec::new();
        cell::string(&self.schema[place].key, &mut json);
        json
    }

    /// Returns the target that a key names.
    pub(super) fn target(&self, key: &str) -> Option<Target> {
        match key {
            REF => return Some(Target::Reference),
            SOURCE_UPDATED_AT => return Some(Target::SourceUpdatedAt),
            _ => {}
        }
        let find = |key: &str| self.schema.iter().position(|attribute| attribute.key == key);
        key.strip_prefix(ATTRIBUTE_PREFIX).and_then(find).or_else(|| find(key)).map(Target::Attribute)
    }

    /// Returns the columns of a file with this header.
    pub(super) fn columns(&self, header: &[&str]) -> Result<Columns, String> {
        self.check()?;
        let twice = |name: &str| Err(format!("the header has the column {name:?} twice"));
        let mut targets = Vec::new();
        for (key, name) in &self.map {
            let mut columns = header.iter().enumerate().filter(|(_, column)| *column == name);
            let Some((column, _)) = columns.next() else {
                return Err(format!("{}: the header has no column {name:?}", parameter(key, name)));
            };
            if columns.next().is_some() {
                return twice(name);
            }
            targets.extend(self.target(key).map(|target| (column, target)));
        }
        if let Some(name) = self.ignored.iter().find(|name| !header.contains(&name.as_str())) {
            return Err(format!("{}: the header has no column {name:?}", ignoring(name)));
        }
        let mapped = targets.len();
        for (column, name) in header.iter().enumerate() {
            if self.is_mapped(name) || self.is_ignored(name) {
                continue;
            }
            let target = self.target(name);
            if target.is_some() && targets[mapped..].iter().any(|(_, other)| Some(*other) == target) {
                return twice(name);
            }
            match target.filter(|target| targets.iter().all(|(_, other)| other != target)) {
                Some(target) => targets.push((column, target)),
                None if self.ignore_unknown => {}
                None if name.is_empty() => {
                    let number = column + 1;
                    let message = format!("column {number} has no name: ignore such columns with {IGNORE_UNKNOWN}");
                    return Err(message);
                }
                None if target.is_some() => {
                    let way = ignoring(name);
                    return Err(format!(
                        "the column {name:?} has the name of a field to which another column is mapped: leave it out with {way}"
                    ));
                }
                None => {
                    let advice = format!("declare it with {DECLARE}, {}", advice("columns"));
                    return Err(format!("the column {name:?} is not an attribute of the memberbase: {advice}"));
                }
            }
        }
        let at = |wanted| targets.iter().find(|(_, target)| *target == wanted).map(|(column, _)| *column);
        let reference = at(Target::Reference);
        let attributes = targets.iter().filter_map(|&(column, target)| {
            let Target::Attribute(place) = target else { return None };
            Some(Attribute { column, key: self.key(place), kind: self.schema[place].kind })
        });
        Ok(Columns {
            width: header.len(),
            reference: reference.ok_or_else(|| {
                let map = parameter(REF, "COLUMN");
                format!("the header has no column \"ref\": name the column of the refs with {map}")
            })?,
            source_updated_at: at(Target::SourceUpdatedAt),
            attributes: attributes.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(map: &[(&str, &str)], ignore_unknown: bool) -> Mapping {
        let attribute = |(key, kind): (&str, AttributeType)| Definition { key: key.to_owned(), kind };
        let schema = [
            ("plan", AttributeType::String),
            ("age", AttributeType::Number),
            ("ref", AttributeType::String),
            ("attributes.x", AttributeType::Date),
        ];
        Mapping {
            map: map.iter().map(|(key, column)| ((*key).to_owned(), (*column).to_owned())).collect(),
            ignore_unknown,
            schema: schema.into_iter().map(attribute).collect(),
            ..Mapping::default()
        }
    }

    /// The columns of ref and time, and those of attributes with their keys.
    fn told(mapping: &Mapping, header: &[&str]) -> Result<String, String> {
        mapping.columns(header).map(|columns| {
            let key = |attribute: &Attribute| String::from_utf8_lossy(&attribute.key).into_owned();
            let attributes = columns.attributes.iter().map(|a| format!(" {}{}", a.column, key(a)));
            let at = columns.source_updated_at.map_or_else(String::new, |at| format!(" at{at}"));
            format!("{}{at}{}", columns.reference, attributes.collect::<String>())
        })
    }

    #[test]
    fn columns_are_what_they_are_called() {
        let plain = mapping(&[], false);
        assert_eq!(told(&plain, &["age", "ref", "plan"]).expect("fits"), "1 0\"age\" 2\"plan\"");
        assert_eq!(told(&plain, &["ref", "sourceUpdatedAt"]).expect("fits"), "0 at1");
        let escaped = ["ref", "attributes.ref", "attributes.attributes.x", "attributes.plan"];
        assert_eq!(told(&plain, &escaped).expect("fits"), "0 1\"ref\" 2\"attributes.x\" 3\"plan\"");
    }

    #[test]
    fn a_mapping_goes_before_the_name() {
        let header = ["id", "tier", "changed"];
        let mapped = mapping(&[("ref", "id"), ("plan", "tier"), ("sourceUpdatedAt", "changed")], false);
        assert_eq!(told(&mapped, &header).expect("fits"), "0 at2 1\"plan\"");
        let both = mapping(&[("ref", "id"), ("plan", "id")], true);
        assert_eq!(told(&both, &header).expect("fits"), "0 0\"plan\"");
        let covered = mapping(&[("plan", "tier")], true);
        assert_eq!(told(&covered, &["ref", "plan", "tier"]).expect("fits"), "0 2\"plan\"");
    }

    #[test]
    fn what_does_not_fit_is_told_by_its_name() {
        for (map, header, part) in [
            (&[][..], &["id"][..], "\"id\" is not an attribute"),
            (&[], &["plan"], "no column \"ref\""),
            (&[], &[], "no column \"ref\""),
            (&[], &["ref", "plan", "plan"], "\"plan\" twice"),
            (&[("plan", "a")], &["ref", "a", "a"], "\"a\" twice"),
            (&[], &["ref", ""], "column 2 has no name"),
            (&[("ref", "id")], &["ref"], "no column \"id\""),
            (&[("plna", "ref")], &["ref"], "\"plna\" is not an attribute"),
            (&[("plan", "a"), ("plan", "b")], &["ref", "a", "b"], "\"plan\" is mapped twice"),
            (&[("plan", "tier")], &["ref", "plan", "tier"], "leave it out with ignore=plan"),
        ] {
            let error = told(&mapping(map, false), header).expect_err("does not fit");
            assert!(error.contains(part), "{error}");
        }
        let ignoring = |names: &[&str], map: &[(&str, &str)]| {
            let ignored = names.iter().map(|name| (*name).to_owned()).collect();
            Mapping { ignored, ..mapping(map, false) }
        };
        let header = ["ref", "plan", "id", "id"];
        assert_eq!(told(&ignoring(&["plan", "id"], &[]), &header).expect("fits"), "0");
        for (mapping, part) in [
            (ignoring(&["plna", "id"], &[]), "ignore=plna: the header has no column \"plna\""),
            (ignoring(&["plan"], &[("age", "plan")]), "ignore=plan: the column is mapped"),
            (ignoring(&["ref", "plan", "id"], &[]), "no column \"ref\""),
        ] {
            let error = told(&mapping, &header).expect_err("does not fit");
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(told(&mapping(&[], true), &["id", "ref"]).expect("fits"), "1");
        assert_eq!(told(&mapping(&[], true), &["", "ref", "", "id", "id"]).expect("fits"), "1");
    }

    #[test]
    fn columns_that_are_unknown_would_be_attributes() {
        let map = [("ref", "id"), ("tier", "Level"), ("attributes.sourceUpdatedAt", "at"), ("plan", "p")];
        let mapping = Mapping { ignored: vec!["note".to_owned()], ..mapping(&map, false) };
        for (name, keys) in [
            ("city", &["city"][..]),
            ("attributes.city", &["city"]),
            ("Level", &["tier"]),
            ("at", &["sourceUpdatedAt"]),
            ("id", &[]),
            ("p", &[]),
            ("plan", &[]),
            ("note", &[]),
            ("", &[]),
        ] {
            assert_eq!(mapping.undeclared_keys(name), keys, "{name:?}");
        }
    }

    #[test]
    fn delimiters_are_characters_without_another_meaning() {
        for (text, byte) in
            [(",", b','), (";", b';'), ("tab", b'\t'), ("\t", b'\t'), ("\\t", b'\t'), ("|", b'|'), (" ", b' ')]
        {
            assert_eq!(Delimiter::parse(text).map(Delimiter::byte), Ok(byte), "{text:?}");
        }
        for text in ["", "\"", "\n", "a", "7", ";;", "\u{e9}"] {
            assert!(Delimiter::parse(text).is_err(), "{text:?}");
        }
    }
}
