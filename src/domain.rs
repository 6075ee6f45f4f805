//! What the business knows: the rules stand here once, and every door goes through them.

pub mod access;
pub mod api_token;
mod error;
pub mod filter;
pub mod text;

pub use error::{Error, InputPath, RowError, RowErrorCode, Step};
