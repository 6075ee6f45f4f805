//! Keyset pagination of lists that are ordered by id, which is the order of creation: cursors and pages.
//!
//! A cursor is base64url (RFC 4648, section 5) of a byte for the kind of list, the memberbase if the list belongs to
//! one, and the id of the row. It is rejected if it is malformed or of another list.

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

/// The kind of list that a cursor is of, which is its first byte. Lists of members, clips, stamp collections and
/// transactions have higher numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CursorKind {
    Memberbases = 1,
    ApiTokens = 2,
    Syncs = 3,
}

/// Returns the cursor of the row with this id.
pub(super) fn encode(list: CursorKind, id: impl Id) -> String {
    let mut bytes = vec![list as u8];
    bytes.extend_from_slice(id.uuid().as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Parses a cursor of this kind of list. The error is a message for the client.
pub(super) fn decode<T: Id>(list: CursorKind, cursor: &str) -> Result<T, &'static str> {
    decode_id(&decode_key(list, cursor)?)
}

/// Returns the cursor of the row with this id in a list of one memberbase.
pub(super) fn encode_within(list: CursorKind, scope: Scope, id: impl Id) -> String {
    let mut bytes = vec![list as u8];
    bytes.extend_from_slice(scope.memberbase().uuid().as_bytes());
    bytes.extend_from_slice(id.uuid().as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Parses a cursor of this kind of list of this memberbase. The error is a message for the client.
pub(super) fn decode_within<T: Id>(list: CursorKind, scope: Scope, cursor: &str) -> Result<T, &'static str> {
    let key = decode_key(list, cursor)?;
    let (memberbase, id) = key.split_first_chunk::<16>().ok_or(MALFORMED)?;
    if Uuid::from_bytes(*memberbase) != scope.memberbase().uuid() {
        return Err("the cursor is of another memberbase");
    }
    decode_id(id)
}

const MALFORMED: &str = "the cursor is malformed";

/// Decodes a cursor of this kind of list and returns the bytes after the first.
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

/// Returns a page of the rows of `found`, ordered by id in the given order. One row more than the page size is read, to
/// find out whether there is a next page.
///
/// SeaORM's `Select::cursor_by` could take over the two exclusive conditions, but has no inclusive one for the look-up on
/// the opposite side of the cursor; with it this function would be longer.
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
    let (order, opposite) = if upward { (Order::Asc, Order::Desc) } else { (Order::Desc, Order::Asc) };
    let key = || Expr::col((E::default(), id));
    let mut ahead = found.clone();
    let mut has_opposite = false;
    match page.anchor {
        Anchor::Start => {}
        Anchor::Offset(rows) => ahead = ahead.offset(rows),
        Anchor::Cursor(start) => {
            let start = Expr::val(start.uuid());
            if page.check_opposite {
                let behind = found.filter(if upward { key().lte(start.clone()) } else { key().gte(start.clone()) });
                has_opposite = behind.order_by(id, opposite).limit(1).one(session).await?.is_some();
            }
            ahead = ahead.filter(if upward { key().gt(start) } else { key().lt(start) });
        }
    }
    if let Some(end) = page.until {
        let end = Expr::val(end.uuid());
        ahead = ahead.filter(if upward { key().lt(end) } else { key().gt(end) });
    }
    let rows = ahead.order_by(id, order).limit(page.size + 1).all(session).await?;
    let rows: Vec<Row> = rows.into_iter().map(Row::try_from).collect::<Result<_, _>>()?;
    Ok(page.slice(rows, has_opposite))
}
