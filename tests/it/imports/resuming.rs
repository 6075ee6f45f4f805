//! Imports whose client has chosen an id, and that are continued by another request.

use std::{convert::Infallible, io, time::Duration};

use axum::body::Body;
use futures_util::{StreamExt, future::join, stream};
use memberbase::types::{ImportLimits, Limits};
use rstest::rstest;
use serde_json::json;
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

use super::{Bench, Outcome};
use crate::support::{Database, Random};

const ID: &str = "import=0193aa11-2222-4333-8444-555566667777";

/// Limits with small batches, so that a short file has many.
fn small_batches() -> Limits {
    Limits { import: ImportLimits { batch_rows: 50, ..ImportLimits::default() }, ..Limits::default() }
}

async fn bench_with_small_batches(database: Database) -> Bench {
    Bench::with_limits(database, small_batches()).await
}

/// Imports a body that breaks off after this text, when at least this number of rows is stored without a gap.
async fn import_cut(bench: &Bench, parameters: &str, text: &str, stored: usize) -> Outcome {
    let (cut, wait) = oneshot::channel::<Infallible>();
    let end = async {
        let _ = wait.await;
        Err(io::Error::other("cut"))
    };
    let body = stream::iter([Ok(text.to_owned())]).chain(stream::once(end));
    let when_stored = async {
        let query = "SELECT coalesce(max(stored_rows), -1) FROM import WHERE state = 0";
        while bench.server.column::<i64>(query).await[0] < i64::try_from(stored).unwrap() {
            sleep(Duration::from_millis(5)).await;
        }
        drop(cut);
    };
    join(bench.import(parameters, Body::from_stream(body)), when_stored).await.0
}

/// Returns CSV in which each ref occurs several times, each time with another age.
fn rows(count: usize) -> String {
    let rows: String = (0..count).map(|row| format!("ref-{},plan-{row},{row}\n", row % (count / 3))).collect();
    format!("ref,plan,age\n{rows}")
}

/// Returns lines with a ref each.
fn distinct_refs(count: usize) -> String {
    (0..count).map(|row| format!("ref-{row:04}\n")).collect()
}

