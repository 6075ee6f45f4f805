//! Parameters, access, and what happens to rows.

use axum::{
    body::Body,
    http::{Method, Request, header::CONTENT_TYPE},
};
use memberbase::domain::access::Access;
use rstest::rstest;
use serde_json::json;

use super::{Bench, Outcome};
use crate::support::{Database, missing_memberbase_id};

#[rstest]
#[tokio::test]
async fn invalid_row_fails_the_import_unless_it_is_skipped(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::new(database).await;
    let text = "ref,age\nann,1\nben,x\n\\N,2\ncid,3\n";
    let outcome = bench.import("format=csv", text).await;
    let (code, message) = outcome.failure();
    assert_eq!(code, "BAD_USER_INPUT");
    assert!(message.ends_with("onError=skip stores the other rows"), "{message}");
    assert!(!outcome.rejected().is_empty() && outcome.last()["retryable"] == false, "{outcome:?}");
    let text = text.replace("\\N,2\n", "");
    let outcome = bench.import("format=csv", text.clone()).await;
    outcome.assert_failed(400, "BAD_USER_INPUT", "1 row is invalid, for example in line 3; onError=skip");
    assert_eq!((outcome.rejected()[0]["ref"].clone(), bench.server.members().await), (json!("ben"), 0));
    assert_eq!(bench.import("format=csv&onError=skip", text).await.counts(), [2, 0, 0, 1, 0]);
    assert_eq!(bench.refs().await, ["ann", "cid"]);
}

#[rstest]
#[tokio::test]
async fn mode_restricts_the_rows_that_are_stored(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::of(database, 2).await;
    let text = "ref,plan\nmember-0000,a\nnew,a\n";
    let outcome = bench.import("format=csv&mode=insertOnly", text).await;
    assert_eq!((outcome.counts(), &outcome.last()["skipped"]), ([1, 0, 0, 0, 0], &json!(1)));
    let text = "ref,plan\nmember-0000,a\nnewer,a\n";
    let outcome = bench.import("format=csv&mode=updateOnly", text).await;
    assert_eq!((outcome.counts(), &outcome.last()["skipped"]), ([0, 1, 0, 0, 0], &json!(1)));
    assert_eq!(bench.refs().await, ["member-0000", "member-0001", "new"]);
}

#[rstest]
#[tokio::test]
async fn dry_run_reports_everything_and_changes_nothing(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::of(database, 3).await;
    let before = bench.members().await;
    let text = "ref,age\nmember-0001,7\nmember-0002,x\n\\N,1\nnew,8\n";
    let outcome = bench.import("format=csv&dryRun=true", text).await;
    assert_eq!((outcome.counts(), &outcome.last()["dryRun"]), ([1, 1, 0, 2, 0], &json!(true)));
    assert_eq!((outcome.rejected().len(), bench.members().await), (2, before));
}

#[rstest]
#[tokio::test]
async fn memberbase_is_given_by_its_id_or_its_name(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let bench = Bench::new(database).await;
    let import = async |memberbase: &str| {
        let uri = format!("/import?format=lines&memberbase={memberbase}");
        let request = Request::put(uri).body(Body::from("ann\n")).unwrap();
        Outcome::of(&bench.writer.send(request).await)
    };
    assert_eq!(import("Readers").await.counts(), [1, 0, 0, 0, 0]);
    assert_eq!(import(&bench.base).await.counts(), [0, 0, 1, 0, 0]);
    import("readers").await.assert_failed(404, "NOT_FOUND", "there is no memberbase \"readers\"");
    import(&missing_memberbase_id()).await.assert_failed(404, "NOT_FOUND", "does not exist");
    bench.server.memberbase("Readers").await;
    import("Readers").await.assert_failed(400, "BAD_USER_INPUT", "several memberbases are called \"Readers\"");
}

#[rstest]
#[tokio::test]
async fn import_needs_a_token_that_may_write_to_the_memberbase(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let bench = Bench::new(database).await;
    let server = &bench.server;
    let other = server.memberbase("Other").await;
    for (caller, status, code) in [
        (server.anonymous(), 401, "UNAUTHENTICATED"),
        (server.with_secret("mbs_wrong"), 401, "UNAUTHENTICATED"),
        (server.reader().await, 403, "FORBIDDEN"),
        (server.bound(Access::Write, &other).await, 404, "NOT_FOUND"),
    ] {
        let response = caller.send(bench.request("format=lines", "ann\n")).await;
        Outcome::of(&response).assert_failed(status, code, "");
        assert_eq!(response.headers["connection"], "close");
    }
    assert_eq!(server.members().await, 0);
    let bound = server.bound(Access::Write, &bench.base).await;
    assert_eq!(Outcome::of(&bound.send(bench.request("format=lines", "ann\n")).await).counts(), [1, 0, 0, 0, 0]);
}

#[tokio::test]
async fn request_that_is_no_import_is_rejected_with_its_reason() {
    let bench = Bench::new(Database::Sqlite).await;
    bench.import("format=csv&dryrun=true", "ref\nann\n").await.assert_failed(
        400,
        "BAD_REQUEST",
        "\"dryrun\" is unknown",
    );
    let form = bench.import_with("format=csv", (CONTENT_TYPE, "multipart/form-data; boundary=x"), "--x").await;
    form.assert_failed(415, "BAD_REQUEST", "the file itself");
    let mut request = bench.request("format=csv", "");
    *request.method_mut() = Method::GET;
    let response = bench.writer.send(request).await;
    Outcome::of(&response).assert_failed(405, "BAD_REQUEST", "POST, PUT");
    assert_eq!(response.headers["allow"], "POST, PUT");
    assert_eq!(bench.server.members().await, 0);
}

#[tokio::test]
async fn import_is_counted_when_it_ends() {
    let bench = Bench::new(Database::Sqlite).await;
    bench.import("format=csv", "ref\nann\n").await.counts();
    bench.import("format=csv", "ref\n\\N\n").await.failure();
    bench.import("format=nothing", "ref\n\\N\n").await.failure();
    let metrics = bench.server.admin().await.send(Request::get("/metrics").body(Body::empty()).unwrap()).await;
    let text = String::from_utf8(metrics.body).unwrap();
    for (code, count) in [("OK", 1), ("BAD_USER_INPUT", 1), ("BAD_REQUEST", 1)] {
        let line = format!(
            "memberbase_requests_total{{api=\"import\",operation=\"import\",type=\"mutation\",code=\"{code}\"}} {count}"
        );
        assert!(text.contains(&line), "{line} is not in {text}");
    }
    assert!(text.contains("memberbase_requests_in_flight{api=\"import\"} 0"), "{text}");
}
