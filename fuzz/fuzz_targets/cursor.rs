//! Cursors: a cursor that parses is printed as one that parses to the same position.

#![no_main]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;
use memberbase::{
    domain::{
        access::{Access, Caller, Scope},
        member::{Order, OrderField, Position},
    },
    types::{Id, MemberbaseId},
};
use uuid::Uuid;

const FIELDS: [OrderField; 3] = [OrderField::CreatedAt, OrderField::UpdatedAt, OrderField::Ref];

fn scope(id: Uuid) -> Scope {
    Caller::operator().authorize(MemberbaseId::from_uuid(id), Access::Read).expect("everything is allowed")
}

fn check(cursor: &str, scope: Scope) {
    for field in FIELDS {
        for descending in [false, true] {
            let order = Order { field, descending };
            if let Ok(position) = Position::parse(cursor, scope, order) {
                assert_eq!(Position::parse(&position.cursor(scope, order), scope, order), Ok(position));
            }
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        check(text, scope(Uuid::nil()));
    }
    // Arbitrary bytes within a valid encoding, with the memberbase that they name.
    let id = bytes.get(1..17).and_then(|id| Uuid::from_slice(id).ok()).unwrap_or_default();
    check(&URL_SAFE_NO_PAD.encode(bytes), scope(id));
});
