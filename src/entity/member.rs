//! Table `member`: one row per member, with the primary key `(memberbase_id, id)`.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "member")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub memberbase_id: Uuid,
    /// UUIDv7, which contains the time of creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The owner's key for the member, unique in the memberbase, compared byte by byte.
    #[sea_orm(column_name = "ref")]
    pub reference: String,
    /// Time in microseconds since 1970.
    pub updated_at: i64,
    /// JSON object from key to value; null if the member has no attributes.
    #[sea_orm(column_type = "JsonBinary", nullable, select_as = "text")]
    pub attributes: Option<String>,
    /// Time in microseconds since 1970, by the source's clock; null if the source did not state one.
    pub source_updated_at: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
