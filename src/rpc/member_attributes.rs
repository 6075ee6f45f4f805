//! `member.attributes/...`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    AttributeValue, Call, Code, Error,
    id::{MemberBaseIdText, MemberIdText},
    member::Deleted,
    member_base::Done,
    page::ListPage,
};
use crate::domain::{
    access::Access,
    member::{self, NewValue, Removal},
};

#[derive(Deserialize, ToSchema)]
pub(super) struct Set {
    member_base_id: MemberBaseIdText,
    /// The values to set. If a member and key occur more than once, the last value is stored.
    attributes: Vec<NewAttributeValue>,
}

/// An attribute value to set.
#[derive(Deserialize, ToSchema)]
struct NewAttributeValue {
    #[schema(value_type = MemberIdText)]
    member_id: String,
    attribute_key: String,
    /// The new value; null removes the stored value.
    #[schema(value_type = AttributeValue)]
    value: Box<RawValue>,
}

pub(super) async fn set(call: Call, request: Set) -> Result<Done, Error> {
    let scope = call.caller.authorize(request.member_base_id.0, Access::Write)?;
    let value =
        |new: NewAttributeValue| NewValue { member_id: new.member_id, key: new.attribute_key, value: new.value.into() };
    let values: Vec<_> = request.attributes.into_iter().map(value).collect();
    member::set_attributes(&call.app, scope, &values).await?;
    Ok(Done {})
}

/// Selects the values to remove: by `member_ids`, `attribute_keys` or both, or all values with `delete_all`.
#[derive(Deserialize, ToSchema)]
pub(super) struct Delete {
    member_base_id: MemberBaseIdText,
    /// Ids of members. Ids of members that do not exist are ignored.
    member_ids: Option<Vec<MemberIdText>>,
    attribute_keys: Option<Vec<String>>,
    /// Removes all values of all members; excludes `member_ids` and `attribute_keys`. Default false.
    #[serde(default)]
    delete_all: bool,
}

pub(super) async fn delete(call: Call, request: Delete) -> Result<Deleted, Error> {
    let scope = call.caller.authorize(request.member_base_id.0, Access::Write)?;
    let selected = request.member_ids.is_some() || request.attribute_keys.is_some();
    if selected == request.delete_all {
        let message = "expected member_ids or attribute_keys or both, or delete_all: true without them";
        return Err(Error::new(Code::BadRequest, message));
    }
    let members = request.member_ids.map(|ids| ids.into_iter().map(|id| id.0).collect());
    let removal = Removal { members, keys: request.attribute_keys };
    Ok(Deleted::new(member::remove_attributes(&call.app, scope, &removal).await?))
}

#[derive(Deserialize, ToSchema)]
pub(super) struct List {
    member_id: MemberIdText,
}

/// One attribute value of a member.
#[derive(Serialize, ToSchema, Debug)]
pub(crate) struct MemberAttribute {
    attribute_key: String,
    #[schema(value_type = AttributeValue)]
    value: serde_json::Value,
}

/// Lists all attributes of a member on one page; their number is limited by the attribute schema.
pub(super) async fn list(call: Call, request: List) -> Result<ListPage<MemberAttribute>, Error> {
    let id = request.member_id.0;
    let found = member::find(&call.app, call.caller.authorize_visible(Access::Read)?, id).await?;
    let found = found.ok_or_else(|| Error::new(Code::NotFound, format!("member {id} does not exist")))?;
    let attribute = |(key, value): (String, _)| MemberAttribute { attribute_key: key, value };
    Ok(ListPage::complete(found.attributes.read()?.into_json().map(attribute).collect()))
}
