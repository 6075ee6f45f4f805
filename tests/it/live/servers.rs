//! Subscriptions with several servers on one database, and with a server in a process of its own.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::{io::AsyncReadExt, time::sleep};

use super::{socket::Socket, *};
use crate::support::Site;

/// Waits until the two servers receive each other's changes: earlier notifications are lost.
async fn wait_until_connected(one: &Server, other: &Server, base: &str) {
    for (writer, reader) in [(one, other), (other, one)] {
        let mut events = reader.admin().await.subscribe_to(base).await;
        let writes = async {
            for n in 0.. {
                writer.writer().await.upsert(base, &[&format!("hello {n} {:?}", Instant::now())]).await.data();
                sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            () = writes => {}
            () = async { while events.change().await["created"] == 0 {} } => {}
        }
    }
    // Discards the changes that are in transit.
    sleep(Duration::from_millis(300)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_reach_subscribers_of_other_servers() {
    let live = LiveLimits { buffer: 200, ..LiveLimits::default() };
    let one = Server::with(Database::Postgres, Limits { live, ..Limits::default() }).await;
    let base = one.memberbase("b").await;
    let other = one.second_server().await;
    wait_until_connected(&one, &other, &base).await;
    let (mut near, mut far) =
        (one.reader().await.subscribe_to(&base).await, other.reader().await.subscribe_to(&base).await);
    let writer = one.admin().await;

    let made = ids(&writer, &base, &["a", "b"]).await;
    let expected = change(&base, &[&made[0], &made[1]], &[], &[]);
    assert_eq!((next_change(&mut near).await, next_change(&mut far).await), (expected.clone(), expected));
    // A thousand ids do not fit into one notification.
    let refs: Vec<_> = (0..1_000).map(|n| format!("many-{n}")).collect();
    let mut many = ids(&writer, &base, &refs.iter().map(String::as_str).collect::<Vec<_>>()).await;
    many.sort_by_key(ToString::to_string);
    assert_eq!(next_change(&mut far).await["createdMemberIds"], json!(many));
    assert_eq!(next_change(&mut near).await["createdMemberIds"], json!(many));
    // Many concurrent changes arrive in order, each once.
    join_all((0..100).map(|n| {
        let (writer, base) = (&writer, &base);
        async move { writer.upsert(base, &[&format!("one-{n}")]).await.data() }
    }))
    .await;
    let mut received = Vec::new();
    for events in [&mut near, &mut far] {
        let mut created = Vec::new();
        for _ in 0..100 {
            let change = next_change(events).await;
            assert_eq!((&change["created"], &change["missed"]), (&json!(1), &json!(false)));
            created.push(change["createdMemberIds"][0].to_string());
        }
        received.push(created);
    }
    assert_eq!(received[0], received[1]);

    mutate(&writer, "deleteMemberbase", &base, json!({}), "deletedMemberbaseId").await.data();
    for events in [&mut near, &mut far] {
        assert_eq!(next_change(events).await["truncated"], true);
        assert!(events.next().await.unwrap().is_complete());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_listening_connection_is_reported_as_missed() {
    let one = Server::start(Database::Postgres).await;
    let base = one.memberbase("b").await;
    let other = one.second_server().await;
    wait_until_connected(&one, &other, &base).await;
    let mut events = other.reader().await.subscribe_to(&base).await;
    // Both servers lose the listening connection; each server reports this to its own subscribers.
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    assert_eq!(one.column::<bool>(cut).await, [true, true]);
    let expected = json!({
        "memberbaseId": base, "created": 0, "updated": 0, "deleted": 0, "createdMemberIds": [], "updatedMemberIds": [],
        "deletedMemberIds": [], "truncated": false, "missed": true,
    });
    assert_eq!(events.change().await, expected);
    // Changes arrive again.
    let made = ids(&one.writer().await, &base, &["after"]).await;
    assert_eq!(next_change(&mut events).await, change(&base, &[&made[0]], &[], &[]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_notification_is_reported_as_missed() {
    let one = Server::start(Database::Postgres).await;
    let base = one.memberbase("b").await;
    let other = one.second_server().await;
    wait_until_connected(&one, &other, &base).await;
    let mut events = other.reader().await.subscribe_to(&base).await;
    // A malformed notification may have been a change.
    one.execute("SELECT pg_notify('memberbase_changes', 'of another version')").await;
    assert_eq!(events.change().await["missed"], true);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_closes_subscriptions(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let site = Site::new(database).await;
    let mut server = site.start().await;
    let base = server.admin.memberbase().await;
    let address = server.address.parse().unwrap();
    let mut socket = Socket::of(address, server.admin.secret()).await;
    socket.subscribe("1", &base).await;
    // Includes a client that never reads.
    let body = json!({"query": CHANGED, "variables": {"id": base}}).to_string();
    let request = server.admin.request("/graphql", &body);
    let request = request.replace("application/graphql-response+json", "text/event-stream");
    let mut stream = server.admin.upload(request.as_bytes()).await.unwrap();
    let _stalled = server.admin.upload(request.as_bytes()).await.unwrap();
    let mut received = vec![0; 4096];
    let length = stream.read(&mut received).await.unwrap();
    assert!(received[..length].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&received[..length]));

    let start = Instant::now();
    server.terminate();
    assert_eq!(socket.closed().await.0, 1001);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    // The final chunk of the body: the response is complete.
    assert!(rest.ends_with(b"0\r\n\r\n"), "{}", String::from_utf8_lossy(&rest));
    let status = server.ended(Duration::from_secs(10)).await;
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", server.log());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}: {}", start.elapsed(), server.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_reach_subscribers_of_other_processes() {
    let site = Site::new(Database::Postgres).await;
    let (one, other) = (site.start().await, site.start_with_log("beside").await);
    let base = one.admin.memberbase().await;
    let mut socket = Socket::of(other.address.parse().unwrap(), one.admin.secret()).await;
    socket.subscribe("1", &base).await;
    let query = "mutation($i: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $i) { memberIds } }";
    // `serve` listens to other servers from its start, but the connection may take a moment.
    let mut received = tokio::spawn(async move { socket.next_message().await });
    for n in 0.. {
        let input = json!({"memberbaseId": base, "members": [{"ref": format!("{n}")}]});
        one.admin.data(query, json!({"i": input})).await;
        if tokio::time::timeout(Duration::from_millis(100), &mut received).await.is_ok() {
            return;
        }
        assert!(n < 200, "no change arrives: {}", other.log());
    }
}
