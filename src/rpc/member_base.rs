//! `member-base/...`.

use serde::{Deserialize, Serialize};

use super::{
    Call, Code, Error,
    filter::{self, Filters, Operator},
    member::id,
    page::{Listed, Pagination},
};
use crate::{
    domain::{
        access::Access,
        filter::Filter,
        memberbase::{self, Test, cursor, parse_cursor},
    },
    types::{Id, MemberbaseId},
};

/// A memberbase, as it is answered.
#[derive(Serialize, Debug)]
pub struct MemberBase {
    id: String,
    name: String,
    created_at: String,
    updated_at: String,
}

impl From<memberbase::Memberbase> for MemberBase {
    fn from(found: memberbase::Memberbase) -> Self {
        Self {
            id: found.id.to_string(),
            name: found.name,
            created_at: found.id.created_at().to_string(),
            updated_at: found.updated_at.to_string(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Create {
    name: String,
}

pub(super) async fn create(call: Call, given: Create) -> Result<MemberBase, Error> {
    Ok(memberbase::create(&call.app, &call.caller, given.name).await?.into())
}

#[derive(Deserialize)]
pub(super) struct Named {
    id: String,
}

pub(super) async fn get(call: Call, given: Named) -> Result<MemberBase, Error> {
    let id = id::<MemberbaseId>("id", &given.id)?;
    let found = memberbase::find(&call.app, call.caller.reach(Access::Read)?, id).await?;
    let missing = || Error::new(Code::NotFound, format!("memberbase {id} does not exist"));
    Ok(found.ok_or_else(missing)?.into())
}

/// Nothing to tell.
#[derive(Serialize, Debug)]
pub struct Done {}

pub(super) async fn delete(call: Call, given: Named) -> Result<Done, Error> {
    let scope = call.caller.may(id("id", &given.id)?, Access::Admin)?;
    memberbase::delete(&call.app, scope, None, false).await?;
    Ok(Done {})
}

#[derive(Deserialize)]
pub(super) struct List {
    pagination: Option<Pagination>,
    filters: Option<Filters>,
}

pub(super) async fn list(call: Call, given: List) -> Result<Listed<MemberBase>, Error> {
    let reach = call.caller.reach(Access::Read)?;
    let filter = given.filters.map(|filters| filters.read(&test)).transpose()?.unwrap_or_default();
    let page = given.pagination.unwrap_or_default().page(call.app.limits.page, parse_cursor)?;
    let slice = memberbase::list(&call.app, reach, &filter, &page).await?;
    Listed::new(&page, slice, |row| cursor(row.id), |row| Ok(row.into()))
}

fn test(key: &str, operator: Operator) -> Result<Filter<Test>, Error> {
    match key {
        "id" => operator.of_id(key, Test::Id),
        "name" => operator.of_text(key, Test::Name),
        _ => Err(filter::unknown(key, "id and name")),
    }
}
