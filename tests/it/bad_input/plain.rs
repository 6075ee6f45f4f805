//! Bad requests to the RPC API (`publisher.v1`).

use serde_json::{Value, json};

use super::{
    Case, World,
    filters::{NO_TIMES, bad_patterns},
    ids::malformed_ids,
    rows::{bad_attributes, bad_refs},
};

const INVALID: (u16, &str) = (400, "bad_request");
const UNKNOWN_KEY: (u16, &str) = (400, "invalid_attribute_key");
const ABSENT: (u16, &str) = (404, "not_found");

pub(super) fn cases(world: &World) -> Vec<Case> {
    [ids(world), pages(world), filters(world), rows(world)].into_iter().flatten().collect()
}

impl World {
    fn rpc(&self, path: &str, body: &Value, expected: (u16, &'static str)) -> Case {
        let name = format!("{path} {:.120}", body.to_string());
        self.posted(name, &format!("/publisher.v1/{path}"), &body.to_string(), expected)
    }
}

/// Every field that takes an id: the endpoint, the field, and the rest of the body.
fn id_fields(world: &World) -> Vec<(&'static str, &'static str, Value)> {
    let base = &world.base;
    vec![
        ("member/get", "id", json!({})),
        ("member/get", "member_base_id", json!({"ref": "a"})),
        ("member/list", "member_base_id", json!({})),
        ("member/bulk-upsert", "member_base_id", json!({"members": [{"ref": "a"}]})),
        ("member/bulk-delete", "member_base_id", json!({"member_ids": [world.member]})),
        ("member-base/get", "id", json!({})),
        ("member-base/delete", "id", json!({})),
        ("attribute.schema/get", "member_base_id", json!({})),
        ("attribute.schema/set", "member_base_id", json!({"schema": {}})),
        ("member.attributes/list", "member_id", json!({})),
        ("member.attributes/delete", "member_base_id", json!({"delete_all": true})),
        ("member.attributes/set", "member_base_id", json!({"attributes": []})),
        ("transaction/ingest", "member_id", json!({"member_base_id": base})),
        ("api-token/revoke", "id", json!({})),
    ]
}

fn ids(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for (path, field, body) in id_fields(world).into_iter().filter(|(path, ..)| *path != "transaction/ingest") {
        let with = |id: Value| {
            let mut body = body.clone();
            body[field] = id;
            body
        };
        for (_, id) in malformed_ids() {
            cases.push(world.rpc(path, &with(json!(id)), INVALID));
        }
        for id in [json!({}), json!([]), json!(7), json!(true), json!("clip_01h455vb4pex5vsknk084sn02q")] {
            cases.push(world.rpc(path, &with(id), INVALID));
        }
        if field == "member_base_id" || path.starts_with("member-base/") {
            cases.push(world.rpc(path, &with(json!(world.missing_base)), ABSENT));
        }
    }
    cases.push(world.rpc("member/get", &json!({}), INVALID));
    cases.push(world.rpc("member/get", &json!({"id": "m_01h455vb4pex5vsknk084sn02q"}), ABSENT));
    cases.push(world.rpc("member/get", &json!({"member_base_id": world.base, "ref": "nobody"}), ABSENT));
    cases.push(world.rpc("member/bulk-delete", &json!({"member_base_id": world.base, "member_ids": ["x"]}), INVALID));
    cases.push(world.rpc("member/bulk-delete", &json!({"member_base_id": world.base, "member_ids": "x"}), INVALID));
    cases
}

fn pages(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for (path, body) in [
        ("member/list", json!({"member_base_id": world.base})),
        ("member-base/list", json!({})),
        ("api-token/list", json!({})),
    ] {
        for pagination in [
            json!(7),
            json!("x"),
            json!([]),
            json!({"limit": 0}),
            json!({"limit": -1}),
            json!({"limit": 1.5}),
            json!({"limit": "1"}),
            json!({"limit": 1e30}),
            json!({"skip": 0}),
            json!({"skip": -1}),
            json!({"skip": "1"}),
            json!({"skip": 1_u64 << 63}),
            json!({"skip": u64::MAX}),
            json!({"cursor": ""}),
            json!({"cursor": "x"}),
            json!({"cursor": 7}),
            json!({"cursor": "A".repeat(100_000)}),
            json!({"cursor": format!("{}\0", world.cursor)}),
            json!({"cursor": "' OR 1=1 --"}),
            json!({"cursor": world.cursor, "skip": 1}),
        ] {
            let mut body = body.clone();
            body["pagination"] = pagination;
            cases.push(world.rpc(path, &body, INVALID));
        }
    }
    cases.push(world.rpc("member-base/list", &json!({"pagination": {"cursor": world.cursor}}), INVALID));
    cases.push(world.rpc(
        "member/list",
        &json!({"member_base_id": world.base, "pagination": {"cursor": world.of_base}}),
        INVALID,
    ));
    cases.push(world.rpc(
        "member/list",
        &json!({"member_base_id": world.other, "pagination": {"cursor": world.cursor}}),
        INVALID,
    ));
    for sorts in [
        json!(7),
        json!("ref"),
        json!([7]),
        json!([{}]),
        json!([{"key": "ref"}, {"key": "id"}]),
        json!([{"key": "nothing"}]),
        json!([{"key": "ref", "direction": "up"}]),
        json!([{"key": 7, "direction": "asc"}]),
        json!([{"direction": "asc"}]),
    ] {
        cases.push(world.rpc("member/list", &json!({"member_base_id": world.base, "sorts": sorts}), INVALID));
    }
    cases
}

fn filters(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |filters: Value, expected| {
        cases.push(world.rpc("member/list", &json!({"member_base_id": world.base, "filters": filters}), expected));
    };
    for filter in [
        json!(7),
        json!("x"),
        json!({}),
        json!({"key": "ref"}),
        json!({"eq": "a"}),
        json!({"key": "ref", "eq": "a", "in": ["a"]}),
        json!({"key": "ref", "like": "a"}),
        json!({"key": "ref", "eq": 7}),
        json!({"key": "ref", "in": "a"}),
        json!({"key": "ref", "in": [7]}),
        json!({"key": "ref", "exists": "yes"}),
        json!({"key": "ref", "regex": "a"}),
        json!({"key": "id", "eq": "x"}),
        json!({"key": "nothing", "eq": "a"}),
        json!({"key": 7, "eq": "a"}),
        json!({"and": {}}),
        json!({"or": 7}),
        json!({"and": [], "or": []}),
    ] {
        add(json!([filter]), INVALID);
    }
    add(json!("x"), INVALID);
    add(json!({}), INVALID);
    for pattern in bad_patterns() {
        add(json!([{"key": "ref", "regex": {"pattern": pattern}}]), INVALID);
    }
    for time in NO_TIMES {
        add(json!([{"key": "created_at", "eq": time}]), INVALID);
    }
    for depth in [12, 60, 100] {
        add((0..depth).fold(json!([]), |inner, _| json!([{"and": inner}])), INVALID);
    }
    add(json!([{"key": "ref", "in": vec!["x"; 100_001]}]), INVALID);
    cases
}

fn rows(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    let base = &world.base;
    let mut upsert = |members: Value, expected| {
        cases.push(world.rpc("member/bulk-upsert", &json!({"member_base_id": base, "members": members}), expected));
    };
    for reference in bad_refs() {
        upsert(json!([{"ref": "good"}, {"ref": reference}]), INVALID);
    }
    for attributes in bad_attributes() {
        let known = ["level", "tier", "since", "active", "tags"];
        let unknown = attributes.as_object().unwrap().keys().any(|key| !known.contains(&&**key));
        upsert(json!([{"ref": "bad", "attributes": attributes}]), if unknown { UNKNOWN_KEY } else { INVALID });
    }
    for members in [
        json!(null),
        json!(7),
        json!("x"),
        json!({}),
        json!([null]),
        json!([7]),
        json!([[]]),
        json!([{}]),
        json!([{"ref": 7}]),
    ] {
        upsert(members, INVALID);
    }
    let row = json!({"member_id": world.member, "external_id": "e", "auth_code": "1", "network": "visa", "bin": "400000",
        "merchant_id": "m", "authed_at": "2026-01-01T00:00:00Z"});
    for (field, value) in [
        ("external_id", json!("")),
        ("external_id", json!("a\0b")),
        ("external_id", json!(7)),
        ("member_id", json!("m_01h455vb4pex5vsknk084sn02q")),
        ("member_id", json!("x")),
        ("member_id", json!(7)),
        ("network", json!("diners")),
        ("network", json!(null)),
        ("amount", json!(1.5)),
        ("amount", json!("1")),
        ("amount", json!(9_007_199_254_740_992_i64)),
        ("authed_at", json!("today")),
        ("authed_at", json!(7)),
        ("cleared_at", json!("2026-02-30T00:00:00Z")),
        ("bin", json!(400_000)),
        ("auth_code", json!({})),
    ] {
        let mut event = row.clone();
        event[field] = value;
        cases.push(world.rpc("transaction/ingest", &json!({"member_base_id": base, "events": [event]}), INVALID));
    }
    for name in [json!(""), json!("x".repeat(257)), json!("a\0b"), json!(7), json!(null), json!([])] {
        cases.push(world.rpc("member-base/create", &json!({"name": name}), INVALID));
    }
    for (access, expires_at, description) in [
        (json!("all"), json!(null), json!("x")),
        (json!("READ"), json!(null), json!("x")),
        (json!(7), json!(null), json!("x")),
        (json!("read"), json!("tomorrow"), json!("x")),
        (json!("read"), json!(7), json!("x")),
        (json!("read"), json!(null), json!(7)),
        (json!("read"), json!(null), json!("a\0b")),
        (json!("read"), json!(null), json!("x".repeat(2_000))),
    ] {
        let body = json!({"access": access, "expires_at": expires_at, "description": description});
        cases.push(world.rpc("api-token/create", &body, INVALID));
    }
    for schema in [
        json!(7),
        json!([]),
        json!({"a": "decimal"}),
        json!({"a": {}}),
        json!({"a": {"type": 7}}),
        json!({"a": {"type": "decimal"}}),
        json!({"a": {"type": "STRING"}}),
        json!({"": {"type": "string"}}),
        json!({"a\0b": {"type": "string"}}),
    ] {
        cases.push(world.rpc("attribute.schema/set", &json!({"member_base_id": base, "schema": schema}), INVALID));
    }
    cases
}
