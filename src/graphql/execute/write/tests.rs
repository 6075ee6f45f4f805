use async_graphql::{EmptyMutation, EmptySubscription, ID, Scalar, ScalarType};
use async_graphql::{Enum, InputObject, InputValueError, Name, Object, Schema, indexmap::IndexMap};
use rstest::rstest;

use super::*;

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn values_are_written_as_serde_json_does() {
    let odd = "\"\\/\u{0}\u{1f}\u{7f}\u{2028}é😀\n";
    let json = serde_json::json!({
        "b": [1, -2, 1.5, 1e300, u64::MAX, i64::MIN, 0.1, 100.0],
        odd: odd, "a": {"nothing": null, "yes": true, "no": false, "empty": {}, "none": []},
    });
    let value = Value::from_json(json.clone()).unwrap();
    assert_eq!(text(write(&value, &[])), format!(r#"{{"data":{json}}}"#));
}

#[test]
fn prebuilt_parts_and_enums() {
    let mut map = IndexMap::new();
    map.insert(Name::new("kind"), Value::Enum(Name::new("MEMBER")));
    map.insert(Name::new("list"), Value::List(vec![raw_json(b"{\"a\": 1}".to_vec()), Value::Null]));
    assert_eq!(text(write(&Value::Object(map), &[])), r#"{"data":{"kind":"MEMBER","list":[{"a": 1},null]}}"#);
}

#[rstest]
#[case(r#"Failed to parse "ID": expected m_ and 22 letters"#, "expected m_ and 22 letters")]
#[case(r#"Failed to parse "Int": Invalid number"#, "invalid number")]
#[case(
    r#"Failed to parse "Int": Only integers from -128 to 127 are accepted. (occurred while parsing "[Int!]") (occurred while parsing "In")"#,
    "only integers from -128 to 127 are accepted"
)]
#[case(r#"Expected input type "Int", found "x"."#, r#"expected a value of type Int, found "x""#)]
#[case(
    r#"Expected input type "Int", found {a: [1]}. (occurred while parsing "In")"#,
    "expected a value of type Int, found {a: [1]}"
)]
#[case(r#"Failed to parse "ID": a "b": c"#, r#"a "b": c"#)]
#[case("ID is odd", "ID is odd")]
#[case("É", "é")]
#[case("", "")]
fn messages_are_presentable(#[case] message: &str, #[case] expected: &str) {
    assert_eq!(presentable(message), expected);
}

#[test]
fn messages_end() {
    let message = presentable(&format!(r#"Expected input type "Int", found "{}"."#, "é".repeat(1000)));
    assert_eq!(message.chars().count(), LONGEST + 1);
    assert!(message.ends_with("é…"));
}

struct Odd;

#[Scalar]
impl ScalarType for Odd {
    fn parse(_: Value) -> async_graphql::InputValueResult<Self> {
        Err(InputValueError::custom("expected something odd"))
    }
    fn to_value(&self) -> Value {
        Value::Null
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum Kind {
    Big,
}

#[derive(InputObject)]
struct Inner {
    odds: Vec<Odd>,
}

#[derive(InputObject)]
struct Outer {
    inner: Option<Inner>,
}

struct Query;

#[Object]
impl Query {
    async fn takes(&self, outer: Option<Outer>, id: Option<ID>, kind: Option<Kind>, n: Option<i8>) -> i32 {
        let used = outer.and_then(|outer| outer.inner).map(|inner| inner.odds.len());
        i32::from(used.is_none() && id.is_none() && kind.is_none() && n.is_none())
    }
    async fn fails(&self) -> async_graphql::Result<Option<i32>> {
        Err(Error::bad_input(&Default::default(), "no \"such\" row").into())
    }
    async fn late(&self) -> async_graphql::Result<Option<i32>> {
        Err(Error::new(Code::Timeout, "too late").into())
    }
}

async fn failures(query: &str) -> Vec<ServerError> {
    // Fast validation leaves values to the resolvers, as variables are.
    let schema = Schema::build(Query, EmptyMutation, EmptySubscription);
    schema.validation_mode(async_graphql::ValidationMode::Fast).finish().execute(query).await.errors
}

#[rstest]
#[case("{ takes(outer: {inner: {odds: [1]}}) }", "expected something odd")]
#[case("{ takes(outer: {inner: 1}) }", "expected a value of type Inner, found 1")]
#[case("{ takes(n: 300) }", "only integers from -128 to 127 are accepted")]
#[case("{ takes(n: \"x\") }", "expected a value of type Int, found \"x\"")]
#[case("{ takes(kind: SMALL) }", "enumeration type does not contain value \"SMALL\"")]
#[case("{ takes(id: {}) }", "expected a value of type ID, found {}")]
#[tokio::test]
async fn arguments_that_do_not_fit(#[case] query: &str, #[case] message: &str) {
    let (errors, codes) = errors(failures(query).await, "t", 100);
    assert_eq!((errors.len(), &*codes), (1, &[Code::BadUserInput][..]));
    assert_eq!(errors[0].message, message);
    assert_eq!(errors[0].path, [PathSegment::Field("takes".into())]);
    let code = errors[0].extensions.get("code").cloned();
    assert_eq!(code, Some("BAD_USER_INPUT".into()));
}

#[tokio::test]
async fn errors_follow_the_data() {
    let (errors, codes) = errors(failures("{ a: fails late }").await, "t1", 100);
    assert_eq!(codes, [Code::BadUserInput, Code::Timeout]);
    let expected = concat!(
        r#"{"data":null,"errors":["#,
        r#"{"message":"no \"such\" row","locations":[{"line":1,"column":3}],"path":["a"],"#,
        r#""extensions":{"code":"BAD_USER_INPUT","retryable":false,"traceId":"t1"}},"#,
        r#"{"message":"too late","locations":[{"line":1,"column":12}],"path":["late"],"#,
        r#""extensions":{"code":"TIMEOUT","retryable":true,"traceId":"t1"}}]}"#,
    );
    assert_eq!(text(write(&Value::Null, &errors)), expected);
}

#[tokio::test]
async fn many_errors_are_counted() {
    let query: String = (0..5).map(|index| format!("a{index}: fails ")).collect();
    let list = failures(&format!("{{ {query} }}")).await;
    assert_eq!(errors(list.clone(), "t", 5).0.len(), 5);
    let (errors, codes) = errors(list, "t", 2);
    assert_eq!((errors.len(), codes.len()), (3, 5));
    let last = serde_json::to_string(&errors[2]).unwrap();
    let extensions = r#"{"code":"BAD_USER_INPUT","retryable":false,"traceId":"t"}"#;
    let message = "there are 5 errors, only the first 2 are listed";
    assert_eq!(last, format!(r#"{{"message":"{message}","extensions":{extensions}}}"#));
}

#[test]
fn a_place_that_is_none_is_left_out() {
    let error = ServerError::new("Failed to parse \"Int\": X is no number.", Some(Pos { line: 0, column: 0 }));
    let (errors, _) = errors(vec![error], "t", 1);
    assert_eq!(errors[0].message, "x is no number");
    assert_eq!(errors[0].locations, []);
}

#[test]
fn a_refusal_has_no_data() {
    let body = refusal(&[Error::new(Code::Unauthenticated, "who are you")], "t");
    let extensions = r#"{"code":"UNAUTHENTICATED","retryable":false,"traceId":"t"}"#;
    assert_eq!(text(body), format!(r#"{{"errors":[{{"message":"who are you","extensions":{extensions}}}]}}"#));
}
