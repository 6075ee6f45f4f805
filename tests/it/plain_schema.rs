//! Compares our executor with async-graphql alone over the same roots: for a valid operation both have the same data,
//! except for the order of keys. So an upgrade of async-graphql shows what it changes. `differences` lists operations
//! for which the data differs, with the reason.

mod differences;
mod operations;
mod variables;

use std::collections::BTreeMap;

use async_graphql::{
    Schema, Variables,
    parser::{parse_query, types::Selection},
};
use memberbase::{
    domain::access::Caller,
    graphql::{
        self, Api, Mutation, Query, Subscription, context,
        execute::{self, OperationType},
    },
};
use rstest::rstest;
use serde_json::{Value, json};

use self::{
    differences::{DIFFERENCES, Difference},
    operations::{MUTATIONS, QUERIES},
    variables::variables,
};
use crate::support::{Database, Server};

/// A selection of everything that introspection has of types.
const ALL_TYPES: &str = "{ __schema { queryType { name } mutationType { name } subscriptionType { name } \
    types { kind name description specifiedByURL isOneOf \
        fields(includeDeprecated: true) { name description isDeprecated deprecationReason type { ...Ref } \
            args(includeDeprecated: true) { ...Input } } \
        inputFields(includeDeprecated: true) { ...Input } \
        enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } \
        interfaces { name } possibleTypes { name } } } } \
    fragment Input on __InputValue { name description defaultValue type { ...Ref } } \
    fragment Ref on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

const BUILT_IN_SCALARS: [&str; 5] = ["Boolean", "Float", "ID", "Int", "String"];

/// Both executors on one database, and the variables of all operations.
struct Executors {
    server: Server,
    plain: Schema<Query, Mutation, Subscription>,
    ours: Api,
    variables: Value,
}

impl Executors {
    async fn start(database: Database) -> Self {
        let server = Server::start(database).await;
        let variables = variables(&server).await;
        // The last uses of the tokens of the callers above are stored by tasks.
        server.tasks.close();
        server.tasks.wait().await;
        let plain = Schema::build(Query::default(), Mutation::default(), Subscription).finish();
        let ours = graphql::api(&server.app.limits);
        Self { server, plain, ours, variables }
    }

    /// Runs an operation with async-graphql alone; returns its data, or null and the message of its first error.
    async fn run_plain(&self, document: &str) -> (Value, Option<String>) {
        let variables = Variables::from_json(self.variables.clone());
        let mut request = async_graphql::Request::new(document).variables(variables);
        request.data = context::data(self.server.app.clone(), Caller::operator());
        let response = self.plain.execute(request).await;
        match response.errors.first() {
            Some(error) => (Value::Null, Some(error.message.clone())),
            None => (json_of(response.data), None),
        }
    }

    /// Runs an operation with our executor; returns its data.
    async fn run_ours(&self, document: &str) -> Value {
        let body = json!({"query": document, "variables": self.variables}).to_string();
        let request = execute::Request::from_json(body.as_bytes()).unwrap();
        let operation = match self.ours.prepare(request) {
            Ok(operation) => operation,
            Err(errors) => panic!("{document}: {errors:?}"),
        };
        assert_ne!(operation.kind(), OperationType::Subscription, "{document}");
        let data = context::data(self.server.app.clone(), Caller::operator());
        let response = self.ours.run(operation, data, "trace").await;
        let mut response: Value = serde_json::from_slice(&response.body).unwrap();
        assert!(response.get("errors").is_none(), "{document}: {response}");
        response["data"].take()
    }

    async fn assert_equal(&self, document: &str) {
        let (plain, error) = self.run_plain(document).await;
        assert_eq!(error, None, "async-graphql alone: {document}");
        let ours = self.run_ours(document).await;
        assert_eq!(plain, ours, "async-graphql alone (left) and our executor (right): {document}");
    }
}

/// Returns a value as JSON. Lists that resolvers write as JSON are binary values.
fn json_of(value: async_graphql::Value) -> Value {
    match value {
        async_graphql::Value::Binary(json) => serde_json::from_slice(&json).unwrap(),
        async_graphql::Value::List(items) => items.into_iter().map(json_of).collect(),
        async_graphql::Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (key.to_string(), json_of(value))).collect()
        }
        leaf => leaf.into_json().unwrap(),
    }
}

