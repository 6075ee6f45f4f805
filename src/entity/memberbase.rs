//! Table `memberbase`: one row per memberbase.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "memberbase")]
pub struct Model {
    /// UUIDv7, which contains the time of creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Name, not necessarily unique.
    pub name: String,
    /// Time in microseconds since 1970.
    pub updated_at: i64,
    /// JSON list of pairs of key and type, in the order of their declaration.
    #[sea_orm(column_type = "JsonBinary", select_as = "text")]
    pub attribute_schema: String,
}

impl ActiveModelBehavior for ActiveModel {}
