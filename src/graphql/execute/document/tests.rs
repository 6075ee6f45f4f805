//! Documents that pass, that are refused, and that would hold a worker or end the process if nobody looked.

use std::time::{Duration, Instant};

use async_graphql::{Enum, ID, InputObject, Object, Union};

use super::*;

#[derive(Clone)]
struct Query;
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

    async fn friend(&self, #[graphql(default)] at: i32) -> Member {
        let _ = at;
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

fn documents() -> Documents<Query, Query> {
    Documents::new(&Query, &Query, &DocumentLimits::default())
}

fn refusal_by(documents: &Documents<Query, Query>, text: &str) -> Vec<Error> {
    match documents.get(text) {
        Ok(_) => panic!("{} is not refused", text.chars().take(200).collect::<String>()),
        Err(errors) => errors,
    }
}

/// The first error of a text.
fn refusal(text: &str) -> Error {
    refusal_by(&documents(), text).swap_remove(0)
}

fn passes(text: &str) {
    if let Err(errors) = documents().get(text) {
        panic!("{} is refused: {errors:?}", text.chars().take(200).collect::<String>());
    }
}

fn invalid_for(text: &str, why: &str) {
    let error = refusal(text);
    assert_eq!(error.code(), Code::GraphqlValidationFailed, "{error:?}");
    assert!(error.message().contains(why), "{error:?}");
}

fn over_limit(text: &str, why: &str) {
    let error = refusal(text);
    assert_eq!(error.code(), Code::LimitExceeded, "{error:?}");
    assert!(error.message().contains(why), "{error:?}");
}

/// Unoptimized as the tests are, far more is let pass than of a release.
fn soon<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    result
}

/// Two texts, of which the first has as much as is allowed.
fn boundary(allowed: &str, refused: &str, why: &str) {
    passes(allowed);
    over_limit(refused, why);
}

#[test]
fn each_limit_lets_pass_its_figure_and_refuses_one_more() {
    let limits = DocumentLimits::default();
    let bytes = |count: usize| format!("{{member{{name}}}}{}", "#".repeat(count - 14));
    boundary(
        &bytes(limits.bytes),
        &bytes(limits.bytes + 1),
        "has 262145 bytes, and 262144 are allowed (MEMBERBASE_MAX_DOCUMENT)",
    );

    // Of 16 tokens without its items, and each item is an object of 2.
    let tokens = |count: usize| format!("{{members(filter:{{or:[{}]}}){{name}}}}", "{}".repeat((count - 16) / 2));
    over_limit(&tokens(limits.tokens + 2), "more than 20000 tokens, which are allowed (MEMBERBASE_MAX_TOKENS)");
    passes(&tokens(limits.tokens));

    let nested = |depth: usize| {
        let (open, close) = ("{or:[".repeat(depth / 2 - 1), "]}".repeat(depth / 2 - 1));
        format!("{{members(filter:{open}{close}){{name}}}}")
    };
    boundary(
        &nested(limits.bracket_depth),
        &nested(limits.bracket_depth + 2),
        "deeper than 64, which is allowed (MEMBERBASE_MAX_BRACKET_DEPTH)",
    );

    let deep = |depth: usize| format!("{{member{{{}name{}}}}}", "friend{".repeat(depth - 2), "}".repeat(depth - 2));
    boundary(&deep(15), &deep(16), "has 16 levels, and 15 are allowed (MEMBERBASE_MAX_SELECTION_DEPTH)");

    let repeated = |part: &dyn Fn(usize) -> String, count: usize| (0..count).map(part).collect::<String>();
    let aliases = |count| format!("{{member{{{}}}}}", repeated(&|index| format!("a{index}:name "), count));
    boundary(&aliases(50), &aliases(51), "has 51 aliases, and 50 are allowed (MEMBERBASE_MAX_ALIASES)");

    let roots = |count| format!("{{{}}}", "member{name}".repeat(count));
    boundary(&roots(50), &roots(51), "has 51 fields at its root, and 50 are allowed (MEMBERBASE_MAX_ROOT_FIELDS)");

    let directives = |count| format!("{{member{{{}}}}}", "name@skip(if:false)".repeat(count));
    boundary(&directives(50), &directives(51), "has 51 directives, and 50 are allowed (MEMBERBASE_MAX_DIRECTIVES)");

    let fragments = |count| {
        let spreads = repeated(&|index| format!("...F{index} "), count);
        let fragments = repeated(&|index| format!("fragment F{index} on Member{{name}}"), count);
        format!("{{member{{{spreads}}}}}{fragments}")
    };
    boundary(&fragments(50), &fragments(51), "has 51 fragments, and 50 are allowed (MEMBERBASE_MAX_FRAGMENTS)");

    let selections = |count: usize| format!("{{member{{{}}}}}", "name ".repeat(count - 1));
    boundary(
        &selections(10_000),
        &selections(10_001),
        "has 10001 selections with its fragments, and 10000 are allowed (MEMBERBASE_MAX_SELECTIONS)",
    );

    let operations = |count| repeated(&|index| format!("query Q{index}{{member{{name}}}}"), count);
    boundary(&operations(10), &operations(11), "has 11 operations, and 10 are allowed (MEMBERBASE_MAX_OPERATIONS)");
}

