//! `/import/ID`: an import is watched beside its upload, and cancelled.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use futures_util::{StreamExt, stream};
use memberbase::{domain::access::Access, types::Limits};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};

use super::{Bench, Outcome};
use crate::support::{Caller, Database};

const ID: &str = "0193aa11-2222-4333-8444-555566667777";

fn request(id: &str) -> Request<Body> {
    Request::get(format!("/import/{id}")).body(Body::empty()).unwrap()
}

/// Returns the events of the whole stream.
async fn watch(caller: &Caller) -> Vec<Value> {
    let response = caller.send(request(ID)).await;
    assert_eq!(
        (response.status, response.headers["content-type"].to_str().unwrap()),
        (StatusCode::OK, "text/event-stream; charset=utf-8")
    );
    messages(std::str::from_utf8(&response.body).unwrap())
}

fn messages(text: &str) -> Vec<Value> {
    let messages = text.split_terminator("\n\n").filter_map(|message| message.strip_prefix("data: "));
    messages.map(|event| serde_json::from_str(event).unwrap()).collect()
}

#[rstest]
#[tokio::test]
async fn import_that_has_ended_is_shown_with_all_its_events(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
    #[values(false, true)] dry_run: bool,
) {
    let bench = Bench::new(database).await;
    let text = "ref,age\nann,x\nben,1\ncem,y\n\\N,2\n";
    let parameters = format!("format=csv&onError=skip&import={ID}&dryRun={dry_run}");
    let outcome = bench.import(&parameters, text).await;
    let events = watch(&bench.writer).await;
    let (progress, rest) = events.split_first().unwrap();
    assert_eq!(
        (&progress["event"], &progress["rows"], &progress["rejected"]),
        (&json!("progress"), &json!(4), &json!(3))
    );
    assert_eq!(progress["bytes"], text.len());
    let expected: Vec<_> = outcome.rejected().into_iter().chain([outcome.last()]).cloned().collect();
    assert_eq!(rest, expected);
}

