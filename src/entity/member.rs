//! `member`: one row a member, in the order of ids within each memberbase.

use sea_orm::entity::prelude::*;

/// A row.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "member")]
pub struct Model {
    /// The memberbase.
    #[sea_orm(primary_key, auto_increment = false)]
    pub memberbase_id: Uuid,
    /// A UUIDv7, whose time is that of the creation.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The owner's own key, unique in the memberbase, compared byte for byte.
    #[sea_orm(column_name = "ref")]
    pub reference: String,
    /// Microseconds since 1970.
    pub updated_at: i64,
    /// A JSON object from key to value; null: no attributes.
    #[sea_orm(column_type = "JsonBinary", nullable, select_as = "text")]
    pub attributes: Option<String>,
    /// Microseconds since 1970, by the clock of the source; null: not told.
    pub source_updated_at: Option<i64>,
    /// The memberbase itself.
    #[sea_orm(belongs_to, from = "memberbase_id", to = "id")]
    pub memberbase: BelongsTo<super::memberbase::Entity>,
    /// Its clips.
    #[sea_orm(has_many)]
    pub clips: HasMany<super::clip::Entity>,
    /// Its stamp collections.
    #[sea_orm(has_many)]
    pub stamp_collections: HasMany<super::stamp_collection::Entity>,
    /// Its transactions.
    #[sea_orm(has_many)]
    pub transactions: HasMany<super::transaction::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
