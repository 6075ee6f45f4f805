//! `member.attributes/...`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Call, Code, Error, member::Deleted, member::id, member_base::Done, page::Listed};
use crate::{
    domain::{
        access::Access,
        member::{self, NewValue, Removal},
    },
    types::{MemberId, MemberbaseId},
};

#[derive(Deserialize)]
pub(super) struct Set {
    member_base_id: String,
    attributes: Vec<SetOne>,
}

#[derive(Deserialize)]
struct SetOne {
    member_id: String,
    attribute_key: String,
    value: Box<RawValue>,
}

pub(super) async fn set(call: Call, given: Set) -> Result<Done, Error> {
    let scope = call.caller.may(id::<MemberbaseId>("member_base_id", &given.member_base_id)?, Access::Write)?;
    let value = |one: SetOne| NewValue { member_id: one.member_id, key: one.attribute_key, value: one.value.into() };
    let values: Vec<_> = given.attributes.into_iter().map(value).collect();
    member::set_attributes(&call.app, scope, &values).await?;
    Ok(Done {})
}

#[derive(Deserialize)]
pub(super) struct Delete {
    member_base_id: String,
    member_ids: Option<Vec<String>>,
    attribute_keys: Option<Vec<String>>,
    #[serde(default)]
    delete_all: bool,
}

pub(super) async fn delete(call: Call, given: Delete) -> Result<Deleted, Error> {
    let scope = call.caller.may(id::<MemberbaseId>("member_base_id", &given.member_base_id)?, Access::Write)?;
    let selected = given.member_ids.is_some() || given.attribute_keys.is_some();
    if selected == given.delete_all {
        let message = "expected member_ids or attribute_keys or both, or delete_all: true without them";
        return Err(Error::new(Code::BadRequest, message));
    }
    let ids = |texts: Vec<String>| texts.iter().map(|text| id::<MemberId>("member_ids", text)).collect();
    let members = given.member_ids.map(ids).transpose()?;
    let removal = Removal { members, keys: given.attribute_keys };
    Ok(Deleted::new(member::remove_attributes(&call.app, scope, &removal).await?))
}

#[derive(Deserialize)]
pub(super) struct List {
    member_id: String,
}

/// One attribute of a member.
#[derive(Serialize, Debug)]
pub struct Attribute {
    attribute_key: String,
    value: serde_json::Value,
}

/// All of them: a member has no more than fit on a page.
pub(super) async fn list(call: Call, given: List) -> Result<Listed<Attribute>, Error> {
    let id = id::<MemberId>("member_id", &given.member_id)?;
    let found = member::find(&call.app, call.caller.reach(Access::Read)?, id).await?;
    let found = found.ok_or_else(|| Error::new(Code::NotFound, format!("member {id} does not exist")))?;
    let attribute = |(key, value): (String, _)| Attribute { attribute_key: key, value };
    Ok(Listed::whole(found.attributes.read()?.into_json().map(attribute).collect()))
}
