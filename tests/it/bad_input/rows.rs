//! Bad rows of bulk mutations, and bad input of other mutations.

use serde_json::{Value, json};

use super::{Case, INVALID, OVER_LIMIT, WRONG_TYPE, World, filters::NO_TIMES};

pub(super) fn cases(world: &World) -> Vec<Case> {
    [members(world), children(world), other_mutations(world)].into_iter().flatten().collect()
}

/// Invalid refs.
pub(super) fn bad_refs() -> Vec<String> {
    vec![
        String::new(),
        "\0".to_owned(),
        "a\0b".to_owned(),
        "x".repeat(1_025),
        "é".repeat(513),
        "😀".repeat(257),
        "x".repeat(1 << 20),
    ]
}

/// Attributes that the schema does not allow.
pub(super) fn bad_attributes() -> Vec<Value> {
    vec![
        json!({"nothing": 1}),
        json!({"": 1}),
        json!({"Level": 1}),
        json!({"level\0": 1}),
        json!({"level": "1"}),
        json!({"level": true}),
        json!({"level": [1]}),
        json!({"level": {}}),
        json!({"level": 9_007_199_254_740_993_i64}),
        json!({"tier": 1}),
        json!({"tier": ["x"]}),
        json!({"tier": "a\0b"}),
        json!({"tier": "x".repeat((16 << 10) + 1)}),
        json!({"since": "today"}),
        json!({"since": 20_260_101}),
        json!({"since": "2026-02-30"}),
        json!({"since": "2026-01-01T00:00:00"}),
        json!({"active": "true"}),
        json!({"active": 1}),
        json!({"tags": "x"}),
        json!({"tags": [1]}),
        json!({"tags": [["x"]]}),
        json!({"tags": [null]}),
        json!({"tags": ["a\0b"]}),
        json!({"tags": vec!["x".repeat(1_000); 70]}),
    ]
}

