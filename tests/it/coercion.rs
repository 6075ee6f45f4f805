//! Scalars are coerced before execution: a request with a bad value stores nothing.

use axum::{
    body::Body,
    http::{Request, header},
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Caller, Database, Server, missing_memberbase_id};

/// A request that first creates a memberbase and contains a value that its type does not allow.
struct Case {
    variables: &'static str,
    rest: String,
    variable_values: Value,
    code: &'static str,
    path: Value,
    message: &'static str,
}

impl Case {
    fn document(&self) -> String {
        let Self { variables, rest, .. } = self;
        format!(
            "mutation{variables} {{ a: createMemberbase(input: {{name: \"a\"}}) {{ memberbase {{ id }} }} {rest} }}"
        )
    }
}

fn variable(
    variables: &'static str,
    rest: impl Into<String>,
    variable_values: Value,
    path: Value,
    message: &'static str,
) -> Case {
    Case { variables, rest: rest.into(), variable_values, code: "BAD_USER_INPUT", path, message }
}

fn literal(
    variables: &'static str,
    rest: impl Into<String>,
    variable_values: Value,
    path: Value,
    message: &'static str,
) -> Case {
    Case { code: "GRAPHQL_VALIDATION_FAILED", ..variable(variables, rest, variable_values, path, message) }
}

const NO_TIME: &str = "expected an RFC 3339 date-time such as 2026-01-31T12:00:00Z";
const NO_COUNT: &str = "expected a whole number from 0 to 9007199254740991";
const NO_MINOR_UNITS: &str = "expected a whole number from -9007199254740991 to 9007199254740991";
const NO_ATTRIBUTE_VALUE: &str = "expected a string, a number, a boolean or a list of strings";
const NO_JSON: &str = "expected only JSON values in the object, got an enum value";

/// A mutation that creates an API token with this literal as its expiry.
fn token(expires_at: &str) -> String {
    format!("b: createApiToken(input: {{description: \"b\", access: READ, expiresAt: {expires_at}}}) {{ secret }}")
}

/// Selects members of the created memberbase by this filter literal.
fn members(filter: &str) -> String {
    format!(
        "b: createMemberbase(input: {{name: \"b\"}}) {{ memberbase {{ members(filter: {filter}) {{ totalCount }} }} }}"
    )
}

fn attribute(test: &str) -> String {
    members(&format!("{{attribute: {{key: \"level\", {test}}}}}"))
}

fn deletion(at_most: &str) -> String {
    format!(
        "b: deleteMembers(input: {{memberbaseId: \"{}\", refs: [], atMost: {at_most}}}) {{ notFoundRefs }}",
        missing_memberbase_id()
    )
}

fn upsert(row: &str) -> String {
    format!(
        "b: bulkUpsertMembers(input: {{memberbaseId: \"{}\", members: [{row}]}}) {{ memberIds }}",
        missing_memberbase_id()
    )
}

fn transaction(amount: &str) -> String {
    let row = format!(
        "{{memberRef: \"a\", externalId: \"x\", authCode: \"x\", network: VISA, bin: \"123456\", merchantId: \"m\", \
        authedAt: \"2026-01-01T00:00:00Z\", amount: {amount}}}"
    );
    let base = missing_memberbase_id();
    format!(
        "b: bulkUpsertTransactions(input: {{memberbaseId: \"{base}\", transactions: [{row}]}}) {{ transactionIds }}"
    )
}

