//! The business rules. Each is defined here once, and every transport (GraphQL, RPC, the commands) calls it here.

pub mod access;
pub mod api_token;
pub(crate) mod attribute;
pub mod bulk;
pub(crate) mod change;
pub mod clip;
mod error;
mod field;
pub mod filter;
mod id_pagination;
pub(crate) mod import;
pub mod member;
pub mod member_child;
pub(crate) mod memberbase;
pub(crate) mod stamp_collection;
pub mod sync;
pub(crate) mod text;
pub mod transaction;
mod updated_at;

pub use error::Error;
pub(crate) use error::{InputPath, RowError, RowErrorCode, Step};
