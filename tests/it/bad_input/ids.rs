//! Bad ids, cursors and page sizes.

use serde_json::json;

use super::{Case, EXECUTED, INVALID, WRONG_TYPE, World};

const ABSENT: (u16, &str) = (EXECUTED, "NOT_FOUND");

pub(super) fn cases(world: &World) -> Vec<Case> {
    [ids(world), missing_memberbases(world), cursors(world), pages(world)].into_iter().flatten().collect()
}

/// Texts that are not ids of any type.
pub(super) fn malformed_ids() -> Vec<(&'static str, String)> {
    let valid = "01h455vb4pex5vsknk084sn02q";
    vec![
        ("empty", String::new()),
        ("a blank", " ".to_owned()),
        ("a prefix", "m_".to_owned()),
        ("without its prefix", valid.to_owned()),
        ("of an unknown kind", format!("user_{valid}")),
        ("in capitals", format!("m_{}", valid.to_uppercase())),
        ("too short", format!("m_{}", &valid[1..])),
        ("too long", format!("m_{valid}0")),
        ("too large", "m_8zzzzzzzzzzzzzzzzzzzzzzzzz".to_owned()),
        ("with a letter that is none", "m_01h455vb4pex5vsknk084sn02u".to_owned()),
        ("not ASCII", "m_01h455vb4pex5vsknk084sn0é".to_owned()),
        ("with a blank", format!("m_{valid} ")),
        ("with a line break", format!("m_{valid}\n")),
        ("with NUL", format!("m_{valid}\0")),
        ("a UUID", "01890a5d-ac96-774b-bcce-b302099a8057".to_owned()),
        ("SQL", "m_' OR 1=1 --".to_owned()),
        ("a number", "7".to_owned()),
        ("long", "m_".repeat(50_000)),
    ]
}

/// Every argument and input field that takes an id. `BASE` is a memberbase.
const ID_ARGUMENTS: [(&str, &str); 24] = [
    ("node", "query($v: ID!) { node(id: $v) { id } }"),
    ("nodes", "query($v: ID!) { nodes(ids: [$v]) { id } }"),
    ("memberbase", "query($v: ID!) { memberbase(id: $v) { id } }"),
    ("member by id", "query($v: ID!) { member(by: {id: $v}) { id } }"),
    ("member by ref", "query($v: ID!) { member(by: {ref: {memberbaseId: $v, ref: \"a\"}}) { id } }"),
    ("members", "query($v: ID!) { members(memberbaseId: $v) { nodes { id } } }"),
    ("members that are counted", "query($v: ID!) { members(memberbaseId: $v, first: 0) { totalCount } }"),
    ("membersByRef", "query($v: ID!) { membersByRef(memberbaseId: $v, refs: [\"a\"]) { id } }"),
    ("a filter by id", "query($v: ID!) { members(memberbaseId: \"BASE\", filter: {id: {eq: $v}}) { nodes { id } } }"),
    (
        "a filter by ids",
        "query($v: ID!) { members(memberbaseId: \"BASE\", filter: {id: {in: [$v]}}) { nodes { id } } }",
    ),
    (
        "a filter by no ids",
        "query($v: ID!) { members(memberbaseId: \"BASE\", filter: {id: {nin: [$v]}}) { nodes { id } } }",
    ),
    ("a filter of memberbases", "query($v: ID!) { memberbases(filter: {not: {id: {eq: $v}}}) { nodes { id } } }"),
    (
        "updateMemberbase",
        "mutation($v: ID!) { updateMemberbase(input: {memberbaseId: $v, name: \"x\"}) { memberbase { id } } }",
    ),
    ("deleteMemberbase", "mutation($v: ID!) { deleteMemberbase(input: {memberbaseId: $v}) { deletedMemberbaseId } }"),
    (
        "setAttributeSchema",
        "mutation($v: ID!) { setAttributeSchema(input: {memberbaseId: $v, attributes: []}) { memberbase { id } } }",
    ),
    (
        "bulkUpsertMembers",
        "mutation($v: ID!) { bulkUpsertMembers(input: {memberbaseId: $v, members: [{ref: \"a\"}]}) { memberIds } }",
    ),
    (
        "deleteMembers",
        "mutation($v: ID!) { deleteMembers(input: {memberbaseId: $v, refs: [\"a\"]}) { deletedMemberIds } }",
    ),
    (
        "deleteMembers by id",
        "mutation($v: ID!) { deleteMembers(input: {memberbaseId: \"BASE\", memberIds: [$v]}) { deletedMemberIds } }",
    ),
    (
        "bulkUpsertClips",
        "mutation($v: ID!) { bulkUpsertClips(input: {memberbaseId: $v, clips: [{memberRef: \"a\", dealId: \"d\", \
            creativeId: \"c\"}]}) { clipIds } }",
    ),
    (
        "a row of bulkUpsertClips",
        "mutation($v: ID!) { bulkUpsertClips(input: {memberbaseId: \"BASE\", clips: [{memberId: $v, dealId: \"d\", \
            creativeId: \"c\"}]}) { clipIds } }",
    ),
    (
        "a row of bulkUpsertStampCollections",
        "mutation($v: ID!) { bulkUpsertStampCollections(input: {memberbaseId: \"BASE\", stampCollections: [{memberId: $v, \
            loyaltyProgramId: \"p\"}]}) { stampCollectionIds } }",
    ),
    (
        "deleteClips",
        "mutation($v: ID!) { deleteClips(input: {memberbaseId: \"BASE\", clipIds: [$v]}) { deletedClipIds } }",
    ),
    (
        "deleteStampCollections",
        "mutation($v: ID!) { deleteStampCollections(input: {memberbaseId: \"BASE\", stampCollectionIds: [$v]}) \
            { deletedStampCollectionIds } }",
    ),
    (
        "deleteTransactions",
        "mutation($v: ID!) { deleteTransactions(input: {memberbaseId: \"BASE\", transactionIds: [$v]}) \
            { deletedTransactionIds } }",
    ),
];

