//! `member-base/...`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Call, Code, Error,
    filter::{Filterable, Filters, Operator, ValueType},
    id::{IdText, MemberBaseIdText},
    page::{ListPage, Pagination},
};
use crate::{
    domain::{
        access::Access,
        filter::Filter,
        memberbase::{self, Predicate, cursor, parse_cursor},
    },
    types::{Id, MemberbaseId},
};

/// A memberbase.
#[derive(Serialize, ToSchema, Debug)]
pub(crate) struct MemberBase {
    id: MemberBaseIdText,
    name: String,
    #[schema(format = DateTime)]
    created_at: String,
    /// Time of creation or of the last change.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl From<memberbase::Memberbase> for MemberBase {
    fn from(found: memberbase::Memberbase) -> Self {
        Self {
            id: IdText(found.id),
            name: found.name,
            created_at: found.id.created_at().to_string(),
            updated_at: found.updated_at.to_string(),
        }
    }
}

#[derive(Deserialize, ToSchema)]
pub(super) struct Create {
    /// Name of the memberbase: 1 to 256 characters. Names need not be unique.
    #[schema(min_length = 1, max_length = 256)]
    name: String,
}

pub(super) async fn create(call: Call, request: Create) -> Result<MemberBase, Error> {
    Ok(memberbase::create(&call.app, &call.caller, request.name).await?.into())
}

#[derive(Deserialize, ToSchema)]
pub(super) struct ById {
    id: MemberBaseIdText,
}

pub(super) async fn get(call: Call, request: ById) -> Result<MemberBase, Error> {
    let id = request.id.0;
    let found = memberbase::find(&call.app, call.caller.authorize_visible(Access::Read)?, id).await?;
    let missing = || Error::new(Code::NotFound, format!("memberbase {id} does not exist"));
    Ok(found.ok_or_else(missing)?.into())
}

/// An empty object: the call succeeded.
#[derive(Serialize, ToSchema, Debug)]
pub(crate) struct Done {}

pub(super) async fn delete(call: Call, request: ById) -> Result<Done, Error> {
    let scope = call.caller.authorize(request.id.0, Access::Admin)?;
    memberbase::delete(&call.app, scope, None, false).await?;
    Ok(Done {})
}

#[derive(Deserialize, ToSchema)]
pub(super) struct List {
    pagination: Option<Pagination>,
    #[schema(inline)]
    filters: Option<MemberBaseFilters>,
}

pub(super) async fn list(call: Call, request: List) -> Result<ListPage<MemberBase>, Error> {
    let reach = call.caller.authorize_visible(Access::Read)?;
    let filter = request.filters.map(|filters| filters.parse(&call.app.limits.filter)).transpose()?.unwrap_or_default();
    let page = request.pagination.unwrap_or_default().page(call.app.limits.page, parse_cursor)?;
    let slice = memberbase::list(&call.app, reach, &filter, &page).await?;
    ListPage::new(&page, slice, |row| cursor(row.id), |row| Ok(row.into()))
}

type MemberBaseFilters = Filters<MemberBases>;

/// Filter keys of memberbases.
pub(super) struct MemberBases;

impl Filterable for MemberBases {
    type Predicate = Predicate;

    const NAME: &'static str = "MemberBaseFilter";
    const KEYS: &'static [(&'static str, ValueType)] =
        &[("id", ValueType::Ids(MemberbaseId::PREFIX)), ("name", ValueType::Strings)];

    fn predicate(key: &str, operator: Operator) -> Result<Filter<Predicate>, Error> {
        match key {
            "id" => operator.id_filter(key, Predicate::Id),
            _ => operator.string_filter(key, Predicate::Name),
        }
    }
}