/// Bad values in variables, at the top level and nested.
fn variables() -> Vec<Case> {
    let input = json!({"description": "b", "access": "READ", "expiresAt": "nope"});
    let by_input = "b: createApiToken(input: $i) { secret }";
    let time = "2026-01-01T00:00:00Z";
    vec![
        variable("($d: DateTime)", token("$d"), json!({"d": "nope"}), json!(["d"]), NO_TIME),
        variable("($d: DateTime!)", token("$d"), json!({"d": "2026-01-01"}), json!(["d"]), NO_TIME),
        variable("($d: DateTime)", token("$d"), json!({"d": 7}), json!(["d"]), "expected a string, got a number"),
        variable("($i: CreateApiTokenInput!)", by_input, json!({"i": input}), json!(["i", "expiresAt"]), NO_TIME),
        variable(
            "($f: MemberFilter)",
            members("$f"),
            json!({"f": {"or": [{}, {"createdAt": {"in": [time, "nope"]}}]}}),
            json!(["f", "or", 1, "createdAt", "in", 1]),
            NO_TIME,
        ),
        variable(
            "($d: [DateTime!])",
            members("{createdAt: {nin: $d}}"),
            json!({"d": [time, "nope"]}),
            json!(["d", 1]),
            NO_TIME,
        ),
        variable(
            "($d: DateTime!, $e: DateTime!)",
            members("{createdAt: {in: [$d, $e]}}"),
            json!({"d": time, "e": "nope"}),
            json!(["e"]),
            NO_TIME,
        ),
        variable(
            "($d: DateTime)",
            upsert("{ref: \"a\", sourceUpdatedAt: $d}"),
            json!({"d": "nope"}),
            json!(["d"]),
            NO_TIME,
        ),
        variable("($n: Count)", deletion("$n"), json!({"n": -1}), json!(["n"]), NO_COUNT),
        variable("($n: Count)", deletion("$n"), json!({"n": 1.5}), json!(["n"]), NO_COUNT),
        variable("($n: Count)", deletion("$n"), json!({"n": 9_007_199_254_740_992_u64}), json!(["n"]), NO_COUNT),
        variable(
            "($i: DeleteMembersInput!)",
            "b: deleteMembers(input: $i) { notFoundRefs }",
            json!({"i": {"memberbaseId": missing_memberbase_id(), "atMost": 1e300}}),
            json!(["i", "atMost"]),
            NO_COUNT,
        ),
        variable("($m: MinorUnits)", transaction("$m"), json!({"m": 0.5}), json!(["m"]), NO_MINOR_UNITS),
        variable(
            "($a: Attributes)",
            upsert("{ref: \"a\", attributes: $a}"),
            json!({"a": []}),
            json!(["a"]),
            "expected an object, got a list",
        ),
        variable("($v: AttributeValue)", attribute("eq: $v"), json!({"v": [1]}), json!(["v"]), NO_ATTRIBUTE_VALUE),
        variable(
            "($v: [AttributeValue!])",
            attribute("in: $v"),
            json!({"v": ["a", ["a", null]]}),
            json!(["v", 1]),
            NO_ATTRIBUTE_VALUE,
        ),
        variable(
            "($f: MemberFilter)",
            members("$f"),
            json!({"f": {"attribute": {"key": "level", "gt": [[]]}}}),
            json!(["f", "attribute", "gt"]),
            NO_ATTRIBUTE_VALUE,
        ),
    ]
}

