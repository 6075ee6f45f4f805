//! The `memberbaseChanged` subscription: which changes it delivers, to whom, and when it ends.

mod limits;
mod multipart;
mod older_subprotocol;
mod servers;
mod socket;
mod websocket;
mod websocket_operations;

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, header},
};
use memberbase::{
    domain::access::Access,
    types::{Id, Limits, LiveLimits, MemberbaseId, MemoryLimits, Time},
};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{ApiResponse, CHANGED, Caller, Database, Events, Server, missing_memberbase_id};

/// The expected change with these members.
fn change(base: &str, created: &[&Value], updated: &[&Value], deleted: &[&Value]) -> Value {
    json!({
        "memberbaseId": base, "created": created.len(), "updated": updated.len(), "deleted": deleted.len(),
        "createdMemberIds": created, "updatedMemberIds": updated, "deletedMemberIds": deleted,
        "truncated": false, "missed": false,
    })
}

/// Returns the next change with its lists sorted.
async fn next_change(events: &mut Events) -> Value {
    let mut change = events.change().await;
    for list in ["createdMemberIds", "updatedMemberIds", "deletedMemberIds"] {
        change[list].as_array_mut().unwrap().sort_by_key(ToString::to_string);
    }
    change
}

async fn ids(caller: &Caller, base: &str, refs: &[&str]) -> Vec<Value> {
    let data = caller.upsert(base, refs).await.data();
    data["bulkUpsertMembers"]["memberIds"].as_array().unwrap().clone()
}

/// Sends a mutation with an input that names the memberbase.
async fn mutate(caller: &Caller, field: &str, base: &str, mut input: Value, selection: &str) -> ApiResponse {
    let kind = format!("{}{}Input", field[..1].to_uppercase(), &field[1..]);
    input["memberbaseId"] = json!(base);
    caller
        .graphql(
            &format!("mutation($input: {kind}!) {{ {field}(input: $input) {{ {selection} }} }}"),
            json!({"input": input}),
        )
        .await
}

#[rstest]
#[tokio::test]
async fn each_write_of_members_is_one_event(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    let other = server.memberbase("other").await;
    let schema = json!({"attributes": [{"key": "n", "type": "NUMBER"}]});
    mutate(&admin, "setAttributeSchema", &base, schema, "memberbase { id }").await.data();
    let mut events = server.bound(Access::Read, &base).await.subscribe_to(&base).await;

    let first = ids(&admin, &base, &["a", "b"]).await;
    let [a, b] = [&first[0], &first[1]];
    assert_eq!(next_change(&mut events).await, change(&base, &[a, b], &[], &[]));

    // No event: an unchanged row, another memberbase, a failed call, a dry run, and a deletion that matches no member.
    ids(&admin, &base, &["a", "b", "a"]).await;
    ids(&admin, &other, &["a", "b"]).await;
    admin.upsert(&base, &["c", ""]).await.error();
    admin.upsert_with(json!({"memberbaseId": base, "members": [{"ref": "c"}], "dryRun": true})).await.data();
    admin.delete_with(json!({"memberbaseId": base, "refs": ["a"], "dryRun": true})).await.data();
    admin.delete_with(json!({"memberbaseId": base, "refs": ["nobody"]})).await.data();
    admin.delete_with(json!({"memberbaseId": base, "refs": ["a", "b"], "atMost": 1})).await.error();
    mutate(&admin, "updateMemberbase", &base, json!({"name": "new"}), "memberbase { id }").await.data();
    mutate(&admin, "deleteMemberbase", &base, json!({"dryRun": true}), "deletedMemberbaseId").await.data();

    let rows = json!([{"ref": "b", "attributes": {"n": 1}}, {"ref": "a"}, {"ref": "c"}, {"ref": "b", "attributes": {"n": 2}}, {"ref": ""}]);
    let mixed = json!({"memberbaseId": base, "members": rows, "onError": "SKIP_FAILED"});
    let c = admin.upsert_with(mixed).await.data()["bulkUpsertMembers"]["memberIds"][2].take();
    assert_eq!(next_change(&mut events).await, change(&base, &[&c], &[b], &[]));

    let value =
        json!([{"member_id": a, "attribute_key": "n", "value": 7}, {"member_id": b, "attribute_key": "n", "value": 2}]);
    admin.called("member.attributes/set", json!({"member_base_id": base, "attributes": value})).await;
    assert_eq!(next_change(&mut events).await, change(&base, &[], &[a], &[]));
    admin.called("member.attributes/set", json!({"member_base_id": base, "attributes": value})).await;
    admin.called("member.attributes/delete", json!({"member_base_id": base, "delete_all": true})).await;
    assert_eq!(next_change(&mut events).await, change(&base, &[], &[a, b], &[]));
    admin.called("member.attributes/delete", json!({"member_base_id": base, "delete_all": true})).await;

    admin.delete_with(json!({"memberbaseId": base, "refs": ["a", "nobody"], "memberIds": [a, b]})).await.data();
    assert_eq!(next_change(&mut events).await, change(&base, &[], &[], &[a, b]));
}

