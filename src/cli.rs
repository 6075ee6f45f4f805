//! The command line: clap's types, and nothing else.

mod environment;
mod export;
mod sync;

use clap::{Args, Parser, Subcommand, ValueEnum, builder::PossibleValuesParser, builder::TypedValueParser};

pub use environment::unknown_variables;
pub use export::Export;
pub use sync::{Input, OnError, Rules, Sync, Work};

use crate::{
    config,
    domain::access::Access,
    types::{ApiTokenId, Id, MemberbaseId, Time},
};

/// The system of record for the members of a memberbase, over GraphQL
#[derive(Debug, Parser)]
#[command(name = "memberbase", version, arg_required_else_help = true, subcommand_required = true)]
pub struct Cli {
    /// What is logged.
    #[command(flatten)]
    pub log: config::Log,

    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the GraphQL API
    Serve(Box<Serve>),
    /// Bring a memberbase up to date from a file: CSV, NDJSON or a ref a line
    Sync(Box<Sync>),
    /// Write the members of a memberbase as NDJSON or CSV, which sync reads
    Export(Box<Export>),
    /// Look after the tables of the database
    Migrate(Migrate),
    /// Print the GraphQL schema; needs no database
    Schema,
    /// Print the OpenAPI description of the plain HTTP face; needs no database
    Openapi,
    /// Make, list and revoke API tokens
    Token(Token),
}

/// The format of a file of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A header, and a column an attribute
    Csv,
    /// A JSON object a line: ref, attributes, sourceUpdatedAt
    Ndjson,
    /// A ref a line
    Lines,
}

/// The settings of `serve`.
#[derive(Args, Debug)]
pub struct Serve {
    /// Where it listens.
    #[command(flatten)]
    pub server: config::Server,
    /// Where the data is.
    #[command(flatten)]
    pub database: config::Database,
    /// How long a request may take.
    #[command(flatten)]
    pub times: config::Times,
    /// How large a request may be.
    #[command(flatten)]
    pub request: config::RequestLimits,
    /// How large a document may be.
    #[command(flatten)]
    pub document: config::DocumentSizes,
    /// How much may be subscribed to.
    #[command(flatten)]
    pub live: config::Live,
}

/// The settings of `migrate`.
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub struct Migrate {
    /// Where the data is.
    #[command(flatten)]
    pub database: config::Database,
    /// What is to be done.
    #[command(subcommand)]
    pub action: MigrateAction,
}

/// What `migrate` does.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum MigrateAction {
    /// Apply every migration that is pending, as serve does when it starts
    Up,
    /// Print every migration and whether it is applied
    Status,
    /// Take back the last migration, and its data with it
    Down {
        /// How many
        #[arg(long, default_value_t = 1, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
}

/// The settings of `token`.
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub struct Token {
    /// Where the data is.
    #[command(flatten)]
    pub database: config::Database,
    /// What is to be done.
    #[command(subcommand)]
    pub action: TokenAction,
}

/// What `token` does.
#[derive(Debug, Subcommand)]
pub enum TokenAction {
    /// Make a token and print its secret, which is not kept and can't be printed again
    Create {
        /// How much it may do; each includes the ones after it
        #[arg(long, value_parser = access())]
        access: Access,
        /// The id of the one memberbase that it is for; without it, the token is for all of them
        #[arg(long, value_name = "ID", value_parser = MemberbaseId::parse)]
        memberbase: Option<MemberbaseId>,
        /// When it stops to work, such as 2027-01-31T12:00:00Z; without it, never
        #[arg(long, value_name = "TIME", value_parser = Time::parse)]
        expires_at: Option<Time>,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: String,
        /// Print all of the token as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print every token, the oldest first
    List {
        /// Print an array of JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token
    Revoke {
        /// The token's id
        #[arg(value_name = "ID", value_parser = ApiTokenId::parse)]
        id: ApiTokenId,
    },
}

fn access() -> impl TypedValueParser<Value = Access> {
    PossibleValuesParser::new(["admin", "write", "read"]).map(|name| match name.as_str() {
        "admin" => Access::Admin,
        "write" => Access::Write,
        _ => Access::Read,
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_defaults_are_those_of_the_limits() {
        let cli = Cli::try_parse_from(["memberbase", "serve"]).expect("defaults");
        let Command::Serve(serve) = cli.command else { panic!("serve") };
        let limits = config::limits(&serve.times, &serve.request, &serve.document, &serve.live);
        assert_eq!(format!("{limits:?}"), format!("{:?}", crate::types::Limits::default()));
    }

    #[test]
    fn a_password_is_in_no_help_error_or_debug_text() {
        let arguments = ["memberbase", "serve", "--database-url", "postgres://ann:s3cret@host/name"];
        let cli = Cli::try_parse_from(arguments).expect("sound");
        assert!(!format!("{cli:?}").contains("s3cret"));
        let error = Cli::try_parse_from(arguments.into_iter().chain(["--listen", "nowhere"])).expect_err("no address");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }

    #[test]
    fn settings_stand_on_either_side_of_a_subcommand() {
        for arguments in [
            vec!["memberbase", "--log", "debug", "token", "--database-url", "sqlite://a.db", "list"],
            vec!["memberbase", "token", "list", "--database-url", "sqlite://a.db", "--log", "debug"],
        ] {
            let cli = Cli::try_parse_from(&arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
            let Command::Token(token) = cli.command else { panic!("token") };
            assert_eq!(cli.log.log, "debug");
            assert_eq!(token.database.database_url.expose(), "sqlite://a.db");
        }
    }
}
