//! Bad HTTP requests.

use super::{Case, REQUEST_ERROR, World};

const BODY: &str = r#"{"query":"{ __typename }"}"#;

pub(super) fn cases(world: &World) -> Vec<Case> {
    [malformed_http(), heads(world), bodies(world), tokens(world), methods(world), paths(world)]
        .into_iter()
        .flatten()
        .collect()
}

/// Bytes that HTTP's grammar does not allow.
fn malformed_http() -> Vec<Case> {
    let bad =
        |name: &str, bytes: String| Case { closes: true, ..Case::new(format!("no HTTP: {name}"), bytes, (400, "")) };
    let line = |line: &str| format!("{line}\r\nHost: x\r\n\r\n");
    let header = |header: &str| line(&format!("GET /livez HTTP/1.1\r\n{header}"));
    let post = |more: &str, body: &str| line(&format!("POST /graphql HTTP/1.1\r\n{more}")) + body;
    vec![
        bad("words", line("good morning")),
        bad("one word", line("GET")),
        bad("no version", line("GET /livez")),
        bad("HTTP/0.9", "GET /livez\r\n".to_owned()),
        bad("HTTP/9.9", line("GET /livez HTTP/9.9")),
        bad("a version in words", line("GET /livez HTTP/one")),
        bad("two blanks", line("GET  /livez HTTP/1.1")),
        bad("a blank in the path", line("GET /li vez HTTP/1.1")),
        bad("NUL in the path", line("GET /\0 HTTP/1.1")),
        bad("a control character in the method", line("G\u{1}T /livez HTTP/1.1")),
        bad("a header without a colon", header("nothing")),
        bad("a header without a name", header(": nothing")),
        bad("a blank before the colon", header("X-Y : z")),
        bad("NUL in a header", header("X-Y: \0")),
        bad("a control character in a header", header("X-Y: \u{7f}")),
        bad("a bare CR in a header", header("X-Y: a\rb")),
        bad("a name that is not ASCII", header("é: z")),
        bad("a header that is folded", header("X-Y: a\r\n b")),
        bad("TLS", "\u{16}\u{3}\u{1}\0\u{2}".to_owned()),
        bad("a length in words", post("Content-Length: many", BODY)),
        bad("a length below zero", post("Content-Length: -1", BODY)),
        bad("a length with a sign", post("Content-Length: +26", BODY)),
        bad("a length in hexadecimal", post("Content-Length: 0x1a", BODY)),
        bad("a length beyond 64 bits", post("Content-Length: 99999999999999999999999", BODY)),
        bad("two lengths", post("Content-Length: 26\r\nContent-Length: 27", BODY)),
        bad("an encoding that is not there", post("Transfer-Encoding: gzip", BODY)),
        bad("an encoding after chunked", post("Transfer-Encoding: chunked, gzip", BODY)),
        Case { status: 431, ..bad("a header of a mebibyte", header(&format!("X-Y: {}", "z".repeat(1 << 20)))) },
        Case { status: 431, ..bad("a thousand headers", header(&"X-Y: z\r\n".repeat(1_000))) },
        Case { status: 431, ..bad("a path of 100 KiB", line(&format!("GET /{} HTTP/1.1", "x".repeat(100 << 10)))) },
    ]
}

