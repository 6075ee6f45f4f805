//! The GraphQL API: resolvers and types, one file per concept. `execute` parses, validates and runs requests.
//!
//! A resolver authorizes the caller, parses the arguments, calls the domain and wraps the result in a GraphQL type.

mod api_token;
mod attribute;
mod bulk;
mod change;
mod child;
mod clip;
mod connection;
pub mod context;
mod error;
mod error_count;
pub mod execute;
mod filter;
mod json_template;
mod member;
mod memberbase;
mod node;
mod paced_list;
mod raw_list;
mod scalar;
mod stamp_collection;
mod sync;
mod transaction;

use async_graphql::{ID, MergedObject};

pub(crate) use bulk::RowErrorCode;
pub use change::Subscription;
pub use error::Code;
pub use error::Error;
pub(crate) use member::{MemberInput, member_filter};

use crate::types::Limits;

/// The executor of the published schema.
pub type Api = execute::Executor;

/// Builds the executor of the published schema with these limits.
pub fn api(limits: &Limits) -> Api {
    let readers = execute::RowDecoders::default()
        .with::<MemberInput>()
        .with::<clip::ClipInput>()
        .with::<stamp_collection::StampCollectionInput>()
        .with::<transaction::TransactionInput>()
        .with::<ID>()
        .with::<String>();
    execute::Executor::new(Query::default(), Mutation::default(), Subscription, readers, limits)
}

/// Returns the schema in the schema definition language. Needs no database.
pub fn sdl() -> String {
    api(&Limits::default()).sdl()
}

/// Root type of all queries.
#[derive(MergedObject, Clone, Default)]
pub struct Query(
    node::NodeQuery,
    memberbase::MemberbaseQuery,
    member::MemberQuery,
    api_token::ApiTokenQuery,
    sync::SyncQuery,
);

/// Root type of all mutations.
#[derive(MergedObject, Clone, Default)]
pub struct Mutation(
    memberbase::MemberbaseMutation,
    attribute::AttributeMutation,
    member::MemberMutation,
    clip::ClipMutation,
    stamp_collection::StampCollectionMutation,
    transaction::TransactionMutation,
    sync::SyncMutation,
    api_token::ApiTokenMutation,
);
