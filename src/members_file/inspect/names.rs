//! Recognizes what columns mean by their names.

use super::Column;
use crate::members_file::{
    REF, SOURCE_UPDATED_AT, column_name,
    columns::{Mapping, Target},
};

/// Names that columns of refs often have, as [`simplified`], in the order of preference.
const REF_NAMES: [&str; 14] = [
    "ref",
    "memberref",
    "memberid",
    "externalid",
    "customerid",
    "customernumber",
    "kundennummer",
    "kundennr",
    "userid",
    "id",
    "uuid",
    "key",
    "email",
    "mail",
];

/// Names that columns of `sourceUpdatedAt` often have.
const TIME_NAMES: [&str; 6] =
    ["sourceupdatedat", "updatedat", "modifiedat", "changedat", "lastmodified", "lastmodifieddate"];

/// Assigns columns to the targets whose names are similar, each to one.
pub(super) fn map_columns(columns: &mut [Column], mapping: &Mapping, is_unique: impl Fn(usize) -> bool) {
    let mut taken: Vec<Target> = Vec::new();
    let keys = simplified_keys(mapping);
    for is_exact in [true, false] {
        for column in columns.iter_mut().filter(|column| column.target.is_none() && !mapping.is_ignored(&column.name)) {
            let targets = mapping.field(&column.name);
            let target = if is_exact { targets.first().copied() } else { similar(&column.name, &keys) };
            if let Some(target) = target.filter(|target| !taken.contains(target)) {
                taken.push(target);
                column.target = Some(name_of(target, mapping));
            }
        }
    }
    for (target, names) in [(Target::Reference, &REF_NAMES[..]), (Target::SourceUpdatedAt, &TIME_NAMES[..])] {
        if taken.contains(&target) {
            continue;
        }
        let fits = |place: usize| target != Target::Reference || is_unique(place);
        let place = names.iter().find_map(|name| {
            let is_such = |column: &Column| {
                column.target.is_none() && !mapping.is_ignored(&column.name) && simplified(&column.name) == *name
            };
            columns.iter().position(is_such).filter(|place| fits(*place))
        });
        if let Some(place) = place {
            columns[place].target = Some(name_of(target, mapping));
        }
    }
}

/// Returns the name of the target, also one that has a column, whose name differs from this one in case, spaces and
/// punctuation only. `keys` are [`simplified_keys`].
pub(super) fn similar_name(name: &str, keys: &[String], mapping: &Mapping) -> Option<String> {
    similar(name, keys).map(|target| name_of(target, mapping))
}

/// Returns the target whose name differs in case, spaces and punctuation only. `keys` are those of attributes, simplified.
fn similar(name: &str, keys: &[String]) -> Option<Target> {
    let name = simplified(name);
    let attribute = || keys.iter().position(|key| *key == name);
    match name.as_str() {
        "" => None,
        "ref" => Some(Target::Reference),
        "sourceupdatedat" => Some(Target::SourceUpdatedAt),
        _ => attribute().map(Target::Attribute),
    }
}

/// Returns the keys of attributes, simplified.
pub(super) fn simplified_keys(mapping: &Mapping) -> Vec<String> {
    mapping.schema.iter().map(|attribute| simplified(&attribute.key)).collect()
}

fn simplified(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

pub(super) fn name_of(target: Target, mapping: &Mapping) -> String {
    match target {
        Target::Reference => REF.to_owned(),
        Target::SourceUpdatedAt => SOURCE_UPDATED_AT.to_owned(),
        Target::Attribute(place) => column_name(&mapping.schema[place].key).into_owned(),
    }
}
