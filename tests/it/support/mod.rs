//! A server in process, and kinds of callers.

mod attributes;
mod caller;
mod child;
pub mod coding;
mod database;
mod events;
mod member_children;
mod process;
mod random;

pub use caller::{ApiResponse, Caller};
pub use child::ChildType;
pub use database::Database;
pub use events::{CHANGED, Events};
pub use process::{Client, Process, Site, parse_response, read_response};
pub use random::Random;

use std::{net::SocketAddr, path::Path, time::Duration};

use memberbase::{
    app::App,
    db::{Db, Settings},
    domain::{
        access::{self, Access, Scope},
        api_token::{self, NewApiToken},
    },
    graphql,
    http::{self, ConnectionOptions, Options, Service},
    types::{Id, Limits, MemberbaseId, Time},
};
use sea_orm::{ConnectionTrait, DbBackend, QueryTrait, Statement, TryGetable};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, Row};
use tokio::{net::TcpListener, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A server with a database of its own, which is deleted with it.
pub struct Server {
    pub app: App,
    pub settings: Settings,
    /// The running mutations.
    pub tasks: TaskTracker,
    /// Stops the server when it is cancelled.
    pub stopping: CancellationToken,
    router: axum::Router,
    _storage: Option<database::Storage>,
}

impl Server {
    /// Starts a server on a fresh database.
    pub async fn start(database: Database) -> Self {
        Self::with(database, Limits::default()).await
    }

    /// Starts a server on a fresh database that a long test can write to quickly: SQLite's file is in memory if possible.
    pub async fn in_memory(database: Database) -> Self {
        let shared_memory = Path::new("/dev/shm");
        let folder = if shared_memory.is_dir() { shared_memory.to_owned() } else { std::env::temp_dir() };
        let (settings, storage) = database.make_in(&folder).await;
        Self::on(settings, Some(storage), Limits::default(), |api| api, Options::default()).await
    }

    /// Starts a server with these limits on a fresh database.
    pub async fn with(database: Database, limits: Limits) -> Self {
        Self::with_options(database, limits, |api| api, Options::default()).await
    }

    /// Starts a server with these limits, a changed API and these HTTP options on a fresh database.
    pub async fn with_options(
        database: Database,
        limits: Limits,
        change: impl FnOnce(graphql::Api) -> graphql::Api,
        options: Options,
    ) -> Self {
        let (settings, storage) = database.make().await;
        let (query_timeout, mutation_timeout) = (limits.time.query, limits.time.mutation);
        let settings = Settings { query_timeout, mutation_timeout, ..settings };
        Self::on(settings, Some(storage), limits, change, options).await
    }

    /// Starts a server on an existing database.
    pub async fn reopen(settings: Settings) -> Self {
        Self::on(settings, None, Limits::default(), |api| api, Options::default()).await
    }

    async fn on(
        settings: Settings,
        storage: Option<database::Storage>,
        limits: Limits,
        change: impl FnOnce(graphql::Api) -> graphql::Api,
        options: Options,
    ) -> Self {
        let db = Db::connect(&settings).await.unwrap();
        db.migrate_up().await.unwrap();
        let app = App::new(db, limits);
        let service = Service::new(app.clone(), change(graphql::api(&app.limits)), options);
        let (tasks, stopping) = (service.tasks.clone(), service.stopping.clone());
        Self { app, settings, tasks, stopping, router: http::router(service), _storage: storage }
    }

    /// Starts another server on the same database. The two notify each other of changes until they stop.
    pub async fn second_server(&self) -> Self {
        let limits = self.app.limits.clone();
        let other = Self::on(self.settings.clone(), None, limits, |api| api, Options::default()).await;
        for server in [self, &other] {
            tokio::spawn(server.app.clone().relay_outbound(server.stopping.clone()));
            tokio::spawn(server.app.clone().relay_inbound(server.stopping.clone()));
        }
        other
    }

    /// Starts another server with these limits on the same database.
    pub async fn server_with_limits(&self, limits: Limits) -> Self {
        let (query_timeout, mutation_timeout) = (limits.time.query, limits.time.mutation);
        let settings = Settings { query_timeout, mutation_timeout, ..self.settings.clone() };
        Self::on(settings, None, limits, |api| api, Options::default()).await
    }

    /// Listens on a port until the server stops.
    pub async fn listen(&self) -> SocketAddr {
        self.listen_with(ConnectionOptions::default()).await
    }

    /// Listens on a port with these limits of connections until the server stops.
    pub async fn listen_with(&self, options: ConnectionOptions) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(http::serve(listener, self.router.clone(), options, self.stopping.clone(), self.tasks.clone()));
        address
    }

    /// Runs a query on the database and returns its first column.
    pub async fn column<T: TryGetable>(&self, sql: &str) -> Vec<T> {
        let session = self.app.db.read().await.unwrap();
        let statement = Statement::from_string(self.app.db.backend(), sql);
        let rows = session.query_all_raw(statement).await.unwrap();
        rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    }

    /// Returns SQLite's plan of a statement, a line for each step.
    pub async fn plan(&self, sql: &str) -> String {
        let session = self.app.db.read().await.unwrap();
        let statement = Statement::from_string(DbBackend::Sqlite, format!("EXPLAIN QUERY PLAN {sql}"));
        let rows = session.query_all_raw(statement).await.unwrap();
        rows.iter().map(|row| row.try_get::<String>("", "detail").unwrap()).collect::<Vec<_>>().join("\n")
    }

    /// Returns a row of PostgreSQL's statistics. Closes the server's connections first, because a backend reports its
    /// counts when it ends at the latest.
    pub async fn postgres_statistics(&self, sql: &str) -> Vec<i64> {
        self.app.db.close().await;
        let mut connection = PgConnection::connect(&self.settings.url).await.unwrap();
        let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
            AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        while sqlx::query_scalar::<_, i64>(others).fetch_one(&mut connection).await.unwrap() > 0 {
            sleep(Duration::from_millis(20)).await;
        }
        let row = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap();
        (0..row.len()).map(|index| row.get(index)).collect()
    }

    /// Returns the number of members in all memberbases.
    pub async fn members(&self) -> i64 {
        self.column("SELECT count(*) FROM member").await[0]
    }

    /// A caller without a token.
    pub fn anonymous(&self) -> Caller {
        Caller::new(self.router.clone(), None)
    }

    /// A caller that may do everything.
    pub async fn admin(&self) -> Caller {
        self.caller(Access::Admin, None).await
    }

    /// A caller that may write everywhere.
    pub async fn writer(&self) -> Caller {
        self.caller(Access::Write, None).await
    }

    /// A caller that may read everywhere.
    pub async fn reader(&self) -> Caller {
        self.caller(Access::Read, None).await
    }

    /// A caller with this access to one memberbase.
    pub async fn bound(&self, access: Access, memberbase: &str) -> Caller {
        self.caller(access, Some(MemberbaseId::parse(memberbase).unwrap())).await
    }

    async fn caller(&self, access: Access, memberbase: Option<MemberbaseId>) -> Caller {
        Caller::new(self.router.clone(), Some(self.token(access, memberbase, None).await.1))
    }

    /// Creates a token, and returns its id and its secret.
    pub async fn token(
        &self,
        access: Access,
        memberbase: Option<MemberbaseId>,
        expires_at: Option<Time>,
    ) -> (memberbase::types::ApiTokenId, String) {
        let new = NewApiToken { description: "a test".to_owned(), access, memberbase, expires_at };
        let (token, secret) = api_token::create(&self.app, &access::Caller::operator(), new).await.unwrap();
        (token.id, secret.expose().to_owned())
    }

    /// A caller with this secret.
    pub fn with_secret(&self, secret: &str) -> Caller {
        Caller::new(self.router.clone(), Some(secret.to_owned()))
    }

    /// Returns the operator's scope for a memberbase.
    pub fn scope(&self, memberbase: &str) -> Scope {
        access::Caller::operator().authorize(MemberbaseId::parse(memberbase).unwrap(), Access::Read).unwrap()
    }

    /// Returns the query plan of a statement as text; on PostgreSQL the generic plan, without the values.
    pub async fn explain(&self, statement: &impl QueryTrait) -> String {
        let session = self.app.db.read().await.unwrap();
        let mut statement = statement.build(self.app.db.backend());
        if self.app.db.backend() == DbBackend::Sqlite {
            statement.sql = format!("EXPLAIN QUERY PLAN {}", statement.sql);
            let rows = session.query_all_raw(statement).await.unwrap();
            return rows.iter().map(|row| row.try_get::<String>("", "detail").unwrap()).collect::<Vec<_>>().join("\n");
        }
        let nulls = vec!["NULL"; statement.values.map_or(0, |values| values.0.len())].join(", ");
        let prepare = format!("ANALYZE member; PREPARE explained AS {}", statement.sql);
        session.execute_unprepared(&prepare).await.unwrap();
        let explain =
            format!("EXPLAIN EXECUTE explained{}", if nulls.is_empty() { nulls } else { format!("({nulls})") });
        let rows = session.query_all_raw(Statement::from_string(DbBackend::Postgres, explain)).await.unwrap();
        session.execute_unprepared("DEALLOCATE explained").await.unwrap();
        rows.iter().map(|row| row.try_get::<String>("", "QUERY PLAN").unwrap()).collect::<Vec<_>>().join("\n")
    }

    /// Creates a memberbase.
    pub async fn memberbase(&self, name: &str) -> String {
        let query = "mutation($name: String!) { createMemberbase(input: {name: $name}) { memberbase { id } } }";
        let response = self.admin().await.graphql(query, json!({"name": name})).await;
        response.data()["createMemberbase"]["memberbase"]["id"].as_str().unwrap().to_owned()
    }

    /// Creates a memberbase with these members.
    pub async fn memberbase_of(&self, refs: &[&str]) -> String {
        let base = self.memberbase("of some").await;
        self.writer().await.upsert(&base, refs).await.data();
        base
    }
}

