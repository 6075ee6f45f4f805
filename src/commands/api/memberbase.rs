//! Finds or creates the memberbase that a command works on.

use serde::{Deserialize, Deserializer, de};
use serde_json::json;

use super::Client;
use crate::{
    commands::Error,
    domain::attribute::{AttributeType, Definition},
    types::{Id, MemberbaseId},
};

const BY_ID: &str = "query ($id: ID!) { memberbase(id: $id) { id attributeSchema { key type } } }";
const BY_NAME: &str = "query ($name: String!) { \
    memberbases(filter: {name: {eq: $name}}, first: 2) { nodes { id attributeSchema { key type } } } }";
const CREATE: &str = "mutation ($name: String!) { \
    createMemberbase(input: {name: $name}) { memberbase { id attributeSchema { key type } } } }";

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::commands) struct Memberbase {
    pub(crate) id: String,
    #[serde(deserialize_with = "schema")]
    pub(crate) attribute_schema: Vec<Definition>,
}

fn schema<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Definition>, D::Error> {
    #[derive(Deserialize)]
    struct Attribute {
        key: String,
        #[serde(rename = "type", deserialize_with = "kind")]
        kind: AttributeType,
    }
    let attributes = Vec::<Attribute>::deserialize(deserializer)?;
    Ok(attributes.into_iter().map(|Attribute { key, kind }| Definition { key, kind }).collect())
}

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AttributeType, D::Error> {
    let name = String::deserialize(deserializer)?;
    let kinds = [
        AttributeType::String,
        AttributeType::Number,
        AttributeType::Boolean,
        AttributeType::Date,
        AttributeType::StringList,
    ];
    let kind = kinds.into_iter().find(|kind| kind.name() == name);
    kind.ok_or_else(|| de::Error::custom(format_args!("the attribute type {name} is unknown to this version")))
}

impl Memberbase {
    /// Returns the memberbase with this id or name; `None` if it does not exist. Fails if several have the name.
    pub(in crate::commands) async fn find(client: &Client, id_or_name: &str) -> Result<Option<Self>, Error> {
        #[derive(Deserialize)]
        struct ById {
            memberbase: Option<Memberbase>,
        }
        #[derive(Deserialize)]
        struct ByName {
            memberbases: Nodes,
        }
        #[derive(Deserialize)]
        struct Nodes {
            nodes: Vec<Memberbase>,
        }
        if MemberbaseId::parse(id_or_name).is_ok() {
            return Ok(client.call::<ById>(BY_ID, json!({"id": id_or_name})).await?.memberbase);
        }
        let mut found = client.call::<ByName>(BY_NAME, json!({"name": id_or_name})).await?.memberbases.nodes;
        if found.len() > 1 {
            return Err(Error::Refused(format!("several memberbases are called {id_or_name:?}: use the id")));
        }
        Ok(found.pop())
    }

    /// Like [`Memberbase::find`], but fails if the memberbase does not exist.
    pub(in crate::commands) async fn get(client: &Client, id_or_name: &str) -> Result<Self, Error> {
        let missing = || Error::Refused(format!("there is no memberbase {id_or_name:?} that this caller can see"));
        Self::find(client, id_or_name).await?.ok_or_else(missing)
    }

    /// Creates a memberbase. The call is not retried, because that could create two.
    pub(in crate::commands) async fn create(client: &Client, name: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Created {
            create_memberbase: Payload,
        }
        #[derive(Deserialize)]
        struct Payload {
            memberbase: Memberbase,
        }
        let created: Created = client.call_once(CREATE, json!({"name": name})).await?;
        Ok(created.create_memberbase.memberbase)
    }
}
