//! Tests of completion with a toy schema.

use std::sync::{
    Arc,
    atomic::{AtomicI32, Ordering},
};

use async_graphql::{
    EmptyMutation, EmptySubscription, ID, Interface, Object, Result, Schema, SimpleObject, ValidationMode, Variables,
};
use rstest::rstest;

use super::*;
use crate::{
    graphql::execute::{
        bulk_rows::RowDecoders,
        collect_fields::Collected,
        document::Documents,
        introspection,
        prepared_operation::PreparedOperation,
        schema::Types,
        write::{errors, raw_json, write},
    },
    types::DocumentLimits,
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

/// Yields, so that concurrent fields finish in another order than they start.
async fn yield_times(times: usize) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

#[Object]
impl Member {
    async fn id(&self) -> ID {
        yield_times(3).await;
        format!("m_{}", self.0).into()
    }
    async fn title(&self) -> Option<String> {
        yield_times(1).await;
        None
    }
    /// Fails for every third member.
    async fn name(&self) -> Result<String> {
        if self.0 % 3 == 0 { Err("no name".into()) } else { Ok(format!("name {}", self.0)) }
    }
    async fn nick(&self) -> Result<Option<String>> {
        if self.0 % 2 == 0 { Err("no nick".into()) } else { Ok(Some(format!("nick {}", self.0))) }
    }
    async fn space(&self) -> Option<Space> {
        yield_times(2).await;
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
        yield_times(2).await;
        Some("space".to_owned())
    }
    async fn broken(&self) -> Result<i32> {
        Err("broken".into())
    }
    async fn maybe(&self) -> Result<Option<i32>> {
        yield_times(1).await;
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
        yield_times(4).await;
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
    /// Returns the number of calls.
    async fn count(&self) -> Space {
        Space(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }
    async fn raw(&self) -> i32 {
        yield_times(1).await;
        1
    }
    async fn pick(&self, of: Vec<i32>) -> Option<i32> {
        of.first().copied()
    }
}

fn schema() -> Schema<Query, EmptyMutation, EmptySubscription> {
    Schema::build(Query::default(), EmptyMutation, EmptySubscription).validation_mode(ValidationMode::Fast).finish()
}

/// A query with its collected fields.
struct Collection {
    types: Arc<Types>,
    operation: Arc<PreparedOperation>,
    collected: Arc<Collected>,
    variables: Variables,
}

fn collect(query: &str, variables: Variables) -> Collection {
    let types = Arc::new(Types::new(&schema().sdl()));
    let documents = Documents::new(Arc::clone(&types), RowDecoders::default(), &DocumentLimits::default());
    let document = match documents.get(query) {
        Ok(document) => document,
        Err(errors) => panic!("{query}: {errors:?}"),
    };
    let operation = Arc::clone(document.operation(None).expect("one operation"));
    let collected = operation.collected(&types, &variables).expect("few fields");
    Collection { types, operation, collected, variables }
}

/// Returns the data of the response to a query, and the number of errors.
async fn run(query: &str, variables: &str) -> (String, usize) {
    let variables = Variables::from_json(serde_json::from_str(variables).unwrap());
    let Collection { types, operation, collected, variables } = collect(query, variables);
    let mut request = async_graphql::Request::new("").variables(variables.clone());
    request.set_parsed_query(collected.document.clone());
    let response = schema().execute(request).await;
    let Value::Object(mut data) = response.data.clone() else {
        return finish(&collected, IndexMap::new(), response.errors);
    };
    for field in &collected.introspection {
        let (json, errors) = introspection::write(&types, field, |name| operation.value(&variables, name));
        assert!(errors.is_empty(), "{errors:?}");
        data.insert(field.key.clone(), raw_json(json));
    }
    finish(&collected, data, response.errors)
}

fn finish(collected: &Collected, data: IndexMap<Name, Value>, mut failed: Vec<ServerError>) -> (String, usize) {
    let completed = complete(&collected.root, data, &failed);
    assert_eq!(completed.fault, None);
    failed.extend(completed.errors);
    let count = errors(failed, "t", 100).0.len();
    let text = String::from_utf8(write(completed.data, &[]).unwrap()).unwrap();
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
async fn data_is_completed(#[case] query: &str, #[case] data: &str, #[case] failures: usize) {
    assert_eq!(run(query, "{}").await, (data.to_owned(), failures));
}

#[rstest]
#[case(r#"{"yes":true,"no":false}"#, r#"{"member":{"id":"m_1","title":null},"raw":1}"#)]
#[case(r#"{"yes":false,"no":false}"#, r#"{"member":{"title":null}}"#)]
#[case(r#"{"yes":true,"no":true}"#, r#"{"member":{"id":"m_1"},"raw":1}"#)]
#[case(r#"{"yes":false,"no":true}"#, r#"{"member":{}}"#)]
#[tokio::test]
async fn conditions_follow_variables(#[case] variables: &str, #[case] data: &str) {
    let query = "query($yes: Boolean!, $no: Boolean!) { member(id: 1) { ...F @include(if: $yes) title @skip(if: $no) }
        ... @include(if: $yes) { raw } } fragment F on Member { id }";
    assert_eq!(run(query, variables).await, (data.to_owned(), 0));
}

#[tokio::test]
async fn introspection_has_the_schema() {
    let query =
        "{ __schema { queryType { name kind fields(includeDeprecated: true) { name type { ofType { name } kind }
        args { defaultValue name } } } directives { isRepeatable name } mutationType { name } }
        __type(name: \"Node\") { possibleTypes { name } description kind } }";
    let (data, failures) = run(query, "{}").await;
    assert_eq!(failures, 0);
    assert!(
        data.starts_with(r#"{"__schema":{"queryType":{"name":"Query","kind":"OBJECT","fields":[{"name":"member","#)
    );
    assert!(data.contains(r#"{"type":{"ofType":null,"kind":"OBJECT"}"#) || data.contains(r#""type":{"ofType":"#));
    let end = r#""mutationType":null},"__type":{"possibleTypes":[{"name":"Member"},{"name":"Space"}],"description":null,"kind":"INTERFACE"}}"#;
    assert!(data.ends_with(end), "{data}");
}

#[test]
fn conditions_follow_defaults_of_variables() {
    let query = "query($no: Boolean! = false) { raw @include(if: $no) numbers @skip(if: $no) }";
    let keys: Vec<_> =
        collect(query, Variables::default()).collected.root.fields.iter().map(|field| field.key.clone()).collect();
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
fn data_that_does_not_match_the_schema_is_a_fault(#[case] query: &str, #[case] data: &str, #[case] fault: &str) {
    let collected = collect(query, Variables::default()).collected;
    let Value::Object(data) = serde_json::from_str(data).unwrap() else { panic!("no object") };
    let completed = complete(&collected.root, data, &[]);
    assert_eq!(completed.fault.as_deref(), Some(fault));
}

#[test]
fn raw_json_is_not_completed() {
    let collected = collect("{ all { id name } raw }", Variables::default()).collected;
    let mut map = IndexMap::new();
    map.insert(Name::new("raw"), 1.into());
    map.insert(Name::new("all"), raw_json(br#"[{"x":1}]"#.to_vec()));
    let completed = complete(&collected.root, map, &[]);
    assert_eq!(completed.fault, None);
    assert_eq!(write(completed.data, &[]).unwrap(), br#"{"data":{"all":[{"x":1}],"raw":1}}"#);
}

#[tokio::test]
async fn merged_fields_run_once() {
    let query = "{ count { id } ...F count { title } } fragment F on Query { count { x: id } }";
    assert_eq!(run(query, "{}").await.0, r#"{"count":{"id":"s_1","x":"s_1","title":"space"}}"#);
}

#[rstest]
#[case::root("query($b: Boolean = true) { raw @include(if: $b) }", "null")]
#[case::nullable("query($b: Boolean = true) { raw member(id: 1) { id @skip(if: $b) } }", r#"{"raw":1,"member":null}"#)]
#[case::non_null("query($b: Boolean = true) { raw must(id: 1) { id @skip(if: $b) } }", "null")]
#[case::not_reached(
    "query($b: Boolean = true) { raw member(id: 0) { id @skip(if: $b) } }",
    r#"{"raw":1,"member":null}"#
)]
#[case::not_evaluated(
    "query($b: Boolean = true) { raw member(id: 1) @skip(if: true) { id @skip(if: $b) } }",
    r#"{"raw":1}"#
)]
#[case::one_type(
    "query($b: Boolean = true) { nodes { ... on Member { id @include(if: $b) } title } }",
    r#"{"nodes":[{"title":"space"},null,null]}"#
)]
#[tokio::test]
async fn null_condition_fails_the_object(#[case] query: &str, #[case] data: &str) {
    let failures = usize::from(!query.contains("id: 0") && !query.contains("true) { id"));
    assert_eq!(run(query, r#"{"b":null}"#).await, (data.to_owned(), failures));
}

#[test]
fn null_condition_has_the_path_of_its_object() {
    let query = "query($b: Boolean = true) { nodes { ... on Member { id @include(if: $b) } title } }";
    let collected = collect(query, Variables::from_json(serde_json::json!({"b": null}))).collected;
    let Value::Object(data) = serde_json::from_str(r#"{"nodes": [null, {"@type": "Member"}]}"#).unwrap() else {
        panic!()
    };
    let completed = complete(&collected.root, data, &[]);
    assert_eq!(completed.errors[0].path, [PathSegment::Field("nodes".to_owned()), PathSegment::Index(1)]);
    assert_eq!(completed.errors[0].locations[0].column, query.rfind("$b").unwrap() + 1);
}

#[test]
fn collections_are_stored_for_each_value_of_a_condition() {
    let query = "query($b: Boolean!, $n: Int!) { raw @include(if: $b) member(id: $n) { id } }";
    let Collection { types, operation, collected, .. } =
        collect(query, Variables::from_json(serde_json::json!({"b": true, "n": 1})));
    let again = |b: bool, n: i32| {
        operation.collected(&types, &Variables::from_json(serde_json::json!({"b": b, "n": n}))).expect("few fields")
    };
    assert!(Arc::ptr_eq(&collected, &again(true, 2)));
    assert!(!Arc::ptr_eq(&collected, &again(false, 1)));
    assert!(Arc::ptr_eq(&again(false, 1), &again(false, 2)));
}

/// A short text can have a large collection, which the weight of the document in the cache does not contain.
#[test]
fn collection_larger_than_its_text_is_not_stored() {
    let fragments = "fragment A on Member { me { ...B } a: me { ...B } b: me { ...B } c: me { ...B } }
        fragment B on Member { me { ...C } a: me { ...C } b: me { ...C } c: me { ...C } }
        fragment C on Member { id title name nick space { id } home { id } }";
    let stored = |query: &str| {
        let Collection { types, operation, collected, variables } = collect(query, Variables::default());
        let again = operation.collected(&types, &variables).expect("few fields");
        (collected.size, Arc::ptr_eq(&collected, &again))
    };
    let (size, is_stored) = stored(&format!("{{ member(id: 1) {{ ...A }} }} {fragments}"));
    assert!(size > 130 && !is_stored, "{size}");
    assert!(stored("{ member(id: 1) { id title } }").1);
}

#[rstest]
#[case("{ same: pick(of: [1]) same: pick(of: [1, 2]) }")]
#[case("{ same: pick(of: [1]) ...F @skip(if: true) } fragment F on Query { same: pick(of: [1, 2]) }")]
fn lists_of_different_lengths_conflict(#[case] text: &str) {
    let types = Arc::new(Types::new(&schema().sdl()));
    let documents = Documents::new(types, RowDecoders::default(), &DocumentLimits::default());
    let Err(errors) = documents.get(text) else { panic!("{text} is accepted") };
    assert_eq!(errors[0].locations().len(), 2);
}

#[test]
fn number_of_merged_fields_is_limited() {
    let mut query = "{ member(id: 1) { ...F0 } }".to_owned();
    for n in 0..12 {
        let inner =
            (0..4).map(|key| format!("k{key}: space {{ id }} h{key}: me {{ ...F{} }}", n + 1)).collect::<String>();
        query += &format!(" fragment F{n} on Member {{ {inner} }}");
    }
    query += " fragment F12 on Member { id }";
    let limits = DocumentLimits {
        selections: usize::MAX,
        selection_depth: usize::MAX,
        aliases: usize::MAX,
        ..DocumentLimits::default()
    };
    let types = Arc::new(Types::new(&schema().sdl()));
    let documents = Documents::new(Arc::clone(&types), RowDecoders::default(), &limits);
    let Ok(document) = documents.get(&query) else { panic!("within the limits") };
    let operation = document.operation(None).expect("one operation");
    let Err(error) = operation.collected(&types, &Variables::default()) else {
        panic!("more than the maximum is collected")
    };
    assert!(error.message().contains("too many selections"), "{error:?}");
}