#[rstest]
#[tokio::test]
async fn change_of_a_child_is_an_update_of_its_member(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    let all = ids(&admin, &base, &["a", "b", "c"]).await;
    let [a, b, _] = [&all[0], &all[1], &all[2]];
    let mut events = server.reader().await.subscribe_to(&base).await;

    let clips = json!({"clips": [
        {"memberRef": "b", "dealId": "1", "creativeId": "x"}, {"memberRef": "a", "dealId": "1", "creativeId": "x"},
        {"memberRef": "b", "dealId": "2", "creativeId": "x"},
    ]});
    let mut dry = clips.clone();
    dry["dryRun"] = json!(true);
    mutate(&admin, "bulkUpsertClips", &base, dry, "clipIds").await.data();
    let made = mutate(&admin, "bulkUpsertClips", &base, clips.clone(), "clipIds").await.data();
    assert_eq!(next_change(&mut events).await, change(&base, &[], &[a, b], &[]));
    mutate(&admin, "bulkUpsertClips", &base, clips, "clipIds").await.data();

    let stamps = json!({"stampCollections": [{"memberRef": "a", "loyaltyProgramId": "1", "stamps": 3}]});
    let stamps = mutate(&admin, "bulkUpsertStampCollections", &base, stamps, "stampCollectionIds").await.data();
    assert_eq!(next_change(&mut events).await, change(&base, &[], &[a], &[]));

    let event = json!({
        "memberRef": "b", "externalId": "1", "authCode": "a", "network": "VISA", "bin": "400000", "merchantId": "m",
        "authedAt": "2026-01-31T12:00:00Z",
    });
    let bad = json!({"memberRef": "nobody", "externalId": "2", "authCode": "a", "network": "VISA", "bin": "400000",
        "merchantId": "m", "authedAt": "2026-01-31T12:00:00Z"});
    let input = json!({"transactions": [event, bad], "onError": "SKIP_FAILED"});
    let made_of_b = mutate(&admin, "bulkUpsertTransactions", &base, input, "transactionIds").await.data();
    assert_eq!(next_change(&mut events).await, change(&base, &[], &[b], &[]));
    let ingested = json!({"events": [{
        "member_id": a, "external_id": "3", "auth_code": "a", "network": "visa", "bin": "400000", "merchant_id": "m",
        "authed_at": "2026-01-31T12:00:00Z", "amount": 350, "currency": "GBP", "new": true,
    }]});
    admin.called("transaction/ingest", ingested.clone()).await;
    assert_eq!(next_change(&mut events).await, change(&base, &[], &[a], &[]));
    admin.called("transaction/ingest", ingested).await;

    let clips = made["bulkUpsertClips"]["clipIds"].as_array().unwrap();
    let gone = json!({"clipIds": [clips[0], clips[2]]});
    mutate(&admin, "deleteClips", &base, gone.clone(), "deletedClipIds").await.data();
    assert_eq!(next_change(&mut events).await, change(&base, &[], &[b], &[]));
    mutate(&admin, "deleteClips", &base, gone, "deletedClipIds").await.data();
    let gone = json!({"stampCollectionIds": stamps["bulkUpsertStampCollections"]["stampCollectionIds"]});
    mutate(&admin, "deleteStampCollections", &base, gone, "deletedStampCollectionIds").await.data();
    assert_eq!(next_change(&mut events).await, change(&base, &[], &[a], &[]));
    let gone = json!({"transactionIds": [made_of_b["bulkUpsertTransactions"]["transactionIds"][0]]});
    mutate(&admin, "deleteTransactions", &base, gone, "deletedTransactionIds").await.data();
    assert_eq!(next_change(&mut events).await, change(&base, &[], &[b], &[]));
}

