//! Mutations whose results or intermediate rows are far larger than their body.

use super::{
    case::{Case, DATA_OR_REJECTED, Json, aliased, listed, quoted},
    world::{World, is_full, size},
};

const UPSERT: &str = "mutation($b: ID!, $m: [MemberInput!]!) { \
    bulkUpsertMembers(input: {memberbaseId: $b, members: $m, OPTIONS}) { RESULT } }";

/// Returns all mutations.
pub fn cases(world: &World) -> Vec<Case> {
    let mut cases = bad_refs(world);
    cases.extend(repeated_rows(world));
    cases.extend(deletions(world));
    cases.push(unknown_keys(world));
    cases.push(many_rows(world));
    cases.push(list_of_the_rpc_api(world));
    cases
}

fn upsert(name: impl Into<String>, query: String, base: &str, rows: Json) -> Case {
    let variables = vec![("b", quoted(base)), ("m", rows)];
    Case::query(name, query, variables).mutation().with_codes(DATA_OR_REJECTED)
}

fn document(options: &str, result: &str) -> String {
    UPSERT.replace("OPTIONS", options).replace("RESULT", result)
}

/// A large invalid ref whose result is selected again and again.
fn bad_refs(world: &World) -> Vec<Case> {
    let rows = listed(1, |_| format!("{{\"ref\":\"{}\"}}", "x".repeat(10 << 20)));
    let once = aliased(49, "results { ref error { message } }");
    // 456 refs under 43 aliases.
    let nested = aliased(19, "results { ...refs }");
    let fragment = format!(" fragment refs on MemberUpsertResult {{ {} error {{ message }} }}", aliased(24, "ref"));
    let case = |name: &str, result: &str, fragment: &str| {
        let query = document("onError: SKIP_FAILED", result) + fragment;
        upsert(name, query, &world.pages, rows.clone())
    };
    vec![case("a bad ref of 10 MiB, 49 times", &once, ""), case("a bad ref of 10 MiB, 456 times", &nested, &fragment)]
}

/// Rows of one member with a large document.
fn repeated_rows(world: &World) -> Vec<Case> {
    let rows = listed(5_000, |n| format!("{{\"ref\":\"big\",\"attributes\":{{\"level\":{n}}}}}"));
    let case = |name: &str, result: &str| upsert(name, document("mode: UPSERT", result), &world.large, rows.clone());
    vec![
        case("5,000 rows of a member of 60 kB, selecting ids", "memberIds"),
        case("5,000 rows of a member of 60 kB, selecting attributes", "members { attributes }"),
    ]
}

/// Deletions of very many members that do not exist.
fn deletions(world: &World) -> Vec<Case> {
    let count = size(200_000, 1_000_000);
    let refs = listed(count, |n| format!("\"missing-{n}\""));
    let number = world.member.rsplit_once('_').unwrap().1;
    // Ids that differ in their last characters, in the alphabet of ids.
    let ids = listed(count, |n| format!("\"m_{}{n:05x}\"", &number[..number.len() - 5]));
    let case = |name: &str, kind: &str, field: &str, values| {
        let input = format!("{{memberbaseId: $b, {field}: $v}}");
        let result = "notFoundMemberIds notFoundRefs deleted { members }";
        let query = format!("mutation($b: ID!, $v: [{kind}!]!) {{ deleteMembers(input: {input}) {{ {result} }} }}");
        Case::query(name, query, vec![("b", quoted(&world.keys)), ("v", values)])
            .mutation()
            .with_codes(DATA_OR_REJECTED)
    };
    vec![
        case(&format!("deletion of {count} refs"), "String", "refs", refs),
        case(&format!("deletion of {count} ids"), "ID", "memberIds", ids),
    ]
}

/// Long keys that the attribute schema does not declare: the response repeats little of them.
fn unknown_keys(world: &World) -> Case {
    let key = "k".repeat(10_000);
    let rows = listed(size(200, 1_000), |n| format!("{{\"ref\":\"r{n}\",\"attributes\":{{\"{key}{n}\":1}}}}"));
    let result = aliased(10, "results { error { code message path } }");
    let case = upsert("unknown attribute keys of 10 kB", document("onError: SKIP_FAILED", &result), &world.pages, rows);
    let bytes = case.body_bytes();
    case.with_max_body_bytes(2 * bytes)
}

/// Many new members in one call: at most 512 bytes for each.
fn many_rows(world: &World) -> Case {
    let count = size(100_000, 1_000_000);
    let rows = listed(count, |n| format!("{{\"ref\":\"new-{n}\"}}"));
    let case = upsert(format!("{count} new members"), document("mode: UPSERT", "memberIds"), &world.keys, rows);
    let budget = if is_full() { 512 } else { (512 * count as u64) >> 20 };
    case.with_max_growth_mib(budget)
}

/// A call of the RPC API that only reads: the limit of a query's body applies, not that of a mutation's.
fn list_of_the_rpc_api(world: &World) -> Case {
    let filter = format!("{{\"key\":\"ref\",\"eq\":\"{}\"}}", "x".repeat(64 << 20));
    let body = format!("{{\"member_base_id\":\"{}\",\"filters\":[{filter}]}}", world.pages);
    Case::rpc("member/list with a body of 64 MiB", "/publisher.v1/member/list", body.into())
        .with_max_growth_mib(32)
        .with_codes(&["PAYLOAD_TOO_LARGE"])
}
