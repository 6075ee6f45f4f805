//! Turns the options for a file into parameters of `/import`.

use std::path::Path;

use clap::ValueEnum;

use crate::{
    cli::Input,
    members_file::{self, Format, cell::Empty},
};

/// The parameters of an import, with the options of the commands that set them.
const OPTIONS: [(&str, &str); 15] = [
    ("ignoreUnknownColumns=true", "--ignore-unknown-columns"),
    ("ignoreUnknownColumns", "--ignore-unknown-columns"),
    ("onError=", "--on-error "),
    ("dateOrder=", "--date-order "),
    ("maxDeletedPercent", "--max-deleted-percent"),
    ("abandonOpen", "--abandon-open"),
    ("declare=true", "--declare"),
    ("header=false", "--no-header"),
    ("encoding=", "--encoding "),
    ("delimiter=", "--delimiter "),
    ("decimal=", "--decimal "),
    ("ignore=", "--ignore "),
    ("empty=", "--empty "),
    ("map=", "--map "),
    ("format=", "--format "),
];

impl Input {
    /// Returns the format of the file, by the options or its name.
    pub(super) fn format_of(&self, file: &Path) -> Option<Format> {
        self.format.or(members_file::packing_and_format(file).1)
    }

    /// Returns the parameters that the options set.
    pub(super) fn parameters(&self, format: Option<Format>) -> Vec<(&'static str, String)> {
        let mut parameters = Vec::new();
        parameters.extend(format.map(|format| ("format", name(&format))));
        parameters.extend(self.map.iter().map(|(key, column)| ("map", format!("{key}={column}"))));
        parameters.extend(self.ignore.iter().map(|column| ("ignore", column.clone())));
        parameters.extend(self.delimiter.map(|delimiter| ("delimiter", delimiter.name())));
        parameters.extend(self.encoding.map(|encoding| ("encoding", encoding.name().to_owned())));
        parameters.extend(self.decimal.map(|decimal| ("decimal", name(&decimal))));
        parameters.extend(self.date_order.map(|order| ("dateOrder", name(&order))));
        if self.empty != Empty::default() {
            parameters.push(("empty", name(&self.empty)));
        }
        if self.ignore_unknown_columns {
            parameters.push(("ignoreUnknownColumns", true.to_string()));
        }
        if self.no_header {
            parameters.push(("header", false.to_string()));
        }
        parameters
    }
}

/// Returns the name of a value, which options and parameters share.
pub(super) fn name<T: ValueEnum>(value: &T) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Returns what messages call a file.
pub(super) fn file_name(file: &Path) -> String {
    if file == Path::new("-") { "stdin".to_owned() } else { file.display().to_string() }
}

/// Replaces the parameters in a message of the server by the options that set them.
pub(super) fn with_options(message: &str) -> String {
    OPTIONS.iter().fold(message.to_owned(), |message, (parameter, option)| message.replace(parameter, option))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_named_as_options() {
        let message = "map it with map=KEY=COLUMN, or ignoreUnknownColumns=true leaves it out, or ignore=x; onError=skip stores the \
            others; declare=true";
        let expected = "map it with --map KEY=COLUMN, or --ignore-unknown-columns leaves it out, or --ignore x; --on-error skip \
            stores the others; --declare";
        assert_eq!(with_options(message), expected);
    }
}
