//! `memberbase`: one row a memberbase.

use sea_orm::entity::prelude::*;

/// A row.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "memberbase")]
pub struct Model {
    /// A UUIDv7, whose time is that of the creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Names may repeat.
    pub name: String,
    /// Microseconds since 1970.
    pub updated_at: i64,
    /// A JSON list of pairs of key and type, in the order in which they were declared.
    #[sea_orm(column_type = "JsonBinary", select_as = "text")]
    pub attribute_schema: String,
    /// Its members.
    #[sea_orm(has_many)]
    pub members: HasMany<super::member::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