/// Cuts an import at random bytes, continues it until it is complete, and compares the members with those of an import that
/// was not cut.
async fn compare_with_an_uncut_import(database: Database, cuts: usize, random: &mut Random) {
    let bench = bench_with_small_batches(database).await;
    let text = rows(4_000);
    bench.import("format=csv", text.clone()).await.counts();
    let expected = bench.members().await;
    for number in 0..cuts {
        bench.server.execute("DELETE FROM member").await;
        let parameters = format!("format=csv&import=0193aa11-2222-4333-8444-{number:012}");
        // Each cut is after the one before it, so that some attempts begin in the middle.
        let mut at = random.below(text.len());
        while at < text.len() {
            // Some attempts store all batches that are full, others hardly any.
            let stored = text[..at].lines().count().saturating_sub(500) * random.below(2);
            let outcome = import_cut(&bench, &parameters, &text[..at], stored).await;
            outcome.assert_failed(400, "BAD_REQUEST", "the body is incomplete");
            at += 1 + random.below(text.len() / 2);
        }
        let outcome = bench.import(&parameters, text.clone()).await;
        let [created, updated, unchanged, rejected, _] = outcome.counts();
        assert!(created + updated + unchanged >= 4_000 && rejected == 0, "{outcome:?}");
        assert!(bench.members().await == expected, "cut {number} of {cuts}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn import_that_is_cut_and_continued_stores_the_same_members(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let cuts = std::env::var("MEMBERBASE_TEST_IMPORT_CUTS").map_or(3, |cuts| cuts.parse().unwrap());
    compare_with_an_uncut_import(database, cuts, &mut Random(7)).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_rows_are_skipped(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = bench_with_small_batches(database).await;
    let text = distinct_refs(3_000);
    let parameters = &format!("format=lines&{ID}");
    let outcome = import_cut(&bench, parameters, &text[..text.len() / 2], 800).await;
    let offset = outcome.last()["offset"].as_i64().unwrap();
    assert!((800..1_600).contains(&offset), "{outcome:?}");
    // The members of skipped rows stay deleted.
    bench.server.execute("DELETE FROM member").await;
    bench.import(parameters, text).await.counts();
    assert_eq!(bench.server.members().await, 3_000 - offset);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_file_or_parameters_are_a_conflict(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = bench_with_small_batches(database).await;
    let text = rows(3_000);
    let parameters = &format!("format=csv&{ID}");
    import_cut(&bench, parameters, &text[..text.len() / 2], 800).await.failure();
    let members = bench.members().await;
    let other = text.replacen("plan-0", "plan-x", 1);
    bench.import(parameters, other).await.assert_failed(409, "CONFLICT", "is not the one with which this import began");
    let short = text[..100].to_owned();
    bench.import(parameters, short).await.assert_failed(409, "CONFLICT", "is not the one with which this import began");
    let skip = &format!("{parameters}&onError=skip");
    bench.import(skip, text.clone()).await.assert_failed(409, "CONFLICT", "began with other parameters");
    let elsewhere = bench.server.memberbase("Elsewhere").await;
    let request = bench.request(parameters, text.clone());
    let uri = request.uri().to_string().replace(&bench.base, &elsewhere);
    let (mut head, body) = request.into_parts();
    head.uri = uri.parse().unwrap();
    let outcome = Outcome::of(&bench.writer.send(axum::http::Request::from_parts(head, body)).await);
    outcome.assert_failed(409, "CONFLICT", "belongs to another memberbase");
    assert!(bench.members().await == members, "nothing was stored");
    assert_eq!(bench.import(parameters, text).await.counts()[3], 0);
}

#[rstest]
#[tokio::test]
async fn complete_import_is_not_repeated(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let parameters = &format!("format=csv&onError=skip&{ID}");
    let text = "ref,age\nann,1\nben,x\n";
    let first = bench.import(parameters, text).await;
    assert_eq!(first.counts(), [1, 0, 0, 1, 0]);
    bench.server.execute("DELETE FROM member").await;
    let again = bench.import(parameters, text).await;
    assert_eq!((&again.events, again.status), (&first.events, first.status));
    assert_eq!(bench.server.members().await, 0);
    let other = bench.import(&format!("format=csv&onError=skip&dryRun=false&{ID}"), text).await;
    other.assert_failed(409, "CONFLICT", "began with other parameters");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejected_rows_of_earlier_attempts_are_reported(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = bench_with_small_batches(database).await;
    let text: String = (0..3_000).map(|row| format!("ref-{row},{}\n", if row % 10 == 0 { "x" } else { "1" })).collect();
    let text = format!("ref,age\n{text}\\N,1\n");
    let parameters = &format!("format=csv&onError=skip&{ID}");
    import_cut(&bench, parameters, &text[..text.len() / 2], 800).await.failure();
    let outcome = bench.import(parameters, text).await;
    let lines: Vec<_> = outcome.rejected().iter().map(|event| event["line"].as_u64().unwrap()).collect();
    let expected: Vec<_> = (0..300).map(|row| 2 + 10 * row).chain([3_002]).collect();
    assert_eq!(lines, expected);
    assert_eq!(outcome.last()["truncated"], false);
}

#[rstest]
#[tokio::test]
async fn row_that_was_corrected_after_the_stored_ones_is_stored(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::new(database).await;
    let parameters = &format!("format=csv&mirror=true&maxDeletedPercent=100&{ID}");
    let outcome = bench.import(parameters, "ref,age\nann,x\n").await;
    outcome.assert_failed(400, "BAD_USER_INPUT", "1 row is invalid, for example in line 2");
    assert_eq!(bench.syncs().await, ["ABANDONED"], "the import can only be continued with another file");
    let outcome = bench.import(parameters, "ref,age\nann,1\n").await;
    assert_eq!((outcome.counts(), outcome.rejected().len()), ([1, 0, 0, 0, 0], 0));
    assert_eq!(bench.syncs().await, ["COMMITTED", "ABANDONED"]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mirror_is_continued_with_its_sync(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = bench_with_small_batches(database).await;
    bench.writer.upsert(&bench.base, &["gone"]).await.data();
    let text = distinct_refs(3_000);
    let parameters = &format!("format=lines&mirror=true&maxDeletedPercent=100&{ID}");
    let outcome = import_cut(&bench, parameters, &text[..text.len() / 2], 800).await;
    outcome.assert_failed(400, "BAD_REQUEST", "the body is incomplete");
    assert_eq!(bench.syncs().await, ["OPEN"]);
    let other = text.replacen("ref-0000", "ref-xxxx", 1);
    bench.import(parameters, other).await.assert_failed(409, "CONFLICT", "is not the one with which this import began");
    bench.import(parameters, "a\0\n").await.failure();
    assert_eq!(bench.syncs().await, ["OPEN"], "a wrong file changes nothing");
    // If the skipped rows had no marks, their members would be deleted.
    let outcome = bench.import(parameters, text.clone()).await;
    assert_eq!((outcome.counts()[4], bench.server.members().await), (1, 3_000));
    assert_eq!(bench.syncs().await, ["COMMITTED"]);
    // The result of a commit may have been lost.
    bench.server.execute("UPDATE import SET state = 0, last_event = NULL").await;
    let outcome = bench.import(parameters, text).await;
    assert_eq!((outcome.counts()[4], bench.server.members().await), (1, 3_000));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mirror_whose_sync_was_abandoned_begins_again(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = bench_with_small_batches(database).await;
    let text = distinct_refs(3_000);
    let parameters = &format!("format=lines&mirror=true&maxDeletedPercent=0&{ID}");
    import_cut(&bench, parameters, &text[..text.len() / 2], 800).await.failure();
    bench.import("format=lines&mirror=true&abandonOpen=true&maxDeletedPercent=0", "x\n").await.failure();
    assert_eq!(bench.syncs().await, ["ABANDONED"; 2]);
    // If the stored rows were skipped, their members would have no mark.
    let outcome = bench.import(parameters, text).await;
    outcome.assert_failed(409, "LIMIT_EXCEEDED", "1 of 3001 members would be deleted");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_that_was_continued_stores_nothing_more(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = bench_with_small_batches(database).await;
    let parameters = &format!("format=lines&{ID}");
    let refs = |from: usize, to| (from..to).map(|number| format!("ref-{number}\n")).collect::<String>();
    let (body, received) = mpsc::unbounded_channel::<String>();
    let stream = stream::unfold(received, |mut received| async { Some((received.recv().await?, received)) });
    let request = bench.request(parameters, Body::from_stream(stream.map(Ok::<_, Infallible>)));
    body.send(refs(0, 2_000)).unwrap();
    let importing = tokio::spawn({
        let writer = bench.writer.clone();
        async move { writer.send(request).await }
    });
    while bench.server.members().await < 1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.import(parameters, refs(0, 2_000)).await.counts()[3], 0);
    assert_eq!(bench.server.members().await, 2_000);
    body.send(refs(2_000, 4_000)).unwrap();
    drop(body);
    let outcome = Outcome::of(&importing.await.unwrap());
    outcome.assert_failed(409, "CONFLICT", "another request has continued or cancelled this import");
    assert_eq!(bench.server.members().await, 2_000);
    assert_eq!(bench.import(parameters, "").await.last()["event"], json!("summary"), "its end is kept");
}

#[rstest]
#[tokio::test]
async fn dry_run_begins_at_the_first_row_each_time(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = bench_with_small_batches(database).await;
    let text = rows(3_000);
    let parameters = &format!("format=csv&dryRun=true&mirror=true&{ID}");
    let outcome = import_cut(&bench, parameters, &text[..text.len() / 2], 0).await;
    // The header may not have been read.
    assert_eq!((outcome.failure().0, outcome.last()["offset"].as_u64().unwrap_or(0)), ("BAD_REQUEST", 0));
    assert_eq!(bench.import(parameters, text).await.last()["rows"], 3_000);
    assert_eq!(bench.server.members().await, 0);
    assert!(bench.syncs().await.iter().all(|state| state == "ABANDONED"));
}

#[rstest]
#[tokio::test]
async fn imports_are_deleted_with_their_memberbase_and_after_a_week(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::new(database).await;
    let count = async |table: &str| bench.server.column::<i64>(&format!("SELECT count(*) FROM {table}")).await[0];
    let parameters = "format=csv&onError=skip&import=0193aa11-2222-4333-8444-00000000000";
    for number in 0..2 {
        bench.import(&format!("{parameters}{number}"), "ref,age\nann,x\n").await.counts();
    }
    assert_eq!((count("import").await, count("import_rejection").await), (2, 2));
    bench.server.execute("UPDATE import SET updated_at = updated_at - 700000000000").await;
    bench.import(&format!("{parameters}2"), "ref,age\nann,x\n").await.counts();
    assert_eq!((count("import").await, count("import_rejection").await), (1, 1));
    let query = "mutation($id: ID!) { deleteMemberbase(input: {memberbaseId: $id}) { deletedMemberbaseId } }";
    bench.server.admin().await.graphql(query, json!({"id": bench.base})).await.data();
    assert_eq!((count("import").await, count("import_rejection").await), (0, 0));
}

#[tokio::test]
async fn id_has_to_be_a_uuid() {
    let bench = Bench::new(Database::Sqlite).await;
    for id in ["7", "0193aa11222243338444555566667777", "{0193aa11-2222-4333-8444-555566667777}", ""] {
        let outcome = bench.import(&format!("format=lines&import={id}"), "ann\n").await;
        outcome.assert_failed(400, "BAD_REQUEST", "expected a UUID");
    }
}