#[rstest]
#[tokio::test]
async fn queries_have_the_data_of_async_graphql(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let executors = Executors::start(database).await;
    for document in QUERIES {
        executors.assert_equal(document).await;
    }
}

#[rstest]
#[tokio::test]
async fn mutations_have_the_data_of_async_graphql(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let executors = Executors::start(database).await;
    for document in MUTATIONS {
        executors.assert_equal(document).await;
    }
}

#[tokio::test]
async fn introspection_of_our_types_has_the_data_of_async_graphql() {
    let executors = Executors::start(Database::Sqlite).await;
    let (mut plain, error) = executors.run_plain(ALL_TYPES).await;
    assert_eq!(error, None);
    let mut ours = executors.run_ours(ALL_TYPES).await;
    let (plain_types, our_types) = (take_types(&mut plain), take_types(&mut ours));
    assert_eq!(plain, ours);
    assert_eq!(plain_types.keys().collect::<Vec<_>>(), our_types.keys().collect::<Vec<_>>());
    for (name, plain) in &plain_types {
        assert_eq!(plain, &our_types[name], "async-graphql alone (left) and our executor (right): {name}");
    }
}

/// Removes the types of [`ALL_TYPES`] from the data, and returns those that are neither built-in scalars nor
/// introspection types, without the parts in which they differ by [`DIFFERENCES`].
fn take_types(data: &mut Value) -> BTreeMap<String, Value> {
    let Value::Array(types) = data["__schema"]["types"].take() else { panic!("no types") };
    let mut named: BTreeMap<_, _> = types.into_iter().map(|ty| (ty["name"].as_str().unwrap().to_owned(), ty)).collect();
    named.retain(|name, _| !name.starts_with("__") && !BUILT_IN_SCALARS.contains(&name.as_str()));
    for interface in named.values_mut().filter(|ty| ty["kind"] == "INTERFACE") {
        interface["interfaces"].take();
        let types = interface["possibleTypes"].as_array_mut().unwrap();
        types.sort_by_key(|ty| ty["name"].as_str().unwrap().to_owned());
    }
    named
}

#[tokio::test]
async fn differences_from_async_graphql_are_known() {
    // A database for each, because mutations change it.
    let (plain, ours) = (Executors::start(Database::Sqlite).await, Executors::start(Database::Sqlite).await);
    for difference in DIFFERENCES {
        let Difference { reason, document, .. } = difference;
        let (data, error) = plain.run_plain(document).await;
        assert_eq!(error.is_some(), difference.plain.is_none(), "{reason}: {error:?}: {document}");
        assert_eq!(data, parse(difference.plain.unwrap_or("null")), "async-graphql alone: {reason}: {document}");
        let data = ours.run_ours(document).await;
        assert_eq!(data, parse(difference.ours), "our executor: {reason}: {document}");
    }
}

fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// Each root field needs an operation, so that new ones are compared too.
#[tokio::test]
async fn every_root_field_is_compared() {
    let executors = Executors::start(Database::Sqlite).await;
    for (root, documents) in [("Query", QUERIES), ("Mutation", MUTATIONS)] {
        let fields = format!("{{ __type(name: \"{root}\") {{ fields {{ name }} }} }}");
        let fields = executors.run_ours(&fields).await["__type"]["fields"].take();
        for field in fields.as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap()) {
            let compared = documents.iter().any(|document| root_fields(document).iter().any(|name| name == field));
            assert!(compared, "no operation has the field {root}.{field}");
        }
    }
}

/// Returns the names of the fields of an operation's root, which are outside of fragments.
fn root_fields(document: &str) -> Vec<String> {
    let document = parse_query(document).unwrap();
    let (_, operation) = document.operations.iter().next().unwrap();
    let selections = operation.node.selection_set.node.items.iter();
    let names = selections.filter_map(|selection| match &selection.node {
        Selection::Field(field) => Some(field.node.name.to_string()),
        _ => None,
    });
    names.collect()
}