#[rstest]
#[tokio::test]
async fn commit_publishes_deletions_and_memberbase_deletion_ends_the_subscription(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    let all = ids(&admin, &base, &["a", "b", "c"]).await;
    let mut events = admin.subscribe_to(&base).await;

    let sync = admin.start(&base).await;
    ids(&admin, &base, &["b"]).await;
    admin.try_commit(&sync, json!({"onMissing": "DELETE"})).await.error();
    admin.commit(&sync, json!({"onMissing": "DELETE", "maxDeletedPercent": 100})).await;
    assert_eq!(next_change(&mut events).await, change(&base, &[], &[], &[&all[0], &all[2]]));
    admin.commit(&sync, json!({"onMissing": "DELETE", "maxDeletedPercent": 100})).await;
    let sync = admin.start(&base).await;
    admin.commit(&sync, json!({})).await;

    mutate(&admin, "deleteMemberbase", &base, json!({"atMostMembers": 0}), "deletedMemberbaseId").await.error();
    mutate(&admin, "deleteMemberbase", &base, json!({}), "deletedMemberbaseId").await.data();
    assert_eq!(next_change(&mut events).await, change(&base, &[], &[], &[&all[1]]));
    assert!(events.next().await.unwrap().is_complete());
    assert_eq!(events.next().await, None);
    assert!(!server.app.changes.has_subscribers(), "there is still a subscriber");
}

