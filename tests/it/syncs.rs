//! `startSync`, `commitSync`, `abandonSync`, and upserts while a sync is open.

mod ends;
mod marks;

use memberbase::{
    domain::access::Access,
    types::{Id, SyncId},
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{ApiResponse, Caller, Database, Server, missing_memberbase_id};

const FIELDS: &str = "id state startedAt endedAt seen missing memberbase { id } \
    deleted { members attributes clips stampCollections transactions }";

impl Caller {
    pub async fn try_start(&self, base: &str, abandon_open: bool) -> ApiResponse {
        let query = format!("mutation($i: StartSyncInput!) {{ startSync(input: $i) {{ sync {{ {FIELDS} }} }} }}");
        self.graphql(&query, json!({"i": {"memberbaseId": base, "abandonOpen": abandon_open}})).await
    }

    /// Starts a sync and returns its id.
    pub async fn start(&self, base: &str) -> String {
        let data = self.try_start(base, false).await.data();
        data["startSync"]["sync"]["id"].as_str().unwrap().to_owned()
    }

    pub async fn try_commit(&self, sync: &str, mut options: Value) -> ApiResponse {
        options["syncId"] = json!(sync);
        let query = format!("mutation($i: CommitSyncInput!) {{ commitSync(input: $i) {{ sync {{ {FIELDS} }} }} }}");
        self.graphql(&query, json!({"i": options})).await
    }

    pub async fn commit(&self, sync: &str, options: Value) -> Value {
        self.try_commit(sync, options).await.data()["commitSync"]["sync"].take()
    }

    pub async fn try_abandon(&self, sync: &str) -> ApiResponse {
        let query = format!("mutation($i: AbandonSyncInput!) {{ abandonSync(input: $i) {{ sync {{ {FIELDS} }} }} }}");
        self.graphql(&query, json!({"i": {"syncId": sync}})).await
    }

    pub async fn abandon(&self, sync: &str) -> Value {
        self.try_abandon(sync).await.data()["abandonSync"]["sync"].take()
    }

    pub async fn sync(&self, sync: &str) -> Value {
        let query = format!("query($id: ID!) {{ sync(id: $id) {{ {FIELDS} }} }}");
        self.graphql(&query, json!({"id": sync})).await.data()["sync"].take()
    }
}

/// Options that delete all missing members, without a limit.
pub fn delete_all() -> Value {
    json!({"onMissing": "DELETE", "maxDeletedPercent": 100})
}

/// Starts a server with a memberbase of these members, and returns a caller that may write.
pub async fn base_of(database: Database, refs: &[&str]) -> (Server, String, Caller) {
    let server = Server::start(database).await;
    let base = server.memberbase_of(refs).await;
    let writer = server.writer().await;
    (server, base, writer)
}

pub async fn refs(server: &Server) -> Vec<String> {
    server.column("SELECT ref FROM member ORDER BY ref").await
}

pub async fn marks(server: &Server) -> i64 {
    server.column("SELECT count(*) FROM sync_seen").await[0]
}

pub fn sync_counts(sync: &Value) -> (i64, i64) {
    (sync["seen"].as_i64().unwrap(), sync["missing"].as_i64().unwrap())
}

#[rstest]
#[tokio::test]
async fn commit_deletes_members_that_were_not_upserted(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (server, base, writer) = base_of(database, &["a", "b", "c", "d"]).await;
    let started = writer.try_start(&base, false).await.data()["startSync"]["sync"].take();
    assert_eq!(
        (&started["state"], &started["endedAt"], &started["deleted"]),
        (&json!("OPEN"), &json!(null), &json!(null))
    );
    assert_eq!((sync_counts(&started), &started["memberbase"]["id"]), ((0, 4), &json!(base)));
    let sync = started["id"].as_str().unwrap();
    let input = json!({"memberbaseId": base, "members": [{"ref": "a"}, {"ref": "e"}, {"ref": "a"}], "syncId": sync});
    writer.upsert_with(input).await.data();
    writer.upsert(&base, &["c"]).await.data();
    assert_eq!(sync_counts(&writer.sync(sync).await), (3, 2));
    let committed = writer.commit(sync, json!({"onMissing": "DELETE", "maxDeletedPercent": 40})).await;
    assert_eq!((sync_counts(&committed), &committed["state"]), ((3, 2), &json!("COMMITTED")));
    assert_eq!(committed["deleted"]["members"], 2);
    assert!(committed["endedAt"].as_str().unwrap() >= committed["startedAt"].as_str().unwrap(), "{committed}");
    assert_eq!((refs(&server).await, marks(&server).await), (vec!["a".to_owned(), "c".to_owned(), "e".to_owned()], 0));
    // An existing member that was upserted stays.
    writer.upsert(&base, &["x", "y"]).await.data();
    assert_eq!(writer.sync(sync).await, committed);
}

#[rstest]
#[tokio::test]
async fn commit_with_keep_deletes_no_member(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let (server, base, writer) = base_of(database, &["a", "b"]).await;
    let sync = writer.start(&base).await;
    let committed = writer.commit(&sync, json!({})).await;
    assert_eq!((sync_counts(&committed), &committed["state"]), ((0, 2), &json!("COMMITTED")));
    let nothing = json!({"members": 0, "attributes": 0, "clips": 0, "stampCollections": 0, "transactions": 0});
    assert_eq!((&committed["deleted"], server.members().await), (&nothing, 2));
}

#[rstest]
#[tokio::test]
async fn calls_of_an_ended_sync_fail(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let (server, base, writer) = base_of(database, &["a"]).await;
    let other = server.memberbase("other").await;
    let upsert = async |sync: &str, dry_run: bool| {
        let input = json!({"memberbaseId": base, "members": [{"ref": "x"}], "syncId": sync, "dryRun": dry_run});
        writer.upsert_with(input).await
    };
    let (abandoned, elsewhere) = (writer.start(&base).await, writer.start(&other).await);
    writer.abandon(&abandoned).await;
    let committed = writer.start(&base).await;
    writer.commit(&committed, json!({})).await;
    let expired = writer.start(&base).await;
    server.execute("UPDATE sync SET expires_at = 0 WHERE ended_at IS NULL").await;
    let open = writer.start(&base).await;
    let never = SyncId::from_uuid(uuid::Uuid::now_v7()).to_string();
    for dry_run in [false, true] {
        for (sync, how) in [(&abandoned, "was abandoned"), (&committed, "was committed"), (&expired, "has expired")] {
            let response = upsert(sync, dry_run).await;
            assert_eq!(response.code(), "CONFLICT", "{}", response.json());
            assert!(response.message().contains(sync) && response.message().contains(how), "{}", response.message());
        }
        let form = |response: ApiResponse, id: &str| (response.code(), response.message().replace(id, "<id>"));
        let absent = form(upsert(&never, dry_run).await, &never);
        assert_eq!(
            (absent.0.as_str(), form(upsert(&elsewhere, dry_run).await, &elsewhere)),
            ("NOT_FOUND", absent.clone())
        );
        let malformed = upsert(&base, dry_run).await;
        assert_eq!(malformed.code(), "BAD_USER_INPUT");
        assert!(malformed.message().contains("sync_"), "{}", malformed.message());
    }
    assert_eq!(server.members().await, 1);
    upsert(&open, false).await.data();
    assert_eq!(sync_counts(&writer.sync(&open).await), (1, 1));
}

#[rstest]
#[tokio::test]
async fn memberbase_has_at_most_one_open_sync(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let (server, base, writer) = base_of(database, &["a", "b"]).await;
    let first = writer.start(&base).await;
    writer.upsert(&base, &["a"]).await.data();
    let second = writer.try_start(&base, false).await;
    assert_eq!(second.code(), "CONFLICT");
    assert!(second.message().contains(&first), "{}", second.message());
    // Another memberbase has its own open sync.
    let other = server.memberbase("other").await;
    writer.start(&other).await;
    let second = writer.try_start(&base, true).await.data()["startSync"]["sync"].take();
    assert_eq!(sync_counts(&second), (0, 2));
    let abandoned = writer.sync(&first).await;
    assert_eq!((&abandoned["state"], sync_counts(&abandoned)), (&json!("ABANDONED"), (1, 1)));
    assert_eq!((&abandoned["deleted"], marks(&server).await, server.members().await), (&json!(null), 0, 2));
    // A unique index of the database enforces the rule as well.
    let copy = "INSERT INTO sync (id, memberbase_id, state, expires_at) \
        SELECT memberbase_id, memberbase_id, 0, expires_at FROM sync WHERE ended_at IS NULL";
    let insert = async |session: memberbase::db::Session| {
        sea_orm::ConnectionTrait::execute_unprepared(&session, copy).await.map(drop)
    };
    let refused = server.app.db.write::<_, sea_orm::DbErr, _>(memberbase::db::Lock::None, insert).await;
    assert!(refused.unwrap_err().to_string().to_lowercase().contains("unique"));
}

#[rstest]
#[tokio::test]
async fn concurrent_starts_open_one_sync(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let (server, base, writer) = base_of(database, &["a"]).await;
    let start = || writer.try_start(&base, false);
    let (a, b, c, d) = tokio::join!(start(), start(), start(), start());
    let (started, refused): (Vec<_>, Vec<_>) =
        [a, b, c, d].into_iter().map(|response| response.json()).partition(|json| json.get("errors").is_none());
    let id = started[0]["data"]["startSync"]["sync"]["id"].as_str().unwrap();
    assert_eq!((started.len(), server.column::<i64>("SELECT count(*) FROM sync").await[0]), (1, 1));
    for response in refused {
        assert_eq!(response["errors"][0]["extensions"]["code"], "CONFLICT");
        assert!(response["errors"][0]["message"].as_str().unwrap().contains(id), "{response}");
    }
}

#[rstest]
#[tokio::test]
async fn commit_is_rejected_above_max_deleted_percent(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let refs: Vec<_> = (0..20).map(|n| format!("ref-{n:02}")).collect();
    let refs: Vec<_> = refs.iter().map(String::as_str).collect();
    let (server, base, writer) = base_of(database, &refs).await;
    let sync = writer.start(&base).await;
    writer.upsert(&base, &refs[..17]).await.data();
    for options in [json!({"onMissing": "DELETE"}), json!({"onMissing": "DELETE", "maxDeletedPercent": 14.99})] {
        let response = writer.try_commit(&sync, options).await;
        assert_eq!(response.code(), "LIMIT_EXCEEDED", "{}", response.json());
        assert!(response.message().contains("3 of 20 members"), "{}", response.message());
        let after = writer.sync(&sync).await;
        assert_eq!((&after["state"], sync_counts(&after), server.members().await), (&json!("OPEN"), (17, 3), 20));
    }
    // Members that were upserted before the retry count as present.
    writer.upsert(&base, &refs[17..18]).await.data();
    let committed = writer.commit(&sync, json!({"onMissing": "DELETE"})).await;
    assert_eq!((&committed["deleted"]["members"], server.members().await), (&json!(2), 18));
}

#[rstest]
#[tokio::test]
async fn max_deleted_percent_is_between_0_and_100(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    use memberbase::domain::{self, access, sync};
    let (server, base, writer) = base_of(database, &["a"]).await;
    let id = writer.start(&base).await;
    writer.upsert(&base, &["a"]).await.data();
    for percent in [-0.001, 100.001, 1e300, -1.0] {
        let response = writer.try_commit(&id, json!({"maxDeletedPercent": percent})).await;
        assert_eq!(response.code(), "BAD_USER_INPUT", "{percent}");
        assert!(
            response.error()["extensions"]["path"].to_string().contains("maxDeletedPercent"),
            "{}",
            response.json()
        );
    }
    let reach = access::Caller::operator().authorize_visible(Access::Write).unwrap();
    let sync = SyncId::parse(&id).unwrap();
    for percent in [f64::NAN, f64::INFINITY] {
        let refused = sync::commit(&server.app, reach, sync, sync::OnMissing::Delete, percent).await;
        assert!(matches!(refused, Err(domain::Error::BadInput { .. })), "{refused:?}");
    }
    assert_eq!(writer.commit(&id, json!({"onMissing": "DELETE", "maxDeletedPercent": 0})).await["state"], "COMMITTED");
}

#[rstest]
#[tokio::test]
async fn commit_without_upserts_deletes_no_member(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let (server, base, writer) = base_of(database, &["a", "b"]).await;
    let sync = writer.start(&base).await;
    let input = json!({"memberbaseId": base, "members": [], "syncId": sync});
    writer.upsert_with(input).await.data();
    assert_eq!(writer.try_commit(&sync, delete_all()).await.code(), "CONFLICT");
    let input = json!({"memberbaseId": base, "members": [{"ref": "x"}], "syncId": sync, "mode": "UPDATE_ONLY"});
    writer.upsert_with(input).await.data();
    assert_eq!(writer.try_commit(&sync, delete_all()).await.code(), "CONFLICT");
    assert_eq!((&writer.sync(&sync).await["state"], server.members().await), (&json!("OPEN"), 2));
    assert_eq!(writer.commit(&sync, json!({"onMissing": "KEEP"})).await["state"], "COMMITTED");
}

#[rstest]
#[tokio::test]
async fn commit_deletes_and_counts_children_like_a_deletion(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let server = Server::start(database).await;
    let (base, ids) = server.base_of(4).await;
    let (other, others) = server.base_of(2).await;
    let cast = if database == Database::Postgres { "::jsonb" } else { "" };
    server.execute(&format!("UPDATE member SET attributes = '{{\"a\": 1, \"b\": [2]}}'{cast}")).await;
    server.insert_children(&base, &ids[..3], [2, 3, 5]).await;
    server.insert_children(&other, &others, [1, 1, 1]).await;
    let writer = server.writer().await;
    let input = json!({"memberbaseId": base, "memberIds": [ids[0], ids[1]], "dryRun": true});
    let expected = writer.delete_with(input).await.data()["deleteMembers"]["deleted"].take();
    let sync = writer.start(&base).await;
    writer.upsert(&base, &["ref-0002", "ref-0003"]).await.data();
    let committed = writer.commit(&sync, delete_all()).await;
    assert_eq!((&committed["deleted"], &expected["transactions"]), (&expected, &json!(10)));
    assert_eq!((server.members().await, server.member_children().await), (4, [4, 5, 7]));
    // The refs are free at once.
    let again = writer.upsert(&base, &["ref-0000"]).await.data();
    assert_eq!(again["bulkUpsertMembers"]["summary"]["created"], 1);
}

#[rstest]
#[tokio::test]
async fn members_and_memberbases_can_be_deleted_while_a_sync_is_open(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (server, base, writer) = base_of(database, &["a", "b", "c", "d"]).await;
    let sync = writer.start(&base).await;
    writer.upsert(&base, &["a", "b"]).await.data();
    // One marked member and one unmarked member are deleted by other calls.
    writer.delete_with(json!({"memberbaseId": base, "refs": ["a", "d"]})).await.data();
    assert_eq!(sync_counts(&writer.sync(&sync).await), (1, 1));
    let again = writer.upsert(&base, &["a"]).await.data();
    assert_eq!(again["bulkUpsertMembers"]["summary"]["created"], 1);
    assert_eq!(sync_counts(&writer.sync(&sync).await), (2, 1));
    let committed = writer.commit(&sync, delete_all()).await;
    assert_eq!(
        (&committed["deleted"]["members"], refs(&server).await),
        (&json!(1), vec!["a".to_owned(), "b".to_owned()])
    );
    let open = writer.start(&base).await;
    writer.upsert(&base, &["a"]).await.data();
    let query = "mutation($id: ID!) { deleteMemberbase(input: {memberbaseId: $id}) { deleted { members } } }";
    server.admin().await.graphql(query, json!({"id": base})).await.data();
    assert_eq!((marks(&server).await, server.column::<i64>("SELECT count(*) FROM sync").await[0]), (0, 0));
    assert_eq!(writer.sync(&open).await, json!(null));
    assert_eq!(writer.try_commit(&open, json!({})).await.code(), "NOT_FOUND");
}

#[rstest]
#[tokio::test]
async fn syncs_require_write_access_to_the_memberbase(
    #[values(Database::Sqlite, Database::Postgres)] database: Database,
) {
    let (server, base, writer) = base_of(database, &["a"]).await;
    let other = server.memberbase("other").await;
    let (reader, bound) = (server.reader().await, server.bound(Access::Write, &other).await);
    let (sync, never) = (writer.start(&base).await, SyncId::from_uuid(uuid::Uuid::now_v7()).to_string());
    for response in [
        reader.try_start(&base, true).await,
        reader.try_commit(&sync, json!({})).await,
        reader.try_commit(&never, json!({})).await,
        reader.try_abandon(&sync).await,
    ] {
        assert_eq!(response.code(), "FORBIDDEN");
    }
    let form = |response: ApiResponse, id: &str| (response.code(), response.message().replace(id, "<id>"));
    let missing_base = missing_memberbase_id();
    let pairs = [
        (
            form(bound.try_start(&base, true).await, &base),
            form(writer.try_start(&missing_base, true).await, &missing_base),
        ),
        (
            form(bound.try_commit(&sync, json!({})).await, &sync),
            form(writer.try_commit(&never, json!({})).await, &never),
        ),
        (form(bound.try_abandon(&sync).await, &sync), form(writer.try_abandon(&never).await, &never)),
    ];
    for (outside, absent) in pairs {
        assert_eq!((outside.0.as_str(), &outside), ("NOT_FOUND", &absent));
    }
    assert_eq!(reader.sync(&sync).await["state"], "OPEN");
    assert_eq!((bound.sync(&sync).await, reader.sync(&never).await), (json!(null), json!(null)));
    let own = server.bound(Access::Write, &base).await;
    assert_eq!(own.abandon(&sync).await["state"], "ABANDONED");
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let ids = json!({"ids": [sync, never, base]});
    let found = reader.graphql(query, ids.clone()).await.data();
    assert_eq!(found["nodes"][0], json!({"__typename": "Sync", "id": sync}));
    assert_eq!(
        (&found["nodes"][1], bound.graphql(query, ids).await.data()),
        (&json!(null), json!({"nodes": [null, null, null]}))
    );
    let malformed = reader.graphql("query($id: ID!) { sync(id: $id) { id } }", json!({"id": base})).await;
    assert_eq!(malformed.code(), "BAD_USER_INPUT");
}

#[rstest]
#[tokio::test]
async fn memberbase_lists_its_syncs_newest_first(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let (server, base, writer) = base_of(database, &["a"]).await;
    let other = server.memberbase("other").await;
    writer.start(&other).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let started = writer.try_start(&base, true).await.data();
        ids.insert(0, started["startSync"]["sync"]["id"].as_str().unwrap().to_owned());
    }
    let page = async |base: &str, arguments: &str| {
        let query = format!(
            "query($id: ID!) {{ memberbase(id: $id) {{ syncs({arguments}) {{ totalCount nodes {{ id state seen missing }} \
            edges {{ cursor node {{ id }} }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }} }}"
        );
        server.reader().await.graphql(&query, json!({"id": base})).await
    };
    let syncs = async |arguments: &str| page(&base, arguments).await.data()["memberbase"]["syncs"].take();
    let of = |page: &Value| -> Vec<String> {
        page["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = syncs("first: 10").await;
    assert_eq!((of(&all), &all["totalCount"]), (ids.clone(), &json!(5)));
    assert_eq!((&all["nodes"][0]["state"], &all["nodes"][1]["state"]), (&json!("OPEN"), &json!("ABANDONED")));
    assert_eq!((&all["nodes"][0]["missing"], &all["edges"][0]["node"]["id"]), (&json!(1), &json!(ids[0])));
    let first = syncs("first: 2").await;
    let after = format!("first: 2, after: {}", first["pageInfo"]["endCursor"]);
    let second = syncs(&after).await;
    assert_eq!((of(&first), of(&second)), (ids[..2].to_vec(), ids[2..4].to_vec()));
    assert_eq!(
        (&second["pageInfo"]["hasNextPage"], &second["pageInfo"]["hasPreviousPage"]),
        (&json!(true), &json!(true))
    );
    let before = format!("last: 2, before: {}", second["pageInfo"]["startCursor"]);
    let back = syncs(&before).await;
    assert_eq!((of(&back), &back["pageInfo"]["hasPreviousPage"]), (ids[..2].to_vec(), &json!(false)));
    assert_eq!(of(&syncs("last: 2").await), ids[3..].to_vec());
    for (base, cursor) in [(&other, &first["pageInfo"]["endCursor"]), (&base, &json!("AQ")), (&base, &json!("?"))] {
        assert_eq!(page(base, &format!("after: {cursor}")).await.code(), "BAD_USER_INPUT");
    }
}