/// Bad values in literals and in defaults of variables.
fn literals() -> Vec<Case> {
    let none = || json!({});
    let in_fragment = |rest: &str| format!("...F }} fragment F on Mutation {{ {rest}");
    let expires_at = || json!(["input", "expiresAt"]);
    vec![
        literal("", token("\"nope\""), none(), expires_at(), NO_TIME),
        literal("", token("7"), none(), expires_at(), NO_TIME),
        literal("", token("{a: [1]}"), none(), expires_at(), NO_TIME),
        literal("", in_fragment(&token("\"nope\"")), none(), expires_at(), NO_TIME),
        literal("($d: DateTime = \"nope\")", token("$d"), none(), json!(["d"]), NO_TIME),
        // A bad default is rejected even if it is not used.
        literal("($d: DateTime = \"nope\")", token("$d"), json!({"d": "2026-01-01T00:00:00Z"}), json!(["d"]), NO_TIME),
        literal(
            "($f: MemberFilter = {not: {createdAt: {in: [\"nope\"]}}})",
            members("$f"),
            none(),
            json!(["f", "not", "createdAt", "in", 0]),
            NO_TIME,
        ),
        literal(
            "($d: DateTime!)",
            members("{createdAt: {in: [$d, \"nope\"]}}"),
            json!({"d": "2026-01-01T00:00:00Z"}),
            json!(["filter", "createdAt", "in", 1]),
            NO_TIME,
        ),
        literal("", deletion("-1"), none(), json!(["input", "atMost"]), NO_COUNT),
        literal("($n: Count = 0.5)", deletion("$n"), none(), json!(["n"]), NO_COUNT),
        literal("($m: MinorUnits = 9007199254740992)", transaction("$m"), none(), json!(["m"]), NO_MINOR_UNITS),
        literal("", transaction("\"1\""), none(), json!(["input", "transactions", 0, "amount"]), NO_MINOR_UNITS),
        literal(
            "",
            upsert("{ref: \"a\", sourceUpdatedAt: 7}"),
            none(),
            json!(["input", "members", 0, "sourceUpdatedAt"]),
            NO_TIME,
        ),
        literal(
            "",
            upsert("{ref: \"a\", attributes: {tier: GOLD}}"),
            none(),
            json!(["input", "members", 0, "attributes"]),
            NO_JSON,
        ),
        literal(
            "($a: Attributes = 7)",
            upsert("{ref: \"a\", attributes: $a}"),
            none(),
            json!(["a"]),
            "expected an object",
        ),
        literal("", attribute("eq: {a: 1}"), none(), json!(["filter", "attribute", "eq"]), NO_ATTRIBUTE_VALUE),
        literal("($v: AttributeValue = [true])", attribute("eq: $v"), none(), json!(["v"]), NO_ATTRIBUTE_VALUE),
    ]
}

/// Bad values of variables inside of literals.
fn mixtures() -> Vec<Case> {
    let row = |field: &str| json!(["input", "members", 0, field]);
    vec![
        variable(
            "($n: AttributeValue)",
            attribute("eq: [\"a\", $n]"),
            json!({"n": 7}),
            json!(["filter", "attribute", "eq"]),
            NO_ATTRIBUTE_VALUE,
        ),
        // An omitted variable is null in a list.
        variable(
            "($s: AttributeValue)",
            attribute("eq: [$s]"),
            json!({}),
            json!(["filter", "attribute", "eq"]),
            NO_ATTRIBUTE_VALUE,
        ),
        // It is invalid with any value of the variable.
        literal(
            "($s: String)",
            members("{createdAt: {eq: {a: $s}}}"),
            json!({"s": "a"}),
            json!(["filter", "createdAt", "eq"]),
            NO_TIME,
        ),
        variable(
            "($s: Access = READ)",
            upsert("{ref: \"a\", attributes: {tier: [$s]}}"),
            json!({}),
            row("attributes"),
            NO_JSON,
        ),
        literal(
            "($s: Attributes)",
            upsert("{ref: \"a\", attributes: [$s]}"),
            json!({"s": {}}),
            row("attributes"),
            "expected an object",
        ),
    ]
}

/// Sends a case with this `Accept` header.
async fn response(caller: &Caller, accept: &str, case: &Case) -> ApiResponse {
    let body = json!({"query": case.document(), "variables": case.variable_values}).to_string();
    let request =
        Request::post("/graphql").header(header::CONTENT_TYPE, "application/json").header(header::ACCEPT, accept);
    caller.send(request.body(Body::from(body)).unwrap()).await
}

