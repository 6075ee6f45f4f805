//! Memberbase: the system of record for the members of a memberbase, over GraphQL.
//!
//! Read ARCHITECTURE.md first; the order below is that of its layers, from the outermost.

pub mod cli;
pub mod commands;
pub mod config;
pub mod telemetry;

pub mod auth;
pub mod http;
pub mod metrics;

pub mod graphql;
pub mod rpc;

pub mod domain;

pub mod app;
pub mod db;
pub mod entity;
pub mod types;