fn ids(world: &World) -> Vec<Case> {
    let mut cases = Vec::new();
    for (argument, query) in ID_ARGUMENTS {
        let query = query.replace("BASE", &world.base);
        for (form, id) in malformed_ids() {
            cases.push(world.graphql(format!("the id of {argument}: {form}"), &query, &json!({"v": id}), INVALID));
        }
        for other in [json!(null), json!({}), json!([]), json!(["x", "y"]), json!(true), json!(1.5)] {
            cases.push(world.graphql(
                format!("the id of {argument}: {other}"),
                &query,
                &json!({"v": other}),
                WRONG_TYPE,
            ));
        }
        cases.push(world.graphql(format!("the id of {argument}: missing"), &query, &json!({}), WRONG_TYPE));
        // The id of a token is well-formed, but no operation here takes one; `node` returns null.
        if !argument.starts_with("node") {
            let token = json!({"v": "atok_01h455vb4pex5vsknk084sn02q"});
            cases.push(world.graphql(format!("the id of {argument}: of another kind"), &query, &token, INVALID));
        }
    }
    cases
}

/// Missing memberbases.
fn missing_memberbases(world: &World) -> Vec<Case> {
    let looks_up = ["node", "memberbase", "member by id", "member by ref"];
    ID_ARGUMENTS
        .iter()
        .filter(|(argument, query)| !looks_up.contains(argument) && query.contains("memberbaseId: $v"))
        .map(|(argument, query)| {
            world.graphql(
                format!("{argument} of a missing memberbase"),
                query,
                &json!({"v": world.missing_base}),
                ABSENT,
            )
        })
        .collect()
}

