//! The tables as SeaORM entities: columns, without business rules.

pub(crate) mod api_token;
pub(crate) mod clip;
pub(crate) mod import;
pub(crate) mod import_rejection;
pub(crate) mod member;
pub(crate) mod memberbase;
pub(crate) mod stamp_collection;
pub(crate) mod sync;
pub(crate) mod transaction;
