//! Operations over a WebSocket with graphql-transport-ws.

use memberbase::db::Lock;
use sea_orm::DbErr;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::{socket::Socket, *};

#[rstest]
#[tokio::test]
async fn subscriptions_share_a_connection_and_end_separately(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let address = server.listen().await;
    let (one, two, writer) = (server.memberbase("1").await, server.memberbase("2").await, server.admin().await);
    let (_, secret) = server.token(Access::Read, None, None).await;
    let mut socket = Socket::of(address, &secret).await;
    socket.subscribe("a", &one).await;
    socket.subscribe("b", &two).await;
    let first = ids(&writer, &one, &["x"]).await;
    assert_eq!(socket.change("a").await, change(&one, &[&first[0]], &[], &[]));
    let first = ids(&writer, &two, &["x"]).await;
    assert_eq!(socket.change("b").await, change(&two, &[&first[0]], &[], &[]));

    socket.send(json!({"id": "a", "type": "complete"})).await;
    socket.send(json!({"id": "a", "type": "complete"})).await;
    socket.send(json!({"type": "ping", "payload": {"any": 1}})).await;
    assert_eq!(socket.next_message().await, json!({"type": "pong"}));
    ids(&writer, &one, &["y"]).await;
    ids(&writer, &two, &["y"]).await;
    assert_eq!(socket.change("b").await["memberbaseId"], two);

    // The id can be used again.
    socket.subscribe("a", &one).await;
    ids(&writer, &one, &["z"]).await;
    assert_eq!(socket.change("a").await["created"], 1);
    let delete = "mutation($id: ID!) { deleteMemberbase(input: {memberbaseId: $id}) { deletedMemberbaseId } }";
    writer.graphql(delete, json!({"id": two})).await.data();
    assert_eq!(socket.change("b").await["deleted"], 2);
    assert_eq!(socket.next_message().await, json!({"id": "b", "type": "complete"}));
    assert_eq!(server.app.changes.counts().subscriptions, 1);
}

#[tokio::test]
async fn failed_operation_leaves_the_connection_open() {
    let server = Server::start(Database::Sqlite).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Admin, None, None).await;
    let mut socket = Socket::of(address, &secret).await;
    for (query, variables, code) in [
        ("subscription { nothing }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", json!({}), "GRAPHQL_PARSE_FAILED"),
        (CHANGED, json!({}), "BAD_USER_INPUT"),
        (CHANGED, json!({"id": "m_1"}), "BAD_USER_INPUT"),
        (CHANGED, json!({"id": missing_memberbase_id()}), "NOT_FOUND"),
        ("{ nothing }", json!({}), "GRAPHQL_VALIDATION_FAILED"),
    ] {
        socket.request("1", query, variables).await;
        assert_eq!(socket.error_code("1").await, code, "{query}");
    }
    socket.send(json!({"id": "1", "type": "subscribe", "payload": {"query": 7}})).await;
    assert_eq!(socket.error_code("1").await, "BAD_REQUEST");
    socket.subscribe("1", &base).await;
    ids(&server.writer().await, &base, &["a"]).await;
    assert_eq!(socket.change("1").await["created"], 1);
}

#[rstest]
#[tokio::test]
async fn queries_and_mutations_run_as_over_http(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Write, None, None).await;
    let mut socket = Socket::of(address, &secret).await;
    socket.subscribe("changes", &base).await;
    let upsert = "mutation($b: ID!, $m: [MemberInput!]!) { bulkUpsertMembers(input: {memberbaseId: $b, members: $m}) \
        { memberIds } }";
    socket.request("1", upsert, json!({"b": base, "m": [{"ref": "a"}]})).await;
    let mut received = Vec::new();
    for _ in 0..3 {
        received.push(socket.next_message().await);
    }
    // The event may come before the result.
    let event = received.remove(received.iter().position(|message| message["id"] == "changes").unwrap());
    let id = received[0]["payload"]["data"]["bulkUpsertMembers"]["memberIds"][0].clone();
    assert_eq!(event["payload"]["data"]["memberbaseChanged"]["createdMemberIds"], json!([id]));
    assert_eq!(received[1], json!({"id": "1", "type": "complete"}));

    socket.request("2", "query($i: ID!) { member(by: {id: $i}) { ref } }", json!({"i": id})).await;
    let data = json!({"member": {"ref": "a"}});
    assert_eq!(socket.next_message().await, json!({"id": "2", "type": "next", "payload": {"data": data}}));
    assert_eq!(socket.next_message().await, json!({"id": "2", "type": "complete"}));

    // A field error is part of a result.
    let forbidden = "mutation { createMemberbase(input: {name: \"x\"}) { memberbase { id } } }";
    socket.request("3", forbidden, json!({})).await;
    let failed = socket.next_message().await;
    assert_eq!(
        (&failed["type"], &failed["payload"]["data"]),
        (&json!("next"), &json!({"createMemberbase": null})),
        "{failed}"
    );
    assert_eq!(failed["payload"]["errors"][0]["extensions"]["code"], "FORBIDDEN");
    assert_eq!(socket.next_message().await, json!({"id": "3", "type": "complete"}));
}

