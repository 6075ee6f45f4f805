//! `bulkUpsertClips`, `bulkUpsertStampCollections`, `bulkUpsertTransactions`.

use memberbase::domain::access::Access;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Caller, ChildType, Database, Server, missing_memberbase_id};

use ChildType::{Clips, StampCollections, Transactions};

fn outcomes(payload: &Value) -> Vec<&str> {
    payload["results"].as_array().unwrap().iter().map(|result| result["outcome"].as_str().unwrap()).collect()
}

async fn count(server: &Server, kind: ChildType) -> i64 {
    server.column(&format!("SELECT count(*) FROM {}", kind.table())).await[0]
}

#[rstest]
#[tokio::test]
async fn rows_are_created_then_unchanged_then_updated(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(Clips, StampCollections, Transactions)] kind: ChildType,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase_of(&["a", "b"]).await, server.writer().await);
    let rows = json!([kind.row("b", "2", 1), kind.row("a", "1", 1), kind.row("b", "1x", 1)]);
    let first = writer.upserted_children(kind, &base, rows).await;
    assert_eq!(outcomes(&first), ["CREATED", "CREATED", "CREATED"]);
    let rows = json!([kind.row("b", "1x", 1), kind.row("b", "2", 2), kind.row("a", "1", 1)]);
    let again = writer.upserted_children(kind, &base, rows).await;
    assert_eq!(outcomes(&again), ["UNCHANGED", "UPDATED", "UNCHANGED"]);
    let ids = &first["ids"];
    assert_eq!(again["ids"], json!([ids[2], ids[0], ids[1]]));
    assert_eq!(count(&server, kind).await, 3);
    let changed = format!(
        "SELECT count(*) FROM {} WHERE updated_at > (SELECT max(m) FROM (SELECT min(updated_at) AS m FROM {}) AS first)",
        kind.table(),
        kind.table()
    );
    assert_eq!(server.column::<i64>(&changed).await, [1]);
}

#[rstest]
#[tokio::test]
async fn repeated_key_is_merged_and_its_first_row_has_the_net_outcome(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(Clips, StampCollections, Transactions)] kind: ChildType,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase_of(&["a"]).await, server.writer().await);
    let rows = json!([kind.row("a", "k", 1), kind.row("a", "other", 1), kind.row("a", "k", 2)]);
    let payload = writer.upserted_children(kind, &base, rows).await;
    assert_eq!(outcomes(&payload), ["CREATED", "CREATED", "UNCHANGED"]);
    assert_eq!(payload["ids"][0], payload["ids"][2]);
    let last = writer.upserted_children(kind, &base, json!([kind.row("a", "k", 2)])).await;
    assert_eq!(outcomes(&last), ["UNCHANGED"]);
    // A change and its reversal in one call are no net change.
    let rows = json!([kind.row("a", "k", 3), kind.row("a", "k", 2)]);
    assert_eq!(outcomes(&writer.upserted_children(kind, &base, rows).await), ["UNCHANGED", "UNCHANGED"]);
    let rows = json!([kind.row("a", "k", 3), kind.row("a", "k", 4)]);
    assert_eq!(outcomes(&writer.upserted_children(kind, &base, rows).await), ["UPDATED", "UNCHANGED"]);
}

