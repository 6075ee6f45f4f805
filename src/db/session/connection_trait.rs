//! SeaORM's interface to a session.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};
use sqlx::{AssertSqlSafe, Executor};

use super::{Connection, Driver, HeldBinds, Session, parts};

#[async_trait::async_trait]
impl ConnectionTrait for Session {
    fn get_database_backend(&self) -> DbBackend {
        self.0.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let (sql, values) = parts(statement);
        let mut connection = self.connection().await?;
        let Connection { driver, status, .. } = self.open(&mut connection)?;
        self.limited(status, async {
            match driver {
                Driver::Sqlite(connection) => {
                    let _held = HeldBinds::of(&values)?;
                    sqlx::query_with(sql, values).execute(&mut **connection).await.map(ExecResult::from)
                }
                Driver::Postgres(connection) => {
                    sqlx::query_with(sql, values).execute(&mut **connection).await.map(ExecResult::from)
                }
            }
        })
        .await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut connection = self.connection().await?;
        let Connection { driver, status, .. } = self.open(&mut connection)?;
        self.limited(status, async {
            match driver {
                Driver::Sqlite(connection) => connection.execute(AssertSqlSafe(sql)).await.map(ExecResult::from),
                Driver::Postgres(connection) => connection.execute(AssertSqlSafe(sql)).await.map(ExecResult::from),
            }
        })
        .await
    }

    /// Reads all rows of the result: the statement itself has to limit them.
    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut rows = Vec::new();
        let take = |row| {
            rows.push(row);
            Ok(())
        };
        self.each(statement, take).await?;
        Ok(rows)
    }
}
