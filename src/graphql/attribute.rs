//! Attribute schemas of memberbases, and `setAttributeSchema`.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject, Value, parser::types::SelectionSet};

use super::{
    Error,
    context::ContextExt,
    json_template::{JsonTemplate, enum_value, text},
    memberbase::Memberbase,
    paced_list::PacedList,
    raw_list::RawList,
};
use crate::{
    budget::Exceeded,
    domain::{
        access::Access,
        attribute::{self, Definition, Schema},
        memberbase,
    },
};

/// Type of an attribute's values.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "attribute::AttributeType")]
pub(crate) enum AttributeType {
    /// A string of at most 16 KiB without NUL.
    String,
    /// A number (IEEE 754 double) from -(2^53-1) to 2^53-1.
    Number,
    /// A boolean.
    Boolean,
    /// An RFC 3339 full-date, or an RFC 3339 date-time, which is stored in UTC with microseconds.
    Date,
    /// A list of strings in the given order, each of at most 16 KiB without NUL.
    StringList,
}

/// An attribute that the memberbase's attribute schema declares.
#[derive(SimpleObject, Debug)]
pub(crate) struct AttributeDefinition {
    /// The attribute's key: 1 to 128 bytes.
    key: String,
    /// Type of the attribute's values.
    #[graphql(name = "type")]
    kind: AttributeType,
}

/// The definitions of an attribute schema.
#[derive(Debug)]
pub(crate) struct AttributeDefinitions<'a>(pub(super) &'a [Definition]);

/// The parts of a definition that differ from one to the next.
enum Slot {
    Key,
    Type,
}

impl RawList for AttributeDefinitions<'_> {
    type Plain = PacedList<AttributeDefinition>;

    fn json(&self, selection: &SelectionSet) -> Option<Result<Value, Exceeded>> {
        let template = JsonTemplate::of(selection, |template, name, _| match name {
            "__typename" => template.type_name("AttributeDefinition"),
            "key" => template.slot(Slot::Key),
            "type" => template.slot(Slot::Type),
            _ => None,
        })?;
        Some(template.list(self.0.iter(), |definition, slot, json| match slot {
            Slot::Key => text(json, &definition.key),
            Slot::Type => enum_value(json, AttributeType::from(definition.kind)),
        }))
    }

    fn plain(&self) -> Self::Plain {
        self.0.iter().map(AttributeDefinition::from).collect()
    }
}

impl From<&Definition> for AttributeDefinition {
    fn from(definition: &Definition) -> Self {
        Self { key: definition.key.clone(), kind: definition.kind.into() }
    }
}

/// An attribute to declare in an attribute schema.
#[derive(InputObject, Debug)]
pub(crate) struct AttributeDefinitionInput {
    /// The attribute's key: 1 to 128 bytes, unique in the schema.
    key: String,
    /// Type of the attribute's values.
    #[graphql(name = "type")]
    kind: AttributeType,
}

/// Input of setAttributeSchema.
#[derive(InputObject, Debug)]
pub(crate) struct SetAttributeSchemaInput {
    /// The memberbase's id (mb_...).
    memberbase_id: ID,
    /// All attributes of the new schema, at most 1,000. Removing a key or changing its type fails with CONFLICT if a member has a value for it.
    attributes: Vec<AttributeDefinitionInput>,
}

/// Result of setAttributeSchema.
#[derive(SimpleObject, Debug)]
pub(crate) struct SetAttributeSchemaPayload {
    /// The changed memberbase.
    memberbase: Memberbase,
}

#[derive(Clone, Default)]
pub(crate) struct AttributeMutation;

#[Object]
impl AttributeMutation {
    /// Replaces the attribute schema of a memberbase. Setting the current schema again changes nothing. Requires an ADMIN token.
    async fn set_attribute_schema(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The memberbase and its new attribute schema.")] input: SetAttributeSchemaInput,
    ) -> Result<Option<SetAttributeSchemaPayload>, Error> {
        let scope = ctx.authorize(&input.memberbase_id, Access::Admin)?;
        let definition = |input: AttributeDefinitionInput| Definition { key: input.key, kind: input.kind.into() };
        let schema = Schema::new(input.attributes.into_iter().map(definition).collect())?;
        let changed = memberbase::set_attribute_schema(ctx.app(), scope, schema).await?;
        ctx.memberbases().loader().forget().await;
        Ok(Some(SetAttributeSchemaPayload { memberbase: changed.into() }))
    }
}