#[test]
fn a_name_and_the_list_of_variables_have_bounds_too() {
    over_limit(&format!("{{{}}}", "a".repeat(257)), "a name has 257 bytes, and 256 are allowed");
    let variables: String = (0..501).map(|index| format!("$v{index}:Int ")).collect();
    over_limit(&format!("query({variables}){{member{{name}}}}"), "501 variables, and 500 are allowed");
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
fn few_errors_come_with_what_may_have_been_meant() {
    invalid_for("{membr{name}}", "unknown field \"membr\" on type \"Query\". Did you mean \"member\"");
}

#[test]
fn fragments_that_multiply_are_refused_at_once() {
    let mut text = "{member{...F0}}".to_owned();
    for index in 0..9 {
        let spreads = format!("...F{} ", index + 1).repeat(30);
        text += &format!("fragment F{index} on Member{{{}}}", if index == 8 { "name" } else { &spreads });
    }
    let documents = documents();
    let start = Instant::now();
    let errors = refusal_by(&documents, &text);
    assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
    assert!(errors[0].message().contains("selections with its fragments"), "{errors:?}");
}

#[test]
fn fragments_that_contain_themselves_are_refused() {
    invalid_for("{member{...A}} fragment A on Member{...B} fragment B on Member{friend{...A}}", "contains itself");
    invalid_for("{member{name}} fragment A on Member{...A}", "contains itself");
}

#[test]
fn a_hundred_thousand_brackets_overflow_nothing() {
    for open in ["[", "{", "(", "{a", "a(a:[", "query($a:[", "{...", "{a(a:{a:", "\"\"\"\" [", "{a(b:\"\"\"\" [[[[["] {
        let text = open.repeat(100_000);
        for text in [text.clone(), format!("{{a(b:[{text}"), format!("query($a:{text}")] {
            soon(|| refusal(&text[..text.len().min(260_000)]));
            soon(|| refusal(&text));
        }
    }
    // Here every bracket after the string would be one for the parser, which sees two empty strings.
    let error = refusal(&format!("{{members(filter:[\"\"\"\"{}", "[".repeat(100_000)));
    assert_eq!((error.code(), error.message()), (Code::GraphqlParseFailed, "a string is not closed"));
    // Fragments in a chain, each of inline fragments as deep as brackets go.
    let (open, close) = ("...on Member{".repeat(60), "}".repeat(60));
    let chain: String =
        (0..49).map(|index| format!("fragment F{index} on Member{{{open}...F{}{close}}}", index + 1)).collect();
    over_limit(&format!("{{member{{...F0}}}}{chain}fragment F49 on Member{{name}}"), "nested deeper than 64");
}

/// The worst that is let through to validation, and a figure above that would not be.
#[test]
fn nothing_within_the_limits_takes_long() {
    let inline = |depth, inner: &str| format!("{{member{{{}{inner}{}}}}}", "...{".repeat(depth), "}".repeat(depth));
    let arguments: String = (0..200).map(|index| format!("a{index}:1 ")).collect();
    let literal = format!("members(filter:{{or:[{}]}}){{name}}", "{}".repeat(5_000));
    let variables: String = (0..500).map(|index| format!("$v{index}:Int ")).collect();
    let unknown: String = (0..9_000).map(|index| format!("x{index} ")).collect();
    let texts = [
        inline(25, &"name ".repeat(9_000)),
        inline(0, &format!("friend({arguments}){{name}}friend({arguments}){{name}}")),
        inline(17, &"friend(at:1){name}friend(at:2){name}".repeat(900)),
        format!("{{{}}}fragment F on Query{{{literal}}}", "...F ".repeat(22)),
        format!("query({variables}){{member{{{}}}}}", "friend(at:$v499){name}".repeat(1_750)),
        inline(0, &unknown),
        inline(0, &format!("{} ", "m".repeat(256)).repeat(1_000)),
        (0..10).map(|index| format!("query Q{index}{{...F}}")).collect::<String>()
            + &format!("fragment F on Query{{member{{{}}}}}", "name ".repeat(9_990)),
    ];
    for (index, text) in texts.iter().enumerate() {
        let documents = documents();
        let start = Instant::now();
        let outcome = documents.get(text).map_err(|mut errors| errors.swap_remove(0)).err();
        let message = outcome.as_ref().map(|error| error.message().to_owned());
        println!("{index}: {:?}, {message:?}", start.elapsed());
        assert!(start.elapsed() < Duration::from_secs(2), "{index}");
        assert!(outcome.is_none_or(|error| error.code() == Code::GraphqlValidationFailed), "{index}: {message:?}");
    }
}

#[test]
fn what_multiplies_in_validation_is_bounded() {
    let text = format!("{{member{{{}{}{}}}}}", "...{".repeat(60), "name ".repeat(9_000), "}".repeat(60));
    over_limit(&text, "steps to validate, and 250000 are allowed");
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

#[test]
fn what_is_no_document_is_told_with_its_place() {
    let error = refusal("{\n  member{name}\n  }}");
    assert_eq!(error.code(), Code::GraphqlParseFailed);
    assert!(error.message().starts_with("syntax error: expected"), "{error:?}");
    assert!(!error.message().contains(['\n', '_']), "{error:?}");
    assert_eq!(error.locations()[0].line, 3);
    for text in ["", " ", "#", "{", "}", "{}", "\u{feff}", "member", "\u{0}", "{a(b:\"\\q\")}", "{a(b:\"\u{1F600}"] {
        assert_eq!(refusal(text).code(), Code::GraphqlParseFailed, "{text}");
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
    invalid_for(&with("{nam:$v}"), "filter: the type Filter has no field nam");
    invalid_for(&with("{or:[{name:$v},{nam:1}]}"), "filter.or.1: the type Filter has no field nam");
    invalid_for(&with("{name:$v,range:{to:1}}"), "filter.range: the field from is missing");
    invalid_for(&with("{name:$v,range:{from:null}}"), "filter.range.from must not be null");
    invalid_for(&with("{name:$v,range:{from:\"1\"}}"), "filter.range.from has to be of type Int");
    invalid_for(&with("{name:$v,range:7}"), "filter.range has to be of type Range");
    invalid_for(&with("{name:$v,name:$v}"), "the input field name is given twice");
    invalid_for("{members(filter:7){name}}", "filter has to be of type Filter");
    invalid_for("{members(filter:{nope:7}){name}}", "nope");
    invalid_for("{members(order:\"NAME\"){name}}", "order has to be of type Order");
    invalid_for("query($f:Filter={range:{}}){members(filter:$f){name}}", "from");
    invalid_for("query($f:Filter=7){members(filter:$f){name}}", "$f has to be of type Filter");
    passes("query($f:Filter={range:{from:1}}){members(filter:$f,order:NAME){name}}");
}

#[test]
fn a_variable_of_an_unknown_type_with_a_default_is_refused() {
    invalid_for("query($f:Nope=7){members(first:$f){name}}", "");
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
    invalid_for("{member{name} ...on Query{member:members{name}}}", "the fields of the key member can't be merged");
    invalid_for("{member{friend{a:name}} member{friend{a:email}}}", "name and email are different fields");
    invalid_for(
        "{member{friend(at:1){name}} ...F} fragment F on Query{member{friend(at:2){name}}}",
        "arguments differ",
    );
    invalid_for("{node(id:1){...on Member{a:name} ...on List{a:count}}}", "their types are String! and Int!");
    passes(
        "{node(id:1){...on Member{a:name} ...on List{a:name}} ...on Query{member{name}} member{name friend(at:1){name}}}",
    );
    passes("{member{friend(at:1){name}} member{friend(at:1){email}}}");
}

#[test]
fn a_typename_takes_nothing() {
    invalid_for("{__typename{a}}", "__typename takes neither");
    passes("{__typename}");
}

#[test]
fn all_operations_have_to_be_valid() {
    invalid_for("query A{member{name}} query B{nope}", "nope");
    invalid_for("query A{member{name}} query B{members(first:\"x\"){name}}", "first");
    invalid_for("{member{name}} query B{member{name}}", "an operation without a name has to be the only one");
    invalid_for("query A{member{name}} query A{member{name}}", "operation A is defined twice");
    invalid_for("{member{...F}} fragment F on Member{name} fragment F on Member{name}", "fragment F is defined twice");
    invalid_for("fragment F on Member{name}", "does not contain an operation");
    invalid_for("subscription{a}", "subscriptions");
}

#[test]
fn one_of_several_operations_has_to_be_named() {
    let documents = documents();
    let two = documents.get("query A{member{name}} mutation B{member{name}}").ok().expect("a document");
    assert!(two.operation(None).is_err_and(|error| error.message().contains("several operations")));
    assert!(two.operation(Some("C")).is_err_and(|error| error.message().ends_with("has no operation named C")));
    assert!(two.operation(Some("B")).is_ok_and(|(name, _)| name == Some("B")));
    let one = documents.get("{member{name}}").ok().expect("a document");
    assert!(one.operation(None).is_ok_and(|(name, _)| name.is_none()));
    assert!(one.operation(Some("A")).is_err());
    let named = documents.get("query A{member{name}}").ok().expect("a document");
    assert!(named.operation(None).is_ok_and(|(name, _)| name == Some("A")));
}
