//! The integration tests: they drive the real router in process against a fresh database, each on SQLite and on
//! PostgreSQL from one body.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]
#![expect(clippy::print_stdout, reason = "a run under load prints its counts and its seed")]

mod support;

mod api_tokens;
mod attribute_filters;
mod attributes;
mod auto_analyze;
mod bad_input;
#[cfg(target_os = "linux")]
mod budgets;
mod bulk_upsert;
mod child_concurrency;
mod child_upserts;
mod client_connections;
mod coercion;
mod columnar;
mod compression;
mod concurrency;
mod connections;
mod corpus;
mod cutoffs;
mod delete_member_children;
mod delete_members;
mod errors;
mod exports;
mod failover;
mod faults;
mod filters;
#[cfg(target_os = "linux")]
mod hostile_clients;
mod http;
mod http_service;
mod imports;
mod layers;
mod live;
mod logs;
mod lookups;
mod member_children;
mod memberbases;
mod metrics;
mod model;
mod neighbours;
mod opening;
mod paging;
mod permissions;
mod plain_schema;
#[cfg(target_os = "linux")]
mod power_loss;
mod raw_list_pages;
mod ref_bytes;
mod regex;
mod relay_pages;
mod rpc;
mod schema;
mod secrets;
mod sqlite_wal;
mod sync_command;
mod sync_concurrency;
mod syncs;
mod tokens;
mod unchanged;
mod updated_at;
