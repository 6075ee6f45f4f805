//! The permissions of every operation for every kind of caller.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use memberbase::{
    domain::access::Access,
    types::{ApiTokenId, Id, MemberId, MemberbaseId, SyncId},
};
use rstest::rstest;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Caller, Database, Server, missing_memberbase_id};

/// The scope of an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    /// A memberbase that must exist.
    Memberbase,
    /// An object that is null if it does not exist.
    Lookup,
    /// An object, named by its own id, that must exist.
    Thing,
    /// Everything that the token may see.
    Seen,
    /// The whole server.
    Everywhere,
}
use Access::{Admin, Read, Write};
use Target::{Everywhere, Lookup, Seen, Thing};

/// An operation: its root field, the access that it requires, its scope and its document, in which `$mb`, `$m`,
/// `$token`, `$sync` and `$ended` are placeholders for ids.
const OPERATIONS: &[(&str, Access, Target, &str)] = &[
    (
        "memberbaseChanged",
        Read,
        Target::Memberbase,
        r#"subscription { memberbaseChanged(memberbaseId: "$mb") { missed } }"#,
    ),
    ("node", Read, Lookup, r#"{ node(id: "$m") { id } }"#),
    ("node", Read, Lookup, r#"{ node(id: "$mb") { id } }"#),
    ("node", Admin, Lookup, r#"{ node(id: "$token") { id } }"#),
    ("nodes", Read, Lookup, r#"{ nodes(ids: ["$m", "$mb"]) { id } }"#),
    ("nodes", Admin, Lookup, r#"{ nodes(ids: ["$token"]) { id } }"#),
    ("memberbase", Read, Lookup, r#"{ memberbase(id: "$mb") { id } }"#),
    ("memberbases", Read, Seen, "{ memberbases { totalCount nodes { id } } }"),
    ("member", Read, Lookup, r#"{ member(by: {id: "$m"}) { id } }"#),
    ("member", Read, Lookup, r#"{ member(by: {ref: {memberbaseId: "$mb", ref: "a"}}) { id } }"#),
    ("members", Read, Target::Memberbase, r#"{ members(memberbaseId: "$mb") { totalCount nodes { id } } }"#),
    ("membersByRef", Read, Target::Memberbase, r#"{ membersByRef(memberbaseId: "$mb", refs: ["a"]) { id } }"#),
    ("node", Read, Lookup, r#"{ node(id: "$sync") { id } }"#),
    ("sync", Read, Lookup, r#"{ sync(id: "$sync") { id } }"#),
    ("currentApiToken", Read, Seen, "{ currentApiToken { id } }"),
    ("apiTokens", Admin, Seen, "{ apiTokens { totalCount nodes { id } } }"),
    (
        "createMemberbase",
        Admin,
        Everywhere,
        r#"mutation { createMemberbase(input: {name: "x"}) { memberbase { id } } }"#,
    ),
    (
        "updateMemberbase",
        Admin,
        Target::Memberbase,
        r#"mutation { updateMemberbase(input: {memberbaseId: "$mb", name: "x"}) { memberbase { id } } }"#,
    ),
    (
        "deleteMemberbase",
        Admin,
        Target::Memberbase,
        r#"mutation { deleteMemberbase(input: {memberbaseId: "$mb", dryRun: true}) { deletedMemberbaseId } }"#,
    ),
    (
        "setAttributeSchema",
        Admin,
        Target::Memberbase,
        r#"mutation { setAttributeSchema(input: {memberbaseId: "$mb", attributes: []}) { memberbase { id } } }"#,
    ),
    (
        "bulkUpsertMembers",
        Write,
        Target::Memberbase,
        r#"mutation { bulkUpsertMembers(input: {memberbaseId: "$mb", members: [{ref: "a"}]}) { memberIds } }"#,
    ),
    (
        "deleteMembers",
        Write,
        Target::Memberbase,
        r#"mutation { deleteMembers(input: {memberbaseId: "$mb", refs: ["a"], dryRun: true}) { deletedMemberIds } }"#,
    ),
    (
        "bulkUpsertClips",
        Write,
        Target::Memberbase,
        r#"mutation { bulkUpsertClips(input: {memberbaseId: "$mb", clips: [{memberRef: "a", dealId: "d", creativeId: "c"}]}) { clipIds } }"#,
    ),
    (
        "deleteClips",
        Write,
        Target::Memberbase,
        r#"mutation { deleteClips(input: {memberbaseId: "$mb", clipIds: []}) { deletedClipIds } }"#,
    ),
    (
        "bulkUpsertStampCollections",
        Write,
        Target::Memberbase,
        r#"mutation { bulkUpsertStampCollections(input: {memberbaseId: "$mb", stampCollections: []}) { stampCollectionIds } }"#,
    ),
    (
        "deleteStampCollections",
        Write,
        Target::Memberbase,
        r#"mutation { deleteStampCollections(input: {memberbaseId: "$mb", stampCollectionIds: []}) { deletedStampCollectionIds } }"#,
    ),
    (
        "bulkUpsertTransactions",
        Write,
        Target::Memberbase,
        r#"mutation { bulkUpsertTransactions(input: {memberbaseId: "$mb", transactions: []}) { transactionIds } }"#,
    ),
    (
        "deleteTransactions",
        Write,
        Target::Memberbase,
        r#"mutation { deleteTransactions(input: {memberbaseId: "$mb", transactionIds: []}) { deletedTransactionIds } }"#,
    ),
    (
        "startSync",
        Write,
        Target::Memberbase,
        r#"mutation { startSync(input: {memberbaseId: "$mb", abandonOpen: true}) { sync { state } } }"#,
    ),
    ("commitSync", Write, Thing, r#"mutation { commitSync(input: {syncId: "$sync"}) { sync { state } } }"#),
    ("abandonSync", Write, Thing, r#"mutation { abandonSync(input: {syncId: "$ended"}) { sync { state } } }"#),
    (
        "createApiToken",
        Admin,
        Target::Memberbase,
        r#"mutation { createApiToken(input: {description: "x", access: READ, memberbaseId: "$mb"}) { apiToken { id } } }"#,
    ),
    (
        "createApiToken",
        Admin,
        Seen,
        r#"mutation { createApiToken(input: {description: "x", access: READ}) { apiToken { id } } }"#,
    ),
    (
        "revokeApiToken",
        Admin,
        Thing,
        r#"mutation { revokeApiToken(input: {apiTokenId: "$token"}) { apiToken { revokedAt } } }"#,
    ),
];

/// The ids for the placeholders of an operation.
#[derive(Clone)]
struct Ids {
    memberbase: String,
    member: String,
    token: String,
    sync: String,
    ended: String,
}

impl Ids {
    /// Creates a memberbase with one member, a token, a committed sync and an abandoned one.
    async fn create(server: &Server) -> Self {
        let (memberbase, members) = server.base_of(1).await;
        let upserted = server.writer().await.upsert(&memberbase, &["a"]).await.data();
        let member = upserted["bulkUpsertMembers"]["memberIds"][0].as_str().unwrap().to_owned();
        assert_ne!(member, members[0]);
        let (token, _) = server.token(Read, Some(MemberbaseId::parse(&memberbase).unwrap()), None).await;
        let writer = server.writer().await;
        let sync = writer.start(&memberbase).await;
        writer.commit(&sync, json!({})).await;
        let ended = writer.start(&memberbase).await;
        writer.abandon(&ended).await;
        Self { memberbase, member, token: token.to_string(), sync, ended }
    }

    /// Returns ids of objects that do not exist.
    fn missing() -> Self {
        Self {
            memberbase: missing_memberbase_id(),
            member: MemberId::from_uuid(Uuid::now_v7()).to_string(),
            token: ApiTokenId::from_uuid(Uuid::now_v7()).to_string(),
            sync: SyncId::from_uuid(Uuid::now_v7()).to_string(),
            ended: SyncId::from_uuid(Uuid::now_v7()).to_string(),
        }
    }

    fn put(&self, query: &str) -> String {
        let query = query.replace("$mb", &self.memberbase).replace("$m", &self.member).replace("$token", &self.token);
        query.replace("$sync", &self.sync).replace("$ended", &self.ended)
    }

    /// Replaces these ids in a text.
    fn hide(&self, text: &str) -> String {
        let text = text.replace(&self.memberbase, "MB").replace(&self.member, "M").replace(&self.token, "TOKEN");
        text.replace(&self.sync, "SYNC").replace(&self.ended, "ENDED")
    }
}

/// Reduces a response to its status with its code and message, or its data, without the ids that the request named.
async fn outcome(caller: &Caller, ids: &Ids, query: &str) -> (u16, String) {
    let (status, json) = if query.starts_with("subscription") {
        subscribe(caller, &ids.put(query)).await
    } else {
        let response = caller.graphql(&ids.put(query), json!({})).await;
        (response.status, response.json())
    };
    let result = match &json["errors"] {
        Value::Null => json["data"].to_string(),
        errors => format!("{} {}", errors[0]["extensions"]["code"].as_str().unwrap(), errors[0]["message"]),
    };
    (status.as_u16(), ids.hide(&result))
}

/// Subscribes, and returns the status and the first event or the error.
async fn subscribe(caller: &Caller, query: &str) -> (StatusCode, Value) {
    match caller.subscribe(query, json!({})).await {
        Ok(mut events) => match events.first().await {
            None => (StatusCode::OK, json!({"data": {"memberbaseChanged": "listens"}})),
            Some(event) => (StatusCode::OK, event.response()),
        },
        Err(response) => (response.status, response.json()),
    }
}

fn is_empty(data: &str) -> bool {
    let data: Value = serde_json::from_str(data).unwrap();
    let all_null = |list: &Vec<Value>| list.iter().all(Value::is_null);
    data.as_object().unwrap().values().all(|field| field.is_null() || field.as_array().is_some_and(all_null))
}

#[rstest]
#[tokio::test]
async fn every_operation_is_permitted_by_its_rule(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (existing, elsewhere, nothing) = (Ids::create(&server).await, Ids::create(&server).await, Ids::missing());
    let mut callers = vec![];
    for access in [Read, Write, Admin] {
        callers.push((access, None, server.with_secret(&server.token(access, None, None).await.1)));
        for bound in [&existing, &elsewhere] {
            callers.push((access, Some(bound), server.bound(access, &bound.memberbase).await));
        }
    }
    for &(field, needed, target, query) in OPERATIONS {
        assert!(query.contains(&format!("{field}(")) || query.contains(&format!("{field} {{")), "{field}: {query}");
        let (status, result) = outcome(&server.anonymous(), &existing, query).await;
        assert!(status == 401 && result.starts_with("UNAUTHENTICATED"), "{query} without a token: {result}");
        for (access, bound, caller) in &callers {
            let label =
                format!("{query} as {access:?} of {:?}", bound.map(|ids| ids.memberbase == existing.memberbase));
            let (_, result) = outcome(caller, &existing, query).await;
            let (_, result_for_missing) = outcome(caller, &nothing, query).await;
            let outside = bound.is_some_and(|bound| bound.memberbase != existing.memberbase);
            let names_something = !matches!(target, Seen | Everywhere);
            if target == Lookup && (*access < needed || outside) {
                assert!(is_empty(&result), "{label}: {result}");
            } else if *access < needed || target == Everywhere && bound.is_some() {
                assert!(result.starts_with("FORBIDDEN"), "{label}: {result}");
            } else if outside && names_something {
                assert!(result.starts_with("NOT_FOUND"), "{label}: {result}");
            } else {
                assert!(result.starts_with('{') && !is_empty(&result), "{label}: {result}");
            }
            if *access < needed || outside && names_something {
                assert_eq!(result, result_for_missing, "{label}: differs from a missing object");
            } else if names_something {
                assert_ne!(result, result_for_missing, "{label}");
            }
        }
    }
}

#[tokio::test]
async fn every_operation_of_the_schema_is_tested() {
    let server = Server::start(Database::Sqlite).await;
    let query = "{ __schema { queryType { fields { name } } mutationType { fields { name } } \
        subscriptionType { fields { name } } } }";
    let schema = server.reader().await.graphql(query, json!({})).await.data();
    let names = |kind: &str| {
        let fields = schema["__schema"][kind]["fields"].as_array().unwrap().clone();
        fields.into_iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let all = &(&names("queryType") | &names("mutationType")) | &names("subscriptionType");
    assert_eq!(all, OPERATIONS.iter().map(|(name, ..)| (*name).to_owned()).collect());
}
