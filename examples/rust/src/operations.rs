//! The operations of `queries.graphql`. A module of types for each is made from the schema while this compiles.

use graphql_client::GraphQLQuery;

// The custom scalars of the schema. The types that are made find them here by their names.
type Attributes = serde_json::Map<String, serde_json::Value>;
type Count = u64;
type DateTime = String;

#[derive(GraphQLQuery)]
#[graphql(schema_path = "../../schema.graphql", query_path = "src/queries.graphql", response_derives = "Debug")]
pub struct CreateMemberbase;

#[derive(GraphQLQuery)]
#[graphql(schema_path = "../../schema.graphql", query_path = "src/queries.graphql", response_derives = "Debug")]
pub struct UpsertMembers;

#[derive(GraphQLQuery)]
#[graphql(schema_path = "../../schema.graphql", query_path = "src/queries.graphql", response_derives = "Debug")]
pub struct MembersPage;

#[derive(GraphQLQuery)]
#[graphql(schema_path = "../../schema.graphql", query_path = "src/queries.graphql", response_derives = "Debug")]
pub struct DeleteMembers;

#[derive(GraphQLQuery)]
#[graphql(schema_path = "../../schema.graphql", query_path = "src/queries.graphql", response_derives = "Debug")]
pub struct DeleteMemberbase;
