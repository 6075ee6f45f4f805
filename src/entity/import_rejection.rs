//! Table `import_rejection`: rows of an import that were rejected.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "import_rejection")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub import_id: Uuid,
    /// The line of the file in which the row begins, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub line: i64,
    /// The event that reports the row, as JSON.
    pub event: String,
}

impl ActiveModelBehavior for ActiveModel {}
