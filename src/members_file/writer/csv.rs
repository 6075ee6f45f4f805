//! Writes members as CSV (RFC 4180).

use std::borrow::Cow;

use csv::{QuoteStyle, Terminator, Writer, WriterBuilder};
use serde_json::value::RawValue;

use super::{
    OutputForm, OutputFormat,
    columns::{Column, Columns},
    internal,
};
use crate::{
    domain::{
        Error,
        attribute::{AttributeType, Definition},
        member::MemberView,
    },
    members_file::{REF, SOURCE_UPDATED_AT, cell, column_name, columns::Delimiter},
};

/// Characters with which spreadsheets begin a formula, or which they skip before one.
const FORMULA_BEGINS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

pub(super) fn write<'m>(
    form: &OutputForm,
    columns: &Columns,
    is_first: bool,
    members: impl Iterator<Item = Result<MemberView<'m>, Error>>,
    text: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut writer = open(form, columns, text);
    if is_first {
        let names = columns.list().iter().map(|column| escaped(form, name(column)).into_owned());
        writer.write_record(names).map_err(internal)?;
    }
    let mut values = Vec::new();
    for member in members {
        let member = member?;
        columns.find(member.attributes, &mut values)?;
        for (column, value) in columns.list().iter().zip(&values) {
            cell_of(form, column, &member, *value, |cell| writer.write_field(cell).map_err(internal))?;
        }
        writer.write_record(None::<&[u8]>).map_err(internal)?;
    }
    writer.flush().map_err(internal)
}

fn open<'t>(form: &OutputForm, columns: &Columns, text: &'t mut Vec<u8>) -> Writer<&'t mut Vec<u8>> {
    let is_excel = form.format == OutputFormat::Excel;
    let delimiter = form.delimiter.unwrap_or(if is_excel { Delimiter::SEMICOLON } else { Delimiter::COMMA });
    // A header of one column does not show the delimiter, so readers assume commas.
    let is_hidden = columns.list().len() == 1 && delimiter != Delimiter::COMMA;
    WriterBuilder::new()
        .has_headers(false)
        .delimiter(delimiter.byte())
        .quote_style(if is_hidden { QuoteStyle::Always } else { QuoteStyle::Necessary })
        .terminator(if is_excel { Terminator::CRLF } else { Terminator::Any(b'\n') })
        .from_writer(text)
}

fn name(column: &Column) -> Cow<'_, str> {
    match column {
        Column::Reference => REF.into(),
        Column::SourceUpdatedAt => SOURCE_UPDATED_AT.into(),
        Column::Attribute(Definition { key, .. }) => column_name(key),
    }
}

/// Passes the cell of a member's column on.
fn cell_of(
    form: &OutputForm,
    column: &Column,
    member: &MemberView<'_>,
    value: Option<&RawValue>,
    pass: impl FnOnce(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    // An empty cell of a STRING is the empty text. In other types it is no value, which spreadsheets understand.
    let no_value = if form.format == OutputFormat::Excel { "" } else { cell::NONE };
    match column {
        Column::Reference => pass(escaped(form, cell::write(member.reference)).as_bytes()),
        Column::SourceUpdatedAt => match member.source_updated_at {
            Some(time) => pass(&time.ascii()),
            None => pass(no_value.as_bytes()),
        },
        Column::Attribute(Definition { kind, .. }) => match (kind, value) {
            (AttributeType::String, value) => pass(escaped(form, cell::from_json(value).map_err(internal)?).as_bytes()),
            (_, Some(_)) => pass(cell::from_json(value).map_err(internal)?.as_bytes()),
            (_, None) => pass(no_value.as_bytes()),
        },
    }
}

fn escaped<'t>(form: &OutputForm, text: Cow<'t, str>) -> Cow<'t, str> {
    if form.escapes_formulas && text.starts_with(FORMULA_BEGINS) { format!("'{text}").into() } else { text }
}