#[rstest]
#[tokio::test]
async fn member_is_named_by_id_or_ref_and_must_exist(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(Clips, StampCollections, Transactions)] kind: ChildType,
) {
    let server = Server::start(database).await;
    let (writer, base, other) = (server.writer().await, server.memberbase("b").await, server.memberbase("o").await);
    let id = |data: Value| data["bulkUpsertMembers"]["memberIds"][0].clone();
    let mine = id(writer.upsert(&base, &["a"]).await.data());
    let theirs = id(writer.upsert(&other, &["a", "o"]).await.data());
    let named = |key: &str, names: Value| {
        let mut row = kind.row("", key, 1);
        row.as_object_mut().unwrap().remove("memberRef");
        for (key, value) in names.as_object().unwrap() {
            row[key] = value.clone();
        }
        row
    };
    let rows = json!([
        named("1", json!({"memberId": mine})),
        named("2", json!({"memberId": mine, "memberRef": null})),
        named("3", json!({"memberId": theirs})),
        named("4", json!({"memberRef": "o"})),
        named("5", json!({"memberRef": ""})),
        named("6", json!({"memberRef": "a\u{0}"})),
        named("7", json!({"memberId": mine, "memberRef": "a"})),
        named("8", json!({})),
        named("9", json!({"memberId": "a"})),
    ]);
    let refused = writer.upsert_children(kind, &base, rows.clone(), json!({})).await;
    assert_eq!(
        (refused.code().as_str(), &refused.error()["extensions"]["failureCount"]),
        ("BAD_USER_INPUT", &json!(7))
    );
    assert_eq!(count(&server, kind).await, 0);
    let payload = writer.upserted_children_with(kind, &base, rows, json!({"onError": "SKIP_FAILED"})).await;
    let errors: Vec<_> = payload["results"].as_array().unwrap().iter().map(|result| &result["error"]).collect();
    let errors: Vec<_> = errors.iter().map(|error| (error["code"].as_str(), error["path"][0].as_str())).collect();
    let unknown = |field| (Some("UNKNOWN_MEMBER"), Some(field));
    let invalid = |field| (Some("INVALID_VALUE"), Some(field));
    assert_eq!(
        errors,
        [
            (None, None),
            (None, None),
            unknown("memberId"),
            unknown("memberRef"),
            unknown("memberRef"),
            unknown("memberRef"),
            invalid("memberRef"),
            invalid("memberId"),
            invalid("memberId"),
        ]
    );
    assert_eq!((payload["ids"][1].is_string(), payload["ids"][2].is_null()), (true, true));
    let node_ids: Value =
        payload["results"].as_array().unwrap().iter().map(|result| result["nodeId"].clone()).collect();
    assert_eq!(node_ids, payload["ids"]);
    assert_eq!(count(&server, kind).await, 2);
}

#[rstest]
#[tokio::test]
async fn dry_run_returns_the_same_payload_and_stores_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(Clips, StampCollections, Transactions)] kind: ChildType,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase_of(&["a"]).await, server.writer().await);
    let stored = writer.upserted_children(kind, &base, json!([kind.row("a", "1", 1)])).await;
    let rows = json!([kind.row("a", "1", 2), kind.row("a", "2", 1), kind.row("nobody", "3", 1)]);
    let options = json!({"dryRun": true, "onError": "SKIP_FAILED"});
    let dry = writer.upserted_children_with(kind, &base, rows.clone(), options).await;
    assert_eq!(outcomes(&dry), ["UPDATED", "CREATED", "FAILED"]);
    assert_eq!(dry["ids"], json!([stored["ids"][0], null, null]));
    assert_eq!(count(&server, kind).await, 1);
    let real = writer.upserted_children_with(kind, &base, rows, json!({"onError": "SKIP_FAILED"})).await;
    assert_eq!(outcomes(&real), outcomes(&dry));
}

#[rstest]
#[tokio::test]
async fn transaction_never_changes_its_member(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase_of(&["a", "b"]).await, server.writer().await);
    writer.upserted_children(Transactions, &base, json!([Transactions.row("a", "1", 1)])).await;
    let rows = json!([
        Transactions.row("b", "1", 1),
        Transactions.row("b", "2", 1),
        Transactions.row("a", "2", 1),
        Transactions.row("a", "1", 2),
    ]);
    let payload = writer.upserted_children_with(Transactions, &base, rows, json!({"onError": "SKIP_FAILED"})).await;
    assert_eq!(outcomes(&payload), ["FAILED", "CREATED", "FAILED", "UPDATED"]);
    assert_eq!(payload["results"][0]["error"]["code"], "MEMBER_MISMATCH");
    assert_eq!(payload["results"][2]["error"]["code"], "MEMBER_MISMATCH");
    let refused = writer.upsert_children(Transactions, &base, json!([Transactions.row("b", "1", 9)]), json!({})).await;
    assert_eq!(refused.error()["extensions"]["failures"][0]["code"], "MEMBER_MISMATCH");
}

