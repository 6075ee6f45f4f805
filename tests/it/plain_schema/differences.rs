//! Valid operations for which async-graphql alone has other data. Our executor follows the specification
//! (<https://spec.graphql.org/draft/>).

pub struct Difference {
    pub reason: &'static str,
    pub document: &'static str,
    /// The data of async-graphql alone as JSON; `None` if it rejects the operation.
    pub plain: Option<&'static str>,
    /// The data of our executor as JSON.
    pub ours: &'static str,
}

pub const DIFFERENCES: &[Difference] = &[
    Difference {
        reason: "async-graphql makes null of an object of which nothing is selected",
        document: "query($base: ID!, $yes: Boolean!) { memberbase(id: $base) { id @skip(if: $yes) } }",
        plain: Some(r#"{"memberbase": null}"#),
        ours: r#"{"memberbase": {}}"#,
    },
    Difference {
        reason: "as above, if no fragment applies to the type of the object",
        document: "query($member: ID!) { node(id: $member) { ... on Clip { id } } }",
        plain: Some(r#"{"node": null}"#),
        ours: r#"{"node": {}}"#,
    },
    Difference {
        reason: "async-graphql can't merge lists that resolvers write as JSON: the last one is kept",
        document: "query($base: ID!) { members(memberbaseId: $base, first: 1) { nodes { ref } nodes { __typename } } }",
        plain: Some(r#"{"members": {"nodes": [{"ref": "ada"}]}}"#),
        ours: r#"{"members": {"nodes": [{"ref": "ada", "__typename": "Member"}]}}"#,
    },
    Difference {
        reason: "async-graphql runs a mutation as often as the document has it under the same key",
        document: "mutation($base: ID!) { \
            bulkUpsertMembers(input: {memberbaseId: $base, members: {ref: \"eve\"}}) { summary { created } } \
            bulkUpsertMembers(input: {memberbaseId: $base, members: {ref: \"eve\"}}) { results { outcome } } }",
        plain: Some(r#"{"bulkUpsertMembers": {"summary": {"created": 1}, "results": [{"outcome": "UNCHANGED"}]}}"#),
        ours: r#"{"bulkUpsertMembers": {"summary": {"created": 1}, "results": [{"outcome": "CREATED"}]}}"#,
    },
    Difference {
        reason: "async-graphql makes null of an absent variable in a field that has a default",
        document: "query($base: ID!, $absent: OrderDirection) { members(memberbaseId: $base, first: 1, \
            orderBy: {field: REF, direction: $absent}) { nodes { ref } } }",
        plain: None,
        ours: r#"{"members": {"nodes": [{"ref": "ada"}]}}"#,
    },
    Difference {
        reason: "async-graphql rejects a JSON number with a fraction of zero as an Int",
        document: "query($base: ID!, $whole: Int) { members(memberbaseId: $base, first: $whole) { nodes { ref } } }",
        plain: None,
        ours: r#"{"members": {"nodes": [{"ref": "ada"}]}}"#,
    },
    Difference {
        reason: "async-graphql does not apply the default of a variable in @skip and @include",
        document: "query($base: ID!, $default: Boolean = true) { memberbase(id: $base) { \
            __typename @skip(if: $default) name @include(if: $default) type: __typename } }",
        plain: Some(r#"{"memberbase": {"__typename": "Memberbase", "type": "Memberbase"}}"#),
        ours: r#"{"memberbase": {"name": "of some", "type": "Memberbase"}}"#,
    },
    Difference {
        reason: "async-graphql does not parse surrogate pairs",
        document: r#"query($base: ID!) { membersByRef(memberbaseId: $base, refs: ["\ud83d\ude00"]) { ref } }"#,
        plain: None,
        ours: r#"{"membersByRef": [null]}"#,
    },
    Difference {
        reason: "async-graphql does not parse escapes in braces",
        document: r#"query($base: ID!) { membersByRef(memberbaseId: $base, refs: ["\u{61}da"]) { ref } }"#,
        plain: None,
        ours: r#"{"membersByRef": [{"ref": "ada"}]}"#,
    },
    Difference {
        reason: "async-graphql returns the description of the type __Schema",
        document: "{ __schema { description } }",
        plain: Some(
            "{\"__schema\": {\"description\": \"A GraphQL Schema defines the capabilities of a GraphQL server. It \
            exposes all available types and directives on the server, as well as the entry points for query, mutation, \
            and subscription operations.\"}}",
        ),
        ours: r#"{"__schema": {"description": null}}"#,
    },
    Difference {
        reason: "async-graphql lists directives by name, and has no `interfaces` of an interface",
        document: "{ __schema { directives { name } } __type(name: \"Node\") { interfaces { name } } }",
        plain: Some(
            r#"{"__schema": {"directives": [{"name": "deprecated"}, {"name": "include"}, {"name": "oneOf"},
                {"name": "skip"}, {"name": "specifiedBy"}]}, "__type": {"interfaces": null}}"#,
        ),
        ours: r#"{"__schema": {"directives": [{"name": "skip"}, {"name": "include"}, {"name": "deprecated"},
            {"name": "specifiedBy"}, {"name": "oneOf"}]}, "__type": {"interfaces": []}}"#,
    },
    Difference {
        reason: "async-graphql lists the types of an interface in the order of their registration",
        document: "{ __type(name: \"Node\") { possibleTypes { name } } }",
        plain: Some(
            r#"{"__type": {"possibleTypes": [{"name": "Memberbase"}, {"name": "Member"}, {"name": "Clip"},
                {"name": "StampCollection"}, {"name": "Transaction"}, {"name": "ApiToken"}, {"name": "Sync"}]}}"#,
        ),
        ours: r#"{"__type": {"possibleTypes": [{"name": "ApiToken"}, {"name": "Clip"}, {"name": "Member"},
            {"name": "Memberbase"}, {"name": "StampCollection"}, {"name": "Sync"}, {"name": "Transaction"}]}}"#,
    },
    Difference {
        reason: "the introspection types are apollo-compiler's, from the specification of October 2021",
        document: "{ __type(name: \"__Field\") { fields { args { type { kind } } } } }",
        plain: Some(
            r#"{"__type": {"fields": [{"args": []}, {"args": []}, {"args": [{"type": {"kind": "NON_NULL"}}]},
                {"args": []}, {"args": []}, {"args": []}]}}"#,
        ),
        ours: r#"{"__type": {"fields": [{"args": []}, {"args": []}, {"args": [{"type": {"kind": "SCALAR"}}]},
            {"args": []}, {"args": []}, {"args": []}]}}"#,
    },
    Difference {
        reason: "the built-in scalars are apollo-compiler's",
        document: "{ __type(name: \"Int\") { description } }",
        plain: Some(
            r#"{"__type": {"description": "The `Int` scalar type represents non-fractional whole numeric values."}}"#,
        ),
        ours: "{\"__type\": {\"description\": \"The `Int` scalar type represents non-fractional signed whole numeric \
            values. Int can represent values between -(2^31) and 2^31 - 1.\"}}",
    },
];
