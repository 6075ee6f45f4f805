//! Authentication by tokens.

use axum::{
    body::Body,
    http::{Request, header},
};
use memberbase::{
    domain::{
        access::{self, Access},
        api_token,
    },
    types::Time,
};
use rstest::rstest;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::{ApiResponse, Caller, Database, Server};

async fn send_query(caller: &Caller) -> ApiResponse {
    caller.graphql("{ memberbases { totalCount } }", json!({})).await
}

/// Returns the response to a request with this `Authorization` header.
async fn with_header(server: &Server, value: &str) -> ApiResponse {
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, value)
        .body(Body::from(json!({"query": "{ memberbases { totalCount } }"}).to_string()));
    server.anonymous().send(request.unwrap()).await
}

fn status(response: &ApiResponse) -> (u16, String) {
    (response.status.as_u16(), response.code())
}

fn unauthenticated() -> (u16, String) {
    (401, "UNAUTHENTICATED".to_owned())
}

#[rstest]
#[tokio::test]
async fn request_without_a_known_token_is_unauthenticated(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (_, secret) = server.token(Access::Admin, None, None).await;
    assert_eq!(
        with_header(&server, &format!("Bearer {secret}")).await.data(),
        json!({"memberbases": {"totalCount": 0}})
    );
    assert_eq!(status(&send_query(&server.anonymous()).await), unauthenticated());
    let (cut, longer, upper) = (&secret[..secret.len() - 1], format!("{secret}A"), secret.to_uppercase());
    for value in [
        format!("Basic {secret}"),
        secret.clone(),
        format!("Bearer {cut}"),
        format!("Bearer {longer}"),
        format!("Bearer {upper}"),
        "Bearer mbs_unknown".to_owned(),
        "Bearer ' OR 1=1 --".to_owned(),
    ] {
        assert_eq!(status(&with_header(&server, &value).await), unauthenticated(), "{value}");
    }
}

#[rstest]
#[tokio::test]
async fn hash_of_a_secret_is_not_accepted_as_a_secret(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (_, secret) = server.token(Access::Admin, None, None).await;
    let hash: String = Sha256::digest(&secret).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(status(&send_query(&server.with_secret(&hash)).await), unauthenticated());
}

#[rstest]
#[tokio::test]
async fn revoked_token_is_rejected_at_once(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (id, secret) = server.token(Access::Write, None, None).await;
    let (caller, bystander) = (server.with_secret(&secret), server.reader().await);
    send_query(&caller).await.data();
    api_token::revoke(&server.app, &access::Caller::operator(), id).await.unwrap();
    assert_eq!(status(&send_query(&caller).await), unauthenticated());
    send_query(&bystander).await.data();
}

#[rstest]
#[tokio::test]
async fn expired_token_is_rejected(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let now = Time::now().micros();
    let at = |micros: i64| Some(Time::from_micros(now + micros));
    let (_, past) = server.token(Access::Admin, None, at(-1)).await;
    let (_, soon) = server.token(Access::Admin, None, at(1_500_000)).await;
    let (_, later) = server.token(Access::Admin, None, at(3_600_000_000)).await;
    assert_eq!(status(&send_query(&server.with_secret(&past)).await), unauthenticated());
    send_query(&server.with_secret(&later)).await.data();
    send_query(&server.with_secret(&soon)).await.data();
    tokio::time::sleep(std::time::Duration::from_millis(1_600)).await;
    assert_eq!(status(&send_query(&server.with_secret(&soon)).await), unauthenticated());
}

#[rstest]
#[tokio::test]
async fn only_the_hash_of_a_secret_is_stored(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let (_, secret) = server.token(Access::Admin, None, None).await;
    let hashes = server.column::<Vec<u8>>("SELECT secret_hash FROM api_token").await;
    assert_eq!(hashes, [Sha256::digest(&secret).to_vec()]);
    let stored = match database {
        Database::Postgres => server.column::<String>("SELECT t::text FROM api_token AS t").await.concat().into_bytes(),
        Database::Sqlite => {
            let path = server.settings.url.strip_prefix("sqlite://").unwrap();
            [path.to_owned(), format!("{path}-wal")].map(|path| std::fs::read(path).unwrap()).concat()
        }
    };
    let has = |text: &[u8]| stored.windows(text.len()).any(|window| window == text);
    assert!(
        has(b"a test") && !has(secret.as_bytes()) && !has(&secret.as_bytes()["mbs_".len()..]),
        "the secret is stored"
    );
}

#[rstest]
#[tokio::test]
async fn first_token_is_created_once(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let server = Server::start(database).await;
    let first = || async { api_token::first(&server.app).await.unwrap() };
    let (a, b, c, d) = tokio::join!(first(), first(), first(), first());
    let made: Vec<_> = [a, b, c, d].into_iter().flatten().collect();
    assert_eq!((made.len(), server.column::<i64>("SELECT count(*) FROM api_token").await[0]), (1, 1));
    let (token, secret) = &made[0];
    send_query(&server.with_secret(secret.expose())).await.data();
    api_token::revoke(&server.app, &access::Caller::operator(), token.id).await.unwrap();
    assert!(first().await.is_none(), "a revoked token is a token too");
}
