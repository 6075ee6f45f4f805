//! Memberbase: a GraphQL server that is the system of record for lists of members.
//!
//! ARCHITECTURE.md describes the layers. The modules below are in that order, from the outermost to the innermost.

pub mod cli;
pub mod commands;
pub mod config;
pub mod telemetry;

pub mod auth;
pub mod http;
pub mod metrics;

pub mod graphql;
pub mod rpc;

pub(crate) mod members_file;

pub mod domain;

pub mod app;
pub mod budget;
pub mod db;
pub(crate) mod entity;
pub mod types;
