//! `member/...`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    AttributeMap, Call, Code, Error,
    filter::{Filterable, Filters, Operator, ValueType},
    id::{IdText, MemberBaseIdText, MemberIdText},
    page::{ListPage, Pagination},
};
use crate::{
    domain::{
        self,
        access::Access,
        bulk::{Mode, OnError, Options},
        filter::Filter,
        member::{
            self, DeleteRequest, Order, OrderField, Position, Predicate, UntypedPredicate,
            bulk_upsert::{self, Row},
            resolve_types,
        },
    },
    types::{Id, MemberId},
};

/// A member.
#[derive(Serialize, ToSchema, Debug)]
pub(crate) struct Member {
    id: MemberIdText,
    /// Id of the member's memberbase.
    member_base_id: MemberBaseIdText,
    /// The owner's key for the member, unique in the memberbase.
    #[serde(rename = "ref")]
    reference: String,
    #[schema(value_type = AttributeMap)]
    attributes: Box<RawValue>,
    #[schema(format = DateTime)]
    created_at: String,
    /// Time of creation or of the last change to the attributes.
    #[schema(format = DateTime)]
    updated_at: String,
}

impl TryFrom<member::Member> for Member {
    type Error = Error;

    fn try_from(found: member::Member) -> Result<Self, Error> {
        let attributes = RawValue::from_string(found.attributes.json().to_owned());
        Ok(Self {
            id: IdText(found.id),
            member_base_id: IdText(found.memberbase),
            reference: found.reference,
            attributes: attributes.map_err(|error| domain::Error::Internal(error.into()))?,
            created_at: found.id.created_at().to_string(),
            updated_at: found.updated_at.to_string(),
        })
    }
}

#[derive(Deserialize, ToSchema)]
pub(super) struct BulkUpsert {
    member_base_id: MemberBaseIdText,
    members: Vec<NewMember>,
}

/// A member to create or update.
#[derive(Deserialize, ToSchema)]
struct NewMember {
    /// Your key for the member: 1 to 1,024 bytes of UTF-8 without NUL. A new ref creates a member.
    #[serde(rename = "ref")]
    #[schema(min_length = 1, max_length = 1024)]
    reference: String,
    /// Attribute values by key. An omitted key keeps its value; a null value removes it. If the field is omitted or null,
    /// all values are kept.
    #[schema(value_type = Option<AttributeMap>)]
    attributes: Option<Box<RawValue>>,
}

/// Ids of the members, in the order of the rows.
#[derive(Serialize, ToSchema, Debug)]
#[serde(transparent)]
pub(crate) struct Ids(Vec<MemberIdText>);

pub(super) async fn bulk_upsert(call: Call, request: BulkUpsert) -> Result<Ids, Error> {
    let scope = call.caller.authorize(request.member_base_id.0, Access::Write)?;
    let row = |row: NewMember| Row::new(row.reference, row.attributes.map(|json| Some(json.into())), None);
    let rows: Vec<_> = request.members.into_iter().map(row).collect();
    let options = Options { on_error: OnError::RejectBatch, mode: Mode::Upsert, dry_run: false };
    let upserted = bulk_upsert::bulk_upsert(&call.app, scope, &rows, options, None).await?;
    let missing = || domain::Error::Internal("a stored row has no id".into()).into();
    upserted.ids.into_iter().map(|id| id.map(IdText).ok_or_else(missing)).collect::<Result<_, _>>().map(Ids)
}

/// Selects a member by `id`, or by `member_base_id` and `ref`.
#[derive(Deserialize, ToSchema)]
pub(super) struct Get {
    id: Option<MemberIdText>,
    member_base_id: Option<MemberBaseIdText>,
    #[serde(rename = "ref")]
    reference: Option<String>,
}

pub(super) async fn get(call: Call, request: Get) -> Result<Member, Error> {
    let found = match request {
        Get { id: Some(IdText(id)), reference: None, .. } => {
            let found = member::find(&call.app, call.caller.authorize_visible(Access::Read)?, id).await?;
            found.ok_or_else(|| Error::new(Code::NotFound, format!("member {id} does not exist")))?
        }
        Get { id: None, member_base_id: Some(IdText(base)), reference: Some(reference) } => {
            let scope = call.caller.authorize(base, Access::Read)?;
            let found = member::in_order_of_refs(&call.app, scope, &[reference]).await?.pop().flatten();
            let found = found.ok_or_else(|| Error::new(Code::NotFound, "no member of this memberbase has this ref"))?;
            Arc::unwrap_or_clone(found)
        }
        _ => return Err(Error::new(Code::BadRequest, "expected id, or member_base_id and ref")),
    };
    found.try_into()
}

