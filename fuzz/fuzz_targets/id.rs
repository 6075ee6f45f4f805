//! Ids: an id that parses is printed as the same text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use memberbase::types::{
    AnyId, ApiTokenId, ClipId, Id, MemberId, MemberbaseId, StampCollectionId, SyncId, TransactionId,
};

fn of<T: Id>(text: &str) -> bool {
    let Ok(id) = T::parse(text) else { return false };
    assert_eq!(id.to_string(), text);
    assert_eq!(T::from_uuid(id.uuid()).to_string(), text);
    // Every id has a time, also one that no server created.
    let _ = id.created_at().to_string();
    true
}

fuzz_target!(|text: &str| {
    let kinds = [
        of::<MemberbaseId>(text),
        of::<MemberId>(text),
        of::<ClipId>(text),
        of::<StampCollectionId>(text),
        of::<TransactionId>(text),
        of::<ApiTokenId>(text),
        of::<SyncId>(text),
    ];
    let of_one = kinds.into_iter().filter(|is| *is).count();
    assert!(of_one < 2, "{text:?} is of several kinds");
    assert_eq!(AnyId::parse(text).is_ok(), of_one == 1, "{text:?}");
});
