//! The GraphQL door.

mod error;
pub mod execute;

pub use error::{Code, Error};

use crate::types::Limits;

/// What serves the schema.
pub type Api = execute::Executor<Query, Mutation>;

/// The schema with its limits.
pub fn api(limits: &Limits) -> Api {
    execute::Executor::new(Query, Mutation, limits)
}

/// The schema in its own language; needs no database.
pub fn sdl() -> String {
    api(&Limits::default()).sdl()
}

/// A stub.
#[derive(Clone)]
pub struct Query;

/// A stub.
#[async_graphql::Object]
impl Query {
    /// A stub.
    async fn ready(&self) -> bool {
        true
    }
}

/// A stub.
#[derive(Clone)]
pub struct Mutation;

/// A stub.
#[async_graphql::Object]
impl Mutation {
    /// A stub.
    async fn ready(&self) -> bool {
        true
    }
}
