//! Assigns the columns of a CSV file to ref, `sourceUpdatedAt` and attributes, by its header, the options `--map` and
//! the attribute schema of the memberbase.

use std::collections::HashSet;

use crate::{
    commands::{
        api::Definition,
        members_file::{ATTRIBUTE_PREFIX, REF, SOURCE_UPDATED_AT, cell},
    },
    domain::attribute::AttributeType,
};

/// Where in a row is what.
#[derive(Debug)]
pub(super) struct Columns {
    /// How many there are.
    pub(crate) width: usize,
    /// That of the ref.
    pub(crate) reference: usize,
    /// That of the time of the source.
    pub(crate) source_updated_at: Option<usize>,
    /// Those of attributes.
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

/// What a column is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Target {
    Reference,
    SourceUpdatedAt,
    /// The attribute at this place of the schema.
    Attribute(usize),
}

/// How a header is to be understood.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    /// Key and column.
    pub(crate) map: Vec<(String, String)>,
    pub(crate) ignore_unknown: bool,
    pub(crate) schema: Vec<Definition>,
}

impl Mapping {
    /// What a key names.
    fn target(&self, key: &str) -> Option<Target> {
        match key {
            REF => return Some(Target::Reference),
            SOURCE_UPDATED_AT => return Some(Target::SourceUpdatedAt),
            _ => {}
        }
        let find = |key: &str| self.schema.iter().position(|attribute| attribute.key == key);
        key.strip_prefix(ATTRIBUTE_PREFIX).and_then(find).or_else(|| find(key)).map(Target::Attribute)
    }

    /// What each column of this header is. The error says what is wrong with it.
    pub(super) fn columns(&self, header: &[&str]) -> Result<Columns, String> {
        let mut names = HashSet::new();
        if let Some(twice) = header.iter().find(|name| !names.insert(**name)) {
            return Err(format!("the header has the column {twice:?} twice"));
        }
        let mut targets = Vec::new();
        for (key, name) in &self.map {
            let column = header.iter().position(|column| column == name);
            let column = column.ok_or_else(|| format!("--map {key}={name}: the header has no column {name:?}"))?;
            let target = self.target(key);
            let target =
                target.ok_or_else(|| format!("--map {key}={name}: {key:?} is not an attribute of the memberbase"))?;
            if targets.iter().any(|(_, other)| *other == target) {
                return Err(format!("--map {key}={name}: {key:?} is mapped twice"));
            }
            targets.push((column, target));
        }
        for (column, name) in header.iter().enumerate() {
            if self.map.iter().any(|(_, mapped)| mapped == name) {
                continue;
            }
            match self.target(name).filter(|target| targets.iter().all(|(_, other)| other != target)) {
                Some(target) => targets.push((column, target)),
                None if self.ignore_unknown => {}
                None => {
                    return Err(format!(
                        "the column {name:?} is not an attribute of the memberbase: map it with --map, \
                        or ignore such columns with --ignore-unknown-columns"
                    ));
                }
            }
        }
        let at = |wanted| targets.iter().find(|(_, target)| *target == wanted).map(|(column, _)| *column);
        let reference = at(Target::Reference);
        let attributes = targets.iter().filter_map(|&(column, target)| {
            let Target::Attribute(place) = target else { return None };
            let Definition { key, kind } = &self.schema[place];
            let mut json = Vec::new();
            cell::string(key, &mut json);
            Some(Attribute { column, key: json, kind: *kind })
        });
        Ok(Columns {
            width: header.len(),
            reference: reference
                .ok_or("the header has no column \"ref\": name the column of the refs with --map ref=COLUMN")?,
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
            (&[("ref", "id")], &["ref"], "no column \"id\""),
            (&[("plna", "ref")], &["ref"], "\"plna\" is not an attribute"),
            (&[("plan", "a"), ("plan", "b")], &["ref", "a", "b"], "\"plan\" is mapped twice"),
            (&[("plan", "tier")], &["ref", "plan", "tier"], "\"plan\" is not an attribute"),
        ] {
            let error = told(&mapping(map, false), header).expect_err("does not fit");
            assert!(error.contains(part), "{error}");
        }
        assert_eq!(told(&mapping(&[], true), &["id", "ref"]).expect("fits"), "1");
    }
}
