use async_graphql::{EmptyMutation, EmptySubscription, Name, Object, Schema, indexmap::IndexMap};

use super::*;

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn values_are_written_as_by_serde_json() {
    let odd = "\"\\/\u{0}\u{1f}\u{7f}\u{2028}é😀\n";
    let json = serde_json::json!({
        "b": [1, -2, 1.5, 1e300, u64::MAX, i64::MIN, 0.1, 100.0],
        odd: odd, "a": {"nothing": null, "yes": true, "no": false, "empty": {}, "none": []},
    });
    let value = Value::from_json(json.clone()).unwrap();
    assert_eq!(text(write(value, &[]).unwrap()), format!(r#"{{"data":{json}}}"#));
}

#[test]
fn raw_json_is_copied_and_enums_are_strings() {
    let mut map = IndexMap::new();
    map.insert(Name::new("kind"), Value::Enum(Name::new("MEMBER")));
    map.insert(Name::new("list"), Value::List(vec![raw_json(b"{\"a\": 1}".to_vec()), Value::Null]));
    assert_eq!(text(write(Value::Object(map), &[]).unwrap()), r#"{"data":{"kind":"MEMBER","list":[{"a": 1},null]}}"#);
}

struct Query;

#[Object]
impl Query {
    async fn fails(&self) -> async_graphql::Result<Option<i32>> {
        Err(Error::bad_input(&Default::default(), "no \"such\" row").into())
    }
    async fn late(&self) -> async_graphql::Result<Option<i32>> {
        Err(Error::new(Code::Timeout, "too late").into())
    }
}

async fn failures(query: &str) -> Vec<ServerError> {
    let schema = Schema::build(Query, EmptyMutation, EmptySubscription);
    schema.validation_mode(async_graphql::ValidationMode::Fast).finish().execute(query).await.errors
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
    assert_eq!(text(write(Value::Null, &errors).unwrap()), expected);
}

#[tokio::test]
async fn errors_above_the_limit_are_only_counted() {
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
fn unknown_location_is_omitted() {
    let mut error = ServerError::new("no", Some(Pos { line: 0, column: 0 }));
    error.extensions = Some(Error::new(Code::BadUserInput, "").extensions());
    let (errors, _) = errors(vec![error], "t", 1);
    assert_eq!(errors[0].message, "no");
    assert_eq!(errors[0].locations, []);
}

#[test]
fn request_error_has_no_data() {
    let body = request_error(&[Error::new(Code::Unauthenticated, "who are you")], "t");
    let extensions = r#"{"code":"UNAUTHENTICATED","retryable":false,"traceId":"t"}"#;
    assert_eq!(text(body), format!(r#"{{"errors":[{{"message":"who are you","extensions":{extensions}}}]}}"#));
}
