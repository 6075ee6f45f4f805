//! Imports that delete the members that are not in the file.

use std::{convert::Infallible, io, time::Duration};

use axum::body::Body;
use futures_util::{StreamExt, stream};
use rstest::rstest;
use serde_json::json;
use tokio::{sync::mpsc, time::sleep};

use super::Bench;
use crate::support::Database;

fn lines(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|number| format!("member-{number:04}\n")).collect()
}

#[rstest]
#[tokio::test]
async fn mirror_deletes_the_members_that_are_missing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of(database, 20).await;
    assert_eq!(bench.import("format=lines", lines(1..20)).await.counts(), [0, 0, 19, 0, 0]);
    assert_eq!((bench.server.members().await, bench.syncs().await.len()), (20, 0));
    let outcome = bench.import("format=lines&mirror=true", lines(1..20) + "new\n").await;
    assert_eq!(outcome.counts(), [1, 0, 19, 0, 1]);
    assert!(outcome.last()["syncId"].as_str().unwrap().starts_with("sync_"), "{outcome:?}");
    assert_eq!((bench.server.members().await, bench.syncs().await), (20, vec!["COMMITTED".to_owned()]));
}

#[rstest]
#[tokio::test]
async fn mirror_above_its_maximum_deletes_no_member(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of(database, 20).await;
    let outcome = bench.import("format=lines&mirror=true", lines(3..20)).await;
    outcome.assert_failed(409, "LIMIT_EXCEEDED", "more than maxDeletedPercent (10) allows");
    let outcome = bench.import("format=lines&mirror=true&dryRun=true", lines(3..20)).await;
    outcome.assert_failed(409, "LIMIT_EXCEEDED", "3 of 20 members would be deleted");
    let outcome = bench.import("format=lines&mirror=true&dryRun=true&maxDeletedPercent=15", lines(3..20)).await;
    assert_eq!(outcome.counts(), [0, 0, 17, 0, 3]);
    assert_eq!((bench.server.members().await, bench.syncs().await), (20, vec!["ABANDONED".to_owned(); 3]));
    let outcome = bench.import("format=lines&mirror=true&maxDeletedPercent=15", lines(3..20)).await;
    assert_eq!(outcome.counts(), [0, 0, 17, 0, 3]);
}

#[rstest]
#[tokio::test]
async fn file_that_may_not_be_whole_deletes_no_member(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of(database, 20).await;
    let mirror = "format=lines&mirror=true&onError=skip&maxDeletedPercent=100";
    bench.import(mirror, "").await.assert_failed(400, "BAD_USER_INPUT", "the file has no rows");
    let unattributed = lines(0..10) + "two\rrefs\n";
    bench.import(mirror, unattributed).await.assert_failed(400, "BAD_USER_INPUT", "1 row can't be attributed");
    let cut = async {
        sleep(Duration::from_millis(300)).await;
        Err(io::Error::other("cut"))
    };
    let cut = stream::iter([Ok(lines(0..10))]).chain(stream::once(cut));
    let outcome = bench.import(mirror, Body::from_stream(cut)).await;
    outcome.assert_failed(400, "BAD_REQUEST", "the body is incomplete");
    assert_eq!((bench.server.members().await, bench.syncs().await), (20, vec!["ABANDONED".to_owned(); 3]));
}

#[rstest]
#[tokio::test]
async fn row_that_is_rejected_keeps_its_member(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::of(database, 3).await;
    let text = "ref,age\nmember-0000,x\nmember-0001,1\n";
    let outcome = bench.import("format=csv&mirror=true&onError=skip&maxDeletedPercent=50", text).await;
    assert_eq!(
        (outcome.counts(), bench.refs().await),
        ([0, 1, 0, 1, 1], vec!["member-0000".into(), "member-0001".into()])
    );
}

#[rstest]
#[tokio::test]
async fn mirror_needs_the_only_open_sync(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::of(database, 2).await;
    let start = "mutation($base: ID!) { startSync(input: {memberbaseId: $base}) { sync { id } } }";
    bench.writer.graphql(start, json!({"base": bench.base})).await.data();
    let refused = bench.import("format=lines&mirror=true", lines(0..2)).await;
    refused.assert_failed(409, "CONFLICT", "or start with abandonOpen");
    let outcome = bench.import("format=lines&mirror=true&abandonOpen=true", lines(0..2)).await;
    assert_eq!(
        (outcome.counts(), bench.syncs().await),
        ([0, 0, 2, 0, 0], vec!["COMMITTED".into(), "ABANDONED".into()])
    );
}

#[rstest]
#[tokio::test]
async fn client_that_has_disconnected_deletes_no_member(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of(database, 20).await;
    let (body, received) = mpsc::unbounded_channel();
    let stream = stream::unfold(received, |mut received| async { Some((received.recv().await?, received)) });
    let mut request = bench.request(
        "format=lines&mirror=true&maxDeletedPercent=100",
        Body::from_stream(stream.map(Ok::<String, Infallible>)),
    );
    request.headers_mut().insert("accept", "application/x-ndjson".parse().unwrap());
    body.send(lines(0..10)).unwrap();
    let response = bench.writer.open(request).await;
    assert_eq!(response.status(), 200);
    drop(response);
    // The rest of the file arrives without a client that waits for the result.
    drop(body);
    for _ in 0..500 {
        if bench.syncs().await == ["ABANDONED"] {
            assert_eq!(bench.server.members().await, 20);
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", bench.syncs().await);
}
