//! Tests of validation.

mod bounds;

use async_graphql::{EmptySubscription, Enum, ID, InputObject, Object, Schema, Union};

use super::*;
use crate::graphql::scalar::DateTime;

#[derive(Clone)]
struct Query;
struct Mutation;

#[Object]
impl Mutation {
    async fn member(&self) -> Member {
        Member
    }
}

#[derive(Clone)]
struct Member;
#[derive(Clone)]
struct List;

#[derive(Union)]
enum Node {
    Member(Member),
    List(List),
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum Order {
    Name,
    Age,
}

#[derive(InputObject)]
struct Filter {
    name: Option<String>,
    or: Option<Vec<Filter>>,
    range: Option<Range>,
}

#[derive(InputObject)]
struct Range {
    from: i32,
    to: Option<i32>,
}

#[Object]
impl Query {
    async fn members(&self, filter: Option<Filter>, first: Option<i32>, order: Option<Order>) -> Vec<Member> {
        let _ = (filter.map(|it| (it.name, it.or, it.range.map(|it| (it.from, it.to)))), first, order);
        Vec::new()
    }

    async fn node(&self, id: ID) -> Option<Node> {
        (id.as_str() == "l").then_some(Node::List(List)).or(Some(Node::Member(Member)))
    }

    async fn member(&self) -> Member {
        Member
    }
}

#[Object]
impl Member {
    async fn name(&self) -> &str {
        "Ada"
    }

    async fn email(&self) -> Option<&str> {
        None
    }

    async fn friend(&self, #[graphql(default)] at: i32, since: Option<Vec<DateTime>>) -> Member {
        let _ = (at, since);
        Member
    }
}

#[Object]
impl List {
    async fn name(&self) -> &str {
        "all"
    }

    async fn count(&self) -> i32 {
        7
    }
}

fn documents() -> Documents {
    documents_within(&DocumentLimits::default())
}

fn documents_within(limits: &DocumentLimits) -> Documents {
    let sdl = Schema::new(Query, Mutation, EmptySubscription).sdl();
    Documents::new(Arc::new(Types::new(&sdl)), RowDecoders::default(), limits)
}

fn validation_errors(documents: &Documents, text: &str) -> Vec<Error> {
    match documents.get(text) {
        Ok(_) => panic!("{} is accepted", text.chars().take(200).collect::<String>()),
        Err(errors) => errors,
    }
}

/// Returns the first error of a document.
fn first_error(text: &str) -> Error {
    validation_errors(&documents(), text).swap_remove(0)
}

fn assert_valid(text: &str) {
    if let Err(errors) = documents().get(text) {
        panic!("{} is rejected: {errors:?}", text.chars().take(200).collect::<String>());
    }
}

fn assert_invalid(text: &str, reason: &str) {
    let error = first_error(text);
    assert_eq!(error.code(), Code::GraphqlValidationFailed, "{error:?}");
    assert!(error.message().contains(reason), "{error:?}");
}

fn assert_over_limit(text: &str, reason: &str) {
    let error = first_error(text);
    assert_eq!(error.code(), Code::LimitExceeded, "{error:?}");
    assert!(error.message().contains(reason), "{error:?}");
}

#[test]
fn first_errors_of_the_text_are_reported() {
    let fields: String = (0..500).map(|index| format!("a{index}\n")).collect();
    let errors = validation_errors(&documents(), &format!("{{member{{{fields}}}}}"));
    assert_eq!(errors.len(), 100);
    let lines: Vec<_> = errors.iter().map(|error| error.locations()[0].line).collect();
    assert_eq!(lines, (1..=100).collect::<Vec<_>>());
}

#[test]
fn unknown_field_is_reported_with_its_type() {
    assert_invalid("{membr{name}}", "type `Query` does not have a field `membr`");
}

#[test]
fn fragment_cycles_are_rejected() {
    assert_invalid("{member{...A}} fragment A on Member{...B} fragment B on Member{friend{...A}}", "contains itself");
    assert_invalid("{member{name}} fragment A on Member{...A}", "contains itself");
}

/// The introspection query of graphql-js 16 with all options.
const INTROSPECTION: &str = "
    query IntrospectionQuery {
      __schema {
        description
        queryType { name kind }
        mutationType { name kind }
        subscriptionType { name kind }
        types { ...FullType }
        directives {
          name
          description
          isRepeatable
          locations
          args(includeDeprecated: true) { ...InputValue }
        }
      }
    }

