//! The tables: their shape and relations, no rules.

pub mod api_token;
pub mod member;
pub mod memberbase;
