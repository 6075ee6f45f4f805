//! Tests of operations that run, and of the responses when they fail.

use async_graphql::{Data, EmptySubscription, ID, MergedObject, Object};
use serde_json::Value;

use super::*;
use crate::types::Limits;

/// Panics without a warning of unreachable code.
fn panic() -> bool {
    panic!("test")
}

struct Missing;

#[derive(MergedObject)]
struct Mutation(Query);

#[derive(Clone)]
struct Query;

#[Object]
impl Query {
    async fn echo(&self, id: ID, number: Option<i32>) -> String {
        format!("{}{number:?}", id.as_str())
    }

    async fn panics(&self) -> bool {
        panic()
    }

    async fn conflict(&self) -> async_graphql::Result<Option<bool>> {
        Err(Error::new(Code::Conflict, "taken").into())
    }

    async fn busy(&self) -> async_graphql::Result<Option<bool>> {
        Err(Error::new(Code::ServiceUnavailable, "later").into())
    }

    async fn missing(&self, ctx: &async_graphql::Context<'_>) -> async_graphql::Result<Option<bool>> {
        ctx.data::<Missing>().map(|_| None)
    }
}

async fn run(query: &str, variables: &str) -> (GraphqlResponse, Value) {
    let executor = Executor::new(Query, Mutation(Query), EmptySubscription, RowDecoders::default(), &Limits::default());
    let body =
        serde_json::json!({"query": query, "variables": serde_json::from_str::<Value>(variables).expect("JSON")});
    let body = body.to_string();
    let operation = executor.prepare(Request::from_json(body.as_bytes()).expect("a request")).expect("an operation");
    let response = executor.run(operation, Data::default(), "t1").await;
    let json = serde_json::from_slice(&response.body).expect("JSON");
    (response, json)
}

/// Returns the only error of a response.
async fn error(query: &str, variables: &str) -> (GraphqlResponse, Value) {
    let (response, json) = run(query, variables).await;
    assert_eq!(json["errors"].as_array().map(Vec::len), Some(1), "{json}");
    let error = json["errors"][0].clone();
    assert_eq!(error["extensions"]["traceId"], "t1");
    (response, error)
}

#[tokio::test]
async fn operation_gives_data() {
    let (response, json) = run("query A($i:ID!){echo(id:$i,number:7) __typename}", r#"{"i": "x"}"#).await;
    assert_eq!(json, serde_json::json!({"data": {"echo": "xSome(7)", "__typename": "Query"}}));
    assert!(!response.is_request_error && response.codes.is_empty());
}

#[tokio::test]
async fn introspection_gives_data() {
    let (_, json) = run("{__schema{queryType{name}} __type(name:\"Query\"){name}}", "{}").await;
    assert_eq!(json["data"]["__schema"]["queryType"]["name"], "Query");
    let executor = Executor::new(Query, Mutation(Query), EmptySubscription, RowDecoders::default(), &Limits::default());
    let types = executor.types();
    assert!(["__Schema", "__Type", "Query", "ID", "Int", "Boolean"].iter().all(|name| types.get(name).is_some()));
    assert!(executor.sdl().contains("type Query {"));
}

#[tokio::test]
async fn field_error_of_introspection_nulls_the_nearest_nullable_field() {
    let query = "query($b: Boolean = true) { __schema { queryType { name } mutationType { name @include(if: $b) } } }";
    let (_, json) = run(query, r#"{"b": null}"#).await;
    assert_eq!(json["data"], serde_json::json!({"__schema": {"queryType": {"name": "Query"}, "mutationType": null}}));
    assert_eq!(json["errors"].as_array().map(Vec::len), Some(1), "{json}");
    assert_eq!(json["errors"][0]["path"], serde_json::json!(["__schema", "mutationType"]));
    let (_, json) = run(&query.replace("mutationType { name", "types { name"), r#"{"b": null}"#).await;
    assert_eq!(json["data"], Value::Null);
    assert_eq!(json["errors"][0]["path"], serde_json::json!(["__schema", "types", 0]));
    let (_, json) = run("query($b: String = \"A\") { echo(id: 1) __type(name: $b) { name } }", r#"{"b": null}"#).await;
    assert_eq!(json["data"], serde_json::json!({"echo": "1None", "__type": null}));
}

#[tokio::test]
async fn operation_is_selected_by_name() {
    let executor = Executor::new(Query, Mutation(Query), EmptySubscription, RowDecoders::default(), &Limits::default());
    let prepare = |body: &'static str| executor.prepare(Request::from_json(body.as_bytes()).expect("a request"));
    let two = r#"{"query": "query A{conflict} mutation B{conflict}", "operationName": "B"}"#;
    let operation = prepare(two).expect("an operation");
    assert_eq!((operation.kind(), operation.name()), (OperationType::Mutation, Some("B")));
    let operation = prepare(r#"{"query": "{conflict}"}"#).expect("an operation");
    assert_eq!((operation.kind(), operation.name()), (OperationType::Query, None));
    let errors = prepare(r#"{"query": "query A{conflict} query B{conflict}"}"#).err().expect("request errors");
    assert_eq!(errors[0].code(), Code::GraphqlValidationFailed);
}

#[tokio::test]
async fn resolver_errors_keep_their_code() {
    let (response, error_of) = error("{conflict}", "{}").await;
    assert_eq!(response.codes, [Code::Conflict]);
    assert_eq!((&error_of["message"], &error_of["extensions"]["code"]), (&"taken".into(), &"CONFLICT".into()));
    assert_eq!(error_of["extensions"]["retryable"], false);
    assert_eq!(error("{busy}", "{}").await.1["extensions"]["retryable"], true);
}

#[tokio::test]
async fn panic_is_an_internal_error() {
    for query in ["{panics}", "mutation{panics}", "{conflict panics}"] {
        let (response, error) = error(query, "{}").await;
        assert!(response.is_request_error);
        assert_eq!(response.codes, [Code::InternalServerError]);
        assert_eq!(error["message"], "internal error");
    }
}

#[tokio::test]
async fn errors_of_async_graphql_are_hidden() {
    let (response, error) = error("{missing}", "{}").await;
    assert_eq!(response.codes, [Code::InternalServerError]);
    assert_eq!(error["message"], "internal error");
}

#[test]
fn request_errors_have_locations() {
    let errors = [Error::new(Code::LimitExceeded, "no").at(3, 4), Error::new(Code::BadRequest, "no")];
    let response = request_error(&errors, "t1");
    let json: Value = serde_json::from_slice(&response.body).expect("JSON");
    assert_eq!(json["errors"][0]["locations"], serde_json::json!([{"line": 3, "column": 4}]));
    assert!(json["errors"][1].get("locations").is_none() && json.get("data").is_none());
    assert_eq!(json["errors"][1]["extensions"]["traceId"], "t1");
    assert_eq!(response.codes, [Code::LimitExceeded, Code::BadRequest]);
}