#[rstest]
#[tokio::test]
async fn failure_is_shown(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let parameters = format!("format=csv&import={ID}");
    let outcome = bench.import(&parameters, "ref,age\nann,x\n").await;
    let events = watch(&bench.writer).await;
    assert_eq!(events[1..], outcome.events);
    // A row that can't be attributed to a member ends the reading.
    let outcome = bench.import(&parameters, "ref,age\n\\N,1\n").await;
    assert_eq!(watch(&bench.writer).await[1..], outcome.events);
    assert_eq!(outcome.rejected().len(), 1);
    let outcome = bench.import(&parameters, "ref,nothing\nann,x\n").await;
    assert_eq!((outcome.failure().0, watch(&bench.writer).await.last()), ("BAD_USER_INPUT", Some(outcome.last())));
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_is_shown_while_the_file_is_sent(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let second = bench.server.second_server().await.writer().await;
    let (body, received) = mpsc::unbounded_channel::<String>();
    let stream = stream::unfold(received, |mut received| async { Some((received.recv().await?, received)) });
    let request_body = Body::from_stream(stream.map(Ok::<_, Infallible>));
    let upload = bench.request(&format!("format=lines&import={ID}"), request_body);
    body.send((0..30_000).map(|number| format!("ref-{number}\n")).collect()).unwrap();
    let writer = bench.writer.clone();
    let importing = tokio::spawn(async move { writer.send(upload).await });
    let mut frames = loop {
        let response = second.open(request(ID)).await;
        if response.status() == StatusCode::OK {
            break response.into_body().into_data_stream();
        }
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let mut text = String::new();
    while messages(&text).last().is_none_or(|event| event["rows"].as_u64() < Some(20_000)) {
        let frame = timeout(Duration::from_secs(60), frames.next()).await.expect("an event in time").unwrap();
        text += std::str::from_utf8(&frame.unwrap()).unwrap();
    }
    drop(body);
    while let Some(frame) = frames.next().await {
        text += std::str::from_utf8(&frame.unwrap()).unwrap();
    }
    let events = messages(&text);
    let outcome = Outcome::of(&importing.await.unwrap());
    assert_eq!((outcome.counts()[0], events.last()), (30_000, Some(outcome.last())));
    assert!(events[..events.len() - 1].iter().all(|event| event["event"] == "progress"));
}

#[rstest]
#[tokio::test]
async fn import_whose_server_has_vanished_can_be_continued(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::new(database).await;
    bench.import(&format!("format=lines&import={ID}"), "ann\n").await.counts();
    // The time that a transaction may take, and a minute.
    let silence = (Limits::default().time.mutation + Duration::from_secs(61)).as_micros();
    let vanish = format!("UPDATE import SET state = 0, last_event = NULL, updated_at = updated_at - {silence}");
    bench.server.execute(&vanish).await;
    let events = watch(&bench.writer).await;
    let last = events.last().unwrap();
    assert_eq!((&last["code"], &last["retryable"]), (&json!("SERVICE_UNAVAILABLE"), &json!(true)), "{last}");
    assert_eq!(last["created"], 1);
}

#[rstest]
#[tokio::test]
async fn import_is_visible_to_tokens_that_may_write_to_its_memberbase(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::new(database).await;
    bench.import(&format!("format=lines&import={ID}"), "ann\n").await.counts();
    let other = bench.server.memberbase("Other").await;
    let status = async |caller: &Caller, id: &str| caller.send(request(id)).await.status.as_u16();
    assert_eq!(status(&bench.server.bound(Access::Write, &bench.base).await, ID).await, 200);
    assert_eq!(status(&bench.server.bound(Access::Write, &other).await, ID).await, 404);
    assert_eq!(status(&bench.writer, "0193aa11-2222-4333-8444-555566667778").await, 404);
    assert_eq!(status(&bench.writer, "7").await, 400);
    assert_eq!(status(&bench.server.reader().await, ID).await, 403);
    assert_eq!(status(&bench.server.anonymous(), ID).await, 401);
    let cancel = async |caller: &Caller| {
        let request = Request::delete(format!("/import/{ID}")).body(Body::empty()).unwrap();
        caller.send(request).await.status.as_u16()
    };
    assert_eq!(cancel(&bench.server.bound(Access::Write, &other).await).await, 404);
    assert_eq!(cancel(&bench.server.reader().await).await, 403);
    let post = Request::post(format!("/import/{ID}")).body(Body::empty()).unwrap();
    assert_eq!(bench.writer.send(post).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn import_is_cancelled_unless_it_is_complete(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::of(database, 20).await;
    let cancel = async || {
        let request = Request::delete(format!("/import/{ID}")).body(Body::empty()).unwrap();
        bench.writer.send(request).await
    };
    assert_eq!(cancel().await.status, StatusCode::NOT_FOUND);
    let (body, received) = mpsc::unbounded_channel::<String>();
    let stream = stream::unfold(received, |mut received| async { Some((received.recv().await?, received)) });
    let parameters = format!("format=lines&mirror=true&maxDeletedPercent=100&import={ID}");
    let upload = bench.request(&parameters, Body::from_stream(stream.map(Ok::<_, Infallible>)));
    body.send("member-0001\n".to_owned()).unwrap();
    let writer = bench.writer.clone();
    let importing = tokio::spawn(async move { writer.send(upload).await });
    while bench.syncs().await != ["OPEN"] {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let cancelled = cancel().await;
    assert_eq!((cancelled.status, cancelled.body.len()), (StatusCode::NO_CONTENT, 0));
    assert_eq!(watch(&bench.writer).await.last().unwrap()["message"], "the import was cancelled");
    drop(body);
    let outcome = Outcome::of(&importing.await.unwrap());
    assert_eq!((outcome.status, outcome.failure().0), (StatusCode::CONFLICT, "CONFLICT"));
    assert_eq!((bench.server.members().await, bench.syncs().await), (20, vec!["ABANDONED".to_owned()]));
    let outcome = bench.import(&parameters, "member-0001\n").await;
    assert_eq!(outcome.counts(), [0, 0, 1, 0, 19]);
    assert_eq!(cancel().await.status, StatusCode::CONFLICT);
}
