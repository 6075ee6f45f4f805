//! The integration tests: they drive the real router in process against a fresh database, each on SQLite and on
//! PostgreSQL from one body.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod support;

mod bulk_upsert;
mod concurrency;
mod delete_members;
mod errors;
mod layers;
mod memberbases;
mod schema;
mod tokens;
mod unchanged;
