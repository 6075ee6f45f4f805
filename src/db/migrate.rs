//! Applies migrations: all pending ones in one transaction that first takes a lock, so that servers that start at the
//! same time apply them once.

use migration::{Migrator, MigratorTrait};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, SqlxPostgresConnector,
    SqlxSqliteConnector, Statement, TransactionOptions, TransactionTrait,
};

use super::{Db, Pools};

/// A migration that this program knows or that was applied to the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The name, which begins with the date.
    pub name: String,
    pub applied: bool,
    /// True if this program knows it. An unknown migration was applied by a newer version.
    pub(crate) known: bool,
}

/// Takes the advisory lock for migrations; the number is `memberba` in ASCII.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7882829249951850081)";

impl Db {
    /// Applies all pending migrations, or none. Returns the names of the applied ones.
    pub async fn migrate_up(&self) -> Result<Vec<String>, DbErr> {
        // Checked first, because a read-only database can still serve reads.
        let is_complete = self.migrations().await?.iter().all(|migration| migration.applied);
        let applied = if is_complete { Vec::new() } else { self.apply_pending().await? };
        if let Err(error) = self.complete_sqlite_statistics().await {
            tracing::warn!(%error, "adding missing statistics for the SQLite planner failed");
        }
        Ok(applied)
    }

    async fn apply_pending(&self) -> Result<Vec<String>, DbErr> {
        let transaction = self.lock_for_migration().await?;
        let pending = Migrator::get_pending_migrations(&transaction).await?;
        if !pending.is_empty() {
            Migrator::up(&transaction, None).await?;
        }
        transaction.commit().await?;
        Ok(pending.iter().map(|migration| migration.name().to_owned()).collect())
    }

    /// Reverts the last `steps` migrations, with all data of their tables. Returns their names.
    pub async fn migrate_down(&self, steps: u32) -> Result<Vec<String>, DbErr> {
        let transaction = self.lock_for_migration().await?;
        let applied = Migrator::get_applied_migrations(&transaction).await?;
        Migrator::down(&transaction, Some(steps)).await?;
        transaction.commit().await?;
        Ok(applied.iter().rev().take(steps as usize).map(|migration| migration.name().to_owned()).collect())
    }

    /// Returns all migrations in order; those that the program does not know come last.
    pub async fn migrations(&self) -> Result<Vec<Migration>, DbErr> {
        let session = self.read().await?;
        let exists = match self.backend() {
            DbBackend::Sqlite => "SELECT name FROM sqlite_master WHERE name = 'seaql_migrations'",
            _ => "SELECT 'found' WHERE to_regclass('seaql_migrations') IS NOT NULL",
        };
        let mut applied_names = Vec::new();
        if session.query_one_raw(Statement::from_string(self.backend(), exists)).await?.is_some() {
            let versions = Statement::from_string(self.backend(), "SELECT version FROM seaql_migrations");
            for row in session.query_all_raw(versions).await? {
                applied_names.push(row.try_get_by_index::<String>(0)?);
            }
        }
        let mut migrations = Vec::new();
        for migration in Migrator::migrations() {
            let name = migration.name().to_owned();
            let applied = applied_names.contains(&name);
            migrations.push(Migration { name, applied, known: true });
        }
        applied_names.retain(|name| !migrations.iter().any(|migration| migration.name == *name));
        applied_names.sort_unstable();
        migrations.extend(applied_names.into_iter().map(|name| Migration { name, applied: true, known: false }));
        Ok(migrations)
    }

    async fn lock_for_migration(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(sea_orm::SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        let transaction = self.connection().begin_with_options(options).await?;
        if let Pools::Postgres { .. } = self.shared.pools {
            transaction.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
            transaction.execute_unprepared(LOCK).await?;
        }
        Ok(transaction)
    }

    fn connection(&self) -> DatabaseConnection {
        match &self.shared.pools {
            Pools::Sqlite { writer, .. } => SqlxSqliteConnector::from_sqlx_sqlite_pool(writer.pool().clone()),
            Pools::Postgres { pool, .. } => SqlxPostgresConnector::from_sqlx_postgres_pool(pool.pool().clone()),
        }
    }
}
