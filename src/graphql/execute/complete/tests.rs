use std::sync::atomic::{AtomicI32, Ordering};

use async_graphql::{
    EmptyMutation, EmptySubscription, ID, Interface, Object, OutputType, Request, Result, Schema, SimpleObject,
    ValidationMode, Variables,
    parser::{parse_query, types::ExecutableDocument},
    registry::Registry,
};
use rstest::rstest;

use super::*;
use crate::graphql::execute::{
    plan::flatten,
    write::{errors, write},
};

#[derive(Clone, SimpleObject)]
struct Label {
    text: String,
}

#[derive(Clone)]
struct Member(i32);

#[derive(Clone)]
struct Space(i32);

#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID"), field(name = "title", ty = "Option<String>"))]
enum Node {
    Member(Member),
    Space(Space),
}

/// Lets others go first.
async fn slowly(turns: usize) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

#[Object]
impl Member {
    async fn id(&self) -> ID {
        slowly(3).await;
        format!("m_{}", self.0).into()
    }
    async fn title(&self) -> Option<String> {
        slowly(1).await;
        None
    }
    /// Fails for every third.
    async fn name(&self) -> Result<String> {
        if self.0 % 3 == 0 { Err("no name".into()) } else { Ok(format!("name {}", self.0)) }
    }
    async fn nick(&self) -> Result<Option<String>> {
        if self.0 % 2 == 0 { Err("no nick".into()) } else { Ok(Some(format!("nick {}", self.0))) }
    }
    async fn space(&self) -> Option<Space> {
        slowly(2).await;
        Some(Space(self.0))
    }
    async fn home(&self) -> Space {
        Space(self.0)
    }
    async fn me(&self) -> Self {
        self.clone()
    }
    async fn labels(&self) -> Vec<Label> {
        vec![Label { text: "a".into() }, Label { text: "b".into() }]
    }
}

#[Object]
impl Space {
    async fn id(&self) -> ID {
        format!("s_{}", self.0).into()
    }
    async fn title(&self) -> Option<String> {
        slowly(2).await;
        Some("space".to_owned())
    }
    async fn broken(&self) -> Result<i32> {
        Err("broken".into())
    }
    async fn maybe(&self) -> Result<Option<i32>> {
        slowly(1).await;
        Err("maybe".into())
    }
}

fn members() -> Vec<Member> {
    (1..4).map(Member).collect()
}

#[derive(Default)]
struct Query(AtomicI32);

