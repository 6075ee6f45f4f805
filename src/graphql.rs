//! The GraphQL door: a file a concept, and the way of a request in `execute`.

mod api_token;
mod attribute;
mod bulk;
mod change;
mod child;
mod clip;
mod connection;
pub mod context;
mod error;
pub mod execute;
mod filter;
mod member;
mod memberbase;
mod node;
mod scalar;
mod stamp_collection;
mod sync;
mod transaction;

use async_graphql::MergedObject;

pub use change::Subscription;
pub use error::{Code, Error};

use crate::types::Limits;

/// What serves the schema.
pub type Api = execute::Executor<Query, Mutation, Subscription>;

/// The schema with its limits.
pub fn api(limits: &Limits) -> Api {
    let readers = execute::RowReaders::default()
        .with::<member::MemberInput>()
        .with::<clip::ClipInput>()
        .with::<stamp_collection::StampCollectionInput>()
        .with::<transaction::TransactionInput>();
    execute::Executor::new(Query::default(), Mutation::default(), Subscription, readers, limits)
}

/// The schema in its own language; needs no database.
pub fn sdl() -> String {
    api(&Limits::default()).sdl()
}

/// What can be asked.
#[derive(MergedObject, Clone, Default)]
pub struct Query(
    node::NodeQuery,
    memberbase::MemberbaseQuery,
    member::MemberQuery,
    api_token::ApiTokenQuery,
    sync::SyncQuery,
);

/// What can be changed.
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
