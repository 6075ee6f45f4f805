//! Stub.

mod bulk_upsert;

use async_graphql::{Context, ID, Object};

pub use bulk_upsert::{BulkUpsertClipsMutation, ClipInput};

use super::Error;
use crate::{
    domain::{access::Scope, clip},
    types::ClipId,
};

/// Stub.
#[derive(Clone, Debug)]
pub struct Clip(pub(super) clip::Clip);

/// Stub.
#[Object]
impl Clip {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }
}

impl Clip {
    async fn load(_: &Context<'_>, _: Scope, ids: &[Option<ClipId>]) -> Result<Vec<Option<Self>>, Error> {
        Ok(ids.iter().map(|_| None).collect())
    }
}
