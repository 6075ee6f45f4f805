//! `bulkUpsertMembers`.

use rstest::rstest;
use serde_json::json;

use crate::support::{Database, Server};

#[rstest]
#[tokio::test]
async fn ids_come_in_input_order_and_the_same_again(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, writer) = (server.memberbase("b").await, server.writer().await);
    let first = writer.upsert(&base, &["b", "a", "c"]).await.data();
    let again = writer.upsert(&base, &["c", "b", "a"]).await.data();
    let ids = &first["bulkUpsertMembers"]["memberIds"];
    assert_eq!(again["bulkUpsertMembers"]["memberIds"], json!([ids[2], ids[0], ids[1]]));
    assert_eq!(again["bulkUpsertMembers"]["summary"]["unchanged"], 3);
}