#[rstest]
#[case::variables(variables())]
#[case::literals(literals())]
#[case::mixtures(mixtures())]
#[tokio::test]
async fn bad_value_is_rejected_before_execution(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[case] cases: Vec<Case>,
) {
    let server = Server::start(database).await;
    let admin = server.admin().await;
    for case in cases {
        let name = format!("{} with {}", case.document(), case.variable_values);
        let response = response(&admin, "application/graphql-response+json", &case).await;
        assert_eq!(response.status.as_u16(), 400, "{name}");
        let body = response.json();
        assert!(body.get("data").is_none(), "{name}: {body}");
        assert_eq!(body["errors"].as_array().unwrap().len(), 1, "{name}: {body}");
        let error = response.error();
        assert_eq!(error["extensions"]["code"], case.code, "{name}: {error}");
        assert_eq!(error["extensions"]["path"], case.path, "{name}: {error}");
        let message = response.message();
        assert!(message == case.message || message.ends_with(&format!(": {}", case.message)), "{name}: {message}");
    }
    assert_eq!(server.column::<i64>("SELECT count(*) FROM memberbase").await, [0]);
    assert_eq!(server.column::<i64>("SELECT count(*) FROM api_token").await, [1]);
}

#[rstest]
#[tokio::test]
async fn bad_value_is_rejected_by_every_transport(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (admin, case) = (server.admin().await, variables().swap_remove(0));
    let plain = response(&admin, "application/json", &case).await;
    assert_eq!((plain.status.as_u16(), &*plain.code()), (200, "BAD_USER_INPUT"));
    assert!(plain.json().get("data").is_none());
    let mut events = admin.subscribe(&case.document(), case.variable_values.clone()).await.unwrap();
    let received = events.first().await.unwrap().response();
    assert_eq!(received["errors"][0]["extensions"]["path"], json!(["d"]));
    assert!(received.get("data").is_none(), "{received}");
    assert_eq!(server.column::<i64>("SELECT count(*) FROM memberbase").await, [0]);
    let query = "query($d:DateTime){memberbases{nodes{members(filter:{createdAt:{eq:$d}}){totalCount}}}}";
    let uri = format!("/graphql?query={query}&variables=%7B%22d%22:%22nope%22%7D");
    let uri = uri.replace('{', "%7B").replace('}', "%7D");
    let got = admin.send(Request::get(uri).body(Body::empty()).unwrap()).await;
    assert_eq!((got.code(), got.error()["extensions"]["path"].clone()), ("BAD_USER_INPUT".to_owned(), json!(["d"])));
    assert!(got.json().get("data").is_none());
}

#[rstest]
#[tokio::test]
async fn variables_inside_scalars_are_accepted(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    let schema = "mutation($b: ID!) { setAttributeSchema(input: {memberbaseId: $b, attributes: [\
        {key: \"tier\", type: STRING}, {key: \"tags\", type: STRING_LIST}]}) { memberbase { id } } }";
    admin.graphql(schema, json!({"b": base})).await.data();
    let store = "mutation($b: ID!, $t: String, $l: [String!] = [\"x\", \"y\"], $none: String) { \
        bulkUpsertMembers(input: {memberbaseId: $b, members: [{ref: \"a\", attributes: {tier: $t, tags: $l, other: $none}}]}) \
        { members { attributes } } }";
    let stored = admin.graphql(store, json!({"b": base, "t": "gold"})).await.data();
    assert_eq!(stored["bulkUpsertMembers"]["members"][0]["attributes"], json!({"tier": "gold", "tags": ["x", "y"]}));
    let query = "query($b: ID!, $x: AttributeValue!, $y: AttributeValue = \"y\") { \
        members(memberbaseId: $b, filter: {attribute: {key: \"tags\", eq: [$x, $y]}}) { totalCount } }";
    let found = admin.graphql(query, json!({"b": base, "x": "x"})).await.data();
    assert_eq!(found["members"]["totalCount"], 1);
}