#[rstest]
#[tokio::test]
async fn transactions_after_an_all_new_probe_never_change_their_member(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase_of(&["a", "b"]).await, server.writer().await);
    // The probe looks up every fiftieth of 800 keys to find whether all are new.
    let row = |member: &str, n: u32| Transactions.row(member, &format!("key-{n:03}"), 1);
    let there: Vec<_> = (0..800).filter(|n| n % 50 != 0).map(|n| row("a", n)).collect();
    writer.upserted_children(Transactions, &base, json!(there)).await;
    let all: Vec<_> = (0..800).map(|n| row("b", n)).collect();
    let refused = writer.upsert_children(Transactions, &base, json!(all), json!({})).await;
    assert_eq!(refused.error()["extensions"]["failures"][0]["code"], "MEMBER_MISMATCH");
    assert_eq!(count(&server, Transactions).await, 784);
    let payload =
        writer.upserted_children_with(Transactions, &base, json!(all), json!({"onError": "SKIP_FAILED"})).await;
    assert_eq!((&payload["summary"]["created"], &payload["summary"]["failed"]), (&json!(16), &json!(784)));
    let expected: Vec<_> = (0..800).map(|n| if n % 50 == 0 { "CREATED" } else { "FAILED" }).collect();
    assert_eq!(outcomes(&payload), expected);
    assert_eq!(count(&server, Transactions).await, 800);
}

#[rstest]
#[case(Clips, json!({"dealId": ""}))]
#[case(Clips, json!({"dealId": "a\u{0}"}))]
#[case(Clips, json!({"dealId": "é".repeat(513)}))]
#[case(Clips, json!({"creativeId": "a".repeat(1025)}))]
#[case(Clips, json!({"variantId": "\u{0}"}))]
#[case(Clips, json!({"redeemedAt": "2026-01-31"}))]
#[case(Clips, json!({"redeemedAt": "soon"}))]
#[case(StampCollections, json!({"loyaltyProgramId": ""}))]
#[case(StampCollections, json!({"stamps": -1}))]
#[case(StampCollections, json!({"stamps": 2_147_483_648_u64}))]
#[case(StampCollections, json!({"stamps": 1.5}))]
#[case(StampCollections, json!({"rewardsEarned": 1e300}))]
#[case(Transactions, json!({"externalId": ""}))]
#[case(Transactions, json!({"authCode": "\u{0}"}))]
#[case(Transactions, json!({"bin": "12345"}))]
#[case(Transactions, json!({"bin": "123456789"}))]
#[case(Transactions, json!({"bin": "12345a"}))]
#[case(Transactions, json!({"bin": "١٢٣٤٥٦"}))]
#[case(Transactions, json!({"currency": "gbp"}))]
#[case(Transactions, json!({"currency": "POUND"}))]
#[case(Transactions, json!({"currency": ""}))]
#[case(Transactions, json!({"amount": 9_007_199_254_740_992_u64}))]
#[case(Transactions, json!({"amount": -9_007_199_254_740_992_i64}))]
#[case(Transactions, json!({"amount": 0.5}))]
#[case(Transactions, json!({"authedAt": "yesterday"}))]
#[case(Transactions, json!({"clearedAt": "2026-02-30T00:00:00Z"}))]
#[tokio::test]
async fn unstorable_value_fails_its_row_on_both_decoding_paths(#[case] kind: ChildType, #[case] bad: Value) {
    let server = Server::start(Database::Sqlite).await;
    let (base, writer) = (server.memberbase_of(&["a", "1"]).await, server.writer().await);
    let (field, value) = bad.as_object().unwrap().iter().next().unwrap();
    let mut row = kind.row("a", "k", 1);
    row[field] = value.clone();
    // A `memberId` that is a number makes the request take the general decoding path.
    for other in [json!("a"), json!(1)] {
        let mut good = kind.row("a", "good", 1);
        good.as_object_mut().unwrap().remove("memberRef");
        let name = if other == json!(1) { "memberId" } else { "memberRef" };
        good[name] = other;
        let options = json!({"onError": "SKIP_FAILED", "dryRun": true});
        let payload = writer.upserted_children_with(kind, &base, json!([row, good]), options).await;
        let error = &payload["results"][0]["error"];
        assert_eq!((&error["code"], &error["path"]), (&json!("INVALID_VALUE"), &json!([field])), "{error}");
    }
}