#[rstest]
#[tokio::test]
async fn event_with_more_than_a_thousand_ids_is_truncated(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    let mut events = admin.subscribe_to(&base).await;
    for (count, truncated) in [(1_000, false), (1_001, true)] {
        let refs: Vec<_> = (0..count).map(|n| format!("{count}-{n}")).collect();
        ids(&admin, &base, &refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let received = events.change().await;
        assert_eq!((&received["created"], &received["truncated"]), (&json!(count), &json!(truncated)));
        assert_eq!(received["createdMemberIds"].as_array().unwrap().len(), if truncated { 0 } else { 1_000 });
    }
    mutate(&admin, "deleteMemberbase", &base, json!({}), "deletedMemberbaseId").await.data();
    let received = events.change().await;
    assert_eq!((&received["deleted"], &received["truncated"]), (&json!(2_001), &json!(true)));
}

#[rstest]
#[tokio::test]
async fn each_subscription_gets_what_its_document_selects(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let live = LiveLimits { buffer: 2, ..LiveLimits::default() };
    let server = Server::with(database, Limits { live, ..Limits::default() }).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    let conditional = "subscription($id: ID!, $list: Boolean!) { changed: memberbaseChanged(memberbaseId: $id) { \
        deleted created __typename ids: createdMemberIds @include(if: $list) truncated @skip(if: $list) } }";
    let missed = "subscription($id: ID!) { memberbaseChanged(memberbaseId: $id) { missed created } }";
    let mut all = Vec::new();
    for caller in [&admin, &server.reader().await] {
        for list in [true, false] {
            all.push((list, caller.subscribe(conditional, json!({"id": base, "list": list})).await.unwrap()));
        }
    }
    let mut slow = admin.subscribe(missed, json!({"id": base})).await.unwrap();
    let mut quick = admin.subscribe(missed, json!({"id": base})).await.unwrap();
    for n in 0..20 {
        let created = ids(&admin, &base, &[&format!("{n}")]).await;
        for (list, events) in &mut all {
            let expected = if *list {
                json!({"deleted": 0, "created": 1, "__typename": "MemberbaseChange", "ids": created})
            } else {
                json!({"deleted": 0, "created": 1, "__typename": "MemberbaseChange", "truncated": false})
            };
            let event = events.next().await.expect("an event");
            // The text is compared, because the keys have the order of the selection.
            assert_eq!(event.1, format!(r#"{{"data":{{"changed":{}}}}}"#, ordered(&expected)));
        }
        assert_eq!(quick.change().await, json!({"missed": false, "created": 1}));
    }
    // The last two changes have one document and two forms.
    let mut received = Vec::new();
    while received.len() + usize::try_from(server.app.changes.counts().missed).unwrap() < 20 {
        received.push(slow.change().await["missed"] == true);
    }
    assert_eq!(received.iter().filter(|missed| **missed).count(), 1, "{received:?}");
}

/// Writes a change with its keys in the order of the document that the test above sends.
fn ordered(change: &Value) -> String {
    let keys = ["deleted", "created", "__typename", "ids", "truncated"];
    let fields = keys.iter().filter_map(|key| Some(format!("\"{key}\":{}", change.get(*key)?)));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

#[tokio::test]
async fn event_without_memory_is_reported_by_the_next_one() {
    // Some 4 MiB for all requests, of which a quarter is for events.
    let memory = MemoryLimits { process: 70 << 20, ..MemoryLimits::default() };
    let server = Server::with(Database::Sqlite, Limits { memory, ..Limits::default() }).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let lists: String = (0..45).map(|n| format!("a{n}: createdMemberIds ")).collect();
    let query = format!("subscription($id: ID!) {{ memberbaseChanged(memberbaseId: $id) {{ missed {lists} }} }}");
    let mut events = writer.subscribe(&query, json!({"id": base})).await.unwrap();
    let refs: Vec<_> = (0..1_000).map(|n| n.to_string()).collect();
    ids(&writer, &base, &refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let refused = events.next().await.expect("an event").response();
    assert_eq!(refused["errors"][0]["extensions"]["code"], "SERVICE_UNAVAILABLE", "{refused}");
    for missed in [true, false] {
        ids(&writer, &base, &[if missed { "x" } else { "y" }]).await;
        assert_eq!(events.change().await["missed"], missed);
    }
}

#[rstest]
#[tokio::test]
async fn slow_subscriber_gets_missed_and_slows_no_writer(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let live = LiveLimits { buffer: 4, ..LiveLimits::default() };
    let server = Server::with(database, Limits { live, ..Limits::default() }).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let (mut slow, mut quick) = (writer.subscribe_to(&base).await, writer.subscribe_to(&base).await);
    for n in 0..30 {
        ids(&writer, &base, &[&format!("{n}")]).await;
        assert_eq!(quick.change().await["missed"], false);
    }
    let (mut received, mut missed) = (0, Vec::new());
    loop {
        let change = slow.change().await;
        received += 1;
        if change["missed"] == true {
            missed.push(received);
        }
        // Four changes wait in the queue, and a few are in transit.
        if received + usize::try_from(server.app.changes.counts().missed).unwrap() == 30 {
            break;
        }
    }
    assert!(received < 15 && missed.len() == 1, "{received} changes received, missed set in {missed:?}");
    ids(&writer, &base, &["more"]).await;
    assert_eq!(slow.change().await["missed"], false);
}

#[rstest]
#[tokio::test]
async fn revoked_token_ends_its_subscriptions(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (base, admin) = (server.memberbase("b").await, server.admin().await);
    let bound = Some(MemberbaseId::parse(&base).unwrap());
    let (revoked, secret) = server.token(Access::Read, bound, None).await;
    let mut of_revoked = server.with_secret(&secret).subscribe_to(&base).await;
    let soon = Time::from_micros(Time::now().micros() + 2_000_000);
    let (_, secret) = server.token(Access::Read, None, Some(soon)).await;
    let mut of_expiring = server.with_secret(&secret).subscribe_to(&base).await;
    let mut stays = admin.subscribe_to(&base).await;

    admin
        .graphql(
            "mutation($id: ID!) { revokeApiToken(input: {apiTokenId: $id}) { apiToken { id } } }",
            json!({"id": revoked.to_string()}),
        )
        .await
        .data();
    for events in [&mut of_revoked, &mut of_expiring] {
        let response = events.next().await.unwrap().response();
        assert_eq!(response["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{response}");
        assert!(events.next().await.unwrap().is_complete());
        assert_eq!(events.next().await, None);
    }
    ids(&admin, &base, &["a"]).await;
    assert_eq!(stays.change().await["created"], 1);
}

#[rstest]
#[tokio::test]
async fn changes_outside_the_token_are_not_delivered(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (here, elsewhere, never) =
        (server.memberbase("b").await, server.memberbase("c").await, missing_memberbase_id());
    let anonymous = server.anonymous().subscribe(CHANGED, json!({"id": here})).await.err().unwrap();
    assert_eq!((anonymous.status.as_u16(), &*anonymous.code()), (401, "UNAUTHENTICATED"));
    let bound = server.bound(Access::Admin, &here).await;
    for base in [&elsewhere, &never] {
        let mut events = bound.subscribe(CHANGED, json!({"id": base})).await.ok().unwrap();
        let response = events.first().await.unwrap().response();
        assert_eq!(response["errors"][0]["message"], format!("memberbase {base} does not exist"));
        assert_eq!(response["errors"][0]["extensions"]["code"], "NOT_FOUND");
        assert_eq!(response["data"], Value::Null);
        assert!(events.next().await.unwrap().is_complete());
    }
    let mut events = bound.subscribe_to(&here).await;
    ids(&server.writer().await, &elsewhere, &["a"]).await;
    ids(&server.writer().await, &here, &["a"]).await;
    assert_eq!(events.change().await["memberbaseId"], here);
}

#[tokio::test]
async fn subscription_is_validated_like_every_operation() {
    let server = Server::start(Database::Sqlite).await;
    let (base, reader) = (server.memberbase("b").await, server.reader().await);
    let field = format!("memberbaseChanged(memberbaseId: \"{base}\") {{ created }}");
    let nested = "{ a ".repeat(70) + &"}".repeat(70);
    for (query, code) in [
        (format!("subscription {{ x: {field} y: {field} }}"), "GRAPHQL_VALIDATION_FAILED"),
        (
            format!("subscription($x: Boolean!) {{ {} }}", field.replace(" {", " @skip(if: $x) {")),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("subscription { __typename }".to_owned(), "GRAPHQL_VALIDATION_FAILED"),
        (format!("subscription {{ {} }}", field.replace("created", "nothing")), "GRAPHQL_VALIDATION_FAILED"),
        (format!("subscription {nested}"), "LIMIT_EXCEEDED"),
        ("subscription {".to_owned(), "GRAPHQL_PARSE_FAILED"),
        ("subscription { memberbaseChanged(memberbaseId: \"m_1\") { created } }".to_owned(), "BAD_USER_INPUT"),
    ] {
        let mut events = reader.subscribe(&query, json!({})).await.unwrap();
        let response = events.first().await.expect("an error").response();
        assert_eq!(response["errors"][0]["extensions"]["code"], code, "{query}: {response}");
        assert!(response["errors"][0]["extensions"]["traceId"].is_string(), "{response}");
        assert!(events.next().await.unwrap().is_complete());
    }
    let plain = reader.graphql(&format!("subscription {{ {field} }}"), json!({})).await;
    assert_eq!((plain.status.as_u16(), &*plain.code()), (406, "BAD_REQUEST"));
    let mut whole = reader.subscribe("{ currentApiToken { access } }", json!({})).await.unwrap();
    assert_eq!(whole.first().await.unwrap().response(), json!({"data": {"currentApiToken": {"access": "READ"}}}));
    assert!(whole.next().await.unwrap().is_complete());
    assert_eq!(whole.next().await, None);
}

#[tokio::test]
async fn subscription_can_be_requested_by_get() {
    let server = Server::start(Database::Sqlite).await;
    let (base, reader) = (server.memberbase("b").await, server.reader().await);
    let query = format!("subscription{{memberbaseChanged(memberbaseId:%22{base}%22){{created%20missed}}}}");
    let request = Request::get(format!("/graphql?query={query}")).header(header::ACCEPT, "text/event-stream");
    let response = reader.open(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream; charset=utf-8");
    let mut events = Events::of(response);
    assert_eq!(events.first().await, None);
    ids(&server.writer().await, &base, &["a"]).await;
    assert_eq!(events.change().await, json!({"created": 1, "missed": false}));
}

#[tokio::test]
async fn stopping_server_ends_its_streams_without_complete() {
    let server = Server::start(Database::Sqlite).await;
    let base = server.memberbase("b").await;
    let mut events = server.reader().await.subscribe_to(&base).await;
    server.stopping.cancel();
    // Without `complete`: with it, clients would not reconnect.
    assert_eq!(events.next().await, None);
    server.tasks.close();
    tokio::time::timeout(Duration::from_secs(5), server.tasks.wait()).await.expect("all tasks end");
}

#[tokio::test]
async fn disconnected_client_leaves_no_subscription() {
    let server = Server::start(Database::Sqlite).await;
    let base = server.memberbase("b").await;
    let events = server.reader().await.subscribe_to(&base).await;
    assert!(server.app.changes.has_subscribers());
    drop(events);
    for _ in 0..100 {
        if !server.app.changes.has_subscribers() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("the subscription is still there");
}