/// The variable's type or a default makes the document valid, so that only the field with the argument fails
/// (<https://spec.graphql.org/draft/#CoerceArgumentValues()>).
#[rstest]
#[tokio::test]
async fn null_variable_for_a_non_null_argument_fails_its_field(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let admin = server.admin().await;
    let deletion = format!(
        "b: deleteMembers(input: {{memberbaseId: \"{}\", dryRun: $dry}}) {{ notFoundRefs }}",
        missing_memberbase_id()
    );
    let document = format!(
        "mutation($dry: Boolean) {{ a: createMemberbase(input: {{name: \"a\"}}) {{ memberbase {{ id }} }} {deletion} }}"
    );
    let response = admin.graphql(&document, json!({"dry": null})).await;
    let body = response.json();
    assert_eq!(body["errors"].as_array().unwrap().len(), 1, "{body}");
    let error = &body["errors"][0];
    assert_eq!((&error["extensions"]["code"], &error["path"]), (&json!("BAD_USER_INPUT"), &json!(["b"])), "{error}");
    assert_eq!(error["message"], "$dry must not be null here");
    assert_eq!(server.column::<i64>("SELECT count(*) FROM memberbase").await, [1]);
}

/// The bulk mutations, each with its row type, its list field and a row that fails.
const ROWS: [(&str, &str, &str, &str); 3] = [
    ("bulkUpsertMembers", "MemberInput", "members", "{ref: \"b\", sourceUpdatedAt: \"nope\"}"),
    (
        "bulkUpsertStampCollections",
        "StampCollectionInput",
        "stampCollections",
        "{memberRef: \"a\", loyaltyProgramId: \"b\", stamps: -1}",
    ),
    (
        "bulkUpsertTransactions",
        "TransactionInput",
        "transactions",
        "{memberRef: \"a\", externalId: \"b\", authCode: \"x\", network: VISA, bin: \"123456\", merchantId: \"m\", \
        authedAt: \"2026-01-01\", amount: 0.5}",
    ),
];

/// A valid row of each.
const GOOD: [&str; 3] = [
    "{ref: \"a\", sourceUpdatedAt: \"2026-01-01T00:00:00Z\"}",
    "{memberRef: \"a\", loyaltyProgramId: \"a\", stamps: 7}",
    "{memberRef: \"a\", externalId: \"a\", authCode: \"x\", network: VISA, bin: \"123456\", merchantId: \"m\", \
    authedAt: \"2026-01-01T00:00:00Z\", amount: 5}",
];

/// Converts a GraphQL literal to JSON.
fn as_json(row: &str) -> Value {
    let mut text = row.replace("VISA", "\"VISA\"");
    for name in ["ref", "sourceUpdatedAt", "memberRef", "loyaltyProgramId", "stamps", "externalId", "authCode"] {
        text = text.replace(&format!("{name}:"), &format!("\"{name}\":"));
    }
    for name in ["network", "bin", "merchantId", "authedAt", "amount"] {
        text = text.replace(&format!("{name}:"), &format!("\"{name}\":"));
    }
    serde_json::from_str(&text).unwrap()
}

#[rstest]
#[tokio::test]
async fn bad_value_in_a_bulk_row_fails_only_its_row(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase_of(&["a"]).await, server.writer().await);
    for ((field, ty, list, bad), good) in ROWS.into_iter().zip(GOOD) {
        let call = |variables: &str, rows: &str| {
            format!(
                "mutation($b: ID!{variables}) {{ {field}(input: {{memberbaseId: $b, onError: SKIP_FAILED, {list}: {rows}}}) \
                {{ summary {{ failed }} results {{ outcome error {{ code }} }} }} }}"
            )
        };
        let (rows, json) = (format!("[{good}, {bad}]"), json!([as_json(good), as_json(bad)]));
        for (document, variable_values) in [
            (call("", &rows), json!({"b": base})),
            (call(&format!(", $r: [{ty}!]! = {rows}"), "$r"), json!({"b": base})),
            (call(&format!(", $r: [{ty}!]!"), "$r"), json!({"b": base, "r": json})),
            (call(&format!(", $r: {ty}!, $s: {ty}!"), "[$r, $s]"), json!({"b": base, "r": json[0], "s": json[1]})),
        ] {
            let received = writer.graphql(&document, variable_values).await.data()[field].clone();
            assert_eq!(received["summary"]["failed"], 1, "{document}: {received}");
            assert_eq!(received["results"][1]["error"]["code"], "INVALID_VALUE", "{document}: {received}");
        }
    }
}
