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
    types::{Anchor, Direction, Id, Page, Slice},
};

/// Which list a cursor is of: its first byte. Those of members and of what belongs to them are higher.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CursorKind {
    /// Memberbases.
    Memberbases = 1,
    /// Tokens.
    ApiTokens = 2,
    /// Syncs of one memberbase.
    Syncs = 3,
}

/// Where the thing with this id stands: opaque to whoever holds it.
pub(super) fn encode(list: CursorKind, id: impl Id) -> String {
    let mut bytes = vec![list as u8];
    bytes.extend_from_slice(id.uuid().as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a cursor; the message says why it is none of this list.
pub(super) fn decode<T: Id>(list: CursorKind, cursor: &str) -> Result<T, &'static str> {
    decode_id(&decode_key(list, cursor)?)
}

/// Where the thing with this id stands in the list of one memberbase.
pub(super) fn encode_within(list: CursorKind, scope: Scope, id: impl Id) -> String {
    let mut bytes = vec![list as u8];
    bytes.extend_from_slice(scope.memberbase().uuid().as_bytes());
    bytes.extend_from_slice(id.uuid().as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a cursor; the message says why it is none of this list of this memberbase.
pub(super) fn decode_within<T: Id>(list: CursorKind, scope: Scope, cursor: &str) -> Result<T, &'static str> {
    let key = decode_key(list, cursor)?;
    let (memberbase, id) = key.split_first_chunk::<16>().ok_or(MALFORMED)?;
    if Uuid::from_bytes(*memberbase) != scope.memberbase().uuid() {
        return Err("the cursor is of another memberbase");
    }
    decode_id(id)
}

const MALFORMED: &str = "the cursor is malformed";

/// What a cursor of this list holds.
fn decode_key(list: CursorKind, cursor: &str) -> Result<Vec<u8>, &'static str> {
    let mut bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| MALFORMED)?;
    match bytes.first() {
        Some(&first) if first == list as u8 => Ok(bytes.split_off(1)),
        Some(_) => Err("the cursor is of another list"),
        None => Err(MALFORMED),
    }
}

fn decode_id<T: Id>(bytes: &[u8]) -> Result<T, &'static str> {
    Uuid::from_slice(bytes).map(T::from_uuid).map_err(|_| MALFORMED)
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
    match page.anchor {
        Anchor::Start => {}
        Anchor::Offset(rows) => ahead = ahead.offset(rows),
        Anchor::Cursor(start) => {
            let start = Expr::val(start.uuid());
            if page.check_opposite {
                let before = found.filter(if upward { key().lte(start.clone()) } else { key().gte(start.clone()) });
                behind = before.order_by(id, back).limit(1).one(session).await?.is_some();
            }
            ahead = ahead.filter(if upward { key().gt(start) } else { key().lt(start) });
        }
    }
    let rows = ahead.order_by(id, order).limit(page.size + 1).all(session).await?;
    Ok(page.slice(rows.into_iter().map(Row::try_from).collect::<Result<_, _>>()?, behind))
}
