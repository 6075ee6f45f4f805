//! Cursors of lists in the order of their ids.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::types::Id;

/// Which list a cursor is of: its first byte. Those of members and of what belongs to them are higher.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// Memberbases.
    Memberbases = 1,
    /// Tokens.
    ApiTokens = 2,
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
