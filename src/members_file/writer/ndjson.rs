//! Writes members as lines of JSON.

use serde_json::value::RawValue;

use super::columns::{Column, Columns};
use crate::{
    domain::{Error, attribute::Definition, member::MemberView},
    members_file::cell,
};

pub(super) fn write<'m>(
    columns: &Columns,
    members: impl Iterator<Item = Result<MemberView<'m>, Error>>,
    text: &mut Vec<u8>,
) -> Result<(), Error> {
    let has_ref = columns.contains(&Column::Reference);
    let has_source_updated_at = columns.contains(&Column::SourceUpdatedAt);
    let mut values = Vec::new();
    for member in members {
        let member = member?;
        text.push(b'{');
        if has_ref {
            begin_field(text, "\"ref\":");
            cell::string(member.reference, text);
        }
        if columns.are_all() {
            begin_field(text, "\"attributes\":");
            text.extend_from_slice(member.attributes.unwrap_or("{}").as_bytes());
        } else if columns.has_attributes() {
            columns.find(member.attributes, &mut values)?;
            begin_field(text, "\"attributes\":{");
            write_attributes(columns, &values, text);
            text.push(b'}');
        }
        if let Some(time) = member.source_updated_at.filter(|_| has_source_updated_at) {
            begin_field(text, "\"sourceUpdatedAt\":\"");
            text.extend_from_slice(&time.ascii());
            text.push(b'"');
        }
        text.extend_from_slice(b"}\n");
    }
    Ok(())
}

/// Writes the attributes that have a value, as the API does.
fn write_attributes(columns: &Columns, values: &[Option<&RawValue>], text: &mut Vec<u8>) {
    for (column, value) in columns.list().iter().zip(values) {
        if let (Column::Attribute(Definition { key, .. }), Some(value)) = (column, value) {
            if !text.ends_with(b"{") {
                text.push(b',');
            }
            cell::string(key, text);
            text.push(b':');
            text.extend_from_slice(value.get().as_bytes());
        }
    }
}

fn begin_field(text: &mut Vec<u8>, begin: &str) {
    if !text.ends_with(b"{") {
        text.push(b',');
    }
    text.extend_from_slice(begin.as_bytes());
}