    fragment FullType on __Type {
      kind
      name
      description
      specifiedByURL
      isOneOf
      fields(includeDeprecated: true) {
        name
        description
        args(includeDeprecated: true) { ...InputValue }
        type { ...TypeRef }
        isDeprecated
        deprecationReason
      }
      inputFields(includeDeprecated: true) { ...InputValue }
      interfaces { ...TypeRef }
      enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
      possibleTypes { ...TypeRef }
    }

    fragment InputValue on __InputValue {
      name
      description
      type { ...TypeRef }
      defaultValue
      isDeprecated
      deprecationReason
    }

    fragment TypeRef on __Type {
      kind name ofType {
        kind name ofType {
          kind name ofType {
            kind name ofType {
              kind name ofType {
                kind name ofType {
                  kind name ofType {
                    kind name ofType {
                      kind name ofType { kind name }
                    }
                  }
                }
              }
            }
          }
        }
      }
    }";

#[test]
fn lists_of_introspection_nest_two_deep() {
    assert_valid("{__schema{types{fields{type{interfaces{name}}}}}}");
    assert_over_limit(
        "{__schema{types{fields{type{interfaces{possibleTypes{name}}}}}}}",
        "nested deeper than the maximum of 2",
    );
}

#[test]
fn introspection_query_is_valid() {
    assert_valid(INTROSPECTION);
}

#[test]
fn valid_documents_are_cached() {
    let documents = documents();
    let (one, other) = (documents.get("{member{name}}").ok(), documents.get("{member{name}}").ok());
    assert!(one.zip(other).is_some_and(|(one, other)| Arc::ptr_eq(&one, &other)));
    let _ = documents.get("{nope}");
    assert_eq!(documents.cache.len(), 1);
}

/// Documents of maximum length up to number 80, and documents with the maximum number of tokens from there.
fn large_document(number: usize) -> String {
    let limits = DocumentLimits::default();
    let text = format!("{{a{number}:member{{name}}}}");
    match number {
        0..80 => format!("{text}{}", "#".repeat(limits.bytes - text.len())),
        // 20 tokens in addition to the items of the list.
        _ => format!("{{a{number}:members(filter:{{or:[{}]}}){{name}}}}", "{}".repeat((limits.tokens - 20) / 2)),
    }
}

#[test]
fn newest_documents_are_cached_within_capacity() {
    let documents = documents();
    let mut total = 0;
    for number in 0..90 {
        let text = large_document(number);
        let document = documents.get(&text).expect("a document");
        total += document.weight;
        let tokens = if number < 80 { 0 } else { 19_000 };
        assert!(document.weight >= text.len() as u64 + tokens * NODE_BYTES, "{number}");
        assert!(documents.cache.weight() <= CACHE_BYTES, "{number}: {}", documents.cache.weight());
        let cached: u64 = documents.cache.iter().map(|(_, document)| document.weight).sum();
        assert_eq!(cached, documents.cache.weight());
        assert!(Arc::ptr_eq(&document, &documents.get(&text).expect("a document")), "{number} is validated again");
    }
    assert!(total > 2 * CACHE_BYTES, "{total}");
    assert!(documents.cache.weight() > CACHE_BYTES / 4, "{}", documents.cache.weight());
}

#[test]
fn syntax_errors_have_locations() {
    let error = first_error("{\n  member{name}\n  }}");
    assert_eq!(error.code(), Code::GraphqlParseFailed);
    assert!(error.message().starts_with("syntax error: "), "{error:?}");
    assert!(!error.message().contains(['\n', '_']), "{error:?}");
    assert_eq!(error.locations()[0].line, 3);
    for text in ["", " ", "#", "{", "}", "{}", "\u{feff}", "member", "\u{0}", "{a(b:\"\\q\")}", "{a(b:\"\u{1F600}"] {
        assert_eq!(first_error(text).code(), Code::GraphqlParseFailed, "{text}");
    }
}

#[test]
fn literals_with_variables_are_validated() {
    let with = |literal: &str| {
        format!(
            "query($v:String,$n:Int!){{members(filter:{literal},first:$n){{name email @skip(if:false)}} node(id:\"l\"){{__typename}} a:members(filter:{{name:$v}}){{name}}}}"
        )
    };
    assert_valid(&with("{name:$v}"));
    assert_valid(&with("{or:[{name:$v},{range:{from:$n}}]}"));
    assert_invalid(&with("{nam:$v}"), "field `nam` does not exist on `Filter`");
    assert_invalid(&with("{or:[{name:$v},{nam:1}]}"), "field `nam` does not exist on `Filter`");
    assert_invalid(&with("{name:$v,range:{to:1}}"), "the required field `Range.from` is not provided");
    assert_invalid(
        &with("{name:$v,range:{from:null}}"),
        "filter.range.from: expected a value of type Int!, found null",
    );
    assert_invalid(&with("{name:$v,range:{from:\"1\"}}"), "expected value of type Int!, found a string");
    assert_invalid(&with("{name:$v,range:7}"), "expected value of type Range, found an integer");
    assert_invalid(&with("{name:$v,name:$v}"), "the input field name is given twice");
    assert_invalid("{members(filter:7){name}}", "expected value of type Filter, found an integer");
    assert_invalid("{members(filter:{nope:7}){name}}", "nope");
    assert_invalid("{members(order:\"NAME\"){name}}", "expected value of type Order, found a string");
    assert_invalid("query($f:Filter={range:{}}){members(filter:$f){name}}", "from");
    assert_invalid("query($f:Filter=7){members(filter:$f){name}}", "expected value of type Filter, found an integer");
    assert_valid("query($f:Filter={range:{from:1}}){members(filter:$f,order:NAME){name}}");
}

#[test]
fn custom_scalars_are_validated_in_literals_and_defaults() {
    let since = |literal: &str| format!("{{member{{friend(since:{literal}){{name}}}}}}");
    assert_valid(&since("\"2026-01-31T12:00:00Z\""));
    assert_valid(&since("[\"2026-01-31T12:00:00Z\",\"2026-01-31T12:00:00+01:00\"]"));
    let expected = "expected an RFC 3339 date-time such as 2026-01-31T12:00:00Z";
    for bad in ["\"nope\"", "7", "{a:1}", "NOPE"] {
        assert_invalid(&since(bad), &format!("since: {expected}"));
        assert_invalid(&since(&format!("[\"2026-01-31T12:00:00Z\",{bad}]")), &format!("since.1: {expected}"));
        let default = format!("query($d:DateTime!={bad}){{member{{friend(since:[$d]){{name}}}}}}");
        assert_invalid(&default, &format!("$d: {expected}"));
    }
    assert_invalid("{members(first:2147483648){name}}", "32-bit signed integer");
    let error = first_error("{member{\nfriend(since:[\"nope\"]){name}}}");
    assert_eq!(error.locations()[0].line, 2);
    assert_eq!(serde_json::to_value(error.extensions()).unwrap()["path"], serde_json::json!(["since", 0]));
}

#[test]
fn variable_of_unknown_type_is_rejected() {
    assert_invalid("query($f:Nope=7){members(first:$f){name}}", "unknown type Nope");
    assert_invalid("query($f:[Nope!]! = [7]){members(first:$f){name}}", "unknown type Nope");
}

#[test]
fn variable_usages_must_be_allowed() {
    let uses = |variable: &str, rest: &str| {
        format!("query Q($v:{variable}){rest} query R($v:Int!){{members(first:$v){{name}}}}")
    };
    let range = "{...F} fragment F on Query{members(filter:{or:[{range:{from:$v}}]}){name}}";
    assert_invalid(
        &uses("String", "{members(first:$v){name}}"),
        "$v of type String does not fit where Int is expected",
    );
    assert_invalid(&uses("[Int]", "{members(first:$v){name}}"), "$v of type [Int]");
    assert_invalid(&uses("Int", range), "$v of type Int does not fit where Int! is expected");
    assert_invalid(&uses("Boolean", "{member{name@skip(if:$v)}}"), "$v of type Boolean does not fit where Boolean! is");
    assert_invalid(
        &uses("Filter", "{members(filter:{or:$v}){name}}"),
        "$v of type Filter does not fit where [Filter!]",
    );
    assert_valid(&uses("Int!", range));
    assert_valid(&uses("Int=1", range));
    assert_invalid(&uses("Int=null", range), "$v of type Int");
    assert_valid(&uses("Int", "{member{friend(at:$v){name}}}"));
    assert_valid(&uses("[Filter!]!", "{members(filter:{or:$v}){name}}"));
    assert_valid(&uses("Filter!", "{members(filter:{or:[$v]}){name}}"));
}

#[test]
fn fields_of_a_response_key_must_merge() {
    assert_invalid(
        "{member{name} ...on Query{member:members{name}}}",
        "cannot select different fields into the same alias `member`",
    );
    assert_invalid(
        "{member{friend{a:name}} member{friend{a:email}}}",
        "cannot select different fields into the same alias `a`",
    );
    assert_invalid(
        "{member{friend(at:1){name}} ...F} fragment F on Query{member{friend(at:2){name}}}",
        "conflicting field arguments for the same name `friend`",
    );
    assert_invalid(
        "{node(id:1){...on Member{a:name} ...on List{a:count}}}",
        "must not select different types using the same name `a`",
    );
    assert_valid(
        "{node(id:1){...on Member{a:name} ...on List{a:name}} ...on Query{member{name}} member{name friend(at:1){name}}}",
    );
    assert_valid("{member{friend(at:1){name}} member{friend(at:1){email}}}");
}

#[test]
fn typename_is_validated_like_other_fields() {
    assert_invalid("{__typename @nothing}", "cannot find directive `@nothing`");
    assert_invalid("{__typename @skip}", "the argument if of type Boolean! is missing");
    assert_invalid("{__typename @skip(if: true) @skip(if: true)}", "directive skip can only be used once");
    assert_invalid("{__typename{a}}", "must not have subselections");
    assert_valid("{__typename}");
}

#[test]
fn all_operations_must_be_valid() {
    assert_invalid("query A{member{name}} query B{nope}", "nope");
    assert_invalid(
        "query A{member{name}} query B{members(first:\"x\"){name}}",
        "expected value of type Int, found a string",
    );
    assert_invalid("{member{name}} query B{member{name}}", "anonymous operation cannot be selected");
    assert_invalid("query A{member{name}} query A{member{name}}", "the operation `A` is defined multiple times");
    assert_invalid(
        "{member{...F}} fragment F on Member{name} fragment F on Member{name}",
        "the fragment `F` is defined multiple times",
    );
    assert_invalid("fragment F on Member{name}", "must be used in an operation");
    assert_invalid("subscription{a}", "`subscription` root operation type is not defined");
}

#[test]
fn operation_name_is_required_for_several_operations() {
    let documents = documents();
    let two = documents.get("query A{member{name}} mutation B{member{name}}").expect("a document");
    assert!(two.operation(None).is_err_and(|error| error.message().contains("several operations")));
    assert!(two.operation(Some("C")).is_err_and(|error| error.message().ends_with("has no operation named C")));
    assert!(two.operation(Some("B")).is_ok_and(|operation| operation.name() == Some("B")));
    let one = documents.get("{member{name}}").expect("a document");
    assert!(one.operation(None).is_ok_and(|operation| operation.name().is_none()));
    assert!(one.operation(Some("A")).is_err());
    let named = documents.get("query A{member{name}}").expect("a document");
    assert!(named.operation(None).is_ok_and(|operation| operation.name() == Some("A")));
}
