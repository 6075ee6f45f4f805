//! A fresh database for each test: a file, or a database of the cluster that `scripts/postgres.sh` started.

use std::{
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use memberbase::db::Settings;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// The database that a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// Keeps a database until it is dropped: it deletes the folder of a file; the cluster is deleted after all tests.
pub struct Storage(#[expect(dead_code, reason = "deletes the folder on drop")] Option<tempfile::TempDir>);

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Database {
    /// Creates a database, and returns its settings with a small pool.
    pub async fn make(self) -> (Settings, Storage) {
        self.make_in(&std::env::temp_dir()).await
    }

    /// Creates a database whose file, if it is one, is below this folder.
    pub async fn make_in(self, parent: &Path) -> (Settings, Storage) {
        let (url, folder) = match self {
            Self::Sqlite => {
                let folder = tempfile::tempdir_in(parent).unwrap();
                (format!("sqlite://{}/test.db", folder.path().display()), Some(folder))
            }
            Self::Postgres => (fresh_database().await, None),
        };
        let settings = Settings { acquire_timeout: Duration::from_secs(20), ..Settings::small(url) };
        (settings, Storage(folder))
    }
}

/// Returns the URL of the cluster.
pub fn cluster() -> String {
    std::env::var("MEMBERBASE_TEST_POSTGRES_URL")
        .expect("MEMBERBASE_TEST_POSTGRES_URL is not set: run the tests by `make test`")
}

async fn fresh_database() -> String {
    let cluster = cluster();
    let name = format!("test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let mut connection = PgConnection::connect(&cluster).await.unwrap();
    connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    connection.close().await.unwrap();
    let (server, _) = cluster.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}
