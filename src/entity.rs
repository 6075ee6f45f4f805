//! The tables as SeaORM entities: columns, without business rules.

pub mod api_token;
pub mod clip;
pub mod member;
pub mod memberbase;
pub mod stamp_collection;
pub mod sync;
pub mod transaction;
