//! The integration tests: they drive the real router in process against a fresh database, each on SQLite and on
//! PostgreSQL from one body.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]
#![expect(missing_docs, reason = "the names of tests are sentences")]

mod support;

mod bulk_upsert;
mod filters;
mod http;
mod layers;
mod lookups;
mod paging;
mod real_refs;
mod regex;
mod schema;