#[rstest]
#[case(Clips, json!({"creativeId": null}))]
#[case(Clips, json!({"dealId": 1}))]
#[case(Clips, json!({"redeemedAt": 1}))]
#[case(Clips, json!({"deal": "x"}))]
#[case(StampCollections, json!({"stamps": "1"}))]
#[case(StampCollections, json!({"stamps": []}))]
#[case(Transactions, json!({"network": "DINERS"}))]
#[case(Transactions, json!({"authedAt": null}))]
#[case(Transactions, json!({"amount": "1"}))]
#[case(Transactions, json!({"amount": {}}))]
#[tokio::test]
async fn row_of_the_wrong_shape_rejects_the_request_and_is_named(#[case] kind: ChildType, #[case] bad: Value) {
    let server = Server::start(Database::Sqlite).await;
    let (base, writer) = (server.memberbase_of(&["a"]).await, server.writer().await);
    let (field, value) = bad.as_object().unwrap().iter().next().unwrap();
    let mut row = kind.row("a", "k", 1);
    row[field] = value.clone();
    let rows = json!([kind.row("a", "good", 1), row]);
    let refused = writer.upsert_children(kind, &base, rows, json!({"onError": "SKIP_FAILED"})).await;
    assert_eq!(refused.code(), "BAD_USER_INPUT");
    assert_eq!(refused.error()["extensions"]["path"], json!(["input", kind.field(), 1, field]), "{:?}", refused.json());
}

#[rstest]
#[tokio::test]
async fn omitted_optional_field_stays_and_null_clears_it(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase_of(&["a"]).await, server.writer().await);
    let state = async |kind: ChildType, columns: &str| -> String {
        let texts = columns.split(' ').map(|column| format!("coalesce(CAST({column} AS text), 'null')"));
        let sql = format!("SELECT {} FROM {}", texts.collect::<Vec<_>>().join(" || ' ' || "), kind.table());
        server.column::<String>(&sql).await.remove(0)
    };
    let with = |kind: ChildType, fields: Value| {
        let mut row = kind.row("a", "k", 7);
        row.as_object_mut().unwrap().remove("stamps");
        row.as_object_mut().unwrap().remove("amount");
        for (field, value) in fields.as_object().unwrap() {
            row[field] = value.clone();
        }
        json!([row])
    };
    let time = "2026-01-31T12:00:00Z";
    for (kind, columns, fields, full, cleared) in [
        (
            Clips,
            "variant_id redeemed_at",
            json!({"variantId": "v", "redeemedAt": time}),
            "v 1769860800000000",
            "null null",
        ),
        (StampCollections, "stamps rewards_earned", json!({"stamps": 3, "rewardsEarned": 4}), "3 4", "0 0"),
        (
            Transactions,
            "statement_descriptor amount currency cleared_at reverted_at",
            json!({"statementDescriptor": "s", "amount": -5, "currency": "GBP", "clearedAt": time, "revertedAt": time}),
            "s -5 GBP 1769860800000000 1769860800000000",
            "null null null null null",
        ),
    ] {
        writer.upserted_children(kind, &base, with(kind, json!({}))).await;
        assert_eq!(state(kind, columns).await, cleared, "{kind:?} at first");
        writer.upserted_children(kind, &base, with(kind, fields.clone())).await;
        assert_eq!(state(kind, columns).await, full, "{kind:?} given");
        let payload = writer.upserted_children(kind, &base, with(kind, json!({}))).await;
        assert_eq!(
            (state(kind, columns).await.as_str(), outcomes(&payload)[0]),
            (full, "UNCHANGED"),
            "{kind:?} left out"
        );
        let nulls = fields.as_object().unwrap().keys().map(|key| (key.clone(), Value::Null)).collect();
        let payload = writer.upserted_children(kind, &base, with(kind, Value::Object(nulls))).await;
        assert_eq!((state(kind, columns).await.as_str(), outcomes(&payload)[0]), (cleared, "UPDATED"), "{kind:?} null");
    }
}

