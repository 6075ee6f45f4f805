//! Reads the beginning of a file as a table, for its inspection.

use std::collections::HashMap;

use super::{
    ATTRIBUTES,
    fields::{Fields, Text},
};
use crate::members_file::{ATTRIBUTE_PREFIX, rows::Objects};

/// Reads at most this number of objects of a text, and values of the first `max_names` fields. An object of attributes gives a
/// field for each of them.
pub(in crate::members_file::rows) fn objects(text: &str, max_objects: usize, max_names: usize) -> Objects {
    let (mut objects, mut places) = (Objects::default(), HashMap::new());
    for line in text.lines() {
        let Ok(Fields(fields)) = serde_json::from_str::<Fields<'_>>(line) else { continue };
        let mut record = Vec::new();
        let Objects { names, have_strings, records } = &mut objects;
        let mut set = |name: String, json: &str| {
            let place = match places.get(&name) {
                Some(place) => *place,
                None if names.len() == max_names => return,
                None => {
                    names.push(name.clone());
                    have_strings.push(false);
                    places.insert(name, names.len() - 1);
                    names.len() - 1
                }
            };
            record.resize(record.len().max(place + 1), String::new());
            record[place] = shown(json);
            have_strings[place] |= json.starts_with('"');
        };
        for (Text(name), value) in fields {
            match serde_json::from_str::<Fields<'_>>(value.get()) {
                Ok(Fields(attributes)) if name == ATTRIBUTES => {
                    for (Text(key), value) in attributes {
                        set(format!("{ATTRIBUTE_PREFIX}{key}"), value.get());
                    }
                }
                _ => set(name.into_owned(), value.get()),
            }
        }
        records.push(record);
        if records.len() == max_objects {
            break;
        }
    }
    objects
}

/// Returns a value as a cell of CSV would have it.
fn shown(json: &str) -> String {
    match serde_json::from_str::<Text<'_>>(json) {
        Ok(Text(text)) => text.into_owned(),
        Err(_) if json == "null" => String::new(),
        Err(_) => json.to_owned(),
    }
}
