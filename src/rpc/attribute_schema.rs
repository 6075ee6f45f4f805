//! `attribute.schema/...`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Call, Code, Error, member::id};
use crate::{
    domain::{
        self,
        access::Access,
        attribute::{Definition, Kind, Schema},
        memberbase::{self, Memberbase},
    },
    types::{Id, MemberbaseId},
};

/// The type of an attribute.
#[derive(Serialize, Deserialize, Clone, Copy, Debug)]
#[serde(rename_all = "snake_case")]
enum Type {
    String,
    Number,
    Boolean,
    Date,
    Array,
}

#[derive(Serialize, Deserialize, Debug)]
struct Attribute {
    #[serde(rename = "type")]
    kind: Type,
}

/// A schema with the memberbase whose it is, as it is answered.
#[derive(Serialize, Debug)]
pub struct AttributeSchema {
    id: String,
    member_base_id: String,
    schema: IndexMap<String, Attribute>,
    created_at: String,
    updated_at: String,
}

impl From<Memberbase> for AttributeSchema {
    fn from(found: Memberbase) -> Self {
        let attribute = |definition: &Definition| {
            let kind = match definition.kind {
                Kind::String => Type::String,
                Kind::Number => Type::Number,
                Kind::Boolean => Type::Boolean,
                Kind::Date => Type::Date,
                Kind::StringList => Type::Array,
            };
            (definition.key.clone(), Attribute { kind })
        };
        Self {
            id: found.id.to_string(),
            member_base_id: found.id.to_string(),
            schema: found.attribute_schema.definitions().iter().map(attribute).collect(),
            created_at: found.id.created_at().to_string(),
            updated_at: found.updated_at.to_string(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Set {
    member_base_id: String,
    schema: IndexMap<String, Attribute>,
}

pub(super) async fn set(call: Call, given: Set) -> Result<AttributeSchema, Error> {
    let scope = call.caller.may(id::<MemberbaseId>("member_base_id", &given.member_base_id)?, Access::Admin)?;
    let definition = |(key, Attribute { kind })| {
        let kind = match kind {
            Type::String => Kind::String,
            Type::Number => Kind::Number,
            Type::Boolean => Kind::Boolean,
            Type::Date => Kind::Date,
            Type::Array => Kind::StringList,
        };
        Definition { key, kind }
    };
    let schema = Schema::new(given.schema.into_iter().map(definition).collect())?;
    match memberbase::set_attribute_schema(&call.app, scope, schema).await {
        Err(domain::Error::Conflict(message)) => Err(Error::new(Code::InvalidSchemaModification, message)),
        outcome => Ok(outcome?.into()),
    }
}

#[derive(Deserialize)]
pub(super) struct Get {
    member_base_id: String,
}

pub(super) async fn get(call: Call, given: Get) -> Result<AttributeSchema, Error> {
    let id = id::<MemberbaseId>("member_base_id", &given.member_base_id)?;
    let found = memberbase::find(&call.app, call.caller.reach(Access::Read)?, id).await?;
    Ok(found.ok_or_else(|| Error::new(Code::NotFound, format!("memberbase {id} does not exist")))?.into())
}
