//! `member/...`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Call, Code, Error,
    filter::{self, Filters, Operator},
    page::{Listed, Pagination},
};
use crate::{
    domain::{
        access::Access,
        bulk::{Mode, OnError, Options},
        filter::Filter,
        member::{
            self, Asked, Doomed, Order, OrderField, Position, Test,
            bulk_upsert::{self, Row},
            by_schema,
        },
    },
    types::{Id, MemberId, MemberbaseId},
};

/// A member, as it is answered.
#[derive(Serialize, Debug)]
pub struct Member {
    id: String,
    member_base_id: String,
    #[serde(rename = "ref")]
    reference: String,
    attributes: Box<RawValue>,
    created_at: String,
    updated_at: String,
}

impl TryFrom<member::Member> for Member {
    type Error = Error;

    fn try_from(found: member::Member) -> Result<Self, Error> {
        let attributes = RawValue::from_string(found.attributes.json().to_owned());
        Ok(Self {
            id: found.id.to_string(),
            member_base_id: found.memberbase.to_string(),
            reference: found.reference,
            attributes: attributes.map_err(|error| crate::domain::Error::Internal(error.into()))?,
            created_at: found.id.created_at().to_string(),
            updated_at: found.updated_at.to_string(),
        })
    }
}

/// Reads an id of the kind that the field takes.
pub(super) fn id<T: Id>(field: &str, text: &str) -> Result<T, Error> {
    T::parse(text).map_err(|error| Error::new(Code::BadRequest, format!("{field}: {error}")))
}

#[derive(Deserialize)]
pub(super) struct BulkUpsert {
    member_base_id: String,
    members: Vec<Upsert>,
}

#[derive(Deserialize)]
struct Upsert {
    #[serde(rename = "ref")]
    reference: String,
    attributes: Option<Box<RawValue>>,
}

pub(super) async fn bulk_upsert(call: Call, given: BulkUpsert) -> Result<Vec<Option<String>>, Error> {
    let scope = call.caller.may(id::<MemberbaseId>("member_base_id", &given.member_base_id)?, Access::Write)?;
    let row = |row: Upsert| Row::new(row.reference, row.attributes.map(|json| Some(json.into())), None);
    let rows: Vec<_> = given.members.into_iter().map(row).collect();
    let options = Options { on_error: OnError::RejectBatch, mode: Mode::Upsert, dry_run: false };
    let upserted = bulk_upsert::bulk_upsert(&call.app, scope, &rows, options).await?;
    Ok(upserted.ids.iter().map(|id| id.map(|id| id.to_string())).collect())
}

#[derive(Deserialize)]
pub(super) struct Get {
    id: Option<String>,
    member_base_id: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
}

pub(super) async fn get(call: Call, given: Get) -> Result<Member, Error> {
    let found = match given {
        Get { id: Some(text), reference: None, .. } => {
            let id = id::<MemberId>("id", &text)?;
            let found = member::find(&call.app, call.caller.reach(Access::Read)?, id).await?;
            found.ok_or_else(|| Error::new(Code::NotFound, format!("member {id} does not exist")))?
        }
        Get { id: None, member_base_id: Some(base), reference: Some(reference) } => {
            let scope = call.caller.may(id::<MemberbaseId>("member_base_id", &base)?, Access::Read)?;
            let found = member::in_order_of_refs(&call.app, scope, &[reference]).await?.pop().flatten();
            found.ok_or_else(|| Error::new(Code::NotFound, "no member of this memberbase has this ref"))?
        }
        _ => return Err(Error::new(Code::BadRequest, "expected id, or member_base_id and ref")),
    };
    found.try_into()
}

#[derive(Deserialize)]
pub(super) struct List {
    member_base_id: String,
    pagination: Option<Pagination>,
    filters: Option<Filters>,
    sorts: Option<Vec<Sort>>,
}

#[derive(Deserialize)]
struct Sort {
    key: SortKey,
    direction: Direction,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum SortKey {
    Id,
    Ref,
    CreatedAt,
    UpdatedAt,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Direction {
    Asc,
    Desc,
}

pub(super) async fn list(call: Call, given: List) -> Result<Listed<Member>, Error> {
    let scope = call.caller.may(id::<MemberbaseId>("member_base_id", &given.member_base_id)?, Access::Read)?;
    let order = order(given.sorts.unwrap_or_default())?;
    let filter: Filter<Asked> = given.filters.map(|filters| filters.read(&test)).transpose()?.unwrap_or_default();
    let limits = call.app.limits.page;
    let page = given.pagination.unwrap_or_default().page(limits, |cursor| Position::parse(cursor, scope, order))?;
    let filter = by_schema(&call.app, scope, filter).await?;
    let slice = member::list(&call.app, scope, &filter, order, &page).await?;
    Listed::new(&page, slice, |row| Position::of(row, order).cursor(scope, order), Member::try_from)
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
            Ok(Order { field, descending: matches!(direction, Direction::Desc) })
        }
        (Some(_), Some(_)) => Err(Error::new(Code::BadRequest, "sorts: expected one at most")),
    }
}

fn test(key: &str, operator: Operator) -> Result<Filter<Asked>, Error> {
    match key {
        "id" => operator.of_id(key, Test::Id),
        "ref" => operator.of_text(key, Test::Ref),
        "created_at" => operator.of_time(key, Test::CreatedAt),
        "updated_at" => operator.of_time(key, Test::UpdatedAt),
        _ => Err(filter::unknown(key, "id, ref, created_at and updated_at")),
    }
}

#[derive(Deserialize)]
pub(super) struct BulkDelete {
    member_base_id: String,
    member_ids: Vec<String>,
}

/// How many went.
#[derive(Serialize, Debug)]
pub struct Deleted {
    deleted: u64,
}

impl Deleted {
    pub(super) fn new(deleted: u64) -> Self {
        Self { deleted }
    }
}

pub(super) async fn bulk_delete(call: Call, given: BulkDelete) -> Result<Deleted, Error> {
    let scope = call.caller.may(id::<MemberbaseId>("member_base_id", &given.member_base_id)?, Access::Write)?;
    let ids = given.member_ids.iter().map(|text| id("member_ids", text)).collect::<Result<_, _>>()?;
    let doomed = Doomed { ids, ..Doomed::default() };
    let deletion = member::delete(&call.app, scope, doomed).await?;
    Ok(Deleted::new(deletion.deleted.members))
}
