//! Lists in the order of ids: their cursors and pages.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sea_orm::{
    EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, ExprTrait, Order},
};
use uuid::Uuid;

use super::{Error, access::Scope};
use crate::{
    db::Session,
    types::{Direction, Id, Page, Slice, Start},
};

/// Which list a cursor is of: its first byte. Those of members and of what belongs to them are higher.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// Memberbases.
    Memberbases = 1,
    /// Tokens.
    ApiTokens = 2,
    /// Syncs of one memberbase.
    Syncs = 3,
}

/// Where the thing with this id stands: opaque to whoever holds it.
pub(super) fn write(list: List, id: impl Id) -> String {
    let mut bytes = vec![list as u8];
    bytes.extend_from_slice(id.uuid().as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a cursor; the message says why it is none of this list.
pub(super) fn read<T: Id>(list: List, cursor: &str) -> Result<T, &'static str> {
    const MALFORMED: &str = "the cursor is malformed";
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| MALFORMED)?;
    match bytes.split_first() {
        Some((&first, id)) if first == list as u8 => Uuid::from_slice(id).map(T::from_uuid).map_err(|_| MALFORMED),
        Some(_) => Err("the cursor is of another list"),
        None => Err(MALFORMED),
    }
}

/// Where the thing with this id stands in the list of one memberbase.
pub(super) fn write_within(list: List, scope: Scope, id: impl Id) -> String {
    let mut bytes = vec![list as u8];
    bytes.extend_from_slice(scope.memberbase().uuid().as_bytes());
    bytes.extend_from_slice(id.uuid().as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a cursor; the message says why it is none of this list of this memberbase.
pub(super) fn read_within<T: Id>(list: List, scope: Scope, cursor: &str) -> Result<T, &'static str> {
    const MALFORMED: &str = "the cursor is malformed";
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| MALFORMED)?;
    let (&first, rest) = bytes.split_first().ok_or(MALFORMED)?;
    if first != list as u8 {
        return Err("the cursor is of another list");
    }
    let (memberbase, id) = rest.split_first_chunk::<16>().ok_or(MALFORMED)?;
    if Uuid::from_bytes(*memberbase) != scope.memberbase().uuid() {
        return Err("the cursor is of another memberbase");
    }
    Uuid::from_slice(id).map(T::from_uuid).map_err(|_| MALFORMED)
}

/// A page of what is found, in the order of its ids: of their creation, or against it.
pub(super) async fn page<E, Row>(
    session: &Session,
    found: Select<E>,
    id: E::Column,
    order: Order,
    page: &Page<impl Id>,
) -> Result<Slice<Row>, Error>
where
    E: EntityTrait,
    Row: TryFrom<E::Model, Error = Error>,
{
    let upward = (page.direction == Direction::Forward) == (order == Order::Asc);
    let (order, back) = if upward { (Order::Asc, Order::Desc) } else { (Order::Desc, Order::Asc) };
    let key = || Expr::col((E::default(), id));
    let mut ahead = found.clone();
    let mut behind = false;
    match page.start {
        Start::Edge => {}
        Start::Skip(rows) => ahead = ahead.offset(rows),
        Start::Beside(start) => {
            let start = Expr::val(start.uuid());
            if page.behind {
                let before = found.filter(if upward { key().lte(start.clone()) } else { key().gte(start.clone()) });
                behind = before.order_by(id, back).limit(1).one(session).await?.is_some();
            }
            ahead = ahead.filter(if upward { key().gt(start) } else { key().lt(start) });
        }
    }
    let rows = ahead.order_by(id, order).limit(page.size + 1).all(session).await?;
    Ok(page.slice(rows.into_iter().map(Row::try_from).collect::<Result<_, _>>()?, behind))
}
