//! The command line, as clap's types. The doc comments are the text of `--help`.

mod attributes;
mod environment;
mod export;
mod sync;

use clap::{Args, Parser, Subcommand, builder::PossibleValuesParser, builder::TypedValueParser};

pub(crate) use attributes::Attributes;
pub use environment::unknown_variables;
pub(crate) use export::Export;
pub(crate) use sync::{Input, OnError, Rules, Sync};

use crate::{
    config,
    domain::access::Access,
    types::{ApiTokenId, Id, MemberbaseId, Time},
};

/// The system of record for the members of a memberbase, over GraphQL
#[derive(Debug, Parser)]
#[command(name = "memberbase", version, arg_required_else_help = true, subcommand_required = true)]
pub struct Cli {
    /// Settings of the log.
    #[command(flatten)]
    pub log: config::Log,

    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API
    Serve(Box<Serve>),
    /// Update a memberbase from a file: CSV, NDJSON, or one ref per line
    Sync(Box<Sync>),
    /// Write the members of a memberbase as CSV, NDJSON or plain lines, which sync can read
    Export(Box<Export>),
    /// Print the attributes that a memberbase declares, and declare attributes: those that are given, or the columns of a file
    Attributes(Box<Attributes>),
    /// Manage the database schema
    Migrate(Migrate),
    /// Print the GraphQL schema; needs no database
    Schema,
    /// Print the OpenAPI description of the RPC API (publisher.v1) and of imports; needs no database
    Openapi,
    /// Create, list and revoke API tokens
    Token(Token),
}

/// The settings of `serve`.
#[derive(Args, Debug)]
pub struct Serve {
    /// Settings of the server.
    #[command(flatten)]
    pub(crate) server: config::Server,
    /// Limits of client connections.
    #[command(flatten)]
    pub(crate) connections: config::Connections,
    /// Settings of the database.
    #[command(flatten)]
    pub(crate) database: config::Database,
    /// Time limits.
    #[command(flatten)]
    pub(crate) times: config::Times,
    /// Limits of requests.
    #[command(flatten)]
    pub(crate) request: config::RequestLimits,
    /// Limits of documents.
    #[command(flatten)]
    pub(crate) document: config::DocumentSizes,
    /// Limits of subscriptions.
    #[command(flatten)]
    pub(crate) live: config::Live,

    #[command(flatten)]
    pub(crate) memory: config::Memory,
}

/// The settings of `migrate`.
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub struct Migrate {
    /// Settings of the database.
    #[command(flatten)]
    pub(crate) database: config::Database,
    /// The subcommand to run.
    #[command(subcommand)]
    pub(crate) action: MigrateAction,
}

/// The subcommands of `migrate`.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum MigrateAction {
    /// Apply all pending migrations, as serve does when it starts
    Up,
    /// Print every migration and whether it is applied
    Status,
    /// Revert the last migrations; this deletes the data that they added
    Down {
        /// Number of migrations to revert, at least 1
        #[arg(long, default_value_t = 1, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
}

/// The settings of `token`.
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub struct Token {
    /// Settings of the database.
    #[command(flatten)]
    pub(crate) database: config::Database,
    /// The subcommand to run.
    #[command(subcommand)]
    pub(crate) action: TokenAction,
}

/// The subcommands of `token`.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenAction {
    /// Create a token and print its secret, which is not stored and can't be printed again
    Create {
        /// Level of access; each level includes the ones after it
        #[arg(long, value_parser = access())]
        access: Access,
        /// Id of the memberbase to bind the token to; without it, the token is valid for all memberbases
        #[arg(long, value_name = "ID", value_parser = MemberbaseId::parse)]
        memberbase: Option<MemberbaseId>,
        /// Expiry time as an RFC 3339 date-time, such as 2027-01-31T12:00:00Z; without it, the token does not expire
        #[arg(long, value_name = "TIME", value_parser = Time::parse)]
        expires_at: Option<Time>,
        /// Purpose of the token, of at most 1,024 bytes
        #[arg(long, value_name = "TEXT")]
        description: String,
        /// Print the token and its secret as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print all tokens, oldest first
    List {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token
    Revoke {
        /// Id of the token
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
    fn the_command_line_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_equal_the_default_limits() {
        let cli = Cli::try_parse_from(["memberbase", "serve"]).expect("defaults");
        let Command::Serve(serve) = cli.command else { panic!("serve") };
        let limits = config::limits(&serve.times, &serve.request, &serve.document, &serve.live, &serve.memory);
        assert_eq!(format!("{limits:?}"), format!("{:?}", crate::types::Limits::default()));
    }

    #[test]
    fn errors_and_debug_output_do_not_contain_the_password() {
        let arguments = ["memberbase", "serve", "--database-url", "postgres://ann:s3cret@host/name"];
        let cli = Cli::try_parse_from(arguments).expect("valid arguments");
        assert!(!format!("{cli:?}").contains("s3cret"));
        let error = Cli::try_parse_from(arguments.into_iter().chain(["--listen", "nowhere"])).expect_err("no address");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }

    #[test]
    fn origins_can_be_separated_by_a_comma_and_a_blank() {
        let arguments = ["memberbase", "serve", "--cors-origins", "https://a.example.com, https://b.example.com"];
        let Command::Serve(serve) = Cli::try_parse_from(arguments).expect("valid origins").command else {
            panic!("serve")
        };
        assert_eq!(serve.server.cors_origins, ["https://a.example.com", "https://b.example.com"]);
    }

    #[test]
    fn settings_are_accepted_before_and_after_a_subcommand() {
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
