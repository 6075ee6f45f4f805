//! The columns of a file that is written, and the values of a member in them.

use std::{borrow::Cow, collections::HashMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::internal;
use crate::{
    domain::{
        Error,
        attribute::{Definition, Schema},
        member::MemberColumns,
    },
    members_file::columns::{Mapping, Target},
    types::excerpt,
};

/// The column of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Reference,
    SourceUpdatedAt,
    Attribute(Definition),
}

/// The columns of a file, in its order.
#[derive(Debug)]
pub(super) struct Columns {
    list: Vec<Column>,
    /// Places in the list, by the key of the attribute.
    places: HashMap<String, usize>,
    /// True if no column was left out.
    are_all: bool,
}

impl Columns {
    fn new(list: Vec<Column>, are_all: bool) -> Self {
        let place = |(place, column): (usize, &Column)| match column {
            Column::Attribute(Definition { key, .. }) => Some((key.clone(), place)),
            Column::Reference | Column::SourceUpdatedAt => None,
        };
        let places = list.iter().enumerate().filter_map(place).collect();
        Self { list, places, are_all }
    }

    pub(super) fn of_refs() -> Self {
        Self::new(vec![Column::Reference], false)
    }

    /// Returns the columns of these names, each of which may be a list with commas; without names, all of them.
    pub(super) fn choose(names: &[String], schema: &Schema) -> Result<Self, String> {
        let definitions = schema.definitions();
        if names.is_empty() {
            let attributes = definitions.iter().cloned().map(Column::Attribute);
            let list = [Column::Reference].into_iter().chain(attributes).chain([Column::SourceUpdatedAt]);
            return Ok(Self::new(list.collect(), true));
        }
        let mapping = Mapping { schema: definitions.to_vec(), ..Mapping::default() };
        let column = |name: &str| {
            mapping.target(name).map(|target| match target {
                Target::Reference => Column::Reference,
                Target::SourceUpdatedAt => Column::SourceUpdatedAt,
                Target::Attribute(place) => Column::Attribute(definitions[place].clone()),
            })
        };
        let mut list = Vec::new();
        let mut add = |name: &str| {
            let name_or = |message: &str| format!("the column {:?} {message}", excerpt(name));
            let column = column(name).ok_or_else(|| {
                name_or("does not exist; the columns are ref, sourceUpdatedAt and the attributes of the memberbase")
            })?;
            if list.contains(&column) {
                return Err(name_or("is given twice"));
            }
            list.push(column);
            Ok(())
        };
        for text in names {
            // The key of an attribute may contain a comma.
            if column(text).is_some() { add(text)? } else { text.split(',').try_for_each(&mut add)? }
        }
        Ok(Self::new(list, false))
    }

    pub(super) fn list(&self) -> &[Column] {
        &self.list
    }

    pub(super) fn are_all(&self) -> bool {
        self.are_all
    }

    pub(super) fn contains(&self, column: &Column) -> bool {
        self.list.contains(column)
    }

    pub(super) fn has_attributes(&self) -> bool {
        !self.places.is_empty()
    }

    pub(super) fn of_members(&self) -> MemberColumns {
        self.list.iter().fold(MemberColumns::default(), |columns, column| {
            columns
                | match column {
                    Column::Reference => MemberColumns::REF,
                    Column::SourceUpdatedAt => MemberColumns::SOURCE_UPDATED_AT,
                    Column::Attribute(_) => MemberColumns::ATTRIBUTES,
                }
        })
    }

    /// Finds the values of attributes in a member's document, by the places of their columns.
    pub(super) fn find<'a>(
        &self,
        document: Option<&'a str>,
        values: &mut Vec<Option<&'a RawValue>>,
    ) -> Result<(), Error> {
        values.clear();
        values.resize(self.list.len(), None);
        let Some(document) = document.filter(|_| self.has_attributes()) else { return Ok(()) };
        let mut json = serde_json::Deserializer::from_str(document);
        Values { places: &self.places, values }.deserialize(&mut json).map_err(internal)
    }
}

/// Reads the values of a document, without a map for each member.
struct Values<'c, 'v, 'a> {
    places: &'c HashMap<String, usize>,
    values: &'v mut [Option<&'a RawValue>],
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> DeserializeSeed<'a> for Values<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Values<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(Key(key)) = map.next_key()? {
            match self.places.get(&*key) {
                Some(&place) => self.values[place] = Some(map.next_value()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}