#[rstest]
#[tokio::test]
async fn upsert_requires_write_access_to_the_memberbase(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(Clips, StampCollections, Transactions)] kind: ChildType,
) {
    let server = Server::start(database).await;
    let (base, other) = (server.memberbase_of(&["a"]).await, server.memberbase_of(&["a"]).await);
    let rows = json!([kind.row("a", "1", 1)]);
    let code =
        async |caller: Caller, base: &str| caller.upsert_children(kind, base, rows.clone(), json!({})).await.code();
    assert_eq!(code(server.reader().await, &base).await, "FORBIDDEN");
    assert_eq!(code(server.bound(Access::Write, &other).await, &base).await, "NOT_FOUND");
    assert_eq!(code(server.writer().await, &missing_memberbase_id()).await, "NOT_FOUND");
    assert_eq!(count(&server, kind).await, 0);
}

#[rstest]
#[tokio::test]
async fn statement_count_is_independent_of_rows_and_unchanged_rows_write_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(Clips, StampCollections, Transactions)] kind: ChildType,
) {
    const FEW: u32 = 300;
    const ROWS: u32 = 2_000;
    let server = Server::start(database).await;
    let refs: Vec<_> = (0..100).map(|n| format!("member-{n}")).collect();
    let base = server.memberbase_of(&refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let writer = server.writer().await;
    let rows = |from: u32, to: u32, value| -> Value {
        (from..to).map(|n| kind.row(&refs[n as usize % 100], &format!("key-{}", n * 7919 % 1_000_003), value)).collect()
    };
    let statements = async |rows: Value, outcome: &str| {
        let before = server.app.db.statements();
        let payload = writer.upserted_children(kind, &base, rows.clone()).await;
        assert_eq!(payload["summary"][outcome], rows.as_array().unwrap().len(), "{}", payload["summary"]);
        server.app.db.statements() - before
    };
    // Two rows are looked up and inserted; in large calls a probe shows that all are new, and they are inserted.
    let two = statements(rows(0, 2, 1), "created").await;
    statements(rows(2, FEW, 1), "created").await;
    let few = [two, statements(rows(0, FEW, 1), "unchanged").await, statements(rows(0, FEW, 2), "updated").await];
    statements(rows(0, FEW, 1), "updated").await;
    let created = statements(rows(FEW, ROWS, 1), "created").await;
    // The physical position, writer and locker of each row, and of its member.
    let state = async || match database {
        Database::Sqlite => {
            server.column::<i64>(&format!("SELECT sum(updated_at % 1000000007) FROM {}", kind.table())).await[0]
                .to_string()
        }
        Database::Postgres => {
            let of = |table: &str| {
                format!("SELECT md5(string_agg(concat_ws(' ', ctid, xmin, xmax), ',' ORDER BY id)) FROM {table}")
            };
            let sql = format!("SELECT concat(({}), ({}))", of(kind.table()), of("member"));
            server.column::<String>(&sql).await.remove(0)
        }
    };
    let before = state().await;
    let unchanged = statements(rows(0, ROWS, 1), "unchanged").await;
    assert_eq!(state().await, before);
    let updated = statements(rows(0, ROWS, 2), "updated").await;
    assert_eq!([created, unchanged, updated], few);
}

#[rstest]
#[tokio::test]
async fn row_in_a_variable_of_its_own_fails_alone(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values("3000000000", "1e400", "1.5", "-1")] stamps: &str,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase_of(&["a"]).await, server.writer().await);
    let query = "mutation($m: ID!, $good: StampCollectionInput!, $bad: StampCollectionInput!) { bulkUpsertStampCollections( \
        input: {memberbaseId: $m, stampCollections: [$good, $bad], onError: SKIP_FAILED}) { summary { created failed } } }";
    let row = |program: &str, stamps: &str| {
        format!(r#"{{"memberRef": "a", "loyaltyProgramId": "{program}", "stamps": {stamps}, "rewardsEarned": 0}}"#)
    };
    let variables = format!(r#"{{"m": "{base}", "good": {}, "bad": {}}}"#, row("p", "1.0"), row("q", stamps));
    let response = writer.post(format!(r#"{{"query": {}, "variables": {variables}}}"#, json!(query))).await;
    let payload = response.data()["bulkUpsertStampCollections"].take();
    assert_eq!(payload["summary"], json!({"created": 1, "failed": 1}));
}
