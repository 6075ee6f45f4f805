//! The tables of Memberbase, migration by migration.
