//! Children of members, written by SQL without the server's validation.

use memberbase::{
    db::{ArrayColumn, ArrayTable, Lock, ScalarBind},
    types::{Id, MemberId, MemberbaseId},
};
use sea_orm::DbErr;
use uuid::Uuid;

use super::Server;

/// The tables of the children.
pub const TABLES: [&str; 3] = ["clip", "stamp_collection", "\"transaction\""];

const INSERTS: [&str; 3] = [
    "INSERT INTO clip (memberbase_id, id, member_id, deal_id, creative_id, updated_at) \
    SELECT $1, input.id, input.member_id, input.name, 'creative', 5 FROM {rows} AS input",
    "INSERT INTO stamp_collection (memberbase_id, id, member_id, loyalty_program_id, stamps, rewards_earned, updated_at) \
    SELECT $1, input.id, input.member_id, input.name, 3, 1, 5 FROM {rows} AS input",
    "INSERT INTO \"transaction\" (memberbase_id, id, member_id, external_id, auth_code, network, bin, merchant_id, \
    amount, currency, authed_at, updated_at) \
    SELECT $1, input.id, input.member_id, input.name, 'auth', 2, '370000', 'shop', -250, 'GBP', input.at, 5 \
    FROM {rows} AS input",
];

impl Server {
    /// Inserts this number of rows into each of [`TABLES`] for each member. The n-th key is `{member index}-{n}`;
    /// three transactions at a time have the same second.
    pub async fn insert_children(&self, base: &str, members: &[String], counts: [usize; 3]) {
        let base = MemberbaseId::parse(base).unwrap().uuid();
        for (sql, count) in INSERTS.iter().zip(counts).filter(|(_, count)| *count > 0) {
            let (mut ids, mut owners, mut names, mut times) = (vec![], vec![], vec![], vec![]);
            for (index, member) in members.iter().enumerate() {
                for n in 0..count {
                    ids.push(Uuid::now_v7());
                    owners.push(MemberId::parse(member).unwrap().uuid());
                    names.push(format!("{index}-{n}"));
                    times.push(i64::try_from(n / 3).unwrap() * 1_000_000);
                }
            }
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let rows = ArrayTable::new([
                ("id", ArrayColumn::Uuids(ids)),
                ("member_id", ArrayColumn::Uuids(owners)),
                ("name", ArrayColumn::Texts(names)),
                ("at", ArrayColumn::Ints(times)),
            ]);
            let insert =
                async |session: memberbase::db::Session| session.bulk(sql, &[ScalarBind::Uuid(base)], &rows).await;
            self.app.db.write::<_, DbErr, _>(Lock::None, insert).await.unwrap();
        }
    }

    /// Returns the number of rows in each of [`TABLES`].
    pub async fn member_children(&self) -> [i64; 3] {
        let mut counts = [0; 3];
        for (table, count) in TABLES.iter().zip(&mut counts) {
            *count = self.column(&format!("SELECT count(*) FROM {table}")).await[0];
        }
        counts
    }

    /// Creates a memberbase with `count` members, and returns its id and theirs.
    pub async fn base_of(&self, count: usize) -> (String, Vec<String>) {
        let base = self.memberbase("some").await;
        let refs: Vec<_> = (0..count).map(|n| format!("ref-{n:04}")).collect();
        let refs: Vec<_> = refs.iter().map(String::as_str).collect();
        let data = self.writer().await.upsert(&base, &refs).await.data();
        let ids = data["bulkUpsertMembers"]["memberIds"].as_array().unwrap();
        (base, ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect())
    }
}