fn cursors(world: &World) -> Vec<Case> {
    let members = |order: &str, edge: &str| {
        format!(
            "query($v: String) {{ members(memberbaseId: \"{}\", {edge}: $v, orderBy: {{{order}}}) {{ nodes {{ id }} }} }}",
            world.base
        )
    };
    let of_another =
        format!("query($v: String) {{ members(memberbaseId: \"{}\", after: $v) {{ nodes {{ id }} }} }}", world.other);
    let clips = format!(
        "query($v: String) {{ member(by: {{id: \"{}\"}}) {{ clips(after: $v) {{ nodes {{ id }} }} }} }}",
        world.member
    );
    let memberbases = "query($v: String) { memberbases(after: $v) { nodes { id } } }".to_owned();
    let arguments = [
        ("members", members("field: CREATED_AT", "after")),
        ("members before it", members("field: CREATED_AT", "before")),
        ("members by ref", members("field: REF", "after")),
        ("members by time", members("field: UPDATED_AT, direction: DESC", "after")),
        ("memberbases", memberbases.clone()),
        ("memberbases before it", memberbases.replace("after", "before")),
        ("clips", clips.clone()),
        ("transactions", clips.replace("clips", "transactions")),
        ("stamp collections", clips.replace("clips", "stampCollections")),
    ];
    let mut cases = Vec::new();
    for (argument, query) in &arguments {
        for (form, cursor) in [
            ("empty", String::new()),
            ("a letter", "x".to_owned()),
            ("words", "good morning".to_owned()),
            ("a number", "100".to_owned()),
            ("punctuation", "!!!!".to_owned()),
            ("zeroes", "AAAA".to_owned()),
            ("with NUL", format!("{}\0", world.cursor)),
            ("padded", format!("{}==", world.of_base)),
            ("not ASCII", "é".repeat(22)),
            ("an id", world.member.clone()),
            ("JSON", "{\"id\":1}".to_owned()),
            ("SQL", "' OR 1=1 --".to_owned()),
            ("longer", format!("{}A", world.cursor)),
            ("long", "A".repeat(200_000)),
        ] {
            cases.push(world.graphql(format!("a cursor of {argument}: {form}"), query, &json!({"v": cursor}), INVALID));
        }
        for other in [json!({}), json!(["x", "y"]), json!(7), json!(true)] {
            cases.push(world.graphql(
                format!("a cursor of {argument}: {other}"),
                query,
                &json!({"v": other}),
                WRONG_TYPE,
            ));
        }
    }
    let cut = &world.cursor[..world.cursor.len() - 4];
    for (name, query, cursor) in [
        ("another order", members("field: REF", "after"), &*world.cursor),
        ("another direction", members("direction: DESC", "after"), &world.cursor),
        ("another order, once more", members("field: CREATED_AT", "after"), &world.by_ref),
        ("another memberbase", of_another, &world.cursor),
        ("members, where it is for memberbases", memberbases, &world.cursor),
        ("memberbases, where it is for members", members("field: CREATED_AT", "after"), &world.of_base),
        ("members, where it is for clips", clips, &world.cursor),
        ("half of one", members("field: CREATED_AT", "after"), cut),
    ] {
        cases.push(world.graphql(format!("a cursor of {name}"), &query, &json!({"v": cursor}), INVALID));
    }
    cases
}

fn pages(world: &World) -> Vec<Case> {
    let arguments = [
        ("members", format!("members(memberbaseId: \"{}\", PAGE) {{ nodes {{ id }} }}", world.base)),
        ("memberbases", "memberbases(PAGE) { nodes { id } }".to_owned()),
        ("clips", format!("member(by: {{id: \"{}\"}}) {{ clips(PAGE) {{ nodes {{ id }} }} }}", world.member)),
        ("nested members", format!("memberbase(id: \"{}\") {{ members(PAGE) {{ totalCount }} }}", world.base)),
    ];
    let mut cases = Vec::new();
    for (argument, field) in &arguments {
        let query = field.replace("PAGE", "first: $f, last: $l");
        let query = format!("query($f: Int, $l: Int) {{ {query} }}");
        for (page, expected) in [
            (json!({"f": -1}), INVALID),
            (json!({"l": -1}), INVALID),
            (json!({"f": -2_147_483_648_i64}), INVALID),
            (json!({"f": 5_001}), INVALID),
            (json!({"l": 5_001}), INVALID),
            (json!({"f": 2_147_483_647}), INVALID),
            (json!({"f": 1, "l": 1}), INVALID),
            (json!({"f": 2_147_483_648_i64}), WRONG_TYPE),
            (json!({"f": 1e30}), WRONG_TYPE),
            (json!({"f": 1.5}), WRONG_TYPE),
            (json!({"f": "1"}), WRONG_TYPE),
            (json!({"f": true}), WRONG_TYPE),
            (json!({"f": {}}), WRONG_TYPE),
            (json!({"l": [1, 2]}), WRONG_TYPE),
        ] {
            cases.push(world.graphql(format!("a page of {argument}: {page}"), &query, &page, expected));
        }
    }
    cases
}
