//! The GraphQL documents of the operations.

use super::api::{CHILD_TYPES, ChildType};

const BASE: &str = "__typename id name updatedAt attributeSchema { key type }";
const MEMBER: &str = "__typename id ref memberbaseId attributes updatedAt sourceUpdatedAt";
const DELETED: &str = "deleted { members attributes clips stampCollections transactions }";
const TOKEN: &str = "__typename id access boundTo: memberbaseId revokedAt";
const PAGE: &str = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount";
const PAGING: &str = "first: $first, after: $after, last: $last, before: $before";
const RESULTS: &str =
    "outcome error { code message path } } summary { created updated unchanged stale skipped failed }";

fn sync() -> String {
    format!("__typename id state seen missing {DELETED} endedAt")
}

fn child(kind: &ChildType) -> String {
    let fields: Vec<_> = kind.fields.iter().map(|(field, _)| *field).collect();
    format!("__typename id {} member {{ id }} {} updatedAt", kind.key, fields.join(" "))
}

/// Returns the document of an operation.
pub fn document(operation: &str) -> String {
    let paging = "$first: Int, $after: String, $last: Int, $before: String";
    match operation {
        "members" => format!(
            "query($memberbaseId: ID!, $filter: MemberFilter, $orderBy: MemberOrder, {paging}) {{ \
            members(memberbaseId: $memberbaseId, filter: $filter, orderBy: $orderBy, {PAGING}) \
            {{ edges {{ cursor node {{ {MEMBER} }} }} {PAGE} }} }}"
        ),
        "memberbase" => format!(
            "query($id: ID!, {paging}) {{ memberbase(id: $id) {{ {BASE} \
            syncs({PAGING}) {{ edges {{ cursor node {{ {} }} }} {PAGE} }} }} }}",
            sync()
        ),
        "membersByRef" => {
            let list = |(kind, size): (&ChildType, &str)| {
                let (field, child) = (kind.field, child(kind));
                format!("{field}({size}: 2) {{ edges {{ cursor node {{ {child} }} }} {PAGE} }} ")
            };
            let lists: String = CHILD_TYPES.iter().zip(["first", "last", "first"]).map(list).collect();
            format!(
                "query($memberbaseId: ID!, $refs: [String!]!) {{ \
                membersByRef(memberbaseId: $memberbaseId, refs: $refs) {{ {MEMBER} {lists} }} }}"
            )
        }
        "nodes" => {
            let on = |(name, fields): (&str, String)| format!("... on {name} {{ {fields} }} ");
            let children = CHILD_TYPES.iter().map(|kind| (kind.name, child(kind)));
            let others = [("Memberbase", BASE), ("Member", MEMBER), ("ApiToken", TOKEN)]
                .map(|(name, fields)| (name, fields.to_owned()));
            let types: String = children.chain(others).chain([("Sync", sync())]).map(on).collect();
            format!("query($ids: [ID!]!) {{ nodes(ids: $ids) {{ {types} }} }}")
        }
        _ => match operation.strip_prefix("member:") {
            Some(field) => {
                let kind = CHILD_TYPES.iter().find(|kind| kind.field == field).unwrap();
                format!(
                    "query($by: MemberBy!, {paging}) {{ member(by: $by) {{ {MEMBER} \
                    {field}({PAGING}) {{ edges {{ cursor node {{ {} }} }} {PAGE} }} }} }}",
                    child(kind)
                )
            }
            None => {
                let title = operation[..1].to_uppercase() + &operation[1..];
                format!("mutation($input: {title}Input!) {{ {operation}(input: $input) {{ {} }} }}", payload(operation))
            }
        },
    }
}

fn payload(operation: &str) -> String {
    match operation {
        "createMemberbase" | "updateMemberbase" | "setAttributeSchema" => format!("memberbase {{ {BASE} }}"),
        "deleteMemberbase" => format!("deletedMemberbaseId {DELETED}"),
        "bulkUpsertMembers" => format!("memberIds results {{ index ref memberId {RESULTS} members {{ {MEMBER} }}"),
        "deleteMembers" => format!("deletedMemberIds notFoundMemberIds notFoundRefs {DELETED}"),
        "startSync" | "commitSync" | "abandonSync" => format!("sync {{ {} }}", sync()),
        "createApiToken" => format!("apiToken {{ {TOKEN} }} secret"),
        "revokeApiToken" => format!("apiToken {{ {TOKEN} }}"),
        _ => {
            let kind = CHILD_TYPES.iter().find(|kind| operation.ends_with(kind.plural)).unwrap();
            let (name, field, singular) = (kind.name, kind.field, kind.field.trim_end_matches('s'));
            match operation.starts_with("delete") {
                true => format!("deleted{name}Ids notFound{name}Ids"),
                false => format!("{singular}Ids results {{ index nodeId {RESULTS} {field} {{ {} }}", child(kind)),
            }
        }
    }
}
