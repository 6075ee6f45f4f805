//! The way of a request through async-graphql.
