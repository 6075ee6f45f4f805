//! Stub.

mod bulk_upsert;

use async_graphql::{Context, ID, Object};

pub use bulk_upsert::{BulkUpsertStampCollectionsMutation, StampCollectionInput};

use super::Error;
use crate::{
    domain::{access::Scope, stamp_collection},
    types::StampCollectionId,
};

/// Stub.
#[derive(Clone, Debug)]
pub struct StampCollection(pub(super) stamp_collection::StampCollection);

/// Stub.
#[Object]
impl StampCollection {
    /// Its id.
    pub async fn id(&self) -> ID {
        self.0.id.to_string().into()
    }
}

impl StampCollection {
    async fn load(_: &Context<'_>, _: Scope, ids: &[Option<StampCollectionId>]) -> Result<Vec<Option<Self>>, Error> {
        Ok(ids.iter().map(|_| None).collect())
    }
}
