//! Tests of documents that are accepted, that are rejected, and that would block a worker or abort the process without the
//! checks.

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

fn refusal_by(documents: &Documents, text: &str) -> Vec<Error> {
    match documents.get(text) {
        Ok(_) => panic!("{} is not refused", text.chars().take(200).collect::<String>()),
        Err(errors) => errors,
    }
}

/// The first error of a text.
fn request_error(text: &str) -> Error {
    refusal_by(&documents(), text).swap_remove(0)
}

fn passes(text: &str) {
    if let Err(errors) = documents().get(text) {
        panic!("{} is refused: {errors:?}", text.chars().take(200).collect::<String>());
    }
}

fn invalid_for(text: &str, why: &str) {
    let error = request_error(text);
    assert_eq!(error.code(), Code::GraphqlValidationFailed, "{error:?}");
    assert!(error.message().contains(why), "{error:?}");
}

fn over_limit(text: &str, why: &str) {
    let error = request_error(text);
    assert_eq!(error.code(), Code::LimitExceeded, "{error:?}");
    assert!(error.message().contains(why), "{error:?}");
}

#[test]
fn errors_are_told_up_to_their_limit_and_in_the_order_of_the_text() {
    let fields: String = (0..500).map(|index| format!("a{index}\n")).collect();
    let errors = refusal_by(&documents(), &format!("{{member{{{fields}}}}}"));
    assert_eq!(errors.len(), 100);
    let lines: Vec<_> = errors.iter().map(|error| error.locations()[0].line).collect();
    assert_eq!(lines, (1..=100).collect::<Vec<_>>());
}

#[test]
fn an_unknown_field_is_reported_once_with_its_type() {
    invalid_for("{membr{name}}", "type `Query` does not have a field `membr`");
}

#[test]
fn fragments_that_contain_themselves_are_refused() {
    invalid_for("{member{...A}} fragment A on Member{...B} fragment B on Member{friend{...A}}", "contains itself");
    invalid_for("{member{name}} fragment A on Member{...A}", "contains itself");
}

/// As graphql-js 16 writes it, with all that it can ask for.
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
fn introspection_passes() {
    passes(INTROSPECTION);
}

#[test]
fn a_text_is_judged_once() {
    let documents = documents();
    let (one, other) = (documents.get("{member{name}}").ok(), documents.get("{member{name}}").ok());
    assert!(one.zip(other).is_some_and(|(one, other)| Arc::ptr_eq(&one, &other)));
    let _ = documents.get("{nope}");
    assert_eq!(documents.cache.len(), 1);
}

/// Texts of which the first are as long as may be, and the others as heavy once they are parsed.
fn heavy(number: usize) -> String {
    let limits = DocumentLimits::default();
    let text = format!("{{a{number}:member{{name}}}}");
    match number {
        0..80 => format!("{text}{}", "#".repeat(limits.bytes - text.len())),
        // Of 20 tokens without its items.
        _ => format!("{{a{number}:members(filter:{{or:[{}]}}){{name}}}}", "{}".repeat((limits.tokens - 20) / 2)),
    }
}

#[test]
fn what_is_kept_has_a_bound_and_the_newest_is_kept() {
    let documents = documents();
    let mut all = 0;
    for number in 0..90 {
        let text = heavy(number);
        let document = documents.get(&text).expect("a document");
        all += document.weight;
        let tokens = if number < 80 { 0 } else { 19_000 };
        assert!(document.weight >= text.len() as u64 + tokens * TOKEN_BYTES, "{number}");
        assert!(documents.cache.weight() <= CACHE_BYTES, "{number}: {}", documents.cache.weight());
        let kept: u64 = documents.cache.iter().map(|(_, document)| document.weight).sum();
        assert_eq!(kept, documents.cache.weight());
        assert!(Arc::ptr_eq(&document, &documents.get(&text).expect("a document")), "{number} is judged again");
    }
    assert!(all > 2 * CACHE_BYTES, "{all}");
    assert!(documents.cache.weight() > CACHE_BYTES / 4, "{}", documents.cache.weight());
}