fn members(world: &World) -> Vec<Case> {
    let query = "mutation($i: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $i) { memberIds } }";
    let send = |name: String, input: Value, expected| world.graphql(name, query, &json!({"i": input}), expected);
    let rows = |rows: Value, expected| {
        send(
            format!("the rows {:.120}", rows.to_string()),
            json!({"memberbaseId": world.base, "members": rows}),
            expected,
        )
    };
    let mut cases = Vec::new();
    for reference in bad_refs() {
        cases.push(rows(json!([{"ref": "good"}, {"ref": reference}]), INVALID));
    }
    for attributes in bad_attributes() {
        cases.push(rows(json!([{"ref": "good"}, {"ref": "bad", "attributes": attributes}]), INVALID));
    }
    for time in NO_TIMES {
        cases.push(rows(json!([{"ref": "good"}, {"ref": "bad", "sourceUpdatedAt": time}]), INVALID));
    }
    for bad in [
        json!(null),
        json!(7),
        json!("x"),
        json!([]),
        json!({}),
        json!({"ref": null}),
        json!({"ref": 7}),
        json!({"ref": {}}),
        json!({"ref": ["a"]}),
        json!({"ref": "a", "name": "x"}),
        json!({"ref": "a", "attributes": "x"}),
        json!({"ref": "a", "attributes": []}),
        json!({"ref": "a", "attributes": 7}),
        json!({"ref": "a", "sourceUpdatedAt": 7}),
        json!({"ref": "a", "sourceUpdatedAt": {}}),
    ] {
        cases.push(rows(json!([{"ref": "good"}, bad]), WRONG_TYPE));
    }
    cases.push(rows(json!(7), WRONG_TYPE));
    cases.push(rows(json!(null), WRONG_TYPE));
    for (name, value) in [
        ("mode", json!("MERGE")),
        ("mode", json!(null)),
        ("mode", json!(7)),
        ("onError", json!("STOP")),
        ("onError", json!("reject_batch")),
        ("dryRun", json!("true")),
        ("dryRun", json!(null)),
        ("nothing", json!(1)),
        ("memberbaseId", json!(null)),
    ] {
        let mut input = json!({"memberbaseId": world.base, "members": [{"ref": "good"}]});
        input[name] = value.clone();
        cases.push(send(format!("bulkUpsertMembers with {name}: {value}"), input, WRONG_TYPE));
    }
    // Values of the wrong JSON type.
    for (name, row, expected) in [
        ("half a surrogate pair", r#"{"ref": "\ud800"}"#, WRONG_TYPE),
        ("the wrong half", r#"{"ref": "\udc00x"}"#, WRONG_TYPE),
        ("a field that is given twice", r#"{"ref": "x", "ref": "y"}"#, WRONG_TYPE),
        ("an optional field that is given twice", r#"{"ref": "x", "attributes": {}, "attributes": {}}"#, WRONG_TYPE),
        ("an attribute that is given twice", r#"{"ref": "x", "attributes": {"level": 1, "level": 1}}"#, INVALID),
        ("an attribute that is infinite", r#"{"ref": "x", "attributes": {"level": 1e999}}"#, INVALID),
        (
            "an attribute of very many digits",
            &format!(r#"{{"ref": "x", "attributes": {{"level": {}}}}}"#, "9".repeat(5_000)),
            INVALID,
        ),
        (
            "a deep attribute",
            &format!(r#"{{"ref": "x", "attributes": {{"tags": {}{}}}}}"#, "[".repeat(5_000), "]".repeat(5_000)),
            INVALID,
        ),
    ] {
        let body = format!(
            r#"{{"query": "{query}", "variables": {{"i": {{"memberbaseId": "{}", "members": [{{"ref": "good"}}, {row}]}}}}}}"#,
            world.base
        );
        cases.push(world.posted(format!("a row with {name}"), "/graphql", &body, expected));
    }
    let delete = "mutation($i: DeleteMembersInput!) { deleteMembers(input: $i) { deletedMemberIds } }";
    for at_most in [json!(-1), json!(1.5), json!(1e300), json!(9_007_199_254_740_993_i64)] {
        let input = json!({"memberbaseId": world.base, "refs": ["a"], "atMost": at_most});
        cases.push(world.graphql(
            format!("deleteMembers of at most {at_most}"),
            delete,
            &json!({"i": input}),
            WRONG_TYPE,
        ));
    }
    let input = json!({"memberbaseId": world.base, "refs": ["a", "b"], "atMost": 1});
    cases.push(world.graphql("deleteMembers of more than it may", delete, &json!({"i": input}), OVER_LIMIT));
    cases
}

fn children(world: &World) -> Vec<Case> {
    let clip = json!({"memberRef": "a", "dealId": "d", "creativeId": "c"});
    let stamps = json!({"memberRef": "a", "loyaltyProgramId": "p"});
    let payment = json!({"memberRef": "a", "externalId": "e", "authCode": "1", "network": "VISA", "bin": "400000",
        "merchantId": "m", "authedAt": "2026-01-01T00:00:00Z"});
    let long = "x".repeat(1_025);
    let kinds = [
        ("Clips", "clips", &clip),
        ("StampCollections", "stampCollections", &stamps),
        ("Transactions", "transactions", &payment),
    ];
    let mut cases = Vec::new();
    let mut add = |kind: usize, field: &str, value: Option<Value>, expected| {
        let (name, list, row) = kinds[kind];
        let mut row = row.clone();
        let shown = value.as_ref().map_or("missing".to_owned(), Value::to_string);
        match value {
            Some(value) => row[field] = value,
            None => drop(row.as_object_mut().unwrap().remove(field)),
        }
        let query = format!(
            "mutation($i: BulkUpsert{name}Input!) {{ bulkUpsert{name}(input: $i) {{ summary {{ created }} }} }}"
        );
        let input = json!({"memberbaseId": world.base, list: [row]});
        cases.push(world.graphql(format!("{list}: {field} {shown:.60}"), &query, &json!({"i": input}), expected));
    };
    for (kind, key) in ["dealId", "loyaltyProgramId", "externalId"].into_iter().enumerate() {
        for value in [json!(""), json!("a\0b"), json!(long)] {
            add(kind, key, Some(value), INVALID);
        }
        for value in [json!(null), json!(7), json!({}), json!([])] {
            add(kind, key, Some(value), WRONG_TYPE);
        }
        add(kind, key, None, WRONG_TYPE);
        // A row names its member by exactly one of id and ref, and that member must exist.
        add(kind, "memberRef", None, INVALID);
        add(kind, "memberId", Some(json!(world.member)), INVALID);
        add(kind, "memberRef", Some(json!("nobody")), INVALID);
        add(kind, "memberRef", Some(json!("a\0b")), INVALID);
        add(kind, "memberRef", Some(json!(7)), WRONG_TYPE);
        add(kind, "nothing", Some(json!(7)), WRONG_TYPE);
    }
    for time in NO_TIMES {
        add(0, "redeemedAt", Some(json!(time)), INVALID);
        add(2, "authedAt", Some(json!(time)), INVALID);
    }
    for count in [json!(-1), json!(1.5), json!(2_147_483_648_i64), json!(1e300)] {
        add(1, "stamps", Some(count.clone()), INVALID);
        add(1, "rewardsEarned", Some(count), INVALID);
    }
    for amount in [json!(1.5), json!(9_007_199_254_740_992_i64), json!(-9_007_199_254_740_992_i64), json!(1e300)] {
        add(2, "amount", Some(amount), INVALID);
    }
    for (kind, field) in [(1, "stamps"), (2, "amount"), (2, "authedAt"), (2, "currency")] {
        for value in [json!({}), json!([1]), json!(true)] {
            add(kind, field, Some(value), WRONG_TYPE);
        }
    }
    for network in [json!("DINERS"), json!("visa"), json!(1), json!(null)] {
        add(2, "network", Some(network), WRONG_TYPE);
    }
    add(0, "creativeId", Some(json!("a\0b")), INVALID);
    add(2, "statementDescriptor", Some(json!(long)), INVALID);
    cases
}

fn other_mutations(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, expected) in [
        (json!(""), INVALID),
        (json!("a\0b"), INVALID),
        (json!("x".repeat(257)), INVALID),
        (json!("x".repeat(1 << 20)), INVALID),
        (json!(null), WRONG_TYPE),
        (json!(7), WRONG_TYPE),
        (json!({}), WRONG_TYPE),
        (json!([]), WRONG_TYPE),
    ] {
        let create = "mutation($n: String!) { createMemberbase(input: {name: $n}) { memberbase { id } } }";
        let update = format!(
            "mutation($n: String!) {{ updateMemberbase(input: {{memberbaseId: \"{}\", name: $n}}) {{ memberbase {{ id }} }} }}",
            world.base
        );
        for (operation, query) in [("createMemberbase", create), ("updateMemberbase", &update)] {
            cases.push(world.graphql(
                format!("{operation}: {:.60}", name.to_string()),
                query,
                &json!({"n": name}),
                expected,
            ));
        }
    }
    let declare = "mutation($i: SetAttributeSchemaInput!) { setAttributeSchema(input: $i) { memberbase { id } } }";
    for (attributes, expected) in [
        (json!([{"key": "", "type": "STRING"}]), INVALID),
        (json!([{"key": "a\0b", "type": "STRING"}]), INVALID),
        (json!([{"key": "x".repeat(129), "type": "STRING"}]), INVALID),
        (json!([{"key": "a", "type": "STRING"}, {"key": "a", "type": "NUMBER"}]), INVALID),
        (json!([{"key": "a", "type": "DECIMAL"}]), WRONG_TYPE),
        (json!([{"key": "a", "type": "string"}]), WRONG_TYPE),
        (json!([{"key": "a"}]), WRONG_TYPE),
        (json!([{"type": "STRING"}]), WRONG_TYPE),
        (json!([{"key": 7, "type": "STRING"}]), WRONG_TYPE),
        (json!([{"key": "a", "type": "STRING", "nothing": 1}]), WRONG_TYPE),
        (json!([null]), WRONG_TYPE),
        (json!(null), WRONG_TYPE),
        (json!("level"), WRONG_TYPE),
    ] {
        let input = json!({"memberbaseId": world.base, "attributes": attributes});
        cases.push(world.graphql(
            format!("the schema {:.80}", attributes.to_string()),
            declare,
            &json!({"i": input}),
            expected,
        ));
    }
    cases
}
