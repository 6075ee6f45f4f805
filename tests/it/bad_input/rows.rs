//! Bad rows of bulk mutations, and bad input of other mutations.

use serde_json::{Value, json};

use super::{BAD, Case, MISFIT, OVER, World, filters::NO_TIMES};

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
        cases.push(rows(json!([{"ref": "good"}, {"ref": reference}]), BAD));
    }
    for attributes in bad_attributes() {
        cases.push(rows(json!([{"ref": "good"}, {"ref": "bad", "attributes": attributes}]), BAD));
    }
    for time in NO_TIMES {
        cases.push(rows(json!([{"ref": "good"}, {"ref": "bad", "sourceUpdatedAt": time}]), BAD));
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
        cases.push(rows(json!([{"ref": "good"}, bad]), MISFIT));
    }
    cases.push(rows(json!(7), MISFIT));
    cases.push(rows(json!(null), MISFIT));
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
        cases.push(send(format!("bulkUpsertMembers with {name}: {value}"), input, MISFIT));
    }
    // Values of the wrong JSON type.
    for (name, row, expected) in [
        ("half a surrogate pair", r#"{"ref": "\ud800"}"#, MISFIT),
        ("the wrong half", r#"{"ref": "\udc00x"}"#, MISFIT),
        ("an attribute that is infinite", r#"{"ref": "x", "attributes": {"level": 1e999}}"#, BAD),
        (
            "an attribute of very many digits",
            &format!(r#"{{"ref": "x", "attributes": {{"level": {}}}}}"#, "9".repeat(5_000)),
            BAD,
        ),
        (
            "a deep attribute",
            &format!(r#"{{"ref": "x", "attributes": {{"tags": {}{}}}}}"#, "[".repeat(5_000), "]".repeat(5_000)),
            BAD,
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
        cases.push(world.graphql(format!("deleteMembers of at most {at_most}"), delete, &json!({"i": input}), MISFIT));
    }
    let input = json!({"memberbaseId": world.base, "refs": ["a", "b"], "atMost": 1});
    cases.push(world.graphql("deleteMembers of more than it may", delete, &json!({"i": input}), OVER));
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
            add(kind, key, Some(value), BAD);
        }
        for value in [json!(null), json!(7), json!({}), json!([])] {
            add(kind, key, Some(value), MISFIT);
        }
        add(kind, key, None, MISFIT);
        // A row names its member by exactly one of id and ref, and that member must exist.
        add(kind, "memberRef", None, BAD);
        add(kind, "memberId", Some(json!(world.member)), BAD);
        add(kind, "memberRef", Some(json!("nobody")), BAD);
        add(kind, "memberRef", Some(json!("a\0b")), BAD);
        add(kind, "memberRef", Some(json!(7)), MISFIT);
        add(kind, "nothing", Some(json!(7)), MISFIT);
    }
    for time in NO_TIMES {
        add(0, "redeemedAt", Some(json!(time)), BAD);
        add(2, "authedAt", Some(json!(time)), BAD);
    }
    for count in [json!(-1), json!(1.5), json!(2_147_483_648_i64), json!(1e300)] {
        add(1, "stamps", Some(count.clone()), BAD);
        add(1, "rewardsEarned", Some(count), BAD);
    }
    for amount in [json!(1.5), json!(9_007_199_254_740_992_i64), json!(-9_007_199_254_740_992_i64), json!(1e300)] {
        add(2, "amount", Some(amount), BAD);
    }
    for (kind, field) in [(1, "stamps"), (2, "amount"), (2, "authedAt"), (2, "currency")] {
        for value in [json!({}), json!([1]), json!(true)] {
            add(kind, field, Some(value), MISFIT);
        }
    }
    for network in [json!("DINERS"), json!("visa"), json!(1), json!(null)] {
        add(2, "network", Some(network), MISFIT);
    }
    add(0, "creativeId", Some(json!("a\0b")), BAD);
    add(2, "statementDescriptor", Some(json!(long)), BAD);
    cases
}

fn other_mutations(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, expected) in [
        (json!(""), BAD),
        (json!("a\0b"), BAD),
        (json!("x".repeat(257)), BAD),
        (json!("x".repeat(1 << 20)), BAD),
        (json!(null), MISFIT),
        (json!(7), MISFIT),
        (json!({}), MISFIT),
        (json!([]), MISFIT),
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
        (json!([{"key": "", "type": "STRING"}]), BAD),
        (json!([{"key": "a\0b", "type": "STRING"}]), BAD),
        (json!([{"key": "x".repeat(129), "type": "STRING"}]), BAD),
        (json!([{"key": "a", "type": "STRING"}, {"key": "a", "type": "NUMBER"}]), BAD),
        (json!([{"key": "a", "type": "DECIMAL"}]), MISFIT),
        (json!([{"key": "a", "type": "string"}]), MISFIT),
        (json!([{"key": "a"}]), MISFIT),
        (json!([{"type": "STRING"}]), MISFIT),
        (json!([{"key": 7, "type": "STRING"}]), MISFIT),
        (json!([{"key": "a", "type": "STRING", "nothing": 1}]), MISFIT),
        (json!([null]), MISFIT),
        (json!(null), MISFIT),
        (json!("level"), MISFIT),
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