#[test]
fn what_is_no_document_is_told_with_its_place() {
    let error = request_error("{\n  member{name}\n  }}");
    assert_eq!(error.code(), Code::GraphqlParseFailed);
    assert!(error.message().starts_with("syntax error: "), "{error:?}");
    assert!(!error.message().contains(['\n', '_']), "{error:?}");
    assert_eq!(error.locations()[0].line, 3);
    for text in ["", " ", "#", "{", "}", "{}", "\u{feff}", "member", "\u{0}", "{a(b:\"\\q\")}", "{a(b:\"\u{1F600}"] {
        assert_eq!(request_error(text).code(), Code::GraphqlParseFailed, "{text}");
    }
}

#[test]
fn literals_are_judged_with_a_variable_inside_as_without() {
    let with = |literal: &str| {
        format!(
            "query($v:String,$n:Int!){{members(filter:{literal},first:$n){{name email @skip(if:false)}} node(id:\"l\"){{__typename}} a:members(filter:{{name:$v}}){{name}}}}"
        )
    };
    passes(&with("{name:$v}"));
    passes(&with("{or:[{name:$v},{range:{from:$n}}]}"));
    invalid_for(&with("{nam:$v}"), "field `nam` does not exist on `Filter`");
    invalid_for(&with("{or:[{name:$v},{nam:1}]}"), "field `nam` does not exist on `Filter`");
    invalid_for(&with("{name:$v,range:{to:1}}"), "the required field `Range.from` is not provided");
    invalid_for(&with("{name:$v,range:{from:null}}"), "filter.range.from: expected a value of type Int!, found null");
    invalid_for(&with("{name:$v,range:{from:\"1\"}}"), "expected value of type Int!, found a string");
    invalid_for(&with("{name:$v,range:7}"), "expected value of type Range, found an integer");
    invalid_for(&with("{name:$v,name:$v}"), "the input field name is given twice");
    invalid_for("{members(filter:7){name}}", "expected value of type Filter, found an integer");
    invalid_for("{members(filter:{nope:7}){name}}", "nope");
    invalid_for("{members(order:\"NAME\"){name}}", "expected value of type Order, found a string");
    invalid_for("query($f:Filter={range:{}}){members(filter:$f){name}}", "from");
    invalid_for("query($f:Filter=7){members(filter:$f){name}}", "expected value of type Filter, found an integer");
    passes("query($f:Filter={range:{from:1}}){members(filter:$f,order:NAME){name}}");
}

#[test]
fn values_of_scalars_are_judged_in_literals_and_defaults() {
    let since = |literal: &str| format!("{{member{{friend(since:{literal}){{name}}}}}}");
    passes(&since("\"2026-01-31T12:00:00Z\""));
    passes(&since("[\"2026-01-31T12:00:00Z\",\"2026-01-31T12:00:00+01:00\"]"));
    let expected = "expected an RFC 3339 date-time such as 2026-01-31T12:00:00Z";
    for bad in ["\"nope\"", "7", "{a:1}", "NOPE"] {
        invalid_for(&since(bad), &format!("since: {expected}"));
        invalid_for(&since(&format!("[\"2026-01-31T12:00:00Z\",{bad}]")), &format!("since.1: {expected}"));
        let default = format!("query($d:DateTime!={bad}){{member{{friend(since:[$d]){{name}}}}}}");
        invalid_for(&default, &format!("$d: {expected}"));
    }
    invalid_for("{members(first:2147483648){name}}", "32-bit signed integer");
    let error = request_error("{member{\nfriend(since:[\"nope\"]){name}}}");
    assert_eq!(error.locations()[0].line, 2);
    assert_eq!(serde_json::to_value(error.extensions()).unwrap()["path"], serde_json::json!(["since", 0]));
}

