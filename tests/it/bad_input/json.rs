//! Bad JSON bodies, and bad GraphQL requests in valid JSON.

use super::{Case, REQUEST_ERROR, World};

pub(super) fn cases(world: &World) -> Vec<Case> {
    let (open, close) = ("[".repeat(200_000), "]".repeat(200_000));
    let no_json = [
        ("nothing", ""),
        ("blanks", " \r\n\t "),
        ("half an object", "{"),
        ("half a string", r#"{"query": "{"#),
        ("a bracket too many", "{}}"),
        ("two objects", r#"{"query": "{ __typename }"} {}"#),
        ("a word", "query"),
        ("a document alone", "{ __typename }"),
        ("quotes of another kind", "{'query': '{ __typename }'}"),
        ("a comma at the end", r#"{"query": "{ __typename }",}"#),
        ("a comment", "{/* no */}"),
        ("NaN", r#"{"query": NaN}"#),
        ("an escape that is none", r#"{"query": "\q"}"#),
        ("half a surrogate pair", r#"{"query": "\ud800"}"#),
        ("a line break in a string", "{\"query\": \"\n\"}"),
        ("NUL", "\0"),
        ("two byte order marks", "\u{feff}\u{feff}{}"),
        ("depth", &open),
        ("depth in an object", &format!("{{\"a\":{open}")),
    ];
    let no_request = [
        ("a number", "7"),
        ("null", "null"),
        ("true", "true"),
        ("a string", "\"{ __typename }\""),
        ("a list", "[]"),
        ("a batch", r#"[{"query": "{ __typename }"}]"#),
        ("a deep list", &format!("{open}{close}")),
        ("an empty object", "{}"),
        ("no query", r#"{"variables": {}}"#),
        ("a query that is null", r#"{"query": null}"#),
        ("a query that is a number", r#"{"query": 7}"#),
        ("a query that is a list", r#"{"query": ["{ __typename }"]}"#),
        ("a query that is an object", r#"{"query": {}}"#),
        ("two queries", r#"{"query": "{ __typename }", "query": "{ __typename }"}"#),
        ("variables that are a string", r#"{"query": "{ __typename }", "variables": "{}"}"#),
        ("variables that are a list", r#"{"query": "{ __typename }", "variables": []}"#),
        ("variables that are a number", r#"{"query": "{ __typename }", "variables": 7}"#),
        ("a name that is a number", r#"{"query": "{ __typename }", "operationName": 7}"#),
        ("a name that is an object", r#"{"query": "{ __typename }", "operationName": {}}"#),
        ("extensions that are a string", r#"{"query": "{ __typename }", "extensions": "x"}"#),
        ("extensions that are a list", r#"{"query": "{ __typename }", "extensions": []}"#),
    ];
    let mut cases = Vec::new();
    for (name, body) in no_json.iter().chain(&no_request) {
        cases.push(world.posted(format!("a body that is {name}"), "/graphql", body, (REQUEST_ERROR, "BAD_REQUEST")));
    }
    // The RPC API parses as strictly; valid objects lack a required field.
    for (name, body) in no_json.iter().chain(&no_request[..8]) {
        let name = format!("a plain body that is {name}");
        cases.push(world.posted(name, "/publisher.v1/member-base/get", body, (REQUEST_ERROR, "bad_request")));
    }
    for (path, code) in [("/graphql", "BAD_REQUEST"), ("/publisher.v1/member-base/get", "bad_request")] {
        for (name, bytes) in [("Latin-1", b"{\"query\": \"\xe9\"}".as_slice()), ("UTF-16", b"\xff\xfe{\0}\0")] {
            let head = world.client.head(path, &format!("Content-Length: {}\r\n", bytes.len()));
            let bytes = [head.as_bytes(), bytes].concat();
            cases.push(Case::new(format!("{path}: a body in {name}"), bytes, (REQUEST_ERROR, code)));
        }
    }
    cases
}