#[Object]
impl Query {
    async fn member(&self, id: i32) -> Option<Member> {
        slowly(4).await;
        (id > 0).then_some(Member(id))
    }
    async fn must(&self, id: i32) -> Member {
        Member(id)
    }
    async fn node(&self, id: i32) -> Option<Node> {
        if id > 0 { Some(Node::Member(Member(id))) } else { Some(Node::Space(Space(id))) }
    }
    async fn nodes(&self) -> Vec<Option<Node>> {
        vec![Some(Node::Space(Space(1))), None, Some(Node::Member(Member(1)))]
    }
    async fn all(&self) -> Vec<Member> {
        members()
    }
    async fn some(&self) -> Option<Vec<Member>> {
        Some(members())
    }
    async fn each(&self) -> Vec<Option<Member>> {
        members().into_iter().map(Some).collect()
    }
    async fn numbers(&self) -> Vec<Option<i32>> {
        vec![Some(1), None]
    }
    /// How often it was asked for.
    async fn count(&self) -> Space {
        Space(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
    async fn raw(&self) -> i32 {
        slowly(1).await;
        1
    }
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.query_type = Query::create_type_info(&mut registry).trim_end_matches('!').to_owned();
    registry
}

fn plan(query: &str, variables: &Variables) -> (ExecutableDocument, Plan) {
    let registry = registry();
    let document = parse_query(query).unwrap();
    let operation = document.operations.iter().next().unwrap().1;
    let plan = Plan::new(&registry, &document, &operation.node, variables);
    (flatten(&registry, &document, operation, variables).unwrap(), plan)
}

/// The data of the answer to a query, and how many errors there are.
async fn answer(query: &str, variables: &str) -> (String, usize) {
    let variables = Variables::from_json(serde_json::from_str(variables).unwrap());
    let (document, plan) = plan(query, &variables);
    run(query, document, &plan, variables).await
}

async fn run(query: &str, document: ExecutableDocument, plan: &Plan, variables: Variables) -> (String, usize) {
    let mut request = Request::new("").variables(variables);
    request.set_parsed_query(document);
    let schema = Schema::build(Query::default(), EmptyMutation, EmptySubscription)
        .validation_mode(ValidationMode::Fast)
        .finish();
    let response = schema.execute(request).await;
    let completed = complete(plan, response.data, &response.errors);
    assert_eq!(completed.fault, None, "{query}");
    assert!(response.errors.iter().all(|error| !error.path.is_empty()), "{:?}", response.errors);
    let count = errors(response.errors, "t", 100).0.len();
    let text = String::from_utf8(write(&completed.data, &[])).unwrap();
    (text.strip_prefix(r#"{"data":"#).unwrap().strip_suffix("}").unwrap().to_owned(), count)
}

#[rstest]
#[case::order(
    "{ member(id: 1) { id title name } raw }",
    r#"{"member":{"id":"m_1","title":null,"name":"name 1"},"raw":1}"#,
    0
)]
#[case::absent("{ member(id: 0) { id } }", r#"{"member":null}"#, 0)]
#[case::nullable_fails("{ member(id: 2) { nick id } }", r#"{"member":{"nick":null,"id":"m_2"}}"#, 1)]
#[case::only_nullable_fails("{ member(id: 2) { nick } }", r#"{"member":{"nick":null}}"#, 1)]
#[case::non_null_fails("{ member(id: 3) { id name } raw }", r#"{"member":null,"raw":1}"#, 1)]
#[case::only_non_null_fails("{ member(id: 3) { name } raw }", r#"{"member":null,"raw":1}"#, 1)]
#[case::up_to_the_top("{ raw must(id: 3) { id name } }", r#"null"#, 1)]
#[case::two_levels("{ member(id: 1) { id home { broken } } raw }", r#"{"member":null,"raw":1}"#, 1)]
#[case::stopped("{ member(id: 1) { space { id broken } id } }", r#"{"member":{"space":null,"id":"m_1"}}"#, 1)]
#[case::all_below_fail("{ member(id: 1) { home { maybe } } }", r#"{"member":{"home":{"maybe":null}}}"#, 1)]
#[case::everything_fails(
    "{ member(id: 2) { nick space { maybe } } }",
    r#"{"member":{"nick":null,"space":{"maybe":null}}}"#,
    2
)]
#[case::items_strict("{ all { name } raw }", "null", 1)]
#[case::items_strict_in_nullable("{ some { id name } raw }", r#"{"some":null,"raw":1}"#, 1)]
#[case::items_nullable(
    "{ each { id name } }",
    r#"{"each":[{"id":"m_1","name":"name 1"},{"id":"m_2","name":"name 2"},null]}"#,
    1
)]
#[case::items_empty("{ each { nick } }", r#"{"each":[{"nick":"nick 1"},{"nick":null},{"nick":"nick 3"}]}"#, 1)]
#[case::numbers("{ numbers }", r#"{"numbers":[1,null]}"#, 0)]
#[case::aliases(
    "{ b: member(id: 1) { z: id id } a: raw __typename }",
    r#"{"b":{"z":"m_1","id":"m_1"},"a":1,"__typename":"Query"}"#,
    0
)]
#[case::merged(
    "{ member(id: 1) { id home { title } labels { text } } member(id: 1) { name home { id title } labels { t: text } } }",
    r#"{"member":{"id":"m_1","home":{"title":"space","id":"s_1"},"labels":[{"text":"a","t":"a"},{"text":"b","t":"b"}],"name":"name 1"}}"#, 0)]
#[case::merged_over_fragments(
    "{ ...F member(id: 1) { id } } fragment F on Query { member(id: 1) { title ...G } } fragment G on Member { name id }",
    r#"{"member":{"title":null,"name":"name 1","id":"m_1"}}"#,
    0
)]
#[case::interface(
    "{ node(id: 1) { title ... on Member { name } ... on Space { broken } id } }",
    r#"{"node":{"title":null,"name":"name 1","id":"m_1"}}"#,
    0
)]
#[case::interface_fails(
    "{ node(id: 0) { title ... on Member { name } ... on Space { maybe } id __typename } }",
    r#"{"node":{"title":"space","maybe":null,"id":"s_0","__typename":"Space"}}"#,
    1
)]
#[case::interface_propagates("{ node(id: 0) { id ... on Space { broken } } }", r#"{"node":null}"#, 1)]
#[case::interface_nothing("{ node(id: 0) { ... on Member { id } } }", r#"{"node":{}}"#, 0)]
#[case::interface_list(
    "{ nodes { ...N } } fragment N on Node { ...M title id } fragment M on Member { name }",
    r#"{"nodes":[{"title":"space","id":"s_1"},null,{"name":"name 1","title":null,"id":"m_1"}]}"#,
    0
)]
#[case::interface_in_object(
    "{ member(id: 1) { ... on Node { title id } space { ...N } } } fragment N on Node { ... on Member { name } }",
    r#"{"member":{"title":null,"id":"m_1","space":{}}}"#,
    0
)]
#[case::skipped("{ raw @skip(if: true) }", "{}", 0)]
#[case::skipped_below("{ member(id: 1) { id @include(if: false) } raw }", r#"{"member":{},"raw":1}"#, 0)]
#[tokio::test]
async fn completes(#[case] query: &str, #[case] data: &str, #[case] failures: usize) {
    assert_eq!(answer(query, "{}").await, (data.to_owned(), failures));
}

