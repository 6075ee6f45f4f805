//! Attribute schemas.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::{Error, context::ContextExt, memberbase::Memberbase};
use crate::domain::{
    access::Access,
    attribute::{Definition, Kind, Schema},
    memberbase,
};

/// The type of an attribute's values.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Kind")]
pub enum AttributeType {
    /// A text of at most 16 KiB, without NUL.
    String,
    /// A finite double, within plus or minus 2^53-1.
    Number,
    /// True or false.
    Boolean,
    /// A day (RFC 3339 full-date), or a point in time (date-time, kept in UTC to the microsecond).
    Date,
    /// Texts in their order, each of at most 16 KiB, without NUL.
    StringList,
}

/// An attribute that the members of a memberbase may have.
#[derive(SimpleObject, Debug)]
pub struct AttributeDefinition {
    /// Its key.
    key: String,
    /// The type of its values.
    #[graphql(name = "type")]
    kind: AttributeType,
}

impl From<&Definition> for AttributeDefinition {
    fn from(definition: &Definition) -> Self {
        Self { key: definition.key.clone(), kind: definition.kind.into() }
    }
}

/// An attribute that the members of a memberbase may have from now on.
#[derive(InputObject, Debug)]
pub struct AttributeDefinitionInput {
    /// 1 to 128 bytes.
    key: String,
    /// The type of its values.
    #[graphql(name = "type")]
    kind: AttributeType,
}

/// Replaces the whole schema. A key that some member has a value for can be neither removed nor given another type (CONFLICT).
#[derive(InputObject, Debug)]
pub struct SetAttributeSchemaInput {
    /// Which memberbase.
    memberbase_id: ID,
    /// All attributes that members may have, 1,000 at most.
    attributes: Vec<AttributeDefinitionInput>,
}

/// What was set.
#[derive(SimpleObject, Debug)]
pub struct SetAttributeSchemaPayload {
    /// The memberbase as it is now.
    memberbase: Memberbase,
}

/// Mutations of attribute schemas.
#[derive(Clone, Default)]
pub struct AttributeMutation;

#[Object]
impl AttributeMutation {
    /// Replaces the attribute schema of a memberbase. The schema that is there changes nothing. Needs an ADMIN token.
    async fn set_attribute_schema(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which memberbase, and the schema.")] input: SetAttributeSchemaInput,
    ) -> Result<Option<SetAttributeSchemaPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Admin)?;
        let definition = |input: AttributeDefinitionInput| Definition { key: input.key, kind: input.kind.into() };
        let schema = Schema::new(input.attributes.into_iter().map(definition).collect())?;
        let changed = memberbase::set_attribute_schema(ctx.app(), scope, schema).await?;
        ctx.memberbases().loader().forget().await;
        Ok(Some(SetAttributeSchemaPayload { memberbase: changed.into() }))
    }
}