#[tokio::test]
async fn id_can_be_used_again_at_once() {
    let server = Server::start(Database::Sqlite).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Read, None, None).await;
    let mut socket = Socket::of(address, &secret).await;
    for _ in 0..50 {
        socket.request("1", CHANGED, json!({"id": base})).await;
        socket.send(json!({"id": "1", "type": "complete"})).await;
    }
    socket.subscribe("1", &base).await;
    ids(&server.writer().await, &base, &["a"]).await;
    assert_eq!(socket.change("1").await["created"], 1);
    assert_eq!(server.app.changes.counts().subscriptions, 1);
}

#[tokio::test]
async fn each_of_many_failed_operations_gets_its_error() {
    let server = Server::start(Database::Sqlite).await;
    let address = server.listen().await;
    let (_, secret) = server.token(Access::Read, None, None).await;
    let mut socket = Socket::of(address, &secret).await;
    // The connection's queues are shorter. The first response is read after the last request was sent.
    for n in 0..200 {
        socket.request(&n.to_string(), "{ nothing }", json!({})).await;
    }
    let mut errors = std::collections::HashSet::new();
    for _ in 0..200 {
        let message = socket.next_message().await;
        assert_eq!(message["type"], "error", "{message}");
        errors.insert(message["id"].to_string());
    }
    assert_eq!(errors.len(), 200);
    socket.send(json!({"type": "ping"})).await;
    assert_eq!(socket.next_message().await, json!({"type": "pong"}));
}

#[tokio::test]
async fn request_is_read_as_over_http() {
    let server = Server::start(Database::Sqlite).await;
    let address = server.listen().await;
    let (_, secret) = server.token(Access::Read, None, None).await;
    let mut socket = Socket::of(address, &secret).await;
    let query = "query($first: Int!) { memberbases(first: $first) { totalCount } }";
    let hash = "f1e3fcf29ff2c9ba8a9d8ebd0ba0ff6b35f7f9a0f2a4dbf8ef8d8a5c9cdbdc0d";
    let persisted = json!({"persistedQuery": {"version": 1, "sha256Hash": hash}});
    // A text that does not have the hash, a number beyond 32 bits, and a variable that is given twice.
    for (payload, code) in [
        (json!({"extensions": persisted}).to_string(), "PERSISTED_QUERY_NOT_FOUND"),
        (json!({"query": query, "variables": {"first": 12_345_678_901_234_567_890_u64}}).to_string(), "BAD_USER_INPUT"),
        (format!(r#"{{"query":{},"variables":{{"first":1,"first":2}}}}"#, json!(query)), "BAD_USER_INPUT"),
    ] {
        socket.send_raw(Message::text(format!(r#"{{"id":"1","type":"subscribe","payload":{payload}}}"#))).await;
        assert_eq!(socket.error_code("1").await, code, "{payload}");
    }
}

#[rstest]
#[tokio::test]
async fn mutation_of_a_disconnected_client_is_completed(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (address, base) = (server.listen().await, server.memberbase("b").await);
    let (_, secret) = server.token(Access::Write, None, None).await;
    let id = MemberbaseId::parse(&base).unwrap().uuid();
    let upsert = "mutation($b: ID!) { bulkUpsertMembers(input: {memberbaseId: $b, members: [{ref: \"a\"}, {ref: \"b\"}]}) \
        { memberIds } }";
    let blocked = server.app.db.write(Lock::Exclusive(id), async |_| {
        let mut socket = Socket::of(address, &secret).await;
        socket.request("1", upsert, json!({"b": base})).await;
        // It waits for the lock when its client leaves.
        sleep(Duration::from_millis(500)).await;
        drop(socket);
        sleep(Duration::from_millis(100)).await;
        Ok::<_, DbErr>(())
    });
    blocked.await.unwrap();
    let stored = async {
        while server.members().await < 2 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), stored).await.expect("both are stored");
}