/// Request heads that HTTP allows and the API rejects.
fn heads(world: &World) -> Vec<Case> {
    let head = world.client.request("/graphql", BODY);
    let instead = |name: &str, header: &str, other: &str, status: u16| {
        let line = head.lines().find(|line| line.starts_with(header)).unwrap();
        let bytes = head.replacen(&format!("{line}\r\n"), other, 1);
        Case::new(format!("{header}: {name}"), bytes, (status, "BAD_REQUEST"))
    };
    let mut cases = Vec::new();
    for (name, other) in [
        ("none", ""),
        ("empty", "Content-Type:\r\n"),
        ("text", "Content-Type: text/plain\r\n"),
        ("a form", "Content-Type: application/x-www-form-urlencoded\r\n"),
        ("a file", "Content-Type: multipart/form-data; boundary=x\r\n"),
        ("a document alone", "Content-Type: application/graphql\r\n"),
        ("UTF-16", "Content-Type: application/json; charset=utf-16\r\n"),
        ("no type", "Content-Type: json\r\n"),
        ("almost", "Content-Type: application/jsonp\r\n"),
        ("not ASCII", "Content-Type: application/jsön\r\n"),
        ("twice", "Content-Type: text/plain\r\nContent-Type: application/json\r\n"),
        ("deflate", "Content-Type: application/json\r\nContent-Encoding: deflate\r\n"),
        ("two encodings", "Content-Type: application/json\r\nContent-Encoding: gzip, gzip\r\n"),
        ("an encoding that nobody knows", "Content-Type: application/json\r\nContent-Encoding: x\r\n"),
    ] {
        cases.push(instead(name, "Content-Type", other, 415));
    }
    for (name, other, status) in [
        ("none", "", 400),
        ("twice", "Host: x\r\nHost: x\r\n", 400),
        ("a coded body", "Host: x\r\nTransfer-Encoding: gzip, chunked\r\n", 501),
        ("a body that is coded twice", "Host: x\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 501),
    ] {
        cases.push(instead(name, "Host", other, status));
    }
    for (name, other) in [
        ("a page", "Accept: text/html\r\n"),
        ("a picture", "Accept: image/*\r\n"),
        ("not JSON", "Accept: application/json;q=0\r\n"),
        ("nothing", "Accept: */*;q=0\r\n"),
    ] {
        cases.push(instead(name, "Accept", other, 406));
    }
    cases
}

/// Bodies that do not match their headers.
fn bodies(world: &World) -> Vec<Case> {
    let chunked = |name: &str, body: &str| {
        let head = world.client.head("/graphql", "Transfer-Encoding: chunked\r\n");
        Case::new(format!("chunks: {name}"), head + body, (REQUEST_ERROR, "BAD_REQUEST"))
    };
    let announced = |name: &str, length: &str, body: &str, expected| {
        let head = world.client.head("/graphql", &format!("Content-Length: {length}\r\n"));
        Case::new(format!("a body that is {name}"), head + body, expected)
    };
    vec![
        chunked("no size", "zz\r\n{}\r\n0\r\n\r\n"),
        chunked("a size below zero", "-1\r\n{}\r\n0\r\n\r\n"),
        chunked("a size beyond 64 bits", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        chunked("longer than they say", "2\r\n{}{}\r\n0\r\n\r\n"),
        chunked("no end of a line", "2\n{}\n0\n\n"),
        announced("too large", &(300_u64 << 20).to_string(), "", (413, "PAYLOAD_TOO_LARGE")),
        announced("far too large", "18446744073709551000", "", (413, "PAYLOAD_TOO_LARGE")),
        announced("missing", "26", "", (408, "TIMEOUT")),
        announced("half there", "26", &BODY[..10], (408, "TIMEOUT")),
        announced("cut short", "10", BODY, (REQUEST_ERROR, "BAD_REQUEST")),
        announced("empty", "0", "", (REQUEST_ERROR, "BAD_REQUEST")),
    ]
}

fn tokens(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for (path, code) in [("/graphql", "UNAUTHENTICATED"), ("/publisher.v1/member/get", "authentication_error")] {
        let head = world.client.request(path, BODY);
        let line = head.lines().find(|line| line.starts_with("Authorization")).unwrap();
        let secret = line.rsplit(' ').next().unwrap();
        for (name, other) in [
            ("none", String::new()),
            ("empty", "Authorization:\r\n".to_owned()),
            ("a scheme alone", "Authorization: Bearer\r\n".to_owned()),
            ("a blank", "Authorization: Bearer  \r\n".to_owned()),
            ("another scheme", format!("Authorization: Basic {secret}\r\n")),
            ("no scheme", format!("Authorization: {secret}\r\n")),
            ("wrong", "Authorization: Bearer mbt_0000000000000000000000000000000000000000000\r\n".to_owned()),
            ("one letter less", format!("Authorization: Bearer {}\r\n", &secret[..secret.len() - 1])),
            ("one letter more", format!("Authorization: Bearer {secret}x\r\n")),
            ("in capitals", format!("Authorization: Bearer {}\r\n", secret.to_uppercase())),
            ("SQL", "Authorization: Bearer ' OR 1=1 --\r\n".to_owned()),
            ("not ASCII", "Authorization: Bearer é\r\n".to_owned()),
            ("long", format!("Authorization: Bearer {}\r\n", "x".repeat(50_000))),
            ("two of them", format!("Authorization: Bearer wrong\r\n{line}\r\n")),
        ] {
            let bytes = head.replacen(&format!("{line}\r\n"), &other, 1);
            cases.push(Case::new(format!("a token for {path}: {name}"), bytes, (401, code)));
        }
    }
    cases
}

fn methods(world: &World) -> Vec<Case> {
    let request = |method: &str, path: &str| world.client.request(path, BODY).replacen("POST", method, 1);
    let mut cases = Vec::new();
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO", "post"] {
        cases.push(Case::new(format!("{method} /graphql"), request(method, "/graphql"), (405, "BAD_REQUEST")));
    }
    for method in ["GET", "PUT", "DELETE", "get"] {
        let bytes = request(method, "/publisher.v1/member/get");
        cases.push(Case::new(format!("{method} member/get"), bytes, (405, "method_not_allowed")));
    }
    for path in ["/", "/livez", "/readyz"] {
        cases.push(Case::new(format!("POST {path}"), request("POST", path), (405, "BAD_REQUEST")));
    }
    let mutation = "mutation%7BcreateMemberbase(input:%7Bname:%22x%22%7D)%7Bmemberbase%7Bid%7D%7D%7D";
    for (name, parameters, status) in [
        ("nothing", "", 400),
        ("no query", "variables=%7B%7D", 400),
        ("two queries", "query=%7B__typename%7D&query=%7B__typename%7D", 400),
        ("half an escape", "query=%7", 400),
        ("no escape", "query=%zz", 400),
        ("no UTF-8", "query=%ff", 400),
        ("variables that are a list", "query=%7B__typename%7D&variables=[]", 400),
        ("variables that are no JSON", "query=%7B__typename%7D&variables=%7B", 400),
        ("extensions that are a number", "query=%7B__typename%7D&extensions=1", 400),
        ("a mutation", &format!("query={mutation}"), 405),
    ] {
        let bytes = request("GET", &format!("/graphql?{parameters}"));
        cases.push(Case::new(format!("GET with {name}"), bytes, (status, "BAD_REQUEST")));
    }
    cases
}

fn paths(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for (path, code) in [
        ("/nothing", "NOT_FOUND"),
        ("/graphql//", "NOT_FOUND"),
        ("//graphql", "NOT_FOUND"),
        ("/graphql/../graphql", "NOT_FOUND"),
        ("/GraphQL", "NOT_FOUND"),
        ("/%00", "NOT_FOUND"),
        ("/%zz", "NOT_FOUND"),
        ("/%ff", "NOT_FOUND"),
        ("/etc/passwd", "NOT_FOUND"),
        ("livez", "NOT_FOUND"),
        ("http://x/nothing", "NOT_FOUND"),
        ("/publisher.v1", "NOT_FOUND"),
        ("/publisher.v1/", "NOT_FOUND"),
        ("/publisher.v2/member/get", "NOT_FOUND"),
        ("/publisher.v1/nothing", "not_found"),
        ("/publisher.v1/member", "not_found"),
        ("/publisher.v1/member/get/", "not_found"),
        ("/publisher.v1/member/get/more", "not_found"),
        ("/publisher.v1/Member/Get", "not_found"),
        ("/publisher.v1/member%2Fgets", "not_found"),
        ("/publisher.v1/%00", "not_found"),
    ] {
        cases.push(world.posted(format!("the path {path}"), path, BODY, (404, code)));
    }
    cases
}
