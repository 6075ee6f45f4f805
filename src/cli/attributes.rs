//! Arguments of `attributes`.

use std::path::PathBuf;

use clap::Args;

use super::Input;
use crate::{
    config,
    domain::attribute::{AttributeType, Definition},
};

/// The settings of `attributes`.
#[derive(Args, Debug)]
pub struct Attributes {
    /// Attributes to declare, such as plan=STRING; the types are STRING, NUMBER, BOOLEAN, DATE and STRING_LIST. The type of a
    /// declared attribute can be changed while no member has a value for it
    #[arg(value_name = "KEY=TYPE", value_parser = definition)]
    pub(crate) attributes: Vec<Definition>,

    /// Id of the memberbase, or its name if no other memberbase has the same name
    #[arg(long, value_name = "ID|NAME")]
    pub(crate) memberbase: String,

    /// Declare the columns of CSV, or the fields of NDJSON, of this file that are not an attribute so far, with the types of
    /// their values at its beginning; - for stdin. A KEY=TYPE that is given takes precedence
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,

    /// Format and columns of the file.
    #[command(flatten)]
    pub(crate) input: Input,

    /// Show what would be declared, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Print the attributes as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Settings of the API to call.
    #[command(flatten)]
    pub(crate) api: config::Api,

    /// Settings of the database.
    #[command(flatten)]
    pub(crate) database: config::Database,
}

fn definition(text: &str) -> Result<Definition, String> {
    let (key, name) = text.rsplit_once('=').ok_or("expected KEY=TYPE such as plan=STRING")?;
    let kind = AttributeType::named(&name.to_ascii_uppercase()).ok_or_else(|| {
        let names = AttributeType::ALL.map(AttributeType::name).join(", ");
        format!("{name:?} is no type: the types are {names}")
    })?;
    Ok(Definition { key: key.to_owned(), kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definition_is_a_key_and_a_type() {
        for (text, key, kind) in [
            ("plan=STRING", "plan", AttributeType::String),
            ("a=b=string_list", "a=b", AttributeType::StringList),
            ("joined=Date", "joined", AttributeType::Date),
        ] {
            assert_eq!(definition(text), Ok(Definition { key: key.to_owned(), kind }), "{text}");
        }
        assert!(definition("plan").is_err_and(|message| message.contains("expected KEY=TYPE")));
        assert!(
            definition("plan=TEXT")
                .is_err_and(|message| message.contains("STRING, NUMBER, BOOLEAN, DATE, STRING_LIST"))
        );
    }
}