#[test]
fn a_variable_of_an_unknown_type_with_a_default_is_refused() {
    invalid_for("query($f:Nope=7){members(first:$f){name}}", "unknown type Nope");
    invalid_for("query($f:[Nope!]! = [7]){members(first:$f){name}}", "unknown type Nope");
}

#[test]
fn a_variable_has_to_fit_where_it_is_used() {
    let uses = |variable: &str, rest: &str| {
        format!("query Q($v:{variable}){rest} query R($v:Int!){{members(first:$v){{name}}}}")
    };
    let range = "{...F} fragment F on Query{members(filter:{or:[{range:{from:$v}}]}){name}}";
    invalid_for(&uses("String", "{members(first:$v){name}}"), "$v of type String does not fit where Int is expected");
    invalid_for(&uses("[Int]", "{members(first:$v){name}}"), "$v of type [Int]");
    invalid_for(&uses("Int", range), "$v of type Int does not fit where Int! is expected");
    invalid_for(&uses("Boolean", "{member{name@skip(if:$v)}}"), "$v of type Boolean does not fit where Boolean! is");
    invalid_for(&uses("Filter", "{members(filter:{or:$v}){name}}"), "$v of type Filter does not fit where [Filter!]");
    passes(&uses("Int!", range));
    passes(&uses("Int=1", range));
    invalid_for(&uses("Int=null", range), "$v of type Int");
    passes(&uses("Int", "{member{friend(at:$v){name}}}"));
    passes(&uses("[Filter!]!", "{members(filter:{or:$v}){name}}"));
    passes(&uses("Filter!", "{members(filter:{or:[$v]}){name}}"));
}

#[test]
fn fields_of_one_key_have_to_be_one_field() {
    invalid_for(
        "{member{name} ...on Query{member:members{name}}}",
        "cannot select different fields into the same alias `member`",
    );
    invalid_for(
        "{member{friend{a:name}} member{friend{a:email}}}",
        "cannot select different fields into the same alias `a`",
    );
    invalid_for(
        "{member{friend(at:1){name}} ...F} fragment F on Query{member{friend(at:2){name}}}",
        "conflicting field arguments for the same name `friend`",
    );
    invalid_for(
        "{node(id:1){...on Member{a:name} ...on List{a:count}}}",
        "must not select different types using the same name `a`",
    );
    passes(
        "{node(id:1){...on Member{a:name} ...on List{a:name}} ...on Query{member{name}} member{name friend(at:1){name}}}",
    );
    passes("{member{friend(at:1){name}} member{friend(at:1){email}}}");
}

#[test]
fn a_typename_takes_nothing() {
    invalid_for("{__typename @nothing}", "cannot find directive `@nothing`");
    invalid_for("{__typename @skip}", "the argument if of type Boolean! is missing");
    invalid_for("{__typename @skip(if: true) @skip(if: true)}", "directive skip can only be used once");
    invalid_for("{__typename{a}}", "must not have subselections");
    passes("{__typename}");
}

#[test]
fn all_operations_have_to_be_valid() {
    invalid_for("query A{member{name}} query B{nope}", "nope");
    invalid_for(
        "query A{member{name}} query B{members(first:\"x\"){name}}",
        "expected value of type Int, found a string",
    );
    invalid_for("{member{name}} query B{member{name}}", "anonymous operation cannot be selected");
    invalid_for("query A{member{name}} query A{member{name}}", "the operation `A` is defined multiple times");
    invalid_for(
        "{member{...F}} fragment F on Member{name} fragment F on Member{name}",
        "the fragment `F` is defined multiple times",
    );
    invalid_for("fragment F on Member{name}", "must be used in an operation");
    invalid_for("subscription{a}", "`subscription` root operation type is not defined");
}

#[test]
fn one_of_several_operations_has_to_be_named() {
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
