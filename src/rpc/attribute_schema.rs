//! `attribute.schema/...`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Call, Code, Error,
    id::{IdText, MemberBaseIdText},
};
use crate::{
    domain::{
        self,
        access::Access,
        attribute::{AttributeType, Definition, Schema},
        memberbase::{self, Memberbase},
    },
    types::Id,
};

/// Type of an attribute's values. `array` is a list of strings.
#[derive(Serialize, Deserialize, ToSchema, Clone, Copy, Debug)]
#[serde(rename_all = "snake_case")]
#[schema(as = AttributeType)]
enum Type {
    String,
    Number,
    Boolean,
    Date,
    Array,
}

/// The declaration of an attribute.
#[derive(Serialize, Deserialize, ToSchema, Debug)]
#[schema(as = AttributeDefinition)]
struct Attribute {
    #[serde(rename = "type")]
    kind: Type,
}

/// The attributes that the members of a memberbase can have.
#[derive(Serialize, ToSchema, Debug)]
pub(crate) struct AttributeSchema {
    /// The memberbase's id.
    id: MemberBaseIdText,
    member_base_id: MemberBaseIdText,
    /// The declared attributes by key.
    schema: IndexMap<String, Attribute>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<Memberbase> for AttributeSchema {
    fn from(found: Memberbase) -> Self {
        let attribute = |definition: &Definition| {
            let kind = match definition.kind {
                AttributeType::String => Type::String,
                AttributeType::Number => Type::Number,
                AttributeType::Boolean => Type::Boolean,
                AttributeType::Date => Type::Date,
                AttributeType::StringList => Type::Array,
            };
            (definition.key.clone(), Attribute { kind })
        };
        Self {
            id: IdText(found.id),
            member_base_id: IdText(found.id),
            schema: found.attribute_schema.definitions().iter().map(attribute).collect(),
            created_at: found.id.created_at().to_string(),
            updated_at: found.updated_at.to_string(),
        }
    }
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Set {
    member_base_id: MemberBaseIdText,
    /// All attributes of the new schema by key, at most 1,000. Keys have 1 to 128 bytes. Omitting a key or changing its
    /// type is `invalid_schema_modification` if a member has a value for it.
    schema: IndexMap<String, Attribute>,
}

pub(super) async fn set(call: Call, request: Set) -> Result<AttributeSchema, Error> {
    let scope = call.caller.authorize(request.member_base_id.0, Access::Admin)?;
    let definition = |(key, Attribute { kind })| {
        let kind = match kind {
            Type::String => AttributeType::String,
            Type::Number => AttributeType::Number,
            Type::Boolean => AttributeType::Boolean,
            Type::Date => AttributeType::Date,
            Type::Array => AttributeType::StringList,
        };
        Definition { key, kind }
    };
    let schema = Schema::new(request.schema.into_iter().map(definition).collect())?;
    match memberbase::set_attribute_schema(&call.app, scope, schema).await {
        Err(domain::Error::Conflict(message)) => Err(Error::new(Code::InvalidSchemaModification, message)),
        outcome => Ok(outcome?.into()),
    }
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Get {
    member_base_id: MemberBaseIdText,
}

pub(super) async fn get(call: Call, request: Get) -> Result<AttributeSchema, Error> {
    let id = request.member_base_id.0;
    let found = memberbase::find(&call.app, call.caller.authorize_visible(Access::Read)?, id).await?;
    Ok(found.ok_or_else(|| Error::new(Code::NotFound, format!("memberbase {id} does not exist")))?.into())
}