#[rstest]
#[case(r#"{"yes":true,"no":false}"#, r#"{"member":{"id":"m_1","title":null},"raw":1}"#)]
#[case(r#"{"yes":false,"no":false}"#, r#"{"member":{"title":null}}"#)]
#[case(r#"{"yes":true,"no":true}"#, r#"{"member":{"id":"m_1"},"raw":1}"#)]
#[case(r#"{"yes":false,"no":true}"#, r#"{"member":{}}"#)]
#[tokio::test]
async fn follows_variables(#[case] variables: &str, #[case] data: &str) {
    let query = "query($yes: Boolean!, $no: Boolean!) { member(id: 1) { ...F @include(if: $yes) title @skip(if: $no) }
        ... @include(if: $yes) { raw } } fragment F on Member { id }";
    assert_eq!(answer(query, variables).await, (data.to_owned(), 0));
}

#[tokio::test]
async fn introspection_is_complete() {
    let query =
        "{ __schema { queryType { name kind fields(includeDeprecated: true) { name type { ofType { name } kind }
        args { defaultValue name } } } directives { isRepeatable name } mutationType { name } }
        __type(name: \"Node\") { possibleTypes { name } description kind } }";
    let (data, failures) = answer(query, "{}").await;
    assert_eq!(failures, 0);
    assert!(
        data.starts_with(r#"{"__schema":{"queryType":{"name":"Query","kind":"OBJECT","fields":[{"name":"member","#)
    );
    assert!(data.contains(r#"{"type":{"ofType":null,"kind":"OBJECT"}"#) || data.contains(r#""type":{"ofType":"#));
    let end = r#""mutationType":null},"__type":{"possibleTypes":[{"name":"Member"},{"name":"Space"}],"description":null,"kind":"INTERFACE"}}"#;
    assert!(data.ends_with(end), "{data}");
}

#[test]
fn defaults_of_variables_count() {
    let query = "query($no: Boolean! = false) { raw @include(if: $no) numbers @skip(if: $no) }";
    let keys: Vec<_> =
        plan(query, &Variables::default()).1.root().fields.iter().map(|field| field.key.clone()).collect();
    assert_eq!(keys, ["numbers"]);
}

#[rstest]
#[case::non_null("{ must(id: 1) { id } }", r#"{"must":{}}"#, "Member.id must not be null")]
#[case::item(
    "{ member(id: 1) { labels { text } } }",
    r#"{"member":{"labels":[null]}}"#,
    "an item of a list must not be null"
)]
#[case::type_unknown("{ node(id: 1) { id } }", r#"{"node":{"id":"1"}}"#, "an object of an interface has no known type")]
#[case::shape("{ member(id: 1) { id } }", r#"{"member":1}"#, "a value does not match its type")]
fn a_null_without_an_error_is_a_fault(#[case] query: &str, #[case] data: &str, #[case] fault: &str) {
    let (_, plan) = plan(query, &Variables::default());
    let completed = complete(&plan, serde_json::from_str(data).unwrap(), &[]);
    assert_eq!(completed.fault.as_deref(), Some(fault));
}

#[test]
fn prebuilt_json_is_left_alone() {
    let (_, plan) = plan("{ all { id name } raw }", &Variables::default());
    let mut map = IndexMap::new();
    map.insert(Name::new("raw"), 1.into());
    map.insert(Name::new("all"), crate::graphql::execute::write::raw_json(br#"[{"x":1}]"#.to_vec()));
    let completed = complete(&plan, Value::Object(map), &[]);
    assert_eq!(completed.fault, None);
    assert_eq!(write(&completed.data, &[]), br#"{"data":{"all":[{"x":1}],"raw":1}}"#);
}

#[tokio::test]
async fn a_flat_operation_runs_every_field_once() {
    let query = "{ count { id } ...F count { title } } fragment F on Query { count { x: id } }";
    let variables = Variables::default();
    let (registry, document) = (registry(), parse_query(query).unwrap());
    let operation = document.operations.iter().next().unwrap().1;
    let flat = flatten(&registry, &document, operation, &variables).unwrap();
    let plan = Plan::new(&registry, &flat, &flat.operations.iter().next().unwrap().1.node, &variables);
    let data = run(query, flat, &plan, variables).await.0;
    assert_eq!(data, r#"{"count":{"id":"s_1","x":"s_1","title":"space"}}"#);
}

#[test]
fn what_grows_too_large_is_not_flattened() {
    let mut query = "{ member(id: 1) { ...F0 } }".to_owned();
    for n in 0..12 {
        let inner =
            (0..4).map(|key| format!("k{key}: space {{ id }} h{key}: me {{ ...F{} }}", n + 1)).collect::<String>();
        query += &format!(" fragment F{n} on Member {{ {inner} }}");
    }
    query += " fragment F12 on Member { id }";
    let (registry, document) = (registry(), parse_query(query).unwrap());
    let operation = document.operations.iter().next().unwrap().1;
    assert!(flatten(&registry, &document, operation, &Variables::default()).is_none());
    let plan = Plan::new(&registry, &document, &operation.node, &Variables::default());
    assert_eq!(plan.root().fields.len(), 1);
}
