//! Writes members as files, which [`super::rows`] reads back.

mod columns;
mod csv;
mod ndjson;
#[cfg(test)]
mod tests;

use clap::ValueEnum;

use self::columns::Columns;
use super::columns::Delimiter;
use crate::domain::{
    Error,
    attribute::Schema,
    member::{MemberColumns, MemberView},
};

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Format of a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// A header with ref, the attributes and sourceUpdatedAt, and a row per member
    Csv,
    /// CSV that Excel opens: with semicolons, CRLF and a byte order mark, and without \N for numbers and dates
    Excel,
    /// One JSON object per line: ref, attributes, sourceUpdatedAt
    Ndjson,
    /// One ref per line
    Lines,
}

/// The form of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputForm {
    pub(crate) format: OutputFormat,
    /// Delimiter of CSV; `None` for that of the format.
    pub(crate) delimiter: Option<Delimiter>,
    /// True if the file begins with a byte order mark; `None` for the default of the format.
    pub(crate) bom: Option<bool>,
    /// True if texts that a spreadsheet would evaluate begin with an apostrophe.
    pub(crate) escapes_formulas: bool,
}

/// A file that can't be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    /// Options that the format does not have.
    #[error("{0}")]
    Options(&'static str),
    #[error("{0}")]
    Columns(String),
}

/// Writes the members of one file, page by page.
#[derive(Debug)]
pub(crate) struct MemberWriter {
    form: OutputForm,
    columns: Columns,
}

impl OutputForm {
    /// Checks that the format has the options.
    pub(crate) fn check(&self) -> Result<(), Unfit> {
        let is_csv = matches!(self.format, OutputFormat::Csv | OutputFormat::Excel);
        if !is_csv && (self.delimiter.is_some() || self.bom.is_some() || self.escapes_formulas) {
            return Err(Unfit::Options("delimiter, bom and escapeFormulas are for format=csv and format=excel"));
        }
        Ok(())
    }

    fn has_bom(&self) -> bool {
        self.bom.unwrap_or(self.format == OutputFormat::Excel)
    }
}

impl MemberWriter {
    /// Creates the writer of these columns; without names, of all of them.
    pub(crate) fn new(form: OutputForm, names: &[String], schema: &Schema) -> Result<Self, Unfit> {
        form.check()?;
        if form.format == OutputFormat::Lines && !names.is_empty() {
            return Err(Unfit::Options("columns are not for format=lines, which has refs only"));
        }
        let columns = if form.format == OutputFormat::Lines {
            Columns::of_refs()
        } else {
            Columns::choose(names, schema).map_err(Unfit::Columns)?
        };
        Ok(Self { form, columns })
    }

    /// Returns the columns of members that are written.
    pub(crate) fn member_columns(&self) -> MemberColumns {
        self.columns.of_members()
    }

    /// Writes a page of members. The first page begins with the header of the file.
    pub(crate) fn write<'m>(
        &self,
        is_first: bool,
        members: impl Iterator<Item = Result<MemberView<'m>, Error>>,
        text: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if is_first && self.form.has_bom() {
            text.extend_from_slice(BYTE_ORDER_MARK.as_bytes());
        }
        match self.form.format {
            OutputFormat::Csv | OutputFormat::Excel => csv::write(&self.form, &self.columns, is_first, members, text),
            OutputFormat::Ndjson => ndjson::write(&self.columns, members, text),
            OutputFormat::Lines => write_refs(is_first, members, text),
        }
    }
}

fn write_refs<'m>(
    is_first: bool,
    members: impl Iterator<Item = Result<MemberView<'m>, Error>>,
    text: &mut Vec<u8>,
) -> Result<(), Error> {
    for member in members {
        let MemberView { id, reference, .. } = member?;
        if reference.contains(['\n', '\r']) {
            let message = format!("the ref of member {id} contains a line break, which format=lines can't have");
            return Err(Error::bad_input("format", message));
        }
        if is_first && text.is_empty() && reference.starts_with(BYTE_ORDER_MARK) {
            // Readers skip a byte order mark at the start of a file.
            text.extend_from_slice(BYTE_ORDER_MARK.as_bytes());
        }
        text.extend_from_slice(reference.as_bytes());
        text.push(b'\n');
    }
    Ok(())
}

fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Internal(error.into())
}
