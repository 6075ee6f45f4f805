//! The integration tests: they drive the real router in process against a fresh database, each on SQLite and on
//! PostgreSQL from one body.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]
#![expect(clippy::print_stdout, reason = "a run under load tells its figures and its seed")]

mod support;

mod api_tokens;
mod attribute_filters;
mod attributes;
mod bad_input;
mod belongings;
mod bulk_upsert;
mod coercion;
mod columns;
mod concurrency;
mod connections;
mod cutoffs;
mod delete_belongings;
mod delete_members;
mod door;
mod errors;
mod failover;
mod faults;
mod filters;
mod growth;
mod http;
mod layers;
mod live;
mod logs;
mod lookups;
mod memberbases;
mod metrics;
mod opening;
mod owned_concurrency;
mod owned_upserts;
mod paging;
mod permissions;
mod real_refs;
mod regex;
mod rpc;
mod schema;
mod secrets;
mod sync_command;
mod sync_concurrency;
mod syncs;
mod tokens;
mod unchanged;
mod updated_at;
mod written_pages;