impl Caller {
    /// Upserts members by their refs; selects ids, results and summary.
    pub async fn upsert(&self, memberbase: &str, refs: &[&str]) -> ApiResponse {
        let members: Vec<Value> = refs.iter().map(|reference| json!({"ref": reference})).collect();
        self.upsert_with(json!({"memberbaseId": memberbase, "members": members})).await
    }

    /// Upserts members with this input.
    pub async fn upsert_with(&self, input: Value) -> ApiResponse {
        let query = "mutation($input: BulkUpsertMembersInput!) { bulkUpsertMembers(input: $input) { \
            memberIds results { index ref memberId outcome error { code message path } } \
            summary { created updated unchanged stale skipped failed } } }";
        self.graphql(query, json!({"input": input})).await
    }

    /// Deletes members with this input.
    pub async fn delete_with(&self, input: Value) -> ApiResponse {
        let query = "mutation($input: DeleteMembersInput!) { deleteMembers(input: $input) { \
            deletedMemberIds notFoundMemberIds notFoundRefs deleted { members attributes clips stampCollections transactions } } }";
        self.graphql(query, json!({"input": input})).await
    }
}

/// Returns the id of a memberbase that does not exist.
pub fn missing_memberbase_id() -> String {
    MemberbaseId::from_uuid(uuid::Uuid::now_v7()).to_string()
}