#[derive(Deserialize, ToSchema)]
pub(super) struct List {
    member_base_id: MemberBaseIdText,
    pagination: Option<Pagination>,
    #[schema(inline)]
    filters: Option<MemberFilters>,
    /// Sort order: at most one entry. Default: order of creation.
    #[schema(max_items = 1)]
    sorts: Option<Vec<Sort>>,
}

/// A sort key and a direction. Members with equal keys are in order of creation.
#[derive(Deserialize, ToSchema)]
#[schema(as = MemberSort)]
struct Sort {
    #[schema(inline)]
    key: SortKey,
    /// Default: ascending.
    #[schema(inline)]
    direction: Option<Direction>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SortKey {
    Id,
    Ref,
    CreatedAt,
    UpdatedAt,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Direction {
    Asc,
    Desc,
}

pub(super) async fn list(call: Call, request: List) -> Result<ListPage<Member>, Error> {
    let scope = call.caller.authorize(request.member_base_id.0, Access::Read)?;
    let order = order(request.sorts.unwrap_or_default())?;
    let filter = request.filters.map(|filters| filters.parse(&call.app.limits.filter)).transpose()?.unwrap_or_default();
    let limits = call.app.limits.page;
    let page = request.pagination.unwrap_or_default().page(limits, |cursor| Position::parse(cursor, scope, order))?;
    let filter = resolve_types(&call.app, scope, filter).await?;
    let slice = member::list(&call.app, scope, &filter, order, &page).await?;
    ListPage::new(&page, slice, |row| Position::of(row.view(), order).cursor(scope, order), Member::try_from)
}

fn order(sorts: Vec<Sort>) -> Result<Order, Error> {
    let mut sorts = sorts.into_iter();
    match (sorts.next(), sorts.next()) {
        (None, _) => Ok(Order::default()),
        (Some(Sort { key, direction }), None) => {
            let field = match key {
                SortKey::Id | SortKey::CreatedAt => OrderField::CreatedAt,
                SortKey::Ref => OrderField::Ref,
                SortKey::UpdatedAt => OrderField::UpdatedAt,
            };
            Ok(Order { field, descending: matches!(direction, Some(Direction::Desc)) })
        }
        (Some(_), Some(_)) => Err(Error::new(Code::BadRequest, "sorts: expected at most one entry")),
    }
}

type MemberFilters = Filters<Members>;

/// Filter keys of members.
pub(super) struct Members;

impl Filterable for Members {
    type Predicate = UntypedPredicate;

    const NAME: &'static str = "MemberFilter";
    const KEYS: &'static [(&'static str, ValueType)] = &[
        ("id", ValueType::Ids(MemberId::PREFIX)),
        ("ref", ValueType::Strings),
        ("created_at", ValueType::Times),
        ("updated_at", ValueType::Times),
    ];

    fn predicate(key: &str, operator: Operator) -> Result<Filter<UntypedPredicate>, Error> {
        match key {
            "id" => operator.id_filter(key, Predicate::Id),
            "ref" => operator.string_filter(key, Predicate::Ref),
            "created_at" => operator.time_filter(key, Predicate::CreatedAt),
            _ => operator.time_filter(key, Predicate::UpdatedAt),
        }
    }
}

#[derive(Deserialize, ToSchema)]
pub(super) struct BulkDelete {
    member_base_id: MemberBaseIdText,
    /// Ids of members. Ids of members that do not exist are ignored.
    member_ids: Vec<MemberIdText>,
}

/// The number of removed records.
#[derive(Serialize, ToSchema, Debug)]
pub(crate) struct Deleted {
    deleted: u64,
}

impl Deleted {
    pub(super) fn new(deleted: u64) -> Self {
        Self { deleted }
    }
}

pub(super) async fn bulk_delete(call: Call, request: BulkDelete) -> Result<Deleted, Error> {
    let scope = call.caller.authorize(request.member_base_id.0, Access::Write)?;
    let ids = request.member_ids.into_iter().map(|id| id.0).collect();
    let deletion = member::delete(&call.app, scope, DeleteRequest { ids, ..DeleteRequest::default() }).await?;
    Ok(Deleted::new(deletion.deleted.members))
}
