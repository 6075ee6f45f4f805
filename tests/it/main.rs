//! The integration tests: they drive the real router in process against a fresh database, each on SQLite and on
//! PostgreSQL from one body.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

mod attribute_filters;
mod attributes;
mod belongings;
mod bulk_upsert;
mod concurrency;
mod delete_belongings;
mod delete_members;
mod errors;
mod filters;
mod http;
mod layers;
mod lookups;
mod memberbases;
mod owned_concurrency;
mod owned_upserts;
mod paging;
mod real_refs;
mod regex;
mod rpc;
mod schema;
mod sync_command;
mod syncs;
mod tokens;
mod unchanged;
