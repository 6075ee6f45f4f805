//! The form of stored JSON: that of PostgreSQL's type [`jsonb`][], so that both databases return the same bytes. Short keys
//! come before long ones, and keys of the same length are sorted byte for byte; a space follows each colon and comma;
//! numbers have no exponent.
//!
//! [`jsonb`]: https://www.postgresql.org/docs/current/datatype-json.html

use std::io::{self, Write};

use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

/// Returns the document with these entries, whose keys differ. `capacity` is its approximate size.
pub(super) fn document<'a, V: Serialize + 'a>(
    entries: impl Iterator<Item = (&'a String, &'a V)>,
    capacity: usize,
) -> String {
    let mut entries: Vec<_> = entries.collect();
    entries.sort_unstable_by(|(left, _), (right, _)| left.len().cmp(&right.len()).then_with(|| left.cmp(right)));
    let mut json = Vec::with_capacity(capacity);
    let mut serializer = serde_json::Serializer::with_formatter(&mut json, StoredForm);
    serializer.collect_map(entries).expect("texts and finite numbers are JSON");
    text(json)
}

/// Returns the JSON of a value.
pub(super) fn json(value: &impl Serialize) -> String {
    let mut json = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut json, StoredForm);
    value.serialize(&mut serializer).expect("texts and finite numbers are JSON");
    text(json)
}

fn text(json: Vec<u8>) -> String {
    String::from_utf8(json).expect("JSON is UTF-8")
}

struct StoredForm;

impl Formatter for StoredForm {
    fn write_f64<W: Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        write!(writer, "{value}")
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}
