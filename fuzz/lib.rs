//! A server in process with an empty database, for targets that need one.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use memberbase::{
    app::App,
    db::{Db, Settings},
    domain::access::Caller,
    graphql::{
        self, Code,
        execute::{OperationType, Request},
    },
    rpc::{self, Call},
    types::Limits,
};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

/// The time limit for one input.
const LIMIT: Duration = Duration::from_secs(2);

/// A server and its database.
pub struct Server {
    runtime: Runtime,
    app: App,
    api: graphql::Api,
    list: rpc::Endpoint,
    _folder: tempfile::TempDir,
}

/// Returns the server of this process.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings::small(format!("sqlite://{}/fuzz.db", folder.path().display()));
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let db = runtime.block_on(async {
            let db = Db::connect(&settings).await.expect("a database");
            db.migrate_up().await.expect("tables");
            db
        });
        let app = App::new(db, Limits::default());
        let api = graphql::api(&app.limits);
        let list = rpc::endpoints().into_iter().find(|it| it.path == "member/list").expect("an endpoint");
        let server = Self { runtime, app, api, list, _folder: folder };
        let made = server
            .graphql(br#"{"query": "mutation { createMemberbase(input: {name: \"b\"}) { memberbase { id } } }"}"#);
        assert!(made.is_empty(), "{made:?}");
        server
    }

    /// Returns the id of the only memberbase.
    pub fn memberbase(&self) -> &'static str {
        static ID: OnceLock<String> = OnceLock::new();
        ID.get_or_init(|| {
            let (body, _) = self.execute(br#"{"query": "{ memberbases { nodes { id } } }"}"#, true);
            let json: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
            json["data"]["memberbases"]["nodes"][0]["id"].as_str().expect("an id").to_owned()
        })
    }

    /// Executes a GraphQL request; with `runs` false, a mutation is only prepared.
    fn execute(&self, body: &[u8], runs: bool) -> (Vec<u8>, Vec<Code>) {
        let start = Instant::now();
        let prepared = Request::from_json(body).map_err(|error| vec![error]).and_then(|it| self.api.prepare(it));
        let response = match prepared {
            Err(errors) => (Vec::new(), errors.iter().map(graphql::Error::code).collect()),
            Ok(operation) if operation.kind() != OperationType::Query && !runs => Default::default(),
            Ok(operation) => self.runtime.block_on(async {
                let app = self.app.per_request(start + LIMIT, CancellationToken::new());
                let data = graphql::context::data(app, Caller::operator());
                let response = self.api.run(operation, data, "fuzz").await;
                (response.body, response.codes)
            }),
        };
        assert!(start.elapsed() < LIMIT, "it took {:?}", start.elapsed());
        assert!(!response.1.contains(&Code::InternalServerError), "{}", String::from_utf8_lossy(&response.0));
        response
    }

    /// Executes a GraphQL request and returns the codes of its errors.
    pub fn graphql(&self, body: &[u8]) -> Vec<Code> {
        self.execute(body, true).1
    }

    /// Executes a query, but only prepares a mutation; returns the codes of the errors.
    pub fn execute_queries(&self, body: &[u8]) -> Vec<Code> {
        self.execute(body, false).1
    }

    /// Calls `member/list` with this body.
    pub fn list(&self, body: &[u8]) {
        let start = Instant::now();
        let app = self.app.per_request(start + LIMIT, CancellationToken::new());
        let call = Call { app, caller: Caller::operator() };
        let outcome = self.runtime.block_on(async {
            match self.list.prepare(body) {
                Ok(prepared) => prepared(call).await,
                Err(error) => Err(error),
            }
        });
        assert!(start.elapsed() < LIMIT, "it took {:?}", start.elapsed());
        if let Err(error) = outcome {
            assert_ne!(error.code(), rpc::Code::InternalError);
        }
    }
}
