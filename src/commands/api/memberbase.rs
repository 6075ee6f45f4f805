//! The memberbase that a command works on, and its attribute schema.

use std::fmt;

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::json;

use super::{Client, Failure};
use crate::{
    commands::Error,
    types::{Id, MemberbaseId},
};

const BY_ID: &str = "query ($id: ID!) { memberbase(id: $id) { id attributeSchema { key type } } }";
const BY_NAME: &str = "query ($name: String!) { memberbases(filter: {name: {eq: $name}}, first: 2) { \
    nodes { id attributeSchema { key type } } } }";
const CREATE: &str = "mutation ($name: String!) { createMemberbase(input: {name: $name}) { \
    memberbase { id attributeSchema { key type } } } }";
const SET_ATTRIBUTES: &str = "mutation ($input: SetAttributeSchemaInput!) { \
    setAttributeSchema(input: $input) { memberbase { id } } }";
const DELETE: &str = "mutation ($id: ID!) { \
    deleteMemberbase(input: {memberbaseId: $id, atMostMembers: 0}) { deletedMemberbaseId } }";

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::commands) struct Memberbase {
    pub(crate) id: String,
    pub(crate) attribute_schema: Vec<Attribute>,
}

/// An attribute that a memberbase declares.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(in crate::commands) struct Attribute {
    pub(crate) key: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// The form of the arguments of `attributes`.
impl fmt::Display for Attribute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}", self.key, self.kind)
    }
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

    /// Replaces the attribute schema.
    pub(in crate::commands) async fn set_attribute_schema(
        &self,
        client: &Client,
        attributes: &[Attribute],
    ) -> Result<(), Failure> {
        let input = json!({"input": {"memberbaseId": self.id, "attributes": attributes}});
        client.call::<IgnoredAny>(SET_ATTRIBUTES, input).await.map(drop)
    }

    /// Deletes a memberbase, unless it has members.
    pub(in crate::commands) async fn delete_empty(client: &Client, id: &str) -> Result<(), Error> {
        client.call_once::<IgnoredAny>(DELETE, json!({"id": id})).await?;
        Ok(())
    }
}
