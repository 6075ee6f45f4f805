//! Attribute schemas and attributes, written by SQL without the server's validation.

use memberbase::{
    db::{Lock, Session},
    types::{Id, MemberbaseId},
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr};
use serde_json::{Value, json};

use super::Server;

impl Server {
    /// Runs SQL that changes rows.
    pub async fn execute(&self, sql: &str) {
        let execute = async |session: Session| session.execute_unprepared(sql).await;
        self.app.db.write::<_, DbErr, _>(Lock::None, execute).await.unwrap();
    }

    /// Creates a memberbase with this attribute schema and with members, each a ref and its attributes (null for none).
    pub async fn memberbase_with(&self, schema: &[(&str, &str)], members: &[(&str, Value)]) -> String {
        let refs: Vec<_> = members.iter().map(|(reference, _)| *reference).collect();
        let base = self.memberbase_of(&refs).await;
        let uuid = MemberbaseId::parse(&base).unwrap().uuid();
        let id = match self.app.db.backend() {
            DbBackend::Sqlite => format!("x'{}'", uuid.simple()),
            _ => format!("'{uuid}'"),
        };
        let quoted = |json: &Value| format!("'{}'", json.to_string().replace('\'', "''"));
        let schema = quoted(&json!(schema));
        self.execute(&format!("UPDATE memberbase SET attribute_schema = {schema} WHERE id = {id}")).await;
        for (reference, document) in members.iter().filter(|(_, document)| !document.is_null()) {
            let document = quoted(document);
            let update = format!("UPDATE member SET attributes = {document} WHERE memberbase_id = {id}");
            self.execute(&format!("{update} AND ref = '{reference}'")).await;
        }
        base
    }
}
