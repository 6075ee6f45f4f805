//! Cancelled mutations: at their deadline, and dry runs also when the client disconnects. Both release the write lock.

use std::time::Duration;

use memberbase::{
    db::Lock,
    domain::access::Access,
    types::{Id, Limits, MemberbaseId, TimeLimits},
};
use rstest::rstest;
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::support::{Caller, Database, Server};

/// Far longer than the operation that waits takes, and far shorter than the call that it waits for would run.
const SOON: Duration = Duration::from_secs(20);

/// A server and a memberbase with one member.
async fn with_a_member(database: Database, mutation: Duration) -> (Server, String) {
    let time = TimeLimits { mutation, ..Limits::default().time };
    let server = Server::with(database, Limits { time, ..Limits::default() }).await;
    let base = server.memberbase("slow").await;
    let admin = server.admin().await;
    declare(&admin, &base, &["counter", "large"]).await;
    let member = json!({"ref": "a", "attributes": {"counter": 0}});
    admin.upsert_with(json!({"memberbaseId": base, "members": [member]})).await.data();
    (server, base)
}

/// Replaces the attribute schema, which waits for all calls in the memberbase and, on SQLite, for all writers.
async fn declare(admin: &Caller, base: &str, keys: &[&str]) {
    let kind = |key: &&str| json!({"key": key, "type": if *key == "large" { "STRING_LIST" } else { "NUMBER" }});
    let attributes: Vec<_> = keys.iter().map(kind).collect();
    let query =
        "mutation($input: SetAttributeSchemaInput!) { setAttributeSchema(input: $input) { memberbase { id } } }";
    admin.graphql(query, json!({"input": {"memberbaseId": base, "attributes": attributes}})).await.data();
}

/// A call that takes a minute in a debug build, most of it in loops over its rows within the transaction.
fn slow_call(base: &str, dry_run: bool) -> Value {
    let members: Vec<_> = (0..1_000_000).map(|n| json!({"ref": format!("ref-{n}")})).collect();
    json!({"memberbaseId": base, "members": members, "dryRun": dry_run})
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutation_is_cancelled_at_its_deadline_and_releases_the_write_lock(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (server, base) = with_a_member(database, Duration::from_secs(2)).await;
    let admin = server.admin().await;
    assert_eq!(admin.upsert_with(slow_call(&base, false)).await.code(), "TIMEOUT");
    // This mutation has a deadline of two seconds as well.
    declare(&admin, &base, &["counter", "large", "new"]).await;
    assert_eq!(server.members().await, 1, "it was rolled back");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dry_run_of_a_disconnected_client_is_cancelled_and_releases_the_write_lock(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (server, base) = with_a_member(database, Duration::from_secs(300)).await;
    let (admin, address) = (server.admin().await, server.listen().await);
    let (_, secret) = server.token(Access::Write, None, None).await;
    let query = "mutation($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { memberIds } }";
    let body = json!({"query": query, "variables": {"input": slow_call(&base, true)}}).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nAuthorization: Bearer {secret}\r\n\
        Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    // The call is running once it has held a connection for a while.
    let mut busy = 0;
    while busy < 20 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        busy = if server.app.db.connections().used > 0 { busy + 1 } else { 0 };
    }
    drop(stream);
    timeout(SOON, declare(&admin, &base, &["counter", "large", "new"])).await.expect("the writer is free");
}

/// A dry run that waits in the database is cancelled as well, although no loop of the server is running.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dry_run_that_waits_for_a_lock_is_cancelled_when_its_client_disconnects() {
    let (server, base) = with_a_member(Database::Postgres, Duration::from_secs(300)).await;
    let admin = server.admin().await;
    let blocker = server.app.db.write(Lock::None, async |session| {
        session.execute_unprepared("UPDATE member SET updated_at = updated_at").await?;
        let member = json!({"ref": "a", "attributes": {"counter": 1}});
        let dry = admin.upsert_with(json!({"memberbaseId": base, "members": [member], "dryRun": true}));
        timeout(Duration::from_millis(500), dry).await.expect_err("the row is locked");
        timeout(SOON, declare(&admin, &base, &["counter", "large", "new"])).await.expect("the dry run has ended");
        Ok::<_, DbErr>(())
    });
    blocker.await.unwrap();
}

/// Only dry runs are cancelled when the client disconnects.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutation_of_a_disconnected_client_is_completed(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let base = server.memberbase("kept").await;
    let writer = server.writer().await;
    let id = MemberbaseId::parse(&base).unwrap().uuid();
    let blocked = server.app.db.write(Lock::Exclusive(id), async |_| {
        timeout(Duration::from_millis(500), writer.upsert(&base, &["a", "b"]))
            .await
            .expect_err("it waits for the lock");
        Ok::<_, DbErr>(())
    });
    blocked.await.unwrap();
    server.tasks.close();
    timeout(SOON, server.tasks.wait()).await.expect("it ends");
    assert_eq!(server.members().await, 2);
}
