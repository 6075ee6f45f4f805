//! A database with something of each type, and the variables of all operations.

use serde_json::{Value, json};

use crate::support::{Caller, ChildType, Server, missing_memberbase_id};

use ChildType::{Clips, StampCollections, Transactions};

const SCHEMA: [(&str, &str); 5] =
    [("name", "STRING"), ("points", "NUMBER"), ("vip", "BOOLEAN"), ("born", "DATE"), ("tags", "STRING_LIST")];

/// Fills the database, and returns the variables of all operations: an operation declares those that it uses.
pub async fn variables(server: &Server) -> Value {
    let admin = server.admin().await;
    let members = [
        (
            "ada",
            json!({"name": "Ada \"L\" \\ é😀", "points": 1.5, "vip": true, "born": "1815-12-10", "tags": ["a", ""]}),
        ),
        ("bob", json!({"points": 9_007_199_254_740_991_i64, "vip": false})),
        ("cyd", json!({"name": "", "tags": []})),
        ("dan", Value::Null),
    ];
    let base = server.memberbase_with(&SCHEMA, &members).await;
    let mut variables = constants();
    variables["other"] = json!(server.memberbase_of(&["ada"]).await);
    let all = "query($b: ID!) { members(memberbaseId: $b) { nodes { id } edges { cursor } } }";
    let page = admin.graphql(all, json!({"b": base})).await.data()["members"].take();
    let ids = page["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned());
    let ids: Vec<_> = ids.collect();
    server.insert_children(&base, &ids[..3], [3, 1, 4]).await;
    for (name, kind) in [("clip", Clips), ("stamps", StampCollections), ("transaction", Transactions)] {
        let payload = admin.upserted_children(kind, &base, json!([kind.row("dan", "key", 7)])).await;
        variables[name] = payload["ids"][0].clone();
    }
    variables["abandoned"] = start_sync(&admin, &base).await;
    variables["open"] = start_sync(&admin, &base).await;
    variables["token"] = create_token(&admin, &base).await;
    variables["after"] = page["edges"][0]["cursor"].clone();
    variables["before"] = page["edges"][3]["cursor"].clone();
    variables["member"] = json!(ids[0]);
    variables["by"] = json!({"ref": {"memberbaseId": base, "ref": "cyd"}});
    variables["members"] =
        json!({"memberbaseId": base, "members": variables["rows"], "onError": "SKIP_FAILED", "dryRun": true});
    for kind in [Clips, StampCollections, Transactions] {
        let rows = child_rows(kind, &ids[0]);
        variables[kind.field()] =
            json!({"memberbaseId": base, kind.field(): rows, "onError": "SKIP_FAILED", "dryRun": true});
    }
    let known = ["member", "clip", "stamps", "transaction", "token", "abandoned", "open", "missing", "member"];
    variables["nodes"] = known.iter().map(|name| variables[name].clone()).chain([json!(base)]).collect();
    variables["memberIds"] = json!(ids);
    variables["base"] = json!(base);
    variables
}

/// Returns the variables that are the same for every database.
fn constants() -> Value {
    let attributes: Vec<_> = SCHEMA.iter().map(|(key, kind)| json!({"key": key, "type": kind})).collect();
    json!({
        "missing": missing_memberbase_id(), "attributes": attributes,
        "yes": true, "no": false, "given": true, "null": null, "two": 2, "whole": 1.0,
        "ref": "ada", "refs": ["bob", "nobody", "ada", "bob"], "values": [1.5, 7], "direction": "DESC",
        "order": {"field": "REF", "direction": "DESC"},
        "filter": {"or": [{"ref": {"in": ["ada", "cyd"]}}, {"attribute": {"key": "points", "gte": 2.5}}]},
        "row": {"ref": "eve", "attributes": {"points": 3}},
        "rows": [
            {"ref": "ada", "attributes": {"points": 1.5}},
            {"ref": "bob", "attributes": null},
            {"ref": "cyd", "attributes": {"name": null, "tags": ["x"]}, "sourceUpdatedAt": "2026-01-31T12:00:00Z"},
            {"ref": "new", "sourceUpdatedAt": null},
            {"ref": "dan"},
            {"ref": "", "attributes": {}},
            {"ref": "eve", "attributes": {"unknown": 1}},
        ],
    })
}

/// Returns rows that are unchanged, changed, new and invalid.
fn child_rows(kind: ChildType, member: &str) -> Value {
    match kind {
        Clips => json!([
            kind.row("dan", "key", 7),
            {"memberId": member, "dealId": "new", "creativeId": "c", "redeemedAt": "2026-01-31T12:00:00+01:00"},
            {"memberRef": "dan", "dealId": "key", "creativeId": "c7", "variantId": "v", "redeemedAt": null},
            {"memberRef": "dan", "memberId": member, "dealId": "key", "creativeId": "c"},
        ]),
        StampCollections => json!([
            kind.row("dan", "key", 7),
            {"memberRef": "dan", "loyaltyProgramId": "key", "stamps": 8, "rewardsEarned": null},
            {"memberRef": "dan", "loyaltyProgramId": "key", "stamps": 3_000_000_000_i64},
            {"memberRef": "nobody", "loyaltyProgramId": "key"},
        ]),
        Transactions => json!([
            kind.row("dan", "key", 7),
            kind.row("ada", "key", 7),
            {"memberRef": "ada", "externalId": "new", "authCode": "a", "network": "AMEX", "bin": "370000",
                "merchantId": "m", "amount": -9_007_199_254_740_991_i64, "currency": "GBP",
                "authedAt": "2026-01-31T12:00:00.123456Z"},
        ]),
    }
}

/// Starts a sync, which abandons an open one.
async fn start_sync(admin: &Caller, base: &str) -> Value {
    let start = "mutation($b: ID!) { startSync(input: {memberbaseId: $b, abandonOpen: true}) { sync { id } } }";
    admin.graphql(start, json!({"b": base})).await.data()["startSync"]["sync"]["id"].take()
}

async fn create_token(admin: &Caller, base: &str) -> Value {
    let create = "mutation($b: ID!) { createApiToken(input: {description: \"of a test\", access: WRITE, \
        memberbaseId: $b, expiresAt: \"2100-01-01T00:00:00Z\"}) { apiToken { id } } }";
    admin.graphql(create, json!({"b": base})).await.data()["createApiToken"]["apiToken"]["id"].take()
}
